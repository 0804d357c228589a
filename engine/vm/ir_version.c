/* SPDX-License-Identifier: MIT
 *
 * ir_version.c - two versions of a loop, chosen between before it.
 *
 * Each edge that leaves the loop gets a block of its own, to which both versions jump: it takes the
 * loop's values that are used behind as parameters. Where ways out meet again, so do these: blocks
 * behind get a parameter for such a value when they have several predecessors (M. Braun et al.,
 * "Simple and Efficient Construction of Static Single Assignment Form", CC 2013).
 */
#include <string.h>

#include "vm/ir.h"

typedef struct leaving_edge {
    cns_ir_block_id from;
    uint32_t edge;
    cns_ir_block_id exit; /* the new block on it */
} leaving_edge;

/* A parameter behind the loop whose edges do not pass its value yet. */
typedef struct open_parameter {
    cns_ir_block_id block;
    cns_ir_value value;
} open_parameter;

typedef struct versioner {
    cns_ir_function *f;
    const cns_ir_shape *shape;
    uint32_t loop;
    uint32_t first;              /* place in the order from where on the loop's blocks are found */
    uint32_t value_count;        /* before anything was added */
    cns_ir_value *copies;        /* value of the loop -> its copy */
    cns_ir_value **outside;      /* value of the loop -> block behind -> what stands for it there;
                                    NULL where it is not used, NONE where it is not known yet */
    cns_ir_block_id *block_copy; /* block of the loop -> its copy */
    leaving_edge *leaving;
    uint32_t leaving_count;
    open_parameter *open;
    uint32_t open_count;
    uint32_t open_capacity;
} versioner;

static uint32_t edge_count(const cns_ir_block *block) {
    return block->end == CNS_IR_BRANCH ? 2 : block->end == CNS_IR_END_NONE ? 0 : 1;
}

/* Edges that lead to blocks. */
static uint32_t successor_count(const cns_ir_block *block) {
    return block->end == CNS_IR_RETURN ? 0 : edge_count(block);
}

static bool is_of_loop(const versioner *v, cns_ir_block_id block) {
    return block < v->shape->block_count && cns_ir_loop_contains(v->shape, v->loop, block);
}

static void *take(const versioner *v, size_t size, cns_status *status) {
    void *memory = cns_ir_alloc(v->f, size + 1);
    if (memory) {
        memset(memory, 0xff, size);
    } else {
        *status = cns_context_memory_status(v->f->context, size);
    }
    return memory;
}

static cns_status allocate(versioner *v) {
    cns_status status = CNS_OK;
    size_t values = v->value_count, blocks = v->shape->block_count;
    v->copies = take(v, values * sizeof *v->copies, &status);
    v->outside = take(v, values * sizeof *v->outside, &status);
    v->block_copy = take(v, blocks * sizeof *v->block_copy, &status);
    v->leaving = take(v, 2 * blocks * sizeof *v->leaving, &status);
    for (size_t i = 0; status == CNS_OK && i < values; i++) {
        v->outside[i] = NULL;
    }
    return status;
}

/* ---- ways out -------------------------------------------------------------------------------- */

/* A block on an edge out of the loop; it passes on what the edge passed. */
static cns_status add_exit(versioner *v, cns_ir_block_id from, uint32_t e) {
    leaving_edge *leaving = &v->leaving[v->leaving_count++];
    *leaving = (leaving_edge){.from = from, .edge = e};
    cns_status status = cns_ir_add_block(v->f, &leaving->exit);
    if (status != CNS_OK) {
        return status;
    }
    const cns_ir_edge out = v->f->blocks[from].edges[e];
    status = cns_ir_end_jump(v->f, leaving->exit, v->f->blocks[from].site, out.target,
                             out.arguments, out.count);
    v->f->blocks[from].edges[e].target = leaving->exit;
    v->f->blocks[from].edges[e].count = 0;
    return status;
}

static cns_status add_exits(versioner *v, cns_ir_block_id id) {
    cns_status status = CNS_OK;
    for (uint32_t e = 0; e < successor_count(&v->f->blocks[id]) && status == CNS_OK; e++) {
        if (!is_of_loop(v, v->f->blocks[id].edges[e].target)) {
            status = add_exit(v, id, e);
        }
    }
    return status;
}

