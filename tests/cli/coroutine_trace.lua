-- SPDX-License-Identifier: MIT
--
-- coroutine_trace.lua - a trace of what coroutines do; lua5.4 and cnsengine must print the same.

local function show(...)
    local parts = table.pack(...)
    for i = 1, parts.n do
        parts[i] = tostring(parts[i]):gsub("0x%x+", "ADDRESS")
    end
    print(table.concat(parts, " | ", 1, parts.n))
end

-- values both ways, states
local co = coroutine.create(function(a, b)
    show("in", a, b, coroutine.isyieldable(), coroutine.status(coroutine.running()))
    local c = coroutine.yield(a + b)
    local d, e = coroutine.yield(c * 2, nil, "x")
    return d, e, nil
end)
show(coroutine.status(co))
show(coroutine.resume(co, 1, 2))
show(coroutine.status(co))
show(coroutine.resume(co, 10))
show(coroutine.resume(co, "d", "e"))
show(coroutine.status(co), coroutine.resume(co))

-- misuse
show(pcall(coroutine.resume, 1))
show(pcall(coroutine.wrap, 1))
show(pcall(coroutine.close))
show(coroutine.resume(coroutine.running()))
show(pcall(coroutine.close, coroutine.running()))
local outer
outer = coroutine.create(function()
    local inner = coroutine.create(function()
        show("normal", coroutine.status(outer), coroutine.resume(outer))
        show(pcall(coroutine.close, outer))
    end)
    show(coroutine.resume(inner))
end)
show(coroutine.resume(outer))

-- errors: strings get wrap's position, other values pass
show(pcall(coroutine.wrap(function() error("text") end)))
show(pcall(coroutine.wrap(function() error("text", 0) end)))
show(pcall(coroutine.wrap(function() error({}) end)))
show(pcall(coroutine.wrap(function() error(nil) end)))
show(select("#", pcall(coroutine.wrap(function() error() end))))
local finished = coroutine.wrap(function() end)
finished()
show(pcall(finished))
local function thrower() error("deep") end
show(pcall(function() local w = coroutine.wrap(thrower) w() end))

-- yields across pcall, xpcall, metamethods, iterators, sort is refused
show(coroutine.resume(coroutine.create(function()
    return pcall(function() return coroutine.yield("from pcall") end)
end)))
local across = coroutine.wrap(function()
    local ok, value = pcall(function() error(coroutine.yield(1), 0) end)
    coroutine.yield(ok, value)
    return xpcall(function() return coroutine.yield("x") end, function(m) return m end)
end)
show(across()) show(across("boom")) show(across()) show(across(7))
local meta = setmetatable({}, {__add = function(a, b) return coroutine.yield(b) end})
local adds = coroutine.wrap(function() return meta + 5 end)
show(adds()) show(adds("sum"))
for i, v in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i, i * i) end end) do
    show(i, v)
end
show(pcall(coroutine.wrap(function()
    table.sort({3, 2, 1}, function(a, b) coroutine.yield() return a < b end)
end)))

-- to-be-closed variables
local function closing(name, fail)
    return setmetatable({}, {__close = function(_, e)
        show("close", name, e)
        if fail then error("close " .. name .. " failed", 0) end
    end})
end
co = coroutine.create(function()
    local a <close> = closing("a")
    local b <close> = closing("b", true)
    coroutine.yield("suspended")
end)
show(coroutine.resume(co))
show(coroutine.close(co))
show(coroutine.status(co), coroutine.close(co))
show(coroutine.close(coroutine.create(print)))
show(pcall(coroutine.wrap(function()
    local a <close> = closing("c", true)
    error("body", 0)
end)))
show(pcall(coroutine.wrap(function()
    local a <close> = closing("d")
    error({}, 0)
end)))

-- many values, deep nesting
show(select("#", coroutine.resume(coroutine.create(function(...) return ... end),
    table.unpack({}, 1, 200))))
show(pcall(coroutine.wrap(function() return table.unpack({}, 1, 1e6) end)))
local function nest(n)
    if n == 0 then return "bottom" end
    return coroutine.wrap(nest)(n - 1)
end
show(nest(150))
local ok, message = pcall(nest, 500)
show(ok, (message:gsub("^.*: ", "")))

-- a goodbye from a collected coroutine
do
    local w = coroutine.wrap(function() coroutine.yield() end)
    w()
end
collectgarbage()
show("end")
