/* SPDX-License-Identifier: MIT
 *
 * script.c - the life of a script's Lua state: a context and a heap with the memory limit, the
 * libraries, the guards, the module `cns` and `cns.host` in it.
 *
 * The limit holds for the context, so for every part and every worker's state. The heap and the
 * context keep a reserve beyond it that only error paths may use.
 */
#include "script.h"

#include <stdlib.h>

#include "lauxlib.h"
#include "lualib.h"
#include "module.h"

enum { RESERVE = 1 << 20, LEAST_MEMORY = 4 << 20 };

/* ---- what the module asks of its host -------------------------------------------------------- */

static void on_enter(void *user, lua_State *L) {
    (void)user;
    watchdog_enter(L);
}

static void on_leave(void *user, lua_State *L) {
    (void)user;
    (void)L;
    watchdog_leave();
}

static cns_status on_poll(void *user) {
    (void)user;
    switch (watchdog_reason()) {
    case STOP_INTERRUPT:
        return CNS_E_CANCELLED;
    case STOP_TIME:
        return CNS_E_DEADLINE;
    default:
        return CNS_OK;
    }
}

static void on_setup(void *user, lua_State *L) {
    script *s = user;
    script_guard_install(L, s->options->script, false);
    script_host_open(L, &s->host, false);
}

static void on_log(void *user, cns_log_level level, const char *channel, const char *line) {
    script *s = user;
    script_host_clear_status(&s->host);
    fprintf(stderr, "cnsengine: %s%s: %s\n", level <= CNS_LOG_WARNING ? "warning: " : "", channel,
            line);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* `math.random` starts from the run's seed, so that a plain script can be replayed. */
static void seed_random(lua_State *L, int64_t seed) {
    lua_getglobal(L, LUA_MATHLIBNAME);
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, seed);
    lua_call(L, 1, 0);
    lua_pop(L, 1);
}

static void set_arguments(lua_State *L, const script_options *options) {
    lua_createtable(L, options->argc, 1);
    for (int i = 0; i < options->argc; i++) {
        lua_pushstring(L, options->argv[i]);
        lua_rawseti(L, -2, i + 1);
    }
    if (options->script) {
        lua_pushstring(L, options->script);
        lua_rawseti(L, -2, 0);
    }
    lua_setglobal(L, "arg");
}

/* In protected mode: anything here may run out of memory. */
static int open_state(lua_State *L) {
    script *s = lua_touserdata(L, 1);
    luaL_openlibs(L);
    script_guard_install(L, s->options->script, true);
    const lcns_host host = {
        .user = s,
        .context = s->context,
        .cancel = s->interactive ? NULL : s->cancel,
        .threads = s->options->threads,
        .enter = on_enter,
        .leave = on_leave,
        .poll = on_poll,
        .setup = on_setup,
    };
    lcns_set_host(L, &host);
    luaL_requiref(L, "cns", luaopen_cns, 0);
    lua_pop(L, 1);
    script_host_open(L, &s->host, true);
    seed_random(L, s->options->seed);
    set_arguments(L, s->options);
    return 0;
}

static cns_status create_engine(script *s) {
    uint64_t memory = s->options->memory;
    const cns_context_config config = {
        .size = sizeof config, .log = on_log, .log_user = s, .memory_limit = memory};
    cns_status status = cns_context_create(&config, &s->context);
    if (status != CNS_OK) {
        return status;
    }
    status = cns_cancel_create(s->context, NULL, &s->cancel);
    if (status != CNS_OK) {
        return status;
    }
    const cns_heap_config heap = {.size = sizeof heap,
                                  .tag = "script",
                                  .budget = memory ? memory + RESERVE : 0,
                                  .reserve = memory ? RESERVE : 0};
    return cns_heap_create(s->context, &heap, &s->heap);
}

int script_open(script *s, script_options *options) {
    *s = (script){.options = options, .interactive = !options->script};
    script_host_init(&s->host, options);
    if (options->memory && options->memory < LEAST_MEMORY) {
        cli_error("--memory: %d MiB is the least a script can start with", LEAST_MEMORY >> 20);
        return CLI_USAGE;
    }
    cns_status status = create_engine(s);
    if (status != CNS_OK) {
        cli_error("the engine does not start: %s", cns_status_text(status));
        return CLI_LIMIT;
    }
    s->L = lua_newstate(cns_heap_lua_alloc, s->heap);
    if (!s->L) {
        cli_error("not enough memory for Lua");
        return CLI_LIMIT;
    }
    lua_pushcfunction(s->L, open_state);
    lua_pushlightuserdata(s->L, s);
    int result = lua_pcall(s->L, 1, 0, 0);
    if (result != LUA_OK) {
        script_error_take(s->L, &s->error);
        cli_error("%s", s->error.message ? s->error.message : "not enough memory");
        return s->error.memory ? CLI_LIMIT : CLI_USAGE;
    }
    return CLI_SUCCESS;
}

/* ---- running and closing --------------------------------------------------------------------- */

void script_use_reserve(script *s, bool on) {
    if (s->options->memory) {
        cns_heap_use_reserve(s->heap, on);
        cns_context_set_memory_limit(s->context, s->options->memory + (on ? RESERVE : 0));
    }
}

int script_call(script *s, int arguments, int results) {
    lua_State *L = s->L;
    int base = lua_gettop(L) - arguments;
    script_error_deinit(&s->error);
    script_error_push_handler(L, &s->error);
    lua_insert(L, base);
    watchdog_enter(L);
    int status = lua_pcall(L, arguments, results, base);
    watchdog_leave();
    if (status != LUA_OK) {
        script_use_reserve(s, true);
        script_error_take(L, &s->error);
        script_use_reserve(s, false);
    }
    lua_remove(L, base);
    return status;
}

void script_close_state(script *s) {
    if (s->L) {
        script_use_reserve(s, true);
        watchdog_enter(s->L);
        lcns_close_state(s->L);
        watchdog_leave();
        s->L = NULL;
    }
}

void script_close(script *s) {
    script_close_state(s);
    cns_heap_destroy(s->heap);
    cns_cancel_release(s->cancel);
    cns_context_destroy(s->context);
    script_host_deinit(&s->host);
    script_error_deinit(&s->error);
}
