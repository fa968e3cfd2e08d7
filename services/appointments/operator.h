/* operator.h - what is done from a shell, for nobody has an account yet who could do it in the app:
 *
 *   appointments add-clinic --slug north --name "North Clinic" --time-zone Europe/Berlin
 *   appointments add-person --clinic north --role admin --name Ada --email ada@north.example < file
 *
 * Each command is one statement (sql/operator_*.sql), so it does all of it or nothing; the rules
 * stand there. Exit status: 0 and a line that says what was made; 1 refused, with the option at
 * fault; 2 wrong use.
 */
#ifndef APPOINTMENTS_OPERATOR_H
#define APPOINTMENTS_OPERATOR_H

#include <stdio.h>

#include "services/appointments/app.h"

/* argv[0] is the command's name. The arguments are those of struct tv_service_command. */
int operator_run(const void *conf, int argc, char **argv);

/* True when the program was started as `appointments COMMAND --help`; then it is printed. */
bool operator_help(int argc, char **argv);

/* Reads a password, one line, and hashes it as `conf` says. NULL, or what is wrong with it. */
TV_MUST_CHECK const char *operator_hash_password(const struct app_conf *conf, FILE *from,
                                                 size_t bytes_min,
                                                 char ret[static TV_PASSWORD_HASH_MAX]);

#endif
