/* SPDX-License-Identifier: MIT
 *
 * solver/globals/knapsack.c - sum weights x = W and sum profits x = P, seen together.
 *
 * Beside the two equations, their combination w P - p W = sum (w profits[i] - p weights[i]) x[i]
 * for the item (of weight w, profit p) that breaks when the knapsack is filled by ratio: its bounds
 * are Dantzig's (1957). As an inequality in either direction it bounds P by W, W by P, and items by
 * their reduced profits, and is explained as any linear inequality.
 */
#include <string.h>

#include "solver/globals/block.h"
#include "solver/globals/heap_sort.h"
#include "solver/globals/tasks.h"
#include "solver/wide.h"

typedef struct knapsack {
    cns_propagator base;
    uint32_t count;
    cns_view *x; /* count + 2: the items, W, P */
    int64_t *weights, *profits;
    uint32_t *by_ratio; /* profit to weight, ascending; weights of 0 last */
    size_t block_size;
} knapsack;

/* ---- the combined inequality ---------------------------------------------------------------- */

typedef struct combination { /* sum of coefficient(k) * x[k] over all <= 0 */
    int64_t w, p;
    int sign; /* 1: bounds P from above, -1: from below */
} combination;

static int64_t coefficient(const knapsack *k, combination c, uint32_t i) {
    int64_t a = i < k->count    ? c.p * k->weights[i] - c.w * k->profits[i]
                : i == k->count ? -c.p
                                : c.w;
    return c.sign * a;
}

/* The item that breaks: filling W up to its limit, the best first; or down to what it must reach,
 * the worst first. UINT32_MAX: none. */
