/* SPDX-License-Identifier: MIT
 *
 * ir_print.c - the IR as text, a value a line.
 */
#include "vm/ir.h"

#include <inttypes.h>
#include <math.h>

static void print_value(cns_ir_value value, cns_text *text) {
    if (value == CNS_IR_NONE) {
        cns_text_printf(text, "nil");
    } else {
        cns_text_printf(text, "v%u", value);
    }
}

static void print_values(const cns_ir_value *values, uint32_t count, cns_text *text) {
    for (uint32_t i = 0; i < count; i++) {
        cns_text_printf(text, i ? ", " : "");
        print_value(values[i], text);
    }
}

/* Floats so that they read back the same. */
static void print_f64(double value, cns_text *text) {
    if (isnan(value)) {
        cns_text_printf(text, signbit(value) ? "-nan" : "nan");
    } else {
        cns_text_printf(text, "%.17g", value);
    }
}

static void print_instruction(const cns_ir_function *function, cns_ir_value value, cns_text *text) {
    const cns_ir_instruction *instruction = cns_ir_at(function, value);
    const cns_ir_op_info *info = cns_ir_info((cns_ir_op)instruction->op);
    cns_text_printf(text, "  ");
    if (instruction->type != CNS_VM_VOID) {
        cns_text_printf(text, "v%u: %s = ", value, cns_ir_type_name(instruction->type));
    }
    cns_text_printf(text, "%s ", info->name);
    switch (instruction->op) {
    case CNS_IR_CONST_BOOL:
        cns_text_printf(text, instruction->i ? "true" : "false");
        break;
    case CNS_IR_CONST_I64:
        cns_text_printf(text, "%" PRId64, instruction->i);
        break;
    case CNS_IR_CONST_F64:
        print_f64(instruction->f, text);
        break;
    case CNS_IR_ARGUMENT:
        cns_text_printf(text, "%s", function->argument_names[instruction->index]);
        break;
    case CNS_IR_FORK_PASS:
    case CNS_IR_FORK:
    case CNS_IR_FORK_GET_I64:
    case CNS_IR_FORK_GET_F64:
        cns_text_printf(text, instruction->operand_count ? "#%u, " : "#%u", instruction->index);
        print_values(instruction->operands, instruction->operand_count, text);
        break;
    default:
        print_values(instruction->operands, instruction->operand_count, text);
    }
    cns_text_printf(text, instruction->flags & CNS_IR_PROVEN ? " proven" : "");
    cns_text_printf(text, instruction->flags & CNS_IR_CONVERTS ? " converts" : "");
    cns_text_printf(text, instruction->flags & CNS_IR_REASSOCIATE ? " reassoc" : "");
    cns_text_printf(text, instruction->flags & CNS_IR_CONTRACT ? " contract" : "");
    if (instruction->site != CNS_IR_NONE) {
        cns_text_printf(text, "  ; line %u", function->sites[instruction->site].line);
    }
    cns_text_printf(text, "\n");
}

static void print_edge(const cns_ir_edge *edge, cns_text *text) {
    cns_text_printf(text, " %u(", edge->target);
    print_values(edge->arguments, edge->count, text);
    cns_text_printf(text, ")");
}

static void print_end(const cns_ir_block *block, cns_text *text) {
    switch ((cns_ir_end)block->end) {
    case CNS_IR_END_NONE:
        cns_text_printf(text, "  (no end)");
        break;
    case CNS_IR_JUMP:
        cns_text_printf(text, "  jump");
        print_edge(&block->edges[0], text);
        break;
    case CNS_IR_BRANCH:
        cns_text_printf(text, "  branch ");
        print_value(block->condition, text);
        print_edge(&block->edges[0], text);
        print_edge(&block->edges[1], text);
        break;
    case CNS_IR_RETURN:
        cns_text_printf(text, "  return ");
        print_values(block->edges[0].arguments, block->edges[0].count, text);
        break;
    }
    cns_text_printf(text, "\n");
}

cns_status cns_ir_print(const cns_ir_function *function, cns_text *text) {
    cns_text_printf(text, "kernel %s(", function->name);
    for (uint32_t a = 0; a < function->argument_count; a++) {
        cns_ir_value value = function->arguments[a];
        cns_text_printf(text, "%s%s: %s", a ? ", " : "", function->argument_names[a],
                        value == CNS_IR_NONE ? "nil"
                                             : cns_ir_type_name(cns_ir_at(function, value)->type));
    }
    cns_text_printf(text, ")\n");
    for (uint32_t b = 0; b < function->block_count; b++) {
        const cns_ir_block *block = &function->blocks[b];
        cns_text_printf(text, "block %u(", b);
        for (uint32_t p = 0; p < block->parameter_count; p++) {
            cns_ir_value value = block->parameters[p];
            cns_text_printf(text, "%sv%u: %s", p ? ", " : "", value,
                            cns_ir_type_name(cns_ir_at(function, value)->type));
        }
        cns_text_printf(text, ")%s%s:\n", block->flags & CNS_IR_PARALLEL ? " parallel" : "",
                        block->flags & CNS_IR_COLD ? " cold" : "");
        for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = function->instructions[v].next) {
            print_instruction(function, v, text);
        }
        print_end(block, text);
    }
    for (uint32_t b = 0; b < function->body_count; b++) {
        cns_text_printf(text, "\nfork #%u:\n", b);
        (void)cns_ir_print(function->bodies[b].function, text); /* `text` remembers a failure */
    }
    return cns_text_status(text);
}
