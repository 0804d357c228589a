/* SPDX-License-Identifier: MIT
 *
 * memory/heap.c - the heap: accounting and fast paths over the slabs of slab.c.
 *
 * An allocation is a class lookup and a pop, a free a mask and a push; neither is atomic, for the
 * heap has one owner. Frees by other threads go on one list, a compare-and-swap each, which the
 * owner takes whole when it leaves the fast path. A block is charged its slab's block size, known
 * without trusting the caller's size, so the account is exact whatever is passed.
 */
#include "memory/heap.h"

#include <string.h>

#include "base/context.h"
#include "memory/poison.h"

/* ---- creation ------------------------------------------------------------------------------- */

static void update_limit(cns_heap *heap) {
    if (heap->budget == 0) {
        heap->limit = UINT64_MAX;
    } else {
        heap->limit = heap->reserve_open ? heap->budget : heap->budget - heap->reserve;
    }
}

static void copy_tag(cns_heap *heap, const char *tag) {
    size_t length = strlen(tag);
    length = length < sizeof heap->tag ? length : sizeof heap->tag - 1;
    memcpy(heap->tag, tag, length);
}

static bool wants_guard(const cns_heap_config *config) {
#ifdef CNS_DEBUG
    (void)config;
    return true;
#else
    return (config->flags & CNS_HEAP_GUARD) != 0;
#endif
}

static cns_status check_config(cns_context *context, const cns_heap_config *config) {
    if (config->size != sizeof *config) {
        return cns_fail(context, CNS_E_INVALID, "heap: config.size is %u, expected %zu",
                        config->size, sizeof *config);
    }
    if (config->flags & ~(uint32_t)CNS_HEAP_GUARD) {
        return cns_fail(context, CNS_E_INVALID, "heap: unknown flags 0x%x", config->flags);
    }
    if (config->reserve > config->budget) {
        return cns_fail(context, CNS_E_INVALID, "heap: the reserve is larger than the budget");
    }
    return CNS_OK;
}

static cns_status create(cns_context *context, const cns_heap_config *config, bool guarded,
                         cns_heap **out) {
    cns_status status = check_config(context, config);
    if (status != CNS_OK) {
        return status;
    }
    cns_heap *heap = cns_context_alloc(context, sizeof *heap, _Alignof(cns_heap));
    if (!heap) {
        return cns_context_memory_status(context, sizeof *heap);
    }
    memset(heap, 0, sizeof *heap);
    heap->context = context;
    heap->fast_below = CNS_CLASS_SIZE_MAX + 1;
    heap->budget = config->budget;
    heap->reserve = config->reserve;
    update_limit(heap);
    copy_tag(heap, config->tag ? config->tag : "heap");
    atomic_init(&heap->remote, NULL);
    cns_slabs_init(&heap->slabs, context);
    if (guarded) {
        status = cns_guard_create(heap, &heap->guard);
        if (status != CNS_OK) {
            cns_context_free(context, heap, sizeof *heap, _Alignof(cns_heap));
            return status;
        }
        heap->fast_below = 0;
        heap->fast_above = UINTPTR_MAX;
    }
    *out = heap;
    return CNS_OK;
}

cns_status cns_heap_create(cns_context *context, const cns_heap_config *config, cns_heap **out) {
    static const cns_heap_config defaults = {.size = sizeof defaults};
    if (!context || !out) {
        return cns_fail(context, CNS_E_INVALID, "heap: context and out must not be NULL");
    }
    config = config ? config : &defaults;
    return create(context, config, wants_guard(config), out);
}

cns_status cns_heap_create_plain(cns_context *context, const cns_heap_config *config,
                                 cns_heap **out) {
    return create(context, config, false, out);
}

void cns_heap_destroy(cns_heap *heap) {
    if (!heap) {
        return;
    }
    cns_guard_destroy(heap->guard);
    cns_slabs_deinit(&heap->slabs);
    cns_context_free(heap->context, heap, sizeof *heap, _Alignof(cns_heap));
}

/* ---- allocation and free -------------------------------------------------------------------- */

static void free_block(cns_heap *heap, cns_slab *slab, void *pointer) {
    cns_heap_unaccount(heap, slab->block_size);
    cns_slabs_free(&heap->slabs, slab, pointer);
}

/* Takes what other threads have freed. */
static void collect(cns_heap *heap) {
    if (!atomic_load_explicit(&heap->remote, memory_order_relaxed)) {
        return;
    }
    cns_block *block = atomic_exchange_explicit(&heap->remote, NULL, memory_order_acquire);
    while (block) {
        cns_block *next = block->next;
        free_block(heap, cns_slab_of(block), block);
        heap->remote_frees++;
        block = next;
    }
}

