/* SPDX-License-Identifier: MIT
 *
 * vm/remarks.h - remarks as bytes, without the function they were made on: what a kernel keeps of
 * its native code's making, and the cache beside the code.
 *
 * Each is a kind (one byte), a site (32 bits, little-endian), a text and its NUL.
 */
#ifndef CNS_VM_REMARKS_H
#define CNS_VM_REMARKS_H

#include "vm/ir.h"

void cns_remarks_write(const cns_ir_function *function, cns_text *bytes);
/* How many there are in bytes that may be anything; false when they are no remarks. */
bool cns_remarks_count(const void *bytes, size_t size, uint32_t *count);
/* requires: cns_remarks_count gave `count`. Texts are not copied. */
void cns_remarks_list(const void *bytes, cns_remark *list, uint32_t count);

#endif
