/* SPDX-License-Identifier: MIT
 *
 * vm/block.h - the block VM: counted loops whose iterations do not depend on each other, run over
 * blocks of elements with vector primitives.
 *
 * A plan belongs to one innermost counted loop (cns_ir_for_match). Running it advances the loop's
 * header parameters in place, in the registers of the scalar VM, by as many whole iterations as it
 * can do safely, and leaves the rest, always at least the last one, to the scalar code that
 * follows: so exits, traps (same place, same partial writes) and odd remainders are the scalar
 * VM's alone. Overlap of buffers is tested on each run, not assumed away. Reductions in strict mode
 * keep the order of the scalar loop.
 */
#ifndef CNS_VM_BLOCK_H
#define CNS_VM_BLOCK_H

#include "vm/ir.h"

typedef struct cns_block_plan cns_block_plan;

/* A plan in memory of its own, or `*out` NULL with the reason in `*why` (a static text for a
 * remark, `*site` its place) when the loop cannot be run in blocks. */
cns_status cns_block_plan_create(const cns_ir_function *function, const cns_ir_shape *shape,
                                 uint32_t loop, cns_block_plan **out, const char **why,
                                 uint32_t *site);
void cns_block_plan_destroy(cns_block_plan *plan);
/* The values whose registers a run reads (from outside the loop, and the header's parameters) or
 * advances (the header's parameters). Fixed order; borrowed. */
const cns_ir_value *cns_block_plan_values(const cns_block_plan *plan, uint32_t *count);
/* One 64-bit register a value; a buffer's is two (data, then count): place[i] is the register of
 * value i. At most `limit` iterations (the caller polls in between); returns how many were done,
 * 0 when the next block would trap or only scalar work is left. Any thread; allocates nothing but
 * its stack (at most 64 KiB). */
uint64_t cns_block_plan_run(const cns_block_plan *plan, uint64_t *registers, const uint32_t *place,
                            uint64_t limit);
cns_status cns_block_plan_print(const cns_block_plan *plan, cns_text *text);

#endif
