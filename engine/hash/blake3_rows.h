/* SPDX-License-Identifier: MIT
 *
 * hash/blake3_rows.h - BLAKE3 on few messages: one, two or four, each in a 128-bit slice of the
 * registers, its state in four rows. Included once for each width, with MESSAGES and SLICED(name)
 * defined around it (see the r1, r2, r4 operations of simd_x86.h); no include guard.
 *
 * The four columns are one vector operation; for the diagonals rows a, c, d are turned against b,
 * which stays, because b is what each half round ends with and waits for. The message vectors
 * t[0..3] hold the words for columns (even, odd) and diagonals (even, odd) in that turned order,
 * (14 8 10 12) and (15 9 11 13); next_message applies the permutation to them as they lie.
 */
#define VEC SLICED(vec)

CNS_INLINE void SLICED(blake3_first_message)(VEC t[4], const uint8_t *const *block, size_t offset) {
    VEC w0 = SLICED(load16)(block, offset);
    VEC w4 = SLICED(load16)(block, offset + 16);
    VEC w8 = SLICED(load16)(block, offset + 32);
    VEC w12 = SLICED(load16)(block, offset + 48);
    t[0] = SLICED(two_two)(w0, w4, _MM_SHUFFLE(2, 0, 2, 0));
    t[1] = SLICED(two_two)(w0, w4, _MM_SHUFFLE(3, 1, 3, 1));
    t[2] = SLICED(order)(SLICED(two_two)(w8, w12, _MM_SHUFFLE(2, 0, 2, 0)), TURN_LEFT);
    t[3] = SLICED(order)(SLICED(two_two)(w8, w12, _MM_SHUFFLE(3, 1, 3, 1)), TURN_LEFT);
}

/* t = (0 2 4 6) (1 3 5 7) (14 8 10 12) (15 9 11 13) becomes the words that the permutation
 * 2 6 3 10 7 0 4 13 1 11 12 5 9 14 15 8 puts there. */
CNS_INLINE void SLICED(blake3_next_message)(VEC t[4]) {
    VEC low = SLICED(two_two)(t[0], t[1], _MM_SHUFFLE(3, 1, 2, 1)); /* 2 4 3 7 */
    VEC mixed = SLICED(last_of)(t[2], t[3]);                        /* 14 8 10 13 */
    mixed = SLICED(two_two)(t[0], mixed, _MM_SHUFFLE(3, 2, 0, 3));  /* 6 0 10 13 */
    VEC heads = SLICED(unpack_low)(t[3], t[1]);                     /* 15 1 9 3 */
    heads = SLICED(last_of)(heads, t[2]);                           /* 15 1 9 12 */
    VEC tails = SLICED(unpack_high)(t[3], t[1]);                    /* 11 5 13 7 */
    tails = SLICED(two_two)(tails, t[2], _MM_SHUFFLE(1, 0, 1, 0));  /* 11 5 14 8 */
    t[0] = SLICED(order)(low, _MM_SHUFFLE(1, 3, 2, 0));             /* 2 3 7 4 */
    t[1] = SLICED(order)(mixed, _MM_SHUFFLE(3, 1, 2, 0));           /* 6 10 0 13 */
    t[2] = SLICED(order)(heads, _MM_SHUFFLE(2, 3, 1, 0));           /* 15 1 12 9 */
    t[3] = SLICED(order)(tails, TURN_LEFT);                         /* 8 11 5 14 */
}

CNS_INLINE void SLICED(blake3_mix)(VEC r[4], VEC x, VEC y) {
    r[0] = SLICED(add)(r[0], x);
    CNS_PIN(r[0]);
    r[0] = SLICED(add)(r[0], r[1]);
    r[3] = SLICED(ror16)(SLICED(xor)(r[3], r[0]));
    r[2] = SLICED(add)(r[2], r[3]);
    r[1] = SLICED(ror12)(SLICED(xor)(r[1], r[2]));
    r[0] = SLICED(add)(r[0], y);
    CNS_PIN(r[0]);
    r[0] = SLICED(add)(r[0], r[1]);
    r[3] = SLICED(ror8)(SLICED(xor)(r[3], r[0]));
    r[2] = SLICED(add)(r[2], r[3]);
    r[1] = SLICED(ror7)(SLICED(xor)(r[1], r[2]));
}

CNS_INLINE void SLICED(blake3_round)(VEC r[4], const VEC t[4]) {
    SLICED(blake3_mix)(r, t[0], t[1]);
    r[0] = SLICED(order)(r[0], TURN_LEFT);
    r[3] = SLICED(order)(r[3], TURN_HALF);
    r[2] = SLICED(order)(r[2], TURN_RIGHT);
    SLICED(blake3_mix)(r, t[2], t[3]);
    r[0] = SLICED(order)(r[0], TURN_RIGHT);
    r[3] = SLICED(order)(r[3], TURN_HALF);
    r[2] = SLICED(order)(r[2], TURN_LEFT);
}

/* r[0], r[1]: the chaining values; r[3]: counter, length, flags. r[2] is set here. */
CNS_INLINE void SLICED(blake3_permute)(VEC r[4], const uint8_t *const *block, size_t offset) {
    VEC t[4];
    r[2] = SLICED(repeat)(cns_blake3_iv);
    SLICED(blake3_first_message)(t, block, offset);
    SLICED(blake3_round)(r, t);
    SLICED(blake3_next_message)(t);
    SLICED(blake3_round)(r, t);
    SLICED(blake3_next_message)(t);
    SLICED(blake3_round)(r, t);
    SLICED(blake3_next_message)(t);
    SLICED(blake3_round)(r, t);
    SLICED(blake3_next_message)(t);
    SLICED(blake3_round)(r, t);
    SLICED(blake3_next_message)(t);
    SLICED(blake3_round)(r, t);
    SLICED(blake3_next_message)(t);
    SLICED(blake3_round)(r, t);
}

