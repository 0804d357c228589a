/* SPDX-License-Identifier: MIT
 *
 * test_lua_build.c - the builder against Lua itself: functions of one file, each with lists of
 * arguments, run by Lua over cns.buffer and as SSA by the evaluator, as bytecode by the
 * interpreter; results with their subtypes,
 * buffers to the byte, errors with their line. Then what is refused, with its words.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir_eval.h"
#include "module.h"
#include "support.h"
#include "vm/build.h"
#include "vm/bytecode.h"
#include "vm/passes.h"

/* ---- a host ---------------------------------------------------------------------------------- */

enum { THINGS = 200, FUNCTIONS = 50 };

/* Things that were imported; the id is the place in the table at `things` in the registry. */
typedef struct host {
    lua_State *L;
    cns_context *context;
    int things;
    uint32_t count;
    cns_lua_function *functions[FUNCTIONS];
    uint32_t function_count;
} host;

typedef struct dump {
    unsigned char *bytes;
    size_t size;
} dump;

static int write_dump(lua_State *L, const void *bytes, size_t size, void *user) {
    (void)L;
    dump *d = user;
    d->bytes = realloc(d->bytes, d->size + size);
    memcpy(d->bytes + d->size, bytes, size);
    d->size += size;
    return 0;
}

/* The function on the top of the stack, which stays. */
static const cns_lua_function *read_function(host *h) {
    dump d = {NULL, 0};
    ck_assert_int_eq(lua_dump(h->L, write_dump, &d, 0), 0);
    ck_assert_uint_lt(h->function_count, FUNCTIONS);
    cns_lua_function **out = &h->functions[h->function_count++];
    support_status(h->context, CNS_OK, cns_lua_function_read(h->context, d.bytes, d.size, out));
    free(d.bytes);
    return *out;
}

static uint32_t type_at(lua_State *L, int index) {
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        return CNS_VM_BOOL;
    case LUA_TNUMBER:
        return lua_isinteger(L, index) ? CNS_VM_I64 : CNS_VM_F64;
    case LUA_TUSERDATA: {
        lua_getfield(L, index, "type");
        lua_pushvalue(L, index > 0 ? index : index - 1);
        lua_call(L, 1, 1);
        cns_type type = CNS_I8;
        ck_assert_int_eq(cns_type_parse(lua_tostring(L, -1), &type), CNS_OK);
        lua_pop(L, 1);
        return CNS_VM_BUFFER + (uint32_t)type;
    }
    default:
        return CNS_VM_NIL;
    }
}

static bool find_intrinsic(lua_State *L, cns_import *out) {
    for (int i = 0; i < CNS_PRANGE; i++) {
        lua_getglobal(L, "math");
        lua_getfield(L, -1, strchr(cns_intrinsic_name((cns_intrinsic)i), '.') + 1);
        bool same = lua_rawequal(L, -1, -3);
        lua_pop(L, 2);
        if (same) {
            *out = (cns_import){.kind = CNS_IMPORT_INTRINSIC, .intrinsic = (cns_intrinsic)i};
            return true;
        }
    }
    lua_getglobal(L, "prange");
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    *out = (cns_import){.kind = CNS_IMPORT_INTRINSIC, .intrinsic = CNS_PRANGE};
    return same;
}

