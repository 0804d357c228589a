/* SPDX-License-Identifier: MIT
 *
 * test_lua_parallel.c - loops over cns.prange from Lua's source to forks: what becomes one means
 * what the loop means, and what is refused is named as in the source.
 */
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir_eval.h"
#include "support.h"
#include "vm/build.h"
#include "vm/module.h"
#include "vm/passes.h"

enum { SIZE = 3000 };

/* Ids of what the functions reach: the table of globals, `math`. */
enum { GLOBALS = 1, MATH = 2 };

static cns_status get_upvalue(void *user, uint32_t function, uint32_t index, cns_import *out) {
    (void)user, (void)function, (void)index;
    *out = (cns_import){.kind = CNS_IMPORT_TABLE, .id = GLOBALS};
    return CNS_OK;
}

static cns_status get_field(void *user, uint32_t table, const char *key, cns_import *out) {
    (void)user;
    *out = (cns_import){.kind = CNS_IMPORT_NIL};
    if (table == GLOBALS && strcmp(key, "math") == 0) {
        *out = (cns_import){.kind = CNS_IMPORT_TABLE, .id = MATH};
    }
    for (int i = 0; i < CNS_INTRINSIC_COUNT; i++) {
        const char *name = strchr(cns_intrinsic_name((cns_intrinsic)i), '.') + 1;
        if (strcmp(name, key) == 0 && (table == MATH) == (i != CNS_PRANGE)) {
            *out = (cns_import){.kind = CNS_IMPORT_INTRINSIC,
                                .intrinsic = (cns_intrinsic)i,
                                .id = 10 + (uint32_t)i};
        }
    }
    return CNS_OK;
}

typedef struct dump {
    char bytes[8192];
    size_t size;
} dump;

static int write_dump(lua_State *L, const void *bytes, size_t size, void *user) {
    (void)L;
    dump *d = user;
    ck_assert_uint_le(d->size + size, sizeof d->bytes);
    memcpy(d->bytes + d->size, bytes, size);
    d->size += size;
    return 0;
}

/* What the builder makes is what the reader of modules takes. */
static cns_ir_function *through_a_module(cns_context *context, cns_ir_function *f) {
    cns_text bytes;
    cns_ir_function *again = NULL;
    size_t used;
    cns_text_init(&bytes, context);
    support_status(context, CNS_OK, cns_ir_write(f, &bytes));
    support_status(context, CNS_OK, cns_ir_read(context, bytes.bytes, bytes.length, &used, &again));
    cns_text_deinit(&bytes);
    cns_ir_destroy(f);
    return again;
}

/* `body` inside function(x, y, n, c), whose first line is line 1. */
static cns_ir_function *build(cns_context *context, const char *body) {
    lua_State *L = luaL_newstate();
    lua_pushfstring(L, "return function(x, y, n, c) %s end", body);
    ck_assert_msg(luaL_loadbuffer(L, lua_tostring(L, -1), strlen(lua_tostring(L, -1)), "@k.lua") ==
                      LUA_OK,
                  "%s", lua_tostring(L, -1));
    lua_call(L, 0, 1);
    dump d = {.size = 0};
    lua_dump(L, write_dump, &d, 0);
    lua_close(L);
    cns_lua_function *function = NULL;
    support_status(context, CNS_OK, cns_lua_function_read(context, d.bytes, d.size, &function));
    static const uint32_t types[] = {CNS_VM_BUFFER + CNS_F64, CNS_VM_BUFFER + CNS_F64, CNS_VM_I64,
                                     CNS_VM_F64};
    cns_import_source imports = {NULL, get_upvalue, get_field};
    cns_build b = {.function = function, .argument_count = 4, .types = types, .imports = &imports};
    cns_ir_function *f = NULL;
    support_status(context, CNS_OK, cns_build_function(context, &b, &f));
    cns_lua_function_destroy(function);
    return through_a_module(context, f);
}

static double x[SIZE], y[2][SIZE];

static void run_it(const cns_ir_function *f, cns_tasks *tasks, int64_t n, double *out,
                   cns_vm_value results[4], cns_run *run) {
    cns_vm_value arguments[] = {
        {.data = x, .count = SIZE}, {.data = out, .count = SIZE}, {.integer = n}, {.real = 0.25}};
    memset(out, 0, SIZE * sizeof *out);
    *run =
        (cns_run){.arguments = arguments, .results = results, .result_capacity = 4, .tasks = tasks};
    support_ir_eval(f, run, UINT64_MAX);
}

static bool is_close(const cns_vm_value *a, const cns_vm_value *b) {
    if (a->type == CNS_VM_F64) {
        return fabs(a->real - b->real) <= 1e-9 * (1 + fabs(a->real));
    }
    return a->integer == b->integer;
}

