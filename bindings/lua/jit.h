/* SPDX-License-Identifier: MIT
 *
 * jit.h - what the C files of cns.jit share: the machine, kernel objects and their variants.
 *
 * A kernel object is a Lua function and its variants: compilations for one list of argument types
 * and one state of what the function reaches through its upvalues. What a compilation asked is
 * kept as records, in the order in which they were asked; they are gone through again before each
 * call: numbers, booleans and buffers are read anew and passed to the kernel, the rest must be as
 * it was. All of it belongs to one Lua state and is used on that state's thread only.
 */
#ifndef LCNS_JIT_H
#define LCNS_JIT_H

#include "cns/vm.h"
#include "tasks.h"

#define LCNS_KERNEL_TYPE "cns.kernel"
#define LCNS_KERNEL_EXPECTED "integer, float, boolean, nil or cns.buffer"

/* ---- the machine (jit_machine.c, jit_cache.c) --------------------------------------------------
 */

/* One for all states that belong together; made when the first kernel is compiled. */
typedef struct lcns_machine {
    cns_context *context;
    cns_vm *vm;
    lcns_pool *pool; /* retained; the default one */
    bool plugin;     /* there is a native backend to try */
} lcns_machine;

/* Raises. */
lcns_machine *lcns_machine_of(lua_State *L);
/* Where the native backend lies: CNS_JIT_PLUGIN (none when empty), or beside this module or
 * command, in a build tree or installed. false: nowhere. */
bool lcns_find_plugin(char *path, size_t capacity);
/* Where native code is kept between processes: CNS_CACHE (nowhere when empty), else cnsengine below
 * XDG_CACHE_HOME or ~/.cache; and CNS_CACHE_LIMIT, or 0. false: nowhere, with the reason. */
bool lcns_find_cache(char *path, size_t capacity, uint64_t *limit, char *why, size_t why_capacity);
int lcns_open_native(lua_State *L); /* pushes cns.jit.native */

/* ---- kernels (jit.c) ------------------------------------------------------------------------- */

typedef enum lcns_policy {
    LCNS_TIER_AUTO,   /* the VM at once, native code when it is there */
    LCNS_TIER_VM,     /* never native */
    LCNS_TIER_SCALAR, /* nor blocks */
    LCNS_TIER_NATIVE  /* native, or an error */
} lcns_policy;

enum { LCNS_KERNEL_NAME = 64, LCNS_VARIANTS_MAX = 64, LCNS_WHAT_MAX = 96 };

typedef struct lcns_kernel_options {
    uint32_t math; /* cns_kernel_option, together */
    lcns_policy policy;
    bool wait;                   /* for native code */
    char name[LCNS_KERNEL_NAME]; /* "": from source and line */
} lcns_kernel_options;

/* What a compilation was told about one thing. Its value and its key are in the variant's table,
 * see LCNS_AT_VALUE. */
typedef struct lcns_record {
    uint32_t parent;      /* a record; LCNS_SELF: the kernel's function */
    uint32_t upvalue;     /* 0-based, of the parent; LCNS_FIELD: a field of it */
    cns_import_kind kind; /* what must be so again */
    uint32_t type;        /* VALUE: cns_vm_type */
    cns_intrinsic intrinsic;
    int32_t hidden; /* which hidden argument it is; -1: none */
    int lua_type;
    const void *identity; /* FUNCTION, INTRINSIC, OTHER */
    uint32_t id;          /* the import's */
    const char *key;      /* held by the variant's table */
} lcns_record;

#define LCNS_SELF UINT32_MAX
#define LCNS_FIELD UINT32_MAX
/* Places in a variant's table: the function, then two for each record. */
enum { LCNS_AT_FUNCTION = 1 };
#define LCNS_AT_VALUE(record) (2 + 2 * (lua_Integer)(record))
#define LCNS_AT_KEY(record) (3 + 2 * (lua_Integer)(record))

/* Of a buffer, only the length is used. */
enum { LCNS_USE_LENGTH = 4 };

typedef struct lcns_variant {
    struct lcns_variant *next;
    cns_kernel *kernel;
    lcns_record *records;
    uint32_t record_count, record_capacity;
    uint32_t hidden_count;
    uint32_t result_limit;
    uint32_t users;      /* runs and preparations under way */
    uint32_t type_count; /* the function's parameters */
    uint8_t *types;      /* of the plain arguments */
    uint8_t *use;        /* of plain and hidden ones: 0: no buffer; cns_access together; or: */
    size_t arrays_size;  /* of both arrays, which are one block */
    bool has_buffers;    /* among its arguments, hidden ones included */
    bool polls;          /* runs may take long */
    bool has_keys;       /* there is a record of a field */
    bool native_asked;
} lcns_variant;

