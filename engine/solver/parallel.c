/* SPDX-License-Identifier: MIT
 *
 * solver/parallel.c - see parallel.h.
 */
#include "solver/parallel.h"

#include "base/os.h"
#include "solver/lns.h"
#include "solver/share.h"

#include <string.h>

#define SLICE UINT64_C(100000)        /* ticks between looks at the clock and at the others */
#define ROUND_TICKS UINT64_C(4000000) /* deterministic: of each worker between two meetings */
#define ROUND_LEAST UINT64_C(5000000) /* else: nanoseconds; longer as the search lasts */
#define ROUND_MOST UINT64_C(100000000)
#define LBD_TOLD 2
#define SIZE_TOLD 32
#define RECALL_CONFLICTS 2000 /* a worker this long away from the root is called back for news */
#define LNS_CONFLICTS 300
#define PAUSE_MOST 63 /* restarts */

/* How workers differ. */
typedef enum role {
    ROLE_OWN,    /* as the options say */
    ROLE_FREE,   /* activity alone, guessing that the objective reaches its bound */
    ROLE_FIXED,  /* the phases */
    ROLE_LNS,    /* neighbourhoods of the best solution */
    ROLE_SEEDED, /* as FREE, from random activities and values, guessing the objective's middle */
} role;

typedef struct member {
    struct cns_team *team;
    cns_worker *worker; /* the first member's is the solver's */
    uint32_t number;
    role role;
    bool ready; /* loaded */
    cns_outbox outbox;
    uint32_t heard;       /* clauses of the pool */
    uint64_t facts_heard; /* facts that the pool had in all, when it heard them */
    uint64_t root_conflicts;
    uint64_t last_restart;
    int64_t guessed_low;          /* the objective's lower bound when it was guessed last */
    uint32_t pause, pause_length; /* restarts without a guess: left, in all */
    uint64_t step_end, round_end; /* ticks */
    cns_lns lns;

    int64_t *values; /* of the best solution found in this round */
    uint32_t value_capacity;
    bool has_values;
    bool exhausted;
    bool busy; /* counts in the team's */
    cns_status status;
} member;

struct cns_team {
    cns_context *context;
    const cns_model *model;
    cns_executor executor;
    bool deterministic;
    uint64_t seed;
    member *members;
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
    _Atomic uint32_t busy;      /* workers that load, or search before their time is over */
};

/* The most that the objective, as minimised, may be for the worker. */
static int64_t limit_of(const member *m) {
    int64_t limit = m->worker->state.objective_limit;
    return limit == INT64_MAX ? limit : limit + m->worker->search.objective_offset;
}

static bool optimises(const cns_team *team) {
    return team->model->goal != CNS_SATISFY;
}

/* ---- roles ---------------------------------------------------------------------------------- */

