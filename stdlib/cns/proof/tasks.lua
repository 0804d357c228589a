-- SPDX-License-Identifier: MIT
--
-- cns.proof.tasks: what cumulative, disjunctive and diffn mean, for the checker of proofs.
--
-- Besides whether they may hold (see kinds.lua) these tell how to go on when that is open: by cases
-- of which of two tasks is first, or on which side of a box another one is, as a scheduler would.
-- Lemmas are mostly about few of the tasks: `relax` leaves out those that a lemma does not name.

local tasks = {kinds = {}, choose = {}, relax = {}}

local MANY <const> = 24 -- tasks; beyond, windows are those between earliest starts and latest ends

-- ---- energy -------------------------------------------------------------------------------------

-- Sorted without duplicates.
local function distinct(list)
    table.sort(list)
    local count = 0
    for _, v in ipairs(list) do
        if v ~= list[count] then
            count = count + 1
            list[count] = v
        end
    end
    for k = #list, count + 1, -1 do list[k] = nil end
    return list
end

local function windows(est, lst, length)
    local from, to = {}, {}
    for k in ipairs(est) do
        from[#from + 1] = est[k]
        to[#to + 1] = lst[k] + length[k]
        if #est <= MANY then
            from[#from + 1] = lst[k]
            to[#to + 1] = est[k] + length[k]
        end
    end
    return distinct(from), distinct(to)
end

-- Whether tasks of {start, duration, demand} fit the capacity at the starts of what surely runs,
-- and their energy fits each window.
local function energy_fits(d, list, capacity)
    local est, lst, length, demand, total = {}, {}, {}, {}, 0
    local low = d.low
    for _, t in ipairs(list) do
        local duration, use = low(t.duration), low(t.demand)
        if duration > 0 and use > 0 then
            local k = #est + 1
            est[k], lst[k], length[k], demand[k] = low(t.start), d.high(t.start), duration, use
            if use > capacity then return false end
            total = total + duration * use
        end
    end
    local n = #est
    d.work = (d.work or 0) + n * n
    for i = 1, n do
        local at, used = lst[i], 0
        if at < est[i] + length[i] then
            for k = 1, n do
                if lst[k] <= at and at < est[k] + length[k] then used = used + demand[k] end
            end
            if used > capacity then return false end
        end
    end
    local froms, tos = windows(est, lst, length)
    for _, from in ipairs(froms) do
        for _, to in ipairs(tos) do
            local room = capacity * (to - from)
            if room >= total then break end
            if to > from then
                d.work = d.work + n
                local used = 0
                for k = 1, n do -- what is inside, wherever the task lies
                    local l = length[k]
                    local left, right = est[k] + l - from, to - lst[k]
                    local inside = left < right and left or right
                    inside = inside < l and inside or l
                    inside = inside < to - from and inside or to - from
                    if inside > 0 then used = used + demand[k] * inside end
                end
                if used > room then return false end
            end
        end
    end
    return true
end

-- Whether tasks of which no two run at once fit between the earliest start and the latest end of
-- any of them.
local function machine_fits(d, list)
    local order = {}
    for k, t in ipairs(list) do
        local length = d.low(t.duration)
        order[k] = {d.low(t.start), d.high(t.start) + length, length}
    end
    table.sort(order, function(s, t) return s[2] < t[2] end)
    d.work = (d.work or 0) + #order * #order
    local done = {}
    for _, first in ipairs(order) do
        local from = first[1]
        if not done[from] then
            done[from] = true
            local finish = from
            for _, t in ipairs(order) do
                if t[1] >= from then
                    finish = finish + t[3]
                    if finish > t[2] then return false end
                end
            end
        end
    end
    return true
end

-- ---- kinds --------------------------------------------------------------------------------------

-- Tasks of which no two run at once, as many as there are: those of more than half the capacity,
-- and one more that fits none of them.
local function exclusive(d, list, capacity)
    local out, least, last = {}, math.huge, nil
    local function take(t)
        out[#out + 1] = t
    end
    for _, t in ipairs(list) do
        local demand = d.low(t.demand)
        if d.low(t.duration) > 0 and 2 * demand > capacity then
            take(t)
            least = math.min(least, demand)
        end
    end
    for _, t in ipairs(list) do
        local demand = d.low(t.demand)
        if not last and d.low(t.duration) > 0 and 2 * demand <= capacity
            and demand + least > capacity then
            last = t
            take(t)
        end
    end
    return out
end

function tasks.kinds.cumulative(a, d)
    local list = {}
    for k, start in ipairs(a.starts) do
        if d.high(a.durations[k]) < 0 or d.high(a.demands[k]) < 0 then return false end
        list[k] = {start = start, duration = a.durations[k], demand = a.demands[k]}
    end
    local capacity = d.high(a.capacity)
    return capacity >= 0 and energy_fits(d, list, capacity)
        and machine_fits(d, exclusive(d, list, capacity))
end

-- Whether one of two tasks may be behind the other.
local function may_follow(d, a, i, j)
    return d.low(a.starts[i]) + d.low(a.durations[i]) <= d.high(a.starts[j])
end

-- Whether a task is surely there and matters.
local function is_there(d, a, k)
    return (not a.presence or d.low(a.presence[k]) == 1) and (a.strict or d.low(a.durations[k]) > 0)
end

function tasks.kinds.disjunctive(a, d)
    local list, there = {}, {}
    for k, start in ipairs(a.starts) do
        local present = not a.presence or d.low(a.presence[k]) == 1
        if d.high(a.durations[k]) < 0 and present then return false end
        if is_there(d, a, k) then
            for _, i in ipairs(there) do
                if not may_follow(d, a, i, k) and not may_follow(d, a, k, i) then return false end
            end
            there[#there + 1] = k
            if d.low(a.durations[k]) > 0 then
                list[#list + 1] = {start = start, duration = a.durations[k]}
            end
        end
    end
    return machine_fits(d, list)
end

-- Along one dimension boxes are tasks that share the extent of the other one.
local function projection_fits(d, x, dx, y, dy)
    local low, high, list = math.huge, -math.huge, {}
    for k in ipairs(x) do
        if d.low(dx[k]) > 0 and d.low(dy[k]) > 0 then
            low = math.min(low, d.low(y[k]))
            high = math.max(high, d.high(y[k]) + d.high(dy[k]))
            list[#list + 1] = {start = x[k], duration = dx[k], demand = dy[k]}
        end
    end
    return #list == 0 or energy_fits(d, list, high - low)
end

local function may_be_empty(d, a, k)
    return not a.strict and (d.low(a.dx[k]) <= 0 or d.low(a.dy[k]) <= 0)
end

-- The four ways of two boxes: {x, dx, of the first, of the second}.
local function ways_of(a, i, j)
    return {{a.x, a.dx, i, j}, {a.x, a.dx, j, i}, {a.y, a.dy, i, j}, {a.y, a.dy, j, i}}
end

local function way_is_open(d, way)
    local x, dx, i, j = way[1], way[2], way[3], way[4]
    return d.low(x[i]) + d.low(dx[i]) <= d.high(x[j])
end

function tasks.kinds.diffn(a, d)
    local function apart(x, dx, i, j)
        return d.low(x[i]) + d.low(dx[i]) <= d.high(x[j])
    end
    for i in ipairs(a.x) do
        for j = 1, i - 1 do
            if not may_be_empty(d, a, i) and not may_be_empty(d, a, j)
                and not apart(a.x, a.dx, i, j) and not apart(a.x, a.dx, j, i)
                and not apart(a.y, a.dy, i, j) and not apart(a.y, a.dy, j, i) then
                return false
            end
        end
    end
    return projection_fits(d, a.x, a.dx, a.y, a.dy) and projection_fits(d, a.y, a.dy, a.x, a.dx)
end

-- ---- cases --------------------------------------------------------------------------------------

-- x + d <= y as a sum.
local function precedence(x, duration, y)
    return {x = {x, duration, y}, a = {1, 1, -1}, c = 0}
end

local function is_certain(d, x, duration, y)
    return d.high(x) + d.high(duration) <= d.low(y)
end

-- The pair to decide: of those with task `first` if there are any, the one with least to spare.
local function best_pair(n, first, open)
    local best, least, with_first = nil, math.huge, false
    for j = 2, n do
        for i = 1, j - 1 do
            local has = i == first or j == first
            if has or not with_first then
                local spare, cases = open(i, j)
                if spare and (spare < least or (has and not with_first)) then
                    best, least, with_first = cases, spare, has
                end
            end
        end
    end
    return best
end

-- The task whose variable a lemma concludes with.
local function task_of(v, ...)
    for _, list in ipairs {...} do
        for k, t in ipairs(list) do
            if type(t) == "table" and t.v == v then return k end
        end
    end
    return nil
end

-- By arguments, the sums made of them before, with what `known` notes in them.
local made = setmetatable({}, {__mode = "k"})

-- Cases of a pair that must be one after the other. `known(sum, 1)`: the sum is already assumed to
-- hold; `known(sum, -1)`: not to hold.
local function order_cases(d, a, known)
    local starts, durations = a.starts, a.durations
    local sums = made[a] or {}
    made[a] = sums
    local function sum_of(i, j)
        local at = i << 20 | j
        local sum = sums[at] or precedence(starts[i], durations[i], starts[j])
        sums[at] = sum
        return sum
    end
    return function(i, j)
        local forward, back = sum_of(i, j), sum_of(j, i)
        if is_certain(d, table.unpack(forward.x)) or is_certain(d, table.unpack(back.x))
            or known(forward, 1) or known(back, 1) then
            return nil
        elseif known(forward, -1) or known(back, -1) then
            return -math.huge, known(forward, -1) and (known(back, -1) and {} or {{back}})
                or {{forward}}
        end
        local s, t = starts[i], starts[j]
        local spare = math.max(d.high(s), d.high(t)) - math.min(d.low(s), d.low(t))
            - d.low(durations[i]) - d.low(durations[j])
        return spare, {{forward}, {back}}
    end
end

function tasks.choose.disjunctive(a, d, first, known)
    local cases = order_cases(d, a, known)
    return best_pair(#a.starts, task_of(first, a.starts), function(i, j)
        if is_there(d, a, i) and is_there(d, a, j) then return cases(i, j) end
        return nil
    end)
end

-- Two halves of a domain.
local function halves(d, t)
    local middle = (d.low(t) + d.high(t)) // 2
    return {{{x = {t}, a = {1}, c = middle}}, {{x = {t}, a = {-1}, c = -middle - 1}}}
end

function tasks.choose.cumulative(a, d, first, known)
    local k = task_of(first, a.starts)
    local cases = order_cases(d, a, known)
    local is_open = k and d.low(a.starts[k]) ~= d.high(a.starts[k])
    local best = best_pair(#a.starts, k, function(i, j)
        if d.low(a.durations[i]) > 0 and d.low(a.durations[j]) > 0
            and d.low(a.demands[i]) + d.low(a.demands[j]) > d.high(a.capacity)
            and (not is_open or i == k or j == k) then
            return cases(i, j)
        end
        return nil
    end)
    return best or (is_open and halves(d, a.starts[k]) or nil)
end

function tasks.choose.diffn(a, d, first, known)
    return best_pair(#a.x, task_of(first, a.x, a.y, a.dx, a.dy), function(i, j)
        if may_be_empty(d, a, i) or may_be_empty(d, a, j) then return nil end
        local cases = {}
        for _, way in ipairs(ways_of(a, i, j)) do
            local x, dx, p, q = table.unpack(way)
            local sum = precedence(x[p], dx[p], x[q])
            if is_certain(d, table.unpack(sum.x)) or known(sum, 1) then return nil end
            if way_is_open(d, way) and not known(sum, -1) then cases[#cases + 1] = {sum} end
        end
        return #cases, cases
    end)
end

-- ---- what a lemma is about ----------------------------------------------------------------------

-- The arguments `lists` with those places only of which one has a variable of `named`; nil: all do.
local function keep_named(a, lists, named)
    local out, count = {}, 0
    for key, value in pairs(a) do out[key] = value end
    for _, list in ipairs(lists) do out[list] = a[list] and {} end
    local first = a[lists[1]]
    for k in ipairs(first) do
        local is = false
        for _, list in ipairs(lists) do
            local t = a[list] and a[list][k]
            is = is or (type(t) == "table" and named(t))
        end
        if is then
            count = count + 1
            for _, list in ipairs(lists) do
                if a[list] then out[list][count] = a[list][k] end
            end
        end
    end
    return count < #first and out or nil
end

function tasks.relax.cumulative(a, named)
    return keep_named(a, {"starts", "durations", "demands"}, named)
end

function tasks.relax.disjunctive(a, named)
    return keep_named(a, {"starts", "durations", "presence"}, named)
end

function tasks.relax.diffn(a, named)
    return keep_named(a, {"x", "y", "dx", "dy"}, named)
end

return tasks
