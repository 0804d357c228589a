/* SPDX-License-Identifier: MIT
 *
 * libm.c - exp and log of vectors for object files, which are linked without the engine: written
 * into the module, step by step the engine's own (vm/libm_steps.inc). What is in doubt the C
 * library is asked for, so the results are its own wherever it keeps glibc's bounds.
 */
#include <stdio.h>
#include <string.h>

#include "jit/jit.h"

#define LIBM_INLINE static

/* Where a function is being written to. */
typedef struct writing {
    cns_jit_lower l; /* with a builder of its own */
    const cns_jit_math *row;
    uint32_t lanes;
    LLVMTypeRef real, whole, words; /* a vector as doubles, as integers of 64 and of 32 bits */
} writing;

typedef const writing *steps;
typedef LLVMValueRef doubles, naturals;

/* ---- operations ------------------------------------------------------------------------------ */

static LLVMValueRef repeat(steps at, LLVMValueRef constant) {
    LLVMValueRef lanes[8];
    for (uint32_t i = 0; i < at->lanes; i++) {
        lanes[i] = constant;
    }
    return LLVMConstVector(lanes, at->lanes);
}

static doubles all(steps at, double x) {
    return repeat(at, cns_jit_real(&at->l, x));
}

static naturals all_bits(steps at, uint64_t bits) {
    return repeat(at, LLVMConstInt(at->l.type.i64, bits, 0));
}

static doubles add(steps at, doubles a, doubles b) {
    return LLVMBuildFAdd(at->l.build, a, b, "");
}

static doubles sub(steps at, doubles a, doubles b) {
    return LLVMBuildFSub(at->l.build, a, b, "");
}

static doubles mul(steps at, doubles a, doubles b) {
    return LLVMBuildFMul(at->l.build, a, b, "");
}

static doubles fma_of(steps at, doubles a, doubles b, doubles c) {
    LLVMValueRef operands[3] = {a, b, c};
    return cns_jit_intrinsic(&at->l, "llvm.fma", at->real, operands, 3);
}

static naturals differ(steps at, doubles a, doubles b) {
    LLVMValueRef unequal = LLVMBuildFCmp(at->l.build, LLVMRealUNE, a, b, "");
    return LLVMBuildSExt(at->l.build, unequal, at->whole, "");
}

static naturals bits_of(steps at, doubles a) {
    return LLVMBuildBitCast(at->l.build, a, at->whole, "");
}

static doubles of_bits(steps at, naturals a) {
    return LLVMBuildBitCast(at->l.build, a, at->real, "");
}

static naturals add_bits(steps at, naturals a, naturals b) {
    return LLVMBuildAdd(at->l.build, a, b, "");
}

static naturals sub_bits(steps at, naturals a, naturals b) {
    return LLVMBuildSub(at->l.build, a, b, "");
}

static naturals both(steps at, naturals a, naturals b) {
    return LLVMBuildAnd(at->l.build, a, b, "");
}

static naturals either(steps at, naturals a, naturals b) {
    return LLVMBuildOr(at->l.build, a, b, "");
}

static naturals shift_left(steps at, naturals a, uint32_t count) {
    return LLVMBuildShl(at->l.build, a, all_bits(at, count), "");
}

static naturals shift_right(steps at, naturals a, uint32_t count) {
    return LLVMBuildLShr(at->l.build, a, all_bits(at, count), "");
}

#include "vm/libm_steps.inc"

/* ---- tables ---------------------------------------------------------------------------------- */

static LLVMValueRef word(steps at, uint32_t value) {
    return LLVMConstInt(at->l.type.i32, value, 0);
}

static LLVMValueRef shuffle_words(steps at, LLVMValueRef a, LLVMValueRef b,
                                  const uint32_t *places) {
    LLVMValueRef list[16];
    for (uint32_t i = 0; i < 2 * at->lanes; i++) {
        list[i] = word(at, places[i]);
    }
    return LLVMBuildShuffleVector(at->l.build, a, b, LLVMConstVector(list, 2 * at->lanes), "");
}

/* A word of `from` for each place: as many as go into a vector. */
static LLVMValueRef permute(steps at, const uint32_t *from, naturals places) {
    LLVMValueRef list[16];
    for (uint32_t i = 0; i < 2 * at->lanes; i++) {
        list[i] = word(at, from[i]);
    }
    const char *name = at->lanes == 8 ? "llvm.x86.avx512.permvar.si.512" : "llvm.x86.avx2.permd";
    LLVMValueRef operands[2] = {LLVMConstVector(list, 2 * at->lanes),
                                LLVMBuildBitCast(at->l.build, places, at->words, "")};
    return cns_jit_intrinsic(&at->l, name, NULL, operands, 2);
}

/* A lane's last word in both of its own: permutations look at its last three bits. Sixteen words at
 * once are a whole table, where the upper half has the other eight. */
