/* SPDX-License-Identifier: MIT
 *
 * fuzz_api.c - the life of a solver through cns/solver.h: random models that are searched, changed
 * and searched again, and between two steps whatever a host may do or suffer. The first bytes are
 * the model's seed, each one behind them is what happens before a step.
 *
 * The oracle is brute force: solutions, optima, cores, bounds. Where nothing is refused and nothing
 * stops a step, the life is lived twice: where steps end must not show.
 */
#include <pthread.h>

#include "api_model.h"
#include "cns/tasks.h"
#include "fuzz.h"
#include "solver/solver_impl.h"

enum { STEPS = 20000, MOST_ASSUMED = 3, THREADS = 3 };
/* Ticks of one problem; what takes more is left, as wide domains may. */
#define TICKS UINT64_C(10000000)
#define TICKS_WIDE UINT64_C(100000)
#define MANY UINT64_C(50000) /* of a step */

typedef struct life {
    fuzz_input in;
    api_model model;
    support_failing failing;
    bool calm;        /* nothing but steps happens */
    bool wide;        /* the model has arithmetic at the limits */
    bool plain;       /* of many ticks each */
    uint32_t workers; /* 0: never a team */
    uint64_t trace;   /* of all solutions */
    cns_solver_stats last;
    cns_solve_options options;
    cns_goal goal;
    cns_var objective;
    cns_var assumed[MOST_ASSUMED];
    size_t assumed_count;
    /* The present problem. */
    int64_t best;
    bool feasible;
    uint64_t expected; /* solutions that differ */
    bool *found;       /* by number of the first solution that is the same */
    uint64_t found_count;
    int64_t values[API_VARIABLES]; /* of the last solution */
    bool limited;                  /* the options set a limit */
} life;

static int pick(life *l, int count) {
    return fuzz_byte(&l->in) % count;
}

static uint64_t below(life *l, uint64_t bound) { /* what a life is made of, not what happens */
    return cns_rng_below(&l->model.rng, bound);
}

static cns_solver_stats stats_of(const life *l) {
    cns_solver_stats stats;
    cns_solver_get_stats(l->model.solver, &stats);
    return stats;
}

/* ---- what is expected ----------------------------------------------------------------------- */

static bool allowed(const int64_t *values, const cns_var *literals, size_t count) {
    for (size_t k = 0; k < count; k++) {
        if (cns_model_value(values, literals[k]) == 0) {
            return false;
        }
    }
    return true;
}

static bool holds_under(const life *l, const cns_var *literals, size_t count) {
    for (size_t k = 0; k < l->model.solution_count; k++) {
        if (allowed(l->model.solutions[k], literals, count)) {
            return true;
        }
    }
    return false;
}

static bool is_better(const life *l, int64_t value, int64_t than) {
    return l->goal == CNS_MINIMIZE ? value < than : value > than;
}

/* The number of the first solution that is the same as far as outputs go. */
static size_t number_of(const life *l, const int64_t *values) {
    size_t k = 0;
    while (k < l->model.solution_count &&
           !(allowed(l->model.solutions[k], l->assumed, l->assumed_count) &&
             api_model_same(&l->model, l->model.solutions[k], values))) {
        k++;
    }
    return k;
}

static void expect(life *l) {
    const api_model *m = &l->model;
    l->feasible = false;
    l->expected = 0;
    free(l->found);
    l->found = calloc(m->solution_count + 1, sizeof *l->found);
    FUZZ_CHECK(l->found != NULL);
    for (size_t k = 0; k < m->solution_count; k++) {
        const int64_t *values = m->solutions[k];
        if (allowed(values, l->assumed, l->assumed_count)) {
            int64_t value = values[l->objective];
            l->best = !l->feasible || is_better(l, value, l->best) ? value : l->best;
            l->feasible = true;
            l->expected += l->goal == CNS_SATISFY && number_of(l, values) == k;
        }
    }
    if (l->goal != CNS_SATISFY || l->options.all_solutions == 0) {
        l->expected = l->feasible;
    }
}

static void forget_solutions(life *l) {
    memset(l->found, 0, (l->model.solution_count + 1) * sizeof *l->found);
    l->found_count = 0;
}

