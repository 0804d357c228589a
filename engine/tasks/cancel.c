/* SPDX-License-Identifier: MIT
 *
 * tasks/cancel.c - cancellation tokens: counted, nested, with deadlines.
 *
 * A child holds its parent and looks up the chain when polled, so a request is one store and no
 * lists of children need locks. What has fired stays fired: the first cause seen is latched.
 */
#include <stdatomic.h>

#include "base/context.h"
#include "base/os.h"
#include "cns/tasks.h"

struct cns_cancel {
    cns_context *context;
    cns_cancel *parent;
    _Atomic uint32_t references;
    _Atomic int32_t cause;     /* a cns_status; CNS_OK while it has not fired */
    _Atomic uint64_t deadline; /* on cns_os_clock's scale; 0 for none */
};

cns_status cns_cancel_create(cns_context *context, cns_cancel *parent, cns_cancel **out) {
    if (!context || !out) {
        return cns_fail(context, CNS_E_INVALID, "cns_cancel_create: context or out is NULL");
    }
    cns_cancel *cancel = cns_context_calloc(context, sizeof *cancel);
    if (!cancel) {
        return cns_context_memory_status(context, sizeof *cancel);
    }
    cancel->context = context;
    cancel->parent = parent;
    atomic_init(&cancel->references, 1);
    cns_cancel_retain(parent);
    *out = cancel;
    return CNS_OK;
}

void cns_cancel_retain(cns_cancel *cancel) {
    if (cancel) {
        atomic_fetch_add_explicit(&cancel->references, 1, memory_order_relaxed);
    }
}

void cns_cancel_release(cns_cancel *cancel) {
    while (cancel && atomic_fetch_sub_explicit(&cancel->references, 1, memory_order_acq_rel) == 1) {
        cns_cancel *parent = cancel->parent;
        cns_context_free(cancel->context, cancel, sizeof *cancel, CNS_ALIGN_DEFAULT);
        cancel = parent;
    }
}

static cns_status latch(cns_cancel *cancel, cns_status cause) {
    int32_t seen = CNS_OK;
    return atomic_compare_exchange_strong(&cancel->cause, &seen, cause) ? cause : (cns_status)seen;
}

void cns_cancel_request(cns_cancel *cancel) {
    if (cancel) {
        latch(cancel, CNS_E_CANCELLED);
    }
}

void cns_cancel_after(cns_cancel *cancel, uint64_t nanoseconds) {
    if (!cancel) {
        return;
    }
    uint64_t now = cns_os_clock();
    uint64_t deadline = nanoseconds < UINT64_MAX - now ? now + nanoseconds : UINT64_MAX;
    atomic_store_explicit(&cancel->deadline, nanoseconds ? deadline : 0, memory_order_relaxed);
}

cns_status cns_cancel_poll(const cns_cancel *cancel) {
    uint64_t now = 0; /* the clock is read at most once, and only where a deadline is set */
    for (; cancel; cancel = cancel->parent) {
        int32_t cause = atomic_load_explicit(&cancel->cause, memory_order_acquire);
        if (cause != CNS_OK) {
            return (cns_status)cause;
        }
        uint64_t deadline = atomic_load_explicit(&cancel->deadline, memory_order_relaxed);
        if (deadline) {
            now = now ? now : cns_os_clock();
            if (now >= deadline) {
                return latch((cns_cancel *)cancel, CNS_E_DEADLINE); /* logically const */
            }
        }
    }
    return CNS_OK;
}
