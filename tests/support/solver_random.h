/* SPDX-License-Identifier: MIT
 *
 * solver_random.h - random tiny models of every kind of constraint, and all their solutions by
 * brute force: the oracle of the solver's tests.
 *
 * A model goes into a sink, so that one seed makes the same model in a solver, through its public
 * interface, and in a bare cns_model, which the solutions are counted on.
 */
#ifndef CNS_TEST_SOLVER_RANDOM_H
#define CNS_TEST_SOLVER_RANDOM_H

#include "base/rng.h"
#include "cns/solver.h"
#include "solver/model.h"

typedef struct solver_random_sink {
    void *user;
    cns_status (*new_var)(void *user, const int64_t *ranges, size_t count, cns_var *out);
    cns_status (*constant)(void *user, int64_t value, cns_var *out);
    cns_status (*add)(void *user, const cns_constraint *constraint);
    cns_status (*mark_output)(void *user, cns_var var);
} solver_random_sink;

/* 1 to 6 variables of 1 to 6 values (and constants), with holes, negative values, Booleans,
 * repeated and negated variables. `kind`: one or two constraints of this kind; 0: two or three of
 * any kinds. Conditions come with those that take them. Sometimes outputs are marked. The same for
 * the same state of `rng`; fails the test when the sink refuses something. */
void solver_random_build(cns_rng *rng, int kind, const solver_random_sink *sink);

/* The same into `model`, which is initialised. */
void solver_random_model(cns_rng *rng, int kind, cns_model *model);

/* How many solutions there are that differ in the output variables (all, if none is marked), by
 * trying all assignments; `visit` (may be NULL) sees one solution for each. */
typedef void (*solver_random_visit)(void *user, const int64_t *values);
uint64_t solver_random_count(const cns_model *model, solver_random_visit visit, void *user);

/* Whether the kind takes a condition. */
bool solver_random_reifies(int kind);

/* ---- a solver as a sink --------------------------------------------------------------------- */

static inline cns_status solver_random_new_var(void *user, const int64_t *ranges, size_t count,
                                               cns_var *out) {
    return cns_solver_new_int_ranges((cns_solver *)user, ranges, count, NULL, out);
}

static inline cns_status solver_random_constant(void *user, int64_t value, cns_var *out) {
    return cns_solver_constant((cns_solver *)user, value, out);
}

static inline cns_status solver_random_add(void *user, const cns_constraint *constraint) {
    return cns_solver_add((cns_solver *)user, constraint);
}

static inline cns_status solver_random_mark_output(void *user, cns_var var) {
    return cns_solver_mark_output((cns_solver *)user, var);
}

/* The model of solver_random_model with the same `rng`, with the same numbers of variables, in a
 * solver without any variables. */
static inline void solver_random_solver(cns_rng *rng, int kind, cns_solver *solver) {
    const solver_random_sink sink = {solver, solver_random_new_var, solver_random_constant,
                                     solver_random_add, solver_random_mark_output};
    solver_random_build(rng, kind, &sink);
}

#endif
