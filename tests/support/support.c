/* SPDX-License-Identifier: MIT
 *
 * support.c - see support.h.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void log_to_stderr(void *user, cns_log_level level, const char *channel, const char *line) {
    (void)user;
    (void)level;
    fprintf(stderr, "%s: %s\n", channel, line);
}

cns_context *support_context(void) {
    cns_context_config config = {.size = sizeof config, .log = log_to_stderr};
    cns_context *context = NULL;
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
    return context;
}

void support_context_destroy(cns_context *context) {
    cns_memory_stats stats;
    cns_context_memory(context, &stats);
    ck_assert_uint_eq(stats.held, 0);
    cns_context_destroy(context);
}

static void *aligned_resize(void *pointer, size_t old_size, size_t new_size, size_t alignment) {
    alignment = alignment < sizeof(void *) ? sizeof(void *) : alignment;
    void *fresh = aligned_alloc(alignment, (new_size + alignment - 1) / alignment * alignment);
    if (fresh && pointer) {
        memcpy(fresh, pointer, old_size < new_size ? old_size : new_size);
        free(pointer);
    }
    return fresh;
}

static void *failing_resize(void *user, void *pointer, size_t old_size, size_t new_size,
                            size_t alignment) {
    support_failing *failing = user;
    if (new_size == 0) {
        if (pointer) {
            atomic_fetch_sub(&failing->live_blocks, 1);
        }
        free(pointer);
        return NULL;
    }
    atomic_fetch_add(&failing->calls, 1);
    if (atomic_load(&failing->countdown) >= 0) {
        int64_t left = atomic_fetch_sub(&failing->countdown, 1);
        if (left == 0) {
            if (failing->keep_failing) {
                atomic_store(&failing->countdown, 0);
            }
            return NULL;
        }
    }
    void *fresh = aligned_resize(pointer, old_size, new_size, alignment);
    if (fresh && !pointer) {
        atomic_fetch_add(&failing->live_blocks, 1);
    }
    return fresh;
}

cns_context *support_failing_context(support_failing *failing) {
    cns_allocator allocator = {failing_resize, failing};
    cns_context_config config = {.size = sizeof config, .allocator = &allocator};
    int64_t wanted = atomic_exchange(&failing->countdown, -1);
    cns_context *context = NULL;
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
    atomic_store(&failing->calls, 0);
    atomic_store(&failing->countdown, wanted);
    return context;
}

static cns_status attempt_refusing(cns_status (*attempt)(cns_context *context), int64_t nth,
                                   int keep_failing, bool *refused) {
    support_failing failing = {.countdown = nth, .keep_failing = keep_failing};
    cns_context *context = support_failing_context(&failing);
    cns_status status = attempt(context);
    *refused = atomic_load(&failing.calls) > nth;
    support_context_destroy(context);
    ck_assert_msg(atomic_load(&failing.live_blocks) == 0, "a block is left behind");
    return status;
}

void support_each_allocation_fails(cns_status (*attempt)(cns_context *context)) {
    for (int keep_failing = 0; keep_failing < 2; keep_failing++) {
        bool refused = true;
        for (int64_t nth = 0; refused; nth++) {
            cns_status status = attempt_refusing(attempt, nth, keep_failing, &refused);
            ck_assert_msg(status == CNS_OK || status == CNS_E_NOMEM, "allocation %lld: %s",
                          (long long)nth, cns_status_name(status));
            ck_assert_msg(refused || status == CNS_OK, "failed although nothing was refused: %s",
                          cns_status_name(status));
            ck_assert_msg(nth < 100000, "never came to an end");
        }
    }
}
