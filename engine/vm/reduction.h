/* SPDX-License-Identifier: MIT
 *
 * vm/reduction.h - which values that a loop carries are reductions.
 *
 * A header parameter s is one when all that becomes of it in the loop are updates by one and the
 * same operation: s + x (and s - x), s * x, s & x, s | x, s ~ x, or the choice of s or x by a
 * comparison of the two (min, max), on any paths, and when nothing else sees it but the code
 * behind the loop, after the last update.
 */
#ifndef CNS_VM_REDUCTION_H
#define CNS_VM_REDUCTION_H

#include "vm/ir.h"

typedef struct cns_carried {
    cns_ir_value parameter; /* of the header */
    cns_ir_value last;      /* what the latch hands on, and the code behind the loop may use */
    uint8_t reduction;
} cns_carried;

/* `marks`: instruction_count zeroes, which become `mark` (not 0) for the values of the reduction.
 * Whether `carried` (its parameter and last are filled in) is one. */
bool cns_reduction_match(const cns_ir_function *function, const cns_ir_shape *shape, uint32_t loop,
                         uint32_t mark, uint32_t *marks, cns_carried *carried);

/* What a part starts from, so that `first (+) what comes` is what comes; bits of its type. */
uint64_t cns_reduction_identity(uint8_t reduction);
bool cns_reduction_is_f64(uint8_t reduction);
/* left (+) right, where right is of the later iterations. */
uint64_t cns_reduction_combine(uint8_t reduction, uint64_t left, uint64_t right);

#endif
