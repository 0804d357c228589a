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
#include "solver/globals/holders.h"

static bool post_pair(cns_state *state, cns_view f, int64_t j, cns_view g, int64_t i) {
    cns_lit a = cns_view_lit_eq(state, f, j);
    cns_lit b = cns_view_lit_eq(state, g, i);
    return a == b || (cns_post_clause(state, (cns_lit[]){a ^ 1, b}, 2) &&
                      cns_post_clause(state, (cns_lit[]){a, b ^ 1}, 2));
}

/* Of all pairs (i, j), j ascending, those where f[i] can be j, or g[j] can be i. */
static bool post_pairs_of(cns_state *state, cns_views f, cns_views g, uint32_t i,
                          const int64_t *numbers, const cns_holders *holders) {
    size_t h = holders->start[i], end = holders->start[i + 1];
    uint32_t j = cns_values_next(state, f.data[i], numbers, 0, g.count);
    while (j < g.count || h < end) {
        uint32_t next = h < end && holders->view[h] < j ? holders->view[h] : j;
        if (!post_pair(state, f.data[i], next, g.data[next], i)) {
            return false;
        }
        h += h < end && holders->view[h] == next;
        j = next == j ? cns_values_next(state, f.data[i], numbers, j + 1, g.count) : j;
    }
    return true;
}

static void post_pairs(cns_state *state, cns_views f, cns_views g) {
    int64_t *numbers = cns_scratch_create(state, f.count, sizeof *numbers);
    cns_holders holders = {0};
    if (numbers == NULL) {
        return;
    }
    for (uint32_t i = 0; i < f.count; i++) {
        numbers[i] = i;
    }
    bool good = cns_holders_init(state, &holders, g, numbers, f.count);
    for (uint32_t i = 0; good && i < f.count; i++) {
        good = post_pairs_of(state, f, g, i, numbers, &holders);
    }
    cns_holders_deinit(state, &holders);
    cns_scratch_destroy(state, numbers, f.count, sizeof *numbers);
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
    post_pairs(state, f, g);
    cns_post_hall(state, post, f);
    return cns_post_hall(state, post, g);
}
