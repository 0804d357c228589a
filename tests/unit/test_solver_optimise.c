/* SPDX-License-Identifier: MIT
 *
 * test_solver_optimise.c - optima of sums under every policy, against brute force: random models of
 * all kinds of constraints with a weighted sum for a goal, and weighted satisfiability.
 *
 * Between steps the bound must not pass the optimum, and the root must admit an optimal solution
 * while none was reported. Then the model changes, or the assumptions do, and all goes on.
 */
#include <stdlib.h>
#include <string.h>

#include "cns/solver.h"
#include "solver/core_guided.h"
#include "solver/solver_impl.h"
#include "solver_random.h"
#include "support.h"

enum { POLICIES = 4 };

static uint64_t cores_seen; /* by all tests of this process */

static cns_solver *new_solver(cns_context *context, uint64_t seed) {
    const cns_solver_config config = {.size = sizeof config, .seed = seed};
    cns_solver *solver = NULL;
    support_status(context, CNS_OK, cns_solver_create(context, &config, &solver));
    return solver;
}

/* Workers that search one after the other. */
static cns_status in_turn(void *pool, int64_t begin, int64_t end, int64_t grain, cns_range_fn body,
                          void *user) {
    (void)pool;
    (void)grain;
    return body(user, begin, end);
}

static void set_policy(cns_context *context, cns_solver *solver, uint64_t seed) {
    const cns_executor executor = {.parallel_for = in_turn, .workers = 1};
    const cns_solve_options options = {.size = sizeof options,
                                       .workers = seed % 5 == 0 ? 3 : 1,
                                       .executor = &executor,
                                       .deterministic = 1,
                                       .strategy =
                                           seed & 1 ? CNS_STRATEGY_FREE : CNS_STRATEGY_DEFAULT,
                                       .restart_scale = 1 + (uint32_t)(seed % 7),
                                       .optimise = (cns_optimise_policy)(seed / 2 % POLICIES)};
    support_status(context, CNS_OK, cns_solver_set_options(solver, &options));
}

static void add_linear(cns_context *context, cns_solver *solver, cns_constraint_kind kind,
                       const int64_t *a, const cns_var *x, size_t count, int64_t c) {
    const cns_constraint linear = {.size = sizeof linear,
                                   .kind = kind,
                                   .v = {x},
                                   .v_count = {count},
                                   .i = {a, &c},
                                   .i_count = {count, 1}};
    support_status(context, CNS_OK, cns_solver_add(solver, &linear));
}

/* ---- what is asked of every search ---------------------------------------------------------- */

typedef struct expected {
    bool feasible, maximise;
    int64_t best;
    const int64_t *values; /* an optimal solution, of the first `count` variables */
    uint32_t count;
} expected;

static void check_root(const cns_solver *solver, const expected *e, uint64_t seed) {
    cns_loader *l = (cns_loader *)(uintptr_t)&solver->own.loader;
    const cns_state *s = &solver->own.state;
    for (uint32_t v = 0; e->feasible && v < e->count && v < l->variable_count; v++) {
        cns_view view;
        if (cns_load_alias(l, (cns_var)v).root != (cns_var)v || l->views[v].term == CNS_TERM_NONE) {
            continue;
        }
        view = l->views[v];
        int64_t value = e->values[v] - view.offset;
        ck_assert_msg(value >= s->root[view.term] && value <= -s->root[view.term ^ 1],
                      "seed %llu: the root denies x%u = %lld", (unsigned long long)seed, v,
                      (long long)e->values[v]);
    }
}

