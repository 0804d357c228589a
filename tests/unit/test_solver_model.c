/* SPDX-License-Identifier: MIT
 *
 * test_solver_model.c - the store of a model: what it takes, what it refuses and how it says so,
 * growth, and failing memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "solver/model.h"
#include "solver_random.h"
#include "solver_text.h"
#include "support.h"

/* ---- the constraints' arguments ------------------------------------------------------------- */

/* What the numbers of variables in the table below mean. */
static const int64_t domains[][2] = {
    {-5, 5}, {0, 5}, {0, 5},
    {0, 1},  {0, 1}, {-CNS_SOLVER_BOUND, CNS_SOLVER_BOUND},
    {1, 3},  {0, 0}, {0, CNS_SOLVER_BOUND},
};

typedef struct row {
    const char *kind, *text;
    cns_status status;
    const char *message; /* a part of it */
} row;

#define GOOD CNS_OK, NULL
#define INVALID CNS_E_INVALID
#define RANGE CNS_E_RANGE
#define UNSUPPORTED CNS_E_UNSUPPORTED

static const row rows[] = {
    {"clause", "", GOOD},
    {"clause", "v0 3 ~4 7 ~7", GOOD},
    {"clause", "v0 3 0", INVALID, "clause: literals (v0): element 2 is variable 0 of domain -5..5"},
    {"clause", "v0 3 6", INVALID, "expected a literal"},
    {"clause", "v0 9", INVALID, "element 1 is 9, expected one of 9 variables"},
    {"clause", "v0 ~9", INVALID, "element 1 is -10, expected one of 9 variables"},
    {"clause", "v0 ~1", INVALID, "element 1 is ~1, but variable 1 is not Boolean"},
    {"clause", "v0 2147483647", INVALID, "element 1 is 2147483647"},
    {"clause", "v0 ~2147483647", INVALID, "element 1 is -2147483648"},
    {"clause", "v0 3 v1 3", INVALID, "clause: v1: 1 elements, expected none"},
    {"clause", "v0 3 i0 3 4", INVALID, "clause: i0: 2 elements, expected none"},
    {"clause", "condition 1 3", GOOD},
    {"clause", "condition 2 ~3", GOOD},
    {"clause", "condition 1 0", INVALID, "literal: 0 is no Boolean variable"},
    {"clause", "condition 1 9", INVALID, "literal: 9 is no Boolean variable"},
    {"clause", "condition 3 3", INVALID, "condition: 3, expected a cns_reification"},
    {"xor", "v0 3 ~3", GOOD},
    {"xor", "v0 1", INVALID, "expected a literal"},
    {"linear_eq", "i1 0", GOOD},
    {"linear_eq", "v0 0 1 ~3 i0 1 2 3 i1 4 condition 2 3", GOOD},
    {"linear_eq", "v0 0 1 i0 1 i1 4", INVALID,
     "linear_eq: coefficients (i0): 1 elements, expected 2, as many as v0"},
    {"linear_eq", "v0 0 i0 1", INVALID, "linear_eq: constant (i1): 0 elements, expected 1"},
    {"linear_eq", "v0 0 i0 1 i1 4 4", INVALID, "constant (i1): 2 elements, expected 1"},
    {"linear_ne", "v0 5 i0 4194303 i1 0", GOOD},
    {"linear_ne", "v0 5 i0 4194304 i1 0", RANGE, "linear_ne: the sum may reach 2^62"},
    {"linear_ne", "v0 5 i0 -4194304 i1 1", RANGE, "the sum may reach 2^62"},
    {"linear_le", "v0 5 5 i0 2097151 -2097152 i1 0", GOOD},
    {"linear_le", "v0 5 5 i0 2097152 -2097152 i1 0", RANGE, "the sum may reach 2^62"},
    {"linear_le", "v0 5 7 i0 1 4611686018427387904 i1 0", GOOD},
    {"linear_le", "v0 5 i0 4611686018427387904 i1 0", RANGE, "the sum may reach 2^62"},
    {"linear_le", "v0 1 i0 4611686018427387905 i1 0", RANGE, "expected a value within +-2^62"},
    {"linear_le", "v0 1 i0 1 i1 9223372036854775807", RANGE, "constant (i1): element 1"},
    {"linear_le", "v0 1 i0 -9223372036854775808 i1 0", RANGE, "element 1 is -9223372036854775808"},
    {"in", "v0 0", GOOD},
    {"in", "v0 0 i0 1 2 3 3 5 9 condition 2 3", GOOD},
    {"in", "v0 0 1", INVALID, "in: x (v0): 2 elements, expected 1"},
    {"in", "v0 0 i0 1 2 3", INVALID, "ranges (i0): 3 elements, expected pairs of low and high"},
    {"in", "v0 0 i0 1 2 4 3", INVALID, "range 2 is 4..3, expected ascending, disjoint ranges"},
    {"in", "v0 0 i0 1 2 2 3", INVALID, "range 2 is 2..3"},
    {"times", "v0 0 1 2 condition 2 3", GOOD},
    {"times", "v0 0 1", INVALID, "times: x, y, z (v0): 2 elements, expected 3"},
    {"times", "v0 5 5 0", RANGE, "times: the product may reach 2^62"},
    {"div", "v0 5 5 5", GOOD},
    {"div", "v0 0", INVALID, "expected 3"},
    {"mod", "v0 5 5 5 condition 2 ~4", GOOD},
    {"mod", "v0 0 0 0 0", INVALID, "expected 3"},
    {"pow", "v0 0 1 2", GOOD},
    {"pow", "v0 3 8 2", GOOD},
    {"pow", "v0 6 8 2", RANGE, "pow: the power may reach 2^62"},
    {"pow", "v0 5 6 2", RANGE, "the power may reach 2^62"},
    {"abs", "v0 0 1", GOOD},
    {"abs", "v0 0", INVALID, "abs: x, z (v0): 1 elements, expected 2"},
    {"min", "v0 0 v1 1", GOOD},
    {"min", "v1 1", INVALID, "min: x (v0): 0 elements, expected at least 1"},
    {"max", "v0 0 1 v1 1 condition 2 3", GOOD},
    {"max", "v0 0 1 v1 1 1", INVALID, "max: z (v1): 2 elements, expected 1"},
    {"element", "v0 0 1 v1 0 1", GOOD},
    {"element", "v0 0 1 i0 -3 i1 4 5 6 condition 2 3", GOOD},
    {"element", "v0 0 1", INVALID, "expected one of them to be empty"},
    {"element", "v0 0 1 v1 0 i1 2", INVALID, "x (v1) has 1 elements and values (i1) 1"},
    {"element", "v0 0 1 v1 0 i0 1 2", INVALID, "base (i0): 2 elements, expected at most 1"},
    {"alldifferent", "", GOOD},
    {"alldifferent", "v0 0 1 0 i0 3 3", GOOD},
    {"alldifferent", "v0 0 1 condition 2 3", UNSUPPORTED, "alldifferent: the kind takes no condi"},
    {"alldifferent", "v0 0 -1", INVALID, "element 2 is ~0, but variable 0 is not Boolean"},
    {"global_cardinality", "v0 0 1 i0 3 4 v1 1 2 i1 1", GOOD},
    {"global_cardinality", "v0 0 1 i0 3 4 v1 1", INVALID,
     "counts (v1): 1 elements, expected 2, as many as i0"},
    {"global_cardinality", "v0 0 i1 2", INVALID, "closed (i1): element 1 is 2, expected 0 or 1"},
    {"count", "v0 0 1 v1 2 v2 1 i0 5", GOOD},
    {"count", "v0 0 1 v1 2 v2 1 i0 6", INVALID, "relation (i0): element 1 is 6, expected a cns_re"},
    {"count", "v0 0 1 v1 2 v2 1 i0 -1", INVALID, "relation (i0): element 1 is -1"},
    {"count", "v0 0 1 v1 2 v2 1", INVALID, "relation (i0): 0 elements, expected 1"},
    {"count", "v0 0 1 v1 2 i0 1", INVALID, "n (v2): 0 elements, expected 1"},
    {"among", "v0 0 1 v1 2 i0 3 3", GOOD},
    {"among", "v0 0 1 v1 2 3 i0 3 3", INVALID, "n (v1): 2 elements, expected 1"},
    {"nvalue", "v0 0 1 v1 2", GOOD},
    {"nvalue", "v0 0 1", INVALID, "n (v1): 0 elements, expected 1"},
    {"cumulative", "v3 0", GOOD},
    {"cumulative", "v0 0 1 v1 1 2 v2 3 1 v3 2", GOOD},
    {"cumulative", "v0 0 1 v1 1 0 v2 3 1 v3 2", INVALID,
     "durations (v1): element 2 is variable 0 of domain -5..5, expected no value below 0"},
    {"cumulative", "v0 0 1 v1 1 1 v2 0 1 v3 2", INVALID, "demands (v2): element 1 is variable 0"},
    {"cumulative", "v0 0 1 v1 1 v2 3 1 v3 2", INVALID, "durations (v1): 1 elements, expected 2"},
    {"cumulative", "v0 0 v1 8 v2 8 v3 2", RANGE, "the sum of durations times demands may reach"},
    {"cumulative", "v0 5 v1 1 v2 8 v3 8", RANGE, "capacity times the span of time may reach 2^62"},
    {"cumulative", "v0 5 v1 1 v2 8 v3 1", GOOD},
    {"disjunctive", "v0 0 1 v1 1 2", GOOD},
    {"disjunctive", "v0 0 1 v1 1 2 v2 3 ~3 i0 1", GOOD},
    {"disjunctive", "v0 0 1 v1 1 2 v2 3", INVALID, "presence (v2): 1 elements, expected 2"},
    {"disjunctive", "v0 0 1 v1 1 2 v2 3 1", INVALID, "presence (v2): element 2 is variable 1"},
    {"disjunctive", "v0 0 1 v1 1 0", INVALID, "durations (v1): element 2"},
    {"disjunctive", "v0 0 1 v1 1 2 i0 -1", INVALID, "strict (i0): element 1 is -1"},
    {"diffn", "v0 0 1 v1 1 2 v2 1 2 v3 2 1 i0 0", GOOD},
    {"diffn", "v0 0 1 v1 1 2 v2 1 2 v3 2", INVALID, "dy (v3): 1 elements, expected 2"},
    {"diffn", "v0 0 1 v1 1 2 v2 1 0 v3 2 1", INVALID, "dx (v2): element 2 is variable 0"},
    {"diffn", "v0 0 v1 1 v2 8 v3 8", RANGE, "diffn: the sum of areas may reach 2^62"},
    {"circuit", "v0 1 2 6 i0 0", GOOD},
    {"circuit", "v0 1 2 6 i0 0 0", INVALID, "base (i0): 2 elements, expected at most 1"},
    {"subcircuit", "", GOOD},
    {"subcircuit", "v0 1 2 condition 2 3", UNSUPPORTED, "subcircuit: the kind takes no condition"},
    {"table", "v0 0 1", GOOD},
    {"table", "v0 0 1 i0 1 2 3 4", GOOD},
    {"table", "i0 1 2", INVALID, "x (v0): 0 elements, expected at least 1"},
    {"table", "v0 0 1 i0 1 2 3", INVALID, "rows (i0): 3 elements, expected a multiple of the 2"},
    {"regular", "v0 1 2 i0 2 3 1 i1 1 2 0 0 1 2 i2 2 2", GOOD},
    {"regular", "v0 1 i0 2 3 i1 1 2 0 0 1 2", INVALID, "states, symbols, start (i0): 2 elements"},
    {"regular", "v0 1 i0 2 3 1 i1 1 2 0 0 1", INVALID,
     "transitions (i1): 5 elements, expected 2 states times 3 symbols"},
    {"regular", "v0 1 i0 2 3 1 i1 1 2 0 0 1 3", INVALID, "element 6 is 3, expected a state or 0"},
    {"regular", "v0 1 i0 2 3 1 i1 1 2 0 0 1 -1", INVALID, "element 6 is -1"},
    {"regular", "v0 1 i0 2 3 0 i1 1 2 0 0 1 1", INVALID, "start (i0): 0, expected a state, 1..2"},
    {"regular", "v0 1 i0 2 3 3 i1 1 2 0 0 1 1", INVALID, "start (i0): 3"},
    {"regular", "v0 1 i0 1 3 1 i1 1 1 0 i2 0", INVALID, "accepting (i2): element 1 is 0"},
    {"regular", "v0 1 i0 0 3 1", INVALID, "0 states and 3 symbols (i0)"},
    {"regular", "v0 1 i0 4611686018427387904 4 1", INVALID, "states and 4 symbols (i0)"},
    {"regular", "v0 1 i0 2147483647 2147483647 1", INVALID, "transitions (i1): 0 elements"},
    {"mdd", "v0 1 i0 1 i1 1 0 3 0", GOOD},
    {"mdd", "v0 1 2 i0 3 i1 2 1 1 0 1 0 3 2 1 2 4 3 3 0 0 0", GOOD},
    {"mdd", "v0 1 2 i0 3 i1 2 1 1 0 1 0 3 2 3 0 0 3", GOOD}, /* 3 is never reached */
    {"mdd", "i0 1 i1 1 0 3 0", INVALID, "mdd: x (v0): 0 elements, expected at least 1"},
    {"mdd", "v0 1 i0 1 i1 1 0 3", INVALID, "edges (i1): 3 elements, expected four for each edge"},
    {"mdd", "v0 1 i0 4 i1 1 0 3 0", INVALID, "nodes (i0): 4, expected 1..3 with 1 edges (i1)"},
    {"mdd", "v0 1 i0 0 i1 1 0 3 0", INVALID, "nodes (i0): 0"},
    {"mdd", "v0 1 i0 1 i1 2 0 3 0", INVALID, "edge 1 goes from node 2 to node 0"},
    {"mdd", "v0 1 i0 1 i1 0 0 3 0", INVALID, "edge 1 goes from node 0 to node 0"},
    {"mdd", "v0 1 i0 1 i1 1 0 3 -1", INVALID, "edge 1 goes from node 1 to node -1"},
    {"mdd", "v0 1 i0 1 i1 1 3 0 0", INVALID, "edge 1 has the labels 3..0"},
    {"mdd", "v0 1 i0 1 i1 1 0 3 1", INVALID, "edge 1 reaches node 1 after 1 of 1 variables"},
    {"mdd", "v0 1 2 i0 1 i1 1 0 3 0", INVALID, "edge 1 reaches node 0 after 1 of 2 variables"},
    {"mdd", "v0 1 2 i0 2 i1 1 0 3 2 2 0 0 1", INVALID, "edge 2 reaches node 1 after 2 of 2"},
    {"mdd", "v0 1 2 6 i0 3 i1 1 0 3 2 2 0 0 3 1 4 4 3 3 0 0 0", INVALID, "expected layers"},
    {"inverse", "v0 1 2 v1 6 i0 0 1", GOOD},
    {"inverse", "v0 1 2 v1 6 i0 0", INVALID, "bases (i0): 1 elements, expected none or 2"},
    {"sort", "v0 0 1 v1 1 2", GOOD},
    {"sort", "v0 0 1 v1 1", INVALID, "sort: y (v1): 1 elements, expected 2, as many as v0"},
    {"arg_sort", "v0 0 1 v1 1 2 i0 4", GOOD},
    {"arg_sort", "v0 0 1 v1 1 2 6", INVALID, "p (v1): 3 elements, expected 2"},
    {"lex_le", "v0 0 1 v1 1 condition 2 3", GOOD},
    {"lex_le", "v0 0 1 v1 1 i0 1", INVALID, "lex_le: i0: 1 elements, expected none"},
    {"lex_lt", "v1 1 2", GOOD},
    {"lex_lt", "v1 1 2 v2 3", INVALID, "lex_lt: v2: 1 elements, expected none"},
    {"precede", "v0 0 1 i0 4 2 4", GOOD},
    {"precede", "v0 0 1 i0 4611686018427387905", RANGE, "values (i0): element 1"},
    {"increasing", "v0 0 1 0 i0 1 condition 2 3", GOOD},
    {"increasing", "v0 0 1 i0 7", INVALID, "strict (i0): element 1 is 7, expected 0 or 1"},
    {"arg_max", "v0 0 1 v1 1 i0 0", GOOD},
    {"arg_max", "v1 1", INVALID, "x (v0): 0 elements, expected at least 1"},
    {"arg_min", "v0 0 1 v1 1", GOOD},
    {"arg_min", "v0 0 1", INVALID, "index (v1): 0 elements, expected 1"},
    {"bin_packing", "v0 1 2 i0 0 7 v1 1 2 6 i1 0", GOOD},
    {"bin_packing", "v0 1 2 i0 0 -7 v1 1 2", INVALID, "weights (i0): element 2 is -7, expected >="},
    {"bin_packing", "v0 1 2 i0 1 4611686018427387904 v1 1", RANGE, "the sum of weights may reach"},
    {"knapsack", "v0 1 2 i0 0 7 i1 2 2 v1 1 2", GOOD},
    {"knapsack", "v0 1 0 i0 0 7 i1 2 2 v1 1 2", INVALID, "x (v0): element 2 is variable 0"},
    {"knapsack", "v0 1 2 i0 0 7 i1 -2 2 v1 1 2", INVALID, "profits (i1): element 1 is -2"},
    {"knapsack", "v0 1 2 i0 0 7 i1 2 2 v1 1", INVALID, "weight, profit (v1): 1 elements"},
    {"knapsack", "v0 8 i0 4194304 i1 2 v1 1 2", RANGE,
     "knapsack: the sum of weights may reach 2^62"},
    {"knapsack", "v0 8 i0 2 i1 4194304 v1 1 2", RANGE, "the sum of profits may reach 2^62"},
    {"all_equal", "v0 0 1 condition 2 3", GOOD},
    {"all_equal", "v0 99", INVALID, "all_equal: x (v0): element 1 is 99"},
    {"member", "v0 0 1 v1 2 condition 2 3", GOOD},
    {"member", "v0 0 1", INVALID, "y (v1): 0 elements, expected 1"},
    {"sum_of_products", "v0 0 1 v1 1 2 v2 2", GOOD},
    {"sum_of_products", "v0 0 1 v1 1 2 i0 3 -3 v2 2", GOOD},
    {"sum_of_products", "v0 0 1 v1 1 2 i0 3 v2 2", INVALID, "coefficients (i0): 1 elements"},
    {"sum_of_products", "v0 5 v1 5 v2 2", RANGE, "sum_of_products: the sum of products may reach"},
    {"sum_of_products", "v0 5 v1 5 i0 0 v2 2", GOOD},
    {"sum_of_products", "v0 5 v1 5 i0 4611686018427387904 v2 2", RANGE, "may reach 2^62"},
};

