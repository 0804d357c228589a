/* SPDX-License-Identifier: MIT
 *
 * solver/globals/circuit_reach.c - what reachability says about circuits.
 *
 * All nodes (Francis, Stuckey 2014): a depth-first search from a root visits the rest in subtrees
 * 1..k, one behind the other; none has an arc into a later one. So a circuit goes from the root to
 * subtree k, then down to k-1, ..., 1, and back: other arcs between subtrees cannot be taken, and
 * a single arc from one to the one before must be. A set that cannot be left is a conflict. The
 * facts are that arcs over a cut are absent.
 *
 * Some nodes: what a node that must move cannot reach, or is not reached from, stays.
 */
#include "solver/globals/circuit.h"

#include <string.h>

enum { UNSEEN = UINT32_MAX };

typedef struct reach {
    cns_block block;
    uint32_t count;
    bool subcircuit;
    uint32_t root;
    cns_view *x;
    uint32_t *order;   /* nodes as they were visited */
    uint32_t *index;   /* by node: its place in `order`, or UNSEEN */
    uint32_t *low;     /* by node: the least index that its descendants lead to */
    uint32_t *stack;   /* nodes being explored */
    int64_t *next;     /* by node: the successor to look at next */
    uint32_t *subtree; /* by node; 0: the root */
    uint32_t *begin;   /* by subtree: the index of its first node; and of their end */
    uint32_t seen;
    bool *set;
} reach;

/* ---- facts ---------------------------------------------------------------------------------- */

void cns_facts_no_arc(cns_state *state, cns_facts *out, cns_view x, const bool *set,
                      uint32_t count) {
    int64_t low = cns_view_low(state, x);
    int64_t high = cns_view_high(state, x);
    int64_t below = INT64_MIN;
    int64_t above = INT64_MAX;
    if (low == high) {
        cns_push_value(state, out, x, low, UINT32_MAX);
        return;
    }
    for (uint32_t w = 0; w < count; w++) {
        if (!set[w]) {
            continue;
        }
        if (w < low) {
            below = w;
        } else if (w > high) {
            above = w < above ? w : above;
        } else {
            cns_facts_push(state, out, cns_view_why_not(state, x, w, UINT32_MAX));
        }
    }
    if (below != INT64_MIN) {
        cns_facts_push(state, out, cns_view_ge(x, below + 1));
    }
    if (above != INT64_MAX) {
        cns_facts_push(state, out, cns_view_le(x, above - 1));
    }
    state->ticks += count;
}

/* No arc from nodes visited at from..to - 1 to those at `head`.. tail - 1. */
static void push_cut(cns_state *state, reach *self, uint32_t from, uint32_t to, uint32_t head,
                     uint32_t tail) {
    memset(self->set, 0, self->count * sizeof *self->set);
    for (uint32_t k = head; k < tail; k++) {
        self->set[self->order[k]] = true;
    }
    for (uint32_t k = from; k < to; k++) {
        cns_facts_no_arc(state, &state->spans, self->x[self->order[k]], self->set, self->count);
    }
}

/* Visited nodes at from..seen - 1 have no arc to any other: the circuit cannot leave them. */
static bool trapped(cns_state *state, reach *self, uint32_t from) {
    uint32_t start = cns_because_begin(state);
    for (uint32_t i = 0; i < self->count; i++) {
        self->set[i] = self->index[i] == UNSEEN || self->index[i] < from;
    }
    for (uint32_t k = from; k < self->seen; k++) {
        cns_facts_no_arc(state, &state->spans, self->x[self->order[k]], self->set, self->count);
    }
    return cns_conflict(state, cns_because_end(state, start));
}

/* ---- all nodes ------------------------------------------------------------------------------ */

static void visit(const cns_state *state, reach *self, uint32_t node, uint32_t subtree) {
    self->index[node] = self->low[node] = self->seen;
    self->order[self->seen++] = node;
    self->subtree[node] = subtree;
    self->next[node] = cns_view_low(state, self->x[node]);
}

/* The next successor of `node`, or -1. */
static int64_t next_arc(cns_state *state, reach *self, uint32_t node) {
    int64_t high = cns_view_high(state, self->x[node]);
    while (self->next[node] <= high) {
        int64_t w = self->next[node]++;
        state->ticks++;
        if (cns_view_has(state, self->x[node], w)) {
            return w;
        }
    }
    return -1;
}

static void lead_to(reach *self, uint32_t node, uint32_t index) {
    if (index < self->low[node]) {
        self->low[node] = index;
    }
}

/* Visits what can be reached from `node` without what is visited; false: a set is a trap. */
static bool explore(cns_state *state, reach *self, uint32_t node, uint32_t subtree) {
    uint32_t depth = 0;
    visit(state, self, node, subtree);
    self->stack[depth++] = node;
    while (depth > 0) {
        uint32_t u = self->stack[depth - 1];
        int64_t w = next_arc(state, self, u);
        if (w >= 0 && self->index[w] == UNSEEN) {
            visit(state, self, (uint32_t)w, subtree);
            self->stack[depth++] = (uint32_t)w;
        } else if (w >= 0) {
            lead_to(self, u, self->index[w]);
        } else {
            if (self->low[u] == self->index[u]) {
                return trapped(state, self, self->index[u]);
            }
            if (--depth > 0) {
                lead_to(self, self->stack[depth - 1], self->low[u]);
            }
        }
    }
    return true;
}

