/* SPDX-License-Identifier: MIT
 *
 * memory/columns.c - a table stored by columns, all in one storage.
 *
 * With capacity C (a multiple of 64), the column whose predecessors' elements take P bytes a row
 * begins at C * P: every column is 64-byte aligned and no padding is needed. Views of columns are
 * views of the storage; while one is alive the storage has more than one holder, and what would
 * move rows is refused.
 */
#include <string.h>

#include "memory/element.h"
#include "memory/storage.h"

enum { FIELDS_MAX = 256, NAME_CAPACITY = 64, ROWS_MIN = 64 };

typedef struct column {
    char name[NAME_CAPACITY];
    cns_type type;
    uint32_t size;
    uint64_t before; /* bytes a row that the columns before this one take */
} column;

struct cns_columns {
    cns_context *context;
    cns_storage *storage;
    uint64_t count;
    uint64_t capacity;
    uint64_t row_size;
    uint32_t field_count;
    column fields[];
};

static size_t table_size(uint32_t field_count) {
    return sizeof(cns_columns) + field_count * sizeof(column);
}

static size_t column_offset(const cns_columns *columns, uint32_t field) {
    return (size_t)(columns->capacity * columns->fields[field].before);
}

static void *column_data(const cns_columns *columns, uint32_t field) {
    return columns->storage->data + column_offset(columns, field);
}

/* ---- creation ------------------------------------------------------------------------------- */

static cns_status check_field(cns_context *context, const cns_field *fields, uint32_t index) {
    const char *name = fields[index].name;
    size_t length = name ? strlen(name) : 0;
    if (length == 0 || length >= NAME_CAPACITY) {
        return cns_fail(context, CNS_E_INVALID, "columns: field %u needs a name of 1 to 63 bytes",
                        index);
    }
    if (!cns_type_valid(fields[index].type)) {
        return cns_fail(context, CNS_E_INVALID, "columns: field '%s' has an unknown type", name);
    }
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return cns_fail(context, CNS_E_INVALID, "columns: two fields are named '%s'", name);
        }
    }
    return CNS_OK;
}

static cns_status check_fields(cns_context *context, const cns_field *fields,
                               uint32_t field_count) {
    if (!fields || field_count == 0 || field_count > FIELDS_MAX) {
        return cns_fail(context, CNS_E_INVALID, "columns: a table has 1 to 256 fields");
    }
    cns_status status = CNS_OK;
    for (uint32_t i = 0; i < field_count && status == CNS_OK; i++) {
        status = check_field(context, fields, i);
    }
    return status;
}

static void set_fields(cns_columns *columns, const cns_field *fields) {
    for (uint32_t i = 0; i < columns->field_count; i++) {
        column *target = &columns->fields[i];
        strcpy(target->name, fields[i].name);
        target->type = fields[i].type;
        target->size = (uint32_t)cns_type_size(fields[i].type);
        target->before = columns->row_size;
        columns->row_size += target->size;
    }
}

static cns_status round_capacity(cns_context *context, uint64_t rows, uint64_t *out) {
    if (rows > UINT64_MAX - ROWS_MIN) {
        return cns_fail(context, CNS_E_LIMIT, "columns: %llu rows are beyond any memory",
                        (unsigned long long)rows);
    }
    uint64_t rounded = (rows + ROWS_MIN - 1) / ROWS_MIN * ROWS_MIN;
    *out = rounded ? rounded : ROWS_MIN;
    return CNS_OK;
}

cns_status cns_columns_create(cns_context *context, const cns_field *fields, uint32_t field_count,
                              uint64_t capacity, cns_columns **out) {
    if (!context || !out) {
        return cns_fail(context, CNS_E_INVALID, "columns: no place for the result");
    }
    cns_status status = check_fields(context, fields, field_count);
    if (status == CNS_OK) {
        status = round_capacity(context, capacity, &capacity);
    }
    if (status != CNS_OK) {
        return status;
    }
    cns_columns *columns = cns_context_calloc(context, table_size(field_count));
    if (!columns) {
        return cns_context_memory_status(context, table_size(field_count));
    }
    columns->context = context;
    columns->field_count = field_count;
    columns->capacity = capacity;
    set_fields(columns, fields);
    status = cns_storage_create(context, capacity, columns->row_size, &columns->storage);
    if (status != CNS_OK) {
        cns_context_free(context, columns, table_size(field_count), CNS_ALIGN_DEFAULT);
        return status;
    }
    *out = columns;
    return CNS_OK;
}

