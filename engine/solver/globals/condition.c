/* SPDX-License-Identifier: MIT
 *
 * solver/globals/condition.c - see condition.h.
 */
#include "solver/globals/condition.h"

void *cns_conditional_create(cns_state *state, cns_post post, size_t size,
                             const cns_propagator_class *class, uint8_t priority) {
    cns_conditional *self = cns_context_calloc(state->context, size);
    if (self == NULL) {
        state->status = cns_context_memory_status(state->context, size);
        return NULL;
    }
    self->size = size;
    self->condition = state->value[post.condition] > 0 ? CNS_LIT_TRUE : post.condition;
    self->head.class = class;
    self->head.origin = post.origin;
    self->head.priority = priority;
    return self;
}

void cns_conditional_destroy(cns_state *state, cns_propagator *p) {
    cns_context_free(state->context, p, ((cns_conditional *)p)->size, CNS_ALIGN_DEFAULT);
}

bool cns_conditional_attach(cns_state *state, cns_conditional *self) {
    return cns_attach(state, &self->head) == CNS_OK &&
           (self->condition == CNS_LIT_TRUE ||
            cns_watch_lit(state, self->condition, &self->head, CNS_CONDITION));
}

void cns_push_value(cns_state *state, cns_facts *out, cns_view v, int64_t value,
                    uint32_t position) {
    cns_lit lit = cns_find_eq(state, v.term, value - v.offset);
    if (lit != CNS_LIT_NONE && cns_true_before(state, lit, position)) {
        cns_facts_push(state, out, cns_fact_lit(lit));
        return;
    }
    cns_push_view_ge(state, out, v, value);
    cns_push_view_le(state, out, v, value);
}

cns_status cns_post_implied(cns_state *state, cns_post post, const cns_lit *lits, uint32_t count) {
    if (!cns_post_matters(state, post)) {
        return state->status;
    }
    cns_lit few[8];
    cns_lit *all = count < 8 ? few : cns_post_alloc(state, count + 1, sizeof *all);
    if (all == NULL) {
        return state->status;
    }
    all[0] = post.condition ^ 1;
    for (uint32_t i = 0; i < count; i++) {
        all[i + 1] = lits[i];
    }
    cns_add_clause(state, all, count + 1);
    if (all != few) {
        cns_post_free(state, all, count + 1, sizeof *all);
    }
    return state->status;
}

static bool imply_ge(cns_state *state, cns_post post, cns_term term, int64_t value) {
    if (value <= state->root[term]) {
        return true;
    }
    if (state->value[post.condition] > 0) {
        return cns_raise(state, term, value, CNS_REASON_NONE);
    }
    cns_lit lit = cns_lit_ge(state, term, value);
    return lit != CNS_LIT_NONE && cns_post_implied(state, post, &lit, 1) == CNS_OK;
}

cns_status cns_post_within(cns_state *state, cns_post post, cns_view v, int64_t low, int64_t high) {
    if (cns_post_matters(state, post) && imply_ge(state, post, v.term, low - v.offset) &&
        cns_post_matters(state, post)) {
        imply_ge(state, post, v.term ^ 1, v.offset - high);
    }
    return state->status;
}

void *cns_post_alloc(cns_state *state, size_t count, size_t element) {
    size_t size = count == 0 ? element : count * element;
    void *scratch = cns_context_calloc(state->context, size);
    if (scratch == NULL) {
        state->status = cns_context_memory_status(state->context, size);
    }
    return scratch;
}

void cns_post_free(cns_state *state, void *scratch, size_t count, size_t element) {
    cns_context_free(state->context, scratch, count == 0 ? element : count * element,
                     CNS_ALIGN_DEFAULT);
}
