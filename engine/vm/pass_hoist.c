/* SPDX-License-Identifier: MIT
 *
 * pass_hoist.c - what every trip computes alike is computed before the loop.
 *
 * Loops are taken from inside out, each with a preheader, made where there is none; its end is
 * reached if and only if the loop is entered. Free values move from wherever they are. What may
 * trap moves only from the header, as long as nothing before it in the loop may trap or writes:
 * then it is the first thing that happens. Loads move where the loop writes nothing, and what
 * is PROVEN not above its test. COLD loops stay as they are.
 */
#include "vm/passes.h"
#include "vm/rewrite.h"

typedef struct hoister {
    cns_ir_function *f;
    cns_ir_shape shape;
    uint32_t loop;
    cns_ir_block_id header;
    cns_ir_block_id preheader;
    bool writes; /* something in the loop does */
} hoister;

/* ---- looking --------------------------------------------------------------------------------- */

static bool is_cold(const hoister *h, uint32_t loop) {
    for (; loop != CNS_IR_NONE; loop = h->shape.loops[loop].parent) {
        if (h->f->blocks[h->shape.loops[loop].header].flags & CNS_IR_COLD) {
            return true;
        }
    }
    return false;
}

static bool is_invariant(const hoister *h, cns_ir_value value) {
    const cns_ir_instruction *code = cns_ir_at(h->f, value);
    for (uint32_t i = 0; i < code->operand_count; i++) {
        if (cns_ir_loop_contains(&h->shape, h->loop, cns_ir_at(h->f, code->operands[i])->block)) {
            return false;
        }
    }
    return true;
}

static bool is_fork(uint8_t op) {
    return op >= CNS_IR_FORK_PASS && op <= CNS_IR_FORK_GET_F64;
}

/* A condition that pass_bounds made. */
static bool is_bounds_test(const hoister *h, cns_ir_value condition) {
    uint8_t op = cns_ir_at(h->f, condition)->op;
    return op == CNS_IR_WITHIN || op == CNS_IR_AND_BOOL;
}

/* Whether what makes an access PROVEN is decided in the loop: it is so only below the test. */
static bool is_proven_inside(const hoister *h, cns_ir_value value) {
    const cns_ir_instruction *code = cns_ir_at(h->f, value);
    cns_ir_block_id above = code->block;
    while (code->flags & CNS_IR_PROVEN && above != h->header) {
        above = h->shape.dominator[above];
        const cns_ir_block *block = &h->f->blocks[above];
        if (block->end == CNS_IR_BRANCH && is_bounds_test(h, block->condition) &&
            cns_ir_dominates(&h->shape, block->edges[0].target, code->block)) {
            return true;
        }
    }
    return false;
}

/* `first`: if it traps, it is the first thing that the loop does. */
static bool may_move(const hoister *h, cns_ir_value value, bool first) {
    const cns_ir_instruction *code = cns_ir_at(h->f, value);
    cns_ir_op op = (cns_ir_op)code->op;
    if (is_fork(code->op) || cns_ir_has(op, 'W') || (cns_ir_has(op, 'R') && h->writes)) {
        return false;
    }
    return (first || cns_ir_is_safe(h->f, value)) && is_invariant(h, value) &&
           !is_proven_inside(h, value);
}

static bool block_writes(const cns_ir_function *f, cns_ir_block_id id) {
    for (cns_ir_value v = f->blocks[id].first; v != CNS_IR_NONE; v = cns_ir_at(f, v)->next) {
        if (cns_ir_has((cns_ir_op)cns_ir_at(f, v)->op, 'W')) {
            return true;
        }
    }
    return false;
}

static void look_at(hoister *h, uint32_t loop) {
    const cns_ir_shape *s = &h->shape;
    h->loop = loop;
    h->header = s->loops[loop].header;
    h->preheader = s->loops[loop].preheader;
    h->writes = false;
    for (uint32_t i = s->position[h->header]; i < s->order_count && !h->writes; i++) {
        h->writes = cns_ir_loop_contains(s, loop, s->order[i]) && block_writes(h->f, s->order[i]);
    }
}

/* Keeps what `first` of may_move is while a header is walked. */
static bool still_first(const hoister *h, cns_ir_value value, bool first) {
    cns_ir_op op = (cns_ir_op)cns_ir_at(h->f, value)->op;
    return first && !cns_ir_has(op, 'W') && cns_ir_is_safe(h->f, value);
}

/* ---- preheaders ------------------------------------------------------------------------------ */

static bool is_back_edge(const cns_ir_shape *shape, uint32_t loop, cns_ir_block_id from) {
    return shape->position[from] == CNS_IR_NONE || cns_ir_loop_contains(shape, loop, from);
}

static bool has_preheader(const hoister *h, const cns_ir_loop *loop) {
    return loop->preheader != CNS_IR_NONE && h->f->blocks[loop->preheader].end == CNS_IR_JUMP;
}

