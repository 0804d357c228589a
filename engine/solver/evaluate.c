/* SPDX-License-Identifier: MIT
 *
 * evaluate.c - whether a solution is one: domains, conditions, clauses, arithmetic; the others lie
 * in evaluate_*.c.
 */
#include "solver/evaluate.h"

enum { LOCAL_PAIRS = 64 };

/* ---- clauses -------------------------------------------------------------------------------- */

static bool holds_clause(const cns_evaluation *e) {
    for (uint32_t j = 0; j < e->c->v[0].count; j++) {
        if (cns_at(e, 0, j) != 0) {
            return true;
        }
    }
    return false;
}

static bool holds_xor(const cns_evaluation *e) {
    bool odd = false;
    for (uint32_t j = 0; j < e->c->v[0].count; j++) {
        odd ^= cns_at(e, 0, j) != 0;
    }
    return odd;
}

/* ---- arithmetic ----------------------------------------------------------------------------- */

static cns_wide weighted_sum(const cns_evaluation *e) {
    cns_wide sum = 0;
    for (uint32_t j = 0; j < e->c->v[0].count; j++) {
        sum += (cns_wide)cns_int_at(e, 0, j) * cns_at(e, 0, j);
    }
    return sum;
}

static bool holds_linear_eq(const cns_evaluation *e) {
    return weighted_sum(e) == cns_int_at(e, 1, 0);
}

static bool holds_linear_ne(const cns_evaluation *e) {
    return weighted_sum(e) != cns_int_at(e, 1, 0);
}

static bool holds_linear_le(const cns_evaluation *e) {
    return weighted_sum(e) <= cns_int_at(e, 1, 0);
}

static bool holds_sum_of_products(const cns_evaluation *e) {
    cns_wide sum = 0;
    for (uint32_t j = 0; j < e->c->v[0].count; j++) {
        sum += (cns_wide)cns_at(e, 0, j) * cns_at(e, 1, j) * cns_option(e, 0, j, 1);
    }
    return sum == cns_at(e, 2, 0);
}

static bool holds_times(const cns_evaluation *e) {
    return (cns_wide)cns_at(e, 0, 0) * cns_at(e, 0, 1) == cns_at(e, 0, 2);
}

static bool holds_div(const cns_evaluation *e) {
    cns_wide x = cns_at(e, 0, 0), y = cns_at(e, 0, 1);
    return y != 0 && x / y == cns_at(e, 0, 2);
}

static bool holds_mod(const cns_evaluation *e) {
    cns_wide x = cns_at(e, 0, 0), y = cns_at(e, 0, 1);
    return y != 0 && x - x / y * y == cns_at(e, 0, 2);
}

/* 1 / x^n, towards 0. */
static int64_t inverse_power(int64_t x, bool odd) {
    return x == 1 ? 1 : x == -1 ? (odd ? -1 : 1) : 0;
}

static bool holds_pow(const cns_evaluation *e) {
    int64_t x = cns_at(e, 0, 0), y = cns_at(e, 0, 1), z = cns_at(e, 0, 2);
    bool odd = y % 2 != 0;
    if (y < 0) {
        return x != 0 && z == inverse_power(x, odd);
    }
    if (x >= -1 && x <= 1) {
        return z == (y == 0 ? 1 : x < 0 && !odd ? 1 : x);
    }
    cns_wide power = 1;
    for (int64_t k = 0; k < y && cns_wide_abs(power) <= CNS_WIDE_LIMIT; k++) {
        power *= x;
    }
    return power == z;
}

static bool holds_abs(const cns_evaluation *e) {
    return cns_wide_abs(cns_at(e, 0, 0)) == cns_at(e, 0, 1);
}

static bool holds_min(const cns_evaluation *e) {
    int64_t least = cns_at(e, 0, 0);
    for (uint32_t j = 1; j < e->c->v[0].count; j++) {
        least = cns_at(e, 0, j) < least ? cns_at(e, 0, j) : least;
    }
    return least == cns_at(e, 1, 0);
}

static bool holds_max(const cns_evaluation *e) {
    int64_t greatest = cns_at(e, 0, 0);
    for (uint32_t j = 1; j < e->c->v[0].count; j++) {
        greatest = cns_at(e, 0, j) > greatest ? cns_at(e, 0, j) : greatest;
    }
    return greatest == cns_at(e, 1, 0);
}

static bool holds_element(const cns_evaluation *e) {
    bool fixed = e->c->i[1].count > 0;
    uint32_t count = fixed ? e->c->i[1].count : e->c->v[1].count, k;
    if (!cns_position(cns_at(e, 0, 0), cns_option(e, 0, 0, 1), count, &k)) {
        return false;
    }
    return (fixed ? cns_int_at(e, 1, k) : cns_at(e, 1, k)) == cns_at(e, 0, 1);
}

/* ---- domains -------------------------------------------------------------------------------- */

/* By bisection: the only range that can hold the value is the last one that begins below it. */
static bool in_ranges(const int64_t *ranges, uint32_t count, int64_t value) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ranges[2 * (size_t)middle] <= value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && value <= ranges[2 * (size_t)low - 1];
}

static bool holds_in(const cns_evaluation *e) {
    return in_ranges(cns_model_i(e->model, e->c, 0), e->c->i[0].count / 2, cns_at(e, 0, 0));
}