static void search(cns_context *context, cns_solver *solver, const expected *e, uint64_t seed) {
    cns_outcome outcome = CNS_RUNNING;
    cns_solver_stats stats;
    bool found = false;
    while (outcome != CNS_COMPLETE) {
        support_status(context, CNS_OK, cns_solver_step(solver, 1 + seed % 400, &outcome));
        solver->alone_until = 0; /* these models are too small for others to join by themselves */
        cns_solver_get_stats(solver, &stats);
        ck_assert_int_ne(outcome, CNS_STOPPED);
        found = found || (stats.has_solution && stats.objective == e->best) ||
                solver->team != NULL; /* which knows solutions before it reports them */
        ck_assert_msg(!e->feasible || found ||
                          (e->maximise ? stats.bound >= e->best : stats.bound <= e->best),
                      "seed %llu: bound %lld, optimum %lld", (unsigned long long)seed,
                      (long long)stats.bound, (long long)e->best);
        if (!found && outcome != CNS_COMPLETE) {
            check_root(solver, e, seed);
        }
    }
    support_status(context, CNS_OK, cns_solver_check(solver));
    cns_solver_get_stats(solver, &stats);
    ck_assert_msg(stats.has_solution == e->feasible, "seed %llu: feasible %d",
                  (unsigned long long)seed, e->feasible);
    if (e->feasible) {
        ck_assert_msg(stats.objective == e->best, "seed %llu: %lld, optimum %lld",
                      (unsigned long long)seed, (long long)stats.objective, (long long)e->best);
        ck_assert_int_eq(stats.bound, e->best);
    }
    if (solver->own.search.core_guided != NULL) {
        cores_seen += solver->own.search.core_guided->cores;
    }
}

/* ---- random models -------------------------------------------------------------------------- */

typedef struct random_sum {
    cns_model model; /* without the sum */
    int64_t a[64];   /* by variable */
    bool maximise;
    cns_var forbidden; /* no longer has the value; -1: none is */
    int64_t forbidden_value;
    cns_var assumed; /* a literal, or INT32_MIN */
    bool feasible;
    int64_t best;
    int64_t values[64];
} random_sum;

static void judge(void *user, const int64_t *values) {
    random_sum *r = user;
    int64_t sum = 0;
    for (uint32_t v = 0; v < r->model.variable_count; v++) {
        sum += r->a[v] * values[v];
    }
    bool allowed = r->forbidden < 0 || values[r->forbidden] != r->forbidden_value;
    if (r->assumed != INT32_MIN) {
        allowed = allowed && (r->assumed >= 0 ? values[r->assumed] : !values[~r->assumed]);
    }
    if (allowed && (!r->feasible || (r->maximise ? sum > r->best : sum < r->best))) {
        r->feasible = true;
        r->best = sum;
        memcpy(r->values, values, r->model.variable_count * sizeof *values);
    }
}

static expected judge_all(random_sum *r) {
    r->feasible = false;
    solver_random_count(&r->model, judge, r);
    return (expected){r->feasible, r->maximise, r->best, r->values, r->model.variable_count};
}

/* goal = sum a x, perhaps with a part of it as a sum of its own. */
static cns_var add_goal(cns_context *context, cns_solver *solver, const random_sum *r,
                        uint64_t seed) {
    uint32_t count = r->model.variable_count;
    uint32_t split = seed % 3 == 0 ? count / 2 : 0;
    int64_t a[66];
    cns_var x[66];
    cns_var goal;
    cns_var part;
    support_status(context, CNS_OK, cns_solver_new_int(solver, -100000, 100000, NULL, &goal));
    support_status(context, CNS_OK, cns_solver_new_int(solver, -100000, 100000, NULL, &part));
    uint32_t used = 0;
    for (uint32_t v = 0; v < split; v++) {
        a[used] = r->a[v];
        x[used++] = (cns_var)v;
    }
    a[used] = -1;
    x[used++] = part;
    add_linear(context, solver, CNS_LINEAR_EQ, a, x, used, 0);
    used = 0;
    for (uint32_t v = split; v < count; v++) {
        a[used] = r->a[v];
        x[used++] = (cns_var)v;
    }
    a[used] = 1;
    x[used++] = part;
    a[used] = -1;
    x[used++] = goal;
    add_linear(context, solver, CNS_LINEAR_EQ, a, x, used, 0);
    return goal;
}

