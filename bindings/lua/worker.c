/* SPDX-License-Identifier: MIT
 *
 * worker.c - the Lua states that tasks run on, one a thread and pool, made when first needed.
 *
 * A task runs on a coroutine of its own, so a task that waits can have others run above it in the
 * same state. Lua's count of nested C calls goes on through `from` (lua_resume), so that nested
 * tasks end in Lua's "C stack overflow" and not in the machine's. Nothing here may let an error
 * escape: every step that can raise is called under lua_pcall, and the engine sees a status.
 */
#include <stdatomic.h>
#include <string.h>

#include "tasks.h"

/* Registry key of the seat. */
static const char seat_key = 0;

enum { HOOK_INTERVAL = 10000 };

/* ---- seats ----------------------------------------------------------------------------------- */

/* The address of a thread's own variable names the thread. */
static uintptr_t this_thread(void) {
    static _Thread_local char here;
    return (uintptr_t)&here;
}

static lcns_seat *find_outside(lcns_pool *pool) {
    uintptr_t me = this_thread();
    lcns_seat *seat = atomic_load_explicit(&pool->outside, memory_order_acquire);
    while (seat && atomic_load_explicit(&seat->occupant, memory_order_relaxed) != me) {
        seat = seat->next;
    }
    return seat;
}

static lcns_seat *occupy_outside(lcns_pool *pool) {
    uintptr_t me = this_thread();
    lcns_seat *seat = atomic_load_explicit(&pool->outside, memory_order_acquire);
    for (; seat; seat = seat->next) {
        uintptr_t nobody = 0;
        if (atomic_compare_exchange_strong_explicit(&seat->occupant, &nobody, me,
                                                    memory_order_acquire, memory_order_relaxed)) {
            return seat;
        }
    }
    seat = cns_context_resize(pool->context, NULL, 0, sizeof *seat);
    if (!seat) {
        return NULL;
    }
    memset(seat, 0, sizeof *seat);
    seat->pool = pool;
    atomic_init(&seat->occupant, me);
    seat->next = atomic_load_explicit(&pool->outside, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&pool->outside, &seat->next, seat,
                                                  memory_order_release, memory_order_relaxed)) {
    }
    return seat;
}

static lcns_seat *find_seat(lcns_pool *pool) {
    int32_t worker = cns_tasks_current_worker(pool->tasks);
    return worker >= 0 ? &pool->workers[worker] : find_outside(pool);
}

lcns_seat *lcns_seat_take(lcns_pool *pool) {
    lcns_seat *seat = find_seat(pool);
    if (!seat) {
        seat = occupy_outside(pool);
    }
    if (seat) {
        seat->depth++;
    }
    return seat;
}

void lcns_seat_give(lcns_seat *seat) {
    if (--seat->depth == 0 && seat->worker == 0) {
        atomic_store_explicit(&seat->occupant, 0, memory_order_release);
    }
}

bool lcns_seat_inside(lcns_pool *pool) {
    lcns_seat *seat = find_seat(pool);
    return seat && seat->depth > 0;
}

lcns_seat *lcns_seat_of(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &seat_key);
    lcns_seat *seat = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return seat;
}

static void close_state(lcns_seat *seat) {
    if (seat->L) {
        lcns_close_state(seat->L);
        seat->L = NULL;
    }
    cns_heap_destroy(seat->heap);
    seat->heap = NULL;
}

void lcns_seats_free(lcns_pool *pool) {
    for (uint32_t i = 0; i < pool->worker_count; i++) {
        close_state(&pool->workers[i]);
    }
    cns_context_resize(pool->context, pool->workers, pool->worker_count * sizeof *pool->workers, 0);
    pool->workers = NULL;
    lcns_seat *seat = atomic_load(&pool->outside);
    while (seat) {
        lcns_seat *next = seat->next;
        close_state(seat);
        cns_context_resize(pool->context, seat, sizeof *seat, 0);
        seat = next;
    }
    atomic_store(&pool->outside, NULL);
}

/* ---- a worker's state ------------------------------------------------------------------------ */