/* Visits all nodes; gives the number of subtrees, or 0 after a conflict. */
static uint32_t explore_all(cns_state *state, reach *self) {
    uint32_t subtrees = 0;
    memset(self->index, 0xff, self->count * sizeof *self->index);
    self->seen = 0;
    visit(state, self, self->root, 0);
    for (int64_t w; (w = next_arc(state, self, self->root)) >= 0;) {
        if (self->index[w] == UNSEEN) {
            self->begin[++subtrees] = self->seen;
            if (!explore(state, self, (uint32_t)w, subtrees)) {
                return 0;
            }
        }
    }
    if (self->seen < self->count) {
        trapped(state, self, 0);
        return 0;
    }
    self->begin[subtrees + 1] = self->count;
    return subtrees;
}

/* The arcs from `node` into the set of subtrees first..last cannot be taken; `reason` is made when
 * there is one. Subtree 0 is the root. */
typedef struct pruning {
    cns_reason reason;
    bool explained;
    bool skips; /* arcs over a subtree; else arcs from, or to, the root */
    uint32_t first, last;
} pruning;

/* The facts for what leaves subtree j upwards: those before it cannot reach it; and, where arcs
 * skip subtree j - 1, those before that one cannot reach that one. */
static cns_reason explain_cut(cns_state *state, reach *self, uint32_t j, bool skips) {
    uint32_t start = cns_because_begin(state);
    uint32_t begin = self->begin[j];
    push_cut(state, self, 1, begin, begin, self->count);
    if (skips) {
        push_cut(state, self, 1, self->begin[j - 1], self->begin[j - 1], begin);
    }
    return cns_because_end(state, start);
}

static bool prune(cns_state *state, reach *self, uint32_t node, uint32_t j, pruning *what) {
    cns_view v = self->x[node];
    int64_t high = cns_view_high(state, v);
    for (int64_t w = cns_view_low(state, v); w <= high; w++) {
        state->ticks++;
        if (self->subtree[w] < what->first || self->subtree[w] > what->last ||
            !cns_view_has(state, v, w)) {
            continue;
        }
        if (!what->explained) {
            what->reason = explain_cut(state, self, j, what->skips);
            what->explained = true;
        }
        if (!cns_view_remove(state, v, w, what->reason)) {
            return false;
        }
    }
    return true;
}

/* From subtree j on, a circuit enters those before it by one of the arcs from j to j - 1: when
 * there is but one, it is taken. */
static bool take_single(cns_state *state, reach *self, uint32_t j) {
    uint32_t from = UNSEEN;
    int64_t to = -1;
    for (uint32_t k = self->begin[j]; k < self->begin[j + 1]; k++) {
        uint32_t u = self->order[k];
        int64_t high = cns_view_high(state, self->x[u]);
        for (int64_t w = cns_view_low(state, self->x[u]); w <= high; w++) {
            state->ticks++;
            if (self->subtree[w] == j - 1 && cns_view_has(state, self->x[u], w)) {
                if (to >= 0) {
                    return true;
                }
                from = u;
                to = w;
            }
        }
    }
    if (to < 0 || cns_view_fixed(state, self->x[from])) {
        return true; /* none: what was pruned leaves a trap for the next run */
    }
    uint32_t start = cns_because_begin(state);
    for (uint32_t i = 0; i < self->count; i++) {
        self->set[i] = self->index[i] >= 1 && self->index[i] < self->begin[j];
    }
    for (uint32_t i = 0; i < self->count; i++) {
        if (!self->set[i] && i != from) {
            cns_facts_no_arc(state, &state->spans, self->x[i], self->set, self->count);
        }
    }
    self->set[to] = false;
    cns_facts_no_arc(state, &state->spans, self->x[from], self->set, self->count);
    cns_reason reason = cns_because_end(state, start);
    return cns_view_raise(state, self->x[from], to, reason) &&
           cns_view_lower(state, self->x[from], to, reason);
}

static bool prune_subtree(cns_state *state, reach *self, uint32_t j) {
    pruning skip = {0, false, true, 1, j - 2};
    pruning home = {0, false, false, 0, 0};
    for (uint32_t k = self->begin[j]; j > 2 && k < self->begin[j + 1]; k++) {
        if (!prune(state, self, self->order[k], j, &skip)) {
            return false;
        }
    }
    for (uint32_t k = self->begin[j]; k < self->begin[j + 1]; k++) {
        if (!prune(state, self, self->order[k], j, &home)) {
            return false;
        }
    }
    return true;
}

