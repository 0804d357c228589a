/* SPDX-License-Identifier: MIT
 *
 * solver/role.c - how the members of a team differ, and what guides them: see team.h.
 */
#include "solver/team.h"

/* Members by number; smaller teams share their time with it. */
#define LNS_NUMBER 2   /* neighbourhoods, where there is an objective */
#define LOCAL_NUMBER 3 /* local search */
#define LNS_CONFLICTS 300
#define PAUSE_MOST 63 /* restarts */

cns_role cns_role_of(const cns_team *team, uint32_t number) {
    bool phases = team->model->phase_count > 0;
    switch (number) {
    case 0:
        return CNS_ROLE_OWN;
    case 1:
        return CNS_ROLE_FREE;
    case LNS_NUMBER:
        return cns_team_optimises(team) ? CNS_ROLE_LNS : phases ? CNS_ROLE_FIXED : CNS_ROLE_SEEDED;
    case LOCAL_NUMBER:
        return CNS_ROLE_LOCAL;
    case 4:
        return phases ? CNS_ROLE_FIXED : CNS_ROLE_SEEDED;
    default:
        return cns_team_optimises(team) && number % 3 == 0 ? CNS_ROLE_LNS : CNS_ROLE_SEEDED;
    }
}

bool cns_role_shares(const cns_team *team, uint32_t number) {
    return number == 1 && team->count <= LOCAL_NUMBER;
}

/* Random activities below one bump, and random values to try first. */
static void scatter(cns_state *s) {
    for (uint32_t n = 1; n < s->bool_count; n++) {
        uint64_t random = cns_rng_next(&s->rng);
        s->activity[n] += (double)(random >> 11) * 0x1p-53 * 0.5;
        if (s->phase[n] == 0) {
            s->phase[n] = random & 1 ? 1 : -1;
        }
    }
    cns_heap_rebuild(&s->order, s->activity);
}

static void set_strategy(cns_member *m) {
    cns_search *search = &m->worker->search;
    switch (m->role) {
    case CNS_ROLE_OWN:
    case CNS_ROLE_LOCAL:
        return;
    case CNS_ROLE_FREE:
    case CNS_ROLE_SEEDED:
        search->free = true;
        search->activity_only = true;
        search->atoms_first = m->role == CNS_ROLE_FREE;
        search->restart = CNS_RESTART_LUBY;
        search->restart_scale = m->role == CNS_ROLE_FREE ? 250 : 50 + 25 * (m->number % 8);
        search->optimise = m->role == CNS_ROLE_FREE ? CNS_OPTIMISE_CORES : CNS_OPTIMISE_PROBE;
        break;
    case CNS_ROLE_FIXED:
        search->free = false;
        search->restart = CNS_RESTART_LUBY;
        search->restart_scale = 500;
        break;
    case CNS_ROLE_LNS:
        search->free = true;
        search->restart = CNS_RESTART_CONSTANT;
        search->restart_scale = LNS_CONFLICTS;
        search->optimise = CNS_OPTIMISE_PROBE;
        break;
    }
    cns_search_reset(search);
}

void cns_role_apply(cns_member *m, bool joins) {
    if (joins && (m->role == CNS_ROLE_SEEDED || m->role == CNS_ROLE_FREE)) {
        scatter(&m->worker->state);
    }
    set_strategy(m);
}

/* Guides the search to solutions with an objective of at most the least value, or the middle. */
static bool guess_objective(cns_member *m, bool middle) {
    cns_state *s = &m->worker->state;
    int64_t low = cns_low(s, s->objective);
    int64_t high = cns_high(s, s->objective);
    if (high > s->objective_limit) {
        high = s->objective_limit;
    }
    if (low >= high) {
        return true;
    }
    int64_t guess = middle ? low + (high - low) / 2 : low;
    return cns_facts_push(s, &m->worker->search.guide, cns_fact_le(s->objective, guess));
}

/* Guessing goes on while the objective's lower bound rises; where it does not, it pauses for more
 * and more restarts. */
static bool pays_to_guess(cns_member *m, bool restarted) {
    const cns_state *s = &m->worker->state;
    int64_t low = cns_low(s, s->objective);
    if (low > m->guessed_low) {
        m->guessed_low = low;
        m->pause = m->pause_length = 0;
    } else if (restarted && m->pause > 0) {
        m->pause--;
    } else if (restarted) {
        m->pause_length = m->pause_length < PAUSE_MOST ? 2 * m->pause_length + 1 : PAUSE_MOST;
        m->pause = m->pause_length;
    }
    return m->pause == 0;
}

/* Where no member has neighbourhoods for its role. */
static bool makes_excursions(const cns_member *m) {
    return m->team->count <= LNS_NUMBER;
}

static bool guide(cns_member *m, bool restarted) {
    cns_search *search = &m->worker->search;
    const int64_t *best = m->team->has_best ? m->team->best : NULL;
    if (!cns_team_optimises(m->team) || !search->free) {
        return true;
    }
    if (m->role == CNS_ROLE_LNS) {
        return !restarted || best == NULL || cns_lns_next(&m->excursions.lns, best);
    }
    if (makes_excursions(m)) {
        cns_excursions_at_root(&m->excursions, best);
    }
    if (m->role == CNS_ROLE_OWN || search->excursion) {
        return true;
    }
    cns_search_new_guide(search);
    return !pays_to_guess(m, restarted) || guess_objective(m, m->role == CNS_ROLE_SEEDED);
}

/* The search's call at its root. */
bool cns_role_at_root(void *user) {
    cns_member *m = user;
    cns_worker *w = m->worker;
    const cns_told *pool = &m->team->pool;
    uint32_t first = m->heard;
    m->heard = pool->clause_count;
    m->facts_heard = m->team->facts;
    m->root_conflicts = w->state.counters.conflicts;
    bool hears = w->state.outbox != NULL && first < pool->clause_count;
    if (hears && !cns_hear(&w->state, pool, first, m->number)) {
        return false;
    }
    bool restarted = m->last_restart != w->search.restart_number;
    m->last_restart = w->search.restart_number;
    return guide(m, restarted) && w->state.status == CNS_OK;
}
