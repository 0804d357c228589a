-- SPDX-License-Identifier: MIT
--
-- cancel.lua - deadlines and cancellation tokens: how to stop tasks that would go on.

local cns = require "cns"
local tasks = cns.tasks

local pool <close> = tasks.new {workers = 2}

-- A task with a deadline is interrupted wherever it is, even if it swallows errors.
local stubborn = pool:spawn_with({name = "stubborn", deadline = "50 ms"}, function()
    while true do
        pcall(function() while true do end end)
    end
end)
local ok, message = pcall(stubborn.await, stubborn)
print("stubborn:", ok, message:match("^[^\n]*"):match("passed its deadline"))

-- A token stops many tasks; the children of a token go with it.
local token = tasks.cancel()
local futures = {}
for i = 1, 4 do
    futures[i] = pool:spawn_with({cancel = token}, function() while true do end end)
end
token:after("50 ms")
for i, future in ipairs(futures) do
    print("task " .. i .. " cancelled:", not pcall(future.await, future))
end

-- A task without a token runs without a hook, at full speed; it can look for itself, and be told
-- by its future.
local polite = pool:spawn(function()
    local rounds = 0
    while not tasks.cancelled() do
        rounds = rounds + 1
    end
    return rounds
end)
local began = not polite:wait("20 ms")
polite:cancel()
local stopped, rounds = pcall(polite.await, polite)
print("polite:", began, not stopped or rounds >= 0)
