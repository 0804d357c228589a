/* SPDX-License-Identifier: MIT
 *
 * test_solver_parallel.c - several workers against brute force, published optima, and themselves.
 *
 * Teams search random tiny models in rounds of few ticks, so that what they tell each other is all
 * over the search; what they find is held against all solutions. Through the public interface:
 * job shop FT06 (Fisher, Thompson 1963: 55) and Golomb rulers (of 7 marks: 25; of 8: 34).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cns/tasks.h"
#include "solver/team.h"
#include "solver_random.h"
#include "solver_stats.h"
#include "support.h"

/* ---- teams on tiny models ------------------------------------------------------------------- */

typedef struct tiny {
    cns_model model;
    cns_rng rng;
    int64_t (*solutions)[64]; /* by variable */
    uint32_t solution_count, solution_capacity;
    cns_var assumptions[3];
    uint32_t assumption_count;
} tiny;

static void keep_solution(void *user, const int64_t *values) {
    tiny *t = user;
    if (t->solution_count == t->solution_capacity) {
        t->solution_capacity = 2 * t->solution_capacity + 16;
        t->solutions = realloc(t->solutions, t->solution_capacity * sizeof *t->solutions);
        ck_assert_ptr_nonnull(t->solutions);
    }
    memcpy(t->solutions[t->solution_count++], values, t->model.variable_count * sizeof *values);
}

static uint64_t below(tiny *t, uint64_t bound) {
    return cns_rng_below(&t->rng, bound);
}

/* A variable that tells solutions apart: of the others brute force keeps one value only. */
static cns_var any_output(tiny *t) {
    for (;;) {
        cns_var v = (cns_var)below(t, t->model.variable_count);
        if (!t->model.any_output || t->model.variables[v].output) {
            return v;
        }
    }
}

static void make_tiny(tiny *t, cns_context *context, uint64_t seed) {
    memset(t, 0, sizeof *t);
    cns_rng_seed(&t->rng, seed);
    ck_assert_int_eq(cns_model_init(&t->model, context), CNS_OK);
    solver_random_model(&t->rng, 0, &t->model);
    if (below(t, 4) != 0) {
        cns_goal goal = below(t, 2) ? CNS_MINIMIZE : CNS_MAXIMIZE;
        ck_assert_int_eq(cns_model_set_goal(&t->model, goal, any_output(t)), CNS_OK);
    }
    if (below(t, 2)) {
        cns_var vars[2] = {any_output(t), any_output(t)};
        cns_choose_var rule = (cns_choose_var)below(t, CNS_DOM_W_DEG + 1);
        cns_choose_value value = (cns_choose_value)below(t, CNS_OUTDOMAIN_MAX + 1);
        ck_assert_int_eq(cns_model_add_phase(&t->model, vars, 2, rule, value), CNS_OK);
    }
    for (int tries = 0; tries < 3; tries++) {
        cns_var v = any_output(t);
        if (below(t, 2) && cns_model_is_literal(&t->model, v)) {
            t->assumptions[t->assumption_count++] = below(t, 2) ? v : ~v;
        }
    }
    solver_random_count(&t->model, keep_solution, t);
}

static bool allowed(const cns_var *assumptions, uint32_t count, const int64_t *values) {
    for (uint32_t k = 0; k < count; k++) {
        if (cns_model_value(values, assumptions[k]) == 0) {
            return false;
        }
    }
    return true;
}

/* As minimised. */
static int64_t cost_of(const cns_model *m, const int64_t *values) {
    if (m->goal == CNS_SATISFY) {
        return 0;
    }
    int64_t objective = cns_model_value(values, m->objective);
    return m->goal == CNS_MAXIMIZE ? -objective : objective;
}

/* The least cost under the assumptions; INT64_MAX: there is no solution. */
static int64_t least_cost(const tiny *t, const cns_var *assumptions, uint32_t count) {
    int64_t least = INT64_MAX;
    for (uint32_t k = 0; k < t->solution_count; k++) {
        if (allowed(assumptions, count, t->solutions[k])) {
            int64_t cost = cost_of(&t->model, t->solutions[k]);
            least = cost < least ? cost : least;
        }
    }
    return least;
}

static void check_solution(const tiny *t, const int64_t *values) {
    bool holds;
    uint32_t failed;
    uint32_t variable;
    ck_assert_int_eq(cns_model_evaluate_all(&t->model, values, &holds, &failed, &variable), CNS_OK);
    ck_assert_msg(holds, "a solution does not hold");
    ck_assert_msg(allowed(t->assumptions, t->assumption_count, values),
                  "a solution breaks an assumption");
}

static void check_core(const tiny *t, const cns_search *search) {
    cns_var core[3];
    ck_assert_uint_le(search->core_count, t->assumption_count);
    for (uint32_t k = 0; k < search->core_count; k++) {
        ck_assert_uint_lt(search->core[k], t->assumption_count);
        core[k] = t->assumptions[search->core[k]];
    }
    ck_assert_msg(least_cost(t, core, search->core_count) == INT64_MAX,
                  "a core that has solutions");
}

/* Rounds until the team has searched all. */
static cns_status run_team(tiny *t, cns_team *team, const cns_orders *orders) {
    static const _Atomic bool never = false;
    int64_t best = INT64_MAX;
    cns_round round = {.orders = orders, .cancelled = &never};
    for (int steps = 0;; steps++) {
        ck_assert_int_lt(steps, 1000000);
        cns_team_begin(team, 1 + below(t, 300));
        while (!cns_team_spent(team)) {
            cns_status status = cns_team_round(team, &round);
            if (status != CNS_OK) {
                return status;
            }
            ck_assert_int_eq(cns_team_check(team), CNS_OK);
            if (round.values != NULL) {
                check_solution(t, round.values);
                ck_assert(best == INT64_MAX || cost_of(&t->model, round.values) < best);
                best = cost_of(&t->model, round.values);
            }
            bool found = best != INT64_MAX && t->model.goal == CNS_SATISFY;
            if (round.exhausted_by != NULL || found) {
                ck_assert_int_eq(best, least_cost(t, t->assumptions, t->assumption_count));
                if (best == INT64_MAX) {
                    check_core(t, &round.exhausted_by->search);
                }
                return CNS_OK;
            }
        }
    }
}

