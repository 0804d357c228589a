/* SPDX-License-Identifier: MIT
 *
 * memory/linear_portable.c - the matrix product for any machine: tiles that fit 16 registers of
 * two doubles, left to the compiler.
 */
#include "memory/linear.h"

#define MATMUL cns_matmul_portable
enum { ROWS = 4, WIDTH = 4 };

static void tile(double *restrict c, const double *restrict a, const double *restrict b,
                 size_t inner, size_t columns) {
    double sum[ROWS][WIDTH] = {{0.0}};
    for (size_t k = 0; k < inner; k++) {
        for (size_t i = 0; i < ROWS; i++) {
            for (size_t j = 0; j < WIDTH; j++) {
                sum[i][j] += a[i * inner + k] * b[k * columns + j];
            }
        }
    }
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < WIDTH; j++) {
            c[i * columns + j] = sum[i][j];
        }
    }
}

#include "memory/linear_kernel.inc"