/* Every request that the fast path leaves. Counts no failure: some callers have another way. */
static CNS_NOINLINE void *try_alloc(cns_heap *heap, size_t size, size_t alignment, bool grows) {
    if (heap->guard) {
        return cns_guard_alloc(heap->guard, size, alignment);
    }
    collect(heap);
    unsigned size_class;
    size_t block_size = cns_slabs_fit(size, alignment, &size_class);
    if (block_size == SIZE_MAX || !cns_heap_allows(heap, block_size)) {
        return NULL;
    }
    void *block = NULL;
    if (grows && size_class != CNS_CLASS_NONE && block_size >= CNS_ROOMY_MIN) {
        block = cns_slabs_alloc_roomy(&heap->slabs, block_size);
    }
    if (!block) {
        block = cns_slabs_alloc(&heap->slabs, size_class, block_size, alignment, grows);
    }
    if (!block) {
        return NULL;
    }
    cns_heap_account(heap, block_size);
    cns_poison((char *)block + cns_align_up(size, 8), block_size - cns_align_up(size, 8));
    return block;
}

/* Kept apart, so that the fast path needs no stack frame. */
static CNS_NOINLINE void *alloc_slow(cns_heap *heap, size_t size) {
    void *block = try_alloc(heap, size, CNS_BLOCK_ALIGN, false);
    heap->failures += !block;
    return block;
}

void *cns_heap_alloc(cns_heap *heap, size_t size) {
    if (CNS_UNLIKELY(size >= heap->fast_below)) {
        return alloc_slow(heap, size);
    }
    cns_slab *slab = heap->slabs.current[cns_size_class(size)];
    cns_block *block = slab->free;
    uint64_t live = heap->live + slab->block_size;
    if (CNS_UNLIKELY(!block || live > heap->limit)) {
        return alloc_slow(heap, size);
    }
    cns_unpoison(block, size > sizeof *block ? size : sizeof *block);
    slab->free = block->next;
    slab->used++;
    heap->live = live;
    heap->allocs++;
    if (live > heap->peak) {
        heap->peak = live;
    }
    return block;
}

void *cns_heap_alloc_aligned(cns_heap *heap, size_t size, size_t alignment) {
    if (alignment <= CNS_BLOCK_ALIGN && cns_is_power_of_two(alignment)) {
        return cns_heap_alloc(heap, size);
    }
    void *block = NULL;
    if (cns_is_power_of_two(alignment) && alignment <= CNS_BLOCK_ALIGN_MAX) {
        block = try_alloc(heap, size, alignment, false);
    }
    heap->failures += !block;
    return block;
}

static CNS_NOINLINE void free_slow(cns_heap *heap, void *pointer, size_t size) {
    if (!pointer) {
        return;
    }
    if (heap->guard) {
        cns_guard_free(heap->guard, pointer, size, false);
    } else {
        free_block(heap, cns_slab_of(pointer), pointer);
    }
}

void cns_heap_free(cns_heap *heap, void *pointer, size_t size) {
    if (CNS_UNLIKELY((uintptr_t)pointer <= heap->fast_above)) {
        free_slow(heap, pointer, size);
        return;
    }
    cns_slab *slab = cns_slab_of(pointer);
    uint32_t used = slab->used - 1;
    if (CNS_UNLIKELY(used - 1 >= CNS_SLAB_PARKED - 1)) { /* falls empty, or is parked */
        free_slow(heap, pointer, size);
        return;
    }
    cns_block *block = pointer;
    cns_unpoison(block, sizeof *block);
    slab->used = used;
    block->next = slab->free;
    slab->free = block;
    heap->live -= slab->block_size;
    heap->frees++;
    cns_poison(block, slab->block_size);
}

void cns_heap_free_remote(cns_heap *heap, void *pointer, size_t size) {
    if (!pointer) {
        return;
    }
    if (heap->guard) {
        cns_guard_free(heap->guard, pointer, size, true);
        return;
    }
    cns_block *block = pointer;
    cns_unpoison(block, sizeof *block);
    cns_block *head = atomic_load_explicit(&heap->remote, memory_order_relaxed);
    do {
        block->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&heap->remote, &head, block,
                                                    memory_order_release, memory_order_relaxed));
}

/* ---- reallocation --------------------------------------------------------------------------- */

/* A large block grows where it lies if there is room behind it; then only the growth is charged. */
static bool grow_in_place(cns_heap *heap, cns_slab *slab, size_t size) {
    size_t have = slab->block_size;
    size_t block_size = cns_size_rounded(size);
    if (slab->size_class != CNS_CLASS_NONE || block_size == SIZE_MAX) {
        return false;
    }
    collect(heap);
    if (!cns_heap_allows(heap, block_size - have) || !cns_slabs_grow(slab, block_size)) {
        return false;
    }
    heap->live += block_size - have;
    if (heap->live > heap->peak) {
        heap->peak = heap->live;
    }
    return true;
}

