-- SPDX-License-Identifier: MIT
--
-- cns.report.terminal - the summary on stdout: plain text in the terminal's width, colours on
-- request only.

local text = require "cns.report.text"

local colours = {pass = "32", fail = "31", other = "33", dim = "2", bold = "1"}

local function painter(enabled)
    return function(style, value)
        if not enabled then return value end
        return "\27[" .. (colours[style] or colours.other) .. "m" .. value .. "\27[0m"
    end
end

local function indented(out, prefix, value, width)
    local lines = text.wrap(value, width - text.width(prefix))
    for i, line in ipairs(lines) do
        out[#out + 1] = (i == 1 and prefix or (" "):rep(text.width(prefix))) .. line
    end
end

local function errors(out, scenario, paint, width)
    for i, entry in ipairs(scenario.errors or {}) do
        if i > 5 then
            out[#out + 1] = ("      and %d more causes, in the report files"):format(
                #scenario.errors - 5)
            break
        end
        local lines = text.wrap(("%s x %s"):format(text.count(entry.count), entry.phase), width - 6)
        out[#out + 1] = "      " .. paint("fail", lines[1])
        local first = entry.first and entry.first[1]
        indented(out, "        ", text.first_line(first and first.text or entry.cause), width)
    end
end

local function scenario_lines(out, scenario, paint, width)
    local mark = scenario.state == "pass" and "PASS" or scenario.state == "fail" and "FAIL"
        or "OPEN"
    local right = ("%s ops  %s  %s"):format(text.count(scenario.operations),
        text.percent(scenario.success_rate), text.seconds(scenario.duration_s))
    local name = text.cut(text.line(scenario.name), width - 8 - text.width(right))
    out[#out + 1] = paint(scenario.state, mark) .. "  "
        .. paint("bold", text.pad(name, width - 6 - text.width(right))) .. right
    local latency = scenario.latency
    if latency then
        indented(out, "      latency  ", ("p50 %s, p90 %s, p99 %s, max %s; %s"):format(
            text.seconds(latency.p50_s), text.seconds(latency.p90_s), text.seconds(latency.p99_s),
            text.seconds(latency.max_s), text.rate(scenario.ops_per_s)), width)
    end
    indented(out, "      memory   ", text.bytes(scenario.peak_rss_bytes) .. " peak"
        .. (scenario.peak_rss_reset == false and " since the process began" or ""), width)
    indented(out, "      CPU      ", text.cpu(scenario.cpu), width)
    indented(out, "      I/O      ", text.io(scenario.io), width)
    for _, note in ipairs(scenario.notes or {}) do
        indented(out, "      note     ", note, width)
    end
    errors(out, scenario, paint, width)
end

local function benchmark_lines(out, row, paint, width)
    local style = row.state == "pass" and (row.verdict == "faster" and "pass" or "other")
        or row.state
    local name = text.pad(text.cut(text.line(row.name), 19), 20)
    if row.state ~= "pass" then
        local what = row.state == "not built" and "not built yet" or row.state
        out[#out + 1] = name .. paint(style, what)
        if row.note or row.error then
            indented(out, (" "):rep(20), text.first_line(row.error or row.note), width)
        end
        return
    end
    out[#out + 1] = name .. paint(style, ("%s x"):format(text.ratio(row.ratio)))
        .. ("  [%s, %s]  %s; A/A detects %s"):format(text.ratio(row.ratio_low),
            text.ratio(row.ratio_high), row.verdict, text.percent(row.smallest_effect))
    indented(out, (" "):rep(20), ("%s %s, %s %s; %d rounds"):format(row.base.label,
        text.seconds(row.base.summary.median), row.other.label,
        text.seconds(row.other.summary.median), row.rounds), width)
    if row.memory then
        indented(out, (" "):rep(20), ("memory: %s against %s"):format(
            text.bytes(row.memory.base_bytes), text.bytes(row.memory.other_bytes)), width)
    end
    if row.note then
        indented(out, (" "):rep(20), row.note, width)
    end
end

-- Passes are counted; only a validation, whose own checks are its result, lists those too.
local function check_lines(out, checks, all, paint, width)
    local passed, total = 0, #checks
    for _, entry in ipairs(checks) do
        if entry.state == "pass" then passed = passed + 1 end
    end
    out[#out + 1] = ("Checks: %d of %d passed"):format(passed, total)
    for _, entry in ipairs(checks) do
        if entry.state ~= "pass" or all and not entry.group then
            local mark = text.marks[entry.state] or entry.state
            local name = (entry.group and entry.group .. ": " or "") .. entry.name
            out[#out + 1] = "  " .. paint(entry.state, mark) .. "  "
                .. text.cut(text.line(name), width - 4 - #mark)
            if entry.evidence then
                indented(out, "        ", text.first_line(entry.evidence), width)
            end
        end
    end
end

local function header(out, result, paint, width)
    local seed = "seed " .. text.line(result.seed or "?")
    local title = text.cut(text.line(result.title), width - #seed - 2)
    out[#out + 1] = paint("bold", text.pad(title, width - #seed)) .. seed
    indented(out, "", text.machine(result.machine or {}), width)
    local harness = text.harness(result.harness)
    if harness then indented(out, "", harness, width) end
    if result.partial then
        local why = ("PARTIAL: cut off (%s)%s"):format(result.partial.reason,
            result.partial.message and ": " .. text.first_line(result.partial.message) or "")
        for _, line in ipairs(text.wrap(why, width)) do out[#out + 1] = paint("fail", line) end
    end
end

local terminal = {}

---@param result table
---@param options {columns: integer?, color: boolean?, written: string[]?}?
---@return string
function terminal.render(result, options)
    options = options or {}
    local width = math.max(60, math.min(options.columns or 80, 100))
    local paint, out = painter(options.color), {}
    header(out, result, paint, width)
    out[#out + 1] = ""
    for _, scenario in ipairs(result.scenarios or {}) do
        scenario_lines(out, scenario, paint, width)
        out[#out + 1] = ""
    end
    for _, row in ipairs(result.benchmarks or {}) do
        benchmark_lines(out, row, paint, width)
    end
    if #(result.benchmarks or {}) > 0 then
        out[#out + 1] = ""
    end
    if #(result.checks or {}) > 0 then
        check_lines(out, result.checks, result.kind == "validate", paint, width)
    end
    for _, row in ipairs(result.thresholds or {}) do
        if row.state ~= "pass" then
            out[#out + 1] = "  " .. paint(row.state, "MISSED") .. "  "
                .. text.cut(text.line(("%s: %s, measured %s"):format(row.scenario, row.text,
                    text.metric(row.metric, row.actual))), width - 10)
        end
    end
    for _, path in ipairs(options.written or {}) do
        out[#out + 1] = "Wrote " .. text.line(path)
    end
    local style = result.verdict == "success" and "pass"
        or result.verdict == "inconclusive" and "other" or "fail"
    out[#out + 1] = ("Verdict: %s, in %s"):format(paint(style, result.verdict),
        text.seconds(result.duration_s))
    return table.concat(out, "\n") .. "\n"
end

return terminal
