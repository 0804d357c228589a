-- SPDX-License-Identifier: MIT
--
-- ahead.lua - kernels as C functions in LuaJIT, which needs no engine for them.
--   cnsengine build examples/lua/module.lua -o kernels.so --header kernels.h
--   luajit examples/luajit/ahead.lua ./kernels.so kernels.h
local ffi = require("ffi")

local library = assert(arg[1], "which library? ./kernels.so")
local header = assert(arg[2], "which header? kernels.h")
local text = assert(io.open(header)):read("*a")
ffi.cdef(assert(text:match("/%* ffi%.cdef begins %*/(.*)/%* ffi%.cdef ends %*/")))
local kernels = ffi.load(library)

local COUNT = 1000
local x, y = ffi.new("double[?]", COUNT), ffi.new("double[?]", COUNT)
for i = 0, COUNT - 1 do
    x[i], y[i] = i, 1
end
assert(kernels.kernels_saxpy_f64_f64s_f64s(2.0, x, COUNT, y, COUNT, nil) == kernels.KERNELS_OK)
assert(y[10] == 21)

local err, message = ffi.new("kernels_error"), ffi.new("char[200]")
assert(kernels.kernels_saxpy_f64_f64s_f64s(2.0, x, COUNT, y, 10, err) == kernels.KERNELS_INDEX)
kernels.kernels_message(err, message, 200)
print(ffi.string(message))
