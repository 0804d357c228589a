/* SPDX-License-Identifier: MIT
 *
 * test_heap.c - the heap against a shadow model; budgets, remote frees, guard mode, Lua.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef TEST_LUA
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#endif

#include "base/bits.h"
#include "base/os.h"
#include "base/rng.h"
#include "cns/memory.h"
#include "memory/heap.h"
#include "memory/size_class.h"
#include "support.h"

/* Check notes every assertion in a file, passed or not; loops of millions only note failures. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ck_abort_msg("%s does not hold", #condition);                                          \
        }                                                                                          \
    } while (0)

static cns_heap *create(cns_context *context, uint32_t flags, uint64_t budget, uint64_t reserve) {
    cns_heap_config config = {
        .size = sizeof config, .flags = flags, .tag = "test", .budget = budget, .reserve = reserve};
    cns_heap *heap = NULL;
    support_status(context, CNS_OK, cns_heap_create(context, &config, &heap));
    return heap;
}

/* Without guard mode in any build. */
static cns_heap *create_plain(cns_context *context, uint64_t budget, uint64_t reserve) {
    cns_heap_config config = {
        .size = sizeof config, .tag = "plain", .budget = budget, .reserve = reserve};
    cns_heap *heap = NULL;
    support_status(context, CNS_OK, cns_heap_create_plain(context, &config, &heap));
    return heap;
}

static cns_heap_stats stats_of(const cns_heap *heap) {
    cns_heap_stats stats;
    cns_heap_get_stats(heap, &stats);
    return stats;
}

/* ---- size classes --------------------------------------------------------------------------- */

START_TEST(charges_are_tight) {
    REQUIRE(cns_heap_charge(0) == 16);
    REQUIRE(cns_heap_charge(SIZE_MAX) == SIZE_MAX);
    size_t last = 0;
    for (size_t size = 1; size < 20u << 20; size += 1 + size / 1024) {
        size_t charge = cns_heap_charge(size);
        REQUIRE(charge >= size && charge % 16 == 0 && charge >= last);
        REQUIRE(charge - size < 16 || (charge - size) * 8 <= size);
        last = charge;
    }
    for (unsigned c = 1; c < CNS_CLASSES; c++) {
        REQUIRE(cns_size_class(cns_class_size(c)) == c);
        REQUIRE(cns_size_class(cns_class_size(c) - 15) == c);
    }
    for (size_t size = 129; size <= CNS_CLASS_TABLE_MAX; size++) {
        REQUIRE(cns_size_class(size) == cns_size_class_computed(size));
    }
}
END_TEST

/* ---- the model ------------------------------------------------------------------------------ */

enum { MODEL_BLOCKS = 600 };

typedef struct model_block {
    unsigned char *bytes;
    size_t size;
    size_t charge;
    unsigned char seed;
} model_block;

typedef struct model {
    cns_heap *heap;
    cns_rng rng;
    model_block blocks[MODEL_BLOCKS];
    uint64_t live;
    uint64_t count;
    uint64_t peak;
} model;

/* Patterns sparse in large blocks: the ends and a byte in each 512. */
static size_t stride(size_t i, size_t size) {
    return i < 64 || i + 64 >= size ? 1 : size - 64 - i < 511 ? size - 64 - i : 511;
}

static void fill(model_block *block) {
    for (size_t i = 0; i < block->size; i += stride(i, block->size)) {
        block->bytes[i] = (unsigned char)(block->seed + i * 7);
    }
}

static void verify(const model_block *block) {
    for (size_t i = 0; i < block->size; i += stride(i, block->size)) {
        REQUIRE(block->bytes[i] == (unsigned char)(block->seed + i * 7));
    }
}

static size_t random_size(cns_rng *rng) {
    uint64_t kind = cns_rng_below(rng, 100);
    if (kind < 70) {
        return cns_rng_below(rng, 300);
    }
    if (kind < 90) {
        return cns_rng_below(rng, 10000);
    }
    return cns_rng_below(rng, kind < 99 ? 150000 : 1000000);
}

static void model_track(model *m) {
    cns_heap_stats stats = stats_of(m->heap);
    m->peak = m->live > m->peak ? m->live : m->peak;
    REQUIRE(stats.live_bytes == m->live);
    REQUIRE(stats.live_count == m->count);
    REQUIRE(stats.peak_bytes == m->peak);
}

