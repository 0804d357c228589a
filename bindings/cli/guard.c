/* SPDX-License-Identifier: MIT
 *
 * guard.c - Lua's standard library with the edges taken off that could crash the process or slip
 * the limits: binary chunks (Lua does not verify them), what `debug` can do to C functions and
 * userdata, os.execute and os.exit. Everything else is Lua's own.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "coroutines.h"
#include "lauxlib.h"
#include "lualib.h"
#include "module.h"
#include "script.h"

extern char **environ;

/* ---- text chunks only ------------------------------------------------------------------------ */

/* load(chunk, name, mode, env) and loadfile(name, mode, env), closed over the original: the mode
 * becomes "t". */
static int load_text(lua_State *L, int mode_index) {
    int top = lua_gettop(L);
    const char *mode = luaL_optstring(L, mode_index, "t");
    if (!strchr(mode, 't')) {
        lua_pushnil(L);
        lua_pushliteral(L, "attempt to load a binary chunk (cnsengine accepts text only)");
        return 2;
    }
    if (top < mode_index) {
        lua_settop(L, mode_index);
    }
    lua_pushliteral(L, "t");
    lua_replace(L, mode_index);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int guarded_load(lua_State *L) {
    return load_text(L, 3);
}

static int guarded_loadfile(lua_State *L) {
    return load_text(L, 2);
}

int script_load_file(lua_State *L, const char *path) {
    return luaL_loadfilex(L, strcmp(path, "-") == 0 ? NULL : path, "t");
}

static int dofile_done(lua_State *L, int status, lua_KContext context) {
    (void)status;
    (void)context;
    return lua_gettop(L) - 1;
}

static int guarded_dofile(lua_State *L) {
    const char *path = luaL_optstring(L, 1, NULL);
    lua_settop(L, 1);
    if (luaL_loadfilex(L, path, "t") != LUA_OK) {
        return lua_error(L);
    }
    lua_callk(L, 0, LUA_MULTRET, 0, dofile_done);
    return dofile_done(L, LUA_OK, 0);
}

/* The second searcher of `require`, closed over `package`. */
static int search_text(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    lua_getfield(L, lua_upvalueindex(1), "searchpath");
    lua_pushvalue(L, 1);
    if (lua_getfield(L, lua_upvalueindex(1), "path") != LUA_TSTRING) {
        return luaL_error(L, "'package.path' must be a string");
    }
    lua_call(L, 2, 2);
    if (lua_isnil(L, -2)) {
        return 1; /* the list of files tried */
    }
    lua_pop(L, 1);
    const char *path = lua_tostring(L, -1);
    if (luaL_loadfilex(L, path, "t") != LUA_OK) {
        return luaL_error(L, "error loading module '%s' from file '%s':\n\t%s", name, path,
                          lua_tostring(L, -1));
    }
    lua_pushvalue(L, -2);
    return 2;
}

static void guard_function(lua_State *L, const char *name, lua_CFunction guard) {
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, guard, 1);
    lua_setfield(L, -2, name);
}

static void guard_loaders(lua_State *L) {
    lua_pushglobaltable(L);
    guard_function(L, "load", guarded_load);
    guard_function(L, "loadfile", guarded_loadfile);
    guard_function(L, "dofile", guarded_dofile);
    lua_getfield(L, -1, LUA_LOADLIBNAME);
    lua_getfield(L, -1, "searchers");
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, search_text, 1);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 3);
}

/* ---- debug ----------------------------------------------------------------------------------- */

/* Calls the original, upvalue 1, with all arguments. */
static int call_original(lua_State *L) {
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* setmetatable, setuservalue: C code trusts a userdata's metatable and what it keeps alive. */
static int refuse_userdata(lua_State *L) {
    luaL_argcheck(L, lua_type(L, 1) != LUA_TUSERDATA, 1, "userdata are protected in cnsengine");
    return call_original(L);
}

/* getupvalue, setupvalue: C code trusts its upvalues. */
static int refuse_c_function(lua_State *L) {
    luaL_argcheck(L, !lua_iscfunction(L, 1), 1, "C functions are protected in cnsengine");
    return call_original(L);
}

/* getlocal, setlocal([thread,] level, ...): C code trusts its stack. One level is added for this
 * function itself, which the original sees on the stack. */
static int refuse_c_level(lua_State *L) {
    int base = lua_isthread(L, 1) ? 1 : 0;
    lua_State *target = base ? lua_tothread(L, 1) : L;
    if (lua_isnumber(L, base + 1)) {
        lua_Integer level = lua_tointeger(L, base + 1);
        lua_Debug activation;
        if (level >= 0 && level < 1000000 && lua_getstack(target, (int)level, &activation) &&
            lua_getinfo(target, "S", &activation) && activation.what[0] == 'C') {
            return luaL_argerror(L, base + 1, "C functions are protected in cnsengine");
        }
        if (target == L && level >= 0 && level < 1000000) {
            lua_pushinteger(L, level + 1);
            lua_replace(L, base + 1);
        }
    }
    return call_original(L);
}

static void guard_debug(lua_State *L) {
    lua_getglobal(L, LUA_DBLIBNAME);
    guard_function(L, "setmetatable", refuse_userdata);
    guard_function(L, "setuservalue", refuse_userdata);
    guard_function(L, "getupvalue", refuse_c_function);
    guard_function(L, "setupvalue", refuse_c_function);
    guard_function(L, "getlocal", refuse_c_level);
    guard_function(L, "setlocal", refuse_c_level);
    lua_pushnil(L);
    lua_setfield(L, -2, "getregistry");
    lua_pop(L, 1);
}

/* ---- os -------------------------------------------------------------------------------------- */

static void nap(long milliseconds) {
    struct timespec pause = {.tv_nsec = milliseconds * 1000000};
    nanosleep(&pause, NULL);
}

/* Asks the child to end, then makes it. */
static void end_child(pid_t child) {
    int status;
    kill(child, SIGTERM);
    for (int i = 0; i < 20; i++) {
        if (waitpid(child, &status, WNOHANG) != 0) {
            return;
        }
        nap(10);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
}

/* Like C's system(), but does not ignore Ctrl-C while it waits, and ends with the script. */
static int guarded_execute(lua_State *L) {
    const char *command = luaL_optstring(L, 1, NULL);
    if (!command) {
        lua_pushboolean(L, access("/bin/sh", X_OK) == 0);
        return 1;
    }
    char *arguments[] = {"sh", "-c", (char *)command, NULL};
    pid_t child;
    errno = posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ);
    if (errno) {
        return luaL_fileresult(L, 0, NULL);
    }
    int status;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return luaL_fileresult(L, 0, NULL);
        }
        if (watchdog_reason() != STOP_NONE) {
            end_child(child);
            watchdog_check(L);
        }
    }
    return luaL_execresult(L, status);
}

