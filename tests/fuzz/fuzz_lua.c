/* SPDX-License-Identifier: MIT
 *
 * fuzz_lua.c - the readers behind the Lua module: JSON and YAML decoders, sizes and durations, hash
 * options. Whatever comes, the answer is a value or a Lua error, and closing frees everything.
 */
#include "fuzz.h"
#include "module.h"

static const char script[] =
    "local cns, kind, text = require 'cns', ...\n"
    "if kind == 0 then\n"
    "  local value = cns.json.decode(text)\n"
    "  local again = cns.json.encode(value)\n"
    "  if cns.json.encode(cns.json.decode(again)) ~= again then error({}) end\n"
    "elseif kind == 1 then cns.yaml.decode(text)\n"
    "elseif kind == 2 then\n"
    "  if cns.bytes(text) < 0 then error({}) end\n"
    "else cns.hash.blake2b(text, {size = #text % 70, key = text:sub(1, 70)}) end\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "cns", luaopen_cns, 0);
    lua_pop(L, 1);
    FUZZ_CHECK(luaL_loadstring(L, script) == LUA_OK);
    lua_pushinteger(L, data[0] & 3);
    lua_pushlstring(L, (const char *)data + 1, size - 1);
    /* A message is a fine answer; a table is the script's own complaint. */
    FUZZ_CHECK(lua_pcall(L, 2, 0, 0) == LUA_OK || lua_type(L, -1) == LUA_TSTRING);
    lua_close(L);
    return 0;
}
