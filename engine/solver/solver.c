/* SPDX-License-Identifier: MIT
 *
 * solver/solver.c - the public solver: a model, a state made from it, and steps of the search.
 *
 * The model takes what is added; the next step loads it. Every solution is read back into values of
 * the model's variables and judged by the model's evaluator before anyone sees it.
 */
#include "base/os.h"
#include "solver/parallel.h"
#include "solver/proof.h"

#include <string.h>

#define ACTIVITY_NOISE 0.5    /* of a bump: what Booleans that no conflict told apart differ by */
#define SLICE UINT64_C(50000) /* ticks between looks at the clock and at cancellation */
#define WARM_UP                                                                                    \
    UINT64_C(400000) /* ticks before other workers join: they pay for longer searches              \
                      */

struct cns_solver {
    cns_context *host;    /* the caller's */
    cns_context *context; /* inside it, of this solver alone: its memory and its limit */
    cns_model model;
    cns_worker own;       /* what searches on the thread that steps */
    cns_team *team;       /* with several workers, once they have joined */
    uint64_t alone_until; /* ticks: then they do */
    cns_solve_options options;
    cns_executor executor;
    uint64_t seed;
    bool begun;    /* the first step was taken */
    bool loaded;   /* the state is up to the model */
    bool torn;     /* memory or a limit stopped what cannot be stopped halfway: the state is of no
                    * use, and is made anew from the model */
    bool narrowed; /* solutions were excluded, or an objective bounded: what was learnt since holds
                    * for what is left only */
    bool changed_options;
    bool at_solution;
    bool complete;
    uint64_t began; /* clock of the first step */
    uint64_t setup_time, search_time;
    uint64_t conflicts_before; /* of the limit's period */
    int64_t *values;           /* of the last solution */
    int64_t *candidate;        /* values that are being judged */
    uint32_t value_count, value_capacity, candidate_capacity;
    bool has_solution;
    int64_t objective;
    uint64_t solutions;
    cns_var *assumptions;
    uint32_t assumption_count, assumption_capacity;
    cns_var *core;
    uint32_t core_count, core_capacity;
    bool core_valid;
    _Atomic bool cancelled;
    cns_proof *proof; /* NULL: none is written */
};

/* ---- creation ------------------------------------------------------------------------------- */

static cns_status open_worker(cns_solver *solver) {
    cns_status status =
        cns_worker_open(&solver->own, solver->context, &solver->model, solver->seed);
    if (status == CNS_OK) {
        solver->own.state.activity_noise = solver->seed != 0 ? ACTIVITY_NOISE : 0;
        solver->narrowed = false;
        solver->torn = false;
        solver->own.state.proof = solver->proof;
    }
    return status;
}

/* Sends the other workers away. */
static void dismiss(cns_solver *solver) {
    if (solver->team != NULL) {
        solver->conflicts_before -= cns_team_conflicts(solver->team);
        cns_team_destroy(solver->team);
        solver->team = NULL;
    }
}

/* A new state in the place of the old one, which may be none after a failure; what was counted
 * stays. */
static cns_status reopen_worker(cns_solver *solver) {
    cns_counters counters = solver->own.state.counters;
    uint64_t ticks = solver->own.state.ticks;
    dismiss(solver);
    cns_worker_close(&solver->own);
    cns_status status = open_worker(solver);
    solver->own.state.counters = counters;
    solver->own.state.ticks = ticks;
    return status;
}

cns_status cns_solver_create(cns_context *context, const cns_solver_config *config,
                             cns_solver **out) {
    if (context == NULL || out == NULL) {
        return cns_fail(context, CNS_E_INVALID, "cns_solver_create: context and out are needed");
    }
    if (config != NULL && config->size != sizeof *config) {
        return cns_fail(context, CNS_E_INVALID, "cns_solver_create: config.size is not known");
    }
    cns_solver *solver = cns_context_calloc(context, sizeof *solver);
    if (solver == NULL) {
        return cns_context_memory_status(context, sizeof *solver);
    }
    solver->host = context;
    solver->seed = config != NULL ? config->seed : 0;
    solver->options.size = sizeof solver->options;
    cns_status status = cns_context_create_inner(
        context, "solver", config != NULL ? config->memory_limit : 0, &solver->context);
    if (status != CNS_OK) {
        goto free_solver;
    }
    status = cns_model_init(&solver->model, solver->context);
    if (status != CNS_OK) {
        goto free_context;
    }
    status = open_worker(solver);
    if (status != CNS_OK) {
        goto free_model;
    }
    *out = solver;
    return CNS_OK;
free_model:
    cns_model_deinit(&solver->model);
free_context:
    cns_context_destroy(solver->context);
free_solver:
    cns_context_free(context, solver, sizeof *solver, CNS_ALIGN_DEFAULT);
    return status;
}