/* Takes the value from the top of the stack. */
static cns_status import_top(host *h, cns_import *out) {
    lua_State *L = h->L;
    uint32_t type = type_at(L, -1);
    *out = (cns_import){.kind = CNS_IMPORT_VALUE, .type = type};
    if (lua_isnil(L, -1)) {
        out->kind = CNS_IMPORT_NIL;
    } else if (lua_istable(L, -1)) {
        out->kind = CNS_IMPORT_TABLE;
    } else if (lua_iscfunction(L, -1)) {
        if (!find_intrinsic(L, out)) {
            *out = (cns_import){.kind = CNS_IMPORT_OTHER, .what = "a C function"};
        }
    } else if (lua_isfunction(L, -1)) {
        if (!find_intrinsic(L, out)) { /* prange is Lua here */
            *out = (cns_import){.kind = CNS_IMPORT_FUNCTION, .function = read_function(h)};
        }
    } else if (type == CNS_VM_NIL) {
        out->kind = CNS_IMPORT_OTHER;
        out->what = luaL_typename(L, -1);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, h->things);
    lua_insert(L, -2);
    for (uint32_t i = 1; i <= h->count; i++) { /* the same thing has the same id */
        lua_rawgeti(L, -2, i);
        bool same = lua_rawequal(L, -1, -2) && out->kind != CNS_IMPORT_VALUE;
        lua_pop(L, 1);
        if (same) {
            out->id = i;
            lua_pop(L, 2);
            return CNS_OK;
        }
    }
    out->id = ++h->count;
    lua_rawseti(L, -2, out->id);
    lua_pop(L, 1);
    return CNS_OK;
}

static void push_thing(host *h, uint32_t id) {
    lua_rawgeti(h->L, LUA_REGISTRYINDEX, h->things);
    lua_rawgeti(h->L, -1, id);
    lua_remove(h->L, -2);
}

/* Id 1 is the function itself. */
static cns_status get_upvalue(void *user, uint32_t function, uint32_t index, cns_import *out) {
    host *h = user;
    push_thing(h, function == UINT32_MAX ? 1 : function);
    ck_assert(lua_getupvalue(h->L, -1, (int)index + 1) != NULL);
    lua_remove(h->L, -2);
    return import_top(h, out);
}

static cns_status get_field(void *user, uint32_t table, const char *key, cns_import *out) {
    host *h = user;
    push_thing(h, table);
    lua_pushstring(h->L, key);
    lua_rawget(h->L, -2);
    lua_remove(h->L, -2);
    return import_top(h, out);
}

static void host_init(host *h, lua_State *L, cns_context *context) {
    *h = (host){.L = L, .context = context};
    lua_newtable(L);
    h->things = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void host_deinit(host *h) {
    for (uint32_t i = 0; i < h->function_count; i++) {
        cns_lua_function_destroy(h->functions[i]);
    }
    luaL_unref(h->L, LUA_REGISTRYINDEX, h->things);
}

/* The function at `index`, for the arguments at [first, first + count). */
static cns_status build_at(host *h, int index, int first, int count, cns_build *build,
                           cns_ir_function **out) {
    static uint32_t types[256];
    for (int i = 0; i < count; i++) {
        types[i] = type_at(h->L, first + i);
    }
    lua_rawgeti(h->L, LUA_REGISTRYINDEX, h->things);
    lua_pushvalue(h->L, index);
    h->count = 1;
    lua_rawseti(h->L, -2, 1);
    lua_pop(h->L, 1);
    static cns_import_source source;
    source = (cns_import_source){h, get_upvalue, get_field};
    lua_pushvalue(h->L, index);
    *build = (cns_build){.function = read_function(h),
                         .argument_count = (uint32_t)count,
                         .types = types,
                         .imports = &source};
    lua_pop(h->L, 1);
    return cns_build_function(h->context, build, out);
}

/* ---- running both ---------------------------------------------------------------------------- */

/* A buffer's contents, copied, as an argument. */
static cns_vm_value to_argument(lua_State *L, int index) {
    cns_vm_value value = {.integer = 0};
    if (lua_isboolean(L, index)) {
        value.integer = lua_toboolean(L, index);
    } else if (lua_isinteger(L, index)) {
        value.integer = lua_tointeger(L, index);
    } else if (lua_isnumber(L, index)) {
        value.real = lua_tonumber(L, index);
    } else if (lua_isuserdata(L, index)) {
        size_t size = 0;
        lua_getfield(L, index, "bytes");
        lua_pushvalue(L, index);
        lua_call(L, 1, 1);
        const char *bytes = lua_tolstring(L, -1, &size);
        value.data = memcpy(malloc(size + 8), bytes, size);
        lua_pop(L, 1);
        value.count = (uint64_t)luaL_len(L, index);
    }
    return value;
}

static void check_buffer(lua_State *L, int index, const cns_vm_value *is, const char *what) {
    size_t size = 0;
    lua_getfield(L, index, "bytes");
    lua_pushvalue(L, index);
    lua_call(L, 1, 1);
    const char *bytes = lua_tolstring(L, -1, &size);
    ck_assert_msg(memcmp(bytes, is->data, size) == 0, "%s: a buffer differs", what);
    lua_pop(L, 1);
    free(is->data);
}

static void check_result(lua_State *L, int index, const cns_vm_value *is, const char *what) {
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        ck_assert_msg(is->type == CNS_VM_NIL, "%s: no nil", what);
        break;
    case LUA_TBOOLEAN:
        ck_assert_msg(is->type == CNS_VM_BOOL && is->integer == lua_toboolean(L, index),
                      "%s: another bool", what);
        break;
    default:
        if (lua_isinteger(L, index)) {
            ck_assert_msg(is->type == CNS_VM_I64 && is->integer == lua_tointeger(L, index),
                          "%s: type %u, %lld, not %lld", what, (unsigned)is->type,
                          (long long)is->integer, (long long)lua_tointeger(L, index));
        } else {
            double real = lua_tonumber(L, index);
            ck_assert_msg(is->type == CNS_VM_F64 && ((real != real && is->real != is->real) ||
                                                     memcmp(&real, &is->real, sizeof real) == 0),
                          "%s: type %u, %.17g, not %.17g", what, (unsigned)is->type, is->real,
                          real);
        }
    }
}

