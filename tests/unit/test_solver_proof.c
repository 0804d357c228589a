/* SPDX-License-Identifier: MIT
 *
 * test_solver_proof.c - the contract of cns_solver_set_proof: what is written when, what is
 * refused, sinks that fail, allocations that fail. That proofs prove is tests/cli/test_proof.lua's.
 */
#include <string.h>

#include "cns/solver.h"
#include "support.h"

typedef struct sink {
    char text[1 << 16];
    size_t length;
    size_t room; /* refuses what goes beyond */
    bool refused;
} sink;

static int take(void *user, const char *text, size_t length) {
    sink *s = user;
    ck_assert(!s->refused); /* nothing more after that */
    if (length > s->room - s->length) {
        s->refused = true;
        return 1;
    }
    memcpy(s->text + s->length, text, length);
    s->length += length;
    s->text[s->length] = 0;
    return 0;
}

static const char *last_line(sink *s) {
    ck_assert_uint_gt(s->length, 0);
    ck_assert_int_eq(s->text[s->length - 1], '\n');
    size_t at = s->length - 1;
    while (at > 0 && s->text[at - 1] != '\n') {
        at--;
    }
    return s->text + at;
}

static cns_status add_ne(cns_solver *solver, cns_var a, cns_var b) {
    const cns_var x[] = {a, b};
    const int64_t coefficients[] = {1, -1};
    const int64_t zero = 0;
    const cns_constraint c = {.size = sizeof c,
                              .kind = CNS_LINEAR_NE,
                              .v = {x},
                              .v_count = {2},
                              .i = {coefficients, &zero},
                              .i_count = {2, 1}};
    return cns_solver_add(solver, &c);
}

/* `count` pigeons in three holes. */
static cns_status pigeons(cns_solver *solver, int count) {
    cns_var x[8];
    cns_status status = CNS_OK;
    for (int i = 0; i < count && status == CNS_OK; i++) {
        status = cns_solver_new_int(solver, 1, 3, "p", &x[i]);
        for (int k = 0; k < i && status == CNS_OK; k++) {
            status = add_ne(solver, x[k], x[i]);
        }
    }
    return status;
}

static cns_solver *create(cns_context *context, int count, sink *s) {
    cns_solver *solver;
    ck_assert_int_eq(cns_solver_create(context, NULL, &solver), CNS_OK);
    ck_assert_int_eq(pigeons(solver, count), CNS_OK);
    s->length = 0;
    s->room = sizeof s->text - 1;
    s->refused = false;
    ck_assert_int_eq(cns_solver_set_proof(solver, take, s), CNS_OK);
    return solver;
}

static sink s; /* large */

