/* SPDX-License-Identifier: MIT
 *
 * solver/solver_local.c - one worker's free search gives turns to local search.
 *
 * A turn (local_search.h) comes when the search has lasted, and again after as long a time when it
 * found a solution, after twice that when it did not, so that a proof is hardly delayed. Turns are
 * counted in ticks, and begin and end where the search would pause: steps of whatever length give
 * the same search. There are none while a proof is written, nor where all solutions are wanted.
 */
#include "solver/solver_impl.h"

#define FIRST UINT64_C(4000000) /* ticks before the first turn, besides what loading took */
#define TURN UINT64_C(1000000)  /* ticks of a turn */

static bool is_open(const cns_local *local) {
    return local->score.context != NULL;
}

void cns_solver_end_turns(cns_solver *solver) {
    cns_local_deinit(&solver->turns.local);
    solver->turns = (cns_turns){.wait = 1};
}

void cns_solver_plan_turns(cns_solver *solver, uint64_t ticks) {
    cns_solver_end_turns(solver);
    solver->turns.begin = ticks + FIRST;
}

static bool takes_turns(const cns_solver *solver) {
    return solver->own.search.free && solver->proof == NULL && !solver->turns.over &&
           (solver->options.all_solutions == 0 || solver->model.goal != CNS_SATISFY);
}

uint64_t cns_solver_next_turn(const cns_solver *solver) {
    return takes_turns(solver) && solver->turns.end == 0 ? solver->turns.begin : UINT64_MAX;
}

bool cns_solver_has_turn(const cns_solver *solver) {
    return takes_turns(solver) && solver->own.state.ticks >= solver->turns.begin;
}

/* Up to the best solution that is known. */
static void catch_up(cns_solver *solver) {
    cns_turns *t = &solver->turns;
    if (!solver->has_solution || t->solutions == solver->solutions) {
        return;
    }
    t->solutions = solver->solutions;
    cns_local_start(&t->local, solver->values);
    cns_local_improve(
        &t->local,
        (solver->model.goal == CNS_MAXIMIZE ? -solver->objective : solver->objective) - 1);
}

/* There may be none: t->end stays 0. */
static cns_status begin_turn(cns_solver *solver) {
    cns_turns *t = &solver->turns;
    cns_state *s = &solver->own.state;
    if (!is_open(&t->local)) {
        if (!cns_local_suits(&solver->model)) {
            t->over = true;
            return CNS_OK;
        }
        cns_status status =
            cns_local_init(&t->local, solver->context, &solver->model, solver->assumptions,
                           solver->assumption_count, solver->seed,
                           (cns_score_limits){&solver->cancelled, s->deadline});
        if (status != CNS_OK) {
            t->over = cns_lacks_memory(status); /* the search can do without */
            return t->over ? CNS_OK : status;
        }
        s->ticks += cns_local_ticks(&t->local);
    }
    t->found = false;
    t->end = s->ticks + TURN;
    return CNS_OK;
}

static void end_turn(cns_solver *solver) {
    cns_turns *t = &solver->turns;
    t->wait = cns_local_wait(t->wait, t->found);
    t->begin = solver->own.state.ticks + t->wait * TURN;
    t->end = 0;
}

cns_status cns_solver_search_locally(cns_solver *solver, uint64_t ticks_end,
                                     const int64_t **found) {
    cns_turns *t = &solver->turns;
    cns_state *s = &solver->own.state;
    *found = NULL;
    cns_status status = t->end == 0 ? begin_turn(solver) : CNS_OK;
    if (status != CNS_OK || t->end == 0) {
        return status;
    }
    uint64_t stop = ticks_end < t->end ? ticks_end : t->end;
    if (s->ticks >= stop) { /* its making took long, or another strategy had the turn */
        if (s->ticks >= t->end) {
            end_turn(solver);
        }
        return CNS_OK;
    }
    catch_up(solver);
    uint64_t left = stop - s->ticks;
    uint64_t before = cns_local_ticks(&t->local);
    cns_local_result result = cns_local_run(&t->local, before + left, &status);
    s->ticks += cns_local_ticks(&t->local) - before;
    if (result == CNS_LOCAL_STUCK || result == CNS_LOCAL_ERROR) {
        cns_solver_end_turns(solver);
        t->over = true;
        return result == CNS_LOCAL_ERROR && !cns_lacks_memory(status) ? status : CNS_OK;
    }
    if (result == CNS_LOCAL_SOLUTION) {
        t->found = true;
        *found = cns_local_values(&t->local);
        cns_worker_prefer(&solver->own, *found);
    }
    if (s->ticks >= t->end) {
        end_turn(solver);
    }
    return CNS_OK;
}
