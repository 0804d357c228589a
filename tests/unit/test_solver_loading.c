/* SPDX-License-Identifier: MIT
 *
 * test_solver_loading.c - loading takes work in proportion to the model, whatever is in it.
 *
 * The solver's sources are compiled once more for this test, so that every basic block that runs
 * is counted: what a loop costs shows whether or not it counts ticks, on any machine, and the same
 * each time. A family of models is loaded at one size and at four times that; the blocks, and the
 * bytes that are held at most, may grow little more than the model has.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "solver/solver_impl.h"
#include "support.h"

enum { TIMES = 4 };    /* how much larger the second model is */
#define GROWTH 5.5     /* at most: n log n of a few thousand is just below 5 */
#define MORE_BYTES 6.5 /* at most: arrays grow by half, and may just have done so */

/* ---- what is counted ------------------------------------------------------------------------ */

static uint64_t blocks;

void __sanitizer_cov_trace_pc(void);

void __sanitizer_cov_trace_pc(void) {
    blocks++;
}

typedef struct work {
    uint64_t blocks, bytes;
} work;

typedef struct memory { /* in bytes */
    uint64_t held, peak;
} memory;

static void *count_bytes(void *user, void *pointer, size_t old_size, size_t new_size,
                         size_t alignment) {
    memory *used = user;
    used->held += new_size;
    used->held -= pointer != NULL ? old_size : 0;
    used->peak = used->held > used->peak ? used->held : used->peak;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    alignment = alignment < sizeof(void *) ? sizeof(void *) : alignment;
    void *fresh = aligned_alloc(alignment, (new_size + alignment - 1) / alignment * alignment);
    ck_assert_ptr_nonnull(fresh);
    if (pointer != NULL) {
        memcpy(fresh, pointer, old_size < new_size ? old_size : new_size);
        free(pointer);
    }
    return fresh;
}

/* ---- parts of models ------------------------------------------------------------------------ */

typedef struct maker {
    cns_solver *solver;
    cns_rng rng;
} maker;

#define ARGS(k, data, count) .v[k] = (data), .v_count[k] = (count)
#define INTS(k, data, count) .i[k] = (data), .i_count[k] = (count)

static int64_t below(maker *m, int64_t limit) {
    return (int64_t)cns_rng_below(&m->rng, (uint64_t)limit);
}

static cns_var new_int(maker *m, int64_t low, int64_t high) {
    cns_var var;
    ck_assert_int_eq(cns_solver_new_int(m->solver, low, high, NULL, &var), CNS_OK);
    return var;
}

static cns_var constant(maker *m, int64_t value) {
    cns_var var;
    ck_assert_int_eq(cns_solver_constant(m->solver, value, &var), CNS_OK);
    return var;
}

static cns_var *array_of(size_t count) {
    cns_var *vars = calloc(count + 1, sizeof *vars);
    ck_assert_ptr_nonnull(vars);
    return vars;
}

static int64_t *ints_of(size_t count) {
    int64_t *ints = calloc(count + 1, sizeof *ints);
    ck_assert_ptr_nonnull(ints);
    return ints;
}

static cns_var *new_ints(maker *m, size_t count, int64_t low, int64_t high) {
    cns_var *vars = array_of(count);
    for (size_t k = 0; k < count; k++) {
        vars[k] = new_int(m, low, high);
    }
    return vars;
}

/* Integers of `width` values each, somewhere in 0 .. span - 1: their domains together are as large
 * as the array, whatever the span. */
static cns_var *new_narrow(maker *m, size_t count, int64_t span, int64_t width) {
    cns_var *vars = array_of(count);
    for (size_t k = 0; k < count; k++) {
        int64_t low = below(m, span - width + 1);
        vars[k] = new_int(m, low, low + width - 1);
    }
    return vars;
}

static int64_t *random_ints(maker *m, size_t count, int64_t low, int64_t high) {
    int64_t *ints = ints_of(count);
    for (size_t k = 0; k < count; k++) {
        ints[k] = low + below(m, high - low + 1);
    }
    return ints;
}

/* low, low + step, ... */
static int64_t *series(size_t count, int64_t low, int64_t step) {
    int64_t *ints = ints_of(count);
    for (size_t k = 0; k < count; k++) {
        ints[k] = low + (int64_t)k * step;
    }
    return ints;
}

