/* SPDX-License-Identifier: MIT
 *
 * memory/size_class.h - how the heap rounds sizes.
 *
 * Classes 1 to 8 are 16, 32, ... 128 bytes; from there eight classes to a doubling (at most 12.5%
 * is lost), up to 128 KiB. Larger blocks keep the same spacing up to 8 MiB, so that one freed fits
 * the next of about its size, and are then rounded to 64 KiB, so that a budget of gigabytes is not
 * charged an eighth too much. Class 0 stands for blocks that have no class.
 */
#ifndef CNS_MEMORY_SIZE_CLASS_H
#define CNS_MEMORY_SIZE_CLASS_H

#include <stddef.h>
#include <stdint.h>

#include "base/bits.h"
#include "base/check.h"

enum {
    CNS_CLASS_NONE = 0,
    CNS_CLASSES = 89, /* 1 to 88 */
    CNS_CLASS_SIZE_MAX = 128 * 1024,
    CNS_CLASS_TABLE_MAX = 1024, /* sizes up to here are looked up */
    CNS_SPACED_SIZE_MAX = 8 * 1024 * 1024,
    CNS_LARGE_GRAIN = 64 * 1024
};

/* No block is larger: sums of sizes, alignments and headers stay far from overflow. */
#define CNS_BLOCK_SIZE_MAX (SIZE_MAX / 4)

/* Bytes of a class, 1 to 88. */
static inline size_t cns_class_size(unsigned size_class) {
    if (size_class <= 8) {
        return (size_t)size_class * 16;
    }
    unsigned step = size_class - 9;
    return (size_t)(9 + step % 8) << (4 + step / 8);
}

/* requires: 128 < size <= CNS_CLASS_SIZE_MAX. */
static inline unsigned cns_size_class_computed(size_t size) {
    unsigned shift = cns_log2_floor(size - 1) - 3;
    return (shift - 4) * 8 + (unsigned)((size - 1) >> shift) + 1;
}

/* The smallest class that holds `size`; requires size <= CNS_CLASS_SIZE_MAX. */
static inline unsigned cns_size_class(size_t size) {
    static const uint8_t by_sixteenth[CNS_CLASS_TABLE_MAX / 16 + 1] = {
        1,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 17, 18, 18, 19,
        19, 20, 20, 21, 21, 22, 22, 23, 23, 24, 24, 25, 25, 25, 25, 26, 26, 26, 26, 27, 27, 27,
        27, 28, 28, 28, 28, 29, 29, 29, 29, 30, 30, 30, 30, 31, 31, 31, 31, 32, 32, 32, 32};
    if (CNS_LIKELY(size <= CNS_CLASS_TABLE_MAX)) {
        return by_sixteenth[(size + 15) / 16];
    }
    return cns_size_class_computed(size);
}

/* `size` rounded as the heap rounds it; SIZE_MAX when no block can be so large. */
static inline size_t cns_size_rounded(size_t size) {
    if (size <= CNS_CLASS_SIZE_MAX) {
        return cns_class_size(cns_size_class(size));
    }
    if (size <= CNS_SPACED_SIZE_MAX) {
        return cns_align_up(size, (size_t)1 << (cns_log2_floor(size - 1) - 3));
    }
    return size <= CNS_BLOCK_SIZE_MAX ? cns_align_up(size, CNS_LARGE_GRAIN) : SIZE_MAX;
}

#endif
