/* SPDX-License-Identifier: MIT
 *
 * solver.c - cns.solver.raw: the engine's solver as it is, variables as numbers. The modelling
 * layer, stdlib/cns/solver.lua, is written on top of it.
 *
 * A step runs in slices, with a look at the host's stop between two. No script runs within an
 * engine call; but any call that allocates in Lua may run a finaliser that closes the solver, so
 * the engine's object is looked up after the last of those (`live`). With several workers this
 * thread takes part in a pool's work, so other Lua code may run in the middle of a step, in this
 * very state: it finds the solver busy. The pool's object is the solver's user value.
 */
#include <string.h>

#include "tasks.h"
#include "watch.h"

#define NAME "cns.solver"
#define SLICE UINT64_C(400000)       /* ticks between two polls */
#define SHORT_SLICE UINT64_C(50000)  /* ... where a budget of time is to be kept */
#define TEAM_SLICE UINT64_C(4000000) /* ... where workers have to meet at its end */

typedef struct solver_object {
    lcns_object base;
    cns_solver *solver; /* NULL while being made */
    bool team;          /* several workers: the user value is their pool */
    bool stepping;
} solver_object;

static void refuse_busy(lua_State *L, const solver_object *self) {
    if (self->stepping) {
        luaL_error(L, NAME " is searching");
    }
}

static solver_object *idle_self(lua_State *L) {
    solver_object *self = lcns_self(L);
    refuse_busy(L, self);
    return self;
}

static cns_solver *live(lua_State *L, const solver_object *self) {
    if (!self->base.shared) {
        luaL_error(L, NAME " is closed");
    }
    return self->solver;
}

/* ---- arguments ------------------------------------------------------------------------------- */

static cns_var check_var(lua_State *L, int arg) {
    return (cns_var)lcns_check_range(L, arg, INT32_MIN, INT32_MAX);
}

static int find_choice(const char *text, const char *const *names, int count) {
    int k = 0;
    while (k < count && strcmp(names[k], text) != 0) {
        k++;
    }
    return k;
}

/* Pushes "first, second, third". */
static const char *push_choices(lua_State *L, const char *const *names, int count) {
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int k = 0; k < count; k++) {
        luaL_addstring(&b, k == 0 ? "" : ", ");
        luaL_addstring(&b, names[k]);
    }
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

/* One of `names`, by number. Raises with all of them. */
static int check_choice(lua_State *L, int arg, const char *const *names, int count) {
    const char *text = luaL_checkstring(L, arg);
    int choice = find_choice(text, names, count);
    if (choice == count) {
        const char *expected = push_choices(L, names, count);
        luaL_argerror(L, arg, lua_pushfstring(L, "'%s', expected %s", text, expected));
    }
    return choice;
}

/* The elements of the list at `index`, all integers in low..high, read without metamethods. `what`
 * and `number` are for messages. */
static void read_list(lua_State *L, int index, size_t count, lua_Integer low, lua_Integer high,
                      const char *what, int64_t *wide, cns_var *narrow) {
    for (size_t k = 0; k < count; k++) {
        int type = lua_rawgeti(L, index, (lua_Integer)k + 1);
        int integral = 0;
        lua_Integer value = type == LUA_TNUMBER ? lua_tointegerx(L, -1, &integral) : 0;
        if (!integral || value < low || value > high) {
            const char *got = type == LUA_TNUMBER ? lua_tostring(L, -1) : luaL_typename(L, -1);
            luaL_error(L, "%s: element %I is %s, expected an integer in %I..%I", what,
                       (LUAI_UACINT)k + 1, got, (LUAI_UACINT)low, (LUAI_UACINT)high);
        }
        lua_pop(L, 1);
        if (wide) {
            wide[k] = value;
        } else {
            narrow[k] = (cns_var)value;
        }
    }
}

