/* SPDX-License-Identifier: MIT
 *
 * solver/globals/circuit.h - what the two propagators of circuits share: arcs as facts.
 */
#ifndef CNS_SOLVER_CIRCUIT_H
#define CNS_SOLVER_CIRCUIT_H

#include "solver/globals/block.h"

/* Appends that no arc leaves x (node `from`) for a node marked in `set`, as it is now: its
 * successor where that is fixed, else bounds and removed values. */
void cns_facts_no_arc(cns_state *state, cns_facts *out, cns_view x, const bool *set,
                      uint32_t count);

/* Appends why `node` was not its own successor before `position`; false when it could be. */
bool cns_facts_must_move(cns_state *state, cns_facts *out, cns_view v, int64_t node,
                         uint32_t position);

/* Finds what follows from reachability (circuit_reach.c). The domains lie in 0..count - 1. */
cns_status cns_post_circuit_reach(cns_state *state, cns_post post, cns_views x, bool subcircuit);

#endif
