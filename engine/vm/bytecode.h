/* SPDX-License-Identifier: MIT
 *
 * vm/bytecode.h - the typed register bytecode: lowering, verifier, printer, interpreter.
 *
 * A frame is an array of 64-bit registers, each of one type for the whole function: bool, i64, f64,
 * or one half of a buffer (data, then count). Constants are registers that are filled in at entry.
 * Every load and store checks its index, so that verified code is safe whoever wrote it. Fused
 * forms (compare and branch, load and add, the step of a for loop) are the interpreter's speed.
 */
#ifndef CNS_VM_BYTECODE_H
#define CNS_VM_BYTECODE_H

#include "vm/ir.h"

typedef struct cns_code cns_code;

/* `function` as bytecode of its own memory; `options`: cns_kernel_option, of which it heeds
 * NO_BLOCKS; remarks on what could not be run in blocks go to `function`: registers are given out
 * by linear scan over live ranges, edge arguments coalesced with parameters where they do not
 * interfere. */
cns_status cns_code_lower(cns_ir_function *function, uint32_t options, cns_code **out);
void cns_code_destroy(cns_code *code);
/* CNS_E_CORRUPT with the instruction and what is wrong. */
cns_status cns_code_verify(const cns_code *code);
cns_status cns_code_print(const cns_code *code, cns_text *text);
/* Instructions, for figures. */
uint32_t cns_code_length(const cns_code *code);
/* Whether a loop of it runs in blocks. */
bool cns_code_has_blocks(const cns_code *code);
/* Runs it; 0, or the trap's kind, also in run->trap. Any number of threads at once. */
uint32_t cns_code_run(const cns_code *code, cns_run *run);

#endif
