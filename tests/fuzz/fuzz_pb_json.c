/* Any bytes as JSON of any message type of ours. The first byte chooses the type and the mode.
 *
 * What is refused must name a reason; what is accepted must be stable: written as JSON and read
 * back, strictly, it is the same message, also when it went over the bus between. Built with
 * -fsanitize=fuzzer, or with -DTV_FUZZ_REPLAY as a program that takes corpus files. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/pb.h"
#include "tests/unit/lib/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok, const char *what) {
    if (!ok) {
        tv_panic("%s", what);
    }
}

static void check_stable(ProtobufCMessage *m, struct tv_arena *a) {
    struct tv_str bytes = tv_pb_pack(m, a);
    ProtobufCMessage *unpacked = tv_pb_unpack(m->descriptor, bytes, a);
    expect(unpacked != NULL, "what came from JSON cannot be unpacked");

    struct tv_buf json = TV_BUF_INIT(16 * TV_PB_MAX_BYTES);
    tv_pb_to_json(unpacked, &json);
    ProtobufCMessage *read = NULL;
    struct tv_error e = TV_ERROR_INIT;
    if (json.len <= TV_PB_MAX_BYTES) {
        expect(tv_pb_from_json(m->descriptor, tv_buf_view(&json), 0, a, &read, &e) == TV_OK,
               "our own JSON is refused");
        expect(tv_str_eq(bytes, tv_pb_pack(read, a)), "the message changed on its way");
    }
    tv_buf_done(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const ProtobufCMessageDescriptor *types[256];
    size_t count = messages_all(types, TV_ARRAY_LEN(types));
    if (size == 0) {
        return 0;
    }
    const ProtobufCMessageDescriptor *type = types[(data[0] >> 1) % count];
    struct tv_str text = {(const char *)data + 1, size - 1};
    struct tv_arena *a = tv_arena_new();
    struct tv_error e = TV_ERROR_INIT;
    ProtobufCMessage *m = NULL;
    if (tv_pb_from_json(type, text, data[0] & 1 ? TV_PB_LENIENT : 0, a, &m, &e) == TV_OK) {
        check_stable(m, a);
    } else {
        expect(e.detail[0] != '\0' && tv_str_is_utf8(tv_str(e.detail)), "no reason is given");
        expect(tv_str_is_utf8(tv_str(e.pointer)), "the pointer is not UTF-8");
    }
    m = tv_pb_unpack(type, text, a); /* the same bytes from the bus */
    if (m != NULL) {
        struct tv_buf json = TV_BUF_INIT(16 * TV_PB_MAX_BYTES);
        tv_pb_to_json(m, &json);
        expect(json.overflow || tv_str_is_utf8(tv_buf_view(&json)), "JSON that is not UTF-8");
        tv_buf_done(&json);
    }
    tv_arena_free(a);
    return 0;
}

#ifdef TV_FUZZ_REPLAY
int main(int argc, char **argv) {
    static uint8_t data[2 * TV_PB_MAX_BYTES];
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        expect(file != NULL, "a corpus file cannot be read");
        size_t len = fread(data, 1, sizeof data, file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, len);
    }
    printf("%d inputs\n", argc - 1);
    return argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
#endif