static void compare(cns_context *context, cns_tasks *pool, const char *body) {
    cns_ir_function *plain = build(context, body), *forked = build(context, body);
    cns_status status = cns_pass_parallel(forked);
    char message[300];
    cns_context_message(context, message, sizeof message);
    ck_assert_msg(status == CNS_OK, "%s: %s", body, message);
    support_status(context, CNS_OK, cns_ir_verify(forked, true));
    ck_assert_msg(forked->body_count >= 1, "%s", body);
    for (int64_t n = 0; n <= SIZE + 1; n = n < 3 ? n + 1 : n < 2000 ? 2000 : n + 500) {
        cns_vm_value expected[4], results[4];
        cns_run a, b;
        run_it(plain, NULL, n, y[0], expected, &a);
        run_it(forked, pool, n, y[1], results, &b);
        ck_assert_msg(a.trap.kind == b.trap.kind && a.trap.integer == b.trap.integer, "%s: trap",
                      body);
        if (a.trap.kind != CNS_TRAP_NONE) {
            ck_assert_uint_eq(forked->sites[b.trap.site].line, plain->sites[a.trap.site].line);
            continue;
        }
        for (int i = 0; i < SIZE; i++) { /* a sum may have gone into it */
            ck_assert_double_le(fabs(y[0][i] - y[1][i]), 1e-9 * (1 + fabs(y[0][i])));
        }
        ck_assert_uint_eq(a.result_count, b.result_count);
        for (uint32_t r = 0; r < a.result_count; r++) {
            ck_assert_uint_eq(expected[r].type, results[r].type);
            ck_assert_msg(is_close(&expected[r], &results[r]), "%s: n %d: %.17g, not %.17g", body,
                          (int)n, results[r].real, expected[r].real);
        }
    }
    cns_ir_destroy(plain);
    cns_ir_destroy(forked);
}

static const char *const loops[] = {
    "for i in prange(n) do y[i] = x[i] * c end",
    "for i in prange(2, n - 1) do local s = x[i - 1] + x[i + 1]; y[i] = s * c end return n",
    "for i in prange(n, 1, -3) do y[i] = x[i] end",
    "local s = 0.0 for i in prange(n) do s = s + x[i] end return s",
    "local s = 0 for i in prange(n) do s = s + x[i] end return s", /* an integer when it is empty */
    "local s, p = 0.0, 1.0 for i in prange(n) do s = s - x[i] * c; p = p * 1.0001 end return s, p",
    "local k = 3 for i in prange(n) do if x[i] < c then k = k + 1 end end return k",
    "local s = 0.0 for i in prange(n) do if x[i] < c then s = s + x[i] elseif i % 3 == 0 then "
    "s = s + 1.5 end end return s",
    "local m = 1e308 for i in prange(n) do m = math.min(m, x[i]) end return m",
    "local m = 0.0 for i in prange(n) do m = math.max(x[i], m) end return m * 2",
    "local a, o, e = -1, 0, 0 for i in prange(n) do a = a & (i | 8); o = o | i; e = e ~ (i * i) "
    "end return a, o, e",
    "for i in prange(n) do local s = 0.0 for j = 1, 5 do s = s + x[j] * i end y[i] = s end",
    "local t = 0.0 for r = 1, 3 do local s = 0.0 for i in prange(n) do s = s + x[i] * r end "
    "t = t * 0.5 + s end return t",
    "local s = 0.0 for i in prange(n) do s = s + x[i] end "
    "for i in prange(n) do y[i] = x[i] - s end return s",
    "local s = 0 for i in prange(n) do for j in prange(3) do s = s + i * j end end return s",
};

START_TEST(loops_mean_the_same_forked) {
    cns_context *context = support_context();
    cns_tasks *pool = NULL;
    cns_tasks_config config = {.size = sizeof config, .workers = 3};
    support_status(context, CNS_OK, cns_tasks_create(context, &config, &pool));
    for (int i = 0; i < SIZE; i++) {
        x[i] = sin(i * 0.7) - 0.1;
    }
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        compare(context, NULL, loops[i]);
        compare(context, pool, loops[i]);
    }
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

static const struct {
    const char *body, *message;
} races[] = {
    {"local last = 0.0\nfor i in prange(n) do last = x[i] end return last",
     "k.lua:2: a variable keeps its value"},
    {"local s = 0.0\nfor i in prange(n) do\n s = s * 0.5 + x[i] end return s",
     "variable 's' is carried"},
    {"local s = 0.0 for i in prange(n) do s = s + x[i]; y[i] = s end return s",
     "variable 's' is carried"},
    {"for i in prange(n) do\n y[1] = x[i] end", "k.lua:2: every iteration of cns.prange stores"},
    {"for i in prange(n) do for j = 1, 4 do y[j] = x[i] end end", "stores to the same element"},
    {"for i in prange(n) do if x[i] > c then break end y[i] = c end", "must run to its end"},
    {"for i in prange(n) do if x[i] > c then return i end end", "must run to its end"},
};

START_TEST(races_are_named) {
    cns_context *context = support_context();
    for (size_t i = 0; i < sizeof races / sizeof *races; i++) {
        cns_ir_function *f = build(context, races[i].body);
        char message[300];
        cns_status status = cns_pass_parallel(f);
        cns_context_message(context, message, sizeof message);
        ck_assert_msg(status == CNS_E_UNSUPPORTED && strstr(message, races[i].message), "%s: %s",
                      races[i].body, message);
        cns_ir_destroy(f);
    }
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lua parallel");
    TCase *all = tcase_create("lua parallel");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, loops_mean_the_same_forked);
    tcase_add_test(all, races_are_named);
    suite_add_tcase(suite, all);
    return support_run(suite);
}
