-- SPDX-License-Identifier: MIT
--
-- check_layers.lua - who may include whom (doc/architecture.md): strictly downward, OS headers only
-- in base/os_*.c, lua.h only in bindings, bindings see public headers only.
-- usage: lua5.4 tests/support/check_layers.lua   (from the repository's root)

-- Folders below engine/ that each folder may include, besides itself and the public headers.
local may_include = {
    base = {},
    memory = {"base"},
    hash = {"base", "memory"},
    tasks = {"base", "memory"},
    vm = {"base", "memory", "hash", "tasks"},
    jit = {"base", "memory", "hash", "tasks", "vm"},
    solver = {"base", "memory", "hash", "tasks"},
}

local os_headers = {
    "^sys/", "^unistd%.h$", "^pthread%.h$", "^fcntl%.h$", "^sched%.h$", "^signal%.h$",
    "^dirent%.h$", "^linux/", "^windows%.h$", "^dlfcn%.h$", "^poll%.h$", "^mach/",
}

local failures, files, includes = 0, 0, 0

local function fail(file, line, text)
    failures = failures + 1
    io.stderr:write(("%s:%d: %s\n"):format(file, line, text))
end

local function contains(list, value)
    for _, item in ipairs(list) do
        if item == value then
            return true
        end
    end
    return false
end

local function matches_any(patterns, value)
    for _, pattern in ipairs(patterns) do
        if value:find(pattern) then
            return true
        end
    end
    return false
end

local function check_engine(file, part, line, header, quoted)
    if header:find("^lua") or header:find("^lauxlib") then
        fail(file, line, "the engine must not see " .. header)
    end
    if matches_any(os_headers, header) and not file:find("engine/base/os_[%w_]+%.c$") then
        fail(file, line, header .. " is for base/os_*.c only")
    end
    if not quoted or part == "include" then
        return
    end
    local target = header:match("^([%w_]+)/")
    if not target then
        fail(file, line, ('write "%s/%s": includes name their folder'):format(part, header))
    elseif target ~= "cns" and target ~= part and not contains(may_include[part] or {}, target) then
        fail(file, line, ("%s may not include %s"):format(part, header))
    end
end

local function check_binding(file, line, header)
    local target = header:match("^([%w_]+)/")
    if target and may_include[target] then
        fail(file, line, "bindings include cns/*.h and nothing else of the engine: " .. header)
    end
end

local function check_file(file)
    local part = file:match("^engine/([%w_]+)/")
    local number = 0
    files = files + 1
    for text in io.lines(file) do
        number = number + 1
        local mark, header = text:match('^%s*#%s*include%s*([<"])([^>"]+)[>"]')
        if header then
            includes = includes + 1
            if part then
                check_engine(file, part, number, header, mark == '"')
            elseif file:find("^bindings/") then
                check_binding(file, number, header)
            end
        end
    end
end

local listing = assert(io.popen("git ls-files -co --exclude-standard engine bindings"))
for file in listing:lines() do
    if file:find("%.[ch]$") then
        check_file(file)
    end
end
listing:close()
assert(files > 0, "no files found: run this from the repository's root")
if failures > 0 then
    io.stderr:write(("%d violations in %d files\n"):format(failures, files))
    os.exit(1)
end
