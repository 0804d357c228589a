/* SPDX-License-Identifier: MIT
 *
 * solve_dimacs.c - a CNF in DIMACS format; the answer as SAT competitions have it.
 */
#define _GNU_SOURCE

#include "solve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VARIABLES = 1 << 28, VALUES_A_LINE = 72, STOP_INTERVAL = 4096 };

typedef struct cnf {
    const solve_request *request;
    cns_context *context;
    cns_solver *solver;
    FILE *file;
    cns_var *vars; /* by number in the file, from 1 on */
    int64_t variables, clauses;
    cns_var *clause;
    size_t count, capacity;
    uint64_t line;
    char message[160];
} cnf;

#define FAIL(c, status, ...)                                                                       \
    (snprintf((c)->message, sizeof(c)->message, __VA_ARGS__), (cns_status)(status))

/* ---- reading -------------------------------------------------------------------------------- */

/* The next character that is neither space nor comment; EOF. */
static int skip(cnf *c) {
    bool fresh = c->line == 0;
    for (int letter; (letter = getc_unlocked(c->file)) != EOF;) {
        if (letter == '\n' || c->line == 0) {
            c->line++;
        }
        if (letter == '\n') {
            fresh = true;
        } else if (letter == 'c' && fresh) {
            while ((letter = getc_unlocked(c->file)) != EOF && letter != '\n') {
            }
            c->line += letter == '\n';
        } else if (letter != ' ' && letter != '\t' && letter != '\r') {
            return letter;
        }
    }
    return EOF;
}

/* A number that begins with `letter`. */
static bool read_number(cnf *c, int letter, int64_t *out) {
    bool negative = letter == '-';
    int64_t value = 0;
    bool any = false;
    letter = negative ? getc_unlocked(c->file) : letter;
    for (; letter >= '0' && letter <= '9'; letter = getc_unlocked(c->file)) {
        value = value * 10 + (letter - '0');
        any = true;
        if (value > INT32_MAX) {
            return false;
        }
    }
    if (letter != EOF) {
        ungetc(letter, c->file);
    }
    *out = negative ? -value : value;
    return any && (letter == EOF || strchr(" \t\r\n", letter) != NULL);
}

static cns_status read_header(cnf *c) {
    int letter = skip(c);
    char word[5] = "";
    if (letter != 'p' || fscanf(c->file, " %4[a-z]", word) != 1 || strcmp(word, "cnf") != 0 ||
        !read_number(c, skip(c), &c->variables) || !read_number(c, skip(c), &c->clauses) ||
        c->variables < 0 || c->clauses < 0) {
        return FAIL(c, CNS_E_INVALID, "line %llu: expected 'p cnf VARIABLES CLAUSES'",
                    (unsigned long long)c->line);
    }
    if (c->variables > MAX_VARIABLES) {
        return FAIL(c, CNS_E_RANGE, "line %llu: %lld variables, at most %d are taken",
                    (unsigned long long)c->line, (long long)c->variables, (int)MAX_VARIABLES);
    }
    return CNS_OK;
}

static cns_status declare(cnf *c) {
    size_t size = ((size_t)c->variables + 1) * sizeof *c->vars;
    c->vars = cns_context_resize(c->context, NULL, 0, size);
    cns_status status = c->vars != NULL ? CNS_OK : CNS_E_NOMEM;
    for (int64_t v = 1; v <= c->variables && status == CNS_OK; v++) {
        if (v % STOP_INTERVAL == 0 && solve_must_stop((void *)c->request)) {
            return CNS_E_CANCELLED;
        }
        status = cns_solver_new_bool(c->solver, NULL, &c->vars[v]);
    }
    return status;
}

static cns_status push(cnf *c, cns_var literal) {
    if (c->count == c->capacity) {
        size_t wider = c->capacity * 2 + 16;
        cns_var *grown = cns_context_resize(c->context, c->clause, c->capacity * sizeof *grown,
                                            wider * sizeof *grown);
        if (grown == NULL) {
            return CNS_E_NOMEM;
        }
        c->clause = grown;
        c->capacity = wider;
    }
    c->clause[c->count++] = literal;
    return CNS_OK;
}

