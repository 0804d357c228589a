/* SPDX-License-Identifier: MIT
 *
 * tasks.h - what the C files of Lua tasks share: pools with their workers' Lua states, tasks.
 *
 * A `lcns_pool` is the engine's pool and the states that its threads run Lua on. A thread takes its
 * seat in the pool before it runs tasks of it: pool threads have one each, a thread that waits from
 * outside is lent one. A state is only ever used by the thread in its seat.
 *
 * A `lcns_task` is what the engine runs: counted, one reference is the engine's until finalize.
 */
#ifndef LCNS_TASKS_H
#define LCNS_TASKS_H

#include "module.h"
#include "transfer.h"

#define LCNS_POOL_TYPE "cns.tasks.pool"
#define LCNS_CANCEL_TYPE "cns.cancel"
#define LCNS_FUTURE_TYPE "cns.future"
#define LCNS_GRAPH_TYPE "cns.graph"
#define LCNS_LENT_TYPE "cns.tasks.lent"

/* A table is made this large beforehand at most: its length may be a metamethod's boast. */
enum { LCNS_PRESIZE_MAX = 1 << 16 };

typedef struct lcns_default_pool lcns_pool;
typedef struct lcns_task lcns_task;
typedef struct lcns_loop lcns_loop;

/* ---- seats and states (worker.c) ------------------------------------------------------------- */

typedef struct lcns_seat {
    lcns_pool *pool;
    struct lcns_seat *next;     /* of the seats for outside threads */
    _Atomic uintptr_t occupant; /* a thread; 0: free */
    uint32_t depth;             /* the occupant's: nested uses */
    uint32_t worker;            /* 1-based; 0: an outside thread */
    lua_State *L;               /* made when the first task runs here */
    cns_heap *heap;             /* L's memory: counted in the context, freed at once */
    lua_State *from;            /* the Lua thread that waits at the top of this thread's stack */
    lcns_task *task;            /* what runs, innermost */
    lua_State *thread;          /* it runs on */
    lua_Hook host_hook;         /* set on `thread` by the host's enter */
} lcns_seat;

/* The calling thread's seat in the pool; a free one is taken when it has none. NULL: no memory. */
lcns_seat *lcns_seat_take(lcns_pool *pool);
/* Each take needs one. */
void lcns_seat_give(lcns_seat *seat);
/* true when the calling thread runs one of this pool's tasks, or stays in the pool (below). */
bool lcns_seat_inside(lcns_pool *pool);
/* The seat whose state L belongs to; NULL in a main state. */
lcns_seat *lcns_seat_of(lua_State *L);
/* Runs the task on the calling thread's seat; its outcome goes into the task. */
cns_status lcns_seat_run(lcns_pool *pool, lcns_task *task);
/* requires: no thread uses the pool. */
void lcns_seats_free(lcns_pool *pool);

/* ---- pools (tasks.c) ------------------------------------------------------------------------- */

struct lcns_default_pool {
    lcns_shared *shared; /* not counted: whoever closes the pool outlives it */
    cns_context *context;
    cns_tasks *tasks;
    _Atomic uint32_t references; /* handles to this struct */
    _Atomic uint32_t users;      /* threads inside a call that needs `tasks` */
    _Atomic uint32_t closing;
    uint32_t worker_count;
    lcns_pool *next;            /* among shared->orphans */
    lcns_seat *workers;         /* one for each worker */
    lcns_seat *_Atomic outside; /* seats lent to other threads; only grows */
    char *path, *cpath;         /* package.path and cpath of the state that made the pool */
    char *arguments;            /* its `arg`, from 0 on, each ended by a NUL; without a host */
    size_t arguments_size;
};

/* Keeps the pool open for the length of a call; false when it is closed. */
bool lcns_pool_enter(lcns_pool *pool);
void lcns_pool_done(lcns_pool *pool);
void lcns_pool_retain(lcns_pool *pool);
void lcns_pool_release(lcns_pool *pool);
/* A call that uses the pool, and in which this thread may run tasks of it: the pool stays open and
 * the thread has a seat there, so that Lua code that runs meanwhile is told not to close it. */
typedef struct lcns_stay {
    lcns_pool *pool; /* NULL: not begun */
    lcns_seat *seat;
    lua_State *from; /* the seat's before */
} lcns_stay;

/* `L`: the Lua thread that makes the call. CNS_E_CANCELLED: the pool is closed; CNS_E_NOMEM. */
cns_status lcns_stay_begin(lua_State *L, lcns_pool *pool, lcns_stay *out);
/* Never raises. Does nothing when it has not begun. */
void lcns_stay_end(lcns_stay *stay);
/* As begin, for the pool whose userdata is at `arg`; raises. */
void lcns_stay_check(lua_State *L, int arg, lcns_stay *out);

/* The default pool, made when it is first asked for. Raises. */
lcns_pool *lcns_pool_default(lua_State *L);
/* A handle that does not own the pool. */
void lcns_push_pool(lua_State *L, lcns_pool *pool);
/* The userdata takes a reference of its own. `cancel` is the caller's and stays so: no userdata
 * that a script could close has the only reference. */
