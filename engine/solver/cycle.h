/* SPDX-License-Identifier: MIT
 *
 * solver/cycle.h - sums that chase each other through wide domains: x < y and y < x.
 *
 * The bounds of such a cycle rise by a little at a time, and refute it only at the end of the
 * domains. What refutes it at once is that its differences add up to more than 0. So where a
 * fixpoint takes unusually long, the linear constraints that hold are searched for one, as
 * Bellman and Ford find circles of the longest paths. Which of them are behind it is the
 * explanation; bounds are in it only where a sum has more than two terms.
 */
#ifndef CNS_SOLVER_CYCLE_H
#define CNS_SOLVER_CYCLE_H

#include "solver/state.h"

/* Runs of propagators within one fixpoint until the first search; each later one is after twice as
 * many. */
static inline uint64_t cns_first_cycle_search(const cns_state *s) {
    return 4096 + 4 * (uint64_t)s->propagator_count;
}

/* False: there is a conflict. True also where the search was given up, for being too long, for want
 * of memory, or since a proof is written (which has no step for it). */
bool cns_refute_cycle(cns_state *state);

#endif
