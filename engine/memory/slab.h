/* SPDX-License-Identifier: MIT
 *
 * memory/slab.h - the heap's storage: segments, cut into slabs of equal blocks.
 *
 *   segment   512 KiB at a multiple of 512 KiB; its first slice holds the header
 *   slice     8 KiB; a slab is a run of 1 to 16 of them
 *   slab      blocks of one size class, with a list of its free ones
 *
 * A block's slab is found from its address alone: mask to the segment, index by slice. A block of
 * over 128 KiB is a segment of its own, longer, with one slab of one block; so every block is freed
 * the same way and its size need not be trusted. A block that a realloc moves, large or on the way
 * there, gets the longest kept segment within reason, and grows into the room behind it. After
 * mimalloc (Leijen, Zorn, de Moura 2019): a free list per slab keeps neighbours together and tells
 * at once when a slab is empty. One thread at a time.
 */
#ifndef CNS_MEMORY_SLAB_H
#define CNS_MEMORY_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cns/base.h"
#include "memory/size_class.h"

enum {
    CNS_SLICE_SHIFT = 13,
    CNS_SLICE = 1 << CNS_SLICE_SHIFT,
    CNS_SEGMENT = 64 * CNS_SLICE,
    CNS_SLICES = 64,
    CNS_BLOCK_ALIGN = 16,
    CNS_BLOCK_ALIGN_MAX = 64 * 1024,
    CNS_ROOMY_MIN = 8 * 1024 /* a growing block of at least this size is worth some room */
};

/* In `used`: the slab is in no queue, since it is full or its one block has no class. Together with
 * 0 it makes one unsigned comparison of all that an owner's free must look at twice. */
#define CNS_SLAB_PARKED UINT32_C(0x80000000)

typedef struct cns_block {
    struct cns_block *next;
} cns_block;

typedef struct cns_slab {
    cns_block *free;
    size_t block_size;
    struct cns_slab *next; /* in the queue of its class */
    struct cns_slab *previous;
    uint32_t used;   /* blocks handed out, and CNS_SLAB_PARKED */
    uint32_t carved; /* blocks that have been free or used so far; those behind are untouched */
    uint32_t capacity;
    uint8_t size_class;
    uint8_t first; /* slice */
    uint8_t slices;
} cns_slab;

typedef struct cns_segment cns_segment;

/* Where a segment is listed: by the longest run of free slices, a power of two. */
enum {
    CNS_BIN_FULL = 0,
    CNS_BIN_RUN = 1, /* 1 + log2 of the run: 1 to 6 */
    CNS_BIN_EMPTY = 7,
    CNS_BIN_LARGE = 8,
    CNS_BIN_LARGE_FREE = 9,
    CNS_BINS = 10
};

typedef struct cns_slabs {
    cns_slab *current[CNS_CLASSES]; /* first of the class's queue, or &none */
    cns_slab *last[CNS_CLASSES];
    uint32_t slab_count[CNS_CLASSES];
    cns_slab none; /* has no free block, ever */
    cns_segment *bins[CNS_BINS];
    cns_context *context;
    uint64_t reserved; /* bytes in segments */
    uint64_t reserved_peak;
    uint64_t retained;       /* of them in the bins EMPTY and LARGE_FREE */
    uint64_t retained_large; /* ... in LARGE_FREE */
    uint32_t roomy;          /* blocks with a class that lie in a large segment */
} cns_slabs;

struct cns_segment {
    cns_slabs *owner;
    cns_segment *next;
    cns_segment *previous;
    size_t mapped;
    uint64_t free;  /* slices */
    uint64_t dirty; /* slices that have been used since the OS last had them; with a large block:
                       not 0 when the room behind it may have been */
    uint32_t bin;
    uint8_t large_first;              /* slice of the one block, in the bins LARGE and LARGE_FREE */
    uint16_t slab_offset[CNS_SLICES]; /* from the segment to the slab that a slice belongs to */
    cns_slab slabs[CNS_SLICES];
};

void cns_slabs_init(cns_slabs *slabs, cns_context *context);
/* Gives everything back. */
void cns_slabs_deinit(cns_slabs *slabs);
/* Frees every block, keeping some segments. */
void cns_slabs_reset(cns_slabs *slabs);

/* The class and the size of the block that serves a request; SIZE_MAX when none can. alignment: a
 * power of two, 16 to CNS_BLOCK_ALIGN_MAX. */
size_t cns_slabs_fit(size_t size, size_t alignment, unsigned *size_class);
/* A block as cns_slabs_fit said; NULL when the context gives no memory. `grows`: it is likely to be
 * asked to grow. */
void *cns_slabs_alloc(cns_slabs *slabs, unsigned size_class, size_t block_size, size_t alignment,
                      bool grows);
/* A block of a size that has a class, with room to grow, in a kept large segment; NULL when there
 * is none, or enough such blocks already. */
void *cns_slabs_alloc_roomy(cns_slabs *slabs, size_t block_size);
/* Makes a large block's size `block_size` (as of cns_slabs_fit, and no less than it is) where it
 * lies; false when there is no room. */
bool cns_slabs_grow(cns_slab *slab, size_t block_size);
/* Frees a block of any slab. */
void cns_slabs_free(cns_slabs *slabs, cns_slab *slab, void *block);
/* The bytes given back to the OS or the host. */
size_t cns_slabs_purge(cns_slabs *slabs);
/* NULL when all invariants hold, else what is broken. `live_bytes`: the sum of used blocks. */
const char *cns_slabs_check(const cns_slabs *slabs, uint64_t *live_bytes);

static inline cns_segment *cns_segment_of(const void *pointer) {
    return (cns_segment *)((uintptr_t)pointer & ~(uintptr_t)(CNS_SEGMENT - 1));
}

/* requires: `block` is a block of some cns_slabs. */
static inline cns_slab *cns_slab_of(const void *block) {
    cns_segment *segment = cns_segment_of(block);
    size_t slice = ((uintptr_t)block & (CNS_SEGMENT - 1)) >> CNS_SLICE_SHIFT;
    return (cns_slab *)((char *)segment + segment->slab_offset[slice]);
}

#endif
