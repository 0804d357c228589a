/* SPDX-License-Identifier: MIT
 *
 * solver_random.c - see solver_random.h.
 *
 * The values of a model lie in a window of some eight integers around an origin, from which bases
 * of indices are taken, too: most constraints then have some solutions and fail elsewhere.
 */
#include "solver_random.h"

#include <string.h>

#include "support.h"

enum {
    VARIABLES = 6,
    VALUES = 6,
    ASSIGNMENTS = 8000, /* no more, over all variables */
    ELEMENTS = 4,       /* of the usual array */
    INTEGERS = 128
};

typedef struct draw {
    cns_rng *rng;
    const solver_random_sink *sink;
    int64_t origin;
    cns_var vars[VARIABLES];
    int64_t low[VARIABLES], high[VARIABLES];
    int count;
    int64_t assignments;
    /* The constraint that is being made. */
    cns_var v[4][2 * ELEMENTS];
    int64_t i[4][INTEGERS];
    cns_constraint c;
} draw;

/* ---- chance --------------------------------------------------------------------------------- */

static int64_t between(draw *d, int64_t low, int64_t high) {
    return low + (int64_t)cns_rng_below(d->rng, (uint64_t)(high - low) + 1);
}

static bool one_in(draw *d, uint64_t n) {
    return cns_rng_below(d->rng, n) == 0;
}

static int64_t value(draw *d) {
    return between(d, d->origin - 1, d->origin + 4);
}

/* ---- variables ------------------------------------------------------------------------------ */

static cns_var constant(draw *d, int64_t of) {
    cns_var var = 0;
    ck_assert_int_eq(d->sink->constant(d->sink->user, of, &var), CNS_OK);
    return var;
}

/* A new variable of some of the values low..high, or a constant when there are enough. */
static cns_var fresh(draw *d, int64_t low, int64_t high) {
    int64_t ranges[2 * VALUES];
    size_t count = 0, taken = 0;
    bool sparse = one_in(d, 2);
    for (int64_t k = between(d, low, high); k <= high && taken < VALUES; k++) {
        if (count > 0 && sparse && one_in(d, 3)) {
            continue;
        }
        if (count > 0 && ranges[2 * count - 1] == k - 1 && !one_in(d, 4)) {
            ranges[2 * count - 1] = k;
        } else {
            ranges[2 * count] = ranges[2 * count + 1] = k; /* may touch the one before it */
            count++;
        }
        taken++;
    }
    if (d->count == VARIABLES || d->assignments * (int64_t)taken > ASSIGNMENTS) {
        return constant(d, between(d, low, high));
    }
    cns_var var = 0;
    ck_assert_int_eq(d->sink->new_var(d->sink->user, ranges, count, &var), CNS_OK);
    d->vars[d->count] = var;
    d->low[d->count] = ranges[0];
    d->high[d->count] = ranges[2 * count - 1];
    d->count++;
    d->assignments *= (int64_t)taken;
    return var;
}

static cns_var fresh_bool(draw *d) {
    static const int64_t both[] = {0, 1};
    cns_var var = 0;
    if (d->count == VARIABLES || d->assignments * 2 > ASSIGNMENTS) {
        return constant(d, between(d, 0, 1));
    }
    ck_assert_int_eq(d->sink->new_var(d->sink->user, both, 1, &var), CNS_OK);
    d->vars[d->count] = var;
    d->low[d->count] = 0;
    d->high[d->count] = 1;
    d->count++;
    d->assignments *= 2;
    return var;
}

/* One of the variables within low..high at random; false when there is none. */
static bool choose(draw *d, int64_t low, int64_t high, cns_var *out) {
    int fitting[VARIABLES], count = 0;
    for (int k = 0; k < d->count; k++) {
        if (d->low[k] >= low && d->high[k] <= high) {
            fitting[count++] = k;
        }
    }
    if (count == 0) {
        return false;
    }
    *out = d->vars[fitting[cns_rng_below(d->rng, (uint64_t)count)]];
    return true;
}

static cns_var literal(draw *d) {
    cns_var var;
    if (one_in(d, 12)) {
        var = constant(d, between(d, 0, 1));
    } else if (one_in(d, 3) || !choose(d, 0, 1, &var)) {
        var = fresh_bool(d);
    }
    return one_in(d, 2) ? var : ~var;
}

static cns_var natural(draw *d) {
    cns_var var;
    if (one_in(d, 3)) {
        return constant(d, between(d, 0, 3));
    }
    return !one_in(d, 2) && choose(d, 0, VALUES, &var) ? var : fresh(d, 0, 3);
}

