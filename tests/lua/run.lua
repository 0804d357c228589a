-- SPDX-License-Identifier: MIT
--
-- run.lua - runs test files: `lua5.4 run.lua test_a.lua test_b.lua`. A test file returns a function
-- that is given `test`; test(name, fn) runs fn(t), which fails by raising. A file prints one line,
-- failures theirs below it, and the end is the line "N passed, N failed". Exit status: 77 where all
-- were skipped.

local t = {}

local function show(value)
    if type(value) == "string" then
        return ("%q"):format(#value > 200 and value:sub(1, 200) .. "..." or value)
    end
    return tostring(value)
end

local function fail(level, ...)
    error(("%s"):format(table.concat({...})), level + 1)
end

-- Same value and, for numbers, the same subtype: 1 and 1.0 differ.
function t.equal(got, expected, what)
    if got ~= expected or math.type(got) ~= math.type(expected) then
        fail(2, what and what .. ": " or "", "got ", show(got), ", expected ", show(expected))
    end
end

local function same(a, b, path)
    if type(a) ~= "table" or type(b) ~= "table" then
        if a ~= b or math.type(a) ~= math.type(b) then
            return path .. ": got " .. show(a) .. ", expected " .. show(b)
        end
        return nil
    end
    for key in pairs(b) do
        local difference = same(a[key], b[key], path .. "." .. tostring(key))
        if difference then
            return difference
        end
    end
    for key in pairs(a) do
        if b[key] == nil then
            return path .. "." .. tostring(key) .. ": not expected"
        end
    end
    return nil
end

-- Tables with equal contents.
function t.same(got, expected)
    local difference = same(got, expected, "value")
    if difference then
        fail(2, difference)
    end
end

function t.ok(value, what)
    if not value then
        fail(2, what or "not true: " .. show(value))
    end
    return value
end

-- body(folder) with an empty folder, which is gone afterwards.
function t.with_folder(body)
    local pipe <close> = io.popen("mktemp -d")
    local folder = pipe:read("l")
    local ok, why = pcall(body, folder)
    os.execute("rm -r '" .. folder .. "'")
    if not ok then
        error(why, 0)
    end
end

-- fn(...) raises a string that matches the Lua pattern; gives it back.
function t.raises(pattern, fn, ...)
    local ok, message = pcall(fn, ...)
    if ok then
        fail(2, "no error; expected ", show(pattern))
    end
    if type(message) ~= "string" or not message:find(pattern) then
        fail(2, "raised ", show(message), ", expected ", show(pattern))
    end
    return message
end

-- Returns nil, message, errno; the message matches.
function t.fails(pattern, value, message, code)
    if value ~= nil or type(message) ~= "string" or not message:find(pattern) then
        fail(2, "got ", show(value), ", ", show(message), ", expected a failure: ", show(pattern))
    end
    t.equal(math.type(code), "integer", "errno")
end

function t.skip(why)
    error({skip = why}, 0)
end

local passed, failed, left_out = 0, 0, 0

local function run_file(path)
    local good, bad, skipped, lines = 0, 0, 0, {}
    local function test(name, fn)
        local ok, message = xpcall(fn, function(m)
            return type(m) == "table" and m.skip and m or debug.traceback(tostring(m), 2)
        end, t)
        if ok then
            good = good + 1
        elseif type(message) == "table" then
            skipped = skipped + 1
            lines[#lines + 1] = "    skipped: " .. name .. ": " .. message.skip
        else
            bad = bad + 1
            lines[#lines + 1] = "    FAILED: " .. name .. ": " .. message:gsub("\n", "\n        ")
        end
    end
    local ok, message = xpcall(function()
        assert(loadfile(path, "t"))()(test)
    end, debug.traceback)
    if not ok then
        bad = bad + 1
        lines[#lines + 1] = "    FAILED: " .. message
    end
    print(("%s: %d passed, %d failed%s"):format(path:match("[^/]*$"), good, bad,
        skipped > 0 and (", %d skipped"):format(skipped) or ""))
    for _, line in ipairs(lines) do
        print(line)
    end
    passed, failed, left_out = passed + good, failed + bad, left_out + skipped
end

for _, path in ipairs(arg) do
    run_file(path)
end
print(("%d passed, %d failed"):format(passed, failed))
if failed > 0 or passed == 0 then
    os.exit(failed == 0 and left_out > 0 and 77 or 1, true)
end
