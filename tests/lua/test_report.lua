-- SPDX-License-Identifier: MIT
--
-- test_report.lua - every format on real output and on hostile text; the schema; files.

local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/?.lua;" .. package.path
local host = require "fake_host"
local bench = require "cns.bench"
local cns = require "cns"
local report = require "cns.report"
local stress = require "cns.stress"
local text = require "cns.report.text"

local hostile = {
    "<script>alert(1)</script>", "]]> & \" ' </failure>", "| a | b |\n# head\n```\nfence",
    "\27[31mred\0\1\255\254", "{{x}} --> end \"]; click", "\u{202E}gnp.exe", "![x](http://evil)",
}

local function real_result(name)
    local run = stress.new {title = name or "real", private = true}
    run:scenario {name = name or "good", operations = 50, description = name, verify = "in work",
        work = function() cns.sleep(0.0001) end, thresholds = {"success = 100%"},
        after = function(ctx, checks)
            checks:check(name or "fine", true, name)
            ctx.notes = {name or "a note"}
        end}
    run:scenario {name = (name or "bad") .. "2", operations = 4, verify = "in work",
        work = function(_, i) if i > 2 then error(name or "broke", 0) end end,
        thresholds = {"success = 100%"}}
    run.checks:note("later", "not built", name)
    local rows = bench.new {private = true}
    rows:compare {name = name or "row", rounds = 5, verify = function() return true end,
        base = {label = name or "a", run = function() cns.sleep(0.0002) end},
        other = {label = "b", run = function() cns.sleep(0.0001) end}}
    rows:missing("missing", "not built", name or "to come")
    run.benchmarks = rows.benchmarks
    return run:result()
end

local everything = {}
for i, value in ipairs(hostile) do everything[i] = value end
local hostile_name = table.concat(everything, " ")

