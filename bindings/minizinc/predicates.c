/* SPDX-License-Identifier: MIT
 *
 * predicates.c - FlatZinc's predicates as constraints of cns/solver.h, by a table.
 *
 * A row says where each argument goes. A recipe is a list of pairs, a letter and a slot 0..3:
 *   v  variables (or one), to v[slot]      n  the same, negated literals
 *   i  integers (or one, or the values of a set), to i[slot]
 *   r  a set's ranges, to i[slot]          c, C  the condition, the negated condition (slot unused)
 *   #  no argument: the constant that follows as sign and digit, to i[slot]
 * Names with cns_ are our own library's (mznlib), for globals whose index sets matter.
 */
#include "problem.h"

#include <string.h>

typedef struct predicate {
    const char *name;
    uint8_t kind;      /* cns_constraint_kind */
    uint8_t condition; /* cns_reification */
    const char *recipe;
} predicate;

#define ALWAYS(name, kind, recipe)                                                                 \
    { name, kind, CNS_ALWAYS, recipe }
/* The three of a predicate that is plain, reified and implied. */
#define ALL(name, kind, recipe)                                                                    \
    {name, kind, CNS_ALWAYS, recipe}, {name "_reif", kind, CNS_IF_AND_ONLY, recipe "c0"}, {        \
        name "_imp", kind, CNS_IF, recipe "c0"                                                     \
    }
#define TIMES_1_MINUS_1 "#0+1#0-1"
#define MAX_SET_VALUES (INT64_C(1) << 24)

