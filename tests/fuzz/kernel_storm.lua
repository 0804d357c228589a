-- SPDX-License-Identifier: MIT
--
-- kernel_storm.lua - random functions (kernel_programs.lua), run by Lua itself and as kernels on
-- every tier: results, errors with their lines and what is left in the buffers must be the same to
-- the bit. What differs is made smaller and printed with the seed that makes it again.
--   cnsengine run tests/fuzz/kernel_storm.lua --seed N --set seconds=20 [--set native=1]
-- Not compared: the line of n//0 and n%%0 (Lua 5.4.4 gives a stale one); of a NaN, its sign and
-- payload, in results and in elements of f32 and f64 (nothing else can hold one).

local cns = require "cns"
local host = require "cns.host"
local make = dofile((host.script:gsub("[^/]*$", "kernel_programs.lua")))

local seconds = host.param("seconds", 20)
local programs = host.param("programs", 1000000000)
local native = host.param("native", 3) -- each so many programs in machine code, too
local only = host.param("only", -1) -- the program of this number
local first = host.seed

-- ---- running ------------------------------------------------------------------------------------

local function is_real(kind)
    return kind:sub(1, 1) == "f"
end

-- An element that the type cannot hold becomes another one; u64 has some above Lua's integers.
local function bytes_of(kind, fill)
    local made = cns.buffer(kind, math.max(#fill, 1))
    for i, value in ipairs(fill) do
        if not pcall(function() made[i] = value end) then made[i] = i & 15 end
    end
    return made:bytes():sub(1, #fill * (#made:bytes() // #made))
end

local function prepare(given)
    given.bytes = {}
    for i = 1, 3 do given.bytes[i] = bytes_of(given.kind[i], given.fill[i]) end
    if given.kind[3] == "u64" and #given.fill[3] > 2 and given.a == given.b then
        given.bytes[3] = given.bytes[3]:sub(1, -9) .. ("\255"):rep(8)
    end
end

local function buffers_of(given)
    local made = {}
    for i = 1, 3 do
        made[i] = cns.buffer(given.kind[i], #given.fill[i])
        if #made[i] > 0 then made[i]:set_bytes(given.bytes[i]) end
    end
    if given.same then
        made[2] = made[1]
    elseif given.shift then
        local count = #given.fill[1]
        local base = cns.buffer(given.kind[1], count + given.shift)
        if count > 0 then
            base:set_bytes(given.bytes[1])
            made[1] = base:slice(1, count)
            made[2] = base:slice(1 + given.shift, count + given.shift)
        end
    end
    return made
end

local function show(value)
    if math.type(value) ~= "float" then return tostring(value) end
    return value ~= value and "nan" or ("float %a"):format(value)
end

local path = os.tmpname()

local function type_name(value)
    return type(value) == "boolean" and "bool" or
        math.type(value) == "float" and "f64" or value == nil and "nil" or "i64"
end

local function signature(given)
    return type_name(given.a), type_name(given.b), given.kind[1] .. "[]",
        given.kind[given.same and 1 or 2] .. "[]", given.kind[3] .. "[]"
end

-- What a call with `given` compiles, by way of a file.
local function through_file(kernel, given)
    kernel:compile(signature(given))
    local file <close> = assert(io.open(path, "wb"))
    file:write(cns.jit.dump {{name = "f", kernel = kernel}})
    file:close()
    kernel:close()
    return cns.jit.load(path, {tier = "vm"}).f
end

local function compiled(f, given, options)
    local kernel = cns.jit(f, {tier = options.tier, optimise = options.optimise})
    if not options.file then return kernel end
    local done, loaded = pcall(through_file, kernel, given)
    if done then return loaded end
    return setmetatable({close = function() kernel:close() end},
        {__call = function() error(loaded, 0) end})
end

-- Lua names the variable that has no integer representation; a kernel does not.
local function plain(text)
    text = text:gsub(" %(%l+ '.-'%)", ""):gsub("%-nan", "nan")
    if text:find("attempt to perform 'n", 1, true) or text:find "attempt to divide by zero" then
        text = text:gsub("^[%w:%.]*program:%d+", "program")
    end
    return text
end

local coverage = {}
local function count(what)
    coverage[what] = (coverage[what] or 0) + 1
end

local remarks = {["vectorised by LLVM"] = " vectorised: by LLVM",
    ["in groups"] = " vectorised: iterations run in groups", versioned = " hoisted:",
    parallel = " parallel:", inlined = " inlined:", ["not vectorised"] = "not vectorised"}

local function look_at(kernel)
    local tier, text = kernel:tier(), kernel:explain()
    count("ran " .. tier)
    if tier ~= "native" then return end
    for what, remark in pairs(remarks) do
        if text:find(remark, 1, true) then count(what) end
    end
end

-- What calls leave behind: {text of results, bytes of p, q, r} for each of two. The second one
-- finds what the first one compiled, or another upvalue.
local function outcome(source, given, options, survey)
    local buffers = buffers_of(given)
    if options and options.file then -- no file holds a captured buffer
        source = source:gsub("function%(a, b, p, q%)", "function(a, b, p, q, r)")
    end
    local f, set = assert(load(source, "=program"))(cns, given.up, buffers[3], given.n, given.m)
    local kernel = options and compiled(f, given, options) or f
    local out = {}
    for call = 1, 2 do
        local results = table.pack(pcall(kernel, given.a, given.b, buffers[1], buffers[2],
            buffers[3]))
        local made = {}
        for i = 1, results.n do
            made[i] = show(results[i])
            if type(results[i]) == "string" then made[i] = plain(made[i]) end
        end
        out[#out + 1] = table.concat(made, ", ")
        if not results[1] and given.parallel and given.long then
            break -- which of the elements behind the error were written is left open
        end
        for i = 1, 3 do out[#out + 1] = buffers[i]:bytes() end
        if call == 1 and given.later and not (options and options.file) then set(given.later) end
        if call == 1 and given.later and options and options.file then break end
    end
    if survey and options and not options.file and getmetatable(kernel) ~= nil then
        pcall(look_at, kernel)
    end
    if options then kernel:close() end
    return out
end

-- The same elements, but for the signs and payloads of NaNs.
local function same_elements(kind, a, b)
    if a == b then return true end
    if not is_real(kind) or #a ~= #b then return false end
    local format = kind == "f32" and "<f" or "<d"
    local size = string.packsize(format)
    for i = 1, #a, size do
        local x, y = string.unpack(format, a, i), string.unpack(format, b, i)
        if a:sub(i, i + size - 1) ~= b:sub(i, i + size - 1) and (x == x or y == y) then
            return false
        end
    end
    return true
end

local function same(given, expected, found)
    for i = 1, math.min(#expected, #found) do
        local buffer = (i - 1) % 4
        if buffer == 0 and expected[i] ~= found[i] or
            buffer > 0 and not same_elements(given.kind[buffer], expected[i], found[i]) then
            return false
        end
    end
    return #expected == #found or given.later ~= nil
end

local tiers = {{tier = "scalar", optimise = false}, {tier = "scalar"}, {tier = "vm"},
    {tier = "vm", file = true}}
if pcall(cns.jit(function(x) return x end, {tier = "native"}), 1) then
    tiers[5] = {tier = "native"}
    tiers[6] = {tier = "native", optimise = false}
else
    print("no native backend: machine code is not compared")
end

local refused, checked = 0, 0

-- Names are unique, and each is declared before it is used.
local function closed(source)
    local declared = {}
    local function declare(list, position)
        for name in list:gmatch "[ifsv]%d+" do
            declared[name] = math.min(declared[name] or position, position)
        end
    end
    for position, list in source:gmatch "()local ([%w, ]+)" do declare(list, position) end
    for position, list in source:gmatch "()for (%w+)" do declare(list, position) end
    for position, name in source:gmatch "()%f[%w]([ifsv]%d+)%f[%W]" do
        if not declared[name] or declared[name] > position then return false end
    end
    return true
end

-- What has no place in a kernel is refused in words of its own.
local refusals = {"kernels compute", "must run to its end", "which holds numbers",
    "is indexed with nil", "it must be a number", "keeps its value from the last iteration",
    "carried from one iteration", "the types change too often"}

local function is_refused(text)
    for _, refusal in ipairs(refusals) do
        if text:find(refusal, 1, true) then return true end
    end
    return false
end

-- The tier whose outcome is not Lua's: of `which`, or of the first `last` ones.
local function difference(source, given, which, last, survey)
    if not closed(source) or not load(source) then return nil end
    local expected = outcome(source, given)
    if expected[1]:find("attempt to [^p]") or expected[1]:find(" a nil value") then return nil end
    if survey then count(expected[1]:find "^true" and "returned" or "raised an error") end
    for i = which or 1, which or last do
        local found = outcome(source, given, tiers[i], survey)
        if is_refused(found[1]) or found[5] and is_refused(found[5]) then
            refused = refused + 1
            return nil
        end
        checked = checked + 1
        if not same(given, expected, found) then return i, expected, found end
    end
end

-- ---- making it smaller --------------------------------------------------------------------------

local patience -- until when

local function try(root, given, which, parent, at, part)
    if os.time() > patience then return false end
    local old = parent[at]
    parent[at] = part
    if difference(make.source(root), given, which) then return true end
    parent[at] = old
    return false
end

local function smaller(root, given, which, tree)
    local better = false
    for i = #tree, 1, -1 do
        local part = tree[i]
        if type(part) == "table" then
            local done = part.what == "stmt" and try(root, given, which, tree, i, "")
            for _, sub in ipairs(done and {} or part) do
                done = done or type(sub) == "table" and
                    (sub.what == part.what or part.what == "stmt" and sub.what == "block") and
                    try(root, given, which, tree, i, sub)
            end
            done = done or part.what == "expr" and #part > 1 and
                try(root, given, which, tree, i, "1")
            better = done or better
            if type(tree[i]) == "table" then
                better = smaller(root, given, which, tree[i]) or better
            end
        end
    end
    return better
end

local function fewer_elements(source, given, which)
    for i = 1, 3 do
        local old = given.fill[i]
        for _, size in ipairs {0, 1, 3, 8, 9, 16, 17, #old // 2, #old * 3 // 4, #old - 1} do
            if size >= 0 and size < #old then
                given.fill[i] = table.move(old, 1, size, 1, {})
                prepare(given)
                if difference(source, given, which) then break end
                given.fill[i] = old
            end
        end
    end
    prepare(given)
end

local function shown(out)
    local text = {}
    for i, part in ipairs(out) do
        text[i] = (i - 1) % 4 == 0 and part or #part <= 80 and
            part:gsub(".", function(c) return ("%02x"):format(c:byte()) end) or
            ("%d bytes, crc %x"):format(#part, cns.hash.crc32c(part))
    end
    return table.concat(text, " | ")
end

local function report(number, tree, given, which)
    patience = os.time() + 60
    for _ = 1, 10 do
        if not smaller(tree, given, which, tree) then break end
    end
    local source = make.source(tree)
    fewer_elements(source, given, which)
    local _, expected, found = difference(source, given, which)
    local head = "seed %d, program %d, tier %s%s%s, a %s, b %s, up %s then %s, n %s, m %s, " ..
        "same %s, shift %s, buffers %s"
    print(head:format(first, number, tiers[which].tier,
        tiers[which].optimise == false and " not optimised" or "",
        tiers[which].file and " loaded" or "", show(given.a), show(given.b), show(given.up),
        show(given.later), given.n, given.m, given.same, given.shift,
        table.concat(given.kind, " ")))
    for i = 1, 3 do
        local fill = {}
        for j = 1, math.min(#given.fill[i], 40) do fill[j] = make.literal(given.fill[i][j]) end
        print(("  %s: %d elements: %s"):format(("pqr"):sub(i, i), #given.fill[i],
            table.concat(fill, ", ")))
    end
    print(source .. "  Lua:    " .. (expected and shown(expected) or "gone when made smaller") ..
        "\n  kernel: " .. (found and shown(found) or ""))
end

local started, ran, failures = os.time(), 0, 0
if only >= 0 then ran, programs = only, only + 1 end
while ran < programs and os.time() - started < seconds and failures < 10 do
    math.randomseed(first * 1000003 + ran)
    local tree, traits = make.make()
    local given = make.arguments(traits)
    prepare(given)
    local turn = only >= 0 and 0 or ran % (2 * native) -- LLVM takes its time
    local last = turn == 0 and #tiers or turn == native and math.min(#tiers, 5) or
        math.min(#tiers, 4)
    local which = difference(make.source(tree), given, nil, last, true)
    if which then
        failures = failures + 1
        report(ran, tree, given, which)
    end
    ran = ran + 1
end
local covered = {}
for what, times in pairs(coverage) do covered[#covered + 1] = ("%s %d"):format(what, times) end
table.sort(covered)
print("covered: " .. table.concat(covered, ", "))
print(("kernel storm: %d programs, %d comparisons, %d refused, %d different"):format(
    only >= 0 and 1 or ran, checked, refused, failures))
os.remove(path)
if failures > 0 then error("kernels differ from Lua", 0) end
