/* SPDX-License-Identifier: MIT
 *
 * hash/blake2b_rows.h - one BLAKE2b message in four 256-bit rows.
 *
 * The four columns are one vector operation; for the diagonals rows a, c, d are turned against b,
 * which stays, because b is what each half round ends with and waits for. The including file
 * defines blake2b_message(q, block, round): the words for columns (even, odd) and for the turned
 * diagonals (even, odd): entries 0 2 4 6, 1 3 5 7, 14 8 10 12, 15 9 11 13 of the schedule.
 */
CNS_INLINE void blake2b_mix_rows(__m256i r[4], __m256i x, __m256i y) {
    r[0] = add_q4(r[0], x);
    CNS_PIN(r[0]);
    r[0] = add_q4(r[0], r[1]);
    r[3] = ror32_q4(xor_q4(r[3], r[0]));
    r[2] = add_q4(r[2], r[3]);
    r[1] = ror24_q4(xor_q4(r[1], r[2]));
    r[0] = add_q4(r[0], y);
    CNS_PIN(r[0]);
    r[0] = add_q4(r[0], r[1]);
    r[3] = ror16_q4(xor_q4(r[3], r[0]));
    r[2] = add_q4(r[2], r[3]);
    r[1] = ror63_q4(xor_q4(r[1], r[2]));
}

#define TURN(r, i, j, k, l) _mm256_permute4x64_epi64(r, _MM_SHUFFLE(l, k, j, i))

CNS_INLINE void blake2b_round_rows(__m256i r[4], const __m256i q[4]) {
    blake2b_mix_rows(r, q[0], q[1]);
    r[0] = TURN(r[0], 3, 0, 1, 2);
    r[2] = TURN(r[2], 1, 2, 3, 0);
    r[3] = TURN(r[3], 2, 3, 0, 1);
    blake2b_mix_rows(r, q[2], q[3]);
    r[0] = TURN(r[0], 1, 2, 3, 0);
    r[2] = TURN(r[2], 3, 0, 1, 2);
    r[3] = TURN(r[3], 2, 3, 0, 1);
}

#undef TURN

CNS_INLINE void blake2b_compress_rows(uint64_t state[8], const uint8_t *blocks, size_t count,
                                      uint64_t total, uint64_t final) {
    __m256i low = load_q4(state), high = load_q4(state + 4);
    const __m256i iv_low = load_q4(cns_blake2b_iv), iv_high = load_q4(cns_blake2b_iv + 4);
    for (; count > 0; count--, blocks += CNS_BLAKE2B_BLOCK, total += CNS_BLAKE2B_BLOCK) {
        __m256i counters = _mm256_setr_epi64x((long long)total, 0, (long long) final, 0);
        __m256i r[4] = {low, high, iv_low, xor_q4(iv_high, counters)};
        blake2b_words words;
        blake2b_load(&words, blocks);
#define ROUND(n)                                                                                   \
    do {                                                                                           \
        __m256i q[4];                                                                              \
        blake2b_message(q, &words, n);                                                             \
        blake2b_round_rows(r, q);                                                                  \
    } while (0)
        ROUND(0);
        ROUND(1);
        ROUND(2);
        ROUND(3);
        ROUND(4);
        ROUND(5);
        ROUND(6);
        ROUND(7);
        ROUND(8);
        ROUND(9);
        ROUND(10);
        ROUND(11);
#undef ROUND
        low = xor_q4(low, xor_q4(r[0], r[2]));
        high = xor_q4(high, xor_q4(r[1], r[3]));
    }
    _mm256_storeu_si256((__m256i *)state, low);
    _mm256_storeu_si256((__m256i *)(state + 4), high);
}
