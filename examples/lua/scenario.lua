-- SPDX-License-Identifier: MIT
--
-- scenario.lua - a complete scenario: a word index is built by four workers and verified.
--
--     cnsengine run examples/lua/scenario.lua --seed 7 --report out

local report = require "cns.report"
local stats = require "cns.stats"
local stress = require "cns.stress"

local lines, words_in_a_line = 200, 50

-- Every answer can be computed again from the seed.
local function line_of(seed, i)
    local random, words = stats.random(seed + i), {}
    for w = 1, words_in_a_line do words[w] = ("word%02d"):format(random(40)) end
    return words
end

local run = stress.new {title = "A word index"}

run:scenario {
    name = "index", operations = lines, workers = 4, warmup = 4, collect = true,
    description = "Counts the words of each line in a map of the engine.",
    setup = function(ctx)
        ctx.lines = {}
        for i = 1, lines do ctx.lines[i] = table.concat(line_of(ctx.seed, i), " ") end
    end,
    -- Runs on a worker's own Lua state, which has its own `cns`.
    work = function(ctx, i)
        local counts <close> = require "cns".map {key = "string", value = "u64"}
        for word in ctx.lines[i]:gmatch("%S+") do
            counts:set(word, (counts:get(word) or 0) + 1)
        end
        local answer = {}
        for word, count in counts:pairs() do answer[word] = count end
        return answer
    end,
    -- Outside the timing. What it returns second is kept for `after` in place of the answer.
    verify = function(ctx, i, answer)
        local total = 0
        for _, word in ipairs(line_of(ctx.seed, i)) do
            answer[word] = (answer[word] or 0) - 1
            total = total + 1
        end
        for word, difference in pairs(answer) do
            if difference ~= 0 then
                return false, ("'%s' is off by %d"):format(word, difference)
            end
        end
        return true, total
    end,
    after = function(_, checks, totals)
        local sum = 0
        for i = 1, lines do sum = sum + totals[i] end
        checks:equal("words counted in all", sum, lines * words_in_a_line)
    end,
    thresholds = {"success = 100%", "p99 < 5 s"},
}

report.finish(run:result())
