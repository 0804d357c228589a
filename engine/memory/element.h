/* SPDX-License-Identifier: MIT
 *
 * memory/element.h - one element of a typed array: load and store with checked conversion.
 *
 * The rule: a conversion is exact or refused, but for a double that goes to f32, which is rounded
 * as a C cast rounds. NaN and infinities go to float elements only. These are inline since a
 * script's loops end here.
 */
#ifndef CNS_MEMORY_ELEMENT_H
#define CNS_MEMORY_ELEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "cns/memory.h"

/* Sets the message for a value that does not go into, or come out of, `type`; CNS_E_RANGE. */
cns_status cns_element_refuse_i64(cns_context *context, cns_type type, int64_t value);
cns_status cns_element_refuse_f64(cns_context *context, cns_type type, double value);
cns_status cns_element_refuse_load(cns_context *context, cns_type type, const char *wanted);
/* CNS_E_RANGE for an index; `count` elements are there. */
cns_status cns_element_refuse_index(cns_context *context, uint64_t index, uint64_t count);

static inline bool cns_type_valid(cns_type type) {
    return type >= CNS_I8 && type <= CNS_F64;
}

/* ---- exact conversions: false when there is none ------------------------------------------- */

static inline bool cns_f64_to_i64(double value, int64_t *out) {
    /* Both bounds are powers of two and so exact; NaN fails the comparisons. */
    if (!(value >= -0x1p63 && value < 0x1p63)) {
        return false;
    }
    *out = (int64_t)value;
    return (double)*out == value;
}

static inline bool cns_f64_to_u64(double value, uint64_t *out) {
    if (!(value > -1.0 && value < 0x1p64)) {
        return false;
    }
    *out = (uint64_t)value;
    return (double)*out == value;
}

static inline bool cns_i64_to_f64(int64_t value, double *out) {
    *out = (double)value;
    return *out < 0x1p63 && (int64_t)*out == value;
}

static inline bool cns_u64_to_f64(uint64_t value, double *out) {
    *out = (double)value;
    return *out < 0x1p64 && (uint64_t)*out == value;
}

static inline bool cns_i64_to_f32(int64_t value, float *out) {
    *out = (float)value;
    return *out < 0x1p63f && (int64_t)*out == value;
}

/* ---- load ----------------------------------------------------------------------------------- */

static inline bool cns_element_load_i64(cns_type type, const void *data, uint64_t index,
                                        int64_t *out) {
    switch (type) {
    case CNS_I8:
        *out = ((const int8_t *)data)[index];
        return true;
    case CNS_I16:
        *out = ((const int16_t *)data)[index];
        return true;
    case CNS_I32:
        *out = ((const int32_t *)data)[index];
        return true;
    case CNS_I64:
        *out = ((const int64_t *)data)[index];
        return true;
    case CNS_U8:
        *out = ((const uint8_t *)data)[index];
        return true;
    case CNS_U16:
        *out = ((const uint16_t *)data)[index];
        return true;
    case CNS_U32:
        *out = ((const uint32_t *)data)[index];
        return true;
    case CNS_U64:
        *out = (int64_t)((const uint64_t *)data)[index];
        return *out >= 0;
    case CNS_F32:
        return cns_f64_to_i64(((const float *)data)[index], out);
    case CNS_F64:
        return cns_f64_to_i64(((const double *)data)[index], out);
    }
    return false;
}

static inline bool cns_element_load_f64(cns_type type, const void *data, uint64_t index,
                                        double *out) {
    switch (type) {
    case CNS_F64:
        *out = ((const double *)data)[index];
        return true;
    case CNS_F32:
        *out = ((const float *)data)[index];
        return true;
    case CNS_U64:
        return cns_u64_to_f64(((const uint64_t *)data)[index], out);
    default: {
        int64_t value = 0;
        return cns_element_load_i64(type, data, index, &value) && cns_i64_to_f64(value, out);
    }
    }
}

/* ---- store ---------------------------------------------------------------------------------- */

#define CNS_STORE_WITHIN(ctype, low, high)                                                         \
    if (value < (low) || value > (high)) {                                                         \
        return false;                                                                              \
    }                                                                                              \
    ((ctype *)data)[index] = (ctype)value;                                                         \
    return true

static inline bool cns_element_store_i64(cns_type type, void *data, uint64_t index, int64_t value) {
    switch (type) {
    case CNS_I8:
        CNS_STORE_WITHIN(int8_t, INT8_MIN, INT8_MAX);
    case CNS_I16:
        CNS_STORE_WITHIN(int16_t, INT16_MIN, INT16_MAX);
    case CNS_I32:
        CNS_STORE_WITHIN(int32_t, INT32_MIN, INT32_MAX);
    case CNS_I64:
        ((int64_t *)data)[index] = value;
        return true;
    case CNS_U8:
        CNS_STORE_WITHIN(uint8_t, 0, UINT8_MAX);
    case CNS_U16:
        CNS_STORE_WITHIN(uint16_t, 0, UINT16_MAX);
    case CNS_U32:
        CNS_STORE_WITHIN(uint32_t, 0, (int64_t)UINT32_MAX);
    case CNS_U64:
        CNS_STORE_WITHIN(uint64_t, 0, INT64_MAX);
    case CNS_F32: {
        float converted;
        bool exact = cns_i64_to_f32(value, &converted);
        if (exact) {
            ((float *)data)[index] = converted;
        }
        return exact;
    }
    case CNS_F64: {
        double converted;
        bool exact = cns_i64_to_f64(value, &converted);
        if (exact) {
            ((double *)data)[index] = converted;
        }
        return exact;
    }
    }
    return false;
}

#undef CNS_STORE_WITHIN

static inline bool cns_element_store_f64(cns_type type, void *data, uint64_t index, double value) {
    switch (type) {
    case CNS_F64:
        ((double *)data)[index] = value;
        return true;
    case CNS_F32:
        ((float *)data)[index] = (float)value;
        return true;
    case CNS_U64: {
        uint64_t converted;
        bool exact = cns_f64_to_u64(value, &converted);
        if (exact) {
            ((uint64_t *)data)[index] = converted;
        }
        return exact;
    }
    default: {
        int64_t converted;
        return cns_f64_to_i64(value, &converted) &&
               cns_element_store_i64(type, data, index, converted);
    }
    }
}

#endif
