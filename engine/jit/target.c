/* SPDX-License-Identifier: MIT
 *
 * target.c - the machine that code is made for, and the passes that make it good.
 *
 * A target machine serves one compilation at a time: LLVM's is not for several threads. To make one
 * and what hangs off it (the tables of a subtarget, from a list of two hundred features) takes as
 * long as to compile a small loop, so that the host's are kept for the next compilation.
 */
#include "jit/jit.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <string.h>

static void ignore_diagnostic(LLVMDiagnosticInfoRef info, void *user) {
    (void)info;
    (void)user;
}

void cns_jit_be_quiet(LLVMContextRef llvm) {
    LLVMContextSetDiagnosticHandler(llvm, ignore_diagnostic, NULL);
}

cns_status cns_jit_error(cns_jit *jit, const char *what, LLVMErrorRef error) {
    char *text = LLVMGetErrorMessage(error);
    cns_status status =
        jit->services->fail(jit->context, CNS_E_UNSUPPORTED, "LLVM: %s: %s", what, text);
    LLVMDisposeErrorMessage(text);
    return status;
}

/* Doubles in a vector, by what the features name. */
static uint32_t count_lanes(const char *features) {
    if (strstr(features, "+avx512f") && strstr(features, "+avx512dq")) {
        return 8;
    }
    return strstr(features, "+avx2") ? 4 : 2;
}

/* ---- machines -------------------------------------------------------------------------------- */

static LLVMTargetMachineRef take_machine(cns_jit *jit) {
    LLVMTargetMachineRef machine = NULL;
    for (int i = 0; i < CNS_JIT_MACHINES && !machine; i++) {
        machine = atomic_exchange(&jit->machines[i], NULL);
    }
    return machine;
}

static void keep_machine(cns_jit *jit, LLVMTargetMachineRef machine) {
    for (int i = 0; i < CNS_JIT_MACHINES; i++) {
        LLVMTargetMachineRef none = NULL;
        if (atomic_compare_exchange_strong(&jit->machines[i], &none, machine)) {
            return;
        }
    }
    LLVMDisposeTargetMachine(machine);
}

void cns_jit_drop_machines(cns_jit *jit) {
    LLVMTargetMachineRef machine;
    while ((machine = take_machine(jit)) != NULL) {
        LLVMDisposeTargetMachine(machine);
    }
}

static cns_status make_machine(cns_jit *jit, cns_jit_target *target) {
    LLVMTargetRef kind = NULL;
    char *text = NULL;
    if (LLVMGetTargetFromTriple(jit->triple, &kind, &text)) {
        cns_status status = jit->services->fail(jit->context, CNS_E_UNSUPPORTED, "LLVM: %s", text);
        LLVMDisposeMessage(text);
        return status;
    }
    target->machine =
        LLVMCreateTargetMachine(kind, jit->triple, target->cpu, target->features,
                                LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelDefault);
    return target->machine ? CNS_OK
                           : jit->services->fail(jit->context, CNS_E_UNSUPPORTED,
                                                 "LLVM knows no processor \"%s\"", target->cpu);
}

cns_status cns_jit_target_init(cns_jit *jit, const cns_native_options *options,
                               cns_jit_target *target) {
    const cns_jit_cpu *named = NULL;
    if (options->cpu && *options->cpu) {
        cns_status status = cns_jit_cpu_find(jit, options->cpu, strlen(options->cpu), &named);
        if (status != CNS_OK) {
            return status;
        }
    }
    target->cpu = named ? named->name : jit->cpu;
    target->features = options->features ? options->features : named ? "" : jit->features;
    target->native = !named && !options->features;
    target->alone = false;
    target->machine = target->native ? take_machine(jit) : NULL;
    cns_status status = target->machine ? CNS_OK : make_machine(jit, target);
    if (status != CNS_OK) {
        return status;
    }
    target->layout = LLVMCreateTargetDataLayout(target->machine);
    uint32_t lanes = named ? named->lanes : count_lanes(target->features);
    uint32_t wanted = options->vector_bits ? options->vector_bits / 64 : lanes;
    target->lanes = wanted < 2 ? 2 : wanted < lanes ? wanted : lanes;
    return CNS_OK;
}

cns_status cns_jit_assemble(cns_jit *jit, LLVMTargetMachineRef machine, LLVMModuleRef module,
                            LLVMCodeGenFileType kind, LLVMMemoryBufferRef *out) {
    char *text = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, kind, &text, out)) {
        cns_status status = jit->services->fail(jit->context, CNS_E_UNSUPPORTED, "LLVM: %s", text);
        LLVMDisposeMessage(text);
        return status;
    }
    return CNS_OK;
}

void cns_jit_target_deinit(cns_jit *jit, cns_jit_target *target) {
    LLVMDisposeTargetData(target->layout);
    if (target->native) {
        keep_machine(jit, target->machine);
    } else {
        LLVMDisposeTargetMachine(target->machine);
    }
}

/* ---- passes ---------------------------------------------------------------------------------- */

/* What is left to do: the engine's own passes come first, and loops are made as LLVM's vectoriser
 * wants them (entered by a test, one latch, indices that do not wrap). What is hoisted leaves small
 * branches for simplifycfg, and the selections that it makes of them must be tidy (instcombine), or
 * loops that count under a condition stay scalar. Only loops whose counts are constants are ever
 * unrolled. LLVM's -O2 takes three times as long for code that is no faster. */
#define PASSES(unroll)                                                                             \
    "function<eager-inv>("                                                                         \
    "mem2reg,early-cse,instcombine<no-verify-fixpoint>,simplifycfg,"                               \
    "loop-mssa(loop-rotate,licm),instcombine<no-verify-fixpoint>,"                                 \
    "loop-vectorize,simplifycfg,loop-mssa(licm)," unroll "early-cse,simplifycfg)"

static const char passes[] = PASSES("");
static const char unrolling[] = PASSES("loop-unroll<O2;no-runtime>,");

cns_status cns_jit_optimise(cns_jit *jit, const cns_jit_target *target, LLVMModuleRef module) {
#ifdef CNS_DEBUG
    char *text = NULL;
    bool broken = LLVMVerifyModule(module, LLVMReturnStatusAction, &text);
    cns_status status =
        broken ? jit->services->fail(jit->context, CNS_E_CORRUPT, "LLVM: %s", text) : CNS_OK;
    LLVMDisposeMessage(text);
    if (broken) {
        return status;
    }
#endif
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMPassBuilderOptionsSetLoopVectorization(options, 1);
    LLVMPassBuilderOptionsSetLoopInterleaving(options, 1);
    LLVMPassBuilderOptionsSetLoopUnrolling(options, 1);
    const char *chosen = cns_jit_may_unroll(module) ? unrolling : passes;
    LLVMErrorRef error = LLVMRunPasses(module, chosen, target->machine, options);
    LLVMDisposePassBuilderOptions(options);
    return error ? cns_jit_error(jit, "the passes failed", error) : CNS_OK;
}
