---@meta cns
-- SPDX-License-Identifier: MIT
--
-- The Lua API of cnsengine, for LuaLS and for readers. Conventions: indices and rows are 1-based;
-- sizes are bytes, as integers or text ("64 KiB", "1 GiB"); durations are seconds, as numbers or
-- text ("5 ms"); wrong arguments raise an error that names the argument, what was expected and
-- what came; failures of the environment (memory, files, limits) raise too. Objects are closed by
-- the collector, by `<close>`, or by `:close()`; using one afterwards is an error, never a crash.

---@class cns
---@field version string "0.1.0"
---@field hash cns.hash
---@field tasks cns.tasks
---@field solver cns.solver
---@field monitor cns.monitor
---@field json cns.json
---@field yaml cns.yaml
---@field fs cns.fs
local cns = {}

---Monotonic time in seconds, from an arbitrary start; nanosecond resolution.
---@return number
function cns.clock() end
---Monotonic time in integer nanoseconds.
---@return integer
function cns.clock_ns() end
---Bytes from "64 KiB", "1.5GiB", "100 MB", 4096.
---@param size string|integer
---@return integer
function cns.bytes(size) end
---Memory held by the whole engine (every part, every worker state) of this process.
---@return {held: integer, peak: integer, limit: integer?}
function cns.memory() end
---The instruction-set level in use, and the best one: "portable", "sse4.1", "avx2", "avx512", "neon".
---@return string level, string best
function cns.cpu() end
---Sleeps; wakes early, with an error, when the host interrupts the script.
---@param seconds number
function cns.sleep(seconds) end

---------------------------------------------------------------------------------------------------
-- Memory

---@alias cns.type "i8"|"i16"|"i32"|"i64"|"u8"|"u16"|"u32"|"u64"|"f32"|"f64"

---A block of raw memory from a heap or an arena; offsets are 1-based like string positions. Its
---contents are undefined until written. It keeps its owner alive; after the owner's reset, restore
---or close it is stale: an error to use. A heap's block goes back when it is collected.
---@class cns.block
---@operator len: integer
local block = {}
---@param text string
---@param at integer? position of the first byte; 1
function block:write(text, at) end
---@param at integer?
---@param length integer?
---@return string
function block:read(at, length) end
---@param byte integer 0..255
function block:fill(byte) end
---Back to its heap; a block of an arena is freed by the arena (an error here).
function block:free() end
---@param size integer new size; the contents are kept; heap only
function block:resize(size) end

---@class cns.heap
local heap = {}
---@param size integer|string
---@return cns.block
function heap:alloc(size) end
---@return {live_bytes: integer, live_count: integer, peak_bytes: integer, reserved_bytes: integer, reserved_peak: integer, budget: integer?, alloc_count: integer, remote_frees: integer, failures: integer}
function heap:stats() end
---Gives free pages back to the OS.
---@return integer bytes
function heap:purge() end
---Frees every block; their objects become stale.
function heap:reset() end
---Raises when an invariant is broken.
function heap:check() end
function heap:close() end

---@param options {budget: integer|string|nil, tag: string?, guard: boolean?}?
---@return cns.heap
function cns.heap(options) end

---@class cns.arena
local arena = {}
---@param size integer|string
---@return cns.block
function arena:alloc(size) end
---@return cns.arena.mark
function arena:mark() end
---Frees all that came after the mark; blocks from there become stale.
---@param mark cns.arena.mark
function arena:restore(mark) end
function arena:reset() end
---@return {used: integer, held: integer}
function arena:stats() end
function arena:close() end

---@class cns.arena.mark

---@param options {block_size: integer|string|nil, limit: integer|string|nil}?
---@return cns.arena
function cns.arena(options) end

---Typed slots named by integer handles: nothing for the garbage collector to walk.
---@class cns.pool
---@operator len: integer
local pool = {}
---A zeroed slot; values in field order may follow (nil leaves a field 0).
---@param ... number?
---@return integer handle
function pool:new(...) end
---@param handle integer raises when stale
---@param field string
---@return number
function pool:get(handle, field) end
---@param handle integer
---@param field string
---@param value number
function pool:set(handle, field, value) end
---All fields, in order.
---@param handle integer
---@return number ...
function pool:unpack(handle) end
---@param handle integer raises when stale
function pool:free(handle) end
---@param handle integer
---@return boolean
function pool:valid(handle) end
---@return fun(): integer? iterator over live handles
function pool:handles() end
---@return {count: integer, held: integer, slot_size: integer}
function pool:stats() end
function pool:close() end