static const predicate predicates[] = {
    ALL("int_eq", CNS_LINEAR_EQ, "v0v0" TIMES_1_MINUS_1 "#1+0"),
    ALL("int_ne", CNS_LINEAR_NE, "v0v0" TIMES_1_MINUS_1 "#1+0"),
    ALL("int_le", CNS_LINEAR_LE, "v0v0" TIMES_1_MINUS_1 "#1+0"),
    ALL("int_lt", CNS_LINEAR_LE, "v0v0" TIMES_1_MINUS_1 "#1-1"),
    ALL("int_lin_eq", CNS_LINEAR_EQ, "i0v0i1"),
    ALL("int_lin_ne", CNS_LINEAR_NE, "i0v0i1"),
    ALL("int_lin_le", CNS_LINEAR_LE, "i0v0i1"),
    ALL("set_in", CNS_IN, "v0r0"),
    ALWAYS("int_plus", CNS_LINEAR_EQ, "v0v0v0#0+1#0+1#0-1#1+0"),
    ALWAYS("int_times", CNS_TIMES, "v0v0v0"),
    ALWAYS("int_div", CNS_DIV, "v0v0v0"),
    ALWAYS("int_mod", CNS_MOD, "v0v0v0"),
    ALWAYS("int_pow", CNS_POW, "v0v0v0"),
    ALWAYS("int_abs", CNS_ABS, "v0v0"),
    ALWAYS("int_min", CNS_MIN, "v0v0v1"),
    ALWAYS("int_max", CNS_MAX, "v0v0v1"),
    ALWAYS("array_int_minimum", CNS_MIN, "v1v0"),
    ALWAYS("array_int_maximum", CNS_MAX, "v1v0"),
    ALWAYS("array_int_element", CNS_ELEMENT, "v0i1v0"),
    ALWAYS("array_var_int_element", CNS_ELEMENT, "v0v1v0"),
    ALWAYS("array_bool_element", CNS_ELEMENT, "v0i1v0"),
    ALWAYS("array_var_bool_element", CNS_ELEMENT, "v0v1v0"),

    ALWAYS("bool2int", CNS_LINEAR_EQ, "v0v0" TIMES_1_MINUS_1 "#1+0"),
    ALWAYS("bool_eq", CNS_LINEAR_EQ, "v0v0" TIMES_1_MINUS_1 "#1+0"),
    ALWAYS("bool_ne", CNS_XOR, "v0v0"),
    ALWAYS("bool_not", CNS_XOR, "v0v0"),
    ALWAYS("bool_le", CNS_CLAUSE, "n0v0"),
    ALWAYS("bool_lt", CNS_LINEAR_LE, "v0v0" TIMES_1_MINUS_1 "#1-1"),
    ALWAYS("bool_eq_reif", CNS_XOR, "v0v0v0"),
    ALWAYS("bool_ne_reif", CNS_XOR, "v0v0n0"),
    ALWAYS("bool_le_reif", CNS_CLAUSE, "n0v0c0"),
    ALWAYS("bool_lt_reif", CNS_CLAUSE, "v0n0C0"),
    {"bool_eq_imp", CNS_LINEAR_EQ, CNS_IF, "v0v0" TIMES_1_MINUS_1 "#1+0c0"},
    {"bool_ne_imp", CNS_XOR, CNS_IF, "v0v0c0"},
    {"bool_le_imp", CNS_CLAUSE, CNS_IF, "n0v0c0"},
    {"bool_lt_imp", CNS_LINEAR_LE, CNS_IF, "v0v0" TIMES_1_MINUS_1 "#1-1c0"},
    ALWAYS("bool_xor", CNS_XOR, "v0v0n0"), /* the third argument may be missing */
    ALWAYS("bool_and", CNS_CLAUSE, "n0n0C0"),
    ALWAYS("bool_or", CNS_CLAUSE, "v0v0c0"),
    ALWAYS("array_bool_and", CNS_CLAUSE, "n0C0"),
    ALWAYS("array_bool_or", CNS_CLAUSE, "v0c0"),
    {"array_bool_or_imp", CNS_CLAUSE, CNS_IF, "v0c0"},
    ALWAYS("array_bool_xor", CNS_XOR, "v0"),
    {"array_bool_xor_imp", CNS_XOR, CNS_IF, "v0c0"},
    ALL("bool_clause", CNS_CLAUSE, "v0n0"),
    ALL("bool_lin_eq", CNS_LINEAR_EQ, "i0v0v0#0-1#1+0"),
    ALL("bool_lin_ne", CNS_LINEAR_NE, "i0v0v0#0-1#1+0"),
    ALL("bool_lin_le", CNS_LINEAR_LE, "i0v0v0#0-1#1+0"),

    ALWAYS("fzn_all_different_int", CNS_ALLDIFFERENT, "v0"),
    ALWAYS("fzn_alldifferent_except_0", CNS_ALLDIFFERENT, "v0#0+0"),
    ALWAYS("fzn_alldifferent_except", CNS_ALLDIFFERENT, "v0i0"),
    ALL("fzn_all_equal_int", CNS_ALL_EQUAL, "v0"),
    ALWAYS("fzn_among", CNS_AMONG, "v1v0i0"),
    ALWAYS("fzn_at_least_int", CNS_COUNT, "v2v0v1#0+3"),
    ALWAYS("fzn_at_most_int", CNS_COUNT, "v2v0v1#0+2"),
    ALWAYS("fzn_exactly_int", CNS_COUNT, "v2v0v1#0+0"),
    ALWAYS("fzn_count_eq", CNS_COUNT, "v0v1v2#0+0"),
    ALWAYS("fzn_count_neq", CNS_COUNT, "v0v1v2#0+1"),
    /* MiniZinc's order: fzn_count_leq(x, y, c) is c <= the count. */
    ALWAYS("fzn_count_leq", CNS_COUNT, "v0v1v2#0+3"),
    ALWAYS("fzn_count_geq", CNS_COUNT, "v0v1v2#0+2"),
    ALWAYS("fzn_count_lt", CNS_COUNT, "v0v1v2#0+5"),
    ALWAYS("fzn_count_gt", CNS_COUNT, "v0v1v2#0+4"),
    ALWAYS("fzn_cumulative", CNS_CUMULATIVE, "v0v1v2v3"),
    ALWAYS("fzn_disjunctive", CNS_DISJUNCTIVE, "v0v1"),
    ALWAYS("fzn_disjunctive_strict", CNS_DISJUNCTIVE, "v0v1#0+1"),
    ALWAYS("fzn_diffn", CNS_DIFFN, "v0v1v2v3#0+1"),
    ALWAYS("fzn_diffn_nonstrict", CNS_DIFFN, "v0v1v2v3"),
    ALWAYS("fzn_global_cardinality", CNS_GLOBAL_CARDINALITY, "v0i0v1"),
    ALWAYS("fzn_global_cardinality_closed", CNS_GLOBAL_CARDINALITY, "v0i0v1#1+1"),
    ALL("fzn_increasing_int", CNS_INCREASING, "v0"),
    ALL("fzn_strictly_increasing_int", CNS_INCREASING, "v0#0+1"),
    ALL("fzn_lex_lesseq_int", CNS_LEX_LE, "v0v1"),
    ALL("fzn_lex_less_int", CNS_LEX_LT, "v0v1"),
    ALL("fzn_member_int", CNS_MEMBER, "v0v1"),
    ALWAYS("fzn_nvalue", CNS_NVALUE, "v1v0"),
    ALWAYS("fzn_regular", CNS_REGULAR, "v0i0i0i1i0i2"),
    ALWAYS("fzn_sort", CNS_SORT, "v0v1"),
    ALWAYS("fzn_knapsack", CNS_KNAPSACK, "i0i1v0v1v1"),
    ALWAYS("fzn_table_int", CNS_TABLE, "v0i0"),
    ALWAYS("fzn_value_precede_int", CNS_PRECEDE, "i0i0v0"),
    ALWAYS("fzn_value_precede_chain_int", CNS_PRECEDE, "i0v0"),

    ALWAYS("cns_arg_max", CNS_ARG_MAX, "i0v0v1"),
    ALWAYS("cns_arg_min", CNS_ARG_MIN, "i0v0v1"),
    ALWAYS("cns_arg_sort", CNS_ARG_SORT, "i0v0v1"),
    ALWAYS("cns_bin_packing_load", CNS_BIN_PACKING, "i1v1v0i0"),
    ALWAYS("cns_circuit", CNS_CIRCUIT, "i0v0"),
    ALWAYS("cns_subcircuit", CNS_SUBCIRCUIT, "i0v0"),
    ALWAYS("cns_inverse", CNS_INVERSE, "i0i0v0v1"),
    ALWAYS("cns_disjunctive_opt", CNS_DISJUNCTIVE, "v0v1v2"),
    ALWAYS("cns_disjunctive_strict_opt", CNS_DISJUNCTIVE, "v0v1v2#0+1"),
    ALWAYS("cns_mdd", CNS_MDD, "v0i0i1"), /* edges: from, low, high, to, from, ... */
};

