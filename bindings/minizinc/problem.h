/* SPDX-License-Identifier: MIT
 *
 * problem.h - a FlatZinc file as a solver: declarations, constraints, goal, search annotations.
 *
 * fzn_problem_load reads the file and states all of it to a cns_solver of its own. What the solver
 * cannot take (float and set variables, unknown predicates, arithmetic that could overflow) is
 * refused with the line and the name.
 */
#ifndef CNS_FZN_PROBLEM_H
#define CNS_FZN_PROBLEM_H

#include <stdbool.h>

#include "cns/solver.h"
#include "fzn.h"

/* Variables without a domain have this one: wide, and yet sums of them do not overflow. */
#define FZN_WIDEST INT64_C(34359738368) /* 2^35 */

typedef struct fzn_problem {
    cns_context *context;
    fzn_reader *reader;
    cns_solver *solver;
    cns_var *vars; /* by the reader's number of a variable */
    uint32_t var_count;
    fzn_goal goal;
    cns_var objective;
    cns_solve_options options; /* what search annotations say: restarts; the rest is zero */
    uint32_t warnings;         /* annotations that were not understood, and left out */
    char warning[160];         /* the first of them */
    char message[512];         /* of a failure: "line 3: ..." */
    bool (*stop)(void *user);  /* asked now and then while loading; NULL: never */
    void *stop_user;
    /* arguments of the constraint that is being stated */
    cns_var *arg_vars;
    int64_t *arg_ints;
    size_t arg_var_count, arg_var_capacity, arg_int_count, arg_int_capacity;
} fzn_problem;

/* CNS_E_NOMEM or what cns_solver_create says. */
cns_status fzn_problem_create(cns_context *context, const cns_solver_config *config,
                              fzn_problem **out);
void fzn_problem_destroy(fzn_problem *problem);
/* Once a problem. On failure `message` says what, where, and what to do. CNS_E_CANCELLED: `stop`
 * said so. */
cns_status fzn_problem_load(fzn_problem *problem, const char *path);
/* The same for a text; it is copied. */
cns_status fzn_problem_load_text(fzn_problem *problem, const void *bytes, size_t size);

/* Writes "x = 1;" and so on for the last solution, in the order of the declarations, through
 * `write` (which returns false to stop). */
typedef bool (*fzn_write_fn)(void *user, const char *text, size_t length);
cns_status fzn_problem_write(fzn_problem *problem, fzn_write_fn write, void *user);

/* ---- shared by problem.c, predicates.c, goals.c --------------------------------------------- */

/* Sets the message "PATH: line N: ..." for a position in the text; returns `status`. */
cns_status fzn_problem_fail(fzn_problem *problem, cns_status status, uint64_t position,
                            const char *format, ...);
/* The same with what the solver said, behind "WHAT: " (or nothing, where it is empty). */
cns_status fzn_problem_refused(fzn_problem *problem, cns_status status, uint64_t position,
                               const char *what);
/* Grows an array of the problem's to hold `need` elements; `array` is the address of its pointer.
 */
cns_status fzn_problem_reserve(fzn_problem *problem, void *array, size_t element, size_t *capacity,
                               size_t need);
/* The solver's variable for a value that is a variable or a constant. */
cns_status fzn_problem_var(fzn_problem *problem, const fzn_value *value, cns_var *out);
/* States one constraint of the file. */
cns_status fzn_problem_post(fzn_problem *problem, const fzn_constraint *constraint);
/* The solve item: goal, and search annotations. */
cns_status fzn_problem_set_goal(fzn_problem *problem, const fzn_solve *solve);

/* The words that the reader is told, so that their numbers are known: predicates first, in the
 * order of the table in predicates.c, then the words below. */
uint32_t fzn_predicate_count(void);
const char *fzn_predicate_name(uint32_t index);
/* Its arguments, as the top of predicates.c says: for who makes FlatZinc up. */
const char *fzn_predicate_recipe(uint32_t index);

enum { /* annotations, behind the predicates */
       FZN_OUTPUT_VAR,
       FZN_OUTPUT_ARRAY,
       FZN_INT_SEARCH,
       FZN_BOOL_SEARCH,
       FZN_SEQ_SEARCH,
       FZN_WARM_START,
       FZN_WARM_START_INT,
       FZN_WARM_START_BOOL,
       FZN_WARM_START_ARRAY,
       FZN_RESTART_NONE,
       FZN_RESTART_CONSTANT,
       FZN_RESTART_LINEAR,
       FZN_RESTART_LUBY,
       FZN_RESTART_GEOMETRIC,
       FZN_INPUT_ORDER, /* variable choices: in the order of cns_choose_var */
       FZN_VAR_CHOICES_END = FZN_INPUT_ORDER + 9,
       FZN_INDOMAIN_MIN = FZN_VAR_CHOICES_END, /* value choices: in the order of cns_choose_value */
       FZN_VALUE_CHOICES_END = FZN_INDOMAIN_MIN + 11,
       FZN_ANNOTATION_WORDS = FZN_VALUE_CHOICES_END
};

extern const char *const fzn_annotation_words[FZN_ANNOTATION_WORDS];

static inline uint32_t fzn_annotation_of(uint32_t word) {
    return word - fzn_predicate_count();
}

#endif
