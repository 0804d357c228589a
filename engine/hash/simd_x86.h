/* SPDX-License-Identifier: MIT
 *
 * hash/simd_x86.h - vectors of 4, 8, 16 words of 32 bits (d4, d8, d16) and of 4, 8 words of 64
 * bits (q4, q8), by one set of names, so that a lane kernel is written once for all widths; and
 * registers of 1, 2, 4 slices of 128 bits (r1, r2, r4) for kernels that work on rows.
 *
 * load_message gives vector k the k-th word of each lane's block; store_values is its inverse for
 * a hash state. What is visible depends on the flags of the including file.
 */
#ifndef CNS_HASH_SIMD_X86_H
#define CNS_HASH_SIMD_X86_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define CNS_INLINE static inline __attribute__((always_inline))

/* Hides a sum from the compiler, which would otherwise add the operand that comes last of all
 * first, and so lengthen every mix by an addition. */
#if defined(__AVX512VL__)
#define CNS_PIN(x) __asm__("" : "+v"(x))
#else
#define CNS_PIN(x) __asm__("" : "+x"(x))
#endif

/* ---- d4: SSE4.1 ----------------------------------------------------------------------------- */

typedef __m128i vec_d4;

CNS_INLINE vec_d4 add_d4(vec_d4 a, vec_d4 b) {
    return _mm_add_epi32(a, b);
}
CNS_INLINE vec_d4 xor_d4(vec_d4 a, vec_d4 b) {
    return _mm_xor_si128(a, b);
}
CNS_INLINE vec_d4 and_d4(vec_d4 a, vec_d4 b) {
    return _mm_and_si128(a, b);
}
CNS_INLINE vec_d4 set1_d4(uint32_t x) {
    return _mm_set1_epi32((int)x);
}
CNS_INLINE vec_d4 load_d4(const uint32_t *words) {
    return _mm_loadu_si128((const __m128i *)words);
}
#if defined(__AVX512VL__)
CNS_INLINE vec_d4 ror16_d4(vec_d4 x) {
    return _mm_ror_epi32(x, 16);
}
CNS_INLINE vec_d4 ror12_d4(vec_d4 x) {
    return _mm_ror_epi32(x, 12);
}
CNS_INLINE vec_d4 ror8_d4(vec_d4 x) {
    return _mm_ror_epi32(x, 8);
}
CNS_INLINE vec_d4 ror7_d4(vec_d4 x) {
    return _mm_ror_epi32(x, 7);
}
#else
CNS_INLINE vec_d4 ror16_d4(vec_d4 x) {
    return _mm_shuffle_epi8(x, _mm_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
}
CNS_INLINE vec_d4 ror12_d4(vec_d4 x) {
    return _mm_or_si128(_mm_srli_epi32(x, 12), _mm_slli_epi32(x, 20));
}
CNS_INLINE vec_d4 ror8_d4(vec_d4 x) {
    return _mm_shuffle_epi8(x, _mm_setr_epi8(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12));
}
CNS_INLINE vec_d4 ror7_d4(vec_d4 x) {
    return _mm_or_si128(_mm_srli_epi32(x, 7), _mm_slli_epi32(x, 25));
}
#endif

CNS_INLINE void transpose_d4(vec_d4 r[4]) {
    __m128i a = _mm_unpacklo_epi32(r[0], r[1]);
    __m128i b = _mm_unpackhi_epi32(r[0], r[1]);
    __m128i c = _mm_unpacklo_epi32(r[2], r[3]);
    __m128i d = _mm_unpackhi_epi32(r[2], r[3]);
    r[0] = _mm_unpacklo_epi64(a, c);
    r[1] = _mm_unpackhi_epi64(a, c);
    r[2] = _mm_unpacklo_epi64(b, d);
    r[3] = _mm_unpackhi_epi64(b, d);
}

CNS_INLINE void load_message_d4(vec_d4 m[16], const uint8_t *const *block, size_t offset) {
    for (int part = 0; part < 4; part++) {
        for (int lane = 0; lane < 4; lane++) {
            m[4 * part + lane] =
                _mm_loadu_si128((const __m128i *)(block[lane] + offset + 16 * part));
        }
        transpose_d4(m + 4 * part);
    }
}

CNS_INLINE void store_values_d4(vec_d4 h[8], uint8_t *const *out, uint32_t lanes) {
    transpose_d4(h);
    transpose_d4(h + 4);
    for (uint32_t lane = 0; lane < lanes; lane++) {
        _mm_storeu_si128((__m128i *)out[lane], h[lane]);
        _mm_storeu_si128((__m128i *)(out[lane] + 16), h[4 + lane]);
    }
}

/* ---- d8: AVX2 ------------------------------------------------------------------------------- */

#if defined(__AVX2__)

typedef __m256i vec_d8;

CNS_INLINE vec_d8 add_d8(vec_d8 a, vec_d8 b) {
    return _mm256_add_epi32(a, b);
}
CNS_INLINE vec_d8 xor_d8(vec_d8 a, vec_d8 b) {
    return _mm256_xor_si256(a, b);
}
CNS_INLINE vec_d8 and_d8(vec_d8 a, vec_d8 b) {
    return _mm256_and_si256(a, b);
}
CNS_INLINE vec_d8 set1_d8(uint32_t x) {
    return _mm256_set1_epi32((int)x);
}
CNS_INLINE vec_d8 load_d8(const uint32_t *words) {
    return _mm256_loadu_si256((const __m256i *)words);
}
#if defined(__AVX512VL__)
CNS_INLINE vec_d8 ror16_d8(vec_d8 x) {
    return _mm256_ror_epi32(x, 16);
}
CNS_INLINE vec_d8 ror12_d8(vec_d8 x) {
    return _mm256_ror_epi32(x, 12);
}
CNS_INLINE vec_d8 ror8_d8(vec_d8 x) {
    return _mm256_ror_epi32(x, 8);
}
CNS_INLINE vec_d8 ror7_d8(vec_d8 x) {
    return _mm256_ror_epi32(x, 7);
}
#else
CNS_INLINE vec_d8 ror16_d8(vec_d8 x) {
    return _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(_mm_setr_epi8(
                                      2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)));
}
CNS_INLINE vec_d8 ror12_d8(vec_d8 x) {
    return _mm256_or_si256(_mm256_srli_epi32(x, 12), _mm256_slli_epi32(x, 20));
}
CNS_INLINE vec_d8 ror8_d8(vec_d8 x) {
    return _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(_mm_setr_epi8(
                                      1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12)));
}
CNS_INLINE vec_d8 ror7_d8(vec_d8 x) {
    return _mm256_or_si256(_mm256_srli_epi32(x, 7), _mm256_slli_epi32(x, 25));
}
#endif