static int64_t *shuffled(maker *m, size_t count) {
    int64_t *ints = series(count, 0, 1);
    for (size_t k = count; k-- > 1;) {
        size_t other = (size_t)below(m, (int64_t)k + 1);
        int64_t moved = ints[k];
        ints[k] = ints[other];
        ints[other] = moved;
    }
    return ints;
}

static void add(maker *m, cns_constraint c) {
    c.size = sizeof c;
    ck_assert_int_eq(cns_solver_add(m->solver, &c), CNS_OK);
}

static void add_linear(maker *m, cns_constraint_kind kind, const cns_var *x, const int64_t *a,
                       size_t count, int64_t c, cns_var literal) {
    const int64_t right[] = {c};
    add(m, (cns_constraint){.kind = kind,
                            .condition = literal >= 0 ? CNS_IF_AND_ONLY : CNS_ALWAYS,
                            .literal = literal >= 0 ? literal : 0,
                            ARGS(0, x, count),
                            INTS(0, a, count),
                            INTS(1, right, 1)});
}

/* ---- sums ----------------------------------------------------------------------------------- */

static void one_sum(maker *m, size_t n, cns_constraint_kind kind, int64_t low, int64_t high,
                    bool reified) {
    cns_var *x = new_ints(m, n, low, high);
    int64_t *a = random_ints(m, n, 1, 50);
    add_linear(m, kind, x, a, n, 3, reified ? new_int(m, 0, 1) : -1);
    free(a);
    free(x);
}

static void linear_le(maker *m, size_t n) {
    one_sum(m, n, CNS_LINEAR_LE, -100, 100, false);
}

static void linear_eq(maker *m, size_t n) {
    one_sum(m, n, CNS_LINEAR_EQ, -100, 100, false);
}

static void linear_ne(maker *m, size_t n) {
    one_sum(m, n, CNS_LINEAR_NE, -100, 100, false);
}

static void linear_reified(maker *m, size_t n) {
    one_sum(m, n, CNS_LINEAR_EQ, -100, 100, true);
}

static void linear_of_booleans(maker *m, size_t n) {
    one_sum(m, n, CNS_LINEAR_LE, 0, 1, false);
    one_sum(m, n, CNS_LINEAR_EQ, 0, 1, false);
}

static void cardinality(maker *m, size_t n) {
    cns_var *x = new_ints(m, n, 0, 1);
    int64_t *ones = series(n, 1, 0);
    add_linear(m, CNS_LINEAR_EQ, x, ones, n, 1, -1);
    add_linear(m, CNS_LINEAR_LE, x, ones, n, 7, -1);
    free(ones);
    free(x);
}

static void many_sums(maker *m, size_t n) {
    cns_var *x = new_ints(m, n, 0, 1000);
    for (size_t k = 2; k < n; k++) {
        const cns_var three[] = {x[k], x[k - 1], x[below(m, (int64_t)k - 1)]};
        add_linear(m, CNS_LINEAR_LE, three, (const int64_t[]){1, -1, 2}, 3, 2001, -1);
    }
    free(x);
}

/* y = x + k, for many y: one integer, whose domain has many ranges. */
static void aliases(maker *m, size_t n) {
    int64_t *ranges = series(2 * n, 0, 3);
    cns_var x;
    ck_assert_int_eq(cns_solver_new_int_ranges(m->solver, ranges, n, NULL, &x), CNS_OK);
    for (size_t k = 0; k < n; k++) {
        const cns_var pair[] = {x, new_int(m, -1000000, 1000000)};
        add_linear(m, CNS_LINEAR_EQ, pair, (const int64_t[]){1, -1}, 2, -(int64_t)k, -1);
    }
    free(ranges);
}

/* b <=> x <= v and b <=> x = v, in any order of the v. */
static void comparisons(maker *m, size_t n) {
    cns_var x = new_int(m, 0, 100 * (int64_t)n);
    int64_t *order = shuffled(m, n);
    for (size_t k = 0; k < n; k++) {
        add_linear(m, k % 2 ? CNS_LINEAR_LE : CNS_LINEAR_EQ, &x, (const int64_t[]){1}, 1,
                   100 * order[k] + 50, new_int(m, 0, 1));
    }
    free(order);
}

/* Inequations of all pairs of some, and of neighbours. */
static void inequations(maker *m, size_t n) {
    cns_var *x = new_ints(m, n, 0, 20);
    for (size_t k = 0; k < n; k++) {
        for (size_t j = k + 1; j < n && j < k + 5; j++) {
            const cns_var pair[] = {x[k], x[j]};
            add_linear(m, CNS_LINEAR_NE, pair, (const int64_t[]){1, -1}, 2, 0, -1);
        }
    }
    free(x);
}

