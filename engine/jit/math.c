/* SPDX-License-Identifier: MIT
 *
 * math.c - the functions of the C library that native code calls.
 *
 * They must be the very functions that Lua and the VM call, so LLVM is kept from knowing them:
 * "nobuiltin" stops it from turning pow(2, x) into exp2(x), which rounds otherwise. They are told
 * to be pure, so that it may hoist and merge them all the same (no kernel sees errno).
 */
#include <string.h>

#include "jit/jit.h"

static const cns_jit_math rows[] = {
    {CNS_IR_SIN_F64, 1, "sin", {"_ZGVeN8v_sin", "_ZGVdN4v_sin"}},
    {CNS_IR_COS_F64, 1, "cos", {"_ZGVeN8v_cos", "_ZGVdN4v_cos"}},
    {CNS_IR_TAN_F64, 1, "tan", {"_ZGVeN8v_tan", "_ZGVdN4v_tan"}},
    {CNS_IR_ASIN_F64, 1, "asin", {"_ZGVeN8v_asin", "_ZGVdN4v_asin"}},
    {CNS_IR_ACOS_F64, 1, "acos", {"_ZGVeN8v_acos", "_ZGVdN4v_acos"}},
    {CNS_IR_ATAN2_F64, 2, "atan2", {"_ZGVeN8vv_atan2", "_ZGVdN4vv_atan2"}},
    {CNS_IR_EXP_F64, 1, "exp", {"_ZGVeN8v_exp", "_ZGVdN4v_exp"}},
    {CNS_IR_LOG_F64, 1, "log", {"_ZGVeN8v_log", "_ZGVdN4v_log"}},
    {CNS_IR_LOG2_F64, 1, "log2", {"_ZGVeN8v_log2", "_ZGVdN4v_log2"}},
    {CNS_IR_LOG10_F64, 1, "log10", {"_ZGVeN8v_log10", "_ZGVdN4v_log10"}},
    {CNS_IR_POW_F64, 2, "pow", {"_ZGVeN8vv_pow", "_ZGVdN4vv_pow"}},
    {CNS_IR_FMOD_F64, 2, "fmod", {NULL, NULL}},
};

enum { ROWS = sizeof rows / sizeof *rows };

const cns_jit_math *cns_jit_math_row(uint32_t index) {
    return index < ROWS ? &rows[index] : NULL;
}

const cns_jit_math *cns_jit_math_of(cns_ir_op op) {
    op = op == CNS_IR_MOD_F64 ? CNS_IR_FMOD_F64 : op;
    for (uint32_t i = 0; i < ROWS; i++) {
        if (rows[i].op == op) {
            return &rows[i];
        }
    }
    return NULL;
}

/* The function by its name, called through the linker's table at once ("nonlazybind"); of vectors
 * of `lanes` or of scalars. */
static LLVMValueRef call(cns_jit_lower *l, const char *name, LLVMValueRef *operands, uint32_t count,
                         uint32_t lanes) {
    LLVMTypeRef value = lanes ? LLVMVectorType(l->type.f64, lanes) : l->type.f64;
    LLVMTypeRef parameters[2] = {value, value};
    LLVMTypeRef type = LLVMFunctionType(value, parameters, count, 0);
    LLVMValueRef function = LLVMGetNamedFunction(l->module, name);
    if (!function) {
        function = LLVMAddFunction(l->module, name, type);
        cns_jit_attribute(l, function, "nobuiltin", 0);
        cns_jit_attribute(l, function, "nonlazybind", 0);
        cns_jit_attribute(l, function, "nounwind", 0);
        cns_jit_attribute(l, function, "willreturn", 0);
        cns_jit_attribute(l, function, "nocallback", 0);
        cns_jit_attribute(l, function, "memory", 0); /* none */
    }
    return LLVMBuildCall2(l->build, type, function, operands, count, "");
}

/* What stands for a function where the target's vectors are concerned. Unless it brings its own,
 * the code must be for this machine, since what it calls is in this process. */
typedef struct vectors {
    const char *approximate; /* libmvec's, of one vector: where the kernel allows its error, at most
                                4 ulp; else NULL */
    const cns_libm *same;    /* else the engine's, with libm's results; NULL where there is none */
    bool own;                /* the module's, with libm's results */
} vectors;

static vectors vectors_of(const cns_jit_lower *l, const cns_jit_math *row) {
    const cns_jit *jit = l->jit;
    uint32_t lanes = l->target->lanes;
    if (cns_jit_libm_brings(l, row)) {
        return (vectors){.own = true};
    }
    if ((lanes != 8 && lanes != 4) || !l->target->native) {
        return (vectors){.own = false};
    }
    const char *name = row->vector[lanes == 8 ? CNS_JIT_LANES_8 : CNS_JIT_LANES_4];
    bool wanted = (l->options->math & CNS_KERNEL_APPROXIMATE) && jit->vector_math && name;
    if (wanted && jit->services->library_symbol(jit->vector_math, name)) {
        return (vectors){.approximate = name};
    }
    return (vectors){.same = jit->services->libm(jit->context, row->op, lanes)};
}

bool cns_jit_math_has_vectors(const cns_jit_lower *l, const cns_jit_math *row) {
    vectors v = vectors_of(l, row);
    return v.approximate || v.same || v.own;
}

