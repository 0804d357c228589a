/* SPDX-License-Identifier: MIT
 *
 * vm/block_build.h - a plan on its way: what its makers share.
 *
 * block_plan.c decides what becomes of the loop's parameters and makes the whole; block_paths.c
 * turns branches into masks, joins into choices, and loops inside into ENTER and AGAIN;
 * block_emit.c makes instructions, scalars and vectors. A first failure sticks, in `status` for
 * memory and in `why` for what cannot be run in blocks; what is made after it is not looked at.
 */
#ifndef CNS_VM_BLOCK_BUILD_H
#define CNS_VM_BLOCK_BUILD_H

#include "vm/block_code.h"

/* What a value of the loop is in the plan. */
typedef enum cns_block_kind {
    CNS_BLOCK_UNKNOWN,
    CNS_BLOCK_SCALAR, /* the same in all lanes: scalar `a` */
    CNS_BLOCK_STEPS,  /* an i64 that goes up evenly: scalar `a`, by scalar `b` a lane */
    CNS_BLOCK_VECTOR, /* vector `a` */
    CNS_BLOCK_BUFFER  /* scalars: data `a`, count `b` */
} cns_block_kind;

typedef struct cns_block_value {
    uint8_t kind; /* cns_block_kind */
    uint16_t a;
    uint16_t b;
} cns_block_value;

/* Lanes that left a loop inside for one of its targets. */
typedef struct cns_block_exit {
    uint32_t loop; /* of the IR's shape */
    cns_ir_block_id target;
    uint16_t mask; /* vector; NONE: all that went in */
    cns_block_value *arguments;
} cns_block_exit;

/* Blocks that run under one set of lanes: the planned loop's, or those of a loop inside. */
typedef struct cns_block_region {
    uint32_t loop; /* of the shape */
    uint16_t base; /* mask of its header; NONE: all */
} cns_block_region;

/* A parameter of the loop's header. */
typedef struct cns_block_carry {
    cns_ir_value parameter;
    cns_ir_value next; /* what the latch hands on */
    uint16_t scalar;
    uint8_t reduction;   /* cns_reduction, where it is one */
    cns_ir_value update; /* of one kept in order; NONE: the lanes are put together at the end */
    bool last;           /* what the last lane hands on is all that counts */
} cns_block_carry;

typedef struct cns_block_build {
    const cns_ir_function *f;
    const cns_ir_shape *shape;
    uint32_t loop;
    cns_ir_for match;
    cns_arena *arena;   /* of the plan */
    cns_arena *scratch; /* of this */
    cns_block_plan *plan;
    cns_status status;
    const char *why;
    uint32_t site;

    cns_block_value *values; /* of every value of the function */
    uint32_t *marks;         /* of cns_reduction_match */
    uint16_t *block_masks;   /* of every block, UNSET before they are asked for */
    uint16_t *edge_masks;    /* two a block */
    uint16_t *entry_masks;   /* of every loop: which lanes go in */
    uint64_t *mass; /* of every block: what share of its region's lanes, as if split evenly */
    bool *skipped;  /* values that reductions decide by and that are not computed */
    const cns_block_carry *carries;
    uint32_t carry_count;
    uint32_t depth; /* of loops inside */
    uint32_t order; /* of accesses */

    uint32_t code_capacity, pair_capacity, fetch_capacity, prelude_capacity, carried_capacity,
        access_capacity, loop_capacity;
    uint32_t late_count, late_capacity; /* stores */
    cns_block_instruction *late;
    uint32_t settle_count, settle_capacity; /* what is carried */
    cns_block_instruction *settle;
    uint32_t exit_count, exit_capacity;
    cns_block_exit *exits;
    uint32_t vector_capacity;
    uint32_t *made_at; /* vector -> instruction */
    bool *is_load;     /* vector -> may stand in a buffer */
    bool is_constant[CNS_BLOCK_SCALARS];
    uint64_t constants[CNS_BLOCK_SCALARS];
} cns_block_build;

enum { CNS_BLOCK_UNSET = 0xfffe };

static inline const cns_ir_instruction *cns_block_at(const cns_block_build *b, cns_ir_value value) {
    return cns_ir_at(b->f, value);
}
static inline bool cns_block_inside(const cns_block_build *b, uint32_t loop, cns_ir_block_id id) {
    return cns_ir_loop_contains(b->shape, loop, id);
}
static inline bool cns_block_well(const cns_block_build *b) {
    return b->status == CNS_OK && !b->why;
}
uint32_t cns_block_edge_count(const cns_ir_block *block);

/* ---- block_emit.c ---------------------------------------------------------------------------- */

/* That the loop cannot be run in blocks; the first reason stays. `format` may name one text. */
void cns_block_refuse(cns_block_build *b, uint32_t site, const char *format, const char *text);
/* That it has an operation which blocks do not have. */
void cns_block_refuse_operation(cns_block_build *b, uint32_t site, cns_ir_op op);
/* Zeroed; NULL with the status. */
void *cns_block_take(cns_block_build *b, cns_arena *arena, size_t size);
/* Room for one more in an array of the plan; the array's new place, or NULL. */
void *cns_block_grow(cns_block_build *b, cns_arena *arena, void *array, uint32_t count,
                     uint32_t *capacity, size_t size);

uint16_t cns_block_constant(cns_block_build *b, uint64_t bits);
/* A scalar that is fetched from the register of `value`. */
uint16_t cns_block_fetched(cns_block_build *b, cns_ir_value value, bool count);
uint16_t cns_block_vector(cns_block_build *b);
uint32_t cns_block_emit(cns_block_build *b, cns_block_instruction instruction);
void cns_block_emit_late(cns_block_build *b, cns_block_instruction instruction);
void cns_block_emit_settle(cns_block_build *b, cns_block_instruction instruction);
uint32_t cns_block_add_pair(cns_block_build *b, uint16_t from, uint16_t to);

cns_block_value cns_block_scalar_value(uint16_t scalar);
cns_block_value cns_block_vector_value(uint16_t vector);
bool cns_block_same(cns_block_value x, cns_block_value y);
/* Of a value of the loop, or from outside. */
cns_block_value cns_block_value_of(cns_block_build *b, cns_ir_value value);
/* The same as a vector, made where it is none. */
uint16_t cns_block_as_vector(cns_block_build *b, cns_block_value value);
/* A vector of its own with the same lanes. */
uint16_t cns_block_copy(cns_block_build *b, uint16_t vector);
/* A pure operation. */
cns_block_value cns_block_compute(cns_block_build *b, cns_ir_op op, const cns_block_value *operands,
                                  uint32_t count);

/* ---- block_paths.c --------------------------------------------------------------------------- */

/* Everything of the region's blocks; the header's parameters have their values. */
void cns_block_emit_region(cns_block_build *b, const cns_block_region *region);
/* Which lanes of the region run the block; NONE: all. */
uint16_t cns_block_mask(cns_block_build *b, const cns_block_region *region, cns_ir_block_id id);

/* ---- block_plan.c ---------------------------------------------------------------------------- */

/* One instruction of a block. */
void cns_block_emit_instruction(cns_block_build *b, const cns_block_region *region,
                                cns_ir_value value);

#endif
