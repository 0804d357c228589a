/* SPDX-License-Identifier: MIT
 *
 * test_solver_posting.c - memory that gives out in each function that posts a constraint.
 *
 * A limit that is met is told as a limit, memory that the host refuses as refused: the caller of
 * the solver raises the one and can do nothing about the other. Arrays are larger than a page, up
 * to which the context is generous in telling the two apart.
 */
#include <stdlib.h>
#include <string.h>

#include "solver/globals/boxes.h"
#include "solver/globals/disjunctive.h"
#include "solver/globals/globals.h"
#include "solver/globals/orders.h"
#include "support.h"

enum { N = 90, LAYERS = 20, WIDTH = 10, ROWS = 400, COLUMNS = 5, STATES = 12, SYMBOLS = 8 };

typedef struct world {
    cns_state state;
    cns_post post;
    cns_lit condition; /* open */
    cns_view x[N], y[N], start[N], small[N], big;
    cns_lit lits[N];
    int64_t a[N], values[N];
} world;

static cns_views all(const cns_view *v) {
    return (cns_views){v, N};
}

static cns_views first(const cns_view *v, uint32_t count) {
    return (cns_views){v, count};
}

/* ---- what is posted ------------------------------------------------------------------------- */

static cns_status view_of_lit(world *w) {
    cns_view v;
    cns_status status = CNS_OK;
    for (int k = 0; k < N && status == CNS_OK; k++) {
        status = cns_view_of_lit(&w->state, w->lits[k], &v);
    }
    return status;
}

static cns_status linear_le(world *w) {
    return cns_post_linear_le(&w->state, w->post, w->a, all(w->x), N * N / 2);
}

static cns_status linear_eq(world *w) {
    return cns_post_linear_eq(&w->state, w->post, w->a, all(w->x), N * N / 2);
}

static cns_status linear_ne(world *w) {
    return cns_post_linear_ne(&w->state, w->post, w->a, all(w->x), N * N / 2);
}

static cns_status bool_le(world *w) {
    return cns_post_bool_le(&w->state, w->post, w->a, w->lits, N, w->x[0], 1);
}

static cns_status times(world *w) {
    return cns_post_times(&w->state, w->post, w->x[0], w->x[1], w->big);
}

static cns_status divided(world *w) {
    return cns_post_div(&w->state, w->post, w->x[0], w->x[1], w->x[2]);
}

static cns_status modulo(world *w) {
    return cns_post_mod(&w->state, w->post, w->x[0], w->x[1], w->x[2]);
}

static cns_status power(world *w) {
    return cns_post_pow(&w->state, w->post, w->x[0], w->small[0], w->big);
}

static cns_status absolute(world *w) {
    return cns_post_abs(&w->state, w->post, (cns_view){w->x[0].term, -N / 2}, w->x[1]);
}

static cns_status maximum(world *w) {
    return cns_post_maximum(&w->state, w->post, all(w->x), w->y[0]);
}

static cns_status element_const(world *w) {
    return cns_post_element_const(&w->state, w->post, w->x[0], w->a, N, w->y[0]);
}

static cns_status element(world *w) {
    return cns_post_element(&w->state, w->post, w->y[0], all(w->x), w->y[1]);
}

static cns_status odd(world *w) {
    return cns_post_xor(&w->state, w->post, w->lits, N);
}

static cns_status lex(world *w) {
    return cns_post_lex(&w->state, w->post, all(w->x), all(w->y), true);
}

static cns_status alldifferent(world *w) {
    return cns_post_alldifferent(&w->state, w->post, all(w->x));
}

static cns_status alldifferent_values(world *w) {
    return cns_post_alldifferent_values(&w->state, w->post, all(w->x));
}

static cns_status alldifferent_except(world *w) {
    return cns_post_alldifferent_except(&w->state, w->post, all(w->x), w->values, 3);
}

static cns_status cardinality(world *w) {
    return cns_post_global_cardinality(&w->state, w->post, all(w->x), w->values, first(w->y, 20),
                                       false);
}

static cns_status closed_cardinality(world *w) {
    return cns_post_global_cardinality(&w->state, w->post, all(w->x), w->values, first(w->y, 20),
                                       true);
}

static cns_status nvalue(world *w) {
    return cns_post_nvalue(&w->state, w->post, all(w->x), w->y[0]);
}

