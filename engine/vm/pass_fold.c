/* SPDX-License-Identifier: MIT
 *
 * pass_fold.c - constants, identities that hold to the bit, branches on constants.
 *
 * One walk in reverse postorder, so that operands are folded before what uses them. A rule gives
 * the value that stands for an instruction, or changes the instruction where it is into a simpler
 * one, which is looked at again. FOR_COUNT stays unless it is a constant: counted loops are
 * recognised by it. No rule makes a NaN from what is none: its sign is the machine's.
 */
#include <string.h>

#include "vm/arithmetic.h"
#include "vm/fold_constant.h"
#include "vm/passes.h"
#include "vm/rewrite.h"

enum { AGAIN_LIMIT = 8 }; /* rules only simplify, so this is never reached */

typedef struct folder {
    cns_ir_function *f;
    cns_ir_value at; /* what is being folded */
    cns_status status;
    bool changed;  /* `at` became another operation */
    bool replaced; /* some value was replaced */
} folder;

/* ---- looking --------------------------------------------------------------------------------- */

static const cns_ir_instruction *code_of(const folder *d, cns_ir_value value) {
    return cns_ir_at(d->f, value);
}

static cns_ir_value operand(const folder *d, uint32_t i) {
    return code_of(d, d->at)->operands[i];
}

static bool is_op(const folder *d, cns_ir_value value, cns_ir_op op) {
    return code_of(d, value)->op == op;
}

static bool is_i64(const folder *d, cns_ir_value value, int64_t *out) {
    *out = code_of(d, value)->i;
    return is_op(d, value, CNS_IR_CONST_I64);
}

static bool is_f64(const folder *d, cns_ir_value value, double *out) {
    *out = code_of(d, value)->f;
    return is_op(d, value, CNS_IR_CONST_F64);
}

static bool is_bool(const folder *d, cns_ir_value value, bool which) {
    return is_op(d, value, CNS_IR_CONST_BOOL) && (code_of(d, value)->i != 0) == which;
}

/* A zero of this sign. */
static bool is_zero(const folder *d, cns_ir_value value, bool negative) {
    double x;
    return is_f64(d, value, &x) && x == 0 && (signbit(x) != 0) == negative;
}

/* The k of 2^k; -1 for what is no power of two from 1 up. */
static int power_of_two(int64_t x) {
    int k = 0;
    if (x <= 0 || (x & (x - 1)) != 0) {
        return -1;
    }
    while (x >> k != 1) {
        k++;
    }
    return k;
}

/* ---- making ---------------------------------------------------------------------------------- */

static cns_ir_value make_i64(folder *d, int64_t x) {
    cns_ir_value value = CNS_IR_NONE;
    d->status = d->status == CNS_OK ? cns_ir_add_i64(d->f, x, &value) : d->status;
    return value;
}

static cns_ir_value make_f64(folder *d, double x) {
    cns_ir_value value = CNS_IR_NONE;
    d->status = d->status == CNS_OK ? cns_ir_add_f64(d->f, x, &value) : d->status;
    return value;
}

static cns_ir_value make_bool(folder *d, bool x) {
    cns_ir_value value = CNS_IR_NONE;
    d->status = d->status == CNS_OK ? cns_ir_add_bool(d->f, x, &value) : d->status;
    return value;
}

/* `at` becomes this operation, of the same type; operands that it has not are NONE. */
static cns_ir_value become(folder *d, cns_ir_op op, cns_ir_value a, cns_ir_value b,
                           cns_ir_value c) {
    if (d->status == CNS_OK) {
        cns_ir_instruction *code = &d->f->instructions[d->at];
        const cns_ir_value operands[CNS_IR_OPERANDS] = {a, b, c, CNS_IR_NONE};
        code->op = (uint8_t)op;
        code->operand_count = (uint8_t)strlen(cns_ir_info(op)->operands);
        memcpy(code->operands, operands, sizeof operands);
        d->changed = true;
    }
    return CNS_IR_NONE;
}

/* ---- integers -------------------------------------------------------------------------------- */

