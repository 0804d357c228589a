/* SPDX-License-Identifier: MIT
 *
 * problem.c - declarations become variables; the rest is handed to predicates.c and goals.c.
 */
#include "problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STOP_INTERVAL 1024 /* declarations, constraints between looks at `stop` */

const char *const fzn_annotation_words[FZN_ANNOTATION_WORDS] = {
    "output_var",
    "output_array",
    "int_search",
    "bool_search",
    "seq_search",
    "warm_start",
    "warm_start_int",
    "warm_start_bool",
    "warm_start_array",
    "restart_none",
    "restart_constant",
    "restart_linear",
    "restart_luby",
    "restart_geometric",
    "input_order",
    "first_fail",
    "anti_first_fail",
    "smallest",
    "largest",
    "occurrence",
    "most_constrained",
    "max_regret",
    "dom_w_deg",
    "indomain_min",
    "indomain_max",
    "indomain_middle",
    "indomain_median",
    "indomain",
    "indomain_random",
    "indomain_split",
    "indomain_reverse_split",
    "indomain_interval",
    "outdomain_min",
    "outdomain_max",
};

/* ---- creation ------------------------------------------------------------------------------- */

static bool must_stop(void *problem) {
    const fzn_problem *p = problem;
    return p->stop != NULL && p->stop(p->stop_user);
}

static cns_status create_reader(fzn_problem *p) {
    uint32_t predicates = fzn_predicate_count();
    const char *words[512];
    uint32_t count = 0;
    for (uint32_t i = 0; i < predicates; i++) {
        words[count++] = fzn_predicate_name(i);
    }
    for (uint32_t i = 0; i < FZN_ANNOTATION_WORDS; i++) {
        words[count++] = fzn_annotation_words[i];
    }
    const fzn_config config = {.size = sizeof config,
                               .word_count = count,
                               .words = words,
                               .stop = must_stop,
                               .stop_user = p};
    return fzn_reader_create(p->context, &config, &p->reader);
}

cns_status fzn_problem_create(cns_context *context, const cns_solver_config *config,
                              fzn_problem **out) {
    fzn_problem *p = cns_context_resize(context, NULL, 0, sizeof *p);
    if (p == NULL) {
        return CNS_E_NOMEM;
    }
    memset(p, 0, sizeof *p);
    p->context = context;
    p->options.size = sizeof p->options;
    cns_status status = cns_solver_create(context, config, &p->solver);
    if (status == CNS_OK) {
        status = create_reader(p);
    }
    if (status != CNS_OK) {
        fzn_problem_destroy(p);
        return status;
    }
    *out = p;
    return CNS_OK;
}

void fzn_problem_destroy(fzn_problem *p) {
    if (p == NULL) {
        return;
    }
    cns_solver_destroy(p->solver);
    fzn_reader_destroy(p->reader);
    cns_context_resize(p->context, p->vars, p->var_count * sizeof *p->vars, 0);
    cns_context_resize(p->context, p->arg_vars, p->arg_var_capacity * sizeof *p->arg_vars, 0);
    cns_context_resize(p->context, p->arg_ints, p->arg_int_capacity * sizeof *p->arg_ints, 0);
    cns_context_resize(p->context, p, sizeof *p, 0);
}

/* ---- failures ------------------------------------------------------------------------------- */

