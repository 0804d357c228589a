/* SPDX-License-Identifier: MIT
 *
 * solver/globals/sort.c - views in ascending order, by order statistics.
 *
 * y[k] >= v exactly when at most k of x are below v. So bounds of y are order statistics of the
 * bounds of x; and where as many of x as may be below v are known to be, the others are not.
 * Upper bounds are the same over negated views, read backwards. Explanations are such counts, and
 * are made when asked.
 */
#include "solver/globals/block.h"

enum { SIDES = 2 };

typedef struct sorting {
    cns_block block;
    uint32_t count;
    cns_view *x[SIDES], *y[SIDES];            /* the views; negated, y backwards */
    uint32_t *by_low[SIDES], *by_high[SIDES]; /* orders of x */
    int64_t *low, *high;                      /* of x */
} sorting;

static uint32_t reason_data(uint32_t index, bool of_y, uint32_t side) {
    return index << 2 | (uint32_t)of_y << 1 | side;
}

static void read_bounds(cns_state *state, sorting *self, uint32_t side, uint32_t position) {
    for (uint32_t i = 0; i < self->count; i++) {
        self->low[i] = cns_view_low_before(state, self->x[side][i], position);
        self->high[i] = cns_view_high_before(state, self->x[side][i], position);
    }
    cns_order_by(self->by_low[side], self->count, self->low);
    cns_order_by(self->by_high[side], self->count, self->high);
    state->ticks += 4 * (uint64_t)self->count;
}

/* y[k] >= v: all but k of x are. */
static void explain_y(cns_state *state, sorting *self, uint32_t side, uint32_t k, int64_t v,
                      cns_facts *out) {
    for (uint32_t j = self->count; j-- > k;) {
        uint32_t i = self->by_low[side][j];
        CNS_ASSERT(self->low[i] >= v);
        cns_facts_push(state, out, cns_view_ge(self->x[side][i], v));
    }
}

/* x[i] >= v: some y[k] >= t >= v, and k others are below t. */
static void explain_x(cns_state *state, sorting *self, uint32_t side, uint32_t i, int64_t v,
                      uint32_t position, cns_facts *out) {
    const uint32_t *by_high = self->by_high[side];
    int64_t t = v;
    uint32_t seen = 0; /* of by_high, so that k of these are not i */
    for (uint32_t k = 0; k < self->count; k++) {
        if (k > 0) {
            seen += seen < self->count && by_high[seen] == i;
            if (seen == self->count) {
                break;
            }
            int64_t high = self->high[by_high[seen++]];
            t = high + 1 > t ? high + 1 : t;
        }
        if (cns_view_low_before(state, self->y[side][k], position) < t) {
            continue;
        }
        cns_facts_push(state, out, cns_view_ge(self->y[side][k], t));
        for (uint32_t j = 0; j < seen; j++) {
            if (by_high[j] != i) {
                cns_facts_push(state, out, cns_view_le(self->x[side][by_high[j]], t - 1));
            }
        }
        return;
    }
    CNS_ASSERT(!"a count was lost");
}

static void explain(cns_state *state, cns_propagator *p, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    sorting *self = (sorting *)p;
    uint32_t side = data & 1;
    uint32_t index = data >> 2;
    read_bounds(state, self, side, position);
    if (data & 2) {
        explain_y(state, self, side, index, fact.value + self->y[side][index].offset, out);
    } else {
        explain_x(state, self, side, index, fact.value + self->x[side][index].offset, position,
                  out);
    }
}

/* Each x that is not known to be below y[k], when k others are, reaches y[k]. From the greatest k
 * on: an x gets its best bound from the first that applies. */
