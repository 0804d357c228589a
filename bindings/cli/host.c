/* SPDX-License-Identifier: MIT
 *
 * host.c - the table `cns.host`: what a script is told by the command line, and what it tells back.
 *
 * The contract is bindings/lua/meta/host.lua. Worker states get a table of their own with the same
 * values; only the main script may publish results and give the verdict.
 */
#define _GNU_SOURCE

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "lauxlib.h"
#include "lualib.h"
#include "script.h"

enum { STATUS_TERMINAL_MS = 50, STATUS_LOG_MS = 5000, LONGEST_STATUS = 240 };

static const struct {
    const char *name;
    int code;
} verdicts[] = {
    {"success", CLI_SUCCESS},
    {"script error", CLI_SCRIPT_ERROR},
    {"usage", CLI_USAGE},
    {"check failed", CLI_CHECK_FAILED},
    {"threshold missed", CLI_THRESHOLD_MISSED},
    {"inconclusive", CLI_INCONCLUSIVE},
    {"limit", CLI_LIMIT},
    {"interrupted", CLI_INTERRUPTED},
};

enum { VERDICTS = sizeof verdicts / sizeof *verdicts };

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void script_host_init(script_host *host, script_options *options) {
    *host = (script_host){.options = options, .begin_ns = now_ns()};
    pthread_mutex_init(&host->lock, NULL);
}

void script_host_deinit(script_host *host) {
    free(host->published);
    pthread_mutex_destroy(&host->lock);
}

static script_host *self(lua_State *L) {
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* ---- results --------------------------------------------------------------------------------- */

static int host_publish(lua_State *L) {
    size_t size;
    const char *json = luaL_checklstring(L, 1, &size);
    char *copy = malloc(size + 1);
    if (!copy) {
        return luaL_error(L, "not enough memory to publish %d bytes", (int)size);
    }
    memcpy(copy, json, size + 1);
    script_host *host = self(L);
    pthread_mutex_lock(&host->lock);
    char *old = host->published;
    host->published = copy;
    host->published_size = size;
    pthread_mutex_unlock(&host->lock);
    free(old);
    return 0;
}

static int host_verdict(lua_State *L) {
    static const char *const names[] = {"success", "check failed", "threshold missed",
                                        "inconclusive", NULL};
    static const int codes[] = {CLI_SUCCESS, CLI_CHECK_FAILED, CLI_THRESHOLD_MISSED,
                                CLI_INCONCLUSIVE};
    self(L)->verdict = codes[luaL_checkoption(L, 1, NULL, names)];
    self(L)->verdict_given = true;
    return 0;
}

static int main_only(lua_State *L) {
    return luaL_error(L, "host.%s may be called by the main script only, not in a task",
                      lua_tostring(L, lua_upvalueindex(1)));
}

static int host_elapsed(lua_State *L) {
    lua_pushnumber(L, (double)(now_ns() - self(L)->begin_ns) / 1e9);
    return 1;
}

/* ---- progress -------------------------------------------------------------------------------- */

static void clear_status_locked(script_host *host) {
    if (host->status_shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        host->status_shown = false;
    }
}

void script_host_clear_status(script_host *host) {
    pthread_mutex_lock(&host->lock);
    clear_status_locked(host);
    pthread_mutex_unlock(&host->lock);
}

/* One line, no control characters, at most `columns` wide. */
static void clean_status(char *out, const char *text, size_t size, size_t columns) {
    size_t width = 0, length = 0;
    for (size_t i = 0; i < size && length + 1 < LONGEST_STATUS; i++) {
        unsigned char c = (unsigned char)text[i];
        width += (c & 0xC0) != 0x80; /* UTF-8's further bytes take no column */
        if (width > columns) {
            break;
        }
        out[length++] = (char)(c < 32 || c == 127 ? ' ' : c);
    }
    out[length] = 0;
}

static int host_status(lua_State *L) {
    script_host *host = self(L);
    size_t size = 0;
    const char *text = luaL_optlstring(L, 1, NULL, &size);
    if (host->options->quiet) {
        return 0;
    }
    bool terminal = cli_is_terminal(2);
    char line[LONGEST_STATUS];
    clean_status(line, text ? text : "", size, terminal ? (size_t)cli_columns() - 1 : 200);
    pthread_mutex_lock(&host->lock);
    uint64_t now = now_ns();
    uint64_t pause = (terminal ? STATUS_TERMINAL_MS : STATUS_LOG_MS) * 1000000ull;
    if (!text) {
        clear_status_locked(host);
    } else if (!host->status_ns || now - host->status_ns >= pause) {
        host->status_ns = now;
        host->status_shown = terminal;
        fprintf(stderr, terminal ? "\r\033[K%s" : "%s\n", line);
        fflush(stderr);
    }
    pthread_mutex_unlock(&host->lock);
    return 0;
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* A --set value: a number, a boolean, else text. */
static void push_value(lua_State *L, const char *text) {
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        lua_pushboolean(L, text[0] == 't');
    } else if (lua_stringtonumber(L, text) == 0) {
        lua_pushstring(L, text);
    }
}

/* Below the table on top, the one named by the first `length` bytes of `name`, made if absent. */
static void enter_table(lua_State *L, const script_set *set, size_t length) {
    lua_pushlstring(L, set->name, length);
    int type = lua_getfield(L, -2, lua_tostring(L, -1));
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -5);
    } else if (type != LUA_TTABLE) {
        luaL_error(L, "--set %s=%s: %s is not a table but a %s", set->name, set->text,
                   lua_tostring(L, -2), luaL_typename(L, -1));
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
}