---@param fields {[1]: string, [2]: cns.type}[] `{{"x", "f64"}, {"hp", "i32"}}`
---@param options {capacity: integer?}?
---@return cns.pool
function cns.pool(fields, options) end

---A typed array. `b[i]`, `b[i] = v`, `#b`; out of range is an error (so ipairs would raise at the
---end); a value must fit the type. A u64 beyond 2^63 - 1 cannot be read as a number: see bytes.
---@class cns.buffer
---@operator len: integer
---@field [integer] number
local buffer = {}
---@return cns.type
function buffer:type() end
---A view of elements first..last: shared, not copied.
---@param first integer
---@param last integer? the last element
---@return cns.buffer
function buffer:slice(first, last) end
---`n` disjoint slices that cover the buffer, for tasks.
---@param n integer
---@return cns.buffer[]
function buffer:split(n) end
---Lends this range: "read" (any number) or "write" (one, disjoint). Until the borrow is closed,
---what would race raises an error.
---@param access "read"|"write"
---@return cns.buffer
function buffer:borrow(access) end
---@return "read"|"write"|nil
function buffer:borrowed() end
---@param value number
---@return cns.buffer self
function buffer:fill(value) end
---Copies `source` (a buffer of this type, or a list of numbers) to `at` and on.
---@param source cns.buffer|number[]
---@param at integer? 1
---@return cns.buffer self
function buffer:copy(source, at) end
---The bytes, in the machine's order.
---@return string
function buffer:bytes() end
---@param bytes string
---@param at integer? element; 1
---@return cns.buffer self
function buffer:set_bytes(bytes, at) end
---@param first integer?
---@param last integer?
---@return number[]
function buffer:table(first, last) end
function buffer:close() end

---@param type cns.type
---@param source integer|number[] a count (zeroed elements) or the elements
---@return cns.buffer
function cns.buffer(type, source) end

---The matrix product c = a * b of f64 buffers, row by row (a: rows x inner, b: inner x columns). The
---order of every sum is fixed, so the result is the same to the bit on every machine.
---@param c cns.buffer overwritten; overlaps neither a nor b
---@param a cns.buffer
---@param b cns.buffer
---@param rows integer
---@param inner integer
---@param columns integer
---@return cns.buffer c
function cns.matmul(c, a, b, rows, inner, columns) end

---Records as one array a field.
---@class cns.columns
---@operator len: integer
local columns = {}
---Appends one record (values in field order), or `rows` zeroed ones with `append_rows`.
---@param ... number
---@return integer row
function columns:append(...) end
---@param rows integer
---@return integer first
function columns:append_rows(rows) end
---@param row integer
---@param field string
---@return number
function columns:get(row, field) end
---@param row integer
---@param field string
---@param value number
function columns:set(row, field, value) end
---@param row integer
---@return number ...
function columns:unpack(row) end
---Moves the last record to `row` and drops the last.
---@param row integer
function columns:remove(row) end
function columns:clear() end
---A field as a buffer; while views are alive the table cannot grow or shrink.
---@param field string
---@return cns.buffer
function columns:view(field) end
---@return {[1]: string, [2]: cns.type}[]
function columns:fields() end
---@return {count: integer, held: integer}
function columns:stats() end
function columns:close() end

---@param fields {[1]: string, [2]: cns.type}[]
---@param options {capacity: integer?}?
---@return cns.columns
function cns.columns(fields, options) end

---------------------------------------------------------------------------------------------------
-- Hashing

---@class cns.hash.options
---@field size integer? digest bytes (blake2b 1..64, blake3 any)
---@field key string?
---@field salt string? blake2b, 16 bytes
---@field personal string? blake2b, 16 bytes
---@field derive string? blake3's derive-key context
---@field seed integer? xxh3, crc32c
---@field raw boolean? bytes instead of hex
---@field tasks cns.tasks.pool? spread large inputs over its threads; not for hash.new

---@alias cns.hash.name "blake3"|"blake2b"|"xxh3-64"|"xxh3-128"|"crc32c"|"siphash24"|"siphash13"
---@alias cns.data string|cns.buffer

