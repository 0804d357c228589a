/* SPDX-License-Identifier: MIT
 *
 * test_buffer.c - element types, conversions, slices, borrows (also from threads), failures.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/rng.h"
#include "cns/memory.h"
#include "support.h"

static cns_context *context;

static void set_up(void) {
    context = support_context();
}

static void tear_down(void) {
    support_context_destroy(context);
}

static cns_buffer *make(cns_type type, uint64_t count) {
    cns_buffer *buffer = NULL;
    support_status(context, CNS_OK, cns_buffer_create(context, type, count, &buffer));
    support_status(context, CNS_OK, cns_buffer_check(buffer));
    return buffer;
}

static cns_buffer *slice(const cns_buffer *buffer, uint64_t begin, uint64_t count) {
    cns_buffer *out = NULL;
    support_status(context, CNS_OK, cns_buffer_slice(buffer, begin, count, &out));
    return out;
}

static cns_buffer *borrow(const cns_buffer *buffer, cns_access access) {
    cns_buffer *out = NULL;
    support_status(context, CNS_OK, cns_buffer_borrow(buffer, access, &out));
    support_status(context, CNS_OK, cns_buffer_check(out));
    return out;
}

/* ---- types and creation --------------------------------------------------------------------- */

START_TEST(types_have_names_and_sizes) {
    static const size_t sizes[] = {1, 2, 4, 8, 1, 2, 4, 8, 4, 8};
    for (int type = CNS_I8; type <= CNS_F64; type++) {
        cns_type parsed = (cns_type)0;
        ck_assert_uint_eq(cns_type_size((cns_type)type), sizes[type - 1]);
        ck_assert_int_eq(cns_type_parse(cns_type_name((cns_type)type), &parsed), CNS_OK);
        ck_assert_int_eq(parsed, type);
    }
    cns_type untouched = CNS_U8;
    ck_assert_int_eq(cns_type_parse("f16", &untouched), CNS_E_NOTFOUND);
    ck_assert_int_eq(cns_type_parse(NULL, &untouched), CNS_E_INVALID);
    ck_assert_int_eq(untouched, CNS_U8);
    ck_assert_uint_eq(cns_type_size((cns_type)0), 0);
    ck_assert_uint_eq(cns_type_size((cns_type)11), 0);
    ck_assert_uint_eq(cns_type_size((cns_type)-1), 0);
    ck_assert_ptr_null(cns_type_name((cns_type)99));
}
END_TEST

START_TEST(buffers_are_zeroed_and_aligned) {
    static const uint64_t counts[] = {0, 1, 7, 63, 64, 8191, 8192, 8193, 300000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        cns_buffer *buffer = make(CNS_F64, counts[i]);
        ck_assert_uint_eq(cns_buffer_count(buffer), counts[i]);
        ck_assert_uint_eq((uintptr_t)cns_buffer_data(buffer) % 64, 0);
        for (uint64_t k = 0; k < counts[i]; k += 1 + counts[i] / 100) {
            double value = 1;
            support_status(context, CNS_OK, cns_buffer_get_f64(buffer, k, &value));
            ck_assert(value == 0 && !signbit(value));
        }
        cns_buffer_destroy(buffer);
    }
    cns_buffer_destroy(NULL);
}
END_TEST

