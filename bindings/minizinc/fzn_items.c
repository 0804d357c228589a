/* SPDX-License-Identifier: MIT
 *
 * fzn_items.c - the items of a file in the grammar's order: predicates, declarations, constraints,
 * one solve item; and the reader's life.
 */
#include <stdio.h>

#include "fzn_reader.h"

#define STOP_INTERVAL 1024 /* declarations between looks at `stop` */

/* ---- life ------------------------------------------------------------------------------------ */

cns_status fzn_reader_create(cns_context *context, const fzn_config *config, fzn_reader **out) {
    if (!context || !out || (config && config->size != sizeof *config) ||
        (config && config->word_count && !config->words)) {
        return CNS_E_INVALID;
    }
    fzn_reader *r = cns_context_resize(context, NULL, 0, sizeof *r);
    if (!r) {
        return CNS_E_NOMEM;
    }
    memset(r, 0, sizeof *r);
    r->context = context;
    r->stop = config ? config->stop : NULL;
    r->stop_user = config ? config->stop_user : NULL;
    cns_arena_config passing = {.size = sizeof passing, .block_size = 1 << 16};
    cns_status status = cns_arena_create(context, NULL, &r->kept);
    if (status == CNS_OK) {
        status = cns_arena_create(context, &passing, &r->passing);
    }
    if (status == CNS_OK && !fzn_names_init(r, config)) {
        status = r->status;
    }
    if (status != CNS_OK) {
        fzn_reader_destroy(r);
        return status;
    }
    r->store = r->kept;
    *out = r;
    return CNS_OK;
}

void fzn_reader_destroy(fzn_reader *r) {
    if (!r) {
        return;
    }
    fzn_names_deinit(r);
    fzn_release(r, r->stack, r->stack_capacity, sizeof *r->stack);
    fzn_release(r, r->variables, r->variable_capacity, sizeof *r->variables);
    fzn_release(r, r->arrays, r->array_capacity, sizeof *r->arrays);
    if (r->text) {
        cns_context_resize(r->context, r->text, r->text_capacity, 0);
    }
    cns_arena_destroy(r->kept);
    cns_arena_destroy(r->passing);
    cns_context_resize(r->context, r, sizeof *r, 0);
}

/* ---- types ------------------------------------------------------------------------------------
 */

typedef struct declared_type {
    bool variable;
    bool array;
    fzn_type type;
    int64_t length; /* of an array; -1 where any is right */
    uint32_t range_count;
    const fzn_range *ranges;
} declared_type;

static bool read_domain(fzn_reader *r, declared_type *t) {
    fzn_value value = {0};
    const char *from = r->at;
    if (!(*r->at == '{' ? fzn_read_set(r, &value) : fzn_read_number(r, &value))) {
        return false;
    }
    if (value.kind == FZN_FLOAT_SET) {
        t->type = FZN_TYPE_FLOAT;
        return true;
    }
    if (value.kind != FZN_SET) {
        return fzn_fail(r, CNS_E_INVALID, from, "found a number, expected a range or a set");
    }
    t->range_count = value.count;
    t->ranges = value.as.ranges;
    return true;
}

static bool at_domain(const fzn_reader *r) {
    return *r->at == '{' || *r->at == '-' || fzn_is_digit(*r->at);
}

/* bool, int, float, set of ..., and behind var: a range or a set. */
static bool read_base_type(fzn_reader *r, declared_type *t) {
    t->range_count = FZN_UNBOUNDED;
    t->type = FZN_TYPE_INT;
    if (fzn_accept_word(r, "bool")) {
        t->type = FZN_TYPE_BOOL;
    } else if (fzn_accept_word(r, "float")) {
        t->type = FZN_TYPE_FLOAT;
    } else if (fzn_accept_word(r, "set")) {
        if (!fzn_accept_word(r, "of")) {
            return fzn_expected(r, "'of'");
        }
        if (!fzn_accept_word(r, "int")) {
            if (!at_domain(r)) {
                return fzn_expected(r, "'int', a range or a set");
            }
            const char *from = r->at;
            if (!read_domain(r, t)) {
                return false;
            }
            if (t->type != FZN_TYPE_INT) {
                return fzn_fail(r, CNS_E_INVALID, from, "found floats, expected a set of int");
            }
        }
        t->type = FZN_TYPE_SET;
    } else if (t->variable && at_domain(r)) {
        return read_domain(r, t);
    } else if (!fzn_accept_word(r, "int")) {
        return fzn_expected(r, t->variable ? "'bool', 'int', 'float', 'set', a range or a set"
                                           : "'bool', 'int', 'float' or 'set'");
    }
    return true;
}

