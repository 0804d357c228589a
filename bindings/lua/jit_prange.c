/* SPDX-License-Identifier: MIT
 *
 * jit_prange.c - cns.prange in plain Lua: an iterator over integers. A kernel knows the function by
 * identity and runs such a loop in parallel; here it is a loop like any other.
 */
#include "module.h"

/* Upvalues: the next value, how many are left (unsigned), the step. */
static int next_value(lua_State *L) {
    lua_Unsigned left = (lua_Unsigned)lua_tointeger(L, lua_upvalueindex(2));
    if (left == 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_Integer value = lua_tointeger(L, lua_upvalueindex(1));
    lua_Integer step = lua_tointeger(L, lua_upvalueindex(3));
    lua_pushinteger(L, (lua_Integer)((lua_Unsigned)value + (lua_Unsigned)step));
    lua_replace(L, lua_upvalueindex(1));
    lua_pushinteger(L, (lua_Integer)(left - 1));
    lua_replace(L, lua_upvalueindex(2));
    lua_pushinteger(L, value);
    return 1;
}

/* How many values the loop has. */
static lua_Unsigned count_values(lua_State *L, lua_Integer first, lua_Integer last,
                                 lua_Integer step) {
    if (step > 0 ? first > last : first < last) {
        return 0;
    }
    lua_Unsigned span = step > 0 ? (lua_Unsigned)last - (lua_Unsigned)first
                                 : (lua_Unsigned)first - (lua_Unsigned)last;
    lua_Unsigned more = span / (step > 0 ? (lua_Unsigned)step : 0 - (lua_Unsigned)step);
    if (more == UINT64_MAX) {
        luaL_error(L, "the range is too large");
    }
    return more + 1;
}

/* cns.prange(n), (first, last), (first, last, step) */
static int prange(lua_State *L) {
    lua_Integer first = 1, step = 1;
    lua_Integer last = lcns_check_range(L, 1, LUA_MININTEGER, LUA_MAXINTEGER);
    if (!lua_isnoneornil(L, 2)) {
        first = last;
        last = lcns_check_range(L, 2, LUA_MININTEGER, LUA_MAXINTEGER);
    }
    if (!lua_isnoneornil(L, 3)) {
        luaL_argcheck(L, !lua_isnil(L, 2), 2, "integer expected, got nil");
        step = lcns_check_range(L, 3, LUA_MININTEGER, LUA_MAXINTEGER);
        luaL_argcheck(L, step != 0, 3, "the step is 0");
    }
    lua_Unsigned count = count_values(L, first, last, step);
    lua_pushinteger(L, first);
    lua_pushinteger(L, (lua_Integer)count);
    lua_pushinteger(L, step);
    lua_pushcclosure(L, next_value, 3);
    return 1;
}

int lcns_open_prange(lua_State *L) {
    lua_pushcfunction(L, prange);
    return 1;
}
