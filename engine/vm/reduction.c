/* SPDX-License-Identifier: MIT
 *
 * reduction.c - recognising reductions, and putting their parts together.
 *
 * The values of a reduction are what flows from the header's parameter through updates, selects
 * and the parameters of blocks. That set is grown first, by whatever could belong to it, and then
 * every member and every use of a member is looked at: one that does not fit refuses the whole.
 * Comparisons of min and max use the accumulator without belonging to it.
 */
#include "vm/reduction.h"

#include <math.h>
#include <string.h>

enum { NO_REDUCTION = 0xff };

typedef struct matcher {
    const cns_ir_function *function;
    const cns_ir_shape *shape;
    uint32_t loop;
    uint32_t mark;
    uint32_t *marks;
    cns_carried *carried;
    bool fits;
} matcher;

static bool is_marked(const matcher *m, cns_ir_value value) {
    return value != CNS_IR_NONE && m->marks[value] == m->mark;
}

static bool is_inside(const matcher *m, cns_ir_block_id block) {
    return cns_ir_loop_contains(m->shape, m->loop, block);
}

static uint32_t edge_count(const cns_ir_block *block) {
    return block->end == CNS_IR_BRANCH ? 2 : 1; /* a RETURN's results are its edge's */
}

/* The reduction that an arithmetic update belongs to. */
static uint8_t arithmetic(uint8_t op) {
    switch (op) {
    case CNS_IR_ADD_I64:
    case CNS_IR_SUB_I64:
        return CNS_REDUCE_SUM_I64;
    case CNS_IR_MUL_I64:
        return CNS_REDUCE_PRODUCT_I64;
    case CNS_IR_AND_I64:
        return CNS_REDUCE_AND;
    case CNS_IR_OR_I64:
        return CNS_REDUCE_OR;
    case CNS_IR_XOR_I64:
        return CNS_REDUCE_XOR;
    case CNS_IR_ADD_F64:
    case CNS_IR_SUB_F64:
        return CNS_REDUCE_SUM_F64;
    case CNS_IR_MUL_F64:
        return CNS_REDUCE_PRODUCT_F64;
    default:
        return NO_REDUCTION;
    }
}

static bool is_select(uint8_t op) {
    return op == CNS_IR_SELECT_I64 || op == CNS_IR_SELECT_F64;
}

/* ---- the set --------------------------------------------------------------------------------- */

static bool mark_value(matcher *m, cns_ir_value value) {
    if (m->marks[value] != 0) {
        m->fits = m->fits && is_marked(m, value); /* of another reduction */
        return false;
    }
    m->marks[value] = m->mark;
    return true;
}

static bool flows_into(const matcher *m, const cns_ir_instruction *code) {
    bool first = code->operand_count > 0 && is_marked(m, code->operands[0]);
    bool second = code->operand_count > 1 && is_marked(m, code->operands[1]);
    bool third = code->operand_count > 2 && is_marked(m, code->operands[2]);
    return is_select(code->op) ? second || third
                               : arithmetic(code->op) != NO_REDUCTION && (first || second);
}

static bool grow_through_edges(matcher *m, const cns_ir_block *block) {
    bool grown = false;
    for (uint32_t e = 0; e < edge_count(block) && block->end != CNS_IR_RETURN; e++) {
        const cns_ir_edge *edge = &block->edges[e];
        if (edge->target == m->shape->loops[m->loop].header || !is_inside(m, edge->target)) {
            continue;
        }
        const cns_ir_block *target = &m->function->blocks[edge->target];
        for (uint32_t i = 0; i < edge->count; i++) {
            grown |= is_marked(m, edge->arguments[i]) && mark_value(m, target->parameters[i]);
        }
    }
    return grown;
}

static void grow_set(matcher *m) {
    const cns_ir_function *f = m->function;
    m->marks[m->carried->parameter] = m->mark;
    for (bool again = true; again && m->fits;) {
        again = false;
        for (uint32_t i = 0; i < m->shape->order_count; i++) {
            cns_ir_block_id id = m->shape->order[i];
            if (!is_inside(m, id)) {
                continue;
            }
            for (cns_ir_value v = f->blocks[id].first; v != CNS_IR_NONE;
                 v = cns_ir_at(f, v)->next) {
                again |= flows_into(m, cns_ir_at(f, v)) && mark_value(m, v);
            }
            again |= grow_through_edges(m, &f->blocks[id]);
        }
    }
}

/* ---- its members ----------------------------------------------------------------------------- */

