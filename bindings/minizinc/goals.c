/* SPDX-License-Identifier: MIT
 *
 * goals.c - the solve item: what to optimise, and how the annotations want it searched.
 *
 * Annotations are advice: one that is not understood is left out, counted and named as a warning.
 */
#include "problem.h"

#include <stdio.h>
#include <string.h>

static void warn(fzn_problem *p, const fzn_value *annotation, const char *what) {
    uint32_t word = annotation->kind == FZN_CALL   ? annotation->as.call->word
                    : annotation->kind == FZN_ATOM ? annotation->as.word
                                                   : UINT32_MAX;
    uint32_t length = 0;
    const char *name = word == UINT32_MAX ? "?" : fzn_word(p->reader, word, &length);
    if (p->warnings++ == 0) {
        snprintf(p->warning, sizeof p->warning, "search annotation '%.*s' is left out: %s",
                 (int)(word == UINT32_MAX ? 1 : length), name, what);
    }
}

/* The word of an atom (or of a call); UINT32_MAX: it is none of the annotations known. */
static uint32_t word_of(const fzn_value *value) {
    uint32_t word = value->kind == FZN_ATOM   ? value->as.word
                    : value->kind == FZN_CALL ? value->as.call->word
                                              : UINT32_MAX;
    uint32_t predicates = fzn_predicate_count();
    return word != UINT32_MAX && word >= predicates && word < predicates + FZN_ANNOTATION_WORDS
               ? word - predicates
               : UINT32_MAX;
}

/* The variables of an array argument, into the problem's scratch. */
static cns_status collect(fzn_problem *p, const fzn_value *array, size_t *count) {
    cns_status status = fzn_problem_reserve(p, &p->arg_vars, sizeof *p->arg_vars,
                                            &p->arg_var_capacity, array->count);
    *count = 0;
    for (uint32_t i = 0; i < array->count && status == CNS_OK; i++) {
        const fzn_value element = fzn_element(array, i);
        if (element.kind == FZN_VARIABLE) {
            p->arg_vars[(*count)++] = p->vars[element.as.index];
        }
    }
    return status;
}

/* int_search(variables, choice of variable, choice of value, ...) */
static cns_status search_phase(fzn_problem *p, const fzn_value *annotation) {
    const fzn_value *arguments = annotation->as.call->arguments;
    if (annotation->count < 3 || !fzn_is_array(&arguments[0])) {
        warn(p, annotation, "its arguments are not (array, choice, choice, ...)");
        return CNS_OK;
    }
    uint32_t choice = word_of(&arguments[1]);
    uint32_t value = word_of(&arguments[2]);
    if (choice < FZN_INPUT_ORDER || choice >= FZN_VAR_CHOICES_END) {
        warn(p, &arguments[1], "unknown choice of a variable; input_order is taken");
        choice = FZN_INPUT_ORDER;
    }
    if (value < FZN_INDOMAIN_MIN || value >= FZN_VALUE_CHOICES_END) {
        warn(p, &arguments[2], "unknown choice of a value; indomain_min is taken");
        value = FZN_INDOMAIN_MIN;
    }
    size_t count;
    cns_status status = collect(p, &arguments[0], &count);
    if (status != CNS_OK || count == 0) {
        return status;
    }
    return cns_solver_add_search(p->solver, p->arg_vars, count,
                                 (cns_choose_var)(choice - FZN_INPUT_ORDER),
                                 (cns_choose_value)(value - FZN_INDOMAIN_MIN));
}

