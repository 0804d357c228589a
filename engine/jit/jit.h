/* SPDX-License-Identifier: MIT
 *
 * jit/jit.h - the LLVM backend, from the inside.
 *
 * plugin.c is the table that the engine sees; identity.c says what code depends on; target.c makes
 * object code of a module and lists the machines and passes; lower.c turns the graph of blocks into
 * LLVM's, lower_ops.c one operation; memory.c loads and stores; fork.c loops over cns.prange;
 * math.c and libm.c the C library's functions; spmd*.c the loops that run several iterations at
 * once; object.c, runtime.c and cpu.c make object files for other programs. A compilation has an
 * LLVM context of its own, so threads share nothing but the linker of LLJIT, which locks by itself.
 */
#ifndef CNS_JIT_JIT_H
#define CNS_JIT_JIT_H

#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/TargetMachine.h>
#include <stdatomic.h>

#include "vm/native.h"

enum { CNS_JIT_LANES_8, CNS_JIT_LANES_4, CNS_JIT_WIDTHS };

/* Functions of libm, by the operations that are one. */
typedef struct cns_jit_math {
    cns_ir_op op;
    uint8_t operands;
    const char *name;
    const char *vector[CNS_JIT_WIDTHS]; /* in libmvec; NULL: none */
} cns_jit_math;

/* The row of an operation, NULL when it is no function of libm. FMOD_F64 stands for MOD_F64 too. */
const cns_jit_math *cns_jit_math_of(cns_ir_op op);
const cns_jit_math *cns_jit_math_row(uint32_t index); /* NULL behind the last */

enum { CNS_JIT_MACHINES = 4 };

typedef struct cns_jit {
    cns_context *context;
    const cns_native_services *services;
    LLVMOrcLLJITRef linker;
    void *vector_math; /* libmvec; NULL where the system has none */
    char *cpu;         /* the host's; LLVM's strings */
    char *features;
    char *triple;
    char *identity; /* identity.c; NULL: unknown */
    size_t identity_size;
    _Atomic uint64_t names; /* linked functions have numbers in their names */
    _Atomic(LLVMTargetMachineRef) machines[CNS_JIT_MACHINES]; /* of the host, not in use; NULLs */
} cns_jit;

/* ---- plugin.c, identity.c -------------------------------------------------------------------- */

/* A function of the C library, as this process has it. */
uint64_t cns_jit_scalar_address(cns_ir_op op);
/* Writes down what the code depends on. */
cns_status cns_jit_identify(cns_jit *jit);
const char *cns_jit_identity(const void *instance);
void cns_jit_forget_identity(cns_jit *jit);

/* ---- target.c -------------------------------------------------------------------------------- */

/* Where the code is to run. */
typedef struct cns_jit_target {
    LLVMTargetMachineRef machine;
    LLVMTargetDataRef layout;
    const char *cpu;
    const char *features;
    uint32_t lanes; /* doubles in the vectors that pay: 8, 4 or 2 */
    bool native;    /* this machine's: libmvec may be called */
    bool alone;     /* goes into other programs, without the engine */
} cns_jit_target;

cns_status cns_jit_target_init(cns_jit *jit, const cns_native_options *options,
                               cns_jit_target *target);
/* A machine's code as a file or a listing. */
cns_status cns_jit_assemble(cns_jit *jit, LLVMTargetMachineRef machine, LLVMModuleRef module,
                            LLVMCodeGenFileType kind, LLVMMemoryBufferRef *out);
void cns_jit_target_deinit(cns_jit *jit, cns_jit_target *target);
/* Disposes of the machines that are kept for the next compilation. */
void cns_jit_drop_machines(cns_jit *jit);
/* Verifies (in debug builds), optimises. */
cns_status cns_jit_optimise(cns_jit *jit, const cns_jit_target *target, LLVMModuleRef module);
/* Warnings of LLVM go nowhere: a library does not print. */
void cns_jit_be_quiet(LLVMContextRef llvm);
/* An LLVM error as a status; takes it. */
cns_status cns_jit_error(cns_jit *jit, const char *what, LLVMErrorRef error);

/* ---- cpu.c ----------------------------------------------------------------------------------- */

/* A processor that code can be made for. */
typedef struct cns_jit_cpu {
    const char *name; /* LLVM's */
    uint8_t level;    /* of x86-64, as its ABI numbers them, or 0: the machine is not asked */
    uint8_t lanes;    /* doubles in the vectors that pay */
} cns_jit_cpu;

enum { CNS_JIT_LEVELS = 4 };

/* CNS_E_INVALID, with those there are, for an unknown name. `length` bytes of it. */
cns_status cns_jit_cpu_find(cns_jit *jit, const char *name, size_t length, const cns_jit_cpu **out);

/* ---- object.c, runtime.c --------------------------------------------------------------------- */