/* x + c1 + c2: one addition. */
static cns_ir_value fold_offset(folder *d, cns_ir_value x, int64_t offset) {
    int64_t inner;
    const cns_ir_instruction *code = code_of(d, x);
    bool adds = code->op == CNS_IR_ADD_I64 && is_i64(d, code->operands[1], &inner);
    bool subtracts = code->op == CNS_IR_SUB_I64 && is_i64(d, code->operands[1], &inner);
    if (!adds && !subtracts) {
        return CNS_IR_NONE;
    }
    uint64_t sum = (uint64_t)offset + (adds ? (uint64_t)inner : 0 - (uint64_t)inner);
    cns_ir_value base = code->operands[0];
    return become(d, CNS_IR_ADD_I64, base, make_i64(d, cns_wrap(sum)), CNS_IR_NONE);
}

static cns_ir_value fold_add_sub(folder *d, cns_ir_op op) {
    cns_ir_value a = operand(d, 0), b = operand(d, 1);
    int64_t c;
    if (op == CNS_IR_SUB_I64 && a == b) {
        return make_i64(d, 0);
    }
    if (!is_i64(d, b, &c)) {
        return CNS_IR_NONE;
    }
    return c == 0 ? a : fold_offset(d, a, op == CNS_IR_ADD_I64 ? c : cns_wrap(0 - (uint64_t)c));
}

static cns_ir_value fold_bits(folder *d, cns_ir_op op) {
    cns_ir_value a = operand(d, 0), b = operand(d, 1);
    int64_t c;
    if (a == b) {
        return op == CNS_IR_XOR_I64 ? make_i64(d, 0) : a;
    }
    if (!is_i64(d, b, &c)) {
        return CNS_IR_NONE;
    }
    switch (op) {
    case CNS_IR_AND_I64:
        return c == 0 ? b : c == -1 ? a : CNS_IR_NONE;
    case CNS_IR_OR_I64:
        return c == 0 ? a : c == -1 ? b : CNS_IR_NONE;
    default:
        return c == 0 ? a : CNS_IR_NONE;
    }
}

/* Divisors that leave nothing to divide, or only bits to take. */
static cns_ir_value fold_division(folder *d, cns_ir_op op) {
    cns_ir_value a = operand(d, 0);
    int64_t c;
    if (!is_i64(d, operand(d, 1), &c)) {
        return CNS_IR_NONE;
    }
    if (op == CNS_IR_IDIV_I64) {
        return c == 1    ? a
               : c == -1 ? become(d, CNS_IR_NEG_I64, a, CNS_IR_NONE, CNS_IR_NONE)
                         : CNS_IR_NONE;
    }
    if (c == 1 || c == -1) {
        return make_i64(d, 0);
    }
    if (op == CNS_IR_MOD_I64 && power_of_two(c) > 0) {
        return become(d, CNS_IR_AND_I64, a, make_i64(d, c - 1), CNS_IR_NONE);
    }
    return CNS_IR_NONE;
}

static cns_ir_value fold_integer(folder *d, cns_ir_op op) {
    cns_ir_value a = operand(d, 0), b = operand(d, 1);
    int64_t c;
    switch (op) {
    case CNS_IR_ADD_I64:
    case CNS_IR_SUB_I64:
        return fold_add_sub(d, op);
    case CNS_IR_MUL_I64:
        return !is_i64(d, b, &c) ? CNS_IR_NONE : c == 0 ? b : c == 1 ? a : CNS_IR_NONE;
    case CNS_IR_AND_I64:
    case CNS_IR_OR_I64:
    case CNS_IR_XOR_I64:
        return fold_bits(d, op);
    case CNS_IR_SHL_I64:
    case CNS_IR_SHR_I64:
        return is_i64(d, b, &c) && c == 0 ? a : CNS_IR_NONE;
    case CNS_IR_NEG_I64:
    case CNS_IR_NOT_I64:
        return is_op(d, a, op) ? code_of(d, a)->operands[0] : CNS_IR_NONE;
    case CNS_IR_IDIV_I64:
    case CNS_IR_MOD_I64:
    case CNS_IR_FMOD_I64:
        return fold_division(d, op);
    default:
        return CNS_IR_NONE;
    }
}

/* ---- floats ---------------------------------------------------------------------------------- */

