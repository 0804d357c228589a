/* SPDX-License-Identifier: MIT
 *
 * solver/globals/arg_sort.c - the places of views in their order, ties by place.
 *
 * The sorted views are integers of their own, tied to the views by order statistics (sort.c) and
 * by the places as indices. Neighbours that are equal have ascending places.
 */
#include "solver/globals/block.h"

typedef struct ordering {
    cns_state *state;
    cns_post post;
    cns_views x, p;
    cns_view *y;
} ordering;

static bool new_sorted(ordering *o) {
    int64_t low = cns_view_low(o->state, o->x.data[0]);
    int64_t high = cns_view_high(o->state, o->x.data[0]);
    for (uint32_t i = 1; i < o->x.count; i++) {
        int64_t a = cns_view_low(o->state, o->x.data[i]);
        int64_t b = cns_view_high(o->state, o->x.data[i]);
        low = a < low ? a : low;
        high = b > high ? b : high;
    }
    for (uint32_t k = 0; k < o->x.count; k++) {
        if (cns_new_view(o->state, low, high, &o->y[k]) != CNS_OK) {
            return false;
        }
    }
    return true;
}

/* y[k] < y[k + 1], or p[k] < p[k + 1]. */
static bool post_tie(ordering *o, uint32_t k) {
    const int64_t difference[2] = {1, -1};
    cns_lit less = cns_new_bool(o->state);
    cns_post values = {o->post.origin, less};
    cns_post places = {o->post.origin, less ^ 1};
    return less != CNS_LIT_NONE && cns_may_post(o->state) &&
           cns_post_linear_le(o->state, values, difference, (cns_views){o->y + k, 2}, -1) ==
               CNS_OK &&
           cns_may_post(o->state) &&
           cns_post_linear_le(o->state, places, difference, (cns_views){o->p.data + k, 2}, -1) ==
               CNS_OK;
}

static void post_ordering(ordering *o) {
    cns_views y = {o->y, o->x.count};
    if (!new_sorted(o) || cns_post_sort(o->state, o->post, o->x, y) != CNS_OK ||
        cns_post_alldifferent(o->state, o->post, o->p) != CNS_OK) {
        return;
    }
    for (uint32_t k = 0; k < o->x.count; k++) {
        if (!cns_may_post(o->state) ||
            cns_post_element(o->state, o->post, o->p.data[k], o->x, o->y[k]) != CNS_OK ||
            (k + 1 < o->x.count && !post_tie(o, k))) {
            return;
        }
    }
}

cns_status cns_post_arg_sort(cns_state *state, cns_post post, cns_views x, cns_views p) {
    if (x.count != p.count) {
        return cns_post_false(state);
    }
    for (uint32_t k = 0; k < p.count; k++) {
        if (!cns_view_confine(state, p.data[k], 0, (int64_t)p.count - 1)) {
            return state->status;
        }
    }
    if (!cns_may_post(state) || x.count == 0) {
        return state->status;
    }
    ordering o = {state, post, x, p, cns_scratch_create(state, x.count, sizeof(cns_view))};
    if (o.y != NULL) {
        post_ordering(&o);
        cns_scratch_destroy(state, o.y, x.count, sizeof(cns_view));
    }
    return state->status;
}
