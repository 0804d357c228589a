/* SPDX-License-Identifier: MIT
 *
 * vm/kernel.h - what a kernel and its machine hold.
 *
 * A kernel goes through its tiers in one direction: bytecode from the start, machine code once it
 * is there. `entry` is the switch, an atomic pointer that is written once; everything else but the
 * native fields is constant after cns_kernel_compile. The native fields are written by the one
 * compilation under way and read by others only after `state` says it is over.
 */
#ifndef CNS_VM_KERNEL_H
#define CNS_VM_KERNEL_H

#include <stdatomic.h>

#include "base/os.h"
#include "cns/vm.h"
#include "vm/bytecode.h"
#include "vm/cache.h"
#include "vm/native.h"

struct cns_vm {
    cns_context *context;
    cns_tasks *tasks; /* NULL: none */
    char *plugin;     /* path or NULL */
    cns_mutex mutex;  /* guards the opening of the backend */
    bool opened;      /* tried */
    void *library;
    const cns_native_backend *backend; /* NULL: there is none, for the reason in `why` */
    void *instance;
    cns_cache cache;
    bool identified;                 /* identity holds */
    uint8_t identity[CNS_CACHE_KEY]; /* digest of what code depends on beside its kernel */
    char name[96];                   /* of the backend and its processor */
    char why[256];
};

typedef enum cns_native_state {
    CNS_NATIVE_NONE,
    CNS_NATIVE_COMPILING,
    CNS_NATIVE_READY,
    CNS_NATIVE_FAILED
} cns_native_state;

struct cns_kernel {
    cns_vm *vm;
    uint32_t options;
    cns_ir_function *built; /* as the builder left it: the native tier starts from it */
    cns_ir_function *ir;    /* as the VM's optimiser left it */
    cns_code *code;
    uint32_t hidden_count;
    const uint32_t *hidden; /* in the memory of `built` */
    uint32_t result_limit;
    uint64_t build_ns;
    uint64_t lower_ns;
    _Atomic(cns_native_entry) entry; /* NULL: bytecode */
    _Atomic(uint32_t) state;         /* cns_native_state */
    cns_mutex mutex;                 /* guards `compilation` */
    cns_future *compilation;         /* in the background; NULL: none */
    cns_native_code native;
    cns_text remarks;             /* of its making: remarks.h */
    bool cached;                  /* it came from the cache */
    uint64_t compile_ns;          /* what its making took, by whoever made it */
    uint64_t native_ns;           /* until it ran here */
    char uncached[CNS_CACHE_WHY]; /* why it could not be looked for or kept in the cache */
    cns_status native_status;
    char why[256]; /* why there is no native code */
};

/* A kernel of IR as the builder makes it, or cns_ir_read gives it: everything in it is an argument
 * or a constant. Takes `built` over, whatever becomes of it. */
cns_status cns_kernel_from_ir(cns_vm *vm, cns_ir_function *built, uint32_t options,
                              cns_kernel **out);
/* Opens the backend if that was not tried; whether there is one. */
bool cns_vm_open_native(cns_vm *vm);
/* `kernel` as the native tier sees it: a copy, optimised for it. */
cns_status cns_kernel_native_ir(const cns_kernel *kernel, cns_ir_function **out);
cns_native_options cns_kernel_native_options(const cns_kernel *kernel);
/* Finds or makes the native code; fills in `native` and what belongs to it, but for `entry`. For
 * the one who may. */
cns_status cns_kernel_obtain_native(cns_kernel *kernel);

#endif
