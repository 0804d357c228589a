/* SPDX-License-Identifier: MIT
 *
 * solver_trial.c - see solver_trial.h.
 */
#include "solver_trial.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "solver/trail.h"

/* ---- facts under an assignment -------------------------------------------------------------- */

static int var_of(const solver_trial *trial, uint32_t integer) {
    for (uint32_t i = 0; i < trial->var_count; i++) {
        if (trial->vars[i] >> 1 == integer) {
            return (int)i;
        }
    }
    return -1;
}

/* The integer that the fact is about: a variable, -1 for a constant, or -2 for anything else. */
static int subject(const solver_trial *trial, cns_fact fact) {
    const cns_state *s = &trial->state;
    uint32_t integer = fact.id >> 1;
    if (!fact.is_bound) {
        if (fact.id >> 1 == 0) {
            return -1;
        }
        uint8_t kind = s->kind[fact.id >> 1];
        if (kind != CNS_BOOL_GE && kind != CNS_BOOL_EQ) {
            return -2;
        }
        integer = s->atoms[fact.id >> 1].integer;
    }
    int var = var_of(trial, integer);
    return var >= 0 ? var : integer == 0 ? -1 : -2;
}

/* Requires that the subject is not -2. */
static bool true_under(const solver_trial *trial, cns_fact fact, uint32_t assignment) {
    const cns_state *s = &trial->state;
    int var = subject(trial, fact);
    int64_t x = var < 0 ? 0 : trial->assignments[assignment][var];
    if (fact.is_bound) {
        return (fact.id & 1 ? -x : x) >= fact.value;
    }
    if (var < 0 && fact.id >> 1 == 0) {
        return fact.id == CNS_LIT_TRUE;
    }
    const cns_atom *atom = &s->atoms[fact.id >> 1];
    bool holds = s->kind[fact.id >> 1] == CNS_BOOL_EQ ? x == atom->value : x >= atom->value;
    return holds != (fact.id & 1);
}