static cns_var any_literal(const cns_model *m, uint64_t seed) {
    for (uint32_t k = 0; k < m->variable_count; k++) {
        cns_var v = (cns_var)((k + seed) % m->variable_count);
        if (cns_model_is_literal(m, v)) {
            return seed & 1 ? v : ~v;
        }
    }
    return INT32_MIN;
}

static void optimise_random(uint64_t seed) {
    cns_context *context = support_context();
    random_sum r = {.forbidden = -1, .assumed = INT32_MIN, .maximise = seed & 1};
    int kind = (int)(seed % CNS_CONSTRAINT_KINDS);
    cns_rng rng;
    cns_rng_seed(&rng, seed);
    ck_assert_int_eq(cns_model_init(&r.model, context), CNS_OK);
    solver_random_model(&rng, kind, &r.model);
    cns_solver *solver = new_solver(context, seed);
    cns_rng_seed(&rng, seed);
    solver_random_solver(&rng, kind, solver);
    if (r.model.any_output || r.model.variable_count == 0 || r.model.variable_count > 64) {
        goto done; /* brute force keeps one solution of each output alone */
    }
    for (uint32_t v = 0; v < r.model.variable_count; v++) {
        r.a[v] = (int64_t)cns_rng_below(&rng, 11) - 5;
    }
    expected e = judge_all(&r);
    cns_var goal = add_goal(context, solver, &r, seed);
    support_status(context, CNS_OK,
                   cns_solver_set_goal(solver, r.maximise ? CNS_MAXIMIZE : CNS_MINIMIZE, goal));
    set_policy(context, solver, seed / CNS_CONSTRAINT_KINDS);
    search(context, solver, &e, seed);
    r.assumed = any_literal(&r.model, seed);
    if (r.assumed != INT32_MIN) {
        support_status(context, CNS_OK, cns_solver_assume(solver, &r.assumed, 1));
        e = judge_all(&r);
        search(context, solver, &e, seed);
        support_status(context, CNS_OK, cns_solver_assume(solver, NULL, 0));
        r.assumed = INT32_MIN;
        e = judge_all(&r);
    }
    if (e.feasible) {
        r.forbidden = (cns_var)(seed % r.model.variable_count);
        r.forbidden_value = r.values[r.forbidden];
        const int64_t one = 1;
        add_linear(context, solver, CNS_LINEAR_NE, &one, &r.forbidden, 1, r.forbidden_value);
        e = judge_all(&r);
        search(context, solver, &e, seed);
    }
done:
    cns_solver_destroy(solver);
    cns_model_deinit(&r.model);
    support_context_destroy(context);
}

START_TEST(sums_of_random_models) {
    for (uint64_t seed = 0; seed < 3000; seed++) {
        optimise_random(seed);
    }
}
END_TEST

/* ---- weighted satisfiability ---------------------------------------------------------------- */

enum { ATOMS = 9, SOFT = 36, HARD = 8, LENGTH = 3 };

typedef struct formula {
    cns_var lits[SOFT + HARD][LENGTH];
    int64_t weight[SOFT];
} formula;

static bool satisfied(const cns_var *clause, unsigned assignment) {
    for (int i = 0; i < LENGTH; i++) {
        cns_var v = clause[i];
        if (v >= 0 ? assignment >> v & 1 : !(assignment >> ~v & 1)) {
            return true;
        }
    }
    return false;
}

/* The least weight of soft clauses that fail; INT64_MAX: the hard ones cannot hold. */
static int64_t least_cost(const formula *f, int64_t *values, cns_var assumed) {
    int64_t best = INT64_MAX;
    for (unsigned assignment = 0; assignment < 1u << ATOMS; assignment++) {
        bool allowed = assumed == INT32_MIN ||
                       (assumed >= 0 ? assignment >> assumed & 1 : !(assignment >> ~assumed & 1));
        for (int k = SOFT; k < SOFT + HARD && allowed; k++) {
            allowed = satisfied(f->lits[k], assignment);
        }
        int64_t cost = 0;
        for (int k = 0; k < SOFT; k++) {
            cost += satisfied(f->lits[k], assignment) ? 0 : f->weight[k];
        }
        if (allowed && cost < best) {
            best = cost;
            for (int v = 0; v < ATOMS; v++) {
                values[v] = assignment >> v & 1;
            }
        }
    }
    return best;
}

