/* SPDX-License-Identifier: MIT
 *
 * solver/member.c - what one member of a team does in a round: see team.h.
 */
#include "base/os.h"
#include "solver/team.h"

#include <string.h>

#define SLICE UINT64_C(10000) /* ticks between looks at the clock and at the others */
#define LBD_TOLD 2
#define LBD_TOLD_FEW 5
#define FEW 4 /* members, who can bear to hear more of each other */
#define SIZE_TOLD 32
#define WAIT_FIRST 4 /* turns: what is proved soon is proved sooner without local search */

static bool has_local(const cns_member *m) {
    return m->local.score.context != NULL;
}

uint64_t cns_member_ticks(const cns_member *m) {
    return cns_local_ticks(&m->local) + (m->worker != NULL ? m->worker->state.ticks : 0);
}

int64_t cns_member_limit(const cns_member *m) {
    int64_t limit = INT64_MAX;
    if (m->worker != NULL && m->worker->state.objective_limit != INT64_MAX) {
        limit = m->worker->state.objective_limit + m->worker->search.objective_offset;
    }
    return has_local(m) && m->local.limit < limit ? m->local.limit : limit;
}

static void take_limit(cns_member *m, int64_t limit) {
    if (has_local(m)) {
        cns_local_improve(&m->local, limit);
    }
    if (m->worker != NULL && limit != INT64_MAX) {
        int64_t own = limit - m->worker->search.objective_offset;
        if (own < m->worker->state.objective_limit) {
            cns_search_improve(&m->worker->search, own);
        }
    }
}

void cns_member_take_limit(cns_member *m) {
    take_limit(m, m->team->limit);
}

void cns_member_prefer(cns_member *m, const int64_t *values) {
    if (has_local(m)) {
        cns_local_start(&m->local, values);
    }
    if (m->worker != NULL) {
        cns_worker_prefer(m->worker, values);
    }
}

/* Ticks of a turn. */
static uint64_t turn_of(const cns_team *team) {
    return team->round_ticks / 4 + 1;
}

void cns_member_take_turns(cns_member *m) {
    uint64_t ticks = cns_member_ticks(m);
    if (!m->shares || !m->ready || m->idle || ticks < m->turn_end) {
        return;
    }
    if (!m->locally) {
        m->locally = true;
        m->found = false;
        m->turn_end = ticks + turn_of(m->team);
        return;
    }
    m->locally = false;
    m->wait = cns_local_wait(m->wait, m->found);
    m->turn_end = ticks + m->wait * turn_of(m->team);
}

bool cns_member_is_finished(const cns_member *m) {
    return m->exhausted || (m->idle && !m->shares) ||
           (m->has_values && !cns_team_optimises(m->team));
}

void cns_member_attach(cns_member *m) {
    cns_worker *w = m->worker;
    m->outbox.from = m->number;
    m->outbox.ints = w->common_ints;
    m->outbox.bools = w->common_bools;
    m->outbox.lbd_limit = m->team->count <= FEW ? LBD_TOLD_FEW : LBD_TOLD;
    m->outbox.size_limit = SIZE_TOLD;
    w->state.outbox = &m->outbox;
    w->search.at_root = cns_role_at_root;
    w->search.at_root_user = m;
}

void cns_member_deinit(cns_member *m) {
    cns_context *context = m->team->context;
    cns_excursions_deinit(&m->excursions);
    cns_local_deinit(&m->local);
    if (m->number == 0) {
        cns_excursions_end(&m->excursions);
        m->worker->state.outbox = NULL;
        m->worker->search.at_root = NULL;
    } else if (m->worker != NULL) {
        cns_worker_close(m->worker);
        cns_context_free(context, m->worker, sizeof *m->worker, CNS_ALIGN_DEFAULT);
    }
    cns_told_deinit(context, &m->outbox.told);
    cns_context_free(context, m->values, m->value_capacity * sizeof *m->values, CNS_ALIGN_DEFAULT);
}

/* ---- loading -------------------------------------------------------------------------------- */

