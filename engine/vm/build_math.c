/* SPDX-License-Identifier: MIT
 *
 * build_math.c - math.* and cns.prange, as lmathlib.c of Lua 5.4 defines them.
 *
 * Where a result's subtype depends on the value (math.floor of a float beyond the integers), the
 * code behind goes on in two versions.
 */
#include "vm/builder.h"

/* A call being built. */
typedef struct math_call {
    cns_builder *b;
    cns_intrinsic intrinsic;
    uint32_t a; /* register of the function; arguments follow it */
    uint32_t c; /* results wanted, as in CALL */
    uint32_t count;
    const cns_slot *arguments;
} math_call;

static void finish(const math_call *call, cns_slot result) {
    cns_build_results(call->b, call->a, call->c, &result, 1);
    call->b->pc++;
}

static void finish_value(const math_call *call, cns_ir_value value) {
    finish(call, cns_build_value(call->b, value));
}

/* Goes on in two private versions: with `yes` where `condition` holds, else with `no`. */
static void finish_split(const math_call *call, cns_ir_value condition, cns_slot yes, cns_slot no) {
    cns_builder *b = call->b;
    cns_slot function = b->slots[call->a];
    cns_build_edge edges[2];
    cns_build_results(b, call->a, call->c, &yes, 1);
    edges[0] = cns_build_edge_to(b, 0, b->pc + 1, true);
    b->slots[call->a] = function;
    cns_build_results(b, call->a, call->c, &no, 1);
    edges[1] = cns_build_edge_to(b, 1, b->pc + 1, true);
    cns_build_branch(b, condition, edges);
}

/* ---- one number ------------------------------------------------------------------------------ */

static cns_ir_op float_op(cns_intrinsic intrinsic) {
    switch (intrinsic) {
    case CNS_MATH_ACOS:
        return CNS_IR_ACOS_F64;
    case CNS_MATH_ASIN:
        return CNS_IR_ASIN_F64;
    case CNS_MATH_COS:
        return CNS_IR_COS_F64;
    case CNS_MATH_EXP:
        return CNS_IR_EXP_F64;
    case CNS_MATH_SIN:
        return CNS_IR_SIN_F64;
    case CNS_MATH_SQRT:
        return CNS_IR_SQRT_F64;
    case CNS_MATH_TAN:
        return CNS_IR_TAN_F64;
    default:
        return CNS_IR_NOP;
    }
}

/* floor and ceil: an integer where it fits, else a float. */
static void build_round(const math_call *call, cns_ir_op op) {
    cns_builder *b = call->b;
    if (cns_build_is_i64(&call->arguments[0])) {
        finish(call, call->arguments[0]);
        return;
    }
    cns_ir_value whole = cns_build_1(b, op, call->arguments[0].value);
    cns_ir_value fits = cns_build_1(b, CNS_IR_FITS_I64, whole);
    cns_ir_value integer = cns_build_1(b, CNS_IR_TRUNC_I64, whole);
    finish_split(call, fits, cns_build_value(b, integer), cns_build_value(b, whole));
}

static void build_tointeger(const math_call *call) {
    cns_builder *b = call->b;
    if (cns_build_is_i64(&call->arguments[0])) {
        finish(call, call->arguments[0]);
        return;
    }
    cns_ir_value x = call->arguments[0].value;
    cns_ir_value fits = cns_build_1(b, CNS_IR_FITS_I64, x);
    cns_ir_value integer = cns_build_1(b, CNS_IR_TRUNC_I64, x);
    finish_split(call, fits, cns_build_value(b, integer), cns_build_nil());
}

static void build_abs(const math_call *call) {
    const cns_slot *x = &call->arguments[0];
    finish_value(call, cns_build_1(call->b, cns_build_is_i64(x) ? CNS_IR_ABS_I64 : CNS_IR_ABS_F64,
                                   x->value));
}

static void build_scaled(const math_call *call, double factor) {
    cns_builder *b = call->b;
    cns_ir_value x = cns_build_to_f64(b, call->arguments[0]);
    finish_value(call, cns_build_2(b, CNS_IR_MUL_F64, x, cns_build_f64(b, factor)));
}

/* ---- two and more ---------------------------------------------------------------------------- */

