-- SPDX-License-Identifier: MIT
--
-- test_module.lua - cns.jit.dump and cns.jit.load: what is loaded means what was dumped; damage,
-- wrong types and misuse end in errors that say what is wrong.

local cns = require "cns"
local build = require "cns.build"

local function write(path, text)
    local file <close> = assert(io.open(path, "wb"))
    file:write(text)
end

-- body(path) with a path for one file, which is removed.
local function with_path(body)
    local path = os.tmpname()
    local ok, why = pcall(body, path)
    os.remove(path)
    if not ok then
        error(why, 0)
    end
end

local function load_bytes(bytes, options)
    local path = os.tmpname()
    write(path, bytes)
    local ok, loaded = pcall(cns.jit.load, path, options)
    os.remove(path)
    if not ok then
        error(loaded, 0)
    end
    return loaded
end

local function reload(kernels, options)
    local list = {}
    for name, kernel in pairs(kernels) do
        list[#list + 1] = {name = name, kernel = kernel}
    end
    return load_bytes(cns.jit.dump(list), options)
end

local function saxpy(a, x, y)
    for i = 1, #x do
        y[i] = a * x[i] + y[i]
    end
end

return function(test)
    test("kernels whose arithmetic is not strict", function(t)
        for _, options in ipairs {{reassoc = true}, {contract = true}, {approx = true},
            {reassoc = true, contract = true, approx = true}} do
            local kernel <close> = cns.jit(saxpy, options)
            local k = reload({saxpy = kernel:compile("f64", "f64[]", "f64[]")}).saxpy
            local x, y = cns.buffer("f64", {1, 2, 3}), cns.buffer("f64", {10, 20, 30})
            k(2.0, x, y)
            t.same(y:table(), {12.0, 24.0, 36.0})
        end
    end)

    test("several signatures under one name, chosen by the arguments", function(t)
        local kernel <close> = cns.jit(function(a, b)
            return a // b, b
        end, {tier = "vm"})
        kernel:compile("i64", "i64"):compile("f64", "i64")
        local k = reload({div = kernel}, {tier = "vm"}).div
        t.same({k(7, 2)}, {3, 2})
        t.same({k(7.0, 2)}, {3.0, 2})
        t.same({k(7, 2, "more")}, {3, 2})
        t.raises("div: %(f64, f64%) is no signature .* there are %(", k, 7.0, 2.0)
        t.raises("%(i64, i64%), %(f64, i64%)", k, 7.0, 2.0)
        t.raises("div: %(nil, nil%) is no signature", k)
        t.raises("expected, got table", k, {}, 2)
        t.raises("test_module.lua:%d+: attempt to ", k, 1, 0)
        t.equal(#k:signatures(), 2)
        t.ok(k:explain("i64", "i64"):find("i64"))
        t.ok(k:bytecode("i64", "i64"))
        t.equal(k:compile("i64", "i64"), k)
        t.raises("is no signature", k.compile, k, "bool", "bool")
        t.equal(k:stats().compilations, 0)
        t.equal(tostring(k), "cns.kernel div (loaded)")
        k:close()
        t.raises("closed", k, 7, 2)
        t.equal(tostring(k), "cns.kernel (closed)")
    end)

    test("missing arguments are nil; a kernel may take none", function(t)
        local default <close> = cns.jit(function(a, b)
            return b and a + b or a
        end)
        default:compile("i64"):compile("i64", "i64")
        local nothing <close> = cns.jit(function() return 42 end)
        nothing:compile()
        local k = reload {default = default, nothing = nothing}
        t.equal(k.default(1), 1)
        t.equal(k.default(1, nil), 1)
        t.equal(k.default(1, 2), 3)
        t.equal(k.nothing(), 42)
        t.equal(k.nothing(1, 2), 42)
    end)

    test("what the options allow is in the file", function(t)
        local function dot(x, y)
            local s = 0.0
            for i = 1, #x do s = s + x[i] * y[i] end
            return s
        end
        local x, y = cns.buffer("f64", {1, 2, 3}), cns.buffer("f64", {4, 5, 6})
        for _, options in ipairs {{reassoc = true}, {contract = true}, {approx = true},
            {reassoc = true, contract = true, approx = true}, {optimise = false}} do
            options.tier = "vm"
            local kernel <close> = cns.jit(dot, options)
            kernel:compile("f64[]", "f64[]")
            local loaded = reload({dot = kernel}, {tier = "vm"}).dot
            t.equal(loaded(x, y), 32.0)
            local allowed = kernel:explain():match("arithmetic[^\n]*")
            t.equal(loaded:explain("f64[]", "f64[]"):match("arithmetic[^\n]*"), allowed)
        end
    end)

    test("captured values become constants, as they are at the dump", function(t)
        local scale, on, offset = 2.0, true, math.mininteger
        local settings = {limit = 10}
        local kernel <close> = cns.jit(function(x)
            if on and x < settings.limit then
                return x * scale, offset
            end
            return x, offset
        end)
        t.same({kernel(3.0)}, {6.0, math.mininteger})
        scale = 5 -- another type: this signature is compiled anew
        local five = reload({k = kernel}).k
        scale, on, settings.limit = 0.5, false, 1
        local off = reload({k = kernel}).k
        offset = 7
        t.same({five(3.0)}, {15.0, math.mininteger})
        t.same({off(3.0)}, {3.0, math.mininteger})
        t.same({kernel(3.0)}, {3.0, 7})
        t.equal(#five:signatures(), 1)
    end)

    test("captured buffers are refused by name", function(t)
        local weights = cns.buffer("f64", {1, 2, 3})
        local kernel <close> = cns.jit(function(i) return weights[i] end)
        t.equal(kernel(2), 2.0)
        t.raises("kernel pick: 'weights' is a buffer of f64 .* make it an argument", cns.jit.dump,
            {{name = "pick", kernel = kernel}})
    end)

    test("machine code, parallel loops and errors as before", function(t)
        local kernel <close> = cns.jit(function(x, y)
            local s = 0
            for i in cns.prange(#x) do
                y[i] = math.sin(x[i])
                s = s + i
            end
            return s
        end)
        local x, y, z = cns.buffer("f64", 5000), cns.buffer("f64", 5000), cns.buffer("f64", 5000)
        x:fill(0.5)
        t.equal(kernel(x, y), 12502500)
        local k = reload({sines = kernel}, {wait = true}).sines
        t.equal(k(x, z), 12502500)
        t.equal(z:bytes(), y:bytes())
        local short = cns.buffer("f64", 10)
        local _, expected = pcall(kernel, x, short)
        local _, why = pcall(k, x, short)
        t.equal(why, expected)
        if pcall(cns.jit(function(a) return a end, {tier = "native"}), 1) then
            t.equal(k:tier(), "native")
            t.equal(reload({sines = kernel}, {tier = "native"}).sines(x, z), 12502500)
        end
        t.equal(reload({sines = k}).sines(x, z), 12502500) -- once more through a file
    end)

    test("loaded kernels are not inlined, do not cross, and can be emitted", function(t)
        local kernel <close> = cns.jit(function(a) return a + 1 end)
        kernel:compile("i64")
        local k = reload({next = kernel}).next
        t.raises("a cns.kernel that was loaded", cns.jit(function(a) return k(a) end), 1)
        t.raises("loaded from a file; load it there", function()
            cns.tasks.default():spawn(function() return k(1) end):await()
        end)
        t.ok(cns.emit({{name = "next", kernel = k}}, {object = false}):find("kernels_next%("))
    end)

    test("the same kernels give the same bytes; order is by compilation", function(t)
        local function make()
            local kernel = cns.jit(saxpy, {name = "saxpy"})
            kernel:compile("f64", "f64[]", "f64[]"):compile("f64", "f32[]", "f32[]")
            return cns.jit.dump {{name = "saxpy", kernel = kernel}}
        end
        local bytes = make()
        t.equal(make(), bytes)
        t.equal(bytes:sub(1, 4), "CNSB")
        t.same(load_bytes(bytes).saxpy:signatures(), {"f64, f64[], f64[]", "f64, f32[], f32[]"})
    end)

    test("damage is refused", function(t)
        local kernel <close> = cns.jit(saxpy)
        kernel:compile("f64", "f64[]", "f64[]")
        local bytes = cns.jit.dump {{name = "saxpy", kernel = kernel}}
        for _, cut in ipairs {0, 1, 3, 11, 43, #bytes // 2, #bytes - 1} do
            local ok, why = pcall(load_bytes, bytes:sub(1, cut))
            t.ok(not ok and (why:find("no module of kernels") or why:find("digest does not")), why)
        end
        t.raises("digest does not match", load_bytes, bytes .. "x")
        t.raises("digest does not match", load_bytes, (bytes:gsub("saxpy", "saxpz", 1)))
        t.raises("no module of kernels", load_bytes, string.dump(saxpy))
        t.raises("no module of kernels", load_bytes, ("x"):rep(100000))
    end)

    test("misuse of dump and load", function(t)
        local kernel <close> = cns.jit(saxpy)
        t.raises("table expected", cns.jit.dump)
        t.raises("1 to 1024 kernels", cns.jit.dump, {})
        t.raises("kernel k: nothing was compiled", cns.jit.dump, {{name = "k", kernel = kernel}})
        kernel:compile("f64", "f64[]", "f64[]")
        local entry = {name = "k", kernel = kernel}
        t.raises("kernel k: its name and signature are there", cns.jit.dump, {entry, entry})
        t.raises("1 to 255 bytes", cns.jit.dump, {{name = "", kernel = kernel}})
        t.raises("zero byte", cns.jit.dump, {{name = "a\0b", kernel = kernel}})
        kernel:close()
        t.raises("nothing was compiled", cns.jit.dump, {entry})
        t.raises("string expected", cns.jit.load)
        t.raises("zero bytes", cns.jit.load, "a\0b")
        t.raises("/none/k.cnsb: No such file", cns.jit.load, "/none/k.cnsb")
        t.raises("/: Is a directory", cns.jit.load, "/")
        t.raises("/dev/zero: File too large", cns.jit.load, "/dev/zero")
        t.raises("unknown option", cns.jit.load, "k", {name = "k"})
        t.raises("\"auto\", \"vm\" or \"native\"", cns.jit.load, "k", {tier = "scalar"})
    end)

    test("cnsengine build makes modules", function(t)
        with_path(function(path)
            local out = path .. ".cnsb"
            write(path, "return {add = {function(a, b) return a + b end, 'i64, i64', 'f64, f64'},"
                .. " ['a name'] = {function() return 1 end, ''}}")
            t.equal(build.run {input = path, output = out}, true)
            local k = cns.jit.load(out)
            os.remove(out)
            t.equal(k.add(1, 2), 3)
            t.equal(k.add(1.0, 2.5), 3.5)
            t.equal(k["a name"](), 1)
            for _, option in ipairs {"header", "cpu", "prefix"} do
                local done, why = build.run {input = path, output = out, [option] = "x"}
                t.equal(done, nil)
                t.ok(why:find("--" .. option .. " is for .o and .so", 1, true), why)
            end
            t.equal(io.open(out), nil)
        end)
    end)

    test("kernels outlive what they came from, and a state that closes", function(t)
        local kernel <close> = cns.jit(function(a) return a * 2 end)
        kernel:compile("i64")
        local bytes = cns.jit.dump {{name = "twice", kernel = kernel}}
        local sum = 0
        for _ = 1, 50 do
            local k = load_bytes(bytes).twice
            collectgarbage()
            sum = sum + k(1)
        end
        t.equal(sum, 100)
        local held = cns.memory().held
        for _ = 1, 2000 do -- the collector hears of their memory
            load_bytes(bytes)
        end
        t.ok(cns.memory().held < held + 8 * 2 ^ 20, cns.memory().held)
        t.equal(cns.tasks.default():spawn(function(path, data)
            local file <close> = io.open(path, "wb")
            file:write(data)
            file:close()
            local result = require "cns".jit.load(path).twice(21)
            os.remove(path)
            return result
        end, os.tmpname(), bytes):await(), 42)
    end)
end