static void apply_set(lua_State *L, const script_set *set) {
    lua_pushvalue(L, -1);
    script_set rest = {.name = set->name, .text = set->text};
    for (const char *dot; (dot = strchr(rest.name, '.')) != NULL; rest.name = dot + 1) {
        enter_table(L, &rest, (size_t)(dot - rest.name));
    }
    push_value(L, set->text);
    lua_setfield(L, -2, rest.name);
    lua_pop(L, 1);
}

/* Pushes the table: --config's map with every --set over it. */
static void push_params(lua_State *L, const script_options *options) {
    if (options->config_text) {
        luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
        lua_getfield(L, -1, "cns");
        if (lua_getfield(L, -1, "yaml") != LUA_TTABLE ||
            lua_getfield(L, -1, "decode") != LUA_TFUNCTION) {
            luaL_error(L, "--config needs cns.yaml, which this build lacks");
        }
        lua_pushlstring(L, options->config_text, options->config_size);
        if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
            luaL_error(L, "--config %s: %s", options->config, luaL_tolstring(L, -1, NULL));
        }
        lua_replace(L, -4);
        lua_pop(L, 2);
        if (lua_isnil(L, -1)) { /* an empty file */
            lua_pop(L, 1);
            lua_newtable(L);
        }
        if (!lua_istable(L, -1) || lua_rawlen(L, -1) > 0) {
            luaL_error(L, "--config %s: want a map of parameters, got a %s", options->config,
                       lua_istable(L, -1) ? "list" : luaL_typename(L, -1));
        }
    } else {
        lua_newtable(L);
    }
    for (size_t i = 0; i < options->set_count; i++) {
        apply_set(L, &options->sets[i]);
    }
}

/* The text of the last --set of that name, which counts as used now; NULL without one. */
static const char *find_set(script_options *options, const char *name) {
    const char *text = NULL;
    size_t length = strlen(name);
    for (size_t i = 0; i < options->set_count; i++) {
        script_set *set = &options->sets[i];
        if (strcmp(set->name, name) == 0) {
            text = set->text;
            atomic_store(&set->used, true);
        } else if (strncmp(set->name, name, length) == 0 && set->name[length] == '.') {
            atomic_store(&set->used, true); /* a part of the table asked for */
        }
    }
    return text;
}

/* Pushes params[name], or params.a.b for "a.b"; nil when absent. */
static void push_param(lua_State *L, const char *name) {
    lua_pushvalue(L, lua_upvalueindex(2));
    if (lua_getfield(L, -1, name) != LUA_TNIL) {
        lua_replace(L, -2);
        return;
    }
    lua_pop(L, 1);
    for (const char *part = name; part;) {
        const char *dot = strchr(part, '.');
        if (!lua_istable(L, -1)) {
            lua_pop(L, 1);
            lua_pushnil(L);
            return;
        }
        lua_pushlstring(L, part, dot ? (size_t)(dot - part) : strlen(part));
        lua_rawget(L, -2);
        lua_replace(L, -2);
        part = dot ? dot + 1 : NULL;
    }
}

static int wrong_param(lua_State *L, const char *name, const char *wanted) {
    return luaL_error(L, "parameter %s: %s expected, got %s", name, wanted,
                      luaL_tolstring(L, -1, NULL));
}

/* Text that means a boolean; the value at the top otherwise stays. */
static bool to_boolean(lua_State *L) {
    static const char *const words[] = {"false", "true", "no", "yes", "off",
                                        "on",    "0",    "1",  "n",   "y"};
    if (lua_isboolean(L, -1)) {
        return true;
    }
    const char *text = lua_isstring(L, -1) ? lua_tostring(L, -1) : "";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            lua_pop(L, 1);
            lua_pushboolean(L, i % 2);
            return true;
        }
    }
    return false;
}