static cns_var integer(draw *d) {
    cns_var var;
    if (one_in(d, 8)) {
        return constant(d, value(d));
    }
    if (one_in(d, 24)) {
        return literal(d);
    }
    bool old = d->count > 2 ? !one_in(d, 3) : one_in(d, 4);
    return old && choose(d, INT64_MIN, INT64_MAX, &var) ? var
                                                        : fresh(d, d->origin - 1, d->origin + 5);
}

/* What should have a good chance to lie within low..high: a sum, a number of things. */
static cns_var result(draw *d, int64_t low, int64_t high) {
    return one_in(d, 4)   ? integer(d)
           : one_in(d, 3) ? constant(d, between(d, low, high))
                          : fresh(d, low, high);
}

/* ---- arguments ------------------------------------------------------------------------------ */

static void put_var(draw *d, int k, cns_var var) {
    ck_assert_uint_lt(d->c.v_count[k], sizeof d->v[k] / sizeof *d->v[k]);
    d->v[k][d->c.v_count[k]++] = var;
}

static void put_int(draw *d, int k, int64_t of) {
    ck_assert_uint_lt(d->c.i_count[k], INTEGERS);
    d->i[k][d->c.i_count[k]++] = of;
}

static void put_vars(draw *d, int k, size_t count, cns_var (*of)(draw *d)) {
    for (size_t j = 0; j < count; j++) {
        put_var(d, k, of(d));
    }
}

/* Variables that are mostly indices of an array of `size` elements. */
static void put_indices(draw *d, int k, size_t count, size_t size) {
    int64_t last = d->origin + (int64_t)size - 1;
    for (size_t j = 0; j < count; j++) {
        put_var(d, k, size == 0 || one_in(d, 6) ? integer(d) : fresh(d, d->origin, last));
    }
}

static void put_values(draw *d, int k, size_t count) {
    for (size_t j = 0; j < count; j++) {
        put_int(d, k, value(d));
    }
}

static void put_between(draw *d, int k, size_t count, int64_t low, int64_t high) {
    for (size_t j = 0; j < count; j++) {
        put_int(d, k, between(d, low, high));
    }
}

/* Usually 2..4 elements, now and then `least`. */
static size_t some(draw *d, size_t least) {
    return one_in(d, 16) ? least : (size_t)between(d, 2, ELEMENTS);
}

static void put_base(draw *d, int k, bool required) {
    if (required || d->origin != 1 || one_in(d, 2)) {
        put_int(d, k, one_in(d, 12) ? value(d) : d->origin);
    }
}

static void put_flag(draw *d, int k) {
    if (!one_in(d, 3)) {
        put_int(d, k, between(d, 0, 1));
    }
}

/* ---- kinds ---------------------------------------------------------------------------------- */

static void make_linear(draw *d) {
    size_t count = some(d, 0);
    put_vars(d, 0, count, integer);
    put_between(d, 0, count, -3, 3);
    put_int(d, 1, between(d, -6, 8));
}

static void make_in(draw *d) {
    put_vars(d, 0, 1, integer);
    int64_t from = d->origin - 2;
    for (int64_t k = between(d, 0, 3); k > 0; k--) {
        int64_t low = from + between(d, 0, 2), high = low + between(d, 0, 2);
        put_int(d, 0, low);
        put_int(d, 0, high);
        from = high + 1;
    }
}

static void make_element(draw *d) {
    size_t count = some(d, 1);
    put_vars(d, 0, 2, integer);
    put_base(d, 0, false);
    if (one_in(d, 2)) {
        put_vars(d, 1, count, integer);
    } else {
        put_values(d, 1, count);
    }
}

static void make_counting(draw *d, int kind) {
    size_t count = some(d, 0), values = (size_t)between(d, 0, 3);
    put_vars(d, 0, count, integer);
    switch (kind) {
    case CNS_ALLDIFFERENT:
        put_values(d, 0, one_in(d, 2) ? 0 : values);
        break;
    case CNS_GLOBAL_CARDINALITY:
        put_values(d, 0, values);
        for (size_t k = 0; k < values; k++) {
            put_var(d, 1, result(d, 0, 2));
        }
        put_flag(d, 1);
        break;
    case CNS_COUNT:
        put_vars(d, 1, 1, integer);
        put_var(d, 2, result(d, 0, (int64_t)count));
        put_between(d, 0, 1, CNS_REL_EQ, CNS_REL_GT);
        break;
    case CNS_AMONG:
        put_values(d, 0, values);
        put_var(d, 1, result(d, 0, (int64_t)count));
        break;
    default:
        put_var(d, 1, result(d, 0, (int64_t)count));
        break;
    }
}

