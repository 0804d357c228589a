/* SPDX-License-Identifier: MIT
 *
 * test_lua_kernel.c - the life of a kernel: compiled from a Lua function, run on several threads,
 * looked at, made native where a backend is there, destroyed meanwhile; misuse and failures.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cns/vm.h"
#include "support.h"
#include "vm/chunk.h"

/* ---- functions ------------------------------------------------------------------------------- */

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

/* The function that `source` returns. */
static dump dump_of(const char *source) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    ck_assert_msg(luaL_loadbuffer(L, source, strlen(source), "=k.lua") == LUA_OK &&
                      lua_pcall(L, 0, 1, 0) == LUA_OK,
                  "%s", lua_tostring(L, -1));
    dump d = {NULL, 0};
    ck_assert_int_eq(lua_dump(L, write_dump, &d, 0), 0);
    lua_close(L);
    return d;
}

static cns_status read_dump(cns_context *context, dump d, cns_lua_function **out) {
    return cns_lua_function_read(context, d.bytes, d.size, out);
}

/* ---- imports: a world with nothing in it ------------------------------------------------------
 */

static cns_status no_upvalue(void *user, uint32_t function, uint32_t index, cns_import *out) {
    (void)user, (void)function, (void)index;
    *out = (cns_import){.kind = CNS_IMPORT_OTHER, .what = "a thing of the test"};
    return CNS_OK;
}

static cns_status no_field(void *user, uint32_t table, const char *key, cns_import *out) {
    (void)user, (void)table, (void)key;
    *out = (cns_import){.kind = CNS_IMPORT_NIL};
    return CNS_OK;
}

static const cns_import_source nothing = {NULL, no_upvalue, no_field};

/* ---- saxpy ----------------------------------------------------------------------------------- */

static const char saxpy_source[] = "return function(a, x, y)\n"
                                   "  for i = 1, #x do\n"
                                   "    y[i] = a * x[i] + y[i]\n"
                                   "  end\n"
                                   "end";

static const uint32_t saxpy_types[] = {CNS_VM_F64, CNS_VM_BUFFER + CNS_F64,
                                       CNS_VM_BUFFER + CNS_F64};

static cns_status compile(cns_vm *vm, const cns_lua_function *function, const uint32_t *types,
                          uint32_t count, cns_kernel **out) {
    cns_kernel_config config = {.size = sizeof config,
                                .function = function,
                                .types = types,
                                .type_count = count,
                                .imports = &nothing};
    char message[256] = "";
    return cns_kernel_compile(vm, &config, message, sizeof message, out);
}

enum { COUNT = 3000 };

static void run_saxpy(cns_kernel *kernel) {
    double *x = malloc(COUNT * sizeof *x);
    double *y = malloc(COUNT * sizeof *y);
    for (int i = 0; i < COUNT; i++) {
        x[i] = 0.1 * i;
        y[i] = 1.0 / (i + 1);
    }
    cns_vm_value arguments[3] = {
        {.real = 1.7}, {.data = x, .count = COUNT}, {.data = y, .count = COUNT}};
    cns_vm_value results[1];
    cns_run run = {.arguments = arguments, .results = results, .result_capacity = 1};
    ck_assert_int_eq(cns_kernel_run(kernel, &run), CNS_OK);
    ck_assert_uint_eq(run.result_count, 0);
    for (int i = 0; i < COUNT; i++) {
        volatile double product = 1.7 * (0.1 * i); /* rounded twice, as Lua does */
        ck_assert_double_eq(y[i], product + 1.0 / (i + 1));
    }
    free(x);
    free(y);
}

typedef struct stage {
    cns_context *context;
    cns_vm *vm;
    cns_lua_function *function;
    cns_kernel *kernel;
} stage;

