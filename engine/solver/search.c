/* SPDX-License-Identifier: MIT
 *
 * solver/search.c - see search.h.
 */
#include "solver/search.h"

#include "solver/core_guided.h"
#include "solver/proof.h"

#include <math.h>
#include <string.h>

/* Conflicts between reductions of the learnt clauses: the first time, and more each time. Where
 * there are clauses alone they must stay in the cache; propagators cost more than clauses do. */
#define REDUCE_FIRST 20000
#define REDUCE_STEP 1000
#define REDUCE_FIRST_SAT 1500
#define REDUCE_STEP_SAT 60
#define SIMPLIFY_SHARE 100
#define LUBY_SCALE 100
#define LBD_LEAST 50 /* conflicts between restarts by LBD, at least */
#define LBD_MARGIN 1.25

void cns_search_init(cns_search *search, cns_state *state) {
    memset(search, 0, sizeof *search);
    search->state = state;
    search->simplify_share = SIMPLIFY_SHARE;
    cns_search_reset(search);
}

void cns_search_deinit(cns_search *search) {
    cns_context *context = search->state->context;
    cns_core_guided_end(search);
    for (uint32_t k = 0; k < search->phase_count; k++) {
        cns_context_free(context, search->phases[k].views,
                         search->phases[k].count * sizeof(cns_view), CNS_ALIGN_DEFAULT);
    }
    cns_context_free(context, search->phases, search->phase_capacity * sizeof *search->phases,
                     CNS_ALIGN_DEFAULT);
    cns_context_free(context, search->assumptions,
                     search->assumption_capacity * sizeof *search->assumptions, CNS_ALIGN_DEFAULT);
    cns_context_free(context, search->outputs, search->output_capacity * sizeof *search->outputs,
                     CNS_ALIGN_DEFAULT);
    cns_context_free(context, search->guide.data, search->guide.capacity * sizeof(cns_fact),
                     CNS_ALIGN_DEFAULT);
    cns_context_free(context, search->core, search->core_capacity * sizeof *search->core,
                     CNS_ALIGN_DEFAULT);
}

cns_status cns_search_add_phase(cns_search *search, const cns_view *views, uint32_t count,
                                cns_choose_var var_rule, cns_choose_value value_rule) {
    cns_state *s = search->state;
    if (count == 0) {
        return CNS_OK;
    }
    if (!cns_grow(s, &search->phases, sizeof *search->phases, &search->phase_capacity,
                  search->phase_count + 1)) {
        return s->status;
    }
    cns_view *copy = cns_context_alloc(s->context, count * sizeof *copy, CNS_ALIGN_DEFAULT);
    if (copy == NULL) {
        return s->status = cns_context_memory_status(s->context, count * sizeof *copy);
    }
    memcpy(copy, views, count * sizeof *copy);
    search->phases[search->phase_count++] = (cns_phase){copy, count, var_rule, value_rule, 0};
    return CNS_OK;
}

cns_status cns_search_add_output(cns_search *search, cns_view view) {
    if (!cns_grow(search->state, &search->outputs, sizeof *search->outputs,
                  &search->output_capacity, search->output_count + 1)) {
        return search->state->status;
    }
    search->outputs[search->output_count++] = view;
    return CNS_OK;
}

cns_status cns_search_assume(cns_search *search, const cns_lit *lits, uint32_t count) {
    if (!cns_grow(search->state, &search->assumptions, sizeof *lits, &search->assumption_capacity,
                  count)) {
        return search->state->status;
    }
    if (count > 0) {
        memcpy(search->assumptions, lits, count * sizeof *lits);
    }
    search->assumption_count = count;
    cns_backtrack(search->state, 0);
    return CNS_OK;
}

/* ---- restarts ------------------------------------------------------------------------------- */

/* 1 1 2 1 1 2 4 ...: the k-th term, from 0 on (Luby, Sinclair, Zuckerman 1993). */
static uint64_t luby(uint64_t k) {
    uint64_t size = 1;
    unsigned exponent = 0;
    while (size < k + 1) {
        size = 2 * size + 1;
        exponent++;
    }
    while (size - 1 != k) {
        size = (size - 1) / 2;
        exponent--;
        k %= size;
    }
    return UINT64_C(1) << exponent;
}

static uint64_t restart_length(const cns_search *search) {
    uint64_t k = search->restart_number;
    double scale = search->restart_scale;
    double length;
    switch (search->restart) {
    case CNS_RESTART_NONE:
        return UINT64_MAX;
    case CNS_RESTART_GEOMETRIC:
        length = scale * pow(search->restart_base, (double)k);
        break;
    case CNS_RESTART_LINEAR:
        length = scale * (double)(k + 1);
        break;
    case CNS_RESTART_CONSTANT:
        length = scale;
        break;
    case CNS_RESTART_LBD:
        return LBD_LEAST;
    default:
        length = scale * (double)luby(k);
    }
    return length < 1 ? 1 : length > 1e18 ? UINT64_MAX : (uint64_t)length;
}

