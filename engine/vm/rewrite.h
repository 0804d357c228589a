/* SPDX-License-Identifier: MIT
 *
 * vm/rewrite.h - what the passes share: replacing values while a function is walked.
 *
 * A replaced value remembers what stands for it, so that replacing costs no walk over its users:
 * whoever looks at an operand resolves it, and a pass settles the rest before it returns.
 */
#ifndef CNS_VM_REWRITE_H
#define CNS_VM_REWRITE_H

#include "vm/ir.h"

/* Edges that lead to blocks: a RETURN's results are none. */
static inline uint32_t cns_ir_successors(const cns_ir_block *block) {
    return block->end == CNS_IR_BRANCH ? 2 : block->end == CNS_IR_JUMP ? 1 : 0;
}

static inline bool cns_ir_is_constant(const cns_ir_instruction *code) {
    return code->op >= CNS_IR_CONST_BOOL && code->op <= CNS_IR_CONST_F64;
}

/* Whether a T operation is known not to trap, by a constant operand or its flags. */
bool cns_ir_is_safe(const cns_ir_function *function, cns_ir_value value);
/* Has no effect, cannot trap and sees no elements: may be moved, merged and removed freely. */
bool cns_ir_is_free(const cns_ir_function *function, cns_ir_value value);

/* Unlinks `value`; `by`, of the same type, stands for it from now on. A parameter is still in its
 * block's array, whose caller drops it. */
void cns_ir_replace(cns_ir_function *function, cns_ir_value value, cns_ir_value by);
/* What stands for `value`, itself where it was not replaced; NONE for NONE. */
cns_ir_value cns_ir_resolve(const cns_ir_function *function, cns_ir_value value);
/* Resolves the operands of one instruction. */
void cns_ir_resolve_operands(cns_ir_function *function, cns_ir_value value);
/* Resolves what a block's end uses. */
void cns_ir_resolve_end(cns_ir_function *function, cns_ir_block_id block);
/* Resolves everything; replaced values may be forgotten then. */
void cns_ir_settle(cns_ir_function *function);

#endif
