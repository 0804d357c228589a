/* SPDX-License-Identifier: MIT
 *
 * base/text.h - text that grows: what printers write into.
 *
 * Appending never fails visibly: after a failed allocation the text stays as it is and `failed`
 * is set, which the owner asks once at the end.
 */
#ifndef CNS_BASE_TEXT_H
#define CNS_BASE_TEXT_H

#include <stdbool.h>

#include "base/context.h"

typedef struct cns_text {
    cns_context *context;
    char *bytes; /* terminated once anything was appended; NULL before */
    size_t length;
    size_t capacity;
    bool failed;
} cns_text;

void cns_text_init(cns_text *text, cns_context *context);
void cns_text_deinit(cns_text *text);
void cns_text_append(cns_text *text, const char *bytes, size_t length);
void cns_text_printf(cns_text *text, const char *format, ...) CNS_PRINTF(2, 3);
/* CNS_OK, or why some of it is missing. */
cns_status cns_text_status(const cns_text *text);

#endif
