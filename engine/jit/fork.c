/* SPDX-License-Identifier: MIT
 *
 * fork.c - loops over cns.prange: what is passed to a body, the fork, the accumulators.
 *
 * Bodies are functions of the same module. The engine cuts the iterations into parts, runs them on
 * its pool and puts the accumulators together, so results are those of the VM to the bit: native
 * code only fills the slots in, as code_run.c does, and calls.
 */
#include "jit/jit.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ---- bodies ---------------------------------------------------------------------------------- */

/* false: too long, by nesting. */
static bool body_name(char *out, size_t capacity, const char *symbol, uint32_t index) {
    int length = snprintf(out, capacity, "%s.%u", symbol, (unsigned)index);
    return length > 0 && (size_t)length < capacity;
}

cns_status cns_jit_lower_bodies(cns_jit *jit, const cns_native_options *options,
                                const cns_jit_target *target, const cns_ir_function *function,
                                LLVMModuleRef module, const char *symbol) {
    cns_status status = CNS_OK;
    for (uint32_t i = 0; i < function->body_count && status == CNS_OK; i++) {
        char name[CNS_JIT_SYMBOL];
        if (!body_name(name, sizeof name, symbol, i)) {
            return jit->services->fail(jit->context, CNS_E_LIMIT,
                                       "kernel %s: loops over cns.prange are nested too deep",
                                       function->name);
        }
        status = cns_jit_lower_function(jit, options, target, function->bodies[i].function, module,
                                        name);
        if (status == CNS_OK) {
            LLVMSetLinkage(LLVMGetNamedFunction(module, name), LLVMInternalLinkage);
        }
    }
    return status;
}

/* ---- slots ----------------------------------------------------------------------------------- */

void cns_jit_make_slots(cns_jit_lower *l) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < l->function->body_count; i++) {
        const cns_ir_fork *fork = &l->function->bodies[i].fork;
        most = fork->slot_count > most ? fork->slot_count : most;
        most = fork->accumulator_count > most ? fork->accumulator_count : most;
    }
    if (most > 0) {
        LLVMTypeRef words = LLVMArrayType2(l->type.i64, 2 * (uint64_t)most);
        l->slots = LLVMBuildAlloca(l->build, words, "slots");
        LLVMSetAlignment(l->slots, _Alignof(cns_vm_value));
    }
}

static LLVMValueRef slot(const cns_jit_lower *l, uint32_t index, size_t offset) {
    LLVMValueRef place = cns_jit_int(l, (int64_t)(index * sizeof(cns_vm_value) + offset));
    return LLVMBuildInBoundsGEP2(l->build, l->type.i8, l->slots, &place, 1, "");
}

static void pass(cns_jit_lower *l, uint32_t index, cns_ir_value value) {
    uint8_t type = cns_ir_at(l->function, value)->type;
    LLVMValueRef payload = l->values[value];
    if (type == CNS_VM_BOOL) {
        payload = LLVMBuildZExt(l->build, payload, l->type.i64, "");
    } else if (cns_ir_is_buffer(type)) {
        LLVMBuildStore(l->build, l->counts[value], slot(l, index, offsetof(cns_vm_value, count)));
    }
    LLVMBuildStore(l->build, payload, slot(l, index, 0));
}

/* ---- the fork -------------------------------------------------------------------------------- */

/* The description of a fork, as bytes of the module's own. */
static LLVMValueRef describe(const cns_jit_lower *l, const cns_ir_fork *fork) {
    const char *bytes = (const char *)fork;
    LLVMValueRef data = LLVMConstStringInContext2(l->llvm, bytes, sizeof *fork, 1);
    LLVMValueRef global = LLVMAddGlobal(l->module, LLVMTypeOf(data), "fork");
    LLVMSetInitializer(global, data);
    LLVMSetLinkage(global, LLVMInternalLinkage);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetAlignment(global, _Alignof(cns_ir_fork));
    return global;
}

static LLVMValueRef runner(const cns_jit_lower *l, LLVMTypeRef type) {
    LLVMValueRef function = LLVMGetNamedFunction(l->module, CNS_JIT_FORK);
    if (!function) {
        function = LLVMAddFunction(l->module, CNS_JIT_FORK, type);
        cns_jit_attribute(l, function, "nounwind", 0);
    }
    return function;
}

/* Its trap is written down already: the kind is handed on. */
static void fork_loop(cns_jit_lower *l, const cns_ir_instruction *code) {
    LLVMTypeRef types[5] = {l->type.pointer, l->type.pointer, l->type.pointer, l->type.pointer,
                            l->type.i64};
    LLVMTypeRef type = LLVMFunctionType(l->type.i32, types, 5, 0);
    size_t length = 0;
    char name[CNS_JIT_SYMBOL];
    (void)body_name(name, sizeof name, LLVMGetValueName2(l->code, &length), code->index);
    pass(l, 0, code->operands[0]);
    pass(l, 1, code->operands[1]);
    LLVMValueRef arguments[5] = {l->run, describe(l, &l->function->bodies[code->index].fork),
                                 LLVMGetNamedFunction(l->module, name), l->slots,
                                 l->values[code->operands[2]]};
    LLVMValueRef kind = LLVMBuildCall2(l->build, type, runner(l, type), arguments, 5, "");
    LLVMBasicBlockRef stop = cns_jit_block(l, "fork.stop");
    LLVMBasicBlockRef on = cns_jit_block(l, "forked");
    LLVMBuildCondBr(l->build, LLVMBuildIsNull(l->build, kind, ""), on, stop);
    LLVMPositionBuilderAtEnd(l->build, stop);
    LLVMBuildRet(l->build, kind);
    LLVMPositionBuilderAtEnd(l->build, on);
}

LLVMValueRef cns_jit_fork(cns_jit_lower *l, const cns_ir_instruction *code) {
    switch (code->op) {
    case CNS_IR_FORK_PASS:
        pass(l, code->index, code->operands[0]);
        return NULL;
    case CNS_IR_FORK:
        fork_loop(l, code);
        return NULL;
    case CNS_IR_FORK_GET_F64:
        return LLVMBuildLoad2(l->build, l->type.f64, slot(l, code->index, 0), "");
    default:
        return LLVMBuildLoad2(l->build, l->type.i64, slot(l, code->index, 0), "");
    }
}
