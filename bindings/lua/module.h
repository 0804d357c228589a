/* SPDX-License-Identifier: MIT
 *
 * module.h - what the C files of the Lua module share: the engine behind a Lua state, userdata,
 * argument checks, errors.
 *
 * All Lua states that belong together (a script's main state and the workers' states) share one
 * `lcns_shared`: one context, one default pool. It is counted; the last state to close frees it.
 * Errors of the engine become Lua errors; no lua_error ever crosses an engine frame: engine
 * callbacks that run Lua do so under pcall and hand a status back.
 */
#ifndef LCNS_MODULE_H
#define LCNS_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cns/cns.h"
#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

/* ---- the host -------------------------------------------------------------------------------- */

/* What an embedding host provides before it opens the module; stock lua5.4 provides none. All
 * pointers outlive the shared state. Any function may be NULL. */
typedef struct lcns_host {
    void *user;
    cns_context *context; /* used instead of a context of the module's own */
    cns_cancel *cancel;   /* fires when the script must stop; parent of every task's token */
    uint32_t threads;     /* workers of the default pool; 0: from the machine */
    /* Called around every stretch in which a thread runs Lua on a worker's state, so that the host
     * can interrupt it. Nesting is possible (a task that waits may run another on its thread). */
    void (*enter)(void *user, lua_State *L);
    void (*leave)(void *user, lua_State *L);
    /* CNS_OK, or why the script should stop: asked in long waits and loops of the binding. */
    cns_status (*poll)(void *user);
    /* Called once for a new worker state, after the standard libraries and the module are open;
     * runs in protected mode, may raise. */
    void (*setup)(void *user, lua_State *L);
} lcns_host;

/* Tells the module about the host; before luaopen_cns, in each main state. `host` is copied. */
void lcns_set_host(lua_State *L, const lcns_host *host);

/* ---- the shared engine ----------------------------------------------------------------------- */

typedef struct lcns_shared {
    cns_context *context;
    lcns_host host; /* zeroed under stock lua5.4 */
    bool owns_context;
    _Atomic uint32_t references;
    struct lcns_default_pool *_Atomic pool;    /* owned by tasks.c; made on first use */
    struct lcns_default_pool *_Atomic orphans; /* of tasks.c: collected while in use */
    struct lcns_machine *_Atomic machine;      /* owned by jit_machine.c; made on first use */
    /* Set by tasks.c: called when the main state closes, after its objects were finalised and
     * before its reference goes, so that workers' states can give theirs back. May stay NULL. */
    void (*shutdown)(struct lcns_shared *shared);
} lcns_shared;

CNS_API int luaopen_cns(lua_State *L);

/* The shared engine of this state; the module must be open. */
lcns_shared *lcns_shared_of(lua_State *L);
cns_context *lcns_context(lua_State *L);
void lcns_shared_retain(lcns_shared *shared);
void lcns_shared_release(lcns_shared *shared);
/* Makes `L` (a fresh worker state) share `shared`; before luaopen_cns there. */
void lcns_adopt(lua_State *L, lcns_shared *shared);

/* lua_close for a state with the module. Its finalisers can make no more objects, which Lua
 * would not finalise. */
void lcns_close_state(lua_State *L);

/* ---- errors ---------------------------------------------------------------------------------- */

/* Raises the context's message (with the position in the script); never returns. */
int lcns_raise(lua_State *L, cns_status status);
/* Raises unless CNS_OK. */
static inline void lcns_ok(lua_State *L, cns_status status) {
    if (status != CNS_OK) {
        lcns_raise(L, status);
    }
}
/* Raises "not enough memory" and what the format says, as an error of memory (see below). */
int lcns_no_memory(lua_State *L, const char *format, ...);

/* Errors are plain text for scripts; what tells a host that memory is behind one is kept beside it:
 * the state remembers the text of the last error of memory that the module raised in it. */
/* The text on top of the stack is about to be raised, and is an error of memory. Raises nothing. */
void lcns_mark_memory(lua_State *L);
/* Whether the value at `index` is, or quotes, an error of memory that did happen in this state: one
 * that was marked, or Lua's own after its heap refused a request. Raises nothing, runs no script.
 */
bool lcns_is_memory_error(lua_State *L, int index);
/* Requests that the memory limit has turned away so far, in all of the context. */
uint64_t lcns_memory_refused(lua_State *L);

/* Raises when the host wants the script to stop. Call it in loops that may take long. */
void lcns_poll(lua_State *L);
/* As above, but gives the reason instead of raising it. */
cns_status lcns_poll_status(lua_State *L);
/* Work on memory is cut into pieces of so many bytes, with a poll between two: milliseconds each,
 * so that the polls cost nothing and a stop need not wait. */
#define LCNS_PIECE ((size_t)64 << 20)

/* ---- userdata -------------------------------------------------------------------------------- */

/* Every userdata begins so; `close` destroys the engine object once and is idempotent. */
typedef struct lcns_object {
    lcns_shared *shared; /* retained; NULL once closed */
} lcns_object;

/* Registers a type: methods, metamethods (either may be NULL), and `close` behind __gc, __close and
 * the method `close`, unless metamethods bring their own. `name` is what errors call it:
 * "cns.buffer". Called by the luaopen of a part.
 * All these functions are closures whose first upvalue is the metatable and whose second is the
 * table of methods, which is __index unless metamethods bring one. Scripts see "locked" for the
 * metatable. */
void lcns_type(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *metamethods,
               lua_CFunction close);
