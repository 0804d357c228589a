/* SPDX-License-Identifier: MIT
 *
 * memory/poison.h - tells AddressSanitizer which bytes nobody may touch; nothing without it.
 *
 * Poison is kept per 8 bytes; where a region begins or ends between, the sanitizer rather leaves a
 * few bytes open. What goes back to the OS or the host is unpoisoned first, because someone else
 * may get the same addresses.
 */
#ifndef CNS_MEMORY_POISON_H
#define CNS_MEMORY_POISON_H

#include <stddef.h>

#include "base/check.h"

#if defined(CNS_ASAN) && defined(__has_include)
#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#define CNS_POISON 1
#endif
#endif

static inline void cns_poison(void *bytes, size_t size) {
#ifdef CNS_POISON
    __asan_poison_memory_region(bytes, size);
#else
    (void)bytes;
    (void)size;
#endif
}

static inline void cns_unpoison(void *bytes, size_t size) {
#ifdef CNS_POISON
    __asan_unpoison_memory_region(bytes, size);
#else
    (void)bytes;
    (void)size;
#endif
}

#endif
