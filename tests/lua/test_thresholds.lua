-- SPDX-License-Identifier: MIT
--
-- test_thresholds.lua - what may be demanded of a scenario, and what is refused.

local stats = require "cns.stats"
local thresholds = require "cns.thresholds"

local function scenario()
    local histogram = stats.histogram()
    for i = 1, 1000 do histogram:record(i * 1000) end -- 1 µs to 1 ms
    return {
        name = "s", success_rate = 0.999, error_count = 1, operations = 1000, calls = 100,
        ops_per_s = 5000.0, duration_s = 2.0, peak_rss_bytes = 3 << 30,
        cpu = {user_s = 1.0, system_s = 0.5},
        latency = {min_s = 1e-6, max_s = 1e-3, mean_s = 5e-4, p50_s = 5e-4,
            histogram = histogram:export()},
    }
end

local function state(text, record)
    return thresholds.evaluate(assert(thresholds.parse(text)), record or scenario()).state
end

return function(test)
    test("metrics, relations and units", function(t)
        for _, text in ipairs {
            "p99 < 5ms", "p99<1ms", "p(50) > 490us", "p99.9 <= 1.01 ms", "max = 1 ms",
            "min == 1us", "mean < 1 s", "median < 0.6ms", "success >= 99.9%", "success > 0.99",
            "errors = 1", "errors != 0", "operations >= 1000", "calls = 100", "ops/s > 4999",
            "ops/s > 4999 /s", "duration < 1 min", "rss > 1 GiB", "rss < 4e9", "cpu <= 1500 ms",
        } do
            t.equal(state(text), "pass", text)
        end
        for _, text in ipairs {"p99 < 900us", "success = 100%", "rss < 3 GiB", "errors = 0"} do
            t.equal(state(text), "fail", text)
        end
    end)

    test("100 % is exactly all", function(t)
        local record = scenario()
        record.success_rate = 1.0
        t.equal(state("success = 100%", record), "pass")
        record.success_rate = 1 - 1e-9
        t.equal(state("success = 100%", record), "fail")
    end)

    test("what is not measured is not a pass", function(t)
        local record = scenario()
        record.peak_rss_bytes, record.cpu.user_s, record.latency = "unavailable", "unavailable", nil
        for _, text in ipairs {"rss < 1 GiB", "cpu < 1 s", "p99 < 5ms", "max < 1 s"} do
            t.equal(state(text, record), "not measured", text)
        end
    end)

    test("errors say what is wrong and what there is", function(t)
        for text, pattern in pairs {
            ["p99 < 5"] = "a unit is missing.*ms", ["p99 < 5 parsecs"] = "unknown unit 'parsecs'",
            ["speed < 5ms"] = "unknown metric 'speed'.*success",
            ["p101 < 5ms"] = "not a percentile",
            ["p99 <> 5ms"] = "unknown relation '<>'", ["p99 < ms"] = "not of the form",
            ["p99"] = "not of the form", [""] = "not of the form",
            ["p99 < 1.2.3ms"] = "not a number",
        } do
            local parsed, message = thresholds.parse(text)
            t.equal(parsed, nil, text)
            t.ok(message:find(pattern), text .. ": " .. message)
        end
        t.raises("text such as", thresholds.parse_all, {5})
    end)
end