static uint32_t trap_line(const cns_ir_function *ir, const cns_run *run) {
    return run->trap.site < ir->site_count ? ir->sites[run->trap.site].line : 0;
}

/* The error on the stack speaks of the same line. */
static void check_error(lua_State *L, const cns_ir_function *ir, const cns_run *run,
                        const char *what) {
    const char *text = lua_tostring(L, -1);
    const char *colon = strchr(text, ':');
    ck_assert_msg(run->trap.kind != CNS_TRAP_NONE, "%s: no trap, Lua: %s", what, text);
    ck_assert_msg(colon && (uint32_t)atoi(colon + 1) == trap_line(ir, run),
                  "%s: trap %u in line %u, Lua: %s", what, run->trap.kind, trap_line(ir, run),
                  text);
}

typedef enum tier { EVALUATOR, BYTECODE, OPTIMISED, OPTIMISED_BYTECODE, TIERS } tier;

static void run_tier(cns_context *context, tier t, cns_ir_function *ir, cns_run *run) {
    if (t >= OPTIMISED) {
        support_status(context, CNS_OK, cns_optimise(ir, CNS_OPTIMISE_VM));
        support_status(context, CNS_OK, cns_ir_verify(ir, true));
    }
    if (t == EVALUATOR || t == OPTIMISED) {
        support_ir_eval(ir, run, 1000000);
        return;
    }
    cns_code *code = NULL;
    support_status(context, CNS_OK, cns_code_lower(ir, 0, &code));
    support_status(context, CNS_OK, cns_code_verify(code));
    ck_assert_uint_eq(cns_code_run(code, run), run->trap.kind);
    cns_code_destroy(code);
}

