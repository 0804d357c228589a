---@meta cns.solver
-- SPDX-License-Identifier: MIT
--
-- The constraint solver, for LuaLS and for readers; the guide is doc/solver.md. Lists are plain
-- tables or arrays of the model; integers stand for themselves, truth values count as 0 or 1 in
-- arithmetic. Wrong arguments raise an error at the caller's line.

---@alias cns.integer integer|cns.expression
---@alias cns.truth boolean|cns.expression

---A variable, an integer expression, or a truth value (a Boolean variable, a relation). It never
---changes.
---@class cns.expression
---@operator add(cns.integer): cns.expression
---@operator sub(cns.integer): cns.expression
---@operator mul(cns.integer): cns.expression
---@operator idiv(cns.integer): cns.expression
---@operator mod(cns.integer): cns.expression
---@operator pow(cns.integer): cns.expression
---@operator unm: cns.expression
---@operator band(cns.truth): cns.expression
---@operator bor(cns.truth): cns.expression
---@operator bxor(cns.truth): cns.expression
---@operator bnot: cns.expression
local expression = {}
---@param other cns.integer
---@return cns.expression
function expression:le(other) end
---@param other cns.integer
---@return cns.expression
function expression:lt(other) end
---@param other cns.integer
---@return cns.expression
function expression:ge(other) end
---@param other cns.integer
---@return cns.expression
function expression:gt(other) end
---@param other cns.integer|cns.truth
---@return cns.expression
function expression:eq(other) end
---@param other cns.integer|cns.truth
---@return cns.expression
function expression:ne(other) end
---One of the values, or in one of the ranges {low, high}.
---@param values (integer|integer[])[]
---@return cns.expression
function expression:within(values) end
---@param other cns.truth
---@return cns.expression
function expression:implies(other) end
---@param other cns.truth
---@return cns.expression
function expression:iff(other) end
---`yes` where this truth value holds, else `no`.
---@param yes cns.integer
---@param no cns.integer
---@return cns.expression
function expression:choose(yes, no) end

---@class cns.array: { [integer]: cns.expression }
local array = {}
---self[index] for an expression; undefined beyond the array.
---@param index cns.integer
---@return cns.expression
function array:at(index) end
---@param coefficients integer[]?
---@return cns.expression
function array:sum(coefficients) end
---@return cns.expression
function array:min() end
---@return cns.expression
function array:max() end
---@return cns.expression
function array:arg_min() end
---@return cns.expression
function array:arg_max() end
---@return cns.expression
function array:nvalue() end
---@param y cns.integer
---@return cns.expression
function array:count(y) end
---@param values (integer|integer[])[]
---@return cns.expression
function array:among(values) end
---@return cns.expression
function array:all() end
---@return cns.expression
function array:any() end
---@param y cns.integer[]
---@param coefficients integer[]?
---@return cns.expression
function array:sum_of_products(y, coefficients) end
---@param except integer[]?
---@return cns.expression
function array:all_different(except) end
---@return cns.expression
function array:all_equal() end
---@return cns.expression
function array:increasing() end
---@return cns.expression
function array:strictly_increasing() end

---@class cns.matrix: { [integer]: cns.array }
local matrix = {}
---@param r integer
---@return cns.array
function matrix:row(r) end
---@param c integer
---@return cns.array
function matrix:column(c) end
---All elements, row by row.
---@return cns.array
function matrix:flat() end
---@return cns.array
function matrix:block(r, c, rows, columns) end
---@param r cns.integer
---@param c cns.integer
---@return cns.expression
function matrix:at(r, c) end

---@class cns.interval
---@field start cns.integer
---@field duration cns.integer
---@field finish cns.integer
---@field presence cns.truth
---@field name string
local interval = {}
---This one ends, and `gap` later, the other may begin; where both take place.
---@param other cns.interval
---@param gap cns.integer?
---@return cns.expression
function interval:before(other, gap) end

---`solution[x]` is what a variable, an expression or a list of them is worth: an integer, or true or
---false; nil where it is undefined.
---@class cns.solution
---@field objective integer? when there was a goal
local solution = {}
---@param value cns.integer|cns.truth|table
---@return integer|boolean|table|nil
function solution:value(value) end

---@class cns.solver.options
---@field time number|string|nil seconds, or text such as "50 ms"
---@field conflicts integer?
---@field seed integer?
---@field strategy "default"|"free"|"fixed"|nil
---@field restart "default"|"none"|"luby"|"geometric"|"linear"|"constant"|"lbd"|nil
---@field restart_scale integer?
---@field restart_base number?
---@field optimise "default"|"linear"|"probe"|"cores"|nil
---@field workers integer? how many search together; on the default pool without `tasks`
---@field tasks cns.tasks.pool? where they search
---@field deterministic boolean? several workers give the same on each run
---@field assume table<integer|string, cns.truth>?
---@field progress (fun(stats: table): boolean?)?

