-- SPDX-License-Identifier: MIT
--
-- cns.build_main - what `cnsengine build` runs: INPUT OUTPUT HEADER CPU PREFIX, "" for none.

local build = require "cns.build"

local input, output, header, cpu, prefix = ...

local function given(text)
    return text ~= "" and text or nil
end

local called, done, why = pcall(build.run, {
    input = input,
    output = output,
    header = given(header),
    cpu = given(cpu),
    prefix = given(prefix),
})
if not (called and done) then
    io.stderr:write("cnsengine build: ", tostring(called and why or done), "\n")
    os.exit(1)
end