/* x / 2^k is x * 2^-k: both are rounded from the same number. */
static cns_ir_value fold_quotient(folder *d, cns_ir_value x, double divisor) {
    int exponent;
    double inverse = 1 / divisor;
    if (divisor == 1) {
        return x;
    }
    if (fabs(frexp(divisor, &exponent)) != 0.5 || isinf(inverse) || inverse == 0) {
        return CNS_IR_NONE;
    }
    return become(d, CNS_IR_MUL_F64, x, make_f64(d, inverse), CNS_IR_NONE);
}

static cns_ir_value fold_rounding(folder *d, cns_ir_value x) {
    uint8_t op = code_of(d, x)->op;
    bool whole = op == CNS_IR_FLOOR_F64 || op == CNS_IR_CEIL_F64 || op == CNS_IR_I64_TO_F64;
    return whole ? x : CNS_IR_NONE;
}

static cns_ir_value fold_float(folder *d, cns_ir_op op) {
    cns_ir_value a = operand(d, 0), b = operand(d, 1);
    cns_ir_value under = code_of(d, a)->operands[0];
    double c;
    switch (op) {
    case CNS_IR_ADD_F64: /* -0.0 + 0.0 is 0.0, so only a negative zero adds nothing */
        return is_zero(d, b, true) ? a : is_zero(d, a, true) ? b : CNS_IR_NONE;
    case CNS_IR_SUB_F64:
        return is_zero(d, b, false) ? a : CNS_IR_NONE;
    case CNS_IR_MUL_F64:
        return is_f64(d, b, &c) && c == 1 ? a : is_f64(d, a, &c) && c == 1 ? b : CNS_IR_NONE;
    case CNS_IR_DIV_F64:
        return is_f64(d, b, &c) ? fold_quotient(d, a, c) : CNS_IR_NONE;
    case CNS_IR_POW_F64:
        return is_f64(d, b, &c) && c == 2 ? become(d, CNS_IR_MUL_F64, a, a, CNS_IR_NONE)
                                          : CNS_IR_NONE;
    case CNS_IR_NEG_F64:
        return is_op(d, a, CNS_IR_NEG_F64) ? under : CNS_IR_NONE;
    case CNS_IR_ABS_F64:
        return is_op(d, a, CNS_IR_ABS_F64) ? a
               : is_op(d, a, CNS_IR_NEG_F64)
                   ? become(d, CNS_IR_ABS_F64, under, CNS_IR_NONE, CNS_IR_NONE)
                   : CNS_IR_NONE;
    default:
        return fold_rounding(d, a);
    }
}

/* ---- comparisons ----------------------------------------------------------------------------- */

/* An integer and a constant float: the integers on either side of the float decide. */
static cns_ir_value compare_float(folder *d, cns_ir_op op, cns_ir_value i, double f) {
    bool left = op == CNS_IR_LT_F64_I64 || op == CNS_IR_LE_F64_I64; /* f < i, f <= i */
    if (op == CNS_IR_EQ_I64_F64) {
        return cns_fits_i64(f) ? become(d, CNS_IR_EQ_I64, i, make_i64(d, (int64_t)f), CNS_IR_NONE)
                               : make_bool(d, false);
    }
    if (isnan(f)) {
        return make_bool(d, false);
    }
    bool up = op == CNS_IR_LT_I64_F64 || op == CNS_IR_LE_F64_I64;
    double whole = up ? ceil(f) : floor(f);
    if (whole < -0x1p63) {
        return make_bool(d, left);
    }
    if (whole >= 0x1p63) {
        return make_bool(d, !left);
    }
    bool less = op == CNS_IR_LT_I64_F64 || op == CNS_IR_LT_F64_I64;
    cns_ir_value bound = make_i64(d, (int64_t)whole);
    return become(d, less ? CNS_IR_LT_I64 : CNS_IR_LE_I64, left ? bound : i, left ? i : bound,
                  CNS_IR_NONE);
}

