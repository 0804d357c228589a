/* SPDX-License-Identifier: MIT
 *
 * solver/core_guided.c - see core_guided.h.
 */
#include "solver/core_guided.h"

#include "solver/globals/block.h"
#include "solver/globals/heap_sort.h"

#include <string.h>

#define TRIALS 4                    /* of making a core smaller */
#define DIVERSITY 1.25              /* terms per weight that a stratum has at least */
#define SUM_MOST (INT64_C(1) << 50) /* sums of wider reach are not made into integers */
#define EXHAUST_CONFLICTS 60
#define TURN_LEAST UINT64_C(1000000) /* ticks */
#define SHARE_FIRST 0.2
#define SHARE_LEAST 0.02
#define SHARE_MOST 0.33
#define RESTART_SCALE 100
/* A turn pays when as much gained by more of them closes the gap in so many times the time so far.
 */
#define PATIENCE 3
#define UNPAID_MOST 4 /* turns in a row, then it ends */

/* ---- making --------------------------------------------------------------------------------- */

cns_status cns_core_guided_begin(cns_search *search, cns_sum *sum) {
    cns_state *s = search->state;
    cns_core_guided *g = search->core_guided;
    if (g == NULL) {
        g = cns_context_calloc(s->context, sizeof *g);
        if (g == NULL) {
            return s->status = cns_context_memory_status(s->context, sizeof *g);
        }
        search->core_guided = g;
    }
    cns_sum_deinit(s->context, &g->sum);
    g->sum = *sum;
    memset(sum, 0, sizeof *sum);
    g->phase = CNS_CORE_COLLECT;
    g->over = g->prepared = g->met = g->in_vain = false;
    g->stratum = INT64_MAX;
    g->began = s->ticks;
    g->spent = g->turns = g->restarts = g->cores = g->posted_cores = 0;
    g->unpaid = g->posted_count = g->objective_first = g->objective_end = 0;
    g->share = SHARE_FIRST;
    return CNS_OK;
}

void cns_core_guided_end(cns_search *search) {
    cns_core_guided *g = search->core_guided;
    if (g == NULL) {
        return;
    }
    cns_context *context = search->state->context;
    cns_sum_deinit(context, &g->sum);
    cns_context_free(context, g->order, g->order_capacity * sizeof *g->order, CNS_ALIGN_DEFAULT);
    cns_context_free(context, g->assumed, g->assumed_capacity * sizeof *g->assumed,
                     CNS_ALIGN_DEFAULT);
    cns_context_free(context, g->core, g->core_capacity * sizeof *g->core, CNS_ALIGN_DEFAULT);
    cns_context_free(context, g->posted, g->posted_capacity * sizeof *g->posted, CNS_ALIGN_DEFAULT);
    cns_context_free(context, g->levels, g->level_capacity * sizeof *g->levels, CNS_ALIGN_DEFAULT);
    cns_context_free(context, g, sizeof *g, CNS_ALIGN_DEFAULT);
    search->core_guided = NULL;
}

/* ---- propagators that are no longer needed -------------------------------------------------- */

static bool deduce_nothing(cns_state *s, cns_propagator *p) {
    (void)s;
    (void)p;
    return true;
}

static bool stay_asleep(cns_state *s, cns_propagator *p, uint32_t data) {
    (void)s;
    (void)p;
    (void)data;
    return false;
}

static const cns_propagator_class retired_class = {"retired",   deduce_nothing, NULL,
                                                   stay_asleep, NULL,           cns_block_destroy};

/* At the root, where no reason names it. What was learnt with it stays true: it defines a term that
 * the model has not. */
static void retire(cns_state *s, uint32_t number) {
    CNS_ASSERT(s->level == 0 && s->propagators[number]->class->destroy == cns_block_destroy);
    s->propagators[number]->class = &retired_class;
}

static void retire_objective(cns_core_guided *g, cns_state *s) {
    for (uint32_t k = g->objective_first; k < g->objective_end; k++) {
        retire(s, k);
    }
    g->objective_first = g->objective_end = 0;
}

static void give_up(cns_core_guided *g, cns_state *s) {
    for (uint32_t k = 0; k < g->posted_count; k++) {
        retire(s, g->posted[k]);
    }
    g->posted_count = 0;
    retire_objective(g, s);
    g->over = true;
}

