-- SPDX-License-Identifier: MIT
--
-- cns.report - shows a run's result and writes it: terminal, JSON, JUnit, Markdown, HTML.
--
--     report.finish(run:result())
--
-- prints the summary, writes what the host was asked for (--report, --json, --junit) and sets the
-- verdict, which becomes the exit code. Files are complete or absent; a file that cannot be written
-- raises, so a run never ends well without the report it was asked for. The result's shape is in
-- doc/report-schema.md.

local cns = require "cns"
local text = require "cns.report.text"

local report = {}

local null = cns.json.null

-- After a trip through JSON: nulls go, lists that are empty are known as lists again.
local function restore(value, name)
    local lists = {scenarios = true, checks = true, thresholds = true, benchmarks = true,
        errors = true, first = true, timeline = true, latency_ns = true, buckets = true}
    for key, inner in pairs(value) do
        if inner == null then
            value[key] = nil
        elseif type(inner) == "table" then
            restore(inner, key)
        end
    end
    return lists[name] and cns.json.array(value) or value
end

-- Lists that may be missing, so that the renderers need not ask.
local function normalise(result)
    for _, key in ipairs {"scenarios", "checks", "thresholds", "benchmarks"} do
        result[key] = cns.json.array(result[key] or {})
    end
    return text.clean_tree(result)
end

---@param result table
---@return string
function report.json(result)
    return cns.json.encode(normalise(result), {indent = 2}) .. "\n"
end

---@param result table
---@return string
function report.markdown(result)
    return require "cns.report.markdown".render(normalise(result))
end

---@param result table
---@return string
function report.html(result)
    return require "cns.report.html".render(normalise(result))
end

---@param result table
---@return string
function report.junit(result)
    return require "cns.report.junit".render(normalise(result))
end

---@param result table
---@param options {columns: integer?, color: boolean?, written: string[]?}?
---@return string
function report.terminal(result, options)
    return require "cns.report.terminal".render(normalise(result), options)
end

local function make_folder(path)
    local at = path:sub(1, 1) == "/" and "/" or ""
    for part in path:gmatch("[^/]+") do
        at = at .. part
        local found = cns.fs.stat(at)
        if not found then
            local made, message = cns.fs.mkdir(at)
            if not made then
                error("report: cannot make the folder " .. tostring(message), 0)
            end
        elseif found.kind ~= "directory" then
            error(("report: %s is not a folder"):format(at), 0)
        end
        at = at .. "/"
    end
end

local function write(path, content, written)
    local done, message = cns.fs.write_atomic(path, content)
    if not done then
        error("report: cannot write " .. tostring(message), 0)
    end
    written[#written + 1] = path
end

---Writes the files that the host was asked for; their paths. Raises with path and cause.
---@param result table
---@param host table
---@return string[] paths
function report.write(result, host)
    local written = {}
    if host.report_dir then
        make_folder(host.report_dir)
        write(host.report_dir .. "/report.md", report.markdown(result), written)
        write(host.report_dir .. "/report.html", report.html(result), written)
        write(host.report_dir .. "/report.json", report.json(result), written)
        write(host.report_dir .. "/junit.xml", report.junit(result), written)
    end
    if host.json_path then write(host.json_path, report.json(result), written) end
    if host.junit_path then write(host.junit_path, report.junit(result), written) end
    return written
end

local function show(result, host, written)
    if not host.quiet then
        io.stdout:write(report.terminal(result, {columns = host.columns, color = host.color,
            written = written}))
    end
    io.stdout:flush()
end

---Prints, writes, sets the verdict. The last thing a script does. A file that cannot be written is
---raised after the summary: what was measured is not lost with it.
---@param result table
---@return string verdict
function report.finish(result)
    local host = require "cns.host"
    host.status(nil)
    local finished, written = pcall(report.write, result, host)
    show(result, host, finished and written or nil)
    if not finished then
        error(written, 0)
    end
    host.verdict(result.verdict)
    return result.verdict
end

---For the command, in a fresh Lua state, after a run was cut off: reports from the last result that
---was published, marked as partial. Raises when a file cannot be written.
---@param json string what host.publish was last given
---@param host table fields as in cns.host
---@param reason string "interrupted", "limit", "script error"
---@param message string? the cause in full
---@return string[] paths
function report.write_partial(json, host, reason, message)
    local result = restore(cns.json.decode(json), "result")
    result.partial = {reason = reason, message = message}
    result.verdict = reason
    local written = report.write(result, host)
    show(result, host, written)
    return written
end

return report
