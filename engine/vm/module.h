/* SPDX-License-Identifier: MIT
 *
 * vm/module.h - IR as bytes: what .cnsb files and the cache of native code hold.
 *
 * Little-endian, versioned, with a BLAKE3 digest over everything. What is read back has been
 * verified (cns_ir_verify, untrusted): a damaged or forged file is refused, never run; PROVEN and
 * CONVERTS are not stored: a loader runs the optimiser anew.
 *
 *     "CNSI" version size body digest
 *     body:        name arguments sites remarks names value-count blocks
 *     block:       parameters (type, name), flags, instructions, end
 *     instruction: operation, flags, site + 1, then what it is of or its operands
 *
 * Numbers are LEB128 in their shortest form, signed ones zigzag; texts and lists have their count
 * in front; the digest is 32 bytes. Values are numbered as they come (parameters, then the list),
 * blocks in reverse postorder, so that an operand stands before its user: it is stored as the
 * distance back to it, which is never 0, so that 0 is free for nil among results. What
 * pass_parallel makes (forks and bodies) is not written: it comes after reading, too.
 */
#ifndef CNS_VM_MODULE_H
#define CNS_VM_MODULE_H

#include "vm/ir.h"

enum { CNS_IR_FORMAT = 1, CNS_IR_DIGEST = 32 };

/* Appends `function` to `bytes`. The same function gives the same bytes, however its values and
 * blocks are numbered. Any thread, while nobody changes the function. */
cns_status cns_ir_write(const cns_ir_function *function, cns_text *bytes);
/* Reads one function from [bytes, bytes + size), which may be anything; `*used` is what it took.
 * CNS_E_CORRUPT for what is no such function, CNS_E_UNSUPPORTED for another version's. */
cns_status cns_ir_read(cns_context *context, const void *bytes, size_t size, size_t *used,
                       cns_ir_function **out);

#endif
