/* SPDX-License-Identifier: MIT
 *
 * solver/team.h - what parallel.c, member.c and role.c share: a team and its members.
 *
 * Most members search completely, each with a worker of its own; one that searches locally has no
 * worker: it learns nothing, and tells nothing but solutions. While a round runs, a member's fields
 * belong to the thread that runs it, and the team's but the atomic ones are only read.
 */
#ifndef CNS_SOLVER_TEAM_H
#define CNS_SOLVER_TEAM_H

#include "solver/excursion.h"
#include "solver/local_search.h"
#include "solver/parallel.h"
#include "solver/share.h"

/* How members differ. */
typedef enum cns_role {
    CNS_ROLE_OWN,  /* as the options say */
    CNS_ROLE_FREE, /* activity alone, at random at first, raising the objective's bound by cores, or
                    * guessing that it is reached */
    CNS_ROLE_FIXED,  /* the phases */
    CNS_ROLE_LNS,    /* neighbourhoods of the best solution */
    CNS_ROLE_SEEDED, /* as FREE, guessing the middle */
    CNS_ROLE_LOCAL   /* local search */
} cns_role;

typedef struct cns_member {
    struct cns_team *team;
    cns_worker *worker; /* the first member's is the solver's; NULL with ROLE_LOCAL */
    cns_local local;    /* with ROLE_LOCAL; and of one that shares its time, once it had a turn */
    uint32_t number;
    cns_role role;
    bool ready;        /* loaded */
    bool shares;       /* it searches completely and locally, in turns */
    bool locally;      /* it does so now */
    bool found;        /* a solution, in this turn */
    uint32_t wait;     /* turns of complete search between two of local search */
    uint64_t turn_end; /* ticks */
    cns_outbox outbox;
    uint32_t heard;       /* clauses of the pool */
    uint64_t facts_heard; /* facts that the pool had in all, when it heard them */
    uint64_t root_conflicts;
    uint64_t counted; /* conflicts that are in the team's */
    uint64_t last_restart;
    int64_t guessed_low;          /* the objective's lower bound when it was guessed last */
    uint32_t pause, pause_length; /* restarts without a guess: left, in all */
    uint64_t step_end, round_end; /* ticks */
    cns_excursions excursions;    /* its lns is all that ROLE_LNS uses */

    int64_t *values; /* of the best solution found in this round */
    uint32_t value_capacity;
    bool has_values;
    bool exhausted;
    bool idle; /* it searches locally, and there is nothing to change */
    bool busy; /* counts in the team's */
    cns_status status;
} cns_member;

struct cns_team {
    cns_context *context;
    const cns_model *model;
    cns_executor executor;
    bool deterministic;
    uint64_t seed;
    cns_member *members;
    uint32_t count;
    cns_told pool;
    uint64_t facts; /* that the pool had in all */
    int64_t *best;  /* values of the best solution known */
    uint32_t best_capacity;
    bool has_best;
    int64_t limit; /* of the objective, as minimised, at the last meeting */
    uint64_t round_ticks;
    uint64_t began, round_time; /* nanoseconds */
    uint64_t step_ticks;        /* of the present step */
    cns_round *round;           /* while one runs */
    _Atomic bool stop;          /* ... and it is to end */
    _Atomic bool over;          /* ... and there is nothing left to load for */
    _Atomic uint64_t conflicts; /* in it */
    _Atomic uint32_t loading;   /* members that load */
    _Atomic uint32_t busy;      /* members that load, or search before their time is over */
};

static inline bool cns_team_optimises(const cns_team *team) {
    return team->model->goal != CNS_SATISFY;
}

/* ---- role.c --------------------------------------------------------------------------------- */

cns_role cns_role_of(const cns_team *team, uint32_t number);
/* Whether it takes turns with local search. */
bool cns_role_shares(const cns_team *team, uint32_t number);
/* Of one that searches completely, after it was loaded; `joins`: for the first time. */
void cns_role_apply(cns_member *member, bool joins);
/* The search's call at its root, with the member as `user`. */
bool cns_role_at_root(void *user);

/* ---- member.c ------------------------------------------------------------------------------- */

uint64_t cns_member_ticks(const cns_member *member);
/* The most that the objective, as minimised, may be for it. */
int64_t cns_member_limit(const cns_member *member);
/* At a meeting: whose turn it is, with a member that shares its time. */
void cns_member_take_turns(cns_member *member);
/* Makes that at most the team's. */
void cns_member_take_limit(cns_member *member);
/* The best values known are its to go on from. */
void cns_member_prefer(cns_member *member, const int64_t *values);
/* Whether there is nothing left for it to do in the round. */
bool cns_member_is_finished(const cns_member *member);
/* Connects the worker with the team. */
void cns_member_attach(cns_member *member);
void cns_member_deinit(cns_member *member);
/* The executor's call: the members begin .. end - 1 take their parts of the round. */
cns_status cns_member_run(void *team, int64_t begin, int64_t end);

#endif
