/* SPDX-License-Identifier: MIT
 *
 * pass_bounds.c - bounds of counted loops, checked once before the loop.
 *
 * In a counted loop whose indices are affine in its trips, and which may leave early, one WITHIN
 * test an access (or a group of accesses that differ by constants) decides between the loop with
 * its accesses PROVEN and a COLD copy of it as it was, which traps at the right moment with the
 * right stores done. Indices wrap modulo 2^64 as the loop computes them and WITHIN tests the exact
 * sequence, so where it holds both are the same. Outer loops come first; a cold copy is left alone.
 */
#include <string.h>

#include "vm/passes.h"

enum {
    MAX_GROUPS = 24,        /* tested before one loop */
    MAX_OFFSET = 1 << 30,   /* between accesses of a group */
    MAX_INSTRUCTIONS = 4096 /* of a function that still grows */
};

/* base + offset + step * trip, modulo 2^64; base CNS_IR_NONE is 0, step NONE is 0. */
typedef struct affine {
    cns_ir_value base;
    int64_t offset;
    cns_ir_value step;
    int64_t constant_step; /* where step is NONE */
} affine;

typedef struct group {
    cns_ir_value buffer;
    affine index; /* its offset is unused */
    int64_t low;  /* offsets of accesses that each trip makes; low > high: none yet */
    int64_t high;
    bool proven; /* without a test */
} group;

typedef struct access {
    cns_ir_value value;
    uint32_t group;
    int64_t offset;
    bool certain; /* each trip makes it */
} access;

typedef struct bounder {
    cns_ir_function *f;
    cns_ir_shape shape;
    uint32_t loop;
    cns_ir_block_id header;
    cns_ir_block_id preheader;
    uint32_t site;
    cns_ir_for counted;
    group groups[MAX_GROUPS];
    uint32_t group_count;
    access *accesses;
    uint32_t access_count;
    uint32_t access_capacity;
    uint32_t unproven; /* accesses whose index is not affine */
} bounder;

static bool is_inside(const bounder *b, cns_ir_value value) {
    return cns_ir_loop_contains(&b->shape, b->loop, cns_ir_at(b->f, value)->block);
}

/* ---- affine indices -------------------------------------------------------------------------- */

/* op(x, y) in the preheader, or one that is there already. */
static cns_status invariant(bounder *b, cns_ir_op op, cns_ir_value x, cns_ir_value y,
                            cns_ir_value *out) {
    const cns_ir_function *f = b->f;
    uint32_t looked_at = 0;
    for (cns_ir_value v = f->blocks[b->preheader].last; v != CNS_IR_NONE && looked_at < 64;
         v = f->instructions[v].previous, looked_at++) {
        const cns_ir_instruction *code = cns_ir_at(f, v);
        if (code->op == op && code->operands[0] == x && code->operands[1] == y) {
            *out = v;
            return CNS_OK;
        }
    }
    cns_ir_value operands[CNS_IR_OPERANDS] = {x, y, CNS_IR_NONE, CNS_IR_NONE};
    return cns_ir_add(b->f, b->preheader, op, b->site, operands, out);
}

/* The sum as one value, with its step as a value too. */
static cns_status as_values(bounder *b, const affine *a, int64_t offset, cns_ir_value *first,
                            cns_ir_value *step) {
    cns_ir_value constant;
    cns_status status = cns_ir_add_i64(b->f, offset, &constant);
    *first = constant;
    if (status == CNS_OK && a->base != CNS_IR_NONE) {
        *first = a->base;
        if (offset != 0) {
            status = invariant(b, CNS_IR_ADD_I64, a->base, constant, first);
        }
    }
    *step = a->step;
    return status == CNS_OK && a->step == CNS_IR_NONE ? cns_ir_add_i64(b->f, a->constant_step, step)
                                                      : status;
}

static bool is_constant(const affine *a) {
    return a->base == CNS_IR_NONE && a->step == CNS_IR_NONE && a->constant_step == 0;
}

