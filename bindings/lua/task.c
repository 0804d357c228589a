/* SPDX-License-Identifier: MIT
 *
 * task.c - tasks as the engine sees them, and cns.future, as the script does.
 *
 * What a task was given is freed by its finalize, which the engine calls before the future counts
 * as over: whoever has waited finds all borrows ended. Results stay with the task until the future
 * reads them, once; the future keeps the Lua values after that.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>

#include "tasks.h"

/* ---- tasks ----------------------------------------------------------------------------------- */

lcns_task *lcns_task_create(lcns_pool *pool) {
    lcns_task *task = cns_context_resize(pool->context, NULL, 0, sizeof *task);
    if (task) {
        memset(task, 0, sizeof *task);
        task->context = pool->context;
        task->pool = pool;
        atomic_init(&task->references, 1);
    }
    return task;
}

void lcns_loop_release(lcns_loop *loop) {
    if (loop && atomic_fetch_sub_explicit(&loop->references, 1, memory_order_acq_rel) == 1) {
        lcns_message_free(&loop->call);
        cns_context_resize(loop->context, loop, sizeof *loop, 0);
    }
}

/* What it was given to run with. */
static void drop_inputs(lcns_task *task) {
    lcns_message_free(&task->call);
    cns_cancel_release(task->token);
    task->token = NULL;
    lcns_loop_release(task->loop);
    task->loop = NULL;
}

void lcns_task_retain(lcns_task *task) {
    atomic_fetch_add_explicit(&task->references, 1, memory_order_relaxed);
}

void lcns_task_release(lcns_task *task) {
    if (task && atomic_fetch_sub_explicit(&task->references, 1, memory_order_acq_rel) == 1) {
        drop_inputs(task);
        lcns_message_free(&task->results);
        cns_context_resize(task->context, task, sizeof *task, 0);
    }
}

cns_status lcns_task_poll(const lcns_task *task) {
    if (atomic_load_explicit(&task->cancelled, memory_order_relaxed)) {
        return CNS_E_CANCELLED;
    }
    if (task->loop &&
        (atomic_load_explicit(&task->loop->stop, memory_order_relaxed) ||
         atomic_load_explicit(&task->loop->failed, memory_order_relaxed) < task->index)) {
        return CNS_E_CANCELLED;
    }
    return cns_cancel_poll(task->token);
}

/* A part that failed stops the parts behind it: of those before, one may yet fail first. */
static void report_failure(lcns_loop *loop, uint32_t index) {
    uint32_t lowest = atomic_load(&loop->failed);
    while (index < lowest && !atomic_compare_exchange_weak(&loop->failed, &lowest, index)) {
    }
}

cns_status lcns_task_run(void *user, cns_cancel *cancel) {
    (void)cancel; /* the task's own token is the same one */
    lcns_task *task = user;
    cns_status status = lcns_task_poll(task);
    if (status == CNS_OK && atomic_load_explicit(&task->pool->closing, memory_order_relaxed)) {
        status = CNS_E_CANCELLED;
    }
    if (status != CNS_OK) {
        return status;
    }
    status = lcns_seat_run(task->pool, task);
    if (status != CNS_OK && task->loop) {
        report_failure(task->loop, task->index);
    }
    return status;
}

void lcns_task_finalize(void *user) {
    lcns_task *task = user;
    drop_inputs(task);
    lcns_task_release(task);
}

cns_status lcns_task_spawn(lcns_task *task, cns_priority priority, cns_future **out) {
    cns_spawn_options options = {.size = sizeof options,
                                 .priority = priority,
                                 .cancel = task->token,
                                 .finalize = lcns_task_finalize};
    atomic_fetch_add_explicit(&task->references, 1, memory_order_relaxed);
    cns_status status = cns_tasks_spawn(task->pool->tasks, &options, lcns_task_run, task, out);
    if (status != CNS_OK) {
        atomic_fetch_sub_explicit(&task->references, 1, memory_order_relaxed);
    }
    return status;
}

