/* SPDX-License-Identifier: MIT
 *
 * solver/lns.c - see lns.h.
 */
#include "solver/lns.h"

#include <string.h>

#define SHARE_FIRST 0.3
#define SHARE_LEAST 0.02
#define SHARE_MOST 0.9
#define PATIENCE 20      /* conflicts that go back into the fixed part, and end a neighbourhood */
#define ARITY_WALKED 100 /* constraints of more variables tie everything to everything */

void cns_lns_init(cns_lns *lns, cns_worker *worker, uint64_t seed) {
    memset(lns, 0, sizeof *lns);
    lns->worker = worker;
    lns->share = SHARE_FIRST;
    cns_rng_seed(&lns->rng, seed);
}

void cns_lns_deinit(cns_lns *lns) {
    if (lns->worker == NULL || lns->starts == NULL) {
        return;
    }
    cns_context *context = lns->worker->state.context;
    size_t count = lns->variable_count;
    cns_context_free(context, lns->starts, (count + 1) * sizeof *lns->starts, CNS_ALIGN_DEFAULT);
    cns_context_free(context, lns->touching, (lns->touching_count + 1) * sizeof *lns->touching,
                     CNS_ALIGN_DEFAULT);
    cns_context_free(context, lns->order, (count + 1) * sizeof *lns->order, CNS_ALIGN_DEFAULT);
    cns_context_free(context, lns->freed, (count + 1) * sizeof *lns->freed, CNS_ALIGN_DEFAULT);
    lns->starts = NULL;
}

/* ---- the graph ------------------------------------------------------------------------------ */

static inline uint32_t variable_of(cns_var var) {
    return (uint32_t)(var >= 0 ? var : ~var);
}

/* Calls for each variable of each constraint that is small enough: counts, or fills in. */
static void each_touch(const cns_model *m, uint32_t *places, uint32_t *touching) {
    for (uint32_t k = 0; k < m->constraint_count; k++) {
        const cns_model_constraint *c = &m->constraints[k];
        uint32_t arity = c->v[0].count + c->v[1].count + c->v[2].count + c->v[3].count;
        for (int a = 0; a < 4 && arity <= ARITY_WALKED; a++) {
            const cns_var *vars = cns_model_v(m, c, a);
            for (uint32_t i = 0; i < c->v[a].count; i++) {
                uint32_t place = places[variable_of(vars[i])]++;
                if (touching != NULL) {
                    touching[place] = k;
                }
            }
        }
    }
}

static bool allocate(cns_lns *lns, void *array, size_t size) {
    cns_state *s = &lns->worker->state;
    void *block = cns_context_calloc(s->context, size);
    if (block == NULL && s->status == CNS_OK) {
        s->status = cns_context_memory_status(s->context, size);
    }
    memcpy(array, &block, sizeof block);
    return block != NULL;
}

/* Counting sort of constraints by variable. */
static bool fill_graph(cns_lns *lns) {
    const cns_model *m = lns->worker->loader.model;
    cns_lns_deinit(lns);
    uint32_t count = m->variable_count;
    lns->variable_count = count;
    lns->constraint_count = m->constraint_count;
    lns->touching_count = 0;
    lns->touching = NULL;
    lns->order = NULL;
    lns->freed = NULL;
    if (!allocate(lns, &lns->starts, (count + 1) * sizeof *lns->starts) ||
        !allocate(lns, &lns->order, (count + 1) * sizeof *lns->order) ||
        !allocate(lns, &lns->freed, (count + 1) * sizeof *lns->freed)) {
        return false;
    }
    each_touch(m, lns->starts, NULL);
    uint32_t sum = 0;
    for (uint32_t v = 0; v <= count; v++) {
        uint32_t own = lns->starts[v];
        lns->starts[v] = sum;
        sum += own;
    }
    if (!allocate(lns, &lns->touching, (sum + 1) * sizeof *lns->touching)) {
        return false;
    }
    lns->touching_count = sum;
    each_touch(m, lns->starts, lns->touching);
    memmove(lns->starts + 1, lns->starts, count * sizeof *lns->starts); /* they moved on by one */
    lns->starts[0] = 0;
    return true;
}

/* Anew; none is left when memory gives out. */
static bool make_graph(cns_lns *lns) {
    bool made = fill_graph(lns);
    if (!made) {
        cns_lns_deinit(lns);
    }
    return made;
}

/* ---- neighbourhoods ------------------------------------------------------------------------- */