uint32_t fzn_predicate_count(void) {
    return sizeof predicates / sizeof *predicates;
}

const char *fzn_predicate_name(uint32_t index) {
    return predicates[index].name;
}

const char *fzn_predicate_recipe(uint32_t index) {
    return predicates[index].recipe;
}

/* ---- collecting arguments ------------------------------------------------------------------- */

static cns_status push_var(fzn_problem *p, const fzn_value *value, bool negated) {
    cns_var var;
    cns_status status = CNS_OK;
    if (negated && value->kind == FZN_BOOL) {
        status = cns_solver_constant(p->solver, 1 - value->as.integer, &var);
    } else {
        status = fzn_problem_var(p, value, &var);
        var = negated ? ~var : var;
    }
    p->arg_vars[p->arg_var_count++] = status == CNS_OK ? var : 0;
    return status;
}

static cns_status push_vars(fzn_problem *p, const fzn_value *value, bool negated) {
    size_t count = fzn_is_array(value) ? value->count : 1;
    cns_status status = fzn_problem_reserve(p, &p->arg_vars, sizeof *p->arg_vars,
                                            &p->arg_var_capacity, p->arg_var_count + count);
    if (!fzn_is_array(value)) {
        return status == CNS_OK ? push_var(p, value, negated) : status;
    }
    for (uint32_t i = 0; i < count && status == CNS_OK; i++) {
        const fzn_value element = fzn_element(value, i);
        status = push_var(p, &element, negated);
    }
    return status;
}