cns_status fzn_problem_fail(fzn_problem *p, cns_status status, uint64_t position,
                            const char *format, ...) {
    uint64_t line;
    uint64_t column;
    fzn_locate(p->reader, position, &line, &column);
    int length = snprintf(p->message, sizeof p->message, "line %llu: ", (unsigned long long)line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(p->message + length, sizeof p->message - (size_t)length, format, arguments);
    va_end(arguments);
    return status;
}

static cns_status reader_failed(fzn_problem *p, cns_status status) {
    snprintf(p->message, sizeof p->message, "%s", fzn_message(p->reader));
    if (p->message[0] == 0) {
        cns_context_message(p->context, p->message, sizeof p->message);
    }
    return status;
}

cns_status fzn_problem_refused(fzn_problem *p, cns_status status, uint64_t position,
                               const char *what) {
    char text[400];
    cns_context_message(p->context, text, sizeof text);
    return fzn_problem_fail(p, status, position, "%s%s%s", what, what[0] ? ": " : "", text);
}

cns_status fzn_problem_reserve(fzn_problem *p, void *array, size_t element, size_t *capacity,
                               size_t need) {
    void **data = array;
    if (need <= *capacity) {
        return CNS_OK;
    }
    size_t wider = need + need / 2 + 16;
    void *grown = cns_context_resize(p->context, *data, *capacity * element, wider * element);
    if (grown == NULL) {
        return CNS_E_NOMEM;
    }
    *data = grown;
    *capacity = wider;
    return CNS_OK;
}

/* ---- variables ------------------------------------------------------------------------------ */

/* Names that the compiler made are of no use to anyone, and there are many. */
static const char *name_of(const fzn_declaration *d, char *buffer, size_t capacity) {
    static const char introduced[] = "X_INTRODUCED_";
    if (d->name_length >= sizeof introduced - 1 &&
        memcmp(d->name, introduced, sizeof introduced - 1) == 0) {
        return NULL;
    }
    size_t length = d->name_length < capacity - 1 ? d->name_length : capacity - 1;
    memcpy(buffer, d->name, length);
    buffer[length] = 0;
    return buffer;
}

static cns_status new_variable(fzn_problem *p, const fzn_declaration *d, cns_var *out) {
    char buffer[256];
    const char *name = name_of(d, buffer, sizeof buffer);
    cns_status status;
    if (d->type == FZN_TYPE_BOOL) {
        status = cns_solver_new_bool(p->solver, name, out);
    } else if (d->range_count == FZN_UNBOUNDED) {
        status = cns_solver_new_int(p->solver, -FZN_WIDEST, FZN_WIDEST, name, out);
    } else if (d->range_count == 0) { /* no value: a variable, and a constraint that fails */
        status = cns_solver_new_bool(p->solver, name, out);
        const cns_constraint never = {.size = sizeof never, .kind = CNS_CLAUSE};
        status = status == CNS_OK ? cns_solver_add(p->solver, &never) : status;
    } else {
        status = cns_solver_new_int_ranges(p->solver, (const int64_t *)(const void *)d->ranges,
                                           d->range_count, name, out);
    }
    return status == CNS_OK ? status : fzn_problem_refused(p, status, d->position, "");
}

/* A variable that is declared equal to something keeps its own domain as a constraint. */
static cns_status keep_domain(fzn_problem *p, const fzn_declaration *d, cns_var var) {
    if (d->type == FZN_TYPE_BOOL || d->range_count == FZN_UNBOUNDED) {
        return CNS_OK;
    }
    const int64_t *ranges = (const int64_t *)(const void *)d->ranges;
    const cns_constraint in = {.size = sizeof in,
                               .kind = CNS_IN,
                               .v = {&var},
                               .v_count = {1},
                               .i = {ranges},
                               .i_count = {(size_t)d->range_count * 2}};
    cns_status status = cns_solver_add(p->solver, &in);
    return status == CNS_OK ? status : fzn_problem_refused(p, status, d->position, "");
}

static cns_status not_supported(fzn_problem *p, const fzn_declaration *d) {
    return fzn_problem_fail(
        p, CNS_E_UNSUPPORTED, d->position,
        "variable '%.*s' is a %s: %s variables are not supported%s", (int)d->name_length, d->name,
        d->type == FZN_TYPE_FLOAT ? "float" : "set", d->type == FZN_TYPE_FLOAT ? "float" : "set",
        d->type == FZN_TYPE_FLOAT ? "; use integers, scaled"
                                  : "; compile with this solver's library (--solver cnsengine)");
}

static cns_status declare(fzn_problem *p, const fzn_declaration *d, uint32_t index) {
    if (d->type == FZN_TYPE_FLOAT || d->type == FZN_TYPE_SET) {
        return not_supported(p, d);
    }
    if (d->value.kind == FZN_NONE) {
        return new_variable(p, d, &p->vars[index]);
    }
    cns_status status = fzn_problem_var(p, &d->value, &p->vars[index]);
    if (status != CNS_OK) {
        return fzn_problem_refused(p, status, d->position, "");
    }
    return keep_domain(p, d, p->vars[index]);
}

cns_status fzn_problem_var(fzn_problem *p, const fzn_value *value, cns_var *out) {
    if (value->kind == FZN_VARIABLE) {
        *out = p->vars[value->as.index];
        return CNS_OK;
    }
    if (value->kind == FZN_INT || value->kind == FZN_BOOL) {
        return cns_solver_constant(p->solver, value->as.integer, out);
    }
    return CNS_E_INVALID;
}

/* ---- outputs -------------------------------------------------------------------------------- */

static bool has_annotation(const fzn_declaration *d, uint32_t which, const fzn_value **found) {
    for (uint32_t i = 0; i < d->annotation_count; i++) {
        const fzn_value *a = &d->annotations[i];
        uint32_t word = a->kind == FZN_ATOM   ? a->as.word
                        : a->kind == FZN_CALL ? a->as.call->word
                                              : UINT32_MAX;
        if (word == fzn_predicate_count() + which) {
            *found = a;
            return true;
        }
    }
    return false;
}

static cns_status mark_array(fzn_problem *p, const fzn_declaration *d) {
    for (uint32_t i = 0; d->value.kind == FZN_ARRAY && i < d->value.count; i++) {
        const fzn_value element = fzn_element(&d->value, i);
        if (element.kind == FZN_VARIABLE) {
            cns_status status = cns_solver_mark_output(p->solver, p->vars[element.as.index]);
            if (status != CNS_OK) {
                return status;
            }
        }
    }
    return CNS_OK;
}

static cns_status mark_outputs(fzn_problem *p) {
    uint32_t count;
    const fzn_value *found;
    cns_status status = CNS_OK;
    const fzn_declaration *d = fzn_variables(p->reader, &count);
    for (uint32_t i = 0; i < count && status == CNS_OK; i++) {
        if (has_annotation(&d[i], FZN_OUTPUT_VAR, &found)) {
            status = cns_solver_mark_output(p->solver, p->vars[i]);
        }
    }
    d = fzn_arrays(p->reader, &count);
    for (uint32_t i = 0; i < count && status == CNS_OK; i++) {
        if (has_annotation(&d[i], FZN_OUTPUT_ARRAY, &found)) {
            status = mark_array(p, &d[i]);
        }
    }
    return status;
}

/* ---- loading -------------------------------------------------------------------------------- */

static cns_status load_declarations(fzn_problem *p) {
    cns_status status = fzn_read_declarations(p->reader);
    if (status != CNS_OK) {
        return status == CNS_E_CANCELLED ? status : reader_failed(p, status);
    }
    uint32_t count;
    const fzn_declaration *d = fzn_variables(p->reader, &count);
    p->vars = cns_context_resize(p->context, NULL, 0, (count + 1) * sizeof *p->vars);
    if (p->vars == NULL) {
        return reader_failed(p, CNS_E_NOMEM);
    }
    p->var_count = count + 1;
    for (uint32_t i = 0; i < count && status == CNS_OK; i++) {
        if (i % STOP_INTERVAL == 0 && must_stop(p)) {
            return CNS_E_CANCELLED;
        }
        status = declare(p, &d[i], i);
    }
    return status == CNS_OK ? mark_outputs(p) : status;
}

static cns_status load_items(fzn_problem *p) {
    cns_status status = load_declarations(p);
    const fzn_constraint *c = NULL;
    for (uint64_t n = 0; status == CNS_OK; n++) {
        if (n % STOP_INTERVAL == 0 && must_stop(p)) {
            return CNS_E_CANCELLED;
        }
        status = fzn_next_constraint(p->reader, &c);
        if (status != CNS_OK) {
            return reader_failed(p, status);
        }
        if (c == NULL) {
            return fzn_problem_set_goal(p, fzn_solve_item(p->reader));
        }
        status = fzn_problem_post(p, c);
    }
    return status;
}

cns_status fzn_problem_load(fzn_problem *p, const char *path) {
    cns_status status = fzn_reader_load(p->reader, path);
    return status == CNS_OK ? load_items(p) : reader_failed(p, status);
}

cns_status fzn_problem_load_text(fzn_problem *p, const void *bytes, size_t size) {
    cns_status status = fzn_reader_set_text(p->reader, bytes, size);
    return status == CNS_OK ? load_items(p) : reader_failed(p, status);
}

/* ---- solutions ------------------------------------------------------------------------------ */

typedef struct writer {
    fzn_write_fn write;
    void *user;
    bool going;
    size_t length;
    char text[1024];
} writer;

static void flush(writer *w) {
    w->going = w->going && (w->length == 0 || w->write(w->user, w->text, w->length));
    w->length = 0;
}

static void put(writer *w, const char *text, size_t length) {
    while (length > 0) {
        size_t part = sizeof w->text - w->length < length ? sizeof w->text - w->length : length;
        memcpy(w->text + w->length, text, part);
        w->length += part;
        text += part;
        length -= part;
        if (w->length == sizeof w->text) {
            flush(w);
        }
    }
}

static void put_text(writer *w, const char *text) {
    put(w, text, strlen(text));
}

static void put_number(writer *w, int64_t value) {
    char digits[24];
    put(w, digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)value));
}

