/* The folder of the web app: what is taken in, what is left out, and what is refused at start. */
#include "tests/unit/gateway/folder.h"

#include "lib/crypto.h"
#include "services/gateway/web_files.h"

#define MIB (1024 * 1024)

static char folder[400];

static int make(void **state) {
    tv_crypto_init();
    folder_app(folder, sizeof folder);
    return 0;
}

static struct web_files *load(void) {
    struct web_files *w = NULL;
    struct tv_error e = TV_ERROR_INIT;
    if (web_files_load(folder, &w, &e) != TV_OK)
        fail_msg("%s", e.detail);
    return w;
}

/* The fault names the variable and what is wrong. */
static void expect_fault(const char *part) {
    struct web_files *w = NULL;
    struct tv_error e = TV_ERROR_INIT;
    assert_int_equal(web_files_load(folder, &w, &e), TV_ERR_INVALID);
    assert_null(w);
    expect_in(e.detail, "TELEVISIT_WEB_DIR");
    expect_in(e.detail, part);
}

static void test_table(void **state) {
    struct web_files *w = load();
    assert_int_equal(web_files_count(w), 12);
    static const struct {
        const char *path, *media_type;
        bool fixed;
    } rows[] = {
        {"/index.html", "text/html; charset=utf-8", false},
        {"/sw.js", "text/javascript; charset=utf-8", false},
        {"/manifest.webmanifest", "application/manifest+json", false},
        {"/icons/a b.svg", "image/svg+xml", false},
        {"/icons/icon.png", "image/png", false},
        {"/icons/favicon.ico", "image/x-icon", false},
        {"/empty.txt", "text/plain; charset=utf-8", false},
        {"/assets/app-1f2e.js", "text/javascript; charset=utf-8", true},
        {"/assets/app-1f2e.css", "text/css; charset=utf-8", true},
        {"/assets/font.woff2", "font/woff2", true},
        {"/assets/data.json", "application/json", true},
        {"/assets/e2ee.wasm", "application/wasm", true},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(rows); i++) {
        const struct web_file *f = web_files_find(w, tv_str(rows[i].path));
        assert_non_null(f);
        assert_string_equal(f->path, rows[i].path);
        assert_string_equal(f->media_type, rows[i].media_type);
        assert_int_equal(f->fixed, rows[i].fixed);
    }
    static const struct tv_str not_there[] = {
        {"", 0},
        {NULL, 0},
        {"/", 1},
        {"/index.htm", 10},
        {"/index.html\0", 12},
        {"/index.html.br", 14},
        {"/assets", 7},
        {"/assets/app-1f2e.js.map", 23},
        {"/.env", 5},
        {"/.hidden/secret.txt", 19},
        {"index.html", 10},
        {"/INDEX.HTML", 11},
    };
    for (size_t i = 0; i < TV_ARRAY_LEN(not_there); i++)
        assert_null(web_files_find(w, not_there[i]));
    web_files_free(w);
}

static void test_variants(void **state) {
    struct web_files *w = load();
    const struct web_file *page = web_files_find(w, TV_S("/index.html"));
    assert_int_equal(page->there, 7);
    assert_true(tv_str_eqz(page->variants[CODING_IDENTITY].bytes, INDEX));
    assert_true(tv_str_eqz(page->variants[CODING_BR].bytes, "br of the page"));
    assert_true(tv_str_eqz(page->variants[CODING_GZIP].bytes, "gz of the page"));
    const struct web_file *script = web_files_find(w, TV_S("/assets/app-1f2e.js"));
    assert_int_equal(script->there, CODING_BIT(CODING_IDENTITY) | CODING_BIT(CODING_BR));

    /* An entity tag is of the content and nothing else. */
    const char *tag = page->variants[CODING_IDENTITY].etag;
    assert_int_equal(strlen(tag), WEB_ETAG_TEXT - 1);
    assert_true(tag[0] == '"' && tag[WEB_ETAG_TEXT - 2] == '"');
    assert_string_not_equal(tag, page->variants[CODING_BR].etag);
    folder_put(folder, "same.html", INDEX);
    struct web_files *again = load();
    assert_string_equal(tag,
                        web_files_find(again, TV_S("/same.html"))->variants[CODING_IDENTITY].etag);
    assert_string_equal(tag,
                        web_files_find(again, TV_S("/index.html"))->variants[CODING_IDENTITY].etag);
    assert_int_equal(web_files_find(again, TV_S("/empty.txt"))->variants[CODING_IDENTITY].bytes.len,
                     0);
    web_files_free(again);
    web_files_free(w);
}

static void test_links_within(void **state) {
    folder_link(folder, "latest.js", "assets/app-1f2e.js");
    folder_link(folder, "pictures", "icons");
    struct web_files *w = load();
    assert_non_null(web_files_find(w, TV_S("/latest.js")));
    assert_non_null(web_files_find(w, TV_S("/pictures/icon.png")));
    web_files_free(w);
}

