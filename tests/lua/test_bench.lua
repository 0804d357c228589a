-- SPDX-License-Identifier: MIT
--
-- test_bench.lua - comparisons: verification, order, verdicts, rows that are missing.

package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
require "fake_host"
local cns = require "cns"
local bench = require "cns.bench"

local function always() return true end

return function(test)
    test("a slower base makes the other faster", function(t)
        local run = bench.new {private = true}
        local row = run:compare {name = "sleep", rounds = 7, verify = always,
            base = {label = "long", run = function() cns.sleep(0.02) end},
            other = {label = "short", run = function() cns.sleep(0.004) end}}
        t.equal(row.state, "pass")
        t.ok(row.ratio > 1.5, tostring(row.ratio))
        t.ok(row.ratio_low <= row.ratio and row.ratio <= row.ratio_high)
        t.equal(#row.base.times_s, 7)
        t.equal(#row.control.first_s, 7)
        t.equal(run:result().verdict, "success")
    end)

    test("both sides run in every round, in alternating order", function(t)
        local order = {}
        bench.new {private = true}:compare {name = "order", rounds = 6, warmup = 0, verify = always,
            base = {label = "a", run = function() order[#order + 1] = "a" end},
            other = {label = "b", run = function() order[#order + 1] = "b" end}}
        t.equal(table.concat(order, "", 1, 12), "abbaabbaabba")
        t.equal(#order, 24) -- and the control
    end)

    test("identical sides are never faster than the control can see", function(t)
        local function spin()
            local x = 0
            for i = 1, 20000 do x = x + i end
            return x
        end
        local row = bench.new {private = true}:compare {name = "same", rounds = 9,
            verify = function(a, b) return a == b end,
            base = {label = "a", run = spin}, other = {label = "b", run = spin}}
        t.ok(row.smallest_effect >= 0)
        if row.verdict ~= "inconclusive" then -- a noisy machine; the interval must bear it out
            t.ok(row.ratio_low > 1 + row.smallest_effect
                or row.ratio_high < 1 / (1 + row.smallest_effect))
        end
    end)

    test("wrong answers and errors fail the run", function(t)
        local run = bench.new {private = true}
        local row = run:compare {name = "wrong", rounds = 5,
            verify = function(a, b) return a == b, "not the same" end,
            base = {label = "a", run = function() return 1 end},
            other = {label = "b", run = function() return 2 end}}
        t.equal(row.state, "fail")
        t.ok(row.error:find("not the same", 1, true))
        t.equal(run:result().verdict, "check failed")
        row = run:compare {name = "breaks", rounds = 5, verify = always,
            base = {label = "a", run = function() error("broke") end},
            other = {label = "b", run = always}}
        t.equal(row.state, "fail")
        t.ok(row.error:find("broke", 1, true))
    end)

    test("an expectation that is missed is a missed threshold", function(t)
        local run = bench.new {private = true}
        run:compare {name = "slower", rounds = 7, verify = always, expect = "faster",
            base = {label = "short", run = function() cns.sleep(0.002) end},
            other = {label = "long", run = function() cns.sleep(0.02) end}}
        t.ok(run:result().verdict ~= "success")
    end)

    test("what is not built is no pass", function(t)
        local run = bench.new {private = true}
        run:missing("bytecode", "not built", "the VM is to come")
        t.equal(run:result().verdict, "inconclusive")
        t.raises("state", run.missing, run, "x", "pass", "")
    end)

    test("descriptions are checked", function(t)
        local run = bench.new {private = true}
        t.raises("unverified", run.compare, run, {name = "x", base = {}, other = {}})
        t.raises("unknown field", run.compare, run, {nmae = "x"})
        t.raises("base must be", run.compare, run, {name = "x", verify = always, base = {}})
        t.raises("rounds", run.compare, run, {name = "x", verify = always, rounds = 2})
    end)
end
