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
#include "vm/function.h"
#include "vm/ir.h"

typedef struct cns_build {
    const cns_lua_function *function;
    const char *name; /* NULL: made from source and line */
    uint32_t argument_count;
    const uint32_t *types; /* cns_vm_type; missing arguments of the function are nil, as in Lua */
    const cns_import_source *imports;
    uint32_t options;       /* cns_kernel_option: flags of float operations follow from it */
    uint32_t version_limit; /* of one block; 0 for the default (16) */
    /* out: the hidden arguments, which follow the argument_count plain ones */
    uint32_t hidden_count;
    const uint32_t *hidden; /* import ids; in the function's memory */
} cns_build;

/* CNS_E_UNSUPPORTED with the whole message ("k.lua:3: ...") for what a kernel cannot be;
 * CNS_E_LIMIT when the code gets too large; CNS_E_NOMEM. */
cns_status cns_build_function(cns_context *context, cns_build *build, cns_ir_function **out);

#endif