/* The list at `arg` in memory of the collector, which is pushed. Never NULL. */
static cns_var *check_vars(lua_State *L, int arg, size_t *count) {
    luaL_checktype(L, arg, LUA_TTABLE);
    *count = (size_t)lua_rawlen(L, arg);
    cns_var *vars = lua_newuserdatauv(L, (*count + 1) * sizeof *vars, 0);
    read_list(L, arg, *count, INT32_MIN, INT32_MAX, "variables", NULL, vars);
    return vars;
}

static int64_t *check_ints(lua_State *L, int arg, size_t *count) {
    luaL_checktype(L, arg, LUA_TTABLE);
    *count = (size_t)lua_rawlen(L, arg);
    int64_t *ints = lua_newuserdatauv(L, (*count + 1) * sizeof *ints, 0);
    read_list(L, arg, *count, LUA_MININTEGER, LUA_MAXINTEGER, "integers", ints, NULL);
    return ints;
}

/* ---- variables ------------------------------------------------------------------------------- */

static int push_var(lua_State *L, cns_status status, const cns_var *var) {
    lcns_ok(L, status);
    lua_pushinteger(L, *var);
    return 1;
}

/* raw:int(low, high, name?) or raw:int(ranges, name?) */
static int solver_int(lua_State *L) {
    solver_object *self = idle_self(L);
    cns_var var = 0;
    if (lua_type(L, 2) == LUA_TTABLE) {
        const char *name = luaL_optstring(L, 3, NULL);
        size_t count;
        const int64_t *ranges = check_ints(L, 2, &count);
        if (count % 2 != 0) {
            return luaL_argerror(L, 2, "pairs of low and high expected");
        }
        cns_status status = cns_solver_new_int_ranges(live(L, self), ranges, count / 2, name, &var);
        return push_var(L, status, &var);
    }
    lua_Integer low = lcns_check_range(L, 2, LUA_MININTEGER, LUA_MAXINTEGER);
    lua_Integer high = lcns_check_range(L, 3, LUA_MININTEGER, LUA_MAXINTEGER);
    const char *name = luaL_optstring(L, 4, NULL);
    return push_var(L, cns_solver_new_int(live(L, self), low, high, name, &var), &var);
}

static int solver_bool(lua_State *L) {
    solver_object *self = idle_self(L);
    cns_var var = 0;
    const char *name = luaL_optstring(L, 2, NULL);
    return push_var(L, cns_solver_new_bool(live(L, self), name, &var), &var);
}

static int solver_constant(lua_State *L) {
    solver_object *self = idle_self(L);
    cns_var var = 0;
    lua_Integer value = lcns_check_range(L, 2, LUA_MININTEGER, LUA_MAXINTEGER);
    return push_var(L, cns_solver_constant(self->solver, value, &var), &var);
}

static int solver_bounds(lua_State *L) {
    const solver_object *self = idle_self(L);
    int64_t low = 0, high = 0;
    lcns_ok(L, cns_solver_bounds(self->solver, check_var(L, 2), &low, &high));
    lua_pushinteger(L, low);
    lua_pushinteger(L, high);
    return 2;
}

static int solver_name(lua_State *L) {
    const solver_object *self = idle_self(L);
    lua_pushstring(L, cns_solver_variable_name(self->solver, check_var(L, 2)));
    return 1;
}

static int solver_counts(lua_State *L) {
    const solver_object *self = idle_self(L);
    lua_pushinteger(L, cns_solver_variable_count(self->solver));
    lua_pushinteger(L, cns_solver_constraint_count(self->solver));
    return 2;
}

static int solver_output(lua_State *L) {
    solver_object *self = idle_self(L);
    lcns_ok(L, cns_solver_mark_output(self->solver, check_var(L, 2)));
    return 0;
}

/* ---- constraints ----------------------------------------------------------------------------- */

