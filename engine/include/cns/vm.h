/* SPDX-License-Identifier: MIT
 *
 * cns/vm.h - kernels: numeric functions, compiled for the types of their arguments.
 *
 * A kernel means what the Lua 5.4 function it was made from means, to the bit, on every tier: the
 * scalar VM, the block VM, native code. It reads and writes buffers, whose every access is
 * checked, and never allocates, blocks or calls back, but for the poll of a run.
 */
#ifndef CNS_VM_H
#define CNS_VM_H

#include "cns/base.h"
#include "cns/memory.h"
#include "cns/tasks.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- values ---------------------------------------------------------------------------------- */

/* Types of arguments and results. NIL has one value and nothing computes it. A buffer's is
 * CNS_VM_BUFFER + its cns_type. */
typedef enum cns_vm_type {
    CNS_VM_VOID = 0,
    CNS_VM_NIL = 1,
    CNS_VM_BOOL = 2,
    CNS_VM_I64 = 3,
    CNS_VM_F64 = 4,
    CNS_VM_BUFFER = 16
} cns_vm_type;

/* "f64", "buffer of f32", ...; "?" for no type. Never NULL. Any thread. */
CNS_API const char *cns_vm_type_name(uint32_t type);

/* One argument or result: 16 bytes. */
typedef struct cns_vm_value {
    union {
        int64_t integer; /* CNS_VM_I64; CNS_VM_BOOL as 0 or 1 */
        double real;     /* CNS_VM_F64 */
        void *data;      /* a buffer: its first element; aligned to its element's size */
    };
    union {
        uint64_t count; /* of an argument that is a buffer: elements, below 2^48 */
        uint64_t type;  /* of a result: cns_vm_type, not a buffer */
    };
} cns_vm_value;

/* What stopped a run before its end. */
typedef enum cns_trap_kind {
    CNS_TRAP_NONE = 0,
    CNS_TRAP_INDEX = 1,         /* integer: the index; other: the count */
    CNS_TRAP_INDEX_FLOAT = 2,   /* real: the index, which is not integral */
    CNS_TRAP_STORE_INTEGER = 3, /* integer: the value; other: the cns_type it does not fit */
    CNS_TRAP_STORE_FLOAT = 4,   /* real: the value; other: the cns_type */
    CNS_TRAP_LOAD = 5,          /* other: the cns_type; an u64 above the integers of Lua */
    CNS_TRAP_DIVIDE = 6,        /* integer // 0 */
    CNS_TRAP_MODULO = 7,        /* integer % 0 */
    CNS_TRAP_FMOD = 8,          /* math.fmod of integers by 0 */
    CNS_TRAP_NOT_INTEGER = 9,   /* real: a float where an integer is needed */
    CNS_TRAP_FOR_STEP = 10,     /* a for loop's step is 0 */
    CNS_TRAP_STOPPED = 11       /* the poll said stop; integer: its status */
} cns_trap_kind;

typedef struct cns_trap {
    uint32_t kind; /* cns_trap_kind */
    uint32_t site; /* where, for cns_kernel_trap_message */
    union {
        int64_t integer;
        double real;
    };
    uint64_t other;
} cns_trap;

/* One call. Zero it, fill in the upper part. */
typedef struct cns_run {
    const cns_vm_value *arguments; /* plain ones, then hidden ones; of the kernel's types */
    cns_vm_value *results;
    uint32_t result_capacity; /* at least cns_kernel_result_limit */
    uint32_t result_count;    /* out */
    /* Asked at least every few milliseconds, on any thread that runs the kernel; anything but
     * CNS_OK ends the run with CNS_TRAP_STOPPED. May be NULL. */
    cns_status (*poll)(void *user);
    void *poll_user;
    cns_tasks *tasks; /* for cns.prange; NULL: this thread. cns_kernel_run sets it */
    cns_trap trap;    /* out */
} cns_run;

