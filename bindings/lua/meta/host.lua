---@meta cns.host
-- SPDX-License-Identifier: MIT
--
-- What a script is told by whoever runs it: `local host = require "cns.host"`. Under cnsengine the
-- command provides it; under stock lua5.4, stdlib/cns/host.lua does, from `arg` and the environment.

---@class cns.host
---@field params table<string, any> --set k=v (numbers, booleans, text) over --config's map
---@field seed integer --seed, or drawn and printed
---@field threads integer? --threads
---@field memory_limit integer? bytes
---@field time_limit number? seconds
---@field report_dir string? --report
---@field json_path string? --json
---@field junit_path string? --junit
---@field quiet boolean
---@field color boolean stdout takes colours (a terminal, NO_COLOR unset)
---@field progress boolean stderr is a terminal and not --quiet: animation is welcome
---@field columns integer width of the terminal, 80 when unknown
---@field script string path of the script
---@field command string the command line, for reports
local host = {}

---Keeps the state of the run so far (a result table as cns.report takes it, encoded as JSON by the
---caller). If the run is cut off - Ctrl-C, a limit, a crash of the script - the host writes the
---reports from the last one published, marked as partial.
---@param json string
function host.publish(json) end

---The run's verdict; it becomes the exit code when the script ends without an error.
---@param verdict "success"|"check failed"|"threshold missed"|"inconclusive"
function host.verdict(verdict) end

---One line of progress on stderr (rewritten in place on a terminal; every few seconds otherwise).
---@param text string? nil clears it
function host.status(text) end

---Parameter with a default; the default's type decides how text is read; raises on nonsense.
---@generic T
---@param name string
---@param default T
---@return T
function host.param(name, default) end

---Seconds since the run began.
---@return number
function host.elapsed() end

---Exit codes by verdict, as `cnsengine run --help` lists them.
---@type table<string, integer>
host.exit_codes = {
    ["success"] = 0,
    ["script error"] = 1,
    ["usage"] = 2,
    ["check failed"] = 3,
    ["threshold missed"] = 4,
    ["inconclusive"] = 5,
    ["limit"] = 6,
    ["interrupted"] = 130,
}

return host
