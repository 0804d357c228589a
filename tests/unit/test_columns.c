/* SPDX-License-Identifier: MIT
 *
 * test_columns.c - tables of columns: fields, rows against a model, views, failures.
 */
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "cns/memory.h"
#include "support.h"

static cns_context *context;

static const cns_field mixed_fields[] = {
    {.name = "flag", .type = CNS_U8},
    {.name = "weight", .type = CNS_F64},
    {.name = "id", .type = CNS_I32},
    {.name = "mark", .type = CNS_I16},
};
enum { FLAG, WEIGHT, ID, MARK, FIELDS };

static void set_up(void) {
    context = support_context();
}

static void tear_down(void) {
    support_context_destroy(context);
}

static cns_columns *make(uint64_t capacity) {
    cns_columns *columns = NULL;
    support_status(context, CNS_OK,
                   cns_columns_create(context, mixed_fields, FIELDS, capacity, &columns));
    support_status(context, CNS_OK, cns_columns_check(columns));
    return columns;
}

static int64_t get(const cns_columns *columns, uint32_t field, uint64_t row) {
    int64_t value = 0;
    support_status(context, CNS_OK, cns_columns_get_i64(columns, field, row, &value));
    return value;
}

START_TEST(fields_are_checked) {
    cns_columns *columns = NULL;
    char long_name[65];
    memset(long_name, 'x', 64);
    long_name[64] = '\0';
    cns_field bad[] = {{.name = "a", .type = CNS_F32}, {.name = "a", .type = CNS_F32}};
    ck_assert_int_eq(cns_columns_create(context, bad, 2, 0, &columns), CNS_E_INVALID);
    ck_assert_int_eq(cns_columns_create(context, bad, 0, 0, &columns), CNS_E_INVALID);
    ck_assert_int_eq(cns_columns_create(context, bad, 257, 0, &columns), CNS_E_INVALID);
    ck_assert_int_eq(cns_columns_create(context, NULL, 1, 0, &columns), CNS_E_INVALID);
    ck_assert_int_eq(cns_columns_create(context, bad, 1, 0, NULL), CNS_E_INVALID);
    bad[1].name = "";
    ck_assert_int_eq(cns_columns_create(context, bad, 2, 0, &columns), CNS_E_INVALID);
    bad[1].name = NULL;
    ck_assert_int_eq(cns_columns_create(context, bad, 2, 0, &columns), CNS_E_INVALID);
    bad[1].name = long_name;
    ck_assert_int_eq(cns_columns_create(context, bad, 2, 0, &columns), CNS_E_INVALID);
    long_name[63] = '\0';
    bad[1].type = (cns_type)0;
    ck_assert_int_eq(cns_columns_create(context, bad, 2, 0, &columns), CNS_E_INVALID);
    bad[1].type = CNS_U64;
    ck_assert_int_eq(cns_columns_create(context, bad, 2, UINT64_MAX, &columns), CNS_E_LIMIT);
    ck_assert_int_eq(cns_columns_create(context, bad, 2, UINT64_MAX - 64, &columns), CNS_E_LIMIT);
    ck_assert_int_eq(cns_columns_create(context, bad, 2, UINT64_MAX / 12, &columns), CNS_E_LIMIT);
    ck_assert_ptr_null(columns);
    support_status(context, CNS_OK, cns_columns_create(context, bad, 2, 0, &columns));
    uint32_t field = 9;
    support_status(context, CNS_OK, cns_columns_find(columns, long_name, &field));
    ck_assert_uint_eq(field, 1);
    support_status(context, CNS_E_NOTFOUND, cns_columns_find(columns, "b", &field));
    support_status(context, CNS_E_NOTFOUND, cns_columns_find(columns, NULL, &field));
    ck_assert_uint_eq(cns_columns_field_count(columns), 2);
    ck_assert_str_eq(cns_columns_field_name(columns, 0), "a");
    ck_assert_ptr_null(cns_columns_field_name(columns, 2));
    ck_assert_int_eq(cns_columns_field_type(columns, 1), CNS_U64);
    ck_assert_int_eq(cns_columns_field_type(columns, 2), 0);
    cns_columns_destroy(columns);
    cns_columns_destroy(NULL);
}
END_TEST

START_TEST(the_most_fields) {
    static char names[256][16];
    cns_field fields[256];
    for (int i = 0; i < 256; i++) {
        snprintf(names[i], sizeof names[i], "f%d", i);
        fields[i] = (cns_field){.name = names[i], .type = (cns_type)(1 + i % 10)};
    }
    cns_columns *columns = NULL;
    support_status(context, CNS_OK, cns_columns_create(context, fields, 256, 0, &columns));
    support_status(context, CNS_OK, cns_columns_append(columns, 1000, NULL));
    for (uint32_t i = 0; i < 256; i++) {
        ck_assert_uint_eq((uintptr_t)cns_columns_data(columns, i) % 64, 0);
        support_status(context, CNS_OK, cns_columns_set_i64(columns, i, 999, i % 128));
    }
    support_status(context, CNS_OK, cns_columns_append(columns, 10000, NULL));
    for (uint32_t i = 0; i < 256; i++) {
        ck_assert_int_eq(get(columns, i, 999), i % 128);
        ck_assert_int_eq(get(columns, i, 1000), 0);
    }
    support_status(context, CNS_OK, cns_columns_check(columns));
    cns_columns_destroy(columns);
}
END_TEST