/* All that a refused constraint must leave as it is. */
typedef struct counts {
    uint32_t variables, constraints, vars, ints, text, constants, phases;
} counts;

static counts counts_of(const cns_model *m) {
    return (counts){m->variable_count, m->constraint_count, m->var_count,  m->int_count,
                    m->text_count,     m->constant_count,   m->phase_count};
}

static void check_stored(const cns_model *model, const cns_constraint *given) {
    const cns_model_constraint *c = &model->constraints[model->constraint_count - 1];
    ck_assert_int_eq(c->kind, given->kind);
    ck_assert_int_eq(c->condition, given->condition);
    ck_assert_int_eq(c->literal, given->condition == CNS_ALWAYS ? 0 : given->literal);
    ck_assert_str_eq(cns_model_text(model, c->name), given->name ? given->name : "");
    ck_assert_int_eq(c->redundant, given->redundant);
    for (int k = 0; k < 4; k++) {
        ck_assert_uint_eq(c->v[k].count, given->v_count[k]);
        ck_assert_uint_eq(c->i[k].count, given->i_count[k]);
        for (size_t j = 0; j < given->v_count[k]; j++) {
            ck_assert_int_eq(cns_model_v(model, c, k)[j], given->v[k][j]);
        }
        for (size_t j = 0; j < given->i_count[k]; j++) {
            ck_assert_int_eq(cns_model_i(model, c, k)[j], given->i[k][j]);
        }
    }
}

