/* SPDX-License-Identifier: MIT
 *
 * block_plan.c - from a counted loop to a plan, or to the reason why there is none.
 *
 * What a block needs of its loop: that an iteration takes nothing from the one before but the
 * index, other variables that go up evenly, and reductions; that errors can be seen before anything
 * is stored; that it can be left at its end only. Reductions of integers start each lane from the
 * neutral element and are put together behind the block; sums of floats are added up lane by lane.
 */
#include <string.h>

#include "vm/block_build.h"
#include "vm/reduction.h"

enum { NO_REDUCTION = 0xff };

/* ---- memory ---------------------------------------------------------------------------------- */

static uint32_t add_access(cns_block_build *b, const cns_ir_instruction *code,
                           cns_block_value index, bool masked) {
    cns_block_value buffer = cns_block_value_of(b, code->operands[0]);
    bool even = index.kind != CNS_BLOCK_VECTOR;
    cns_block_access access = {
        .data = buffer.a,
        .count = buffer.b,
        .first = even ? index.a : CNS_BLOCK_NONE,
        .stride = CNS_BLOCK_NONE,
        .type = (uint8_t)cns_ir_element(cns_block_at(b, code->operands[0])->type),
        .store = code->op == CNS_IR_STORE,
        .masked = masked,
        .order = b->order++};
    if (even) {
        access.stride = index.kind == CNS_BLOCK_STEPS ? index.b : cns_block_constant(b, 0);
    }
    if (b->plan->access_count == CNS_BLOCK_ACCESSES) {
        cns_block_refuse(b, code->site, "%s", "it reads and writes in too many places");
        return 0;
    }
    cns_block_access *accesses = cns_block_grow(
        b, b->arena, b->plan->accesses, b->plan->access_count, &b->access_capacity, sizeof access);
    if (accesses) {
        b->plan->accesses = accesses;
        accesses[b->plan->access_count++] = access;
    }
    return b->plan->access_count - 1;
}

static void emit_load(cns_block_build *b, const cns_block_region *region, cns_ir_value value) {
    const cns_ir_instruction *code = cns_block_at(b, value);
    cns_block_value index = cns_block_value_of(b, code->operands[1]);
    uint16_t mask = cns_block_mask(b, region, code->block);
    cns_block_instruction i = {.op = CNS_BLOCK_LOAD,
                               .a = CNS_BLOCK_NONE,
                               .b = index.kind == CNS_BLOCK_VECTOR ? index.a : CNS_BLOCK_NONE,
                               .c = mask};
    i.extra = add_access(b, code, index, mask != CNS_BLOCK_NONE || b->depth > 0);
    i.d = cns_block_vector(b);
    cns_block_emit(b, i);
    if (cns_block_well(b)) {
        cns_type type = cns_ir_element(cns_block_at(b, code->operands[0])->type);
        b->is_load[i.d] = type == CNS_I64 || type == CNS_U64 || type == CNS_F64;
    }
    b->values[value] = cns_block_vector_value(i.d);
}

static void emit_check(cns_block_build *b, cns_block_op op, uint16_t a, uint16_t index,
                       uint16_t mask, uint8_t form, uint32_t extra) {
    cns_block_emit(b, (cns_block_instruction){.op = (uint8_t)op,
                                              .form = form,
                                              .d = CNS_BLOCK_NONE,
                                              .a = a,
                                              .b = index,
                                              .c = mask,
                                              .extra = extra});
}

/* Stores are done when a block has read all it reads: what they use must not stand in a buffer
 * that an earlier one of them may write. */
static uint16_t keep(cns_block_build *b, uint16_t vector) {
    if (vector == CNS_BLOCK_NONE || !cns_block_well(b) || !b->is_load[vector] ||
        b->late_count == 0) {
        return vector;
    }
    return cns_block_copy(b, vector);
}

