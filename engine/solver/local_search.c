/* SPDX-License-Identifier: MIT
 *
 * solver/local_search.c - see local_search.h.
 */
#include "solver/local_search.h"

#include <string.h>

#define TRIES 8                        /* changes tried in a step */
#define STEP_TICKS UINT64_C(50000)     /* in a step, after which no more are */
#define WORK_MOST UINT64_C(100000)     /* ticks of one look at one constraint */
#define MAKING_MOST UINT64_C(20000000) /* ... at all of them */
#define REACH_MOST UINT64_C(400000)    /* ... at all on one variable, some times in a step */
#define TABU 6                         /* steps in which a changed variable mostly rests */
#define WALK 100                       /* one in so many steps keeps a change that mends nothing */
#define STRAY 32                       /* one in so many changes is of any variable */
#define PATIENCE_FIRST UINT64_C(4000000) /* ticks without progress before a restart */
#define PATIENCE_MOST UINT64_C(64000000)
#define SHAKEN 50 /* one in so many variables gets a random value in a restart */

/* ---- making --------------------------------------------------------------------------------- */

static uint32_t index_of(cns_var var) {
    return (uint32_t)(var >= 0 ? var : ~var);
}

static void set_starts(cns_local *l) {
    const cns_model *m = l->score.model;
    for (uint32_t v = 0; v < m->variable_count; v++) {
        bool hinted = v < m->hint_capacity && m->hinted[v];
        l->start[v] = cns_score_nearest(&l->score, v, hinted ? m->hints[v] : 0);
    }
}

bool cns_local_suits(const cns_model *model) {
    uint64_t all = 0;
    for (uint32_t k = 0; k < model->constraint_count; k++) {
        const cns_model_constraint *c = &model->constraints[k];
        uint64_t work = cns_violation_work(model, c);
        all += work;
        if ((work > WORK_MOST && !cns_violation_is_summed(c)) || all > MAKING_MOST) {
            return false;
        }
    }
    return true;
}

cns_status cns_local_init(cns_local *l, cns_context *context, const cns_model *model,
                          const cns_var *assumptions, uint32_t count, uint64_t seed,
                          cns_score_limits limits) {
    memset(l, 0, sizeof *l);
    cns_rng_seed(&l->rng, seed);
    cns_status status = cns_score_init(&l->score, context, model, limits);
    if (status != CNS_OK) {
        return status;
    }
    size_t variables = (size_t)model->variable_count + 1;
    l->start = cns_context_calloc(context, variables * sizeof *l->start);
    l->moved = cns_context_calloc(context, variables * sizeof *l->moved);
    l->free = cns_context_calloc(context, variables * sizeof *l->free);
    if (l->start == NULL || l->moved == NULL || l->free == NULL) {
        status = cns_context_memory_status(context, variables * sizeof *l->moved);
        cns_local_deinit(l);
        return status;
    }
    l->assumptions = assumptions;
    l->assumption_count = count;
    for (uint32_t k = 0; k < count; k++) {
        int64_t truth = assumptions[k] >= 0;
        l->spent = !cns_score_narrow(&l->score, index_of(assumptions[k]), truth, truth) || l->spent;
    }
    for (uint32_t v = 0; v < model->variable_count; v++) {
        if (cns_score_free(&l->score, v)) {
            l->free[l->free_count++] = v;
        }
    }
    l->spent = l->spent || l->score.reach > REACH_MOST;
    l->limit = INT64_MAX;
    l->patience = PATIENCE_FIRST;
    set_starts(l);
    return CNS_OK;
}

void cns_local_deinit(cns_local *l) {
    cns_context *context = l->score.context;
    if (context == NULL) {
        return;
    }
    size_t variables = (size_t)l->score.variable_count + 1;
    cns_context_free(context, l->start, variables * sizeof *l->start, CNS_ALIGN_DEFAULT);
    cns_context_free(context, l->moved, variables * sizeof *l->moved, CNS_ALIGN_DEFAULT);
    cns_context_free(context, l->free, variables * sizeof *l->free, CNS_ALIGN_DEFAULT);
    cns_score_deinit(&l->score);
}

void cns_local_start(cns_local *l, const int64_t *values) {
    memcpy(l->start, values, l->score.variable_count * sizeof *values);
    l->started = l->settling = false;
    l->patience = PATIENCE_FIRST;
}