void lcns_push_cancel(lua_State *L, cns_cancel *cancel);

typedef struct lcns_pool_object {
    lcns_object base;
    lcns_pool *pool;
    bool owner; /* closing it closes the pool */
} lcns_pool_object;

typedef struct lcns_cancel_object {
    lcns_object base;
    cns_cancel *cancel;
} lcns_cancel_object;

/* What cns.tasks.read, write and split give; the buffer is its user value. */
typedef struct lcns_lent_object {
    lcns_object base;
    uint8_t access;
    bool split;
} lcns_lent_object;

/* ---- tasks (task.c) -------------------------------------------------------------------------- */

typedef enum lcns_task_kind {
    LCNS_TASK_CALL,  /* fn(...) */
    LCNS_TASK_MAP,   /* results[k] = fn(items[k], first + k - 1) */
    LCNS_TASK_RANGE, /* fn(first, last, ...) */
} lcns_task_kind;

typedef enum lcns_outcome {
    LCNS_PENDING = 0,
    LCNS_RETURNED, /* `results` holds the values */
    LCNS_RAISED,   /* `results` holds the error value */
    LCNS_LOST      /* `status` says why; there was no memory to say more */
} lcns_outcome;

enum { LCNS_TASK_NAME = 96 };

/* What the parts of a loop share; counted. */
struct lcns_loop {
    cns_context *context;
    _Atomic uint32_t references;
    _Atomic uint32_t stop;   /* parts not begun do not begin, others end soon */
    _Atomic uint32_t failed; /* the lowest part that failed: the same for those behind it */
    lcns_message call;       /* the function and the extra arguments */
};

struct lcns_task {
    cns_context *context;
    lcns_pool *pool;
    _Atomic uint32_t references;
    _Atomic uint32_t cancelled; /* by its future */
    lcns_task_kind kind;
    bool watched; /* has a token of its own: run with a count hook */
    cns_cancel *token;
    lcns_loop *loop; /* NULL for LCNS_TASK_CALL */
    uint32_t index;  /* of the part */
    lcns_part part;
    lcns_message call;    /* function and arguments; of a loop's part: the items */
    lcns_message results; /* written by the thread that runs it, read after it is over */
    lcns_outcome outcome;
    cns_status status; /* CNS_E_NOMEM: want of memory is behind an outcome that is an error */
    struct lcns_task *const *before; /* nodes of a graph: whose first results are arguments */
    uint32_t before_count;
    char name[LCNS_TASK_NAME];
};

/* One reference, the caller's. NULL: no memory. */
lcns_task *lcns_task_create(lcns_pool *pool);
void lcns_task_retain(lcns_task *task);
void lcns_task_release(lcns_task *task);
/* Hands the task to the engine, which gets a reference of its own. */
cns_status lcns_task_spawn(lcns_task *task, cns_priority priority, cns_future **out);
/* CNS_OK while the task should go on. */
cns_status lcns_task_poll(const lcns_task *task);
/* The engine's task function, and its finalize: for those who spawn by other means. */
cns_status lcns_task_run(void *task, cns_cancel *cancel);
void lcns_task_finalize(void *task);
/* Waits until the engine's future is over and takes part; L is the waiting Lua thread. Other Lua
 * code may run on its state meanwhile: task and future must be held by the caller. Never raises;
 * not CNS_OK when the future is not over. */
cns_status lcns_task_await(lua_State *L, lcns_task *task, cns_future *future);
/* Pushes the results and returns how many, or pushes the error value and returns -1. `status` is
 * the engine's. The task is over. May raise for want of memory. */
int lcns_task_outcome(lua_State *L, lcns_task *task, cns_status status);
/* Names the task after the function at `function` and, if not "", what the script calls it. */
void lcns_task_name(lua_State *L, int function, const char *given, char *out);

typedef struct lcns_spawn_settings {
    cns_priority priority;
    cns_cancel *token; /* the pushed keeper's; NULL for none */
    bool watched;      /* the token is there to interrupt the task */
    lua_Integer grain; /* 0: choose */
    char name[64];     /* "" for none */
} lcns_spawn_settings;

/* Reads the options table at `arg` (nil: defaults). `loop`: grain is known too. A token is made
 * only where there is a deadline. The token is kept alive by a userdata that is pushed, and that no
 * script can reach to close (or nil: by the running task or the host). */
void lcns_spawn_options(lua_State *L, int arg, bool loop, lcns_spawn_settings *out);

void lcns_open_future(lua_State *L);
void lcns_loop_release(lcns_loop *loop);

/* Methods of the pool: task.c, loops.c, graph.c. */
int lcns_pool_spawn(lua_State *L);
int lcns_pool_spawn_with(lua_State *L);
int lcns_pool_await_all(lua_State *L);
int lcns_pool_map(lua_State *L);
int lcns_pool_range(lua_State *L);
int lcns_pool_reduce(lua_State *L);
int lcns_pool_graph(lua_State *L);
void lcns_open_graph(lua_State *L);

#endif
