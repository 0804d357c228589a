-- SPDX-License-Identifier: MIT
--
-- fake_host.lua - `cns.host` for tests: remembers what it was told. Loaded before the modules that
-- require it, because stock Lua's own host would read the test runner's arguments.

local host = {
    params = {}, seed = 7, quiet = true, color = false, progress = false, columns = 80,
    script = "test.lua", command = "test", published = {}, verdicts = {},
    exit_codes = {success = 0},
}

function host.publish(json) host.published[#host.published + 1] = json end
function host.verdict(verdict) host.verdicts[#host.verdicts + 1] = verdict end
function host.status() end
function host.param(name, default)
    if host.params[name] == nil then return default end
    return host.params[name]
end
function host.elapsed() return 0.0 end

package.loaded["cns.host"] = host
return host
