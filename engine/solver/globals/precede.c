/* SPDX-License-Identifier: MIT
 *
 * solver/globals/precede.c - values that occur in views only one after the other.
 *
 * A literal per place and value says that the value has occurred up to there (Walsh 2006, for
 * chains). It implies that the value before it had occurred by the place before: with that, what
 * no solution has falls by unit propagation.
 */
#include "solver/globals/block.h"
#include "solver/globals/heap_sort.h"
#include "solver/proof.h"

typedef struct chain {
    cns_state *state;
    const int64_t *values;
    uint32_t count;
    int64_t *sorted;    /* the values, ascending */
    uint32_t *place;    /* by these: which value of the chain it is */
    uint32_t *possible; /* scratch: places of the values that a view can take, ascending */
    cns_lit *before;    /* by place: the value has occurred up to here */
    cns_lit *now;       /* scratch: the same with the view, of `possible` */
} chain;

/* The literal that value k has occurred when view `v` is the next one: `before` says up to here,
 * `earlier` that value k - 1 has. CNS_LIT_NONE without memory, or when the state failed. */
static cns_lit occurred(cns_state *state, cns_lit is, cns_lit before, cns_lit earlier) {
    if (is == CNS_LIT_FALSE || before == CNS_LIT_TRUE) {
        return before;
    }
    if (before == CNS_LIT_FALSE) {
        return is;
    }
    cns_lit now = cns_new_bool(state);
    cns_proof_define_any(state, now, (const cns_lit[]){before, is}, 2);
    if (now == CNS_LIT_NONE || !cns_post_clause(state, (cns_lit[]){now ^ 1, before, is}, 3) ||
        !cns_post_clause(state, (cns_lit[]){before ^ 1, now}, 2) ||
        !cns_post_clause(state, (cns_lit[]){is ^ 1, now}, 2) ||
        !cns_post_clause(state, (cns_lit[]){now ^ 1, earlier}, 2)) {
        return CNS_LIT_NONE;
    }
    return now;
}

static bool by_number(const void *a, const void *b) {
    return *(const uint32_t *)a < *(const uint32_t *)b;
}

static uint32_t find_possible(chain *c, cns_view v) {
    uint32_t n = 0;
    bool ascend = true;
    uint32_t k = cns_values_next(c->state, v, c->sorted, 0, c->count);
    for (; k < c->count; k = cns_values_next(c->state, v, c->sorted, k + 1, c->count)) {
        ascend = ascend && (n == 0 || c->possible[n - 1] < c->place[k]);
        c->possible[n++] = c->place[k];
    }
    if (!ascend) {
        cns_heap_sort(c->possible, n, sizeof *c->possible, by_number);
    }
    return n;
}

/* Of values that the view cannot take nothing changes. */
static bool post_view(chain *c, cns_view v) {
    cns_state *state = c->state;
    uint32_t n = find_possible(c, v);
    for (uint32_t j = 0; j < n; j++) {
        uint32_t k = c->possible[j];
        cns_lit is = cns_view_lit_eq(state, v, c->values[k]);
        cns_lit earlier = k == 0 ? CNS_LIT_TRUE : c->before[k - 1];
        if (is == CNS_LIT_NONE || !cns_post_clause(state, (cns_lit[]){is ^ 1, earlier}, 2)) {
            return false;
        }
        is = cns_view_lit_eq(state, v, c->values[k]); /* may be known by now */
        c->now[j] = occurred(state, is, c->before[k], earlier);
        if (c->now[j] == CNS_LIT_NONE) {
            return false;
        }
    }
    for (uint32_t j = 0; j < n; j++) {
        c->before[c->possible[j]] = c->now[j];
    }
    return true;
}

typedef struct placed {
    int64_t value;
    uint32_t place;
} placed;

static bool by_value(const void *a, const void *b) {
    const placed *x = a, *y = b;
    return x->value != y->value ? x->value < y->value : x->place < y->place;
}

static bool sort_values(chain *c) {
    placed *items = cns_scratch_create(c->state, c->count, sizeof *items);
    if (items == NULL) {
        return false;
    }
    for (uint32_t k = 0; k < c->count; k++) {
        items[k] = (placed){c->values[k], k};
    }
    cns_heap_sort(items, c->count, sizeof *items, by_value);
    for (uint32_t k = 0; k < c->count; k++) {
        c->sorted[k] = items[k].value;
        c->place[k] = items[k].place;
    }
    cns_scratch_destroy(c->state, items, c->count, sizeof *items);
    return true;
}

cns_status cns_post_precede(cns_state *state, cns_post post, cns_views x, const int64_t *values,
                            uint32_t count) {
    (void)post; /* clauses belong to nobody */
    if (!cns_may_post(state) || count < 2) {
        return state->status;
    }
    chain c = {.state = state, .values = values, .count = count};
    size_t words = 4 * (size_t)count;
    c.place = cns_scratch_create(state, words, sizeof *c.place);
    c.sorted = cns_scratch_create(state, count, sizeof *c.sorted);
    if (c.place != NULL && c.sorted != NULL && sort_values(&c)) {
        c.possible = c.place + count;
        c.before = c.possible + count;
        c.now = c.before + count;
        for (uint32_t k = 0; k < count; k++) {
            c.before[k] = CNS_LIT_FALSE;
        }
        for (uint32_t i = 0; i < x.count && post_view(&c, x.data[i]);) {
            i++;
        }
    }
    cns_scratch_destroy(state, c.sorted, count, sizeof *c.sorted);
    cns_scratch_destroy(state, c.place, words, sizeof *c.place);
    return state->status;
}
