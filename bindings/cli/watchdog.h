/* SPDX-License-Identifier: MIT
 *
 * watchdog.h - stopping a script, whatever it does: Ctrl-C, the time limit, on any thread.
 *
 * While nothing happens, nothing is paid: there is no always-on hook. To stop, a watchdog thread
 * signals every thread that runs Lua; its handler arms a hook on the state that runs there, which
 * raises an error at each further instruction, so that no pcall can swallow it. A thread that is
 * still deep inside a C function after a grace period cannot be unwound: then the watchdog calls
 * `stuck`, which writes what there is and ends the process.
 */
#ifndef CNS_CLI_WATCHDOG_H
#define CNS_CLI_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "cns/tasks.h"
#include "lua.h"

typedef enum stop_reason { STOP_NONE = 0, STOP_INTERRUPT = 1, STOP_TIME = 2 } stop_reason;

typedef struct watchdog_config {
    uint64_t time_limit_ns;                        /* 0 for none */
    cns_cancel *cancel;                            /* fires on a stop; may be NULL */
    void (*stuck)(void *user, stop_reason reason); /* on the watchdog's thread; must not return */
    void *user;
    bool patient; /* never end the process for a script that is stuck: the user is there */
} watchdog_config;

enum { WATCHDOG_GRACE_MS = 1000 }; /* from the stop to `stuck` */

/* Installs the handlers of SIGINT, SIGTERM and SIGHUP and starts the watchdog. 0 or an errno. */
int watchdog_start(const watchdog_config *config);
/* The script is over: 'stuck' will not be called any more; the reason to stop that came before,
 * if any. Waits for ever when the watchdog is already ending the process. */
stop_reason watchdog_settle(void);
/* Forgets a stop, for the next line of the repl. The script is not running. */
void watchdog_reset(void);
/* Restores the handlers and joins the watchdog. */
void watchdog_finish(void);
/* What has been asked for so far. Any thread. */
stop_reason watchdog_reason(void);
/* "interrupted", "time limit of 2 s reached". */
const char *watchdog_text(stop_reason reason);

/* Ends the process with `code` when it is still there after `seconds`; 0 calls that off. */
void watchdog_last_resort(unsigned seconds, int code);

/* This thread begins, or ceases, to run `L` (a worker's state, or the main one). They nest. */
void watchdog_enter(lua_State *L);
void watchdog_leave(void);
/* Around a coroutine's resume: the state that runs on this thread is now `L`; returns the one
 * before. */
lua_State *watchdog_switch(lua_State *L);
/* Arms the hook on `L` if the script is to stop: for states that were not running when the signal
 * came. */
void watchdog_arm(lua_State *L);
/* Raises if the script is to stop. */
void watchdog_check(lua_State *L);

#endif
