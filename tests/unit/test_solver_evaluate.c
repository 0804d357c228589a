/* SPDX-License-Identifier: MIT
 *
 * test_solver_evaluate.c - the judge of solutions: against tables made by hand, against what
 * MiniZinc's library of decompositions and Gecode say, and on models of many elements.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "solver/evaluate.h"
#include "solver_random.h"
#include "solver_text.h"
#include "support.h"

static bool evaluate(const cns_model *model, uint32_t index, const int64_t *values) {
    bool holds;
    support_status(model->context, CNS_OK, cns_model_evaluate(model, index, values, &holds));
    return holds;
}

/* ---- tables made by hand -------------------------------------------------------------------- */

/* Numbers of variables stand for constants: the table says the values themselves. */
static cns_var constant(void *user, int64_t number) {
    cns_model *model = user;
    cns_var var = 0;
    support_status(model->context, CNS_OK, cns_model_constant(model, number, &var));
    return var;
}

typedef struct row {
    const char *kind, *text;
    bool holds;
} row;

static void check_row(const row *r) {
    cns_context *context = support_context();
    cns_model model;
    solver_text text;
    support_status(context, CNS_OK, cns_model_init(&model, context));
    solver_text_parse(&text, r->kind, r->text, constant, &model);
    support_status(context, CNS_OK, cns_model_add(&model, &text.c));
    int64_t values[SOLVER_TEXT_ELEMENTS * 4];
    for (uint32_t k = 0; k < model.variable_count; k++) {
        values[k] = model.variables[k].low;
    }
    ck_assert_msg(evaluate(&model, 0, values) == r->holds, "%s %s: expected %d", r->kind, r->text,
                  r->holds);
    cns_model_deinit(&model);
    support_context_destroy(context);
}