static affine affine_of_invariant(const bounder *b, cns_ir_value value) {
    const cns_ir_instruction *code = cns_ir_at(b->f, value);
    affine a = {.base = value, .step = CNS_IR_NONE};
    if (code->op == CNS_IR_CONST_I64) {
        a.base = CNS_IR_NONE;
        a.offset = code->i;
        return a;
    }
    int sign = code->op == CNS_IR_ADD_I64 ? 1 : code->op == CNS_IR_SUB_I64 ? -1 : 0;
    for (int i = 1; i >= 0 && sign != 0; i--) { /* invariant + constant: the same base in groups */
        const cns_ir_instruction *constant = cns_ir_at(b->f, code->operands[i]);
        if (constant->op == CNS_IR_CONST_I64 && (sign > 0 || i == 1)) {
            a = affine_of_invariant(b, code->operands[1 - i]);
            uint64_t by = (uint64_t)constant->i;
            a.offset = (int64_t)((uint64_t)a.offset + (sign > 0 ? by : 0 - by));
            return a;
        }
    }
    return a;
}

static cns_status combine(bounder *b, cns_ir_op op, cns_ir_value x, cns_ir_value y,
                          cns_ir_value *out) {
    if (y == CNS_IR_NONE) {
        *out = x;
        return CNS_OK;
    }
    if (x == CNS_IR_NONE && op == CNS_IR_ADD_I64) {
        *out = y;
        return CNS_OK;
    }
    cns_status status = x == CNS_IR_NONE ? cns_ir_add_i64(b->f, 0, &x) : CNS_OK;
    return status == CNS_OK ? invariant(b, op, x, y, out) : status;
}

/* x + y, or x - y. */
static cns_status add(bounder *b, cns_ir_op op, affine x, affine y, affine *out) {
    uint64_t sign = op == CNS_IR_SUB_I64 ? UINT64_MAX : 1;
    out->offset = (int64_t)((uint64_t)x.offset + sign * (uint64_t)y.offset);
    cns_status status = combine(b, op, x.base, y.base, &out->base);
    out->constant_step = (int64_t)((uint64_t)x.constant_step + sign * (uint64_t)y.constant_step);
    out->step = CNS_IR_NONE;
    if (status != CNS_OK || (x.step == CNS_IR_NONE && y.step == CNS_IR_NONE)) {
        return status;
    }
    for (int i = 0; i < 2 && status == CNS_OK; i++) {
        affine *a = i == 0 ? &x : &y;
        if (a->step == CNS_IR_NONE && a->constant_step != 0) {
            status = cns_ir_add_i64(b->f, a->constant_step, &a->step);
        }
    }
    return status == CNS_OK ? combine(b, op, x.step, y.step, &out->step) : status;
}

/* x times something that no trip changes. */
static cns_status scale(bounder *b, affine x, affine by, affine *out) {
    bool constant = is_constant(&by);
    if (constant && x.base == CNS_IR_NONE && x.step == CNS_IR_NONE) {
        *out = x;
        out->offset = (int64_t)((uint64_t)x.offset * (uint64_t)by.offset);
        out->constant_step = (int64_t)((uint64_t)x.constant_step * (uint64_t)by.offset);
        return CNS_OK;
    }
    cns_ir_value first, step, factor, none;
    cns_status status = as_values(b, &x, x.offset, &first, &step);
    status = status == CNS_OK ? as_values(b, &by, by.offset, &factor, &none) : status;
    *out = (affine){.base = CNS_IR_NONE, .step = CNS_IR_NONE};
    if (status == CNS_OK) {
        status = invariant(b, CNS_IR_MUL_I64, first, factor, &out->base);
    }
    if (status == CNS_OK && (x.step != CNS_IR_NONE || x.constant_step != 0)) {
        if (x.step == CNS_IR_NONE && x.constant_step == 1) {
            out->step = factor;
            const cns_ir_instruction *code = cns_ir_at(b->f, factor);
            if (code->op == CNS_IR_CONST_I64) {
                out->step = CNS_IR_NONE;
                out->constant_step = code->i;
            }
        } else {
            status = invariant(b, CNS_IR_MUL_I64, step, factor, &out->step);
        }
    }
    return status;
}

