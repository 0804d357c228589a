/* SPDX-License-Identifier: MIT
 *
 * memory.c - loads and stores of elements: bounds, conversions, traps.
 *
 * The rules are memory/element.h's: a conversion is exact or refused, but for a double that goes to
 * f32. The index is checked before the value, and neither where the optimiser proved it.
 */
#include "jit/jit.h"

LLVMTypeRef cns_jit_element_type(const cns_jit_lower *l, cns_type type) {
    switch (type) {
    case CNS_I8:
    case CNS_U8:
        return l->type.i8;
    case CNS_I16:
    case CNS_U16:
        return l->type.i16;
    case CNS_I32:
    case CNS_U32:
        return l->type.i32;
    case CNS_F32:
        return l->type.f32;
    case CNS_F64:
        return l->type.f64;
    default:
        return l->type.i64;
    }
}

static bool is_unsigned(cns_type type) {
    return type >= CNS_U8 && type <= CNS_U64;
}

static LLVMTypeRef of_lanes(LLVMTypeRef type, uint32_t lanes) {
    return lanes ? LLVMVectorType(type, lanes) : type;
}

static LLVMValueRef spread(LLVMValueRef scalar, uint32_t lanes) {
    LLVMValueRef all[64];
    for (uint32_t i = 0; i < lanes; i++) {
        all[i] = scalar;
    }
    return lanes ? LLVMConstVector(all, lanes) : scalar;
}

LLVMValueRef cns_jit_widen(cns_jit_lower *l, cns_type type, LLVMValueRef element, uint32_t lanes) {
    if (type == CNS_F64 || type == CNS_I64 || type == CNS_U64) {
        return element;
    }
    if (type == CNS_F32) {
        return LLVMBuildFPExt(l->build, element, of_lanes(l->type.f64, lanes), "");
    }
    LLVMTypeRef wide = of_lanes(l->type.i64, lanes);
    return is_unsigned(type) ? LLVMBuildZExt(l->build, element, wide, "")
                             : LLVMBuildSExt(l->build, element, wide, "");
}

LLVMValueRef cns_jit_narrow(cns_jit_lower *l, cns_type type, LLVMValueRef value, bool real,
                            uint32_t lanes) {
    LLVMTypeRef element = of_lanes(cns_jit_element_type(l, type), lanes);
    if (type >= CNS_F32) {
        return !real             ? LLVMBuildSIToFP(l->build, value, element, "")
               : type == CNS_F32 ? LLVMBuildFPTrunc(l->build, value, element, "")
                                 : value;
    }
    if (real) {
        LLVMTypeRef wide = of_lanes(l->type.i64, lanes);
        value = type == CNS_U64 ? LLVMBuildFPToUI(l->build, value, wide, "")
                                : LLVMBuildFPToSI(l->build, value, wide, "");
    }
    return type == CNS_I64 || type == CNS_U64 ? value
                                              : LLVMBuildTrunc(l->build, value, element, "");
}

/* ---- what does not fit ----------------------------------------------------------------------- */

/* An integer that no float of this type is: it does not come back, or would come back from 2^63. */
static LLVMValueRef is_rounded(cns_jit_lower *l, cns_type type, LLVMValueRef value,
                               uint32_t lanes) {
    LLVMTypeRef scalar = cns_jit_element_type(l, type);
    LLVMValueRef there = LLVMBuildSIToFP(l->build, value, of_lanes(scalar, lanes), "");
    LLVMValueRef end = spread(LLVMConstReal(scalar, 0x1p63), lanes);
    LLVMValueRef back = LLVMBuildFPToSI(l->build, there, of_lanes(l->type.i64, lanes), "");
    LLVMValueRef differs = LLVMBuildICmp(l->build, LLVMIntNE, back, value, "");
    LLVMValueRef inside = LLVMBuildFCmp(l->build, LLVMRealOLT, there, end, "");
    LLVMValueRef yes = spread(LLVMConstInt(l->type.i1, 1, 0), lanes);
    return LLVMBuildSelect(l->build, inside, differs, yes, "");
}

/* An integer beyond a narrow element: it does not come back. */
static LLVMValueRef is_beyond(cns_jit_lower *l, cns_type type, LLVMValueRef value, uint32_t lanes) {
    if (type == CNS_U64) {
        return LLVMBuildICmp(l->build, LLVMIntSLT, value, spread(cns_jit_int(l, 0), lanes), "");
    }
    LLVMTypeRef element = of_lanes(cns_jit_element_type(l, type), lanes);
    LLVMValueRef narrow = LLVMBuildTrunc(l->build, value, element, "");
    return LLVMBuildICmp(l->build, LLVMIntNE, cns_jit_widen(l, type, narrow, lanes), value, "");
}

