/* SPDX-License-Identifier: MIT
 *
 * cns/base.h - status codes, the context, and the small tables that join the parts.
 *
 * Everything in the engine hangs off a `cns_context`: there is no process-global mutable state, so
 * two contexts on two threads know nothing of each other. A context carries the host's allocator,
 * its log sink, its memory limit and the text of the last error.
 *
 * Conventions of all public headers: functions that can fail return a `cns_status` (0 or negative)
 * and write out-parameters only on success; `destroy(NULL)` is legal; a borrowed pointer is const
 * and valid until the next mutating call; configuration structs begin with `uint32_t size`, set to
 * sizeof the struct, and a NULL configuration means the defaults; zero fields mean "the default".
 */
#ifndef CNS_BASE_H
#define CNS_BASE_H

/* CNS_FFI is defined when the headers are preprocessed for LuaJIT's ffi.cdef. */
#ifndef CNS_FFI
#include <stddef.h>
#include <stdint.h>
#endif

#if defined(CNS_FFI)
#define CNS_API
#elif defined(CNS_STATIC) || !defined(__GNUC__)
#define CNS_API extern
#else
#define CNS_API extern __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define CNS_VERSION_MAJOR 0
#define CNS_VERSION_MINOR 1
#define CNS_VERSION_PATCH 0
#define CNS_ABI_VERSION 1

typedef enum cns_status {
    CNS_OK = 0,
    CNS_E_INVALID = -1,     /* an argument breaks the contract; the message names it */
    CNS_E_NOMEM = -2,       /* the host's allocator or the OS has no memory left */
    CNS_E_LIMIT = -3,       /* a budget, capacity or quota set by the caller is reached */
    CNS_E_IO = -4,          /* a file could not be opened, read or written; see the message */
    CNS_E_CANCELLED = -5,   /* the operation's cancellation token was cancelled */
    CNS_E_DEADLINE = -6,    /* the operation's deadline passed */
    CNS_E_STALE = -7,       /* a handle or mark refers to something already released */
    CNS_E_BUSY = -8,        /* borrowed elsewhere, or in use by another thread */
    CNS_E_UNSUPPORTED = -9, /* this build or this machine cannot do it */
    CNS_E_CORRUPT = -10,    /* an invariant does not hold: damaged input or memory */
    CNS_E_NOTFOUND = -11,   /* no such key, file or object */
    CNS_E_RANGE = -12,      /* an index or value lies outside its range */
    CNS_E_FAILED = -13      /* the caller's own callback reported a failure */
} cns_status;

/* "CNS_E_LIMIT" and so on; "unknown status" for other values. Never NULL. Any thread. */
CNS_API const char *cns_status_name(cns_status status);
/* A short English sentence for the status. Never NULL. Any thread. */
CNS_API const char *cns_status_text(cns_status status);

/* The ABI of the library that is linked; compare with CNS_ABI_VERSION. Any thread. */
CNS_API uint32_t cns_abi_version(void);
/* "0.1.0". Any thread. */
CNS_API const char *cns_version_string(void);

/* ---- what a host may bring ------------------------------------------------------------------ */

/* The host's allocator. `resize` does it all, like lua_Alloc: old_size 0 allocates (pointer is
 * NULL), new_size 0 frees (returns NULL, cannot fail), anything else reallocates and keeps the
 * contents. `alignment` is a power of two, the same in every call for one block; up to 4 MiB.
 * Called from any thread that uses the context. Where a host gives none, memory comes from
 * malloc and, for large ranges, straight from the OS. */
typedef struct cns_allocator {
    void *(*resize)(void *user, void *pointer, size_t old_size, size_t new_size, size_t alignment);
    void *user;
} cns_allocator;

typedef enum cns_log_level {
    CNS_LOG_ERROR = 1,
    CNS_LOG_WARNING = 2,
    CNS_LOG_INFO = 3,
    CNS_LOG_TRACE = 4
} cns_log_level;

/* Receives one line without its newline; `channel` is "heap", "tasks", ... Called from any thread.
 */
typedef void (*cns_log_fn)(void *user, cns_log_level level, const char *channel, const char *line);

