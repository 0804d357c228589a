/* SPDX-License-Identifier: MIT
 *
 * memory/heap.h - the heap's inside, shared by heap.c and guard.c.
 *
 * The first cache line holds what every allocation and free touches. In guard mode `fast_below` and
 * `fast_above` are set so that no request and no pointer passes the fast paths' first comparison,
 * which is there anyway: release heaps pay nothing for the mode.
 */
#ifndef CNS_MEMORY_HEAP_H
#define CNS_MEMORY_HEAP_H

#include <stdatomic.h>

#include "cns/memory.h"
#include "memory/slab.h"

enum { CNS_HEAP_TAG_CAPACITY = 48 };

typedef struct cns_guard cns_guard;

struct cns_heap {
    size_t fast_below;    /* sizes below are for the fast path */
    uintptr_t fast_above; /* pointers above are for the fast path: 0 leaves out NULL */
    uint64_t live;        /* charged bytes */
    uint64_t limit;       /* what `live` may reach now */
    uint64_t peak;
    uint64_t allocs;
    uint64_t frees;
    cns_guard *guard; /* NULL but in guard mode */
    cns_slabs slabs;
    cns_context *context;
    uint64_t budget;
    uint64_t reserve;
    uint64_t failures;
    uint64_t remote_frees;
    int reserve_open;
    char tag[CNS_HEAP_TAG_CAPACITY];
    _Alignas(64) _Atomic(cns_block *) remote; /* freed by other threads, not yet collected */
};

/* Whether the limit has room for a block of `bytes`. */
static inline bool cns_heap_allows(const cns_heap *heap, size_t bytes) {
    return bytes <= heap->limit && heap->live <= heap->limit - bytes;
}

static inline void cns_heap_account(cns_heap *heap, size_t bytes) {
    heap->live += bytes;
    heap->allocs++;
    if (heap->live > heap->peak) {
        heap->peak = heap->live;
    }
}

static inline void cns_heap_unaccount(cns_heap *heap, size_t bytes) {
    heap->live -= bytes;
    heap->frees++;
}

/* cns_heap_create without guard mode whatever the build, so that debug builds test the slabs, too.
 */
cns_status cns_heap_create_plain(cns_context *context, const cns_heap_config *config,
                                 cns_heap **out);

/* Whether a block that holds `have` bytes should move when it shrinks to `size`: only when that
 * saves half, since Lua's shrinking vectors otherwise pay a copy for little. */
static inline bool cns_heap_shrink_moves(size_t have, size_t size) {
    return cns_size_rounded(size) <= have / 2;
}

/* ---- guard mode (guard.c): any thread, since each call locks --------------------------------- */

cns_status cns_guard_create(cns_heap *heap, cns_guard **out);
/* Reports leaks. */
void cns_guard_destroy(cns_guard *guard);
/* Fails without counting a failure. */
void *cns_guard_alloc(cns_guard *guard, size_t size, size_t alignment);
void *cns_guard_realloc(cns_guard *guard, void *pointer, size_t old_size, size_t new_size);
void cns_guard_free(cns_guard *guard, void *pointer, size_t size, bool remote);
size_t cns_guard_purge(cns_guard *guard);
void cns_guard_reset(cns_guard *guard);
cns_status cns_guard_check(cns_guard *guard);
void cns_guard_set_tag(cns_guard *guard, const char *tag);
/* Around what else touches a guarded heap. */
void cns_guard_lock(cns_guard *guard);
void cns_guard_unlock(cns_guard *guard);
/* Bytes of the guard's own tables. */
uint64_t cns_guard_held(const cns_guard *guard);

#endif
