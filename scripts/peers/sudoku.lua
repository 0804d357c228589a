-- SPDX-License-Identifier: MIT
--
-- sudoku.lua - sudokus in plain Lua: made with one solution, and solved by best practice: sets of
-- bits, the cell with the fewest candidates first.

local sudoku = {}

local all = (1 << 9) - 1
local row_of, column_of, block_of, bits = {}, {}, {}, {}
for cell = 1, 81 do
    local r, c = (cell - 1) // 9, (cell - 1) % 9
    row_of[cell], column_of[cell], block_of[cell] = r + 1, c + 1, r // 3 * 3 + c // 3 + 1
end
for set = 0, all do
    local count, rest = 0, set
    while rest ~= 0 do count, rest = count + 1, rest & (rest - 1) end
    bits[set] = count
end
local digit_of = {}
for digit = 1, 9 do digit_of[1 << (digit - 1)] = digit end

-- Up to `limit` solutions of `clues` (81 digits, 0: open); the first one found, and how many.
function sudoku.solve(clues, limit)
    local rows, columns, blocks = {}, {}, {}
    for i = 1, 9 do rows[i], columns[i], blocks[i] = all, all, all end
    local grid, open, first, found = {}, {}, nil, 0
    for cell = 1, 81 do
        local digit = clues[cell]
        grid[cell] = digit
        if digit == 0 then
            open[#open + 1] = cell
        else
            local off = ~(1 << (digit - 1))
            local r, c, b = row_of[cell], column_of[cell], block_of[cell]
            rows[r], columns[c], blocks[b] = rows[r] & off, columns[c] & off, blocks[b] & off
        end
    end
    local function search(count)
        if count == 0 then
            found = found + 1
            first = first or table.move(grid, 1, 81, 1, {})
            return found >= limit
        end
        local best, fewest, candidates = 0, 10, 0
        for k = 1, count do
            local cell = open[k]
            local set = rows[row_of[cell]] & columns[column_of[cell]] & blocks[block_of[cell]]
            if bits[set] < fewest then
                best, fewest, candidates = k, bits[set], set
                if fewest <= 1 then break end
            end
        end
        local cell = open[best]
        open[best], open[count] = open[count], cell
        local r, c, b = row_of[cell], column_of[cell], block_of[cell]
        while candidates ~= 0 do
            local bit = candidates & -candidates
            candidates = candidates & ~bit
            rows[r], columns[c], blocks[b] = rows[r] & ~bit, columns[c] & ~bit, blocks[b] & ~bit
            grid[cell] = digit_of[bit]
            local done = search(count - 1)
            rows[r], columns[c], blocks[b] = rows[r] | bit, columns[c] | bit, blocks[b] | bit
            if done then return true end
        end
        grid[cell] = 0
        open[best], open[count] = open[count], open[best]
        return false
    end
    search(#open)
    return first, found
end

local function shuffled(list, random)
    for k = #list, 2, -1 do
        local other = random(k)
        list[k], list[other] = list[other], list[k]
    end
    return list
end

local function lines(random)
    local list = {}
    for _, band in ipairs(shuffled({0, 1, 2}, random)) do
        for _, line in ipairs(shuffled({0, 1, 2}, random)) do list[#list + 1] = 3 * band + line end
    end
    return list
end

-- A solved grid: the standard pattern with its digits, rows and columns shuffled.
function sudoku.grid(random)
    local digits, grid = shuffled({1, 2, 3, 4, 5, 6, 7, 8, 9}, random), {}
    local rows, columns = lines(random), lines(random)
    for k = 1, 81 do
        local r, c = rows[(k - 1) // 9 + 1], columns[(k - 1) % 9 + 1]
        grid[k] = digits[(r * 3 + r // 3 + c) % 9 + 1]
    end
    return grid
end

-- Clues of a sudoku with one solution, from which none can be left out.
function sudoku.make(random)
    local clues, cells = sudoku.grid(random), {}
    for k = 1, 81 do cells[k] = k end
    for _, cell in ipairs(shuffled(cells, random)) do
        local digit = clues[cell]
        clues[cell] = 0
        local _, found = sudoku.solve(clues, 2)
        if found ~= 1 then clues[cell] = digit end
    end
    return clues
end

return sudoku