/* Function at `index`, arguments behind it up to the top. */
static void compare(host *h, int index, tier t, const char *what) {
    lua_State *L = h->L;
    int first = index + 1, count = lua_gettop(L) - index;
    cns_build build;
    cns_ir_function *ir = NULL;
    support_status(h->context, CNS_OK, build_at(h, index, first, count, &build, &ir));
    support_status(h->context, CNS_OK, cns_ir_verify(ir, false));
    cns_vm_value arguments[64];
    for (int i = 0; i < count; i++) {
        arguments[i] = to_argument(L, first + i);
    }
    for (uint32_t i = 0; i < build.hidden_count; i++) {
        push_thing(h, build.hidden[i]);
        arguments[count + (int)i] = to_argument(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    cns_vm_value results[64];
    cns_run run = {.arguments = arguments, .results = results, .result_capacity = 64};
    run_tier(h->context, t, ir, &run);
    lua_pushvalue(L, index);
    for (int i = 0; i < count; i++) {
        lua_pushvalue(L, first + i);
    }
    int base = lua_gettop(L) - count;
    if (lua_pcall(L, count, LUA_MULTRET, 0) != LUA_OK) {
        check_error(L, ir, &run, what);
    } else {
        ck_assert_msg(run.trap.kind == CNS_TRAP_NONE, "%s: trap %u in line %u", what, run.trap.kind,
                      trap_line(ir, &run));
        ck_assert_msg((int)run.result_count == lua_gettop(L) - base + 1, "%s: %u results", what,
                      run.result_count);
        for (uint32_t r = 0; r < run.result_count; r++) {
            check_result(L, base + (int)r, &results[r], what);
        }
    }
    lua_settop(L, first + count - 1);
    for (int i = 0; i < count; i++) {
        if (lua_isuserdata(L, first + i)) {
            check_buffer(L, first + i, &arguments[i], what);
        }
    }
    for (uint32_t i = 0; i < build.hidden_count; i++) {
        push_thing(h, build.hidden[i]);
        if (lua_isuserdata(L, -1)) {
            check_buffer(L, lua_gettop(L), &arguments[count + (int)i], what);
        }
        lua_pop(L, 1);
    }
    cns_ir_destroy(ir);
}

/* ---- the file of functions ------------------------------------------------------------------- */

static lua_State *open_state(void) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "cns", luaopen_cns, 1);
    lua_pop(L, 1);
    return L;
}

static void load_cases(lua_State *L) {
    ck_assert_msg(luaL_dofile(L, TEST_DATA_DIR "/lua_functions.lua") == LUA_OK, "%s",
                  lua_tostring(L, -1));
}

/* Each case is {name, function, make}; make(i) gives the i-th list of arguments, or nothing. */
START_TEST(functions_mean_what_lua_means) {
    lua_State *L = open_state();
    cns_context *context = support_context();
    load_cases(L);
    lua_Integer cases = luaL_len(L, 1);
    ck_assert_int_gt(cases, 30);
    for (lua_Integer c = 1; c <= cases; c++) {
        for (lua_Integer list = 1;; list++) {
            tier t = (tier)_i;
            host h;
            host_init(&h, L, context);
            lua_rawgeti(L, 1, c);
            lua_rawgeti(L, 2, 1);
            const char *name = lua_tostring(L, -1);
            lua_rawgeti(L, 2, 2); /* the function, at 4 */
            lua_rawgeti(L, 2, 3);
            lua_pushinteger(L, list);
            lua_call(L, 1, LUA_MULTRET);
            bool more = lua_gettop(L) > 4 && lua_toboolean(L, 5);
            if (more) {
                char what[100];
                snprintf(what, sizeof what, "%s, arguments %d", name, (int)list);
                lua_remove(L, 5);
                compare(&h, 4, t, what);
            }
            host_deinit(&h);
            lua_settop(L, 1);
            if (!more) {
                ck_assert_msg(list > 1, "%s has no arguments", name);
                break;
            }
        }
    }
    lua_close(L);
    support_context_destroy(context);
}
END_TEST

/* ---- refusals -------------------------------------------------------------------------------- */

