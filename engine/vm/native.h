/* SPDX-License-Identifier: MIT
 *
 * vm/native.h - what a native backend is to the rest: a table of functions behind a plugin.
 *
 * The engine knows no compiler. A backend is a shared object with one exported function,
 * cns_native_backend(), opened on first use; it sees the IR through vm/ir.h's structures and calls
 * nothing of the engine but what the table of services hands it.
 */
#ifndef CNS_VM_NATIVE_H
#define CNS_VM_NATIVE_H

#include "vm/ir.h"

/* Native code of a kernel. Returns 0, or a cns_trap_kind with run->trap filled in. */
typedef uint32_t (*cns_native_entry)(cns_run *run);

typedef struct cns_native_options {
    const char *cpu;      /* LLVM's name; NULL for the host */
    const char *features; /* NULL for the host's */
    uint32_t math;        /* cns_kernel_option */
    uint32_t vector_bits; /* preferred; 0: what pays on the CPU */
} cns_native_options;

typedef struct cns_native_code {
    cns_native_entry entry;
    size_t code_size;
    void *handle; /* the backend's */
} cns_native_code;

typedef struct cns_native_backend {
    uint32_t abi;     /* CNS_NATIVE_ABI */
    const char *name; /* "LLVM 19.1.7" */
    /* One instance is used by any number of threads at once. */
    cns_status (*create)(cns_context *context, void **out);
    void (*destroy)(void *instance);
    cns_status (*compile)(void *instance, const cns_ir_function *function,
                          const cns_native_options *options, cns_native_code *out);
    /* requires: no thread runs the code. */
    void (*release)(void *instance, cns_native_code *code);
    /* Text of the optimised LLVM IR or of the machine code, appended. */
    cns_status (*print)(void *instance, const cns_ir_function *function,
                        const cns_native_options *options, int assembly, cns_text *text);
    /* An object file in memory of the context (cns_context_resize's), for ahead-of-time builds. */
    cns_status (*emit)(void *instance, const cns_ir_function *const *functions,
                       const char *const *symbols, uint32_t count,
                       const cns_native_options *options, void **object, size_t *size);
} cns_native_backend;

enum { CNS_NATIVE_ABI = 1 };

typedef const cns_native_backend *(*cns_native_backend_fn)(void);

#endif
