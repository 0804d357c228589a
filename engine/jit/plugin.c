/* SPDX-License-Identifier: MIT
 *
 * plugin.c - the table of the LLVM backend: instances, compilation, printing, object files.
 *
 * Code is linked by LLJIT (JITLink), which keeps pages writable or executable, never both, and
 * gives a function's pages back when its resource tracker is removed. Any number of threads at
 * once: each compilation has its own LLVM context, and only the linker is shared, which locks.
 */
#include "jit/jit.h"

#include <llvm-c/Object.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- an instance ----------------------------------------------------------------------------- */

uint64_t cns_jit_scalar_address(cns_ir_op op) {
    double (*one)(double) = NULL;
    double (*two)(double, double) = NULL;
    switch (op) {
    case CNS_IR_SIN_F64:
        one = sin;
        break;
    case CNS_IR_COS_F64:
        one = cos;
        break;
    case CNS_IR_TAN_F64:
        one = tan;
        break;
    case CNS_IR_ASIN_F64:
        one = asin;
        break;
    case CNS_IR_ACOS_F64:
        one = acos;
        break;
    case CNS_IR_EXP_F64:
        one = exp;
        break;
    case CNS_IR_LOG_F64:
        one = log;
        break;
    case CNS_IR_LOG2_F64:
        one = log2;
        break;
    case CNS_IR_LOG10_F64:
        one = log10;
        break;
    case CNS_IR_ATAN2_F64:
        two = atan2;
        break;
    case CNS_IR_POW_F64:
        two = pow;
        break;
    default:
        two = fmod;
    }
    return one ? (uintptr_t)one : (uintptr_t)two;
}

static LLVMOrcCSymbolMapPair symbol_at(cns_jit *jit, const char *name, uint64_t address) {
    LLVMJITEvaluatedSymbol symbol = {
        address, {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0}};
    return (LLVMOrcCSymbolMapPair){LLVMOrcLLJITMangleAndIntern(jit->linker, name), symbol};
}

/* Makes the engine's fork, poll, libm and its vectors known to the linker, and libmvec where the
 * system has it. */
static cns_status define_symbols(cns_jit *jit) {
    LLVMOrcCSymbolMapPair pairs[64];
    uint32_t count = 0;
    char why[8];
    pairs[count++] = symbol_at(jit, CNS_JIT_FORK, (uintptr_t)jit->services->fork);
    pairs[count++] = symbol_at(jit, CNS_JIT_ASK, (uintptr_t)jit->services->poll);
    if (!jit->services->library_open("libmvec.so.1", &jit->vector_math, why, sizeof why)) {
        jit->vector_math = NULL;
    }
    const cns_jit_math *row;
    for (uint32_t i = 0; (row = cns_jit_math_row(i)) != NULL; i++) {
        pairs[count++] = symbol_at(jit, row->name, cns_jit_scalar_address(row->op));
        for (int w = 0; w < CNS_JIT_WIDTHS && jit->vector_math; w++) {
            cns_os_symbol vector =
                row->vector[w] ? jit->services->library_symbol(jit->vector_math, row->vector[w])
                               : NULL;
            if (vector) {
                pairs[count++] = symbol_at(jit, row->vector[w], (uintptr_t)vector);
            }
        }
        for (uint32_t lanes = 4; lanes <= 8; lanes *= 2) {
            const cns_libm *same = jit->services->libm(jit->context, row->op, lanes);
            if (same) {
                pairs[count++] = symbol_at(jit, same->name, (uintptr_t)same->vector);
            }
        }
    }
    LLVMOrcMaterializationUnitRef unit = LLVMOrcAbsoluteSymbols(pairs, count);
    LLVMErrorRef error = LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(jit->linker), unit);
    if (error) {
        LLVMOrcDisposeMaterializationUnit(unit);
        return cns_jit_error(jit, "the C library could not be linked", error);
    }
    return CNS_OK;
}

