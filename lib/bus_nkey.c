/* bus_nkey.c - reads the nkey that proves to NATS who we are: base32 of a prefix, 32 bytes and a
 * checksum (CRC-16/XMODEM, little endian), as https://github.com/nats-io/nkeys writes it. */
#include <string.h>

#include "bus_internal.h"
#include "crypto.h"

enum {
    KEY_BYTES = 32,
    PREFIX_SEED = 18 << 3, /* makes the text begin with S */
    PREFIX_USER = 20 << 3, /* makes it begin with U */
    DECODED_MAX = 2 + KEY_BYTES + 2,
};

/* Of a whole number of bytes, without padding: what nkeys are. The length, or 0. */
static size_t base32_decode(struct tv_str text, unsigned char out[static DECODED_MAX]) {
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        uint32_t value;

        if (c >= 'A' && c <= 'Z')
            value = (uint32_t)(c - 'A');
        else if (c >= '2' && c <= '7')
            value = (uint32_t)(c - '2') + 26;
        else
            return 0;
        bits = (bits << 5 | value) & 0xffff;
        bit_count += 5;
        if (bit_count >= 8) {
            if (len == DECODED_MAX)
                return 0;
            bit_count -= 8;
            out[len++] = (unsigned char)(bits >> bit_count);
        }
    }
    return len;
}

static uint16_t crc16(const unsigned char *data, size_t len) {
    uint16_t crc = 0;

    for (size_t i = 0; i < len; i++) {
        crc = (uint16_t)(crc ^ data[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)((crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

/* Whether the text is such a key, of so many characters and with these bytes in front. */
static bool is_key(struct tv_str text, size_t chars, const unsigned char *prefix,
                   size_t prefix_len) {
    unsigned char raw[DECODED_MAX];
    size_t len = prefix_len + KEY_BYTES;
    bool ok = text.len == chars && base32_decode(text, raw) == len + 2 &&
              memcmp(raw, prefix, prefix_len) == 0 &&
              (raw[len] | raw[len + 1] << 8) == crc16(raw, len);

    tv_wipe(raw, sizeof(raw));
    return ok;
}

/* The next line that is not empty, without the spaces around it. */
static struct tv_str next_line(struct tv_str *rest) {
    struct tv_str line = {0};

    while (line.len == 0 && rest->len > 0) {
        line = tv_str_cut(rest, '\n');
        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;
        line = tv_str_trim(line);
    }
    return line;
}

enum tv_err tv_bus_nkey_parse(const char *text, struct tv_bus_nkey *ret, struct tv_error *e) {
    static const unsigned char seed_prefix[] = {PREFIX_SEED | PREFIX_USER >> 5, (PREFIX_USER & 31)
                                                                                    << 3};
    static const unsigned char public_prefix[] = {PREFIX_USER};
    struct tv_str rest = tv_str(text);
    struct tv_str seed = next_line(&rest), public = next_line(&rest);

    if (!is_key(seed, TV_BUS_SEED_TEXT - 1, seed_prefix, sizeof(seed_prefix)))
        return tv_fail(e, TV_ERR_INVALID,
                       "NATS_NKEY_FILE: its first line is not the seed of a NATS user (SU...)");
    if (!is_key(public, TV_BUS_NKEY_TEXT - 1, public_prefix, sizeof(public_prefix)))
        return tv_fail(e, TV_ERR_INVALID,
                       "NATS_NKEY_FILE: its second line is not the public key of a NATS user "
                       "(U...), as `nk -gen user -pubout` prints it");
    if (next_line(&rest).len > 0)
        return tv_fail(e, TV_ERR_INVALID, "NATS_NKEY_FILE: it has more than a seed and a key");
    memcpy(ret->seed, seed.p, seed.len);
    memcpy(ret->public, public.p, public.len);
    ret->seed[seed.len] = ret->public[public.len] = '\0';
    return TV_OK;
}
