/* SPDX-License-Identifier: MIT
 *
 * test_solver_time.c - the time limit and cancellation, on models that are large in one way each.
 *
 * A limit may pass while a model is loaded, in one huge propagation, while clauses are forgotten,
 * in conflict analysis or the judgement of a solution: in each case the step has to end soon.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/os.h"
#include "base/rng.h"
#include "cns/solver.h"
#include "support.h"

#define MS UINT64_C(1000000)

/* ---- large models --------------------------------------------------------------------------- */

static cns_var *some_vars(size_t count) {
    cns_var *vars = calloc(count, sizeof *vars);
    ck_assert_ptr_nonnull(vars);
    return vars;
}

static int64_t *some_ints(size_t count) {
    int64_t *ints = calloc(count, sizeof *ints);
    ck_assert_ptr_nonnull(ints);
    return ints;
}

static cns_var *new_ints(cns_solver *solver, size_t count, int64_t low, int64_t high) {
    cns_var *vars = some_vars(count);
    for (size_t k = 0; k < count; k++) {
        ck_assert_int_eq(cns_solver_new_int(solver, low, high, NULL, &vars[k]), CNS_OK);
    }
    return vars;
}

static void add(cns_solver *solver, cns_constraint c) {
    c.size = sizeof c;
    ck_assert_int_eq(cns_solver_add(solver, &c), CNS_OK);
}

#define ARGS(k, data, count) .v[k] = (data), .v_count[k] = (count)
#define INTS(k, data, count) .i[k] = (data), .i_count[k] = (count)

static void add_table(cns_solver *solver, cns_rng *rng) {
    enum { ROWS = 1000000, WIDTH = 5 };
    cns_var *x = new_ints(solver, WIDTH, 0, 999);
    int64_t *rows = some_ints((size_t)ROWS * WIDTH);
    for (size_t k = 0; k < (size_t)ROWS * WIDTH; k++) {
        rows[k] = (int64_t)cns_rng_below(rng, 1000);
    }
    add(solver, (cns_constraint){
                    .kind = CNS_TABLE, ARGS(0, x, WIDTH), INTS(0, rows, (size_t)ROWS * WIDTH)});
    free(rows);
    free(x);
}

static void add_linear(cns_solver *solver, cns_rng *rng) {
    enum { TERMS = 100000, ROWS = 3 };
    cns_var *x = new_ints(solver, TERMS, -100, 100);
    int64_t *a = some_ints(TERMS);
    for (int row = 0; row < ROWS; row++) {
        for (int k = 0; k < TERMS; k++) {
            a[k] = (int64_t)cns_rng_below(rng, 2000) - 1000;
        }
        const int64_t c[] = {(int64_t)cns_rng_below(rng, 1000)};
        add(solver,
            (cns_constraint){
                .kind = CNS_LINEAR_EQ, ARGS(0, x, TERMS), INTS(0, a, TERMS), INTS(1, c, 1)});
    }
    free(a);
    free(x);
}

/* Queens of a kind: three permutations of sums. */
static void add_alldifferent(cns_solver *solver, cns_rng *rng) {
    enum { N = 2000 };
    (void)rng;
    cns_var *x = new_ints(solver, N, 0, N - 1);
    add(solver, (cns_constraint){.kind = CNS_ALLDIFFERENT, ARGS(0, x, N)});
    for (int sign = -1; sign <= 1; sign += 2) {
        cns_var *y = new_ints(solver, N, -2 * N, 2 * N);
        for (int k = 0; k < N; k++) {
            const cns_var pair[] = {x[k], y[k]};
            const int64_t a[] = {1, -1}, c[] = {sign * k};
            add(solver, (cns_constraint){
                            .kind = CNS_LINEAR_EQ, ARGS(0, pair, 2), INTS(0, a, 2), INTS(1, c, 1)});
        }
        add(solver, (cns_constraint){.kind = CNS_ALLDIFFERENT, ARGS(0, y, N)});
        free(y);
    }
    free(x);
}

static void add_tasks(cns_solver *solver, cns_rng *rng, cns_constraint_kind kind, int count) {
    cns_var *start = new_ints(solver, (size_t)count, 0, 6 * count);
    cns_var *duration = some_vars((size_t)count), *demand = some_vars((size_t)count), capacity;
    for (int k = 0; k < count; k++) {
        ck_assert_int_eq(
            cns_solver_constant(solver, 1 + (int64_t)cns_rng_below(rng, 9), &duration[k]), CNS_OK);
        ck_assert_int_eq(
            cns_solver_constant(solver, 1 + (int64_t)cns_rng_below(rng, 4), &demand[k]), CNS_OK);
    }
    ck_assert_int_eq(cns_solver_constant(solver, 6, &capacity), CNS_OK);
    cns_constraint c = {
        .kind = kind, ARGS(0, start, (size_t)count), ARGS(1, duration, (size_t)count)};
    if (kind == CNS_CUMULATIVE) {
        c.v[2] = demand;
        c.v_count[2] = (size_t)count;
        c.v[3] = &capacity;
        c.v_count[3] = 1;
    } else if (kind == CNS_DIFFN) {
        cns_var *y = new_ints(solver, (size_t)count, 0, 20);
        c.v[1] = y;
        c.v_count[1] = (size_t)count;
        c.v[2] = duration;
        c.v[3] = demand;
        c.v_count[2] = c.v_count[3] = (size_t)count;
        add(solver, c);
        free(y);
    }
    if (kind != CNS_DIFFN) {
        add(solver, c);
    }
    free(start);
    free(duration);
    free(demand);
}

