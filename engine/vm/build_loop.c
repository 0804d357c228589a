/* SPDX-License-Identifier: MIT
 *
 * build_loop.c - numeric for and cns.prange.
 *
 * As Lua's forprep: an integer loop where init and step are integers, its trips counted before it
 * begins; else a float loop. The IR of the former is the canonical counted loop of vm/ir.h. The
 * author's variable is a copy of the hidden index; inside a version both are one parameter.
 */
#include "vm/builder.h"

/* Where a loop keeps what it goes by. */
typedef struct loop_registers {
    uint32_t index;
    uint32_t remaining; /* the limit of a float loop */
    uint32_t variable;
    uint32_t body; /* pc */
    uint32_t exit; /* pc */
    bool parallel;
} loop_registers;

static void set_index(cns_builder *b, const loop_registers *loop, cns_ir_value index) {
    b->slots[loop->index] = cns_build_value(b, index);
    b->slots[loop->variable] = b->slots[loop->index];
    b->slots[loop->variable].kind = CNS_SLOT_ALIAS;
    b->slots[loop->variable].id = loop->index;
}

/* The loop's variables by name, for what forking it may have to refuse. */
static void name_parameters(cns_builder *b, const cns_version *version) {
    const cns_proto *proto = version->frame->proto;
    for (uint32_t r = 0; r < proto->registers && b->status == CNS_OK; r++) {
        const char *name = cns_proto_local(proto, r, version->pc);
        cns_ir_value value = version->slots[r].value;
        if (name && version->slots[r].kind == CNS_SLOT_VALUE &&
            cns_ir_at(b->ir, value)->op == CNS_IR_PARAM &&
            cns_ir_at(b->ir, value)->block == version->block) {
            b->status = cns_ir_name(b->ir, value, name);
        }
    }
}

static cns_build_edge edge_to_body(cns_builder *b, uint32_t which, const loop_registers *loop) {
    cns_build_edge edge = cns_build_edge_to(b, which, loop->body, false);
    if (b->status == CNS_OK && loop->parallel) {
        b->ir->blocks[edge.version->block].flags |= CNS_IR_PARALLEL;
        name_parameters(b, edge.version);
    }
    return edge;
}

/* Branches to a block that nobody else enters, and goes on in it; the other edge leaves. */
static void enter_if(cns_builder *b, cns_ir_value enters, const loop_registers *loop) {
    cns_ir_block_id inside = 0;
    if (b->status == CNS_OK) {
        b->status = cns_ir_add_block(b->ir, &inside);
    }
    cns_build_edge edges[2] = {{NULL, 0}, cns_build_edge_to(b, 1, loop->exit, false)};
    uint32_t site = cns_build_site(b);
    if (b->status == CNS_OK) {
        b->status =
            cns_ir_end_branch(b->ir, b->block, site, enters, inside, edges[1].version->block);
    }
    if (b->status == CNS_OK) {
        b->status = cns_ir_set_arguments(b->ir, b->block, 1, b->edges[1], edges[1].count);
    }
    b->block = inside;
}

static void jump_to_body(cns_builder *b, const loop_registers *loop) {
    cns_build_edge edge = edge_to_body(b, 0, loop);
    uint32_t site = cns_build_site(b);
    if (b->status == CNS_OK) {
        b->status =
            cns_ir_end_jump(b->ir, b->block, site, edge.version->block, b->edges[0], edge.count);
    }
    b->done = true;
}

/* ---- counted loops --------------------------------------------------------------------------- */

static void begin_counted(cns_builder *b, const loop_registers *loop, cns_slot init, cns_slot limit,
                          cns_slot step) {
    bool whole = cns_build_is_i64(&limit);
    cns_ir_value enters = cns_build_3(b, whole ? CNS_IR_FOR_ENTERS_I64 : CNS_IR_FOR_ENTERS_CLIP,
                                      init.value, limit.value, step.value);
    enter_if(b, enters, loop);
    cns_ir_value last =
        whole ? limit.value : cns_build_2(b, CNS_IR_FOR_CLIP, limit.value, step.value);
    cns_ir_value count = cns_build_3(b, CNS_IR_FOR_COUNT, init.value, last, step.value);
    b->slots[loop->remaining] = cns_build_value(b, count);
    set_index(b, loop, init.value);
    jump_to_body(b, loop);
}

static void repeat_counted(cns_builder *b, const loop_registers *loop, cns_ir_value step) {
    cns_ir_value remaining = b->slots[loop->remaining].value;
    cns_ir_value index = b->slots[loop->index].value;
    cns_ir_value zero = cns_build_2(b, CNS_IR_EQ_I64, remaining, cns_build_i64(b, 0));
    cns_build_edge edges[2];
    edges[0] = cns_build_edge_to(b, 0, loop->exit, false);
    cns_ir_value less = cns_build_2(b, CNS_IR_SUB_I64, remaining, cns_build_i64(b, 1));
    b->slots[loop->remaining] = cns_build_value(b, less);
    set_index(b, loop, cns_build_2(b, CNS_IR_ADD_I64, index, step));
    edges[1] = edge_to_body(b, 1, loop);
    cns_build_branch(b, zero, edges);
}

/* ---- numeric for ----------------------------------------------------------------------------- */

