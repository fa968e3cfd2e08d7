#include "services/gateway/web_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/arena.h"
#include "lib/crypto.h"

#define DEPTH_MAX 8
#define NAMES_MAX (3 * WEB_FILES_MAX) /* with the siblings */
#define ETAG_HASH_BYTES 16
#define FIXED_UNDER "/assets/"

static const struct media_type {
    const char *ending, *type; /* type NULL: not served */
} media_types[] = {
    {"html", "text/html; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"txt", "text/plain; charset=utf-8"},
    {"json", "application/json"},
    {"webmanifest", "application/manifest+json"},
    {"wasm", "application/wasm"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"webp", "image/webp"},
    {"ico", "image/x-icon"},
    {"woff2", "font/woff2"},
    {"mp3", "audio/mpeg"},
    {"ogg", "audio/ogg"},
    {"wav", "audio/wav"},
    {"map", NULL},
};

static const struct {
    const char *ending;
    enum coding coding;
} siblings[] = {{".br", CODING_BR}, {".gz", CODING_GZIP}};

struct web_files {
    struct tv_arena *arena; /* of all text */
    const char *root;       /* the folder, without links */
    const char **names;     /* "/index.html", "/index.html.br", …: all that is there, sorted */
    size_t name_count;
    struct web_file *files; /* sorted by path */
    size_t file_count;
    size_t bytes;
};

/* -- what is there ------------------------------------------------------------------------------*/

static enum tv_err walk(struct web_files *w, const char *under, unsigned depth, struct tv_error *e);

/* Whether a path that exists leads into the folder, over whatever links. */
static bool is_inside(const struct web_files *w, const char *path) {
    char *real = realpath(path, NULL);
    size_t len = strlen(w->root);
    bool inside = real != NULL && strncmp(real, w->root, len) == 0 && real[len] == '/';
    free(real);
    return inside;
}

static enum tv_err take_name(struct web_files *w, const char *name, unsigned depth,
                             struct tv_error *e) {
    const char *path = tv_arena_printf(w->arena, "%s%s", w->root, name);
    struct stat status;
    if (stat(path, &status) != 0)
        return tv_fail(e, TV_ERR_INVALID, "%.100s: %s", name, strerror(errno));
    if (!is_inside(w, path))
        return tv_fail(e, TV_ERR_INVALID, "%.100s leads out of the folder", name);
    if (S_ISDIR(status.st_mode))
        return walk(w, name, depth + 1, e);
    if (!S_ISREG(status.st_mode))
        return tv_fail(e, TV_ERR_INVALID, "%.100s is no file", name);
    if (w->name_count == NAMES_MAX)
        return tv_fail(e, TV_ERR_INVALID, "more than %d files", NAMES_MAX);
    w->names[w->name_count++] = name;
    return TV_OK;
}

static enum tv_err walk(struct web_files *w, const char *under, unsigned depth,
                        struct tv_error *e) {
    if (depth > DEPTH_MAX)
        return tv_fail(e, TV_ERR_INVALID, "%.100s: folders lie too deep", under);
    DIR *d = opendir(tv_arena_printf(w->arena, "%s%s", w->root, under));
    if (d == NULL)
        return tv_fail(e, TV_ERR_INVALID, "%.100s: %s", under, strerror(errno));
    enum tv_err err = TV_OK;
    const struct dirent *entry;
    while (err == TV_OK && (entry = readdir(d)) != NULL)
        if (entry->d_name[0] != '.')
            err = take_name(w, tv_arena_printf(w->arena, "%s/%s", under, entry->d_name), depth, e);
    closedir(d);
    return err;
}

/* -- one file -----------------------------------------------------------------------------------*/

static const struct media_type *media_type_of(const char *name) {
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < TV_ARRAY_LEN(media_types); i++)
        if (strcmp(dot + 1, media_types[i].ending) == 0)
            return &media_types[i];
    return NULL;
}

/* Length of the name without the ending of a sibling; 0 when it is none. */
static size_t sibling_stem(const char *name) {
    size_t len = strlen(name);
    for (size_t i = 0; i < TV_ARRAY_LEN(siblings); i++) {
        size_t ending = strlen(siblings[i].ending);
        if (len > ending && strcmp(name + len - ending, siblings[i].ending) == 0)
            return len - ending;
    }
    return 0;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has_name(const struct web_files *w, const char *name) {
    return bsearch(&name, w->names, w->name_count, sizeof *w->names, compare_names) != NULL;
}

static void put_etag(struct web_variant *v) {
    unsigned char hash[TV_SHA256_BYTES];
    tv_sha256(v->bytes, hash);
    v->etag[0] = '"';
    size_t len = 1 + tv_base64url(hash, ETAG_HASH_BYTES, v->etag + 1);
    v->etag[len] = '"';
    v->etag[len + 1] = '\0';
}

/* Maps an open file. An empty one has nothing to map. */
static enum tv_err map(int fd, const char *name, struct web_variant *v, struct tv_error *e) {
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0)
        return tv_fail(e, TV_ERR_INVALID, "%.100s: %s", name, strerror(errno));
    if (status.st_size > WEB_FILE_BYTES_MAX)
        return tv_fail(e, TV_ERR_INVALID, "%.100s has more than %d bytes", name,
                       WEB_FILE_BYTES_MAX);
    v->bytes = (struct tv_str){"", (size_t)status.st_size};
    if (v->bytes.len == 0)
        return TV_OK;
    void *at = mmap(NULL, v->bytes.len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) {
        v->bytes.len = 0;
        return tv_fail(e, TV_ERR_INVALID, "%.100s: %s", name, strerror(errno));
    }
    v->bytes.p = at;
    return TV_OK;
}

