/* SPDX-License-Identifier: MIT
 *
 * solver/violation.c - see violation.h.
 */
#include "solver/violation.h"

#define MOST ((cns_wide)1 << 61)

static int64_t clamp(cns_wide amount) {
    return (int64_t)(amount > MOST ? MOST : amount);
}

static int64_t distance(cns_wide a, cns_wide b) {
    return clamp(cns_wide_abs(a - b));
}

static uint32_t length(const cns_evaluation *e, int k) {
    return e->c->v[k].count;
}

/* ---- functions ------------------------------------------------------------------------------ */

static bool power(int64_t x, int64_t y, cns_wide *out) {
    if (y < 0) {
        bool odd = y % 2 != 0;
        *out = x == 1 ? 1 : x == -1 ? (odd ? -1 : 1) : 0;
        return x != 0;
    }
    cns_wide result = 1;
    int64_t rounds = x >= -1 && x <= 1 && y > 2 ? 2 + y % 2 : y; /* 0, 1, -1 repeat */
    for (int64_t k = 0; k < rounds && cns_wide_abs(result) <= CNS_WIDE_LIMIT; k++) {
        result *= x;
    }
    *out = result;
    return true;
}

static int64_t extreme(const cns_evaluation *e, bool greatest, uint32_t *place) {
    int64_t best = cns_at(e, 0, 0);
    *place = 0;
    for (uint32_t j = 1; j < length(e, 0); j++) {
        int64_t x = cns_at(e, 0, j);
        if (greatest ? x > best : x < best) {
            best = x;
            *place = j;
        }
    }
    return best;
}

static bool element(const cns_evaluation *e, cns_wide *out) {
    bool fixed = e->c->i[1].count > 0;
    uint32_t count = fixed ? e->c->i[1].count : length(e, 1);
    uint32_t k;
    if (!cns_position(cns_at(e, 0, 0), cns_option(e, 0, 0, 1), count, &k)) {
        return false;
    }
    *out = fixed ? cns_int_at(e, 1, k) : cns_at(e, 1, k);
    return true;
}

static uint32_t occurrences(const cns_evaluation *e, int64_t value) {
    uint32_t count = 0;
    for (uint32_t j = 0; j < length(e, 0); j++) {
        count += cns_at(e, 0, j) == value;
    }
    return count;
}

/* i0 is in no order that the model promises. */
static bool listed(const cns_evaluation *e, int64_t value) {
    for (uint32_t k = 0; k < e->c->i[0].count; k++) {
        if (cns_int_at(e, 0, k) == value) {
            return true;
        }
    }
    return false;
}

static uint32_t among(const cns_evaluation *e) {
    uint32_t count = 0;
    for (uint32_t j = 0; j < length(e, 0); j++) {
        count += listed(e, cns_at(e, 0, j));
    }
    return count;
}

/* Sorts v0 into the scratch memory, but the values listed in i0 when `except` says so. */
static uint32_t sort_values(const cns_evaluation *e, bool except) {
    uint32_t count = 0;
    for (uint32_t j = 0; j < length(e, 0); j++) {
        int64_t x = cns_at(e, 0, j);
        if (!except || !listed(e, x)) {
            e->scratch[count++] = (cns_pair){x, (int64_t)j};
        }
    }
    cns_pairs_sort(e->scratch, count);
    return count;
}

static uint32_t distinct(const cns_evaluation *e, uint32_t count) {
    uint32_t result = 0;
    for (uint32_t j = 0; j < count; j++) {
        result += j == 0 || e->scratch[j].key != e->scratch[j - 1].key;
    }
    return result;
}

static cns_wide products(const cns_evaluation *e) {
    cns_wide sum = 0;
    for (uint32_t j = 0; j < length(e, 0); j++) {
        sum += (cns_wide)cns_at(e, 0, j) * cns_at(e, 1, j) * cns_option(e, 0, j, 1);
    }
    return sum;
}

static cns_wide weighted(const cns_evaluation *e, int coefficients) {
    cns_wide sum = 0;
    for (uint32_t j = 0; j < length(e, 0); j++) {
        sum += (cns_wide)cns_int_at(e, coefficients, j) * cns_at(e, 0, j);
    }
    return sum;
}

static cns_wide load_of(const cns_evaluation *e, uint32_t bin) {
    cns_wide sum = 0;
    int64_t base = cns_option(e, 1, 0, 1);
    for (uint32_t j = 0; j < length(e, 0); j++) {
        sum += cns_at(e, 0, j) - base == (int64_t)bin ? cns_int_at(e, 0, j) : 0;
    }
    return sum;
}

