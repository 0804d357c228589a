/* SPDX-License-Identifier: MIT
 *
 * memory/linear.h - the kernel of the matrix product, one for each instruction set.
 */
#ifndef CNS_MEMORY_LINEAR_H
#define CNS_MEMORY_LINEAR_H

#include <stddef.h>

/* c = a * b, row-major, a: rows x inner, b: inner x columns. No overlap. */
typedef void cns_matmul_fn(double *restrict c, const double *restrict a, const double *restrict b,
                           size_t rows, size_t inner, size_t columns);

cns_matmul_fn cns_matmul_portable;
#if defined(__x86_64__)
cns_matmul_fn cns_matmul_avx2;
#endif

#endif
