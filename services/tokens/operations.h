/* operations.h - the operations of the service, each in the file of its kind. Private to tokens. */
#ifndef TV_TOKENS_OPERATIONS_H
#define TV_TOKENS_OPERATIONS_H

#include "lib/rpc.h"
#include "services/tokens/tokens.h"

tv_rpc_handler tokens_issue;                                 /* issue.c */
tv_rpc_handler tokens_close_room, tokens_make_room;          /* change.c */
tv_rpc_handler tokens_look, tokens_list_rooms, tokens_probe; /* look.c */
tv_rpc_handler tokens_read_webhook;                          /* hook.c */

/* Whether it can be the name of a room; when not, the call is answered. */
TV_MUST_CHECK bool tokens_is_room(struct tv_call *call, const char *name);

/* MakeRoom makes so many rooms at a time; more wait their turn, so that a thousand of them hold up
 * no join (change.c). */
#define TOKENS_MAKING_MAX 8

#endif
