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

/* The sum with a message word comes first: the other operand is the one that is waited for. */
CNS_INLINE void WIDE(blake3_mix)(VEC v[16], int a, int b, int c, int d, VEC x, VEC y) {
    v[a] = WIDE(add)(v[a], x);
    CNS_PIN(v[a]);
    v[a] = WIDE(add)(v[a], v[b]);
    v[d] = WIDE(ror16)(WIDE(xor)(v[d], v[a]));
    v[c] = WIDE(add)(v[c], v[d]);
    v[b] = WIDE(ror12)(WIDE(xor)(v[b], v[c]));
    v[a] = WIDE(add)(v[a], y);
    CNS_PIN(v[a]);
    v[a] = WIDE(add)(v[a], v[b]);
    v[d] = WIDE(ror8)(WIDE(xor)(v[d], v[a]));
    v[c] = WIDE(add)(v[c], v[d]);
    v[b] = WIDE(ror7)(WIDE(xor)(v[b], v[c]));
}

CNS_INLINE void WIDE(blake3_round)(VEC v[16], const VEC m[16], const uint8_t *s) {
    WIDE(blake3_mix)(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
    WIDE(blake3_mix)(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
    WIDE(blake3_mix)(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
    WIDE(blake3_mix)(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
    WIDE(blake3_mix)(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
    WIDE(blake3_mix)(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
    WIDE(blake3_mix)(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
    WIDE(blake3_mix)(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
}

CNS_INLINE void WIDE(blake3_compress)(VEC h[8], const uint8_t *const *block, size_t offset,
                                      VEC counter_low, VEC counter_high, VEC length, VEC flags) {
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
    WIDE(load_message)(m, block, offset);
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

/* The blocks from `done` on, of lanes that end at different ones. */
static void WIDE(blake3_ends)(const cns_blake3_job *job, uint32_t first, uint32_t used, VEC h[8],
                              uint32_t done, uint32_t most) {
    const uint8_t *block[LANES];
    uint32_t length[LANES], flags[LANES], active[LANES];
    for (; done < most; done++) {
        uint32_t common = job->flags | (done == 0 ? job->flags_start : 0);
        VEC after[8];
        for (uint32_t i = 0; i < LANES; i++) {
            uint32_t lane = first + (i < used ? i : 0); /* spare lanes repeat the first */
            bool whole = done + 1 < job->blocks[lane];
            block[i] = whole ? job->input[lane] + (size_t)done * CNS_BLAKE3_BLOCK : job->last[lane];
            length[i] = whole ? CNS_BLAKE3_BLOCK : job->last_length[lane];
            flags[i] = whole ? common : common | job->flags_end;
            active[i] = done < job->blocks[lane] ? UINT32_MAX : 0;
        }
        for (int i = 0; i < 8; i++) {
            after[i] = h[i];
        }
        WIDE(blake3_compress)
        (after, block, 0, WIDE(load)(job->counter_low + first),
         WIDE(load)(job->counter_high + first), WIDE(load)(length), WIDE(load)(flags));
        VEC mask = WIDE(load)(active);
        for (int i = 0; i < 8; i++) {
            h[i] = WIDE(xor)(h[i], WIDE(and)(WIDE(xor)(h[i], after[i]), mask));
        }
    }
}

/* Lanes `first` and up of the job, at most LANES of them; first + LANES <= CNS_HASH_LANES. */
static void WIDE(blake3_run)(const cns_blake3_job *job, uint32_t first) {
    uint32_t used = job->lanes - first < LANES ? job->lanes - first : LANES;
    const uint8_t *input[LANES], *last[LANES];
    uint32_t least = UINT32_MAX, most = 0;
    for (uint32_t i = 0; i < used; i++) {
        uint32_t blocks = job->blocks[first + i];
        input[i] = job->input[first + i];
        last[i] = job->last[first + i];
        least = blocks < least ? blocks : least;
        most = blocks > most ? blocks : most;
    }
    for (uint32_t i = used; i < LANES; i++) {
        input[i] = job->input[first]; /* spare lanes repeat the first */
        last[i] = job->last[first];
    }
    VEC h[8];
    for (int i = 0; i < 8; i++) {
        h[i] = WIDE(set1)(job->key[i]);
    }
    VEC low = WIDE(load)(job->counter_low + first), high = WIDE(load)(job->counter_high + first);
    VEC flags = WIDE(set1)(job->flags | job->flags_start);
    uint32_t done = 0;
    for (; done + 1 < least; done++) {
        WIDE(blake3_compress)
        (h, input, (size_t)done * CNS_BLAKE3_BLOCK, low, high, WIDE(set1)(CNS_BLAKE3_BLOCK), flags);
        flags = WIDE(set1)(job->flags);
    }
    if (least == most) {
        flags = WIDE(set1)(job->flags | job->flags_end | (done == 0 ? job->flags_start : 0));
        WIDE(blake3_compress)(h, last, 0, low, high, WIDE(load)(job->last_length + first), flags);
    } else {
        WIDE(blake3_ends)(job, first, used, h, done, most);
    }
    WIDE(store_values)(h, job->out + first, used);
}

#undef VEC
