/* SPDX-License-Identifier: MIT
 *
 * lower_ops.c - one operation of ops.h as LLVM instructions.
 *
 * What is undefined in LLVM (a division by 0, a float that no integer is near) is computed only
 * behind a guard, or of operands that were made harmless, or chosen away by a select, which stops
 * poison. Operations that do not trap work on vectors of `lanes` as well.
 */
#include "jit/jit.h"

typedef struct op {
    cns_jit_lower *l;
    LLVMBuilderRef b;
    uint32_t lanes;
    uint32_t site;
} op;

static LLVMValueRef spread(const op *o, LLVMValueRef scalar) {
    LLVMValueRef all[64];
    for (uint32_t i = 0; i < o->lanes; i++) {
        all[i] = scalar;
    }
    return o->lanes ? LLVMConstVector(all, o->lanes) : scalar;
}

static LLVMValueRef integer(const op *o, int64_t value) {
    return spread(o, cns_jit_int(o->l, value));
}

static LLVMValueRef real(const op *o, double value) {
    return spread(o, cns_jit_real(o->l, value));
}

static LLVMTypeRef type_of(const op *o, LLVMTypeRef scalar) {
    return o->lanes ? LLVMVectorType(scalar, o->lanes) : scalar;
}

static LLVMValueRef compare(const op *o, LLVMIntPredicate predicate, LLVMValueRef a,
                            LLVMValueRef b) {
    return LLVMBuildICmp(o->b, predicate, a, b, "");
}

static LLVMValueRef compare_real(const op *o, LLVMRealPredicate predicate, LLVMValueRef a,
                                 LLVMValueRef b) {
    return LLVMBuildFCmp(o->b, predicate, a, b, "");
}

static LLVMValueRef choose(const op *o, LLVMValueRef condition, LLVMValueRef yes, LLVMValueRef no) {
    return LLVMBuildSelect(o->b, condition, yes, no, "");
}

static LLVMValueRef both(const op *o, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildAnd(o->b, a, b, "");
}

static LLVMValueRef either(const op *o, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildOr(o->b, a, b, "");
}

static LLVMValueRef unary(const op *o, const char *name, LLVMValueRef x) {
    return cns_jit_intrinsic(o->l, name, type_of(o, o->l->type.f64), &x, 1);
}

/* ---- floats and integers --------------------------------------------------------------------- */

static LLVMValueRef is_in_range(const op *o, LLVMValueRef x) {
    return both(o, compare_real(o, LLVMRealOGE, x, real(o, -0x1p63)),
                compare_real(o, LLVMRealOLT, x, real(o, 0x1p63)));
}

static LLVMValueRef to_integer(const op *o, LLVMValueRef x) {
    return LLVMBuildFPToSI(o->b, x, type_of(o, o->l->type.i64), "");
}

static LLVMValueRef fits(const op *o, LLVMValueRef x) {
    LLVMValueRef whole = compare_real(o, LLVMRealOEQ, unary(o, "llvm.floor", x), x);
    return both(o, is_in_range(o, x), whole);
}

LLVMValueRef cns_jit_fits(cns_jit_lower *l, LLVMValueRef x, uint32_t lanes) {
    op o = {.l = l, .b = l->build, .lanes = lanes};
    return fits(&o, x);
}

/* i < f as numbers: i is below f just when it is below the next integer. */
static LLVMValueRef less_if(const op *o, LLVMValueRef i, LLVMValueRef f) {
    LLVMValueRef next = to_integer(o, unary(o, "llvm.ceil", f));
    return choose(o, is_in_range(o, f), compare(o, LLVMIntSLT, i, next),
                  compare_real(o, LLVMRealOGE, f, real(o, 0x1p63)));
}