static cns_status inverse(world *w) {
    return cns_post_inverse(&w->state, w->post, all(w->x), all(w->y));
}

static cns_status circuit(world *w) {
    return cns_post_circuit(&w->state, w->post, all(w->x), false);
}

static cns_status subcircuit(world *w) {
    return cns_post_circuit(&w->state, w->post, all(w->x), true);
}

static cns_status sort(world *w) {
    return cns_post_sort(&w->state, w->post, all(w->x), all(w->y));
}

static cns_status arg_sort(world *w) {
    return cns_post_arg_sort(&w->state, w->post, all(w->x), all(w->y));
}

static cns_status arg_max(world *w) {
    return cns_post_arg_max(&w->state, w->post, all(w->x), w->y[0]);
}

static cns_status precede(world *w) {
    return cns_post_precede(&w->state, w->post, all(w->x), w->values, 20);
}

static cns_status cumulative(world *w) {
    return cns_post_cumulative(&w->state, w->post, all(w->start), all(w->small), all(w->small),
                               cns_view_constant(7));
}

static cns_status disjunctive(world *w) {
    return cns_post_disjunctive(&w->state, w->post, all(w->start), all(w->small), NULL, false);
}

static cns_status optional_disjunctive(world *w) {
    return cns_post_disjunctive(&w->state, w->post, first(w->start, 30), first(w->small, 30),
                                w->lits, true);
}

static cns_status disjunctive_by_bounds(world *w) {
    return cns_post_disjunctive_limited(&w->state, w->post, all(w->start), all(w->small), NULL,
                                        true, 0);
}

static cns_status machine(world *w) {
    return cns_post_machine(&w->state, w->post, all(w->start), all(w->small), NULL);
}

/* The literals are those of any orders; nothing is searched. */
static cns_status machine_of_literals(world *w) {
    enum { TASKS = 40 };
    static cns_lit before[TASKS * TASKS];
    for (int i = 0; i < TASKS; i++) {
        for (int j = 0; j < i; j++) {
            before[i * TASKS + j] = w->lits[(i + j) % N];
            before[j * TASKS + i] = w->lits[(i + j) % N] ^ 1;
        }
    }
    return cns_post_machine(&w->state, w->post, first(w->start, TASKS), first(w->small, TASKS),
                            before);
}

static cns_status orders(world *w) {
    cns_order data[N];
    for (int k = 0; k < N; k++) {
        data[k] = (cns_order){w->lits[k], w->start[k], w->small[k], w->start[(k + 1) % N]};
    }
    return cns_post_orders(&w->state, w->post, data, N);
}

static cns_status diffn(world *w) {
    return cns_post_diffn(&w->state, w->post, all(w->start), all(w->x), all(w->small),
                          all(w->small), true);
}

static cns_status diffn_of_literals(world *w) {
    return cns_post_diffn(&w->state, w->post, first(w->start, 20), first(w->x, 20),
                          first(w->small, 20), first(w->small, 20), false);
}

static cns_status bin_packing(world *w) {
    return cns_post_bin_packing(&w->state, w->post, all(w->x), w->a, all(w->y));
}

static cns_status knapsack(world *w) {
    return cns_post_knapsack(&w->state, w->post, all(w->x), w->a, w->values, w->big, w->big);
}

static void fill_rows(int64_t *rows, int count) {
    for (int k = 0; k < count; k++) {
        rows[k] = (k * 37 + k / 7) % N;
    }
}

static cns_status table(world *w) {
    int64_t rows[ROWS * COLUMNS];
    fill_rows(rows, ROWS * COLUMNS);
    return cns_post_table(&w->state, w->post, first(w->x, COLUMNS), rows, ROWS);
}

static cns_status small_table(world *w) {
    int64_t rows[10 * COLUMNS];
    fill_rows(rows, 10 * COLUMNS);
    return cns_post_table(&w->state, w->post, first(w->x, COLUMNS), rows, 10);
}

