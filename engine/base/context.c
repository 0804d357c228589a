/* SPDX-License-Identifier: MIT
 *
 * base/context.c - the context: memory account, last message, log, dispatch level.
 *
 * The account is charged before memory is asked for and credited after it is given back, so `held`
 * is never below the truth and a limit is never passed, even by a race.
 */
#include "base/context.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/os.h"

enum { MESSAGE_CAPACITY = 512, LOG_LINE_CAPACITY = 512 };

struct cns_context {
    cns_allocator allocator;
    bool host_allocator;
    cns_context *outer; /* NULL: this one stands alone */
    const char *owner;  /* of an inner one's limit */
    cns_log_fn log;
    void *log_user;
    cns_log_level log_level;
    cns_cpu_level cpu_level;
    _Atomic uint64_t held;
    _Atomic uint64_t peak;
    _Atomic uint64_t limit;
    _Atomic uint64_t refused;
    cns_mutex message_lock;
    char message[MESSAGE_CAPACITY];
};

/* ---- the default allocator ------------------------------------------------------------------ */

static void *resize_aligned(void *pointer, size_t old_size, size_t new_size, size_t alignment) {
    void *moved = aligned_alloc(alignment, cns_align_up(new_size, alignment));
    if (moved && pointer) {
        memcpy(moved, pointer, old_size < new_size ? old_size : new_size);
        free(pointer);
    }
    return moved;
}

static void *default_resize(void *user, void *pointer, size_t old_size, size_t new_size,
                            size_t alignment) {
    (void)user;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    if (alignment <= _Alignof(max_align_t)) {
        return realloc(pointer, new_size);
    }
    return resize_aligned(pointer, old_size, new_size, alignment);
}

/* ---- creation ------------------------------------------------------------------------------- */

static cns_status choose_cpu_level(cns_cpu_level wanted, cns_cpu_level *out) {
    if (wanted == CNS_CPU_DETECT) {
        *out = cns_cpu_detect();
        return CNS_OK;
    }
    if (!cns_cpu_supports(wanted)) {
        return CNS_E_UNSUPPORTED;
    }
    *out = wanted;
    return CNS_OK;
}

cns_status cns_context_create(const cns_context_config *config, cns_context **out) {
    static const cns_context_config defaults = {.size = sizeof defaults};
    if (!out) {
        return CNS_E_INVALID;
    }
    if (!config) {
        config = &defaults;
    }
    if (config->size != sizeof *config || (config->allocator && !config->allocator->resize)) {
        return CNS_E_INVALID;
    }
    cns_cpu_level level;
    cns_status status = choose_cpu_level(config->cpu_level, &level);
    if (status != CNS_OK) {
        return status;
    }
    cns_allocator allocator = {default_resize, NULL};
    if (config->allocator) {
        allocator = *config->allocator;
    }
    cns_context *context =
        allocator.resize(allocator.user, NULL, 0, sizeof *context, _Alignof(cns_context));
    if (!context) {
        return CNS_E_NOMEM;
    }
    memset(context, 0, sizeof *context);
    if (cns_mutex_init(&context->message_lock) != 0) {
        allocator.resize(allocator.user, context, sizeof *context, 0, _Alignof(cns_context));
        return CNS_E_NOMEM;
    }
    context->allocator = allocator;
    context->host_allocator = config->allocator != NULL;
    context->log = config->log;
    context->log_user = config->log_user;
    context->log_level = config->log_level ? config->log_level : CNS_LOG_WARNING;
    context->cpu_level = level;
    atomic_init(&context->limit, config->memory_limit);
    atomic_init(&context->refused, 0);
    *out = context;
    return CNS_OK;
}

/* The allocator of an inner context: the outer one, which charges its own account. */
static void *outer_resize(void *user, void *pointer, size_t old_size, size_t new_size,
                          size_t alignment) {
    cns_context *outer = user;
    if (new_size == 0) {
        cns_context_free(outer, pointer, old_size, alignment);
        return NULL;
    }
    if (!pointer) {
        return cns_context_alloc(outer, new_size, alignment);
    }
    return cns_context_realloc(outer, pointer, old_size, new_size);
}

