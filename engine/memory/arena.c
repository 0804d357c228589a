/* SPDX-License-Identifier: MIT
 *
 * memory/arena.c - bump allocation from a stack of blocks, cut back to marks.
 *
 * A position counts the bytes handed out with their padding; a block remembers the position it
 * began at. Whether a mark still holds is decided without a list of marks: `cuts` keeps the
 * restores that a mark could have fallen victim to, positions strictly rising with age falling, so
 * the first one younger than the mark is the deepest. A restore adds at most one, and only after an
 * allocation: room for it is made there, where failing is allowed. One thread at a time.
 */
#include <string.h>

#include "base/bits.h"
#include "base/context.h"
#include "cns/memory.h"
#include "memory/poison.h"

enum {
    BLOCK_FIRST = 8 * 1024,
    BLOCK_MAX = 1024 * 1024,
    BLOCK_MAPPED = 64 * 1024, /* from here on blocks are mapped from the OS */
    ALIGN_MAX = 4096,
    BLOCK_ALIGN = 64,
    CUTS_MIN = 8,
    PAINT_FREED = 0xdd
};

typedef struct arena_block {
    struct arena_block *previous;
    size_t size;    /* with this header */
    size_t used;    /* bytes of the data; of the newest block, as of when it was the newest */
    uint64_t begin; /* the position of its first byte */
} arena_block;

/* A restore: marks younger than `serial` are not concerned, older ones above `position` died. */
typedef struct arena_cut {
    uint64_t serial;
    uint64_t position;
} arena_cut;

struct cns_arena {
    char *cursor; /* of the newest block */
    char *end;
    arena_block *newest;
    arena_cut *cuts;
    size_t cut_count;
    size_t cut_capacity;
    uint64_t serial; /* of the last restore */
    arena_block *spare;
    cns_context *context;
    uint64_t held;
    uint64_t limit;
    size_t block_size; /* 0: growing */
    size_t next_size;
};

