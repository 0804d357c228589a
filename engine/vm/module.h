/* SPDX-License-Identifier: MIT
 *
 * vm/module.h - IR as bytes: what .cnsb files and the cache of native code hold.
 *
 * Little-endian, versioned, with a BLAKE3 digest over everything. What is read back has been
 * verified (cns_ir_verify, untrusted): a damaged or forged file is refused, never run; PROVEN and
 * CONVERTS are not stored: a loader runs the optimiser anew.
 */
#ifndef CNS_VM_MODULE_H
#define CNS_VM_MODULE_H

#include "vm/ir.h"

/* Appends `function` (compacted) to `bytes`. The same function gives the same bytes. */
cns_status cns_ir_write(const cns_ir_function *function, cns_text *bytes);
/* Reads one function from [bytes, bytes + size); `*used` is what it took. CNS_E_CORRUPT. */
cns_status cns_ir_read(cns_context *context, const void *bytes, size_t size, size_t *used,
                       cns_ir_function **out);

#endif