static int guarded_exit(lua_State *L) {
    int code = lua_isboolean(L, 1) ? (lua_toboolean(L, 1) ? CLI_SUCCESS : CLI_FAILURE)
                                   : (int)luaL_optinteger(L, 1, CLI_SUCCESS);
    watchdog_settle();
    if (lua_toboolean(L, 2) && lua_toboolean(L, lua_upvalueindex(1))) {
        watchdog_last_resort(WATCHDOG_GRACE_MS / 1000 + 2, code);
        lcns_close_state(L);
    }
    code = cli_finish_output(code);
    fflush(NULL);
    _exit(code);
}

/* ---- warnings and paths ------------------------------------------------------------------------
 */

/* Warnings of Lua itself (an error in __gc) are shown unless the script says warn("@off"). */
static void show_warning(void *user, const char *text, int to_continue) {
    /* Bit 0: off; bit 1: in the middle of a message. Kept in the pointer's own storage. */
    unsigned *state = user;
    if (!(*state & 2) && !to_continue && text[0] == '@') {
        *state = strcmp(text, "@off") == 0 ? 1 : strcmp(text, "@on") == 0 ? 0 : *state;
        return;
    }
    if (!(*state & 1)) {
        fprintf(stderr, "%s%s%s", *state & 2 ? "" : "cnsengine: warning: ", text,
                to_continue ? "" : "\n");
    }
    *state = (*state & 1) | (to_continue ? 2 : 0);
}

/* package.path: the stdlib, the script's folder, Lua's own. */
static void set_path(lua_State *L, const char *script_path) {
    char stdlib[4096];
    const char *slash = script_path ? strrchr(script_path, '/') : NULL;
    luaL_Buffer path;
    lua_getglobal(L, LUA_LOADLIBNAME);
    lua_getfield(L, -1, "path");
    luaL_buffinit(L, &path);
    if (cli_find_stdlib(stdlib, sizeof stdlib)) {
        luaL_addstring(&path, stdlib);
        luaL_addstring(&path, "/?.lua;");
    }
    if (slash) {
        luaL_addlstring(&path, script_path, (size_t)(slash - script_path));
        luaL_addstring(&path, "/?.lua;");
        luaL_addlstring(&path, script_path, (size_t)(slash - script_path));
        luaL_addstring(&path, "/?/init.lua;");
    }
    luaL_pushresult(&path);
    lua_insert(L, -2);
    lua_concat(L, 2);
    lua_setfield(L, -2, "path");
    lua_pop(L, 1);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void guard_warnings(lua_State *L) {
    unsigned *state = lua_newuserdatauv(L, sizeof *state, 0);
    *state = 0;
    luaL_ref(L, LUA_REGISTRYINDEX); /* for as long as the Lua state lives */
    lua_setwarnf(L, show_warning, state);
}

static void guard_os(lua_State *L, bool main) {
    lua_getglobal(L, LUA_OSLIBNAME);
    lua_pushcfunction(L, guarded_execute);
    lua_setfield(L, -2, "execute");
    lua_pushboolean(L, main);
    lua_pushcclosure(L, guarded_exit, 1);
    lua_setfield(L, -2, "exit");
    lua_pop(L, 1);
}

void script_guard_install(lua_State *L, const char *script_path, bool main) {
    luaL_checkstack(L, 8, "guards");
    guard_warnings(L);
    guard_loaders(L);
    guard_debug(L);
    guard_os(L, main);
    coroutines_install(L);
    set_path(L, script_path);
}
