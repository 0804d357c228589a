/* SPDX-License-Identifier: MIT
 *
 * solver/load_args.c - the arguments of the constraint that is loaded, and what several kinds make
 * of them.
 */
#include "solver/load_args.h"
#include "solver/proof.h"

bool cns_arg_views(const cns_loading *k, int argument, cns_views *out) {
    cns_loader *l = k->l;
    uint32_t count = k->c->v[argument].count;
    uint32_t start = l->scratch_view_count;
    if (start + count > l->scratch_view_capacity) {
        return false; /* cns_arg_reserve sees to it that there is room */
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

bool cns_arg_view(const cns_loading *k, int argument, uint32_t index, cns_view *out) {
    return cns_load_view(k->l, cns_model_v(k->l->model, k->c, argument)[index], out);
}

const cns_lit *cns_arg_lits(const cns_loading *k, int argument) {
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
bool cns_arg_reserve(const cns_loading *k) {
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

cns_view *cns_arg_spare_views(const cns_loading *k, uint32_t count) {
    cns_view *views = k->l->scratch_views + k->l->scratch_view_count;
    k->l->scratch_view_count += count;
    return views;
}

cns_lit *cns_arg_spare_lits(const cns_loading *k, uint32_t count) {
    cns_lit *lits = k->l->scratch_lits + k->l->scratch_lit_count;
    k->l->scratch_lit_count += count;
    return lits;
}

uint32_t cns_arg_count(const cns_loading *k, int argument) {
    return k->c->v[argument].count;
}

const int64_t *cns_arg_ints(const cns_loading *k, int argument) {
    return cns_model_i(k->l->model, k->c, argument);
}

int64_t cns_arg_int(const cns_loading *k, int argument, uint32_t index, int64_t otherwise) {
    return index < k->c->i[argument].count ? cns_arg_ints(k, argument)[index] : otherwise;
}

/* Views of indices that count from `base`, counted from 0 and kept below `size`. */
bool cns_arg_indices(const cns_loading *k, int argument, int64_t base, uint32_t size,
                     cns_views *out) {
    if (!cns_arg_views(k, argument, out)) {
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

cns_status cns_arg_linear(const cns_loading *k, cns_constraint_kind kind, cns_reification condition,
                          cns_lit literal, int64_t *a, cns_view *x, uint32_t count, int64_t c) {
    return cns_load_linear(k->l, k->post.origin, kind, condition, literal, a, x, count, c);
}

/* x (kind) y + c under the constraint's condition */
cns_status cns_arg_compare(const cns_loading *k, cns_constraint_kind kind,
                           cns_reification condition, cns_lit literal, cns_view x, cns_view y,
                           int64_t c) {
    int64_t a[2] = {1, -1};
    cns_view views[2] = {x, y};
    return cns_arg_linear(k, kind, condition, literal, a, views, 2, c);
}

/* A new integer within low..high. */
bool cns_arg_new_view(const cns_loading *k, int64_t low, int64_t high, cns_view *out) {
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

/* low <= x <= high as a literal. */
cns_lit cns_arg_between(const cns_loading *k, cns_view x, int64_t low, int64_t high) {
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
    cns_proof_define_all(s, both, (const cns_lit[]){above, below}, 2);
    cns_add_clause2(s, both ^ 1, above);
    cns_add_clause2(s, both ^ 1, below);
    cns_add_clause3(s, both, above ^ 1, below ^ 1);
    return both;
}
