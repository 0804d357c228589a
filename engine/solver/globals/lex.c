/* SPDX-License-Identifier: MIT
 *
 * solver/globals/lex.c - lexicographic order of two arrays of views.
 *
 * A literal per place says that the order holds from there on: then x[i] <= y[i], and x[i] < y[i]
 * or it holds from the next place on. The first of them is the condition. Conflicts can speak
 * about where the arrays are still equal, which a propagator's explanations would repeat.
 */
#include "solver/globals/block.h"
#include "solver/proof.h"

cns_status cns_post_lex(cns_state *state, cns_post post, cns_views x, cns_views y, bool strict) {
    uint32_t count = x.count < y.count ? x.count : y.count;
    bool holds_at_end = strict ? x.count < y.count : x.count <= y.count;
    cns_lit here = post.condition;
    for (uint32_t i = 0; i < count; i++) {
        if (i + 1 == count) { /* the end decides whether equality will do */
            cns_post_difference(state, post, here, x.data[i], y.data[i], holds_at_end ? 0 : -1);
            break;
        }
        cns_lit less = cns_new_bool(state);
        cns_lit next = cns_new_bool(state);
        const int64_t difference[2] = {1, -1};
        const cns_view pair[2] = {x.data[i], y.data[i]};
        cns_proof_define_linear(state, less, false, difference, pair, 2, -1);
        cns_proof_define_part(state, next, "tail", (const int64_t[]){i + 1, strict}, 2);
        if (!cns_post_difference(state, post, here, x.data[i], y.data[i], 0) ||
            !cns_post_difference(state, post, less, x.data[i], y.data[i], -1) ||
            next == CNS_LIT_NONE || !cns_post_clause(state, (cns_lit[]){here ^ 1, less, next}, 3)) {
            break;
        }
        here = next;
    }
    if (count == 0 && !holds_at_end) {
        cns_post_clause(state, (cns_lit[]){here ^ 1}, 1);
    }
    return state->status;
}