static void emit_store(cns_block_build *b, const cns_block_region *region, cns_ir_value value) {
    const cns_ir_instruction *code = cns_block_at(b, value);
    if (b->depth > 0) {
        cns_block_refuse(b, code->site, "%s", "a loop inside stores");
        return;
    }
    cns_type type = cns_ir_element(cns_block_at(b, code->operands[0])->type);
    bool real = cns_block_at(b, code->operands[2])->type == CNS_VM_F64;
    cns_block_value index = cns_block_value_of(b, code->operands[1]);
    uint16_t mask = cns_block_mask(b, region, code->block);
    uint16_t lanes = cns_block_as_vector(b, cns_block_value_of(b, code->operands[2]));
    uint16_t place = index.kind == CNS_BLOCK_VECTOR ? index.a : CNS_BLOCK_NONE;
    uint32_t access = add_access(b, code, index, mask != CNS_BLOCK_NONE);
    if (!(code->flags & CNS_IR_PROVEN)) {
        emit_check(b, CNS_BLOCK_INDEX, CNS_BLOCK_NONE, place, mask, 0, access);
    }
    bool all = real ? type >= CNS_F32 : type == CNS_I64;
    if (!all && !(code->flags & CNS_IR_CONVERTS)) {
        emit_check(b, CNS_BLOCK_FITS, lanes, CNS_BLOCK_NONE, mask, real, access);
    }
    lanes = keep(b, lanes);
    place = keep(b, place);
    cns_block_emit_late(b, (cns_block_instruction){.op = CNS_BLOCK_STORE,
                                                   .form = real,
                                                   .d = CNS_BLOCK_NONE,
                                                   .a = lanes,
                                                   .b = place,
                                                   .c = mask,
                                                   .extra = access});
}

/* ---- instructions ---------------------------------------------------------------------------- */

static void emit_division(cns_block_build *b, const cns_block_region *region, cns_ir_value value) {
    const cns_ir_instruction *code = cns_block_at(b, value);
    cns_block_value x[] = {cns_block_value_of(b, code->operands[0]),
                           cns_block_value_of(b, code->operands[1])};
    bool known = x[1].kind == CNS_BLOCK_SCALAR && b->is_constant[x[1].a] && b->constants[x[1].a];
    if (!known) {
        x[1] = cns_block_vector_value(cns_block_as_vector(b, x[1]));
        emit_check(b, CNS_BLOCK_DIVISOR, x[1].a, CNS_BLOCK_NONE,
                   cns_block_mask(b, region, code->block), 0, 0);
    }
    b->values[value] = cns_block_compute(b, (cns_ir_op)code->op, x, 2);
}

static void emit_conversion(cns_block_build *b, const cns_block_region *region,
                            cns_ir_value value) {
    const cns_ir_instruction *code = cns_block_at(b, value);
    uint16_t x = cns_block_as_vector(b, cns_block_value_of(b, code->operands[0]));
    emit_check(b, CNS_BLOCK_INTEGRAL, x, CNS_BLOCK_NONE, cns_block_mask(b, region, code->block), 0,
               0);
    cns_block_value operand = cns_block_vector_value(x);
    b->values[value] = cns_block_compute(b, (cns_ir_op)code->op, &operand, 1);
}

static void emit_pure(cns_block_build *b, cns_ir_value value) {
    const cns_ir_instruction *code = cns_block_at(b, value);
    cns_block_value x[CNS_IR_OPERANDS];
    for (uint32_t i = 0; i < code->operand_count; i++) {
        x[i] = cns_block_value_of(b, code->operands[i]);
    }
    if (cns_block_well(b)) {
        b->site = code->site;
        b->values[value] = cns_block_compute(b, (cns_ir_op)code->op, x, code->operand_count);
    }
}