/* A parameter of the header that goes up by the same each trip. */
static bool find_induction(bounder *b, cns_ir_value value, affine *out) {
    const cns_ir_function *f = b->f;
    const cns_ir_instruction *parameter = cns_ir_at(f, value);
    if (parameter->op != CNS_IR_PARAM || parameter->block != b->header) {
        return false;
    }
    const cns_ir_block *latch = &f->blocks[b->shape.loops[b->loop].latch];
    cns_ir_value next_value = latch->edges[1].arguments[parameter->index];
    const cns_ir_instruction *next = cns_ir_at(f, next_value);
    bool subtracts = next->op == CNS_IR_SUB_I64;
    if (next->op != CNS_IR_ADD_I64 && !subtracts) {
        return false;
    }
    for (int i = 0; i < 2 - subtracts; i++) {
        cns_ir_value by = next->operands[1 - i];
        if (next->operands[i] != value || is_inside(b, by)) {
            continue;
        }
        const cns_ir_instruction *constant = cns_ir_at(f, by);
        *out = affine_of_invariant(b, f->blocks[b->preheader].edges[0].arguments[parameter->index]);
        if (constant->op == CNS_IR_CONST_I64) {
            uint64_t step = (uint64_t)constant->i;
            out->constant_step = (int64_t)(subtracts ? 0 - step : step);
        } else if (subtracts) {
            return false;
        } else {
            out->step = by;
        }
        return true;
    }
    return false;
}

/* What `value` is in each trip; `*found` false where it is not affine. */
static cns_status find_affine(bounder *b, cns_ir_value value, uint32_t depth, affine *out,
                              bool *found) {
    *found = false;
    const cns_ir_instruction *code = cns_ir_at(b->f, value);
    if (!is_inside(b, value)) {
        *out = affine_of_invariant(b, value);
        *found = true;
        return CNS_OK;
    }
    if (find_induction(b, value, out)) {
        *found = true;
        return CNS_OK;
    }
    if (depth > 8 ||
        (code->op != CNS_IR_ADD_I64 && code->op != CNS_IR_SUB_I64 && code->op != CNS_IR_MUL_I64)) {
        return CNS_OK;
    }
    cns_ir_op op = (cns_ir_op)code->op;
    cns_ir_value left = code->operands[0], right = code->operands[1];
    affine x, y;
    cns_status status = find_affine(b, left, depth + 1, &x, found);
    if (status != CNS_OK || !*found) {
        return status;
    }
    status = find_affine(b, right, depth + 1, &y, found);
    if (status != CNS_OK || !*found) {
        return status;
    }
    if (op != CNS_IR_MUL_I64) {
        return add(b, op, x, y, out);
    }
    if (y.step == CNS_IR_NONE && y.constant_step == 0) {
        return scale(b, x, y, out);
    }
    *found = x.step == CNS_IR_NONE && x.constant_step == 0;
    return *found ? scale(b, y, x, out) : CNS_OK;
}

/* ---- accesses -------------------------------------------------------------------------------- */

static cns_status note_access(bounder *b, const access *noted) {
    if (b->access_count == b->access_capacity) {
        uint32_t capacity = b->access_capacity ? 2 * b->access_capacity : 16;
        access *grown = cns_ir_alloc(b->f, capacity * sizeof *grown);
        if (!grown) {
            return cns_context_memory_status(b->f->context, capacity * sizeof *grown);
        }
        if (b->access_count > 0) {
            memcpy(grown, b->accesses, b->access_count * sizeof *grown);
        }
        b->accesses = grown;
        b->access_capacity = capacity;
    }
    b->accesses[b->access_count++] = *noted;
    return CNS_OK;
}

/* The group of an index, made where there is none; false where there are too many. */
static bool find_group(bounder *b, cns_ir_value buffer, const affine *index, uint32_t *out) {
    for (uint32_t g = 0; g < b->group_count; g++) {
        const affine *other = &b->groups[g].index;
        if (b->groups[g].buffer == buffer && other->base == index->base &&
            other->step == index->step &&
            (index->step != CNS_IR_NONE || other->constant_step == index->constant_step)) {
            *out = g;
            return true;
        }
    }
    if (b->group_count == MAX_GROUPS) {
        return false;
    }
    *out = b->group_count++;
    b->groups[*out] = (group){.buffer = buffer, .index = *index, .low = INT64_MAX};
    b->groups[*out].high = INT64_MIN;
    return true;
}

