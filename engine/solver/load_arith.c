/* SPDX-License-Identifier: MIT
 *
 * solver/load_arith.c - Boolean and arithmetic constraints, by way of conditions on results.
 *
 * A condition on a function (x * y = z) is one on its result; where it is partial, it is computed
 * for arguments that are kept inside its domain, and is false outside.
 */
#include "solver/load_args.h"
#include "solver/presolve_exactly.h"
#include "solver/proof.h"

#include <string.h>

/* ---- Boolean -------------------------------------------------------------------------------- */

/* literal => or(lits); with <=>, each literal implies it. */
cns_status cns_loading_clause(const cns_loading *k) {
    uint32_t count = cns_arg_count(k, 0);
    const cns_lit *lits = cns_arg_lits(k, 0);
    if (lits == NULL) {
        return k->s->status;
    }
    cns_lit *clause = cns_arg_spare_lits(k, count + 1);
    memcpy(clause, lits, count * sizeof *lits);
    clause[count] = k->literal ^ 1;
    cns_add_clause(k->s, clause, count + 1);
    for (uint32_t i = 0; i < count && k->c->condition == CNS_IF_AND_ONLY; i++) {
        cns_add_clause2(k->s, lits[i] ^ 1, k->literal);
    }
    return k->s->status;
}

cns_status cns_loading_xor(const cns_loading *k) {
    uint32_t count = cns_arg_count(k, 0);
    const cns_lit *lits = cns_arg_lits(k, 0);
    if (lits == NULL) {
        return k->s->status;
    }
    if (k->c->condition != CNS_IF_AND_ONLY) {
        return cns_post_xor(k->s, k->post, lits, count);
    }
    cns_lit *all = cns_arg_spare_lits(k, count + 1); /* odd(lits) <=> b: odd(lits, not b) */
    memcpy(all, lits, count * sizeof *lits);
    all[count] = k->literal ^ 1;
    return cns_post_xor(k->s, (cns_post){k->post.origin, CNS_LIT_TRUE}, all, count + 1);
}

/* ---- arithmetic ----------------------------------------------------------------------------- */

cns_status cns_loading_linear(const cns_loading *k) {
    cns_views x;
    if (!cns_arg_views(k, 0, &x)) {
        return k->s->status;
    }
    int64_t *a = k->l->scratch_ints;
    memcpy(a, cns_arg_ints(k, 0), x.count * sizeof *a);
    cns_view *views = k->l->scratch_views + (x.data - k->l->scratch_views);
    int64_t c = cns_arg_int(k, 1, 0, 0);
    if (k->l->exactly != NULL && !cns_exactly_is_ground(k->l->model, k->c) &&
        !cns_exactly_shift(k->l->exactly, k->l, a, views, x.count, &c)) {
        return k->s->status;
    }
    return cns_arg_linear(k, (cns_constraint_kind)k->c->kind, (cns_reification)k->c->condition,
                          k->literal, a, views, x.count, c);
}

cns_status cns_loading_in(const cns_loading *k) {
    cns_state *s = k->s;
    cns_view x;
    if (!cns_arg_view(k, 0, 0, &x)) {
        return s->status;
    }
    const int64_t *ranges = cns_arg_ints(k, 0);
    uint32_t count = k->c->i[0].count / 2;
    if (k->c->condition == CNS_IF_AND_ONLY && count == 1) {
        cns_load_equate(k->l, k->literal, cns_arg_between(k, x, ranges[0], ranges[1]));
        return s->status;
    }
    /* literal: outside no gap between ranges */
    cns_lit in = k->literal;
    cns_add_clause2(s, in ^ 1, count ? cns_view_lit_ge(s, x, ranges[0]) : CNS_LIT_FALSE);
    cns_add_clause2(s, in ^ 1,
                    count ? cns_view_lit_le(s, x, ranges[2 * count - 1]) : CNS_LIT_FALSE);
    for (uint32_t i = 0; i + 1 < count; i++) {
        cns_add_clause3(s, in ^ 1, cns_view_lit_le(s, x, ranges[2 * i + 1]),
                        cns_view_lit_ge(s, x, ranges[2 * i + 2]));
    }
    for (uint32_t i = 0; i < count && k->c->condition == CNS_IF_AND_ONLY; i++) {
        cns_add_clause3(s, in, cns_view_lit_le(s, x, ranges[2 * i] - 1),
                        cns_view_lit_ge(s, x, ranges[2 * i + 1] + 1));
    }
    return s->status;
}

typedef cns_status (*binary_post)(cns_state *, cns_post, cns_view, cns_view, cns_view);

/* x without a value in `keep`'s negation: a view equal to x while `keep` is true, inside low..high
 * always. */
static bool guarded(const cns_loading *k, cns_lit keep, cns_view x, int64_t low, int64_t high,
                    cns_view *out) {
    return cns_arg_new_view(k, low, high, out) &&
           cns_arg_compare(k, CNS_LINEAR_EQ, CNS_IF, keep, *out, x, 0) == CNS_OK;
}

