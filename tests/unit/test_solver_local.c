/* SPDX-License-Identifier: MIT
 *
 * test_solver_local.c - violations, scores and local search on random tiny models of every kind of
 * constraint, against the evaluator and brute force, and on models that systematic search is bad
 * at.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "solver/local_search.h"
#include "solver_random.h"
#include "support.h"

static uint64_t number(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static const cns_score_limits no_limits;

/* ---- violations ----------------------------------------------------------------------------- */

static void random_values(cns_rng *rng, const cns_model *m, int64_t *values) {
    for (uint32_t v = 0; v < m->variable_count; v++) {
        const cns_model_var *var = &m->variables[v];
        const int64_t *range = m->ints + var->ranges + 2 * cns_rng_below(rng, var->range_count);
        values[v] = range[0] + (int64_t)cns_rng_below(rng, (uint64_t)(range[1] - range[0]) + 1);
    }
}

/* 0 where the evaluator says yes, more where it says no; outputs are what makes them hold. */
START_TEST(test_violations_agree_with_the_evaluator) {
    cns_rng rng;
    cns_rng_seed(&rng, (uint64_t)_i);
    uint64_t held = 0;
    uint64_t failed = 0;
    for (int round = 0; round < 150; round++) {
        cns_context *context = support_context();
        cns_model m;
        ck_assert_int_eq(cns_model_init(&m, context), CNS_OK);
        solver_random_model(&rng, _i, &m);
        int64_t values[64];
        cns_pair scratch[512];
        for (int k = 0; k < 40; k++) {
            random_values(&rng, &m, values);
            for (uint32_t c = 0; c < m.constraint_count; c++) {
                const cns_evaluation e = {&m, &m.constraints[c], values, scratch};
                ck_assert_uint_le(cns_violation_scratch(&m, e.c), 512);
                bool linear = e.c->kind == CNS_LINEAR_EQ || e.c->kind == CNS_LINEAR_NE ||
                              e.c->kind == CNS_LINEAR_LE || e.c->kind == CNS_CLAUSE ||
                              e.c->kind == CNS_XOR;
                int64_t violation = linear ? !cns_evaluate_body(&e) : cns_violation(&e);
                bool holds = cns_evaluate_body(&e);
                ck_assert_msg((violation == 0) == holds, "%s: violation %lld, holds %d",
                              cns_constraint_kind_name((cns_constraint_kind)e.c->kind),
                              (long long)violation, holds);
                ck_assert_int_ge(violation, 0);
                held += holds;
                failed += !holds;
            }
        }
        cns_model_deinit(&m);
        support_context_destroy(context);
    }
    ck_assert_uint_gt(failed, 0);
    ck_assert_uint_gt(held, 0);
}
END_TEST

/* ---- scores --------------------------------------------------------------------------------- */

static bool holds_all(const cns_model *m, const int64_t *values) {
    bool holds;
    uint32_t failed;
    uint32_t variable;
    ck_assert_int_eq(cns_model_evaluate_all(m, values, &holds, &failed, &variable), CNS_OK);
    return holds;
}

/* What random trials leave behind is what would be made anew, and nothing is violated exactly where
 * the evaluator finds nothing wrong. */
START_TEST(test_scores_are_kept_up_to_date) {
    cns_rng rng;
    cns_rng_seed(&rng, 1000 + (uint64_t)_i);
    uint64_t solutions = 0;
    for (int round = 0; round < 60; round++) {
        cns_context *context = support_context();
        cns_model m;
        ck_assert_int_eq(cns_model_init(&m, context), CNS_OK);
        solver_random_model(&rng, _i, &m);
        cns_score s;
        support_status(context, CNS_OK, cns_score_init(&s, context, &m, no_limits));
        cns_score_assign(&s, s.low);
        for (int k = 0; k < 100; k++) {
            int64_t total = s.total;
            for (int sets = 0; sets < 3; sets++) {
                uint32_t v = (uint32_t)cns_rng_below(&rng, m.variable_count);
                if (cns_score_free(&s, v)) {
                    int64_t span = s.high[v] - s.low[v] + 1;
                    int64_t x = s.low[v] + (int64_t)cns_rng_below(&rng, (uint64_t)span);
                    cns_score_set(&s, v, cns_score_nearest(&s, v, x));
                }
            }
            cns_score_update(&s);
            if (cns_rng_below(&rng, 2) == 0) {
                cns_score_undo(&s);
                ck_assert_int_eq(s.total, total);
            } else {
                cns_score_keep(&s);
            }
            bool holds = holds_all(&m, s.values);
            ck_assert_msg(holds == (s.violated_count == 0), "%u violated, holds %d",
                          (unsigned)s.violated_count, holds);
            solutions += holds;
            if (s.violated_count > 0 && cns_rng_below(&rng, 4) == 0) {
                cns_score_raise_weight(&s, s.violated[0]);
            }
            if (k % 10 == 0) {
                support_status(context, CNS_OK, cns_score_check(&s));
            }
        }
        cns_score_deinit(&s);
        cns_model_deinit(&m);
        support_context_destroy(context);
    }
    ck_assert_uint_gt(solutions, 0);
}
END_TEST