static naturals places_of(steps at, naturals index) {
    static const uint32_t even[16] = {0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14};
    LLVMValueRef words = LLVMBuildBitCast(at->l.build, index, at->words, "");
    naturals pairs =
        LLVMBuildBitCast(at->l.build, shuffle_words(at, words, words, even), at->whole, "");
    if (at->lanes == 4) {
        return pairs;
    }
    pairs = both(at, pairs, all_bits(at, UINT64_C(0x0000000700000007)));
    return either(at, pairs, all_bits(at, UINT64_C(0x0000000800000000)));
}

static doubles look_up(steps at, const table from, naturals places) {
    static const uint32_t merge[8] = {0, 9, 2, 11, 4, 13, 6, 15};
    LLVMValueRef words = permute(at, from, places);
    if (at->lanes == 4) {
        words = shuffle_words(at, words, permute(at, from + 8, places), merge);
    }
    return LLVMBuildBitCast(at->l.build, words, at->real, "");
}

static doubles look_up_short(steps at, const table from, naturals places) {
    if (at->lanes == 8) {
        return look_up(at, from, places);
    }
    LLVMValueRef high = permute(at, from + 8, places);
    high = LLVMBuildBitCast(at->l.build, high, at->whole, "");
    return of_bits(at, shift_left(at, high, 32));
}

/* ---- lanes in doubt -------------------------------------------------------------------------- */

static LLVMValueRef new_function(writing *at, const char *part, LLVMTypeRef *types,
                                 uint32_t count) {
    char name[CNS_JIT_SYMBOL];
    snprintf(name, sizeof name, "cns.%s%s.%.40s", at->row->name, part, at->l.target->cpu);
    at->l.code =
        LLVMAddFunction(at->l.module, name, LLVMFunctionType(at->l.type.none, types, count, 0));
    LLVMSetLinkage(at->l.code, LLVMInternalLinkage);
    cns_jit_attribute(&at->l, at->l.code, "nounwind", 0);
    cns_jit_target_attributes(&at->l, at->l.code);
    LLVMPositionBuilderAtEnd(at->l.build, cns_jit_block(&at->l, "entry"));
    return at->l.code;
}

/* The address of one vector in memory. */
static LLVMValueRef vector_at(steps at, LLVMValueRef values, uint32_t index) {
    LLVMValueRef place = cns_jit_int(&at->l, index);
    return LLVMBuildInBoundsGEP2(at->l.build, at->real, values, &place, 1, "");
}

static doubles read(steps at, LLVMValueRef values, uint32_t index) {
    LLVMValueRef made = LLVMBuildLoad2(at->l.build, at->real, vector_at(at, values, index), "");
    LLVMSetAlignment(made, 8);
    return made;
}

static void write(steps at, LLVMValueRef values, uint32_t index, doubles vector) {
    LLVMSetAlignment(LLVMBuildStore(at->l.build, vector, vector_at(at, values, index)), 8);
}

static LLVMValueRef splat(steps at, LLVMValueRef scalar, LLVMTypeRef vector) {
    LLVMValueRef none = LLVMGetPoison(vector), zero = word(at, 0);
    LLVMValueRef first = LLVMBuildInsertElement(at->l.build, none, scalar, zero, "");
    return LLVMBuildShuffleVector(at->l.build, first, none, repeat(at, zero), "");
}

/* `into` with `value` in the lane whose number, from `base`, is `lane`. */
static doubles put(steps at, doubles into, uint32_t base, LLVMValueRef lane, LLVMValueRef value) {
    LLVMValueRef places[8];
    for (uint32_t i = 0; i < at->lanes; i++) {
        places[i] = cns_jit_int(&at->l, base + i);
    }
    LLVMValueRef here = LLVMBuildICmp(at->l.build, LLVMIntEQ, LLVMConstVector(places, at->lanes),
                                      splat(at, lane, at->whole), "");
    return LLVMBuildSelect(at->l.build, here, splat(at, value, at->real), into, "");
}

/* The C library's result of the lane that the last bit of `which` names. */
static LLVMValueRef ask(writing *at, LLVMValueRef values, LLVMValueRef which, LLVMValueRef *lane) {
    cns_jit_lower *l = &at->l;
    LLVMValueRef operands[2] = {which, LLVMConstInt(l->type.i1, 1, 0)};
    LLVMValueRef first = cns_jit_intrinsic(l, "llvm.cttz", l->type.i32, operands, 2);
    *lane = LLVMBuildZExt(l->build, first, l->type.i64, "");
    LLVMValueRef place = LLVMBuildInBoundsGEP2(l->build, l->type.f64, values, lane, 1, "");
    LLVMValueRef x = LLVMBuildLoad2(l->build, l->type.f64, place, "");
    return cns_jit_math_call(l, at->row->name, &x, 1, 0);
}

/* Writes both vectors, the lanes of `which` from the C library. These go into the vectors one by
 * one, and a function of its own does it, for the reasons that vm/libm_lanes.inc gives. */
