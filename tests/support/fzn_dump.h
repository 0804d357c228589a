/* SPDX-License-Identifier: MIT
 *
 * fzn_dump.h - all that a FlatZinc reader hands out, as FlatZinc with names of parameters replaced
 * by what they mean, so that tests compare text. One item a line.
 */
#ifndef CNS_TEST_FZN_DUMP_H
#define CNS_TEST_FZN_DUMP_H

#include <inttypes.h>
#include <stdio.h>

#include "fzn.h"

static void dump_value(FILE *out, const fzn_reader *r, const fzn_value *value);

static void dump_word(FILE *out, const fzn_reader *r, uint32_t word) {
    uint32_t length = 0;
    const char *name = fzn_word(r, word, &length);
    fprintf(out, "%.*s", (int)length, name ? name : "");
}

static void dump_ranges(FILE *out, const fzn_range *ranges, uint32_t count) {
    if (count == 1) {
        fprintf(out, "%" PRId64 "..%" PRId64, ranges->low, ranges->high);
        return;
    }
    fputc('{', out);
    for (uint32_t i = 0; i < count; i++) {
        fputs(i ? "," : "", out);
        if (ranges[i].low == ranges[i].high) {
            fprintf(out, "%" PRId64, ranges[i].low);
        } else {
            fprintf(out, "%" PRId64 "..%" PRId64, ranges[i].low, ranges[i].high);
        }
    }
    fputc('}', out);
}

static void dump_list(FILE *out, const fzn_reader *r, const fzn_value *values, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        fputs(i ? "," : "", out);
        dump_value(out, r, &values[i]);
    }
}

static void dump_annotations(FILE *out, const fzn_reader *r, const fzn_value *values,
                             uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        fputs(" :: ", out);
        dump_value(out, r, &values[i]);
    }
}

static void dump_string(FILE *out, const char *text, uint32_t count) {
    fputc('"', out);
    for (uint32_t i = 0; i < count; i++) {
        if (text[i] == '"' || text[i] == '\\' || (unsigned char)text[i] < ' ') {
            fprintf(out, "\\%03o", (unsigned)(unsigned char)text[i]);
        } else {
            fputc(text[i], out);
        }
    }
    fputc('"', out);
}

static void dump_array(FILE *out, const fzn_reader *r, const fzn_value *value) {
    fputc('[', out);
    for (uint32_t i = 0; i < value->count; i++) {
        fzn_value element = fzn_element(value, i);
        fputs(i ? "," : "", out);
        dump_value(out, r, &element);
    }
    fputc(']', out);
}

static void dump_value(FILE *out, const fzn_reader *r, const fzn_value *value) {
    uint32_t count;
    switch (value->kind) {
    case FZN_BOOL:
        fputs(value->as.integer ? "true" : "false", out);
        break;
    case FZN_INT:
        fprintf(out, "%" PRId64, value->as.integer);
        break;
    case FZN_FLOAT:
        fprintf(out, "%.16e", value->as.real);
        break;
    case FZN_SET:
        dump_ranges(out, value->as.ranges, value->count);
        break;
    case FZN_FLOAT_SET:
        fputs("floats", out);
        break;
    case FZN_STRING:
        dump_string(out, value->as.text, value->count);
        break;
    case FZN_VARIABLE: {
        const fzn_declaration *variable = &fzn_variables(r, &count)[value->as.index];
        fprintf(out, "%.*s", (int)variable->name_length, variable->name);
        break;
    }
    case FZN_ATOM:
        dump_word(out, r, value->as.word);
        break;
    case FZN_CALL:
        dump_word(out, r, value->as.call->word);
        fputc('(', out);
        dump_list(out, r, value->as.call->arguments, value->count);
        fputc(')', out);
        break;
    default:
        dump_array(out, r, value);
    }
}

static void dump_domain(FILE *out, uint32_t type, const fzn_range *ranges, uint32_t count) {
    static const char *const names[] = {"bool", "int", "float", "set of int"};
    if (count == FZN_UNBOUNDED) {
        fprintf(out, "var %s", names[type]);
    } else {
        fputs(type == FZN_TYPE_SET ? "var set of " : "var ", out);
        dump_ranges(out, ranges, count);
    }
}

static void dump_declaration(FILE *out, const fzn_reader *r, const fzn_declaration *d) {
    dump_domain(out, d->type, d->ranges, d->range_count);
    fprintf(out, ": %.*s", (int)d->name_length, d->name);
    dump_annotations(out, r, d->annotations, d->annotation_count);
    if (d->value.kind != FZN_NONE) {
        fputs(" = ", out);
        dump_value(out, r, &d->value);
    }
    fputs(";\n", out);
}

static void dump_declarations(FILE *out, const fzn_reader *r) {
    uint32_t count;
    const fzn_declaration *variables = fzn_variables(r, &count);
    for (uint32_t i = 0; i < count; i++) {
        dump_declaration(out, r, &variables[i]);
    }
    const fzn_declaration *arrays = fzn_arrays(r, &count);
    for (uint32_t i = 0; i < count; i++) {
        fprintf(out, "array [1..%u] of ", (unsigned)arrays[i].value.count);
        dump_declaration(out, r, &arrays[i]);
    }
}

static void dump_constraint(FILE *out, const fzn_reader *r, const fzn_constraint *c) {
    fputs("constraint ", out);
    dump_word(out, r, c->word);
    fputc('(', out);
    dump_list(out, r, c->arguments, c->argument_count);
    fputc(')', out);
    dump_annotations(out, r, c->annotations, c->annotation_count);
    fputs(";\n", out);
}

static void dump_solve(FILE *out, const fzn_reader *r, const fzn_solve *s) {
    static const char *const goals[] = {"satisfy", "minimize ", "maximize "};
    fputs("solve", out);
    dump_annotations(out, r, s->annotations, s->annotation_count);
    fprintf(out, " %s", goals[s->goal]);
    if (s->goal != FZN_SATISFY) {
        dump_value(out, r, &s->objective);
    }
    fputs(";\n", out);
}

/* Reads all there is and writes it to `out`; the status of the failure, if any. */
static cns_status dump_all(FILE *out, fzn_reader *r) {
    const fzn_constraint *constraint = NULL;
    cns_status status = fzn_read_declarations(r);
    if (status == CNS_OK) {
        dump_declarations(out, r);
    }
    while (status == CNS_OK) {
        status = fzn_next_constraint(r, &constraint);
        if (status != CNS_OK || !constraint) {
            break;
        }
        dump_constraint(out, r, constraint);
    }
    if (status == CNS_OK) {
        dump_solve(out, r, fzn_solve_item(r));
    }
    return status;
}

#endif
