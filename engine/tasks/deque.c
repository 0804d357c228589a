/* SPDX-License-Identifier: MIT
 *
 * tasks/deque.c - see deque.h.
 *
 * The one delicate race is over the last item: pop lowers `bottom`, then reads `top`; steal reads
 * `top`, then `bottom`. Both pairs are seq_cst, so at least one side sees the other's move, and
 * the compare-and-swap on `top` decides.
 */
#include "tasks/deque.h"

#include "base/bits.h"

struct cns_ring {
    int64_t capacity;
    cns_ring *older;
    CNS_ATOMIC(void *) items[];
};

static size_t ring_size(int64_t capacity) {
    return sizeof(cns_ring) + (size_t)capacity * sizeof(void *);
}

static CNS_ATOMIC(void *) * ring_cell(cns_ring *ring, int64_t position) {
    return &ring->items[position & (ring->capacity - 1)];
}

static cns_ring *ring_create(cns_context *context, int64_t capacity) {
    cns_ring *ring = cns_context_alloc(context, ring_size(capacity), 64);
    if (ring) {
        ring->capacity = capacity;
        ring->older = NULL;
    }
    return ring;
}

bool cns_deque_init(cns_deque *deque, cns_context *context, int64_t capacity) {
    CNS_ASSERT(capacity > 0 && cns_is_power_of_two((uint64_t)capacity));
    cns_ring *ring = ring_create(context, capacity);
    CNS_STORE(&deque->top, 0, relaxed);
    CNS_STORE(&deque->bottom, 0, relaxed);
    CNS_STORE(&deque->ring, ring, relaxed);
    deque->context = context;
    return ring != NULL;
}

void cns_deque_deinit(cns_deque *deque) {
    cns_ring *ring = CNS_LOAD(&deque->ring, relaxed);
    while (ring) {
        cns_ring *older = ring->older;
        cns_context_free(deque->context, ring, ring_size(ring->capacity), 64);
        ring = older;
    }
    CNS_STORE(&deque->ring, NULL, relaxed);
}

static cns_ring *grow_owner(cns_deque *deque, cns_ring *ring, int64_t top, int64_t bottom) {
    if (ring->capacity > INT64_MAX / 4 / (int64_t)sizeof(void *)) {
        return NULL;
    }
    cns_ring *larger = ring_create(deque->context, ring->capacity * 2);
    if (!larger) {
        return NULL;
    }
    for (int64_t i = top; i < bottom; i++) {
        CNS_STORE(ring_cell(larger, i), CNS_LOAD(ring_cell(ring, i), relaxed), relaxed);
    }
    larger->older = ring;
    CNS_STORE(&deque->ring, larger, release);
    return larger;
}

bool cns_deque_push_owner(cns_deque *deque, void *item) {
    int64_t bottom = CNS_LOAD(&deque->bottom, relaxed);
    int64_t top = CNS_LOAD(&deque->top, acquire);
    cns_ring *ring = CNS_LOAD(&deque->ring, relaxed);
    if (CNS_UNLIKELY(bottom - top >= ring->capacity)) {
        ring = grow_owner(deque, ring, top, bottom);
        if (!ring) {
            return false;
        }
    }
    CNS_STORE(ring_cell(ring, bottom), item, relaxed);
    /* seq_cst rather than release: the caller looks for sleepers right behind (tasks/idle.h). */
    CNS_STORE(&deque->bottom, bottom + 1, seq_cst);
    return true;
}

void *cns_deque_pop_owner(cns_deque *deque, int64_t floor) {
    int64_t bottom = CNS_LOAD(&deque->bottom, relaxed) - 1;
    /* Empty, seen without a write: top only grows, so this cannot be wrong. */
    if (bottom < floor || CNS_LOAD(&deque->top, relaxed) > bottom) {
        return NULL;
    }
    cns_ring *ring = CNS_LOAD(&deque->ring, relaxed);
    CNS_STORE(&deque->bottom, bottom, seq_cst);
    int64_t top = CNS_LOAD(&deque->top, seq_cst);
    if (top > bottom) {
        CNS_STORE(&deque->bottom, bottom + 1, relaxed);
        return NULL;
    }
    void *item = CNS_LOAD(ring_cell(ring, bottom), relaxed);
    if (top == bottom) {
        if (!CNS_CAS(&deque->top, &top, top + 1, seq_cst)) {
            item = NULL;
        }
        CNS_STORE(&deque->bottom, bottom + 1, relaxed);
    }
    return item;
}

void *cns_deque_peek_owner(cns_deque *deque, int64_t floor) {
    int64_t bottom = CNS_LOAD(&deque->bottom, relaxed) - 1;
    if (bottom < floor || CNS_LOAD(&deque->top, relaxed) > bottom) {
        return NULL;
    }
    return CNS_LOAD(ring_cell(CNS_LOAD(&deque->ring, relaxed), bottom), relaxed);
}

int64_t cns_deque_position_owner(const cns_deque *deque) {
    return CNS_LOAD(&deque->bottom, relaxed);
}

void *cns_deque_steal_thief(cns_deque *deque, int64_t floor, bool *lost) {
    *lost = false;
    int64_t top = CNS_LOAD(&deque->top, seq_cst);
    int64_t bottom = CNS_LOAD(&deque->bottom, seq_cst);
    if (top >= bottom || top < floor) {
        return NULL;
    }
    cns_ring *ring = CNS_LOAD(&deque->ring, acquire);
    void *item = CNS_LOAD(ring_cell(ring, top), relaxed);
    if (!CNS_CAS(&deque->top, &top, top + 1, seq_cst)) {
        *lost = true;
        return NULL;
    }
    return item;
}

bool cns_deque_seems_empty(const cns_deque *deque) {
    return CNS_LOAD(&deque->top, relaxed) >= CNS_LOAD(&deque->bottom, relaxed);
}