CNS_INLINE void transpose_d8(vec_d8 r[8]) {
    vec_d8 b[8];
    for (int g = 0; g < 8; g += 4) {
        __m256i a0 = _mm256_unpacklo_epi32(r[g], r[g + 1]);
        __m256i a1 = _mm256_unpackhi_epi32(r[g], r[g + 1]);
        __m256i a2 = _mm256_unpacklo_epi32(r[g + 2], r[g + 3]);
        __m256i a3 = _mm256_unpackhi_epi32(r[g + 2], r[g + 3]);
        b[g] = _mm256_unpacklo_epi64(a0, a2);
        b[g + 1] = _mm256_unpackhi_epi64(a0, a2);
        b[g + 2] = _mm256_unpacklo_epi64(a1, a3);
        b[g + 3] = _mm256_unpackhi_epi64(a1, a3);
    }
    for (int w = 0; w < 4; w++) {
        r[w] = _mm256_permute2x128_si256(b[w], b[4 + w], 0x20);
        r[4 + w] = _mm256_permute2x128_si256(b[w], b[4 + w], 0x31);
    }
}

CNS_INLINE void load_message_d8(vec_d8 m[16], const uint8_t *const *block, size_t offset) {
    for (int part = 0; part < 2; part++) {
        for (int lane = 0; lane < 8; lane++) {
            m[8 * part + lane] =
                _mm256_loadu_si256((const __m256i *)(block[lane] + offset + 32 * part));
        }
        transpose_d8(m + 8 * part);
    }
}

