-- SPDX-License-Identifier: MIT
--
-- test_kernel_errors.lua - runs the code of doc/kernels-errors.md: what the guide says that comes,
-- comes. A block with "-->" raises just that message; or it returns a kernel and types, whose
-- explain() has that line. A block without is what to write instead, and runs.

local cns = require "cns"

local here = debug.getinfo(1, "S").source:match("^@(.*)/") or "."
local guide = here .. "/../../doc/kernels-errors.md"

-- Blocks of Lua: code, the text behind "-->" with its lines joined (nil: none), the line they
-- begin at.
local function blocks()
    local list, block, number = {}, nil, 0
    for line in io.lines(guide) do
        number = number + 1
        if line == "```lua" then
            block = {code = {}, at = number + 1}
        elseif line == "```" and block then
            block.code = table.concat(block.code, "\n")
            list[#list + 1] = block
            block = nil
        elseif block then
            local said = line:match("^%-%-> ?(.*)")
            if said then
                block.said = block.said and block.said .. " " .. said or said
            else
                block.code[#block.code + 1] = line
            end
        end
    end
    return list
end

-- Each block has globals of its own, without a metatable, which would hide them from kernels.
local function run(block)
    local page = {cns = cns}
    for name, value in pairs(_G) do page[name] = value end
    return pcall(assert(load(block.code, "@k.lua", "t", page)))
end

-- The remarks of explain() by line, "line 2: vectorised: by LLVM".
local function has_remark(text, wanted)
    for line, remark in text:gmatch("\n  line (%d+) +([^\n]*)") do
        if ("line %s: %s"):format(line, remark) == wanted then return true end
    end
    return false
end

-- ---- the other way round: what the compiler can say, the guide has ------------------------------

local function read(path)
    local file <close> = assert(io.open(path, "rb"))
    return file:read("a")
end

-- The longest part of a format that is the same in all its messages. Where a macro of inttypes.h
-- follows, only what is before it is known.
local function core(format)
    local longest = ""
    format = format:gsub("%%%%", "\0"):gsub('\\"', '"'):gsub("%%$", "")
    for part in (format .. "%s"):gmatch("(.-)%%[%d.]*[lz]*[sducgi]") do
        if #part > #longest then longest = part end
    end
    return (longest:gsub("\0", "%%"))
end

-- The first literal behind each match of the pattern in a file of the compiler.
local function scan(list, file, pattern)
    local source = read(here .. "/../../engine/vm/" .. file)
    source = source:gsub('"%s*\n%s*"', "") -- two in a row are one
    for format in source:gmatch(pattern .. '%s*"(.-[^\\])"') do list[#list + 1] = format end
end

local function messages()
    local list = {}
    for _, file in ipairs {"build", "build_call", "build_loop", "build_math", "build_number"} do
        scan(list, file .. ".c", "cns_build_refuse%(%s*[%w>%-]+,")
    end
    scan(list, "build.c", "{LOP_%u+,")
    scan(list, "pass_parallel.c", "refuse%(o, [%w_()>-]+,")
    scan(list, "pass_parallel.c", "run_to_end%[%] =")
    scan(list, "trap.c", "snprintf%(out, capacity,")
    return list
end

return function(test)
    local list = blocks()

    test("what the compiler can say is in the guide", function(t)
        local page = read(guide):gsub("\n%-%-> ?", " "):gsub("%s+", " ")
        local count = 0
        for _, format in ipairs(messages()) do
            local part = core(format):gsub("%s+", " ")
            if #part >= 10 then
                t.ok(page:find(part, 1, true), "not in the guide: " .. part)
                count = count + 1
            end
        end
        t.ok(count >= 40, count .. " messages were found in the sources")
    end)

    test("what the guide says is refused, is refused in these words", function(t)
        local refused, right = 0, 0
        for _, block in ipairs(list) do
            if not block.code:find("^return") and not block.code:find("\nreturn cns.jit") then
                local ok, why = run(block)
                local where = ("%s:%d: "):format(guide, block.at)
                if block.said then
                    t.ok(not ok, where .. "nothing was raised")
                    t.equal(why, block.said, where)
                    refused = refused + 1
                else
                    t.ok(ok, where .. tostring(why))
                    right = right + 1
                end
            end
        end
        t.ok(refused >= 70 and right >= 15, ("%d refused, %d right"):format(refused, right))
    end)

    test("what the guide says of loops, explain says", function(t)
        if not pcall(cns.jit(function() end, {tier = "native"})) then
            return t.skip("needs the native backend")
        end
        local seen = 0
        for _, block in ipairs(list) do
            if block.code:find("^return") or block.code:find("\nreturn cns.jit") then
                local results = table.pack(run(block))
                local where = ("%s:%d: "):format(guide, block.at)
                t.ok(results[1], where .. tostring(results[2]))
                local kernel <close> = results[2]
                local types = {table.unpack(results, 3, results.n)}
                local text = kernel:compile(table.unpack(types)):explain(table.unpack(types))
                text = text:match("\nin native code(.*)") or text
                t.ok(has_remark(text, block.said), where .. text)
                seen = seen + 1
            end
        end
        t.ok(seen >= 15, seen)
    end)
end