static void model_alloc(model *m, model_block *block) {
    block->size = random_size(&m->rng);
    block->seed = (unsigned char)cns_rng_next(&m->rng);
    block->charge = cns_heap_charge(block->size);
    size_t alignment = 16;
    if (cns_rng_below(&m->rng, 4) == 0) {
        alignment = (size_t)1 << cns_rng_below(&m->rng, 17);
        block->bytes = cns_heap_alloc_aligned(m->heap, block->size, alignment);
        block->charge = stats_of(m->heap).live_bytes - m->live;
        REQUIRE(block->charge >= cns_heap_charge(block->size));
    } else {
        block->bytes = cns_heap_alloc(m->heap, block->size);
    }
    REQUIRE(block->bytes != NULL);
    REQUIRE((uintptr_t)block->bytes % alignment == 0);
    m->live += block->charge;
    m->count++;
    fill(block);
}

static void model_free(model *m, model_block *block) {
    verify(block);
    cns_heap_free(m->heap, block->bytes, block->size);
    m->live -= block->charge;
    m->count--;
    block->bytes = NULL;
}

static void model_realloc(model *m, model_block *block) {
    size_t size = random_size(&m->rng);
    size_t charge = cns_heap_charge(size);
    unsigned char *moved = cns_heap_realloc(m->heap, block->bytes, block->size, size);
    REQUIRE(moved != NULL);
    if (charge == block->charge) {
        REQUIRE(moved == block->bytes);
    }
    if (moved != block->bytes) {
        uint64_t both = m->live + charge;
        m->peak = both > m->peak ? both : m->peak;
        m->live += charge - block->charge;
        block->charge = charge;
    } else if (charge > block->charge) { /* it grew where it lay */
        m->live += charge - block->charge;
        m->peak = m->live > m->peak ? m->live : m->peak;
        block->charge = charge;
    }
    REQUIRE(block->charge >= charge);
    block->bytes = moved;
    size_t kept = block->size < size ? block->size : size;
    for (size_t i = 0; i < kept; i += stride(i, block->size)) {
        REQUIRE(moved[i] == (unsigned char)(block->seed + i * 7));
    }
    block->size = size;
    fill(block);
}

static void model_run(cns_context *context, cns_heap *heap, uint64_t seed, int steps) {
    model m = {.heap = heap};
    cns_rng_seed(&m.rng, seed);
    for (int step = 0; step < steps; step++) {
        model_block *block = &m.blocks[cns_rng_below(&m.rng, MODEL_BLOCKS)];
        if (!block->bytes) {
            model_alloc(&m, block);
        } else if (cns_rng_below(&m.rng, 3) == 0) {
            model_realloc(&m, block);
        } else {
            model_free(&m, block);
        }
        model_track(&m);
        if (step % 500 == 0) {
            support_status(context, CNS_OK, cns_heap_check(m.heap));
        }
        if (step % 4000 == 0) {
            cns_heap_purge(m.heap);
        }
    }
    for (int i = 0; i < MODEL_BLOCKS; i++) {
        if (m.blocks[i].bytes) {
            model_free(&m, &m.blocks[i]);
        }
    }
    model_track(&m);
    support_status(context, CNS_OK, cns_heap_check(m.heap));
    cns_heap_purge(m.heap);
    support_status(context, CNS_OK, cns_heap_check(m.heap));
    cns_heap_destroy(m.heap);
}

START_TEST(random_sequences_match_the_model) {
    cns_context *context = support_context();
    for (uint64_t seed = 1; seed <= 4; seed++) {
        model_run(context, create_plain(context, 0, 0), seed, 40000);
    }
    model_run(context, create(context, CNS_HEAP_GUARD, 0, 0), 5, 20000);
    support_context_destroy(context);
}
END_TEST

/* Many blocks of few classes, freed in random order: full slabs, requeueing, retiring. */
START_TEST(slabs_fill_and_empty) {
    enum { BLOCKS = 20000 };
    cns_context *context = support_context();
    cns_heap *heap = create(context, 0, 0, 0);
    static uint64_t *blocks[BLOCKS];
    cns_rng rng;
    cns_rng_seed(&rng, 9);
    for (int round = 0; round < 3; round++) {
        size_t size = (size_t)48 << (2 * round);
        for (uint64_t i = 0; i < BLOCKS; i++) {
            blocks[i] = cns_heap_alloc(heap, size);
            REQUIRE(blocks[i] != NULL);
            *blocks[i] = i;
        }
        support_status(context, CNS_OK, cns_heap_check(heap));
        for (uint64_t left = BLOCKS; left > 0; left--) {
            uint64_t pick = cns_rng_below(&rng, left);
            uint64_t *block = blocks[pick];
            blocks[pick] = blocks[left - 1];
            REQUIRE(*block < BLOCKS);
            cns_heap_free(heap, block, size);
        }
        support_status(context, CNS_OK, cns_heap_check(heap));
        ck_assert_uint_eq(stats_of(heap).live_bytes, 0);
    }
    uint64_t before = stats_of(heap).reserved_bytes;
    ck_assert_uint_gt(cns_heap_purge(heap), 0);
    ck_assert_uint_lt(stats_of(heap).reserved_bytes, before);
    cns_heap_destroy(heap);
    support_context_destroy(context);
}
END_TEST

