/* SPDX-License-Identifier: MIT
 *
 * coroutines.c - Lua's coroutine.resume, wrap and close, with the running state made known.
 *
 * A hook belongs to one coroutine, and the handler that arms it must know which one runs; Lua does
 * not tell. So these three, through which every switch of a script goes, keep the account. What
 * they do otherwise is what the reference manual (Lua 5.4, section 6.2) says.
 */
#include "coroutines.h"

#include "lauxlib.h"
#include "lualib.h"
#include "watchdog.h"

static lua_State *check_coroutine(lua_State *L) {
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "coroutine");
    return co;
}

/* Resumes with `count` values from L's top. The number of results on L's top, or -1 with the error
 * there. */
static int resume(lua_State *L, lua_State *co, int count) {
    if (!lua_checkstack(co, count)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, co, count);
    lua_State *before = watchdog_switch(co);
    watchdog_arm(co);
    int results = 0;
    int status = lua_resume(co, L, count, &results);
    watchdog_switch(before);
    watchdog_arm(L); /* a stop that the coroutine swallowed or died of goes on here */
    if (status == LUA_OK || status == LUA_YIELD) {
        if (lua_checkstack(L, results + 1)) {
            lua_xmove(co, L, results);
            return results;
        }
        lua_pop(co, results);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, 1);
    return -1;
}

static int coroutine_resume(lua_State *L) {
    lua_State *co = check_coroutine(L);
    int results = resume(L, co, lua_gettop(L) - 1);
    lua_pushboolean(L, results >= 0);
    if (results < 0) {
        lua_insert(L, -2);
        return 2;
    }
    lua_insert(L, -(results + 1));
    return results + 1;
}

/* Closes pending variables, which may run Lua on `co`. */
static int close_coroutine(lua_State *L, lua_State *co) {
    lua_State *before = watchdog_switch(co);
    watchdog_arm(co);
#if LUA_VERSION_RELEASE_NUM >= 50406
    int status = lua_closethread(co, L);
#else
    int status = lua_resetthread(co);
#endif
    watchdog_switch(before);
    watchdog_arm(L);
    return status;
}

static int wrapped_call(lua_State *L) {
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int results = resume(L, co, lua_gettop(L));
    if (results >= 0) {
        return results;
    }
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) {
        status = close_coroutine(L, co);
        lua_xmove(co, L, 1);
    }
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int coroutine_wrap(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, wrapped_call, 1);
    return 1;
}

static const char *status_name(lua_State *L, lua_State *co) {
    lua_Debug activation;
    if (co == L) {
        return "running";
    }
    switch (lua_status(co)) {
    case LUA_YIELD:
        return "suspended";
    case LUA_OK:
        if (lua_getstack(co, 0, &activation)) {
            return "normal";
        }
        return lua_gettop(co) == 0 ? "dead" : "suspended";
    default:
        return "dead";
    }
}

static int coroutine_close(lua_State *L) {
    lua_State *co = check_coroutine(L);
    const char *name = status_name(L, co);
    if (name[0] != 'd' && name[0] != 's') {
        return luaL_error(L, "cannot close a %s coroutine", name);
    }
    if (close_coroutine(L, co) == LUA_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushboolean(L, 0);
    lua_xmove(co, L, 1);
    return 2;
}

void coroutines_install(lua_State *L) {
    static const luaL_Reg functions[] = {{"resume", coroutine_resume},
                                         {"wrap", coroutine_wrap},
                                         {"close", coroutine_close},
                                         {NULL, NULL}};
    lua_getglobal(L, LUA_COLIBNAME);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