static void products(maker *m, size_t n) {
    cns_var *x = new_ints(m, n, 0, 100), *y = new_ints(m, n, 0, 100);
    cns_var z = new_int(m, 0, 10000000);
    add(m, (cns_constraint){
               .kind = CNS_SUM_OF_PRODUCTS, ARGS(0, x, n), ARGS(1, y, n), ARGS(2, &z, 1)});
    free(x);
    free(y);
}

/* ---- Booleans ------------------------------------------------------------------------------- */

static void clauses(maker *m, size_t n) {
    cns_var *x = new_ints(m, n, 0, 1);
    for (size_t k = 0; k < 4 * n; k++) {
        cns_var lits[3];
        for (int i = 0; i < 3; i++) {
            lits[i] = x[below(m, (int64_t)n)];
            lits[i] = below(m, 2) ? lits[i] : ~lits[i];
        }
        add(m, (cns_constraint){.kind = CNS_CLAUSE, ARGS(0, lits, 3)});
    }
    add(m, (cns_constraint){.kind = CNS_CLAUSE, ARGS(0, x, n)});
    free(x);
}

static void parity(maker *m, size_t n) {
    cns_var *x = new_ints(m, n, 0, 1);
    add(m, (cns_constraint){.kind = CNS_XOR, ARGS(0, x, n)});
    free(x);
}

/* ---- arrays --------------------------------------------------------------------------------- */

static void element_of_constants(maker *m, size_t n) {
    cns_var index_and_z[] = {new_int(m, 1, (int64_t)n), new_int(m, 0, 1000)};
    int64_t *values = random_ints(m, n, 0, 1000);
    add(m, (cns_constraint){.kind = CNS_ELEMENT, ARGS(0, index_and_z, 2), INTS(1, values, n)});
    free(values);
}

/* Not one that grows beyond what is stated by clauses. */
static void small_elements(maker *m, size_t n) {
    for (int k = 0; k < 20; k++) {
        cns_var index_and_z[] = {new_int(m, 1, (int64_t)n), new_int(m, 0, (int64_t)n - 1)};
        int64_t *values = shuffled(m, n);
        add(m, (cns_constraint){.kind = CNS_ELEMENT, ARGS(0, index_and_z, 2), INTS(1, values, n)});
        free(values);
    }
}

static void element_of_variables(maker *m, size_t n) {
    cns_var index_and_z[] = {new_int(m, 1, (int64_t)n), new_int(m, 0, 1000)};
    cns_var *x = new_ints(m, n, 0, 1000);
    add(m, (cns_constraint){.kind = CNS_ELEMENT, ARGS(0, index_and_z, 2), ARGS(1, x, n)});
    free(x);
}

static void extremes(maker *m, size_t n) {
    cns_var *x = new_ints(m, n, 0, 1000);
    cns_var z = new_int(m, 0, 1000), index = new_int(m, 1, (int64_t)n);
    add(m, (cns_constraint){.kind = CNS_MAX, ARGS(0, x, n), ARGS(1, &z, 1)});
    add(m, (cns_constraint){.kind = CNS_ARG_MAX, ARGS(0, x, n), ARGS(1, &index, 1)});
    free(x);
}

static void ranges(maker *m, size_t n) {
    int64_t *gaps = series(2 * n, 0, 10);
    cns_var x = new_int(m, 0, 100 * (int64_t)n), y;
    ck_assert_int_eq(cns_solver_new_int_ranges(m->solver, gaps, n, NULL, &y), CNS_OK);
    cns_var b = new_int(m, 0, 1);
    add(m, (cns_constraint){.kind = CNS_IN, ARGS(0, &x, 1), INTS(0, gaps, 2 * n)});
    add(m, (cns_constraint){.kind = CNS_IN,
                            .condition = CNS_IF_AND_ONLY,
                            .literal = b,
                            ARGS(0, &y, 1),
                            INTS(0, gaps, 2 * n)});
    free(gaps);
}

static void chains(maker *m, size_t n) {
    cns_var *x = new_ints(m, n, 0, 1000000), *y = new_ints(m, n, 0, 100);
    add(m, (cns_constraint){.kind = CNS_INCREASING, ARGS(0, x, n)});
    add(m, (cns_constraint){.kind = CNS_ALL_EQUAL, ARGS(0, y, n)});
    free(x);
    free(y);
}

