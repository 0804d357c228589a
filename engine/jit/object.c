/* SPDX-License-Identifier: MIT
 *
 * object.c - object files: kernels as C functions, for several levels of processors at once.
 *
 * A kernel's code is what it is in the engine, a function of a cns_run, once for each level. Around
 * it stands the function that C sees: it lays its arguments out on the stack, takes the code of the
 * machine's level from a table, and hands results or the trap back. Which code is inside is a
 * property of each function, so all levels lie in one module and one file.
 */
#include <stdio.h>
#include <string.h>

#include "jit/jit.h"

enum { NAME = 320, LEVELS_MAX = CNS_JIT_LEVELS, RUN_WORDS = sizeof(cns_run) / 8 };

_Static_assert(sizeof(cns_run) % 8 == 0 && sizeof(cns_vm_value) == 16, "words");

typedef struct maker {
    cns_jit *jit;
    const cns_native_object *build;
    LLVMContextRef llvm;
    LLVMModuleRef module;
    LLVMBuilderRef at;
    LLVMTypeRef i1, i8, i32, i64, f64, pointer, entry;
    cns_jit_target targets[LEVELS_MAX];
    uint8_t levels[LEVELS_MAX]; /* of targets; 0: not asked */
    uint32_t target_count;
} maker;

/* ---- processors ------------------------------------------------------------------------------ */

static cns_status invalid(cns_jit *jit, const char *what) {
    return jit->services->fail(jit->context, CNS_E_INVALID, "processors: %s", what);
}

static cns_status add_target(maker *m, const char *name, uint8_t level) {
    cns_native_options options = {.cpu = name};
    cns_status status = cns_jit_target_init(m->jit, &options, &m->targets[m->target_count]);
    if (status == CNS_OK) {
        m->targets[m->target_count].native = false; /* no libmvec in other programs */
        m->targets[m->target_count].alone = true;
        m->levels[m->target_count++] = level;
    }
    return status;
}

/* Several names must be levels; their order does not matter. */
static cns_status add_named(maker *m, const char *names) {
    uint8_t wanted = 0;
    const cns_jit_cpu *cpus[LEVELS_MAX + 1] = {NULL};
    bool single = strchr(names, ',') == NULL;
    for (const char *at = names;;) {
        size_t length = strcspn(at, ",");
        const cns_jit_cpu *cpu = NULL;
        cns_status status = cns_jit_cpu_find(m->jit, at, length, &cpu);
        if (status != CNS_OK) {
            return status;
        }
        if (cpu->level == 0) {
            return single ? add_target(m, cpu->name, 0)
                          : invalid(m->jit, "a list may hold x86-64, x86-64-v2, x86-64-v3 and "
                                            "x86-64-v4; any other stands alone");
        }
        wanted |= (uint8_t)(1U << cpu->level);
        cpus[cpu->level] = cpu;
        if (at[length] == '\0') {
            break;
        }
        at += length + 1;
    }
    cns_status status = CNS_OK;
    for (uint8_t level = 1; level <= LEVELS_MAX && status == CNS_OK; level++) {
        if (wanted & (1U << level)) {
            status = add_target(m, cpus[level]->name, level);
        }
    }
    return status;
}

