/* SPDX-License-Identifier: MIT
 *
 * vm/block.h - the block VM: counted loops whose iterations do not depend on each other, run over
 * blocks of 64 to 256 elements with vector primitives.
 *
 * A plan belongs to one counted loop (cns_ir_for_match); loops inside it run under masks for as
 * long as any iteration is in them. Running it advances the loop's header parameters in place, in
 * the registers of the scalar VM, by as many whole iterations as it can do safely, and leaves the
 * rest, always at least the last one, to the scalar code that follows: so exits, traps (same place,
 * same partial writes) and odd remainders are the scalar VM's alone. Overlap of buffers is tested
 * on each run, not assumed away. Sums of floats keep the order of the loop.
 */
#ifndef CNS_VM_BLOCK_H
#define CNS_VM_BLOCK_H

#include "vm/ir.h"

typedef struct cns_block_plan cns_block_plan;

enum {
    CNS_POLL_EVERY = 1 << 16, /* iterations, of whatever loop */
    CNS_FMOD_COST = 128       /* in iterations: fmod(1e308, 3) takes microseconds */
};

/* A plan in the arena's memory, or `*out` NULL with the reason in `*why` (a static text for a
 * remark, `*site` its place) when the loop cannot be run in blocks. `function` is compact, and its
 * loads and stores are PROVEN only as far as they are. */
cns_status cns_block_plan_create(const cns_ir_function *function, const cns_ir_shape *shape,
                                 uint32_t loop, cns_arena *arena, cns_block_plan **out,
                                 const char **why, uint32_t *site);
/* Says which register of the scalar VM each value is in (a buffer's count follows in the next),
 * before the first run. False when one that is needed has none: the plan is of no use then. */
bool cns_block_plan_bind(cns_block_plan *plan, const uint16_t *place);
/* Runs what it can. CNS_TRAP_NONE, or CNS_TRAP_STOPPED with run->trap filled in where run->poll
 * said so; it is asked when `*budget` iterations are spent, which then are CNS_POLL_EVERY again.
 * Any thread; allocates nothing but its stack (64 KiB). */
uint32_t cns_block_plan_run(const cns_block_plan *plan, uint64_t *registers, cns_run *run,
                            uint32_t *budget);
cns_status cns_block_plan_print(const cns_block_plan *plan, cns_text *text);
/* CNS_E_CORRUPT when an instruction names what the plan, or a frame of `registers` registers, does
 * not have. */
cns_status cns_block_plan_verify(const cns_block_plan *plan, cns_context *context,
                                 uint32_t registers);
/* Elements of a block. */
uint32_t cns_block_plan_lanes(const cns_block_plan *plan);

#endif
