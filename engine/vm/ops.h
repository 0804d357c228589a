/* SPDX-License-Identifier: MIT
 *
 * vm/ops.h - the operations of the typed IR, once: name, result, operands, properties.
 *
 * X(NAME, "text", result, operands, properties). Result: the letter of a type, `.` for none.
 * Operands: one letter each. i: i64, f: f64, b: bool, B: any buffer, n: i64 or f64, v: any value
 * or buffer, *: any number (block arguments and results, kept outside). Properties: P pure (may be
 * removed, merged and moved freely), T may trap (must happen where it stands unless it is proven
 * not to), R reads elements, W writes elements, C commutes.
 *
 * Integers wrap. Everything means what Lua 5.4 means by it, to the bit.
 */
#ifndef CNS_VM_OPS_H
#define CNS_VM_OPS_H

/* clang-format off */
#define CNS_IR_OPS(X)                                                                              \
    /* values */                                                                                   \
    X(NOP,          "nop",          '.', "",    "")                                                \
    X(ARGUMENT,     "argument",     '?', "",    "P") /* .index: the function's parameter */        \
    X(PARAM,        "param",        '?', "",    "P") /* a block's parameter */                     \
    /* forks: how the iterations of a prange loop are handed out (pass_parallel.c) */             \
    X(FORK_PASS,    "fork.pass",    '.', "v",   "T") /* .index: which argument of the body */   \
    X(FORK,         "fork",         '.', "iii", "TRW") /* .index: body; first, remaining, step */  \
    X(FORK_GET_I64, "fork.get.i64", 'i', "",    "T") /* .index: a result of the last fork */       \
    X(FORK_GET_F64, "fork.get.f64", 'f', "",    "T")                                               \
    /* constants and choices */                                                                    \
    X(CONST_BOOL,   "const.bool",   'b', "",    "P") /* .i */                                      \
    X(CONST_I64,    "const.i64",    'i', "",    "P") /* .i */                                      \
    X(CONST_F64,    "const.f64",    'f', "",    "P") /* .f */                                      \
    X(SELECT_BOOL,  "select.bool",  'b', "bbb", "P") /* a ? b : c; both are there already */       \
    X(SELECT_I64,   "select.i64",   'i', "bii", "P")                                               \
    X(SELECT_F64,   "select.f64",   'f', "bff", "P")                                               \
    /* integers */                                                                                 \
    X(ADD_I64,      "add.i64",      'i', "ii",  "PC")                                              \
    X(SUB_I64,      "sub.i64",      'i', "ii",  "P")                                               \
    X(MUL_I64,      "mul.i64",      'i', "ii",  "PC")                                              \
    X(IDIV_I64,     "idiv.i64",     'i', "ii",  "T") /* floored; by 0 traps */                     \
    X(MOD_I64,      "mod.i64",      'i', "ii",  "T") /* sign of the divisor; by 0 traps */         \
    X(FMOD_I64,     "fmod.i64",     'i', "ii",  "T") /* math.fmod: C's %; by 0 traps */            \
    X(NEG_I64,      "neg.i64",      'i', "i",   "P")                                               \
    X(ABS_I64,      "abs.i64",      'i', "i",   "P") /* wraps */                                   \
    X(AND_I64,      "and.i64",      'i', "ii",  "PC")                                              \
    X(OR_I64,       "or.i64",       'i', "ii",  "PC")                                              \
    X(XOR_I64,      "xor.i64",      'i', "ii",  "PC")                                              \
    X(NOT_I64,      "not.i64",      'i', "i",   "P")                                               \
    X(SHL_I64,      "shl.i64",      'i', "ii",  "P") /* logical; >= 64 gives 0, negative shr */    \
    X(SHR_I64,      "shr.i64",      'i', "ii",  "P") /* logical; >= 64 gives 0, negative shl */    \
    /* floats */                                                                                   \
    X(ADD_F64,      "add.f64",      'f', "ff",  "PC")                                              \
    X(SUB_F64,      "sub.f64",      'f', "ff",  "P")                                               \
    X(MUL_F64,      "mul.f64",      'f', "ff",  "PC")                                              \
    X(DIV_F64,      "div.f64",      'f', "ff",  "P")                                               \
    X(IDIV_F64,     "idiv.f64",     'f', "ff",  "P") /* floor(a / b) */                            \
    X(MOD_F64,      "mod.f64",      'f', "ff",  "P") /* fmod, moved to the divisor's sign */       \
    X(FMOD_F64,     "fmod.f64",     'f', "ff",  "P") /* C's fmod */                                \
    X(POW_F64,      "pow.f64",      'f', "ff",  "P") /* b == 2 ? a * a : C's pow(a, b), as Lua */ \
    X(NEG_F64,      "neg.f64",      'f', "f",   "P")                                               \
    X(ABS_F64,      "abs.f64",      'f', "f",   "P")                                               \
    X(FLOOR_F64,    "floor.f64",    'f', "f",   "P")                                               \
    X(CEIL_F64,     "ceil.f64",     'f', "f",   "P")                                               \
    X(SQRT_F64,     "sqrt.f64",     'f', "f",   "P")                                               \
    X(SIN_F64,      "sin.f64",      'f', "f",   "P")                                               \
    X(COS_F64,      "cos.f64",      'f', "f",   "P")                                               \
    X(TAN_F64,      "tan.f64",      'f', "f",   "P")                                               \
    X(ASIN_F64,     "asin.f64",     'f', "f",   "P")                                               \
    X(ACOS_F64,     "acos.f64",     'f', "f",   "P")                                               \
    X(ATAN2_F64,    "atan2.f64",    'f', "ff",  "P")                                               \
    X(EXP_F64,      "exp.f64",      'f', "f",   "P")                                               \
    X(LOG_F64,      "log.f64",      'f', "f",   "P")                                               \
    X(LOG2_F64,     "log2.f64",     'f', "f",   "P")                                               \
    X(LOG10_F64,    "log10.f64",    'f', "f",   "P")                                               \
    /* conversions */                                                                              \
    X(I64_TO_F64,   "i64.to.f64",   'f', "i",   "P") /* rounds to nearest */                       \
    X(F64_TO_I64,   "f64.to.i64",   'i', "f",   "T") /* exact, or traps: "no integer ..." */       \
    X(F64_TO_INDEX, "f64.to.index", 'i', "f",   "T") /* the same, as an index of a buffer */       \
    X(FITS_I64,     "fits.i64",     'b', "f",   "P") /* integral and in i64's range */             \
    X(TRUNC_I64,    "trunc.i64",    'i', "f",   "P") /* towards 0; 0 where it does not fit */      \
    /* comparisons; mixed ones compare the exact values; all are false on NaN */                   \
    X(EQ_BOOL,      "eq.bool",      'b', "bb",  "PC")                                              \
    X(NOT_BOOL,     "not.bool",     'b', "b",   "P")                                               \
    X(AND_BOOL,     "and.bool",     'b', "bb",  "PC")                                              \
    X(OR_BOOL,      "or.bool",      'b', "bb",  "PC")                                              \
    X(EQ_I64,       "eq.i64",       'b', "ii",  "PC")                                              \
    X(LT_I64,       "lt.i64",       'b', "ii",  "P")                                               \
    X(LE_I64,       "le.i64",       'b', "ii",  "P")                                               \
    X(LT_U64,       "lt.u64",       'b', "ii",  "P")                                               \
    X(EQ_F64,       "eq.f64",       'b', "ff",  "PC")                                              \
    X(LT_F64,       "lt.f64",       'b', "ff",  "P")                                               \
    X(LE_F64,       "le.f64",       'b', "ff",  "P")                                               \
    X(EQ_I64_F64,   "eq.i64.f64",   'b', "if",  "P")                                               \
    X(LT_I64_F64,   "lt.i64.f64",   'b', "if",  "P")                                               \
    X(LE_I64_F64,   "le.i64.f64",   'b', "if",  "P")                                               \
    X(LT_F64_I64,   "lt.f64.i64",   'b', "fi",  "P")                                               \
    X(LE_F64_I64,   "le.f64.i64",   'b', "fi",  "P")                                               \
    /* numeric for, as Lua prepares it */                                                        \
    X(FOR_ENTERS_I64, "for.enters.i64", 'b', "iii", "T") /* init limit step; step 0 traps */       \
    X(FOR_ENTERS_CLIP,"for.enters.clip",'b', "ifi", "T") /* the same with a float limit */         \
    X(FOR_CLIP,     "for.clip",     'i', "fi",  "P") /* limit step: the limit floored, clipped */  \
    X(FOR_COUNT,    "for.count",    'i', "iii", "P") /* init limit step: runs after the first,    \
                                                        unsigned; any value where it does not      \
                                                        enter (step 0 must do no harm) */          \
    X(FOR_ENTERS_F64, "for.enters.f64", 'b', "fff", "T")                                           \
    X(FOR_GOES_ON_F64,"for.goes.on.f64",'b', "fff", "P") /* index limit step */                    \
    /* buffers */                                                                                  \
    X(LEN,          "len",          'i', "B",   "P")                                               \
    X(LOAD,         "load",         '?', "Bi",  "TR") /* 1-based; i64 or f64 by element type */    \
    X(STORE,        "store",        '.', "Bin", "TW") /* index checked, value converted exactly */ \
    X(WITHIN,       "within",       'b', "Biii","P")  /* buffer, first index, step, count >= 0:    \
                              all of first, first+step, ... (count+1 of them) are inside 1..#B */
/* clang-format on */

#endif
