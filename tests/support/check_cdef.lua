-- SPDX-License-Identifier: MIT
--
-- check_cdef.lua - LuaJIT's ffi.cdef accepts the declarations made from the public headers.
-- usage: luajit tests/support/check_cdef.lua build/release/luajit/cns_cdef.lua
local ffi = require("ffi")
local declarations = dofile(arg[1])
ffi.cdef(declarations)
assert(ffi.sizeof("cns_hash_params") > 0 and ffi.sizeof("cns_monitor_sample") > 0)
assert(not declarations:find("__attribute__"), "attributes must not reach the cdef")
