/* SPDX-License-Identifier: MIT
 *
 * spmd_values.c - what a group of iterations is made of: values of all lanes, masks, loads and
 * stores.
 */
#include "jit/spmd_group.h"

#include <string.h>

typedef cns_jit_group group;

/* ---- values ---------------------------------------------------------------------------------- */

LLVMTypeRef cns_spmd_vector_of(const group *g, LLVMTypeRef type) {
    return LLVMVectorType(type, g->lanes);
}

LLVMTypeRef cns_spmd_type_of(const group *g, cns_ir_value v) {
    uint8_t type = cns_ir_at(g->l->function, v)->type;
    return type == CNS_VM_F64    ? g->l->type.f64
           : type == CNS_VM_BOOL ? g->l->type.i1
                                 : g->l->type.i64;
}

static bool is_inside(const group *g, cns_ir_value v) {
    cns_ir_block_id block = cns_ir_at(g->l->function, v)->block;
    return block >= g->plan.first && block <= g->plan.last;
}

uint8_t cns_spmd_kind_of(const group *g, cns_ir_value v) {
    return is_inside(g, v) ? g->plan.values[v].kind : (uint8_t)CNS_SPMD_UNIFORM;
}

LLVMValueRef cns_spmd_scalar_of(const group *g, cns_ir_value v) {
    return is_inside(g, v) ? g->scalars[v] : g->l->values[v];
}

LLVMValueRef cns_spmd_splat(const group *g, LLVMValueRef scalar) {
    LLVMBuilderRef b = g->l->build;
    LLVMValueRef all[64];
    if (LLVMIsConstant(scalar)) {
        for (uint32_t i = 0; i < g->lanes; i++) {
            all[i] = scalar;
        }
        return LLVMConstVector(all, g->lanes);
    }
    LLVMTypeRef type = cns_spmd_vector_of(g, LLVMTypeOf(scalar));
    LLVMValueRef zero = LLVMConstInt(g->l->type.i32, 0, 0);
    LLVMValueRef first = LLVMBuildInsertElement(b, LLVMGetPoison(type), scalar, zero, "");
    LLVMValueRef places = LLVMConstNull(cns_spmd_vector_of(g, g->l->type.i32));
    return LLVMBuildShuffleVector(b, first, LLVMGetPoison(type), places, "");
}

/* 0, stride, 2 * stride, ... */
LLVMValueRef cns_spmd_ramp(const group *g, int64_t stride) {
    LLVMValueRef all[64];
    for (uint32_t i = 0; i < g->lanes; i++) {
        all[i] = cns_jit_int(g->l, (int64_t)(i * (uint64_t)stride));
    }
    return LLVMConstVector(all, g->lanes);
}

LLVMValueRef cns_spmd_vector_at(const group *g, cns_ir_value v) {
    switch (cns_spmd_kind_of(g, v)) {
    case CNS_SPMD_UNIFORM:
        return cns_spmd_splat(g, cns_spmd_scalar_of(g, v));
    case CNS_SPMD_STRIDED:
        return LLVMBuildAdd(g->l->build, cns_spmd_splat(g, cns_spmd_scalar_of(g, v)),
                            cns_spmd_ramp(g, g->plan.values[v].stride), "");
    default:
        return g->vectors[v];
    }
}

static LLVMValueRef call(const group *g, const char *name, LLVMTypeRef *types, uint32_t type_count,
                         LLVMValueRef *operands, uint32_t count) {
    const cns_jit_lower *l = g->l;
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(l->module, id, types, type_count);
    LLVMTypeRef signature = LLVMIntrinsicGetType(l->llvm, id, types, type_count);
    return LLVMBuildCall2(l->build, signature, function, operands, count, "");
}

/* ---- masks ----------------------------------------------------------------------------------- */

LLVMValueRef cns_spmd_none(const group *g) {
    return LLVMConstNull(g->mask_type);
}

LLVMValueRef cns_spmd_mask_of(const group *g, LLVMValueRef condition) {
    return g->wide ? LLVMBuildSExt(g->l->build, condition, g->mask_type, "") : condition;
}

/* A mask as a vector of i1. */
static LLVMValueRef lanes_of(const group *g, LLVMValueRef mask) {
    return g->wide ? LLVMBuildICmp(g->l->build, LLVMIntSLT, mask, cns_spmd_none(g), "") : mask;
}

