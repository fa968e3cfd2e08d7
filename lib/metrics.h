/* metrics.h - counters, gauges and histograms, written as Prometheus text (format 0.0.4).
 *
 * A family is a static object beside the code that counts. A series is looked up once, at start
 * or at registration, and then counting is one addition. Everything belongs to the loop's thread.
 * Labels are codes, route templates, statement names: never ids, people or clinics, so the number
 * of series is fixed (at most 4 labels, at most 512 series a family; more is a panic).
 */
#ifndef TV_METRICS_H
#define TV_METRICS_H

#include "base.h"
#include "str.h"

enum tv_metric_type { TV_COUNTER, TV_GAUGE, TV_HISTOGRAM };

struct tv_series; /* private but for tv_inc and friends */

struct tv_metric {
    const char *name; /* tv_..._total, _seconds, _bytes */
    const char *help;
    enum tv_metric_type type;
    const char *labels[4]; /* names, NULL-ended when fewer */
    const double *buckets; /* HISTOGRAM: rising upper bounds without +Inf; NULL: the usual */
    size_t bucket_count;
    /* A gauge may be read instead of set: asked at each scrape. */
    double (*read)(void *ctx);
    void *read_ctx;
    /* private */
    bool registered;
    STAILQ_ENTRY(tv_metric) link;
    STAILQ_HEAD(, tv_series) series;
    size_t series_count;
};

/* Adds a family to what tv_metrics_write() writes; doing it again changes nothing. */
void tv_metric_register(struct tv_metric *m);
/* The series with these label values (copied), made at 0 when it is new. Registers the family. */
struct tv_series *tv_metric_series(struct tv_metric *m, const char *v1, const char *v2,
                                   const char *v3, const char *v4);
/* The only series of a family without labels. */
struct tv_series *tv_metric_single(struct tv_metric *m);

void tv_inc(struct tv_series *s);
void tv_add(struct tv_series *s, double v);        /* counter: v >= 0 */
void tv_set(struct tv_series *s, double v);        /* gauge */
void tv_observe(struct tv_series *s, double v);    /* histogram */
double tv_series_value(const struct tv_series *s); /* counter, gauge: value; histogram: count */

/* Writes all families: # HELP, # TYPE, series; also the process_* ones (cpu, rss, fds, start). */
void tv_metrics_write(struct tv_buf *out);
/* Frees all series and forgets all families; for tests and the end of a process. */
void tv_metrics_done(void);

#endif
