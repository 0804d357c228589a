/* SPDX-License-Identifier: MIT
 *
 * solver/globals/block.h - what propagators of permutations and extensions share: one block of
 * memory each, facts about fixed views, clauses while posting, orders by keys.
 */
#ifndef CNS_SOLVER_BLOCK_H
#define CNS_SOLVER_BLOCK_H

#include <stddef.h>

#include "solver/globals/globals.h"

/* ---- a propagator and its arrays in one block ------------------------------------------------ */

typedef struct cns_block { /* the head of the propagator's struct */
    cns_propagator head;
    size_t size;
} cns_block;

/* Adds an array to a block that is being laid out; gives its offset, aligned for any type. */
static inline size_t cns_block_place(size_t *size, size_t count, size_t element) {
    size_t offset = (*size + 15) & ~(size_t)15;
    *size = offset + count * element;
    return offset;
}

static inline void *cns_block_at(void *block, size_t offset) {
    return (char *)block + offset;
}

/* A zeroed block; NULL, with the state's status set, when memory gave out. */
void *cns_block_create(cns_state *state, cns_post post, size_t size,
                       const cns_propagator_class *class, uint8_t priority);
/* The `destroy` of such propagators. */
void cns_block_destroy(cns_state *state, cns_propagator *p);
/* Zeroed scratch memory of a function that posts; freed with its size. NULL as above, or when a
 * limit is reached. */
void *cns_scratch_create(cns_state *state, size_t count, size_t element);
void cns_scratch_destroy(cns_state *state, void *scratch, size_t count, size_t element);

/* ---- facts ---------------------------------------------------------------------------------- */

/* Appends that `v` is `value`, as it was before `position`: one literal where there is one. */
void cns_push_value(cns_state *state, cns_facts *out, cns_view v, int64_t value, uint32_t position);

/* Appends term >= value, unless the root says so. */
static inline void cns_push_ge(cns_state *s, cns_facts *out, cns_term term, int64_t value) {
    if (value > s->root[term]) {
        cns_facts_push(s, out, cns_fact_ge(term, value));
    }
}

static inline void cns_push_view_ge(cns_state *s, cns_facts *out, cns_view v, int64_t value) {
    cns_push_ge(s, out, v.term, value - v.offset);
}

static inline void cns_push_view_le(cns_state *s, cns_facts *out, cns_view v, int64_t value) {
    cns_push_ge(s, out, v.term ^ 1, v.offset - value);
}

static inline bool cns_view_fixed_before(const cns_state *s, cns_view v, uint32_t position) {
    return cns_view_low_before(s, v, position) == cns_view_high_before(s, v, position);
}

/* ---- posting -------------------------------------------------------------------------------- */

static inline bool cns_may_post(const cns_state *s) {
    return s->status == CNS_OK && !s->failed;
}

/* low <= v <= high as a fact of the root; false when the state failed or memory gave out. */
bool cns_view_confine(cns_state *state, cns_view v, int64_t low, int64_t high);
/* v is one of `values`, ascending, at least one: clauses say so of wide gaps between them. */
bool cns_view_confine_to(cns_state *state, cns_view v, const int64_t *values, uint32_t count);
/* A new integer of domain low..high. */
cns_status cns_new_view(cns_state *state, int64_t low, int64_t high, cns_view *out);
/* Makes the state infeasible; gives its status. */
cns_status cns_post_false(cns_state *state);
/* cns_add_clause, but false when memory gave out already, as when a literal was made. */
bool cns_post_clause(cns_state *state, const cns_lit *lits, uint32_t count);

/* x - y <= c where `lit` is true; false as above. */
bool cns_post_difference(cns_state *state, cns_post post, cns_lit lit, cns_view x, cns_view y,
                         int64_t c);

/* ---- orders --------------------------------------------------------------------------------- */

/* Sorts `order`, a list of `count` indices, by keys that ascend; quick when almost sorted. */
void cns_order_by(uint32_t *order, uint32_t count, const int64_t *keys);
/* Sorts and removes duplicates; gives how many are left. */
uint32_t cns_values_sort(int64_t *values, uint32_t count);
/* Index of `value` in ascending `values`, or UINT32_MAX. */
uint32_t cns_values_find(const int64_t *values, uint32_t count, int64_t value);
/* Index of the first of values[from .. count - 1], which ascend, that the view's domain has now;
 * `count`: there is none. In time that grows with what it has, not with what lies in its holes. */
uint32_t cns_values_next(const cns_state *state, cns_view v, const int64_t *values, uint32_t from,
                         uint32_t count);

#endif
