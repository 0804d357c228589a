/* SPDX-License-Identifier: MIT
 *
 * solver/load_counts.c - counting, membership and chains of comparisons, stated with other
 * constraints.
 */
#include "solver/load_args.h"

/* ---- counting ------------------------------------------------------------------------------- */

/* The number of true literals (rel) n. */
static cns_status count_lits(const cns_loading *k, const cns_lit *lits, uint32_t count, cns_view n,
                             cns_relation relation) {
    cns_view *x = cns_arg_spare_views(k, count + 1);
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
    return cns_arg_linear(k, kind, (cns_reification)k->c->condition, k->literal, a, x, count + 1,
                          c);
}

cns_status cns_loading_count(const cns_loading *k) {
    cns_views x;
    cns_view y, n;
    if (!cns_arg_views(k, 0, &x) || !cns_arg_view(k, 1, 0, &y) || !cns_arg_view(k, 2, 0, &n)) {
        return k->s->status;
    }
    cns_lit *lits = cns_arg_spare_lits(k, x.count);
    for (uint32_t i = 0; i < x.count; i++) {
        lits[i] = cns_load_equal_lit(k->l, k->post.origin, x.data[i], y);
        if (lits[i] == CNS_LIT_NONE) {
            return k->s->status;
        }
    }
    return count_lits(k, lits, x.count, n, (cns_relation)cns_arg_int(k, 0, 0, CNS_REL_EQ));
}

/* A literal that says that x is one of the values (ascending or not). */
static cns_lit among_lit(const cns_loading *k, cns_view x, const int64_t *values, uint32_t count) {
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

cns_status cns_loading_among(const cns_loading *k) {
    cns_views x;
    cns_view n;
    if (!cns_arg_views(k, 0, &x) || !cns_arg_view(k, 1, 0, &n)) {
        return k->s->status;
    }
    cns_lit *lits = cns_arg_spare_lits(k, x.count);
    for (uint32_t i = 0; i < x.count; i++) {
        lits[i] = among_lit(k, x.data[i], cns_arg_ints(k, 0), k->c->i[0].count);
        if (lits[i] == CNS_LIT_NONE) {
            return k->s->status;
        }
    }
    return count_lits(k, lits, x.count, n, CNS_REL_EQ);
}

cns_status cns_loading_member(const cns_loading *k) {
    cns_state *s = k->s;
    cns_views x;
    cns_view y;
    if (!cns_arg_views(k, 0, &x) || !cns_arg_view(k, 1, 0, &y)) {
        return s->status;
    }
    cns_lit *lits = cns_arg_spare_lits(k, x.count + 1);
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
cns_status cns_loading_chain(const cns_loading *k, cns_constraint_kind kind, int64_t c) {
    cns_state *s = k->s;
    cns_views x;
    if (!cns_arg_views(k, 0, &x)) {
        return s->status;
    }
    bool reified = k->c->condition == CNS_IF_AND_ONLY;
    cns_lit *clause = cns_arg_spare_lits(k, x.count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i + 1 < x.count; i++) {
        cns_lit link = reified ? cns_new_bool(s) : k->literal;
        if (link == CNS_LIT_NONE) {
            return s->status;
        }
        cns_arg_compare(k, kind, reified ? CNS_IF_AND_ONLY : (cns_reification)k->c->condition, link,
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

cns_status cns_loading_lex(const cns_loading *k) {
    cns_views x, y;
    if (!cns_arg_views(k, 0, &x) || !cns_arg_views(k, 1, &y)) {
        return k->s->status;
    }
    bool strict = k->c->kind == CNS_LEX_LT;
    cns_status status = cns_post_lex(k->s, k->post, x, y, strict);
    if (status == CNS_OK && k->c->condition == CNS_IF_AND_ONLY) {
        status = cns_post_lex(k->s, (cns_post){k->post.origin, k->literal ^ 1}, y, x, !strict);
    }
    return status;
}
