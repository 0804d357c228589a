/* SPDX-License-Identifier: MIT
 *
 * pass_steps.c - the step of a counted loop's index, for its latch alone.
 *
 * Where x[i + 1] and the way back share one i + 1, the index cannot be stepped in place: old and
 * new are both alive. A sum of its own for the way back lets the interpreter do count, step and
 * jump in one instruction, and the other often goes into the access. Runs last: gvn undoes it.
 */
#include "vm/passes.h"
#include "vm/rewrite.h"

static void count_use(uint8_t *uses, cns_ir_value value) {
    if (value != CNS_IR_NONE && uses[value] < 2) {
        uses[value]++;
    }
}

/* Of each value: 0, 1 or 2 for more. */
static void count_uses(const cns_ir_function *f, const cns_ir_shape *shape, uint8_t *uses) {
    for (uint32_t i = 0; i < shape->order_count; i++) {
        const cns_ir_block *block = &f->blocks[shape->order[i]];
        for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = cns_ir_at(f, v)->next) {
            for (uint32_t o = 0; o < cns_ir_at(f, v)->operand_count; o++) {
                count_use(uses, cns_ir_at(f, v)->operands[o]);
            }
        }
        count_use(uses, block->end == CNS_IR_BRANCH ? block->condition : CNS_IR_NONE);
        for (uint32_t e = 0; e < 2; e++) {
            for (uint32_t a = 0; a < block->edges[e].count; a++) {
                count_use(uses, block->edges[e].arguments[a]);
            }
        }
    }
}

static cns_status step_apart(cns_ir_function *f, const cns_ir_shape *shape, uint32_t loop,
                             const uint8_t *uses) {
    cns_ir_for counted;
    if (!cns_ir_for_match_early(f, shape, loop, &counted) || counted.index == CNS_IR_NONE) {
        return CNS_OK;
    }
    cns_ir_block_id latch = shape->loops[loop].latch;
    uint32_t place = cns_ir_at(f, counted.index)->index;
    cns_ir_value next = f->blocks[latch].edges[1].arguments[place];
    if (uses[next] < 2) {
        return CNS_OK;
    }
    cns_ir_value own;
    cns_ir_value operands[CNS_IR_OPERANDS] = {counted.index, counted.step, CNS_IR_NONE,
                                              CNS_IR_NONE};
    cns_status status =
        cns_ir_add(f, latch, CNS_IR_ADD_I64, cns_ir_at(f, next)->site, operands, &own);
    if (status == CNS_OK) {
        f->blocks[latch].edges[1].arguments[place] = own;
    }
    return status;
}

cns_status cns_pass_steps(cns_ir_function *function) {
    cns_ir_shape shape;
    cns_status status = cns_ir_shape_init(&shape, function);
    if (status != CNS_OK) {
        return status;
    }
    size_t size = function->instruction_count;
    uint8_t *uses = cns_context_calloc(function->context, size);
    if (uses) {
        count_uses(function, &shape, uses);
        for (uint32_t l = 0; l < shape.loop_count && status == CNS_OK; l++) {
            status = step_apart(function, &shape, l, uses);
        }
        cns_context_free(function->context, uses, size, CNS_ALIGN_DEFAULT);
    } else {
        status = cns_context_memory_status(function->context, size);
    }
    cns_ir_shape_deinit(&shape);
    return status;
}