void cns_solver_destroy(cns_solver *solver) {
    if (solver == NULL) {
        return;
    }
    cns_context *context = solver->context;
    cns_team_destroy(solver->team);
    cns_solver_set_proof(solver, NULL, NULL);
    cns_worker_close(&solver->own);
    cns_model_deinit(&solver->model);
    cns_context_free(context, solver->values, solver->value_capacity * sizeof(int64_t),
                     CNS_ALIGN_DEFAULT);
    cns_context_free(context, solver->candidate, solver->candidate_capacity * sizeof(int64_t),
                     CNS_ALIGN_DEFAULT);
    cns_context_free(context, solver->assumptions, solver->assumption_capacity * sizeof(cns_var),
                     CNS_ALIGN_DEFAULT);
    cns_context_free(context, solver->core, solver->core_capacity * sizeof(cns_var),
                     CNS_ALIGN_DEFAULT);
    cns_context_destroy(context);
    cns_context_free(solver->host, solver, sizeof *solver, CNS_ALIGN_DEFAULT);
}

void cns_solver_set_memory_limit(cns_solver *solver, uint64_t bytes) {
    if (solver != NULL) {
        cns_context_set_memory_limit(solver->context, bytes);
    }
}

/* ---- the model ------------------------------------------------------------------------------ */

#define NEED(solver)                                                                               \
    do {                                                                                           \
        if ((solver) == NULL) {                                                                    \
            return CNS_E_INVALID;                                                                  \
        }                                                                                          \
    } while (0)

static cns_status changed(cns_solver *solver, cns_status status) {
    if (status == CNS_OK) {
        solver->loaded = false;
        solver->complete = false;
        solver->core_valid = false;
    }
    return status;
}

/* For arrays of the solver's own, which the state's status is not about. */
static cns_status grow(const cns_solver *solver, void *array, size_t element, uint32_t *capacity,
                       size_t need) {
    cns_state account = {.context = solver->context};
    if (need > INT32_MAX) {
        return cns_fail(solver->context, CNS_E_LIMIT, "solver: more than 2^31 elements");
    }
    return cns_grow(&account, array, element, capacity, (uint32_t)need) ? CNS_OK : account.status;
}

static cns_status no_output(const cns_solver *solver, const char *function) {
    return cns_fail(solver->context, CNS_E_INVALID, "%s: out is NULL", function);
}

cns_status cns_solver_new_int(cns_solver *solver, int64_t low, int64_t high, const char *name,
                              cns_var *out) {
    NEED(solver);
    if (out == NULL) {
        return no_output(solver, "cns_solver_new_int");
    }
    return changed(solver,
                   cns_model_new_var(&solver->model, (const int64_t[]){low, high}, 1, name, out));
}

cns_status cns_solver_new_int_ranges(cns_solver *solver, const int64_t *ranges, size_t count,
                                     const char *name, cns_var *out) {
    NEED(solver);
    if (out == NULL) {
        return no_output(solver, "cns_solver_new_int_ranges");
    }
    return changed(solver, cns_model_new_var(&solver->model, ranges, count, name, out));
}

cns_status cns_solver_new_bool(cns_solver *solver, const char *name, cns_var *out) {
    return cns_solver_new_int(solver, 0, 1, name, out);
}

cns_status cns_solver_constant(cns_solver *solver, int64_t value, cns_var *out) {
    NEED(solver);
    if (out == NULL) {
        return no_output(solver, "cns_solver_constant");
    }
    return changed(solver, cns_model_constant(&solver->model, value, out));
}

uint32_t cns_solver_variable_count(const cns_solver *solver) {
    return solver == NULL ? 0 : solver->model.variable_count;
}

uint32_t cns_solver_constraint_count(const cns_solver *solver) {
    return solver == NULL ? 0 : solver->model.constraint_count;
}

static cns_status no_variable(const cns_solver *solver, const char *function, cns_var var) {
    return cns_fail(solver->context, CNS_E_INVALID, "%s: there is no variable %d", function,
                    (int)var);
}

cns_status cns_solver_bounds(const cns_solver *solver, cns_var var, int64_t *low, int64_t *high) {
    NEED(solver);
    if (!cns_model_is_var(&solver->model, var)) {
        return no_variable(solver, "cns_solver_bounds", var);
    }
    if (low != NULL) {
        *low = cns_model_low(&solver->model, var);
    }
    if (high != NULL) {
        *high = cns_model_high(&solver->model, var);
    }
    return CNS_OK;
}