/* ---- search --------------------------------------------------------------------------------- */

typedef struct optimum {
    const cns_model *model;
    bool any;
    int64_t least;
} optimum;

static int64_t cost_of(const cns_model *m, const int64_t *values) {
    if (m->goal == CNS_SATISFY) {
        return 0;
    }
    int64_t objective = cns_model_value(values, m->objective);
    return m->goal == CNS_MAXIMIZE ? -objective : objective;
}

static void take_cost(void *user, const int64_t *values) {
    optimum *o = user;
    int64_t cost = cost_of(o->model, values);
    o->least = !o->any || cost < o->least ? cost : o->least;
    o->any = true;
}

/* Runs until the optimum is found, or ticks are used up. */
static bool search(cns_context *context, cns_local *l, const optimum *o, uint64_t ticks) {
    cns_status status;
    uint64_t end = cns_local_ticks(l) + ticks;
    for (;;) {
        cns_local_result result = cns_local_run(l, end, &status);
        support_status(context, CNS_OK, status);
        ck_assert_uint_eq(l->refused, 0);
        if (result != CNS_LOCAL_SOLUTION) {
            return false;
        }
        const int64_t *values = cns_local_values(l);
        ck_assert(holds_all(o->model, values));
        ck_assert_msg(o->any, "a solution of an infeasible model");
        int64_t cost = cost_of(o->model, values);
        ck_assert_int_ge(cost, o->least);
        ck_assert(l->limit == INT64_MAX || cost <= l->limit);
        if (cost == o->least) {
            return true;
        }
        cns_local_improve(l, cost - 1);
    }
}

/* Of every kind, and mixed (kind 0). */
START_TEST(test_search_agrees_with_brute_force) {
    cns_rng rng;
    uint64_t feasible = 0;
    uint64_t found = 0;
    uint64_t count = number("CNS_SOLVER_MODELS", 60);
    uint64_t first = number("CNS_SOLVER_SEED", 0);
    for (uint64_t seed = first; seed < first + count; seed++) {
        cns_context *context = support_context();
        cns_model m;
        cns_rng_seed(&rng, seed);
        ck_assert_int_eq(cns_model_init(&m, context), CNS_OK);
        solver_random_model(&rng, _i, &m);
        optimum o = {.model = &m};
        if (!m.any_output && cns_rng_below(&rng, 2) == 0) { /* else brute force drops some */
            cns_goal goal = cns_rng_below(&rng, 2) ? CNS_MINIMIZE : CNS_MAXIMIZE;
            cns_var v = (cns_var)cns_rng_below(&rng, m.variable_count);
            ck_assert_int_eq(cns_model_set_goal(&m, goal, v), CNS_OK);
        }
        solver_random_count(&m, take_cost, &o);
        cns_local l;
        support_status(context, CNS_OK, cns_local_init(&l, context, &m, NULL, 0, seed, no_limits));
        bool solved = search(context, &l, &o, o.any ? 4000000 : 50000);
        support_status(context, CNS_OK, cns_score_check(&l.score));
        feasible += o.any;
        found += solved;
        if (o.any && !solved && count == 1) {
            fprintf(stderr, "kind %d, seed %llu: not solved\n", _i, (unsigned long long)seed);
        }
        cns_local_deinit(&l);
        cns_model_deinit(&m);
        support_context_destroy(context);
    }
    ck_assert_msg(found * 100 >= feasible * 97, "%s: %llu of %llu solved",
                  cns_constraint_kind_name((cns_constraint_kind)_i), (unsigned long long)found,
                  (unsigned long long)feasible);
}
END_TEST

