/* SPDX-License-Identifier: MIT
 *
 * jit/spmd.h - groups of iterations at once: what is known of a loop before code is made of it.
 *
 * The body of a counted loop runs for `lanes` iterations together, the blocks one after the other,
 * each under a mask of the lanes that are in it; inner loops run while any lane is in them
 * (Karrenberg and Hack, Whole-Function Vectorization, CGO 2011). A value is uniform (the same in
 * all lanes: a scalar), strided (lane k has the scalar plus k * stride) or varying (a vector).
 */
#ifndef CNS_JIT_SPMD_H
#define CNS_JIT_SPMD_H

#include "jit/jit.h"

enum {
    CNS_SPMD_BLOCKS = 96,
    CNS_SPMD_LOOPS = 12,      /* inner ones */
    CNS_SPMD_EXITS = 12,      /* edges out of one loop */
    CNS_SPMD_PARAMETERS = 24, /* of one block */
    CNS_SPMD_OUT = 48,        /* values of one loop that are used behind it */
    CNS_SPMD_BUFFERS = 12,
    CNS_SPMD_PATIENCE = 1 << 20 /* rounds of a loop that overtakes */
};

typedef enum cns_spmd_kind { CNS_SPMD_UNIFORM, CNS_SPMD_STRIDED, CNS_SPMD_VARYING } cns_spmd_kind;

typedef struct cns_spmd_value {
    uint8_t kind;
    int64_t stride;
} cns_spmd_value;

typedef struct cns_spmd_exit {
    cns_ir_block_id from;
    uint32_t edge;
} cns_spmd_exit;

typedef struct cns_spmd_loop {
    uint32_t loop; /* of the shape */
    cns_ir_block_id last;
    bool uniform; /* counted, by a count that all lanes have: they go round together */
    cns_ir_for match;
    bool joint; /* all exits lead to the same block */
    /* An error of one lane may come up behind the loop, while another lane, whose iteration comes
     * later, is in it for ever. */
    bool overtakes;
    uint32_t exit_count;
    cns_spmd_exit exits[CNS_SPMD_EXITS];
    uint32_t out_count;
    cns_ir_value out[CNS_SPMD_OUT]; /* only those that differ by lane, unless it may be skipped */
} cns_spmd_loop;

typedef struct cns_spmd_plan {
    uint32_t loop;
    cns_ir_block_id first, last; /* its blocks, by their numbers in order */
    cns_ir_for match;
    int64_t step;
    cns_spmd_value *values;     /* of all instructions */
    bool sure[CNS_SPMD_BLOCKS]; /* first..last: at least one lane is in the block */
    uint32_t loop_count;
    cns_spmd_loop loops[CNS_SPMD_LOOPS];
    uint32_t stored_count; /* buffers that are written; none may overlap another */
    cns_ir_value stored[CNS_SPMD_BUFFERS];
    uint32_t used_count; /* all that are read or written */
    cns_ir_value used[CNS_SPMD_BUFFERS];
} cns_spmd_plan;

/* Whether `loop` is worth running in groups and can be; what stands in the way as a remark. `plan`
 * has its loop and values (room for all instructions) filled in. */
bool cns_spmd_analyse(cns_jit_lower *l, cns_spmd_plan *plan);
/* The row of an inner loop, by its header; NULL for another block. */
const cns_spmd_loop *cns_spmd_headed(const cns_jit_lower *l, const cns_spmd_plan *plan,
                                     cns_ir_block_id block);

#endif