cns_status cns_jit_emit(void *instance, const cns_native_object *build, void **object,
                        size_t *size);
/* Adds what object files bring with them to a module: @cns.level, @cns.fail, @cns.report and
 * `message`, the one that other programs see. */
cns_status cns_jit_add_runtime(cns_jit *jit, LLVMModuleRef module, const char *message);

/* ---- lower.c --------------------------------------------------------------------------------- */

typedef struct cns_jit_types {
    LLVMTypeRef i1, i8, i16, i32, i64, f32, f64, pointer, none;
} cns_jit_types;

/* A counted loop without loops inside runs in chunks of at most `poll_every` iterations, between
 * which it polls: the inner loop has no calls and stays open to LLVM's vectoriser. */
typedef struct cns_jit_chunk {
    bool counted;     /* match holds, and only the latch leaves */
    bool open;        /* match holds, and other blocks leave, too */
    bool active;      /* one of both, and innermost */
    bool cold;        /* in the version of a loop that will likely trap */
    bool grouped;     /* iterations run in groups: spmd.c */
    bool holds_group; /* a loop inside does */
    cns_ir_for match;
    LLVMBasicBlockRef head; /* of the loop over chunks */
    LLVMValueRef remaining; /* at the chunk's begin */
    LLVMValueRef size;      /* iterations of the chunk, less one */
    LLVMValueRef left;      /* phi: iterations of the chunk after this one; NULL: ... */
    LLVMValueRef first;     /* ... the index goes from `first` */
    LLVMValueRef end;       /* to before `end`, by 1 */
    LLVMValueRef *phis;     /* of head, one a parameter */
} cns_jit_chunk;

/* Iterations between polls; with fmod in them, which may take microseconds. */
enum { CNS_JIT_POLL = 65536, CNS_JIT_POLL_FMOD = 512, CNS_JIT_SYMBOL = 64 };

/* The engine's function that runs a fork; known to the linker by this name. */
#define CNS_JIT_FORK "cns_parallel_run_native"
/* The engine's function that polls. */
#define CNS_JIT_ASK "cns_native_poll"

typedef struct cns_jit_group cns_jit_group;

/* One function on its way into a module. */
typedef struct cns_jit_lower {
    cns_jit *jit;
    const cns_native_options *options;
    const cns_jit_target *target;
    const cns_ir_function *function;
    cns_ir_shape shape;
    LLVMContextRef llvm;
    LLVMModuleRef module;
    LLVMBuilderRef build;
    cns_jit_types type;
    LLVMValueRef code; /* the function */
    LLVMValueRef run;
    LLVMValueRef slots;   /* of forks: cns_vm_value; NULL without */
    LLVMValueRef scratch; /* for an operand of vector functions; NULL until one is called */
    LLVMValueRef budget;  /* iterations until the next poll; a variable in memory for mem2reg */
    int64_t poll_every;   /* what it begins with */
    LLVMValueRef *values; /* of every instruction; a buffer's is its data */
    LLVMValueRef *counts; /* a buffer's count */
    LLVMBasicBlockRef *blocks;
    LLVMValueRef *phis;     /* a parameter's phi, where it is one */
    cns_jit_chunk *chunks;  /* one a loop */
    LLVMBasicBlockRef trap; /* where all traps meet */
    LLVMValueRef trap_place, trap_payload, trap_other;
    uint32_t cold; /* metadata kind of branch weights */
    LLVMMetadataRef
        weights; /* of branches that are hardly taken; of those that nearly always are */
    LLVMMetadataRef likely;
    cns_jit_group *group; /* whose code is being made: guards leave it; NULL outside */
    void *memory;
    size_t memory_size;
} cns_jit_lower;

/* Appends `function` to the module as `symbol`. */
cns_status cns_jit_lower_function(cns_jit *jit, const cns_native_options *options,
                                  const cns_jit_target *target, const cns_ir_function *function,
                                  LLVMModuleRef module, const char *symbol);

/* Whether one of the module's functions has a loop for LLVM to unroll. */
bool cns_jit_may_unroll(LLVMModuleRef module);

/* The bodies that a function forks, and those that they fork, before the function itself. */
cns_status cns_jit_lower_bodies(cns_jit *jit, const cns_native_options *options,
                                const cns_jit_target *target, const cns_ir_function *function,
                                LLVMModuleRef module, const char *symbol);
/* In the entry block: memory for what is passed to bodies. */
void cns_jit_make_slots(cns_jit_lower *l);
/* FORK_PASS, FORK, FORK_GET; the value of the last. */
LLVMValueRef cns_jit_fork(cns_jit_lower *l, const cns_ir_instruction *code);

