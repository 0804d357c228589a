/* SPDX-License-Identifier: MIT
 *
 * solver/solver_alone.c - one worker's free search turns to neighbourhoods of the best solution.
 *
 * Excursions of a few neighbourhoods (lns.h) come between restarts: more and more often while they
 * improve the objective faster than the usual search does, and ever more rarely where they do not,
 * so that a proof is hardly delayed. A team has workers of its own for that.
 */
#include "solver/solver_impl.h"

#define NEIGHBOURHOODS 4 /* of an excursion */
#define CONFLICTS 100    /* of a neighbourhood, at most */
#define PAUSE_FIRST 8    /* restarts between excursions */
#define PAUSE_LEAST 2
#define PAUSE_MOST 64

static bool may_go(const cns_solver *solver) {
    return solver->own.search.free && solver->model.goal != CNS_SATISFY && solver->has_solution;
}

/* What has been reached, and what it took. */
static cns_effort effort(const cns_solver *solver) {
    const cns_state *s = &solver->own.state;
    return (cns_effort){s->objective_limit, s->counters.conflicts};
}

/* Whether the objective fell by more a conflict from `middle` to `last` than before. */
static bool fell_faster(cns_effort first, cns_effort middle, cns_effort last) {
    double early = (double)first.objective - (double)middle.objective;
    double late = (double)middle.objective - (double)last.objective;
    return late * (double)(middle.conflicts - first.conflicts) >
           early * (double)(last.conflicts - middle.conflicts);
}

/* The excursion against the search before it. */
static void judge(cns_solver *solver) {
    cns_alone *a = &solver->alone;
    cns_effort now = effort(solver);
    a->pause = fell_faster(a->home, a->out, now) ? a->pause / 2 : 2 * a->pause;
    a->pause = a->pause < PAUSE_LEAST ? PAUSE_LEAST : a->pause > PAUSE_MOST ? PAUSE_MOST : a->pause;
    a->home = now;
}

void cns_solver_end_excursion(cns_solver *solver) {
    cns_alone *a = &solver->alone;
    cns_search *search = &solver->own.search;
    if (search->excursion) {
        cns_backtrack(search->state, 0);
        cns_search_new_guide(search);
        search->excursion = false;
        a->left = 0;
        a->wait = a->pause;
    }
}

static bool next_neighbourhood(cns_solver *solver) {
    cns_search *search = &solver->own.search;
    solver->alone.left--;
    search->excursion = true;
    search->conflicts_left = CONFLICTS;
    if (!cns_lns_next(&solver->alone.lns, solver->values)) {
        search->state->status = CNS_OK; /* no memory for what the search can do without */
        cns_solver_end_excursion(solver);
        solver->alone.wait = PAUSE_MOST;
    }
    return true;
}

/* The search's call at its root. */
static bool at_root(void *user) {
    cns_solver *solver = user;
    cns_alone *a = &solver->alone;
    cns_search *search = &solver->own.search;
    uint64_t restarts = solver->own.state.counters.restarts;
    if (!may_go(solver)) {
        cns_solver_end_excursion(solver);
        return true;
    }
    if (restarts == a->restarts || search->core_turn) {
        return true;
    }
    a->restarts = restarts;
    if (a->left > 0) {
        return next_neighbourhood(solver);
    }
    if (search->excursion) {
        judge(solver);
        cns_solver_end_excursion(solver);
    }
    if (a->home.conflicts == 0) {
        a->home = effort(solver); /* the first solutions come without any effort */
    }
    if (--a->wait > 0) {
        return true;
    }
    a->left = NEIGHBOURHOODS;
    a->out = effort(solver);
    return next_neighbourhood(solver);
}

void cns_solver_go_alone(cns_solver *solver) {
    cns_search *search = &solver->own.search;
    if (search->at_root == at_root) {
        return;
    }
    search->at_root = at_root;
    search->at_root_user = solver;
    cns_lns_deinit(&solver->alone.lns);
    solver->alone = (cns_alone){.pause = PAUSE_FIRST, .wait = PAUSE_FIRST};
    cns_lns_init(&solver->alone.lns, &solver->own, solver->seed);
}
