/* SPDX-License-Identifier: MIT
 *
 * base/context.h - what the parts use of a context: memory with an account, failures, tracing.
 *
 * All memory of the engine comes through here, so that the context's limit and figures are exact
 * and a host's allocator sees everything. Callers remember sizes: there are no headers.
 */
#ifndef CNS_BASE_CONTEXT_H
#define CNS_BASE_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "cns/base.h"

/* Sets the context's message (printf style) and returns `status`; context may be NULL. */
cns_status cns_fail(cns_context *context, cns_status status, const char *format, ...)
    CNS_PRINTF(3, 4);

/* A context inside `outer`, for a part that has a limit of its own (0: none): what it holds counts
 * in both, its messages and log lines go to the outer one. `owner` (static) is named in messages
 * about its limit. To be destroyed before the outer one. */
cns_status cns_context_create_inner(cns_context *outer, const char *owner, uint64_t memory_limit,
                                    cns_context **out);

/* Blocks up to a few KiB or of odd lifetimes. NULL when the limit or the memory is used up; the
 * message says which. Contents undefined. `alignment`: a power of two up to 4096. */
void *cns_context_alloc(cns_context *context, size_t size, size_t alignment);
/* As above and zeroed, aligned for any type. */
void *cns_context_calloc(cns_context *context, size_t size);
void *cns_context_realloc(cns_context *context, void *pointer, size_t old_size, size_t new_size);
/* `size` and `alignment` as they were asked for; NULL is ignored. */
void cns_context_free(cns_context *context, void *pointer, size_t size, size_t alignment);

/* What cns_context_calloc and cns_context_realloc align to. */
#define CNS_ALIGN_DEFAULT 16

/* Whole pages, zeroed when they come from the OS (`zeroed` may be NULL); sizes are rounded up to
 * the page size, `alignment` is a power of two up to 4 MiB. NULL as above. */
void *cns_context_map(cns_context *context, size_t size, size_t alignment, int *zeroed);
void cns_context_unmap(cns_context *context, void *pages, size_t size, size_t alignment);
/* Lets the OS take the pages' contents back; the range stays usable. 1 when they then read as 0. */
int cns_context_purge(cns_context *context, void *pages, size_t size);

/* The usual answer after one of the above gave NULL: CNS_E_LIMIT when the context's limit refused
 * `size` bytes, else CNS_E_NOMEM. Sets the message. */
cns_status cns_context_memory_status(cns_context *context, size_t size);

/* One line to the host's sink, when it listens at this level. */
void cns_context_log(cns_context *context, cns_log_level level, const char *channel,
                     const char *format, ...) CNS_PRINTF(4, 5);

#endif
