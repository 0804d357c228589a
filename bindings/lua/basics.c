/* SPDX-License-Identifier: MIT
 *
 * basics.c - the plain functions of `cns`: clock, clock_ns, bytes, memory, cpu, sleep.
 */
#define _POSIX_C_SOURCE 200809L

#include "module.h"

#include <time.h>

uint64_t lcns_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static int basics_clock(lua_State *L) {
    lua_pushnumber(L, (lua_Number)lcns_now_ns() * 1e-9);
    return 1;
}

static int basics_clock_ns(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)lcns_now_ns());
    return 1;
}

static int basics_bytes(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)lcns_check_bytes(L, 1));
    return 1;
}

static int basics_memory(lua_State *L) {
    cns_memory_stats stats;
    cns_context_memory(lcns_context(L), &stats);
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, (lua_Integer)stats.held);
    lua_setfield(L, -2, "held");
    lua_pushinteger(L, (lua_Integer)stats.peak);
    lua_setfield(L, -2, "peak");
    if (stats.limit != 0) {
        lua_pushinteger(L, (lua_Integer)stats.limit);
        lua_setfield(L, -2, "limit");
    }
    return 1;
}

static int basics_cpu(lua_State *L) {
    lua_pushstring(L, cns_cpu_level_name(cns_context_cpu_level(lcns_context(L))));
    lua_pushstring(L, cns_cpu_level_name(cns_cpu_detect()));
    return 2;
}

/* In slices, so that an interrupt is noticed soon. */
static int basics_sleep(lua_State *L) {
    const uint64_t slice = 10000000;
    uint64_t end = lcns_now_ns();
    end += lcns_check_duration(L, 1);
    for (;;) {
        lcns_poll(L);
        uint64_t now = lcns_now_ns();
        if (now >= end) {
            return 0;
        }
        uint64_t pause = end - now < slice ? end - now : slice;
        struct timespec t = {.tv_sec = 0, .tv_nsec = (long)pause};
        nanosleep(&t, NULL);
    }
}

const luaL_Reg lcns_basics[] = {
    {"clock", basics_clock},
    {"clock_ns", basics_clock_ns},
    {"bytes", basics_bytes},
    {"memory", basics_memory},
    {"cpu", basics_cpu},
    {"sleep", basics_sleep},
    {NULL, NULL},
};
