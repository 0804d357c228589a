-- SPDX-License-Identifier: MIT
--
-- flatten.lua - FlatZinc of an instance for a solver's library, kept in a cache folder until the
-- model, its data or the library is newer. The objective's variable is made an output of every
-- FlatZinc file, so that each solution says its value whatever the model prints.

local process = require "process"
local cns = require "cns"

local flatten = {}

local limit = 120 -- seconds; the chosen instances need less than 30 on an idle machine

-- A solver configuration that carries nothing but a library.
local function configuration(folder, side)
    local path = ("%s/%s.msc"):format(folder, side.flatten)
    local file <close> = assert(io.open(path, "w"))
    assert(file:write(cns.json.encode {id = "bench." .. side.flatten, name = side.flatten,
        version = "1.0.0", mznlib = side.library, executable = side.command[1],
        tags = {"cp", "int"}, supportsMzn = false, supportsFzn = true}))
    return path
end

local function is_fresh(path, sources)
    if not process.exists(path) then
        return false
    end
    local words = {"find", "-L"}
    table.move(sources, 1, #sources, 3, words)
    for _, word in ipairs {"-newer", path, "-print", "-quit"} do words[#words + 1] = word end
    return process.read(words) == ""
end

-- {kind, objective} of FlatZinc's text, or nil and why.
local function solve_item(text)
    local item = text:match("\n(solve[^\n]*)") or text:match("^(solve[^\n]*)")
    if not item then
        return nil, "no solve item"
    end
    local kind, name = item:match("(m[ai][xn]imize)%s+([%w_]+)%s*;")
    if kind then
        return {kind = kind, objective = name}
    end
    return {kind = "satisfy"}
end

local function show_objective(line, name)
    local head, rest = line:match("^(var [^:]-: *" .. name .. ")%f[^%w_](.*)$")
    if not head or rest:find("output_var", 1, true) then
        return line
    end
    return head .. " :: output_var" .. rest
end

local function rewrite(from, to, side)
    local file <close> = assert(io.open(from))
    local problem, why = solve_item(assert(file:read("a")))
    if not problem then
        return nil, why
    end
    local out <close> = assert(io.open(to .. ".new", "w"))
    for line in io.lines(from) do
        if problem.objective and line:find("^var ") then
            line = show_objective(line, problem.objective)
        end
        out:write(side.rewrite and side.rewrite(line) or line, "\n")
    end
    out:close()
    assert(os.rename(to .. ".new", to))
    return problem
end

local function read_problem(path)
    local last
    for line in io.lines(path) do last = line:find("^solve") and line or last end
    return solve_item(last or "")
end

-- The path of the FlatZinc and {kind, objective}; nil and why when there is none.
function flatten.get(folder, side, instance)
    folder = folder .. "/fzn/" .. side.flatten
    process.make_folder(folder)
    local path = ("%s/%s.fzn"):format(folder, instance.name)
    local sources = {instance.model, instance.data, side.library}
    if not instance.data then
        sources = {instance.model, side.library}
    end
    if is_fresh(path, sources) then
        return path, read_problem(path)
    end
    local words = {"minizinc", "-c", "--solver", configuration(folder, side), instance.model}
    words[#words + 1] = instance.data
    local raw = path .. ".raw"
    for _, word in ipairs {"--fzn", raw, "--no-output-ozn"} do words[#words + 1] = word end
    local _, code = process.run(words, limit, path .. ".log")
    if code ~= 0 then
        os.remove(raw)
        return nil, ("minizinc failed (%s): see %s.log.err"):format(tostring(code), path)
    end
    local problem, why = rewrite(raw, path, side)
    os.remove(raw)
    if not problem then
        return nil, why
    end
    return path, problem
end

return flatten
