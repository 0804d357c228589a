/* SPDX-License-Identifier: MIT
 *
 * loops.h - the C loops that kernels are compared with. They are apart from their caller, so that
 * nothing of it (sizes, what does not overlap) is known when they are compiled.
 */
#ifndef CNS_BENCH_LOOPS_H
#define CNS_BENCH_LOOPS_H

#include <stdint.h>

void saxpy(int64_t n, double a, const double *x, double *y);
double dot(int64_t n, const double *x, const double *y);
double sum(int64_t n, const double *x);
double prefix_sum(int64_t n, const double *x, double *y);
void stencil3(int64_t n, const double *x, double *y);
void stencil2d(const double *x, double *y, int64_t rows, int64_t columns);
void matmul(const double *a, const double *b, double *c, int64_t n);
double spectral_norm(int64_t n, double *u, double *v, double *w, int64_t rounds);
void mandelbrot(int32_t *out, int64_t width, int64_t height, int64_t limit, double left, double top,
                double step);
void black_scholes(int64_t n, const double *spot, const double *strike, const double *years,
                   double rate, double volatility, double *call, double *put);
void nbody(int64_t n, double *x, double *y, double *z, double *vx, double *vy, double *vz,
           const double *mass, double dt, int64_t steps);
void histogram(int64_t n, const uint8_t *values, int64_t *counts);
int64_t sieve(int64_t n, uint8_t *flags);
uint64_t fnv1a64(int64_t n, const uint8_t *bytes);
int64_t validate(int64_t constraints, const uint8_t *kinds, const int32_t *limits, int64_t n,
                 const int32_t *values, int64_t *violations);
int64_t range_matrix(int64_t n, const int32_t *values, int64_t columns, const int32_t *low,
                     const int32_t *high, uint8_t *inside);
int64_t split_triples(int64_t n, const int32_t *triples, int32_t *x, int32_t *y, int32_t *z);
int64_t peephole(int64_t n, const int64_t *code, int64_t *out);
int64_t dispatch(int64_t n, const uint8_t *kinds, const int32_t *payloads, const uint8_t *handlers,
                 const uint8_t *operations, const uint16_t *targets, int64_t *state);
int64_t first_fit(int64_t n, const int32_t *requests, int64_t holes, int64_t *starts,
                  int64_t *lengths, int64_t *offsets);
int64_t pipeline_order(int64_t stages, const uint32_t *first, int64_t edges,
                       const uint32_t *followers, int32_t *waits, uint32_t *order);
int64_t handler_code(int64_t n, const uint8_t *operations, const uint16_t *targets, int64_t *code,
                     uint32_t *entries);

#endif
