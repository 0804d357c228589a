/* SPDX-License-Identifier: MIT
 *
 * chunk_check.c - the operations of Lua 5.4 as a table, and the check of a function against it.
 *
 * Source: the comments of lopcodes.h.
 */
#include "vm/chunk_check.h"

#include <stdarg.h>
#include <stdio.h>

/* Short names for the table only. */
enum {
    o = CNS_FIELD_NONE,
    r = CNS_FIELD_READ,
    w = CNS_FIELD_WRITE,
    k = CNS_FIELD_CONSTANT,
    n = CNS_FIELD_NUMBER,
    s = CNS_FIELD_STRING,
    u = CNS_FIELD_UPVALUE,
    e = CNS_FIELD_EITHER
};

static const cns_lua_op_info table[LOP_COUNT] = {
    [LOP_MOVE] = {"move", w, r, o},
    [LOP_LOADI] = {"loadi", w, o, o},
    [LOP_LOADF] = {"loadf", w, o, o},
    [LOP_LOADK] = {"loadk", w, o, o},
    [LOP_LOADKX] = {"loadkx", w, o, o},
    [LOP_LOADFALSE] = {"loadfalse", w, o, o},
    [LOP_LFALSESKIP] = {"lfalseskip", w, o, o},
    [LOP_LOADTRUE] = {"loadtrue", w, o, o},
    [LOP_LOADNIL] = {"loadnil", w, o, o},
    [LOP_GETUPVAL] = {"getupval", w, u, o},
    [LOP_SETUPVAL] = {"setupval", r, u, o},
    [LOP_GETTABUP] = {"gettabup", w, u, s},
    [LOP_GETTABLE] = {"gettable", w, r, r},
    [LOP_GETI] = {"geti", w, r, o},
    [LOP_GETFIELD] = {"getfield", w, r, s},
    [LOP_SETTABUP] = {"settabup", u, s, e},
    [LOP_SETTABLE] = {"settable", r, r, e},
    [LOP_SETI] = {"seti", r, o, e},
    [LOP_SETFIELD] = {"setfield", r, s, e},
    [LOP_NEWTABLE] = {"newtable", w, o, o},
    [LOP_SELF] = {"self", w, r, e},
    [LOP_ADDI] = {"addi", w, r, o},
    [LOP_ADDK] = {"addk", w, r, n},
    [LOP_SUBK] = {"subk", w, r, n},
    [LOP_MULK] = {"mulk", w, r, n},
    [LOP_MODK] = {"modk", w, r, n},
    [LOP_POWK] = {"powk", w, r, n},
    [LOP_DIVK] = {"divk", w, r, n},
    [LOP_IDIVK] = {"idivk", w, r, n},
    [LOP_BANDK] = {"bandk", w, r, n},
    [LOP_BORK] = {"bork", w, r, n},
    [LOP_BXORK] = {"bxork", w, r, n},
    [LOP_SHRI] = {"shri", w, r, o},
    [LOP_SHLI] = {"shli", w, r, o},
    [LOP_ADD] = {"add", w, r, r},
    [LOP_SUB] = {"sub", w, r, r},
    [LOP_MUL] = {"mul", w, r, r},
    [LOP_MOD] = {"mod", w, r, r},
    [LOP_POW] = {"pow", w, r, r},
    [LOP_DIV] = {"div", w, r, r},
    [LOP_IDIV] = {"idiv", w, r, r},
    [LOP_BAND] = {"band", w, r, r},
    [LOP_BOR] = {"bor", w, r, r},
    [LOP_BXOR] = {"bxor", w, r, r},
    [LOP_SHL] = {"shl", w, r, r},
    [LOP_SHR] = {"shr", w, r, r},
    [LOP_MMBIN] = {"mmbin", r, r, o},
    [LOP_MMBINI] = {"mmbini", r, o, o},
    [LOP_MMBINK] = {"mmbink", r, n, o},
    [LOP_UNM] = {"unm", w, r, o},
    [LOP_BNOT] = {"bnot", w, r, o},
    [LOP_NOT] = {"not", w, r, o},
    [LOP_LEN] = {"len", w, r, o},
    [LOP_CONCAT] = {"concat", w, o, o},
    [LOP_CLOSE] = {"close", o, o, o},
    [LOP_TBC] = {"tbc", r, o, o},
    [LOP_JMP] = {"jmp", o, o, o},
    [LOP_EQ] = {"eq", r, r, o},
    [LOP_LT] = {"lt", r, r, o},
    [LOP_LE] = {"le", r, r, o},
    [LOP_EQK] = {"eqk", r, k, o},
    [LOP_EQI] = {"eqi", r, o, o},
    [LOP_LTI] = {"lti", r, o, o},
    [LOP_LEI] = {"lei", r, o, o},
    [LOP_GTI] = {"gti", r, o, o},
    [LOP_GEI] = {"gei", r, o, o},
    [LOP_TEST] = {"test", r, o, o},
    [LOP_TESTSET] = {"testset", w, r, o},
    [LOP_CALL] = {"call", r, o, o},
    [LOP_TAILCALL] = {"tailcall", r, o, o},
    [LOP_RETURN] = {"return", o, o, o},
    [LOP_RETURN0] = {"return0", o, o, o},
    [LOP_RETURN1] = {"return1", r, o, o},
    [LOP_FORLOOP] = {"forloop", r, o, o},
    [LOP_FORPREP] = {"forprep", r, o, o},
    [LOP_TFORPREP] = {"tforprep", r, o, o},
    [LOP_TFORCALL] = {"tforcall", r, o, o},
    [LOP_TFORLOOP] = {"tforloop", r, o, o},
    [LOP_SETLIST] = {"setlist", r, o, o},
    [LOP_CLOSURE] = {"closure", w, o, o},
    [LOP_VARARG] = {"vararg", o, o, o},
    [LOP_VARARGPREP] = {"varargprep", o, o, o},
    [LOP_EXTRAARG] = {"extraarg", o, o, o},
};