/* Where a value is the next one of a running sum; other values of reductions are not computed. */
static void emit_running_sum(cns_block_build *b, cns_ir_value value) {
    for (uint32_t i = 0; i < b->carry_count; i++) {
        const cns_block_carry *c = &b->carries[i];
        if (c->update != value || !c->last) {
            continue;
        }
        const cns_ir_value *x = cns_block_at(b, value)->operands;
        uint16_t lanes = cns_block_as_vector(b, cns_block_value_of(b, x[x[0] == c->parameter]));
        uint16_t d = cns_block_vector(b);
        cns_block_emit(b, (cns_block_instruction){.op = CNS_BLOCK_SCAN,
                                                  .form = c->reduction,
                                                  .d = d,
                                                  .a = lanes,
                                                  .b = CNS_BLOCK_NONE,
                                                  .c = CNS_BLOCK_NONE,
                                                  .extra = c->scalar});
        b->values[value] = cns_block_vector_value(d);
    }
}

void cns_block_emit_instruction(cns_block_build *b, const cns_block_region *region,
                                cns_ir_value value) {
    const cns_ir_instruction *code = cns_block_at(b, value);
    if (b->skipped[value] || b->values[value].kind != CNS_BLOCK_UNKNOWN) {
        emit_running_sum(b, value);
        return;
    }
    switch (code->op) {
    case CNS_IR_CONST_BOOL:
    case CNS_IR_CONST_I64:
    case CNS_IR_CONST_F64:
        break;
    case CNS_IR_LEN: {
        cns_block_value buffer = cns_block_value_of(b, code->operands[0]);
        b->values[value] = cns_block_scalar_value(buffer.b);
        break;
    }
    case CNS_IR_WITHIN: /* false is always true enough: it chooses the version with checks */
        b->values[value] = cns_block_scalar_value(cns_block_constant(b, 0));
        break;
    case CNS_IR_LOAD:
        emit_load(b, region, value);
        break;
    case CNS_IR_STORE:
        emit_store(b, region, value);
        break;
    case CNS_IR_IDIV_I64:
    case CNS_IR_MOD_I64:
    case CNS_IR_FMOD_I64:
        emit_division(b, region, value);
        break;
    case CNS_IR_F64_TO_I64:
    case CNS_IR_F64_TO_INDEX:
        emit_conversion(b, region, value);
        break;
    default:
        if (cns_ir_has((cns_ir_op)code->op, 'P')) {
            emit_pure(b, value);
        } else {
            cns_block_refuse_operation(b, code->site, (cns_ir_op)code->op);
        }
    }
}

/* ---- what is carried ------------------------------------------------------------------------- */

static uint32_t count_uses(const cns_block_build *b, cns_ir_value value, cns_ir_value *user) {
    uint32_t uses = 0;
    for (cns_ir_block_id id = 0; id < b->f->block_count; id++) {
        if (!cns_block_inside(b, b->loop, id)) {
            continue;
        }
        const cns_ir_block *block = &b->f->blocks[id];
        for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = cns_block_at(b, v)->next) {
            for (uint32_t i = 0; i < cns_block_at(b, v)->operand_count; i++) {
                if (cns_block_at(b, v)->operands[i] == value) {
                    uses++;
                    *user = v;
                }
            }
        }
        for (uint32_t e = 0; e < cns_block_edge_count(block); e++) {
            for (uint32_t i = 0; i < block->edges[e].count; i++) {
                uses += 2 * (block->edges[e].arguments[i] == value);
            }
        }
        uses += 2 * (block->end == CNS_IR_BRANCH && block->condition == value);
    }
    return uses;
}

static void add_carried(cns_block_build *b, const cns_block_carry *c, uint16_t stride) {
    cns_block_carried *list = cns_block_grow(b, b->arena, b->plan->carried, b->plan->carried_count,
                                             &b->carried_capacity, sizeof *list);
    if (list) {
        b->plan->carried = list;
        list[b->plan->carried_count++] = (cns_block_carried){
            .value = c->parameter, .scalar = c->scalar, .stride = stride, .reg = CNS_BLOCK_NONE};
    }
}

