/* SPDX-License-Identifier: MIT
 *
 * solver/globals/maximum.c - the greatest of x[j] is z.
 *
 * z is at least each lower bound and each x[j] at most z's upper bound, for one fact each. The
 * upper bounds of all bound z; where one x[j] alone reaches z's lower bound, it has to. Two that
 * reach it are watched, the first of them with the greatest upper bound.
 */
#include "solver/globals/condition.h"

/* Numbers of reasons: 3 j and one of these, or Z_HIGH. Of watches: 2 j: the lower bound of x[j]
 * rose; 2 j + 1: its upper bound fell; or Z_HIGH: a bound of z moved. */
enum { Z_ABOVE_X = 0, X_BELOW_Z = 1, X_ALONE = 2 };
#define Z_HIGH 0x7fffffffu

typedef struct maximum {
    cns_conditional base;
    cns_view z;
    uint32_t count;
    uint32_t reaching[2]; /* the two greatest upper bounds when it ran last */
    cns_view x[];
} maximum;

static bool wake(cns_state *s, cns_propagator *p, uint32_t data) {
    maximum *self = (maximum *)p;
    if (cns_condition_false(s, &self->base)) {
        return false;
    }
    if (data >= Z_HIGH) {
        return true;
    }
    if (data & 1) {
        return data >> 1 == self->reaching[0] || data >> 1 == self->reaching[1] ||
               cns_view_high(s, self->x[self->reaching[0]]) < cns_view_high(s, self->z);
    }
    return cns_view_low(s, self->x[data >> 1]) > cns_view_low(s, self->z);
}

typedef struct survey {
    int64_t low, high; /* greatest lower and upper bound of the x */
    uint32_t lowest;   /* whose lower bound */
} survey;

static survey look(const cns_state *s, maximum *self) {
    survey found = {INT64_MIN, INT64_MIN, 0};
    uint32_t first = 0;
    uint32_t second = 0;
    int64_t second_high = INT64_MIN;
    for (uint32_t j = 0; j < self->count; j++) {
        int64_t low = cns_view_low(s, self->x[j]);
        int64_t high = cns_view_high(s, self->x[j]);
        if (low > found.low) {
            found.low = low;
            found.lowest = j;
        }
        if (high > found.high) {
            second = first;
            second_high = found.high;
            first = j;
            found.high = high;
        } else if (high > second_high) {
            second = j;
            second_high = high;
        }
    }
    self->reaching[0] = first;
    self->reaching[1] = second;
    return found;
}

/* Every x[j] is at most z, and one that alone reaches z's lower bound gets it. */
static bool lower_all(cns_state *s, maximum *self) {
    int64_t high = cns_view_high(s, self->z);
    int64_t low = cns_view_low(s, self->z);
    uint32_t reaching = 0;
    uint32_t one = 0;
    for (uint32_t j = 0; j < self->count; j++) {
        if (!cns_view_lower(s, self->x[j], high, cns_reason_of(&self->base, 3 * j + X_BELOW_Z))) {
            return false;
        }
        if (cns_view_high(s, self->x[j]) >= low) {
            reaching++;
            one = j;
        }
    }
    if (reaching == 0) { /* holes may have brought it about */
        return cns_violate(s, &self->base);
    }
    return reaching > 1 ||
           cns_view_raise(s, self->x[one], low, cns_reason_of(&self->base, 3 * one + X_ALONE));
}

static bool propagate(cns_state *s, cns_propagator *p) {
    maximum *self = (maximum *)p;
    if (cns_condition_false(s, &self->base)) {
        return true;
    }
    survey found = look(s, self);
    s->ticks += 2 * self->count;
    if (found.high < cns_view_low(s, self->z) || found.low > cns_view_high(s, self->z)) {
        return cns_violate(s, &self->base);
    }
    if (!cns_condition_true(s, &self->base)) {
        return true;
    }
    return cns_view_raise(s, self->z, found.low,
                          cns_reason_of(&self->base, 3 * found.lowest + Z_ABOVE_X)) &&
           cns_view_lower(s, self->z, found.high, cns_reason_of(&self->base, Z_HIGH)) &&
           lower_all(s, self);
}