/* All updates must be of one reduction. */
static bool agree(matcher *m, uint8_t reduction) {
    if (m->carried->reduction == NO_REDUCTION) {
        m->carried->reduction = reduction;
    }
    return m->carried->reduction == reduction;
}

/* Whether `value` compares the accumulator `s` with `other`; how, as bits of cns_reduction. */
static bool is_comparison(const matcher *m, cns_ir_value value, cns_ir_value s, cns_ir_value other,
                          uint8_t *how) {
    const cns_ir_instruction *code = cns_ir_at(m->function, value);
    bool f64 = code->op == CNS_IR_LT_F64 || code->op == CNS_IR_LE_F64;
    bool le = code->op == CNS_IR_LE_I64 || code->op == CNS_IR_LE_F64;
    if (!f64 && !le && code->op != CNS_IR_LT_I64) {
        return false;
    }
    bool new_first = code->operands[0] == other && code->operands[1] == s;
    *how = (uint8_t)(CNS_REDUCE_CHOICE | (f64 ? CNS_REDUCE_F64 : 0) | (le ? CNS_REDUCE_LE : 0) |
                     (new_first ? CNS_REDUCE_NEW_FIRST : 0));
    return new_first || (code->operands[0] == s && code->operands[1] == other);
}

static bool check_select(matcher *m, const cns_ir_instruction *code) {
    bool yes = is_marked(m, code->operands[1]), no = is_marked(m, code->operands[2]);
    uint8_t how = 0;
    if (yes && no) {
        return true; /* an update on one path only */
    }
    cns_ir_value s = code->operands[yes ? 1 : 2], other = code->operands[yes ? 2 : 1];
    return is_comparison(m, code->operands[0], s, other, &how) &&
           agree(m, (uint8_t)(how | (yes ? 0 : CNS_REDUCE_NEW_WINS)));
}

static bool check_member(matcher *m, cns_ir_value value) {
    const cns_ir_instruction *code = cns_ir_at(m->function, value);
    if (code->op == CNS_IR_PARAM) {
        return true; /* what flows into it is looked at where it leaves */
    }
    if (is_select(code->op)) {
        return check_select(m, code);
    }
    bool first = is_marked(m, code->operands[0]), second = is_marked(m, code->operands[1]);
    bool subtracts = code->op == CNS_IR_SUB_I64 || code->op == CNS_IR_SUB_F64;
    return first != second && (first || !subtracts) && agree(m, arithmetic(code->op));
}

/* ---- their uses ------------------------------------------------------------------------------ */

/* A comparison may use the accumulator when all that it decides are choices of this reduction. */
static bool decides_choices_only(const matcher *m, cns_ir_value comparison) {
    const cns_ir_function *f = m->function;
    uint8_t op = cns_ir_at(f, comparison)->op;
    if (op != CNS_IR_LT_I64 && op != CNS_IR_LE_I64 && op != CNS_IR_LT_F64 && op != CNS_IR_LE_F64) {
        return false;
    }
    for (cns_ir_value v = 0; v < f->instruction_count; v++) {
        const cns_ir_instruction *code = cns_ir_at(f, v);
        for (uint32_t i = 0; i < code->operand_count && code->block != CNS_IR_NONE; i++) {
            if (code->operands[i] == comparison &&
                !(i == 0 && is_select(code->op) && is_marked(m, v) &&
                  is_marked(m, code->operands[1]) != is_marked(m, code->operands[2]))) {
                return false;
            }
        }
    }
    for (uint32_t b = 0; b < f->block_count; b++) {
        if (f->blocks[b].condition == comparison) {
            return false;
        }
    }
    return true;
}

static bool check_operands(const matcher *m, cns_ir_value user) {
    const cns_ir_instruction *code = cns_ir_at(m->function, user);
    for (uint32_t i = 0; i < code->operand_count; i++) {
        cns_ir_value used = code->operands[i];
        bool behind = !is_inside(m, code->block) && used == m->carried->last;
        if (is_marked(m, used) && !is_marked(m, user) && !behind &&
            !decides_choices_only(m, user)) {
            return false;
        }
    }
    return true;
}

