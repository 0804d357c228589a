/* SPDX-License-Identifier: MIT
 *
 * solver/globals/precede.c - values that occur in views only one after the other.
 *
 * A literal per place and value says that the value has occurred up to there (Walsh 2006, for
 * chains). It implies that the value before it had occurred by the place before: with that, what
 * no solution has falls by unit propagation.
 */
#include <string.h>

#include "solver/globals/block.h"

/* The literal that value k has occurred when view `v` is the next one: `before` says up to here,
 * `earlier` that value k - 1 has. CNS_LIT_NONE without memory, or when the state failed. */
static cns_lit occurred(cns_state *state, cns_lit is, cns_lit before, cns_lit earlier) {
    if (is == CNS_LIT_FALSE || before == CNS_LIT_TRUE) {
        return before;
    }
    if (before == CNS_LIT_FALSE) {
        return is;
    }
    cns_lit now = cns_new_bool(state);
    if (now == CNS_LIT_NONE || !cns_post_clause(state, (cns_lit[]){now ^ 1, before, is}, 3) ||
        !cns_post_clause(state, (cns_lit[]){before ^ 1, now}, 2) ||
        !cns_post_clause(state, (cns_lit[]){is ^ 1, now}, 2) ||
        !cns_post_clause(state, (cns_lit[]){now ^ 1, earlier}, 2)) {
        return CNS_LIT_NONE;
    }
    return now;
}

static bool post_place(cns_state *state, cns_view v, const int64_t *values, uint32_t count,
                       const cns_lit *before, cns_lit *now) {
    for (uint32_t k = 0; k < count; k++) {
        cns_lit is = cns_view_lit_eq(state, v, values[k]);
        cns_lit earlier = k == 0 ? CNS_LIT_TRUE : before[k - 1];
        if (is == CNS_LIT_NONE || !cns_post_clause(state, (cns_lit[]){is ^ 1, earlier}, 2)) {
            return false;
        }
        is = cns_view_lit_eq(state, v, values[k]); /* may be known by now */
        now[k] = occurred(state, is, before[k], earlier);
        if (now[k] == CNS_LIT_NONE) {
            return false;
        }
    }
    return true;
}

cns_status cns_post_precede(cns_state *state, cns_post post, cns_views x, const int64_t *values,
                            uint32_t count) {
    (void)post; /* clauses belong to nobody */
    if (!cns_may_post(state) || count < 2) {
        return state->status;
    }
    cns_lit *lits = cns_scratch_create(state, 2 * (size_t)count, sizeof *lits);
    if (lits == NULL) {
        return state->status;
    }
    cns_lit *before = lits;
    cns_lit *now = lits + count;
    for (uint32_t k = 0; k < count; k++) {
        before[k] = CNS_LIT_FALSE;
    }
    for (uint32_t i = 0; i < x.count && post_place(state, x.data[i], values, count, before, now);
         i++) {
        memcpy(before, now, count * sizeof *now);
    }
    cns_scratch_destroy(state, lits, 2 * (size_t)count, sizeof *lits);
    return state->status;
}
