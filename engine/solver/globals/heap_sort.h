/* SPDX-License-Identifier: MIT
 *
 * solver/globals/heap_sort.h - sorting in place, for terms and literals while constraints are
 * posted: no memory, no bad case. Not stable: `before` should tell all elements apart.
 */
#ifndef CNS_SOLVER_HEAP_SORT_H
#define CNS_SOLVER_HEAP_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CNS_HEAP_SORT_MAX 64 /* bytes of an element, at most */

typedef bool (*cns_before_fn)(const void *a, const void *b);

void cns_heap_sort(void *items, uint32_t count, size_t size, cns_before_fn before);

#endif
