/* SPDX-License-Identifier: MIT
 *
 * memory/guard.c - guard mode: what was handed out is remembered in a table of its own, so that no
 * mistake of a caller can reach the heap's structure.
 *
 * Each block is followed by a red zone and painted when it is handed out and when it comes back; a
 * freed block waits in a ring before it may be used again, so that a second free and a late write
 * are seen. What is found is logged once and stays the answer of cns_heap_check. All calls lock,
 * remote frees included; messages leave after the lock is gone, since the host's sink may allocate.
 * Under AddressSanitizer zones and freed blocks are poisoned instead: it sees the access itself.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/os.h"
#include "memory/heap.h"
#include "memory/poison.h"

enum {
    PAINT_FRESH = 0xcd,
    PAINT_FREED = 0xdd,
    PAINT_ZONE = 0xfd,
    PAINT_MAX = 64 * 1024, /* of a block; large blocks would otherwise become resident whole */
    ZONE_MIN = 16,
    ZONE_MAX = 256,
    RING_BLOCKS = 64,
    RING_BLOCK_MAX = 4096, /* larger blocks do not wait */
    TABLE_MIN = 64,
    LINE_CAPACITY = 240
};

/* Poisoned bytes cannot have been written, nor may they be looked at. */
#ifdef CNS_POISON
enum { INSPECT = 0 };
#else
enum { INSPECT = 1 };
#endif

typedef struct guard_entry {
    char *block; /* NULL: empty */
    size_t size;
    size_t charge;
    const char *tag;
} guard_entry;

typedef struct freed_block {
    char *block;
    size_t size;
} freed_block;

struct cns_guard {
    cns_heap *heap;
    cns_mutex lock;
    guard_entry *table; /* open addressing, at most half full, capacity a power of two */
    size_t capacity;
    size_t count;
    freed_block ring[RING_BLOCKS];
    unsigned ring_next;
    const char *tag;
    char damage[LINE_CAPACITY]; /* the first that was found; empty: none */
    char line[LINE_CAPACITY];   /* waits to be logged */
    unsigned lines;             /* found since the last unlock */
};

/* ---- reports -------------------------------------------------------------------------------- */

CNS_PRINTF(2, 3)
static void report(cns_guard *guard, const char *format, ...) {
    if (guard->lines++ == 0) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(guard->line, sizeof guard->line, format, arguments);
        va_end(arguments);
    }
    if (!guard->damage[0]) {
        memcpy(guard->damage, guard->line, sizeof guard->damage);
    }
}

void cns_guard_lock(cns_guard *guard) {
    cns_mutex_lock(&guard->lock);
}

void cns_guard_unlock(cns_guard *guard) {
    cns_context *context = guard->heap->context;
    unsigned lines = guard->lines;
    char line[LINE_CAPACITY];
    if (lines) {
        memcpy(line, guard->line, sizeof line);
        guard->lines = 0;
    }
    cns_mutex_unlock(&guard->lock);
    if (lines == 1) {
        cns_context_log(context, CNS_LOG_ERROR, "heap", "%s", line);
    } else if (lines > 1) {
        cns_context_log(context, CNS_LOG_ERROR, "heap", "%s (and %u more)", line, lines - 1);
    }
}

/* ---- the table of live blocks --------------------------------------------------------------- */

static size_t home_of(const cns_guard *guard, const void *block) {
    uint64_t hash = ((uint64_t)(uintptr_t)block >> 4) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(hash >> 32) & (guard->capacity - 1);
}

static guard_entry *table_find(const cns_guard *guard, const void *block) {
    if (!block || guard->capacity == 0) {
        return NULL;
    }
    size_t i = home_of(guard, block);
    while (guard->table[i].block) {
        if (guard->table[i].block == block) {
            return &guard->table[i];
        }
        i = (i + 1) & (guard->capacity - 1);
    }
    return NULL;
}

static void table_insert(cns_guard *guard, const guard_entry *entry) {
    size_t i = home_of(guard, entry->block);
    while (guard->table[i].block) {
        i = (i + 1) & (guard->capacity - 1);
    }
    guard->table[i] = *entry;
    guard->count++;
}

