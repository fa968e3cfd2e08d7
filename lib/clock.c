/* clock.c - see clock.h. Civil dates are computed here: libc's would consult locale and zone. */
#include "lib/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static int64_t (*_Atomic source)(void);

static int64_t read_clock(clockid_t id) {
    int64_t (*fn)(void) = atomic_load_explicit(&source, memory_order_relaxed);
    if (fn != NULL)
        return fn();
    struct timespec t;
    if (clock_gettime(id, &t) != 0)
        tv_panic("no clock %d", (int)id);
    return (int64_t)t.tv_sec * TV_US_PER_S + t.tv_nsec / 1000;
}

int64_t tv_clock_mono_us(void) { return read_clock(CLOCK_MONOTONIC); }
int64_t tv_clock_wall_us(void) { return read_clock(CLOCK_REALTIME); }

void tv_clock_set_source(int64_t (*fn)(void)) {
    atomic_store_explicit(&source, fn, memory_order_relaxed);
}

/* --- the calendar --- */

#define DAY_S INT64_C(86400)
#define DAYS_PER_ERA 146097 /* 400 years */
#define EPOCH_DAYS 719468   /* from 0000-03-01 to 1970-01-01 */

struct civil {
    int64_t year;
    int64_t month; /* 1 to 12 */
    int64_t day;   /* 1 to 31 */
};

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* Days since 1970-01-01. Years are counted from March, so that a leap day is a year's last. */
static int64_t days_from_civil(struct civil c) {
    int64_t year = c.year - (c.month <= 2);
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t month_from_march = (c.month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + c.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - EPOCH_DAYS;
}

static struct civil civil_from_days(int64_t days) {
    days += EPOCH_DAYS;
    int64_t era = floor_div(days, DAYS_PER_ERA);
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    struct civil c = {
        .day = day_of_year - (153 * month_from_march + 2) / 5 + 1,
        .month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9,
    };
    c.year = year_of_era + era * 400 + (c.month <= 2);
    return c;
}

static int64_t days_in_month(int64_t year, int64_t month) {
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* --- text --- */

/* Takes `digits` digits, a number within [min, max], from the front of `s`. */
static bool take_number(struct tv_str *s, size_t digits, int64_t min, int64_t max, int64_t *ret) {
    if (s->len < digits || !tv_str_to_i64((struct tv_str){s->p, digits}, min, max, ret))
        return false;
    *s = (struct tv_str){s->p + digits, s->len - digits};
    return true;
}

/* Takes one of the characters in `set`; 0 when the next is none of them. */
static char take_char(struct tv_str *s, const char *set) {
    if (s->len == 0 || s->p[0] == '\0' || strchr(set, s->p[0]) == NULL)
        return '\0';
    char c = s->p[0];
    *s = (struct tv_str){s->p + 1, s->len - 1};
    return c;
}

/* Takes "", or a point and 1 to 9 digits; what is finer than a microsecond is cut off. */
static bool take_fraction(struct tv_str *s, int64_t *ret_us) {
    int64_t us = 0, weight = TV_US_PER_S / 10;
    size_t digits = 0;
    if (take_char(s, ".") != '\0') {
        for (char c; (c = take_char(s, "0123456789")) != '\0'; digits++, weight /= 10)
            us += (c - '0') * weight;
        if (digits == 0 || digits > 9)
            return false;
    }
    *ret_us = us;
    return true;
}

/* Takes Z or the distance from UTC, in seconds. */
static bool take_offset(struct tv_str *s, int64_t *ret_s) {
    char sign = take_char(s, "Zz+-");
    int64_t hours = 0, minutes = 0;
    if (sign == '\0')
        return false;
    if ((sign == '+' || sign == '-') &&
        (!take_number(s, 2, 0, 23, &hours) || take_char(s, ":") == '\0' ||
         !take_number(s, 2, 0, 59, &minutes)))
        return false;
    int64_t distance_s = hours * 3600 + minutes * 60;
    *ret_s = sign == '-' ? -distance_s : distance_s;
    return true;
}

bool tv_time_parse(struct tv_str s, int64_t *ret_us) {
    struct civil c;
    int64_t hour, minute, second, fraction_us, offset_s;
    if (!take_number(&s, 4, 1, 9999, &c.year) || take_char(&s, "-") == '\0' ||
        !take_number(&s, 2, 1, 12, &c.month) || take_char(&s, "-") == '\0' ||
        !take_number(&s, 2, 1, days_in_month(c.year, c.month), &c.day) ||
        take_char(&s, "Tt") == '\0' || !take_number(&s, 2, 0, 23, &hour) ||
        take_char(&s, ":") == '\0' || !take_number(&s, 2, 0, 59, &minute) ||
        take_char(&s, ":") == '\0' || !take_number(&s, 2, 0, 59, &second) ||
        !take_fraction(&s, &fraction_us) || !take_offset(&s, &offset_s) || s.len != 0)
        return false;
    int64_t seconds = days_from_civil(c) * DAY_S + hour * 3600 + minute * 60 + second - offset_s;
    /* The offset may lead out of the years that can be written. */
    if (seconds < days_from_civil((struct civil){1, 1, 1}) * DAY_S ||
        seconds >= days_from_civil((struct civil){10000, 1, 1}) * DAY_S)
        return false;
    *ret_us = seconds * TV_US_PER_S + fraction_us;
    return true;
}

size_t tv_time_format(int64_t us, char out[static TV_TIME_TEXT_MAX]) {
    int64_t seconds = floor_div(us, TV_US_PER_S);
    int fraction_us = (int)((us % TV_US_PER_S + TV_US_PER_S) % TV_US_PER_S);
    int64_t days = floor_div(seconds, DAY_S);
    int second = (int)(seconds - days * DAY_S);
    struct civil c = civil_from_days(days);
    char fraction[16] = "";
    if (fraction_us % 1000 != 0)
        (void)snprintf(fraction, sizeof(fraction), ".%06d", fraction_us);
    else if (fraction_us != 0)
        (void)snprintf(fraction, sizeof(fraction), ".%03d", fraction_us / 1000);
    int len =
        snprintf(out, TV_TIME_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", (int)c.year,
                 (int)c.month, (int)c.day, second / 3600, second / 60 % 60, second % 60, fraction);
    return (size_t)len;
}
