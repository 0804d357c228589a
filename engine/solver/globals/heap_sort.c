/* SPDX-License-Identifier: MIT
 *
 * solver/globals/heap_sort.c - see heap_sort.h.
 */
#include "solver/globals/heap_sort.h"

#include <string.h>

#include "base/check.h"

typedef struct heap {
    unsigned char *items;
    size_t size;
    cns_before_fn before;
} heap;

static void *at(const heap *h, uint32_t index) {
    return h->items + index * h->size;
}

static void sift(const heap *h, uint32_t root, uint32_t count) {
    unsigned char moved[CNS_HEAP_SORT_MAX];
    memcpy(moved, at(h, root), h->size);
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && h->before(at(h, child), at(h, child + 1))) {
            child++;
        }
        if (!h->before(moved, at(h, child))) {
            break;
        }
        memcpy(at(h, root), at(h, child), h->size);
    }
    memcpy(at(h, root), moved, h->size);
}

void cns_heap_sort(void *items, uint32_t count, size_t size, cns_before_fn before) {
    CNS_ASSERT(size <= CNS_HEAP_SORT_MAX);
    const heap h = {items, size, before};
    for (uint32_t i = count / 2; i-- > 0;) {
        sift(&h, i, count);
    }
    for (uint32_t end = count; end-- > 1;) {
        unsigned char greatest[CNS_HEAP_SORT_MAX];
        memcpy(greatest, at(&h, 0), size);
        memcpy(at(&h, 0), at(&h, end), size);
        memcpy(at(&h, end), greatest, size);
        sift(&h, 0, end);
    }
}