static cns_status add_targets(maker *m) {
    const char *cpus = m->build->cpus;
    bool here = !cpus || strcmp(cpus, "native") == 0;
    return here ? add_target(m, NULL, 0) : add_named(m, cpus);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static LLVMValueRef int32_of(const maker *m, uint64_t value) {
    return LLVMConstInt(m->i32, value, 0);
}

static LLVMValueRef int64_of(const maker *m, uint64_t value) {
    return LLVMConstInt(m->i64, value, 0);
}

static LLVMValueRef byte_at(const maker *m, LLVMValueRef base, size_t offset) {
    LLVMValueRef place = int64_of(m, offset);
    return LLVMBuildInBoundsGEP2(m->at, m->i8, base, &place, 1, "");
}

static void set(const maker *m, LLVMValueRef base, size_t offset, LLVMValueRef value) {
    LLVMBuildStore(m->at, value, byte_at(m, base, offset));
}

static LLVMValueRef get(const maker *m, LLVMTypeRef type, LLVMValueRef base, size_t offset) {
    return LLVMBuildLoad2(m->at, type, byte_at(m, base, offset), "");
}

static LLVMValueRef words(const maker *m, uint32_t count, const char *name) {
    LLVMValueRef made = LLVMBuildAlloca(m->at, LLVMArrayType2(m->i64, count ? count : 1), name);
    LLVMSetAlignment(made, 8);
    return made;
}

static LLVMValueRef constant(const maker *m, LLVMTypeRef type, LLVMValueRef value,
                             const char *name) {
    LLVMValueRef made = LLVMAddGlobal(m->module, type, name);
    LLVMSetInitializer(made, value);
    LLVMSetLinkage(made, LLVMInternalLinkage);
    LLVMSetGlobalConstant(made, 1);
    return made;
}

static LLVMValueRef call_runtime(const maker *m, const char *name, LLVMValueRef *arguments,
                                 uint32_t count) {
    LLVMValueRef function = LLVMGetNamedFunction(m->module, name);
    return LLVMBuildCall2(m->at, LLVMGlobalGetValueType(function), function, arguments, count, "");
}

/* ---- sites ----------------------------------------------------------------------------------- */

static LLVMValueRef text_of(const maker *m, const char *text) {
    LLVMValueRef bytes = LLVMConstStringInContext2(m->llvm, text, strlen(text), 0);
    LLVMValueRef made = constant(m, LLVMTypeOf(bytes), bytes, "cns.source");
    LLVMSetLinkage(made, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(made, LLVMGlobalUnnamedAddr);
    return made;
}

/* A kernel's places in its source, for traps; behind them one that is none. */
static cns_status make_sites(const maker *m, const cns_ir_function *f, LLVMValueRef *out) {
    size_t size = (f->site_count + (size_t)1) * sizeof(LLVMValueRef);
    LLVMValueRef *list = m->jit->services->calloc(m->jit->context, size);
    if (!list) {
        return m->jit->services->memory_status(m->jit->context, size);
    }
    LLVMValueRef source = NULL;
    for (uint32_t i = 0; i < f->site_count; i++) {
        if (i == 0 || strcmp(f->sites[i].source, f->sites[i - 1].source) != 0) {
            source = text_of(m, f->sites[i].source);
        }
        LLVMValueRef parts[2] = {source, int32_of(m, f->sites[i].line)};
        list[i] = LLVMConstStructInContext(m->llvm, parts, 2, 0);
    }
    LLVMValueRef none[2] = {LLVMConstNull(m->pointer), int32_of(m, 0)};
    list[f->site_count] = LLVMConstStructInContext(m->llvm, none, 2, 0);
    LLVMTypeRef type = LLVMTypeOf(list[f->site_count]);
    LLVMValueRef array = LLVMConstArray2(type, list, f->site_count + (uint64_t)1);
    *out = constant(m, LLVMTypeOf(array), array, "cns.sites");
    m->jit->services->free(m->jit->context, list, size, CNS_ALIGN_DEFAULT);
    return CNS_OK;
}

/* ---- a kernel's code ------------------------------------------------------------------------- */

/* Once for each target, as SYMBOL.PROCESSOR. */
static cns_status lower(const maker *m, const cns_native_export *kernel, LLVMValueRef *out) {
    for (uint32_t t = 0; t < m->target_count; t++) {
        char name[NAME];
        int length = snprintf(name, sizeof name, "%s.%s", kernel->symbol, m->targets[t].cpu);
        if (length <= 0 || (size_t)length >= sizeof name) {
            return m->jit->services->fail(m->jit->context, CNS_E_LIMIT,
                                          "the name of kernel %s is too long", kernel->symbol);
        }
        cns_native_options options = {.math = kernel->math, .unattended = true};
        cns_status status = cns_jit_lower_function(m->jit, &options, &m->targets[t],
                                                   kernel->function, m->module, name);
        if (status != CNS_OK) {
            return status;
        }
        out[t] = LLVMGetNamedFunction(m->module, name);
        LLVMSetLinkage(out[t], LLVMInternalLinkage);
    }
    return CNS_OK;
}

/* Code by level, from 0: the best that is not above it, NULL where there is none. */
static LLVMValueRef make_table(const maker *m, LLVMValueRef *codes) {
    LLVMValueRef rows[LEVELS_MAX + 1];
    rows[0] = LLVMConstNull(m->pointer);
    for (uint8_t level = 1; level <= LEVELS_MAX; level++) {
        rows[level] = rows[level - 1];
        for (uint32_t t = 0; t < m->target_count; t++) {
            rows[level] = m->levels[t] == level ? codes[t] : rows[level];
        }
    }
    LLVMValueRef array = LLVMConstArray2(m->pointer, rows, LEVELS_MAX + 1);
    return constant(m, LLVMTypeOf(array), array, "cns.levels");
}

/* ---- the function that C sees ---------------------------------------------------------------- */

typedef struct wrapper {
    const maker *m;
    const cns_native_export *kernel;
    LLVMValueRef code;
    LLVMValueRef run, arguments, results; /* on its stack */
    LLVMValueRef *codes;
    LLVMValueRef sites;
    LLVMValueRef error; /* the last parameter */
} wrapper;

static uint8_t argument_type(const cns_ir_function *f, uint32_t index) {
    return f->arguments[index] == CNS_IR_NONE ? CNS_VM_NIL
                                              : cns_ir_at(f, f->arguments[index])->type;
}

static uint32_t list_parameters(const maker *m, const cns_native_export *kernel, LLVMTypeRef *out) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < kernel->function->argument_count; i++) {
        uint8_t type = argument_type(kernel->function, i);
        if (cns_ir_is_buffer(type)) {
            out[count++] = m->pointer;
            out[count++] = m->i64;
        } else if (type != CNS_VM_NIL) {
            out[count++] = type == CNS_VM_F64 ? m->f64 : type == CNS_VM_BOOL ? m->i1 : m->i64;
        }
    }
    for (uint32_t i = 0; i <= kernel->result_count; i++) {
        out[count++] = m->pointer; /* results, and the error */
    }
    return count;
}

