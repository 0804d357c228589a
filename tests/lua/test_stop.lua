-- SPDX-License-Identifier: MIT
--
-- test_stop.lua - kernels that would run for days are stopped within 100 ms, whatever kind of loop
-- they are in, on every tier; with an error that says why, and the buffers whole afterwards.

local cns = require "cns"
local tasks = cns.tasks

local function total(n)
    local s = 0
    for i = 1, n do s = s ~ (i * i) end
    return s
end

-- Called with all or the first of these.
-- luacheck: ignore 212
local loops = {
    {"a while", function(x) while true do x[1] = x[1] + 1 end end},
    {"a repeat", function(x, y) repeat y[1] = y[1] ~ 1 until y[2] > 3 end},
    {"a goto", function(x) ::again:: x[2] = x[2] * 0.5 goto again end},
    {"a count", function(x, y, n)
        local s = 0
        for i = 1, n do s = s + y[(i & 255) + 1] end
        return s
    end},
    {"floats that count", function(x, y, n)
        local s = 0.0
        for i = 1.0, n, 0.5 do s = s + i * 0.25 end
        return s
    end},
    {"a count that may break", function(x, y, n)
        for i = 1, n do
            if y[(i & 255) + 1] == 4 then break end
        end
    end},
    {"a short loop in a long one", function(x, y, n)
        for k = 1, n do
            for i = 1, #x do x[i] = x[i] * 0.999 + k end
        end
    end},
    {"a division", function(x, y, n)
        local s = 0
        for i = 1, n do s = s + i // y[(i & 7) + 1] end
        return s
    end},
    {"an inlined function", function(x, y, n)
        return total(n) + total(n)
    end},
    {"sin", function(x, y, n)
        local s = 0.0
        for i = 1, n do s = s + math.sin(i) end
        return s
    end},
    {"pow and fmod", function(x, y, n)
        local s = 1.5
        for _ = 1, n do s = s ^ 1.0000001 + math.fmod(1e308, s) end
        return s
    end},
    {"a group with a while in it", function(x)
        for i = 1, #x do
            local v = x[i]
            while v > 0 do v = v + 1.0 end
            x[i] = v
        end
    end},
    {"a group with a repeat in it", function(x)
        for i = 1, #x do
            local v = x[i]
            repeat v = v * 0.5 + 1 until v < 0
            x[i] = v
        end
    end},
    {"a group with a count in it", function(x, y, n)
        for i = 1, #x do
            local s = x[i]
            for j = 1, n do s = s * 0.5 + j end
            x[i] = s
        end
    end},
    {"a group that calls exp", function(x, y, n)
        for i = 1, #x do
            local s = 0.0
            for j = 1, n do s = s + math.exp(-j * x[i]) end
            x[i] = s
        end
    end},
    {"a group that calls fmod", function(x, y, n)
        for i = 1, #x do
            local s = 0.0
            for j = 1, n do s = s + math.fmod(1e308, x[i] + j) end
            x[i] = s
        end
    end},
    {"a loop that calls fmod", function(x, y, n)
        local s = 0.0
        for j = 1, n do s = s + math.fmod(1e308, x[(j & 255) + 1]) end
        return s
    end},
    {"short groups in a long loop", function(x, y, n)
        for _ = 1, n do
            for i = 1, #x do
                local v = x[i]
                while v > 1.0 do v = v * 0.5 end
                x[i] = v + 1
            end
        end
    end},
    {"prange", function(x, y, n)
        local s = 0
        for i in cns.prange(n) do s = s + (i ~ (i >> 3)) * i % 7 end
        return s
    end},
    {"a while in prange", function(x)
        for i in cns.prange(#x) do
            local v = x[i]
            while v > 0 do v = v + 1.0 end
            x[i] = v
        end
    end},
    {"prange in a while", function(x, y)
        while y[1] > 0 do
            for i in cns.prange(#x) do x[i] = i end
        end
    end},
}

local sanitized = (os.getenv("CNS_LUA") or ""):find("lua_sanitized", 1, true)
local limit = sanitized and 1 or 0.1

local function there_is_native()
    return (pcall(cns.jit(function(a) return a end, {tier = "native"}), 1))
end

-- Runs the loop on a worker, stops it, and gives the seconds that this took, and the error.
local function stop(pool, loop, tier, how)
    local ready, token = tasks.cancel(), tasks.cancel()
    local future = pool:spawn_with({cancel = token, name = "long"}, function(f, kind, signal)
        local lib = require "cns"
        local x, y = lib.buffer("f64", 300):fill(1.5), lib.buffer("i64", 300):fill(3)
        local kernel = lib.jit(f, {tier = kind})
        local types, values = {"f64[]", "i64[]", "i64"}, {x, y, 1 << 45}
        local count = debug.getinfo(f, "u").nparams
        kernel:compile(table.unpack(types, 1, count))
        signal:cancel()
        local done, why = pcall(kernel, table.unpack(values, 1, count))
        x[1], y[1] = 1, 1
        return done, why
    end, loop, tier, ready)
    while not ready:cancelled() and not future:wait(0.001) do end
    cns.sleep(0.01)
    local begun = cns.clock()
    if how == "deadline" then
        token:after(0.001)
    else
        token:cancel()
    end
    local awaited, done, why = pcall(future.await, future)
    return cns.clock() - begun, awaited and not done and why or done
end

return function(test)
    local tiers = {"scalar", "vm"}
    if there_is_native() then tiers[3] = "native" end
    for _, tier in ipairs(tiers) do
        test("every kind of loop is stopped: " .. tier, function(t)
            local pool <close> = tasks.new {workers = 2}
            for i, loop in ipairs(loops) do
                local how = i % 2 == 0 and "deadline" or "cancelled"
                local best, why
                for _ = 1, 8 do -- others may keep the processor
                    local seconds
                    seconds, why = stop(pool, loop[2], tier, how)
                    best = math.min(best or seconds, seconds)
                    if best < limit then break end
                end
                t.ok(best < limit, ("%s: %.3f s"):format(loop[1], best))
                t.ok(tostring(why):find(how, 1, true), loop[1] .. ": " .. tostring(why))
            end
        end)
    end
end
