/* SPDX-License-Identifier: MIT
 *
 * solver/globals/mdd_clauses.c - a layered diagram as clauses.
 *
 * Literals say which nodes and edges are on the path: an edge implies both its nodes and its range,
 * a node implies one of its edges on either side, a value implies one of the edges that admit it.
 * So what is not on any path falls by unit propagation, and conflicts can be learnt in terms of
 * nodes, which summarise what came before. Where one literal would say the same as another there
 * is only one: an edge alone at its node is that node, a value's only edge is that value.
 */
#include <string.h>

#include "solver/globals/block.h"
#include "solver/globals/layers.h"
#include "solver/proof.h"

typedef struct encoder {
    cns_state *state;
    const cns_layers *layers;
    cns_lit *node;      /* by node; CNS_LIT_NONE: none yet */
    uint32_t *out, *in; /* by node: how many edges */
    cns_lit *edge;      /* of the layer */
    uint32_t *sorted;   /* of the layer: edges by the node that they lead to, then by range */
    cns_lit *clause;
    int64_t *borders; /* of the layer: where ranges begin, or have ended */
    uint32_t border_count;
    uint32_t *cover_start; /* by border: what of `cover` admits the values from there on */
    uint32_t *cover;       /* edges of the layer */
    size_t cover_capacity;
} encoder;

static const cns_mdd_edge *edges_of(const encoder *c, uint32_t k) {
    return c->layers->edges + c->layers->start[k];
}

static bool imply(encoder *c, cns_lit a, cns_lit b) {
    return a == b || cns_post_clause(c->state, (cns_lit[]){a ^ 1, b}, 2);
}

/* ---- literals ------------------------------------------------------------------------------- */

/* Literals for the nodes that layer k leads to; of a single one it is known. */
static bool name_nodes(encoder *c, uint32_t k) {
    const cns_mdd_edge *edges = edges_of(c, k);
    bool single = true;
    for (uint32_t e = 0; e < c->layers->count[k]; e++) {
        single = single && edges[e].to == edges[0].to;
    }
    for (uint32_t e = 0; e < c->layers->count[k]; e++) {
        cns_lit *lit = &c->node[edges[e].to];
        if (*lit == CNS_LIT_NONE) {
            *lit = single ? CNS_LIT_TRUE : cns_new_bool(c->state);
            cns_proof_define_part(c->state, *lit, "node", (const int64_t[]){k, edges[e].to}, 2);
        }
        if (*lit == CNS_LIT_NONE) {
            return false;
        }
    }
    return true;
}

/* Whether edge e, of one value, is the only one that admits it. */
static bool is_only_cover(const encoder *c, const cns_mdd_edge *edge) {
    uint32_t b = cns_values_find(c->borders, c->border_count, edge->low);
    return c->cover_start[b + 1] - c->cover_start[b] == 1;
}

static cns_lit name_edge(encoder *c, uint32_t k, uint32_t e) {
    const cns_mdd_edge *edge = edges_of(c, k) + e;
    if (c->out[edge->from] == 1) {
        return c->node[edge->from];
    }
    if (c->in[edge->to] == 1) {
        return c->node[edge->to];
    }
    if (edge->low == edge->high && is_only_cover(c, edge)) {
        return cns_view_lit_eq(c->state, c->layers->x.data[k], edge->low);
    }
    cns_lit lit = cns_new_bool(c->state);
    cns_proof_define_part(c->state, lit, "edge", (const int64_t[]){k, e}, 2);
    return lit;
}

/* ---- the clauses of a layer ----------------------------------------------------------------- */

static bool post_edge(encoder *c, uint32_t k, uint32_t e) {
    const cns_mdd_edge *edge = edges_of(c, k) + e;
    cns_view v = c->layers->x.data[k];
    cns_lit lit = c->edge[e] = name_edge(c, k, e);
    if (lit == CNS_LIT_NONE || !imply(c, lit, c->node[edge->from]) ||
        !imply(c, lit, c->node[edge->to])) {
        return false;
    }
    if (edge->low == edge->high) {
        return imply(c, lit, cns_view_lit_eq(c->state, v, edge->low));
    }
    return imply(c, lit, cns_view_lit_ge(c->state, v, edge->low)) &&
           imply(c, lit, cns_view_lit_le(c->state, v, edge->high));
}

/* A node implies one of the edges `list[0 .. count - 1]`. */
static bool post_choice(encoder *c, cns_lit node, const uint32_t *list, uint32_t count) {
    c->clause[0] = node ^ 1;
    for (uint32_t i = 0; i < count; i++) {
        c->clause[i + 1] = c->edge[list[i]];
        if (c->edge[list[i]] == node) {
            return true;
        }
    }
    return cns_post_clause(c->state, c->clause, count + 1);
}

static bool post_nodes(encoder *c, uint32_t k) {
    const cns_mdd_edge *edges = edges_of(c, k);
    uint32_t count = c->layers->count[k];
    for (uint32_t e = 0; e < count; e++) {
        c->sorted[e] = e;
    }
    for (uint32_t e = 0, n; e < count; e += n) {
        n = c->out[edges[e].from];
        if (!post_choice(c, c->node[edges[e].from], c->sorted + e, n)) {
            return false;
        }
    }
    for (uint32_t e = 0; e < count; e++) {
        c->borders[e] = edges[e].to;
    }
    cns_order_by(c->sorted, count, c->borders);
    for (uint32_t e = 0, n; e < count; e += n) {
        uint32_t node = edges[c->sorted[e]].to;
        n = c->in[node];
        if (!post_choice(c, c->node[node], c->sorted + e, n)) {
            return false;
        }
    }
    return true;
}

