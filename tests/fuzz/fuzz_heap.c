/* SPDX-License-Identifier: MIT
 *
 * fuzz_heap.c - any sequence of heap calls keeps every block's contents, the account and the
 * budget.
 */
#include "cns/memory.h"
#include "fuzz.h"

enum { SLOTS = 64, LARGEST = 1 << 20 };

typedef struct shadow {
    uint8_t *pointer;
    size_t size;
    uint8_t fill;
} shadow;

static void expect_filled(const shadow *block) {
    for (size_t i = 0; i < block->size; i++) {
        FUZZ_CHECK(block->pointer[i] == block->fill);
    }
}

static void refill(shadow *block, uint8_t fill) {
    block->fill = fill;
    memset(block->pointer, fill, block->size);
}

static void step(cns_heap *heap, shadow *block, fuzz_input *input) {
    size_t size = fuzz_number(input) % LARGEST;
    switch (fuzz_byte(input) % 4) {
    case 0:
        expect_filled(block);
        cns_heap_free(heap, block->pointer, block->size);
        *block = (shadow){0};
        break;
    case 1: {
        uint8_t *moved = cns_heap_realloc(heap, block->pointer, block->size, size);
        if (moved) {
            size_t kept = block->pointer && block->size < size ? block->size : size;
            for (size_t i = 0; block->pointer && i < kept; i++) {
                FUZZ_CHECK(moved[i] == block->fill);
            }
            *block = (shadow){moved, size, 0};
            refill(block, fuzz_byte(input));
        }
        break;
    }
    case 2:
        cns_heap_purge(heap);
        break;
    default:
        if (!block->pointer) {
            size_t alignment = (size_t)1 << (fuzz_byte(input) % 13);
            uint8_t *fresh = cns_heap_alloc_aligned(heap, size, alignment);
            if (fresh) {
                FUZZ_CHECK((uintptr_t)fresh % alignment == 0);
                *block = (shadow){fresh, size, 0};
                refill(block, fuzz_byte(input));
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    cns_context *context = NULL;
    cns_heap *heap = NULL;
    cns_heap_config config = {.size = sizeof config};
    config.flags = fuzz_byte(&input) & CNS_HEAP_GUARD;
    config.budget = fuzz_number(&input);
    FUZZ_CHECK(cns_context_create(NULL, &context) == CNS_OK);
    FUZZ_CHECK(cns_heap_create(context, &config, &heap) == CNS_OK);
    shadow blocks[SLOTS] = {{0}};
    while (input.size) {
        step(heap, &blocks[fuzz_byte(&input) % SLOTS], &input);
        cns_heap_stats stats;
        cns_heap_get_stats(heap, &stats);
        FUZZ_CHECK(!config.budget || stats.live_bytes <= config.budget);
    }
    FUZZ_CHECK(cns_heap_check(heap) == CNS_OK);
    for (int i = 0; i < SLOTS; i++) {
        if (blocks[i].pointer) {
            expect_filled(&blocks[i]);
            cns_heap_free(heap, blocks[i].pointer, blocks[i].size);
        }
    }
    cns_heap_stats stats;
    cns_heap_get_stats(heap, &stats);
    FUZZ_CHECK(stats.live_bytes == 0 && stats.live_count == 0);
    cns_heap_destroy(heap);
    cns_memory_stats memory;
    cns_context_memory(context, &memory);
    FUZZ_CHECK(memory.held == 0);
    cns_context_destroy(context);
    return 0;
}