static LLVMValueRef lane(const cns_jit_lower *l, uint32_t i) {
    return LLVMConstInt(l->type.i32, i, 0);
}

/* Lane by lane: the same function as in scalar code, so the same result. */
static LLVMValueRef call_each(cns_jit_lower *l, const char *name, LLVMValueRef *operands,
                              uint32_t count, uint32_t lanes) {
    LLVMValueRef all = LLVMGetPoison(LLVMVectorType(l->type.f64, lanes));
    for (uint32_t i = 0; i < lanes; i++) {
        LLVMValueRef scalars[2];
        for (uint32_t k = 0; k < count; k++) {
            scalars[k] = LLVMBuildExtractElement(l->build, operands[k], lane(l, i), "");
        }
        LLVMValueRef one = call(l, name, scalars, count, 0);
        all = LLVMBuildInsertElement(l->build, all, one, lane(l, i), "");
    }
    return all;
}

/* Lanes `first` to `first` + `count` - 1 of the two vectors, one behind the other. */
static LLVMValueRef slice(cns_jit_lower *l, LLVMValueRef one, LLVMValueRef other, uint32_t first,
                          uint32_t count) {
    LLVMValueRef places[16];
    for (uint32_t i = 0; i < count; i++) {
        places[i] = lane(l, first + i);
    }
    LLVMValueRef which = LLVMConstVector(places, count);
    return LLVMBuildShuffleVector(l->build, one, other, which, "");
}

/* By a function of the target's vectors: one, or one after the other. */
static LLVMValueRef call_approximate(cns_jit_lower *l, const char *name, LLVMValueRef *operands,
                                     uint32_t count, uint32_t lanes) {
    uint32_t width = l->target->lanes;
    if (lanes == width) {
        return call(l, name, operands, count, lanes);
    }
    LLVMValueRef results[2], parts[2];
    for (uint32_t i = 0; i < 2; i++) {
        for (uint32_t k = 0; k < count; k++) {
            parts[k] = slice(l, operands[k], operands[k], i * width, width);
        }
        results[i] = call(l, name, parts, count, width);
    }
    return slice(l, results[0], results[1], 0, lanes);
}

/* Memory for one operand, in the function's first block. */
static LLVMValueRef make_scratch(cns_jit_lower *l, LLVMTypeRef type) {
    LLVMBasicBlockRef here = LLVMGetInsertBlock(l->build);
    LLVMPositionBuilderBefore(l->build, LLVMGetFirstInstruction(LLVMGetEntryBasicBlock(l->code)));
    LLVMValueRef made = LLVMBuildAlloca(l->build, type, "lanes");
    LLVMPositionBuilderAtEnd(l->build, here);
    return made;
}

static LLVMValueRef engine_function(cns_jit_lower *l, const char *name) {
    LLVMTypeRef type = LLVMFunctionType(l->type.none, &l->type.pointer, 1, 0);
    LLVMValueRef function = LLVMGetNamedFunction(l->module, name);
    if (!function) {
        function = LLVMAddFunction(l->module, name, type);
        cns_jit_attribute(l, function, "nonlazybind", 0);
        cns_jit_attribute(l, function, "nounwind", 0);
        cns_jit_attribute(l, function, "willreturn", 0);
        cns_jit_attribute(l, function, "nocallback", 0);
        cns_jit_attribute(l, function, "memory", 3); /* its argument's: read and written */
    }
    return function;
}

/* By a function that replaces two vectors in memory: these do not come back in registers by all
 * conventions, and C compilers have several. Beside a single vector there are ones. */
static LLVMValueRef call_same(cns_jit_lower *l, LLVMValueRef function, LLVMValueRef operand,
                              uint32_t lanes) {
    if (lanes == l->target->lanes) {
        LLVMValueRef ones[8];
        for (uint32_t i = 0; i < lanes; i++) {
            ones[i] = cns_jit_real(l, 1.0);
        }
        operand = slice(l, operand, LLVMConstVector(ones, lanes), 0, 2 * lanes);
    }
    if (!l->scratch) {
        l->scratch = make_scratch(l, LLVMTypeOf(operand));
    }
    LLVMBuildStore(l->build, operand, l->scratch);
    LLVMBuildCall2(l->build, LLVMGlobalGetValueType(function), function, &l->scratch, 1, "");
    return LLVMBuildLoad2(l->build, LLVMVectorType(l->type.f64, lanes), l->scratch, "");
}

static const cns_jit_math *row_named(const char *name) {
    const cns_jit_math *row = rows;
    while (strcmp(row->name, name) != 0) {
        row++;
    }
    return row;
}

LLVMValueRef cns_jit_math_call(cns_jit_lower *l, const char *name, LLVMValueRef *operands,
                               uint32_t count, uint32_t lanes) {
    if (lanes == 0) {
        return call(l, name, operands, count, 0);
    }
    const cns_jit_math *row = row_named(name);
    vectors v = vectors_of(l, row);
    if (v.approximate) {
        return call_approximate(l, v.approximate, operands, count, lanes);
    }
    if (v.same || v.own) {
        LLVMValueRef code = v.own ? cns_jit_libm(l, row) : engine_function(l, v.same->name);
        return call_same(l, code, operands[0], lanes);
    }
    return call_each(l, name, operands, count, lanes);
}
