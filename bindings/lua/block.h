/* SPDX-License-Identifier: MIT
 *
 * block.h - cns.block: memory that a heap or an arena gave out, as a userdata.
 *
 * A block remembers the serial number it was given out under; its owner knows which serials are
 * gone (reset, restored, closed). So a stale block is an error and never a pointer that is
 * followed.
 */
#ifndef LCNS_BLOCK_H
#define LCNS_BLOCK_H

#include "module.h"

typedef struct lcns_owner lcns_owner;

/* How heap.c and arena.c answer for their blocks. */
typedef struct lcns_owner_class {
    const char *name; /* "heap", "arena" */
    bool (*valid)(const lcns_owner *owner, uint64_t serial);
    void (*free)(lcns_owner *owner, void *memory, size_t size); /* NULL: not one by one */
    void *(*resize)(lcns_owner *owner, void *memory, size_t old_size, size_t new_size);
} lcns_owner_class;

/* What heap and arena userdata begin with. */
struct lcns_owner {
    lcns_object base; /* shared is NULL once closed */
    const lcns_owner_class *class;
};

void lcns_open_block(lua_State *L);
/* Pushes an empty block that keeps the owner at stack index `owner` alive; fill it in next. */
struct lcns_block *lcns_new_block(lua_State *L, int owner);
void lcns_fill_block(struct lcns_block *block, void *memory, size_t size, uint64_t serial);
/* Raises: the owner ("heap", "arena") gave no memory. It is the run's memory limit that was
 * reached, and not the owner's budget, when `refused`, lcns_memory_refused before, has grown. */
int lcns_refuse_block(lua_State *L, const char *owner, size_t size, uint64_t refused);

#endif
