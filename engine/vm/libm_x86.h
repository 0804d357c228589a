/* SPDX-License-Identifier: MIT
 *
 * vm/libm_x86.h - the vector functions of the x86 files, for libm.c. requires: a machine of the
 * level in the name. Without a count: of two vectors.
 */
#ifndef CNS_VM_LIBM_X86_H
#define CNS_VM_LIBM_X86_H

#include <stddef.h>

#if defined(__x86_64__)
void cns_libm_exp_avx2(double *values);
void cns_libm_log_avx2(double *values);
void cns_libm_exp_avx512(double *values);
void cns_libm_log_avx512(double *values);
void cns_libm_exp_array_avx2(double *values, size_t count);
void cns_libm_log_array_avx2(double *values, size_t count);
void cns_libm_exp_array_avx512(double *values, size_t count);
void cns_libm_log_array_avx512(double *values, size_t count);
#endif

#endif
