/* SPDX-License-Identifier: MIT
 *
 * solver/globals/regular.c - views spell a word that an automaton accepts.
 *
 * The automaton is unrolled over the views (Pesant 2004), from its start as far as their domains
 * let it go; mdd.c drops what does not lead to acceptance and merges states that have become
 * equivalent, so that an automaton need not be minimal.
 */
#include <string.h>

#include "solver/globals/block.h"

enum { FIRST_NODE = 0, LAST_NODE = 1 };

typedef struct unrolling {
    cns_state *state;
    cns_views x;
    int64_t states, symbols;
    const int64_t *next;
    uint32_t *node[2]; /* by state: its node in this layer and the next; UINT32_MAX: not reached */
    bool *accepting;
    int64_t *possible; /* symbols of the layer */
    uint32_t *layer_start;
    uint32_t node_count;
    cns_mdd_edge *edges;
    uint32_t edge_count, edge_capacity;
} unrolling;

/* The node that a transition to `target` of the given layer leads to; UINT32_MAX: none. */
static uint32_t target_node(unrolling *u, uint32_t k, int64_t target) {
    if (target == 0 || (k + 1 == u->x.count && !u->accepting[target])) {
        return UINT32_MAX;
    }
    uint32_t *node = &u->node[(k + 1) & 1][target];
    if (*node == UINT32_MAX) {
        *node = k + 1 == u->x.count ? (uint32_t)LAST_NODE : u->node_count++;
    }
    return *node;
}

static bool add_edge(unrolling *u, uint32_t k, uint32_t from, uint32_t to, int64_t symbol) {
    bool first = u->edge_count == u->layer_start[k];
    cns_mdd_edge *last = first ? NULL : u->edges + u->edge_count - 1;
    if (last != NULL && last->from == from && last->to == to && last->high + 1 == symbol) {
        last->high = symbol;
        return true;
    }
    if (!cns_grow(u->state, &u->edges, sizeof *u->edges, &u->edge_capacity, u->edge_count + 1)) {
        return false;
    }
    u->edges[u->edge_count++] = (cns_mdd_edge){from, to, symbol, symbol};
    return true;
}

static uint32_t list_symbols(const unrolling *u, cns_view v) {
    int64_t high = cns_view_high(u->state, v);
    uint32_t count = 0;
    for (int64_t s = cns_view_low(u->state, v); s <= high; s++) {
        if (cns_view_has(u->state, v, s)) {
            u->possible[count++] = s;
        }
    }
    return count;
}

/* `count` symbols are possible in layer k. */
static bool unroll_state(unrolling *u, uint32_t k, int64_t q, uint32_t count) {
    uint32_t from = u->node[k & 1][q];
    const int64_t *next = u->next + (q - 1) * u->symbols - 1;
    if (!cns_poll(u->state)) {
        return false;
    }
    u->state->ticks += count;
    for (uint32_t i = 0; i < count; i++) {
        int64_t symbol = u->possible[i];
        uint32_t to = target_node(u, k, next[symbol]);
        if (to != UINT32_MAX && !add_edge(u, k, from, to, symbol)) {
            return false;
        }
    }
    return true;
}

static bool unroll(unrolling *u, int64_t start) {
    size_t row = ((size_t)u->states + 1) * sizeof(uint32_t);
    memset(u->node[0], 0xff, row);
    u->node[0][start] = FIRST_NODE;
    u->node_count = 2;
    for (uint32_t k = 0; k < u->x.count; k++) {
        memset(u->node[(k + 1) & 1], 0xff, row);
        u->layer_start[k] = u->edge_count;
        uint32_t count = list_symbols(u, u->x.data[k]);
        for (int64_t q = 1; q <= u->states; q++) {
            if (u->node[k & 1][q] != UINT32_MAX && !unroll_state(u, k, q, count)) {
                return false;
            }
        }
    }
    u->layer_start[u->x.count] = u->edge_count;
    return true;
}

cns_status cns_post_regular(cns_state *state, cns_post post, cns_views x, int64_t states,
                            int64_t symbols, const int64_t *next, int64_t start,
                            const int64_t *accepting, uint32_t accepting_count) {
    for (uint32_t i = 0; i < x.count; i++) {
        if (!cns_view_confine(state, x.data[i], 1, symbols)) {
            return state->status;
        }
    }
    size_t rows = (size_t)states + 1;
    unrolling u = {.state = state, .x = x, .states = states, .symbols = symbols, .next = next};
    u.node[0] = cns_scratch_create(state, 2 * rows, sizeof(uint32_t));
    u.accepting = cns_scratch_create(state, rows, sizeof(bool));
    u.possible = cns_scratch_create(state, (size_t)symbols, sizeof *u.possible);
    u.layer_start = cns_scratch_create(state, (size_t)x.count + 1, sizeof(uint32_t));
    if (state->status == CNS_OK) {
        u.node[1] = u.node[0] + rows;
        for (uint32_t i = 0; i < accepting_count; i++) {
            u.accepting[accepting[i]] = true;
        }
        if (x.count == 0) {
            if (!u.accepting[start]) {
                cns_post_false(state);
            }
        } else if (unroll(&u, start)) {
            cns_post_mdd(state, post, x, u.edges, u.layer_start, u.node_count);
        }
    }
    cns_context_free(state->context, u.edges, u.edge_capacity * sizeof *u.edges, CNS_ALIGN_DEFAULT);
    cns_scratch_destroy(state, u.layer_start, (size_t)x.count + 1, sizeof(uint32_t));
    cns_scratch_destroy(state, u.possible, (size_t)symbols, sizeof *u.possible);
    cns_scratch_destroy(state, u.accepting, rows, sizeof(bool));
    cns_scratch_destroy(state, u.node[0], 2 * rows, sizeof(uint32_t));
    return state->status;
}
