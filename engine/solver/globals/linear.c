/* SPDX-License-Identifier: MIT
 *
 * solver/globals/linear.c - sum a[j] * t[j] <= c over terms, and equality as two of them.
 *
 * What the lower bounds leave of c is the slack; a term whose reach (a times its width) is within
 * the slack has nothing to learn, and the longest reach comes first. Short sums are taken anew in
 * each run, long ones are kept up to date by what wakes. Explanations give back the slack that
 * they do not need: first by naming fewer terms, then by naming a lower bound.
 */
#include "solver/globals/linear.h"

#include "solver/globals/linear_form.h"

enum {
    LONG_SUM = 12 /* terms, from which on keeping a sum is cheaper than taking it */
};

#define GAIN_LIMIT (INT64_C(1) << 61)

typedef struct linear {
    cns_conditional base;
    int64_t c;
    uint32_t count;
    int64_t *a, *reach;
    int64_t *at;   /* scratch of `explain` */
    int64_t *seen; /* long sums: the lower bounds that are in `slack` */
    cns_cell slack;
    cns_term *term;
} linear;

/* ---- explanations --------------------------------------------------------------------------- */

/* Facts t[i] >= l[i] for which the sum of a[i] * l[i] over i != skip is at least that of
 * a[i] * at[i], less `excess`. */
static void explain_sum(cns_state *s, linear *self, uint32_t skip, int64_t excess, cns_facts *out) {
    const int64_t *a = self->a;
    int64_t *at = self->at;
    for (uint32_t j = self->count; j-- > 0;) { /* shortest reach first: more of them fit */
        if (j == skip) {
            continue;
        }
        int64_t root = s->root[self->term[j]];
        int64_t cost = a[j] * (at[j] - root);
        if (cost <= excess) {
            excess -= cost;
            at[j] = root;
        }
    }
    for (uint32_t j = 0; j < self->count; j++) {
        if (j == skip || at[j] == s->root[self->term[j]]) {
            continue;
        }
        if (excess >= a[j]) {
            at[j] -= excess / a[j];
            excess %= a[j];
        }
        cns_facts_push(s, out, cns_fact_ge(self->term[j], at[j]));
    }
}

static void explain(cns_state *s, cns_propagator *p, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    linear *self = (linear *)p;
    int64_t excess = -self->c - 1;
    if (data != CNS_CONDITION) {
        /* To have t[data] >= 1 - value as well would be too much. */
        excess += self->a[data] * (1 - fact.value);
        cns_push_condition(s, &self->base, out);
    }
    for (uint32_t j = 0; j < self->count; j++) {
        if (j != data) {
            self->at[j] = cns_low_at(s, self->term[j], position);
            excess += self->a[j] * self->at[j];
        }
    }
    s->ticks += self->count;
    CNS_ASSERT(excess >= 0);
    explain_sum(s, self, data, excess, out);
}

/* ---- propagation ---------------------------------------------------------------------------- */

/* `low`: the lower bounds that make the slack, by index, or NULL: those of now. */
static bool conclude(cns_state *s, linear *self, int64_t slack, const int64_t *low) {
    if (slack < 0) {
        return cns_violate(s, &self->base);
    }
    if (!cns_condition_true(s, &self->base)) {
        return true;
    }
    const int64_t *reach = self->reach;
    uint32_t j = 0;
    for (; j < self->count && reach[j] > slack; j++) {
        cns_term t = self->term[j];
        int64_t a = self->a[j];
        int64_t from = low == NULL ? s->bound[t] : low[j];
        if (a * (cns_high(s, t) - from) > slack &&
            !cns_raise(s, t ^ 1, -(from + (a == 1 ? slack : slack / a)),
                       cns_reason_of(&self->base, j))) {
            return false;
        }
    }
    s->ticks += j;
    return true;
}

static bool propagate_short(cns_state *s, cns_propagator *p) {
    linear *self = (linear *)p;
    if (cns_condition_false(s, &self->base)) {
        return true;
    }
    const int64_t *bound = s->bound;
    const int64_t *a = self->a;
    const cns_term *term = self->term;
    int64_t slack = self->c;
    for (uint32_t j = 0; j < self->count; j++) {
        slack -= a[j] * bound[term[j]];
    }
    s->ticks += self->count;
    return conclude(s, self, slack, NULL);
}