static const row rows[] = {
    {"clause", "", false},
    {"clause", "v0 0 0", false},
    {"clause", "v0 0 ~0", true},
    {"clause", "v0 ~1 0 1", true},
    {"clause", "condition 1 0", true},
    {"clause", "condition 1 1", false},
    {"clause", "condition 2 0", true},
    {"clause", "condition 2 ~1", true},
    {"clause", "condition 2 ~0", false},
    {"xor", "", false},
    {"xor", "v0 1", true},
    {"xor", "v0 1 1", false},
    {"xor", "v0 1 1 ~0", true},
    {"linear_eq", "i1 0", true},
    {"linear_eq", "i1 1", false},
    {"linear_eq", "v0 3 -2 i0 2 3 i1 0", true},
    {"linear_eq", "v0 3 ~1 i0 1 5 i1 3", true},
    {"linear_ne", "v0 3 -2 i0 2 3 i1 0", false},
    {"linear_ne", "v0 3 -2 i0 2 3 i1 2", true},
    {"linear_le", "v0 3 -2 i0 2 3 i1 -1", false},
    {"linear_le", "v0 3 -2 i0 2 3 i1 0", true},
    {"linear_le", "v0 1099511627776 i0 4194303 i1 0", false},
    {"in", "v0 3", false},
    {"in", "v0 3 i0 1 2 4 9", false},
    {"in", "v0 2 i0 1 2 4 9", true},
    {"in", "v0 4 i0 1 2 4 9", true},
    {"in", "v0 10 i0 1 2 4 9", false},
    {"in", "v0 0 i0 1 2 4 9", false},
    {"times", "v0 -3 4 -12", true},
    {"times", "v0 -3 4 12", false},
    {"div", "v0 -7 2 -3", true}, /* towards 0 */
    {"div", "v0 -7 2 -4", false},
    {"div", "v0 7 -2 -3", true},
    {"div", "v0 7 0 0", false},
    {"div", "v0 7 0 0 condition 1 1", false},
    {"div", "v0 7 0 0 condition 1 0", true},
    {"div", "v0 7 0 0 condition 2 0", true},
    {"div", "v0 7 0 0 condition 2 1", false},
    {"mod", "v0 -7 2 -1", true}, /* the sign of x */
    {"mod", "v0 7 -2 1", true},
    {"mod", "v0 7 -2 -1", false},
    {"mod", "v0 7 0 7", false},
    {"pow", "v0 0 0 1", true},
    {"pow", "v0 0 5 0", true},
    {"pow", "v0 0 -1 0", false}, /* undefined */
    {"pow", "v0 0 -1 1", false},
    {"pow", "v0 2 10 1024", true},
    {"pow", "v0 -2 3 -8", true},
    {"pow", "v0 2 -1 0", true},
    {"pow", "v0 -1 -3 -1", true},
    {"pow", "v0 -1 -4 1", true},
    {"pow", "v0 1 1099511627776 1", true},
    {"pow", "v0 -1 1099511627776 1", true},
    {"pow", "v0 -1 1099511627775 -1", true},
    {"pow", "v0 2 61 0", false},
    {"pow", "v0 2 -1099511627776 0", true},
    {"abs", "v0 -3 3", true},
    {"abs", "v0 -3 -3", false},
    {"min", "v0 3 1 2 v1 1", true},
    {"min", "v0 3 1 2 v1 2", false},
    {"max", "v0 3 1 2 v1 3", true},
    {"max", "v0 3 1 2 v1 4", false},
    {"element", "v0 2 5 i1 4 5", true},
    {"element", "v0 2 5 i0 0 i1 4 5", false}, /* beyond */
    {"element", "v0 1 5 i0 0 i1 4 5", true},
    {"element", "v0 0 4 i1 4 5", false},
    {"element", "v0 1 4 v1 4 5", true},
    {"element", "v0 9 4 v1 4 5 condition 2 0", true},
    {"element", "v0 -1 4 i0 -1 v1 4 5", true},
    {"alldifferent", "", true},
    {"alldifferent", "v0 1 2 3", true},
    {"alldifferent", "v0 1 2 1", false},
    {"alldifferent", "v0 1 2 1 i0 1", true},
    {"alldifferent", "v0 0 2 0 2 i0 0", false},
    {"global_cardinality", "v0 1 2 1 i0 1 3 v1 2 0", true},
    {"global_cardinality", "v0 1 2 1 i0 1 3 v1 2 0 i1 1", false},
    {"global_cardinality", "v0 1 2 1 i0 1 2 v1 2 1 i1 1", true},
    {"global_cardinality", "v0 1 2 1 i0 1 1 v1 2 2", true},
    {"global_cardinality", "v0 1 2 1 i0 1 1 v1 2 1", false},
    {"global_cardinality", "v0 1 i1 1", false},
    {"global_cardinality", "v0 1 i1 0", true},
    {"count", "v0 1 2 1 v1 1 v2 2 i0 0", true},
    {"count", "v0 1 2 1 v1 1 v2 2 i0 1", false},
    {"count", "v0 1 2 1 v1 1 v2 2 i0 2", true},
    {"count", "v0 1 2 1 v1 1 v2 1 i0 2", false},
    {"count", "v0 1 2 1 v1 1 v2 1 i0 3", true},
    {"count", "v0 1 2 1 v1 1 v2 3 i0 4", true},
    {"count", "v0 1 2 1 v1 1 v2 2 i0 4", false},
    {"count", "v0 1 2 1 v1 1 v2 1 i0 5", true},
    {"count", "v0 1 2 1 v1 1 v2 2 i0 5", false},
    {"among", "v0 1 2 1 i0 1 1 3 v1 2", true},
    {"among", "v0 1 2 1 v1 0", true},
    {"among", "v0 1 2 1 i0 1 1 3 v1 4", false}, /* a value counts once, however often it is named */
    {"nvalue", "v1 0", true},
    {"nvalue", "v0 1 2 1 v1 2", true},
    {"nvalue", "v0 1 2 1 v1 3", false},
    {"cumulative", "v3 0", true},
    {"cumulative", "v3 -1", false},                    /* 0 does not stay within -1 */
    {"cumulative", "v0 0 2 v1 2 2 v2 3 3 v3 3", true}, /* one ends when the other begins */
    {"cumulative", "v0 0 1 v1 2 2 v2 3 3 v3 5", false},
    {"cumulative", "v0 0 1 v1 2 2 v2 3 3 v3 6", true},
    {"cumulative", "v0 0 1 v1 2 0 v2 3 9 v3 3", true}, /* a task without duration never runs */
    {"cumulative", "v0 0 0 0 v1 1 1 1 v2 1 1 2 v3 3", false},
    {"disjunctive", "v0 0 2 v1 2 2", true},
    {"disjunctive", "v0 0 1 v1 2 2", false},
    {"disjunctive", "v0 0 1 v1 2 2 v2 1 0", true},
    {"disjunctive", "v0 0 1 v1 2 2 v2 1 ~0", false},
    {"disjunctive", "v0 0 1 v1 2 0", true},
    {"disjunctive", "v0 0 1 v1 2 0 i0 0", true},
    {"disjunctive", "v0 0 1 v1 2 0 i0 1", false},
    {"disjunctive", "v0 0 2 v1 2 0 i0 1", true}, /* at the end is not inside */
    {"disjunctive", "v0 0 0 v1 2 0 i0 1", true},
    {"disjunctive", "v0 0 0 v1 0 0 i0 1", true},
    {"disjunctive", "v0 0 1 v1 2 0 v2 0 1 i0 1", true},
    {"disjunctive", "v0 0 1 v1 2 0 v2 1 0 i0 1", true},
    {"diffn", "v0 0 2 v1 0 0 v2 2 2 v3 2 2", true},
    {"diffn", "v0 0 1 v1 0 1 v2 2 2 v3 2 2", false},
    {"diffn", "v0 0 1 v1 0 2 v2 2 2 v3 2 2", true},
    {"diffn", "v0 0 1 v1 0 1 v2 2 0 v3 2 2", true},
    {"diffn", "v0 0 1 v1 0 1 v2 2 0 v3 2 2 i0 1", false},
    {"diffn", "v0 1 0 v1 1 0 v2 0 2 v3 0 2 i0 1", false},
    {"diffn", "v0 0 2 v1 0 1 v2 2 0 v3 2 2 i0 1", true},
    {"circuit", "", true},
    {"circuit", "v0 1", true}, /* one node, one arc */
    {"circuit", "v0 2 3 1", true},
    {"circuit", "v0 2 1 3", false},
    {"circuit", "v0 2 3 4", false},
    {"circuit", "v0 1 2 0 i0 0", true},
    {"circuit", "v0 2 3 2", false}, /* never back at the first */
    {"subcircuit", "", true},
    {"subcircuit", "v0 1 2 3", true},
    {"subcircuit", "v0 1 3 2", true},
    {"subcircuit", "v0 2 1 4 3", false},
    {"subcircuit", "v0 2 1 5", false},
    {"subcircuit", "v0 2 3 2", false},
    {"table", "v0 1 2", false},
    {"table", "v0 1 2 i0 2 1 1 2", true},
    {"table", "v0 1 2 i0 2 1 1 1", false},
    {"regular", "i0 1 1 1 i1 0", false},
    {"regular", "i0 1 1 1 i1 0 i2 1", true},
    {"regular", "v0 1 2 i0 2 2 1 i1 2 0 0 1 i2 1", true},
    {"regular", "v0 1 2 1 i0 2 2 1 i1 2 0 0 1 i2 1", false},
    {"regular", "v0 1 1 i0 2 2 1 i1 2 0 0 1 i2 1 2", false},
    {"regular", "v0 3 i0 1 2 1 i1 1 1 i2 1", false},
    {"regular", "v0 0 i0 1 2 1 i1 1 1 i2 1", false},
    {"mdd", "v0 3 i0 1 i1 1 2 4 0", true},
    {"mdd", "v0 5 i0 1 i1 1 2 4 0", false},
    {"mdd", "v0 5 i0 1", false},
    {"mdd", "v0 1 7 i0 3 i1 1 1 1 3 1 1 2 2 3 6 6 0 2 7 7 0", true}, /* two edges admit 1 */
    {"mdd", "v0 1 8 i0 3 i1 1 1 1 3 1 1 2 2 3 6 6 0 2 7 7 0", false},
    {"inverse", "", true},
    {"inverse", "v0 2 1 3 v1 2 1 3", true},
    {"inverse", "v0 2 3 1 v1 2 3 1", false},
    {"inverse", "v0 2 3 1 v1 3 1 2", true},
    {"inverse", "v0 1 0 v1 6 5 i0 5 0", true},
    {"inverse", "v0 1 v1 1 9", false}, /* 9 is no index of the other */
    {"inverse", "v0 1 9 v1 1", false},
    {"sort", "v0 3 1 2 1 v1 1 1 2 3", true},
    {"sort", "v0 3 1 2 1 v1 1 2 2 3", false},
    {"arg_sort", "v0 3 1 2 1 v1 2 4 3 1", true},
    {"arg_sort", "v0 3 1 2 1 v1 4 2 3 1", false}, /* ties by index */
    {"arg_sort", "v0 3 1 v1 1 0 i0 0", true},
    {"arg_sort", "v0 1 1 v1 1 1", false},
    {"lex_le", "v0 1 2 v1 1 2", true},
    {"lex_le", "v0 1 3 v1 1 2", false},
    {"lex_le", "v0 1 v1 1 2", true},
    {"lex_le", "v0 1 2 v1 1", false},
    {"lex_le", "", true},
    {"lex_lt", "v0 1 2 v1 1 2", false},
    {"lex_lt", "v0 1 v1 1 2", true},
    {"lex_lt", "v0 0 9 v1 1", true},
    {"lex_lt", "", false},
    {"precede", "v0 5 1 2 1 i0 1 2", true},
    {"precede", "v0 2 1 i0 1 2", false},
    {"precede", "v0 2 2 i0 1 2", false},
    {"precede", "v0 1 3 i0 1 2 3", false},
    {"precede", "v0 1 2 3 i0 1 2 3", true},
    {"precede", "v0 1 i0 1 1", false}, /* 1 before the first 1 */
    {"increasing", "v0 1 1 2", true},
    {"increasing", "v0 1 1 2 i0 0", true},
    {"increasing", "v0 1 1 2 i0 1", false},
    {"increasing", "v0 2 1", false},
    {"increasing", "i0 1", true},
    {"arg_max", "v0 1 3 3 v1 2", true},
    {"arg_max", "v0 1 3 3 v1 3", false},
    {"arg_max", "v0 1 3 3 v1 1 i0 0", true},
    {"arg_min", "v0 1 3 1 v1 1", true},
    {"arg_min", "v0 1 3 1 v1 3", false},
    {"arg_min", "v0 1 3 1 v1 0", false},
    {"bin_packing", "v0 1 2 1 i0 3 4 5 v1 8 4", true},
    {"bin_packing", "v0 1 2 1 i0 3 4 5 v1 4 8", false},
    {"bin_packing", "v0 1 3 1 i0 3 0 5 v1 8 0", false}, /* in no bin */
    {"bin_packing", "v0 0 1 i0 3 4 v1 3 4 i1 0", true},
    {"bin_packing", "v1 0", true},
    {"bin_packing", "v0 1 i0 0", false},
    {"knapsack", "v0 2 1 i0 3 4 i1 1 7 v1 10 9", true},
    {"knapsack", "v0 2 1 i0 3 4 i1 1 7 v1 10 8", false},
    {"knapsack", "v0 2 1 i0 3 4 i1 1 7 v1 9 9", false},
    {"all_equal", "", true},
    {"all_equal", "v0 3 3", true},
    {"all_equal", "v0 3 3 2", false},
    {"member", "v1 1", false},
    {"member", "v0 2 1 v1 1", true},
    {"member", "v0 2 ~0 v1 1", true},
    {"member", "v0 2 3 v1 1", false},
    {"sum_of_products", "v0 2 3 v1 4 -5 v2 -7", true},
    {"sum_of_products", "v0 2 3 v1 4 -5 i0 2 1 v2 1", true},
    {"sum_of_products", "v0 2 3 v1 4 -5 i0 2 1 v2 0", false},
    {"sum_of_products", "v2 0", true},
};

