/* SPDX-License-Identifier: MIT
 *
 * solver/globals/block.c - see block.h.
 */
#include "solver/globals/block.h"

#include "solver/trail.h"

#include <stdlib.h>

enum {
    GAP_MAX = 16,   /* values between two, up to which each is removed */
    LARGE = 1 << 20 /* bytes that take a while to clear */
};

void *cns_block_create(cns_state *state, cns_post post, size_t size,
                       const cns_propagator_class *class, uint8_t priority) {
    cns_block *block = cns_context_calloc(state->context, size);
    if (block == NULL) {
        state->status = cns_context_memory_status(state->context, size);
        return NULL;
    }
    block->size = size;
    block->head.class = class;
    block->head.origin = post.origin;
    block->head.priority = priority;
    return block;
}

void cns_block_destroy(cns_state *state, cns_propagator *p) {
    cns_context_free(state->context, p, ((cns_block *)p)->size, CNS_ALIGN_DEFAULT);
}

void *cns_scratch_create(cns_state *state, size_t count, size_t element) {
    size_t size = count == 0 ? element : count * element;
    if (size >= LARGE && !cns_poll_now(state)) {
        return NULL;
    }
    void *scratch = cns_context_calloc(state->context, size);
    if (scratch == NULL) {
        state->status = cns_context_memory_status(state->context, size);
    }
    return scratch;
}

void cns_scratch_destroy(cns_state *state, void *scratch, size_t count, size_t element) {
    size_t size = count == 0 ? element : count * element;
    cns_context_free(state->context, scratch, size, CNS_ALIGN_DEFAULT);
}

void cns_push_value(cns_state *state, cns_facts *out, cns_view v, int64_t value,
                    uint32_t position) {
    cns_lit lit = cns_find_eq(state, v.term, value - v.offset);
    if (lit != CNS_LIT_NONE && cns_true_before(state, lit, position)) {
        cns_facts_push(state, out, cns_fact_lit(lit));
        return;
    }
    cns_push_view_ge(state, out, v, value);
    cns_push_view_le(state, out, v, value);
}

bool cns_view_confine(cns_state *state, cns_view v, int64_t low, int64_t high) {
    return cns_may_post(state) && cns_view_raise(state, v, low, CNS_REASON_NONE) &&
           cns_view_lower(state, v, high, CNS_REASON_NONE);
}

/* The first index from `low` on of a value that is at least `value`. */
static uint32_t first_from(const int64_t *values, uint32_t low, uint32_t count, int64_t value) {
    uint32_t high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (values[middle] < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool cns_view_confine_to(cns_state *state, cns_view v, const int64_t *values, uint32_t count) {
    if (!cns_view_confine(state, v, values[0], values[count - 1])) {
        return false;
    }
    /* What lies beyond its bounds is not in it anyway. */
    uint32_t first = first_from(values, 0, count, cns_view_low(state, v));
    for (uint32_t k = first > 0 ? first - 1 : 0;
         k + 1 < count && values[k] < cns_view_high(state, v); k++) {
        int64_t gap = values[k + 1] - values[k] - 1;
        if (gap > GAP_MAX) {
            cns_lit lits[2] = {cns_view_lit_le(state, v, values[k]),
                               cns_view_lit_ge(state, v, values[k + 1])};
            if (!cns_post_clause(state, lits, 2)) {
                return false;
            }
            continue;
        }
        for (int64_t value = values[k] + 1; value < values[k + 1]; value++) {
            if (cns_view_has(state, v, value) &&
                !cns_view_remove(state, v, value, CNS_REASON_NONE)) {
                return false;
            }
        }
    }
    return true;
}

cns_status cns_new_view(cns_state *state, int64_t low, int64_t high, cns_view *out) {
    out->offset = 0;
    return cns_new_int(state, (const int64_t[]){low, high}, 1, &out->term);
}

cns_status cns_post_false(cns_state *state) {
    if (cns_may_post(state)) {
        cns_add_clause(state, NULL, 0);
    }
    return state->status;
}

bool cns_post_clause(cns_state *state, const cns_lit *lits, uint32_t count) {
    return cns_may_post(state) && cns_add_clause(state, lits, count);
}

bool cns_post_difference(cns_state *state, cns_post post, cns_lit lit, cns_view x, cns_view y,
                         int64_t c) {
    const int64_t a[2] = {1, -1};
    const cns_view terms[2] = {x, y};
    post.condition = lit;
    return lit != CNS_LIT_NONE && cns_may_post(state) &&
           cns_post_linear_le(state, post, a, (cns_views){terms, 2}, c) == CNS_OK;
}

/* Shell's method with Ciura's gaps: no memory, and linear where little has moved. */
void cns_order_by(uint32_t *order, uint32_t count, const int64_t *keys) {
    static const uint32_t gaps[] = {8929, 3905, 1750, 701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++) {
        uint32_t gap = gaps[g];
        for (uint32_t i = gap; i < count; i++) {
            uint32_t moved = order[i];
            uint32_t j = i;
            for (; j >= gap && keys[order[j - gap]] > keys[moved]; j -= gap) {
                order[j] = order[j - gap];
            }
            order[j] = moved;
        }
    }
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

uint32_t cns_values_sort(int64_t *values, uint32_t count) {
    uint32_t kept = 0;
    qsort(values, count, sizeof *values, compare);
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || values[kept - 1] != values[i]) {
            values[kept++] = values[i];
        }
    }
    return kept;
}

uint32_t cns_values_find(const int64_t *values, uint32_t count, int64_t value) {
    uint32_t at = first_from(values, 0, count, value);
    return at < count && values[at] == value ? at : UINT32_MAX;
}

uint32_t cns_values_next(const cns_state *state, cns_view v, const int64_t *values, uint32_t from,
                         uint32_t count) {
    int64_t low = cns_view_low(state, v);
    int64_t high = cns_view_high(state, v);
    if (from < count && values[from] < low) {
        from = first_from(values, from + 1, count, low);
    }
    while (from < count && values[from] <= high) {
        if (cns_view_has(state, v, values[from])) {
            return from;
        }
        int64_t declared = cns_declared_ceiling(state, v.term, values[from] - v.offset);
        bool hole = declared > values[from] - v.offset;
        from = hole ? first_from(values, from + 1, count, declared + v.offset) : from + 1;
    }
    return count;
}
