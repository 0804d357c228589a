/* SPDX-License-Identifier: MIT
 *
 * memory/buffer.c - typed views of shared storage; lending is in storage.c.
 *
 * A view is immutable: where it begins, how many elements, of which type, under which borrow.
 * Slices hold their parent's borrow, so a slice of a borrowed view has the same right, and keeps
 * the borrow alive until it is destroyed too.
 */
#include <string.h>

#include "base/bits.h"
#include "memory/element.h"
#include "memory/storage.h"

struct cns_buffer {
    cns_borrow *borrow;
    uint8_t *data;
    uint64_t count;
    size_t begin; /* bytes of the storage */
    size_t end;
    cns_type type;
    uint32_t shift; /* logarithm of the element's size */
};

/* Room for one element of any type. */
typedef union any_element {
    int64_t integer;
    double real;
    uint8_t bytes[8];
} any_element;

/* ---- views ---------------------------------------------------------------------------------- */

cns_context *cns_buffer_context(const cns_buffer *buffer) {
    return buffer->borrow->storage->context;
}

/* Takes over the caller's reference of `borrow` on success. */
static cns_status make_view(cns_borrow *borrow, cns_type type, size_t begin, uint64_t count,
                            cns_buffer **out) {
    cns_context *context = borrow->storage->context;
    cns_buffer *view = cns_context_alloc(context, sizeof *view, CNS_ALIGN_DEFAULT);
    if (!view) {
        return cns_context_memory_status(context, sizeof *view);
    }
    view->borrow = borrow;
    view->data = borrow->storage->data + begin;
    view->count = count;
    view->begin = begin;
    view->shift = cns_log2_floor(cns_type_size(type));
    view->end = begin + ((size_t)count << view->shift);
    view->type = type;
    *out = view;
    return CNS_OK;
}

static cns_status make_sharing_view(cns_borrow *borrow, cns_type type, size_t begin, uint64_t count,
                                    cns_buffer **out) {
    cns_status status = make_view(borrow, type, begin, count, out);
    if (status == CNS_OK) {
        cns_borrow_retain(borrow);
    }
    return status;
}

cns_status cns_buffer_of_storage(cns_storage *storage, cns_type type, size_t offset, uint64_t count,
                                 cns_buffer **out) {
    return make_sharing_view(&storage->root, type, offset, count, out);
}

cns_status cns_buffer_create(cns_context *context, cns_type type, uint64_t count,
                             cns_buffer **out) {
    if (!context || !out || !cns_type_valid(type)) {
        return cns_fail(context, CNS_E_INVALID, "buffer: %s",
                        out ? "unknown element type" : "no place for the result");
    }
    cns_storage *storage;
    cns_status status = cns_storage_create(context, count, cns_type_size(type), &storage);
    if (status != CNS_OK) {
        return status;
    }
    status = make_view(&storage->root, type, 0, count, out);
    if (status != CNS_OK) {
        cns_borrow_release(&storage->root);
    }
    return status;
}

static cns_status check_range(const cns_buffer *buffer, uint64_t begin, uint64_t count) {
    if (begin <= buffer->count && count <= buffer->count - begin) {
        return CNS_OK;
    }
    return cns_fail(cns_buffer_context(buffer), CNS_E_RANGE,
                    "%llu elements from %llu on are not within a buffer of %llu",
                    (unsigned long long)count, (unsigned long long)begin,
                    (unsigned long long)buffer->count);
}

cns_status cns_buffer_slice(const cns_buffer *buffer, uint64_t begin, uint64_t count,
                            cns_buffer **out) {
    cns_status status = check_range(buffer, begin, count);
    if (status != CNS_OK) {
        return status;
    }
    size_t offset = buffer->begin + ((size_t)begin << buffer->shift);
    return make_sharing_view(buffer->borrow, buffer->type, offset, count, out);
}