/* Behind "array": [1..n] of, or [int] of. */
static bool read_index_set(fzn_reader *r, declared_type *t) {
    int64_t first;
    t->length = -1;
    if (!fzn_take(r, '[', "'['")) {
        return false;
    }
    if (!fzn_accept_word(r, "int")) {
        fzn_skip_space(r);
        const char *from = r->at;
        if (!fzn_read_integer(r, &first)) {
            return false;
        }
        if (first != 1) {
            return fzn_fail(r, CNS_E_INVALID, from, "found %lld, expected 1: arrays begin there",
                            (long long)first);
        }
        if (!fzn_accept_pair(r, '.')) {
            return fzn_expected(r, "'..'");
        }
        if (!fzn_read_integer(r, &t->length)) {
            return false;
        }
        t->length = t->length < 0 ? 0 : t->length;
    }
    if (!fzn_take(r, ']', "']'")) {
        return false;
    }
    return fzn_accept_word(r, "of") || fzn_expected(r, "'of'");
}

static bool read_type(fzn_reader *r, declared_type *t) {
    *t = (declared_type){.array = fzn_accept_word(r, "array")};
    if (t->array && !read_index_set(r, t)) {
        return false;
    }
    t->variable = fzn_accept_word(r, "var");
    return read_base_type(r, t);
}

/* ---- right-hand sides -------------------------------------------------------------------------
 */

static bool fits(const fzn_value *value, const declared_type *t) {
    switch (value->kind) {
    case FZN_BOOL:
        return t->type == FZN_TYPE_BOOL;
    case FZN_INT:
        return t->type == FZN_TYPE_INT || t->type == FZN_TYPE_FLOAT;
    case FZN_FLOAT:
        return t->type == FZN_TYPE_FLOAT;
    case FZN_SET:
        return t->type == FZN_TYPE_SET;
    case FZN_VARIABLE:
        return t->variable && value->type == t->type;
    default:
        return false;
    }
}

static bool array_fits(const fzn_value *value, const declared_type *t) {
    if (value->kind != FZN_ARRAY) {
        fzn_value first = value->count ? fzn_element(value, 0) : (fzn_value){0};
        return value->count == 0 || fits(&first, t);
    }
    for (uint32_t i = 0; i < value->count; i++) {
        if (!fits(&value->as.values[i], t)) {
            return false;
        }
    }
    return true;
}

static bool read_right_side(fzn_reader *r, const declared_type *t, fzn_value *out) {
    static const char *const names[] = {"bool", "int", "float", "set of int"};
    fzn_skip_space(r);
    const char *from = r->at;
    if (!fzn_read_expression(r, out)) {
        return false;
    }
    bool array = out->kind >= FZN_BOOLS && out->kind <= FZN_ARRAY;
    if (array != t->array || !(array ? array_fits(out, t) : fits(out, t))) {
        return fzn_fail(r, CNS_E_INVALID, from, "found a value of another type, expected %s%s%s",
                        t->array ? "an array of " : "", t->variable ? "var " : "", names[t->type]);
    }
    if (array && t->length >= 0 && t->length != out->count) {
        return fzn_fail(r, CNS_E_INVALID, from, "found %u elements, expected %lld as declared",
                        (unsigned)out->count, (long long)t->length);
    }
    return true;
}

/* ---- declarations -----------------------------------------------------------------------------
 */

static FZN_COLD bool twice(fzn_reader *r, const fzn_declaration *d, uint32_t symbol) {
    if (symbol < r->names.fixed) {
        r->at = d->name;
        return fzn_expected(r, "a name that is not reserved");
    }
    return fzn_fail(r, CNS_E_INVALID, d->name, "found '%.*s' declared again, expected a new name",
                    (int)(d->name_length < 60 ? d->name_length : 60), d->name);
}

static bool read_declared_name(fzn_reader *r, fzn_declaration *d, uint32_t *symbol) {
    fzn_skip_space(r);
    d->name = r->at;
    d->position = (uint64_t)(r->at - r->text);
    *symbol = fzn_read_name(r, true, "a name");
    if (*symbol == FZN_NO) {
        return false;
    }
    d->name_length = (uint32_t)(r->at - d->name);
    return r->names.symbols[*symbol].value.kind == FZN_NONE || twice(r, d, *symbol);
}