void cns_columns_destroy(cns_columns *columns) {
    if (!columns) {
        return;
    }
    cns_borrow_release(&columns->storage->root);
    cns_context_free(columns->context, columns, table_size(columns->field_count),
                     CNS_ALIGN_DEFAULT);
}

/* ---- questions ------------------------------------------------------------------------------ */

uint64_t cns_columns_count(const cns_columns *columns) {
    return columns->count;
}

uint64_t cns_columns_held(const cns_columns *columns) {
    return table_size(columns->field_count) + cns_storage_held(columns->storage);
}

uint32_t cns_columns_field_count(const cns_columns *columns) {
    return columns->field_count;
}

const char *cns_columns_field_name(const cns_columns *columns, uint32_t field) {
    return field < columns->field_count ? columns->fields[field].name : NULL;
}

cns_type cns_columns_field_type(const cns_columns *columns, uint32_t field) {
    return field < columns->field_count ? columns->fields[field].type : (cns_type)0;
}

cns_status cns_columns_find(const cns_columns *columns, const char *name, uint32_t *out) {
    for (uint32_t i = 0; name && i < columns->field_count; i++) {
        if (strcmp(columns->fields[i].name, name) == 0) {
            *out = i;
            return CNS_OK;
        }
    }
    return cns_fail(columns->context, CNS_E_NOTFOUND, "columns: no field '%s'", name ? name : "");
}

/* ---- rows ----------------------------------------------------------------------------------- */

static cns_status refuse_shared(const cns_columns *columns, const char *verb) {
    return cns_fail(columns->context, CNS_E_BUSY, "columns: cannot %s while views are alive", verb);
}

/* Moves the rows to a storage for at least `rows` of them, twice the old one if that is more. */
static cns_status grow(cns_columns *columns, uint64_t rows) {
    if (cns_storage_shared(columns->storage)) {
        return refuse_shared(columns, "grow");
    }
    uint64_t doubled = columns->capacity * 2; /* in range: this much memory never was given out */
    uint64_t capacity = 0;
    cns_status status =
        round_capacity(columns->context, rows > doubled ? rows : doubled, &capacity);
    if (status != CNS_OK) {
        return status;
    }
    cns_storage *storage;
    status = cns_storage_create(columns->context, capacity, columns->row_size, &storage);
    if (status != CNS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < columns->field_count; i++) {
        const column *field = &columns->fields[i];
        memcpy(storage->data + capacity * field->before, (uint8_t *)column_data(columns, i),
               (size_t)(columns->count * field->size));
    }
    cns_borrow_release(&columns->storage->root);
    columns->storage = storage;
    columns->capacity = capacity;
    return CNS_OK;
}

cns_status cns_columns_append(cns_columns *columns, uint64_t rows, uint64_t *first) {
    if (rows > UINT64_MAX - columns->count) {
        return cns_fail(columns->context, CNS_E_LIMIT, "columns: too many rows");
    }
    uint64_t count = columns->count + rows;
    if (count > columns->capacity) {
        cns_status status = grow(columns, count);
        if (status != CNS_OK) {
            return status;
        }
    }
    if (first) {
        *first = columns->count;
    }
    columns->count = count;
    return CNS_OK;
}

/* Rows from `begin` to the count become zeros, as append promises to find them. */
static void erase_from(cns_columns *columns, uint64_t begin) {
    for (uint32_t i = 0; i < columns->field_count; i++) {
        const column *field = &columns->fields[i];
        memset((uint8_t *)column_data(columns, i) + begin * field->size, 0,
               (size_t)((columns->count - begin) * field->size));
    }
    columns->count = begin;
}

static cns_status check_row(const cns_columns *columns, uint64_t row) {
    return row < columns->count ? CNS_OK
                                : cns_element_refuse_index(columns->context, row, columns->count);
}

cns_status cns_columns_remove(cns_columns *columns, uint64_t row) {
    cns_status status = check_row(columns, row);
    if (status != CNS_OK) {
        return status;
    }
    if (cns_storage_shared(columns->storage)) {
        return refuse_shared(columns, "remove a row");
    }
    uint64_t last = columns->count - 1;
    for (uint32_t i = 0; i < columns->field_count && row != last; i++) {
        uint32_t size = columns->fields[i].size;
        uint8_t *data = (uint8_t *)column_data(columns, i);
        memcpy(data + row * size, data + last * size, size);
    }
    erase_from(columns, last);
    return CNS_OK;
}