/* ---- Lua functions --------------------------------------------------------------------------- */

/* A function as lua_dump writes it (unstripped for good messages), read and checked: a damaged or
 * forged dump is CNS_E_CORRUPT, one of another Lua CNS_E_UNSUPPORTED. Immutable: any thread. */
typedef struct cns_lua_function cns_lua_function;

CNS_API cns_status cns_lua_function_read(cns_context *context, const void *dump, uint64_t size,
                                         cns_lua_function **out);
/* requires: no compilation uses it. Kernels do not need it any more. */
CNS_API void cns_lua_function_destroy(cns_lua_function *function);
CNS_API uint32_t cns_lua_function_parameters(const cns_lua_function *function);
CNS_API uint32_t cns_lua_function_upvalues(const cns_lua_function *function);
/* "?" where unknown. */
CNS_API const char *cns_lua_function_source(const cns_lua_function *function);
CNS_API uint32_t cns_lua_function_line(const cns_lua_function *function);

/* Functions that kernels know by identity. */
typedef enum cns_intrinsic {
    CNS_MATH_ABS,
    CNS_MATH_ACOS,
    CNS_MATH_ASIN,
    CNS_MATH_ATAN,
    CNS_MATH_CEIL,
    CNS_MATH_COS,
    CNS_MATH_DEG,
    CNS_MATH_EXP,
    CNS_MATH_FLOOR,
    CNS_MATH_FMOD,
    CNS_MATH_LOG,
    CNS_MATH_MAX,
    CNS_MATH_MIN,
    CNS_MATH_RAD,
    CNS_MATH_SIN,
    CNS_MATH_SQRT,
    CNS_MATH_TAN,
    CNS_MATH_TOINTEGER,
    CNS_MATH_ULT,
    CNS_PRANGE,
    CNS_INTRINSIC_COUNT
} cns_intrinsic;

/* "math.abs", ..., "cns.prange". Never NULL. */
CNS_API const char *cns_intrinsic_name(cns_intrinsic intrinsic);

typedef enum cns_import_kind {
    CNS_IMPORT_VALUE, /* a number, boolean or buffer: becomes a hidden argument */
    CNS_IMPORT_INTRINSIC,
    CNS_IMPORT_FUNCTION, /* a Lua function (or a kernel's): inlined where it is called */
    CNS_IMPORT_TABLE,    /* looked into by constant names */
    CNS_IMPORT_NIL,
    CNS_IMPORT_OTHER /* nothing a kernel can use; `what` says what it is */
} cns_import_kind;

/* Something the function reaches through its upvalues, as it is now. */
typedef struct cns_import {
    cns_import_kind kind;
    uint32_t type;                    /* VALUE: cns_vm_type */
    cns_intrinsic intrinsic;          /* INTRINSIC */
    uint32_t id;                      /* the host's, the same for the same thing */
    const cns_lua_function *function; /* FUNCTION: valid until the compilation ends */
    const char *what;                 /* "a string", "the function print"; for messages */
} cns_import;

/* How a compilation asks the host what stands behind a name. The host remembers what it answered
 * and checks before each call that it is still so. */
typedef struct cns_import_source {
    void *user;
    /* Upvalue `index` (0-based) of the function with import id `function`; UINT32_MAX for the
     * function that is being built. */
    cns_status (*upvalue)(void *user, uint32_t function, uint32_t index, cns_import *out);
    /* Field `key` of the TABLE with import id `table`. */
    cns_status (*field)(void *user, uint32_t table, const char *key, cns_import *out);
} cns_import_source;

/* ---- the machine ----------------------------------------------------------------------------- */

/* What kernels share: the native backend, once it is loaded. Any number of threads at once. */
typedef struct cns_vm cns_vm;

