/* SPDX-License-Identifier: MIT
 *
 * memory/linear.c - the matrix product over buffers: checks, then the kernel for this machine.
 */
#include "memory/linear.h"

#include "base/context.h"
#include "memory/storage.h"

/* Elements of a rows x columns matrix; false when they cannot be counted. */
static bool area(uint64_t rows, uint64_t columns, uint64_t *out) {
    if (columns != 0 && rows > UINT64_MAX / columns) {
        return false;
    }
    *out = rows * columns;
    return true;
}

static cns_status check_matrix(cns_context *context, const char *name, const cns_buffer *buffer,
                               uint64_t rows, uint64_t columns, cns_access access) {
    uint64_t count;
    if (cns_buffer_type(buffer) != CNS_F64) {
        return cns_fail(context, CNS_E_INVALID, "matmul: %s must hold f64, it holds %s", name,
                        cns_type_name(cns_buffer_type(buffer)));
    }
    if (!area(rows, columns, &count) || count != cns_buffer_count(buffer)) {
        return cns_fail(context, CNS_E_RANGE,
                        "matmul: %s has %llu elements, a matrix of %llu x %llu is needed", name,
                        (unsigned long long)cns_buffer_count(buffer), (unsigned long long)rows,
                        (unsigned long long)columns);
    }
    return cns_buffer_access(buffer, access);
}

static bool overlap(const cns_buffer *x, const cns_buffer *y) {
    uintptr_t x_begin = (uintptr_t)cns_buffer_data(x), y_begin = (uintptr_t)cns_buffer_data(y);
    uintptr_t x_end = x_begin + (uintptr_t)cns_buffer_count(x) * sizeof(double);
    uintptr_t y_end = y_begin + (uintptr_t)cns_buffer_count(y) * sizeof(double);
    return x_begin < y_end && y_begin < x_end;
}

static cns_matmul_fn *kernel(const cns_context *context) {
#if defined(__x86_64__)
    cns_cpu_level level = cns_context_cpu_level(context);
    if (level == CNS_CPU_AVX2 || level == CNS_CPU_AVX512) {
        return cns_matmul_avx2;
    }
#else
    (void)context;
#endif
    return cns_matmul_portable;
}

cns_status cns_buffer_matmul(cns_buffer *c, const cns_buffer *a, const cns_buffer *b, uint64_t rows,
                             uint64_t inner, uint64_t columns) {
    if (!a || !b || !c) {
        return CNS_E_INVALID;
    }
    cns_context *context = cns_buffer_context(c);
    cns_status status = check_matrix(context, "a", a, rows, inner, CNS_ACCESS_READ);
    if (status == CNS_OK) {
        status = check_matrix(context, "b", b, inner, columns, CNS_ACCESS_READ);
    }
    if (status == CNS_OK) {
        status = check_matrix(context, "c", c, rows, columns, CNS_ACCESS_WRITE);
    }
    if (status != CNS_OK) {
        return status;
    }
    if (overlap(c, a) || overlap(c, b)) {
        return cns_fail(context, CNS_E_INVALID, "matmul: c overlaps a or b");
    }
    /* The counts fit a size_t each, being the counts of buffers; an empty factor may not. */
    if (cns_buffer_count(c) == 0) {
        return CNS_OK;
    }
    kernel(context)(cns_buffer_data(c), cns_buffer_data(a), cns_buffer_data(b), (size_t)rows,
                    (size_t)inner, (size_t)columns);
    return CNS_OK;
}
