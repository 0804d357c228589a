/* SPDX-License-Identifier: MIT
 *
 * solver/globals/bin_packing.c - items of given weights in bins of variable loads.
 *
 * Each load is the weighted sum of the literals [bin = k], and all loads together are all weights.
 * On top of that each bin is a knapsack: which sums the undecided items can make is a set of bits
 * (Trick 2003), so that loads and items are seen that cannot be completed (Shaw 2004 asks for
 * less). An explanation starts with every decided item, and frees those that are not needed.
 */
#include <string.h>

#include "solver/globals/block.h"
#include "solver/globals/holders.h"
#include "solver/globals/tasks.h"

/* Bins are knapsacks when all weights sum to no more, and there are no more items. */
#define SUM_LIMIT 4096
#define ITEM_LIMIT 512

typedef struct knapsack {
    cns_propagator base;
    uint32_t count;
    cns_lit *lits;
    int64_t *weights;
    cns_view load;
    int8_t *side; /* 1 in the bin, -1 not, 0 open: what a question assumes; one of: */
    int8_t *now, *then;
    uint64_t *sums; /* reachable ones, as bits */
    uint32_t words;
    size_t block_size;
} knapsack;

enum { RULE_IN, RULE_OUT, RULE_LOW, RULE_HIGH };

/* ---- reachable sums ------------------------------------------------------------------------- */

static void shift_or(uint64_t *bits, uint32_t words, uint32_t by) {
    uint32_t far = by / 64, near = by % 64;
    for (uint32_t k = words; k-- > far;) {
        uint64_t moved = bits[k - far] << near;
        if (near != 0 && k > far) {
            moved |= bits[k - far - 1] >> (64 - near);
        }
        bits[k] |= moved;
    }
}

/* The sums of the items inside and any of the open ones but `without`. */
static void find_sums(cns_state *s, knapsack *p, uint32_t without) {
    uint32_t inside = 0;
    memset(p->sums, 0, p->words * sizeof *p->sums);
    for (uint32_t i = 0; i < p->count; i++) {
        inside += p->side[i] > 0 ? (uint32_t)p->weights[i] : 0;
    }
    p->sums[inside / 64] = UINT64_C(1) << inside % 64;
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->side[i] == 0 && i != without) {
            shift_or(p->sums, p->words, (uint32_t)p->weights[i]);
            s->ticks += p->words / 4 + 1;
        }
    }
}

static bool has_sum(const knapsack *p, int64_t sum) {
    return sum >= 0 && sum < 64 * (int64_t)p->words && (p->sums[sum / 64] >> sum % 64 & 1) != 0;
}

/* The least sum from `from` on, INT64_MAX: none; the greatest up to `from`, INT64_MIN: none. */
static int64_t sum_from(const knapsack *p, int64_t from) {
    for (int64_t v = from < 0 ? 0 : from; v < 64 * (int64_t)p->words; v++) {
        if (has_sum(p, v)) {
            return v;
        }
    }
    return INT64_MAX;
}

static int64_t sum_until(const knapsack *p, int64_t from) {
    int64_t top = 64 * (int64_t)p->words - 1;
    for (int64_t v = from > top ? top : from; v >= 0; v--) {
        if (has_sum(p, v)) {
            return v;
        }
    }
    return INT64_MIN;
}

/* ---- explaining ----------------------------------------------------------------------------- */

/* Facts why no sum lies within low..high, given the sides. Items are freed as long as that stays
 * so, light ones first; then the bounds are moved out. `fixed` is assumed by the question. */