static uint32_t below(cns_lns *lns, uint32_t bound) {
    return (uint32_t)cns_rng_below(&lns->rng, bound);
}

static void free_randomly(cns_lns *lns, uint32_t wanted) {
    for (uint32_t k = 0; k < wanted; k++) {
        lns->freed[below(lns, lns->variable_count)] = true;
    }
}

/* Frees a variable's neighbours, their neighbours, ...; from another variable where that ends. */
static void free_around(cns_lns *lns, uint32_t wanted) {
    const cns_model *m = lns->worker->loader.model;
    uint32_t head = 0;
    uint32_t tail = 0;
    for (uint32_t tries = 0; tail < wanted && tries < 2 * wanted + 16; tries++) {
        if (head == tail) {
            uint32_t v = below(lns, lns->variable_count);
            if (!lns->freed[v]) {
                lns->freed[v] = true;
                lns->order[tail++] = v;
            }
            continue;
        }
        uint32_t v = lns->order[head++];
        uint32_t degree = lns->starts[v + 1] - lns->starts[v];
        uint32_t offset = degree > 0 ? below(lns, degree) : 0;
        for (uint32_t i = 0; i < degree && i < 8 && tail < wanted; i++) {
            const cns_model_constraint *c =
                &m->constraints[lns->touching[lns->starts[v] + (offset + i) % degree]];
            for (int a = 0; a < 4; a++) {
                const cns_var *vars = cns_model_v(m, c, a);
                for (uint32_t k = 0; k < c->v[a].count && tail < wanted; k++) {
                    uint32_t other = variable_of(vars[k]);
                    if (!lns->freed[other]) {
                        lns->freed[other] = true;
                        lns->order[tail++] = other;
                    }
                }
            }
        }
    }
}

/* Guides the variable to its value, if it is open. */
static bool fix(cns_lns *lns, uint32_t v, int64_t value) {
    cns_worker *w = lns->worker;
    cns_state *s = &w->state;
    cns_facts *guide = &w->search.guide;
    const cns_alias *alias = &w->loader.aliases[v];
    if (alias->root != (cns_var)v) {
        return true;
    }
    cns_lit lit = w->loader.lits[v];
    if (lit != CNS_LIT_NONE) {
        return cns_value(s, lit) != 0 ||
               cns_facts_push(s, guide, cns_fact_lit(value != 0 ? lit : lit ^ 1));
    }
    cns_view view = w->loader.views[v];
    return view.term == CNS_TERM_NONE || cns_view_fixed(s, view) ||
           (cns_facts_push(s, guide, cns_view_ge(view, value)) &&
            cns_facts_push(s, guide, cns_view_le(view, value)));
}

/* Too many conflicts broke the last neighbourhood: more freedom; the limit ended it: less. */
static void adapt(cns_lns *lns) {
    const cns_search *search = &lns->worker->search;
    if (search->guide.count == 0) {
        return;
    }
    lns->share *= search->guide_breaks >= PATIENCE ? 1.1 : 0.93;
    lns->share = lns->share > SHARE_MOST ? SHARE_MOST : lns->share;
    lns->share = lns->share < SHARE_LEAST ? SHARE_LEAST : lns->share;
}

bool cns_lns_next(cns_lns *lns, const int64_t *values) {
    cns_worker *w = lns->worker;
    const cns_model *m = w->loader.model;
    if ((lns->starts == NULL || lns->variable_count != m->variable_count ||
         lns->constraint_count != m->constraint_count) &&
        !make_graph(lns)) {
        return false;
    }
    adapt(lns);
    cns_search_new_guide(&w->search);
    w->search.guide_patience = PATIENCE;
    uint32_t count = lns->variable_count;
    uint32_t wanted = (uint32_t)(lns->share * count) + 1;
    memset(lns->freed, 0, count * sizeof *lns->freed);
    if (below(lns, 2) == 0) {
        free_randomly(lns, wanted);
    } else {
        free_around(lns, wanted);
    }
    if (m->goal != CNS_SATISFY) {
        lns->freed[variable_of(m->objective)] = true;
    }
    for (uint32_t v = 0; v < count; v++) {
        lns->order[v] = v;
    }
    bool done = true;
    for (uint32_t v = 0; v < count && done; v++) {
        uint32_t other = v + below(lns, count - v);
        uint32_t chosen = lns->order[other];
        lns->order[other] = lns->order[v];
        done = lns->freed[chosen] || fix(lns, chosen, values[chosen]);
    }
    w->state.ticks += count;
    return done;
}
