/* SPDX-License-Identifier: MIT
 *
 * solver/core_guided.h - raising the objective's lower bound by cores, in turns of a search.
 *
 * The objective is a sum of weighted terms. In its turns the search assumes that each of them is at
 * its least value, those of great weight first (strata: Ansotegui, Bonet, Levy 2013). A set of them
 * that cannot hold together, a core, sums to more than its least value: with the smallest weight
 * among them, that part of the objective becomes a new term, the integer that is at least their sum
 * (OLL: Andres et al. 2012; for propagators: Gange et al. 2020). The new form bounds the objective
 * for the other turns of the search as well. What is deduced follows from the model and the
 * objective's limit, never from assumptions of the user: a core with one of those ends it all.
 * No proof can be written of it: it is off where one is.
 */
#ifndef CNS_SOLVER_CORE_GUIDED_H
#define CNS_SOLVER_CORE_GUIDED_H

#include "solver/objective.h"
#include "solver/search.h"

typedef enum cns_core_phase {
    CNS_CORE_COLLECT, /* all terms of the stratum are assumed */
    CNS_CORE_TRIM,    /* those of a core, the other way round: which of them suffice? */
    CNS_CORE_EXHAUST  /* a new term alone: how far does it rise? */
} cns_core_phase;

typedef struct cns_core_term { /* at most `most` was assumed */
    uint32_t place;            /* in the sum */
    int64_t most;
} cns_core_term;

struct cns_core_guided {
    cns_sum sum; /* the objective, reformed by the cores so far */
    cns_core_phase phase;
    bool over;     /* nothing is left that it could find out */
    bool prepared; /* `order` is up to the root */
    bool met;      /* a solution had all of the stratum's terms at their least values */
    bool in_vain;  /* the last turn found neither a core nor a solution */
    int64_t stratum;
    uint32_t *order; /* terms to assume, by place in the sum */
    uint32_t order_count, order_capacity;
    int64_t next;      /* those before it hold; restored on backtracking */
    uint32_t *assumed; /* by level above the user's assumptions: the place of the term */
    uint32_t assumed_capacity;
    cns_core_term *core;
    uint32_t core_count, core_capacity;
    uint32_t *levels; /* scratch */
    uint32_t level_capacity;
    uint32_t trials;
    cns_term risen; /* EXHAUST: the new term, last of the sum */
    int64_t step;   /* how much above its least value it is assumed to stay */

    uint64_t began; /* ticks when the problem was loaded */
    uint64_t turn_began, turn_end;
    uint64_t spent; /* ticks in turns so far */
    uint64_t turns, restarts, cores;
    uint64_t posted_cores; /* when the sum was posted last */
    cns_wide turn_bound;   /* what the sum was at least when the turn began */
    double share;          /* of all ticks that its turns may take */
    uint32_t unpaid;       /* turns since one that was worth its time */
    uint32_t *posted;      /* propagators of the new terms, by number */
    uint32_t posted_count, posted_capacity;
    uint32_t objective_first, objective_end; /* those of the sum itself, posted last */
};

/* Takes `sum` over. At the root; the search's former one is released. */
cns_status cns_core_guided_begin(cns_search *search, cns_sum *sum);
void cns_core_guided_end(cns_search *search);

/* At the root, on a restart: whether the search's time until the next restart is its turn. */
bool cns_core_guided_turn(cns_search *search);
/* How many conflicts until that restart, in a turn. */
uint64_t cns_core_guided_patience(const cns_search *search);
/* Whether the turn's time is over. */
static inline bool cns_core_guided_spent(const cns_search *search) {
    return search->state->ticks >= search->core_guided->turn_end;
}

typedef enum cns_core_step {
    CNS_CORE_AGAIN,  /* the state has changed: propagate first */
    CNS_CORE_ASSUME, /* the fact is to hold at the next level */
    CNS_CORE_DECIDE, /* all is assumed: the rest is the search's own */
    CNS_CORE_ERROR   /* memory gave out */
} cns_core_step;

/* In a turn, at a fixpoint: what comes next. Below the user's assumptions nothing is assumed. */
cns_core_step cns_core_guided_next(cns_search *search, cns_fact *out);
/* The search has found a solution in a turn. */
void cns_core_guided_solved(cns_search *search);

#endif
