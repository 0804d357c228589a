/* SPDX-License-Identifier: MIT
 *
 * lower.c - a function's graph of blocks as LLVM's: entry, edges, polls, traps, results.
 *
 * Blocks are emitted in reverse postorder, so that a value is there before its uses; a block's
 * parameters become phis. What an edge does besides jumping (polling on the way back, chunking and
 * vectorising on the way into a loop) lies in blocks of its own. All traps meet in one cold block.
 * Buffers are plain pointers: LLVM finds out by tests at run time what does not overlap.
 */
#include "jit/jit.h"

#include <stddef.h>
#include <string.h>

/* ---- what emitters share --------------------------------------------------------------------- */

LLVMValueRef cns_jit_int(const cns_jit_lower *l, int64_t value) {
    return LLVMConstInt(l->type.i64, (unsigned long long)value, 1);
}

LLVMValueRef cns_jit_real(const cns_jit_lower *l, double value) {
    return LLVMConstReal(l->type.f64, value);
}

LLVMBasicBlockRef cns_jit_block(const cns_jit_lower *l, const char *name) {
    return LLVMAppendBasicBlockInContext(l->llvm, l->code, name);
}

LLVMValueRef cns_jit_intrinsic(const cns_jit_lower *l, const char *name, LLVMTypeRef type,
                               LLVMValueRef *operands, uint32_t count) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    size_t types = type ? 1 : 0;
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(l->module, id, &type, types);
    LLVMTypeRef signature = LLVMIntrinsicGetType(l->llvm, id, &type, types);
    return LLVMBuildCall2(l->build, signature, function, operands, count, "");
}

static LLVMAttributeRef attribute(const cns_jit_lower *l, const char *name, uint64_t value) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    return LLVMCreateEnumAttribute(l->llvm, kind, value);
}

void cns_jit_attribute(const cns_jit_lower *l, LLVMValueRef function, const char *name,
                       uint64_t value) {
    LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex, attribute(l, name, value));
}

void cns_jit_remark(const cns_jit_lower *l, cns_remark_kind kind, uint32_t site, const char *text) {
    if (l->options->remark) {
        l->options->remark(l->options->remark_user, kind, site, text);
    }
}

