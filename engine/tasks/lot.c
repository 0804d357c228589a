/* SPDX-License-Identifier: MIT
 *
 * tasks/lot.c - see lot.h.
 */
#include "tasks/lot.h"

static cns_lot_bucket *bucket_of(cns_lot *lot, const void *key) {
    uint64_t hash = (uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15);
    return &lot->buckets[hash >> 58];
}
_Static_assert(CNS_LOT_BUCKETS == 64, "bucket_of takes six bits");

static void deinit_buckets(cns_lot *lot, int count) {
    for (int i = 0; i < count; i++) {
        cns_condition_deinit(&lot->buckets[i].condition);
        cns_mutex_deinit(&lot->buckets[i].mutex);
    }
}

bool cns_lot_init(cns_lot *lot) {
    for (int i = 0; i < CNS_LOT_BUCKETS; i++) {
        cns_lot_bucket *bucket = &lot->buckets[i];
        bucket->waiters = NULL;
        if (cns_mutex_init(&bucket->mutex) != 0) {
            deinit_buckets(lot, i);
            return false;
        }
        if (cns_condition_init(&bucket->condition) != 0) {
            cns_mutex_deinit(&bucket->mutex);
            deinit_buckets(lot, i);
            return false;
        }
    }
    return true;
}

void cns_lot_deinit(cns_lot *lot) {
    deinit_buckets(lot, CNS_LOT_BUCKETS);
}

void cns_lot_enter(cns_lot *lot, cns_lot_waiter *waiter) {
    cns_lot_bucket *bucket = bucket_of(lot, waiter->key);
    cns_mutex_lock(&bucket->mutex);
    waiter->next = bucket->waiters;
    bucket->waiters = waiter;
    cns_mutex_unlock(&bucket->mutex);
}

void cns_lot_leave(cns_lot *lot, cns_lot_waiter *waiter) {
    cns_lot_bucket *bucket = bucket_of(lot, waiter->key);
    cns_mutex_lock(&bucket->mutex);
    cns_lot_waiter **link = &bucket->waiters;
    while (*link != waiter) {
        link = &(*link)->next;
    }
    *link = waiter->next;
    cns_mutex_unlock(&bucket->mutex);
}

void cns_lot_sleep(cns_lot *lot, const void *key, bool (*over)(const void *key),
                   uint64_t deadline) {
    cns_lot_bucket *bucket = bucket_of(lot, key);
    cns_mutex_lock(&bucket->mutex);
    bool in_time = true;
    while (in_time && !over(key)) {
        if (deadline) {
            in_time = cns_condition_wait_until(&bucket->condition, &bucket->mutex, deadline);
        } else {
            cns_condition_wait(&bucket->condition, &bucket->mutex);
        }
    }
    cns_mutex_unlock(&bucket->mutex);
}

void cns_lot_wake(cns_lot *lot, const void *key) {
    cns_lot_bucket *bucket = bucket_of(lot, key);
    cns_mutex_lock(&bucket->mutex);
    /* Unparked under the lock: a waiter that has left may be gone. */
    for (cns_lot_waiter *waiter = bucket->waiters; waiter; waiter = waiter->next) {
        if (waiter->key == key) {
            cns_parker_unpark(waiter->parker);
        }
    }
    cns_condition_broadcast(&bucket->condition);
    cns_mutex_unlock(&bucket->mutex);
}