/* What the values in the score come to, from now on. */
static void settle(cns_local *l) {
    cns_score_begin(&l->score);
    l->started = false;
    l->settling = true;
    l->least = UINT32_MAX;
}

static int64_t cost_of(const cns_local *l) {
    const cns_model *m = l->score.model;
    if (m->goal == CNS_SATISFY) {
        return INT64_MIN;
    }
    int64_t objective = cns_model_value(l->score.values, m->objective);
    return m->goal == CNS_MAXIMIZE ? -objective : objective;
}

void cns_local_improve(cns_local *l, int64_t limit) {
    const cns_model *m = l->score.model;
    if (m->goal == CNS_SATISFY || limit >= l->limit) {
        return;
    }
    l->limit = limit;
    bool least = (m->goal == CNS_MINIMIZE) == (m->objective >= 0); /* of the variable, too */
    int64_t bound = m->goal == CNS_MINIMIZE ? limit : -limit;
    bound = m->objective >= 0 ? bound : 1 - bound;
    l->spent = !cns_score_narrow(&l->score, index_of(m->objective), least ? INT64_MIN : bound,
                                 least ? bound : INT64_MAX) ||
               l->spent;
    if (l->started || l->settling) {
        cns_score_put(&l->score, l->score.values);
        settle(l);
    }
}

/* ---- restarts ------------------------------------------------------------------------------- */

static int64_t draw(cns_local *l, uint32_t v) {
    cns_score *s = &l->score;
    uint64_t span = (uint64_t)(s->high[v] - s->low[v]) + 1;
    return cns_score_nearest(s, v, s->low[v] + (int64_t)cns_rng_below(&l->rng, span));
}

static void begin(cns_local *l, bool shaken) {
    cns_score *s = &l->score;
    cns_score_put(s, l->start);
    for (uint32_t k = 0; k < l->free_count && shaken; k++) {
        uint32_t v = l->free[k];
        if (cns_rng_below(&l->rng, SHAKEN) == 0) {
            s->values[v] = draw(l, v);
        }
    }
    cns_score_reset_weights(s);
    settle(l);
}

/* Whether there is an assignment to go on from, before ticks run out. */
static bool is_ready(cns_local *l, uint64_t ticks_end) {
    if (!l->started && !l->settling) {
        begin(l, false);
    }
    if (l->settling && cns_score_settle(&l->score, ticks_end)) {
        l->settling = false;
        l->started = true;
    }
    return l->started;
}

static void restart(cns_local *l) {
    begin(l, true);
    l->restarts++;
    l->patience = l->patience < PATIENCE_MOST ? l->patience + l->patience / 2 : PATIENCE_MOST;
}

/* ---- a step --------------------------------------------------------------------------------- */

static void make(cns_local *l, const cns_jump *move) {
    for (uint32_t k = 0; k < move->count; k++) {
        cns_score_set(&l->score, move->vars[k], move->values[k]);
    }
    cns_score_update(&l->score);
}

static int64_t gain_of(cns_local *l, const cns_jump *move) {
    int64_t before = l->score.total;
    make(l, move);
    int64_t gain = before - l->score.total;
    cns_score_undo(&l->score);
    return gain;
}

/* A constraint that the move broke, at random among the first ones; CNS_NO_ITEM: none. */
static uint32_t broken(cns_local *l) {
    const cns_score *s = &l->score;
    uint32_t found = CNS_NO_ITEM;
    uint32_t count = 0;
    for (uint32_t k = 0; k < s->item_change_count && k < 64; k++) {
        const cns_item_change *change = &s->item_changes[k];
        if (change->cost == 0 && s->costs[change->item] > 0 &&
            cns_rng_below(&l->rng, ++count) == 0) {
            found = change->item;
        }
    }
    return found;
}

/* Appends a change that mends what the move breaks. */
static bool extend(cns_local *l, cns_jump *move) {
    cns_jump second;
    if (move->count != 1) {
        return false;
    }
    make(l, move);
    uint32_t item = broken(l);
    bool made = item != CNS_NO_ITEM && cns_jump_make(&l->score, &l->rng, item, &second);
    cns_score_undo(&l->score);
    if (!made || second.vars[0] == move->vars[0] || second.count != 1) {
        return false;
    }
    move->count = 2;
    move->vars[1] = second.vars[0];
    move->values[1] = second.values[0];
    return true;
}

