/* SPDX-License-Identifier: MIT
 *
 * vm/block_code.h - a block plan as it lies in memory.
 *
 * Three small programs over three kinds of storage:
 * - scalars, 64 bits each: constants, what is fetched from the scalar VM's registers, the header's
 *   parameters as of the block's first iteration, and what `prelude` computes of them before each
 *   block (first index and stride of every access, for one). Booleans are all bits or none.
 * - vectors, `lanes` lanes of 64 bits each: what `code` computes for a block's iterations. It
 *   begins with what may fail, a check of some iteration, and then nothing has happened yet: the
 *   block is left to the scalar VM. From `settle` on nothing fails: stores, in the order of the
 *   loop, and what is carried to the next block.
 * - accesses: the loads and stores, for the test of overlap before each run.
 *
 * A loop inside stands between ENTER and AGAIN. It works on vectors of its own, in which the
 * iterations that are still in it are moved together from time to time; ids[k] is the lane outside
 * that lane k stands for. What leaves is written to that lane by LEAVE.
 */
#ifndef CNS_VM_BLOCK_CODE_H
#define CNS_VM_BLOCK_CODE_H

#include "vm/block.h"
#include "vm/block_lanes.h"
#include "vm/libm.h"

enum {
    CNS_BLOCK_NONE = 0xffff,
    CNS_BLOCK_LANES = 256,       /* at most */
    CNS_BLOCK_LANES_LEAST = 64,  /* at least, of a plan */
    CNS_BLOCK_WORTH = 16,        /* iterations that are worth a run */
    CNS_BLOCK_BYTES = 56 * 1024, /* of all vectors, on the stack */
    CNS_BLOCK_CACHE = 24 * 1024, /* the same, where fewer lanes make it fit */
    CNS_BLOCK_SCALARS = 512,     /* at most */
    CNS_BLOCK_ACCESSES = 64,     /* at most */
    CNS_BLOCK_LOOPS = 4,         /* inside each other, at most */
    CNS_BLOCK_PATIENCE = 1 << 20 /* rounds of loops that overtake, in one block */
};

typedef enum cns_block_op {
    CNS_BLOCK_LANES_OP, /* d = operation of a, b, c in `form` */
    CNS_BLOCK_ARRAY,    /* d = libm's vector function of a */
    CNS_BLOCK_SPLAT,    /* d = scalar a */
    CNS_BLOCK_IOTA,     /* d = scalar a + lane * scalar b */
    CNS_BLOCK_COPY,     /* d = a */
    CNS_BLOCK_LOAD,     /* d = access extra; index b, mask c */
    CNS_BLOCK_DIVISOR,  /* check: a is not 0 under mask c */
    CNS_BLOCK_INTEGRAL, /* check: f64 a is an i64 under mask c */
    CNS_BLOCK_INDEX,    /* check: a is an index of access extra under mask c */
    CNS_BLOCK_FITS,     /* check: a goes into access extra's elements under mask c */
    CNS_BLOCK_SCAN,     /* d = running sum of a, from scalar extra on, which stays as it is */
    CNS_BLOCK_ENTER,    /* loop extra: iterations under mask c */
    CNS_BLOCK_LEAVE,    /* of the loop's lanes those under mask c: `pairs` of a .. a + b */
    CNS_BLOCK_AGAIN,    /* loop extra: go on with the lanes under mask c, if any */
    CNS_BLOCK_STORE,    /* access extra = a; index b, mask c */
    CNS_BLOCK_REDUCE,   /* scalar extra = it (form) the lanes of a */
    CNS_BLOCK_ORDERED,  /* scalar extra = it (form) the lanes of a under mask c, one by one */
    CNS_BLOCK_LAST      /* scalar extra = the last lane of a */
} cns_block_op;

typedef struct cns_block_instruction {
    uint8_t op;
    uint8_t form; /* cns_lanes_form, cns_reduction */
    uint16_t ir;  /* LANES_OP, ARRAY: cns_ir_op */
    uint16_t d;   /* vectors; in LANES_OP a, b and c are scalars where the form says so */
    uint16_t a;
    uint16_t b;
    uint16_t c;
    uint32_t extra;
    cns_lanes_fn function;
} cns_block_instruction;

/* One value on its way in, out or around a loop inside. */
typedef struct cns_block_pair {
    uint16_t from;
    uint16_t to;
} cns_block_pair;