static int64_t magnitude(const cns_state *s, cns_view x) {
    int64_t low = cns_view_low(s, x);
    int64_t high = cns_view_high(s, x);
    low = low < 0 ? -low : low;
    high = high < 0 ? -high : high;
    return low > high ? low : high;
}

/* The greatest absolute value of x ^ y: the model has refused what could reach 2^62. */
static int64_t power_limit(const cns_state *s, cns_view x, cns_view y) {
    int64_t base = magnitude(s, x);
    int64_t exponent = cns_view_high(s, y);
    int64_t result = 1;
    for (int64_t i = 0; i < exponent && base > 1; i++) {
        if (result > INT64_MAX / 2 / base) {
            return INT64_MAX / 2;
        }
        result *= base;
    }
    return result > base ? result : base > 1 ? base : 1;
}

/* b <=> (defined and f(x, y) = z) for a function f that is defined where `defined` is true. */
static cns_status reify_binary(const cns_loading *k, binary_post post, cns_view x, cns_view y,
                               cns_view z, cns_lit defined, int64_t limit) {
    cns_state *s = k->s;
    cns_view result;
    if (defined == CNS_LIT_NONE || !cns_arg_new_view(k, -limit, limit, &result)) {
        return s->status;
    }
    cns_lit equal = cns_load_equal_lit(k->l, k->post.origin, result, z);
    if (equal == CNS_LIT_NONE ||
        post(s, (cns_post){k->post.origin, defined}, x, y, result) != CNS_OK) {
        return s->status;
    }
    /* While it is undefined, the result is of no interest: it must not tell solutions apart. */
    cns_add_clause2(s, defined, cns_view_lit_eq(s, result, 0));
    cns_add_clause2(s, k->literal ^ 1, defined);
    cns_add_clause2(s, k->literal ^ 1, equal);
    cns_add_clause3(s, k->literal, defined ^ 1, equal ^ 1);
    return s->status;
}

cns_status cns_loading_binary(const cns_loading *k) {
    cns_state *s = k->s;
    cns_view x, y, z;
    if (!cns_arg_view(k, 0, 0, &x) || !cns_arg_view(k, 0, 1, &y) || !cns_arg_view(k, 0, 2, &z)) {
        return s->status;
    }
    binary_post post = NULL;
    int64_t limit = magnitude(s, x);
    cns_lit defined = CNS_LIT_TRUE;
    bool reified = k->c->condition == CNS_IF_AND_ONLY;
    switch (k->c->kind) {
    case CNS_TIMES:
        post = cns_post_times;
        limit = magnitude(s, x) * magnitude(s, y);
        break;
    case CNS_DIV:
    case CNS_MOD:
        post = k->c->kind == CNS_DIV ? cns_post_div : cns_post_mod;
        if (reified) {
            cns_lit zero = cns_view_lit_eq(s, y, 0);
            defined = zero == CNS_LIT_NONE ? zero : zero ^ 1;
        }
        break;
    default:
        post = cns_post_pow;
        limit = power_limit(s, x, y);
        if (reified && cns_view_low(s, y) < 0) {
            cns_lit zero = cns_view_lit_eq(s, x, 0);
            cns_lit bad = cns_new_bool(s); /* 0 ^ negative */
            cns_lit negative = cns_view_lit_le(s, y, -1);
            cns_proof_define_all(s, bad, (const cns_lit[]){zero, negative}, 2);
            cns_add_clause2(s, bad ^ 1, zero);
            cns_add_clause2(s, bad ^ 1, negative);
            cns_add_clause3(s, bad, zero ^ 1, negative ^ 1);
            defined = bad == CNS_LIT_NONE ? bad : bad ^ 1;
        }
    }
    return reified ? reify_binary(k, post, x, y, z, defined, limit) : post(s, k->post, x, y, z);
}

cns_status cns_loading_abs(const cns_loading *k) {
    cns_state *s = k->s;
    cns_view x, z, result;
    if (!cns_arg_view(k, 0, 0, &x) || !cns_arg_view(k, 0, 1, &z)) {
        return s->status;
    }
    if (k->c->condition != CNS_IF_AND_ONLY) {
        return cns_post_abs(s, k->post, x, z);
    }
    if (!cns_arg_new_view(k, 0, magnitude(s, x), &result)) {
        return s->status;
    }
    cns_status status = cns_post_abs(s, (cns_post){k->post.origin, CNS_LIT_TRUE}, x, result);
    return status != CNS_OK
               ? status
               : cns_arg_compare(k, CNS_LINEAR_EQ, CNS_IF_AND_ONLY, k->literal, result, z, 0);
}

