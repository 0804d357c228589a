-- SPDX-License-Identifier: MIT
--
-- cns.report.markdown - the result as GitHub-flavoured Markdown with Mermaid charts.

local text = require "cns.report.text"

local markdown = {}

-- Anything that Markdown or HTML inside it could take for markup.
local function escape(value)
    return (text.line(value):gsub("[\\`*_{}%[%]<>()#+!|~&@:$-]", {
        ["<"] = "&lt;", [">"] = "&gt;", ["&"] = "&amp;", ["|"] = "\\|", ["@"] = "&#64;",
        [":"] = ":", ["("] = "(", [")"] = ")", ["-"] = "-", ["+"] = "+", ["#"] = "\\#",
        ["!"] = "!", ["$"] = "&#36;", ["\\"] = "\\\\", ["`"] = "\\`", ["*"] = "\\*", ["_"] = "\\_",
        ["{"] = "\\{", ["}"] = "\\}", ["["] = "\\[", ["]"] = "\\]", ["~"] = "\\~",
    }):gsub("(%a)://", "%1:&#47;&#47;"):gsub("([wW][wW][wW])%.", "%1&#46;"))
end

-- Inside a fenced block only a longer fence could end it.
local function fenced(value)
    local body = text.clean(value)
    local fence = "```"
    for ticks in body:gmatch("`+") do
        if #ticks >= #fence then fence = ("`"):rep(#ticks + 1) end
    end
    return fence .. "text\n" .. body .. "\n" .. fence
end

-- Mermaid's labels: letters, digits and harmless punctuation; the rest would be syntax.
local function label(value, width)
    return text.cut((text.line(value):gsub("[^%w %.,%%/+()\128-\255-]", " ")), width or 60)
end