static void widen(group *g, int64_t offset) {
    g->low = offset < g->low ? offset : g->low;
    g->high = offset > g->high ? offset : g->high;
}

static cns_status look_at_access(bounder *b, cns_ir_value value, bool certain) {
    const cns_ir_instruction *code = cns_ir_at(b->f, value);
    if ((code->op != CNS_IR_LOAD && code->op != CNS_IR_STORE) || (code->flags & CNS_IR_PROVEN)) {
        return CNS_OK;
    }
    cns_ir_value buffer = code->operands[0];
    affine index;
    bool found;
    cns_status status = find_affine(b, code->operands[1], 0, &index, &found);
    access noted = {.value = value, .offset = index.offset, .certain = certain};
    if (status != CNS_OK || !found || noted.offset > MAX_OFFSET || noted.offset < -MAX_OFFSET ||
        !find_group(b, buffer, &index, &noted.group)) {
        b->unproven++;
        return status;
    }
    return note_access(b, &noted);
}

/* The index is one of the header's parameters as it is: likely inside even where not each trip
 * makes the access. */
static bool is_plain(const bounder *b, const access *a) {
    cns_ir_value index = cns_ir_at(b->f, cns_ir_at(b->f, a->value)->operands[1])->op == CNS_IR_PARAM
                             ? cns_ir_at(b->f, a->value)->operands[1]
                             : CNS_IR_NONE;
    return index != CNS_IR_NONE && cns_ir_at(b->f, index)->block == b->header;
}

/* All accesses that belong to this loop and none inside it. */
static cns_status collect(bounder *b) {
    const cns_ir_shape *shape = &b->shape;
    cns_ir_block_id latch = shape->loops[b->loop].latch;
    cns_status status = CNS_OK;
    for (uint32_t i = shape->position[b->header]; i < shape->order_count; i++) {
        cns_ir_block_id id = shape->order[i];
        if (shape->loop_of[id] != b->loop) {
            continue;
        }
        bool certain = cns_ir_dominates(shape, id, latch);
        for (cns_ir_value v = b->f->blocks[id].first; v != CNS_IR_NONE && status == CNS_OK;
             v = b->f->instructions[v].next) {
            status = look_at_access(b, v, certain);
        }
    }
    for (uint32_t a = 0; a < b->access_count; a++) {
        const access *one = &b->accesses[a];
        if (one->certain || is_plain(b, one)) {
            widen(&b->groups[one->group], one->offset);
        }
    }
    return status;
}

/* ---- what needs no test ---------------------------------------------------------------------- */

/* Whether `condition` says that a loop from `first` on to `limit` by 1 is entered. */
static bool says_enters(const cns_ir_function *f, cns_ir_value condition, int64_t first,
                        cns_ir_value limit) {
    const cns_ir_instruction *code = cns_ir_at(f, condition);
    if (code->op != CNS_IR_FOR_ENTERS_I64 && code->op != CNS_IR_LE_I64) {
        return false;
    }
    const cns_ir_instruction *init = cns_ir_at(f, code->operands[0]);
    const cns_ir_instruction *step = cns_ir_at(f, code->operands[code->operand_count - 1]);
    return init->op == CNS_IR_CONST_I64 && init->i == first && code->operands[1] == limit &&
           (code->op == CNS_IR_LE_I64 || (step->op == CNS_IR_CONST_I64 && step->i == 1));
}

/* Whether the loop is only reached where such a test said yes. A count says nothing by itself: a
 * forged function may have it anywhere. */