START_TEST(misuse_is_refused) {
    cns_buffer *buffer = NULL;
    ck_assert_int_eq(cns_buffer_create(context, (cns_type)0, 1, &buffer), CNS_E_INVALID);
    ck_assert_int_eq(cns_buffer_create(context, (cns_type)11, 1, &buffer), CNS_E_INVALID);
    ck_assert_int_eq(cns_buffer_create(context, CNS_U8, 1, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_buffer_create(NULL, CNS_U8, 1, &buffer), CNS_E_INVALID);
    ck_assert_int_eq(cns_buffer_create(context, CNS_U64, UINT64_MAX, &buffer), CNS_E_LIMIT);
    ck_assert_int_eq(cns_buffer_create(context, CNS_U64, UINT64_MAX / 8 + 1, &buffer), CNS_E_LIMIT);
    ck_assert_int_eq(cns_buffer_create(context, CNS_U8, UINT64_MAX / 8, &buffer), CNS_E_NOMEM);
    ck_assert_ptr_null(buffer);
    buffer = make(CNS_I32, 10);
    cns_buffer *view = NULL;
    ck_assert_int_eq(cns_buffer_slice(buffer, 11, 0, &view), CNS_E_RANGE);
    ck_assert_int_eq(cns_buffer_slice(buffer, 5, 6, &view), CNS_E_RANGE);
    ck_assert_int_eq(cns_buffer_slice(buffer, 1, UINT64_MAX, &view), CNS_E_RANGE);
    ck_assert_int_eq(cns_buffer_slice(buffer, UINT64_MAX, 2, &view), CNS_E_RANGE);
    ck_assert_int_eq(cns_buffer_borrow(buffer, (cns_access)0, &view), CNS_E_INVALID);
    ck_assert_int_eq(cns_buffer_borrow(buffer, (cns_access)3, &view), CNS_E_INVALID);
    ck_assert_int_eq(cns_buffer_access(buffer, (cns_access)7), CNS_E_INVALID);
    ck_assert_ptr_null(view);
    int64_t value = 5;
    ck_assert_int_eq(cns_buffer_get_i64(buffer, 10, &value), CNS_E_RANGE);
    ck_assert_int_eq(cns_buffer_get_i64(buffer, UINT64_MAX, &value), CNS_E_RANGE);
    ck_assert_int_eq(cns_buffer_set_i64(buffer, 10, 1), CNS_E_RANGE);
    ck_assert_int_eq(cns_buffer_set_f64(buffer, UINT64_MAX / 4, 1), CNS_E_RANGE);
    ck_assert_int_eq(value, 5);
    cns_buffer_destroy(buffer);
}
END_TEST

START_TEST(the_limit_of_the_context_holds) {
    cns_context_set_memory_limit(context, 1 << 20);
    cns_buffer *buffer = NULL;
    support_status(context, CNS_E_LIMIT, cns_buffer_create(context, CNS_U8, 1 << 20, &buffer));
    support_status(context, CNS_OK, cns_buffer_create(context, CNS_U8, 1 << 19, &buffer));
    cns_buffer_destroy(buffer);
}
END_TEST

START_TEST(a_large_buffer_costs_nothing_until_touched) {
    cns_buffer *buffer = make(CNS_F64, UINT64_C(1) << 27);
    support_status(context, CNS_OK, cns_buffer_set_f64(buffer, (1 << 27) - 1, 1.5));
    double value = 0;
    support_status(context, CNS_OK, cns_buffer_get_f64(buffer, (1 << 27) - 1, &value));
    ck_assert_double_eq(value, 1.5);
    cns_buffer_destroy(buffer);
}
END_TEST

/* ---- conversions ---------------------------------------------------------------------------- */

typedef struct integer_case {
    cns_type type;
    int64_t low;
    int64_t high;
} integer_case;

static const integer_case integer_cases[] = {
    {CNS_I8, INT8_MIN, INT8_MAX},    {CNS_I16, INT16_MIN, INT16_MAX},
    {CNS_I32, INT32_MIN, INT32_MAX}, {CNS_I64, INT64_MIN, INT64_MAX},
    {CNS_U8, 0, UINT8_MAX},          {CNS_U16, 0, UINT16_MAX},
    {CNS_U32, 0, UINT32_MAX},        {CNS_U64, 0, INT64_MAX},
};

static void expect_integer(cns_buffer *buffer, int64_t value, bool fits) {
    int64_t back = 0;
    support_status(context, CNS_OK, cns_buffer_set_i64(buffer, 0, 1));
    support_status(context, fits ? CNS_OK : CNS_E_RANGE, cns_buffer_set_i64(buffer, 0, value));
    support_status(context, CNS_OK, cns_buffer_get_i64(buffer, 0, &back));
    ck_assert_int_eq(back, fits ? value : 1);
    support_status(context, fits ? CNS_OK : CNS_E_RANGE, cns_buffer_fill_i64(buffer, value));
}

START_TEST(integers_fit_exactly_or_not_at_all) {
    for (size_t i = 0; i < sizeof integer_cases / sizeof *integer_cases; i++) {
        const integer_case *c = &integer_cases[i];
        cns_buffer *buffer = make(c->type, 3);
        expect_integer(buffer, c->low, true);
        expect_integer(buffer, c->high, true);
        expect_integer(buffer, 0, true);
        if (c->low > INT64_MIN) {
            expect_integer(buffer, c->low - 1, false);
            expect_integer(buffer, INT64_MIN, false);
        }
        if (c->high < INT64_MAX) {
            expect_integer(buffer, c->high + 1, false);
            expect_integer(buffer, INT64_MAX, false);
        }
        cns_buffer_destroy(buffer);
    }
}
END_TEST

static void expect_set_f64(cns_buffer *buffer, double value, cns_status expected) {
    support_status(context, expected, cns_buffer_set_f64(buffer, 0, value));
    support_status(context, expected, cns_buffer_fill_f64(buffer, value));
    if (expected == CNS_OK) {
        double back = 0;
        support_status(context, CNS_OK, cns_buffer_get_f64(buffer, 0, &back));
        ck_assert(back == value || (isnan(back) && isnan(value)));
    }
}

START_TEST(floats_go_to_integers_only_when_integral) {
    for (size_t i = 0; i < sizeof integer_cases / sizeof *integer_cases; i++) {
        const integer_case *c = &integer_cases[i];
        cns_buffer *buffer = make(c->type, 1);
        expect_set_f64(buffer, 0.0, CNS_OK);
        expect_set_f64(buffer, -0.0, CNS_OK);
        expect_set_f64(buffer, 100.0, CNS_OK);
        expect_set_f64(buffer, -1.0, c->low ? CNS_OK : CNS_E_RANGE);
        expect_set_f64(buffer, 0.5, CNS_E_RANGE);
        expect_set_f64(buffer, -0.5, CNS_E_RANGE);
        expect_set_f64(buffer, DBL_TRUE_MIN, CNS_E_RANGE);
        expect_set_f64(buffer, NAN, CNS_E_RANGE);
        expect_set_f64(buffer, INFINITY, CNS_E_RANGE);
        expect_set_f64(buffer, -INFINITY, CNS_E_RANGE);
        expect_set_f64(buffer, 1e300, CNS_E_RANGE);
        expect_set_f64(buffer, -1e300, CNS_E_RANGE);
        cns_buffer_destroy(buffer);
    }
}
END_TEST

START_TEST(the_edges_of_64_bits) {
    cns_buffer *signed_one = make(CNS_I64, 1);
    expect_set_f64(signed_one, 0x1p63, CNS_E_RANGE);
    expect_set_f64(signed_one, -0x1p63, CNS_OK);
    expect_set_f64(signed_one, nextafter(0x1p63, 0), CNS_OK);
    expect_set_f64(signed_one, nextafter(-0x1p63, -INFINITY), CNS_E_RANGE);
    double real = 0;
    support_status(context, CNS_OK, cns_buffer_set_i64(signed_one, 0, INT64_MAX));
    support_status(context, CNS_E_RANGE, cns_buffer_get_f64(signed_one, 0, &real));
    support_status(context, CNS_OK, cns_buffer_set_i64(signed_one, 0, (INT64_C(1) << 53) + 1));
    support_status(context, CNS_E_RANGE, cns_buffer_get_f64(signed_one, 0, &real));
    ck_assert_double_eq(real, 0);
    cns_buffer_destroy(signed_one);

    cns_buffer *unsigned_one = make(CNS_U64, 1);
    int64_t integer = 3;
    expect_set_f64(unsigned_one, 0x1p64, CNS_E_RANGE);
    expect_set_f64(unsigned_one, nextafter(0x1p64, 0), CNS_OK);
    expect_set_f64(unsigned_one, 0x1p63, CNS_OK);
    support_status(context, CNS_E_RANGE, cns_buffer_get_i64(unsigned_one, 0, &integer));
    ck_assert_int_eq(integer, 3);
    *(uint64_t *)cns_buffer_data(unsigned_one) = UINT64_MAX;
    support_status(context, CNS_E_RANGE, cns_buffer_get_f64(unsigned_one, 0, &real));
    cns_buffer_destroy(unsigned_one);
}
END_TEST

START_TEST(integers_in_floats) {
    cns_buffer *wide = make(CNS_F64, 1);
    expect_integer(wide, INT64_C(1) << 53, true);
    expect_integer(wide, (INT64_C(1) << 53) + 1, false);
    expect_integer(wide, INT64_MIN, true);
    expect_integer(wide, INT64_MAX, false);
    cns_buffer_destroy(wide);
    cns_buffer *narrow = make(CNS_F32, 1);
    expect_integer(narrow, 1 << 24, true);
    expect_integer(narrow, (1 << 24) + 1, false);
    expect_integer(narrow, INT64_MIN, true);
    expect_integer(narrow, INT64_MAX, false);
    int64_t integer = 0;
    support_status(context, CNS_OK, cns_buffer_set_f64(narrow, 0, 0.5));
    support_status(context, CNS_E_RANGE, cns_buffer_get_i64(narrow, 0, &integer));
    support_status(context, CNS_OK, cns_buffer_set_f64(narrow, 0, INFINITY));
    support_status(context, CNS_E_RANGE, cns_buffer_get_i64(narrow, 0, &integer));
    cns_buffer_destroy(narrow);
}
END_TEST

START_TEST(f32_rounds_as_a_cast_does) {
    static const double values[] = {
        0.1, 1e-46, 1e-45, 3.4028235677973366e38, 1e39, -1e300, INFINITY, -0.0, 0x1.01p24, DBL_MIN};
    cns_buffer *buffer = make(CNS_F32, 1);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        volatile float expected = (float)values[i];
        double got = 0;
        support_status(context, CNS_OK, cns_buffer_set_f64(buffer, 0, values[i]));
        support_status(context, CNS_OK, cns_buffer_get_f64(buffer, 0, &got));
        ck_assert(got == (double)expected && !signbit(got) == !signbit(expected));
    }
    support_status(context, CNS_OK, cns_buffer_set_f64(buffer, 0, NAN));
    double got = 0;
    support_status(context, CNS_OK, cns_buffer_get_f64(buffer, 0, &got));
    ck_assert(isnan(got));
    cns_buffer_destroy(buffer);
}
END_TEST

