/* SPDX-License-Identifier: MIT
 *
 * test_solver_evaluate.c - the judge of solutions: against tables made by hand, and against what
 * MiniZinc's library of decompositions says.
 */
#include <stdio.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver_random.h"
#include "support.h"

/* ---- random models -------------------------------------------------------------------------- */

START_TEST(random_models_are_satisfiable_and_not) {
    int kind = _i, satisfiable = 0;
    uint64_t solutions = 0, assignments = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        cns_context *context = support_context();
        cns_model model;
        cns_rng rng;
        support_status(context, CNS_OK, cns_model_init(&model, context));
        cns_rng_seed(&rng, seed * 1000 + (uint64_t)kind);
        solver_random_model(&rng, kind, &model);
        uint64_t count = solver_random_count(&model, NULL, NULL), all = 1;
        for (uint32_t k = 0; k < model.variable_count; k++) {
            const cns_model_var *var = &model.variables[k];
            uint64_t size = 0;
            for (uint32_t r = 0; r < var->range_count; r++) {
                const int64_t *range = model.ints + var->ranges + 2 * r;
                size += (uint64_t)(range[1] - range[0]) + 1;
            }
            all *= var->output || !model.any_output ? size : 1;
        }
        ck_assert_uint_le(count, all);
        satisfiable += count > 0;
        solutions += count;
        assignments += all;
        cns_model_deinit(&model);
        support_context_destroy(context);
    }
    ck_assert_msg(satisfiable >= 20, "%s: %d of 100 satisfiable",
                  cns_constraint_kind_name((cns_constraint_kind)kind), satisfiable);
    ck_assert_uint_gt(solutions, 0);
    ck_assert_uint_lt(solutions, assignments);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver_evaluate");
    TCase *tcase = tcase_create("random");
    tcase_add_loop_test(tcase, random_models_are_satisfiable_and_not, 0, CNS_CONSTRAINT_KINDS);
    suite_add_tcase(suite, tcase);
    return support_run(suite);
}