static bool is_entered_by_test(const bounder *b, int64_t first, cns_ir_value limit) {
    const cns_ir_shape *shape = &b->shape;
    cns_ir_block_id below = b->preheader;
    for (int i = 0; i < 16 && below != CNS_IR_NONE; i++) {
        cns_ir_block_id above = shape->dominator[below];
        bool single = shape->predecessor_begin[below + 1] - shape->predecessor_begin[below] == 1;
        if (above != CNS_IR_NONE && single && b->f->blocks[above].end == CNS_IR_BRANCH &&
            b->f->blocks[above].edges[0].target == below &&
            b->f->blocks[above].edges[1].target != below &&
            says_enters(b->f, b->f->blocks[above].condition, first, limit)) {
            return true;
        }
        below = above;
    }
    return false;
}

/* for i = c, #x + d do x[i + o]: o, c and d decide. */
static bool is_proven_by_length(const bounder *b, const group *g) {
    const cns_ir_instruction *count = cns_ir_at(b->f, b->counted.initial_remaining);
    const cns_ir_value *operands = count->operands;
    cns_ir_value limit = operands[0], init = operands[1];
    if (count->op == CNS_IR_FOR_COUNT) {
        const cns_ir_instruction *step = cns_ir_at(b->f, operands[2]);
        limit = operands[1];
        init = operands[0];
        if (step->op != CNS_IR_CONST_I64 || step->i != 1) {
            return false;
        }
    } else if (count->op != CNS_IR_SUB_I64) {
        return false;
    }
    const cns_ir_instruction *first = cns_ir_at(b->f, init);
    affine last = affine_of_invariant(b, limit);
    if (first->op != CNS_IR_CONST_I64 || last.base == CNS_IR_NONE || last.offset > MAX_OFFSET ||
        last.offset < -MAX_OFFSET || first->i > MAX_OFFSET || first->i < -MAX_OFFSET) {
        return false;
    }
    const cns_ir_instruction *length = cns_ir_at(b->f, last.base);
    return length->op == CNS_IR_LEN && length->operands[0] == g->buffer &&
           g->index.base == CNS_IR_NONE && g->index.step == CNS_IR_NONE &&
           g->index.constant_step == 1 && g->low >= 1 && g->high - first->i + last.offset <= 0 &&
           is_entered_by_test(b, first->i, limit);
}

/* ---- the test -------------------------------------------------------------------------------- */

static cns_status add_test(bounder *b, const group *g, int64_t offset, cns_ir_value *all) {
    cns_ir_value first, step;
    cns_status status = as_values(b, &g->index, offset, &first, &step);
    if (status != CNS_OK) {
        return status;
    }
    cns_ir_value test;
    cns_ir_value operands[CNS_IR_OPERANDS] = {g->buffer, first, step, b->counted.initial_remaining};
    status = cns_ir_add(b->f, b->preheader, CNS_IR_WITHIN, b->site, operands, &test);
    if (status == CNS_OK && *all != CNS_IR_NONE) {
        return invariant(b, CNS_IR_AND_BOOL, *all, test, all);
    }
    *all = test;
    return status;
}

static void find_proven(bounder *b) {
    for (uint32_t i = 0; i < b->group_count; i++) {
        group *g = &b->groups[i];
        g->proven = g->low <= g->high && is_proven_by_length(b, g);
    }
}

/* NONE where nothing needs one. */
static cns_status add_tests(bounder *b, cns_ir_value *all) {
    cns_status status = CNS_OK;
    *all = CNS_IR_NONE;
    for (uint32_t i = 0; i < b->group_count && status == CNS_OK; i++) {
        group *g = &b->groups[i];
        if (g->low > g->high || g->proven) {
            continue;
        }
        status = add_test(b, g, g->low, all);
        if (status == CNS_OK && g->high != g->low) {
            status = add_test(b, g, g->high, all);
        }
        g->proven = true;
    }
    return status;
}

/* Whether a test would make anything proven; notes nothing. */
static uint32_t set_proven(bounder *b) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < b->access_count; i++) {
        const access *a = &b->accesses[i];
        const group *g = &b->groups[a->group];
        if (g->proven && a->offset >= g->low && a->offset <= g->high) {
            b->f->instructions[a->value].flags |= CNS_IR_PROVEN;
            count++;
        }
    }
    return count;
}

/* ---- one loop -------------------------------------------------------------------------------- */

