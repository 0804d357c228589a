/* SPDX-License-Identifier: MIT
 *
 * solver/globals/alldifferent.c - views that differ, or do where they avoid some values.
 *
 * A fixed view takes its value from the others, for the one literal that says so. Where there are
 * as many values as views, each value must be taken, which clauses over its literals say. Hall
 * intervals (hall.c) work on the bounds; with those clauses, and domains full of holes, they only
 * make worse explanations, and are left out.
 */
#include <string.h>

#include "solver/globals/block.h"
#include "solver/globals/hall.h"

enum { PERMUTATION_MAX = 128 }; /* views, up to which clauses say that each value is taken */

typedef struct alldifferent {
    cns_block block;
    uint32_t count;
    cns_view *x;
    int64_t *excepted;
    uint32_t excepted_count;
    uint32_t *pending; /* fixed since the last run */
    bool *is_pending;
    uint32_t pending_count;
    uint32_t next; /* where a run that paused goes on: in `pending`, or at the root in `x` */
} alldifferent;

static void forget_pending(alldifferent *self) {
    self->next = 0;
    while (self->pending_count > 0) {
        self->is_pending[self->pending[--self->pending_count]] = false;
    }
}

static bool take_value(cns_state *state, alldifferent *self, uint32_t i) {
    cns_view v = self->x[i];
    int64_t value = cns_view_low(state, v);
    if (!cns_view_fixed(state, v) ||
        cns_values_find(self->excepted, self->excepted_count, value) != UINT32_MAX) {
        return true;
    }
    cns_lit lit = CNS_LIT_NONE;
    state->ticks += self->count;
    for (uint32_t j = 0; j < self->count; j++) {
        cns_view other = self->x[j];
        if (j == i || value < cns_view_low(state, other) || value > cns_view_high(state, other)) {
            continue;
        }
        if (lit == CNS_LIT_NONE) {
            lit = cns_view_lit_eq(state, v, value);
        }
        if (lit == CNS_LIT_NONE || !cns_view_remove(state, other, value, cns_reason_lit(lit))) {
            return false;
        }
    }
    return true;
}

static bool propagate(cns_state *state, cns_propagator *p) {
    alldifferent *self = (alldifferent *)p;
    bool all = state->level == 0; /* what a cancelled run at the root would have seen, too */
    uint32_t count = all ? self->count : self->pending_count;
    bool good = true;
    while (good && self->next < count) {
        uint32_t k = self->next++;
        good = take_value(state, self, all ? k : self->pending[k]);
        if (good && self->next < count && cns_should_pause(state, p)) {
            return true;
        }
    }
    forget_pending(self);
    return good;
}

static bool wake(cns_state *state, cns_propagator *p, uint32_t data) {
    (void)state;
    alldifferent *self = (alldifferent *)p;
    if (!self->is_pending[data]) {
        self->is_pending[data] = true;
        self->pending[self->pending_count++] = data;
    }
    return true;
}

static void cancel(cns_state *state, cns_propagator *p) {
    (void)state;
    forget_pending((alldifferent *)p);
}

static const cns_propagator_class alldifferent_class = {
    .name = "alldifferent",
    .propagate = propagate,
    .wake = wake,
    .cancel = cancel,
    .destroy = cns_block_destroy,
};

static cns_status post_values(cns_state *state, cns_post post, cns_views x, const int64_t *excepted,
                              uint32_t excepted_count) {
    size_t size = sizeof(alldifferent);
    size_t views = cns_block_place(&size, x.count, sizeof(cns_view));
    size_t exceptions = cns_block_place(&size, excepted_count, sizeof(int64_t));
    size_t pending = cns_block_place(&size, x.count, sizeof(uint32_t));
    size_t marks = cns_block_place(&size, x.count, sizeof(bool));
    alldifferent *self = cns_block_create(state, post, size, &alldifferent_class, 0);
    if (self == NULL) {
        return state->status;
    }
    self->count = x.count;
    self->x = cns_block_at(self, views);
    self->excepted = cns_block_at(self, exceptions);
    self->excepted_count = excepted_count;
    self->pending = cns_block_at(self, pending);
    self->is_pending = cns_block_at(self, marks);
    memcpy(self->x, x.data, x.count * sizeof *x.data);
    if (excepted_count > 0) {
        memcpy(self->excepted, excepted, excepted_count * sizeof *excepted);
    }
    if (cns_attach(state, &self->block.head) != CNS_OK) {
        return state->status;
    }
    for (uint32_t i = 0; i < x.count; i++) {
        if (!cns_watch_fixed(state, x.data[i], &self->block.head, i)) {
            break;
        }
    }
    return state->status;
}

