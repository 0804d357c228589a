/* SPDX-License-Identifier: MIT
 *
 * memory/pool.c - fixed-size slots named by generation handles.
 *
 * A slot's generation is odd while it is live and even while it is free; handles carry the odd one,
 * so a single comparison tells a live handle from a stale or forged one. A slot that is released at
 * the last odd generation is retired: generation 0, in no list, never used again. Chunks of slots
 * are found through a directory, so that slots never move. One thread at a time.
 */
#include "memory/pool.h"

#include <string.h>

#include "base/bits.h"
#include "base/context.h"
#include "memory/poison.h"

enum {
    SLOT_SIZE_MAX = 1024 * 1024,
    SLOT_ALIGN_MAX = 64,
    CHUNK_BYTES = 64 * 1024, /* about; at least one slot */
    CHUNK_ALIGN = 64,
    DIRECTORY_MIN = 8
};

#define NO_SLOT UINT32_MAX /* never an index: capacity is at most 2^32 - 1 */

/* generations, then links of the free list, then slots */
typedef struct pool_chunk {
    uint32_t *generations;
    uint32_t *links;
    char *slots;
} pool_chunk;

struct cns_pool {
    pool_chunk *chunks;
    unsigned shift; /* log2 of the slots in a chunk */
    uint32_t mask;
    size_t stride;
    uint32_t opened;     /* slots that have been used so far; all below have a generation */
    uint32_t first_free; /* head of the list, last released first */
    uint32_t retired;
    uint32_t live;
    uint32_t capacity;
    uint32_t chunk_count;
    uint32_t directory_capacity;
    size_t slot_size;
    cns_context *context;
};

static uint32_t index_of(cns_handle handle) {
    return (uint32_t)handle;
}

static uint32_t generation_of(cns_handle handle) {
    return (uint32_t)(handle >> 32);
}

static cns_handle handle_of(uint32_t index, uint32_t generation) {
    return (uint64_t)generation << 32 | index;
}

static uint32_t *generation_at(const cns_pool *pool, uint32_t index) {
    return &pool->chunks[index >> pool->shift].generations[index & pool->mask];
}

static uint32_t *link_at(const cns_pool *pool, uint32_t index) {
    return &pool->chunks[index >> pool->shift].links[index & pool->mask];
}

static void *slot_at(const cns_pool *pool, uint32_t index) {
    return pool->chunks[index >> pool->shift].slots + (index & pool->mask) * pool->stride;
}

/* ---- creation ------------------------------------------------------------------------------- */

static cns_status check_config(cns_context *context, const cns_pool_config *config) {
    if (!config || config->size != sizeof *config) {
        return cns_fail(context, CNS_E_INVALID, "pool: config.size must be %zu", sizeof *config);
    }
    if (config->slot_size < 1 || config->slot_size > SLOT_SIZE_MAX) {
        return cns_fail(context, CNS_E_INVALID, "pool: slot_size is %llu, expected 1 to %d",
                        (unsigned long long)config->slot_size, SLOT_SIZE_MAX);
    }
    if (config->slot_align &&
        (!cns_is_power_of_two(config->slot_align) || config->slot_align > SLOT_ALIGN_MAX)) {
        return cns_fail(context, CNS_E_INVALID,
                        "pool: slot_align is %u, expected a power of two up to %d",
                        config->slot_align, SLOT_ALIGN_MAX);
    }
    if (config->capacity > UINT32_MAX) {
        return cns_fail(context, CNS_E_INVALID, "pool: capacity is %llu, expected at most 2^32 - 1",
                        (unsigned long long)config->capacity);
    }
    return CNS_OK;
}

cns_status cns_pool_create(cns_context *context, const cns_pool_config *config, cns_pool **out) {
    if (!context || !out) {
        return cns_fail(context, CNS_E_INVALID, "pool: context and out must not be NULL");
    }
    cns_status status = check_config(context, config);
    if (status != CNS_OK) {
        return status;
    }
    cns_pool *pool = cns_context_calloc(context, sizeof *pool);
    if (!pool) {
        return cns_context_memory_status(context, sizeof *pool);
    }
    size_t alignment = config->slot_align ? config->slot_align : CNS_ALIGN_DEFAULT;
    pool->context = context;
    pool->slot_size = (size_t)config->slot_size;
    pool->stride = cns_align_up(pool->slot_size, alignment);
    pool->capacity = config->capacity ? (uint32_t)config->capacity : UINT32_MAX;
    pool->first_free = NO_SLOT;
    unsigned shift = 0;
    while ((pool->stride << (shift + 1)) <= CHUNK_BYTES && (1u << shift) < pool->capacity) {
        shift++;
    }
    pool->shift = shift;
    pool->mask = (1u << shift) - 1;
    *out = pool;
    return CNS_OK;
}

/* ---- chunks --------------------------------------------------------------------------------- */

static size_t chunk_slots_offset(const cns_pool *pool) {
    return cns_align_up(((size_t)2 * sizeof(uint32_t)) << pool->shift, CHUNK_ALIGN);
}

static size_t chunk_size(const cns_pool *pool) {
    return chunk_slots_offset(pool) + (pool->stride << pool->shift);
}

void cns_pool_destroy(cns_pool *pool) {
    if (!pool) {
        return;
    }
    for (uint32_t i = 0; i < pool->chunk_count; i++) {
        void *chunk = pool->chunks[i].generations;
        cns_unpoison(chunk, chunk_size(pool));
        cns_context_free(pool->context, chunk, chunk_size(pool), CHUNK_ALIGN);
    }
    cns_context_free(pool->context, pool->chunks, pool->directory_capacity * sizeof *pool->chunks,
                     CNS_ALIGN_DEFAULT);
    cns_context_free(pool->context, pool, sizeof *pool, CNS_ALIGN_DEFAULT);
}