/* A zeroed userdata of `size` bytes, with its metatable, `shared` retained, pushed. Fill in the
 * engine object after this, so that a failure leaves something that closes cleanly. It has one
 * user value, for what it must keep alive. */
void *lcns_new(lua_State *L, size_t size, const char *name);
/* The object, open; raises "bad argument #1 to 'f' (cns.buffer expected, got nil)" or "cns.buffer
 * is closed". */
void *lcns_check(lua_State *L, int arg, const char *name);
/* The object, open or closed, or NULL when it is something else. */
void *lcns_test(lua_State *L, int arg, const char *name);
/* Raises what lcns_self found. */
void *lcns_self_fail(lua_State *L);

/* Argument 1 of a function that lcns_type registered, of that type and open. */
static inline void *lcns_self(lua_State *L) {
    lcns_object *object = lua_touserdata(L, 1);
    if (object && lua_getmetatable(L, 1)) {
        int same = lua_rawequal(L, -1, lua_upvalueindex(1));
        lua_pop(L, 1);
        if (same && object->shared) {
            return object;
        }
    }
    return lcns_self_fail(L);
}

/* For `close` functions: the object if it is open, and marks it closed; NULL if closed already.
 * The caller destroys the engine object, then gives `*shared` to lcns_shared_release. */
void *lcns_begin_close(lua_State *L, const char *name, lcns_shared **shared);

/* ---- arguments ------------------------------------------------------------------------------- */

/* "64 KiB", "1.5 GiB", "4096"; false when it is no size. */
bool lcns_parse_bytes(const char *text, size_t length, uint64_t *out);
/* Bytes: a non-negative integer (or integral float) or text such as "64 KiB", "1.5 GiB", "100 MB".
 */
uint64_t lcns_check_bytes(lua_State *L, int arg);
/* Seconds: a non-negative number or text such as "5 ms", "2 s", "1 min". In nanoseconds. */
uint64_t lcns_check_duration(lua_State *L, int arg);
/* An integer in [low, high]. */
lua_Integer lcns_check_range(lua_State *L, int arg, lua_Integer low, lua_Integer high);
/* Fields of an options table at `arg` (nil: absent). Unknown keys are refused by lcns_options with
 * the list of known ones; `known` ends with NULL. */
void lcns_options(lua_State *L, int arg, const char *const *known);
bool lcns_option_bytes(lua_State *L, int arg, const char *key, uint64_t *out);
bool lcns_option_duration(lua_State *L, int arg, const char *key, uint64_t *out);
bool lcns_option_integer(lua_State *L, int arg, const char *key, lua_Integer low, lua_Integer high,
                         lua_Integer *out);
bool lcns_option_boolean(lua_State *L, int arg, const char *key, bool fallback);
/* The string stays valid while the table holds it. */
bool lcns_option_string(lua_State *L, int arg, const char *key, const char **out, size_t *size);
/* Pushes the field (nil when absent) and returns whether it is there. */
bool lcns_option_push(lua_State *L, int arg, const char *key);
/* Raises "option 'key': <expected> expected, got ..." about the value on top of the stack. */
int lcns_option_fail(lua_State *L, int arg, const char *key, const char *expected);

/* ---- parts: each pushes its table or constructor ----------------------------------------------
 */

extern const luaL_Reg lcns_basics[]; /* basics.c: cns.clock and other plain functions */
uint64_t lcns_now_ns(void);          /* monotonic; basics.c */

int lcns_open_heap(lua_State *L);    /* heap.c: pushes the constructor */
int lcns_open_arena(lua_State *L);   /* arena.c */
int lcns_open_pool(lua_State *L);    /* pool.c */
int lcns_open_buffer(lua_State *L);  /* buffer.c */
int lcns_open_columns(lua_State *L); /* columns.c */
int lcns_open_matmul(lua_State *L);  /* linear.c */
int lcns_open_hash(lua_State *L);    /* hash.c: pushes the table */
int lcns_open_map(lua_State *L);     /* map.c: pushes the constructor */
int lcns_open_tasks(lua_State *L);   /* tasks.c: pushes the table */
int lcns_open_solver(lua_State *L);  /* solver.c: pushes the table */
int lcns_open_monitor(lua_State *L); /* monitor.c */
int lcns_open_json(lua_State *L);    /* json.c */
int lcns_open_yaml(lua_State *L);    /* yaml.c */
int lcns_open_fs(lua_State *L);      /* fs_posix.c */
int lcns_open_jit(lua_State *L);     /* jit.c: pushes the constructor */
int lcns_open_prange(lua_State *L);  /* jit_prange.c: pushes the function */
int lcns_open_emit(lua_State *L);    /* jit_emit.c: the same */

/* ---- across parts ---------------------------------------------------------------------------- */

/* The engine's buffer behind a "cns.buffer" userdata (lent to the caller until the userdata closes)
 * and the reverse: takes ownership of `buffer`. */
cns_buffer *lcns_check_buffer(lua_State *L, int arg);
cns_buffer *lcns_test_buffer(lua_State *L, int arg);
void lcns_push_buffer(lua_State *L, cns_buffer *buffer);
/* Frees what kernels share; the last thing that the shared engine does. NULL is legal. */
void lcns_machine_free(struct lcns_machine *machine);
/* The pool is gone: kernels of the machine (NULL: none) that used it run without. */
void lcns_machine_leave(struct lcns_machine *machine, const struct lcns_default_pool *pool);
/* String or buffer (readable now) as bytes; valid while the value stays on the stack. */
const void *lcns_check_data(lua_State *L, int arg, size_t *size);

#endif
