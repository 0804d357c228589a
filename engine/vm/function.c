/* SPDX-License-Identifier: MIT
 *
 * function.c - Lua functions as hosts hand them in, and the names of what they may use.
 */
#include "vm/function.h"

#include "vm/ir.h"

cns_status cns_lua_function_read(cns_context *context, const void *dump, uint64_t size,
                                 cns_lua_function **out) {
    cns_lua_function *function = cns_context_calloc(context, sizeof *function);
    if (!function) {
        return cns_context_memory_status(context, sizeof *function);
    }
    function->context = context;
    cns_status status = cns_chunk_read(context, dump, (size_t)size, &function->chunk);
    if (status != CNS_OK) {
        cns_lua_function_destroy(function);
        return status;
    }
    function->proto = cns_chunk_main(function->chunk);
    *out = function;
    return CNS_OK;
}

void cns_lua_function_destroy(cns_lua_function *function) {
    if (function) {
        cns_chunk_destroy(function->chunk);
        cns_context_free(function->context, function, sizeof *function, CNS_ALIGN_DEFAULT);
    }
}

uint32_t cns_lua_function_parameters(const cns_lua_function *function) {
    return function->proto->parameters;
}

uint32_t cns_lua_function_upvalues(const cns_lua_function *function) {
    return function->proto->upvalue_count;
}

const char *cns_lua_function_source(const cns_lua_function *function) {
    return function->proto->source;
}

uint32_t cns_lua_function_line(const cns_lua_function *function) {
    return function->proto->line_defined;
}

const char *cns_intrinsic_name(cns_intrinsic intrinsic) {
    static const char *const names[CNS_INTRINSIC_COUNT] = {
        [CNS_MATH_ABS] = "math.abs",     [CNS_MATH_ACOS] = "math.acos",
        [CNS_MATH_ASIN] = "math.asin",   [CNS_MATH_ATAN] = "math.atan",
        [CNS_MATH_CEIL] = "math.ceil",   [CNS_MATH_COS] = "math.cos",
        [CNS_MATH_DEG] = "math.deg",     [CNS_MATH_EXP] = "math.exp",
        [CNS_MATH_FLOOR] = "math.floor", [CNS_MATH_FMOD] = "math.fmod",
        [CNS_MATH_LOG] = "math.log",     [CNS_MATH_MAX] = "math.max",
        [CNS_MATH_MIN] = "math.min",     [CNS_MATH_RAD] = "math.rad",
        [CNS_MATH_SIN] = "math.sin",     [CNS_MATH_SQRT] = "math.sqrt",
        [CNS_MATH_TAN] = "math.tan",     [CNS_MATH_TOINTEGER] = "math.tointeger",
        [CNS_MATH_ULT] = "math.ult",     [CNS_PRANGE] = "cns.prange"};
    return (uint32_t)intrinsic < CNS_INTRINSIC_COUNT ? names[intrinsic] : "?";
}

const char *cns_vm_type_name(uint32_t type) {
    return cns_ir_type_name(type <= UINT8_MAX ? (uint8_t)type : UINT8_MAX);
}