static void add_disjunctive(cns_solver *solver, cns_rng *rng) {
    add_tasks(solver, rng, CNS_DISJUNCTIVE, 2000);
}

static void add_cumulative(cns_solver *solver, cns_rng *rng) {
    add_tasks(solver, rng, CNS_CUMULATIVE, 2000);
}

static void add_diffn(cns_solver *solver, cns_rng *rng) {
    add_tasks(solver, rng, CNS_DIFFN, 1000);
}

static void add_circuit(cns_solver *solver, cns_rng *rng) {
    enum { N = 1000 };
    (void)rng;
    cns_var *x = new_ints(solver, N, 1, N);
    add(solver, (cns_constraint){.kind = CNS_CIRCUIT, ARGS(0, x, N)});
    free(x);
}

/* Clauses at the hard ratio, many of them: conflicts, learning, forgetting. */
static void add_clauses(cns_solver *solver, cns_rng *rng) {
    enum { N = 2000, CLAUSES = 8400 };
    cns_var *x = new_ints(solver, N, 0, 1);
    for (int k = 0; k < CLAUSES; k++) {
        cns_var lits[3];
        for (int i = 0; i < 3; i++) {
            lits[i] = x[cns_rng_below(rng, N)];
            lits[i] = cns_rng_below(rng, 2) ? lits[i] : ~lits[i];
        }
        add(solver, (cns_constraint){.kind = CNS_CLAUSE, ARGS(0, lits, 3)});
    }
    free(x);
}

/* Many small constraints: loading and judging take a while. */
static void add_many(cns_solver *solver, cns_rng *rng) {
    enum { N = 300000 };
    cns_var *x = new_ints(solver, N, 0, 1000);
    for (int k = 2; k < N; k++) {
        const cns_var three[] = {x[k], x[k - 1], x[cns_rng_below(rng, (uint64_t)k - 1)]};
        const int64_t a[] = {1, -1, 2}, c[] = {2001};
        add(solver, (cns_constraint){
                        .kind = CNS_LINEAR_LE, ARGS(0, three, 3), INTS(0, a, 3), INTS(1, c, 1)});
    }
    free(x);
}

static void add_regular(cns_solver *solver, cns_rng *rng) {
    enum { N = 300, STATES = 300, SYMBOLS = 20 };
    cns_var *x = new_ints(solver, N, 1, SYMBOLS);
    int64_t *next = some_ints((size_t)STATES * SYMBOLS);
    for (int k = 0; k < STATES * SYMBOLS; k++) {
        next[k] = (int64_t)cns_rng_below(rng, STATES + 1);
    }
    const int64_t head[] = {STATES, SYMBOLS, 1}, accepting[] = {7};
    add(solver, (cns_constraint){.kind = CNS_REGULAR,
                                 ARGS(0, x, N),
                                 INTS(0, head, 3),
                                 INTS(1, next, (size_t)STATES * SYMBOLS),
                                 INTS(2, accepting, 1)});
    free(next);
    free(x);
}

/* Bounds that push each other a thousand million times by one: max(x, y) < x. */
static void add_race(cns_solver *solver, cns_rng *rng) {
    (void)rng;
    cns_var *v = new_ints(solver, 3, 0, 1000000000);
    const int64_t a[] = {1, -1}, c[] = {-1};
    const cns_var less[] = {v[2], v[0]};
    add(solver, (cns_constraint){.kind = CNS_MAX, ARGS(0, v, 2), ARGS(1, &v[2], 1)});
    add(solver,
        (cns_constraint){.kind = CNS_LINEAR_LE, ARGS(0, less, 2), INTS(0, a, 2), INTS(1, c, 1)});
    free(v);
}

static const struct large {
    const char *name;
    void (*build)(cns_solver *solver, cns_rng *rng);
} larges[] = {
    {"table", add_table},
    {"linear", add_linear},
    {"alldifferent", add_alldifferent},
    {"disjunctive", add_disjunctive},
    {"cumulative", add_cumulative},
    {"diffn", add_diffn},
    {"circuit", add_circuit},
    {"clauses", add_clauses},
    {"many", add_many},
    {"regular", add_regular},
    {"race", add_race},
};

enum { LARGES = sizeof larges / sizeof *larges };