/* ---- budget, limit, failure ----------------------------------------------------------------- */

START_TEST(the_budget_is_hard_and_the_reserve_kept) {
    cns_context *context = support_context();
    cns_heap *heap = create(context, 0, 10240, 2048);
    char *blocks[8];
    for (int i = 0; i < 8; i++) {
        blocks[i] = cns_heap_alloc(heap, 1024);
        ck_assert_ptr_nonnull(blocks[i]);
    }
    ck_assert_ptr_null(cns_heap_alloc(heap, 1));
    ck_assert_ptr_null(cns_heap_alloc_aligned(heap, 1, 4096));
    ck_assert_ptr_null(cns_heap_realloc(heap, blocks[0], 1024, 1025));
    ck_assert_uint_eq(stats_of(heap).failures, 3);
    cns_heap_use_reserve(heap, 1);
    void *extra = cns_heap_alloc(heap, 1024);
    ck_assert_ptr_nonnull(extra);
    cns_heap_use_reserve(heap, 0);
    ck_assert_ptr_null(cns_heap_alloc(heap, 1));
    /* Lua relies on this: a shrink never fails, whatever the budget says. */
    ck_assert_ptr_nonnull(cns_heap_lua_alloc(heap, blocks[0], 1024, 16));
    ck_assert_uint_eq(stats_of(heap).failures, 4);
    cns_heap_stats stats = stats_of(heap);
    ck_assert_uint_eq(stats.live_bytes, 9 * 1024);
    ck_assert_uint_eq(stats.peak_bytes, 9 * 1024);
    cns_heap_set_budget(heap, 1 << 20, 0);
    void *small = cns_heap_realloc(heap, blocks[0], 16, 8);
    ck_assert_ptr_nonnull(small);
    ck_assert_uint_eq(stats_of(heap).live_bytes, 8 * 1024 + 16);
    ck_assert_uint_eq(stats_of(heap).peak_bytes, 9 * 1024 + 16);
    cns_heap_reset(heap);
    ck_assert_uint_eq(stats_of(heap).live_bytes, 0);
    ck_assert_uint_eq(stats_of(heap).live_count, 0);
    cns_heap_destroy(heap);
    support_context_destroy(context);
}
END_TEST

START_TEST(absurd_requests_are_refused) {
    cns_context *context = support_context();
    cns_heap *heap = create(context, 0, 0, 0);
    ck_assert_ptr_null(cns_heap_alloc(heap, SIZE_MAX));
    ck_assert_ptr_null(cns_heap_alloc(heap, SIZE_MAX / 4));
    ck_assert_ptr_null(cns_heap_alloc_aligned(heap, SIZE_MAX, 65536));
    ck_assert_ptr_null(cns_heap_alloc_aligned(heap, 16, 0));
    ck_assert_ptr_null(cns_heap_alloc_aligned(heap, 16, 48));
    ck_assert_ptr_null(cns_heap_alloc_aligned(heap, 16, 131072));
    ck_assert_ptr_null(cns_heap_realloc(heap, NULL, 0, SIZE_MAX));
    ck_assert_uint_eq(stats_of(heap).failures, 7);
    ck_assert_uint_eq(stats_of(heap).live_bytes, 0);
    ck_assert_uint_eq(stats_of(heap).peak_bytes, 0);
    void *a = cns_heap_alloc(heap, 0);
    void *b = cns_heap_alloc(heap, 0);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_ne(a, b);
    cns_heap_free(heap, a, 0);
    cns_heap_free(heap, b, 0);
    cns_heap_free(heap, NULL, 0);
    cns_heap_free_remote(heap, NULL, 0);
    cns_heap_destroy(heap);
    cns_heap_destroy(NULL);
    support_context_destroy(context);
}
END_TEST

START_TEST(misuse_is_refused) {
    cns_context *context = support_context();
    cns_heap *heap = NULL;
    cns_heap_config config = {.size = 1};
    support_status(context, CNS_E_INVALID, cns_heap_create(context, &config, &heap));
    config = (cns_heap_config){.size = sizeof config, .flags = 64};
    support_status(context, CNS_E_INVALID, cns_heap_create(context, &config, &heap));
    config = (cns_heap_config){.size = sizeof config, .budget = 5, .reserve = 6};
    support_status(context, CNS_E_INVALID, cns_heap_create(context, &config, &heap));
    support_status(context, CNS_E_INVALID, cns_heap_create(context, NULL, NULL));
    support_status(NULL, CNS_E_INVALID, cns_heap_create(NULL, NULL, &heap));
    ck_assert_ptr_null(heap);
    support_context_destroy(context);
}
END_TEST

