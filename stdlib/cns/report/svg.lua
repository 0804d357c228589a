-- SPDX-License-Identifier: MIT
--
-- cns.report.svg - the three plots of the HTML report, as inline SVG. Colours come from the page's
-- style sheet; every plot has a title and a description for those who do not see it. The drawing is
-- 400 units wide so that its 12-unit text stays readable on a phone.

local text = require "cns.report.text"

local svg = {}

local entities = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
    ["'"] = "&#39;"}

---@param value any
---@return string safe in HTML text and in quoted attributes
function svg.escape(value)
    return (text.clean(value):gsub("[&<>\"']", entities))
end

local escape = svg.escape

local function open(id, height, title, description)
    return ('<svg viewBox="0 0 400 %d" role="img" aria-labelledby="%s-t %s-d"><title id="%s-t">%s'
        .. '</title><desc id="%s-d">%s</desc>'):format(height, id, id, id, escape(title), id,
        escape(description))
end

local function line(class, x1, y1, x2, y2)
    return ('<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>'):format(class, x1, y1, x2,
        y2)
end

local function words(class, x, y, anchor, value)
    return ('<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>'):format(class, x, y,
        anchor, escape(value))
end

local left, right, top = 44, 388, 22

-- 1, 2 or 5 times a power of ten, so that about four steps cover `span`.
local function nice_step(span)
    local power = 10 ^ math.floor(math.log(span / 4, 10))
    for _, factor in ipairs {1, 2, 5, 10} do
        if factor * power * 4.5 >= span then return factor * power end
    end
end