typedef struct lcns_kernel {
    lcns_object base;
    const struct lcns_kernel *self; /* the object: no other userdata of this size says so */
    lcns_machine *machine;
    cns_lua_function *function; /* NULL while being made, once closed, and where loaded */
    bool loaded;                /* from a file: with the variants that it came with, no others */
    lcns_seat *seat;            /* of the state; NULL in a main state */
    lua_State *main;            /* the state's main thread */
    lcns_kernel_options options;
    uint32_t parameters;
    uint32_t users;      /* calls and compilations under way */
    lcns_shared *doomed; /* closed while in use: released by the last user */
    lcns_variant *first; /* most recently used first */
    uint32_t variants;
    uint64_t calls, compilations;
} lcns_kernel;

/* A kernel without its function, pushed; its user value is a table. Raises. */
lcns_kernel *lcns_kernel_new(lua_State *L, const lcns_kernel_options *options);
/* Gives the kernel at `kernel` the Lua function at `function`. Raises. */
void lcns_kernel_set(lua_State *L, int kernel, int function);
/* Pushes the Lua function of the kernel at `index`. */
void lcns_kernel_push_function(lua_State *L, int index);
/* The C functions that kernels know by identity, as a list of cns_intrinsic; in the registry. */
const lua_CFunction *lcns_intrinsics(lua_State *L);

static inline bool lcns_kernel_is_open(const lcns_kernel *self) {
    return self->base.shared && (self->function || self->loaded);
}
/* Raises "cns.kernel is closed". */
void lcns_kernel_check_open(lua_State *L, const lcns_kernel *self);

/* Keeps what the kernel owns while a call or a compilation uses it. */
static inline void lcns_kernel_hold(lcns_kernel *self) {
    self->users++;
}
/* Disposes of a kernel that was closed while in use; nothing uses it any more. */
void lcns_kernel_bury(lcns_kernel *self);
static inline void lcns_kernel_let_go(lcns_kernel *self) {
    if (--self->users == 0 && self->doomed) {
        lcns_kernel_bury(self);
    }
}
void lcns_variant_free(lcns_kernel *self, lcns_variant *variant);

/* Kilobytes that a compilation counts for to Lua's collector, which does not see its memory. */
enum { LCNS_COLLECTOR_SHARE = 32 };

/* ---- calls (jit_call.c) ---------------------------------------------------------------------- */

/* The metamethod __call. Third upvalue: the metatable of cns.buffer. */
int lcns_kernel_call(lua_State *L);
/* cns_vm_type of the value at `index` and the value itself, of a buffer the lcns_buffer_object as
 * `data`; CNS_VM_VOID when a kernel cannot take it. `buffers`: the index of cns.buffer's metatable.
 * Raises nothing, allocates nothing. */
uint32_t lcns_kernel_argument(lua_State *L, int index, int buffers, cns_vm_value *out);
/* The variant for these types, compiled if need be, in front. The kernel is at 1. Raises. */
lcns_variant *lcns_kernel_variant(lua_State *L, lcns_kernel *self, const uint8_t *types);
/* Makes native code if the policy wants it; `wait`: and waits for it in any case. Raises when it
 * must be native and cannot, or when the kernel was closed meanwhile. Runs other Lua code. */
void lcns_kernel_go_native(lua_State *L, lcns_kernel *self, lcns_variant *variant, bool wait);

/* ---- compilations and what they ask (jit_compile.c) ------------------------------------------ */

/* Reads the Lua function at `function`. Raises nothing. */
cns_status lcns_function_read(lua_State *L, int function, cns_lua_function **out);

/* A new variant for these types, not linked yet; its table is in the kernel's. The kernel is at 1.
 * Raises. */
lcns_variant *lcns_kernel_compile(lua_State *L, lcns_kernel *self, const uint8_t *types);
/* Room on the stack for the guards of the variant; a C function's own is enough for a few records.
 * Raises. */
enum { LCNS_FEW_RECORDS = 8 };
static inline void lcns_kernel_reserve(lua_State *L, const lcns_variant *variant) {
    luaL_checkstack(L, (int)variant->record_count + 8, LCNS_KERNEL_TYPE);
}
/* Whether all that the variant was compiled for is still so; fills in the hidden arguments, as
 * lcns_kernel_argument does. The kernel is at 1. Raises nothing. */
bool lcns_kernel_guards(lua_State *L, const lcns_variant *variant, int buffers,
                        cns_vm_value *hidden);

/* Raises an error that lists the signatures which a loaded kernel has instead of `types`. */
int lcns_kernel_refuse_types(lua_State *L, const lcns_kernel *self, const uint8_t *types);

/* ---- kernels as files (jit_emit.c, jit_module.c) --------------------------------------------- */

/* At index 1: {{name=, kernel=}, ...}; pushes {name1, kernel1, name2, ...} and returns how many.
 * Raises. */
lua_Integer lcns_kernel_list(lua_State *L);
/* Pushes cns.jit.load and cns.jit.dump. */
void lcns_open_modules(lua_State *L);

/* ---- what a kernel tells about itself (jit_views.c) ------------------------------------------ */

extern const luaL_Reg lcns_kernel_methods[];

/* Appends "f64, f64[]" to the buffer. */
void lcns_add_types(luaL_Buffer *b, const uint8_t *types, uint32_t count);

#endif