static void init_model(cns_model *model, cns_context *context) {
    support_status(context, CNS_OK, cns_model_init(model, context));
    for (size_t k = 0; k < sizeof domains / sizeof *domains; k++) {
        cns_var var;
        support_status(context, CNS_OK, cns_model_new_var(model, domains[k], 1, NULL, &var));
        ck_assert_int_eq(var, (int)k);
    }
}

static void check_row(cns_model *model, const row *r) {
    char message[512] = "", what[512];
    solver_text text;
    solver_text_parse(&text, r->kind, r->text, NULL, NULL);
    counts before = counts_of(model);
    cns_status status = cns_model_add(model, &text.c);
    cns_context_message(model->context, message, sizeof message);
    snprintf(what, sizeof what, "%s %s: %s: %s", r->kind, r->text, cns_status_name(status),
             message);
    ck_assert_msg(status == r->status, "%s", what);
    if (status == CNS_OK) {
        check_stored(model, &text.c);
        return;
    }
    counts after = counts_of(model);
    ck_assert_msg(strstr(message, r->message) != NULL, "%s", what);
    ck_assert_mem_eq(&before, &after, sizeof before);
}

START_TEST(arguments_are_checked) {
    cns_context *context = support_context();
    cns_model model;
    init_model(&model, context);
    bool seen[CNS_CONSTRAINT_KINDS][2] = {{false}};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        check_row(&model, &rows[k]);
        for (int kind = 1; kind < CNS_CONSTRAINT_KINDS; kind++) {
            if (strcmp(cns_constraint_kind_name((cns_constraint_kind)kind), rows[k].kind) == 0) {
                seen[kind][rows[k].status == CNS_OK] = true;
            }
        }
    }
    for (int kind = 1; kind < CNS_CONSTRAINT_KINDS; kind++) {
        ck_assert_msg(seen[kind][0] && seen[kind][1], "%s: good or bad ones are missing",
                      cns_constraint_kind_name((cns_constraint_kind)kind));
    }
    cns_model_deinit(&model);
    support_context_destroy(context);
}
END_TEST

