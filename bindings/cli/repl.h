/* SPDX-License-Identifier: MIT
 *
 * repl.h - completion for `cnsengine repl`.
 */
#ifndef CNS_CLI_REPL_H
#define CNS_CLI_REPL_H

#include "lua.h"

/* Tells libedit to complete names from the globals of `L`. */
void repl_complete_init(lua_State *L);

#endif
