/* SPDX-License-Identifier: MIT
 *
 * memory/slab.c - see slab.h.
 *
 * Invariants: a slab is in its class's queue unless it is PARKED; only the first of a queue may be
 * empty (it is kept, so that a single block going to and fro costs nothing); a segment is in the
 * bin that its free slices call for. Under AddressSanitizer every byte of a free block is poisoned,
 * and this file lifts the poison for the moment in which it follows a link.
 */
#include "memory/slab.h"

#include <string.h>

#include "base/context.h"
#include "base/os.h"
#include "memory/poison.h"

enum {
    SLICES_MAX = 16,      /* of one slab */
    SLICES_SMALL_MAX = 8, /* ... whose blocks are small */
    CARVE_BYTES = 4096,   /* touch fresh memory about a page at a time */
    RETAIN_MIN = 16 * 1024 * 1024,
    GROWTH_MAX = 8,          /* times its size: the room a growing large block may be given */
    MEDIUM_GROWTH_MAX = 256, /* ... and one that has a class */
    ROOMY_MAX = 4,           /* blocks at once with a class that lie in a large segment */
    ROOMY_SEARCH = 8,        /* kept segments looked at: each look may miss the cache */
    RETAIN_LIMIT_SHARE = 32  /* under a context limit, retain at most this fraction of it */
};

#define ALL_FREE (~UINT64_C(1)) /* all slices but the header's */

_Static_assert(sizeof(cns_segment) <= CNS_SLICE, "the header must fit its slice");
_Static_assert(sizeof(cns_segment) <= UINT16_MAX, "a slab's offset must fit 16 bits");

/* ---- bits of slices ------------------------------------------------------------------------- */

/* Bit i is set when slices i to i + count - 1 are free. */
static uint64_t run_starts(uint64_t free, unsigned count) {
    for (unsigned have = 1; have < count;) {
        unsigned step = have < count - have ? have : count - have;
        free &= free >> step;
        have += step;
    }
    return free;
}

static uint64_t slice_bits(unsigned first, unsigned count) {
    return ((UINT64_C(1) << count) - 1) << first;
}

static unsigned bin_for(uint64_t free) {
    if (free == ALL_FREE) {
        return CNS_BIN_EMPTY;
    }
    unsigned bin = CNS_BIN_FULL;
    for (unsigned run = 1; free != 0; run *= 2) {
        free &= free >> run;
        bin++;
    }
    return bin;
}

static unsigned log2_ceil(unsigned x) {
    return x <= 1 ? 0 : cns_log2_floor(x - 1) + 1;
}

/* ---- segments ------------------------------------------------------------------------------- */

static bool is_retained(uint32_t bin) {
    return bin == CNS_BIN_EMPTY || bin == CNS_BIN_LARGE_FREE;
}

static void bin_insert(cns_slabs *slabs, cns_segment *segment, uint32_t bin) {
    segment->bin = bin;
    segment->previous = NULL;
    segment->next = slabs->bins[bin];
    if (segment->next) {
        segment->next->previous = segment;
    }
    slabs->bins[bin] = segment;
    if (is_retained(bin)) {
        slabs->retained += segment->mapped;
        slabs->retained_large += bin == CNS_BIN_LARGE_FREE ? segment->mapped : 0;
    }
}

static void bin_remove(cns_slabs *slabs, cns_segment *segment) {
    if (segment->previous) {
        segment->previous->next = segment->next;
    } else {
        slabs->bins[segment->bin] = segment->next;
    }
    if (segment->next) {
        segment->next->previous = segment->previous;
    }
    if (is_retained(segment->bin)) {
        slabs->retained -= segment->mapped;
        slabs->retained_large -= segment->bin == CNS_BIN_LARGE_FREE ? segment->mapped : 0;
    }
}

static void bin_move(cns_slabs *slabs, cns_segment *segment, uint32_t bin) {
    if (segment->bin != bin) {
        bin_remove(slabs, segment);
        bin_insert(slabs, segment, bin);
    }
}

