/* SPDX-License-Identifier: MIT
 *
 * solver/globals/hall.c - bounds consistency of alldifferent, explained by Hall intervals.
 *
 * Lopez-Ortiz, Quimper, Tromp, van Beek 2003: variables in the order of their upper bounds take
 * the capacity of the intervals between bounds; a Hall interval [a, b) is one that b - a others
 * fill. One pass raises lower bounds; the same pass over the negated views lowers upper ones.
 *
 * A bound is explained when asked: the smallest Hall interval is sought in the bounds as they were
 * then, and each of its members needs to be known only to lie within it.
 */
#include "solver/globals/hall.h"

#include "solver/globals/block.h"

enum { LOWER = 0, UPPER = 1, NOBODY = -1 };

typedef struct hall {
    cns_block block;
    uint32_t count;
    cns_view *x[2]; /* the views, and negated */
    uint32_t *by_low[2], *by_high[2];
    int64_t *low, *high; /* of the pass's views */
    uint32_t *low_rank, *high_rank;
    int64_t *border;       /* the bounds' values, ascending, two guards included */
    int64_t *room;         /* d: capacity left between a border and that of its link */
    uint32_t *tree, *hall; /* t, h: links to where capacity is left, to where Hall intervals end */
} hall;

static uint32_t path_end(const uint32_t *links, uint32_t i) {
    while (links[i] > i) {
        i = links[i];
    }
    return i;
}

static void path_set(uint32_t *links, uint32_t from, uint32_t to, uint32_t value) {
    while (from != to) {
        uint32_t next = links[from];
        links[from] = value;
        from = next;
    }
}

/* Reads the bounds before `position` (UINT32_MAX: those of now) and sorts by them. */
static void read_bounds(cns_state *state, hall *self, int side, uint32_t position) {
    uint32_t n = self->count;
    for (uint32_t i = 0; i < n; i++) {
        cns_view v = self->x[side][i];
        bool now = position == UINT32_MAX;
        self->low[i] = now ? cns_view_low(state, v) : cns_view_low_before(state, v, position);
        self->high[i] = now ? cns_view_high(state, v) : cns_view_high_before(state, v, position);
    }
    cns_order_by(self->by_low[side], n, self->low);
    cns_order_by(self->by_high[side], n, self->high);
    state->ticks += 4 * (uint64_t)n;
}

/* ---- explanations --------------------------------------------------------------------------- */

typedef struct interval {
    int64_t begin, end; /* end is beyond it */
} interval;

/* The interval with the least end >= `end`, and for that end the greatest begin <= `begin`, such
 * that at least its size + `excess` variables other than `skip` lie within. */
static bool find_interval(cns_state *state, const hall *self, int side, int64_t skip, int64_t begin,
                          int64_t end, int64_t excess, interval *out) {
    uint32_t n = self->count;
    const uint32_t *by_low = self->by_low[side];
    const uint32_t *by_high = self->by_high[side];
    for (uint32_t k = 0; k < n; k++) {
        int64_t b = self->high[by_high[k]] + 1;
        if (b < end || (k + 1 < n && self->high[by_high[k + 1]] + 1 == b)) {
            continue;
        }
        int64_t members = 0;
        state->ticks += n;
        for (uint32_t j = n; j-- > 0;) {
            uint32_t i = by_low[j];
            int64_t a = self->low[i];
            if (b - a > (int64_t)n) {
                break;
            }
            members += i != skip && self->high[i] < b;
            if (a < b && a <= begin && members >= b - a + excess) {
                *out = (interval){a, b};
                return true;
            }
        }
    }
    return false;
}

/* Appends that as many variables as `need`, other than `skip`, lie within. */
static void push_members(cns_state *state, const hall *self, int side, int64_t skip, interval in,
                         int64_t need, cns_facts *out) {
    for (uint32_t i = 0; i < self->count && need > 0; i++) {
        if (i != skip && self->low[i] >= in.begin && self->high[i] < in.end) {
            cns_facts_push(state, out, cns_view_ge(self->x[side][i], in.begin));
            cns_facts_push(state, out, cns_view_le(self->x[side][i], in.end - 1));
            need--;
        }
    }
}

static void explain(cns_state *state, cns_propagator *p, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    hall *self = (hall *)p;
    int side = (int)(data & 1);
    uint32_t i = data >> 1;
    cns_view v = self->x[side][i];
    interval in;
    read_bounds(state, self, side, position);
    if (find_interval(state, self, side, i, self->low[i], fact.value + v.offset, 0, &in)) {
        cns_facts_push(state, out, cns_view_ge(v, in.begin));
        push_members(state, self, side, i, in, in.end - in.begin, out);
        return;
    }
    CNS_ASSERT(!"a Hall interval was lost");
}

static bool overfull(cns_state *state, hall *self, int side) {
    interval in = {0, 0};
    bool found = find_interval(state, self, side, NOBODY, INT64_MAX, INT64_MIN, 1, &in);
    CNS_ASSERT(found);
    (void)found;
    uint32_t start = cns_because_begin(state);
    push_members(state, self, side, NOBODY, in, in.end - in.begin + 1, &state->spans);
    return cns_conflict(state, cns_because_end(state, start));
}