START_TEST(kinds_and_sizes_are_checked) {
    cns_context *context = support_context();
    cns_model model;
    init_model(&model, context);
    counts before = counts_of(&model);
    cns_var var = 3;
    int64_t value = 1;
    cns_constraint c = {.size = sizeof c, .kind = CNS_CLAUSE, .v = {&var}, .v_count = {1}};
    support_status(context, CNS_E_INVALID, cns_model_add(&model, NULL));
    for (int kind = -1; kind <= CNS_CONSTRAINT_KINDS; kind++) {
        if (kind < 1 || kind == CNS_CONSTRAINT_KINDS) {
            c.kind = (cns_constraint_kind)kind;
            support_status(context, CNS_E_INVALID, cns_model_add(&model, &c));
            ck_assert_str_eq(cns_constraint_kind_name(c.kind), "unknown");
        }
    }
    c.kind = CNS_ALLDIFFERENT;
    c.size = 8;
    support_status(context, CNS_E_INVALID, cns_model_add(&model, &c));
    c.size = sizeof c;
    c.v[0] = NULL;
    support_status(context, CNS_E_INVALID, cns_model_add(&model, &c));
    c.v[0] = &var;
    c.v_count[0] = (size_t)1 << 31; /* refused before any is looked at */
    support_status(context, CNS_E_LIMIT, cns_model_add(&model, &c));
    c.v_count[0] = SIZE_MAX;
    support_status(context, CNS_E_LIMIT, cns_model_add(&model, &c));
    c.v_count[0] = 1;
    c.i[0] = &value;
    c.i_count[0] = SIZE_MAX;
    support_status(context, CNS_E_LIMIT, cns_model_add(&model, &c));
    counts after = counts_of(&model);
    ck_assert_mem_eq(&before, &after, sizeof before);
    c.i_count[0] = 1;
    c.redundant = 1;
    c.name = "apart";
    support_status(context, CNS_OK, cns_model_add(&model, &c));
    check_stored(&model, &c);
    c.kind = CNS_CLAUSE;
    char message[128];
    support_status(context, CNS_E_INVALID, cns_model_add(&model, &c));
    cns_context_message(context, message, sizeof message);
    ck_assert_str_eq(message, "clause \"apart\": i0: 1 elements, expected none");
    cns_model_deinit(&model);
    support_context_destroy(context);
}
END_TEST