/* A bool fills its register with zeroes, as C's do. */
static void mark_bools(const maker *m, LLVMValueRef code, const LLVMTypeRef *types,
                       uint32_t count) {
    unsigned kind = LLVMGetEnumAttributeKindForName("zeroext", 7);
    for (uint32_t i = 0; i < count; i++) {
        if (types[i] == m->i1) {
            LLVMAddAttributeAtIndex(code, i + 1, LLVMCreateEnumAttribute(m->llvm, kind, 0));
        }
    }
}

static cns_status declare(const maker *m, const cns_native_export *kernel, LLVMValueRef *out) {
    size_t most = 2 * (size_t)kernel->function->argument_count + kernel->result_count + 1;
    size_t size = most * sizeof(LLVMTypeRef);
    LLVMTypeRef *types = m->jit->services->calloc(m->jit->context, size);
    if (!types) {
        return m->jit->services->memory_status(m->jit->context, size);
    }
    uint32_t count = list_parameters(m, kernel, types);
    *out = LLVMAddFunction(m->module, kernel->symbol, LLVMFunctionType(m->i32, types, count, 0));
    mark_bools(m, *out, types, count);
    m->jit->services->free(m->jit->context, types, size, CNS_ALIGN_DEFAULT);
    return CNS_OK;
}

static LLVMBasicBlockRef new_block(const wrapper *w, const char *name) {
    return LLVMAppendBasicBlockInContext(w->m->llvm, w->code, name);
}

/* Goes on where `bad` is false; else tells `status` and returns it. */
static void refuse_if(const wrapper *w, LLVMValueRef bad, uint32_t status, LLVMValueRef value) {
    const maker *m = w->m;
    LLVMBasicBlockRef stop = new_block(w, "refuse");
    LLVMBasicBlockRef on = new_block(w, "on");
    LLVMBuildCondBr(m->at, bad, stop, on);
    LLVMPositionBuilderAtEnd(m->at, stop);
    LLVMValueRef none = LLVMConstInt(m->i32, w->kernel->function->site_count, 0);
    LLVMTypeRef site = LLVMGetElementType(LLVMGlobalGetValueType(w->sites));
    LLVMValueRef arguments[5] = {w->error, int32_of(m, status),
                                 LLVMBuildInBoundsGEP2(m->at, site, w->sites, &none, 1, ""), value,
                                 int64_of(m, 0)};
    call_runtime(m, "cns.report", arguments, 5);
    LLVMBuildRet(m->at, int32_of(m, status));
    LLVMPositionBuilderAtEnd(m->at, on);
}

/* Parameters as the code takes them; returns how many came before the results. */
static uint32_t pass_arguments(const wrapper *w) {
    const maker *m = w->m;
    uint32_t next = 0;
    for (uint32_t i = 0; i < w->kernel->function->argument_count; i++) {
        uint8_t type = argument_type(w->kernel->function, i);
        size_t place = i * sizeof(cns_vm_value);
        if (type == CNS_VM_NIL) {
            continue;
        }
        LLVMValueRef value = LLVMGetParam(w->code, next++);
        if (type == CNS_VM_BOOL) {
            value = LLVMBuildZExt(m->at, value, m->i64, "");
        }
        set(m, w->arguments, place, value);
        if (cns_ir_is_buffer(type)) {
            LLVMValueRef count = LLVMGetParam(w->code, next++);
            LLVMValueRef high = LLVMBuildLShr(m->at, count, int64_of(m, 48), "");
            set(m, w->arguments, place + offsetof(cns_vm_value, count), count);
            refuse_if(w, LLVMBuildIsNotNull(m->at, high, ""), CNS_NATIVE_COUNT, count);
        }
    }
    return next;
}

