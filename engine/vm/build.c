/* SPDX-License-Identifier: MIT
 *
 * build.c - versions of Lua's basic blocks, and the walk over them.
 *
 * A work list of versions is emitted one after the other. An edge to a Lua block finds the version
 * whose live registers hold the same kinds and types, or makes one: its IR block gets a parameter
 * for each live number. Loops thus need no special care: the edge back finds the header's version,
 * or, when a type has changed in the first trip, makes a second one. The number of versions of one
 * block is bounded; a function beyond the bound is refused with the variable that keeps changing.
 */
#include <stdio.h>
#include <string.h>

#include "vm/builder.h"

enum {
    VERSIONS = 16,
    INSTRUCTION_LIMIT = 1 << 17 /* of one kernel: what is larger was inlined out of proportion */
};

void *cns_build_alloc(cns_builder *b, size_t size) {
    void *memory = b->status == CNS_OK ? cns_arena_alloc(b->arena, size, 16) : NULL;
    if (memory) {
        memset(memory, 0, size);
    } else if (b->status == CNS_OK) {
        b->status = cns_context_memory_status(b->context, size);
    }
    return memory;
}

static bool is_carried(const cns_slot *slot) {
    return slot->kind == CNS_SLOT_VALUE || slot->kind == CNS_SLOT_PRANGE;
}

static bool is_leader(const cns_frame *frame, uint32_t pc) {
    return frame->flow->blocks[frame->flow->block_of[pc]].begin == pc;
}

/* ---- versions -------------------------------------------------------------------------------- */

static bool same_slot(const cns_slot *a, const cns_slot *b) {
    return a->kind == b->kind &&
           (a->kind == CNS_SLOT_OTHER || (a->type == b->type && a->id == b->id));
}

static uint32_t hash_place(const cns_frame *frame, uint32_t pc) {
    return (frame->serial * 0x9e3779b1u ^ pc * 0x85ebca6bu) >> 8 & (CNS_BUILD_BUCKETS - 1);
}

/* Registers that nobody will read are forgotten. */
static void forget_dead(cns_builder *b, uint32_t pc) {
    cns_register_set live;
    cns_flow_live_at(b->frame->flow, pc, &live);
    for (uint32_t r = 0; r < b->frame->proto->registers; r++) {
        if (!cns_register_set_has(&live, r)) {
            b->slots[r] = (cns_slot){.kind = CNS_SLOT_DEAD};
        }
    }
    for (uint32_t r = 0; r < b->frame->proto->registers; r++) {
        cns_slot *slot = &b->slots[r];
        if (slot->kind == CNS_SLOT_ALIAS && b->slots[slot->id].kind == CNS_SLOT_DEAD) {
            *slot = cns_build_value(b, slot->value); /* alone now */
        }
    }
}

static bool is_same_version(const cns_builder *b, const cns_version *version, uint32_t pc,
                            const cns_frame *via) {
    if (version->frame != b->frame || version->pc != pc || version->via != via ||
        version->top != b->top || !version->shared) {
        return false;
    }
    for (uint32_t r = 0; r < b->frame->proto->registers; r++) {
        if (!same_slot(&version->slots[r], &b->slots[r])) {
            return false;
        }
    }
    return true;
}

/* Which register tells `version` from what is there now. */
static void refuse_version(cns_builder *b, const cns_version *version, uint32_t limit) {
    for (uint32_t r = 0; r < b->frame->proto->registers; r++) {
        if (!same_slot(&version->slots[r], &b->slots[r])) {
            const char *name = cns_build_name(b, r);
            const char *before = cns_build_what(b, &version->slots[r]);
            const char *now = cns_build_what(b, &b->slots[r]);
            cns_build_refuse(b,
                             "the types change too often here (%u ways): %s is %s one time and %s "
                             "another; give it one type, e.g. begin with 0.0 instead of 0",
                             limit, name, before, now);
            return;
        }
    }
    cns_build_refuse(b, "the types change too often here (%u ways)", limit);
}

