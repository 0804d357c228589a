/* SPDX-License-Identifier: MIT
 *
 * rewrite.c - replacing values while a function is walked.
 *
 * A replaced instruction is a NOP without operands whose first operand's place holds its
 * substitute. Chains are followed to their end and are short: a substitute is resolved when it is
 * put in.
 */
#include "vm/rewrite.h"

static bool is_nonzero(const cns_ir_function *f, cns_ir_value value) {
    const cns_ir_instruction *code = cns_ir_at(f, value);
    return (code->op == CNS_IR_CONST_I64 && code->i != 0) ||
           (code->op == CNS_IR_CONST_F64 && code->f != 0);
}

bool cns_ir_is_safe(const cns_ir_function *function, cns_ir_value value) {
    const cns_ir_instruction *code = cns_ir_at(function, value);
    switch (code->op) {
    case CNS_IR_IDIV_I64:
    case CNS_IR_MOD_I64:
    case CNS_IR_FMOD_I64:
        return is_nonzero(function, code->operands[1]);
    case CNS_IR_FOR_ENTERS_I64:
    case CNS_IR_FOR_ENTERS_CLIP:
    case CNS_IR_FOR_ENTERS_F64:
        return is_nonzero(function, code->operands[2]);
    case CNS_IR_LOAD: /* a u64 beyond i64 traps wherever it lies */
        return (code->flags & CNS_IR_PROVEN) &&
               cns_ir_at(function, code->operands[0])->type != CNS_VM_BUFFER + CNS_U64;
    default:
        return !cns_ir_has((cns_ir_op)code->op, 'T');
    }
}

bool cns_ir_is_free(const cns_ir_function *function, cns_ir_value value) {
    cns_ir_op op = (cns_ir_op)cns_ir_at(function, value)->op;
    return !cns_ir_has(op, 'R') && !cns_ir_has(op, 'W') && cns_ir_is_safe(function, value);
}

void cns_ir_replace(cns_ir_function *function, cns_ir_value value, cns_ir_value by) {
    cns_ir_instruction *code = &function->instructions[value];
    if (code->op == CNS_IR_PARAM) {
        code->op = CNS_IR_NOP;
        code->block = CNS_IR_NONE;
    } else {
        cns_ir_remove(function, value);
    }
    code->operand_count = 0;
    code->operands[0] = by;
}

cns_ir_value cns_ir_resolve(const cns_ir_function *function, cns_ir_value value) {
    while (value != CNS_IR_NONE) {
        const cns_ir_instruction *code = cns_ir_at(function, value);
        if (code->op != CNS_IR_NOP || code->operands[0] == CNS_IR_NONE) {
            break;
        }
        value = code->operands[0];
    }
    return value;
}

void cns_ir_resolve_operands(cns_ir_function *function, cns_ir_value value) {
    cns_ir_instruction *code = &function->instructions[value];
    for (uint32_t i = 0; i < code->operand_count; i++) {
        code->operands[i] = cns_ir_resolve(function, code->operands[i]);
    }
}

void cns_ir_resolve_end(cns_ir_function *function, cns_ir_block_id id) {
    cns_ir_block *block = &function->blocks[id];
    block->condition = cns_ir_resolve(function, block->condition);
    for (int e = 0; e < 2; e++) {
        for (uint32_t i = 0; i < block->edges[e].count; i++) {
            cns_ir_value *argument = &block->edges[e].arguments[i];
            *argument = cns_ir_resolve(function, *argument);
        }
    }
}

void cns_ir_settle(cns_ir_function *function) {
    for (cns_ir_block_id b = 0; b < function->block_count; b++) {
        for (cns_ir_value v = function->blocks[b].first; v != CNS_IR_NONE;
             v = cns_ir_at(function, v)->next) {
            cns_ir_resolve_operands(function, v);
        }
        cns_ir_resolve_end(function, b);
    }
}