const cns_lua_op_info *cns_lua_op_info_of(uint32_t op) {
    return op < LOP_COUNT ? &table[op] : NULL;
}

const char *cns_lua_op_name(uint32_t op) {
    return op < LOP_COUNT ? table[op].name : "?";
}

/* ---- the check ------------------------------------------------------------------------------- */

typedef struct checker {
    cns_context *context;
    const cns_proto *proto;
    uint32_t pc;
    cns_status status;
} checker;

static void require(checker *self, bool holds, const char *what) {
    if (!holds && self->status == CNS_OK) {
        uint32_t op = cns_lua_op_of(self->proto->code[self->pc]);
        self->status =
            cns_fail(self->context, CNS_E_CORRUPT, "damaged Lua function: instruction %u (%s): %s",
                     self->pc + 1, cns_lua_op_name(op), what);
    }
}

static void check_constant(checker *self, uint32_t index, cns_lua_field field) {
    const cns_proto *proto = self->proto;
    require(self, index < proto->constant_count, "no such constant");
    if (index < proto->constant_count) {
        cns_constant_kind kind = proto->constants[index].kind;
        require(self, field != CNS_FIELD_STRING || kind == CNS_CONSTANT_STRING,
                "the constant is no string");
        require(self,
                field != CNS_FIELD_NUMBER || kind == CNS_CONSTANT_INTEGER ||
                    kind == CNS_CONSTANT_FLOAT,
                "the constant is no number");
    }
}

static void check_field(checker *self, uint8_t field, uint32_t value, bool constant) {
    switch ((cns_lua_field)field) {
    case CNS_FIELD_NONE:
        break;
    case CNS_FIELD_READ:
    case CNS_FIELD_WRITE:
        require(self, value < self->proto->registers, "no such register");
        break;
    case CNS_FIELD_EITHER:
        if (!constant) {
            require(self, value < self->proto->registers, "no such register");
            break;
        }
        check_constant(self, value, CNS_FIELD_CONSTANT);
        break;
    case CNS_FIELD_CONSTANT:
    case CNS_FIELD_NUMBER:
    case CNS_FIELD_STRING:
        check_constant(self, value, (cns_lua_field)field);
        break;
    case CNS_FIELD_UPVALUE:
        require(self, value < self->proto->upvalue_count, "no such upvalue");
        break;
    }
}

/* Registers [first, first + count) exist. */
static void check_registers(checker *self, uint32_t first, uint32_t count) {
    require(self, first + count <= self->proto->registers, "registers beyond the frame");
}

static void check_target(checker *self, int64_t target) {
    require(self, target >= 0 && target < (int64_t)self->proto->code_count,
            "a jump out of the function");
}

static bool next_is(const checker *self, cns_lua_op op) {
    return self->pc + 1 < self->proto->code_count &&
           cns_lua_op_of(self->proto->code[self->pc + 1]) == op;
}

/* The two ends of a for loop name each other. */
static void check_loop(checker *self, uint32_t i, cns_lua_op other, uint32_t registers) {
    const cns_proto *proto = self->proto;
    uint64_t end = (uint64_t)self->pc + 1 + cns_lua_bx(i);
    check_registers(self, cns_lua_a(i), registers);
    require(self, end + 1 < proto->code_count, "a loop without an end");
    if (self->status == CNS_OK) {
        uint32_t last = proto->code[end];
        require(self, cns_lua_op_of(last) == other && cns_lua_a(last) == cns_lua_a(i),
                "its loop's end is another's");
    }
}

