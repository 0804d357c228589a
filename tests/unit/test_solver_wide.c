/* SPDX-License-Identifier: MIT
 *
 * test_solver_wide.c - domains as wide as 2^40 and beyond, often with few values in them: results
 * at the limit of an integer, values in the middle, bounds that must not be moved one by one.
 *
 * The oracle is brute force: the domains have few values.
 */
#include "solver_steps.h"

/* ---- large values ---------------------------------------------------------------------------- */

static int count_solutions(cns_context *context, cns_solver *solver) {
    const cns_solve_options options = {.size = sizeof options, .all_solutions = 1};
    support_status(context, CNS_OK, cns_solver_set_options(solver, &options));
    int count = 0;
    while (solver_step(context, solver, 0) == CNS_SOLUTION) {
        count++;
    }
    return count;
}

/* b <=> x * x = y, and b <=> x ^ y = z: no value of x is lost because its result is large. */
START_TEST(large_results_of_a_condition_are_refused_or_right) {
    static const int64_t largest[] = {2147483647, 2147483648};
    cns_context *context = support_context();
    for (int k = 0; k < 2; k++) {
        cns_solver *solver = solver_new(context, 0);
        const int64_t ranges[] = {-largest[k], -largest[k], 3, 3, largest[k], largest[k]};
        cns_var x, y, b;
        support_status(context, CNS_OK, cns_solver_new_int_ranges(solver, ranges, 3, NULL, &x));
        support_status(context, CNS_OK, cns_solver_new_int(solver, 0, 1, NULL, &y));
        support_status(context, CNS_OK, cns_solver_new_bool(solver, NULL, &b));
        const cns_var square[] = {x, x, y};
        const cns_constraint c = {.size = sizeof c,
                                  .kind = CNS_TIMES,
                                  VARS(0, square),
                                  .condition = CNS_IF_AND_ONLY,
                                  .literal = b};
        support_status(context, k == 0 ? CNS_OK : CNS_E_RANGE, cns_solver_add(solver, &c));
        if (k == 0) {
            ck_assert_int_eq(count_solutions(context, solver), 3 * 2);
        }
        cns_solver_destroy(solver);
    }
    cns_solver *solver = solver_new(context, 0);
    cns_var v[3], b;
    support_status(context, CNS_OK, cns_solver_new_int(solver, 0, 3, NULL, &v[0]));
    support_status(context, CNS_OK,
                   cns_solver_new_int(solver, 0, 39, NULL, &v[1])); /* 3^39 < 2^62 */
    support_status(context, CNS_OK, cns_solver_new_int(solver, 0, 1, NULL, &v[2]));
    support_status(context, CNS_OK, cns_solver_new_bool(solver, NULL, &b));
    const cns_constraint power = {.size = sizeof power,
                                  .kind = CNS_POW,
                                  VARS(0, v),
                                  .condition = CNS_IF_AND_ONLY,
                                  .literal = b};
    support_status(context, CNS_OK, cns_solver_add(solver, &power));
    ck_assert_int_eq(count_solutions(context, solver), 4 * 40 * 2);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

/* A product that counts for nothing may be as large as it likes: -x * y = x. */
START_TEST(products_without_a_coefficient_do_not_overflow) {
    static const int64_t ranges[] = {-1099511627775, -1099511627775, 1000003,
                                     1000003,        1099511627776,  1099511627776};
    static const int64_t coefficients[] = {0, -1};
    cns_context *context = support_context();
    cns_solver *solver = solver_new(context, 0);
    cns_var x, y;
    support_status(context, CNS_OK, cns_solver_new_int_ranges(solver, ranges, 3, NULL, &x));
    support_status(context, CNS_OK, cns_solver_new_int(solver, -2, 5, NULL, &y));
    const cns_var left[] = {x, y}, right[] = {x, x};
    const cns_constraint c = {.size = sizeof c,
                              .kind = CNS_SUM_OF_PRODUCTS,
                              VARS(0, left),
                              VARS(1, right),
                              .v[2] = &x,
                              .v_count[2] = 1,
                              INTS(0, coefficients)};
    support_status(context, CNS_OK, cns_solver_add(solver, &c));
    ck_assert_int_eq(count_solutions(context, solver), 3);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

/* ---- creeping bounds ------------------------------------------------------------------------ */

enum { LEFT = 3, MIDDLE = 4, RIGHT = 2 };

static const int64_t left_values[LEFT] = {-274877906944, -1000003, 1073741824};
static const int64_t middle_values[MIDDLE] = {-1000003, 1, 3, 137438953472};
static const int64_t right_values[RIGHT] = {-1, 2};
enum { SUM_LOW = 75, SUM_HIGH = 504564251 };

static cns_var sparse(cns_context *context, cns_solver *solver, const int64_t *values, int count) {
    int64_t ranges[2 * MIDDLE];
    for (int i = 0; i < count; i++) {
        ranges[2 * i] = ranges[2 * i + 1] = values[i];
    }
    cns_var out;
    support_status(context, CNS_OK,
                   cns_solver_new_int_ranges(solver, ranges, (size_t)count, NULL, &out));
    return out;
}

/* In how many ways b * y + z * y + z * x, b of 0..1, lies in SUM_LOW..SUM_HIGH. */
static int sums_within(void) {
    int count = 0;
    for (int i = 0; i < LEFT * MIDDLE * RIGHT * 2; i++) {
        int64_t x = left_values[i % LEFT];
        int64_t y = middle_values[i / LEFT % MIDDLE];
        int64_t z = right_values[i / (LEFT * MIDDLE) % RIGHT];
        int64_t b = i / (LEFT * MIDDLE * RIGHT);
        int64_t sum = b * y + z * y + z * x;
        count += sum >= SUM_LOW && sum <= SUM_HIGH;
    }
    return count;
}

/* Products 2^39 wide of factors with few values: each refuted bound tells little of a product, and
 * 48 assignments must not take as many conflicts as the product has values. */
START_TEST(bounds_do_not_creep) {
    cns_context *context = support_context();
    cns_solver *solver = solver_new(context, 0);
    cns_var x = sparse(context, solver, left_values, LEFT);
    cns_var y = sparse(context, solver, middle_values, MIDDLE);
    cns_var z = sparse(context, solver, right_values, RIGHT);
    cns_var b, sum;
    support_status(context, CNS_OK, cns_solver_new_int(solver, 0, 1, NULL, &b));
    support_status(context, CNS_OK, cns_solver_new_int(solver, SUM_LOW, SUM_HIGH, NULL, &sum));
    const cns_var first[] = {b, z, z}, second[] = {y, y, x};
    const cns_constraint products = {.size = sizeof products,
                                     .kind = CNS_SUM_OF_PRODUCTS,
                                     VARS(0, first),
                                     VARS(1, second),
                                     .v[2] = &sum,
                                     .v_count[2] = 1};
    support_status(context, CNS_OK, cns_solver_add(solver, &products));
    const cns_solve_options options = {.size = sizeof options,
                                       .strategy = (cns_strategy)_i,
                                       .conflict_limit = 10000,
                                       .all_solutions = 1};
    support_status(context, CNS_OK, cns_solver_set_options(solver, &options));
    int found = 0;
    cns_outcome outcome;
    while ((outcome = solver_step(context, solver, 0)) == CNS_SOLUTION) {
        found++;
    }
    ck_assert_int_eq(outcome, CNS_COMPLETE);
    ck_assert_int_eq(found, sums_within());
    ck_assert_int_gt(found, 0);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

/* ---- the annotated search ------------------------------------------------------------------- */

/* Values in the middle of a wide domain are those of the domain, and found without a walk through
 * its holes. The second variable is the first one's negation. */
START_TEST(values_in_the_middle_are_of_the_domain) {
    static const int64_t ranges[] = {2, 3, 2147483648, 2147483648, 1099511627775, 1099511627775};
    static const cns_choose_value rules[] = {CNS_INDOMAIN_MEDIAN, CNS_INDOMAIN_MIDDLE};
    static const int64_t firsts[2][2] = {{3, 2147483648}, {2147483648, 2147483648}};
    static const int64_t ones[] = {1, 1}, zero[] = {0};
    int rule = _i % 2;
    int negated = _i / 2;
    cns_context *context = support_context();
    cns_solver *solver = solver_new(context, 0);
    cns_var x[2];
    support_status(context, CNS_OK, cns_solver_new_int_ranges(solver, ranges, 3, NULL, &x[0]));
    support_status(context, CNS_OK,
                   cns_solver_new_int(solver, -CNS_SOLVER_BOUND, CNS_SOLVER_BOUND, NULL, &x[1]));
    const cns_constraint opposite = {
        .size = sizeof opposite, .kind = CNS_LINEAR_EQ, VARS(0, x), INTS(0, ones), INTS(1, zero)};
    support_status(context, CNS_OK, cns_solver_add(solver, &opposite));
    support_status(context, CNS_OK,
                   cns_solver_add_search(solver, &x[negated], 1, CNS_INPUT_ORDER, rules[rule]));
    const cns_solve_options options = {.size = sizeof options, .all_solutions = 1};
    support_status(context, CNS_OK, cns_solver_set_options(solver, &options));
    int64_t value = 0;
    int found = 0;
    while (solver_step(context, solver, 0) == CNS_SOLUTION) {
        support_status(context, CNS_OK, cns_solver_value(solver, x[0], &value));
        ck_assert(found > 0 || value == firsts[rule][negated]);
        found++;
    }
    ck_assert_int_eq(found, 4);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

/* A removed value in the middle of a wide interval is not decided on. */
START_TEST(a_removed_middle_is_not_decided_on) {
    cns_context *context = support_context();
    cns_solver *solver = solver_new(context, 0);
    cns_var x;
    static const int64_t one[] = {1}, middle[] = {2500};
    support_status(context, CNS_OK, cns_solver_new_int(solver, 0, 5000, NULL, &x));
    const cns_constraint unequal = {.size = sizeof unequal,
                                    .kind = CNS_LINEAR_NE,
                                    .v[0] = &x,
                                    .v_count[0] = 1,
                                    INTS(0, one),
                                    INTS(1, middle)};
    support_status(context, CNS_OK, cns_solver_add(solver, &unequal));
    support_status(context, CNS_OK,
                   cns_solver_add_search(solver, &x, 1, CNS_INPUT_ORDER, CNS_INDOMAIN_MEDIAN));
    int64_t value = 0;
    ck_assert_int_eq(solver_step(context, solver, 0), CNS_SOLUTION);
    support_status(context, CNS_OK, cns_solver_value(solver, x, &value));
    ck_assert_int_eq(value, 2499);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver_wide");
    TCase *cases = tcase_create("wide");
    tcase_set_timeout(cases, 600);
    tcase_add_test(cases, large_results_of_a_condition_are_refused_or_right);
    tcase_add_test(cases, products_without_a_coefficient_do_not_overflow);
    tcase_add_loop_test(cases, bounds_do_not_creep, CNS_STRATEGY_DEFAULT, CNS_STRATEGY_FREE + 1);
    tcase_add_loop_test(cases, values_in_the_middle_are_of_the_domain, 0, 4);
    tcase_add_test(cases, a_removed_middle_is_not_decided_on);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