---Rows by state: the next state, or 0, by symbol (from 1).
---@class cns.automaton
---@field transitions integer[][]
---@field start integer? 1
---@field accepting integer[]

---@class cns.solver
---@field raw fun(options: {seed: integer?, memory: integer|string|nil}?): cns.solver.raw
---@field model fun(options: {seed: integer?, memory: integer|string|nil}?): cns.solver.model
---@field sum fun(list: cns.integer[], coefficients: integer[]?): cns.expression
---@field abs fun(a: cns.integer): cns.integer
---@field min fun(list: cns.integer[]): cns.expression
---@field max fun(list: cns.integer[]): cns.expression
---@field arg_min fun(list: cns.integer[]): cns.expression
---@field arg_max fun(list: cns.integer[]): cns.expression
---@field nvalue fun(list: cns.integer[]): cns.expression
---@field count fun(list: cns.integer[], y: cns.integer): cns.expression
---@field among fun(list: cns.integer[], values: (integer|integer[])[]): cns.expression
---@field element fun(list: cns.integer[], index: cns.integer): cns.integer
---@field sum_of_products fun(x: cns.integer[], y: cns.integer[], a: integer[]?): cns.expression
---@field all fun(list: cns.truth[]): cns.expression
---@field any fun(list: cns.truth[]): cns.expression
---@field odd fun(list: cns.truth[]): cns.expression
---@field all_different fun(x: cns.integer[], except: integer[]?): cns.expression
---@field all_equal fun(x: cns.integer[]): cns.expression
---@field member fun(x: cns.integer[], y: cns.integer): cns.expression
---@field global_cardinality fun(x: cns.integer[], values: integer[], counts: cns.integer[], closed: boolean?): cns.expression
---@field increasing fun(x: cns.integer[]): cns.expression
---@field strictly_increasing fun(x: cns.integer[]): cns.expression
---@field lex_le fun(x: cns.integer[], y: cns.integer[]): cns.expression
---@field lex_lt fun(x: cns.integer[], y: cns.integer[]): cns.expression
---@field sort fun(x: cns.integer[], y: cns.integer[]): cns.expression
---@field arg_sort fun(x: cns.integer[], p: cns.integer[]): cns.expression
---@field precede fun(x: cns.integer[], values: integer[]): cns.expression
---@field circuit fun(x: cns.integer[]): cns.expression
---@field subcircuit fun(x: cns.integer[]): cns.expression
---@field inverse fun(f: cns.integer[], g: cns.integer[]): cns.expression
---@field table fun(x: cns.integer[], rows: integer[][]): cns.expression
---@field regular fun(x: cns.integer[], automaton: cns.automaton): cns.expression
---@field mdd fun(x: cns.integer[], nodes: integer, edges: integer[][]): cns.expression
---@field no_overlap fun(intervals: cns.interval[]): cns.expression
---@field cumulative fun(starts: cns.integer[]|cns.interval[], durations: cns.integer[], demands: cns.integer[]|cns.integer, capacity: cns.integer?): cns.expression
---@field disjunctive fun(starts: cns.integer[], durations: cns.integer[], presence: cns.truth[]?, strict: boolean?): cns.expression
---@field diffn fun(x: cns.integer[], y: cns.integer[], dx: cns.integer[], dy: cns.integer[], strict: boolean?): cns.expression
---@field bin_packing fun(bins: cns.integer[], weights: integer[], loads: cns.integer[]): cns.expression
---@field knapsack fun(x: cns.integer[], weights: integer[], profits: integer[], weight: cns.integer, profit: cns.integer): cns.expression