static enum tv_err take_variant(struct web_files *w, struct web_file *f, enum coding coding,
                                const char *name, struct tv_error *e) {
    struct web_variant *v = &f->variants[coding];
    int fd = open(tv_arena_printf(w->arena, "%s%s", w->root, name), O_RDONLY | O_CLOEXEC);
    enum tv_err err = map(fd, name, v, e);
    if (fd >= 0)
        close(fd);
    if (err != TV_OK)
        return err;
    f->there |= CODING_BIT(coding);
    w->bytes += v->bytes.len;
    if (w->bytes > WEB_BYTES_MAX)
        return tv_fail(e, TV_ERR_INVALID, "the files have more than %d bytes together",
                       WEB_BYTES_MAX);
    put_etag(v);
    /* The hash has touched all of it; from here on it is the page cache's. */
    if (v->bytes.len > 0)
        (void)madvise((void *)(uintptr_t)v->bytes.p, v->bytes.len, MADV_DONTNEED);
    return TV_OK;
}

static enum tv_err take_file(struct web_files *w, const char *name, struct tv_error *e) {
    size_t stem = sibling_stem(name);
    if (stem > 0) {
        const char *of = tv_arena_strndup(w->arena, name, stem);
        return has_name(w, of)
                   ? TV_OK
                   : tv_fail(e, TV_ERR_INVALID, "%.100s is there without %.100s", name, of);
    }
    const struct media_type *type = media_type_of(name);
    if (type == NULL)
        return tv_fail(e, TV_ERR_INVALID, "%.100s is of no type that is served", name);
    if (type->type == NULL)
        return TV_OK;
    if (w->file_count == WEB_FILES_MAX)
        return tv_fail(e, TV_ERR_INVALID, "more than %d files", WEB_FILES_MAX);
    struct web_file *f = &w->files[w->file_count++];
    f->path = name;
    f->media_type = type->type;
    f->fixed = strncmp(name, FIXED_UNDER, strlen(FIXED_UNDER)) == 0;
    enum tv_err err = take_variant(w, f, CODING_IDENTITY, name, e);
    for (size_t i = 0; err == TV_OK && i < TV_ARRAY_LEN(siblings); i++) {
        const char *sibling = tv_arena_printf(w->arena, "%s%s", name, siblings[i].ending);
        if (has_name(w, sibling))
            err = take_variant(w, f, siblings[i].coding, sibling, e);
    }
    return err;
}

/* -- all of them --------------------------------------------------------------------------------*/

static enum tv_err load(struct web_files *w, const char *folder, struct tv_error *e) {
    char *root = realpath(folder, NULL);
    if (root == NULL)
        return tv_fail(e, TV_ERR_INVALID, "%s", strerror(errno));
    w->root = tv_arena_strdup(w->arena, root);
    free(root);
    enum tv_err err = walk(w, "", 0, e);
    if (err != TV_OK)
        return err;
    qsort(w->names, w->name_count, sizeof *w->names, compare_names);
    for (size_t i = 0; err == TV_OK && i < w->name_count; i++)
        err = take_file(w, w->names[i], e);
    if (err == TV_OK && web_files_find(w, TV_S("/index.html")) == NULL)
        err = tv_fail(e, TV_ERR_INVALID, "there is no index.html in it");
    return err;
}

enum tv_err web_files_load(const char *folder, struct web_files **ret, struct tv_error *e) {
    struct web_files *w = tv_calloc(1, sizeof *w);
    w->arena = tv_arena_new();
    w->names = tv_calloc(NAMES_MAX, sizeof *w->names);
    w->files = tv_calloc(WEB_FILES_MAX, sizeof *w->files);
    struct tv_error fault = TV_ERROR_INIT;
    enum tv_err err = load(w, folder, &fault);
    free(TV_TAKE_PTR(w->names));
    if (err != TV_OK) {
        web_files_free(w);
        return tv_fail(e, err, "TELEVISIT_WEB_DIR %.100s: %s", folder, fault.detail);
    }
    w->files = tv_realloc(w->files, w->file_count * sizeof *w->files);
    *ret = w;
    return TV_OK;
}

void web_files_free(struct web_files *w) {
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->file_count; i++)
        for (unsigned c = 0; c < CODINGS; c++)
            if (w->files[i].variants[c].bytes.len > 0)
                munmap((void *)(uintptr_t)w->files[i].variants[c].bytes.p,
                       w->files[i].variants[c].bytes.len);
    free(w->names);
    free(w->files);
    tv_arena_free(w->arena);
    free(w);
}

size_t web_files_count(const struct web_files *w) { return w->file_count; }

static int compare_path(const void *key, const void *file) {
    const struct tv_str *path = key;
    struct tv_str other = tv_str(((const struct web_file *)file)->path);
    int order = memcmp(path->p, other.p, TV_MIN(path->len, other.len));
    return order != 0 ? order : (path->len > other.len) - (path->len < other.len);
}

const struct web_file *web_files_find(const struct web_files *w, struct tv_str path) {
    if (path.len == 0)
        return NULL;
    return bsearch(&path, w->files, w->file_count, sizeof *w->files, compare_path);
}
