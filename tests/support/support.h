/* SPDX-License-Identifier: MIT
 *
 * support.h - what the unit tests share: a main for Check suites, contexts, failing allocation.
 */
#ifndef CNS_TEST_SUPPORT_H
#define CNS_TEST_SUPPORT_H

#include <check.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cns/base.h"

/* Runs the suite and returns main's exit code. CK_FORK=no keeps it in one process. */
int support_run(Suite *suite);

/* A context whose log goes to stderr; fails the test when there is none. */
cns_context *support_context(void);
/* Destroys it, and fails the test when it still holds memory. */
void support_context_destroy(cns_context *context);

/* An allocator that counts, and refuses one chosen allocation (and, optionally, all after it). */
typedef struct support_failing {
    _Atomic int64_t countdown; /* allocations still granted; negative: never refuse */
    _Atomic int64_t calls;
    _Atomic int64_t live_blocks;
    int keep_failing;
} support_failing;

cns_context *support_failing_context(support_failing *failing);

/* Runs `attempt` with the first, second, ... allocation refused until one run has none refused.
 * `attempt` must return CNS_E_NOMEM or CNS_OK, and leave no block behind either way. */
void support_each_allocation_fails(cns_status (*attempt)(cns_context *context));

/* Fails the test unless status is as expected; shows the context's message. */
#define support_status(context, expected, call)                                                    \
    do {                                                                                           \
        cns_status status_ = (call);                                                               \
        char message_[256] = "";                                                                   \
        if ((context) != NULL) {                                                                   \
            cns_context_message((context), message_, sizeof message_);                             \
        }                                                                                          \
        ck_assert_msg(status_ == (expected), "%s gave %s, expected %s: %s", #call,                 \
                      cns_status_name(status_), cns_status_name(expected), message_);              \
    } while (0)

#endif