cns_outputs cns_violation_outputs(const cns_model *m, const cns_model_constraint *c) {
    switch (c->kind) {
    case CNS_TIMES:
    case CNS_DIV:
    case CNS_MOD:
    case CNS_POW:
        return (cns_outputs){0, 2, 1};
    case CNS_ABS:
    case CNS_ELEMENT:
        return (cns_outputs){0, 1, 1};
    case CNS_MIN:
    case CNS_MAX:
    case CNS_AMONG:
    case CNS_NVALUE:
    case CNS_ARG_MAX:
    case CNS_ARG_MIN:
        return (cns_outputs){1, 0, 1};
    case CNS_COUNT:
        return (cns_outputs){2, 0, cns_model_i(m, c, 0)[0] == CNS_REL_EQ ? 1 : 0};
    case CNS_SUM_OF_PRODUCTS:
        return (cns_outputs){2, 0, 1};
    case CNS_KNAPSACK:
    case CNS_BIN_PACKING:
    case CNS_GLOBAL_CARDINALITY:
        return (cns_outputs){1, 0, c->v[1].count};
    default:
        return (cns_outputs){0, 0, 0};
    }
}

bool cns_violation_output(const cns_evaluation *e, uint32_t k, cns_wide *out) {
    uint32_t place;
    cns_wide x = length(e, 0) > 0 ? cns_at(e, 0, 0) : 0;
    cns_wide y = length(e, 0) > 1 ? cns_at(e, 0, 1) : 0;
    switch (e->c->kind) {
    case CNS_TIMES:
        *out = x * y;
        return true;
    case CNS_DIV:
    case CNS_MOD:
        *out = y == 0 ? 0 : e->c->kind == CNS_DIV ? x / y : x % y;
        return y != 0;
    case CNS_POW:
        return power((int64_t)x, (int64_t)y, out);
    case CNS_ABS:
        *out = cns_wide_abs(x);
        return true;
    case CNS_ELEMENT:
        return element(e, out);
    case CNS_MIN:
    case CNS_MAX:
        *out = extreme(e, e->c->kind == CNS_MAX, &place);
        return true;
    case CNS_ARG_MIN:
    case CNS_ARG_MAX:
        extreme(e, e->c->kind == CNS_ARG_MAX, &place);
        *out = (cns_wide)place + cns_option(e, 0, 0, 1);
        return true;
    case CNS_COUNT:
        *out = occurrences(e, cns_at(e, 1, 0));
        return true;
    case CNS_AMONG:
        *out = among(e);
        return true;
    case CNS_NVALUE:
        *out = distinct(e, sort_values(e, false));
        return true;
    case CNS_SUM_OF_PRODUCTS:
        *out = products(e);
        return true;
    case CNS_KNAPSACK:
        *out = weighted(e, (int)k);
        return true;
    case CNS_BIN_PACKING:
        *out = load_of(e, k);
        return true;
    case CNS_GLOBAL_CARDINALITY:
        *out = occurrences(e, cns_int_at(e, 0, k));
        return true;
    default:
        return false;
    }
}

/* Distances of all outputs from what they should be; an undefined one counts 1. */
static cns_wide function_gap(const cns_evaluation *e) {
    const cns_outputs outputs = cns_violation_outputs(e->model, e->c);
    cns_wide sum = 0;
    for (uint32_t k = 0; k < outputs.count; k++) {
        cns_wide value;
        bool defined = cns_violation_output(e, k, &value);
        sum +=
            defined ? cns_wide_abs(value - cns_at(e, (int)outputs.argument, outputs.start + k)) : 1;
    }
    return sum;
}

/* ---- counting ------------------------------------------------------------------------------- */

static int64_t relation_gap(cns_relation relation, int64_t a, int64_t b) {
    switch (relation) {
    case CNS_REL_EQ:
        return distance(a, b);
    case CNS_REL_NE:
        return a == b;
    case CNS_REL_LE:
        return a > b ? a - b : 0;
    case CNS_REL_LT:
        return a >= b ? a - b + 1 : 0;
    case CNS_REL_GE:
        return a < b ? b - a : 0;
    default:
        return a <= b ? b - a + 1 : 0;
    }
}