START_TEST(tables_made_by_hand) {
    bool seen[CNS_CONSTRAINT_KINDS][2] = {{false}};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        check_row(&rows[k]);
        for (int kind = 1; kind < CNS_CONSTRAINT_KINDS; kind++) {
            if (strcmp(cns_constraint_kind_name((cns_constraint_kind)kind), rows[k].kind) == 0) {
                seen[kind][rows[k].holds] = true;
            }
        }
    }
    for (int kind = 1; kind < CNS_CONSTRAINT_KINDS; kind++) {
        ck_assert_msg(seen[kind][0] && seen[kind][1], "%s: rows of one sort only",
                      cns_constraint_kind_name((cns_constraint_kind)kind));
    }
}
END_TEST

/* ---- facts from MiniZinc -------------------------------------------------------------------- */

enum { FACT_TEXT = 4096, FACT_DIGITS = 8192 };

typedef struct fact {
    char kind[32], bounds[256], text[FACT_TEXT], holds[FACT_DIGITS];
} fact;

static void append(char *to, size_t capacity, const char *text) {
    size_t length = strlen(to);
    ck_assert_uint_lt(length + strlen(text) + 1, capacity);
    snprintf(to + length, capacity - length, "%s", text);
}

/* The next assignment in lexicographic order; false after the last one. */
static bool advance(const cns_model *model, int64_t *values) {
    for (uint32_t k = model->variable_count; k-- > 0;) {
        if (values[k] < model->variables[k].high) {
            values[k]++;
            return true;
        }
        values[k] = model->variables[k].low;
    }
    return false;
}

