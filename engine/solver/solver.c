/* SPDX-License-Identifier: MIT
 *
 * solver/solver.c - the public solver: a model, a state made from it, and steps of the search.
 *
 * The model takes what is added; the next step loads it. Every solution is read back into values of
 * the model's variables and judged by the model's evaluator before anyone sees it.
 */
#include "base/os.h"
#include "solver/solver_impl.h"

#define ACTIVITY_NOISE 0.5 /* of a bump: what Booleans that no conflict told apart differ by */
/* Ticks before other workers join: they pay for searches that last longer than what they load. */
#define WARM_UP UINT64_C(400000)

/* ---- creation ------------------------------------------------------------------------------- */

static cns_status open_worker(cns_solver *solver) {
    cns_status status =
        cns_worker_open(&solver->own, solver->context, &solver->model, solver->seed);
    if (status == CNS_OK) {
        solver->own.state.activity_noise = solver->seed != 0 ? ACTIVITY_NOISE : 0;
        solver->narrowed = false;
        solver->torn = false;
        solver->loading = false;
        solver->own.state.proof = solver->proof;
    }
    return status;
}

void cns_solver_dismiss(cns_solver *solver) {
    if (solver->team != NULL) {
        cns_team_add_stats(solver->team, &solver->gone);
        cns_team_destroy(solver->team);
        solver->team = NULL;
        /* It may have bounded the objective by a solution that it had not told yet. */
        solver->torn = solver->torn || solver->model.goal != CNS_SATISFY;
    }
}

