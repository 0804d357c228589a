/* SPDX-License-Identifier: MIT
 *
 * hash/blake2b_lanes.h - BLAKE2b over LANES messages at once, one per vector element. Included
 * once for each width, like blake3_lanes.h: LANES and WIDE(name) are defined around it.
 *
 * Lanes may have different numbers of blocks: while all have whole blocks to come only pointers
 * move, then every lane ends at its own block and keeps its state by a mask.
 */
#define VEC WIDE(vec)

/* The sum with a message word comes first: the other operand is the one that is waited for. */
CNS_INLINE void WIDE(blake2b_mix)(VEC v[16], int a, int b, int c, int d, VEC x, VEC y) {
    v[a] = WIDE(add)(v[a], x);
    CNS_PIN(v[a]);
    v[a] = WIDE(add)(v[a], v[b]);
    v[d] = WIDE(ror32)(WIDE(xor)(v[d], v[a]));
    v[c] = WIDE(add)(v[c], v[d]);
    v[b] = WIDE(ror24)(WIDE(xor)(v[b], v[c]));
    v[a] = WIDE(add)(v[a], y);
    CNS_PIN(v[a]);
    v[a] = WIDE(add)(v[a], v[b]);
    v[d] = WIDE(ror16)(WIDE(xor)(v[d], v[a]));
    v[c] = WIDE(add)(v[c], v[d]);
    v[b] = WIDE(ror63)(WIDE(xor)(v[b], v[c]));
}

CNS_INLINE void WIDE(blake2b_round)(VEC v[16], const VEC m[16], const uint8_t *s) {
    WIDE(blake2b_mix)(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
    WIDE(blake2b_mix)(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
    WIDE(blake2b_mix)(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
    WIDE(blake2b_mix)(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
    WIDE(blake2b_mix)(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
    WIDE(blake2b_mix)(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
    WIDE(blake2b_mix)(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
    WIDE(blake2b_mix)(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
}

CNS_INLINE void WIDE(blake2b_compress)(VEC h[8], const uint8_t *const *block, size_t offset,
                                       VEC total, VEC final) {
    VEC m[16], v[16];
    for (int i = 0; i < 8; i++) {
        v[i] = h[i];
        v[8 + i] = WIDE(set1)(cns_blake2b_iv[i]);
    }
    v[12] = WIDE(xor)(v[12], total);
    v[14] = WIDE(xor)(v[14], final);
    WIDE(load_message)(m, block, offset);
    WIDE(blake2b_round)(v, m, cns_blake2b_schedule[0]);
    WIDE(blake2b_round)(v, m, cns_blake2b_schedule[1]);
    WIDE(blake2b_round)(v, m, cns_blake2b_schedule[2]);
    WIDE(blake2b_round)(v, m, cns_blake2b_schedule[3]);
    WIDE(blake2b_round)(v, m, cns_blake2b_schedule[4]);
    WIDE(blake2b_round)(v, m, cns_blake2b_schedule[5]);
    WIDE(blake2b_round)(v, m, cns_blake2b_schedule[6]);
    WIDE(blake2b_round)(v, m, cns_blake2b_schedule[7]);
    WIDE(blake2b_round)(v, m, cns_blake2b_schedule[8]);
    WIDE(blake2b_round)(v, m, cns_blake2b_schedule[9]);
    WIDE(blake2b_round)(v, m, cns_blake2b_schedule[10]);
    WIDE(blake2b_round)(v, m, cns_blake2b_schedule[11]);
    for (int i = 0; i < 8; i++) {
        h[i] = WIDE(xor)(h[i], WIDE(xor)(v[i], v[8 + i]));
    }
}

/* The blocks from `done` on, of lanes that end at different ones. */
CNS_INLINE void WIDE(blake2b_ends)(const cns_blake2b_job *job, uint32_t first, uint32_t used,
                                   VEC h[8], uint64_t done, uint64_t most) {
    const uint8_t *block[LANES];
    uint64_t total[LANES], final[LANES], active[LANES];
    for (; done < most; done++) {
        uint64_t length = job->before + (done + 1) * CNS_BLAKE2B_BLOCK;
        VEC after[8];
        for (uint32_t i = 0; i < LANES; i++) {
            uint32_t lane = first + (i < used ? i : 0); /* spare lanes repeat the first */
            bool whole = done + 1 < job->blocks[lane];
            const uint8_t *last = job->last[lane];
            block[i] = whole ? job->input[lane] + (size_t)done * CNS_BLAKE2B_BLOCK : last;
            total[i] = whole ? length : job->total[lane];
            final[i] = whole ? 0 : UINT64_MAX;
            active[i] = done < job->blocks[lane] ? UINT64_MAX : 0;
        }
        for (int i = 0; i < 8; i++) {
            after[i] = h[i];
        }
        WIDE(blake2b_compress)(after, block, 0, WIDE(load)(total), WIDE(load)(final));
        VEC mask = WIDE(load)(active);
        for (int i = 0; i < 8; i++) {
            h[i] = WIDE(xor)(h[i], WIDE(and)(WIDE(xor)(h[i], after[i]), mask));
        }
    }
}

/* Lanes `first` and up of the job, at most LANES of them. */
static void WIDE(blake2b_run)(const cns_blake2b_job *job, uint32_t first) {
    uint32_t used = job->lanes - first < LANES ? job->lanes - first : LANES;
    const uint8_t *input[LANES];
    uint64_t least = UINT64_MAX, most = 0;
    for (uint32_t i = 0; i < used; i++) {
        uint64_t blocks = job->blocks[first + i];
        input[i] = job->input[first + i];
        least = blocks < least ? blocks : least;
        most = blocks > most ? blocks : most;
    }
    for (uint32_t i = used; i < LANES; i++) {
        input[i] = job->input[first]; /* spare lanes repeat the first */
    }
    VEC h[8];
    for (int i = 0; i < 8; i++) {
        h[i] = WIDE(set1)(job->start[i]);
    }
    uint64_t done = 0;
    for (; done + 1 < least; done++) {
        uint64_t length = job->before + (done + 1) * CNS_BLAKE2B_BLOCK;
        WIDE(blake2b_compress)
        (h, input, (size_t)done * CNS_BLAKE2B_BLOCK, WIDE(set1)(length), WIDE(set1)(0));
    }
    WIDE(blake2b_ends)(job, first, used, h, done, most);
    WIDE(store_values)(h, job->out + first, used);
}

#undef VEC
