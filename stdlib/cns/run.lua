-- SPDX-License-Identifier: MIT
--
-- cns.run - one run of a script: its seed, its machine, its results, its verdict.
--
-- cns.stress and cns.bench add scenarios and benchmarks to a run, scripts add checks; cns.report
-- writes what `result` gives (doc/report-schema.md). While it goes on, the run publishes snapshots,
-- so that a run that is cut off still leaves a report.

local cns = require "cns"
local host = require "cns.host"
local check = require "cns.check"
local text = require "cns.report.text"
local thresholds = require "cns.thresholds"

local run = {}
run.__index = run

run.schema_version = 1

-- One publication a second costs little and loses little.
local publish_interval = 1.0

---`private` runs publish nothing: they are parts of another run.
---@param options {title: string?, kind: string?, private: boolean?}?
---@return cns.run
function run.new(options)
    options = options or {}
    return setmetatable({
        title = options.title or host.script, kind = options.kind or "run",
        private = options.private,
        checks = check.new(), scenarios = {}, thresholds = {}, benchmarks = {},
        began = cns.clock(), started = os.date("!%Y-%m-%dT%H:%M:%SZ"), published = 0,
    }, run)
end

local function machine()
    local level, best = cns.cpu()
    local limits = cns.monitor.limits()
    limits.description = cns.monitor.machine()
    limits.cpu_level, limits.cpu_best = level, best
    limits.engine, limits.lua = cns.version, _VERSION
    return limits
end

-- What ran the kernels; nil when there were none. A snapshot does not ask: asking may load LLVM.
local function kernels()
    local name, why = cns.jit.native()
    if name then return "native code by " .. name end
    return why and "no native code, they stay in the VM: " .. why
end

-- What a check group, a scenario, a threshold or a benchmark adds to the verdict; worst first.
local order = {"check failed", "threshold missed", "inconclusive", "success"}

local function verdict_of(self)
    local found = {}
    for _, scenario in ipairs(self.scenarios) do
        found[scenario.state == "pass" and "success"
            or scenario.state == "inconclusive" and "inconclusive" or "check failed"] = true
    end
    for _, row in ipairs(self.thresholds) do
        found[row.state == "pass" and "success" or row.state == "fail" and "threshold missed"
            or "inconclusive"] = true
    end
    for _, row in ipairs(self.benchmarks) do
        if row.state == "fail" then
            found["check failed"] = true
        elseif row.expect and row.verdict ~= row.expect then
            found[row.verdict == "inconclusive" and "inconclusive" or "threshold missed"] = true
        elseif row.state == "pass" then
            found["success"] = true
        end
    end
    if #self.checks > 0 then
        found[self.checks:verdict()] = true
    end
    for _, verdict in ipairs(order) do
        if found[verdict] then return verdict end
    end
    return "inconclusive" -- nothing was run: nothing is shown
end

local function plain_checks(list)
    local out = {}
    for i, entry in ipairs(list) do
        out[i] = {name = entry.name, group = entry.group, state = entry.state,
            evidence = entry.evidence}
    end
    return out
end

---The result so far, as plain data for cns.report and JSON: errors and evidence may hold any bytes,
---so they are cleaned here.
---@param current table? a scenario still running, for snapshots
---@return table
function run:result(current)
    local scenarios = table.move(self.scenarios, 1, #self.scenarios, 1, {})
    scenarios[#scenarios + 1] = current
    local array = cns.json.array
    self.machine = self.machine or machine()
    if not current then self.machine.kernels = kernels() end
    return text.clean_tree {
        schema_version = run.schema_version, kind = self.kind, title = self.title,
        script = host.script, command = host.command, params = host.params, seed = host.seed,
        started = self.started, duration_s = cns.clock() - self.began, machine = self.machine,
        harness = self.harness, scenarios = array(scenarios),
        checks = array(plain_checks(self.checks)), thresholds = array(self.thresholds),
        benchmarks = array(self.benchmarks), verdict = verdict_of(self),
    }
end

---Publishes a snapshot when the last one is old enough, or now with `force`.
---@param current table?
---@param force boolean?
function run:publish(current, force)
    if self.private then return end
    local now = cns.clock()
    if force or now - self.published >= publish_interval then
        self.published = now
        host.publish(cns.json.encode(self:result(current)))
    end
end

---Appends a finished scenario, its checks and its thresholds.
function run:add_scenario(record, checks, parsed_thresholds)
    self.scenarios[#self.scenarios + 1] = record
    table.move(checks, 1, #checks, #self.checks + 1, self.checks)
    for _, threshold in ipairs(parsed_thresholds) do
        self.thresholds[#self.thresholds + 1] = thresholds.evaluate(threshold, record)
    end
    self:publish(nil, true)
end

---@param row table as cns.bench makes it
function run:add_benchmark(row)
    self.benchmarks[#self.benchmarks + 1] = row
    self:publish(nil, true)
end

return run
