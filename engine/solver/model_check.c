/* SPDX-License-Identifier: MIT
 *
 * model_check.c - whether the arguments of a constraint are what its kind takes (model_kind.h).
 *
 * Messages name the constraint, the argument, what was expected and what came. Elements are
 * counted from 1, as in the text of cns/solver.h.
 */
#include <stdio.h>
#include <string.h>

#include "solver/model_kind.h"
#include "solver/wide.h"

enum { ARGUMENT_LIMIT = INT32_MAX };

/* One argument under examination: an array of variables or of integers. */
typedef struct subject {
    const cns_model *model;
    const cns_constraint *c;
    const cns_argument *argument;
    char letter; /* 'v' or 'i' */
    int number;  /* 0..3 */
} subject;

const char *cns_constraint_label(const cns_constraint *constraint, char buffer[CNS_LABEL_SIZE]) {
    const char *kind = cns_constraint_kind_name(constraint->kind);
    if (constraint->name && constraint->name[0]) {
        snprintf(buffer, CNS_LABEL_SIZE, "%s \"%.64s\"", kind, constraint->name);
    } else {
        snprintf(buffer, CNS_LABEL_SIZE, "%s", kind);
    }
    return buffer;
}

size_t cns_first_bad_range(const int64_t *ranges, size_t count) {
    for (size_t k = 0; k < count; k++) {
        if (ranges[2 * k] > ranges[2 * k + 1] || (k > 0 && ranges[2 * k] <= ranges[2 * k - 1])) {
            return k;
        }
    }
    return count;
}

/* ---- counts --------------------------------------------------------------------------------- */

static cns_status wrong_count(const subject *s, size_t count, const char *expected) {
    char label[CNS_LABEL_SIZE];
    return cns_fail(s->model->context, CNS_E_INVALID, "%s: %s (%c%d): %zu elements, expected %s",
                    cns_constraint_label(s->c, label), s->argument->name, s->letter, s->number,
                    count, expected);
}

static cns_status check_same_count(const subject *s, size_t count, size_t as, const char *of) {
    if (count == as) {
        return CNS_OK;
    }
    char expected[64];
    snprintf(expected, sizeof expected, "%zu, as many as %s", as, of);
    return wrong_count(s, count, expected);
}

static cns_status check_count(const subject *s, size_t count) {
    static const char *const exact[] = {"none", "1", "2", "3", "4"};
    switch (s->argument->count) {
    case CNS_TAKES_ANY:
        return CNS_OK;
    case CNS_TAKES_SOME:
        return count >= 1 ? CNS_OK : wrong_count(s, count, "at least 1");
    case CNS_TAKES_OPTIONAL:
        return count <= 1 ? CNS_OK : wrong_count(s, count, "at most 1");
    case CNS_TAKES_OPTIONAL_PAIR:
        return count == 0 || count == 2 ? CNS_OK : wrong_count(s, count, "none or 2");
    case CNS_TAKES_AS_V0_OR_NONE:
        return count == 0 ? CNS_OK : check_same_count(s, count, s->c->v_count[0], "v0");
    case CNS_TAKES_AS_V0:
        return check_same_count(s, count, s->c->v_count[0], "v0");
    case CNS_TAKES_AS_I0:
        return check_same_count(s, count, s->c->i_count[0], "i0");
    default:
        return count == s->argument->count ? CNS_OK
                                           : wrong_count(s, count, exact[s->argument->count]);
    }
}

