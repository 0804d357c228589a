/* SPDX-License-Identifier: MIT
 *
 * ir_for.c - which loops are counted ones.
 *
 * A loop counts when its one latch leaves it on `remaining == 0`; where it may not leave early,
 * nothing else leaves it. Its index is the header's parameter that starts and goes on as a
 * FOR_COUNT of the same init and step says, so it never wraps; after k peeled trips both have moved
 * on by k. Other induction variables may wrap and are not taken for the index.
 */
#include "vm/ir.h"

typedef struct matcher {
    const cns_ir_function *function;
    const cns_ir_shape *shape;
    uint32_t loop;
    cns_ir_block_id header;
    const cns_ir_edge *entry; /* the one from outside */
    const cns_ir_edge *back;
} matcher;

static bool is_constant(const cns_ir_function *function, cns_ir_value value, int64_t *out) {
    const cns_ir_instruction *instruction = cns_ir_at(function, value);
    *out = instruction->i;
    return instruction->op == CNS_IR_CONST_I64;
}

/* Whether `value` is another value plus a constant: add either way round, or sub. */
static bool is_offset(const cns_ir_function *function, cns_ir_value value, cns_ir_value *base,
                      int64_t *offset) {
    const cns_ir_instruction *code = cns_ir_at(function, value);
    const cns_ir_value *operands = code->operands;
    if (code->op == CNS_IR_SUB_I64 && is_constant(function, operands[1], offset)) {
        *base = operands[0];
        *offset = (int64_t)(0 - (uint64_t)*offset);
        return true;
    }
    for (int i = 0; i < 2 && code->op == CNS_IR_ADD_I64; i++) {
        if (is_constant(function, operands[1 - i], offset)) {
            *base = operands[i];
            return true;
        }
    }
    return false;
}

/* Any value as one plus a constant, which may be 0. */
static void split(const cns_ir_function *function, cns_ir_value value, cns_ir_value *base,
                  int64_t *offset) {
    if (!is_offset(function, value, base, offset)) {
        *base = value;
        *offset = 0;
    }
}

/* The same value, or constants of the same value. */
static bool is_same(const cns_ir_function *function, cns_ir_value a, cns_ir_value b) {
    int64_t x, y;
    return a == b || (is_constant(function, a, &x) && is_constant(function, b, &y) && x == y);
}

/* ---- the frame ------------------------------------------------------------------------------- */

static uint32_t edge_count(const cns_ir_block *block) {
    return block->end == CNS_IR_JUMP ? 1 : block->end == CNS_IR_BRANCH ? 2 : 0;
}

/* The one edge from outside to the header; the blocks' edges into it are counted. */
static bool find_entry(matcher *m) {
    const cns_ir_shape *shape = m->shape;
    uint32_t found = 0;
    for (uint32_t p = shape->predecessor_begin[m->header];
         p < shape->predecessor_begin[m->header + 1]; p++) {
        cns_ir_block_id from = shape->predecessors[p];
        if (!cns_ir_loop_contains(shape, m->loop, from)) {
            const cns_ir_block *block = &m->function->blocks[from];
            m->entry = &block->edges[block->edges[0].target == m->header ? 0 : 1];
            found++;
        }
    }
    return found == 1;
}