static cns_var new_var(cns_model *m, int64_t low, int64_t high) {
    cns_var v = 0;
    ck_assert_int_eq(cns_model_new_var(m, (const int64_t[]){low, high}, 1, NULL, &v), CNS_OK);
    return v;
}

static void add_linear(cns_model *m, cns_constraint_kind kind, const cns_var *x, const int64_t *a,
                       size_t count, int64_t constant) {
    const cns_constraint c = {.size = sizeof c,
                              .kind = kind,
                              .v = {x},
                              .v_count = {count},
                              .i = {a, &constant},
                              .i_count = {count, 1}};
    ck_assert_int_eq(cns_model_add(m, &c), CNS_OK);
}

/* 60 queens: permutations whose diagonals are sums that follow them. */
START_TEST(test_queens) {
    enum { QUEENS = 60 };
    cns_context *context = support_context();
    cns_model m;
    cns_var lines[3][QUEENS];
    ck_assert_int_eq(cns_model_init(&m, context), CNS_OK);
    for (int k = 0; k < QUEENS; k++) {
        lines[0][k] = new_var(&m, 1, QUEENS);
        for (int side = 1; side < 3; side++) {
            lines[side][k] = new_var(&m, -QUEENS, 2 * QUEENS);
            add_linear(&m, CNS_LINEAR_EQ, (cns_var[]){lines[0][k], lines[side][k]},
                       (int64_t[]){1, -1}, 2, side == 1 ? k : -k);
        }
    }
    for (int side = 0; side < 3; side++) {
        const cns_constraint differ = {.size = sizeof differ,
                                       .kind = CNS_ALLDIFFERENT,
                                       .v = {lines[side]},
                                       .v_count = {QUEENS}};
        ck_assert_int_eq(cns_model_add(&m, &differ), CNS_OK);
    }
    cns_local l;
    cns_status status;
    support_status(context, CNS_OK,
                   cns_local_init(&l, context, &m, NULL, 0, (uint64_t)_i, no_limits));
    ck_assert_int_eq(cns_local_run(&l, 50000000, &status), CNS_LOCAL_SOLUTION);
    ck_assert(holds_all(&m, cns_local_values(&l)));
    cns_local_deinit(&l);
    cns_model_deinit(&m);
    support_context_destroy(context);
}
END_TEST

/* ---- what must have one value ---------------------------------------------------------------- */

typedef enum pin { BY_LIMIT, BY_ASSUMPTION } pin;

/* A sum must be 0 in the end, because nothing better is left of the objective that it is, or
 * because it is assumed to be small: its terms are far from that. */
START_TEST(test_followers_of_one_value_are_mended) {
    enum { TERMS = 50 };
    cns_context *context = support_context();
    cns_model m;
    ck_assert_int_eq(cns_model_init(&m, context), CNS_OK);
    cns_var x[TERMS + 1];
    int64_t a[TERMS + 1];
    for (int k = 0; k < TERMS; k++) {
        x[k] = new_var(&m, 0, 1000);
        a[k] = 1;
        ck_assert_int_eq(cns_model_hint(&m, x[k], 900), CNS_OK);
    }
    cns_var assumed = new_var(&m, 0, 1);
    if (_i == BY_LIMIT) {
        x[TERMS] = new_var(&m, 0, 1000 * TERMS);
        a[TERMS] = -1;
        add_linear(&m, CNS_LINEAR_EQ, x, a, TERMS + 1, 0);
        ck_assert_int_eq(cns_model_set_goal(&m, CNS_MINIMIZE, x[TERMS]), CNS_OK);
    } else {
        const int64_t zero = 0;
        const cns_constraint small = {.size = sizeof small,
                                      .kind = CNS_LINEAR_LE,
                                      .condition = CNS_IF_AND_ONLY,
                                      .literal = assumed,
                                      .v = {x},
                                      .v_count = {TERMS},
                                      .i = {a, &zero},
                                      .i_count = {TERMS, 1}};
        ck_assert_int_eq(cns_model_add(&m, &small), CNS_OK);
    }
    cns_local l;
    cns_status status;
    uint32_t assumptions = _i == BY_ASSUMPTION;
    ck_assert_int_eq(cns_local_init(&l, context, &m, &assumed, assumptions, 1, no_limits), CNS_OK);
    cns_local_improve(&l, 0);
    ck_assert_int_eq(cns_local_run(&l, 1000000, &status), CNS_LOCAL_SOLUTION);
    for (int k = 0; k < TERMS; k++) {
        ck_assert_int_eq(cns_model_value(cns_local_values(&l), x[k]), 0);
    }
    cns_local_deinit(&l);
    cns_model_deinit(&m);
    support_context_destroy(context);
}
END_TEST

