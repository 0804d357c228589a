/* SPDX-License-Identifier: MIT
 *
 * solver_trial.h - one constraint in a search of random decisions, against brute force.
 *
 * All assignments of a few small integers are judged by a function of the test. Then the search
 * must find exactly those that hold, each once; no domain may lose a value that an unfound solution
 * under the decisions has; and every explanation, also those asked for weaker facts, must hold for
 * all solutions, of facts that were true before what they explain.
 */
#ifndef CNS_TEST_SOLVER_TRIAL_H
#define CNS_TEST_SOLVER_TRIAL_H

#include "base/rng.h"
#include "solver/globals/globals.h"

enum { TRIAL_VARS = 8, TRIAL_VIEWS = 24, TRIAL_VALUES = 16 };

typedef struct solver_trial solver_trial;

struct solver_trial {
    cns_context *context;
    cns_state state;
    cns_rng rng;
    uint32_t var_count;
    cns_term vars[TRIAL_VARS];
    int64_t values[TRIAL_VARS][TRIAL_VALUES];
    uint32_t value_count[TRIAL_VARS];
    cns_view views[TRIAL_VIEWS];
    uint32_t view_count;
    /* Whether the constraint holds; `v` are the values of the views. */
    bool (*holds)(const solver_trial *trial, const int64_t *v);
    const void *user; /* for `holds` */

    int64_t (*assignments)[TRIAL_VARS];
    bool *solution, *open; /* by assignment: the constraint holds; and it was not yet found */
    uint32_t assignment_count;
    cns_fact decisions[256];
    uint64_t inferences, conflicts, found; /* inferences: those about the views alone */
    uint64_t fixpoints, complete;          /* how many, and at how many every value had a support */
};

/* Begins with a state that has no integers. */
void solver_trial_begin(solver_trial *trial, cns_context *context, uint64_t seed);
/* A random domain of up to `width` values around 0, with holes at times; gives its number. */
uint32_t solver_trial_var(solver_trial *trial, uint32_t width);
/* The domain low..high. */
uint32_t solver_trial_range(solver_trial *trial, int64_t low, int64_t high);
/* A view of a random variable: negated, moved, or a constant, at times. Gives its number. */
uint32_t solver_trial_view(solver_trial *trial);
/* The variable itself. */
uint32_t solver_trial_plain(solver_trial *trial, uint32_t var);
/* Views from..from + count - 1 as an argument. */
cns_views solver_trial_views(const solver_trial *trial, uint32_t from, uint32_t count);
/* Judges all assignments. To be called before the constraint is posted, which has origin 0. */
void solver_trial_judge(solver_trial *trial);
/* Searches, and compares. */
void solver_trial_search(solver_trial *trial);
void solver_trial_end(solver_trial *trial);

static inline int64_t solver_trial_random(solver_trial *trial, int64_t low, int64_t high) {
    return low + (int64_t)cns_rng_below(&trial->rng, (uint64_t)(high - low + 1));
}

#endif