static void refute(cns_state *s, knapsack *p, int64_t low, int64_t high, uint32_t fixed,
                   bool needs_low, bool needs_high, cns_facts *out) {
    for (uint32_t i = 0; i < p->count; i++) {
        int8_t side = p->side[i];
        if (side == 0 || i == fixed) {
            continue;
        }
        p->side[i] = 0;
        find_sums(s, p, UINT32_MAX);
        if (sum_from(p, low) <= high) {
            p->side[i] = side;
            cns_facts_push(s, out, cns_fact_lit(p->lits[i] ^ (side < 0)));
        }
    }
    find_sums(s, p, UINT32_MAX);
    int64_t below = sum_until(p, low), above = sum_from(p, high);
    if (needs_low && below != INT64_MIN) {
        cns_facts_push(s, out, cns_view_ge(p->load, below + 1));
    }
    if (needs_high && above != INT64_MAX) {
        cns_facts_push(s, out, cns_view_le(p->load, above - 1));
    }
}

static void read_sides(const cns_state *s, knapsack *p, uint32_t position) {
    for (uint32_t i = 0; i < p->count; i++) {
        p->side[i] = (int8_t)(cns_true_before(s, p->lits[i], position) -
                              cns_true_before(s, p->lits[i] ^ 1, position));
    }
}

static void explain(cns_state *s, cns_propagator *self, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    knapsack *p = (knapsack *)self;
    uint32_t i = data / 4;
    int64_t low = cns_view_low_before(s, p->load, position);
    int64_t high = cns_view_high_before(s, p->load, position);
    fact = cns_weakest_fact(s, fact);
    p->side = p->then;
    read_sides(s, p, position);
    switch (data % 4) {
    case RULE_IN:
        p->side[i] = -1;
        refute(s, p, low, high, i, true, true, out);
        break;
    case RULE_OUT:
        p->side[i] = 1;
        refute(s, p, low, high, i, true, true, out);
        break;
    case RULE_LOW: /* load >= v: no sum within low..v - 1 */
        refute(s, p, low, fact.value + p->load.offset - 1, UINT32_MAX, true, false, out);
        break;
    default: /* load <= v: no sum within v + 1..high */
        refute(s, p, p->load.offset - fact.value + 1, high, UINT32_MAX, false, true, out);
        break;
    }
    p->side = p->now;
}

/* ---- propagating ---------------------------------------------------------------------------- */

static bool filter_load(cns_state *s, knapsack *p) {
    int64_t low = cns_view_low(s, p->load), high = cns_view_high(s, p->load);
    find_sums(s, p, UINT32_MAX);
    int64_t least = sum_from(p, low), most = sum_until(p, high);
    least = least > high ? high + 1 : least; /* none: a conflict */
    return cns_view_raise(s, p->load, least, cns_reason_lazy(&p->base, RULE_LOW)) &&
           cns_view_lower(s, p->load, most, cns_reason_lazy(&p->base, RULE_HIGH));
}

/* Open items without which, or with which, no sum is within the load's bounds. Items of the same
 * weight are alike. */
static bool filter_items(cns_state *s, knapsack *p) {
    int64_t low = cns_view_low(s, p->load), high = cns_view_high(s, p->load);
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->side[i] != 0 ||
            (i > 0 && p->side[i - 1] == 0 && p->weights[i - 1] == p->weights[i])) {
            continue;
        }
        find_sums(s, p, i);
        bool can_be_out = sum_from(p, low) <= high;
        bool can_be_in = sum_from(p, low - p->weights[i]) <= high - p->weights[i];
        for (uint32_t j = i;
             (!can_be_out || !can_be_in) && j < p->count && p->weights[j] == p->weights[i]; j++) {
            if (p->side[j] == 0 &&
                !cns_enqueue(
                    s, p->lits[j] ^ can_be_out,
                    cns_reason_lazy(&p->base, 4 * j + (can_be_out ? RULE_OUT : RULE_IN)))) {
                return false;
            }
        }
    }
    return true;
}

static bool propagate(cns_state *state, cns_propagator *self) {
    knapsack *p = (knapsack *)self;
    uint64_t before = state->counters.propagations;
    read_sides(state, p, UINT32_MAX);
    state->ticks += p->count;
    return filter_load(state, p) &&
           (state->counters.propagations != before || filter_items(state, p));
}

