/* SPDX-License-Identifier: MIT
 *
 * solver/parallel.c - see parallel.h.
 */
#include "solver/parallel.h"

#include "base/os.h"
#include "solver/team.h"

#include <string.h>

#define ROUND_TICKS UINT64_C(4000000) /* deterministic: of each worker between two meetings */
#define ROUND_LEAST UINT64_C(3000000) /* else: nanoseconds; longer as the search lasts */
#define ROUND_MOST UINT64_C(100000000)
#define RECALL_CONFLICTS 300 /* a worker this long away from the root is called back for news */

/* ---- making --------------------------------------------------------------------------------- */

static cns_status keep_best(cns_team *team, const int64_t *values) {
    cns_state *s = &team->members[0].worker->state;
    uint32_t count = team->model->variable_count;
    if (!cns_grow(s, &team->best, sizeof *values, &team->best_capacity, count)) {
        return s->status;
    }
    memcpy(team->best, values, count * sizeof *values);
    team->has_best = true;
    return CNS_OK;
}

cns_status cns_team_create(cns_context *context, cns_worker *own, const cns_solve_options *options,
                           uint64_t seed, const int64_t *values, cns_team **out) {
    cns_team *team = cns_context_calloc(context, sizeof *team);
    if (team == NULL) {
        return cns_context_memory_status(context, sizeof *team);
    }
    team->context = context;
    team->model = own->loader.model;
    team->executor = *options->executor;
    team->deterministic = options->deterministic != 0;
    team->round_ticks = ROUND_TICKS;
    team->began = cns_os_clock();
    team->seed = seed;
    size_t size = options->workers * sizeof *team->members;
    team->members = cns_context_calloc(context, size);
    if (team->members == NULL) {
        cns_context_free(context, team, sizeof *team, CNS_ALIGN_DEFAULT);
        return cns_context_memory_status(context, size);
    }
    team->count = options->workers;
    for (uint32_t k = 0; k < team->count; k++) {
        cns_member *m = &team->members[k];
        m->team = team;
        m->number = k;
        m->role = cns_role_of(team, k);
        m->shares = cns_role_shares(team, k);
        m->last_restart = UINT64_MAX;
        m->guessed_low = INT64_MIN;
    }
    cns_member *first = &team->members[0];
    first->worker = own;
    first->ready = true;
    first->round_end = own->state.ticks + team->round_ticks;
    cns_member_attach(first);
    cns_excursions_init(&first->excursions, own, seed);
    team->limit = cns_member_limit(first);
    if (values != NULL) {
        cns_status status = keep_best(team, values);
        if (status != CNS_OK) {
            cns_team_destroy(team);
            return status;
        }
    }
    *out = team;
    return CNS_OK;
}

void cns_team_destroy(cns_team *team) {
    if (team == NULL) {
        return;
    }
    cns_context *context = team->context;
    for (uint32_t k = 0; k < team->count; k++) {
        cns_member_deinit(&team->members[k]);
    }
    cns_told_deinit(context, &team->pool);
    cns_context_free(context, team->best, team->best_capacity * sizeof *team->best,
                     CNS_ALIGN_DEFAULT);
    cns_context_free(context, team->members, team->count * sizeof *team->members,
                     CNS_ALIGN_DEFAULT);
    cns_context_free(context, team, sizeof *team, CNS_ALIGN_DEFAULT);
}

void cns_team_changed(cns_team *team) {
    for (uint32_t k = 1; k < team->count; k++) {
        team->members[k].ready = false;
    }
    for (uint32_t k = 0; k < team->count; k++) {
        cns_member *m = &team->members[k];
        m->has_values = m->exhausted = m->idle = false;
        m->locally = m->role == CNS_ROLE_LOCAL;
        m->round_end = m->ready ? cns_member_ticks(m) + team->round_ticks : 0;
    }
    team->has_best = false;
    team->limit = cns_member_limit(&team->members[0]);
}

/* ---- between rounds: one thread ------------------------------------------------------------- */

