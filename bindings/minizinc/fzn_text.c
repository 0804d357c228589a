/* SPDX-License-Identifier: MIT
 *
 * fzn_text.c - the reader's text and memory, places in the text, and messages about them.
 *
 * Lines are not counted while reading: most are never asked for. A place is looked up when it is.
 */
#define _GNU_SOURCE /* O_CLOEXEC */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fzn_reader.h"

/* ---- messages ---------------------------------------------------------------------------------
 */

void fzn_locate(fzn_reader *r, uint64_t position, uint64_t *line, uint64_t *column) {
    uint64_t size = (uint64_t)(r->end - r->text);
    position = position < size ? position : size;
    if (position < r->located) {
        r->located = r->located_line = r->located_start = 0;
    }
    const char *at = r->text + r->located, *to = r->text + position;
    while (at < to && (at = memchr(at, '\n', (size_t)(to - at)))) {
        at++;
        r->located_line++;
        r->located_start = (uint64_t)(at - r->text);
    }
    r->located = position;
    *line = r->located_line + 1;
    *column = position - r->located_start + 1;
}

bool fzn_fail(fzn_reader *r, cns_status status, const char *where, const char *format, ...) {
    if (r->status != CNS_OK) {
        return false;
    }
    uint64_t line, column;
    r->status = status;
    fzn_locate(r, (uint64_t)(where - r->text), &line, &column);
    int length =
        snprintf(r->message, sizeof r->message,
                 "line %llu, column %llu: ", (unsigned long long)line, (unsigned long long)column);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->message + length, sizeof r->message - (size_t)length, format, arguments);
    va_end(arguments);
    return false;
}

/* The token at `at` in the message's words. Bytes that a terminal might take amiss come as hex. */
static void describe(const fzn_reader *r, const char *at, char *out, size_t capacity) {
    int length = 1;
    unsigned char c = (unsigned char)*at;
    if (at >= r->end) {
        snprintf(out, capacity, "the end of the file");
    } else if (c <= ' ' || c >= 127) {
        snprintf(out, capacity, "byte 0x%02x", (unsigned)c);
    } else {
        if (fzn_is_name(*at) || *at == '-') {
            while (length < 40 && fzn_is_name(at[length])) {
                length++;
            }
        }
        snprintf(out, capacity, "'%.*s'", length, at);
    }
}

bool fzn_expected(fzn_reader *r, const char *what) {
    char found[64];
    describe(r, r->at, found, sizeof found);
    return fzn_fail(r, CNS_E_INVALID, r->at, "found %s, expected %s", found, what);
}

bool fzn_out_of_memory(fzn_reader *r) {
    if (r->status == CNS_OK) {
        r->status = CNS_E_NOMEM;
        if (!cns_context_message(r->context, r->message, sizeof r->message)) {
            snprintf(r->message, sizeof r->message, "%s", cns_status_text(CNS_E_NOMEM));
        }
    }
    return false;
}

const char *fzn_message(const fzn_reader *r) {
    return r->message;
}

/* ---- blanks -----------------------------------------------------------------------------------
 */

void fzn_skip_space_slow(fzn_reader *r) {
    const char *at = r->at;
    for (;; at++) {
        if (*at == '%') {
            const char *line_end = memchr(at, '\n', (size_t)(r->end - at));
            at = line_end ? line_end : r->end;
        }
        if (*at != ' ' && *at != '\n' && *at != '\t' && *at != '\r') {
            break;
        }
    }
    r->at = at;
}

/* ---- memory -----------------------------------------------------------------------------------
 */

void *fzn_reserve(fzn_reader *r, void *table, uint32_t count, uint32_t *capacity, size_t size) {
    if (count < *capacity) {
        return table;
    }
    if (count >= UINT32_MAX / 2) {
        fzn_fail(r, CNS_E_RANGE, r->at, "more than %u of one kind in one file", count);
        return NULL;
    }
    uint32_t wanted = count ? 2 * count : 64;
    void *grown = cns_context_resize(r->context, table, *capacity * size, wanted * size);
    if (!grown) {
        fzn_out_of_memory(r);
        return NULL;
    }
    *capacity = wanted;
    return grown;
}