/* The code for this machine. */
static LLVMValueRef choose(const wrapper *w) {
    const maker *m = w->m;
    if (m->levels[0] == 0 || (m->target_count == 1 && m->levels[0] == 1)) {
        return w->codes[0];
    }
    LLVMValueRef level = call_runtime(m, "cns.level", NULL, 0);
    LLVMValueRef index = LLVMBuildZExt(m->at, level, m->i64, "");
    LLVMValueRef table = make_table(m, w->codes);
    LLVMValueRef row = LLVMBuildInBoundsGEP2(m->at, m->pointer, table, &index, 1, "");
    LLVMValueRef code = LLVMBuildLoad2(m->at, m->pointer, row, "");
    if (m->levels[0] > 1) {
        refuse_if(w, LLVMBuildIsNull(m->at, code, ""), CNS_NATIVE_PROCESSOR, index);
    }
    return code;
}

/* One result into what its pointer points to: its type, or value and type where that depends. */
static void give_result(const wrapper *w, uint32_t index, LLVMValueRef out) {
    const maker *m = w->m;
    LLVMBasicBlockRef give = new_block(w, "give");
    LLVMBasicBlockRef on = new_block(w, "given");
    LLVMBuildCondBr(m->at, LLVMBuildIsNull(m->at, out, ""), on, give);
    LLVMPositionBuilderAtEnd(m->at, give);
    size_t place = index * sizeof(cns_vm_value);
    uint8_t type = w->kernel->results[index];
    LLVMValueRef payload = get(m, type == CNS_VM_F64 ? m->f64 : m->i64, w->results, place);
    if (type == CNS_VM_BOOL) {
        payload = LLVMBuildTrunc(m->at, payload, m->i8, "");
    }
    LLVMBuildStore(m->at, payload, out);
    if (type == CNS_VM_VOID) {
        set(m, out, 8, get(m, m->i64, w->results, place + 8));
    }
    LLVMBuildBr(m->at, on);
    LLVMPositionBuilderAtEnd(m->at, on);
}

/* Zeroes the run; results are nil where a return gives fewer. */
static void lay_out(wrapper *w) {
    const maker *m = w->m;
    w->run = words(m, RUN_WORDS, "run");
    w->arguments = words(m, 2 * w->kernel->function->argument_count, "arguments");
    w->results = words(m, 2 * w->kernel->result_count, "results");
    for (size_t i = 0; i < RUN_WORDS; i++) {
        set(m, w->run, 8 * i, int64_of(m, 0));
    }
    for (uint32_t i = 0; i < w->kernel->result_count; i++) {
        set(m, w->results, 16 * (size_t)i, int64_of(m, 0));
        set(m, w->results, 16 * (size_t)i + 8, int64_of(m, CNS_VM_NIL));
    }
    set(m, w->run, offsetof(cns_run, arguments), w->arguments);
    set(m, w->run, offsetof(cns_run, results), w->results);
    set(m, w->run, offsetof(cns_run, result_capacity), int32_of(m, w->kernel->result_count));
}

static void write_wrapper(wrapper *w) {
    const maker *m = w->m;
    LLVMPositionBuilderAtEnd(m->at, new_block(w, "entry"));
    w->error = LLVMGetLastParam(w->code);
    lay_out(w);
    uint32_t first = pass_arguments(w);
    LLVMValueRef status = LLVMBuildCall2(m->at, m->entry, choose(w), &w->run, 1, "");
    LLVMBasicBlockRef fail = new_block(w, "fail");
    LLVMBasicBlockRef done = new_block(w, "done");
    LLVMBuildCondBr(m->at, LLVMBuildIsNull(m->at, status, ""), done, fail);
    LLVMPositionBuilderAtEnd(m->at, fail);
    LLVMValueRef told[4] = {w->error, w->run, w->sites,
                            int32_of(m, w->kernel->function->site_count)};
    call_runtime(m, "cns.fail", told, 4);
    LLVMBuildRet(m->at, status);
    LLVMPositionBuilderAtEnd(m->at, done);
    for (uint32_t i = 0; i < w->kernel->result_count; i++) {
        give_result(w, i, LLVMGetParam(w->code, first + i));
    }
    LLVMBuildRet(m->at, int32_of(m, 0));
}