/* What is better than the best solution for one is so for all. */
static void share_limits(cns_team *team) {
    int64_t limit = INT64_MAX;
    for (uint32_t k = 0; k < team->count; k++) {
        const cns_member *m = &team->members[k];
        if (m->ready && cns_member_limit(m) < limit) {
            limit = cns_member_limit(m);
        }
    }
    team->limit = limit;
    for (uint32_t k = 0; k < team->count; k++) {
        if (team->members[k].ready) {
            cns_member_take_limit(&team->members[k]);
        }
    }
}

/* The best solution of the round, the first of equals. */
static cns_member *best_member(cns_team *team) {
    cns_member *best = NULL;
    int64_t least = INT64_MAX;
    for (uint32_t k = 0; k < team->count; k++) {
        cns_member *m = &team->members[k];
        if (!m->has_values) {
            continue;
        }
        m->has_values = false;
        int64_t cost = 0;
        if (cns_team_optimises(team)) {
            cost = cns_model_value(m->values, team->model->objective);
            cost = team->model->goal == CNS_MAXIMIZE ? -cost : cost;
        }
        if (best == NULL || cost < least) {
            best = m;
            least = cost;
        }
    }
    return best;
}

static cns_status spread_best(cns_team *team, const cns_member *finder) {
    for (uint32_t k = 0; k < team->count; k++) {
        if (team->members[k].ready && &team->members[k] != finder) {
            cns_member_prefer(&team->members[k], finder->values);
        }
    }
    return keep_best(team, finder->values);
}

/* Forgets what all have heard, now and then. */
static void trim_pool(cns_team *team) {
    uint32_t least = team->pool.clause_count;
    for (uint32_t k = 0; k < team->count; k++) {
        const cns_member *m = &team->members[k];
        least = m->role != CNS_ROLE_LOCAL && m->heard < least ? m->heard : least;
    }
    if (least > 0 && least >= team->pool.clause_count / 2) {
        cns_told_drop(&team->pool, least);
        for (uint32_t k = 0; k < team->count; k++) {
            team->members[k].heard -= team->members[k].role != CNS_ROLE_LOCAL ? least : 0;
        }
    }
}

/* A worker that has not been at the root for long is called there when there is news. */
static void recall(const cns_team *team, cns_member *m) {
    if (m->role == CNS_ROLE_LOCAL) {
        return;
    }
    uint64_t away = m->worker->state.counters.conflicts - m->root_conflicts;
    if (away >= RECALL_CONFLICTS && m->facts_heard < team->facts) {
        m->worker->search.call_back = true;
    }
}

static cns_status exchange(cns_team *team) {
    cns_state *s = &team->members[0].worker->state;
    for (uint32_t k = 0; k < team->count; k++) {
        cns_told *told = &team->members[k].outbox.told;
        if (!cns_told_append(s, &team->pool, told)) {
            return s->status;
        }
        team->facts += told->facts;
        cns_told_clear(told);
    }
    trim_pool(team);
    for (uint32_t k = 0; k < team->count; k++) {
        cns_member *m = &team->members[k];
        if (m->ready) {
            recall(team, m);
            cns_member_take_turns(m);
            m->round_end = cns_member_ticks(m) + team->round_ticks;
        }
    }
    return CNS_OK;
}

/* Whether the worker has done its part of the round. */
static bool is_done(const cns_member *m) {
    return cns_member_is_finished(m) || (m->ready && cns_member_ticks(m) >= m->round_end);
}

static bool has_met(const cns_team *team) {
    if (!team->deterministic || atomic_load_explicit(&team->stop, memory_order_relaxed)) {
        return true;
    }
    for (uint32_t k = 0; k < team->count; k++) {
        if (!is_done(&team->members[k])) {
            return false;
        }
    }
    return true;
}

static cns_status meet(cns_team *team, cns_round *round) {
    for (uint32_t k = 0; k < team->count && round->exhausted_by == NULL; k++) {
        if (team->members[k].exhausted) {
            round->exhausted_by = team->members[k].worker;
        }
    }
    const cns_member *best = best_member(team);
    if (best != NULL) {
        round->values = best->values;
        cns_status status = spread_best(team, best);
        if (status != CNS_OK) {
            return status;
        }
    }
    share_limits(team);
    return exchange(team);
}