static int refuse_exit(lua_State *L) {
    return luaL_error(L, "os.exit: a task cannot end the process; return or raise an error");
}

/* `arg`, as the state that made the pool had it. */
static void set_arguments(lua_State *L, const lcns_pool *pool) {
    if (!pool->arguments) {
        return;
    }
    const char *end = pool->arguments + pool->arguments_size;
    lua_Integer i = 0;
    lua_newtable(L);
    for (const char *at = pool->arguments; at < end; at += strlen(at) + 1) {
        lua_pushstring(L, at);
        lua_rawseti(L, -2, i++);
    }
    lua_setglobal(L, "arg");
}

/* Argument 1: the seat. */
static int set_up(lua_State *L) {
    lcns_seat *seat = lua_touserdata(L, 1);
    lcns_shared *shared = seat->pool->shared;
    lua_pushlightuserdata(L, seat);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &seat_key);
    luaL_openlibs(L);
    lua_getglobal(L, "os");
    lua_pushcfunction(L, refuse_exit);
    lua_setfield(L, -2, "exit");
    lua_getglobal(L, "package");
    lua_pushstring(L, seat->pool->path);
    lua_setfield(L, -2, "path");
    lua_pushstring(L, seat->pool->cpath);
    lua_setfield(L, -2, "cpath");
    set_arguments(L, seat->pool);
    lcns_adopt(L, shared);
    luaL_requiref(L, "cns", luaopen_cns, 0);
    if (shared->host.setup) {
        shared->host.setup(shared->host.user, L);
    }
    return 0;
}

/* ---- interruption ---------------------------------------------------------------------------- */

/* Once the token has fired, the hook comes back after every instruction and raises each time, in
 * whatever coroutine runs and in the task's own thread, so that no pcall holds it up. */
