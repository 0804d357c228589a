-- SPDX-License-Identifier: MIT
--
-- test_kernels.lua - cns.kernels: each function run by Lua, compiled for each tier, and dumped to a
-- module and loaded again, gives the same results and the same buffers, bit for bit; and Lua's
-- results are the known ones.

local cns = require "cns"
local kernels = require "cns.kernels"
local stats = require "cns.stats"

local tiers = {{tier = "scalar"}, {tier = "vm"}, {tier = "vm", optimise = false}, {wait = true}}
local loads = {{tier = "vm"}, {wait = true}}
local sizes = {0, 1, 2, 3, 7, 64, 255, 256, 257, 1000, 1025}

-- ---- comparing with plain Lua ------------------------------------------------------------------

local function is_buffer(value)
    return type(value) == "userdata"
end

local function show(value)
    if is_buffer(value) then
        return value:type() .. ":" .. value:bytes()
    end
    if math.type(value) == "float" then -- the sign of NaN is the processor's affair
        return value ~= value and "float nan" or ("float %a"):format(value)
    end
    return tostring(value)
end

local function outcome(f, arguments)
    local copies, text = {}, {}
    for i, value in ipairs(arguments) do
        copies[i] = is_buffer(value) and cns.buffer(value:type(), value:table()) or value
    end
    for _, result in ipairs {pcall(f, table.unpack(copies))} do
        text[#text + 1] = show(result)
    end
    for _, value in ipairs(copies) do
        text[#text + 1] = is_buffer(value) and show(value) or nil
    end
    return table.concat(text, ", "), copies
end

-- Compiled kernels are kept: most are called with many sizes.
local compiled = {}

local function kernel_of(name, tier)
    compiled[name] = compiled[name] or {}
    compiled[name][tier] = compiled[name][tier] or cns.jit(kernels[name], tiers[tier])
    return compiled[name][tier]
end

local function through_file(name, kernel, options)
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "wb"))
    file:write(cns.jit.dump {{name = name, kernel = kernel}})
    file:close()
    local loaded = cns.jit.load(path, options)
    os.remove(path)
    return loaded[name]
end

-- The kernel of tier 2 through a module; anew when it has more signatures than then.
local loaded = {}

local function loaded_of(name, load)
    local kernel = kernel_of(name, 2)
    local signatures = #kernel:signatures()
    local known = loaded[name] or {}
    loaded[name] = known
    if not known[load] or known[load].signatures ~= signatures then
        known[load] = {signatures = signatures, kernel = through_file(name, kernel, loads[load])}
    end
    return known[load].kernel
end

-- Gives the copies of the arguments that Lua's run left.
local function compare(t, name, ...)
    local arguments = {...}
    local expected, copies = outcome(kernels[name], arguments)
    for tier, options in ipairs(tiers) do
        t.ok(outcome(kernel_of(name, tier), arguments) == expected,
            ("%s differs, tier %s%s"):format(name, options.tier or "native",
                options.optimise == false and ", not optimised" or ""))
    end
    for load, options in ipairs(loads) do
        t.ok(outcome(loaded_of(name, load), arguments) == expected,
            ("%s differs, loaded, tier %s"):format(name, options.tier or "native"))
    end
    return copies
end

-- ---- inputs ------------------------------------------------------------------------------------

local random = stats.random(20261124)

local function floats(n, low, high, kind)
    local list = {}
    for i = 1, n do list[i] = low + (high - low) * random() end
    return cns.buffer(kind or "f64", list)
end

local function integers(n, low, high, kind)
    local list = {}
    for i = 1, n do list[i] = low + random(high - low + 1) - 1 end
    return cns.buffer(kind or "i64", list)
end

local function near(t, got, expected, tolerance)
    t.ok(math.abs(got - expected) <= tolerance, ("got %.17g, expected %.17g"):format(got, expected))
end

-- ---- floats ------------------------------------------------------------------------------------

