-- SPDX-License-Identifier: MIT
--
-- cns.stats - medians with spread, bootstrap intervals, a rank test, and a histogram.
--
-- Everything here is a pure function of its arguments: the bootstrap draws from a generator of its
-- own, seeded by the caller, so that a report can be computed again from its raw samples.
-- Nothing is ever dropped as an outlier; outliers are counted and shown.

local stats = {}

---------------------------------------------------------------------------------------------------
-- Random numbers: SplitMix64 (Steele, Lea, Flood 2014), independent of math.random's state

---A generator: g() is a float in [0, 1), g(n) an integer in 1..n.
---@param seed integer
---@return fun(n: integer?): number
function stats.random(seed)
    local state = math.tointeger(seed)
        or error("seed: an integer is needed, got " .. tostring(seed))
    return function(n)
        state = state + 0x9E3779B97F4A7C15
        local z = state
        z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
        z = (z ~ (z >> 27)) * 0x94D049BB133111EB
        local unit = ((z ~ (z >> 31)) >> 11) * 0x1p-53
        if n then
            return math.floor(unit * n) + 1
        end
        return unit
    end
end

---------------------------------------------------------------------------------------------------
-- Order statistics

local function sorted(values)
    if #values == 0 then
        error("values: at least one number is needed", 3)
    end
    local copy = table.move(values, 1, #values, 1, {})
    table.sort(copy)
    return copy
end

-- Linear interpolation between the two nearest ranks (type 7 of Hyndman and Fan 1996).
local function quantile_of_sorted(list, q)
    local at = 1.0 + q * (#list - 1)
    local below = math.floor(at)
    local low = list[below]
    local high = list[math.min(below + 1, #list)]
    return low + (at - below) * (high - low)
end

---The q-quantile, 0 <= q <= 1, interpolated.
---@param values number[]
---@param q number
---@return number
function stats.quantile(values, q)
    assert(q >= 0 and q <= 1, "q: a number from 0 to 1 is needed")
    return quantile_of_sorted(sorted(values), q)
end

---@param values number[]
---@return number
function stats.median(values)
    return quantile_of_sorted(sorted(values), 0.5)
end

---@param values number[]
---@return number
function stats.mean(values)
    local sum, carry = 0.0, 0.0 -- Kahan: the last digits matter for long runs of small times
    for i = 1, #values do
        local y = values[i] - carry
        local t = sum + y
        carry = (t - sum) - y
        sum = t
    end
    return sum / #values
end

---Median absolute deviation from the median, unscaled.
---@param values number[]
---@return number
function stats.mad(values)
    local centre = stats.median(values)
    local distance = {}
    for i = 1, #values do
        distance[i] = math.abs(values[i] - centre)
    end
    return stats.median(distance)
end

---What a row of a table needs. `outliers` counts values beyond 1.5 interquartile ranges (Tukey).
---@param values number[]
---@return table summary count, min, q1, median, q3, max, mean, mad, outliers
function stats.summary(values)
    local list = sorted(values)
    local q1, q3 = quantile_of_sorted(list, 0.25), quantile_of_sorted(list, 0.75)
    local low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    local outliers = 0
    for i = 1, #list do
        if list[i] < low or list[i] > high then
            outliers = outliers + 1
        end
    end
    return {
        count = #list, min = list[1], q1 = q1, median = quantile_of_sorted(list, 0.5), q3 = q3,
        max = list[#list], mean = stats.mean(list), mad = stats.mad(list), outliers = outliers,
    }
end

---------------------------------------------------------------------------------------------------
-- Intervals

---Percentile bootstrap (Efron 1979): the interval that holds `confidence` of the statistic over
---resampled values.
---@param values any[] numbers, or pairs: whatever `statistic` takes a list of
---@param statistic fun(list: any[]): number
---@param options {seed: integer?, resamples: integer?, confidence: number?}?
---@return number low, number high
function stats.bootstrap(values, statistic, options)
    options = options or {}
    local random = stats.random(options.seed or 1)
    local resamples, confidence = options.resamples or 1000, options.confidence or 0.95
    local count = #values
    local estimates, draw = {}, {}
    for r = 1, resamples do
        for i = 1, count do
            draw[i] = values[random(count)]
        end
        estimates[r] = statistic(draw)
    end
    table.sort(estimates)
    local tail = (1 - confidence) / 2
    return quantile_of_sorted(estimates, tail), quantile_of_sorted(estimates, 1 - tail)
end

---How many times as long `base` takes as `other`, from paired runs: the median of the ratios of
---rounds, so that a slow spell of the machine that hits both sides of a round cancels out.
---@param base number[] seconds by round
---@param other number[] seconds by round
---@param options {seed: integer?, resamples: integer?, confidence: number?}?
---@return {ratio: number, low: number, high: number, ratios: number[]}
function stats.paired_ratio(base, other, options)
    assert(#base == #other, "base and other: lists of one length are needed")
    local ratios = {}
    for i = 1, #base do
        ratios[i] = base[i] / other[i]
    end
    local low, high = stats.bootstrap(ratios, stats.median, options)
    return {ratio = stats.median(ratios), low = low, high = high, ratios = ratios}
end

-- Abramowitz and Stegun 7.1.26: the error is below 1.5e-7.
local function normal_tail(z)
    local x = math.abs(z) / math.sqrt(2)
    local t = 1 / (1 + 0.3275911 * x)
    local poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741
        + t * (-1.453152027 + t * 1.061405429))))
    return 0.5 * poly * math.exp(-x * x)
end

---Mann-Whitney U test, two-sided, normal approximation with tie correction: `p` is how likely so
---uneven a mix would be if both came from one distribution. Meant for 8 values a side or more.
---@param a number[]
---@param b number[]
---@return {u: number, z: number, p: number}
function stats.mann_whitney(a, b)
    local all = {}
    for _, v in ipairs(a) do all[#all + 1] = {v, true} end
    for _, v in ipairs(b) do all[#all + 1] = {v, false} end
    table.sort(all, function(x, y) return x[1] < y[1] end)
    local rank_sum, ties, i = 0, 0, 1
    while i <= #all do
        local j = i
        while j < #all and all[j + 1][1] == all[i][1] do j = j + 1 end
        local tied = j - i + 1
        ties = ties + tied ^ 3 - tied
        for k = i, j do
            if all[k][2] then rank_sum = rank_sum + (i + j) / 2 end
        end
        i = j + 1
    end
    local na, nb, n = #a, #b, #all
    local u = rank_sum - na * (na + 1) / 2
    local variance = na * nb / 12 * ((n + 1) - ties / (n * (n - 1)))
    local z = variance > 0 and (u - na * nb / 2) / math.sqrt(variance) or 0.0
    return {u = u, z = z, p = math.min(1, 2 * normal_tail(z))}
end

---------------------------------------------------------------------------------------------------
-- Histogram of non-negative integers (nanoseconds), log-linear like HdrHistogram: every power of
-- two is cut into 64 buckets, so a bucket is at most 1/64 wide and its middle within 0.8 % of every
-- value in it. Values below 128 are exact. Minimum, maximum, count and sum are exact.

---@class cns.histogram
local histogram = {}
histogram.__index = histogram

local sub_bits = 6
local sub_count = 1 << sub_bits

local function log2_floor(value)
    local n = 0
    if value >= 1 << 32 then value = value >> 32; n = 32 end
    if value >= 1 << 16 then value = value >> 16; n = n + 16 end
    if value >= 1 << 8 then value = value >> 8; n = n + 8 end
    if value >= 1 << 4 then value = value >> 4; n = n + 4 end
    if value >= 1 << 2 then value = value >> 2; n = n + 2 end
    return value >= 2 and n + 1 or n
end

local function bucket_of(value)
    if value < 2 * sub_count then
        return value
    end
    local shift = log2_floor(value) - sub_bits
    return (shift << sub_bits) + (value >> shift)
end

-- First value of a bucket, and how many values it holds.
local function range_of(bucket)
    if bucket < 2 * sub_count then
        return bucket, 1
    end
    local shift = (bucket >> sub_bits) - 1
    return (bucket - (shift << sub_bits)) << shift, 1 << shift
end

---@return cns.histogram
function stats.histogram()
    return setmetatable({count = 0, sum = 0.0, min = nil, max = nil, buckets = {}}, histogram)
end

---Records a value; what lies below 0 is an error of the caller.
---@param value integer
function histogram:record(value)
    if value < 0 then
        error("value: an integer from 0 is needed, got " .. tostring(value), 2)
    end
    local bucket = bucket_of(value)
    local buckets = self.buckets
    buckets[bucket] = (buckets[bucket] or 0) + 1
    self.count = self.count + 1
    self.sum = self.sum + value
    if not self.min or value < self.min then self.min = value end
    if not self.max or value > self.max then self.max = value end
end

---Adds another histogram's values: merged parts equal one histogram of all values.
---@param other cns.histogram
function histogram:merge(other)
    for bucket, count in pairs(other.buckets) do
        self.buckets[bucket] = (self.buckets[bucket] or 0) + count
    end
    self.count = self.count + other.count
    self.sum = self.sum + other.sum
    if other.min and (not self.min or other.min < self.min) then self.min = other.min end
    if other.max and (not self.max or other.max > self.max) then self.max = other.max end
end

local function sorted_buckets(self)
    local list = {}
    for bucket in pairs(self.buckets) do list[#list + 1] = bucket end
    table.sort(list)
    return list
end

---The smallest recorded value that at least q (0..1) of all values do not exceed, to 1 %; never
---outside minimum and maximum. nil when nothing was recorded.
---@param q number
---@return number?
function histogram:quantile(q)
    if self.count == 0 then
        return nil
    end
    local wanted = math.max(1, math.ceil(q * self.count - 1e-9))
    if wanted >= self.count then
        return self.max
    end
    local seen = 0
    for _, bucket in ipairs(sorted_buckets(self)) do
        seen = seen + self.buckets[bucket]
        if seen >= wanted then
            local first, width = range_of(bucket)
            return math.max(self.min, math.min(self.max, first + (width - 1) // 2))
        end
    end
end

---@return number?
function histogram:mean()
    return self.count > 0 and self.sum / self.count or nil
end

---Plain data for a report: {{first value, width, count}, ...} in order.
---@return table data sub_bits, count, sum, min, max, buckets
function histogram:export()
    local list = {}
    for i, bucket in ipairs(sorted_buckets(self)) do
        local first, width = range_of(bucket)
        list[i] = {first, width, self.buckets[bucket]}
    end
    return {sub_bits = sub_bits, count = self.count, sum = self.sum, min = self.min,
        max = self.max, buckets = list}
end

---The histogram that `export` gave.
---@return cns.histogram
function stats.import_histogram(data)
    assert(data.sub_bits == sub_bits, "histogram: made with another bucket width")
    local self = stats.histogram()
    for _, entry in ipairs(data.buckets) do
        self.buckets[bucket_of(entry[1])] = entry[3]
    end
    self.count, self.sum, self.min, self.max = data.count, data.sum, data.min, data.max
    return self
end

return stats
