/* SPDX-License-Identifier: MIT
 *
 * vm/emit.h - what an object file and its header are made from: kernels as C functions.
 */
#ifndef CNS_VM_EMIT_H
#define CNS_VM_EMIT_H

#include "base/text.h"
#include "vm/ir.h"

enum { CNS_EMIT_PREFIX = 48, CNS_EMIT_SYMBOL = 256 };

typedef struct cns_emit_item {
    const cns_kernel *kernel;
    char symbol[CNS_EMIT_SYMBOL]; /* PREFIX_NAME, and the types where a name has several kernels */
    uint32_t result_count;
    uint8_t *results;      /* cns_vm_type; VOID where it is not the same at each return */
    cns_ir_function *code; /* optimised; NULL until an object file needs it */
} cns_emit_item;

typedef struct cns_emit_plan {
    cns_context *context;
    const cns_emit_config *config;
    uint32_t count;
    cns_emit_item *items;
} cns_emit_plan;

/* Checks the configuration, whose kernels must outlive the plan. */
cns_status cns_emit_plan_init(cns_emit_plan *plan, cns_context *context,
                              const cns_emit_config *config);
void cns_emit_plan_deinit(cns_emit_plan *plan);
/* The type of an argument, NIL where it is none. */
uint8_t cns_emit_argument(const cns_ir_function *ir, uint32_t index);

#endif
