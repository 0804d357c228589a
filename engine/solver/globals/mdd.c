/* SPDX-License-Identifier: MIT
 *
 * solver/globals/mdd.c - a layered decision diagram: views follow a path of edges.
 *
 * From the last layer to the first, edges that the domains or dead ends exclude go, ranges that
 * touch are joined, and nodes with the same edges become one (as BDDs are reduced, Bryant 1986).
 * Then what the first node does not reach goes. What is left is posted by mdd_clauses.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "solver/globals/block.h"
#include "solver/globals/layers.h"

enum { FIRST_NODE = 0, LAST_NODE = 1, FEW = 32 };

typedef struct out_list { /* the edges of a node within its layer */
    uint32_t node, start, count;
    uint64_t hash;
} out_list;

typedef struct reducer {
    cns_state *state;
    cns_layers layers;
    uint32_t *merged;   /* by node: the node that stands for it */
    bool *alive;        /* by node: leads to the last one (then: is reached from the first) */
    out_list *lists;    /* scratch of a layer */
    cns_mdd_edge *copy; /* scratch of a layer */
    uint32_t *begin;    /* the same */
} reducer;

static int compare_edges(const void *a, const void *b) {
    const cns_mdd_edge *x = a;
    const cns_mdd_edge *y = b;
    if (x->from != y->from) {
        return x->from < y->from ? -1 : 1;
    }
    if (x->to != y->to) {
        return x->to < y->to ? -1 : 1;
    }
    return (x->low > y->low) - (x->low < y->low);
}

static int compare_lists(const void *a, const void *b) {
    const out_list *x = a;
    const out_list *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return (x->node > y->node) - (x->node < y->node);
}

/* Shrinks an edge to the view's bounds, over values that are not in its domain; false: empty. */
static bool clip(const cns_state *state, cns_view v, cns_mdd_edge *edge) {
    int64_t low = cns_view_low(state, v);
    int64_t high = cns_view_high(state, v);
    edge->low = edge->low < low ? low : edge->low;
    edge->high = edge->high > high ? high : edge->high;
    if (edge->low == edge->high) {
        return cns_view_has(state, v, edge->low);
    }
    return edge->low <= edge->high;
}

/* Few at a time: edges of one node, by where they lead and then by range. */
static void insert_edges(cns_mdd_edge *edges, uint32_t count) {
    for (uint32_t e = 1; e < count; e++) {
        cns_mdd_edge edge = edges[e];
        uint32_t k = e;
        for (; k > 0 && compare_edges(&edge, &edges[k - 1]) < 0; k--) {
            edges[k] = edges[k - 1];
        }
        edges[k] = edge;
    }
}

/* Sorts edges: those of a layer whose nodes have numbers close together, as an unrolled automaton
 * has them, are first put where the ones of their node begin. */
static void sort_edges(reducer *r, cns_mdd_edge *edges, uint32_t count) {
    uint32_t low = UINT32_MAX;
    uint32_t high = 0;
    for (uint32_t e = 0; e < count; e++) {
        low = edges[e].from < low ? edges[e].from : low;
        high = edges[e].from > high ? edges[e].from : high;
    }
    if (count < 2 || high - low >= count) {
        qsort(edges, count, sizeof *edges, compare_edges);
        return;
    }
    uint32_t *begin = r->begin; /* by node, from `low` on */
    memset(begin, 0, (high - low + (size_t)1) * sizeof *begin);
    for (uint32_t e = 0; e < count; e++) {
        begin[edges[e].from - low]++;
    }
    for (uint32_t k = 0, before = 0; k <= high - low; k++) {
        uint32_t next = before + begin[k];
        begin[k] = before;
        before = next;
    }
    for (uint32_t e = 0; e < count; e++) {
        r->copy[begin[edges[e].from - low]++] = edges[e];
    }
    memcpy(edges, r->copy, count * sizeof *edges);
    for (uint32_t e = 0; e < count;) { /* begins have become ends */
        uint32_t end = begin[edges[e].from - low];
        if (end - e <= FEW) {
            insert_edges(edges + e, end - e);
        } else {
            qsort(edges + e, end - e, sizeof *edges, compare_edges);
        }
        e = end;
    }
}

/* Keeps the edges of layer k that may be taken, sorted, those that touch as one. */
static void tidy_layer(reducer *r, uint32_t k) {
    cns_mdd_edge *edges = r->layers.edges + r->layers.start[k];
    uint32_t kept = 0;
    for (uint32_t e = 0; e < r->layers.count[k]; e++) {
        cns_mdd_edge edge = edges[e];
        if (r->alive[edge.to] && clip(r->state, r->layers.x.data[k], &edge)) {
            edge.to = r->merged[edge.to];
            edges[kept++] = edge;
        }
    }
    sort_edges(r, edges, kept);
    uint32_t count = 0;
    for (uint32_t e = 0; e < kept; e++) {
        cns_mdd_edge *last = count > 0 ? edges + count - 1 : NULL;
        if (last != NULL && last->from == edges[e].from && last->to == edges[e].to &&
            edges[e].low <= last->high + 1) {
            last->high = edges[e].high > last->high ? edges[e].high : last->high;
        } else {
            edges[count++] = edges[e];
        }
    }
    r->state->ticks += 4 * (uint64_t)r->layers.count[k];
    r->layers.count[k] = count;
}

static uint64_t hash_edge(uint64_t hash, const cns_mdd_edge *edge) {
    const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
    hash = cns_multiply_fold64(hash ^ edge->to, factor);
    hash = cns_multiply_fold64(hash ^ (uint64_t)edge->low, factor);
    return cns_multiply_fold64(hash ^ (uint64_t)edge->high ^ 1, factor);
}

