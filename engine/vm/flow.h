/* SPDX-License-Identifier: MIT
 *
 * vm/flow.h - control flow and liveness of a Lua function: what the builder walks along.
 *
 * Basic blocks over the instructions of a checked proto. A comparison or test together with the
 * jump after it is one branch. Liveness says which registers a later instruction may still read,
 * so that versions of a block are told apart only by types that matter.
 */
#ifndef CNS_VM_FLOW_H
#define CNS_VM_FLOW_H

#include "vm/chunk.h"

enum { CNS_FLOW_REGISTERS = 256, CNS_FLOW_NONE = 0xffffffff };

typedef struct cns_register_set {
    uint64_t words[CNS_FLOW_REGISTERS / 64];
} cns_register_set;

static inline bool cns_register_set_has(const cns_register_set *set, uint32_t reg) {
    return set->words[reg / 64] >> (reg % 64) & 1;
}

typedef struct cns_flow_block {
    uint32_t begin; /* instructions [begin, end) */
    uint32_t end;
    uint32_t successors[2]; /* blocks; [0] is taken when the test fails its jump (falls through),
                               [1] when it jumps; CNS_FLOW_NONE for none */
    cns_register_set live;  /* on entry */
} cns_flow_block;

typedef struct cns_flow {
    cns_context *context;
    const cns_proto *proto;
    uint32_t block_count;
    cns_flow_block *blocks; /* in the order of the code; block 0 is the entry */
    uint32_t *block_of;     /* instruction -> block */
} cns_flow;

cns_status cns_flow_init(cns_flow *flow, cns_context *context, const cns_proto *proto);
void cns_flow_deinit(cns_flow *flow);
/* The registers that are live before the instruction at `pc`. */
void cns_flow_live_at(const cns_flow *flow, uint32_t pc, cns_register_set *out);
struct cns_text;
cns_status cns_flow_print(const cns_flow *flow, struct cns_text *text);

#endif
