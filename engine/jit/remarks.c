/* SPDX-License-Identifier: MIT
 *
 * remarks.c - which loops LLVM vectorised, for explain().
 *
 * A loop that is open to LLVM's vectoriser carries a property of ours in its metadata: its place in
 * the source, and what most likely stands in the way. The vectoriser keeps it and adds its own
 * mark.
 */
#include <string.h>

#include "jit/jit.h"

static const char property_name[] = "cns.loop";
static const char mark[] = "llvm.loop.isvectorized";

enum { NODES = 16, LOOPS = 128 };

/* ---- before ---------------------------------------------------------------------------------- */

static bool is_checked(const cns_ir_instruction *code) {
    return (code->op == CNS_IR_LOAD || code->op == CNS_IR_STORE) && !(code->flags & CNS_IR_PROVEN);
}

/* What LLVM most likely will not see through; the loop is innermost. */
static const char *likely_obstacle(const cns_jit_lower *l, uint32_t loop) {
    const cns_ir_function *f = l->function;
    for (cns_ir_block_id b = 0; b < f->block_count; b++) {
        if (l->shape.loop_of[b] != loop) {
            continue;
        }
        for (cns_ir_value v = f->blocks[b].first; v != CNS_IR_NONE; v = cns_ir_at(f, v)->next) {
            if (is_checked(cns_ir_at(f, v))) {
                return "an index is checked in each iteration";
            }
        }
    }
    if (l->chunks[loop].open) {
        return "it may be left before its end";
    }
    const cns_ir_block *header = &f->blocks[l->shape.loops[loop].header];
    for (uint32_t i = 0; i < header->parameter_count; i++) {
        if (cns_ir_at(f, header->parameters[i])->type == CNS_VM_F64) {
            return "floats are put together in the order of the iterations (see option reassoc)";
        }
    }
    return "an iteration may depend on the one before";
}

LLVMMetadataRef cns_jit_loop_property(const cns_jit_lower *l, uint32_t loop) {
    const char *why = likely_obstacle(l, loop);
    uint32_t site = l->function->blocks[l->shape.loops[loop].latch].site;
    LLVMMetadataRef parts[3] = {
        LLVMMDStringInContext2(l->llvm, property_name, sizeof property_name - 1),
        LLVMValueAsMetadata(LLVMConstInt(l->type.i32, site, 0)),
        LLVMMDStringInContext2(l->llvm, why, strlen(why)),
    };
    return LLVMMDNodeInContext2(l->llvm, parts, 3);
}

/* ---- behind ---------------------------------------------------------------------------------- */

typedef struct found {
    uint32_t site;
    bool vectorised;
    char why[96];
} found;

typedef struct findings {
    found loops[LOOPS];
    uint32_t count;
} findings;

static bool begins_with(LLVMValueRef node, const char *name) {
    LLVMValueRef parts[NODES];
    unsigned length = 0, count = LLVMIsAMDNode(node) ? LLVMGetMDNodeNumOperands(node) : 0;
    if (count == 0 || count > NODES) {
        return false;
    }
    LLVMGetMDNodeOperands(node, parts);
    const char *text =
        parts[0] && LLVMIsAMDString(parts[0]) ? LLVMGetMDString(parts[0], &length) : NULL;
    return text && length == strlen(name) && memcmp(text, name, length) == 0;
}

static void note(findings *all, LLVMValueRef property, bool vectorised) {
    LLVMValueRef parts[NODES];
    LLVMGetMDNodeOperands(property, parts);
    uint32_t site = (uint32_t)LLVMConstIntGetZExtValue(parts[1]);
    for (uint32_t i = 0; i < all->count; i++) {
        if (all->loops[i].site == site) {
            all->loops[i].vectorised = all->loops[i].vectorised || vectorised;
            return;
        }
    }
    if (all->count < LOOPS) {
        found *one = &all->loops[all->count++];
        unsigned length = 0;
        const char *why = LLVMGetMDString(parts[2], &length);
        length = length < sizeof one->why ? length : (unsigned)sizeof one->why - 1;
        *one = (found){.site = site, .vectorised = vectorised};
        memcpy(one->why, why, length);
    }
}

static void look_at(findings *all, LLVMValueRef branch, unsigned kind) {
    LLVMValueRef parts[NODES], loop = LLVMGetMetadata(branch, kind), property = NULL;
    int count = loop ? LLVMGetMDNodeNumOperands(loop) : 0;
    bool vectorised = false;
    if (count == 0 || count > NODES) {
        return;
    }
    LLVMGetMDNodeOperands(loop, parts);
    for (int i = 1; i < count; i++) {
        vectorised = vectorised || begins_with(parts[i], mark);
        property = begins_with(parts[i], property_name) ? parts[i] : property;
    }
    if (property) {
        note(all, property, vectorised);
    }
}

void cns_jit_remark_loops(const cns_native_options *options, LLVMModuleRef module) {
    findings all = {.count = 0};
    unsigned kind = LLVMGetMDKindIDInContext(LLVMGetModuleContext(module), "llvm.loop", 9);
    if (!options->remark) {
        return;
    }
    for (LLVMValueRef f = LLVMGetFirstFunction(module); f; f = LLVMGetNextFunction(f)) {
        for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(f); b; b = LLVMGetNextBasicBlock(b)) {
            LLVMValueRef branch = LLVMGetBasicBlockTerminator(b);
            if (branch && LLVMHasMetadata(branch)) {
                look_at(&all, branch, kind);
            }
        }
    }
    for (uint32_t i = 0; i < all.count; i++) {
        const found *one = &all.loops[i];
        options->remark(options->remark_user,
                        one->vectorised ? CNS_REMARK_VECTORISED : CNS_REMARK_NOT_VECTORISED,
                        one->site, one->vectorised ? "by LLVM" : one->why);
    }
}