static void set_up(stage *s, const char *source, const uint32_t *types, uint32_t count,
                   const cns_vm_config *config) {
    s->context = support_context();
    dump d = dump_of(source);
    support_status(s->context, CNS_OK, read_dump(s->context, d, &s->function));
    free(d.bytes);
    support_status(s->context, CNS_OK, cns_vm_create(s->context, config, &s->vm));
    support_status(s->context, CNS_OK, compile(s->vm, s->function, types, count, &s->kernel));
}

static void tear_down(stage *s) {
    cns_kernel_destroy(s->kernel);
    cns_lua_function_destroy(s->function);
    cns_vm_destroy(s->vm);
    support_context_destroy(s->context);
}

START_TEST(runs_and_tells_of_itself) {
    stage s;
    set_up(&s, saxpy_source, saxpy_types, 3, NULL);
    cns_lua_function_destroy(s.function); /* not needed any more */
    s.function = NULL;
    run_saxpy(s.kernel);
    uint32_t hidden = 7;
    (void)cns_kernel_hidden(s.kernel, &hidden);
    ck_assert_uint_eq(hidden, 0);
    ck_assert_uint_eq(cns_kernel_result_limit(s.kernel), 0);
    ck_assert_uint_eq(cns_kernel_access(s.kernel, 0), 0);
    ck_assert_uint_eq(cns_kernel_access(s.kernel, 1), CNS_ACCESS_READ);
    ck_assert_uint_eq(cns_kernel_access(s.kernel, 2), CNS_ACCESS_READ | CNS_ACCESS_WRITE);
    ck_assert_uint_eq(cns_kernel_access(s.kernel, 3), 0);
    cns_kernel_stats stats;
    cns_kernel_get_stats(s.kernel, &stats);
    ck_assert_uint_gt(stats.bytecode_instructions, 0);
    ck_assert_uint_gt(stats.build_ns, 0);
    ck_assert_uint_eq(stats.native_bytes, 0);
    tear_down(&s);
}
END_TEST

START_TEST(shows_its_forms) {
    stage s;
    set_up(&s, saxpy_source, saxpy_types, 3, NULL);
    const char *wanted[] = {"buffer of f64", "load", "f64"};
    for (int view = CNS_VIEW_EXPLAIN; view <= CNS_VIEW_BYTECODE; view++) {
        char *text = NULL;
        uint64_t size = 0;
        support_status(s.context, CNS_OK,
                       cns_kernel_view_text(s.kernel, (cns_kernel_view)view, &text, &size));
        ck_assert_msg(strstr(text, wanted[view]) != NULL, "%s", text);
        (void)cns_context_resize(s.context, text, size, 0);
    }
    char *text = NULL;
    uint64_t size = 0;
    support_status(s.context, CNS_E_UNSUPPORTED,
                   cns_kernel_view_text(s.kernel, CNS_VIEW_LLVM, &text, &size));
    support_status(s.context, CNS_E_INVALID,
                   cns_kernel_view_text(s.kernel, (cns_kernel_view)99, &text, &size));
    tear_down(&s);
}
END_TEST

START_TEST(traps_speak_as_lua_does) {
    stage s;
    set_up(&s, saxpy_source, saxpy_types, 3, NULL);
    double x[5] = {1, 2, 3, 4, 5};
    double y[3] = {0, 0, 0};
    cns_vm_value arguments[3] = {{.real = 2}, {.data = x, .count = 5}, {.data = y, .count = 3}};
    cns_run run = {.arguments = arguments};
    ck_assert_int_eq(cns_kernel_run(s.kernel, &run), CNS_E_FAILED);
    ck_assert_uint_eq(run.trap.kind, CNS_TRAP_INDEX);
    char text[100];
    uint64_t length = cns_kernel_trap_message(s.kernel, &run.trap, text, sizeof text);
    ck_assert_str_eq(text, "k.lua:3: cns.buffer index 4 out of range 1..3");
    ck_assert_uint_eq(length, strlen(text));
    ck_assert_uint_eq(cns_kernel_trap_message(s.kernel, &run.trap, text, 6), length);
    ck_assert_str_eq(text, "k.lua");
    ck_assert_uint_eq(cns_kernel_trap_message(s.kernel, &run.trap, NULL, 0), length);
    ck_assert_double_eq(y[0] + y[1] + y[2], 12); /* what came before stays */
    tear_down(&s);
}
END_TEST