void cns_search_reset(cns_search *search) {
    search->restart_number = 0;
    search->clauses_alone = search->state->propagator_count == 0;
    search->reduce_step = search->clauses_alone ? REDUCE_FIRST_SAT : REDUCE_FIRST;
    search->reduce_at = search->state->counters.conflicts + search->reduce_step;
    if (search->restart_scale <= 0) {
        search->restart_scale = LUBY_SCALE;
    }
    if (search->restart_base <= 0) {
        search->restart_base = 1.5;
    }
    search->conflicts_left = restart_length(search);
    search->by_activity = search->free && (search->phase_count == 0 || search->activity_only);
    search->state->atoms_true = search->free && search->atoms_first;
    search->core_turn = false;
    search->core_turn = search->state->level == 0 && cns_core_guided_turn(search);
    if (search->core_turn) {
        search->conflicts_left = cns_core_guided_patience(search);
    }
}

/* ---- guessing at the objective -------------------------------------------------------------- */

/* Free search decides first that the objective is better by a step than the best so far. The step
 * doubles with each solution and halves where none comes until the restart, or where the guess is
 * refuted, which leaves a bound. Without it an objective of a wide range is improved by ones. */
static void take_aim(cns_search *search, int64_t step) {
    cns_state *s = search->state;
    int64_t gap = s->objective_limit - s->root[s->objective];
    search->aim_step = step < gap / 2 ? step : gap / 2;
    search->aim = s->objective_limit - search->aim_step;
}

static bool aims(const cns_search *search) {
    const cns_state *s = search->state;
    bool wanted = search->optimise == CNS_OPTIMISE_PROBE ||
                  (search->free && search->optimise != CNS_OPTIMISE_LINEAR);
    return wanted && s->objective != CNS_TERM_ZERO && s->objective_limit != INT64_MAX;
}

/* The guess, decided first where there is no guide, when it is open; false ones are halved away. */
static bool guessed(cns_search *search, cns_fact *out) {
    cns_state *s = search->state;
    if (s->level != search->assumption_count || search->guide.count > 0) {
        return false;
    }
    while (search->aim_step > 0 && cns_low(s, s->objective) > search->aim) {
        take_aim(search, search->aim_step / 2);
    }
    *out = cns_fact_le(s->objective, search->aim);
    return search->aim_step > 0 && cns_high(s, s->objective) > search->aim;
}

/* By LBD (Audemard, Simon 2012): when the latest clauses are worse than the average. */
static bool restart_is_due(const cns_search *search) {
    const cns_state *s = search->state;
    if (search->core_turn) {
        return search->conflicts_left == 0 || cns_core_guided_spent(search);
    }
    return search->conflicts_left == 0 &&
           (search->restart != CNS_RESTART_LBD || s->lbd_fast > LBD_MARGIN * s->lbd_slow);
}

/* Until there is a solution, literals of integers are tried as they were last in some restarts, and
 * as true in others: [x = v] then says all of x, where its negation says next to nothing. Of
 * puzzles some are solved much sooner by the one, and some by the other. */
static void rephase(cns_search *search) {
    bool second = search->restart_number % 8 >= 4;
    search->state->atoms_true = second != search->atoms_first;
}

static void end_descent(cns_search *search) {
    if (aims(search) && !search->improved) {
        take_aim(search, search->aim_step / 2);
    }
    search->improved = false;
    search->restart_number++;
    if (search->free) {
        search->by_activity =
            search->phase_count == 0 || search->activity_only || !search->by_activity;
        rephase(search);
    }
}

static void restart(cns_search *search) {
    if (!search->core_turn && !search->excursion) {
        end_descent(search);
    }
    search->state->counters.restarts++;
    cns_backtrack(search->state, 0);
    search->core_turn = cns_core_guided_turn(search);
    search->conflicts_left =
        search->core_turn ? cns_core_guided_patience(search) : restart_length(search);
}

/* ---- assumptions ---------------------------------------------------------------------------- */

/* The next assumption is false: which of the earlier ones are behind that. */
static bool find_core(cns_search *search, cns_lit lit) {
    cns_state *s = search->state;
    search->core_found = true;
    search->core_count = 0;
    uint32_t own = s->level;
    if (!cns_grow(s, &search->core, sizeof *search->core, &search->core_capacity, own + 1) ||
        !cns_decisions_behind(s, cns_fact_lit(lit ^ 1), search->core, &search->core_count)) {
        return false;
    }
    for (uint32_t k = 0; k < search->core_count; k++) {
        search->core[k]--; /* level k + 1 is assumption k */
    }
    search->core[search->core_count++] = own;
    return true;
}