static bool digit_bit(const char *digits, size_t bit) {
    char digit[2] = {digits[bit / 4], '\0'};
    return (strtol(digit, NULL, 16) >> (3 - bit % 4) & 1) != 0;
}

/* Returns how many assignments there were. */
static size_t check_fact(const fact *f) {
    cns_context *context = support_context();
    cns_model model;
    solver_text text;
    support_status(context, CNS_OK, cns_model_init(&model, context));
    int64_t values[16], range[2];
    const char *rest = f->bounds;
    for (int length; sscanf(rest, "%" SCNd64 " %" SCNd64 "%n", &range[0], &range[1], &length) == 2;
         rest += length) {
        cns_var var;
        support_status(context, CNS_OK, cns_model_new_var(&model, range, 1, NULL, &var));
        ck_assert_int_lt(var, 16);
        values[var] = range[0];
    }
    solver_text_parse(&text, f->kind, f->text, NULL, NULL);
    support_status(context, CNS_OK, cns_model_add(&model, &text.c));
    size_t count = 0;
    do {
        ck_assert_uint_lt(count / 4, strlen(f->holds));
        ck_assert_msg(evaluate(&model, 0, values) == digit_bit(f->holds, count),
                      "%s %s bounds %s: assignment %zu", f->kind, f->text, f->bounds, count);
        count++;
    } while (advance(&model, values));
    ck_assert_uint_eq((count + 3) / 4, strlen(f->holds));
    cns_model_deinit(&model);
    support_context_destroy(context);
    return count;
}