START_TEST(test_conclusion) {
    cns_context *context = support_context();
    cns_solver *solver = create(context, 4, &s);
    cns_outcome outcome;
    ck_assert_int_eq(cns_solver_step(solver, 0, &outcome), CNS_OK);
    ck_assert_int_eq(outcome, CNS_COMPLETE);
    ck_assert_str_eq(last_line(&s), "u\n");
    ck_assert_ptr_nonnull(strstr(s.text, "cns-proof 1\nm 4 6\n"));
    size_t length = s.length;
    ck_assert_int_eq(cns_solver_step(solver, 0, &outcome), CNS_OK); /* said once */
    ck_assert_uint_eq(s.length, length);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

START_TEST(test_one_solution_concludes_nothing) {
    cns_context *context = support_context();
    cns_solver *solver = create(context, 3, &s);
    cns_outcome outcome;
    ck_assert_int_eq(cns_solver_step(solver, 0, &outcome), CNS_OK);
    ck_assert_int_eq(outcome, CNS_SOLUTION);
    ck_assert_int_eq(cns_solver_step(solver, 0, &outcome), CNS_OK);
    ck_assert_int_eq(outcome, CNS_COMPLETE);
    ck_assert_int_eq(last_line(&s)[0], 's');
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

START_TEST(test_assumptions) {
    cns_context *context = support_context();
    cns_solver *solver = create(context, 3, &s);
    cns_var b[2];
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(cns_solver_new_bool(solver, "b", &b[i]), CNS_OK);
    }
    const cns_var either[] = {~b[0], ~b[1]};
    const cns_constraint c = {.size = sizeof c, .kind = CNS_CLAUSE, .v = {either}, .v_count = {2}};
    ck_assert_int_eq(cns_solver_add(solver, &c), CNS_OK);
    ck_assert_int_eq(cns_solver_assume(solver, b, 2), CNS_OK);
    cns_outcome outcome;
    ck_assert_int_eq(cns_solver_step(solver, 0, &outcome), CNS_OK);
    ck_assert_int_eq(outcome, CNS_COMPLETE);
    const char *end = last_line(&s);
    ck_assert_msg(strncmp(end, "u b", 3) == 0 && strchr(end + 3, 'b') != NULL, "%s", end);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

static cns_status never_asked(void *pool, int64_t begin, int64_t end, int64_t grain,
                              cns_range_fn body, void *user) {
    (void)pool, (void)begin, (void)end, (void)grain, (void)body, (void)user;
    ck_abort_msg("several workers search");
    return CNS_E_INVALID;
}

START_TEST(test_refusals) {
    cns_context *context = support_context();
    cns_solver *solver = create(context, 3, &s);
    cns_outcome outcome;
    const cns_executor nobody = {.parallel_for = never_asked};
    const cns_solve_options two = {.size = sizeof two, .workers = 2, .executor = &nobody};
    ck_assert_int_eq(cns_solver_set_options(solver, &two), CNS_OK);
    ck_assert_int_eq(cns_solver_step(solver, 0, &outcome), CNS_E_UNSUPPORTED);
    ck_assert_int_eq(cns_solver_set_options(solver, NULL), CNS_OK);
    ck_assert_int_eq(cns_solver_step(solver, 0, &outcome), CNS_OK);
    ck_assert_int_eq(cns_solver_set_proof(solver, take, &s), CNS_E_INVALID); /* begun */
    ck_assert_int_eq(add_ne(solver, 0, 1), CNS_OK);
    ck_assert_int_eq(cns_solver_step(solver, 0, &outcome), CNS_E_UNSUPPORTED); /* changed */
    ck_assert_int_eq(cns_solver_set_proof(solver, NULL, NULL), CNS_OK);
    ck_assert_int_eq(cns_solver_step(solver, 0, &outcome), CNS_OK); /* without, it goes on */
    ck_assert_int_eq(cns_solver_set_proof(NULL, take, &s), CNS_E_INVALID);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

START_TEST(test_sink_that_fails) {
    cns_context *context = support_context();
    cns_solver *solver = create(context, 4, &s);
    s.room = 3;
    cns_outcome outcome;
    ck_assert_int_eq(cns_solver_step(solver, 0, &outcome), CNS_E_IO);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

static cns_status solve(cns_context *context) {
    cns_solver *solver = NULL;
    cns_outcome outcome = CNS_RUNNING;
    s.length = 0;
    s.room = sizeof s.text - 1;
    s.refused = false;
    cns_status status = cns_solver_create(context, NULL, &solver);
    status = status == CNS_OK ? pigeons(solver, 4) : status;
    status = status == CNS_OK ? cns_solver_set_proof(solver, take, &s) : status;
    status = status == CNS_OK ? cns_solver_step(solver, 0, &outcome) : status;
    cns_solver_destroy(solver);
    return status;
}

START_TEST(test_each_allocation_refused) {
    support_each_allocation_fails(solve);
    ck_assert_str_eq(last_line(&s), "u\n"); /* of the run in which none was refused */
}
END_TEST

int main(void) {
    Suite *suite = suite_create("proof");
    TCase *cases = tcase_create("interface");
    tcase_add_test(cases, test_conclusion);
    tcase_add_test(cases, test_one_solution_concludes_nothing);
    tcase_add_test(cases, test_assumptions);
    tcase_add_test(cases, test_refusals);
    tcase_add_test(cases, test_sink_that_fails);
    tcase_add_test(cases, test_each_allocation_refused);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
