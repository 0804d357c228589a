/* SPDX-License-Identifier: MIT
 *
 * cns/memory.h - heap, arena, pool, buffer, columns.
 *
 *   heap     general allocator with a budget: size classes, sized frees without headers
 *   arena    bump allocation, freed all at once or back to a mark
 *   pool     fixed-size slots named by generation handles: a stale handle is an error, never a
 * crash buffer   a typed array, sliced without copying, borrowed by threads under rules that are
 * checked columns  typed records stored one array a field
 *
 * Sizes are bytes unless said otherwise. A heap, arena, pool, columns belongs to one thread at a
 * time; a buffer's storage is shared, its contents follow the borrowing rules below.
 */
#ifndef CNS_MEMORY_H
#define CNS_MEMORY_H

#include "cns/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- heap ----------------------------------------------------------------------------------- */

typedef struct cns_heap cns_heap;

enum {
    CNS_HEAP_GUARD =
        1 /* poison, red zones, double-free and leak checks; always on in debug builds */
};

typedef struct cns_heap_config {
    uint32_t size;
    uint32_t flags;   /* CNS_HEAP_... */
    const char *tag;  /* names the heap in reports; copied; NULL for "heap" */
    uint64_t budget;  /* the most that may be live, in charged bytes; 0 for no budget */
    uint64_t reserve; /* part of the budget kept back for error paths, see cns_heap_use_reserve */
} cns_heap_config;

typedef struct cns_heap_stats {
    uint64_t live_bytes;     /* charged: the size classes handed out, not the sizes asked for */
    uint64_t live_count;     /* allocations not yet freed */
    uint64_t peak_bytes;     /* the highest live_bytes so far, growth of a realloc included */
    uint64_t reserved_bytes; /* taken from the OS or the host, now */
    uint64_t reserved_peak;
    uint64_t budget;
    uint64_t reserve;
    uint64_t alloc_count;  /* allocations since creation */
    uint64_t remote_frees; /* frees that came from other threads and were collected */
    uint64_t failures;     /* allocations refused: budget, context limit or OS */
} cns_heap_stats;

/* The creating thread owns the heap; ownership moves to another thread when the host hands it over
 * with proper synchronisation. */
CNS_API cns_status cns_heap_create(cns_context *context, const cns_heap_config *config,
                                   cns_heap **out);
/* Frees every allocation at once. In guard mode, leaks are reported to the log first, by tag. */
CNS_API void cns_heap_destroy(cns_heap *heap);

/* 16-byte aligned, contents undefined. NULL over budget or out of memory (counted in `failures`);
 * size 0 gives a unique pointer. Owner only. */
CNS_API void *cns_heap_alloc(cns_heap *heap, size_t size);
/* As above with an alignment: a power of two up to 64 KiB. Free with cns_heap_free. */
CNS_API void *cns_heap_alloc_aligned(cns_heap *heap, size_t size, size_t alignment);
/* Contents up to the smaller size are kept. NULL leaves the old block as it was. pointer NULL
 * allocates; new_size 0 keeps a minimal block. Never moves a block within its size class. */
CNS_API void *cns_heap_realloc(cns_heap *heap, void *pointer, size_t old_size, size_t new_size);
/* `size` is the size asked for. NULL is ignored. Owner only. */
CNS_API void cns_heap_free(cns_heap *heap, void *pointer, size_t size);
/* The same from any other thread: the block joins a lock-free list that the owner collects. */
CNS_API void cns_heap_free_remote(cns_heap *heap, void *pointer, size_t size);
/* Bytes that a request of `size` is charged. Any thread. */
CNS_API size_t cns_heap_charge(size_t size);

/* lua_Alloc's signature: user is the heap. Requests that would pass budget - reserve give NULL, on
 * which Lua collects garbage and retries, then raises a memory error. */
CNS_API void *cns_heap_lua_alloc(void *user, void *pointer, size_t old_size, size_t new_size);
/* While on, the reserve may be used: around lua_close, message handlers and other error paths. */
CNS_API void cns_heap_use_reserve(cns_heap *heap, int on);