static cns_status push_ints(fzn_problem *p, const int64_t *ints, size_t count) {
    cns_status status = fzn_problem_reserve(p, &p->arg_ints, sizeof *p->arg_ints,
                                            &p->arg_int_capacity, p->arg_int_count + count);
    if (status == CNS_OK && count > 0) {
        memcpy(p->arg_ints + p->arg_int_count, ints, count * sizeof *ints);
        p->arg_int_count += count;
    }
    return status;
}

static cns_status push_set_values(fzn_problem *p, const fzn_value *set) {
    cns_status status = CNS_OK;
    for (uint32_t i = 0; i < set->count; i++) {
        int64_t low = set->as.ranges[i].low;
        int64_t high = set->as.ranges[i].high;
        if ((uint64_t)high - (uint64_t)low >= MAX_SET_VALUES) {
            return CNS_E_RANGE;
        }
        for (int64_t v = low; v <= high && status == CNS_OK; v++) {
            status = push_ints(p, &v, 1);
        }
    }
    return status;
}

static cns_status push_integers(fzn_problem *p, const fzn_value *value) {
    switch (value->kind) {
    case FZN_INTS:
    case FZN_BOOLS:
        return push_ints(p, value->as.integers, value->count);
    case FZN_INT:
    case FZN_BOOL:
        return push_ints(p, &value->as.integer, 1);
    case FZN_SET:
        return push_set_values(p, value);
    default:
        return CNS_E_INVALID;
    }
}

/* ---- following a recipe --------------------------------------------------------------------- */

/* The arguments that go to v[slot] (or i[slot]), one after the other. */
static cns_status gather(fzn_problem *p, const char *recipe, const fzn_constraint *c, char slot,
                         bool vars, uint32_t *argument) {
    cns_status status = CNS_OK;
    *argument = 0;
    for (const char *at = recipe; *at != 0 && status == CNS_OK; at += *at == '#' ? 4 : 2) {
        bool here = at[1] == slot;
        if (*at == '#') {
            int64_t constant = (at[2] == '-' ? -1 : 1) * (at[3] - '0');
            status = here && !vars ? push_ints(p, &constant, 1) : CNS_OK;
            continue;
        }
        if (*argument == c->argument_count) { /* an argument that may be missing */
            break;
        }
        const fzn_value *value = &c->arguments[(*argument)++];
        if (!here) {
            continue;
        }
        if (vars && (*at == 'v' || *at == 'n')) {
            status = push_vars(p, value, *at == 'n');
        } else if (!vars && *at == 'i') {
            status = push_integers(p, value);
        } else if (!vars && *at == 'r') {
            status = value->kind == FZN_SET
                         ? push_ints(p, (const int64_t *)(const void *)value->as.ranges,
                                     2 * (size_t)value->count)
                         : CNS_E_INVALID;
        }
    }
    return status;
}

static cns_status condition(fzn_problem *p, const predicate *row, const fzn_constraint *c,
                            cns_constraint *out) {
    char last = row->recipe[strlen(row->recipe) - 2];
    if (last != 'c' && last != 'C') {
        return CNS_OK;
    }
    const fzn_value *value = &c->arguments[c->argument_count - 1];
    out->condition =
        row->condition == CNS_ALWAYS ? CNS_IF_AND_ONLY : (cns_reification)row->condition;
    if (value->kind == FZN_BOOL) {
        bool holds = (value->as.integer != 0) != (last == 'C');
        return cns_solver_constant(p->solver, holds, &out->literal);
    }
    cns_status status = fzn_problem_var(p, value, &out->literal);
    out->literal = last == 'C' ? ~out->literal : out->literal;
    return status;
}