static uint64_t local_steps; /* of all teams of this process */

static void count_local_steps(const cns_team *team) {
    for (uint32_t k = 0; team != NULL && k < team->count; k++) {
        local_steps += team->members[k].local.steps;
        ck_assert_uint_eq(team->members[k].local.refused, 0);
    }
}

static cns_status search_tiny(cns_context *context, tiny *t, const cns_executor *executor,
                              uint32_t workers, bool deterministic) {
    cns_solve_options options = {.size = sizeof options,
                                 .strategy = (cns_strategy)below(t, 3),
                                 .restart = (cns_restart_policy)below(t, 6),
                                 .restart_scale = (uint32_t)below(t, 4),
                                 .workers = workers,
                                 .executor = executor,
                                 .deterministic = deterministic};
    const cns_orders orders = {&options, t->assumptions, t->assumption_count};
    cns_worker own = {0};
    cns_team *team = NULL;
    cns_status status = cns_worker_open(&own, context, &t->model, 1);
    status = status == CNS_OK ? cns_worker_load(&own, &orders) : status;
    status = status == CNS_OK ? cns_team_create(context, &own, &options, 1, NULL, &team) : status;
    if (status == CNS_OK) {
        cns_team_set_round(team, 1 + below(t, 200));
        status = run_team(t, team, &orders);
    }
    count_local_steps(team);
    cns_team_destroy(team);
    cns_worker_close(&own);
    return status;
}

static void free_tiny(tiny *t) {
    cns_model_deinit(&t->model);
    free(t->solutions);
}

typedef struct threads {
    cns_context *context;
    cns_tasks *tasks;
    cns_executor executor;
} threads;

static void start_threads(threads *t, uint32_t count) {
    t->context = support_context();
    const cns_tasks_config config = {.size = sizeof config, .workers = count};
    ck_assert_int_eq(cns_tasks_create(t->context, &config, &t->tasks), CNS_OK);
    cns_tasks_executor(t->tasks, &t->executor);
}

static void end_threads(threads *t) {
    cns_tasks_destroy(t->tasks);
    support_context_destroy(t->context);
}

