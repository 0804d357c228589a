/* SPDX-License-Identifier: MIT
 *
 * solver/load_constraint.c - which propagators each kind of constraint becomes.
 *
 * Arguments are fetched into the loader's scratch arrays: they are valid until the next constraint.
 * Kinds that have no propagator of their own are stated with others, as doc/solver.md lists.
 * A condition on a function (x * y = z) is one on its result; where it is partial, it is computed
 * for arguments that are kept inside its domain, and is false outside.
 */
#include "solver/globals/block.h"
#include "solver/load.h"

#include <string.h>

typedef struct constraint {
    cns_loader *l;
    cns_state *s;
    const cns_model_constraint *c;
    cns_post post;   /* with the condition, where the kind takes one */
    cns_lit literal; /* of the condition; true without one */
} constraint;

/* ---- fetching arguments --------------------------------------------------------------------- */

static bool views_of(const constraint *k, int argument, cns_views *out) {
    cns_loader *l = k->l;
    uint32_t count = k->c->v[argument].count;
    uint32_t start = l->scratch_view_count;
    if (start + count > l->scratch_view_capacity) {
        return false; /* reserve_views sees to it that there is room */
    }
    const cns_var *vars = cns_model_v(l->model, k->c, argument);
    for (uint32_t i = 0; i < count; i++) {
        if (!cns_load_view(l, vars[i], &l->scratch_views[start + i])) {
            return false;
        }
    }
    l->scratch_view_count += count;
    *out = (cns_views){l->scratch_views + start, count};
    return true;
}

static bool view_of(const constraint *k, int argument, uint32_t index, cns_view *out) {
    return cns_load_view(k->l, cns_model_v(k->l->model, k->c, argument)[index], out);
}

static const cns_lit *lits_of(const constraint *k, int argument) {
    cns_loader *l = k->l;
    uint32_t count = k->c->v[argument].count;
    uint32_t start = l->scratch_lit_count;
    const cns_var *vars = cns_model_v(l->model, k->c, argument);
    if (start + count > l->scratch_lit_capacity) {
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        if ((l->scratch_lits[start + i] = cns_load_lit(l, vars[i])) == CNS_LIT_NONE) {
            return NULL;
        }
    }
    l->scratch_lit_count += count;
    return l->scratch_lits + start;
}

/* Room for all arguments, and as many views, literals and integers again for what is made. */
static bool reserve(const constraint *k) {
    cns_loader *l = k->l;
    uint64_t need = 16;
    uint64_t ints = 0;
    for (int i = 0; i < 4; i++) {
        need += k->c->v[i].count;
        ints += k->c->i[i].count;
    }
    need *= 3;
    l->scratch_view_count = l->scratch_lit_count = 0;
    return cns_grow(k->s, &l->scratch_views, sizeof *l->scratch_views, &l->scratch_view_capacity,
                    (uint32_t)need) &&
           cns_grow(k->s, &l->scratch_lits, sizeof *l->scratch_lits, &l->scratch_lit_capacity,
                    (uint32_t)need) &&
           cns_grow(k->s, &l->scratch_ints, sizeof *l->scratch_ints, &l->scratch_int_capacity,
                    (uint32_t)(need + ints));
}

static cns_view *spare_views(const constraint *k, uint32_t count) {
    cns_view *views = k->l->scratch_views + k->l->scratch_view_count;
    k->l->scratch_view_count += count;
    return views;
}

static cns_lit *spare_lits(const constraint *k, uint32_t count) {
    cns_lit *lits = k->l->scratch_lits + k->l->scratch_lit_count;
    k->l->scratch_lit_count += count;
    return lits;
}

static uint32_t count_of(const constraint *k, int argument) {
    return k->c->v[argument].count;
}

static const int64_t *ints_of(const constraint *k, int argument) {
    return cns_model_i(k->l->model, k->c, argument);
}

static int64_t int_of(const constraint *k, int argument, uint32_t index, int64_t otherwise) {
    return index < k->c->i[argument].count ? ints_of(k, argument)[index] : otherwise;
}

