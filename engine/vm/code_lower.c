/* SPDX-License-Identifier: MIT
 *
 * code_lower.c - from SSA to bytecode.
 *
 * Blocks keep their order; what an edge hands over becomes moves on that edge, in its own stretch
 * of code where the block has two. What is made by its only user is folded into it: a comparison
 * into the branch, a constant into an index, the count and step of a for loop into one LOOP.
 */
#include <string.h>

#include "vm/code.h"
#include "vm/code_blocks.h"
#include "vm/code_registers.h"

enum { CODE_LIMIT = 1 << 20 };

/* An edge whose moves could not stand in line. */
typedef struct stub {
    uint32_t jump; /* the instruction that leads to it */
    const cns_ir_edge *edge;
    uint32_t site;
    cns_ir_block_id from;
} stub;

typedef struct lowering {
    const cns_ir_function *f;
    cns_code *code;
    cns_arena *scratch;
    cns_code_plan plan;
    cns_status status;
    uint32_t capacity; /* of instructions */
    uint32_t result_capacity;
    uint32_t *block_at; /* block -> instruction */
    stub *stubs;
    uint32_t stub_count;
    uint16_t spare;    /* register for cycles of moves */
    uint32_t *plan_of; /* header -> 1 + the plan of its loop, or 0 */
} lowering;

static void *take(lowering *l, cns_arena *arena, size_t size) {
    void *memory = l->status == CNS_OK ? cns_arena_alloc(arena, size ? size : 1, 16) : NULL;
    if (memory) {
        memset(memory, 0, size);
    } else if (l->status == CNS_OK) {
        l->status = cns_context_memory_status(l->f->context, size);
    }
    return memory;
}

/* ---- what is folded -------------------------------------------------------------------------- */

static const cns_ir_instruction *at(const lowering *l, cns_ir_value value) {
    return cns_ir_at(l->f, value);
}

static bool is_constant(const lowering *l, cns_ir_value value) {
    return at(l, value)->op >= CNS_IR_CONST_BOOL && at(l, value)->op <= CNS_IR_CONST_F64;
}

static uint32_t edge_count(const cns_ir_block *block) {
    return block->end == CNS_IR_BRANCH ? 2 : block->end == CNS_IR_END_NONE ? 0 : 1;
}

static void count_uses(lowering *l) {
    for (cns_ir_block_id id = 0; id < l->f->block_count; id++) {
        const cns_ir_block *block = &l->f->blocks[id];
        for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = at(l, v)->next) {
            for (uint32_t i = 0; i < at(l, v)->operand_count; i++) {
                l->plan.uses[at(l, v)->operands[i]]++;
            }
        }
        for (uint32_t e = 0; e < edge_count(block); e++) {
            for (uint32_t i = 0; i < block->edges[e].count; i++) {
                if (block->edges[e].arguments[i] != CNS_IR_NONE) {
                    l->plan.uses[block->edges[e].arguments[i]]++;
                }
            }
        }
        if (block->end == CNS_IR_BRANCH) {
            l->plan.uses[block->condition]++;
        }
    }
}

static uint32_t fused_branch(cns_ir_op op) {
    switch (op) {
    case CNS_IR_EQ_I64:
        return CNS_CODE_IF_EQ_I64;
    case CNS_IR_LT_I64:
        return CNS_CODE_IF_LT_I64;
    case CNS_IR_LE_I64:
        return CNS_CODE_IF_LE_I64;
    case CNS_IR_EQ_F64:
        return CNS_CODE_IF_EQ_F64;
    case CNS_IR_LT_F64:
        return CNS_CODE_IF_LT_F64;
    case CNS_IR_LE_F64:
        return CNS_CODE_IF_LE_F64;
    default:
        return 0;
    }
}

static uint32_t fused_select(cns_ir_op op) {
    switch (op) {
    case CNS_IR_EQ_I64:
        return CNS_CODE_SELECT_EQ_I64;
    case CNS_IR_LT_I64:
        return CNS_CODE_SELECT_LT_I64;
    case CNS_IR_LE_I64:
        return CNS_CODE_SELECT_LE_I64;
    case CNS_IR_EQ_F64:
        return CNS_CODE_SELECT_EQ_F64;
    case CNS_IR_LT_F64:
        return CNS_CODE_SELECT_LT_F64;
    case CNS_IR_LE_F64:
        return CNS_CODE_SELECT_LE_F64;
    default:
        return 0;
    }
}