static const struct {
    const char *source; /* of a function; its arguments are (1, 2.5, true, buffer of f64) */
    const char *words;
} refusals[] = {
    {"function(i, f, b, x)\n return {} end", "k:2: a table is made"},
    {"function(i, f, b, x)\n\n return i .. f end", "k:3: strings are joined"},
    {"function(i, f, b, x) return b + 1 end", "k:1: arithmetic with 'b', which is a bool; "},
    {"function(i, f, b, x) return x + 1 end", "'x', which is a buffer of f64"},
    {"function(i, f, b, x) return i[1] end", "'i' is an i64 and cannot be indexed"},
    {"function(i, f, b, x) return x[b] end", "'x' (a buffer of f64) is indexed with 'b' (a bool)"},
    {"function(i, f, b, x) x[1] = b end", "'b' (a bool) is stored into 'x' (a buffer of f64)"},
    {"function(i, f, b, x) return #i end", "the length of 'i', which is an i64"},
    {"function(i, f, b, x) return x end", "'x' (a buffer of f64) is returned"},
    {"function(i, f, b, x) return print(i) end", "a call of global 'print' (a C function)"},
    {"function(i, f, b, x) return function() return i end end", "a function is made"},
    {"function(...) return ... end", "the function takes '...'"},
    {"function(i, f, b, x) y = i end", "global 'y' is assigned"},
    {"function(i, f, b, x) for k, v in pairs(x) do end end", "a call of global 'pairs'"},
    {"function(i, f, b, x) return b < i end", "a comparison with 'b', which is a bool"},
    {"function(i, f, b, x) return x:len() end", "method 'len' of 'x' (a buffer of f64)"},
    {"function(i, f, b, x) return ('x'):rep(3) end", "method 'rep' of \"x\" (a string)"},
    {"function(i, f, b, x) return math.floor(b) end", "argument 1 of math.floor is 'b' (a bool)"},
    {"function(i, f, b, x) return math.sin() end", "math.sin is called with 0 arguments"},
    {"function(i, f, b, x) return nothing.at.all end",
     "global 'nothing' is nil and has no field 'at'"},
    {"function(i, f, b, x) for k = b, 3 do end end", "a 'for' initial value must be a number|"
                                                     "the initial value of a 'for' is a bool"},
    {"function(i, f, b, x) return i + b end", "with 'b', which is a bool, and 'i' (an i64); "},
    {"function(i, f, b, x) return i < nothing end", "global 'nothing', which is nil, and 'i'"},
    {"function(i, f, b, x) return i + 'text' end", "\"text\", which is a string"},
    {"function(i, f, b, x) return i + 'te\\0xt' end", "a text, which is a string"},
    {"function(i, f, b, x) math.pi = i end", "field 'pi' of global 'math' is assigned"},
    {"function(i, f, b, x) return math.sqrt(i, f) end", "with 2 arguments; it takes 1"},
    {"function(i, f, b, x) return math.ult(i, f) end", "argument 2 of math.ult is 'f' (an f64)"},
    {"function(i, f, b, x) local s = 'a' return s == 'b' end",
     "'s' (a string) is compared with \"b\""},
};

static bool has_one_of(const char *text, const char *words) {
    char copy[200];
    snprintf(copy, sizeof copy, "%s", words);
    for (char *at = copy; at;) {
        char *bar = strchr(at, '|');
        if (bar) {
            *bar++ = '\0';
        }
        if (strstr(text, at)) {
            return true;
        }
        at = bar;
    }
    return false;
}

START_TEST(what_is_refused_is_named) {
    lua_State *L = open_state();
    cns_context *context = support_context();
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        host h;
        host_init(&h, L, context);
        char source[300];
        snprintf(source, sizeof source, "return %s", refusals[i].source);
        ck_assert_msg(luaL_loadbuffer(L, source, strlen(source), "=k") == LUA_OK, "%s",
                      lua_tostring(L, -1));
        lua_call(L, 0, 1);
        ck_assert_int_eq(luaL_dostring(L, "return 1, 2.5, true, cns.buffer('f64', 3)"), LUA_OK);
        cns_build build;
        cns_ir_function *ir = NULL;
        bool variadic = strstr(source, "...") != NULL;
        cns_status status = build_at(&h, 1, 2, variadic ? 0 : 4, &build, &ir);
        char message[300] = "";
        cns_context_message(context, message, sizeof message);
        ck_assert_msg(status == CNS_E_UNSUPPORTED && has_one_of(message, refusals[i].words),
                      "%s: %s: %s", source, cns_status_name(status), message);
        host_deinit(&h);
        lua_settop(L, 0);
    }
    lua_close(L);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("build");
    TCase *all = tcase_create("build");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, functions_mean_what_lua_means, 0, TIERS);
    tcase_add_test(all, what_is_refused_is_named);
    suite_add_tcase(suite, all);
    return support_run(suite);
}
