/* SPDX-License-Identifier: MIT
 *
 * model_kind.c - the table of the kinds of constraints; see cns/solver.h for their meaning.
 */
#include "solver/model_kind.h"

/* Short for the table below. */
#define ANY(name)                                                                                  \
    { name, CNS_TAKES_ANY, CNS_OF_PLAIN }
#define SOME(name)                                                                                 \
    { name, CNS_TAKES_SOME, CNS_OF_PLAIN }
#define EXACTLY(n, name)                                                                           \
    { name, n, CNS_OF_PLAIN }
#define AS_V0(name)                                                                                \
    { name, CNS_TAKES_AS_V0, CNS_OF_PLAIN }
#define NATURAL_AS_V0(name)                                                                        \
    { name, CNS_TAKES_AS_V0, CNS_OF_NATURAL }
#define LITERALS                                                                                   \
    { "literals", CNS_TAKES_ANY, CNS_OF_LITERAL }
#define FLAG(name)                                                                                 \
    { name, CNS_TAKES_OPTIONAL, CNS_OF_FLAG }
#define BASE                                                                                       \
    { "base", CNS_TAKES_OPTIONAL, CNS_OF_PLAIN }

#define LINEAR(kind)                                                                               \
    {                                                                                              \
        kind, true, {ANY("x")}, {AS_V0("coefficients"), EXACTLY(1, "constant")}, NULL,             \
            cns_reach_linear                                                                       \
    }
#define TERNARY(kind, reach)                                                                       \
    { kind, true, {EXACTLY(3, "x, y, z")}, {{NULL, 0, 0}}, NULL, reach }
#define EXTREME(kind)                                                                              \
    { kind, true, {SOME("x"), EXACTLY(1, "z")}, {{NULL, 0, 0}}, NULL, NULL }
#define LEX(kind)                                                                                  \
    { kind, true, {ANY("x"), ANY("y")}, {{NULL, 0, 0}}, NULL, NULL }
#define GRAPH(kind)                                                                                \
    { kind, false, {ANY("successors")}, {BASE}, NULL, NULL }
#define ARGUMENT(kind)                                                                             \
    { kind, false, {SOME("x"), EXACTLY(1, "index")}, {BASE}, NULL, NULL }

