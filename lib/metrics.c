/* metrics.c - see metrics.h. */
#include "lib/metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SERIES_MAX 512
#define LABEL_TEXT_MAX 1024

struct tv_series {
    STAILQ_ENTRY(tv_series) link;
    const struct tv_metric *metric; /* borrowed: families are static */
    char *labels;                   /* owned: `a="1",b="2"` as it is written, or "" */
    double value;                   /* counter, gauge; of a histogram the sum */
    uint64_t count;                 /* histogram: observations */
    uint64_t *in_bucket;            /* owned, histogram: not cumulative yet */
};

/* From half a millisecond to ten seconds: what a request can take. */
static const double usual_buckets[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                       0.1,    0.25,  0.5,    1,     2.5,  5,     10};

/* Every family that was registered; tv_metrics_done() takes out. */
static STAILQ_HEAD(, tv_metric) families = STAILQ_HEAD_INITIALIZER(families);

static size_t label_count(const struct tv_metric *m) {
    size_t n = 0;
    while (n < TV_ARRAY_LEN(m->labels) && m->labels[n] != NULL)
        n++;
    return n;
}

/* --- families and series --- */

void tv_metric_register(struct tv_metric *m) {
    if (m->registered)
        return;
    if (m->type == TV_HISTOGRAM && m->buckets == NULL) {
        m->buckets = usual_buckets;
        m->bucket_count = TV_ARRAY_LEN(usual_buckets);
    }
    for (size_t i = 1; i < m->bucket_count; i++)
        if (!(m->buckets[i] > m->buckets[i - 1]))
            tv_panic("%s: its buckets do not rise", m->name);
    if (m->read != NULL && (m->type == TV_HISTOGRAM || label_count(m) > 0))
        tv_panic("%s: only a value without labels can be read", m->name);
    m->registered = true;
    m->series_count = 0;
    STAILQ_INIT(&m->series);
    STAILQ_INSERT_TAIL(&families, m, link);
    if (label_count(m) == 0 && m->read == NULL)
        (void)tv_metric_single(m); /* shows 0 before anything is counted */
}

/* Backslash and newline are escaped everywhere, quotes in label values. */
static void put_escaped(struct tv_buf *b, const char *text, bool is_label) {
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            tv_buf_puts(b, "\\n");
        else if (*text == '\\' || (is_label && *text == '"'))
            tv_buf_append(b, (const char[]){'\\', *text}, 2);
        else
            tv_buf_char(b, *text);
    }
}

static struct tv_series *new_series(struct tv_metric *m, const char *labels) {
    if (m->series_count >= SERIES_MAX)
        tv_panic("%s: too many series, at {%s}", m->name, labels);
    struct tv_series *s = tv_calloc(1, sizeof(*s));
    s->metric = m;
    s->labels = tv_strdup(labels);
    if (m->type == TV_HISTOGRAM)
        s->in_bucket = tv_calloc(m->bucket_count, sizeof(*s->in_bucket));
    STAILQ_INSERT_TAIL(&m->series, s, link);
    m->series_count++;
    return s;
}

struct tv_series *tv_metric_series(struct tv_metric *m, const char *v1, const char *v2,
                                   const char *v3, const char *v4) {
    tv_metric_register(m);
    const char *const values[] = {v1, v2, v3, v4};
    struct tv_buf text = TV_BUF_INIT(LABEL_TEXT_MAX);
    tv_buf_puts(&text, "");
    for (size_t i = 0; i < TV_ARRAY_LEN(values); i++) {
        if ((values[i] == NULL) != (i >= label_count(m)))
            tv_panic("%s: it has %zu labels", m->name, label_count(m));
        if (values[i] == NULL)
            break;
        tv_buf_printf(&text, "%s%s=\"", i == 0 ? "" : ",", m->labels[i]);
        put_escaped(&text, values[i], true);
        tv_buf_char(&text, '"');
    }
    if (text.overflow)
        tv_panic("%s: its labels are too long", m->name);
    struct tv_series *s;
    STAILQ_FOREACH(s, &m->series, link) {
        if (strcmp(s->labels, text.data) == 0)
            break;
    }
    if (s == NULL)
        s = new_series(m, text.data);
    tv_buf_done(&text);
    return s;
}