cns_status cns_context_create_inner(cns_context *outer, const char *owner, uint64_t memory_limit,
                                    cns_context **out) {
    const cns_allocator allocator = {outer_resize, outer};
    const cns_context_config config = {
        .size = sizeof config,
        .allocator = &allocator,
        .log = outer->log,
        .log_user = outer->log_user,
        .log_level = outer->log_level,
        .memory_limit = memory_limit,
    };
    cns_context *context;
    cns_status status = cns_context_create(&config, &context);
    if (status != CNS_OK) {
        return cns_context_memory_status(outer, sizeof *context);
    }
    context->cpu_level = outer->cpu_level;
    context->outer = outer;
    context->owner = owner;
    *out = context;
    return CNS_OK;
}

void cns_context_destroy(cns_context *context) {
    if (!context) {
        return;
    }
    uint64_t held = atomic_load(&context->held);
    if (held != 0) {
        cns_context_log(context, CNS_LOG_ERROR, "context", "leak: %llu bytes still held at destroy",
                        (unsigned long long)held);
    }
    cns_mutex_deinit(&context->message_lock);
    cns_allocator allocator = context->allocator;
    allocator.resize(allocator.user, context, sizeof *context, 0, _Alignof(cns_context));
}

/* ---- messages and log ----------------------------------------------------------------------- */

cns_status cns_fail(cns_context *context, cns_status status, const char *format, ...) {
    while (context && context->outer) {
        context = context->outer;
    }
    if (context) {
        va_list arguments;
        va_start(arguments, format);
        cns_mutex_lock(&context->message_lock);
        vsnprintf(context->message, sizeof context->message, format, arguments);
        cns_mutex_unlock(&context->message_lock);
        va_end(arguments);
    }
    return status;
}

size_t cns_context_message(const cns_context *context, char *buffer, size_t capacity) {
    cns_mutex *lock = (cns_mutex *)&context->message_lock; /* logically const */
    cns_mutex_lock(lock);
    size_t length = strlen(context->message);
    if (buffer && capacity) {
        size_t cut = length < capacity - 1 ? length : capacity - 1;
        memcpy(buffer, context->message, cut);
        buffer[cut] = '\0';
    }
    cns_mutex_unlock(lock);
    return length;
}

void cns_context_log(cns_context *context, cns_log_level level, const char *channel,
                     const char *format, ...) {
    if (!context->log || level > context->log_level) {
        return;
    }
    char line[LOG_LINE_CAPACITY];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    context->log(context->log_user, level, channel, line);
}

cns_cpu_level cns_context_cpu_level(const cns_context *context) {
    return context->cpu_level;
}

/* ---- the memory account --------------------------------------------------------------------- */