/* ---- the machine ---------------------------------------------------------------------------- */

static bool apply(cns_state *s, cns_fact fact) {
    return fact.is_bound ? cns_raise(s, fact.id, fact.value, CNS_REASON_NONE)
                         : cns_enqueue(s, fact.id, CNS_REASON_NONE);
}

/* 1: true, -1: false, 0: open. */
static int truth(const cns_state *s, cns_fact fact) {
    if (!fact.is_bound) {
        return s->value[fact.id];
    }
    return cns_low(s, fact.id) >= fact.value ? 1 : cns_high(s, fact.id) < fact.value ? -1 : 0;
}

/* The first fact of the guide that is open. */
static bool guided(cns_search *search, cns_fact *out) {
    cns_state *s = search->state;
    uint32_t next = (uint32_t)search->guide_first;
    while (next < search->guide.count && truth(s, search->guide.data[next]) != 0) {
        next++;
    }
    s->ticks += next - (uint32_t)search->guide_first;
    if (next != search->guide_first && !cns_save(s, &search->guide_first, next)) {
        return false;
    }
    if (next == search->guide.count) {
        search->guide_done = true;
        return false;
    }
    if (search->guide_done) {
        search->guide_done = false;
        if (++search->guide_breaks == search->guide_patience) {
            search->conflicts_left = 0;
        }
    }
    *out = search->guide.data[next];
    return true;
}

void cns_search_new_guide(cns_search *search) {
    CNS_ASSERT(search->state->level == 0);
    search->guide.count = 0;
    search->guide_first = 0;
    search->guide_done = false;
    search->guide_breaks = 0;
}

/* The next decision, not in a turn of the core-guided search. */
static bool decide(cns_search *search, cns_fact *out) {
    return guided(search, out) || guessed(search, out) || cns_choose(search, out);
}

/* One level more: an assumption, or a decision. */
static cns_search_result descend(cns_search *search) {
    cns_state *s = search->state;
    cns_fact fact;
    cns_core_step step = CNS_CORE_DECIDE;
    if (search->core_turn) {
        step = cns_core_guided_next(search, &fact);
        if (step == CNS_CORE_AGAIN || step == CNS_CORE_ERROR) {
            return step == CNS_CORE_AGAIN ? CNS_SEARCH_PAUSED : CNS_SEARCH_ERROR;
        }
    }
    if (s->level < search->assumption_count) {
        cns_lit lit = search->assumptions[s->level];
        if (cns_is_false(s, lit)) {
            return find_core(search, lit) ? CNS_SEARCH_EXHAUSTED : CNS_SEARCH_ERROR;
        }
        fact = cns_fact_lit(lit);
    } else if (step == CNS_CORE_DECIDE &&
               !(search->core_turn ? cns_choose(search, &fact) : decide(search, &fact))) {
        return s->status == CNS_OK ? CNS_SEARCH_SOLUTION : CNS_SEARCH_ERROR;
    } else {
        s->counters.decisions++;
    }
    search->at_root_done = false;
    cns_new_level(s);
    if (s->status == CNS_OK && !apply(s, fact)) {
        s->has_conflict = true; /* a decision on a bound may run into removed values */
    }
    return s->status == CNS_OK ? CNS_SEARCH_PAUSED : CNS_SEARCH_ERROR;
}

static uint32_t fixed_bools(const cns_state *s) {
    uint32_t count = 0;
    for (uint32_t n = 0; n < s->bool_count; n++) {
        count += s->value[2 * n] != 0;
    }
    return count;
}

/* At the root: takes clauses and literals out that what is fixed there has decided. It goes through
 * all clauses at once, so it waits until that costs a small share of the search since. */
static bool simplify(cns_search *search) {
    cns_state *s = search->state;
    uint64_t cost = s->arena_count / 4 + s->bool_count;
    if (s->ticks - search->simplified_at < cost * search->simplify_share) {
        return true;
    }
    uint32_t fixed = fixed_bools(s);
    if (fixed != search->simplified_for && !cns_simplify_clauses(s)) {
        return false;
    }
    s->ticks += fixed != search->simplified_for ? cost : s->bool_count / 16;
    search->simplified_for = fixed;
    search->simplified_at = s->ticks;
    return true;
}

/* Housekeeping that is due at a fixpoint. */
static bool tidy(cns_search *search) {
    cns_state *s = search->state;
    if (s->counters.conflicts >= search->reduce_at) {
        search->reduce_step += search->clauses_alone ? REDUCE_STEP_SAT : REDUCE_STEP;
        search->reduce_at = s->counters.conflicts + search->reduce_step;
        if (!cns_reduce_clauses(s)) {
            return false;
        }
        if (s->level == 0) {
            cns_reclaim_atoms(s);
        }
    }
    return s->level > 0 || simplify(search);
}