/* ---- values used behind the loop ------------------------------------------------------------- */

static cns_status pass_on(versioner *v, cns_ir_block_id block, uint32_t e, cns_ir_value value) {
    const cns_ir_edge edge = v->f->blocks[block].edges[e];
    cns_ir_value *arguments = cns_ir_alloc(v->f, (edge.count + 1) * sizeof *arguments);
    if (!arguments) {
        return cns_context_memory_status(v->f->context, (edge.count + 1) * sizeof *arguments);
    }
    if (edge.count > 0) {
        memcpy(arguments, edge.arguments, edge.count * sizeof *arguments);
    }
    arguments[edge.count] = value;
    return cns_ir_set_arguments(v->f, block, e, arguments, edge.count + 1);
}

/* A parameter of `block` that stands for `value` there. */
static cns_status stand_in(versioner *v, cns_ir_block_id block, cns_ir_value value) {
    const cns_ir_instruction code = *cns_ir_at(v->f, value);
    cns_ir_value parameter;
    cns_status status = cns_ir_add_parameter(v->f, block, code.type, &parameter);
    if (status == CNS_OK) {
        v->f->instructions[parameter].name = code.op == CNS_IR_PARAM ? code.name : 0;
        v->outside[value][block] = parameter;
    }
    return status;
}

static cns_status open(versioner *v, cns_ir_block_id block, cns_ir_value value) {
    if (v->open_count == v->open_capacity) {
        uint32_t capacity = v->open_capacity ? 2 * v->open_capacity : 16;
        open_parameter *larger = cns_ir_alloc(v->f, capacity * sizeof *larger);
        if (!larger) {
            return cns_context_memory_status(v->f->context, capacity * sizeof *larger);
        }
        if (v->open_count > 0) {
            memcpy(larger, v->open, v->open_count * sizeof *larger);
        }
        v->open = larger;
        v->open_capacity = capacity;
    }
    v->open[v->open_count++] = (open_parameter){block, value};
    return stand_in(v, block, value);
}

/* The exit on edge `e` of a block of the loop. */
static cns_ir_block_id exit_of(const versioner *v, cns_ir_block_id from, uint32_t e) {
    return v->f->blocks[from].edges[e].target;
}

/* What `value`, one of the loop's, is in an exit. */
static cns_status read_in_exit(versioner *v, cns_ir_block_id exit, cns_ir_value value,
                               cns_ir_value *out) {
    cns_status status = CNS_OK;
    if (v->outside[value][exit] == CNS_IR_NONE) {
        status = stand_in(v, exit, value);
        for (uint32_t i = 0; i < v->leaving_count && status == CNS_OK; i++) {
            if (v->leaving[i].exit == exit) {
                status = pass_on(v, v->leaving[i].from, v->leaving[i].edge, value);
            }
        }
    }
    *out = v->outside[value][exit];
    return status;
}

static bool is_exit_to(const versioner *v, cns_ir_block_id exit, cns_ir_block_id target) {
    return exit >= v->shape->block_count && v->f->blocks[exit].edges[0].target == target;
}

/* What `value` is in `block` behind the loop, which its own block dominates. */
static cns_status read_behind(versioner *v, cns_ir_block_id block, cns_ir_value value,
                              cns_ir_value *out) {
    const cns_ir_shape *shape = v->shape;
    if (!v->outside[value]) {
        cns_status status = CNS_OK;
        size_t size = v->f->block_count * sizeof *v->outside[value];
        v->outside[value] = take(v, size, &status);
        if (status != CNS_OK) {
            return status;
        }
    }
    while (block < shape->block_count && v->outside[value][block] == CNS_IR_NONE) {
        uint32_t begin = shape->predecessor_begin[block];
        cns_ir_block_id from = shape->predecessors[begin];
        if (shape->predecessor_begin[block + 1] - begin != 1) {
            cns_status status = open(v, block, value);
            *out = v->outside[value][block];
            return status;
        }
        bool second = is_of_loop(v, from) && !is_exit_to(v, exit_of(v, from, 0), block);
        block = is_of_loop(v, from) ? exit_of(v, from, second) : from;
    }
    if (block >= shape->block_count) {
        return read_in_exit(v, block, value, out);
    }
    *out = v->outside[value][block];
    return CNS_OK;
}

