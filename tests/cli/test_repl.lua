-- SPDX-License-Identifier: MIT
--
-- test_repl.lua - `cnsengine repl` through a pipe and on a terminal.
--
--     lua5.4 test_repl.lua PATH/TO/cnsengine PATH/TO/pty

package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local scratch = require "scratch"
local folder, write, shell = scratch.folder, scratch.write, scratch.shell
local command, pty = scratch.absolute(arg[1]), scratch.absolute(arg[2])
-- ThreadSanitizer holds signals back while code that it does not know runs, such as Lua's.
local signals = not os.getenv("CNS_TEST_NO_SIGNALS")

local function read(path)
    return scratch.read(path) or ""
end

-- The lines through a pipe: exit code, stdout, stderr.
local function piped(text, options)
    write("in", text)
    local code = shell(("timeout -s KILL 60 '%s' repl %s <in >out 2>err"):format(command,
        options or ""))
    return code, read(folder .. "/out"), read(folder .. "/err")
end

-- A dialogue on a terminal (see pty.c): exit code, all that was on the screen. `before` are words
-- that start the command, as env does.
local function typed(lines, before)
    write("dialogue", table.concat(lines, "\n") .. "\n")
    local code = shell(("TERM=dumb XDG_STATE_HOME='%s/state' timeout -s KILL 120 '%s' dialogue "
        .. "%s '%s' repl >screen 2>heard"):format(folder, pty, before or "env", command))
    return code, read(folder .. "/screen"), read(folder .. "/heard")
end

local failed, passed = 0, 0
local function test(name, fn)
    local ok, message = xpcall(fn, debug.traceback)
    passed, failed = passed + (ok and 1 or 0), failed + (ok and 0 or 1)
    print((ok and "ok    " or "FAIL  ") .. name .. (ok and "" or "\n      " .. message))
end

local function equal(got, expected)
    if got ~= expected then
        error(("got %q, expected %q"):format(got, expected), 2)
    end
end

local function has(text, part)
    if not text:find(part, 1, true) then
        error(("%q is not in %q"):format(part, text), 2)
    end
end

test("a pipe: values, no prompt, statements over several lines", function()
    local code, out, err = piped(table.concat({
        "1 + 1", "local hidden = 1", "return 'a', nil, 'b\\0c'", "for i = 1, 2 do", "print(i)",
        "end",
        "{1, 'two', x = 3}", "", "-- a comment", "cns.bytes('1 KiB')", "nil == nil",
        "function f()", "return 7 end", "f()"}, "\n"))
    equal(out, "2\na\nnil\nb\0c\n1\n2\n{1, \"two\", x = 3}\n1024\ntrue\n7\n")
    equal(err, "")
    equal(code, 0)
    code, out = piped("")
    equal(out, "")
    equal(code, 0)
end)

test("a pipe: errors are told, the rest still runs, the exit code is 1", function()
    local code, out, err = piped(
        "error('boom')\n1 +* 2\nsetmetatable({}, {__tostring = error})\n'on'\n")
    equal(out, "on\n")
    has(err, "stdin:1: boom")
    has(err, "unexpected symbol")
    has(err, "error object")
    equal(code, 1)
    code, out, err = piped("1\nfor i = 1, 2 do\n")
    equal(out, "1\n")
    has(err, "the last statement is not complete")
    equal(code, 1)
    code, out, err = piped("1\n2\0 + 2\n3")
    equal(out, "1\n3\n")
    has(err, "a line with a zero byte")
    equal(code, 1)
    equal(piped("os.exit(5)"), 5)
    equal(piped("1", "surplus"), 2)
    code, out, err = piped("local t = {} for i = 1, 1e8 do t[i] = {} end\n'on'\n", "--memory 32MiB")
    equal(out, "on\n")
    has(err, "memory limit")
    equal(code, 1)
end)

test("a terminal: prompt, echo, error, continuation, Ctrl-D", function()
    local code, screen, heard = typed {
        "> cnsengine ", "> Ctrl-D ends", "> \\x0a> ",
        "< 40 + 2\\r", "> 40 + 2", "> 42", "> \\x0a> ",
        "< for i = 1, 2 do\\r", "> do", "> >> ",
        "< print('line ' .. i) end\\r", "> line 1", "> line 2", "> \\x0a> ",
        "< error('boom')\\r", "> stdin:1: boom", "> \\x0a> ",
        "< \\x04",
    }
    equal(heard, "")
    equal(code, 0) -- errors were seen by the one who typed
    equal(screen:sub(-2), "\r\n")
    local history = read(folder .. "/state/cnsengine/history")
    has(history, "40")
    has(history, "boom")
    equal(io.popen(("stat -c %%a '%s/state/cnsengine/history'"):format(folder)):read("l"), "600")
end)

test("a terminal: Ctrl-C gives up a line, a statement, a loop", function()
    if not signals then return print("skip: no signals under ThreadSanitizer") end
    local _, screen, heard = typed {
        "> \\x0a> ", "< half", "> half",
        "< \\x03", "> ^C", "> \\x0a> ", -- at the first prompt, before any Lua has run
        "< 5 + 5\\r", "> 10", "> \\x0a> ",
        "< do\\r", "> >> ", "< \\x03", "> ^C", "> \\x0a> ",
        "< \\x03", "> ^C", "> \\x0a> ",
        "< 6 + 6\\r", "> 12", "> \\x0a> ",
        "< print 'so' while true do end\\r", "> so\\x0d", "< \\x03", "> interrupted", "> \\x0a> ",
        "< 7 + 7\\r", "> 14", "> \\x0a> ", "< \\x04",
    }
    equal(heard, "")
    assert(not screen:find("half5", 1, true))
end)

test("a terminal: a history that cannot be written is left alone", function()
    local state, history = folder .. "/state", folder .. "/state/cnsengine/history"
    local dialogue = { "> \\x0a> ", "< 111 + 111\\r", "> 222", "> \\x0a> ", "< \\x04" }
    -- No folder can be made below a file.
    shell("rm -rf state && touch state")
    local code, _, heard = typed(dialogue)
    equal(heard .. code, "0")
    equal(read(state), "")
    -- A file that may be read and not written.
    shell("rm -f state && mkdir -p state/cnsengine")
    write("state/cnsengine/history", "old\n")
    shell("chmod 755 . state state/cnsengine && chmod 444 state/cnsengine/history")
    local as_nobody
    if io.popen("id -u"):read("l") == "0" then
        as_nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups"
        if shell(as_nobody .. " '" .. command .. "' version >out 2>&1") ~= 0 then
            return print("skip: an unprivileged user cannot start the command here")
        end
        shell("chmod 755 state")
    else
        shell("chmod 555 state/cnsengine")
    end
    code, _, heard = typed(dialogue, as_nobody)
    equal(heard .. code, "0")
    equal(read(history), "old\n")
    shell("chmod 755 state/cnsengine")
end)

scratch.remove()
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1, true)