static bool same_edges(const cns_mdd_edge *edges, const out_list *a, const out_list *b) {
    if (a->count != b->count) {
        return false;
    }
    for (uint32_t e = 0; e < a->count; e++) {
        const cns_mdd_edge *x = edges + a->start + e;
        const cns_mdd_edge *y = edges + b->start + e;
        if (x->to != y->to || x->low != y->low || x->high != y->high) {
            return false;
        }
    }
    return true;
}

/* The layer's nodes with their edges, by hash. */
static uint32_t list_nodes(reducer *r, uint32_t k) {
    const cns_mdd_edge *edges = r->layers.edges + r->layers.start[k];
    uint32_t nodes = 0;
    for (uint32_t e = 0; e < r->layers.count[k]; e++) {
        if (e == 0 || edges[e].from != edges[e - 1].from) {
            r->lists[nodes++] = (out_list){edges[e].from, e, 0, UINT64_C(0x243f6a8885a308d3)};
            r->alive[edges[e].from] = true;
        }
        out_list *list = &r->lists[nodes - 1];
        list->count++;
        list->hash = hash_edge(list->hash, &edges[e]);
    }
    qsort(r->lists, nodes, sizeof *r->lists, compare_lists);
    return nodes;
}

/* Lets one node stand for those with the same edges, and drops the edges of the others. */
static void merge_layer(reducer *r, uint32_t k) {
    cns_mdd_edge *edges = r->layers.edges + r->layers.start[k];
    uint32_t nodes = list_nodes(r, k);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < nodes; i++) {
        const out_list *list = &r->lists[i];
        bool found = false;
        for (uint32_t j = i; !found && j-- > 0 && r->lists[j].hash == list->hash;) {
            if (same_edges(edges, list, &r->lists[j])) {
                r->merged[list->node] = r->merged[r->lists[j].node];
                found = true;
            }
        }
        for (uint32_t e = 0; !found && e < list->count; e++) {
            r->copy[kept++] = edges[list->start + e];
        }
    }
    memcpy(edges, r->copy, kept * sizeof *edges);
    r->layers.count[k] = kept;
}

static void drop_unreached(reducer *r) {
    memset(r->alive, 0, r->layers.node_count * sizeof *r->alive);
    r->alive[r->merged[FIRST_NODE]] = true;
    for (uint32_t k = 0; k < r->layers.x.count; k++) {
        cns_mdd_edge *edges = r->layers.edges + r->layers.start[k];
        uint32_t kept = 0;
        for (uint32_t e = 0; e < r->layers.count[k]; e++) {
            if (r->alive[edges[e].from]) {
                r->alive[edges[e].to] = true;
                edges[kept++] = edges[e];
            }
        }
        r->layers.count[k] = kept;
    }
}

static bool reduce(reducer *r) {
    for (uint32_t node = 0; node < r->layers.node_count; node++) {
        r->merged[node] = node;
        r->alive[node] = node == LAST_NODE;
    }
    for (uint32_t k = r->layers.x.count; k-- > 0;) {
        if (!cns_poll(r->state)) {
            return false;
        }
        tidy_layer(r, k);
        merge_layer(r, k);
    }
    drop_unreached(r);
    return true;
}

static void reduce_and_post(reducer *r) {
    if (!reduce(r)) {
        return;
    }
    for (uint32_t k = 0; k < r->layers.x.count; k++) {
        if (r->layers.count[k] == 0) {
            cns_post_false(r->state);
            return;
        }
    }
    cns_post_layers(r->state, &r->layers);
}

static uint32_t widest(const uint32_t *layer_start, uint32_t layers) {
    uint32_t width = 0;
    for (uint32_t k = 0; k < layers; k++) {
        uint32_t count = layer_start[k + 1] - layer_start[k];
        width = count > width ? count : width;
    }
    return width;
}

cns_status cns_post_mdd(cns_state *state, cns_post post, cns_views x, const cns_mdd_edge *edges,
                        const uint32_t *layer_start, uint32_t node_count) {
    (void)post; /* clauses belong to nobody */
    if (!cns_may_post(state)) {
        return state->status;
    }
    if (x.count == 0 || layer_start[x.count] == 0 || node_count < 2) {
        return cns_post_false(state);
    }
    uint32_t total = layer_start[x.count];
    uint32_t width = widest(layer_start, x.count);
    reducer r = {.state = state, .layers = {x, NULL, layer_start, NULL, node_count}};
    r.layers.edges = cns_scratch_create(state, total, sizeof *edges);
    r.layers.count = cns_scratch_create(state, x.count, sizeof(uint32_t));
    r.merged = cns_scratch_create(state, node_count, sizeof(uint32_t));
    r.alive = cns_scratch_create(state, node_count, sizeof(bool));
    r.lists = cns_scratch_create(state, width, sizeof(out_list));
    r.copy = cns_scratch_create(state, width, sizeof *edges);
    r.begin = cns_scratch_create(state, width, sizeof *r.begin);
    if (state->status == CNS_OK) {
        memcpy(r.layers.edges, edges, total * sizeof *edges);
        for (uint32_t k = 0; k < x.count; k++) {
            r.layers.count[k] = layer_start[k + 1] - layer_start[k];
        }
        reduce_and_post(&r);
    }
    cns_scratch_destroy(state, r.begin, width, sizeof *r.begin);
    cns_scratch_destroy(state, r.copy, width, sizeof *edges);
    cns_scratch_destroy(state, r.lists, width, sizeof(out_list));
    cns_scratch_destroy(state, r.alive, node_count, sizeof(bool));
    cns_scratch_destroy(state, r.merged, node_count, sizeof(uint32_t));
    cns_scratch_destroy(state, r.layers.count, x.count, sizeof(uint32_t));
    cns_scratch_destroy(state, r.layers.edges, total, sizeof *edges);
    return state->status;
}
