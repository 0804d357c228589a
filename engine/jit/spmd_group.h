/* SPDX-License-Identifier: MIT
 *
 * jit/spmd_group.h - a group of iterations while code is made of it, and what spmd.c makes it of:
 * values, masks, loads and stores (spmd_values.c).
 */
#ifndef CNS_JIT_SPMD_GROUP_H
#define CNS_JIT_SPMD_GROUP_H

#include "jit/spmd.h"

/* An inner loop while its code is made. */
typedef struct cns_spmd_frame {
    const cns_spmd_loop *inner;
    uint32_t ways;     /* out of it: one where all exits lead to the same block, else one an exit */
    LLVMValueRef mask; /* at its header */
    LLVMValueRef entered;
    LLVMValueRef mask_phi;
    LLVMValueRef parameter_phis[CNS_SPMD_PARAMETERS];
    LLVMValueRef rounds;    /* where the loop overtakes */
    LLVMValueRef next_mask; /* of the lanes that go round */
    LLVMValueRef next[CNS_SPMD_PARAMETERS];
    LLVMValueRef again; /* where all go round together: whether they do */
    LLVMValueRef exit_phis[CNS_SPMD_EXITS];
    LLVMValueRef exit_masks[CNS_SPMD_EXITS];
    LLVMValueRef exit_argument_phis[CNS_SPMD_EXITS][CNS_SPMD_PARAMETERS];
    LLVMValueRef exit_arguments[CNS_SPMD_EXITS][CNS_SPMD_PARAMETERS];
    LLVMValueRef out_phis[CNS_SPMD_OUT];
} cns_spmd_frame;

struct cns_jit_group {
    cns_jit_lower *l;
    cns_spmd_plan plan;
    uint32_t lanes;
    /* Masks are vectors of i1 where the machine has registers for them; elsewhere of i64, 0 or -1:
     * an i1 that goes round a loop would become a short integer there, to be widened each time. */
    bool wide;
    LLVMTypeRef mask_type;
    LLVMValueRef whole;    /* whether all lanes have an iteration */
    LLVMValueRef *scalars; /* of uniform and strided values; lane 0's */
    LLVMValueRef *vectors; /* of varying ones */
    LLVMValueRef masks[CNS_SPMD_BLOCKS];
    LLVMValueRef mask; /* of the block that is being made */
    bool sure;
    LLVMBasicBlockRef bail;
    cns_spmd_frame *current; /* NULL: the loop itself */
    cns_spmd_frame frames[CNS_SPMD_LOOPS];
};

/* ---- values ---------------------------------------------------------------------------------- */

LLVMTypeRef cns_spmd_type_of(const cns_jit_group *g, cns_ir_value v); /* of one lane */
LLVMTypeRef cns_spmd_vector_of(const cns_jit_group *g, LLVMTypeRef type);
uint8_t cns_spmd_kind_of(const cns_jit_group *g, cns_ir_value v);
/* requires: not varying. */
LLVMValueRef cns_spmd_scalar_of(const cns_jit_group *g, cns_ir_value v);
LLVMValueRef cns_spmd_vector_at(const cns_jit_group *g, cns_ir_value v);
LLVMValueRef cns_spmd_splat(const cns_jit_group *g, LLVMValueRef scalar);
/* 0, stride, 2 * stride, ... */
LLVMValueRef cns_spmd_ramp(const cns_jit_group *g, int64_t stride);

/* ---- masks ----------------------------------------------------------------------------------- */

LLVMValueRef cns_spmd_none(const cns_jit_group *g);
LLVMValueRef cns_spmd_mask_of(const cns_jit_group *g, LLVMValueRef condition);
/* Lanes of `mask` where `condition` holds; it may be poison elsewhere. */
LLVMValueRef cns_spmd_both(const cns_jit_group *g, LLVMValueRef mask, LLVMValueRef condition);
LLVMValueRef cns_spmd_any(const cns_jit_group *g, LLVMValueRef mask);
/* `yes` in the lanes of `mask`, elsewhere `no`, or anything where that is NULL. */
LLVMValueRef cns_spmd_blend(const cns_jit_group *g, LLVMValueRef mask, LLVMValueRef yes,
                            LLVMValueRef no);
/* Lanes of either; `b` may be NULL. */
LLVMValueRef cns_spmd_join(const cns_jit_group *g, LLVMValueRef a, LLVMValueRef b);

/* ---- memory ---------------------------------------------------------------------------------- */

void cns_spmd_load(cns_jit_group *g, cns_ir_value v);
void cns_spmd_store(cns_jit_group *g, const cns_ir_instruction *code);

#endif