/* ---- ranges --------------------------------------------------------------------------------- */

START_TEST(slices_share) {
    cns_buffer *whole = make(CNS_U16, 100);
    cns_buffer *part = slice(whole, 10, 20);
    cns_buffer *inner = slice(part, 5, 5);
    cns_buffer *empty = slice(inner, 5, 0);
    cns_buffer_destroy(part);
    support_status(context, CNS_OK, cns_buffer_fill_i64(inner, 7));
    support_status(context, CNS_OK, cns_buffer_fill_i64(empty, 9));
    for (uint64_t i = 0; i < 100; i++) {
        int64_t value = -1;
        support_status(context, CNS_OK, cns_buffer_get_i64(whole, i, &value));
        ck_assert_int_eq(value, i >= 15 && i < 20 ? 7 : 0);
    }
    cns_buffer_destroy(whole);
    int64_t value = -1;
    support_status(context, CNS_OK, cns_buffer_get_i64(inner, 4, &value));
    ck_assert_int_eq(value, 7);
    cns_buffer_destroy(empty);
    cns_buffer_destroy(inner);
}
END_TEST

START_TEST(fill_reaches_every_element) {
    static const uint64_t counts[] = {0, 1, 2, 3, 1023, 4096, 4097, 50001};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        cns_buffer *buffer = make(CNS_I32, counts[i] + 2);
        cns_buffer *middle = slice(buffer, 1, counts[i]);
        support_status(context, CNS_OK, cns_buffer_fill_i64(middle, -123456));
        const int32_t *data = cns_buffer_data(buffer);
        ck_assert_int_eq(data[0], 0);
        ck_assert_int_eq(data[counts[i] + 1], 0);
        for (uint64_t k = 1; k <= counts[i]; k++) {
            ck_assert_int_eq(data[k], -123456);
        }
        cns_buffer_destroy(middle);
        cns_buffer_destroy(buffer);
    }
}
END_TEST

