/* SPDX-License-Identifier: MIT
 *
 * tasks.c - cns.tasks: pools, cancellation tokens, and how buffers are lent.
 *
 * A pool belongs to the userdata that cns.tasks.new gave; others that refer to it (the default
 * pool's, those that arrive in a task) are handles. Closing counts the threads inside calls out
 * before it ends the engine's pool, then closes the workers' states, which nobody runs any more.
 */
#include "tasks.h"

#include <stdatomic.h>
#include <string.h>
#include <threads.h>

#include "known.h"

/* Registry key of the default pool's handle. */
static const char default_key = 0;

enum { WORKERS_MAX = 1024 };

/* ---- the life of a pool ---------------------------------------------------------------------- */

bool lcns_pool_enter(lcns_pool *pool) {
    atomic_fetch_add(&pool->users, 1);
    if (atomic_load(&pool->closing)) {
        atomic_fetch_sub(&pool->users, 1);
        return false;
    }
    return true;
}

void lcns_pool_done(lcns_pool *pool) {
    atomic_fetch_sub(&pool->users, 1);
}

void lcns_pool_retain(lcns_pool *pool) {
    atomic_fetch_add_explicit(&pool->references, 1, memory_order_relaxed);
}

cns_status lcns_stay_begin(lua_State *L, lcns_pool *pool, lcns_stay *out) {
    *out = (lcns_stay){0};
    if (!lcns_pool_enter(pool)) {
        return CNS_E_CANCELLED;
    }
    lcns_seat *seat = lcns_seat_take(pool);
    if (!seat) {
        lcns_pool_done(pool);
        return CNS_E_NOMEM;
    }
    lcns_pool_retain(pool);
    *out = (lcns_stay){pool, seat, seat->from};
    seat->from = L;
    return CNS_OK;
}

void lcns_stay_end(lcns_stay *stay) {
    if (stay->pool) {
        stay->seat->from = stay->from;
        lcns_seat_give(stay->seat);
        lcns_pool_done(stay->pool);
        lcns_pool_release(stay->pool);
        stay->pool = NULL;
    }
}

void lcns_stay_check(lua_State *L, int arg, lcns_stay *out) {
    lcns_pool_object *object = lcns_check(L, arg, LCNS_POOL_TYPE);
    cns_status status = lcns_stay_begin(L, object->pool, out);
    if (status == CNS_E_CANCELLED) {
        luaL_error(L, LCNS_POOL_TYPE " is closed");
    }
    lcns_ok(L, status);
}

static void free_text(lcns_pool *pool, char *text) {
    cns_context_resize(pool->context, text, text ? strlen(text) + 1 : 0, 0);
}

void lcns_pool_release(lcns_pool *pool) {
    if (pool && atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) == 1) {
        free_text(pool, pool->path);
        free_text(pool, pool->cpath);
        cns_context_resize(pool->context, pool->arguments, pool->arguments_size, 0);
        cns_context_resize(pool->context, pool, sizeof *pool, 0);
    }
}

/* Idempotent. requires: the calling thread is not inside the pool: it would wait for itself. */
static void close_pool(lcns_pool *pool) {
    if (atomic_exchange(&pool->closing, 1)) {
        return;
    }
    while (atomic_load(&pool->users) != 0) { /* tasks not begun end at once now */
        thrd_yield();
    }
    cns_tasks_destroy(pool->tasks);
    pool->tasks = NULL;
    lcns_machine_leave(atomic_load(&pool->shared->machine), pool);
    lcns_seats_free(pool);
}

/* A copy of package.path or package.cpath for the workers. */
static char *copy_path(lua_State *L, lcns_pool *pool, const char *field) {
    size_t size = 0;
    const char *text = "";
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "package");
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, field);
        text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &size) : "";
        lua_remove(L, -2);
    }
    char *copy = cns_context_resize(pool->context, NULL, 0, strlen(text) + 1);
    if (copy) {
        memcpy(copy, text, strlen(text) + 1);
    }
    lua_pop(L, 2);
    return copy;
}

/* The command line under the stock interpreter, where modules of the stdlib read it themselves, on
 * workers as well. A host gives its workers what they need. Pushes a string. */
