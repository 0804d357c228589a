/* SPDX-License-Identifier: MIT
 *
 * fzn.h - FlatZinc (the grammar of MiniZinc 2.6 to 2.8), read in one pass: fzn_reader_create,
 * _load, fzn_read_declarations; fzn_next_constraint until it gives NULL; fzn_solve_item.
 *
 * Declarations are kept; constraints are handed out one at a time, in storage that the next one
 * reuses. Who posts them to a solver needs each once, with all declarations known, and the
 * grammar's order gives that: a document of everything would be written and read again for nothing,
 * and be larger than the text. Who needs two passes (to alias variables first, say) calls
 * fzn_rewind: the text is still in memory, and is the document. Pulling leaves the loop to the
 * caller, where callbacks would not. A reader belongs to one thread at a time.
 */
#ifndef CNS_FZN_H
#define CNS_FZN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cns/base.h"

typedef enum fzn_type { FZN_TYPE_BOOL, FZN_TYPE_INT, FZN_TYPE_FLOAT, FZN_TYPE_SET } fzn_type;

typedef enum fzn_kind {
    FZN_NONE,      /* no value: a variable without right-hand side */
    FZN_BOOL,      /* as.integer, 0 or 1 */
    FZN_INT,       /* as.integer */
    FZN_FLOAT,     /* as.real */
    FZN_SET,       /* as.ranges, count of them: sorted, apart by a gap; none is the empty set */
    FZN_FLOAT_SET, /* recognised, nothing kept */
    FZN_STRING,    /* as.text, count bytes, no NUL behind them */
    FZN_VARIABLE,  /* as.index, into the reader's variables; `type` is the variable's */
    FZN_BOOLS,     /* an array of bool constants: as.integers, count of them */
    FZN_INTS,      /* an array of int constants: as.integers; the empty array, too */
    FZN_ARRAY,     /* any other array: as.values, count of them */
    FZN_ATOM,      /* a name in an annotation: as.word */
    FZN_CALL       /* an annotation with arguments: as.call, count of them */
} fzn_kind;

typedef struct fzn_range {
    int64_t low, high;
} fzn_range;

/* Plain data: copying a value copies a reference to its elements. Arrays that were declared are
 * referred to, too, not copied. */
typedef struct fzn_value {
    uint8_t kind; /* fzn_kind */
    uint8_t type; /* fzn_type, of FZN_VARIABLE */
    uint16_t reserved;
    uint32_t count;
    union {
        int64_t integer;
        double real;
        uint32_t index;
        uint32_t word;
        const int64_t *integers;
        const fzn_range *ranges;
        const char *text;
        const struct fzn_value *values;
        const struct fzn_call *call;
    } as;
} fzn_value;

typedef struct fzn_call {
    uint32_t word;
    uint32_t reserved;
    fzn_value arguments[];
} fzn_call;

#define FZN_UNBOUNDED UINT32_MAX

/* A variable, or an array of them. */
typedef struct fzn_declaration {
    const char *name; /* in the text: name_length bytes */
    uint64_t position;
    const fzn_range *ranges; /* the domain; of sets, the values that they may contain */
    const fzn_value *annotations;
    /* What it is declared equal to. Of a variable: a constant, another variable, FZN_NONE. Of an
     * array: FZN_ARRAY, FZN_INTS or FZN_BOOLS. */
    fzn_value value;
    uint32_t name_length;
    uint32_t range_count; /* FZN_UNBOUNDED: no domain given; 0: none is possible */
    uint32_t annotation_count;
    uint32_t type; /* fzn_type; of an array, its elements' */
} fzn_declaration;

/* Valid until the next call that reads. Names of parameters are replaced by what they mean. */
typedef struct fzn_constraint {
    const fzn_value *arguments;
    const fzn_value *annotations;
    uint64_t position;
    uint32_t word; /* the predicate */
    uint32_t argument_count;
    uint32_t annotation_count;
    uint32_t reserved;
} fzn_constraint;

