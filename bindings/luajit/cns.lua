-- SPDX-License-Identifier: MIT
--
-- cns.lua - cnsengine for LuaJIT, through FFI: memory, hash, tasks (C-side operations), kernels of
-- a module, monitor.
--
-- The declarations come from the public headers (cns_cdef.lua, made by the build). Engine objects
-- are freed by the collector or by :close(). Names follow the Lua 5.4 module; what differs is that
-- memory is handed out as FFI pointers, which are as unchecked here as everywhere in LuaJIT, and
-- that indices into them are 0-based. Lua callbacks never run on foreign threads: pools here serve
-- the engine's own parallel operations and C functions.
local ffi = require("ffi")

ffi.cdef(require("cns_cdef"))

local function here()
    local path = debug.getinfo(1, "S").source:match("^@(.*)$") or ""
    return path:match("^(.*)/[^/]*$") or "."
end

local function load_library()
    local tried = {}
    local names = {os.getenv("CNS_LIBRARY") or false, here() .. "/../engine/libcns.so", "cns",
        "libcns.so.0"}
    for _, name in ipairs(names) do
        if name then
            local ok, library = pcall(ffi.load, name)
            if ok then
                return library
            end
            tried[#tried + 1] = tostring(library)
        end
    end
    error("cannot load libcns; set CNS_LIBRARY to its path:\n  " .. table.concat(tried, "\n  "))
end

local C = load_library()
local ABI = 1
if C.cns_abi_version() ~= ABI then
    error(("libcns has ABI %d, these bindings need %d"):format(C.cns_abi_version(), ABI))
end

local cns = {C = C, version = ffi.string(C.cns_version_string())}

-- ---- context and errors ----------------------------------------------------------------------

local context_box = ffi.new("cns_context *[1]")
local message = ffi.new("char[512]")
local context

local function raise(status, level)
    local size = C.cns_context_message(context, message, 512)
    local text = size > 0 and ffi.string(message) or ffi.string(C.cns_status_text(status))
    error(("%s: %s"):format(ffi.string(C.cns_status_name(status)), text), (level or 1) + 1)
end

local function check(status, level)
    if status ~= C.CNS_OK then
        raise(status, (level or 1) + 1)
    end
end

local config = ffi.new("cns_context_config", {size = ffi.sizeof("cns_context_config")})
if C.cns_context_create(config, context_box) ~= C.CNS_OK then
    error("cns: no memory for a context")
end
-- Never destroyed: when a state closes, its objects are finalised in any order, and each still
-- needs the context.
context = context_box[0]
cns.context = context

-- Constructors: create(out) -> status; gives a handle with `destroy` as its finalizer.
local function adopt(type_name, destroy, create)
    local box = ffi.new(type_name .. " *[1]")
    check(create(box), 3)
    return ffi.gc(box[0], destroy)
end

local function class(destroy)
    local methods = {}
    methods.__index = methods
    function methods:close()
        if self.handle ~= nil then
            destroy(ffi.gc(self.handle, nil))
            self.handle = nil
        end
    end
    return methods
end

local function open(self)
    return self.handle or error("this object is closed", 3)
end

local function struct(type_name, fields)
    fields = fields or {}
    fields.size = ffi.sizeof(type_name)
    return ffi.new(type_name, fields)
end

local function stats_table(stats, names)
    local result = {}
    for _, name in ipairs(names) do
        result[name] = tonumber(stats[name])
    end
    return result
end

---@return table held, peak, limit in bytes; refused: requests that the limit turned away
function cns.memory()
    local stats = ffi.new("cns_memory_stats")
    C.cns_context_memory(context, stats)
    return stats_table(stats, {"held", "peak", "limit", "refused"})
end

function cns.set_memory_limit(bytes)
    C.cns_context_set_memory_limit(context, bytes)
end

---@return string level in use, string best level
function cns.cpu()
    return ffi.string(C.cns_cpu_level_name(C.cns_context_cpu_level(context))),
        ffi.string(C.cns_cpu_level_name(C.cns_cpu_detect()))
end

-- ---- heap, arena -----------------------------------------------------------------------------

local heap = class(C.cns_heap_destroy)
local heap_fields = {"live_bytes", "live_count", "peak_bytes", "reserved_bytes", "reserved_peak",
    "budget", "alloc_count", "remote_frees", "failures"}

function cns.heap(options)
    options = options or {}
    local settings = struct("cns_heap_config",
        {tag = options.tag, budget = options.budget or 0, flags = options.guard and 1 or 0})
    return setmetatable({
        handle = adopt("cns_heap", C.cns_heap_destroy, function(out)
            return C.cns_heap_create(context, settings, out)
        end),
    }, heap)
end

-- A void pointer to `size` bytes; nil over budget.
function heap:alloc(size)
    local pointer = C.cns_heap_alloc(open(self), size)
    return pointer ~= nil and pointer or nil
end

function heap:realloc(pointer, old_size, new_size)
    local moved = C.cns_heap_realloc(open(self), pointer, old_size, new_size)
    return moved ~= nil and moved or nil
end

function heap:free(pointer, size)
    C.cns_heap_free(open(self), pointer, size)
end

function heap:stats()
    local stats = ffi.new("cns_heap_stats")
    C.cns_heap_get_stats(open(self), stats)
    return stats_table(stats, heap_fields)
end

function heap:purge()
    return tonumber(C.cns_heap_purge(open(self)))
end

function heap:reset()
    C.cns_heap_reset(open(self))
end

local arena = class(C.cns_arena_destroy)

function cns.arena(options)
    options = options or {}
    local settings = struct("cns_arena_config",
        {block_size = options.block_size or 0, limit = options.limit or 0})
    return setmetatable({
        handle = adopt("cns_arena", C.cns_arena_destroy, function(out)
            return C.cns_arena_create(context, settings, out)
        end),
    }, arena)
end

function arena:alloc(size, alignment)
    local pointer = C.cns_arena_alloc(open(self), size, alignment or 0)
    return pointer ~= nil and pointer or nil
end

function arena:mark()
    local mark = ffi.new("cns_arena_mark")
    C.cns_arena_save(open(self), mark)
    return mark
end

function arena:restore(mark)
    check(C.cns_arena_restore(open(self), mark), 2)
end

function arena:reset()
    C.cns_arena_reset(open(self))
end

-- ---- pool: slots of a C type, by handle --------------------------------------------------------

local pool = class(C.cns_pool_destroy)

-- cns.pool("struct { double x, y; int32_t hp; }") or cns.pool(ffi.typeof(...))
function cns.pool(slot_type, options)
    slot_type = ffi.typeof(slot_type)
    local settings = struct("cns_pool_config", {
        slot_size = ffi.sizeof(slot_type),
        slot_align = ffi.alignof(slot_type),
        capacity = options and options.capacity or 0,
    })
    return setmetatable({
        pointer_type = ffi.typeof("$ *", slot_type),
        handle = adopt("cns_pool", C.cns_pool_destroy, function(out)
            return C.cns_pool_create(context, settings, out)
        end),
    }, pool)
end

-- handle (uint64_t), typed pointer to the zeroed slot
function pool:new()
    local out = ffi.new("cns_handle[1]")
    check(C.cns_pool_acquire(open(self), out), 2)
    return out[0], self:get(out[0])
end

-- The typed pointer, or nil when the handle is stale.
function pool:get(handle)
    local slot = C.cns_pool_get(open(self), handle)
    return slot ~= nil and ffi.cast(self.pointer_type, slot) or nil
end

function pool:free(handle)
    check(C.cns_pool_release(open(self), handle), 2)
end

function pool:count()
    return tonumber(C.cns_pool_count(open(self)))
end

-- for handle, slot in pool:each() do ... end
function pool:each()
    local handle = ffi.new("cns_handle", 0)
    return function()
        handle = C.cns_pool_next(open(self), handle)
        if handle ~= 0 then
            return handle, self:get(handle)
        end
    end
end

-- ---- buffer, columns ---------------------------------------------------------------------------

local element_names = {i8 = "int8_t", i16 = "int16_t", i32 = "int32_t", i64 = "int64_t",
    u8 = "uint8_t", u16 = "uint16_t", u32 = "uint32_t", u64 = "uint64_t", f32 = "float",
    f64 = "double"}
local element_pointers = {}
for name, c_name in pairs(element_names) do
    element_pointers[name] = ffi.typeof(c_name .. " *")
end

local function element_type(name)
    local out = ffi.new("cns_type[1]")
    if C.cns_type_parse(name, out) ~= C.CNS_OK then
        error("unknown element type: " .. tostring(name), 3)
    end
    return out[0]
end

local buffer = class(C.cns_buffer_destroy)

-- `data` is a typed pointer, 0-based, unchecked: it must not be used after close().
local function wrap_buffer(create)
    local handle = adopt("cns_buffer", C.cns_buffer_destroy, create)
    local type_name = ffi.string(C.cns_type_name(C.cns_buffer_type(handle)))
    return setmetatable({
        handle = handle,
        type = type_name,
        count = tonumber(C.cns_buffer_count(handle)),
        data = ffi.cast(element_pointers[type_name], C.cns_buffer_data(handle)),
    }, buffer)
end

function cns.buffer(type_name, count)
    local kind = element_type(type_name)
    return wrap_buffer(function(out)
        return C.cns_buffer_create(context, kind, count, out)
    end)
end

-- Elements [begin, begin + count), shared, not copied.
function buffer:slice(begin, count)
    local source = open(self)
    return wrap_buffer(function(out)
        return C.cns_buffer_slice(source, begin, count, out)
    end)
end

function buffer:fill(value)
    check(C.cns_buffer_fill_f64(open(self), value), 2)
    return self
end

function buffer:close()
    if self.handle ~= nil then
        C.cns_buffer_destroy(ffi.gc(self.handle, nil))
        self.handle, self.data, self.count = nil, nil, 0
    end
end

local columns = class(C.cns_columns_destroy)

-- cns.columns({{"x", "f64"}, {"hp", "i32"}})
function cns.columns(fields, options)
    local list = ffi.new("cns_field[?]", #fields)
    for i, field in ipairs(fields) do
        list[i - 1].name, list[i - 1].type = field[1], element_type(field[2])
    end
    return setmetatable({
        handle = adopt("cns_columns", C.cns_columns_destroy, function(out)
            return C.cns_columns_create(context, list, #fields, options and options.capacity or 0,
                out)
        end),
    }, columns)
end

function columns:append(rows)
    local first = ffi.new("uint64_t[1]")
    check(C.cns_columns_append(open(self), rows or 1, first), 2)
    return tonumber(first[0])
end

function columns:count()
    return tonumber(C.cns_columns_count(open(self)))
end

-- A typed pointer to the field's first row; valid until the next append, remove or clear.
function columns:data(field)
    local index = ffi.new("uint32_t[1]")
    check(C.cns_columns_find(open(self), field, index), 2)
    local type_name = ffi.string(C.cns_type_name(C.cns_columns_field_type(self.handle, index[0])))
    return ffi.cast(element_pointers[type_name], C.cns_columns_data(self.handle, index[0]))
end

function columns:remove(row)
    check(C.cns_columns_remove(open(self), row), 2)
end

-- ---- tasks: pools for the engine's parallel operations ------------------------------------------

local tasks = class(C.cns_tasks_destroy)

function cns.tasks(options)
    local settings = struct("cns_tasks_config", {workers = options and options.workers or 0})
    local self = setmetatable({
        handle = adopt("cns_tasks", C.cns_tasks_destroy, function(out)
            return C.cns_tasks_create(context, settings, out)
        end),
        executor = ffi.new("cns_executor"),
    }, tasks)
    C.cns_tasks_executor(self.handle, self.executor)
    return self
end

function tasks:workers()
    return C.cns_tasks_workers(open(self))
end

-- Runs body(user, begin, end) - C function pointers, never Lua callbacks - over [first, last).
function tasks:range(first, last, body, user, grain)
    local options = struct("cns_loop_options", {grain = grain or 0})
    check(C.cns_tasks_for(open(self), options, first, last, body, user), 2)
end

function tasks:stats()
    local stats = ffi.new("cns_tasks_stats")
    C.cns_tasks_get_stats(open(self), stats)
    return stats_table(stats, {"spawned", "executed", "stolen", "cancelled", "sleeps", "workers"})
end

function cns.cpus()
    return C.cns_tasks_available_cpus()
end

-- ---- hash ---------------------------------------------------------------------------------------

local hash = {}
cns.hash = hash

local function algorithm_of(name)
    local out = ffi.new("cns_hash_algorithm[1]")
    if C.cns_hash_parse(name, out) ~= C.CNS_OK then
        error("unknown hash algorithm: " .. tostring(name), 3)
    end
    return out[0]
end

-- Options as in the Lua 5.4 module: size, key, salt, personal, derive, seed, raw, tasks.
local function params_of(algorithm, options)
    if not options then
        return nil, tonumber(C.cns_hash_digest_size(algorithm))
    end
    local params = struct("cns_hash_params", {digest_size = options.size, seed = options.seed})
    for _, name in ipairs({"key", "salt", "personal", "derive"}) do
        local value = options[name]
        if value then
            params[name], params[name .. "_size"] = ffi.cast("const char *", value), #value
        end
    end
    return params, options.size or tonumber(C.cns_hash_digest_size(algorithm))
end

local function text_of(out, size, options)
    if options and options.raw then
        return ffi.string(out, size)
    end
    local hex = ffi.new("char[?]", 2 * size + 1)
    C.cns_hash_hex(out, size, hex)
    return ffi.string(hex, 2 * size)
end

local function executor_of(options)
    return options and options.tasks and open(options.tasks) and options.tasks.executor or nil
end

-- Data: a string, a buffer, or (with `length` bytes) any pointer.
local function bytes_of(data, length)
    if getmetatable(data) == buffer then
        return C.cns_buffer_data(open(data)), data.count * ffi.sizeof(element_names[data.type])
    end
    return data, length or #data
end

function hash.digest(name, data, options)
    local algorithm = algorithm_of(name)
    local params, size = params_of(algorithm, options)
    local out = ffi.new("uint8_t[?]", size)
    local bytes, length = bytes_of(data, options and options.length)
    check(C.cns_hash_parallel(context, algorithm, params, bytes, length, out, size,
        executor_of(options)), 2)
    return text_of(out, size, options)
end

for method, name in pairs({blake3 = "blake3", blake2b = "blake2b", xxh3_64 = "xxh3-64",
    xxh3_128 = "xxh3-128", crc32c = "crc32c", siphash24 = "siphash24", siphash13 = "siphash13"}) do
    hash[method] = function(data, options)
        return hash.digest(name, data, options)
    end
end

function hash.file(name, path, options)
    local algorithm = algorithm_of(name)
    local params, size = params_of(algorithm, options)
    local out = ffi.new("uint8_t[?]", size)
    check(C.cns_hash_file(context, algorithm, params, path, out, size, executor_of(options)), 2)
    return text_of(out, size, options)
end

function hash.batch(name, messages, options)
    local algorithm, count = algorithm_of(name), #messages
    local params, size = params_of(algorithm, options)
    local out = ffi.new("uint8_t[?]", math.max(1, size * count))
    local pointers = ffi.new("const void *[?]", math.max(1, count))
    local sizes = ffi.new("size_t[?]", math.max(1, count))
    for i = 1, count do
        pointers[i - 1], sizes[i - 1] = ffi.cast("const char *", messages[i]), #messages[i]
    end
    check(C.cns_hash_batch(context, algorithm, params, pointers, sizes, count, out, size * count,
        executor_of(options)), 2)
    local result = {}
    for i = 1, count do
        result[i] = text_of(out + (i - 1) * size, size, options)
    end
    return result
end

local hasher = class(C.cns_hasher_destroy)

function hash.new(name, options)
    local algorithm = algorithm_of(name)
    local params = params_of(algorithm, options)
    return setmetatable({
        options = options,
        handle = adopt("cns_hasher", C.cns_hasher_destroy, function(out)
            return C.cns_hasher_create(context, algorithm, params, out)
        end),
    }, hasher)
end

function hasher:update(data, length)
    local bytes, size = bytes_of(data, length)
    check(C.cns_hasher_update(open(self), bytes, size), 2)
    return self
end

function hasher:digest()
    local size = tonumber(C.cns_hasher_digest_size(open(self)))
    local out = ffi.new("uint8_t[?]", size)
    check(C.cns_hasher_finalize(self.handle, out, size), 2)
    return text_of(out, size, self.options)
end

function hasher:read(offset, size)
    local out = ffi.new("uint8_t[?]", math.max(1, size))
    check(C.cns_hasher_read(open(self), offset, out, size), 2)
    return ffi.string(out, size)
end

function hasher:reset()
    C.cns_hasher_reset(open(self))
    return self
end

-- ---- kernels of a module ------------------------------------------------------------------------

local EXACT = 2 ^ 53
local int64 = ffi.typeof("int64_t")
local plain_types = {[tonumber(C.CNS_VM_NIL)] = "nil", [tonumber(C.CNS_VM_BOOL)] = "bool",
    [tonumber(C.CNS_VM_I64)] = "i64", [tonumber(C.CNS_VM_F64)] = "f64"}

-- How an argument of each type gets into its cns_vm_value; false: it is of another type.
local put = {}

put["nil"] = function(value)
    return value == nil
end

function put.bool(value, slot)
    if type(value) == "boolean" then
        slot.integer = value and 1 or 0
        return true
    end
    return false
end

function put.i64(value, slot)
    if ffi.istype(int64, value) or (type(value) == "number" and value % 1 == 0
        and value >= -EXACT and value <= EXACT) then
        slot.integer = value
        return true
    end
    return false
end

function put.f64(value, slot)
    if type(value) == "number" then
        slot.real = value
        return true
    end
    return false
end

for name in pairs(element_names) do
    plain_types[tonumber(C.CNS_VM_BUFFER) + tonumber(element_type(name))] = name .. "[]"
    put[name .. "[]"] = function(value, slot)
        if getmetatable(value) == buffer and value.type == name then
            slot.data, slot.count = C.cns_buffer_data(open(value)), value.count
            return true
        end
        return false
    end
end

local function make_signature(kernel)
    local count = C.cns_kernel_arguments(kernel)
    local limit = C.cns_kernel_result_limit(kernel)
    local self = {kernel = kernel, count = count, types = {}, access = {}, native = false,
        arguments = ffi.new("cns_vm_value[?]", math.max(1, count)),
        results = ffi.new("cns_vm_value[?]", math.max(1, limit)),
        run = ffi.new("cns_run")}
    for i = 1, count do
        self.types[i] = plain_types[C.cns_kernel_argument_type(kernel, i - 1)]
        self.access[i] = C.cns_kernel_access(kernel, i - 1)
    end
    self.run.arguments, self.run.results = self.arguments, self.results
    self.run.result_capacity = limit
    return self
end

local function takes(signature, ...)
    for i = 1, signature.count do
        if not put[signature.types[i]]((select(i, ...)), signature.arguments[i - 1]) then
            return false
        end
    end
    return true
end

local function check_access(signature, ...)
    for i = 1, signature.count do
        local access = signature.access[i]
        if access ~= 0 then
            local write = bit.band(access, C.CNS_ACCESS_WRITE) ~= 0
            check(C.cns_buffer_access(select(i, ...).handle,
                write and C.CNS_ACCESS_WRITE or C.CNS_ACCESS_READ), 3)
        end
    end
end

local function lua_value(value)
    local kind = value.type
    if kind == C.CNS_VM_I64 then
        local number = tonumber(value.integer)
        return number >= -EXACT and number <= EXACT and number or value.integer
    elseif kind == C.CNS_VM_F64 then
        return value.real
    elseif kind == C.CNS_VM_BOOL then
        return value.integer ~= 0
    end
    return nil
end

local function results(run, from)
    if from < run.result_count then
        return lua_value(run.results[from]), results(run, from + 1)
    end
end

local kernel = {}
kernel.__index = kernel

-- Those that there are, as text: "(f64, f64[]), (f64, f32[])".
function kernel:signatures()
    local list = {}
    for i, signature in ipairs(self.list) do
        list[i] = "(" .. table.concat(signature.types, ", ") .. ")"
    end
    return table.concat(list, ", ")
end

function kernel:__call(...)
    local signature
    for i = 1, #self.list do
        if takes(self.list[i], ...) then
            signature = self.list[i]
            break
        end
    end
    if not signature then
        error(("kernel %s: no signature takes these arguments; there is %s"):format(self.name,
            self:signatures()), 2)
    end
    if self.options.tasks then
        open(self.options.tasks)
    end
    if self.options.native and not signature.native then
        check(C.cns_kernel_make_native(signature.kernel, 1), 2)
        signature.native = true
    end
    check_access(signature, ...)
    local status = C.cns_kernel_run(signature.kernel, signature.run)
    if status == C.CNS_E_FAILED then
        C.cns_kernel_trap_message(signature.kernel, signature.run.trap, message, 512)
        error(ffi.string(message), 0)
    end
    check(status, 2)
    return results(signature.run, 0)
end

local function find_plugin()
    local named = os.getenv("CNS_JIT_PLUGIN")
    local prefix = here() .. "/.."
    for _, path in ipairs({named or prefix .. "/jit/cns_jit_llvm.so",
        prefix .. "/../../lib/cnsengine/cns_jit_llvm.so"}) do
        local file = io.open(path, "rb")
        if file then
            file:close()
            return path
        end
    end
    return named
end

-- As the Lua module does.
local function find_cache()
    local named, caches, home = os.getenv("CNS_CACHE"), os.getenv("XDG_CACHE_HOME"),
        os.getenv("HOME")
    local path = named or caches and caches:match("^/") and caches .. "/cnsengine"
        or home and home .. "/.cache/cnsengine"
    return path and path:match("^/.*")
end

local function read_file(path)
    local file, why = io.open(path, "rb")
    local bytes
    if file then
        bytes, why = file:read("*a")
        file:close()
    end
    return bytes or error(why and why:find(path, 1, true) and why or path .. ": "
        .. tostring(why), 3)
end

-- The kernels of a module, by name. Numbers are taken as integers where a signature says i64; of
-- several signatures the first that takes the arguments runs. Integers beyond 2^53 are int64_t.
-- Runs go to their end. Options: native (machine code, or an error), plugin (its path; else
-- CNS_JIT_PLUGIN, or beside the library), tasks (a pool for cns.prange), cache (the full path of a
-- folder for machine code, or false; else CNS_CACHE, or cnsengine below XDG_CACHE_HOME or
-- ~/.cache).
function cns.kernels(path, options)
    options = options or {}
    local bytes = read_file(path)
    local plugin = options.plugin or options.native and find_plugin() or nil
    local cache = options.cache
    if cache == nil then
        cache = plugin and find_cache()
    end
    local settings = struct("cns_vm_config",
        {tasks = options.tasks and open(options.tasks), plugin = plugin, cache = cache or nil})
    local vm_box, module_box = ffi.new("cns_vm *[1]"), ffi.new("cns_module *[1]")
    check(C.cns_vm_create(context, settings, vm_box), 2)
    local vm = vm_box[0]
    local status = C.cns_module_read(vm, bytes, #bytes, module_box)
    if status ~= C.CNS_OK then
        C.cns_vm_destroy(vm) -- leaves the message alone
        check(status, 2)
    end
    local module = ffi.gc(module_box[0], function(handle)
        C.cns_module_destroy(handle)
        C.cns_vm_destroy(vm)
    end)
    local kernels = {}
    for i = 0, C.cns_module_count(module) - 1 do
        local name = ffi.string(C.cns_module_name(module, i))
        kernels[name] = kernels[name] or setmetatable(
            {name = name, list = {}, module = module, options = options}, kernel)
        table.insert(kernels[name].list, make_signature(C.cns_module_kernel(module, i)))
    end
    return kernels
end

-- ---- map from u64 or string to u64 or f64 -------------------------------------------------------

local map = class(C.cns_map_destroy)
local map_keys = {u64 = 1, string = 2}
local map_values = {none = 0, u64 = 1, f64 = 2}
local cell_types = {u64 = ffi.typeof("uint64_t *"), f64 = ffi.typeof("double *")}

function cns.map(options)
    local value = options.value or "u64"
    local settings = struct("cns_map_config", {
        key = map_keys[options.key] or error("key must be 'u64' or 'string'", 2),
        value = map_values[value] or error("value must be 'u64', 'f64' or 'none'", 2),
        capacity = options.capacity,
        seed = options.seed,
    })
    return setmetatable({
        by_string = options.key == "string",
        cell_type = cell_types[value],
        handle = adopt("cns_map", C.cns_map_destroy, function(out)
            return C.cns_map_create(context, settings, out)
        end),
    }, map)
end

local function value_in(self, cell)
    if cell == nil then
        return nil
    end
    return self.cell_type == nil or ffi.cast(self.cell_type, cell)[0]
end

function map:get(key)
    local handle = open(self)
    if self.by_string then
        return value_in(self, C.cns_map_get_string(handle, key, #key))
    end
    return value_in(self, C.cns_map_get_u64(handle, key))
end

local cell_box = ffi.new("void *[1]")

function map:set(key, value)
    local handle = open(self)
    if self.by_string then
        check(C.cns_map_put_string(handle, key, #key, cell_box, nil), 2)
    else
        check(C.cns_map_put_u64(handle, key, cell_box, nil), 2)
    end
    if self.cell_type then
        ffi.cast(self.cell_type, cell_box[0])[0] = value
    end
end

function map:remove(key)
    local handle = open(self)
    if self.by_string then
        return C.cns_map_remove_string(handle, key, #key) == C.CNS_OK
    end
    return C.cns_map_remove_u64(handle, key) == C.CNS_OK
end

function map:count()
    return tonumber(C.cns_map_count(open(self)))
end

-- ---- monitor ------------------------------------------------------------------------------------

cns.monitor = {}

-- Figures as numbers; what the OS does not give is the string "unavailable".
function cns.monitor.sample()
    local sample = struct("cns_monitor_sample")
    check(C.cns_monitor_read(context, sample), 2)
    local unavailable = ffi.cast("uint64_t", -1)
    local result = {threads = sample.threads}
    for _, name in ipairs({"clock_ns", "cpu_user_ns", "cpu_system_ns", "thread_cpu_ns",
        "rss_bytes", "rss_peak_bytes", "read_bytes", "write_bytes", "faults_minor",
        "faults_major"}) do
        result[name] = sample[name] ~= unavailable and tonumber(sample[name]) or "unavailable"
    end
    return result
end

return cns