static bool propagate_long(cns_state *s, cns_propagator *p) {
    linear *self = (linear *)p;
    return cns_condition_false(s, &self->base) || conclude(s, self, self->slack.value, self->seen);
}

static bool wake_short(cns_state *s, cns_propagator *p, uint32_t data) {
    (void)data;
    return !cns_condition_false(s, (cns_conditional *)p);
}

static bool wake_long(cns_state *s, cns_propagator *p, uint32_t data) {
    linear *self = (linear *)p;
    if (data != CNS_CONDITION) {
        int64_t low = s->bound[self->term[data]];
        int64_t more = self->a[data] * (low - self->seen[data]);
        if (more == 0 || !cns_save(s, &self->seen[data], low) ||
            !cns_cell_set(s, &self->slack, self->slack.value - more)) {
            return false;
        }
    }
    int condition = s->value[self->base.condition];
    return condition >= 0 && self->slack.value < (condition > 0 ? self->reach[0] : 0);
}

static const cns_propagator_class short_class = {"linear", propagate_short,  explain, wake_short,
                                                 NULL,     cns_block_destroy};
static const cns_propagator_class free_class = {"linear", propagate_short,  explain, NULL,
                                                NULL,     cns_block_destroy};
static const cns_propagator_class long_class = {"linear",  propagate_long, explain,
                                                wake_long, NULL,           cns_block_destroy};

static cns_status post_sum(cns_state *s, cns_post post, const cns_linear_form *form) {
    size_t n = form->count;
    const cns_propagator_class *class = n >= LONG_SUM                  ? &long_class
                                        : s->value[post.condition] > 0 ? &free_class
                                                                       : &short_class;
    size_t size = sizeof(linear) + n * (4 * sizeof(int64_t) + sizeof(cns_term));
    linear *self = cns_conditional_create(s, post, size, class, 1);
    if (self == NULL) {
        return s->status;
    }
    self->c = form->c;
    self->count = form->count;
    self->a = (int64_t *)(self + 1);
    self->reach = self->a + n;
    self->at = self->reach + n;
    self->seen = self->at + n;
    self->term = (cns_term *)(self->seen + n);
    for (uint32_t j = 0; j < n; j++) {
        self->a[j] = form->terms[j].a;
        self->reach[j] = form->terms[j].reach;
        self->term[j] = form->terms[j].term;
        self->seen[j] = s->bound[self->term[j]];
    }
    self->slack.value = form->c - form->least;
    bool ok = cns_conditional_attach(s, &self->base);
    for (uint32_t j = 0; ok && j < n; j++) {
        ok = cns_watch_term(s, self->term[j], &self->base.head, j, CNS_ON_BOUND);
    }
    return s->status;
}

/* ---- two terms ------------------------------------------------------------------------------ */

typedef struct two { /* a[0] * t[0] + a[1] * t[1] <= c */
    cns_conditional base;
    int64_t c;
    int64_t a[2];
    cns_term t[2];
} two;

static bool raise_other(cns_state *s, two *self, int j, int64_t slack) {
    cns_term t = self->t[j];
    int64_t a = self->a[j];
    int64_t low = s->bound[t];
    return a * (cns_high(s, t) - low) <= slack ||
           cns_raise(s, t ^ 1, -(low + (a == 1 ? slack : slack / a)),
                     cns_reason_of(&self->base, (uint32_t)j));
}

static bool propagate_two(cns_state *s, cns_propagator *p) {
    two *self = (two *)p;
    int condition = s->value[self->base.condition];
    if (condition < 0) {
        return true;
    }
    int64_t slack = self->c - self->a[0] * s->bound[self->t[0]] - self->a[1] * s->bound[self->t[1]];
    if (slack < 0) {
        return cns_violate(s, &self->base);
    }
    return condition == 0 || (raise_other(s, self, 0, slack) && raise_other(s, self, 1, slack));
}

/* The least bound of t[j] that with `rest` from the other term makes the sum more than c. */
static inline int64_t least_beyond(const two *self, int j, int64_t rest) {
    return cns_floor_div(self->c - rest, self->a[j]) + 1;
}

