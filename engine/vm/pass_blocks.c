/* SPDX-License-Identifier: MIT
 *
 * pass_blocks.c - straight chains of blocks become one; empty ones vanish.
 *
 * A block is joined to its only predecessor when that leads nowhere else. An empty one is stepped
 * over, unless it leads to a loop's header: the one way into a loop and the one way back are what
 * counted loops are recognised by. A block never gets two edges to the same one.
 */
#include "vm/passes.h"
#include "vm/rewrite.h"

typedef struct joiner {
    cns_ir_function *f;
    cns_ir_shape shape;
    uint32_t *entries; /* block -> edges that lead to it */
    uint32_t *uses;    /* value -> how often it is used; of parameters only */
    void *memory;
    size_t size;
    bool changed;
} joiner;

/* ---- counting -------------------------------------------------------------------------------- */

static void count_use(joiner *j, cns_ir_value value) {
    if (value != CNS_IR_NONE) {
        j->uses[value]++;
    }
}

/* `by`: 1 for an edge more, -1 for one less. */
static void count_arguments(joiner *j, const cns_ir_edge *edge, int by) {
    for (uint32_t i = 0; i < edge->count; i++) {
        j->uses[edge->arguments[i]] += (uint32_t)by;
    }
}

static void count(joiner *j) {
    const cns_ir_function *f = j->f;
    for (cns_ir_block_id b = 0; b < f->block_count; b++) {
        const cns_ir_block *block = &f->blocks[b];
        for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = cns_ir_at(f, v)->next) {
            for (uint32_t i = 0; i < cns_ir_at(f, v)->operand_count; i++) {
                count_use(j, cns_ir_at(f, v)->operands[i]);
            }
        }
        count_use(j, block->condition);
        for (int e = 0; e < 2; e++) {
            for (uint32_t i = 0; i < block->edges[e].count; i++) {
                count_use(j, block->edges[e].arguments[i]);
            }
        }
        for (uint32_t e = 0; e < cns_ir_successors(block); e++) {
            j->entries[block->edges[e].target]++;
        }
    }
}

/* ---- joining --------------------------------------------------------------------------------- */

static void append_list(cns_ir_function *f, cns_ir_block_id to, cns_ir_block_id from) {
    cns_ir_block *head = &f->blocks[to], *tail = &f->blocks[from];
    for (cns_ir_value v = tail->first; v != CNS_IR_NONE; v = cns_ir_at(f, v)->next) {
        f->instructions[v].block = to;
    }
    if (tail->first != CNS_IR_NONE) {
        f->instructions[tail->first].previous = head->last;
        *(head->last == CNS_IR_NONE ? &head->first : &f->instructions[head->last].next) =
            tail->first;
        head->last = tail->last;
    }
    tail->first = tail->last = CNS_IR_NONE;
}

static void forget(cns_ir_block *block) {
    block->end = CNS_IR_RETURN;
    block->parameter_count = 0;
    block->condition = CNS_IR_NONE;
    block->edges[0] = block->edges[1] = (cns_ir_edge){.target = CNS_IR_NONE};
}

/* `from` is `to`'s only successor and has no other predecessor. */
static void join(joiner *j, cns_ir_block_id to, cns_ir_block_id from) {
    cns_ir_function *f = j->f;
    cns_ir_block *head = &f->blocks[to], *tail = &f->blocks[from];
    for (uint32_t i = 0; i < tail->parameter_count; i++) {
        cns_ir_replace(f, tail->parameters[i], cns_ir_resolve(f, head->edges[0].arguments[i]));
    }
    append_list(f, to, from);
    head->end = tail->end;
    head->site = tail->site;
    head->condition = tail->condition;
    head->edges[0] = tail->edges[0];
    head->edges[1] = tail->edges[1];
    forget(tail);
    j->entries[from] = 0;
    j->changed = true;
}

static void join_chain(joiner *j, cns_ir_block_id id) {
    const cns_ir_block *block = &j->f->blocks[id];
    while (block->end == CNS_IR_JUMP && block->edges[0].target != id &&
           j->entries[block->edges[0].target] == 1) {
        join(j, id, block->edges[0].target);
    }
}

/* ---- stepping over --------------------------------------------------------------------------- */

static bool is_header(const joiner *j, cns_ir_block_id block) {
    uint32_t loop = j->shape.loop_of[block];
    return loop != CNS_IR_NONE && j->shape.loops[loop].header == block;
}

