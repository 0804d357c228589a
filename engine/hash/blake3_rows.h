/* SPDX-License-Identifier: MIT
 *
 * hash/blake3_rows.h - one BLAKE3 compression in four 128-bit rows, for messages that come alone.
 *
 * The four columns are one vector operation; for the diagonals rows a, c, d are turned against b,
 * which stays, because b is what each half round ends with and waits for. The message vectors
 * t[0..3] hold the words for columns (even, odd) and diagonals (even, odd) in that turned order,
 * (14 8 10 12) and (15 9 11 13); next_message applies the permutation to them as they lie.
 */
#ifndef CNS_HASH_BLAKE3_ROWS_H
#define CNS_HASH_BLAKE3_ROWS_H

#include "hash/kernels.h"
#include "hash/simd_x86.h"

#define LANES_OF(a, b, i, j, k, l)                                                                 \
    _mm_castps_si128(                                                                              \
        _mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), _MM_SHUFFLE(l, k, j, i)))
#define ORDER(a, i, j, k, l) _mm_shuffle_epi32(a, _MM_SHUFFLE(l, k, j, i))

CNS_INLINE void blake3_first_message(__m128i t[4], const uint8_t block[64]) {
    __m128i w0 = _mm_loadu_si128((const __m128i *)block);
    __m128i w4 = _mm_loadu_si128((const __m128i *)(block + 16));
    __m128i w8 = _mm_loadu_si128((const __m128i *)(block + 32));
    __m128i w12 = _mm_loadu_si128((const __m128i *)(block + 48));
    t[0] = LANES_OF(w0, w4, 0, 2, 0, 2);
    t[1] = LANES_OF(w0, w4, 1, 3, 1, 3);
    t[2] = ORDER(LANES_OF(w8, w12, 0, 2, 0, 2), 3, 0, 1, 2);
    t[3] = ORDER(LANES_OF(w8, w12, 1, 3, 1, 3), 3, 0, 1, 2);
}

/* t = (0 2 4 6) (1 3 5 7) (14 8 10 12) (15 9 11 13) becomes the words that the permutation
 * 2 6 3 10 7 0 4 13 1 11 12 5 9 14 15 8 puts there. */
CNS_INLINE void blake3_next_message(__m128i t[4]) {
    __m128i t0 = ORDER(LANES_OF(t[0], t[1], 1, 2, 1, 3), 0, 2, 3, 1);
    __m128i even = _mm_blend_epi16(t[2], t[3], 0xc0);
    __m128i t1 = ORDER(LANES_OF(t[0], even, 3, 0, 2, 3), 0, 2, 1, 3);
    __m128i low = _mm_blend_epi16(_mm_unpacklo_epi32(t[3], t[1]), t[2], 0xc0);
    __m128i t2 = ORDER(low, 0, 1, 3, 2);
    __m128i t3 = ORDER(LANES_OF(_mm_unpackhi_epi32(t[3], t[1]), t[2], 0, 1, 0, 1), 3, 0, 1, 2);
    t[0] = t0;
    t[1] = t1;
    t[2] = t2;
    t[3] = t3;
}

CNS_INLINE void blake3_mix_rows(__m128i r[4], __m128i x, __m128i y) {
    r[0] = add_d4(add_d4(r[0], x), r[1]);
    r[3] = ror16_d4(xor_d4(r[3], r[0]));
    r[2] = add_d4(r[2], r[3]);
    r[1] = ror12_d4(xor_d4(r[1], r[2]));
    r[0] = add_d4(add_d4(r[0], y), r[1]);
    r[3] = ror8_d4(xor_d4(r[3], r[0]));
    r[2] = add_d4(r[2], r[3]);
    r[1] = ror7_d4(xor_d4(r[1], r[2]));
}

CNS_INLINE void blake3_round_rows(__m128i r[4], const __m128i t[4]) {
    blake3_mix_rows(r, t[0], t[1]);
    r[0] = ORDER(r[0], 3, 0, 1, 2);
    r[2] = ORDER(r[2], 1, 2, 3, 0);
    r[3] = ORDER(r[3], 2, 3, 0, 1);
    blake3_mix_rows(r, t[2], t[3]);
    r[0] = ORDER(r[0], 1, 2, 3, 0);
    r[2] = ORDER(r[2], 3, 0, 1, 2);
    r[3] = ORDER(r[3], 2, 3, 0, 1);
}

CNS_INLINE void blake3_permute_rows(__m128i r[4], const uint32_t value[8], const uint8_t block[64],
                                    uint32_t length, uint64_t counter, uint32_t flags) {
    __m128i t[4];
    r[0] = load_d4(value);
    r[1] = load_d4(value + 4);
    r[2] = load_d4(cns_blake3_iv);
    r[3] = _mm_setr_epi32((int)(uint32_t)counter, (int)(uint32_t)(counter >> 32), (int)length,
                          (int)flags);
    blake3_first_message(t, block);
    for (int round = 0; round < 6; round++) {
        blake3_round_rows(r, t);
        blake3_next_message(t);
    }
    blake3_round_rows(r, t);
}

CNS_INLINE void blake3_compress_rows(uint32_t value[8], const uint8_t block[64], uint32_t length,
                                     uint64_t counter, uint32_t flags) {
    __m128i r[4];
    blake3_permute_rows(r, value, block, length, counter, flags);
    _mm_storeu_si128((__m128i *)value, xor_d4(r[0], r[2]));
    _mm_storeu_si128((__m128i *)(value + 4), xor_d4(r[1], r[3]));
}

CNS_INLINE void blake3_expand_rows(const uint32_t value[8], const uint8_t block[64],
                                   uint32_t length, uint64_t counter, uint32_t flags,
                                   uint8_t out[64]) {
    __m128i r[4];
    blake3_permute_rows(r, value, block, length, counter, flags);
    _mm_storeu_si128((__m128i *)out, xor_d4(r[0], r[2]));
    _mm_storeu_si128((__m128i *)(out + 16), xor_d4(r[1], r[3]));
    _mm_storeu_si128((__m128i *)(out + 32), xor_d4(r[2], load_d4(value)));
    _mm_storeu_si128((__m128i *)(out + 48), xor_d4(r[3], load_d4(value + 4)));
}

#undef LANES_OF
#undef ORDER

#endif
