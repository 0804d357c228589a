/* SPDX-License-Identifier: MIT
 *
 * fzn_value.c - expressions, arrays, strings and annotations.
 *
 * Elements are pushed on the reader's stack and copied to the store, packed, when their array is
 * complete: pointers are final, and nothing is moved but small finished pieces that lie in cache.
 */
#include "fzn_reader.h"

/* ---- names as values --------------------------------------------------------------------------
 */

static FZN_COLD bool unknown(fzn_reader *r, const char *name) {
    int length = 0;
    while (length < 60 && fzn_is_name(name[length])) {
        length++;
    }
    return fzn_fail(r, CNS_E_NOTFOUND, name,
                    "found the unknown name '%.*s', expected one that is declared above", length,
                    name);
}

static FZN_COLD bool read_subscript(fzn_reader *r, fzn_value *out) {
    int64_t index;
    r->at++;
    fzn_skip_space(r);
    const char *from = r->at;
    if (!fzn_read_integer(r, &index)) {
        return false;
    }
    if (index < 1 || index > out->count) {
        return fzn_fail(r, CNS_E_RANGE, from, "found the index %lld, expected 1 to %u",
                        (long long)index, (unsigned)out->count);
    }
    *out = fzn_element(out, (uint32_t)(index - 1));
    return fzn_take(r, ']', "']' behind the index");
}

static inline bool read_declared(fzn_reader *r, fzn_value *out) {
    const char *from = r->at;
    uint32_t symbol = fzn_read_name(r, false, "a value");
    if (!FZN_LIKELY(symbol != FZN_NO)) {
        return r->status == CNS_OK ? unknown(r, from) : false;
    }
    *out = r->names.symbols[symbol].value;
    if (!FZN_LIKELY(out->kind != FZN_NONE && out->kind != FZN_RESERVED)) {
        r->at = from;
        return out->kind == FZN_NONE ? unknown(r, from) : fzn_expected(r, "a value");
    }
    if (*r->at == '[' && fzn_is_array(out)) {
        return read_subscript(r, out);
    }
    return true;
}

/* ---- strings ----------------------------------------------------------------------------------
 */

/* The byte that the escape behind a backslash stands for; `at` moves to its last character. */
static char unescape(const char **at) {
    static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
    const char *c = *at;
    if (*c == 'x' && fzn_digit_of(c[1]) < 16) {
        unsigned value = fzn_digit_of(c[1]), digits = 1;
        if (fzn_digit_of(c[2]) < 16) {
            value = value * 16 + fzn_digit_of(c[2]);
            digits = 2;
        }
        *at += digits;
        return (char)value;
    }
    if (*c >= '0' && *c <= '7') {
        unsigned value = 0, digits = 0;
        while (digits < 3 && c[digits] >= '0' && c[digits] <= '7') {
            value = value * 8 + (unsigned)(c[digits++] - '0');
        }
        *at += digits - 1;
        return (char)value;
    }
    const char *known = strchr(from, *c);
    return known ? to[known - from] : *c;
}

static bool store_unescaped(fzn_reader *r, const char *from, const char *to, fzn_value *out) {
    char *text = fzn_store(r, (size_t)(to - from), 1);
    uint32_t count = 0;
    if (!text) {
        return false;
    }
    for (const char *at = from; at < to; at++) {
        if (*at == '\\') {
            at++;
            text[count++] = unescape(&at);
        } else {
            text[count++] = *at;
        }
    }
    *out = (fzn_value){.kind = FZN_STRING, .count = count, .as.text = text};
    return true;
}

bool fzn_read_string(fzn_reader *r, fzn_value *out) {
    const char *from = r->at + 1, *at = from;
    bool escapes = false;
    for (; *at != '"'; at++) {
        if (*at == '\\') {
            escapes = true;
            at++;
        }
        if (*at == '\n' || *at == '\0') {
            return fzn_fail(r, CNS_E_INVALID, r->at,
                            "found a string without end on its line, expected '\"' to close it");
        }
    }
    if (at - from >= UINT32_MAX) {
        return fzn_fail(r, CNS_E_RANGE, r->at, "a string of 4 GiB or more; shorten it");
    }
    r->at = at + 1;
    if (escapes) {
        return store_unescaped(r, from, at, out);
    }
    *out = (fzn_value){.kind = FZN_STRING, .count = (uint32_t)(at - from), .as.text = from};
    return true;
}

/* ---- arrays -----------------------------------------------------------------------------------
 */

/* The array of what lies on the stack from `base` on; `kinds` has a bit for each kind there. */
static bool store_array(fzn_reader *r, uint32_t base, uint32_t kinds, fzn_value *out) {
    uint32_t count = r->top - base;
    *out = (fzn_value){.kind = FZN_INTS, .count = count};
    if (count == 0) {
        return true;
    }
    if (kinds != 1u << FZN_INT && kinds != 1u << FZN_BOOL) {
        out->kind = FZN_ARRAY;
        out->as.values = fzn_store_stack(r, base);
        return out->as.values != NULL;
    }
    int64_t *integers = fzn_store(r, count, sizeof *integers);
    if (!integers) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        integers[i] = r->stack[base + i].as.integer;
    }
    r->top = base;
    out->kind = kinds == 1u << FZN_INT ? FZN_INTS : FZN_BOOLS;
    out->as.integers = integers;
    return true;
}

