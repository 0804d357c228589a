/* SPDX-License-Identifier: MIT
 *
 * remarks.c - remarks to bytes and back.
 */
#include "vm/remarks.h"

#include <string.h>

enum { HEAD = 1 + 4 };

void cns_remarks_write(const cns_ir_function *function, cns_text *bytes) {
    for (uint32_t r = 0; r < function->remark_count; r++) {
        const cns_remark *remark = &function->remarks[r];
        char head[HEAD] = {(char)remark->kind};
        for (int i = 0; i < 4; i++) {
            head[1 + i] = (char)(remark->site >> 8 * i);
        }
        cns_text_append(bytes, head, sizeof head);
        cns_text_append(bytes, remark->text, strlen(remark->text) + 1);
    }
}

bool cns_remarks_count(const void *bytes, size_t size, uint32_t *count) {
    const uint8_t *at = bytes;
    *count = 0;
    while (size > 0) {
        const uint8_t *end = size > HEAD ? memchr(at + HEAD, 0, size - HEAD) : NULL;
        if (!end || at[0] > CNS_REMARK_FALLBACK) {
            return false;
        }
        size -= (size_t)(end + 1 - at);
        at = end + 1;
        ++*count;
    }
    return true;
}

void cns_remarks_list(const void *bytes, cns_remark *list, uint32_t count) {
    const uint8_t *at = bytes;
    for (uint32_t r = 0; r < count; r++) {
        uint32_t site = 0;
        for (int i = 0; i < 4; i++) {
            site |= (uint32_t)at[1 + i] << 8 * i;
        }
        list[r] = (cns_remark){(cns_remark_kind)at[0], site, (const char *)at + HEAD};
        at += HEAD + strlen(list[r].text) + 1;
    }
}