/* A kind's number, or its name as in cns/solver.h, in lower case. */
static cns_constraint_kind check_kind(lua_State *L, int arg) {
    if (lua_type(L, arg) != LUA_TSTRING) {
        return (cns_constraint_kind)lcns_check_range(L, arg, 1, CNS_CONSTRAINT_KINDS - 1);
    }
    const char *text = lua_tostring(L, arg);
    for (int kind = 1; kind < CNS_CONSTRAINT_KINDS; kind++) {
        if (strcmp(text, cns_constraint_kind_name((cns_constraint_kind)kind)) == 0) {
            return (cns_constraint_kind)kind;
        }
    }
    luaL_argerror(L, arg, lua_pushfstring(L, "there is no constraint '%s'", text));
    return CNS_CLAUSE;
}

/* Pushes the up to four lists at `arg` (nil: none); gives the number of elements in each, and of
 * all. */
static size_t push_lists(lua_State *L, int arg, size_t counts[4]) {
    size_t total = 0;
    int lists = 0;
    if (!lua_isnoneornil(L, arg)) {
        luaL_checktype(L, arg, LUA_TTABLE);
        lua_Unsigned length = lua_rawlen(L, arg);
        luaL_argcheck(L, length <= 4, arg, "at most four lists expected");
        lists = (int)length;
    }
    for (int k = 0; k < 4; k++) {
        counts[k] = 0;
        if (k >= lists) {
            lua_pushnil(L);
            continue;
        }
        if (lua_rawgeti(L, arg, k + 1) != LUA_TTABLE) {
            luaL_argerror(L, arg,
                          lua_pushfstring(L, "list %d is of type %s", k + 1, luaL_typename(L, -1)));
        }
        counts[k] = (size_t)lua_rawlen(L, -1);
        total += counts[k];
    }
    return total;
}

/* Arguments 2 to 4 as the constraint's arrays, in memory of the collector that is pushed. */
static void read_constraint(lua_State *L, cns_constraint *c) {
    c->kind = check_kind(L, 2);
    int first = lua_gettop(L) + 1;
    size_t vars = push_lists(L, 3, c->v_count);
    size_t ints = push_lists(L, 4, c->i_count);
    int64_t *wide = lua_newuserdatauv(L, (ints + 1) * sizeof *wide, 0);
    cns_var *narrow = lua_newuserdatauv(L, (vars + 1) * sizeof *narrow, 0);
    const char *name = cns_constraint_kind_name(c->kind);
    for (int k = 0; k < 4; k++) {
        c->v[k] = narrow;
        read_list(L, first + k, c->v_count[k], INT32_MIN, INT32_MAX, name, NULL, narrow);
        narrow += c->v_count[k];
        c->i[k] = wide;
        read_list(L, first + 4 + k, c->i_count[k], LUA_MININTEGER, LUA_MAXINTEGER, name, wide,
                  NULL);
        wide += c->i_count[k];
    }
}

/* raw:add(kind, {v0, ...}?, {i0, ...}?, condition?, literal?, name?, redundant?) */
static int solver_add(lua_State *L) {
    static const char *const conditions[] = {"always", "if", "iff"};
    solver_object *self = idle_self(L);
    lua_settop(L, 8);
    luaL_checkstack(L, 16, NAME);
    cns_constraint c = {.size = sizeof c};
    if (!lua_isnil(L, 5)) {
        c.condition = (cns_reification)check_choice(L, 5, conditions, 3);
    }
    if (c.condition != CNS_ALWAYS) {
        c.literal = check_var(L, 6);
    }
    c.name = luaL_optstring(L, 7, NULL);
    c.redundant = (uint32_t)lua_toboolean(L, 8);
    read_constraint(L, &c);
    lcns_ok(L, cns_solver_add(live(L, self), &c));
    return 0;
}

/* ---- the search ------------------------------------------------------------------------------ */

static int solver_goal(lua_State *L) {
    static const char *const goals[] = {"satisfy", "minimize", "maximize"};
    solver_object *self = idle_self(L);
    cns_goal goal = (cns_goal)check_choice(L, 2, goals, 3);
    cns_var var = goal == CNS_SATISFY ? 0 : check_var(L, 3);
    lcns_ok(L, cns_solver_set_goal(live(L, self), goal, var));
    return 0;
}