static void explain_two(cns_state *s, cns_propagator *p, uint32_t data, cns_fact fact,
                        uint32_t position, cns_facts *out) {
    two *self = (two *)p;
    if (data != CNS_CONDITION) {
        int other = 1 - (int)data;
        cns_push_condition(s, &self->base, out);
        cns_push_ge(s, out, self->t[other],
                    least_beyond(self, other, self->a[data] * (1 - fact.value)));
        return;
    }
    for (int j = 0; j < 2; j++) { /* does one of them do alone? */
        int64_t alone = least_beyond(self, j, self->a[1 - j] * s->root[self->t[1 - j]]);
        if (alone <= cns_low_at(s, self->t[j], position)) {
            cns_push_ge(s, out, self->t[j], alone);
            return;
        }
    }
    int64_t low = cns_low_at(s, self->t[0], position);
    cns_push_ge(s, out, self->t[0], low);
    cns_push_ge(s, out, self->t[1], least_beyond(self, 1, self->a[0] * low));
}

static const cns_propagator_class two_class = {"linear",   propagate_two, explain_two,
                                               wake_short, NULL,          cns_block_destroy};
static const cns_propagator_class two_free_class = {"linear", propagate_two, explain_two,
                                                    NULL,     NULL,          cns_block_destroy};

static cns_status post_two(cns_state *s, cns_post post, const cns_linear_form *form) {
    bool free = s->value[post.condition] > 0;
    two *self =
        cns_conditional_create(s, post, sizeof *self, free ? &two_free_class : &two_class, 0);
    if (self == NULL) {
        return s->status;
    }
    self->c = form->c;
    for (int j = 0; j < 2; j++) {
        self->a[j] = form->terms[j].a;
        self->t[j] = form->terms[j].term;
    }
    if (cns_conditional_attach(s, &self->base)) {
        for (uint32_t j = 0; j < 2; j++) {
            if (!cns_watch_term(s, self->t[j], &self->base.head, j, CNS_ON_BOUND)) {
                break;
            }
        }
    }
    return s->status;
}

/* ---- differences ---------------------------------------------------------------------------- */

typedef struct sum { /* any of the propagators above, short ones */
    const cns_conditional *base;
    const int64_t *a;
    const cns_term *term;
    int64_t c;
    uint32_t count;
} sum;

/* False: `p` is no sum of few terms. */
static bool short_sum(const cns_propagator *p, sum *out) {
    if (p->class == &two_class || p->class == &two_free_class) {
        const two *self = (const two *)p;
        *out = (sum){&self->base, self->a, self->t, self->c, 2};
        return true;
    }
    if (p->class == &short_class || p->class == &free_class) {
        const linear *self = (const linear *)p;
        *out = (sum){&self->base, self->a, self->term, self->c, self->count};
        return self->count <= CNS_DIFFERENCE_TERMS;
    }
    return false;
}

/* What the others leave to terms i and j together. */
static int64_t left_to(const cns_state *s, const sum *of, uint32_t i, uint32_t j) {
    int64_t left = of->c;
    for (uint32_t k = 0; k < of->count; k++) {
        left -= k == i || k == j ? 0 : of->a[k] * s->bound[of->term[k]];
    }
    return left;
}

uint32_t cns_linear_differences(const cns_state *s, const cns_propagator *p, cns_difference *out) {
    sum of;
    uint32_t count = 0;
    if (!short_sum(p, &of) || !cns_condition_true(s, of.base)) {
        return 0;
    }
    for (uint32_t i = 0; i < of.count; i++) {
        for (uint32_t j = 0; j < of.count; j++) {
            if (i == j || of.a[i] != of.a[j]) {
                continue;
            }
            int64_t gain = -cns_floor_div(left_to(s, &of, i, j), of.a[i]);
            if (gain >= -GAIN_LIMIT && gain <= GAIN_LIMIT) {
                out[count++] = (cns_difference){of.term[i], of.term[j] ^ 1, gain,
                                                p->number,  (uint8_t)i,     (uint8_t)j};
            }
        }
    }
    return count;
}