static cns_version *find_version(cns_builder *b, uint32_t pc, const cns_frame *via) {
    uint32_t limit = b->build->version_limit ? b->build->version_limit : VERSIONS;
    uint32_t count = 0;
    cns_version *other = NULL;
    for (cns_version *v = b->buckets[hash_place(b->frame, pc)]; v; v = v->next) {
        if (is_same_version(b, v, pc, via)) {
            return v;
        }
        if (v->frame == b->frame && v->pc == pc && v->via == via) {
            other = v;
            count++;
        }
    }
    if (count >= limit) {
        refuse_version(b, other, limit);
    }
    return NULL;
}

/* Whether the value in register `r` becomes a parameter: after an inlined call only results do,
 * since the rest comes from before the call whatever happened in it. */
static bool is_parameter(const cns_builder *b, uint32_t r, const cns_frame *via) {
    return is_carried(&b->slots[r]) &&
           !(via && is_carried(&via->saved[r]) && via->saved[r].value == b->slots[r].value);
}

static void add_parameters(cns_builder *b, cns_version *version, const cns_frame *via) {
    for (uint32_t r = 0; r < b->frame->proto->registers && b->status == CNS_OK; r++) {
        if (is_parameter(b, r, via)) {
            b->status = cns_ir_add_parameter(b->ir, version->block, b->slots[r].type,
                                             &version->slots[r].value);
        }
    }
}

static cns_version *add_version(cns_builder *b, uint32_t pc, const cns_frame *via, bool private_) {
    uint32_t registers = b->frame->proto->registers;
    cns_version *version = cns_build_alloc(b, sizeof *version);
    cns_slot *slots = cns_build_alloc(b, registers * sizeof *slots);
    cns_ir_block_id block = 0;
    if (b->status == CNS_OK) {
        b->status = cns_ir_add_block(b->ir, &block);
    }
    if (b->status != CNS_OK) {
        return NULL;
    }
    memcpy(slots, b->slots, registers * sizeof *slots);
    *version = (cns_version){.frame = b->frame,
                             .pc = pc,
                             .top = b->top,
                             .via = via,
                             .shared = !private_,
                             .block = block,
                             .slots = slots};
    if (!private_) {
        add_parameters(b, version, via);
        cns_version **bucket = &b->buckets[hash_place(b->frame, pc)];
        version->next = *bucket;
        *bucket = version;
    }
    *(b->last ? &b->last->later : &b->first) = version;
    b->last = version;
    return version;
}

/* Values of the registers for the version's parameters, in their order. After an inlined call the
 * caller's values are known by the frame; others were equal in kind, so the order is the same. */
static uint32_t collect(cns_builder *b, uint32_t which, const cns_frame *via) {
    uint32_t count = 0;
    for (uint32_t r = 0; r < b->frame->proto->registers; r++) {
        if (is_parameter(b, r, via)) {
            b->edges[which][count++] = b->slots[r].value;
        }
    }
    return count;
}

static cns_build_edge edge_to(cns_builder *b, uint32_t which, uint32_t pc, const cns_frame *via,
                              bool private_) {
    cns_build_edge edge = {NULL, 0};
    if (b->status != CNS_OK) {
        return edge;
    }
    cns_slot kept[CNS_BUILD_REGISTERS];
    size_t size = b->frame->proto->registers * sizeof *kept;
    memcpy(kept, b->slots, size);
    forget_dead(b, pc);
    edge.version = private_ ? NULL : find_version(b, pc, via);
    if (!edge.version && b->status == CNS_OK) {
        edge.version = add_version(b, pc, via, private_);
    }
    edge.count = private_ || b->status != CNS_OK ? 0 : collect(b, which, via);
    memcpy(b->slots, kept, size);
    return edge;
}