static void segment_unmap(cns_slabs *slabs, cns_segment *segment) {
    size_t mapped = segment->mapped;
    bin_remove(slabs, segment);
    cns_unpoison(segment, mapped);
    cns_context_unmap(slabs->context, segment, mapped, CNS_SEGMENT);
    slabs->reserved -= mapped;
}

/* Of the two kinds the one that holds more goes first, or a program's past phase would keep its
 * next from retaining anything; of large segments, which differ, the one freed longest ago. */
static cns_segment *choose_victim(cns_slabs *slabs) {
    cns_segment *large = slabs->bins[CNS_BIN_LARGE_FREE];
    if (slabs->retained_large <= slabs->retained / 2 && slabs->bins[CNS_BIN_EMPTY]) {
        return slabs->bins[CNS_BIN_EMPTY];
    }
    while (large->next) {
        large = large->next;
    }
    return large;
}

static void trim_retained(cns_slabs *slabs, uint64_t allowed) {
    while (slabs->retained > allowed) {
        segment_unmap(slabs, choose_victim(slabs));
    }
}

/* Keeping some of what falls empty spares a program that breathes the page faults; a context with
 * a limit has other heaps that may need it sooner. */
static void trim_to_allowance(cns_slabs *slabs) {
    uint64_t in_use = slabs->reserved - slabs->retained;
    uint64_t allowed = in_use / 2 > RETAIN_MIN ? in_use / 2 : RETAIN_MIN;
    cns_memory_stats stats;
    cns_context_memory(slabs->context, &stats);
    if (stats.limit && allowed > stats.limit / RETAIN_LIMIT_SHARE) {
        allowed = stats.limit / RETAIN_LIMIT_SHARE;
    }
    trim_retained(slabs, allowed);
}

/* ---- queues of slabs ------------------------------------------------------------------------ */

static void *slab_base(const cns_slab *slab) {
    return (char *)cns_segment_of(slab) + (size_t)slab->first * CNS_SLICE;
}

static void queue_append(cns_slabs *slabs, cns_slab *slab) {
    unsigned c = slab->size_class;
    slab->next = NULL;
    slab->previous = slabs->last[c];
    if (slab->previous) {
        slab->previous->next = slab;
    } else {
        slabs->current[c] = slab;
    }
    slabs->last[c] = slab;
}

static void queue_remove(cns_slabs *slabs, cns_slab *slab) {
    unsigned c = slab->size_class;
    if (slab->previous) {
        slab->previous->next = slab->next;
    } else {
        slabs->current[c] = slab->next ? slab->next : &slabs->none;
    }
    if (slab->next) {
        slab->next->previous = slab->previous;
    } else {
        slabs->last[c] = slab->previous;
    }
}

/* Gives an empty slab's slices back to its segment; the slab is in no queue. */
static void slab_retire(cns_slabs *slabs, cns_slab *slab) {
    cns_segment *segment = cns_segment_of(slab);
    slabs->slab_count[slab->size_class]--;
    cns_poison(slab_base(slab), (size_t)slab->slices * CNS_SLICE);
    segment->free |= slice_bits(slab->first, slab->slices);
    slab->slices = 0;
    bin_move(slabs, segment, bin_for(segment->free));
    if (segment->bin == CNS_BIN_EMPTY) {
        trim_to_allowance(slabs);
    }
}

/* Retires the empty slabs that stand first in their queues. */
static bool retire_idle(cns_slabs *slabs) {
    bool any = false;
    for (unsigned c = 1; c < CNS_CLASSES; c++) {
        cns_slab *slab = slabs->current[c];
        if (slab != &slabs->none && slab->used == 0) {
            queue_remove(slabs, slab);
            slab_retire(slabs, slab);
            any = true;
        }
    }
    return any;
}

static cns_segment *segment_map(cns_slabs *slabs, size_t size) {
    cns_segment *segment = cns_context_map(slabs->context, size, CNS_SEGMENT, NULL);
    if (!segment) {
        retire_idle(slabs);
        trim_retained(slabs, 0);
        segment = cns_context_map(slabs->context, size, CNS_SEGMENT, NULL);
    }
    if (!segment) {
        return NULL;
    }
    memset(segment, 0, sizeof *segment);
    segment->owner = slabs;
    segment->mapped = size;
    slabs->reserved += size;
    if (slabs->reserved > slabs->reserved_peak) {
        slabs->reserved_peak = slabs->reserved;
    }
    return segment;
}