/* The latch of a counted loop: remaining == 0 leaves, else remaining - 1 and index + step go on. */
typedef struct latch {
    cns_ir_value remaining, less; /* before and after */
    cns_ir_value index, next;     /* CNS_IR_NONE where there is no index */
    cns_ir_value step;
} latch;

static bool is_parameter_of(const lowering *l, cns_ir_value value, cns_ir_block_id block) {
    return at(l, value)->op == CNS_IR_PARAM && at(l, value)->block == block;
}

static bool find_latch(const lowering *l, cns_ir_block_id id, latch *out) {
    const cns_ir_block *block = &l->f->blocks[id];
    if (block->end != CNS_IR_BRANCH || block->edges[1].target > id) {
        return false;
    }
    const cns_ir_edge *back = &block->edges[1];
    const cns_ir_instruction *test = at(l, block->condition);
    if (test->op != CNS_IR_EQ_I64 || test->block != id || l->plan.uses[block->condition] != 1) {
        return false;
    }
    int side = is_constant(l, test->operands[0]);
    cns_ir_value remaining = test->operands[side], zero = test->operands[1 - side];
    if (!is_constant(l, zero) || at(l, zero)->i != 0 ||
        !is_parameter_of(l, remaining, back->target)) {
        return false;
    }
    cns_ir_value less = back->arguments[at(l, remaining)->index];
    const cns_ir_instruction *down = at(l, less);
    bool counts = (down->op == CNS_IR_SUB_I64 && down->operands[0] == remaining &&
                   is_constant(l, down->operands[1]) && at(l, down->operands[1])->i == 1) ||
                  (down->op == CNS_IR_ADD_I64 && down->operands[0] == remaining &&
                   is_constant(l, down->operands[1]) && at(l, down->operands[1])->i == -1);
    if (!counts || down->block != id || l->plan.uses[less] != 1) {
        return false;
    }
    *out = (latch){remaining, less, CNS_IR_NONE, CNS_IR_NONE, CNS_IR_NONE};
    for (uint32_t i = 0; i < back->count; i++) {
        cns_ir_value next = back->arguments[i];
        cns_ir_value index = l->f->blocks[back->target].parameters[i];
        const cns_ir_instruction *up = at(l, next);
        if (up->op == CNS_IR_ADD_I64 && up->block == id && next != less &&
            l->plan.uses[next] == 1 && (up->operands[0] == index || up->operands[1] == index)) {
            out->index = index;
            out->next = next;
            out->step = up->operands[up->operands[0] == index];
            break;
        }
    }
    return true;
}

/* Index plus constant, of a load or store. */
static bool folds_index(const lowering *l, cns_ir_value index, cns_ir_value *base,
                        int64_t *offset) {
    const cns_ir_instruction *code = at(l, index);
    if (code->op == CNS_IR_ADD_I64 && is_constant(l, code->operands[1])) {
        *offset = at(l, code->operands[1])->i;
    } else if (code->op == CNS_IR_SUB_I64 && is_constant(l, code->operands[1])) {
        *offset = (int64_t)(0 - (uint64_t)at(l, code->operands[1])->i);
    } else {
        return false;
    }
    *base = code->operands[0];
    return !is_constant(l, *base);
}

/* A comparison made for one SELECT. */
static bool folds_choice(const lowering *l, cns_ir_block_id id, const cns_ir_instruction *code) {
    bool selects = code->op >= CNS_IR_SELECT_BOOL && code->op <= CNS_IR_SELECT_F64;
    return selects && at(l, code->operands[0])->block == id &&
           l->plan.uses[code->operands[0]] == 1 &&
           fused_select((cns_ir_op)at(l, code->operands[0])->op) != 0;
}

