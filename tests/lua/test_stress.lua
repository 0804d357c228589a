-- SPDX-License-Identifier: MIT
--
-- test_stress.lua - the scenario runner: counting, verification, errors, open loop, workers.

package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local host = require "fake_host"
local cns = require "cns"
local run = require "cns.run"
local stress = require "cns.stress"

local function one(spec)
    local self = stress.new {title = "test", private = true}
    self.harness = {per_call_s = 1e-6, inside_latency_s = 1e-7, hook = "none"}
    return self:scenario(spec), self
end

local function nothing() end

return function(test)
    test("every answer is verified and counted", function(t)
        local record, self = one {
            name = "squares", operations = 100, weight = 3,
            work = function(_, i) return i * i end,
            verify = function(_, i, answer) return answer == i ^ 2 // 1 | 0, "wrong" end,
            thresholds = {"success = 100%", "errors = 0"},
        }
        t.equal(record.state, "pass")
        t.equal(record.calls, 100)
        t.equal(record.operations, 300)
        t.equal(record.verified, 300)
        t.equal(record.success_rate, 1.0)
        t.equal(record.latency.count, 100)
        t.equal(#record.samples.latency_ns, 100)
        t.equal(self:result().verdict, "success")
    end)

    test("wrong answers, false and errors all fail, none is dropped", function(t)
        local record, self = one {
            name = "bad", operations = 100,
            work = function(_, i)
                if i % 10 == 1 then error("broke at " .. i) end
                if i % 10 == 2 then return false, "no luck" end
                return i % 10 == 3 and -1 or i
            end,
            verify = function(_, i, answer)
                if i % 10 == 4 then error("verify broke") end
                return answer == i, "wrong answer"
            end,
        }
        t.equal(record.state, "fail")
        t.equal(record.success_rate, 0.6)
        t.equal(record.error_count, 40)
        t.equal(#record.errors, 4)
        local seen = {}
        for _, entry in ipairs(record.errors) do
            t.equal(entry.count, 10)
            t.equal(#entry.first, 3)
            seen[#seen + 1] = entry.first[1].text
        end
        local text = table.concat(seen, "\n")
        for _, cause in ipairs {"broke at 1", "no luck", "wrong answer", "verify broke"} do
            t.ok(text:find(cause, 1, true), cause)
        end
        t.equal(self:result().verdict, "check failed")
    end)

    test("errors of every phase fail the scenario with their cause", function(t)
        for _, phase in ipairs {"setup", "after", "teardown"} do
            local spec = {name = phase, operations = 3, work = nothing, verify = "in work"}
            spec[phase] = function() error("in " .. phase) end
            local record = one(spec)
            t.equal(record.state, "fail", phase)
            t.equal(record.errors[1].phase, phase)
            t.ok(record.errors[1].first[1].text:find("in " .. phase, 1, true))
        end
        local closed = false
        local record = one {name = "x", operations = 1, work = nothing, verify = "in work",
            setup = function(ctx) ctx.half = true; error("cannot") end,
            teardown = function(ctx) closed = ctx.half end}
        t.equal(record.calls, 0)
        t.equal(record.success_rate, 0.0)
        t.ok(closed, "teardown sees what setup made")
        record = one {name = "warm", operations = 2, warmup = 1, verify = "in work",
            work = function(ctx)
                if not ctx.warm then ctx.warm = true; error("cold") end
            end}
        t.equal(record.state, "fail")
        t.equal(record.errors[1].phase, "warm-up")
    end)

    test("checks of `after` join the run", function(t)
        local record, self = one {name = "c", operations = 1, work = nothing, verify = "in work",
            after = function(_, checks) checks:equal("two", 1 + 1, 3) end}
        t.equal(record.state, "fail")
        t.equal(self.checks[1].group, "c")
        t.equal(self.checks[1].evidence, "expected 3, got 2")
    end)

    test("a missed threshold is its own verdict", function(t)
        local _, self = one {name = "slow", operations = 3, verify = "in work",
            work = function() cns.sleep(0.002) end, thresholds = {"p50 < 1 us", "success = 100%"}}
        t.equal(self.thresholds[1].state, "fail")
        t.equal(self.thresholds[2].state, "pass")
        t.equal(self:result().verdict, "threshold missed")
    end)

    test("with a rate, latency counts from the intended start", function(t)
        local record = one {name = "stall", operations = 40, rate = 1000, verify = "in work",
            work = function(_, i) if i == 10 then cns.sleep(0.03) end end}
        -- The stall delays the calls behind it: some 20 of them wait 5 ms or more, not one.
        local late = 0
        for _, sample in ipairs(record.samples.latency_ns) do
            if sample[2] >= 5000000 then late = late + 1 end
        end
        t.ok(late >= 15, late .. " calls show the stall")
        t.equal(record.latency.from, "intended start")
    end)

    test("a duration ends the scenario", function(t)
        local record = one {name = "d", duration = "100 ms", work = nothing, verify = "in work"}
        t.ok(record.calls > 100 and record.duration_s >= 0.1 and record.duration_s < 2)
        t.ok(#record.samples.latency_ns <= 2000)
        t.equal(record.latency.count, record.calls)
    end)

    test("workers run every call, merged exactly", function(t)
        local record = one {name = "w", operations = 200, workers = 4, batch = 7, warmup = 2,
            collect = true, setup = function(ctx) ctx.add = 5 end,
            work = function(ctx, i)
                if i == 150 then error("task broke") end
                return i + ctx.add
            end,
            verify = function(_, i, answer) return answer == i + 5, answer * 2 end,
            after = function(_, checks, results)
                local right = 0
                for i = 1, 200 do
                    if results[i] == (i + 5) * 2 then right = right + 1 end
                end
                checks:equal("collected", right, 199)
            end}
        t.equal(record.calls, 200)
        t.equal(record.success_rate, 199 / 200)
        t.equal(record.latency.count, 200)
        t.equal(#record.errors, 1)
        t.ok(record.errors[1].first[1].text:find("task broke", 1, true))
        t.equal(record.errors[1].first[1].call, 150)
    end)

    test("workers share a rate", function(t)
        local record = one {name = "wr", operations = 50, rate = 2000, workers = 3,
            work = nothing, verify = "in work"}
        t.equal(record.calls, 50)
        t.ok(record.duration_s >= 0.024)
    end)

    test("what cannot cross to a worker fails with its name", function(t)
        local thread = coroutine.create(nothing)
        local record = one {name = "no", operations = 3, workers = 2,
            work = function() return thread end, verify = "in work"}
        t.equal(record.state, "fail")
        t.ok(record.errors[1].first[1].text:find("thread"), record.errors[1].first[1].text)
    end)

    test("descriptions are checked", function(t)
        local self = stress.new {private = true}
        local good = {name = "n", operations = 1, work = nothing, verify = "in work"}
        for change, pattern in pairs {
            [{wrok = 1}] = "unknown field 'wrok'", [{operations = 0}] = "above 0",
            [{operations = 1.5}] = "of type integer", [{duration = 1}] = "either operations or",
            [{verify = "no"}] = "verify must be", [{thresholds = {"p99"}}] = "not of the form",
        } do
            local spec = {}
            for key, value in pairs(good) do spec[key] = value end
            for key, value in pairs(change) do spec[key] = value end
            t.raises(pattern, self.scenario, self, spec)
        end
        t.raises("verify are needed", self.scenario, self, {name = "n", operations = 1,
            work = nothing})
        t.raises("duration", self.scenario, self, {name = "n", duration = "soon", work = nothing,
            verify = "in work"})
    end)

    test("the harness measures its own cost", function(t)
        local cost = stress.overhead()
        t.ok(cost.per_call_s > 0 and cost.per_call_s < 1e-3)
        t.ok(cost.inside_latency_s > 0 and cost.clock_s > 0)
    end)

    test("snapshots are published and decode", function(t)
        host.published = {}
        local self = stress.new {title = "p"}
        self:scenario {name = "p", operations = 2, work = nothing, verify = "in work"}
        t.ok(#host.published >= 2)
        local first = cns.json.decode(host.published[1])
        t.equal(first.scenarios[1].state, "inconclusive")
        local last = cns.json.decode(host.published[#host.published])
        t.equal(last.scenarios[1].state, "pass")
        t.equal(last.seed, host.seed)
    end)

    test("a scenario with a part that was not measured is inconclusive, not failed", function(t)
        local self = stress.new {private = true}
        local record = self:scenario {name = "n", operations = 1, work = nothing,
            verify = "in work", after = function(_, checks)
                checks:note("a part", "not measured", "a tool is missing")
            end}
        t.equal(record.state, "inconclusive")
        t.equal(self:result().verdict, "inconclusive")
    end)

    test("a run that ran nothing shows nothing", function(t)
        t.equal(run.new():result().verdict, "inconclusive")
    end)
end
