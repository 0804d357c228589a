/* SPDX-License-Identifier: MIT
 *
 * test_lua_tasks.c - Lua tasks when the engine gets no memory: each allocation of a script is
 * refused in turn. The script ends well or in a Lua error, and everything is given back.
 */
#include <stdlib.h>

#include "module.h"
#include "support.h"

static const char script[] =
    "local cns = require 'cns'\n"
    "local pool <close> = cns.tasks.new {workers = 2}\n"
    "local shared = {1, 2, {3}}\n"
    "local b = cns.buffer('i64', 10)\n"
    "local token = cns.tasks.cancel()\n"
    "local f = pool:spawn_with({cancel = token}, function(v, t, p)\n"
    "    v[1] = shared[3][1]\n"
    "    return {v[1]}, t:cancelled(), cns.buffer('u8', 3)\n"
    "end, cns.tasks.write(b), token, pool)\n"
    "local list, cancelled, made = f:await()\n"
    "assert(list[1] == 3 and cancelled == false and #made == 3 and b[1] == 3)\n"
    "local r = pool:map({1, 2, 3}, function(x) return x + 1 end, {grain = 1})\n"
    "assert(r[3] == 4)\n"
    "pool:range(1, 10, function(first, _, m) m:fill(first) end, {grain = 5}, cns.tasks.split(b))\n"
    "local g = pool:graph():add('a', function() return 1 end)\n"
    "    :add('b', function(a) return a + 1 end, {'a'}):run()\n"
    "assert(g.b == 2)\n"
    "pcall(pool.spawn, pool, print, coroutine.create(print))\n"
    "local bad = pool:spawn(error, {code = 1})\n"
    "assert(not pcall(bad.await, bad))\n";

static void run_script(cns_context *context, bool must_succeed) {
    lua_State *L = luaL_newstate();
    ck_assert_ptr_nonnull(L);
    luaL_openlibs(L);
    lcns_host host = {.context = context};
    lcns_set_host(L, &host);
    luaL_requiref(L, "cns", luaopen_cns, 0);
    lua_settop(L, 0);
    int status = luaL_dostring(L, script);
    if (must_succeed && status != LUA_OK) {
        ck_abort_msg("%s", lua_tostring(L, -1));
    }
    ck_assert(status == LUA_OK || lua_type(L, -1) == LUA_TSTRING || lua_type(L, -1) == LUA_TTABLE);
    lua_close(L);
}

START_TEST(each_allocation_refused) {
    for (int keep_failing = 0; keep_failing < 2; keep_failing++) {
        for (int64_t granted = 0;; granted++) {
            support_failing failing = {.keep_failing = keep_failing};
            atomic_init(&failing.countdown, -1);
            cns_context *context = support_failing_context(&failing);
            ck_assert_ptr_nonnull(context);
            atomic_store(&failing.countdown, granted);
            run_script(context, false);
            /* Refused for good leaves 0, once leaves -1. */
            bool refused = atomic_load(&failing.countdown) < keep_failing;
            atomic_store(&failing.countdown, -1);
            support_context_destroy(context);
            ck_assert_int_eq(atomic_load(&failing.live_blocks), 0);
            if (!refused) {
                break;
            }
        }
    }
}
END_TEST

START_TEST(a_limit_of_the_context) {
    for (uint64_t limit = 64 << 10; limit <= 8 << 20; limit *= 2) {
        cns_context_config config = {.size = sizeof config, .memory_limit = limit};
        cns_context *context;
        ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
        run_script(context, limit == 8 << 20);
        cns_memory_stats stats;
        cns_context_memory(context, &stats);
        ck_assert_uint_le(stats.peak, limit);
        ck_assert_uint_eq(stats.held, 0);
        cns_context_destroy(context);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lua tasks");
    TCase *tests = tcase_create("memory");
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, a_limit_of_the_context);
    tcase_add_test(tests, each_allocation_refused);
    suite_add_tcase(suite, tests);
    return support_run(suite);
}
