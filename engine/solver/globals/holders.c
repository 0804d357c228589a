/* SPDX-License-Identifier: MIT
 *
 * solver/globals/holders.c - see holders.h.
 */
#include "solver/globals/holders.h"

#include "solver/globals/block.h"

/* How often each value occurs, counted where its list ends. */
static bool count_all(cns_state *state, cns_holders *h, cns_views x, const int64_t *values,
                      uint32_t count) {
    for (uint32_t i = 0; i < x.count && cns_poll(state); i++) {
        uint32_t k = cns_values_next(state, x.data[i], values, 0, count);
        for (; k < count; k = cns_values_next(state, x.data[i], values, k + 1, count)) {
            h->start[k]++;
        }
    }
    for (uint32_t k = 1; k <= count; k++) {
        h->start[k] += h->start[k - 1];
    }
    return state->status == CNS_OK;
}

bool cns_holders_init(cns_state *state, cns_holders *h, cns_views x, const int64_t *values,
                      uint32_t count) {
    *h = (cns_holders){.value_count = count};
    h->start = cns_scratch_create(state, (size_t)count + 1, sizeof *h->start);
    if (h->start == NULL || !count_all(state, h, x, values, count)) {
        return false;
    }
    h->capacity = h->start[count];
    h->view = cns_scratch_create(state, h->capacity, sizeof *h->view);
    for (uint32_t i = x.count; h->view != NULL && i-- > 0 && cns_poll(state);) {
        uint32_t k = cns_values_next(state, x.data[i], values, 0, count);
        for (; k < count; k = cns_values_next(state, x.data[i], values, k + 1, count)) {
            h->view[--h->start[k]] = i; /* ends become starts */
        }
    }
    return state->status == CNS_OK;
}

void cns_holders_deinit(cns_state *state, cns_holders *h) {
    cns_scratch_destroy(state, h->view, h->capacity, sizeof *h->view);
    cns_scratch_destroy(state, h->start, h->value_count + 1, sizeof *h->start);
}