static void begin_float(cns_builder *b, const loop_registers *loop, uint32_t a) {
    cns_ir_value limit = cns_build_to_f64(b, b->slots[a + 1]);
    cns_ir_value step = cns_build_to_f64(b, b->slots[a + 2]);
    cns_ir_value init = cns_build_to_f64(b, b->slots[a]);
    cns_ir_value enters = cns_build_3(b, CNS_IR_FOR_ENTERS_F64, init, limit, step);
    enter_if(b, enters, loop);
    b->slots[a + 1] = cns_build_value(b, limit);
    b->slots[a + 2] = cns_build_value(b, step);
    set_index(b, loop, init);
    jump_to_body(b, loop);
}

static void repeat_float(cns_builder *b, const loop_registers *loop, uint32_t a) {
    cns_ir_value next = cns_build_2(b, CNS_IR_ADD_F64, b->slots[a].value, b->slots[a + 2].value);
    cns_ir_value goes_on =
        cns_build_3(b, CNS_IR_FOR_GOES_ON_F64, next, b->slots[a + 1].value, b->slots[a + 2].value);
    cns_build_edge edges[2];
    edges[1] = cns_build_edge_to(b, 1, loop->exit, false);
    set_index(b, loop, next);
    edges[0] = edge_to_body(b, 0, loop);
    cns_build_branch(b, goes_on, edges);
}

static bool check_bounds(cns_builder *b, uint32_t a) {
    static const char *const names[] = {"initial value", "limit", "step"};
    for (uint32_t i = 0; i < 3; i++) {
        if (!cns_build_is_number(&b->slots[a + i])) {
            cns_build_refuse(b, "the %s of a 'for' is %s; it must be a number%s", names[i],
                             cns_build_describe(b, a + i), cns_build_as_number(&b->slots[a + i]));
            return false;
        }
    }
    return b->status == CNS_OK;
}

static loop_registers numeric(uint32_t a, uint32_t body, uint32_t exit) {
    return (loop_registers){
        .index = a, .remaining = a + 1, .variable = a + 3, .body = body, .exit = exit};
}

void cns_build_for_prepare(cns_builder *b, uint32_t i) {
    uint32_t a = cns_lua_a(i);
    const loop_registers loop = numeric(a, b->pc + 1, b->pc + 2 + cns_lua_bx(i));
    if (!check_bounds(b, a)) {
        return;
    }
    if (cns_build_is_i64(&b->slots[a]) && cns_build_is_i64(&b->slots[a + 2])) {
        begin_counted(b, &loop, b->slots[a], b->slots[a + 1], b->slots[a + 2]);
    } else {
        begin_float(b, &loop, a);
    }
}

/* Whether the registers from `first` on hold what the loop's beginning left there, all of one type:
 * the code of a forged function may come here by a jump. */
static bool has_begun(cns_builder *b, uint32_t first, uint32_t count) {
    for (uint32_t i = first; i < first + count; i++) {
        if (!cns_build_is_number(&b->slots[i]) || b->slots[i].type != b->slots[first].type) {
            cns_build_refuse(b, "the end of a 'for' is reached that did not begin");
            return false;
        }
    }
    return b->status == CNS_OK;
}

void cns_build_for_loop(cns_builder *b, uint32_t i) {
    uint32_t a = cns_lua_a(i);
    const loop_registers loop = numeric(a, b->pc + 1 - cns_lua_bx(i), b->pc + 1);
    if (!has_begun(b, a, 3)) {
        return;
    }
    if (cns_build_is_i64(&b->slots[a])) {
        repeat_counted(b, &loop, b->slots[a + 2].value);
    } else {
        repeat_float(b, &loop, a);
    }
}

/* ---- cns.prange ------------------------------------------------------------------------------ */

/* The call left the iterator with its step at `a`, and init and limit behind it. */
void cns_build_prange_prepare(cns_builder *b, uint32_t i) {
    uint32_t a = cns_lua_a(i);
    uint32_t call = b->pc + 1 + cns_lua_bx(i); /* TFORCALL */
    if (b->slots[a].kind != CNS_SLOT_PRANGE) {
        cns_build_refuse(b,
                         "a generic 'for' over %s; only cns.prange can be iterated: use a "
                         "numeric 'for'",
                         cns_build_what(b, &b->slots[a]));
        return;
    }
    const loop_registers loop = {.index = a + 2,
                                 .remaining = a + 1,
                                 .variable = a + 4,
                                 .body = b->pc + 1,
                                 .exit = call + 2,
                                 .parallel = true};
    cns_slot step = b->slots[a];
    step.kind = CNS_SLOT_VALUE;
    begin_counted(b, &loop, b->slots[a + 1], b->slots[a + 2], step);
}

void cns_build_prange_loop(cns_builder *b, uint32_t i) {
    uint32_t a = cns_lua_a(i);
    const loop_registers loop = {.index = a + 2,
                                 .remaining = a + 1,
                                 .variable = a + 4,
                                 .body = b->pc + 1 - cns_lua_bx(i),
                                 .exit = b->pc + 1,
                                 .parallel = true};
    if (b->slots[a].kind != CNS_SLOT_PRANGE || !has_begun(b, a + 1, 2) ||
        !cns_build_is_i64(&b->slots[a + 1])) {
        cns_build_refuse(b, "the end of a 'for' is reached that did not begin");
        return;
    }
    repeat_counted(b, &loop, b->slots[a].value);
}
