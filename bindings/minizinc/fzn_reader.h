/* SPDX-License-Identifier: MIT
 *
 * fzn_reader.h - what the reader's files share: its state, scanning of bytes, names, failures.
 *
 * The text has FZN_PADDING zero bytes behind it, so that scanning loops need no bounds: a zero
 * byte ends every token. Functions return false after fzn_fail; the reader's status then says why.
 */
#ifndef CNS_FZN_READER_H
#define CNS_FZN_READER_H

#include <stdbool.h>
#include <string.h>

#include "cns/memory.h"
#include "fzn.h"

#if defined(__GNUC__)
#define FZN_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define FZN_COLD __attribute__((cold, noinline))
#define FZN_LIKELY(condition) __builtin_expect(!!(condition), 1)
#else
#define FZN_PRINTF(text, first)
#define FZN_COLD
#define FZN_LIKELY(condition) (condition)
#endif

enum { FZN_PADDING = 32, FZN_DEPTH = 256 };
#define FZN_NO UINT32_MAX
#define FZN_RESERVED 0xff /* the kind of a name that the grammar keeps for itself */

/* A name in the text. value.kind is FZN_NONE until something of this name is declared. */
typedef struct fzn_symbol {
    const char *name;
    uint32_t length;
    uint32_t word; /* its number as predicate or annotation, FZN_NO before it is one */
    fzn_value value;
} fzn_symbol;

typedef struct fzn_slot {
    uint32_t hash;
    uint32_t symbol; /* plus 1; 0 for a free slot */
} fzn_slot;

typedef struct fzn_names {
    fzn_symbol *symbols;
    uint32_t count, capacity;
    fzn_slot *slots;
    uint32_t slot_count; /* a power of two */
    uint32_t slots_used; /* half of them at most */
    uint64_t seed;
    uint32_t fixed;       /* the first symbols: reserved words, true and false */
    uint32_t *introduced; /* symbol + 1 of X_INTRODUCED_n_, by n */
    uint32_t introduced_count, introduced_limit;
    uint32_t *words; /* symbols, by word */
    uint32_t word_count, word_capacity;
} fzn_names;

typedef enum fzn_stage { FZN_EMPTY, FZN_LOADED, FZN_DECLARED, FZN_DONE } fzn_stage;

struct fzn_reader {
    const char *at; /* the next byte */
    const char *end;
    fzn_value *stack; /* elements of what is being read, innermost last */
    uint32_t top, stack_capacity;
    cns_arena *store; /* where finished values go: one of the two below */
    cns_arena *kept, *passing;
    fzn_names names;
    cns_context *context;
    bool (*stop)(void *user);
    void *stop_user;
    char *text;
    size_t text_capacity;
    fzn_declaration *variables;
    uint32_t variable_count, variable_capacity;
    fzn_declaration *arrays;
    uint32_t array_count, array_capacity;
    fzn_constraint constraint;
    fzn_solve solve;
    const char *first_constraint;
    uint64_t located, located_line, located_start; /* the last answer of fzn_locate */
    cns_status status;
    fzn_stage stage;
    char message[400];
};

/* ---- bytes ----------------------------------------------------------------------------------- */

static inline bool fzn_is_digit(char c) {
    return (unsigned char)(c - '0') < 10;
}