static void make_packing(draw *d, int kind) {
    size_t count = one_in(d, 16) ? 0 : (size_t)between(d, 2, 3);
    put_vars(d, 0, count, integer);
    if (kind == CNS_DIFFN) {
        put_vars(d, 1, count, integer);
        put_vars(d, 2, count, natural);
        put_vars(d, 3, count, natural);
        put_flag(d, 0);
        return;
    }
    put_vars(d, 1, count, natural);
    if (kind == CNS_CUMULATIVE) {
        put_vars(d, 2, count, natural);
        put_var(d, 3, result(d, 1, 4));
    } else {
        put_vars(d, 2, one_in(d, 2) ? count : 0, literal);
        put_flag(d, 0);
    }
}

static cns_var bin(draw *d) {
    cns_var var;
    return one_in(d, 6) ? integer(d)
           : one_in(d, 3) && choose(d, d->origin, d->origin + 2, &var)
               ? var
               : fresh(d, d->origin, d->origin + 2);
}

static void make_bin_packing(draw *d) {
    size_t count = one_in(d, 8) ? 0 : (size_t)between(d, 1, 2), bins = (size_t)between(d, 1, 2);
    put_vars(d, 0, count, bin);
    put_between(d, 0, count, 0, 2);
    for (size_t k = 0; k < bins; k++) {
        put_var(d, 1, one_in(d, 8) ? constant(d, between(d, 0, 2)) : fresh(d, 0, 4));
    }
    put_int(d, 1, d->origin);
}

static void make_knapsack(draw *d) {
    size_t count = some(d, 0);
    put_vars(d, 0, count, natural);
    put_between(d, 0, count, 0, 2);
    put_between(d, 1, count, 0, 2);
    put_var(d, 1, one_in(d, 4) ? result(d, 0, 9) : fresh(d, 0, 5));
    put_var(d, 1, one_in(d, 4) ? result(d, 0, 9) : fresh(d, 0, 5));
}

static void make_products(draw *d) {
    size_t count = some(d, 0);
    put_vars(d, 0, count, integer);
    put_vars(d, 1, count, integer);
    put_between(d, 0, one_in(d, 2) ? count : 0, -2, 2);
    put_var(d, 2, result(d, -4, 8));
}

/* A value within the bounds of a variable that is not a constant. */
static bool in_domain(draw *d, cns_var var, int64_t *out) {
    for (int k = 0; k < d->count; k++) {
        if (d->vars[k] == var) {
            *out = between(d, d->low[k], d->high[k]);
            return true;
        }
    }
    return false;
}

static void make_table(draw *d) {
    size_t columns = some(d, 1), rows = (size_t)between(d, 0, 12);
    put_vars(d, 0, columns, integer);
    for (size_t k = 0; k < rows * columns; k++) {
        int64_t of;
        bool near = !one_in(d, 4) && in_domain(d, d->v[0][k % columns], &of);
        put_int(d, 0, near ? of : value(d));
    }
}

static void make_regular(draw *d) {
    int64_t states = between(d, 1, 3), symbols = between(d, 1, 4);
    size_t count = some(d, 0);
    for (size_t k = 0; k < count; k++) {
        put_var(d, 0, one_in(d, 4) ? integer(d) : fresh(d, 1, symbols));
    }
    put_int(d, 0, states);
    put_int(d, 0, symbols);
    put_int(d, 0, between(d, 1, states));
    put_between(d, 1, (size_t)(states * symbols), one_in(d, 2), states);
    put_between(d, 2, (size_t)between(d, one_in(d, 8) ? 0 : 1, states), 1, states);
}

/* Layers of one to three nodes, numbered in a random order, two to four edges between two layers.
 */
static void make_mdd(draw *d) {
    size_t layers = some(d, 1);
    int64_t first[ELEMENTS + 2] = {0, 1}, numbers[3 * ELEMENTS + 1];
    put_vars(d, 0, layers, integer);
    for (size_t k = 1; k < layers; k++) {
        first[k + 1] = first[k] + between(d, 1, 3);
    }
    int64_t nodes = first[layers];
    for (int64_t k = 0; k < nodes; k++) {
        numbers[k] = k + 1;
        int64_t other = k > 0 ? between(d, 1, k) : 0; /* node 1 keeps its number */
        numbers[k] = numbers[other];
        numbers[other] = k + 1;
    }
    put_int(d, 0, nodes);
    for (size_t layer = 0; layer < layers; layer++) {
        for (int64_t edges = between(d, 2, 4); edges > 0; edges--) {
            int64_t low = value(d);
            bool last = layer + 1 == layers;
            put_int(d, 1, numbers[between(d, first[layer], first[layer + 1] - 1)]);
            put_int(d, 1, low);
            put_int(d, 1, low + between(d, 0, 2));
            put_int(d, 1, last ? 0 : numbers[between(d, first[layer + 1], first[layer + 2] - 1)]);
        }
    }
}

