/* SPDX-License-Identifier: MIT
 *
 * vm/code.h - bytecode as it lies in memory.
 *
 * An instruction is 16 bytes: operation, three registers, and an immediate or a target with one
 * register more. Operations below CNS_IR_OP_COUNT are those of the IR, on registers; the others
 * follow here. X(NAME, "text", form); the forms name the fields for the printer and the verifier:
 * d writes register a, a b c e read a register (e: the fourth), x: b is a buffer, y: a is one, i an
 * immediate, w a register in place of a target, t a target, k a number.
 *
 * Registers in order: arguments (a buffer takes two: data, count), constants, one for cycles of
 * moves, the rest.
 */
#ifndef CNS_VM_CODE_H
#define CNS_VM_CODE_H

#include "vm/block.h"
#include "vm/bytecode.h"

/* clang-format off */
#define CNS_CODE_ELEMENTS(X, PREFIX, text, form)                                                   \
    X(PREFIX##_I8,  text ".i8",  form) X(PREFIX##_I16, text ".i16", form)                          \
    X(PREFIX##_I32, text ".i32", form) X(PREFIX##_I64, text ".i64", form)                          \
    X(PREFIX##_U8,  text ".u8",  form) X(PREFIX##_U16, text ".u16", form)                          \
    X(PREFIX##_U32, text ".u32", form) X(PREFIX##_U64, text ".u64", form)                          \
    X(PREFIX##_F32, text ".f32", form) X(PREFIX##_F64, text ".f64", form)

#define CNS_CODE_OPS(X)                                                                            \
    X(MOVE,        "move",          "db")                                                          \
    X(JUMP,        "jump",          "t")                                                           \
    X(JUMP_BACK,   "jump.back",     "t")     /* of a loop: polls */                                \
    X(IF,          "if",            "at")    /* jumps when a is true */                            \
    X(UNLESS,      "unless",        "at")                                                          \
    X(IF_EQ_I64,   "if.eq.i64",     "bct")   X(UNLESS_EQ_I64, "unless.eq.i64", "bct")              \
    X(IF_LT_I64,   "if.lt.i64",     "bct")   X(UNLESS_LT_I64, "unless.lt.i64", "bct")              \
    X(IF_LE_I64,   "if.le.i64",     "bct")   X(UNLESS_LE_I64, "unless.le.i64", "bct")              \
    X(IF_EQ_F64,   "if.eq.f64",     "bct")   X(UNLESS_EQ_F64, "unless.eq.f64", "bct")              \
    X(IF_LT_F64,   "if.lt.f64",     "bct")   X(UNLESS_LT_F64, "unless.lt.f64", "bct")              \
    X(IF_LE_F64,   "if.le.f64",     "bct")   X(UNLESS_LE_F64, "unless.le.f64", "bct")              \
    X(LOOP,        "loop",          "dbct")  /* a != 0: a down by 1, b up by c, jump; polls */     \
    X(LOOP_END,    "loop.end",      "dbct")  /* a == 0: jump; else a down by 1, b up by c */       \
    X(BLOCK,       "block",         "k")     /* what plan k can do of the loop that follows */        \
    X(RETURN,      "return",        "k")     /* results: the list that begins at k */              \
    X(PASS,        "fork.pass",     "bk")    /* argument k of the body of the next fork */         \
    X(PASS_BUFFER, "fork.pass",     "xk")                                                          \
    X(FORK,        "fork",          "abck")  /* body k: first, remaining, step */                  \
    X(GET,         "fork.get",      "dk")    /* accumulator k of the last fork */                  \
    X(SELECT_EQ_I64, "select.eq.i64", "dbcew") /* b == c ? e : w */                                \
    X(SELECT_LT_I64, "select.lt.i64", "dbcew") X(SELECT_LE_I64, "select.le.i64", "dbcew")          \
    X(SELECT_EQ_F64, "select.eq.f64", "dbcew")                                                     \
    X(SELECT_LT_F64, "select.lt.f64", "dbcew") X(SELECT_LE_F64, "select.le.f64", "dbcew")          \
    CNS_CODE_ELEMENTS(X, LOAD, "load", "dxci")                                                     \
    CNS_CODE_ELEMENTS(X, STORE_INTEGER, "store.i64", "ybci")                                       \
    CNS_CODE_ELEMENTS(X, STORE_REAL, "store.f64", "ybci")                                          \
    /* the same where the index is PROVEN: not checked */                                          \
    CNS_CODE_ELEMENTS(X, PROVEN_LOAD, "load.proven", "dxci")                                       \
    CNS_CODE_ELEMENTS(X, PROVEN_STORE_INTEGER, "store.proven.i64", "ybci")                         \
    CNS_CODE_ELEMENTS(X, PROVEN_STORE_REAL, "store.proven.f64", "ybci")
/* clang-format on */

typedef enum cns_code_op {
    CNS_CODE_FIRST = CNS_IR_OP_COUNT - 1,
#define CNS_CODE_ENUM(name, text, form) CNS_CODE_##name,
    CNS_CODE_OPS(CNS_CODE_ENUM)
#undef CNS_CODE_ENUM
        CNS_CODE_OP_COUNT
} cns_code_op;

typedef struct cns_code_instruction {
    uint16_t op;
    uint16_t a;
    uint16_t b;
    uint16_t c;
    union {
        int64_t immediate; /* added to an index; or the number k */
        struct {
            uint32_t target; /* instruction; WITHIN: the register of its fourth operand */
            uint32_t e;      /* register */
        };
    };
} cns_code_instruction;

typedef struct cns_code_argument {
    uint16_t reg; /* a buffer's count follows in the next */
    uint8_t type; /* cns_vm_type; NIL has no register */
} cns_code_argument;

typedef struct cns_code_result {
    uint16_t reg;
    uint8_t type; /* VOID ends a list */
} cns_code_result;

typedef union cns_code_register {
    int64_t i;
    uint64_t u;
    double f;
    void *p;
} cns_code_register;

struct cns_code {
    cns_context *context;
    cns_arena *arena; /* owns everything below */
    char *name;
    uint32_t count;
    cns_code_instruction *instructions;
    uint32_t *sites; /* of each instruction */
    uint32_t *lines; /* the same, in the source; 0 for none */
    uint32_t argument_count;
    cns_code_argument *arguments;
    uint32_t constant_count;
    uint32_t constant_base; /* register of the first */
    int64_t *constants;     /* bits */
    uint32_t result_count;
    cns_code_result *results;
    uint32_t register_count;
    uint32_t plan_count;
    cns_block_plan **plans; /* of BLOCKs */
    uint32_t body_count;
    struct cns_code_body *bodies; /* of forks */
};

typedef struct cns_code_body {
    cns_code *code;
    cns_ir_fork fork;
} cns_code_body;

const char *cns_code_op_text(uint32_t op);
/* The fields in use; for operations of the IR made from their operands. `out` holds 8 bytes. */
const char *cns_code_op_form(uint32_t op, char *out);

#endif
