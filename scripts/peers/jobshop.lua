-- SPDX-License-Identifier: MIT
--
-- jobshop.lua - the shortest job shop schedule in plain Lua: branch and bound over active schedules
-- (Giffler, Thompson 1960), bounded by each job's rest and by each machine's work, head and tail.

local jobshop = {}

-- Each job visits all machines in an order of its own.
function jobshop.make(random, jobs, machines)
    local shop = {jobs = jobs, machines = machines, machine = {}, time = {}}
    for j = 1, jobs do
        local order, time = {}, {}
        for m = 1, machines do order[m], time[m] = m, random(20) end
        for m = machines, 2, -1 do
            local other = random(m)
            order[m], order[other] = order[other], order[m]
        end
        shop.machine[j], shop.time[j] = order, time
    end
    return shop
end

function jobshop.solve(shop)
    local jobs, machines, machine, time = shop.jobs, shop.machines, shop.machine, shop.time
    local rest, at = {}, {} -- work of a job from its k-th operation on; job and machine to k
    for j = 1, jobs do
        rest[j], at[j] = {[machines + 1] = 0}, {}
        for k = machines, 1, -1 do
            rest[j][k] = rest[j][k + 1] + time[j][k]
            at[j][machine[j][k]] = k
        end
    end
    local best, next_of, ready, free = math.huge, {}, {}, {}
    for j = 1, jobs do next_of[j], ready[j] = 1, 0 end
    for m = 1, machines do free[m] = 0 end

    local function bound()
        local most = 0
        for m = 1, machines do
            local head, work, tail = math.huge, 0, math.huge
            for j = 1, jobs do
                local k, here = next_of[j], at[j][m]
                if here >= k then
                    local start = ready[j] + rest[j][k] - rest[j][here]
                    if start < free[m] then start = free[m] end
                    if start < head then head = start end
                    if rest[j][here + 1] < tail then tail = rest[j][here + 1] end
                    work = work + time[j][here]
                end
            end
            if work > 0 and head + work + tail > most then most = head + work + tail end
        end
        for j = 1, jobs do
            local k = next_of[j]
            local start = ready[j]
            if k <= machines and free[machine[j][k]] > start then start = free[machine[j][k]] end
            if start + rest[j][k] > most then most = start + rest[j][k] end
        end
        return most
    end

    local function search(left)
        local least = bound()
        if least >= best then return end
        if left == 0 then
            best = least
            return
        end
        local earliest, on = math.huge, nil
        for j = 1, jobs do
            local k = next_of[j]
            if k <= machines then
                local m = machine[j][k]
                local finish = (ready[j] > free[m] and ready[j] or free[m]) + time[j][k]
                if finish < earliest then earliest, on = finish, m end
            end
        end
        for j = 1, jobs do
            local k = next_of[j]
            if k <= machines and machine[j][k] == on then
                local was_ready, was_free = ready[j], free[on]
                local start = was_ready > was_free and was_ready or was_free
                if start < earliest then
                    ready[j], free[on], next_of[j] = start + time[j][k], start + time[j][k], k + 1
                    search(left - 1)
                    ready[j], free[on], next_of[j] = was_ready, was_free, k
                end
            end
        end
    end
    search(jobs * machines)
    return best
end

return jobshop