CNS_INLINE void store_values_d8(vec_d8 h[8], uint8_t *const *out, uint32_t lanes) {
    transpose_d8(h);
    for (uint32_t lane = 0; lane < lanes; lane++) {
        _mm256_storeu_si256((__m256i *)out[lane], h[lane]);
    }
}

/* ---- q4: AVX2 ------------------------------------------------------------------------------- */

typedef __m256i vec_q4;

CNS_INLINE vec_q4 add_q4(vec_q4 a, vec_q4 b) {
    return _mm256_add_epi64(a, b);
}
CNS_INLINE vec_q4 xor_q4(vec_q4 a, vec_q4 b) {
    return _mm256_xor_si256(a, b);
}
CNS_INLINE vec_q4 and_q4(vec_q4 a, vec_q4 b) {
    return _mm256_and_si256(a, b);
}
CNS_INLINE vec_q4 set1_q4(uint64_t x) {
    return _mm256_set1_epi64x((long long)x);
}
CNS_INLINE vec_q4 load_q4(const uint64_t *words) {
    return _mm256_loadu_si256((const __m256i *)words);
}
CNS_INLINE vec_q4 ror32_q4(vec_q4 x) {
    return _mm256_shuffle_epi32(x, _MM_SHUFFLE(2, 3, 0, 1));
}
#if defined(__AVX512VL__)
CNS_INLINE vec_q4 ror24_q4(vec_q4 x) {
    return _mm256_ror_epi64(x, 24);
}
CNS_INLINE vec_q4 ror16_q4(vec_q4 x) {
    return _mm256_ror_epi64(x, 16);
}
CNS_INLINE vec_q4 ror63_q4(vec_q4 x) {
    return _mm256_ror_epi64(x, 63);
}
#else
CNS_INLINE vec_q4 ror24_q4(vec_q4 x) {
    return _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(_mm_setr_epi8(
                                      3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10)));
}
CNS_INLINE vec_q4 ror16_q4(vec_q4 x) {
    return _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(_mm_setr_epi8(
                                      2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9)));
}
CNS_INLINE vec_q4 ror63_q4(vec_q4 x) {
    return _mm256_or_si256(_mm256_srli_epi64(x, 63), _mm256_add_epi64(x, x));
}
#endif

CNS_INLINE void transpose_q4(vec_q4 r[4]) {
    __m256i a = _mm256_unpacklo_epi64(r[0], r[1]);
    __m256i b = _mm256_unpackhi_epi64(r[0], r[1]);
    __m256i c = _mm256_unpacklo_epi64(r[2], r[3]);
    __m256i d = _mm256_unpackhi_epi64(r[2], r[3]);
    r[0] = _mm256_permute2x128_si256(a, c, 0x20);
    r[1] = _mm256_permute2x128_si256(b, d, 0x20);
    r[2] = _mm256_permute2x128_si256(a, c, 0x31);
    r[3] = _mm256_permute2x128_si256(b, d, 0x31);
}

CNS_INLINE void load_message_q4(vec_q4 m[16], const uint8_t *const *block, size_t offset) {
    for (int part = 0; part < 4; part++) {
        for (int lane = 0; lane < 4; lane++) {
            m[4 * part + lane] =
                _mm256_loadu_si256((const __m256i *)(block[lane] + offset + 32 * part));
        }
        transpose_q4(m + 4 * part);
    }
}

CNS_INLINE void store_values_q4(vec_q4 h[8], uint8_t *const *out, uint32_t lanes) {
    transpose_q4(h);
    transpose_q4(h + 4);
    for (uint32_t lane = 0; lane < lanes; lane++) {
        _mm256_storeu_si256((__m256i *)out[lane], h[lane]);
        _mm256_storeu_si256((__m256i *)(out[lane] + 32), h[4 + lane]);
    }
}

#endif

/* ---- d16 and q8: AVX-512 -------------------------------------------------------------------- */

#if defined(__AVX512VL__)

typedef __m512i vec_d16;
typedef __m512i vec_q8;

