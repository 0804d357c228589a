/* SPDX-License-Identifier: MIT
 *
 * solver/cycle.c - see cycle.h.
 */
#include "solver/cycle.h"

#include "solver/globals/linear.h"

#include <string.h>

#define EDGES (1u << 20)       /* at most: with more of them there is no search */
#define RELAXATIONS (1u << 22) /* tried at most, some milliseconds */
#define FAR (INT64_C(1) << 61) /* beyond it nothing is relaxed: sums must not overflow */
#define NO_EDGE UINT32_MAX

typedef struct graph {
    cns_state *state;
    cns_difference *edges;
    uint32_t count, capacity;
    uint32_t terms;
    int64_t *low;   /* by term: what the edges followed so far make of its lower bound */
    uint32_t *by;   /* by term: the edge that did so; NO_EDGE: it is as it was */
    uint32_t *walk; /* by term: the walk along `by` that came by; 0: none */
} graph;

static void *per_term(graph *g, size_t element) {
    return cns_context_alloc(g->state->context, g->terms * element, CNS_ALIGN_DEFAULT);
}

static void free_per_term(graph *g, void *table, size_t element) {
    if (table != NULL) {
        cns_context_free(g->state->context, table, g->terms * element, CNS_ALIGN_DEFAULT);
    }
}

static void deinit(graph *g) {
    free_per_term(g, g->low, sizeof *g->low);
    free_per_term(g, g->by, sizeof *g->by);
    free_per_term(g, g->walk, sizeof *g->walk);
    cns_context_free(g->state->context, g->edges, g->capacity * sizeof *g->edges,
                     CNS_ALIGN_DEFAULT);
}

/* False: there are too many, or memory gave out. */
static bool collect_edges(graph *g) {
    cns_state *s = g->state;
    for (uint32_t k = 0; k < s->propagator_count; k++) {
        if (g->count > EDGES ||
            !cns_grow(s, &g->edges, sizeof *g->edges, &g->capacity, g->count + CNS_DIFFERENCES)) {
            return false;
        }
        g->count += cns_linear_differences(s, s->propagators[k], g->edges + g->count);
    }
    s->ticks += s->propagator_count;
    return true;
}

static bool init(graph *g, cns_state *s) {
    *g = (graph){.state = s, .terms = 2 * s->int_count};
    if (!collect_edges(g)) {
        return false;
    }
    g->low = per_term(g, sizeof *g->low);
    g->by = per_term(g, sizeof *g->by);
    g->walk = per_term(g, sizeof *g->walk);
    if (g->low == NULL || g->by == NULL || g->walk == NULL) {
        s->status = cns_context_memory_status(s->context, g->terms * sizeof *g->low);
        return false;
    }
    memcpy(g->low, s->bound, g->terms * sizeof *g->low);
    memset(g->by, 0xff, g->terms * sizeof *g->by);
    return true;
}

/* Follows every edge once; false: nothing came of it. */
static bool relax(graph *g) {
    bool raised = false;
    for (uint32_t k = 0; k < g->count; k++) {
        const cns_difference *e = &g->edges[k];
        if (g->low[e->from] < FAR && g->low[e->from] + e->gain > g->low[e->to]) {
            g->low[e->to] = g->low[e->from] + e->gain;
            g->by[e->to] = k;
            raised = true;
        }
    }
    g->state->ticks += g->count + g->terms;
    return raised;
}

/* A term that its own bound raised, along `by`; CNS_TERM_NONE: there is none. */
static cns_term circle(graph *g) {
    memset(g->walk, 0, g->terms * sizeof *g->walk);
    for (cns_term t = 0; t < g->terms; t++) {
        cns_term at = t;
        while (g->by[at] != NO_EDGE && g->walk[at] == 0) {
            g->walk[at] = t + 1;
            at = g->edges[g->by[at]].from;
        }
        if (g->by[at] != NO_EDGE && g->walk[at] == t + 1) {
            return at;
        }
    }
    return CNS_TERM_NONE;
}

static bool refute(graph *g, cns_term first) {
    cns_state *s = g->state;
    uint32_t start = cns_because_begin(s);
    cns_term at = first;
    int64_t gain = 0;
    do {
        const cns_difference *e = &g->edges[g->by[at]];
        cns_explain_difference(s, e, &s->spans);
        gain += e->gain;
        at = e->from;
    } while (at != first);
    CNS_ASSERT(gain > 0);
    return s->status == CNS_OK && cns_conflict(s, cns_because_end(s, start));
}

bool cns_refute_cycle(cns_state *s) {
    graph g;
    s->cycle_search_at *= 2;
    if (s->proof != NULL) {
        return true;
    }
    if (!init(&g, s)) {
        deinit(&g);
        return cns_do_without(s);
    }
    cns_term first = CNS_TERM_NONE;
    for (uint32_t done = 0; first == CNS_TERM_NONE && done < RELAXATIONS && relax(&g);
         done += g.count + g.terms) {
        first = circle(&g);
    }
    bool consistent = first == CNS_TERM_NONE || refute(&g, first);
    deinit(&g);
    return consistent;
}