/* Values all of whose users can make them: indices first counted, then marked. */
static void find_folds(lowering *l) {
    uint32_t *indexed = take(l, l->scratch, l->f->instruction_count * sizeof *indexed);
    for (cns_ir_block_id id = 0; l->status == CNS_OK && id < l->f->block_count; id++) {
        const cns_ir_block *block = &l->f->blocks[id];
        for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = at(l, v)->next) {
            cns_ir_value base;
            int64_t offset;
            if (folds_choice(l, id, at(l, v))) {
                l->plan.folded[at(l, v)->operands[0]] = true;
            }
            if (at(l, v)->op != CNS_IR_LOAD && at(l, v)->op != CNS_IR_STORE) {
                continue;
            }
            cns_ir_value index = at(l, v)->operands[1];
            if (folds_index(l, index, &base, &offset) && at(l, index)->block == id &&
                !(at(l, v)->op == CNS_IR_STORE && at(l, v)->operands[2] == index) &&
                ++indexed[index] == l->plan.uses[index]) {
                l->plan.folded[index] = true;
            }
        }
        latch counted;
        if (block->end == CNS_IR_BRANCH && at(l, block->condition)->block == id &&
            l->plan.uses[block->condition] == 1 &&
            fused_branch((cns_ir_op)at(l, block->condition)->op) && !find_latch(l, id, &counted)) {
            l->plan.folded[block->condition] = true;
        }
    }
}

/* ---- registers ------------------------------------------------------------------------------- */

static void place_arguments(lowering *l) {
    cns_code *code = l->code;
    code->argument_count = l->f->argument_count;
    code->arguments = take(l, code->arena, code->argument_count * sizeof *code->arguments);
    uint32_t reg = 0;
    for (uint32_t i = 0; l->status == CNS_OK && i < code->argument_count; i++) {
        cns_ir_value value = l->f->arguments[i];
        uint8_t type = value == CNS_IR_NONE ? CNS_VM_NIL : at(l, value)->type;
        code->arguments[i] = (cns_code_argument){(uint16_t)reg, type};
        if (value != CNS_IR_NONE) {
            l->plan.place[value] = (uint16_t)reg;
            reg += cns_ir_is_buffer(type) ? 2 : 1;
        }
    }
    code->constant_base = reg;
}

static void place_constants(lowering *l) {
    cns_code *code = l->code;
    uint32_t count = 0;
    for (cns_ir_value v = l->f->blocks[0].first; v != CNS_IR_NONE; v = at(l, v)->next) {
        count += is_constant(l, v);
    }
    if (code->constant_base + count + 2 >= CNS_REGISTER_NONE && l->status == CNS_OK) {
        l->status =
            cns_fail(l->f->context, CNS_E_LIMIT, "kernel %s: too many constants", l->f->name);
    }
    code->constants = take(l, code->arena, count * sizeof *code->constants);
    for (cns_ir_value v = l->f->blocks[0].first; l->status == CNS_OK && v != CNS_IR_NONE;
         v = at(l, v)->next) {
        if (is_constant(l, v)) {
            l->plan.place[v] = (uint16_t)(code->constant_base + code->constant_count);
            code->constants[code->constant_count++] = at(l, v)->i;
        }
    }
    l->spare = (uint16_t)(code->constant_base + code->constant_count);
    l->plan.first = l->spare + 1u;
}

static uint16_t reg(const lowering *l, cns_ir_value value) {
    return l->plan.place[value];
}

/* ---- emitting -------------------------------------------------------------------------------- */

static bool grow_code(lowering *l) {
    cns_code *code = l->code;
    if (code->count < l->capacity) {
        return true;
    }
    if (code->count >= CODE_LIMIT) {
        l->status =
            cns_fail(l->f->context, CNS_E_LIMIT, "kernel %s: the code gets too large", l->f->name);
        return false;
    }
    uint32_t larger = l->capacity ? l->capacity * 2 : 64;
    cns_code_instruction *instructions = take(l, code->arena, larger * sizeof *instructions);
    uint32_t *sites = take(l, code->arena, larger * sizeof *sites);
    if (l->status != CNS_OK) {
        return false;
    }
    if (code->count > 0) {
        memcpy(instructions, code->instructions, code->count * sizeof *instructions);
        memcpy(sites, code->sites, code->count * sizeof *sites);
    }
    code->instructions = instructions;
    code->sites = sites;
    l->capacity = larger;
    return true;
}

/* Returns where it stands. */
static uint32_t emit(lowering *l, uint32_t site, cns_code_instruction instruction) {
    if (l->status != CNS_OK || !grow_code(l)) {
        return 0;
    }
    l->code->sites[l->code->count] = site;
    l->code->instructions[l->code->count] = instruction;
    return l->code->count++;
}

static void emit_move(lowering *l, uint32_t site, uint16_t to, uint16_t from) {
    emit(l, site, (cns_code_instruction){.op = CNS_CODE_MOVE, .a = to, .b = from});
}

/* All at once in meaning: a move waits while its target is still to be read; what only waits for
 * each other is a cycle, opened with the spare register. */
