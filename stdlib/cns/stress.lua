-- SPDX-License-Identifier: MIT
--
-- cns.stress - runs scenarios: loads the machine, verifies every answer, measures honestly.
--
--     local stress, report = require "cns.stress", require "cns.report"
--     local run = stress.new {title = "digests"}
--     run:scenario {
--         name = "hash", operations = 1000, warmup = 10,
--         setup = function(ctx) ctx.text = ("x"):rep(4096) end,
--         work = function(ctx, i) return require "cns".hash.blake3(ctx.text .. i) end,
--         verify = function(ctx, i, digest) return #digest == 64, "a digest has 64 digits" end,
--         thresholds = {"p99 < 5ms", "success = 100%"},
--     }
--     report.finish(run:result())
--
-- doc/scenarios.md explains every field. The rules behind the figures: a call succeeds when `work`
-- raised nothing and `verify` accepted its answer; verification is outside the timing; failed calls
-- stay in the latencies; with a rate, latency counts from the intended start, so a stall shows in
-- every call it delays; no instruction hook is set here; what the harness costs is measured.

local cns = require "cns"
local host = require "cns.host"
local check = require "cns.check"
local run = require "cns.run"
local stats = require "cns.stats"
local thresholds = require "cns.thresholds"

local stress = setmetatable({}, {__index = run})
stress.__index = stress

---@param options {title: string?, kind: string?, private: boolean?}?
function stress.new(options)
    options = options or {}
    return setmetatable(run.new {title = options.title, kind = options.kind or "stress",
        private = options.private}, stress)
end

---------------------------------------------------------------------------------------------------
-- A scenario's description

local known = {
    name = "string", description = "string", setup = "function", work = "function",
    teardown = "function", after = "function", operations = "integer", duration = "number",
    rate = "number", workers = "integer", batch = "integer", warmup = "integer",
    weight = "integer", collect = "boolean", thresholds = "table",
}

local function seconds(value)
    if type(value) ~= "string" then
        return value
    end
    local number, unit = value:match("^%s*([%d.]+)%s*(%a+)%s*$")
    local factor = ({ms = 1e-3, s = 1, min = 60})[unit]
    if not tonumber(number) or not factor then
        error(("duration: seconds or text such as \"5 s\" is needed, got \"%s\""):format(value), 0)
    end
    return tonumber(number) * factor
end

local function check_fields(spec)
    for key, value in pairs(spec) do
        local wanted = known[key]
        if key == "verify" then
            if type(value) ~= "function" and value ~= "in work" then
                error("scenario: verify must be a function, or \"in work\" when work checks", 0)
            end
        elseif not wanted then
            error(("scenario: unknown field '%s'"):format(tostring(key)), 0)
        elseif (wanted == "integer" and math.type(value) or type(value)) ~= wanted then
            error(("scenario: %s must be of type %s, got %s"):format(key, wanted, type(value)), 0)
        end
    end
end

-- A checked copy of the description, with its defaults.
local function prepare(description)
    local spec = {}
    for key, value in pairs(description) do spec[key] = value end
    spec.duration = seconds(spec.duration)
    check_fields(spec)
    if not spec.name or not spec.work or not spec.verify then
        error("scenario: name, work and verify are needed", 0)
    end
    if (spec.operations == nil) == (spec.duration == nil) then
        error("scenario " .. spec.name .. ": either operations or duration is needed", 0)
    end
    for _, key in ipairs {"operations", "duration", "rate", "workers", "batch", "weight"} do
        if spec[key] and spec[key] <= 0 then
            error(("scenario %s: %s must be above 0"):format(spec.name, key), 0)
        end
    end
    spec.parsed = thresholds.parse_all(spec.thresholds)
    spec.weight, spec.warmup = spec.weight or 1, spec.warmup or 0
    return spec
end

---------------------------------------------------------------------------------------------------
-- Counting