static uint32_t breaking_item(const cns_state *s, const knapsack *k, int sign) {
    const cns_view weight = k->x[k->count];
    int64_t room = sign > 0 ? cns_view_high(s, weight) : cns_view_low(s, weight);
    for (uint32_t i = 0; i < k->count; i++) {
        room -= k->weights[i] * cns_view_low(s, k->x[i]);
    }
    for (uint32_t n = 0; n < k->count; n++) {
        uint32_t i = k->by_ratio[sign > 0 ? k->count - 1 - n : n];
        room -= k->weights[i] * (cns_view_high(s, k->x[i]) - cns_view_low(s, k->x[i]));
        if (k->weights[i] > 0 && (sign > 0 ? room < 0 : room <= 0)) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* The least that a * x can be, now or before a position. */
static int64_t least_now(const cns_state *s, int64_t a, cns_view x) {
    return a > 0 ? a * cns_view_low(s, x) : a * cns_view_high(s, x);
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

static bool filter(cns_state *s, knapsack *k, uint32_t item, int sign) {
    combination c = {k->weights[item], k->profits[item], sign};
    int64_t room = 0;
    for (uint32_t i = 0; i < k->count + 2; i++) {
        room -= least_now(s, coefficient(k, c, i), k->x[i]);
    }
    s->ticks += 2 * (uint64_t)k->count;
    for (uint32_t i = 0; i < k->count + 2; i++) {
        int64_t a = coefficient(k, c, i);
        if (a == 0) {
            continue;
        }
        /* In units of |a|, from the bound that makes a * x least. */
        cns_view up = a > 0 ? k->x[i] : cns_view_negate(k->x[i]);
        int64_t size = a > 0 ? a : -a;
        int64_t most = cns_view_low(s, up) + floor_div(room, size);
        uint32_t data = (item * (k->count + 2) + i) * 2 + (sign > 0);
        if (!cns_view_lower(s, up, most, cns_reason_lazy(&k->base, data))) {
            return false;
        }
    }
    return true;
}

static bool propagate(cns_state *state, cns_propagator *self) {
    knapsack *k = (knapsack *)self;
    for (int sign = -1; sign <= 1; sign += 2) {
        uint32_t item = breaking_item(state, k, sign);
        state->ticks += k->count;
        if (item != UINT32_MAX && !filter(state, k, item, sign)) {
            return false;
        }
    }
    return true;
}

/* All other terms are too great together: each is weakened, or dropped, by what is to spare. */
static void explain(cns_state *s, cns_propagator *self, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    const knapsack *k = (const knapsack *)self;
    uint32_t at = data / 2 % (k->count + 2), item = data / 2 / (k->count + 2);
    combination c = {k->weights[item], k->profits[item], data % 2 == 1 ? 1 : -1};
    fact = cns_weakest_fact(s, fact);
    int64_t spare = -1;
    for (uint32_t i = 0; i < k->count + 2; i++) {
        int64_t a = coefficient(k, c, i);
        cns_view up = a > 0 ? k->x[i] : cns_view_negate(k->x[i]);
        int64_t bound = cns_view_low_before(s, up, position);
        if (i == at) { /* fact: up <= limit; the contrary is assumed */
            bound = up.offset - fact.value + 1;
        }
        spare += (a > 0 ? a : -a) * bound;
    }
    s->ticks += k->count;
    for (uint32_t i = 0; i < k->count + 2; i++) {
        int64_t a = coefficient(k, c, i);
        cns_view up = a > 0 ? k->x[i] : cns_view_negate(k->x[i]);
        int64_t size = a > 0 ? a : -a;
        if (i == at || a == 0) {
            continue;
        }
        int64_t bound = cns_view_low_before(s, up, position);
        int64_t root = s->root[up.term] + up.offset;
        int64_t less = spare / size < bound - root ? spare / size : bound - root;
        spare -= less * size;
        if (bound - less > root) {
            cns_facts_push(s, out, cns_view_ge(up, bound - less));
        }
    }
}

static void destroy(cns_state *state, cns_propagator *self) {
    knapsack *k = (knapsack *)self;
    cns_context_free(state->context, k, k->block_size, CNS_ALIGN_DEFAULT);
}

static const cns_propagator_class knapsack_class = {"knapsack", propagate, explain,
                                                    NULL,       NULL,      destroy};

/* ---- posting -------------------------------------------------------------------------------- */

/* Whether all sums of the combinations fit. */
static bool fits(const cns_state *s, cns_views x, const int64_t *weights, const int64_t *profits,
                 cns_view weight, cns_view profit) {
    cns_wide most_weight = 0, most_profit = 0, sum_weight = 0, sum_profit = 0;
    for (uint32_t i = 0; i < x.count; i++) {
        most_weight = weights[i] > most_weight ? weights[i] : most_weight;
        most_profit = profits[i] > most_profit ? profits[i] : most_profit;
        cns_wide high = cns_view_high(s, x.data[i]);
        sum_weight += weights[i] * high;
        sum_profit += profits[i] * high;
    }
    cns_wide w = cns_wide_abs(cns_view_high(s, weight)) + cns_wide_abs(cns_view_low(s, weight));
    cns_wide p = cns_wide_abs(cns_view_high(s, profit)) + cns_wide_abs(cns_view_low(s, profit));
    return most_weight < CNS_WIDE_LIMIT && most_profit < CNS_WIDE_LIMIT &&
           sum_weight < CNS_WIDE_LIMIT && sum_profit < CNS_WIDE_LIMIT &&
           most_weight * (sum_profit + p) < CNS_WIDE_LIMIT / 4 &&
           most_profit * (sum_weight + w) < CNS_WIDE_LIMIT / 4;
}

typedef struct item {
    int64_t weight, profit;
    uint32_t number;
} item;

static bool worse(const void *a, const void *b) {
    const item *x = a, *y = b;
    bool x_is_nothing = x->weight == 0 && x->profit == 0;
    bool y_is_nothing = y->weight == 0 && y->profit == 0;
    if (x_is_nothing != y_is_nothing) { /* else it would tie with all */
        return y_is_nothing;
    }
    cns_wide left = (cns_wide)x->profit * y->weight;
    cns_wide right = (cns_wide)y->profit * x->weight;
    return left != right ? left < right : x->number < y->number;
}

static bool sort_by_ratio(cns_state *state, knapsack *k) {
    item *items = cns_scratch_create(state, k->count, sizeof *items);
    if (items == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < k->count; i++) {
        items[i] = (item){k->weights[i], k->profits[i], i};
    }
    cns_heap_sort(items, k->count, sizeof *items, worse);
    for (uint32_t i = 0; i < k->count; i++) {
        k->by_ratio[i] = items[i].number;
    }
    cns_scratch_destroy(state, items, k->count, sizeof *items);
    return true;
}

static cns_status post_combined(cns_state *state, cns_post post, cns_views x,
                                const int64_t *weights, const int64_t *profits, cns_view weight,
                                cns_view profit) {
    uint32_t n = x.count;
    size_t size = CNS_CARVED(sizeof(knapsack)) + CNS_CARVED((n + 2) * sizeof(cns_view)) +
                  2 * CNS_CARVED(n * sizeof(int64_t)) + CNS_CARVED(n * sizeof(uint32_t));
    knapsack *k = cns_context_calloc(state->context, size);
    if (k == NULL) {
        return cns_context_memory_status(state->context, size);
    }
    cns_carver c = {(unsigned char *)k + CNS_CARVED(sizeof *k)};
    k->base = (cns_propagator){.class = &knapsack_class, .origin = post.origin, .priority = 2};
    k->block_size = size;
    k->count = n;
    k->x = cns_carve(&c, (n + 2) * sizeof(cns_view));
    k->weights = cns_carve(&c, n * sizeof(int64_t));
    k->profits = cns_carve(&c, n * sizeof(int64_t));
    k->by_ratio = cns_carve(&c, n * sizeof(uint32_t));
    memcpy(k->x, x.data, n * sizeof(cns_view));
    k->x[n] = weight;
    k->x[n + 1] = profit;
    memcpy(k->weights, weights, n * sizeof(int64_t));
    memcpy(k->profits, profits, n * sizeof(int64_t));
    if (!sort_by_ratio(state, k)) {
        cns_context_free(state->context, k, size, CNS_ALIGN_DEFAULT);
        return state->status;
    }
    cns_status status = cns_attach(state, &k->base);
    for (uint32_t i = 0; status == CNS_OK && i < n + 2; i++) {
        if (k->x[i].term != CNS_TERM_ZERO && !cns_watch_bounds(state, k->x[i], &k->base, i)) {
            status = state->status;
        }
    }
    return status;
}

cns_status cns_post_knapsack(cns_state *state, cns_post post, cns_views x, const int64_t *weights,
                             const int64_t *profits, cns_view weight, cns_view profit) {
    uint32_t n = x.count;
    size_t terms = (size_t)n + 1;
    for (uint32_t i = 0; i < n; i++) {
        if (state->failed || !cns_view_raise(state, x.data[i], 0, CNS_REASON_ALWAYS)) {
            return state->status;
        }
    }
    cns_view *views = cns_scratch_create(state, terms, sizeof *views);
    int64_t *a = views == NULL ? NULL : cns_scratch_create(state, terms, sizeof *a);
    cns_status status = state->status;
    for (int k = 0; k < 2 && status == CNS_OK && !state->failed; k++) {
        for (uint32_t i = 0; i < n; i++) {
            views[i] = x.data[i];
            a[i] = k == 0 ? weights[i] : profits[i];
        }
        views[n] = k == 0 ? weight : profit;
        a[n] = -1;
        status = cns_post_linear_eq(state, post, a, (cns_views){views, n + 1}, 0);
    }
    /* Data of reasons has 32 bits for two items. */
    if (status == CNS_OK && !state->failed && n >= 2 && n < 40000 &&
        fits(state, x, weights, profits, weight, profit)) {
        status = post_combined(state, post, x, weights, profits, weight, profit);
    }
    cns_scratch_destroy(state, a, terms, sizeof *a);
    cns_scratch_destroy(state, views, terms, sizeof *views);
    return status;
}