/* ---- memory and limits ---------------------------------------------------------------------- */

static void add_all(cns_model *m, cns_constraint_kind kind, const cns_var *const v[4],
                    const size_t counts[4]) {
    cns_constraint c = {.size = sizeof c, .kind = kind};
    for (int a = 0; a < 4; a++) {
        c.v[a] = v[a];
        c.v_count[a] = counts[a];
    }
    ck_assert_int_eq(cns_model_add(m, &c), CNS_OK);
}

static uint64_t held(cns_context *context) {
    cns_memory_stats stats;
    cns_context_memory(context, &stats);
    return stats.held;
}

/* Many small alldifferents of wide domains: their values are not all counted, but the first ones
 * are. */
START_TEST(test_memory_is_in_proportion) {
    cns_context *context = support_context();
    cns_model m;
    ck_assert_int_eq(cns_model_init(&m, context), CNS_OK);
    cns_var x[100];
    for (int k = 0; k < 100; k++) {
        x[k] = new_var(&m, 0, 1100);
    }
    for (int k = 0; k < 4000; k++) {
        const cns_var pair[] = {x[k % 100], x[(k + 1 + k / 100) % 100]};
        add_all(&m, CNS_ALLDIFFERENT, (const cns_var *const[4]){pair}, (size_t[4]){2});
    }
    uint64_t model = held(context);
    cns_local l;
    cns_status status = cns_local_init(&l, context, &m, NULL, 0, 1, no_limits);
    support_status(context, CNS_OK, status);
    ck_assert_uint_gt(l.score.alldifferents[0].span, 0);
    ck_assert_uint_lt(held(context) - model, 4 * model);
    ck_assert_int_eq(cns_local_run(&l, 10000000, &status), CNS_LOCAL_SOLUTION);
    ck_assert(holds_all(&m, cns_local_values(&l)));
    cns_local_deinit(&l);
    cns_model_deinit(&m);
    support_context_destroy(context);
}
END_TEST

enum { TASKS = 2000, FEW_TASKS = 400, MACHINES = 40 };

/* Tasks on many machines: a look at all of them is long. */
static void make_tasks(cns_model *m, size_t tasks) {
    static cns_var start[TASKS], length[TASKS];
    cns_var one = new_var(m, 1, 1);
    for (size_t k = 0; k < tasks; k++) {
        start[k] = new_var(m, 0, (int64_t)tasks);
        length[k] = one;
    }
    for (int k = 0; k < MACHINES; k++) {
        add_all(m, CNS_CUMULATIVE, (const cns_var *const[4]){start, length, length, &one},
                (size_t[4]){tasks, tasks, tasks, 1});
    }
}

START_TEST(test_making_is_cancelled) {
    cns_context *context = support_context();
    cns_model m;
    ck_assert_int_eq(cns_model_init(&m, context), CNS_OK);
    make_tasks(&m, TASKS);
    uint64_t before = held(context);
    cns_local l;
    _Atomic bool cancelled = true;
    ck_assert_int_eq(cns_local_init(&l, context, &m, NULL, 0, 1, (cns_score_limits){&cancelled, 0}),
                     CNS_E_CANCELLED);
    ck_assert_int_eq(cns_local_init(&l, context, &m, NULL, 0, 1, (cns_score_limits){NULL, 1}),
                     CNS_E_DEADLINE);
    ck_assert_uint_eq(held(context), before);
    ck_assert_uint_lt(cns_local_ticks(&l), 3 * MACHINES * TASKS); /* of about 10 */
    cns_model_deinit(&m);
    support_context_destroy(context);
}
END_TEST

/* Runs of few ticks do little each, also before the first step, and all together what one long run
 * does. */
