/* SPDX-License-Identifier: MIT
 *
 * cns/vm.h - kernels: numeric functions, compiled for the types of their arguments.
 *
 * A kernel means what the Lua 5.4 function it was made from means, to the bit, on every tier: the
 * scalar VM, the block VM, native code. It reads and writes buffers, whose every access is
 * checked, and never allocates, blocks or calls back, but for the poll of a run.
 */
#ifndef CNS_VM_H
#define CNS_VM_H

#include "cns/base.h"
#include "cns/memory.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Types of arguments and results. A buffer's is CNS_VM_BUFFER + its cns_type. */
typedef enum cns_vm_type {
    CNS_VM_VOID = 0,
    CNS_VM_NIL = 1,
    CNS_VM_BOOL = 2,
    CNS_VM_I64 = 3,
    CNS_VM_F64 = 4,
    CNS_VM_BUFFER = 16
} cns_vm_type;

/* One argument or result: 16 bytes. */
typedef struct cns_vm_value {
    union {
        int64_t integer; /* CNS_VM_I64; CNS_VM_BOOL as 0 or 1 */
        double real;     /* CNS_VM_F64 */
        void *data;      /* a buffer: its first element */
    };
    union {
        uint64_t count; /* of an argument that is a buffer: elements */
        uint64_t type;  /* of a result: cns_vm_type, not a buffer */
    };
} cns_vm_value;

/* What stopped a run before its end. */
typedef enum cns_trap_kind {
    CNS_TRAP_NONE = 0,
    CNS_TRAP_INDEX = 1,         /* integer: the index; other: the count */
    CNS_TRAP_INDEX_FLOAT = 2,   /* real: the index, which is not integral */
    CNS_TRAP_STORE_INTEGER = 3, /* integer: the value; other: the cns_type it does not fit */
    CNS_TRAP_STORE_FLOAT = 4,   /* real: the value; other: the cns_type */
    CNS_TRAP_LOAD = 5,          /* other: the cns_type; an u64 above the integers of Lua */
    CNS_TRAP_DIVIDE = 6,        /* integer // 0 */
    CNS_TRAP_MODULO = 7,        /* integer % 0 */
    CNS_TRAP_FMOD = 8,          /* math.fmod of integers by 0 */
    CNS_TRAP_NOT_INTEGER = 9,   /* real: a float where an integer is needed */
    CNS_TRAP_FOR_STEP = 10,     /* a for loop's step is 0 */
    CNS_TRAP_STOPPED = 11       /* the poll said stop; integer: its status */
} cns_trap_kind;

typedef struct cns_trap {
    uint32_t kind; /* cns_trap_kind */
    uint32_t site; /* where, for cns_kernel_trap_message */
    union {
        int64_t integer;
        double real;
    };
    uint64_t other;
} cns_trap;

/* One call. Zero it, fill in the upper part. */
typedef struct cns_run {
    const cns_vm_value *arguments;
    cns_vm_value *results;
    uint32_t result_capacity;
    uint32_t result_count; /* out */
    /* Asked at least every few milliseconds, on any thread that runs the kernel; anything but
     * CNS_OK ends the run with CNS_TRAP_STOPPED. May be NULL. */
    cns_status (*poll)(void *user);
    void *poll_user;
    cns_trap trap; /* out */
} cns_run;

#ifdef __cplusplus
}
#endif

#endif
