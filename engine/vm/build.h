/* SPDX-License-Identifier: MIT
 *
 * vm/build.h - from a Lua function and the types of its arguments to typed SSA.
 *
 * Types are inferred by following the code forward from the argument types, one version of a basic
 * block for each combination of types its live registers arrive with (basic block versioning:
 * Chevalier-Boisvert & Feeley, 2015, done ahead of time). So every value has one exact type, and
 * `local s = 0; for i = 1, #x do s = s + x[i] end` is an integer after no trip and a float after
 * one, as in Lua, without a dynamic type: the first trip is a version of its own. Calls of local
 * functions and kernels are inlined. What has no type is refused with line, variable, both types
 * and the remedy.
 */
#ifndef CNS_VM_BUILD_H
#define CNS_VM_BUILD_H

#include "vm/chunk.h"
#include "vm/ir.h"

/* Functions known by identity. */
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
    CNS_MATH_MODF,
    CNS_MATH_RAD,
    CNS_MATH_SIN,
    CNS_MATH_SQRT,
    CNS_MATH_TAN,
    CNS_MATH_TOINTEGER,
    CNS_MATH_ULT,
    CNS_PRANGE,
    CNS_INTRINSIC_COUNT
} cns_intrinsic;

typedef enum cns_import_kind {
    CNS_IMPORT_VALUE, /* a number, boolean or buffer: becomes a hidden argument */
    CNS_IMPORT_INTRINSIC,
    CNS_IMPORT_FUNCTION, /* a Lua function (or a kernel's): inlined where it is called */
    CNS_IMPORT_TABLE,    /* looked into by constant names */
    CNS_IMPORT_NIL,
    CNS_IMPORT_OTHER /* nothing a kernel can use; `what` says what it is */
} cns_import_kind;

/* Something the function reaches through its upvalues, as it is now. `id` is the host's: the host
 * checks before each call that what it handed out is still so. */
typedef struct cns_import {
    cns_import_kind kind;
    uint8_t type;            /* VALUE: cns_vm_type */
    cns_intrinsic intrinsic; /* INTRINSIC */
    const cns_proto *proto;  /* FUNCTION: valid until the build ends */
    const char *what;        /* "a string", "the C function print"; for messages */
    uint32_t id;
} cns_import;

typedef struct cns_import_source {
    void *user;
    /* Upvalue `index` (0-based) of the function with import id `function`; CNS_IR_NONE for the
     * function that is being built. */
    cns_status (*upvalue)(void *user, uint32_t function, uint32_t index, cns_import *out);
    /* Field `key` of the TABLE with import id `table`. */
    cns_status (*field)(void *user, uint32_t table, const char *key, cns_import *out);
} cns_import_source;

enum { CNS_BUILD_REASSOCIATE = 1, CNS_BUILD_CONTRACT = 2, CNS_BUILD_APPROXIMATE = 4 };

typedef struct cns_build {
    const cns_proto *proto;
    const char *name;
    uint32_t argument_count;
    const uint8_t *types; /* cns_vm_type; missing arguments of the function are nil, as in Lua */
    const cns_import_source *imports;
    uint32_t options;
    uint32_t version_limit; /* of one block; 0 for the default (16) */
    /* out: the hidden arguments, which follow the argument_count plain ones */
    uint32_t hidden_count;
    const uint32_t *hidden; /* import ids; in the function's memory */
} cns_build;

/* CNS_E_UNSUPPORTED with the whole message ("k.lua:3: ...") for what a kernel cannot be;
 * CNS_E_LIMIT when the code gets too large; CNS_E_NOMEM. */
cns_status cns_build_function(cns_context *context, cns_build *build, cns_ir_function **out);

#endif