static LLVMValueRef write_asking(writing *at) {
    cns_jit_lower *l = &at->l;
    LLVMTypeRef types[4] = {l->type.pointer, at->real, at->real, l->type.i32};
    LLVMValueRef code = new_function(at, ".ask", types, 4), values = LLVMGetParam(code, 0);
    cns_jit_attribute(l, code, "cold", 0);
    cns_jit_attribute(l, code, "noinline", 0);
    LLVMBasicBlockRef entry = LLVMGetInsertBlock(l->build), loop = cns_jit_block(l, "loop");
    LLVMBasicBlockRef done = cns_jit_block(l, "done");
    LLVMBuildBr(l->build, loop);
    LLVMPositionBuilderAtEnd(l->build, loop);
    LLVMValueRef phis[3], next[3], lane;
    for (uint32_t i = 0; i < 3; i++) {
        phis[i] = LLVMBuildPhi(l->build, types[i + 1], "");
    }
    LLVMValueRef value = ask(at, values, phis[2], &lane);
    next[0] = put(at, phis[0], 0, lane, value);
    next[1] = put(at, phis[1], at->lanes, lane, value);
    LLVMValueRef less = LLVMBuildSub(l->build, phis[2], word(at, 1), "");
    next[2] = LLVMBuildAnd(l->build, phis[2], less, "");
    for (uint32_t i = 0; i < 3; i++) {
        LLVMValueRef incoming[2] = {LLVMGetParam(code, i + 1), next[i]};
        LLVMAddIncoming(phis[i], incoming, (LLVMBasicBlockRef[]){entry, loop}, 2);
    }
    LLVMBuildCondBr(l->build, LLVMBuildIsNull(l->build, next[2], ""), done, loop);
    LLVMPositionBuilderAtEnd(l->build, done);
    write(at, values, 0, next[0]);
    write(at, values, 1, next[1]);
    LLVMBuildRetVoid(l->build);
    return code;
}

/* ---- two vectors ----------------------------------------------------------------------------- */

/* A bit for each lane whose first one is set. */
static LLVMValueRef signs_of(steps at, naturals lanes) {
    LLVMValueRef below =
        LLVMBuildICmp(at->l.build, LLVMIntSLT, lanes, LLVMConstNull(at->whole), "");
    LLVMTypeRef type = LLVMIntTypeInContext(at->l.llvm, at->lanes);
    LLVMValueRef bits = LLVMBuildBitCast(at->l.build, below, type, "");
    return LLVMBuildZExt(at->l.build, bits, at->l.type.i32, "");
}

static LLVMValueRef write_function(writing *at) {
    cns_jit_lower *l = &at->l;
    LLVMValueRef asking = write_asking(at);
    LLVMValueRef code = new_function(at, "", &l->type.pointer, 1), values = LLVMGetParam(code, 0);
    doubles (*of)(steps, doubles, naturals *) = at->row->op == CNS_IR_EXP_F64 ? exp_of : log_of;
    naturals doubt = NULL, more = NULL;
    doubles first = read(at, values, 0), second = read(at, values, 1);
    first = of(at, first, &doubt);
    second = of(at, second, &more);
    more = LLVMBuildShl(l->build, signs_of(at, more), word(at, at->lanes), "");
    LLVMValueRef which = LLVMBuildOr(l->build, signs_of(at, doubt), more, "");
    LLVMBasicBlockRef some = cns_jit_block(l, "some"), none = cns_jit_block(l, "none");
    LLVMValueRef branch =
        LLVMBuildCondBr(l->build, LLVMBuildIsNull(l->build, which, ""), none, some);
    LLVMSetMetadata(branch, l->cold, LLVMMetadataAsValue(l->llvm, l->likely));
    LLVMPositionBuilderAtEnd(l->build, some);
    LLVMValueRef arguments[4] = {values, first, second, which};
    LLVMBuildCall2(l->build, LLVMGlobalGetValueType(asking), asking, arguments, 4, "");
    LLVMBuildRetVoid(l->build);
    LLVMPositionBuilderAtEnd(l->build, none);
    write(at, values, 0, first);
    write(at, values, 1, second);
    LLVMBuildRetVoid(l->build);
    return code;
}

/* ---- entry ----------------------------------------------------------------------------------- */

bool cns_jit_libm_brings(const cns_jit_lower *l, const cns_jit_math *row) {
    const char *triple = l->jit->triple;
    bool bound_known = strncmp(triple, "x86_64", 6) == 0 && strstr(triple, "-linux-gnu");
    return l->target->alone && (l->target->lanes == 4 || l->target->lanes == 8) && bound_known &&
           (row->op == CNS_IR_EXP_F64 || row->op == CNS_IR_LOG_F64);
}

LLVMValueRef cns_jit_libm(const cns_jit_lower *l, const cns_jit_math *row) {
    char name[CNS_JIT_SYMBOL];
    snprintf(name, sizeof name, "cns.%s.%.40s", row->name, l->target->cpu);
    LLVMValueRef made = LLVMGetNamedFunction(l->module, name);
    if (made) {
        return made;
    }
    writing at = {.l = *l, .row = row, .lanes = l->target->lanes};
    at.real = LLVMVectorType(l->type.f64, at.lanes);
    at.whole = LLVMVectorType(l->type.i64, at.lanes);
    at.words = LLVMVectorType(l->type.i32, 2 * at.lanes);
    at.l.build = LLVMCreateBuilderInContext(l->llvm);
    made = write_function(&at);
    LLVMDisposeBuilder(at.l.build);
    return made;
}
