/* SPDX-License-Identifier: MIT
 *
 * loops.c - pool:map, range and reduce: parts of a loop as tasks.
 *
 * A loop is cut into parts before it begins, each part is a task, and outcomes are taken in the
 * order of the parts. So the first error wins by position, not by time, and a reduction combines
 * the same values in the same tree whatever the schedule. The function is packed once. Whatever
 * happens, the loop ends with all its parts over: nothing it was lent is in use afterwards.
 */
#include <stdatomic.h>
#include <string.h>

#include "tasks.h"

enum {
    PARTS_PER_WORKER = 4, /* to even out parts of different cost */
    REDUCE_PARTS = 64,    /* not from the number of workers: the tree must not depend on it */
    PARTS_MAX = 1 << 20
};

typedef struct part {
    lcns_task *task;
    cns_future *future;
} part;

typedef struct loop_run {
    lcns_stay stay; /* for the whole of the loop */
    lcns_pool *pool;
    lcns_loop *loop;
    lcns_task_kind kind;
    lcns_spawn_settings settings;
    lcns_subject subject;
    char name[LCNS_TASK_NAME];
    lua_Integer first, last, grain;
    uint32_t count; /* parts */
    part *parts;
    int function; /* stack index */
    int extra, extra_count;
    int items;
    int outcome; /* stack index of the table of outcomes */
} loop_run;

/* ---- before and after ------------------------------------------------------------------------ */

static lcns_loop *create_loop(cns_context *context) {
    lcns_loop *loop = cns_context_resize(context, NULL, 0, sizeof *loop);
    if (loop) {
        memset(loop, 0, sizeof *loop);
        loop->context = context;
        atomic_init(&loop->references, 1);
        atomic_init(&loop->failed, UINT32_MAX);
    }
    return loop;
}

/* All parts end; those that have not begun never will. Raises nothing. */
static void end_loop(loop_run *run) {
    if (run->loop) {
        atomic_store(&run->loop->stop, 1);
    }
    for (uint32_t i = 0; run->parts && i < run->count; i++) {
        part *p = &run->parts[i];
        while (p->future && !cns_future_done(p->future) && cns_future_await(p->future) != CNS_OK) {
            /* an error, or a wait that cannot be: looks again until it is over */
        }
        cns_future_release(p->future);
        lcns_task_release(p->task);
    }
    if (run->parts) {
        cns_context_resize(run->pool->context, run->parts, run->count * sizeof *run->parts, 0);
    }
    lcns_loop_release(run->loop);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void cut(lua_State *L, loop_run *run) {
    uint64_t total = (uint64_t)run->last - (uint64_t)run->first + 1;
    if (total == 0 || total > INT64_MAX) {
        luaL_error(L, "%s: the range is too large", run->name);
    }
    uint64_t wanted = run->kind == LCNS_TASK_RANGE && run->outcome
                          ? REDUCE_PARTS
                          : (uint64_t)run->pool->worker_count * PARTS_PER_WORKER;
    uint64_t grain = (uint64_t)run->settings.grain;
    if (!grain) {
        grain = (total + wanted - 1) / wanted;
    }
    uint64_t count = total / grain + (total % grain != 0);
    if (count > PARTS_MAX) {
        luaL_error(L, "%s: a grain of %I makes too many parts (%I)", run->name, (LUAI_UACINT)grain,
                   (LUAI_UACINT)count);
    }
    run->grain = (lua_Integer)grain;
    part *parts = cns_context_resize(run->pool->context, NULL, 0, count * sizeof *parts);
    if (!parts) {
        lcns_raise(L, CNS_E_NOMEM);
    }
    memset(parts, 0, count * sizeof *parts);
    run->parts = parts;
    run->count = (uint32_t)count;
}

/* The part's items as a list of their own. */
static void pack_items(lua_State *L, loop_run *run, lcns_task *task) {
    lua_Integer count = task->part.last - task->part.first + 1;
    lua_createtable(L, count < INT32_MAX ? (int)count : 0, 0);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, run->items, task->part.first + i - 1);
        lua_rawseti(L, -2, i);
    }
    lcns_subject subject = run->subject;
    subject.role = "item";
    subject.list = true;
    subject.function_first = false;
    subject.base = task->part.first - 1;
    lcns_pack(L, &task->call, task->context, lua_gettop(L), 1, &subject);
    lua_pop(L, 1);
}