static void destroy(void *instance) {
    cns_jit *jit = instance;
    if (!jit) {
        return;
    }
    if (jit->linker) {
        LLVMErrorRef error = LLVMOrcDisposeLLJIT(jit->linker);
        if (error) {
            LLVMConsumeError(error);
        }
    }
    cns_jit_drop_machines(jit);
    jit->services->library_close(jit->vector_math);
    LLVMDisposeMessage(jit->cpu);
    LLVMDisposeMessage(jit->features);
    LLVMDisposeMessage(jit->triple);
    cns_jit_forget_identity(jit);
    jit->services->free(jit->context, jit, sizeof *jit, CNS_ALIGN_DEFAULT);
}

static const char *cpu(const void *instance) {
    const cns_jit *jit = instance;
    return jit->cpu;
}

/* LLVM's list of targets and its options are globals of its own that are not for two threads: set
 * once, under the loader's lock. Strength reduction takes up to half of the time of code generation
 * and finds little in loops whose indices are affine already; there is no other way to leave it
 * out. No kernel was measured slower without scheduling once more behind the register
 * allocator; and branches on data are not merged, which one with many of them gains by.
 * An LLVM that does not know an option ignores it. */
__attribute__((constructor)) static void register_target(void) {
    static const char *const options[] = {"cnsengine", "-disable-lsr", "-disable-post-ra",
                                          "-x86-br-merging-base-cost=0"};
    LLVMParseCommandLineOptions(sizeof options / sizeof *options, options, NULL);
    (void)LLVMInitializeNativeTarget();
    (void)LLVMInitializeNativeAsmPrinter();
    (void)LLVMInitializeNativeAsmParser(); /* for inline assembly: runtime.c */
}

static cns_status create(cns_context *context, const cns_native_services *services, void **out) {
    cns_jit *jit = services->calloc(context, sizeof *jit);
    if (!jit) {
        return services->memory_status(context, sizeof *jit);
    }
    jit->context = context;
    jit->services = services;
    jit->cpu = LLVMGetHostCPUName();
    jit->features = LLVMGetHostCPUFeatures();
    jit->triple = LLVMGetDefaultTargetTriple();
    LLVMErrorRef error = LLVMOrcCreateLLJIT(&jit->linker, NULL);
    cns_status status =
        error ? cns_jit_error(jit, "the linker does not start", error) : define_symbols(jit);
    status = status == CNS_OK ? cns_jit_identify(jit) : status;
    if (status != CNS_OK) {
        destroy(jit);
        return status;
    }
    *out = jit;
    return CNS_OK;
}

/* ---- a module -------------------------------------------------------------------------------- */

typedef struct unit {
    cns_jit_target target;
    LLVMContextRef llvm;
    LLVMModuleRef module;
} unit;

static cns_status unit_init(cns_jit *jit, const cns_native_options *options, unit *u) {
    cns_status status = cns_jit_target_init(jit, options, &u->target);
    if (status != CNS_OK) {
        return status;
    }
    u->llvm = LLVMContextCreate();
    cns_jit_be_quiet(u->llvm);
    u->module = LLVMModuleCreateWithNameInContext("kernels", u->llvm);
    LLVMSetTarget(u->module, jit->triple);
    LLVMSetModuleDataLayout(u->module, u->target.layout);
    return CNS_OK;
}

static void unit_deinit(cns_jit *jit, unit *u) {
    LLVMDisposeModule(u->module);
    LLVMContextDispose(u->llvm);
    cns_jit_target_deinit(jit, &u->target);
}

static cns_status make(cns_jit *jit, const cns_native_options *options,
                       const cns_ir_function *const *functions, const char *const *symbols,
                       uint32_t count, unit *u) {
    cns_status status = unit_init(jit, options, u);
    if (status != CNS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < count && status == CNS_OK; i++) {
        status =
            cns_jit_lower_function(jit, options, &u->target, functions[i], u->module, symbols[i]);
    }
    if (status == CNS_OK) {
        status = cns_jit_optimise(jit, &u->target, u->module);
    }
    if (status == CNS_OK) {
        cns_jit_remark_loops(options, u->module);
    }
    if (status != CNS_OK) {
        unit_deinit(jit, u);
    }
    return status;
}