---@class cns.hash
local hash = {}
---Hex (or raw) digests. The integer hashes are printed big-endian (siphash: its reference order).
---@param data cns.data
---@param options cns.hash.options?
---@return string
function hash.blake3(data, options) end
---@param data cns.data
---@param options cns.hash.options?
---@return string
function hash.blake2b(data, options) end
---@param data cns.data
---@param options cns.hash.options?
---@return string
function hash.xxh3_64(data, options) end
---@param data cns.data
---@param options cns.hash.options?
---@return string
function hash.xxh3_128(data, options) end
---@param data cns.data
---@param options cns.hash.options?
---@return string
function hash.crc32c(data, options) end
---@param data cns.data
---@param options cns.hash.options with `key`
---@return string
function hash.siphash24(data, options) end
---@param data cns.data
---@param options cns.hash.options with `key`
---@return string
function hash.siphash13(data, options) end
---@param name cns.hash.name
---@param data cns.data
---@param options cns.hash.options?
---@return string
function hash.digest(name, data, options) end
---Many messages at once, one SIMD lane each.
---@param name cns.hash.name
---@param messages cns.data[]
---@param options cns.hash.options?
---@return string[]
function hash.batch(name, messages, options) end
---@param name cns.hash.name
---@param path string raises with path and cause
---@param options cns.hash.options?
---@return string
function hash.file(name, path, options) end
---@param name cns.hash.name
---@param options cns.hash.options?
---@return cns.hasher
function hash.new(name, options) end
---@return cns.hash.name[]
function hash.algorithms() end
---@param bytes string
---@return string
function hash.hex(bytes) end

---@class cns.hasher
local hasher = {}
---@param data cns.data
---@return cns.hasher self
function hasher:update(data) end
---The digest of all so far, hex or raw as created; the hasher can go on.
---@return string
function hasher:digest() end
---blake3: `size` bytes of extendable output from byte `offset` (0-based), raw.
---@param offset integer
---@param size integer
---@return string
function hasher:read(offset, size) end
---@return cns.hasher self
function hasher:reset() end
---@return cns.hasher
function hasher:clone() end
function hasher:close() end

---A hash map outside the garbage collector. Keys all u64 (Lua integers, by their bits) or strings.
---@class cns.map
---@operator len: integer
local map = {}
---@param key integer|string
---@return number|string|boolean|nil value nil when absent; true in a set
function map:get(key) end
---@param key integer|string
---@param value number|string|nil nothing for a set; a string of exactly the slot's size
---@return boolean added
function map:set(key, value) end
---@param key integer|string
---@return boolean
function map:has(key) end
---@param key integer|string
---@return boolean removed
function map:remove(key) end
---Any order, stable; mutating the map's keys meanwhile raises in the loop.
---@return fun(): (integer|string)?, (number|string|boolean)?
function map:pairs() end
function map:clear() end
---@return {count: integer, held: integer}
function map:stats() end
function map:close() end

---@param options {key: "u64"|"string", value: "u64"|"f64"|"none"|integer|nil, capacity: integer?, seed: integer?} value: an integer is a slot of so many bytes; default "u64"
---@return cns.map
function cns.map(options) end

---------------------------------------------------------------------------------------------------
-- Kernels

---The type of an argument: "i64" (an integer), "f64" (a float), "bool", "nil", or the elements of a
---buffer: "f64[]", "u8[]", ...
---@alias cns.kernel.type "i64"|"f64"|"bool"|"nil"|"i8[]"|"u8[]"|"i16[]"|"u16[]"|"i32[]"|"u32[]"|"i64[]"|"u64[]"|"f32[]"|"f64[]"

---@class cns.kernel.options
---@field name string? for messages; default: made from file and line
---"auto" (default): the VM at once, machine code as soon as it is there; "vm": never machine code;
---"scalar": the plain interpreter; "native": machine code or an error
---@field tier "auto"|"vm"|"scalar"|"native"|nil
---@field wait boolean? wait for machine code at the first call; "native" does
---@field reassoc boolean? sums and products of floats may be taken in another order
---@field contract boolean? a * b + c may be rounded once
---@field approx boolean? vector math functions with an error of at most 4 ulp
---@field optimise boolean? false: as built, to measure and to test
---@field cache boolean? false: machine code is made, not looked for or kept on disk: to measure