static void emit_moves(lowering *l, uint32_t site, const cns_ir_edge *edge) {
    const cns_ir_block *target = &l->f->blocks[edge->target];
    uint32_t count = 0;
    uint16_t *to = take(l, l->scratch, edge->count * sizeof *to);
    uint16_t *from = take(l, l->scratch, edge->count * sizeof *from);
    for (uint32_t i = 0; l->status == CNS_OK && i < edge->count; i++) {
        uint16_t wanted = reg(l, target->parameters[i]);
        if (wanted != CNS_REGISTER_NONE && wanted != reg(l, edge->arguments[i])) {
            to[count] = wanted;
            from[count++] = reg(l, edge->arguments[i]);
        }
    }
    while (l->status == CNS_OK && count > 0) {
        bool moved = false;
        for (uint32_t i = 0; i < count && !moved; i++) {
            bool read = false;
            for (uint32_t j = 0; j < count; j++) {
                read |= j != i && from[j] == to[i];
            }
            if (!read) {
                emit_move(l, site, to[i], from[i]);
                count--;
                to[i] = to[count];
                from[i] = from[count];
                moved = true;
            }
        }
        if (!moved) {
            emit_move(l, site, l->spare, to[0]);
            for (uint32_t j = 0; j < count; j++) {
                from[j] = from[j] == to[0] ? l->spare : from[j];
            }
        }
    }
}

static bool needs_moves(const lowering *l, const cns_ir_edge *edge) {
    const cns_ir_block *target = &l->f->blocks[edge->target];
    for (uint32_t i = 0; i < edge->count; i++) {
        uint16_t wanted = reg(l, target->parameters[i]);
        if (wanted != CNS_REGISTER_NONE && wanted != reg(l, edge->arguments[i])) {
            return true;
        }
    }
    return false;
}

/* Whether an edge enters a loop that has a plan: it runs before the first iteration. */
static bool enters_plan(const lowering *l, cns_ir_block_id from, const cns_ir_edge *edge) {
    return edge->target > from && l->plan_of[edge->target] != 0;
}

/* The rest of an edge, in line: moves, and a jump unless the target follows.
 * Targets of jumps are blocks until all have their place. */
static void emit_edge(lowering *l, uint32_t site, cns_ir_block_id from, const cns_ir_edge *edge,
                      bool in_order) {
    emit_moves(l, site, edge);
    if (enters_plan(l, from, edge)) {
        emit(l, site,
             (cns_code_instruction){.op = CNS_CODE_BLOCK,
                                    .immediate = l->plan_of[edge->target] - 1});
    }
    if (edge->target <= from) {
        emit(l, site, (cns_code_instruction){.op = CNS_CODE_JUMP_BACK, .target = edge->target});
    } else if (!in_order || edge->target != from + 1) {
        emit(l, site, (cns_code_instruction){.op = CNS_CODE_JUMP, .target = edge->target});
    }
}

/* A jump on an edge: to the block itself, or to a stretch of moves that comes later. */
static void emit_jump_along(lowering *l, uint32_t site, cns_ir_block_id from,
                            const cns_ir_edge *edge, cns_code_instruction jump) {
    jump.target = edge->target;
    uint32_t place = emit(l, site, jump);
    if (needs_moves(l, edge) || edge->target <= from || enters_plan(l, from, edge)) {
        l->stubs[l->stub_count++] = (stub){place, edge, site, from};
    }
}

/* ---- instructions ---------------------------------------------------------------------------- */

static void emit_memory(lowering *l, const cns_ir_instruction *code, cns_ir_value value) {
    cns_type type = cns_ir_element(at(l, code->operands[0])->type);
    cns_ir_value base = code->operands[1];
    int64_t offset = 0;
    if (l->plan.folded[base]) {
        (void)folds_index(l, code->operands[1], &base, &offset);
    }
    cns_code_instruction i = {.immediate = offset};
    uint32_t unchecked =
        code->flags & CNS_IR_PROVEN ? CNS_CODE_PROVEN_LOAD_I8 - CNS_CODE_LOAD_I8 : 0;
    if (code->op == CNS_IR_LOAD) {
        i.op = (uint16_t)(CNS_CODE_LOAD_I8 + unchecked + type - CNS_I8);
        i.a = reg(l, value);
        i.b = reg(l, code->operands[0]);
        i.c = reg(l, base);
    } else {
        bool real = at(l, code->operands[2])->type == CNS_VM_F64;
        uint32_t first = real ? CNS_CODE_STORE_REAL_I8 : CNS_CODE_STORE_INTEGER_I8;
        i.op = (uint16_t)(first + unchecked + type - CNS_I8);
        i.a = reg(l, code->operands[0]);
        i.b = reg(l, code->operands[2]);
        i.c = reg(l, base);
    }
    emit(l, code->site, i);
}