/* A float and a constant integer that a float holds exactly: all in floats. */
static cns_ir_value compare_integer(folder *d, cns_ir_op op, int64_t i, cns_ir_value f) {
    bool left = op == CNS_IR_LT_F64_I64 || op == CNS_IR_LE_F64_I64;
    bool less = op == CNS_IR_LT_I64_F64 || op == CNS_IR_LT_F64_I64;
    if (i < -(INT64_C(1) << 53) || i > INT64_C(1) << 53) {
        return CNS_IR_NONE;
    }
    cns_ir_value bound = make_f64(d, (double)i);
    return become(d,
                  op == CNS_IR_EQ_I64_F64 ? CNS_IR_EQ_F64
                  : less                  ? CNS_IR_LT_F64
                                          : CNS_IR_LE_F64,
                  left ? f : bound, left ? bound : f, CNS_IR_NONE);
}

static cns_ir_value fold_mixed(folder *d, cns_ir_op op) {
    bool left = op == CNS_IR_LT_F64_I64 || op == CNS_IR_LE_F64_I64;
    cns_ir_value i = operand(d, left), f = operand(d, !left);
    int64_t integer;
    double real;
    if (is_f64(d, f, &real)) {
        return compare_float(d, op, i, real);
    }
    return is_i64(d, i, &integer) ? compare_integer(d, op, integer, f) : CNS_IR_NONE;
}

static cns_ir_value fold_comparison(folder *d, cns_ir_op op) {
    cns_ir_value a = operand(d, 0), b = operand(d, 1);
    switch (op) {
    case CNS_IR_EQ_I64:
    case CNS_IR_LE_I64:
        return a == b ? make_bool(d, true) : CNS_IR_NONE;
    case CNS_IR_LT_I64:
    case CNS_IR_LT_U64:
    case CNS_IR_LT_F64:
        return a == b ? make_bool(d, false) : CNS_IR_NONE;
    default:
        return fold_mixed(d, op);
    }
}

/* ---- booleans and choices -------------------------------------------------------------------- */

/* Only integers: not (a < b) of floats is no b <= a. */
static cns_ir_value fold_not(folder *d) {
    const cns_ir_instruction *code = code_of(d, operand(d, 0));
    cns_ir_value a = code->operands[0], b = code->operands[1];
    switch (code->op) {
    case CNS_IR_NOT_BOOL:
        return a;
    case CNS_IR_LT_I64:
        return become(d, CNS_IR_LE_I64, b, a, CNS_IR_NONE);
    case CNS_IR_LE_I64:
        return become(d, CNS_IR_LT_I64, b, a, CNS_IR_NONE);
    default:
        return CNS_IR_NONE;
    }
}

static cns_ir_value fold_boolean(folder *d, cns_ir_op op) {
    cns_ir_value a = operand(d, 0), b = operand(d, 1);
    switch (op) {
    case CNS_IR_NOT_BOOL:
        return fold_not(d);
    case CNS_IR_AND_BOOL:
        return a == b || is_bool(d, b, true) ? a : is_bool(d, b, false) ? b : CNS_IR_NONE;
    case CNS_IR_OR_BOOL:
        return a == b || is_bool(d, b, false) ? a : is_bool(d, b, true) ? b : CNS_IR_NONE;
    default: /* EQ_BOOL */
        return a == b                 ? make_bool(d, true)
               : is_bool(d, b, true)  ? a
               : is_bool(d, b, false) ? become(d, CNS_IR_NOT_BOOL, a, CNS_IR_NONE, CNS_IR_NONE)
                                      : CNS_IR_NONE;
    }
}

/* c and b, c or a, c, not c. */
static cns_ir_value fold_choice_of_booleans(folder *d) {
    cns_ir_value c = operand(d, 0), a = operand(d, 1), b = operand(d, 2);
    if (is_bool(d, a, true) && is_bool(d, b, false)) {
        return c;
    }
    if (is_bool(d, a, false) && is_bool(d, b, true)) {
        return become(d, CNS_IR_NOT_BOOL, c, CNS_IR_NONE, CNS_IR_NONE);
    }
    if (is_bool(d, b, false) || b == c) {
        return become(d, CNS_IR_AND_BOOL, c, a, CNS_IR_NONE);
    }
    if (is_bool(d, a, true) || a == c) {
        return become(d, CNS_IR_OR_BOOL, c, b, CNS_IR_NONE);
    }
    return CNS_IR_NONE;
}

