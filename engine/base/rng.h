/* SPDX-License-Identifier: MIT
 *
 * base/rng.h - splitmix64 and xoshiro256** (Blackman, Vigna 2018): fast, seedable, not for secrets.
 */
#ifndef CNS_BASE_RNG_H
#define CNS_BASE_RNG_H

#include <stdint.h>

typedef struct cns_rng {
    uint64_t s[4];
} cns_rng;

static inline uint64_t cns_rng_splitmix(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline void cns_rng_seed(cns_rng *rng, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        rng->s[i] = cns_rng_splitmix(&seed);
    }
}

static inline uint64_t cns_rng_next(cns_rng *rng) {
    uint64_t *s = rng->s;
    uint64_t x = s[1] * 5;
    uint64_t result = ((x << 7) | (x >> 57)) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return result;
}

/* Uniform in [0, bound); bound > 0. The bias is below 2^-32 for bounds below 2^32. */
static inline uint64_t cns_rng_below(cns_rng *rng, uint64_t bound) {
    return cns_rng_next(rng) % bound;
}

#endif