static cns_status end_clause(cnf *c) {
    const cns_constraint clause = {
        .size = sizeof clause, .kind = CNS_CLAUSE, .v = {c->clause}, .v_count = {c->count}};
    c->count = 0;
    return cns_solver_add(c->solver, &clause);
}

static cns_status read_clauses(cnf *c) {
    cns_status status = CNS_OK;
    int64_t found = 0;
    int letter;
    while (status == CNS_OK && (letter = skip(c)) != EOF && letter != '%') {
        int64_t number;
        if (!read_number(c, letter, &number)) {
            return FAIL(c, CNS_E_INVALID, "line %llu: expected a literal or 0",
                        (unsigned long long)c->line);
        }
        if (llabs(number) > c->variables) {
            return FAIL(c, CNS_E_RANGE, "line %llu: variable %lld, the header says 1..%lld",
                        (unsigned long long)c->line, llabs(number), (long long)c->variables);
        }
        if (number != 0) {
            status = push(c, number > 0 ? c->vars[number] : ~c->vars[-number]);
        } else if (++found % STOP_INTERVAL == 0 && solve_must_stop((void *)c->request)) {
            status = CNS_E_CANCELLED;
        } else {
            status = end_clause(c);
        }
    }
    if (status == CNS_OK && (c->count > 0 || found < c->clauses)) {
        return FAIL(c, CNS_E_INVALID,
                    "line %llu: the file ends after %lld of %lld clauses%s: it is cut short",
                    (unsigned long long)c->line, (long long)found, (long long)c->clauses,
                    c->count > 0 ? ", inside another" : "");
    }
    return status;
}

static cns_status read_all(cnf *c) {
    c->file = fopen(c->request->path, "re");
    if (c->file == NULL) {
        return FAIL(c, CNS_E_IO, "%s", strerror(errno));
    }
    cns_status status = read_header(c);
    status = status == CNS_OK ? declare(c) : status;
    status = status == CNS_OK ? read_clauses(c) : status;
    if (ferror(c->file)) {
        status = FAIL(c, CNS_E_IO, "%s", strerror(errno));
    }
    fclose(c->file);
    return status;
}

/* ---- answering ------------------------------------------------------------------------------ */

static void print_solution(void *user) {
    const cnf *c = user;
    fputs("s SATISFIABLE\n", stdout);
    int column = 0;
    for (int64_t v = 1; v <= c->variables; v++) {
        int64_t value = 0;
        cns_solver_value(c->solver, c->vars[v], &value);
        column += printf("%s%lld", column == 0 ? "v " : " ", (long long)(value ? v : -v));
        if (column > VALUES_A_LINE) {
            fputc('\n', stdout);
            column = 0;
        }
    }
    fputs(column == 0 ? "v 0\n" : " 0\n", stdout);
}

static const solve_format format = {
    .solution = print_solution,
    .separator = "",
    .complete = "c no further solution\n",
    .infeasible = "s UNSATISFIABLE\n",
    .unknown = "s UNKNOWN\n",
};

int solve_dimacs(const solve_request *request, cns_context *context) {
    const cns_solver_config config = {.size = sizeof config, .seed = (uint64_t)request->seed};
    cnf c = {.request = request, .context = context};
    solve_job job = {.request = request,
                     .context = context,
                     .format = &format,
                     .user = &c,
                     .message = c.message};
    cns_status status = cns_solver_create(context, &config, &c.solver);
    if (status == CNS_OK) {
        status = read_all(&c);
    }
    job.solver = c.solver;
    int code;
    if (status == CNS_E_CANCELLED) {
        fputs(format.unknown, stdout);
        code = solve_interrupted() ? CLI_INTERRUPTED : CLI_SUCCESS;
    } else {
        code = status == CNS_OK ? solve_search(&job) : solve_failed(&job, status);
    }
    cns_solver_destroy(c.solver);
    cns_context_resize(context, c.vars, c.vars ? ((size_t)c.variables + 1) * sizeof *c.vars : 0, 0);
    cns_context_resize(context, c.clause, c.capacity * sizeof *c.clause, 0);
    return code;
}