START_TEST(misuse_is_refused) {
    cns_columns *columns = make(0);
    uint64_t first = 77;
    int64_t integer = 7;
    double real = 7;
    cns_buffer *view = NULL;
    support_status(context, CNS_E_RANGE, cns_columns_get_i64(columns, ID, 0, &integer));
    support_status(context, CNS_OK, cns_columns_append(columns, 2, &first));
    ck_assert_uint_eq(first, 0);
    support_status(context, CNS_E_RANGE, cns_columns_get_i64(columns, FIELDS, 0, &integer));
    support_status(context, CNS_E_RANGE, cns_columns_get_f64(columns, ID, 2, &real));
    support_status(context, CNS_E_RANGE, cns_columns_set_f64(columns, FIELDS, 0, 1));
    support_status(context, CNS_E_RANGE, cns_columns_set_i64(columns, ID, UINT64_MAX, 1));
    support_status(context, CNS_E_RANGE, cns_columns_set_i64(columns, FLAG, 0, 256));
    support_status(context, CNS_E_RANGE, cns_columns_set_f64(columns, FLAG, 0, 0.5));
    support_status(context, CNS_E_RANGE, cns_columns_view(columns, FIELDS, &view));
    support_status(context, CNS_E_RANGE, cns_columns_remove(columns, 2));
    support_status(context, CNS_E_LIMIT, cns_columns_append(columns, UINT64_MAX, &first));
    support_status(context, CNS_E_LIMIT, cns_columns_append(columns, UINT64_MAX - 2, &first));
    support_status(context, CNS_E_LIMIT, cns_columns_append(columns, UINT64_MAX / 16, &first));
    support_status(context, CNS_OK, cns_columns_set_f64(columns, WEIGHT, 0, 0.5));
    support_status(context, CNS_E_RANGE, cns_columns_get_i64(columns, WEIGHT, 0, &integer));
    ck_assert_ptr_null(cns_columns_data(columns, FIELDS));
    ck_assert_int_eq(integer, 7);
    ck_assert_uint_eq(cns_columns_count(columns), 2);
    support_status(context, CNS_OK, cns_columns_check(columns));
    cns_columns_destroy(columns);
}
END_TEST

START_TEST(views_pin_the_table) {
    cns_columns *columns = make(0);
    support_status(context, CNS_OK, cns_columns_append(columns, 10, NULL));
    support_status(context, CNS_OK, cns_columns_set_i64(columns, ID, 3, -42));
    cns_buffer *ids = NULL;
    support_status(context, CNS_OK, cns_columns_view(columns, ID, &ids));
    ck_assert_uint_eq(cns_buffer_count(ids), 10);
    ck_assert_int_eq(cns_buffer_type(ids), CNS_I32);
    ck_assert_ptr_eq(cns_buffer_data(ids), cns_columns_data(columns, ID));
    int64_t value = 0;
    support_status(context, CNS_OK, cns_buffer_get_i64(ids, 3, &value));
    ck_assert_int_eq(value, -42);
    support_status(context, CNS_E_BUSY, cns_columns_remove(columns, 0));
    support_status(context, CNS_E_BUSY, cns_columns_clear(columns));
    support_status(context, CNS_E_BUSY, cns_columns_append(columns, 1000, NULL));
    support_status(context, CNS_OK, cns_columns_append(columns, 54, NULL)); /* room for 64 */
    ck_assert_uint_eq(cns_columns_count(columns), 64);
    ck_assert_uint_eq(cns_buffer_count(ids), 10);

    cns_buffer *writer = NULL;
    support_status(context, CNS_OK, cns_buffer_borrow(ids, CNS_ACCESS_WRITE, &writer));
    support_status(context, CNS_E_BUSY, cns_columns_get_i64(columns, ID, 9, &value));
    support_status(context, CNS_E_BUSY, cns_columns_set_i64(columns, ID, 9, 1));
    support_status(context, CNS_OK, cns_columns_set_i64(columns, ID, 10, 1));
    support_status(context, CNS_OK, cns_columns_set_i64(columns, FLAG, 9, 1));
    support_status(context, CNS_OK, cns_columns_set_i64(columns, MARK, 0, 1));
    cns_buffer_destroy(ids);
    support_status(context, CNS_E_BUSY, cns_columns_clear(columns));
    cns_columns_destroy(columns); /* the view outlives its table */
    support_status(context, CNS_OK, cns_buffer_get_i64(writer, 3, &value));
    ck_assert_int_eq(value, -42);
    cns_buffer_destroy(writer);
}
END_TEST