/* Clauses: the atoms come first, then a Boolean for each soft clause that may fail, then the cost,
 * of which `scale` is a multiple. */
static cns_var state_formula(cns_context *context, cns_solver *solver, const formula *f,
                             int64_t scale) {
    int64_t a[SOFT + 1];
    cns_var x[SOFT + 1];
    cns_var var = 0;
    for (int v = 0; v < ATOMS + SOFT; v++) {
        support_status(context, CNS_OK, cns_solver_new_bool(solver, NULL, &var));
    }
    for (int k = 0; k < SOFT + HARD; k++) {
        cns_var lits[LENGTH + 1];
        memcpy(lits, f->lits[k], sizeof f->lits[k]);
        lits[LENGTH] = ATOMS + k;
        const cns_constraint clause = {.size = sizeof clause,
                                       .kind = CNS_CLAUSE,
                                       .v = {lits},
                                       .v_count = {k < SOFT ? LENGTH + 1 : LENGTH}};
        support_status(context, CNS_OK, cns_solver_add(solver, &clause));
    }
    for (int k = 0; k < SOFT; k++) {
        a[k] = scale * f->weight[k];
        x[k] = ATOMS + k;
    }
    support_status(context, CNS_OK, cns_solver_new_int(solver, 0, 1000, NULL, &x[SOFT]));
    a[SOFT] = -scale;
    add_linear(context, solver, CNS_LINEAR_EQ, a, x, SOFT + 1, 0);
    return x[SOFT];
}

static void optimise_formula(uint64_t seed) {
    cns_context *context = support_context();
    cns_solver *solver = new_solver(context, seed);
    cns_rng rng;
    cns_rng_seed(&rng, seed);
    formula f;
    for (int k = 0; k < SOFT + HARD; k++) {
        for (int i = 0; i < LENGTH; i++) {
            int v = (int)cns_rng_below(&rng, ATOMS);
            f.lits[k][i] = cns_rng_below(&rng, 2) ? v : ~v;
        }
        if (k < SOFT) {
            f.lits[k][2] = cns_rng_below(&rng, 3) == 0 ? f.lits[k][2] : f.lits[k][1];
            f.weight[k] = seed % 3 == 0 ? 1 : 1 + (int64_t)cns_rng_below(&rng, 9);
        }
    }
    cns_var goal = state_formula(context, solver, &f, 1 + (int64_t)(seed % 2));
    support_status(context, CNS_OK, cns_solver_set_goal(solver, CNS_MINIMIZE, goal));
    set_policy(context, solver, seed);
    int64_t values[ATOMS];
    int64_t best = least_cost(&f, values, INT32_MIN);
    expected e = {best != INT64_MAX, false, best, values, ATOMS};
    search(context, solver, &e, seed);
    cns_var assumed = seed & 8 ? 0 : ~0;
    support_status(context, CNS_OK, cns_solver_assume(solver, &assumed, 1));
    best = least_cost(&f, values, assumed);
    e = (expected){best != INT64_MAX, false, best, values, ATOMS};
    search(context, solver, &e, seed);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}

START_TEST(weighted_satisfiability) {
    for (uint64_t seed = 0; seed < 1000; seed++) {
        optimise_formula(seed);
    }
    ck_assert_uint_gt(cores_seen, 400); /* cores do the work that is tested */
}
END_TEST

