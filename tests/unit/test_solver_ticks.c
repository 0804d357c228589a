/* SPDX-License-Identifier: MIT
 *
 * test_solver_ticks.c - local search charges what its looks at constraints cost, whatever their
 * size: turns that are counted in ticks take about as long then.
 *
 * The solver's sources are compiled once more for this test, so that every basic block that runs is
 * counted.
 */
#include <stdlib.h>

#include "base/rng.h"
#include "solver/violation.h"
#include "support.h"

enum {
    MOST = 1024, /* elements */
    CALLS = 8,
    BLOCKS = 8 /* in a tick, at most; a sanitizer adds some */
};

static uint64_t blocks;

void __sanitizer_cov_trace_pc(void);

void __sanitizer_cov_trace_pc(void) {
    blocks++;
}

/* `arrays` of variables with values in low..high, and a last one of `extra` variables. */
typedef struct shape {
    cns_constraint_kind kind;
    uint32_t arrays, extra;
    int64_t low, high;       /* high 0: as many values as there are elements */
    uint32_t integers, many; /* in i0: 0, 1, ...; many: as many as there are elements */
    uint32_t size_most;
} shape;

static const shape shapes[] = {
    {.kind = CNS_CUMULATIVE, .arrays = 3, .extra = 1, .low = 1, .high = 500},
    {.kind = CNS_DISJUNCTIVE, .arrays = 2, .low = 1, .high = 500},
    {.kind = CNS_DISJUNCTIVE, .arrays = 2, .low = 0},
    {.kind = CNS_SORT, .arrays = 2, .low = -1000, .high = 1000},
    {.kind = CNS_NVALUE, .arrays = 1, .extra = 1, .low = 0},
    {.kind = CNS_ALLDIFFERENT, .arrays = 1, .low = 0},
    {.kind = CNS_ALLDIFFERENT, .arrays = 1, .low = 0, .many = 1, .size_most = 256},
    {.kind = CNS_PRECEDE, .arrays = 1, .low = 0, .many = 1},
    {.kind = CNS_AMONG, .arrays = 1, .extra = 1, .low = 0, .many = 1, .size_most = 256},
    {.kind = CNS_GLOBAL_CARDINALITY, .arrays = 2, .low = 0, .many = 1, .size_most = 256},
    {.kind = CNS_BIN_PACKING, .arrays = 2, .low = 0, .many = 1, .size_most = 256},
    {.kind = CNS_DIFFN, .arrays = 4, .low = 1, .high = 100, .integers = 1, .size_most = 256},
    {.kind = CNS_MAX, .arrays = 1, .extra = 1, .low = 0},
    {.kind = CNS_CIRCUIT, .arrays = 1, .low = 1},
    {.kind = CNS_INVERSE, .arrays = 2, .low = 1},
    {.kind = CNS_INCREASING, .arrays = 1, .low = 0},
    {.kind = CNS_LEX_LE, .arrays = 2, .low = 1, .high = 1},
};

enum { SHAPES = sizeof shapes / sizeof *shapes };

static void make(cns_model *m, const shape *s, uint32_t size) {
    static cns_var vars[4][MOST];
    static int64_t integers[MOST];
    const int64_t range[] = {s->low, s->high != 0 ? s->high : (int64_t)size};
    cns_constraint c = {.size = sizeof c, .kind = s->kind};
    for (uint32_t a = 0; a < s->arrays + (s->extra > 0); a++) {
        c.v[a] = vars[a];
        c.v_count[a] = a < s->arrays ? size : s->extra;
        for (uint32_t k = 0; k < c.v_count[a]; k++) {
            ck_assert_int_eq(cns_model_new_var(m, range, 1, NULL, &vars[a][k]), CNS_OK);
        }
    }
    c.i[0] = integers;
    c.i_count[0] = s->many ? size : s->integers;
    for (uint32_t k = 0; k < c.i_count[0]; k++) {
        integers[k] = k;
    }
    support_status(m->context, CNS_OK, cns_model_add(m, &c));
}

/* Blocks that run in a look at the model's only constraint, on average. */
static uint64_t cost(const cns_model *m, cns_rng *rng) {
    const cns_model_constraint *c = &m->constraints[0];
    int64_t *values = malloc(m->variable_count * sizeof *values);
    cns_pair *scratch = malloc(cns_violation_scratch(m, c) * sizeof *scratch);
    const cns_evaluation e = {m, c, values, scratch};
    int64_t sum = 0;
    blocks = 0;
    for (int call = 0; call < CALLS; call++) {
        for (uint32_t v = 0; v < m->variable_count; v++) {
            const cns_model_var *var = &m->variables[v];
            values[v] =
                var->low + (int64_t)cns_rng_below(rng, (uint64_t)(var->high - var->low) + 1);
        }
        sum |= cns_violation(&e);
    }
    ck_assert_int_ge(sum, 0);
    free(values);
    free(scratch);
    return blocks / CALLS;
}

START_TEST(a_look_is_charged_what_it_costs) {
    const shape *s = &shapes[_i];
    cns_rng rng;
    cns_rng_seed(&rng, (uint64_t)_i);
    uint32_t most = s->size_most > 0 ? s->size_most : MOST;
    for (uint32_t size = 16; size <= most; size *= 4) {
        cns_context *context = support_context();
        cns_model m;
        ck_assert_int_eq(cns_model_init(&m, context), CNS_OK);
        make(&m, s, size);
        uint64_t work = cns_violation_work(&m, &m.constraints[0]);
        uint64_t own = cost(&m, &rng);
        ck_assert_msg(own <= BLOCKS * work, "%s of %u: %llu blocks for %llu ticks",
                      cns_constraint_kind_name(s->kind), size, (unsigned long long)own,
                      (unsigned long long)work);
        cns_model_deinit(&m);
        support_context_destroy(context);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver ticks");
    TCase *cases = tcase_create("ticks");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, a_look_is_charged_what_it_costs, 0, SHAPES);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