static void push_arguments(lua_State *L) {
    int text = lua_gettop(L) + 1;
    lua_pushliteral(L, "");
    if (lcns_shared_of(L)->host.setup) {
        return;
    }
    luaL_checkstack(L, 8, "cns.tasks");
    lua_pushglobaltable(L);
    lua_pushliteral(L, "arg");
    if (lua_rawget(L, text + 1) == LUA_TTABLE) {
        for (lua_Integer i = 0; lua_rawgeti(L, text + 2, i) == LUA_TSTRING; i++) {
            lua_pushvalue(L, text);
            lua_insert(L, -2);
            lua_pushlstring(L, "", 1);
            lua_concat(L, 3);
            lua_replace(L, text);
        }
    }
    lua_settop(L, text);
}

/* The string on top, kept by the pool. */
static bool keep_arguments(lua_State *L, lcns_pool *pool) {
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    pool->arguments = size ? cns_context_resize(pool->context, NULL, 0, size) : NULL;
    if (pool->arguments) {
        memcpy(pool->arguments, text, size);
        pool->arguments_size = size;
    }
    return size == 0 || pool->arguments;
}

static void abandon(lcns_pool *pool) {
    atomic_store(&pool->closing, 1);
    cns_tasks_destroy(pool->tasks);
    pool->tasks = NULL;
    if (pool->workers) {
        lcns_seats_free(pool);
    }
    lcns_pool_release(pool);
}

/* One reference. Raises. */
static lcns_pool *create_pool(lua_State *L, uint32_t workers, const char *name) {
    lcns_shared *shared = lcns_shared_of(L);
    cns_context *context = shared->context;
    push_arguments(L);
    lcns_pool *pool = cns_context_resize(context, NULL, 0, sizeof *pool);
    if (!pool) {
        lcns_raise(L, CNS_E_NOMEM);
        return NULL;
    }
    memset(pool, 0, sizeof *pool);
    pool->shared = shared;
    pool->context = context;
    atomic_init(&pool->references, 1);
    bool kept = keep_arguments(L, pool);
    lua_pop(L, 1);
    pool->path = copy_path(L, pool, "path");
    pool->cpath = copy_path(L, pool, "cpath");
    workers = workers ? workers : cns_tasks_available_cpus();
    pool->worker_count = workers;
    cns_status status = CNS_E_NOMEM;
    size_t size = workers * sizeof *pool->workers;
    pool->workers = cns_context_resize(context, NULL, 0, size);
    if (pool->workers) {
        memset(pool->workers, 0, size); /* abandon looks at them */
    }
    if (kept && pool->workers && pool->path && pool->cpath) {
        for (uint32_t i = 0; i < workers; i++) {
            pool->workers[i].pool = pool;
            pool->workers[i].worker = i + 1;
        }
        cns_tasks_config config = {.size = sizeof config, .workers = workers, .name = name};
        status = cns_tasks_create(context, &config, &pool->tasks);
    }
    if (status != CNS_OK) {
        abandon(pool);
        lcns_raise(L, status);
    }
    return pool;
}

/* ---- cns.tasks.pool -------------------------------------------------------------------------- */

static lcns_pool *self_pool(lua_State *L) {
    return ((lcns_pool_object *)lcns_self(L))->pool;
}

void lcns_push_pool(lua_State *L, lcns_pool *pool) {
    lcns_pool_object *object = lcns_new(L, sizeof *object, LCNS_POOL_TYPE);
    lcns_pool_retain(pool);
    object->pool = pool;
}

/* Whether the object at 1 owns an open pool that this thread is inside of. */
static bool is_inside_own(lua_State *L) {
    const lcns_pool_object *object = lcns_test(L, 1, LCNS_POOL_TYPE);
    return object && object->base.shared && object->pool && object->owner &&
           !atomic_load(&object->pool->closing) && lcns_seat_inside(object->pool);
}

static int pool_close(lua_State *L) {
    if (is_inside_own(L)) {
        return luaL_error(L, "a task cannot close the pool it runs in, nor a call the one it uses");
    }
    lcns_shared *shared;
    lcns_pool_object *object = lcns_begin_close(L, LCNS_POOL_TYPE, &shared);
    if (object) {
        if (object->owner && object->pool) {
            close_pool(object->pool);
        }
        lcns_pool_release(object->pool);
        lcns_shared_release(shared);
    }
    return 0;
}

/* A pool that is collected while this thread uses it by another handle cannot be closed now, and
 * Lua does not ask twice: it closes with the main state. */