/* ---- taking slices -------------------------------------------------------------------------- */

/* A segment with a free run of `count` slices at a multiple of `step`, a power of two below 64. */
static cns_segment *find_run(cns_slabs *slabs, unsigned count, unsigned step, unsigned *first) {
    uint64_t steps = ~UINT64_C(0) / ((UINT64_C(1) << step) - 1);
    for (unsigned bin = CNS_BIN_RUN + log2_ceil(count); bin <= CNS_BIN_EMPTY; bin++) {
        for (cns_segment *segment = slabs->bins[bin]; segment; segment = segment->next) {
            uint64_t starts = run_starts(segment->free, count) & steps;
            if (starts) {
                *first = cns_count_trailing_zeros(starts);
                return segment;
            }
        }
    }
    return NULL;
}

static cns_slab *slab_take(cns_slabs *slabs, unsigned count, unsigned step) {
    unsigned first = 0;
    cns_segment *segment = find_run(slabs, count, step, &first);
    if (!segment && retire_idle(slabs)) {
        segment = find_run(slabs, count, step, &first);
    }
    if (!segment) {
        segment = segment_map(slabs, CNS_SEGMENT);
        if (!segment) {
            return NULL;
        }
        segment->free = ALL_FREE;
        bin_insert(slabs, segment, CNS_BIN_EMPTY);
        cns_poison((char *)segment + CNS_SLICE, CNS_SEGMENT - CNS_SLICE);
        first = step > 1 ? step : 1;
    }
    uint64_t bits = slice_bits(first, count);
    segment->free &= ~bits;
    segment->dirty |= bits;
    bin_move(slabs, segment, bin_for(segment->free));
    cns_slab *slab = &segment->slabs[first];
    for (unsigned i = 0; i < count; i++) {
        segment->slab_offset[first + i] = (uint16_t)((char *)slab - (char *)segment);
    }
    *slab = (cns_slab){.first = (uint8_t)first, .slices = (uint8_t)count};
    return slab;
}

/* The fewest slices of which a slab of such blocks wastes at most an eighth. */
static unsigned slices_needed(size_t block_size) {
    unsigned count = (unsigned)((block_size + CNS_SLICE - 1) / CNS_SLICE);
    while (count < SLICES_MAX && count * CNS_SLICE % block_size > count * CNS_SLICE / 8) {
        count++;
    }
    return count;
}

/* A class that is much used gets larger slabs, one that is not stays within a slice: a small Lua
 * state uses two dozen classes and should fit one segment. */
static cns_slab *slab_create(cns_slabs *slabs, unsigned size_class) {
    size_t block_size = cns_class_size(size_class);
    unsigned least = slices_needed(block_size);
    unsigned doublings = slabs->slab_count[size_class] < 3 ? slabs->slab_count[size_class] : 3;
    unsigned count = least << doublings;
    if (count > SLICES_SMALL_MAX) {
        count = least > SLICES_SMALL_MAX ? least : SLICES_SMALL_MAX;
    }
    cns_slab *slab = slab_take(slabs, count, 1);
    if (!slab && count > least) {
        slab = slab_take(slabs, least, 1);
    }
    if (!slab) {
        return NULL;
    }
    slab->block_size = block_size;
    slab->size_class = (uint8_t)size_class;
    slab->capacity = (uint32_t)((size_t)slab->slices * CNS_SLICE / block_size);
    slabs->slab_count[size_class]++;
    queue_append(slabs, slab);
    return slab;
}