/* p + step or p - constant, with a step from outside: goes up evenly. */
static bool is_even(cns_block_build *b, cns_block_carry *c) {
    const cns_ir_instruction *next = cns_block_at(b, c->next);
    if (next->op != CNS_IR_ADD_I64 && next->op != CNS_IR_SUB_I64) {
        return false;
    }
    int at = next->operands[0] == c->parameter ? 0 : 1;
    cns_ir_value step = next->operands[1 - at];
    bool outside = !cns_block_inside(b, b->loop, cns_block_at(b, step)->block);
    if (next->operands[at] != c->parameter || !outside || (at == 1 && next->op == CNS_IR_SUB_I64)) {
        return false;
    }
    cns_block_value value = cns_block_value_of(b, step);
    if (next->op == CNS_IR_SUB_I64) {
        cns_block_value x[] = {cns_block_scalar_value(cns_block_constant(b, 0)), value};
        value = cns_block_compute(b, CNS_IR_SUB_I64, x, 2);
    }
    b->values[c->parameter] = (cns_block_value){CNS_BLOCK_STEPS, c->scalar, value.a};
    add_carried(b, c, value.a);
    return true;
}

/* The members of a float's reduction become "was it updated?"; what they are decided by is not
 * computed. There must be one update, of the parameter itself, and not in a loop inside: what is
 * added is asked for behind the iteration. */
static bool is_ordered(cns_block_build *b, cns_block_carry *c, uint32_t mark) {
    c->update = CNS_IR_NONE;
    for (cns_ir_value v = 0; v < b->f->instruction_count; v++) {
        const cns_ir_instruction *code = cns_block_at(b, v);
        if (b->marks[v] != mark || code->op == CNS_IR_PARAM) {
            continue;
        }
        bool choice = code->op == CNS_IR_SELECT_F64;
        bool both =
            choice && b->marks[code->operands[1]] == mark && b->marks[code->operands[2]] == mark;
        if (both) {
            continue;
        }
        bool own = false;
        for (uint32_t i = choice; i < code->operand_count; i++) {
            own |= code->operands[i] == c->parameter;
        }
        if (c->update != CNS_IR_NONE || !own) {
            return false;
        }
        c->update = v;
    }
    if (c->update == CNS_IR_NONE ||
        b->shape->loop_of[cns_block_at(b, c->update)->block] != b->loop) {
        return false;
    }
    if (cns_block_at(b, c->update)->op == CNS_IR_SELECT_F64) {
        b->skipped[cns_block_at(b, c->update)->operands[0]] = true;
    }
    return true;
}

static bool is_reduction(cns_block_build *b, cns_block_carry *c, uint32_t mark) {
    cns_carried match = {.parameter = c->parameter, .last = c->next};
    if (!cns_reduction_match(b->f, b->shape, b->loop, mark, b->marks, &match)) {
        for (cns_ir_value v = 0; v < b->f->instruction_count; v++) {
            b->marks[v] = b->marks[v] == mark ? 0 : b->marks[v];
        }
        return false;
    }
    c->reduction = match.reduction;
    if (!cns_reduction_is_f64(c->reduction)) {
        uint64_t identity = cns_reduction_identity(c->reduction);
        b->values[c->parameter] = cns_block_scalar_value(cns_block_constant(b, identity));
    } else if (is_ordered(b, c, mark)) {
        b->values[c->parameter] = cns_block_scalar_value(cns_block_constant(b, 0));
        b->values[c->update] = cns_block_scalar_value(cns_block_constant(b, UINT64_MAX));
    } else {
        return false;
    }
    add_carried(b, c, CNS_BLOCK_NONE);
    return true;
}

/* s = s + x in each iteration, with the sum seen by others: running sums. */
static bool is_running_sum(cns_block_build *b, cns_block_carry *c) {
    const cns_ir_instruction *next = cns_block_at(b, c->next);
    cns_ir_value user = CNS_IR_NONE;
    bool real = next->op == CNS_IR_ADD_F64;
    if ((!real && next->op != CNS_IR_ADD_I64) || count_uses(b, c->parameter, &user) != 1 ||
        user != c->next || next->operands[0] == next->operands[1] ||
        b->shape->loop_of[next->block] != b->loop) {
        return false;
    }
    c->reduction = real ? CNS_REDUCE_SUM_F64 : CNS_REDUCE_SUM_I64;
    c->update = c->next;
    c->last = true;
    b->skipped[c->next] = true;
    add_carried(b, c, CNS_BLOCK_NONE);
    return true;
}