/* Gives pages with no live blocks back to the OS; returns the bytes given back. Owner only. */
CNS_API size_t cns_heap_purge(cns_heap *heap);
/* Frees every allocation, keeps the heap. Owner only. */
CNS_API void cns_heap_reset(cns_heap *heap);
CNS_API void cns_heap_set_budget(cns_heap *heap, uint64_t budget, uint64_t reserve);
/* Later allocations carry `tag` in guard mode's leak report; a literal, or kept alive. */
CNS_API void cns_heap_set_tag(cns_heap *heap, const char *tag);
CNS_API void cns_heap_get_stats(const cns_heap *heap, cns_heap_stats *out);
/* Walks all pages. CNS_E_CORRUPT with a message when an invariant or a red zone is broken. */
CNS_API cns_status cns_heap_check(cns_heap *heap);

/* ---- arena ---------------------------------------------------------------------------------- */

typedef struct cns_arena cns_arena;

typedef struct cns_arena_config {
    uint32_t size;
    uint32_t reserved;
    uint64_t block_size; /* bytes a block; 0 for 8 KiB, doubling up to 1 MiB */
    uint64_t limit;      /* bytes in all; 0 for none */
} cns_arena_config;

/* A point to return to. Plain data; valid until the arena is restored below it or reset. */
typedef struct cns_arena_mark {
    uint64_t position; /* bytes used when the mark was taken */
    uint64_t serial;
} cns_arena_mark;

CNS_API cns_status cns_arena_create(cns_context *context, const cns_arena_config *config,
                                    cns_arena **out);
CNS_API void cns_arena_destroy(cns_arena *arena);
/* NULL over the limit or out of memory. alignment: a power of two up to 4096, 0 for 16. */
CNS_API void *cns_arena_alloc(cns_arena *arena, size_t size, size_t alignment);
/* A copy of `length` bytes with a NUL behind it. NULL as above. */
CNS_API char *cns_arena_copy(cns_arena *arena, const char *bytes, size_t length);
CNS_API void cns_arena_save(cns_arena *arena, cns_arena_mark *out);
/* Frees what came after the mark. CNS_E_STALE when the arena has been restored below the mark. */
CNS_API cns_status cns_arena_restore(cns_arena *arena, const cns_arena_mark *mark);
/* Frees everything, keeps the first block. */
CNS_API void cns_arena_reset(cns_arena *arena);
CNS_API uint64_t cns_arena_used(const cns_arena *arena);
CNS_API uint64_t cns_arena_held(const cns_arena *arena);
CNS_API cns_status cns_arena_check(const cns_arena *arena);

/* ---- pool ----------------------------------------------------------------------------------- */

typedef struct cns_pool cns_pool;
/* Low 32 bits: slot index; high 32 bits: generation, never 0. 0 names nothing. */
typedef uint64_t cns_handle;

typedef struct cns_pool_config {
    uint32_t size;
    uint32_t slot_align; /* a power of two up to 64; 0 for 16 */
    uint64_t slot_size;  /* bytes a slot, 1 to 1 MiB */
    uint64_t capacity;   /* the most slots; 0 for 2^32 - 1 */
} cns_pool_config;

CNS_API cns_status cns_pool_create(cns_context *context, const cns_pool_config *config,
                                   cns_pool **out);
CNS_API void cns_pool_destroy(cns_pool *pool);
/* A zeroed slot. CNS_E_LIMIT at capacity, CNS_E_NOMEM. */
CNS_API cns_status cns_pool_acquire(cns_pool *pool, cns_handle *out);
/* The slot's memory, which never moves; NULL when the handle is stale or was never given out. */
CNS_API void *cns_pool_get(const cns_pool *pool, cns_handle handle);
/* CNS_E_STALE when it was released already. A slot whose generation is used up is retired. */
CNS_API cns_status cns_pool_release(cns_pool *pool, cns_handle handle);
CNS_API uint64_t cns_pool_count(const cns_pool *pool);
CNS_API uint64_t cns_pool_held(const cns_pool *pool);
/* The live slot after `previous` (0 to begin), in slot order; 0 at the end. */
CNS_API cns_handle cns_pool_next(const cns_pool *pool, cns_handle previous);
CNS_API cns_status cns_pool_check(const cns_pool *pool);

