-- SPDX-License-Identifier: MIT
--
-- process.lua - runs a command with a limit of its own, and tells its wall time and exit status.
-- A solver is asked to keep the time limit itself; the one here only stops what hangs.

local cns = require "cns" -- for its clock

local process = {}

function process.quote(word)
    return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

function process.join(words)
    local list = {}
    for i, word in ipairs(words) do list[i] = process.quote(word) end
    return table.concat(list, " ")
end

function process.exists(path)
    local file = io.open(path)
    return file and file:close() or false
end

-- The path of a program of PATH, or nil.
function process.find(name)
    local pipe = assert(io.popen("command -v " .. process.quote(name)))
    local path = pipe:read("l")
    pipe:close()
    return path
end

-- What a command prints to standard output; nil when it fails.
function process.read(words)
    local pipe = assert(io.popen(process.join(words) .. " 2>/dev/null"))
    local text = pipe:read("a")
    return pipe:close() and text or nil
end

function process.make_folder(path)
    assert(os.execute("mkdir -p " .. process.quote(path)))
end

-- Seconds, exit status, and whether it had to be stopped after `limit` seconds. Output goes to the
-- files out and out.err.
function process.run(words, limit, out)
    local line = ("timeout -k 2 %g %s >%s 2>%s </dev/null"):format(limit, process.join(words),
        process.quote(out), process.quote(out .. ".err"))
    local began = cns.clock()
    local _, _, code = os.execute(line)
    return cns.clock() - began, code, code == 124 or code == 137
end

-- Peak resident memory of a command in bytes, and its exit status. Output as of run.
function process.peak(words, limit, out)
    local script = "import resource, subprocess, sys\n"
        .. "code = subprocess.call(sys.argv[2:])\n"
        .. "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
        .. "open(sys.argv[1], 'w').write('%d %d' % (peak, code))\n"
    local result = out .. ".peak"
    local line = table.move({"python3", "-c", script, result, "timeout", "-k", "2",
        ("%g"):format(limit)}, 1, 8, 1, {})
    process.run(table.move(words, 1, #words, #line + 1, line), limit + 5, out)
    local file <close> = assert(io.open(result))
    local kilobytes, code = file:read("n", "n")
    os.remove(result)
    return kilobytes * 1024, code
end

return process
