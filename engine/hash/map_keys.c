/* SPDX-License-Identifier: MIT
 *
 * hash/map_keys.c - see map_keys.h. Chunks double in size, so that there are few of them and at
 * most half of the room is unused.
 */
#include "hash/map_keys.h"

#include <string.h>

enum { CHUNK_MIN = 1024, CHUNK_MAX = 1024 * 1024, GARBAGE_MIN = 4096 };

struct cns_key_chunk {
    cns_key_chunk *next;
    size_t capacity;
    size_t used;
    char bytes[];
};

cns_status cns_keys_reserve(cns_context *context, cns_key_store *store, uint64_t size) {
    cns_key_chunk *newest = store->chunks;
    if (newest && size <= newest->capacity - newest->used) {
        return CNS_OK;
    }
    uint64_t wanted = newest ? (uint64_t)newest->capacity * 2 : CHUNK_MIN;
    wanted = wanted < CHUNK_MAX ? wanted : CHUNK_MAX;
    wanted = wanted > size ? wanted : size;
    if (wanted > SIZE_MAX / 4) {
        return cns_fail(context, CNS_E_LIMIT, "map: keys of %llu bytes are beyond any memory",
                        (unsigned long long)wanted);
    }
    size_t total = sizeof *newest + (size_t)wanted;
    cns_key_chunk *chunk = cns_context_alloc(context, total, CNS_ALIGN_DEFAULT);
    if (!chunk) {
        return cns_context_memory_status(context, total);
    }
    chunk->next = newest;
    chunk->capacity = (size_t)wanted;
    chunk->used = 0;
    store->chunks = chunk;
    store->held += total;
    return CNS_OK;
}

const char *cns_keys_append(cns_key_store *store, const void *bytes, size_t size) {
    cns_key_chunk *chunk = store->chunks;
    CNS_ASSERT(chunk && size <= chunk->capacity - chunk->used);
    char *copy = chunk->bytes + chunk->used;
    if (size) {
        memcpy(copy, bytes, size);
    }
    chunk->used += size;
    store->live += size;
    return copy;
}

void cns_keys_remove(cns_key_store *store, size_t size) {
    store->live -= size;
    store->garbage += size;
}

bool cns_keys_wasteful(const cns_key_store *store) {
    return store->garbage > GARBAGE_MIN && store->garbage > store->live;
}

void cns_keys_deinit(cns_context *context, cns_key_store *store) {
    cns_key_chunk *chunk = store->chunks;
    while (chunk) {
        cns_key_chunk *next = chunk->next;
        cns_context_free(context, chunk, sizeof *chunk + chunk->capacity, CNS_ALIGN_DEFAULT);
        chunk = next;
    }
    *store = (cns_key_store){0};
}