/* How many arguments a recipe takes; one less is right for bool_xor alone. */
static uint32_t arguments_of(const predicate *row) {
    uint32_t count = 0;
    for (const char *at = row->recipe; *at != 0; at += *at == '#' ? 4 : 2) {
        count += *at != '#';
    }
    return count;
}

static cns_status wrong_argument(fzn_problem *p, cns_status status, const fzn_constraint *c,
                                 uint32_t argument) {
    if (status == CNS_E_INVALID || status == CNS_E_RANGE) {
        return fzn_problem_fail(p, status, c->position, "%s: argument %u %s",
                                predicates[c->word].name, (unsigned)argument,
                                status == CNS_E_RANGE ? "is a set that is too large"
                                                      : "is not of the type that is expected");
    }
    return fzn_problem_fail(p, status, c->position, "%s: out of memory", predicates[c->word].name);
}

static cns_status unknown(fzn_problem *p, const fzn_constraint *c) {
    uint32_t length = 0;
    const char *name = fzn_word(p->reader, c->word, &length);
    bool real = length > 6 && memcmp(name, "float_", 6) == 0;
    return fzn_problem_fail(
        p, CNS_E_UNSUPPORTED, c->position, "constraint '%.*s' is not supported: %s", (int)length,
        name,
        real ? "this solver knows no float variables"
             : "compile with this solver's library (minizinc --solver cnsengine)");
}

cns_status fzn_problem_post(fzn_problem *p, const fzn_constraint *c) {
    if (c->word >= fzn_predicate_count()) {
        return unknown(p, c);
    }
    const predicate *row = &predicates[c->word];
    uint32_t expected = arguments_of(row);
    bool xor_of_two = c->argument_count == 2 && strcmp(row->name, "bool_xor") == 0;
    if (c->argument_count != expected && !xor_of_two) {
        return fzn_problem_fail(p, CNS_E_INVALID, c->position, "%s: %u arguments, expected %u",
                                row->name, (unsigned)c->argument_count, (unsigned)expected);
    }
    cns_constraint out = {.size = sizeof out, .kind = (cns_constraint_kind)row->kind};
    size_t var_ends[5] = {0};
    size_t int_ends[5] = {0};
    p->arg_var_count = 0;
    p->arg_int_count = 0;
    for (int slot = 0; slot < 4; slot++) {
        uint32_t argument;
        cns_status status = gather(p, row->recipe, c, (char)('0' + slot), true, &argument);
        if (status == CNS_OK) {
            status = gather(p, row->recipe, c, (char)('0' + slot), false, &argument);
        }
        if (status != CNS_OK) {
            return wrong_argument(p, status, c, argument);
        }
        var_ends[slot + 1] = p->arg_var_count;
        int_ends[slot + 1] = p->arg_int_count;
    }
    for (int slot = 0; slot < 4; slot++) { /* the arrays do not move any more */
        out.v_count[slot] = var_ends[slot + 1] - var_ends[slot];
        out.v[slot] = out.v_count[slot] > 0 ? p->arg_vars + var_ends[slot] : NULL;
        out.i_count[slot] = int_ends[slot + 1] - int_ends[slot];
        out.i[slot] = out.i_count[slot] > 0 ? p->arg_ints + int_ends[slot] : NULL;
    }
    cns_status status = condition(p, row, c, &out);
    if (status != CNS_OK) {
        return wrong_argument(p, status, c, c->argument_count);
    }
    status = cns_solver_add(p->solver, &out);
    return status == CNS_OK ? status : fzn_problem_refused(p, status, c->position, row->name);
}