static LLVMValueRef less_equal_if(const op *o, LLVMValueRef i, LLVMValueRef f) {
    LLVMValueRef below = to_integer(o, unary(o, "llvm.floor", f));
    return choose(o, is_in_range(o, f), compare(o, LLVMIntSLE, i, below),
                  compare_real(o, LLVMRealOGE, f, real(o, 0x1p63)));
}

static LLVMValueRef is_number(const op *o, LLVMValueRef f) {
    return compare_real(o, LLVMRealORD, f, f);
}

static LLVMValueRef negate(const op *o, LLVMValueRef condition) {
    return LLVMBuildNot(o->b, condition, "");
}

/* A constant integer that is a double, too, is compared as one; NULL where it is none. */
static LLVMValueRef compare_as_reals(const op *o, const cns_ir_instruction *code, LLVMValueRef *a) {
    uint32_t place = code->op >= CNS_IR_LT_F64_I64 ? 1 : 0;
    const cns_ir_instruction *constant = cns_ir_at(o->l->function, code->operands[place]);
    const int64_t most = INT64_C(1) << 53;
    if (constant->op != CNS_IR_CONST_I64 || constant->i > most || constant->i < -most) {
        return NULL;
    }
    LLVMRealPredicate how = code->op == CNS_IR_EQ_I64_F64 ? LLVMRealOEQ
                            : code->op == CNS_IR_LT_I64_F64 || code->op == CNS_IR_LT_F64_I64
                                ? LLVMRealOLT
                                : LLVMRealOLE;
    LLVMValueRef value = real(o, (double)constant->i);
    return place ? compare_real(o, how, a[0], value) : compare_real(o, how, value, a[1]);
}

static LLVMValueRef compare_mixed(const op *o, cns_ir_op kind, LLVMValueRef *a) {
    switch (kind) {
    case CNS_IR_EQ_I64_F64:
        return choose(o, fits(o, a[1]), compare(o, LLVMIntEQ, a[0], to_integer(o, a[1])),
                      LLVMConstNull(type_of(o, o->l->type.i1)));
    case CNS_IR_LT_I64_F64:
        return less_if(o, a[0], a[1]);
    case CNS_IR_LE_I64_F64:
        return less_equal_if(o, a[0], a[1]);
    case CNS_IR_LT_F64_I64:
        return both(o, is_number(o, a[0]), negate(o, less_equal_if(o, a[1], a[0])));
    default:
        return both(o, is_number(o, a[0]), negate(o, less_if(o, a[1], a[0])));
    }
}

/* ---- integers -------------------------------------------------------------------------------- */

/* Of the quotient and the remainder, what Lua makes of them; the divisor is not 0. A divisor of -1
 * is kept from the machine's division, which overflows for the least integer. */
static LLVMValueRef divide(const op *o, cns_ir_op kind, LLVMValueRef a, LLVMValueRef b) {
    LLVMValueRef zero = integer(o, 0), minus = compare(o, LLVMIntEQ, b, integer(o, -1));
    LLVMValueRef safe = choose(o, minus, integer(o, 1), b);
    LLVMValueRef rest = LLVMBuildSRem(o->b, a, safe, "");
    if (kind == CNS_IR_FMOD_I64) {
        return rest; /* 0 for -1, too */
    }
    LLVMValueRef apart = compare(o, LLVMIntSLT, LLVMBuildXor(o->b, rest, b, ""), zero);
    LLVMValueRef moved = both(o, compare(o, LLVMIntNE, rest, zero), apart);
    if (kind == CNS_IR_MOD_I64) {
        return choose(o, moved, LLVMBuildAdd(o->b, rest, b, ""), rest);
    }
    LLVMValueRef quotient = LLVMBuildSDiv(o->b, a, safe, "");
    LLVMValueRef less = LLVMBuildSub(
        o->b, quotient, LLVMBuildZExt(o->b, moved, type_of(o, o->l->type.i64), ""), "");
    return choose(o, minus, LLVMBuildNeg(o->b, a, ""), less);
}

