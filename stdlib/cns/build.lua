-- SPDX-License-Identifier: MIT
--
-- cns.build - kernels into files: a module of bytecode that any engine loads, or what programs
-- link; what `cnsengine build` does.
--
--     local build = require "cns.build"
--     build.run {input = "kernels.lua", output = "kernels.so", header = "kernels.h"}
--
-- The input is a Lua script that returns a table: a name, and a kernel (all signatures that it was
-- compiled for) or a function with its signatures:
--
--     return {
--         saxpy = {saxpy, "f64, f64[], f64[]", "f64, f32[], f32[]"},
--         dot = cns.jit(dot):compile("f64[]", "f64[]"),
--     }
--
-- A file is written beside its place and renamed when it is whole, so that no half one is ever
-- found there.

local cns = require "cns"

local build = {}

---------------------------------------------------------------------------------------------------
-- Files

local function quote(word)
    return "'" .. word:gsub("'", "'\\''") .. "'"
end

---A name in the same folder that no other process takes.
local function beside(path)
    return ("%s.%016x"):format(path, math.random(0))
end

---Makes `path` from what `fill(temporary)` writes. nil and why when that fails.
local function replace(path, fill)
    local temporary = beside(path)
    local ok, why = fill(temporary)
    if ok then
        ok, why = os.rename(temporary, path)
    end
    if not ok then
        os.remove(temporary)
        local from, to = tostring(why):find(temporary, 1, true)
        return nil, from and why:sub(1, from - 1) .. path .. why:sub(to + 1) or why
    end
    return true
end

local function write(path, bytes)
    local file, why = io.open(path, "wb")
    if not file then
        return nil, why
    end
    local ok
    ok, why = file:write(bytes)
    local closed, late = file:close()
    return ok and closed, why or late
end

local function run(command)
    local pipe = assert(io.popen(command .. " 2>&1", "r"))
    local said = pipe:read("a")
    return pipe:close(), said
end

---The system's C compiler links; only a shared object needs it.
local function link(output, object)
    local compiler = os.getenv("CC")
    compiler = compiler and compiler ~= "" and compiler or "cc"
    if not run("command -v " .. quote(compiler:match("^%S+"))) then
        return nil, ("a shared object is linked by the system's C compiler, and %s was not found: "
            .. "install gcc or clang, set CC, or build an object file (-o NAME.o)"):format(compiler)
    end
    local ok, why = write(output, object) -- replaced by what is linked from it
    if not ok then
        return nil, why
    end
    local whole = output .. ".so"
    ok, why = run(("%s -shared -o %s -x none %s -lm"):format(compiler, quote(whole), quote(output)))
    if ok then
        return os.rename(whole, output)
    end
    os.remove(whole)
    return nil, ("%s failed: %s"):format(compiler, (why:gsub("%s+$", "")))
end

---------------------------------------------------------------------------------------------------
-- Kernels

local function compile(name, entry)
    if type(entry) == "userdata" then
        return entry -- a kernel, or cns.emit says that it is none
    end
    if type(entry) ~= "table" or type(entry[1]) ~= "function" or type(entry[2]) ~= "string" then
        error(name .. ": expected a kernel, or {function, \"types\", ...}", 0)
    end
    local kernel = cns.jit(entry[1], {name = name, tier = "vm"})
    for i = 2, #entry do
        local types = {}
        for word in entry[i]:gmatch("[^,%s]+") do
            types[#types + 1] = word
        end
        local ok, why = pcall(kernel.compile, kernel, table.unpack(types))
        if not ok then
            error(("%s(%s): %s"):format(name, entry[i], why), 0)
        end
    end
    return kernel
end

---What `cns.emit` and `cns.jit.dump` take, by name.
local function list(kernels)
    if type(kernels) ~= "table" or not next(kernels) then
        error("the script returns no table of kernels: return {name = kernel, ...}", 0)
    end
    local names, entries = {}, {}
    for name in pairs(kernels) do
        if type(name) ~= "string" then
            error("the script's table has the key " .. tostring(name) .. ", which is no name", 0)
        end
        names[#names + 1] = name
    end
    table.sort(names)
    for i, name in ipairs(names) do
        entries[i] = {name = name, kernel = compile(name, kernels[name])}
    end
    return entries
end

---The kernels of a script, which sees modules in its own folder.
local function load_kernels(path)
    local folder = path:match("^(.*)/") or "."
    package.path = folder .. "/?.lua;" .. package.path
    local chunk, why = loadfile(path)
    return list((chunk or error(why, 0))(path))
end

---------------------------------------------------------------------------------------------------
-- Building

---A C name of a file's: "my-kernels.so" is my_kernels.
local function prefix_of(path)
    local name = path:match("([^/]*)$"):gsub("%..*$", ""):gsub("[^%w_]", "_")
    return name:match("^[%a_]") and name or "k" .. name
end

---C functions; `place(object, path)` makes the file from the object's bytes.
local function build_object(options, place)
    local made, header, object = pcall(cns.emit, load_kernels(options.input), {
        prefix = options.prefix or prefix_of(options.output),
        cpu = options.cpu or "native",
        source = options.input:match("[^/]*$"),
    })
    if not made then
        return nil, header
    end
    local ok, why = replace(options.output, function(path)
        return place(path, object)
    end)
    if ok and options.header then
        ok, why = replace(options.header, function(path)
            return write(path, header)
        end)
    end
    return ok, why
end

---Bytecode, for any machine.
local function build_module(options)
    for _, name in ipairs {"header", "cpu", "prefix"} do
        if options[name] then
            return nil, ("%s: --%s is for .o and .so; a module is for every machine and has no C "
                .. "names"):format(options.output, name)
        end
    end
    local made, bytes = pcall(cns.jit.dump, load_kernels(options.input))
    if not made then
        return nil, bytes
    end
    return replace(options.output, function(path)
        return write(path, bytes)
    end)
end

local endings = {
    cnsb = build_module,
    o = function(options) return build_object(options, write) end,
    so = function(options) return build_object(options, link) end,
}

---@param options {input: string, output: string, header: string?, cpu: string?, prefix: string?}
---@return true? done nil and why otherwise
---@return string? why
function build.run(options)
    local make = endings[options.output:match("%.(%w+)$")]
    if not make then
        return nil, ("%s: the output must end in .cnsb, .o or .so"):format(options.output)
    end
    return make(options)
end

return build
