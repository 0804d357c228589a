/* SPDX-License-Identifier: MIT
 *
 * vm/fold_constant.h - operations of constants.
 */
#ifndef CNS_VM_FOLD_CONSTANT_H
#define CNS_VM_FOLD_CONSTANT_H

#include "vm/ir.h"

/* A constant's bits, as in an instruction. */
typedef union cns_constant {
    int64_t i;
    double f;
} cns_constant;

/* What `op` gives for constant operands; false where it traps, sees more than its operands, or is
 * left to the C library of the machine that runs the kernel (sin, exp, ...). */
bool cns_fold_constant(cns_ir_op op, const cns_constant *operands, cns_constant *out);

#endif
