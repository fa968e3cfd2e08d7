/* folder.h - a web app in a folder of the test's own. */
#ifndef TV_TEST_FOLDER_H
#define TV_TEST_FOLDER_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/proc.h"
#include "tests/unit/gateway/expect.h"

#define INDEX "<!doctype html><title>visits</title>"
#define SCRIPT "export const answer = 42;\n"

/* A new empty folder, in `out`. */
static inline const char *folder_new(char *out, size_t size) {
    static unsigned nth;
    (void)snprintf(out, size, "%s/web-%u", test_dir(), nth++);
    assert_int_equal(mkdir(out, 0755), 0);
    return out;
}

/* Writes a file as a build does: a new one takes the place of the old. Makes its folders. */
static inline void folder_put(const char *folder, const char *name, const char *text) {
    char path[512], draft[540];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
    (void)snprintf(draft, sizeof draft, "%s.new", path);
    FILE *to = fopen(draft, "w");
    assert_non_null(to);
    assert_true(fputs(text, to) >= 0);
    assert_int_equal(fclose(to), 0);
    assert_int_equal(rename(draft, path), 0);
}

/* A file of so many bytes that takes no room on the disk. */
static inline void folder_put_hole(const char *folder, const char *name, off_t bytes) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, bytes), 0);
    close(fd);
}

static inline void folder_link(const char *folder, const char *name, const char *to) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(symlink(to, path), 0);
}

/* A small web app: each kind of file that the tests speak of. */
static inline const char *folder_app(char *out, size_t size) {
    folder_new(out, size);
    folder_put(out, "index.html", INDEX);
    folder_put(out, "index.html.br", "br of the page");
    folder_put(out, "index.html.gz", "gz of the page");
    folder_put(out, "sw.js", "// worker");
    folder_put(out, "manifest.webmanifest", "{}");
    folder_put(out, "icons/a b.svg", "<svg/>");
    folder_put(out, "icons/icon.png", "png");
    folder_put(out, "icons/favicon.ico", "ico");
    folder_put(out, "empty.txt", "");
    folder_put(out, "assets/app-1f2e.js", SCRIPT);
    folder_put(out, "assets/app-1f2e.js.br", "br of the script");
    folder_put(out, "assets/app-1f2e.js.map", "{\"secret\":1}");
    folder_put(out, "assets/app-1f2e.css", "body{}");
    folder_put(out, "assets/font.woff2", "woff2");
    folder_put(out, "assets/data.json", "{}");
    folder_put(out, "assets/e2ee.wasm", "wasm");
    folder_put(out, ".hidden/secret.txt", "secret");
    folder_put(out, ".env", "secret");
    return out;
}

#endif