static cns_status open_worker(cns_member *m) {
    cns_team *team = m->team;
    if (m->worker == NULL) {
        m->worker = cns_context_calloc(team->context, sizeof *m->worker);
        if (m->worker == NULL) {
            return cns_context_memory_status(team->context, sizeof *m->worker);
        }
        cns_excursions_init(&m->excursions, m->worker, team->seed + m->number);
    }
    return m->worker->open
               ? CNS_OK
               : cns_worker_open(m->worker, team->context, team->model, team->seed + m->number);
}

/* After its first load. One for which, or for the first one, there was no memory for presolve may
 * number otherwise: it tells and hears no clauses, but has solutions and bounds in common. */
static cns_status join(cns_member *m) {
    cns_worker *w = m->worker;
    const cns_worker *own = m->team->members[0].worker;
    bool alike = cns_worker_numbers_alike(w, own);
    if (!alike && !w->state.did_without && !own->state.did_without) {
        return cns_fail(m->team->context, CNS_E_CORRUPT,
                        "worker %u has numbered the model's variables otherwise than worker 0",
                        (unsigned)m->number);
    }
    cns_member_attach(m);
    w->state.outbox = alike ? w->state.outbox : NULL;
    return CNS_OK;
}

/* What takes long looks at the limits itself. */
static void watch_limits(cns_member *m, uint8_t polling) {
    cns_state *s = &m->worker->state;
    s->cancelled = m->team->round->cancelled;
    bool loads = polling == CNS_POLL_ALWAYS;
    s->abandoned = loads && !m->team->deterministic ? &m->team->over : NULL;
    s->deadline = m->team->round->deadline;
    s->polling = polling;
}

/* Loads what is new; a worker that joins gets the objective's bound and the best values. */
static cns_status load_worker(cns_member *m) {
    cns_status status = open_worker(m);
    if (status != CNS_OK) {
        return status;
    }
    bool joins = !m->worker->loaded;
    watch_limits(m, CNS_POLL_ALWAYS);
    status = cns_worker_load(m->worker, m->team->round->orders);
    if (status == CNS_OK && joins) {
        status = join(m);
    }
    if (status == CNS_OK) {
        cns_role_apply(m, joins);
    }
    return status;
}

static cns_status load_local(cns_member *m) {
    cns_team *team = m->team;
    const cns_orders *orders = team->round->orders;
    uint64_t spent = cns_local_ticks(&m->local);
    cns_local_deinit(&m->local);
    m->idle = !cns_local_suits(team->model);
    if (m->idle) {
        return CNS_OK;
    }
    cns_status status = cns_local_init(
        &m->local, team->context, team->model, orders->assumptions, orders->assumption_count,
        team->seed + m->number, (cns_score_limits){team->round->cancelled, team->round->deadline});
    m->local.score.ticks += spent;
    if (status == CNS_OK) {
        cns_local_improve(&m->local, team->limit);
        if (team->has_best) {
            cns_local_start(&m->local, team->best);
        }
    }
    m->idle = cns_lacks_memory(status); /* the others can do without */
    return m->idle || cns_was_stopped(status) ? CNS_OK
                                              : status; /* a limit: the next round makes it */
}

static cns_status load(cns_member *m) {
    cns_team *team = m->team;
    m->locally = m->role == CNS_ROLE_LOCAL;
    if (!m->locally) {
        cns_local_deinit(&m->local);
    }
    cns_status status = m->locally ? load_local(m) : load_worker(m);
    if (status != CNS_OK || (m->locally && !has_local(m) && !m->idle)) {
        return status;
    }
    cns_member_take_limit(m);
    if (team->has_best && !m->locally) {
        cns_member_prefer(m, team->best);
    }
    m->step_end = cns_member_ticks(m) + team->step_ticks;
    m->round_end = cns_member_ticks(m) + team->round_ticks;
    m->wait = WAIT_FIRST;
    m->turn_end = cns_member_ticks(m) + m->wait * turn_of(team);
    m->ready = true;
    return CNS_OK;
}

/* ---- the end of a member's part ------------------------------------------------------------- */

static void stop_others(cns_team *team) {
    atomic_store_explicit(&team->stop, true, memory_order_relaxed);
}

