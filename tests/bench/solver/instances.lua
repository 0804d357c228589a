-- SPDX-License-Identifier: MIT
--
-- instances.lua - the public instances that instances.txt names, where they are in the repository.

local peers = require "peers"

local instances = {}

-- Those whose name behind `prefix` is wanted: name, model and data (paths; nil without benchmarks).
function instances.list(bench, prefix)
    local list, folder = {}, peers.benchmarks
    for line in io.lines(bench.root .. "/tests/bench/solver/instances.txt") do
        local name, model, data = line:match("^([^#%s]+)%s+(%S+)%s+(%S+)")
        if name and bench.wanted(prefix .. name) then
            list[#list + 1] = {name = name, model = folder and folder .. "/" .. model,
                data = folder and data ~= "-" and folder .. "/" .. data or nil}
        end
    end
    return list
end

return instances