/* What is between the end that was asked for and the return of the step; the least of a few tries.
 * On a busy machine a thread may wait for seconds: that limits hold at all is tested here, and how
 * well they do (100 ms) is measured by the benchmark of public instances. */
#define ALLOWED (3000 * MS)

enum { TRIES = 2 };

static cns_solver *large_solver(cns_context *context, int which) {
    cns_solver *solver = NULL;
    cns_rng rng;
    cns_rng_seed(&rng, 5);
    support_status(context, CNS_OK, cns_solver_create(context, NULL, &solver));
    larges[which].build(solver, &rng);
    return solver;
}

static void set_limit(cns_solver *solver, uint64_t limit) {
    const cns_solve_options options = {
        .size = sizeof options, .all_solutions = 1, .time_limit = limit};
    ck_assert_int_eq(cns_solver_set_options(solver, &options), CNS_OK);
}

/* Steps until the search ends, or is ended. */
static cns_outcome run(cns_context *context, cns_solver *solver) {
    cns_outcome outcome;
    do {
        support_status(context, CNS_OK, cns_solver_step(solver, 0, &outcome));
    } while (outcome == CNS_SOLUTION);
    return outcome;
}

static uint64_t overshoot(int which, uint64_t limit) {
    uint64_t least = UINT64_MAX;
    for (int try = 0; try < TRIES && least > ALLOWED; try++) {
        cns_context *context = support_context();
        cns_solver *solver = large_solver(context, which);
        set_limit(solver, limit);
        uint64_t start = cns_os_clock();
        cns_outcome outcome = run(context, solver);
        uint64_t taken = cns_os_clock() - start;
        ck_assert(outcome == CNS_STOPPED || outcome == CNS_COMPLETE);
        ck_assert(outcome == CNS_COMPLETE || taken >= limit);
        uint64_t over = taken > limit ? taken - limit : 0;
        least = over < least ? over : least;
        ck_assert_int_eq(run(context, solver), outcome); /* it stays so */
        cns_solver_destroy(solver);
        support_context_destroy(context);
    }
    return least;
}

START_TEST(the_time_limit_holds) {
    static const uint64_t limits[] = {2, 200};
    for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
        uint64_t over = overshoot(_i, limits[k] * MS);
        ck_assert_msg(over <= ALLOWED, "%s: %llu ms over a limit of %llu", larges[_i].name,
                      (unsigned long long)(over / MS), (unsigned long long)limits[k]);
    }
}
END_TEST

/* A limit that was met can be raised. */
START_TEST(the_search_goes_on_after_a_limit) {
    cns_context *context = support_context();
    cns_solver *solver = large_solver(context, _i);
    cns_solver_stats before, after;
    set_limit(solver, MS);
    ck_assert_int_eq(run(context, solver), CNS_STOPPED);
    cns_solver_get_stats(solver, &before);
    for (uint64_t limit = 500; limit < 100000; limit *= 3) {
        set_limit(solver, limit * MS);
        cns_outcome outcome = run(context, solver);
        cns_solver_get_stats(solver, &after);
        if (outcome == CNS_COMPLETE || after.ticks > before.ticks + 1000) {
            break;
        }
    }
    ck_assert_uint_gt(after.ticks, before.ticks);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

typedef struct canceller {
    cns_solver *solver;
    uint64_t delay, when;
} canceller;

static void *cancel(void *user) {
    canceller *c = user;
    cns_os_sleep(c->delay);
    c->when = cns_os_clock();
    cns_solver_cancel(c->solver);
    return NULL;
}

START_TEST(cancellation_is_quick) {
    static const uint64_t delays[] = {3, 200};
    for (size_t k = 0; k < sizeof delays / sizeof *delays; k++) {
        uint64_t least = UINT64_MAX;
        for (int try = 0; try < TRIES && least > ALLOWED; try++) {
            cns_context *context = support_context();
            canceller c = {large_solver(context, _i), delays[k] * MS, 0};
            set_limit(c.solver, 0);
            pthread_t thread;
            ck_assert_int_eq(pthread_create(&thread, NULL, cancel, &c), 0);
            cns_outcome outcome = run(context, c.solver);
            uint64_t end = cns_os_clock();
            pthread_join(thread, NULL);
            ck_assert(outcome == CNS_STOPPED || outcome == CNS_COMPLETE);
            uint64_t over = end > c.when ? end - c.when : 0;
            least = over < least ? over : least;
            cns_solver_destroy(c.solver);
            support_context_destroy(context);
        }
        ck_assert_msg(least <= ALLOWED, "%s: %llu ms after cancelling", larges[_i].name,
                      (unsigned long long)(least / MS));
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver time");
    TCase *cases = tcase_create("time");
    tcase_set_timeout(cases, 600);
    tcase_add_loop_test(cases, the_time_limit_holds, 0, LARGES);
    tcase_add_loop_test(cases, the_search_goes_on_after_a_limit, 0, LARGES);
    tcase_add_loop_test(cases, cancellation_is_quick, 0, LARGES);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
