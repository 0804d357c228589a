/* SPDX-License-Identifier: MIT
 *
 * watch.h - whether a long call into the engine should end: the host's stop, the token of the task
 * that the call is made in, Ctrl-C under the stock interpreter.
 */
#ifndef LCNS_WATCH_H
#define LCNS_WATCH_H

#include <threads.h>

#include "tasks.h"

/* Without a host, the hook is how the stock interpreter notes Ctrl-C; it is looked at on the
 * calling thread only. */
typedef struct lcns_watch {
    const lcns_host *host;
    const lcns_task *task; /* or NULL */
    lua_State *main;       /* where a hook would be set */
    lua_Hook hook;         /* the one there was when the call began */
    thrd_t thread;
} lcns_watch;

/* The watch over a call from `L`. `main` is L's main thread. */
lcns_watch lcns_watch_begin(const lcns_shared *shared, lua_State *main, const lcns_seat *seat);
/* CNS_OK, or why the call should end. Any thread. */
cns_status lcns_watch_poll(const lcns_watch *watch);

#endif