/* ---- random damage -------------------------------------------------------------------------- */

typedef struct damage {
    cns_model *model;
    cns_rng rng;
    cns_var vars[256];
    int64_t ints[256];
    uint64_t accepted, refused;
} damage;

static const int64_t odd_numbers[] = {0,  1,   -1,  2,         3,         -2,        7,
                                      99, -99, 255, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};

static int64_t odd_number(damage *d) {
    return odd_numbers[cns_rng_below(&d->rng, sizeof odd_numbers / sizeof *odd_numbers)];
}

/* Changes one number or count of the constraint; whatever it is then, it is refused and nothing
 * changes, or it can be judged. */
static void add_damaged(damage *d, cns_constraint c) {
    int k = (int)cns_rng_below(&d->rng, 4);
    bool of_vars = cns_rng_below(&d->rng, 2) == 0, resize = cns_rng_below(&d->rng, 3) == 0;
    size_t *count = of_vars ? &c.v_count[k] : &c.i_count[k];
    memset(d->vars, 0, sizeof d->vars);
    memset(d->ints, 0, sizeof d->ints);
    memcpy(d->vars, c.v[k], c.v_count[k] * sizeof(cns_var));
    memcpy(d->ints, c.i[k], c.i_count[k] * sizeof(int64_t));
    c.v[k] = d->vars;
    c.i[k] = d->ints;
    if (resize || *count == 0) {
        *count = cns_rng_below(&d->rng, *count + 3);
    } else if (of_vars) {
        d->vars[cns_rng_below(&d->rng, *count)] = (cns_var)odd_number(d);
    } else {
        d->ints[cns_rng_below(&d->rng, *count)] = odd_number(d);
    }
    counts before = counts_of(d->model);
    cns_status status = cns_model_add(d->model, &c);
    if (status == CNS_OK) {
        check_stored(d->model, &c);
        d->accepted++;
        return;
    }
    counts after = counts_of(d->model);
    ck_assert(status == CNS_E_INVALID || status == CNS_E_RANGE);
    ck_assert_mem_eq(&before, &after, sizeof before);
    d->refused++;
}

static cns_status damage_new_var(void *user, const int64_t *ranges, size_t count, cns_var *out) {
    return cns_model_new_var(((damage *)user)->model, ranges, count, NULL, out);
}