/* Views of indices that count from `base`, counted from 0 and kept below `size`. */
static bool indices_of(const constraint *k, int argument, int64_t base, uint32_t size,
                       cns_views *out) {
    if (!views_of(k, argument, out)) {
        return false;
    }
    cns_view *views = k->l->scratch_views + (out->data - k->l->scratch_views);
    for (uint32_t i = 0; i < out->count; i++) {
        views[i].offset -= base;
        cns_reason always = cns_reason_make(CNS_REASON_ALWAYS, 0, 0);
        if (!cns_view_raise(k->s, views[i], 0, always) ||
            !cns_view_lower(k->s, views[i], (int64_t)size - 1, always)) {
            return false;
        }
    }
    return true;
}

static cns_status linear(const constraint *k, cns_constraint_kind kind, cns_reification condition,
                         cns_lit literal, int64_t *a, cns_view *x, uint32_t count, int64_t c) {
    return cns_load_linear(k->l, k->post.origin, kind, condition, literal, a, x, count, c);
}

/* x (kind) y + c under the constraint's condition */
static cns_status compare(const constraint *k, cns_constraint_kind kind, cns_reification condition,
                          cns_lit literal, cns_view x, cns_view y, int64_t c) {
    int64_t a[2] = {1, -1};
    cns_view views[2] = {x, y};
    return linear(k, kind, condition, literal, a, views, 2, c);
}

/* ---- Boolean -------------------------------------------------------------------------------- */

/* literal => or(lits); with <=>, each literal implies it. */
static cns_status load_clause(const constraint *k) {
    uint32_t count = count_of(k, 0);
    const cns_lit *lits = lits_of(k, 0);
    if (lits == NULL) {
        return k->s->status;
    }
    cns_lit *clause = spare_lits(k, count + 1);
    memcpy(clause, lits, count * sizeof *lits);
    clause[count] = k->literal ^ 1;
    cns_add_clause(k->s, clause, count + 1);
    for (uint32_t i = 0; i < count && k->c->condition == CNS_IF_AND_ONLY; i++) {
        cns_add_clause2(k->s, lits[i] ^ 1, k->literal);
    }
    return k->s->status;
}

static cns_status load_xor(const constraint *k) {
    uint32_t count = count_of(k, 0);
    const cns_lit *lits = lits_of(k, 0);
    if (lits == NULL) {
        return k->s->status;
    }
    if (k->c->condition != CNS_IF_AND_ONLY) {
        return cns_post_xor(k->s, k->post, lits, count);
    }
    cns_lit *all = spare_lits(k, count + 1); /* odd(lits) <=> b: odd(lits, not b) */
    memcpy(all, lits, count * sizeof *lits);
    all[count] = k->literal ^ 1;
    return cns_post_xor(k->s, (cns_post){k->post.origin, CNS_LIT_TRUE}, all, count + 1);
}

/* ---- arithmetic ----------------------------------------------------------------------------- */

static cns_status load_linear(const constraint *k) {
    cns_views x;
    if (!views_of(k, 0, &x)) {
        return k->s->status;
    }
    int64_t *a = k->l->scratch_ints;
    memcpy(a, ints_of(k, 0), x.count * sizeof *a);
    cns_view *views = k->l->scratch_views + (x.data - k->l->scratch_views);
    return linear(k, (cns_constraint_kind)k->c->kind, (cns_reification)k->c->condition, k->literal,
                  a, views, x.count, int_of(k, 1, 0, 0));
}

/* low <= x <= high as a literal. */
static cns_lit between(const constraint *k, cns_view x, int64_t low, int64_t high) {
    cns_state *s = k->s;
    if (low == high) {
        return cns_view_lit_eq(s, x, low);
    }
    cns_lit above = cns_view_lit_ge(s, x, low);
    cns_lit below = cns_view_lit_le(s, x, high);
    if (above == CNS_LIT_TRUE || below == CNS_LIT_FALSE) {
        return below;
    }
    if (below == CNS_LIT_TRUE || above == CNS_LIT_FALSE) {
        return above;
    }
    cns_lit both = cns_new_bool(s);
    if (both == CNS_LIT_NONE || above == CNS_LIT_NONE || below == CNS_LIT_NONE) {
        return CNS_LIT_NONE;
    }
    cns_add_clause2(s, both ^ 1, above);
    cns_add_clause2(s, both ^ 1, below);
    cns_add_clause3(s, both, above ^ 1, below ^ 1);
    return both;
}