static void lex(maker *m, size_t n) {
    cns_var *x = new_ints(m, n, 0, 10), *y = new_ints(m, n, 0, 10);
    add(m, (cns_constraint){.kind = CNS_LEX_LE, ARGS(0, x, n), ARGS(1, y, n)});
    free(x);
    free(y);
}

static void sorting(maker *m, size_t n) {
    cns_var *x = new_narrow(m, n, 1000, 50), *y = new_ints(m, n, 0, 1000);
    add(m, (cns_constraint){.kind = CNS_SORT, ARGS(0, x, n), ARGS(1, y, n)});
    free(x);
    free(y);
}

static void precede(maker *m, size_t n) {
    cns_var *x = array_of(n);
    for (size_t k = 0; k < n; k++) { /* a value of none, or some that may have occurred */
        const int64_t ranges[] = {-1, -1, (int64_t)k / 2, (int64_t)k / 2 + 5};
        ck_assert_int_eq(cns_solver_new_int_ranges(m->solver, ranges, 2, NULL, &x[k]), CNS_OK);
    }
    int64_t *values = series(n, 0, 1);
    add(m, (cns_constraint){.kind = CNS_PRECEDE, ARGS(0, x, n), INTS(0, values, n)});
    free(values);
    free(x);
}

/* ---- permutations and counts ---------------------------------------------------------------- */

static void alldifferent(maker *m, size_t n) {
    cns_var *x = new_ints(m, n, 0, 2 * (int64_t)n);
    add(m, (cns_constraint){.kind = CNS_ALLDIFFERENT, ARGS(0, x, n)});
    free(x);
}

static void alldifferent_narrow(maker *m, size_t n) {
    cns_var *x = new_narrow(m, n, 8 * (int64_t)n, 6);
    add(m, (cns_constraint){.kind = CNS_ALLDIFFERENT, ARGS(0, x, n)});
    free(x);
}

static void alldifferent_except(maker *m, size_t n) {
    cns_var *x = new_narrow(m, n, 8 * (int64_t)n, 6);
    int64_t *excepted = series(n, 8 * (int64_t)n, 1); /* none of them is possible */
    add(m, (cns_constraint){.kind = CNS_ALLDIFFERENT, ARGS(0, x, n), INTS(0, excepted, n)});
    free(excepted);
    free(x);
}

/* Fixed, apart: nothing to do, but who looks at pairs. */
static void alldifferent_fixed(maker *m, size_t n) {
    cns_var *x = array_of(n);
    for (size_t k = 0; k < n; k++) {
        x[k] = k % 2 ? constant(m, (int64_t)k) : new_int(m, 10 * (int64_t)n, 20 * (int64_t)n);
    }
    add(m, (cns_constraint){.kind = CNS_ALLDIFFERENT, ARGS(0, x, n)});
    free(x);
}

static void cardinalities(maker *m, size_t n, size_t values, int64_t width, bool closed) {
    cns_var *x = new_narrow(m, n, (int64_t)values, width), *counts = new_ints(m, values, 0, 9);
    int64_t *of = series(values, 0, 1);
    const int64_t flag[] = {closed};
    add(m, (cns_constraint){.kind = CNS_GLOBAL_CARDINALITY,
                            ARGS(0, x, n),
                            ARGS(1, counts, values),
                            INTS(0, of, values),
                            INTS(1, flag, 1)});
    free(of);
    free(counts);
    free(x);
}

static void global_cardinality(maker *m, size_t n) {
    cardinalities(m, n, 10, 8, false);
}

static void cardinality_of_many(maker *m, size_t n) {
    cardinalities(m, n, n, 5, false);
}

static void cardinality_closed(maker *m, size_t n) {
    cardinalities(m, n, n, 5, true);
}

static void count(maker *m, size_t n) {
    cns_var *x = new_ints(m, n, 0, 10);
    cns_var y = new_int(m, 0, 10), number = new_int(m, 0, (int64_t)n), three = constant(m, 3);
    const int64_t op[] = {CNS_REL_EQ};
    add(m,
        (cns_constraint){
            .kind = CNS_COUNT, ARGS(0, x, n), ARGS(1, &y, 1), ARGS(2, &number, 1), INTS(0, op, 1)});
    add(m, (cns_constraint){.kind = CNS_COUNT,
                            ARGS(0, x, n),
                            ARGS(1, &three, 1),
                            ARGS(2, &number, 1),
                            INTS(0, op, 1)});
    free(x);
}