static void emit_fork(lowering *l, const cns_ir_instruction *code, cns_ir_value value) {
    cns_code_instruction i = {.immediate = code->index};
    switch (code->op) {
    case CNS_IR_FORK_PASS:
        i.op =
            cns_ir_is_buffer(at(l, code->operands[0])->type) ? CNS_CODE_PASS_BUFFER : CNS_CODE_PASS;
        i.b = reg(l, code->operands[0]);
        break;
    case CNS_IR_FORK:
        i.op = CNS_CODE_FORK;
        i.a = reg(l, code->operands[0]);
        i.b = reg(l, code->operands[1]);
        i.c = reg(l, code->operands[2]);
        break;
    default:
        i.op = CNS_CODE_GET;
        i.a = reg(l, value);
    }
    emit(l, code->site, i);
}

/* SELECT of a comparison that is folded into it. */
static void emit_choice(lowering *l, const cns_ir_instruction *code, cns_ir_value value) {
    const cns_ir_instruction *test = at(l, code->operands[0]);
    emit(l, code->site,
         (cns_code_instruction){.op = (uint16_t)fused_select((cns_ir_op)test->op),
                                .a = reg(l, value),
                                .b = reg(l, test->operands[0]),
                                .c = reg(l, test->operands[1]),
                                .e = reg(l, code->operands[1]),
                                .target = reg(l, code->operands[2])});
}

static void emit_plain(lowering *l, const cns_ir_instruction *code, cns_ir_value value) {
    cns_code_instruction i = {.op = code->op, .a = reg(l, value)};
    const cns_ir_value *operands = code->operands;
    uint32_t count = code->operand_count;
    i.b = count > 0 ? reg(l, operands[0]) : 0;
    i.c = count > 1 ? reg(l, operands[1]) : 0;
    i.e = count > 2 ? reg(l, operands[2]) : 0;
    i.target = count > 3 ? reg(l, operands[3]) : 0;
    emit(l, code->site, i);
}

static void emit_instruction(lowering *l, cns_ir_value value) {
    const cns_ir_instruction *code = at(l, value);
    if (l->plan.folded[value] || code->op == CNS_IR_ARGUMENT || is_constant(l, value) ||
        (l->plan.uses[value] == 0 && cns_ir_has((cns_ir_op)code->op, 'P'))) {
        return;
    }
    if (code->op == CNS_IR_LOAD || code->op == CNS_IR_STORE) {
        emit_memory(l, code, value);
    } else if (code->op >= CNS_IR_FORK_PASS && code->op <= CNS_IR_FORK_GET_F64) {
        emit_fork(l, code, value);
    } else if (code->op >= CNS_IR_SELECT_BOOL && code->op <= CNS_IR_SELECT_F64 &&
               l->plan.folded[code->operands[0]]) {
        emit_choice(l, code, value);
    } else {
        emit_plain(l, code, value);
    }
}

/* ---- ends of blocks -------------------------------------------------------------------------- */

static void emit_branch(lowering *l, cns_ir_block_id id) {
    const cns_ir_block *block = &l->f->blocks[id];
    const cns_ir_instruction *test = at(l, block->condition);
    bool folded = l->plan.folded[block->condition];
    /* The edge that follows in line is the second, unless only the first leads to the next block.
     */
    bool swap = block->edges[0].target == id + 1 && !(block->edges[1].target == id + 1);
    cns_code_instruction i = {.op = (uint16_t)(swap ? CNS_CODE_UNLESS : CNS_CODE_IF)};
    if (folded) {
        i.op = (uint16_t)(fused_branch((cns_ir_op)test->op) + swap);
        i.b = reg(l, test->operands[0]);
        i.c = reg(l, test->operands[1]);
    } else {
        i.a = reg(l, block->condition);
    }
    emit_jump_along(l, block->site, id, &block->edges[swap], i);
    emit_edge(l, block->site, id, &block->edges[!swap], true);
}