static cns_status damage_constant(void *user, int64_t value, cns_var *out) {
    return cns_model_constant(((damage *)user)->model, value, out);
}

static cns_status damage_add(void *user, const cns_constraint *constraint) {
    for (int k = 0; k < 20; k++) {
        add_damaged(user, *constraint);
    }
    return CNS_OK;
}

static cns_status damage_mark_output(void *user, cns_var var) {
    return cns_model_mark_output(((damage *)user)->model, var);
}

START_TEST(damaged_constraints_are_refused_or_valid) {
    damage d = {.accepted = 0};
    solver_random_sink sink = {&d, damage_new_var, damage_constant, damage_add, damage_mark_output};
    for (uint64_t seed = 0; seed < 60; seed++) {
        cns_context *context = support_context();
        cns_model model;
        cns_rng rng;
        support_status(context, CNS_OK, cns_model_init(&model, context));
        cns_rng_seed(&rng, seed);
        cns_rng_seed(&d.rng, ~seed);
        d.model = &model;
        solver_random_build(&rng, _i, &sink);
        int64_t values[64];
        ck_assert_uint_le(model.variable_count, 64);
        for (uint32_t k = 0; k < model.variable_count; k++) {
            values[k] = model.variables[k].low;
        }
        for (uint32_t k = 0; k < model.constraint_count; k++) {
            bool holds;
            support_status(context, CNS_OK, cns_model_evaluate(&model, k, values, &holds));
        }
        cns_model_deinit(&model);
        support_context_destroy(context);
    }
    ck_assert_uint_gt(d.accepted, 0);
    ck_assert_uint_gt(d.refused, 100);
}
END_TEST

/* ---- variables ------------------------------------------------------------------------------ */

START_TEST(variables_and_domains) {
    cns_context *context = support_context();
    cns_model model;
    support_status(context, CNS_OK, cns_model_init(&model, context));
    cns_var var = 77;
    const int64_t B = CNS_SOLVER_BOUND;
    const struct {
        int64_t ranges[6];
        size_t count;
        cns_status status;
    } bad[] = {
        {{0, 1}, 0, CNS_E_INVALID},          {{2, 1}, 1, CNS_E_RANGE},
        {{-B - 1, 0}, 1, CNS_E_RANGE},       {{0, B + 1}, 1, CNS_E_RANGE},
        {{0, 1, 1, 2}, 2, CNS_E_INVALID},    {{0, 1, 4, 3}, 2, CNS_E_RANGE},
        {{4, 5, 0, 1}, 2, CNS_E_INVALID},    {{INT64_MIN, INT64_MAX}, 1, CNS_E_RANGE},
        {{0, 1}, SIZE_MAX / 2, CNS_E_LIMIT}, {{0, 1}, (size_t)1 << 30, CNS_E_LIMIT},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        support_status(context, bad[k].status,
                       cns_model_new_var(&model, bad[k].ranges, bad[k].count, "x", &var));
    }
    support_status(context, CNS_E_INVALID, cns_model_new_var(&model, NULL, 1, "x", &var));
    ck_assert_int_eq(var, 77);
    ck_assert_uint_eq(model.variable_count + model.int_count, 0);

    const int64_t touching[] = {-3, -2, -1, 0, 2, 2, 4, 5, 6, 9};
    support_status(context, CNS_OK, cns_model_new_var(&model, touching, 5, "holes", &var));
    ck_assert_int_eq(var, 0);
    const cns_model_var *v = &model.variables[0];
    const int64_t merged[] = {-3, 0, 2, 2, 4, 9};
    ck_assert_uint_eq(v->range_count, 3);
    ck_assert_mem_eq(model.ints + v->ranges, merged, sizeof merged);
    ck_assert_uint_eq(model.int_count, 6);
    ck_assert_str_eq(cns_model_text(&model, v->name), "holes");
    ck_assert_int_eq(cns_model_low(&model, 0), -3);
    ck_assert_int_eq(cns_model_high(&model, 0), 9);
    ck_assert(cns_model_is_var(&model, 0));
    ck_assert(!cns_model_is_var(&model, ~0));
    ck_assert(!cns_model_is_literal(&model, 0));
    ck_assert(!cns_model_is_var(&model, 1));

    const int64_t limits[] = {-B, B}, one[] = {1, 1};
    support_status(context, CNS_OK, cns_model_new_var(&model, limits, 1, NULL, &var));
    ck_assert_uint_eq(model.variables[1].name, 0);
    support_status(context, CNS_OK, cns_model_new_var(&model, one, 1, "", &var));
    ck_assert(cns_model_is_literal(&model, 2));
    ck_assert(cns_model_is_literal(&model, ~2));
    ck_assert_int_eq(cns_model_low(&model, ~2), 0);
    ck_assert_int_eq(cns_model_high(&model, ~2), 0);
    ck_assert(!cns_model_is_literal(&model, INT32_MAX));
    ck_assert(!cns_model_is_literal(&model, INT32_MIN));
    cns_model_deinit(&model);
    support_context_destroy(context);
}
END_TEST

