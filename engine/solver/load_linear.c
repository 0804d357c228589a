/* SPDX-License-Identifier: MIT
 *
 * solver/load_linear.c - linear constraints: normalised, then given to what propagates them best.
 *
 * Constants are moved to the right, repeated variables are added up, coefficients are divided by
 * their common divisor. What is left is a constant, a literal, a clause, a count of literals, or a
 * linear propagator.
 */
#include "solver/load.h"
#include "solver/proof.h"
#include "solver/wide.h"

#include <stdlib.h>

typedef struct term {
    int64_t a;
    cns_view x;
} term;

typedef struct linear {
    cns_loader *l;
    cns_post post;
    int64_t *a;
    cns_view *x;
    uint32_t count;
    int64_t c;
} linear;

/* ---- normalising ---------------------------------------------------------------------------- */

static bool fits(cns_wide value) {
    return cns_wide_abs(value) < CNS_WIDE_LIMIT;
}

static int compare_terms(const void *left, const void *right) {
    cns_term a = ((const term *)left)->x.term >> 1;
    cns_term b = ((const term *)right)->x.term >> 1;
    return (a > b) - (a < b);
}

/* Adds `next` to `sum`, which is about the same integer; false: the coefficient would overflow. */
static bool merge(term *sum, term next, int64_t *c) {
    int64_t a = next.a;
    cns_view x = next.x;
    if (x.term != sum->x.term) {
        a = -a;
        x = cns_view_negate(x);
    }
    /* a (t + o) = a (t + O) - a (O - o) */
    cns_wide coefficient = (cns_wide)sum->a + a;
    cns_wide constant = (cns_wide)*c + (cns_wide)a * (sum->x.offset - x.offset);
    if (!fits(coefficient) || !fits(constant)) {
        return false;
    }
    sum->a = (int64_t)coefficient;
    *c = (int64_t)constant;
    return true;
}

/* Takes constants out, adds repeated integers up. */
static bool collect(linear *n) {
    cns_state *s = n->l->state;
    size_t size = (n->count + 1) * sizeof(term);
    term *terms = cns_context_alloc(s->context, size, CNS_ALIGN_DEFAULT);
    if (terms == NULL) {
        s->status = cns_context_memory_status(s->context, size);
        return false;
    }
    uint32_t kept = 0;
    for (uint32_t k = 0; k < n->count; k++) {
        if (n->a[k] == 0) {
            continue;
        }
        if (cns_view_fixed(s, n->x[k])) {
            n->c -= n->a[k] * cns_view_low(s, n->x[k]);
        } else {
            terms[kept++] = (term){n->a[k], n->x[k]};
        }
    }
    qsort(terms, kept, sizeof *terms, compare_terms);
    n->count = 0;
    for (uint32_t k = 0; k < kept; k++) {
        uint32_t last = n->count - 1;
        if (n->count > 0 && n->x[last].term >> 1 == terms[k].x.term >> 1) {
            term sum = {n->a[last], n->x[last]};
            if (merge(&sum, terms[k], &n->c)) {
                n->a[last] = sum.a;
                n->count -= sum.a == 0;
                continue;
            }
        }
        n->a[n->count] = terms[k].a;
        n->x[n->count++] = terms[k].x;
    }
    cns_context_free(s->context, terms, size, CNS_ALIGN_DEFAULT);
    return true;
}

