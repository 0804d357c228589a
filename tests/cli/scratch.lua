-- SPDX-License-Identifier: MIT
--
-- scratch.lua - files for the command that is run as a process: a folder of their own, and words
-- for the shell.

local scratch = {folder = io.popen("mktemp -d"):read("l")}

---The word as the shell reads it back.
function scratch.quote(word)
    return "'" .. word:gsub("'", "'\\''") .. "'"
end

function scratch.absolute(path)
    return io.popen("realpath " .. scratch.quote(path)):read("l")
end

---Makes a file in the folder; its path.
function scratch.write(name, text)
    local path = scratch.folder .. "/" .. name
    local file <close> = assert(io.open(path, "wb"))
    file:write(text)
    return path
end

---All of a file; nil when there is none.
function scratch.read(path)
    local file <close> = io.open(path, "rb")
    return file and file:read("a")
end

---Runs a shell line in the folder; its exit code.
function scratch.shell(line)
    local _, _, code = os.execute("cd " .. scratch.quote(scratch.folder) .. " && " .. line)
    return code
end

function scratch.remove()
    os.execute("rm -rf " .. scratch.quote(scratch.folder))
end

return scratch