static void test_no_folder(void **state) {
    (void)snprintf(folder + strlen(folder), 20, "/nothing");
    expect_fault("No such file or directory");
}

static void test_folder_is_a_file(void **state) {
    (void)snprintf(folder + strlen(folder), 20, "/sw.js");
    expect_fault("Not a directory");
}

static void test_no_index(void **state) {
    folder_new(folder, sizeof folder);
    folder_put(folder, "sw.js", "");
    expect_fault("no index.html");
}

static void test_unknown_type(void **state) {
    folder_put(folder, "assets/setup.exe", "");
    expect_fault("/assets/setup.exe is of no type");
}

static void test_no_ending(void **state) {
    folder_put(folder, "LICENSE", "");
    expect_fault("/LICENSE is of no type");
}

static void test_sibling_alone(void **state) {
    folder_put(folder, "assets/old.js.gz", "");
    expect_fault("/assets/old.js.gz is there without /assets/old.js");
}

static void test_link_out(void **state) {
    folder_link(folder, "assets/all.txt", "/etc/passwd");
    expect_fault("/assets/all.txt leads out of the folder");
}

static void test_folder_link_out(void **state) {
    folder_link(folder, "up", "..");
    expect_fault("/up leads out of the folder");
}

static void test_broken_link(void **state) {
    folder_link(folder, "gone.js", "nowhere.js");
    expect_fault("/gone.js: No such file");
}

static void test_link_circle(void **state) {
    folder_put(folder, "a/x.js", "");
    folder_link(folder, "a/b", "../a");
    expect_fault("too deep");
}

static void test_no_file(void **state) {
    char path[440];
    (void)snprintf(path, sizeof path, "%s/pipe.js", folder);
    assert_int_equal(mkfifo(path, 0644), 0);
    expect_fault("/pipe.js is no file");
}

static void test_large_file(void **state) {
    folder_put_hole(folder, "big.js", WEB_FILE_BYTES_MAX + 1);
    expect_fault("/big.js has more than 16777216 bytes");
}

static void test_large_together(void **state) {
    char name[20];
    for (int i = 0; i < WEB_BYTES_MAX / WEB_FILE_BYTES_MAX + 1; i++) {
        (void)snprintf(name, sizeof name, "big-%d.js", i);
        folder_put_hole(folder, name, WEB_FILE_BYTES_MAX);
    }
    expect_fault("more than 67108864 bytes together");
}

static void test_many_files(void **state) {
    char name[20];
    for (int i = 0; i < WEB_FILES_MAX; i++) {
        (void)snprintf(name, sizeof name, "f%d.js", i);
        folder_put(folder, name, "");
    }
    expect_fault("more than 1000 files");
}

static long resident_bytes(void) {
    long pages, resident;
    FILE *from = fopen("/proc/self/statm", "r");
    assert_non_null(from);
    assert_int_equal(fscanf(from, "%ld %ld", &pages, &resident), 2);
    (void)fclose(from);
    return resident * sysconf(_SC_PAGESIZE);
}

/* The files are in the page cache, not in the memory of the process. */
static void test_memory(void **state) {
    struct web_files *w = load(); /* whatever is touched for the first time */
    web_files_free(w);
    char *text = tv_malloc(6 * MIB + 1);
    memset(text, 'x', 6 * MIB);
    text[6 * MIB] = '\0';
    folder_put(folder, "assets/big.js", text);
    folder_put(folder, "assets/big.js.br", text);
    free(text);
    long before = resident_bytes();
    w = load();
    long grown = resident_bytes() - before;
    if (grown >= MIB)
        fail_msg("grown by %ld bytes", grown);
    const struct web_file *f = web_files_find(w, TV_S("/assets/big.js"));
    assert_int_equal(f->variants[CODING_BR].bytes.len, 6 * MIB);
    assert_int_equal(f->variants[CODING_BR].bytes.p[6 * MIB - 1], 'x');
    web_files_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_table, make),
        cmocka_unit_test_setup(test_variants, make),
        cmocka_unit_test_setup(test_links_within, make),
        cmocka_unit_test_setup(test_no_folder, make),
        cmocka_unit_test_setup(test_folder_is_a_file, make),
        cmocka_unit_test_setup(test_no_index, make),
        cmocka_unit_test_setup(test_unknown_type, make),
        cmocka_unit_test_setup(test_no_ending, make),
        cmocka_unit_test_setup(test_sibling_alone, make),
        cmocka_unit_test_setup(test_link_out, make),
        cmocka_unit_test_setup(test_folder_link_out, make),
        cmocka_unit_test_setup(test_broken_link, make),
        cmocka_unit_test_setup(test_link_circle, make),
        cmocka_unit_test_setup(test_no_file, make),
        cmocka_unit_test_setup(test_large_file, make),
        cmocka_unit_test_setup(test_large_together, make),
        cmocka_unit_test_setup(test_many_files, make),
        cmocka_unit_test_setup(test_memory, make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
