/* SPDX-License-Identifier: MIT
 *
 * test_lua_binding.c - a script over the whole module with the n-th allocation refused, for every
 * n: Lua's, then the engine's. Whatever fails, the state closes and the context holds nothing.
 */
#define _XOPEN_SOURCE 700 /* mkdtemp, setenv */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module.h"
#include "support.h"

/* No threads here: allocations must come in the same order every time. */
static const char script[] =
    "local cns = require 'cns'\n"
    "local b <close> = cns.buffer('f64', {1, 2, 3})\n"
    "local parts = b:split(3)\n"
    "local view = b:slice(2):borrow('read')\n"
    "assert(#b:table() == 3 and #b:bytes() == 24 and tostring(b) ~= '' and #parts == 3)\n"
    "view:close()\n"
    "local heap = cns.heap {budget = '1 MiB', tag = 'test'}\n"
    "local block = heap:alloc(100)\n"
    "block:write('hello'); block:resize(5000)\n"
    "assert(block:read(1, 5) == 'hello' and heap:stats().live_count == 1)\n"
    "local arena = cns.arena()\n"
    "local mark = arena:mark()\n"
    "local inside = arena:alloc(10)\n"
    "arena:restore(mark)\n"
    "assert(not pcall(inside.read, inside))\n"
    "local pool = cns.pool {{'x', 'f64'}, {'n', 'i32'}}\n"
    "local h = pool:new(1, 2)\n"
    "for handle in pool:handles() do assert(pool:get(handle, 'n') == 2) end\n"
    "local c = cns.columns {{'x', 'f64'}, {'n', 'i32'}}\n"
    "c:append(1, 2)\n"
    "assert(#c:view('x') == 1 and c:fields()[2][1] == 'n')\n"
    "local m = cns.map {key = 'string', value = 'f64'}\n"
    "for i = 1, 20 do m:set('key' .. i, i) end\n"
    "for key, value in m:pairs() do assert(key == ('key%d'):format(value)) end\n"
    "local s <close> = cns.solver.raw {seed = 3}\n"
    "local x, y, p = s:int(0, 9, 'x'), s:int({1, 2, 5, 9}), s:bool('p')\n"
    "s:add('linear_le', {{x, y}}, {{1, 1}, {7}}, 'iff', p, 'sum')\n"
    "s:add('alldifferent', {{x, y}}); s:search({x, y}, 'first_fail', 'min')\n"
    "s:hint(x, 3); s:assume {p}; s:options {strategy = 'free'}\n"
    "assert(s:step() == 'solution' and #s:values() == 3 and s:stats().has_solution)\n"
    "s:restart(); s:add('linear_le', {{x}}, {{-1}, {-8}})\n"
    "assert(s:step() == 'complete' and #s:core() == 1)\n"
    "local hasher = cns.hash.new('blake3'):update('a'):update(b)\n"
    "assert(#hasher:clone():digest() == 64 and #hasher:read(0, 100) == 100)\n"
    "assert(#cns.hash.batch('blake2b', {'a', 'b', b}, {size = 8}) == 3)\n"
    "assert(#cns.hash.blake3('a', {size = 100}) == 200)\n"
    "local text = cns.json.encode({a = {1, 2.5, 'x', cns.json.null}, b = {}}, {indent = 1})\n"
    "assert(cns.json.decode(text).a[2] == 2.5)\n"
    "assert(cns.yaml.decode('a: &x [1, {b: c}]\\nd: *x').d[2].b == 'c')\n"
    "local folder = assert(cns.fs.tempdir('cns-binding'))\n"
    "local done <close> = setmetatable({}, {__close = function() cns.fs.remove_tree(folder) end})\n"
    "assert(cns.fs.write_atomic(folder .. '/f', text))\n"
    "assert(cns.fs.list(folder)[1] == 'f' and cns.fs.stat(folder .. '/f').size == #text)\n"
    "assert(cns.monitor.sample().clock and cns.monitor.limits() and cns.monitor.threads()[1])\n"
    "cns.monitor.counters()\n"
    "pcall(cns.buffer, 'f64', -1)\n"
    "pcall(cns.heap, {nonsense = 1})\n"
    "return cns.memory().held\n";

