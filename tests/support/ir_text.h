/* SPDX-License-Identifier: MIT
 *
 * ir_text.h - functions in SSA form from the text that cns_ir_print writes, and back.
 *
 * Values may have any names (letters, digits, `_`, `.`), blocks any numbers; the types of results
 * may be left out. A `; line N` is a site in "k.lua". What cannot be read fails the test.
 */
#ifndef CNS_TEST_IR_TEXT_H
#define CNS_TEST_IR_TEXT_H

#include "vm/ir.h"

cns_ir_function *support_ir_parse(cns_context *context, const char *text);
/* The n-th (from 0) instruction with this operation, in block order; CNS_IR_NONE for none. */
cns_ir_value support_ir_find(const cns_ir_function *function, cns_ir_op op, uint32_t n);
/* Fails the test unless `function` is what `text` says, whatever the names and numbers, the order
 * of constants, and constants without users. Compacts `function`. */
void support_ir_expect(cns_ir_function *function, const char *text);

#endif