cns_status cns_loading_extreme(const cns_loading *k) {
    cns_state *s = k->s;
    cns_views x;
    cns_view z;
    if (!cns_arg_views(k, 0, &x) || !cns_arg_view(k, 1, 0, &z)) {
        return s->status;
    }
    cns_view *views = k->l->scratch_views + (x.data - k->l->scratch_views);
    if (k->c->kind == CNS_MIN) {
        for (uint32_t i = 0; i < x.count; i++) {
            views[i] = cns_view_negate(views[i]);
        }
        z = cns_view_negate(z);
    }
    if (k->c->condition != CNS_IF_AND_ONLY) {
        return cns_post_maximum(s, k->post, x, z);
    }
    int64_t low = cns_view_low(s, x.data[0]);
    int64_t high = cns_view_high(s, x.data[0]);
    for (uint32_t i = 1; i < x.count; i++) {
        low = cns_view_low(s, x.data[i]) > low ? cns_view_low(s, x.data[i]) : low;
        high = cns_view_high(s, x.data[i]) > high ? cns_view_high(s, x.data[i]) : high;
    }
    cns_view result;
    if (!cns_arg_new_view(k, low, high, &result)) {
        return s->status;
    }
    cns_status status = cns_post_maximum(s, (cns_post){k->post.origin, CNS_LIT_TRUE}, x, result);
    return status != CNS_OK
               ? status
               : cns_arg_compare(k, CNS_LINEAR_EQ, CNS_IF_AND_ONLY, k->literal, result, z, 0);
}

static cns_status post_element(const cns_loading *k, cns_post post, cns_view index, cns_view z) {
    if (k->c->v[1].count == 0) {
        return cns_post_element_const(k->s, post, index, cns_arg_ints(k, 1), k->c->i[1].count, z);
    }
    cns_views x;
    return cns_arg_views(k, 1, &x) ? cns_post_element(k->s, post, index, x, z) : k->s->status;
}

cns_status cns_loading_element(const cns_loading *k) {
    cns_state *s = k->s;
    cns_view index, z;
    if (!cns_arg_view(k, 0, 0, &index) || !cns_arg_view(k, 0, 1, &z)) {
        return s->status;
    }
    uint32_t count = k->c->v[1].count ? k->c->v[1].count : k->c->i[1].count;
    index.offset -= cns_arg_int(k, 0, 0, 1);
    if (k->c->condition == CNS_ALWAYS) {
        cns_reason always = cns_reason_make(CNS_REASON_ALWAYS, 0, 0);
        if (!cns_view_raise(s, index, 0, always) ||
            !cns_view_lower(s, index, (int64_t)count - 1, always)) {
            return s->status;
        }
        return post_element(k, k->post, index, z);
    }
    /* An index that is kept inside; the literal needs the index to be there. */
    cns_lit inside = cns_arg_between(k, index, 0, (int64_t)count - 1);
    cns_view kept;
    if (inside == CNS_LIT_NONE || !guarded(k, inside, index, 0, (int64_t)count - 1, &kept)) {
        return s->status;
    }
    cns_add_clause2(s, inside, cns_view_lit_eq(s, kept, 0));
    cns_add_clause2(s, k->literal ^ 1, inside);
    if (k->c->condition == CNS_IF) {
        return post_element(k, k->post, kept, z);
    }
    int64_t low = 0;
    int64_t high = 0;
    for (uint32_t i = 0; i < count; i++) {
        cns_view x = cns_view_constant(k->c->v[1].count ? 0 : cns_arg_ints(k, 1)[i]);
        if (k->c->v[1].count != 0 && !cns_arg_view(k, 1, i, &x)) {
            return s->status;
        }
        low = i == 0 || cns_view_low(s, x) < low ? cns_view_low(s, x) : low;
        high = i == 0 || cns_view_high(s, x) > high ? cns_view_high(s, x) : high;
    }
    cns_view result;
    if (!cns_arg_new_view(k, low, high, &result) ||
        post_element(k, (cns_post){k->post.origin, CNS_LIT_TRUE}, kept, result) != CNS_OK) {
        return s->status;
    }
    cns_lit equal = cns_load_equal_lit(k->l, k->post.origin, result, z);
    cns_add_clause2(s, k->literal ^ 1, equal);
    cns_add_clause3(s, k->literal, inside ^ 1, equal ^ 1);
    return s->status;
}

cns_status cns_loading_sum_of_products(const cns_loading *k) {
    cns_state *s = k->s;
    cns_views x, y;
    if (!cns_arg_views(k, 0, &x) || !cns_arg_views(k, 1, &y)) {
        return s->status;
    }
    cns_view *sum = cns_arg_spare_views(k, x.count + 1);
    int64_t *a = k->l->scratch_ints;
    for (uint32_t i = 0; i < x.count; i++) {
        a[i] = cns_arg_int(k, 0, i, 1);
        if (a[i] == 0) { /* a product that nobody has refused, however large */
            sum[i] = cns_view_constant(0);
            continue;
        }
        int64_t limit = magnitude(s, x.data[i]) * magnitude(s, y.data[i]);
        if (!cns_arg_new_view(k, -limit, limit, &sum[i]) ||
            cns_post_times(s, (cns_post){k->post.origin, CNS_LIT_TRUE}, x.data[i], y.data[i],
                           sum[i]) != CNS_OK) {
            return s->status;
        }
    }
    a[x.count] = -1;
    if (!cns_arg_view(k, 2, 0, &sum[x.count])) {
        return s->status;
    }
    return cns_arg_linear(k, CNS_LINEAR_EQ, (cns_reification)k->c->condition, k->literal, a, sum,
                          x.count + 1, 0);
}