/* Two summands of weights whose sum passes the arithmetic's limit: by hand, 6 * 2^31. */
START_TEST(weights_that_overflow) {
    const int64_t w = INT64_C(1) << 31, p = INT64_C(1) << 30;
    for (int policy = 0; policy < POLICIES; policy++) {
        cns_context *context = support_context();
        cns_solver *solver = new_solver(context, 0);
        const int64_t highs[] = {2, 2, 2, 1, 255, 255, INT64_C(1) << 40, 1, 1};
        enum { Y, YY, Z, X, A, B, GOAL, LEFT, RIGHT };
        cns_var v[9];
        for (int k = 0; k < 9; k++) {
            support_status(context, CNS_OK, cns_solver_new_int(solver, 0, highs[k], NULL, &v[k]));
        }
        for (int k = A; k <= B; k++) {
            add_linear(context, solver, CNS_LINEAR_EQ, (int64_t[]){1, 1, 2, p, -1},
                       (cns_var[]){v[Y], v[YY], v[Z], v[X], v[k]}, 5, 0);
        }
        add_linear(context, solver, CNS_LINEAR_EQ, (int64_t[]){w, w, -1},
                   (cns_var[]){v[A], v[B], v[GOAL]}, 3, 0);
        add_linear(context, solver, CNS_LINEAR_LE, (int64_t[]){-1, -1}, (cns_var[]){v[Y], v[YY]}, 2,
                   -1);
        add_linear(context, solver, CNS_LINEAR_LE, (int64_t[]){-1, 1}, (cns_var[]){v[Z], v[LEFT]},
                   2, 0);
        add_linear(context, solver, CNS_LINEAR_LE, (int64_t[]){-1, 1}, (cns_var[]){v[Z], v[RIGHT]},
                   2, 0);
        add_linear(context, solver, CNS_LINEAR_LE, (int64_t[]){-1, -1},
                   (cns_var[]){v[LEFT], v[RIGHT]}, 2, -1);
        cns_solver_set_goal(solver, CNS_MINIMIZE, v[GOAL]);
        const cns_solve_options options = {.size = sizeof options,
                                           .optimise = (cns_optimise_policy)policy};
        support_status(context, CNS_OK, cns_solver_set_options(solver, &options));
        cns_outcome outcome;
        support_status(context, CNS_OK, cns_solver_run(solver, NULL, &outcome));
        cns_solver_stats stats;
        cns_solver_get_stats(solver, &stats);
        ck_assert_int_eq(outcome, CNS_COMPLETE);
        ck_assert_int_eq(stats.objective, 6 * w);
        cns_solver_destroy(solver);
        support_context_destroy(context);
    }
}
END_TEST

/* Rows that have many summands of the objective, and define none of them: each is read once. */
START_TEST(long_rows_are_read_once) {
    enum { TERMS = 1000, ROWS = 100 };
    cns_context *context = support_context();
    cns_solver *solver = new_solver(context, 0);
    static cns_var v[TERMS + 1];
    static int64_t ones[TERMS + 1], twos[TERMS];
    for (int k = 0; k <= TERMS; k++) {
        int64_t high = k < TERMS ? 9 : 9 * TERMS;
        support_status(context, CNS_OK, cns_solver_new_int(solver, 0, high, NULL, &v[k]));
        ones[k] = k < TERMS ? 1 : -1;
    }
    add_linear(context, solver, CNS_LINEAR_EQ, ones, v, TERMS + 1, 0);
    for (int k = 0; k < ROWS; k++) {
        for (int j = 0; j < TERMS; j++) {
            twos[j] = j % ROWS == k ? 3 : 2;
        }
        add_linear(context, solver, CNS_LINEAR_LE, twos, v, TERMS, 10 * TERMS);
    }
    cns_solver_set_goal(solver, CNS_MINIMIZE, v[TERMS]);
    bool ready;
    support_status(context, CNS_OK, cns_solver_prepare(solver, UINT64_MAX, &ready));
    cns_solver_stats stats;
    cns_solver_get_stats(solver, &stats);
    ck_assert_uint_lt(stats.ticks, 50 * TERMS * ROWS);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver optimise");
    TCase *sums = tcase_create("brute force");
    tcase_set_timeout(sums, 600);
    tcase_add_test(sums, sums_of_random_models);
    tcase_add_test(sums, weighted_satisfiability);
    tcase_add_test(sums, weights_that_overflow);
    tcase_add_test(sums, long_rows_are_read_once);
    suite_add_tcase(suite, sums);
    return support_run(suite);
}