static bool rests(cns_local *l, const cns_jump *move) {
    uint64_t moved = l->moved[move->vars[0]];
    return moved != 0 && moved + TABU > l->steps && cns_rng_below(&l->rng, 4) != 0;
}

/* Mostly what a wish comes to. Any variable at times: no solution is out of reach. */
static bool think(cns_local *l, uint32_t item, cns_jump *move) {
    if (cns_rng_below(&l->rng, STRAY) != 0) {
        return cns_jump_make(&l->score, &l->rng, item, move);
    }
    uint32_t v = l->free[cns_rng_below(&l->rng, l->free_count)];
    *move = (cns_jump){1, {v}, {draw(l, v)}};
    return true;
}

/* The best of some moves for the item; false: none came to mind. */
static bool choose(cns_local *l, uint32_t item, cns_jump *best, int64_t *gain) {
    bool any = false;
    uint64_t enough = l->score.ticks + STEP_TICKS;
    for (int k = 0; k < TRIES && (l->score.ticks < enough || !any); k++) {
        cns_jump move;
        if (!think(l, item, &move) || rests(l, &move)) {
            continue;
        }
        int64_t own = gain_of(l, &move);
        if (own <= 0 && cns_rng_below(&l->rng, 2) == 0) {
            cns_jump longer = move;
            int64_t more = extend(l, &longer) ? gain_of(l, &longer) : own;
            if (more > own) {
                move = longer;
                own = more;
            }
        }
        if (!any || own > *gain) {
            any = true;
            *best = move;
            *gain = own;
        }
    }
    return any;
}

static void keep(cns_local *l, const cns_jump *move) {
    make(l, move);
    cns_score_keep(&l->score);
    for (uint32_t k = 0; k < move->count; k++) {
        l->moved[move->vars[k]] = l->steps;
    }
}

static void step(cns_local *l) {
    cns_score *s = &l->score;
    uint32_t item = s->violated[cns_rng_below(&l->rng, s->violated_count)];
    cns_jump best = {0};
    int64_t gain = 0;
    l->steps++;
    s->ticks += 8;
    bool any = choose(l, item, &best, &gain);
    if (any && (gain > 0 || cns_rng_below(&l->rng, WALK) == 0)) {
        keep(l, &best);
    } else {
        cns_score_raise_weight(s, item);
    }
    if (s->violated_count < l->least) {
        l->least = s->violated_count;
        l->restart_at = s->ticks + l->patience;
    }
}

/* ---- the search ----------------------------------------------------------------------------- */

/* Whether nothing that a score knows less of speaks against the values. */
static cns_status judge(cns_local *l, bool *passed) {
    const int64_t *values = l->score.values;
    uint32_t failed;
    uint32_t variable;
    cns_status status = cns_model_evaluate_all(l->score.model, values, passed, &failed, &variable);
    for (uint32_t k = 0; k < l->assumption_count && status == CNS_OK; k++) {
        *passed = *passed && cns_model_value(values, l->assumptions[k]) != 0;
    }
    *passed = *passed && cost_of(l) <= l->limit;
    l->score.ticks += 1 + l->score.variable_count + l->score.touch_count;
    return status;
}

cns_local_result cns_local_run(cns_local *l, uint64_t ticks_end, cns_status *status) {
    *status = CNS_OK;
    if (l->spent) {
        return CNS_LOCAL_STUCK;
    }
    while (l->score.ticks < ticks_end && is_ready(l, ticks_end)) {
        if (l->score.violated_count == 0) {
            bool passed;
            *status = judge(l, &passed);
            if (*status != CNS_OK || passed) {
                return *status == CNS_OK ? CNS_LOCAL_SOLUTION : CNS_LOCAL_ERROR;
            }
            l->refused++;
            restart(l);
        } else if (l->free_count == 0) {
            return CNS_LOCAL_STUCK;
        } else if (l->score.ticks >= l->restart_at && l->least != UINT32_MAX) {
            restart(l);
        } else {
            step(l);
        }
    }
    return CNS_LOCAL_PAUSED;
}