local function vectors(test)
    test("saxpy, dot, sum, prefix sum", function(t)
        for _, n in ipairs(sizes) do
            local x, y = floats(n, -1, 1), floats(n, -1, 1)
            compare(t, "saxpy", 0.3, x, y)
            compare(t, "saxpy", 3, integers(n, -100, 100, "i32"), integers(n, -9, 9, "i64"))
            compare(t, "dot", x, y)
            compare(t, "dot", integers(n, 0, 255, "u8"), x)
            compare(t, "sum", x)
            compare(t, "sum", integers(n, -100, 100, "i16"))
            compare(t, "prefix_sum", x, y)
            compare(t, "prefix_sum", integers(n, -100, 100, "i32"), integers(n, 0, 0))
        end
        t.equal(kernels.sum(integers(0, 1, 1)), 0)
        t.equal(kernels.dot(cns.buffer("f64", {1, 2, 3}), cns.buffer("f64", {4, 5, 6})), 32.0)
        local sums = cns.buffer("i64", 4)
        t.equal(kernels.prefix_sum(cns.buffer("i32", {1, 2, 3, 4}), sums), 10)
        t.same(sums:table(), {1, 3, 6, 10})
    end)

    test("special values pass through as in Lua", function(t)
        local special = {0.0, -0.0, math.huge, -math.huge, 1e308, 5e-324, 2 ^ 53, -1.5}
        local x, y = cns.buffer("f64", special), cns.buffer("f64", {1, 2, 3, 4, 1e308, 0, 1, -0.0})
        compare(t, "saxpy", -2.5, x, y)
        compare(t, "sum", cns.buffer("f64", {1e308, 1e308, -1e308}))
        compare(t, "prefix_sum", x, y)
        compare(t, "stencil3", y, x)
    end)

    test("outputs that are too short end in Lua's error, after the same writes", function(t)
        compare(t, "saxpy", 2.0, floats(100, 0, 1), floats(70, 0, 1))
        compare(t, "dot", floats(3, 0, 1), floats(2, 0, 1))
        compare(t, "prefix_sum", floats(300, 0, 1), floats(299, 0, 1))
        compare(t, "histogram", integers(100, 0, 9, "u8"), integers(9, 0, 0))
        compare(t, "split_triples", integers(30, 0, 9), integers(10, 0, 0), integers(9, 0, 0),
            integers(10, 0, 0))
        compare(t, "stencil2d", floats(100, 0, 1), floats(50, 0, 1), 10, 10)
        compare(t, "mandelbrot", integers(50, 0, 0, "u8"), 10, 10, 9, -2.0, -1.0, 0.2)
    end)
end

local function grids(test)
    test("stencils", function(t)
        for _, n in ipairs(sizes) do
            compare(t, "stencil3", floats(n, -1, 1), floats(n, 5, 6))
            compare(t, "stencil3", floats(n, -1, 1, "f32"), floats(n, 5, 6))
        end
        for _, shape in ipairs {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {1, 9}, {9, 1}, {5, 130}} do
            local n = shape[1] * shape[2]
            compare(t, "stencil2d", floats(n, -1, 1), floats(n, 5, 6), shape[1], shape[2])
        end
        local y = cns.buffer("f64", 3)
        kernels.stencil3(cns.buffer("f64", {4, 8, 16}), y)
        t.same(y:table(), {4.0, 9.0, 16.0})
    end)

    test("matmul agrees with the engine's own product", function(t)
        for _, n in ipairs {0, 1, 2, 3, 8, 17, 33} do
            local a, b, c = floats(n * n, -1, 1), floats(n * n, -1, 1), floats(n * n, 7, 8)
            local product = compare(t, "matmul", a, b, c, n)[3]
            if n > 0 then
                local expected = cns.matmul(cns.buffer("f64", n * n), a, b, n, n, n)
                for i = 1, n * n do near(t, product[i], expected[i], 1e-12) end
            end
        end
    end)

    test("spectral norm", function(t)
        for _, n in ipairs {0, 1, 2, 5, 64, 100} do
            compare(t, "spectral_norm", floats(n, 0, 1), floats(n, 0, 1), floats(n, 0, 1), 2)
        end
        compare(t, "spectral_norm", floats(9, 0, 1), floats(9, 0, 1), floats(9, 0, 1), 0)
        local f = function() return cns.buffer("f64", 100) end
        -- The published answer for n = 100.
        t.equal(("%.9f"):format(kernels.spectral_norm(f(), f(), f(), 10)), "1.274219991")
    end)