static void among(maker *m, size_t n) {
    cns_var *x = new_narrow(m, n, 3 * (int64_t)n, 10);
    cns_var number = new_int(m, 0, (int64_t)n);
    int64_t *values = series(n, 0, 3);
    add(m, (cns_constraint){
               .kind = CNS_AMONG, ARGS(0, x, n), ARGS(1, &number, 1), INTS(0, values, n)});
    free(values);
    free(x);
}

static void nvalue(maker *m, size_t n) {
    cns_var *x = new_narrow(m, n, (int64_t)n, 5);
    cns_var number = new_int(m, 0, (int64_t)n);
    add(m, (cns_constraint){.kind = CNS_NVALUE, ARGS(0, x, n), ARGS(1, &number, 1)});
    free(x);
}

static void member(maker *m, size_t n) {
    cns_var *x = new_narrow(m, n, 100, 10);
    cns_var y = new_int(m, 0, 100);
    add(m, (cns_constraint){.kind = CNS_MEMBER, ARGS(0, x, n), ARGS(1, &y, 1)});
    free(x);
}

/* Successors that are near. */
static cns_var *near(maker *m, size_t n) {
    cns_var *x = array_of(n);
    for (size_t k = 0; k < n; k++) {
        int64_t low = k < 4 ? 1 : (int64_t)k - 3, high = (int64_t)k + 5;
        x[k] = new_int(m, low, high > (int64_t)n ? (int64_t)n : high);
    }
    return x;
}

static void circuit(maker *m, size_t n) {
    cns_var *x = near(m, n), *y = near(m, n);
    add(m, (cns_constraint){.kind = CNS_CIRCUIT, ARGS(0, x, n)});
    add(m, (cns_constraint){.kind = CNS_SUBCIRCUIT, ARGS(0, y, n)});
    free(x);
    free(y);
}

static void inverse(maker *m, size_t n) {
    cns_var *x = near(m, n), *y = near(m, n);
    add(m, (cns_constraint){.kind = CNS_INVERSE, ARGS(0, x, n), ARGS(1, y, n)});
    free(x);
    free(y);
}

/* ---- resources ------------------------------------------------------------------------------ */

static void tasks(maker *m, size_t n, cns_constraint_kind kind, bool variable) {
    cns_var *start = new_ints(m, n, 0, 100 * (int64_t)n), *y = new_ints(m, n, 0, 20);
    cns_var *duration = array_of(n), *demand = array_of(n), capacity = constant(m, 6);
    for (size_t k = 0; k < n; k++) {
        duration[k] = variable ? new_int(m, 1, 9) : constant(m, 1 + below(m, 9));
        demand[k] = variable ? new_int(m, 1, 4) : constant(m, 1 + below(m, 4));
    }
    cns_constraint c = {.kind = kind, ARGS(0, start, n), ARGS(1, duration, n)};
    if (kind == CNS_CUMULATIVE) {
        c = (cns_constraint){.kind = kind,
                             ARGS(0, start, n),
                             ARGS(1, duration, n),
                             ARGS(2, demand, n),
                             ARGS(3, &capacity, 1)};
    } else if (kind == CNS_DIFFN) {
        c = (cns_constraint){.kind = kind,
                             ARGS(0, start, n),
                             ARGS(1, y, n),
                             ARGS(2, duration, n),
                             ARGS(3, demand, n)};
    }
    add(m, c);
    free(start);
    free(y);
    free(duration);
    free(demand);
}

static void cumulative(maker *m, size_t n) {
    tasks(m, n, CNS_CUMULATIVE, false);
}

static void cumulative_of_variables(maker *m, size_t n) {
    tasks(m, n, CNS_CUMULATIVE, true);
}

static void disjunctive(maker *m, size_t n) {
    tasks(m, n, CNS_DISJUNCTIVE, false);
}

static void disjunctive_of_variables(maker *m, size_t n) {
    tasks(m, n, CNS_DISJUNCTIVE, true);
}

static void diffn(maker *m, size_t n) {
    tasks(m, n, CNS_DIFFN, false);
}

static void diffn_of_variables(maker *m, size_t n) {
    tasks(m, n, CNS_DIFFN, true);
}

