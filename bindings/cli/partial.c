/* SPDX-License-Identifier: MIT
 *
 * partial.c - the reports of a run that was cut off.
 *
 * The script's own state may be out of memory, broken or still running on another thread, so the
 * stdlib writes the reports in a state of its own, from the snapshot that the script published.
 */
#include <stdlib.h>
#include <string.h>

#include "lauxlib.h"
#include "lualib.h"
#include "module.h"
#include "script.h"

enum { REPORT_MEMORY = 256 << 20 };

typedef struct partial {
    script_host *host;
    cns_context *context;
    const char *reason, *message;
} partial;

static int write_partial(lua_State *L) {
    partial *p = lua_touserdata(L, 1);
    luaL_openlibs(L);
    script_guard_install(L, NULL, false);
    const lcns_host host = {.context = p->context, .threads = 1};
    lcns_set_host(L, &host);
    luaL_requiref(L, "cns", luaopen_cns, 0);
    script_host_open(L, p->host, false);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "cns.report");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "write_partial");
    pthread_mutex_lock(&p->host->lock);
    char *json = p->host->published;
    size_t size = p->host->published_size;
    p->host->published = NULL;
    pthread_mutex_unlock(&p->host->lock);
    lua_pushlstring(L, json, size);
    free(json);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "cns.host");
    lua_call(L, 1, 1);
    lua_pushstring(L, p->reason);
    lua_pushstring(L, p->message);
    lua_call(L, 4, 0);
    return 0;
}

static bool has_published(script_host *host) {
    pthread_mutex_lock(&host->lock);
    bool published = host->published != NULL;
    pthread_mutex_unlock(&host->lock);
    return published;
}

static void run_partial(partial *p, cns_heap *heap) {
    lua_State *L = lua_newstate(cns_heap_lua_alloc, heap);
    if (!L) {
        cli_error("no partial report: not enough memory");
        return;
    }
    lua_pushcfunction(L, write_partial);
    lua_pushlightuserdata(L, p);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        cli_error("no partial report: %s",
                  lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "unknown error");
    }
    lcns_close_state(L);
}

void script_write_partial(script_host *host, const char *reason, const char *message) {
    if (!has_published(host)) {
        if (script_wants_report(host->options)) {
            cli_error("no partial report: the script had published nothing yet");
        }
        return;
    }
    const cns_context_config config = {.size = sizeof config, .memory_limit = REPORT_MEMORY};
    partial p = {.host = host, .reason = reason, .message = message};
    cns_heap *heap = NULL;
    if (cns_context_create(&config, &p.context) != CNS_OK) {
        cli_error("no partial report: not enough memory");
        return;
    }
    if (cns_heap_create(p.context, NULL, &heap) == CNS_OK) {
        run_partial(&p, heap);
    }
    cns_heap_destroy(heap);
    cns_context_destroy(p.context);
}