static int solver_search(lua_State *L) {
    static const char *const var_rules[] = {"input_order",      "first_fail", "anti_first_fail",
                                            "smallest",         "largest",    "occurrence",
                                            "most_constrained", "max_regret", "dom_w_deg"};
    static const char *const value_rules[] = {
        "min",   "max",           "middle",   "median",        "ascending",    "random",
        "split", "reverse_split", "interval", "outdomain_min", "outdomain_max"};
    solver_object *self = idle_self(L);
    int var_rule = check_choice(L, 3, var_rules, sizeof var_rules / sizeof *var_rules);
    int value_rule = check_choice(L, 4, value_rules, sizeof value_rules / sizeof *value_rules);
    size_t count;
    const cns_var *vars = check_vars(L, 2, &count);
    lcns_ok(L, cns_solver_add_search(live(L, self), vars, count, (cns_choose_var)var_rule,
                                     (cns_choose_value)value_rule));
    return 0;
}

static int solver_hint(lua_State *L) {
    solver_object *self = idle_self(L);
    lua_Integer value = lcns_check_range(L, 3, LUA_MININTEGER, LUA_MAXINTEGER);
    lcns_ok(L, cns_solver_hint(self->solver, check_var(L, 2), value));
    return 0;
}

/* The option `key` as one of the names; 0 when absent. */
static int option_choice(lua_State *L, const char *key, const char *const *names, int count) {
    int choice = 0;
    if (lcns_option_push(L, 2, key)) {
        choice =
            lua_type(L, -1) == LUA_TSTRING ? find_choice(lua_tostring(L, -1), names, count) : count;
        if (choice == count) {
            const char *expected = push_choices(L, names, count);
            lua_insert(L, -2);
            lcns_option_fail(L, 2, key, expected);
        }
    }
    lua_pop(L, 1);
    return choice;
}

static double option_number(lua_State *L, const char *key) {
    double number = 0;
    if (lcns_option_push(L, 2, key)) {
        number = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
        if (!(number >= 0 && number < 1e9)) {
            lcns_option_fail(L, 2, key, "number in 0..1e9");
        }
    }
    lua_pop(L, 1);
    return number;
}

/* How many workers there are to be; pushes the pool of `tasks`, or the default one where only
 * `workers` is given, or nil. */
static uint32_t option_workers(lua_State *L, cns_executor *executor) {
    lua_Integer workers = 1;
    bool counted = lcns_option_integer(L, 2, "workers", 1, UINT32_MAX, &workers);
    if (lcns_option_push(L, 2, "tasks")) {
        if (!lcns_test(L, -1, LCNS_POOL_TYPE)) {
            lcns_option_fail(L, 2, "tasks", LCNS_POOL_TYPE);
        }
    } else if (workers > 1) {
        lua_pop(L, 1);
        lcns_push_pool(L, lcns_pool_default(L));
    }
    if (!lua_isnil(L, -1)) {
        lcns_stay stay; /* raises when the pool is closed */
        lcns_stay_check(L, lua_gettop(L), &stay);
        workers = counted ? workers : stay.pool->worker_count;
        cns_tasks_executor(stay.pool->tasks, executor);
        lcns_stay_end(&stay);
    }
    return (uint32_t)workers;
}