cns_build_edge cns_build_edge_to(cns_builder *b, uint32_t which, uint32_t pc, bool private_) {
    return edge_to(b, which, pc, NULL, private_);
}

static void end_with_jump(cns_builder *b, cns_build_edge edge) {
    if (b->status == CNS_OK) {
        uint32_t site = cns_build_site(b);
        b->status = b->status == CNS_OK
                        ? cns_ir_end_jump(b->ir, b->block, site, edge.version->block, b->edges[0],
                                          edge.count)
                        : b->status;
    }
    b->done = true;
}

void cns_build_jump(cns_builder *b, uint32_t pc) {
    end_with_jump(b, edge_to(b, 0, pc, NULL, false));
}

/* A block of its own for an edge, when both edges of a branch lead to the same place. */
static cns_ir_block_id detour(cns_builder *b, uint32_t site, const cns_build_edge *edge) {
    cns_ir_block_id block = 0;
    b->status = cns_ir_add_block(b->ir, &block);
    if (b->status == CNS_OK) {
        b->status =
            cns_ir_end_jump(b->ir, block, site, edge->version->block, b->edges[1], edge->count);
    }
    return block;
}

void cns_build_branch(cns_builder *b, cns_ir_value condition, const cns_build_edge edges[2]) {
    b->done = true;
    uint32_t site = cns_build_site(b);
    if (b->status != CNS_OK) {
        return;
    }
    bool same = edges[0].version == edges[1].version;
    cns_ir_block_id no = same ? detour(b, site, &edges[1]) : edges[1].version->block;
    if (b->status == CNS_OK) {
        b->status =
            cns_ir_end_branch(b->ir, b->block, site, condition, edges[0].version->block, no);
    }
    for (uint32_t e = 0; e < 2 && b->status == CNS_OK; e++) {
        b->status = cns_ir_set_arguments(b->ir, b->block, e, b->edges[e],
                                         e == 1 && same ? 0 : edges[e].count);
    }
}

void cns_build_go_on(cns_builder *b, const cns_frame *via) {
    end_with_jump(b, edge_to(b, 0, via->call_pc + 1, via, false));
}

/* ---- instructions ---------------------------------------------------------------------------- */

static void build_load(cns_builder *b, cns_slot *target, const cns_slot *buffer, cns_slot index) {
    if (buffer->kind == CNS_SLOT_BUFFER && cns_build_is_number(&index)) {
        cns_ir_value i = cns_build_is_i64(&index)
                             ? index.value
                             : cns_build_1(b, CNS_IR_F64_TO_INDEX, index.value);
        *target = cns_build_value(b, cns_build_2(b, CNS_IR_LOAD, buffer->value, i));
    }
}

/* Whether `buffer`, from register `holder`, can be indexed with `index`; refuses. `reg` is the
 * index's register where it is no constant. */
static bool check_element(cns_builder *b, uint32_t holder, const cns_slot *buffer,
                          const cns_slot *index, uint32_t reg) {
    if (buffer->kind != CNS_SLOT_BUFFER) {
        bool table = buffer->kind == CNS_SLOT_TABLE;
        cns_build_refuse(b, "%s is %s and cannot be indexed in a kernel; only buffers can%s",
                         cns_build_name(b, holder), cns_build_what(b, buffer),
                         table ? ": make one of it, cns.buffer(\"f64\", table)" : "");
    } else if (!cns_build_is_number(index)) {
        cns_build_refuse(b, "%s is indexed with %s; indices are numbers",
                         cns_build_describe(b, holder), cns_build_describe(b, reg));
    }
    return b->status == CNS_OK;
}

static void build_get(cns_builder *b, uint32_t instruction) {
    uint32_t holder = cns_lua_b(instruction);
    const cns_slot buffer = b->slots[holder];
    cns_slot index = cns_lua_op_of(instruction) == LOP_GETI
                         ? cns_build_value(b, cns_build_i64(b, cns_lua_c(instruction)))
                         : b->slots[cns_lua_c(instruction)];
    check_element(b, holder, &buffer, &index, cns_lua_c(instruction));
    build_load(b, &b->slots[cns_lua_a(instruction)], &buffer, index);
}