START_TEST(test_runs_are_short) {
    enum { TICKS = 3000, ENOUGH = 8000000 };
    cns_context *context = support_context();
    cns_model m;
    ck_assert_int_eq(cns_model_init(&m, context), CNS_OK);
    make_tasks(&m, FEW_TASKS);
    cns_local l, longer;
    cns_status status;
    ck_assert_int_eq(cns_local_init(&l, context, &m, NULL, 0, 1, no_limits), CNS_OK);
    ck_assert_int_eq(cns_local_init(&longer, context, &m, NULL, 0, 1, no_limits), CNS_OK);
    uint64_t sums = MACHINES * (FEW_TASKS + 1) + FEW_TASKS;
    uint64_t look = cns_violation_work(&m, &m.constraints[0]);
    int runs = 0;
    for (; cns_local_ticks(&l) < ENOUGH; runs++) {
        uint64_t ticks = cns_local_ticks(&l);
        ck_assert_int_eq(cns_local_run(&l, ticks + TICKS, &status), CNS_LOCAL_PAUSED);
        uint64_t most = runs == 0 ? sums : TICKS + look;
        ck_assert(l.started || l.restarts > 0 || cns_local_ticks(&l) - ticks <= most);
    }
    ck_assert(l.restarts > 0);
    ck_assert_int_gt(runs, MACHINES);
    cns_local_run(&longer, cns_local_ticks(&l), &status);
    ck_assert_uint_eq(l.steps, longer.steps);
    ck_assert_int_eq(memcmp(l.score.values, longer.score.values, m.variable_count * 8), 0);
    support_status(context, CNS_OK, cns_score_check(&l.score));
    cns_local_deinit(&l);
    cns_local_deinit(&longer);
    cns_model_deinit(&m);
    support_context_destroy(context);
}
END_TEST

/* A change of any task is a look at thousands of machines. */
START_TEST(test_long_steps_are_not_taken) {
    enum { FEW = 50, MANY = 8000 };
    cns_context *context = support_context();
    cns_model m;
    ck_assert_int_eq(cns_model_init(&m, context), CNS_OK);
    cns_var start[FEW], length[FEW], one = new_var(&m, 1, 1);
    for (int k = 0; k < FEW; k++) {
        start[k] = new_var(&m, 0, 10);
        length[k] = one;
    }
    for (int k = 0; k < MANY; k++) {
        add_all(&m, CNS_CUMULATIVE, (const cns_var *const[4]){start, length, length, &one},
                (size_t[4]){FEW, FEW, FEW, 1});
    }
    ck_assert(cns_local_suits(&m));
    cns_local l;
    cns_status status;
    ck_assert_int_eq(cns_local_init(&l, context, &m, NULL, 0, 1, no_limits), CNS_OK);
    ck_assert_int_eq(cns_local_run(&l, 10000000, &status), CNS_LOCAL_STUCK);
    cns_local_deinit(&l);
    cns_model_deinit(&m);
    support_context_destroy(context);
}
END_TEST

static cns_status attempt(cns_context *context) {
    cns_context *plain = support_context();
    cns_model m;
    cns_rng rng;
    cns_rng_seed(&rng, 5);
    ck_assert_int_eq(cns_model_init(&m, plain), CNS_OK);
    solver_random_model(&rng, CNS_ALLDIFFERENT, &m);
    cns_local l;
    cns_status status = cns_local_init(&l, context, &m, NULL, 0, 1, no_limits);
    if (status == CNS_OK) {
        cns_local_run(&l, 1000, &status);
        cns_local_deinit(&l);
    }
    cns_model_deinit(&m);
    support_context_destroy(plain);
    return status;
}

START_TEST(test_failing_memory) {
    support_each_allocation_fails(attempt);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver local search");
    TCase *cases = tcase_create("local");
    tcase_set_timeout(cases, 600);
    tcase_add_loop_test(cases, test_violations_agree_with_the_evaluator, 1, CNS_CONSTRAINT_KINDS);
    tcase_add_loop_test(cases, test_scores_are_kept_up_to_date, 0, CNS_CONSTRAINT_KINDS);
    tcase_add_loop_test(cases, test_search_agrees_with_brute_force, 0, CNS_CONSTRAINT_KINDS);
    tcase_add_loop_test(cases, test_queens, 1, 4);
    tcase_add_test(cases, test_failing_memory);
    tcase_add_loop_test(cases, test_followers_of_one_value_are_mended, BY_LIMIT, BY_ASSUMPTION + 1);
    tcase_add_test(cases, test_memory_is_in_proportion);
    tcase_add_test(cases, test_making_is_cancelled);
    tcase_add_test(cases, test_runs_are_short);
    tcase_add_test(cases, test_long_steps_are_not_taken);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