static bool read_annotations(fzn_reader *r, fzn_declaration *d) {
    uint32_t base = r->top;
    if (!fzn_push_annotations(r, &d->annotation_count)) {
        return false;
    }
    d->annotations = d->annotation_count ? fzn_store_stack(r, base) : NULL;
    return d->annotations || !d->annotation_count;
}

/* Adds to the variables or the arrays; `out` is what the name means from now on. */
static bool add_declaration(fzn_reader *r, const fzn_declaration *d, bool array, fzn_value *out) {
    fzn_declaration **table = array ? &r->arrays : &r->variables;
    uint32_t *count = array ? &r->array_count : &r->variable_count;
    uint32_t *capacity = array ? &r->array_capacity : &r->variable_capacity;
    fzn_declaration *roomy = fzn_reserve(r, *table, *count, capacity, sizeof *roomy);
    if (!roomy) {
        return false;
    }
    *table = roomy;
    *out = array ? d->value
                 : (fzn_value){.kind = FZN_VARIABLE, .type = (uint8_t)d->type, .as.index = *count};
    roomy[(*count)++] = *d;
    return true;
}

static bool read_declaration(fzn_reader *r) {
    declared_type type;
    fzn_declaration d = {0};
    uint32_t symbol;
    if (!read_type(r, &type) || !fzn_take(r, ':', "':' and a name") ||
        !read_declared_name(r, &d, &symbol) || !read_annotations(r, &d)) {
        return false;
    }
    if (fzn_accept(r, '=')) {
        if (!read_right_side(r, &type, &d.value)) {
            return false;
        }
    } else if (type.array || !type.variable) {
        return fzn_expected(r, "'=' and the value");
    }
    if (!fzn_take(r, ';', d.value.kind ? "';'" : "'::', '=' or ';'")) {
        return false;
    }
    d.type = type.type;
    d.ranges = type.ranges;
    d.range_count = type.range_count;
    fzn_value meaning = d.value;
    if (type.variable && !add_declaration(r, &d, type.array, &meaning)) {
        return false;
    }
    r->names.symbols[symbol].value = meaning;
    return true;
}

/* Their parameters tell nothing that a reader uses: anything that can be in one passes. */
static bool skip_predicate(fzn_reader *r) {
    uint32_t annotations, base = r->top;
    fzn_skip_space(r);
    if (fzn_read_name(r, true, "the predicate's name") == FZN_NO ||
        !fzn_take(r, '(', "'(' and parameters")) {
        return false;
    }
    for (size_t depth = 1; depth > 0; r->at++) {
        fzn_skip_space(r);
        char c = *r->at;
        if (!fzn_is_name(c) && (c == '\0' || !strchr("()[]{}:,.-+", c))) {
            return fzn_expected(r, "a parameter or ')'");
        }
        depth = c == '(' ? depth + 1 : c == ')' ? depth - 1 : depth;
    }
    bool read = fzn_push_annotations(r, &annotations) && fzn_take(r, ';', "';'");
    r->top = base;
    return read;
}

/* ---- constraints ------------------------------------------------------------------------------
 */

static bool push_constraint_arguments(fzn_reader *r) {
    fzn_skip_space(r);
    while (*r->at != ')') {
        fzn_value value = {0};
        if (!fzn_read_expression(r, &value) || !fzn_push(r, &value)) {
            return false;
        }
        fzn_skip_space(r);
        if (*r->at == ',') {
            r->at++;
            fzn_skip_space(r);
        } else if (*r->at != ')') {
            return fzn_expected(r, "',' or ')' in the constraint");
        }
    }
    r->at++;
    return true;
}

/* Behind "constraint". */
static bool read_constraint(fzn_reader *r) {
    fzn_constraint *c = &r->constraint;
    fzn_skip_space(r);
    c->position = (uint64_t)(r->at - r->text);
    const char *from = r->at;
    uint32_t symbol = fzn_read_name(r, true, "a predicate");
    if (symbol == FZN_NO) {
        return false;
    }
    if (symbol < r->names.fixed) {
        r->at = from;
        return fzn_expected(r, "a predicate");
    }
    c->word = fzn_word_of(r, symbol);
    if (c->word == FZN_NO || !fzn_take(r, '(', "'(' and arguments") ||
        !push_constraint_arguments(r)) {
        return false;
    }
    c->argument_count = r->top;
    if (!fzn_push_annotations(r, &c->annotation_count) || !fzn_take(r, ';', "'::' or ';'")) {
        return false;
    }
    c->arguments = r->stack;
    c->annotations = c->annotation_count ? r->stack + c->argument_count : NULL;
    return true;
}

