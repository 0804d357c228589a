/* SPDX-License-Identifier: MIT
 *
 * fuzz.h - the input as a stream of choices, and a check that stays on in every build.
 */
#ifndef CNS_FUZZ_H
#define CNS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct fuzz_input {
    const uint8_t *data;
    size_t size;
} fuzz_input;

static inline uint8_t fuzz_byte(fuzz_input *input) {
    if (input->size == 0) {
        return 0;
    }
    input->size--;
    return *input->data++;
}

/* Mostly small numbers, sometimes large ones. */
static inline uint64_t fuzz_number(fuzz_input *input) {
    uint8_t width = fuzz_byte(input) & 7;
    uint64_t value = 0;
    for (int i = 0; i <= width / 2; i++) {
        value = value << 8 | fuzz_byte(input);
    }
    return value;
}

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
