-- SPDX-License-Identifier: MIT
--
-- stress.lua - loads the machine with six scenarios and verifies every answer.
--
--     cnsengine run scripts/stress.lua [--set scale=N] [--set workers=N] [--set only=NAME]
--
-- scale multiplies the number of operations (1: as documented; the gibibyte of the first scenario
-- shrinks with a scale below 1 and does not grow above it). only runs the scenarios whose name
-- holds the text. TMPDIR chooses where files are written.

local host = require "cns.host"
local report = require "cns.report"
local stress = require "cns.stress"

local here = host.script:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path

local scale = host.param("scale", 1.0)
local options = {workers = host.param("workers", 32)}
local only = host.param("only", "")
if scale <= 0 or scale ~= scale or options.workers < 1 then
    error("scale and workers must be above 0", 0)
end

local run = stress.new {title = "Stress: six scenarios"}
local found = false
for _, name in ipairs {"memory", "concurrent", "allocation", "files", "compile", "solving"} do
    local scenario = require("scenarios." .. name)(scale, options)
    if scenario.name:find(only, 1, true) then
        found = true
        run:scenario(scenario)
    end
end
if not found then
    error(("--set only=%s: no scenario has this in its name"):format(only), 0)
end
report.finish(run:result())
