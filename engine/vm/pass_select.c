/* SPDX-License-Identifier: MIT
 *
 * pass_select.c - small choices without effects become SELECTs.
 *
 * A branch whose arms only compute a few cheap values and meet again is computed on both sides,
 * and every parameter of the meeting point that differs is selected. An arm may be missing. Edges
 * back to a loop's header are left alone: counted loops are recognised by their latch.
 */
#include "vm/passes.h"
#include "vm/rewrite.h"

enum {
    MAX_COMPUTED = 6, /* operations of both arms together */
    MAX_SELECTED = 4
};

typedef struct chooser {
    cns_ir_function *f;
    cns_ir_shape shape;
    uint32_t *entries; /* block -> edges that lead to it */
    bool changed;
} chooser;

/* ---- looking --------------------------------------------------------------------------------- */

/* About as cheap as the branch itself. */
static bool is_cheap(cns_ir_op op) {
    switch (op) {
    case CNS_IR_IDIV_I64:
    case CNS_IR_MOD_I64:
    case CNS_IR_FMOD_I64:
    case CNS_IR_WITHIN:
    case CNS_IR_FOR_COUNT:
    case CNS_IR_FOR_CLIP:
    case CNS_IR_FOR_ENTERS_CLIP:
        return false;
    default:
        return op < CNS_IR_DIV_F64 || (op >= CNS_IR_NEG_F64 && op <= CNS_IR_CEIL_F64) ||
               op >= CNS_IR_I64_TO_F64;
    }
}

/* Whether it may be computed on no condition. What makes a load PROVEN holds in each trip of its
 * loop, whichever way that goes; and nothing in an arm is stored that a load could come before. */
static bool is_harmless(const cns_ir_function *f, cns_ir_value value) {
    return cns_ir_at(f, value)->op == CNS_IR_LOAD ? cns_ir_is_safe(f, value)
                                                  : cns_ir_is_free(f, value);
}

/* Whether the edge leads through a block of its own that only computes; counts its operations. */
static bool is_arm(const chooser *c, const cns_ir_edge *edge, uint32_t *computed) {
    const cns_ir_function *f = c->f;
    const cns_ir_block *arm = &f->blocks[edge->target];
    if (c->entries[edge->target] != 1 || arm->end != CNS_IR_JUMP || arm->parameter_count > 0) {
        return false;
    }
    for (cns_ir_value v = arm->first; v != CNS_IR_NONE; v = cns_ir_at(f, v)->next) {
        if (!is_harmless(f, v) || !is_cheap((cns_ir_op)cns_ir_at(f, v)->op) ||
            ++*computed > MAX_COMPUTED) {
            return false;
        }
    }
    return true;
}

static uint32_t selected_count(const chooser *c, const cns_ir_edge *yes, const cns_ir_edge *no) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < yes->count; i++) {
        if (yes->arguments[i] != no->arguments[i]) {
            bool buffer = cns_ir_is_buffer(cns_ir_at(c->f, yes->arguments[i])->type);
            count += buffer ? MAX_SELECTED + 1 : 1;
        }
    }
    return count;
}

/* The edges that meet, of `id` itself or of its arms; false where the choice is none for us. */
static bool find_choice(const chooser *c, cns_ir_block_id id, const cns_ir_edge *meet[2]) {
    const cns_ir_block *block = &c->f->blocks[id];
    uint32_t computed = 0;
    if (c->f->blocks[block->edges[1].target].flags & CNS_IR_COLD) {
        return false; /* the test that makes loads PROVEN */
    }
    for (int e = 0; e < 2; e++) {
        bool arm = is_arm(c, &block->edges[e], &computed);
        meet[e] = arm ? &c->f->blocks[block->edges[e].target].edges[0] : &block->edges[e];
    }
    cns_ir_block_id target = meet[0]->target;
    uint32_t loop = c->shape.loop_of[target];
    bool back = loop != CNS_IR_NONE && c->shape.loops[loop].header == target &&
                cns_ir_loop_contains(&c->shape, loop, id);
    return target == meet[1]->target && computed <= MAX_COMPUTED && !back &&
           selected_count(c, meet[0], meet[1]) <= MAX_SELECTED;
}