static LLVMValueRef divide_checked(const op *o, cns_ir_op kind, LLVMValueRef *a) {
    cns_trap_kind trap = kind == CNS_IR_IDIV_I64  ? CNS_TRAP_DIVIDE
                         : kind == CNS_IR_MOD_I64 ? CNS_TRAP_MODULO
                                                  : CNS_TRAP_FMOD;
    cns_jit_guard(o->l, compare(o, LLVMIntEQ, a[1], integer(o, 0)), trap, o->site, NULL, NULL);
    return divide(o, kind, a[0], a[1]);
}

/* Left by `by`, right where it is negative; 0 from 64 on. */
static LLVMValueRef shift(const op *o, LLVMValueRef x, LLVMValueRef by, bool right) {
    LLVMValueRef back = LLVMBuildNeg(o->b, by, ""), bits = integer(o, 64), zero = integer(o, 0);
    LLVMValueRef forward = right ? LLVMBuildLShr(o->b, x, by, "") : LLVMBuildShl(o->b, x, by, "");
    LLVMValueRef reverse =
        right ? LLVMBuildShl(o->b, x, back, "") : LLVMBuildLShr(o->b, x, back, "");
    LLVMValueRef other = choose(o, compare(o, LLVMIntULT, back, bits), reverse, zero);
    return choose(o, compare(o, LLVMIntULT, by, bits), forward, other);
}

static LLVMValueRef absolute(const op *o, LLVMValueRef x) {
    LLVMValueRef operands[2] = {x, LLVMConstInt(o->l->type.i1, 0, 0)};
    return cns_jit_intrinsic(o->l, "llvm.abs", type_of(o, o->l->type.i64), operands, 2);
}

/* ---- floats ---------------------------------------------------------------------------------- */

static LLVMValueRef allow(const cns_ir_instruction *code, LLVMValueRef value) {
    unsigned flags = 0;
    flags |= code->flags & CNS_IR_REASSOCIATE ? LLVMFastMathAllowReassoc : 0;
    flags |= code->flags & CNS_IR_CONTRACT ? LLVMFastMathAllowContract : 0;
    if (flags && LLVMIsAInstruction(value)) {
        LLVMSetFastMathFlags(value, flags);
    }
    return value;
}

/* The remainder has the dividend's sign; Lua's has the divisor's. */
static LLVMValueRef modulo(const op *o, LLVMValueRef *a) {
    LLVMValueRef zero = real(o, 0);
    LLVMValueRef rest = cns_jit_math_call(o->l, "fmod", a, 2, o->lanes);
    LLVMValueRef up =
        both(o, compare_real(o, LLVMRealOGT, rest, zero), compare_real(o, LLVMRealOLT, a[1], zero));
    LLVMValueRef down =
        both(o, compare_real(o, LLVMRealOLT, rest, zero), compare_real(o, LLVMRealOGT, a[1], zero));
    return choose(o, either(o, up, down), LLVMBuildFAdd(o->b, rest, a[1], ""), rest);
}

static LLVMValueRef power(const op *o, LLVMValueRef *a) {
    LLVMValueRef square = LLVMBuildFMul(o->b, a[0], a[0], "");
    if (LLVMIsAConstantFP(a[1])) {
        LLVMBool lost;
        return LLVMConstRealGetDouble(a[1], &lost) == 2
                   ? square
                   : cns_jit_math_call(o->l, "pow", a, 2, o->lanes);
    }
    LLVMValueRef two = compare_real(o, LLVMRealOEQ, a[1], real(o, 2));
    return choose(o, two, square, cns_jit_math_call(o->l, "pow", a, 2, o->lanes));
}

/* ---- numeric for ----------------------------------------------------------------------------- */

static LLVMValueRef is_up(const op *o, LLVMValueRef step) {
    return compare(o, LLVMIntSGT, step, integer(o, 0));
}

