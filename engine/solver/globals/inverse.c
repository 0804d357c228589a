/* SPDX-License-Identifier: MIT
 *
 * solver/globals/inverse.c - two arrays of views that are each other's inverse.
 *
 * [f[i] = j] and [g[j] = i] are the same: two clauses a pair. So each array's values differ, and a
 * value that only one view has left is found in the other array's domain; Hall intervals add what
 * only bounds show.
 */
#include "solver/globals/block.h"
#include "solver/globals/hall.h"

static bool post_pair(cns_state *state, cns_view f, int64_t j, cns_view g, int64_t i) {
    cns_lit a = cns_view_lit_eq(state, f, j);
    cns_lit b = cns_view_lit_eq(state, g, i);
    return a == b || (cns_post_clause(state, (cns_lit[]){a ^ 1, b}, 2) &&
                      cns_post_clause(state, (cns_lit[]){a, b ^ 1}, 2));
}

cns_status cns_post_inverse(cns_state *state, cns_post post, cns_views f, cns_views g) {
    if (!cns_may_post(state)) {
        return state->status;
    }
    if (f.count != g.count) {
        return cns_post_false(state);
    }
    int64_t last = (int64_t)f.count - 1;
    for (uint32_t i = 0; i < f.count; i++) {
        if (!cns_view_confine(state, f.data[i], 0, last) ||
            !cns_view_confine(state, g.data[i], 0, last)) {
            return state->status;
        }
    }
    for (uint32_t i = 0; i < f.count; i++) {
        for (uint32_t j = 0; j < g.count; j++) {
            if (!post_pair(state, f.data[i], j, g.data[j], i)) {
                return state->status;
            }
        }
    }
    cns_post_hall(state, post, f);
    return cns_post_hall(state, post, g);
}