static void build_atan(const math_call *call) {
    cns_builder *b = call->b;
    cns_ir_value y = cns_build_to_f64(b, call->arguments[0]);
    cns_ir_value x =
        call->count > 1 ? cns_build_to_f64(b, call->arguments[1]) : cns_build_f64(b, 1.0);
    finish_value(call, cns_build_2(b, CNS_IR_ATAN2_F64, y, x));
}

static void build_fmod(const math_call *call) {
    cns_builder *b = call->b;
    const cns_slot *x = &call->arguments[0], *y = &call->arguments[1];
    if (cns_build_is_i64(x) && cns_build_is_i64(y)) {
        finish_value(call, cns_build_2(b, CNS_IR_FMOD_I64, x->value, y->value));
        return;
    }
    cns_ir_value left = cns_build_to_f64(b, *x);
    cns_ir_value right = cns_build_to_f64(b, *y);
    finish_value(call, cns_build_2(b, CNS_IR_FMOD_F64, left, right));
}

/* Bases 2 and 10 have functions of their own. */
static void build_log(const math_call *call) {
    cns_builder *b = call->b;
    cns_ir_value x = cns_build_to_f64(b, call->arguments[0]);
    if (call->count == 1) {
        finish_value(call, cns_build_1(b, CNS_IR_LOG_F64, x));
        return;
    }
    cns_ir_value base = cns_build_to_f64(b, call->arguments[1]);
    cns_ir_value two = cns_build_2(b, CNS_IR_EQ_F64, base, cns_build_f64(b, 2.0));
    cns_ir_value ten = cns_build_2(b, CNS_IR_EQ_F64, base, cns_build_f64(b, 10.0));
    cns_ir_value above = cns_build_1(b, CNS_IR_LOG_F64, x);
    cns_ir_value below = cns_build_1(b, CNS_IR_LOG_F64, base);
    cns_ir_value other = cns_build_2(b, CNS_IR_DIV_F64, above, below);
    cns_ir_value log10 = cns_build_1(b, CNS_IR_LOG10_F64, x);
    cns_ir_value log2 = cns_build_1(b, CNS_IR_LOG2_F64, x);
    other = cns_build_3(b, CNS_IR_SELECT_F64, ten, log10, other);
    finish_value(call, cns_build_3(b, CNS_IR_SELECT_F64, two, log2, other));
}

/* (math.tointeger would give nil for some floats, and a kernel has to do something then, too.) */
static void refuse_float(const math_call *call, uint32_t at, const char *does) {
    cns_build_refuse(call->b, "argument %u of %s is %s; it %s integers: write (x | 0)",
                     (unsigned)(at + 1), cns_intrinsic_name(call->intrinsic),
                     cns_build_describe(call->b, call->a + 1 + at), does);
}

static void build_ult(const math_call *call) {
    if (!cns_build_is_i64(&call->arguments[0]) || !cns_build_is_i64(&call->arguments[1])) {
        uint32_t at = cns_build_is_i64(&call->arguments[0]) ? 1 : 0;
        refuse_float(call, at, "compares");
        return;
    }
    finish_value(call, cns_build_2(call->b, CNS_IR_LT_U64, call->arguments[0].value,
                                   call->arguments[1].value));
}

static cns_ir_value build_less(cns_builder *b, const cns_slot *x, const cns_slot *y) {
    static const cns_ir_op ops[2][2] = {{CNS_IR_LT_F64, CNS_IR_LT_F64_I64},
                                        {CNS_IR_LT_I64_F64, CNS_IR_LT_I64}};
    return cns_build_2(b, ops[cns_build_is_i64(x)][cns_build_is_i64(y)], x->value, y->value);
}

/* The first of the greatest, or least, as lmathlib.c looks for it. */
static void build_extreme(const math_call *call, bool max) {
    cns_builder *b = call->b;
    cns_slot best = call->arguments[0];
    for (uint32_t i = 1; i < call->count && b->status == CNS_OK; i++) {
        const cns_slot *next = &call->arguments[i];
        cns_ir_value better = max ? build_less(b, &best, next) : build_less(b, next, &best);
        if (best.type != next->type) {
            if (i + 1 < call->count) {
                cns_build_refuse(b, "%s of integers and floats mixed; add 0.0 to the integers",
                                 cns_intrinsic_name(call->intrinsic));
                return;
            }
            finish_split(call, better, *next, best);
            return;
        }
        cns_ir_op op = cns_build_is_i64(&best) ? CNS_IR_SELECT_I64 : CNS_IR_SELECT_F64;
        best = cns_build_value(b, cns_build_3(b, op, better, next->value, best.value));
    }
    finish(call, best);
}

