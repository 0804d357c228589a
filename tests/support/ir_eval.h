/* SPDX-License-Identifier: MIT
 *
 * ir_eval.h - what a function in SSA form means, written for clarity: the oracle of the passes,
 * the bytecode, the block VM and native code.
 *
 * A PROVEN access outside its buffer, or a CONVERTS store of what does not fit, fails the test.
 */
#ifndef CNS_TEST_IR_EVAL_H
#define CNS_TEST_IR_EVAL_H

#include "vm/ir.h"

/* As cns_code_run: results and trap go to `run`; returns the trap's kind. After `fuel` blocks it
 * gives CNS_TRAP_STOPPED; run->poll is not asked. */
uint32_t support_ir_eval(const cns_ir_function *function, cns_run *run, uint64_t fuel);

#endif
