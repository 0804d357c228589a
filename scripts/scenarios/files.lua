-- SPDX-License-Identifier: MIT
--
-- files.lua - file I/O: 1000 files written, read back, verified by digest, removed. Then a fault
-- round: what goes wrong with files is provoked for real, and each fault must be detected with its
-- cause; a fault that passes silently fails the run. Faults of the real environment (a full disk, a
-- folder without permission) fail the calls they hit, with their cause. TMPDIR chooses the place.

local cns = require "cns"
local stats = require "cns.stats"

-- nil and the cause on any failure: buffered writes may fail as late as in close.
local function save(path, text)
    local file, message = io.open(path, "wb")
    if not file then return nil, message end
    local written, why = file:write(text)
    local closed, late = file:close()
    if not written or not closed then
        return nil, ("%s: %s"):format(path, why or late)
    end
    return true
end

local function load_file(path)
    local file, message = io.open(path, "rb")
    if not file then return nil, message end
    local text, why = file:read("a")
    file:close()
    if not text then return nil, ("%s: %s"):format(path, why) end
    return text
end

-- Reads a file and compares; nil and the cause unless it is exactly what was written.
local function confirm(path, size, digest)
    local text, message = load_file(path)
    if not text then return nil, message end
    if #text ~= size then
        return nil, ("%s: %d bytes of %d are there"):format(path, #text, size)
    end
    if cns.hash.blake3(text) ~= digest then
        return nil, path .. ": the digest differs"
    end
    return true
end

local function contents(seed, i)
    local random = stats.random(seed + i)
    local unit = string.pack("<I8I8I8", i, random(2 ^ 40), random(2 ^ 40))
    return unit:rep(random(64 * 1024) // #unit + 1)
end

local function path_of(ctx, i)
    return ("%s/file-%05d"):format(ctx.folder, i)
end

-- A file that cannot be written or read raises with its cause: the call fails, nothing is lost.
local function work(ctx, i)
    local text = contents(ctx.seed, i)
    local path = path_of(ctx, i)
    local saved, why = save(path, text)
    if not saved then return false, why end
    local back, cause = load_file(path)
    if not back then return false, cause end
    return back
end

-- The bytes that came back, and what another reader (the engine's own) finds in the file.
local function verify(ctx, i, back)
    local text = contents(ctx.seed, i)
    if #back ~= #text then
        return false, ("%d bytes written, %d read"):format(#text, #back)
    end
    local digest = cns.hash.blake3(text)
    if cns.hash.blake3(back) ~= digest then
        return false, "the digest of what was read differs"
    end
    return cns.hash.file("blake3", path_of(ctx, i)) == digest, "the digest of the file differs"
end

local faults = {
    {"a full disk", function()
        return save("/dev/full", ("x"):rep(100000))
    end, "No space left on device"},
    {"no permission to write", function(ctx)
        local path = ctx.folder .. "/locked"
        assert(save(path, "x"))
        assert(cns.fs.chmod(path, 0))
        return cns.fs.unprivileged(save, path, "y")
    end, "Permission denied"},
    {"no permission to read", function(ctx)
        local path = ctx.folder .. "/secret"
        assert(save(path, "x"))
        assert(cns.fs.chmod(path, 0))
        return cns.fs.unprivileged(confirm, path, 1, cns.hash.blake3("x"))
    end, "Permission denied"},
    {"a vanished file", function(ctx)
        local path = ctx.folder .. "/vanished"
        assert(save(path, "x"))
        assert(os.remove(path))
        return confirm(path, 1, cns.hash.blake3("x"))
    end, "No such file or directory"},
    {"a truncated file", function(ctx)
        local path, text = ctx.folder .. "/truncated", contents(ctx.seed, 1)
        assert(save(path, text))
        assert(cns.fs.truncate(path, #text // 2))
        return confirm(path, #text, cns.hash.blake3(text))
    end, "bytes of"},
    {"one changed byte", function(ctx)
        local path, text = ctx.folder .. "/changed", contents(ctx.seed, 1)
        assert(save(path, "\255" .. text:sub(2)))
        return confirm(path, #text, cns.hash.blake3(text))
    end, "the digest differs"},
}

local function fault_round(ctx, checks)
    local detected = 0
    for _, fault in ipairs(faults) do
        local name, provoke, cause = fault[1], fault[2], fault[3]
        local finished, result, why = pcall(provoke, ctx)
        if not finished then
            checks:note("fault: " .. name, "fail", "could not be provoked: " .. tostring(result))
        elseif result then
            checks:note("fault: " .. name, "fail", "lost silently: no failure was reported")
        elseif checks:check("fault: " .. name, tostring(why):find(cause, 1, true) ~= nil, why) then
            detected = detected + 1
        end
    end
    ctx.notes = {("faults: %d provoked, %d detected with their cause"):format(#faults, detected)}
end

-- Removes every file that was made; removing one that is not there is a failure too.
local function remove_files(ctx, checks, count)
    local problems, first = 0, nil
    for i = 1, count do
        local removed, message = os.remove(path_of(ctx, i))
        if not removed then
            problems, first = problems + 1, first or message
        end
    end
    local left, message = cns.fs.list(ctx.folder)
    checks:check("every file is removed", problems == 0 and left and #left == 0,
        first or message or ("%d files removed, %d left"):format(count, #left))
end

---@param scale number
return function(scale)
    local count = math.max(1, math.ceil(1000 * scale))
    return {
        name = "file I/O",
        description = ("%d files of up to 64 KiB written, read back, verified by digest and "
            .. "removed; then %d faults, each to be detected."):format(count, #faults),
        operations = count, verify = verify, work = work,
        setup = function(ctx)
            local folder, message = cns.fs.tempdir("cns-files")
            if not folder then
                error("cannot make a work folder: " .. tostring(message), 0)
            end
            ctx.folder = folder
        end,
        after = function(ctx, checks)
            remove_files(ctx, checks, count)
            fault_round(ctx, checks)
        end,
        teardown = function(ctx)
            if ctx.folder then assert(cns.fs.remove_tree(ctx.folder)) end
        end,
        thresholds = {"success = 100%"},
    }
end