static void interrupt(lua_State *L, lua_Debug *debug) {
    lcns_seat *seat = lcns_seat_of(L);
    lcns_task *task = seat->task;
    if (!task || !task->watched) { /* a coroutine that outlived its task */
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    if (seat->host_hook) {
        seat->host_hook(L, debug);
    }
    cns_status status = lcns_task_poll(task);
    if (status == CNS_OK) {
        if (lua_gethookcount(L) != HOOK_INTERVAL) {
            lua_sethook(L, interrupt, LUA_MASKCOUNT, HOOK_INTERVAL);
        }
        return;
    }
    lua_sethook(L, interrupt, LUA_MASKCOUNT, 1);
    lua_sethook(seat->thread, interrupt, LUA_MASKCOUNT, 1);
    luaL_error(L, status == CNS_E_DEADLINE ? "%s passed its deadline" : "%s was cancelled",
               task->name);
}

/* ---- one task -------------------------------------------------------------------------------- */

/* fn, items, first -> results */
static int map_part(lua_State *L) {
    const lcns_task *task = lua_touserdata(L, lua_upvalueindex(1));
    lua_Integer count = task->part.last - task->part.first + 1;
    lua_createtable(L, count < INT32_MAX ? (int)count : 0, 0);
    for (lua_Integer i = 1; i <= count; i++) {
        if (lcns_task_poll(task) != CNS_OK) {
            return luaL_error(L, "%s was cancelled", task->name);
        }
        lua_pushvalue(L, 1);
        lua_rawgeti(L, 2, i);
        lua_pushinteger(L, task->part.first + i - 1);
        lua_call(L, 2, 1);
        lua_rawseti(L, 3, i);
    }
    return 1;
}

/* Pushes the function and its arguments; returns how many arguments. */
static int push_call(lua_State *L, lcns_task *task, int leases) {
    int base = lua_gettop(L);
    switch (task->kind) {
    case LCNS_TASK_CALL:
        lcns_unpack(L, &task->call, leases, NULL);
        for (uint32_t i = 0; i < task->before_count; i++) {
            luaL_checkstack(L, 8, "cns.tasks");
            int results = lcns_unpack(L, &task->before[i]->results, leases, NULL);
            lua_settop(L, lua_gettop(L) - results + 1);
        }
        break;
    case LCNS_TASK_MAP:
        lua_pushlightuserdata(L, task);
        lua_pushcclosure(L, map_part, 1);
        lcns_unpack(L, &task->loop->call, leases, NULL);
        lcns_unpack(L, &task->call, leases, NULL);
        break;
    case LCNS_TASK_RANGE:
        lcns_unpack(L, &task->loop->call, leases, &task->part);
        lua_pushinteger(L, task->part.first);
        lua_insert(L, base + 2);
        lua_pushinteger(L, task->part.last);
        lua_insert(L, base + 3);
        break;
    }
    return lua_gettop(L) - base - 1;
}

/* The task -> its coroutine, with function and arguments on it, and the table of leases. */
static int prepare(lua_State *L) {
    lcns_task *task = lua_touserdata(L, 1);
    lua_settop(L, 1);
    lua_State *thread = lua_newthread(L);
    lua_newtable(L);
    int arguments = push_call(L, task, 3);
    if (!lua_checkstack(thread, arguments + 8)) {
        luaL_error(L, "too many arguments");
    }
    lua_xmove(L, thread, arguments + 1);
    return 2;
}

/* The error value on top of `thread` -> text with the thread's traceback, pushed on L. */
static void push_error_text(lua_State *L, lua_State *thread, const lcns_task *task) {
    luaL_checkstack(L, 16, "cns.tasks");
    if (lua_isnil(thread, -1)) {
        lua_pushliteral(L, "(error object is a nil value)");
    } else {
        lua_pushvalue(thread, -1);
        lua_xmove(thread, L, 1);
        luaL_tolstring(L, -1, NULL);
        lua_remove(L, -2);
    }
    lua_pushfstring(L, "\nin %s, ", task->name);
    luaL_traceback(L, thread, NULL, 0);
    lua_concat(L, 3);
}

/* thread, task, resume's status, result count: packs what the task returned or raised. */
static int collect(lua_State *L) {
    lua_State *thread = lua_tothread(L, 1);
    lcns_task *task = lua_touserdata(L, 2);
    int status = (int)lua_tointeger(L, 3), count = (int)lua_tointeger(L, 4);
    lcns_subject subject = {.name = task->name, .role = "result", .move = true};
    if (status == LUA_OK) {
        subject.list = task->kind == LCNS_TASK_MAP;
        subject.base = subject.list ? task->part.first - 1 : 0;
        luaL_checkstack(L, count + 8, "too many results");
        lua_xmove(thread, L, count);
        lcns_pack(L, &task->results, task->context, 5, count, &subject);
        task->outcome = LCNS_RETURNED;
        return 0;
    }
    subject.role = "error value";
    bool memory = status != LUA_YIELD && lcns_is_memory_error(thread, -1);
    task->status = memory ? CNS_E_NOMEM : CNS_E_FAILED;
    if (status == LUA_YIELD) {
        lua_settop(thread, 0);
        lua_pushliteral(thread, "attempt to yield from a task");
    } else if (lua_type(thread, -1) == LUA_TTABLE) {
        lua_pushvalue(thread, -1);
        lua_xmove(thread, L, 1);
        if (!lua_getmetatable(L, -1)) {
            lcns_pack(L, &task->results, task->context, lua_gettop(L), 1, &subject);
            task->outcome = LCNS_RAISED;
            return 0;
        }
    }
    push_error_text(L, thread, task);
    lcns_pack(L, &task->results, task->context, lua_gettop(L), 1, &subject);
    task->outcome = LCNS_RAISED;
    return 0;
}

/* error value, task: keeps an error of preparing or collecting, which has no traceback. */
static int keep_error(lua_State *L) {
    lcns_task *task = lua_touserdata(L, 2);
    lcns_subject subject = {.name = task->name, .role = "error value", .move = true};
    task->status = lcns_is_memory_error(L, 1) ? CNS_E_NOMEM : CNS_E_FAILED;
    luaL_tolstring(L, 1, NULL);
    if (!strstr(lua_tostring(L, -1), task->name)) {
        lua_pushfstring(L, "\nin %s", task->name);
        lua_concat(L, 2);
    }
    lcns_pack(L, &task->results, task->context, lua_gettop(L), 1, &subject);
    task->outcome = LCNS_RAISED;
    return 0;
}

static int end_leases(lua_State *L) {
    lcns_end_leases(L, 1);
    return 0;
}

static int collect_garbage(lua_State *L) {
    lua_gc(L, LUA_GCCOLLECT);
    return 0;
}

/* The error value is on top of L, and is popped. */
static void fail(lua_State *L, lcns_task *task) {
    lua_pushcfunction(L, keep_error);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, task);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
        task->status = CNS_E_NOMEM;
        task->outcome = LCNS_LOST;
        lua_pop(L, 1);
    }
    /* What was half made may hold borrows: they must not outlive the task. */
    lua_pushcfunction(L, collect_garbage);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
    }
}