START_TEST(copy_handles_overlap_and_refuses_the_rest) {
    cns_buffer *buffer = make(CNS_I64, 10);
    for (uint64_t i = 0; i < 10; i++) {
        support_status(context, CNS_OK, cns_buffer_set_i64(buffer, i, (int64_t)i));
    }
    cns_buffer *source = slice(buffer, 0, 8);
    support_status(context, CNS_OK, cns_buffer_copy(buffer, 2, source));
    static const int64_t expected[] = {0, 1, 0, 1, 2, 3, 4, 5, 6, 7};
    ck_assert_mem_eq(cns_buffer_data(buffer), expected, sizeof expected);
    support_status(context, CNS_E_RANGE, cns_buffer_copy(buffer, 3, source));
    support_status(context, CNS_E_RANGE, cns_buffer_copy(buffer, UINT64_MAX, source));
    cns_buffer *other = make(CNS_F64, 4);
    support_status(context, CNS_E_INVALID, cns_buffer_copy(buffer, 0, other));
    cns_buffer_destroy(other);
    cns_buffer_destroy(source);
    cns_buffer_destroy(buffer);
}
END_TEST

/* ---- borrows -------------------------------------------------------------------------------- */

START_TEST(lending_locks_the_lender_out) {
    cns_buffer *buffer = make(CNS_F64, 100);
    cns_buffer *left = slice(buffer, 0, 50);
    cns_buffer *right = slice(buffer, 50, 50);
    cns_buffer *reader = borrow(left, CNS_ACCESS_READ);
    ck_assert_int_eq(cns_buffer_borrowed(buffer), 0);
    ck_assert_int_eq(cns_buffer_borrowed(reader), CNS_ACCESS_READ);
    support_status(context, CNS_OK, cns_buffer_access(buffer, CNS_ACCESS_READ));
    support_status(context, CNS_E_BUSY, cns_buffer_access(buffer, CNS_ACCESS_WRITE));
    support_status(context, CNS_OK, cns_buffer_access(right, CNS_ACCESS_WRITE));
    support_status(context, CNS_E_BUSY, cns_buffer_set_f64(buffer, 49, 1));
    support_status(context, CNS_OK, cns_buffer_set_f64(buffer, 50, 1));
    support_status(context, CNS_E_BUSY, cns_buffer_set_f64(reader, 0, 1));
    support_status(context, CNS_E_BUSY, cns_buffer_fill_f64(buffer, 1));
    support_status(context, CNS_E_BUSY, cns_buffer_copy(left, 0, right));
    support_status(context, CNS_OK, cns_buffer_copy(right, 0, left));

    cns_buffer *refused = NULL;
    support_status(context, CNS_E_BUSY, cns_buffer_borrow(buffer, CNS_ACCESS_WRITE, &refused));
    support_status(context, CNS_E_BUSY, cns_buffer_borrow(reader, CNS_ACCESS_WRITE, &refused));
    ck_assert_ptr_null(refused);
    cns_buffer *writer = borrow(right, CNS_ACCESS_WRITE);
    cns_buffer *second = borrow(left, CNS_ACCESS_READ);
    support_status(context, CNS_E_BUSY, cns_buffer_borrow(buffer, CNS_ACCESS_READ, &refused));
    support_status(context, CNS_E_BUSY, cns_buffer_access(right, CNS_ACCESS_READ));
    support_status(context, CNS_OK, cns_buffer_access(writer, CNS_ACCESS_READ));
    support_status(context, CNS_OK, cns_buffer_set_f64(writer, 0, 2));
    double value = 0;
    support_status(context, CNS_E_BUSY, cns_buffer_get_f64(buffer, 50, &value));
    support_status(context, CNS_OK, cns_buffer_get_f64(buffer, 49, &value));
    cns_buffer_destroy(writer);
    support_status(context, CNS_OK, cns_buffer_get_f64(buffer, 50, &value));
    ck_assert_double_eq(value, 2);
    cns_buffer_destroy(reader);
    support_status(context, CNS_E_BUSY, cns_buffer_set_f64(left, 0, 1));
    cns_buffer_destroy(second);
    support_status(context, CNS_OK, cns_buffer_access(buffer, CNS_ACCESS_WRITE));
    cns_buffer_destroy(right);
    cns_buffer_destroy(left);
    cns_buffer_destroy(buffer);
}
END_TEST