end

local function simulation(test)
    test("mandelbrot", function(t)
        for _, shape in ipairs {{0, 0, 5}, {1, 1, 5}, {3, 2, 0}, {17, 9, 40}, {64, 33, 100}} do
            local n = shape[1] * shape[2]
            compare(t, "mandelbrot", integers(n, 0, 0, "i32"), shape[1], shape[2], shape[3],
                -2.0, -1.2, 3.0 / 64)
        end
        local out = cns.buffer("i32", 2)
        kernels.mandelbrot(out, 2, 1, 50, -2.5, 0.0, 2.5) -- c = -2.5 leaves at once, 0 never
        t.same(out:table(), {1, 50})
    end)

    test("Black-Scholes", function(t)
        for _, n in ipairs(sizes) do
            compare(t, "black_scholes", floats(n, 10, 100), floats(n, 10, 100),
                floats(n, 0.1, 3), 0.05, 0.3, floats(n, 0, 0), floats(n, 0, 0))
        end
        -- Hull, Options, Futures and Other Derivatives: call 4.76, put 0.81.
        local call, put = cns.buffer("f64", 1), cns.buffer("f64", 1)
        kernels.black_scholes(cns.buffer("f64", {42}), cns.buffer("f64", {40}),
            cns.buffer("f64", {0.5}), 0.1, 0.2, call, put)
        near(t, call[1], 4.759422, 1e-5)
        near(t, put[1], 0.808599, 1e-5)
        compare(t, "black_scholes", cns.buffer("f64", {0, 1, -1}), cns.buffer("f64", {1, 1, 1}),
            cns.buffer("f64", {1, 100, 1}), 0.05, 0.3, call:slice(1, 0), put)
    end)

    test("n-body conserves momentum", function(t)
        for _, n in ipairs {0, 1, 2, 5, 33} do
            local a = compare(t, "nbody", floats(n, -9, 9), floats(n, -9, 9), floats(n, -9, 9),
                floats(n, -1, 1), floats(n, -1, 1), floats(n, -1, 1), floats(n, 0.1, 1), 0.01, 5)
            t.equal(#a[1], n)
        end
        local zeros = function() return cns.buffer("f64", {0, 0}) end
        local vx, mass = zeros(), cns.buffer("f64", {1, 3})
        kernels.nbody(cns.buffer("f64", {0, 1}), zeros(), zeros(), vx, zeros(), zeros(), mass,
            0.001, 100)
        t.ok(vx[1] > 0)
        near(t, vx[1] * mass[1] + vx[2] * mass[2], 0, 1e-12)
    end)
end

-- ---- integers ----------------------------------------------------------------------------------

local function bytes_and_bins(test)
    test("histogram", function(t)
        for _, n in ipairs(sizes) do
            local counts = compare(t, "histogram", integers(n, 0, 255, "u8"),
                integers(256, 0, 0))[2]
            t.equal(kernels.sum(counts), n)
            compare(t, "histogram", integers(n, 0, 9, "i32"), integers(10, 0, 0, "u16"))
        end
    end)

    test("sieve", function(t)
        for _, n in ipairs(sizes) do
            compare(t, "sieve", integers(n, 9, 9, "u8"))
        end
        t.equal(kernels.sieve(cns.buffer("u8", 1000)), 168)
        t.equal(kernels.sieve(cns.buffer("u8", 10000)), 1229)
    end)

    test("FNV-1a", function(t)
        for _, n in ipairs(sizes) do
            compare(t, "fnv1a64", integers(n, 0, 255, "u8"))
        end
        -- The authors' test vectors.
        for text, hash in pairs {[""] = 0xcbf29ce484222325, a = 0xaf63dc4c8601ec8c,
            foobar = 0x85944171f73967e8} do
            local bytes = cns.buffer("u8", {text:byte(1, -1)})
            t.equal(kernels.fnv1a64(bytes), hash)
        end
    end)
end

local function constraints(test)
    test("constraint validation", function(t)
        for _, n in ipairs(sizes) do
            compare(t, "validate", integers(9, 1, 3, "u8"), integers(9, 0, 99),
                integers(n, 0, 99, "i32"), integers(9, 5, 5))
            compare(t, "validate", integers(3, 1, 3, "u8"), floats(3, 0, 1), floats(n, 0, 1),
                integers(3, 5, 5))
        end
        local broken = cns.buffer("i64", 3)
        t.equal(kernels.validate(cns.buffer("u8", {1, 2, 3}), cns.buffer("i32", {2, 2, 2}),
            cns.buffer("i32", {1, 2, 3, 4}), broken), 6)
        t.same(broken:table(), {1, 2, 3})
    end)

    test("range matrix", function(t)
        for _, n in ipairs(sizes) do
            for _, m in ipairs {0, 1, 5, 16} do
                compare(t, "range_matrix", integers(n, 0, 99, "i32"), integers(m, 0, 50, "i32"),
                    integers(m, 40, 99, "i32"), integers(n * m, 7, 7, "u8"))
            end
        end
        local inside = cns.buffer("u8", 4)
        t.equal(kernels.range_matrix(cns.buffer("f64", {1, 5}), cns.buffer("f64", {0, 1}),
            cns.buffer("f64", {4, 5}), inside), 3)
        t.same(inside:table(), {1, 1, 0, 1})
    end)

    test("triples", function(t)
        for _, n in ipairs {0, 1, 2, 3, 4, 5, 6, 300, 767, 768, 3000} do
            local m = n // 3
            local column = integers(m, 9, 9, "i32")
            compare(t, "split_triples", integers(n, 0, 1, "i32"), column, column, column)
            column = floats(m, 9, 9)
            compare(t, "split_triples", floats(n, 0, 1), column, column, column)
        end
        local x, y, z = cns.buffer("i32", 2), cns.buffer("i32", 2), cns.buffer("i32", 2)
        t.equal(kernels.split_triples(cns.buffer("i32", {0, 0, 0, 1, 2, 3, 4}), x, y, z), 1)
        t.same({x[2], y[2], z[2]}, {1, 2, 3})
    end)
end

local function instruction(op, a, b, c)
    return op | (a or 0) << 8 | (b or 0) << 24 | (c or 0) << 40
end

-- Runs instructions; the oracle of peephole and handler_code.
local function execute(code, first, registers, memory)
    for i = first, #code do
        local op, a, b, c = code[i] & 255, code[i] >> 8 & 65535, code[i] >> 24 & 65535,
            code[i] >> 40 & 65535
        if op == 1 then registers[a] = memory[b]
        elseif op == 2 then memory[b] = registers[a]
        elseif op == 3 then registers[a] = registers[b]
        elseif op == 4 then registers[a] = memory[b] memory[c] = registers[a]
        elseif op == 5 then registers[a] = registers[a] + registers[b]
        elseif op == 6 then registers[a] = math.max(registers[a], registers[b])
        elseif op == 7 then registers[a] = b
        elseif op == 8 then return end
    end
end

local function engines(test)
    test("peephole: shorter code that does the same", function(t)
        local dropped = 0
        for _, n in ipairs {0, 1, 2, 3, 7, 50, 255, 256, 257, 1000} do
            local list = {}
            for i = 1, n do
                list[i] = instruction(random(8) - 1, random(3) - 1, random(3) - 1)
            end
            local code = cns.buffer("i64", list)
            local out = compare(t, "peephole", code, cns.buffer("i64", n))[2]
            local length = kernels.peephole(code, code)
            t.ok(out:bytes() == "" or length > 0 or n < 3)
            local before = {registers = {[0] = 1, 2, 3}, memory = {[0] = 4, 5, 6}}
            local after = {registers = {[0] = 1, 2, 3}, memory = {[0] = 4, 5, 6}}
            execute(list, 1, before.registers, before.memory)
            execute(code:table(1, length), 1, after.registers, after.memory)
            t.same(after, before)
            t.same(out:table(1, length), code:table(1, length))
            dropped = dropped + n - length
        end
        t.ok(dropped > 100, dropped)
        local code = cns.buffer("i64", {instruction(0), instruction(1, 2, 7), instruction(2, 2, 9),
            instruction(3, 1, 2), instruction(3, 2, 1), instruction(3, 1, 0)})
        t.same(code:table(1, kernels.peephole(code, code)),
            {instruction(4, 2, 7, 9), instruction(3, 1, 0)})
    end)

    test("signals, and the code of their handlers", function(t)
        local operations, targets = {}, {}
        for h = 1, 12 do operations[h], targets[h] = (h - 1) % 4 + 1, random(8) end
        operations, targets = cns.buffer("u8", operations), cns.buffer("u16", targets)
        local handlers = integers(20, 0, 12, "u8")
        for _, n in ipairs(sizes) do
            local kinds, payloads = integers(n, 0, 19, "u8"), integers(n, -99, 99, "i32")
            local state = compare(t, "dispatch", kinds, payloads, handlers, operations, targets,
                integers(8, 0, 0))[6]
            -- The same signals through the handlers' code.
            local code, entries = cns.buffer("i64", 60), cns.buffer("u32", 12)
            local length = kernels.handler_code(operations, targets, code, entries)
            local instructions, memory = code:table(1, length), {0, 0, 0, 0, 0, 0, 0, 0}
            for i = 1, n do
                local handler = handlers[kinds[i] + 1]
                if handler ~= 0 then
                    execute(instructions, entries[handler], {[0] = 0, payloads[i], 0}, memory)
                end
            end
            t.same(memory, state:table())
        end
        for _, n in ipairs(sizes) do
            compare(t, "handler_code", integers(n, 1, 4, "u8"), integers(n, 0, 65535, "u16"),
                integers(5 * n, 0, 0), integers(n, 0, 0, "u32"))
        end
    end)

    test("first fit", function(t)
        for _, n in ipairs(sizes) do
            compare(t, "first_fit", integers(n, 0, 40, "i32"), integers(20, 0, 9999),
                integers(20, 0, 200), integers(n, 0, 0))
            compare(t, "first_fit", integers(n, 0, 40, "i32"), integers(0, 0, 0),
                integers(0, 0, 0), integers(n, 0, 0))
        end
        local offsets = cns.buffer("i64", 4)
        local starts, lengths = cns.buffer("i64", {0, 100}), cns.buffer("i64", {10, 50})
        t.equal(kernels.first_fit(cns.buffer("i32", {20, 10, 1, 40}), starts, lengths, offsets), 3)
        t.same(offsets:table(), {100, 0, 120, -1})
    end)

    test("pipelines are ordered, circles are found", function(t)
        for _, n in ipairs(sizes) do
            local first, followers = {1}, {}
            for s = 1, n do
                for _ = 1, s < n and random(4) - 1 or 0 do
                    followers[#followers + 1] = s + random(n - s)
                end
                first[s + 1] = #followers + 1
            end
            first, followers = cns.buffer("u32", first), cns.buffer("u32", followers)
            local order = compare(t, "pipeline_order", first, followers, integers(n, 5, 5, "i32"),
                integers(n, 0, 0, "u32"))[4]
            local place = {}
            for i = 1, n do place[order[i]] = i end
            for s = 1, n do
                for e = first[s], first[s + 1] - 1 do t.ok(place[s] < place[followers[e]]) end
            end
        end
        local circle = {cns.buffer("u32", {1, 2, 3, 4}), cns.buffer("u32", {2, 1, 1}),
            cns.buffer("i32", 3), cns.buffer("u32", 3)}
        compare(t, "pipeline_order", table.unpack(circle))
        t.equal(kernels.pipeline_order(table.unpack(circle)), 1)
    end)
end

return function(test)
    vectors(test)
    grids(test)
    simulation(test)
    bytes_and_bins(test)
    constraints(test)
    engines(test)
    test("all kernels were compiled, natively where the plugin is", function(t)
        local native = kernel_of("saxpy", 4):tier() == "native"
        for name in pairs(kernels) do
            t.ok(compiled[name], name)
            local kernel = kernel_of(name, 4)
            t.ok(kernel:tier() == "native" or not native, name .. " is not native")
        end
    end)
end
