/* SPDX-License-Identifier: MIT
 *
 * api_model.c - see api_model.h.
 */
#include "api_model.h"

#include "fuzz.h"
#include "solver/wide.h"

#define LIMIT CNS_SOLVER_BOUND

static int64_t below(api_model *m, int64_t bound) {
    return (int64_t)cns_rng_below(&m->rng, (uint64_t)bound);
}

static bool one_in(api_model *m, int64_t n) {
    return below(m, n) == 0;
}

bool api_again(api_model *m, cns_status status) {
    if (status != CNS_E_NOMEM && status != CNS_E_LIMIT) {
        FUZZ_CHECK(status == CNS_OK);
        return false;
    }
    atomic_store(&m->failing->countdown, -1);
    cns_solver_set_memory_limit(m->solver, 0);
    return true;
}

/* ---- tiny models ---------------------------------------------------------------------------- */

static api_var *new_entry(api_model *m, cns_var var) {
    FUZZ_CHECK(var == (cns_var)m->count && m->count < API_VARIABLES);
    api_var *entry = &m->vars[m->count++];
    memset(entry, 0, sizeof *entry);
    return entry;
}

static cns_status constant(void *user, int64_t value, cns_var *out) {
    api_model *m = user;
    API_REPEAT(m, cns_solver_constant(m->solver, value, out));
    if (*out == (cns_var)m->count) {
        api_var *entry = new_entry(m, *out);
        entry->values[entry->value_count++] = value;
    }
    return CNS_OK;
}

static cns_status list_var(api_model *m, const int64_t *ranges, size_t count, cns_var *out) {
    API_REPEAT(m, cns_solver_new_int_ranges(m->solver, ranges, count, NULL, out));
    api_var *entry = new_entry(m, *out);
    for (size_t k = 0; k < count; k++) {
        for (int64_t value = ranges[2 * k]; value <= ranges[2 * k + 1]; value++) {
            FUZZ_CHECK(entry->value_count < API_VALUES);
            entry->values[entry->value_count++] = value;
        }
    }
    m->assignments *= entry->value_count;
    return CNS_OK;
}

static bool lies_within(const api_model *m, cns_var var, int64_t low, int64_t high) {
    int64_t least, greatest;
    FUZZ_CHECK(cns_solver_bounds(m->solver, var, &least, &greatest) == CNS_OK);
    return least >= low && greatest <= high;
}

/* A variable that is wanted later: one that there is, else a new one or a constant. */
static cns_status old_or_new_var(void *user, const int64_t *ranges, size_t count, cns_var *out) {
    api_model *m = user;
    for (int tries = 0; tries < 8; tries++) {
        cns_var var = api_model_any(m);
        if (lies_within(m, var, ranges[0], ranges[2 * count - 1])) {
            *out = var;
            return CNS_OK;
        }
    }
    bool room = m->assignments <= API_ASSIGNMENTS / API_VALUES && m->count + 8 < API_VARIABLES;
    return room ? list_var(m, ranges, count, out) : constant(m, ranges[0], out);
}

static cns_status new_var(void *user, const int64_t *ranges, size_t count, cns_var *out) {
    return list_var(user, ranges, count, out);
}

static cns_status add(void *user, const cns_constraint *constraint) {
    api_model *m = user;
    uint32_t before = cns_solver_constraint_count(m->solver);
    cns_status status = cns_solver_add(m->solver, constraint);
    while (status != CNS_E_RANGE && api_again(m, status)) {
        FUZZ_CHECK(cns_solver_constraint_count(m->solver) == before);
        status = cns_solver_add(m->solver, constraint);
    }
    return status;
}

static cns_status mark_output(void *user, cns_var var) {
    api_model *m = user;
    API_REPEAT(m, cns_solver_mark_output(m->solver, var));
    m->outputs[var] = m->any_output = true;
    return CNS_OK;
}

cns_var api_model_any(api_model *m) {
    return (cns_var)below(m, m->count);
}

