/* SPDX-License-Identifier: MIT
 *
 * fuzz_solve.c - FlatZinc through the whole door: loaded, searched for a moment, printed. The input
 * is a text (after 0xff), or a stream of choices from which a model is made whose constraints have
 * about the arguments that they want; the last choices damage the text.
 *
 * Every solution is checked by the engine itself; one that fails is CNS_E_CORRUPT. Small models
 * are counted: the search finds as many solutions as the engine's evaluator accepts assignments.
 */
#include <stdarg.h>

#include "fuzz.h"
#include "problem.h"

enum { ROOM = 1 << 14, MODELS = 4096, STEPS = 8 };
#define TICKS UINT64_C(100000)

typedef struct text {
    char bytes[ROOM];
    size_t length;
    fuzz_input in;
    int ints, bools, arity;
} text;

static void put(text *t, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(t->bytes + t->length, ROOM - t->length, format, arguments);
    va_end(arguments);
    if (n > 0 && (size_t)n < ROOM - t->length) {
        t->length += (size_t)n;
    }
}

static int pick(text *t, int count) {
    return fuzz_byte(&t->in) % count;
}

/* ---- making a model ------------------------------------------------------------------------- */

static void put_number(text *t) {
    static const char *const odd[] = {"1099511627776",
                                      "-1099511627776",
                                      "9223372036854775807",
                                      "4611686018427387904",
                                      "2147483648",
                                      "-34359738368",
                                      "1000000",
                                      "100"};
    int choice = pick(t, 64);
    if (choice == 63) {
        put(t, "%s", odd[pick(t, 8)]);
    } else {
        put(t, "%d", choice % 9 - 2);
    }
}

static void put_set(text *t) {
    if (pick(t, 2)) {
        int low = pick(t, 6) - 2;
        put(t, "%d..%d", low, low + pick(t, 5) - 1);
        return;
    }
    put(t, "{");
    for (int n = pick(t, 4), i = 0; i < n; i++) {
        put(t, "%s%d", i ? "," : "", 2 * i - 1);
    }
    put(t, "}");
}

static void put_domain(text *t) {
    if (pick(t, 32) == 31) {
        put(t, "int");
    } else if (pick(t, 32) == 31) {
        put_number(t);
        put(t, "..");
        put_number(t);
    } else if (pick(t, 8) == 7) {
        put_set(t);
    } else {
        int low = pick(t, 4) - 1;
        put(t, "%d..%d", low, low + pick(t, 4));
    }
}

static void put_bool(text *t) {
    if (t->bools > 0 && pick(t, 8)) {
        put(t, "b%d", pick(t, t->bools));
    } else {
        put(t, "%s", pick(t, 2) ? "true" : "false");
    }
}

static void put_int(text *t) {
    if (t->ints > 0 && pick(t, 6)) {
        put(t, "x%d", pick(t, t->ints));
    } else {
        put_number(t);
    }
}

static void put_list(text *t, void (*element)(text *)) {
    int length = pick(t, 8) ? t->arity : pick(t, 6);
    put(t, "[");
    for (int i = 0; i < length; i++) {
        put(t, "%s", i ? "," : "");
        element(t);
    }
    put(t, "]");
}

/* One argument, for a letter of the recipe: an array when the name says that there are some. */
static void put_argument(text *t, char letter, bool boolean, bool array) {
    void (*element)(text *) = letter == 'v' && !boolean ? put_int : put_bool;
    if (letter == 'r' || (letter == 'i' && pick(t, 4) == 3)) {
        put_set(t);
    } else if (letter == 'i') {
        pick(t, 3) ? put_list(t, put_number) : put_number(t);
    } else if (letter == 'c' || letter == 'C') {
        put_bool(t);
    } else if (array) {
        put_list(t, element);
    } else {
        element(t);
    }
}

static void put_constraint(text *t) {
    uint32_t index = (uint32_t)(fuzz_byte(&t->in) | fuzz_byte(&t->in) << 8) % fzn_predicate_count();
    const char *name = fzn_predicate_name(index);
    bool boolean = strstr(name, "bool") != NULL && strncmp(name, "array_", 6) != 0;
    bool plain = strncmp(name, "int_", 4) == 0 && strstr(name, "lin") == NULL;
    bool simple = plain || (strncmp(name, "bool", 4) == 0 && strstr(name, "lin") == NULL &&
                            strstr(name, "clause") == NULL);
    t->arity = pick(t, 5);
    put(t, "constraint %s(", name);
    bool first = true;
    for (const char *at = fzn_predicate_recipe(index); *at; at += *at == '#' ? 4 : 2) {
        if (*at != '#') {
            put(t, "%s", first ? "" : ",");
            bool array = simple ? pick(t, 32) == 31 : pick(t, 4) != 0;
            put_argument(t, *at, boolean && pick(t, 16) != 15, array);
            first = false;
        }
    }
    put(t, ");\n");
}

static void put_search(text *t) {
    int choice = FZN_INPUT_ORDER + pick(t, FZN_VAR_CHOICES_END - FZN_INPUT_ORDER);
    int value = FZN_INDOMAIN_MIN + pick(t, FZN_VALUE_CHOICES_END - FZN_INDOMAIN_MIN);
    t->arity = pick(t, 4);
    put(t, ":: int_search(");
    put_list(t, put_int);
    put(t, ",%s,%s,complete)", fzn_annotation_words[choice], fzn_annotation_words[value]);
    if (pick(t, 4) == 3) {
        put(t, ":: warm_start(");
        put_list(t, put_int);
        put(t, ",");
        put_list(t, put_number);
        put(t, ")");
    }
}

