/* SPDX-License-Identifier: MIT
 *
 * vm/libm.h - exp and log of many numbers at once, with the results of the C library's own
 * functions, bit for bit.
 *
 * The C library is not copied: where its published error bound leaves one result only, that one is
 * computed with vectors; for the few numbers that lie too near to the middle between two doubles
 * (3 to 5 in 100), and for all that is special, the C library is asked. So this holds for any
 * version that keeps the bound, whatever its method. Round to nearest is assumed, as by compilers.
 */
#ifndef CNS_VM_LIBM_H
#define CNS_VM_LIBM_H

#include "base/os.h"
#include "vm/ir.h"

/* values[i] = the function of values[i]. */
typedef void (*cns_libm_array)(double *values, size_t count);

typedef struct cns_libm {
    cns_ir_op op;   /* CNS_IR_EXP_F64 or CNS_IR_LOG_F64 */
    uint32_t lanes; /* of one of the machine's vectors */
    /* Replaces 2 * lanes doubles. Under the name that machine code calls it by. */
    const char *name;
    void (*vector)(double *values);
    cns_libm_array array;
} cns_libm;

/* For a function and a machine of the level, the widest first for lanes 0; NULL where there is
 * none, or where the C library's error bound is not known. Any thread. */
const cns_libm *cns_libm_find(cns_ir_op op, cns_cpu_level level, uint32_t lanes);

#endif