static bool find_outside(const cns_model *model, const int64_t *values, uint32_t *variable) {
    for (uint32_t k = 0; k < model->variable_count; k++) {
        const cns_model_var *var = &model->variables[k];
        if (!in_ranges(model->ints + var->ranges, var->range_count, values[k])) {
            *variable = k;
            return true;
        }
    }
    return false;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static const cns_evaluator evaluators[CNS_CONSTRAINT_KINDS] = {
    [CNS_CLAUSE] = holds_clause,
    [CNS_XOR] = holds_xor,
    [CNS_LINEAR_EQ] = holds_linear_eq,
    [CNS_LINEAR_NE] = holds_linear_ne,
    [CNS_LINEAR_LE] = holds_linear_le,
    [CNS_IN] = holds_in,
    [CNS_TIMES] = holds_times,
    [CNS_DIV] = holds_div,
    [CNS_MOD] = holds_mod,
    [CNS_POW] = holds_pow,
    [CNS_ABS] = holds_abs,
    [CNS_MIN] = holds_min,
    [CNS_MAX] = holds_max,
    [CNS_ELEMENT] = holds_element,
    [CNS_ALLDIFFERENT] = cns_holds_alldifferent,
    [CNS_GLOBAL_CARDINALITY] = cns_holds_global_cardinality,
    [CNS_COUNT] = cns_holds_count,
    [CNS_AMONG] = cns_holds_among,
    [CNS_NVALUE] = cns_holds_nvalue,
    [CNS_CUMULATIVE] = cns_holds_cumulative,
    [CNS_DISJUNCTIVE] = cns_holds_disjunctive,
    [CNS_DIFFN] = cns_holds_diffn,
    [CNS_CIRCUIT] = cns_holds_circuit,
    [CNS_SUBCIRCUIT] = cns_holds_subcircuit,
    [CNS_TABLE] = cns_holds_table,
    [CNS_REGULAR] = cns_holds_regular,
    [CNS_MDD] = cns_holds_mdd,
    [CNS_INVERSE] = cns_holds_inverse,
    [CNS_SORT] = cns_holds_sort,
    [CNS_ARG_SORT] = cns_holds_arg_sort,
    [CNS_LEX_LE] = cns_holds_lex_le,
    [CNS_LEX_LT] = cns_holds_lex_lt,
    [CNS_PRECEDE] = cns_holds_precede,
    [CNS_INCREASING] = cns_holds_increasing,
    [CNS_ARG_MAX] = cns_holds_arg_max,
    [CNS_ARG_MIN] = cns_holds_arg_min,
    [CNS_BIN_PACKING] = cns_holds_bin_packing,
    [CNS_KNAPSACK] = cns_holds_knapsack,
    [CNS_ALL_EQUAL] = cns_holds_all_equal,
    [CNS_MEMBER] = cns_holds_member,
    [CNS_SUM_OF_PRODUCTS] = holds_sum_of_products,
};

size_t cns_evaluation_scratch(const cns_model *model, const cns_model_constraint *c) {
    size_t n = c->v[0].count;
    switch (c->kind) {
    case CNS_NVALUE:
    case CNS_DISJUNCTIVE:
    case CNS_DIFFN:
    case CNS_SORT:
    case CNS_PRECEDE:
        return n;
    case CNS_ALLDIFFERENT:
    case CNS_GLOBAL_CARDINALITY:
        return n + c->i[0].count;
    case CNS_AMONG:
        return c->i[0].count;
    case CNS_CUMULATIVE:
        return 2 * n;
    case CNS_BIN_PACKING:
        return c->v[1].count;
    case CNS_MDD: /* three words for each node, one for each edge; a pair holds four */
        return (size_t)cns_model_i(model, c, 0)[0] + 2 + c->i[1].count / 4;
    default:
        return 0;
    }
}

bool cns_evaluate_body(const cns_evaluation *e) {
    return evaluators[e->c->kind](e);
}

static bool judge(const cns_evaluation *e) {
    const cns_model_constraint *c = e->c;
    bool literal = c->condition != CNS_ALWAYS && cns_model_value(e->values, c->literal) != 0;
    if (c->condition == CNS_IF && !literal) {
        return true;
    }
    bool body = cns_evaluate_body(e);
    return c->condition == CNS_IF_AND_ONLY ? body == literal : body;
}

cns_status cns_model_evaluate(const cns_model *model, uint32_t index, const int64_t *values,
                              bool *holds) {
    CNS_ASSERT(index < model->constraint_count);
    union {
        cns_pair pairs[LOCAL_PAIRS];
        uint32_t words[4 * LOCAL_PAIRS]; /* what decision diagrams use */
    } local;
    cns_evaluation e = {model, &model->constraints[index], values, local.pairs};
    size_t pairs = cns_evaluation_scratch(model, e.c), size = pairs * sizeof *e.scratch;
    if (pairs > LOCAL_PAIRS) {
        e.scratch = cns_context_alloc(model->context, size, CNS_ALIGN_DEFAULT);
        if (!e.scratch) {
            return cns_context_memory_status(model->context, size);
        }
    }
    *holds = judge(&e);
    if (pairs > LOCAL_PAIRS) {
        cns_context_free(model->context, e.scratch, size, CNS_ALIGN_DEFAULT);
    }
    return CNS_OK;
}

cns_status cns_model_evaluate_all(const cns_model *model, const int64_t *values, bool *holds,
                                  uint32_t *failed, uint32_t *variable) {
    if (find_outside(model, values, variable)) {
        *failed = UINT32_MAX;
        *holds = false;
        return CNS_OK;
    }
    for (uint32_t k = 0; k < model->constraint_count; k++) {
        bool one;
        cns_status status = cns_model_evaluate(model, k, values, &one);
        if (status != CNS_OK) {
            return status;
        }
        if (!one) {
            *failed = k;
            *holds = false;
            return CNS_OK;
        }
    }
    *holds = true;
    return CNS_OK;
}