/* Lanes of `mask` where `condition` holds; it may be poison elsewhere. */
LLVMValueRef cns_spmd_both(const group *g, LLVMValueRef mask, LLVMValueRef condition) {
    if (!g->wide) {
        return LLVMBuildSelect(g->l->build, mask, condition, cns_spmd_none(g), "");
    }
    LLVMValueRef sound = LLVMBuildFreeze(g->l->build, condition, "");
    return LLVMBuildAnd(g->l->build, mask, cns_spmd_mask_of(g, sound), "");
}

LLVMValueRef cns_spmd_any(const group *g, LLVMValueRef mask) {
    LLVMTypeRef bits = LLVMIntTypeInContext(g->l->llvm, g->lanes);
    LLVMTypeRef type = g->mask_type;
    LLVMValueRef all = g->wide ? call(g, "llvm.vector.reduce.or", &type, 1, &mask, 1)
                               : LLVMBuildBitCast(g->l->build, mask, bits, "");
    return LLVMBuildIsNotNull(g->l->build, all, "");
}

LLVMValueRef cns_spmd_blend(const group *g, LLVMValueRef mask, LLVMValueRef yes, LLVMValueRef no) {
    return no ? LLVMBuildSelect(g->l->build, lanes_of(g, mask), yes, no, "") : yes;
}

LLVMValueRef cns_spmd_join(const group *g, LLVMValueRef a, LLVMValueRef b) {
    return b ? LLVMBuildOr(g->l->build, a, b, "") : a;
}

void cns_jit_group_guard(cns_jit_lower *l, LLVMValueRef bad) {
    group *g = l->group;
    bool scalar = LLVMTypeOf(bad) == l->type.i1;
    LLVMValueRef leaves = scalar ? bad : cns_spmd_any(g, cns_spmd_both(g, g->mask, bad));
    if (scalar && !g->sure) {
        LLVMValueRef no = LLVMConstInt(l->type.i1, 0, 0);
        leaves = LLVMBuildSelect(l->build, cns_spmd_any(g, g->mask), bad, no, "");
    }
    LLVMBasicBlockRef on = cns_jit_block(l, "lanes.on");
    LLVMValueRef branch = LLVMBuildCondBr(l->build, leaves, g->bail, on);
    LLVMSetMetadata(branch, l->cold, LLVMMetadataAsValue(l->llvm, l->weights));
    LLVMPositionBuilderAtEnd(l->build, on);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void check_index(group *g, const cns_ir_instruction *code) {
    cns_jit_lower *l = g->l;
    if (code->flags & CNS_IR_PROVEN) {
        return;
    }
    bool scalar = cns_spmd_kind_of(g, code->operands[1]) == CNS_SPMD_UNIFORM;
    LLVMValueRef one = cns_jit_int(l, 1), count = l->counts[code->operands[0]];
    LLVMValueRef index = scalar ? cns_spmd_scalar_of(g, code->operands[1])
                                : cns_spmd_vector_at(g, code->operands[1]);
    LLVMValueRef place = LLVMBuildSub(l->build, index, scalar ? one : cns_spmd_splat(g, one), "");
    cns_jit_group_guard(l, LLVMBuildICmp(l->build, LLVMIntUGE, place,
                                         scalar ? count : cns_spmd_splat(g, count), ""));
}

/* The address of lane 0's element, or of each lane's. */
static LLVMValueRef address(const group *g, const cns_ir_instruction *code, cns_type type,
                            bool scalar) {
    cns_jit_lower *l = g->l;
    LLVMValueRef one = cns_jit_int(l, 1);
    LLVMValueRef index = scalar ? cns_spmd_scalar_of(g, code->operands[1])
                                : cns_spmd_vector_at(g, code->operands[1]);
    LLVMValueRef place = LLVMBuildSub(l->build, index, scalar ? one : cns_spmd_splat(g, one), "");
    return LLVMBuildGEP2(l->build, cns_jit_element_type(l, type), l->values[code->operands[0]],
                         &place, 1, "");
}

static bool is_contiguous(const group *g, cns_ir_value index) {
    return cns_spmd_kind_of(g, index) == CNS_SPMD_STRIDED && g->plan.values[index].stride == 1;
}

static LLVMValueRef element_size(const group *g, cns_type type) {
    LLVMTypeRef element = cns_jit_element_type(g->l, type);
    unsigned long long size = LLVMABISizeOfType(g->l->target->layout, element);
    return LLVMConstInt(g->l->type.i32, size, 0);
}

void cns_spmd_load(group *g, cns_ir_value v) {
    cns_jit_lower *l = g->l;
    const cns_ir_instruction *code = cns_ir_at(l->function, v);
    cns_type type = cns_ir_element(cns_ir_at(l->function, code->operands[0])->type);
    LLVMTypeRef element = cns_jit_element_type(l, type);
    bool uniform = cns_spmd_kind_of(g, v) == CNS_SPMD_UNIFORM;
    bool row = is_contiguous(g, code->operands[1]);
    check_index(g, code);
    LLVMValueRef place = address(g, code, type, uniform || row), loaded;
    if (uniform) {
        loaded = LLVMBuildLoad2(l->build, element, place, "");
    } else {
        LLVMTypeRef types[2] = {cns_spmd_vector_of(g, element), LLVMTypeOf(place)};
        LLVMValueRef operands[4] = {place, element_size(g, type), lanes_of(g, g->mask),
                                    LLVMConstNull(types[0])};
        loaded = call(g, row ? "llvm.masked.load" : "llvm.masked.gather", types, 2, operands, 4);
    }
    if (type == CNS_U64) {
        LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(loaded));
        cns_jit_group_guard(l, LLVMBuildICmp(l->build, LLVMIntSLT, loaded, zero, ""));
    }
    LLVMValueRef value = cns_jit_widen(l, type, loaded, uniform ? 0 : g->lanes);
    *(uniform ? &g->scalars[v] : &g->vectors[v]) = value;
}

