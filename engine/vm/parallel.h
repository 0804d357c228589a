/* SPDX-License-Identifier: MIT
 *
 * vm/parallel.h - running the iterations of a forked loop: what FORK is at run time.
 *
 * The iterations are cut into parts by their number and cost alone, and the parts' accumulators are
 * put together in a fixed tree, so that float results depend neither on the threads nor on their
 * number nor on the tier. Of several parts that trap, the one of the lowest iterations counts, and
 * all before it run to their end. Without a pool the parts run here, in order.
 */
#ifndef CNS_VM_PARALLEL_H
#define CNS_VM_PARALLEL_H

#include "vm/ir.h"

/* Runs a body: bytecode and cns_code_run, or a native entry and cns_parallel_call_native. */
typedef uint32_t (*cns_parallel_call)(const void *code, cns_run *run);

/* `slots`: first index, remaining iterations, passed values; on return the accumulators lie in
 * slots[0..]. Room for the most of both. `run` is the one that forks: its pool and poll are used.
 * 0, or a trap's kind, with run->trap. Allocates nothing but 64 KiB of stack. */
uint32_t cns_parallel_run(cns_run *run, const cns_ir_fork *fork, cns_parallel_call call,
                          const void *code, cns_vm_value *slots, int64_t step);
/* `code` is the address of a cns_native_entry. */
uint32_t cns_parallel_call_native(const void *code, cns_run *run);
/* The same for a body in machine code (a cns_native_entry), as machine code calls it. */
uint32_t cns_parallel_run_native(cns_run *run, const cns_ir_fork *fork,
                                 uint32_t (*body)(cns_run *run), cns_vm_value *slots, int64_t step);

#endif