START_TEST(a_context_limit_leaves_the_heap_usable) {
    cns_context_config config = {.size = sizeof config, .memory_limit = 4 << 20};
    cns_context *context = NULL;
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
    cns_heap *heap = create(context, 0, 0, 0);
    enum { MOST = 5000 };
    static void *blocks[MOST];
    for (int round = 0; round < 3; round++) {
        size_t size = (size_t)1000 << (3 * round);
        int count = 0;
        while (count < MOST && (blocks[count] = cns_heap_alloc(heap, size)) != NULL) {
            count++;
        }
        ck_assert_int_lt(count, MOST);
        ck_assert_uint_gt(count * size, 2 << 20);
        ck_assert_uint_gt(stats_of(heap).failures, round);
        support_status(context, CNS_OK, cns_heap_check(heap));
        while (count > 0) {
            cns_heap_free(heap, blocks[--count], size);
        }
    }
    void *large = cns_heap_alloc(heap, 3 << 20);
    ck_assert_ptr_nonnull(large);
    cns_heap_free(heap, large, 3 << 20);
    ck_assert_uint_eq(stats_of(heap).live_bytes, 0);
    cns_heap_destroy(heap);
    support_context_destroy(context);
}
END_TEST

static cns_status use_heap(cns_context *context) {
    cns_heap *heap = NULL;
    cns_heap_config config = {.size = sizeof config, .flags = CNS_HEAP_GUARD};
    cns_status status = cns_heap_create(context, &config, &heap);
    static const size_t sizes[] = {10, 5000, 100000, 1000000};
    void *blocks[4] = {NULL};
    for (int i = 0; i < 4 && status == CNS_OK; i++) {
        blocks[i] = cns_heap_alloc(heap, sizes[i]);
        status = blocks[i] ? CNS_OK : CNS_E_NOMEM;
    }
    if (status == CNS_OK) {
        void *grown = cns_heap_realloc(heap, blocks[0], sizes[0], 300000);
        status = grown ? CNS_OK : CNS_E_NOMEM;
        cns_heap_free(heap, grown ? grown : blocks[0], grown ? 300000 : sizes[0]);
        blocks[0] = NULL;
    }
    for (int i = 0; i < 4; i++) {
        if (blocks[i]) {
            cns_heap_free(heap, blocks[i], sizes[i]);
        }
    }
    if (heap) {
        support_status(context, CNS_OK, cns_heap_check(heap));
    }
    cns_heap_destroy(heap);
    return status;
}

START_TEST(failing_allocations_are_survived) {
    support_each_allocation_fails(use_heap);
}
END_TEST

/* A block that grows is given kept memory to grow into: it stays where it is, is charged what it
 * grows by and no more, and stops at the budget. */
START_TEST(large_blocks_grow_in_place) {
    enum { FROM = 200000, TO = 1000000, BUDGET = 4 << 20 };
    cns_context *context = support_context();
    cns_heap *heap = create_plain(context, BUDGET, 0);
    cns_heap_free(heap, cns_heap_alloc(heap, TO), TO); /* is kept */
    uint64_t reserved = stats_of(heap).reserved_bytes;
    unsigned char *block = cns_heap_alloc(heap, 100000);
    memset(block, 7, 100000);
    block = cns_heap_realloc(heap, block, 100000, FROM);
    unsigned char *first = block;
    size_t size = FROM;
    for (; size < TO; size += 50000) {
        block = cns_heap_realloc(heap, block, size, size + 50000);
        ck_assert_ptr_eq(block, first);
        memset(block + size, 7, 50000);
        ck_assert_uint_eq(stats_of(heap).live_bytes, cns_heap_charge(size + 50000));
        support_status(context, CNS_OK, cns_heap_check(heap));
    }
    ck_assert_uint_le(stats_of(heap).reserved_bytes, reserved + (512u << 10));
    ck_assert_uint_eq(stats_of(heap).live_count, 1);
    for (size_t i = 0; i < 100000; i++) {
        REQUIRE(block[i] == 7);
    }
    block = cns_heap_realloc(heap, block, size, 1000); /* moves: that saves memory */
    ck_assert_uint_eq(stats_of(heap).live_bytes, cns_heap_charge(1000));
    cns_heap_free(heap, block, 1000);
    support_status(context, CNS_OK, cns_heap_check(heap));
    cns_heap_destroy(heap);
    support_context_destroy(context);
}
END_TEST