static void set_text_attribute(const cns_jit_lower *l, LLVMValueRef function, const char *name,
                               const char *value) {
    LLVMAttributeRef made = LLVMCreateStringAttribute(l->llvm, name, (unsigned)strlen(name), value,
                                                      (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex, made);
}

void cns_jit_target_attributes(const cns_jit_lower *l, LLVMValueRef function) {
    const cns_jit_target *target = l->target;
    const char *width = target->lanes >= 8 ? "512" : target->lanes >= 4 ? "256" : "128";
    set_text_attribute(l, function, "target-cpu", target->cpu);
    set_text_attribute(l, function, "target-features", target->features);
    set_text_attribute(l, function, "prefer-vector-width", width);
}

/* ---- fields of structures -------------------------------------------------------------------- */

static LLVMValueRef field(const cns_jit_lower *l, LLVMValueRef base, size_t offset) {
    LLVMValueRef place = cns_jit_int(l, (int64_t)offset);
    return LLVMBuildInBoundsGEP2(l->build, l->type.i8, base, &place, 1, "");
}

static LLVMValueRef get_field(const cns_jit_lower *l, LLVMTypeRef type, LLVMValueRef base,
                              size_t offset) {
    return LLVMBuildLoad2(l->build, type, field(l, base, offset), "");
}

static void set_field(const cns_jit_lower *l, LLVMValueRef base, size_t offset,
                      LLVMValueRef value) {
    LLVMBuildStore(l->build, value, field(l, base, offset));
}

/* ---- traps ----------------------------------------------------------------------------------- */

static LLVMValueRef as_bits(const cns_jit_lower *l, LLVMValueRef value) {
    return LLVMTypeOf(value) == l->type.f64 ? LLVMBuildBitCast(l->build, value, l->type.i64, "")
                                            : value;
}

/* A trap's site and kind go together, as one constant. */
enum { KIND_BITS = 4, KIND_MASK = (1 << KIND_BITS) - 1 };
_Static_assert((int)CNS_TRAP_STOPPED <= (int)KIND_MASK, "the last kind");

/* Ends the current block with a jump to the trap's. */
static void emit_trap(cns_jit_lower *l, cns_trap_kind kind, uint32_t site, LLVMValueRef payload,
                      LLVMValueRef other) {
    LLVMValueRef zero = cns_jit_int(l, 0);
    LLVMValueRef values[3] = {cns_jit_int(l, (int64_t)site << KIND_BITS | kind),
                              payload ? as_bits(l, payload) : zero, other ? other : zero};
    LLVMValueRef phis[3] = {l->trap_place, l->trap_payload, l->trap_other};
    LLVMBasicBlockRef from = LLVMGetInsertBlock(l->build);
    LLVMBuildBr(l->build, l->trap);
    for (int i = 0; i < 3; i++) {
        LLVMAddIncoming(phis[i], &values[i], &from, 1);
    }
}

void cns_jit_guard(cns_jit_lower *l, LLVMValueRef bad, cns_trap_kind kind, uint32_t site,
                   LLVMValueRef payload, LLVMValueRef other) {
    if (l->group) {
        cns_jit_group_guard(l, bad);
        return;
    }
    LLVMBasicBlockRef stop = cns_jit_block(l, "stop");
    LLVMBasicBlockRef on = cns_jit_block(l, "on");
    LLVMValueRef branch = LLVMBuildCondBr(l->build, bad, stop, on);
    LLVMSetMetadata(branch, l->cold, LLVMMetadataAsValue(l->llvm, l->weights));
    LLVMPositionBuilderAtEnd(l->build, stop);
    emit_trap(l, kind, site, payload, other);
    LLVMPositionBuilderAtEnd(l->build, on);
}

static void emit_trap_block(cns_jit_lower *l) {
    LLVMPositionBuilderAtEnd(l->build, l->trap);
    if (!LLVMCountIncoming(l->trap_place)) {
        LLVMDeleteBasicBlock(l->trap);
        return;
    }
    size_t base = offsetof(cns_run, trap);
    LLVMValueRef kind = LLVMBuildAnd(l->build, l->trap_place, cns_jit_int(l, KIND_MASK), "");
    LLVMValueRef site = LLVMBuildLShr(l->build, l->trap_place, cns_jit_int(l, KIND_BITS), "");
    kind = LLVMBuildTrunc(l->build, kind, l->type.i32, "kind");
    set_field(l, l->run, base + offsetof(cns_trap, kind), kind);
    set_field(l, l->run, base + offsetof(cns_trap, site),
              LLVMBuildTrunc(l->build, site, l->type.i32, "site"));
    set_field(l, l->run, base + offsetof(cns_trap, integer), l->trap_payload);
    set_field(l, l->run, base + offsetof(cns_trap, other), l->trap_other);
    LLVMBuildRet(l->build, kind);
}

/* ---- polls ----------------------------------------------------------------------------------- */

/* Asks the engine whether the run may go on. It sees none of the buffers. */
static void emit_poll(cns_jit_lower *l, uint32_t site) {
    if (l->options->unattended) {
        return;
    }
    LLVMTypeRef type = LLVMFunctionType(l->type.i32, &l->type.pointer, 1, 0);
    LLVMValueRef poll = LLVMGetNamedFunction(l->module, CNS_JIT_ASK);
    if (!poll) {
        poll = LLVMAddFunction(l->module, CNS_JIT_ASK, type);
        cns_jit_attribute(l, poll, "nounwind", 0);
        cns_jit_attribute(l, poll, "cold", 0);
        cns_jit_attribute(l, poll, "memory", 12); /* what no kernel can reach */
    }
    LLVMBuildStore(l->build, cns_jit_int(l, l->poll_every), l->budget);
    LLVMValueRef status = LLVMBuildCall2(l->build, type, poll, &l->run, 1, "");
    LLVMValueRef bad = LLVMBuildIsNotNull(l->build, status, "");
    cns_jit_guard(l, bad, CNS_TRAP_STOPPED, site, LLVMBuildSExt(l->build, status, l->type.i64, ""),
                  NULL);
}

/* Takes `iterations` from the budget. */
static LLVMValueRef spend(cns_jit_lower *l, LLVMValueRef iterations) {
    LLVMValueRef before = LLVMBuildLoad2(l->build, l->type.i64, l->budget, "");
    LLVMValueRef after = LLVMBuildSub(l->build, before, iterations, "");
    LLVMBuildStore(l->build, after, l->budget);
    return after;
}

void cns_jit_poll(cns_jit_lower *l, uint32_t site) {
    if (l->options->unattended) {
        return;
    }
    LLVMValueRef left = spend(l, cns_jit_int(l, 1));
    LLVMValueRef due = LLVMBuildICmp(l->build, LLVMIntSLT, left, cns_jit_int(l, 0), "");
    LLVMBasicBlockRef poll = cns_jit_block(l, "poll");
    LLVMBasicBlockRef on = cns_jit_block(l, "next");
    LLVMValueRef branch = LLVMBuildCondBr(l->build, due, poll, on);
    LLVMSetMetadata(branch, l->cold, LLVMMetadataAsValue(l->llvm, l->weights));
    LLVMPositionBuilderAtEnd(l->build, poll);
    emit_poll(l, site);
    LLVMBuildBr(l->build, on);
    LLVMPositionBuilderAtEnd(l->build, on);
}

/* ---- edges ----------------------------------------------------------------------------------- */

static uint32_t loop_headed_by(const cns_jit_lower *l, cns_ir_block_id block) {
    uint32_t loop = l->shape.loop_of[block];
    return loop != CNS_IR_NONE && l->shape.loops[loop].header == block ? loop : CNS_IR_NONE;
}

/* In the version of a loop that will likely trap. */
static bool is_cold(const cns_jit_lower *l, uint32_t loop) {
    for (; loop != CNS_IR_NONE; loop = l->shape.loops[loop].parent) {
        if (l->function->blocks[l->shape.loops[loop].header].flags & CNS_IR_COLD) {
            return true;
        }
    }
    return false;
}

/* Gives a loop, at its way back, a property for LLVM. */
static void set_property(const cns_jit_lower *l, LLVMValueRef branch, LLVMMetadataRef property) {
    /* A loop's name is a node that contains itself. */
    LLVMMetadataRef self = LLVMTemporaryMDNode(l->llvm, NULL, 0);
    LLVMMetadataRef parts[2] = {self, property};
    LLVMMetadataRef name = LLVMMDNodeInContext2(l->llvm, parts, 2);
    LLVMMetadataReplaceAllUsesWith(self, name);
    LLVMSetMetadata(branch, LLVMGetMDKindIDInContext(l->llvm, "llvm.loop", 9),
                    LLVMMetadataAsValue(l->llvm, name));
}

/* LLVM need not make it fast: what is rarely run is soon compiled. */
static void leave_alone(const cns_jit_lower *l, LLVMValueRef branch) {
    static const char text[] = "llvm.loop.disable_nonforced";
    LLVMMetadataRef name = LLVMMDStringInContext2(l->llvm, text, sizeof text - 1);
    set_property(l, branch, LLVMMDNodeInContext2(l->llvm, &name, 1));
}

static void add_incoming(LLVMValueRef phi, LLVMValueRef value, LLVMBasicBlockRef from) {
    LLVMAddIncoming(phi, &value, &from, 1);
}

/* The arguments of an edge. An index that counts a loop never wraps on its way back: said here, not
 * where the sum is computed, which other code may use after the last iteration. */
static void read_arguments(cns_jit_lower *l, const cns_ir_edge *edge, uint32_t back_loop,
                           LLVMValueRef *out) {
    const cns_ir_block *target = &l->function->blocks[edge->target];
    for (uint32_t i = 0; i < edge->count; i++) {
        out[i] = l->values[edge->arguments[i]];
        if (back_loop == CNS_IR_NONE ||
            !(l->chunks[back_loop].counted || l->chunks[back_loop].open)) {
            continue;
        }
        const cns_ir_for *match = &l->chunks[back_loop].match;
        if (match->index != CNS_IR_NONE && target->parameters[i] == match->index) {
            out[i] = LLVMBuildNSWAdd(l->build, l->values[match->index], l->values[match->step], "");
        }
    }
}

/* Enters a loop that runs in chunks, from outside (remaining as passed) or for the next chunk. */
static void enter_chunks(cns_jit_lower *l, uint32_t loop, LLVMValueRef *arguments) {
    const cns_jit_chunk *chunk = &l->chunks[loop];
    const cns_ir_block *header = &l->function->blocks[l->shape.loops[loop].header];
    LLVMBasicBlockRef from = LLVMGetInsertBlock(l->build);
    LLVMBuildBr(l->build, chunk->head);
    for (uint32_t i = 0; i < header->parameter_count; i++) {
        add_incoming(chunk->phis[i], arguments[i], from);
    }
}

static cns_status enter_loop(cns_jit_lower *l, uint32_t loop, LLVMValueRef *arguments) {
    const cns_ir_block *header = &l->function->blocks[l->shape.loops[loop].header];
    cns_status status = cns_jit_spmd(l, loop, arguments);
    if (status != CNS_OK) {
        return status;
    }
    if (l->chunks[loop].active) {
        enter_chunks(l, loop, arguments);
        return CNS_OK;
    }
    LLVMBasicBlockRef from = LLVMGetInsertBlock(l->build);
    LLVMBuildBr(l->build, l->blocks[l->shape.loops[loop].header]);
    for (uint32_t i = 0; i < header->parameter_count; i++) {
        add_incoming(l->phis[header->parameters[i]], arguments[i], from);
    }
    return CNS_OK;
}

enum { ARGUMENTS_MAX = 512, UNROLLED_MAX = 256 };

/* Iterations of the chunk before this one. */
static LLVMValueRef passed(const cns_jit_lower *l, const cns_jit_chunk *chunk) {
    return chunk->left ? LLVMBuildSub(l->build, chunk->size, chunk->left, "")
                       : LLVMBuildNSWSub(l->build, l->values[chunk->match.index], chunk->first, "");
}

/* Where an edge is a break out of a loop in chunks: the budget pays for what has run of the chunk.
 */
static void settle_break(cns_jit_lower *l, cns_ir_block_id block, const cns_ir_edge *edge) {
    uint32_t loop = l->shape.loop_of[block];
    const cns_jit_chunk *chunk = loop == CNS_IR_NONE ? NULL : &l->chunks[loop];
    if (chunk && chunk->active && chunk->open && block != l->shape.loops[loop].latch &&
        !l->jit->services->loop_contains(&l->shape, loop, edge->target)) {
        spend(l, passed(l, chunk));
    }
}

/* Ends the current block, which is (the end of) `block`, along one of its edges. */
static cns_status emit_edge(cns_jit_lower *l, cns_ir_block_id block, const cns_ir_edge *edge) {
    LLVMValueRef arguments[ARGUMENTS_MAX];
    if (edge->count > ARGUMENTS_MAX) {
        return l->jit->services->fail(l->jit->context, CNS_E_LIMIT,
                                      "kernel %s: a loop carries more than %d values",
                                      l->function->name, ARGUMENTS_MAX);
    }
    uint32_t loop = loop_headed_by(l, edge->target);
    bool back = loop != CNS_IR_NONE && l->jit->services->loop_contains(&l->shape, loop, block);
    read_arguments(l, edge, back ? loop : CNS_IR_NONE, arguments);
    settle_break(l, block, edge);
    if (loop != CNS_IR_NONE && !back) {
        return enter_loop(l, loop, arguments);
    }
    if (back) {
        cns_jit_poll(l, l->function->blocks[block].site);
    }
    const cns_ir_block *target = &l->function->blocks[edge->target];
    LLVMBasicBlockRef from = LLVMGetInsertBlock(l->build);
    LLVMValueRef branch = LLVMBuildBr(l->build, l->blocks[edge->target]);
    if (back && (l->chunks[loop].cold || l->chunks[loop].grouped)) {
        leave_alone(l, branch);
    }
    for (uint32_t i = 0; i < edge->count; i++) {
        add_incoming(l->phis[target->parameters[i]], arguments[i], from);
    }
    return CNS_OK;
}

cns_status cns_jit_edge(cns_jit_lower *l, cns_ir_block_id block, uint32_t edge) {
    return emit_edge(l, block, &l->function->blocks[block].edges[edge]);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

/* Whether an access in `block` says that the index is one of a buffer, so far from overflow. */
static bool is_index_of_buffer(const cns_jit_lower *l, cns_ir_block_id block, cns_ir_value index) {
    const cns_ir_function *f = l->function;
    for (cns_ir_value v = f->blocks[block].first; v != CNS_IR_NONE; v = cns_ir_at(f, v)->next) {
        const cns_ir_instruction *code = cns_ir_at(f, v);
        if ((code->op == CNS_IR_LOAD || code->op == CNS_IR_STORE) && code->operands[1] == index) {
            return true;
        }
    }
    return false;
}

/* Whether the next index may be computed in the last iteration, too: each trip makes an access. */
static bool may_step_on(const cns_jit_lower *l, uint32_t loop) {
    const cns_ir_for *match = &l->chunks[loop].match;
    if (match->index == CNS_IR_NONE) {
        return false;
    }
    const cns_ir_instruction *step = cns_ir_at(l->function, match->step);
    return step->op == CNS_IR_CONST_I64 && step->i == 1 &&
           (is_index_of_buffer(l, l->shape.loops[loop].header, match->index) ||
            is_index_of_buffer(l, l->shape.loops[loop].latch, match->index));
}

/* What ends a chunk. One count is enough: an index that goes up by 1 is it where it can be. */
static void begin_counting(cns_jit_lower *l, uint32_t loop, LLVMBasicBlockRef body) {
    cns_jit_chunk *chunk = &l->chunks[loop];
    if (may_step_on(l, loop)) {
        LLVMValueRef one = cns_jit_int(l, 1);
        chunk->first = chunk->phis[cns_ir_at(l->function, chunk->match.index)->index];
        LLVMValueRef count = LLVMBuildNUWAdd(l->build, chunk->size, one, "");
        chunk->end = LLVMBuildNSWAdd(l->build, chunk->first, count, "end");
        LLVMBuildBr(l->build, body);
        LLVMPositionBuilderAtEnd(l->build, body);
    } else {
        LLVMBuildBr(l->build, body);
        LLVMPositionBuilderAtEnd(l->build, body);
        chunk->left = LLVMBuildPhi(l->build, l->type.i64, "left");
        add_incoming(chunk->left, chunk->size, chunk->head);
    }
}

/* Whether this iteration is the chunk's last; and the step of `left`, where that counts. */
static LLVMValueRef end_counting(cns_jit_lower *l, const cns_jit_chunk *chunk) {
    LLVMValueRef one = cns_jit_int(l, 1);
    if (!chunk->left) {
        LLVMValueRef next = LLVMBuildNSWAdd(l->build, l->values[chunk->match.index], one, "");
        return LLVMBuildICmp(l->build, LLVMIntEQ, next, chunk->end, "");
    }
    LLVMValueRef left = LLVMBuildNUWSub(l->build, chunk->left, one, "");
    add_incoming(chunk->left, left, LLVMGetInsertBlock(l->build));
    return LLVMBuildICmp(l->build, LLVMIntEQ, chunk->left, cns_jit_int(l, 0), "");
}

/* The latch of a loop in chunks: round the inner loop, round the chunks, or out. */
static cns_status emit_chunk_latch(cns_jit_lower *l, cns_ir_block_id id, uint32_t loop) {
    const cns_ir_block *latch = &l->function->blocks[id];
    const cns_ir_block *header = &l->function->blocks[l->shape.loops[loop].header];
    cns_jit_chunk *chunk = &l->chunks[loop];
    LLVMValueRef next[ARGUMENTS_MAX];
    if (header->parameter_count > ARGUMENTS_MAX) {
        return l->jit->services->fail(l->jit->context, CNS_E_LIMIT,
                                      "kernel %s: a loop carries more than %d values",
                                      l->function->name, ARGUMENTS_MAX);
    }
    read_arguments(l, &latch->edges[1], loop, next);
    LLVMValueRef over = end_counting(l, chunk);
    LLVMBasicBlockRef from = LLVMGetInsertBlock(l->build);
    LLVMBasicBlockRef after = cns_jit_block(l, "chunk.done");
    LLVMBasicBlockRef more = cns_jit_block(l, "chunk.more");
    LLVMBasicBlockRef out = cns_jit_block(l, "chunks.done");
    LLVMValueRef branch =
        LLVMBuildCondBr(l->build, over, after, l->blocks[l->shape.loops[loop].header]);
    if (chunk->grouped) {
        leave_alone(l, branch);
    } else {
        set_property(l, branch, cns_jit_loop_property(l, loop));
    }
    for (uint32_t i = 0; i < header->parameter_count; i++) {
        if (header->parameters[i] != chunk->match.remaining) {
            add_incoming(l->phis[header->parameters[i]], next[i], from);
        }
    }
    LLVMPositionBuilderAtEnd(l->build, after);
    LLVMValueRef done = LLVMBuildNUWAdd(l->build, chunk->size, cns_jit_int(l, 1), "");
    spend(l, done);
    LLVMValueRef last = LLVMBuildICmp(l->build, LLVMIntEQ, chunk->size, chunk->remaining, "");
    LLVMBuildCondBr(l->build, last, out, more);
    LLVMPositionBuilderAtEnd(l->build, more);
    emit_poll(l, latch->site);
    next[cns_ir_at(l->function, chunk->match.remaining)->index] =
        LLVMBuildNUWSub(l->build, chunk->remaining, done, "");
    enter_chunks(l, loop, next);
    LLVMPositionBuilderAtEnd(l->build, out);
    return emit_edge(l, id, &latch->edges[0]);
}

/* The loop over chunks, around the header's block. */
static void begin_chunks(cns_jit_lower *l, uint32_t loop) {
    cns_jit_chunk *chunk = &l->chunks[loop];
    cns_ir_block_id id = l->shape.loops[loop].header;
    const cns_ir_block *header = &l->function->blocks[id];
    LLVMPositionBuilderAtEnd(l->build, chunk->head);
    uint32_t place = cns_ir_at(l->function, chunk->match.remaining)->index;
    chunk->remaining = chunk->phis[place];
    LLVMValueRef sizes[2] = {chunk->remaining, cns_jit_int(l, l->poll_every - 1)};
    chunk->size = cns_jit_intrinsic(l, "llvm.umin", l->type.i64, sizes, 2);
    begin_counting(l, loop, l->blocks[id]);
    for (uint32_t i = 0; i < header->parameter_count; i++) {
        cns_ir_value parameter = header->parameters[i];
        if (parameter != chunk->match.remaining) {
            add_incoming(l->phis[parameter], chunk->phis[i], chunk->head);
        }
    }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static LLVMTypeRef value_type(const cns_jit_lower *l, uint8_t type) {
    return type == CNS_VM_F64 ? l->type.f64 : type == CNS_VM_BOOL ? l->type.i1 : l->type.i64;
}

/* Phis of all parameters, which edges fill in; those of a loop in chunks twice. */
static void make_phis(cns_jit_lower *l, cns_ir_block_id id) {
    const cns_ir_block *block = &l->function->blocks[id];
    uint32_t loop = loop_headed_by(l, id);
    cns_jit_chunk *chunk = loop != CNS_IR_NONE && l->chunks[loop].active ? &l->chunks[loop] : NULL;
    for (uint32_t i = 0; i < block->parameter_count; i++) {
        cns_ir_value parameter = block->parameters[i];
        LLVMTypeRef type = value_type(l, cns_ir_at(l->function, parameter)->type);
        if (chunk) {
            LLVMPositionBuilderAtEnd(l->build, chunk->head);
            chunk->phis[i] = LLVMBuildPhi(l->build, type, "");
        }
        if (!chunk || parameter != chunk->match.remaining) {
            LLVMPositionBuilderAtEnd(l->build, l->blocks[id]);
            l->phis[parameter] = l->values[parameter] = LLVMBuildPhi(l->build, type, "");
        }
    }
}

static void emit_results(cns_jit_lower *l, const cns_ir_edge *results) {
    LLVMValueRef list = get_field(l, l->type.pointer, l->run, offsetof(cns_run, results));
    for (uint32_t i = 0; i < results->count; i++) {
        cns_ir_value value = results->arguments[i];
        size_t place = i * sizeof(cns_vm_value);
        uint8_t type = value == CNS_IR_NONE ? CNS_VM_NIL : cns_ir_at(l->function, value)->type;
        LLVMValueRef payload = value == CNS_IR_NONE ? cns_jit_int(l, 0) : l->values[value];
        if (type == CNS_VM_BOOL) {
            payload = LLVMBuildZExt(l->build, payload, l->type.i64, "");
        }
        set_field(l, list, place, payload);
        set_field(l, list, place + offsetof(cns_vm_value, type), cns_jit_int(l, type));
    }
    set_field(l, l->run, offsetof(cns_run, result_count),
              LLVMConstInt(l->type.i32, results->count, 0));
    LLVMBuildRet(l->build, LLVMConstInt(l->type.i32, 0, 0));
}

static cns_status emit_branch(cns_jit_lower *l, cns_ir_block_id id) {
    const cns_ir_block *block = &l->function->blocks[id];
    LLVMBasicBlockRef yes = cns_jit_block(l, "yes");
    LLVMBasicBlockRef no = cns_jit_block(l, "no");
    LLVMValueRef branch = LLVMBuildCondBr(l->build, l->values[block->condition], yes, no);
    if (l->function->blocks[block->edges[1].target].flags & CNS_IR_COLD) {
        LLVMSetMetadata(branch, l->cold, LLVMMetadataAsValue(l->llvm, l->likely));
    }
    LLVMPositionBuilderAtEnd(l->build, yes);
    cns_status status = emit_edge(l, id, &block->edges[0]);
    if (status == CNS_OK) {
        LLVMPositionBuilderAtEnd(l->build, no);
        status = emit_edge(l, id, &block->edges[1]);
    }
    return status;
}

static void emit_instruction(cns_jit_lower *l, cns_ir_value value) {
    const cns_ir_instruction *code = cns_ir_at(l->function, value);
    LLVMValueRef operands[CNS_IR_OPERANDS];
    switch (code->op) {
    case CNS_IR_NOP:
    case CNS_IR_ARGUMENT:
    case CNS_IR_CONST_BOOL:
    case CNS_IR_CONST_I64:
    case CNS_IR_CONST_F64:
        return; /* there from the start */
    case CNS_IR_LEN:
        l->values[value] = l->counts[code->operands[0]];
        return;
    case CNS_IR_LOAD:
        l->values[value] = cns_jit_load(l, code);
        return;
    case CNS_IR_STORE:
        cns_jit_store(l, code);
        return;
    case CNS_IR_FORK_PASS:
    case CNS_IR_FORK:
    case CNS_IR_FORK_GET_I64:
    case CNS_IR_FORK_GET_F64:
        l->values[value] = cns_jit_fork(l, code);
        return;
    case CNS_IR_WITHIN:
        operands[0] = l->counts[code->operands[0]];
        break;
    default:
        operands[0] = l->values[code->operands[0]];
    }
    for (uint32_t i = 1; i < code->operand_count; i++) {
        operands[i] = l->values[code->operands[i]];
    }
    l->values[value] = cns_jit_operation(l, code, operands, 0);
}

static cns_status emit_block(cns_jit_lower *l, cns_ir_block_id id) {
    const cns_ir_block *block = &l->function->blocks[id];
    uint32_t loop = l->shape.loop_of[id];
    uint32_t headed = loop_headed_by(l, id);
    if (headed != CNS_IR_NONE && l->chunks[headed].active) {
        begin_chunks(l, headed);
    }
    LLVMPositionBuilderAtEnd(l->build, l->blocks[id]);
    if (headed != CNS_IR_NONE && l->chunks[headed].active) {
        const cns_jit_chunk *chunk = &l->chunks[headed];
        l->values[chunk->match.remaining] =
            LLVMBuildSub(l->build, chunk->remaining, passed(l, chunk), "");
    }
    for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = cns_ir_at(l->function, v)->next) {
        emit_instruction(l, v);
    }
    switch ((cns_ir_end)block->end) {
    case CNS_IR_JUMP:
        return emit_edge(l, id, &block->edges[0]);
    case CNS_IR_BRANCH:
        if (loop != CNS_IR_NONE && l->chunks[loop].active && l->shape.loops[loop].latch == id) {
            return emit_chunk_latch(l, id, loop);
        }
        return emit_branch(l, id);
    case CNS_IR_RETURN:
        emit_results(l, &block->edges[0]);
        return CNS_OK;
    case CNS_IR_END_NONE:
        break;
    }
    return l->jit->services->fail(l->jit->context, CNS_E_CORRUPT, "kernel %s: block %u has no end",
                                  l->function->name, id);
}

/* ---- the entry ------------------------------------------------------------------------------- */

static void set_range(cns_jit_lower *l, LLVMValueRef load, int64_t from, int64_t to) {
    LLVMMetadataRef bounds[2] = {LLVMValueAsMetadata(cns_jit_int(l, from)),
                                 LLVMValueAsMetadata(cns_jit_int(l, to))};
    LLVMMetadataRef range = LLVMMDNodeInContext2(l->llvm, bounds, 2);
    LLVMSetMetadata(load, LLVMGetMDKindIDInContext(l->llvm, "range", 5),
                    LLVMMetadataAsValue(l->llvm, range));
}

static void emit_arguments(cns_jit_lower *l) {
    const cns_ir_function *f = l->function;
    LLVMValueRef list = get_field(l, l->type.pointer, l->run, offsetof(cns_run, arguments));
    for (uint32_t i = 0; i < f->argument_count; i++) {
        cns_ir_value value = f->arguments[i];
        if (value == CNS_IR_NONE) {
            continue; /* nil */
        }
        uint8_t type = cns_ir_at(f, value)->type;
        size_t place = i * sizeof(cns_vm_value);
        if (cns_ir_is_buffer(type)) {
            l->values[value] = get_field(l, l->type.pointer, list, place);
            l->counts[value] =
                get_field(l, l->type.i64, list, place + offsetof(cns_vm_value, count));
            set_range(l, l->counts[value], 0, INT64_C(1) << 48);
        } else if (type == CNS_VM_BOOL) {
            l->values[value] =
                LLVMBuildIsNotNull(l->build, get_field(l, l->type.i64, list, place), "");
        } else {
            l->values[value] = get_field(l, value_type(l, type), list, place);
        }
    }
}

static void make_constants(cns_jit_lower *l) {
    for (uint32_t i = 0; i < l->function->instruction_count; i++) {
        const cns_ir_instruction *code = cns_ir_at(l->function, i);
        if (code->op == CNS_IR_CONST_I64) {
            l->values[i] = cns_jit_int(l, code->i);
        } else if (code->op == CNS_IR_CONST_F64) {
            l->values[i] = cns_jit_real(l, code->f);
        } else if (code->op == CNS_IR_CONST_BOOL) {
            l->values[i] = LLVMConstInt(l->type.i1, code->i != 0, 0);
        }
    }
}

static void make_trap(cns_jit_lower *l) {
    l->trap = cns_jit_block(l, "trap");
    LLVMPositionBuilderAtEnd(l->build, l->trap);
    l->trap_place = LLVMBuildPhi(l->build, l->type.i64, "place");
    l->trap_payload = LLVMBuildPhi(l->build, l->type.i64, "payload");
    l->trap_other = LLVMBuildPhi(l->build, l->type.i64, "other");
    l->cold = LLVMGetMDKindIDInContext(l->llvm, "prof", 4);
    LLVMMetadataRef parts[3] = {
        LLVMMDStringInContext2(l->llvm, "branch_weights", 14),
        LLVMValueAsMetadata(LLVMConstInt(l->type.i32, 1, 0)),
        LLVMValueAsMetadata(LLVMConstInt(l->type.i32, 1 << 20, 0)),
    };
    l->weights = LLVMMDNodeInContext2(l->llvm, parts, 3);
    LLVMMetadataRef turned[3] = {parts[0], parts[2], parts[1]};
    l->likely = LLVMMDNodeInContext2(l->llvm, turned, 3);
}

static void make_function(cns_jit_lower *l, const char *symbol) {
    LLVMTypeRef type = LLVMFunctionType(l->type.i32, &l->type.pointer, 1, 0);
    l->code = LLVMAddFunction(l->module, symbol, type);
    l->run = LLVMGetParam(l->code, 0);
    LLVMAddAttributeAtIndex(l->code, 1, attribute(l, "noalias", 0));
    cns_jit_attribute(l, l->code, "nounwind", 0);
    cns_jit_target_attributes(l, l->code);
}

static void make_blocks(cns_jit_lower *l) {
    for (uint32_t i = 0; i < l->shape.order_count; i++) {
        cns_ir_block_id id = l->shape.order[i];
        uint32_t loop = loop_headed_by(l, id);
        if (loop != CNS_IR_NONE && l->chunks[loop].active) {
            l->chunks[loop].head = cns_jit_block(l, "chunk");
        }
        l->blocks[id] = cns_jit_block(l, "block");
    }
}

/* fmod(1e308, 3) takes as long as a thousand other operations. */
static int64_t poll_every(const cns_ir_function *f) {
    for (cns_ir_value v = 0; v < f->instruction_count; v++) {
        const cns_ir_instruction *code = cns_ir_at(f, v);
        if (code->block != CNS_IR_NONE &&
            (code->op == CNS_IR_MOD_F64 || code->op == CNS_IR_FMOD_F64)) {
            return CNS_JIT_POLL_FMOD;
        }
    }
    return CNS_JIT_POLL;
}

static cns_status emit_all(cns_jit_lower *l, const char *symbol) {
    l->poll_every = poll_every(l->function);
    make_function(l, symbol);
    LLVMBasicBlockRef entry = cns_jit_block(l, "entry");
    make_trap(l);
    make_blocks(l);
    for (uint32_t i = 0; i < l->shape.order_count; i++) {
        make_phis(l, l->shape.order[i]);
    }
    make_constants(l);
    LLVMPositionBuilderAtEnd(l->build, entry);
    l->budget = LLVMBuildAlloca(l->build, l->type.i64, "budget");
    LLVMBuildStore(l->build, cns_jit_int(l, l->poll_every), l->budget);
    cns_jit_make_slots(l);
    emit_arguments(l);
    LLVMBuildBr(l->build, l->blocks[0]);
    cns_status status = CNS_OK;
    for (uint32_t i = 0; i < l->shape.order_count && status == CNS_OK; i++) {
        status = emit_block(l, l->shape.order[i]);
    }
    if (status == CNS_OK) {
        emit_trap_block(l);
    }
    return status;
}

/* ---- loops that can be unrolled ---------------------------------------------------------------
 */

/* A note in the module: it has a loop that runs a small, constant number of times. */
static const char note[] = "cns.unroll";

static void note_short_loop(const cns_jit_lower *l, const cns_ir_for *match) {
    const cns_ir_instruction *count = cns_ir_at(l->function, match->initial_remaining);
    if (count->op == CNS_IR_CONST_I64 && count->i >= 0 && count->i < UNROLLED_MAX) {
        (void)LLVMGetOrInsertNamedMetadata(l->module, note, sizeof note - 1);
    }
}

bool cns_jit_may_unroll(LLVMModuleRef module) {
    return LLVMGetNamedMetadata(module, note, sizeof note - 1) != NULL;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static void find_chunks(cns_jit_lower *l, LLVMValueRef *phis) {
    for (uint32_t i = 0; i < l->shape.loop_count; i++) {
        cns_jit_chunk *chunk = &l->chunks[i];
        chunk->counted = l->jit->services->for_match(l->function, &l->shape, i, &chunk->match);
        chunk->open = !chunk->counted &&
                      l->jit->services->for_match_early(l->function, &l->shape, i, &chunk->match);
        if (chunk->counted || chunk->open) {
            note_short_loop(l, &chunk->match);
        }
        chunk->cold = is_cold(l, i);
        chunk->active =
            (chunk->counted || chunk->open) && l->shape.loops[i].innermost && !chunk->cold;
        if (chunk->active) {
            chunk->phis = phis;
            phis += l->function->blocks[l->shape.loops[i].header].parameter_count;
        }
    }
}

/* One stretch of memory for all arrays. */
static cns_status allocate(cns_jit_lower *l) {
    const size_t values = l->function->instruction_count;
    const size_t blocks = l->function->block_count, loops = l->shape.loop_count;
    l->memory_size = 4 * values * sizeof(LLVMValueRef) + blocks * sizeof(LLVMBasicBlockRef) +
                     loops * sizeof(cns_jit_chunk) + 1;
    l->memory = l->jit->services->calloc(l->jit->context, l->memory_size);
    if (!l->memory) {
        return l->jit->services->memory_status(l->jit->context, l->memory_size);
    }
    l->chunks = l->memory;
    l->blocks = (LLVMBasicBlockRef *)(l->chunks + loops);
    l->values = (LLVMValueRef *)(l->blocks + blocks);
    l->counts = l->values + values;
    l->phis = l->counts + values;
    find_chunks(l, l->phis + values); /* parameters are values: enough room */
    return CNS_OK;
}

static void init_types(cns_jit_lower *l) {
    l->type = (cns_jit_types){
        .i1 = LLVMInt1TypeInContext(l->llvm),
        .i8 = LLVMInt8TypeInContext(l->llvm),
        .i16 = LLVMInt16TypeInContext(l->llvm),
        .i32 = LLVMInt32TypeInContext(l->llvm),
        .i64 = LLVMInt64TypeInContext(l->llvm),
        .f32 = LLVMFloatTypeInContext(l->llvm),
        .f64 = LLVMDoubleTypeInContext(l->llvm),
        .pointer = LLVMPointerTypeInContext(l->llvm, 0),
        .none = LLVMVoidTypeInContext(l->llvm),
    };
}

cns_status cns_jit_lower_function(cns_jit *jit, const cns_native_options *options,
                                  const cns_jit_target *target, const cns_ir_function *function,
                                  LLVMModuleRef module, const char *symbol) {
    cns_jit_lower l = {.jit = jit,
                       .options = options,
                       .target = target,
                       .function = function,
                       .llvm = LLVMGetModuleContext(module),
                       .module = module};
    cns_status status = jit->services->shape_init(&l.shape, function);
    if (status != CNS_OK) {
        return status;
    }
    status = cns_jit_lower_bodies(jit, options, target, function, module, symbol);
    status = status == CNS_OK ? allocate(&l) : status;
    if (status == CNS_OK) {
        init_types(&l);
        l.build = LLVMCreateBuilderInContext(l.llvm);
        status = cns_jit_spmd_plan(&l);
        status = status == CNS_OK ? emit_all(&l, symbol) : status;
        LLVMDisposeBuilder(l.build);
        jit->services->free(jit->context, l.memory, l.memory_size, CNS_ALIGN_DEFAULT);
    }
    jit->services->shape_deinit(&l.shape);
    return status;
}