/* ---- code that runs here --------------------------------------------------------------------- */

/* What a kernel is called in its object. Where it is linked, the digits become a number that no
 * other code has, so that the same object may be there twice. */
static const char object_symbol[] = "cns_kernel_0000000000000000";

enum { SYMBOL_DIGITS = 16 };

static cns_status compile(void *instance, const cns_ir_function *function,
                          const cns_native_options *options, void **out, size_t *size) {
    cns_jit *jit = instance;
    const char *symbol = object_symbol;
    unit u;
    cns_status status = make(jit, options, &function, &symbol, 1, &u);
    if (status != CNS_OK) {
        return status;
    }
    LLVMMemoryBufferRef object = NULL;
    status = cns_jit_assemble(jit, u.target.machine, u.module, LLVMObjectFile, &object);
    unit_deinit(jit, &u);
    if (status != CNS_OK) {
        return status;
    }
    size_t length = LLVMGetBufferSize(object);
    void *bytes = jit->services->resize(jit->context, NULL, 0, length);
    if (bytes) {
        memcpy(bytes, LLVMGetBufferStart(object), length);
        *out = bytes;
        *size = length;
    }
    LLVMDisposeMemoryBuffer(object);
    return bytes ? CNS_OK : jit->services->memory_status(jit->context, length);
}

/* Bytes of the sections that are code. */
static size_t measure(LLVMBinaryRef binary) {
    size_t size = 0;
    LLVMSectionIteratorRef at = LLVMObjectFileCopySectionIterator(binary);
    for (; !LLVMObjectFileIsSectionIteratorAtEnd(binary, at); LLVMMoveToNextSection(at)) {
        const char *name = LLVMGetSectionName(at);
        if (name && strncmp(name, ".text", 5) == 0) {
            size += LLVMGetSectionSize(at);
        }
    }
    LLVMDisposeSectionIterator(at);
    return size;
}

/* Where in `bytes` the kernel's name is; 0: nowhere. */
static size_t find_name(LLVMBinaryRef binary, const char *bytes) {
    size_t place = 0;
    LLVMSymbolIteratorRef at = LLVMObjectFileCopySymbolIterator(binary);
    for (; place == 0 && !LLVMObjectFileIsSymbolIteratorAtEnd(binary, at);
         LLVMMoveToNextSymbol(at)) {
        const char *name = LLVMGetSymbolName(at); /* in the object's own table */
        if (name && strcmp(name, object_symbol) == 0) {
            place = (size_t)(name - bytes);
        }
    }
    LLVMDisposeSymbolIterator(at);
    return place;
}

/* Gives the kernel in `bytes` the name `symbol`, as long as its own; false when it is not there. */
static bool rename_kernel(char *bytes, size_t size, const char *symbol, size_t *code_size) {
    LLVMMemoryBufferRef view = LLVMCreateMemoryBufferWithMemoryRange(bytes, size, "kernel", 0);
    char *text = NULL;
    LLVMBinaryRef binary = LLVMCreateBinary(view, NULL, &text);
    size_t place = 0;
    if (binary) {
        *code_size = measure(binary);
        place = find_name(binary, bytes);
        LLVMDisposeBinary(binary);
    } else {
        LLVMDisposeMessage(text);
    }
    LLVMDisposeMemoryBuffer(view);
    if (place > 0) {
        memcpy(bytes + place, symbol, sizeof object_symbol);
    }
    return place > 0;
}

static cns_status release_tracker(cns_jit *jit, LLVMOrcResourceTrackerRef tracker) {
    LLVMErrorRef error = LLVMOrcResourceTrackerRemove(tracker);
    LLVMOrcReleaseResourceTracker(tracker);
    return error ? cns_jit_error(jit, "code could not be released", error) : CNS_OK;
}