typedef struct cns_vm_config {
    uint32_t size;
    uint32_t reserved;
    cns_tasks *tasks;   /* for prange and compiling in the background; NULL: the caller's thread */
    const char *plugin; /* path of the native backend; NULL: none, kernels stay in the VM */
    /* Full path of a folder for native code, which later processes take instead of compiling; made
     * when needed. NULL: none. See "the cache". */
    const char *cache;
    uint64_t cache_limit; /* bytes on disk; 0: 256 MiB */
} cns_vm_config;

CNS_API cns_status cns_vm_create(cns_context *context, const cns_vm_config *config, cns_vm **out);
/* requires: no kernel of it is left. Unloads nothing that still compiles: waits for it. */
CNS_API void cns_vm_destroy(cns_vm *vm);
/* For a pool that goes before its machine: from here on all is done on the callers' threads.
 * requires: the pool is being destroyed or gone, and no kernel is run, made native or destroyed. */
CNS_API void cns_vm_leave_tasks(cns_vm *vm);
/* Opens the backend if that was not tried yet: its name ("LLVM 19.1.7 for znver4"), or NULL with
 * the reason in `why` (may be NULL; cut to capacity). */
CNS_API const char *cns_vm_native(cns_vm *vm, char *why, uint64_t capacity);

/* ---- the cache -------------------------------------------------------------------------------
 * Native code on disk, found by a digest over all that it depends on: the kernel's IR and options,
 * the builds of engine, backend and LLVM, the processor, the C library. Nothing in it goes stale:
 * what has changed is another entry, and those that were not used for the longest time are removed.
 * Any number of processes share a folder. It must belong to the user and be writable by nobody
 * else, since its content gets executed; where it is not, or cannot be read or written, kernels
 * are compiled as without it, and explain says why. */

typedef struct cns_cache_info {
    uint32_t size;
    uint32_t reserved;
    uint64_t files;
    uint64_t bytes; /* on disk: whole blocks of 4 KiB */
    uint64_t limit; /* of bytes; kept to within 1/32 on average */
} cns_cache_info;

/* The folder, or NULL. Borrowed. */
CNS_API const char *cns_vm_cache(const cns_vm *vm);
/* What is in it. CNS_E_IO, with the reason, when kernels could not be read or kept there (`out` is
 * filled in as far as possible); CNS_E_UNSUPPORTED where there is none. */
CNS_API cns_status cns_vm_cache_measure(cns_vm *vm, cns_cache_info *out);
/* Removes all of it, no other files, not the folder; tells what was removed. As above. */
CNS_API cns_status cns_vm_cache_clear(cns_vm *vm, cns_cache_info *out);

/* ---- kernels --------------------------------------------------------------------------------- */

/* A function compiled for one list of argument types. Runs on any number of threads at once. */
typedef struct cns_kernel cns_kernel;

/* What a kernel's arithmetic may do that Lua's does not. */
typedef enum cns_kernel_option {
    CNS_KERNEL_REASSOCIATE = 1,  /* sums and products in another order */
    CNS_KERNEL_CONTRACT = 2,     /* a*b+c rounded once */
    CNS_KERNEL_APPROXIMATE = 4,  /* vector math functions, error at most 4 ulp */
    CNS_KERNEL_NO_OPTIMISER = 8, /* as built: to measure and to test */
    CNS_KERNEL_NO_BLOCKS = 16,   /* scalar VM only, the same */
    CNS_KERNEL_NO_CACHE = 32 /* native code is made, not looked for or kept on disk: to measure */
} cns_kernel_option;

typedef struct cns_kernel_config {
    uint32_t size;
    uint32_t options; /* cns_kernel_option, together */
    const cns_lua_function *function;
    const char *name;       /* for messages; NULL: made from source and line */
    const uint32_t *types;  /* cns_vm_type of each argument, NIL where nil is passed */
    uint32_t type_count;    /* missing ones are nil; more than its parameters is INVALID */
    uint32_t version_limit; /* of one stretch of code; 0: 16 */
    const cns_import_source *imports;
} cns_kernel_config;

