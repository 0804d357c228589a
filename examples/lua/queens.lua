-- SPDX-License-Identifier: MIT
--
-- queens.lua - the first model that everybody writes: queens that do not attack each other.

local solver = require "cns.solver"

local function queens(n)
    local model = solver.model()
    local queen = model:ints(n, 1, n, "queen") -- queen[row] = column
    local up, down = {}, {}
    for row = 1, n do up[row], down[row] = queen[row] + row, queen[row] - row end
    model:all_different(queen)
    model:all_different(up)
    model:all_different(down)
    return model, queen
end

-- One solution of a large board, checked by hand.
local n = 20
local model, queen = queens(n)
local columns = model:solve()[queen]
for i = 1, n do
    for j = i + 1, n do
        assert(columns[i] ~= columns[j] and math.abs(columns[i] - columns[j]) ~= j - i)
    end
end
for row = 1, n do
    print((". "):rep(columns[row] - 1) .. "Q" .. (" ."):rep(n - columns[row]))
end

-- All solutions of a small one, one after the other.
local small, places = queens(8)
local count = 0
for solution in small:solutions() do
    count = count + 1
    if count <= 3 then print("8 queens:", table.concat(solution[places], " ")) end
end
print("8 queens:", count .. " solutions")
assert(count == 92)
