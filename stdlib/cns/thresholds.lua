-- SPDX-License-Identifier: MIT
--
-- cns.thresholds - what a scenario must reach, in words: "p99 < 5ms", "success = 100%".
--
--   metrics   p50 p90 p99.9 p(95) min max mean median   latency, in time units (ns us ms s min)
--             success                                   share of operations, in % or 0..1
--             errors operations calls                   counts
--             ops/s                                     operations a second
--             duration                                  time units
--             rss                                       peak resident memory, in B KiB MiB GiB
--                                                       KB MB GB
--             cpu                                       CPU seconds, user and system, time units
--   relation  <  <=  >  >=  =  !=
--
-- A figure that the system does not give makes its threshold "not measured", which is not a pass.

local thresholds = {}

local time_units = {ns = 1e-9, us = 1e-6, ["µs"] = 1e-6, ms = 1e-3, s = 1, min = 60}
local size_units = {
    [""] = 1, B = 1, KB = 1e3, MB = 1e6, GB = 1e9, KiB = 2 ^ 10, MiB = 2 ^ 20, GiB = 2 ^ 30,
}
local share_units = {[""] = 1, ["%"] = 0.01}
local plain_units = {[""] = 1}
local rate_units = {[""] = 1, ["/s"] = 1}

local function latency(field)
    return function(scenario)
        return scenario.latency and scenario.latency[field]
    end
end

local metrics = {
    min = {time_units, latency "min_s"}, max = {time_units, latency "max_s"},
    mean = {time_units, latency "mean_s"}, median = {time_units, latency "p50_s"},
    success = {share_units, function(s) return s.success_rate end},
    errors = {plain_units, function(s) return s.error_count end},
    operations = {plain_units, function(s) return s.operations end},
    calls = {plain_units, function(s) return s.calls end},
    ["ops/s"] = {rate_units, function(s) return s.ops_per_s end},
    duration = {time_units, function(s) return s.duration_s end},
    rss = {size_units, function(s) return s.peak_rss_bytes end},
    cpu = {time_units, function(s)
        local cpu = s.cpu or {}
        return math.type(cpu.user_s) and math.type(cpu.system_s) and cpu.user_s + cpu.system_s
    end},
}

local relations = {
    ["<"] = function(a, b) return a < b end, ["<="] = function(a, b) return a <= b end,
    [">"] = function(a, b) return a > b end, [">="] = function(a, b) return a >= b end,
    ["="] = function(a, b) return a == b end, ["=="] = function(a, b) return a == b end,
    ["!="] = function(a, b) return a ~= b end,
}

local function keys(map)
    local list = {}
    for key in pairs(map) do
        if key ~= "" then list[#list + 1] = key end
    end
    table.sort(list)
    return table.concat(list, ", ")
end

-- p99, p99.9 and p(95): read from the scenario's histogram, so any percentile will do.
local function percentile(name)
    local number = tonumber(name:match("^p(%d+%.?%d*)$") or name:match("^p%((%d+%.?%d*)%)$"))
    if not number then
        return nil
    end
    if number <= 0 or number > 100 then
        return nil, ("'%s' is not a percentile: p0.1 to p100 are"):format(name)
    end
    return {time_units, function(scenario)
        local histogram = scenario.latency and scenario.latency.histogram
        if not histogram or histogram.count == 0 then return nil end
        local stats = require "cns.stats"
        local value = stats.import_histogram(histogram):quantile(number / 100)
        return value * 1e-9
    end}
end

---Parses "metric relation value"; nil and what is wrong with it.
---@param text string
---@return {text: string, metric: string, relation: string, limit: number, read: function}?, string?
function thresholds.parse(text)
    if type(text) ~= "string" then
        return nil, "a threshold is text such as \"p99 < 5ms\", not a " .. type(text)
    end
    local name, relation, number, unit = text:match(
        "^%s*([%a][%w%.%(%)/]*)%s*([<>=!]+)%s*([%d%.eE+-]+)%s*(%S*)%s*$")
    local quoted = "threshold \"" .. text .. "\": "
    if not name then
        return nil, quoted .. "not of the form \"metric relation value\", such as \"p99 < 5ms\""
    end
    local metric, why = metrics[name], nil
    if not metric then
        metric, why = percentile(name)
    end
    if not metric then
        return nil, quoted .. (why or ("unknown metric '%s'; there are percentiles (p99) and %s")
            :format(name, keys(metrics)))
    end
    if not relations[relation] then
        return nil, quoted .. ("unknown relation '%s'; there are %s"):format(relation,
            keys(relations))
    end
    local value = tonumber(number)
    if not value then
        return nil, quoted .. ("'%s' is not a number"):format(number)
    end
    local factor = metric[1][unit]
    if not factor then
        local wrong = unit == "" and "a unit is missing" or "unknown unit '" .. unit .. "'"
        return nil, quoted .. wrong .. "; there are " .. keys(metric[1])
    end
    -- 99.9 * 0.01 is not 0.999, nor is 99.9 / 100: moving the point in the text is exact.
    local limit = unit == "%" and tonumber(number .. "e-2") or value * factor
    return {text = text, metric = name, relation = relation, limit = limit, read = metric[2]}
end

---Parses a list; raises with the first one that is wrong.
---@param list string[]
function thresholds.parse_all(list)
    local parsed = {}
    for i, text in ipairs(list or {}) do
        local threshold, why = thresholds.parse(text)
        parsed[i] = threshold or error(why, 0)
    end
    return parsed
end

---@return {scenario: string, text: string, state: string, actual: number?, limit: number}
function thresholds.evaluate(threshold, scenario)
    local actual = threshold.read(scenario)
    local row = {
        scenario = scenario.name, text = threshold.text, metric = threshold.metric,
        relation = threshold.relation, limit = threshold.limit,
    }
    if type(actual) ~= "number" then
        row.state = "not measured"
        return row
    end
    row.actual = actual
    row.state = relations[threshold.relation](actual, threshold.limit) and "pass" or "fail"
    return row
end

return thresholds
