/* SPDX-License-Identifier: MIT
 *
 * base/cpu_x86.c - CPUID says what the processor has, XCR0 what the OS saves on a context switch:
 * both must agree before wide registers are used (Intel SDM vol. 1, 13.3 and 14.3).
 */
#include "base/cpu.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct cpuid_words {
    unsigned eax, ebx, ecx, edx;
} cpuid_words;

static bool read_cpuid(unsigned leaf, cpuid_words *out) {
    *out = (cpuid_words){0};
    return __get_cpuid_count(leaf, 0, &out->eax, &out->ebx, &out->ecx, &out->edx) != 0;
}

static uint64_t read_xcr0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool has_all(unsigned word, unsigned bits) {
    return (word & bits) == bits;
}

cns_cpu_level cns_cpu_detect_x86(void) {
    cpuid_words basic, extended;
    if (!read_cpuid(1, &basic) || !has_all(basic.ecx, bit_SSE4_1 | bit_SSE4_2 | bit_SSSE3)) {
        return CNS_CPU_PORTABLE;
    }
    if (!has_all(basic.ecx, bit_OSXSAVE | bit_AVX | bit_FMA) || !read_cpuid(7, &extended)) {
        return CNS_CPU_SSE41;
    }
    uint64_t xcr0 = read_xcr0();
    const uint64_t ymm_state = 0x6, zmm_state = 0xe6;
    if ((xcr0 & ymm_state) != ymm_state || !has_all(extended.ebx, bit_AVX2 | bit_BMI2)) {
        return CNS_CPU_SSE41;
    }
    const unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if ((xcr0 & zmm_state) != zmm_state || !has_all(extended.ebx, avx512)) {
        return CNS_CPU_AVX2;
    }
    return CNS_CPU_AVX512;
}

int cns_cpu_has_vpclmulqdq_x86(void) {
    cpuid_words extended;
    return cns_cpu_detect_x86() == CNS_CPU_AVX512 && read_cpuid(7, &extended) &&
           (extended.ecx & bit_VPCLMULQDQ) != 0;
}

#endif
