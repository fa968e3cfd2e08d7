/* web_files.h - the files of the web app, taken in once at start.
 *
 * The folder is what the web build wrote. Of a file x, its siblings x.br and x.gz are the same
 * content compressed. All are mapped read-only: their bytes belong to the page cache, and the
 * gateway's own memory stays as small as without them. So a build must replace a file by another
 * one and never write into it; the gateway goes on with the old one until it is started again.
 *
 * Left out are hidden files and source maps. What cannot be served well is a fault at start: a file
 * whose type is unknown, a link that leads out of the folder, more or larger files than a web app
 * has.
 */
#ifndef TV_WEB_FILES_H
#define TV_WEB_FILES_H

#include "lib/err.h"
#include "services/gateway/negotiate.h"

#define WEB_FILES_MAX 1000
#define WEB_FILE_BYTES_MAX (16 * 1024 * 1024)
#define WEB_BYTES_MAX (64 * 1024 * 1024) /* all together */
#define WEB_ETAG_TEXT 25                 /* 16 bytes as base64url, quotes, NUL */

struct web_variant {
    struct tv_str bytes;
    char etag[WEB_ETAG_TEXT]; /* of these bytes, with its quotes */
};

struct web_file {
    const char *path; /* "/assets/app-1f2e.js" */
    const char *media_type;
    bool fixed;     /* the name has a hash of the content: it never changes */
    unsigned there; /* CODING_BITs of the variants; the identity is always among them */
    struct web_variant variants[CODINGS];
};

struct web_files;

/* TV_ERR_INVALID, and the detail names the file and what is wrong with it. */
TV_MUST_CHECK enum tv_err web_files_load(const char *folder, struct web_files **ret,
                                         struct tv_error *e);
void web_files_free(struct web_files *w);
size_t web_files_count(const struct web_files *w);
/* The file with exactly this path; NULL: none. */
const struct web_file *web_files_find(const struct web_files *w, struct tv_str path);

#endif
