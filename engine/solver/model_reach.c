/* SPDX-License-Identifier: MIT
 *
 * model_reach.c - whether the arithmetic of a constraint stays below 2^62 over declared bounds.
 *
 * Sums are taken of absolute values: then every partial sum, in any order, stays within, and so
 * does what a propagator forms of them. Requires arguments that passed the table of kinds.
 */
#include "solver/model_kind.h"
#include "solver/wide.h"

static cns_status too_large(const cns_model *model, const cns_constraint *c, const char *what) {
    char label[CNS_LABEL_SIZE];
    return cns_fail(model->context, CNS_E_RANGE, "%s: %s may reach 2^62 within the declared bounds",
                    cns_constraint_label(c, label), what);
}

/* The largest absolute value of a variable: at most 2^40. */
static cns_wide size_of(const cns_model *model, cns_var var) {
    cns_wide low = cns_wide_abs(cns_model_low(model, var));
    cns_wide high = cns_wide_abs(cns_model_high(model, var));
    return low > high ? low : high;
}

/* total += |a| * b; false when that reaches the limit. requires: |a| <= 2^62, total < 2^62, b <=
 * 2^80. The quick test keeps the product below 2^125. */
static bool add_product(cns_wide *total, cns_wide a, cns_wide b) {
    a = cns_wide_abs(a);
    if (a == 0 || b == 0) {
        return true;
    }
    if (b > CNS_WIDE_LIMIT || a * b >= CNS_WIDE_LIMIT - *total) {
        return false;
    }
    *total += a * b;
    return true;
}

/* The sum of |a[k]| * |x[k]| over v0 added to *total; `a` NULL: of ones. */
static bool add_linear(const cns_model *model, const cns_constraint *c, const int64_t *a,
                       cns_wide *total) {
    for (size_t k = 0; k < c->v_count[0]; k++) {
        if (!add_product(total, a ? a[k] : 1, size_of(model, c->v[0][k]))) {
            return false;
        }
    }
    return true;
}

cns_status cns_reach_linear(const cns_model *model, const cns_constraint *c) {
    cns_wide total = 0;
    return add_product(&total, c->i[1][0], 1) && add_linear(model, c, c->i[0], &total)
               ? CNS_OK
               : too_large(model, c, "the sum");
}

cns_status cns_reach_times(const cns_model *model, const cns_constraint *c) {
    cns_wide total = size_of(model, c->v[0][2]); /* the two are compared */
    bool fits = add_product(&total, size_of(model, c->v[0][0]), size_of(model, c->v[0][1]));
    return fits ? CNS_OK : too_large(model, c, "the product");
}

cns_status cns_reach_pow(const cns_model *model, const cns_constraint *c) {
    cns_wide x = size_of(model, c->v[0][0]), power = 1;
    int64_t y = cns_model_high(model, c->v[0][1]);
    for (int64_t k = 0; x > 1 && k < y; k++) {
        power *= x;
        if (power >= CNS_WIDE_LIMIT - size_of(model, c->v[0][2])) {
            return too_large(model, c, "the power");
        }
    }
    return CNS_OK;
}

/* Also the energy that is there from the first start to the last end, at a capacity that no sum
 * of demands can pass: energetic reasoning compares the two. */
cns_status cns_reach_cumulative(const cns_model *model, const cns_constraint *c) {
    cns_wide energy = 0, demands = 0, begin = 0, end = 0, area = 0;
    for (size_t k = 0; k < c->v_count[0]; k++) {
        cns_wide duration = cns_model_high(model, c->v[1][k]);
        cns_wide demand = cns_model_high(model, c->v[2][k]);
        cns_wide low = cns_model_low(model, c->v[0][k]);
        cns_wide high = cns_model_high(model, c->v[0][k]) + duration;
        begin = k == 0 || low < begin ? low : begin;
        end = k == 0 || high > end ? high : end;
        if (!add_product(&demands, 1, demand) || !add_product(&energy, duration, demand)) {
            return too_large(model, c, "the sum of durations times demands");
        }
    }
    cns_wide capacity = cns_model_high(model, c->v[3][0]);
    capacity = capacity < demands ? capacity : demands;
    if (capacity > 0 && !add_product(&area, capacity, end - begin)) {
        return too_large(model, c, "capacity times the span of time");
    }
    return CNS_OK;
}

cns_status cns_reach_disjunctive(const cns_model *model, const cns_constraint *c) {
    cns_wide total = 0;
    for (size_t k = 0; k < c->v_count[0]; k++) {
        if (!add_product(&total, 1, cns_model_high(model, c->v[1][k]))) {
            return too_large(model, c, "the sum of durations");
        }
    }
    return CNS_OK;
}

cns_status cns_reach_diffn(const cns_model *model, const cns_constraint *c) {
    cns_wide total = 0;
    for (size_t k = 0; k < c->v_count[0]; k++) {
        if (!add_product(&total, cns_model_high(model, c->v[2][k]),
                         cns_model_high(model, c->v[3][k]))) {
            return too_large(model, c, "the sum of areas");
        }
    }
    return CNS_OK;
}

cns_status cns_reach_bin_packing(const cns_model *model, const cns_constraint *c) {
    cns_wide total = 0;
    for (size_t k = 0; k < c->v_count[0]; k++) {
        if (!add_product(&total, c->i[0][k], 1)) {
            return too_large(model, c, "the sum of weights");
        }
    }
    return CNS_OK;
}

cns_status cns_reach_knapsack(const cns_model *model, const cns_constraint *c) {
    cns_wide weight = size_of(model, c->v[1][0]), profit = size_of(model, c->v[1][1]);
    if (!add_linear(model, c, c->i[0], &weight)) {
        return too_large(model, c, "the sum of weights");
    }
    return add_linear(model, c, c->i[1], &profit) ? CNS_OK
                                                  : too_large(model, c, "the sum of profits");
}

cns_status cns_reach_products(const cns_model *model, const cns_constraint *c) {
    cns_wide total = size_of(model, c->v[2][0]);
    for (size_t k = 0; k < c->v_count[0]; k++) {
        cns_wide product = size_of(model, c->v[0][k]) * size_of(model, c->v[1][k]);
        if (!add_product(&total, c->i_count[0] > 0 ? c->i[0][k] : 1, product)) {
            return too_large(model, c, "the sum of products");
        }
    }
    return CNS_OK;
}
