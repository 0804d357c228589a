/* SPDX-License-Identifier: MIT
 *
 * hash/blake2b_lanes.h - BLAKE2b over LANES messages at once, one per vector element. Included
 * once for each width, like blake3_lanes.h: LANES and WIDE(name) are defined around it.
 *
 * Lanes may have different numbers of blocks: while all have whole blocks to come only pointers
 * move, then every lane ends at its own block and keeps its state by a mask.
 */
#define VEC WIDE(vec)

/* Four mixes side by side, step by step across them: columns for turn 0, diagonals for turn 1. */
CNS_INLINE void WIDE(blake2b_half_round)(VEC v[16], const VEC m[16], const uint8_t *s, int turn) {
    VEC *a = v;
    for (int k = 0; k < 4; k++) {
        a[k] = WIDE(add)(WIDE(add)(a[k], m[s[2 * k]]), v[4 + ((k + turn) & 3)]);
    }
    for (int k = 0; k < 4; k++) {
        VEC *d = &v[12 + ((k + 3 * turn) & 3)];
        *d = WIDE(ror32)(WIDE(xor)(*d, a[k]));
    }
    for (int k = 0; k < 4; k++) {
        VEC *c = &v[8 + ((k + 2 * turn) & 3)];
        *c = WIDE(add)(*c, v[12 + ((k + 3 * turn) & 3)]);
    }
    for (int k = 0; k < 4; k++) {
        VEC *b = &v[4 + ((k + turn) & 3)];
        *b = WIDE(ror24)(WIDE(xor)(*b, v[8 + ((k + 2 * turn) & 3)]));
    }
    for (int k = 0; k < 4; k++) {
        a[k] = WIDE(add)(WIDE(add)(a[k], m[s[2 * k + 1]]), v[4 + ((k + turn) & 3)]);
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
        *b = WIDE(ror63)(WIDE(xor)(*b, v[8 + ((k + 2 * turn) & 3)]));
    }
}

CNS_INLINE void WIDE(blake2b_round)(VEC v[16], const VEC m[16], const uint8_t *s) {
    WIDE(blake2b_half_round)(v, m, s, 0);
    WIDE(blake2b_half_round)(v, m, s + 8, 1);
}

CNS_INLINE void WIDE(blake2b_compress)(VEC h[8], const uint8_t *const *block, VEC total,
                                       VEC final) {
    VEC m[16], v[16];
    for (int i = 0; i < 8; i++) {
        v[i] = h[i];
        v[8 + i] = WIDE(set1)(cns_blake2b_iv[i]);
    }
    v[12] = WIDE(xor)(v[12], total);
    v[14] = WIDE(xor)(v[14], final);
    WIDE(load_message)(m, block);
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

/* Lanes `first` and up of the job, at most LANES of them. */
static void WIDE(blake2b_run)(const cns_blake2b_job *job, uint32_t first) {
    uint32_t used = job->lanes - first < LANES ? job->lanes - first : LANES;
    const uint8_t *block[LANES];
    uint32_t from[LANES];
    uint64_t total[LANES], final[LANES], active[LANES];
    uint64_t least = UINT64_MAX, most = 0;
    for (uint32_t i = 0; i < LANES; i++) {
        uint32_t lane = first + (i < used ? i : 0); /* spare lanes repeat the first */
        from[i] = lane;
        block[i] = job->input[lane];
        least = job->blocks[lane] < least ? job->blocks[lane] : least;
        most = job->blocks[lane] > most ? job->blocks[lane] : most;
    }
    VEC h[8];
    for (int i = 0; i < 8; i++) {
        h[i] = WIDE(set1)(job->start[i]);
    }
    uint64_t length = job->before;
    uint64_t done = 0;
    for (; done + 1 < least; done++) {
        length += CNS_BLAKE2B_BLOCK;
        WIDE(blake2b_compress)(h, block, WIDE(set1)(length), WIDE(set1)(0));
        for (uint32_t i = 0; i < LANES; i++) {
            block[i] += CNS_BLAKE2B_BLOCK;
        }
    }
    for (; done < most; done++) {
        VEC before[8];
        for (int i = 0; i < 8; i++) {
            before[i] = h[i];
        }
        length += CNS_BLAKE2B_BLOCK;
        for (uint32_t i = 0; i < LANES; i++) {
            bool whole = done + 1 < job->blocks[from[i]];
            const uint8_t *last = job->last[from[i]];
            block[i] = whole ? job->input[from[i]] + (size_t)done * CNS_BLAKE2B_BLOCK : last;
            total[i] = whole ? length : job->total[from[i]];
            final[i] = whole ? 0 : UINT64_MAX;
            active[i] = done < job->blocks[from[i]] ? UINT64_MAX : 0;
        }
        WIDE(blake2b_compress)(h, block, WIDE(load)(total), WIDE(load)(final));
        VEC mask = WIDE(load)(active);
        for (int i = 0; i < 8; i++) {
            h[i] = WIDE(xor)(before[i], WIDE(and)(WIDE(xor)(before[i], h[i]), mask));
        }
    }
    WIDE(store_values)(h, job->out + first, used);
}

#undef VEC