static void bin_packing(maker *m, size_t n, size_t bins, int64_t width) {
    cns_var *bin = array_of(n), *loads = new_ints(m, bins, 0, 30 * (int64_t)n);
    int64_t *weights = random_ints(m, n, 1, 20);
    for (size_t k = 0; k < n; k++) {
        int64_t low = 1 + below(m, (int64_t)bins - width + 1);
        bin[k] = new_int(m, low, low + width - 1);
    }
    add(m,
        (cns_constraint){
            .kind = CNS_BIN_PACKING, ARGS(0, bin, n), ARGS(1, loads, bins), INTS(0, weights, n)});
    free(weights);
    free(loads);
    free(bin);
}

static void packing(maker *m, size_t n) {
    bin_packing(m, n, 5, 5);
}

static void packing_in_many(maker *m, size_t n) {
    bin_packing(m, n, n, 5);
}

static void knapsack(maker *m, size_t n) {
    cns_var *x = new_ints(m, n, 0, 3);
    const cns_var sums[] = {new_int(m, 0, 100000), new_int(m, 0, 100000)};
    int64_t *weights = random_ints(m, n, 1, 50), *profits = random_ints(m, n, 1, 50);
    add(m, (cns_constraint){.kind = CNS_KNAPSACK,
                            ARGS(0, x, n),
                            ARGS(1, sums, 2),
                            INTS(0, weights, n),
                            INTS(1, profits, n)});
    free(weights);
    free(profits);
    free(x);
}

/* ---- extension ------------------------------------------------------------------------------ */

static void table(maker *m, size_t rows, size_t width, int64_t span) {
    cns_var *x = new_ints(m, width, 0, span - 1);
    int64_t *cells = random_ints(m, rows * width, 0, span - 1);
    add(m, (cns_constraint){.kind = CNS_TABLE, ARGS(0, x, width), INTS(0, cells, rows * width)});
    free(cells);
    free(x);
}

static void table_of_literals(maker *m, size_t n) {
    table(m, n, 4, 30);
}

static void table_compact(maker *m, size_t n) {
    table(m, 8 * n, 4, 30);
}

static void table_of_pairs(maker *m, size_t n) {
    table(m, n, 2, (int64_t)n);
}

static void table_wide(maker *m, size_t n) {
    table(m, 30, n, 20);
}

static void regular(maker *m, size_t n, size_t states) {
    enum { SYMBOLS = 4 };
    cns_var *x = new_ints(m, n, 1, SYMBOLS);
    int64_t *next = random_ints(m, states * SYMBOLS, 1, (int64_t)states);
    const int64_t head[] = {(int64_t)states, SYMBOLS, 1};
    int64_t *accepting = series(states, 1, 1);
    add(m, (cns_constraint){.kind = CNS_REGULAR,
                            ARGS(0, x, n),
                            INTS(0, head, 3),
                            INTS(1, next, states * SYMBOLS),
                            INTS(2, accepting, states / 2)});
    free(accepting);
    free(next);
    free(x);
}

static void regular_long(maker *m, size_t n) {
    regular(m, n, 6);
}

static void regular_of_states(maker *m, size_t n) {
    regular(m, 12, n);
}

/* Layers of `width` nodes, each with an edge of each of four values. */
static void diagram(maker *m, size_t layers, size_t width) {
    enum { VALUES = 4 };
    cns_var *x = new_ints(m, layers, 0, VALUES - 1);
    int64_t *edges = ints_of(4 * VALUES * width * layers);
    size_t count = 0;
    for (size_t k = 0; k < layers; k++) {
        for (size_t i = 0; i < (k == 0 ? 1 : width); i++) {
            for (int64_t value = 0; value < VALUES; value++) {
                int64_t *edge = edges + 4 * count++;
                size_t to = k == 0 ? (size_t)value : (size_t)below(m, (int64_t)width);
                edge[0] = k == 0 ? 1 : (int64_t)(2 + (k - 1) * width + i);
                edge[1] = edge[2] = value;
                edge[3] = k + 1 == layers ? 0 : (int64_t)(2 + k * width + to % width);
            }
        }
    }
    /* Every node is reached: the first value leads to the node of the same number. */
    for (size_t e = 0, k = 0; k < layers; k++) {
        for (size_t i = 0; i < (k == 0 ? 1 : width); i++, e += VALUES) {
            if (k > 0 && k + 1 < layers) {
                edges[4 * e + 3] = (int64_t)(2 + k * width + i);
            }
        }
    }
    const int64_t nodes[] = {(int64_t)(1 + (layers - 1) * width)};
    add(m, (cns_constraint){
               .kind = CNS_MDD, ARGS(0, x, layers), INTS(0, nodes, 1), INTS(1, edges, 4 * count)});
    free(edges);
    free(x);
}