static void check_stats(life *l, bool complete) {
    cns_solver_stats s = stats_of(l);
    FUZZ_CHECK(s.nodes >= l->last.nodes && s.failures >= l->last.failures &&
               s.propagations >= l->last.propagations && s.ticks >= l->last.ticks &&
               s.learnt >= l->last.learnt && s.solutions >= l->last.solutions);
    FUZZ_CHECK(s.has_solution == (l->found_count > 0));
    FUZZ_CHECK(!complete || s.proved);
    if (l->goal != CNS_SATISFY && l->feasible) {
        FUZZ_CHECK(!is_better(l, l->best, s.bound));
        FUZZ_CHECK(!complete || s.bound == l->best);
        FUZZ_CHECK(l->found_count == 0 || s.objective == l->values[l->objective]);
    }
    l->last = s;
}

static void take_solution(life *l) {
    int64_t before = l->values[l->objective];
    for (uint32_t v = 0; v < l->model.count; v++) {
        FUZZ_CHECK(cns_solver_value(l->model.solver, (cns_var)v, &l->values[v]) == CNS_OK);
        l->trace = (l->trace ^ (uint64_t)l->values[v]) * UINT64_C(0x9e3779b97f4a7c15);
    }
    FUZZ_CHECK(allowed(l->values, l->assumed, l->assumed_count));
    size_t number = number_of(l, l->values);
    FUZZ_CHECK(number < l->model.solution_count);
    FUZZ_CHECK(l->goal == CNS_SATISFY
                   ? !l->found[number]
                   : l->found_count == 0 || is_better(l, l->values[l->objective], before));
    l->found[number] = true;
    l->found_count++;
    check_stats(l, false);
}

/* What a step that failed leaves of the last solution. */
static void check_kept(const life *l) {
    for (uint32_t v = 0; v < l->model.count; v++) {
        int64_t value = 0;
        cns_status status = cns_solver_value(l->model.solver, (cns_var)v, &value);
        FUZZ_CHECK(status == (l->found_count > 0 ? CNS_OK : CNS_E_NOTFOUND));
        FUZZ_CHECK(l->found_count == 0 || value == l->values[v]);
    }
}

/* ---- what happens --------------------------------------------------------------------------- */

static const cns_executor *pool(void) {
    static cns_context *context; /* for the process */
    static cns_executor executor;
    if (context == NULL) {
        const cns_tasks_config config = {.size = sizeof config, .workers = THREADS};
        cns_tasks *tasks;
        FUZZ_CHECK(cns_context_create(NULL, &context) == CNS_OK);
        FUZZ_CHECK(cns_tasks_create(context, &config, &tasks) == CNS_OK);
        cns_tasks_executor(tasks, &executor);
    }
    return &executor;
}

static void set_options(life *l) {
    l->options.size = sizeof l->options;
    API_REPEAT(&l->model, cns_solver_set_options(l->model.solver, &l->options));
}

/* All but what makes a new problem. */
static void vary_options(life *l, uint64_t chance) {
    l->options = (cns_solve_options){.all_solutions = l->options.all_solutions};
    l->options.strategy = (cns_strategy)(chance % 3);
    l->options.restart = (cns_restart_policy)(chance / 3 % (CNS_RESTART_LBD + 1));
    l->options.optimise = (cns_optimise_policy)(chance / 21 % (CNS_OPTIMISE_CORES + 1));
    l->options.restart_scale = (uint32_t)(chance / 84 % 3);
    if (l->workers > 0) {
        l->options.workers = l->workers;
        l->options.executor = pool();
        l->options.deterministic = l->calm || chance / 252 % 2;
    }
    l->limited = false;
    set_options(l);
}

static void restart(life *l) {
    API_REPEAT(&l->model, cns_solver_restart(l->model.solver));
    forget_solutions(l);
}

static void *cancel_soon(void *solver) {
    cns_solver_cancel(solver);
    return NULL;
}

