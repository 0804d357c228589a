/* SPDX-License-Identifier: MIT
 *
 * base/cpu.h - detection per architecture, behind cns_cpu_detect.
 */
#ifndef CNS_BASE_CPU_H
#define CNS_BASE_CPU_H

#include "cns/base.h"

#if defined(__x86_64__)
/* AVX2 stands for AVX2, BMI2 and FMA; AVX512 for F, BW, DQ, VL; SSE41 for SSE4.2 too. */
cns_cpu_level cns_cpu_detect_x86(void);
/* 1 when the vpclmulqdq and 512-bit extensions for CRC folding are there. */
int cns_cpu_has_vpclmulqdq_x86(void);
#endif

#endif