static void make(text *t) {
    int bools = pick(t, 4);
    int ints = 1 + pick(t, 4);
    for (; t->bools < bools; t->bools++) {
        put(t, "var bool: b%d;\n", t->bools);
    }
    for (; t->ints < ints; t->ints++) {
        put(t, "var ");
        put_domain(t);
        put(t, ": x%d;\n", t->ints);
    }
    for (int n = 1 + pick(t, 4); n > 0; n--) {
        put_constraint(t);
    }
    put(t, "solve ");
    if (pick(t, 3) == 2) {
        put_search(t);
    }
    static const char *const goals[] = {"satisfy", "satisfy", "minimize x0", "maximize x0"};
    put(t, " %s;\n", goals[pick(t, 4)]);
    if (pick(t, 16) == 15 && t->length > 0) { /* damage */
        size_t at = fuzz_number(&t->in) % t->length;
        t->bytes[at] = (char)fuzz_byte(&t->in);
        t->length = pick(t, 2) ? t->length : at;
    }
}

/* ---- what must hold ------------------------------------------------------------------------- */

static bool swallow(void *user, const char *bytes, size_t length) {
    FUZZ_CHECK(length == 0 || bytes != NULL);
    *(size_t *)user += length;
    return true;
}

/* How many assignments the evaluator accepts; -1 when there are too many to try. */
static int64_t count_solutions(const cns_solver *solver) {
    enum { MOST = 64 };
    uint32_t count = cns_solver_variable_count(solver);
    int64_t low[MOST], high[MOST], values[MOST], product = 1;
    if (count > MOST) {
        return -1;
    }
    for (uint32_t v = 0; v < count; v++) {
        FUZZ_CHECK(cns_solver_bounds(solver, (cns_var)v, &low[v], &high[v]) == CNS_OK);
        if (high[v] - low[v] >= MODELS || (product *= high[v] - low[v] + 1) > MODELS) {
            return -1;
        }
        values[v] = low[v];
    }
    int64_t found = 0;
    for (int64_t k = 0; k < product; k++) {
        found += cns_solver_check_values(solver, values, count) == CNS_OK;
        for (uint32_t v = 0; v < count && values[v]++ == high[v]; v++) {
            values[v] = low[v];
        }
    }
    return found;
}

static void search(fzn_problem *p, bool free, bool counted) {
    cns_solve_options options = p->options;
    options.strategy = free ? CNS_STRATEGY_FREE : CNS_STRATEGY_DEFAULT;
    options.all_solutions = 1;
    FUZZ_CHECK(cns_solver_set_options(p->solver, &options) == CNS_OK);
    int64_t expected = counted ? count_solutions(p->solver) : -1;
    int64_t found = 0;
    cns_outcome outcome = CNS_RUNNING;
    int steps = expected < 0 ? STEPS : MODELS + STEPS;
    for (int k = 0; k < steps && outcome <= CNS_SOLUTION; k++) {
        cns_status status = cns_solver_step(p->solver, TICKS, &outcome);
        FUZZ_CHECK(status == CNS_OK || status == CNS_E_NOMEM || status == CNS_E_LIMIT);
        if (status != CNS_OK) {
            return;
        }
        if (outcome == CNS_SOLUTION) {
            size_t printed = 0;
            found++;
            FUZZ_CHECK(fzn_problem_write(p, swallow, &printed) == CNS_OK);
        }
    }
    FUZZ_CHECK(outcome != CNS_STOPPED);
    if (expected >= 0 && outcome == CNS_COMPLETE) {
        FUZZ_CHECK(p->goal == FZN_SATISFY ? found == expected : (found > 0) == (expected > 0));
    }
}

static int is_shown(const char *message) {
    for (; *message; message++) {
        if (*message < ' ' || *message > '~') {
            return 0;
        }
    }
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static text t;
    const cns_context_config limits = {.size = sizeof limits, .memory_limit = UINT64_C(256) << 20};
    cns_context *context = NULL;
    FUZZ_CHECK(cns_context_create(&limits, &context) == CNS_OK);
    t.length = 0;
    t.ints = t.bools = 0;
    t.in = (fuzz_input){data, size};
    uint8_t mode = fuzz_byte(&t.in);
    if (mode == 0xff) {
        t.length = t.in.size < ROOM ? t.in.size : ROOM;
        memcpy(t.bytes, t.in.data, t.length);
    } else {
        make(&t);
    }
    if (getenv("FUZZ_SHOW")) {
        fwrite(t.bytes, 1, t.length, stderr);
    }
    const cns_solver_config config = {.size = sizeof config, .seed = mode};
    fzn_problem *p = NULL;
    FUZZ_CHECK(fzn_problem_create(context, &config, &p) == CNS_OK);
    void *exact = malloc(t.length ? t.length : 1);
    memcpy(exact, t.bytes, t.length);
    cns_status status = fzn_problem_load_text(p, exact, t.length);
    free(exact);
    FUZZ_CHECK(status != CNS_E_CORRUPT && status != CNS_E_CANCELLED);
    FUZZ_CHECK(is_shown(p->message) && is_shown(p->warning));
    if (status == CNS_OK) {
        search(p, mode & 1, mode != 0xff);
    } else {
        FUZZ_CHECK(status == CNS_E_NOMEM || strncmp(p->message, "line ", 5) == 0);
    }
    fzn_problem_destroy(p);
    cns_memory_stats stats;
    cns_context_memory(context, &stats);
    FUZZ_CHECK(stats.held == 0);
    cns_context_destroy(context);
    return 0;
}