/* ---- buffer --------------------------------------------------------------------------------- */

typedef enum cns_type {
    CNS_I8 = 1,
    CNS_I16 = 2,
    CNS_I32 = 3,
    CNS_I64 = 4,
    CNS_U8 = 5,
    CNS_U16 = 6,
    CNS_U32 = 7,
    CNS_U64 = 8,
    CNS_F32 = 9,
    CNS_F64 = 10
} cns_type;

/* Bytes an element; 0 for an unknown type. Any thread. */
CNS_API size_t cns_type_size(cns_type type);
/* "i8" ... "f64"; NULL for an unknown type. */
CNS_API const char *cns_type_name(cns_type type);
/* CNS_E_NOTFOUND for an unknown name. */
CNS_API cns_status cns_type_parse(const char *name, cns_type *out);

/* A view of shared storage: [offset, offset + count) of it. The storage lives until its last view
 * and its last borrow are gone. Views may be made and destroyed on any thread. */
typedef struct cns_buffer cns_buffer;

/* `count` zeroed elements, 64-byte aligned. CNS_E_LIMIT when count * size overflows or passes the
 * context's memory limit. */
CNS_API cns_status cns_buffer_create(cns_context *context, cns_type type, uint64_t count,
                                     cns_buffer **out);
/* A view of elements [begin, begin + count) of `buffer`: shared, not copied. CNS_E_RANGE. */
CNS_API cns_status cns_buffer_slice(const cns_buffer *buffer, uint64_t begin, uint64_t count,
                                    cns_buffer **out);
CNS_API void cns_buffer_destroy(cns_buffer *buffer);
CNS_API cns_type cns_buffer_type(const cns_buffer *buffer);
CNS_API uint64_t cns_buffer_count(const cns_buffer *buffer);
/* The first element. Reading needs that no one borrows the range for writing, writing that no one
 * borrows it at all: cns_buffer_access says whether that is so. */
CNS_API void *cns_buffer_data(const cns_buffer *buffer);

typedef enum cns_access { CNS_ACCESS_READ = 1, CNS_ACCESS_WRITE = 2 } cns_access;

/* A borrow hands a range to another thread: any number of readers, or one writer of a disjoint
 * range. The borrow is itself a buffer (a view), to be given to that thread; ending it with
 * cns_buffer_destroy gives the range back. A slice of a borrowed view shares its right and keeps
 * the borrow alive; borrowing from a borrowed view lends on what it may do itself, and shuts it out
 * meanwhile as a plain view is. CNS_E_BUSY when it overlaps a borrow of the other kind. Any thread.
 */
CNS_API cns_status cns_buffer_borrow(const cns_buffer *buffer, cns_access access, cns_buffer **out);
/* CNS_OK when this view may be accessed so now: for a plain view, no overlapping borrow forbids
 * it; for a borrowed view, its own borrow allows it. CNS_E_BUSY otherwise. Cheap without borrows.
 */
CNS_API cns_status cns_buffer_access(const cns_buffer *buffer, cns_access access);
/* CNS_ACCESS_READ or WRITE for a borrowed view, 0 for a plain one. */
CNS_API int cns_buffer_borrowed(const cns_buffer *buffer);

/* 1 when other views or borrows of the same storage are alive, 0 when this is the only one. */
CNS_API int cns_buffer_shared(const cns_buffer *buffer);

/* Element access by 0-based index. A conversion is exact or CNS_E_RANGE, both ways: integers must
 * fit the element type, floats go to integer elements only when they are integral, u64 above
 * INT64_MAX is not read as i64, nor 2^53 + 1 as f64. The one that rounds is a double that goes to
 * f32, as a C cast does. All check the index and the borrow. */