static void build_set(cns_builder *b, uint32_t instruction) {
    uint32_t holder = cns_lua_a(instruction);
    const cns_slot buffer = b->slots[holder];
    cns_slot index = cns_lua_op_of(instruction) == LOP_SETI
                         ? cns_build_value(b, cns_build_i64(b, cns_lua_b(instruction)))
                         : b->slots[cns_lua_b(instruction)];
    cns_slot value = cns_lua_k(instruction) ? cns_build_constant(b, cns_lua_c(instruction))
                                            : b->slots[cns_lua_c(instruction)];
    if (!check_element(b, holder, &buffer, &index, cns_lua_b(instruction))) {
        return;
    }
    if (!cns_build_is_number(&value)) {
        cns_build_refuse(b, "%s is stored into %s, which holds numbers%s",
                         cns_lua_k(instruction) ? cns_build_what(b, &value)
                                                : cns_build_describe(b, cns_lua_c(instruction)),
                         cns_build_describe(b, holder), cns_build_as_number(&value));
    } else {
        cns_ir_value i = cns_build_is_i64(&index)
                             ? index.value
                             : cns_build_1(b, CNS_IR_F64_TO_INDEX, index.value);
        (void)cns_build_3(b, CNS_IR_STORE, buffer.value, i, value.value);
    }
}

static void build_get_field(cns_builder *b, uint32_t instruction, const cns_slot *holder) {
    const cns_constant *key = &b->frame->proto->constants[cns_lua_c(instruction)];
    if (holder->kind == CNS_SLOT_TABLE) {
        b->slots[cns_lua_a(instruction)] = cns_build_field(b, holder->id, key->string);
    } else {
        const char *name = cns_lua_op_of(instruction) == LOP_GETTABUP
                               ? cns_build_upvalue_name(b, cns_lua_b(instruction))
                               : cns_build_name(b, cns_lua_b(instruction));
        cns_build_refuse(b, "%s is %s and has no field '%s'%s", name, cns_build_what(b, holder),
                         key->string,
                         holder->kind == CNS_SLOT_NIL
                             ? ""
                             : " in a kernel; take what you need from it before, into a local");
    }
}

/* Assignments to what is outside, and methods: by name. */
static bool refuse_named(cns_builder *b, uint32_t i) {
    const cns_proto *proto = b->frame->proto;
    switch (cns_lua_op_of(i)) {
    case LOP_SETUPVAL:
        cns_build_refuse(b, "%s is assigned; return the value instead",
                         cns_build_upvalue_name(b, cns_lua_b(i)));
        return true;
    case LOP_SETTABUP:
        cns_build_refuse(b, "%s is assigned; return the value instead", cns_build_field_name(b, i));
        return true;
    case LOP_SETFIELD:
        cns_build_refuse(b, "field '%s' of %s is assigned; return the value instead",
                         proto->constants[cns_lua_b(i)].string, cns_build_name(b, cns_lua_a(i)));
        return true;
    case LOP_SELF: {
        const cns_slot *holder = &b->slots[cns_lua_b(i)];
        const cns_constant *key = cns_lua_k(i) ? &proto->constants[cns_lua_c(i)] : NULL;
        const char *method = key && key->kind == CNS_CONSTANT_STRING ? key->string : "?";
        cns_build_refuse(b,
                         "method '%s' of %s is called; kernels can only call Lua functions and "
                         "math.*: call it outside%s",
                         method, cns_build_describe(b, cns_lua_b(i)),
                         holder->kind == CNS_SLOT_BUFFER ? ", or write the loop" : "");
        return true;
    }
    default:
        return false;
    }
}