static bool visit_all(cns_state *state, reach *self) {
    uint32_t tried = 0;
    do { /* the next node that is not fixed */
        self->root = (self->root + 1) % self->count;
    } while (tried++ < self->count && cns_view_fixed(state, self->x[self->root]));
    uint32_t subtrees = explore_all(state, self);
    if (subtrees < 2) {
        return subtrees == 1;
    }
    pruning early = {0, false, false, 1, subtrees - 1};
    if (!prune(state, self, self->root, subtrees, &early)) {
        return false;
    }
    for (uint32_t j = 2; j <= subtrees; j++) {
        if (!prune_subtree(state, self, j)) {
            return false;
        }
    }
    for (uint32_t j = 2; j <= subtrees; j++) {
        if (!take_single(state, self, j)) {
            return false;
        }
    }
    return true;
}

/* ---- some nodes ----------------------------------------------------------------------------- */

static void reach_forward(cns_state *state, reach *self) {
    for (uint32_t k = 0; k < self->seen; k++) {
        uint32_t u = self->order[k];
        for (int64_t w; (w = next_arc(state, self, u)) >= 0;) {
            if (self->index[w] == UNSEEN) {
                visit(state, self, (uint32_t)w, 0);
            }
        }
    }
}

static void reach_backward(cns_state *state, reach *self) {
    for (uint32_t k = 0; k < self->seen; k++) {
        uint32_t w = self->order[k];
        state->ticks += self->count;
        for (uint32_t u = 0; u < self->count; u++) {
            if (self->index[u] == UNSEEN && cns_view_has(state, self->x[u], w)) {
                visit(state, self, u, 0);
            }
        }
    }
}

/* Nodes that were not reached stay, since no arc joins them to the root in this direction. */
static bool keep_unreached(cns_state *state, reach *self, bool forward) {
    cns_reason reason = CNS_REASON_NONE;
    for (uint32_t i = 0; i < self->count; i++) {
        cns_view v = self->x[i];
        if (self->index[i] != UNSEEN ||
            (cns_view_low(state, v) == i && cns_view_high(state, v) == i)) {
            continue;
        }
        if (reason == CNS_REASON_NONE) {
            uint32_t start = cns_because_begin(state);
            cns_facts_must_move(state, &state->spans, self->x[self->root], self->root, UINT32_MAX);
            for (uint32_t w = 0; w < self->count; w++) {
                self->set[w] = (self->index[w] == UNSEEN) == forward;
            }
            for (uint32_t u = 0; u < self->count; u++) {
                if (!self->set[u]) {
                    cns_facts_no_arc(state, &state->spans, self->x[u], self->set, self->count);
                }
            }
            reason = cns_because_end(state, start);
        }
        if (!cns_view_raise(state, v, i, reason) || !cns_view_lower(state, v, i, reason)) {
            return false;
        }
    }
    return true;
}

static bool visit_some(cns_state *state, reach *self) {
    uint32_t root = 0;
    while (root < self->count && cns_view_has(state, self->x[root], root)) {
        root++;
    }
    self->root = root;
    for (int forward = 1; root < self->count && forward >= 0; forward--) {
        memset(self->index, 0xff, self->count * sizeof *self->index);
        self->seen = 0;
        visit(state, self, root, 0);
        if (forward) {
            reach_forward(state, self);
        } else {
            reach_backward(state, self);
        }
        if (!keep_unreached(state, self, forward)) {
            return false;
        }
    }
    return true;
}

/* ---- the propagator ------------------------------------------------------------------------- */

static bool propagate(cns_state *state, cns_propagator *p) {
    reach *self = (reach *)p;
    return self->subcircuit ? visit_some(state, self) : visit_all(state, self);
}

static const cns_propagator_class reach_class = {
    .name = "circuit_reach",
    .propagate = propagate,
    .destroy = cns_block_destroy,
};

static reach *create(cns_state *state, cns_post post, cns_views x, bool subcircuit) {
    size_t size = sizeof(reach);
    size_t n = x.count;
    size_t views = cns_block_place(&size, n, sizeof(cns_view));
    size_t next = cns_block_place(&size, n, sizeof(int64_t));
    size_t numbers = cns_block_place(&size, 6 * n + 2, sizeof(uint32_t));
    size_t set = cns_block_place(&size, n, sizeof(bool));
    reach *self = cns_block_create(state, post, size, &reach_class, 3);
    if (self == NULL) {
        return NULL;
    }
    self->count = x.count;
    self->subcircuit = subcircuit;
    self->x = cns_block_at(self, views);
    memcpy(self->x, x.data, n * sizeof *x.data);
    self->next = cns_block_at(self, next);
    self->order = cns_block_at(self, numbers);
    self->index = self->order + n;
    self->low = self->index + n;
    self->stack = self->low + n;
    self->subtree = self->stack + n;
    self->begin = self->subtree + n;
    self->set = cns_block_at(self, set);
    return self;
}

cns_status cns_post_circuit_reach(cns_state *state, cns_post post, cns_views x, bool subcircuit) {
    if (!cns_may_post(state) || x.count < 3) {
        return state->status;
    }
    reach *self = create(state, post, x, subcircuit);
    if (self == NULL || cns_attach(state, &self->block.head) != CNS_OK) {
        return state->status;
    }
    for (uint32_t i = 0; i < x.count; i++) {
        if (!cns_watch_domain(state, x.data[i], &self->block.head, 0)) {
            break;
        }
    }
    return state->status;
}