/* ---- the root ------------------------------------------------------------------------------- */

static cns_reason always(void) {
    return cns_reason_make(CNS_REASON_ALWAYS, 0, 0);
}

/* Terms that are fixed, or have no weight left, leave the sum. */
static void drop_fixed(cns_core_guided *g, const cns_state *s) {
    cns_sum *sum = &g->sum;
    uint32_t kept = 0;
    for (uint32_t k = 0; k < sum->count; k++) {
        cns_sum_term t = sum->terms[k];
        if (cns_fixed(s, t.term)) {
            sum->constant += (cns_wide)t.weight * cns_low(s, t.term);
        } else if (t.weight != 0) {
            sum->terms[kept++] = t;
        }
    }
    sum->count = kept;
}

/* What the sum says of the objective, and the objective's limit of each term (hardening). */
static bool harden(cns_core_guided *g, cns_state *s) {
    const cns_sum *sum = &g->sum;
    cns_wide least = cns_sum_least(s, sum);
    cns_wide bound = least / sum->scale + (least > 0 && least % sum->scale != 0);
    if (bound > cns_low(s, s->objective) &&
        (bound > cns_high(s, s->objective)
             ? !cns_raise(s, s->objective, cns_high(s, s->objective) + 1, always())
             : !cns_raise(s, s->objective, (int64_t)bound, always()))) {
        return false;
    }
    cns_wide slack = (cns_wide)cns_high(s, s->objective) * sum->scale - least;
    for (uint32_t k = 0; k < sum->count; k++) {
        cns_term t = sum->terms[k].term;
        cns_wide reach = cns_high(s, t) - cns_low(s, t);
        if (reach * sum->terms[k].weight > slack) {
            int64_t high = cns_low(s, t) + (int64_t)(slack / sum->terms[k].weight);
            if (!cns_raise(s, t ^ 1, -high, always())) {
                return false;
            }
        }
    }
    s->ticks += sum->count;
    return true;
}

/* ---- strata --------------------------------------------------------------------------------- */

static bool heavier(const void *x, const void *y) {
    const cns_sum_term *a = x;
    const cns_sum_term *b = y;
    return a->weight != b->weight ? a->weight > b->weight : a->term < b->term;
}

/* The next stratum reaches down to a weight that as many terms share as others, or more; false:
 * all terms are in it already. */
static bool lower_stratum(cns_core_guided *g) {
    const cns_sum *sum = &g->sum;
    uint32_t weights = 0;
    for (uint32_t k = 0; k < sum->count; k++) {
        if (k + 1 < sum->count && sum->terms[k + 1].weight == sum->terms[k].weight) {
            continue;
        }
        weights++; /* different ones up to here */
        if (sum->terms[k].weight < g->stratum &&
            (k + 1 == sum->count || (k + 1) > DIVERSITY * weights)) {
            g->stratum = sum->terms[k].weight;
            return true;
        }
    }
    return false;
}

static bool fill_order(cns_core_guided *g, cns_state *s) {
    const cns_sum *sum = &g->sum;
    if (!cns_grow(s, &g->order, sizeof *g->order, &g->order_capacity, sum->count + 1)) {
        return false;
    }
    g->order_count = 0;
    g->next = 0;
    for (uint32_t k = 0; k < sum->count && sum->terms[k].weight >= g->stratum; k++) {
        g->order[g->order_count++] = k;
    }
    return true;
}

/* Makes the order of assumptions anew. False: memory gave out, or the state failed. */
static bool prepare(cns_search *search) {
    cns_core_guided *g = search->core_guided;
    cns_state *s = search->state;
    g->prepared = true;
    if (g->phase == CNS_CORE_TRIM) {
        return true;
    }
    drop_fixed(g, s);
    if (!harden(g, s)) {
        return false;
    }
    if (g->phase == CNS_CORE_EXHAUST && g->sum.count > 0 &&
        g->sum.terms[g->sum.count - 1].term == g->risen) {
        g->order[0] = g->sum.count - 1;
        g->order_count = 1;
        g->next = 0;
        return true;
    }
    g->phase = CNS_CORE_COLLECT;
    cns_heap_sort(g->sum.terms, g->sum.count, sizeof *g->sum.terms, heavier);
    if (g->sum.count == 0) {
        g->over = true;
    } else if (g->met || g->stratum > g->sum.terms[0].weight) {
        g->over = !lower_stratum(g);
    } else if (g->in_vain) { /* the more is assumed, the sooner it breaks */
        lower_stratum(g);
    }
    g->met = g->in_vain = false;
    return fill_order(g, s);
}

