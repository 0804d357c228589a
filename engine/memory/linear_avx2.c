/* SPDX-License-Identifier: MIT
 *
 * memory/linear_avx2.c - the matrix product with registers of four doubles. Written with intrinsics
 * because compilers vectorise the portable tile along the wrong axis here.
 */
#if defined(__x86_64__)
#include <immintrin.h>

#include "memory/linear.h"

#define MATMUL cns_matmul_avx2
enum { ROWS = 4, WIDTH = 8 };

static void tile(double *restrict c, const double *restrict a, const double *restrict b,
                 size_t inner, size_t columns) {
    __m256d low[ROWS], high[ROWS];
    for (int i = 0; i < ROWS; i++) {
        low[i] = high[i] = _mm256_setzero_pd();
    }
    for (size_t k = 0; k < inner; k++, b += columns) {
        __m256d b_low = _mm256_loadu_pd(b);
        __m256d b_high = _mm256_loadu_pd(b + 4);
        for (int i = 0; i < ROWS; i++) {
            __m256d factor = _mm256_broadcast_sd(a + (size_t)i * inner + k);
            low[i] = _mm256_add_pd(low[i], _mm256_mul_pd(factor, b_low));
            high[i] = _mm256_add_pd(high[i], _mm256_mul_pd(factor, b_high));
        }
    }
    for (int i = 0; i < ROWS; i++) {
        _mm256_storeu_pd(c + (size_t)i * columns, low[i]);
        _mm256_storeu_pd(c + (size_t)i * columns + 4, high[i]);
    }
}

#include "memory/linear_kernel.inc"
#else
typedef int cns_matmul_avx2_is_for_x86; /* a translation unit must declare something */
#endif
