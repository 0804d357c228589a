/* SPDX-License-Identifier: MIT
 *
 * solver/load_mdd.c - a decision diagram as it was given: its edges by layers.
 */
#include "solver/globals/block.h"
#include "solver/load_args.h"
#include "solver/model_kind.h"

#include <string.h>

typedef struct diagram {
    cns_state *s;
    const int64_t *given; /* edges: from, low, high, to */
    uint32_t count, nodes, layers;
    uint32_t *first, *order; /* edges by node, as cns_mdd_index makes them */
    uint32_t *queue;         /* nodes that are reached */
    uint32_t *layer;         /* by node; UINT32_MAX: not reached */
    uint32_t *start;         /* by layer, and one more: where its edges begin */
    cns_mdd_edge *edges;     /* of nodes that are reached, by layer */
} diagram;

/* The layer of each node is its distance from node 1: the model has seen to it that there is one.
 */
static bool find_layers(diagram *d) {
    uint32_t head = 0, tail = 0;
    memset(d->layer, 0xff, (d->nodes + (size_t)1) * sizeof *d->layer);
    cns_mdd_index(d->given, d->count, d->nodes, d->first, d->order);
    d->layer[1] = 0;
    d->queue[tail++] = 1;
    for (; head < tail && cns_poll_round(d->s, head); head++) {
        uint32_t node = d->queue[head];
        for (uint32_t k = d->first[node]; k < d->first[node + 1]; k++) {
            uint32_t to = (uint32_t)d->given[4 * (size_t)d->order[k] + 3];
            if (to != 0 && d->layer[to] == UINT32_MAX) {
                d->layer[to] = d->layer[node] + 1;
                d->queue[tail++] = to;
            }
        }
    }
    return d->s->status == CNS_OK;
}

/* Sorts the edges by layer, and renumbers nodes: 1, the first, becomes 0, and 0, the last, 1. */
static bool sort_edges(diagram *d) {
    uint32_t *start = d->start;
    for (uint32_t e = 0; e < d->count; e++) {
        uint32_t layer = d->layer[d->given[4 * (size_t)e]];
        if (layer != UINT32_MAX) {
            start[layer]++;
        }
    }
    for (uint32_t k = 1; k <= d->layers; k++) {
        start[k] += start[k - 1];
    }
    for (uint32_t e = d->count; e-- > 0 && cns_poll_round(d->s, e);) { /* ends become starts */
        const int64_t *edge = d->given + 4 * (size_t)e;
        uint32_t layer = d->layer[edge[0]];
        if (layer != UINT32_MAX) {
            uint32_t from = edge[0] == 1 ? 0 : (uint32_t)edge[0];
            uint32_t to = edge[3] == 0 ? 1 : (uint32_t)edge[3];
            d->edges[--start[layer]] = (cns_mdd_edge){from, to, edge[1], edge[2]};
        }
    }
    return d->s->status == CNS_OK;
}

cns_status cns_loading_mdd(const cns_loading *k) {
    cns_state *s = k->s;
    cns_views x;
    if (!cns_arg_views(k, 0, &x)) {
        return s->status;
    }
    diagram d = {.s = s,
                 .given = cns_arg_ints(k, 1),
                 .count = k->c->i[1].count / 4,
                 .nodes = (uint32_t)cns_arg_int(k, 0, 0, 1),
                 .layers = x.count};
    size_t nodes = (size_t)d.nodes + 2;
    size_t words = 3 * nodes + d.count + d.layers + 1;
    uint32_t *memory = cns_scratch_create(s, words, sizeof *memory);
    d.edges = cns_scratch_create(s, d.count, sizeof *d.edges);
    if (memory != NULL && d.edges != NULL) {
        d.first = memory;
        d.layer = d.first + nodes;
        d.queue = d.layer + nodes;
        d.order = d.queue + nodes;
        d.start = d.order + d.count;
        if (find_layers(&d) && sort_edges(&d)) {
            cns_post_mdd(s, k->post, x, d.edges, d.start, d.nodes + 1);
        }
    }
    cns_scratch_destroy(s, d.edges, d.count, sizeof *d.edges);
    cns_scratch_destroy(s, memory, words, sizeof *memory);
    return s->status;
}