/* ---- cores ---------------------------------------------------------------------------------- */

static int64_t assumed_most(const cns_core_guided *g, const cns_state *s, uint32_t place) {
    return s->root[g->sum.terms[place].term] + (g->phase == CNS_CORE_EXHAUST ? g->step : 0);
}

/* The terms behind the one at `place` not being low; false: a user's assumption is, or memory gave
 * out. */
static bool find_core(cns_search *search, uint32_t place) {
    cns_core_guided *g = search->core_guided;
    cns_state *s = search->state;
    uint32_t count = 0;
    if (!cns_grow(s, &g->levels, sizeof *g->levels, &g->level_capacity, s->level + 1) ||
        !cns_grow(s, &g->core, sizeof *g->core, &g->core_capacity, s->level + 1)) {
        return false;
    }
    cns_fact fact = cns_fact_ge(g->sum.terms[place].term, assumed_most(g, s, place) + 1);
    if (!cns_decisions_behind(s, fact, g->levels, &count)) {
        return false;
    }
    g->core[0] = (cns_core_term){place, assumed_most(g, s, place)};
    g->core_count = 1;
    for (uint32_t k = 0; k < count; k++) {
        if (g->levels[k] <= search->assumption_count) {
            g->over = true;
            return false;
        }
        place = g->assumed[g->levels[k] - search->assumption_count - 1];
        g->core[g->core_count++] = (cns_core_term){place, assumed_most(g, s, place)};
    }
    return true;
}

/* Assumes the core's terms alone, the last one first. */
static void begin_trial(cns_core_guided *g) {
    g->phase = CNS_CORE_TRIM;
    g->order_count = g->core_count;
    for (uint32_t k = 0; k < g->core_count; k++) {
        g->order[k] = g->core[k].place;
    }
    g->next = 0;
    g->prepared = true;
}

/* One of the core's terms is above its least value. */
static bool add_core_clause(cns_core_guided *g, cns_state *s) {
    cns_lit *lits = cns_scratch_create(s, g->core_count, sizeof *lits);
    for (uint32_t k = 0; lits != NULL && k < g->core_count && s->status == CNS_OK; k++) {
        cns_term t = g->sum.terms[g->core[k].place].term;
        lits[k] = cns_lit_ge(s, t, g->core[k].most + 1);
    }
    bool done = s->status == CNS_OK && cns_add_clause(s, lits, g->core_count);
    cns_scratch_destroy(s, lits, g->core_count, sizeof *lits);
    return done;
}

typedef struct core_sum { /* of a core's terms */
    cns_wide low, high;
    int64_t weight; /* the least of theirs */
    bool binary;    /* all have two values */
} core_sum;

static core_sum measure(const cns_core_guided *g, const cns_state *s) {
    core_sum m = {0, 0, INT64_MAX, true};
    for (uint32_t k = 0; k < g->core_count; k++) {
        cns_sum_term t = g->sum.terms[g->core[k].place];
        m.low += cns_low(s, t.term);
        m.high += cns_high(s, t.term);
        m.weight = t.weight < m.weight ? t.weight : m.weight;
        m.binary = m.binary && cns_high(s, t.term) - cns_low(s, t.term) == 1;
    }
    return m;
}