static int64_t gcd(int64_t a, int64_t b) {
    a = a < 0 ? -a : a;
    b = b < 0 ? -b : b;
    while (b != 0) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* The sum of a x + the constants in the views' offsets is left in c's terms: offsets count. */
static int64_t offsets(const linear *n) {
    int64_t sum = 0;
    for (uint32_t k = 0; k < n->count; k++) {
        sum += n->a[k] * n->x[k].offset;
    }
    return sum;
}

static bool offsets_fit(const linear *n) {
    cns_wide sum = n->c;
    for (uint32_t k = 0; k < n->count; k++) {
        sum -= (cns_wide)n->a[k] * n->x[k].offset;
        if (!fits(sum)) {
            return false;
        }
    }
    return true;
}

/* Divides by the common divisor; false: an equation has no solution for that alone. */
static bool divide(linear *n, cns_constraint_kind kind) {
    if (!offsets_fit(n)) {
        return true;
    }
    int64_t c = n->c - offsets(n);
    int64_t g = 0;
    for (uint32_t k = 0; k < n->count; k++) {
        n->x[k].offset = 0;
        g = gcd(g, n->a[k]);
    }
    n->c = c;
    if (g <= 1) {
        return true;
    }
    if (kind != CNS_LINEAR_LE && c % g != 0) {
        return false;
    }
    for (uint32_t k = 0; k < n->count; k++) {
        n->a[k] /= g;
    }
    n->c = c / g - (c % g < 0);
    return true;
}

/* ---- posting -------------------------------------------------------------------------------- */

static cns_status constant(linear *n, bool holds) {
    if (!holds) {
        cns_add_clause(n->l->state, (cns_lit[]){n->post.condition ^ 1}, 1);
    }
    return n->l->state->status;
}

/* The literal that one variable's comparison is; kind LE, EQ or NE. */
static cns_lit single(linear *n, cns_constraint_kind kind) {
    cns_state *s = n->l->state;
    int64_t a = n->a[0];
    cns_view x = a < 0 ? cns_view_negate(n->x[0]) : n->x[0];
    a = a < 0 ? -a : a;
    if (kind == CNS_LINEAR_LE) {
        return cns_view_lit_le(s, x, n->c / a - (n->c % a < 0));
    }
    cns_lit lit = n->c % a == 0 ? cns_view_lit_eq(s, x, n->c / a) : CNS_LIT_FALSE;
    return lit == CNS_LIT_NONE ? lit : lit ^ (kind == CNS_LINEAR_NE);
}

static bool is_bool_view(const cns_state *s, cns_view x) {
    return cns_view_high(s, x) - cns_view_low(s, x) == 1;
}

/* Splits into literals and at most one integer y with coefficient -1: sum a lits <= c + y. */
static bool split(linear *n, int64_t *a, cns_lit *lits, uint32_t *count, cns_view *y, int64_t *c) {
    cns_state *s = n->l->state;
    bool has_integer = false;
    *count = 0;
    *y = cns_view_constant(0);
    *c = n->c;
    for (uint32_t k = 0; k < n->count; k++) {
        if (is_bool_view(s, n->x[k])) {
            int64_t low = cns_view_low(s, n->x[k]);
            *c -= n->a[k] * low;
            a[*count] = n->a[k];
            lits[(*count)++] = cns_view_lit_ge(s, n->x[k], low + 1);
        } else if (!has_integer && (n->a[k] == -1 || n->a[k] == 1)) {
            has_integer = true;
            *y = n->a[k] < 0 ? n->x[k] : cns_view_negate(n->x[k]);
        } else {
            return false;
        }
    }
    return *count > 1;
}

static bool has_room(linear *n) {
    cns_loader *l = n->l;
    cns_state *s = l->state;
    return cns_grow(s, &l->linear_ints, sizeof *l->linear_ints, &l->linear_int_capacity,
                    n->count) &&
           cns_grow(s, &l->linear_lits, sizeof *l->linear_lits, &l->linear_lit_capacity,
                    n->count + 1);
}

/* sum a lits <= c as one clause, where a single literal too many breaks it; `lits` are changed, and
 * have room for one more. */
static bool as_clause(linear *n, const int64_t *a, cns_lit *lits, uint32_t count, int64_t c) {
    int64_t most = 0;
    int64_t least = INT64_MAX;
    for (uint32_t k = 0; k < count; k++) {
        int64_t size = a[k] < 0 ? -a[k] : a[k];
        most += a[k] > 0 ? a[k] : 0;
        least = size < least ? size : least;
    }
    if (most - c > least || most <= c) {
        return false;
    }
    for (uint32_t k = 0; k < count; k++) {
        lits[k] ^= a[k] > 0;
    }
    lits[count] = n->post.condition ^ 1;
    cns_add_clause(n->l->state, lits, count + 1);
    return true;
}

#define PAIRS 12 /* at most one of so many literals is pairs of clauses */

/* At most one literal is true: all a are 1, c is 1. */
static bool as_pairs(linear *n, const int64_t *a, const cns_lit *lits, uint32_t count, int64_t c) {
    int64_t slack = c; /* in literals turned so that a is positive */
    for (uint32_t k = 0; k < count; k++) {
        if (a[k] != 1 && a[k] != -1) {
            return false;
        }
        slack += a[k] < 0;
    }
    if (slack != 1 || count > PAIRS) {
        return false;
    }
    cns_state *s = n->l->state;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = i + 1; k < count; k++) {
            cns_lit x = lits[i] ^ (a[i] > 0);
            cns_lit y = lits[k] ^ (a[k] > 0);
            cns_add_clause3(s, n->post.condition ^ 1, x, y);
        }
    }
    return true;
}

static cns_status post_le(linear *n) {
    cns_state *s = n->l->state;
    if (n->count == 0) {
        return constant(n, n->c >= 0);
    }
    if (n->count == 1) {
        cns_add_clause2(s, n->post.condition ^ 1, single(n, CNS_LINEAR_LE));
        return s->status;
    }
    if (!has_room(n)) {
        return s->status;
    }
    int64_t *a = n->l->linear_ints;
    cns_lit *lits = n->l->linear_lits;
    uint32_t count;
    cns_view y;
    int64_t c;
    if (split(n, a, lits, &count, &y, &c)) {
        if (y.term == CNS_TERM_ZERO && (as_pairs(n, a, lits, count, c + y.offset) ||
                                        as_clause(n, a, lits, count, c + y.offset))) {
            return s->status;
        }
        return cns_post_bool_le(s, n->post, a, lits, count, y, c);
    }
    return cns_post_linear_le(s, n->post, n->a, (cns_views){n->x, n->count}, n->c);
}

static void negate(linear *n) {
    for (uint32_t k = 0; k < n->count; k++) {
        n->a[k] = -n->a[k];
    }
    n->c = -n->c;
}

