/* SPDX-License-Identifier: MIT
 *
 * solver/parallel.h - a team of workers that search one model together, in rounds.
 *
 * In a round each worker searches on its own; between two rounds one thread alone passes on what
 * they have learnt, the best solution and the proof. So workers share nothing that changes while
 * they run, and between two steps of the solver nobody runs. A round ends by the clock, or as soon
 * as one worker has something to report; in the deterministic mode it ends for each worker after
 * the same number of ticks, and all that is exchanged has the workers' order: the result depends on
 * the seed alone, not on threads or on how the search is cut into steps.
 */
#ifndef CNS_SOLVER_PARALLEL_H
#define CNS_SOLVER_PARALLEL_H

#include <stdatomic.h>

#include "solver/worker.h"

#define CNS_TEAM_MOST 1024 /* workers */

typedef struct cns_team cns_team;

/* The solver's own worker, loaded, becomes the first of the team. Until the team is destroyed it
 * may be loaded again, but not closed. `values`: the best solution, or NULL. */
cns_status cns_team_create(cns_context *context, cns_worker *own, const cns_solve_options *options,
                           uint64_t seed, const int64_t *values, cns_team **out);
void cns_team_destroy(cns_team *team);
/* The orders or the model have changed: all load them before they go on. */
void cns_team_changed(cns_team *team);

/* Deterministic: ticks of each worker between two meetings, instead of the default. */
void cns_team_set_round(cns_team *team, uint64_t ticks);

/* A step begins, of so many ticks for each worker (0: no bound). */
void cns_team_begin(cns_team *team, uint64_t ticks);
/* Whether all workers have used them up. */
bool cns_team_spent(const cns_team *team);

typedef struct cns_round {
    const cns_orders *orders;       /* in: as own was loaded with */
    const _Atomic bool *cancelled;  /* in */
    uint64_t deadline;              /* in: of the clock; 0: none */
    uint64_t conflicts;             /* in: of all together, then it ends; 0: no bound. Not for
                                     * deterministic teams */
    const int64_t *values;          /* out: a (better) solution, not yet judged; NULL: none */
    const cns_worker *exhausted_by; /* out: it has searched all; NULL: nobody has */
} cns_round;

/* One round, or what the step's ticks allow of it. An error is one worker's. */
cns_status cns_team_round(cns_team *team, cns_round *round);

/* Adds the counters of all workers but the first. */
void cns_team_add_stats(const cns_team *team, cns_solver_stats *stats);
/* Of all but the first, since the team was made. */
uint64_t cns_team_conflicts(const cns_team *team);
cns_status cns_team_check(cns_team *team);

#endif