/* warm_start(variables, values) */
static cns_status warm_start(fzn_problem *p, const fzn_value *annotation) {
    const fzn_value *arguments = annotation->as.call->arguments;
    if (annotation->count != 2 || !fzn_is_array(&arguments[0]) || !fzn_is_array(&arguments[1]) ||
        arguments[0].count != arguments[1].count) {
        warn(p, annotation, "its arguments are not two arrays of the same length");
        return CNS_OK;
    }
    for (uint32_t i = 0; i < arguments[0].count; i++) {
        const fzn_value var = fzn_element(&arguments[0], i);
        const fzn_value value = fzn_element(&arguments[1], i);
        bool number = value.kind == FZN_INT || value.kind == FZN_BOOL;
        if (var.kind == FZN_VARIABLE && number && value.as.integer <= CNS_SOLVER_BOUND &&
            value.as.integer >= -CNS_SOLVER_BOUND) {
            cns_status status = cns_solver_hint(p->solver, p->vars[var.as.index], value.as.integer);
            if (status != CNS_OK) {
                return status;
            }
        }
    }
    return CNS_OK;
}

static double number_of(const fzn_value *value) {
    return value->kind == FZN_FLOAT ? value->as.real
           : value->kind == FZN_INT ? (double)value->as.integer
                                    : 0;
}

static void restarts(fzn_problem *p, const fzn_value *annotation, uint32_t word) {
    static const cns_restart_policy policies[] = {CNS_RESTART_NONE, CNS_RESTART_CONSTANT,
                                                  CNS_RESTART_LINEAR, CNS_RESTART_LUBY,
                                                  CNS_RESTART_GEOMETRIC};
    uint32_t count = annotation->kind == FZN_CALL ? annotation->count : 0;
    const fzn_value *arguments = count ? annotation->as.call->arguments : NULL;
    double scale = count ? number_of(&arguments[count - 1]) : 0;
    p->options.restart = policies[word - FZN_RESTART_NONE];
    p->options.restart_scale = scale >= 1 && scale < 4e9 ? (uint32_t)scale : 0;
    if (word == FZN_RESTART_GEOMETRIC && count == 2 && number_of(&arguments[0]) >= 1) {
        p->options.restart_base = number_of(&arguments[0]);
    }
}

/* One search annotation; sequences are walked, to the depth that the reader allows. */
static cns_status search_annotation(fzn_problem *p, const fzn_value *annotation) {
    uint32_t word = word_of(annotation);
    if (word >= FZN_RESTART_NONE && word <= FZN_RESTART_GEOMETRIC) {
        restarts(p, annotation, word);
        return CNS_OK;
    }
    if (annotation->kind != FZN_CALL) {
        return CNS_OK;
    }
    switch (word) {
    case FZN_INT_SEARCH:
    case FZN_BOOL_SEARCH:
        return search_phase(p, annotation);
    case FZN_WARM_START:
    case FZN_WARM_START_INT:
    case FZN_WARM_START_BOOL:
        return warm_start(p, annotation);
    case FZN_SEQ_SEARCH:
    case FZN_WARM_START_ARRAY: {
        const fzn_value *list = annotation->as.call->arguments;
        cns_status status = CNS_OK;
        for (uint32_t i = 0; annotation->count > 0 && list->kind == FZN_ARRAY && i < list->count &&
                             status == CNS_OK;
             i++) {
            const fzn_value inner = fzn_element(list, i);
            status = search_annotation(p, &inner);
        }
        return status;
    }
    default:
        warn(p, annotation, "it is not known");
        return CNS_OK;
    }
}

cns_status fzn_problem_set_goal(fzn_problem *p, const fzn_solve *solve) {
    cns_status status = CNS_OK;
    p->goal = (fzn_goal)solve->goal;
    for (uint32_t i = 0; i < solve->annotation_count && status == CNS_OK; i++) {
        status = search_annotation(p, &solve->annotations[i]);
    }
    if (status == CNS_OK && p->goal != FZN_SATISFY) {
        status = fzn_problem_var(p, &solve->objective, &p->objective);
        if (status == CNS_OK) {
            status = cns_solver_set_goal(
                p->solver, p->goal == FZN_MINIMIZE ? CNS_MINIMIZE : CNS_MAXIMIZE, p->objective);
        }
    }
    return status == CNS_OK ? status
                            : fzn_problem_refused(p, status, solve->position, "solve item");
}
