/* SPDX-License-Identifier: MIT
 *
 * graph.c - cns.graph: named nodes with dependencies, run as a graph of the engine.
 *
 * The nodes are kept as Lua values (name, function, names before it), and become tasks at each
 * run. A node reads the results of those before it straight from their messages; buffers among
 * them are lent for reading, and change owner when the run gives its results.
 */
#include <stdatomic.h>
#include <string.h>

#include "tasks.h"

/* The fields of a node's table. */
enum { NODE_NAME = 1, NODE_FUNCTION = 2, NODE_AFTER = 3 };

enum { NODES_MAX = 1 << 20 };

/* Its user value: {pool, nodes = {...}, names = {name -> index}}. */
typedef struct graph_object {
    lcns_object base;
    lcns_pool *pool;
} graph_object;

/* ---- building -------------------------------------------------------------------------------- */

int lcns_pool_graph(lua_State *L) {
    graph_object *graph = lcns_new(L, sizeof *graph, LCNS_GRAPH_TYPE);
    lcns_pool *pool = ((lcns_pool_object *)lcns_self(L))->pool;
    lcns_pool_retain(pool);
    graph->pool = pool;
    lua_createtable(L, 1, 2);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_newtable(L);
    lua_setfield(L, -2, "nodes");
    lua_newtable(L);
    lua_setfield(L, -2, "names");
    lua_setiuservalue(L, -2, 1);
    return 1;
}

/* Pushes the tables of nodes and of names; returns the stack index of the first. */
static int push_tables(lua_State *L) {
    lua_getiuservalue(L, 1, 1);
    int index = lua_gettop(L);
    lua_getfield(L, index, "nodes");
    lua_getfield(L, index, "names");
    lua_remove(L, index);
    return index;
}

/* Pushes a checked copy of the list of names at `arg`. */
static void push_after(lua_State *L, int arg) {
    lua_newtable(L);
    if (lua_isnoneornil(L, arg)) {
        return;
    }
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_Integer count = luaL_len(L, arg);
    for (lua_Integer i = 1; i <= count; i++) {
        if (lua_geti(L, arg, i) != LUA_TSTRING) {
            luaL_argerror(L, arg,
                          lua_pushfstring(L, "element %I: a node's name expected, got %s",
                                          (LUAI_UACINT)i, luaL_typename(L, -1)));
        }
        lua_rawseti(L, -2, i);
    }
}

/* graph, name, fn, after */
static int graph_add(lua_State *L) {
    lcns_self(L);
    luaL_checktype(L, 2, LUA_TSTRING);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_settop(L, 4);
    push_after(L, 4); /* first: its metamethods may close this graph, or add to it */
    lua_replace(L, 4);
    lcns_self(L);
    int nodes = push_tables(L), names = nodes + 1;
    lua_pushvalue(L, 2);
    if (lua_rawget(L, names) != LUA_TNIL) {
        return luaL_error(L, "the graph has a node '%s' already", lua_tostring(L, 2));
    }
    lua_Integer index = (lua_Integer)lua_rawlen(L, nodes) + 1;
    if (index > NODES_MAX) {
        return luaL_error(L, "a graph has at most %d nodes", NODES_MAX);
    }
    lua_createtable(L, 3, 0);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, NODE_NAME);
    lua_pushvalue(L, 3);
    lua_rawseti(L, -2, NODE_FUNCTION);
    lua_pushvalue(L, 4);
    lua_rawseti(L, -2, NODE_AFTER);
    lua_rawseti(L, nodes, index);
    lua_pushvalue(L, 2);
    lua_pushinteger(L, index);
    lua_rawset(L, names);
    lua_settop(L, 1);
    return 1;
}

/* ---- running --------------------------------------------------------------------------------- */

typedef struct node {
    lcns_task *task;
    lcns_task **before;
    uint32_t before_count;
    uint32_t id;
} node;

typedef struct graph_run {
    lcns_pool *pool;
    cns_graph *graph;
    node *nodes;
    uint32_t count;
    lcns_spawn_settings settings;
    int tables; /* stack index of the nodes; names behind it */
} graph_run;

static void free_run(graph_run *run) {
    cns_graph_destroy(run->graph);
    cns_context *context = run->pool->context;
    for (uint32_t i = 0; run->nodes && i < run->count; i++) {
        node *n = &run->nodes[i];
        lcns_task_release(n->task);
        cns_context_resize(context, n->before, n->before_count * sizeof *n->before, 0);
    }
    if (run->nodes) {
        cns_context_resize(context, run->nodes, run->count * sizeof *run->nodes, 0);
    }
}

/* The node's table is on top. */
static void make_node(lua_State *L, graph_run *run, uint32_t index) {
    node *n = &run->nodes[index];
    int table = lua_gettop(L);
    n->task = lcns_task_create(run->pool);
    if (!n->task) {
        lcns_raise(L, CNS_E_NOMEM);
    }
    lua_rawgeti(L, table, NODE_NAME);
    lua_rawgeti(L, table, NODE_FUNCTION);
    lcns_task_name(L, table + 2, lua_tostring(L, table + 1), n->task->name);
    n->task->token = run->settings.token;
    n->task->watched = run->settings.watched;
    cns_cancel_retain(n->task->token);
    lcns_subject subject = {.name = n->task->name, .role = "argument", .function_first = true};
    lcns_pack(L, &n->task->call, run->pool->context, table + 2, 1, &subject);
    lcns_ok(L, cns_graph_add(run->graph, lcns_task_run, n->task, run->settings.priority, &n->id));
    lua_settop(L, table);
}