/* Makes the seat's state; on failure the task gets the reason. */
static bool open_state(lcns_seat *seat, lcns_task *task) {
    if (seat->L) {
        return true;
    }
    cns_heap_config config = {.size = sizeof config, .tag = "worker"};
    if (!seat->heap && cns_heap_create(seat->pool->context, &config, &seat->heap) != CNS_OK) {
        return false;
    }
    lua_State *L = lua_newstate(cns_heap_lua_alloc, seat->heap);
    if (!L) {
        return false;
    }
    lua_pushcfunction(L, set_up);
    lua_pushlightuserdata(L, seat);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        fail(L, task);
        lcns_close_state(L);
        return false;
    }
    seat->L = L;
    return true;
}

static void run_thread(lcns_seat *seat, lcns_task *task, lua_State *thread, int at) {
    lua_State *L = seat->L;
    const lcns_host *host = &seat->pool->shared->host;
    lcns_seat outer = {.task = seat->task, .thread = seat->thread, .host_hook = seat->host_hook};
    seat->task = task;
    seat->thread = thread;
    if (host->enter) {
        host->enter(host->user, thread);
    }
    seat->host_hook = lua_gethook(thread);
    if (task->watched) {
        lua_sethook(thread, interrupt, LUA_MASKCOUNT, HOOK_INTERVAL);
    }
    int count = 0;
    int status = lua_resume(thread, seat->from, lua_gettop(thread) - 1, &count);
    lua_pushcfunction(L, collect);
    lua_pushvalue(L, at);
    lua_pushlightuserdata(L, task);
    lua_pushinteger(L, status);
    lua_pushinteger(L, count);
    if (lua_pcall(L, 4, 0, 0) != LUA_OK) {
        fail(L, task);
    }
    if (status != LUA_OK) {
        lua_resetthread(thread); /* runs what is to be closed */
    }
    lua_sethook(thread, NULL, 0, 0);
    if (host->leave) {
        host->leave(host->user, thread);
    }
    seat->task = outer.task;
    seat->thread = outer.thread;
    seat->host_hook = outer.host_hook;
}

static void run_task(lcns_seat *seat, lcns_task *task) {
    task->outcome = LCNS_LOST;
    task->status = CNS_E_NOMEM;
    if (!open_state(seat, task)) {
        return;
    }
    lua_State *L = seat->L;
    int top = lua_gettop(L);
    if (!lua_checkstack(L, 24)) {
        return;
    }
    lua_pushcfunction(L, prepare);
    lua_pushlightuserdata(L, task);
    if (lua_pcall(L, 1, 2, 0) != LUA_OK) {
        fail(L, task);
        lua_settop(L, top);
        return;
    }
    run_thread(seat, task, lua_tothread(L, top + 1), top + 1);
    lua_pushcfunction(L, end_leases);
    lua_pushvalue(L, top + 2);
    lua_pcall(L, 1, 0, 0);
    lua_settop(L, top);
}

cns_status lcns_seat_run(lcns_pool *pool, lcns_task *task) {
    lcns_seat *seat = lcns_seat_take(pool);
    if (!seat) {
        task->outcome = LCNS_LOST;
        task->status = CNS_E_NOMEM;
        return CNS_E_FAILED;
    }
    run_task(seat, task);
    lcns_seat_give(seat);
    return task->outcome == LCNS_RETURNED ? CNS_OK : CNS_E_FAILED;
}