static cns_status remark(bounder *b, uint32_t count) {
    return cns_ir_remark(b->f, CNS_REMARK_HOISTED, b->site, "%u %s checked once, before the loop",
                         (unsigned)count, count == 1 ? "index is" : "indices are");
}

/* Whether a group of iterations might run at once (jit/spmd_plan.c): the loop carries only what
 * counts it, and loops inside do not store. */
static bool may_be_grouped(const bounder *b) {
    const cns_ir_function *f = b->f;
    if (f->blocks[b->header].parameter_count != 1 + (b->counted.index != CNS_IR_NONE)) {
        return false;
    }
    for (uint32_t i = b->shape.position[b->header]; i < b->shape.order_count; i++) {
        cns_ir_block_id id = b->shape.order[i];
        bool deeper = b->shape.loop_of[id] != b->loop;
        for (cns_ir_value v = f->blocks[id].first;
             deeper && cns_ir_loop_contains(&b->shape, b->loop, id) && v != CNS_IR_NONE;
             v = cns_ir_at(f, v)->next) {
            if (cns_ir_at(f, v)->op == CNS_IR_STORE) {
                return false;
            }
        }
    }
    return true;
}

/* Whether a copy pays for itself. Around other loops, a test a trip costs next to nothing; where
 * most accesses cannot be proven, the loop stays what it is, only larger. */
static bool is_worth_a_copy(const bounder *b) {
    if (!b->shape.loops[b->loop].innermost) {
        return may_be_grouped(b);
    }
    uint32_t provable = 0, others = b->unproven;
    for (uint32_t i = 0; i < b->access_count; i++) {
        const access *a = &b->accesses[i];
        const group *g = &b->groups[a->group];
        if (a->offset < g->low || a->offset > g->high) {
            others++;
        } else if (!g->proven) {
            provable++;
        }
    }
    return provable >= others;
}

static cns_status prove_loop(bounder *b) {
    cns_ir_value all;
    b->preheader = b->shape.loops[b->loop].preheader;
    b->site = b->f->blocks[b->preheader].site;
    b->group_count = b->access_count = b->access_capacity = b->unproven = 0;
    cns_status status = collect(b);
    if (status != CNS_OK || b->access_count == 0) {
        return status;
    }
    find_proven(b);
    if (is_worth_a_copy(b)) {
        status = add_tests(b, &all);
        if (status == CNS_OK && all != CNS_IR_NONE) {
            status = cns_ir_version_loop(b->f, &b->shape, b->loop, all);
        }
    }
    if (status != CNS_OK) {
        return status;
    }
    uint32_t count = set_proven(b);
    return count > 0 ? remark(b, count) : CNS_OK;
}

/* The loop with this header, if there is one that counts and can be prepared. */
static bool find_loop(bounder *b, cns_ir_block_id header) {
    for (uint32_t l = 0; l < b->shape.loop_count; l++) {
        if (b->shape.loops[l].header == header) {
            b->loop = l;
            b->header = header;
            return b->shape.loops[l].preheader != CNS_IR_NONE &&
                   cns_ir_for_match_early(b->f, &b->shape, l, &b->counted);
        }
    }
    return false;
}

cns_status cns_pass_bounds(cns_ir_function *function) {
    bounder b = {.f = function};
    uint32_t original_blocks = function->block_count;
    cns_status status = cns_ir_shape_init(&b.shape, function);
    if (status != CNS_OK || b.shape.loop_count == 0) {
        if (status == CNS_OK) {
            cns_ir_shape_deinit(&b.shape);
        }
        return status;
    }
    for (cns_ir_block_id header = 0; header < original_blocks && status == CNS_OK; header++) {
        if (function->instruction_count > MAX_INSTRUCTIONS || !find_loop(&b, header)) {
            continue;
        }
        uint32_t blocks = function->block_count;
        status = prove_loop(&b);
        if (status == CNS_OK && function->block_count != blocks) {
            cns_ir_shape_deinit(&b.shape);
            status = cns_ir_shape_init(&b.shape, function);
            if (status != CNS_OK) {
                return status;
            }
        }
    }
    cns_ir_shape_deinit(&b.shape);
    return status;
}
