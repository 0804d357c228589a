/* SPDX-License-Identifier: MIT
 *
 * vm/block_lanes.h - the primitives of the block VM: one operation on many lanes.
 *
 * A lane is 64 bits: an i64, an f64, or a boolean as all bits or none. A table of primitives
 * belongs to one instruction set; the file's suffix says which, and all of them give the same bits.
 * Lane counts of computations are multiples of CNS_BLOCK_STEP: what stands in lanes that are not in
 * use is computed as well and means nothing, so nothing here may trap on any input. Results may
 * stand where an operand stood.
 */
#ifndef CNS_VM_BLOCK_LANES_H
#define CNS_VM_BLOCK_LANES_H

#include <stddef.h>

#include "vm/ir.h"

enum { CNS_BLOCK_STEP = 8 };

/* d[k] = operation(a[k], b[k], c[k]); what an operation does not have is not read. */
typedef void (*cns_lanes_fn)(void *d, const void *a, const void *b, const void *c, size_t n);

/* Which operands are one scalar for all lanes. For a SELECT, whose condition has lanes, a and b
 * are its arms. */
typedef enum cns_lanes_form {
    CNS_LANES_ALL, /* none */
    CNS_LANES_A,   /* the first */
    CNS_LANES_B,   /* the second */
    CNS_LANES_AB,  /* both; SELECT only */
    CNS_LANES_FORMS
} cns_lanes_form;

/* Whether a, or b, is one scalar. */
static inline bool cns_lanes_one_a(uint8_t form) {
    return form == CNS_LANES_A || form == CNS_LANES_AB;
}
static inline bool cns_lanes_one_b(uint8_t form) {
    return form == CNS_LANES_B || form == CNS_LANES_AB;
}

typedef struct cns_lanes {
    const char *name;
    /* By operation and form; NULL: not in that form, or not at all. */
    cns_lanes_fn operation[CNS_IR_OP_COUNT][CNS_LANES_FORMS];
    /* Elements next to each other to lanes and back, by cns_type; any count. Conversions were
     * checked before. Of f64 lanes F32 and F64 only. */
    void (*widen[CNS_F64 + 1])(void *lanes, const void *elements, size_t n);
    void (*narrow[CNS_F64 + 1])(void *elements, const void *lanes, size_t n);
    void (*iota)(void *d, int64_t first, int64_t stride, size_t n);
    void (*splat)(void *d, uint64_t bits, size_t n);
    /* Of the lanes that the mask has (NULL: of all n): how many there are; whether an i64 lies
     * outside low..high. */
    size_t (*count)(const int64_t *mask, size_t n);
    bool (*outside)(const int64_t *lanes, const int64_t *mask, int64_t low, int64_t high, size_t n);
    int64_t (*sum)(const int64_t *lanes, size_t n);
    /* From the first lane to the last: *s = *s + x, where the mask allows. */
    void (*sum_in_order)(double *s, const double *lanes, const int64_t *mask, size_t n);
} cns_lanes;

/* The widest that a machine of the level has. Never NULL. */
const cns_lanes *cns_lanes_find(cns_cpu_level level);

const cns_lanes *cns_lanes_portable(void);
#if defined(__x86_64__)
const cns_lanes *cns_lanes_avx2(void);
const cns_lanes *cns_lanes_avx512(void);
#endif

#endif