/* A float that is no integer between the element's least and greatest. */
static LLVMValueRef is_outside(cns_jit_lower *l, cns_type type, LLVMValueRef value,
                               uint32_t lanes) {
    static const double ends[][2] = {
        [CNS_I8] = {-0x1p7, 0x1p7},    [CNS_I16] = {-0x1p15, 0x1p15}, [CNS_I32] = {-0x1p31, 0x1p31},
        [CNS_I64] = {-0x1p63, 0x1p63}, [CNS_U8] = {0, 0x1p8},         [CNS_U16] = {0, 0x1p16},
        [CNS_U32] = {0, 0x1p32},       [CNS_U64] = {0, 0x1p64},
    };
    LLVMValueRef low = spread(cns_jit_real(l, ends[type][0]), lanes);
    LLVMValueRef high = spread(cns_jit_real(l, ends[type][1]), lanes);
    LLVMTypeRef wide = of_lanes(l->type.f64, lanes);
    LLVMValueRef whole = cns_jit_intrinsic(l, "llvm.floor", wide, &value, 1);
    LLVMValueRef under = LLVMBuildFCmp(l->build, LLVMRealULT, value, low, "");
    LLVMValueRef over = LLVMBuildFCmp(l->build, LLVMRealUGE, value, high, "");
    LLVMValueRef broken = LLVMBuildFCmp(l->build, LLVMRealUNE, value, whole, "");
    return LLVMBuildOr(l->build, LLVMBuildOr(l->build, under, over, ""), broken, "");
}

LLVMValueRef cns_jit_misfit(cns_jit_lower *l, cns_type type, LLVMValueRef value, bool real,
                            uint32_t lanes) {
    if (type >= CNS_F32) {
        return real ? NULL : is_rounded(l, type, value, lanes);
    }
    if (real) {
        return is_outside(l, type, value, lanes);
    }
    return type == CNS_I64 ? NULL : is_beyond(l, type, value, lanes);
}

/* ---- accesses -------------------------------------------------------------------------------- */

/* The address of an element; the run ends where it is not there. */
static LLVMValueRef address(cns_jit_lower *l, const cns_ir_instruction *code, cns_type type) {
    LLVMValueRef index = l->values[code->operands[1]], one = cns_jit_int(l, 1), place;
    if (code->flags & CNS_IR_PROVEN) {
        place = LLVMBuildNSWSub(l->build, index, one, "");
    } else {
        LLVMValueRef count = l->counts[code->operands[0]];
        place = LLVMBuildSub(l->build, index, one, "");
        cns_jit_guard(l, LLVMBuildICmp(l->build, LLVMIntUGE, place, count, ""), CNS_TRAP_INDEX,
                      code->site, index, count);
    }
    return LLVMBuildInBoundsGEP2(l->build, cns_jit_element_type(l, type),
                                 l->values[code->operands[0]], &place, 1, "");
}

LLVMValueRef cns_jit_load(cns_jit_lower *l, const cns_ir_instruction *code) {
    cns_type type = cns_ir_element(cns_ir_at(l->function, code->operands[0])->type);
    LLVMValueRef place = address(l, code, type);
    LLVMValueRef element = LLVMBuildLoad2(l->build, cns_jit_element_type(l, type), place, "");
    if (type == CNS_U64) {
        LLVMValueRef negative = LLVMBuildICmp(l->build, LLVMIntSLT, element, cns_jit_int(l, 0), "");
        cns_jit_guard(l, negative, CNS_TRAP_LOAD, code->site, NULL, cns_jit_int(l, type));
    }
    return cns_jit_widen(l, type, element, 0);
}

void cns_jit_store(cns_jit_lower *l, const cns_ir_instruction *code) {
    cns_type type = cns_ir_element(cns_ir_at(l->function, code->operands[0])->type);
    bool real = cns_ir_at(l->function, code->operands[2])->type == CNS_VM_F64;
    LLVMValueRef value = l->values[code->operands[2]];
    LLVMValueRef place = address(l, code, type);
    LLVMValueRef misfit =
        code->flags & CNS_IR_CONVERTS ? NULL : cns_jit_misfit(l, type, value, real, 0);
    if (misfit) {
        cns_jit_guard(l, misfit, real ? CNS_TRAP_STORE_FLOAT : CNS_TRAP_STORE_INTEGER, code->site,
                      value, cns_jit_int(l, type));
    }
    LLVMBuildStore(l->build, cns_jit_narrow(l, type, value, real, 0), place);
}
