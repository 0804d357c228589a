/* SPDX-License-Identifier: MIT
 *
 * solver/globals/condition.h - what propagators with a condition share, and posting under one.
 *
 * Such a propagator gives lazy reasons only. The `data` of a reason (and of a watch) is a number of
 * its own, or CNS_CONDITION: it speaks of the condition. While the condition is open it may only
 * make it false; a violated constraint is told by the same call when the condition is true.
 */
#ifndef CNS_SOLVER_CONDITION_H
#define CNS_SOLVER_CONDITION_H

#include "solver/globals/block.h"

#define CNS_CONDITION UINT32_MAX

typedef struct cns_conditional { /* the head of the propagator's struct, one block of memory */
    union {
        cns_propagator head;
        cns_block block;
    };
    cns_lit condition;
} cns_conditional;

/* As cns_block_create, whose `destroy` it shares. */
void *cns_conditional_create(cns_state *state, cns_post post, size_t size,
                             const cns_propagator_class *class, uint8_t priority);
/* Attaches and watches the condition. False: memory gave out, and `self` is gone or the state's. */
bool cns_conditional_attach(cns_state *state, cns_conditional *self);

static inline bool cns_condition_true(const cns_state *s, const cns_conditional *self) {
    return s->value[self->condition] > 0;
}

static inline bool cns_condition_false(const cns_state *s, const cns_conditional *self) {
    return s->value[self->condition] < 0;
}

static inline cns_reason cns_reason_of(const cns_conditional *self, uint32_t data) {
    return cns_reason_lazy(&self->head, data);
}

/* The constraint cannot hold: its `explain` is asked about CNS_CONDITION. */
static inline bool cns_violate(cns_state *s, const cns_conditional *self) {
    return cns_enqueue(s, self->condition ^ 1, cns_reason_of(self, CNS_CONDITION));
}

/* Appends the condition, as every reason but that of CNS_CONDITION needs. */
static inline void cns_push_condition(cns_state *s, const cns_conditional *self, cns_facts *out) {
    if (self->condition != CNS_LIT_TRUE) {
        cns_facts_push(s, out, cns_fact_lit(self->condition));
    }
}

/* ---- facts ---------------------------------------------------------------------------------- */

/* Lower bound of a term before `position`; the same as cns_low_before, quick where it is recent. */
static inline int64_t cns_low_at(const cns_state *s, cns_term term, uint32_t position) {
    return s->last[term] < position ? s->bound[term] : cns_low_before(s, term, position);
}

static inline int64_t cns_view_low_at(const cns_state *s, cns_view v, uint32_t position) {
    return cns_low_at(s, v.term, position) + v.offset;
}

static inline int64_t cns_view_high_at(const cns_state *s, cns_view v, uint32_t position) {
    return v.offset - cns_low_at(s, v.term ^ 1, position);
}

/* ---- cells ---------------------------------------------------------------------------------- */

typedef struct cns_cell { /* a number that is restored on backtracking, saved once a level */
    int64_t value;
    uint32_t saved; /* where in state->saved */
} cns_cell;

static inline bool cns_cell_set(cns_state *s, cns_cell *cell, int64_t value) {
    uint32_t first = s->level == 0 ? 0 : s->levels[s->level - 1].saved;
    if (s->level == 0 || (cell->saved >= first && cell->saved < s->saved_count &&
                          s->saved[cell->saved].cell == &cell->value)) {
        cell->value = value;
        return true;
    }
    cell->saved = s->saved_count;
    return cns_save(s, &cell->value, value);
}

/* ---- posting -------------------------------------------------------------------------------- */

/* Whether anything can come of posting: no failure so far, and the condition may be true. */
static inline bool cns_post_matters(const cns_state *s, cns_post post) {
    return s->status == CNS_OK && !s->failed && s->value[post.condition] >= 0;
}

/* The condition implies the clause; without literals: it is false. Gives the state's status. */
cns_status cns_post_implied(cns_state *state, cns_post post, const cns_lit *lits, uint32_t count);
/* The condition implies low <= view <= high. */
cns_status cns_post_within(cns_state *state, cns_post post, cns_view v, int64_t low, int64_t high);

/* ---- whole numbers -------------------------------------------------------------------------- */

/* a / b rounded down, up; b > 0. */
static inline int64_t cns_floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

static inline int64_t cns_ceil_div(int64_t a, int64_t b) {
    return a / b + (a % b > 0);
}

static inline int64_t cns_min(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int64_t cns_max(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Greatest common divisor of a >= 0 and b >= 0. */
static inline int64_t cns_gcd(int64_t a, int64_t b) {
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

#endif
