/* SPDX-License-Identifier: MIT
 *
 * flow.c - basic blocks and liveness of a Lua function.
 *
 * Leaders are the entry, targets of jumps and what follows a branch. A test and its jump are one
 * branch; FORLOOP and TFORLOOP are branches; the metamethod call after an arithmetic operation is
 * never reached. Liveness is the usual backward fixed point, over the reads and writes that
 * lopcodes.h gives each operation; for calls and loops it is told here.
 */
#include "vm/flow.h"

#include <string.h>

#include "base/text.h"
#include "vm/chunk_check.h"

/* ---- where control goes ---------------------------------------------------------------------- */

static bool is_test(cns_lua_op op) {
    return op >= LOP_EQ && op <= LOP_TESTSET;
}

static bool is_arithmetic(cns_lua_op op) {
    return op >= LOP_ADDI && op <= LOP_SHR;
}

/* The instructions that may come after the one at `pc`: `next[0]`, and `next[1]` of a jump that is
 * taken; CNS_FLOW_NONE for none. True when the instruction ends its block. */
static bool successors(const cns_proto *proto, uint32_t pc, uint32_t next[2]) {
    uint32_t i = proto->code[pc];
    cns_lua_op op = cns_lua_op_of(i);
    next[0] = pc + 1;
    next[1] = CNS_FLOW_NONE;
    if (is_test(op)) {
        next[0] = pc + 2;
        next[1] = pc + 2 + (uint32_t)cns_lua_sj(proto->code[pc + 1]);
        return true;
    }
    switch (op) {
    case LOP_JMP:
        next[0] = pc + 1 + (uint32_t)cns_lua_sj(i);
        return true;
    case LOP_LFALSESKIP:
        next[0] = pc + 2;
        return true;
    case LOP_FORPREP:
        next[1] = pc + 2 + cns_lua_bx(i);
        return true;
    case LOP_FORLOOP:
    case LOP_TFORLOOP:
        next[1] = pc + 1 - cns_lua_bx(i);
        return true;
    case LOP_TFORPREP:
        next[0] = pc + 1 + cns_lua_bx(i);
        return true;
    case LOP_RETURN:
    case LOP_RETURN0:
    case LOP_RETURN1:
        next[0] = CNS_FLOW_NONE;
        return true;
    case LOP_LOADKX:
    case LOP_NEWTABLE:
        next[0] = pc + 2; /* over its operand */
        return false;
    default:
        next[0] = is_arithmetic(op) ? pc + 2 : pc + 1;
        return false;
    }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* Marks leaders in `leader`, following control from the entry, so that what cannot be reached is in
 * no block. Returns the number of leaders. `stack` holds one pc an instruction. */
static uint32_t mark_leaders(const cns_proto *proto, uint8_t *seen, uint8_t *leader,
                             uint32_t *stack) {
    uint32_t depth = 0;
    uint32_t count = 1;
    leader[0] = 1;
    seen[0] = 1;
    stack[depth++] = 0;
    while (depth > 0) {
        uint32_t next[2];
        bool ends = successors(proto, stack[--depth], next);
        for (int e = 0; e < 2; e++) {
            if (next[e] == CNS_FLOW_NONE) {
                continue;
            }
            if (ends && !leader[next[e]]) {
                leader[next[e]] = 1;
                count++;
            }
            if (!seen[next[e]]) {
                seen[next[e]] = 1;
                stack[depth++] = next[e];
            }
        }
    }
    return count;
}

static uint32_t block_at(const cns_flow *flow, uint32_t pc) {
    return pc == CNS_FLOW_NONE ? CNS_FLOW_NONE : flow->block_of[pc];
}

/* Cuts the code into blocks; a block ends before a leader or after what ends one. */
static void cut(cns_flow *flow, const uint8_t *leader) {
    uint32_t index = 0;
    for (uint32_t pc = 0; pc < flow->proto->code_count; pc++) {
        flow->block_of[pc] = CNS_FLOW_NONE;
        if (leader[pc]) {
            flow->blocks[index].begin = pc;
            flow->block_of[pc] = index++;
        }
    }
    for (uint32_t b = 0; b < flow->block_count; b++) {
        cns_flow_block *block = &flow->blocks[b];
        uint32_t next[2] = {block->begin, CNS_FLOW_NONE};
        bool ends = false;
        uint32_t pc;
        do {
            pc = next[0];
            flow->block_of[pc] = b;
            ends = successors(flow->proto, pc, next);
        } while (!ends && !leader[next[0]]);
        block->end = pc + 1;
        for (int e = 0; e < 2; e++) {
            block->successors[e] = block_at(flow, next[e]);
        }
    }
}

/* ---- liveness -------------------------------------------------------------------------------- */

static void set_add(cns_register_set *set, uint32_t reg) {
    set->words[reg / 64] |= UINT64_C(1) << (reg % 64);
}

static void set_remove(cns_register_set *set, uint32_t reg) {
    set->words[reg / 64] &= ~(UINT64_C(1) << (reg % 64));
}

static void add_range(cns_register_set *set, uint32_t first, uint32_t count) {
    for (uint32_t reg = first; reg < first + count; reg++) {
        set_add(set, reg);
    }
}

static void remove_range(cns_register_set *set, uint32_t first, uint32_t count) {
    for (uint32_t reg = first; reg < first + count; reg++) {
        set_remove(set, reg);
    }
}

/* Registers beyond the plain fields: those that are written, then those that are read. */
static void step_shape(const cns_proto *proto, uint32_t i, cns_register_set *live) {
    uint32_t a = cns_lua_a(i), b = cns_lua_b(i), c = cns_lua_c(i);
    uint32_t to_top = proto->registers - a; /* an open list may reach to the frame's end */
    switch (cns_lua_op_of(i)) {
    case LOP_LOADNIL:
        remove_range(live, a, b + 1);
        break;
    case LOP_SELF:
        set_remove(live, a + 1);
        set_add(live, b);
        break;
    case LOP_CONCAT:
        add_range(live, a, b);
        break;
    case LOP_CALL:
        remove_range(live, a, c ? c - 1 : to_top);
        add_range(live, a, b ? b : to_top);
        break;
    case LOP_TAILCALL:
        add_range(live, a, b ? b : to_top);
        break;
    case LOP_RETURN:
        add_range(live, a, b ? b - 1 : to_top);
        break;
    case LOP_VARARG:
        remove_range(live, a, c ? c - 1 : to_top);
        break;
    case LOP_SETLIST:
        add_range(live, a, b ? b + 1 : to_top);
        break;
    case LOP_FORPREP:
        set_remove(live, a + 3);
        add_range(live, a, 3);
        break;
    case LOP_FORLOOP: /* index and count are read and written; the step is read */
        set_remove(live, a + 3);
        add_range(live, a, 3);
        break;
    case LOP_TFORPREP:
        add_range(live, a, 3);
        break;
    case LOP_TFORCALL:
        remove_range(live, a + 4, c);
        add_range(live, a, 3);
        break;
    case LOP_TFORLOOP:
        set_remove(live, a + 2);
        set_add(live, a + 4);
        set_add(live, a + 2);
        break;
    default:
        break;
    }
}

static void step_back(const cns_proto *proto, uint32_t pc, cns_register_set *live) {
    uint32_t i = proto->code[pc];
    const cns_lua_op_info *info = cns_lua_op_info_of(cns_lua_op_of(i));
    if (info->a == CNS_FIELD_WRITE && cns_lua_op_of(i) != LOP_TESTSET) { /* which may not write */
        set_remove(live, cns_lua_a(i));
    }
    step_shape(proto, i, live);
    if (info->a == CNS_FIELD_READ) {
        set_add(live, cns_lua_a(i));
    }
    if (info->b == CNS_FIELD_READ) {
        set_add(live, cns_lua_b(i));
    }
    if (info->c == CNS_FIELD_READ || (info->c == CNS_FIELD_EITHER && !cns_lua_k(i))) {
        set_add(live, cns_lua_c(i));
    }
}

/* What is live at the end of the block. */
static cns_register_set live_behind(const cns_flow *flow, const cns_flow_block *block) {
    cns_register_set live = {{0}};
    for (int e = 0; e < 2; e++) {
        if (block->successors[e] != CNS_FLOW_NONE) {
            const cns_register_set *next = &flow->blocks[block->successors[e]].live;
            for (int w = 0; w < CNS_FLOW_REGISTERS / 64; w++) {
                live.words[w] |= next->words[w];
            }
        }
    }
    return live;
}

/* Recomputes the block's entry set; true when it grew. */
static bool update_live(cns_flow *flow, cns_flow_block *block) {
    cns_register_set live = live_behind(flow, block);
    uint32_t own = (uint32_t)(block - flow->blocks);
    for (uint32_t pc = block->end; pc-- > block->begin;) {
        if (flow->block_of[pc] == own) { /* not an operand or an unreachable metamethod call */
            step_back(flow->proto, pc, &live);
        }
    }
    bool grew = memcmp(&live, &block->live, sizeof live) != 0;
    block->live = live;
    return grew;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static cns_status analyse(cns_flow *flow, uint8_t *marks, uint32_t *stack) {
    uint32_t count = flow->proto->code_count;
    uint8_t *leader = marks + count;
    flow->block_count = mark_leaders(flow->proto, marks, leader, stack);
    flow->blocks = cns_context_calloc(flow->context, flow->block_count * sizeof *flow->blocks);
    if (!flow->blocks) {
        return cns_context_memory_status(flow->context, flow->block_count * sizeof *flow->blocks);
    }
    cut(flow, leader);
    for (bool again = true; again;) {
        again = false;
        for (uint32_t b = flow->block_count; b-- > 0;) {
            again |= update_live(flow, &flow->blocks[b]);
        }
    }
    return CNS_OK;
}

cns_status cns_flow_init(cns_flow *flow, cns_context *context, const cns_proto *proto) {
    uint32_t count = proto->code_count;
    *flow = (cns_flow){.context = context, .proto = proto};
    uint8_t *marks = cns_context_calloc(context, (size_t)count * 2);
    uint32_t *stack = cns_context_calloc(context, count * sizeof *stack);
    flow->block_of = cns_context_calloc(context, count * sizeof *flow->block_of);
    cns_status status = marks && stack && flow->block_of
                            ? analyse(flow, marks, stack)
                            : cns_context_memory_status(context, count * sizeof *stack);
    cns_context_free(context, marks, (size_t)count * 2, CNS_ALIGN_DEFAULT);
    cns_context_free(context, stack, count * sizeof *stack, CNS_ALIGN_DEFAULT);
    if (status != CNS_OK) {
        cns_flow_deinit(flow);
    }
    return status;
}

void cns_flow_deinit(cns_flow *flow) {
    cns_context_free(flow->context, flow->blocks, flow->block_count * sizeof *flow->blocks,
                     CNS_ALIGN_DEFAULT);
    if (flow->proto) {
        cns_context_free(flow->context, flow->block_of,
                         flow->proto->code_count * sizeof *flow->block_of, CNS_ALIGN_DEFAULT);
    }
    *flow = (cns_flow){.context = flow->context};
}

cns_status cns_flow_print(const cns_flow *flow, cns_text *text) {
    for (uint32_t b = 0; b < flow->block_count; b++) {
        const cns_flow_block *block = &flow->blocks[b];
        cns_text_printf(text, "block %u: %u-%u, live", b, block->begin + 1, block->end);
        for (uint32_t reg = 0; reg < flow->proto->registers; reg++) {
            if (cns_register_set_has(&block->live, reg)) {
                cns_text_printf(text, " r%u", reg);
            }
        }
        for (int e = 0; e < 2; e++) {
            if (block->successors[e] != CNS_FLOW_NONE) {
                cns_text_printf(text, "%s %u", e == 0 ? ", to" : " or", block->successors[e]);
            }
        }
        cns_text_append(text, "\n", 1);
    }
    return cns_text_status(text);
}

void cns_flow_live_at(const cns_flow *flow, uint32_t pc, cns_register_set *out) {
    const cns_flow_block *block = &flow->blocks[flow->block_of[pc]];
    *out = live_behind(flow, block);
    for (uint32_t at = block->end; at-- > pc;) {
        if (flow->block_of[at] == flow->block_of[pc]) {
            step_back(flow->proto, at, out);
        }
    }
}