CNS_INLINE vec_d16 add_d16(vec_d16 a, vec_d16 b) {
    return _mm512_add_epi32(a, b);
}
CNS_INLINE vec_d16 xor_d16(vec_d16 a, vec_d16 b) {
    return _mm512_xor_si512(a, b);
}
CNS_INLINE vec_d16 and_d16(vec_d16 a, vec_d16 b) {
    return _mm512_and_si512(a, b);
}
CNS_INLINE vec_d16 set1_d16(uint32_t x) {
    return _mm512_set1_epi32((int)x);
}
CNS_INLINE vec_d16 load_d16(const uint32_t *words) {
    return _mm512_loadu_si512(words);
}
CNS_INLINE vec_d16 ror16_d16(vec_d16 x) {
    return _mm512_ror_epi32(x, 16);
}
CNS_INLINE vec_d16 ror12_d16(vec_d16 x) {
    return _mm512_ror_epi32(x, 12);
}
CNS_INLINE vec_d16 ror8_d16(vec_d16 x) {
    return _mm512_ror_epi32(x, 8);
}
CNS_INLINE vec_d16 ror7_d16(vec_d16 x) {
    return _mm512_ror_epi32(x, 7);
}
CNS_INLINE vec_q8 add_q8(vec_q8 a, vec_q8 b) {
    return _mm512_add_epi64(a, b);
}
CNS_INLINE vec_q8 xor_q8(vec_q8 a, vec_q8 b) {
    return _mm512_xor_si512(a, b);
}
CNS_INLINE vec_q8 and_q8(vec_q8 a, vec_q8 b) {
    return _mm512_and_si512(a, b);
}
CNS_INLINE vec_q8 set1_q8(uint64_t x) {
    return _mm512_set1_epi64((long long)x);
}
CNS_INLINE vec_q8 load_q8(const uint64_t *words) {
    return _mm512_loadu_si512(words);
}
CNS_INLINE vec_q8 ror32_q8(vec_q8 x) {
    return _mm512_ror_epi64(x, 32);
}
CNS_INLINE vec_q8 ror24_q8(vec_q8 x) {
    return _mm512_ror_epi64(x, 24);
}
CNS_INLINE vec_q8 ror16_q8(vec_q8 x) {
    return _mm512_ror_epi64(x, 16);
}
CNS_INLINE vec_q8 ror63_q8(vec_q8 x) {
    return _mm512_ror_epi64(x, 63);
}

/* Row i's quarter j becomes row j's quarter i, for four registers of four 128-bit quarters. */
CNS_INLINE void transpose_quarters(__m512i *r0, __m512i *r1, __m512i *r2, __m512i *r3) {
    __m512i a = _mm512_shuffle_i32x4(*r0, *r1, 0x44);
    __m512i b = _mm512_shuffle_i32x4(*r0, *r1, 0xee);
    __m512i c = _mm512_shuffle_i32x4(*r2, *r3, 0x44);
    __m512i d = _mm512_shuffle_i32x4(*r2, *r3, 0xee);
    *r0 = _mm512_shuffle_i32x4(a, c, 0x88);
    *r1 = _mm512_shuffle_i32x4(a, c, 0xdd);
    *r2 = _mm512_shuffle_i32x4(b, d, 0x88);
    *r3 = _mm512_shuffle_i32x4(b, d, 0xdd);
}

CNS_INLINE void transpose_d16(vec_d16 r[16]) {
    for (int g = 0; g < 16; g += 4) {
        __m512i a0 = _mm512_unpacklo_epi32(r[g], r[g + 1]);
        __m512i a1 = _mm512_unpackhi_epi32(r[g], r[g + 1]);
        __m512i a2 = _mm512_unpacklo_epi32(r[g + 2], r[g + 3]);
        __m512i a3 = _mm512_unpackhi_epi32(r[g + 2], r[g + 3]);
        r[g] = _mm512_unpacklo_epi64(a0, a2);
        r[g + 1] = _mm512_unpackhi_epi64(a0, a2);
        r[g + 2] = _mm512_unpacklo_epi64(a1, a3);
        r[g + 3] = _mm512_unpackhi_epi64(a1, a3);
    }
    for (int w = 0; w < 4; w++) {
        transpose_quarters(&r[w], &r[4 + w], &r[8 + w], &r[12 + w]);
    }
}

