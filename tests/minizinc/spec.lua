-- SPDX-License-Identifier: MIT
--
-- spec.lua - libminizinc's spec tests (tests/spec of its repository, at the tag of the installed
-- minizinc) through `minizinc --solver cnsengine`.
--
--     cnsengine run tests/minizinc/spec.lua --set peer=FOLDER [--set only=PATTERN]
--
-- FOLDER (or CNS_MINIZINC_SPEC) holds the tests; without it the run says so, and is inconclusive.
-- A test fails unless it gives what its header expects; as in libminizinc's own runner, another
-- solution of the right status and objective is given to Gecode to confirm. Those that cannot are
-- listed, each with its reason, in spec_listed.txt; one that is listed and passes fails, too.

local host = require "cns.host"
local here = host.script:match "^(.*)/[^/]*$" or "."
package.path = here .. "/?.lua;" .. package.path
local json = require "cns".json
local spec_text = require "spec_text"
local spec_result = require "spec_result"

local folder = host.param("peer", os.getenv "CNS_MINIZINC_SPEC" or "")
local only = host.param("only", "")
local seconds = host.param("seconds", 60)

local function quote(word)
    return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

local function read(path)
    local file <close> = assert(io.open(path, "rb"))
    return file:read "a"
end

local function lines_of(command)
    local pipe <close> = assert(io.popen(command))
    local lines = {}
    for line in pipe:lines() do lines[#lines + 1] = line end
    return lines
end

if folder == "" or #lines_of("command -v minizinc") == 0 then
    print("skipped: " .. (folder == "" and "no tests: give --set peer=FOLDER or CNS_MINIZINC_SPEC"
        or "minizinc is not installed"))
    host.verdict "inconclusive"
    return
end

local listed = {}
for line in io.lines(here .. "/spec_listed.txt") do
    local name, reason = line:match "^(%S+)%s+(.+)$"
    if name and not line:find "^#" then listed[name] = {reason = reason} end
end

-- -------------------------------------------------------------------------------------------------
-- One case

local flags = {
    all_solutions = "-a", intermediate_solutions = "-i", free_search = "-f",
    nr_solutions = "-n", random_seed = "-r", processes = "-p", optimisation_level = "-O",
}

local function options_of(case)
    local words = {}
    for name, value in pairs(type(case.options) == "table" and case.options or {}) do
        local flag = flags[name] or (name:find "^%-" and name or "--" .. name)
        if name == "timeout" then
            words[#words + 1] = "--time-limit " .. math.floor(tonumber(value:match "^[%d.]+") *
                (value:find "ms" and 1 or 1000))
        elseif value ~= false then
            words[#words + 1] = value == true and flag or flag .. " " .. quote(value)
        end
    end
    table.sort(words)
    return table.concat(words, " ")
end

-- Why a case is none of ours: it names other solvers, or ends before a solver is asked.
local function not_for_us(case)
    if case.unreadable then return "its header cannot be read: " .. tostring(case.unreadable) end
    if type(case.type) == "string" and case.type ~= "solve" then
        return "about the compiler's output"
    end
    local solvers = case.solvers
    if type(solvers) ~= "table" then return nil end
    for _, solver in ipairs(solvers) do
        if solver == "gecode" or solver == "chuffed" then return nil end
    end
    return "for other solvers"
end

local counts = {passed = 0, confirmed = 0, listed = 0, failed = 0, others = 0}
local scratch = os.tmpname()

local function minizinc(path, case, ...)
    local words = {"cd " .. quote(folder .. "/..") .. " && timeout -k 2", seconds,
        "minizinc --output-mode json --output-objective --output-output-item", quote(path), ...}
    local base = path:match "^(.*)/"
    for _, file in ipairs(type(case.extra_files) == "table" and case.extra_files or {}) do
        words[#words + 1] = quote(base .. "/" .. file)
    end
    words[#words + 1] = "2>" .. quote(scratch)
    local pipe <close> = assert(io.popen(table.concat(words, " ")))
    local out = pipe:read "a"
    local _, _, code = pipe:close()
    return out, read(scratch), code
end

local function solve(path, case)
    return minizinc(path, case, "--solver cnsengine", options_of(case))
end

-- Does Gecode find each solution among the model's?
local function confirmed(path, case, obtained)
    local data = scratch .. ".json"
    local text = read(path)
    for _, solution in ipairs(obtained.solutions) do
        local kept = {}
        for key, value in pairs(solution) do
            local defined = text:find(":%s*" .. key .. "%s*=") or
                text:find(":%s*" .. key .. "%s*::[^;=]*=")
            if not key:find "^_" and not defined then kept[key] = value end
        end
        local file <close> = assert(io.open(data, "w"))
        file:write(json.encode(kept))
        file:close()
        local out, err, code = minizinc(path, case, "--solver gecode -G std", quote(data))
        os.remove(data)
        if code ~= 0 or err:find "rror:" or not out:find "%-%-%-%-%-%-%-%-%-%-" then
            return false
        end
    end
    return #obtained.solutions > 0
end

local function optimises(path)
    local text = read(path):gsub("%%[^\n]*", "")
    return text:find "minimize" ~= nil or text:find "maximize" ~= nil
end

---nil, or what is wrong.
local function run(path, case)
    local out, err, code = solve(path, case)
    local failed = err:find "Error:" or err:find "rror:" or code ~= 0
    if case.text:find "!Error" and failed and not err:find "cnsengine:" then return nil end
    local options = type(case.options) == "table" and case.options or {}
    local all = options.all_solutions == true or options.intermediate_solutions == true
    local ok, obtained = pcall(spec_result.read, out .. "\n", optimises(path), all)
    if not ok then return "output that is no JSON: " .. out:sub(1, 200) end
    local expected = case.expected
    if type(expected) ~= "table" or #expected == 0 then expected = {expected} end
    for _, one in ipairs(expected) do
        local error_wanted = type(one) == "table" and (one.type or one.regex or one.message)
        if not failed and not error_wanted and spec_result.matches(one, obtained) then
            return nil
        end
    end
    for _, one in ipairs(expected) do
        if not failed and not all and spec_result.similar(one, obtained) and
            confirmed(path, case, obtained) then
            counts.confirmed = counts.confirmed + 1
            return nil
        end
    end
    return ("%s: %s %s"):format(failed and "failed" or obtained.status,
        err:gsub("%s+", " "):sub(1, 300), out:gsub("%s+", " "):sub(1, 300))
end

-- -------------------------------------------------------------------------------------------------
-- All of them


local function judge(name, path, case)
    local reason = not_for_us(case)
    if reason then
        counts.others = counts.others + 1
        if case.unreadable then print(name, reason) end
        return
    end
    local wrong = run(path, case)
    local entry = listed[name]
    if entry then entry.seen = true end
    if wrong and entry then
        counts.listed = counts.listed + 1
    elseif wrong then
        counts.failed = counts.failed + 1
        print(name, wrong)
    elseif entry then
        counts.failed = counts.failed + 1
        print(name, "is listed, and passes: " .. entry.reason)
    else
        counts.passed = counts.passed + 1
    end
end

for _, path in ipairs(lines_of("find " .. quote(folder) .. " -name '*.mzn' | LC_ALL=C sort")) do
    local short = path:sub(#folder + 2)
    local cases = short:find(only) and spec_text.cases(read(path)) or {}
    for k, case in ipairs(cases) do
        judge(#cases > 1 and short .. ":" .. k or short, path, case)
    end
end
os.remove(scratch)
print(("%d passed (%d confirmed by Gecode), %d listed as not for this solver, %d failed"):format(
    counts.passed, counts.confirmed, counts.listed, counts.failed))
print(counts.others .. " are for other solvers, or about the compiler's output")
host.verdict(counts.failed > 0 and "check failed" or counts.passed == 0 and "inconclusive" or
    "success")