START_TEST(facts_from_minizinc) {
    FILE *file = fopen(TEST_DATA_DIR "/solver_facts.txt", "r");
    ck_assert_ptr_nonnull(file);
    fact f = {.kind = ""};
    char line[1024];
    size_t facts = 0, assignments = 0;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = strchr(line, ' ');
        if (line[0] == '#' || !rest) {
            continue;
        }
        if (strncmp(line, "kind ", 5) == 0) {
            assignments += f.kind[0] ? check_fact(&f) : 0;
            facts++;
            memset(&f, 0, sizeof f);
            append(f.kind, sizeof f.kind, rest + 1);
        } else if (strncmp(line, "bounds ", 7) == 0) {
            append(f.bounds, sizeof f.bounds, rest + 1);
        } else if (strncmp(line, "holds ", 6) == 0) {
            append(f.holds, sizeof f.holds, rest + 1);
        } else {
            append(f.text, sizeof f.text, line);
            append(f.text, sizeof f.text, " ");
        }
    }
    fclose(file);
    assignments += check_fact(&f);
    ck_assert_uint_ge(facts, 70);
    ck_assert_uint_ge(assignments, 20000);
}
END_TEST

/* ---- random models -------------------------------------------------------------------------- */

static uint64_t domain_size(const cns_model *model, uint32_t var) {
    uint64_t size = 0;
    for (uint32_t k = 0; k < model->variables[var].range_count; k++) {
        const int64_t *range = model->ints + model->variables[var].ranges + 2 * k;
        size += (uint64_t)(range[1] - range[0]) + 1;
    }
    return size;
}

/* What the solver's tests compare with must not be trivial. */
START_TEST(random_models_are_satisfiable_and_not) {
    int satisfiable = 0;
    uint64_t solutions = 0, assignments = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        cns_context *context = support_context();
        cns_model model;
        cns_rng rng;
        support_status(context, CNS_OK, cns_model_init(&model, context));
        cns_rng_seed(&rng, seed * 1000 + (uint64_t)_i);
        solver_random_model(&rng, _i, &model);
        uint64_t count = solver_random_count(&model, NULL, NULL), all = 1;
        for (uint32_t k = 0; k < model.variable_count; k++) {
            all *= model.variables[k].output || !model.any_output ? domain_size(&model, k) : 1;
        }
        ck_assert_uint_le(count, all);
        satisfiable += count > 0;
        solutions += count;
        assignments += all;
        cns_model_deinit(&model);
        support_context_destroy(context);
    }
    ck_assert_msg(satisfiable >= 5, "%s: %d of 100 satisfiable",
                  cns_constraint_kind_name((cns_constraint_kind)_i), satisfiable);
    ck_assert_uint_lt(solutions, assignments);
}
END_TEST

