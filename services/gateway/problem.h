/* problem.h - an error as the client sees it: RFC 9457 problem details. */
#ifndef TV_PROBLEM_H
#define TV_PROBLEM_H

#include "lib/err.h"
#include "lib/httpd.h"

struct flight;

/* Answers the flight with the error, and counts it as answered. */
void tv_problem_answer(struct flight *f, const struct tv_error *e);
/* The same in one line. */
void tv_problem_answerf(struct flight *f, enum tv_err err, const char *fmt, ...) TV_PRINTF(3, 4);

#endif