CNS_INLINE void SLICED(blake3_step)(VEC h[2], VEC last_row, const uint8_t *const *block,
                                    size_t offset) {
    VEC r[4] = {h[0], h[1], h[0], last_row};
    SLICED(blake3_permute)(r, block, offset);
    h[0] = SLICED(xor)(r[0], r[2]);
    h[1] = SLICED(xor)(r[1], r[3]);
}

#if MESSAGES > 1
/* Lanes `first` and up of the job, at most MESSAGES of them. */
static void SLICED(blake3_run)(const cns_blake3_job *job, uint32_t first) {
    uint32_t used = job->lanes - first < MESSAGES ? job->lanes - first : MESSAGES;
    const uint8_t *block[MESSAGES];
    uint32_t row[4 * MESSAGES], active[4 * MESSAGES];
    uint32_t least = UINT32_MAX, most = 0;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        uint32_t lane = first + (i < used ? i : 0); /* spare slices repeat the first */
        block[i] = job->input[lane];
        row[4 * i] = job->counter_low[lane];
        row[4 * i + 1] = job->counter_high[lane];
        row[4 * i + 2] = CNS_BLAKE3_BLOCK;
        row[4 * i + 3] = job->flags;
        least = job->blocks[lane] < least ? job->blocks[lane] : least;
        most = job->blocks[lane] > most ? job->blocks[lane] : most;
    }
    const uint32_t start[4] = {0, 0, 0, job->flags_start};
    VEC h[2] = {SLICED(repeat)(job->key), SLICED(repeat)(job->key + 4)};
    VEC common = SLICED(load)(row);
    VEC first_row = SLICED(or)(common, SLICED(repeat)(start));
    uint32_t done = 0;
    for (; done + 1 < least; done++) {
        SLICED(blake3_step)
        (h, done == 0 ? first_row : common, block, (size_t)done * CNS_BLAKE3_BLOCK);
    }
    for (; done < most; done++) {
        VEC after[2] = {h[0], h[1]};
        for (uint32_t i = 0; i < MESSAGES; i++) {
            uint32_t lane = first + (i < used ? i : 0);
            bool whole = done + 1 < job->blocks[lane];
            block[i] = whole ? job->input[lane] + (size_t)done * CNS_BLAKE3_BLOCK : job->last[lane];
            row[4 * i + 2] = whole ? CNS_BLAKE3_BLOCK : job->last_length[lane];
            row[4 * i + 3] = job->flags | (whole ? 0 : job->flags_end);
            row[4 * i + 3] |= done == 0 ? job->flags_start : 0;
            for (int j = 0; j < 4; j++) {
                active[4 * i + j] = done < job->blocks[lane] ? UINT32_MAX : 0;
            }
        }
        SLICED(blake3_step)(after, SLICED(load)(row), block, 0);
        VEC mask = SLICED(load)(active);
        for (int i = 0; i < 2; i++) {
            h[i] = SLICED(xor)(h[i], SLICED(and)(SLICED(xor)(h[i], after[i]), mask));
        }
    }
    SLICED(store_values)(h, job->out + first, used);
}
#else
CNS_INLINE VEC SLICED(blake3_last_row)(uint32_t length, uint64_t counter, uint32_t flags) {
    return _mm_setr_epi32((int)(uint32_t)counter, (int)(uint32_t)(counter >> 32), (int)length,
                          (int)flags);
}

CNS_INLINE void SLICED(blake3_compress)(uint32_t value[8], const uint8_t *blocks, size_t count,
                                        uint32_t length, uint64_t counter, uint32_t flags) {
    VEC h[2] = {SLICED(load)(value), SLICED(load)(value + 4)};
    VEC last_row = SLICED(blake3_last_row)(length, counter, flags);
    for (; count > 0; count--, blocks += CNS_BLAKE3_BLOCK) {
        SLICED(blake3_step)(h, last_row, &blocks, 0);
    }
    _mm_storeu_si128((__m128i *)value, h[0]);
    _mm_storeu_si128((__m128i *)(value + 4), h[1]);
}

CNS_INLINE void SLICED(blake3_expand)(const uint32_t value[8], const uint8_t block[64],
                                      uint32_t length, uint64_t counter, uint32_t flags,
                                      uint8_t out[64]) {
    VEC h[2] = {SLICED(load)(value), SLICED(load)(value + 4)};
    VEC r[4] = {h[0], h[1], h[0], SLICED(blake3_last_row)(length, counter, flags)};
    SLICED(blake3_permute)(r, &block, 0);
    _mm_storeu_si128((__m128i *)out, SLICED(xor)(r[0], r[2]));
    _mm_storeu_si128((__m128i *)(out + 16), SLICED(xor)(r[1], r[3]));
    _mm_storeu_si128((__m128i *)(out + 32), SLICED(xor)(r[2], h[0]));
    _mm_storeu_si128((__m128i *)(out + 48), SLICED(xor)(r[3], h[1]));
}
#endif

#undef VEC