/* A new state in the place of the old one, which may be none after a failure. */
static cns_status reopen_worker(cns_solver *solver) {
    cns_solver_dismiss(solver);
    cns_excursions_deinit(&solver->excursions);
    cns_worker_close(&solver->own);
    return open_worker(solver);
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
    cns_excursions_deinit(&solver->excursions);
    cns_local_deinit(&solver->turns.local);
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

void cns_solver_watch_limits(cns_solver *solver, uint8_t polling) {
    cns_state *s = &solver->own.state;
    s->cancelled = &solver->cancelled;
    s->deadline = deadline(solver);
    s->polling = polling;
}

/* Whether several workers search: not for all solutions, which one excludes as it finds them. */
static bool wants_team(const cns_solver *solver) {
    return solver->options.workers > 1 &&
           (solver->options.all_solutions == 0 || solver->model.goal != CNS_SATISFY);
}

static cns_orders orders_of(const cns_solver *solver) {
    return (cns_orders){&solver->options, solver->assumptions, solver->assumption_count};
}

static cns_status load(cns_solver *solver, uint64_t ticks, bool *done) {
    cns_state *s = &solver->own.state;
    cns_solver_watch_limits(solver, CNS_POLL_ALWAYS);
    cns_excursions_end(&solver->excursions);
    const cns_orders orders = orders_of(solver);
    cns_status status = cns_worker_load_some(&solver->own, &orders, ticks, done);
    if (status == CNS_OK && !*done) {
        return CNS_OK;
    }
    solver->changed_options = false;
    if (status == CNS_OK && solver->has_solution && solver->model.goal != CNS_SATISFY &&
        !s->failed) { /* of this problem: the state was made anew */
        cns_worker_improve(&solver->own, solver->objective);
        solver->narrowed = true;
    }
    if (status == CNS_OK && solver->team != NULL) {
        cns_team_changed(solver->team);
    }
    uint64_t work = s->ticks - solver->load_began;
    solver->alone_until = s->ticks + WARM_UP + work;
    cns_solver_plan_turns(solver, s->ticks + work);
    return status;
}

/* Before the model is loaded, or what is new of it; *needed: it is to be. */
static cns_status begin_load(cns_solver *solver, bool *needed) {
    *needed = true;
    /* Workers that join load all at once: they would number otherwise what came bit by bit. */
    bool joins =
        solver->team == NULL && (!solver->has_solution || solver->model.goal != CNS_SATISFY);
    if (wants_team(solver) && (joins || !solver->loaded) && solver->own.loaded &&
        !cns_worker_has_shape(&solver->own, cns_worker_shape(&solver->model))) {
        solver->torn = true;
    }
    if (!solver->loaded) { /* a new problem */
        cns_backtrack(&solver->own.state, 0);
        solver->at_solution = false;
        solver->has_solution = false;
        /* What was loaded in part was another model: others would number otherwise. */
        solver->torn = solver->torn || solver->narrowed || solver->loading;
        if (!wants_team(solver)) {
            cns_solver_dismiss(solver);
        }
    } else if (!solver->torn) {
        *needed = false;
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
    solver->load_began = solver->loading ? solver->load_began : solver->own.state.ticks;
    return CNS_OK;
}

cns_status cns_solver_prepare(cns_solver *solver, uint64_t ticks, bool *ready) {
    cns_status status = cns_solver_allow_proof(solver);
    bool needed = true;
    if (status == CNS_OK && !(solver->loading && solver->loaded)) {
        status = begin_load(solver, &needed);
    }
    *ready = status == CNS_OK && !needed;
    if (status != CNS_OK || *ready) {
        return status;
    }
    status = load(solver, ticks, ready);
    solver->torn = status != CNS_OK;
    solver->loaded = true; /* else what failed would begin as a new problem, without the solution */
    solver->loading = status == CNS_OK && !*ready;
    return status;
}

/* ---- solutions ------------------------------------------------------------------------------ */

/* Checks and keeps the solution `found`; NULL: the one that the own search stands at. */
static cns_status take_solution(cns_solver *solver, const int64_t *found) {
    cns_model *m = &solver->model;
    cns_status status = cns_solver_grow(solver, &solver->candidate, sizeof(int64_t),
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
    cns_status status = cns_solver_grow(solver, &solver->core, sizeof(cns_var),
                                        &solver->core_capacity, search->core_count);
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
        status = cns_solver_conclude_proof(solver, search);
    }
    solver->complete = status == CNS_OK;
    return status;
}

/* Of all workers, also of those that have gone: it never falls. */
static uint64_t conflicts(const cns_solver *solver) {
    return solver->own.state.counters.conflicts + solver->gone.failures +
           (solver->team != NULL ? cns_team_conflicts(solver->team) : 0);
}

/* That are left until the limit; UINT64_MAX: there is none. */
static uint64_t conflicts_left(const cns_solver *solver) {
    uint64_t limit = solver->options.conflict_limit;
    uint64_t had = conflicts(solver) - solver->conflicts_before;
    return limit == 0 ? UINT64_MAX : limit > had ? limit - had : 0;
}

bool cns_solver_limit_reached(const cns_solver *solver) {
    if (atomic_load_explicit(&solver->cancelled, memory_order_relaxed)) {
        return true;
    }
    uint64_t end = deadline(solver);
    return (end != 0 && cns_os_clock() >= end) || conflicts_left(solver) == 0;
}

/* Runs rounds of all workers until something is to be said. */
static cns_status search_together(cns_solver *solver, cns_outcome *out) {
    const cns_orders orders = orders_of(solver);
    cns_round round = {
        .orders = &orders, .cancelled = &solver->cancelled, .deadline = deadline(solver)};
    for (;;) {
        if (cns_solver_limit_reached(solver)) {
            *out = CNS_STOPPED;
            return CNS_OK;
        }
        if (cns_team_spent(solver->team)) {
            *out = CNS_RUNNING;
            return CNS_OK;
        }
        round.conflicts = conflicts_left(solver);
        solver->narrowed |= solver->model.goal != CNS_SATISFY; /* by what may be told later */
        cns_status status = cns_team_round(solver->team, &round);
        if (status != CNS_OK) {
            cns_solver_dismiss(solver);
            solver->torn = true; /* it may know a limit from a solution that is lost */
            return status;
        }
        if (round.values != NULL) {
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
    cns_excursions_end(&solver->excursions);
    cns_solver_end_turns(solver);
    bool solved = solver->has_solution && solver->own.state.objective_limit != INT64_MAX;
    return cns_team_create(solver->context, &solver->own, &solver->options, solver->seed,
                           solved ? solver->values : NULL, &solver->team);
}

/* Until `ticks_end`; CNS_RUNNING: there is nothing to be said. */
static cns_status search_completely(cns_solver *solver, uint64_t ticks_end, cns_outcome *out) {
    cns_status status = CNS_OK;
    switch (cns_search_run(&solver->own.search, ticks_end)) {
    case CNS_SEARCH_PAUSED:
        break;
    case CNS_SEARCH_SOLUTION:
        status = take_solution(solver, NULL);
        *out = CNS_SOLUTION;
        break;
    case CNS_SEARCH_EXHAUSTED:
        *out = CNS_COMPLETE;
        return finish(solver, &solver->own.search);
    case CNS_SEARCH_ERROR:
        return solver->own.state.status;
    }
    return status;
}

static cns_status search_locally(cns_solver *solver, uint64_t ticks_end, cns_outcome *out) {
    const int64_t *found;
    cns_status status = cns_solver_search_locally(solver, ticks_end, &found);
    if (status == CNS_OK && found != NULL) {
        *out = CNS_SOLUTION;
        status = take_solution(solver, found);
    }
    return status;
}

/* The search's call at its root. */
static bool at_root(void *user) {
    cns_solver *solver = user;
    bool optimises = solver->own.search.free && solver->model.goal != CNS_SATISFY;
    cns_excursions_at_root(&solver->excursions,
                           optimises && solver->has_solution ? solver->values : NULL);
    return true;
}

/* Without others, the worker turns to neighbourhoods now and then. */
static void go_alone(cns_solver *solver) {
    cns_search *search = &solver->own.search;
    if (search->at_root != at_root) {
        search->at_root = at_root;
        search->at_root_user = solver;
        cns_excursions_deinit(&solver->excursions);
        cns_excursions_init(&solver->excursions, &solver->own, solver->seed);
    }
}

/* One slice, to be cut where others join or local search has a turn. */
static cns_status search_alone(cns_solver *solver, uint64_t ticks_end, cns_outcome *out) {
    uint64_t ticks = solver->own.state.ticks;
    uint64_t slice = ticks_end - ticks < CNS_SOLVER_SLICE ? ticks_end : ticks + CNS_SOLVER_SLICE;
    if (cns_solver_has_turn(solver)) {
        return search_locally(solver, slice, out);
    }
    uint64_t turn = cns_solver_next_turn(solver);
    go_alone(solver);
    return search_completely(solver, slice < turn ? slice : turn, out);
}

/* Runs slices until something is to be said. */
static cns_status search(cns_solver *solver, uint64_t ticks, cns_outcome *out) {
    cns_state *s = &solver->own.state;
    uint64_t end = ticks == 0 || ticks > UINT64_MAX - s->ticks ? UINT64_MAX : s->ticks + ticks;
    bool together = wants_team(solver);
    cns_status status = CNS_OK;
    *out = CNS_RUNNING;
    while (status == CNS_OK && *out == CNS_RUNNING) {
        if (together && solver->team == NULL && s->ticks >= solver->alone_until) {
            status = gather(solver);
            continue;
        }
        if (solver->team != NULL) {
            cns_team_begin(solver->team, ticks == 0 ? 0 : end > s->ticks ? end - s->ticks : 1);
            return search_together(solver, out);
        }
        if (cns_solver_limit_reached(solver)) {
            *out = CNS_STOPPED;
            return CNS_OK;
        }
        if (s->ticks >= end) {
            return CNS_OK;
        }
        bool joined = together && end > solver->alone_until;
        status = search_alone(solver, joined ? solver->alone_until : end, out);
    }
    return status;
}

cns_status cns_solver_recover(cns_solver *solver, cns_status status) {
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
        cns_excursions_end(&solver->excursions);
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
    CNS_SOLVER_NEED(solver);
    if (out == NULL) {
        return cns_solver_no_output(solver, "cns_solver_step");
    }
    uint64_t start = cns_os_clock();
    if (!solver->begun) {
        solver->begun = true;
        solver->began = start;
        solver->setup_time = solver->search_time = 0;
        solver->conflicts_before = conflicts(solver);
    }
    uint64_t before = solver->own.state.ticks;
    bool ready;
    cns_status status = cns_solver_prepare(solver, ticks == 0 ? UINT64_MAX : ticks, &ready);
    uint64_t spent = solver->own.state.ticks - before;
    uint64_t prepared = cns_os_clock();
    solver->setup_time += prepared - start;
    cns_outcome outcome = CNS_RUNNING;
    if (status == CNS_OK && ready && (ticks == 0 || spent < ticks)) {
        cns_solver_watch_limits(solver, CNS_POLL_ABOVE_ROOT);
        status = proceed(solver, ticks == 0 ? 0 : ticks - spent, &outcome);
        solver->search_time += cns_os_clock() - prepared;
    } else if (status == CNS_OK && cns_solver_limit_reached(solver)) {
        outcome = CNS_STOPPED;
    }
    if (status != CNS_OK) {
        cns_solver_recover(solver, status);
    }
    if (status == CNS_OK || cns_was_stopped(status)) {
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
    CNS_SOLVER_NEED(solver);
    atomic_store_explicit(&solver->cancelled, false, memory_order_relaxed);
    solver->begun = false;
    solver->has_solution = false;
    return cns_solver_changed(solver, CNS_OK);
}
