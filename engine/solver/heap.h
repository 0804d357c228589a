/* SPDX-License-Identifier: MIT
 *
 * solver/heap.h - a binary heap of numbers, the one of highest activity on top.
 *
 * Activities live with their owner, who says when one has changed.
 */
#ifndef CNS_SOLVER_HEAP_H
#define CNS_SOLVER_HEAP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct cns_heap {
    uint32_t *data;
    uint32_t *place; /* by number: 1 + its index in data; 0: not in the heap */
    uint32_t count;
} cns_heap;

static inline bool cns_heap_has(const cns_heap *heap, uint32_t number) {
    return heap->place[number] != 0;
}

/* requires: room for it in both arrays. Does nothing when it is in. */
void cns_heap_insert(cns_heap *heap, const double *activity, uint32_t number);
/* Takes the top out. requires: not empty. */
uint32_t cns_heap_pop(cns_heap *heap, const double *activity);
/* The activity of a number in the heap has risen. */
void cns_heap_rise(cns_heap *heap, const double *activity, uint32_t number);
/* Orders all anew after any change of activities. */
void cns_heap_rebuild(cns_heap *heap, const double *activity);

#endif