const char *cns_solver_variable_name(const cns_solver *solver, cns_var var) {
    if (solver == NULL || var < 0 || !cns_model_is_var(&solver->model, var)) {
        return NULL;
    }
    return cns_model_text(&solver->model, solver->model.variables[var].name);
}

cns_status cns_solver_mark_output(cns_solver *solver, cns_var var) {
    NEED(solver);
    return changed(solver, cns_model_mark_output(&solver->model, var));
}

cns_status cns_solver_add(cns_solver *solver, const cns_constraint *constraint) {
    NEED(solver);
    return changed(solver, cns_model_add(&solver->model, constraint));
}

cns_status cns_solver_set_goal(cns_solver *solver, cns_goal goal, cns_var var) {
    NEED(solver);
    return changed(solver, cns_model_set_goal(&solver->model, goal, var));
}

cns_status cns_solver_add_search(cns_solver *solver, const cns_var *vars, size_t count,
                                 cns_choose_var var_rule, cns_choose_value value_rule) {
    NEED(solver);
    return changed(solver, cns_model_add_phase(&solver->model, vars, count, var_rule, value_rule));
}

cns_status cns_solver_hint(cns_solver *solver, cns_var var, int64_t value) {
    NEED(solver);
    return changed(solver, cns_model_hint(&solver->model, var, value));
}

static cns_status check_options(const cns_solver *solver, const cns_solve_options *o) {
    if ((int)o->strategy < CNS_STRATEGY_DEFAULT || (int)o->strategy > CNS_STRATEGY_FREE ||
        (int)o->restart < CNS_RESTART_DEFAULT || (int)o->restart > CNS_RESTART_LBD) {
        return cns_fail(solver->context, CNS_E_INVALID,
                        "cns_solver_set_options: strategy %d and restart %d, expected a "
                        "cns_strategy, 0..%d, and a cns_restart_policy, 0..%d",
                        (int)o->strategy, (int)o->restart, CNS_STRATEGY_FREE, CNS_RESTART_LBD);
    }
    if (!(o->restart_base >= 0 && o->restart_base <= 1e9)) {
        return cns_fail(solver->context, CNS_E_RANGE,
                        "cns_solver_set_options: restart_base %g, expected 0..1e9",
                        o->restart_base);
    }
    if (o->workers > 1 && (o->executor == NULL || o->executor->parallel_for == NULL)) {
        return cns_fail(solver->context, CNS_E_INVALID,
                        "cns_solver_set_options: %u workers need an executor",
                        (unsigned)o->workers);
    }
    if (o->workers > CNS_TEAM_MOST) {
        return cns_fail(solver->context, CNS_E_RANGE,
                        "cns_solver_set_options: %u workers, expected 0..%d", (unsigned)o->workers,
                        CNS_TEAM_MOST);
    }
    return CNS_OK;
}

cns_status cns_solver_set_options(cns_solver *solver, const cns_solve_options *options) {
    NEED(solver);
    if (options != NULL && options->size != sizeof *options) {
        return cns_fail(solver->context, CNS_E_INVALID,
                        "cns_solver_set_options: options.size is not known");
    }
    cns_solve_options fresh = {.size = sizeof fresh};
    fresh = options != NULL ? *options : fresh;
    cns_status status = check_options(solver, &fresh);
    if (status != CNS_OK) {
        return status;
    }
    bool outputs = (fresh.all_solutions != 0) != (solver->options.all_solutions != 0);
    dismiss(solver);
    solver->options = fresh;
    if (fresh.executor != NULL) {
        solver->executor = *fresh.executor;
        solver->options.executor = &solver->executor;
    }
    solver->changed_options = true;
    return outputs ? changed(solver, CNS_OK) : CNS_OK;
}

cns_status cns_solver_assume(cns_solver *solver, const cns_var *literals, size_t count) {
    NEED(solver);
    if (literals == NULL && count > 0) {
        return cns_fail(solver->context, CNS_E_INVALID,
                        "cns_solver_assume: NULL, expected %zu literals", count);
    }
    for (size_t k = 0; k < count; k++) {
        if (!cns_model_is_literal(&solver->model, literals[k])) {
            return cns_fail(solver->context, CNS_E_INVALID,
                            "cns_solver_assume: element %zu is no Boolean variable", k);
        }
    }
    cns_status status =
        grow(solver, &solver->assumptions, sizeof(cns_var), &solver->assumption_capacity, count);
    if (status != CNS_OK) {
        return status;
    }
    if (count > 0) {
        memmove(solver->assumptions, literals, count * sizeof *literals);
    }
    solver->assumption_count = (uint32_t)count;
    return changed(solver, CNS_OK);
}

