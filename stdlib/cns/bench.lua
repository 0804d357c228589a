-- SPDX-License-Identifier: MIT
--
-- cns.bench - compares two ways of doing one thing, so that the answer can be believed.
--
--     local bench, report = require "cns.bench", require "cns.report"
--     local run = bench.new {title = "digests"}
--     run:compare {
--         name = "hash", base = {label = "plain Lua", run = slow},
--         other = {label = "engine", run = fast}, verify = function(a, b) return a == b end,
--     }
--     report.finish(run:result())
--
-- Both sides run in every round, in alternating order; the ratio is taken round by round, and its
-- median has a bootstrap interval. A control runs the other side against itself the same way (A/A):
-- the interval around its ratio is the smallest effect this machine can show now, and a verdict
-- needs more than that. Garbage: a full collection before each timing, the collector running inside
-- it, because collecting is part of what a way of working costs. All rounds' answers are verified.

local cns = require "cns"
local host = require "cns.host"
local run = require "cns.run"
local stats = require "cns.stats"

local bench = setmetatable({}, {__index = run})
bench.__index = bench

bench.gc_policy = "full collection before each timing, collector running inside it"

---@param options {title: string?, private: boolean?}?
function bench.new(options)
    options = options or {}
    return setmetatable(run.new {title = options.title, kind = "bench",
        private = options.private}, bench)
end

local function side(spec, key)
    local value = spec[key]
    if type(value) ~= "table" or type(value.label) ~= "string" or type(value.run) ~= "function" then
        error(("compare: %s must be {label = text, run = function}"):format(key), 0)
    end
    return value
end

local function prepare(spec)
    local known = {name = 1, base = 1, other = 1, setup = 1, verify = 1, rounds = 1, warmup = 1,
        items = 1, unit = 1, description = 1, expect = 1, memory = 1, note = 1}
    for key in pairs(spec) do
        if not known[key] then
            error(("compare: unknown field '%s'"):format(tostring(key)), 0)
        end
    end
    if type(spec.name) ~= "string" or type(spec.verify) ~= "function" then
        error("compare: name and verify are needed: unverified answers are not timed", 0)
    end
    local rounds = spec.rounds or 11
    if math.type(rounds) ~= "integer" or rounds < 5 then
        error("compare: rounds must be an integer from 5", 0)
    end
    return side(spec, "base"), side(spec, "other"), rounds, spec.warmup or 1
end

local function timed(fn, ctx)
    collectgarbage()
    local began = cns.clock_ns()
    local answer = fn(ctx)
    return (cns.clock_ns() - began) * 1e-9, answer
end

-- Rounds of both functions, the order swapped each time. `accept` sees every pair of answers.
local function interleave(name, first, second, rounds, ctx, accept)
    local a, b = {}, {}
    for round = 1, rounds do
        host.status(("%s: round %d of %d"):format(name, round, rounds))
        local answer_a, answer_b
        if round % 2 == 1 then
            a[round], answer_a = timed(first, ctx)
            b[round], answer_b = timed(second, ctx)
        else
            b[round], answer_b = timed(second, ctx)
            a[round], answer_a = timed(first, ctx)
        end
        accept(answer_a, answer_b, round)
    end
    return a, b
end

-- The farther end of the control's interval from 1, as a share.
local function detectable(control)
    local low = control.low < 1 and 1 / control.low or control.low
    local high = control.high < 1 and 1 / control.high or control.high
    return math.max(low, high, control.ratio, 1 / control.ratio) - 1
end

local function judge(pair, smallest)
    if pair.low > 1 + smallest then return "faster" end
    if pair.high < 1 / (1 + smallest) then return "slower" end
    return "inconclusive"
end

local function row_of(spec, base, other, times, control, seed)
    local pair = stats.paired_ratio(times.base, times.other, {seed = seed})
    local aa = stats.paired_ratio(control.first, control.second, {seed = seed + 1})
    local smallest = detectable(aa)
    local test = stats.mann_whitney(times.base, times.other)
    return {
        name = spec.name, description = spec.description, note = spec.note, state = "pass",
        expect = spec.expect, items = spec.items, unit = spec.unit, rounds = #times.base,
        base = {label = base.label, times_s = times.base, summary = stats.summary(times.base)},
        other = {label = other.label, times_s = times.other, summary = stats.summary(times.other)},
        ratio = pair.ratio, ratio_low = pair.low, ratio_high = pair.high,
        confidence = 0.95, p = test.p, smallest_effect = smallest,
        control = {ratio = aa.ratio, low = aa.low, high = aa.high, first_s = control.first,
            second_s = control.second},
        verdict = judge(pair, smallest), gc = bench.gc_policy,
    }
end

---Compares `other` with `base`; ratio 2 says that `other` takes half the time. The row joins the
---run's result. A wrong answer or an error makes the row, and the run, fail.
---`spec` has name, base and other ({label, run(ctx)}) and verify(a, b, ctx); it may have
---setup(ctx), rounds (11), warmup (1), items and unit (what one run handles), expect ("faster":
---anything else misses the run's threshold), memory(ctx) ({base_bytes, other_bytes}),
---description and note.
---@param spec table
---@return table row
function bench:compare(spec)
    local base, other, rounds, warmup = prepare(spec)
    local ctx = {seed = host.seed}
    local function accept(answer_a, answer_b, round)
        local good, why = spec.verify(answer_a, answer_b, ctx)
        if not good then
            error(("round %d: the answers are wrong: %s"):format(round,
                tostring(why or "verify rejected them")), 0)
        end
    end
    local row
    local finished, message = xpcall(function()
        if spec.setup then spec.setup(ctx) end
        for round = 1, warmup do
            accept(base.run(ctx), other.run(ctx), -round)
        end
        local times, control = {}, {}
        times.base, times.other = interleave(spec.name, base.run, other.run, rounds, ctx, accept)
        control.first, control.second = interleave(spec.name .. " (A/A control)", other.run,
            other.run, rounds, ctx, function() end)
        row = row_of(spec, base, other, times, control, host.seed)
        if spec.memory then row.memory = spec.memory(ctx) end
    end, debug.traceback)
    host.status(nil)
    row = row or {name = spec.name, state = "fail", verdict = "failed", error = tostring(message),
        expect = spec.expect}
    if not finished then row.state, row.verdict, row.error = "fail", "failed", tostring(message) end
    self:add_benchmark(row)
    return row
end

---A row whose part does not exist yet: "not built", or whose other side is missing: "not measured".
---@param name string
---@param state "not built"|"not measured"
---@param why string
function bench:missing(name, state, why)
    assert(state == "not built" or state == "not measured", "state: not built or not measured")
    self:add_benchmark {name = name, state = state, verdict = state, note = why}
end

return bench