static cns_status export_kernel(const maker *m, const cns_native_export *kernel) {
    if (kernel->function->body_count > 0) {
        return m->jit->services->fail(m->jit->context, CNS_E_UNSUPPORTED,
                                      "kernel %s: a loop over cns.prange was forked, which needs "
                                      "the engine's pool; an object file is without",
                                      kernel->function->name);
    }
    if (LLVMGetNamedGlobal(m->module, kernel->symbol) ||
        LLVMGetNamedFunction(m->module, kernel->symbol)) {
        return m->jit->services->fail(m->jit->context, CNS_E_INVALID, "two functions are called %s",
                                      kernel->symbol);
    }
    LLVMValueRef codes[LEVELS_MAX] = {NULL};
    wrapper w = {.m = m, .kernel = kernel, .codes = codes};
    cns_status status = lower(m, kernel, codes);
    status = status == CNS_OK ? make_sites(m, kernel->function, &w.sites) : status;
    status = status == CNS_OK ? declare(m, kernel, &w.code) : status;
    if (status == CNS_OK) {
        write_wrapper(&w);
    }
    return status;
}

/* ---- the file -------------------------------------------------------------------------------- */

static void begin_module(maker *m) {
    m->llvm = LLVMContextCreate();
    cns_jit_be_quiet(m->llvm);
    m->module = LLVMModuleCreateWithNameInContext("kernels", m->llvm);
    LLVMSetTarget(m->module, m->jit->triple);
    LLVMSetModuleDataLayout(m->module, m->targets[0].layout);
    m->at = LLVMCreateBuilderInContext(m->llvm);
    m->i1 = LLVMInt1TypeInContext(m->llvm);
    m->i8 = LLVMInt8TypeInContext(m->llvm);
    m->i32 = LLVMInt32TypeInContext(m->llvm);
    m->i64 = LLVMInt64TypeInContext(m->llvm);
    m->f64 = LLVMDoubleTypeInContext(m->llvm);
    m->pointer = LLVMPointerTypeInContext(m->llvm, 0);
    m->entry = LLVMFunctionType(m->i32, &m->pointer, 1, 0);
}

static cns_status fill_module(maker *m) {
    char message[NAME];
    snprintf(message, sizeof message, "%.255s_message", m->build->prefix);
    cns_status status = cns_jit_add_runtime(m->jit, m->module, message);
    for (uint32_t i = 0; i < m->build->export_count && status == CNS_OK; i++) {
        status = export_kernel(m, &m->build->exports[i]);
    }
    return status;
}

/* What surrounds the kernels must run on any machine, if only to say that it is not the right one:
 * where levels are asked for it is made for the lowest of all. */
static cns_status write_file(maker *m, LLVMMemoryBufferRef *out) {
    cns_native_options options = {.cpu = m->levels[0] ? "x86-64" : NULL};
    cns_jit_target lowest;
    cns_jit_target *target = &m->targets[0];
    cns_status status = CNS_OK;
    if (m->levels[0]) {
        status = cns_jit_target_init(m->jit, &options, &lowest);
        target = &lowest;
    }
    if (status != CNS_OK) {
        return status;
    }
    status = cns_jit_optimise(m->jit, target, m->module);
    if (status == CNS_OK) {
        status = cns_jit_assemble(m->jit, target->machine, m->module, LLVMObjectFile, out);
    }
    if (m->levels[0]) {
        cns_jit_target_deinit(m->jit, &lowest);
    }
    return status;
}

static cns_status copy_out(cns_jit *jit, LLVMMemoryBufferRef file, void **object, size_t *size) {
    size_t length = LLVMGetBufferSize(file);
    void *copy = jit->services->resize(jit->context, NULL, 0, length);
    if (!copy) {
        return jit->services->memory_status(jit->context, length);
    }
    memcpy(copy, LLVMGetBufferStart(file), length);
    *object = copy;
    *size = length;
    return CNS_OK;
}

cns_status cns_jit_emit(void *instance, const cns_native_object *build, void **object,
                        size_t *size) {
    maker m = {.jit = instance, .build = build};
    LLVMMemoryBufferRef file = NULL;
    cns_status status = add_targets(&m);
    if (status == CNS_OK) {
        begin_module(&m);
        status = fill_module(&m);
        status = status == CNS_OK ? write_file(&m, &file) : status;
        LLVMDisposeBuilder(m.at);
        LLVMDisposeModule(m.module);
        LLVMContextDispose(m.llvm);
    }
    while (m.target_count > 0) {
        cns_jit_target_deinit(m.jit, &m.targets[--m.target_count]);
    }
    if (status == CNS_OK) {
        status = copy_out(m.jit, file, object, size);
        LLVMDisposeMemoryBuffer(file);
    }
    return status;
}