local function row(out, ...)
    out[#out + 1] = "| " .. table.concat({...}, " | ") .. " |"
end

local function chart(out, lines)
    out[#out + 1] = "```mermaid"
    table.move(lines, 1, #lines, #out + 1, out)
    out[#out + 1] = "```"
    out[#out + 1] = ""
end

local function quoted(list)
    local out = {}
    for i, value in ipairs(list) do out[i] = '"' .. label(value, 22) .. '"' end
    return table.concat(out, ", ")
end

-- Mermaid reads plain decimals only; three digits that count are enough to draw.
local function decimals(list)
    local out = {}
    for i, value in ipairs(list) do
        local size = math.abs(value)
        local places = size >= 100 and 0 or size >= 10 and 1 or size >= 1 and 2 or 4
        out[i] = ("%." .. places .. "f"):format(value)
    end
    return table.concat(out, ", ")
end

-- Mermaid's own colours for bars are too pale to see on white, its own width cuts long names off.
local theme = '%%{init: {"xyChart": {"width": 900, "xAxis": {"labelFontSize": 12}}, '
    .. '"themeVariables": {"xyChart": {"plotColorPalette": "#3f7fc4"}}}}%%'

-- `horizontal` for names too long to stand side by side.
local function bars(out, title, unit, names, values, horizontal)
    local top = 0
    for _, value in ipairs(values) do top = math.max(top, value) end
    if top <= 0 then return end
    chart(out, {theme, horizontal and "xychart-beta horizontal" or "xychart-beta",
        '    title "' .. label(title) .. '"', "    x-axis [" .. quoted(names) .. "]",
        '    y-axis "' .. label(unit) .. '" 0 --> ' .. decimals {top * 1.1},
        "    bar [" .. decimals(values) .. "]"})
end

local function charts(out, result)
    local names, time, measured, memory = {}, {}, {}, {}
    for i, scenario in ipairs(result.scenarios) do
        names[i], time[i] = scenario.name, scenario.total_s
        if type(scenario.peak_rss_bytes) == "number" then
            measured[#measured + 1] = scenario.name
            memory[#memory + 1] = scenario.peak_rss_bytes / 2 ^ 20
        end
    end
    bars(out, "Time by scenario", "seconds", names, time, true)
    bars(out, "Peak resident memory by scenario", "MiB", measured, memory, true)
end

-- Latencies of a scenario in the unit that suits its largest.
local function latency_chart(out, scenario)
    local latency = scenario.latency
    local factor, unit = 1, "s"
    if latency.max_s < 1e-3 then factor, unit = 1e6, "microseconds"
    elseif latency.max_s < 1 then factor, unit = 1e3, "ms" end
    bars(out, "Latency of " .. scenario.name, unit, {"min", "p50", "p90", "p95", "p99", "max"},
        {latency.min_s * factor, latency.p50_s * factor, latency.p90_s * factor,
            latency.p95_s * factor, latency.p99_s * factor, latency.max_s * factor})
end

local function scenario_part(out, scenario)
    out[#out + 1] = ("### %s: %s"):format(escape(scenario.name),
        escape((text.marks[scenario.state] or scenario.state):lower()))
    out[#out + 1] = ""
    if scenario.description then
        out[#out + 1] = escape(scenario.description)
        out[#out + 1] = ""
    end
    row(out, "Figure", "Value")
    row(out, "---", "---")
    row(out, "Operations", ("%s, %s verified, in %s calls"):format(text.count(scenario.operations),
        text.count(scenario.verified), text.count(scenario.calls)))
    row(out, "Success rate", text.percent(scenario.success_rate))
    row(out, "Duration", ("%s (with setting up and checking %s)"):format(
        text.seconds(scenario.duration_s), text.seconds(scenario.total_s)))
    row(out, "Throughput", text.rate(scenario.ops_per_s))
    local latency = scenario.latency
    if latency then
        row(out, "Latency from the " .. escape(latency.from),
            ("min %s, p50 %s, p90 %s, p95 %s, p99 %s, p99.9 %s, max %s"):format(
                text.seconds(latency.min_s), text.seconds(latency.p50_s),
                text.seconds(latency.p90_s), text.seconds(latency.p95_s),
                text.seconds(latency.p99_s), text.seconds(latency.p999_s),
                text.seconds(latency.max_s)))
    end
    row(out, "Peak resident memory", escape(text.bytes(scenario.peak_rss_bytes))
        .. (scenario.peak_rss_reset == false and " (since the process began)" or ""))
    row(out, "CPU", escape(text.cpu(scenario.cpu)))
    row(out, "I/O", escape(text.io(scenario.io)))
    for _, note in ipairs(scenario.notes or {}) do row(out, "Note", escape(note)) end
    out[#out + 1] = ""
    if latency then latency_chart(out, scenario) end
    for _, entry in ipairs(scenario.errors) do
        out[#out + 1] = ("%s errors in the phase %s:"):format(text.count(entry.count),
            escape(entry.phase))
        out[#out + 1] = ""
        for _, first in ipairs(entry.first) do
            out[#out + 1] = fenced(("call %s: %s"):format(tostring(first.call or "-"), first.text))
            out[#out + 1] = ""
        end
    end
end

local function benchmark_part(out, result)
    if #result.benchmarks == 0 then return end
    out[#out + 1] = "## Benchmarks"
    out[#out + 1] = ""
    row(out, "Row", "Base", "Other", "Ratio", "95 % interval", "Smallest effect", "Verdict")
    row(out, "---", "---", "---", "---:", "---", "---:", "---")
    local names, ratios = {}, {}
    for _, bench in ipairs(result.benchmarks) do
        if bench.ratio then
            row(out, escape(bench.name),
                escape(bench.base.label) .. ", " .. text.seconds(bench.base.summary.median),
                escape(bench.other.label) .. ", " .. text.seconds(bench.other.summary.median),
                text.ratio(bench.ratio), ("%s to %s"):format(text.ratio(bench.ratio_low),
                    text.ratio(bench.ratio_high)), text.percent(bench.smallest_effect),
                escape(bench.verdict))
            names[#names + 1], ratios[#ratios + 1] = bench.name, bench.ratio
        else
            row(out, escape(bench.name), "", "", "", "", "",
                escape(bench.state == "not built" and "not built yet" or bench.state))
        end
    end
    out[#out + 1] = ""
    out[#out + 1] = "The ratio is the base's time over the other's, by round; both sides are"
    out[#out + 1] = "interleaved. The smallest effect is what an A/A control could have shown."
    out[#out + 1] = ""
    for _, bench in ipairs(result.benchmarks) do
        if bench.note then out[#out + 1] = "- " .. escape(bench.name .. ": " .. bench.note) end
        if bench.memory then
            out[#out + 1] = ("- %s: memory %s against %s"):format(escape(bench.name),
                text.bytes(bench.memory.base_bytes), text.bytes(bench.memory.other_bytes))
        end
    end
    out[#out + 1] = ""
    bars(out, "Times as fast as the base", "ratio", names, ratios, true)
    for _, bench in ipairs(result.benchmarks) do
        if bench.error then out[#out + 1] = fenced(bench.name .. ": " .. bench.error) .. "\n" end
    end
end

local function table_part(out, title, heads, list, cells)
    if #list == 0 then return end
    out[#out + 1] = "## " .. title
    out[#out + 1] = ""
    row(out, table.unpack(heads))
    local rule = {}
    for i = 1, #heads do rule[i] = "---" end
    row(out, table.unpack(rule))
    for _, entry in ipairs(list) do row(out, cells(entry)) end
    out[#out + 1] = ""
end

---@param result table
---@return string
function markdown.render(result)
    local out = {"# " .. escape(result.title), ""}
    if result.partial then
        out[#out + 1] = ("> **Partial**: the run was cut off (%s). %s"):format(
            escape(result.partial.reason), escape(result.partial.message or ""))
        out[#out + 1] = ""
    end
    out[#out + 1] = ("**Verdict: %s.** Seed %s, begun %s, took %s."):format(escape(result.verdict),
        escape(result.seed), escape(result.started), text.seconds(result.duration_s))
    out[#out + 1] = ""
    out[#out + 1] = "Machine: " .. escape(text.machine(result.machine or {})) .. "."
    local harness = text.harness(result.harness)
    if harness then out[#out + 1] = "The " .. escape(harness) .. "." end
    out[#out + 1] = ""
    out[#out + 1] = fenced(result.command or "")
    out[#out + 1] = ""
    if #result.scenarios > 0 then
        out[#out + 1] = "## Scenarios"
        out[#out + 1] = ""
        charts(out, result)
        for _, scenario in ipairs(result.scenarios) do scenario_part(out, scenario) end
    end
    benchmark_part(out, result)
    table_part(out, "Thresholds", {"Scenario", "Threshold", "Measured", "State"},
        result.thresholds, function(entry)
            return escape(entry.scenario), escape(entry.text),
                escape(text.metric(entry.metric, entry.actual)), escape(entry.state)
        end)
    local own, inside = {}, {}
    for _, entry in ipairs(result.checks) do
        table.insert(entry.group and inside or own, entry)
    end
    for _, part in ipairs {{"Checks", own}, {"Checks in scenarios", inside}} do
        table_part(out, part[1], {"Check", "State", "Evidence"}, part[2], function(entry)
            local name = (entry.group and entry.group .. ": " or "") .. entry.name
            return escape(name), escape(entry.state),
                escape(text.cut(text.line(entry.evidence or ""), 300))
        end)
    end
    return table.concat(out, "\n")
end

return markdown
