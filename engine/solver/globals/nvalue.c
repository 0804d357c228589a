/* SPDX-License-Identifier: MIT
 *
 * solver/globals/nvalue.c - how many distinct values views take.
 *
 * Over narrow domains a literal per value says that some view takes it; over wide ones a literal
 * per view says that no view before it equals it. The number of true ones is summed both ways.
 */
#include "solver/globals/block.h"
#include "solver/globals/holders.h"
#include "solver/proof.h"

enum { VALUES_MAX = 1 << 16 }; /* of all domains together, up to which they are narrow anyway */

typedef struct distinct {
    cns_state *state;
    cns_post post;
    cns_views x;
    int64_t *values; /* all that views can take, ascending */
    uint32_t value_count;
    cns_holders holders; /* of the values */
    cns_lit *lits;       /* true as often as there are distinct values */
    uint32_t lit_count;
    cns_lit *clause;
} distinct;

/* `lit` is true exactly when one of clause[1 .. count - 1] is; clause[0] is free. */
static bool post_any(distinct *d, cns_lit lit, uint32_t count) {
    cns_proof_define_any(d->state, lit, d->clause + 1, count - 1);
    for (uint32_t i = 1; i < count; i++) {
        if (!cns_post_clause(d->state, (cns_lit[]){d->clause[i] ^ 1, lit}, 2)) {
            return false;
        }
    }
    d->clause[0] = lit ^ 1;
    return cns_post_clause(d->state, d->clause, count);
}

static bool name_value(distinct *d, uint32_t k) {
    uint32_t count = 1;
    for (size_t h = d->holders.start[k]; h < d->holders.start[k + 1]; h++) {
        cns_view v = d->x.data[d->holders.view[h]];
        if (cns_view_has(d->state, v, d->values[k])) { /* still */
            d->clause[count++] = cns_view_lit_eq(d->state, v, d->values[k]);
        }
    }
    cns_lit lit = count == 2 ? d->clause[1] : cns_new_bool(d->state);
    d->lits[d->lit_count++] = lit;
    cns_proof_define_part(d->state, count == 2 ? CNS_LIT_NONE : lit, "value", &d->values[k], 1);
    return lit != CNS_LIT_NONE && (count == 2 || post_any(d, lit, count));
}

/* A literal that is true exactly when views i and j are equal. */
static cns_lit name_equality(distinct *d, uint32_t i, uint32_t j) {
    cns_lit lit = cns_new_bool(d->state);
    cns_view pair[2] = {d->x.data[i], d->x.data[j]};
    const int64_t difference[2] = {1, -1};
    cns_proof_define_linear(d->state, lit, true, difference, pair, 2, 0);
    cns_post same = {d->post.origin, lit};
    cns_post other = {d->post.origin, lit ^ 1};
    if (lit == CNS_LIT_NONE ||
        cns_post_linear_eq(d->state, same, difference, (cns_views){pair, 2}, 0) != CNS_OK ||
        cns_post_linear_ne(d->state, other, difference, (cns_views){pair, 2}, 0) != CNS_OK) {
        return CNS_LIT_NONE;
    }
    return lit;
}

/* The literal that view i equals none before it. */
static bool name_first(distinct *d, uint32_t i) {
    cns_lit repeats = i == 0 ? CNS_LIT_FALSE : cns_new_bool(d->state);
    d->lits[d->lit_count++] = repeats ^ 1;
    for (uint32_t j = 0; j < i; j++) {
        d->clause[j + 1] = name_equality(d, i, j);
        if (d->clause[j + 1] == CNS_LIT_NONE) {
            return false;
        }
    }
    return repeats != CNS_LIT_NONE && (i == 0 || post_any(d, repeats, i + 1));
}

static void collect_values(distinct *d) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->x.count; i++) {
        int64_t high = cns_view_high(d->state, d->x.data[i]);
        for (int64_t value = cns_view_low(d->state, d->x.data[i]); value <= high; value++) {
            if (cns_view_has(d->state, d->x.data[i], value)) {
                d->values[count++] = value;
            }
        }
    }
    d->value_count = cns_values_sort(d->values, count);
}

static void post_sum(distinct *d, int64_t *ones, cns_view n) {
    cns_state *s = d->state;
    if (!cns_view_confine(s, n, 1, d->x.count) ||
        cns_post_bool_le(s, d->post, ones, d->lits, d->lit_count, n, 0) != CNS_OK) {
        return;
    }
    for (uint32_t k = 0; k < d->lit_count; k++) {
        d->lits[k] ^= 1;
    }
    if (cns_may_post(s)) {
        cns_post_bool_le(s, d->post, ones, d->lits, d->lit_count, cns_view_negate(n), d->lit_count);
    }
}

static void post_distinct(distinct *d, bool narrow, int64_t *ones, cns_view n) {
    bool good = true;
    if (narrow) {
        collect_values(d);
        good = cns_holders_init(d->state, &d->holders, d->x, d->values, d->value_count);
    }
    uint32_t count = narrow ? d->value_count : d->x.count;
    for (uint32_t k = 0; good && k < count; k++) {
        ones[k] = 1;
        good = narrow ? name_value(d, k) : name_first(d, k);
    }
    if (good) {
        post_sum(d, ones, n);
    }
}

cns_status cns_post_nvalue(cns_state *state, cns_post post, cns_views x, cns_view n) {
    if (!cns_may_post(state)) {
        return state->status;
    }
    if (x.count == 0) {
        cns_view_confine(state, n, 0, 0);
        return state->status;
    }
    int64_t pairs = (int64_t)x.count * (x.count - INT64_C(1)) / 2;
    int64_t most_values = pairs > VALUES_MAX ? pairs : VALUES_MAX;
    int64_t size = 0;
    for (uint32_t i = 0; i < x.count && size <= most_values; i++) {
        size += cns_view_high(state, x.data[i]) - cns_view_low(state, x.data[i]) + 1;
    }
    bool narrow = size <= most_values;
    size_t most = narrow ? (size_t)size : x.count;
    distinct d = {.state = state, .post = post, .x = x};
    int64_t *ones = cns_scratch_create(state, most, sizeof *ones);
    d.values = cns_scratch_create(state, most, sizeof *d.values);
    d.lits = cns_scratch_create(state, most, sizeof *d.lits);
    d.clause = cns_scratch_create(state, (size_t)x.count + 1, sizeof *d.clause);
    if (state->status == CNS_OK) {
        post_distinct(&d, narrow, ones, n);
        cns_holders_deinit(state, &d.holders);
    }
    cns_scratch_destroy(state, d.clause, (size_t)x.count + 1, sizeof *d.clause);
    cns_scratch_destroy(state, d.lits, most, sizeof *d.lits);
    cns_scratch_destroy(state, d.values, most, sizeof *d.values);
    cns_scratch_destroy(state, ones, most, sizeof *ones);
    return state->status;
}