struct tv_series *tv_metric_single(struct tv_metric *m) {
    return tv_metric_series(m, NULL, NULL, NULL, NULL);
}

void tv_metrics_done(void) {
    while (!STAILQ_EMPTY(&families)) {
        struct tv_metric *m = STAILQ_FIRST(&families);
        STAILQ_REMOVE_HEAD(&families, link);
        while (!STAILQ_EMPTY(&m->series)) {
            struct tv_series *s = STAILQ_FIRST(&m->series);
            STAILQ_REMOVE_HEAD(&m->series, link);
            free(s->labels);
            free(s->in_bucket);
            free(s);
        }
        m->registered = false;
        m->series_count = 0;
    }
}

/* --- counting --- */

void tv_inc(struct tv_series *s) { s->value += 1; }

void tv_add(struct tv_series *s, double v) {
    if (s->metric->type == TV_COUNTER && !(v >= 0))
        tv_panic("%s: a counter does not fall", s->metric->name);
    s->value += v;
}

void tv_set(struct tv_series *s, double v) { s->value = v; }

void tv_observe(struct tv_series *s, double v) {
    const struct tv_metric *m = s->metric;
    size_t i = 0;
    while (i < m->bucket_count && !(v <= m->buckets[i]))
        i++;
    if (i < m->bucket_count)
        s->in_bucket[i]++;
    s->count++;
    s->value += v;
}

double tv_series_value(const struct tv_series *s) {
    return s->metric->type == TV_HISTOGRAM ? (double)s->count : s->value;
}

/* --- writing --- */

/* Whole numbers as such, others with as few digits as read back to the same number. */
static void put_number(struct tv_buf *b, double v) {
    const double exact_below = 9007199254740992.0; /* 2^53 */
    char text[40];
    if (isnan(v)) {
        tv_buf_puts(b, "NaN");
    } else if (isinf(v)) {
        tv_buf_puts(b, v > 0 ? "+Inf" : "-Inf");
    } else if (fabs(v) < exact_below && (double)(long long)v == v) {
        tv_buf_printf(b, "%lld", (long long)v);
    } else {
        for (int digits = 15; digits <= 17; digits++) {
            (void)snprintf(text, sizeof(text), "%.*g", digits, v);
            double back = strtod(text, NULL);
            if (memcmp(&back, &v, sizeof(v)) == 0)
                break;
        }
        tv_buf_puts(b, text);
    }
}

/* One line: the name and its suffix, labels with perhaps an upper bound, the number. */
static void put_line(struct tv_buf *b, const char *name, const char *suffix, const char *labels,
                     const double *bound, double v) {
    tv_buf_puts(b, name);
    tv_buf_puts(b, suffix);
    if (labels[0] != '\0' || bound != NULL) {
        tv_buf_char(b, '{');
        tv_buf_puts(b, labels);
        if (bound != NULL) {
            tv_buf_puts(b, labels[0] != '\0' ? ",le=\"" : "le=\"");
            put_number(b, *bound);
            tv_buf_char(b, '"');
        }
        tv_buf_char(b, '}');
    }
    tv_buf_char(b, ' ');
    put_number(b, v);
    tv_buf_char(b, '\n');
}

static void put_head(struct tv_buf *b, const char *name, const char *help, const char *type) {
    tv_buf_printf(b, "# HELP %s ", name);
    put_escaped(b, help, false);
    tv_buf_printf(b, "\n# TYPE %s %s\n", name, type);
}

static void put_histogram(struct tv_buf *b, const struct tv_metric *m, const struct tv_series *s) {
    const double infinity = HUGE_VAL;
    uint64_t so_far = 0;
    for (size_t i = 0; i < m->bucket_count; i++) {
        so_far += s->in_bucket[i];
        put_line(b, m->name, "_bucket", s->labels, &m->buckets[i], (double)so_far);
    }
    put_line(b, m->name, "_bucket", s->labels, &infinity, (double)s->count);
    put_line(b, m->name, "_sum", s->labels, NULL, s->value);
    put_line(b, m->name, "_count", s->labels, NULL, (double)s->count);
}

