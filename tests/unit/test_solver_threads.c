/* SPDX-License-Identifier: MIT
 *
 * test_solver_threads.c - a solver that is cancelled from another thread at random moments, and two
 * solvers of one context on two threads.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/rng.h"
#include "cns/solver.h"
#include "support.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ROUNDS 1500
#else
#define ROUNDS 10000
#endif

/* `items` pigeons in `holes` holes, by a mixture of constraints; tells of the first pigeon's hole
 * whether there is room. */
static cns_solver *pigeons(cns_context *context, int items, int holes, uint64_t seed) {
    const cns_solver_config config = {.size = sizeof config, .seed = seed};
    const cns_solve_options options = {
        .size = sizeof options, .strategy = CNS_STRATEGY_FREE, .all_solutions = 1};
    cns_solver *s = NULL;
    cns_var x[16];
    const int64_t a[] = {1, -1}, c[] = {0};
    ck_assert_int_eq(cns_solver_create(context, &config, &s), CNS_OK);
    for (int k = 0; k < items; k++) {
        ck_assert_int_eq(cns_solver_new_int(s, 1, holes, "pigeon", &x[k]), CNS_OK);
        for (int j = 0; j < k; j++) {
            const cns_var pair[] = {x[k], x[j]};
            const cns_constraint ne = {.size = sizeof ne,
                                       .kind = CNS_LINEAR_NE,
                                       .i = {a, c},
                                       .i_count = {2, 1},
                                       .v = {pair},
                                       .v_count = {2}};
            ck_assert_int_eq(cns_solver_add(s, &ne), CNS_OK);
        }
    }
    ck_assert_int_eq(cns_solver_set_options(s, &options), CNS_OK);
    return s;
}

/* ---- cancelling ----------------------------------------------------------------------------- */

typedef struct canceller {
    _Atomic(cns_solver *) solver; /* NULL: nothing to do */
    _Atomic bool quit;
    cns_rng rng;
} canceller;

static void *cancel_at_random(void *user) {
    canceller *c = user;
    while (!atomic_load(&c->quit)) {
        cns_solver *solver = atomic_load(&c->solver);
        if (solver == NULL) {
            sched_yield();
            continue;
        }
        volatile uint64_t wait = cns_rng_below(&c->rng, UINT64_C(1) << cns_rng_below(&c->rng, 21));
        while (wait > 0) {
            wait--;
        }
        cns_solver_cancel(solver);
        atomic_store(&c->solver, NULL);
    }
    return NULL;
}

START_TEST(cancelling_at_any_moment_is_clean) {
    cns_context *context = support_context();
    canceller c = {0};
    pthread_t thread;
    uint32_t stopped = 0, complete = 0, counts[3] = {0, 0, 0};
    cns_rng_seed(&c.rng, 11);
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_at_random, &c), 0);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        bool room = round % 3 == 0; /* 720 solutions, or a proof that there is none */
        cns_solver *solver = pigeons(context, room ? 6 : 7, 6, round);
        atomic_store(&c.solver, solver);
        cns_outcome outcome;
        uint32_t solutions = 0;
        do {
            ck_assert_int_eq(cns_solver_step(solver, round % 5 * 1000, &outcome), CNS_OK);
            solutions += outcome == CNS_SOLUTION;
        } while (outcome == CNS_SOLUTION || outcome == CNS_RUNNING);
        ck_assert(outcome != CNS_COMPLETE || solutions == (room ? 720 : 0));
        stopped += outcome == CNS_STOPPED;
        complete += outcome == CNS_COMPLETE;
        counts[0] += outcome == CNS_STOPPED && solutions > 0;
        while (atomic_load(&c.solver) != NULL) {
            sched_yield();
        }
        if (round % 4 == 1) { /* it can go on */
            ck_assert_int_eq(cns_solver_check(solver), CNS_OK);
            ck_assert_int_eq(cns_solver_restart(solver), CNS_OK);
            solutions = 0;
            do {
                ck_assert_int_eq(cns_solver_step(solver, 0, &outcome), CNS_OK);
                solutions += outcome == CNS_SOLUTION;
            } while (outcome == CNS_SOLUTION);
            ck_assert_int_eq(outcome, CNS_COMPLETE);
            ck_assert_uint_eq(solutions, room ? 720 : 0);
        }
        cns_solver_destroy(solver);
    }
    atomic_store(&c.quit, true);
    pthread_join(thread, NULL);
    ck_assert_uint_gt(stopped, ROUNDS / 20);
    ck_assert_uint_gt(complete, ROUNDS / 20);
    ck_assert_uint_gt(counts[0], 0);
    support_context_destroy(context);
}
END_TEST

/* ---- two at once ---------------------------------------------------------------------------- */

typedef struct worker {
    cns_context *context;
    uint64_t work;
} worker;

static void *solve_some(void *user) {
    worker *w = user;
    w->work = 0;
    for (uint64_t round = 0; round < 12; round++) {
        cns_solver *solver = pigeons(w->context, 7, round % 2 ? 6 : 8, round);
        cns_outcome outcome;
        cns_solver_stats stats;
        cns_var x;
        for (int k = 0; k < 300; k++) {
            ck_assert_int_eq(cns_solver_step(solver, 5000, &outcome), CNS_OK);
            if (outcome == CNS_COMPLETE) {
                break;
            }
            /* Messages of both go to one context. */
            ck_assert_int_eq(cns_solver_new_int(solver, 1, 0, NULL, &x), CNS_E_RANGE);
        }
        cns_solver_get_stats(solver, &stats);
        w->work = w->work * 31 + stats.nodes + stats.failures + stats.propagations + stats.ticks;
        cns_solver_destroy(solver);
    }
    return NULL;
}

START_TEST(two_solvers_share_a_context) {
    cns_context *context = support_context();
    worker alone = {context, 0}, two[2] = {{context, 0}, {context, 0}};
    pthread_t threads[2];
    solve_some(&alone);
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(pthread_create(&threads[k], NULL, solve_some, &two[k]), 0);
    }
    for (int k = 0; k < 2; k++) {
        pthread_join(threads[k], NULL);
        ck_assert_uint_eq(two[k].work, alone.work);
    }
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver threads");
    TCase *cases = tcase_create("threads");
    tcase_set_timeout(cases, 1200);
    tcase_add_test(cases, cancelling_at_any_moment_is_clean);
    tcase_add_test(cases, two_solvers_share_a_context);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
