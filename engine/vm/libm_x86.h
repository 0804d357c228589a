/* SPDX-License-Identifier: MIT
 *
 * vm/libm_x86.h - the vector functions of the x86 files, for libm.c. requires: a machine of the
 * level in the name. Vectors do not pass by this header: whoever calls the others has been told
 * by LLVM how, so they are declared without their types.
 */
#ifndef CNS_VM_LIBM_X86_H
#define CNS_VM_LIBM_X86_H

#include <stddef.h>

#if defined(__x86_64__)
#if !defined(CNS_LIBM_LANES)
void cns_libm_exp_avx2(void);
void cns_libm_log_avx2(void);
void cns_libm_exp_avx512(void);
void cns_libm_log_avx512(void);
#endif
void cns_libm_exp_array_avx2(double *values, size_t count);
void cns_libm_log_array_avx2(double *values, size_t count);
void cns_libm_exp_array_avx512(double *values, size_t count);
void cns_libm_log_array_avx512(double *values, size_t count);
#endif

#endif
