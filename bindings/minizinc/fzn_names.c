/* SPDX-License-Identifier: MIT
 *
 * fzn_names.c - identifiers to symbols: one open-addressing table with linear probing.
 *
 * Most names of a flattened model are X_INTRODUCED_n_. Those with a canonical n are found by n in
 * an array: no hash, no comparison, no miss in the text where the name was first seen. n is bounded
 * by the text's size, so that the array is small beside the text whatever n a hostile file names.
 */
#include "fzn_reader.h"

const uint8_t fzn_name_bytes[256] = {
    ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1,
    ['8'] = 1, ['9'] = 1, ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1,
    ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1,
    ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1, ['V'] = 1,
    ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1, ['_'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1,
    ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1,
    ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1,
    ['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1};

/* ---- the table --------------------------------------------------------------------------------
 */

static inline uint64_t load8(const char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

/* Eight bytes at a time, the last ones overlapping. */
static inline uint32_t hash_name(const char *name, uint32_t length, uint64_t seed) {
    uint64_t hash = seed ^ length;
    if (length >= 8) {
        for (uint32_t i = 0; i + 8 < length; i += 8) {
            hash = mix(hash, load8(name + i));
        }
        hash = mix(hash, load8(name + length - 8));
    } else if (length >= 4) {
        uint32_t first, last;
        memcpy(&first, name, 4);
        memcpy(&last, name + length - 4, 4);
        hash = mix(hash, (uint64_t)last << 32 | first);
    } else if (length) {
        hash = mix(hash, (uint64_t)(unsigned char)name[0] |
                             (uint64_t)(unsigned char)name[length / 2] << 8 |
                             (uint64_t)(unsigned char)name[length - 1] << 16);
    }
    return (uint32_t)(mix(hash, length) >> 32);
}

static bool rehash(fzn_reader *r) {
    fzn_names *names = &r->names;
    uint32_t slot_count = names->slot_count ? 2 * names->slot_count : 256;
    if (slot_count == 0) {
        return fzn_fail(r, CNS_E_RANGE, r->at, "too many names");
    }
    fzn_slot *slots = cns_context_resize(r->context, NULL, 0, slot_count * sizeof *slots);
    if (!slots) {
        return fzn_out_of_memory(r);
    }
    memset(slots, 0, slot_count * sizeof *slots);
    for (uint32_t i = 0; i < names->slot_count; i++) {
        if (names->slots[i].symbol) {
            uint32_t at = names->slots[i].hash & (slot_count - 1);
            while (slots[at].symbol) {
                at = (at + 1) & (slot_count - 1);
            }
            slots[at] = names->slots[i];
        }
    }
    fzn_release(r, names->slots, names->slot_count, sizeof *slots);
    names->slots = slots;
    names->slot_count = slot_count;
    return true;
}

static uint32_t add_symbol(fzn_reader *r, const char *name, uint32_t length) {
    fzn_names *names = &r->names;
    fzn_symbol *roomy =
        fzn_reserve(r, names->symbols, names->count, &names->capacity, sizeof *roomy);
    if (!roomy) {
        return FZN_NO;
    }
    names->symbols = roomy;
    names->symbols[names->count] = (fzn_symbol){.name = name, .length = length, .word = FZN_NO};
    return names->count++;
}

static uint32_t find(fzn_reader *r, const char *name, uint32_t length, bool add) {
    fzn_names *names = &r->names;
    if (add && names->slots_used >= names->slot_count / 2 && !rehash(r)) {
        return FZN_NO;
    }
    uint32_t hash = hash_name(name, length, names->seed);
    uint32_t at = hash & (names->slot_count - 1);
    for (; names->slots[at].symbol; at = (at + 1) & (names->slot_count - 1)) {
        if (names->slots[at].hash == hash) {
            uint32_t symbol = names->slots[at].symbol - 1;
            const fzn_symbol *known = &names->symbols[symbol];
            if (known->length == length && memcmp(known->name, name, length) == 0) {
                return symbol;
            }
        }
    }
    uint32_t symbol = add ? add_symbol(r, name, length) : FZN_NO;
    if (symbol != FZN_NO) {
        names->slots[at] = (fzn_slot){.hash = hash, .symbol = symbol + 1};
        names->slots_used++;
    }
    return symbol;
}

/* ---- X_INTRODUCED_n_ --------------------------------------------------------------------------
 */

static const char prefix[] = "X_INTRODUCED_";
enum { PREFIX = sizeof prefix - 1 };

static bool grow_introduced(fzn_reader *r, uint32_t number) {
    fzn_names *names = &r->names;
    uint32_t count = names->introduced_count ? names->introduced_count : 64;
    while (count <= number) {
        count *= 2;
    }
    uint32_t *grown =
        cns_context_resize(r->context, names->introduced, names->introduced_count * sizeof *grown,
                           count * sizeof *grown);
    if (!grown) {
        return fzn_out_of_memory(r);
    }
    memset(grown + names->introduced_count, 0, (count - names->introduced_count) * sizeof *grown);
    names->introduced = grown;
    names->introduced_count = count;
    return true;
}

static FZN_COLD uint32_t add_introduced(fzn_reader *r, uint32_t number, uint32_t length) {
    if (number >= r->names.introduced_count && !grow_introduced(r, number)) {
        return FZN_NO;
    }
    uint32_t symbol = add_symbol(r, r->at, length);
    if (symbol != FZN_NO) {
        r->names.introduced[number] = symbol + 1;
    }
    return symbol;
}

/* The n of a name that the array serves, or FZN_NO; `length` is then the name's. */
static inline uint32_t introduced_number(const fzn_names *names, const char *at, uint32_t *length) {
    if (memcmp(at, prefix, PREFIX) != 0) {
        return FZN_NO;
    }
    const char *digits = at + PREFIX;
    uint32_t number = 0, count = 0;
    while (count < 9 && fzn_is_digit(digits[count])) {
        number = number * 10 + (uint32_t)(digits[count++] - '0');
    }
    bool canonical = count > 0 && (digits[0] != '0' || count == 1);
    if (!canonical || digits[count] != '_' || fzn_is_name(digits[count + 1]) ||
        number >= names->introduced_limit) {
        return FZN_NO;
    }
    *length = PREFIX + count + 1;
    return number;
}

void fzn_names_set_text_size(fzn_reader *r, size_t size) {
    size_t limit = size / 16 + 64;
    r->names.introduced_limit = limit < 1 << 30 ? (uint32_t)limit : 1 << 30;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

uint32_t fzn_read_name(fzn_reader *r, bool add, const char *what) {
    const char *at = r->at;
    if (*at == 'X') {
        uint32_t length;
        uint32_t number = introduced_number(&r->names, at, &length);
        if (number != FZN_NO) {
            uint32_t symbol =
                number < r->names.introduced_count ? r->names.introduced[number] - 1 : FZN_NO;
            if (symbol == FZN_NO && add) {
                symbol = add_introduced(r, number, length);
            }
            r->at = at + length;
            return symbol;
        }
    }
    if (!fzn_is_name_start(*at)) {
        fzn_expected(r, what);
        return FZN_NO;
    }
    const char *end = at + 1;
    while (fzn_is_name(*end)) {
        end++;
    }
    if (end - at > UINT16_MAX) {
        fzn_fail(r, CNS_E_RANGE, at, "a name of more than %d bytes; shorten it", UINT16_MAX);
        return FZN_NO;
    }
    uint32_t symbol = find(r, at, (uint32_t)(end - at), add);
    r->at = end;
    return symbol;
}

/* ---- words ------------------------------------------------------------------------------------
 */

static uint32_t add_word(fzn_reader *r, uint32_t symbol) {
    fzn_names *names = &r->names;
    uint32_t *roomy =
        fzn_reserve(r, names->words, names->word_count, &names->word_capacity, sizeof *roomy);
    if (!roomy) {
        return FZN_NO;
    }
    names->words = roomy;
    names->words[names->word_count] = symbol;
    names->symbols[symbol].word = names->word_count;
    return names->word_count++;
}

uint32_t fzn_word_of(fzn_reader *r, uint32_t symbol) {
    uint32_t word = r->names.symbols[symbol].word;
    return FZN_LIKELY(word != FZN_NO) ? word : add_word(r, symbol);
}

const char *fzn_word(const fzn_reader *r, uint32_t word, uint32_t *length) {
    if (word >= r->names.word_count) {
        return NULL;
    }
    const fzn_symbol *symbol = &r->names.symbols[r->names.words[word]];
    *length = symbol->length;
    return symbol->name;
}

/* true and false are names with a value; reserved words have one that nothing accepts. */
static bool add_fixed(fzn_reader *r) {
    static const char *const reserved[] = {
        "array", "bool",      "constraint", "float", "int",   "maximize", "minimize",
        "of",    "predicate", "satisfy",    "set",   "solve", "var"};
    uint32_t no = find(r, "false", 5, true), yes = no == FZN_NO ? no : find(r, "true", 4, true);
    if (yes == FZN_NO) {
        return false;
    }
    r->names.symbols[no].value = (fzn_value){.kind = FZN_BOOL, .as.integer = 0};
    r->names.symbols[yes].value = (fzn_value){.kind = FZN_BOOL, .as.integer = 1};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        uint32_t symbol = find(r, reserved[i], (uint32_t)strlen(reserved[i]), true);
        if (symbol == FZN_NO) {
            return false;
        }
        r->names.symbols[symbol].value.kind = FZN_RESERVED;
    }
    r->names.fixed = r->names.count;
    return true;
}

static bool add_words(fzn_reader *r, const fzn_config *config) {
    for (uint32_t i = 0; i < config->word_count; i++) {
        size_t length = strlen(config->words[i]);
        const char *copy = cns_arena_copy(r->kept, config->words[i], length);
        if (!copy) {
            return fzn_out_of_memory(r);
        }
        uint32_t symbol = find(r, copy, (uint32_t)length, true);
        if (symbol == FZN_NO || fzn_word_of(r, symbol) == FZN_NO) {
            return false;
        }
        if (r->names.word_count != i + 1) {
            r->status = CNS_E_INVALID;
            return false;
        }
    }
    return true;
}

bool fzn_names_init(fzn_reader *r, const fzn_config *config) {
    /* Names chosen to collide would have to know where this process lies in memory. */
    r->names.seed = mix((uint64_t)(uintptr_t)r, (uint64_t)(uintptr_t)&r->names.seed >> 12);
    return add_fixed(r) && (!config || add_words(r, config));
}

void fzn_names_deinit(fzn_reader *r) {
    fzn_names *names = &r->names;
    fzn_release(r, names->symbols, names->capacity, sizeof *names->symbols);
    fzn_release(r, names->slots, names->slot_count, sizeof *names->slots);
    fzn_release(r, names->introduced, names->introduced_count, sizeof *names->introduced);
    fzn_release(r, names->words, names->word_capacity, sizeof *names->words);
}
