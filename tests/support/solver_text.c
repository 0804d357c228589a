/* SPDX-License-Identifier: MIT
 *
 * solver_text.c - see solver_text.h.
 */
#include "solver_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

static cns_constraint_kind kind_of(const char *name) {
    for (int kind = 1; kind < CNS_CONSTRAINT_KINDS; kind++) {
        if (strcmp(cns_constraint_kind_name((cns_constraint_kind)kind), name) == 0) {
            return (cns_constraint_kind)kind;
        }
    }
    ck_abort_msg("no kind is named %s", name);
    return CNS_CONSTRAINT_KINDS;
}

static void put(solver_text *out, const char *argument, int64_t number, cns_var var) {
    if (strcmp(argument, "condition") == 0) {
        if (out->c.reserved == 0) { /* counts the numbers seen */
            out->c.condition = (cns_reification)number;
        } else {
            out->c.literal = var;
        }
        out->c.reserved++;
        return;
    }
    int k = argument[1] - '0';
    ck_assert_msg((argument[0] == 'v' || argument[0] == 'i') && k >= 0 && k < 4, "argument %s",
                  argument);
    size_t *count = argument[0] == 'v' ? &out->c.v_count[k] : &out->c.i_count[k];
    ck_assert_uint_lt(*count, SOLVER_TEXT_ELEMENTS);
    if (argument[0] == 'v') {
        out->v[k][*count] = var;
    } else {
        out->i[k][*count] = number;
    }
    ++*count;
}

void solver_text_parse(solver_text *out, const char *kind, const char *text,
                       solver_text_variable variable, void *user) {
    char argument[16] = "", word[32];
    int length;
    memset(out, 0, sizeof *out);
    out->c.size = sizeof out->c;
    out->c.kind = kind_of(kind);
    for (int k = 0; k < 4; k++) {
        out->c.v[k] = out->v[k];
        out->c.i[k] = out->i[k];
    }
    for (; sscanf(text, "%31s%n", word, &length) == 1; text += length) {
        bool negated = word[0] == '~', of_vars = argument[0] != 'i';
        if (word[0] >= 'a' && word[0] <= 'z') {
            snprintf(argument, sizeof argument, "%.15s", word);
            continue;
        }
        char *end;
        int64_t number = strtoll(word + negated, &end, 10);
        ck_assert_msg(*end == '\0', "%s is no number", word);
        bool literal = argument[0] != 'c' || out->c.reserved == 1;
        cns_var var = 0;
        if (of_vars && literal) {
            var = variable ? variable(user, number) : (cns_var)number;
        }
        put(out, argument, number, negated ? ~var : var);
    }
    out->c.reserved = 0;
}