static void store_lanes(const group *g, cns_type type, LLVMValueRef value, LLVMValueRef place,
                        bool row) {
    LLVMTypeRef types[2] = {LLVMTypeOf(value), LLVMTypeOf(place)};
    LLVMValueRef operands[4] = {value, place, element_size(g, type), lanes_of(g, g->mask)};
    call(g, row ? "llvm.masked.store" : "llvm.masked.scatter", types, 2, operands, 4);
}

/* For all lanes of a group, of which only the last one is not whole: a masked store without
 * registers for masks takes AMD's processors as long as a division, and of short elements becomes
 * one store a lane. */
static void store_row(const group *g, cns_type type, LLVMValueRef value, LLVMValueRef place) {
    cns_jit_lower *l = g->l;
    LLVMBasicBlockRef whole = cns_jit_block(l, "row.whole"), part = cns_jit_block(l, "row.part");
    LLVMBasicBlockRef on = cns_jit_block(l, "row.on");
    LLVMValueRef branch = LLVMBuildCondBr(l->build, g->whole, whole, part);
    LLVMSetMetadata(branch, l->cold, LLVMMetadataAsValue(l->llvm, l->likely));
    LLVMPositionBuilderAtEnd(l->build, whole);
    LLVMValueRef made = LLVMBuildStore(l->build, value, place);
    LLVMSetAlignment(made,
                     (unsigned)LLVMABISizeOfType(l->target->layout, cns_jit_element_type(l, type)));
    LLVMBuildBr(l->build, on);
    LLVMPositionBuilderAtEnd(l->build, part);
    store_lanes(g, type, value, place, true);
    LLVMBuildBr(l->build, on);
    LLVMPositionBuilderAtEnd(l->build, on);
}

void cns_spmd_store(group *g, const cns_ir_instruction *code) {
    cns_jit_lower *l = g->l;
    cns_type type = cns_ir_element(cns_ir_at(l->function, code->operands[0])->type);
    bool real = cns_ir_at(l->function, code->operands[2])->type == CNS_VM_F64;
    bool row = is_contiguous(g, code->operands[1]);
    LLVMValueRef value = cns_spmd_vector_at(g, code->operands[2]);
    check_index(g, code);
    LLVMValueRef misfit =
        code->flags & CNS_IR_CONVERTS ? NULL : cns_jit_misfit(l, type, value, real, g->lanes);
    if (misfit) {
        cns_jit_group_guard(l, misfit);
    }
    LLVMValueRef place = address(g, code, type, row);
    LLVMValueRef narrow = cns_jit_narrow(l, type, value, real, g->lanes);
    if (row && g->wide && g->mask == g->masks[0]) {
        store_row(g, type, narrow, place);
    } else {
        store_lanes(g, type, narrow, place, row);
    }
}