static int64_t count_gap(const cns_evaluation *e) {
    return relation_gap((cns_relation)cns_int_at(e, 0, 0), occurrences(e, cns_at(e, 1, 0)),
                        cns_at(e, 2, 0));
}

static cns_wide cardinality_gap(const cns_evaluation *e) {
    cns_wide sum = function_gap(e);
    if (cns_option(e, 1, 0, 0) != 0) {
        sum += length(e, 0) - among(e);
    }
    return sum;
}

static cns_wide packing_gap(const cns_evaluation *e) {
    cns_wide sum = function_gap(e);
    for (uint32_t j = 0; j < length(e, 0); j++) {
        uint32_t bin;
        sum += !cns_position(cns_at(e, 0, j), cns_option(e, 1, 0, 1), length(e, 1), &bin);
    }
    return sum;
}

static int64_t member_gap(const cns_evaluation *e) {
    int64_t least = INT64_MAX;
    for (uint32_t j = 0; j < length(e, 0); j++) {
        int64_t gap = distance(cns_at(e, 0, j), cns_at(e, 1, 0));
        least = gap < least ? gap : least;
    }
    return length(e, 0) == 0 ? 1 : least;
}

static int64_t in_gap(const cns_evaluation *e) {
    int64_t x = cns_at(e, 0, 0);
    int64_t least = INT64_MAX;
    for (uint32_t k = 0; k + 1 < e->c->i[0].count; k += 2) {
        int64_t low = cns_int_at(e, 0, k);
        int64_t high = cns_int_at(e, 0, k + 1);
        int64_t gap = x < low ? distance(low, x) : x > high ? distance(x, high) : 0;
        least = gap < least ? gap : least;
    }
    return e->c->i[0].count == 0 ? 1 : least;
}

/* ---- sequences ------------------------------------------------------------------------------ */

static cns_wide increasing_gap(const cns_evaluation *e) {
    cns_wide sum = 0;
    int64_t strict = cns_option(e, 0, 0, 0) != 0;
    for (uint32_t j = 1; j < length(e, 0); j++) {
        int64_t gap = cns_at(e, 0, j - 1) + strict - cns_at(e, 0, j);
        sum += gap > 0 ? gap : 0;
    }
    return sum;
}

static int64_t equal_gap(const cns_evaluation *e) {
    int64_t sum = 0;
    for (uint32_t j = 1; j < length(e, 0); j++) {
        sum += cns_at(e, 0, j - 1) != cns_at(e, 0, j);
    }
    return sum;
}

static cns_wide sort_gap(const cns_evaluation *e) {
    cns_wide sum = 0;
    sort_values(e, false);
    for (uint32_t j = 0; j < length(e, 1); j++) {
        sum += cns_wide_abs((cns_wide)e->scratch[j].key - cns_at(e, 1, j));
    }
    return sum;
}

static int64_t inverse_gap(const cns_evaluation *e) {
    int64_t sum = 0;
    for (int side = 0; side < 2; side++) {
        int other = 1 - side;
        int64_t own_base = cns_option(e, 0, (size_t)side, 1);
        int64_t base = cns_option(e, 0, (size_t)other, 1);
        for (uint32_t j = 0; j < length(e, side); j++) {
            uint32_t k;
            sum += !cns_position(cns_at(e, side, j), base, length(e, other), &k) ||
                   cns_at(e, other, k) != own_base + (int64_t)j;
        }
    }
    return sum;
}

/* Columns that differ from the row that is nearest. */
static int64_t table_gap(const cns_evaluation *e) {
    uint32_t columns = length(e, 0);
    uint32_t least = columns;
    for (size_t row = 0; row + columns <= e->c->i[0].count && least > 0; row += columns) {
        uint32_t differ = 0;
        for (uint32_t j = 0; j < columns && differ < least; j++) {
            differ += cns_int_at(e, 0, row + j) != cns_at(e, 0, j);
        }
        least = differ < least ? differ : least;
    }
    return e->c->i[0].count == 0 ? 1 : least;
}

/* Symbols left where the automaton stops; 1 when it ends in a state that does not accept. */
static int64_t regular_gap(const cns_evaluation *e) {
    int64_t symbols = cns_int_at(e, 0, 1);
    int64_t state = cns_int_at(e, 0, 2);
    for (uint32_t j = 0; j < length(e, 0); j++) {
        int64_t symbol = cns_at(e, 0, j);
        state = symbol < 1 || symbol > symbols
                    ? 0
                    : cns_int_at(e, 1, (size_t)((state - 1) * symbols + symbol - 1));
        if (state == 0) {
            return (int64_t)length(e, 0) - j + 1;
        }
    }
    for (uint32_t k = 0; k < e->c->i[2].count; k++) {
        if (cns_int_at(e, 2, k) == state) {
            return 0;
        }
    }
    return 1;
}

