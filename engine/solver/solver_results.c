/* SPDX-License-Identifier: MIT
 *
 * solver/solver_results.c - what the public solver tells: values, statistics, checks, cores.
 */
#include "solver/solver_impl.h"

#include <string.h>

/* ---- reading -------------------------------------------------------------------------------- */

cns_status cns_solver_value(const cns_solver *solver, cns_var var, int64_t *out) {
    CNS_SOLVER_NEED(solver);
    if (!cns_model_is_var(&solver->model, var)) {
        return cns_solver_no_variable(solver, "cns_solver_value", var);
    }
    uint32_t index = (uint32_t)(var >= 0 ? var : ~var);
    if (!solver->has_solution || index >= solver->value_count) {
        return cns_fail(solver->context, CNS_E_NOTFOUND, "cns_solver_value: no solution yet");
    }
    if (out == NULL) {
        return cns_solver_no_output(solver, "cns_solver_value");
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
    if (!solver->loaded || solver->torn || solver->loading) {
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
        .nodes = s->counters.decisions + solver->gone.nodes,
        .failures = s->counters.conflicts + solver->gone.failures,
        .restarts = s->counters.restarts + solver->gone.restarts,
        .propagations = s->counters.propagations + solver->gone.propagations,
        .solutions = solver->solutions,
        .ticks = s->ticks + solver->gone.ticks,
        .peak_depth = s->counters.peak_depth,
        .learnt = s->counters.learnt + solver->gone.learnt,
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
    if (solver->gone.peak_depth > out->peak_depth) {
        out->peak_depth = solver->gone.peak_depth;
    }
    if (solver->team != NULL) {
        cns_team_add_stats(solver->team, out);
    }
    if (solver->model.goal != CNS_SATISFY) {
        out->bound = proved_bound(solver);
    }
}

cns_status cns_solver_check(cns_solver *solver) {
    CNS_SOLVER_NEED(solver);
    /* A torn state is made anew before anyone looks at it. */
    cns_status status = solver->torn ? CNS_OK : cns_state_check(&solver->own.state);
    return status == CNS_OK && solver->team != NULL ? cns_team_check(solver->team) : status;
}

cns_status cns_solver_check_values(const cns_solver *solver, const int64_t *values, size_t count) {
    CNS_SOLVER_NEED(solver);
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
        if (cns_solver_limit_reached(solver)) {
            return CNS_E_CANCELLED;
        }
        cns_search_result result = cns_search_run(&solver->own.search, s->ticks + CNS_SOLVER_SLICE);
        if (result != CNS_SEARCH_PAUSED) {
            *holds = result == CNS_SEARCH_SOLUTION;
            return result == CNS_SEARCH_ERROR ? s->status : CNS_OK;
        }
    }
    return status;
}

static cns_status stop_core(cns_solver *solver, cns_status status) {
    cns_solver_recover(solver, status);
    return cns_was_stopped(status)
               ? cns_fail(solver->context, CNS_E_CANCELLED,
                          "cns_solver_core: stopped before the core was minimal")
               : status;
}

cns_status cns_solver_core(cns_solver *solver, int minimise, const cns_var **literals,
                           size_t *count) {
    CNS_SOLVER_NEED(solver);
    if (literals == NULL || count == NULL) {
        return cns_fail(solver->context, CNS_E_INVALID, "cns_solver_core: outputs are needed");
    }
    if (!solver->core_valid || !solver->complete || solver->has_solution) {
        return cns_fail(solver->context, CNS_E_NOTFOUND,
                        "cns_solver_core: the last step did not end as infeasible");
    }
    if (minimise && (solver->torn || solver->loading)) {
        bool ready;
        cns_status status = cns_solver_prepare(solver, UINT64_MAX, &ready);
        if (status != CNS_OK) {
            return stop_core(solver, status);
        }
    }
    cns_solver_watch_limits(solver, CNS_POLL_ABOVE_ROOT);
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