/* `*use`, behind the loop, as what stands for it if it is one of the loop's values. */
static cns_status use_behind(versioner *v, cns_ir_block_id block, cns_ir_value *use) {
    cns_ir_value value = *use;
    if (value == CNS_IR_NONE || value >= v->value_count ||
        !is_of_loop(v, cns_ir_at(v->f, value)->block)) {
        return CNS_OK;
    }
    return read_behind(v, block, value, use);
}

static cns_status use_block(versioner *v, cns_ir_block_id id) {
    cns_status status = CNS_OK;
    for (cns_ir_value i = v->f->blocks[id].first; i != CNS_IR_NONE && status == CNS_OK;
         i = v->f->instructions[i].next) {
        for (uint32_t o = 0; o < v->f->instructions[i].operand_count && status == CNS_OK; o++) {
            cns_ir_value operand = v->f->instructions[i].operands[o];
            status = use_behind(v, id, &operand);
            v->f->instructions[i].operands[o] = operand;
        }
    }
    if (status == CNS_OK && v->f->blocks[id].end == CNS_IR_BRANCH) {
        status = use_behind(v, id, &v->f->blocks[id].condition);
    }
    for (uint32_t e = 0; e < edge_count(&v->f->blocks[id]); e++) {
        const cns_ir_edge edge = v->f->blocks[id].edges[e];
        for (uint32_t a = 0; a < edge.count && status == CNS_OK; a++) {
            status = use_behind(v, id, &edge.arguments[a]);
        }
    }
    return status;
}

/* Passes an open parameter's value along one predecessor's edges; inside the loop, its exits'. */
static cns_status close_along(versioner *v, const open_parameter *p, cns_ir_block_id from) {
    cns_status status = CNS_OK;
    for (uint32_t e = 0; e < successor_count(&v->f->blocks[from]) && status == CNS_OK; e++) {
        cns_ir_block_id target = v->f->blocks[from].edges[e].target;
        cns_ir_value value;
        if (is_of_loop(v, from) && is_exit_to(v, target, p->block)) {
            status = read_behind(v, target, p->value, &value);
            status = status == CNS_OK ? pass_on(v, target, 0, value) : status;
        } else if (!is_of_loop(v, from) && target == p->block) {
            status = read_behind(v, from, p->value, &value);
            status = status == CNS_OK ? pass_on(v, from, e, value) : status;
        }
    }
    return status;
}

static cns_status close_parameters(versioner *v) {
    cns_status status = CNS_OK;
    for (uint32_t i = 0; i < v->open_count && status == CNS_OK; i++) {
        const open_parameter p = v->open[i];
        uint32_t begin = v->shape->predecessor_begin[p.block];
        uint32_t end = v->shape->predecessor_begin[p.block + 1];
        for (uint32_t j = begin; j < end && status == CNS_OK; j++) {
            bool again = false; /* both edges of a branch lead here: they were done */
            for (uint32_t k = begin; k < j; k++) {
                again |= v->shape->predecessors[k] == v->shape->predecessors[j];
            }
            status = again ? CNS_OK : close_along(v, &p, v->shape->predecessors[j]);
        }
    }
    return status;
}

/* Everything behind the loop reads its exits' parameters. */
static cns_status use_all_behind(versioner *v) {
    cns_status status = CNS_OK;
    for (uint32_t i = 0; i < v->shape->order_count && status == CNS_OK; i++) {
        if (!is_of_loop(v, v->shape->order[i])) {
            status = use_block(v, v->shape->order[i]);
        }
    }
    for (uint32_t i = 0; i < v->leaving_count && status == CNS_OK; i++) {
        status = use_block(v, v->leaving[i].exit);
    }
    return status == CNS_OK ? close_parameters(v) : status;
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
        targets[e] = is_of_loop(v, target) ? v->block_copy[target] : target;
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
                   .value_count = function->instruction_count};
    cns_status status = allocate(&v);
    status = status == CNS_OK ? each_block(&v, add_exits) : status;
    status = status == CNS_OK ? use_all_behind(&v) : status;
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
