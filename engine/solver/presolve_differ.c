/* SPDX-License-Identifier: MIT
 *
 * solver/presolve_differ.c - inequations of two variables, stated as alldifferent.
 *
 * a x - a y != c says that x differs from y + c / a. MiniZinc writes queens, colourings and
 * hand-made alldifferents so. A clique of such pairs is one propagator that knows Hall intervals,
 * in the place of a quadratic number that know nothing.
 */
#include "solver/presolve.h"

#include <string.h>

#define HALL_MAX 100
#define TO_SPARE 8   /* one value for so many views is hardly more */
#define EDGE_LOOKS 4 /* what an inequation is worth, about */

/* The two terms of an inequation that are not fixed; false: there are not two, or its literals are
 * better off as clauses. */
static bool two_views(cns_loader *l, const cns_model_constraint *c, int64_t a[2], cns_view x[2],
                      int64_t *rhs) {
    const cns_model *m = l->model;
    const int64_t *coefficients = cns_model_i(m, c, 0);
    const cns_var *vars = cns_model_v(m, c, 0);
    uint32_t found = 0;
    *rhs = cns_model_i(m, c, 1)[0];
    for (uint32_t k = 0; k < c->v[0].count; k++) {
        int64_t low, high;
        cns_load_bounds(l, vars[k], &low, &high);
        if (coefficients[k] == 0) {
            continue;
        }
        if (low == high) {
            *rhs -= coefficients[k] * low;
        } else if (found == 2 || high - low < 2) {
            return false;
        } else {
            a[found] = coefficients[k];
            if (!cns_load_view(l, vars[k], &x[found++])) {
                return false;
            }
        }
    }
    return found == 2;
}

/* The pair of constraint k as an edge between integers of the state. */
static bool add_edge(cns_differ *d, const cns_batch *b, uint32_t k) {
    cns_loader *l = b->loader;
    cns_state *s = l->state;
    int64_t a[2], rhs;
    cns_view x[2];
    if (!two_views(l, &l->model->constraints[b->first + k], a, x, &rhs)) {
        return s->status == CNS_OK;
    }
    if ((a[0] != a[1] && a[0] != -a[1]) || rhs % a[0] != 0 || x[0].term >> 1 == x[1].term >> 1) {
        return true;
    }
    /* x0 differs from other: the terms' signs and offsets go to the second one. */
    cns_view other = a[0] == a[1] ? cns_view_negate(x[1]) : x[1];
    other.offset += rhs / a[0];
    int64_t offset = other.offset - x[0].offset;
    if (cns_view_high(s, x[0]) < cns_view_low(s, other) ||
        cns_view_high(s, other) < cns_view_low(s, x[0])) {
        return true;
    }
    int32_t turn = x[0].term & 1 ? -1 : 1;
    cns_clique_edge edge = {.x = x[0].term >> 1,
                            .y = other.term >> 1,
                            .sign = other.term & 1 ? -turn : turn,
                            .offset = turn * offset,
                            .label = k};
    return cns_clique_edge_add(s, &d->edges, edge);
}

/* Memory gave out, or a limit was reached: the pairs are posted one by one. */
static bool give_up(cns_differ *d, cns_state *s) {
    cns_differ_deinit(d, s);
    memset(d, 0, sizeof *d);
    d->over = true;
    return cns_do_without(s);
}

bool cns_differ_look(cns_differ *d, const cns_batch *b, uint32_t k, cns_piece *piece) {
    cns_state *s = b->loader->state;
    const cns_model_constraint *c = &b->loader->model->constraints[b->first + k];
    bool fits = c->kind == CNS_LINEAR_NE && c->condition == CNS_ALWAYS &&
                b->fate[k] == CNS_FATE_POST && s->proof == NULL && !d->over;
    piece->looks += fits ? EDGE_LOOKS : 0;
    return !fits || add_edge(d, b, k) || give_up(d, s);
}

cns_part cns_differ_find(cns_differ *d, const cns_batch *b, cns_piece *piece) {
    cns_state *s = b->loader->state;
    cns_part part = CNS_PART_DONE;
    if (!d->over && d->edges.count > 0) {
        part = cns_cliques_find(s, &d->finder, &d->edges, s->int_count, &d->cliques, piece);
    }
    if (part == CNS_PART_LEFT || d->over) {
        return part;
    }
    if (part == CNS_PART_FAILED) {
        return give_up(d, s) ? CNS_PART_DONE : CNS_PART_FAILED;
    }
    d->over = true;
    for (uint32_t k = 0; k < d->edges.count; k++) {
        if (d->edges.data[k].covered) {
            b->fate[d->edges.data[k].label] = CNS_FATE_DONE;
        }
    }
    return part;
}

/* Hall intervals are sought in groups that are not too large, where there are hardly more values
 * than views. Elsewhere, as among 200 queens, their long explanations cost conflicts. */
static void post_group(cns_state *s, cns_post post, cns_views x) {
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (uint32_t i = 0; i < x.count; i++) {
        int64_t a = cns_view_low(s, x.data[i]), b = cns_view_high(s, x.data[i]);
        low = a < low ? a : low;
        high = b > high ? b : high;
    }
    if (x.count <= HALL_MAX && high - low < (int64_t)x.count + x.count / TO_SPARE) {
        cns_post_alldifferent(s, post, x);
    } else {
        cns_post_alldifferent_values(s, post, x);
    }
}

bool cns_differ_post(cns_differ *d, const cns_batch *b, uint32_t k, cns_piece *piece) {
    cns_state *s = b->loader->state;
    uint32_t count = d->cliques.ends[k] - d->members;
    const cns_clique_member *members = d->cliques.members + d->members;
    size_t size = count * sizeof(cns_view);
    cns_view *views = cns_context_alloc(s->context, size, CNS_ALIGN_DEFAULT);
    if (views == NULL) {
        s->status = cns_context_memory_status(s->context, size);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        views[i] = (cns_view){2 * members[i].node + (members[i].sign < 0), members[i].offset};
    }
    uint32_t label = cns_clique_edge_of(&d->edges, members[0], members[1])->label;
    s->active_origin = b->first + label;
    post_group(s, (cns_post){s->active_origin, CNS_LIT_TRUE}, (cns_views){views, count});
    s->active_origin = UINT32_MAX;
    cns_context_free(s->context, views, size, CNS_ALIGN_DEFAULT);
    d->members = d->cliques.ends[k];
    piece->looks += (uint64_t)count * count; /* there are at least as many values */
    return s->status == CNS_OK;
}

void cns_differ_deinit(cns_differ *d, cns_state *s) {
    cns_clique_finder_destroy(d->finder);
    d->finder = NULL;
    cns_clique_edges_deinit(s, &d->edges);
    cns_cliques_deinit(s, &d->cliques);
}
