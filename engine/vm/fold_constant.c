/* SPDX-License-Identifier: MIT
 *
 * fold_constant.c - operations of constants, by the arithmetic that the interpreter runs.
 *
 * Only what IEEE 754 defines to the bit is computed here: a kernel may be compiled on one machine
 * and run on another, whose C library gives another last bit of sin.
 */
#include "vm/fold_constant.h"

#include "vm/arithmetic.h"

static uint64_t bits(int64_t x) {
    return (uint64_t)x;
}

static bool fold_checked(cns_ir_op op, const cns_constant *a, cns_constant *out) {
    int64_t limit = 0;
    switch (op) {
    case CNS_IR_IDIV_I64:
        out->i = a[1].i ? cns_floor_divide(a[0].i, a[1].i) : 0;
        return a[1].i != 0;
    case CNS_IR_MOD_I64:
        out->i = a[1].i ? cns_floor_modulo(a[0].i, a[1].i) : 0;
        return a[1].i != 0;
    case CNS_IR_FMOD_I64:
        out->i = a[1].i ? cns_c_modulo(a[0].i, a[1].i) : 0;
        return a[1].i != 0;
    case CNS_IR_F64_TO_I64:
    case CNS_IR_F64_TO_INDEX:
        out->i = cns_truncate(a[0].f);
        return cns_fits_i64(a[0].f);
    case CNS_IR_FOR_ENTERS_I64:
        out->i = cns_for_enters(a[0].i, a[1].i, a[2].i);
        return a[2].i != 0;
    case CNS_IR_FOR_ENTERS_CLIP:
        out->i = cns_for_clip(a[1].f, a[2].i, &limit) && cns_for_enters(a[0].i, limit, a[2].i);
        return a[2].i != 0;
    case CNS_IR_FOR_ENTERS_F64:
        out->i = cns_for_enters_f64(a[0].f, a[1].f, a[2].f);
        return a[2].f != 0;
    default:
        return false;
    }
}

static bool fold_integer(cns_ir_op op, const cns_constant *a, cns_constant *out) {
    switch (op) {
    case CNS_IR_ADD_I64:
        out->i = cns_wrap(bits(a[0].i) + bits(a[1].i));
        return true;
    case CNS_IR_SUB_I64:
        out->i = cns_wrap(bits(a[0].i) - bits(a[1].i));
        return true;
    case CNS_IR_MUL_I64:
        out->i = cns_wrap(bits(a[0].i) * bits(a[1].i));
        return true;
    case CNS_IR_NEG_I64:
        out->i = cns_wrap(0 - bits(a[0].i));
        return true;
    case CNS_IR_ABS_I64:
        out->i = a[0].i < 0 ? cns_wrap(0 - bits(a[0].i)) : a[0].i;
        return true;
    case CNS_IR_AND_I64:
    case CNS_IR_AND_BOOL:
        out->i = a[0].i & a[1].i;
        return true;
    case CNS_IR_OR_I64:
    case CNS_IR_OR_BOOL:
        out->i = a[0].i | a[1].i;
        return true;
    case CNS_IR_XOR_I64:
        out->i = a[0].i ^ a[1].i;
        return true;
    case CNS_IR_NOT_I64:
        out->i = ~a[0].i;
        return true;
    case CNS_IR_NOT_BOOL:
        out->i = !a[0].i;
        return true;
    case CNS_IR_SHL_I64:
        out->i = cns_shift_left(a[0].i, a[1].i);
        return true;
    case CNS_IR_SHR_I64:
        out->i = cns_shift_right(a[0].i, a[1].i);
        return true;
    case CNS_IR_FOR_COUNT:
        out->i = cns_for_count(a[0].i, a[1].i, a[2].i);
        return true;
    default:
        return fold_checked(op, a, out);
    }
}

static bool fold_comparison(cns_ir_op op, const cns_constant *a, cns_constant *out) {
    switch (op) {
    case CNS_IR_EQ_BOOL:
    case CNS_IR_EQ_I64:
        out->i = a[0].i == a[1].i;
        return true;
    case CNS_IR_LT_I64:
        out->i = a[0].i < a[1].i;
        return true;
    case CNS_IR_LE_I64:
        out->i = a[0].i <= a[1].i;
        return true;
    case CNS_IR_LT_U64:
        out->i = bits(a[0].i) < bits(a[1].i);
        return true;
    case CNS_IR_EQ_F64:
        out->i = a[0].f == a[1].f;
        return true;
    case CNS_IR_LT_F64:
        out->i = a[0].f < a[1].f;
        return true;
    case CNS_IR_LE_F64:
        out->i = a[0].f <= a[1].f;
        return true;
    case CNS_IR_EQ_I64_F64:
        out->i = cns_equal_mixed(a[0].i, a[1].f);
        return true;
    case CNS_IR_LT_I64_F64:
        out->i = cns_less_if(a[0].i, a[1].f);
        return true;
    case CNS_IR_LE_I64_F64:
        out->i = cns_less_equal_if(a[0].i, a[1].f);
        return true;
    case CNS_IR_LT_F64_I64:
        out->i = cns_less_fi(a[0].f, a[1].i);
        return true;
    case CNS_IR_LE_F64_I64:
        out->i = cns_less_equal_fi(a[0].f, a[1].i);
        return true;
    case CNS_IR_FITS_I64:
        out->i = cns_fits_i64(a[0].f);
        return true;
    case CNS_IR_FOR_GOES_ON_F64:
        out->i = cns_for_goes_on_f64(a[0].f, a[1].f, a[2].f);
        return true;
    default:
        return fold_integer(op, a, out);
    }
}

static bool fold_division(cns_ir_op op, const cns_constant *a, cns_constant *out) {
    switch (op) {
    case CNS_IR_DIV_F64:
        out->f = a[0].f / a[1].f;
        return true;
    case CNS_IR_IDIV_F64:
        out->f = floor(a[0].f / a[1].f);
        return true;
    case CNS_IR_MOD_F64:
        out->f = cns_modulo_f64(a[0].f, a[1].f);
        return true;
    case CNS_IR_FMOD_F64:
        out->f = fmod(a[0].f, a[1].f);
        return true;
    default:
        return fold_comparison(op, a, out);
    }
}

bool cns_fold_constant(cns_ir_op op, const cns_constant *a, cns_constant *out) {
    switch (op) {
    case CNS_IR_ADD_F64:
        out->f = a[0].f + a[1].f;
        return true;
    case CNS_IR_SUB_F64:
        out->f = a[0].f - a[1].f;
        return true;
    case CNS_IR_MUL_F64:
        out->f = a[0].f * a[1].f;
        return true;
    case CNS_IR_NEG_F64:
        out->f = -a[0].f;
        return true;
    case CNS_IR_ABS_F64:
        out->f = fabs(a[0].f);
        return true;
    case CNS_IR_FLOOR_F64:
        out->f = floor(a[0].f);
        return true;
    case CNS_IR_CEIL_F64:
        out->f = ceil(a[0].f);
        return true;
    case CNS_IR_SQRT_F64:
        out->f = sqrt(a[0].f);
        return true;
    case CNS_IR_I64_TO_F64:
        out->f = (double)a[0].i;
        return true;
    case CNS_IR_TRUNC_I64:
        out->i = cns_truncate(a[0].f);
        return true;
    case CNS_IR_FOR_CLIP: {
        (void)cns_for_clip(a[0].f, a[1].i, &out->i);
        return true;
    }
    default:
        return fold_division(op, a, out);
    }
}
