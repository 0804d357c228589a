/* SPDX-License-Identifier: MIT
 *
 * vm/code_blocks.h - which loops of a function run in blocks.
 */
#ifndef CNS_VM_CODE_BLOCKS_H
#define CNS_VM_CODE_BLOCKS_H

#include "vm/code.h"

/* Makes the plans of `code`, in its memory, and sets plan_of[header] to 1 + the plan of its loop
 * (zeroes before, one a block). Remarks on what was done and not done go to `function`. */
cns_status cns_code_plan_blocks(cns_code *code, cns_ir_function *function, cns_arena *scratch,
                                uint32_t *plan_of);

#endif
