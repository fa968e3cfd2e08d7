/* book.h - the call record of one appointment, out of the database and back.
 *
 * A book is read whole (sql/parts/call_book.sql), an observation is folded into its history
 * (history.h), news.h says what follows from it, and the change is written while what was read
 * still holds (sql/calls_write.sql).
 */
#ifndef APPOINTMENTS_BOOK_H
#define APPOINTMENTS_BOOK_H

#include "lib/pg.h"
#include "services/appointments/history.h"
#include "services/appointments/status.h"
#include "televisit/v1/book.pb-c.h"

/* Who takes part; times as they were stored, 0: none. */
struct book_person {
    const char *id; /* identity in the room */
    const char *person_id;
    enum tv_participant type;
    int64_t in_since_us, left_us, media_missed_us;
};

/* What people were told before. */
struct book_told {
    const char *type;
    int32_t nth;
    const char *actor_id; /* "": time itself */
    int64_t us;
};

struct book {
    const char *clinic_id, *appointment_id;
    int32_t version, generation, call_rev;
    enum tv_status status;
    int64_t opens_us, now_us; /* the database's clock */
    bool closed;              /* the window has closed */
    bool recorded;            /* the event that was asked for is in it already */
    struct book_person *people;
    size_t people_count;
    struct book_told *told;
    size_t told_count;
    struct tv_history history;
};

/* The book of the first row; TV_ERR_INTERNAL when it is none. All of it lives in the arena. */
TV_MUST_CHECK enum tv_err book_read(const struct tv_pg_result *r, struct tv_arena *a,
                                    struct book *ret, struct tv_error *e);

/* People are in the call's room of this generation rightly: the appointment is confirmed, its
 * window is open, and no later room has taken this one's place. */
bool book_is_open(const struct book *b, int32_t generation);

enum tv_side book_side(enum tv_participant type);
/* A tv_history_side; `ctx` is the book. */
tv_history_side book_side_of;

/* Adds the calls that have changed since the book was read, and their presences. */
void book_add_changes(const struct book *b, struct tv_arena *a, Televisit__V1__BookChange *to);

#endif
