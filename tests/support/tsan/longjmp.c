/* SPDX-License-Identifier: MIT
 *
 * longjmp.c - linked into every program of a ThreadSanitizer build, and into nothing else.
 *
 * Debian's liblua raises errors by glibc's __longjmp_chk, the fortified longjmp. ThreadSanitizer
 * does not intercept it, so the calls that an error unwinds stay on the sanitizer's own stack of
 * calls, which overflows after some ten thousand errors that pass through instrumented functions.
 * Taking the symbol over sends every such jump through the longjmp that is intercepted.
 */
#include <setjmp.h>

__attribute__((visibility("default"), noreturn)) void __longjmp_chk(jmp_buf environment, int value);

void __longjmp_chk(jmp_buf environment, int value) {
    longjmp(environment, value);
}
