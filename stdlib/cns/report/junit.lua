-- SPDX-License-Identifier: MIT
--
-- cns.report.junit - the result as JUnit XML: a suite a scenario (its calls, checks and
-- thresholds), one for benchmarks, one for checks that stand alone. What is not built, not measured
-- or inconclusive is "skipped", with its state as the message: never a silent pass.

local text = require "cns.report.text"

local junit = {}

local entities = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
    ["'"] = "&apos;", ["\n"] = "&#10;", ["\t"] = "&#9;"}

local function attribute(value)
    return (text.clean(value):gsub("[&<>\"'\n\t]", entities))
end

local function body(value)
    return (text.clean(value):gsub("[&<>]", entities))
end

local function seconds(value)
    return ("%.6f"):format(type(value) == "number" and value or 0)
end

local function case(suite, name, state, evidence, time)
    local open = ('    <testcase classname="%s" name="%s" time="%s"'):format(attribute(suite.name),
        attribute(name), seconds(time))
    suite.tests = suite.tests + 1
    if state == "pass" then
        suite[#suite + 1] = open .. "/>"
        return
    end
    local message = attribute(evidence and text.first_line(evidence) or state)
    if state == "fail" then
        suite.failures = suite.failures + 1
        suite[#suite + 1] = ('%s>\n      <failure message="%s">%s</failure>\n    </testcase>')
            :format(open, message, body(evidence or state))
    else
        suite.skipped = suite.skipped + 1
        suite[#suite + 1] = ('%s>\n      <skipped message="%s"/>\n    </testcase>')
            :format(open, attribute(evidence and state .. ": " .. text.first_line(evidence)
                or state))
    end
end

local function new_suite(list, name, time)
    local suite = {name = text.line(name), tests = 0, failures = 0, skipped = 0, time = time or 0}
    list[#list + 1] = suite
    return suite
end

local function scenario_suite(list, scenario)
    local suite = new_suite(list, scenario.name, scenario.total_s)
    local failures = {}
    for i, entry in ipairs(scenario.errors or {}) do
        local first = entry.first and entry.first[1]
        failures[i] = ("%d x %s: %s"):format(entry.count, entry.phase,
            first and first.text or entry.cause)
    end
    local failed = #failures > 0 or scenario.success_rate ~= 1
    local why = #failures > 0 and table.concat(failures, "\n")
        or "success rate " .. text.percent(scenario.success_rate)
    if failed and scenario.state == "inconclusive" then
        case(suite, "calls", "inconclusive", why, scenario.duration_s)
    else
        case(suite, "calls", failed and "fail" or "pass", failed and why or nil,
            scenario.duration_s)
    end
    return suite
end

---@param result table
---@return string
function junit.render(result)
    local list, by_name = {}, {}
    for _, scenario in ipairs(result.scenarios or {}) do
        by_name[scenario.name] = scenario_suite(list, scenario)
    end
    local function suite_of(name, fallback)
        local key = name or fallback
        by_name[key] = by_name[key] or new_suite(list, key)
        return by_name[key]
    end
    for _, entry in ipairs(result.checks or {}) do
        case(suite_of(entry.group, "checks"), entry.name, entry.state, entry.evidence)
    end
    for _, row in ipairs(result.thresholds or {}) do
        case(suite_of(row.scenario, "thresholds"), "threshold " .. row.text, row.state,
            "measured " .. text.metric(row.metric, row.actual))
    end
    for _, row in ipairs(result.benchmarks or {}) do
        local state = row.state
        if state == "pass" and row.expect and row.verdict ~= row.expect then
            state = row.verdict == "inconclusive" and "inconclusive" or "fail"
        end
        case(suite_of("benchmarks"), row.name, state, row.error or row.note or row.verdict)
    end
    if result.partial then
        case(suite_of("run"), "complete", "fail", ("cut off (%s): %s"):format(
            result.partial.reason, result.partial.message or ""))
    end
    local tests, failures, skipped, out = 0, 0, 0, {}
    for _, suite in ipairs(list) do
        tests, failures, skipped = tests + suite.tests, failures + suite.failures,
            skipped + suite.skipped
        out[#out + 1] = ('  <testsuite name="%s" tests="%d" failures="%d" errors="0" skipped="%d" '
            .. 'time="%s">'):format(attribute(suite.name), suite.tests, suite.failures,
            suite.skipped, seconds(suite.time))
        if result.machine then
            out[#out + 1] = ('    <properties><property name="machine" value="%s"/></properties>')
                :format(attribute(text.machine(result.machine)))
        end
        table.move(suite, 1, #suite, #out + 1, out)
        out[#out + 1] = "  </testsuite>"
    end
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="%s" tests="%d" '
        .. 'failures="%d" errors="0" skipped="%d" time="%s">\n%s\n</testsuites>\n'):format(
        attribute(text.line(result.title)), tests, failures, skipped, seconds(result.duration_s),
        table.concat(out, "\n"))
end

return junit