/* Values borders[b] .. borders[b + 1] - 1 imply one of the edges that admit them. */
static bool post_values(encoder *c, uint32_t k) {
    cns_view v = c->layers->x.data[k];
    for (uint32_t b = 0; b + 1 < c->border_count; b++) {
        int64_t low = c->borders[b];
        int64_t high = c->borders[b + 1] - 1;
        uint32_t count = 0;
        if (low == high && !cns_view_has(c->state, v, low)) {
            continue;
        }
        if (low == high) {
            c->clause[count++] = cns_view_lit_eq(c->state, v, low) ^ 1;
        } else {
            c->clause[count++] = cns_view_lit_ge(c->state, v, low) ^ 1;
            c->clause[count++] = cns_view_lit_le(c->state, v, high) ^ 1;
        }
        for (uint32_t i = c->cover_start[b]; i < c->cover_start[b + 1]; i++) {
            c->clause[count++] = c->edge[c->cover[i]];
        }
        bool is_value = count == 2 && c->clause[1] == (c->clause[0] ^ 1);
        if (!is_value && !cns_post_clause(c->state, c->clause, count)) {
            return false;
        }
    }
    return true;
}

/* ---- which edges admit a value -------------------------------------------------------------- */

static void find_borders(encoder *c, uint32_t k) {
    const cns_mdd_edge *edges = edges_of(c, k);
    uint32_t count = c->layers->count[k];
    for (uint32_t e = 0; e < count; e++) {
        c->borders[2 * e] = edges[e].low;
        c->borders[2 * e + 1] = edges[e].high + 1;
    }
    c->border_count = cns_values_sort(c->borders, 2 * count);
}

static bool reserve_cover(encoder *c, size_t need) {
    if (need <= c->cover_capacity) {
        return true;
    }
    cns_scratch_destroy(c->state, c->cover, c->cover_capacity, sizeof *c->cover);
    c->cover_capacity = 0;
    c->cover = cns_scratch_create(c->state, need, sizeof *c->cover);
    c->cover_capacity = c->cover == NULL ? 0 : need;
    return c->cover != NULL;
}

static bool find_cover(encoder *c, uint32_t k) {
    const cns_mdd_edge *edges = edges_of(c, k);
    uint32_t count = c->layers->count[k];
    find_borders(c, k);
    memset(c->cover_start, 0, (c->border_count + 1) * sizeof *c->cover_start);
    for (int writes = 0; writes < 2; writes++) {
        for (uint32_t e = count; e-- > 0;) {
            if (!cns_poll(c->state)) {
                return false;
            }
            uint32_t b = cns_values_find(c->borders, c->border_count, edges[e].low);
            for (; c->borders[b] <= edges[e].high; b++) {
                if (writes) {
                    c->cover[--c->cover_start[b]] = e;
                } else {
                    c->cover_start[b]++;
                }
                c->state->ticks++;
            }
        }
        for (uint32_t b = 0; !writes && b < c->border_count; b++) {
            c->cover_start[b + 1] += c->cover_start[b]; /* the ends, that writing moves back */
        }
        if (!writes && !reserve_cover(c, c->cover_start[c->border_count])) {
            return false;
        }
    }
    return true;
}

static bool post_layer(encoder *c, uint32_t k) {
    if (!cns_poll(c->state) || !find_cover(c, k) ||
        !cns_view_confine(c->state, c->layers->x.data[k], c->borders[0],
                          c->borders[c->border_count - 1] - 1) ||
        !name_nodes(c, k)) {
        return false;
    }
    for (uint32_t e = 0; e < c->layers->count[k]; e++) {
        if (!post_edge(c, k, e)) {
            return false;
        }
    }
    c->state->ticks += 8 * (uint64_t)c->layers->count[k];
    return post_values(c, k) && post_nodes(c, k);
}

static void count_edges(encoder *c) {
    for (uint32_t k = 0; k < c->layers->x.count; k++) {
        for (uint32_t e = 0; e < c->layers->count[k]; e++) {
            c->out[edges_of(c, k)[e].from]++;
            c->in[edges_of(c, k)[e].to]++;
        }
    }
}

void cns_post_layers(cns_state *state, const cns_layers *layers) {
    encoder c = {.state = state, .layers = layers};
    size_t width = 0;
    for (uint32_t k = 0; k < layers->x.count; k++) {
        width = layers->count[k] > width ? layers->count[k] : width;
    }
    size_t nodes = layers->node_count;
    size_t numbers = 3 * nodes + 5 * width + 4;
    uint32_t *memory = cns_scratch_create(state, numbers, sizeof *memory);
    c.borders = cns_scratch_create(state, 2 * width, sizeof *c.borders);
    if (memory != NULL && c.borders != NULL) {
        c.node = memory;
        c.out = c.node + nodes;
        c.in = c.out + nodes;
        c.edge = c.in + nodes;
        c.sorted = c.edge + width;
        c.clause = c.sorted + width;
        c.cover_start = c.clause + width + 2;
        memset(c.node, 0xff, nodes * sizeof *c.node);
        c.node[layers->edges[layers->start[0]].from] = CNS_LIT_TRUE;
        count_edges(&c);
        for (uint32_t k = 0; k < layers->x.count; k++) {
            cns_proof_layer(state, edges_of(&c, k), layers->count[k]);
        }
        for (uint32_t k = 0; k < layers->x.count && post_layer(&c, k);) {
            k++;
        }
    }
    cns_scratch_destroy(state, c.cover, c.cover_capacity, sizeof *c.cover);
    cns_scratch_destroy(state, c.borders, 2 * width, sizeof *c.borders);
    cns_scratch_destroy(state, memory, numbers, sizeof *memory);
}
