/* SPDX-License-Identifier: MIT
 *
 * solver/globals/global_cardinality.c - how often views take each of some values.
 *
 * A sum of literals per value, both ways, and the counts' total, which ties the values together:
 * a value's lower bound is what the others cannot take. Values that nothing takes twice differ.
 */
#include "solver/globals/block.h"
#include "solver/globals/hall.h"
#include "solver/globals/holders.h"

#include <string.h>

typedef struct counting {
    cns_state *state;
    cns_post post;
    cns_views x;
    const int64_t *sorted; /* the values, ascending, each once */
    uint32_t distinct;
    cns_holders holders; /* of `sorted` */
    int64_t *ones;       /* as many as views, or as counts */
    cns_lit *lits;
} counting;

/* Exactly `n` of the views take `value`. */
static bool post_count(counting *c, int64_t value, cns_view n) {
    cns_state *s = c->state;
    uint32_t count = 0;
    uint32_t k = cns_values_find(c->sorted, c->distinct, value);
    for (size_t h = c->holders.start[k]; h < c->holders.start[k + 1]; h++) {
        cns_view v = c->x.data[c->holders.view[h]];
        if (cns_view_has(s, v, value)) { /* still */
            c->lits[count++] = cns_view_lit_eq(s, v, value);
        }
    }
    if (!cns_view_confine(s, n, 0, count) ||
        cns_post_bool_le(s, c->post, c->ones, c->lits, count, n, 0) != CNS_OK) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        c->lits[i] ^= 1;
    }
    return cns_may_post(s) && cns_post_bool_le(s, c->post, c->ones, c->lits, count,
                                               cns_view_negate(n), count) == CNS_OK;
}

/* The counts of distinct values add up to at most (closed: exactly) the number of views. */
static bool post_total(counting *c, const int64_t *values, cns_views counts, bool closed) {
    cns_state *s = c->state;
    cns_view *distinct = cns_scratch_create(s, counts.count, sizeof *distinct);
    bool *seen = cns_scratch_create(s, c->distinct, sizeof *seen);
    bool good = distinct != NULL && seen != NULL;
    uint32_t count = 0;
    for (uint32_t k = 0; good && k < counts.count; k++) {
        bool *value = &seen[cns_values_find(c->sorted, c->distinct, values[k])];
        if (!*value) {
            distinct[count++] = counts.data[k];
        }
        *value = true;
    }
    cns_views terms = {distinct, count};
    if (good && closed) {
        cns_post_linear_eq(s, c->post, c->ones, terms, c->x.count);
    } else if (good) {
        cns_post_linear_le(s, c->post, c->ones, terms, c->x.count);
    }
    cns_scratch_destroy(s, seen, c->distinct, sizeof *seen);
    cns_scratch_destroy(s, distinct, counts.count, sizeof *distinct);
    return cns_may_post(s);
}

static bool confine_all(const counting *c) {
    bool good = true;
    for (uint32_t i = 0; good && i < c->x.count; i++) {
        good = cns_view_confine_to(c->state, c->x.data[i], c->sorted, c->distinct);
    }
    return good;
}

static void post_all(counting *c, const int64_t *values, cns_views counts, bool closed) {
    if ((closed && !confine_all(c)) ||
        !cns_holders_init(c->state, &c->holders, c->x, c->sorted, c->distinct)) {
        return;
    }
    bool once = closed;
    for (uint32_t k = 0; k < counts.count; k++) {
        if (!post_count(c, values[k], counts.data[k])) {
            return;
        }
        once = once && cns_view_high(c->state, counts.data[k]) <= 1;
    }
    if (post_total(c, values, counts, closed) && once) {
        cns_post_hall(c->state, c->post, c->x);
    }
}

cns_status cns_post_global_cardinality(cns_state *state, cns_post post, cns_views x,
                                       const int64_t *values, cns_views counts, bool closed) {
    if (!cns_may_post(state)) {
        return state->status;
    }
    if (counts.count == 0) {
        return closed && x.count > 0 ? cns_post_false(state) : CNS_OK;
    }
    uint32_t most = x.count > counts.count ? x.count : counts.count;
    counting c = {.state = state, .post = post, .x = x};
    int64_t *sorted = cns_scratch_create(state, counts.count, sizeof *sorted);
    c.ones = cns_scratch_create(state, most, sizeof *c.ones);
    c.lits = cns_scratch_create(state, most, sizeof *c.lits);
    if (state->status == CNS_OK) {
        memcpy(sorted, values, counts.count * sizeof *sorted);
        c.sorted = sorted;
        c.distinct = cns_values_sort(sorted, counts.count);
        for (uint32_t i = 0; i < most; i++) {
            c.ones[i] = 1;
        }
        post_all(&c, values, counts, closed);
        cns_holders_deinit(state, &c.holders);
    }
    cns_scratch_destroy(state, c.lits, most, sizeof *c.lits);
    cns_scratch_destroy(state, c.ones, most, sizeof *c.ones);
    cns_scratch_destroy(state, sorted, counts.count, sizeof *sorted);
    return state->status;
}