cns_status cns_columns_clear(cns_columns *columns) {
    if (cns_storage_shared(columns->storage)) {
        return refuse_shared(columns, "clear");
    }
    erase_from(columns, 0);
    return CNS_OK;
}

/* ---- columns and elements ------------------------------------------------------------------- */

static cns_status refuse_field(const cns_columns *columns, uint32_t field) {
    return cns_fail(columns->context, CNS_E_RANGE, "columns: field %u of %u", field,
                    columns->field_count);
}

cns_status cns_columns_view(const cns_columns *columns, uint32_t field, cns_buffer **out) {
    if (field >= columns->field_count) {
        return refuse_field(columns, field);
    }
    return cns_buffer_of_storage(columns->storage, columns->fields[field].type,
                                 column_offset(columns, field), columns->count, out);
}

void *cns_columns_data(const cns_columns *columns, uint32_t field) {
    return field < columns->field_count ? column_data(columns, field) : NULL;
}

/* Checks the indexes, and that no borrowed view forbids the access. */
static inline cns_status check_cell(const cns_columns *columns, uint32_t field, uint64_t row,
                                    cns_access access) {
    if (CNS_UNLIKELY(field >= columns->field_count)) {
        return refuse_field(columns, field);
    }
    if (CNS_UNLIKELY(row >= columns->count)) {
        return check_row(columns, row);
    }
    size_t begin = column_offset(columns, field) + (size_t)row * columns->fields[field].size;
    return cns_borrow_access(&columns->storage->root, begin, begin + columns->fields[field].size,
                             access);
}

cns_status cns_columns_get_i64(const cns_columns *columns, uint32_t field, uint64_t row,
                               int64_t *out) {
    cns_status status = check_cell(columns, field, row, CNS_ACCESS_READ);
    if (CNS_UNLIKELY(status != CNS_OK)) {
        return status;
    }
    int64_t value = 0;
    cns_type type = columns->fields[field].type;
    if (CNS_UNLIKELY(!cns_element_load_i64(type, column_data(columns, field), row, &value))) {
        return cns_element_refuse_load(columns->context, type, "i64");
    }
    *out = value;
    return CNS_OK;
}

cns_status cns_columns_get_f64(const cns_columns *columns, uint32_t field, uint64_t row,
                               double *out) {
    cns_status status = check_cell(columns, field, row, CNS_ACCESS_READ);
    if (CNS_UNLIKELY(status != CNS_OK)) {
        return status;
    }
    double value = 0;
    cns_type type = columns->fields[field].type;
    if (CNS_UNLIKELY(!cns_element_load_f64(type, column_data(columns, field), row, &value))) {
        return cns_element_refuse_load(columns->context, type, "f64");
    }
    *out = value;
    return CNS_OK;
}

cns_status cns_columns_set_i64(cns_columns *columns, uint32_t field, uint64_t row, int64_t value) {
    cns_status status = check_cell(columns, field, row, CNS_ACCESS_WRITE);
    if (CNS_UNLIKELY(status != CNS_OK)) {
        return status;
    }
    cns_type type = columns->fields[field].type;
    return CNS_LIKELY(cns_element_store_i64(type, column_data(columns, field), row, value))
               ? CNS_OK
               : cns_element_refuse_i64(columns->context, type, value);
}

cns_status cns_columns_set_f64(cns_columns *columns, uint32_t field, uint64_t row, double value) {
    cns_status status = check_cell(columns, field, row, CNS_ACCESS_WRITE);
    if (CNS_UNLIKELY(status != CNS_OK)) {
        return status;
    }
    cns_type type = columns->fields[field].type;
    return CNS_LIKELY(cns_element_store_f64(type, column_data(columns, field), row, value))
               ? CNS_OK
               : cns_element_refuse_f64(columns->context, type, value);
}

cns_status cns_columns_check(const cns_columns *columns) {
    const char *wrong = NULL;
    uint64_t before = 0;
    for (uint32_t i = 0; i < columns->field_count; i++) {
        const column *field = &columns->fields[i];
        if (!cns_type_valid(field->type) || field->size != cns_type_size(field->type) ||
            field->before != before) {
            wrong = "a field is damaged";
        }
        before += field->size;
    }
    if (before != columns->row_size || columns->count > columns->capacity ||
        columns->capacity % ROWS_MIN != 0 ||
        columns->storage->size != columns->capacity * columns->row_size) {
        wrong = "sizes do not agree";
    }
    return wrong ? cns_fail(columns->context, CNS_E_CORRUPT, "columns: %s", wrong)
                 : cns_storage_check(columns->storage);
}
