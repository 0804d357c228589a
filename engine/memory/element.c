/* SPDX-License-Identifier: MIT
 *
 * memory/element.c - element types by name and size, and what is said when a value does not fit.
 */
#include "memory/element.h"

#include <inttypes.h>
#include <string.h>

#include "base/context.h"

typedef struct type_entry {
    const char *name;
    size_t size;
} type_entry;

/* Indexed by cns_type. */
static const type_entry type_table[] = {
    {NULL, 0},  {"i8", 1},  {"i16", 2}, {"i32", 4}, {"i64", 8}, {"u8", 1},
    {"u16", 2}, {"u32", 4}, {"u64", 8}, {"f32", 4}, {"f64", 8},
};

size_t cns_type_size(cns_type type) {
    return cns_type_valid(type) ? type_table[type].size : 0;
}

const char *cns_type_name(cns_type type) {
    return cns_type_valid(type) ? type_table[type].name : NULL;
}

cns_status cns_type_parse(const char *name, cns_type *out) {
    if (!name || !out) {
        return CNS_E_INVALID;
    }
    for (int type = CNS_I8; type <= CNS_F64; type++) {
        if (strcmp(name, type_table[type].name) == 0) {
            *out = (cns_type)type;
            return CNS_OK;
        }
    }
    return CNS_E_NOTFOUND;
}

cns_status cns_element_refuse_i64(cns_context *context, cns_type type, int64_t value) {
    return cns_fail(context, CNS_E_RANGE, "%" PRId64 " does not fit %s exactly", value,
                    cns_type_name(type));
}

cns_status cns_element_refuse_f64(cns_context *context, cns_type type, double value) {
    return cns_fail(context, CNS_E_RANGE, "%.17g does not fit %s exactly", value,
                    cns_type_name(type));
}

cns_status cns_element_refuse_load(cns_context *context, cns_type type, const char *wanted) {
    return cns_fail(context, CNS_E_RANGE, "the %s element has no exact value as %s",
                    cns_type_name(type), wanted);
}

cns_status cns_element_refuse_index(cns_context *context, uint64_t index, uint64_t count) {
    return cns_fail(context, CNS_E_RANGE, "index %" PRIu64 " lies outside [0, %" PRIu64 ")", index,
                    count);
}
