-- SPDX-License-Identifier: MIT
--
-- test_stats.lua - statistics against published values, brute force and sorted lists.

local stats = require "cns.stats"

-- Two-sided p of the rank sum by all ways to choose #a of all values.
local function permutation_p(a, b)
    local all = table.move(b, 1, #b, #a + 1, table.move(a, 1, #a, 1, {}))
    local function u_of(chosen)
        local u = 0
        for i = 1, #all do
            for j = 1, #all do
                if chosen[i] and not chosen[j] then
                    u = u + (all[i] > all[j] and 1 or all[i] == all[j] and 0.5 or 0)
                end
            end
        end
        return u
    end
    local centre, observed, extreme, total = #a * #b / 2, {}, 0, 0
    for i = 1, #a do observed[i] = true end
    local distance = math.abs(u_of(observed) - centre)
    local function choose(from, left, chosen)
        if left == 0 then
            total = total + 1
            if math.abs(u_of(chosen) - centre) >= distance - 1e-9 then extreme = extreme + 1 end
            return
        end
        for i = from, #all - left + 1 do
            chosen[i] = true
            choose(i + 1, left - 1, chosen)
            chosen[i] = nil
        end
    end
    choose(1, #a, {})
    return extreme / total
end

return function(test)
    test("the generator is SplitMix64", function(t)
        local random = stats.random(1234567) -- values of the reference implementation
        for _, word in ipairs {6457827717110365317, 3203168211198807973} do
            t.equal(random(), (word >> 11) * 0x1p-53)
        end
        for _ = 1, 1000 do
            local n = random(6)
            t.ok(math.type(n) == "integer" and n >= 1 and n <= 6)
        end
        t.raises("seed", stats.random, "x")
    end)

    test("quantiles interpolate", function(t) -- R's quantile(c(3, 1, 4, 1, 5, 9, 2, 6), type = 7)
        local values = {3, 1, 4, 1, 5, 9, 2, 6}
        t.equal(stats.quantile(values, 0.25), 1.75)
        t.equal(stats.median(values), 3.5)
        t.equal(stats.quantile(values, 0.75), 5.25)
        t.equal(stats.quantile(values, 0), 1.0)
        t.equal(stats.quantile(values, 1), 9.0)
        t.equal(values[1], 3, "the list is left as it was")
        t.equal(stats.mad {1, 1, 2, 2, 4, 6, 9}, 1.0)
        t.raises("at least one", stats.median, {})
    end)

    test("a summary counts outliers and keeps them", function(t)
        local summary = stats.summary {10, 11, 10, 12, 11, 10, 11, 100}
        t.equal(summary.count, 8)
        t.equal(summary.outliers, 1)
        t.equal(summary.max, 100)
    end)

    test("the rank test agrees with all permutations", function(t)
        for seed = 1, 3 do
            local random, a, b = stats.random(seed), {}, {}
            for i = 1, 7 do a[i], b[i] = random(30), random(30) + 4 * seed end
            local exact, approximate = permutation_p(a, b), stats.mann_whitney(a, b).p
            t.ok(math.abs(exact - approximate) < 0.03, ("%g and %g"):format(exact, approximate))
        end
        t.equal(stats.mann_whitney({5, 5, 5}, {5, 5, 5}).z, 0.0)
    end)

    test("bootstrap intervals are seeded and cover", function(t)
        local covered = 0
        for trial = 1, 60 do
            local random, values = stats.random(trial), {}
            for i = 1, 25 do values[i] = random() + random() + random() end
            local low, high = stats.bootstrap(values, stats.median, {seed = trial, resamples = 300})
            if low <= 1.5 and 1.5 <= high then covered = covered + 1 end
            local low2, high2 = stats.bootstrap(values, stats.median,
                {seed = trial, resamples = 300})
            t.ok(low == low2 and high == high2)
        end
        t.ok(covered >= 50, covered .. " of 60 intervals hold the true median")
    end)

    test("paired ratios cancel slow spells", function(t)
        local pair = stats.paired_ratio({2, 20, 4, 2.2}, {1, 10, 2, 1.1}, {seed = 1})
        t.equal(pair.ratio, 2.0)
        t.ok(pair.low <= 2 and pair.high >= 2)
    end)

    test("histogram quantiles are within 1 % of the sorted list", function(t)
        for seed = 1, 4 do
            local random, histogram, values = stats.random(seed), stats.histogram(), {}
            for i = 1, 3000 do
                values[i] = math.floor(2 ^ (random() * 12 * seed))
                histogram:record(values[i])
            end
            table.sort(values)
            for _, q in ipairs {0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1} do
                local exact = values[math.ceil(q * #values - 1e-9)]
                local got = histogram:quantile(q)
                t.ok(math.abs(got - exact) <= 0.01 * exact, ("q %g: %d, %d"):format(q, got, exact))
                t.ok(got >= values[1] and got <= values[#values])
            end
            t.equal(histogram.min, values[1])
            t.equal(histogram.max, values[#values])
        end
    end)

    test("histogram edges", function(t)
        local histogram = stats.histogram()
        t.equal(histogram:quantile(0.5), nil)
        t.equal(histogram:mean(), nil)
        t.raises("from 0", histogram.record, histogram, -1)
        for _, value in ipairs {0, 127, 128, 1 << 40, math.maxinteger} do
            histogram:record(value)
        end
        t.equal(histogram:quantile(0.2), 0)
        t.equal(histogram:quantile(0.4), 127)
        t.equal(histogram:quantile(1), math.maxinteger)
    end)

    test("merged parts equal the whole, also through export", function(t)
        local random, whole = stats.random(9), stats.histogram()
        local parts = {stats.histogram(), stats.histogram(), stats.histogram()}
        for _ = 1, 2000 do
            local value = random(1 << 30)
            whole:record(value)
            parts[random(3)]:record(value)
        end
        local merged = stats.histogram()
        for _, part in ipairs(parts) do merged:merge(stats.import_histogram(part:export())) end
        t.same(merged:export(), whole:export())
    end)
end
