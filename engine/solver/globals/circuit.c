/* SPDX-License-Identifier: MIT
 *
 * solver/globals/circuit.c - one circuit through all nodes, or through some.
 *
 * Successors differ (alldifferent.c). Fixed arcs form chains, kept by their ends in cells that are
 * restored on backtracking: the end of a chain may not close it while nodes are left that must be
 * visited. Each such deduction is explained, when asked, by the chain's arcs as they were then
 * (Francis, Stuckey 2014). What follows from reachability is found in circuit_reach.c.
 */
#include "solver/globals/circuit.h"

#include <string.h>

enum { NO_NODE = -1 };

typedef struct circuit {
    cns_block block;
    uint32_t count;
    bool subcircuit;
    cns_view *x;
    int64_t *before; /* the node before, by fixed arcs; NO_NODE: none */
    int64_t *first;  /* by the last node of a chain */
    int64_t *last;   /* by the first node */
    int64_t *length; /* in nodes; by the first node */
    int64_t *linked; /* the arc from this node is part of a chain */
    uint32_t *pending;
    bool *is_pending;
    uint32_t pending_count;
    bool *on_chain;
} circuit;

static void forget_pending(circuit *self) {
    while (self->pending_count > 0) {
        self->is_pending[self->pending[--self->pending_count]] = false;
    }
}

static bool must_move(const cns_state *state, const circuit *self, uint32_t node) {
    return !cns_view_has(state, self->x[node], node);
}

/* ---- explanations --------------------------------------------------------------------------- */

/* Appends the arcs of the chain from `node`, up to one that was open before `position` or leads
 * back; marks its nodes. */
static void push_chain(cns_state *state, circuit *self, uint32_t node, uint32_t position,
                       cns_facts *out) {
    bool *on_chain = self->on_chain;
    memset(on_chain, 0, self->count * sizeof *on_chain);
    while (!on_chain[node]) {
        cns_view v = self->x[node];
        on_chain[node] = true;
        state->ticks += 2;
        if (!cns_view_fixed_before(state, v, position)) {
            break;
        }
        int64_t next = cns_view_low_before(state, v, position);
        cns_push_value(state, out, v, next, position);
        node = (uint32_t)next;
    }
}

bool cns_facts_must_move(cns_state *state, cns_facts *out, cns_view v, int64_t node,
                         uint32_t position) {
    cns_lit lit = cns_find_eq(state, v.term, node - v.offset);
    if (cns_view_low_before(state, v, position) > node) {
        cns_facts_push(state, out, cns_view_ge(v, node + 1));
    } else if (cns_view_high_before(state, v, position) < node) {
        cns_facts_push(state, out, cns_view_le(v, node - 1));
    } else if (lit != CNS_LIT_NONE && cns_true_before(state, lit ^ 1, position)) {
        cns_facts_push(state, out, cns_fact_lit(lit ^ 1));
    } else {
        return false;
    }
    return true;
}

/* `data` is the first node of a chain: its last node may not lead to it, or, where it does, nodes
 * beyond may not move. For the former a subcircuit names a node beyond that must move. */
static void explain(cns_state *state, cns_propagator *p, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    (void)fact;
    circuit *self = (circuit *)p;
    push_chain(state, self, data >> 1, position, out);
    bool closed = (data & 1) != 0;
    if (closed || !self->subcircuit) {
        return;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        if (!self->on_chain[i] && cns_facts_must_move(state, out, self->x[i], i, position)) {
            return;
        }
    }
}

/* ---- propagation ---------------------------------------------------------------------------- */

/* The end of the chain from `first` may not lead back to it. */
static bool keep_open(cns_state *state, circuit *self, int64_t first) {
    cns_view v = self->x[self->last[first]];
    return !cns_view_has(state, v, first) ||
           cns_view_remove(state, v, first,
                           cns_reason_lazy(&self->block.head, (uint32_t)first << 1));
}

/* A circuit through `node` is closed: the others stay where they are. */
static bool close_circuit(cns_state *state, circuit *self, uint32_t node) {
    uint32_t start = cns_because_begin(state);
    push_chain(state, self, node, UINT32_MAX, &state->spans);
    if (!self->subcircuit) {
        return cns_conflict(state, cns_because_end(state, start));
    }
    state->spans.count = start; /* each of what follows is explained when asked */
    cns_reason reason = cns_reason_lazy(&self->block.head, node << 1 | 1);
    for (uint32_t i = 0; i < self->count; i++) {
        cns_view v = self->x[i];
        if (!self->on_chain[i] &&
            (!cns_view_raise(state, v, i, reason) || !cns_view_lower(state, v, i, reason))) {
            return false;
        }
    }
    return true;
}

static bool save_link(cns_state *state, circuit *self, int64_t from, int64_t to) {
    int64_t first = self->first[from];
    int64_t last = self->last[to];
    return cns_save(state, &self->linked[from], 1) && cns_save(state, &self->before[to], from) &&
           cns_save(state, &self->last[first], last) &&
           cns_save(state, &self->first[last], first) &&
           cns_save(state, &self->length[first], self->length[first] + self->length[to]);
}