static bool all_literals(const linear *n) {
    uint32_t integers = 0;
    for (uint32_t k = 0; k < n->count; k++) {
        integers += !is_bool_view(n->l->state, n->x[k]);
    }
    return integers == 0 || (integers == 1 && n->count > 2);
}

/* b <=> x = y of two Booleans, and so on: truth tables are clauses. */
static bool equal_booleans(linear *n) {
    cns_state *s = n->l->state;
    if (n->count != 2 || !is_bool_view(s, n->x[0]) || !is_bool_view(s, n->x[1])) {
        return false;
    }
    cns_lit lits[2];
    int64_t low[2];
    for (int k = 0; k < 2; k++) {
        low[k] = cns_view_low(s, n->x[k]);
        lits[k] = cns_view_lit_ge(s, n->x[k], low[k] + 1);
        if (lits[k] == CNS_LIT_NONE) {
            return true;
        }
    }
    for (int row = 0; row < 4; row++) {
        int64_t sum = n->a[0] * (low[0] + (row & 1)) + n->a[1] * (low[1] + (row >> 1));
        if (sum != n->c) {
            cns_add_clause3(s, n->post.condition ^ 1, lits[0] ^ (row & 1), lits[1] ^ (row >> 1));
        }
    }
    return true;
}

static cns_status post_eq(linear *n) {
    cns_state *s = n->l->state;
    if (n->count == 0) {
        return constant(n, n->c == 0);
    }
    if (n->count == 1) {
        cns_add_clause2(s, n->post.condition ^ 1, single(n, CNS_LINEAR_EQ));
        return s->status;
    }
    if (equal_booleans(n)) {
        return s->status;
    }
    if (!all_literals(n)) {
        return cns_post_linear_eq(s, n->post, n->a, (cns_views){n->x, n->count}, n->c);
    }
    if (post_le(n) == CNS_OK) {
        negate(n);
        post_le(n);
    }
    return s->status;
}

static cns_status post_ne(linear *n) {
    cns_state *s = n->l->state;
    if (n->count == 0) {
        return constant(n, n->c != 0);
    }
    if (n->count == 1) {
        cns_add_clause2(s, n->post.condition ^ 1, single(n, CNS_LINEAR_NE));
        return s->status;
    }
    return cns_post_linear_ne(s, n->post, n->a, (cns_views){n->x, n->count}, n->c);
}

static cns_status post(linear *n, cns_constraint_kind kind, cns_lit condition) {
    if (n->l->state->failed || cns_is_false(n->l->state, condition)) {
        return n->l->state->status;
    }
    n->post.condition = condition;
    return kind == CNS_LINEAR_LE ? post_le(n) : kind == CNS_LINEAR_EQ ? post_eq(n) : post_ne(n);
}

/* The constraint is false exactly when this one is true. */
static void complement(linear *n, cns_constraint_kind *kind) {
    if (*kind == CNS_LINEAR_LE) { /* sum >= c + 1 */
        negate(n);
        n->c -= 1;
    } else {
        *kind = *kind == CNS_LINEAR_EQ ? CNS_LINEAR_NE : CNS_LINEAR_EQ;
    }
}

cns_status cns_load_linear(cns_loader *l, uint32_t origin, cns_constraint_kind kind,
                           cns_reification condition, cns_lit literal, int64_t *a, cns_view *x,
                           uint32_t count, int64_t c) {
    cns_state *s = l->state;
    linear n = {l, {origin, CNS_LIT_TRUE}, a, x, count, c};
    if (literal == CNS_LIT_NONE || !collect(&n)) {
        return s->status;
    }
    if (!divide(&n, kind)) { /* no solution: != holds always */
        n.count = 0;
        n.c = 1;
    }
    if (condition == CNS_IF_AND_ONLY && n.count == 1) {
        cns_load_equate(l, literal, single(&n, kind));
        return s->status;
    }
    cns_status status = post(&n, kind, condition == CNS_ALWAYS ? CNS_LIT_TRUE : literal);
    if (condition == CNS_IF_AND_ONLY && status == CNS_OK) {
        complement(&n, &kind);
        status = post(&n, kind, literal ^ 1);
    }
    return status;
}

cns_lit cns_load_equal_lit(cns_loader *l, uint32_t origin, cns_view x, cns_view y) {
    cns_state *s = l->state;
    if (cns_view_fixed(s, y)) {
        return cns_view_lit_eq(s, x, cns_view_low(s, y));
    }
    if (cns_view_fixed(s, x)) {
        return cns_view_lit_eq(s, y, cns_view_low(s, x));
    }
    cns_lit lit = cns_new_bool(s);
    if (lit != CNS_LIT_NONE) {
        int64_t a[2] = {1, -1};
        cns_view views[2] = {x, y};
        cns_proof_define_linear(s, lit, true, a, views, 2, 0);
        cns_load_linear(l, origin, CNS_LINEAR_EQ, CNS_IF_AND_ONLY, lit, a, views, 2, 0);
    }
    return s->status == CNS_OK ? lit : CNS_LIT_NONE;
}