/* Growth in place obeys the budget, and purge takes the room back without harm to the block. */
START_TEST(room_to_grow_is_bounded_and_purged) {
    enum { FROM = 300000, TO = 2000000 };
    cns_context *context = support_context();
    cns_heap *heap = create_plain(context, 0, 0);
    unsigned char *block = cns_heap_alloc(heap, TO);
    memset(block, 9, TO);
    cns_heap_free(heap, block, TO);
    block = cns_heap_realloc(heap, cns_heap_alloc(heap, 1000), 1000, FROM);
    memset(block, 3, FROM);
    cns_heap_set_budget(heap, cns_heap_charge(FROM) + 4096, 0);
    ck_assert_ptr_null(cns_heap_realloc(heap, block, FROM, TO));
    ck_assert_uint_eq(stats_of(heap).live_bytes, cns_heap_charge(FROM));
    ck_assert_uint_eq(stats_of(heap).failures, 1);
    cns_heap_purge(heap);
    ck_assert_uint_eq(cns_heap_purge(heap), 0);
    cns_heap_set_budget(heap, cns_heap_charge(TO), 0); /* too little for two copies */
    unsigned char *grown = cns_heap_realloc(heap, block, FROM, TO);
    ck_assert_ptr_eq(grown, block);
    for (size_t i = 0; i < FROM; i++) {
        REQUIRE(grown[i] == 3);
    }
    memset(grown, 4, TO);
    ck_assert_uint_eq(stats_of(heap).live_bytes, cns_heap_charge(TO));
    ck_assert_uint_eq(stats_of(heap).peak_bytes, cns_heap_charge(TO));
    support_status(context, CNS_OK, cns_heap_check(heap));
    cns_heap_free(heap, grown, TO);
    cns_heap_destroy(heap);
    support_context_destroy(context);
}
END_TEST
/* Blocks on their way to a large size get kept memory early; a few at a time, so that many small
 * vectors do not hold a megabyte each. */
START_TEST(medium_blocks_get_room_early) {
    enum { VECTORS = 12, FROM = 6000, TO = 12000, LARGE = 1000000 };
    cns_context *context = support_context();
    cns_heap *heap = create_plain(context, 0, 0);
    unsigned char *blocks[VECTORS];
    for (int i = 0; i < VECTORS; i++) {
        blocks[i] = cns_heap_alloc(heap, LARGE);
    }
    for (int i = 0; i < VECTORS; i++) {
        cns_heap_free(heap, blocks[i], LARGE);
    }
    int grew_in_place = 0;
    for (int i = 0; i < VECTORS; i++) {
        unsigned char *first = cns_heap_alloc(heap, FROM);
        memset(first, i, FROM);
        first = cns_heap_realloc(heap, first, FROM, TO);
        blocks[i] = cns_heap_realloc(heap, first, TO, 2 * TO);
        grew_in_place += blocks[i] == first;
        support_status(context, CNS_OK, cns_heap_check(heap));
    }
    ck_assert_int_ge(grew_in_place, 1);
    ck_assert_int_lt(grew_in_place, VECTORS);
    for (int i = 0; i < VECTORS; i++) {
        size_t size = 2 * TO;
        for (; size < LARGE; size *= 2) {
            blocks[i] = cns_heap_realloc(heap, blocks[i], size, 2 * size);
            support_status(context, CNS_OK, cns_heap_check(heap));
        }
        REQUIRE(blocks[i][0] == i && blocks[i][FROM - 1] == i);
        cns_heap_free(heap, blocks[i], size);
    }
    support_status(context, CNS_OK, cns_heap_check(heap));
    ck_assert_uint_eq(stats_of(heap).live_bytes, 0);
    cns_heap_destroy(heap);
    support_context_destroy(context);
}
END_TEST

START_TEST(bulk_operations_give_memory_back) {
    cns_context *context = support_context();
    cns_heap *heap = create(context, 0, 0, 0);
    cns_memory_stats idle;
    cns_context_memory(context, &idle);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10000; i++) {
            REQUIRE(cns_heap_alloc(heap, (size_t)i % 5000) != NULL);
        }
        ck_assert_ptr_nonnull(cns_heap_alloc(heap, 30 << 20));
        support_status(context, CNS_OK, cns_heap_check(heap));
        cns_heap_reset(heap);
        support_status(context, CNS_OK, cns_heap_check(heap));
        ck_assert_uint_eq(stats_of(heap).live_count, 0);
    }
    ck_assert_uint_gt(cns_heap_purge(heap), 0);
    ck_assert_uint_eq(cns_heap_purge(heap), 0);
    cns_memory_stats after;
    cns_context_memory(context, &after);
    ck_assert_uint_lt(after.held, idle.held + (2 << 20)); /* guard mode keeps its table */
    /* destroy frees what lives; a fresh reset keeps the log free of leaks in debug builds */
    void *last = cns_heap_alloc(heap, 100);
    cns_heap_free(heap, last, 100);
    cns_heap_destroy(heap);
    support_context_destroy(context);
}
END_TEST