static void put_value(fzn_problem *p, writer *w, fzn_value value, uint32_t type) {
    int64_t number = value.as.integer;
    if (value.kind == FZN_VARIABLE) {
        cns_solver_value(p->solver, p->vars[value.as.index], &number);
    }
    if (type == FZN_TYPE_BOOL) {
        put_text(w, number ? "true" : "false");
    } else {
        put_number(w, number);
    }
}

static void put_variable(fzn_problem *p, writer *w, const fzn_declaration *d, uint32_t index) {
    put(w, d->name, d->name_length);
    put_text(w, " = ");
    fzn_value value = {.kind = FZN_VARIABLE, .type = (uint8_t)d->type};
    value.as.index = index;
    put_value(p, w, value, d->type);
    put_text(w, ";\n");
}

/* The index sets are the annotation's argument: output_array([1..2, 1..3]). */
static void put_array(fzn_problem *p, writer *w, const fzn_declaration *d,
                      const fzn_value *annotation) {
    const fzn_value *sets = annotation->kind == FZN_CALL && annotation->count == 1
                                ? &annotation->as.call->arguments[0]
                                : NULL;
    uint32_t dimensions = sets != NULL && sets->kind == FZN_ARRAY ? sets->count : 0;
    put(w, d->name, d->name_length);
    put_text(w, " = array");
    put_number(w, dimensions ? dimensions : 1);
    put_text(w, "d(");
    for (uint32_t k = 0; k < dimensions; k++) {
        const fzn_value set = fzn_element(sets, k);
        bool empty = set.kind != FZN_SET || set.count == 0;
        put_number(w, empty ? 1 : set.as.ranges[0].low);
        put_text(w, "..");
        put_number(w, empty ? 0 : set.as.ranges[set.count - 1].high);
        put_text(w, ", ");
    }
    if (dimensions == 0) {
        put_text(w, "1..");
        put_number(w, d->value.count);
        put_text(w, ", ");
    }
    put_text(w, "[");
    for (uint32_t i = 0; i < d->value.count; i++) {
        put_text(w, i ? ", " : "");
        put_value(p, w, fzn_element(&d->value, i), d->type);
    }
    put_text(w, "]);\n");
}

cns_status fzn_problem_write(fzn_problem *p, fzn_write_fn write, void *user) {
    writer w = {.write = write, .user = user, .going = true};
    uint32_t count;
    const fzn_value *found;
    const fzn_declaration *d = fzn_variables(p->reader, &count);
    for (uint32_t i = 0; i < count && w.going; i++) {
        if (has_annotation(&d[i], FZN_OUTPUT_VAR, &found)) {
            put_variable(p, &w, &d[i], i);
        }
    }
    d = fzn_arrays(p->reader, &count);
    for (uint32_t i = 0; i < count && w.going; i++) {
        if (has_annotation(&d[i], FZN_OUTPUT_ARRAY, &found)) {
            put_array(p, &w, &d[i], found);
        }
    }
    flush(&w);
    return w.going ? CNS_OK : CNS_E_IO;
}