bool api_model_literal(api_model *m, cns_var *out) {
    for (int tries = 0; tries < 16; tries++) {
        cns_var var = api_model_any(m);
        if (lies_within(m, var, 0, 1)) {
            *out = one_in(m, 2) ? var : ~var;
            return true;
        }
    }
    return false;
}

/* ---- arithmetic at the limits --------------------------------------------------------------- */

static int64_t odd_value(api_model *m) {
    static const int64_t odd[] = {LIMIT,      1 - LIMIT, LIMIT / 2, 1 << 20, INT32_MAX, INT32_MIN,
                                  UINT32_MAX, 1000003,   3,         2,       1,         0};
    int64_t value = odd[below(m, sizeof odd / sizeof *odd)];
    return one_in(m, 2) ? value : -value;
}

static int64_t odd_coefficient(api_model *m) {
    static const int64_t odd[] = {LIMIT, 1 << 20, (1 << 21) - 1, INT64_C(1) << 61, INT64_MAX};
    int64_t small = below(m, 7) - 3;
    int64_t value = one_in(m, 4) ? odd[below(m, sizeof odd / sizeof *odd)] : small;
    return one_in(m, 2) ? value : -value;
}

/* A variable of two or three far values. */
static void add_sparse(api_model *m) {
    int64_t ranges[6];
    size_t count = 0;
    int64_t value = -LIMIT;
    for (int tries = 0; tries < 24 && count < 3; tries++) {
        int64_t next = odd_value(m);
        if (count == 0 || next > value) {
            value = next;
            ranges[2 * count] = ranges[2 * count + 1] = value;
            count++;
        }
    }
    cns_var var;
    list_var(m, ranges, count, &var);
}

static cns_wide power(int64_t base, int64_t exponent) {
    const cns_wide huge = (cns_wide)1 << 64;
    if (base >= -1 && base <= 1) {
        return exponent == 0 || (base == -1 && exponent % 2 == 0) ? 1 : base;
    }
    cns_wide result = 1;
    for (; exponent > 0 && result < huge && result > -huge; exponent--) {
        result *= base;
    }
    return result;
}

/* What a constraint of the kind makes of its arguments; false: nothing. */
static bool compute(cns_constraint_kind kind, const int64_t *x, int count, cns_wide *out) {
    cns_wide r = x[0];
    switch (kind) {
    case CNS_TIMES:
        r *= x[1];
        break;
    case CNS_DIV:
    case CNS_MOD:
        if (x[1] == 0) {
            return false;
        }
        r = kind == CNS_DIV ? x[0] / x[1] : x[0] % x[1];
        break;
    case CNS_POW:
        if (x[0] == 0 && x[1] < 0) {
            return false;
        }
        r = x[1] < 0 ? 1 / power(x[0], -x[1]) : power(x[0], x[1]);
        break;
    case CNS_ABS:
        r = r < 0 ? -r : r;
        break;
    case CNS_LINEAR_EQ: /* the sum */
        for (int k = 1; k < count; k++) {
            r += x[k];
        }
        break;
    case CNS_SUM_OF_PRODUCTS:
        r = r * x[1] + (cns_wide)x[2] * x[3];
        break;
    default:
        for (int k = 1; k < count; k++) {
            r = (kind == CNS_MIN ? x[k] < r : x[k] > r) ? x[k] : r;
        }
        break;
    }
    *out = r;
    return true;
}

