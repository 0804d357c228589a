/* SPDX-License-Identifier: MIT
 *
 * hash/map_group.h - a group of 15 slots: one tag byte a slot (0: free), then the overflow byte.
 *
 * The answer to "which slots have this tag" is a mask with bit i for slot i. The portable version
 * works on two words: a byte is zero exactly when neither its low seven bits plus 0x7f nor the byte
 * itself reach the top bit; the multiplication gathers the eight top bits in one byte.
 */
#ifndef CNS_HASH_MAP_GROUP_H
#define CNS_HASH_MAP_GROUP_H

#include <stdint.h>

#include "base/bits.h"

enum { CNS_GROUP_SLOTS = 15, CNS_GROUP_BYTES = 16, CNS_GROUP_MASK = 0x7fff };

static inline uint32_t cns_zero_bytes(uint64_t word) {
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t zeros = ~(((word & low) + low) | word | low) >> 7;
    return (uint32_t)((zeros * UINT64_C(0x0102040810204080)) >> 56);
}

static inline uint32_t cns_group_match_portable(const uint8_t *group, uint8_t tag) {
    uint64_t pattern = tag * UINT64_C(0x0101010101010101);
    uint32_t first = cns_zero_bytes(cns_load64_le(group) ^ pattern);
    uint32_t second = cns_zero_bytes(cns_load64_le(group + 8) ^ pattern);
    return (first | second << 8) & CNS_GROUP_MASK;
}

#if defined(__SSE2__) && !defined(CNS_MAP_PORTABLE)
#include "hash/map_group_x86.h"
#define cns_group_match cns_group_match_sse2
#else
#define cns_group_match cns_group_match_portable
#endif

#endif