static uint64_t number(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

START_TEST(test_teams_agree_with_brute_force) {
    threads pool;
    start_threads(&pool, 3);
    uint64_t first = number("CNS_SOLVER_SEED", 0);
    uint64_t count = number("CNS_SOLVER_MODELS", 250);
    for (uint64_t seed = first; seed < first + count; seed++) {
        cns_context *context = support_context();
        tiny t;
        make_tiny(&t, context, seed);
        if (count == 1) {
            fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        }
        uint32_t workers = 2 + (uint32_t)below(&t, 5);
        support_status(context, CNS_OK, search_tiny(context, &t, &pool.executor, workers, _i != 0));
        free_tiny(&t);
        support_context_destroy(context);
    }
    ck_assert(count < 100 || local_steps > 0);
    end_threads(&pool);
}
END_TEST

/* ---- workers that number otherwise ---------------------------------------------------------- */

/* Workers that search one after the other. */
static cns_status in_turn(void *pool, int64_t begin, int64_t end, int64_t grain, cns_range_fn body,
                          void *user) {
    (void)pool;
    (void)grain;
    return body(user, begin, end);
}

/* Loads the model into `own`, then whatever `change` does to it, and searches with two workers. */
static cns_status search_changed(tiny *t, cns_worker *own, void (*change)(tiny *t)) {
    const cns_executor executor = {.parallel_for = in_turn, .workers = 1};
    cns_solve_options options = {
        .size = sizeof options, .workers = 2, .executor = &executor, .deterministic = true};
    const cns_orders orders = {&options, t->assumptions, t->assumption_count};
    cns_team *team = NULL;
    cns_status status = cns_worker_load(own, &orders);
    if (status == CNS_OK) {
        change(t);
        status = cns_team_create(own->state.context, own, &options, 1, NULL, &team);
    }
    if (status == CNS_OK) {
        cns_team_set_round(team, 50);
        status = run_team(t, team, &orders);
    }
    cns_team_destroy(team);
    cns_worker_close(own);
    return status;
}

/* Sums over variables in an order of their own, then one of which exactly one is 1. */
static void make_sums(tiny *t, cns_context *context) {
    enum { ITEMS = 6 };
    memset(t, 0, sizeof *t);
    cns_rng_seed(&t->rng, 1);
    ck_assert_int_eq(cns_model_init(&t->model, context), CNS_OK);
    cns_var x[ITEMS + 1], back[ITEMS + 1];
    const int64_t ones[] = {1, 1, 1, 1, 1, 1}, one[] = {1}, zero[] = {0};
    const int64_t costs[] = {-1, 5, 3, 4, 6, 2, 7};
    for (int k = 0; k <= ITEMS; k++) {
        const int64_t range[] = {0, k < ITEMS ? 1 : 20};
        ck_assert_int_eq(cns_model_new_var(&t->model, range, 1, NULL, &x[k]), CNS_OK);
    }
    for (int k = 0; k <= ITEMS; k++) {
        back[k] = x[ITEMS - k];
    }
    const cns_constraint cost = {.size = sizeof cost,
                                 .kind = CNS_LINEAR_EQ,
                                 .v = {back},
                                 .v_count = {ITEMS + 1},
                                 .i = {costs, zero},
                                 .i_count = {ITEMS + 1, 1}};
    const cns_constraint exactly = {.size = sizeof exactly,
                                    .kind = CNS_LINEAR_EQ,
                                    .v = {x},
                                    .v_count = {ITEMS - 2},
                                    .i = {ones, one},
                                    .i_count = {ITEMS - 2, 1}};
    ck_assert_int_eq(cns_model_add(&t->model, &cost), CNS_OK);
    ck_assert_int_eq(cns_model_add(&t->model, &exactly), CNS_OK);
    ck_assert_int_eq(cns_model_set_goal(&t->model, CNS_MINIMIZE, x[ITEMS]), CNS_OK);
    solver_random_count(&t->model, keep_solution, t);
}

static void exchange_constraints(tiny *t) {
    const cns_model_constraint first = t->model.constraints[0];
    t->model.constraints[0] = t->model.constraints[1];
    t->model.constraints[1] = first;
}

/* A worker that has loaded other things, though no more and no less, does not join. */
START_TEST(test_other_numbers_are_refused) {
    cns_context *context = support_context();
    tiny t = {.solutions = NULL};
    ck_assert_int_eq(cns_model_init(&t.model, context), CNS_OK);
    cns_var x[4];
    for (int k = 0; k < 4; k++) {
        ck_assert_int_eq(cns_model_new_var(&t.model, (int64_t[]){0, 5}, 1, NULL, &x[k]), CNS_OK);
    }
    for (int k = 0; k < 2; k++) {
        const cns_constraint differ = {.size = sizeof differ,
                                       .kind = CNS_ALLDIFFERENT,
                                       .v = {k == 0 ? x : x + 1},
                                       .v_count = {3}};
        ck_assert_int_eq(cns_model_add(&t.model, &differ), CNS_OK);
    }
    cns_worker own = {0};
    ck_assert_int_eq(cns_worker_open(&own, context, &t.model, 1), CNS_OK);
    support_status(context, CNS_E_CORRUPT, search_changed(&t, &own, exchange_constraints));
    free_tiny(&t);
    support_context_destroy(context);
}
END_TEST

static void leave_alone(tiny *t) {
    (void)t;
}

static support_failing refusing; /* for `give_memory` */
static bool was_refused;

static void give_memory(tiny *t) {
    (void)t;
    was_refused = atomic_exchange(&refusing.countdown, -1) == -1;
}

/* The first worker had no memory for presolve, and so numbers otherwise than the second one. */
START_TEST(test_other_numbers_go_apart) {
    uint32_t apart = 0;
    cns_context *plain = support_context();
    tiny t;
    make_sums(&t, plain);
    cns_worker whole = {0};
    ck_assert_int_eq(cns_worker_open(&whole, plain, &t.model, 1), CNS_OK);
    ck_assert_int_eq(search_changed(&t, &whole, leave_alone), CNS_OK);
    was_refused = true;
    for (int64_t nth = 0; was_refused; nth++) {
        refusing = (support_failing){.countdown = -1};
        cns_context *context = support_failing_context(&refusing);
        cns_worker own = {0};
        ck_assert_int_eq(cns_worker_open(&own, context, &t.model, 1), CNS_OK);
        atomic_store(&refusing.countdown, nth);
        cns_status status = search_changed(&t, &own, give_memory);
        ck_assert(status == CNS_OK || status == CNS_E_NOMEM);
        apart += status == CNS_OK && own.numbering != whole.numbering;
        support_context_destroy(context);
    }
    ck_assert_uint_gt(apart, 0);
    free_tiny(&t);
    support_context_destroy(plain);
}
END_TEST

/* ---- memory that gives out ------------------------------------------------------------------ */

static threads *failing_pool; /* for `attempt`, in a process of its own */
static uint64_t failing_seed;

static cns_status attempt(cns_context *context) {
    cns_context *plain = support_context();
    tiny t;
    make_tiny(&t, plain, failing_seed);
    cns_status status = search_tiny(context, &t, &failing_pool->executor, 3, true);
    free_tiny(&t);
    support_context_destroy(plain);
    return status;
}

START_TEST(test_failing_memory) {
    threads pool;
    start_threads(&pool, 2);
    failing_pool = &pool;
    for (failing_seed = 1; failing_seed < 3; failing_seed++) {
        support_each_allocation_fails(attempt);
    }
    end_threads(&pool);
}
END_TEST

/* ---- models through the public interface ---------------------------------------------------- */

static cns_var new_int(cns_solver *s, int64_t low, int64_t high) {
    cns_var v = 0;
    ck_assert_int_eq(cns_solver_new_int(s, low, high, NULL, &v), CNS_OK);
    return v;
}

static cns_var constant(cns_solver *s, int64_t value) {
    cns_var v = 0;
    ck_assert_int_eq(cns_solver_constant(s, value, &v), CNS_OK);
    return v;
}

/* a x + b y <= c */
static void add_le(cns_solver *s, int64_t a, cns_var x, int64_t b, cns_var y, int64_t c) {
    const cns_constraint le = {.size = sizeof le,
                               .kind = CNS_LINEAR_LE,
                               .v = {(cns_var[]){x, y}},
                               .v_count = {2},
                               .i = {(int64_t[]){a, b}, &c},
                               .i_count = {2, 1}};
    ck_assert_int_eq(cns_solver_add(s, &le), CNS_OK);
}

enum { FT06 = 6 };

static const int ft06[FT06][2 * FT06] = {
    {2, 1, 0, 3, 1, 6, 3, 7, 5, 3, 4, 6}, {1, 8, 2, 5, 4, 10, 5, 10, 0, 10, 3, 4},
    {2, 5, 3, 4, 5, 8, 0, 9, 1, 1, 4, 7}, {1, 5, 0, 5, 2, 5, 3, 3, 4, 8, 5, 9},
    {2, 9, 1, 3, 4, 5, 5, 4, 0, 3, 3, 1}, {1, 3, 3, 3, 5, 9, 0, 10, 4, 4, 2, 1},
};

/* Machines and durations by job and step. */
static cns_var add_shop(cns_solver *s, uint32_t jobs, uint32_t machines, const int *data) {
    enum { MOST = 12 };
    int64_t horizon = 0;
    for (uint32_t k = 0; k < jobs * machines; k++) {
        horizon += data[2 * k + 1];
    }
    cns_var end = new_int(s, 0, horizon);
    cns_var starts[MOST][MOST];
    cns_var durations[MOST][MOST];
    for (uint32_t j = 0; j < jobs; j++) {
        cns_var before = -1;
        for (uint32_t k = 0; k < machines; k++) {
            const int *step = data + 2 * (j * machines + k);
            cns_var start = new_int(s, 0, horizon);
            starts[step[0]][j] = start;
            durations[step[0]][j] = constant(s, step[1]);
            if (k > 0) {
                add_le(s, 1, before, -1, start, -step[-1]);
            }
            if (k + 1 == machines) {
                add_le(s, 1, start, -1, end, -step[1]);
            }
            before = start;
        }
    }
    for (uint32_t m = 0; m < machines; m++) {
        const cns_constraint machine = {.size = sizeof machine,
                                        .kind = CNS_DISJUNCTIVE,
                                        .v = {starts[m], durations[m]},
                                        .v_count = {jobs, jobs}};
        ck_assert_int_eq(cns_solver_add(s, &machine), CNS_OK);
    }
    ck_assert_int_eq(cns_solver_set_goal(s, CNS_MINIMIZE, end), CNS_OK);
    return end;
}

static void add_random_shop(cns_solver *s, uint64_t seed, uint32_t size) {
    int data[2 * 12 * 12];
    cns_rng rng;
    cns_rng_seed(&rng, seed);
    for (uint32_t j = 0; j < size; j++) {
        for (uint32_t k = 0; k < size; k++) {
            int *step = data + 2 * (j * size + k);
            uint32_t other = (uint32_t)cns_rng_below(&rng, k + 1);
            step[0] = (int)k;
            int *swapped = data + 2 * (j * size + other);
            step[0] = swapped[0];
            swapped[0] = (int)k;
            step[1] = 1 + (int)cns_rng_below(&rng, 99);
        }
    }
    add_shop(s, size, size, data);
}

/* Marks of a ruler, all distances between which differ; the shortest. */
static void add_golomb(cns_solver *s, int marks) {
    enum { MOST = 12 };
    cns_var x[MOST];
    cns_var distances[MOST * MOST];
    uint32_t count = 0;
    for (int k = 0; k < marks; k++) {
        x[k] = k == 0 ? constant(s, 0) : new_int(s, 0, (int64_t)marks * marks);
        for (int j = 0; j < k; j++) {
            cns_var d = new_int(s, 1, (int64_t)marks * marks);
            const int64_t zero = 0;
            const cns_constraint sum = {.size = sizeof sum,
                                        .kind = CNS_LINEAR_EQ,
                                        .v = {(cns_var[]){x[k], x[j], d}},
                                        .v_count = {3},
                                        .i = {(int64_t[]){1, -1, -1}, &zero},
                                        .i_count = {3, 1}};
            ck_assert_int_eq(cns_solver_add(s, &sum), CNS_OK);
            distances[count++] = d;
        }
    }
    const cns_constraint differ = {
        .size = sizeof differ, .kind = CNS_ALLDIFFERENT, .v = {distances}, .v_count = {count}};
    ck_assert_int_eq(cns_solver_add(s, &differ), CNS_OK);
    ck_assert_int_eq(cns_solver_set_goal(s, CNS_MINIMIZE, x[marks - 1]), CNS_OK);
    ck_assert_int_eq(cns_solver_add_search(s, x, (size_t)marks, CNS_INPUT_ORDER, CNS_INDOMAIN_MIN),
                     CNS_OK);
}

/* `pigeons` into one hole less: each pair excluded by its own clause. */
static void add_pigeons(cns_solver *s, int pigeons) {
    enum { MOST = 12 };
    cns_var in[MOST][MOST];
    for (int p = 0; p < pigeons; p++) {
        for (int h = 0; h < pigeons - 1; h++) {
            ck_assert_int_eq(cns_solver_new_bool(s, NULL, &in[p][h]), CNS_OK);
        }
        const cns_constraint somewhere = {.size = sizeof somewhere,
                                          .kind = CNS_CLAUSE,
                                          .v = {in[p]},
                                          .v_count = {(size_t)pigeons - 1}};
        ck_assert_int_eq(cns_solver_add(s, &somewhere), CNS_OK);
        for (int q = 0; q < p; q++) {
            for (int h = 0; h < pigeons - 1; h++) {
                const cns_constraint apart = {.size = sizeof apart,
                                              .kind = CNS_CLAUSE,
                                              .v = {(cns_var[]){~in[p][h], ~in[q][h]}},
                                              .v_count = {2}};
                ck_assert_int_eq(cns_solver_add(s, &apart), CNS_OK);
            }
        }
    }
}

static cns_solver *new_solver(cns_context *context, uint64_t seed) {
    const cns_solver_config config = {.size = sizeof config, .seed = seed};
    cns_solver *s = NULL;
    ck_assert_int_eq(cns_solver_create(context, &config, &s), CNS_OK);
    return s;
}

static void set_workers(cns_solver *s, const threads *pool, uint32_t workers, bool deterministic) {
    const cns_solve_options options = {.size = sizeof options,
                                       .strategy = CNS_STRATEGY_FREE,
                                       .workers = workers,
                                       .executor = &pool->executor,
                                       .deterministic = deterministic};
    ck_assert_int_eq(cns_solver_set_options(s, &options), CNS_OK);
}

/* What a whole search looks like from outside. */
typedef struct history {
    uint64_t hash; /* of all solutions, in order */
    cns_solver_stats stats;
    int64_t optimum;
} history;

static history solve_all(cns_context *context, cns_solver *s, uint64_t ticks) {
    history h = {.hash = 1};
    cns_outcome outcome = CNS_RUNNING;
    for (;;) {
        support_status(context, CNS_OK, cns_solver_step(s, ticks, &outcome));
        if (outcome == CNS_COMPLETE) {
            break;
        }
        ck_assert_int_ne(outcome, CNS_STOPPED);
        for (cns_var v = 0; outcome == CNS_SOLUTION && v < (cns_var)cns_solver_variable_count(s);
             v++) {
            int64_t value = 0;
            ck_assert_int_eq(cns_solver_value(s, v, &value), CNS_OK);
            h.hash = h.hash * UINT64_C(6364136223846793005) + (uint64_t)value;
        }
    }
    cns_solver_get_stats(s, &h.stats);
    h.optimum = h.stats.objective;
    ck_assert_int_eq(cns_solver_check(s), CNS_OK);
    return h;
}

START_TEST(test_published_optima) {
    threads pool;
    start_threads(&pool, 2);
    for (uint32_t workers = 1; workers <= 4; workers++) {
        cns_context *context = support_context();
        cns_solver *s = new_solver(context, workers);
        add_shop(s, FT06, FT06, &ft06[0][0]);
        set_workers(s, &pool, workers, _i != 0);
        ck_assert_int_eq(solve_all(context, s, 0).optimum, 55);
        cns_solver_destroy(s);
        s = new_solver(context, workers);
        add_golomb(s, 7 + _i);
        set_workers(s, &pool, workers, _i != 0);
        history h = solve_all(context, s, workers % 2 == 0 ? 100000 : 0);
        ck_assert_int_eq(h.optimum, _i == 0 ? 25 : 34);
        ck_assert(h.stats.proved);
        ck_assert_int_eq(h.stats.bound, h.optimum);
        cns_solver_destroy(s);
        support_context_destroy(context);
    }
    end_threads(&pool);
}
END_TEST

static void same_history(const history *a, const history *b) {
    ck_assert_uint_eq(a->hash, b->hash);
    ck_assert_int_eq(a->optimum, b->optimum);
    ck_assert_uint_eq(a->stats.solutions, b->stats.solutions);
    solver_same_search(&a->stats, &b->stats);
    ck_assert_uint_eq(a->stats.restarts, b->stats.restarts);
    ck_assert_uint_eq(a->stats.learnt, b->stats.learnt);
}

/* The same history for any number of threads and any cutting into steps; another seed is free to
 * differ, so that the comparison is seen to compare something. */
START_TEST(test_determinism) {
    static const uint32_t counts[] = {1, 2, 4, 2};
    static const uint64_t ticks[] = {0, 0, 333333, 1000001};
    history first = {0};
    for (int k = 0; k < 4; k++) {
        threads pool;
        start_threads(&pool, counts[k]);
        cns_context *context = support_context();
        cns_solver *s = new_solver(context, 7);
        add_random_shop(s, 3, 7);
        set_workers(s, &pool, (uint32_t)_i, true);
        history h = solve_all(context, s, ticks[k]);
        ck_assert_uint_gt(h.stats.ticks, (uint64_t)_i * 400000); /* all workers took part */
        if (k == 0) {
            first = h;
        }
        same_history(&first, &h);
        cns_solver_destroy(s);
        support_context_destroy(context);
        end_threads(&pool);
    }
}
END_TEST

START_TEST(test_infeasible_and_core) {
    threads pool;
    start_threads(&pool, 2);
    cns_context *context = support_context();
    cns_solver *s = new_solver(context, 1);
    add_pigeons(s, 8);
    set_workers(s, &pool, 3, _i != 0);
    history h = solve_all(context, s, 0);
    ck_assert(!h.stats.has_solution);
    const cns_var *core = NULL;
    size_t count = 1;
    support_status(context, CNS_OK, cns_solver_core(s, 0, &core, &count));
    ck_assert_uint_eq(count, 0);
    cns_solver_destroy(s);

    s = new_solver(context, 1); /* FT06 in 54: only the assumption about the end is to blame */
    cns_var end = add_shop(s, FT06, FT06, &ft06[0][0]);
    cns_var early = 0;
    cns_var other = 0;
    ck_assert_int_eq(cns_solver_new_bool(s, "early", &early), CNS_OK);
    ck_assert_int_eq(cns_solver_new_bool(s, "other", &other), CNS_OK);
    add_le(s, 1, end, 143, early, 54 + 143);
    set_workers(s, &pool, 3, _i != 0);
    ck_assert_int_eq(cns_solver_assume(s, (cns_var[]){other, early}, 2), CNS_OK);
    h = solve_all(context, s, 0);
    ck_assert(!h.stats.has_solution);
    support_status(context, CNS_OK, cns_solver_core(s, 1, &core, &count));
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(core[0], early);
    ck_assert_int_eq(cns_solver_assume(s, &other, 1), CNS_OK); /* and without it, on the same */
    ck_assert_int_eq(solve_all(context, s, 0).optimum, 55);
    cns_solver_destroy(s);
    support_context_destroy(context);
    end_threads(&pool);
}
END_TEST

/* Constraints that come between steps hold for all workers. */
START_TEST(test_constraints_added_later) {
    threads pool;
    start_threads(&pool, 2);
    cns_context *context = support_context();
    cns_solver *s = new_solver(context, 1);
    cns_var end = add_shop(s, FT06, FT06, &ft06[0][0]);
    set_workers(s, &pool, 4, _i != 0);
    cns_outcome outcome = CNS_RUNNING;
    for (int step = 0; step < 4; step++) {
        support_status(context, CNS_OK, cns_solver_step(s, 150000, &outcome));
        add_le(s, -1, end, 0, end, -60 - step); /* end >= 60 + step */
    }
    ck_assert_int_eq(cns_solver_restart(s), CNS_OK);
    ck_assert_int_eq(solve_all(context, s, 0).optimum, 63);
    cns_solver_destroy(s);
    support_context_destroy(context);
    end_threads(&pool);
}
END_TEST

/* All solutions come once each: 8 queens have 92. */
START_TEST(test_all_solutions) {
    threads pool;
    start_threads(&pool, 2);
    cns_context *context = support_context();
    cns_solver *s = new_solver(context, 1);
    cns_var lines[3][8];
    for (int k = 0; k < 8; k++) {
        lines[0][k] = new_int(s, 1, 8);
        for (int side = 1; side < 3; side++) {
            int64_t shift = side == 1 ? k : -k;
            lines[side][k] = new_int(s, -8, 16);
            add_le(s, 1, lines[0][k], -1, lines[side][k], -shift);
            add_le(s, -1, lines[0][k], 1, lines[side][k], shift);
        }
    }
    for (int side = 0; side < 3; side++) {
        const cns_constraint differ = {
            .size = sizeof differ, .kind = CNS_ALLDIFFERENT, .v = {lines[side]}, .v_count = {8}};
        ck_assert_int_eq(cns_solver_add(s, &differ), CNS_OK);
    }
    const cns_solve_options options = {
        .size = sizeof options, .all_solutions = 1, .workers = 4, .executor = &pool.executor};
    ck_assert_int_eq(cns_solver_set_options(s, &options), CNS_OK);
    ck_assert_uint_eq(solve_all(context, s, 0).stats.solutions, 92);
    cns_solver_destroy(s);
    support_context_destroy(context);
    end_threads(&pool);
}
END_TEST

/* ---- limits --------------------------------------------------------------------------------- */

START_TEST(test_step_budget) {
    threads pool;
    start_threads(&pool, 2);
    cns_context *context = support_context();
    cns_solver *s = new_solver(context, 1);
    add_random_shop(s, 5, 10);
    set_workers(s, &pool, 3, _i != 0);
    cns_outcome outcome = CNS_RUNNING;
    cns_solver_stats before;
    cns_solver_stats after;
    int full = 0;
    for (int step = 0; step < 200; step++) {
        cns_solver_get_stats(s, &before);
        support_status(context, CNS_OK, cns_solver_step(s, 50000, &outcome));
        cns_solver_get_stats(s, &after);
        uint64_t spent = after.ticks - before.ticks;
        ck_assert_uint_le(spent, 3 * 100000 + (step < 12 ? 300000 : 0)); /* loading counts, too */
        full += outcome == CNS_RUNNING && spent >= 3 * 50000;
    }
    ck_assert_int_gt(full, 10);
    cns_solver_destroy(s);
    support_context_destroy(context);
    end_threads(&pool);
}
END_TEST

static void cancel_later(void *user) {
    cns_solver *s = user;
    cns_os_sleep(UINT64_C(30000000));
    cns_solver_cancel(s);
}

START_TEST(test_cancel_and_time_limit) {
    threads pool;
    start_threads(&pool, 2);
    cns_context *context = support_context();
    cns_solver *s = new_solver(context, 1);
    add_golomb(s, 12);
    cns_solve_options options = {.size = sizeof options,
                                 .workers = 3,
                                 .executor = &pool.executor,
                                 .deterministic = _i != 0,
                                 .time_limit = UINT64_C(200000000)};
    cns_outcome outcome = CNS_RUNNING;
    for (int limited = 0; limited < 2; limited++) {
        if (limited) {
            ck_assert_int_eq(cns_solver_set_options(s, &options), CNS_OK);
        } else {
            set_workers(s, &pool, 3, _i != 0);
        }
        cns_os_thread canceller;
        if (!limited) {
            ck_assert_int_eq(cns_os_thread_create(&canceller, cancel_later, s, NULL, 0), 0);
        }
        uint64_t start = cns_os_clock();
        do {
            support_status(context, CNS_OK, cns_solver_step(s, 0, &outcome));
        } while (outcome == CNS_SOLUTION);
        ck_assert_int_eq(outcome, CNS_STOPPED);
        ck_assert_uint_lt(cns_os_clock() - start, UINT64_C(20000000000)); /* under sanitizers */
        if (!limited) {
            cns_os_thread_join(&canceller);
        }
        ck_assert_int_eq(cns_solver_check(s), CNS_OK);
        ck_assert_int_eq(cns_solver_restart(s), CNS_OK);
    }
    options.time_limit = 0;
    options.conflict_limit = 3000;
    ck_assert_int_eq(cns_solver_set_options(s, &options), CNS_OK);
    for (int again = 0; again < 2; again++) { /* restarting takes the limit's count back */
        cns_solver_stats before;
        cns_solver_stats after;
        cns_solver_get_stats(s, &before);
        do {
            support_status(context, CNS_OK, cns_solver_step(s, 0, &outcome));
        } while (outcome == CNS_SOLUTION);
        ck_assert_int_eq(outcome, CNS_STOPPED);
        cns_solver_get_stats(s, &after);
        ck_assert_uint_ge(after.failures, 3000);
        ck_assert_int_eq(cns_solver_restart(s), CNS_OK);
    }
    cns_solver_destroy(s);
    support_context_destroy(context);
    end_threads(&pool);
}
END_TEST

/* No counter of work falls, whoever was sent away between the two looks. */
static void check_counters(const cns_solver_stats *before, const cns_solver_stats *after) {
    ck_assert_uint_ge(after->nodes, before->nodes);
    ck_assert_uint_ge(after->failures, before->failures);
    ck_assert_uint_ge(after->restarts, before->restarts);
    ck_assert_uint_ge(after->propagations, before->propagations);
    ck_assert_uint_ge(after->solutions, before->solutions);
    ck_assert_uint_ge(after->ticks, before->ticks);
    ck_assert_uint_ge(after->peak_depth, before->peak_depth);
    ck_assert_uint_ge(after->learnt, before->learnt);
}

/* The limit is on the failures of all workers together, also of those that were sent away; a team
 * stops soon when it is reached. */
START_TEST(test_conflict_limit) {
    enum { LIMIT = 2000 };
    threads pool;
    start_threads(&pool, 2);
    cns_context *context = support_context();
    cns_solver *s = new_solver(context, 1);
    add_golomb(s, 12);
    cns_solve_options options = {.size = sizeof options,
                                 .workers = 3,
                                 .executor = &pool.executor,
                                 .deterministic = _i != 0,
                                 .conflict_limit = LIMIT};
    ck_assert_int_eq(cns_solver_set_options(s, &options), CNS_OK);
    cns_outcome outcome = CNS_RUNNING;
    do {
        support_status(context, CNS_OK, cns_solver_step(s, 0, &outcome));
    } while (outcome == CNS_SOLUTION);
    ck_assert_int_eq(outcome, CNS_STOPPED);
    cns_solver_stats together;
    cns_solver_get_stats(s, &together);
    ck_assert_uint_ge(together.failures, LIMIT);
    ck_assert(options.deterministic || together.failures < 2 * LIMIT);
    options.workers = 1; /* and another problem: the others go */
    ck_assert_int_eq(cns_solver_set_options(s, &options), CNS_OK);
    const cns_var any[] = {new_int(s, 0, 1)};
    const cns_constraint more = {
        .size = sizeof more, .kind = CNS_CLAUSE, .v = {any}, .v_count = {1}};
    support_status(context, CNS_OK, cns_solver_add(s, &more));
    support_status(context, CNS_OK, cns_solver_step(s, 10000000, &outcome));
    ck_assert_int_eq(outcome, CNS_STOPPED);
    cns_solver_stats alone;
    cns_solver_get_stats(s, &alone);
    check_counters(&together, &alone);
    options.conflict_limit = together.failures + 1000;
    ck_assert_int_eq(cns_solver_set_options(s, &options), CNS_OK);
    do {
        support_status(context, CNS_OK, cns_solver_step(s, 0, &outcome));
    } while (outcome == CNS_SOLUTION);
    ck_assert_int_eq(outcome, CNS_STOPPED);
    uint64_t before = alone.failures;
    together = alone;
    cns_solver_get_stats(s, &alone);
    check_counters(&together, &alone);
    ck_assert_uint_ge(alone.failures - before, 1000);
    ck_assert_uint_lt(alone.failures - before, 2000);
    cns_solver_destroy(s);
    support_context_destroy(context);
    end_threads(&pool);
}
END_TEST

/* Random allocations of a longer search fail; with memory again, it ends as it should. */
START_TEST(test_memory_gives_out) {
    threads pool;
    start_threads(&pool, 2);
    cns_rng rng;
    cns_rng_seed(&rng, 11);
    for (int k = 0; k < 10; k++) {
        support_failing failing = {.countdown = -1};
        cns_context *context = support_failing_context(&failing);
        cns_solver *s = new_solver(context, 1);
        add_shop(s, FT06, FT06, &ft06[0][0]);
        set_workers(s, &pool, 3, _i != 0);
        atomic_store(&failing.countdown, (int64_t)cns_rng_below(&rng, 4000));
        cns_outcome outcome = CNS_RUNNING;
        while (outcome != CNS_COMPLETE) {
            cns_status status = cns_solver_step(s, 0, &outcome);
            support_status(context, status == CNS_OK ? CNS_OK : CNS_E_NOMEM, status);
            ck_assert(status == CNS_OK || cns_solver_check(s) == CNS_OK);
        }
        cns_solver_stats stats;
        cns_solver_get_stats(s, &stats);
        ck_assert_int_eq(stats.objective, 55);
        cns_solver_destroy(s);
        support_context_destroy(context);
        ck_assert_int_eq(atomic_load(&failing.live_blocks), 0);
    }
    end_threads(&pool);
}
END_TEST

enum { PEOPLE = 15 };

/* Who does which of as many tasks, at the least sum of random costs. */
static void add_assignment(cns_solver *s, uint32_t seed) {
    cns_var task[PEOPLE], costs[PEOPLE + 1];
    int64_t ones[PEOPLE + 1];
    const int64_t zero = 0;
    for (int i = 0; i < PEOPLE; i++) {
        task[i] = new_int(s, 0, PEOPLE - 1);
    }
    for (int i = 0; i < PEOPLE; i++) {
        int64_t table[PEOPLE];
        for (int j = 0; j < PEOPLE; j++) {
            seed = seed * 1103515245u + 12345u;
            table[j] = (seed >> 16 & 0x7fff) % 1000;
        }
        costs[i] = new_int(s, 0, 1000);
        ones[i] = 1;
        const cns_constraint cost = {.size = sizeof cost,
                                     .kind = CNS_ELEMENT,
                                     .v = {(cns_var[]){task[i], costs[i]}},
                                     .v_count = {2},
                                     .i = {&zero, table},
                                     .i_count = {1, PEOPLE}};
        ck_assert_int_eq(cns_solver_add(s, &cost), CNS_OK);
    }
    const cns_constraint differ = {
        .size = sizeof differ, .kind = CNS_ALLDIFFERENT, .v = {task}, .v_count = {PEOPLE}};
    ck_assert_int_eq(cns_solver_add(s, &differ), CNS_OK);
    costs[PEOPLE] = new_int(s, 0, 1000 * PEOPLE);
    ones[PEOPLE] = -1;
    const cns_constraint sum = {.size = sizeof sum,
                                .kind = CNS_LINEAR_EQ,
                                .v = {costs},
                                .v_count = {PEOPLE + 1},
                                .i = {ones, &zero},
                                .i_count = {PEOPLE + 1, 1}};
    ck_assert_int_eq(cns_solver_add(s, &sum), CNS_OK);
    ck_assert_int_eq(cns_solver_set_goal(s, CNS_MINIMIZE, costs[PEOPLE]), CNS_OK);
}

/* In the middle of a round a member may know a limit from a solution that is not told yet. */
START_TEST(test_a_team_may_be_sent_away) {
    threads pool;
    start_threads(&pool, 2);
    cns_context *context = support_context();
    cns_solver *s = new_solver(context, 0);
    add_assignment(s, 3);
    int64_t optimum = solve_all(context, s, 0).optimum;
    cns_solver_destroy(s);
    for (int steps = 30; steps < 44; steps++) {
        const cns_solve_options options = {
            .size = sizeof options, .workers = 2, .executor = &pool.executor, .deterministic = 1};
        s = new_solver(context, 0);
        add_assignment(s, 3);
        ck_assert_int_eq(cns_solver_set_options(s, &options), CNS_OK);
        cns_outcome outcome = CNS_RUNNING;
        for (int k = 0; k < steps && outcome != CNS_COMPLETE; k++) {
            support_status(context, CNS_OK, cns_solver_step(s, 30000, &outcome));
        }
        cns_solver_stats together, alone;
        cns_solver_get_stats(s, &together);
        ck_assert_int_eq(cns_solver_set_options(s, NULL), CNS_OK);
        cns_solver_get_stats(s, &alone);
        check_counters(&together, &alone);
        ck_assert_int_eq(solve_all(context, s, 0).optimum, optimum);
        cns_solver_get_stats(s, &alone);
        check_counters(&together, &alone);
        cns_solver_destroy(s);
    }
    support_context_destroy(context);
    end_threads(&pool);
}
END_TEST

enum { ATOMS = 250, CLAUSES = 1060 };

/* Random 3-SAT where about half of the formulas have a solution. */
static void add_formula(cns_solver *s, uint64_t seed) {
    cns_rng rng;
    cns_rng_seed(&rng, seed);
    for (int k = 0; k < CLAUSES; k++) {
        cns_var lits[3];
        for (int i = 0; i < 3; i++) {
            cns_var atom = (cns_var)cns_rng_below(&rng, ATOMS);
            lits[i] = cns_rng_below(&rng, 2) != 0 ? atom : ~atom;
        }
        const cns_constraint clause = {
            .size = sizeof clause, .kind = CNS_CLAUSE, .v = {lits}, .v_count = {3}};
        ck_assert_int_eq(cns_solver_add(s, &clause), CNS_OK);
    }
}

/* A formula that comes behind a first step: whoever joins then must mean the same by each number as
 * the first worker, which was loaded bit by bit. One worker alone says what is right. */
START_TEST(test_workers_join_a_model_that_grew) {
    static const uint64_t seeds[] = {17, 18};
    threads pool;
    start_threads(&pool, 2);
    cns_context *context = support_context();
    for (size_t k = 0; k < 2 * (sizeof seeds / sizeof *seeds); k++) {
        bool joined = k % 2 != 0;
        cns_solver *s = new_solver(context, 0);
        cns_outcome outcome = CNS_SOLUTION;
        set_workers(s, &pool, joined ? 3 : 1, true);
        for (int v = 0; v < ATOMS; v++) {
            ck_assert_int_eq(cns_solver_new_bool(s, NULL, &(cns_var){0}), CNS_OK);
        }
        if (joined) {
            support_status(context, CNS_OK, cns_solver_step(s, 0, &outcome));
            ck_assert_int_eq(outcome, CNS_SOLUTION);
        }
        add_formula(s, seeds[k / 2]);
        support_status(context, CNS_OK, cns_solver_step(s, 0, &outcome));
        ck_assert_int_eq(outcome, CNS_SOLUTION);
        cns_solver_destroy(s);
    }
    support_context_destroy(context);
    end_threads(&pool);
}
END_TEST

/* The same of a model that changes while it is loaded in pieces: of which variables matter alone.
 */
START_TEST(test_workers_join_a_model_that_changed_half_way) {
    threads pool;
    start_threads(&pool, 2);
    cns_context *context = support_context();
    cns_solver *s = new_solver(context, 0);
    set_workers(s, &pool, 3, true);
    for (int v = 0; v < ATOMS; v++) {
        ck_assert_int_eq(cns_solver_new_bool(s, NULL, &(cns_var){0}), CNS_OK);
    }
    for (int v = 0; v < 40; v++) {
        new_int(s, 0, 9); /* of no constraint: loaded as outputs */
    }
    add_formula(s, 17);
    cns_outcome outcome;
    cns_solver_stats stats = {0};
    while (stats.int_vars == 0) {
        support_status(context, CNS_OK, cns_solver_step(s, 5, &outcome));
        ck_assert_int_eq(outcome, CNS_RUNNING);
        cns_solver_get_stats(s, &stats);
    }
    ck_assert_int_eq(cns_solver_mark_output(s, 0), CNS_OK);
    support_status(context, CNS_OK, cns_solver_step(s, 0, &outcome));
    ck_assert_int_eq(outcome, CNS_SOLUTION);
    cns_solver_destroy(s);
    support_context_destroy(context);
    end_threads(&pool);
}
END_TEST

START_TEST(test_workers_need_an_executor) {
    cns_context *context = support_context();
    cns_solver *s = new_solver(context, 1);
    cns_solve_options options = {.size = sizeof options, .workers = 2};
    support_status(context, CNS_E_INVALID, cns_solver_set_options(s, &options));
    char message[256];
    cns_context_message(context, message, sizeof message);
    ck_assert_ptr_nonnull(strstr(message, "executor"));
    options.workers = 1;
    support_status(context, CNS_OK, cns_solver_set_options(s, &options));
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver parallel");
    TCase *teams = tcase_create("teams");
    tcase_set_timeout(teams, 1200);
    tcase_add_loop_test(teams, test_teams_agree_with_brute_force, 0, 2);
    tcase_add_test(teams, test_other_numbers_are_refused);
    tcase_add_test(teams, test_other_numbers_go_apart);
    tcase_add_test(teams, test_failing_memory);
    suite_add_tcase(suite, teams);
    TCase *solvers = tcase_create("solvers");
    tcase_set_timeout(solvers, 1200);
    tcase_add_loop_test(solvers, test_published_optima, 0, 2);
    tcase_add_loop_test(solvers, test_determinism, 2, 5); /* with local search in turns, or alone */
    tcase_add_loop_test(solvers, test_infeasible_and_core, 0, 2);
    tcase_add_loop_test(solvers, test_constraints_added_later, 0, 2);
    tcase_add_test(solvers, test_all_solutions);
    tcase_add_test(solvers, test_a_team_may_be_sent_away);
    tcase_add_test(solvers, test_workers_join_a_model_that_grew);
    tcase_add_test(solvers, test_workers_join_a_model_that_changed_half_way);
    tcase_add_loop_test(solvers, test_step_budget, 0, 2);
    tcase_add_loop_test(solvers, test_cancel_and_time_limit, 0, 2);
    tcase_add_loop_test(solvers, test_conflict_limit, 0, 2);
    tcase_add_loop_test(solvers, test_memory_gives_out, 0, 2);
    tcase_add_test(solvers, test_workers_need_an_executor);
    suite_add_tcase(suite, solvers);
    return support_run(suite);
}