void lcns_task_name(lua_State *L, int function, const char *given, char *out) {
    lua_Debug debug;
    char place[64];
    lua_pushvalue(L, function);
    lua_getinfo(L, ">S", &debug);
    if (*debug.what == 'C') {
        snprintf(place, sizeof place, "C function");
    } else {
        snprintf(place, sizeof place, "%.50s:%d", debug.short_src, debug.linedefined);
    }
    snprintf(out, LCNS_TASK_NAME, *given ? "task '%.*s' (%s)" : "task%.*s (%s)", *given ? 20 : 0,
             given, place);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* The pool is being closed by another thread, which ends all its futures soon. */
static cns_status wait_for_close(lua_State *L, cns_future *future) {
    cns_status status = CNS_OK;
    while (status == CNS_OK && !cns_future_done(future)) {
        thrd_yield();
        status = lcns_poll_status(L);
    }
    return status;
}

cns_status lcns_task_await(lua_State *L, lcns_task *task, cns_future *future) {
    lcns_stay stay;
    if (cns_future_done(future)) {
        return CNS_OK;
    }
    cns_status status = lcns_stay_begin(L, task->pool, &stay);
    if (status == CNS_E_CANCELLED) {
        return wait_for_close(L, future);
    }
    if (status == CNS_OK) {
        status = cns_future_await(future);
    }
    lcns_stay_end(&stay);
    return cns_future_done(future) ? CNS_OK : status;
}

/* The error value is on top. */
static void mark_error(lua_State *L, const lcns_task *task) {
    if (task->status == CNS_E_NOMEM) {
        lcns_mark_memory(L);
    }
}

int lcns_task_outcome(lua_State *L, lcns_task *task, cns_status status) {
    switch (task->outcome) {
    case LCNS_RETURNED:
        return lcns_unpack(L, &task->results, 0, NULL);
    case LCNS_RAISED:
        lcns_unpack(L, &task->results, 0, NULL);
        mark_error(L, task);
        return -1;
    case LCNS_LOST:
        status = task->status;
        break;
    case LCNS_PENDING:
        break;
    }
    if (status == CNS_E_CANCELLED) {
        lua_pushfstring(L, "%s was cancelled before it began", task->name);
    } else if (status == CNS_E_DEADLINE) {
        lua_pushfstring(L, "%s passed its deadline before it began", task->name);
    } else {
        lua_pushfstring(L, "%s: %s", task->name, cns_status_text(status));
        mark_error(L, task);
    }
    return -1;
}

/* ---- options --------------------------------------------------------------------------------- */

static cns_priority check_priority(lua_State *L, int arg) {
    const char *text;
    size_t size;
    if (!lcns_option_string(L, arg, "priority", &text, &size) || strcmp(text, "normal") == 0) {
        return CNS_PRIORITY_NORMAL;
    }
    if (strcmp(text, "high") == 0) {
        return CNS_PRIORITY_HIGH;
    }
    if (strcmp(text, "low") != 0) {
        luaL_argerror(L, arg,
                      lua_pushfstring(L,
                                      "priority: 'normal', 'high' or 'low' expected, "
                                      "got '%s'",
                                      text));
    }
    return CNS_PRIORITY_LOW;
}

/* What a task without a token of its own is cancelled with: the task that makes it, or the host. */
static cns_cancel *inherited_token(lua_State *L, bool *watched) {
    lcns_seat *seat = lcns_seat_of(L);
    if (seat && seat->task) {
        *watched = seat->task->watched;
        return seat->task->token;
    }
    return lcns_shared_of(L)->host.cancel;
}

void lcns_spawn_options(lua_State *L, int arg, bool loop, lcns_spawn_settings *out) {
    static const char *const known[] = {"cancel", "priority", "deadline", "name", "grain", NULL};
    static const char *const known_spawn[] = {"cancel", "priority", "deadline", "name", NULL};
    *out = (lcns_spawn_settings){0};
    out->token = inherited_token(L, &out->watched);
    lua_pushnil(L);
    int keeper = lua_gettop(L);
    if (lua_isnoneornil(L, arg)) {
        return;
    }
    lcns_options(L, arg, loop ? known : known_spawn);
    out->priority = check_priority(L, arg);
    if (loop) {
        lcns_option_integer(L, arg, "grain", 1, LUA_MAXINTEGER, &out->grain);
    }
    const char *name;
    size_t size;
    if (lcns_option_string(L, arg, "name", &name, &size)) {
        snprintf(out->name, sizeof out->name, "%.*s", size < 60 ? (int)size : 60, name);
    }
    if (lcns_option_push(L, arg, "cancel")) {
        lcns_cancel_object *own = lcns_new(L, sizeof *own, LCNS_CANCEL_TYPE);
        lcns_cancel_object *object = lcns_test(L, -2, LCNS_CANCEL_TYPE);
        if (!object || !object->base.shared) {
            luaL_argerror(L, arg, "cancel: an open cns.cancel expected");
        }
        cns_cancel_retain(object->cancel);
        out->token = own->cancel = object->cancel;
        out->watched = true;
        lua_replace(L, keeper);
    }
    lua_pop(L, 1);
    uint64_t deadline;
    if (lcns_option_duration(L, arg, "deadline", &deadline)) {
        lcns_cancel_object *child = lcns_new(L, sizeof *child, LCNS_CANCEL_TYPE);
        lcns_ok(L, cns_cancel_create(lcns_context(L), out->token, &child->cancel));
        cns_cancel_after(child->cancel, deadline ? deadline : 1);
        lua_replace(L, keeper);
        out->token = child->cancel;
        out->watched = true;
    }
    lua_settop(L, keeper);
}

/* ---- cns.future ------------------------------------------------------------------------------ */

typedef struct future_object {
    lcns_object base;
    lcns_task *task;
    cns_future *future;
    int results; /* once they are kept: how many, -1 for an error */
    bool kept;
    bool reading; /* the results, which a finaliser must not do again meanwhile */
} future_object;

/* pool:spawn's future: the pool is kept alive by it until the results take the pool's place. */
static future_object *new_future(lua_State *L) {
    future_object *object = lcns_new(L, sizeof *object, LCNS_FUTURE_TYPE);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    /* Only now: a finaliser may have closed the pool since the call began. */
    lcns_pool_object *self = lcns_check(L, 1, LCNS_POOL_TYPE);
    lcns_pool *pool = self->pool;
    object->task = lcns_task_create(pool);
    if (!object->task) {
        lcns_raise(L, CNS_E_NOMEM);
    }
    lcns_pool_retain(pool);
    return object;
}

/* Stack: pool, (options,) function at `function`, arguments behind it. */
static int spawn(lua_State *L, int function, lcns_spawn_settings *settings, int count) {
    future_object *object = new_future(L);
    lcns_task *task = object->task;
    lcns_pool *pool = task->pool;
    lcns_task_name(L, function, settings->name, task->name);
    task->token = settings->token;
    task->watched = settings->watched;
    cns_cancel_retain(task->token);
    lcns_subject subject = {.name = task->name, .role = "argument", .function_first = true};
    lcns_pack(L, &task->call, pool->context, function, count, &subject);
    if (!lcns_pool_enter(pool)) {
        return luaL_error(L, LCNS_POOL_TYPE " is closed");
    }
    cns_status status = lcns_task_spawn(task, settings->priority, &object->future);
    lcns_pool_done(pool);
    if (status != CNS_OK) {
        lcns_message_free(&task->call);
        lcns_raise(L, status);
    }
    return 1;
}

int lcns_pool_spawn(lua_State *L) {
    lcns_self(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    int count = lua_gettop(L) - 1;
    lcns_spawn_settings settings = {0};
    lcns_spawn_options(L, lua_gettop(L) + 1, false, &settings);
    return spawn(L, 2, &settings, count);
}

int lcns_pool_spawn_with(lua_State *L) {
    lcns_self(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    int count = lua_gettop(L) - 2;
    lcns_spawn_settings settings;
    lcns_spawn_options(L, 2, false, &settings);
    return spawn(L, 3, &settings, count);
}

/* task, status -> the number of results or -1, and a list of what lcns_task_outcome gave. */
static int read_outcome(lua_State *L) {
    lcns_task *task = lua_touserdata(L, 1);
    cns_status status = (cns_status)lua_tointeger(L, 2);
    lua_settop(L, 0);
    int results = lcns_task_outcome(L, task, status);
    int count = lua_gettop(L);
    lua_createtable(L, count, 0);
    lua_insert(L, 1);
    for (int i = count; i >= 1; i--) {
        lua_rawseti(L, 1, i);
    }
    lua_pushinteger(L, results);
    lua_insert(L, 1);
    return 2;
}

/* Puts the outcome where the pool was kept, so that it is the same each time. Making Lua values may
 * run a finaliser that closes the future: the task is held meanwhile. */
static void keep_outcome(lua_State *L, future_object *object, int index) {
    lcns_task *task = object->task;
    if (object->reading) {
        luaL_error(L, LCNS_FUTURE_TYPE " is being awaited by what this finaliser interrupts");
    }
    lua_pushcfunction(L, read_outcome);
    lua_pushlightuserdata(L, task);
    lua_pushinteger(L, cns_future_await_for(object->future, 0));
    lcns_task_retain(task);
    object->reading = true;
    int failed = lua_pcall(L, 2, 2, 0) != LUA_OK;
    object->reading = false;
    if (!failed && object->base.shared) {
        lcns_message_free(&task->results);
        lua_setiuservalue(L, index, 1);
        object->results = (int)lua_tointeger(L, -1);
        object->kept = true;
    }
    lcns_task_release(task);
    if (failed) {
        lua_error(L);
    }
}

/* While this thread takes part in the work, other Lua code may run on this state and close the
 * future, the last handle of its pool with it: all three are held. */
static void wait_object(lua_State *L, const future_object *object) {
    lcns_task *task = object->task;
    lcns_pool *pool = task->pool;
    cns_future *future = object->future;
    lcns_task_retain(task);
    lcns_pool_retain(pool);
    cns_future_retain(future);
    cns_status status = lcns_task_await(L, task, future);
    bool over = cns_future_done(future);
    cns_future_release(future);
    lcns_task_release(task);
    lcns_pool_release(pool);
    lcns_poll(L);
    if (!over) {
        lcns_raise(L, status);
    }
}

static void check_open(lua_State *L, const future_object *object) {
    if (!object->base.shared) {
        luaL_error(L, LCNS_FUTURE_TYPE " is closed");
    }
}

static int await_object(lua_State *L, future_object *object, int index) {
    luaL_checkstack(L, 8, "cns.tasks");
    lua_pushvalue(L, index);
    wait_object(L, object);
    check_open(L, object);
    if (!object->kept) {
        keep_outcome(L, object, index);
        check_open(L, object);
    }
    lua_getiuservalue(L, index, 1);
    int table = lua_gettop(L);
    if (object->results < 0) {
        lua_rawgeti(L, table, 1);
        mark_error(L, object->task);
        return lua_error(L);
    }
    luaL_checkstack(L, object->results + 8, "too many results");
    for (int i = 1; i <= object->results; i++) {
        lua_rawgeti(L, table, i);
    }
    return object->results;
}

static int future_await(lua_State *L) {
    return await_object(L, lcns_self(L), 1);
}

static int future_wait(lua_State *L) {
    future_object *object = lcns_self(L);
    uint64_t left = lcns_check_duration(L, 2);
    enum { SLICE = 50 * 1000 * 1000 };
    while (!cns_future_done(object->future)) {
        uint64_t slice = left < SLICE ? left : SLICE;
        if (slice == 0 || !lcns_pool_enter(object->task->pool)) {
            break;
        }
        cns_future_await_for(object->future, slice);
        lcns_pool_done(object->task->pool);
        left -= slice;
        lcns_poll(L);
    }
    lua_pushboolean(L, cns_future_done(object->future));
    return 1;
}

static int future_done(lua_State *L) {
    future_object *object = lcns_self(L);
    lua_pushboolean(L, cns_future_done(object->future));
    return 1;
}

static int future_cancel(lua_State *L) {
    future_object *object = lcns_self(L);
    atomic_store(&object->task->cancelled, 1);
    return 0;
}

static int future_close(lua_State *L) {
    lcns_shared *shared;
    future_object *object = lcns_begin_close(L, LCNS_FUTURE_TYPE, &shared);
    if (object) {
        if (object->task) {
            lcns_pool *pool = object->task->pool;
            cns_future_release(object->future);
            lcns_task_release(object->task);
            lcns_pool_release(pool);
        }
        lcns_shared_release(shared);
    }
    return 0;
}

/* The first results, in order; the first error, in order, is raised. */
int lcns_pool_await_all(lua_State *L) {
    lcns_self(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_Integer count = luaL_len(L, 2);
    lua_createtable(L, count > 0 && count <= LCNS_PRESIZE_MAX ? (int)count : 0, 0);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, 2, i);
        future_object *object = lcns_test(L, 4, LCNS_FUTURE_TYPE);
        if (!object || !object->base.shared) {
            return luaL_argerror(
                L, 2,
                lua_pushfstring(L, "element %I: an open cns.future expected", (LUAI_UACINT)i));
        }
        if (await_object(L, object, 4) > 0) {
            lua_getiuservalue(L, 4, 1);
            lua_rawgeti(L, -1, 1);
            lua_rawseti(L, 3, i);
        }
        lua_settop(L, 3);
    }
    return 1;
}

void lcns_open_future(lua_State *L) {
    static const luaL_Reg methods[] = {{"await", future_await},
                                       {"wait", future_wait},
                                       {"done", future_done},
                                       {"cancel", future_cancel},
                                       {NULL, NULL}};
    lcns_type(L, LCNS_FUTURE_TYPE, methods, NULL, future_close);
}