/* Whether all that `block` does is to hand on what it gets, to other than a loop's header. */
static bool is_empty(const joiner *j, cns_ir_block_id id) {
    const cns_ir_block *block = &j->f->blocks[id];
    if (id == 0 || block->first != CNS_IR_NONE || block->end != CNS_IR_JUMP ||
        block->edges[0].target == id || is_header(j, id) || is_header(j, block->edges[0].target)) {
        return false;
    }
    for (uint32_t p = 0; p < block->parameter_count; p++) {
        uint32_t passed = 0;
        for (uint32_t i = 0; i < block->edges[0].count; i++) {
            passed += block->edges[0].arguments[i] == block->parameters[p];
        }
        if (passed != j->uses[block->parameters[p]]) {
            return false;
        }
    }
    return true;
}

/* What `over` hands on for one of its edge's arguments when it is entered by `edge`. */
static cns_ir_value handed_on(const joiner *j, const cns_ir_edge *edge, cns_ir_block_id over,
                              cns_ir_value argument) {
    const cns_ir_instruction *code = cns_ir_at(j->f, argument);
    return code->op == CNS_IR_PARAM && code->block == over ? edge->arguments[code->index]
                                                           : argument;
}

static cns_status step_over(joiner *j, cns_ir_block_id id, uint32_t e) {
    cns_ir_function *f = j->f;
    cns_ir_edge *edge = &f->blocks[id].edges[e];
    cns_ir_block_id over = edge->target;
    const cns_ir_edge *onward = &f->blocks[over].edges[0];
    cns_ir_value *arguments = cns_ir_alloc(f, onward->count * sizeof *arguments);
    if (!arguments) {
        return cns_context_memory_status(f->context, onward->count * sizeof *arguments);
    }
    for (uint32_t i = 0; i < onward->count; i++) {
        arguments[i] = handed_on(j, edge, over, onward->arguments[i]);
    }
    count_arguments(j, edge, -1);
    *edge = (cns_ir_edge){.target = onward->target,
                          .count = onward->count,
                          .capacity = onward->count,
                          .arguments = arguments};
    count_arguments(j, edge, 1);
    if (--j->entries[over] > 0) {
        j->entries[edge->target]++;
    } else {
        count_arguments(j, onward, -1);
        forget(&f->blocks[over]);
    }
    j->changed = true;
    return CNS_OK;
}

static cns_status step_over_empty(joiner *j, cns_ir_block_id id) {
    const cns_ir_block *block = &j->f->blocks[id];
    cns_status status = CNS_OK;
    for (uint32_t e = 0; e < cns_ir_successors(block) && status == CNS_OK;) {
        cns_ir_block_id target = block->edges[e].target;
        bool doubles = block->end == CNS_IR_BRANCH &&
                       block->edges[1 - e].target == j->f->blocks[target].edges[0].target;
        if (target == id || !is_empty(j, target) || doubles) {
            e++;
        } else {
            status = step_over(j, id, e);
        }
    }
    return status;
}

/* ---- the pass -------------------------------------------------------------------------------- */

static cns_status joiner_init(joiner *j, cns_ir_function *function) {
    *j = (joiner){.f = function};
    cns_status status = cns_ir_shape_init(&j->shape, function);
    if (status != CNS_OK) {
        return status;
    }
    j->size = ((size_t)function->block_count + function->instruction_count) * sizeof *j->uses;
    j->memory = cns_context_calloc(function->context, j->size);
    if (!j->memory) {
        cns_ir_shape_deinit(&j->shape);
        return cns_context_memory_status(function->context, j->size);
    }
    j->entries = j->memory;
    j->uses = j->entries + function->block_count;
    count(j);
    return CNS_OK;
}

cns_status cns_pass_blocks(cns_ir_function *function) {
    joiner j;
    cns_status status = joiner_init(&j, function);
    if (status != CNS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < j.shape.order_count && status == CNS_OK; i++) {
        status = step_over_empty(&j, j.shape.order[i]);
    }
    for (uint32_t i = 0; i < j.shape.order_count; i++) {
        if (status == CNS_OK) {
            join_chain(&j, j.shape.order[i]);
        }
    }
    cns_ir_shape_deinit(&j.shape);
    cns_context_free(function->context, j.memory, j.size, CNS_ALIGN_DEFAULT);
    if (status == CNS_OK && j.changed) {
        cns_ir_settle(function);
        status = cns_ir_compact(function);
    }
    return status;
}