static void refuse_instruction(cns_builder *b, uint32_t instruction) {
    static const struct {
        uint8_t op;
        const char *text;
    } reasons[] = {
        {LOP_NEWTABLE, "a table is made; kernels have none: pass a cns.buffer to write into"},
        {LOP_SETLIST, "a table is filled; kernels have none"},
        {LOP_CLOSURE, "a function is made; define it outside the kernel, where it can be inlined"},
        {LOP_CONCAT, "strings are joined; kernels have no strings"},
        {LOP_VARARG, "'...' is used; name the parameters"},
        {LOP_VARARGPREP, "the function takes '...'; name the parameters"},
        {LOP_TBC, "a variable is to be closed; kernels have nothing to close"},
    };
    if (refuse_named(b, instruction)) {
        return;
    }
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].op == cns_lua_op_of(instruction)) {
            cns_build_refuse(b, "%s", reasons[i].text);
            return;
        }
    }
    cns_build_refuse(b, "the instruction '%s' is not for kernels",
                     cns_lua_op_name(cns_lua_op_of(instruction)));
}

/* Instructions that only move things; false for others. */
static bool build_move(cns_builder *b, uint32_t i) {
    cns_slot *target = &b->slots[cns_lua_a(i)];
    switch (cns_lua_op_of(i)) {
    case LOP_MOVE:
        *target = b->slots[cns_lua_b(i)];
        return true;
    case LOP_LOADI:
        *target = cns_build_value(b, cns_build_i64(b, cns_lua_sbx(i)));
        return true;
    case LOP_LOADF:
        *target = cns_build_value(b, cns_build_f64(b, cns_lua_sbx(i)));
        return true;
    case LOP_LOADK:
        *target = cns_build_constant(b, cns_lua_bx(i));
        return true;
    case LOP_LOADKX:
        *target = cns_build_constant(b, cns_lua_ax(b->frame->proto->code[b->pc + 1]));
        return true;
    case LOP_LOADTRUE:
        *target = cns_build_bool(b, true);
        return true;
    case LOP_LOADFALSE:
    case LOP_LFALSESKIP:
        *target = cns_build_bool(b, false);
        return true;
    case LOP_LOADNIL:
        for (uint32_t r = cns_lua_a(i); r <= cns_lua_a(i) + cns_lua_b(i); r++) {
            b->slots[r] = cns_build_nil();
        }
        return true;
    case LOP_GETUPVAL:
        *target = cns_build_upvalue(b, cns_lua_b(i));
        return true;
    case LOP_CLOSE: /* nothing was captured: a function made inside is refused */
        return true;
    default:
        return false;
    }
}

static void build_other(cns_builder *b, uint32_t i) {
    switch (cns_lua_op_of(i)) {
    case LOP_GETTABUP: {
        cns_slot holder = cns_build_upvalue(b, cns_lua_b(i));
        build_get_field(b, i, &holder);
        return;
    }
    case LOP_GETFIELD: {
        cns_slot holder = b->slots[cns_lua_b(i)];
        build_get_field(b, i, &holder);
        return;
    }
    case LOP_GETTABLE:
    case LOP_GETI:
        build_get(b, i);
        return;
    case LOP_SETTABLE:
    case LOP_SETI:
        build_set(b, i);
        return;
    case LOP_UNM:
    case LOP_BNOT:
    case LOP_NOT:
    case LOP_LEN:
        cns_build_unary(b, i);
        return;
    default:
        refuse_instruction(b, i);
    }
}

