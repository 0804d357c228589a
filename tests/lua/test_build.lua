-- SPDX-License-Identifier: MIT
--
-- test_build.lua - cns.build and cns.emit: shipped kernels linked into a C program print what Lua
-- computes. Skipped where there is no native backend or no C compiler.

local cns = require "cns"
local build = require "cns.build"
local kernels = require "cns.kernels"

local there_is_native = pcall(cns.jit(function(a) return a end, {tier = "native"}), 1)
local there_is_cc = os.execute("command -v cc >/dev/null 2>&1")

local function write(path, text)
    local file <close> = assert(io.open(path, "wb"))
    file:write(text)
end

local function output_of(command)
    local pipe <close> = io.popen(command .. " 2>&1")
    return pipe:read("a")
end

local script = [[
local kernels = require "cns.kernels"
return {
    prefix_sum = {kernels.prefix_sum, "f64[], f64[]", "i32[], i64[]"},
    mandelbrot = {kernels.mandelbrot, "u16[], i64, i64, i64, f64, f64, f64"},
    black_scholes = {kernels.black_scholes, "f64[], f64[], f64[], f64, f64, f64[], f64[]"},
    handler_code = {kernels.handler_code, "i32[], i32[], i64[], i32[]"},
}
]]

-- Prints every element to the bit.
local program = [[
#include "k.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
enum { N = 1000 };
static double a[N], b[N], c[N], d[N], e[N];
static int32_t p[N], q[N], r[N];
static int64_t s[8 * N];
static uint16_t image[N];
static void check(int32_t status) {
    if (status != K_OK) {
        printf("status %d\n", (int)status);
        exit(1);
    }
}
int main(void) {
    for (int i = 0; i < N; i++) {
        a[i] = 80 + i % 37 * 1.25, b[i] = 90 + i % 11, c[i] = 0.25 + i % 5;
        p[i] = i * 7 % 4, q[i] = i * 13 % 100;
    }
    k_value total;
    check(k_black_scholes(a, N, b, N, c, N, 0.03, 0.25, d, N, e, N, NULL));
    for (int i = 0; i < N; i++) {
        printf("%a %a\n", d[i], e[i]);
    }
    check(k_prefix_sum_f64s_f64s(a, N, b, N, &total, NULL));
    printf("%a\n", total.value.real);
    check(k_prefix_sum_i32s_i64s(p, N, s, N, &total.value.integer, NULL));
    printf("%" PRId64 "\n", total.value.integer);
    check(k_mandelbrot(image, N, 40, 25, 200, -2.0, -1.25, 0.1, NULL));
    int64_t length = 0;
    check(k_handler_code(p, N, q, N, s, 8 * N, r, N, &length, NULL));
    printf("%" PRId64 "\n", length);
    for (int i = 0; i < N; i++) {
        printf("%a %d %d\n", b[i], image[i], (int)r[i]);
    }
    for (int i = 0; i < length; i++) {
        printf("%" PRId64 "\n", s[i]);
    }
    k_error error = {0};
    char text[256];
    k_mandelbrot(image, 999, 40, 25, 200, -2.0, -1.25, 0.1, &error);
    k_message(&error, text, sizeof text);
    printf("%s\n", text);
    return 0;
}
]]

