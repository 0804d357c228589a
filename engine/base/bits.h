/* SPDX-License-Identifier: MIT
 *
 * base/bits.h - powers of two, alignment, rotations, unaligned little-endian loads.
 */
#ifndef CNS_BASE_BITS_H
#define CNS_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool cns_is_power_of_two(uint64_t x) {
    return x != 0 && (x & (x - 1)) == 0;
}

/* requires: alignment is a power of two and x + alignment does not overflow. */
static inline size_t cns_align_up(size_t x, size_t alignment) {
    return (x + alignment - 1) & ~(alignment - 1);
}

/* Floor of the binary logarithm; requires x != 0. */
static inline unsigned cns_log2_floor(uint64_t x) {
#if defined(__GNUC__)
    return 63u - (unsigned)__builtin_clzll(x);
#else
    unsigned n = 0;
    while (x >>= 1) {
        n++;
    }
    return n;
#endif
}

/* Index of the lowest set bit; requires x != 0. */
static inline unsigned cns_count_trailing_zeros(uint64_t x) {
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(x);
#else
    unsigned n = 0;
    while (!(x & 1)) {
        x >>= 1;
        n++;
    }
    return n;
#endif
}

static inline uint32_t cns_rotate_right32(uint32_t x, unsigned n) {
    return (x >> n) | (x << (32 - n));
}

static inline uint64_t cns_rotate_right64(uint64_t x, unsigned n) {
    return (x >> n) | (x << (64 - n));
}

static inline uint64_t cns_rotate_left64(uint64_t x, unsigned n) {
    return (x << n) | (x >> (64 - n));
}

static inline uint32_t cns_load32_le(const void *bytes) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint32_t x;
    memcpy(&x, bytes, sizeof x);
    return x;
#else
    const uint8_t *b = bytes;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
#endif
}

static inline uint64_t cns_load64_le(const void *bytes) {
    return (uint64_t)cns_load32_le(bytes) | (uint64_t)cns_load32_le((const uint8_t *)bytes + 4)
                                                << 32;
}

static inline void cns_store32_le(void *bytes, uint32_t x) {
    uint8_t *b = bytes;
    for (int i = 0; i < 4; i++) {
        b[i] = (uint8_t)(x >> (8 * i));
    }
}

static inline void cns_store64_le(void *bytes, uint64_t x) {
    cns_store32_le(bytes, (uint32_t)x);
    cns_store32_le((uint8_t *)bytes + 4, (uint32_t)(x >> 32));
}

static inline uint64_t cns_multiply_fold64_portable(uint64_t a, uint64_t b) {
    uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX);
    uint64_t middle = (a >> 32) * (b & UINT32_MAX) + (low >> 32);
    uint64_t other = (a & UINT32_MAX) * (b >> 32) + (middle & UINT32_MAX);
    uint64_t high = (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
    return (other << 32 | (low & UINT32_MAX)) ^ high;
}

/* The two halves of the 128-bit product, combined by exclusive or. */
static inline uint64_t cns_multiply_fold64(uint64_t a, uint64_t b) {
#if defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    return cns_multiply_fold64_portable(a, b);
#endif
}

#endif
