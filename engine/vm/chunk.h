/* SPDX-License-Identifier: MIT
 *
 * vm/chunk.h - a Lua 5.4 function as lua_dump writes it, read and checked.
 *
 * Lua itself trusts its dumps; here nothing is believed. After cns_chunk_read every index in the
 * code (registers, constants, upvalues, nested functions, jump targets) lies inside its table,
 * every path ends in a return, and the shapes that the compiler of Lua emits (a test is followed
 * by a jump, FORPREP and FORLOOP meet) hold, so that later stages need not ask again.
 * Source: Lua 5.4's lopcodes.h and ldump.c.
 */
#ifndef CNS_VM_CHUNK_H
#define CNS_VM_CHUNK_H

#include <stdbool.h>
#include <stdio.h>

#include "base/context.h"

/* lopcodes.h, 5.4.0 to 5.4.8, in order. */
typedef enum cns_lua_op {
    LOP_MOVE,
    LOP_LOADI,
    LOP_LOADF,
    LOP_LOADK,
    LOP_LOADKX,
    LOP_LOADFALSE,
    LOP_LFALSESKIP,
    LOP_LOADTRUE,
    LOP_LOADNIL,
    LOP_GETUPVAL,
    LOP_SETUPVAL,
    LOP_GETTABUP,
    LOP_GETTABLE,
    LOP_GETI,
    LOP_GETFIELD,
    LOP_SETTABUP,
    LOP_SETTABLE,
    LOP_SETI,
    LOP_SETFIELD,
    LOP_NEWTABLE,
    LOP_SELF,
    LOP_ADDI,
    LOP_ADDK,
    LOP_SUBK,
    LOP_MULK,
    LOP_MODK,
    LOP_POWK,
    LOP_DIVK,
    LOP_IDIVK,
    LOP_BANDK,
    LOP_BORK,
    LOP_BXORK,
    LOP_SHRI,
    LOP_SHLI,
    LOP_ADD,
    LOP_SUB,
    LOP_MUL,
    LOP_MOD,
    LOP_POW,
    LOP_DIV,
    LOP_IDIV,
    LOP_BAND,
    LOP_BOR,
    LOP_BXOR,
    LOP_SHL,
    LOP_SHR,
    LOP_MMBIN,
    LOP_MMBINI,
    LOP_MMBINK,
    LOP_UNM,
    LOP_BNOT,
    LOP_NOT,
    LOP_LEN,
    LOP_CONCAT,
    LOP_CLOSE,
    LOP_TBC,
    LOP_JMP,
    LOP_EQ,
    LOP_LT,
    LOP_LE,
    LOP_EQK,
    LOP_EQI,
    LOP_LTI,
    LOP_LEI,
    LOP_GTI,
    LOP_GEI,
    LOP_TEST,
    LOP_TESTSET,
    LOP_CALL,
    LOP_TAILCALL,
    LOP_RETURN,
    LOP_RETURN0,
    LOP_RETURN1,
    LOP_FORLOOP,
    LOP_FORPREP,
    LOP_TFORPREP,
    LOP_TFORCALL,
    LOP_TFORLOOP,
    LOP_SETLIST,
    LOP_CLOSURE,
    LOP_VARARG,
    LOP_VARARGPREP,
    LOP_EXTRAARG,
    LOP_COUNT
} cns_lua_op;

typedef enum cns_constant_kind {
    CNS_CONSTANT_NIL,
    CNS_CONSTANT_FALSE,
    CNS_CONSTANT_TRUE,
    CNS_CONSTANT_INTEGER,
    CNS_CONSTANT_FLOAT,
    CNS_CONSTANT_STRING
} cns_constant_kind;

typedef struct cns_constant {
    cns_constant_kind kind;
    uint32_t length; /* of a string, whose terminator is not counted */
    union {
        int64_t integer;
        double real;
        const char *string; /* terminated; may hold zeros */
    };
} cns_constant;

typedef struct cns_upvalue {
    const char *name; /* "?" in a stripped dump */
    bool in_stack;    /* a register of the enclosing function, else one of its upvalues */
    uint8_t index;
} cns_upvalue;

/* A local variable; registers are given out in order of begin, as Lua does. */
typedef struct cns_local {
    const char *name;
    uint32_t begin; /* alive in instructions [begin, end) */
    uint32_t end;
} cns_local;

typedef struct cns_proto {
    const char *source;    /* as the chunk was named, without its '@' or '='; "?" when stripped */
    uint32_t line_defined; /* 0 for a main chunk */
    uint32_t last_line;
    uint8_t parameters;
    bool variadic;
    uint8_t registers; /* 2..255 */
    uint32_t code_count;
    uint32_t constant_count;
    uint32_t upvalue_count;
    uint32_t local_count;
    uint32_t proto_count;
    const uint32_t *code;
    const uint32_t *lines; /* one an instruction; 0 where unknown */
    const cns_constant *constants;
    const cns_upvalue *upvalues;
    const cns_local *locals;
    const struct cns_proto *const *protos;
} cns_proto;

/* A dump, read into memory of its own: the proto lives as long as the chunk. */
typedef struct cns_chunk cns_chunk;

/* CNS_E_CORRUPT with what is wrong and at which byte or instruction; CNS_E_UNSUPPORTED for a dump
 * of another Lua version or of other number sizes; CNS_E_NOMEM, CNS_E_LIMIT. */
cns_status cns_chunk_read(cns_context *context, const void *bytes, size_t size, cns_chunk **out);
void cns_chunk_destroy(cns_chunk *chunk);
const cns_proto *cns_chunk_main(const cns_chunk *chunk);

/* The local variable in `reg` at `pc`, or NULL for a temporary. */
const char *cns_proto_local(const cns_proto *proto, uint32_t reg, uint32_t pc);
/* "add", "forloop", ...; "?" for none. */
const char *cns_lua_op_name(uint32_t op);
/* A listing in the manner of luac -l, into the growing text of the caller. */
struct cns_text;
cns_status cns_proto_print(const cns_proto *proto, struct cns_text *text);

/* ---- instruction fields, by the names of lopcodes.h ------------------------------------------ */

static inline cns_lua_op cns_lua_op_of(uint32_t i) {
    return (cns_lua_op)(i & 0x7f);
}
static inline uint32_t cns_lua_a(uint32_t i) {
    return i >> 7 & 0xff;
}
static inline uint32_t cns_lua_b(uint32_t i) {
    return i >> 16 & 0xff;
}
static inline uint32_t cns_lua_c(uint32_t i) {
    return i >> 24;
}
static inline bool cns_lua_k(uint32_t i) {
    return i >> 15 & 1;
}
static inline int32_t cns_lua_sb(uint32_t i) {
    return (int32_t)cns_lua_b(i) - 127;
}
static inline int32_t cns_lua_sc(uint32_t i) {
    return (int32_t)cns_lua_c(i) - 127;
}
static inline uint32_t cns_lua_bx(uint32_t i) {
    return i >> 15;
}
static inline int32_t cns_lua_sbx(uint32_t i) {
    return (int32_t)(i >> 15) - 65535;
}
static inline uint32_t cns_lua_ax(uint32_t i) {
    return i >> 7;
}
static inline int32_t cns_lua_sj(uint32_t i) {
    return (int32_t)(i >> 7) - 16777215;
}

#endif
