/* SPDX-License-Identifier: MIT
 *
 * solver/search.h - deciding, restarting, solutions: the machine that drives a state.
 *
 * A flat machine: cns_search_run goes on from wherever it stopped. Free search alternates between
 * the phases that the model asks for and activity, on restarts, as Chuffed does. The state is at a
 * fixpoint with everything fixed when a solution is reported; the next run goes on behind it.
 */
#ifndef CNS_SOLVER_SEARCH_H
#define CNS_SOLVER_SEARCH_H

#include "cns/solver.h"
#include "solver/state.h"

typedef struct cns_phase {
    cns_view *views;
    uint32_t count;
    cns_choose_var var_rule;
    cns_choose_value value_rule;
    int64_t first; /* views before it are fixed; restored on backtracking */
} cns_phase;

typedef struct cns_core_guided cns_core_guided; /* core_guided.h */

typedef struct cns_search {
    cns_state *state;
    cns_phase *phases;
    uint32_t phase_count, phase_capacity;
    cns_lit *assumptions;
    uint32_t assumption_count, assumption_capacity;
    cns_view *outputs; /* what tells solutions apart; without any: all integers and Booleans */
    uint32_t output_count, output_capacity;

    bool free;          /* activity takes part */
    bool activity_only; /* in free search: the phases have no turn */
    bool by_activity;   /* in free search: which of the two has its turn */
    bool atoms_first;   /* begins with atoms tried as true, not as saved; both have their turns */
    cns_restart_policy restart;
    double restart_scale, restart_base;
    uint64_t restart_number;
    uint64_t conflicts_left; /* until the next restart */
    bool clauses_alone;      /* no propagators: pure SAT */
    uint64_t reduce_at;      /* conflicts */
    uint64_t reduce_step;
    uint32_t simplify_share; /* clauses are simplified once so many times their ticks are spent */
    uint64_t simplified_at;  /* ticks then */
    uint32_t simplified_for; /* Booleans that were fixed at the root then */

    /* Facts that are decided first, behind the assumptions, where they are open: a neighbourhood,
     * or a guess at the objective. They may turn out false, so the search stays complete. */
    cns_facts guide;
    int64_t guide_first;     /* those before it are decided; restored on backtracking */
    bool guide_done;         /* all of them are decided, or were before the last backtracking */
    uint32_t guide_breaks;   /* how often conflicts went back behind that */
    uint32_t guide_patience; /* a restart after so many; 0: never */
    bool excursion;          /* until the next restart: it is none of the sequence's */
    /* Called at the root, when it is at a fixpoint, before each descent. False: the state failed,
     * or memory gave out. May be NULL. */
    bool (*at_root)(void *user);
    void *at_root_user;
    bool at_root_done;
    bool call_back; /* go to the root soon, as by a restart that does not count */

    cns_optimise_policy optimise;
    cns_core_guided *core_guided; /* NULL: the objective is no sum */
    bool core_turn;               /* it has its turn, until the next restart */

    int64_t objective_offset; /* objective = its term + this */
    int64_t aim;              /* free search guesses that the objective is at most this */
    int64_t aim_step;         /* the present limit less that; 0: no guess */
    bool improved;            /* since the last restart */
    uint32_t *core;           /* indices of assumptions that cannot hold together with the model */
    uint32_t core_count, core_capacity;
    bool core_found;
} cns_search;

void cns_search_init(cns_search *search, cns_state *state);
void cns_search_deinit(cns_search *search);
/* Copies views. */
cns_status cns_search_add_phase(cns_search *search, const cns_view *views, uint32_t count,
                                cns_choose_var var_rule, cns_choose_value value_rule);
cns_status cns_search_add_output(cns_search *search, cns_view view);
cns_status cns_search_assume(cns_search *search, const cns_lit *lits, uint32_t count);
/* Begins anew at the root: restart counters, alternation. */
void cns_search_reset(cns_search *search);

typedef enum cns_search_result {
    CNS_SEARCH_PAUSED, /* ticks are used up */
    CNS_SEARCH_SOLUTION,
    CNS_SEARCH_EXHAUSTED, /* state->failed, or core_found */
    CNS_SEARCH_ERROR      /* state->status */
} cns_search_result;

/* At the root: begins a new guide, to be filled by cns_facts_push. */
void cns_search_new_guide(cns_search *search);
/* Runs until state->ticks reaches `ticks_end`. */
cns_search_result cns_search_run(cns_search *search, uint64_t ticks_end);
/* At a solution: its values are the ones to try first from now on. */
void cns_search_keep(cns_search *search);
/* After a solution: only solutions with objective <= limit are left. */
void cns_search_improve(cns_search *search, int64_t limit);
/* After a solution: excludes all that agree with it on the outputs. False: none is left (failed),
 * or memory gave out. */
bool cns_search_exclude(cns_search *search);

/* ---- branch.c ------------------------------------------------------------------------------- */

/* The next decision: a fact that is neither true nor false. False: all is fixed, or memory gave
 * out. */
bool cns_choose(cns_search *search, cns_fact *out);

#endif