/* ---- other threads -------------------------------------------------------------------------- */

enum { REMOTE_THREADS = 3, REMOTE_BLOCKS = 40000, REMOTE_SLOTS = 64 };

typedef struct remote {
    cns_heap *heap;
    _Atomic(uint32_t *) slots[REMOTE_SLOTS];
    _Atomic uint32_t freed;
    _Atomic uint32_t wrong;
} remote;

/* A block's first word is its size, its last byte the size's low byte. */
static void free_remotely(void *argument) {
    remote *r = argument;
    for (unsigned i = 0; atomic_load(&r->freed) < REMOTE_BLOCKS; i++) {
        uint32_t *block = atomic_exchange(&r->slots[i % REMOTE_SLOTS], NULL);
        if (!block) {
            cns_os_thread_yield();
            continue;
        }
        uint32_t size = *block;
        if (((unsigned char *)block)[size - 1] != (unsigned char)size) {
            atomic_fetch_add(&r->wrong, 1);
        }
        cns_heap_free_remote(r->heap, block, size);
        atomic_fetch_add(&r->freed, 1);
    }
}

START_TEST(other_threads_free) {
    cns_context *context = support_context();
    static remote r;
    memset(&r, 0, sizeof r);
    r.heap = create(context, 0, 0, 0);
    cns_rng rng;
    cns_rng_seed(&rng, 11);
    cns_os_thread threads[REMOTE_THREADS];
    for (int i = 0; i < REMOTE_THREADS; i++) {
        ck_assert_int_eq(cns_os_thread_create(&threads[i], free_remotely, &r, "free", 0), 0);
    }
    for (unsigned sent = 0, i = 0; sent < REMOTE_BLOCKS; i++) {
        uint32_t size = 8 + (uint32_t)cns_rng_below(&rng, i % 100 == 0 ? 200000 : 500);
        uint32_t *block = cns_heap_alloc(r.heap, size);
        REQUIRE(block != NULL);
        ((unsigned char *)block)[size - 1] = (unsigned char)size;
        *block = size;
        uint32_t *expected = NULL;
        if (atomic_compare_exchange_strong(&r.slots[i % REMOTE_SLOTS], &expected, block)) {
            sent++;
        } else {
            cns_heap_free(r.heap, block, size);
        }
    }
    for (int i = 0; i < REMOTE_THREADS; i++) {
        cns_os_thread_join(&threads[i]);
    }
    ck_assert_uint_eq(atomic_load(&r.wrong), 0);
    support_status(context, CNS_OK, cns_heap_check(r.heap)); /* collects */
    cns_heap_stats stats = stats_of(r.heap);
    ck_assert_uint_eq(stats.live_bytes, 0);
    ck_assert_uint_eq(stats.remote_frees, REMOTE_BLOCKS);
    cns_heap_destroy(r.heap);
    support_context_destroy(context);
}
END_TEST

/* ---- guard mode ----------------------------------------------------------------------------- */

typedef struct log_capture {
    int lines;
    char text[2048];
} log_capture;

static void capture(void *user, cns_log_level level, const char *channel, const char *line) {
    log_capture *log = user;
    (void)level;
    ck_assert_str_eq(channel, "heap");
    log->lines++;
    size_t used = strlen(log->text);
    snprintf(log->text + used, sizeof log->text - used, "%s\n", line);
}

static cns_context *capturing_context(log_capture *log) {
    cns_context_config config = {.size = sizeof config, .log = capture, .log_user = log};
    cns_context *context = NULL;
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
    return context;
}

static void assert_corrupt(cns_context *context, cns_heap *heap, const log_capture *log,
                           const char *words) {
    support_status(context, CNS_E_CORRUPT, cns_heap_check(heap));
    char message[256];
    cns_context_message(context, message, sizeof message);
    ck_assert_msg(strstr(message, words), "message: %s", message);
    ck_assert_msg(strstr(log->text, words), "log: %s", log->text);
}

