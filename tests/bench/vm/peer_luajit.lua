-- SPDX-License-Identifier: MIT
--
-- peer_luajit.lua LIBRARY HEADER [PREFIX] | luajit - calls the C loops of LIBRARY, or, with a
-- prefix, the kernels that `cnsengine build` put there; or runs the same in Lua over FFI arrays,
-- compiled by LuaJIT.

local ffi = require "ffi"
local bit = require "bit"
local work = require "work"

local prefix = arg[3]
local loops, header
if arg[1] == "luajit" then
    loops = require "loops_luajit"
else
    header = assert(io.open(arg[2])):read("*a")
    header = header:match("ffi%.cdef begins %*/(.*)/%* ffi%.cdef ends") or header
    header = header:gsub("/%*.-%*/", ""):gsub("#[^\n]*", "")
    ffi.cdef(header)
    loops = ffi.load(arg[1])
end

ffi.cdef [[
typedef struct { long seconds, nanoseconds; } cns_timespec;
int clock_gettime(int clock, cns_timespec *time);
void *aligned_alloc(size_t alignment, size_t size);
void free(void *memory);
]]
local time = ffi.new("cns_timespec")
local function now()
    ffi.C.clock_gettime(1, time)
    return tonumber(time.seconds) * 1e9 + tonumber(time.nanoseconds)
end

local types = {u8 = "uint8_t", u16 = "uint16_t", i32 = "int32_t", u32 = "uint32_t",
    i64 = "int64_t", f64 = "double"}

-- At a multiple of 64 bytes, like the engine's buffers: ffi.new gives 16, and vectors that straddle
-- cache lines would be the array's slowness, not the loop's.
local function array(d)
    local element, size = work.element, ffi.sizeof(types[d.kind]) * d.n
    local memory = ffi.C.aligned_alloc(64, size + 64 - size % 64)
    local a = ffi.gc(ffi.cast(types[d.kind] .. " *", memory), ffi.C.free)
    for i = 1, d.n do a[i - 1] = element(d, i) end
    return a
end

-- What calls a kernel that was built ahead of time, like `low`: a buffer is a pointer and a count,
-- behind all come results and error. Written out, since LuaJIT compiles no call with unpack.
local function built_call(name, descriptions)
    local list = {}
    for i, d in ipairs(descriptions) do
        list[#list + 1] = ("a[%d]"):format(i)
        if type(d) == "table" then
            list[#list + 1] = ("%d"):format(d.n)
        end
    end
    local declared = assert(header:match("int32_t " .. prefix .. name .. "(%b());"), name)
    local kind = declared:match("(%S+) %*result1")
    local result = kind and ffi.new(kind .. "[1]")
    local tagged = kind == prefix .. "value"
    list[#list + 1] = kind and "result" or nil
    list[#list + 1] = "nil"
    return assert(loadstring(([[
        local result = ...
        return function(f, _, a)
            if f(%s) ~= 0 then error("the kernel %s stopped") end
            return %s
        end]]):format(table.concat(list, ", "), name, not kind and "nil" or not tagged
            and "result[0]" or "result[0].type == 4 and result[0].value.real "
            .. "or result[0].value.integer")))(result)
end

local function prepare(case, size)
    local descriptions = case.args(size)
    local arguments = {}
    for i, d in ipairs(descriptions) do
        arguments[i] = type(d) == "table" and array(d) or d
    end
    local f, low = loops[prefix and prefix .. case.name or case.name], case.low
    if prefix then
        low = built_call(case.name, descriptions)
    end
    return function(calls)
        local returned
        for _ = 1, calls do returned = low(f, size, arguments) end
        return returned
    end, function(returned)
        if case.name == "fnv1a64" then
            returned = bit.band(returned, ffi.cast("uint64_t", 0xffffffff))
        end
        return work.checksum(case, arguments, descriptions, returned and tonumber(returned),
            function(x, i) return tonumber(x[i - 1]) end)
    end
end

work.serve(prepare, now)
