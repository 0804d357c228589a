/* SPDX-License-Identifier: MIT
 *
 * hash/blake3_lanes.h - BLAKE3 over LANES messages at once, one per vector element. Included once
 * for each width, with LANES and WIDE(name) defined: WIDE(add) is add_d8 and so on, see
 * simd_x86.h. No include guard, for that reason.
 *
 * Sixteen state vectors hold the same word of every lane, so the rounds are those of plain C. As
 * long as every lane has whole blocks to come, only pointers move; afterwards each lane ends at
 * its own block, and lanes that have ended keep their value by a mask.
 */
#define VEC WIDE(vec)

/* Four mixes side by side: columns for turn 0, diagonals for turn 1. Written step by step across
 * the four, since the compiler does not reorder enough to hide their latency. */
CNS_INLINE void WIDE(blake3_half_round)(VEC v[16], const VEC m[16], const uint8_t *s, int turn) {
    VEC *a = v;
    for (int k = 0; k < 4; k++) {
        a[k] = WIDE(add)(WIDE(add)(a[k], m[s[2 * k]]), v[4 + ((k + turn) & 3)]);
    }
    for (int k = 0; k < 4; k++) {
        VEC *d = &v[12 + ((k + 3 * turn) & 3)];
        *d = WIDE(ror16)(WIDE(xor)(*d, a[k]));
    }
    for (int k = 0; k < 4; k++) {
        VEC *c = &v[8 + ((k + 2 * turn) & 3)];
        *c = WIDE(add)(*c, v[12 + ((k + 3 * turn) & 3)]);
    }
    for (int k = 0; k < 4; k++) {
        VEC *b = &v[4 + ((k + turn) & 3)];
        *b = WIDE(ror12)(WIDE(xor)(*b, v[8 + ((k + 2 * turn) & 3)]));
    }
    for (int k = 0; k < 4; k++) {
        a[k] = WIDE(add)(WIDE(add)(a[k], m[s[2 * k + 1]]), v[4 + ((k + turn) & 3)]);
    }
    for (int k = 0; k < 4; k++) {
        VEC *d = &v[12 + ((k + 3 * turn) & 3)];
        *d = WIDE(ror8)(WIDE(xor)(*d, a[k]));
    }
    for (int k = 0; k < 4; k++) {
        VEC *c = &v[8 + ((k + 2 * turn) & 3)];
        *c = WIDE(add)(*c, v[12 + ((k + 3 * turn) & 3)]);
    }
    for (int k = 0; k < 4; k++) {
        VEC *b = &v[4 + ((k + turn) & 3)];
        *b = WIDE(ror7)(WIDE(xor)(*b, v[8 + ((k + 2 * turn) & 3)]));
    }
}

CNS_INLINE void WIDE(blake3_round)(VEC v[16], const VEC m[16], const uint8_t *s) {
    WIDE(blake3_half_round)(v, m, s, 0);
    WIDE(blake3_half_round)(v, m, s + 8, 1);
}

CNS_INLINE void WIDE(blake3_compress)(VEC h[8], const uint8_t *const *block, VEC counter_low,
                                      VEC counter_high, VEC length, VEC flags) {
    VEC m[16];
    VEC v[16] = {h[0],
                 h[1],
                 h[2],
                 h[3],
                 h[4],
                 h[5],
                 h[6],
                 h[7],
                 WIDE(set1)(cns_blake3_iv[0]),
                 WIDE(set1)(cns_blake3_iv[1]),
                 WIDE(set1)(cns_blake3_iv[2]),
                 WIDE(set1)(cns_blake3_iv[3]),
                 counter_low,
                 counter_high,
                 length,
                 flags};
    WIDE(load_message)(m, block);
    WIDE(blake3_round)(v, m, cns_blake3_schedule[0]);
    WIDE(blake3_round)(v, m, cns_blake3_schedule[1]);
    WIDE(blake3_round)(v, m, cns_blake3_schedule[2]);
    WIDE(blake3_round)(v, m, cns_blake3_schedule[3]);
    WIDE(blake3_round)(v, m, cns_blake3_schedule[4]);
    WIDE(blake3_round)(v, m, cns_blake3_schedule[5]);
    WIDE(blake3_round)(v, m, cns_blake3_schedule[6]);
    for (int i = 0; i < 8; i++) {
        h[i] = WIDE(xor)(v[i], v[8 + i]);
    }
}

/* Lanes `first` and up of the job, at most LANES of them. */
static void WIDE(blake3_run)(const cns_blake3_job *job, uint32_t first) {
    uint32_t used = job->lanes - first < LANES ? job->lanes - first : LANES;
    const uint8_t *block[LANES];
    uint32_t from[LANES], low[LANES], high[LANES], length[LANES], flags[LANES], active[LANES];
    uint32_t least = UINT32_MAX, most = 0;
    for (uint32_t i = 0; i < LANES; i++) {
        uint32_t lane = first + (i < used ? i : 0); /* spare lanes repeat the first */
        from[i] = lane;
        block[i] = job->input[lane];
        low[i] = (uint32_t)job->counter[lane];
        high[i] = (uint32_t)(job->counter[lane] >> 32);
        least = job->blocks[lane] < least ? job->blocks[lane] : least;
        most = job->blocks[lane] > most ? job->blocks[lane] : most;
    }
    VEC h[8];
    for (int i = 0; i < 8; i++) {
        h[i] = WIDE(set1)(job->key[i]);
    }
    VEC counter_low = WIDE(load)(low), counter_high = WIDE(load)(high);
    uint32_t common = job->flags | job->flags_start;
    uint32_t done = 0;
    for (; done + 1 < least; done++) {
        WIDE(blake3_compress)
        (h, block, counter_low, counter_high, WIDE(set1)(CNS_BLAKE3_BLOCK), WIDE(set1)(common));
        common = job->flags;
        for (uint32_t i = 0; i < LANES; i++) {
            block[i] += CNS_BLAKE3_BLOCK;
        }
    }
    for (; done < most; done++) {
        VEC before[8];
        for (int i = 0; i < 8; i++) {
            before[i] = h[i];
        }
        for (uint32_t i = 0; i < LANES; i++) {
            bool whole = done + 1 < job->blocks[from[i]];
            const uint8_t *last = job->last[from[i]];
            block[i] = whole ? job->input[from[i]] + (size_t)done * CNS_BLAKE3_BLOCK : last;
            length[i] = whole ? CNS_BLAKE3_BLOCK : job->last_length[from[i]];
            flags[i] = whole ? common : common | job->flags_end;
            active[i] = done < job->blocks[from[i]] ? UINT32_MAX : 0;
        }
        WIDE(blake3_compress)
        (h, block, counter_low, counter_high, WIDE(load)(length), WIDE(load)(flags));
        VEC mask = WIDE(load)(active);
        for (int i = 0; i < 8; i++) {
            h[i] = WIDE(xor)(before[i], WIDE(and)(WIDE(xor)(before[i], h[i]), mask));
        }
        common = job->flags;
    }
    WIDE(store_values)(h, job->out + first, used);
}

#undef VEC