START_TEST(guard_sees_bad_frees) {
    for (int kind = 0; kind < 4; kind++) {
        static const char *words[] = {"freed already", "no block of this heap",
                                      "no block of this heap", "given back as 99 bytes"};
        log_capture log = {0};
        cns_context *context = capturing_context(&log);
        cns_heap *heap = create(context, CNS_HEAP_GUARD, 0, 0);
        char *block = cns_heap_alloc(heap, 100);
        char local[64];
        if (kind == 0) {
            cns_heap_free(heap, block, 100);
            cns_heap_free(heap, block, 100);
        } else if (kind == 1) {
            cns_heap_free(heap, local, 64);
        } else if (kind == 2) {
            cns_heap_free_remote(heap, block + 16, 84);
        } else {
            cns_heap_free(heap, block, 99);
        }
        ck_assert_int_eq(log.lines, 1);
        assert_corrupt(context, heap, &log, words[kind]);
        ck_assert_ptr_nonnull(cns_heap_alloc(heap, 100));
        ck_assert_ptr_null(cns_heap_realloc(heap, local, 10, 1000));
        cns_heap_destroy(heap);
        support_context_destroy(context);
    }
}
END_TEST

#ifndef CNS_ASAN /* which stops the program at such a write itself */
START_TEST(guard_sees_overflow_and_late_writes) {
    for (int kind = 0; kind < 4; kind++) {
        log_capture log = {0};
        cns_context *context = capturing_context(&log);
        cns_heap *heap = create(context, CNS_HEAP_GUARD, 0, 0);
        char *volatile block = cns_heap_alloc(heap, 100);
        memset(block, 1, 100);
        support_status(context, CNS_OK, cns_heap_check(heap));
        if (kind == 3) {
            cns_heap_free(heap, block, 100);
            block[50] = 2;
            cns_heap_purge(heap);
            assert_corrupt(context, heap, &log, "written after it was freed");
        } else {
            block[100 + kind * 5] = 2;
            if (kind == 1) {
                cns_heap_free(heap, block, 100);
                ck_assert_int_eq(log.lines, 1);
            }
            if (kind == 0) {
                support_status(context, CNS_E_CORRUPT, cns_heap_check(heap));
            }
            if (kind == 2) {
                block = cns_heap_realloc(heap, block, 100, 1000);
                ck_assert_ptr_nonnull(block);
            }
            assert_corrupt(context, heap, &log, "overflow");
        }
        cns_heap_reset(heap);
        support_status(context, CNS_OK, cns_heap_check(heap));
        cns_heap_destroy(heap);
        support_context_destroy(context);
    }
}
END_TEST

#ifndef CNS_DEBUG
/* Without guard mode a damaged free list is found by the walk, and not followed. */
START_TEST(check_sees_damaged_links) {
    cns_context *context = support_context();
    cns_heap *heap = create(context, 0, 0, 0);
    uintptr_t *volatile block = cns_heap_alloc(heap, 32);
    void *neighbour = cns_heap_alloc(heap, 32);
    cns_heap_free(heap, block, 32);
    support_status(context, CNS_OK, cns_heap_check(heap));
    *block = 0x4141414141414141;
    support_status(context, CNS_E_CORRUPT, cns_heap_check(heap));
    *block = (uintptr_t)block;
    support_status(context, CNS_E_CORRUPT, cns_heap_check(heap));
    cns_heap_reset(heap);
    support_status(context, CNS_OK, cns_heap_check(heap));
    (void)neighbour;
    cns_heap_destroy(heap);
    support_context_destroy(context);
}
END_TEST
#endif
#endif

START_TEST(guard_reports_leaks_by_tag) {
    log_capture log = {0};
    cns_context *context = capturing_context(&log);
    cns_heap *heap = create(context, CNS_HEAP_GUARD, 0, 0);
    ck_assert_ptr_nonnull(cns_heap_alloc(heap, 7));
    cns_heap_set_tag(heap, "mesh");
    for (int i = 0; i < 100; i++) {
        ck_assert_ptr_nonnull(cns_heap_alloc(heap, 10));
    }
    cns_heap_set_tag(heap, NULL);
    ck_assert_ptr_nonnull(cns_heap_alloc(heap, 8));
    cns_heap_destroy(heap);
    ck_assert_int_eq(log.lines, 2);
    ck_assert_msg(strstr(log.text, "100 blocks, 1000 bytes, tag mesh"), "log: %s", log.text);
    ck_assert_msg(strstr(log.text, "2 blocks, 15 bytes, tag test"), "log: %s", log.text);
    support_context_destroy(context);
}
END_TEST

/* ---- Lua ------------------------------------------------------------------------------------ */

#ifdef TEST_LUA
static int close_state(lua_State *L, cns_heap *heap) {
    cns_heap_use_reserve(heap, 1);
    lua_close(L);
    cns_heap_use_reserve(heap, 0);
    return stats_of(heap).live_bytes == 0 && stats_of(heap).live_count == 0;
}

