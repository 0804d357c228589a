/* SPDX-License-Identifier: MIT
 *
 * solver/local_search.h - a search for solutions among complete assignments, by violations.
 *
 * Step by step a violated item is drawn, a few changes that may mend it are tried, and the best one
 * is kept if it lessens the weighted sum of violations; else the item's weight rises, as in the
 * Feasibility Jump heuristic (Luteberget, Sartor 2022), whose jumps over linear constraints these
 * changes extend to all kinds. It proves nothing, and every assignment that it reports has passed
 * the evaluator. All that it does depends on the model, the seed and the calls alone. One thread
 * at a time; the model is only read.
 */
#ifndef CNS_SOLVER_LOCAL_SEARCH_H
#define CNS_SOLVER_LOCAL_SEARCH_H

#include "solver/jump.h"

typedef struct cns_local {
    cns_score score;
    cns_rng rng;
    const cns_var *assumptions;
    uint32_t assumption_count;
    int64_t *start;  /* values to start from */
    uint64_t *moved; /* by variable: the step when it was changed last */
    uint32_t *free;  /* variables */
    uint32_t free_count;
    bool started;  /* there is an assignment to go on from */
    bool settling; /* there will be: its score is being made */
    bool spent;    /* no value of the objective, or of an assumption, is good enough; or a step
                    * would be long */
    int64_t limit; /* of the objective, as minimised */
    uint64_t steps, restarts;
    uint64_t restart_at; /* ticks */
    uint64_t patience;
    uint32_t least;   /* violated items at once, since the last restart */
    uint64_t refused; /* assignments without a violation that did not pass; a sign of a bug */
} cns_local;

/* Whether a look at each constraint, and at all of them, is short enough: steps end in time only
 * then, if those on one variable are not too many (a run says CNS_LOCAL_STUCK). */
bool cns_local_suits(const cns_model *model);
/* requires: cns_local_suits(model). The assumptions, which are not copied, hold in all that it
 * reports. Nothing to deinit on failure, or of what is all zero. CNS_E_CANCELLED, CNS_E_DEADLINE:
 * a limit came first. */
cns_status cns_local_init(cns_local *local, cns_context *context, const cns_model *model,
                          const cns_var *assumptions, uint32_t count, uint64_t seed,
                          cns_score_limits limits);
void cns_local_deinit(cns_local *local);

/* Goes on from these values, of all variables. */
void cns_local_start(cns_local *local, const int64_t *values);
/* Only solutions with an objective, as minimised, of at most `limit` are looked for. */
void cns_local_improve(cns_local *local, int64_t limit);

typedef enum cns_local_result {
    CNS_LOCAL_PAUSED,   /* ticks are used up */
    CNS_LOCAL_SOLUTION, /* cns_local_values; to be followed by cns_local_improve, if at all */
    CNS_LOCAL_STUCK,    /* there is nothing to change, or all changes are too much work */
    CNS_LOCAL_ERROR     /* the status says which */
} cns_local_result;

/* Runs until cns_local_ticks reaches `ticks_end`, or a little more. */
cns_local_result cns_local_run(cns_local *local, uint64_t ticks_end, cns_status *status);

/* Of a search that gives turns to local search: how many turns' time it has itself before the next
 * one. They are ever rarer where they find nothing, so that a proof is hardly delayed. */
static inline uint32_t cns_local_wait(uint32_t last, bool found) {
    const uint32_t most = 64;
    return found ? 1 : last < most ? 2 * last : most;
}

static inline const int64_t *cns_local_values(const cns_local *local) {
    return local->score.values;
}

static inline uint64_t cns_local_ticks(const cns_local *local) {
    return local->score.ticks;
}

#endif