/* Closes the gap by moving back whoever was pushed past it (Knuth 6.4, algorithm R). */
static void table_remove(cns_guard *guard, guard_entry *entry) {
    size_t mask = guard->capacity - 1;
    size_t gap = (size_t)(entry - guard->table);
    for (size_t i = (gap + 1) & mask; guard->table[i].block; i = (i + 1) & mask) {
        size_t home = home_of(guard, guard->table[i].block);
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            guard->table[gap] = guard->table[i];
            gap = i;
        }
    }
    guard->table[gap].block = NULL;
    guard->count--;
}

static bool table_reserve(cns_guard *guard) {
    if (guard->count < guard->capacity / 2) {
        return true;
    }
    size_t old_capacity = guard->capacity;
    size_t capacity = old_capacity ? old_capacity * 2 : TABLE_MIN;
    guard_entry *old = guard->table;
    guard_entry *table = cns_context_calloc(guard->heap->context, capacity * sizeof *table);
    if (!table) {
        return false;
    }
    guard->table = table;
    guard->capacity = capacity;
    guard->count = 0;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].block) {
            table_insert(guard, &old[i]);
        }
    }
    cns_context_free(guard->heap->context, old, old_capacity * sizeof *old, CNS_ALIGN_DEFAULT);
    return true;
}

/* ---- paint ---------------------------------------------------------------------------------- */

static void paint(char *bytes, int colour, size_t size) {
    memset(bytes, colour, size < PAINT_MAX ? size : PAINT_MAX);
}

static bool is_painted(const char *bytes, int colour, size_t size) {
    size = size < PAINT_MAX ? size : PAINT_MAX;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)bytes[i] != colour) {
            return false;
        }
    }
    return true;
}

/* Bytes behind a block of `size` bytes that must stay as they are. */
static size_t zone_size(const char *block, size_t size) {
    size_t room = cns_slab_of(block)->block_size - size;
    return room < ZONE_MAX ? room : ZONE_MAX;
}

static void zone_draw(char *block, size_t size) {
    size_t block_size = cns_slab_of(block)->block_size;
    cns_unpoison(block, block_size);
    memset(block + size, PAINT_ZONE, zone_size(block, size));
    size_t poisoned = cns_align_up(size, 8);
    cns_poison(block + poisoned, block_size - poisoned);
}

static void zone_check(cns_guard *guard, const guard_entry *entry) {
    const char *zone = entry->block + entry->size;
    if (INSPECT && !is_painted(zone, PAINT_ZONE, zone_size(entry->block, entry->size))) {
        report(guard, "heap %s: overflow: bytes behind block %p of %zu bytes, tag %s, were written",
               guard->heap->tag, (void *)entry->block, entry->size, entry->tag);
    }
}

/* ---- freed blocks --------------------------------------------------------------------------- */

static void freed_check(cns_guard *guard, const freed_block *freed) {
    if (INSPECT && !is_painted(freed->block, PAINT_FREED, freed->size)) {
        report(guard, "heap %s: block %p of %zu bytes was written after it was freed",
               guard->heap->tag, (void *)freed->block, freed->size);
    }
}

static void release(cns_guard *guard, char *block) {
    cns_slabs_free(&guard->heap->slabs, cns_slab_of(block), block);
}

static void ring_evict(cns_guard *guard, freed_block *freed) {
    if (freed->block) {
        freed_check(guard, freed);
        release(guard, freed->block);
        freed->block = NULL;
    }
}

static void ring_flush(cns_guard *guard) {
    for (unsigned i = 0; i < RING_BLOCKS; i++) {
        ring_evict(guard, &guard->ring[i]);
    }
}

static bool ring_holds(const cns_guard *guard, const void *block) {
    for (unsigned i = 0; i < RING_BLOCKS; i++) {
        if (guard->ring[i].block == block) {
            return true;
        }
    }
    return false;
}

static void dispose(cns_guard *guard, char *block, size_t size) {
    cns_unpoison(block, cns_slab_of(block)->block_size);
    paint(block, PAINT_FREED, size);
    if (size > RING_BLOCK_MAX) {
        release(guard, block);
        return;
    }
    cns_poison(block, cns_slab_of(block)->block_size);
    freed_block *place = &guard->ring[guard->ring_next++ % RING_BLOCKS];
    ring_evict(guard, place);
    *place = (freed_block){block, size};
}

/* ---- allocation ----------------------------------------------------------------------------- */