static void make_pairs(draw *d, int kind) {
    size_t count = some(d, 0), other = count;
    bool free = kind == CNS_LEX_LE || kind == CNS_LEX_LT || (kind == CNS_INVERSE && one_in(d, 8));
    if (free) {
        other = (size_t)between(d, 0, ELEMENTS);
    }
    if (kind == CNS_INVERSE) {
        put_indices(d, 0, count, other);
        put_indices(d, 1, other, count);
    } else if (kind == CNS_ARG_SORT) {
        put_vars(d, 0, count, integer);
        put_indices(d, 1, other, count);
    } else {
        put_vars(d, 0, count, integer);
        put_vars(d, 1, other, integer);
    }
    if (kind == CNS_INVERSE && (d->origin != 1 || one_in(d, 2))) {
        put_base(d, 0, true);
        put_base(d, 0, true);
    } else if (kind == CNS_ARG_SORT) {
        put_base(d, 0, false);
    }
}

static void make_arguments(draw *d, int kind) {
    switch (kind) {
    case CNS_CLAUSE:
    case CNS_XOR:
        put_vars(d, 0, some(d, 0), literal);
        break;
    case CNS_LINEAR_EQ:
    case CNS_LINEAR_NE:
    case CNS_LINEAR_LE:
        make_linear(d);
        break;
    case CNS_IN:
        make_in(d);
        break;
    case CNS_TIMES:
    case CNS_DIV:
    case CNS_MOD:
    case CNS_POW:
        put_vars(d, 0, 3, integer);
        break;
    case CNS_ABS:
        put_vars(d, 0, 2, integer);
        break;
    case CNS_MIN:
    case CNS_MAX:
        put_vars(d, 0, some(d, 1), integer);
        put_vars(d, 1, 1, integer);
        break;
    case CNS_ELEMENT:
        make_element(d);
        break;
    case CNS_ALLDIFFERENT:
    case CNS_GLOBAL_CARDINALITY:
    case CNS_COUNT:
    case CNS_AMONG:
    case CNS_NVALUE:
        make_counting(d, kind);
        break;
    case CNS_CUMULATIVE:
    case CNS_DISJUNCTIVE:
    case CNS_DIFFN:
        make_packing(d, kind);
        break;
    case CNS_CIRCUIT:
    case CNS_SUBCIRCUIT:
        put_indices(d, 0, some(d, 0), ELEMENTS);
        put_base(d, 0, false);
        break;
    case CNS_TABLE:
        make_table(d);
        break;
    case CNS_REGULAR:
        make_regular(d);
        break;
    case CNS_MDD:
        make_mdd(d);
        break;
    case CNS_INVERSE:
    case CNS_SORT:
    case CNS_ARG_SORT:
    case CNS_LEX_LE:
    case CNS_LEX_LT:
        make_pairs(d, kind);
        break;
    case CNS_PRECEDE:
        put_vars(d, 0, some(d, 0), integer);
        put_values(d, 0, (size_t)between(d, 0, 3));
        break;
    case CNS_INCREASING:
        put_vars(d, 0, some(d, 0), integer);
        put_flag(d, 0);
        break;
    case CNS_ARG_MAX:
    case CNS_ARG_MIN:
        put_vars(d, 0, some(d, 1), integer);
        put_vars(d, 1, 1, integer);
        put_base(d, 0, false);
        break;
    case CNS_BIN_PACKING:
        make_bin_packing(d);
        break;
    case CNS_KNAPSACK:
        make_knapsack(d);
        break;
    case CNS_ALL_EQUAL:
        put_vars(d, 0, some(d, 0), integer);
        break;
    case CNS_MEMBER:
        put_vars(d, 0, some(d, 0), integer);
        put_vars(d, 1, 1, integer);
        break;
    case CNS_SUM_OF_PRODUCTS:
        make_products(d);
        break;
    default:
        ck_abort_msg("no kind: %d", kind);
    }
}

bool solver_random_reifies(int kind) {
    return kind <= CNS_ELEMENT || kind == CNS_LEX_LE || kind == CNS_LEX_LT ||
           kind == CNS_INCREASING || kind == CNS_ALL_EQUAL || kind == CNS_MEMBER;
}