/* Whether count and index can be stepped in place. */
static bool is_in_place(const lowering *l, const latch *counted) {
    return reg(l, counted->less) == reg(l, counted->remaining) &&
           (counted->index == CNS_IR_NONE || reg(l, counted->next) == reg(l, counted->index));
}

/* One instruction where the way back needs no moves, else a test, the moves and a jump. The values
 * that are stepped in place need no moves themselves. */
static void emit_latch(lowering *l, cns_ir_block_id id, const latch *counted) {
    const cns_ir_block *block = &l->f->blocks[id];
    const cns_ir_edge *back = &block->edges[1];
    bool indexed = counted->index != CNS_IR_NONE;
    cns_code_instruction i = {.a = reg(l, counted->remaining),
                              .b = indexed ? reg(l, counted->index) : l->spare,
                              .c = indexed ? reg(l, counted->step) : l->spare};
    if (needs_moves(l, back)) {
        i.op = CNS_CODE_LOOP_END;
        emit_jump_along(l, block->site, id, &block->edges[0], i);
        emit_edge(l, block->site, id, back, false);
    } else {
        i.op = CNS_CODE_LOOP;
        i.target = back->target;
        emit(l, block->site, i);
        emit_edge(l, block->site, id, &block->edges[0], true);
    }
}

static void emit_return(lowering *l, const cns_ir_block *block) {
    cns_code *code = l->code;
    const cns_ir_edge *edge = &block->edges[0];
    uint32_t need = code->result_count + edge->count + 1;
    if (need > l->result_capacity) {
        uint32_t capacity = need * 2;
        cns_code_result *larger = take(l, code->arena, capacity * sizeof *larger);
        if (l->status != CNS_OK) {
            return;
        }
        if (code->result_count > 0) {
            memcpy(larger, code->results, code->result_count * sizeof *larger);
        }
        code->results = larger;
        l->result_capacity = capacity;
    }
    emit(l, block->site,
         (cns_code_instruction){.op = CNS_CODE_RETURN, .immediate = code->result_count});
    for (uint32_t r = 0; r < edge->count; r++) {
        cns_ir_value value = edge->arguments[r];
        code->results[code->result_count++] =
            value == CNS_IR_NONE ? (cns_code_result){0, CNS_VM_NIL}
                                 : (cns_code_result){reg(l, value), at(l, value)->type};
    }
    code->results[code->result_count++] = (cns_code_result){0, CNS_VM_VOID};
}

static void emit_block(lowering *l, cns_ir_block_id id) {
    const cns_ir_block *block = &l->f->blocks[id];
    latch counted;
    bool counts = find_latch(l, id, &counted) && is_in_place(l, &counted);
    l->block_at[id] = l->code->count;
    for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = at(l, v)->next) {
        bool stepped = counts && (v == counted.less || v == counted.next || v == block->condition);
        if (!stepped) {
            emit_instruction(l, v);
        }
    }
    switch (block->end) {
    case CNS_IR_JUMP:
        emit_edge(l, block->site, id, &block->edges[0], true);
        break;
    case CNS_IR_BRANCH:
        if (counts) {
            emit_latch(l, id, &counted);
        } else {
            emit_branch(l, id);
        }
        break;
    default:
        emit_return(l, block);
    }
}

static bool has_target(uint32_t op) {
    return op >= CNS_CODE_JUMP && op <= CNS_CODE_LOOP_END;
}