-- The same by Lua over plain tables.
local function expected()
    local out = {}
    local function say(format, ...)
        out[#out + 1] = format:format(...)
    end
    local a, b, c, d, e, p, q, r, s, image = {}, {}, {}, {}, {}, {}, {}, {}, {}, {}
    for i = 0, 999 do
        a[i + 1], b[i + 1], c[i + 1] = 80 + i % 37 * 1.25, 90.0 + i % 11, 0.25 + i % 5
        p[i + 1], q[i + 1] = i * 7 % 4, i * 13 % 100
    end
    kernels.black_scholes(a, b, c, 0.03, 0.25, d, e)
    for i = 1, 1000 do
        say("%a %a", d[i], e[i])
    end
    say("%a", kernels.prefix_sum(a, b))
    say("%d", kernels.prefix_sum(p, s))
    kernels.mandelbrot(image, 40, 25, 200, -2.0, -1.25, 0.1)
    local length = kernels.handler_code(p, q, s, r)
    say("%d", length)
    for i = 1, 1000 do
        say("%a %d %d", b[i], image[i], r[i])
    end
    for i = 1, length do
        say("%d", s[i])
    end
    local short = cns.buffer("u16", 999)
    local _, why = pcall(kernels.mandelbrot, short, 40, 25, 200, -2.0, -1.25, 0.1)
    say("%s", why)
    return table.concat(out, "\n") .. "\n"
end

return function(test)
    test("C programs compute what Lua computes", function(t)
        if not (there_is_native and there_is_cc) then
            return t.skip("needs the native backend and a C compiler")
        end
        t.with_folder(function(folder)
            write(folder .. "/k.lua", script)
            write(folder .. "/main.c", program)
            local levels = {"native"}
            if output_of("uname -m") == "x86_64\n" then
                levels[2] = "x86-64,x86-64-v3,x86-64-v4"
            end
            for _, cpu in ipairs(levels) do
                t.equal(build.run {
                    input = folder .. "/k.lua",
                    output = folder .. "/k.so",
                    header = folder .. "/k.h",
                    cpu = cpu,
                }, true)
                local made = output_of(("cd %s && cc -std=c11 -Wall -Wextra -Werror main.c ./k.so "
                    .. "-o main && ./main"):format(folder))
                t.equal(made, expected())
            end
            t.equal(output_of("ls " .. folder), "k.h\nk.lua\nk.so\nmain\nmain.c\n")
        end)
    end)

    test("what cannot be built is told, and nothing is left behind", function(t)
        if not there_is_native then
            return t.skip("needs the native backend")
        end
        t.with_folder(function(folder)
            local function refused(text, words, options)
                write(folder .. "/k.lua", text)
                local o = {input = folder .. "/k.lua", output = folder .. "/k.o"}
                for key, value in pairs(options or {}) do
                    o[key] = value
                end
                local ok, done, why = pcall(build.run, o)
                t.ok(not (ok and done), words)
                why = tostring(ok and why or done)
                t.ok(why:find(words, 1, true), why)
                t.equal(output_of("ls " .. folder), "k.lua\n")
            end
            refused("return", "returns no table")
            refused("return {1}", "the key 1")
            refused("return {f = 1}", "f: expected a kernel")
            refused("return {f = io.stdout}", "kernel} expected")
            refused("return {f = {function(a) return a end, 'f65'}}", "f(f65): ")
            refused("return {f = require 'cns'.jit(function(a) end)}", "kernel f: nothing was")
            refused("return {['a b'] = {function(a) return a end, 'f64'}}", "\"a b\" is no name")
            local good = "return {f = {function(a) return a end, 'f64'}}"
            refused(good, "unknown processor 'pentium9'", {cpu = "pentium9"})
            refused(good, "must end in .cnsb, .o or .so", {output = folder .. "/k.exe"})
            refused(good, "No such file", {output = folder .. "/none/k.o"})
            refused(good, "prefix", {prefix = "a-b"})
        end)
    end)

    test("cns.emit checks its arguments", function(t)
        local kernel <close> = cns.jit(function(a, b) return a + b end)
        t.raises("table expected", cns.emit)
        t.raises("1 to 1024 kernels", cns.emit, {})
        t.raises("entry 1", cns.emit, {{name = 1, kernel = kernel}})
        t.raises("entry 1", cns.emit, {{name = "f", kernel = "f"}})
        t.raises("nothing was compiled", cns.emit, {{name = "f", kernel = kernel}})
        kernel:compile("i64", "f64"):compile("f64", "f64")
        local header, object = cns.emit({{name = "f", kernel = kernel}}, {object = false})
        for _, words in ipairs {"i64_f64(int64_t a, double b, ", "f64_f64(double a, double b, "} do
            words = "int32_t kernels_f_" .. words .. "double *result1, kernels_error *error);"
            t.ok(header:find(words, 1, true), header)
        end
        t.equal(object, nil)
        t.raises("prefix", cns.emit, {{name = "f", kernel = kernel}}, {prefix = "a\0b"})
        local entry = {name = "f", kernel = kernel}
        t.raises("same arguments", cns.emit, {entry, entry})
        kernel:close()
        t.raises("nothing was compiled", cns.emit, {{name = "f", kernel = kernel}})
    end)
end