/* A jump to the header, with parameters like the header's; what enters the loop goes to it. */
static cns_status add_preheader(hoister *h, uint32_t loop) {
    cns_ir_function *f = h->f;
    cns_ir_block_id header = h->shape.loops[loop].header, before;
    uint32_t count = f->blocks[header].parameter_count;
    cns_ir_value *passed = cns_ir_alloc(f, count * sizeof *passed + 1);
    if (!passed) {
        return cns_context_memory_status(f->context, count * sizeof *passed);
    }
    cns_status status = cns_ir_add_block(f, &before);
    for (uint32_t i = 0; i < count && status == CNS_OK; i++) {
        cns_ir_value parameter = f->blocks[header].parameters[i];
        status = cns_ir_add_parameter(f, before, cns_ir_at(f, parameter)->type, &passed[i]);
        if (status == CNS_OK) {
            f->instructions[passed[i]].name = cns_ir_at(f, parameter)->name;
        }
    }
    if (status == CNS_OK) {
        status = cns_ir_end_jump(f, before, f->blocks[header].site, header, passed, count);
    }
    for (uint32_t i = 0; i < h->shape.order_count && status == CNS_OK; i++) {
        cns_ir_block *block = &f->blocks[h->shape.order[i]];
        for (uint32_t e = 0; e < cns_ir_successors(block); e++) {
            if (block->edges[e].target == header &&
                !is_back_edge(&h->shape, loop, h->shape.order[i])) {
                block->edges[e].target = before;
            }
        }
    }
    return status;
}

/* A load or store whose index pass_bounds may test in a preheader. */
static bool is_checked(const cns_ir_function *f, cns_ir_value value) {
    const cns_ir_instruction *code = cns_ir_at(f, value);
    return (code->op == CNS_IR_LOAD || code->op == CNS_IR_STORE) && !(code->flags & CNS_IR_PROVEN);
}

/* Whether anything would move to it, or be tested in it. */
static bool needs_preheader(hoister *h, uint32_t loop) {
    look_at(h, loop);
    for (uint32_t i = h->shape.position[h->header]; i < h->shape.order_count; i++) {
        cns_ir_block_id id = h->shape.order[i];
        bool first = id == h->header;
        if (!cns_ir_loop_contains(&h->shape, loop, id)) {
            continue;
        }
        for (cns_ir_value v = h->f->blocks[id].first; v != CNS_IR_NONE;
             v = cns_ir_at(h->f, v)->next) {
            if (may_move(h, v, first) || is_checked(h->f, v)) {
                return true;
            }
            first = still_first(h, v, first);
        }
    }
    return false;
}

/* With one way in, the preheader's parameters are what the edge passes, which pass_parameters
 * finds: counted loops are known by what enters their header. */
static cns_status add_preheaders(hoister *h) {
    bool added = false;
    cns_status status = cns_ir_shape_init(&h->shape, h->f);
    if (status != CNS_OK) {
        return status;
    }
    for (uint32_t l = 0; l < h->shape.loop_count && status == CNS_OK; l++) {
        if (!is_cold(h, l) && !has_preheader(h, &h->shape.loops[l]) && needs_preheader(h, l)) {
            status = add_preheader(h, l);
            added = true;
        }
    }
    cns_ir_shape_deinit(&h->shape);
    return status == CNS_OK && added ? cns_pass_parameters(h->f) : status;
}

/* ---- moving ---------------------------------------------------------------------------------- */

static void move_from(hoister *h, cns_ir_block_id id) {
    bool first = id == h->header;
    cns_ir_value next;
    for (cns_ir_value v = h->f->blocks[id].first; v != CNS_IR_NONE; v = next) {
        next = cns_ir_at(h->f, v)->next;
        if (may_move(h, v, first)) {
            cns_ir_move(h->f, v, h->preheader);
        } else {
            first = still_first(h, v, first);
        }
    }
}

static void hoist_from(hoister *h, uint32_t loop) {
    const cns_ir_shape *s = &h->shape;
    look_at(h, loop);
    for (uint32_t i = s->position[h->header]; i < s->order_count; i++) {
        if (cns_ir_loop_contains(s, loop, s->order[i])) {
            move_from(h, s->order[i]);
        }
    }
}

cns_status cns_pass_hoist(cns_ir_function *function) {
    hoister h = {.f = function};
    cns_status status = add_preheaders(&h);
    if (status == CNS_OK) {
        status = cns_ir_shape_init(&h.shape, function);
    }
    if (status != CNS_OK) {
        return status;
    }
    for (uint32_t l = h.shape.loop_count; l > 0; l--) {
        if (!is_cold(&h, l - 1) && has_preheader(&h, &h.shape.loops[l - 1])) {
            hoist_from(&h, l - 1);
        }
    }
    cns_ir_shape_deinit(&h.shape);
    return status;
}