/* The constraint that says what compute() does of `var`. */
static cns_status define(api_model *m, cns_var var) {
    static const int64_t sum[] = {1, 1, 1, -1}, zero = 0;
    const api_var *entry = &m->vars[var];
    cns_constraint c = {.size = sizeof c, .kind = entry->kind};
    cns_var x[5];
    size_t count = (size_t)entry->argument_count;
    memcpy(x, entry->arguments, count * sizeof *x);
    x[count] = var;
    c.v[0] = x;
    c.v_count[0] = count + 1;
    const cns_var left[] = {x[0], x[2]}, right[] = {x[1], x[3]};
    switch (entry->kind) {
    case CNS_LINEAR_EQ:
        c.i[0] = sum + 3 - count;
        c.i_count[0] = count + 1;
        c.i[1] = &zero;
        c.i_count[1] = 1;
        break;
    case CNS_MIN:
    case CNS_MAX:
        c.v_count[0] = count;
        c.v[1] = x + count;
        c.v_count[1] = 1;
        break;
    case CNS_SUM_OF_PRODUCTS:
        c.v[0] = left;
        c.v[1] = right;
        c.v[2] = x + count;
        c.v_count[0] = c.v_count[1] = 2;
        c.v_count[2] = 1;
        break;
    default:
        break;
    }
    return add(m, &c);
}

/* A variable that some others determine, of the widest domain or one of a random width. What could
 * overflow is refused, and the variable becomes its least value. */
static void add_result(api_model *m) {
    static const struct {
        cns_constraint_kind kind;
        int arguments;
    } kinds[] = {{CNS_TIMES, 2},     {CNS_TIMES, 2},    {CNS_DIV, 2},
                 {CNS_MOD, 2},       {CNS_POW, 2},      {CNS_ABS, 1},
                 {CNS_MIN, 3},       {CNS_MAX, 2},      {CNS_SUM_OF_PRODUCTS, 4},
                 {CNS_LINEAR_EQ, 3}, {CNS_LINEAR_EQ, 2}};
    int which = (int)below(m, sizeof kinds / sizeof *kinds);
    api_var fresh = {.low = one_in(m, 2) ? -LIMIT : -below(m, 100),
                     .high = one_in(m, 2) ? LIMIT : below(m, LIMIT),
                     .kind = kinds[which].kind,
                     .argument_count = kinds[which].arguments};
    for (int k = 0; k < fresh.argument_count; k++) {
        fresh.arguments[k] = api_model_any(m);
    }
    cns_var var;
    API_REPEAT(m, cns_solver_new_int(m->solver, fresh.low, fresh.high, NULL, &var));
    *new_entry(m, var) = fresh;
    cns_status status = define(m, var);
    if (status != CNS_OK) {
        FUZZ_CHECK(status == CNS_E_RANGE);
        const int64_t only[] = {fresh.low, fresh.low};
        const cns_constraint in = {.size = sizeof in,
                                   .kind = CNS_IN,
                                   .v = {&var},
                                   .v_count = {1},
                                   .i = {only},
                                   .i_count = {2}};
        FUZZ_CHECK(add(m, &in) == CNS_OK);
        m->vars[var] = (api_var){.values = {fresh.low}, .value_count = 1};
    }
}

/* A row of coefficients of any size, mostly of a Boolean's truth; refused where it could overflow.
 * Its right side is what a random assignment makes of the left one, or about that. */
static void add_row(api_model *m) {
    int64_t a[4];
    cns_var x[4];
    size_t count = (size_t)below(m, 4) + 1;
    cns_wide sum = below(m, 3) - 1;
    for (size_t k = 0; k < count; k++) {
        x[k] = api_model_any(m);
        a[k] = odd_coefficient(m);
        const api_var *var = &m->vars[x[k]];
        sum += (cns_wide)a[k] * (var->value_count > 0 ? var->values[0] : 0);
    }
    const int64_t side = sum > INT64_MAX ? INT64_MAX : sum < INT64_MIN ? INT64_MIN : (int64_t)sum;
    cns_constraint c = {.size = sizeof c,
                        .kind = (cns_constraint_kind)(CNS_LINEAR_EQ + below(m, 3)),
                        .v = {x},
                        .v_count = {count},
                        .i = {a, &side},
                        .i_count = {count, 1}};
    if (!one_in(m, 4) && api_model_literal(m, &c.literal)) {
        c.condition = one_in(m, 2) ? CNS_IF : CNS_IF_AND_ONLY;
    }
    cns_status status = add(m, &c);
    FUZZ_CHECK(status == CNS_OK || status == CNS_E_RANGE);
}

