std = "lua54"
max_line_length = 100
exclude_files = {"build", "bindings/lua/meta"}
files["bindings/luajit"] = {std = "luajit"}
files["examples/luajit"] = {std = "luajit"}
files["tests/luajit"] = {std = "luajit"}
files["tests/bench/vm/loops_luajit.lua"] = {std = "luajit"}
files["tests/bench/vm/peer_luajit.lua"] = {std = "luajit"}
files["tests/support/check_cdef.lua"] = {std = "luajit"}
-- What the variables are closed for is what is tested.
files["tests/cli/coroutine_trace.lua"] = {ignore = {"211", "212"}}