/* Puts untouched blocks, about a page's worth, on the empty free list, in order of address. */
static void slab_carve(cns_slab *slab) {
    uint32_t count = slab->block_size < CARVE_BYTES ? CARVE_BYTES / (uint32_t)slab->block_size : 1;
    if (count > slab->capacity - slab->carved) {
        count = slab->capacity - slab->carved;
    }
    char *begin = (char *)slab_base(slab) + slab->carved * slab->block_size;
    cns_unpoison(begin, count * slab->block_size);
    cns_block *next = NULL;
    for (uint32_t i = count; i-- > 0;) {
        cns_block *block = (cns_block *)(begin + i * slab->block_size);
        block->next = next;
        next = block;
    }
    cns_poison(begin, count * slab->block_size);
    slab->free = next;
    slab->carved += count;
}

/* ---- blocks --------------------------------------------------------------------------------- */

static void *alloc_classed(cns_slabs *slabs, unsigned size_class) {
    cns_slab *slab = slabs->current[size_class];
    while (!slab->free) {
        if (slab == &slabs->none) {
            slab = slab_create(slabs, size_class);
            if (!slab) {
                return NULL;
            }
            slab_carve(slab);
        } else if (slab->carved < slab->capacity) {
            slab_carve(slab);
        } else {
            queue_remove(slabs, slab);
            slab->used |= CNS_SLAB_PARKED;
            slab = slabs->current[size_class];
        }
    }
    cns_block *block = slab->free;
    cns_unpoison(block, slab->block_size);
    slab->free = block->next;
    slab->used++;
    return block;
}

/* A slab for one block that no class serves, because it is aligned beyond a slice. */
static void *alloc_alone(cns_slabs *slabs, size_t block_size, size_t alignment) {
    unsigned step = (unsigned)(alignment / CNS_SLICE);
    cns_slab *slab = slab_take(slabs, (unsigned)(block_size / CNS_SLICE), step);
    if (!slab) {
        return NULL;
    }
    slab->block_size = block_size;
    slab->used = CNS_SLAB_PARKED | 1;
    slab->carved = 1;
    slab->capacity = 1;
    slabs->slab_count[CNS_CLASS_NONE]++;
    cns_unpoison(slab_base(slab), block_size);
    return slab_base(slab);
}

/* The longest kept segment within reason: the room behind the block is what it will grow into, and
 * costs no memory that was not held already. */
static cns_segment *find_large_roomy(cns_slabs *slabs, size_t size, unsigned growth) {
    cns_segment *best = NULL;
    cns_segment *segment = slabs->bins[CNS_BIN_LARGE_FREE];
    for (unsigned seen = 0; segment && seen < ROOMY_SEARCH; segment = segment->next, seen++) {
        if (segment->mapped >= size && segment->mapped / growth <= size &&
            (!best || segment->mapped > best->mapped)) {
            best = segment;
        }
    }
    return best;
}

static cns_segment *find_large_free(cns_slabs *slabs, size_t size) {
    cns_segment *segment = slabs->bins[CNS_BIN_LARGE_FREE];
    while (segment && (segment->mapped < size || segment->mapped - size > size / 8)) {
        segment = segment->next;
    }
    return segment;
}

/* Hands out a listed or fresh large segment as one block. */
static void *large_use(cns_slabs *slabs, cns_segment *segment, size_t offset, size_t block_size) {
    bin_insert(slabs, segment, CNS_BIN_LARGE);
    unsigned first = (unsigned)(offset / CNS_SLICE);
    cns_slab *slab = &segment->slabs[first];
    segment->large_first = (uint8_t)first;
    segment->slab_offset[first] = (uint16_t)((char *)slab - (char *)segment);
    *slab = (cns_slab){.block_size = block_size,
                       .used = CNS_SLAB_PARKED | 1,
                       .carved = 1,
                       .capacity = 1,
                       .first = (uint8_t)first};
    cns_poison((char *)segment + CNS_SLICE, segment->mapped - CNS_SLICE);
    cns_unpoison((char *)segment + offset, block_size);
    return (char *)segment + offset;
}

static void *large_reuse(cns_slabs *slabs, cns_segment *segment, size_t offset, size_t block_size) {
    bin_remove(slabs, segment);
    segment->dirty = 1;
    return large_use(slabs, segment, offset, block_size);
}