static char *raw_alloc(cns_guard *guard, size_t size, size_t alignment) {
    unsigned size_class;
    size_t block_size = cns_slabs_fit(size, alignment, &size_class);
    if (block_size == SIZE_MAX) {
        return NULL;
    }
    char *block = cns_slabs_alloc(&guard->heap->slabs, size_class, block_size, alignment, false);
    if (!block) { /* what waits in the ring may be what is lacking */
        ring_flush(guard);
        block = cns_slabs_alloc(&guard->heap->slabs, size_class, block_size, alignment, false);
    }
    return block;
}

static void *alloc_locked(cns_guard *guard, size_t size, size_t alignment) {
    cns_heap *heap = guard->heap;
    unsigned size_class;
    size_t charge = cns_slabs_fit(size, alignment, &size_class);
    if (charge == SIZE_MAX || !cns_heap_allows(heap, charge) || !table_reserve(guard)) {
        return NULL;
    }
    /* Room for the largest size of the same charge, so that such a realloc need not move. */
    char *block = raw_alloc(guard, charge + ZONE_MIN, alignment);
    if (!block) {
        return NULL;
    }
    cns_heap_account(heap, charge);
    guard_entry entry = {block, size, charge, guard->tag};
    table_insert(guard, &entry);
    zone_draw(block, size);
    paint(block, PAINT_FRESH, size);
    return block;
}

void *cns_guard_alloc(cns_guard *guard, size_t size, size_t alignment) {
    cns_guard_lock(guard);
    void *block = alloc_locked(guard, size, alignment);
    cns_guard_unlock(guard);
    return block;
}

/* The entry of a block that the caller gives back; NULL, reported, when it is not one. */
static guard_entry *find_checked(cns_guard *guard, void *pointer, size_t size) {
    const char *tag = guard->heap->tag;
    guard_entry *entry = table_find(guard, pointer);
    if (!entry) {
        report(guard, "heap %s: bad free of %p: %s", tag, pointer,
               ring_holds(guard, pointer) ? "it was freed already" : "it is no block of this heap");
        return NULL;
    }
    if (entry->size != size) {
        report(guard, "heap %s: block %p of %zu bytes, tag %s, was given back as %zu bytes", tag,
               pointer, entry->size, entry->tag, size);
    }
    zone_check(guard, entry);
    return entry;
}

static void free_entry(cns_guard *guard, guard_entry *entry) {
    guard_entry freed = *entry;
    table_remove(guard, entry);
    cns_heap_unaccount(guard->heap, freed.charge);
    dispose(guard, freed.block, freed.size);
}

void cns_guard_free(cns_guard *guard, void *pointer, size_t size, bool remote) {
    cns_guard_lock(guard);
    guard_entry *entry = find_checked(guard, pointer, size);
    if (entry) {
        free_entry(guard, entry);
        guard->heap->remote_frees += remote;
    }
    cns_guard_unlock(guard);
}

static void *resize_in_place(guard_entry *entry, size_t new_size) {
    size_t old_size = entry->size;
    entry->size = new_size;
    zone_draw(entry->block, new_size);
    if (new_size > old_size) {
        paint(entry->block + old_size, PAINT_FRESH, new_size - old_size);
    }
    return entry->block;
}

static void *realloc_locked(cns_guard *guard, void *pointer, size_t old_size, size_t new_size) {
    guard_entry *entry = find_checked(guard, pointer, old_size);
    if (!entry) {
        return NULL;
    }
    size_t charge = entry->charge;
    if (new_size <= charge && !cns_heap_shrink_moves(charge, new_size)) {
        return resize_in_place(entry, new_size);
    }
    void *moved = alloc_locked(guard, new_size, CNS_BLOCK_ALIGN);
    entry = table_find(guard, pointer); /* the table may have grown */
    if (!moved) {
        return new_size <= charge ? resize_in_place(entry, new_size) : NULL;
    }
    memcpy(moved, pointer, entry->size < new_size ? entry->size : new_size);
    free_entry(guard, entry);
    return moved;
}

void *cns_guard_realloc(cns_guard *guard, void *pointer, size_t old_size, size_t new_size) {
    cns_guard_lock(guard);
    void *block = realloc_locked(guard, pointer, old_size, new_size);
    cns_guard_unlock(guard);
    return block;
}

/* ---- the whole heap ------------------------------------------------------------------------- */

