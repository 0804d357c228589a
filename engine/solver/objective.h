/* SPDX-License-Identifier: MIT
 *
 * solver/objective.h - the objective as a sum of weighted terms, read from the model's equations.
 *
 * An objective that a linear constraint defines is that sum; summands that are sums themselves are
 * replaced by theirs where that says no less of the least value. Objectives of other kinds (a
 * maximum, a product) have no such form.
 */
#ifndef CNS_SOLVER_OBJECTIVE_H
#define CNS_SOLVER_OBJECTIVE_H

#include "solver/load.h"
#include "solver/wide.h"

typedef struct cns_sum_term {
    int64_t weight; /* > 0 */
    cns_term term;
    cns_var var; /* of the model, behind the term; -1: none */
} cns_sum_term;

/* scale * objective >= constant + sum of weight * term, each integer once; objective is the term
 * that the state minimises. In solutions that leave no slack anywhere it is equal. */
typedef struct cns_sum {
    int64_t scale; /* > 0 */
    cns_wide constant;
    cns_sum_term *terms;
    uint32_t count, capacity;
} cns_sum;

/* Reads the form of the state's objective, at the root of a loaded state, into `sum`, which is all
 * zero and to be freed in any case. False: there is none of two terms or more, or memory gave out
 * (the state's status). */
bool cns_sum_read(cns_loader *loader, cns_sum *sum);
void cns_sum_deinit(cns_context *context, cns_sum *sum);
/* What the sum is at least, by the bounds now. */
cns_wide cns_sum_least(const cns_state *state, const cns_sum *sum);

#endif