static void *alloc_large(cns_slabs *slabs, size_t block_size, size_t alignment, bool grows) {
    size_t offset = alignment > CNS_SLICE ? alignment : CNS_SLICE;
    cns_segment *segment = grows ? find_large_roomy(slabs, offset + block_size, GROWTH_MAX)
                                 : find_large_free(slabs, offset + block_size);
    if (segment) {
        return large_reuse(slabs, segment, offset, block_size);
    }
    segment = segment_map(slabs, offset + block_size);
    return segment ? large_use(slabs, segment, offset, block_size) : NULL;
}

void *cns_slabs_alloc_roomy(cns_slabs *slabs, size_t block_size) {
    cns_segment *segment = NULL;
    if (slabs->roomy < ROOMY_MAX) {
        segment = find_large_roomy(slabs, CNS_SLICE + block_size, MEDIUM_GROWTH_MAX);
    }
    if (!segment) {
        return NULL;
    }
    slabs->roomy++;
    return large_reuse(slabs, segment, CNS_SLICE, block_size);
}

/* Whether a large segment's block could have had a class. */
static bool is_roomy(size_t block_size) {
    return block_size <= CNS_CLASS_SIZE_MAX;
}

bool cns_slabs_grow(cns_slab *slab, size_t block_size) {
    const cns_segment *segment = cns_segment_of(slab);
    if (segment->bin != CNS_BIN_LARGE ||
        block_size > segment->mapped - (size_t)slab->first * CNS_SLICE) {
        return false;
    }
    segment->owner->roomy -= is_roomy(slab->block_size) && !is_roomy(block_size);
    slab->block_size = block_size;
    return true;
}

size_t cns_slabs_fit(size_t size, size_t alignment, unsigned *size_class) {
    *size_class = CNS_CLASS_NONE;
    if (size > CNS_CLASS_SIZE_MAX) {
        return cns_size_rounded(size);
    }
    if (alignment > CNS_SLICE) {
        return cns_align_up(size ? size : 1, CNS_SLICE);
    }
    /* Slabs begin at slices, so blocks of a multiple of the alignment are aligned. A power of two
     * is never more than seven classes away. */
    unsigned c = cns_size_class(size);
    while (cns_class_size(c) % alignment != 0) {
        c++;
    }
    *size_class = c;
    return cns_class_size(c);
}

void *cns_slabs_alloc(cns_slabs *slabs, unsigned size_class, size_t block_size, size_t alignment,
                      bool grows) {
    if (size_class != CNS_CLASS_NONE) {
        return alloc_classed(slabs, size_class);
    }
    if (block_size <= CNS_CLASS_SIZE_MAX) {
        return alloc_alone(slabs, block_size, alignment);
    }
    return alloc_large(slabs, block_size, alignment, grows);
}

static void free_unclassed(cns_slabs *slabs, cns_slab *slab) {
    cns_segment *segment = cns_segment_of(slab);
    slab->used = 0;
    if (segment->bin != CNS_BIN_LARGE) {
        slab_retire(slabs, slab);
        return;
    }
    slabs->roomy -= is_roomy(slab->block_size);
    cns_poison((char *)segment + CNS_SLICE, segment->mapped - CNS_SLICE);
    bin_move(slabs, segment, CNS_BIN_LARGE_FREE);
    trim_to_allowance(slabs);
}

void cns_slabs_free(cns_slabs *slabs, cns_slab *slab, void *pointer) {
    if (slab->size_class == CNS_CLASS_NONE) {
        free_unclassed(slabs, slab);
        return;
    }
    cns_block *block = pointer;
    cns_unpoison(block, sizeof *block);
    block->next = slab->free;
    cns_poison(block, slab->block_size);
    slab->free = block;
    slab->used--;
    if (slab->used & CNS_SLAB_PARKED) {
        slab->used &= ~CNS_SLAB_PARKED;
        queue_append(slabs, slab);
    }
    if (slab->used == 0 && slabs->current[slab->size_class] != slab) {
        queue_remove(slabs, slab);
        slab_retire(slabs, slab);
    }
}

