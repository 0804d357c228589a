-- SPDX-License-Identifier: MIT
--
-- compile.lua - dynamic compilation: functions are generated as text, compiled three times (by
-- Lua's own `load`, by cns.jit for its VM, by cns.jit to machine code where that can be had), run,
-- and compared with each other and with their closed form.

local cns = require "cns"
local stats = require "cns.stats"

-- Each family: the text of a function of n with constants a, b in it, its closed form, the largest
-- n, and a word of the refusal where a kernel cannot be one.
local families = {
    {"sum of a k + b", "local s = 0 for k = 1, n do s = s + $a * k + $b end return s",
        function(n, a, b) return a * n * (n + 1) // 2 + b * n end},
    {"sum of squares", "local s = $b for k = 1, n do s = s + $a * k * k end return s",
        function(n, a, b) return a * (n * (n + 1) * (2 * n + 1) // 6) + b end},
    {"sum of cubes", "local s = $b for k = n, 1, -1 do s = s + $a * k ^ 3 end return s",
        function(n, a, b) return a * (n * (n + 1) // 2) ^ 2 // 1 + b end},
    {"geometric sum", "local s, p = 0, 1 for _ = 0, n do s = s + p p = p * ($a + 1) end "
        .. "return s + $b",
        function(n, a, b) return (math.tointeger((a + 1) ^ (n + 1)) - 1) // a + b end, 12},
    {"alternating sum",
        "local s = $b for k = 1, n do s = s + (k % 2 == 0 and $a * k or -$a * k) end return s",
        function(n, a, b) return b + a * (n % 2 == 0 and n // 2 or -((n + 1) // 2)) end},
    {"Fibonacci", "local x, y = 0, 1 for _ = 1, n do x, y = y, x + y end return $a * x + $b",
        function(n, a, b)
            local root = math.sqrt(5)
            return a * math.floor(((1 + root) / 2) ^ n / root + 0.5) + b
        end, 60},
    {"bits of 2^n - 1", "local x, c = (1 << n) - 1, 0 "
        .. "while x ~= 0 do x = x & (x - 1) c = c + 1 end return $a * c + $b",
        function(n, a, b) return a * n + b end, 60},
    {"greatest common divisor", "local x, y = $a * n, $a * (n + 1) "
        .. "while y ~= 0 do x, y = y, x % y end return x + $b", function(_, a, b) return a + b end},
    {"pairs i < j", "local c = 0 for i = 1, n do for _ = i + 1, n do c = c + $a end end "
        .. "return c + $b", function(n, a, b) return a * (n * (n - 1) // 2) + b end, 120},
    {"recursion", "local function f(k) if k == 0 then return $b end return $a + f(k - 1) end "
        .. "return f(n)", function(n, a, b) return a * n + b end, 100, "a function is made"},
}

local inputs = 8

-- The function that call number i makes, and the numbers it is given.
local function pick(seed, i)
    local random = stats.random(seed + i)
    local family = families[(i - 1) % #families + 1]
    local a, b = random(9), random(1000)
    local arguments = {}
    for k = 1, inputs do arguments[k] = random(family[4] or 1000) end
    return family, a, b, arguments
end

local function run(fn, arguments)
    local results = {}
    for k = 1, inputs do results[k] = fn(arguments[k]) end
    return results
end

-- The results as machine code, or why there is none.
local function run_native(fn, arguments)
    local kernel <close> = cns.jit(fn, {wait = true, cache = false})
    if kernel:compile("i64"):tier("i64") == "native" then
        return run(kernel, arguments)
    end
    return nil, kernel:explain("i64"):match("fell back +([^\n]*)")
        or select(2, cns.jit.native()) or "no reason was given"
end

-- The results by the way the function was compiled. A kernel that is refused as it should be gives
-- Lua's only.
local function work(ctx, i)
    local family, a, b, arguments = pick(ctx.seed, i)
    local text = "return function(n) " .. family[2]:gsub("%$(%l)", {a = a, b = b}) .. " end"
    local chunk, message = load(text, ("=generated %d"):format(i), "t", {})
    if not chunk then return false, message end
    local fn = chunk()
    local ways = {Lua = run(fn, arguments)}
    local vm <close> = cns.jit(fn, {tier = "vm"})
    local ok, refusal = pcall(vm, arguments[1])
    if family[5] then
        if ok or not refusal:find(family[5], 1, true) then
            return false, ("%s: '%s' was expected, got %s"):format(family[1], family[5],
                tostring(refusal))
        end
        ways.refused = refusal
        return ways
    end
    if not ok then return false, refusal end
    ways.VM = run(vm, arguments)
    ways["machine code"], ways.fallback = run_native(fn, arguments)
    return ways
end

local tiers = {"Lua", "VM", "machine code"}

-- Each way against the closed form, and the kernels' against Lua's, integers being integers.
local function verify(ctx, i, ways)
    local family, a, b, arguments = pick(ctx.seed, i)
    for _, tier in ipairs(tiers) do
        for k, found in ipairs(ways[tier] or {}) do
            local n = arguments[k]
            local expected, lua = family[3](n, a, b), ways.Lua[k]
            if found ~= expected or found ~= lua or math.type(found) ~= math.type(lua) then
                return false, ("%s by %s, a = %d, b = %d, n = %d: %s; Lua gives %s, its closed "
                    .. "form is %s"):format(family[1], tier, a, b, n, tostring(found),
                    tostring(lua), tostring(expected))
            end
        end
        if ways[tier] then ctx.counts[tier] = (ctx.counts[tier] or 0) + 1 end
    end
    if ways.refused then ctx.counts.refused = (ctx.counts.refused or 0) + 1 end
    if ways.fallback then
        ctx.counts.fallback = (ctx.counts.fallback or 0) + 1
        ctx.why = ways.fallback
    end
    return true
end

-- How many functions went which way, warm-up included. Where nothing makes machine code, that part
-- was not measured; where something does, a kernel that fell back is a failure.
local function after(ctx, checks)
    local counts = ctx.counts
    ctx.notes = {("functions compiled, warm-up included: %d by Lua, %d for the VM, %d to machine "
        .. "code; %d refused as expected (a closure is made inside)"):format(counts.Lua or 0,
            counts.VM or 0, counts["machine code"] or 0, counts.refused or 0)}
    local fell = counts.fallback and ("%d kernels fell back to the VM: %s"):format(counts.fallback,
        ctx.why)
    ctx.notes[2] = fell
    if fell and not cns.jit.native() then
        checks:note("machine code", "not measured", fell)
    else
        checks:check("every kernel became machine code, too", not fell, fell
            or ("%d kernels, %s"):format(counts["machine code"] or 0, tostring(cns.jit.native())))
    end
end

---@param scale number
return function(scale)
    return {
        name = "dynamic compilation",
        description = ("Functions of %d families generated, compiled by Lua and by cns.jit (VM and "
            .. "machine code), run on %d inputs each, compared with Lua's results and with their "
            .. "closed form."):format(#families, inputs),
        operations = math.max(1, math.ceil(100 * scale)), warmup = 10, work = work, verify = verify,
        setup = function(ctx) ctx.counts = {} end, after = after,
        thresholds = {"success = 100%"},
    }
end
