/* SPDX-License-Identifier: MIT
 *
 * suppressions.c - linked into every program of a ThreadSanitizer build, and into nothing else.
 *
 * The system's LLVM is not instrumented: the sanitizer sees its calls of malloc and of locks, but
 * not the atomics by which it publishes what it makes once (ManagedStatic), and takes that for
 * races. Reports with LLVM in a stack say nothing; the engine's own side of them has others.
 */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void) {
    return "race:libLLVM\n";
}