/* Nothing that a member finds once it has loaded could matter. */
static void stop_loading(cns_team *team) {
    atomic_store_explicit(&team->over, true, memory_order_relaxed);
}

static uint64_t conflicts_of(const cns_member *m) {
    return m->worker != NULL ? m->worker->state.counters.conflicts : 0;
}

/* Whether all together have had the conflicts of the round. */
static bool conflicts_spent(cns_member *m) {
    uint64_t more = conflicts_of(m) - m->counted;
    m->counted += more;
    uint64_t before = atomic_fetch_add_explicit(&m->team->conflicts, more, memory_order_relaxed);
    uint64_t most = m->team->round->conflicts;
    return !m->team->deterministic && most != 0 && before + more >= most;
}

static bool limit_reached(const cns_team *team, uint64_t now) {
    return atomic_load_explicit(team->round->cancelled, memory_order_relaxed) ||
           (team->round->deadline != 0 && now >= team->round->deadline);
}

/* The member's time is over: it goes on only while others are busy, rather than wait for them. One
 * that has not begun, for want of a thread, is not waited for. */
static void rest(cns_member *m) {
    if (m->busy) {
        m->busy = false;
        atomic_fetch_sub_explicit(&m->team->busy, 1, memory_order_relaxed);
    }
}

/* Whether the member's part of the round is over. */
static bool is_over(cns_member *m, uint64_t deadline) {
    cns_team *team = m->team;
    uint64_t ticks = cns_member_ticks(m);
    if (cns_member_is_finished(m) || ticks >= m->step_end ||
        atomic_load_explicit(&team->stop, memory_order_relaxed)) {
        return true;
    }
    uint64_t now = cns_os_clock();
    if (conflicts_spent(m) || limit_reached(team, now)) {
        stop_others(team);
        return true;
    }
    if (team->deterministic) {
        return ticks >= m->round_end;
    }
    if (m->busy && now >= deadline) {
        rest(m);
    }
    return !m->busy && atomic_load_explicit(&team->busy, memory_order_relaxed) == 0;
}

/* Ticks until the next look. */
static uint64_t slice(const cns_member *m) {
    uint64_t ticks = cns_member_ticks(m);
    uint64_t length = m->step_end - ticks < SLICE ? m->step_end - ticks : SLICE;
    return m->team->deterministic && m->round_end - ticks < length ? m->round_end - ticks : length;
}

/* ---- searching ------------------------------------------------------------------------------ */

static cns_status reserve_values(cns_member *m) {
    cns_state account = {.context = m->team->context};
    return cns_grow(&account, &m->values, sizeof *m->values, &m->value_capacity,
                    m->team->model->variable_count)
               ? CNS_OK
               : account.status;
}

/* Keeps the solution that the search stands at; from now on only better ones are left. */
static cns_status keep_values(cns_member *m) {
    cns_worker *w = m->worker;
    cns_state *s = &w->state;
    cns_status status = reserve_values(m);
    if (status != CNS_OK) {
        return status;
    }
    for (uint32_t v = 0; v < m->team->model->variable_count; v++) {
        m->values[v] = cns_load_value(&w->loader, (cns_var)v);
    }
    m->has_values = true;
    cns_search_keep(&w->search);
    if (cns_team_optimises(m->team)) {
        cns_search_improve(&w->search, cns_low(s, s->objective) - 1);
    }
    return CNS_OK;
}

/* Also the member's complete search, which may have its turn before the next meeting, is left with
 * better ones only: it would put a worse one in this one's place. */
static cns_status keep_local_values(cns_member *m) {
    const cns_model *model = m->team->model;
    cns_status status = reserve_values(m);
    if (status != CNS_OK) {
        return status;
    }
    memcpy(m->values, cns_local_values(&m->local), model->variable_count * sizeof *m->values);
    m->has_values = m->found = true;
    if (cns_team_optimises(m->team)) {
        int64_t objective = cns_model_value(m->values, model->objective);
        take_limit(m, (model->goal == CNS_MAXIMIZE ? -objective : objective) - 1);
    }
    return CNS_OK;
}