START_TEST(slices_of_a_borrow_keep_it) {
    cns_buffer *buffer = make(CNS_U8, 64);
    cns_buffer *writer = borrow(buffer, CNS_ACCESS_WRITE);
    cns_buffer *part = slice(writer, 32, 8);
    cns_buffer_destroy(writer);
    ck_assert_int_eq(cns_buffer_borrowed(part), CNS_ACCESS_WRITE);
    support_status(context, CNS_OK, cns_buffer_fill_i64(part, 5));
    support_status(context, CNS_E_BUSY, cns_buffer_set_i64(buffer, 0, 1));
    cns_buffer_destroy(part);
    support_status(context, CNS_OK, cns_buffer_set_i64(buffer, 0, 1));
    cns_buffer_destroy(buffer);
}
END_TEST

START_TEST(a_borrower_may_lend_on) {
    cns_buffer *buffer = make(CNS_I32, 100);
    cns_buffer *writer = borrow(buffer, CNS_ACCESS_WRITE);
    cns_buffer *half = slice(writer, 0, 50);
    cns_buffer *inner = borrow(half, CNS_ACCESS_WRITE);
    cns_buffer *rest = slice(writer, 50, 50);
    cns_buffer *reader = borrow(rest, CNS_ACCESS_READ);
    support_status(context, CNS_OK, cns_buffer_set_i64(inner, 0, 4));
    support_status(context, CNS_E_BUSY, cns_buffer_set_i64(writer, 0, 1));
    support_status(context, CNS_E_BUSY, cns_buffer_set_i64(writer, 50, 1));
    int64_t value = 0;
    support_status(context, CNS_OK, cns_buffer_get_i64(writer, 50, &value));
    /* The outer borrows end first; the inner one keeps the range. */
    cns_buffer_destroy(half);
    cns_buffer_destroy(rest);
    cns_buffer_destroy(writer);
    support_status(context, CNS_OK, cns_buffer_set_i64(inner, 1, 5));
    support_status(context, CNS_E_BUSY, cns_buffer_set_i64(buffer, 99, 1));
    cns_buffer_destroy(buffer);
    support_status(context, CNS_OK, cns_buffer_check(inner));
    cns_buffer_destroy(reader);
    cns_buffer_destroy(inner);
}
END_TEST