/* Compiles for the VM. CNS_E_UNSUPPORTED with the whole message ("k.lua:3: ...: ...") for what a
 * kernel cannot be; CNS_E_LIMIT when the code gets too large; CNS_E_FAILED when the host's import
 * failed; CNS_E_NOMEM. The message is also copied to `message` (may be NULL), since the context's
 * is shared by threads. */
CNS_API cns_status cns_kernel_compile(cns_vm *vm, const cns_kernel_config *config, char *message,
                                      uint64_t message_capacity, cns_kernel **out);
/* requires: no thread runs it. Waits for a native compilation under way. */
CNS_API void cns_kernel_destroy(cns_kernel *kernel);
/* Import ids of the hidden arguments, which a run passes behind the plain ones. Borrowed. */
CNS_API const uint32_t *cns_kernel_hidden(const cns_kernel *kernel, uint32_t *count);
/* How many plain arguments a run passes; those that are nil, too. */
CNS_API uint32_t cns_kernel_arguments(const cns_kernel *kernel);
/* cns_vm_type of an argument, hidden ones counted behind the plain ones; VOID beyond them. */
CNS_API uint32_t cns_kernel_argument_type(const cns_kernel *kernel, uint32_t argument);
/* What runs do with the buffer that is argument `argument` (hidden ones counted behind the plain
 * ones): cns_access together, 0 for none or where it is no buffer. */
CNS_API uint32_t cns_kernel_access(const cns_kernel *kernel, uint32_t argument);
/* Whether a run may take long enough to poll: 0 where the kernel has no loop. */
CNS_API int cns_kernel_polls(const cns_kernel *kernel);
/* The most results a run gives. */
CNS_API uint32_t cns_kernel_result_limit(const cns_kernel *kernel);
/* CNS_OK, or CNS_E_FAILED with run->trap (what was stored before the trap stays, as in Lua).
 * requires: arguments of the kernel's types; buffers that live and keep their place meanwhile. */
CNS_API cns_status cns_kernel_run(cns_kernel *kernel, cns_run *run);
/* "k.lua:3: attempt to perform 'n//0'"; cut to capacity, terminated; returns the full length. */
CNS_API uint64_t cns_kernel_trap_message(const cns_kernel *kernel, const cns_trap *trap,
                                         char *buffer, uint64_t capacity);

typedef enum cns_tier {
    CNS_TIER_SCALAR, /* the interpreter */
    CNS_TIER_BLOCK,  /* the interpreter, with at least one loop over blocks */
    CNS_TIER_NATIVE
} cns_tier;

/* What the next run will use. */
CNS_API cns_tier cns_kernel_tier(const cns_kernel *kernel);
/* Native code: `wait` 0 compiles on the pool and runs in the VM until it is there; 1 waits. Once
 * is enough. CNS_E_UNSUPPORTED, with the reason in the context's message and in explain, when it
 * cannot be had: the kernel goes on in the VM. */
CNS_API cns_status cns_kernel_make_native(cns_kernel *kernel, int wait);

typedef enum cns_kernel_view {
    CNS_VIEW_EXPLAIN, /* types, tier, what was done and not done and why, by line */
    CNS_VIEW_IR,
    CNS_VIEW_BYTECODE,
    CNS_VIEW_LLVM, /* both need the backend */
    CNS_VIEW_ASSEMBLY
} cns_kernel_view;

/* The text, in memory to be freed with cns_context_resize(context, text, size, 0). */
CNS_API cns_status cns_kernel_view_text(cns_kernel *kernel, cns_kernel_view view, char **text,
                                        uint64_t *size);

typedef struct cns_kernel_stats {
    uint64_t bytecode_instructions;
    uint64_t native_bytes;
    uint64_t build_ns;  /* Lua to optimised IR */
    uint64_t lower_ns;  /* IR to bytecode */
    uint64_t native_ns; /* IR to machine code, made or loaded; 0 until then */
    /* What making the machine code took, in the process that made it. */
    uint64_t compile_ns;
    uint64_t cached; /* 1: the machine code came from the cache */
} cns_kernel_stats;