/* Blocks become instructions in the jumps; then what waited is put behind and pointed to. */
static void emit_all(lowering *l) {
    for (cns_ir_block_id id = 0; id < l->f->block_count; id++) {
        emit_block(l, id);
    }
    uint32_t *stub_at = take(l, l->scratch, (l->stub_count + 1) * sizeof *stub_at);
    for (uint32_t s = 0; l->status == CNS_OK && s < l->stub_count; s++) {
        stub_at[s] = l->code->count;
        emit_edge(l, l->stubs[s].site, l->stubs[s].from, l->stubs[s].edge, false);
    }
    for (uint32_t i = 0; l->status == CNS_OK && i < l->code->count; i++) {
        cns_code_instruction *instruction = &l->code->instructions[i];
        if (has_target(instruction->op)) {
            instruction->target = l->block_at[instruction->target];
        }
    }
    for (uint32_t s = 0; l->status == CNS_OK && s < l->stub_count; s++) {
        l->code->instructions[l->stubs[s].jump].target = stub_at[s];
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void note_lines(lowering *l) {
    l->code->lines = take(l, l->code->arena, l->code->count * sizeof *l->code->lines);
    for (uint32_t i = 0; l->status == CNS_OK && i < l->code->count; i++) {
        uint32_t site = l->code->sites[i];
        l->code->lines[i] = site < l->f->site_count ? l->f->sites[site].line : 0;
    }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Registers are known: plans that need a value that has none are dropped. */
static void bind_plans(lowering *l) {
    for (cns_ir_block_id id = 0; id < l->f->block_count; id++) {
        if (l->plan_of[id] != 0 &&
            !cns_block_plan_bind(l->code->plans[l->plan_of[id] - 1], l->plan.place)) {
            l->plan_of[id] = 0;
        }
    }
}

static void lower_bodies(lowering *l, uint32_t options) {
    cns_code *code = l->code;
    code->bodies = take(l, code->arena, l->f->body_count * sizeof *code->bodies);
    for (uint32_t i = 0; l->status == CNS_OK && i < l->f->body_count; i++) {
        const cns_ir_body *body = &l->f->bodies[i];
        code->bodies[i].fork = body->fork;
        l->status = cns_code_lower(body->function, options, &code->bodies[i].code);
        code->body_count += l->status == CNS_OK;
    }
}

static void lower_all(lowering *l, cns_ir_function *function, uint32_t options) {
    const cns_ir_function *f = l->f;
    l->plan = (cns_code_plan){.function = f, .arena = l->scratch};
    l->plan.uses = take(l, l->scratch, f->instruction_count * sizeof *l->plan.uses);
    l->plan.folded = take(l, l->scratch, f->instruction_count * sizeof *l->plan.folded);
    l->plan.place = take(l, l->scratch, f->instruction_count * sizeof *l->plan.place);
    l->block_at = take(l, l->scratch, f->block_count * sizeof *l->block_at);
    l->stubs = take(l, l->scratch, f->block_count * 2 * sizeof *l->stubs);
    l->plan_of = take(l, l->scratch, f->block_count * sizeof *l->plan_of);
    if (l->status != CNS_OK) {
        return;
    }
    memset(l->plan.place, 0xff, f->instruction_count * sizeof *l->plan.place);
    count_uses(l);
    find_folds(l);
    place_arguments(l);
    place_constants(l);
    if (l->status == CNS_OK) {
        l->status = cns_code_assign(&l->plan);
    }
    l->code->register_count = l->plan.end;
    if (l->status == CNS_OK && !(options & CNS_KERNEL_NO_BLOCKS)) {
        l->status = cns_code_plan_blocks(l->code, function, l->scratch, l->plan_of);
    }
    if (l->status == CNS_OK) {
        bind_plans(l);
        emit_all(l);
        note_lines(l);
    }
}

cns_status cns_code_lower(cns_ir_function *function, uint32_t options, cns_code **out) {
    cns_context *context = function->context;
    cns_arena *arena = NULL;
    lowering l = {.f = function};
    cns_status status = cns_arena_create(context, NULL, &arena);
    if (status != CNS_OK) {
        return status;
    }
    cns_code *code = cns_arena_alloc(arena, sizeof *code, 16);
    if (!code) {
        cns_arena_destroy(arena);
        return cns_context_memory_status(context, sizeof *code);
    }
    *code = (cns_code){.context = context, .arena = arena};
    l.code = code;
    l.status = cns_arena_create(context, NULL, &l.scratch);
    if (l.status == CNS_OK) {
        size_t size = strlen(function->name) + 1;
        code->name = take(&l, arena, size);
        if (code->name) {
            memcpy(code->name, function->name, size);
        }
        lower_all(&l, function, options);
        lower_bodies(&l, options);
        cns_arena_destroy(l.scratch);
    }
    if (l.status != CNS_OK) {
        cns_code_destroy(code);
        return l.status;
    }
    *out = code;
    return CNS_OK;
}

void cns_code_destroy(cns_code *code) {
    if (!code) {
        return;
    }
    for (uint32_t i = 0; i < code->body_count; i++) {
        cns_code_destroy(code->bodies[i].code);
    }
    cns_arena_destroy(code->arena);
}

uint32_t cns_code_length(const cns_code *code) {
    uint32_t length = code->count;
    for (uint32_t i = 0; i < code->body_count; i++) {
        length += cns_code_length(code->bodies[i].code);
    }
    return length;
}
