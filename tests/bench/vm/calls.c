/* SPDX-License-Identifier: MIT
 *
 * calls.c - what a C programmer would write in place of a kernel: functions of Lua's C API, for the
 * cost of a call in bench_vm.lua. Arguments are checked as lauxlib.h offers it.
 */
#include <lauxlib.h>
#include <lua.h>

#define ARRAY "calls.array"

typedef struct array {
    lua_Integer count;
    double data[];
} array;

/* sum(a, b, c) -> a + b + c */
static int sum(lua_State *L) {
    lua_pushnumber(L, luaL_checknumber(L, 1) + luaL_checknumber(L, 2) + luaL_checknumber(L, 3));
    return 1;
}

static array *check_array(lua_State *L, int index) {
    array *a = luaL_testudata(L, index, ARRAY);
    if (!a) {
        luaL_typeerror(L, index, ARRAY);
    }
    return a;
}

/* saxpy(a, x, y): y = a * x + y */
static int saxpy(lua_State *L) {
    const double a = luaL_checknumber(L, 1);
    const array *x = check_array(L, 2);
    array *y = check_array(L, 3);
    luaL_argcheck(L, y->count >= x->count, 3, "shorter than x");
    for (lua_Integer i = 0; i < x->count; i++) {
        y->data[i] = a * x->data[i] + y->data[i];
    }
    return 0;
}

/* array(n, value) -> n elements */
static int new_array(lua_State *L) {
    const lua_Integer count = luaL_checkinteger(L, 1);
    const double value = luaL_checknumber(L, 2);
    luaL_argcheck(L, count >= 0 && count < 1 << 20, 1, "out of range");
    array *a = lua_newuserdatauv(L, sizeof *a + (size_t)count * sizeof *a->data, 0);
    a->count = count;
    for (lua_Integer i = 0; i < count; i++) {
        a->data[i] = value;
    }
    luaL_setmetatable(L, ARRAY);
    return 1;
}

/* get(array, i) -> element i */
static int get(lua_State *L) {
    const array *a = check_array(L, 1);
    const lua_Integer i = luaL_checkinteger(L, 2);
    luaL_argcheck(L, i >= 1 && i <= a->count, 2, "out of range");
    lua_pushnumber(L, a->data[i - 1]);
    return 1;
}

int luaopen_calls(lua_State *L);

int luaopen_calls(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"sum", sum}, {"saxpy", saxpy}, {"array", new_array}, {"get", get}, {NULL, NULL}};
    luaL_newmetatable(L, ARRAY);
    luaL_newlib(L, functions);
    return 1;
}
