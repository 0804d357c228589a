/* SPDX-License-Identifier: MIT
 *
 * solver/excursion.c - see excursion.h.
 */
#include "solver/excursion.h"

#define NEIGHBOURHOODS 4 /* of an excursion */
#define CONFLICTS 100    /* of a neighbourhood, at most */
#define PAUSE_FIRST 8    /* restarts between excursions */
#define PAUSE_LEAST 2
#define PAUSE_MOST 64

void cns_excursions_init(cns_excursions *e, cns_worker *worker, uint64_t seed) {
    *e = (cns_excursions){.pause = PAUSE_FIRST, .wait = PAUSE_FIRST};
    cns_lns_init(&e->lns, worker, seed);
}

void cns_excursions_deinit(cns_excursions *e) {
    cns_lns_deinit(&e->lns);
}

/* What has been reached, and what it took. */
static cns_effort effort(const cns_excursions *e) {
    const cns_state *s = &e->lns.worker->state;
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
static void judge(cns_excursions *e) {
    cns_effort now = effort(e);
    e->pause = fell_faster(e->home, e->out, now) ? e->pause / 2 : 2 * e->pause;
    e->pause = e->pause < PAUSE_LEAST ? PAUSE_LEAST : e->pause > PAUSE_MOST ? PAUSE_MOST : e->pause;
    e->home = now;
}

void cns_excursions_end(cns_excursions *e) {
    if (e->lns.worker != NULL && e->lns.worker->search.excursion) {
        cns_search *search = &e->lns.worker->search;
        cns_backtrack(search->state, 0);
        cns_search_new_guide(search);
        search->excursion = false;
        e->left = 0;
        e->wait = e->pause;
    }
}

static void next_neighbourhood(cns_excursions *e, const int64_t *values) {
    cns_search *search = &e->lns.worker->search;
    e->left--;
    search->excursion = true;
    search->conflicts_left = CONFLICTS;
    if (!cns_lns_next(&e->lns, values)) {
        search->state->status = CNS_OK; /* no memory for what the search can do without */
        cns_excursions_end(e);
        e->wait = PAUSE_MOST;
    }
}

void cns_excursions_at_root(cns_excursions *e, const int64_t *values) {
    cns_search *search = &e->lns.worker->search;
    uint64_t restarts = search->state->counters.restarts;
    if (values == NULL) {
        cns_excursions_end(e);
        return;
    }
    if (restarts == e->restarts || search->core_turn) {
        return;
    }
    e->restarts = restarts;
    if (e->left > 0) {
        next_neighbourhood(e, values);
        return;
    }
    if (search->excursion) {
        judge(e);
        cns_excursions_end(e);
    }
    if (e->home.conflicts == 0) {
        e->home = effort(e); /* the first solutions come without any effort */
    }
    if (--e->wait > 0) {
        return;
    }
    e->left = NEIGHBOURHOODS;
    e->out = effort(e);
    next_neighbourhood(e, values);
}