static cns_ir_value fold_choice(folder *d, cns_ir_op op) {
    cns_ir_value c = operand(d, 0), a = operand(d, 1), b = operand(d, 2);
    if (a == b || is_bool(d, c, true)) {
        return a;
    }
    if (is_bool(d, c, false)) {
        return b;
    }
    if (is_op(d, c, CNS_IR_NOT_BOOL)) {
        return become(d, op, code_of(d, c)->operands[0], b, a);
    }
    return op == CNS_IR_SELECT_BOOL ? fold_choice_of_booleans(d) : CNS_IR_NONE;
}

/* ---- numeric for ----------------------------------------------------------------------------- */

static cns_ir_value enters_up_or_down(folder *d, cns_ir_value init, cns_ir_value limit,
                                      int64_t step) {
    return step > 0 ? become(d, CNS_IR_LE_I64, init, limit, CNS_IR_NONE)
                    : become(d, CNS_IR_LE_I64, limit, init, CNS_IR_NONE);
}

static cns_ir_value fold_for(folder *d, cns_ir_op op) {
    cns_ir_value init = operand(d, 0), limit = operand(d, 1), step = operand(d, 2);
    int64_t by = 0, clipped;
    double real;
    if (op == CNS_IR_FOR_GOES_ON_F64) {
        return !is_f64(d, step, &real) ? CNS_IR_NONE
               : real > 0              ? become(d, CNS_IR_LE_F64, init, limit, CNS_IR_NONE)
                                       : become(d, CNS_IR_LE_F64, limit, init, CNS_IR_NONE);
    }
    if (op == CNS_IR_FOR_ENTERS_F64 || op == CNS_IR_FOR_COUNT || !is_i64(d, step, &by) || by == 0) {
        return CNS_IR_NONE;
    }
    if (op == CNS_IR_FOR_ENTERS_I64) {
        return enters_up_or_down(d, init, limit, by);
    }
    if (!is_f64(d, limit, &real)) {
        return CNS_IR_NONE;
    }
    return cns_for_clip(real, by, &clipped) ? enters_up_or_down(d, init, make_i64(d, clipped), by)
                                            : make_bool(d, false);
}

/* ---- one instruction ------------------------------------------------------------------------- */

static bool is_exact(cns_ir_op op, const cns_constant *result) {
    return cns_ir_info(op)->result != 'f' || !isnan(result->f);
}

static cns_ir_value fold_constants(folder *d) {
    const cns_ir_instruction *code = code_of(d, d->at);
    cns_ir_op op = (cns_ir_op)code->op;
    cns_constant operands[CNS_IR_OPERANDS], result = {.i = 0};
    for (uint32_t i = 0; i < code->operand_count; i++) {
        const cns_ir_instruction *from = code_of(d, code->operands[i]);
        if (!cns_ir_is_constant(from)) {
            return CNS_IR_NONE;
        }
        operands[i].i = from->i;
    }
    if (!cns_fold_constant(op, operands, &result) || !is_exact(op, &result)) {
        return CNS_IR_NONE;
    }
    switch (code->type) {
    case CNS_VM_BOOL:
        return make_bool(d, result.i != 0);
    case CNS_VM_I64:
        return make_i64(d, result.i);
    default:
        return make_f64(d, result.f);
    }
}

/* Constants stand on the right; floats stay, where the order chooses among NaNs. */
static void order_operands(folder *d) {
    cns_ir_instruction *code = &d->f->instructions[d->at];
    if (code->operand_count == 2 && cns_ir_has((cns_ir_op)code->op, 'C') &&
        cns_ir_at(d->f, code->operands[0])->type != CNS_VM_F64 &&
        cns_ir_is_constant(code_of(d, code->operands[0]))) {
        cns_ir_value constant = code->operands[0];
        code->operands[0] = code->operands[1];
        code->operands[1] = constant;
    }
}

