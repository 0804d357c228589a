/* SPDX-License-Identifier: MIT
 *
 * solver_steps.h - a solver for a test, its constraints' arrays, and steps until something is
 * found.
 */
#ifndef CNS_TEST_SOLVER_STEPS_H
#define CNS_TEST_SOLVER_STEPS_H

#include "cns/solver.h"
#include "support.h"

/* Field k of a cns_constraint, of a whole array. */
#define VARS(k, array) .v[k] = (array), .v_count[k] = sizeof(array) / sizeof *(array)
#define INTS(k, array) .i[k] = (array), .i_count[k] = sizeof(array) / sizeof *(array)

static inline cns_solver *solver_new(cns_context *context, uint64_t seed) {
    const cns_solver_config config = {.size = sizeof config, .seed = seed};
    cns_solver *solver = NULL;
    support_status(context, CNS_OK, cns_solver_create(context, &config, &solver));
    return solver;
}

/* Steps of `ticks` each, as many as it takes: the first outcome that is not CNS_RUNNING. */
static inline cns_outcome solver_step(cns_context *context, cns_solver *solver, uint64_t ticks) {
    cns_outcome outcome = CNS_RUNNING;
    do {
        support_status(context, CNS_OK, cns_solver_step(solver, ticks, &outcome));
    } while (outcome == CNS_RUNNING);
    return outcome;
}

#endif