/* Nodes that nobody leads to, nodes beyond the graph, and circuits but one. */
static int64_t circuit_gap(const cns_evaluation *e, bool partial) {
    uint32_t n = length(e, 0);
    uint32_t circuits = 0;
    int64_t gap = 0;
    int64_t base = cns_option(e, 0, 0, 1);
    for (uint32_t j = 0; j < n; j++) {
        e->scratch[j] = (cns_pair){0, 0}; /* led to; seen */
    }
    for (uint32_t j = 0; j < n; j++) {
        uint32_t next;
        if (!cns_position(cns_at(e, 0, j), base, n, &next)) {
            gap++;
        } else {
            gap += e->scratch[next].key;
            e->scratch[next].key = 1;
        }
    }
    for (uint32_t first = 0; first < n; first++) {
        uint32_t j = first;
        uint32_t next = 0;
        uint32_t steps = 0;
        while (e->scratch[j].other == 0 && cns_position(cns_at(e, 0, j), base, n, &next)) {
            e->scratch[j].other = (int64_t)first + 1;
            j = next;
            steps++;
        }
        bool closed = steps > 0 && e->scratch[j].other == (int64_t)first + 1;
        circuits += closed && !(partial && cns_at(e, 0, j) - base == (int64_t)j);
    }
    return gap + (circuits > 1 ? circuits - 1 : 0);
}

/* ---- tasks and boxes ------------------------------------------------------------------------ */

/* Demand above the capacity, times how long. */
static cns_wide cumulative_gap(const cns_evaluation *e) {
    uint32_t count = 0;
    for (uint32_t j = 0; j < length(e, 0); j++) {
        int64_t duration = cns_at(e, 1, j);
        int64_t demand = cns_at(e, 2, j);
        if (duration > 0 && demand > 0) {
            e->scratch[count++] = (cns_pair){cns_at(e, 0, j), demand};
            e->scratch[count++] = (cns_pair){cns_at(e, 0, j) + duration, -demand};
        }
    }
    cns_pairs_sort(e->scratch, count);
    cns_wide used = 0;
    int64_t capacity = cns_at(e, 3, 0);
    cns_wide sum = capacity < 0 ? -(cns_wide)capacity : 0;
    for (uint32_t k = 0; k < count; k++) {
        if (k > 0 && used > capacity) {
            sum += (used - capacity) * ((cns_wide)e->scratch[k].key - e->scratch[k - 1].key);
        }
        used += e->scratch[k].other;
        sum = sum > MOST ? MOST : sum;
    }
    return sum;
}

/* How long tasks run beside an earlier one. */
static cns_wide disjunctive_gap(const cns_evaluation *e) {
    uint32_t count = 0;
    bool strict = cns_option(e, 0, 0, 0) != 0;
    for (uint32_t j = 0; j < length(e, 0); j++) {
        bool present = length(e, 2) == 0 || cns_at(e, 2, j) != 0;
        if (present && (strict || cns_at(e, 1, j) > 0)) {
            e->scratch[count++] = (cns_pair){cns_at(e, 0, j), cns_at(e, 1, j)};
        }
    }
    cns_pairs_sort(e->scratch, count);
    cns_wide sum = 0;
    cns_wide end = count > 0 ? (cns_wide)e->scratch[0].key + e->scratch[0].other : 0;
    for (uint32_t k = 1; k < count; k++) {
        cns_wide start = e->scratch[k].key;
        cns_wide own_end = start + e->scratch[k].other;
        if (start < end) {
            cns_wide both = (own_end < end ? own_end : end) - start;
            sum += both > 0 ? both : 1;
        }
        end = own_end > end ? own_end : end;
    }
    return sum;
}

/* How far two intervals reach into each other; an empty one counts as a point. */
static cns_wide overlap(int64_t a, int64_t da, int64_t b, int64_t db) {
    cns_wide first = (cns_wide)a + da - b;
    cns_wide second = (cns_wide)b + db - a;
    return first < second ? first : second;
}