CNS_API cns_status cns_buffer_get_i64(const cns_buffer *buffer, uint64_t index, int64_t *out);
CNS_API cns_status cns_buffer_get_f64(const cns_buffer *buffer, uint64_t index, double *out);
CNS_API cns_status cns_buffer_set_i64(cns_buffer *buffer, uint64_t index, int64_t value);
CNS_API cns_status cns_buffer_set_f64(cns_buffer *buffer, uint64_t index, double value);
CNS_API cns_status cns_buffer_fill_i64(cns_buffer *buffer, int64_t value);
CNS_API cns_status cns_buffer_fill_f64(cns_buffer *buffer, double value);
/* Copies source's elements to target from `begin` on; same type; overlap handled. */
CNS_API cns_status cns_buffer_copy(cns_buffer *target, uint64_t begin, const cns_buffer *source);
CNS_API cns_status cns_buffer_check(const cns_buffer *buffer);

/* The matrix product c = a * b of f64 buffers, row by row: a is rows x inner, b inner x columns, c
 * rows x columns. Each element is the sum of its products in the order of `inner`, unfused, so the
 * result is the same to the bit on every machine. CNS_E_INVALID when a buffer is not of f64, or c
 * overlaps a or b; CNS_E_RANGE when a size does not fit; CNS_E_BUSY as cns_buffer_access. */
CNS_API cns_status cns_buffer_matmul(cns_buffer *c, const cns_buffer *a, const cns_buffer *b,
                                     uint64_t rows, uint64_t inner, uint64_t columns);

/* ---- columns -------------------------------------------------------------------------------- */

typedef struct cns_columns cns_columns;

typedef struct cns_field {
    const char *name; /* 1 to 63 bytes, unique; copied */
    cns_type type;
    uint32_t reserved;
} cns_field;

/* A growable table of records, one 64-byte aligned array a field. 1 to 256 fields. */
CNS_API cns_status cns_columns_create(cns_context *context, const cns_field *fields,
                                      uint32_t field_count, uint64_t capacity, cns_columns **out);
CNS_API void cns_columns_destroy(cns_columns *columns);
CNS_API uint64_t cns_columns_count(const cns_columns *columns);
CNS_API uint64_t cns_columns_held(const cns_columns *columns);
CNS_API uint32_t cns_columns_field_count(const cns_columns *columns);
CNS_API const char *cns_columns_field_name(const cns_columns *columns, uint32_t field);
CNS_API cns_type cns_columns_field_type(const cns_columns *columns, uint32_t field);
/* The index of a field by name; CNS_E_NOTFOUND. */
CNS_API cns_status cns_columns_find(const cns_columns *columns, const char *name, uint32_t *out);
/* Appends zeroed rows; `first` gets the index of the first new one. CNS_E_BUSY when it must grow
 * while column views are alive. */
CNS_API cns_status cns_columns_append(cns_columns *columns, uint64_t rows, uint64_t *first);
/* Moves the last row into `row` and drops the last. CNS_E_RANGE, CNS_E_BUSY. */
CNS_API cns_status cns_columns_remove(cns_columns *columns, uint64_t row);
CNS_API cns_status cns_columns_clear(cns_columns *columns);
/* A view of one column's rows [0, count): a buffer, to be destroyed by the caller. While views are
 * alive the table does not grow, shrink or move. */
CNS_API cns_status cns_columns_view(const cns_columns *columns, uint32_t field, cns_buffer **out);
/* The column's first element, valid until the next append, remove or clear. */
CNS_API void *cns_columns_data(const cns_columns *columns, uint32_t field);
/* Element access with cns_buffer_get/set's conversions and checks. */
CNS_API cns_status cns_columns_get_i64(const cns_columns *columns, uint32_t field, uint64_t row,
                                       int64_t *out);
CNS_API cns_status cns_columns_get_f64(const cns_columns *columns, uint32_t field, uint64_t row,
                                       double *out);
CNS_API cns_status cns_columns_set_i64(cns_columns *columns, uint32_t field, uint64_t row,
                                       int64_t value);
CNS_API cns_status cns_columns_set_f64(cns_columns *columns, uint32_t field, uint64_t row,
                                       double value);
CNS_API cns_status cns_columns_check(const cns_columns *columns);

#ifdef __cplusplus
}
#endif

#endif
