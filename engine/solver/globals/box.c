/* SPDX-License-Identifier: MIT
 *
 * solver/globals/box.c - see box.h.
 */
#include "solver/globals/box.h"

typedef struct box_propagator {
    cns_conditional base;
    cns_narrow narrow;
    uint32_t count;
    cns_view v[CNS_BOX_VIEWS];
} box_propagator;

static bool propagate(cns_state *s, cns_propagator *p) {
    box_propagator *self = (box_propagator *)p;
    if (cns_condition_false(s, &self->base)) {
        return true;
    }
    cns_box box = {{{0, 0}, {0, 0}, {0, 0}}};
    for (uint32_t k = 0; k < self->count; k++) {
        box.side[k] = (cns_interval){cns_view_low(s, self->v[k]), cns_view_high(s, self->v[k])};
    }
    s->ticks += 8;
    if (!self->narrow(&box)) {
        return cns_violate(s, &self->base);
    }
    if (!cns_condition_true(s, &self->base)) {
        return true;
    }
    for (uint32_t k = 0; k < self->count; k++) {
        if (!cns_view_raise(s, self->v[k], box.side[k].low, cns_reason_of(&self->base, 2 * k)) ||
            !cns_view_lower(s, self->v[k], box.side[k].high,
                            cns_reason_of(&self->base, 2 * k + 1))) {
            return false;
        }
    }
    return true;
}

/* ---- explanations --------------------------------------------------------------------------- */

static bool refutes(const box_propagator *self, const cns_box *box) {
    cns_box copy = *box;
    for (uint32_t k = 0; k < self->count; k++) {
        if (cns_interval_empty(copy.side[k])) {
            return true;
        }
    }
    return !self->narrow(&copy);
}

static inline int64_t *side_of(cns_box *box, uint32_t which) {
    cns_interval *side = &box->side[which >> 1];
    return which & 1 ? &side->high : &side->low;
}

/* Moves one bound of the box from its place towards `root` while nothing is left in the box. */
static void give_back(const box_propagator *self, cns_box *box, uint32_t which, int64_t root) {
    int64_t *side = side_of(box, which);
    int64_t good = *side;
    *side = root;
    if (refutes(self, box)) {
        return;
    }
    int64_t outwards = which & 1 ? 1 : -1;
    int64_t width = (root - good) * outwards; /* this much does not */
    int64_t step = 1;
    int64_t given = 0;
    while (given + step < width) { /* by doubling: mostly there is nothing to give back */
        *side = good + (given + step) * outwards;
        if (refutes(self, box)) {
            given += step;
            step *= 2;
        } else {
            width = given + step;
            break;
        }
    }
    while (width - given > 1) {
        int64_t middle = given + (width - given) / 2;
        *side = good + middle * outwards;
        if (refutes(self, box)) {
            given = middle;
        } else {
            width = middle;
        }
    }
    *side = good + given * outwards;
}

static void explain(cns_state *s, cns_propagator *p, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    box_propagator *self = (box_propagator *)p;
    cns_box root = {{{0, 0}, {0, 0}, {0, 0}}};
    cns_box box = root;
    for (uint32_t k = 0; k < self->count; k++) {
        cns_view v = self->v[k];
        box.side[k] =
            (cns_interval){cns_view_low_at(s, v, position), cns_view_high_at(s, v, position)};
        root.side[k] = (cns_interval){s->root[v.term] + v.offset, v.offset - s->root[v.term ^ 1]};
    }
    if (data != CNS_CONDITION) {
        cns_view v = self->v[data >> 1];
        cns_push_condition(s, &self->base, out);
        if (data & 1) {
            box.side[data >> 1].low = v.offset - fact.value + 1;
        } else {
            box.side[data >> 1].high = v.offset + fact.value - 1;
        }
    }
    s->ticks += 32;
    CNS_ASSERT(refutes(self, &box));
    for (uint32_t which = 0; which < 2 * self->count; which++) {
        if (data != CNS_CONDITION && which == (data ^ 1)) {
            continue; /* the negation of the fact */
        }
        int64_t limit = *side_of(&root, which);
        int64_t *side = side_of(&box, which);
        if (*side != limit) {
            give_back(self, &box, which, limit);
        }
        if (*side != limit) {
            cns_view v = self->v[which >> 1];
            cns_facts_push(s, out, which & 1 ? cns_view_le(v, *side) : cns_view_ge(v, *side));
        }
    }
}

/* ---- cases of signs ------------------------------------------------------------------------- */

bool cns_narrow_by_signs(cns_box *box,
                         bool (*natural)(cns_interval *x, cns_interval *y, cns_interval *z),
                         bool quotient) {
    cns_interval *side = box->side;
    cns_interval hull[3] = {cns_interval_none(), cns_interval_none(), cns_interval_none()};
    for (int signs = 0; signs < 4; signs++) { /* 1: x < 0, 2: y < 0 */
        bool x_negative = signs & 1;
        bool y_negative = signs & 2;
        bool negative[3] = {x_negative, y_negative,
                            quotient ? x_negative != y_negative : x_negative};
        cns_interval part[3];
        for (int k = 0; k < 3; k++) {
            part[k] = negative[k] ? cns_interval_negate(side[k]) : side[k];
        }
        part[0].low = cns_max(part[0].low, x_negative);
        part[1].low = cns_max(part[1].low, 1);
        part[2].low = cns_max(part[2].low, 0);
        if (cns_interval_empty(part[0]) || cns_interval_empty(part[1]) ||
            cns_interval_empty(part[2]) || !natural(&part[0], &part[1], &part[2])) {
            continue;
        }
        for (int k = 0; k < 3; k++) {
            hull[k] =
                cns_interval_join(hull[k], negative[k] ? cns_interval_negate(part[k]) : part[k]);
        }
    }
    for (int k = 0; k < 3; k++) {
        side[k] = hull[k];
    }
    return !cns_interval_empty(hull[0]);
}

/* ---- posting -------------------------------------------------------------------------------- */

static const cns_propagator_class class = {"arithmetic", propagate, explain,
                                           NULL,         NULL,      cns_block_destroy};

cns_status cns_post_box(cns_state *s, cns_post post, cns_narrow narrow, cns_views v) {
    if (!cns_post_matters(s, post)) {
        return s->status;
    }
    box_propagator *self = cns_conditional_create(s, post, sizeof *self, &class, 1);
    if (self == NULL) {
        return s->status;
    }
    self->narrow = narrow;
    self->count = v.count;
    for (uint32_t k = 0; k < v.count; k++) {
        self->v[k] = v.data[k];
    }
    bool ok = cns_conditional_attach(s, &self->base);
    for (uint32_t k = 0; ok && k < v.count; k++) {
        ok = cns_watch_bounds(s, v.data[k], &self->base.head, k);
    }
    return s->status;
}