cns_search_result cns_search_run(cns_search *search, uint64_t ticks_end) {
    cns_state *s = search->state;
    s->ticks_end = ticks_end;
    search->core_found = false;
    search->core_count = 0;
    while (s->ticks < ticks_end) {
        cns_progress progress = cns_propagate(s);
        if (progress == CNS_PAUSED) {
            return s->status == CNS_OK ? CNS_SEARCH_PAUSED : CNS_SEARCH_ERROR;
        }
        if (progress == CNS_CONFLICT) {
            if (!cns_resolve_conflict(s)) {
                return s->status == CNS_OK ? CNS_SEARCH_EXHAUSTED : CNS_SEARCH_ERROR;
            }
            search->conflicts_left -= search->conflicts_left > 0;
            continue;
        }
        if (!tidy(search)) {
            return CNS_SEARCH_ERROR;
        }
        if (s->level > 0 && restart_is_due(search)) {
            restart(search);
            continue;
        }
        if (s->level > 0 && search->call_back) {
            search->call_back = false;
            cns_backtrack(s, 0);
            continue;
        }
        if (s->level == 0 && search->at_root != NULL && !search->at_root_done) {
            search->at_root_done = true;
            search->call_back = false;
            if (!search->at_root(search->at_root_user)) {
                return s->status == CNS_OK ? CNS_SEARCH_EXHAUSTED : CNS_SEARCH_ERROR;
            }
            continue;
        }
        cns_search_result result = descend(search);
        if (result != CNS_SEARCH_PAUSED) {
            return result;
        }
    }
    return CNS_SEARCH_PAUSED;
}

/* ---- behind a solution ---------------------------------------------------------------------- */

void cns_search_keep(cns_search *search) {
    cns_state *s = search->state;
    for (uint32_t n = 0; n < s->int_count; n++) {
        s->int_best[n] = cns_low(s, 2 * n);
    }
    for (uint32_t n = 0; n < s->bool_count; n++) {
        s->best_phase[n] = s->value[2 * n];
    }
    if (search->core_turn) {
        cns_core_guided_solved(search);
    }
}

void cns_search_improve(cns_search *search, int64_t limit) {
    cns_state *s = search->state;
    s->objective_limit = limit;
    search->improved = true;
    if (aims(search)) {
        take_aim(search, search->aim_step > 0 ? 2 * search->aim_step : 1);
    }
}

/* The literals that some output has another value; all are false now. */
static bool exclusion(cns_search *search, cns_lit **lits, uint32_t *count, uint32_t *capacity) {
    cns_state *s = search->state;
    for (uint32_t k = 0; k < search->output_count; k++) {
        cns_view v = search->outputs[k];
        cns_lit lit = cns_view_lit_eq(s, v, cns_view_low(s, v));
        if (lit == CNS_LIT_NONE || !cns_grow(s, lits, sizeof **lits, capacity, *count + 1)) {
            return false;
        }
        if (s->position[lit >> 1] != 0) {
            (*lits)[(*count)++] = lit ^ 1;
        }
    }
    return true;
}

/* Puts the two literals that become open last at the front. */
static void latest_first(const cns_state *s, cns_lit *lits, uint32_t count) {
    for (uint32_t place = 0; place < 2 && place < count; place++) {
        uint32_t best = place;
        for (uint32_t i = place + 1; i < count; i++) {
            if (s->position[lits[i] >> 1] > s->position[lits[best] >> 1]) {
                best = i;
            }
        }
        cns_lit lit = lits[place];
        lits[place] = lits[best];
        lits[best] = lit;
    }
}

bool cns_search_exclude(cns_search *search) {
    cns_state *s = search->state;
    cns_lit *lits = NULL;
    uint32_t count = 0;
    uint32_t capacity = 0;
    bool done = exclusion(search, &lits, &count, &capacity);
    if (done && s->proof != NULL) {
        cns_proof_exclude(s, lits, count);
    }
    if (done && count == 0) {
        s->failed = true;
        done = false;
    } else if (done && count == 1) {
        cns_lit lit = lits[0];
        cns_backtrack(s, 0);
        done = cns_add_clause(s, &lit, 1);
    } else if (done) {
        latest_first(s, lits, count);
        done = cns_store_clause(s, lits, count, CNS_CLAUSE_PERMANENT, 0) != UINT32_MAX;
        s->conflict.count = 0;
        s->conflict_propagator = UINT32_MAX;
        for (uint32_t i = 0; done && i < count; i++) {
            done = cns_facts_push(s, &s->conflict, cns_fact_lit(lits[i] ^ 1));
        }
        s->has_conflict = done;
    }
    cns_context_free(s->context, lits, capacity * sizeof *lits, CNS_ALIGN_DEFAULT);
    return done;
}
