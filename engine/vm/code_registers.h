/* SPDX-License-Identifier: MIT
 *
 * vm/code_registers.h - which register each value of a function lives in.
 */
#ifndef CNS_VM_CODE_REGISTERS_H
#define CNS_VM_CODE_REGISTERS_H

#include "vm/ir.h"

enum { CNS_REGISTER_NONE = 0xffff };

/* What lowering decides before registers are given out. */
typedef struct cns_code_plan {
    const cns_ir_function *function; /* compact: blocks in reverse postorder */
    cns_arena *arena;
    uint32_t *uses;  /* of each value */
    bool *folded;    /* value -> made by its one user, which uses its operands instead */
    uint16_t *place; /* out: value -> register; NONE for none. Arguments and constants are set */
    uint32_t first;  /* the first register to give out */
    uint32_t end;    /* out: one past the last */
} cns_code_plan;

/* Gives every value that needs one a register. An edge's argument shares its parameter's where
 * both are never alive at once. CNS_E_LIMIT beyond 65535 registers. */
cns_status cns_code_assign(cns_code_plan *plan);

#endif