-- Tags nest, attributes are quoted, & begins an entity; an XML parser would accept it.
local function well_formed(xml, void)
    local stack, at = {}, 1
    while true do
        local from, to, slash, name, attributes = xml:find(
            "<([/?!]?)([%w:-]+)([^<>]*)>", at)
        local between = xml:sub(at, (from or #xml + 1) - 1)
        if between:find("[<>]") then return nil, "a loose bracket: " .. between end
        if between:gsub("&#?%w+;", ""):find("&", 1, true) then return nil, "a loose &" end
        if not from then break end
        local closed = attributes:sub(-1) == "/"
        local rest = attributes:gsub("%s[%w:-]+=\"[^\"<>]*\"", ""):gsub("[%s/?]", "")
        if slash == "" and rest ~= "" then return nil, "attributes of " .. name .. ": " .. rest end
        if slash == "" and not closed and not (void and void[name]) then
            stack[#stack + 1] = name
        elseif slash == "/" and table.remove(stack) ~= name then
            return nil, "closes " .. name
        end
        at = to + 1
    end
    return #stack == 0, table.concat(stack, ",")
end

-- Required fields and their types; "figure" is a number or "unavailable".
local latency = {from = "string", count = "integer", min_s = "number", mean_s = "number",
    p50_s = "number", p90_s = "number", p95_s = "number", p99_s = "number", p999_s = "number",
    max_s = "number", histogram = {sub_bits = "integer", count = "integer", sum = "number",
        min = "integer", max = "integer", buckets = "table"}}
local scenario = {name = "string", state = "string", calls = "integer", operations = "integer",
    verified = "integer", success_rate = "number", duration_s = "number", total_s = "number",
    ops_per_s = "number", peak_rss_bytes = "figure", peak_rss_reset = "boolean",
    cpu = {user_s = "figure", system_s = "figure", wall_s = "number", cores_used = "figure"},
    io = {read_bytes = "figure", write_bytes = "figure", disk_read_bytes = "figure",
        disk_write_bytes = "figure"},
    os = {faults_minor = "figure", faults_major = "figure", switches_voluntary = "figure",
        switches_involuntary = "figure"},
    latency = latency, error_count = "integer", timeline = "table",
    samples = {every = "integer", latency_ns = "table"},
    errors = {list = {phase = "string", cause = "string", count = "integer",
        first = {list = {text = "string"}}}}}
local schema = {schema_version = "integer", kind = "string", title = "string", script = "string",
    command = "string", params = "table", seed = "integer", started = "string",
    duration_s = "number", verdict = "string",
    machine = {description = "string", engine = "string", lua = "string", cpu_level = "string",
        cpu_best = "string"},
    harness = {per_call_s = "number", inside_latency_s = "number", hook = "string"},
    scenarios = {list = scenario},
    checks = {list = {name = "string", state = "string"}},
    thresholds = {list = {scenario = "string", text = "string", metric = "string",
        relation = "string", limit = "number", state = "string"}},
    benchmarks = {list = {name = "string", state = "string", verdict = "string"}}}

local function conforms(value, shape, path)
    if type(shape) == "string" then
        local good = type(value) == shape or math.type(value) == shape
            or shape == "figure" and (type(value) == "number" or value == "unavailable")
        return good or error(("%s: %s expected, got %s"):format(path, shape, tostring(value)), 0)
    end
    if type(value) ~= "table" then error(path .. ": an object or list is needed", 0) end
    if shape.list then
        for i, item in ipairs(value) do conforms(item, shape.list, path .. "[" .. i .. "]") end
        return true
    end
    for key, inner in pairs(shape) do conforms(value[key], inner, path .. "." .. key) end
    return true
end

local function read(path)
    local file = assert(io.open(path, "rb"))
    local content = file:read("a")
    file:close()
    return content
end

local function names_of(shape, found)
    for key, inner in pairs(shape) do
        if key ~= "list" then found[key] = true end
        if type(inner) == "table" then names_of(inner, found) end
    end
    return found
end

return function(test)
    test("JSON follows the schema, and the page names every field", function(t)
        local decoded = cns.json.decode(report.json(real_result()))
        conforms(decoded, schema, "$")
        t.equal(#decoded.scenarios, 2)
        t.equal(decoded.scenarios[2].success_rate, 0.5)
        t.equal(decoded.verdict, "check failed")
        local page = read(here .. "/../../doc/report-schema.md")
        for name in pairs(names_of(schema, {})) do
            t.ok(page:find("`" .. name .. "`", 1, true), "the page lacks " .. name)
        end
        for _, record in ipairs(decoded.scenarios) do
            for key in pairs(record) do t.ok(page:find(key, 1, true), "the page lacks " .. key) end
        end
    end)

    test("hostile text stays text in every format", function(t)
        local result = real_result(hostile_name)
        local html = report.html(result)
        local void = {meta = true, br = true, html = false}
        local body = html:gsub("^<!DOCTYPE html>\n", ""):gsub("<style>.-</style>", "")
        t.ok(well_formed(body, void))
        t.equal(html:find("<script", 1, true), nil)
        t.equal(html:find("%ssrc="), nil)
        t.equal(html:find("url(", 1, true), nil)
        t.ok(well_formed(report.junit(result)))
        local terminal = report.terminal(result)
        t.equal(terminal:find("[\0-\9\11-\31]"), nil, "control characters")
        t.equal(terminal:find("\u{202E}", 1, true), nil)
        for _, rendered in ipairs {html, report.junit(result), terminal, report.markdown(result),
            report.json(result)} do
            t.ok(utf8.len(rendered), "not UTF-8")
        end
    end)

    test("hostile names cannot leave Markdown's tables or Mermaid's labels", function(t)
        local markdown = report.markdown(real_result(hostile_name))
        local fence, tables = nil, 0
        for line in markdown:gmatch("[^\n]*") do
            local ticks, kind = line:match("^(```+)(%a*)$")
            if fence then
                if ticks == fence and kind == "" then fence = nil end
            elseif ticks then
                fence = ticks
                t.ok(kind == "mermaid" or kind == "text", line)
            elseif line:sub(1, 1) == "|" then
                tables = tables + 1
                local cells = select(2, line:gsub("\\|", ""):gsub("|", "|"))
                t.ok(cells >= 3, line)
                t.equal(line:find("<", 1, true), nil, line)
            else
                t.equal(line:find("<script", 1, true), nil, line)
                t.equal(line:match("^#+ head"), nil)
            end
        end
        t.equal(fence, nil)
        t.ok(tables > 20)
        for block in markdown:gmatch("```mermaid\n(.-)\n```") do
            for line in block:gmatch("[^\n]+") do
                if not line:find("^%%%%{init") then
                    t.equal(select(2, line:gsub('"', "")) % 2, 0, line)
                    t.equal(line:find("[<>{}`;|]", 1) and not line:find("0 --> ", 1, true)
                        and line or nil, nil)
                end
            end
        end
    end)

    test("the terminal summary keeps to 80 columns", function(t)
        local colourless = report.terminal(real_result(), {columns = 80})
        for line in colourless:gmatch("[^\n]+") do
            t.ok(utf8.len(line) <= 80, line)
        end
        for line in report.terminal(real_result(hostile_name)):gmatch("[^\n]+") do
            t.ok(utf8.len(line) <= 80, line)
        end
        t.equal(colourless:find("\27", 1, true), nil)
        t.ok(report.terminal(real_result(), {color = true}):find("\27%[32m"))
    end)

    test("every format says what ran the kernels", function(t)
        t.equal(cns.jit(function(a) return a + 1 end, {tier = "vm"})(1), 2)
        local result = real_result()
        local name, why = cns.jit.native()
        local words = name and "kernels: native code by " .. name
            or "kernels: no native code, they stay in the VM: " .. why
        t.equal(result.machine.kernels, words:match(": (.*)"))
        for _, render in ipairs {report.terminal, report.markdown, report.html, report.junit} do
            local plain = render(result):gsub("%s+", " "):gsub("\\", "")
            t.ok(plain:find(words, 1, true), plain:sub(1, 800))
        end
    end)

    test("not built is skipped in JUnit, failures are failures", function(t)
        local xml = report.junit(real_result())
        t.ok(xml:find('<skipped message="not built', 1, true))
        t.ok(xml:find('failures="2"', 1, true), xml:match("<testsuites[^>]*>"))
        t.ok(xml:find("broke", 1, true))
    end)

    test("figures in words", function(t)
        t.equal(text.seconds(0.00123), "1.23 ms")
        t.equal(text.seconds(0.9999e-3), "1.00 ms")
        t.equal(text.seconds(75), "75.0 s")
        t.equal(text.bytes(1023), "1023 B")
        t.equal(text.bytes(1 << 30), "1.00 GiB")
        t.equal(text.count(12930), "12,930")
        t.equal(text.count(-1234567), "-1,234,567")
        t.equal(text.percent(1), "100 %")
        t.equal(text.percent(0.999999), "99.99 %")
        t.equal(text.percent(1e-7), "0.01 %")
        t.equal(text.percent(0.5), "50.0 %")
        t.equal(text.percent(1.0000001), "101 %")
        t.equal(text.percent(18.3), "1830 %")
        t.equal(text.seconds("unavailable"), "unavailable")
        t.equal(text.bytes(nil), "not measured")
    end)

    test("files are written as asked, and folders made", function(t)
        local folder = assert(cns.fs.tempdir("cns-report-"))
        local written = report.write(real_result(), {report_dir = folder .. "/a/b",
            json_path = folder .. "/out.json", junit_path = folder .. "/out.xml"})
        t.equal(#written, 6)
        for _, path in ipairs(written) do t.ok(#read(path) > 500, path) end
        assert(cns.fs.remove_tree(folder))
    end)

    test("a report that cannot be written raises with path and cause", function(t)
        t.raises("/proc/no/out.json.*No such file", report.write, real_result(),
            {json_path = "/proc/no/out.json"})
        t.raises("cannot make the folder /proc/x", report.write, real_result(),
            {report_dir = "/proc/x/y"})
        t.raises("is not a folder", report.write, real_result(), {report_dir = "/dev/null"})
    end)

    test("finish sets the verdict", function(t)
        host.verdicts = {}
        report.finish(real_result())
        t.same(host.verdicts, {"check failed"})
    end)

    test("a partial report comes from the last snapshot", function(t)
        local folder = assert(cns.fs.tempdir("cns-report-"))
        host.published = {}
        local run = stress.new {title = "cut"}
        run:scenario {name = "one", operations = 3, work = function() end, verify = "in work"}
        for _, snapshot in ipairs(host.published) do
            local written = report.write_partial(snapshot, {quiet = true,
                report_dir = folder .. "/p"}, "interrupted", "Ctrl-C")
            t.equal(#written, 4)
        end
        local decoded = cns.json.decode(read(folder .. "/p/report.json"))
        t.equal(decoded.partial.reason, "interrupted")
        t.equal(decoded.verdict, "interrupted")
        t.ok(read(folder .. "/p/report.html"):find("Partial", 1, true))
        t.ok(read(folder .. "/p/junit.xml"):find("cut off", 1, true))
        assert(cns.fs.remove_tree(folder))
    end)

    test("the guide's example is the one that runs", function(t)
        local guide = read(here .. "/../../doc/scenarios.md")
        local example = read(here .. "/../../examples/lua/scenario.lua")
        local shown = assert(guide:match("```lua\n(.-)```"))
        t.ok(example:find(shown, 1, true), "doc/scenarios.md shows another file")
    end)
end
