/* SPDX-License-Identifier: MIT
 *
 * build_name.c - what a register is to the author of a kernel, for messages.
 *
 * Locals have names. Of anything else the instruction that filled the register tells where it came
 * from, as long as no jump lies between: Lua's ldebug.c looks for its names the same way.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vm/builder.h"

enum { TEXT = 200, QUOTED = 24, FOLLOWED = 8 };

const char *cns_build_text(cns_builder *b, const char *format, ...) {
    char *text = cns_build_alloc(b, TEXT);
    if (!text) {
        return "?";
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, TEXT, format, arguments);
    va_end(arguments);
    return text;
}

/* ---- where a value came from ------------------------------------------------------------------
 */

/* Field A of these is an operand, or nothing; of all others it is written. */
static bool writes(uint32_t i, uint32_t reg) {
    uint32_t a = cns_lua_a(i);
    switch (cns_lua_op_of(i)) {
    case LOP_SETUPVAL:
    case LOP_SETTABUP:
    case LOP_SETTABLE:
    case LOP_SETI:
    case LOP_SETFIELD:
    case LOP_SETLIST:
    case LOP_MMBIN:
    case LOP_MMBINI:
    case LOP_MMBINK:
    case LOP_CLOSE:
    case LOP_TBC:
    case LOP_EXTRAARG:
        return false;
    case LOP_LOADNIL:
        return reg >= a && reg <= a + cns_lua_b(i);
    case LOP_SELF:
        return reg == a || reg == a + 1;
    case LOP_CALL:
    case LOP_VARARG:
        return reg >= a;
    default:
        return reg == a;
    }
}

/* The last instruction before `pc` in its block that writes `reg`; CNS_FLOW_NONE: none does. */
static uint32_t find_setter(const cns_frame *frame, uint32_t pc, uint32_t reg) {
    uint32_t begin = frame->flow->blocks[frame->flow->block_of[pc]].begin;
    while (pc-- > begin) {
        if (writes(frame->proto->code[pc], reg)) {
            return pc;
        }
    }
    return CNS_FLOW_NONE;
}

static const char *quote(cns_builder *b, const cns_constant *constant) {
    if (constant->kind != CNS_CONSTANT_STRING) {
        return "a constant";
    }
    for (uint32_t i = 0; i < constant->length; i++) {
        if (i >= QUOTED || !isprint((unsigned char)constant->string[i])) {
            return "a text";
        }
    }
    return cns_build_text(b, "\"%s\"", constant->string);
}

const char *cns_build_constant_name(cns_builder *b, uint32_t index) {
    return quote(b, &b->frame->proto->constants[index]);
}

const char *cns_build_upvalue_name(cns_builder *b, uint32_t index) {
    return cns_build_text(b, "upvalue '%s'", b->frame->proto->upvalues[index].name);
}

const char *cns_build_field_name(cns_builder *b, uint32_t instruction) {
    const cns_proto *proto = b->frame->proto;
    bool set = cns_lua_op_of(instruction) == LOP_SETTABUP;
    const char *holder =
        proto->upvalues[set ? cns_lua_a(instruction) : cns_lua_b(instruction)].name;
    const char *key =
        proto->constants[set ? cns_lua_b(instruction) : cns_lua_c(instruction)].string;
    return strcmp(holder, "_ENV") == 0 ? cns_build_text(b, "global '%s'", key)
                                       : cns_build_text(b, "field '%s' of '%s'", key, holder);
}

static const char *name_at(cns_builder *b, uint32_t reg, uint32_t pc) {
    const cns_proto *proto = b->frame->proto;
    for (int step = 0; step < FOLLOWED; step++) {
        const char *local = cns_proto_local(proto, reg, pc);
        if (local) {
            return local[0] == '(' ? NULL : cns_build_text(b, "'%s'", local);
        }
        pc = find_setter(b->frame, pc, reg);
        if (pc == CNS_FLOW_NONE) {
            return NULL;
        }
        uint32_t i = proto->code[pc];
        switch (cns_lua_op_of(i)) {
        case LOP_MOVE:
            reg = cns_lua_b(i);
            continue;
        case LOP_GETUPVAL:
            return cns_build_upvalue_name(b, cns_lua_b(i));
        case LOP_GETTABUP:
            return cns_build_field_name(b, i);
        case LOP_GETFIELD:
            return cns_build_text(b, "field '%s'", proto->constants[cns_lua_c(i)].string);
        case LOP_LOADK:
            return cns_build_constant_name(b, cns_lua_bx(i));
        default:
            return NULL;
        }
    }
    return NULL;
}

const char *cns_build_name(cns_builder *b, uint32_t reg) {
    const char *name = name_at(b, reg, b->pc);
    return name ? name : "a value";
}

/* ---- what it is, and what to do about it ------------------------------------------------------
 */

const char *cns_build_what(cns_builder *b, const cns_slot *slot) {
    switch (slot->kind) {
    case CNS_SLOT_VALUE:
        return slot->type == CNS_VM_BOOL  ? "a bool"
               : slot->type == CNS_VM_I64 ? "an i64"
                                          : "an f64";
    case CNS_SLOT_NIL:
        return "nil";
    case CNS_SLOT_BUFFER:
        return cns_build_text(b, "a %s", cns_ir_type_name(slot->type));
    case CNS_SLOT_TABLE:
        return "a table";
    case CNS_SLOT_INTRINSIC:
        return cns_build_text(b, "the function %s", cns_intrinsic_name((cns_intrinsic)slot->id));
    case CNS_SLOT_FUNCTION:
        return "a Lua function";
    case CNS_SLOT_PRANGE:
        return "what cns.prange gives";
    case CNS_SLOT_OTHER:
        return slot->thing;
    default:
        return "nothing yet";
    }
}

const char *cns_build_describe(cns_builder *b, uint32_t reg) {
    const char *name = name_at(b, reg, b->pc), *what = cns_build_what(b, &b->slots[reg]);
    return name ? cns_build_text(b, "%s (%s)", name, what) : what;
}

const char *cns_build_as_number(const cns_slot *slot) {
    switch (slot->kind) {
    case CNS_SLOT_VALUE:
        return slot->type == CNS_VM_BOOL ? ": (x and 1 or 0) makes one of it" : "";
    case CNS_SLOT_NIL:
        return ": pass one, or test for nil before";
    case CNS_SLOT_BUFFER:
        return ": take its elements, x[i]";
    case CNS_SLOT_FUNCTION:
    case CNS_SLOT_INTRINSIC:
        return ": call it";
    case CNS_SLOT_TABLE:
        return ": take a field by its name, or make a cns.buffer of it";
    case CNS_SLOT_OTHER:
        return strstr(slot->thing, "behind a metatable") ? ": read it outside, into a local" : "";
    default:
        return "";
    }
}