START_TEST(an_empty_range_disturbs_nobody) {
    cns_buffer *buffer = make(CNS_I32, 4);
    cns_buffer *none = slice(buffer, 2, 0);
    cns_buffer *writer = borrow(buffer, CNS_ACCESS_WRITE);
    cns_buffer *also = borrow(none, CNS_ACCESS_WRITE);
    support_status(context, CNS_OK, cns_buffer_access(none, CNS_ACCESS_WRITE));
    cns_buffer_destroy(also);
    cns_buffer_destroy(writer);
    cns_buffer_destroy(none);
    cns_buffer_destroy(buffer);
}
END_TEST

/* Random borrows against a plain model: a count of readers and writers for each element. */
enum { MODEL_SIZE = 40, MODEL_BORROWS = 12, MODEL_STEPS = 200000 };

typedef struct model_borrow {
    cns_buffer *view;
    uint64_t begin;
    uint64_t end;
    cns_access access;
} model_borrow;

static bool model_allows(const model_borrow *held, uint64_t begin, uint64_t end,
                         cns_access access) {
    for (int i = 0; i < MODEL_BORROWS; i++) {
        bool writes = access == CNS_ACCESS_WRITE || held[i].access == CNS_ACCESS_WRITE;
        for (uint64_t k = begin; held[i].view && writes && k < end; k++) {
            if (k >= held[i].begin && k < held[i].end) {
                return false;
            }
        }
    }
    return true;
}