/* The core's terms sum to at most `total`, an integer. */
static bool post_counter(cns_core_guided *g, cns_state *s, cns_term total, int64_t low) {
    const cns_post post = {UINT32_MAX, CNS_LIT_TRUE};
    const cns_view view = {total, 0};
    uint32_t count = g->core_count;
    int64_t *a = cns_scratch_create(s, count, sizeof *a);
    cns_lit *lits = a != NULL ? cns_scratch_create(s, count, sizeof *lits) : NULL;
    for (uint32_t k = 0; lits != NULL && k < count && s->status == CNS_OK; k++) {
        cns_term t = g->sum.terms[g->core[k].place].term;
        a[k] = 1;
        lits[k] = cns_lit_ge(s, t, cns_low(s, t) + 1);
    }
    if (s->status == CNS_OK) {
        cns_post_bool_le(s, post, a, lits, count, view, -low);
    }
    cns_scratch_destroy(s, lits, count, sizeof *lits);
    cns_scratch_destroy(s, a, count, sizeof *a);
    return s->status == CNS_OK;
}

static bool post_sum(cns_core_guided *g, cns_state *s, cns_term total) {
    const cns_post post = {UINT32_MAX, CNS_LIT_TRUE};
    uint32_t count = g->core_count + 1;
    int64_t *a = cns_scratch_create(s, count, sizeof *a);
    cns_view *x = a != NULL ? cns_scratch_create(s, count, sizeof *x) : NULL;
    if (x != NULL) {
        for (uint32_t k = 0; k < g->core_count; k++) {
            a[k] = 1;
            x[k] = (cns_view){g->sum.terms[g->core[k].place].term, 0};
        }
        a[count - 1] = -1;
        x[count - 1] = (cns_view){total, 0};
        cns_post_linear_le(s, post, a, (cns_views){x, count}, 0);
    }
    cns_scratch_destroy(s, x, count, sizeof *x);
    cns_scratch_destroy(s, a, count, sizeof *a);
    return s->status == CNS_OK;
}

/* Moves the least weight of the core from its terms to their sum, a new term. */
static bool replace_core(cns_core_guided *g, cns_state *s) {
    core_sum m = measure(g, s);
    if (m.high > SUM_MOST || m.low < -SUM_MOST) {
        g->over = true;
        return true;
    }
    const int64_t range[2] = {(int64_t)m.low + 1, (int64_t)m.high};
    cns_term total;
    uint32_t first = s->propagator_count;
    if (cns_new_int(s, range, 1, &total) != CNS_OK ||
        !cns_grow(s, &g->sum.terms, sizeof *g->sum.terms, &g->sum.capacity, g->sum.count + 1) ||
        !(m.binary ? post_counter(g, s, total, (int64_t)m.low) : post_sum(g, s, total))) {
        return false;
    }
    uint32_t count = s->propagator_count - first;
    if (!cns_grow(s, &g->posted, sizeof *g->posted, &g->posted_capacity, g->posted_count + count)) {
        return false;
    }
    for (uint32_t k = 0; k < count; k++) {
        g->posted[g->posted_count++] = first + k;
    }
    for (uint32_t k = 0; k < g->core_count; k++) {
        g->sum.terms[g->core[k].place].weight -= m.weight;
    }
    g->risen = total;
    g->sum.terms[g->sum.count++] = (cns_sum_term){m.weight, total, -1};
    return true;
}

/* Whether the root has learnt meanwhile, as trials do, that a term cannot be as low as assumed, or
 * must be: then the core says more than its clause. */
static bool is_stale(const cns_core_guided *g, const cns_state *s) {
    for (uint32_t k = 0; k < g->core_count; k++) {
        cns_term t = g->sum.terms[g->core[k].place].term;
        if (cns_low(s, t) > g->core[k].most ||
            (g->core_count > 1 && cns_high(s, t) <= g->core[k].most)) {
            return true;
        }
    }
    return false;
}

/* What follows from the core. False: memory gave out, or the state failed. */
static bool take_core(cns_search *search) {
    cns_core_guided *g = search->core_guided;
    cns_state *s = search->state;
    CNS_ASSERT(s->level == 0);
    g->prepared = false;
    if (is_stale(g, s)) {
        g->phase = CNS_CORE_COLLECT;
        return true;
    }
    if (g->core_count == 1) {
        cns_term t = g->sum.terms[g->core[0].place].term;
        int64_t bound = g->core[0].most + 1;
        g->step = g->phase == CNS_CORE_EXHAUST ? 2 * g->step + 1 : 0;
        g->phase = g->phase == CNS_CORE_TRIM ? CNS_CORE_COLLECT : g->phase;
        return cns_raise(s, t, bound, always());
    }
    g->cores++;
    bool done = add_core_clause(g, s) && replace_core(g, s);
    g->phase = g->over ? CNS_CORE_COLLECT : CNS_CORE_EXHAUST;
    g->step = 0;
    search->conflicts_left = EXHAUST_CONFLICTS;
    return done;
}