/* "x0>=3 x1=2 -> x2<=1", for messages. */
static const char *describe(const solver_trial *trial, const cns_facts *facts,
                            const cns_fact *fact) {
    static char text[1024];
    const cns_state *s = &trial->state;
    size_t at = 0;
    text[0] = 0;
    for (uint32_t i = 0; i <= facts->count && at < sizeof text - 64; i++) {
        cns_fact f = i < facts->count ? facts->data[i] : fact != NULL ? *fact : cns_fact_lit(1);
        const cns_atom *atom = &s->atoms[f.id >> 1];
        const char *arrow = i == facts->count ? "-> " : "";
        int n;
        if (f.is_bound) {
            n = snprintf(text + at, sizeof text - at, "%s%sx%d>=%d ", arrow, f.id & 1 ? "-" : "",
                         var_of(trial, f.id >> 1), (int)f.value);
        } else if (subject(trial, f) < 0) {
            n = snprintf(text + at, sizeof text - at, "%slit%u ", arrow, f.id);
        } else {
            bool equal = s->kind[f.id >> 1] == CNS_BOOL_EQ;
            n = snprintf(text + at, sizeof text - at, "%s%s[x%d%s%d] ", arrow, f.id & 1 ? "~" : "",
                         var_of(trial, atom->integer), equal ? "=" : ">=", (int)atom->value);
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return text;
}

static bool all_known(const solver_trial *trial, const cns_facts *facts, const cns_fact *fact) {
    for (uint32_t i = 0; i < facts->count; i++) {
        if (subject(trial, facts->data[i]) == -2) {
            return false;
        }
    }
    return fact == NULL || subject(trial, *fact) != -2;
}

static bool all_true_under(const solver_trial *trial, const cns_facts *facts, uint32_t a) {
    for (uint32_t i = 0; i < facts->count; i++) {
        if (!true_under(trial, facts->data[i], a)) {
            return false;
        }
    }
    return true;
}

/* ---- inferences ----------------------------------------------------------------------------- */

static bool true_now(const cns_state *s, cns_fact fact) {
    return fact.is_bound ? cns_low(s, fact.id) >= fact.value : cns_is_true(s, fact.id);
}

static bool true_at(const cns_state *s, cns_fact fact, uint32_t position) {
    return fact.is_bound ? cns_low_before(s, fact.id, position) >= fact.value
                         : cns_true_before(s, fact.id, position);
}

/* Where `fact` is on the trail; behind its end when it is not. */
static uint32_t position_of(const cns_state *s, const cns_fact *fact) {
    if (fact == NULL || !true_now(s, *fact)) {
        return UINT32_MAX;
    }
    return fact->is_bound ? cns_find_move(s, fact->id, fact->value) : s->position[fact->id >> 1];
}

/* What the root leaves of the domains: facts of the root are not repeated in explanations. */
static void read_root(const solver_trial *trial, bool left[TRIAL_VARS][TRIAL_VALUES]) {
    const cns_state *s = &trial->state;
    for (uint32_t i = 0; i < trial->var_count; i++) {
        cns_term t = trial->vars[i];
        for (uint32_t k = 0; k < trial->value_count[i]; k++) {
            int64_t value = trial->values[i][k];
            cns_lit lit = cns_find_eq(s, t, value);
            bool removed = lit != CNS_LIT_NONE && s->value[lit] < 0 && s->position[lit >> 1] == 0;
            left[i][k] = value >= s->root[t] && value <= -s->root[t ^ 1] && !removed;
        }
    }
}

static bool at_root(const solver_trial *trial, bool left[TRIAL_VARS][TRIAL_VALUES], uint32_t a) {
    for (uint32_t i = 0; i < trial->var_count; i++) {
        if (!left[i][a % trial->value_count[i]]) {
            return false;
        }
        a /= trial->value_count[i];
    }
    return true;
}

static void check_inference(void *user, cns_state *s, uint32_t origin, const cns_facts *facts,
                            const cns_fact *fact) {
    solver_trial *trial = user;
    uint32_t position = position_of(s, fact);
    for (uint32_t i = 0; position != 0 && i < facts->count; i++) {
        ck_assert_msg(true_at(s, facts->data[i], position), "fact %u is not true before: %s", i,
                      describe(trial, facts, fact));
    }
    if (!all_known(trial, facts, fact)) {
        return;
    }
    trial->inferences++;
    bool left[TRIAL_VARS][TRIAL_VALUES];
    read_root(trial, left);
    const bool *models = origin == 0 ? trial->solution : trial->open;
    for (uint32_t a = 0; a < trial->assignment_count; a++) {
        if (models[a] && at_root(trial, left, a) && all_true_under(trial, facts, a)) {
            ck_assert_msg(fact != NULL && true_under(trial, *fact, a),
                          "an explanation does not hold (origin %u): %s", origin,
                          describe(trial, facts, fact));
        }
    }
}

static void check_conflict(solver_trial *trial) {
    const cns_state *s = &trial->state;
    for (uint32_t i = 0; s->level > 0 && i < s->conflict.count; i++) {
        ck_assert(true_now(s, s->conflict.data[i]));
    }
    if (s->level == 0 || !all_known(trial, &s->conflict, NULL)) {
        return;
    }
    trial->inferences++;
    for (uint32_t a = 0; a < trial->assignment_count; a++) {
        ck_assert_msg(!trial->open[a] || !all_true_under(trial, &s->conflict, a),
                      "a conflict excludes a solution: %s", describe(trial, &s->conflict, NULL));
    }
}

/* ---- building ------------------------------------------------------------------------------- */

void solver_trial_begin(solver_trial *trial, cns_context *context, uint64_t seed) {
    memset(trial, 0, sizeof *trial);
    trial->context = context;
    cns_rng_seed(&trial->rng, seed);
    ck_assert_int_eq(cns_state_init(&trial->state, context, seed), CNS_OK);
    trial->state.on_inference = check_inference;
    trial->state.on_inference_user = trial;
}

static uint32_t new_var(solver_trial *trial, const int64_t *ranges, uint32_t count) {
    uint32_t var = trial->var_count++;
    ck_assert_uint_le(trial->var_count, TRIAL_VARS);
    ck_assert_int_eq(cns_new_int(&trial->state, ranges, count, &trial->vars[var]), CNS_OK);
    for (uint32_t k = 0; k < count; k++) {
        for (int64_t value = ranges[2 * k]; value <= ranges[2 * k + 1]; value++) {
            ck_assert_uint_lt(trial->value_count[var], TRIAL_VALUES);
            trial->values[var][trial->value_count[var]++] = value;
        }
    }
    return var;
}

uint32_t solver_trial_range(solver_trial *trial, int64_t low, int64_t high) {
    return new_var(trial, (const int64_t[]){low, high}, 1);
}

uint32_t solver_trial_var(solver_trial *trial, uint32_t width) {
    int64_t low = solver_trial_random(trial, -2, 2);
    int64_t high = low + solver_trial_random(trial, 0, (int64_t)width - 1);
    if (high - low >= 2 && solver_trial_random(trial, 0, 3) == 0) {
        int64_t hole = solver_trial_random(trial, low + 1, high - 1);
        return new_var(trial, (const int64_t[]){low, hole - 1, hole + 1, high}, 2);
    }
    return solver_trial_range(trial, low, high);
}

uint32_t solver_trial_plain(solver_trial *trial, uint32_t var) {
    ck_assert_uint_lt(trial->view_count, TRIAL_VIEWS);
    trial->views[trial->view_count] = (cns_view){trial->vars[var], 0};
    return trial->view_count++;
}

uint32_t solver_trial_view(solver_trial *trial) {
    cns_view view = cns_view_constant(solver_trial_random(trial, -2, 3));
    if (solver_trial_random(trial, 0, 11) != 0) {
        view.term = trial->vars[solver_trial_random(trial, 0, (int64_t)trial->var_count - 1)];
        view.term ^= solver_trial_random(trial, 0, 3) == 0;
        view.offset = solver_trial_random(trial, 0, 2) == 0 ? solver_trial_random(trial, -2, 2) : 0;
    }
    ck_assert_uint_lt(trial->view_count, TRIAL_VIEWS);
    trial->views[trial->view_count] = view;
    return trial->view_count++;
}

cns_views solver_trial_views(const solver_trial *trial, uint32_t from, uint32_t count) {
    return (cns_views){trial->views + from, count};
}

/* The values of all views under an assignment. */
static void read_views(const solver_trial *trial, const int64_t *assignment, int64_t *out) {
    for (uint32_t i = 0; i < trial->view_count; i++) {
        cns_view v = trial->views[i];
        int64_t x = v.term >> 1 == 0 ? 0 : assignment[var_of(trial, v.term >> 1)];
        out[i] = (v.term & 1 ? -x : x) + v.offset;
    }
}

void solver_trial_judge(solver_trial *trial) {
    uint32_t count = 1;
    for (uint32_t i = 0; i < trial->var_count; i++) {
        count *= trial->value_count[i];
    }
    trial->assignment_count = count;
    trial->assignments = calloc(count, sizeof *trial->assignments);
    trial->solution = calloc(count, sizeof *trial->solution);
    trial->open = calloc(count, sizeof *trial->open);
    ck_assert(trial->assignments != NULL && trial->solution != NULL && trial->open != NULL);
    for (uint32_t a = 0; a < count; a++) {
        uint32_t rest = a;
        int64_t v[TRIAL_VIEWS];
        for (uint32_t i = 0; i < trial->var_count; i++) {
            trial->assignments[a][i] = trial->values[i][rest % trial->value_count[i]];
            rest /= trial->value_count[i];
        }
        read_views(trial, trial->assignments[a], v);
        trial->solution[a] = trial->open[a] = trial->holds(trial, v);
    }
}

/* ---- the search ----------------------------------------------------------------------------- */

static bool under_decisions(const solver_trial *trial, uint32_t a) {
    for (uint32_t k = 0; k < trial->state.level; k++) {
        if (subject(trial, trial->decisions[k]) >= 0 &&
            !true_under(trial, trial->decisions[k], a)) {
            return false;
        }
    }
    return true;
}

/* Every unfound solution under the decisions is still in the domains. Only decisions on variables
 * count, so that a solution may be lost to one on what the constraint introduced. */
static void check_fixpoint(solver_trial *trial) {
    const cns_state *s = &trial->state;
    bool supported[TRIAL_VARS][TRIAL_VALUES] = {{false}};
    for (uint32_t k = 0; k < s->level; k++) {
        if (subject(trial, trial->decisions[k]) < 0) {
            return;
        }
    }
    for (uint32_t a = 0; a < trial->assignment_count; a++) {
        if (!trial->solution[a] || !under_decisions(trial, a)) {
            continue;
        }
        for (uint32_t i = 0; i < trial->var_count; i++) {
            int64_t value = trial->assignments[a][i];
            ck_assert_msg(!trial->open[a] || cns_has(s, trial->vars[i], value),
                          "a value with a support was removed");
            for (uint32_t k = 0; k < trial->value_count[i]; k++) {
                supported[i][k] = supported[i][k] || trial->values[i][k] == value;
            }
        }
    }
    bool complete = true;
    for (uint32_t i = 0; i < trial->var_count; i++) {
        for (uint32_t k = 0; k < trial->value_count[i]; k++) {
            complete =
                complete && (supported[i][k] || !cns_has(s, trial->vars[i], trial->values[i][k]));
        }
    }
    trial->fixpoints++;
    trial->complete += complete;
}

static bool decide(solver_trial *trial, cns_fact fact) {
    cns_state *s = &trial->state;
    ck_assert_uint_lt(s->level, 256);
    cns_new_level(s);
    trial->decisions[s->level - 1] = fact;
    return fact.is_bound ? cns_raise(s, fact.id, fact.value, CNS_REASON_NONE)
                         : cns_enqueue(s, fact.id, CNS_REASON_NONE);
}

static void decide_var(solver_trial *trial, cns_term t) {
    cns_state *s = &trial->state;
    t ^= (cns_term)solver_trial_random(trial, 0, 1);
    int64_t low = cns_low(s, t);
    int64_t high = cns_high(s, t);
    int64_t value = solver_trial_random(trial, low + 1, high);
    if (solver_trial_random(trial, 0, 1) == 0) {
        ck_assert(decide(trial, cns_fact_ge(t, value)));
        return;
    }
    value = solver_trial_random(trial, low, high);
    cns_lit lit = cns_lit_eq(s, t, value);
    ck_assert_uint_ne(lit, CNS_LIT_NONE);
    if (s->value[lit] == 0) {
        lit ^= solver_trial_random(trial, 0, 1) == 0;
        ck_assert(decide(trial, cns_fact_lit(lit)));
    } else {
        ck_assert(decide(trial, cns_fact_ge(t, low + 1)));
    }
}

/* Decides on a variable that is not fixed, else on what the constraint introduced. */
static bool decide_any(solver_trial *trial) {
    cns_state *s = &trial->state;
    uint32_t first = (uint32_t)solver_trial_random(trial, 0, (int64_t)trial->var_count - 1);
    for (uint32_t k = 0; k < trial->var_count; k++) {
        cns_term t = trial->vars[(first + k) % trial->var_count];
        if (!cns_fixed(s, t)) {
            decide_var(trial, t);
            return true;
        }
    }
    for (uint32_t x = 1; x < s->int_count; x++) {
        if (!cns_fixed(s, 2 * x)) {
            decide_var(trial, 2 * x);
            return true;
        }
    }
    for (uint32_t n = 1; n < s->bool_count; n++) {
        if (s->kind[n] == CNS_BOOL_PLAIN && s->value[2 * n] == 0) {
            cns_lit lit = 2 * n + (cns_lit)solver_trial_random(trial, 0, 1);
            ck_assert(decide(trial, cns_fact_lit(lit)));
            return true;
        }
    }
    return false;
}

/* All is fixed: an unfound solution, which is excluded from now on. */
static void take_solution(solver_trial *trial) {
    cns_state *s = &trial->state;
    uint32_t a = 0;
    uint32_t factor = 1;
    cns_lit clause[TRIAL_VARS];
    for (uint32_t i = 0; i < trial->var_count; i++) {
        int64_t value = cns_low(s, trial->vars[i]);
        uint32_t k = 0;
        while (k < trial->value_count[i] && trial->values[i][k] != value) {
            k++;
        }
        ck_assert_uint_lt(k, trial->value_count[i]);
        a += factor * k;
        factor *= trial->value_count[i];
    }
    ck_assert_msg(trial->solution[a], "an assignment that violates the constraint was accepted");
    ck_assert_msg(trial->open[a], "a solution was found twice");
    trial->open[a] = false;
    trial->found++;
    cns_backtrack(s, 0);
    for (uint32_t i = 0; i < trial->var_count; i++) {
        clause[i] = cns_lit_eq(s, trial->vars[i], trial->assignments[a][i]) ^ 1;
    }
    cns_add_clause(s, clause, trial->var_count);
    ck_assert_int_eq(s->status, CNS_OK);
}

void solver_trial_search(solver_trial *trial) {
    cns_state *s = &trial->state;
    ck_assert_int_eq(s->status, CNS_OK);
    while (!s->failed) {
        cns_progress progress = cns_propagate(s);
        ck_assert_int_ne(progress, CNS_PAUSED);
        if (progress == CNS_CONFLICT) {
            trial->conflicts++;
            check_conflict(trial);
            if (!cns_resolve_conflict(s)) {
                break;
            }
            continue;
        }
        check_fixpoint(trial);
        if (solver_trial_random(trial, 0, 30) == 0) {
            cns_backtrack(s, 0);
            ck_assert_int_eq(cns_state_check(s), CNS_OK);
        }
        if (!decide_any(trial)) {
            take_solution(trial);
        }
    }
    ck_assert_int_eq(s->status, CNS_OK);
    ck_assert(s->failed);
    for (uint32_t a = 0; a < trial->assignment_count; a++) {
        ck_assert_msg(!trial->open[a], "a solution was not found");
    }
}

void solver_trial_end(solver_trial *trial) {
    cns_state_deinit(&trial->state);
    free(trial->assignments);
    free(trial->solution);
    free(trial->open);
}