enum { HEADER = (sizeof(arena_block) + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN };

static char *data_of(arena_block *block) {
    return (char *)block + HEADER;
}

/* ---- blocks --------------------------------------------------------------------------------- */

static arena_block *block_create(cns_arena *arena, size_t size) {
    if (arena->limit && (arena->held > arena->limit || size > arena->limit - arena->held)) {
        return NULL;
    }
    arena_block *block = size < BLOCK_MAPPED ? cns_context_alloc(arena->context, size, BLOCK_ALIGN)
                                             : cns_context_map(arena->context, size, 0, NULL);
    if (block) {
        block->size = size;
        arena->held += size;
        cns_poison(data_of(block), size - HEADER);
    }
    return block;
}

static void block_destroy(cns_arena *arena, arena_block *block) {
    if (!block) {
        return;
    }
    size_t size = block->size;
    cns_unpoison(block, size);
    if (size < BLOCK_MAPPED) {
        cns_context_free(arena->context, block, size, BLOCK_ALIGN);
    } else {
        cns_context_unmap(arena->context, block, size, 0);
    }
    arena->held -= size;
}

/* One block of the usual size is kept, for a loop that crosses a block's end again and again. */
static void block_retire(cns_arena *arena, arena_block *block) {
    if (arena->spare && arena->spare->size >= block->size) {
        block_destroy(arena, block);
        return;
    }
    block_destroy(arena, arena->spare);
    cns_poison(data_of(block), block->size - HEADER);
    arena->spare = block;
}

static uint64_t position_of(const cns_arena *arena) {
    arena_block *block = arena->newest;
    return block ? block->begin + (uint64_t)(arena->cursor - data_of(block)) : 0;
}

static void block_push(cns_arena *arena, arena_block *block) {
    block->begin = position_of(arena);
    block->previous = arena->newest;
    if (arena->newest) {
        arena->newest->used = (size_t)(arena->cursor - data_of(arena->newest));
    }
    arena->newest = block;
    arena->cursor = data_of(block);
    arena->end = (char *)block + block->size;
}

static void block_pop(cns_arena *arena) {
    arena_block *block = arena->newest;
    arena->newest = block->previous;
    if (arena->newest) {
        arena->cursor = data_of(arena->newest) + arena->newest->used;
        arena->end = (char *)arena->newest + arena->newest->size;
    } else {
        arena->cursor = arena->end = NULL;
    }
    block_retire(arena, block);
}

/* The usual size of the next block; what the limit leaves, where that is enough. */
static size_t choose_size(const cns_arena *arena, size_t needed) {
    size_t size = arena->block_size ? arena->block_size : arena->next_size;
    if (arena->limit && arena->held < arena->limit && size > arena->limit - arena->held) {
        size = (size_t)(arena->limit - arena->held);
    }
    return size > needed ? size : needed;
}

static bool block_add(cns_arena *arena, size_t size, size_t alignment) {
    size_t needed = HEADER + size + (alignment > BLOCK_ALIGN ? alignment : 0);
    arena_block *block = arena->spare;
    if (block && block->size >= needed) {
        arena->spare = NULL;
        block_push(arena, block);
        return true;
    }
    block_destroy(arena, block); /* too small, and it may be what the limit lacks */
    arena->spare = NULL;
    block = block_create(arena, choose_size(arena, needed));
    if (!block) {
        block = block_create(arena, needed);
    }
    if (!block) {
        return false;
    }
    if (arena->next_size < BLOCK_MAX) {
        arena->next_size *= 2;
    }
    block_push(arena, block);
    return true;
}

/* ---- creation ------------------------------------------------------------------------------- */

cns_status cns_arena_create(cns_context *context, const cns_arena_config *config, cns_arena **out) {
    static const cns_arena_config defaults = {.size = sizeof defaults};
    if (!context || !out) {
        return cns_fail(context, CNS_E_INVALID, "arena: context and out must not be NULL");
    }
    config = config ? config : &defaults;
    if (config->size != sizeof *config) {
        return cns_fail(context, CNS_E_INVALID, "arena: config.size is %u, expected %zu",
                        config->size, sizeof *config);
    }
    if (config->block_size > SIZE_MAX / 4 || (config->block_size && config->block_size < 256)) {
        return cns_fail(context, CNS_E_INVALID, "arena: block_size is %llu, expected 256 or more",
                        (unsigned long long)config->block_size);
    }
    cns_arena *arena = cns_context_calloc(context, sizeof *arena);
    if (!arena) {
        return cns_context_memory_status(context, sizeof *arena);
    }
    arena->context = context;
    arena->limit = config->limit;
    arena->block_size = (size_t)config->block_size;
    arena->next_size = BLOCK_FIRST;
    *out = arena;
    return CNS_OK;
}

static void pop_all(cns_arena *arena, arena_block *last) {
    while (arena->newest != last) {
        block_pop(arena);
    }
    block_destroy(arena, arena->spare);
    arena->spare = NULL;
}

void cns_arena_destroy(cns_arena *arena) {
    if (!arena) {
        return;
    }
    pop_all(arena, NULL);
    cns_context_free(arena->context, arena->cuts, arena->cut_capacity * sizeof *arena->cuts,
                     CNS_ALIGN_DEFAULT);
    cns_context_free(arena->context, arena, sizeof *arena, CNS_ALIGN_DEFAULT);
}

/* ---- allocation ----------------------------------------------------------------------------- */

static bool cuts_reserve(cns_arena *arena) {
    size_t capacity = arena->cut_capacity ? arena->cut_capacity * 2 : CUTS_MIN;
    arena_cut *cuts = cns_context_realloc(
        arena->context, arena->cuts, arena->cut_capacity * sizeof *cuts, capacity * sizeof *cuts);
    if (!cuts) {
        return false;
    }
    arena->cuts = cuts;
    arena->cut_capacity = capacity;
    return true;
}

static void *bump(cns_arena *arena, size_t size, size_t alignment) {
    size_t padding = (size_t)(-(uintptr_t)arena->cursor & (alignment - 1));
    size_t room = (uintptr_t)arena->end - (uintptr_t)arena->cursor; /* both NULL: 0 */
    if (room < padding || room - padding < size) {
        return NULL;
    }
    char *bytes = arena->cursor + padding;
    arena->cursor = bytes + size;
    cns_unpoison(bytes, size);
    return bytes;
}

void *cns_arena_alloc(cns_arena *arena, size_t size, size_t alignment) {
    alignment = alignment ? alignment : CNS_ALIGN_DEFAULT;
    if (!cns_is_power_of_two(alignment) || alignment > ALIGN_MAX || size > SIZE_MAX / 4) {
        return NULL;
    }
    size = size ? size : 1; /* so that every allocation is a place of its own */
    if (CNS_UNLIKELY(arena->cut_count == arena->cut_capacity) && !cuts_reserve(arena)) {
        return NULL;
    }
    void *bytes = bump(arena, size, alignment);
    if (CNS_UNLIKELY(!bytes) && block_add(arena, size, alignment)) {
        bytes = bump(arena, size, alignment);
    }
    return bytes;
}

char *cns_arena_copy(cns_arena *arena, const char *bytes, size_t length) {
    if (length == SIZE_MAX) {
        return NULL;
    }
    char *copy = cns_arena_alloc(arena, length + 1, 1);
    if (copy) {
        if (length) {
            memcpy(copy, bytes, length);
        }
        copy[length] = '\0';
    }
    return copy;
}

/* ---- marks ---------------------------------------------------------------------------------- */

void cns_arena_save(cns_arena *arena, cns_arena_mark *out) {
    out->position = position_of(arena);
    out->serial = arena->serial;
}

/* The first cut younger than the mark is the deepest of those, positions rising from there. */
static bool is_stale(const cns_arena *arena, const cns_arena_mark *mark) {
    size_t low = 0;
    for (size_t high = arena->cut_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (arena->cuts[middle].serial > mark->serial) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low < arena->cut_count && arena->cuts[low].position < mark->position;
}

/* Older cuts at or above this one concern no mark that this one leaves alone. */
static void cut(cns_arena *arena, uint64_t position) {
    arena->serial++;
    while (arena->cut_count && arena->cuts[arena->cut_count - 1].position >= position) {
        arena->cut_count--;
    }
    arena->cuts[arena->cut_count++] = (arena_cut){arena->serial, position};
}

static void free_from(cns_arena *arena, char *from) {
#ifdef CNS_DEBUG
    cns_unpoison(from, (size_t)(arena->cursor - from));
    memset(from, PAINT_FREED, (size_t)(arena->cursor - from));
#endif
    cns_poison(from, (size_t)(arena->end - from));
    arena->cursor = from;
}

cns_status cns_arena_restore(cns_arena *arena, const cns_arena_mark *mark) {
    uint64_t position = position_of(arena);
    if (mark->serial > arena->serial || mark->position > position || is_stale(arena, mark)) {
        return cns_fail(arena->context, CNS_E_STALE,
                        "arena: the mark lies above a point that was restored since");
    }
    if (mark->position == position) {
        return CNS_OK;
    }
    cut(arena, mark->position);
    while (arena->newest->begin >= mark->position && arena->newest->previous) {
        block_pop(arena);
    }
    free_from(arena, data_of(arena->newest) + (mark->position - arena->newest->begin));
    return CNS_OK;
}

void cns_arena_reset(cns_arena *arena) {
    arena_block *first = arena->newest;
    if (!first) {
        return;
    }
    if (position_of(arena) > 0) {
        cut(arena, 0);
    }
    while (first->previous) {
        first = first->previous;
    }
    pop_all(arena, first);
    free_from(arena, data_of(first));
    arena->next_size = BLOCK_FIRST;
}

/* ---- figures -------------------------------------------------------------------------------- */

uint64_t cns_arena_used(const cns_arena *arena) {
    return position_of(arena);
}

uint64_t cns_arena_held(const cns_arena *arena) {
    return arena->held + sizeof *arena + arena->cut_capacity * sizeof *arena->cuts;
}

static const char *check_blocks(const cns_arena *arena) {
    uint64_t held = arena->spare ? arena->spare->size : 0;
    uint64_t above = position_of(arena);
    for (arena_block *block = arena->newest; block; block = block->previous) {
        size_t used =
            block == arena->newest ? (size_t)(arena->cursor - data_of(block)) : block->used;
        if (used > block->size - HEADER || block->begin + used != above) {
            return "a block's bytes do not add up";
        }
        above = block->begin;
        held += block->size;
    }
    if (above != 0 || held != arena->held) {
        return "the blocks do not add up";
    }
    return NULL;
}

cns_status cns_arena_check(const cns_arena *arena) {
    const char *broken = check_blocks(arena);
    for (size_t i = 1; i < arena->cut_count; i++) {
        if (arena->cuts[i].serial <= arena->cuts[i - 1].serial ||
            arena->cuts[i].position <= arena->cuts[i - 1].position) {
            broken = "the record of restores is out of order";
        }
    }
    return broken ? cns_fail(arena->context, CNS_E_CORRUPT, "arena: %s", broken) : CNS_OK;
}