static void spawn_part(lua_State *L, loop_run *run, uint32_t index) {
    part *p = &run->parts[index];
    lcns_task *task = p->task = lcns_task_create(run->pool);
    if (!task) {
        lcns_raise(L, CNS_E_NOMEM);
        return;
    }
    memcpy(task->name, run->name, sizeof task->name);
    task->kind = run->kind;
    task->index = index;
    task->part.first = run->first + (lua_Integer)index * run->grain;
    task->part.last = index + 1 == run->count ? run->last : task->part.first + run->grain - 1;
    task->loop = run->loop;
    atomic_fetch_add_explicit(&run->loop->references, 1, memory_order_relaxed);
    task->token = run->settings.token;
    task->watched = run->settings.watched;
    cns_cancel_retain(task->token);
    if (run->items) {
        pack_items(L, run, task);
    }
    cns_status status = lcns_task_spawn(task, run->settings.priority, &p->future);
    if (status != CNS_OK) {
        lcns_raise(L, status);
    }
}

/* Waits for the part and pushes its first result; raises its error. */
static void take_part(lua_State *L, loop_run *run, uint32_t index) {
    part *p = &run->parts[index];
    cns_status status = lcns_task_await(L, p->task, p->future);
    if (!cns_future_done(p->future)) {
        lcns_raise(L, status);
    }
    int base = lua_gettop(L);
    int results = lcns_task_outcome(L, p->task, cns_future_await_for(p->future, 0));
    if (results < 0) {
        lua_error(L);
    }
    lua_settop(L, base + 1);
    lcns_poll(L);
}

static void take_outcome(lua_State *L, loop_run *run, uint32_t index) {
    take_part(L, run, index);
    if (run->items) {
        int list = lua_gettop(L);
        lua_Integer first = run->first + (lua_Integer)index * run->grain;
        lua_Integer count = index + 1 == run->count ? run->last - first + 1 : run->grain;
        for (lua_Integer i = 1; i <= count; i++) {
            lua_rawgeti(L, list, i);
            lua_rawseti(L, run->outcome, first + i - 1);
        }
    } else if (run->outcome) {
        lua_rawseti(L, run->outcome, (lua_Integer)index + 1);
        return;
    }
    lua_pop(L, 1);
}

/* Argument 1: the loop; then the method's own arguments. Leaves the table of outcomes, if any. */
static int run_protected(lua_State *L) {
    loop_run *run = lua_touserdata(L, 1);
    lua_remove(L, 1);
    luaL_checkstack(L, run->extra_count + 24, "cns.tasks");
    cut(L, run);
    run->loop = create_loop(run->pool->context);
    if (!run->loop) {
        lcns_raise(L, CNS_E_NOMEM);
    }
    int base = lua_gettop(L);
    lua_pushvalue(L, run->function);
    for (int i = 0; i < run->extra_count; i++) {
        lua_pushvalue(L, run->extra + i);
    }
    lcns_pack(L, &run->loop->call, run->pool->context, base + 1, run->extra_count + 1,
              &run->subject);
    lua_settop(L, base);
    for (uint32_t i = 0; i < run->count; i++) {
        spawn_part(L, run, i);
    }
    for (uint32_t i = 0; i < run->count; i++) {
        take_outcome(L, run, i);
    }
    lua_settop(L, run->outcome ? run->outcome : 0);
    return run->outcome ? 1 : 0;
}

