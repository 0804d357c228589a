/* SPDX-License-Identifier: MIT
 *
 * interpreter.c - `lua_sanitized SCRIPT ARGS`: the least Lua interpreter, built with the sanitizers
 * of the module it loads.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

static int traceback(lua_State *L) {
    luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

static int load_and_run(lua_State *L, int argc, char **argv) {
    luaL_openlibs(L);
    lua_createtable(L, argc, 0);
    for (int i = 1; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - 1);
    }
    lua_setglobal(L, "arg");
    lua_settop(L, 0);
    lua_pushcfunction(L, traceback);
    if (luaL_loadfilex(L, argv[1], "t") != LUA_OK) {
        return 0;
    }
    for (int i = 2; i < argc; i++) {
        lua_pushstring(L, argv[i]);
    }
    return lua_pcall(L, argc - 2, 0, 1) == LUA_OK;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s SCRIPT [ARG]...\n", argv[0]);
        return EXIT_FAILURE;
    }
    lua_State *L = luaL_newstate();
    if (!L) {
        return EXIT_FAILURE;
    }
    int ok = load_and_run(L, argc, argv);
    if (!ok) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    }
    lua_close(L);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
