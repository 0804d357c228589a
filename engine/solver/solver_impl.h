/* SPDX-License-Identifier: MIT
 *
 * solver/solver_impl.h - what the public solver is made of, for its files only.
 */
#ifndef CNS_SOLVER_IMPL_H
#define CNS_SOLVER_IMPL_H

#include "solver/excursion.h"
#include "solver/local_search.h"
#include "solver/parallel.h"
#include "solver/proof.h"

/* Ticks between looks at the clock and at cancellation. */
#define CNS_SOLVER_SLICE UINT64_C(50000)

/* When a search alone gives turns to local search. */
typedef struct cns_turns {
    cns_local local;    /* once it had a turn */
    uint64_t begin;     /* ticks: when the next one is due, or the present one was */
    uint64_t end;       /* ticks: of the present one; 0: there is none */
    uint32_t wait;      /* turns' ticks between two */
    uint64_t solutions; /* that local search knows of */
    bool found;         /* a solution, in this turn */
    bool over;          /* there is nothing that it could do */
} cns_turns;

struct cns_solver {
    cns_context *host;    /* the caller's */
    cns_context *context; /* inside it, of this solver alone: its memory and its limit */
    cns_model model;
    cns_worker own;            /* what searches on the thread that steps */
    cns_excursions excursions; /* while there is no team */
    cns_turns turns;           /* the same */
    cns_team *team;            /* with several workers, once they have joined */
    uint64_t alone_until;      /* ticks: then they do */
    uint64_t load_began;       /* ticks */
    cns_solve_options options;
    cns_executor executor;
    uint64_t seed;
    bool begun;    /* the first step was taken */
    bool loaded;   /* the state is up to the model, or will be once it is no longer loading */
    bool loading;  /* a part of the model is loaded */
    bool torn;     /* memory or a limit stopped what cannot be stopped halfway: the state is of no
                    * use, and is made anew from the model */
    bool narrowed; /* solutions were excluded, or an objective bounded: what was learnt since holds
                    * for what is left only */
    bool changed_options;
    bool at_solution;
    bool complete;
    uint64_t began; /* clock of the first step */
    uint64_t setup_time, search_time;
    uint64_t conflicts_before; /* of the limit's period */
    cns_solver_stats gone;     /* what workers did that were sent away */
    int64_t *values;           /* of the last solution */
    int64_t *candidate;        /* values that are being judged */
    uint32_t value_count, value_capacity, candidate_capacity;
    bool has_solution;
    int64_t objective;
    uint64_t solutions;
    cns_var *assumptions;
    uint32_t assumption_count, assumption_capacity;
    cns_var *core;
    uint32_t core_count, core_capacity;
    bool core_valid;
    _Atomic bool cancelled;
    cns_proof *proof; /* NULL: none is written */
};

/* Every call but the destructor takes NULL for an error. */
#define CNS_SOLVER_NEED(solver)                                                                    \
    do {                                                                                           \
        if ((solver) == NULL) {                                                                    \
            return CNS_E_INVALID;                                                                  \
        }                                                                                          \
    } while (0)

/* What a change of the problem makes of earlier answers; passes `status` on. */
cns_status cns_solver_changed(cns_solver *solver, cns_status status);
/* For arrays of the solver's own, which the state's status is not about. */
cns_status cns_solver_grow(const cns_solver *solver, void *array, size_t element,
                           uint32_t *capacity, size_t need);
cns_status cns_solver_no_output(const cns_solver *solver, const char *function);
cns_status cns_solver_no_variable(const cns_solver *solver, const char *function, cns_var var);

/* Local search begins anew with a problem, some time from `ticks` on; or has no turn any more. */
void cns_solver_plan_turns(cns_solver *solver, uint64_t ticks);
void cns_solver_end_turns(cns_solver *solver);
/* When the search has to pause for a turn; UINT64_MAX: it has not. */
uint64_t cns_solver_next_turn(const cns_solver *solver);
bool cns_solver_has_turn(const cns_solver *solver);
/* Runs local search until `ticks_end`, or the end of its turn. *found: a solution's values, or
 * NULL; valid until the next call. */
cns_status cns_solver_search_locally(cns_solver *solver, uint64_t ticks_end, const int64_t **found);
/* Sends the other workers away. */
void cns_solver_dismiss(cns_solver *solver);
/* Brings the state up to the model; in pieces of about `ticks`, until *ready. */
cns_status cns_solver_prepare(cns_solver *solver, uint64_t ticks, bool *ready);
/* What takes long looks at the limits itself: while loading always; in a search it must not stop
 * at the root, where nothing can be undone. */
void cns_solver_watch_limits(cns_solver *solver, uint8_t polling);
bool cns_solver_limit_reached(const cns_solver *solver);
/* After a failure. Memory that gave out above the root leaves the state usable there; what happens
 * at the root cannot be undone. */
cns_status cns_solver_recover(cns_solver *solver, cns_status status);

/* What a proof cannot cover is refused before it is searched. */
cns_status cns_solver_allow_proof(const cns_solver *solver);
/* The search is exhausted; what is told of a single solution without a goal proves nothing. */
cns_status cns_solver_conclude_proof(cns_solver *solver, const cns_search *search);

#endif