START_TEST(lua_lives_in_a_heap) {
    cns_context *context = support_context();
    cns_heap *heap = create(context, 0, 2 << 20, 64 << 10);
    lua_State *L = lua_newstate(cns_heap_lua_alloc, heap);
    ck_assert_ptr_nonnull(L);
    luaL_openlibs(L);
    ck_assert_uint_lt(stats_of(heap).live_bytes, 32 << 10);
    static const char script[] =
        "local function tree(d) return d == 0 and {} or {tree(d - 1), tree(d - 1)} end\n"
        "local function count(t) return t[1] and 1 + count(t[1]) + count(t[2]) or 1 end\n"
        "for i = 1, 20 do assert(count(tree(8)) == 511) end\n"
        "local ok, message = pcall(string.rep, 'x', 100 << 20)\n"
        "assert(not ok and message == 'not enough memory', message)\n"
        "ok, message = pcall(function() local t = {} for i = 1, 1e9 do t[i] = {} end end)\n"
        "assert(not ok and message == 'not enough memory', message)\n"
        "local words = {} for i = 1, 2000 do words[i] = ('%d:'):rep(3):format(i, i, i) end\n"
        "collectgarbage()\n"
        "return table.concat(words):len()";
    int failed = luaL_dostring(L, script);
    ck_assert_msg(!failed, "%s", lua_tostring(L, -1));
    ck_assert_int_eq(lua_tointeger(L, -1), 3 * (9 * 2 + 90 * 3 + 900 * 4 + 1001 * 5));
    support_status(context, CNS_OK, cns_heap_check(heap));
    cns_heap_stats stats = stats_of(heap);
    ck_assert_uint_gt(stats.failures, 0);
    ck_assert_uint_le(stats.peak_bytes, (2 << 20) - (64 << 10));
    ck_assert(close_state(L, heap));
    cns_heap_destroy(heap);
    support_context_destroy(context);
}
END_TEST

/* Every budget, from nothing up: Lua gives up or runs, and never leaves a block behind. */
START_TEST(lua_survives_any_budget) {
    cns_context *context = support_context();
    int ran = 0;
    for (uint64_t budget = 1000; budget < 60000; budget += 977) {
        cns_heap *heap = create(context, 0, budget, 0);
        lua_State *L = lua_newstate(cns_heap_lua_alloc, heap);
        if (L) {
            lua_pushcfunction(L, luaopen_string);
            int status = lua_pcall(L, 0, 0, 0);
            if (status == LUA_OK) {
                static const char script[] = "local t = {} for i = 1, 300 do t[i] = {i} end";
                status = luaL_loadstring(L, script);
                status = status == LUA_OK ? lua_pcall(L, 0, 0, 0) : status;
            }
            ck_assert(status == LUA_OK || status == LUA_ERRMEM);
            ran += status == LUA_OK;
            lua_close(L);
        }
        ck_assert_uint_eq(stats_of(heap).live_count, 0);
        ck_assert_uint_le(stats_of(heap).peak_bytes, budget);
        cns_heap_destroy(heap);
    }
    ck_assert_int_gt(ran, 5);
    support_context_destroy(context);
}
END_TEST
#endif

int main(void) {
    Suite *suite = suite_create("heap");
    TCase *cases = tcase_create("heap");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, charges_are_tight);
    tcase_add_test(cases, random_sequences_match_the_model);
    tcase_add_test(cases, slabs_fill_and_empty);
    tcase_add_test(cases, the_budget_is_hard_and_the_reserve_kept);
    tcase_add_test(cases, absurd_requests_are_refused);
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_test(cases, a_context_limit_leaves_the_heap_usable);
    tcase_add_test(cases, failing_allocations_are_survived);
    tcase_add_test(cases, large_blocks_grow_in_place);
    tcase_add_test(cases, room_to_grow_is_bounded_and_purged);
    tcase_add_test(cases, medium_blocks_get_room_early);
    tcase_add_test(cases, bulk_operations_give_memory_back);
    tcase_add_test(cases, other_threads_free);
    tcase_add_test(cases, guard_sees_bad_frees);
    tcase_add_test(cases, guard_reports_leaks_by_tag);
#ifndef CNS_ASAN
    tcase_add_test(cases, guard_sees_overflow_and_late_writes);
#ifndef CNS_DEBUG
    tcase_add_test(cases, check_sees_damaged_links);
#endif
#endif
#ifdef TEST_LUA
    tcase_add_test(cases, lua_lives_in_a_heap);
    tcase_add_test(cases, lua_survives_any_budget);
#endif
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
