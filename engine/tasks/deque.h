/* SPDX-License-Identifier: MIT
 *
 * tasks/deque.h - the work-stealing deque: one owner pushes and pops at the bottom, any number of
 * thieves steal at the top.
 *
 * Chase, Lev, "Dynamic circular work-stealing deque" (2005), in the C11 form of Le, Pop, Cohen,
 * Zappa Nardelli (2013) with seq_cst accesses in the place of fences. Positions only grow, so
 * there is no ABA; rings that were outgrown live until deinit, since thieves may still read them.
 * Model-checked by tests/unit/test_deque_model.c.
 */
#ifndef CNS_TASKS_DEQUE_H
#define CNS_TASKS_DEQUE_H

#include "base/context.h"
#include "tasks/atomics.h"

typedef struct cns_ring cns_ring;

typedef struct cns_deque {
    _Alignas(64) CNS_ATOMIC(int64_t) top; /* thieves' line */
    _Alignas(64) CNS_ATOMIC(int64_t) bottom;
    CNS_ATOMIC(cns_ring *) ring;
    cns_context *context;
} cns_deque;

/* `capacity`: a power of two. false: out of memory. */
bool cns_deque_init(cns_deque *deque, cns_context *context, int64_t capacity);
/* requires: no other thread uses the deque any more. */
void cns_deque_deinit(cns_deque *deque);

/* false: the ring is full and could not grow; the deque is as before. */
bool cns_deque_push_owner(cns_deque *deque, void *item);
/* The item pushed last, if its position is at least `floor`; else NULL. */
void *cns_deque_pop_owner(cns_deque *deque, int64_t floor);
/* What pop would give, left in place: a thief may take it at any time. */
void *cns_deque_peek_owner(cns_deque *deque, int64_t floor);
/* The position the next push gets. */
int64_t cns_deque_position_owner(const cns_deque *deque);

/* The oldest item, if its position is at least `floor`; NULL when there is none or another thread
 * was quicker (`*lost` is then true: there may be more). */
void *cns_deque_steal_thief(cns_deque *deque, int64_t floor, bool *lost);
/* A guess from any thread. */
bool cns_deque_seems_empty(const cns_deque *deque);

#endif