/* ---- the proof ------------------------------------------------------------------------------ */

cns_status cns_solver_set_proof(cns_solver *solver, cns_solver_proof_write write, void *user) {
    NEED(solver);
    if (solver->begun && write != NULL) {
        return cns_fail(solver->context, CNS_E_INVALID,
                        "cns_solver_set_proof: the search has begun");
    }
    if (solver->proof != NULL) {
        cns_proof_flush(solver->proof);
        cns_proof_deinit(solver->proof, solver->context);
        cns_context_free(solver->context, solver->proof, sizeof *solver->proof, CNS_ALIGN_DEFAULT);
        solver->proof = solver->own.state.proof = NULL;
    }
    if (write != NULL) {
        solver->proof = cns_context_calloc(solver->context, sizeof *solver->proof);
        if (solver->proof == NULL) {
            return cns_context_memory_status(solver->context, sizeof *solver->proof);
        }
        solver->proof->write = write;
        solver->proof->user = user;
        solver->proof->model = &solver->model;
        solver->own.state.proof = solver->proof;
    }
    return CNS_OK;
}

/* What a proof cannot cover is refused before it is searched. */
static cns_status allow_proof(const cns_solver *solver) {
    if (solver->proof == NULL) {
        return CNS_OK;
    }
    if (solver->options.workers > 1) {
        return cns_fail(solver->context, CNS_E_UNSUPPORTED,
                        "a proof is written by one worker, not %u",
                        (unsigned)solver->options.workers);
    }
    if (solver->proof->begun && (!solver->loaded || solver->torn)) {
        return cns_fail(solver->context, CNS_E_UNSUPPORTED,
                        "a proof covers one search of a model that does not change");
    }
    return CNS_OK;
}

/* The search is exhausted; what is told of a single solution without a goal proves nothing. */
static cns_status conclude_proof(cns_solver *solver, const cns_search *search) {
    bool any = solver->model.goal == CNS_SATISFY && solver->options.all_solutions == 0 &&
               solver->has_solution;
    if (any) {
        return CNS_OK;
    }
    size_t size = (search->core_count + 1) * sizeof(cns_lit);
    cns_lit *lits = cns_context_alloc(solver->context, size, CNS_ALIGN_DEFAULT);
    if (lits == NULL) {
        return cns_context_memory_status(solver->context, size);
    }
    for (uint32_t k = 0; k < search->core_count; k++) {
        lits[k] = search->assumptions[search->core[k]];
    }
    cns_state *s = &solver->own.state;
    cns_proof_conclude(s, lits, s->failed ? 0 : search->core_count);
    cns_context_free(solver->context, lits, size, CNS_ALIGN_DEFAULT);
    return CNS_OK;
}

static cns_status end_step(cns_solver *solver, cns_status status) {
    if (solver->proof != NULL && !cns_proof_flush(solver->proof) && status == CNS_OK) {
        return cns_fail(solver->context, CNS_E_IO, "the proof could not be written");
    }
    return status;
}

/* ---- loading -------------------------------------------------------------------------------- */

/* By cns_os_clock(); 0: none. */
static uint64_t deadline(const cns_solver *solver) {
    uint64_t limit = solver->options.time_limit;
    return limit == 0 || limit > UINT64_MAX - solver->began ? 0 : solver->began + limit;
}

/* What takes long looks at the limits itself: while loading always; in a search it must not stop
 * at the root, where nothing can be undone. */
static void watch_limits(cns_solver *solver, uint8_t polling) {
    cns_state *s = &solver->own.state;
    s->cancelled = &solver->cancelled;
    s->deadline = deadline(solver);
    s->polling = polling;
}

static bool is_limit(cns_status status) {
    return status == CNS_E_DEADLINE || status == CNS_E_CANCELLED;
}

/* Whether several workers search: not for all solutions, which one excludes as it finds them. */
static bool wants_team(const cns_solver *solver) {
    return solver->options.workers > 1 &&
           (solver->options.all_solutions == 0 || solver->model.goal != CNS_SATISFY);
}

static cns_orders orders_of(const cns_solver *solver) {
    return (cns_orders){&solver->options, solver->assumptions, solver->assumption_count};
}

static cns_status load(cns_solver *solver) {
    cns_state *s = &solver->own.state;
    watch_limits(solver, CNS_POLL_ALWAYS);
    const cns_orders orders = orders_of(solver);
    cns_status status = cns_worker_load(&solver->own, &orders);
    solver->changed_options = false;
    if (status == CNS_OK && solver->has_solution && solver->model.goal != CNS_SATISFY &&
        !s->failed) { /* of this problem: the state was made anew */
        cns_worker_improve(&solver->own, solver->objective);
        solver->narrowed = true;
    }
    if (status == CNS_OK && solver->team != NULL) {
        cns_team_changed(solver->team);
    }
    solver->alone_until = s->ticks + WARM_UP;
    return status;
}

