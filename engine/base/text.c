/* SPDX-License-Identifier: MIT
 *
 * text.c - growing text.
 */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cns_text_init(cns_text *text, cns_context *context) {
    *text = (cns_text){.context = context};
}

void cns_text_deinit(cns_text *text) {
    cns_context_free(text->context, text->bytes, text->capacity, CNS_ALIGN_DEFAULT);
    cns_text_init(text, text->context);
}

/* Room for `more` bytes and a terminator. */
static bool reserve(cns_text *text, size_t more) {
    if (text->failed || more >= SIZE_MAX / 4 - text->length) {
        text->failed = true;
        return false;
    }
    size_t need = text->length + more + 1;
    if (need <= text->capacity) {
        return true;
    }
    size_t capacity = need + need / 2 + 64;
    char *bytes = cns_context_realloc(text->context, text->bytes, text->capacity, capacity);
    if (!bytes) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void cns_text_append(cns_text *text, const char *bytes, size_t length) {
    if (reserve(text, length)) {
        memcpy(text->bytes + text->length, bytes, length);
        text->length += length;
        text->bytes[text->length] = '\0';
    }
}

void cns_text_printf(cns_text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text->failed = true;
        return;
    }
    if (reserve(text, (size_t)length)) {
        va_start(arguments, format);
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
        va_end(arguments);
        text->length += (size_t)length;
    }
}

cns_status cns_text_status(const cns_text *text) {
    return text->failed ? cns_context_memory_status(text->context, text->length) : CNS_OK;
}