/* Gives the limit on time in seconds, where there is one. */
static int solver_options(lua_State *L) {
    static const char *const known[] = {"time",          "conflicts",     "strategy", "restart",
                                        "restart_scale", "restart_base",  "all",      "workers",
                                        "tasks",         "deterministic", "optimise", NULL};
    static const char *const strategies[] = {"default", "fixed", "free"};
    static const char *const restarts[] = {"default", "none",     "luby", "geometric",
                                           "linear",  "constant", "lbd"};
    static const char *const policies[] = {"default", "linear", "probe", "cores"};
    solver_object *self = idle_self(L);
    lua_settop(L, 2);
    lcns_options(L, 2, known);
    cns_solve_options options = {.size = sizeof options};
    lua_Integer integer = 0;
    if (lcns_option_duration(L, 2, "time", &options.time_limit) && options.time_limit == 0) {
        options.time_limit = 1; /* no time, as opposed to no limit */
    }
    if (lcns_option_integer(L, 2, "conflicts", 1, LUA_MAXINTEGER, &integer)) {
        options.conflict_limit = (uint64_t)integer;
    }
    if (lcns_option_integer(L, 2, "restart_scale", 1, UINT32_MAX, &integer)) {
        options.restart_scale = (uint32_t)integer;
    }
    options.restart_base = option_number(L, "restart_base");
    options.strategy = (cns_strategy)option_choice(L, "strategy", strategies, 3);
    options.restart = (cns_restart_policy)option_choice(L, "restart", restarts, 7);
    options.optimise = (cns_optimise_policy)option_choice(L, "optimise", policies, 4);
    options.all_solutions = lcns_option_boolean(L, 2, "all", false);
    options.deterministic = lcns_option_boolean(L, 2, "deterministic", false);
    cns_executor executor = {0};
    options.workers = option_workers(L, &executor);
    options.executor = options.workers > 1 ? &executor : NULL;
    lcns_ok(L, cns_solver_set_options(live(L, self), &options));
    lua_setiuservalue(L, 1, 1);
    self->team = options.workers > 1;
    if (options.time_limit == 0) {
        return 0;
    }
    lua_pushnumber(L, (double)options.time_limit * 1e-9);
    return 1;
}

static int solver_assume(lua_State *L) {
    solver_object *self = idle_self(L);
    size_t count;
    const cns_var *literals = check_vars(L, 2, &count);
    lcns_ok(L, cns_solver_assume(live(L, self), literals, count));
    return 0;
}

/* One slice; `pool`: the stack index of the workers' pool. */
static cns_status step_once(lua_State *L, solver_object *self, int pool, uint64_t ticks,
                            cns_outcome *outcome) {
    lcns_stay stay = {0};
    if (self->team) {
        lcns_stay_check(L, pool, &stay);
    }
    self->stepping = true;
    cns_status status = cns_solver_step(self->solver, ticks, outcome);
    self->stepping = false;
    lcns_stay_end(&stay);
    return status;
}

/* Slices until the outcome, or until `ticks` are used up or `end`, on the clock, is there. */
static cns_outcome run_slices(lua_State *L, solver_object *self, uint64_t ticks, uint64_t end) {
    cns_outcome outcome = CNS_RUNNING;
    uint64_t whole = end != UINT64_MAX ? SHORT_SLICE : self->team ? TEAM_SLICE : SLICE;
    lua_getiuservalue(L, 1, 1);
    int pool = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lcns_watch watch = lcns_watch_begin(self->base.shared, lua_tothread(L, -1), lcns_seat_of(L));
    while (outcome == CNS_RUNNING && ticks > 0) {
        cns_status stop = lcns_watch_poll(&watch);
        if (stop != CNS_OK) {
            luaL_error(L, "interrupted: %s", cns_status_text(stop));
        }
        uint64_t slice = ticks < whole ? ticks : whole;
        lcns_ok(L, step_once(L, self, pool, slice, &outcome));
        ticks -= slice;
        if (end != UINT64_MAX && lcns_now_ns() >= end) {
            break;
        }
    }
    return outcome;
}

/* raw:step(ticks?, seconds?): both are budgets; without any, until there is something to say. */
static int solver_step(lua_State *L) {
    static const char *const outcomes[] = {"running", "solution", "complete", "stopped"};
    solver_object *self = idle_self(L);
    uint64_t ticks = UINT64_MAX, end = UINT64_MAX;
    if (!lua_isnoneornil(L, 2)) {
        ticks = (uint64_t)lcns_check_range(L, 2, 1, LUA_MAXINTEGER);
    }
    if (!lua_isnoneornil(L, 3)) {
        end = lcns_now_ns() + lcns_check_duration(L, 3);
    }
    lua_pushstring(L, outcomes[run_slices(L, self, ticks, end)]);
    return 1;
}

