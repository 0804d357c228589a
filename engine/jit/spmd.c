/* SPDX-License-Identifier: MIT
 *
 * spmd.c - whole groups of iterations of a loop at once: not done yet, every loop runs one by one.
 */
#include "jit/jit.h"
cns_status cns_jit_spmd(cns_jit_lower *l, uint32_t loop, LLVMValueRef *entry) {
    (void)l;
    (void)loop;
    (void)entry;
    return CNS_OK;
}
