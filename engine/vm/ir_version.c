/* SPDX-License-Identifier: MIT
 *
 * ir_version.c - two versions of a loop, chosen between before it.
 *
 * The loop leaves at its latch alone, so a new block on that edge dominates whatever follows: it
 * takes the loop's values that are used behind as parameters, and both versions jump to it.
 */
#include <string.h>

#include "vm/ir.h"

typedef struct versioner {
    cns_ir_function *f;
    const cns_ir_shape *shape;
    uint32_t loop;
    uint32_t first; /* place in the order from where on the loop's blocks are found */
    cns_ir_block_id latch;
    cns_ir_block_id exit;  /* the new block */
    uint32_t value_count;  /* before anything was added */
    cns_ir_value *copies;  /* value of the loop -> its copy */
    cns_ir_value *outside; /* value of the loop -> the exit's parameter, NONE: not used there */
    cns_ir_block_id *block_copy; /* block of the loop -> its copy */
    cns_ir_value *leaving;       /* the loop's values that the exit's parameters stand for */
    uint32_t leaving_count;
} versioner;

static uint32_t edge_count(const cns_ir_block *block) {
    return block->end == CNS_IR_BRANCH ? 2 : block->end == CNS_IR_END_NONE ? 0 : 1;
}

static bool is_of_loop(const versioner *v, cns_ir_block_id block) {
    return cns_ir_loop_contains(v->shape, v->loop, block);
}

static cns_status allocate(versioner *v) {
    size_t values = v->value_count;
    size_t blocks = v->f->block_count;
    size_t size = values * 3 * sizeof(cns_ir_value) + blocks * sizeof(cns_ir_block_id);
    v->copies = cns_ir_alloc(v->f, size);
    if (!v->copies) {
        return cns_context_memory_status(v->f->context, size);
    }
    v->outside = v->copies + values;
    v->leaving = v->outside + values;
    v->block_copy = v->leaving + values;
    memset(v->copies, 0xff, size);
    return CNS_OK;
}

/* ---- values used behind the loop ------------------------------------------------------------- */

/* `*use`, outside of the loop, as the exit's parameter if it is one of the loop's values. */
static cns_status use_outside(versioner *v, cns_ir_value *use) {
    cns_ir_value value = *use;
    if (value == CNS_IR_NONE || value >= v->value_count ||
        !is_of_loop(v, cns_ir_at(v->f, value)->block)) {
        return CNS_OK;
    }
    if (v->outside[value] == CNS_IR_NONE) {
        cns_ir_value parameter;
        const cns_ir_instruction *code = cns_ir_at(v->f, value);
        cns_status status = cns_ir_add_parameter(v->f, v->exit, code->type, &parameter);
        if (status != CNS_OK) {
            return status;
        }
        code = cns_ir_at(v->f, value);
        if (code->op == CNS_IR_PARAM) {
            v->f->instructions[parameter].name = code->name;
        }
        v->outside[value] = parameter;
        v->leaving[v->leaving_count++] = value;
    }
    *use = v->outside[value];
    return CNS_OK;
}

static cns_status use_block_outside(versioner *v, cns_ir_block_id id) {
    cns_status status = CNS_OK;
    for (cns_ir_value i = v->f->blocks[id].first; i != CNS_IR_NONE && status == CNS_OK;
         i = v->f->instructions[i].next) {
        for (uint32_t o = 0; o < v->f->instructions[i].operand_count && status == CNS_OK; o++) {
            cns_ir_value operand = v->f->instructions[i].operands[o];
            status = use_outside(v, &operand);
            v->f->instructions[i].operands[o] = operand;
        }
    }
    if (status == CNS_OK && v->f->blocks[id].end == CNS_IR_BRANCH) {
        status = use_outside(v, &v->f->blocks[id].condition);
    }
    for (uint32_t e = 0; e < edge_count(&v->f->blocks[id]); e++) {
        cns_ir_edge *edge = &v->f->blocks[id].edges[e];
        for (uint32_t a = 0; a < edge->count && status == CNS_OK; a++) {
            status = use_outside(v, &edge->arguments[a]);
        }
    }
    return status;
}

/* The new block on the way out, and everything behind reads its parameters. */
static cns_status add_exit(versioner *v) {
    cns_status status = cns_ir_add_block(v->f, &v->exit);
    if (status != CNS_OK) {
        return status;
    }
    const cns_ir_block *latch = &v->f->blocks[v->latch];
    cns_ir_edge out = latch->edges[0];
    status = cns_ir_end_jump(v->f, v->exit, latch->site, out.target, out.arguments, out.count);
    for (uint32_t i = 0; i < v->shape->order_count && status == CNS_OK; i++) {
        cns_ir_block_id id = v->shape->order[i];
        if (!is_of_loop(v, id)) {
            status = use_block_outside(v, id);
        }
    }
    status = status == CNS_OK ? use_block_outside(v, v->exit) : status;
    v->f->blocks[v->latch].edges[0].target = v->exit;
    return status == CNS_OK ? cns_ir_set_arguments(v->f, v->latch, 0, v->leaving, v->leaving_count)
                            : status;
}

/* ---- the copy -------------------------------------------------------------------------------- */