/* ---- changing -------------------------------------------------------------------------------- */

static void take_in(chooser *c, cns_ir_block_id id, cns_ir_block_id arm) {
    cns_ir_value next;
    for (cns_ir_value v = c->f->blocks[arm].first; v != CNS_IR_NONE; v = next) {
        next = cns_ir_at(c->f, v)->next;
        cns_ir_move(c->f, v, id);
    }
}

static cns_status select_value(chooser *c, cns_ir_block_id id, cns_ir_value yes, cns_ir_value no,
                               cns_ir_value *out) {
    uint8_t type = cns_ir_at(c->f, yes)->type;
    cns_ir_op op = type == CNS_VM_BOOL  ? CNS_IR_SELECT_BOOL
                   : type == CNS_VM_I64 ? CNS_IR_SELECT_I64
                                        : CNS_IR_SELECT_F64;
    const cns_ir_block *block = &c->f->blocks[id];
    cns_ir_value operands[CNS_IR_OPERANDS] = {block->condition, yes, no, CNS_IR_NONE};
    return cns_ir_add(c->f, id, op, block->site, operands, out);
}

static cns_status choose(chooser *c, cns_ir_block_id id, const cns_ir_edge *meet[2]) {
    cns_ir_function *f = c->f;
    cns_ir_edge met = *meet[0], other = *meet[1];
    cns_ir_value *arguments = cns_ir_alloc(f, met.count * sizeof *arguments + 1);
    if (!arguments) {
        return cns_context_memory_status(f->context, met.count * sizeof *arguments);
    }
    for (int e = 0; e < 2; e++) {
        if (meet[e] != &f->blocks[id].edges[e]) {
            take_in(c, id, f->blocks[id].edges[e].target);
            c->entries[f->blocks[id].edges[e].target] = 0;
        }
    }
    cns_status status = CNS_OK;
    for (uint32_t i = 0; i < met.count && status == CNS_OK; i++) {
        arguments[i] = met.arguments[i];
        if (arguments[i] != other.arguments[i]) {
            status = select_value(c, id, met.arguments[i], other.arguments[i], &arguments[i]);
        }
    }
    if (status == CNS_OK) {
        status = cns_ir_end_jump(f, id, f->blocks[id].site, met.target, arguments, met.count);
        f->blocks[id].condition = CNS_IR_NONE;
        c->entries[met.target]--;
        c->changed = true;
    }
    return status;
}

/* ---- the pass -------------------------------------------------------------------------------- */

static void count_entries(chooser *c) {
    for (uint32_t i = 0; i < c->shape.order_count; i++) {
        const cns_ir_block *block = &c->f->blocks[c->shape.order[i]];
        for (uint32_t e = 0; e < cns_ir_successors(block); e++) {
            c->entries[block->edges[e].target]++;
        }
    }
}

/* From inside out: an arm may become straight code on the way. */
static cns_status choose_all(chooser *c) {
    cns_status status = CNS_OK;
    const cns_ir_edge *meet[2];
    for (uint32_t i = c->shape.order_count; i > 0 && status == CNS_OK; i--) {
        cns_ir_block_id id = c->shape.order[i - 1];
        if (c->f->blocks[id].end == CNS_IR_BRANCH && find_choice(c, id, meet)) {
            status = choose(c, id, meet);
        }
    }
    return status;
}

cns_status cns_pass_select(cns_ir_function *function) {
    chooser c = {.f = function};
    cns_status status = cns_ir_shape_init(&c.shape, function);
    if (status != CNS_OK) {
        return status;
    }
    size_t size = function->block_count * sizeof *c.entries;
    c.entries = cns_context_calloc(function->context, size);
    if (c.entries) {
        count_entries(&c);
        status = choose_all(&c);
        cns_context_free(function->context, c.entries, size, CNS_ALIGN_DEFAULT);
    } else {
        status = cns_context_memory_status(function->context, size);
    }
    cns_ir_shape_deinit(&c.shape);
    return status == CNS_OK && c.changed ? cns_ir_compact(function) : status;
}