/* Behind "solve". */
static bool read_solve(fzn_reader *r, const char *from) {
    fzn_solve *s = &r->solve;
    *s = (fzn_solve){.position = (uint64_t)(from - r->text)};
    if (!fzn_push_annotations(r, &s->annotation_count)) {
        return false;
    }
    if (fzn_accept_word(r, "minimize")) {
        s->goal = FZN_MINIMIZE;
    } else if (fzn_accept_word(r, "maximize")) {
        s->goal = FZN_MAXIMIZE;
    } else if (!fzn_accept_word(r, "satisfy")) {
        return fzn_expected(r, "'::', 'satisfy', 'minimize' or 'maximize'");
    }
    if (s->goal != FZN_SATISFY) {
        fzn_skip_space(r);
        from = r->at;
        if (!fzn_read_expression(r, &s->objective)) {
            return false;
        }
        uint8_t kind = s->objective.kind;
        if (kind != FZN_VARIABLE && kind != FZN_INT && kind != FZN_FLOAT) {
            return fzn_fail(r, CNS_E_INVALID, from,
                            "found another value, expected a variable to optimise");
        }
    }
    if (!fzn_take(r, ';', "';'")) {
        return false;
    }
    fzn_skip_space(r);
    if (r->at != r->end) {
        return fzn_expected(r, "nothing behind the solve item");
    }
    s->annotations = r->stack;
    return true;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static cns_status misuse(fzn_reader *r, const char *what) {
    if (r->status == CNS_OK) {
        r->status = CNS_E_INVALID;
        snprintf(r->message, sizeof r->message, "%s", what);
    }
    return r->status;
}

static bool at_word(fzn_reader *r, const char *keyword) {
    const char *from = r->at;
    bool there = fzn_accept_word(r, keyword);
    r->at = from;
    return there;
}

cns_status fzn_read_declarations(fzn_reader *r) {
    if (r->status != CNS_OK || r->stage != FZN_LOADED) {
        return misuse(r, "declarations are read once, after a text is set");
    }
    for (uint32_t n = 1;; n++) {
        if (n % STOP_INTERVAL == 0 && r->stop && r->stop(r->stop_user)) {
            return r->status = CNS_E_CANCELLED;
        }
        fzn_skip_space(r);
        char c = *r->at;
        if ((c == 'c' && at_word(r, "constraint")) || (c == 's' && at_word(r, "solve"))) {
            break;
        }
        if (c == 'p' && fzn_accept_word(r, "predicate")) {
            if (!skip_predicate(r)) {
                return r->status;
            }
        } else if (!c || !strchr("abfisv", c)) {
            return fzn_expected(r, "a declaration, a constraint or 'solve'"), r->status;
        } else if (!read_declaration(r)) {
            return r->status;
        }
    }
    r->first_constraint = r->at;
    r->store = r->passing;
    r->stage = FZN_DECLARED;
    return CNS_OK;
}

cns_status fzn_next_constraint(fzn_reader *r, const fzn_constraint **out) {
    if (r->status != CNS_OK || r->stage < FZN_DECLARED) {
        return misuse(r, "constraints are read after the declarations");
    }
    *out = NULL;
    if (r->stage == FZN_DONE) {
        return CNS_OK;
    }
    r->top = 0;
    cns_arena_reset(r->passing);
    fzn_skip_space(r);
    const char *from = r->at;
    if (FZN_LIKELY(fzn_accept_word(r, "constraint"))) {
        if (!read_constraint(r)) {
            return r->status;
        }
        *out = &r->constraint;
        return CNS_OK;
    }
    if (!fzn_accept_word(r, "solve")) {
        return fzn_expected(r, "'constraint' or 'solve' (declarations come before both)"),
               r->status;
    }
    if (!read_solve(r, from)) {
        return r->status;
    }
    r->stage = FZN_DONE;
    return CNS_OK;
}

cns_status fzn_rewind(fzn_reader *r) {
    if (r->status != CNS_OK || r->stage < FZN_DECLARED) {
        return misuse(r, "only a reader that has read the declarations goes back to constraints");
    }
    r->at = r->first_constraint;
    r->stage = FZN_DECLARED;
    return CNS_OK;
}

const fzn_declaration *fzn_variables(const fzn_reader *r, uint32_t *count) {
    *count = r->variable_count;
    return r->variables;
}

const fzn_declaration *fzn_arrays(const fzn_reader *r, uint32_t *count) {
    *count = r->array_count;
    return r->arrays;
}

const fzn_solve *fzn_solve_item(const fzn_reader *r) {
    return r->stage == FZN_DONE ? &r->solve : NULL;
}