/* ---- all at once ---------------------------------------------------------------------------- */

static void queues_clear(cns_slabs *slabs) {
    for (unsigned c = 0; c < CNS_CLASSES; c++) {
        slabs->current[c] = &slabs->none;
        slabs->last[c] = NULL;
        slabs->slab_count[c] = 0;
    }
}

void cns_slabs_init(cns_slabs *slabs, cns_context *context) {
    memset(slabs, 0, sizeof *slabs);
    slabs->context = context;
    queues_clear(slabs);
}

void cns_slabs_deinit(cns_slabs *slabs) {
    for (unsigned bin = 0; bin < CNS_BINS; bin++) {
        while (slabs->bins[bin]) {
            segment_unmap(slabs, slabs->bins[bin]);
        }
    }
    queues_clear(slabs);
}

void cns_slabs_reset(cns_slabs *slabs) {
    queues_clear(slabs);
    slabs->roomy = 0;
    for (unsigned bin = 0; bin < CNS_BIN_EMPTY; bin++) {
        while (slabs->bins[bin]) {
            cns_segment *segment = slabs->bins[bin];
            segment->free = ALL_FREE;
            cns_poison((char *)segment + CNS_SLICE, CNS_SEGMENT - CNS_SLICE);
            bin_move(slabs, segment, CNS_BIN_EMPTY);
        }
    }
    while (slabs->bins[CNS_BIN_LARGE]) {
        cns_segment *segment = slabs->bins[CNS_BIN_LARGE];
        cns_poison((char *)segment + CNS_SLICE, segment->mapped - CNS_SLICE);
        bin_move(slabs, segment, CNS_BIN_LARGE_FREE);
    }
    trim_to_allowance(slabs);
}

/* Lets the OS have the segment's free slices back, run by run, in whole OS pages. */
static size_t segment_purge(cns_slabs *slabs, cns_segment *segment) {
    size_t page = cns_os_page_size();
    size_t purged = 0;
    uint64_t left = segment->free & segment->dirty;
    while (left) {
        unsigned first = cns_count_trailing_zeros(left);
        uint64_t after = ~(left >> first);
        unsigned count = after ? cns_count_trailing_zeros(after) : CNS_SLICES - first;
        size_t begin = cns_align_up((size_t)first * CNS_SLICE, page);
        size_t end = (size_t)(first + count) * CNS_SLICE / page * page;
        if (end > begin &&
            cns_context_purge(slabs->context, (char *)segment + begin, end - begin)) {
            purged += end - begin;
            segment->dirty &= ~slice_bits(first, count);
        }
        left &= ~slice_bits(first, count);
    }
    return purged;
}

/* Where the one block of a large segment ends, from the segment's beginning. */
static size_t large_end(const cns_segment *segment) {
    unsigned first = segment->large_first;
    return (size_t)first * CNS_SLICE + segment->slabs[first].block_size;
}

/* The same for the room behind a large block, where an earlier block's contents may lie. */
static size_t large_purge(cns_slabs *slabs, cns_segment *segment) {
    size_t page = cns_os_page_size();
    size_t end = segment->mapped / page * page;
    size_t begin = cns_align_up(large_end(segment), page);
    if (!segment->dirty || begin >= end ||
        !cns_context_purge(slabs->context, (char *)segment + begin, end - begin)) {
        return 0;
    }
    segment->dirty = 0;
    return end - begin;
}

size_t cns_slabs_purge(cns_slabs *slabs) {
    retire_idle(slabs);
    size_t given_back = (size_t)slabs->retained;
    trim_retained(slabs, 0);
    for (unsigned bin = CNS_BIN_RUN; bin < CNS_BIN_EMPTY; bin++) {
        for (cns_segment *segment = slabs->bins[bin]; segment; segment = segment->next) {
            given_back += segment_purge(slabs, segment);
        }
    }
    for (cns_segment *segment = slabs->bins[CNS_BIN_LARGE]; segment; segment = segment->next) {
        given_back += large_purge(slabs, segment);
    }
    return given_back;
}