/* Every kind of trap has words; those of Lua are Lua's own. */
START_TEST(arithmetic_traps_are_lua_s) {
    static const char *const bodies[] = {"return a // b", "return a % b",
                                         "for i = a, 3, b do return i end"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char source[100];
        snprintf(source, sizeof source, "return function(a, b)\n %s\nend", bodies[i]);
        const uint32_t types[] = {CNS_VM_I64, CNS_VM_I64};
        stage s;
        set_up(&s, source, types, 2, NULL);
        cns_vm_value arguments[2] = {{.integer = 1}, {.integer = 0}};
        cns_vm_value results[1];
        cns_run run = {.arguments = arguments, .results = results, .result_capacity = 1};
        ck_assert_int_eq(cns_kernel_run(s.kernel, &run), CNS_E_FAILED);
        char text[100];
        (void)cns_kernel_trap_message(s.kernel, &run.trap, text, sizeof text);

        lua_State *L = luaL_newstate();
        luaL_openlibs(L);
        ck_assert(luaL_loadbuffer(L, source, strlen(source), "=k.lua") == LUA_OK);
        ck_assert(lua_pcall(L, 0, 1, 0) == LUA_OK);
        lua_pushinteger(L, 1);
        lua_pushinteger(L, 0);
        ck_assert(lua_pcall(L, 2, 0, 0) == LUA_ERRRUN);
        /* Lua 5.4.4 gives the line of an earlier instruction where it divides by 0. */
        ck_assert(strncmp(text, "k.lua:2: ", 9) == 0);
        ck_assert_str_eq(text + 9, lua_tostring(L, -1) + 9);
        lua_close(L);
        tear_down(&s);
    }
}
END_TEST

static cns_status refuse(void *user) {
    ++*(int *)user;
    return CNS_E_CANCELLED;
}

START_TEST(an_endless_loop_is_stopped_by_the_poll) {
    stage s;
    set_up(&s, "return function(a) while a > 0 do a = a + a % 2 end return a end",
           (const uint32_t[]){CNS_VM_I64}, 1, NULL);
    int polls = 0;
    cns_vm_value argument = {.integer = 2};
    cns_vm_value result;
    cns_run run = {.arguments = &argument,
                   .results = &result,
                   .result_capacity = 1,
                   .poll = refuse,
                   .poll_user = &polls};
    ck_assert_int_eq(cns_kernel_run(s.kernel, &run), CNS_E_FAILED);
    ck_assert_uint_eq(run.trap.kind, CNS_TRAP_STOPPED);
    ck_assert_int_eq(run.trap.integer, CNS_E_CANCELLED);
    ck_assert_int_eq(polls, 1);
    tear_down(&s);
}
END_TEST