static void mdd_long(maker *m, size_t n) {
    diagram(m, n, 4);
}

static void mdd_wide(maker *m, size_t n) {
    diagram(m, 6, n);
}

/* ---- the whole model ------------------------------------------------------------------------ */

/* A goal that is a sum, phases, hints, outputs. */
static void whole(maker *m, size_t n) {
    cns_var *x = new_ints(m, n + 1, 0, 50);
    int64_t *a = random_ints(m, n + 1, 1, 9);
    x[n] = new_int(m, 0, 1000000);
    a[n] = -1;
    add_linear(m, CNS_LINEAR_EQ, x, a, n + 1, 0, -1);
    ck_assert_int_eq(cns_solver_set_goal(m->solver, CNS_MINIMIZE, x[n]), CNS_OK);
    ck_assert_int_eq(cns_solver_add_search(m->solver, x, n, CNS_FIRST_FAIL, CNS_INDOMAIN_MIN),
                     CNS_OK);
    for (size_t k = 0; k < n; k++) {
        ck_assert_int_eq(cns_solver_hint(m->solver, x[k], 7), CNS_OK);
        ck_assert_int_eq(cns_solver_mark_output(m->solver, x[k]), CNS_OK);
    }
    free(a);
    free(x);
}

/* ---- the test ------------------------------------------------------------------------------- */

static const struct family {
    const char *name;
    void (*build)(maker *m, size_t n);
    size_t size;
} families[] = {
    {"linear_le", linear_le, 1000},
    {"linear_eq", linear_eq, 1000},
    {"linear_ne", linear_ne, 1000},
    {"linear_reified", linear_reified, 1000},
    {"linear of Booleans", linear_of_booleans, 1000},
    {"cardinality", cardinality, 1000},
    {"many sums", many_sums, 1000},
    {"aliases", aliases, 500},
    {"comparisons", comparisons, 1000},
    {"inequations", inequations, 500},
    {"products", products, 500},
    {"clauses", clauses, 1000},
    {"parity", parity, 1000},
    {"element of constants", element_of_constants, 1000},
    {"small elements", small_elements, 30},
    {"element of variables", element_of_variables, 1000},
    {"extremes", extremes, 1000},
    {"ranges", ranges, 1000},
    {"chains", chains, 1000},
    {"lex", lex, 1000},
    {"sort", sorting, 1000},
    {"precede", precede, 300},
    {"alldifferent", alldifferent, 500},
    {"alldifferent, narrow", alldifferent_narrow, 500},
    {"alldifferent, except", alldifferent_except, 500},
    {"alldifferent, fixed", alldifferent_fixed, 500},
    {"global_cardinality", global_cardinality, 500},
    {"global_cardinality of many", cardinality_of_many, 300},
    {"global_cardinality, closed", cardinality_closed, 300},
    {"count", count, 500},
    {"among", among, 300},
    {"nvalue", nvalue, 300},
    {"member", member, 500},
    {"circuit", circuit, 300},
    {"inverse", inverse, 300},
    {"cumulative", cumulative, 500},
    {"cumulative of variables", cumulative_of_variables, 500},
    {"disjunctive", disjunctive, 300},
    {"disjunctive of variables", disjunctive_of_variables, 300},
    {"diffn", diffn, 300},
    {"diffn of variables", diffn_of_variables, 300},
    {"bin_packing", packing, 600},
    {"bin_packing in many", packing_in_many, 600},
    {"knapsack", knapsack, 500},
    {"table of literals", table_of_literals, 1000},
    {"table, compact", table_compact, 1000},
    {"table of pairs", table_of_pairs, 1000},
    {"table, wide", table_wide, 300},
    {"regular, long", regular_long, 300},
    {"regular of many states", regular_of_states, 200},
    {"mdd, long", mdd_long, 300},
    {"mdd, wide", mdd_wide, 200},
    {"whole", whole, 1000},
};

enum { FAMILIES = sizeof families / sizeof *families };

/* Basic blocks of one run of the first propagator of this name. */
static uint64_t run_once(cns_state *s, const char *name) {
    for (uint32_t k = 0; k < s->propagator_count; k++) {
        cns_propagator *p = s->propagators[k];
        if (strcmp(p->class->name, name) == 0) {
            blocks = 0;
            p->class->propagate(s, p);
            return blocks;
        }
    }
    return 0;
}

/* What it takes to state the model, and to load it; to propagate once, where `propagator` is named.
 */