static bool directory_reserve(cns_pool *pool) {
    if (pool->chunk_count < pool->directory_capacity) {
        return true;
    }
    uint32_t capacity = pool->directory_capacity ? pool->directory_capacity * 2 : DIRECTORY_MIN;
    size_t entry = sizeof *pool->chunks;
    pool_chunk *chunks = cns_context_realloc(
        pool->context, pool->chunks, pool->directory_capacity * entry, (size_t)capacity * entry);
    if (!chunks) {
        return false;
    }
    pool->chunks = chunks;
    pool->directory_capacity = capacity;
    return true;
}

static cns_status chunk_add(cns_pool *pool) {
    size_t size = chunk_size(pool);
    if (!directory_reserve(pool)) {
        return cns_context_memory_status(pool->context, size);
    }
    char *chunk = cns_context_alloc(pool->context, size, CHUNK_ALIGN);
    if (!chunk) {
        return cns_context_memory_status(pool->context, size);
    }
    uint32_t *words = (uint32_t *)chunk;
    char *slots = chunk + chunk_slots_offset(pool);
    memset(words, 0, (size_t)(slots - chunk));
    cns_poison(slots, pool->stride << pool->shift);
    pool->chunks[pool->chunk_count++] =
        (pool_chunk){words, words + ((size_t)1 << pool->shift), slots};
    return CNS_OK;
}

/* ---- slots ---------------------------------------------------------------------------------- */

/* A free slot's index: one released before, else the next that was never used. */
static cns_status take_slot(cns_pool *pool, uint32_t *out) {
    if (pool->first_free != NO_SLOT) {
        *out = pool->first_free;
        pool->first_free = *link_at(pool, *out);
        return CNS_OK;
    }
    if (pool->opened == pool->capacity) {
        return cns_fail(pool->context, CNS_E_LIMIT, "pool: all %u slots are in use%s",
                        pool->capacity, pool->retired ? " or used up" : "");
    }
    if (pool->opened >> pool->shift == pool->chunk_count) {
        cns_status status = chunk_add(pool);
        if (status != CNS_OK) {
            return status;
        }
    }
    *out = pool->opened++;
    return CNS_OK;
}

cns_status cns_pool_acquire(cns_pool *pool, cns_handle *out) {
    uint32_t index = NO_SLOT;
    cns_status status = take_slot(pool, &index);
    if (status != CNS_OK) {
        return status;
    }
    void *slot = slot_at(pool, index);
    cns_unpoison(slot, pool->slot_size);
    memset(slot, 0, pool->slot_size);
    *out = handle_of(index, ++*generation_at(pool, index));
    pool->live++;
    return CNS_OK;
}

/* The slot's generation, when the handle names a live slot; else NULL. */
static uint32_t *find(const cns_pool *pool, cns_handle handle) {
    uint32_t index = index_of(handle);
    if (index >= pool->opened) {
        return NULL;
    }
    uint32_t *generation = generation_at(pool, index);
    return *generation == generation_of(handle) && (*generation & 1) ? generation : NULL;
}

void *cns_pool_get(const cns_pool *pool, cns_handle handle) {
    return find(pool, handle) ? slot_at(pool, index_of(handle)) : NULL;
}

cns_status cns_pool_release(cns_pool *pool, cns_handle handle) {
    uint32_t *generation = find(pool, handle);
    uint32_t index = index_of(handle);
    if (!generation) {
        return cns_fail(pool->context, CNS_E_STALE,
                        "pool: handle %u of generation %u names no live slot", index,
                        generation_of(handle));
    }
    cns_poison(slot_at(pool, index), pool->stride);
    pool->live--;
    if (++*generation == 0) {
        pool->retired++;
    } else {
        *link_at(pool, index) = pool->first_free;
        pool->first_free = index;
    }
    return CNS_OK;
}

cns_handle cns_pool_next(const cns_pool *pool, cns_handle previous) {
    for (uint64_t i = previous ? (uint64_t)index_of(previous) + 1 : 0; i < pool->opened; i++) {
        uint32_t generation = *generation_at(pool, (uint32_t)i);
        if (generation & 1) {
            return handle_of((uint32_t)i, generation);
        }
    }
    return 0;
}

uint64_t cns_pool_count(const cns_pool *pool) {
    return pool->live;
}

uint64_t cns_pool_held(const cns_pool *pool) {
    return sizeof *pool + pool->directory_capacity * sizeof *pool->chunks +
           (uint64_t)pool->chunk_count * chunk_size(pool);
}

cns_handle cns_pool_set_generation(cns_pool *pool, cns_handle handle, uint32_t generation) {
    uint32_t *current = find(pool, handle);
    if (!current || !(generation & 1)) {
        return 0;
    }
    *current = generation;
    return handle_of(index_of(handle), generation);
}

cns_status cns_pool_check(const cns_pool *pool) {
    uint64_t live = 0;
    uint64_t retired = 0;
    for (uint32_t i = 0; i < pool->opened; i++) {
        uint32_t generation = *generation_at(pool, i);
        live += generation & 1;
        retired += generation == 0;
    }
    uint64_t free_count = 0;
    for (uint32_t i = pool->first_free; i != NO_SLOT; i = *link_at(pool, i)) {
        if (i >= pool->opened || (*generation_at(pool, i) & 1) || ++free_count > pool->opened) {
            return cns_fail(pool->context, CNS_E_CORRUPT, "pool: the free list is damaged");
        }
    }
    if (live != pool->live || retired != pool->retired ||
        live + retired + free_count != pool->opened) {
        return cns_fail(pool->context, CNS_E_CORRUPT, "pool: the slots do not add up");
    }
    return CNS_OK;
}