static cns_ir_value copied(const versioner *v, cns_ir_value value) {
    bool mapped = value != CNS_IR_NONE && value < v->value_count;
    return mapped && v->copies[value] != CNS_IR_NONE ? v->copies[value] : value;
}

static cns_status copy_parameters(versioner *v, cns_ir_block_id id) {
    cns_status status = cns_ir_add_block(v->f, &v->block_copy[id]);
    for (uint32_t p = 0; p < v->f->blocks[id].parameter_count && status == CNS_OK; p++) {
        cns_ir_value parameter = v->f->blocks[id].parameters[p];
        status = cns_ir_add_parameter(v->f, v->block_copy[id], cns_ir_at(v->f, parameter)->type,
                                      &v->copies[parameter]);
        if (status == CNS_OK) {
            v->f->instructions[v->copies[parameter]].name = cns_ir_at(v->f, parameter)->name;
        }
    }
    if (status == CNS_OK) {
        v->f->blocks[v->block_copy[id]].flags = v->f->blocks[id].flags;
    }
    return status;
}

static cns_status copy_instructions(versioner *v, cns_ir_block_id id) {
    cns_status status = CNS_OK;
    for (cns_ir_value i = v->f->blocks[id].first; i != CNS_IR_NONE && status == CNS_OK;
         i = v->f->instructions[i].next) {
        const cns_ir_instruction code = *cns_ir_at(v->f, i);
        cns_ir_value operands[CNS_IR_OPERANDS];
        for (int o = 0; o < CNS_IR_OPERANDS; o++) {
            operands[o] = o < code.operand_count ? copied(v, code.operands[o]) : CNS_IR_NONE;
        }
        status = cns_ir_add(v->f, v->block_copy[id], (cns_ir_op)code.op, code.site, operands,
                            &v->copies[i]);
        if (status == CNS_OK) {
            cns_ir_instruction *copy = &v->f->instructions[v->copies[i]];
            copy->flags = code.flags;
            copy->i = code.i; /* all that the union holds */
        }
    }
    return status;
}

static cns_status copy_edge(versioner *v, cns_ir_block_id id, uint32_t e) {
    const cns_ir_edge edge = v->f->blocks[id].edges[e];
    cns_ir_value *arguments = cns_ir_alloc(v->f, edge.count * sizeof *arguments + 1);
    if (!arguments) {
        return cns_context_memory_status(v->f->context, edge.count * sizeof *arguments);
    }
    for (uint32_t a = 0; a < edge.count; a++) {
        arguments[a] = copied(v, edge.arguments[a]);
    }
    return cns_ir_set_arguments(v->f, v->block_copy[id], e, arguments, edge.count);
}

static cns_status copy_end(versioner *v, cns_ir_block_id id) {
    const cns_ir_block block = v->f->blocks[id];
    cns_ir_block_id targets[2];
    for (uint32_t e = 0; e < edge_count(&block); e++) {
        cns_ir_block_id target = block.edges[e].target;
        targets[e] = target != v->exit && is_of_loop(v, target) ? v->block_copy[target] : target;
    }
    cns_ir_block_id copy = v->block_copy[id];
    if (block.end == CNS_IR_JUMP) {
        cns_status status = cns_ir_end_jump(v->f, copy, block.site, targets[0], NULL, 0);
        return status == CNS_OK ? copy_edge(v, id, 0) : status;
    }
    cns_status status = cns_ir_end_branch(v->f, copy, block.site, copied(v, block.condition),
                                          targets[0], targets[1]);
    status = status == CNS_OK ? copy_edge(v, id, 0) : status;
    return status == CNS_OK ? copy_edge(v, id, 1) : status;
}

typedef cns_status step_function(versioner *v, cns_ir_block_id id);

static cns_status each_block(versioner *v, step_function *step) {
    cns_status status = CNS_OK;
    for (uint32_t i = v->first; i < v->shape->order_count && status == CNS_OK; i++) {
        if (is_of_loop(v, v->shape->order[i])) {
            status = step(v, v->shape->order[i]);
        }
    }
    return status;
}

cns_status cns_ir_version_loop(cns_ir_function *function, const cns_ir_shape *shape, uint32_t loop,
                               cns_ir_value condition) {
    const cns_ir_loop *which = &shape->loops[loop];
    versioner v = {.f = function,
                   .shape = shape,
                   .loop = loop,
                   .first = shape->position[which->header],
                   .latch = which->latch,
                   .value_count = function->instruction_count};
    cns_status status = allocate(&v);
    status = status == CNS_OK ? add_exit(&v) : status;
    status = status == CNS_OK ? each_block(&v, copy_parameters) : status;
    status = status == CNS_OK ? each_block(&v, copy_instructions) : status;
    status = status == CNS_OK ? each_block(&v, copy_end) : status;
    if (status != CNS_OK) {
        return status;
    }
    function->blocks[v.block_copy[which->header]].flags |= CNS_IR_COLD;
    cns_ir_block *preheader = &function->blocks[which->preheader];
    const cns_ir_edge entry = preheader->edges[0];
    (void)cns_ir_end_branch(function, which->preheader, preheader->site, condition, which->header,
                            v.block_copy[which->header]); /* needs no memory */
    preheader->edges[0].count = entry.count;
    return cns_ir_set_arguments(function, which->preheader, 1, entry.arguments, entry.count);
}