static void destroy(cns_state *state, cns_propagator *self) {
    knapsack *p = (knapsack *)self;
    cns_context_free(state->context, p, p->block_size, CNS_ALIGN_DEFAULT);
}

static const cns_propagator_class knapsack_class = {"bin_packing", propagate, explain,
                                                    NULL,          NULL,      destroy};

/* ---- posting -------------------------------------------------------------------------------- */

static cns_status post_knapsack(cns_state *state, cns_post post, const cns_lit *lits,
                                const int64_t *weights, uint32_t n, int64_t total, cns_view load) {
    uint32_t words = (uint32_t)(total / 64 + 1);
    size_t size = CNS_CARVED(sizeof(knapsack)) + CNS_CARVED(n * sizeof *lits) +
                  CNS_CARVED(n * sizeof *weights) + 2 * CNS_CARVED(n) +
                  CNS_CARVED(words * sizeof(uint64_t));
    knapsack *p = cns_context_calloc(state->context, size);
    if (p == NULL) {
        return cns_context_memory_status(state->context, size);
    }
    cns_carver c = {(unsigned char *)p + CNS_CARVED(sizeof *p)};
    p->base = (cns_propagator){.class = &knapsack_class, .origin = post.origin, .priority = 4};
    p->block_size = size;
    p->count = n;
    p->load = load;
    p->words = words;
    p->lits = cns_carve(&c, n * sizeof *lits);
    p->weights = cns_carve(&c, n * sizeof *weights);
    p->now = cns_carve(&c, n);
    p->then = cns_carve(&c, n);
    p->side = p->now;
    p->sums = cns_carve(&c, words * sizeof *p->sums);
    memcpy(p->lits, lits, n * sizeof *lits);
    memcpy(p->weights, weights, n * sizeof *weights);
    cns_status status = cns_attach(state, &p->base);
    bool well = status == CNS_OK &&
                (load.term == CNS_TERM_ZERO || cns_watch_bounds(state, load, &p->base, 0));
    for (uint32_t i = 0; well && i < n; i++) {
        well = lits[i] >> 1 == 0 || (cns_watch_lit(state, lits[i], &p->base, i) &&
                                     cns_watch_lit(state, lits[i] ^ 1, &p->base, i));
    }
    return status == CNS_OK && !well ? state->status : status;
}

typedef struct items { /* of a positive weight, lightest first */
    cns_view *bins;
    int64_t *weights;
    cns_holders holders; /* by bin */
    int64_t *part;       /* scratch: of the items that a bin can have, weights, and literals */
    cns_lit *lits;
    uint32_t count;
    int64_t total;
    size_t block_size;
    void *block;
} items;

static bool gather(cns_state *s, cns_views bins, const int64_t *weights, items *it) {
    uint32_t n = bins.count;
    it->block_size = CNS_CARVED(n * sizeof(cns_view)) + 2 * CNS_CARVED(n * sizeof(int64_t)) +
                     2 * CNS_CARVED(n * sizeof(uint32_t));
    it->block = cns_context_calloc(s->context, it->block_size);
    if (it->block == NULL) {
        s->status = cns_context_memory_status(s->context, it->block_size);
        return false;
    }
    cns_carver c = {it->block};
    it->bins = cns_carve(&c, n * sizeof(cns_view));
    it->weights = cns_carve(&c, n * sizeof(int64_t));
    it->part = cns_carve(&c, n * sizeof(int64_t));
    it->lits = cns_carve(&c, n * sizeof(cns_lit));
    uint32_t *order = cns_carve(&c, n * sizeof(uint32_t));
    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
    }
    cns_sort_numbers(order, n, weights);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = order[k];
        if (weights[i] > 0) {
            it->bins[it->count] = bins.data[i];
            it->weights[it->count++] = weights[i];
            it->total += weights[i];
        }
    }
    return true;
}

