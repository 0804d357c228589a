/* SPDX-License-Identifier: MIT
 *
 * tasks/atomics.h - the atomic operations and locks of the deque and of the sleep protocol, as
 * macros, so that tests/unit/test_deque_model.c can run the very same code under a scheduler that
 * explores every interleaving. Orders are given by name: relaxed, acquire, release, seq_cst.
 *
 * There are no fences here: ThreadSanitizer does not understand them, and on today's machines a
 * seq_cst store costs what a relaxed one with a fence does.
 */
#ifndef CNS_TASKS_ATOMICS_H
#define CNS_TASKS_ATOMICS_H

#include <stdatomic.h>

#include "base/os.h"

#define CNS_ATOMIC(type) _Atomic(type)
#define CNS_LOAD(object, order) atomic_load_explicit(object, memory_order_##order)
#define CNS_STORE(object, value, order) atomic_store_explicit(object, value, memory_order_##order)
#define CNS_ADD(object, value, order) atomic_fetch_add_explicit(object, value, memory_order_##order)
#define CNS_SUB(object, value, order) atomic_fetch_sub_explicit(object, value, memory_order_##order)
#define CNS_OR(object, value, order) atomic_fetch_or_explicit(object, value, memory_order_##order)
#define CNS_EXCHANGE(object, value, order)                                                         \
    atomic_exchange_explicit(object, value, memory_order_##order)
/* Strong; a failure reads with relaxed order. */
#define CNS_CAS(object, expected, desired, order)                                                  \
    atomic_compare_exchange_strong_explicit(object, expected, desired, memory_order_##order,       \
                                            memory_order_relaxed)

#define CNS_LOCK(mutex) cns_mutex_lock(mutex)
#define CNS_UNLOCK(mutex) cns_mutex_unlock(mutex)

#endif
