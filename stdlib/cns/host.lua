-- SPDX-License-Identifier: MIT
--
-- cns.host for stock lua5.4: the same fields and options that cnsengine's own host gives, read from
-- `arg` and the environment (CNS_SEED, CNS_THREADS, CNS_REPORT, CNS_JSON, CNS_JUNIT, CNS_QUIET,
-- NO_COLOR, COLUMNS). Under cnsengine the command provides `cns.host` and this file is not loaded.
--
--     lua5.4 scripts/stress.lua --set scale=0.1 --seed 7 --report out
--
-- What stock Lua cannot do is refused instead of ignored: limits on memory and time, and a partial
-- report on Ctrl-C, need cnsengine. The verdict becomes the exit code when the state closes.

local host = {
    params = {}, quiet = false, color = false, progress = false, columns = 80,
    exit_codes = {
        ["success"] = 0, ["script error"] = 1, ["usage"] = 2, ["check failed"] = 3,
        ["threshold missed"] = 4, ["inconclusive"] = 5, ["limit"] = 6, ["interrupted"] = 130,
    },
}

local function usage(message)
    io.stderr:write("usage: ", message, "\n")
    os.exit(host.exit_codes["usage"], true)
end

local function integer(name, text, low)
    local value = math.tointeger(tonumber(text))
    if not value or value < low then
        usage(("%s: an integer from %d is needed, got '%s'"):format(name, low, text))
    end
    return value
end

-- "4" and "0.5" are numbers, "true" and "false" booleans, the rest is text.
local function value_of(text)
    if text == "true" then return true end
    if text == "false" then return false end
    return math.tointeger(tonumber(text)) or tonumber(text) or text
end

local config = {}
local options = {
    ["--seed"] = function(text) host.seed = integer("--seed", text, math.mininteger) end,
    ["--threads"] = function(text) host.threads = integer("--threads", text, 1) end,
    ["--report"] = function(text) host.report_dir = text end,
    ["--json"] = function(text) host.json_path = text end,
    ["--junit"] = function(text) host.junit_path = text end,
    ["--set"] = function(text)
        local key, value = text:match("^([%w_.-]+)=(.*)$")
        if not key then
            usage(("--set: key=value is needed, got '%s'"):format(text))
        end
        host.params[key] = value_of(value)
    end,
    ["--config"] = function(path)
        local file, message = io.open(path, "rb")
        if not file then usage("--config: " .. message) end
        local text = file:read("a")
        file:close()
        config = require "cns".yaml.decode(text)
        if type(config) ~= "table" then usage("--config: a map is needed in " .. path) end
    end,
    ["--memory"] = function() usage("--memory: a limit on memory needs cnsengine") end,
    ["--time-limit"] = function() usage("--time-limit: a limit on time needs cnsengine") end,
}

local function read_environment()
    for name, option in pairs {CNS_SEED = "--seed", CNS_THREADS = "--threads",
        CNS_REPORT = "--report", CNS_JSON = "--json", CNS_JUNIT = "--junit"} do
        local value = os.getenv(name)
        if value and value ~= "" then options[option](value) end
    end
    host.quiet = (os.getenv("CNS_QUIET") or "") ~= ""
    host.columns = math.tointeger(tonumber(os.getenv("COLUMNS"))) or 80
    -- Stock Lua cannot ask whether stdout is a terminal, so colours must be asked for.
    host.color = (os.getenv("CLICOLOR_FORCE") or "") ~= "" and not os.getenv("NO_COLOR")
end

local function read_arguments(list)
    local i = 1
    while i <= #list do
        local name, value = list[i]:match("^(%-%-[%w-]+)=(.*)$")
        name = name or list[i]
        if name == "--quiet" then
            host.quiet = true
        elseif options[name] then
            if not value then
                i = i + 1
                value = list[i] or usage(name .. ": a value is needed")
            end
            options[name](value)
        else
            usage(("unknown option '%s'"):format(list[i]))
        end
        i = i + 1
    end
end

local function command_line(list)
    local words = {}
    for i = -9, #list do
        if list[i] then words[#words + 1] = list[i] end
    end
    return table.concat(words, " ")
end

local began = os.time()
local last_status = 0
local verdict = nil

---The stock interpreter ends without telling anyone how: there is nobody to write a partial report.
function host.publish(json)
    assert(type(json) == "string", "json: a string is needed")
end

function host.verdict(text)
    if require "cns".tasks.worker() then
        error("verdict: for the main script only, not in a task", 2)
    end
    if not host.exit_codes[text] then
        error("verdict: one of host.exit_codes is needed, got " .. tostring(text), 2)
    end
    verdict = text
end

function host.status(text)
    local now = os.time()
    if text and not host.quiet and now - last_status >= 5 then
        last_status = now
        io.stderr:write(text, "\n")
    end
end

function host.param(name, default)
    local value = host.params[name]
    if value == nil then
        return default
    end
    if math.type(default) == "float" and math.type(value) == "integer" then
        value = value + 0.0
    elseif type(default) == "string" then
        value = tostring(value)
    end
    if type(value) ~= type(default) or math.type(value) ~= math.type(default) then
        error(("--set %s: %s is needed, got '%s'"):format(name,
            math.type(default) or type(default), tostring(value)), 2)
    end
    return value
end

function host.elapsed()
    return os.difftime(os.time(), began)
end

local list = rawget(_G, "arg") or {}
read_environment()
read_arguments(list)
for key, value in pairs(config) do
    if host.params[key] == nil then host.params[key] = value end
end
host.script = list[0] or "?"
host.command = command_line(list)
-- Tasks read this file on states of their own, from a copy of `arg` that is made with their pool: a
-- seed that was drawn is written there, so that all have the same. Short enough to be typed again.
if not host.seed then
    host.seed = (os.time() * 2654435761 ~ math.random(0)) & 0x7fffffff
    list[#list + 1] = "--seed=" .. host.seed
end

-- Runs when the state closes: `lua` itself would exit with 0 whatever the verdict was.
host.at_exit = setmetatable({}, {__gc = function()
    if verdict and verdict ~= "success" then
        io.stdout:flush()
        os.exit(host.exit_codes[verdict], false)
    end
end})

return host