/* From node 1 over layers of nodes, all joined with all of the next, to node 0. */
static cns_status mdd(world *w) {
    static cns_mdd_edge edges[LAYERS * WIDTH * WIDTH];
    uint32_t start[LAYERS + 1] = {0}, count = 0;
    for (uint32_t layer = 0; layer < LAYERS; layer++) {
        bool begins = layer == 0, ends = layer == LAYERS - 1;
        for (uint32_t i = 0; i < (begins ? 1 : WIDTH); i++) {
            for (uint32_t j = 0; j < (ends ? 1 : WIDTH); j++) {
                uint32_t from = begins ? 1 : 2 + (layer - 1) * WIDTH + i;
                uint32_t to = ends ? 0 : 2 + layer * WIDTH + j;
                int64_t value = (i + 3 * j) % N;
                edges[count++] = (cns_mdd_edge){from, to, value, value + 2};
            }
        }
        start[layer + 1] = count;
    }
    return cns_post_mdd(&w->state, w->post, first(w->x, LAYERS), edges, start,
                        2 + (LAYERS - 1) * WIDTH);
}

static cns_status regular(world *w) {
    int64_t next[STATES * SYMBOLS];
    for (int k = 0; k < STATES * SYMBOLS; k++) {
        next[k] = (k * 5 + k / 3) % (STATES + 1);
    }
    const int64_t accepting[] = {1, 2, 5, 7};
    return cns_post_regular(&w->state, w->post, first(w->x, 60), STATES, SYMBOLS, next, 1,
                            accepting, 4);
}

static const struct post_function {
    const char *name;
    cns_status (*post)(world *w);
    bool conditional; /* it takes a condition */
} functions[] = {
    {"view of literals", view_of_lit, false},
    {"linear <=", linear_le, true},
    {"linear =", linear_eq, true},
    {"linear !=", linear_ne, true},
    {"Boolean <=", bool_le, true},
    {"times", times, true},
    {"div", divided, true},
    {"mod", modulo, true},
    {"pow", power, true},
    {"abs", absolute, true},
    {"maximum", maximum, true},
    {"element of constants", element_const, true},
    {"element", element, true},
    {"xor", odd, true},
    {"lex", lex, true},
    {"alldifferent", alldifferent, false},
    {"alldifferent values", alldifferent_values, false},
    {"alldifferent except", alldifferent_except, false},
    {"cardinality", cardinality, false},
    {"closed cardinality", closed_cardinality, false},
    {"nvalue", nvalue, false},
    {"inverse", inverse, false},
    {"circuit", circuit, false},
    {"subcircuit", subcircuit, false},
    {"sort", sort, false},
    {"arg sort", arg_sort, false},
    {"arg max", arg_max, false},
    {"precede", precede, false},
    {"cumulative", cumulative, false},
    {"disjunctive", disjunctive, false},
    {"optional disjunctive", optional_disjunctive, false},
    {"disjunctive by bounds", disjunctive_by_bounds, false},
    {"machine", machine, false},
    {"machine of literals", machine_of_literals, false},
    {"orders", orders, false},
    {"diffn", diffn, false},
    {"diffn of literals", diffn_of_literals, false},
    {"bin packing", bin_packing, false},
    {"knapsack", knapsack, false},
    {"table", table, false},
    {"small table", small_table, false},
    {"mdd", mdd, false},
    {"regular", regular, false},
};

enum { FUNCTIONS = sizeof functions / sizeof *functions };

/* ---- a host that watches and refuses -------------------------------------------------------- */

enum { HEIGHTS = 100000 };

typedef struct host {
    cns_context *context;      /* NULL: it only serves */
    uint64_t heights[HEIGHTS]; /* what was held with each allocation, where that was a record */
    uint32_t count;
    int64_t countdown; /* allocations that are granted; negative: all */
} host;

static void *host_resize(void *user, void *pointer, size_t old_size, size_t new_size,
                         size_t alignment) {
    host *h = user;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    if (h->context != NULL) {
        cns_memory_stats stats;
        cns_context_memory(h->context, &stats);
        if (h->count == 0 || stats.held > h->heights[h->count - 1]) {
            ck_assert_uint_lt(h->count, HEIGHTS);
            h->heights[h->count++] = stats.held;
        }
        if (h->countdown == 0) {
            return NULL;
        }
        h->countdown -= h->countdown > 0;
    }
    alignment = alignment < sizeof(void *) ? sizeof(void *) : alignment;
    void *fresh = aligned_alloc(alignment, (new_size + alignment - 1) / alignment * alignment);
    if (fresh != NULL && pointer != NULL) {
        memcpy(fresh, pointer, old_size < new_size ? old_size : new_size);
        free(pointer);
    }
    return fresh;
}