---A compiled Lua function; call it like one. It means what the function means, to the bit, but runs
---over numbers, booleans, nil and buffers only. It is compiled for the types that it is called with,
---at the first call with them; upvalues and globals are read anew at each call. It crosses to
---workers like the function it is made from. See doc/kernels.md.
---@class cns.kernel
---@overload fun(...: integer|number|boolean|nil|cns.buffer): ...
local kernel = {}
---Makes the signature ready, machine code included where there is any; missing types are "nil".
---@param ... cns.kernel.type
---@return cns.kernel self
function kernel:compile(...) end
---What was done, what was not and why, by source line. Like the views below: of the signature that
---the types name (compiled if need be), or else of the last one used.
---@param ... cns.kernel.type
---@return string
function kernel:explain(...) end
---@param ... cns.kernel.type
---@return string
function kernel:ir(...) end
---@param ... cns.kernel.type
---@return string
function kernel:bytecode(...) end
---Needs the native backend.
---@param ... cns.kernel.type
---@return string
function kernel:llvm(...) end
---Needs the native backend.
---@param ... cns.kernel.type
---@return string
function kernel:asm(...) end
---Last used first: {"f64, f64[], f64[]", ...}.
---@return string[]
function kernel:signatures() end
---What the next call will use.
---@param ... cns.kernel.type
---@return "scalar"|"block"|"native"
function kernel:tier(...) end
---`native_ns`: until there was native code, made or (`cached`) loaded from the cache on disk;
---`compile_ns`: what making it took, for a cached one in the process that made it.
---@param ... cns.kernel.type
---@return {calls: integer, compilations: integer, signatures: integer, bytecode_instructions: integer, native_bytes: integer, build_ns: integer, lower_ns: integer, native_ns: integer, compile_ns: integer, cached: boolean}
function kernel:stats(...) end
---Frees what was compiled; calls under way end first.
function kernel:close() end

---`cns.jit(f, options)` compiles a Lua function over numbers and buffers; f: without varargs.
---@class cns.jit
---@overload fun(f: function, options: cns.kernel.options?): cns.kernel
cns.jit = {}

---The bytes of a module (a .cnsb file): all signatures that were compiled; several kernels may share
---a name. Captured numbers and booleans are constants in it, as they are now; what captures a buffer
---is refused. See `cnsengine build`.
---@param kernels {name: string, kernel: cns.kernel}[]
---@return string bytes
function cns.jit.dump(kernels) end

---The kernels of a module, by name. They are called like others, but only with the types that they
---were built for, and do not cross to workers, which load the file themselves. A damaged or forged
---file is an error.
---@param path string
---@param options {tier: "auto"|"vm"|"native"|nil, wait: boolean?}? as for cns.jit
---@return table<string, cns.kernel>
function cns.jit.load(path, options) end

---What makes machine code ("LLVM 19.1.7 for znver3"), or false and why there is none: then kernels
---stay in the VM. Nothing as long as there was no kernel.
---@return string|false|nil name
---@return string? why
function cns.jit.native() end

---Kernels as C functions: an object file that a program links without the engine, and its header. All
---signatures that were compiled are in it; several kernels may share a name. What a kernel reads from
---outside (upvalues, globals) becomes parameters behind its own. See `cnsengine build`.
---@param kernels {name: string, kernel: cns.kernel}[]
---@param options {prefix: string, cpu: string?, source: string?, object: boolean?}? cpu: "native", LLVM's name of a processor, or levels "x86-64,x86-64-v3,x86-64-v4"; object: false for the header alone
---@return string header
---@return string? object
function cns.emit(kernels, options) end

---`for i in cns.prange(n)`, `cns.prange(first, last)`, `cns.prange(first, last, step)`: the integers
---of a numeric loop. In a kernel the iterations may run in parallel; in plain Lua they run in order.
---@param first integer the last one when it is alone
---@param last integer?
---@param step integer? not 0
---@return fun(): integer?
function cns.prange(first, last, step) end

---------------------------------------------------------------------------------------------------
-- Tasks

