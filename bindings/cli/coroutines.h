/* SPDX-License-Identifier: MIT
 *
 * coroutines.h - coroutine.resume, wrap and close that tell watchdog.h which state runs.
 */
#ifndef CNS_CLI_COROUTINES_H
#define CNS_CLI_COROUTINES_H

#include "lua.h"

/* Replaces the three in the global table `coroutine`; the others stay Lua's own. */
void coroutines_install(lua_State *L);

#endif
