/* SPDX-License-Identifier: MIT
 *
 * solver/heap.c - see heap.h.
 */
#include "solver/heap.h"

static void put(cns_heap *heap, uint32_t index, uint32_t number) {
    heap->data[index] = number;
    heap->place[number] = index + 1;
}

static void up(cns_heap *heap, const double *activity, uint32_t index) {
    uint32_t number = heap->data[index];
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (activity[heap->data[parent]] >= activity[number]) {
            break;
        }
        put(heap, index, heap->data[parent]);
        index = parent;
    }
    put(heap, index, number);
}

static void down(cns_heap *heap, const double *activity, uint32_t index) {
    uint32_t number = heap->data[index];
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count &&
            activity[heap->data[child + 1]] > activity[heap->data[child]]) {
            child++;
        }
        if (activity[heap->data[child]] <= activity[number]) {
            break;
        }
        put(heap, index, heap->data[child]);
        index = child;
    }
    put(heap, index, number);
}

void cns_heap_insert(cns_heap *heap, const double *activity, uint32_t number) {
    if (heap->place[number] != 0) {
        return;
    }
    put(heap, heap->count, number);
    up(heap, activity, heap->count++);
}

uint32_t cns_heap_pop(cns_heap *heap, const double *activity) {
    uint32_t top = heap->data[0];
    uint32_t moved = heap->data[--heap->count];
    heap->place[top] = 0;
    if (heap->count > 0) {
        put(heap, 0, moved);
        down(heap, activity, 0);
    }
    return top;
}

void cns_heap_rise(cns_heap *heap, const double *activity, uint32_t number) {
    up(heap, activity, heap->place[number] - 1);
}

void cns_heap_rebuild(cns_heap *heap, const double *activity) {
    for (uint32_t i = heap->count / 2; i-- > 0;) {
        down(heap, activity, i);
    }
}