void cns_buffer_destroy(cns_buffer *buffer) {
    if (!buffer) {
        return;
    }
    cns_borrow *borrow = buffer->borrow;
    cns_context_free(cns_buffer_context(buffer), buffer, sizeof *buffer, CNS_ALIGN_DEFAULT);
    cns_borrow_release(borrow);
}

cns_type cns_buffer_type(const cns_buffer *buffer) {
    return buffer->type;
}

uint64_t cns_buffer_count(const cns_buffer *buffer) {
    return buffer->count;
}

void *cns_buffer_data(const cns_buffer *buffer) {
    return buffer->data;
}

/* ---- borrowing ------------------------------------------------------------------------------ */

static cns_status check_mode(const cns_buffer *buffer, cns_access access) {
    if (access == CNS_ACCESS_READ || access == CNS_ACCESS_WRITE) {
        return CNS_OK;
    }
    return cns_fail(cns_buffer_context(buffer), CNS_E_INVALID,
                    "buffer: access is to read or to write");
}

cns_status cns_buffer_borrow(const cns_buffer *buffer, cns_access access, cns_buffer **out) {
    cns_status status = check_mode(buffer, access);
    if (status != CNS_OK) {
        return status;
    }
    cns_borrow *borrow;
    status = cns_borrow_create(buffer->borrow, buffer->begin, buffer->end, access, &borrow);
    if (status != CNS_OK) {
        return status;
    }
    status = make_view(borrow, buffer->type, buffer->begin, buffer->count, out);
    if (status != CNS_OK) {
        cns_borrow_release(borrow);
    }
    return status;
}

static inline cns_status check_access(const cns_buffer *buffer, cns_access access) {
    return cns_borrow_access(buffer->borrow, buffer->begin, buffer->end, access);
}

cns_status cns_buffer_access(const cns_buffer *buffer, cns_access access) {
    cns_status status = check_mode(buffer, access);
    return status == CNS_OK ? check_access(buffer, access) : status;
}

int cns_buffer_borrowed(const cns_buffer *buffer) {
    return buffer->borrow->parent ? (int)buffer->borrow->access : 0;
}

int cns_buffer_shared(const cns_buffer *buffer) {
    return cns_storage_shared(buffer->borrow->storage);
}

/* ---- elements ------------------------------------------------------------------------------- */

static inline cns_status check_element(const cns_buffer *buffer, uint64_t index,
                                       cns_access access) {
    if (CNS_UNLIKELY(index >= buffer->count)) {
        return cns_element_refuse_index(cns_buffer_context(buffer), index, buffer->count);
    }
    size_t begin = buffer->begin + ((size_t)index << buffer->shift);
    return cns_borrow_access(buffer->borrow, begin, begin + ((size_t)1 << buffer->shift), access);
}

cns_status cns_buffer_get_i64(const cns_buffer *buffer, uint64_t index, int64_t *out) {
    cns_status status = check_element(buffer, index, CNS_ACCESS_READ);
    if (CNS_UNLIKELY(status != CNS_OK)) {
        return status;
    }
    int64_t value = 0;
    if (CNS_UNLIKELY(!cns_element_load_i64(buffer->type, buffer->data, index, &value))) {
        return cns_element_refuse_load(cns_buffer_context(buffer), buffer->type, "i64");
    }
    *out = value;
    return CNS_OK;
}

cns_status cns_buffer_get_f64(const cns_buffer *buffer, uint64_t index, double *out) {
    cns_status status = check_element(buffer, index, CNS_ACCESS_READ);
    if (CNS_UNLIKELY(status != CNS_OK)) {
        return status;
    }
    double value = 0;
    if (CNS_UNLIKELY(!cns_element_load_f64(buffer->type, buffer->data, index, &value))) {
        return cns_element_refuse_load(cns_buffer_context(buffer), buffer->type, "f64");
    }
    *out = value;
    return CNS_OK;
}