/* Brings the state up to the model. */
static cns_status prepare(cns_solver *solver) {
    cns_status allowed = allow_proof(solver);
    if (allowed != CNS_OK) {
        return allowed;
    }
    /* Workers that join load all at once: they would number otherwise what came bit by bit. */
    if (wants_team(solver) && solver->team == NULL && !solver->has_solution && solver->own.loaded &&
        !cns_worker_has_shape(&solver->own, cns_worker_shape(&solver->model))) {
        solver->torn = true;
    }
    if (!solver->loaded) { /* a new problem */
        cns_backtrack(&solver->own.state, 0);
        solver->at_solution = false;
        solver->has_solution = false;
        solver->torn = solver->torn || solver->narrowed;
        if (!wants_team(solver)) {
            dismiss(solver);
        }
    } else if (!solver->torn) {
        return CNS_OK;
    } else if (solver->has_solution && solver->model.goal == CNS_SATISFY) {
        return cns_fail(solver->context, CNS_E_NOMEM,
                        "cns_solver_step: memory gave out where it takes the solutions seen along; "
                        "cns_solver_restart enumerates them anew");
    }
    if (solver->torn) {
        cns_status status = reopen_worker(solver);
        if (status != CNS_OK) {
            solver->torn = true;
            return status;
        }
    }
    if (solver->proof != NULL) {
        cns_proof_begin(&solver->own.state);
    }
    cns_status status = load(solver);
    solver->torn = status != CNS_OK;
    solver->loaded = status == CNS_OK;
    return status;
}

/* ---- solutions ------------------------------------------------------------------------------ */

/* Checks and keeps the solution `found`; NULL: the one that the own search stands at. */
static cns_status take_solution(cns_solver *solver, const int64_t *found) {
    cns_model *m = &solver->model;
    cns_status status = grow(solver, &solver->candidate, sizeof(int64_t),
                             &solver->candidate_capacity, m->variable_count);
    if (status != CNS_OK) {
        return status;
    }
    for (uint32_t v = 0; v < m->variable_count; v++) {
        solver->candidate[v] =
            found != NULL ? found[v] : cns_load_value(&solver->own.loader, (cns_var)v);
    }
    status = cns_solver_check_values(solver, solver->candidate, m->variable_count);
    if (status != CNS_OK) {
        return status;
    }
    int64_t *values = solver->candidate;
    uint32_t capacity = solver->candidate_capacity;
    solver->candidate = solver->values;
    solver->candidate_capacity = solver->value_capacity;
    solver->values = values;
    solver->value_capacity = capacity;
    solver->value_count = m->variable_count;
    solver->has_solution = true;
    solver->at_solution = true;
    if (solver->proof != NULL) {
        cns_proof_solution(&solver->own.state, solver->values);
    }
    solver->solutions++;
    if (m->goal != CNS_SATISFY) {
        solver->objective = cns_model_value(solver->values, m->objective);
    }
    if (found == NULL) {
        cns_search_keep(&solver->own.search);
    }
    return CNS_OK;
}

cns_status cns_solver_check_values(const cns_solver *solver, const int64_t *values, size_t count) {
    NEED(solver);
    const cns_model *m = &solver->model;
    if (count != m->variable_count || (values == NULL && count > 0)) {
        return cns_fail(solver->context, CNS_E_INVALID,
                        "cns_solver_check_values: %zu values for %u variables", count,
                        (unsigned)m->variable_count);
    }
    bool holds;
    uint32_t failed;
    uint32_t variable = 0;
    cns_status status = cns_model_evaluate_all(m, values, &holds, &failed, &variable);
    if (status != CNS_OK || holds) {
        return status;
    }
    if (failed == UINT32_MAX) {
        return cns_fail(solver->context, CNS_E_CORRUPT,
                        "the value of variable %u (%s) is not in its domain", (unsigned)variable,
                        cns_model_text(m, m->variables[variable].name));
    }
    const cns_model_constraint *c = &m->constraints[failed];
    return cns_fail(solver->context, CNS_E_CORRUPT, "constraint %u (%s%s%s) does not hold",
                    (unsigned)failed, cns_constraint_kind_name((cns_constraint_kind)c->kind),
                    c->name ? " " : "", cns_model_text(m, c->name));
}

/* Moves on from a solution that was reported: to better ones, or to others. False: none can be, or
 * memory gave out; then the search still stands there. */