-- Errors by cause: the first line, numbers aside. Every one is counted; three are kept in full.
local function add_error(errors, phase, text, call, count)
    local cause = text:match("^[^\n]*"):gsub("%d+", "#")
    local key = phase .. "\0" .. cause
    local entry = errors[key]
    if not entry then
        entry = {phase = phase, cause = cause, count = 0, first = {}}
        errors[key] = entry
    end
    entry.count = entry.count + (count or 1)
    if #entry.first < 3 then
        entry.first[#entry.first + 1] = {call = call, text = text}
    end
end

local function merge_errors(into, from)
    for key, entry in pairs(from) do
        local mine = into[key]
        if not mine then
            into[key] = entry
        else
            mine.count = mine.count + entry.count
            for _, first in ipairs(entry.first) do
                if #mine.first < 3 then mine.first[#mine.first + 1] = first end
            end
        end
    end
end

local function error_list(errors)
    local list = {}
    for _, entry in pairs(errors) do list[#list + 1] = entry end
    table.sort(list, function(a, b)
        if a.count ~= b.count then return a.count > b.count end
        return a.phase .. a.cause < b.phase .. b.cause
    end)
    return cns.json.array(list)
end

-- Raw samples: the latency of every `every`-th call, at most `sample_limit` of them, chosen by the
-- call's number, so that parts of a run measured apart keep the same calls.
local sample_limit = 2000

local function thin_samples(tally)
    while #tally.samples > sample_limit do
        tally.every = tally.every * 2
        local kept = {}
        for _, sample in ipairs(tally.samples) do
            if sample[1] % tally.every == 0 then kept[#kept + 1] = sample end
        end
        tally.samples = kept
    end
end

local function new_tally()
    return {calls = 0, failures = 0, histogram = stats.histogram(), errors = {}, samples = {},
        every = 1, results = {}}
end

local function merge_tally(into, from)
    into.calls = into.calls + from.calls
    into.failures = into.failures + from.failures
    into.histogram:merge(from.histogram)
    merge_errors(into.errors, from.errors)
    local every = math.max(into.every, from.every)
    if every > into.every then
        into.every = every
        thin_samples(into)
    end
    for _, sample in ipairs(from.samples) do
        if sample[1] % every == 0 then into.samples[#into.samples + 1] = sample end
    end
    thin_samples(into)
    for call, result in pairs(from.results) do into.results[call] = result end
end

---------------------------------------------------------------------------------------------------
-- The measuring loop

-- Runs calls first, first + step, ... last of a job. It goes to a worker's own Lua state as it is,
-- so it has no upvalues that are not data or such functions. `tick` is called between calls.
local function run_slice(job, ctx, work, verify, tally, tick)
    local engine = require "cns"
    local clock, sleep = engine.clock_ns, engine.sleep
    local traceback = debug.traceback
    local histogram, samples = tally.histogram, tally.samples
    local call, last, step = job.first, job.last, job.step
    local interval, origin, deadline = job.interval_ns, job.origin_ns, job.deadline_ns
    local phase = job.phase
    while call <= last do
        local intended
        if interval then
            intended = origin + math.floor((call - 1) * interval)
            if deadline and intended >= deadline then break end
            local wait = intended - clock()
            if wait > 0 then sleep(wait * 1e-9) end
        end
        local began = clock()
        if deadline and began >= deadline and not interval then break end
        local finished, value, why = xpcall(work, traceback, ctx, call)
        local ended = clock()
        local latency = ended - (intended or began)
        histogram:record(latency > 0 and latency or 0)
        tally.calls = tally.calls + 1
        if call % tally.every == 0 then
            samples[#samples + 1] = {call, latency}
            if #samples > job.sample_limit then
                thin_samples(tally)
                samples = tally.samples
            end
        end
        local failure, where, kept = nil, phase, nil
        if not finished then
            failure = tostring(value)
        elseif value == false then
            failure = tostring(why or "work returned false")
        elseif verify then
            local checked, good, reason = xpcall(verify, traceback, ctx, call, value)
            if not checked then
                failure, where = tostring(good), "verify"
            elseif not good then
                failure, where = tostring(reason or "verify rejected the answer"), "verify"
            else
                kept = reason
            end
        end
        if failure then
            tally.failures = tally.failures + 1
            add_error(tally.errors, where, failure, call)
        elseif job.collect then
            if verify and kept ~= nil then value = kept end
            tally.results[call] = value
        end
        if tick then tick(ended) end
        call = call + step
    end
    return tally
end

-- A slice on a worker: the tally is made there, its histogram travels as plain data.
local function slice_task(job, ctx, work, verify, slice)
    local histogram = require "cns.stats".histogram()
    local tally = {calls = 0, failures = 0, histogram = histogram, errors = {}, samples = {},
        every = 1, results = {}}
    slice(job, ctx, work, verify, tally)
    tally.histogram = histogram:export()
    return tally
end

-- The jobs of a scenario. With workers and a count of operations every call (or batch of calls) is
-- a task of its own; with a rate or a duration every worker gets one interleaved slice.
local function make_jobs(spec, origin)
    local last = spec.operations or math.maxinteger
    local base = {
        phase = "work", sample_limit = sample_limit, collect = spec.collect,
        interval_ns = spec.rate and 1e9 / spec.rate, origin_ns = origin,
        deadline_ns = spec.duration and origin + math.floor(spec.duration * 1e9),
    }
    local function job(first, stop, step)
        local copy = {first = first, last = stop, step = step}
        for key, value in pairs(base) do copy[key] = value end
        return copy
    end
    if not spec.workers then
        return {job(1, last, 1)}
    end
    local jobs = {}
    if spec.duration or spec.rate then
        for worker = 1, spec.workers do jobs[worker] = job(worker, last, spec.workers) end
    else
        local batch = spec.batch or 1
        for first = 1, last, batch do
            jobs[#jobs + 1] = job(first, math.min(first + batch - 1, last), 1)
        end
    end
    return jobs
end

-- Spawns all jobs, but never more than `window` ahead of the one awaited, and merges in order.
local function run_jobs(spec, jobs, ctx, tally, tick)
    local pool <close> = cns.tasks.new {workers = spec.workers, name = spec.name}
    local verify = type(spec.verify) == "function" and spec.verify or nil
    local window = math.max(64, 8 * spec.workers)
    local futures, spawned = {}, 0
    for awaited = 1, #jobs do
        while spawned < math.min(#jobs, awaited + window - 1) do
            spawned = spawned + 1
            futures[spawned] = pool:spawn_with({name = spec.name}, slice_task, jobs[spawned],
                ctx, spec.work, verify, run_slice)
        end
        local finished, part = xpcall(futures[awaited].await, debug.traceback, futures[awaited])
        futures[awaited]:close()
        futures[awaited] = nil
        if finished then
            part.histogram = stats.import_histogram(part.histogram)
            merge_tally(tally, part)
        else -- the calls of a task that broke have no latency, but they happened and failed
            local job = jobs[awaited]
            local calls = spec.operations and (job.last - job.first) // job.step + 1 or 1
            tally.calls, tally.failures = tally.calls + calls, tally.failures + calls
            add_error(tally.errors, "task", tostring(part), job.first, calls)
        end
        tick(cns.clock_ns())
    end
    return pool:stats()
end

---------------------------------------------------------------------------------------------------
-- Records

local function ns(value)
    return value and value * 1e-9
end

local function latency_record(spec, histogram)
    if histogram.count == 0 then
        return nil
    end
    return {
        from = spec.rate and "intended start" or "call", count = histogram.count,
        min_s = ns(histogram.min), mean_s = ns(histogram:mean()),
        p50_s = ns(histogram:quantile(0.5)), p90_s = ns(histogram:quantile(0.9)),
        p95_s = ns(histogram:quantile(0.95)), p99_s = ns(histogram:quantile(0.99)),
        p999_s = ns(histogram:quantile(0.999)), max_s = ns(histogram.max),
        histogram = histogram:export(),
    }
end

-- A figure that either side lacks is "unavailable", never 0.
local function difference(before, after, key)
    if type(before[key]) ~= "number" or type(after[key]) ~= "number" then
        return "unavailable"
    end
    return after[key] - before[key]
end

local function usage(before, after, wall)
    local user, system = difference(before, after, "cpu_user"),
        difference(before, after, "cpu_system")
    local known_cpu = type(user) == "number" and type(system) == "number"
    local cpu = {user_s = user, system_s = system, wall_s = wall,
        cores_used = known_cpu and wall > 0 and (user + system) / wall or "unavailable"}
    local io = {}
    for _, key in ipairs {"read_bytes", "write_bytes", "disk_read_bytes", "disk_write_bytes"} do
        io[key] = difference(before, after, key)
    end
    local system_record = {}
    for _, key in ipairs {"faults_minor", "faults_major", "switches_voluntary",
        "switches_involuntary"} do
        system_record[key] = difference(before, after, key)
    end
    return cpu, io, system_record
end

local function record_of(spec, state)
    local tally = state.tally
    local now = cns.clock()
    local duration = (state.work_ended or now) - (state.work_began or now)
    local succeeded = tally.calls - tally.failures
    local after = state.sample_after or cns.monitor.sample()
    local cpu, io, os_record = usage(state.sample_before, after,
        (state.ended or now) - state.began)
    local errors, error_count = error_list(tally.errors), 0
    for _, entry in ipairs(errors) do error_count = error_count + entry.count end
    return {
        name = spec.name, description = spec.description, state = state.state or "inconclusive",
        calls = tally.calls, operations = tally.calls * spec.weight,
        verified = succeeded * spec.weight, planned_calls = spec.operations,
        success_rate = tally.calls > 0 and succeeded / tally.calls or 0.0,
        duration_s = duration, total_s = (state.ended or now) - state.began,
        ops_per_s = duration > 0 and tally.calls * spec.weight / duration or 0.0,
        rate = spec.rate, workers = spec.workers, warmup = spec.warmup, weight = spec.weight,
        peak_rss_bytes = after.rss_peak_bytes or "unavailable", peak_rss_reset = state.peak_reset,
        cpu = cpu, io = io, os = os_record, latency = latency_record(spec, tally.histogram),
        errors = errors, error_count = error_count, tasks = state.tasks, notes = state.notes,
        timeline = cns.json.array(state.timeline),
        samples = {every = tally.every, latency_ns = cns.json.array(tally.samples)},
    }
end

---------------------------------------------------------------------------------------------------
-- Running

-- Progress and the timeline, between calls. The timeline keeps at most 200 points: when it is full
-- every other one goes and the interval doubles.
local function make_tick(self, spec, state)
    local next_at, interval = 0, 100000000
    return function(now)
        if now < next_at then
            return
        end
        next_at = now + interval
        local tally = state.tally
        local timeline = state.timeline
        timeline[#timeline + 1] = {t = cns.clock() - state.began, calls = tally.calls,
            failures = tally.failures}
        if #timeline >= 200 then
            local kept = {}
            for i = 2, #timeline, 2 do kept[#kept + 1] = timeline[i] end
            state.timeline, interval = kept, interval * 2
        end
        local share = spec.operations and ("%3.0f%%"):format(100 * tally.calls / spec.operations)
            or ("%.1f s"):format(cns.clock() - state.began)
        host.status(("%s %s  %d calls, %d failed"):format(spec.name, share, tally.calls,
            tally.failures))
        if cns.clock() - self.published >= 1 then
            self:publish(record_of(spec, state))
        end
    end
end

local function guard(state, phase, fn, ...)
    local finished, message = xpcall(fn, debug.traceback, ...)
    if not finished then
        add_error(state.tally.errors, phase, tostring(message))
    end
    return finished
end

local function warm_up(spec, ctx, state)
    local verify = type(spec.verify) == "function" and spec.verify or nil
    local tally = new_tally()
    local job = {first = 1, last = spec.warmup, step = 1, phase = "warm-up",
        sample_limit = sample_limit}
    if spec.workers and spec.warmup > 0 then
        -- On the pool, or the workers' states would still be cold.
        local warm = {workers = spec.workers, name = spec.name, work = spec.work,
            verify = spec.verify, operations = spec.warmup}
        run_jobs(warm, make_jobs(warm, 0), ctx, tally, function() end)
    else
        run_slice(job, ctx, spec.work, verify, tally)
    end
    merge_errors(state.tally.errors, tally.errors)
end

local function measure(self, spec, ctx, state)
    local tick = make_tick(self, spec, state)
    state.work_began = cns.clock()
    local jobs = make_jobs(spec, cns.clock_ns())
    if spec.workers then
        state.tasks = run_jobs(spec, jobs, ctx, state.tally, tick)
    else
        local verify = type(spec.verify) == "function" and spec.verify or nil
        run_slice(jobs[1], ctx, spec.work, verify, state.tally, tick)
    end
    state.work_ended = cns.clock()
end

local function judge(spec, state, checks)
    local tally = state.tally
    local counts = checks:counts()
    if next(tally.errors) or counts["fail"] > 0 or tally.calls == 0 then
        return "fail"
    end
    if spec.operations and tally.calls ~= spec.operations then
        return "fail"
    end
    return counts["pass"] == #checks and "pass" or "inconclusive"
end

---Runs a scenario now; its record joins the run's result.
---@param description table see doc/scenarios.md
---@return table record
function stress:scenario(description)
    local spec = prepare(description)
    self.harness = self.harness or stress.overhead()
    collectgarbage()
    collectgarbage()
    local state = {tally = new_tally(), timeline = {}, began = cns.clock(),
        peak_reset = cns.monitor.reset_peak(), sample_before = cns.monitor.sample()}
    local ctx, checks = {seed = host.seed}, check.new(spec.name)
    host.status(spec.name .. ": setting up")
    self:publish(record_of(spec, state), true)
    local ready = not spec.setup or guard(state, "setup", spec.setup, ctx)
    ready = ready and guard(state, "warm-up", warm_up, spec, ctx, state)
    if ready then
        guard(state, "run", measure, self, spec, ctx, state)
        if spec.after then
            host.status(spec.name .. ": checking")
            guard(state, "after", spec.after, ctx, checks, state.tally.results)
        end
    end
    if spec.teardown then
        guard(state, "teardown", spec.teardown, ctx)
    end
    state.ended, state.sample_after = cns.clock(), cns.monitor.sample()
    state.notes = ctx.notes
    state.state = judge(spec, state, checks)
    local record = record_of(spec, state)
    host.status(nil)
    self:add_scenario(record, checks, spec.parsed)
    return record
end

---What the harness itself costs: empty calls through the same loop, against a bare loop of them.
---@return {per_call_s: number, inside_latency_s: number, clock_s: number, calls: integer}
function stress.overhead()
    local calls, rounds = 2000, 7
    local function nothing() end
    local job = {first = 1, last = calls, step = 1, phase = "work", sample_limit = sample_limit}
    local per_call, inside, clock_cost = {}, {}, {}
    for round = 1, rounds do
        local tally, next_at = new_tally(), math.maxinteger
        local began = cns.clock_ns()
        run_slice(job, nil, nothing, function() return true end, tally,
            function(now) return now < next_at end)
        local measured = cns.clock_ns() - began
        began = cns.clock_ns()
        for _ = 1, calls do nothing() end
        local bare = cns.clock_ns() - began
        began = cns.clock_ns()
        for _ = 1, calls do cns.clock_ns() end
        clock_cost[round] = (cns.clock_ns() - began) / calls
        per_call[round] = (measured - bare) / calls
        inside[round] = tally.histogram:quantile(0.5)
    end
    return {per_call_s = stats.median(per_call) * 1e-9, calls = calls * rounds,
        inside_latency_s = stats.median(inside) * 1e-9, clock_s = stats.median(clock_cost) * 1e-9,
        hook = "none set by the harness"}
end

return stress