---A Lua function that runs on a worker's own Lua state. Its upvalues and arguments are copied:
---nil, booleans, numbers, strings, tables without metatables (shared and cyclic references kept),
---functions (shared upvalues stay shared); what libraries own (print, math.sin, the global table,
---modules) crosses by name; kernels are compiled anew; buffers are lent (see cns.tasks.read, write,
---split), cancellation tokens and pools are handles. What cannot cross (coroutines, other userdata and C functions) is refused
---with the path to it. _ENV is the worker's own global table; `require` works there; `os.exit` and
---yielding are errors. See doc/lua-tasks.md.
---@alias cns.task fun(...): ...

---@class cns.tasks
local tasks = {}
---@param options {workers: integer?, name: string?}?
---@return cns.tasks.pool
function tasks.new(options) end
---The process's pool (--threads); created on first use; lives as long as the main state.
---@return cns.tasks.pool
function tasks.default() end
---CPUs by affinity and cgroup quota.
---@return integer
function tasks.cpus() end
---A cancellation token; a child is cancelled with its parent.
---@param parent cns.cancel?
---@return cns.cancel
function tasks.cancel(parent) end
---Inside a task: true when its token fired.
---@return boolean
function tasks.cancelled() end
---Inside a task: its worker, 1..n, or 0 when it runs on a thread that waits; nil elsewhere.
---@return integer?
function tasks.worker() end
---Marks a buffer argument as lent for reading (the default) or writing for as long as the task
---lives. Writers must be disjoint: what overlaps is refused at spawn.
---@param buffer cns.buffer
---@return any
function tasks.read(buffer) end
---@param buffer cns.buffer
---@return any
function tasks.write(buffer) end

---For range and reduce: each part gets its own elements, first..last of the buffer, for writing;
---index 1 is element `first`.
---@param buffer cns.buffer
---@return any
function tasks.split(buffer) end

---@class cns.cancel
local cancel = {}
function cancel:cancel() end
---@param seconds number|string from now
function cancel:after(seconds) end
---@return boolean
function cancel:cancelled() end

---With `cancel` or `deadline`, a task that runs is interrupted too, for which it runs with a hook
---(slower); else only what has not begun is stopped, and cns.tasks.cancelled() tells the rest.
---@class cns.spawn.options
---@field cancel cns.cancel?
---@field priority "normal"|"high"|"low"|nil
---@field deadline number|string|nil seconds from now
---@field name string? for errors

---@class cns.loop.options: cns.spawn.options
---@field grain integer? elements a part