static void make_constraint(draw *d, int kind) {
    d->c = (cns_constraint){.size = sizeof d->c, .kind = (cns_constraint_kind)kind};
    make_arguments(d, kind);
    for (int k = 0; k < 4; k++) {
        d->c.v[k] = d->v[k];
        d->c.i[k] = d->i[k];
    }
    if (solver_random_reifies(kind) && one_in(d, 2)) {
        d->c.condition = one_in(d, 2) ? CNS_IF_AND_ONLY : CNS_IF;
        d->c.literal = literal(d);
    }
    ck_assert_msg(d->sink->add(d->sink->user, &d->c) == CNS_OK, "%s was refused",
                  cns_constraint_kind_name(d->c.kind));
}

/* ---- models --------------------------------------------------------------------------------- */

void solver_random_build(cns_rng *rng, int kind, const solver_random_sink *sink) {
    draw d = {.rng = rng, .sink = sink, .assignments = 1};
    d.origin = kind == CNS_REGULAR || one_in(&d, 3) ? 1 : between(&d, -2, 2);
    fresh(&d, d.origin - 1, d.origin + 5);
    int64_t constraints = kind ? (one_in(&d, 3) ? 2 : 1) : between(&d, 2, 3);
    for (int64_t k = 0; k < constraints; k++) {
        make_constraint(&d, kind ? kind : (int)between(&d, 1, CNS_CONSTRAINT_KINDS - 1));
    }
    bool marks = one_in(&d, 3);
    for (int k = 0; k < d.count; k++) {
        if (marks && one_in(&d, 2)) {
            ck_assert_int_eq(sink->mark_output(sink->user, d.vars[k]), CNS_OK);
        }
    }
}

static cns_status model_new_var(void *user, const int64_t *ranges, size_t count, cns_var *out) {
    return cns_model_new_var(user, ranges, count, NULL, out);
}

static cns_status model_constant(void *user, int64_t of, cns_var *out) {
    return cns_model_constant(user, of, out);
}

static cns_status model_add(void *user, const cns_constraint *constraint) {
    cns_model *model = user;
    support_status(model->context, CNS_OK, cns_model_add(model, constraint));
    return CNS_OK;
}

static cns_status model_mark_output(void *user, cns_var var) {
    return cns_model_mark_output(user, var);
}

void solver_random_model(cns_rng *rng, int kind, cns_model *model) {
    const solver_random_sink sink = {model, model_new_var, model_constant, model_add,
                                     model_mark_output};
    solver_random_build(rng, kind, &sink);
}

/* ---- brute force ---------------------------------------------------------------------------- */

typedef struct enumeration {
    const cns_model *model;
    int64_t *values;
    uint32_t *order; /* the outputs first */
    uint32_t outputs;
    solver_random_visit visit;
    void *user;
    uint64_t count;
} enumeration;

static bool extend(enumeration *e, uint32_t depth);

/* Tries the values of one variable; beyond the outputs, one solution is enough. */
static bool branch(enumeration *e, uint32_t depth) {
    const cns_model_var *var = &e->model->variables[e->order[depth]];
    const int64_t *ranges = e->model->ints + var->ranges;
    bool any = false;
    for (uint32_t k = 0; k < var->range_count; k++) {
        for (int64_t v = ranges[2 * k]; v <= ranges[2 * k + 1]; v++) {
            e->values[e->order[depth]] = v;
            any |= extend(e, depth + 1);
            if (any && depth >= e->outputs) {
                return true;
            }
        }
    }
    return any;
}

static bool complete(enumeration *e) {
    uint32_t failed, variable;
    bool holds;
    support_status(e->model->context, CNS_OK,
                   cns_model_evaluate_all(e->model, e->values, &holds, &failed, &variable));
    return holds;
}

static bool extend(enumeration *e, uint32_t depth) {
    bool found = depth == e->model->variable_count ? complete(e) : branch(e, depth);
    if (found && depth == e->outputs) {
        e->count++;
        if (e->visit) {
            e->visit(e->user, e->values);
        }
    }
    return found;
}

uint64_t solver_random_count(const cns_model *model, solver_random_visit visit, void *user) {
    enum { MOST = 64 };
    int64_t values[MOST];
    uint32_t order[MOST], count = 0;
    ck_assert_uint_le(model->variable_count, MOST);
    enumeration e = {
        .model = model, .values = values, .order = order, .visit = visit, .user = user};
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t k = 0; k < model->variable_count; k++) {
            if ((model->variables[k].output || !model->any_output) == (pass == 0)) {
                order[count++] = k;
            }
        }
        e.outputs = pass == 0 ? count : e.outputs;
    }
    extend(&e, 0);
    return e.count;
}