static bool is_unseen(cns_block_build *b, cns_block_carry *c) {
    cns_ir_value user;
    c->last = count_uses(b, c->parameter, &user) == 0;
    if (c->last) {
        add_carried(b, c, CNS_BLOCK_NONE);
    }
    return c->last;
}

static const char *name_of(const cns_block_build *b, cns_ir_value parameter) {
    uint32_t name = cns_block_at(b, parameter)->name;
    return name ? b->f->names[name - 1] : NULL;
}

static void take_parameter(cns_block_build *b, cns_block_carry *c, uint32_t mark) {
    const cns_ir_instruction *code = cns_block_at(b, c->parameter);
    c->reduction = NO_REDUCTION;
    c->update = CNS_IR_NONE;
    if (c->next == c->parameter) {
        b->values[c->parameter] = cns_block_scalar_value(cns_block_fetched(b, c->parameter, false));
        return;
    }
    c->scalar = cns_block_fetched(b, c->parameter, false);
    bool number = code->type == CNS_VM_I64 || code->type == CNS_VM_F64;
    if (number &&
        (is_even(b, c) || is_reduction(b, c, mark) || is_running_sum(b, c) || is_unseen(b, c))) {
        return;
    }
    const char *name = name_of(b, c->parameter);
    uint32_t site = b->f->blocks[b->shape->loops[b->loop].header].site;
    site =
        cns_block_at(b, c->next)->site < b->f->site_count ? cns_block_at(b, c->next)->site : site;
    if (name) {
        cns_block_refuse(b, site, "'%s' is carried from one iteration to the next", name);
    } else {
        cns_block_refuse(b, site, "%s", "a value is carried from one iteration to the next");
    }
}

static void settle_ordered(cns_block_build *b, const cns_block_carry *c, cns_block_value updated,
                           cns_block_instruction *i) {
    const cns_ir_instruction *code = cns_block_at(b, c->update);
    bool choice = code->op == CNS_IR_SELECT_F64;
    uint32_t first = choice ? 1 : 0;
    cns_ir_value x = code->operands[code->operands[first] == c->parameter ? first + 1 : first];
    i->op = CNS_BLOCK_ORDERED;
    i->ir = code->op;
    i->a = cns_block_as_vector(b, cns_block_value_of(b, x));
    if (updated.kind != CNS_BLOCK_SCALAR) {
        i->c = cns_block_as_vector(b, updated);
    }
}