static int solver_cancel(lua_State *L) {
    solver_object *self = lcns_self(L);
    cns_solver_cancel(self->solver);
    return 0;
}

static int solver_restart(lua_State *L) {
    solver_object *self = idle_self(L);
    lcns_ok(L, cns_solver_restart(self->solver));
    return 0;
}

/* ---- results --------------------------------------------------------------------------------- */

static int solver_value(lua_State *L) {
    const solver_object *self = idle_self(L);
    int64_t value = 0;
    cns_status status = cns_solver_value(self->solver, check_var(L, 2), &value);
    if (status == CNS_E_NOTFOUND) {
        lua_pushnil(L);
        return 1;
    }
    lcns_ok(L, status);
    lua_pushinteger(L, value);
    return 1;
}

/* Of variables 0..count - 1, variable k at k + 1; nil before the first solution. */
static int solver_values(lua_State *L) {
    const solver_object *self = idle_self(L);
    uint32_t all = cns_solver_variable_count(self->solver);
    lua_Integer count = luaL_opt(L, luaL_checkinteger, 2, all);
    luaL_argcheck(L, count >= 0 && count <= (lua_Integer)all, 2, "more values than variables");
    lua_createtable(L, (int)count, 0);
    const cns_solver *solver = live(L, self);
    for (lua_Integer k = 0; k < count; k++) {
        int64_t value = 0;
        cns_status status = cns_solver_value(solver, (cns_var)k, &value);
        if (status == CNS_E_NOTFOUND) {
            lua_pushnil(L);
            return 1;
        }
        lcns_ok(L, status);
        lua_pushinteger(L, value);
        lua_rawseti(L, -2, k + 1);
    }
    return 1;
}

/* The assumptions at fault, not minimised: that takes searches, which `step` can interrupt. */
static int solver_core(lua_State *L) {
    const solver_object *self = idle_self(L);
    const cns_var *literals = NULL;
    size_t count = 0;
    cns_status status = cns_solver_core(self->solver, 0, &literals, &count);
    if (status == CNS_E_NOTFOUND) {
        lua_pushnil(L);
        return 1;
    }
    lcns_ok(L, status);
    size_t room = count;
    lua_createtable(L, (int)room, 0);
    lcns_ok(L, cns_solver_core(live(L, self), 0, &literals, &count));
    for (size_t k = 0; k < count && k < room; k++) {
        lua_pushinteger(L, literals[k]);
        lua_rawseti(L, -2, (lua_Integer)k + 1);
    }
    return 1;
}

static void set_integer(lua_State *L, const char *key, uint64_t value) {
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, key);
}

static void set_seconds(lua_State *L, const char *key, uint64_t nanoseconds) {
    lua_pushnumber(L, (double)nanoseconds * 1e-9);
    lua_setfield(L, -2, key);
}

static int solver_stats(lua_State *L) {
    const solver_object *self = idle_self(L);
    cns_solver_stats s = {0};
    cns_solver_get_stats(self->solver, &s);
    lua_createtable(L, 0, 24);
    set_integer(L, "nodes", s.nodes);
    set_integer(L, "failures", s.failures);
    set_integer(L, "restarts", s.restarts);
    set_integer(L, "propagations", s.propagations);
    set_integer(L, "solutions", s.solutions);
    set_integer(L, "ticks", s.ticks);
    set_integer(L, "peak_depth", s.peak_depth);
    set_integer(L, "learnt", s.learnt);
    set_integer(L, "learnt_now", s.learnt_now);
    set_integer(L, "literals", s.literals);
    set_integer(L, "int_vars", s.int_vars);
    set_integer(L, "bool_vars", s.bool_vars);
    set_integer(L, "propagators", s.propagators);
    set_integer(L, "clauses", s.clauses);
    set_integer(L, "memory_peak", s.memory_peak);
    set_seconds(L, "setup_time", s.setup_time);
    set_seconds(L, "search_time", s.search_time);
    if (s.has_solution) {
        set_integer(L, "objective", (uint64_t)s.objective);
    }
    set_integer(L, "bound", (uint64_t)s.bound);
    lua_pushboolean(L, (int)s.has_solution);
    lua_setfield(L, -2, "has_solution");
    lua_pushboolean(L, (int)s.proved);
    lua_setfield(L, -2, "proved");
    return 1;
}