static void *try_realloc(cns_heap *heap, void *pointer, size_t old_size, size_t new_size) {
    if (heap->guard) {
        return cns_guard_realloc(heap->guard, pointer, old_size, new_size);
    }
    cns_slab *slab = cns_slab_of(pointer);
    size_t have = slab->block_size;
    bool fits = new_size <= have;
    if (fits ? !cns_heap_shrink_moves(have, new_size) : grow_in_place(heap, slab, new_size)) {
        cns_poison(pointer, slab->block_size);
        cns_unpoison(pointer, new_size);
        return pointer;
    }
    void *moved = try_alloc(heap, new_size, CNS_BLOCK_ALIGN, !fits);
    if (!moved) {
        return fits ? pointer : NULL;
    }
    size_t kept = old_size < new_size ? old_size : new_size;
    memcpy(moved, pointer, kept < have ? kept : have);
    cns_heap_free(heap, pointer, old_size);
    return moved;
}

void *cns_heap_realloc(cns_heap *heap, void *pointer, size_t old_size, size_t new_size) {
    if (!pointer) {
        return cns_heap_alloc(heap, new_size);
    }
    void *moved = try_realloc(heap, pointer, old_size, new_size);
    heap->failures += !moved;
    return moved;
}

void *cns_heap_lua_alloc(void *user, void *pointer, size_t old_size, size_t new_size) {
    cns_heap *heap = user;
    if (new_size == 0) {
        cns_heap_free(heap, pointer, old_size);
        return NULL;
    }
    if (!pointer) { /* old_size is the kind of object then */
        return cns_heap_alloc(heap, new_size);
    }
    return cns_heap_realloc(heap, pointer, old_size, new_size);
}

size_t cns_heap_charge(size_t size) {
    return cns_size_rounded(size);
}

/* ---- the whole heap ------------------------------------------------------------------------- */

static void lock(const cns_heap *heap) {
    if (heap->guard) {
        cns_guard_lock(heap->guard);
    }
}

static void unlock(const cns_heap *heap) {
    if (heap->guard) {
        cns_guard_unlock(heap->guard);
    }
}

void cns_heap_use_reserve(cns_heap *heap, int on) {
    lock(heap);
    heap->reserve_open = on;
    update_limit(heap);
    unlock(heap);
}

void cns_heap_set_budget(cns_heap *heap, uint64_t budget, uint64_t reserve) {
    lock(heap);
    heap->budget = budget;
    heap->reserve = reserve < budget ? reserve : budget;
    update_limit(heap);
    unlock(heap);
}

void cns_heap_set_tag(cns_heap *heap, const char *tag) {
    if (heap->guard) {
        cns_guard_set_tag(heap->guard, tag);
    }
}

size_t cns_heap_purge(cns_heap *heap) {
    if (heap->guard) {
        return cns_guard_purge(heap->guard);
    }
    collect(heap);
    return cns_slabs_purge(&heap->slabs);
}

void cns_heap_reset(cns_heap *heap) {
    if (heap->guard) {
        cns_guard_reset(heap->guard);
        return;
    }
    atomic_store_explicit(&heap->remote, NULL, memory_order_relaxed);
    cns_slabs_reset(&heap->slabs);
    heap->live = 0;
    heap->frees = heap->allocs;
}

void cns_heap_get_stats(const cns_heap *heap, cns_heap_stats *out) {
    lock(heap);
    uint64_t own = sizeof *heap + cns_guard_held(heap->guard);
    *out = (cns_heap_stats){
        .live_bytes = heap->live,
        .live_count = heap->allocs - heap->frees,
        .peak_bytes = heap->peak,
        .reserved_bytes = heap->slabs.reserved + own,
        .reserved_peak = heap->slabs.reserved_peak + own,
        .budget = heap->budget,
        .reserve = heap->reserve,
        .alloc_count = heap->allocs,
        .remote_frees = heap->remote_frees,
        .failures = heap->failures,
    };
    unlock(heap);
}

cns_status cns_heap_check(cns_heap *heap) {
    if (heap->guard) {
        return cns_guard_check(heap->guard);
    }
    collect(heap);
    uint64_t live;
    const char *broken = cns_slabs_check(&heap->slabs, &live);
    if (!broken && live != heap->live) {
        broken = "the live bytes do not add up";
    }
    return broken ? cns_fail(heap->context, CNS_E_CORRUPT, "heap %s: %s", heap->tag, broken)
                  : CNS_OK;
}