static cns_status load_in(const constraint *k) {
    cns_state *s = k->s;
    cns_view x;
    if (!view_of(k, 0, 0, &x)) {
        return s->status;
    }
    const int64_t *ranges = ints_of(k, 0);
    uint32_t count = k->c->i[0].count / 2;
    if (k->c->condition == CNS_IF_AND_ONLY && count == 1) {
        cns_load_equate(k->l, k->literal, between(k, x, ranges[0], ranges[1]));
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

/* A new integer within low..high. */
static bool new_view(const constraint *k, int64_t low, int64_t high, cns_view *out) {
    cns_term term;
    if (low == high) {
        *out = cns_view_constant(low);
        return true;
    }
    *out = (cns_view){0, 0};
    if (cns_new_int(k->s, (const int64_t[]){low, high}, 1, &term) != CNS_OK) {
        return false;
    }
    out->term = term;
    return true;
}

typedef cns_status (*binary_post)(cns_state *, cns_post, cns_view, cns_view, cns_view);

/* x without a value in `keep`'s negation: a view equal to x while `keep` is true, inside low..high
 * always. */
static bool guarded(const constraint *k, cns_lit keep, cns_view x, int64_t low, int64_t high,
                    cns_view *out) {
    return new_view(k, low, high, out) &&
           compare(k, CNS_LINEAR_EQ, CNS_IF, keep, *out, x, 0) == CNS_OK;
}

static int64_t magnitude(const cns_state *s, cns_view x) {
    int64_t low = cns_view_low(s, x);
    int64_t high = cns_view_high(s, x);
    low = low < 0 ? -low : low;
    high = high < 0 ? -high : high;
    return low > high ? low : high;
}

/* The greatest absolute value of x ^ y, at most 2^61: the model has refused what could be more. */
static int64_t power_limit(const cns_state *s, cns_view x, cns_view y) {
    int64_t base = magnitude(s, x);
    int64_t exponent = cns_view_high(s, y);
    int64_t result = 1;
    for (int64_t i = 0; i < exponent && base > 1; i++) {
        if (result > (INT64_C(1) << 61) / base) {
            return INT64_C(1) << 61;
        }
        result *= base;
    }
    return result > base ? result : base > 1 ? base : 1;
}

/* b <=> (defined and f(x, y) = z) for a function f that is defined where `defined` is true. */
static cns_status reify_binary(const constraint *k, binary_post post, cns_view x, cns_view y,
                               cns_view z, cns_lit defined, int64_t limit) {
    cns_state *s = k->s;
    cns_view result;
    if (defined == CNS_LIT_NONE || !new_view(k, -limit, limit, &result)) {
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

static cns_status load_binary(const constraint *k) {
    cns_state *s = k->s;
    cns_view x, y, z;
    if (!view_of(k, 0, 0, &x) || !view_of(k, 0, 1, &y) || !view_of(k, 0, 2, &z)) {
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
            cns_add_clause2(s, bad ^ 1, zero);
            cns_add_clause2(s, bad ^ 1, negative);
            cns_add_clause3(s, bad, zero ^ 1, negative ^ 1);
            defined = bad == CNS_LIT_NONE ? bad : bad ^ 1;
        }
    }
    return reified ? reify_binary(k, post, x, y, z, defined, limit) : post(s, k->post, x, y, z);
}

static cns_status load_abs(const constraint *k) {
    cns_state *s = k->s;
    cns_view x, z, result;
    if (!view_of(k, 0, 0, &x) || !view_of(k, 0, 1, &z)) {
        return s->status;
    }
    if (k->c->condition != CNS_IF_AND_ONLY) {
        return cns_post_abs(s, k->post, x, z);
    }
    if (!new_view(k, 0, magnitude(s, x), &result)) {
        return s->status;
    }
    cns_status status = cns_post_abs(s, (cns_post){k->post.origin, CNS_LIT_TRUE}, x, result);
    return status != CNS_OK ? status
                            : compare(k, CNS_LINEAR_EQ, CNS_IF_AND_ONLY, k->literal, result, z, 0);
}

static cns_status load_extreme(const constraint *k) {
    cns_state *s = k->s;
    cns_views x;
    cns_view z;
    if (!views_of(k, 0, &x) || !view_of(k, 1, 0, &z)) {
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
    if (!new_view(k, low, high, &result)) {
        return s->status;
    }
    cns_status status = cns_post_maximum(s, (cns_post){k->post.origin, CNS_LIT_TRUE}, x, result);
    return status != CNS_OK ? status
                            : compare(k, CNS_LINEAR_EQ, CNS_IF_AND_ONLY, k->literal, result, z, 0);
}

static cns_status post_element(const constraint *k, cns_post post, cns_view index, cns_view z) {
    if (k->c->v[1].count == 0) {
        return cns_post_element_const(k->s, post, index, ints_of(k, 1), k->c->i[1].count, z);
    }
    cns_views x;
    return views_of(k, 1, &x) ? cns_post_element(k->s, post, index, x, z) : k->s->status;
}

static cns_status load_element(const constraint *k) {
    cns_state *s = k->s;
    cns_view index, z;
    if (!view_of(k, 0, 0, &index) || !view_of(k, 0, 1, &z)) {
        return s->status;
    }
    uint32_t count = k->c->v[1].count ? k->c->v[1].count : k->c->i[1].count;
    index.offset -= int_of(k, 0, 0, 1);
    if (k->c->condition == CNS_ALWAYS) {
        cns_reason always = cns_reason_make(CNS_REASON_ALWAYS, 0, 0);
        if (!cns_view_raise(s, index, 0, always) ||
            !cns_view_lower(s, index, (int64_t)count - 1, always)) {
            return s->status;
        }
        return post_element(k, k->post, index, z);
    }
    /* An index that is kept inside; the literal needs the index to be there. */
    cns_lit inside = between(k, index, 0, (int64_t)count - 1);
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
        cns_view x = cns_view_constant(k->c->v[1].count ? 0 : ints_of(k, 1)[i]);
        if (k->c->v[1].count != 0 && !view_of(k, 1, i, &x)) {
            return s->status;
        }
        low = i == 0 || cns_view_low(s, x) < low ? cns_view_low(s, x) : low;
        high = i == 0 || cns_view_high(s, x) > high ? cns_view_high(s, x) : high;
    }
    cns_view result;
    if (!new_view(k, low, high, &result) ||
        post_element(k, (cns_post){k->post.origin, CNS_LIT_TRUE}, kept, result) != CNS_OK) {
        return s->status;
    }
    cns_lit equal = cns_load_equal_lit(k->l, k->post.origin, result, z);
    cns_add_clause2(s, k->literal ^ 1, equal);
    cns_add_clause3(s, k->literal, inside ^ 1, equal ^ 1);
    return s->status;
}

static cns_status load_sum_of_products(const constraint *k) {
    cns_state *s = k->s;
    cns_views x, y;
    if (!views_of(k, 0, &x) || !views_of(k, 1, &y)) {
        return s->status;
    }
    cns_view *sum = spare_views(k, x.count + 1);
    int64_t *a = k->l->scratch_ints;
    for (uint32_t i = 0; i < x.count; i++) {
        int64_t limit = magnitude(s, x.data[i]) * magnitude(s, y.data[i]);
        a[i] = int_of(k, 0, i, 1);
        if (!new_view(k, -limit, limit, &sum[i]) ||
            cns_post_times(s, (cns_post){k->post.origin, CNS_LIT_TRUE}, x.data[i], y.data[i],
                           sum[i]) != CNS_OK) {
            return s->status;
        }
    }
    a[x.count] = -1;
    if (!view_of(k, 2, 0, &sum[x.count])) {
        return s->status;
    }
    return linear(k, CNS_LINEAR_EQ, (cns_reification)k->c->condition, k->literal, a, sum,
                  x.count + 1, 0);
}

/* ---- counting ------------------------------------------------------------------------------- */

/* The number of true literals (rel) n. */
static cns_status count_lits(const constraint *k, const cns_lit *lits, uint32_t count, cns_view n,
                             cns_relation relation) {
    cns_view *x = spare_views(k, count + 1);
    int64_t *a = k->l->scratch_ints;
    for (uint32_t i = 0; i < count; i++) {
        a[i] = 1;
        if (cns_view_of_lit(k->s, lits[i], &x[i]) != CNS_OK) {
            return k->s->status;
        }
    }
    a[count] = -1;
    x[count] = n;
    if (relation == CNS_REL_GE || relation == CNS_REL_GT) {
        for (uint32_t i = 0; i <= count; i++) {
            a[i] = -a[i];
        }
    }
    cns_constraint_kind kind = relation == CNS_REL_EQ   ? CNS_LINEAR_EQ
                               : relation == CNS_REL_NE ? CNS_LINEAR_NE
                                                        : CNS_LINEAR_LE;
    int64_t c = relation == CNS_REL_LT || relation == CNS_REL_GT ? -1 : 0;
    return linear(k, kind, (cns_reification)k->c->condition, k->literal, a, x, count + 1, c);
}

static cns_status load_count(const constraint *k) {
    cns_views x;
    cns_view y, n;
    if (!views_of(k, 0, &x) || !view_of(k, 1, 0, &y) || !view_of(k, 2, 0, &n)) {
        return k->s->status;
    }
    cns_lit *lits = spare_lits(k, x.count);
    for (uint32_t i = 0; i < x.count; i++) {
        lits[i] = cns_load_equal_lit(k->l, k->post.origin, x.data[i], y);
        if (lits[i] == CNS_LIT_NONE) {
            return k->s->status;
        }
    }
    return count_lits(k, lits, x.count, n, (cns_relation)int_of(k, 0, 0, CNS_REL_EQ));
}

/* A literal that says that x is one of the values (ascending or not). */
static cns_lit among_lit(const constraint *k, cns_view x, const int64_t *values, uint32_t count) {
    cns_state *s = k->s;
    cns_lit one = CNS_LIT_FALSE;
    uint32_t possible = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (cns_view_has(s, x, values[i])) {
            one = cns_view_lit_eq(s, x, values[i]);
            possible++;
        }
    }
    if (possible <= 1) {
        return one;
    }
    cns_lit in = cns_new_bool(s);
    cns_lit *clause = in == CNS_LIT_NONE ? NULL
                                         : cns_context_alloc(s->context, (count + 1) * sizeof in,
                                                             CNS_ALIGN_DEFAULT);
    if (clause == NULL) {
        s->status = s->status != CNS_OK ? s->status : cns_context_memory_status(s->context, count);
        return CNS_LIT_NONE;
    }
    uint32_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        cns_lit lit = cns_view_lit_eq(s, x, values[i]);
        clause[size++] = lit;
        if (lit != CNS_LIT_NONE) {
            cns_add_clause2(s, lit ^ 1, in);
        }
    }
    clause[size++] = in ^ 1;
    cns_add_clause(s, clause, size);
    cns_context_free(s->context, clause, (count + 1) * sizeof in, CNS_ALIGN_DEFAULT);
    return s->status == CNS_OK ? in : CNS_LIT_NONE;
}

static cns_status load_among(const constraint *k) {
    cns_views x;
    cns_view n;
    if (!views_of(k, 0, &x) || !view_of(k, 1, 0, &n)) {
        return k->s->status;
    }
    cns_lit *lits = spare_lits(k, x.count);
    for (uint32_t i = 0; i < x.count; i++) {
        lits[i] = among_lit(k, x.data[i], ints_of(k, 0), k->c->i[0].count);
        if (lits[i] == CNS_LIT_NONE) {
            return k->s->status;
        }
    }
    return count_lits(k, lits, x.count, n, CNS_REL_EQ);
}

static cns_status load_member(const constraint *k) {
    cns_state *s = k->s;
    cns_views x;
    cns_view y;
    if (!views_of(k, 0, &x) || !view_of(k, 1, 0, &y)) {
        return s->status;
    }
    cns_lit *lits = spare_lits(k, x.count + 1);
    for (uint32_t i = 0; i < x.count; i++) {
        lits[i] = cns_load_equal_lit(k->l, k->post.origin, x.data[i], y);
        if (lits[i] == CNS_LIT_NONE) {
            return s->status;
        }
        if (k->c->condition == CNS_IF_AND_ONLY) {
            cns_add_clause2(s, lits[i] ^ 1, k->literal);
        }
    }
    lits[x.count] = k->literal ^ 1;
    cns_add_clause(s, lits, x.count + 1);
    return s->status;
}

/* ---- chains --------------------------------------------------------------------------------- */

/* All of consecutive x[i] (kind) x[i + 1] + c; with <=>, through a literal each. */
static cns_status load_chain(const constraint *k, cns_constraint_kind kind, int64_t c) {
    cns_state *s = k->s;
    cns_views x;
    if (!views_of(k, 0, &x)) {
        return s->status;
    }
    bool reified = k->c->condition == CNS_IF_AND_ONLY;
    cns_lit *clause = spare_lits(k, x.count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i + 1 < x.count; i++) {
        cns_lit link = reified ? cns_new_bool(s) : k->literal;
        if (link == CNS_LIT_NONE) {
            return s->status;
        }
        compare(k, kind, reified ? CNS_IF_AND_ONLY : (cns_reification)k->c->condition, link,
                x.data[i], x.data[i + 1], c);
        if (reified) {
            cns_add_clause2(s, k->literal ^ 1, link);
            clause[count++] = link ^ 1;
        }
    }
    if (reified) {
        clause[count++] = k->literal;
        cns_add_clause(s, clause, count);
    }
    return s->status;
}

static cns_status load_lex(const constraint *k) {
    cns_views x, y;
    if (!views_of(k, 0, &x) || !views_of(k, 1, &y)) {
        return k->s->status;
    }
    bool strict = k->c->kind == CNS_LEX_LT;
    cns_status status = cns_post_lex(k->s, k->post, x, y, strict);
    if (status == CNS_OK && k->c->condition == CNS_IF_AND_ONLY) {
        status = cns_post_lex(k->s, (cns_post){k->post.origin, k->literal ^ 1}, y, x, !strict);
    }
    return status;
}

/* ---- globals -------------------------------------------------------------------------------- */

static cns_status load_alldifferent(const constraint *k) {
    cns_views x;
    if (!views_of(k, 0, &x)) {
        return k->s->status;
    }
    uint32_t count = k->c->i[0].count;
    if (count == 0) {
        return cns_post_alldifferent(k->s, k->post, x);
    }
    int64_t *excepted = k->l->scratch_ints;
    memcpy(excepted, ints_of(k, 0), count * sizeof *excepted);
    return cns_post_alldifferent_except(k->s, k->post, x, excepted,
                                        cns_values_sort(excepted, count));
}

static cns_status load_cardinality(const constraint *k) {
    cns_views x, counts;
    if (!views_of(k, 0, &x) || !views_of(k, 1, &counts)) {
        return k->s->status;
    }
    return cns_post_global_cardinality(k->s, k->post, x, ints_of(k, 0), counts,
                                       int_of(k, 1, 0, 0) != 0);
}

static cns_status load_nvalue(const constraint *k) {
    cns_views x;
    cns_view n;
    return views_of(k, 0, &x) && view_of(k, 1, 0, &n) ? cns_post_nvalue(k->s, k->post, x, n)
                                                      : k->s->status;
}

static cns_status load_cumulative(const constraint *k) {
    cns_views starts, durations, demands;
    cns_view capacity;
    if (!views_of(k, 0, &starts) || !views_of(k, 1, &durations) || !views_of(k, 2, &demands) ||
        !view_of(k, 3, 0, &capacity)) {
        return k->s->status;
    }
    return cns_post_cumulative(k->s, k->post, starts, durations, demands, capacity);
}

static cns_status load_disjunctive(const constraint *k) {
    cns_views starts, durations;
    if (!views_of(k, 0, &starts) || !views_of(k, 1, &durations)) {
        return k->s->status;
    }
    const cns_lit *presence = NULL;
    if (k->c->v[2].count > 0 && (presence = lits_of(k, 2)) == NULL) {
        return k->s->status;
    }
    return cns_post_disjunctive(k->s, k->post, starts, durations, presence,
                                int_of(k, 0, 0, 0) != 0);
}

static cns_status load_diffn(const constraint *k) {
    cns_views x, y, dx, dy;
    if (!views_of(k, 0, &x) || !views_of(k, 1, &y) || !views_of(k, 2, &dx) ||
        !views_of(k, 3, &dy)) {
        return k->s->status;
    }
    return cns_post_diffn(k->s, k->post, x, y, dx, dy, int_of(k, 0, 0, 0) != 0);
}

static cns_status load_circuit(const constraint *k) {
    cns_views x;
    if (!indices_of(k, 0, int_of(k, 0, 0, 1), count_of(k, 0), &x)) {
        return k->s->status;
    }
    return cns_post_circuit(k->s, k->post, x, k->c->kind == CNS_SUBCIRCUIT);
}

static cns_status load_inverse(const constraint *k) {
    cns_views f, g;
    int64_t base_f = int_of(k, 0, 0, 1);
    int64_t base_g = int_of(k, 0, 1, 1);
    if (!indices_of(k, 0, base_g, count_of(k, 1), &f) ||
        !indices_of(k, 1, base_f, count_of(k, 0), &g)) {
        return k->s->status;
    }
    return cns_post_inverse(k->s, k->post, f, g);
}

static cns_status load_table(const constraint *k) {
    cns_views x;
    if (!views_of(k, 0, &x)) {
        return k->s->status;
    }
    if (x.count == 0) {
        return CNS_OK;
    }
    return cns_post_table(k->s, k->post, x, ints_of(k, 0), k->c->i[0].count / x.count);
}

static cns_status load_regular(const constraint *k) {
    cns_views x;
    if (!views_of(k, 0, &x)) {
        return k->s->status;
    }
    const int64_t *sizes = ints_of(k, 0);
    return cns_post_regular(k->s, k->post, x, sizes[0], sizes[1], ints_of(k, 1), sizes[2],
                            ints_of(k, 2), k->c->i[2].count);
}

/* Layer of each node by its distance from node 1 (the root), nodes renumbered: root 0, end 1. */
static cns_status load_mdd(const constraint *k) {
    cns_state *s = k->s;
    cns_views x;
    if (!views_of(k, 0, &x)) {
        return s->status;
    }
    uint32_t nodes = (uint32_t)int_of(k, 0, 0, 1) + 1;
    uint32_t edges = k->c->i[1].count / 4;
    const int64_t *given = ints_of(k, 1);
    size_t edge_size = (edges + 1) * sizeof(cns_mdd_edge);
    size_t layer_size = nodes * sizeof(uint32_t);
    size_t start_size = (x.count + 2) * sizeof(uint32_t);
    cns_mdd_edge *out = cns_context_alloc(s->context, edge_size, CNS_ALIGN_DEFAULT);
    uint32_t *layers = cns_context_alloc(s->context, layer_size, CNS_ALIGN_DEFAULT);
    uint32_t *start = cns_context_calloc(s->context, start_size);
    cns_status status = CNS_OK;
    if (out == NULL || layers == NULL || start == NULL) {
        status = cns_context_memory_status(s->context, edge_size);
        goto done;
    }
    memset(layers, 0xff, layer_size);
    layers[1] = 0;
    for (uint32_t layer = 0; layer < x.count; layer++) { /* nodes are reached layer by layer */
        for (uint32_t e = 0; e < edges; e++) {
            if (layers[given[4 * e]] == layer && given[4 * e + 3] != 0) {
                layers[given[4 * e + 3]] = layer + 1;
            }
        }
    }
    uint32_t count = 0;
    for (uint32_t layer = 0; layer < x.count; layer++) {
        start[layer] = count;
        for (uint32_t e = 0; e < edges; e++) {
            const int64_t *edge = given + 4 * e;
            bool last = layer + 1 == x.count;
            if (layers[edge[0]] == layer && (edge[3] == 0) == last) {
                /* node 1 is the root, 0; node 0 the end, 1; others keep their numbers */
                uint32_t from = edge[0] == 1 ? 0 : (uint32_t)edge[0];
                uint32_t to = edge[3] == 0 ? 1 : (uint32_t)edge[3];
                out[count++] = (cns_mdd_edge){from, to, edge[1], edge[2]};
            }
        }
    }
    start[x.count] = count;
    status = cns_post_mdd(s, k->post, x, out, start, nodes);
done:
    if (out != NULL) {
        cns_context_free(s->context, out, edge_size, CNS_ALIGN_DEFAULT);
    }
    if (layers != NULL) {
        cns_context_free(s->context, layers, layer_size, CNS_ALIGN_DEFAULT);
    }
    if (start != NULL) {
        cns_context_free(s->context, start, start_size, CNS_ALIGN_DEFAULT);
    }
    return status;
}

static cns_status load_sort(const constraint *k) {
    cns_views x, y;
    if (!views_of(k, 0, &x)) {
        return k->s->status;
    }
    if (k->c->kind == CNS_SORT) {
        return views_of(k, 1, &y) ? cns_post_sort(k->s, k->post, x, y) : k->s->status;
    }
    return indices_of(k, 1, int_of(k, 0, 0, 1), x.count, &y)
               ? cns_post_arg_sort(k->s, k->post, x, y)
               : k->s->status;
}

static cns_status load_precede(const constraint *k) {
    cns_views x;
    return views_of(k, 0, &x) ? cns_post_precede(k->s, k->post, x, ints_of(k, 0), k->c->i[0].count)
                              : k->s->status;
}

static cns_status load_arg_extreme(const constraint *k) {
    cns_views x, index;
    if (!views_of(k, 0, &x) || !indices_of(k, 1, int_of(k, 0, 0, 1), x.count, &index)) {
        return k->s->status;
    }
    cns_view *views = k->l->scratch_views + (x.data - k->l->scratch_views);
    for (uint32_t i = 0; i < x.count && k->c->kind == CNS_ARG_MIN; i++) {
        views[i] = cns_view_negate(views[i]);
    }
    return cns_post_arg_max(k->s, k->post, x, index.data[0]);
}

static cns_status load_bin_packing(const constraint *k) {
    cns_views bins, loads;
    if (!indices_of(k, 0, int_of(k, 1, 0, 1), count_of(k, 1), &bins) || !views_of(k, 1, &loads)) {
        return k->s->status;
    }
    return cns_post_bin_packing(k->s, k->post, bins, ints_of(k, 0), loads);
}

static cns_status load_knapsack(const constraint *k) {
    cns_views x;
    cns_view weight, profit;
    if (!views_of(k, 0, &x) || !view_of(k, 1, 0, &weight) || !view_of(k, 1, 1, &profit)) {
        return k->s->status;
    }
    return cns_post_knapsack(k->s, k->post, x, ints_of(k, 0), ints_of(k, 1), weight, profit);
}

/* ---- dispatch ------------------------------------------------------------------------------- */

cns_status cns_load_constraint(cns_loader *l, uint32_t index) {
    cns_state *s = l->state;
    const cns_model_constraint *c = &l->model->constraints[index];
    constraint k = {l, s, c, {index, CNS_LIT_TRUE}, CNS_LIT_TRUE};
    if (c->condition != CNS_ALWAYS) {
        k.literal = cns_load_lit(l, c->literal);
        k.post.condition = k.literal;
        if (k.literal == CNS_LIT_NONE) {
            return s->status;
        }
    }
    if (!reserve(&k)) {
        return s->status;
    }
    switch ((cns_constraint_kind)c->kind) {
    case CNS_CLAUSE:
        return load_clause(&k);
    case CNS_XOR:
        return load_xor(&k);
    case CNS_LINEAR_EQ:
    case CNS_LINEAR_NE:
    case CNS_LINEAR_LE:
        return load_linear(&k);
    case CNS_IN:
        return load_in(&k);
    case CNS_TIMES:
    case CNS_DIV:
    case CNS_MOD:
    case CNS_POW:
        return load_binary(&k);
    case CNS_ABS:
        return load_abs(&k);
    case CNS_MIN:
    case CNS_MAX:
        return load_extreme(&k);
    case CNS_ELEMENT:
        return load_element(&k);
    case CNS_ALLDIFFERENT:
        return load_alldifferent(&k);
    case CNS_GLOBAL_CARDINALITY:
        return load_cardinality(&k);
    case CNS_COUNT:
        return load_count(&k);
    case CNS_AMONG:
        return load_among(&k);
    case CNS_NVALUE:
        return load_nvalue(&k);
    case CNS_CUMULATIVE:
        return load_cumulative(&k);
    case CNS_DISJUNCTIVE:
        return load_disjunctive(&k);
    case CNS_DIFFN:
        return load_diffn(&k);
    case CNS_CIRCUIT:
    case CNS_SUBCIRCUIT:
        return load_circuit(&k);
    case CNS_TABLE:
        return load_table(&k);
    case CNS_REGULAR:
        return load_regular(&k);
    case CNS_MDD:
        return load_mdd(&k);
    case CNS_INVERSE:
        return load_inverse(&k);
    case CNS_SORT:
    case CNS_ARG_SORT:
        return load_sort(&k);
    case CNS_LEX_LE:
    case CNS_LEX_LT:
        return load_lex(&k);
    case CNS_PRECEDE:
        return load_precede(&k);
    case CNS_INCREASING:
        return load_chain(&k, CNS_LINEAR_LE, int_of(&k, 0, 0, 0) != 0 ? -1 : 0);
    case CNS_ALL_EQUAL:
        return load_chain(&k, CNS_LINEAR_EQ, 0);
    case CNS_ARG_MAX:
    case CNS_ARG_MIN:
        return load_arg_extreme(&k);
    case CNS_BIN_PACKING:
        return load_bin_packing(&k);
    case CNS_KNAPSACK:
        return load_knapsack(&k);
    case CNS_MEMBER:
        return load_member(&k);
    case CNS_SUM_OF_PRODUCTS:
        return load_sum_of_products(&k);
    case CNS_CONSTRAINT_KINDS:
        break;
    }
    return CNS_OK;
}