/* lua_Alloc over malloc that refuses a window of requests: two, since Lua collects and asks again;
 * or all from the first on. Shrinking never fails: Lua relies on that. */
typedef struct lua_failing {
    long calls, first, last;
} lua_failing;

static void *failing_alloc(void *user, void *pointer, size_t old_size, size_t new_size) {
    lua_failing *failing = user;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    if (!pointer || new_size > old_size) {
        failing->calls++;
        if (failing->calls >= failing->first && failing->calls <= failing->last) {
            return NULL;
        }
    }
    return realloc(pointer, new_size);
}

static int run_script(lua_State *L) {
    luaL_openlibs(L);
    lcns_set_host(L, lua_touserdata(L, 1));
    luaL_requiref(L, "cns", luaopen_cns, 0);
    if (luaL_loadstring(L, script) != LUA_OK) {
        lua_error(L);
    }
    lua_call(L, 0, 0);
    return 0;
}

/* Runs the script on a fresh state; fails the test on errors other than memory. */
static int run_once(cns_context *context, lua_Alloc alloc, void *user) {
    lcns_host host = {.context = context};
    lua_State *L = lua_newstate(alloc, user);
    if (!L) {
        return LUA_ERRMEM;
    }
    lua_pushcfunction(L, run_script);
    lua_pushlightuserdata(L, &host);
    int status = lua_pcall(L, 1, 0, 0);
    if (status != LUA_OK) {
        const char *message = lua_tostring(L, -1);
        /* No position can be made when there is no memory for it: any status, the right cause. */
        ck_assert_msg(message && strstr(message, "memory"), "failed with: %s",
                      message ? message : "no message");
    }
    lua_close(L);
    return status;
}

static void check_lua_allocations(long window) {
    cns_context *context = support_context();
    int status = LUA_ERRMEM;
    long n = 0;
    for (bool refused = true; refused;) {
        n++;
        lua_failing failing = {.first = n, .last = window ? n + window - 1 : LONG_MAX};
        status = run_once(context, failing_alloc, &failing);
        refused = failing.calls >= n;
        cns_memory_stats stats;
        cns_context_memory(context, &stats);
        ck_assert_msg(stats.held == 0, "allocation %ld leaves %llu bytes", n,
                      (unsigned long long)stats.held);
    }
    ck_assert_int_eq(status, LUA_OK);
    ck_assert_int_gt(n, 500);
    support_context_destroy(context);
}

START_TEST(lua_allocations_fail_once) {
    check_lua_allocations(2);
}
END_TEST

START_TEST(lua_allocations_fail_from_then_on) {
    check_lua_allocations(0);
}
END_TEST

static void *plain_alloc(void *user, void *pointer, size_t old_size, size_t new_size) {
    (void)user;
    (void)old_size;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    return realloc(pointer, new_size);
}

static cns_status run_with_context(cns_context *context) {
    return run_once(context, plain_alloc, NULL) == LUA_OK ? CNS_OK : CNS_E_NOMEM;
}

START_TEST(engine_allocations_fail) {
    support_each_allocation_fails(run_with_context);
}
END_TEST

START_TEST(two_states_share_a_host_and_nothing_else) {
    cns_context *context = support_context();
    lcns_host host = {.context = context};
    lua_State *states[2];
    for (int i = 0; i < 2; i++) {
        states[i] = luaL_newstate();
        ck_assert_ptr_nonnull(states[i]);
        luaL_openlibs(states[i]);
        lcns_set_host(states[i], &host);
        luaL_requiref(states[i], "cns", luaopen_cns, 1);
    }
    ck_assert_ptr_ne(lcns_shared_of(states[0]), lcns_shared_of(states[1]));
    ck_assert_ptr_eq(lcns_context(states[0]), lcns_context(states[1]));
    ck_assert_int_eq(luaL_dostring(states[0], "kept = cns.buffer('u8', 1000)"), LUA_OK);
    lua_close(states[1]);
    ck_assert_int_eq(luaL_dostring(states[0], "kept[1000] = 255"), LUA_OK);
    lua_close(states[0]);
    support_context_destroy(context);
}
END_TEST

