/* SPDX-License-Identifier: MIT
 *
 * solver/globals/condition.c - see condition.h.
 */
#include "solver/globals/condition.h"

void *cns_conditional_create(cns_state *state, cns_post post, size_t size,
                             const cns_propagator_class *class, uint8_t priority) {
    cns_conditional *self = cns_block_create(state, post, size, class, priority);
    if (self != NULL) {
        self->condition = state->value[post.condition] > 0 ? CNS_LIT_TRUE : post.condition;
    }
    return self;
}

bool cns_conditional_attach(cns_state *state, cns_conditional *self) {
    return cns_attach(state, &self->head) == CNS_OK &&
           (self->condition == CNS_LIT_TRUE ||
            cns_watch_lit(state, self->condition, &self->head, CNS_CONDITION));
}

cns_status cns_post_implied(cns_state *state, cns_post post, const cns_lit *lits, uint32_t count) {
    if (!cns_post_matters(state, post)) {
        return state->status;
    }
    cns_lit few[8];
    cns_lit *all = count < 8 ? few : cns_scratch_create(state, count + 1, sizeof *all);
    if (all == NULL) {
        return state->status;
    }
    all[0] = post.condition ^ 1;
    for (uint32_t i = 0; i < count; i++) {
        all[i + 1] = lits[i];
    }
    cns_add_clause(state, all, count + 1);
    if (all != few) {
        cns_scratch_destroy(state, all, count + 1, sizeof *all);
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
