/* SPDX-License-Identifier: MIT
 *
 * solver/load_counts.c - counting, membership and chains of comparisons, stated with other
 * constraints.
 */
#include "solver/globals/block.h"
#include "solver/load_args.h"
#include "solver/proof.h"

#include <string.h>

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

/* ---- among ---------------------------------------------------------------------------------- */

/* A literal that says that x is one of the values, ascending; `clause` has room for all of them and
 * one more. */
static cns_lit among_lit(const cns_loading *k, cns_view x, const int64_t *values, uint32_t count,
                         cns_lit *clause) {
    cns_state *s = k->s;
    uint32_t size = 0;
    uint32_t at = cns_values_next(s, x, values, 0, count);
    for (; at < count; at = cns_values_next(s, x, values, at + 1, count)) {
        clause[size++] = cns_view_lit_eq(s, x, values[at]);
    }
    if (size <= 1) {
        return size == 0 ? CNS_LIT_FALSE : clause[0];
    }
    cns_lit in = cns_new_bool(s);
    if (in != CNS_LIT_NONE) {
        cns_proof_define_any(s, in, clause, size);
    }
    for (uint32_t i = 0; i < size && in != CNS_LIT_NONE; i++) {
        if (clause[i] != CNS_LIT_NONE) {
            cns_add_clause2(s, clause[i] ^ 1, in);
        }
    }
    clause[size++] = in ^ 1;
    cns_add_clause(s, clause, size);
    return s->status == CNS_OK ? in : CNS_LIT_NONE;
}

cns_status cns_loading_among(const cns_loading *k) {
    cns_views x;
    cns_view n;
    if (!cns_arg_views(k, 0, &x) || !cns_arg_view(k, 1, 0, &n)) {
        return k->s->status;
    }
    uint32_t count = k->c->i[0].count;
    int64_t *values = k->l->scratch_ints;
    memcpy(values, cns_arg_ints(k, 0), count * sizeof *values);
    count = cns_values_sort(values, count);
    cns_lit *lits = cns_arg_spare_lits(k, x.count);
    cns_lit *clause = cns_scratch_create(k->s, (size_t)count + 1, sizeof *clause);
    bool good = clause != NULL;
    for (uint32_t i = 0; good && i < x.count; i++) {
        lits[i] = among_lit(k, x.data[i], values, count, clause);
        good = lits[i] != CNS_LIT_NONE;
    }
    cns_scratch_destroy(k->s, clause, (size_t)count + 1, sizeof *clause);
    return good ? count_lits(k, lits, x.count, n, CNS_REL_EQ) : k->s->status;
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
        if (reified) {
            cns_proof_define_linear(s, link, kind == CNS_LINEAR_EQ, (const int64_t[]){1, -1},
                                    x.data + i, 2, c);
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