/* Members go to members' parameters, back to the header's own, or out as the last value. */
static bool check_edges(const matcher *m, cns_ir_block_id id) {
    const cns_ir_block *block = &m->function->blocks[id];
    cns_ir_block_id header = m->shape->loops[m->loop].header;
    for (uint32_t e = 0; e < edge_count(block); e++) {
        const cns_ir_edge *edge = &block->edges[e];
        bool stays = block->end != CNS_IR_RETURN && is_inside(m, id) && is_inside(m, edge->target);
        for (uint32_t i = 0; i < edge->count; i++) {
            bool used = is_marked(m, edge->arguments[i]);
            if (!stays && used && edge->arguments[i] != m->carried->last) {
                return false;
            }
            bool enters = edge->target == header && !is_inside(m, id);
            if (block->end == CNS_IR_RETURN || enters || !(stays || used)) {
                continue;
            }
            if (stays && used != is_marked(m, m->function->blocks[edge->target].parameters[i])) {
                return false;
            }
        }
    }
    return true;
}

bool cns_reduction_match(const cns_ir_function *function, const cns_ir_shape *shape, uint32_t loop,
                         uint32_t mark, uint32_t *marks, cns_carried *carried) {
    matcher m = {.function = function,
                 .shape = shape,
                 .loop = loop,
                 .mark = mark,
                 .marks = marks,
                 .carried = carried,
                 .fits = true};
    carried->reduction = NO_REDUCTION;
    grow_set(&m);
    bool fits = m.fits && is_marked(&m, carried->last);
    for (cns_ir_value v = 0; v < function->instruction_count && fits; v++) {
        if (cns_ir_at(function, v)->block != CNS_IR_NONE) {
            fits = (!is_marked(&m, v) || check_member(&m, v)) && check_operands(&m, v);
        }
    }
    for (uint32_t b = 0; b < function->block_count && fits; b++) {
        fits = check_edges(&m, b);
    }
    return fits && carried->reduction != NO_REDUCTION;
}

/* ---- values ---------------------------------------------------------------------------------- */

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

bool cns_reduction_is_f64(uint8_t reduction) {
    return reduction & CNS_REDUCE_CHOICE ? (reduction & CNS_REDUCE_F64) != 0
                                         : reduction >= CNS_REDUCE_SUM_F64;
}

/* s is kept while it is the smaller one: new < s takes the new one, or s < new keeps s. */
static bool finds_least(uint8_t choice) {
    bool new_first = choice & CNS_REDUCE_NEW_FIRST, new_wins = choice & CNS_REDUCE_NEW_WINS;
    return new_first == new_wins;
}

uint64_t cns_reduction_identity(uint8_t reduction) {
    if (reduction & CNS_REDUCE_CHOICE) {
        bool least = finds_least(reduction);
        return reduction & CNS_REDUCE_F64 ? bits_of(least ? INFINITY : -INFINITY)
                                          : (uint64_t)(least ? INT64_MAX : INT64_MIN);
    }
    switch (reduction) {
    case CNS_REDUCE_PRODUCT_I64:
        return 1;
    case CNS_REDUCE_AND:
        return UINT64_MAX;
    case CNS_REDUCE_SUM_F64:
        return bits_of(-0.0); /* x + -0.0 is x, also for -0.0 */
    case CNS_REDUCE_PRODUCT_F64:
        return bits_of(1.0);
    default:
        return 0;
    }
}

static uint64_t choose(uint8_t choice, uint64_t s, uint64_t other) {
    uint64_t a = choice & CNS_REDUCE_NEW_FIRST ? other : s;
    uint64_t b = choice & CNS_REDUCE_NEW_FIRST ? s : other;
    bool less;
    if (choice & CNS_REDUCE_F64) {
        less = choice & CNS_REDUCE_LE ? double_of(a) <= double_of(b) : double_of(a) < double_of(b);
    } else {
        less = choice & CNS_REDUCE_LE ? (int64_t)a <= (int64_t)b : (int64_t)a < (int64_t)b;
    }
    return less == ((choice & CNS_REDUCE_NEW_WINS) != 0) ? other : s;
}

uint64_t cns_reduction_combine(uint8_t reduction, uint64_t left, uint64_t right) {
    if (reduction & CNS_REDUCE_CHOICE) {
        return choose(reduction, left, right);
    }
    switch (reduction) {
    case CNS_REDUCE_SUM_I64:
        return left + right;
    case CNS_REDUCE_PRODUCT_I64:
        return left * right;
    case CNS_REDUCE_AND:
        return left & right;
    case CNS_REDUCE_OR:
        return left | right;
    case CNS_REDUCE_XOR:
        return left ^ right;
    case CNS_REDUCE_SUM_F64:
        return bits_of(double_of(left) + double_of(right));
    default:
        return bits_of(double_of(left) * double_of(right));
    }
}