/* Resolves the names before the node; its table is on top. */
static void link_node(lua_State *L, graph_run *run, uint32_t index) {
    node *n = &run->nodes[index];
    int table = lua_gettop(L);
    lua_rawgeti(L, table, NODE_AFTER);
    uint32_t count = (uint32_t)lua_rawlen(L, table + 1);
    if (count) {
        n->before = cns_context_resize(run->pool->context, NULL, 0, count * sizeof *n->before);
        if (!n->before) {
            lcns_raise(L, CNS_E_NOMEM);
        }
        n->before_count = count;
    }
    for (uint32_t i = 0; i < count; i++) {
        lua_rawgeti(L, table + 1, i + 1);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, run->tables + 1) == LUA_TNIL) {
            luaL_error(L, "%s comes after '%s', which the graph does not have", n->task->name,
                       lua_tostring(L, -2));
        }
        lua_Integer position = lua_tointeger(L, -1);
        if (position > run->count) { /* a finaliser added it since the run began */
            luaL_error(L, "the graph changed while its run was made");
        }
        node *other = &run->nodes[position - 1];
        n->before[i] = other->task;
        lcns_ok(L, cns_graph_depend(run->graph, n->id, other->id));
        lua_settop(L, table + 1);
    }
    n->task->before = n->before;
    n->task->before_count = count;
    lua_settop(L, table);
}

static void build(lua_State *L, graph_run *run) {
    uint32_t count = (uint32_t)lua_rawlen(L, run->tables);
    lcns_ok(L, cns_graph_create(run->pool->context, &run->graph));
    if (count == 0) {
        return;
    }
    run->nodes = cns_context_resize(run->pool->context, NULL, 0, count * sizeof *run->nodes);
    if (!run->nodes) {
        lcns_raise(L, CNS_E_NOMEM);
    }
    memset(run->nodes, 0, count * sizeof *run->nodes);
    run->count = count;
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < count; i++) {
            lua_rawgeti(L, run->tables, i + 1);
            (pass == 0 ? make_node : link_node)(L, run, i);
            lua_pop(L, 1);
        }
    }
}

/* Raises the first node's error, in the order of adding; or why the run ended otherwise. */
static void raise_first(lua_State *L, graph_run *run, cns_status status) {
    for (uint32_t i = 0; i < run->count; i++) {
        lcns_task *task = run->nodes[i].task;
        if (task->outcome == LCNS_RAISED || task->outcome == LCNS_LOST) {
            lcns_task_outcome(L, task, status);
            lua_error(L);
        }
    }
    lcns_raise(L, status);
}

/* Argument 1: the run, then graph:run's own arguments. Returns the table of results. */
static int run_protected(lua_State *L) {
    graph_run *run = lua_touserdata(L, 1);
    lua_remove(L, 1);
    luaL_checkstack(L, 24, "cns.tasks");
    run->tables = push_tables(L);
    build(L, run);
    cns_status status = cns_graph_run(run->graph, run->pool->tasks, run->settings.token);
    lcns_poll(L);
    if (status != CNS_OK) {
        raise_first(L, run, status);
    }
    lua_createtable(L, 0, (int)run->count);
    int results = lua_gettop(L);
    for (uint32_t i = 0; i < run->count; i++) {
        lua_rawgeti(L, run->tables, i + 1);
        lua_rawgeti(L, -1, NODE_NAME);
        int base = lua_gettop(L);
        lcns_task_outcome(L, run->nodes[i].task, CNS_OK);
        lua_settop(L, base + 1);
        lua_rawset(L, results);
        lua_settop(L, results);
    }
    return 1;
}

/* graph, options */
static int graph_run_method(lua_State *L) {
    lcns_self(L);
    lua_settop(L, 2);
    graph_run run = {0};
    lcns_spawn_options(L, 2, false, &run.settings);
    luaL_checkstack(L, 4, "cns.tasks");
    run.pool = ((graph_object *)lcns_self(L))->pool; /* a finaliser may have closed the graph */
    lcns_stay stay;
    cns_status entered = lcns_stay_begin(L, run.pool, &stay);
    if (entered == CNS_E_CANCELLED) {
        return luaL_error(L, LCNS_POOL_TYPE " is closed");
    }
    lcns_ok(L, entered);
    lua_pushcfunction(L, run_protected);
    lua_pushlightuserdata(L, &run);
    lua_pushvalue(L, 1);
    int status = lua_pcall(L, 2, 1, 0);
    free_run(&run);
    lcns_stay_end(&stay);
    return status == LUA_OK ? 1 : lua_error(L);
}

static int graph_close(lua_State *L) {
    lcns_shared *shared;
    graph_object *graph = lcns_begin_close(L, LCNS_GRAPH_TYPE, &shared);
    if (graph) {
        lcns_pool_release(graph->pool);
        lcns_shared_release(shared);
    }
    return 0;
}

void lcns_open_graph(lua_State *L) {
    static const luaL_Reg methods[] = {{"add", graph_add}, {"run", graph_run_method}, {NULL, NULL}};
    lcns_type(L, LCNS_GRAPH_TYPE, methods, NULL, graph_close);
}
