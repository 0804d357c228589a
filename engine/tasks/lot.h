/* SPDX-License-Identifier: MIT
 *
 * tasks/lot.h - a parking lot: threads wait for "the thing at this address" and are woken by it.
 *
 * The thing keeps a flag "somebody waits" in its own atomic word. A waiter enters the lot, sets
 * the flag, looks again, sleeps; who completes the thing changes the word and, if the flag was
 * set, wakes the address. The address is a key only and never followed: the thing may be gone.
 */
#ifndef CNS_TASKS_LOT_H
#define CNS_TASKS_LOT_H

#include "tasks/idle.h"

enum { CNS_LOT_BUCKETS = 64 };

typedef struct cns_lot_waiter {
    const void *key;
    cns_parker *parker;
    struct cns_lot_waiter *next;
} cns_lot_waiter;

typedef struct cns_lot_bucket {
    _Alignas(64) cns_mutex mutex;
    cns_condition condition;
    cns_lot_waiter *waiters;
} cns_lot_bucket;

typedef struct cns_lot {
    cns_lot_bucket buckets[CNS_LOT_BUCKETS];
} cns_lot;

bool cns_lot_init(cns_lot *lot);
void cns_lot_deinit(cns_lot *lot);

/* Between enter and leave, waking the key unparks the waiter's parker. */
void cns_lot_enter(cns_lot *lot, cns_lot_waiter *waiter);
void cns_lot_leave(cns_lot *lot, cns_lot_waiter *waiter);
/* For threads without a parker: sleeps until `over(key)` or the deadline (0: none). */
void cns_lot_sleep(cns_lot *lot, const void *key, bool (*over)(const void *key), uint64_t deadline);
void cns_lot_wake(cns_lot *lot, const void *key);

#endif