CNS_INLINE void load_message_d16(vec_d16 m[16], const uint8_t *const *block, size_t offset) {
    for (int lane = 0; lane < 16; lane++) {
        m[lane] = _mm512_loadu_si512(block[lane] + offset);
    }
    transpose_d16(m);
}

CNS_INLINE void store_values_d16(vec_d16 h[8], uint8_t *const *out, uint32_t lanes) {
    vec_d8 low[8], high[8];
    for (int i = 0; i < 8; i++) {
        low[i] = _mm512_castsi512_si256(h[i]);
        high[i] = _mm512_extracti64x4_epi64(h[i], 1);
    }
    store_values_d8(low, out, lanes < 8 ? lanes : 8);
    if (lanes > 8) {
        store_values_d8(high, out + 8, lanes - 8);
    }
}

CNS_INLINE void transpose_q8(vec_q8 r[8]) {
    vec_q8 b[8];
    for (int p = 0; p < 8; p += 2) {
        b[p] = _mm512_unpacklo_epi64(r[p], r[p + 1]);
        b[p + 1] = _mm512_unpackhi_epi64(r[p], r[p + 1]);
    }
    for (int w = 0; w < 2; w++) {
        transpose_quarters(&b[w], &b[2 + w], &b[4 + w], &b[6 + w]);
        for (int q = 0; q < 4; q++) {
            r[2 * q + w] = b[2 * q + w];
        }
    }
}

CNS_INLINE void load_message_q8(vec_q8 m[16], const uint8_t *const *block, size_t offset) {
    for (int part = 0; part < 2; part++) {
        for (int lane = 0; lane < 8; lane++) {
            m[8 * part + lane] = _mm512_loadu_si512(block[lane] + offset + 64 * part);
        }
        transpose_q8(m + 8 * part);
    }
}

CNS_INLINE void store_values_q8(vec_q8 h[8], uint8_t *const *out, uint32_t lanes) {
    transpose_q8(h);
    for (uint32_t lane = 0; lane < lanes; lane++) {
        _mm512_storeu_si512(out[lane], h[lane]);
    }
}

#endif
/* ---- r1, r2, r4: slices of 128 bits, one message each (blake3_rows.inc) --- */

/* order: words of each slice rearranged; two_two: two words of a, two of b; last_of: a with b's
 * last word; repeat: the same four words in every slice; load16: 16 bytes of each message. */
#define TURN_LEFT _MM_SHUFFLE(2, 1, 0, 3)
#define TURN_HALF _MM_SHUFFLE(1, 0, 3, 2)
#define TURN_RIGHT _MM_SHUFFLE(0, 3, 2, 1)

typedef __m128i vec_r1;
#define add_r1 add_d4
#define xor_r1 xor_d4
#define and_r1 and_d4
#define load_r1 load_d4
#define ror16_r1 ror16_d4
#define ror12_r1 ror12_d4
#define ror8_r1 ror8_d4
#define ror7_r1 ror7_d4
#define order_r1(x, lanes) _mm_shuffle_epi32(x, lanes)
#define two_two_r1(a, b, lanes)                                                                    \
    _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), lanes))

CNS_INLINE vec_r1 or_r1(vec_r1 a, vec_r1 b) {
    return _mm_or_si128(a, b);
}
CNS_INLINE vec_r1 last_of_r1(vec_r1 a, vec_r1 b) {
    return _mm_blend_epi16(a, b, 0xc0);
}
CNS_INLINE vec_r1 unpack_low_r1(vec_r1 a, vec_r1 b) {
    return _mm_unpacklo_epi32(a, b);
}
CNS_INLINE vec_r1 unpack_high_r1(vec_r1 a, vec_r1 b) {
    return _mm_unpackhi_epi32(a, b);
}
CNS_INLINE vec_r1 repeat_r1(const uint32_t words[4]) {
    return load_d4(words);
}
CNS_INLINE vec_r1 load16_r1(const uint8_t *const *block, size_t offset) {
    return _mm_loadu_si128((const __m128i *)(block[0] + offset));
}

#if defined(__AVX2__)

