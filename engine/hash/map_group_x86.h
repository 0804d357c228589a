/* SPDX-License-Identifier: MIT
 *
 * hash/map_group_x86.h - map_group.h's questions with SSE2, which every x86-64 has.
 */
#ifndef CNS_HASH_MAP_GROUP_X86_H
#define CNS_HASH_MAP_GROUP_X86_H

#include <emmintrin.h>
#include <stdint.h>

static inline uint32_t cns_group_match_sse2(const uint8_t *group, uint8_t tag) {
    __m128i bytes = _mm_load_si128((const __m128i *)(const void *)group);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)tag))) & 0x7fffu;
}

#endif