static void count_visit(void *user, const int64_t *values) {
    uint64_t *seen = user;
    ck_assert_uint_eq(*seen >> (values[0] * 2 + values[1]) & 1, 0);
    *seen |= UINT64_C(1) << (values[0] * 2 + values[1]);
}

START_TEST(outputs_tell_solutions_apart) {
    cns_context *context = support_context();
    cns_model model;
    cns_var x, y, z;
    support_status(context, CNS_OK, cns_model_init(&model, context));
    static const int64_t domain[] = {0, 0, 2, 2}, two[] = {0, 1}, five[] = {0, 4};
    support_status(context, CNS_OK, cns_model_new_var(&model, domain, 2, "x", &x));
    support_status(context, CNS_OK, cns_model_new_var(&model, two, 1, "y", &y));
    support_status(context, CNS_OK, cns_model_new_var(&model, five, 1, "z", &z));
    solver_text sum;
    solver_text_parse(&sum, "linear_le", "v0 0 1 2 i0 1 1 -1 i1 0", NULL, NULL);
    support_status(context, CNS_OK, cns_model_add(&model, &sum.c));
    ck_assert_uint_eq(solver_random_count(&model, NULL, NULL), 5 + 4 + 3 + 2);
    support_status(context, CNS_OK, cns_model_mark_output(&model, x));
    support_status(context, CNS_OK, cns_model_mark_output(&model, ~y));
    uint64_t seen = 0;
    ck_assert_uint_eq(solver_random_count(&model, count_visit, &seen), 4);
    ck_assert_uint_eq(seen, 0x33); /* 2 x + y: 0, 1, 4, 5 */
    cns_model_deinit(&model);
    support_context_destroy(context);
}
END_TEST

/* ---- whole models --------------------------------------------------------------------------- */

START_TEST(the_first_failure_is_named) {
    cns_context *context = support_context();
    cns_model model;
    support_status(context, CNS_OK, cns_model_init(&model, context));
    static const int64_t holes[] = {1, 2, 5, 6};
    cns_var var;
    for (int k = 0; k < 3; k++) {
        support_status(context, CNS_OK, cns_model_new_var(&model, holes, 2, NULL, &var));
    }
    solver_text text;
    solver_text_parse(&text, "alldifferent", "v0 0 1 2", NULL, NULL);
    support_status(context, CNS_OK, cns_model_add(&model, &text.c));
    solver_text_parse(&text, "increasing", "v0 0 1 2", NULL, NULL);
    support_status(context, CNS_OK, cns_model_add(&model, &text.c));
    static const struct {
        int64_t values[3];
        bool holds;
        uint32_t failed, variable;
    } cases[] = {
        {{1, 2, 5}, true, 7, 7},           {{1, 2, 2}, false, 0, 7},
        {{1, 5, 2}, false, 1, 7},          {{1, 3, 5}, false, UINT32_MAX, 1},
        {{1, 2, 7}, false, UINT32_MAX, 2}, {{INT64_MIN, 2, INT64_MAX}, false, UINT32_MAX, 0},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        bool holds;
        uint32_t failed = 7, variable = 7;
        support_status(context, CNS_OK,
                       cns_model_evaluate_all(&model, cases[k].values, &holds, &failed, &variable));
        ck_assert_int_eq(holds, cases[k].holds);
        ck_assert_uint_eq(failed, cases[k].failed);
        ck_assert_uint_eq(variable, cases[k].variable);
    }
    cns_model_deinit(&model);
    support_context_destroy(context);
}
END_TEST

enum { MANY = 100000 };

/* MANY variables, values[k] = k; `vars` numbers them. */
static void make_many(cns_model *model, cns_var *vars, int64_t *values) {
    static const int64_t domain[] = {0, 2 * MANY};
    for (int k = 0; k < MANY; k++) {
        support_status(model->context, CNS_OK, cns_model_new_var(model, domain, 1, NULL, &vars[k]));
        values[k] = k;
    }
}

