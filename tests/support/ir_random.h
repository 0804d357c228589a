/* SPDX-License-Identifier: MIT
 *
 * ir_random.h - random functions in SSA form: arithmetic, branches, counted loops with breaks and
 * carried values, loads and stores inside and outside; what the builder could make, and worse.
 */
#ifndef CNS_TEST_IR_RANDOM_H
#define CNS_TEST_IR_RANDOM_H

#include "vm/ir.h"

enum { SUPPORT_IR_BUFFERS = 5, SUPPORT_IR_SCALARS = 6, SUPPORT_IR_ELEMENTS = 6 };

/* The same function for the same seed. It always ends. Arguments: buffers of f64, i64, u8, f32,
 * u64, then i64, i64, f64, f64, bool, bool. Every operation has a line of its own in "r.lua". */
cns_status support_ir_random(cns_context *context, uint64_t seed, cns_ir_function **out);

/* A run of such a function on contents that follow from a seed. */
typedef struct support_ir_outcome {
    cns_trap trap; /* site: the line */
    uint32_t result_count;
    cns_vm_value results[8];
    uint64_t elements[SUPPORT_IR_BUFFERS][SUPPORT_IR_ELEMENTS];
} support_ir_outcome;

void support_ir_outcome_of(const cns_ir_function *function, uint64_t seed, support_ir_outcome *out);
/* To the bit. */
bool support_ir_same(const support_ir_outcome *a, const support_ir_outcome *b);

#endif