static LLVMValueRef enters(const op *o, LLVMValueRef init, LLVMValueRef limit, LLVMValueRef step) {
    return choose(o, is_up(o, step), compare(o, LLVMIntSLE, init, limit),
                  compare(o, LLVMIntSGE, init, limit));
}

/* A float limit as an integer; `*runs` is whether the loop can run at all. */
static LLVMValueRef clip(const op *o, LLVMValueRef limit, LLVMValueRef step, LLVMValueRef *runs) {
    LLVMValueRef down = compare(o, LLVMIntSLT, step, integer(o, 0));
    LLVMValueRef whole =
        choose(o, down, unary(o, "llvm.ceil", limit), unary(o, "llvm.floor", limit));
    LLVMValueRef inside = is_in_range(o, whole);
    LLVMValueRef high = compare_real(o, LLVMRealOGT, limit, real(o, 0));
    LLVMValueRef end = choose(o, high, integer(o, INT64_MAX), integer(o, INT64_MIN));
    LLVMValueRef towards = choose(o, high, compare(o, LLVMIntSGE, step, integer(o, 0)),
                                  compare(o, LLVMIntSLE, step, integer(o, 0)));
    *runs = either(o, inside, towards);
    return choose(o, inside, to_integer(o, whole), end);
}

static LLVMValueRef count_trips(const op *o, LLVMValueRef *a) {
    LLVMValueRef zero = integer(o, 0), up = is_up(o, a[2]);
    LLVMValueRef none = compare(o, LLVMIntEQ, a[2], zero);
    LLVMValueRef way =
        choose(o, up, LLVMBuildSub(o->b, a[1], a[0], ""), LLVMBuildSub(o->b, a[0], a[1], ""));
    LLVMValueRef stride = choose(o, up, a[2], LLVMBuildNeg(o->b, a[2], ""));
    LLVMValueRef safe = choose(o, none, integer(o, 1), stride);
    return choose(o, none, zero, LLVMBuildUDiv(o->b, way, safe, ""));
}

static LLVMValueRef goes_on(const op *o, LLVMValueRef *a) {
    return choose(o, compare_real(o, LLVMRealOGT, a[2], real(o, 0)),
                  compare_real(o, LLVMRealOLE, a[0], a[1]),
                  compare_real(o, LLVMRealOLE, a[1], a[0]));
}

static LLVMValueRef prepare_for(const op *o, cns_ir_op kind, LLVMValueRef *a) {
    LLVMValueRef runs = NULL;
    if (kind == CNS_IR_FOR_ENTERS_F64) {
        LLVMValueRef none = compare_real(o, LLVMRealOEQ, a[2], real(o, 0));
        cns_jit_guard(o->l, none, CNS_TRAP_FOR_STEP, o->site, NULL, NULL);
        LLVMValueRef skips = choose(o, compare_real(o, LLVMRealOGT, a[2], real(o, 0)),
                                    compare_real(o, LLVMRealOLT, a[1], a[0]),
                                    compare_real(o, LLVMRealOLT, a[0], a[1]));
        return negate(o, skips);
    }
    cns_jit_guard(o->l, compare(o, LLVMIntEQ, a[2], integer(o, 0)), CNS_TRAP_FOR_STEP, o->site,
                  NULL, NULL);
    if (kind == CNS_IR_FOR_ENTERS_I64) {
        return enters(o, a[0], a[1], a[2]);
    }
    LLVMValueRef limit = clip(o, a[1], a[2], &runs);
    return both(o, runs, enters(o, a[0], limit, a[2]));
}

