/* SPDX-License-Identifier: MIT
 *
 * solver/globals/element.c - x[index] = z over views.
 *
 * A position goes when x there and z have no bounds in common; z lies in the hull of what is left,
 * of which the positions that make its ends are watched; once the index is fixed, x there and z
 * have the same bounds.
 */
#include "solver/globals/index.h"

/* Numbers of reasons: a position that is removed, or one of these. */
#define Z_LOW 0xfffffff0u
#define Z_HIGH 0xfffffff1u
#define X_LOW 0xfffffff2u
#define X_HIGH 0xfffffff3u
/* Of watches: a position, or this. */
#define OTHERS 0xfffffff4u

typedef struct element {
    cns_conditional base;
    cns_view index, z;
    uint32_t count;
    uint32_t lowest, highest; /* positions with the hull's ends, when it ran last */
    cns_view x[];
} element;

/* ---- propagation ---------------------------------------------------------------------------- */

static inline bool apart(const cns_state *s, cns_view x, cns_view z) {
    return cns_view_low(s, x) > cns_view_high(s, z) || cns_view_high(s, x) < cns_view_low(s, z);
}

static bool wake(cns_state *s, cns_propagator *p, uint32_t data) {
    element *self = (element *)p;
    int condition = s->value[self->base.condition];
    if (condition < 0 || data >= OTHERS) {
        return condition >= 0;
    }
    if (!cns_view_has(s, self->index, data)) {
        return false;
    }
    if (apart(s, self->x[data], self->z)) {
        return true;
    }
    return condition > 0 &&
           (data == self->lowest || data == self->highest || cns_view_fixed(s, self->index) ||
            cns_view_low(s, self->x[self->lowest]) > cns_view_low(s, self->z) ||
            cns_view_high(s, self->x[self->highest]) < cns_view_high(s, self->z));
}

typedef struct hull {
    int64_t low, high;
    bool any;
} hull;

/* Removes positions (with an open condition: passes them over), and takes the hull of the rest. */
static bool visit(cns_state *s, element *self, bool remove, hull *out) {
    int64_t begin = cns_max(cns_view_low(s, self->index), 0);
    int64_t end = cns_min(cns_view_high(s, self->index), (int64_t)self->count - 1);
    *out = (hull){INT64_MAX, INT64_MIN, false};
    for (int64_t i = begin; i <= end; i++) {
        cns_view x = self->x[i];
        if (!cns_view_has(s, self->index, i)) {
            continue;
        }
        if (apart(s, x, self->z)) {
            if (remove &&
                !cns_view_remove(s, self->index, i, cns_reason_of(&self->base, (uint32_t)i))) {
                return false;
            }
            continue;
        }
        out->any = true;
        if (cns_view_low(s, x) < out->low) {
            out->low = cns_view_low(s, x);
            self->lowest = (uint32_t)i;
        }
        if (cns_view_high(s, x) > out->high) {
            out->high = cns_view_high(s, x);
            self->highest = (uint32_t)i;
        }
    }
    s->ticks += begin <= end ? (uint64_t)(end - begin + 1) : 0;
    return true;
}

static bool propagate(cns_state *s, cns_propagator *p) {
    element *self = (element *)p;
    int condition = s->value[self->base.condition];
    hull rest;
    if (condition < 0) {
        return true;
    }
    if (!visit(s, self, condition > 0, &rest)) {
        return false;
    }
    if (!rest.any) {
        return cns_violate(s, &self->base);
    }
    if (condition == 0) {
        return true;
    }
    cns_view z = self->z;
    if (!cns_view_raise(s, z, rest.low, cns_reason_of(&self->base, Z_LOW)) ||
        !cns_view_lower(s, z, rest.high, cns_reason_of(&self->base, Z_HIGH))) {
        return false;
    }
    if (!cns_view_fixed(s, self->index)) {
        return true;
    }
    cns_view x = self->x[cns_view_low(s, self->index)];
    return cns_view_raise(s, x, cns_view_low(s, z), cns_reason_of(&self->base, X_LOW)) &&
           cns_view_lower(s, x, cns_view_high(s, z), cns_reason_of(&self->base, X_HIGH));
}

/* ---- explanations --------------------------------------------------------------------------- */

/* a lies above b: facts split between them where one of them may need none. */
static void push_above(cns_state *s, cns_view a, cns_view b, uint32_t position, cns_facts *out) {
    int64_t least = cns_view_low_at(s, a, position);
    int64_t split =
        b.offset - s->root[b.term ^ 1] < least ? least : cns_view_high_at(s, b, position) + 1;
    cns_push_view_ge(s, out, a, split);
    cns_push_view_le(s, out, b, split - 1);
}

static void explain_removal(cns_state *s, element *self, uint32_t i, uint32_t position,
                            cns_facts *out) {
    if (cns_view_low_at(s, self->x[i], position) > cns_view_high_at(s, self->z, position)) {
        push_above(s, self->x[i], self->z, position, out);
    } else {
        push_above(s, self->z, self->x[i], position, out);
    }
}

