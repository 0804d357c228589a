/* SPDX-License-Identifier: MIT
 *
 * test_solver_pause.c - propagators that look at all pairs pause when the ticks are used up.
 *
 * A step of few ticks must not wait for millions of pairs; and where steps end must not show in
 * what is found.
 */
#include <stdlib.h>

#include "base/rng.h"
#include "solver/solver_impl.h"
#include "solver_stats.h"
#include "support.h"

enum { N = 200 };

#define ARGS(k, data, count) .v[k] = (data), .v_count[k] = (count)

static void add(cns_solver *solver, cns_constraint c) {
    c.size = sizeof c;
    ck_assert_int_eq(cns_solver_add(solver, &c), CNS_OK);
}

/* Boxes that are too many for literals. */
static void build_boxes(cns_solver *solver, cns_rng *rng) {
    cns_var x[N], y[N], dx[N], dy[N];
    for (int k = 0; k < N; k++) {
        ck_assert_int_eq(cns_solver_new_int(solver, 0, 150, NULL, &x[k]), CNS_OK);
        ck_assert_int_eq(cns_solver_new_int(solver, 0, 150, NULL, &y[k]), CNS_OK);
        ck_assert_int_eq(cns_solver_constant(solver, 1 + (int64_t)cns_rng_below(rng, 4), &dx[k]),
                         CNS_OK);
        ck_assert_int_eq(cns_solver_constant(solver, 1 + (int64_t)cns_rng_below(rng, 4), &dy[k]),
                         CNS_OK);
    }
    add(solver,
        (cns_constraint){
            .kind = CNS_DIFFN, ARGS(0, x, N), ARGS(1, y, N), ARGS(2, dx, N), ARGS(3, dy, N)});
}

/* Half of them are fixed from the start. */
static void build_differ(cns_solver *solver, cns_rng *rng) {
    cns_var x[N];
    for (int k = 0; k < N; k++) {
        int64_t low = k % 2 ? k : 0, high = k % 2 ? k : N + (int64_t)cns_rng_below(rng, N);
        ck_assert_int_eq(cns_solver_new_int(solver, low, high, NULL, &x[k]), CNS_OK);
    }
    add(solver, (cns_constraint){.kind = CNS_ALLDIFFERENT, ARGS(0, x, N)});
}

static const struct model {
    const char *name;
    void (*build)(cns_solver *solver, cns_rng *rng);
} models[] = {{"diffn", build_boxes}, {"alldifferent", build_differ}};

enum { MODELS = sizeof models / sizeof *models };

static cns_solver *make(cns_context *context, const struct model *model) {
    const cns_solve_options options = {.size = sizeof options};
    cns_solver *solver = NULL;
    cns_rng rng;
    cns_rng_seed(&rng, 3);
    support_status(context, CNS_OK, cns_solver_create(context, NULL, &solver));
    model->build(solver, &rng);
    support_status(context, CNS_OK, cns_solver_set_options(solver, &options));
    return solver;
}

START_TEST(a_step_ends_soon_behind_its_ticks) {
    cns_context *context = support_context();
    cns_solver *solver = make(context, &models[_i]);
    cns_outcome outcome = CNS_RUNNING;
    cns_solver_stats before, after;
    bool ready = false;
    support_status(context, CNS_OK, cns_solver_prepare(solver, UINT64_MAX, &ready));
    support_status(context, CNS_OK, cns_solver_step(solver, 1, &outcome));
    for (int k = 0; k < 50; k++) { /* at the root, and all of it in one propagator's hands */
        cns_solver_get_stats(solver, &before);
        support_status(context, CNS_OK, cns_solver_step(solver, 1, &outcome));
        cns_solver_get_stats(solver, &after);
        ck_assert_int_eq(outcome, CNS_RUNNING);
        ck_assert_uint_gt(after.ticks, before.ticks);
        ck_assert_uint_le(after.ticks - before.ticks, 20 * N);
    }
    ck_assert_uint_eq(after.nodes, 0);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

static cns_solver_stats search(const struct model *model, uint64_t ticks) {
    cns_context *context = support_context();
    cns_solver *solver = make(context, model);
    cns_solver_stats stats;
    cns_outcome outcome = CNS_RUNNING;
    while (outcome == CNS_RUNNING) {
        support_status(context, CNS_OK, cns_solver_step(solver, ticks, &outcome));
    }
    cns_solver_get_stats(solver, &stats);
    cns_solver_destroy(solver);
    support_context_destroy(context);
    return stats;
}

START_TEST(where_steps_end_does_not_show) {
    static const uint64_t ticks[] = {77, 5000};
    cns_solver_stats whole = search(&models[_i], 0);
    ck_assert_uint_gt(whole.nodes, 0);
    for (size_t k = 0; k < sizeof ticks / sizeof *ticks; k++) {
        cns_solver_stats parts = search(&models[_i], ticks[k]);
        solver_same_search(&parts, &whole);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver pause");
    TCase *cases = tcase_create("pause");
    tcase_set_timeout(cases, 300);
    tcase_add_loop_test(cases, a_step_ends_soon_behind_its_ticks, 0, MODELS);
    tcase_add_loop_test(cases, where_steps_end_does_not_show, 0, MODELS);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
