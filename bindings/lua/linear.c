/* SPDX-License-Identifier: MIT
 *
 * linear.c - cns.matmul: the product of matrices held in buffers.
 */
#include "module.h"

/* cns.matmul(c, a, b, rows, inner, columns) -> c */
static int matmul(lua_State *L) {
    cns_buffer *c = lcns_check_buffer(L, 1);
    const cns_buffer *a = lcns_check_buffer(L, 2);
    const cns_buffer *b = lcns_check_buffer(L, 3);
    uint64_t rows = (uint64_t)lcns_check_range(L, 4, 0, LUA_MAXINTEGER);
    uint64_t inner = (uint64_t)lcns_check_range(L, 5, 0, LUA_MAXINTEGER);
    uint64_t columns = (uint64_t)lcns_check_range(L, 6, 0, LUA_MAXINTEGER);
    lcns_ok(L, cns_buffer_matmul(c, a, b, rows, inner, columns));
    lua_settop(L, 1);
    return 1;
}

int lcns_open_matmul(lua_State *L) {
    lua_pushcfunction(L, matmul);
    return 1;
}