static bool link_node(cns_state *state, circuit *self, uint32_t node) {
    cns_view v = self->x[node];
    state->ticks += 4;
    if (!cns_view_fixed(state, v) || self->linked[node]) {
        return true;
    }
    int64_t to = cns_view_low(state, v);
    if ((self->subcircuit && to == (int64_t)node) || self->before[to] != NO_NODE) {
        return true; /* alone, or alldifferent will refuse it */
    }
    int64_t first = self->first[node];
    if (first == to) {
        return self->length[first] == (int64_t)self->count ||
               close_circuit(state, self, (uint32_t)to);
    }
    if (!save_link(state, self, node, to)) {
        return false;
    }
    return self->subcircuit || self->length[first] == (int64_t)self->count ||
           keep_open(state, self, first);
}

/* Chains of a subcircuit stay open while another chain, or node that must move, is left. */
static bool keep_all_open(cns_state *state, circuit *self) {
    uint32_t groups = 0;
    state->ticks += self->count;
    for (uint32_t i = 0; i < self->count && groups < 2; i++) {
        groups += self->before[i] == NO_NODE && must_move(state, self, i);
    }
    if (groups < 2) {
        return true;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->before[i] == NO_NODE && self->length[i] > 1 && !keep_open(state, self, i)) {
            return false;
        }
    }
    return true;
}

static bool propagate(cns_state *state, cns_propagator *p) {
    circuit *self = (circuit *)p;
    bool all = state->level == 0; /* what a cancelled run at the root would have seen, too */
    bool good = true;
    for (uint32_t i = 0; all && good && i < self->count; i++) {
        good = link_node(state, self, i);
    }
    for (uint32_t k = 0; !all && good && k < self->pending_count; k++) {
        good = link_node(state, self, self->pending[k]);
    }
    forget_pending(self);
    return good && (!self->subcircuit || keep_all_open(state, self));
}

static bool wake(cns_state *state, cns_propagator *p, uint32_t data) {
    (void)state;
    circuit *self = (circuit *)p;
    if (data < self->count && !self->is_pending[data]) {
        self->is_pending[data] = true;
        self->pending[self->pending_count++] = data;
    }
    return true;
}

static void cancel(cns_state *state, cns_propagator *p) {
    (void)state;
    forget_pending((circuit *)p);
}

static const cns_propagator_class circuit_class = {
    .name = "circuit",
    .propagate = propagate,
    .explain = explain,
    .wake = wake,
    .cancel = cancel,
    .destroy = cns_block_destroy,
};

static circuit *create(cns_state *state, cns_post post, cns_views x, bool subcircuit) {
    size_t size = sizeof(circuit);
    size_t n = x.count;
    size_t views = cns_block_place(&size, n, sizeof(cns_view));
    size_t cells = cns_block_place(&size, 5 * n, sizeof(int64_t));
    size_t pending = cns_block_place(&size, n, sizeof(uint32_t));
    size_t marks = cns_block_place(&size, 2 * n, sizeof(bool));
    circuit *self = cns_block_create(state, post, size, &circuit_class, 1);
    if (self == NULL) {
        return NULL;
    }
    self->count = x.count;
    self->subcircuit = subcircuit;
    self->x = cns_block_at(self, views);
    memcpy(self->x, x.data, n * sizeof *x.data);
    self->before = cns_block_at(self, cells);
    self->first = self->before + n;
    self->last = self->first + n;
    self->length = self->last + n;
    self->linked = self->length + n;
    for (size_t i = 0; i < n; i++) {
        self->before[i] = NO_NODE;
        self->first[i] = self->last[i] = (int64_t)i;
        self->length[i] = 1;
    }
    self->pending = cns_block_at(self, pending);
    self->is_pending = cns_block_at(self, marks);
    self->on_chain = self->is_pending + n;
    return self;
}

static cns_status post_chains(cns_state *state, cns_post post, cns_views x, bool subcircuit) {
    circuit *self = create(state, post, x, subcircuit);
    if (self == NULL || cns_attach(state, &self->block.head) != CNS_OK) {
        return state->status;
    }
    cns_propagator *p = &self->block.head;
    for (uint32_t i = 0; i < x.count; i++) {
        if (!cns_watch_fixed(state, x.data[i], p, i)) {
            return state->status;
        }
        cns_lit stays = subcircuit ? cns_view_lit_eq(state, x.data[i], i) : CNS_LIT_TRUE;
        if (stays == CNS_LIT_NONE || (subcircuit && !cns_watch_lit(state, stays ^ 1, p, x.count))) {
            return state->status;
        }
    }
    return state->status;
}

cns_status cns_post_circuit(cns_state *state, cns_post post, cns_views successors,
                            bool subcircuit) {
    uint32_t n = successors.count;
    for (uint32_t i = 0; i < n; i++) {
        if (!cns_view_confine(state, successors.data[i], 0, (int64_t)n - 1) ||
            (!subcircuit && n > 1 &&
             !cns_view_remove(state, successors.data[i], i, CNS_REASON_NONE))) {
            return state->status;
        }
    }
    if (cns_post_alldifferent(state, post, successors) != CNS_OK ||
        post_chains(state, post, successors, subcircuit) != CNS_OK || !cns_may_post(state)) {
        return state->status;
    }
    return cns_post_circuit_reach(state, post, successors, subcircuit);
}
