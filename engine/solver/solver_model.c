/* SPDX-License-Identifier: MIT
 *
 * solver/solver_model.c - the doors that build a model: variables, constraints, goal, options.
 */
#include "solver/solver_impl.h"

#include <string.h>

cns_status cns_solver_changed(cns_solver *solver, cns_status status) {
    if (status == CNS_OK) {
        solver->loaded = false;
        solver->complete = false;
        solver->core_valid = false;
    }
    return status;
}

cns_status cns_solver_grow(const cns_solver *solver, void *array, size_t element,
                           uint32_t *capacity, size_t need) {
    cns_state account = {.context = solver->context};
    if (need > INT32_MAX) {
        return cns_fail(solver->context, CNS_E_LIMIT, "solver: more than 2^31 elements");
    }
    return cns_grow(&account, array, element, capacity, (uint32_t)need) ? CNS_OK : account.status;
}

cns_status cns_solver_no_output(const cns_solver *solver, const char *function) {
    return cns_fail(solver->context, CNS_E_INVALID, "%s: out is NULL", function);
}

cns_status cns_solver_new_int(cns_solver *solver, int64_t low, int64_t high, const char *name,
                              cns_var *out) {
    CNS_SOLVER_NEED(solver);
    if (out == NULL) {
        return cns_solver_no_output(solver, "cns_solver_new_int");
    }
    return cns_solver_changed(
        solver, cns_model_new_var(&solver->model, (const int64_t[]){low, high}, 1, name, out));
}

cns_status cns_solver_new_int_ranges(cns_solver *solver, const int64_t *ranges, size_t count,
                                     const char *name, cns_var *out) {
    CNS_SOLVER_NEED(solver);
    if (out == NULL) {
        return cns_solver_no_output(solver, "cns_solver_new_int_ranges");
    }
    return cns_solver_changed(solver, cns_model_new_var(&solver->model, ranges, count, name, out));
}

cns_status cns_solver_new_bool(cns_solver *solver, const char *name, cns_var *out) {
    return cns_solver_new_int(solver, 0, 1, name, out);
}

cns_status cns_solver_constant(cns_solver *solver, int64_t value, cns_var *out) {
    CNS_SOLVER_NEED(solver);
    if (out == NULL) {
        return cns_solver_no_output(solver, "cns_solver_constant");
    }
    return cns_solver_changed(solver, cns_model_constant(&solver->model, value, out));
}

uint32_t cns_solver_variable_count(const cns_solver *solver) {
    return solver == NULL ? 0 : solver->model.variable_count;
}

uint32_t cns_solver_constraint_count(const cns_solver *solver) {
    return solver == NULL ? 0 : solver->model.constraint_count;
}

cns_status cns_solver_no_variable(const cns_solver *solver, const char *function, cns_var var) {
    return cns_fail(solver->context, CNS_E_INVALID, "%s: there is no variable %d", function,
                    (int)var);
}

cns_status cns_solver_bounds(const cns_solver *solver, cns_var var, int64_t *low, int64_t *high) {
    CNS_SOLVER_NEED(solver);
    if (!cns_model_is_var(&solver->model, var)) {
        return cns_solver_no_variable(solver, "cns_solver_bounds", var);
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
    CNS_SOLVER_NEED(solver);
    return cns_solver_changed(solver, cns_model_mark_output(&solver->model, var));
}

cns_status cns_solver_add(cns_solver *solver, const cns_constraint *constraint) {
    CNS_SOLVER_NEED(solver);
    return cns_solver_changed(solver, cns_model_add(&solver->model, constraint));
}

cns_status cns_solver_set_goal(cns_solver *solver, cns_goal goal, cns_var var) {
    CNS_SOLVER_NEED(solver);
    return cns_solver_changed(solver, cns_model_set_goal(&solver->model, goal, var));
}

cns_status cns_solver_add_search(cns_solver *solver, const cns_var *vars, size_t count,
                                 cns_choose_var var_rule, cns_choose_value value_rule) {
    CNS_SOLVER_NEED(solver);
    return cns_solver_changed(
        solver, cns_model_add_phase(&solver->model, vars, count, var_rule, value_rule));
}

cns_status cns_solver_hint(cns_solver *solver, cns_var var, int64_t value) {
    CNS_SOLVER_NEED(solver);
    return cns_solver_changed(solver, cns_model_hint(&solver->model, var, value));
}

static cns_status check_options(const cns_solver *solver, const cns_solve_options *o) {
    if ((int)o->strategy < CNS_STRATEGY_DEFAULT || (int)o->strategy > CNS_STRATEGY_FREE ||
        (int)o->restart < CNS_RESTART_DEFAULT || (int)o->restart > CNS_RESTART_LBD) {
        return cns_fail(solver->context, CNS_E_INVALID,
                        "cns_solver_set_options: strategy %d and restart %d, expected a "
                        "cns_strategy, 0..%d, and a cns_restart_policy, 0..%d",
                        (int)o->strategy, (int)o->restart, CNS_STRATEGY_FREE, CNS_RESTART_LBD);
    }
    if ((int)o->optimise < CNS_OPTIMISE_DEFAULT || (int)o->optimise > CNS_OPTIMISE_CORES) {
        return cns_fail(
            solver->context, CNS_E_INVALID,
            "cns_solver_set_options: optimise %d, expected a cns_optimise_policy, 0..%d",
            (int)o->optimise, CNS_OPTIMISE_CORES);
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
    CNS_SOLVER_NEED(solver);
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
    cns_solver_dismiss(solver);
    solver->options = fresh;
    if (fresh.executor != NULL) {
        solver->executor = *fresh.executor;
        solver->options.executor = &solver->executor;
    }
    solver->changed_options = true;
    return outputs ? cns_solver_changed(solver, CNS_OK) : CNS_OK;
}

cns_status cns_solver_assume(cns_solver *solver, const cns_var *literals, size_t count) {
    CNS_SOLVER_NEED(solver);
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
    cns_status status = cns_solver_grow(solver, &solver->assumptions, sizeof(cns_var),
                                        &solver->assumption_capacity, count);
    if (status != CNS_OK) {
        return status;
    }
    if (count > 0) {
        memmove(solver->assumptions, literals, count * sizeof *literals);
    }
    solver->assumption_count = (uint32_t)count;
    return cns_solver_changed(solver, CNS_OK);
}
