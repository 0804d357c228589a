/* SPDX-License-Identifier: MIT
 *
 * hash/crc32c_vpclmul.c - CRC32C by folding 256 bytes a step with carry-less multiplication.
 *
 * Sixteen 128-bit remainders are carried forward over the data. To move one by D bits, its first
 * eight bytes (which stand for x^64 times them) are multiplied by x^(D+63) mod P, the others by
 * x^(D-1) mod P; the missing factor x is what the product of bit-reversed words has too much.
 * Source: Gopal et al., Fast CRC computation for generic polynomials using PCLMULQDQ (Intel,
 * 2009). Any thread.
 */
#if defined(__x86_64__)

#include <immintrin.h>

#include "base/bits.h"
#include "hash/kernels_x86.h"

enum { STEP = 256, VECTOR = 64 };

/* Moves each 128-bit quarter of `x` and adds `next`. */
static inline __m512i fold(__m512i x, __m512i factors, __m512i next) {
    __m512i first = _mm512_clmulepi64_epi128(x, factors, 0x00);
    __m512i second = _mm512_clmulepi64_epi128(x, factors, 0x11);
    return _mm512_ternarylogic_epi64(first, second, next, 0x96); /* XOR of three */
}

static inline __m512i factors(uint64_t first, uint64_t second) {
    return _mm512_broadcast_i64x2(_mm_set_epi64x((long long)second, (long long)first));
}

uint32_t cns_crc32c_vpclmul(uint32_t crc, const uint8_t *data, size_t size) {
    if (size < STEP) {
        return cns_crc32c_sse41(crc, data, size);
    }
    const __m512i by_step = factors(UINT64_C(0xe9a5d8be00000000), UINT64_C(0x1426a81500000000));
    const __m512i by_vector = factors(UINT64_C(0x1c19243b00000000), UINT64_C(0x75bba45b00000000));
    __m512i start = _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)crc));
    __m512i a = _mm512_xor_si512(_mm512_loadu_si512(data), start);
    __m512i b = _mm512_loadu_si512(data + VECTOR);
    __m512i c = _mm512_loadu_si512(data + 2 * VECTOR);
    __m512i d = _mm512_loadu_si512(data + 3 * VECTOR);
    data += STEP;
    size -= STEP;
    for (; size >= STEP; size -= STEP, data += STEP) {
        a = fold(a, by_step, _mm512_loadu_si512(data));
        b = fold(b, by_step, _mm512_loadu_si512(data + VECTOR));
        c = fold(c, by_step, _mm512_loadu_si512(data + 2 * VECTOR));
        d = fold(d, by_step, _mm512_loadu_si512(data + 3 * VECTOR));
    }
    b = fold(a, by_vector, b);
    c = fold(b, by_vector, c);
    d = fold(c, by_vector, d);
    for (; size >= VECTOR; size -= VECTOR, data += VECTOR) {
        d = fold(d, by_vector, _mm512_loadu_si512(data));
    }
    uint8_t rest[VECTOR];
    _mm512_storeu_si512(rest, d);
    return cns_crc32c_sse41(cns_crc32c_sse41(0, rest, sizeof rest), data, size);
}

#else
typedef int cns_crc32c_vpclmul_is_for_x86; /* a file must not be empty */
#endif