/* count + 1 indices from `first` on are all in 1..size. */
static LLVMValueRef within(const op *o, LLVMValueRef *a) {
    LLVMValueRef size = a[0], first = a[1], step = a[2], count = a[3], zero = integer(o, 0);
    LLVMValueRef before = LLVMBuildSub(o->b, first, integer(o, 1), "");
    if (step == integer(o, 1)) { /* the usual one; nothing wraps where the first test holds */
        LLVMValueRef fits = compare(o, LLVMIntULT, count, size);
        LLVMValueRef most = LLVMBuildSub(o->b, size, count, "");
        return both(o, fits, compare(o, LLVMIntULT, before, most));
    }
    LLVMValueRef starts =
        both(o, compare(o, LLVMIntULT, before, size), compare(o, LLVMIntSGE, count, zero));
    LLVMValueRef up = is_up(o, step);
    LLVMValueRef room = choose(o, up, LLVMBuildSub(o->b, size, first, ""), before);
    LLVMValueRef stride = choose(o, up, step, LLVMBuildNeg(o->b, step, ""));
    LLVMValueRef still = compare(o, LLVMIntEQ, stride, zero);
    LLVMValueRef safe = choose(o, still, integer(o, 1), stride);
    LLVMValueRef most = LLVMBuildUDiv(o->b, room, safe, "");
    return both(o, starts, either(o, still, compare(o, LLVMIntULE, count, most)));
}

/* ---- all together ---------------------------------------------------------------------------- */

static LLVMValueRef convert(const op *o, const cns_ir_instruction *code, LLVMValueRef *a) {
    switch (code->op) {
    case CNS_IR_I64_TO_F64:
        return LLVMBuildSIToFP(o->b, a[0], type_of(o, o->l->type.f64), "");
    case CNS_IR_FITS_I64:
        return fits(o, a[0]);
    case CNS_IR_TRUNC_I64:
        return choose(o, is_in_range(o, a[0]), to_integer(o, a[0]), integer(o, 0));
    default:
        cns_jit_guard(o->l, negate(o, fits(o, a[0])),
                      code->op == CNS_IR_F64_TO_I64 ? CNS_TRAP_NOT_INTEGER : CNS_TRAP_INDEX_FLOAT,
                      o->site, a[0], NULL);
        return to_integer(o, a[0]);
    }
}

static LLVMValueRef logic(const op *o, cns_ir_op kind, LLVMValueRef *a) {
    switch (kind) {
    case CNS_IR_SELECT_BOOL:
    case CNS_IR_SELECT_I64:
    case CNS_IR_SELECT_F64:
        return choose(o, a[0], a[1], a[2]);
    case CNS_IR_AND_I64:
    case CNS_IR_AND_BOOL:
        return both(o, a[0], a[1]);
    case CNS_IR_OR_I64:
    case CNS_IR_OR_BOOL:
        return either(o, a[0], a[1]);
    case CNS_IR_XOR_I64:
        return LLVMBuildXor(o->b, a[0], a[1], "");
    case CNS_IR_NOT_I64:
    case CNS_IR_NOT_BOOL:
        return LLVMBuildNot(o->b, a[0], "");
    case CNS_IR_EQ_BOOL:
    case CNS_IR_EQ_I64:
        return compare(o, LLVMIntEQ, a[0], a[1]);
    case CNS_IR_LT_I64:
        return compare(o, LLVMIntSLT, a[0], a[1]);
    case CNS_IR_LE_I64:
        return compare(o, LLVMIntSLE, a[0], a[1]);
    case CNS_IR_LT_U64:
        return compare(o, LLVMIntULT, a[0], a[1]);
    case CNS_IR_EQ_F64:
        return compare_real(o, LLVMRealOEQ, a[0], a[1]);
    case CNS_IR_LT_F64:
        return compare_real(o, LLVMRealOLT, a[0], a[1]);
    default:
        return compare_real(o, LLVMRealOLE, a[0], a[1]);
    }
}

