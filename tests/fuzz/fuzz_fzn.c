/* SPDX-License-Identifier: MIT
 *
 * fuzz_fzn.c - texts that may be anything through the FlatZinc reader: the input, or pieces of
 * FlatZinc put together as the input says. What is accepted, written out and read again, must come
 * out the same; what is refused must have a message that a terminal can show.
 */
#define _GNU_SOURCE /* open_memstream */

#include "../support/fzn_dump.h"
#include "fuzz.h"

static const char *const pieces[] = {"var 1..9: x;",
                                     "var bool: ",
                                     "var int: X_INTRODUCED_",
                                     "array [1..",
                                     "] of var int: ",
                                     "solve ",
                                     "] of int: ",
                                     "set of int: ",
                                     "constraint f(",
                                     "int_search(",
                                     "satisfy;",
                                     "minimize ",
                                     " :: ",
                                     "output_array([1..2])",
                                     "x",
                                     "X_INTRODUCED_1_",
                                     "y",
                                     "-1",
                                     "0x1F",
                                     "9223372036854775807",
                                     "1.5e3",
                                     "..",
                                     "{1,3}",
                                     "{5,1,2",
                                     "}",
                                     "[",
                                     "]",
                                     "(",
                                     ")",
                                     ",",
                                     ";",
                                     "=",
                                     ":",
                                     "\"a\\n\\x41\"",
                                     "\"",
                                     "% c\n",
                                     "\n",
                                     "true",
                                     "predicate p(array [int] of var int: a);",
                                     "float",
                                     "1",
                                     "2",
                                     "_",
                                     "int",
                                     "var ",
                                     "{}",
                                     "[x,1]",
                                     "of ",
                                     "constraint g(x,[x,x],3) :: a(b([c,\"d\"],1..3));"};

enum { PIECES = sizeof pieces / sizeof *pieces, ROOM = 1 << 14 };

static size_t compose(const uint8_t *data, size_t size, char *text) {
    size_t length = 0;
    for (size_t i = 0; i < size; i++) {
        const char *piece = pieces[data[i] % PIECES];
        size_t width = strlen(piece);
        if (width > ROOM - length) {
            break;
        }
        memcpy(text + length, piece, width);
        length += width;
    }
    return length;
}

static int is_shown(const char *message) {
    for (; *message; message++) {
        if (*message < ' ' || *message > '~') {
            return 0;
        }
    }
    return 1;
}

/* What the reader hands out, or NULL where it refuses. */
static char *read_text(cns_context *context, const void *text, size_t size, size_t *length) {
    fzn_reader *r = NULL;
    char *result = NULL;
    FUZZ_CHECK(fzn_reader_create(context, NULL, &r) == CNS_OK);
    void *exact = malloc(size ? size : 1);
    memcpy(exact, text, size);
    FUZZ_CHECK(fzn_reader_set_text(r, exact, size) == CNS_OK);
    free(exact);
    FILE *out = open_memstream(&result, length);
    cns_status status = dump_all(out, r);
    fclose(out);
    FUZZ_CHECK(status == CNS_OK || status == CNS_E_INVALID || status == CNS_E_RANGE ||
               status == CNS_E_NOTFOUND || status == CNS_E_LIMIT);
    FUZZ_CHECK((status == CNS_OK) == (*fzn_message(r) == '\0'));
    FUZZ_CHECK(status == CNS_OK || strncmp(fzn_message(r), "line ", 5) == 0);
    FUZZ_CHECK(is_shown(fzn_message(r)));
    fzn_reader_destroy(r);
    if (status != CNS_OK) {
        free(result);
        return NULL;
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char text[ROOM];
    cns_context *context = NULL;
    size_t length = 0, again = 0;
    FUZZ_CHECK(cns_context_create(NULL, &context) == CNS_OK);
    int composed = size > 0 && data[0] == 0xff;
    char *first = composed ? read_text(context, text, compose(data + 1, size - 1, text), &length)
                           : read_text(context, data, size, &length);
    /* Sets of floats and of ranges with gaps are written in no FlatZinc of ours; the rest is. */
    if (first && !strstr(first, "floats") && !strstr(first, "..")) {
        char *second = read_text(context, first, length, &again);
        FUZZ_CHECK(second && again == length && memcmp(first, second, length) == 0);
        free(second);
    }
    free(first);
    cns_memory_stats stats;
    cns_context_memory(context, &stats);
    FUZZ_CHECK(stats.held == 0);
    cns_context_destroy(context);
    return 0;
}