cns_status cns_guard_create(cns_heap *heap, cns_guard **out) {
    cns_guard *guard = cns_context_calloc(heap->context, sizeof *guard);
    if (!guard) {
        return cns_context_memory_status(heap->context, sizeof *guard);
    }
    if (cns_mutex_init(&guard->lock) != 0) {
        cns_context_free(heap->context, guard, sizeof *guard, CNS_ALIGN_DEFAULT);
        return cns_fail(heap->context, CNS_E_NOMEM, "heap: no mutex could be had");
    }
    guard->heap = heap;
    guard->tag = heap->tag;
    *out = guard;
    return CNS_OK;
}

/* One line for each tag. Takes the tags off the entries as it goes. */
static void report_leaks(cns_guard *guard) {
    for (size_t i = 0; i < guard->capacity; i++) {
        const char *tag = guard->table[i].block ? guard->table[i].tag : NULL;
        if (!tag) {
            continue;
        }
        uint64_t blocks = 0;
        uint64_t bytes = 0;
        for (size_t j = i; j < guard->capacity; j++) {
            guard_entry *entry = &guard->table[j];
            if (entry->block && entry->tag && strcmp(entry->tag, tag) == 0) {
                blocks++;
                bytes += entry->size;
                entry->tag = NULL;
            }
        }
        cns_context_log(guard->heap->context, CNS_LOG_WARNING, "heap",
                        "heap %s: leak: %llu blocks, %llu bytes, tag %s", guard->heap->tag,
                        (unsigned long long)blocks, (unsigned long long)bytes, tag);
    }
}

void cns_guard_destroy(cns_guard *guard) {
    if (!guard) {
        return;
    }
    cns_guard_lock(guard);
    for (size_t i = 0; i < guard->capacity; i++) {
        if (guard->table[i].block) {
            zone_check(guard, &guard->table[i]);
        }
    }
    ring_flush(guard);
    cns_guard_unlock(guard);
    report_leaks(guard);
    cns_mutex_deinit(&guard->lock);
    cns_context *context = guard->heap->context;
    cns_context_free(context, guard->table, guard->capacity * sizeof *guard->table,
                     CNS_ALIGN_DEFAULT);
    cns_context_free(context, guard, sizeof *guard, CNS_ALIGN_DEFAULT);
}

size_t cns_guard_purge(cns_guard *guard) {
    cns_guard_lock(guard);
    ring_flush(guard);
    size_t given_back = cns_slabs_purge(&guard->heap->slabs);
    cns_guard_unlock(guard);
    return given_back;
}

void cns_guard_reset(cns_guard *guard) {
    cns_guard_lock(guard);
    if (guard->table) {
        memset(guard->table, 0, guard->capacity * sizeof *guard->table);
    }
    guard->count = 0;
    memset(guard->ring, 0, sizeof guard->ring);
    guard->damage[0] = '\0';
    cns_slabs_reset(&guard->heap->slabs);
    guard->heap->live = 0;
    guard->heap->frees = guard->heap->allocs;
    cns_guard_unlock(guard);
}

static const char *check_locked(cns_guard *guard) {
    uint64_t raw_bytes;
    uint64_t charged = 0;
    for (size_t i = 0; i < guard->capacity; i++) {
        if (guard->table[i].block) {
            zone_check(guard, &guard->table[i]);
            charged += guard->table[i].charge;
        }
    }
    for (unsigned i = 0; i < RING_BLOCKS; i++) {
        if (guard->ring[i].block) {
            freed_check(guard, &guard->ring[i]);
        }
    }
    const char *broken = cns_slabs_check(&guard->heap->slabs, &raw_bytes);
    if (broken || guard->damage[0]) {
        return broken ? broken : guard->damage;
    }
    return charged == guard->heap->live ? NULL : "the live bytes do not add up";
}

cns_status cns_guard_check(cns_guard *guard) {
    cns_guard_lock(guard);
    const char *broken = check_locked(guard);
    cns_status status = CNS_OK;
    if (broken) {
        status = cns_fail(guard->heap->context, CNS_E_CORRUPT, "%s", broken);
    }
    cns_guard_unlock(guard);
    return status;
}

void cns_guard_set_tag(cns_guard *guard, const char *tag) {
    cns_guard_lock(guard);
    guard->tag = tag ? tag : guard->heap->tag;
    cns_guard_unlock(guard);
}

uint64_t cns_guard_held(const cns_guard *guard) {
    return guard ? sizeof *guard + guard->capacity * sizeof *guard->table : 0;
}