/* ---- explanations --------------------------------------------------------------------------- */

/* All x but `skip` are below `value`. */
static void push_below(cns_state *s, maximum *self, uint32_t skip, int64_t value, cns_facts *out) {
    for (uint32_t j = 0; j < self->count; j++) {
        if (j != skip) {
            cns_push_view_le(s, out, self->x[j], value - 1);
        }
    }
    s->ticks += self->count;
}

/* z is beyond every x, or some x beyond z. */
static void explain_violation(cns_state *s, maximum *self, uint32_t position, cns_facts *out) {
    int64_t low = cns_view_low_at(s, self->z, position);
    int64_t high = cns_view_high_at(s, self->z, position);
    int64_t greatest = INT64_MIN;
    for (uint32_t j = 0; j < self->count; j++) {
        int64_t least = cns_view_low_at(s, self->x[j], position);
        if (least > high) {
            cns_push_view_ge(s, out, self->x[j], least);
            cns_push_view_le(s, out, self->z, least - 1);
            return;
        }
        greatest = cns_max(greatest, cns_view_high_at(s, self->x[j], position));
    }
    CNS_ASSERT(greatest < low);
    cns_push_view_ge(s, out, self->z, low);
    push_below(s, self, UINT32_MAX, low, out);
}

/* x[j] is at least `value`, as z is at least that and more than all others. */
static void explain_alone(cns_state *s, maximum *self, uint32_t j, int64_t value, uint32_t position,
                          cns_facts *out) {
    for (uint32_t k = 0; k < self->count; k++) {
        if (k != j) {
            value = cns_max(value, cns_view_high_at(s, self->x[k], position) + 1);
        }
    }
    cns_push_view_ge(s, out, self->z, value);
    push_below(s, self, j, value, out);
}

static void explain(cns_state *s, cns_propagator *p, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    maximum *self = (maximum *)p;
    if (data == CNS_CONDITION) {
        explain_violation(s, self, position, out);
        return;
    }
    cns_push_condition(s, &self->base, out);
    if (data == Z_HIGH) { /* z <= v - 1 */
        push_below(s, self, UINT32_MAX, self->z.offset - fact.value + 1, out);
        return;
    }
    uint32_t j = data / 3;
    cns_view x = self->x[j];
    switch (data % 3) {
    case Z_ABOVE_X:
        cns_push_view_ge(s, out, x, fact.value + self->z.offset);
        break;
    case X_BELOW_Z:
        cns_push_view_le(s, out, self->z, x.offset - fact.value);
        break;
    default:
        explain_alone(s, self, j, fact.value + x.offset, position, out);
    }
}

static const cns_propagator_class class = {"maximum", propagate, explain,
                                           wake,      NULL,      cns_block_destroy};

cns_status cns_post_maximum(cns_state *s, cns_post post, cns_views x, cns_view z) {
    if (!cns_post_matters(s, post)) {
        return s->status;
    }
    if (x.count == 0) {
        return cns_post_implied(s, post, NULL, 0);
    }
    if (x.count == 1) {
        return cns_post_linear_eq(s, post, (const int64_t[]){1, -1},
                                  (cns_views){(const cns_view[]){x.data[0], z}, 2}, 0);
    }
    maximum *self =
        cns_conditional_create(s, post, sizeof *self + x.count * sizeof *self->x, &class, 1);
    if (self == NULL) {
        return s->status;
    }
    self->z = z;
    self->count = x.count;
    self->reaching[1] = 1;
    for (uint32_t j = 0; j < x.count; j++) {
        self->x[j] = x.data[j];
    }
    bool ok = cns_conditional_attach(s, &self->base);
    for (uint32_t j = 0; ok && j < x.count; j++) {
        ok = cns_watch_term(s, x.data[j].term, &self->base.head, 2 * j, CNS_ON_BOUND) &&
             cns_watch_term(s, x.data[j].term ^ 1, &self->base.head, 2 * j + 1, CNS_ON_BOUND);
    }
    if (ok) {
        cns_watch_bounds(s, z, &self->base.head, Z_HIGH);
    }
    return s->status;
}
