/* SPDX-License-Identifier: MIT
 *
 * solver/globals/arg_max.c - the place of the first of the greatest views.
 *
 * The greatest is an integer of its own: the view at the index reaches it, those before do not.
 */
#include "solver/globals/block.h"

cns_status cns_post_arg_max(cns_state *state, cns_post post, cns_views x, cns_view index) {
    if (!cns_may_post(state)) {
        return state->status;
    }
    if (x.count == 0) {
        return cns_post_false(state);
    }
    cns_view greatest;
    int64_t low = cns_view_low(state, x.data[0]);
    int64_t high = cns_view_high(state, x.data[0]);
    for (uint32_t i = 1; i < x.count; i++) {
        int64_t a = cns_view_low(state, x.data[i]);
        int64_t b = cns_view_high(state, x.data[i]);
        low = a > low ? a : low;
        high = b > high ? b : high;
    }
    if (!cns_view_confine(state, index, 0, (int64_t)x.count - 1) ||
        cns_new_view(state, low, high, &greatest) != CNS_OK ||
        cns_post_maximum(state, post, x, greatest) != CNS_OK) {
        return state->status;
    }
    for (uint32_t i = 0; i < x.count; i++) {
        cns_lit at = cns_view_lit_eq(state, index, i);
        cns_lit behind = cns_view_lit_ge(state, index, (int64_t)i + 1);
        if ((at != CNS_LIT_FALSE &&
             !cns_post_difference(state, post, at, greatest, x.data[i], 0)) ||
            (behind != CNS_LIT_FALSE &&
             !cns_post_difference(state, post, behind, x.data[i], greatest, -1))) {
            break;
        }
    }
    return state->status;
}
