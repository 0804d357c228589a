/* SPDX-License-Identifier: MIT
 *
 * hash/crc32c_sse41.c - CRC32C with the crc32 instruction, which takes 8 bytes a cycle but answers
 * after three: three neighbouring strides are taken side by side and joined.
 *
 * Joining moves a value over a stride of zero bytes, a linear map of 32 bits: the XOR of one
 * constant (the bit's image) for each bit set. Source: Gopal et al., Fast CRC computation for
 * iSCSI polynomial using CRC32 instruction (Intel, 2011). Any thread.
 */
#if defined(__x86_64__)

#include <immintrin.h>

#include "base/bits.h"
#include "hash/kernels_x86.h"

enum { STRIDE_LONG = 4096, STRIDE_SHORT = 256 };

/* Images of single bits behind a stride of zeros: x^(8 * stride) times each, modulo the CRC's
 * polynomial, in its bit order. */
static const uint32_t images_long[32] = {
    0xc2a5b65e, 0x80a71a4d, 0x04a2426b, 0x094484d6, 0x128909ac, 0x25121358, 0x4a2426b0, 0x94484d60,
    0x2d7cec31, 0x5af9d862, 0xb5f3b0c4, 0x6e0b1779, 0xdc162ef2, 0xbdc02b15, 0x7e6c20db, 0xfcd841b6,
    0xfc5cf59d, 0xfd559dcb, 0xff474d67, 0xfb62ec3f, 0xf329ae8f, 0xe3bf2bef, 0xc292212f, 0x80c834af,
    0x047c1faf, 0x08f83f5e, 0x11f07ebc, 0x23e0fd78, 0x47c1faf0, 0x8f83f5e0, 0x1aeb9d31, 0x35d73a62};
static const uint32_t images_short[32] = {
    0xdcb17aa4, 0xbc8e83b9, 0x7cf17183, 0xf9e2e306, 0xf629b0fd, 0xe9bf170b, 0xd69258e7, 0xa8c8c73f,
    0x547df88f, 0xa8fbf11e, 0x541b94cd, 0xa837299a, 0x558225c5, 0xab044b8a, 0x53e4e1e5, 0xa7c9c3ca,
    0x4a7ff165, 0x94ffe2ca, 0x2c13b365, 0x582766ca, 0xb04ecd94, 0x6571edd9, 0xcae3dbb2, 0x902bc195,
    0x25bbf5db, 0x4b77ebb6, 0x96efd76c, 0x2833d829, 0x5067b052, 0xa0cf60a4, 0x4472b7b9, 0x88e56f72};

static inline uint32_t move(uint32_t crc, const uint32_t images[32]) {
    uint32_t moved = 0;
    for (int i = 0; i < 32; i++) {
        moved ^= images[i] & (0u - ((crc >> i) & 1u));
    }
    return moved;
}

static inline uint32_t three_strides(uint32_t crc, const uint8_t *data, size_t stride,
                                     const uint32_t images[32]) {
    uint64_t a = crc, b = 0, c = 0;
    for (size_t i = 0; i < stride; i += 8) {
        a = _mm_crc32_u64(a, cns_load64_le(data + i));
        b = _mm_crc32_u64(b, cns_load64_le(data + stride + i));
        c = _mm_crc32_u64(c, cns_load64_le(data + 2 * stride + i));
    }
    return move(move((uint32_t)a, images) ^ (uint32_t)b, images) ^ (uint32_t)c;
}

uint32_t cns_crc32c_sse41(uint32_t crc, const uint8_t *data, size_t size) {
    for (; size >= 3 * STRIDE_LONG; size -= 3 * STRIDE_LONG, data += 3 * STRIDE_LONG) {
        crc = three_strides(crc, data, STRIDE_LONG, images_long);
    }
    for (; size >= 3 * STRIDE_SHORT; size -= 3 * STRIDE_SHORT, data += 3 * STRIDE_SHORT) {
        crc = three_strides(crc, data, STRIDE_SHORT, images_short);
    }
    uint64_t wide = crc;
    for (; size >= 8; size -= 8, data += 8) {
        wide = _mm_crc32_u64(wide, cns_load64_le(data));
    }
    crc = (uint32_t)wide;
    for (; size > 0; size--, data++) {
        crc = _mm_crc32_u8(crc, *data);
    }
    return crc;
}

#else
typedef int cns_crc32c_sse41_is_for_x86; /* a file must not be empty */
#endif