---Named constraints are methods that post: model:circuit(x) is model:post(solver.circuit(x)).
---@class cns.solver.model
---@field all_different fun(self: cns.solver.model, x: cns.integer[], except: integer[]?): cns.expression
---@field all_equal fun(self: cns.solver.model, x: cns.integer[]): cns.expression
---@field member fun(self: cns.solver.model, x: cns.integer[], y: cns.integer): cns.expression
---@field global_cardinality fun(self: cns.solver.model, x: cns.integer[], values: integer[], counts: cns.integer[], closed: boolean?): cns.expression
---@field increasing fun(self: cns.solver.model, x: cns.integer[]): cns.expression
---@field strictly_increasing fun(self: cns.solver.model, x: cns.integer[]): cns.expression
---@field lex_le fun(self: cns.solver.model, x: cns.integer[], y: cns.integer[]): cns.expression
---@field lex_lt fun(self: cns.solver.model, x: cns.integer[], y: cns.integer[]): cns.expression
---@field sort fun(self: cns.solver.model, x: cns.integer[], y: cns.integer[]): cns.expression
---@field arg_sort fun(self: cns.solver.model, x: cns.integer[], p: cns.integer[]): cns.expression
---@field precede fun(self: cns.solver.model, x: cns.integer[], values: integer[]): cns.expression
---@field circuit fun(self: cns.solver.model, x: cns.integer[]): cns.expression
---@field subcircuit fun(self: cns.solver.model, x: cns.integer[]): cns.expression
---@field inverse fun(self: cns.solver.model, f: cns.integer[], g: cns.integer[]): cns.expression
---@field table fun(self: cns.solver.model, x: cns.integer[], rows: integer[][]): cns.expression
---@field regular fun(self: cns.solver.model, x: cns.integer[], automaton: cns.automaton): cns.expression
---@field mdd fun(self: cns.solver.model, x: cns.integer[], nodes: integer, edges: integer[][]): cns.expression
---@field no_overlap fun(self: cns.solver.model, intervals: cns.interval[]): cns.expression
---@field cumulative fun(self: cns.solver.model, starts: cns.integer[]|cns.interval[], durations: cns.integer[], demands: cns.integer[]|cns.integer, capacity: cns.integer?): cns.expression
---@field disjunctive fun(self: cns.solver.model, starts: cns.integer[], durations: cns.integer[], presence: cns.truth[]?, strict: boolean?): cns.expression
---@field diffn fun(self: cns.solver.model, x: cns.integer[], y: cns.integer[], dx: cns.integer[], dy: cns.integer[], strict: boolean?): cns.expression
---@field bin_packing fun(self: cns.solver.model, bins: cns.integer[], weights: integer[], loads: cns.integer[]): cns.expression
---@field knapsack fun(self: cns.solver.model, x: cns.integer[], weights: integer[], profits: integer[], weight: cns.integer, profit: cns.integer): cns.expression

---The engine's solver as it is (cns/solver.h): variables are numbers, `~b` is not b. A solver is
---closed by the collector, by `<close>` or by `:close()`.
---@class cns.solver.raw
local raw = {}
---@param low integer|integer[] or pairs of low and high, ascending
---@param high integer|string|nil
---@param name string?
---@return integer variable
function raw:int(low, high, name) end
---@param name string?
---@return integer variable
function raw:bool(name) end
---@param value integer
---@return integer variable
function raw:constant(value) end
---@param variable integer
---@return integer low, integer high
function raw:bounds(variable) end
---@param variable integer
---@return string?
function raw:name(variable) end
---@return integer variables, integer constraints
function raw:counts() end
---@param variable integer
function raw:output(variable) end
---@param kind string|integer "linear_le", ...
---@param v integer[][]? v0..v3
---@param i integer[][]? i0..i3
---@param condition "always"|"if"|"iff"|nil
---@param literal integer?
---@param name string?
---@param redundant boolean?
function raw:add(kind, v, i, condition, literal, name, redundant) end
---@param goal "satisfy"|"minimize"|"maximize"
---@param variable integer?
function raw:goal(goal, variable) end
---@param variables integer[]
---@param var_rule string "input_order", "first_fail", ...
---@param value_rule string "min", "max", "split", ...
function raw:search(variables, var_rule, value_rule) end
---@param variable integer
---@param value integer
function raw:hint(variable, value) end
---@param options table? time, conflicts, strategy, restart, restart_scale, restart_base, all, workers, tasks, deterministic, optimise
---@return number? seconds the limit on time
function raw:options(options) end
---@param literals integer[]
function raw:assume(literals) end
---Both arguments are budgets; without any it ends when there is something to say.
---@param ticks integer?
---@param seconds number|string|nil
---@return "running"|"solution"|"complete"|"stopped"
function raw:step(ticks, seconds) end
function raw:cancel() end
function raw:restart() end
---@param variable integer
---@return integer? value nil before the first solution
function raw:value(variable) end
---@param count integer? of the first so many variables
---@return integer[]?
function raw:values(count) end
---@return integer[]? literals assumptions at fault; not minimised
function raw:core() end
---@return table
function raw:stats() end
---@param values integer[]
---@return boolean holds, string? what
function raw:check_values(values) end
---Raises when an invariant is broken. Slow.
function raw:check() end
function raw:close() end
