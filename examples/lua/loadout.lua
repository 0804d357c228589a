-- SPDX-License-Identifier: MIT
--
-- loadout.lua - the best equipment within a weight and a purse, with slots, sets and exclusions;
-- then all of the best ones. Enumeration in plain Lua is the judge.

local solver = require "cns.solver"

local items = { -- name, slot, weight, price, power
    {"dagger", "hand", 2, 30, 9}, {"sword", "hand", 6, 90, 22}, {"axe", "hand", 8, 80, 24},
    {"bow", "hand", 4, 110, 20}, {"shield", "hand", 7, 70, 15}, {"cap", "head", 1, 15, 4},
    {"helmet", "head", 5, 60, 13}, {"robe", "body", 2, 50, 8}, {"mail", "body", 12, 160, 30},
    {"plate", "body", 20, 260, 44}, {"boots", "feet", 2, 25, 5}, {"greaves", "feet", 6, 75, 14},
    {"ring", "charm", 0, 120, 10}, {"amulet", "charm", 0, 90, 8}, {"quiver", "charm", 2, 20, 1},
}
local room = {hand = 2, head = 1, body = 1, feet = 1, charm = 2}
local max_weight, purse = 30, 420

local model = solver.model()
local take, weight, price, power, by_name = {}, {}, {}, {}, {}
for k, item in ipairs(items) do
    take[k] = model:bool(item[1])
    by_name[item[1]] = take[k]
    weight[k], price[k], power[k] = item[3], item[4], item[5]
end
for slot, places in pairs(room) do
    local worn = {}
    for k, item in ipairs(items) do
        if item[2] == slot then worn[#worn + 1] = take[k] end
    end
    model:post(solver.sum(worn):le(places))
end
model:post(solver.sum(take, weight):le(max_weight))
model:post(solver.sum(take, price):le(purse))
model:post(by_name.quiver:implies(by_name.bow))
model:post(~(by_name.robe & by_name.helmet))
local archer = by_name.bow & by_name.quiver -- a set: more than the sum of its parts
local knight = by_name.sword & by_name.shield & by_name.helmet
local total = solver.sum(take, power) + 12 * archer + 9 * knight
model:maximize(total)

local best, status = model:solve()
local names = {}
for k, item in ipairs(items) do
    if best[take[k]] then names[#names + 1] = item[1] end
end
print(("power %d (%s): %s"):format(best.objective, status, table.concat(names, ", ")))
print(("weight %d of %d, price %d of %d, archer %s, knight %s"):format(
    best:value(solver.sum(take, weight)), max_weight, best:value(solver.sum(take, price)), purse,
    best[archer], best[knight]))

-- How many loadouts are as good? The same model, with the value fixed.
model:satisfy()
model:post(total:eq(best.objective))
local ties = 0
for _ in model:solutions() do ties = ties + 1 end

-- All 32768 of them in plain Lua.
local top, tops = 0, 0
for set = 0, (1 << #items) - 1 do
    local w, p, sum, used, has = 0, 0, 0, {}, {}
    for k, item in ipairs(items) do
        if set >> (k - 1) & 1 == 1 then
            w, p, sum = w + item[3], p + item[4], sum + item[5]
            used[item[2]] = (used[item[2]] or 0) + 1
            has[item[1]] = true
        end
    end
    local fits = w <= max_weight and p <= purse and not (has.quiver and not has.bow)
        and not (has.robe and has.helmet)
    for slot, count in pairs(used) do fits = fits and count <= room[slot] end
    if fits then
        sum = sum + (has.bow and has.quiver and 12 or 0)
            + (has.sword and has.shield and has.helmet and 9 or 0)
        if sum > top then top, tops = sum, 0 end
        if sum == top then tops = tops + 1 end
    end
end
print(("plain Lua, all 32,768 subsets: power %d, %d of them"):format(top, tops))
assert(status == "optimal" and best.objective == top and ties == tops)