static int pool_collect(lua_State *L) {
    if (!is_inside_own(L)) {
        return pool_close(L);
    }
    lcns_shared *shared;
    lcns_pool_object *object = lcns_begin_close(L, LCNS_POOL_TYPE, &shared);
    lcns_pool *pool = object->pool; /* with the object's reference */
    pool->next = atomic_load(&shared->orphans);
    while (!atomic_compare_exchange_weak(&shared->orphans, &pool->next, pool)) {
    }
    lcns_shared_release(shared);
    return 0;
}

static int pool_workers(lua_State *L) {
    lua_pushinteger(L, self_pool(L)->worker_count);
    return 1;
}

static void set_count(lua_State *L, const char *name, uint64_t value) {
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

static int pool_stats(lua_State *L) {
    cns_tasks_stats stats = {0};
    lua_createtable(L, 0, 8);
    lcns_pool *pool = self_pool(L);
    if (!lcns_pool_enter(pool)) {
        return luaL_error(L, LCNS_POOL_TYPE " is closed");
    }
    cns_tasks_get_stats(pool->tasks, &stats);
    uint32_t workers = pool->worker_count;
    lcns_pool_done(pool);
    set_count(L, "spawned", stats.spawned);
    set_count(L, "executed", stats.executed);
    set_count(L, "stolen", stats.stolen);
    set_count(L, "cancelled", stats.cancelled);
    set_count(L, "sleeps", stats.sleeps);
    set_count(L, "workers", workers);
    return 1;
}

static int tasks_new(lua_State *L) {
    static const char *const known[] = {"workers", "name", NULL};
    lua_Integer workers = 0;
    const char *name = NULL;
    size_t size;
    lcns_options(L, 1, known);
    lcns_option_integer(L, 1, "workers", 1, WORKERS_MAX, &workers);
    lcns_option_string(L, 1, "name", &name, &size);
    lcns_pool_object *object = lcns_new(L, sizeof *object, LCNS_POOL_TYPE);
    object->pool = create_pool(L, (uint32_t)workers, name);
    object->owner = true;
    return 1;
}

/* ---- the default pool ------------------------------------------------------------------------ */

static void shut_down(lcns_shared *shared) {
    lcns_pool *pool = atomic_load(&shared->pool);
    if (pool) {
        close_pool(pool); /* finalisers of the workers' states still find it, closed */
        atomic_store(&shared->pool, NULL);
        lcns_pool_release(pool);
    }
    lcns_pool *orphan = atomic_exchange(&shared->orphans, NULL);
    while (orphan) {
        lcns_pool *next = orphan->next;
        close_pool(orphan);
        lcns_pool_release(orphan);
        orphan = next;
    }
}

/* Two threads may make it at once: the first to publish it wins. */
lcns_pool *lcns_pool_default(lua_State *L) {
    lcns_shared *shared = lcns_shared_of(L);
    lcns_pool *pool = atomic_load(&shared->pool);
    if (pool) {
        return pool;
    }
    lcns_pool *mine = create_pool(L, shared->host.threads, "cns");
    if (atomic_compare_exchange_strong(&shared->pool, &pool, mine)) {
        return mine;
    }
    abandon(mine);
    return pool;
}

static int tasks_default(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &default_key);
    lcns_pool_object *object = lua_touserdata(L, -1);
    if (!object || !object->base.shared) {
        lcns_push_pool(L, lcns_pool_default(L));
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &default_key);
    }
    return 1;
}

/* ---- cns.cancel ------------------------------------------------------------------------------ */

void lcns_push_cancel(lua_State *L, cns_cancel *cancel) {
    lcns_cancel_object *object = lcns_new(L, sizeof *object, LCNS_CANCEL_TYPE);
    cns_cancel_retain(cancel);
    object->cancel = cancel;
}

static int tasks_cancel(lua_State *L) {
    lua_settop(L, 1);
    lcns_cancel_object *object = lcns_new(L, sizeof *object, LCNS_CANCEL_TYPE);
    lcns_shared *shared = lcns_shared_of(L);
    cns_cancel *parent = shared->host.cancel;
    if (!lua_isnil(L, 1)) { /* looked at now: making the object may have run a finaliser */
        parent = ((lcns_cancel_object *)lcns_check(L, 1, LCNS_CANCEL_TYPE))->cancel;
    }
    lcns_ok(L, cns_cancel_create(shared->context, parent, &object->cancel));
    return 1;
}

static cns_cancel *self_cancel(lua_State *L) {
    return ((lcns_cancel_object *)lcns_self(L))->cancel;
}