static void settle(cns_block_build *b, const cns_block_carry *c) {
    cns_block_instruction i = {.op = CNS_BLOCK_LAST,
                               .form = c->reduction,
                               .d = CNS_BLOCK_NONE,
                               .b = CNS_BLOCK_NONE,
                               .c = CNS_BLOCK_NONE,
                               .extra = c->scalar};
    cns_block_value next = cns_block_value_of(b, c->next);
    if (c->reduction == NO_REDUCTION || c->last || c->update == CNS_IR_NONE) {
        i.op = c->last ? CNS_BLOCK_LAST : CNS_BLOCK_REDUCE;
        i.a = cns_block_as_vector(b, next);
    } else if (cns_block_same(next, b->values[c->parameter])) {
        return; /* what updates it is never reached */
    } else {
        settle_ordered(b, c, next, &i);
    }
    cns_block_emit_settle(b, i);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* What only takes the scalar loop round: the block counts for itself. */
static void skip_latch(cns_block_build *b, const cns_block_carry *list, uint32_t count) {
    cns_ir_value user;
    cns_ir_value condition = b->f->blocks[b->shape->loops[b->loop].latch].condition;
    if (cns_block_well(b) && count_uses(b, condition, &user) == 2) {
        b->skipped[condition] = true;
    }
    for (uint32_t p = 0; p < count && cns_block_well(b); p++) {
        if (b->values[list[p].parameter].kind == CNS_BLOCK_STEPS &&
            count_uses(b, list[p].next, &user) == 2) {
            b->skipped[list[p].next] = true;
        }
    }
}

static bool may_fail(const cns_block_plan *plan, const cns_block_instruction *i) {
    if (i->op != CNS_BLOCK_LOAD) {
        return i->op >= CNS_BLOCK_DIVISOR && i->op <= CNS_BLOCK_FITS;
    }
    const cns_block_access *access = &plan->accesses[i->extra];
    return access->masked || access->first == CNS_BLOCK_NONE || access->type == CNS_U64;
}

/* What may fail behind a loop inside, or, as loops have their loops, before it. */
static void find_overtaking(cns_block_build *b) {
    const cns_block_plan *plan = b->plan;
    uint32_t *before = cns_block_take(b, b->scratch, (plan->settle + 1) * sizeof *before);
    for (uint32_t n = 0; before && n < plan->settle; n++) {
        before[n + 1] = before[n] + may_fail(plan, &plan->code[n]);
    }
    uint32_t outermost = 0; /* its first instruction, and its last */
    uint32_t end = 0;
    for (uint32_t l = 0; before && l < plan->loop_count; l++) { /* outer ones come before inner */
        cns_block_loop *loop = &plan->loops[l];
        if (loop->body > end) {
            outermost = loop->body;
            end = loop->end;
        }
        uint32_t own = before[loop->end] - before[loop->body];
        loop->overtakes = before[plan->settle] - before[outermost] > own;
    }
}

static void emit_loop(cns_block_build *b) {
    const cns_ir_loop *loop = &b->shape->loops[b->loop];
    const cns_ir_block *header = &b->f->blocks[loop->header];
    const cns_ir_edge *back = &b->f->blocks[loop->latch].edges[1];
    cns_block_carry *list = cns_block_take(b, b->scratch, header->parameter_count * sizeof *list);
    uint32_t count = 0;
    for (uint32_t p = 0; list && p < header->parameter_count && cns_block_well(b); p++) {
        cns_block_carry *c = &list[p];
        c->parameter = header->parameters[p];
        c->next = back->arguments[p];
        take_parameter(b, c, p + 1);
        if (c->parameter == b->match.remaining) {
            b->plan->remaining = c->scalar;
        }
        count++;
    }
    b->carries = list;
    b->carry_count = count;
    skip_latch(b, list, count);
    cns_block_region region = {b->loop, CNS_BLOCK_NONE};
    if (cns_block_well(b)) {
        cns_block_emit_region(b, &region);
    }
    for (uint32_t p = 0; p < count && cns_block_well(b); p++) {
        if (list[p].reduction != NO_REDUCTION || list[p].last) {
            settle(b, &list[p]);
        }
    }
    b->plan->settle = b->plan->count;
    if (cns_block_well(b)) {
        find_overtaking(b);
    }
    for (uint32_t i = 0; i < b->settle_count && cns_block_well(b); i++) {
        cns_block_emit(b, b->settle[i]);
    }
    for (uint32_t i = 0; i < b->late_count && cns_block_well(b); i++) {
        cns_block_emit(b, b->late[i]);
    }
}

/* Sized by the function, as far as it is looked up by value or block. */
static void take_tables(cns_block_build *b) {
    const cns_ir_function *f = b->f;
    b->values = cns_block_take(b, b->scratch, f->instruction_count * sizeof *b->values);
    b->marks = cns_block_take(b, b->scratch, f->instruction_count * sizeof *b->marks);
    b->skipped = cns_block_take(b, b->scratch, f->instruction_count * sizeof *b->skipped);
    b->block_masks = cns_block_take(b, b->scratch, f->block_count * sizeof *b->block_masks);
    b->edge_masks = cns_block_take(b, b->scratch, 2 * f->block_count * sizeof *b->edge_masks);
    b->entry_masks = cns_block_take(b, b->scratch, b->shape->loop_count * sizeof *b->entry_masks);
    b->mass = cns_block_take(b, b->scratch, f->block_count * sizeof *b->mass);
    for (uint32_t i = 0; b->status == CNS_OK && i < f->block_count; i++) {
        b->block_masks[i] = b->edge_masks[2 * i] = b->edge_masks[2 * i + 1] = CNS_BLOCK_UNSET;
    }
    for (uint32_t i = 0; b->status == CNS_OK && i < b->shape->loop_count; i++) {
        b->entry_masks[i] = CNS_BLOCK_UNSET;
    }
}

static uint32_t cost_of(const cns_block_plan *plan) {
    uint32_t cost = 1;
    for (uint32_t i = 0; i < plan->count; i++) {
        const cns_block_instruction *code = &plan->code[i];
        if (code->op == CNS_BLOCK_LANES_OP &&
            (code->ir == CNS_IR_MOD_F64 || code->ir == CNS_IR_FMOD_F64)) {
            cost = CNS_FMOD_COST;
        }
    }
    return cost;
}

static void make_plan(cns_block_build *b) {
    cns_cpu_level level = cns_context_cpu_level(b->f->context);
    const cns_libm *exp = cns_libm_find(CNS_IR_EXP_F64, level, 0);
    const cns_libm *log = cns_libm_find(CNS_IR_LOG_F64, level, 0);
    take_tables(b);
    b->plan = cns_block_take(b, b->arena, sizeof *b->plan);
    if (!b->plan) {
        return;
    }
    b->plan->site = b->site;
    b->plan->set = cns_lanes_find(level);
    b->plan->exp = exp ? exp->array : NULL;
    b->plan->log = log ? log->array : NULL;
    emit_loop(b);
    bool fits = true;
    if (cns_block_well(b)) {
        b->plan->cost = cost_of(b->plan);
        b->status = cns_block_share_vectors(b->plan, b->f->context, b->scratch, &fits);
    }
    if (!fits) {
        cns_block_refuse(b, b->plan->site, "%s", "too many values are in use at once");
    }
}

cns_status cns_block_plan_create(const cns_ir_function *function, const cns_ir_shape *shape,
                                 uint32_t loop, cns_arena *arena, cns_block_plan **out,
                                 const char **why, uint32_t *site) {
    cns_block_build b = {.f = function, .shape = shape, .loop = loop, .arena = arena};
    *out = NULL;
    *site = b.site = function->blocks[shape->loops[loop].latch].site;
    if (!cns_ir_for_match(function, shape, loop, &b.match)) {
        *why = cns_ir_for_match_early(function, shape, loop, &b.match)
                   ? "it may be left before its end"
                   : "how often it runs is not known when it begins";
        return CNS_OK;
    }
    b.status = cns_arena_create(function->context, NULL, &b.scratch);
    if (b.status != CNS_OK) {
        return b.status;
    }
    make_plan(&b);
    cns_arena_destroy(b.scratch);
    if (b.status == CNS_OK && !b.why) {
        *out = b.plan;
    }
    *why = b.why;
    *site = b.site;
    return b.status;
}

bool cns_block_plan_bind(cns_block_plan *plan, const uint16_t *place) {
    bool found = true;
    plan->remaining_reg = CNS_BLOCK_NONE;
    for (uint32_t i = 0; i < plan->fetch_count; i++) {
        cns_block_fetch *fetch = &plan->fetches[i];
        if (fetch->value != CNS_IR_NONE) {
            fetch->reg = place[fetch->value];
        }
        found = found && (fetch->value == CNS_IR_NONE || fetch->reg != CNS_BLOCK_NONE);
    }
    for (uint32_t i = 0; i < plan->carried_count; i++) {
        plan->carried[i].reg = place[plan->carried[i].value];
        if (plan->carried[i].scalar == plan->remaining) {
            plan->remaining_reg = plan->carried[i].reg;
        }
    }
    return found && plan->remaining_reg != CNS_BLOCK_NONE;
}

uint32_t cns_block_plan_lanes(const cns_block_plan *plan) {
    return plan->lanes;
}