static void put_family(struct tv_buf *b, const struct tv_metric *m) {
    static const char *const types[] = {
        [TV_COUNTER] = "counter", [TV_GAUGE] = "gauge", [TV_HISTOGRAM] = "histogram"};
    put_head(b, m->name, m->help, types[m->type]);
    if (m->read != NULL)
        put_line(b, m->name, "", "", NULL, m->read(m->read_ctx));
    const struct tv_series *s;
    STAILQ_FOREACH(s, &m->series, link) {
        if (m->type == TV_HISTOGRAM)
            put_histogram(b, m, s);
        else
            put_line(b, m->name, "", s->labels, NULL, s->value);
    }
}

/* --- the process --- */

/* Reads a small file of /proc as text; false when it is not there. */
static bool read_proc(const char *path, char *out, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, out, size - 1);
    (void)close(fd);
    if (n <= 0)
        return false;
    out[n] = '\0';
    return true;
}

/* The word with this number, from 0, of a text with one space between words. */
static bool word_number(const char *text, int which, double *ret) {
    struct tv_str rest = tv_str(text), word = {NULL, 0};
    for (int i = 0; i <= which; i++)
        word = tv_str_cut(&rest, ' ');
    uint64_t number;
    if (!tv_str_to_u64(word, 0, UINT64_MAX, &number))
        return false;
    *ret = (double)number;
    return true;
}

static double seconds_of(clockid_t id) {
    struct timespec t = {0};
    (void)clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool cpu_seconds(double *ret) {
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) != 0)
        return false;
    *ret = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    return true;
}

static bool resident_bytes(double *ret) {
    char text[256];
    double pages;
    if (!read_proc("/proc/self/statm", text, sizeof(text)) || !word_number(text, 1, &pages))
        return false;
    *ret = pages * (double)sysconf(_SC_PAGESIZE);
    return true;
}

static bool open_fds(double *ret) {
    DIR *d = opendir("/proc/self/fd");
    if (d == NULL)
        return false;
    int count = -1; /* the one that looks */
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        count += e->d_name[0] != '.';
    (void)closedir(d);
    *ret = count;
    return true;
}

static bool max_fds(double *ret) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    *ret = limit.rlim_cur == RLIM_INFINITY ? HUGE_VAL : (double)limit.rlim_cur;
    return true;
}

/* Asked once: the difference of two clocks would make it tremble from scrape to scrape. */
static bool start_time(double *ret) {
    static double start;
    char text[1024];
    double ticks;
    if (start <= 0) {
        if (!read_proc("/proc/self/stat", text, sizeof(text)))
            return false;
        /* Field 22; field 2 is the program's name in brackets and may hold anything. */
        const char *after_name = strrchr(text, ')');
        if (after_name == NULL || !word_number(after_name, 20, &ticks))
            return false;
        start = seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME) +
                ticks / (double)sysconf(_SC_CLK_TCK);
    }
    *ret = start;
    return true;
}

static const struct process_metric {
    const char *name, *help, *type;
    bool (*read)(double *ret);
} process_metrics[] = {
    {"process_cpu_seconds_total", "User and system time spent.", "counter", cpu_seconds},
    {"process_resident_memory_bytes", "Memory in use.", "gauge", resident_bytes},
    {"process_open_fds", "Open file descriptors.", "gauge", open_fds},
    {"process_max_fds", "How many file descriptors may be open.", "gauge", max_fds},
    {"process_start_time_seconds", "When the process started, since 1970.", "gauge", start_time},
};

void tv_metrics_write(struct tv_buf *out) {
    const struct tv_metric *m;
    STAILQ_FOREACH(m, &families, link) {
        put_family(out, m);
    }
    for (size_t i = 0; i < TV_ARRAY_LEN(process_metrics); i++) {
        const struct process_metric *p = &process_metrics[i];
        double v;
        if (!p->read(&v))
            continue;
        put_head(out, p->name, p->help, p->type);
        put_line(out, p->name, "", "", NULL, v);
    }
}