cns_status cns_buffer_set_i64(cns_buffer *buffer, uint64_t index, int64_t value) {
    cns_status status = check_element(buffer, index, CNS_ACCESS_WRITE);
    if (CNS_UNLIKELY(status != CNS_OK)) {
        return status;
    }
    return CNS_LIKELY(cns_element_store_i64(buffer->type, buffer->data, index, value))
               ? CNS_OK
               : cns_element_refuse_i64(cns_buffer_context(buffer), buffer->type, value);
}

cns_status cns_buffer_set_f64(cns_buffer *buffer, uint64_t index, double value) {
    cns_status status = check_element(buffer, index, CNS_ACCESS_WRITE);
    if (CNS_UNLIKELY(status != CNS_OK)) {
        return status;
    }
    return CNS_LIKELY(cns_element_store_f64(buffer->type, buffer->data, index, value))
               ? CNS_OK
               : cns_element_refuse_f64(cns_buffer_context(buffer), buffer->type, value);
}

/* ---- whole ranges --------------------------------------------------------------------------- */

/* Spreads one element over the buffer, in runs that double up to what a first-level cache holds. */
static void replicate(cns_buffer *buffer, const uint8_t *element) {
    enum { RUN_MAX = 16 * 1024 };
    size_t size = (size_t)1 << buffer->shift;
    size_t total = buffer->end - buffer->begin;
    size_t done = total < size ? 0 : size;
    memcpy(buffer->data, element, done);
    while (done < total) {
        size_t run = done < RUN_MAX ? done : RUN_MAX;
        run = run < total - done ? run : total - done;
        memcpy(buffer->data + done, buffer->data, run);
        done += run;
    }
}

cns_status cns_buffer_fill_i64(cns_buffer *buffer, int64_t value) {
    any_element element;
    if (!cns_element_store_i64(buffer->type, &element, 0, value)) {
        return cns_element_refuse_i64(cns_buffer_context(buffer), buffer->type, value);
    }
    cns_status status = check_access(buffer, CNS_ACCESS_WRITE);
    if (status == CNS_OK) {
        replicate(buffer, element.bytes);
    }
    return status;
}

cns_status cns_buffer_fill_f64(cns_buffer *buffer, double value) {
    any_element element;
    if (!cns_element_store_f64(buffer->type, &element, 0, value)) {
        return cns_element_refuse_f64(cns_buffer_context(buffer), buffer->type, value);
    }
    cns_status status = check_access(buffer, CNS_ACCESS_WRITE);
    if (status == CNS_OK) {
        replicate(buffer, element.bytes);
    }
    return status;
}

cns_status cns_buffer_copy(cns_buffer *target, uint64_t begin, const cns_buffer *source) {
    if (target->type != source->type) {
        return cns_fail(cns_buffer_context(target), CNS_E_INVALID,
                        "buffer: %s cannot be copied to %s", cns_type_name(source->type),
                        cns_type_name(target->type));
    }
    cns_status status = check_range(target, begin, source->count);
    if (status != CNS_OK) {
        return status;
    }
    size_t at = target->begin + ((size_t)begin << target->shift);
    size_t bytes = source->end - source->begin;
    status = cns_borrow_access(target->borrow, at, at + bytes, CNS_ACCESS_WRITE);
    if (status == CNS_OK) {
        status = check_access(source, CNS_ACCESS_READ);
    }
    if (status == CNS_OK) {
        memmove(target->borrow->storage->data + at, source->data, bytes);
    }
    return status;
}

cns_status cns_buffer_check(const cns_buffer *buffer) {
    const cns_borrow *borrow = buffer->borrow;
    const cns_storage *storage = borrow->storage;
    bool sound = cns_type_valid(buffer->type) && buffer->data == storage->data + buffer->begin &&
                 buffer->end - buffer->begin == (size_t)buffer->count << buffer->shift &&
                 buffer->begin >= borrow->begin && buffer->end <= borrow->end &&
                 atomic_load(&borrow->references) > 0;
    if (!sound) {
        return cns_fail(storage->context, CNS_E_CORRUPT, "buffer: the view is damaged");
    }
    return cns_storage_check((cns_storage *)storage);
}