/* Behind a change at the root, which may have failed. */
static cns_core_step go_on(cns_state *s, bool done) {
    s->has_conflict = s->has_conflict || (!done && s->status == CNS_OK);
    return s->status == CNS_OK ? CNS_CORE_AGAIN : CNS_CORE_ERROR;
}

/* The term at `place` is not low. */
static cns_core_step handle_core(cns_search *search, uint32_t place) {
    cns_core_guided *g = search->core_guided;
    cns_state *s = search->state;
    uint32_t before = g->core_count; /* in a trial, of the core that is tried */
    if (!find_core(search, place)) {
        if (s->status != CNS_OK) {
            return CNS_CORE_ERROR; /* above the root, where nothing is lost by it */
        }
        cns_backtrack(s, 0);
        return CNS_CORE_AGAIN;
    }
    cns_backtrack(s, 0);
    bool first = g->phase != CNS_CORE_TRIM;
    g->trials = first ? 0 : g->trials + 1;
    if (g->core_count > 2 && g->trials < TRIALS && (first || g->core_count < before)) {
        begin_trial(g);
        return CNS_CORE_AGAIN;
    }
    return go_on(s, take_core(search));
}

cns_core_step cns_core_guided_next(cns_search *search, cns_fact *out) {
    cns_core_guided *g = search->core_guided;
    cns_state *s = search->state;
    if (s->level == 0 && !g->prepared) {
        return go_on(s, prepare(search));
    }
    if (g->over || s->level < search->assumption_count) {
        return CNS_CORE_DECIDE;
    }
    uint32_t next = (uint32_t)g->next;
    for (; next < g->order_count; next++) {
        uint32_t place = g->order[next];
        cns_term t = g->sum.terms[place].term;
        int64_t most = assumed_most(g, s, place);
        if (cns_low(s, t) > most) {
            return handle_core(search, place);
        }
        if (cns_high(s, t) > most) {
            *out = cns_fact_le(t, most);
            break;
        }
    }
    s->ticks += next - (uint32_t)g->next;
    if (next != g->next && !cns_save(s, &g->next, next)) {
        return CNS_CORE_ERROR;
    }
    if (next == g->order_count) {
        if (g->phase != CNS_CORE_TRIM) {
            return CNS_CORE_DECIDE;
        }
        cns_backtrack(s, 0); /* the trial has shown nothing: the core is what it was */
        return go_on(s, take_core(search));
    }
    uint32_t own = s->level - search->assumption_count;
    if (!cns_grow(s, &g->assumed, sizeof *g->assumed, &g->assumed_capacity, own + 1)) {
        return CNS_CORE_ERROR;
    }
    g->assumed[own] = g->order[next];
    return CNS_CORE_ASSUME;
}

void cns_core_guided_solved(cns_search *search) {
    cns_core_guided *g = search->core_guided;
    g->met = g->met || g->phase == CNS_CORE_COLLECT;
    g->phase = CNS_CORE_COLLECT;
    g->prepared = false;
    search->call_back = true;
}

/* ---- turns ---------------------------------------------------------------------------------- */

uint64_t cns_core_guided_patience(const cns_search *search) {
    uint64_t restarts = search->core_guided->restarts;
    return RESTART_SCALE * ((restarts & (~restarts + 1)) | 1);
}

static cns_wide magnitude(const cns_state *s, cns_term t) {
    cns_wide low = cns_wide_abs(cns_low(s, t));
    cns_wide high = cns_wide_abs(cns_high(s, t));
    return low > high ? low : high;
}