/* true, or false and which constraint fails. */
static int solver_check_values(lua_State *L) {
    const solver_object *self = idle_self(L);
    size_t count;
    const int64_t *values = check_ints(L, 2, &count);
    cns_status status = cns_solver_check_values(live(L, self), values, count);
    if (status == CNS_E_CORRUPT) {
        char message[256] = "";
        cns_context_message(self->base.shared->context, message, sizeof message);
        lua_pushboolean(L, 0);
        lua_pushstring(L, message);
        return 2;
    }
    lcns_ok(L, status);
    lua_pushboolean(L, 1);
    return 1;
}

static int solver_check(lua_State *L) {
    solver_object *self = idle_self(L);
    lcns_ok(L, cns_solver_check(self->solver));
    return 0;
}

/* ---- the object ------------------------------------------------------------------------------ */

static int solver_tostring(lua_State *L) {
    const solver_object *self = lcns_test(L, 1, NAME);
    if (!self) {
        return luaL_typeerror(L, 1, NAME);
    }
    if (!self->base.shared) {
        lua_pushliteral(L, NAME " (closed)");
    } else {
        lua_pushfstring(L, NAME " %d variables, %d constraints",
                        (int)cns_solver_variable_count(self->solver),
                        (int)cns_solver_constraint_count(self->solver));
    }
    return 1;
}

static int solver_close(lua_State *L) {
    lcns_shared *shared;
    solver_object *self = lcns_test(L, 1, NAME);
    if (self) {
        refuse_busy(L, self);
    }
    self = lcns_begin_close(L, NAME, &shared);
    if (self) {
        cns_solver_destroy(self->solver);
        self->solver = NULL;
        lcns_shared_release(shared);
    }
    return 0;
}

static int solver_create(lua_State *L) {
    static const char *const known[] = {"seed", "memory", NULL};
    lua_settop(L, 1);
    lcns_options(L, 1, known);
    cns_solver_config config = {.size = sizeof config};
    lua_Integer seed = 0;
    lcns_option_integer(L, 1, "seed", LUA_MININTEGER, LUA_MAXINTEGER, &seed);
    config.seed = (uint64_t)seed;
    lcns_option_bytes(L, 1, "memory", &config.memory_limit);
    solver_object *self = lcns_new(L, sizeof *self, NAME);
    lcns_ok(L, cns_solver_create(self->base.shared->context, &config, &self->solver));
    return 1;
}

static const luaL_Reg methods[] = {
    {"int", solver_int},
    {"bool", solver_bool},
    {"constant", solver_constant},
    {"bounds", solver_bounds},
    {"name", solver_name},
    {"counts", solver_counts},
    {"output", solver_output},
    {"add", solver_add},
    {"goal", solver_goal},
    {"search", solver_search},
    {"hint", solver_hint},
    {"options", solver_options},
    {"assume", solver_assume},
    {"step", solver_step},
    {"cancel", solver_cancel},
    {"restart", solver_restart},
    {"value", solver_value},
    {"values", solver_values},
    {"core", solver_core},
    {"stats", solver_stats},
    {"check_values", solver_check_values},
    {"check", solver_check},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__tostring", solver_tostring},
    {NULL, NULL},
};

/* What is not in the part is looked for in the modelling layer, which is loaded then: so that
 * `cns.solver.model` works without a second `require`. */
static int part_index(lua_State *L) {
    lua_settop(L, 2);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "cns.solver");
    lua_call(L, 1, 1);
    lua_insert(L, 2);
    lua_gettable(L, 2);
    return 1;
}

int lcns_open_solver(lua_State *L) {
    lcns_type(L, NAME, methods, metamethods, solver_close);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, solver_create);
    lua_setfield(L, -2, "raw");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, part_index);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    return 1;
}
