/* SPDX-License-Identifier: MIT
 *
 * block_overlap.c - whether a run may do first all loads of a block, then all its stores.
 *
 * The loop does iteration after iteration; a block does access after access, all loads before all
 * stores. Two accesses change places when the one of the later iteration would come first: then
 * they must not meet. Accesses in equal steps meet only at a fixed distance of iterations, which
 * limits the size of a block instead of refusing it.
 */
#include "vm/arithmetic.h"
#include "vm/block_code.h"

/* Where an access reaches in a run: addresses from low up to high; `step` bytes an iteration. */
typedef struct reach {
    uint64_t low;
    uint64_t high;
    uint64_t first;
    int64_t step;
    int64_t size;
    bool stepping;
} reach;

static bool find_reach(const cns_block_access *access, const uint64_t *scalars, uint64_t iterations,
                       reach *out) {
    uint64_t data = scalars[access->data], count = scalars[access->count];
    uint64_t size = cns_type_size(access->type);
    *out = (reach){.low = data, .high = data + count * size, .size = (int64_t)size};
    if (access->first == CNS_BLOCK_NONE) {
        return true;
    }
    int64_t first = (int64_t)scalars[access->first], stride = (int64_t)scalars[access->stride];
    if (!cns_within(count, first, stride, (int64_t)(iterations - 1))) {
        return access->masked; /* else an iteration of this run fails */
    }
    out->stepping = true;
    out->first = data + ((uint64_t)first - 1) * size;
    out->step = (int64_t)((uint64_t)stride * size);
    uint64_t last = out->first + (uint64_t)out->step * (iterations - 1);
    out->low = out->first < last ? out->first : last;
    out->high = (out->first < last ? last : out->first) + size;
    return true;
}

/* How many iterations a block may have for an access that a block does earlier and one that it does
 * later. `swapped`: within an iteration, the loop does them the other way round. */
static uint64_t limit_pair(const reach *earlier, const reach *later, bool swapped) {
    if (earlier->high <= later->low || later->high <= earlier->low) {
        return UINT64_MAX;
    }
    if (!earlier->stepping || !later->stepping || earlier->step != later->step ||
        earlier->size != later->size) {
        return 0;
    }
    int64_t distance = (int64_t)(earlier->first - later->first);
    if (earlier->step == 0) {
        return distance >= later->size || -distance >= later->size ? UINT64_MAX : 0;
    }
    int64_t rest = distance % earlier->step;
    if (rest != 0) {
        int64_t width = earlier->step < 0 ? -earlier->step : earlier->step;
        rest = rest < 0 ? rest + width : rest;
        return rest >= later->size && width - rest >= later->size ? UINT64_MAX : 0;
    }
    /* They meet where `later` is `ahead` iterations ahead of `earlier`. */
    int64_t ahead = distance / earlier->step;
    return ahead > 0 || (ahead == 0 && !swapped) ? UINT64_MAX : (uint64_t)-ahead;
}

uint32_t cns_block_overlap(const cns_block_plan *plan, const uint64_t *scalars, uint64_t iterations,
                           uint8_t *ways) {
    reach all[CNS_BLOCK_ACCESSES];
    uint64_t limit = plan->lanes;
    for (uint32_t i = 0; i < plan->access_count; i++) {
        if (!find_reach(&plan->accesses[i], scalars, iterations, &all[i])) {
            return 0;
        }
        ways[i] = all[i].stepping ? CNS_BLOCK_IN_STEPS : CNS_BLOCK_EVERY_INDEX;
    }
    for (uint32_t i = 0; i < plan->access_count; i++) {
        for (uint32_t j = 0; j < plan->access_count; j++) {
            const cns_block_access *earlier = &plan->accesses[i], *later = &plan->accesses[j];
            bool pair = later->store && (!earlier->store || earlier->order < later->order);
            if (pair) {
                uint64_t most = limit_pair(&all[i], &all[j], later->order < earlier->order);
                limit = most < limit ? most : limit;
            }
        }
    }
    return limit < CNS_BLOCK_STEP ? 0 : (uint32_t)limit;
}