/* The sum says more of the objective than the model does: after enough cores, it is posted. */
static bool post_objective(cns_core_guided *g, cns_state *s) {
    cns_sum *sum = &g->sum;
    uint32_t count = sum->count + 1;
    cns_wide reach = cns_wide_abs(sum->constant) + sum->scale * magnitude(s, s->objective);
    for (uint32_t k = 0; k < sum->count; k++) {
        reach += sum->terms[k].weight * magnitude(s, sum->terms[k].term);
    }
    if (reach >= CNS_WIDE_LIMIT) {
        return true;
    }
    retire_objective(g, s);
    g->objective_first = s->propagator_count;
    int64_t *a = cns_scratch_create(s, count, sizeof *a);
    cns_view *x = a != NULL ? cns_scratch_create(s, count, sizeof *x) : NULL;
    if (x != NULL) {
        for (uint32_t k = 0; k < sum->count; k++) {
            a[k] = sum->terms[k].weight;
            x[k] = (cns_view){sum->terms[k].term, 0};
        }
        a[count - 1] = -sum->scale;
        x[count - 1] = (cns_view){s->objective, 0};
        cns_post_linear_le(s, (cns_post){UINT32_MAX, CNS_LIT_TRUE}, a, (cns_views){x, count},
                           -(int64_t)sum->constant);
    }
    cns_scratch_destroy(s, x, count, sizeof *x);
    cns_scratch_destroy(s, a, count, sizeof *a);
    g->posted_cores = g->cores;
    g->objective_end = s->propagator_count;
    return s->status == CNS_OK;
}

static void begin_turn(cns_core_guided *g, cns_state *s) {
    uint64_t length = TURN_LEAST + g->spent / 4;
    g->turns++;
    g->restarts = 1;
    g->turn_began = s->ticks;
    g->turn_end = s->ticks + length;
    g->turn_bound = cns_sum_least(s, &g->sum);
    g->phase = CNS_CORE_COLLECT;
    g->prepared = false;
}

/* Whether the turn was worth its time: with as much gained by each, they close the gap soon. */
static bool has_paid(const cns_core_guided *g, const cns_state *s) {
    cns_wide least = cns_sum_least(s, &g->sum);
    double gain = (double)(least - g->turn_bound);
    double gap = (double)((cns_wide)cns_high(s, s->objective) * g->sum.scale - least);
    double time = (double)(s->ticks - g->turn_began);
    return g->met || (gain > 0 && gap / gain * time < PATIENCE * (double)(s->ticks - g->began));
}

/* More time for what pays, less for what does not. */
static bool end_turn(cns_search *search) {
    cns_core_guided *g = search->core_guided;
    cns_state *s = search->state;
    g->spent += s->ticks - g->turn_began;
    g->in_vain = !g->met && cns_sum_least(s, &g->sum) <= g->turn_bound;
    bool paid = has_paid(g, s);
    g->unpaid = paid ? 0 : g->unpaid + 1;
    g->share *= paid ? 1.5 : 0.5;
    g->share = g->share > SHARE_MOST ? SHARE_MOST : g->share;
    g->share = g->share < SHARE_LEAST ? SHARE_LEAST : g->share;
    if (g->unpaid >= UNPAID_MOST && search->optimise != CNS_OPTIMISE_CORES) {
        give_up(g, s);
    }
    return g->over || g->cores <= g->posted_cores + g->posted_cores / 2 || post_objective(g, s);
}

/* Whether a turn may begin: after a first solution, while its share of the time is not spent. */
static bool is_due(const cns_search *search) {
    const cns_core_guided *g = search->core_guided;
    const cns_state *s = search->state;
    return search->optimise == CNS_OPTIMISE_CORES ||
           (search->optimise == CNS_OPTIMISE_DEFAULT && search->free &&
            s->objective_limit != INT64_MAX &&
            (double)g->spent <= g->share * (double)(s->ticks - g->began));
}

bool cns_core_guided_turn(cns_search *search) {
    cns_core_guided *g = search->core_guided;
    cns_state *s = search->state;
    if (g == NULL) {
        return false;
    }
    if (search->core_turn) {
        g->restarts++;
        g->phase = CNS_CORE_COLLECT;
        g->prepared = false;
        if (!g->over && !cns_core_guided_spent(search)) {
            return true;
        }
        go_on(s, end_turn(search));
    }
    if (g->over || search->excursion || s->failed || s->status != CNS_OK || s->proof != NULL ||
        !is_due(search)) {
        return false;
    }
    begin_turn(g, s);
    return true;
}