/* Whether there are exactly as many values in low..high as views. */
static bool is_permutation(const cns_state *state, cns_views x, int64_t low, int64_t high) {
    uint32_t values = 0;
    for (int64_t value = low; value <= high && values <= x.count; value++) {
        for (uint32_t i = 0; i < x.count; i++) {
            if (cns_view_has(state, x.data[i], value)) {
                values++;
                break;
            }
        }
    }
    return values == x.count;
}

/* False: not a small permutation, and nothing is posted (or memory gave out). */
static bool post_each_value_taken(cns_state *state, cns_views x) {
    int64_t low = INT64_MAX;
    int64_t high = INT64_MIN;
    cns_lit lits[PERMUTATION_MAX];
    for (uint32_t i = 0; i < x.count; i++) {
        int64_t a = cns_view_low(state, x.data[i]);
        int64_t b = cns_view_high(state, x.data[i]);
        low = a < low ? a : low;
        high = b > high ? b : high;
    }
    if (x.count > PERMUTATION_MAX || high - low >= 4 * (int64_t)x.count ||
        !is_permutation(state, x, low, high)) {
        return false;
    }
    for (int64_t value = low; value <= high; value++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < x.count; i++) {
            if (cns_view_has(state, x.data[i], value)) {
                lits[count++] = cns_view_lit_eq(state, x.data[i], value);
            }
        }
        if (count > 0 && !cns_post_clause(state, lits, count)) {
            return false;
        }
    }
    return true;
}

/* Whether most domains that are open have holes, so that their bounds say little. */
static bool has_many_holes(const cns_state *state, cns_views x) {
    uint32_t with_holes = 0;
    uint32_t open = 0;
    for (uint32_t i = 0; i < x.count; i++) {
        int64_t high = cns_view_high(state, x.data[i]);
        int64_t value = cns_view_low(state, x.data[i]);
        while (value < high && cns_view_has(state, x.data[i], value)) {
            value++;
        }
        with_holes += value < high;
        open += !cns_view_fixed(state, x.data[i]);
    }
    return 2 * with_holes > open;
}

cns_status cns_post_alldifferent(cns_state *state, cns_post post, cns_views x) {
    if (!cns_may_post(state) || x.count < 2 || post_values(state, post, x, NULL, 0) != CNS_OK ||
        !cns_may_post(state)) {
        return state->status;
    }
    bool taken = post_each_value_taken(state, x);
    if ((taken && has_many_holes(state, x)) || !cns_may_post(state)) {
        return state->status;
    }
    return cns_post_hall(state, post, x);
}

cns_status cns_post_alldifferent_except(cns_state *state, cns_post post, cns_views x,
                                        const int64_t *excepted, uint32_t count) {
    if (!cns_may_post(state) || x.count < 2) {
        return state->status;
    }
    for (uint32_t i = 0; i < x.count; i++) {
        if (cns_values_next(state, x.data[i], excepted, 0, count) < count) {
            return post_values(state, post, x, excepted, count);
        }
    }
    return cns_post_alldifferent(state, post, x);
}

cns_status cns_post_alldifferent_values(cns_state *state, cns_post post, cns_views x) {
    return cns_may_post(state) && x.count > 1 ? post_values(state, post, x, NULL, 0)
                                              : state->status;
}