/* One thing before a step. Returns whether another thread cancels meanwhile. */
static bool happen(life *l, pthread_t *thread) {
    cns_solver *solver = l->model.solver;
    const cns_var *core;
    size_t count;
    switch (pick(l, 24)) {
    case 0:
        cns_solver_set_memory_limit(solver, stats_of(l).memory_peak / 16 * (unsigned)pick(l, 24));
        break;
    case 1:
    case 2:
        l->failing.keep_failing = pick(l, 3) == 2;
        atomic_store(&l->failing.countdown, pick(l, 64));
        break;
    case 3:
        cns_solver_cancel(solver);
        break;
    case 4:
        return pthread_create(thread, NULL, cancel_soon, solver) == 0;
    case 5:
        vary_options(l, fuzz_number(&l->in));
        break;
    case 6:
        l->options.time_limit = 1 + (uint64_t)pick(l, 100) * 100;
        l->limited = true;
        set_options(l);
        break;
    case 7:
        l->options.conflict_limit = 1 + (uint64_t)pick(l, 10);
        l->limited = true;
        set_options(l);
        break;
    case 8:
        API_REPEAT(&l->model, cns_solver_check(solver));
        break;
    case 9:
        FUZZ_CHECK(cns_solver_core(solver, 1, &core, &count) == CNS_E_NOTFOUND);
        break;
    case 10:
        restart(l);
        break;
    default:
        break;
    }
    return false;
}

/* ---- one problem ---------------------------------------------------------------------------- */

/* False: a limit or a cancellation was there before the core was minimal. */
static bool ask_core(life *l, int minimise, const cns_var **core, size_t *count) {
    cns_status status;
    do {
        status = cns_solver_core(l->model.solver, minimise, core, count);
        if (status == CNS_E_CANCELLED) {
            FUZZ_CHECK(!l->calm && minimise);
            return false;
        }
    } while (api_again(&l->model, status));
    FUZZ_CHECK(*count <= l->assumed_count && !holds_under(l, *core, *count));
    return true;
}

/* After CNS_COMPLETE without a solution. */
static void check_core(life *l) {
    const cns_var *core;
    size_t count;
    atomic_store(&l->failing.countdown, l->calm ? -1 : pick(l, 64));
    FUZZ_CHECK(ask_core(l, 0, &core, &count));
    if (!ask_core(l, 1, &core, &count)) {
        return;
    }
    for (size_t without = 0; without < count; without++) {
        cns_var rest[MOST_ASSUMED];
        memcpy(rest, core, count * sizeof *rest);
        rest[without] = rest[count - 1];
        FUZZ_CHECK(holds_under(l, rest, count - 1));
    }
}

static void recover(life *l, cns_status status) {
    char message[256] = "";
    check_kept(l);
    cns_context_message(l->model.context, message, sizeof message);
    FUZZ_CHECK(!l->calm && api_again(&l->model, status));
    if (strstr(message, "cns_solver_restart") != NULL) {
        FUZZ_CHECK(l->goal == CNS_SATISFY);
        restart(l);
    }
}

static void stop(life *l) {
    FUZZ_CHECK(!l->calm);
    bool goes_on = l->limited && pick(l, 2); /* if it was no cancellation */
    l->options.time_limit = l->options.conflict_limit = 0;
    l->limited = false;
    set_options(l);
    if (!goes_on) {
        restart(l);
    }
}

static uint64_t next_ticks(life *l) {
    bool many = l->plain || l->in.size == 0 || pick(l, 4) == 3;
    return many ? MANY : 1 + fuzz_number(&l->in) % 4096;
}

static cns_outcome step(life *l) {
    enum { NONE = 99 };
    cns_outcome outcome = (cns_outcome)NONE;
    pthread_t thread;
    bool cancelled = !l->calm && happen(l, &thread);
    cns_solver *solver = l->model.solver;
    uint64_t ticks = 1;
    if (solver->loaded && !solver->loading) {
        solver->alone_until = 0; /* others join at once, however small the model */
        ticks = next_ticks(l);
    }
    cns_status status = cns_solver_step(solver, ticks, &outcome);
    if (cancelled) {
        pthread_join(thread, NULL);
    }
    if (status != CNS_OK) {
        FUZZ_CHECK(outcome == (cns_outcome)NONE);
        recover(l, status);
        return CNS_RUNNING;
    }
    FUZZ_CHECK(outcome <= CNS_STOPPED);
    if (outcome == CNS_STOPPED) {
        stop(l);
    } else if (outcome == CNS_SOLUTION) {
        take_solution(l);
    }
    return outcome;
}