/* Nothing but the latch leaves. */
static bool has_other_exits(const matcher *m, cns_ir_block_id latch) {
    const cns_ir_shape *shape = m->shape;
    for (uint32_t i = shape->position[m->header]; i < shape->order_count; i++) {
        cns_ir_block_id id = shape->order[i];
        if (id == latch || !cns_ir_loop_contains(shape, m->loop, id)) {
            continue;
        }
        const cns_ir_block *block = &m->function->blocks[id];
        for (uint32_t e = 0; e < edge_count(block); e++) {
            if (!cns_ir_loop_contains(shape, m->loop, block->edges[e].target)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_header_parameter(const matcher *m, cns_ir_value value) {
    const cns_ir_instruction *code = cns_ir_at(m->function, value);
    return code->op == CNS_IR_PARAM && code->block == m->header;
}

/* The test `remaining == 0` that leaves, and `remaining - 1` on the way back. */
static bool find_remaining(matcher *m, const cns_ir_block *latch, cns_ir_for *out) {
    const cns_ir_instruction *test = cns_ir_at(m->function, latch->condition);
    int64_t zero = 1;
    for (int i = 0; i < 2 && test->op == CNS_IR_EQ_I64; i++) {
        cns_ir_value remaining = test->operands[i];
        cns_ir_value base;
        int64_t offset;
        if (is_header_parameter(m, remaining) &&
            is_constant(m->function, test->operands[1 - i], &zero) && zero == 0) {
            uint32_t place = cns_ir_at(m->function, remaining)->index;
            out->remaining = remaining;
            out->initial_remaining = m->entry->arguments[place];
            return is_offset(m->function, m->back->arguments[place], &base, &offset) &&
                   base == remaining && offset == -1;
        }
    }
    return false;
}

/* ---- the index ------------------------------------------------------------------------------- */

/* Whether count + 1 values from `first` on stay within int64. */
static bool stays_inside(int64_t first, int64_t step, uint64_t count) {
    uint64_t room =
        step > 0 ? (uint64_t)INT64_MAX - (uint64_t)first : (uint64_t)first - (uint64_t)INT64_MIN;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    return step != 0 && count <= room / stride;
}

/* Whether `value` is `init` moved on by `trips` steps. */
static bool is_moved_on(const cns_ir_function *f, cns_ir_value value, cns_ir_value init,
                        cns_ir_value step, uint64_t trips) {
    int64_t x, from, stride;
    for (; trips > 0 && value != init; trips--) {
        const cns_ir_instruction *code = cns_ir_at(f, value);
        if (code->op != CNS_IR_ADD_I64) {
            break;
        }
        if (is_same(f, code->operands[1], step)) {
            value = code->operands[0];
        } else if (is_same(f, code->operands[0], step)) {
            value = code->operands[1];
        } else {
            break;
        }
    }
    if (trips == 0 && is_same(f, value, init)) {
        return true;
    }
    if (!is_constant(f, step, &stride)) {
        return false;
    }
    uint64_t distance = trips * (uint64_t)stride;
    if (is_constant(f, value, &x) && is_constant(f, init, &from)) {
        return (uint64_t)x - (uint64_t)from == distance;
    }
    cns_ir_value base, origin; /* init + 1 + 2 may have become one addition, or none */
    split(f, value, &base, &x);
    split(f, init, &origin, &from);
    return base == origin && (uint64_t)x - (uint64_t)from == distance;
}

/* Whether a variable from `first` on by `step` is the one that the loop's count was made for. */
static bool is_counted(const matcher *m, const cns_ir_for *loop, cns_ir_value first,
                       cns_ir_value step) {
    const cns_ir_function *f = m->function;
    cns_ir_value count = loop->initial_remaining;
    uint64_t peeled = 0;
    int64_t offset, from, stride;
    if (is_constant(f, count, &offset)) {
        return is_constant(f, first, &from) && is_constant(f, step, &stride) &&
               stays_inside(from, stride, (uint64_t)offset);
    }
    while (peeled < 64 && is_offset(f, count, &count, &offset)) {
        if (offset >= 0 || offset < -64) {
            return false;
        }
        peeled += (uint64_t)-offset;
    }
    const cns_ir_instruction *code = cns_ir_at(f, count);
    return code->op == CNS_IR_FOR_COUNT && is_same(f, code->operands[2], step) &&
           is_moved_on(f, first, code->operands[0], code->operands[2], peeled);
}

static void find_index(const matcher *m, cns_ir_for *out) {
    const cns_ir_function *f = m->function;
    const cns_ir_block *header = &f->blocks[m->header];
    out->index = out->step = out->initial_index = CNS_IR_NONE;
    for (uint32_t p = 0; p < header->parameter_count; p++) {
        cns_ir_value index = header->parameters[p];
        const cns_ir_instruction *next = cns_ir_at(f, m->back->arguments[p]);
        for (int i = 0; i < 2 && next->op == CNS_IR_ADD_I64; i++) {
            cns_ir_value step = next->operands[1 - i];
            if (next->operands[i] == index &&
                !cns_ir_loop_contains(m->shape, m->loop, cns_ir_at(f, step)->block) &&
                is_counted(m, out, m->entry->arguments[p], step)) {
                out->index = index;
                out->step = step;
                out->initial_index = m->entry->arguments[p];
                return;
            }
        }
    }
}

static bool match(const cns_ir_function *function, const cns_ir_shape *shape, uint32_t loop,
                  bool may_leave, cns_ir_for *out) {
    cns_ir_block_id latch_id = shape->loops[loop].latch;
    if (latch_id == CNS_IR_NONE) {
        return false;
    }
    matcher m = {
        .function = function, .shape = shape, .loop = loop, .header = shape->loops[loop].header};
    const cns_ir_block *latch = &function->blocks[latch_id];
    if (latch->end != CNS_IR_BRANCH || latch->edges[1].target != m.header ||
        cns_ir_loop_contains(shape, loop, latch->edges[0].target)) {
        return false;
    }
    m.back = &latch->edges[1];
    cns_ir_for counted;
    if (!find_entry(&m) || !find_remaining(&m, latch, &counted) ||
        (!may_leave && has_other_exits(&m, latch_id))) {
        return false;
    }
    find_index(&m, &counted);
    *out = counted;
    return true;
}

bool cns_ir_for_match(const cns_ir_function *function, const cns_ir_shape *shape, uint32_t loop,
                      cns_ir_for *out) {
    return match(function, shape, loop, false, out);
}

bool cns_ir_for_match_early(const cns_ir_function *function, const cns_ir_shape *shape,
                            uint32_t loop, cns_ir_for *out) {
    return match(function, shape, loop, true, out);
}
