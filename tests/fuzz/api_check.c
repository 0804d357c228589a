/* SPDX-License-Identifier: MIT
 *
 * api_check.c - what Check's assertions in tests/support call: here no suite runs, and one that
 * fails ends the process, for the fuzzer to see.
 */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void _mark_point(const char *file, int line) {
    (void)file;
    (void)line;
}

void _ck_assert_failed(const char *file, int line, const char *expression, const char *message,
                       ...) {
    fprintf(stderr, "%s:%d: %s does not hold: ", file, line, expression);
    if (message != NULL) {
        va_list arguments;
        va_start(arguments, message);
        vfprintf(stderr, message, arguments);
        va_end(arguments);
    }
    fputc('\n', stderr);
    abort();
}