typedef __m256i vec_r2;
#define add_r2 add_d8
#define xor_r2 xor_d8
#define and_r2 and_d8
#define load_r2 load_d8
#define ror16_r2 ror16_d8
#define ror12_r2 ror12_d8
#define ror8_r2 ror8_d8
#define ror7_r2 ror7_d8
#define order_r2(x, lanes) _mm256_shuffle_epi32(x, lanes)
#define two_two_r2(a, b, lanes)                                                                    \
    _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), lanes))

CNS_INLINE vec_r2 or_r2(vec_r2 a, vec_r2 b) {
    return _mm256_or_si256(a, b);
}
CNS_INLINE vec_r2 last_of_r2(vec_r2 a, vec_r2 b) {
    return _mm256_blend_epi32(a, b, 0x88);
}
CNS_INLINE vec_r2 unpack_low_r2(vec_r2 a, vec_r2 b) {
    return _mm256_unpacklo_epi32(a, b);
}
CNS_INLINE vec_r2 unpack_high_r2(vec_r2 a, vec_r2 b) {
    return _mm256_unpackhi_epi32(a, b);
}
CNS_INLINE vec_r2 repeat_r2(const uint32_t words[4]) {
    return _mm256_broadcastsi128_si256(load_d4(words));
}
CNS_INLINE vec_r2 load16_r2(const uint8_t *const *block, size_t offset) {
    __m128i low = _mm_loadu_si128((const __m128i *)(block[0] + offset));
    __m128i high = _mm_loadu_si128((const __m128i *)(block[1] + offset));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}
CNS_INLINE void store_values_r2(const vec_r2 h[2], uint8_t *const *out, uint32_t used) {
    __m256i both[2] = {_mm256_permute2x128_si256(h[0], h[1], 0x20),
                       _mm256_permute2x128_si256(h[0], h[1], 0x31)};
    for (uint32_t i = 0; i < used; i++) {
        _mm256_storeu_si256((__m256i *)out[i], both[i]);
    }
}

#endif

#if defined(__AVX512VL__)

typedef __m512i vec_r4;
#define add_r4 add_d16
#define xor_r4 xor_d16
#define and_r4 and_d16
#define load_r4 load_d16
#define ror16_r4 ror16_d16
#define ror12_r4 ror12_d16
#define ror8_r4 ror8_d16
#define ror7_r4 ror7_d16
#define order_r4(x, lanes) _mm512_shuffle_epi32(x, (_MM_PERM_ENUM)(lanes))
#define two_two_r4(a, b, lanes)                                                                    \
    _mm512_castps_si512(_mm512_shuffle_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), lanes))

CNS_INLINE vec_r4 or_r4(vec_r4 a, vec_r4 b) {
    return _mm512_or_si512(a, b);
}
CNS_INLINE vec_r4 last_of_r4(vec_r4 a, vec_r4 b) {
    return _mm512_mask_mov_epi32(a, 0x8888, b);
}
CNS_INLINE vec_r4 unpack_low_r4(vec_r4 a, vec_r4 b) {
    return _mm512_unpacklo_epi32(a, b);
}
CNS_INLINE vec_r4 unpack_high_r4(vec_r4 a, vec_r4 b) {
    return _mm512_unpackhi_epi32(a, b);
}
CNS_INLINE vec_r4 repeat_r4(const uint32_t words[4]) {
    return _mm512_broadcast_i32x4(load_d4(words));
}
CNS_INLINE vec_r4 load16_r4(const uint8_t *const *block, size_t offset) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(load16_r2(block, offset)),
                              load16_r2(block + 2, offset), 1);
}
CNS_INLINE void store_values_r4(const vec_r4 h[2], uint8_t *const *out, uint32_t used) {
    __m256i low[2] = {_mm512_castsi512_si256(h[0]), _mm512_castsi512_si256(h[1])};
    __m256i high[2] = {_mm512_extracti64x4_epi64(h[0], 1), _mm512_extracti64x4_epi64(h[1], 1)};
    store_values_r2(low, out, used < 2 ? used : 2);
    if (used > 2) {
        store_values_r2(high, out + 2, used - 2);
    }
}

#endif

#endif
