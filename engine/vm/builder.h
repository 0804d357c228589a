/* SPDX-License-Identifier: MIT
 *
 * vm/builder.h - the builder at work: slots, frames, versions.
 *
 * What a Lua register holds is a slot. Numbers and booleans are values of the IR; everything else a
 * kernel can hold (buffers, nil, functions, tables) is known while building and has no value at
 * run time. A version is a stretch of Lua code together with what its live registers hold; its
 * numbers are the parameters of its IR block. A frame is one inlined call. Failures stick: after
 * the first, makers do nothing, and the driver ends at its next turn.
 */
#ifndef CNS_VM_BUILDER_H
#define CNS_VM_BUILDER_H

#include "vm/build.h"
#include "vm/flow.h"

typedef enum cns_slot_kind {
    CNS_SLOT_DEAD,
    CNS_SLOT_VALUE, /* bool, i64, f64 */
    CNS_SLOT_NIL,
    CNS_SLOT_BUFFER,
    CNS_SLOT_TABLE,
    CNS_SLOT_INTRINSIC,
    CNS_SLOT_FUNCTION,
    CNS_SLOT_PRANGE, /* the iterator of cns.prange; the value is its step */
    CNS_SLOT_ALIAS,  /* on the way into a version only: the same as register `id` */
    CNS_SLOT_OTHER   /* nothing a kernel can use; may lie around unused */
} cns_slot_kind;

typedef struct cns_slot {
    uint8_t kind;
    uint8_t type;       /* VALUE, PRANGE, BUFFER: cns_vm_type */
    uint32_t id;        /* TABLE, FUNCTION: import; INTRINSIC: which; BUFFER: its argument */
    cns_ir_value value; /* VALUE, PRANGE, BUFFER */
    const void *thing;  /* FUNCTION: cns_lua_function; OTHER: what it is, a text */
} cns_slot;

typedef struct cns_frame {
    struct cns_frame *caller; /* NULL for the kernel itself */
    const cns_lua_function *function;
    const cns_proto *proto;
    const cns_flow *flow;
    uint32_t import; /* of the function; CNS_IR_NONE for the kernel */
    uint32_t serial;
    uint32_t depth;
    uint32_t inlined_at; /* site */
    uint32_t call_pc;    /* in the caller */
    cns_slot *saved;     /* the caller's registers at the call */
} cns_frame;

typedef struct cns_version {
    struct cns_version *next;  /* of the same hash */
    struct cns_version *later; /* in the queue */
    cns_frame *frame;
    uint32_t pc;
    uint32_t top;         /* end of an open list, 0: none */
    const cns_frame *via; /* the inlined call that it goes on after; NULL: none */
    bool shared;          /* found again by later edges */
    cns_ir_block_id block;
    cns_slot *slots; /* VALUE and PRANGE: the values inside */
} cns_version;

typedef struct cns_known_import {
    struct cns_known_import *next;
    uint32_t owner;  /* a function's or table's import id */
    uint32_t index;  /* of the upvalue; unused for a field */
    const char *key; /* of the field; NULL for an upvalue */
    cns_slot slot;
} cns_known_import;

typedef struct cns_known_flow {
    struct cns_known_flow *next;
    cns_flow flow;
} cns_known_flow;

enum { CNS_BUILD_BUCKETS = 256, CNS_BUILD_REGISTERS = 256 };

typedef struct cns_builder {
    cns_context *context;
    cns_build *build;
    cns_ir_function *ir;
    cns_arena *arena; /* of the work, gone at the end */
    cns_status status;
    cns_version *buckets[CNS_BUILD_BUCKETS];
    cns_version *first;
    cns_version *last;
    cns_known_import *imports;
    cns_known_flow *flows;
    uint32_t *hidden;
    uint32_t hidden_count;
    uint32_t hidden_capacity;
    uint32_t frames;
    /* where it stands */
    cns_frame *frame;
    uint32_t pc;
    uint32_t top;
    cns_ir_block_id block;
    bool done;          /* the block has its end */
    bool fresh;         /* just moved into another frame: no jump, though a block begins here */
    uint32_t site_line; /* the last site, for it is mostly the next one, too */
    uint32_t site_frame;
    uint32_t site;
    cns_slot slots[CNS_BUILD_REGISTERS];
    cns_ir_value edges[2][CNS_BUILD_REGISTERS]; /* arguments on their way */
} cns_builder;

/* ---- build.c: versions ----------------------------------------------------------------------- */