void cns_explain_difference(cns_state *s, const cns_difference *d, cns_facts *out) {
    sum of;
    if (!short_sum(s->propagators[d->propagator], &of)) {
        CNS_ASSERT(false);
        return;
    }
    cns_push_condition(s, of.base, out);
    for (uint32_t k = 0; k < of.count; k++) {
        if (k != d->i && k != d->j) {
            cns_push_ge(s, out, of.term[k], s->bound[of.term[k]]);
        }
    }
}

/* ---- posting -------------------------------------------------------------------------------- */

/* Sums of 0..1 terms, and up to one integer beside them, are counters of literals. */
static bool is_counter(const cns_linear_form *form, uint32_t *integer) {
    *integer = UINT32_MAX;
    for (uint32_t j = 0; j < form->count; j++) {
        const cns_linear_term *t = &form->terms[j];
        if (t->reach == t->a) {
            continue;
        }
        if (*integer != UINT32_MAX || t->a != 1) {
            return false;
        }
        *integer = j;
    }
    return true;
}

static cns_status post_counter(cns_state *s, cns_post post, const cns_linear_form *form,
                               uint32_t integer) {
    uint32_t n = 0;
    int64_t c = form->c;
    cns_view y = cns_view_constant(0);
    int64_t *a = cns_scratch_create(s, form->count, sizeof *a);
    cns_lit *lits = cns_scratch_create(s, form->count, sizeof *lits);
    for (uint32_t j = 0; s->status == CNS_OK && j < form->count; j++) {
        const cns_linear_term *t = &form->terms[j];
        if (j == integer) {
            y = (cns_view){t->term ^ 1, 0};
            continue;
        }
        int64_t low = cns_low(s, t->term);
        c -= t->a * low;
        a[n] = t->a;
        lits[n] = cns_lit_ge(s, t->term, low + 1);
        if (lits[n++] == CNS_LIT_NONE) {
            break;
        }
    }
    if (s->status == CNS_OK) {
        cns_post_bool_le(s, post, a, lits, n, y, c);
    }
    if (a != NULL) {
        cns_scratch_destroy(s, a, form->count, sizeof *a);
    }
    if (lits != NULL) {
        cns_scratch_destroy(s, lits, form->count, sizeof *lits);
    }
    return s->status;
}

cns_status cns_post_linear_form_le(cns_state *s, cns_post post, const cns_linear_form *form) {
    uint32_t integer;
    if (!cns_post_matters(s, post) || form->c >= form->most) {
        return s->status;
    }
    if (form->c < form->least) {
        return cns_post_implied(s, post, NULL, 0);
    }
    if (form->count == 1) {
        cns_view v = {form->terms[0].term, 0};
        return cns_post_within(s, post, v, cns_view_low(s, v),
                               cns_floor_div(form->c, form->terms[0].a));
    }
    if (is_counter(form, &integer)) {
        return post_counter(s, post, form, integer);
    }
    return form->count == 2 ? post_two(s, post, form) : post_sum(s, post, form);
}

cns_status cns_post_linear_le(cns_state *s, cns_post post, const int64_t *a, cns_views x,
                              int64_t c) {
    cns_linear_form form;
    if (!cns_post_matters(s, post) || !cns_linear_form_init(s, &form, a, x, c)) {
        return s->status;
    }
    form.c = cns_floor_div(form.c, form.divisor);
    cns_post_linear_form_le(s, post, &form);
    cns_linear_form_deinit(s, &form);
    return s->status;
}

cns_status cns_post_linear_eq(cns_state *s, cns_post post, const int64_t *a, cns_views x,
                              int64_t c) {
    cns_linear_form form;
    if (!cns_post_matters(s, post) || !cns_linear_form_init(s, &form, a, x, c)) {
        return s->status;
    }
    bool whole = form.c % form.divisor == 0;
    form.c /= form.divisor;
    if (!whole || form.c < form.least || form.c > form.most) {
        cns_post_implied(s, post, NULL, 0);
    } else if (form.count == 1 && s->value[post.condition] == 0) {
        cns_lit lit = cns_lit_eq(s, form.terms[0].term, form.c);
        cns_post_implied(s, post, &lit, 1);
    } else {
        cns_post_linear_form_le(s, post, &form);
        cns_linear_form_negate(&form);
        cns_post_linear_form_le(s, post, &form);
    }
    cns_linear_form_deinit(s, &form);
    return s->status;
}