/* A value that is no array literal. */
static inline bool read_basic(fzn_reader *r, fzn_value *out) {
    char c = *r->at;
    if (fzn_is_digit(c) || c == '-') {
        return fzn_read_number(r, out);
    }
    if (c == '{') {
        return fzn_read_set(r, out);
    }
    if (c == '"') {
        return fzn_read_string(r, out);
    }
    return read_declared(r, out);
}

static bool read_array(fzn_reader *r, fzn_value *out) {
    uint32_t base = r->top, kinds = 0;
    r->at++;
    fzn_skip_space(r);
    while (*r->at != ']') {
        fzn_value value = {0};
        const char *from = r->at;
        if (!read_basic(r, &value) || !fzn_push(r, &value)) {
            return false;
        }
        if (fzn_is_array(&value)) {
            return fzn_fail(r, CNS_E_INVALID, from, "found an array in an array, expected a value");
        }
        kinds |= 1u << value.kind;
        fzn_skip_space(r);
        if (*r->at == ',') {
            r->at++;
            fzn_skip_space(r);
        } else if (*r->at != ']') {
            return fzn_expected(r, "',' or ']' in the array");
        }
    }
    r->at++;
    return store_array(r, base, kinds, out);
}

bool fzn_read_expression(fzn_reader *r, fzn_value *out) {
    fzn_skip_space(r);
    return *r->at == '[' ? read_array(r, out) : read_basic(r, out);
}

/* ---- annotations ------------------------------------------------------------------------------
 */

static bool read_argument(fzn_reader *r, unsigned depth, fzn_value *out);

/* Pushes what comes up to `close`. */
static bool push_arguments(fzn_reader *r, char close, unsigned depth, uint32_t *kinds) {
    fzn_skip_space(r);
    while (*r->at != close) {
        fzn_value value = {0};
        if (!read_argument(r, depth, &value) || !fzn_push(r, &value)) {
            return false;
        }
        *kinds |= 1u << value.kind;
        fzn_skip_space(r);
        if (*r->at == ',') {
            r->at++;
            fzn_skip_space(r);
        } else if (*r->at != close) {
            return fzn_expected(r, close == ')' ? "',' or ')'" : "',' or ']'");
        }
    }
    r->at++;
    return true;
}

static bool read_call(fzn_reader *r, uint32_t word, unsigned depth, fzn_value *out) {
    uint32_t base = r->top, kinds = 0;
    r->at++;
    if (!push_arguments(r, ')', depth, &kinds)) {
        return false;
    }
    uint32_t count = r->top - base;
    fzn_call *call = fzn_store(r, sizeof *call + count * sizeof *call->arguments, 1);
    if (!call) {
        return false;
    }
    call->word = word;
    call->reserved = 0;
    if (count) {
        memcpy(call->arguments, r->stack + base, count * sizeof *call->arguments);
    }
    r->top = base;
    *out = (fzn_value){.kind = FZN_CALL, .count = count, .as.call = call};
    return true;
}

/* A name is what it was declared as, `declared` permitting; else a call or an atom. */
static bool read_annotation(fzn_reader *r, bool declared, unsigned depth, fzn_value *out) {
    const char *from = r->at;
    uint32_t symbol = fzn_read_name(r, true, "an annotation");
    if (symbol == FZN_NO) {
        return false;
    }
    fzn_value value = r->names.symbols[symbol].value;
    fzn_skip_space(r);
    if (declared && value.kind != FZN_NONE && value.kind != FZN_RESERVED && *r->at != '(') {
        *out = value;
        return *r->at == '[' && fzn_is_array(out) ? read_subscript(r, out) : true;
    }
    if (symbol < r->names.fixed) {
        r->at = from;
        return fzn_expected(r, "an annotation");
    }
    uint32_t word = fzn_word_of(r, symbol);
    if (word == FZN_NO) {
        return false;
    }
    if (*r->at == '(') {
        return read_call(r, word, depth, out);
    }
    *out = (fzn_value){.kind = FZN_ATOM, .as.word = word};
    return true;
}

static bool read_argument(fzn_reader *r, unsigned depth, fzn_value *out) {
    char c = *r->at;
    if (depth >= FZN_DEPTH) {
        return fzn_fail(r, CNS_E_LIMIT, r->at,
                        "annotations nested more than %d deep; flatten the search annotation",
                        FZN_DEPTH);
    }
    if (fzn_is_name_start(c)) {
        return read_annotation(r, true, depth + 1, out);
    }
    if (c == '[') {
        uint32_t base = r->top, kinds = 0;
        r->at++;
        return push_arguments(r, ']', depth + 1, &kinds) && store_array(r, base, kinds, out);
    }
    return read_basic(r, out);
}

bool fzn_push_annotations(fzn_reader *r, uint32_t *count) {
    *count = 0;
    while (fzn_accept_pair(r, ':')) {
        fzn_value value = {0};
        fzn_skip_space(r);
        if (!read_annotation(r, false, 0, &value) || !fzn_push(r, &value)) {
            return false;
        }
        ++*count;
    }
    return true;
}