/* x is at least `least` wherever the index could be; `sign` -1: -x is. */
static void explain_hull(cns_state *s, element *self, bool negated, int64_t least,
                         uint32_t position, cns_facts *out) {
    cns_absence absence = cns_absence_begin(s, self->index, position, out);
    for (uint32_t i = 0; i < self->count; i++) {
        cns_view x = negated ? cns_view_negate(self->x[i]) : self->x[i];
        if (s->root[x.term] + x.offset >= least) {
            continue;
        }
        if (cns_view_lacked(s, self->index, i, position)) {
            cns_absence_push(s, &absence, i);
        } else {
            cns_push_view_ge(s, out, x, least);
        }
    }
    cns_absence_end(s, &absence);
    s->ticks += self->count;
}

static void explain_violation(cns_state *s, element *self, uint32_t position, cns_facts *out) {
    cns_absence absence = cns_absence_begin(s, self->index, position, out);
    int64_t low = cns_view_low_at(s, self->z, position);
    int64_t high = cns_view_high_at(s, self->z, position);
    bool need_low = false;
    bool need_high = false;
    for (uint32_t i = 0; i < self->count; i++) {
        cns_view x = self->x[i];
        if (cns_view_lacked(s, self->index, i, position)) {
            cns_absence_push(s, &absence, i);
        } else if (cns_view_low_at(s, x, position) > high) {
            need_high = true;
            cns_push_view_ge(s, out, x, high + 1);
        } else {
            need_low = true;
            cns_push_view_le(s, out, x, low - 1);
        }
    }
    cns_absence_end(s, &absence);
    if (need_low) {
        cns_push_view_ge(s, out, self->z, low);
    }
    if (need_high) {
        cns_push_view_le(s, out, self->z, high);
    }
    s->ticks += self->count;
}

static void explain(cns_state *s, cns_propagator *p, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    element *self = (element *)p;
    cns_view z = self->z;
    if (data == CNS_CONDITION) {
        explain_violation(s, self, position, out);
        return;
    }
    cns_push_condition(s, &self->base, out);
    if (data == Z_LOW) {
        explain_hull(s, self, false, fact.value + z.offset, position, out);
    } else if (data == Z_HIGH) {
        explain_hull(s, self, true, fact.value - z.offset, position, out);
    } else if (data == X_LOW || data == X_HIGH) {
        int64_t i = cns_view_low_at(s, self->index, position);
        cns_view x = self->x[i];
        cns_push_value(s, out, self->index, i, position);
        if (data == X_LOW) {
            cns_push_view_ge(s, out, z, fact.value + x.offset);
        } else {
            cns_push_view_le(s, out, z, x.offset - fact.value);
        }
    } else {
        explain_removal(s, self, data, position, out);
    }
}

static const cns_propagator_class class = {"element", propagate, explain,
                                           wake,      NULL,      cns_block_destroy};

/* ---- posting -------------------------------------------------------------------------------- */

static cns_status post_values(cns_state *s, cns_post post, cns_view index, cns_views x,
                              cns_view z) {
    int64_t *values = cns_scratch_create(s, x.count, sizeof *values);
    if (values == NULL) {
        return s->status;
    }
    for (uint32_t i = 0; i < x.count; i++) {
        values[i] = cns_view_low(s, x.data[i]);
    }
    cns_post_element_const(s, post, index, values, x.count, z);
    cns_scratch_destroy(s, values, x.count, sizeof *values);
    return s->status;
}

cns_status cns_post_element(cns_state *s, cns_post post, cns_view index, cns_views x, cns_view z) {
    bool fixed = true;
    if (!cns_post_matters(s, post)) {
        return s->status;
    }
    for (uint32_t i = 0; i < x.count && fixed; i++) {
        fixed = cns_view_fixed(s, x.data[i]);
    }
    if (fixed) {
        return post_values(s, post, index, x, z);
    }
    if (cns_view_high(s, index) < 0 || cns_view_low(s, index) >= (int64_t)x.count) {
        return cns_post_implied(s, post, NULL, 0);
    }
    if (cns_post_within(s, post, index, 0, (int64_t)x.count - 1) != CNS_OK ||
        !cns_post_matters(s, post)) {
        return s->status;
    }
    if (cns_view_fixed(s, index)) {
        cns_view at = x.data[cns_view_low(s, index)];
        return cns_post_linear_eq(s, post, (const int64_t[]){1, -1},
                                  (cns_views){(const cns_view[]){at, z}, 2}, 0);
    }
    element *self =
        cns_conditional_create(s, post, sizeof *self + x.count * sizeof *self->x, &class, 1);
    if (self == NULL) {
        return s->status;
    }
    self->index = index;
    self->z = z;
    self->count = x.count;
    for (uint32_t i = 0; i < x.count; i++) {
        self->x[i] = x.data[i];
    }
    bool ok = cns_conditional_attach(s, &self->base);
    for (uint32_t i = 0; ok && i < x.count; i++) {
        ok = cns_watch_bounds(s, x.data[i], &self->base.head, i);
    }
    if (ok && cns_watch_domain(s, index, &self->base.head, OTHERS)) {
        cns_watch_bounds(s, z, &self->base.head, OTHERS);
    }
    return s->status;
}