static LLVMValueRef whole_number(const op *o, const cns_ir_instruction *code, LLVMValueRef *a) {
    LLVMValueRef runs;
    switch ((cns_ir_op)code->op) {
    case CNS_IR_ADD_I64:
        return LLVMBuildAdd(o->b, a[0], a[1], "");
    case CNS_IR_SUB_I64:
        return LLVMBuildSub(o->b, a[0], a[1], "");
    case CNS_IR_MUL_I64:
        return LLVMBuildMul(o->b, a[0], a[1], "");
    case CNS_IR_NEG_I64:
        return LLVMBuildNeg(o->b, a[0], "");
    case CNS_IR_ABS_I64:
        return absolute(o, a[0]);
    case CNS_IR_SHL_I64:
    case CNS_IR_SHR_I64:
        return shift(o, a[0], a[1], code->op == CNS_IR_SHR_I64);
    case CNS_IR_IDIV_I64:
    case CNS_IR_MOD_I64:
    case CNS_IR_FMOD_I64:
        return divide_checked(o, (cns_ir_op)code->op, a);
    case CNS_IR_FOR_ENTERS_I64:
    case CNS_IR_FOR_ENTERS_CLIP:
    case CNS_IR_FOR_ENTERS_F64:
        return prepare_for(o, (cns_ir_op)code->op, a);
    case CNS_IR_FOR_CLIP:
        return clip(o, a[0], a[1], &runs);
    case CNS_IR_FOR_COUNT:
        return count_trips(o, a);
    case CNS_IR_FOR_GOES_ON_F64:
        return goes_on(o, a);
    case CNS_IR_WITHIN:
        return within(o, a);
    case CNS_IR_I64_TO_F64:
    case CNS_IR_F64_TO_I64:
    case CNS_IR_F64_TO_INDEX:
    case CNS_IR_FITS_I64:
    case CNS_IR_TRUNC_I64:
        return convert(o, code, a);
    case CNS_IR_EQ_I64_F64:
    case CNS_IR_LT_I64_F64:
    case CNS_IR_LE_I64_F64:
    case CNS_IR_LT_F64_I64:
    case CNS_IR_LE_F64_I64: {
        LLVMValueRef reals = compare_as_reals(o, code, a);
        return reals ? reals : compare_mixed(o, (cns_ir_op)code->op, a);
    }
    default:
        return logic(o, (cns_ir_op)code->op, a);
    }
}

LLVMValueRef cns_jit_operation(cns_jit_lower *l, const cns_ir_instruction *code, LLVMValueRef *a,
                               uint32_t lanes) {
    op o = {.l = l, .b = l->build, .lanes = lanes, .site = code->site};
    switch ((cns_ir_op)code->op) {
    case CNS_IR_ADD_F64:
        return allow(code, LLVMBuildFAdd(o.b, a[0], a[1], ""));
    case CNS_IR_SUB_F64:
        return allow(code, LLVMBuildFSub(o.b, a[0], a[1], ""));
    case CNS_IR_MUL_F64:
        return allow(code, LLVMBuildFMul(o.b, a[0], a[1], ""));
    case CNS_IR_DIV_F64:
        return LLVMBuildFDiv(o.b, a[0], a[1], "");
    case CNS_IR_IDIV_F64:
        return unary(&o, "llvm.floor", LLVMBuildFDiv(o.b, a[0], a[1], ""));
    case CNS_IR_MOD_F64:
        return modulo(&o, a);
    case CNS_IR_POW_F64:
        return power(&o, a);
    case CNS_IR_NEG_F64:
        return LLVMBuildFNeg(o.b, a[0], "");
    case CNS_IR_ABS_F64:
        return unary(&o, "llvm.fabs", a[0]);
    case CNS_IR_FLOOR_F64:
        return unary(&o, "llvm.floor", a[0]);
    case CNS_IR_CEIL_F64:
        return unary(&o, "llvm.ceil", a[0]);
    case CNS_IR_SQRT_F64:
        return unary(&o, "llvm.sqrt", a[0]);
    default: {
        const cns_jit_math *math = cns_jit_math_of((cns_ir_op)code->op);
        return math ? cns_jit_math_call(l, math->name, a, math->operands, lanes)
                    : whole_number(&o, code, a);
    }
    }
}
