/* SPDX-License-Identifier: MIT
 *
 * chunk_print.c - a listing of a Lua function, in the manner of luac -l.
 */
#include "base/text.h"
#include "vm/chunk_check.h"

#include <inttypes.h>

static void print_constant(const cns_constant *constant, cns_text *text) {
    switch (constant->kind) {
    case CNS_CONSTANT_NIL:
        cns_text_printf(text, "nil");
        break;
    case CNS_CONSTANT_FALSE:
        cns_text_printf(text, "false");
        break;
    case CNS_CONSTANT_TRUE:
        cns_text_printf(text, "true");
        break;
    case CNS_CONSTANT_INTEGER:
        cns_text_printf(text, "%" PRId64, constant->integer);
        break;
    case CNS_CONSTANT_FLOAT:
        cns_text_printf(text, "%.17g", constant->real);
        break;
    case CNS_CONSTANT_STRING:
        cns_text_printf(text, "\"%.40s\"", constant->string);
        break;
    }
}

static void print_field(const cns_proto *proto, uint8_t field, uint32_t value, bool constant,
                        cns_text *text) {
    switch ((cns_lua_field)field) {
    case CNS_FIELD_NONE:
        return;
    case CNS_FIELD_READ:
    case CNS_FIELD_WRITE:
        cns_text_printf(text, " r%u", value);
        return;
    case CNS_FIELD_UPVALUE:
        cns_text_printf(text, " ^%s", proto->upvalues[value].name);
        return;
    case CNS_FIELD_EITHER:
        if (!constant) {
            cns_text_printf(text, " r%u", value);
            return;
        }
        break;
    case CNS_FIELD_CONSTANT:
    case CNS_FIELD_NUMBER:
    case CNS_FIELD_STRING:
        break;
    }
    cns_text_append(text, " ", 1);
    print_constant(&proto->constants[value], text);
}

/* Fields that are plain numbers, and where jumps go. */
static void print_rest(const cns_proto *proto, uint32_t pc, cns_text *text) {
    uint32_t i = proto->code[pc];
    switch (cns_lua_op_of(i)) {
    case LOP_LOADI:
    case LOP_LOADF:
        cns_text_printf(text, " %d", cns_lua_sbx(i));
        break;
    case LOP_LOADK:
        cns_text_append(text, " ", 1);
        print_constant(&proto->constants[cns_lua_bx(i)], text);
        break;
    case LOP_ADDI:
    case LOP_SHRI:
    case LOP_SHLI:
        cns_text_printf(text, " %d", cns_lua_sc(i));
        break;
    case LOP_EQI:
    case LOP_LTI:
    case LOP_LEI:
    case LOP_GTI:
    case LOP_GEI:
        cns_text_printf(text, " %d", cns_lua_sb(i));
        break;
    case LOP_JMP:
        cns_text_printf(text, " to %d", (int)pc + 2 + cns_lua_sj(i));
        break;
    case LOP_FORLOOP:
    case LOP_TFORLOOP:
        cns_text_printf(text, " to %u", pc + 2 - cns_lua_bx(i));
        break;
    case LOP_FORPREP:
    case LOP_TFORPREP:
        cns_text_printf(text, " to %u", pc + 2 + cns_lua_bx(i));
        break;
    case LOP_CALL:
    case LOP_TAILCALL:
    case LOP_RETURN:
        cns_text_printf(text, " %u %u", cns_lua_b(i), cns_lua_c(i));
        break;
    default:
        break;
    }
    if (cns_lua_op_of(i) >= LOP_EQ && cns_lua_op_of(i) <= LOP_TESTSET) {
        cns_text_printf(text, cns_lua_k(i) ? " jumps if true" : " jumps if false");
    }
}

cns_status cns_proto_print(const cns_proto *proto, cns_text *text) {
    cns_text_printf(text, "function at %s:%u: %u parameters, %u registers, %u upvalues\n",
                    proto->source, proto->line_defined, proto->parameters, proto->registers,
                    proto->upvalue_count);
    for (uint32_t pc = 0; pc < proto->code_count; pc++) {
        uint32_t i = proto->code[pc];
        const cns_lua_op_info *info = cns_lua_op_info_of(cns_lua_op_of(i));
        cns_text_printf(text, "%5u %5u  %-10s", pc + 1, proto->lines[pc], info->name);
        print_field(proto, info->a, cns_lua_a(i), false, text);
        print_field(proto, info->b, cns_lua_b(i), false, text);
        print_field(proto, info->c, cns_lua_c(i), cns_lua_k(i), text);
        print_rest(proto, pc, text);
        cns_text_append(text, "\n", 1);
    }
    for (uint32_t p = 0; p < proto->proto_count; p++) {
        cns_proto_print(proto->protos[p], text);
    }
    return cns_text_status(text);
}
