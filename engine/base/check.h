/* SPDX-License-Identifier: MIT
 *
 * base/check.h - assertions for bugs, and the one-line checks that public functions open with.
 *
 * CNS_ASSERT states what only a bug in the engine can break; it is gone in release builds. What a
 * caller can break is checked always and answered with a status.
 */
#ifndef CNS_BASE_CHECK_H
#define CNS_BASE_CHECK_H

#ifdef CNS_DEBUG
#include <assert.h>
#define CNS_ASSERT(condition) assert(condition)
#else
#define CNS_ASSERT(condition) ((void)0)
#endif

#if defined(__GNUC__)
#define CNS_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define CNS_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define CNS_NOINLINE __attribute__((noinline))
#define CNS_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define CNS_LIKELY(condition) (condition)
#define CNS_UNLIKELY(condition) (condition)
#define CNS_NOINLINE
#define CNS_PRINTF(text, first)
#endif

#if defined(__SANITIZE_ADDRESS__)
#define CNS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CNS_ASAN 1
#endif
#endif

#endif