/* Instruction-set levels for run-time dispatch. A level includes those below it on its machine. */
typedef enum cns_cpu_level {
    CNS_CPU_DETECT = 0,
    CNS_CPU_PORTABLE = 1,
    CNS_CPU_SSE41 = 2,
    CNS_CPU_AVX2 = 3,
    CNS_CPU_AVX512 = 4,
    CNS_CPU_NEON = 5
} cns_cpu_level;

/* The best level that this machine and this OS support. Any thread. */
CNS_API cns_cpu_level cns_cpu_detect(void);
/* 1 when code for `level` can run here. Any thread. */
CNS_API int cns_cpu_supports(cns_cpu_level level);
/* "portable", "sse4.1", "avx2", "avx512", "neon". Never NULL. Any thread. */
CNS_API const char *cns_cpu_level_name(cns_cpu_level level);

/* ---- context -------------------------------------------------------------------------------- */

typedef struct cns_context cns_context;

typedef struct cns_context_config {
    uint32_t size;
    cns_cpu_level cpu_level;        /* force a level (tests); CNS_CPU_DETECT for the best */
    const cns_allocator *allocator; /* copied; NULL for the default */
    cns_log_fn log;                 /* NULL for none */
    void *log_user;
    cns_log_level log_level; /* the most talkative level passed on; 0 means CNS_LOG_WARNING */
    uint32_t reserved;
    uint64_t memory_limit; /* bytes the whole context may hold, all parts; 0 for no limit */
} cns_context_config;

/* Creates a context. Fails with CNS_E_UNSUPPORTED (the forced level cannot run here),
 * CNS_E_INVALID or CNS_E_NOMEM. Any thread. */
CNS_API cns_status cns_context_create(const cns_context_config *config, cns_context **out);
/* requires: every object made from the context is destroyed. What still holds memory is reported
 * to the log as a leak. */
CNS_API void cns_context_destroy(cns_context *context);

/* Copies the message of the last failure in this context into `buffer`, cut to `capacity` and
 * always terminated; returns its full length, 0 when nothing failed yet. Any thread; with several
 * threads failing at once, the last one wins. */
CNS_API size_t cns_context_message(const cns_context *context, char *buffer, size_t capacity);
/* The level in use for dispatch. Any thread. */
CNS_API cns_cpu_level cns_context_cpu_level(const cns_context *context);

typedef struct cns_memory_stats {
    uint64_t held;    /* bytes taken from the allocator and the OS, now */
    uint64_t peak;    /* the highest `held` so far */
    uint64_t limit;   /* 0 for none */
    uint64_t refused; /* requests that the limit has turned away */
} cns_memory_stats;

/* What all objects of the context hold together. Any thread. */
CNS_API void cns_context_memory(const cns_context *context, cns_memory_stats *out);
/* Changes the limit; a lower one than is held stops further growth only. Any thread. */
CNS_API void cns_context_set_memory_limit(cns_context *context, uint64_t bytes);

/* Memory counted in the context, for bindings and hosts: old_size 0 allocates (pointer is NULL),
 * new_size 0 frees and returns NULL, anything else reallocates and keeps the contents. 16-byte
 * aligned. NULL, with a message, when the limit or the memory is used up; the block is as it was.
 * Any thread. */
CNS_API void *cns_context_resize(cns_context *context, void *pointer, size_t old_size,
                                 size_t new_size);

/* ---- parallel execution, as a table --------------------------------------------------------- */

/* One part of a parallel loop: handle [begin, end). A negative return stops the loop. */
typedef cns_status (*cns_range_fn)(void *user, int64_t begin, int64_t end);

/* How parts that may not know each other share a thread pool: cns_tasks_executor() fills one in.
 * `parallel_for` splits [begin, end) into parts of at most `grain`, runs them on several threads
 * and returns when all are done, with the first error. */
typedef struct cns_executor {
    cns_status (*parallel_for)(void *pool, int64_t begin, int64_t end, int64_t grain,
                               cns_range_fn body, void *user);
    void *pool;
    uint32_t workers;
    uint32_t reserved;
} cns_executor;

#ifdef __cplusplus
}
#endif

#endif