static cns_ir_value fold_one(folder *d) {
    order_operands(d);
    cns_ir_value value = fold_constants(d);
    cns_ir_op op = (cns_ir_op)code_of(d, d->at)->op;
    if (value != CNS_IR_NONE) {
        return value;
    }
    if (op >= CNS_IR_SELECT_BOOL && op <= CNS_IR_SELECT_F64) {
        return fold_choice(d, op);
    }
    if (op >= CNS_IR_ADD_I64 && op <= CNS_IR_SHR_I64) {
        return fold_integer(d, op);
    }
    if ((op >= CNS_IR_ADD_F64 && op <= CNS_IR_DIV_F64) || op == CNS_IR_POW_F64 ||
        (op >= CNS_IR_NEG_F64 && op <= CNS_IR_CEIL_F64)) {
        return fold_float(d, op);
    }
    if (op >= CNS_IR_EQ_BOOL && op <= CNS_IR_OR_BOOL) {
        return fold_boolean(d, op);
    }
    if (op == CNS_IR_EQ_I64 || op == CNS_IR_LT_I64 || op == CNS_IR_LE_I64 || op == CNS_IR_LT_U64 ||
        op == CNS_IR_LT_F64 || (op >= CNS_IR_EQ_I64_F64 && op <= CNS_IR_LE_F64_I64)) {
        return fold_comparison(d, op);
    }
    if (op == CNS_IR_FOR_ENTERS_I64 || op == CNS_IR_FOR_ENTERS_CLIP ||
        op == CNS_IR_FOR_GOES_ON_F64) {
        return fold_for(d, op);
    }
    return CNS_IR_NONE;
}

static void fold_value(folder *d, cns_ir_value at) {
    if (cns_ir_at(d->f, at)->operand_count == 0) {
        return;
    }
    d->at = at;
    cns_ir_resolve_operands(d->f, at);
    for (int again = 0; again < AGAIN_LIMIT && d->status == CNS_OK; again++) {
        d->changed = false;
        cns_ir_value by = fold_one(d);
        if (by != CNS_IR_NONE && d->status == CNS_OK) {
            cns_ir_replace(d->f, at, by);
            d->replaced = true;
            return;
        }
        if (!d->changed) {
            return;
        }
    }
}

/* ---- ends ------------------------------------------------------------------------------------ */

static bool same_edges(const cns_ir_edge *a, const cns_ir_edge *b) {
    return a->target == b->target && a->count == b->count &&
           (a->count == 0 ||
            memcmp(a->arguments, b->arguments, a->count * sizeof *a->arguments) == 0);
}

static void keep_edge(cns_ir_block *block, int edge) {
    block->edges[0] = block->edges[edge];
    block->edges[1] = (cns_ir_edge){.target = CNS_IR_NONE};
    block->condition = CNS_IR_NONE;
    block->end = CNS_IR_JUMP;
}

/* Whether an edge is gone. */
static bool fold_end(folder *d, cns_ir_block_id id) {
    cns_ir_resolve_end(d->f, id);
    cns_ir_block *block = &d->f->blocks[id];
    if (block->end != CNS_IR_BRANCH) {
        return false;
    }
    while (is_op(d, block->condition, CNS_IR_NOT_BOOL)) {
        cns_ir_edge yes = block->edges[0];
        block->edges[0] = block->edges[1];
        block->edges[1] = yes;
        block->condition = code_of(d, block->condition)->operands[0];
    }
    bool same = same_edges(&block->edges[0], &block->edges[1]);
    if (!same && !is_op(d, block->condition, CNS_IR_CONST_BOOL)) {
        return false;
    }
    keep_edge(block, same || code_of(d, block->condition)->i ? 0 : 1);
    return true;
}

cns_status cns_pass_fold(cns_ir_function *function) {
    cns_ir_shape shape;
    cns_status status = cns_ir_shape_init(&shape, function);
    if (status != CNS_OK) {
        return status;
    }
    folder d = {.f = function, .status = CNS_OK};
    bool unreached = false;
    for (uint32_t i = 0; i < shape.order_count && d.status == CNS_OK; i++) {
        cns_ir_value next;
        for (cns_ir_value v = function->blocks[shape.order[i]].first;
             v != CNS_IR_NONE && d.status == CNS_OK; v = next) {
            next = cns_ir_at(function, v)->next;
            fold_value(&d, v);
        }
        unreached |= d.status == CNS_OK && fold_end(&d, shape.order[i]);
    }
    cns_ir_shape_deinit(&shape);
    if (d.status == CNS_OK && d.replaced) {
        cns_ir_settle(function);
    }
    return d.status == CNS_OK && unreached ? cns_ir_compact(function) : d.status;
}