START_TEST(random_borrows_follow_the_model) {
    model_borrow held[MODEL_BORROWS] = {{0}};
    cns_rng rng;
    cns_rng_seed(&rng, 2024);
    cns_buffer *buffer = make(CNS_I16, MODEL_SIZE);
    for (int step = 0; step < MODEL_STEPS; step++) {
        model_borrow *slot = &held[cns_rng_below(&rng, MODEL_BORROWS)];
        uint64_t begin = cns_rng_below(&rng, MODEL_SIZE);
        uint64_t end = begin + cns_rng_below(&rng, MODEL_SIZE - begin + 1) / 2;
        cns_access access = cns_rng_below(&rng, 3) ? CNS_ACCESS_READ : CNS_ACCESS_WRITE;
        cns_buffer *view = slice(buffer, begin, end - begin);
        cns_status expected = model_allows(held, begin, end, access) ? CNS_OK : CNS_E_BUSY;
        ck_assert_int_eq(cns_buffer_access(view, access), expected);
        if (slot->view) {
            cns_buffer_destroy(slot->view);
            slot->view = NULL;
        } else {
            cns_status status = cns_buffer_borrow(view, access, &slot->view);
            ck_assert_int_eq(status, expected);
            *slot = (model_borrow){slot->view, begin, end, access};
        }
        cns_buffer_destroy(view);
    }
    support_status(context, CNS_OK, cns_buffer_check(buffer));
    for (int i = 0; i < MODEL_BORROWS; i++) {
        cns_buffer_destroy(held[i].view);
    }
    cns_buffer_destroy(buffer);
}
END_TEST

/* ---- threads -------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 3000, SHARED_COUNT = 64 };

typedef struct contender {
    cns_os_thread thread;
    const cns_buffer *buffer;
    _Atomic int *ready;
    uint64_t seed;
    uint64_t written; /* additions this thread made, to be found in the buffer at the end */
    uint64_t refused;
} contender;

/* Adds 1 to each element of a range while it holds the range for writing, or reads it through a
 * read borrow. The thread sanitizer sees to it that no two accesses race. */
static void contend(void *raw) {
    contender *self = raw;
    cns_rng rng;
    cns_rng_seed(&rng, self->seed);
    atomic_fetch_add(self->ready, 1);
    while (atomic_load(self->ready) < THREADS) {
        cns_os_thread_yield();
    }
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = cns_rng_below(&rng, SHARED_COUNT);
        uint64_t count = 1 + cns_rng_below(&rng, SHARED_COUNT - begin);
        cns_access access = round % 2 ? CNS_ACCESS_WRITE : CNS_ACCESS_READ;
        cns_buffer *view = NULL;
        cns_buffer *lent = NULL;
        if (cns_buffer_slice(self->buffer, begin, count, &view) != CNS_OK) {
            abort();
        }
        if (cns_buffer_borrow(view, access, &lent) == CNS_OK) {
            uint64_t *data = cns_buffer_data(lent);
            uint64_t sum = 0;
            for (uint64_t i = 0; i < count; i++) {
                sum += access == CNS_ACCESS_WRITE ? ++data[i] : data[i];
            }
            self->written += access == CNS_ACCESS_WRITE && sum ? count : 0;
        } else {
            self->refused++;
        }
        cns_buffer_destroy(view);
        cns_buffer_destroy(lent);
    }
}

START_TEST(borrows_keep_threads_apart) {
    contender threads[THREADS] = {0};
    _Atomic int ready = 0;
    cns_buffer *buffer = make(CNS_U64, SHARED_COUNT);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = (contender){.buffer = buffer, .ready = &ready, .seed = (uint64_t)i};
        ck_assert_int_eq(
            cns_os_thread_create(&threads[i].thread, contend, &threads[i], "contend", 0), 0);
    }
    uint64_t written = 0;
    for (int i = 0; i < THREADS; i++) {
        cns_os_thread_join(&threads[i].thread);
        written += threads[i].written;
    }
    support_status(context, CNS_OK, cns_buffer_access(buffer, CNS_ACCESS_WRITE));
    uint64_t sum = 0;
    for (uint64_t i = 0; i < SHARED_COUNT; i++) {
        sum += ((uint64_t *)cns_buffer_data(buffer))[i];
    }
    ck_assert_uint_gt(written, 0);
    ck_assert_uint_eq(sum, written);
    cns_buffer_destroy(buffer);
}
END_TEST

typedef struct handover {
    cns_buffer *lent;
} handover;

static void write_and_give_back(void *raw) {
    handover *self = raw;
    uint64_t *data = cns_buffer_data(self->lent);
    for (uint64_t i = 0; i < cns_buffer_count(self->lent); i++) {
        data[i] = i + 1;
    }
    cns_buffer_destroy(self->lent);
}