/* What holds for every argument: present where it has elements, and of no more than it may. */
static cns_status check_presence(const subject *s, const void *elements, size_t count) {
    char label[CNS_LABEL_SIZE];
    if (!s->argument->name) {
        return count == 0
                   ? CNS_OK
                   : cns_fail(s->model->context, CNS_E_INVALID,
                              "%s: %c%d: %zu elements, expected none",
                              cns_constraint_label(s->c, label), s->letter, s->number, count);
    }
    if (count > ARGUMENT_LIMIT) {
        return cns_fail(s->model->context, CNS_E_LIMIT, "%s: %s (%c%d): %zu elements, at most %d",
                        cns_constraint_label(s->c, label), s->argument->name, s->letter, s->number,
                        count, (int)ARGUMENT_LIMIT);
    }
    if (count > 0 && !elements) {
        return cns_fail(
            s->model->context, CNS_E_INVALID, "%s: %s (%c%d): NULL, expected %zu elements",
            cns_constraint_label(s->c, label), s->argument->name, s->letter, s->number, count);
    }
    return check_count(s, count);
}

/* ---- elements ------------------------------------------------------------------------------- */

static cns_status no_variable(const subject *s, size_t element, cns_var var) {
    char label[CNS_LABEL_SIZE];
    const char *shown = cns_constraint_label(s->c, label);
    if (var < 0 && (uint32_t)~var < s->model->variable_count) {
        return cns_fail(s->model->context, CNS_E_INVALID,
                        "%s: %s (v%d): element %zu is ~%d, but variable %d is not Boolean", shown,
                        s->argument->name, s->number, element + 1, (int)~var, (int)~var);
    }
    return cns_fail(s->model->context, CNS_E_INVALID,
                    "%s: %s (v%d): element %zu is %d, expected one of %u variables", shown,
                    s->argument->name, s->number, element + 1, (int)var,
                    (unsigned)s->model->variable_count);
}

static cns_status wrong_domain(const subject *s, size_t element, cns_var var,
                               const char *expected) {
    char label[CNS_LABEL_SIZE];
    return cns_fail(s->model->context, CNS_E_INVALID,
                    "%s: %s (v%d): element %zu is variable %d of domain %lld..%lld, expected %s",
                    cns_constraint_label(s->c, label), s->argument->name, s->number, element + 1,
                    (int)var, (long long)cns_model_low(s->model, var),
                    (long long)cns_model_high(s->model, var), expected);
}

static cns_status check_variables(const subject *s) {
    const cns_var *vars = s->c->v[s->number];
    size_t count = s->c->v_count[s->number];
    cns_status status = check_presence(s, vars, count);
    for (size_t k = 0; k < count && status == CNS_OK; k++) {
        if (!cns_model_is_var(s->model, vars[k])) {
            status = no_variable(s, k, vars[k]);
        } else if (s->argument->sort == CNS_OF_LITERAL &&
                   !cns_model_is_literal(s->model, vars[k])) {
            status = wrong_domain(s, k, vars[k], "a literal");
        } else if (s->argument->sort == CNS_OF_NATURAL && cns_model_low(s->model, vars[k]) < 0) {
            status = wrong_domain(s, k, vars[k], "no value below 0");
        }
    }
    return status;
}

static cns_status wrong_integer(const subject *s, size_t element, int64_t value, cns_status status,
                                const char *expected) {
    char label[CNS_LABEL_SIZE];
    return cns_fail(s->model->context, status, "%s: %s (i%d): element %zu is %lld, expected %s",
                    cns_constraint_label(s->c, label), s->argument->name, s->number, element + 1,
                    (long long)value, expected);
}

static cns_status check_integer(const subject *s, size_t element, int64_t value) {
    if (cns_wide_abs(value) > CNS_WIDE_LIMIT) {
        return wrong_integer(s, element, value, CNS_E_RANGE, "a value within +-2^62");
    }
    switch (s->argument->sort) {
    case CNS_OF_NATURAL:
        return value >= 0 ? CNS_OK : wrong_integer(s, element, value, CNS_E_INVALID, ">= 0");
    case CNS_OF_FLAG:
        return value == 0 || value == 1 ? CNS_OK
                                        : wrong_integer(s, element, value, CNS_E_INVALID, "0 or 1");
    case CNS_OF_RELATION:
        return value >= CNS_REL_EQ && value <= CNS_REL_GT
                   ? CNS_OK
                   : wrong_integer(s, element, value, CNS_E_INVALID, "a cns_relation, 0..5");
    default:
        return CNS_OK;
    }
}

