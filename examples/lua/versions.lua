-- SPDX-License-Identifier: MIT
--
-- versions.lua - which versions of packages to install: the newest that fit together; and when
-- nothing fits, the few requirements that are to blame, in words.

local solver = require "cns.solver"

-- For each package its versions, oldest first, with what they need: name = {oldest, newest}.
local index = {
    app = {["1.0"] = {web = {"2.0", "3.1"}, orm = {"1.0", "2.0"}}},
    web = {
        ["2.0"] = {json = {"1.0", "1.2"}}, ["2.4"] = {json = {"1.1", "2.0"}},
        ["3.0"] = {json = {"2.0", "2.1"}, tls = {"1.0", "1.3"}},
        ["3.1"] = {json = {"2.1", "2.1"}, tls = {"1.3", "1.3"}},
    },
    orm = {["1.0"] = {json = {"1.0", "1.2"}}, ["1.5"] = {json = {"1.2", "2.0"}},
        ["2.0"] = {json = {"2.0", "2.1"}, sql = {"4.0", "4.1"}}},
    json = {["1.0"] = {}, ["1.1"] = {}, ["1.2"] = {}, ["2.0"] = {}, ["2.1"] = {}},
    tls = {["1.0"] = {}, ["1.3"] = {}},
    sql = {["4.0"] = {tls = {"1.0", "1.0"}}, ["4.1"] = {tls = {"1.0", "1.3"}}},
}

local function sorted_keys(t)
    local keys = {}
    for key in pairs(t) do keys[#keys + 1] = key end
    table.sort(keys)
    return keys
end

local packages = sorted_keys(index)

-- A variable for each package: 0 for "not installed", else the number of its version.
local function build(requirements)
    local model, choice, number = solver.model(), {}, {}
    for _, name in ipairs(packages) do
        local versions = sorted_keys(index[name])
        choice[name] = model:int(0, #versions, name)
        number[name] = {}
        for k, version in ipairs(versions) do number[name][version] = k end
    end
    local function between(name, range)
        return choice[name]:within {{number[name][range[1]], number[name][range[2]]}}
    end
    for _, name in ipairs(packages) do
        for version, needs in pairs(index[name]) do
            for _, other in ipairs(sorted_keys(needs)) do
                local range = needs[other]
                model:post(choice[name]:eq(number[name][version]):implies(between(other, range)),
                    ("%s %s needs %s %s to %s"):format(name, version, other, range[1], range[2]))
            end
        end
    end
    for _, name in ipairs(sorted_keys(requirements)) do
        local range = requirements[name]
        model:post(between(name, range), ("you want %s %s to %s"):format(name, range[1], range[2]))
    end
    return model, choice
end

local function install(requirements)
    local model, choice = build(requirements)
    local installed, age = {}, {}
    for k, name in ipairs(packages) do -- few packages first, then new ones
        installed[k] = choice[name]:gt(0)
        age[k] = choice[name]
    end
    model:maximize(solver.sum(age) - 100 * solver.sum(installed))
    local solution = model:solve()
    if not solution then return nil, model:explain() end
    local plan = {}
    for _, name in ipairs(packages) do
        plan[name] = sorted_keys(index[name])[solution[choice[name]]]
    end
    return plan, solution.objective
end

-- The plan holds: whatever is installed has what it needs.
local function check(plan, requirements)
    for name, range in pairs(requirements) do
        assert(plan[name] and range[1] <= plan[name] and plan[name] <= range[2])
    end
    for name, version in pairs(plan) do
        for other, range in pairs(index[name][version]) do
            assert(plan[other] and range[1] <= plan[other] and plan[other] <= range[2])
        end
    end
end

-- Every plan there is, tried one by one: the best of them is the one that was found.
local function best_by_hand(requirements)
    local best, plan = nil, {}
    local function try(k, value)
        if k > #packages then
            if (not best or value > best) and pcall(check, plan, requirements) then best = value end
            return
        end
        try(k + 1, value)
        for number, version in ipairs(sorted_keys(index[packages[k]])) do
            plan[packages[k]] = version
            try(k + 1, value + number - 100)
        end
        plan[packages[k]] = nil
    end
    try(1, 0)
    return best
end

local wanted = {app = {"1.0", "1.0"}, sql = {"4.1", "4.1"}}
local plan, value = install(wanted)
check(plan, wanted)
assert(value == best_by_hand(wanted))
for _, name in ipairs(sorted_keys(plan)) do print(("install %-5s %s"):format(name, plan[name])) end

local none, why = install {app = {"1.0", "1.0"}, orm = {"1.5", "2.0"}, web = {"3.1", "3.1"},
    sql = {"4.0", "4.0"}}
print()
print(why)
assert(not none and #why == 4)