static int cancel_cancel(lua_State *L) {
    cns_cancel_request(self_cancel(L));
    return 0;
}

static int cancel_after(lua_State *L) {
    cns_cancel *cancel = self_cancel(L);
    uint64_t nanoseconds = lcns_check_duration(L, 2);
    cns_cancel_after(cancel, nanoseconds ? nanoseconds : 1); /* 0 would mean never */
    return 0;
}

static int cancel_cancelled(lua_State *L) {
    lua_pushboolean(L, cns_cancel_poll(self_cancel(L)) != CNS_OK);
    return 1;
}

static int cancel_close(lua_State *L) {
    lcns_shared *shared;
    lcns_cancel_object *object = lcns_begin_close(L, LCNS_CANCEL_TYPE, &shared);
    if (object) {
        cns_cancel_release(object->cancel);
        lcns_shared_release(shared);
    }
    return 0;
}

/* ---- lending --------------------------------------------------------------------------------- */

static int lend(lua_State *L, uint8_t access, bool split) {
    lcns_check_buffer(L, 1);
    lua_settop(L, 1);
    lcns_lent_object *object = lcns_new(L, sizeof *object, LCNS_LENT_TYPE);
    object->access = access;
    object->split = split;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

static int tasks_read(lua_State *L) {
    return lend(L, CNS_ACCESS_READ, false);
}

static int tasks_write(lua_State *L) {
    return lend(L, CNS_ACCESS_WRITE, false);
}

static int tasks_split(lua_State *L) {
    return lend(L, CNS_ACCESS_WRITE, true);
}

static int lent_close(lua_State *L) {
    lcns_shared *shared;
    if (lcns_begin_close(L, LCNS_LENT_TYPE, &shared)) {
        lcns_shared_release(shared);
    }
    return 0;
}

/* ---- inside a task --------------------------------------------------------------------------- */

static int tasks_cancelled(lua_State *L) {
    lcns_seat *seat = lcns_seat_of(L);
    lua_pushboolean(L, seat && seat->task && lcns_task_poll(seat->task) != CNS_OK);
    return 1;
}

static int tasks_worker(lua_State *L) {
    lcns_seat *seat = lcns_seat_of(L);
    if (!seat) {
        return 0;
    }
    lua_pushinteger(L, seat->worker);
    return 1;
}

static int tasks_cpus(lua_State *L) {
    lua_pushinteger(L, cns_tasks_available_cpus());
    return 1;
}

/* ---- the part -------------------------------------------------------------------------------- */

static void open_types(lua_State *L) {
    static const luaL_Reg pool_methods[] = {{"spawn", lcns_pool_spawn},
                                            {"spawn_with", lcns_pool_spawn_with},
                                            {"await_all", lcns_pool_await_all},
                                            {"map", lcns_pool_map},
                                            {"range", lcns_pool_range},
                                            {"reduce", lcns_pool_reduce},
                                            {"graph", lcns_pool_graph},
                                            {"workers", pool_workers},
                                            {"stats", pool_stats},
                                            {NULL, NULL}};
    static const luaL_Reg cancel_methods[] = {{"cancel", cancel_cancel},
                                              {"after", cancel_after},
                                              {"cancelled", cancel_cancelled},
                                              {NULL, NULL}};
    static const luaL_Reg pool_metamethods[] = {{"__gc", pool_collect}, {NULL, NULL}};
    lcns_type(L, LCNS_POOL_TYPE, pool_methods, pool_metamethods, pool_close);
    lcns_type(L, LCNS_CANCEL_TYPE, cancel_methods, NULL, cancel_close);
    lcns_type(L, LCNS_LENT_TYPE, NULL, NULL, lent_close);
    lcns_open_future(L);
    lcns_open_graph(L);
}

int lcns_open_tasks(lua_State *L) {
    static const luaL_Reg functions[] = {{"new", tasks_new},
                                         {"default", tasks_default},
                                         {"cpus", tasks_cpus},
                                         {"cancel", tasks_cancel},
                                         {"cancelled", tasks_cancelled},
                                         {"worker", tasks_worker},
                                         {"read", tasks_read},
                                         {"write", tasks_write},
                                         {"split", tasks_split},
                                         {NULL, NULL}};
    if (!lcns_seat_of(L)) {
        lcns_shared_of(L)->shutdown = shut_down;
    }
    lcns_known_open(L);
    open_types(L);
    luaL_newlib(L, functions);
    return 1;
}