START_TEST(an_adopted_engine_outlives_the_state_that_made_it) {
    lua_State *main_state = luaL_newstate();
    lua_State *other = luaL_newstate();
    luaL_openlibs(main_state);
    luaL_openlibs(other);
    luaL_requiref(main_state, "cns", luaopen_cns, 1);
    lcns_adopt(other, lcns_shared_of(main_state));
    luaL_requiref(other, "cns", luaopen_cns, 1);
    ck_assert_int_eq(luaL_dostring(other, "kept = cns.buffer('u8', 1000)"), LUA_OK);
    lua_close(main_state);
    ck_assert_int_eq(luaL_dostring(other, "kept[1000] = 255; assert(kept[1000] == 255)"), LUA_OK);
    lua_close(other);
}
END_TEST

static cns_status interrupted(void *user) {
    int *countdown = user;
    return (*countdown)-- > 0 ? CNS_OK : CNS_E_CANCELLED;
}

START_TEST(a_host_interrupts_long_calls) {
    static const char *const calls[] = {
        "cns.sleep(1000)",
        "local list = {} for i = 1, 200000 do list[i] = i end cns.buffer('f64', list)",
        "cns.buffer('f64', 200000):table()",
        "local t = {} for i = 1, 100000 do t[i] = {} end cns.json.encode(t)",
        "cns.json.decode('[' .. ('1,'):rep(100000) .. '1]')",
        "cns.yaml.decode('[' .. ('1,'):rep(100000) .. '1]')",
        /* pigeons; a third variable keeps the pairs from being seen as one alldifferent */
        "local s, x = cns.solver.raw(), {} local z = s:int(0, 1)"
        " s:add('linear_le', {{z}}, {{1}, {0}}) for i = 1, 15 do x[i] = s:int(1, 14)"
        " for j = 1, i - 1 do s:add('linear_ne', {{x[i], x[j], z}}, {{1, -1, 1}, {0}}) end end"
        " s:step()",
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        int countdown = 1;
        lcns_host host = {.user = &countdown, .poll = interrupted};
        lua_State *L = luaL_newstate();
        luaL_openlibs(L);
        lcns_set_host(L, &host);
        luaL_requiref(L, "cns", luaopen_cns, 1);
        ck_assert_int_ne(luaL_dostring(L, calls[i]), LUA_OK);
        ck_assert_msg(strstr(lua_tostring(L, -1), "interrupted"), "%s: %s", calls[i],
                      lua_tostring(L, -1));
        lua_close(L);
    }
}
END_TEST

int main(void) {
    /* The script may fail between making its folder and being able to remove it. */
    char folder[] = "/tmp/cns-test-binding-XXXXXX";
    char clean_up[64];
    if (!mkdtemp(folder) || setenv("TMPDIR", folder, 1) != 0) {
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("lua_binding");
    TCase *tests = tcase_create("lua_binding");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, lua_allocations_fail_once);
    tcase_add_test(tests, lua_allocations_fail_from_then_on);
    tcase_add_test(tests, engine_allocations_fail);
    tcase_add_test(tests, two_states_share_a_host_and_nothing_else);
    tcase_add_test(tests, an_adopted_engine_outlives_the_state_that_made_it);
    tcase_add_test(tests, a_host_interrupts_long_calls);
    suite_add_tcase(suite, tests);
    int code = support_run(suite);
    snprintf(clean_up, sizeof clean_up, "rm -r '%s'", folder);
    return system(clean_up) == 0 ? code : EXIT_FAILURE;
}