static void add_wide(api_model *m) {
    if (m->assignments * 3 <= API_ASSIGNMENTS && m->count + 8 < API_VARIABLES) {
        add_sparse(m);
    }
    for (int64_t k = below(m, 3); k > 0 && m->count + 8 < API_VARIABLES; k--) {
        add_result(m);
    }
    for (int64_t k = below(m, 3); k > 0; k--) {
        add_row(m);
    }
}

/* ---- models --------------------------------------------------------------------------------- */

void api_model_make(api_model *m, int kind, bool wide) {
    const solver_random_sink sink = {m, new_var, constant, add, mark_output};
    m->assignments = 1;
    solver_random_build(&m->rng, kind, &sink);
    if (wide) {
        add_wide(m);
    }
}

static cns_status ignore_output(void *user, cns_var var) {
    (void)user;
    (void)var;
    return CNS_OK;
}

void api_model_grow(api_model *m, bool wide) {
    const solver_random_sink sink = {m, old_or_new_var, constant, add,
                                     m->any_output ? mark_output : ignore_output};
    int kind = 1 + (int)below(m, CNS_CONSTRAINT_KINDS - 1);
    if (m->count + 24 < API_VARIABLES) {
        solver_random_build(&m->rng, kind, &sink);
    }
    if (wide && one_in(m, 2)) {
        add_wide(m);
    }
}

/* ---- brute force ---------------------------------------------------------------------------- */

static bool determine(const api_model *m, uint32_t v, int64_t *values) {
    const api_var *var = &m->vars[v];
    int64_t x[4];
    cns_wide result;
    for (int k = 0; k < var->argument_count; k++) {
        x[k] = values[var->arguments[k]];
    }
    if (!compute(var->kind, x, var->argument_count, &result) || result < var->low ||
        result > var->high) {
        return false;
    }
    values[v] = (int64_t)result;
    return true;
}

static bool holds(const api_model *m, const int64_t *values) {
    cns_status status = cns_solver_check_values(m->solver, values, m->count);
    FUZZ_CHECK(status == CNS_OK || status == CNS_E_CORRUPT);
    return status == CNS_OK;
}

static void try_values(api_model *m, uint32_t v, int64_t *values) {
    if (v < m->count && m->vars[v].value_count == 0) {
        if (determine(m, v, values)) {
            try_values(m, v + 1, values);
        }
    } else if (v < m->count) {
        for (int k = 0; k < m->vars[v].value_count; k++) {
            values[v] = m->vars[v].values[k];
            try_values(m, v + 1, values);
        }
    } else if (holds(m, values)) {
        if (m->solution_count == m->solution_capacity) {
            m->solution_capacity = 2 * m->solution_capacity + 16;
            m->solutions = realloc(m->solutions, m->solution_capacity * sizeof *m->solutions);
            FUZZ_CHECK(m->solutions != NULL);
        }
        memcpy(m->solutions[m->solution_count++], values, m->count * sizeof *values);
    }
}

void api_model_judge(api_model *m) {
    int64_t values[API_VARIABLES];
    atomic_store(&m->failing->countdown, -1);
    cns_solver_set_memory_limit(m->solver, 0);
    FUZZ_CHECK(cns_solver_variable_count(m->solver) == m->count);
    m->solution_count = 0;
    try_values(m, 0, values);
}

bool api_model_same(const api_model *m, const int64_t *a, const int64_t *b) {
    for (uint32_t v = 0; v < m->count; v++) {
        if ((!m->any_output || m->outputs[v]) && a[v] != b[v]) {
            return false;
        }
    }
    return true;
}

void api_model_forget(api_model *m) {
    free(m->solutions);
}
