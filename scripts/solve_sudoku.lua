-- SPDX-License-Identifier: MIT
--
-- solve_sudoku.lua - makes a sudoku of one solution with no clue to spare.
--
--     cnsengine run scripts/solve_sudoku.lua [--seed 7]
--
-- "There is a solution that is not this one" is contradicted by the clues; a smallest part of them
-- that does so is a puzzle. A backtracking solver in plain Lua, below, is the judge.

local host = require "cns.host"
local solver = require "cns.solver"
local random = require "cns.stats".random(host.seed)

local function sudoku(seed)
    local model = solver.model {seed = seed}
    local cell = model:matrix(9, 9, 1, 9, "cell")
    for k = 1, 9 do
        model:all_different(cell:row(k))
        model:all_different(cell:column(k))
        model:all_different(cell:block((k - 1) // 3 * 3 + 1, (k - 1) % 3 * 3 + 1, 3, 3))
    end
    return model, cell:flat()
end

-- A full grid at random: values of random cells are tried in random order.
local function shuffled(n)
    local order = {}
    for k = 1, n do
        local j = random(k)
        order[k] = order[j]
        order[j] = k
    end
    return order
end

local function full_grid()
    local model, cell = sudoku(host.seed)
    local order = shuffled(81)
    local mixed = {}
    for k = 1, 81 do mixed[k] = cell[order[k]] end
    model:search(mixed, "first_fail", "random")
    return model:solve {strategy = "fixed"}[cell]
end

-- Clues that leave no other solution than the grid, each of them needed.
local function clues_of(grid)
    local model, cell = sudoku(host.seed)
    local differ, clues, number = {}, {}, {}
    for k = 1, 81 do differ[k] = cell[k]:ne(grid[k]) end
    model:post(solver.any(differ))
    for k, place in ipairs(shuffled(81)) do
        clues[k] = cell[place]:eq(grid[place])
        number[clues[k]] = place
    end
    local other, _, core = model:solve {assume = clues}
    assert(not other and core.minimal)
    local out = {}
    for _, clue in ipairs(core) do out[number[clue]] = grid[number[clue]] end
    return out, #core
end

-- Solutions of the puzzle by plain backtracking, up to `most`.
local function count_solutions(clues, most)
    local used, values, count = {row = {}, column = {}, block = {}}, {}, 0
    local function unit(k)
        local r, c = (k - 1) // 9, (k - 1) % 9
        return r, c, r // 3 * 3 + c // 3
    end
    for k = 0, 8 do used.row[k], used.column[k], used.block[k] = 0, 0, 0 end
    local function put(k, v, sign)
        local r, c, b = unit(k)
        used.row[r] = used.row[r] + sign * (1 << v)
        used.column[c] = used.column[c] + sign * (1 << v)
        used.block[b] = used.block[b] + sign * (1 << v)
        values[k] = sign > 0 and v or nil
    end
    for k = 1, 81 do
        if clues[k] then put(k, clues[k], 1) end
    end
    local function search()
        local best, fewest, best_taken = nil, 10, 0
        for k = 1, 81 do
            if not values[k] then
                local r, c, b = unit(k)
                local taken, free = used.row[r] | used.column[c] | used.block[b], 0
                for v = 1, 9 do free = free + (~taken >> v & 1) end
                if free < fewest then best, fewest, best_taken = k, free, taken end
            end
        end
        if not best then
            count = count + 1
            return
        end
        for v = 1, 9 do
            if best_taken >> v & 1 == 0 and count < most then
                put(best, v, 1)
                search()
                put(best, v, -1)
            end
        end
    end
    search()
    return count
end

local grid = full_grid()
local clues, count = clues_of(grid)
local bold, dim, plain = "", "", ""
if host.color then bold, dim, plain = "\27[1m", "\27[2m", "\27[0m" end
for r = 0, 8 do
    local left, right = {}, {}
    for c = 1, 9 do
        local k = 9 * r + c
        local gap = c % 3 == 1 and c > 1 and "| " or ""
        left[c] = gap .. (clues[k] and bold .. clues[k] .. plain or dim .. "." .. plain)
        right[c] = gap .. (clues[k] and bold .. grid[k] .. plain or dim .. grid[k] .. plain)
    end
    print("  " .. table.concat(left, " ") .. "        " .. table.concat(right, " "))
    if r == 2 or r == 5 then
        print("  ------+-------+------        ------+-------+------")
    end
end

assert(count_solutions(clues, 2) == 1, "the puzzle has another solution")
for k = 1, 81 do
    local clue = clues[k]
    if clue then
        clues[k] = nil
        assert(count_solutions(clues, 2) == 2, "a clue is not needed")
        clues[k] = clue
    end
end
print(("seed %d: %d clues, one solution; without any of them there are more"):format(host.seed,
    count))
host.verdict("success")