/* Runs first..last of the loop with what is on the stack; leaves the table of outcomes on top. */
static void run_loop(lua_State *L, loop_run *run) {
    int count = lua_gettop(L);
    run->subject =
        (lcns_subject){.name = run->name, .role = "argument", .function_first = true, .loop = true};
    lcns_task_name(L, run->function, run->settings.name, run->name);
    luaL_checkstack(L, count + 8, "cns.tasks");
    /* Only now: metamethods and finalisers may have closed the pool since the call began. */
    lcns_stay_check(L, 1, &run->stay);
    run->pool = run->stay.pool;
    lua_pushcfunction(L, run_protected);
    lua_pushlightuserdata(L, run);
    for (int i = 1; i <= count; i++) {
        lua_pushvalue(L, i);
    }
    int status = lua_pcall(L, count + 1, run->outcome ? 1 : 0, 0);
    end_loop(run);
    lcns_stay_end(&run->stay);
    if (status != LUA_OK) {
        lua_error(L);
    }
}

/* ---- methods --------------------------------------------------------------------------------- */

/* pool, items, fn, options */
int lcns_pool_map(lua_State *L) {
    lcns_self(L);
    loop_run run = {.kind = LCNS_TASK_MAP, .function = 3, .items = 2};
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_settop(L, 4);
    run.first = 1;
    run.last = luaL_len(L, 2);
    lcns_spawn_options(L, 4, true, &run.settings);
    lua_createtable(L, run.last > 0 && run.last <= LCNS_PRESIZE_MAX ? (int)run.last : 0, 0);
    run.outcome = lua_gettop(L);
    if (run.last > 0) {
        run_loop(L, &run);
    }
    return 1;
}

/* pool, first, last, fn, options, ... */
int lcns_pool_range(lua_State *L) {
    lcns_self(L);
    loop_run run = {.kind = LCNS_TASK_RANGE, .function = 4};
    run.first = luaL_checkinteger(L, 2);
    run.last = luaL_checkinteger(L, 3);
    luaL_checktype(L, 4, LUA_TFUNCTION);
    int top = lua_gettop(L);
    run.extra = 6;
    run.extra_count = top > 5 ? top - 5 : 0;
    lcns_spawn_options(L, 5 <= top ? 5 : top + 1, true, &run.settings);
    if (run.first <= run.last) {
        run_loop(L, &run);
    }
    return 0;
}

/* The values 1..count of the table at `values`, two by two, level by level. `combine` runs in the
 * caller's own state. */
static void combine_all(lua_State *L, int values, int combine, lua_Integer count) {
    while (count > 1) {
        lua_Integer half = 0;
        for (lua_Integer i = 1; i <= count; i += 2) {
            if (i == count) {
                lua_rawgeti(L, values, i);
            } else {
                lua_pushvalue(L, combine);
                lua_rawgeti(L, values, i);
                lua_rawgeti(L, values, i + 1);
                lua_call(L, 2, 1);
            }
            lua_rawseti(L, values, ++half);
        }
        count = half;
        lcns_poll(L);
    }
}

/* pool, first, last, fold, combine, options */
int lcns_pool_reduce(lua_State *L) {
    lcns_self(L);
    loop_run run = {.kind = LCNS_TASK_RANGE, .function = 4};
    run.first = luaL_checkinteger(L, 2);
    run.last = luaL_checkinteger(L, 3);
    luaL_checktype(L, 4, LUA_TFUNCTION);
    luaL_checktype(L, 5, LUA_TFUNCTION);
    lua_settop(L, 6);
    lcns_spawn_options(L, 6, true, &run.settings);
    if (run.first > run.last) {
        return 0;
    }
    lua_newtable(L);
    run.outcome = lua_gettop(L);
    run_loop(L, &run);
    int values = lua_gettop(L);
    combine_all(L, values, 5, run.count);
    lua_rawgeti(L, values, 1);
    return 1;
}