static cns_status check_ranges(const subject *s, const int64_t *ranges, size_t count) {
    if (count % 2 != 0) {
        return wrong_count(s, count, "pairs of low and high");
    }
    size_t bad = cns_first_bad_range(ranges, count / 2);
    if (bad == count / 2) {
        return CNS_OK;
    }
    char label[CNS_LABEL_SIZE];
    return cns_fail(s->model->context, CNS_E_INVALID,
                    "%s: %s (i%d): range %zu is %lld..%lld, expected ascending, disjoint ranges",
                    cns_constraint_label(s->c, label), s->argument->name, s->number, bad + 1,
                    (long long)ranges[2 * bad], (long long)ranges[2 * bad + 1]);
}

static cns_status check_integers(const subject *s) {
    const int64_t *values = s->c->i[s->number];
    size_t count = s->c->i_count[s->number];
    cns_status status = check_presence(s, values, count);
    for (size_t k = 0; k < count && status == CNS_OK; k++) {
        status = check_integer(s, k, values[k]);
    }
    if (status == CNS_OK && s->argument->sort == CNS_OF_RANGES) {
        status = check_ranges(s, values, count);
    }
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static cns_status check_condition(const cns_model *model, const cns_constraint *c,
                                  const cns_kind *kind) {
    char label[CNS_LABEL_SIZE];
    switch (c->condition) {
    case CNS_ALWAYS:
        return CNS_OK;
    case CNS_IF:
    case CNS_IF_AND_ONLY:
        if (!kind->conditional) {
            return cns_fail(model->context, CNS_E_UNSUPPORTED, "%s: the kind takes no condition",
                            cns_constraint_label(c, label));
        }
        break;
    default:
        return cns_fail(model->context, CNS_E_INVALID,
                        "%s: condition: %d, expected a cns_reification, 0..2",
                        cns_constraint_label(c, label), (int)c->condition);
    }
    if (!cns_model_is_literal(model, c->literal)) {
        return cns_fail(model->context, CNS_E_INVALID, "%s: literal: %d is no Boolean variable",
                        cns_constraint_label(c, label), (int)c->literal);
    }
    return CNS_OK;
}

static cns_status check_arguments(const cns_model *model, const cns_constraint *c,
                                  const cns_kind *kind) {
    cns_status status = CNS_OK;
    for (int k = 0; k < 4 && status == CNS_OK; k++) {
        subject variables = {model, c, &kind->v[k], 'v', k};
        status = check_variables(&variables);
    }
    for (int k = 0; k < 4 && status == CNS_OK; k++) {
        subject integers = {model, c, &kind->i[k], 'i', k};
        status = check_integers(&integers);
    }
    return status;
}

cns_status cns_model_check(const cns_model *model, const cns_constraint *c) {
    if (!c || c->size != sizeof *c) {
        return cns_fail(model->context, CNS_E_INVALID,
                        "constraint: %s, expected a cns_constraint of size %zu",
                        c ? "another size" : "NULL", sizeof *c);
    }
    const cns_kind *kind = cns_kind_of((int)c->kind);
    if (!kind) {
        return cns_fail(model->context, CNS_E_INVALID,
                        "constraint: kind %d, expected a cns_constraint_kind, 1..%d", (int)c->kind,
                        CNS_CONSTRAINT_KINDS - 1);
    }
    cns_status status = check_condition(model, c, kind);
    if (status == CNS_OK) {
        status = check_arguments(model, c, kind);
    }
    if (status == CNS_OK && kind->shape) {
        status = kind->shape(model, c);
    }
    if (status == CNS_OK && kind->reach) {
        status = kind->reach(model, c);
    }
    return status;
}