typedef struct cns_block_loop {
    uint32_t body;  /* the instruction behind ENTER */
    uint32_t end;   /* its AGAIN */
    uint16_t alive; /* vectors: the lanes that are in it, and where they come from */
    uint16_t ids;
    uint32_t enter; /* pairs: what goes in, the header's parameters first */
    uint32_t enter_count;
    uint32_t around; /* pairs: parameters of the next round */
    uint32_t around_count;
    uint32_t out; /* pairs, `to` only: what LEAVE writes */
    uint32_t out_count;
    /* An iteration that has left it may fail yet, while a later one is in it, for ever perhaps:
     * then the error comes first. */
    bool overtakes;
} cns_block_loop;

typedef enum cns_block_scalar_op {
    CNS_BLOCK_ADD,
    CNS_BLOCK_SUB,
    CNS_BLOCK_MUL
} cns_block_scalar_op;

typedef struct cns_block_prelude {
    uint8_t op; /* cns_block_scalar_op */
    uint16_t d;
    uint16_t a;
    uint16_t b;
} cns_block_prelude;

/* What a scalar begins a run with. */
typedef struct cns_block_fetch {
    cns_ir_value value; /* CNS_IR_NONE: the constant */
    uint64_t bits;
    uint16_t scalar;
    uint16_t reg;
    bool count;   /* a buffer's, instead of its data */
    bool boolean; /* becomes all bits or none */
} cns_block_fetch;

/* A parameter of the header: what becomes of its scalar, and its register, after a block. */
typedef struct cns_block_carried {
    cns_ir_value value;
    uint16_t scalar;
    uint16_t stride; /* scalar, by which it goes up an iteration; NONE: what settling made of it */
    uint16_t reg;    /* CNS_BLOCK_NONE: nobody reads it */
} cns_block_carried;

typedef struct cns_block_access {
    uint16_t data; /* scalars */
    uint16_t count;
    uint16_t first; /* scalars of the index; NONE: a vector */
    uint16_t stride;
    uint8_t type; /* cns_type */
    bool store;
    bool masked; /* not in each iteration, or of a loop inside */
    uint32_t order;
} cns_block_access;

struct cns_block_plan {
    uint32_t site; /* of the loop */
    uint32_t lanes;
    uint32_t cost; /* of an iteration, towards the next poll */
    const cns_lanes *set;
    cns_libm_array exp; /* NULL: none */
    cns_libm_array log;
    uint32_t scalar_count;
    uint32_t vector_count;
    uint16_t remaining; /* scalar */
    uint16_t remaining_reg;
    uint32_t fetch_count;
    cns_block_fetch *fetches;
    uint32_t prelude_count;
    cns_block_prelude *prelude;
    uint32_t carried_count;
    cns_block_carried *carried;
    uint32_t access_count;
    cns_block_access *accesses;
    uint32_t loop_count;
    cns_block_loop *loops;
    uint32_t pair_count;
    cns_block_pair *pairs;
    uint32_t count;
    uint32_t settle; /* the first instruction that does not fail */
    cns_block_instruction *code;
};

/* ---- block_overlap.c ------------------------------------------------------------------------- */

/* How an access is made in this run. */
typedef enum cns_block_way {
    CNS_BLOCK_EVERY_INDEX, /* each index is checked, or was, and may be anywhere */
    CNS_BLOCK_IN_STEPS     /* first, first + stride, ..., all inside */
} cns_block_way;

/* For a run of `iterations` (1 or more): the way of each access, and how many iterations may go
 * into one block without a store's being seen too early or too late; 0: not even a few. */
uint32_t cns_block_overlap(const cns_block_plan *plan, const uint64_t *scalars, uint64_t iterations,
                           uint8_t *ways);

/* ---- block_registers.c ----------------------------------------------------------------------- */

/* Gives the plan's vectors, numbered as they were made, storage that is shared where it can be,
 * and sets its lanes. False when there is too little storage. `arena` is for scratch; fails with
 * its status. */
cns_status cns_block_share_vectors(cns_block_plan *plan, cns_context *context, cns_arena *arena,
                                   bool *fits);

/* Calls `visit` with every vector that an instruction reads or writes; pointers, to be renamed. */
typedef void (*cns_block_visit)(void *user, uint16_t *vector, bool writes);
void cns_block_visit_vectors(cns_block_plan *plan, cns_block_instruction *instruction,
                             cns_block_visit visit, void *user);

#endif