/* ---- propagation ---------------------------------------------------------------------------- */

/* Merges both orders into the list of borders; gives the index of the last. */
static uint32_t rank(hall *self, int side) {
    const uint32_t *by_low = self->by_low[side];
    const uint32_t *by_high = self->by_high[side];
    uint32_t last = 0;
    self->border[0] = self->low[by_low[0]] - 2;
    for (uint32_t i = 0, j = 0; j < self->count;) {
        bool lower = i < self->count && self->low[by_low[i]] <= self->high[by_high[j]] + 1;
        int64_t value = lower ? self->low[by_low[i]] : self->high[by_high[j]] + 1;
        if (value != self->border[last]) {
            self->border[++last] = value;
        }
        if (lower) {
            self->low_rank[by_low[i++]] = last;
        } else {
            self->high_rank[by_high[j++]] = last;
        }
    }
    self->border[last + 1] = self->border[last] + 2;
    return last;
}

static bool pass(cns_state *state, hall *self, int side) {
    read_bounds(state, self, side, UINT32_MAX);
    uint32_t last = rank(self, side);
    const int64_t *border = self->border;
    uint32_t *tree = self->tree;
    uint32_t *ends = self->hall;
    for (uint32_t k = 1; k <= last + 1; k++) {
        tree[k] = ends[k] = k - 1;
        self->room[k] = border[k] - border[k - 1];
    }
    for (uint32_t k = 0; k < self->count; k++) {
        uint32_t i = self->by_high[side][k];
        uint32_t x = self->low_rank[i];
        uint32_t y = self->high_rank[i];
        uint32_t z = path_end(tree, x + 1);
        uint32_t j = tree[z];
        if (--self->room[z] == 0) {
            tree[z] = z + 1;
            z = path_end(tree, tree[z]);
            tree[z] = j;
        }
        path_set(tree, x + 1, z, z);
        if (self->room[z] < border[z] - border[y]) {
            return overfull(state, self, side);
        }
        if (ends[x] > x) {
            uint32_t w = path_end(ends, ends[x]);
            cns_reason reason = cns_reason_lazy(&self->block.head, i << 1 | (uint32_t)side);
            if (!cns_view_raise(state, self->x[side][i], border[w], reason)) {
                return false;
            }
            path_set(ends, x, w, w);
        }
        if (self->room[z] == border[z] - border[y]) {
            path_set(ends, ends[y], j - 1, y);
            ends[y] = j - 1;
        }
    }
    return true;
}

static bool propagate(cns_state *state, cns_propagator *p) {
    hall *self = (hall *)p;
    return pass(state, self, LOWER) && pass(state, self, UPPER);
}

static const cns_propagator_class hall_class = {
    .name = "alldifferent_bounds",
    .propagate = propagate,
    .explain = explain,
    .destroy = cns_block_destroy,
};

static hall *create(cns_state *state, cns_post post, cns_views x) {
    size_t size = sizeof(hall);
    uint32_t n = x.count;
    size_t borders = 2 * (size_t)n + 2;
    size_t views = cns_block_place(&size, 2 * (size_t)n, sizeof(cns_view));
    size_t orders = cns_block_place(&size, 4 * (size_t)n, sizeof(uint32_t));
    size_t bounds = cns_block_place(&size, 2 * (size_t)n, sizeof(int64_t));
    size_t ranks = cns_block_place(&size, 2 * (size_t)n, sizeof(uint32_t));
    size_t sums = cns_block_place(&size, 2 * borders, sizeof(int64_t));
    size_t links = cns_block_place(&size, 2 * borders, sizeof(uint32_t));
    hall *self = cns_block_create(state, post, size, &hall_class, 2);
    if (self == NULL) {
        return NULL;
    }
    self->count = n;
    self->low = cns_block_at(self, bounds);
    self->high = self->low + n;
    self->low_rank = cns_block_at(self, ranks);
    self->high_rank = self->low_rank + n;
    self->border = cns_block_at(self, sums);
    self->room = self->border + borders;
    self->tree = cns_block_at(self, links);
    self->hall = self->tree + borders;
    for (uint32_t side = 0; side < 2; side++) {
        self->x[side] = (cns_view *)cns_block_at(self, views) + side * (size_t)n;
        self->by_low[side] = (uint32_t *)cns_block_at(self, orders) + side * (size_t)n;
        self->by_high[side] = self->by_low[side] + 2 * (size_t)n;
        for (uint32_t i = 0; i < n; i++) {
            self->x[side][i] = side == LOWER ? x.data[i] : cns_view_negate(x.data[i]);
            self->by_low[side][i] = self->by_high[side][i] = i;
        }
    }
    return self;
}

cns_status cns_post_hall(cns_state *state, cns_post post, cns_views x) {
    if (!cns_may_post(state) || x.count < 2) {
        return state->status;
    }
    hall *self = create(state, post, x);
    if (self == NULL || cns_attach(state, &self->block.head) != CNS_OK) {
        return state->status;
    }
    for (uint32_t i = 0; i < x.count; i++) {
        if (!cns_watch_bounds(state, x.data[i], &self->block.head, 0)) {
            break;
        }
    }
    return state->status;
}