void fzn_release(fzn_reader *r, void *table, uint32_t capacity, size_t size) {
    if (table) {
        cns_context_resize(r->context, table, capacity * size, 0);
    }
}

void *fzn_store(fzn_reader *r, size_t count, size_t size) {
    void *bytes = cns_arena_alloc(r->store, count * size, 16);
    if (!bytes) {
        fzn_out_of_memory(r);
    }
    return bytes;
}

const fzn_value *fzn_store_stack(fzn_reader *r, uint32_t base) {
    uint32_t count = r->top - base;
    fzn_value *values = fzn_store(r, count, sizeof *values);
    if (values && count) {
        memcpy(values, r->stack + base, count * sizeof *values);
    }
    r->top = base;
    return values;
}

/* ---- the text ---------------------------------------------------------------------------------
 */

static cns_status begin(fzn_reader *r, size_t size) {
    memset(r->text + size, 0, FZN_PADDING);
    r->at = r->text;
    r->end = r->text + size;
    r->stage = FZN_LOADED;
    fzn_names_set_text_size(r, size);
    return CNS_OK;
}

static bool resize_text(fzn_reader *r, size_t capacity) {
    char *text = cns_context_resize(r->context, r->text, r->text_capacity, capacity);
    if (!text) {
        return fzn_out_of_memory(r);
    }
    r->text = text;
    r->text_capacity = capacity;
    return true;
}

static cns_status refuse(fzn_reader *r, cns_status status, const char *why) {
    r->status = status;
    snprintf(r->message, sizeof r->message, "%s", why);
    return status;
}

/* Until a read gives nothing: a pipe has no size, and a file may grow. */
static cns_status read_all(fzn_reader *r, int file) {
    struct stat about;
    if (fstat(file, &about) != 0) {
        return refuse(r, CNS_E_IO, strerror(errno));
    }
    size_t expected = S_ISREG(about.st_mode) ? (size_t)about.st_size : 1 << 16;
    if (expected > SIZE_MAX / 4 || !resize_text(r, expected + 1 + FZN_PADDING)) {
        return fzn_out_of_memory(r), r->status;
    }
    for (size_t size = 0;;) {
        size_t room = r->text_capacity - FZN_PADDING - size;
        if (room == 0) {
            if (!resize_text(r, r->text_capacity + r->text_capacity / 2)) {
                return r->status;
            }
            continue;
        }
        ssize_t got = read(file, r->text + size, room);
        if (got == 0) {
            return begin(r, size);
        } else if (got > 0) {
            size += (size_t)got;
        } else if (errno != EINTR) {
            return refuse(r, CNS_E_IO, strerror(errno));
        }
    }
}

cns_status fzn_reader_load(fzn_reader *r, const char *path) {
    if (r->status != CNS_OK) {
        return r->status;
    }
    if (r->stage != FZN_EMPTY) {
        return refuse(r, CNS_E_INVALID, "a reader takes one text");
    }
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return refuse(r, CNS_E_IO, strerror(errno));
    }
    cns_status status = read_all(r, file);
    close(file);
    return status;
}

cns_status fzn_reader_set_text(fzn_reader *r, const void *bytes, size_t size) {
    if (r->status != CNS_OK) {
        return r->status;
    }
    if (r->stage != FZN_EMPTY) {
        return refuse(r, CNS_E_INVALID, "a reader takes one text");
    }
    if (size > SIZE_MAX / 4 || !resize_text(r, size + FZN_PADDING)) {
        return fzn_out_of_memory(r), r->status;
    }
    if (size) {
        memcpy(r->text, bytes, size);
    }
    return begin(r, size);
}