/* The end of a borrow publishes what the borrower wrote: the lender needs no join to read it. */
START_TEST(the_end_of_a_borrow_publishes) {
    for (int round = 0; round < 200; round++) {
        cns_buffer *buffer = make(CNS_U64, 32);
        handover work = {borrow(buffer, CNS_ACCESS_WRITE)};
        cns_os_thread thread;
        ck_assert_int_eq(cns_os_thread_create(&thread, write_and_give_back, &work, NULL, 0), 0);
        int64_t value = 0;
        while (cns_buffer_get_i64(buffer, 31, &value) == CNS_E_BUSY) {
            cns_os_thread_yield();
        }
        ck_assert_int_eq(value, 32);
        ck_assert_uint_eq(*(uint64_t *)cns_buffer_data(buffer), 1);
        cns_os_thread_join(&thread);
        cns_buffer_destroy(buffer);
    }
}
END_TEST

/* ---- failing memory ------------------------------------------------------------------------- */

static cns_status create_slice_borrow(cns_context *failing) {
    cns_buffer *buffer = NULL;
    cns_buffer *part = NULL;
    cns_buffer *lent = NULL;
    cns_status status = cns_buffer_create(failing, CNS_F64, 100000, &buffer);
    if (status == CNS_OK) {
        status = cns_buffer_slice(buffer, 1, 10, &part);
    }
    if (status == CNS_OK) {
        status = cns_buffer_borrow(part, CNS_ACCESS_WRITE, &lent);
        ck_assert_int_eq(cns_buffer_access(part, CNS_ACCESS_WRITE),
                         status == CNS_OK ? CNS_E_BUSY : CNS_OK);
    }
    cns_buffer_destroy(buffer);
    cns_buffer_destroy(part);
    cns_buffer_destroy(lent);
    return status;
}

START_TEST(failing_allocations_leave_nothing) {
    support_each_allocation_fails(create_slice_borrow);
}
END_TEST

/* A host's allocator gives no zeroed pages. */
START_TEST(a_hosts_memory_is_zeroed_too) {
    support_failing counting = {.countdown = -1};
    cns_context *hosted = support_failing_context(&counting);
    for (int round = 0; round < 3; round++) {
        cns_buffer *buffer = NULL;
        support_status(hosted, CNS_OK, cns_buffer_create(hosted, CNS_U8, 100001, &buffer));
        const uint8_t *data = cns_buffer_data(buffer);
        for (size_t i = 0; i < 100001; i++) {
            ck_assert_uint_eq(data[i], 0);
        }
        support_status(hosted, CNS_OK, cns_buffer_fill_i64(buffer, 255));
        cns_buffer_destroy(buffer);
    }
    support_context_destroy(hosted);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("buffer");
    TCase *cases = tcase_create("buffer");
    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, types_have_names_and_sizes);
    tcase_add_test(cases, buffers_are_zeroed_and_aligned);
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_test(cases, the_limit_of_the_context_holds);
    tcase_add_test(cases, a_large_buffer_costs_nothing_until_touched);
    tcase_add_test(cases, integers_fit_exactly_or_not_at_all);
    tcase_add_test(cases, floats_go_to_integers_only_when_integral);
    tcase_add_test(cases, the_edges_of_64_bits);
    tcase_add_test(cases, integers_in_floats);
    tcase_add_test(cases, f32_rounds_as_a_cast_does);
    tcase_add_test(cases, slices_share);
    tcase_add_test(cases, fill_reaches_every_element);
    tcase_add_test(cases, copy_handles_overlap_and_refuses_the_rest);
    tcase_add_test(cases, lending_locks_the_lender_out);
    tcase_add_test(cases, slices_of_a_borrow_keep_it);
    tcase_add_test(cases, a_borrower_may_lend_on);
    tcase_add_test(cases, an_empty_range_disturbs_nobody);
    tcase_add_test(cases, random_borrows_follow_the_model);
    tcase_add_test(cases, borrows_keep_threads_apart);
    tcase_add_test(cases, the_end_of_a_borrow_publishes);
    tcase_add_test(cases, failing_allocations_leave_nothing);
    tcase_add_test(cases, a_hosts_memory_is_zeroed_too);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
