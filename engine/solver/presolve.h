/* SPDX-License-Identifier: MIT
 *
 * solver/presolve.h - what the loader finds in many constraints together, before it posts them.
 *
 * Everything here adds what the model implies, or states several constraints as one of the same
 * meaning: no solution is lost or gained, and no variable is removed. So it holds as well for all
 * solutions, under assumptions, with hints and search phases, and for constraints that come later.
 * Symmetric and dominated solutions stay for the same reason; and what the loader merges (one
 * variable for those that are equal, one literal for a condition) it reads back itself: load.h.
 * What follows from several constraints is no lemma of one of them: nothing of it is done while a
 * proof is written. The work is bounded by the number of constraints, polled, and cut into pieces:
 * first each constraint is looked at, then what is in them all is found, a part at a time. Where
 * memory, or the solver's share of it, gives out, the model is loaded without what was not found
 * yet.
 */
#ifndef CNS_SOLVER_PRESOLVE_H
#define CNS_SOLVER_PRESOLVE_H

#include "solver/load.h"
#include "solver/presolve_cliques.h"

/* The loader's constraints from `first` on, and what becomes of each. */
enum { CNS_FATE_POST = 0, CNS_FATE_DONE = 1 };

typedef struct cns_batch {
    cns_loader *loader;
    uint8_t *fate; /* of constraint first + k */
    uint32_t first, count;
} cns_batch;

/* Groups of views that differ from each other, from inequations of pairs. */
typedef struct cns_differ {
    cns_clique_edges edges;
    cns_cliques cliques;
    cns_clique_finder *finder; /* NULL: it has not begun, or is over */
    uint32_t members;          /* those in front of it were posted */
    bool over;                 /* there is nothing more to be found */
} cns_differ;

/* Before constraints are posted: looks at constraint `k`, then finds those that are stated
 * together, which are done. False, failed: a limit was reached. */
bool cns_differ_look(cns_differ *differ, const cns_batch *batch, uint32_t k, cns_piece *piece);
cns_part cns_differ_find(cns_differ *differ, const cns_batch *batch, cns_piece *piece);
/* After they were: posts group `k`. False: a limit was reached, or memory gave out for what the
 * model says. */
bool cns_differ_post(cns_differ *differ, const cns_batch *batch, uint32_t k, cns_piece *piece);
void cns_differ_deinit(cns_differ *differ, cns_state *state);

/* Tasks of which each two are in one order or the other, by a clause of two literals that imply
 * precedences, are on a machine for one task at a time. */
typedef struct cns_machines {
    uint32_t precedences, choices;     /* how many there are */
    struct cns_machine_finder *finder; /* NULL: it has not begun, or is over */
} cns_machines;

/* After constraints were posted: looks at constraint `k`, then finds machines and posts them.
 * Failed: a limit was reached, or the model is infeasible. */
void cns_machines_look(cns_machines *machines, const cns_batch *batch, uint32_t k);
cns_part cns_machines_find(cns_machines *machines, const cns_batch *batch, cns_piece *piece);
void cns_machines_deinit(cns_machines *machines);

#endif