static cns_wide diffn_gap(const cns_evaluation *e) {
    bool strict = cns_option(e, 0, 0, 0) != 0;
    cns_wide sum = 0;
    for (uint32_t j = 0; j < length(e, 0); j++) {
        int64_t dx = cns_at(e, 2, j);
        int64_t dy = cns_at(e, 3, j);
        for (uint32_t k = 0; k < j && (strict || (dx > 0 && dy > 0)); k++) {
            if (!strict && (cns_at(e, 2, k) <= 0 || cns_at(e, 3, k) <= 0)) {
                continue;
            }
            cns_wide x = overlap(cns_at(e, 0, j), dx, cns_at(e, 0, k), cns_at(e, 2, k));
            cns_wide y = overlap(cns_at(e, 1, j), dy, cns_at(e, 1, k), cns_at(e, 3, k));
            cns_wide both = x < y ? x : y;
            sum += both > 0 ? both : 0;
        }
    }
    return sum;
}

/* ---- all ------------------------------------------------------------------------------------ */

static cns_wide amount(const cns_evaluation *e) {
    switch (e->c->kind) {
    case CNS_IN:
        return in_gap(e);
    case CNS_TIMES:
    case CNS_DIV:
    case CNS_MOD:
    case CNS_POW:
    case CNS_ABS:
    case CNS_MIN:
    case CNS_MAX:
    case CNS_ELEMENT:
    case CNS_AMONG:
    case CNS_NVALUE:
    case CNS_ARG_MAX:
    case CNS_ARG_MIN:
    case CNS_KNAPSACK:
    case CNS_SUM_OF_PRODUCTS:
        return function_gap(e);
    case CNS_ALLDIFFERENT: {
        uint32_t count = sort_values(e, true);
        return count - distinct(e, count);
    }
    case CNS_GLOBAL_CARDINALITY:
        return cardinality_gap(e);
    case CNS_COUNT:
        return count_gap(e);
    case CNS_CUMULATIVE:
        return cumulative_gap(e);
    case CNS_DISJUNCTIVE:
        return disjunctive_gap(e);
    case CNS_DIFFN:
        return diffn_gap(e);
    case CNS_CIRCUIT:
    case CNS_SUBCIRCUIT:
        return circuit_gap(e, e->c->kind == CNS_SUBCIRCUIT);
    case CNS_TABLE:
        return table_gap(e);
    case CNS_REGULAR:
        return regular_gap(e);
    case CNS_INVERSE:
        return inverse_gap(e);
    case CNS_SORT:
        return sort_gap(e);
    case CNS_INCREASING:
        return increasing_gap(e);
    case CNS_BIN_PACKING:
        return packing_gap(e);
    case CNS_ALL_EQUAL:
        return equal_gap(e);
    case CNS_MEMBER:
        return member_gap(e);
    default:
        return cns_evaluate_body(e) ? 0 : 1;
    }
}

int64_t cns_violation(const cns_evaluation *e) {
    return clamp(amount(e));
}

size_t cns_violation_scratch(const cns_model *m, const cns_model_constraint *c) {
    size_t own = 2 * (size_t)c->v[0].count + 1;
    size_t evaluator = cns_evaluation_scratch(m, c);
    return own > evaluator ? own : evaluator;
}

/* Of so many pairs. */
static uint64_t sorting(uint64_t count) {
    return count * (64 - (uint64_t)__builtin_clzll(count + 1));
}

uint64_t cns_violation_work(const cns_model *m, const cns_model_constraint *c) {
    uint64_t work = 1 + c->v[0].count;
    const cns_outputs outputs = cns_violation_outputs(m, c);
    switch (c->kind) {
    case CNS_ALLDIFFERENT:
        return work * (1 + c->i[0].count) + sorting(c->v[0].count);
    case CNS_AMONG:
    case CNS_GLOBAL_CARDINALITY:
    case CNS_BIN_PACKING:
        return work * (2 + (outputs.count > c->i[0].count ? outputs.count : c->i[0].count));
    case CNS_CUMULATIVE:
        return work + sorting(2 * (uint64_t)c->v[0].count);
    case CNS_DISJUNCTIVE:
    case CNS_NVALUE:
    case CNS_PRECEDE:
    case CNS_SORT:
        return work + sorting(c->v[0].count);
    case CNS_DIFFN:
        return work * (1 + 5 * (uint64_t)c->v[0].count / 2);
    case CNS_TABLE:
    case CNS_MDD:
        return work + c->i[0].count + c->i[1].count;
    default:
        return 2 * work;
    }
}