static void check_back(checker *self, uint32_t i, uint32_t registers) {
    check_registers(self, cns_lua_a(i), registers);
    check_target(self, (int64_t)self->pc + 1 - cns_lua_bx(i));
    check_target(self, (int64_t)self->pc + 1);
}

/* What the fields alone do not tell. */
static void check_shape(checker *self, uint32_t i) {
    uint32_t a = cns_lua_a(i), b = cns_lua_b(i), c = cns_lua_c(i);
    switch (cns_lua_op_of(i)) {
    case LOP_LOADK:
    case LOP_CLOSURE:
        if (cns_lua_op_of(i) == LOP_LOADK) {
            check_constant(self, cns_lua_bx(i), CNS_FIELD_CONSTANT);
        } else {
            require(self, cns_lua_bx(i) < self->proto->proto_count, "no such function");
        }
        break;
    case LOP_LOADKX:
        require(self, next_is(self, LOP_EXTRAARG), "its operand is missing");
        if (self->status == CNS_OK) {
            check_constant(self, cns_lua_ax(self->proto->code[self->pc + 1]), CNS_FIELD_CONSTANT);
        }
        break;
    case LOP_NEWTABLE:
        require(self, next_is(self, LOP_EXTRAARG), "its operand is missing");
        break;
    case LOP_LFALSESKIP:
        check_target(self, (int64_t)self->pc + 2);
        break;
    case LOP_LOADNIL:
        check_registers(self, a, b + 1);
        break;
    case LOP_SELF:
        check_registers(self, a, 2);
        break;
    case LOP_CONCAT:
        check_registers(self, a, b);
        break;
    case LOP_CLOSE:
        check_registers(self, a, 0);
        break;
    case LOP_JMP:
        check_target(self, (int64_t)self->pc + 1 + cns_lua_sj(i));
        break;
    case LOP_CALL:
    case LOP_TAILCALL:
        check_registers(self, a, b);
        check_registers(self, a, c ? c - 1 : 0);
        break;
    case LOP_RETURN:
        check_registers(self, a, b ? b - 1 : 0);
        break;
    case LOP_VARARG:
        check_registers(self, a, c ? c - 1 : 0);
        break;
    case LOP_SETLIST:
        check_registers(self, a, b + 1);
        break;
    case LOP_FORPREP:
        check_loop(self, i, LOP_FORLOOP, 4);
        break;
    case LOP_TFORPREP:
        check_loop(self, i, LOP_TFORCALL, 4);
        break;
    case LOP_TFORCALL:
        require(self, next_is(self, LOP_TFORLOOP), "its loop is missing");
        check_registers(self, a, 4 + c);
        break;
    case LOP_FORLOOP:
        check_back(self, i, 4);
        break;
    case LOP_TFORLOOP:
        check_back(self, i, 5);
        break;
    default:
        break;
    }
}

/* What has to come after: a test's jump, an operation's metamethod call. */
static void check_follower(checker *self, uint32_t i) {
    cns_lua_op op = cns_lua_op_of(i);
    if (op >= LOP_EQ && op <= LOP_TESTSET) {
        require(self, next_is(self, LOP_JMP), "no jump after the test");
        check_target(self, (int64_t)self->pc + 2);
    } else if (op >= LOP_ADDI && op <= LOP_SHR) {
        require(self,
                next_is(self, LOP_MMBIN) || next_is(self, LOP_MMBINI) || next_is(self, LOP_MMBINK),
                "no metamethod call after the operation");
        check_target(self, (int64_t)self->pc + 2);
    }
}

cns_status cns_proto_check(cns_context *context, const cns_proto *proto) {
    checker self = {.context = context, .proto = proto, .status = CNS_OK};
    if (proto->code_count == 0 || proto->registers < 2 || proto->parameters > proto->registers) {
        return cns_fail(context, CNS_E_CORRUPT, "damaged Lua function: no code or no registers");
    }
    for (; self.pc < proto->code_count && self.status == CNS_OK; self.pc++) {
        uint32_t i = proto->code[self.pc];
        const cns_lua_op_info *info = cns_lua_op_info_of(cns_lua_op_of(i));
        require(&self, info != NULL, "unknown operation");
        if (info) {
            check_field(&self, info->a, cns_lua_a(i), false);
            check_field(&self, info->b, cns_lua_b(i), false);
            check_field(&self, info->c, cns_lua_c(i), cns_lua_k(i));
            check_shape(&self, i);
            check_follower(&self, i);
        }
    }
    if (self.status == CNS_OK) {
        self.pc = proto->code_count - 1;
        cns_lua_op last = cns_lua_op_of(proto->code[self.pc]);
        require(&self, last == LOP_RETURN || last == LOP_RETURN0 || last == LOP_RETURN1,
                "the code does not end in a return");
    }
    return self.status;
}