/* Instructions that end their block or may do so; false for others. */
static bool build_control(cns_builder *b, uint32_t i) {
    uint32_t a = cns_lua_a(i);
    switch (cns_lua_op_of(i)) {
    case LOP_JMP:
        cns_build_jump(b, b->pc + 1 + (uint32_t)cns_lua_sj(i));
        return true;
    case LOP_FORPREP:
        cns_build_for_prepare(b, i);
        return true;
    case LOP_FORLOOP:
        cns_build_for_loop(b, i);
        return true;
    case LOP_TFORPREP:
        cns_build_prange_prepare(b, i);
        return true;
    case LOP_TFORLOOP:
        cns_build_prange_loop(b, i);
        return true;
    case LOP_CALL:
    case LOP_TAILCALL:
        cns_build_call(b, i);
        return true;
    case LOP_RETURN:
        cns_build_return(b, a, cns_lua_b(i) ? cns_lua_b(i) - 1 : b->top - a);
        return true;
    case LOP_RETURN0:
        cns_build_return(b, a, 0);
        return true;
    case LOP_RETURN1:
        cns_build_return(b, a, 1);
        return true;
    default:
        return false;
    }
}

/* One instruction; leaves b->pc at the next one unless the block is done. */
static void build_instruction(cns_builder *b) {
    uint32_t i = b->frame->proto->code[b->pc];
    cns_lua_op op = cns_lua_op_of(i);
    if (op >= LOP_ADDI && op <= LOP_SHR) {
        cns_build_arithmetic(b, i);
        b->pc += 2; /* over the metamethod call */
    } else if (op >= LOP_EQ && op <= LOP_TESTSET) {
        cns_build_test(b, i);
    } else if (build_move(b, i)) {
        b->pc += op == LOP_LOADKX || op == LOP_LFALSESKIP ? 2 : 1;
    } else if (op == LOP_TFORCALL && b->slots[cns_lua_a(i)].kind == CNS_SLOT_PRANGE) {
        b->pc++; /* TFORLOOP does it all */
    } else if (!build_control(b, i)) {
        build_other(b, i);
        b->pc++;
    }
}

/* ---- the walk -------------------------------------------------------------------------------- */

static void enter_version(cns_builder *b, const cns_version *version) {
    b->frame = version->frame;
    b->pc = version->pc;
    b->top = version->top;
    b->block = version->block;
    b->done = false;
    b->fresh = version->shared && !version->via;
    uint32_t registers = version->frame->proto->registers;
    memcpy(b->slots, version->slots, registers * sizeof *b->slots);
    for (uint32_t r = 0; r < registers; r++) {
        if (b->slots[r].kind == CNS_SLOT_ALIAS) {
            b->slots[r] = version->slots[b->slots[r].id];
            b->slots[r].kind = CNS_SLOT_VALUE;
        }
    }
}

/* The end of a prange loop that one stretch alone leads to becomes part of it, for each of its
 * versions: else a trip made before the loop and the loop would share their end, and the loop
 * begin there, with its test. (TFORPREP's own way there is not one of prange.) */
static bool ends_stretch(const cns_builder *b) {
    const cns_flow *flow = b->frame->flow;
    const uint32_t *code = b->frame->proto->code;
    if (cns_lua_op_of(code[b->pc]) != LOP_TFORCALL ||
        b->slots[cns_lua_a(code[b->pc])].kind != CNS_SLOT_PRANGE) {
        return true;
    }
    uint32_t here = flow->block_of[b->pc], ways = 0;
    for (uint32_t f = 0; f < flow->block_count; f++) {
        const cns_flow_block *block = &flow->blocks[f];
        bool leads = block->successors[0] == here || block->successors[1] == here;
        ways += leads && cns_lua_op_of(code[block->end - 1]) != LOP_TFORPREP;
    }
    return ways != 1;
}

static void build_stretch(cns_builder *b) {
    while (!b->done && b->status == CNS_OK) {
        if (b->ir->instruction_count > INSTRUCTION_LIMIT) {
            const cns_frame *kernel = b->frame;
            while (kernel->caller) {
                kernel = kernel->caller;
            }
            b->status =
                cns_fail(b->context, CNS_E_LIMIT,
                         "%s:%u: the kernel gets too large (over %d operations): inline "
                         "less, or use fewer types",
                         kernel->proto->source, kernel->proto->line_defined, INSTRUCTION_LIMIT);
            return;
        }
        if (!b->fresh && is_leader(b->frame, b->pc) && ends_stretch(b)) {
            cns_build_jump(b, b->pc);
            return;
        }
        b->fresh = false;
        build_instruction(b);
    }
}