static const cns_kind kinds[CNS_CONSTRAINT_KINDS] = {
    [CNS_CLAUSE] = {"clause", true, {LITERALS}, {{NULL, 0, 0}}, NULL, NULL},
    [CNS_XOR] = {"xor", true, {LITERALS}, {{NULL, 0, 0}}, NULL, NULL},
    [CNS_LINEAR_EQ] = LINEAR("linear_eq"),
    [CNS_LINEAR_NE] = LINEAR("linear_ne"),
    [CNS_LINEAR_LE] = LINEAR("linear_le"),
    [CNS_IN] =
        {"in", true, {EXACTLY(1, "x")}, {{"ranges", CNS_TAKES_ANY, CNS_OF_RANGES}}, NULL, NULL},
    [CNS_TIMES] = TERNARY("times", cns_reach_times),
    [CNS_DIV] = TERNARY("div", NULL),
    [CNS_MOD] = TERNARY("mod", NULL),
    [CNS_POW] = TERNARY("pow", cns_reach_pow),
    [CNS_ABS] = {"abs", true, {EXACTLY(2, "x, z")}, {{NULL, 0, 0}}, NULL, NULL},
    [CNS_MIN] = EXTREME("min"),
    [CNS_MAX] = EXTREME("max"),
    [CNS_ELEMENT] = {"element",
                     true,
                     {EXACTLY(2, "index, z"), ANY("x")},
                     {BASE, ANY("values")},
                     cns_shape_element,
                     NULL},
    [CNS_ALLDIFFERENT] = {"alldifferent", false, {ANY("x")}, {ANY("excepted")}, NULL, NULL},
    [CNS_GLOBAL_CARDINALITY] = {"global_cardinality",
                                false,
                                {ANY("x"), {"counts", CNS_TAKES_AS_I0, CNS_OF_PLAIN}},
                                {ANY("values"), FLAG("closed")},
                                NULL,
                                NULL},
    [CNS_COUNT] = {"count",
                   false,
                   {ANY("x"), EXACTLY(1, "y"), EXACTLY(1, "n")},
                   {{"relation", 1, CNS_OF_RELATION}},
                   NULL,
                   NULL},
    [CNS_AMONG] = {"among", false, {ANY("x"), EXACTLY(1, "n")}, {ANY("values")}, NULL, NULL},
    [CNS_NVALUE] = {"nvalue", false, {ANY("x"), EXACTLY(1, "n")}, {{NULL, 0, 0}}, NULL, NULL},
    [CNS_CUMULATIVE] = {"cumulative",
                        false,
                        {ANY("starts"), NATURAL_AS_V0("durations"), NATURAL_AS_V0("demands"),
                         EXACTLY(1, "capacity")},
                        {{NULL, 0, 0}},
                        NULL,
                        cns_reach_cumulative},
    [CNS_DISJUNCTIVE] = {"disjunctive",
                         false,
                         {ANY("starts"),
                          NATURAL_AS_V0("durations"),
                          {"presence", CNS_TAKES_AS_V0_OR_NONE, CNS_OF_LITERAL}},
                         {FLAG("strict")},
                         NULL,
                         cns_reach_disjunctive},
    [CNS_DIFFN] = {"diffn",
                   false,
                   {ANY("x"), AS_V0("y"), NATURAL_AS_V0("dx"), NATURAL_AS_V0("dy")},
                   {FLAG("strict")},
                   NULL,
                   cns_reach_diffn},
    [CNS_CIRCUIT] = GRAPH("circuit"),
    [CNS_SUBCIRCUIT] = GRAPH("subcircuit"),
    [CNS_TABLE] = {"table", false, {SOME("x")}, {ANY("rows")}, cns_shape_table, NULL},
    [CNS_REGULAR] = {"regular",
                     false,
                     {ANY("x")},
                     {EXACTLY(3, "states, symbols, start"), ANY("transitions"), ANY("accepting")},
                     cns_shape_regular,
                     NULL},
    [CNS_MDD] =
        {"mdd", false, {SOME("x")}, {EXACTLY(1, "nodes"), ANY("edges")}, cns_shape_mdd, NULL},
    [CNS_INVERSE] = {"inverse",
                     false,
                     {ANY("f"), ANY("g")},
                     {{"bases", CNS_TAKES_OPTIONAL_PAIR, CNS_OF_PLAIN}},
                     NULL,
                     NULL},
    [CNS_SORT] = {"sort", false, {ANY("x"), AS_V0("y")}, {{NULL, 0, 0}}, NULL, NULL},
    [CNS_ARG_SORT] = {"arg_sort", false, {ANY("x"), AS_V0("p")}, {BASE}, NULL, NULL},
    [CNS_LEX_LE] = LEX("lex_le"),
    [CNS_LEX_LT] = LEX("lex_lt"),
    [CNS_PRECEDE] = {"precede", false, {ANY("x")}, {ANY("values")}, NULL, NULL},
    [CNS_INCREASING] = {"increasing", true, {ANY("x")}, {FLAG("strict")}, NULL, NULL},
    [CNS_ARG_MAX] = ARGUMENT("arg_max"),
    [CNS_ARG_MIN] = ARGUMENT("arg_min"),
    [CNS_BIN_PACKING] = {"bin_packing",
                         false,
                         {ANY("bins"), ANY("loads")},
                         {NATURAL_AS_V0("weights"), BASE},
                         NULL,
                         cns_reach_bin_packing},
    [CNS_KNAPSACK] = {"knapsack",
                      false,
                      {{"x", CNS_TAKES_ANY, CNS_OF_NATURAL}, EXACTLY(2, "weight, profit")},
                      {NATURAL_AS_V0("weights"), NATURAL_AS_V0("profits")},
                      NULL,
                      cns_reach_knapsack},
    [CNS_ALL_EQUAL] = {"all_equal", true, {ANY("x")}, {{NULL, 0, 0}}, NULL, NULL},
    [CNS_MEMBER] = {"member", true, {ANY("x"), EXACTLY(1, "y")}, {{NULL, 0, 0}}, NULL, NULL},
    [CNS_SUM_OF_PRODUCTS] = {"sum_of_products",
                             false,
                             {ANY("x"), AS_V0("y"), EXACTLY(1, "z")},
                             {{"coefficients", CNS_TAKES_AS_V0_OR_NONE, CNS_OF_PLAIN}},
                             NULL,
                             cns_reach_products},
};

const cns_kind *cns_kind_of(int kind) {
    return kind > 0 && kind < CNS_CONSTRAINT_KINDS ? &kinds[kind] : NULL;
}

const char *cns_constraint_kind_name(cns_constraint_kind kind) {
    const cns_kind *k = cns_kind_of((int)kind);
    return k ? k->name : "unknown";
}