/* Ends the block with a jump to `pc` of the frame. */
void cns_build_jump(cns_builder *b, uint32_t pc);
/* An edge being prepared: its version, and how many of b->edges[which] it takes. */
typedef struct cns_build_edge {
    cns_version *version;
    uint32_t count;
} cns_build_edge;
/* To `pc` of the frame with the registers as they are. `private_`: nobody else comes this way, so
 * that values need not become parameters. */
cns_build_edge cns_build_edge_to(cns_builder *b, uint32_t which, uint32_t pc, bool private_);
/* Ends the block with a branch over both prepared edges: 0 when `condition` holds, else 1. */
void cns_build_branch(cns_builder *b, cns_ir_value condition, const cns_build_edge edges[2]);
/* After the inlined call of frame `via`: to the instruction behind it. */
void cns_build_go_on(cns_builder *b, const cns_frame *via);
void *cns_build_alloc(cns_builder *b, size_t size);

/* ---- build_value.c: small things ------------------------------------------------------------- */

cns_ir_value cns_build_1(cns_builder *b, cns_ir_op op, cns_ir_value x);
cns_ir_value cns_build_2(cns_builder *b, cns_ir_op op, cns_ir_value x, cns_ir_value y);
cns_ir_value cns_build_3(cns_builder *b, cns_ir_op op, cns_ir_value x, cns_ir_value y,
                         cns_ir_value z);
cns_ir_value cns_build_i64(cns_builder *b, int64_t value);
cns_ir_value cns_build_f64(cns_builder *b, double value);
uint32_t cns_build_site(cns_builder *b);
cns_slot cns_build_value(cns_builder *b, cns_ir_value value); /* a slot of its type */
cns_slot cns_build_bool(cns_builder *b, bool value);
cns_slot cns_build_nil(void);
cns_slot cns_build_constant(cns_builder *b, uint32_t index);
cns_ir_value cns_build_to_f64(cns_builder *b, cns_slot number);
bool cns_build_is_number(const cns_slot *slot);
bool cns_build_is_i64(const cns_slot *slot);
/* Refuses, unless there is a failure already: "k.lua:3: " and the text. */
void cns_build_refuse(cns_builder *b, const char *format, ...) CNS_PRINTF(2, 3);

/* ---- build_name.c: words for messages, in b's memory ----------------------------------------- */

const char *cns_build_text(cns_builder *b, const char *format, ...) CNS_PRINTF(2, 3);
/* "'x'" (a local), "upvalue 'n'", "global 'n'", "field 'n'", "a value": what register `reg` is to
 * the author. */
const char *cns_build_name(cns_builder *b, uint32_t reg);
const char *cns_build_upvalue_name(cns_builder *b, uint32_t index);
/* The field that a GETTABUP or SETTABUP is about: "global 'n'", "field 'n' of 'settings'". */
const char *cns_build_field_name(cns_builder *b, uint32_t instruction);
const char *cns_build_constant_name(cns_builder *b, uint32_t index);
/* "a bool", "an i64", "a buffer of f64", "nil", "the function math.sin", ... */
const char *cns_build_what(cns_builder *b, const cns_slot *slot);
/* Name and what it is: "'x' (a bool)"; without a name "a bool". */
const char *cns_build_describe(cns_builder *b, uint32_t reg);
/* How to get a number from what is none: ": and so on", or "". */
const char *cns_build_as_number(const cns_slot *slot);

/* ---- build_number.c, build_loop.c, build_call.c: groups of instructions ---------------------- */

void cns_build_arithmetic(cns_builder *b, uint32_t instruction);
void cns_build_test(cns_builder *b, uint32_t instruction);
void cns_build_unary(cns_builder *b, uint32_t instruction);
void cns_build_for_prepare(cns_builder *b, uint32_t instruction);
void cns_build_for_loop(cns_builder *b, uint32_t instruction);
void cns_build_prange_prepare(cns_builder *b, uint32_t instruction);
void cns_build_prange_loop(cns_builder *b, uint32_t instruction);
void cns_build_call(cns_builder *b, uint32_t instruction);
void cns_build_return(cns_builder *b, uint32_t first, uint32_t count);
/* Puts `count` results at register `a` as a call with field C wants them. */
void cns_build_results(cns_builder *b, uint32_t a, uint32_t c, const cns_slot *results,
                       uint32_t count);
void cns_build_intrinsic(cns_builder *b, cns_intrinsic intrinsic, uint32_t a, uint32_t c,
                         uint32_t arguments);
/* build_import.c: what an upvalue or a table's field is. */
cns_slot cns_build_upvalue(cns_builder *b, uint32_t index);
cns_slot cns_build_field(cns_builder *b, uint32_t table, const char *key);
const cns_flow *cns_build_flow(cns_builder *b, const cns_proto *proto);

#endif