static bool raise_x(cns_state *state, sorting *self, uint32_t side) {
    const uint32_t *by_high = self->by_high[side];
    uint32_t above = self->count; /* by_high from here on have their bound */
    for (uint32_t k = self->count; k-- > 0;) {
        int64_t v = cns_view_low(state, self->y[side][k]);
        uint32_t begin = above;
        while (begin > 0 && self->high[by_high[begin - 1]] >= v) {
            begin--;
        }
        if (begin < k) { /* fewer than k are below */
            continue;
        }
        for (; above > begin; above--) {
            uint32_t i = by_high[above - 1];
            cns_reason reason = cns_reason_lazy(&self->block.head, reason_data(i, false, side));
            if (!cns_view_raise(state, self->x[side][i], v, reason)) {
                return false;
            }
        }
    }
    return true;
}

static bool pass(cns_state *state, sorting *self, uint32_t side) {
    read_bounds(state, self, side, UINT32_MAX);
    for (uint32_t k = 0; k < self->count; k++) {
        int64_t v = self->low[self->by_low[side][k]];
        cns_reason reason = cns_reason_lazy(&self->block.head, reason_data(k, true, side));
        if (!cns_view_raise(state, self->y[side][k], v, reason)) {
            return false;
        }
    }
    return raise_x(state, self, side);
}

static bool propagate(cns_state *state, cns_propagator *p) {
    sorting *self = (sorting *)p;
    return pass(state, self, 0) && pass(state, self, 1);
}

static const cns_propagator_class sorting_class = {
    .name = "sort",
    .propagate = propagate,
    .explain = explain,
    .destroy = cns_block_destroy,
};

static sorting *create(cns_state *state, cns_post post, cns_views x, cns_views y) {
    size_t size = sizeof(sorting);
    size_t n = x.count;
    size_t views = cns_block_place(&size, 2 * SIDES * n, sizeof(cns_view));
    size_t orders = cns_block_place(&size, 2 * SIDES * n, sizeof(uint32_t));
    size_t bounds = cns_block_place(&size, 2 * n, sizeof(int64_t));
    sorting *self = cns_block_create(state, post, size, &sorting_class, 2);
    if (self == NULL) {
        return NULL;
    }
    self->count = x.count;
    self->low = cns_block_at(self, bounds);
    self->high = self->low + n;
    for (uint32_t side = 0; side < SIDES; side++) {
        self->x[side] = (cns_view *)cns_block_at(self, views) + 2 * side * n;
        self->y[side] = self->x[side] + n;
        self->by_low[side] = (uint32_t *)cns_block_at(self, orders) + 2 * side * n;
        self->by_high[side] = self->by_low[side] + n;
        for (uint32_t i = 0; i < x.count; i++) {
            self->x[side][i] = side ? cns_view_negate(x.data[i]) : x.data[i];
            self->y[side][i] = side ? cns_view_negate(y.data[n - 1 - i]) : y.data[i];
            self->by_low[side][i] = self->by_high[side][i] = i;
        }
    }
    return self;
}

static bool post_chain(cns_state *state, cns_post post, cns_views y) {
    const int64_t difference[2] = {1, -1};
    for (uint32_t k = 0; k + 1 < y.count; k++) {
        if (!cns_may_post(state) ||
            cns_post_linear_le(state, post, difference, (cns_views){y.data + k, 2}, 0) != CNS_OK) {
            return false;
        }
    }
    return cns_may_post(state);
}

cns_status cns_post_sort(cns_state *state, cns_post post, cns_views x, cns_views y) {
    if (x.count != y.count) {
        return cns_post_false(state);
    }
    if (x.count == 0 || !post_chain(state, post, y)) {
        return state->status;
    }
    sorting *self = create(state, post, x, y);
    if (self == NULL || cns_attach(state, &self->block.head) != CNS_OK) {
        return state->status;
    }
    for (uint32_t i = 0; i < x.count; i++) {
        if (!cns_watch_bounds(state, x.data[i], &self->block.head, 0) ||
            !cns_watch_bounds(state, y.data[i], &self->block.head, 0)) {
            break;
        }
    }
    return state->status;
}