START_TEST(only_loops_poll) {
    static const struct {
        const char *source;
        int polls;
    } cases[] = {
        {"return function(x) return x + 1 end", 0},
        {"return function(x) if x > 1 then return x end return x < 0 and -x or 2 * x end", 0},
        {"return function(x) for i = 1, x do x = x - i end return x end", 1},
        {"return function(x) while x > 1 do x = x // 2 end return x end", 1},
        {"return function(x) repeat x = x // 2 until x < 2 return x end", 1},
        {"return function(x) ::again:: x = x - 1 if x > 0 then goto again end return x end", 1},
        {"return function(x) while true do x = x + 1 end end", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stage s = {0};
        set_up(&s, cases[i].source, (const uint32_t[]){CNS_VM_I64}, 1,
               &(cns_vm_config){.size = sizeof(cns_vm_config)});
        ck_assert_msg(cns_kernel_polls(s.kernel) == cases[i].polls, "%s", cases[i].source);
        tear_down(&s);
    }
}
END_TEST

/* ---- misuse ---------------------------------------------------------------------------------- */

START_TEST(misuse_is_refused) {
    stage s;
    set_up(&s, "return function(a) return a end", (const uint32_t[]){CNS_VM_I64}, 1, NULL);
    cns_kernel *none = NULL;
    const uint32_t two[] = {CNS_VM_I64, CNS_VM_I64};
    support_status(s.context, CNS_E_INVALID, compile(s.vm, s.function, two, 2, &none));
    const uint32_t bad[] = {CNS_VM_BUFFER, CNS_VM_VOID, 99, 1000};
    for (int i = 0; i < 4; i++) {
        support_status(s.context, CNS_E_INVALID, compile(s.vm, s.function, &bad[i], 1, &none));
    }
    support_status(s.context, CNS_E_INVALID, compile(s.vm, s.function, NULL, 1, &none));
    support_status(s.context, CNS_E_INVALID, compile(s.vm, NULL, two, 1, &none));
    cns_kernel_config config = {.size = 3, .function = s.function, .imports = &nothing};
    support_status(s.context, CNS_E_INVALID, cns_kernel_compile(s.vm, &config, NULL, 0, &none));
    cns_vm_config vm_config = {.size = 1};
    cns_vm *no_vm = NULL;
    support_status(s.context, CNS_E_INVALID, cns_vm_create(s.context, &vm_config, &no_vm));
    cns_vm_value argument = {.integer = 2};
    cns_run run = {.arguments = &argument};
    ck_assert_int_eq(cns_kernel_run(s.kernel, &run), CNS_E_INVALID);
    ck_assert(none == NULL && no_vm == NULL);
    cns_lua_function *function = NULL;
    support_status(s.context, CNS_E_CORRUPT,
                   cns_lua_function_read(s.context, "\x1bLua", 4, &function));
    tear_down(&s);
    cns_kernel_destroy(NULL);
    cns_vm_destroy(NULL);
    cns_lua_function_destroy(NULL);
}
END_TEST

START_TEST(a_missing_backend_is_said) {
    stage s;
    cns_vm_config config = {.size = sizeof config, .plugin = "no/such/backend.so"};
    set_up(&s, saxpy_source, saxpy_types, 3, &config);
    char why[200] = "";
    ck_assert(cns_vm_native(s.vm, why, sizeof why) == NULL);
    ck_assert_msg(strstr(why, "no/such/backend.so") != NULL, "%s", why);
    support_status(s.context, CNS_E_UNSUPPORTED, cns_kernel_make_native(s.kernel, 1));
    support_status(s.context, CNS_E_UNSUPPORTED, cns_kernel_make_native(s.kernel, 0));
    ck_assert_int_ne(cns_kernel_tier(s.kernel), CNS_TIER_NATIVE);
    run_saxpy(s.kernel);
    char *text = NULL;
    uint64_t size = 0;
    support_status(s.context, CNS_OK,
                   cns_kernel_view_text(s.kernel, CNS_VIEW_EXPLAIN, &text, &size));
    ck_assert_msg(strstr(text, "fell back") && strstr(text, "no/such/backend.so"), "%s", text);
    (void)cns_context_resize(s.context, text, size, 0);
    tear_down(&s);
}
END_TEST

START_TEST(refusals_carry_the_message) {
    stage s;
    set_up(&s, "return function(a) return a end", (const uint32_t[]){CNS_VM_I64}, 1, NULL);
    dump d = dump_of("return function(a)\n return {a}\nend");
    cns_lua_function *function = NULL;
    support_status(s.context, CNS_OK, read_dump(s.context, d, &function));
    free(d.bytes);
    const uint32_t types[] = {CNS_VM_I64};
    cns_kernel_config config = {.size = sizeof config,
                                .function = function,
                                .types = types,
                                .type_count = 1,
                                .imports = &nothing};
    char message[256] = "";
    cns_kernel *none = NULL;
    support_status(s.context, CNS_E_UNSUPPORTED,
                   cns_kernel_compile(s.vm, &config, message, sizeof message, &none));
    ck_assert_msg(strncmp(message, "k.lua:2: ", 9) == 0 && strstr(message, "table"), "%s", message);
    cns_lua_function_destroy(function);
    tear_down(&s);
}
END_TEST

/* A jump to the end of a loop in place of its beginning, which leaves integers and a float there.
 */
START_TEST(a_loop_that_did_not_begin_is_refused) {
    stage s;
    set_up(&s, "return function(a) return a end", (const uint32_t[]){CNS_VM_F64}, 1, NULL);
    dump d = dump_of("return function(a) for i = a, 3 do a = i end return a end");
    uint32_t patched = 0;
    for (size_t at = 0; at + 4 <= d.size && patched == 0; at++) {
        uint32_t code;
        memcpy(&code, d.bytes + at, 4);
        if (cns_lua_op_of(code) == LOP_FORPREP && cns_lua_a(code) == 1 && cns_lua_bx(code) == 1) {
            patched = (1u + 16777215u) << 7 | LOP_JMP;
            memcpy(d.bytes + at, &patched, 4);
        }
    }
    ck_assert_uint_ne(patched, 0);
    cns_lua_function *function = NULL;
    support_status(s.context, CNS_OK, read_dump(s.context, d, &function));
    free(d.bytes);
    const uint32_t types[] = {CNS_VM_F64};
    cns_kernel *none = NULL;
    support_status(s.context, CNS_E_UNSUPPORTED, compile(s.vm, function, types, 1, &none));
    char message[200];
    cns_context_message(s.context, message, sizeof message);
    ck_assert_msg(strstr(message, "did not begin") != NULL, "%s", message);
    cns_lua_function_destroy(function);
    tear_down(&s);
}
END_TEST

/* ---- loops in blocks ------------------------------------------------------------------------- */

static const char doubled_source[] = "return function(really, x, y)\n"
                                     "  for i = 1, #x do\n"
                                     "    local v = x[i]\n"
                                     "    if really then\n"
                                     "      while v < 5000.0 do v = v * 2.0 + i end\n"
                                     "    end\n"
                                     "    y[i] = v\n"
                                     "  end\n"
                                     "end";

static void run_doubled(cns_kernel *kernel, int64_t really, double *y) {
    double x[COUNT];
    for (int i = 0; i < COUNT; i++) {
        x[i] = 0.1 * i;
    }
    cns_vm_value arguments[3] = {
        {.integer = really}, {.data = x, .count = COUNT}, {.data = y, .count = COUNT}};
    cns_vm_value results[1];
    cns_run run = {.arguments = arguments, .results = results, .result_capacity = 1};
    ck_assert_uint_eq(cns_kernel_run(kernel, &run), CNS_TRAP_NONE);
}

START_TEST(any_boolean_but_0_is_true) {
    static const uint32_t types[] = {CNS_VM_BOOL, CNS_VM_BUFFER + CNS_F64, CNS_VM_BUFFER + CNS_F64};
    static const int64_t truths[] = {2, -1, 3, INT64_MIN, 256};
    stage s;
    set_up(&s, doubled_source, types, 3, NULL);
    double one[COUNT], other[COUNT];
    run_doubled(s.kernel, 1, one);
    for (size_t i = 0; i < sizeof truths / sizeof *truths; i++) {
        run_doubled(s.kernel, truths[i], other);
        ck_assert_mem_eq(other, one, sizeof one);
    }
    tear_down(&s);
}
END_TEST

/* ---- memory and threads ---------------------------------------------------------------------- */

static dump failing_dump;
static void (*failing_run)(cns_kernel *kernel); /* NULL: not run */

/* All that a plan may have: loops in loops with exits, masks, reductions, checks, copies. */
static const char blocks_source[] =
    "return function(a, x, y)\n"
    "  local s, r, least, c, q = 0, 0.0, 1e9, 0, 0.0\n"
    "  for i = 1, #x - 3 do\n"
    "    local v, k, w = x[i], 0, y[i]\n"
    "    c, q = c + 3, q + v\n"
    "    while k < 10 do\n"
    "      k = k + 1\n"
    "      if v > 5 then w = v break end\n"
    "      local j = 0\n"
    "      repeat\n"
    "        j = j + 1\n"
    "        v, w = w, v + a\n"
    "        if j * v > w then goto on end\n"
    "      until j > 4\n"
    "      ::on::\n"
    "      if w > 100 then break end\n"
    "    end\n"
    "    s = s + k\n"
    "    if v > 2 then r = r + w y[i] = v elseif v < least then least = v end\n"
    "    y[i + 1] = q * w\n"
    "    x[i] = v\n"
    "    y[i] = x[i + 2] + y[i + 2] // 3\n"
    "  end\n"
    "  return s, r, least, c, q\n"
    "end";

static cns_status whole_life(cns_context *context) {
    cns_lua_function *function = NULL;
    cns_vm *vm = NULL;
    cns_kernel *kernel = NULL;
    char *text = NULL;
    uint64_t size = 0;
    cns_status status = read_dump(context, failing_dump, &function);
    if (status == CNS_OK) {
        status = cns_vm_create(context, NULL, &vm);
    }
    if (status == CNS_OK) {
        status = compile(vm, function, saxpy_types, 3, &kernel);
    }
    if (status == CNS_OK) {
        if (failing_run) {
            failing_run(kernel);
        }
        status = cns_kernel_view_text(kernel, CNS_VIEW_EXPLAIN, &text, &size);
    }
    if (status == CNS_OK) {
        (void)cns_context_resize(context, text, size, 0);
    }
    cns_kernel_destroy(kernel);
    cns_vm_destroy(vm);
    cns_lua_function_destroy(function);
    return status;
}

START_TEST(every_allocation_may_fail) {
    static const char *const sources[] = {saxpy_source, blocks_source};
    for (int i = 0; i < 2; i++) {
        failing_dump = dump_of(sources[i]);
        failing_run = i == 0 ? run_saxpy : NULL;
        support_each_allocation_fails(whole_life);
        free(failing_dump.bytes);
    }
}
END_TEST

static void run_often(void *user) {
    for (int i = 0; i < 20; i++) {
        run_saxpy(user);
    }
}

START_TEST(runs_on_many_threads) {
    stage s;
    set_up(&s, saxpy_source, saxpy_types, 3, NULL);
    cns_os_thread threads[4];
    for (int t = 0; t < 4; t++) {
        ck_assert_int_eq(cns_os_thread_create(&threads[t], run_often, s.kernel, "run", 0), 0);
    }
    for (int t = 0; t < 4; t++) {
        cns_os_thread_join(&threads[t]);
    }
    tear_down(&s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("kernel");
    TCase *all = tcase_create("kernel");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, runs_and_tells_of_itself);
    tcase_add_test(all, shows_its_forms);
    tcase_add_test(all, traps_speak_as_lua_does);
    tcase_add_test(all, arithmetic_traps_are_lua_s);
    tcase_add_test(all, an_endless_loop_is_stopped_by_the_poll);
    tcase_add_test(all, only_loops_poll);
    tcase_add_test(all, misuse_is_refused);
    tcase_add_test(all, a_missing_backend_is_said);
    tcase_add_test(all, refusals_carry_the_message);
    tcase_add_test(all, a_loop_that_did_not_begin_is_refused);
    tcase_add_test(all, any_boolean_but_0_is_true);
    tcase_add_test(all, every_allocation_may_fail);
    tcase_add_test(all, runs_on_many_threads);
    suite_add_tcase(suite, all);
    return support_run(suite);
}
