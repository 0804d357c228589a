/* SPDX-License-Identifier: MIT
 *
 * transfer.h - Lua values from one state to another, by way of a message that belongs to neither.
 *
 * A message holds plain data, Lua functions with their upvalues (shared ones stay shared), names of
 * library values, and handles of engine objects. It is written once; reading it does not change it
 * (except that moved buffers go to the first reader), so many states may read it at the same time.
 */
#ifndef LCNS_TRANSFER_H
#define LCNS_TRANSFER_H

#include "module.h"

typedef struct lcns_bytes {
    unsigned char *data;
    size_t size, capacity;
} lcns_bytes;

typedef enum lcns_handle_kind {
    LCNS_HANDLE_BUFFER,
    LCNS_HANDLE_CANCEL,
    LCNS_HANDLE_POOL
} lcns_handle_kind;

typedef struct lcns_handle {
    lcns_handle_kind kind;
    uint8_t access; /* buffers: a cns_access; 0: it changes owner */
    bool split;     /* buffers: each part of a loop gets its own range of it */
    void *object;   /* held by the message */
} lcns_handle;

/* Zeroed: empty. */
typedef struct lcns_message {
    cns_context *context;
    lcns_bytes heads; /* one an object: what it is and how large */
    lcns_bytes body;  /* the root values, then each object's contents, in the order of the heads */
    lcns_handle *handles;
    uint32_t handle_count, handle_capacity;
    uint32_t roots, objects, cells;
} lcns_message;

/* What errors call the values. */
typedef struct lcns_subject {
    const char *name;    /* "task 'work' (script.lua:12)" */
    const char *role;    /* "argument", "result", "item" */
    lua_Integer base;    /* added to the position of a value with that role */
    bool function_first; /* the first root is the task itself */
    bool list;           /* the only root is a list of such values */
    bool loop;           /* for a loop: cns.tasks.split is welcome, cns.tasks.write is not */
    bool move;           /* results: buffers change owner instead of being lent */
} lcns_subject;

/* Packs the `count` values at `first` and on. Raises, with the path to the culprit, when a value
 * cannot cross; the message is then empty. */
void lcns_pack(lua_State *L, lcns_message *message, cns_context *context, int first, int count,
               const lcns_subject *subject);

/* The part of a loop that a message is read for: elements first..last, 1-based. */
typedef struct lcns_part {
    lua_Integer first, last;
} lcns_part;

/* Pushes the roots; returns how many. May raise. Userdata of lent buffers are appended to the table
 * at `leases` (0: there are none), for lcns_end_leases. `part` is for split buffers. */
int lcns_unpack(lua_State *L, lcns_message *message, int leases, const lcns_part *part);
/* Closes the buffers in the table, so that what a task kept of them is of no use any more. */
void lcns_end_leases(lua_State *L, int leases);

void lcns_message_free(lcns_message *message);

#endif
