/* SPDX-License-Identifier: MIT
 *
 * fuzz_kernel.h - runs a kernel that may be anything, over allocations of exactly the size, and
 * stops it soon; and again as machine code where CNS_FUZZ_PLUGIN names the backend, with the same
 * outcome unless one of them was stopped.
 */
#ifndef CNS_FUZZ_KERNEL_H
#define CNS_FUZZ_KERNEL_H

#include <math.h>

#include "fuzz.h"
#include "vm/bytecode.h"
#include "vm/kernel.h"

enum { FUZZ_ELEMENTS = 5 };

typedef struct fuzz_call {
    cns_vm_value *arguments, *results;
    uint32_t count;
    cns_run run;
} fuzz_call;

/* Two questions are answered with "go on", so that chunks of loops are left and entered again. */
static cns_status fuzz_poll(void *user) {
    int *asked = user;
    return ++*asked > 2 ? CNS_E_CANCELLED : CNS_OK;
}

static inline void fuzz_call_make(fuzz_call *c, const cns_kernel *kernel) {
    uint32_t limit = cns_kernel_result_limit(kernel), hidden;
    (void)cns_kernel_hidden(kernel, &hidden);
    c->count = cns_kernel_arguments(kernel) + hidden;
    c->arguments = calloc(c->count + 1, sizeof *c->arguments);
    c->results = calloc(limit + 1, sizeof *c->results);
    for (uint32_t a = 0; a < c->count; a++) {
        uint32_t type = cns_kernel_argument_type(kernel, a);
        if (type >= CNS_VM_BUFFER) {
            size_t size = cns_type_size((cns_type)(type - CNS_VM_BUFFER));
            c->arguments[a].data = calloc(FUZZ_ELEMENTS, size);
            c->arguments[a].count = FUZZ_ELEMENTS;
        } else if (type == CNS_VM_F64) {
            c->arguments[a].real = 2.5;
        } else {
            c->arguments[a].integer = type != CNS_VM_NIL;
        }
    }
    c->run = (cns_run){.arguments = c->arguments, .results = c->results, .result_capacity = limit};
}

static inline void fuzz_call_free(fuzz_call *c, const cns_kernel *kernel) {
    for (uint32_t a = 0; a < c->count; a++) {
        if (cns_kernel_argument_type(kernel, a) >= CNS_VM_BUFFER) {
            free(c->arguments[a].data);
        }
    }
    free(c->arguments);
    free(c->results);
}

static inline void fuzz_run(cns_kernel *kernel, fuzz_call *c) {
    int asked = 0;
    c->run.poll = fuzz_poll;
    c->run.poll_user = &asked;
    cns_status status = cns_kernel_run(kernel, &c->run);
    FUZZ_CHECK(status == CNS_OK || (status == CNS_E_FAILED && c->run.trap.kind != CNS_TRAP_NONE));
    FUZZ_CHECK(status != CNS_OK || c->run.result_count <= c->run.result_capacity);
    (void)cns_kernel_trap_message(kernel, &c->run.trap, NULL, 0);
}

static inline int fuzz_same_value(cns_vm_value a, cns_vm_value b) {
    return a.type == b.type && (a.integer == b.integer || a.type == CNS_VM_NIL ||
                                (a.type == CNS_VM_F64 && isnan(a.real) && isnan(b.real)));
}

/* Bytes of floats are left out: NaNs. */
static inline void fuzz_compare(const cns_kernel *kernel, const fuzz_call *a, const fuzz_call *b) {
    FUZZ_CHECK(a->run.trap.kind == b->run.trap.kind);
    FUZZ_CHECK(a->run.trap.kind == CNS_TRAP_NONE || a->run.trap.site == b->run.trap.site);
    for (uint32_t i = 0; i < a->count; i++) {
        uint32_t type = cns_kernel_argument_type(kernel, i);
        if (type >= CNS_VM_BUFFER && type < CNS_VM_BUFFER + CNS_F32) {
            size_t size = FUZZ_ELEMENTS * cns_type_size((cns_type)(type - CNS_VM_BUFFER));
            FUZZ_CHECK(memcmp(a->arguments[i].data, b->arguments[i].data, size) == 0);
        }
    }
    if (a->run.trap.kind == CNS_TRAP_NONE) {
        FUZZ_CHECK(a->run.result_count == b->run.result_count);
        for (uint32_t i = 0; i < a->run.result_count; i++) {
            FUZZ_CHECK(fuzz_same_value(a->results[i], b->results[i]));
        }
    }
}

/* CNS_FUZZ_PRINT shows what a finding is about. */
static inline void fuzz_print(cns_kernel *kernel) {
    char *text = NULL;
    uint64_t size = 0;
    if (getenv("CNS_FUZZ_PRINT") &&
        cns_kernel_view_text(kernel, CNS_VIEW_IR, &text, &size) == CNS_OK) {
        fputs(text, stderr);
    }
}

static inline void fuzz_verified(const cns_kernel *kernel, cns_status status) {
    char message[256] = "";
    cns_context_message(kernel->vm->context, message, sizeof message);
    if (status != CNS_OK) {
        fprintf(stderr, "%s\n", message);
    }
    FUZZ_CHECK(status == CNS_OK);
}

static inline void fuzz_run_kernel(cns_kernel *kernel) {
    fuzz_print(kernel);
    fuzz_verified(kernel, cns_ir_verify(kernel->built, true));
    fuzz_verified(kernel, cns_ir_verify(kernel->ir, true));
    fuzz_verified(kernel, cns_code_verify(kernel->code));
    fuzz_call calls[2];
    fuzz_call_make(&calls[0], kernel);
    fuzz_run(kernel, &calls[0]);
    if (getenv("CNS_FUZZ_PLUGIN")) {
        fuzz_call_make(&calls[1], kernel);
        if (cns_kernel_make_native(kernel, 1) == CNS_OK) {
            fuzz_run(kernel, &calls[1]);
            if (calls[0].run.trap.kind != CNS_TRAP_STOPPED &&
                calls[1].run.trap.kind != CNS_TRAP_STOPPED) {
                fuzz_compare(kernel, &calls[0], &calls[1]);
            }
        }
        fuzz_call_free(&calls[1], kernel);
    }
    fuzz_call_free(&calls[0], kernel);
}

/* One machine for all inputs: the backend takes its time to open. */
static inline cns_vm *fuzz_vm(void) {
    static cns_vm *vm;
    if (!vm) {
        cns_context *context = NULL;
        cns_vm_config config = {.size = sizeof config, .plugin = getenv("CNS_FUZZ_PLUGIN")};
        FUZZ_CHECK(cns_context_create(NULL, &context) == CNS_OK);
        FUZZ_CHECK(cns_vm_create(context, &config, &vm) == CNS_OK);
    }
    return vm;
}

#endif