static role role_of(const cns_team *team, uint32_t number) {
    bool phases = team->model->phase_count > 0;
    switch (number) {
    case 0:
        return ROLE_OWN;
    case 1:
        return ROLE_FREE;
    case 2:
        return optimises(team) ? ROLE_LNS : phases ? ROLE_FIXED : ROLE_SEEDED;
    case 3:
        return phases ? ROLE_FIXED : ROLE_SEEDED;
    default:
        return optimises(team) && number % 3 == 0 ? ROLE_LNS : ROLE_SEEDED;
    }
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

static void apply_role(member *m) {
    cns_search *search = &m->worker->search;
    switch (m->role) {
    case ROLE_OWN:
        return;
    case ROLE_FREE:
    case ROLE_SEEDED:
        search->free = true;
        search->activity_only = true;
        search->restart = CNS_RESTART_LUBY;
        search->restart_scale = m->role == ROLE_FREE ? 250 : 50 + 25 * (m->number % 8);
        break;
    case ROLE_FIXED:
        search->free = false;
        search->restart = CNS_RESTART_LUBY;
        search->restart_scale = 500;
        break;
    case ROLE_LNS:
        search->free = true;
        search->restart = CNS_RESTART_CONSTANT;
        search->restart_scale = LNS_CONFLICTS;
        break;
    }
    cns_search_reset(search);
}

/* Guides the search to solutions with an objective of at most the least value, or the middle. */
static bool guess_objective(member *m, bool middle) {
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
static bool pays_to_guess(member *m, bool restarted) {
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

static bool guide(member *m, bool restarted) {
    cns_search *search = &m->worker->search;
    if (!optimises(m->team) || m->role == ROLE_OWN || m->role == ROLE_FIXED) {
        return true;
    }
    if (m->role == ROLE_LNS) {
        return !restarted || !m->team->has_best || cns_lns_next(&m->lns, m->team->best);
    }
    cns_search_new_guide(search);
    return !pays_to_guess(m, restarted) || guess_objective(m, m->role == ROLE_SEEDED);
}

/* The search's call at its root. */
static bool at_root(void *user) {
    member *m = user;
    cns_worker *w = m->worker;
    const cns_told *pool = &m->team->pool;
    uint32_t first = m->heard;
    m->heard = pool->clause_count;
    m->facts_heard = m->team->facts;
    m->root_conflicts = w->state.counters.conflicts;
    if (first < pool->clause_count && !cns_hear(&w->state, pool, first, m->number)) {
        return false;
    }
    bool restarted = m->last_restart != w->search.restart_number;
    m->last_restart = w->search.restart_number;
    return guide(m, restarted) && w->state.status == CNS_OK;
}

/* ---- making --------------------------------------------------------------------------------- */

static void attach(member *m) {
    cns_worker *w = m->worker;
    m->outbox.from = m->number;
    m->outbox.ints = w->common_ints;
    m->outbox.bools = w->common_bools;
    m->outbox.lbd_limit = LBD_TOLD;
    m->outbox.size_limit = SIZE_TOLD;
    w->state.outbox = &m->outbox;
    w->search.at_root = at_root;
    w->search.at_root_user = m;
}

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
        member *m = &team->members[k];
        m->team = team;
        m->number = k;
        m->role = role_of(team, k);
        m->last_restart = UINT64_MAX;
        m->guessed_low = INT64_MIN;
    }
    member *first = &team->members[0];
    first->worker = own;
    first->ready = true;
    first->round_end = own->state.ticks + team->round_ticks;
    attach(first);
    team->limit = limit_of(first);
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

static void free_member(cns_team *team, member *m) {
    cns_context *context = team->context;
    cns_lns_deinit(&m->lns);
    if (m->number == 0) {
        m->worker->state.outbox = NULL;
        m->worker->search.at_root = NULL;
    } else if (m->worker != NULL) {
        cns_worker_close(m->worker);
        cns_context_free(context, m->worker, sizeof *m->worker, CNS_ALIGN_DEFAULT);
    }
    cns_told_deinit(context, &m->outbox.told);
    cns_context_free(context, m->values, m->value_capacity * sizeof *m->values, CNS_ALIGN_DEFAULT);
}

void cns_team_destroy(cns_team *team) {
    if (team == NULL) {
        return;
    }
    cns_context *context = team->context;
    for (uint32_t k = 0; k < team->count; k++) {
        free_member(team, &team->members[k]);
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
        member *m = &team->members[k];
        m->has_values = m->exhausted = false;
        m->round_end = m->ready ? m->worker->state.ticks + team->round_ticks : 0;
    }
    team->has_best = false;
    team->limit = limit_of(&team->members[0]);
}

/* ---- what one worker does in a round -------------------------------------------------------- */

static cns_status open_worker(member *m) {
    cns_team *team = m->team;
    if (m->worker == NULL) {
        m->worker = cns_context_calloc(team->context, sizeof *m->worker);
        if (m->worker == NULL) {
            return cns_context_memory_status(team->context, sizeof *m->worker);
        }
        cns_lns_init(&m->lns, m->worker, team->seed + m->number);
    }
    return m->worker->open
               ? CNS_OK
               : cns_worker_open(m->worker, team->context, team->model, team->seed + m->number);
}

static void take_limit(member *m) {
    if (m->team->limit < limit_of(m)) {
        cns_search_improve(&m->worker->search, m->team->limit - m->worker->search.objective_offset);
    }
}

/* What a worker is after its first load. */
static cns_status join(member *m) {
    cns_worker *w = m->worker;
    const cns_worker *own = m->team->members[0].worker;
    if (w->common_ints != own->common_ints || w->common_bools != own->common_bools) {
        return cns_fail(m->team->context, CNS_E_CORRUPT,
                        "worker %u has numbered the model's variables otherwise than worker 0",
                        (unsigned)m->number);
    }
    attach(m);
    if (m->role == ROLE_SEEDED) {
        scatter(&w->state);
    }
    return CNS_OK;
}

/* What takes long looks at the limits itself. */
static void watch_limits(member *m, uint8_t polling) {
    cns_state *s = &m->worker->state;
    s->cancelled = m->team->round->cancelled;
    s->deadline = m->team->round->deadline;
    s->polling = polling;
}

/* Loads what is new; a worker that joins gets the objective's bound and the best values. */
static cns_status load_worker(member *m) {
    cns_team *team = m->team;
    cns_status status = open_worker(m);
    if (status != CNS_OK) {
        return status;
    }
    bool joins = !m->worker->loaded;
    watch_limits(m, CNS_POLL_ALWAYS);
    status = cns_worker_load(m->worker, team->round->orders);
    if (status == CNS_OK && joins) {
        status = join(m);
    }
    if (status != CNS_OK) {
        return status;
    }
    apply_role(m);
    take_limit(m);
    if (team->has_best) {
        cns_worker_prefer(m->worker, team->best);
    }
    m->step_end = m->worker->state.ticks + team->step_ticks;
    m->round_end = m->worker->state.ticks + team->round_ticks;
    m->ready = true;
    return CNS_OK;
}

/* Keeps the solution that the search stands at; from now on only better ones are left. */
static cns_status keep_values(member *m) {
    cns_worker *w = m->worker;
    cns_state *s = &w->state;
    if (!cns_grow(s, &m->values, sizeof *m->values, &m->value_capacity,
                  m->team->model->variable_count)) {
        return s->status;
    }
    for (uint32_t v = 0; v < m->team->model->variable_count; v++) {
        m->values[v] = cns_load_value(&w->loader, (cns_var)v);
    }
    m->has_values = true;
    cns_search_keep(&w->search);
    if (optimises(m->team)) {
        cns_search_improve(&w->search, cns_low(s, s->objective) - 1);
    }
    return CNS_OK;
}

static void stop_others(cns_team *team) {
    atomic_store_explicit(&team->stop, true, memory_order_relaxed);
}

static bool limit_reached(const cns_team *team, uint64_t now) {
    return atomic_load_explicit(team->round->cancelled, memory_order_relaxed) ||
           (team->round->deadline != 0 && now >= team->round->deadline);
}

/* Whether there is nothing left for it to do in the round. */
static bool is_finished(const member *m) {
    return m->exhausted || (m->has_values && !optimises(m->team));
}

/* The worker's time is over: it goes on only while others are busy, rather than wait for them. One
 * that has not begun, for want of a thread, is not waited for. */
static void rest(member *m) {
    if (m->busy) {
        m->busy = false;
        atomic_fetch_sub_explicit(&m->team->busy, 1, memory_order_relaxed);
    }
}

/* Whether the worker's part of the round is over. */
static bool is_over(member *m, uint64_t deadline) {
    cns_team *team = m->team;
    uint64_t ticks = m->worker->state.ticks;
    if (is_finished(m) || ticks >= m->step_end ||
        atomic_load_explicit(&team->stop, memory_order_relaxed)) {
        return true;
    }
    uint64_t now = cns_os_clock();
    if (limit_reached(team, now)) {
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

/* A limit that is met above the root leaves the state of use; other failures go to the solver. */
static cns_status come_back(cns_state *s) {
    cns_status status = s->status;
    if ((status == CNS_E_DEADLINE || status == CNS_E_CANCELLED) && s->level > 0) {
        s->status = CNS_OK;
        s->has_conflict = false;
        cns_backtrack(s, 0);
        return CNS_OK;
    }
    return status;
}

static void search(member *m) {
    cns_team *team = m->team;
    cns_state *s = &m->worker->state;
    watch_limits(m, CNS_POLL_ABOVE_ROOT);
    uint64_t deadline = cns_os_clock() + team->round_time;
    while (!is_over(m, deadline)) {
        uint64_t end = s->ticks + SLICE;
        end = end > m->step_end ? m->step_end : end;
        end = team->deterministic && end > m->round_end ? m->round_end : end;
        switch (cns_search_run(&m->worker->search, end)) {
        case CNS_SEARCH_PAUSED:
            continue;
        case CNS_SEARCH_SOLUTION:
            m->status = keep_values(m);
            if (team->deterministic && optimises(team) && m->status == CNS_OK) {
                continue;
            }
            break;
        case CNS_SEARCH_EXHAUSTED:
            m->exhausted = true;
            break;
        case CNS_SEARCH_ERROR:
            m->status = come_back(s);
            break;
        }
        if (!team->deterministic || m->status != CNS_OK || limit_reached(team, cns_os_clock())) {
            stop_others(team);
        }
        return;
    }
}

static void take_part(member *m) {
    cns_team *team = m->team;
    if (!m->ready && limit_reached(team, cns_os_clock())) {
        stop_others(team);
        return;
    }
    m->busy = true;
    atomic_fetch_add_explicit(&team->busy, 1, memory_order_relaxed);
    if (!m->ready) {
        m->status = load_worker(m);
    }
    if (m->status == CNS_OK) {
        search(m);
    } else {
        stop_others(team);
    }
    rest(m);
}

/* The executor's call: the workers begin .. end - 1. */
static cns_status run_members(void *user, int64_t begin, int64_t end) {
    cns_team *team = user;
    for (int64_t k = begin; k < end; k++) {
        take_part(&team->members[k]);
    }
    return CNS_OK;
}

/* ---- between rounds: one thread ------------------------------------------------------------- */

/* What is better than the best solution for one is so for all. */
static void share_limits(cns_team *team) {
    int64_t limit = INT64_MAX;
    for (uint32_t k = 0; k < team->count; k++) {
        const member *m = &team->members[k];
        if (m->ready && limit_of(m) < limit) {
            limit = limit_of(m);
        }
    }
    team->limit = limit;
    for (uint32_t k = 0; k < team->count; k++) {
        if (team->members[k].ready) {
            take_limit(&team->members[k]);
        }
    }
}

/* The best solution of the round, the first of equals. */
static member *best_member(cns_team *team) {
    member *best = NULL;
    int64_t least = INT64_MAX;
    for (uint32_t k = 0; k < team->count; k++) {
        member *m = &team->members[k];
        if (!m->has_values) {
            continue;
        }
        m->has_values = false;
        int64_t cost = 0;
        if (optimises(team)) {
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

static cns_status spread_best(cns_team *team, const member *finder) {
    for (uint32_t k = 0; k < team->count; k++) {
        if (team->members[k].ready && &team->members[k] != finder) {
            cns_worker_prefer(team->members[k].worker, finder->values);
        }
    }
    return keep_best(team, finder->values);
}

/* Forgets what all have heard, now and then. */
static void trim_pool(cns_team *team) {
    uint32_t least = team->pool.clause_count;
    for (uint32_t k = 0; k < team->count; k++) {
        least = team->members[k].heard < least ? team->members[k].heard : least;
    }
    if (least > 0 && least >= team->pool.clause_count / 2) {
        cns_told_drop(&team->pool, least);
        for (uint32_t k = 0; k < team->count; k++) {
            team->members[k].heard -= least;
        }
    }
}

/* A worker that has not been at the root for long is called there when there is news. */
static void recall(const cns_team *team, member *m) {
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
        member *m = &team->members[k];
        if (m->ready) {
            recall(team, m);
            m->round_end = m->worker->state.ticks + team->round_ticks;
        }
    }
    return CNS_OK;
}

/* Whether the worker has done its part of the round. */
static bool is_done(const member *m) {
    return is_finished(m) || (m->ready && m->worker->state.ticks >= m->round_end);
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
    const member *best = best_member(team);
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
    cns_status status = team->executor.parallel_for(team->executor.pool, 0, (int64_t)team->count, 1,
                                                    run_members, team);
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
        member *m = &team->members[k];
        m->round_end = m->ready ? m->worker->state.ticks + ticks : 0;
    }
}

void cns_team_begin(cns_team *team, uint64_t ticks) {
    team->step_ticks = ticks == 0 ? UINT64_MAX / 2 : ticks;
    for (uint32_t k = 0; k < team->count; k++) {
        member *m = &team->members[k];
        if (m->ready) {
            m->step_end = m->worker->state.ticks + team->step_ticks;
        }
    }
}

bool cns_team_spent(const cns_team *team) {
    for (uint32_t k = 0; k < team->count; k++) {
        const member *m = &team->members[k];
        if (!m->ready || (!is_finished(m) && m->worker->state.ticks < m->step_end &&
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
        if (w == NULL || !w->open) {
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
    for (uint32_t k = 1; k < team->count && status == CNS_OK; k++) {
        cns_worker *w = team->members[k].worker;
        status = w != NULL && w->open ? cns_state_check(&w->state) : CNS_OK;
    }
    return status;
}
