/* SPDX-License-Identifier: MIT
 *
 * solver/globals/linear_ne.c - sum a[j] * t[j] != c over terms.
 *
 * Nothing can be learnt while two terms are open, so two open ones are watched, as the literals of
 * a clause are: they need no restoring. When one is left it loses a value. Two terms that differ
 * by a constant are the common case: there the reason is the one literal that says what the fixed
 * one is.
 */
#include "solver/globals/linear_form.h"

typedef struct linear_ne {
    cns_conditional base;
    int64_t c;
    uint32_t count;
    uint32_t watched[2]; /* indices of terms that are open, where two are */
    cns_linear_term terms[];
} linear_ne;

/* Looks for an open term in place of each watched one that is fixed. */
static bool two_open(const cns_state *s, linear_ne *self) {
    for (int k = 0; k < 2; k++) {
        if (!cns_fixed(s, self->terms[self->watched[k]].term)) {
            continue;
        }
        uint32_t j = 0;
        while (j < self->count &&
               (j == self->watched[1 - k] || cns_fixed(s, self->terms[j].term))) {
            j++;
        }
        if (j == self->count) {
            return false;
        }
        self->watched[k] = j;
    }
    return true;
}

static bool wake(cns_state *s, cns_propagator *p, uint32_t data) {
    linear_ne *self = (linear_ne *)p;
    if (cns_condition_false(s, &self->base)) {
        return false;
    }
    if (data != CNS_CONDITION && data != self->watched[0] && data != self->watched[1]) {
        return false;
    }
    s->ticks += self->count;
    return !two_open(s, self);
}

/* The literal that says which value a fixed term has; made where there is none. */
static bool name_values(cns_state *s, const linear_ne *self, uint32_t open) {
    for (uint32_t j = 0; j < self->count; j++) {
        cns_term t = self->terms[j].term;
        if (j != open && cns_lit_eq(s, t, s->bound[t]) == CNS_LIT_NONE) {
            return false;
        }
    }
    return true;
}

static bool propagate(cns_state *s, cns_propagator *p) {
    linear_ne *self = (linear_ne *)p;
    if (cns_condition_false(s, &self->base)) {
        return true;
    }
    uint32_t open = UINT32_MAX;
    int64_t rest = self->c;
    s->ticks += self->count;
    for (uint32_t j = 0; j < self->count; j++) {
        cns_term t = self->terms[j].term;
        if (cns_fixed(s, t)) {
            rest -= self->terms[j].a * s->bound[t];
        } else if (open != UINT32_MAX) {
            return true;
        } else {
            open = j;
        }
    }
    if (open == UINT32_MAX) {
        return rest != 0 || cns_violate(s, &self->base);
    }
    if (!cns_condition_true(s, &self->base) || rest % self->terms[open].a != 0) {
        return true;
    }
    cns_view v = {self->terms[open].term, 0};
    int64_t value = rest / self->terms[open].a;
    return !cns_view_has(s, v, value) ||
           (name_values(s, self, open) &&
            cns_view_remove(s, v, value, cns_reason_of(&self->base, open)));
}

static void explain(cns_state *s, cns_propagator *p, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    linear_ne *self = (linear_ne *)p;
    (void)fact; /* a removed value, always */
    if (data != CNS_CONDITION) {
        cns_push_condition(s, &self->base, out);
    }
    for (uint32_t j = 0; j < self->count; j++) {
        if (j != data) {
            cns_view v = {self->terms[j].term, 0};
            cns_push_value(s, out, v, cns_view_low_at(s, v, position), position);
        }
    }
}

static const cns_propagator_class class = {"linear_ne", propagate, explain,
                                           wake,        NULL,      cns_block_destroy};

/* ---- two terms, t[0] - t[1] != c, always ---------------------------------------------------- */

typedef struct differ {
    cns_conditional base;
    cns_view x, y; /* x != y */
} differ;

static bool take(cns_state *s, cns_view from, cns_view to) {
    int64_t value = cns_view_low(s, from);
    if (!cns_view_has(s, to, value)) {
        return true;
    }
    cns_lit lit = cns_view_lit_eq(s, from, value);
    return lit != CNS_LIT_NONE && cns_view_remove(s, to, value, cns_reason_lit(lit));
}

static bool propagate_differ(cns_state *s, cns_propagator *p) {
    differ *self = (differ *)p;
    if (cns_view_fixed(s, self->x)) {
        return take(s, self->x, self->y);
    }
    return !cns_view_fixed(s, self->y) || take(s, self->y, self->x);
}

static const cns_propagator_class differ_class = {
    "differ", propagate_differ, NULL, NULL, NULL, cns_block_destroy,
};

static cns_status post_differ(cns_state *s, cns_post post, const cns_linear_form *form) {
    differ *self = cns_conditional_create(s, post, sizeof *self, &differ_class, 0);
    if (self == NULL) {
        return s->status;
    }
    self->x = (cns_view){form->terms[0].term, -form->c};
    self->y = (cns_view){form->terms[1].term ^ 1, 0};
    if (cns_conditional_attach(s, &self->base) &&
        cns_watch_fixed(s, self->x, &self->base.head, 0)) {
        cns_watch_fixed(s, self->y, &self->base.head, 1);
    }
    return s->status;
}

/* ---- posting -------------------------------------------------------------------------------- */

static cns_status post_ne(cns_state *s, cns_post post, const cns_linear_form *form) {
    if (form->c < form->least || form->c > form->most) {
        return s->status;
    }
    if (form->count == 0) {
        return cns_post_implied(s, post, NULL, 0);
    }
    if (form->count == 1) { /* the coefficient is 1 */
        cns_lit lit = cns_lit_eq(s, form->terms[0].term, form->c) ^ 1;
        return s->status == CNS_OK ? cns_post_implied(s, post, &lit, 1) : s->status;
    }
    if (form->count == 2 && form->terms[0].a == 1 && form->terms[1].a == 1 &&
        s->value[post.condition] > 0) {
        return post_differ(s, post, form);
    }
    linear_ne *self = cns_conditional_create(
        s, post, sizeof *self + form->count * sizeof *self->terms, &class, form->count > 2);
    if (self == NULL) {
        return s->status;
    }
    self->c = form->c;
    self->count = form->count;
    self->watched[1] = 1;
    for (uint32_t j = 0; j < form->count; j++) {
        self->terms[j] = form->terms[j];
    }
    bool ok = cns_conditional_attach(s, &self->base);
    for (uint32_t j = 0; ok && j < form->count; j++) {
        ok = cns_watch_fixed(s, (cns_view){self->terms[j].term, 0}, &self->base.head, j);
    }
    return s->status;
}

cns_status cns_post_linear_ne(cns_state *s, cns_post post, const int64_t *a, cns_views x,
                              int64_t c) {
    cns_linear_form form;
    if (!cns_post_matters(s, post) || !cns_linear_form_init(s, &form, a, x, c)) {
        return s->status;
    }
    if (form.c % form.divisor == 0) {
        form.c /= form.divisor;
        post_ne(s, post, &form);
    }
    cns_linear_form_deinit(s, &form);
    return s->status;
}