static int host_param(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 2);
    const char *text = find_set(self(L)->options, name);
    push_param(L, name);
    if (lua_isnil(L, 3)) {
        lua_settop(L, 2);
        return 1;
    }
    switch (lua_type(L, 2)) {
    case LUA_TNUMBER:
        if (lua_isinteger(L, 2)) {
            int exact;
            lua_Integer value = lua_tointegerx(L, 3, &exact);
            if (!exact) {
                return wrong_param(L, name, "an integer");
            }
            lua_pushinteger(L, value);
            return 1;
        }
        if (!lua_isnumber(L, 3)) {
            return wrong_param(L, name, "a number");
        }
        lua_pushnumber(L, lua_tonumber(L, 3));
        return 1;
    case LUA_TBOOLEAN:
        return to_boolean(L) ? 1 : wrong_param(L, name, "true or false");
    case LUA_TSTRING:
        if (text) {
            lua_pushstring(L, text); /* as it was typed: "007" stays so */
        } else if (lua_istable(L, 3)) {
            return wrong_param(L, name, "text");
        } else {
            luaL_tolstring(L, 3, NULL);
        }
        return 1;
    case LUA_TTABLE:
        return lua_istable(L, 3) ? 1 : wrong_param(L, name, "a table (from --config)");
    default:
        return 1;
    }
}

void script_host_warn_unused(const script_host *host) {
    if (atomic_load(&host->params_read)) {
        return;
    }
    for (size_t i = 0; i < host->options->set_count; i++) {
        if (!atomic_load(&host->options->sets[i].used)) {
            cli_warning("the script never asked for --set %s", host->options->sets[i].name);
        }
    }
}

/* `host.params` is handed out through __index, to know that the script took it. */
static int host_index(lua_State *L) {
    if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "params") == 0) {
        atomic_store(&self(L)->params_read, true);
        lua_pushvalue(L, lua_upvalueindex(2));
        return 1;
    }
    return 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

static void set_text(lua_State *L, const char *name, const char *text) {
    if (text) {
        lua_pushstring(L, text);
        lua_setfield(L, -2, name);
    }
}

static void set_boolean(lua_State *L, const char *name, bool value) {
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

static void set_integer(lua_State *L, const char *name, lua_Integer value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

static void set_fields(lua_State *L, const script_options *options) {
    set_integer(L, "seed", options->seed);
    if (options->threads) {
        set_integer(L, "threads", options->threads);
    }
    if (options->memory) {
        set_integer(L, "memory_limit", (lua_Integer)options->memory);
    }
    if (options->time_ns) {
        lua_pushnumber(L, (double)options->time_ns / 1e9);
        lua_setfield(L, -2, "time_limit");
    }
    set_text(L, "report_dir", options->report_dir);
    set_text(L, "json_path", options->json_path);
    set_text(L, "junit_path", options->junit_path);
    set_text(L, "script", options->script ? options->script : "");
    set_text(L, "command", options->command_line);
    set_boolean(L, "quiet", options->quiet);
    set_boolean(L, "color", cli_colors(1));
    set_boolean(L, "progress", cli_is_terminal(2) && !options->quiet);
    set_integer(L, "columns", cli_columns());
    lua_createtable(L, 0, VERDICTS);
    for (size_t i = 0; i < VERDICTS; i++) {
        set_integer(L, verdicts[i].name, verdicts[i].code);
    }
    lua_setfield(L, -2, "exit_codes");
}

/* A function closed over the host, and over the parameters when `params` is their index. */
static void set_function(lua_State *L, const char *name, lua_CFunction function, script_host *host,
                         int params) {
    lua_pushlightuserdata(L, host);
    lua_pushvalue(L, params);
    lua_pushcclosure(L, function, 2);
    lua_setfield(L, -2, name);
}

static void set_refused(lua_State *L, const char *name) {
    lua_pushstring(L, name);
    lua_pushcclosure(L, main_only, 1);
    lua_setfield(L, -2, name);
}

void script_host_open(lua_State *L, script_host *host, bool main) {
    luaL_checkstack(L, 12, "cns.host");
    push_params(L, host->options);
    int params = lua_gettop(L);
    lua_newtable(L);
    set_fields(L, host->options);
    set_function(L, "param", host_param, host, params);
    set_function(L, "status", host_status, host, params);
    set_function(L, "elapsed", host_elapsed, host, params);
    if (main) {
        set_function(L, "publish", host_publish, host, params);
        set_function(L, "verdict", host_verdict, host, params);
    } else {
        set_refused(L, "publish");
        set_refused(L, "verdict");
    }
    lua_createtable(L, 0, 1);
    set_function(L, "__index", host_index, host, params);
    lua_setmetatable(L, -2);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "cns.host");
    lua_settop(L, params - 1);
}