/* Names that the model gave out name others, while its text moves. */
START_TEST(names_may_come_from_the_model) {
    cns_context *context = support_context();
    cns_model model;
    support_status(context, CNS_OK, cns_model_init(&model, context));
    const char *name = "a name of some length";
    cns_constraint c = {.size = sizeof c, .kind = CNS_CLAUSE};
    for (int k = 0; k < 100; k++) {
        cns_var var;
        support_status(context, CNS_OK,
                       cns_model_new_var(&model, (int64_t[]){0, 1}, 1, name, &var));
        name = cns_model_text(&model, model.variables[var].name);
        ck_assert_str_eq(name, "a name of some length");
        c.name = name;
        support_status(context, CNS_OK, cns_model_add(&model, &c));
        name = cns_model_text(&model, model.constraints[k].name);
        ck_assert_str_eq(name, "a name of some length");
    }
    cns_model_deinit(&model);
    support_context_destroy(context);
}
END_TEST

START_TEST(constants_are_one_variable_each) {
    cns_context *context = support_context();
    cns_model model;
    support_status(context, CNS_OK, cns_model_init(&model, context));
    cns_var first[2000], again = -1;
    for (int64_t k = 0; k < 2000; k++) {
        int64_t value = k % 2 ? k * 549755813 : -k;
        support_status(context, CNS_OK, cns_model_constant(&model, value, &first[k]));
        ck_assert_int_eq(cns_model_low(&model, first[k]), value);
        ck_assert_int_eq(cns_model_high(&model, first[k]), value);
    }
    ck_assert_uint_eq(model.variable_count, 2000);
    for (int64_t k = 0; k < 2000; k++) {
        int64_t value = k % 2 ? k * 549755813 : -k;
        support_status(context, CNS_OK, cns_model_constant(&model, value, &again));
        ck_assert_int_eq(again, first[k]);
    }
    support_status(context, CNS_E_RANGE, cns_model_constant(&model, CNS_SOLVER_BOUND + 1, &again));
    support_status(context, CNS_E_RANGE, cns_model_constant(&model, INT64_MIN, &again));
    ck_assert_uint_eq(model.variable_count, 2000);
    cns_model_deinit(&model);
    support_context_destroy(context);
}
END_TEST

/* ---- the goal and the search ---------------------------------------------------------------- */

START_TEST(goals_phases_hints_outputs) {
    cns_context *context = support_context();
    cns_model model;
    init_model(&model, context);
    ck_assert_int_eq(model.goal, CNS_SATISFY);
    support_status(context, CNS_OK, cns_model_set_goal(&model, CNS_MAXIMIZE, ~3));
    ck_assert_int_eq(model.objective, ~3);
    support_status(context, CNS_E_INVALID, cns_model_set_goal(&model, CNS_MINIMIZE, ~0));
    support_status(context, CNS_E_INVALID, cns_model_set_goal(&model, (cns_goal)3, 0));
    ck_assert_int_eq(model.goal, CNS_MAXIMIZE);
    support_status(context, CNS_OK, cns_model_set_goal(&model, CNS_SATISFY, -1000));
    ck_assert_int_eq(model.goal, CNS_SATISFY);

    const cns_var vars[] = {0, ~3, 2, 99};
    support_status(context, CNS_OK,
                   cns_model_add_phase(&model, vars, 3, CNS_DOM_W_DEG, CNS_OUTDOMAIN_MAX));
    support_status(context, CNS_OK,
                   cns_model_add_phase(&model, NULL, 0, CNS_INPUT_ORDER, CNS_INDOMAIN_MIN));
    support_status(context, CNS_E_INVALID,
                   cns_model_add_phase(&model, vars, 4, CNS_INPUT_ORDER, CNS_INDOMAIN_MIN));
    support_status(context, CNS_E_INVALID,
                   cns_model_add_phase(&model, NULL, 1, CNS_INPUT_ORDER, CNS_INDOMAIN_MIN));
    support_status(context, CNS_E_INVALID,
                   cns_model_add_phase(&model, vars, 1, (cns_choose_var)9, CNS_INDOMAIN_MIN));
    support_status(context, CNS_E_INVALID,
                   cns_model_add_phase(&model, vars, 1, CNS_LARGEST, (cns_choose_value)-1));
    ck_assert_uint_eq(model.phase_count, 2);
    ck_assert_uint_eq(model.phases[0].vars.count, 3);
    ck_assert_mem_eq(model.vars + model.phases[0].vars.start, vars, 3 * sizeof *vars);
    ck_assert_int_eq(model.phases[0].var_rule, CNS_DOM_W_DEG);

    support_status(context, CNS_OK, cns_model_hint(&model, 1, 4));
    support_status(context, CNS_OK, cns_model_hint(&model, 1, 5)); /* the last one counts */
    support_status(context, CNS_OK, cns_model_hint(&model, ~3, 1));
    support_status(context, CNS_E_INVALID, cns_model_hint(&model, ~1, 1));
    support_status(context, CNS_E_RANGE, cns_model_hint(&model, ~3, INT64_MIN));
    ck_assert(model.hinted[1] && model.hinted[3] && !model.hinted[0]);
    ck_assert_int_eq(model.hints[1], 5);
    ck_assert_int_eq(model.hints[3], 0);
    const int64_t two[] = {0, 1};
    cns_var var = 0;
    while ((uint32_t)var < model.hint_capacity) {
        support_status(context, CNS_OK, cns_model_new_var(&model, two, 1, NULL, &var));
    }
    support_status(context, CNS_OK, cns_model_hint(&model, var, 1));
    ck_assert(model.hinted[var] && model.hinted[1] && model.hinted[3] && !model.hinted[0]);
    ck_assert_int_eq(model.hints[1], 5);

    ck_assert(!model.any_output);
    support_status(context, CNS_E_INVALID, cns_model_mark_output(&model, ~0));
    ck_assert(!model.any_output);
    support_status(context, CNS_OK, cns_model_mark_output(&model, ~4));
    ck_assert(model.any_output && model.variables[4].output && !model.variables[3].output);
    cns_model_deinit(&model);
    support_context_destroy(context);
}
END_TEST

