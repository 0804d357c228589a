-- SPDX-License-Identifier: MIT
--
-- peer_luajit.lua LIBRARY HEADER | luajit - calls the C loops of LIBRARY, or the same in Lua over
-- FFI arrays, compiled by LuaJIT.

local ffi = require "ffi"
local bit = require "bit"
local work = require "work"

local loops
if arg[1] == "luajit" then
    loops = require "loops_luajit"
else
    local text = assert(io.open(arg[2])):read("*a")
    text = text:gsub("/%*.-%*/", ""):gsub("#[^\n]*", "")
    ffi.cdef(text)
    loops = ffi.load(arg[1])
end

ffi.cdef [[
typedef struct { long seconds, nanoseconds; } cns_timespec;
int clock_gettime(int clock, cns_timespec *time);
]]
local time = ffi.new("cns_timespec")
local function now()
    ffi.C.clock_gettime(1, time)
    return tonumber(time.seconds) * 1e9 + tonumber(time.nanoseconds)
end

local types = {u8 = "uint8_t", u16 = "uint16_t", i32 = "int32_t", u32 = "uint32_t",
    i64 = "int64_t", f64 = "double"}

local function array(d)
    local a, element = ffi.new(types[d.kind] .. "[?]", d.n), work.element
    for i = 1, d.n do a[i - 1] = element(d, i) end
    return a
end

local function prepare(case, size)
    local descriptions = case.args(size)
    local arguments = {}
    for i, d in ipairs(descriptions) do
        arguments[i] = type(d) == "table" and array(d) or d
    end
    local f, low = loops[case.name], case.low
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