/* ---- against an array of structs ------------------------------------------------------------ */

enum { MODEL_ROWS = 3000, MODEL_STEPS = 200000 };

typedef struct record {
    uint8_t flag;
    double weight;
    int32_t id;
    int16_t mark;
} record;

static void set_row(cns_columns *columns, record *model, uint64_t row, uint64_t random) {
    record fresh = {(uint8_t)random, (double)(random >> 20) / 7, (int32_t)(random >> 8),
                    (int16_t)(random >> 40)};
    model[row] = fresh;
    support_status(context, CNS_OK, cns_columns_set_i64(columns, FLAG, row, fresh.flag));
    support_status(context, CNS_OK, cns_columns_set_f64(columns, WEIGHT, row, fresh.weight));
    support_status(context, CNS_OK, cns_columns_set_f64(columns, ID, row, fresh.id));
    support_status(context, CNS_OK, cns_columns_set_i64(columns, MARK, row, fresh.mark));
}

static void expect_row(const cns_columns *columns, const record *model, uint64_t row) {
    double weight = 0;
    support_status(context, CNS_OK, cns_columns_get_f64(columns, WEIGHT, row, &weight));
    ck_assert(weight == model[row].weight);
    ck_assert_int_eq(get(columns, FLAG, row), model[row].flag);
    ck_assert_int_eq(get(columns, ID, row), model[row].id);
    ck_assert_int_eq(get(columns, MARK, row), model[row].mark);
}

START_TEST(random_rows_follow_the_model) {
    static record model[MODEL_ROWS];
    uint64_t count = 0;
    cns_rng rng;
    cns_rng_seed(&rng, 77);
    cns_columns *columns = make(1);
    for (int step = 0; step < MODEL_STEPS; step++) {
        uint64_t choice = cns_rng_below(&rng, 1000);
        uint64_t rows = 1 + cns_rng_below(&rng, 5);
        if (choice < 300 && count + rows <= MODEL_ROWS) {
            uint64_t first = 0;
            support_status(context, CNS_OK, cns_columns_append(columns, rows, &first));
            ck_assert_uint_eq(first, count);
            memset(&model[count], 0, sizeof(record) * rows);
            count += rows;
        } else if (choice == 999) {
            support_status(context, CNS_OK, cns_columns_clear(columns));
            count = 0;
        } else if (count && choice < 500) {
            uint64_t row = cns_rng_below(&rng, count);
            support_status(context, CNS_OK, cns_columns_remove(columns, row));
            model[row] = model[--count];
        } else if (count && choice < 750) {
            set_row(columns, model, cns_rng_below(&rng, count), cns_rng_next(&rng));
        } else if (count) {
            expect_row(columns, model, cns_rng_below(&rng, count));
        }
        ck_assert_uint_eq(cns_columns_count(columns), count);
    }
    for (uint64_t row = 0; row < count; row++) {
        expect_row(columns, model, row);
    }
    support_status(context, CNS_OK, cns_columns_check(columns));
    cns_columns_destroy(columns);
}
END_TEST

START_TEST(held_is_what_the_context_was_charged) {
    static const uint64_t capacities[] = {0, 64, 1000, 100000};
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        cns_columns *columns = make(capacities[i]);
        cns_memory_stats stats;
        cns_context_memory(context, &stats);
        ck_assert_uint_eq(cns_columns_held(columns), stats.held);
        cns_columns_destroy(columns);
    }
}
END_TEST

static cns_status create_grow_view(cns_context *failing) {
    cns_columns *columns = NULL;
    cns_buffer *view = NULL;
    cns_status status = cns_columns_create(failing, mixed_fields, FIELDS, 0, &columns);
    if (status != CNS_OK) {
        return status;
    }
    ck_assert_int_eq(cns_columns_append(columns, 64, NULL), CNS_OK);
    ck_assert_int_eq(cns_columns_set_i64(columns, ID, 63, 63), CNS_OK);
    status = cns_columns_append(columns, 10000, NULL);
    ck_assert_uint_eq(cns_columns_count(columns), status == CNS_OK ? 10064 : 64);
    int64_t value = 0;
    ck_assert_int_eq(cns_columns_get_i64(columns, ID, 63, &value), CNS_OK);
    ck_assert_int_eq(value, 63);
    if (status == CNS_OK) {
        status = cns_columns_view(columns, MARK, &view);
    }
    ck_assert_int_eq(cns_columns_check(columns), CNS_OK);
    cns_columns_destroy(columns);
    cns_buffer_destroy(view);
    return status;
}

START_TEST(failing_allocations_change_nothing) {
    support_each_allocation_fails(create_grow_view);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("columns");
    TCase *cases = tcase_create("columns");
    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, fields_are_checked);
    tcase_add_test(cases, the_most_fields);
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_test(cases, views_pin_the_table);
    tcase_add_test(cases, random_rows_follow_the_model);
    tcase_add_test(cases, held_is_what_the_context_was_charged);
    tcase_add_test(cases, failing_allocations_change_nothing);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