static bool leave_solution(cns_solver *solver) {
    solver->narrowed = true;
    if (solver->model.goal != CNS_SATISFY) {
        cns_worker_improve(&solver->own, solver->objective);
        if (solver->proof != NULL) {
            cns_proof_improve(&solver->own.state);
        }
    } else if (solver->options.all_solutions == 0 || !cns_search_exclude(&solver->own.search)) {
        return false;
    }
    solver->at_solution = false;
    return true;
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* The user's literals for the assumptions that the search found at fault. */
static cns_status take_core(cns_solver *solver, const cns_search *search) {
    cns_status status =
        grow(solver, &solver->core, sizeof(cns_var), &solver->core_capacity, search->core_count);
    if (status != CNS_OK) {
        return status;
    }
    solver->core_count = search->core_count;
    for (uint32_t k = 0; k < search->core_count; k++) {
        solver->core[k] = solver->assumptions[search->core[k]];
    }
    solver->core_valid = true;
    return CNS_OK;
}

/* Nothing is left to be searched. */
static cns_status finish(cns_solver *solver, const cns_search *search) {
    cns_status status = solver->complete ? CNS_OK : take_core(solver, search);
    if (solver->proof != NULL && status == CNS_OK && !solver->complete) {
        status = conclude_proof(solver, search);
    }
    solver->complete = status == CNS_OK;
    return status;
}

static uint64_t conflicts(const cns_solver *solver) {
    return solver->own.state.counters.conflicts +
           (solver->team != NULL ? cns_team_conflicts(solver->team) : 0);
}

static bool limit_reached(const cns_solver *solver) {
    const cns_solve_options *o = &solver->options;
    if (atomic_load_explicit(&solver->cancelled, memory_order_relaxed)) {
        return true;
    }
    uint64_t end = deadline(solver);
    if (end != 0 && cns_os_clock() >= end) {
        return true;
    }
    return o->conflict_limit != 0 &&
           conflicts(solver) - solver->conflicts_before >= o->conflict_limit;
}

/* Runs rounds of all workers until something is to be said. */
static cns_status search_together(cns_solver *solver, cns_outcome *out) {
    const cns_orders orders = orders_of(solver);
    cns_round round = {
        .orders = &orders, .cancelled = &solver->cancelled, .deadline = deadline(solver)};
    for (;;) {
        if (limit_reached(solver)) {
            *out = CNS_STOPPED;
            return CNS_OK;
        }
        if (cns_team_spent(solver->team)) {
            *out = CNS_RUNNING;
            return CNS_OK;
        }
        cns_status status = cns_team_round(solver->team, &round);
        if (status != CNS_OK) {
            dismiss(solver);
            solver->torn = true; /* it may know a limit from a solution that is lost */
            return status;
        }
        if (round.values != NULL) {
            solver->narrowed |= solver->model.goal != CNS_SATISFY; /* others have gone on */
            *out = CNS_SOLUTION;
            status = take_solution(solver, round.values);
            solver->complete = status == CNS_OK && round.exhausted_by != NULL;
            solver->torn = status != CNS_OK; /* the same */
            return status;
        }
        if (round.exhausted_by != NULL) {
            *out = CNS_COMPLETE;
            return finish(solver, &round.exhausted_by->search);
        }
    }
}

static cns_status gather(cns_solver *solver) {
    bool solved = solver->has_solution && solver->own.state.objective_limit != INT64_MAX;
    return cns_team_create(solver->context, &solver->own, &solver->options, solver->seed,
                           solved ? solver->values : NULL, &solver->team);
}

/* Runs slices until something is to be said. */
static cns_status search(cns_solver *solver, uint64_t ticks, cns_outcome *out) {
    cns_state *s = &solver->own.state;
    uint64_t end = ticks == 0 || ticks > UINT64_MAX - s->ticks ? UINT64_MAX : s->ticks + ticks;
    bool together = wants_team(solver);
    for (;;) {
        if (together && solver->team == NULL && s->ticks >= solver->alone_until) {
            cns_status status = gather(solver);
            if (status != CNS_OK) {
                return status;
            }
        }
        if (solver->team != NULL) {
            cns_team_begin(solver->team, ticks == 0 ? 0 : end > s->ticks ? end - s->ticks : 1);
            return search_together(solver, out);
        }
        if (limit_reached(solver)) {
            *out = CNS_STOPPED;
            return CNS_OK;
        }
        if (s->ticks >= end) {
            *out = CNS_RUNNING;
            return CNS_OK;
        }
        uint64_t slice = end - s->ticks < SLICE ? end : s->ticks + SLICE;
        slice = together && slice > solver->alone_until ? solver->alone_until : slice;
        switch (cns_search_run(&solver->own.search, slice)) {
        case CNS_SEARCH_PAUSED:
            break;
        case CNS_SEARCH_SOLUTION: {
            cns_status status = take_solution(solver, NULL);
            if (status == CNS_OK) {
                *out = CNS_SOLUTION;
            }
            return status;
        }
        case CNS_SEARCH_EXHAUSTED:
            *out = CNS_COMPLETE;
            return finish(solver, &solver->own.search);
        case CNS_SEARCH_ERROR:
            return s->status;
        }
    }
}

/* After a failure. Memory that gave out above the root leaves the state usable there; what happens
 * at the root cannot be undone. */
static cns_status recover(cns_solver *solver, cns_status status) {
    cns_state *s = &solver->own.state;
    if (s->status == CNS_OK || (solver->at_solution && s->level > 0)) {
        s->status = CNS_OK;
        return status;
    }
    s->status = CNS_OK;
    s->has_conflict = false;
    solver->torn = solver->torn || s->level == 0;
    solver->at_solution = false;
    cns_backtrack(s, 0);
    return status;
}

/* From the present place of the search on. */
static cns_status proceed(cns_solver *solver, uint64_t ticks, cns_outcome *out) {
    cns_state *s = &solver->own.state;
    if (solver->changed_options) {
        const cns_orders orders = orders_of(solver);
        cns_worker_apply_options(&solver->own, &orders);
        solver->changed_options = false;
    }
    bool failed = s->failed && solver->team == NULL; /* else the team says so */
    if (solver->complete || failed || (solver->at_solution && !leave_solution(solver))) {
        *out = CNS_COMPLETE;
        return s->status != CNS_OK ? s->status : finish(solver, &solver->own.search);
    }
    return search(solver, ticks, out);
}

cns_status cns_solver_step(cns_solver *solver, uint64_t ticks, cns_outcome *out) {
    NEED(solver);
    if (out == NULL) {
        return no_output(solver, "cns_solver_step");
    }
    uint64_t start = cns_os_clock();
    if (!solver->begun) {
        solver->begun = true;
        solver->began = start;
        solver->setup_time = solver->search_time = 0;
        solver->conflicts_before = conflicts(solver);
    }
    cns_status status = prepare(solver);
    uint64_t ready = cns_os_clock();
    solver->setup_time += ready - start;
    cns_outcome outcome = CNS_RUNNING;
    if (status == CNS_OK) {
        watch_limits(solver, CNS_POLL_ABOVE_ROOT);
        status = proceed(solver, ticks, &outcome);
        solver->search_time += cns_os_clock() - ready;
    }
    if (status != CNS_OK) {
        recover(solver, status);
    }
    if (status == CNS_OK || is_limit(status)) {
        *out = status == CNS_OK ? outcome : CNS_STOPPED;
        status = CNS_OK;
    }
    return end_step(solver, status);
}

void cns_solver_cancel(cns_solver *solver) {
    if (solver != NULL) {
        atomic_store_explicit(&solver->cancelled, true, memory_order_relaxed);
    }
}

cns_status cns_solver_restart(cns_solver *solver) {
    NEED(solver);
    atomic_store_explicit(&solver->cancelled, false, memory_order_relaxed);
    solver->begun = false;
    solver->has_solution = false;
    return changed(solver, CNS_OK);
}

/* ---- reading -------------------------------------------------------------------------------- */

cns_status cns_solver_value(const cns_solver *solver, cns_var var, int64_t *out) {
    NEED(solver);
    if (!cns_model_is_var(&solver->model, var)) {
        return no_variable(solver, "cns_solver_value", var);
    }
    uint32_t index = (uint32_t)(var >= 0 ? var : ~var);
    if (!solver->has_solution || index >= solver->value_count) {
        return cns_fail(solver->context, CNS_E_NOTFOUND, "cns_solver_value: no solution yet");
    }
    if (out == NULL) {
        return no_output(solver, "cns_solver_value");
    }
    *out = cns_model_value(solver->values, var);
    return CNS_OK;
}

/* The objective cannot be better than this. */
static int64_t proved_bound(const cns_solver *solver) {
    const cns_model *m = &solver->model;
    const cns_state *s = &solver->own.state;
    bool maximise = m->goal == CNS_MAXIMIZE;
    if (solver->complete && solver->has_solution) {
        return solver->objective;
    }
    if (!solver->loaded || solver->torn) {
        return maximise ? cns_model_high(m, m->objective) : cns_model_low(m, m->objective);
    }
    int64_t bound = s->root[s->objective] + solver->own.search.objective_offset;
    return maximise ? -bound : bound;
}

void cns_solver_get_stats(const cns_solver *solver, cns_solver_stats *out) {
    if (solver == NULL || out == NULL) {
        return;
    }
    const cns_state *s = &solver->own.state;
    cns_memory_stats memory;
    cns_context_memory(solver->context, &memory);
    *out = (cns_solver_stats){
        .nodes = s->counters.decisions,
        .failures = s->counters.conflicts,
        .restarts = s->counters.restarts,
        .propagations = s->counters.propagations,
        .solutions = solver->solutions,
        .ticks = s->ticks,
        .peak_depth = s->counters.peak_depth,
        .learnt = s->counters.learnt,
        .learnt_now = s->learnt_count,
        .literals = s->bool_count,
        .int_vars = s->int_count > 0 ? s->int_count - 1 : 0, /* one is constant */
        .bool_vars = s->pinned_count > 0 ? s->pinned_count - 1 : 0,
        .propagators = s->propagator_count,
        .clauses = s->original_count,
        .memory_peak = memory.peak,
        .setup_time = solver->setup_time,
        .search_time = solver->search_time,
        .objective = solver->objective,
        .has_solution = solver->has_solution,
        .proved = solver->complete,
    };
    if (solver->team != NULL) {
        cns_team_add_stats(solver->team, out);
    }
    if (solver->model.goal != CNS_SATISFY) {
        out->bound = proved_bound(solver);
    }
}

cns_status cns_solver_check(cns_solver *solver) {
    NEED(solver);
    cns_status status = cns_state_check(&solver->own.state);
    return status == CNS_OK && solver->team != NULL ? cns_team_check(solver->team) : status;
}

/* ---- cores ---------------------------------------------------------------------------------- */

/* Whether the model holds together under the core's literals but one. */
static cns_status holds_without(cns_solver *solver, uint32_t left_out, bool *holds) {
    cns_state *s = &solver->own.state;
    size_t size = (solver->core_count + 1) * sizeof(cns_lit);
    cns_lit *lits = cns_context_alloc(s->context, size, CNS_ALIGN_DEFAULT);
    if (lits == NULL) {
        return cns_context_memory_status(s->context, size);
    }
    uint32_t count = 0;
    for (uint32_t k = 0; k < solver->core_count; k++) {
        if (k != left_out) {
            lits[count++] = cns_load_lit(&solver->own.loader, solver->core[k]);
        }
    }
    cns_status status = cns_search_assume(&solver->own.search, lits, count);
    cns_context_free(s->context, lits, size, CNS_ALIGN_DEFAULT);
    while (status == CNS_OK) {
        if (limit_reached(solver)) {
            return CNS_E_CANCELLED;
        }
        cns_search_result result = cns_search_run(&solver->own.search, s->ticks + SLICE);
        if (result != CNS_SEARCH_PAUSED) {
            *holds = result == CNS_SEARCH_SOLUTION;
            return result == CNS_SEARCH_ERROR ? s->status : CNS_OK;
        }
    }
    return status;
}

static cns_status stop_core(cns_solver *solver, cns_status status) {
    recover(solver, status);
    return is_limit(status) ? cns_fail(solver->context, CNS_E_CANCELLED,
                                       "cns_solver_core: stopped before the core was minimal")
                            : status;
}

cns_status cns_solver_core(cns_solver *solver, int minimise, const cns_var **literals,
                           size_t *count) {
    NEED(solver);
    if (literals == NULL || count == NULL) {
        return cns_fail(solver->context, CNS_E_INVALID, "cns_solver_core: outputs are needed");
    }
    if (!solver->core_valid || !solver->complete || solver->has_solution) {
        return cns_fail(solver->context, CNS_E_NOTFOUND,
                        "cns_solver_core: the last step did not end as infeasible");
    }
    if (minimise && solver->torn) {
        cns_status status = prepare(solver);
        if (status != CNS_OK) {
            return stop_core(solver, status);
        }
    }
    watch_limits(solver, CNS_POLL_ABOVE_ROOT);
    for (uint32_t k = 0; minimise && k < solver->core_count;) {
        bool holds = true;
        cns_status status = holds_without(solver, k, &holds);
        if (status != CNS_OK) {
            return stop_core(solver, status);
        }
        if (holds) {
            k++;
        } else {
            memmove(solver->core + k, solver->core + k + 1,
                    (--solver->core_count - k) * sizeof *solver->core);
        }
    }
    cns_backtrack(&solver->own.state, 0);
    *literals = solver->core;
    *count = solver->core_count;
    return CNS_OK;
}