typedef enum fzn_goal { FZN_SATISFY, FZN_MINIMIZE, FZN_MAXIMIZE } fzn_goal;

typedef struct fzn_solve {
    const fzn_value *annotations;
    fzn_value objective; /* FZN_NONE to satisfy */
    uint64_t position;
    uint32_t annotation_count;
    uint32_t goal; /* fzn_goal */
} fzn_solve;

typedef struct fzn_reader fzn_reader;

typedef struct fzn_config {
    uint32_t size;
    /* Names of predicates and annotations that the caller knows: words[i] is word i in all that is
     * read, other names get the numbers from word_count on. Copied. */
    uint32_t word_count;
    const char *const *words;
    /* Asked now and then among the declarations; true: they end with CNS_E_CANCELLED. NULL: never.
     */
    bool (*stop)(void *user);
    void *stop_user;
} fzn_config;

/* CNS_E_INVALID (no context, a word twice) or CNS_E_NOMEM. */
cns_status fzn_reader_create(cns_context *context, const fzn_config *config, fzn_reader **out);
void fzn_reader_destroy(fzn_reader *reader);

/* The text: a whole file, or a copy of `size` bytes. Once a reader. The file is read, not mapped:
 * one that another process cuts short meanwhile cannot crash this one.
 * CNS_E_IO, CNS_E_NOMEM, CNS_E_INVALID (the second text). */
cns_status fzn_reader_load(fzn_reader *reader, const char *path);
cns_status fzn_reader_set_text(fzn_reader *reader, const void *bytes, size_t size);

/* What follows returns CNS_E_INVALID where the text breaks the grammar, CNS_E_RANGE for a number
 * or an array that is too large, CNS_E_NOTFOUND for an unknown name, CNS_E_LIMIT for annotations
 * nested too deep, and CNS_E_NOMEM. A reader that failed stays so: each later call gives the same
 * status. */

/* Reads up to the first constraint or the solve item. Afterwards the tables below are complete. */
cns_status fzn_read_declarations(fzn_reader *reader);
/* The next constraint; NULL when there is none: the solve item is then read, too. */
cns_status fzn_next_constraint(fzn_reader *reader, const fzn_constraint **out);
/* Back to the first constraint. requires: the declarations are read. */
cns_status fzn_rewind(fzn_reader *reader);

/* Valid for the reader's life, complete after fzn_read_declarations; `count` is never NULL. */
const fzn_declaration *fzn_variables(const fzn_reader *reader, uint32_t *count);
const fzn_declaration *fzn_arrays(const fzn_reader *reader, uint32_t *count);
/* NULL before fzn_next_constraint gave NULL; valid until the next call that reads. */
const fzn_solve *fzn_solve_item(const fzn_reader *reader);
/* The name of a predicate or annotation, `length` bytes, no NUL behind them. NULL for no word. */
const char *fzn_word(const fzn_reader *reader, uint32_t word, uint32_t *length);

/* The last failure: "line 3, column 7: found ';', expected ...". "" when nothing failed. */
const char *fzn_message(const fzn_reader *reader);
/* Line and column (in bytes), from 1, of a position. Fast when positions ascend. */
void fzn_locate(fzn_reader *reader, uint64_t position, uint64_t *line, uint64_t *column);

static inline bool fzn_is_array(const fzn_value *value) {
    return value->kind >= FZN_BOOLS && value->kind <= FZN_ARRAY;
}

/* Element `index` of an array of any layout. requires: index < array->count. */
static inline fzn_value fzn_element(const fzn_value *array, uint32_t index) {
    if (array->kind == FZN_ARRAY) {
        return array->as.values[index];
    }
    fzn_value value = {.kind = array->kind == FZN_BOOLS ? FZN_BOOL : FZN_INT};
    value.as.integer = array->as.integers[index];
    return value;
}

#endif
