/* SPDX-License-Identifier: MIT
 *
 * pass_dead.c - values that nothing needs: pure ones without users, parameters without users.
 *
 * What has an effect, may trap, decides a branch or is returned is needed; so is what a needed
 * value is made from, and what is passed to a needed parameter. The rest goes, also where it only
 * feeds itself round a loop.
 */
#include "vm/passes.h"
#include "vm/rewrite.h"

typedef struct marker {
    cns_ir_function *f;
    const cns_ir_shape *shape;
    bool *needed;
    cns_ir_value *work;
    uint32_t work_count;
} marker;

static void need(marker *m, cns_ir_value value) {
    if (value != CNS_IR_NONE && !m->needed[value]) {
        m->needed[value] = true;
        m->work[m->work_count++] = value;
    }
}

static bool has_effect(const cns_ir_function *f, cns_ir_value value) {
    return cns_ir_has((cns_ir_op)cns_ir_at(f, value)->op, 'W') || !cns_ir_is_safe(f, value);
}

static void need_roots(marker *m) {
    const cns_ir_function *f = m->f;
    for (cns_ir_block_id b = 0; b < f->block_count; b++) {
        const cns_ir_block *block = &f->blocks[b];
        for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = cns_ir_at(f, v)->next) {
            if (has_effect(f, v) || cns_ir_at(f, v)->op == CNS_IR_ARGUMENT) {
                need(m, v);
            }
        }
        need(m, block->condition);
        for (uint32_t i = 0; block->end == CNS_IR_RETURN && i < block->edges[0].count; i++) {
            need(m, block->edges[0].arguments[i]);
        }
    }
}

/* What is passed to a parameter: by all edges into its block. */
static void need_passed(marker *m, const cns_ir_instruction *parameter) {
    const cns_ir_shape *shape = m->shape;
    for (uint32_t p = shape->predecessor_begin[parameter->block];
         p < shape->predecessor_begin[parameter->block + 1]; p++) {
        const cns_ir_block *from = &m->f->blocks[shape->predecessors[p]];
        for (uint32_t e = 0; e < cns_ir_successors(from); e++) {
            if (from->edges[e].target == parameter->block) {
                need(m, from->edges[e].arguments[parameter->index]);
            }
        }
    }
}

static void spread(marker *m) {
    while (m->work_count > 0) {
        const cns_ir_instruction *code = cns_ir_at(m->f, m->work[--m->work_count]);
        if (code->op == CNS_IR_PARAM) {
            need_passed(m, code);
        }
        for (uint32_t i = 0; i < code->operand_count; i++) {
            need(m, code->operands[i]);
        }
    }
}

static void drop_arguments(const marker *m, cns_ir_edge *edge) {
    const cns_ir_value *parameters = m->f->blocks[edge->target].parameters;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < edge->count; i++) {
        if (m->needed[parameters[i]]) {
            edge->arguments[kept++] = edge->arguments[i];
        }
    }
    edge->count = kept;
}

static void drop_parameters(const marker *m, cns_ir_block *block) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < block->parameter_count; i++) {
        cns_ir_value parameter = block->parameters[i];
        cns_ir_instruction *code = &m->f->instructions[parameter];
        if (m->needed[parameter]) {
            code->index = kept;
            block->parameters[kept++] = parameter;
        } else {
            code->op = CNS_IR_NOP;
            code->block = CNS_IR_NONE;
        }
    }
    block->parameter_count = kept;
}

static void sweep(const marker *m) {
    cns_ir_function *f = m->f;
    for (cns_ir_block_id b = 0; b < f->block_count; b++) {
        for (uint32_t e = 0; e < cns_ir_successors(&f->blocks[b]); e++) {
            drop_arguments(m, &f->blocks[b].edges[e]);
        }
    }
    for (cns_ir_block_id b = 0; b < f->block_count; b++) {
        cns_ir_value next;
        drop_parameters(m, &f->blocks[b]);
        for (cns_ir_value v = f->blocks[b].first; v != CNS_IR_NONE; v = next) {
            next = cns_ir_at(f, v)->next;
            if (!m->needed[v]) {
                cns_ir_remove(f, v);
            }
        }
    }
}

cns_status cns_pass_dead(cns_ir_function *function) {
    size_t count = function->instruction_count;
    size_t size = count * (sizeof(cns_ir_value) + sizeof(bool)) + 1;
    cns_ir_shape shape;
    cns_status status = cns_ir_shape_init(&shape, function);
    if (status != CNS_OK) {
        return status;
    }
    marker m = {.f = function, .shape = &shape};
    m.work = cns_context_calloc(function->context, size);
    if (m.work) {
        m.needed = (bool *)(m.work + count);
        need_roots(&m);
        spread(&m);
        sweep(&m);
        cns_context_free(function->context, m.work, size, CNS_ALIGN_DEFAULT);
    } else {
        status = cns_context_memory_status(function->context, size);
    }
    cns_ir_shape_deinit(&shape);
    return status;
}