static work measure(const struct family *family, size_t n, const char *propagator) {
    memory used = {0, 0};
    cns_allocator allocator = {count_bytes, &used};
    cns_context_config config = {.size = sizeof config, .allocator = &allocator};
    cns_context *context = NULL;
    maker m;
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
    support_status(context, CNS_OK, cns_solver_create(context, NULL, &m.solver));
    cns_rng_seed(&m.rng, 1);
    blocks = 0;
    family->build(&m, n);
    bool ready = false;
    support_status(context, CNS_OK, cns_solver_prepare(m.solver, UINT64_MAX, &ready));
    ck_assert(ready); /* it has loaded, and does not search */
    ck_assert_msg(!m.solver->own.state.failed, "%s: failed at the root", family->name);
    work done = {blocks, used.peak};
    if (propagator != NULL) {
        done.blocks = run_once(&m.solver->own.state, propagator);
    }
    cns_solver_destroy(m.solver);
    support_context_destroy(context);
    return done;
}

START_TEST(work_grows_with_the_model) {
    const struct family *family = &families[_i];
    work small = measure(family, family->size, NULL);
    work large = measure(family, TIMES * family->size, NULL);
    double in_blocks = (double)large.blocks / (double)small.blocks;
    double in_bytes = (double)large.bytes / (double)small.bytes;
    ck_assert_uint_gt(small.blocks, 10 * family->size); /* the count works */
    ck_assert_msg(in_blocks <= GROWTH && in_bytes <= MORE_BYTES,
                  "%s: %.1f times the work, %.1f times the bytes, for %d times the model",
                  family->name, in_blocks, in_bytes, (int)TIMES);
}
END_TEST

/* Tasks whose lengths are fixed, or are not: one run of edge finding and its like. */
START_TEST(a_run_grows_with_the_tasks) {
    const struct family tasks_of[] = {{"disjunctive", disjunctive, 300},
                                      {"disjunctive of variables", disjunctive_of_variables, 300}};
    const struct family *family = &tasks_of[_i];
    work small = measure(family, family->size, "disjunctive");
    work large = measure(family, TIMES * family->size, "disjunctive");
    ck_assert_uint_gt(small.blocks, 10 * family->size);
    ck_assert_msg((double)large.blocks <= GROWTH * (double)small.blocks,
                  "%s: %llu blocks, and %llu for %d times the tasks", family->name,
                  (unsigned long long)small.blocks, (unsigned long long)large.blocks, (int)TIMES);
}
END_TEST

/* Tables of which all are one of two, which differ in one cell. */
START_TEST(arguments_that_repeat_are_kept_once) {
    enum { WIDTH = 3, CELLS = 900, TABLES = 100 };
    cns_context *context = support_context();
    maker m;
    support_status(context, CNS_OK, cns_solver_create(context, NULL, &m.solver));
    cns_rng_seed(&m.rng, 1);
    cns_var *x = new_ints(&m, WIDTH, 0, 9);
    int64_t *cells[2] = {random_ints(&m, CELLS, 0, 9), ints_of(CELLS)};
    memcpy(cells[1], cells[0], CELLS * sizeof *cells[0]);
    cells[1][CELLS - 1] = 9 - cells[1][CELLS - 1];
    const cns_model *model = &m.solver->model;
    uint32_t before = model->int_count;
    for (int k = 0; k < TABLES; k++) {
        add(&m, (cns_constraint){.kind = CNS_TABLE,
                                 ARGS(0, x, WIDTH),
                                 INTS(0, cells[k % 2], CELLS - (k > 90) * (size_t)WIDTH)});
    }
    ck_assert_uint_eq(model->int_count, before + 2 * CELLS + CELLS - WIDTH);
    for (int k = 0; k < TABLES; k++) {
        const cns_model_constraint *c = &model->constraints[k];
        ck_assert_uint_eq(c->i[0].count, CELLS - (k > 90) * (unsigned)WIDTH);
        ck_assert_mem_eq(cns_model_i(model, c, 0), cells[k % 2], c->i[0].count * sizeof **cells);
    }
    free(cells[0]);
    free(cells[1]);
    free(x);
    cns_solver_destroy(m.solver);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver loading");
    TCase *cases = tcase_create("loading");
    tcase_set_timeout(cases, 300);
    tcase_add_loop_test(cases, work_grows_with_the_model, 0, FAMILIES);
    tcase_add_loop_test(cases, a_run_grows_with_the_tasks, 0, 2);
    tcase_add_test(cases, arguments_that_repeat_are_kept_once);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
