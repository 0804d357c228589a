/* SPDX-License-Identifier: MIT
 *
 * vm/passes.h - the optimiser: IR to IR, each pass alone, verifiable before and after.
 *
 * None changes what a run computes, stores or traps on, where and with which partial writes; a
 * float operation is never reordered or fused unless its flags allow. Passes leave holes;
 * cns_optimise compacts at the end.
 */
#ifndef CNS_VM_PASSES_H
#define CNS_VM_PASSES_H

#include "vm/ir.h"

/* Block parameters that always get one and the same value. */
cns_status cns_pass_parameters(cns_ir_function *function);
/* Constants, identities that hold to the bit (x*1.0, but not x+0.0), branches on constants,
 * strength reduction (FOR_* with a constant step, // and % by powers of two, x^2). */
cns_status cns_pass_fold(cns_ir_function *function);
/* Straight chains of blocks become one; empty ones vanish. */
cns_status cns_pass_blocks(cns_ir_function *function);
/* Global value numbering over dominators; loads too, while no store may lie between. */
cns_status cns_pass_gvn(cns_ir_function *function);
/* Pure values without users, parameters without users. */
cns_status cns_pass_dead(cns_ir_function *function);
/* Pure loop-invariant values move to the preheader (made where it is missing). */
cns_status cns_pass_hoist(cns_ir_function *function);
/* Bounds checks of counted loops: where every index is affine in the loop's, one WITHIN test
 * before the loop chooses between a copy whose accesses are PROVEN and the loop as it was, which
 * traps at the right moment. Only where that likely pays for the copy. */
cns_status cns_pass_bounds(cns_ir_function *function);
/* Small diamonds without effects become SELECTs, with the loads in them that are PROVEN. */
cns_status cns_pass_select(cns_ir_function *function);
/* The index of a counted loop is stepped by a sum that nothing else uses. */
cns_status cns_pass_steps(cns_ir_function *function);

/* Loops whose header is PARALLEL become forks of bodies of their own. CNS_E_UNSUPPORTED, with line
 * and variable, where an iteration depends on the one before other than by a reduction. Runs
 * behind fold, gvn and select, which show what a reduction is, and before what moves code. */
cns_status cns_pass_parallel(cns_ir_function *function);

typedef enum cns_optimise_level {
    CNS_OPTIMISE_NONE,
    CNS_OPTIMISE_VM,    /* for the interpreters */
    CNS_OPTIMISE_NATIVE /* for LLVM, which does its own scalar work */
} cns_optimise_level;

cns_status cns_optimise(cns_ir_function *function, cns_optimise_level level);
/* The same for code without a pool: PARALLEL loops stay loops. */
cns_status cns_optimise_serial(cns_ir_function *function, cns_optimise_level level);

#endif
