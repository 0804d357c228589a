/* SPDX-License-Identifier: MIT
 *
 * solver/lns.h - large neighbourhood search: most variables keep the best solution's values.
 *
 * A neighbourhood (Shaw 1998) is what a worker's search decides first: the values of the variables
 * that are not set free. They are guided to, not assumed, so that nothing is lost where they cannot
 * hold together with a better objective. Half of the neighbourhoods free random variables, half
 * those around one variable in the graph of constraints. How many are freed adapts: fewer after a
 * neighbourhood too large to search, more after one that conflicts broke again and again.
 */
#ifndef CNS_SOLVER_LNS_H
#define CNS_SOLVER_LNS_H

#include "solver/worker.h"

typedef struct cns_lns {
    cns_worker *worker;
    cns_rng rng;
    double share;     /* of the variables that are set free */
    uint32_t *starts; /* by variable: where its constraints begin in `touching` */
    uint32_t *touching;
    uint32_t *order; /* scratch: variables in the order they are visited */
    bool *freed;     /* scratch, by variable */
    uint32_t variable_count, touching_count;
    uint32_t constraint_count; /* of the model when the graph was made */
} cns_lns;

void cns_lns_init(cns_lns *lns, cns_worker *worker, uint64_t seed);
void cns_lns_deinit(cns_lns *lns);
/* At the root: learns from how the last neighbourhood went, and makes the next one around `values`.
 * False when memory gave out. */
bool cns_lns_next(cns_lns *lns, const int64_t *values);

#endif