static void add_many(cns_model *model, cns_constraint_kind kind, const cns_var *const *v,
                     size_t arrays, const int64_t *base) {
    cns_constraint c = {.size = sizeof c, .kind = kind};
    for (size_t k = 0; k < arrays; k++) {
        c.v[k] = v[k];
        c.v_count[k] = MANY;
    }
    if (kind == CNS_CUMULATIVE) {
        c.v_count[3] = 1;
    }
    c.i[0] = base;
    c.i_count[0] = base ? 1 : 0;
    support_status(model->context, CNS_OK, cns_model_add(model, &c));
}

/* A quadratic evaluator would need 10^10 steps for each of these. */
START_TEST(large_arguments_take_no_quadratic_time) {
    cns_context *context = support_context();
    cns_model model;
    support_status(context, CNS_OK, cns_model_init(&model, context));
    cns_var *vars = malloc(MANY * sizeof *vars), *ones = malloc(MANY * sizeof *ones);
    int64_t *values = malloc((MANY + 1) * sizeof *values);
    make_many(&model, vars, values);
    cns_var one;
    support_status(context, CNS_OK, cns_model_constant(&model, 1, &one));
    values[one] = 1;
    for (int k = 0; k < MANY; k++) {
        ones[k] = one;
    }
    static const int64_t zero = 0, strict = 1;
    add_many(&model, CNS_ALLDIFFERENT, (const cns_var *[]){vars}, 1, NULL);
    add_many(&model, CNS_SORT, (const cns_var *[]){vars, vars}, 2, NULL);
    add_many(&model, CNS_ARG_SORT, (const cns_var *[]){vars, vars}, 2, &zero);
    add_many(&model, CNS_CUMULATIVE, (const cns_var *[]){vars, ones, ones, &one}, 4, NULL);
    add_many(&model, CNS_DISJUNCTIVE, (const cns_var *[]){vars, ones}, 2, &strict);
    add_many(&model, CNS_DIFFN, (const cns_var *[]){vars, vars, ones, ones}, 4, &strict);
    add_many(&model, CNS_INCREASING, (const cns_var *[]){vars}, 1, &strict);
    bool holds;
    uint32_t failed, variable;
    support_status(context, CNS_OK,
                   cns_model_evaluate_all(&model, values, &holds, &failed, &variable));
    ck_assert(holds);
    values[MANY - 1] = MANY / 2; /* now two are the same, and in the same place */
    for (uint32_t k = 0; k < model.constraint_count; k++) {
        ck_assert_msg(!evaluate(&model, k, values), "constraint %u", k);
    }
    cns_model_deinit(&model);
    free(vars);
    free(ones);
    free(values);
    support_context_destroy(context);
}
END_TEST

static cns_status evaluate_with_scratch(cns_context *context) {
    cns_model model;
    int64_t values[200];
    cns_var vars[200];
    cns_status status = cns_model_init(&model, context);
    for (int k = 0; k < 200 && status == CNS_OK; k++) {
        values[k] = k;
        status = cns_model_new_var(&model, (int64_t[]){k, k}, 1, NULL, &vars[k]);
    }
    cns_constraint c = {.size = sizeof c, .kind = CNS_ALLDIFFERENT, .v = {vars}, .v_count = {200}};
    if (status == CNS_OK) {
        status = cns_model_add(&model, &c);
    }
    bool holds = true;
    uint32_t failed, variable;
    if (status == CNS_OK) {
        status = cns_model_evaluate_all(&model, values, &holds, &failed, &variable);
    }
    ck_assert(holds);
    cns_model_deinit(&model);
    return status;
}

START_TEST(failing_allocations) {
    support_each_allocation_fails(evaluate_with_scratch);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver_evaluate");
    TCase *tables = tcase_create("tables");
    tcase_add_test(tables, tables_made_by_hand);
    tcase_add_test(tables, facts_from_minizinc);
    tcase_add_test(tables, the_first_failure_is_named);
    tcase_add_test(tables, large_arguments_take_no_quadratic_time);
    tcase_add_test(tables, failing_allocations);
    suite_add_tcase(suite, tables);
    TCase *random = tcase_create("random");
    tcase_add_loop_test(random, random_models_are_satisfiable_and_not, 0, CNS_CONSTRAINT_KINDS);
    tcase_add_test(random, outputs_tell_solutions_apart);
    suite_add_tcase(suite, random);
    return support_run(suite);
}