---@class cns.tasks.pool
local tasks_pool = {}
---@param fn cns.task
---@param ... any
---@return cns.future
function tasks_pool:spawn(fn, ...) end
---@param options cns.spawn.options
---@param fn cns.task
---@param ... any
---@return cns.future
function tasks_pool:spawn_with(options, fn, ...) end
---Awaits all; results in order, each the task's first result. The first error (in order) wins.
---@param futures cns.future[]
---@return any[]
function tasks_pool:await_all(futures) end
---results[i] = fn(items[i], i), in parallel parts.
---@param items any[]
---@param fn fun(item: any, index: integer): any
---@param options cns.loop.options?
---@return any[]
function tasks_pool:map(items, fn, options) end
---fn(first, last, ...) over parts of first..last; extra arguments are passed to each part.
---@param first integer
---@param last integer
---@param fn fun(first: integer, last: integer, ...)
---@param options cns.loop.options?
---@param ... any
function tasks_pool:range(first, last, fn, options, ...) end
---Folds parts of first..last (fold(first, last) -> value) and combines them in a fixed tree, so
---that the result never depends on the schedule or on the number of workers. `combine` runs in the
---calling state. nil when the range is empty.
---@param first integer
---@param last integer
---@param fold fun(first: integer, last: integer): any
---@param combine fun(a: any, b: any): any
---@param options cns.loop.options?
---@return any
function tasks_pool:reduce(first, last, fold, combine, options) end
---@return cns.graph
function tasks_pool:graph() end
---@return integer
function tasks_pool:workers() end
---@return {spawned: integer, executed: integer, stolen: integer, cancelled: integer, sleeps: integer, workers: integer}
function tasks_pool:stats() end
---Cancels what has not begun, waits for what has. Only the object that cns.tasks.new gave closes the
---pool; others (in tasks, the default pool's) just close themselves. Not from a task of the pool.
function tasks_pool:close() end

---@class cns.future
local future = {}
---The task's results; its error is raised here, with the worker's traceback.
---@return any ...
function future:await() end
---@param seconds number|string
---@return boolean done
function future:wait(seconds) end
---@return boolean
function future:done() end
---The task does not begin, or is told by cns.tasks.cancelled(); one with a token is interrupted.
function future:cancel() end
function future:close() end

---Named nodes; each runs after those it depends on and gets their first results, in that order.
---@class cns.graph
local graph = {}
---@param name string
---@param fn cns.task
---@param after string[]?
---@return cns.graph self
function graph:add(name, fn, after) end
---@param options cns.spawn.options?
---@return table<string, any> results by name
function graph:run(options) end

---------------------------------------------------------------------------------------------------
-- Monitoring

---Figures the OS does not give are the string "unavailable", never 0.
---@class cns.monitor
local monitor = {}
---@return {clock: number, cpu_user: number, cpu_system: number, thread_cpu: number, threads: integer, rss_bytes: integer, rss_peak_bytes: integer, read_bytes: integer, write_bytes: integer, disk_read_bytes: integer, disk_write_bytes: integer, faults_minor: integer, faults_major: integer, switches_voluntary: integer, switches_involuntary: integer}
function monitor.sample() end
---Lets rss_peak_bytes start anew; false where the OS cannot.
---@return boolean
function monitor.reset_peak() end
---@return {cpus_online: integer, cpus_affinity: integer, cgroup_cpu_quota: number|string, cgroup_memory_limit: integer|string, cgroup_memory_used: integer|string, memory_total: integer, memory_available: integer, open_files_limit: integer, cpu_throttled: number|string, steal: number|string}
function monitor.limits() end
---@return {id: integer, name: string, cpu_user: number, cpu_system: number}[]
function monitor.threads() end
---Counters of this thread since the call, read by calling the result; nil and the reason where the
---kernel gives none.
---@return (fun(): {cycles: integer|string, instructions: integer|string, cache_misses: integer|string, branch_misses: integer|string})?, string? reason
function monitor.counters() end
---@return string
function monitor.machine() end

---------------------------------------------------------------------------------------------------
-- Data and files

---@class cns.json
---@field null any what JSON's null becomes, and becomes it again; a light userdata
local json = {}
---Tables with keys 1..n are arrays, cns.json.array marks an empty one; other tables are objects,
---keys sorted. NaN, infinities, text that is not UTF-8 and tables that are neither list nor map
---raise, with the path to the value. Metamethods are ignored. An empty array decodes as marked.
---@param value any
---@param options {indent: integer?}?
---@return string
function json.encode(value, options) end
---@param text string
---@return any
function json.decode(text) end
---@param list table
---@return table list
function json.array(list) end

---@class cns.yaml
---@field null any what null becomes: cns.json.null
local yaml = {}
---One document of maps, lists and scalars (core schema); nil for an empty text. An alias is the
---anchored table itself; more than a million values, aliases counted as what they stand for, are
---refused. Errors name line and column.
---@param text string
---@return any
function yaml.decode(text) end

---The little about files that Lua's io and os lack. All return true or a value, or nil, message,
---errno, like io.
---@class cns.fs
local fs = {}
---@param path string
function fs.mkdir(path) end
---@param path string
function fs.rmdir(path) end
---@param path string
---@param mode integer
function fs.chmod(path, mode) end
---@param path string
---@param size integer
function fs.truncate(path, size) end
---@param path string
---@return {size: integer, kind: "file"|"directory"|"other", mode: integer}?
function fs.stat(path) end
---@param path string
---@return string[]? names sorted, without . and ..
function fs.list(path) end
---A new private folder under TMPDIR or /tmp.
---@param prefix string?
---@return string?
function fs.tempdir(prefix) end
---Writes a whole file so that it is complete or absent (temporary name, fsync, rename). A device, a
---pipe or the like (/dev/null, /dev/stdout into a pipe) is written to instead, and stays what it is;
---so does a link, and the file that it leads to is replaced.
---@param path string
---@param text string
function fs.write_atomic(path, text) end
---Removes a folder that fs.tempdir made in this Lua state, and all in it; links are not followed.
---@param path string
function fs.remove_tree(path) end
---Runs fn(...) with this thread's file access checked as an unprivileged user (Linux, root only;
---elsewhere it just runs fn): so that permission tests mean something when run as root.
---@param fn function
---@param ... any
---@return any ...
function fs.unprivileged(fn, ...) end

return cns
