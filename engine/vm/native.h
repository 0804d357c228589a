/* SPDX-License-Identifier: MIT
 *
 * vm/native.h - what a native backend is to the rest: a table of functions behind a plugin.
 *
 * The engine knows no compiler. A backend is a shared object with one exported function,
 * cns_native_backend_get(), opened on first use; it sees the IR through vm/ir.h's structures and
 * calls nothing of the engine but what the table of services hands it. It does not check the IR: it
 * must have been verified.
 */
#ifndef CNS_VM_NATIVE_H
#define CNS_VM_NATIVE_H

#include "base/os.h"
#include "vm/ir.h"
#include "vm/libm.h"

/* What a backend may call. The engine's own functions, by other names of the same meaning. */
typedef struct cns_native_services {
    cns_status (*fail)(cns_context *context, cns_status status, const char *format, ...)
        CNS_PRINTF(3, 4);
    void *(*calloc)(cns_context *context, size_t size);
    void (*free)(cns_context *context, void *pointer, size_t size, size_t alignment);
    /* Of memory that hosts get: cns_context_resize. */
    void *(*resize)(cns_context *context, void *pointer, size_t old_size, size_t new_size);
    cns_status (*memory_status)(cns_context *context, size_t size);
    void (*text_append)(cns_text *text, const char *bytes, size_t length);
    cns_status (*shape_init)(cns_ir_shape *shape, const cns_ir_function *function);
    void (*shape_deinit)(cns_ir_shape *shape);
    bool (*loop_contains)(const cns_ir_shape *shape, uint32_t loop, cns_ir_block_id block);
    bool (*for_match)(const cns_ir_function *function, const cns_ir_shape *shape, uint32_t loop,
                      cns_ir_for *out);
    bool (*for_match_early)(const cns_ir_function *function, const cns_ir_shape *shape,
                            uint32_t loop, cns_ir_for *out);
    /* Runs a body's iterations in parts: cns_parallel_run_native. */
    uint32_t (*fork)(cns_run *run, const cns_ir_fork *fork, uint32_t (*body)(cns_run *run),
                     cns_vm_value *slots, int64_t step);
    /* Asks a run's poll, where it has one; what it says. */
    cns_status (*poll)(const cns_run *run);
    bool (*library_open)(const char *path, void **library, char *why, size_t capacity);
    cns_os_symbol (*library_symbol)(void *library, const char *name);
    void (*library_close)(void *library);
    bool (*function_identity)(cns_os_symbol function, char *out, size_t capacity);
    /* Vectors with the C library's results, on the context's level of processors: cns_libm_find. */
    const cns_libm *(*libm)(const cns_context *context, cns_ir_op op, uint32_t lanes);
} cns_native_services;

/* The engine's. Never NULL. Any thread. */
const cns_native_services *cns_native_services_get(void);

/* Native code of a kernel. Returns 0, or a cns_trap_kind with run->trap filled in. */
typedef uint32_t (*cns_native_entry)(cns_run *run);

typedef struct cns_native_options {
    const char *cpu;      /* LLVM's name; NULL for the host */
    const char *features; /* NULL for the host's */
    uint32_t math;        /* cns_kernel_option */
    uint32_t vector_bits; /* preferred; 0: what pays on the CPU */
    bool unattended;      /* runs have no poll */
    /* Told what was vectorised and what was not, on the compiling thread; NULL for nobody. The text
     * is gone after the call. */
    void (*remark)(void *user, cns_remark_kind kind, uint32_t site, const char *text);
    void *remark_user;
} cns_native_options;

typedef struct cns_native_code {
    cns_native_entry entry;
    size_t code_size;
    void *handle; /* the backend's */
} cns_native_code;

/* A kernel on its way into an object file, where it is a C function: arguments in order (a buffer
 * is a pointer and a uint64_t count, nil is left out), a pointer a result, a pointer to an error.
 */
typedef struct cns_native_export {
    const cns_ir_function *function; /* optimised; it does not fork */
    const char *symbol;
    uint32_t math; /* cns_kernel_option */
    uint32_t result_count;
    const uint8_t *results; /* BOOL, I64, F64; VOID where it is not the same at each return */
} cns_native_export;

typedef struct cns_native_object {
    const char *prefix; /* PREFIX_message is the object's own function */
    const cns_native_export *exports;
    uint32_t export_count;
    /* Processors by LLVM's names: NULL for this machine's; "x86-64-v3"; or several of the x86-64
     * levels with commas between, of which a call takes the best that its machine has. */
    const char *cpus;
} cns_native_object;

/* What such a function returns beside cns_trap_kind. */
enum {
    CNS_NATIVE_COUNT = 100,    /* a buffer's count is 2^48 or more: integer is that */
    CNS_NATIVE_PROCESSOR = 101 /* the machine has none of the levels; integer: the one it has */
};

typedef struct cns_native_backend {
    uint32_t abi;     /* CNS_NATIVE_ABI */
    const char *name; /* "LLVM 19.1.7" */
    /* One instance is used by any number of threads at once. */
    cns_status (*create)(cns_context *context, const cns_native_services *services, void **out);
    void (*destroy)(void *instance);
    const char *(*cpu)(const void *instance); /* the host's, as the compiler calls it */
    /* All that compile's bytes depend on beside its arguments, as text: compiler, processor, the C
     * library's functions. NULL where that cannot be told. */
    const char *(*identity)(const void *instance);
    /* A kernel's code as bytes for `link`, of this process or of any other whose backend has the
     * same identity; in memory of the context (cns_context_resize's). */
    cns_status (*compile)(void *instance, const cns_ir_function *function,
                          const cns_native_options *options, void **object, size_t *size);
    /* Makes the code of such bytes run here, any number of times; the caller keeps them.
     * requires: they are as compile left them. */
    cns_status (*link)(void *instance, const void *object, size_t size, cns_native_code *out);
    /* requires: no thread runs the code. */
    void (*release)(void *instance, cns_native_code *code);
    /* Text of the optimised LLVM IR or of the machine code, appended. */
    cns_status (*print)(void *instance, const cns_ir_function *function,
                        const cns_native_options *options, int assembly, cns_text *text);
    /* An object file in memory of the context (cns_context_resize's), for ahead-of-time builds.
     * CNS_E_UNSUPPORTED for functions that fork, CNS_E_INVALID for processors. */
    cns_status (*emit)(void *instance, const cns_native_object *build, void **object, size_t *size);
} cns_native_backend;

enum { CNS_NATIVE_ABI = 6 };

/* The plugin's exported function. */
#define CNS_NATIVE_SYMBOL "cns_native_backend_get"
typedef const cns_native_backend *(*cns_native_backend_fn)(void);

#endif
