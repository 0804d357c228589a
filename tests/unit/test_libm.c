/* SPDX-License-Identifier: MIT
 *
 * test_libm.c - vectors of exp and log against the C library's functions, bit for bit.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "support.h"
#include "vm/libm.h"

enum { MANY = 4096 };

typedef struct subject {
    cns_ir_op op;
    const char *name;
    double (*function)(double);
} subject;

static const subject subjects[] = {{CNS_IR_EXP_F64, "exp", exp}, {CNS_IR_LOG_F64, "log", log}};

static uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* NaNs are all alike. */
static bool same(double a, double b) {
    return bits_of(a) == bits_of(b) || (a != a && b != b);
}

static void compare(const subject *s, const cns_libm *row, const double *x, size_t count) {
    double y[MANY];
    memcpy(y, x, count * sizeof *x);
    row->array(y, count);
    for (size_t i = 0; i < count; i++) {
        double expected = s->function(x[i]);
        if (!same(y[i], expected)) { /* an assertion that holds takes longer than a function */
            ck_abort_msg("%s of %a in %u lanes: %a, not %a", s->name, x[i], (unsigned)row->lanes,
                         y[i], expected);
        }
    }
}

/* Each function and width that this machine can run. */
static void each(void (*test)(const subject *s, const cns_libm *row)) {
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        for (uint32_t lanes = 4; lanes <= 8; lanes *= 2) {
            const cns_libm *row = cns_libm_find(subjects[i].op, cns_cpu_detect(), lanes);
            if (row) {
                test(&subjects[i], row);
            }
        }
    }
}

static void compare_special(const subject *s, const cns_libm *row) {
    static const double values[] = {0.0,
                                    -0.0,
                                    1.0,
                                    -1.0,
                                    INFINITY,
                                    -INFINITY,
                                    NAN,
                                    708.0,
                                    -708.0,
                                    707.9999,
                                    709.78271289338397,
                                    709.79,
                                    -745.2,
                                    -744.4,
                                    0x1p-1074,
                                    0x1p-1022,
                                    0x1p-1023,
                                    0x1.fp+1023,
                                    0x1p-53,
                                    -0x1p-53,
                                    0x1p-54,
                                    -0x1p-54,
                                    0.6875,
                                    1.375,
                                    0.96875,
                                    0x1.ffffffffffffep-1,
                                    0x1.0000000000001p+0,
                                    1e308,
                                    1e-308,
                                    2.0,
                                    0.5,
                                    10.0};
    size_t count = sizeof values / sizeof *values;
    compare(s, row, values, count);
    for (size_t first = 0; first < count; first++) { /* each in each lane, each length */
        compare(s, row, values + first, count - first);
        compare(s, row, values, first);
    }
}

START_TEST(special_values_are_the_librarys) {
    each(compare_special);
}
END_TEST

static void compare_random(const subject *s, const cns_libm *row) {
    cns_rng rng;
    cns_rng_seed(&rng, 7);
    double x[MANY];
    for (int round = 0; round < 4000; round++) {
        for (size_t i = 0; i < MANY; i++) {
            uint64_t bits = cns_rng_next(&rng);
            double unit = (double)(bits >> 11) * 0x1p-53;
            double scales[] = {0x1p-30, 0x1p-4, 1, 8, 40, 750};
            double around = scales[round % 6] * (2 * unit - 1);
            x[i] = round % 7 == 0            ? of_bits(bits)
                   : s->op == CNS_IR_EXP_F64 ? around
                   : round % 2               ? fabs(around)
                                             : 1 + around / 750;
        }
        compare(s, row, x, MANY);
    }
}

START_TEST(random_values_are_the_librarys) {
    each(compare_random);
}
END_TEST

/* Where the results of vectors are in doubt: exact cases and what lies in the middle. */
static void compare_doubtful(const subject *s, const cns_libm *row) {
    double x[MANY];
    for (size_t i = 0; i < MANY; i++) {
        uint64_t step = i - MANY / 2;
        x[i] = of_bits(bits_of(s->op == CNS_IR_EXP_F64 ? 0x1p-53 : 1.0) + step);
    }
    compare(s, row, x, MANY);
}

START_TEST(doubtful_values_are_the_librarys) {
    each(compare_doubtful);
}
END_TEST

/* Results that lie next to the middle between two doubles: where arguments are denser than results,
 * one is found from the other side, with as many digits as long doubles have. */
static void compare_middles(const subject *s, const cns_libm *row) {
    cns_rng rng;
    cns_rng_seed(&rng, 11);
    double x[MANY];
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < MANY; i++) {
            double unit = (double)(cns_rng_next(&rng) >> 11) * 0x1p-53;
            double near = s->op == CNS_IR_EXP_F64 ? 1 + ldexp(unit, -(int)(i % 32))
                                                  : (i % 2 ? 1 : -1) * (16 + 690 * unit);
            long double middle = ((long double)near + nextafter(near, 1000)) / 2;
            x[i] = (double)(s->op == CNS_IR_EXP_F64 ? logl(middle) : expl(middle));
        }
        compare(s, row, x, MANY);
    }
}

START_TEST(results_near_a_middle_are_the_librarys) {
    each(compare_middles);
}
END_TEST

START_TEST(no_function_without_its_machine) {
    ck_assert_ptr_null(cns_libm_find(CNS_IR_EXP_F64, CNS_CPU_PORTABLE, 0));
    ck_assert_ptr_null(cns_libm_find(CNS_IR_EXP_F64, CNS_CPU_NEON, 0));
    ck_assert_ptr_null(cns_libm_find(CNS_IR_SIN_F64, CNS_CPU_AVX512, 0));
    ck_assert_ptr_null(cns_libm_find(CNS_IR_EXP_F64, CNS_CPU_AVX512, 3));
    const cns_libm *widest = cns_libm_find(CNS_IR_EXP_F64, CNS_CPU_AVX512, 0);
    ck_assert(!widest || widest->lanes == 8);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("libm");
    TCase *all = tcase_create("libm");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, special_values_are_the_librarys);
    tcase_add_test(all, random_values_are_the_librarys);
    tcase_add_test(all, doubtful_values_are_the_librarys);
    tcase_add_test(all, results_near_a_middle_are_the_librarys);
    tcase_add_test(all, no_function_without_its_machine);
    suite_add_tcase(suite, all);
    return support_run(suite);
}