/* The iterator, init and limit: what a generic for asks for. */
static void build_prange(const math_call *call) {
    cns_builder *b = call->b;
    for (uint32_t i = 0; i < call->count; i++) {
        if (!cns_build_is_i64(&call->arguments[i])) {
            refuse_float(call, i, "counts");
            return;
        }
    }
    cns_slot one = cns_build_value(b, cns_build_i64(b, 1));
    cns_slot iterator = call->count > 2 ? call->arguments[2] : one;
    iterator.kind = CNS_SLOT_PRANGE;
    cns_slot results[3] = {iterator, call->count > 1 ? call->arguments[0] : one,
                           call->arguments[call->count > 1 ? 1 : 0]};
    cns_build_results(b, call->a, call->c, results, 3);
    b->pc++;
}

/* ---- the door -------------------------------------------------------------------------------- */

static bool check_arguments(const math_call *call, uint32_t least, uint32_t most) {
    cns_builder *b = call->b;
    const char *name = cns_intrinsic_name(call->intrinsic);
    if (call->count < least || call->count > most) {
        const char *takes = most == CNS_BUILD_REGISTERS ? " and more"
                            : most > least ? cns_build_text(b, " to %u", (unsigned)most)
                                           : "";
        cns_build_refuse(b, "%s is called with %u arguments; it takes %u%s", name,
                         (unsigned)call->count, (unsigned)least, takes);
        return false;
    }
    for (uint32_t i = 0; i < call->count; i++) {
        if (!cns_build_is_number(&call->arguments[i])) {
            cns_build_refuse(b, "argument %u of %s is %s; it must be a number%s", (unsigned)(i + 1),
                             name, cns_build_describe(b, call->a + 1 + i),
                             cns_build_as_number(&call->arguments[i]));
            return false;
        }
    }
    return b->status == CNS_OK;
}

static uint32_t most_arguments(cns_intrinsic intrinsic) {
    switch (intrinsic) {
    case CNS_MATH_MAX:
    case CNS_MATH_MIN:
        return CNS_BUILD_REGISTERS;
    case CNS_PRANGE:
        return 3;
    case CNS_MATH_ATAN:
    case CNS_MATH_FMOD:
    case CNS_MATH_LOG:
    case CNS_MATH_ULT:
        return 2;
    default:
        return 1;
    }
}

static void build_known(const math_call *call) {
    switch (call->intrinsic) {
    case CNS_MATH_ABS:
        build_abs(call);
        return;
    case CNS_MATH_ATAN:
        build_atan(call);
        return;
    case CNS_MATH_CEIL:
        build_round(call, CNS_IR_CEIL_F64);
        return;
    case CNS_MATH_DEG:
        build_scaled(call, 180.0 / 3.141592653589793238462643383279502884);
        return;
    case CNS_MATH_FLOOR:
        build_round(call, CNS_IR_FLOOR_F64);
        return;
    case CNS_MATH_FMOD:
        build_fmod(call);
        return;
    case CNS_MATH_LOG:
        build_log(call);
        return;
    case CNS_MATH_MAX:
        build_extreme(call, true);
        return;
    case CNS_MATH_MIN:
        build_extreme(call, false);
        return;
    case CNS_MATH_RAD:
        build_scaled(call, 3.141592653589793238462643383279502884 / 180.0);
        return;
    case CNS_MATH_TOINTEGER:
        build_tointeger(call);
        return;
    case CNS_MATH_ULT:
        build_ult(call);
        return;
    case CNS_PRANGE:
        build_prange(call);
        return;
    default:
        finish_value(call, cns_build_1(call->b, float_op(call->intrinsic),
                                       cns_build_to_f64(call->b, call->arguments[0])));
    }
}

void cns_build_intrinsic(cns_builder *b, cns_intrinsic intrinsic, uint32_t a, uint32_t c,
                         uint32_t arguments) {
    const math_call call = {.b = b,
                            .intrinsic = intrinsic,
                            .a = a,
                            .c = c,
                            .count = arguments,
                            .arguments = b->slots + a + 1};
    uint32_t least = intrinsic == CNS_MATH_FMOD || intrinsic == CNS_MATH_ULT ? 2 : 1;
    if (check_arguments(&call, least, most_arguments(intrinsic))) {
        build_known(&call);
    }
}