/* Takes the object. */
static cns_status link_object(cns_jit *jit, LLVMMemoryBufferRef object, const char *symbol,
                              cns_native_code *out) {
    LLVMOrcJITDylibRef dylib = LLVMOrcLLJITGetMainJITDylib(jit->linker);
    LLVMOrcResourceTrackerRef tracker = LLVMOrcJITDylibCreateResourceTracker(dylib);
    LLVMErrorRef error = LLVMOrcLLJITAddObjectFileWithRT(jit->linker, tracker, object);
    LLVMOrcExecutorAddress address = 0;
    if (!error) {
        error = LLVMOrcLLJITLookup(jit->linker, &address, symbol);
    }
    if (error) {
        cns_status status = cns_jit_error(jit, "code could not be linked", error);
        (void)release_tracker(jit, tracker);
        return status;
    }
    out->entry = (cns_native_entry)(uintptr_t)address;
    out->handle = tracker;
    return CNS_OK;
}

static cns_status link(void *instance, const void *object, size_t size, cns_native_code *out) {
    cns_jit *jit = instance;
    char symbol[sizeof object_symbol];
    uint64_t number = atomic_fetch_add_explicit(&jit->names, 1, memory_order_relaxed) + 1;
    snprintf(symbol, sizeof symbol, "%.*s%0*llx", (int)sizeof object_symbol - 1 - SYMBOL_DIGITS,
             object_symbol, SYMBOL_DIGITS, (unsigned long long)number);
    char *bytes = jit->services->resize(jit->context, NULL, 0, size);
    if (!bytes) {
        return jit->services->memory_status(jit->context, size);
    }
    memcpy(bytes, object, size);
    cns_native_code code = {0};
    cns_status status = CNS_OK;
    if (rename_kernel(bytes, size, symbol, &code.code_size)) {
        status = link_object(jit, LLVMCreateMemoryBufferWithMemoryRangeCopy(bytes, size, symbol),
                             symbol, &code);
    } else {
        status = jit->services->fail(jit->context, CNS_E_CORRUPT, "no kernel is in the object");
    }
    jit->services->resize(jit->context, bytes, size, 0);
    if (status == CNS_OK) {
        *out = code;
    }
    return status;
}

/* Names are numbers and never come again, so the linker's pool of names must be swept. */
static void release(void *instance, cns_native_code *code) {
    cns_jit *jit = instance;
    if (code->handle) {
        (void)release_tracker(jit, code->handle);
        LLVMOrcExecutionSessionRef session = LLVMOrcLLJITGetExecutionSession(jit->linker);
        LLVMOrcSymbolStringPoolClearDeadEntries(
            LLVMOrcExecutionSessionGetSymbolStringPool(session));
        memset(code, 0, sizeof *code);
    }
}

/* ---- code for people and for files ----------------------------------------------------------- */

static cns_status print(void *instance, const cns_ir_function *function,
                        const cns_native_options *options, int assembly, cns_text *text) {
    cns_jit *jit = instance;
    unit u;
    const char *symbol = "kernel";
    cns_status status = make(jit, options, &function, &symbol, 1, &u);
    if (status != CNS_OK) {
        return status;
    }
    if (assembly) {
        LLVMMemoryBufferRef listing = NULL;
        status = cns_jit_assemble(jit, u.target.machine, u.module, LLVMAssemblyFile, &listing);
        if (status == CNS_OK) {
            jit->services->text_append(text, LLVMGetBufferStart(listing),
                                       LLVMGetBufferSize(listing));
            LLVMDisposeMemoryBuffer(listing);
        }
    } else {
        char *listing = LLVMPrintModuleToString(u.module);
        jit->services->text_append(text, listing, strlen(listing));
        LLVMDisposeMessage(listing);
    }
    unit_deinit(jit, &u);
    return status;
}

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const cns_native_backend *
cns_native_backend_get(void);

const cns_native_backend *cns_native_backend_get(void) {
    static const cns_native_backend backend = {
        .abi = CNS_NATIVE_ABI,
        .name = "LLVM " CNS_JIT_LLVM_VERSION,
        .create = create,
        .destroy = destroy,
        .cpu = cpu,
        .identity = cns_jit_identity,
        .compile = compile,
        .link = link,
        .release = release,
        .print = print,
        .emit = cns_jit_emit,
    };
    return &backend;
}
