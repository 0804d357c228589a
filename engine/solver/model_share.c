/* SPDX-License-Identifier: MIT
 *
 * solver/model_share.c - see model_share.h. A table of spans by the hash of what they hold.
 */
#include "solver/model_share.h"

#include <string.h>

#include "base/bits.h"

enum { FIRST_CAPACITY = 16 };

/* Four at a time, each on its own, since a product takes a while to come. */
uint64_t cns_share_hash(const int64_t *ints, size_t count) {
    const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t h[4] = {count, 1, 2, 3};
    for (size_t k = 0; k < count; k++) {
        h[k & 3] = cns_multiply_fold64(h[k & 3] ^ (uint64_t)ints[k], factor) + 1;
    }
    return cns_multiply_fold64(h[0] ^ cns_multiply_fold64(h[1], factor),
                               h[2] ^ cns_multiply_fold64(h[3], factor) ^ factor);
}

/* The slot of these integers, or the empty one where they belong. */
static cns_shared *slot_of(const cns_model *model, cns_shared *slots, uint32_t capacity,
                           const int64_t *ints, size_t count, uint64_t hash) {
    uint32_t mask = capacity - 1;
    uint32_t k = (uint32_t)hash & mask;
    for (; slots[k].span.count != 0; k = (k + 1) & mask) {
        const cns_shared *slot = &slots[k];
        if (slot->hash == hash && slot->span.count == count &&
            memcmp(model->ints + slot->span.start, ints, count * sizeof *ints) == 0) {
            break;
        }
    }
    return &slots[k];
}

cns_model_span cns_share_find(const cns_model *model, const int64_t *ints, size_t count,
                              uint64_t hash) {
    if (model->shared_capacity == 0) {
        return (cns_model_span){0, 0};
    }
    return slot_of(model, model->shared, model->shared_capacity, ints, count, hash)->span;
}

cns_status cns_share_reserve(cns_model *model) {
    uint32_t old = model->shared_capacity;
    if (model->shared_count < old / 2) {
        return CNS_OK;
    }
    uint32_t capacity = old ? 2 * old : FIRST_CAPACITY;
    cns_shared *slots = cns_context_calloc(model->context, capacity * sizeof *slots);
    if (!slots) {
        return cns_context_memory_status(model->context, capacity * sizeof *slots);
    }
    for (uint32_t k = 0; k < old; k++) {
        const cns_shared *slot = &model->shared[k];
        if (slot->span.count != 0) {
            *slot_of(model, slots, capacity, model->ints + slot->span.start, slot->span.count,
                     slot->hash) = *slot;
        }
    }
    cns_share_deinit(model);
    model->shared = slots;
    model->shared_capacity = capacity;
    return CNS_OK;
}

void cns_share_add(cns_model *model, cns_model_span span, uint64_t hash) {
    cns_shared *slot = slot_of(model, model->shared, model->shared_capacity,
                               model->ints + span.start, span.count, hash);
    model->shared_count += slot->span.count == 0;
    *slot = (cns_shared){hash, span};
}

void cns_share_deinit(cns_model *model) {
    cns_context_free(model->context, model->shared, model->shared_capacity * sizeof *model->shared,
                     CNS_ALIGN_DEFAULT);
}