/* Until the search ends; false: it was left, since that takes long, or by chance. */
static bool search(life *l) {
    api_model_judge(&l->model);
    expect(l);
    l->found_count = 0;
    uint64_t end = stats_of(l).ticks + (l->wide ? TICKS_WIDE : TICKS);
    cns_outcome outcome = CNS_RUNNING;
    for (int k = 0; k < STEPS && outcome != CNS_COMPLETE; k++) {
        if (stats_of(l).ticks > end || (!l->calm && pick(l, 64) == 63)) {
            return false;
        }
        outcome = step(l);
    }
    if (outcome != CNS_COMPLETE) {
        return false;
    }
    FUZZ_CHECK(l->goal == CNS_SATISFY ? l->found_count == l->expected
                                      : (l->found_count > 0) == l->feasible);
    FUZZ_CHECK(l->goal == CNS_SATISFY || !l->feasible || l->values[l->objective] == l->best);
    check_stats(l, true);
    if (!l->feasible) {
        check_core(l);
    }
    return true;
}

/* ---- a life --------------------------------------------------------------------------------- */

static void change_problem(life *l) {
    api_model *m = &l->model;
    l->objective = api_model_any(m);
    l->goal = (cns_goal)below(l, CNS_MAXIMIZE + 1);
    API_REPEAT(m, cns_solver_set_goal(m->solver, l->goal, l->objective));
    l->assumed_count = 0;
    for (uint64_t k = below(l, 2) * below(l, MOST_ASSUMED + 1); k > 0; k--) {
        l->assumed_count += api_model_literal(m, &l->assumed[l->assumed_count]);
    }
    API_REPEAT(m, cns_solver_assume(m->solver, l->assumed, l->assumed_count));
    l->options.all_solutions = below(l, 4) != 0;
    vary_options(l, below(l, UINT64_C(1) << 16));
}

static void add_advice(life *l) {
    api_model *m = &l->model;
    if (!l->wide && below(l, 3) == 0) { /* which could try 2^40 values one by one */
        const cns_var vars[] = {api_model_any(m), api_model_any(m), api_model_any(m)};
        cns_choose_var rule = (cns_choose_var)below(l, CNS_DOM_W_DEG + 1);
        cns_choose_value value = (cns_choose_value)below(l, CNS_OUTDOMAIN_MAX + 1);
        API_REPEAT(m, cns_solver_add_search(m->solver, vars, 3, rule, value));
    }
    if (below(l, 3) == 0) {
        int64_t value = m->vars[0].values[0] + (int64_t)below(l, 3);
        API_REPEAT(m, cns_solver_hint(m->solver, api_model_any(m), value));
    }
}

/* *trace: what shows of it; false: it was left. */
static bool live(fuzz_input in, bool calm, bool plain, uint64_t *trace) {
    life l = {.in = in, .calm = calm, .plain = plain, .failing = {.countdown = -1}};
    api_model *m = &l.model;
    uint64_t seed = 0;
    for (int k = 0; k < 4; k++) {
        seed = seed << 8 | fuzz_byte(&l.in);
    }
    cns_rng_seed(&m->rng, seed);
    m->failing = &l.failing;
    m->context = support_failing_context(&l.failing);
    const cns_solver_config config = {.size = sizeof config, .seed = below(&l, 3)};
    FUZZ_CHECK(cns_solver_create(m->context, &config, &m->solver) == CNS_OK);
    atomic_store(&l.failing.countdown, calm ? -1 : pick(&l, 256));
    l.wide = below(&l, 2);
    api_model_make(m, (int)below(&l, CNS_CONSTRAINT_KINDS), l.wide);
    l.workers = below(&l, 3) == 0 ? 2 + (uint32_t)below(&l, 3) : 0;
    bool whole = true;
    for (uint64_t problems = 1 + below(&l, 4); problems > 0 && (whole || !calm); problems--) {
        change_problem(&l);
        add_advice(&l);
        whole = search(&l);
        api_model_grow(m, l.wide);
    }
    atomic_store(&l.failing.countdown, -1);
    API_REPEAT(m, cns_solver_check(m->solver));
    cns_solver_destroy(m->solver);
    support_context_destroy(m->context);
    FUZZ_CHECK(atomic_load(&l.failing.live_blocks) == 0);
    api_model_forget(m);
    free(l.found);
    *trace = l.trace;
    return whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input in = {data, size};
    uint64_t once, twice;
    if (fuzz_byte(&in) % 4 != 0) {
        live(in, false, false, &once);
    } else if (live(in, true, true, &once) && live(in, true, false, &twice)) {
        FUZZ_CHECK(once == twice);
    }
    return 0;
}