/* What is learnt early is told soon; a long search is not to wait for the slowest all the time. */
static uint64_t round_time(const cns_team *team) {
    uint64_t time = (cns_os_clock() - team->began) / 16;
    return time < ROUND_LEAST ? ROUND_LEAST : time > ROUND_MOST ? ROUND_MOST : time;
}

cns_status cns_team_round(cns_team *team, cns_round *round) {
    round->values = NULL;
    round->exhausted_by = NULL;
    team->round = round;
    team->round_time = round_time(team);
    atomic_store_explicit(&team->stop, false, memory_order_relaxed);
    atomic_store_explicit(&team->over, false, memory_order_relaxed);
    atomic_store_explicit(&team->conflicts, 0, memory_order_relaxed);
    cns_status status = team->executor.parallel_for(team->executor.pool, 0, (int64_t)team->count, 1,
                                                    cns_member_run, team);
    team->round = NULL;
    for (uint32_t k = 0; k < team->count && status == CNS_OK; k++) {
        status = team->members[k].status;
    }
    if (status != CNS_OK || !has_met(team)) {
        return status;
    }
    return meet(team, round);
}

void cns_team_set_round(cns_team *team, uint64_t ticks) {
    team->round_ticks = ticks;
    for (uint32_t k = 0; k < team->count; k++) {
        cns_member *m = &team->members[k];
        m->round_end = m->ready ? cns_member_ticks(m) + ticks : 0;
    }
}

void cns_team_begin(cns_team *team, uint64_t ticks) {
    team->step_ticks = ticks == 0 ? UINT64_MAX / 2 : ticks;
    for (uint32_t k = 0; k < team->count; k++) {
        cns_member *m = &team->members[k];
        if (m->ready) {
            m->step_end = cns_member_ticks(m) + team->step_ticks;
        }
    }
}

bool cns_team_spent(const cns_team *team) {
    for (uint32_t k = 0; k < team->count; k++) {
        const cns_member *m = &team->members[k];
        if (!m->ready || (!cns_member_is_finished(m) && cns_member_ticks(m) < m->step_end &&
                          !(team->deterministic && is_done(m)))) {
            return false;
        }
    }
    return true;
}

/* ---- figures -------------------------------------------------------------------------------- */

void cns_team_add_stats(const cns_team *team, cns_solver_stats *stats) {
    for (uint32_t k = 1; k < team->count; k++) {
        const cns_worker *w = team->members[k].worker;
        stats->ticks += cns_local_ticks(&team->members[k].local);
        if (w == NULL) {
            continue;
        }
        const cns_counters *c = &w->state.counters;
        stats->nodes += c->decisions;
        stats->failures += c->conflicts;
        stats->restarts += c->restarts;
        stats->propagations += c->propagations;
        stats->ticks += w->state.ticks;
        stats->learnt += c->learnt;
        stats->learnt_now += w->state.learnt_count;
        stats->peak_depth = c->peak_depth > stats->peak_depth ? c->peak_depth : stats->peak_depth;
    }
}

uint64_t cns_team_conflicts(const cns_team *team) {
    uint64_t sum = 0;
    for (uint32_t k = 1; k < team->count; k++) {
        const cns_worker *w = team->members[k].worker;
        sum += w != NULL ? w->state.counters.conflicts : 0;
    }
    return sum;
}

cns_status cns_team_check(cns_team *team) {
    cns_status status = CNS_OK;
    for (uint32_t k = 0; k < team->count && status == CNS_OK; k++) {
        cns_member *m = &team->members[k];
        cns_worker *w = m->worker;
        status = k > 0 && w != NULL && w->open ? cns_state_check(&w->state) : CNS_OK;
        if (status == CNS_OK && m->local.score.context != NULL && m->local.started) {
            status = cns_score_check(&m->local.score);
        }
    }
    return status;
}