CNS_API void cns_kernel_get_stats(const cns_kernel *kernel, cns_kernel_stats *out);

/* ---- modules --------------------------------------------------------------------------------- */

/* Kernels by name, several signatures a name, that can be written to bytes (a .cnsb file) and read
 * on any machine, where they go through all tiers as others do. Loading is for one thread; after
 * that, reading what is in a module is for any. */
typedef struct cns_module cns_module;

CNS_API cns_status cns_module_create(cns_vm *vm, cns_module **out);
/* Destroys the kernels in it. requires: no thread runs them. */
CNS_API void cns_module_destroy(cns_module *module);
/* Adds a copy of `kernel` under `name` (1 to 255 bytes), in which the hidden arguments are the
 * constants hidden[0 .. hidden_count), of the kernel's types. CNS_E_UNSUPPORTED for a hidden
 * buffer, which no file can hold; CNS_E_INVALID for a name and signature that are there already. */
CNS_API cns_status cns_module_add(cns_module *module, const char *name, const cns_kernel *kernel,
                                  const cns_vm_value *hidden, uint32_t hidden_count);
/* The file, in memory to be freed with cns_context_resize(context, bytes, size, 0). The same
 * kernels, added in the same order, give the same bytes. */
CNS_API cns_status cns_module_write(const cns_module *module, void **bytes, uint64_t *size);
/* From bytes that may be anything: nothing is believed, everything is verified. CNS_E_CORRUPT with
 * what is wrong and where, CNS_E_UNSUPPORTED for a file of another engine's format. */
CNS_API cns_status cns_module_read(cns_vm *vm, const void *bytes, uint64_t size, cns_module **out);
CNS_API uint32_t cns_module_count(const cns_module *module);
/* requires: index < count. Borrowed, until the module is destroyed. */
CNS_API const char *cns_module_name(const cns_module *module, uint32_t index);
/* NULL once it was taken. */
CNS_API cns_kernel *cns_module_kernel(const cns_module *module, uint32_t index);
/* The same, but the caller destroys it. */
CNS_API cns_kernel *cns_module_take(cns_module *module, uint32_t index);
/* The kernel of this name that takes arguments of these types; missing ones at the end are nil.
 * NULL: there is none. */
CNS_API cns_kernel *cns_module_find(const cns_module *module, const char *name,
                                    const uint32_t *types, uint32_t count);

/* ---- C functions ----------------------------------------------------------------------------- */

/* Kernels that a program links: an object file, which needs neither the engine nor LLVM, and its
 * header. Loops over cns.prange run in the order of the loop. Any thread. */
typedef struct cns_emit_config {
    uint32_t size;
    uint32_t kernel_count;
    cns_kernel *const *kernels;
    const char *const *names; /* of the kernels; the same several times for several signatures */
    const char *prefix;       /* C names are PREFIX_NAME; letters, digits and _ */
    /* What the code is for: NULL or "native" this machine, a processor by LLVM's name, or levels of
     * x86-64 with commas between ("x86-64,x86-64-v3,x86-64-v4"), the best of which each call
     * takes. */
    const char *cpus;
    const char *source; /* for a comment in the header; may be NULL */
} cns_emit_config;

/* The file, in memory to be freed with cns_context_resize(context, object, size, 0).
 * CNS_E_UNSUPPORTED without the native backend, CNS_E_INVALID for names and processors. */
CNS_API cns_status cns_vm_emit_object(cns_vm *vm, const cns_emit_config *config, void **object,
                                      uint64_t *size);
/* The same for the header, terminated; size includes that. Needs no backend. */
CNS_API cns_status cns_vm_emit_header(cns_vm *vm, const cns_emit_config *config, char **text,
                                      uint64_t *size);

#ifdef __cplusplus
}
#endif

#endif
