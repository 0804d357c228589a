/* SPDX-License-Identifier: MIT
 *
 * known.h - names for what every state has of its own: the global table, library functions,
 * modules. Such values cross to another state by name.
 */
#ifndef LCNS_KNOWN_H
#define LCNS_KNOWN_H

#include "module.h"

/* Remembers `require`; called when the part opens. */
void lcns_known_open(lua_State *L);
/* Pushes the name of the value at `index` (text with NULs between its components) and returns true;
 * pushes nothing when it has none. `checked` spares repeated looks at what is loaded. */
bool lcns_known_name(lua_State *L, int index, bool *checked);
/* Pushes the value with this name in this state, requiring its module if need be. Raises. */
void lcns_known_push(lua_State *L, const char *name, size_t size);

#endif
