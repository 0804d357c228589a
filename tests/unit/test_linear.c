/* SPDX-License-Identifier: MIT
 *
 * test_linear.c - the matrix product against the textbook's three loops, on every path.
 */
#include <string.h>

#include "cns/memory.h"
#include "support.h"

static cns_context *context_at(cns_cpu_level level) {
    cns_context_config config = {.size = sizeof config, .cpu_level = level};
    cns_context *context = NULL;
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
    return context;
}

static cns_buffer *random_matrix(cns_context *context, uint64_t count, uint64_t *state) {
    cns_buffer *buffer = NULL;
    support_status(context, CNS_OK, cns_buffer_create(context, CNS_F64, count, &buffer));
    double *data = cns_buffer_data(buffer);
    for (uint64_t i = 0; i < count; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        data[i] = (double)(int64_t)(*state >> 11) * 0x1p-52 - 1.0;
    }
    return buffer;
}

static void compare(cns_cpu_level level, uint64_t rows, uint64_t inner, uint64_t columns) {
    cns_context *context = context_at(level);
    uint64_t state = rows * 1000003 + inner * 1009 + columns;
    cns_buffer *a = random_matrix(context, rows * inner, &state);
    cns_buffer *b = random_matrix(context, inner * columns, &state);
    cns_buffer *c = random_matrix(context, rows * columns, &state);
    support_status(context, CNS_OK, cns_buffer_matmul(c, a, b, rows, inner, columns));
    const double *x = cns_buffer_data(a), *y = cns_buffer_data(b), *z = cns_buffer_data(c);
    for (uint64_t i = 0; i < rows; i++) {
        for (uint64_t j = 0; j < columns; j++) {
            double sum = 0.0;
            for (uint64_t k = 0; k < inner; k++) {
                sum += x[i * inner + k] * y[k * columns + j];
            }
            ck_assert_msg(memcmp(&sum, &z[i * columns + j], sizeof sum) == 0,
                          "level %d, %d x %d x %d, at %d, %d", (int)level, (int)rows, (int)inner,
                          (int)columns, (int)i, (int)j);
        }
    }
    cns_buffer_destroy(a);
    cns_buffer_destroy(b);
    cns_buffer_destroy(c);
    support_context_destroy(context);
}

START_TEST(equals_the_three_loops_to_the_bit) {
    static const cns_cpu_level levels[] = {CNS_CPU_PORTABLE, CNS_CPU_AVX2, CNS_CPU_AVX512};
    static const uint64_t sizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 17};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    for (int l = 0; l < 3; l++) {
        if (!cns_cpu_supports(levels[l])) {
            continue;
        }
        for (int i = 0; i < COUNT * COUNT * COUNT; i++) {
            compare(levels[l], sizes[i % COUNT], sizes[i / COUNT % COUNT],
                    sizes[i / COUNT / COUNT]);
        }
        compare(levels[l], 100, 100, 100);
    }
}
END_TEST

START_TEST(misuse_is_refused) {
    cns_context *context = support_context();
    uint64_t state = 1;
    cns_buffer *a = random_matrix(context, 16, &state);
    cns_buffer *c = random_matrix(context, 16, &state);
    cns_buffer *integers = NULL;
    support_status(context, CNS_OK, cns_buffer_create(context, CNS_I64, 16, &integers));
    ck_assert_int_eq(cns_buffer_matmul(NULL, a, a, 4, 4, 4), CNS_E_INVALID);
    ck_assert_int_eq(cns_buffer_matmul(c, NULL, a, 4, 4, 4), CNS_E_INVALID);
    support_status(context, CNS_E_INVALID, cns_buffer_matmul(c, integers, a, 4, 4, 4));
    support_status(context, CNS_E_INVALID, cns_buffer_matmul(integers, a, a, 4, 4, 4));
    support_status(context, CNS_E_RANGE, cns_buffer_matmul(c, a, a, 4, 4, 5));
    support_status(context, CNS_E_RANGE, cns_buffer_matmul(c, a, a, 3, 4, 4));
    /* Products that would wrap around to a count that fits. */
    support_status(context, CNS_E_RANGE, cns_buffer_matmul(c, a, a, UINT64_C(1) << 62, 16, 16));
    support_status(context, CNS_E_RANGE,
                   cns_buffer_matmul(c, a, a, UINT64_MAX, UINT64_MAX, UINT64_MAX));
    support_status(context, CNS_E_INVALID, cns_buffer_matmul(c, c, a, 4, 4, 4));
    cns_buffer *half = NULL;
    support_status(context, CNS_OK, cns_buffer_slice(c, 8, 4, &half));
    support_status(context, CNS_E_INVALID, cns_buffer_matmul(c, a, half, 8, 2, 2));
    support_status(context, CNS_OK, cns_buffer_matmul(c, a, a, 4, 4, 4));
    cns_buffer_destroy(half);
    cns_buffer_destroy(integers);
    cns_buffer_destroy(a);
    cns_buffer_destroy(c);
    support_context_destroy(context);
}
END_TEST

START_TEST(borrows_are_respected) {
    cns_context *context = support_context();
    uint64_t state = 1;
    cns_buffer *a = random_matrix(context, 16, &state);
    cns_buffer *c = random_matrix(context, 16, &state);
    cns_buffer *lent = NULL;
    support_status(context, CNS_OK, cns_buffer_borrow(a, CNS_ACCESS_READ, &lent));
    support_status(context, CNS_OK, cns_buffer_matmul(c, a, lent, 4, 4, 4));
    support_status(context, CNS_E_BUSY, cns_buffer_matmul(a, c, c, 4, 4, 4));
    cns_buffer_destroy(lent);
    support_status(context, CNS_OK, cns_buffer_borrow(a, CNS_ACCESS_WRITE, &lent));
    support_status(context, CNS_E_BUSY, cns_buffer_matmul(c, a, c, 4, 4, 4));
    support_status(context, CNS_OK, cns_buffer_matmul(lent, c, c, 4, 4, 4));
    cns_buffer_destroy(lent);
    cns_buffer_destroy(a);
    cns_buffer_destroy(c);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("linear");
    TCase *cases = tcase_create("linear");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, equals_the_three_loops_to_the_bit);
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_test(cases, borrows_are_respected);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