/* Of a hexadecimal digit, too; 16 for other bytes. */
static inline unsigned fzn_digit_of(char c) {
    if (fzn_is_digit(c)) {
        return (unsigned)(c - '0');
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

extern const uint8_t fzn_name_bytes[256];

/* Letters, digits and the underscore. */
static inline bool fzn_is_name(char c) {
    return fzn_name_bytes[(unsigned char)c];
}

static inline bool fzn_is_name_start(char c) {
    return fzn_is_name(c) && !fzn_is_digit(c);
}

void fzn_skip_space_slow(fzn_reader *r);

/* Past blanks and comments. One blank is the usual case. */
static inline void fzn_skip_space(fzn_reader *r) {
    if (*r->at == ' ' || *r->at == '\n') {
        r->at++;
    }
    if (*r->at <= ' ' || *r->at == '%') {
        fzn_skip_space_slow(r);
    }
}

/* ---- failures (fzn_text.c) --------------------------------------------------------------------
 */

/* Sets the message, with the place of `where` in front. The first failure stays. Returns false. */
bool fzn_fail(fzn_reader *r, cns_status status, const char *where, const char *format, ...) FZN_COLD
    FZN_PRINTF(4, 5);
/* "found X, expected `what`", of the token at r->at. */
bool fzn_expected(fzn_reader *r, const char *what) FZN_COLD;
/* The same of a memory failure, without a place. */
bool fzn_out_of_memory(fzn_reader *r) FZN_COLD;

/* Past `c`, or fails. */
static inline bool fzn_take(fzn_reader *r, char c, const char *what) {
    fzn_skip_space(r);
    if (FZN_LIKELY(*r->at == c)) {
        r->at++;
        return true;
    }
    return fzn_expected(r, what);
}

/* Past `c` where it comes next. */
static inline bool fzn_accept(fzn_reader *r, char c) {
    fzn_skip_space(r);
    if (*r->at == c) {
        r->at++;
        return true;
    }
    return false;
}

/* Past "..", "::" where they come next. */
static inline bool fzn_accept_pair(fzn_reader *r, char c) {
    fzn_skip_space(r);
    if (r->at[0] == c && r->at[1] == c) {
        r->at += 2;
        return true;
    }
    return false;
}

/* Past a keyword where it comes next. requires: it is shorter than the padding. */
static inline bool fzn_accept_word(fzn_reader *r, const char *keyword) {
    size_t length = strlen(keyword);
    fzn_skip_space(r);
    if (memcmp(r->at, keyword, length) != 0 || fzn_is_name(r->at[length])) {
        return false;
    }
    r->at += length;
    return true;
}

/* ---- memory (fzn_text.c) ----------------------------------------------------------------------
 */

/* `table` with room for one more entry of `size` bytes: as it is, or moved and doubled. NULL on
 * failure; it is then as it was. */
void *fzn_reserve(fzn_reader *r, void *table, uint32_t count, uint32_t *capacity, size_t size);
void fzn_release(fzn_reader *r, void *table, uint32_t capacity, size_t size);
/* From r->store; NULL after fzn_out_of_memory. */
void *fzn_store(fzn_reader *r, size_t count, size_t size);

static inline bool fzn_push(fzn_reader *r, const fzn_value *value) {
    if (!FZN_LIKELY(r->top < r->stack_capacity)) {
        fzn_value *roomy = fzn_reserve(r, r->stack, r->top, &r->stack_capacity, sizeof *roomy);
        if (!roomy) {
            return false;
        }
        r->stack = roomy;
    }
    r->stack[r->top++] = *value;
    return true;
}

/* Copies what lies on the stack from `base` on to the store and pops it. NULL on failure. */
const fzn_value *fzn_store_stack(fzn_reader *r, uint32_t base);

/* ---- names (fzn_names.c) ----------------------------------------------------------------------
 */

bool fzn_names_init(fzn_reader *r, const fzn_config *config);
/* Once the text is known: its size bounds the table of introduced names. */
void fzn_names_set_text_size(fzn_reader *r, size_t size);
void fzn_names_deinit(fzn_reader *r);
/* Reads a name at r->at (fails where none is). The symbol: FZN_NO after a failure, and, unless
 * `add`, where the text had no such name before; r->at is then at the name's end. */
uint32_t fzn_read_name(fzn_reader *r, bool add, const char *what);
/* The symbol's number as a word; FZN_NO after a failure. */
uint32_t fzn_word_of(fzn_reader *r, uint32_t symbol);

/* ---- values (fzn_number.c, fzn_value.c) -------------------------------------------------------
 */

/* At a digit or '-': an int, a float, or a range of either as a set. */
bool fzn_read_number(fzn_reader *r, fzn_value *out);
bool fzn_read_integer(fzn_reader *r, int64_t *out);
/* At '{'. */
bool fzn_read_set(fzn_reader *r, fzn_value *out);
/* At '"'. */
bool fzn_read_string(fzn_reader *r, fzn_value *out);
/* Any expression: what a constraint's argument or a right-hand side may be. */
bool fzn_read_expression(fzn_reader *r, fzn_value *out);
/* Pushes all annotations that come next, and counts them. */
bool fzn_push_annotations(fzn_reader *r, uint32_t *count);

#endif