/* ---- size and memory ------------------------------------------------------------------------ */

START_TEST(a_model_of_many_variables) {
    enum { MANY = 100000 };
    cns_context *context = support_context();
    cns_model model;
    support_status(context, CNS_OK, cns_model_init(&model, context));
    int64_t *values = malloc((MANY + 1) * sizeof *values);
    char name[16];
    for (int k = 0; k < MANY; k++) {
        const int64_t domain[] = {0, k};
        cns_var var;
        snprintf(name, sizeof name, "x%d", k);
        support_status(context, CNS_OK, cns_model_new_var(&model, domain, 1, name, &var));
        values[k] = k;
    }
    cns_constraint c = {.size = sizeof c, .kind = CNS_LINEAR_EQ, .name = name};
    for (int k = 1; k < MANY; k++) {
        const cns_var pair[] = {k, k - 1};
        const int64_t coefficients[] = {1, -1}, one = 1;
        c.v[0] = pair;
        c.i[0] = coefficients;
        c.i[1] = &one;
        c.v_count[0] = c.i_count[0] = 2;
        c.i_count[1] = 1;
        snprintf(name, sizeof name, "c%d", k);
        support_status(context, CNS_OK, cns_model_add(&model, &c));
    }
    bool holds = false;
    uint32_t failed, variable;
    support_status(context, CNS_OK,
                   cns_model_evaluate_all(&model, values, &holds, &failed, &variable));
    ck_assert(holds);
    values[MANY / 2]--;
    support_status(context, CNS_OK,
                   cns_model_evaluate_all(&model, values, &holds, &failed, &variable));
    ck_assert(!holds);
    ck_assert_uint_eq(failed, MANY / 2 - 1);
    ck_assert_str_eq(cns_model_text(&model, model.constraints[failed].name), "c50000");
    ck_assert_str_eq(cns_model_text(&model, model.variables[MANY - 1].name), "x99999");
    free(values);
    cns_model_deinit(&model);
    support_context_destroy(context);
}
END_TEST

/* What `status` says of one step; the model must be as before when it failed. */
#define STEP(call)                                                                                 \
    do {                                                                                           \
        counts before_ = counts_of(&model);                                                        \
        status = (call);                                                                           \
        if (status != CNS_OK) {                                                                    \
            counts after_ = counts_of(&model);                                                     \
            ck_assert_mem_eq(&before_, &after_, sizeof before_);                                   \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

static cns_status build(cns_context *context) {
    static const int64_t domain[] = {0, 1, 3, 4};
    cns_model model;
    cns_var var;
    solver_text mdd, clause;
    solver_text_parse(&mdd, "mdd", "v0 1 2 i0 2 i1 1 0 3 2 2 0 0 0", NULL, NULL);
    solver_text_parse(&clause, "alldifferent", "v0 0 1 2 3 i0 1 2 3 4 5 6 7 8 9", NULL, NULL);
    mdd.c.name = "a diagram";
    cns_status status = cns_model_init(&model, context);
    for (int k = 0; k < 2 && status == CNS_OK; k++) {
        STEP(cns_model_new_var(&model, domain, 2, NULL, &var));
    }
    for (int k = 0; k < 40 && status == CNS_OK; k++) {
        STEP(cns_model_new_var(&model, domain, 2, "a name", &var));
        STEP(cns_model_constant(&model, k, &var));
        STEP(cns_model_add(&model, k < 4 ? &clause.c : &mdd.c));
        STEP(cns_model_add_phase(&model, &var, 1, CNS_INPUT_ORDER, CNS_INDOMAIN_MIN));
        STEP(cns_model_hint(&model, var, k));
    }
done:
    cns_model_deinit(&model);
    return status;
}

START_TEST(failing_allocations) {
    support_each_allocation_fails(build);
}
END_TEST

START_TEST(the_memory_limit_holds) {
    cns_context *context = support_context();
    cns_model model;
    support_status(context, CNS_OK, cns_model_init(&model, context));
    cns_context_set_memory_limit(context, 100000);
    cns_status status = CNS_OK;
    uint32_t made = 0;
    for (cns_var var; status == CNS_OK && made < 100000; made++) {
        status = cns_model_new_var(&model, (int64_t[]){0, 9}, 1, NULL, &var);
    }
    ck_assert_int_eq(status, CNS_E_LIMIT);
    ck_assert_uint_eq(model.variable_count, made - 1);
    cns_model_deinit(&model);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver_model");
    TCase *tcase = tcase_create("model");
    tcase_add_test(tcase, arguments_are_checked);
    tcase_add_test(tcase, kinds_and_sizes_are_checked);
    tcase_add_loop_test(tcase, damaged_constraints_are_refused_or_valid, 1, CNS_CONSTRAINT_KINDS);
    tcase_add_test(tcase, variables_and_domains);
    tcase_add_test(tcase, names_may_come_from_the_model);
    tcase_add_test(tcase, constants_are_one_variable_each);
    tcase_add_test(tcase, goals_phases_hints_outputs);
    tcase_add_test(tcase, a_model_of_many_variables);
    tcase_add_test(tcase, failing_allocations);
    tcase_add_test(tcase, the_memory_limit_holds);
    suite_add_tcase(suite, tcase);
    return support_run(suite);
}