-- Ticks 1, 2, 5 x 10^n, thinned to whole powers of ten where the axis is long, and evenly spaced
-- where it is so short that it is nearly linear.
local function log_ticks(low, high)
    local list = {}
    if high / low < 5 then
        local step = nice_step(high - low)
        for value = math.ceil(low / step) * step, high, step do list[#list + 1] = value end
        return list
    end
    local factors = high / low > 200 and {1} or high / low > 20 and {1, 3} or {1, 2, 5}
    for power = math.floor(math.log(low, 10)), math.ceil(math.log(high, 10)) do
        for _, factor in ipairs(factors) do
            local value = factor * 10.0 ^ power
            if value >= low and value <= high then list[#list + 1] = value end
        end
    end
    return list
end

-- "5 ms" where text.seconds has "5.00 ms": ticks are round.
local function short_seconds(value)
    for _, unit in ipairs {{"ns", 1e-9}, {"µs", 1e-6}, {"ms", 1e-3}} do
        if value < unit[2] * 999.5 then return ("%.4g %s"):format(value / unit[2], unit[1]) end
    end
    return ("%.4g s"):format(value)
end

-- The histogram's buckets joined into at most 48 bars of equal width on a logarithmic axis.
local function log_bars(histogram, low, high)
    local bars, count, tallest = {}, 48, 0
    for i = 1, count do bars[i] = 0 end
    local span = math.log(high / low)
    for _, bucket in ipairs(histogram.buckets) do
        local middle = math.max(bucket[1] + (bucket[2] - 1) / 2, 1) * 1e-9
        local at = math.floor(math.log(middle / low) / span * count) + 1
        at = math.max(1, math.min(count, at))
        bars[at] = bars[at] + bucket[3]
        tallest = math.max(tallest, bars[at])
    end
    return bars, tallest
end

---How the latencies are spread, on a logarithmic time axis, with p50 and p99 marked.
function svg.latency(id, scenario)
    local latency = scenario.latency
    local bottom = 150
    local low, high = math.max(latency.min_s, 1e-9) / 1.15, math.max(latency.max_s, 2e-9) * 1.15
    local function x_of(value)
        return left + (right - left) * math.log(math.max(value, low) / low) / math.log(high / low)
    end
    local bars, tallest = log_bars(latency.histogram, low, high)
    local out = {open(id, 184, "Latency distribution of " .. scenario.name,
        ("%s calls from %s to %s; half of them within %s, 99 of 100 within %s")
            :format(text.count(latency.count), text.seconds(latency.min_s),
            text.seconds(latency.max_s), text.seconds(latency.p50_s), text.seconds(latency.p99_s)))}
    local step = math.max(1, nice_step(tallest))
    for value = 0, tallest, step do
        local y = bottom - (bottom - top) * value / tallest
        out[#out + 1] = line("grid", left, y, right, y)
        out[#out + 1] = words("axis", left - 5, y + 4, "end", text.count(value))
    end
    local width = (right - left) / #bars
    for i, count in ipairs(bars) do
        if count > 0 then
            local height = math.max(1.5, (bottom - top) * count / tallest)
            out[#out + 1] = ('<rect class="mark" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>')
                :format(left + (i - 1) * width + 0.5, bottom - height, width - 1, height)
        end
    end
    for _, value in ipairs(log_ticks(low, high)) do
        out[#out + 1] = line("grid", x_of(value), bottom, x_of(value), bottom + 4)
        out[#out + 1] = words("axis", x_of(value), bottom + 17, "middle", short_seconds(value))
    end
    local x50, x99 = x_of(latency.p50_s), x_of(latency.p99_s)
    out[#out + 1] = line("guide", x50, top - 6, x50, bottom)
    out[#out + 1] = line("guide", x99, top - 6, x99, bottom)
    if x99 - x50 > 30 then
        out[#out + 1] = words("label", x50, top - 10, "middle", "p50")
        out[#out + 1] = words("label", x99, top - 10, "middle", "p99")
    else
        out[#out + 1] = words("label", math.min(x99, right - 34), top - 10, "middle", "p50, p99")
    end
    out[#out + 1] = words("axis", (left + right) / 2, 181, "middle", "time a call")
    out[#out + 1] = "</svg>"
    return table.concat(out)
end

---Calls a second over the run, from the timeline; nil when it is too short to draw.
function svg.timeline(id, scenario)
    local points, last = {}, nil
    for _, point in ipairs(scenario.timeline or {}) do
        if last and point.t > last.t then
            points[#points + 1] = {point.t, (point.calls - last.calls) / (point.t - last.t)}
        end
        last = point
    end
    if #points < 4 then return nil end
    local bottom, highest = 150, 0
    for _, point in ipairs(points) do highest = math.max(highest, point[2]) end
    if highest <= 0 then return nil end
    local first_t, last_t = points[1][1], points[#points][1]
    local path = {}
    for i, point in ipairs(points) do
        path[i] = ("%.1f,%.1f"):format(left + (right - left) * (point[1] - first_t)
            / (last_t - first_t), bottom - (bottom - top) * point[2] / highest)
    end
    local out = {open(id, 184, "Calls a second of " .. scenario.name,
        ("at most %s calls a second"):format(text.count(highest)))}
    for value = 0, highest, nice_step(highest) do
        local y = bottom - (bottom - top) * value / highest
        local shown = value >= 10000 and ("%gk"):format(value / 1000) or ("%g"):format(value)
        out[#out + 1] = line("grid", left, y, right, y)
        out[#out + 1] = words("axis", left - 5, y + 4, "end", shown)
    end
    out[#out + 1] = '<polyline class="curve" points="' .. table.concat(path, " ") .. '"/>'
    local step = nice_step(last_t - first_t)
    for value = math.ceil(first_t / step) * step, last_t, step do
        local x = left + (right - left) * (value - first_t) / (last_t - first_t)
        out[#out + 1] = words("axis", x, bottom + 17, "middle", ("%g s"):format(value))
    end
    out[#out + 1] = words("label", left, top - 8, "start", "calls a second")
    out[#out + 1] = words("axis", (left + right) / 2, 181, "middle", "time since the start")
    out[#out + 1] = "</svg>"
    return table.concat(out)
end

---The ratios of benchmarks with their intervals, on a logarithmic axis, 1 marked.
function svg.ratios(id, rows)
    local low, high = 0.8, 1.25
    for _, row in ipairs(rows) do
        low, high = math.min(low, row.ratio_low / 1.1), math.max(high, row.ratio_high * 1.1)
    end
    local function x_of(value)
        return 12 + (right - 12) * math.log(value / low) / math.log(high / low)
    end
    local height = 30 + 38 * #rows
    local spoken = {}
    for i, row in ipairs(rows) do
        spoken[i] = ("%s: %s times, %s to %s"):format(row.name, text.ratio(row.ratio),
            text.ratio(row.ratio_low), text.ratio(row.ratio_high))
    end
    local out = {open(id, height + 20, "Times as fast as the base", table.concat(spoken, "; "))}
    for _, value in ipairs(log_ticks(low, high)) do
        out[#out + 1] = line("grid", x_of(value), 8, x_of(value), height - 14)
        out[#out + 1] = words("axis", x_of(value), height + 2, "middle", ("%g"):format(value))
    end
    out[#out + 1] = line("guide", x_of(1), 4, x_of(1), height - 10)
    for i, row in ipairs(rows) do
        local y = 38 * i - 4
        local anchor = x_of(row.ratio) > 220 and "end" or "start"
        local at = anchor == "end" and x_of(row.ratio_high) + 5 or x_of(row.ratio_low) - 5
        at = math.max(12, math.min(right, at))
        out[#out + 1] = words("label", at, y - 11, anchor, text.cut(text.line(row.name), 30) .. "  "
            .. text.ratio(row.ratio) .. "×")
        out[#out + 1] = line("interval", x_of(row.ratio_low), y, x_of(row.ratio_high), y)
        out[#out + 1] = ('<circle class="mark" cx="%.1f" cy="%.1f" r="5"/>'):format(
            x_of(row.ratio), y)
    end
    out[#out + 1] = words("axis", 200, height + 18, "middle",
        "times as fast as the base, with 95 % intervals")
    out[#out + 1] = "</svg>"
    return table.concat(out)
end

return svg