static void new_views(world *w, cns_view *v, int64_t high) {
    const int64_t range[] = {0, high};
    for (int k = 0; k < N; k++) {
        v[k].offset = 0;
        ck_assert_int_eq(cns_new_int(&w->state, range, 1, &v[k].term), CNS_OK);
    }
}

static void build(world *w, cns_context *context, bool conditional) {
    const int64_t wide[] = {0, 30000};
    ck_assert_int_eq(cns_state_init(&w->state, context, 1), CNS_OK);
    new_views(w, w->x, N - 1);
    new_views(w, w->y, N - 1);
    new_views(w, w->start, 20 * N);
    new_views(w, w->small, 3);
    w->big.offset = 0;
    ck_assert_int_eq(cns_new_int(&w->state, wide, 1, &w->big.term), CNS_OK);
    for (int k = 0; k < N; k++) {
        w->lits[k] = cns_new_bool(&w->state);
        ck_assert_uint_ne(w->lits[k], CNS_LIT_NONE);
        w->a[k] = 1 + k % 3;
        w->values[k] = k;
    }
    w->condition = cns_new_bool(&w->state);
    w->post = (cns_post){0, conditional ? w->condition : CNS_LIT_TRUE};
}

/* Posts under a limit of memory, or where the host grants so many allocations (negative: all). */
static cns_status attempt(host *h, const struct post_function *f, bool conditional, uint64_t limit,
                          int64_t granted, char message[256]) {
    static world w;
    cns_allocator allocator = {host_resize, h};
    cns_context_config config = {.size = sizeof config, .allocator = &allocator};
    cns_context *context = NULL;
    h->context = NULL;
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
    build(&w, context, conditional);
    h->count = 0;
    h->context = context;
    h->countdown = granted;
    cns_context_set_memory_limit(context, limit);
    cns_status status = f->post(&w);
    ck_assert_msg(w.state.status == CNS_OK || w.state.status == status, "%s: %s, in the state %s",
                  f->name, cns_status_name(status), cns_status_name(w.state.status));
    cns_context_message(context, message, 256);
    h->context = NULL;
    cns_state_deinit(&w.state);
    support_context_destroy(context);
    return status;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static host served, limited;

/* Each limit that is the first to refuse an allocation, by one byte; of very many, some. */
static void meet_limits(const struct post_function *f, bool conditional) {
    char message[256];
    ck_assert_int_eq(attempt(&served, f, conditional, 0, -1, message), CNS_OK);
    ck_assert_uint_gt(served.count, 0);
    for (uint32_t k = 0; k < served.count; k += 1 + k / 40) {
        cns_status status = attempt(&limited, f, conditional, served.heights[k] - 1, -1, message);
        ck_assert_msg(status == CNS_E_LIMIT, "%s: %s at %llu bytes: %s", f->name,
                      cns_status_name(status), (unsigned long long)served.heights[k] - 1, message);
        ck_assert_msg(strstr(message, "memory limit") != NULL, "%s: %s", f->name, message);
    }
}

START_TEST(a_limit_is_told_as_a_limit) {
    meet_limits(&functions[_i], false);
    if (functions[_i].conditional) {
        meet_limits(&functions[_i], true);
    }
}
END_TEST

START_TEST(refused_memory_is_told_as_such) {
    const struct post_function *f = &functions[_i];
    char message[256];
    for (int64_t nth = 0;; nth += 1 + nth / 40) {
        cns_status status = attempt(&limited, f, false, 0, nth, message);
        if (status == CNS_OK) {
            ck_assert_msg(nth > 0, "%s takes no memory", f->name);
            break;
        }
        ck_assert_msg(status == CNS_E_NOMEM, "%s: %s: %s", f->name, cns_status_name(status),
                      message);
        ck_assert_int_lt(nth, HEIGHTS);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver posting");
    TCase *cases = tcase_create("posting");
    tcase_set_timeout(cases, 300);
    tcase_add_loop_test(cases, a_limit_is_told_as_a_limit, 0, FUNCTIONS);
    tcase_add_loop_test(cases, refused_memory_is_told_as_such, 0, FUNCTIONS);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