static void raise_peak(cns_context *context, uint64_t held) {
    uint64_t peak = atomic_load_explicit(&context->peak, memory_order_relaxed);
    while (held > peak &&
           !atomic_compare_exchange_weak_explicit(&context->peak, &peak, held, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

static bool account_charge(cns_context *context, uint64_t bytes) {
    uint64_t limit = atomic_load_explicit(&context->limit, memory_order_relaxed);
    uint64_t held = atomic_load_explicit(&context->held, memory_order_relaxed);
    do {
        if (bytes > UINT64_MAX - held || (limit && (held > limit || bytes > limit - held))) {
            atomic_fetch_add_explicit(&context->refused, 1, memory_order_relaxed);
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&context->held, &held, held + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    raise_peak(context, held + bytes);
    return true;
}

static void account_credit(cns_context *context, uint64_t bytes) {
    uint64_t held = atomic_fetch_sub_explicit(&context->held, bytes, memory_order_relaxed);
    CNS_ASSERT(held >= bytes);
    (void)held;
}

void cns_context_memory(const cns_context *context, cns_memory_stats *out) {
    out->held = atomic_load_explicit(&context->held, memory_order_relaxed);
    out->peak = atomic_load_explicit(&context->peak, memory_order_relaxed);
    out->limit = atomic_load_explicit(&context->limit, memory_order_relaxed);
    out->refused = atomic_load_explicit(&context->refused, memory_order_relaxed);
}

void cns_context_set_memory_limit(cns_context *context, uint64_t bytes) {
    atomic_store_explicit(&context->limit, bytes, memory_order_relaxed);
}

cns_status cns_context_memory_status(cns_context *context, size_t size) {
    cns_memory_stats stats;
    cns_context_memory(context, &stats);
    /* Whole pages may have been asked for: they are charged rounded up. */
    size_t page = cns_os_page_size();
    size_t charge = size <= SIZE_MAX - page ? cns_align_up(size, page) : size;
    if (stats.limit && (stats.held > stats.limit || charge > stats.limit - stats.held)) {
        return cns_fail(context, CNS_E_LIMIT,
                        "%zu bytes would pass the %s%smemory limit (%llu of %llu bytes are held)",
                        size, context->owner ? context->owner : "", context->owner ? "'s " : "",
                        (unsigned long long)stats.held, (unsigned long long)stats.limit);
    }
    if (context->outer) {
        return cns_context_memory_status(context->outer, size);
    }
    return cns_fail(context, CNS_E_NOMEM, "out of memory: %zu bytes could not be had", size);
}

/* ---- blocks --------------------------------------------------------------------------------- */

void *cns_context_alloc(cns_context *context, size_t size, size_t alignment) {
    CNS_ASSERT(cns_is_power_of_two(alignment));
    size = size ? size : 1;
    if (size > SIZE_MAX / 2 || !account_charge(context, size)) {
        return NULL;
    }
    void *pointer = context->allocator.resize(context->allocator.user, NULL, 0, size, alignment);
    if (!pointer) {
        account_credit(context, size);
    }
    return pointer;
}

void *cns_context_calloc(cns_context *context, size_t size) {
    void *pointer = cns_context_alloc(context, size, CNS_ALIGN_DEFAULT);
    return pointer ? memset(pointer, 0, size) : NULL;
}

/* A block that grows may have to move, and then both are there for a while: the account holds both.
 * One that shrinks is charged nothing more, so that a limit never stands in its way. */
void *cns_context_realloc(cns_context *context, void *pointer, size_t old_size, size_t new_size) {
    if (!pointer) {
        return cns_context_alloc(context, new_size, CNS_ALIGN_DEFAULT);
    }
    old_size = old_size ? old_size : 1;
    new_size = new_size ? new_size : 1;
    bool grows = new_size > old_size;
    if (new_size > SIZE_MAX / 2 || (grows && !account_charge(context, new_size))) {
        return NULL;
    }
    void *moved = context->allocator.resize(context->allocator.user, pointer, old_size, new_size,
                                            CNS_ALIGN_DEFAULT);
    if (grows) {
        account_credit(context, moved ? old_size : new_size);
    } else if (moved) {
        account_credit(context, old_size - new_size);
    }
    return moved;
}

void cns_context_free(cns_context *context, void *pointer, size_t size, size_t alignment) {
    if (!pointer) {
        return;
    }
    size = size ? size : 1;
    context->allocator.resize(context->allocator.user, pointer, size, 0, alignment);
    account_credit(context, size);
}

void *cns_context_resize(cns_context *context, void *pointer, size_t old_size, size_t new_size) {
    if (new_size == 0) {
        cns_context_free(context, pointer, old_size, CNS_ALIGN_DEFAULT);
        return NULL;
    }
    void *moved = cns_context_realloc(context, pointer, old_size, new_size);
    if (!moved) {
        cns_context_memory_status(context, new_size);
    }
    return moved;
}

/* ---- pages ---------------------------------------------------------------------------------- */

void *cns_context_map(cns_context *context, size_t size, size_t alignment, int *zeroed) {
    size_t page = cns_os_page_size();
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size = cns_align_up(size ? size : 1, page);
    alignment = alignment < page ? page : alignment;
    if (!account_charge(context, size)) {
        return NULL;
    }
    void *pages = context->host_allocator
                      ? context->allocator.resize(context->allocator.user, NULL, 0, size, alignment)
                      : cns_os_pages_map(size, alignment);
    if (!pages) {
        account_credit(context, size);
    } else if (zeroed) {
        *zeroed = !context->host_allocator;
    }
    return pages;
}

void cns_context_unmap(cns_context *context, void *pages, size_t size, size_t alignment) {
    if (!pages) {
        return;
    }
    size_t page = cns_os_page_size();
    size = cns_align_up(size ? size : 1, page);
    alignment = alignment < page ? page : alignment;
    if (context->host_allocator) {
        context->allocator.resize(context->allocator.user, pages, size, 0, alignment);
    } else {
        cns_os_pages_unmap(pages, size);
    }
    account_credit(context, size);
}

int cns_context_purge(cns_context *context, void *pages, size_t size) {
    return context->host_allocator ? 0 : cns_os_pages_purge(pages, size);
}