static void add_arguments(cns_builder *b) {
    const cns_build *build = b->build;
    const cns_proto *proto = b->frame->proto;
    for (uint32_t i = 0; i < proto->parameters && b->status == CNS_OK; i++) {
        if (i >= build->argument_count) {
            b->slots[i] = cns_build_nil();
            continue;
        }
        uint8_t type = (uint8_t)build->types[i];
        const char *name = cns_proto_local(proto, i, 0);
        cns_ir_value value = CNS_IR_NONE;
        b->status = cns_ir_add_argument(b->ir, type, name ? name : "?", &value);
        if (b->status == CNS_OK) {
            b->slots[i] = type == CNS_VM_NIL ? cns_build_nil() : cns_build_value(b, value);
        }
    }
}

static void build_all(cns_builder *b) {
    cns_frame *frame = cns_build_alloc(b, sizeof *frame);
    if (!frame) {
        return;
    }
    *frame = (cns_frame){.function = b->build->function,
                         .proto = b->build->function->proto,
                         .import = CNS_IR_NONE,
                         .inlined_at = CNS_IR_NONE};
    b->frame = frame;
    frame->flow = cns_build_flow(b, frame->proto);
    if (b->status != CNS_OK) {
        return;
    }
    add_arguments(b);
    b->fresh = true;
    build_stretch(b);
    while (b->status == CNS_OK && b->first) {
        cns_version *version = b->first;
        b->first = version->later;
        b->last = b->first ? b->last : NULL;
        enter_version(b, version);
        build_stretch(b);
    }
}

static void hand_over_hidden(cns_builder *b) {
    uint32_t *hidden = NULL;
    if (b->status == CNS_OK && b->hidden_count > 0) {
        hidden = cns_ir_alloc(b->ir, b->hidden_count * sizeof *hidden);
        if (!hidden) {
            b->status = cns_context_memory_status(b->context, b->hidden_count * sizeof *hidden);
        } else {
            memcpy(hidden, b->hidden, b->hidden_count * sizeof *hidden);
        }
    }
    b->build->hidden = hidden;
    b->build->hidden_count = b->hidden_count;
}

static void make_name(const cns_build *build, char *out, size_t capacity) {
    const cns_proto *proto = build->function->proto;
    snprintf(out, capacity, "%s:%u", proto->source, (unsigned)proto->line_defined);
}

cns_status cns_build_function(cns_context *context, cns_build *build, cns_ir_function **out) {
    char made[128];
    make_name(build, made, sizeof made);
    cns_builder *b = cns_context_calloc(context, sizeof *b);
    if (!b) {
        return cns_context_memory_status(context, sizeof *b);
    }
    b->context = context;
    b->build = build;
    b->site = CNS_IR_NONE;
    b->status = cns_arena_create(context, NULL, &b->arena);
    if (b->status == CNS_OK) {
        b->status = cns_ir_create(context, build->name ? build->name : made, &b->ir);
    }
    if (b->status == CNS_OK) {
        build_all(b);
        hand_over_hidden(b);
    }
    if (b->status == CNS_OK) {
        b->status = cns_ir_compact(b->ir);
    }
    cns_status status = b->status;
    for (cns_known_flow *known = b->flows; known; known = known->next) {
        cns_flow_deinit(&known->flow);
    }
    if (status == CNS_OK) {
        *out = b->ir;
    } else {
        cns_ir_destroy(b->ir);
    }
    cns_arena_destroy(b->arena);
    cns_context_free(context, b, sizeof *b, CNS_ALIGN_DEFAULT);
    return status;
}
