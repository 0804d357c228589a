/* SPDX-License-Identifier: MIT
 *
 * memory/slab_check.c - the invariants of slab.h, proved by walking everything.
 *
 * Links in free blocks lie where a stray write can reach them: each is checked to lead to a block
 * of its own slab before it is followed, and lists are counted so that a cycle ends.
 */
#include "memory/poison.h"
#include "memory/slab.h"

static const char *check_link(const cns_slab *slab, const char *base, const cns_block *block) {
    uintptr_t offset = (uintptr_t)block - (uintptr_t)base; /* wraps for what lies before */
    if (offset / slab->block_size >= slab->carved || offset % slab->block_size != 0) {
        return "a free list leads out of its slab: written after free?";
    }
    return NULL;
}

static const char *check_free_list(const cns_slab *slab, const char *base, uint32_t used) {
    uint32_t free_count = 0;
    for (cns_block *block = slab->free; block;) {
        const char *broken = check_link(slab, base, block);
        if (broken) {
            return broken;
        }
        if (++free_count > slab->carved) {
            return "a free list has a cycle: freed twice?";
        }
        cns_unpoison(block, sizeof *block);
        cns_block *next = block->next;
        cns_poison(block, sizeof *block);
        block = next;
    }
    return used + free_count == slab->carved ? NULL : "a slab's blocks do not add up: freed twice?";
}

static bool in_queue(const cns_slabs *slabs, const cns_slab *slab) {
    if (slab->previous ? slab->previous->next != slab : slabs->current[slab->size_class] != slab) {
        return false;
    }
    return slab->next ? slab->next->previous == slab : slabs->last[slab->size_class] == slab;
}

static const char *check_slab(const cns_slabs *slabs, const cns_segment *segment,
                              const cns_slab *slab, uint64_t *live_bytes) {
    uint32_t used = slab->used & ~CNS_SLAB_PARKED;
    bool parked = (slab->used & CNS_SLAB_PARKED) != 0;
    if (used > slab->carved || slab->carved > slab->capacity || slab->block_size == 0) {
        return "a slab's counts are out of order";
    }
    *live_bytes += (uint64_t)used * slab->block_size;
    if (slab->size_class == CNS_CLASS_NONE) {
        return parked && used == 1 ? NULL : "a block without a class is not parked";
    }
    if (slab->block_size != cns_class_size(slab->size_class)) {
        return "a slab's block size is not its class's";
    }
    if (parked ? used != slab->capacity : !in_queue(slabs, slab)) {
        return "a slab is in the wrong queue";
    }
    if (used == 0 && slabs->current[slab->size_class] != slab) {
        return "an empty slab was not retired";
    }
    const char *base = (const char *)segment + (size_t)slab->first * CNS_SLICE;
    return check_free_list(slab, base, used);
}

static const char *check_segment(const cns_slabs *slabs, const cns_segment *segment,
                                 uint64_t *live_bytes) {
    uint64_t free = 1; /* the header's slice is nobody's */
    for (unsigned i = 1; i < CNS_SLICES;) {
        if (segment->free >> i & 1) {
            i++;
            continue;
        }
        const cns_slab *slab = &segment->slabs[i];
        if (slab->first != i || slab->slices == 0 || i + slab->slices > CNS_SLICES) {
            return "a used slice has no slab";
        }
        for (unsigned j = 0; j < slab->slices; j++) {
            free |= UINT64_C(1) << (i + j);
            if ((const char *)segment + segment->slab_offset[i + j] != (const char *)slab) {
                return "a slice names another slab";
            }
        }
        const char *broken = check_slab(slabs, segment, slab, live_bytes);
        if (broken) {
            return broken;
        }
        i += slab->slices;
    }
    return segment->free == ~free ? NULL : "a segment's free slices do not add up";
}

static const char *check_large(const cns_segment *segment, uint64_t *live_bytes, uint32_t *roomy) {
    const cns_slab *slab = &segment->slabs[segment->large_first];
    size_t offset = (size_t)segment->large_first * CNS_SLICE;
    if (segment->slab_offset[segment->large_first] != (const char *)slab - (const char *)segment ||
        slab->used != (CNS_SLAB_PARKED | 1)) {
        return "a large segment has no block";
    }
    *live_bytes += slab->block_size;
    *roomy += slab->block_size <= CNS_CLASS_SIZE_MAX;
    return slab->block_size <= segment->mapped - offset ? NULL : "a large block has grown";
}

const char *cns_slabs_check(const cns_slabs *slabs, uint64_t *live_bytes) {
    uint64_t reserved = 0;
    uint64_t retained[2] = {0, 0}; /* empty segments, large ones */
    uint32_t roomy = 0;
    *live_bytes = 0;
    for (unsigned bin = 0; bin < CNS_BINS; bin++) {
        for (const cns_segment *segment = slabs->bins[bin]; segment; segment = segment->next) {
            if (segment->owner != slabs || segment->bin != bin) {
                return "a segment's header is damaged";
            }
            reserved += segment->mapped;
            retained[0] += bin == CNS_BIN_EMPTY ? segment->mapped : 0;
            retained[1] += bin == CNS_BIN_LARGE_FREE ? segment->mapped : 0;
            const char *broken = bin < CNS_BIN_LARGE    ? check_segment(slabs, segment, live_bytes)
                                 : bin == CNS_BIN_LARGE ? check_large(segment, live_bytes, &roomy)
                                                        : NULL;
            if (broken) {
                return broken;
            }
        }
    }
    if (reserved != slabs->reserved || retained[0] + retained[1] != slabs->retained ||
        retained[1] != slabs->retained_large) {
        return "the reserved bytes do not add up";
    }
    return roomy == slabs->roomy ? NULL : "the roomy blocks do not add up";
}
