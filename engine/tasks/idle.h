/* SPDX-License-Identifier: MIT
 *
 * tasks/idle.h - how threads without work sleep and how new work wakes them: an eventcount.
 *
 * A sleeper announces itself, looks for work once more, then parks. Whoever publishes work does so
 * with a seq_cst store and then reads `sleeping`: one of the two always sees the other. Waking is
 * bounded: while one woken worker is still searching, no other is woken; the searcher that finds
 * work wakes the next. Helpers (waiting outside threads) are woken only when no worker sleeps.
 * Model-checked by tests/unit/test_deque_model.c.
 */
#ifndef CNS_TASKS_IDLE_H
#define CNS_TASKS_IDLE_H

#include "tasks/atomics.h"

/* One thread's bed. Unpark leaves a token, so it may come before park. */
typedef struct cns_parker {
    cns_mutex mutex;
    cns_condition condition;
    bool token;
} cns_parker;

bool cns_parker_init(cns_parker *parker);
void cns_parker_deinit(cns_parker *parker);
void cns_parker_park(cns_parker *parker);
void cns_parker_unpark(cns_parker *parker);

typedef struct cns_sleeper {
    cns_parker parker;
    struct cns_sleeper *next, *previous; /* under the lock of cns_idle */
    bool listed;
    bool helper;
} cns_sleeper;

typedef struct cns_idle {
    _Alignas(64) CNS_ATOMIC(uint32_t) sleeping; /* listed workers */
    CNS_ATOMIC(uint32_t) helpers;               /* listed helpers */
    CNS_ATOMIC(uint32_t) searching;             /* workers looking for work */
    uint32_t searching_limit;
    _Alignas(64) cns_mutex lock;
    cns_sleeper workers_list; /* heads of rings */
    cns_sleeper helpers_list;
} cns_idle;

bool cns_idle_init(cns_idle *idle, uint32_t searching_limit);
void cns_idle_deinit(cns_idle *idle);

/* To be called behind every publication of work, made with a seq_cst store or under a lock that
 * sleepers take when they look again. `worker_only`: helpers cannot do it. */
static inline void cns_idle_notify(cns_idle *idle, bool worker_only);
void cns_idle_wake_one(cns_idle *idle, bool worker_only);
void cns_idle_wake_all(cns_idle *idle);

/* true when the worker may search; every true is followed by one end_search. */
bool cns_idle_begin_search(cns_idle *idle);
/* `found`: passes the search on to another sleeper. */
void cns_idle_end_search(cns_idle *idle, bool found);

/* The sleeper's steps: announce; look for work; then either park or withdraw. Both return with the
 * sleeper unlisted. Park may return for no reason. A worker that was woken by work is searching
 * when they return true. */
void cns_idle_announce(cns_idle *idle, cns_sleeper *sleeper);
bool cns_idle_park(cns_idle *idle, cns_sleeper *sleeper);
bool cns_idle_withdraw(cns_idle *idle, cns_sleeper *sleeper);

/* A worker that has run out of work. */
typedef struct cns_idle_client {
    cns_sleeper *sleeper;
    void *(*find)(void *user); /* looks everywhere once */
    bool (*closing)(void *user);
    void (*slept)(void *user); /* told of each sleep; may be NULL */
    void *user;
    uint32_t rounds; /* looks while searching */
} cns_idle_client;

/* The next work, after searching and sleeping; NULL when closing and there is none. */
void *cns_idle_next(cns_idle *idle, const cns_idle_client *client);

static inline void cns_idle_notify(cns_idle *idle, bool worker_only) {
    if (CNS_LOAD(&idle->sleeping, seq_cst) != 0) {
        if (CNS_LOAD(&idle->searching, seq_cst) == 0) {
            cns_idle_wake_one(idle, worker_only);
        }
    } else if (!worker_only && CNS_LOAD(&idle->helpers, seq_cst) != 0) {
        cns_idle_wake_one(idle, worker_only);
    }
}

#endif