/* A limit that is met above the root leaves the state of use; other failures go to the solver. */
static cns_status come_back(cns_state *s) {
    cns_status status = s->status;
    if (cns_was_stopped(status) && s->level > 0) {
        s->status = CNS_OK;
        s->has_conflict = false;
        cns_backtrack(s, 0);
        return CNS_OK;
    }
    return status;
}

/* Whether the member goes on behind a solution, which is told at the next meeting. That of a
 * deterministic team does not come sooner, and one that loads is not to be stopped by news. */
static bool goes_on(const cns_member *m) {
    return cns_team_optimises(m->team) && m->status == CNS_OK &&
           (m->team->deterministic ||
            atomic_load_explicit(&m->team->loading, memory_order_relaxed) > 0);
}

/* Runs for a slice; false: something is to be said, or an error came. */
static bool run_worker(cns_member *m) {
    cns_state *s = &m->worker->state;
    switch (cns_search_run(&m->worker->search, s->ticks + slice(m))) {
    case CNS_SEARCH_PAUSED:
        return true;
    case CNS_SEARCH_SOLUTION:
        m->status = keep_values(m);
        return goes_on(m);
    case CNS_SEARCH_EXHAUSTED:
        m->exhausted = true;
        return false;
    case CNS_SEARCH_ERROR:
        m->status = come_back(s);
        return false;
    }
    return false;
}

static bool run_local(cns_member *m) {
    if (!has_local(m)) {
        m->status = load_local(m);
    }
    if (m->status != CNS_OK || !has_local(m) || m->idle) {
        m->locally = !m->shares;
        return m->status == CNS_OK;
    }
    switch (cns_local_run(&m->local, cns_local_ticks(&m->local) + slice(m), &m->status)) {
    case CNS_LOCAL_PAUSED:
        return true;
    case CNS_LOCAL_SOLUTION:
        m->status = keep_local_values(m);
        return goes_on(m);
    case CNS_LOCAL_STUCK:
        m->idle = true;
        m->locally = !m->shares;
        return true;
    case CNS_LOCAL_ERROR:
        return false;
    }
    return false;
}

static void search(cns_member *m) {
    cns_team *team = m->team;
    if (m->worker != NULL) {
        watch_limits(m, CNS_POLL_ABOVE_ROOT);
    }
    uint64_t deadline = cns_os_clock() + team->round_time;
    m->counted = conflicts_of(m);
    while (!is_over(m, deadline)) {
        if (m->locally ? run_local(m) : run_worker(m)) {
            continue;
        }
        if (!team->deterministic || m->status != CNS_OK || limit_reached(team, cns_os_clock())) {
            stop_others(team);
        }
        if (m->exhausted || !cns_team_optimises(team) || m->status != CNS_OK) {
            stop_loading(team);
        }
        return;
    }
}

/* A limit, or the end of the search, that came while it loaded leaves the rest of use. */
static void give_up_loading(cns_member *m) {
    if (cns_was_stopped(m->status)) {
        cns_excursions_deinit(&m->excursions); /* its memory is the worker's */
        cns_worker_close(m->worker);
        m->status = CNS_OK;
    }
}

static void take_part(cns_member *m) {
    cns_team *team = m->team;
    if (!m->ready && limit_reached(team, cns_os_clock())) {
        stop_others(team);
        return;
    }
    m->busy = true;
    atomic_fetch_add_explicit(&team->busy, 1, memory_order_relaxed);
    if (!m->ready) {
        atomic_fetch_add_explicit(&team->loading, 1, memory_order_relaxed);
        m->status = load(m);
        atomic_fetch_sub_explicit(&team->loading, 1, memory_order_relaxed);
    }
    if (m->ready) {
        search(m);
    } else {
        give_up_loading(m);
        stop_others(team);
    }
    rest(m);
}

cns_status cns_member_run(void *user, int64_t begin, int64_t end) {
    cns_team *team = user;
    for (int64_t k = begin; k < end; k++) {
        take_part(&team->members[k]);
    }
    return CNS_OK;
}