/* What emitters share. */
LLVMValueRef cns_jit_int(const cns_jit_lower *l, int64_t value);
LLVMValueRef cns_jit_real(const cns_jit_lower *l, double value);
LLVMBasicBlockRef cns_jit_block(const cns_jit_lower *l, const char *name);
/* Makes an intrinsic's call; `name` as LLVM has it, `type` the one it depends on or NULL. */
LLVMValueRef cns_jit_intrinsic(const cns_jit_lower *l, const char *name, LLVMTypeRef type,
                               LLVMValueRef *operands, uint32_t count);
/* Goes on only where `bad` is false; else the run ends with this trap. `payload` may be a double
 * or NULL, `other` NULL. */
void cns_jit_guard(cns_jit_lower *l, LLVMValueRef bad, cns_trap_kind kind, uint32_t site,
                   LLVMValueRef payload, LLVMValueRef other);
/* Takes one from the budget of iterations and polls where it is used up. */
void cns_jit_poll(cns_jit_lower *l, uint32_t site);
/* Ends the current block along an edge of `block`. */
cns_status cns_jit_edge(cns_jit_lower *l, cns_ir_block_id block, uint32_t edge);
/* Says which processor a function's code is for. */
void cns_jit_target_attributes(const cns_jit_lower *l, LLVMValueRef function);
/* Adds `name` = `value` to a declared function's attributes. */
void cns_jit_attribute(const cns_jit_lower *l, LLVMValueRef function, const char *name,
                       uint64_t value);
void cns_jit_remark(const cns_jit_lower *l, cns_remark_kind kind, uint32_t site, const char *text);

/* ---- remarks.c ------------------------------------------------------------------------------- */

/* What marks an innermost loop until LLVM is done with it. */
LLVMMetadataRef cns_jit_loop_property(const cns_jit_lower *l, uint32_t loop);
/* Tells of the marked loops that are left which were vectorised. */
void cns_jit_remark_loops(const cns_native_options *options, LLVMModuleRef module);

/* ---- lower_ops.c, memory.c, math.c, libm.c ----------------------------------------------------
 */

/* The value of an operation; NULL for a store. Operands may be vectors as long as the operation
 * neither traps nor touches memory; `lanes` 0 for scalars. */
LLVMValueRef cns_jit_operation(cns_jit_lower *l, const cns_ir_instruction *code,
                               LLVMValueRef *operands, uint32_t lanes);
LLVMValueRef cns_jit_load(cns_jit_lower *l, const cns_ir_instruction *code);
void cns_jit_store(cns_jit_lower *l, const cns_ir_instruction *code);
/* An element's type in memory and how it becomes a value; used by vectors too. */
LLVMTypeRef cns_jit_element_type(const cns_jit_lower *l, cns_type type);
LLVMValueRef cns_jit_widen(cns_jit_lower *l, cns_type type, LLVMValueRef element, uint32_t lanes);
LLVMValueRef cns_jit_narrow(cns_jit_lower *l, cns_type type, LLVMValueRef value, bool real,
                            uint32_t lanes);
/* Whether `value` does not go into the element; NULL when everything does. */
LLVMValueRef cns_jit_misfit(cns_jit_lower *l, cns_type type, LLVMValueRef value, bool real,
                            uint32_t lanes);
/* Whether it is called with the target's vectors, not lane by lane. */
bool cns_jit_math_has_vectors(const cns_jit_lower *l, const cns_jit_math *row);
/* A function of libm, or what stands for it; `lanes` 0, or one or two of the target's vectors. */
LLVMValueRef cns_jit_math_call(cns_jit_lower *l, const char *name, LLVMValueRef *operands,
                               uint32_t count, uint32_t lanes);

/* Whether code that goes into other programs brings vectors of a function along. Their results are
 * the C library's by the bounds of its errors, which are known of glibc. */
bool cns_jit_libm_brings(const cns_jit_lower *l, const cns_jit_math *row);
/* A function of the module that replaces two of the target's vectors in memory. requires: the
 * above. */
LLVMValueRef cns_jit_libm(const cns_jit_lower *l, const cns_jit_math *row);

/* Whether an f64 is an integer of 64 bits; and the integer where it is, 0 elsewhere. */
LLVMValueRef cns_jit_fits(cns_jit_lower *l, LLVMValueRef x, uint32_t lanes);

/* ---- spmd.c ---------------------------------------------------------------------------------- */

/* Which loops run in groups of iterations. */
cns_status cns_jit_spmd_plan(cns_jit_lower *l);
/* At the entry to `loop`: code that runs it in groups, where that was planned, and leaves it when
 * done. What goes on behind is the loop itself, for what groups cannot do; `entry` are the header's
 * parameters, replaced by what they are then. */
cns_status cns_jit_spmd(cns_jit_lower *l, uint32_t loop, LLVMValueRef *entry);
/* cns_jit_guard where a group is being made: `bad` may be a vector. */
void cns_jit_group_guard(cns_jit_lower *l, LLVMValueRef bad);

#endif