/* The knapsack of a bin is over all items, those that cannot be in it, too. */
static cns_status post_reachable(cns_state *s, cns_post post, items *it, int64_t bin,
                                 cns_view load) {
    for (uint32_t i = 0; i < it->count; i++) {
        it->lits[i] = cns_view_lit_eq(s, it->bins[i], bin);
        if (it->lits[i] == CNS_LIT_NONE) {
            return s->status;
        }
    }
    return post_knapsack(s, post, it->lits, it->weights, it->count, it->total, load);
}

static cns_status post_bin(cns_state *s, cns_post post, items *it, uint32_t bin, cns_view load) {
    uint32_t n = 0;
    for (size_t h = it->holders.start[bin]; h < it->holders.start[bin + 1]; h++) {
        uint32_t i = it->holders.view[h];
        it->lits[n] = cns_view_lit_eq(s, it->bins[i], bin);
        it->part[n] = it->weights[i];
        if (it->lits[n++] == CNS_LIT_NONE) {
            return s->status;
        }
    }
    cns_status status = cns_post_bool_le(s, post, it->part, it->lits, n, load, 0);
    for (uint32_t i = 0; i < n; i++) {
        it->part[i] = -it->part[i];
    }
    if (status == CNS_OK && !s->failed) {
        status = cns_post_bool_le(s, post, it->part, it->lits, n, cns_view_negate(load), 0);
    }
    if (status == CNS_OK && !s->failed && it->total <= SUM_LIMIT && it->count <= ITEM_LIMIT) {
        status = post_reachable(s, post, it, bin, load);
    }
    return status;
}

/* Which items each bin can have. */
static bool find_holders(cns_state *s, items *it, uint32_t bins) {
    int64_t *numbers = cns_scratch_create(s, bins, sizeof *numbers);
    if (numbers == NULL) {
        return false;
    }
    for (uint32_t k = 0; k < bins; k++) {
        numbers[k] = k;
    }
    bool found = cns_holders_init(s, &it->holders, (cns_views){it->bins, it->count}, numbers, bins);
    cns_scratch_destroy(s, numbers, bins, sizeof *numbers);
    return found;
}

static cns_status post_total(cns_state *s, cns_post post, cns_views loads, int64_t total) {
    size_t size = loads.count * sizeof(int64_t);
    int64_t *ones = cns_context_calloc(s->context, size);
    if (ones == NULL) {
        return cns_context_memory_status(s->context, size);
    }
    for (uint32_t k = 0; k < loads.count; k++) {
        ones[k] = 1;
    }
    cns_status status = cns_post_linear_eq(s, post, ones, loads, total);
    cns_context_free(s->context, ones, size, CNS_ALIGN_DEFAULT);
    return status;
}

cns_status cns_post_bin_packing(cns_state *state, cns_post post, cns_views bins,
                                const int64_t *weights, cns_views loads) {
    for (uint32_t i = 0; i < bins.count && !state->failed; i++) {
        if (!cns_view_raise(state, bins.data[i], 0, CNS_REASON_ALWAYS) ||
            !cns_view_lower(state, bins.data[i], (int64_t)loads.count - 1, CNS_REASON_ALWAYS)) {
            return state->status;
        }
    }
    if (state->failed || loads.count == 0) {
        return CNS_OK;
    }
    items it = {0};
    if (!gather(state, bins, weights, &it)) {
        return state->status;
    }
    cns_status status = find_holders(state, &it, loads.count)
                            ? post_total(state, post, loads, it.total)
                            : state->status;
    for (uint32_t k = 0; k < loads.count && status == CNS_OK && !state->failed; k++) {
        status = post_bin(state, post, &it, k, loads.data[k]);
    }
    cns_holders_deinit(state, &it.holders);
    cns_context_free(state->context, it.block, it.block_size, CNS_ALIGN_DEFAULT);
    return status;
}
