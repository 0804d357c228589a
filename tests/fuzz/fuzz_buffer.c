/* SPDX-License-Identifier: MIT
 *
 * fuzz_buffer.c - slices and borrows of one storage: what is allowed never overlaps a foreign
 * borrow of the other kind, and everything can be given back.
 */
#include "cns/memory.h"
#include "fuzz.h"

enum { VIEWS = 24, COUNT = 64 };

typedef struct view {
    cns_buffer *buffer;
    uint64_t first; /* in the storage */
} view;

/* Element `i` of the storage may be written by at most one view that is allowed to. */
static void check_exclusive(const view *views) {
    for (uint64_t i = 0; i < COUNT; i++) {
        int writers = 0, readers = 0;
        for (int v = 0; v < VIEWS; v++) {
            const view *each = &views[v];
            if (!each->buffer || !cns_buffer_borrowed(each->buffer) || i < each->first ||
                i >= each->first + cns_buffer_count(each->buffer)) {
                continue;
            }
            writers += cns_buffer_access(each->buffer, CNS_ACCESS_WRITE) == CNS_OK;
            readers += cns_buffer_borrowed(each->buffer) == CNS_ACCESS_READ;
        }
        FUZZ_CHECK(writers == 0 || readers == 0);
    }
}

/* A borrow elsewhere in the view does not forbid this element: ask for it alone. */
static void check_element_writable(const cns_buffer *buffer, uint64_t index) {
    cns_buffer *element = NULL;
    FUZZ_CHECK(cns_buffer_slice(buffer, index, 1, &element) == CNS_OK);
    FUZZ_CHECK(cns_buffer_access(element, CNS_ACCESS_WRITE) == CNS_OK);
    cns_buffer_destroy(element);
}

static void step(view *views, fuzz_input *input) {
    view *from = &views[fuzz_byte(input) % VIEWS], *to = &views[fuzz_byte(input) % VIEWS];
    uint64_t begin = fuzz_number(input), count = fuzz_number(input);
    int64_t value;
    if (!from->buffer) {
        return;
    }
    switch (fuzz_byte(input) % 5) {
    case 0:
        if (!to->buffer && cns_buffer_slice(from->buffer, begin, count, &to->buffer) == CNS_OK) {
            to->first = from->first + begin;
        }
        break;
    case 1:
        if (!to->buffer &&
            cns_buffer_borrow(from->buffer, 1 + (begin & 1 ? 1 : 0), &to->buffer) == CNS_OK) {
            to->first = from->first;
        }
        break;
    case 2:
        if (from != views) {
            cns_buffer_destroy(from->buffer);
            from->buffer = NULL;
        }
        break;
    case 3:
        if (cns_buffer_set_i64(from->buffer, begin, (int64_t)(count & 127)) == CNS_OK) {
            FUZZ_CHECK(begin < cns_buffer_count(from->buffer));
            check_element_writable(from->buffer, begin);
        }
        break;
    default:
        if (cns_buffer_get_i64(from->buffer, begin, &value) == CNS_OK) {
            FUZZ_CHECK(begin < cns_buffer_count(from->buffer));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    cns_context *context = NULL;
    view views[VIEWS] = {{0}};
    cns_type type = (cns_type)(1 + fuzz_byte(&input) % 10);
    FUZZ_CHECK(cns_context_create(NULL, &context) == CNS_OK);
    FUZZ_CHECK(cns_buffer_create(context, type, COUNT, &views[0].buffer) == CNS_OK);
    while (input.size) {
        step(views, &input);
    }
    check_exclusive(views);
    for (int v = 1; v < VIEWS; v++) {
        cns_buffer_destroy(views[v].buffer);
    }
    FUZZ_CHECK(cns_buffer_access(views[0].buffer, CNS_ACCESS_WRITE) == CNS_OK);
    FUZZ_CHECK(cns_buffer_check(views[0].buffer) == CNS_OK);
    cns_buffer_destroy(views[0].buffer);
    cns_memory_stats memory;
    cns_context_memory(context, &memory);
    FUZZ_CHECK(memory.held == 0);
    cns_context_destroy(context);
    return 0;
}
