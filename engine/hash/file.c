/* SPDX-License-Identifier: MIT
 *
 * hash/file.c - the digest of a whole file, read from front to back in large pieces.
 *
 * With threads and BLAKE3 there are two buffers: one is hashed while the other is filled. Pipes
 * and devices have no size to compare with and simply end. Any thread.
 */
#include <string.h>

#include "base/context.h"
#include "base/os.h"
#include "hash/digest.h"

enum {
    BUFFER_STACK = 16 << 10,       /* for small files, and where no context can give memory */
    BUFFER_ONE_THREAD = 256 << 10, /* stays in the second-level cache */
    BUFFER_THREADS = 4 << 20
};

typedef struct file_reader {
    cns_context *context;
    cns_os_file file;
    const char *path;
    uint64_t done;
} file_reader;

static cns_status fail_io(const file_reader *reader, const char *verb, int error) {
    char text[128];
    return cns_fail(reader->context, CNS_E_IO, "cannot %s '%s': %s", verb, reader->path,
                    cns_os_error_text(error, text, sizeof text));
}

static cns_status read_piece(file_reader *reader, uint8_t *buffer, size_t capacity, size_t *got) {
    int error = cns_os_file_read(&reader->file, buffer, capacity, got);
    if (error) {
        return fail_io(reader, "read", error);
    }
    reader->done += *got;
    if (*got < capacity && reader->file.regular && reader->done < reader->file.size) {
        return cns_fail(reader->context, CNS_E_IO,
                        "'%s' shrank while it was read: %llu bytes of %llu", reader->path,
                        (unsigned long long)reader->done, (unsigned long long)reader->file.size);
    }
    return CNS_OK;
}

static cns_status hash_serially(file_reader *reader, const cns_digest_spec *spec,
                                cns_digest_state *state, uint8_t *buffer, size_t capacity) {
    size_t got = capacity;
    while (got == capacity) {
        cns_status status = read_piece(reader, buffer, capacity, &got);
        if (status != CNS_OK) {
            return status;
        }
        cns_digest_update(state, spec, buffer, got);
    }
    return CNS_OK;
}

/* ---- reading and hashing at the same time --------------------------------------------------- */

typedef struct overlap {
    file_reader *reader;
    cns_blake3 *state;
    const cns_executor *executor;
    uint8_t *full;
    size_t full_size;
    uint8_t *next;
    size_t next_size;
    bool read_next;
} overlap;

static cns_status overlap_step(void *user, int64_t begin, int64_t end) {
    overlap *step = user;
    cns_status status = CNS_OK;
    for (int64_t i = begin; i < end && status == CNS_OK; i++) {
        if (i == 0 && step->read_next) {
            status = read_piece(step->reader, step->next, BUFFER_THREADS, &step->next_size);
        } else if (i == 1) {
            status = cns_blake3_update_parallel(step->state, step->full, step->full_size,
                                                step->executor);
        }
    }
    return status;
}

static cns_status hash_overlapped(file_reader *reader, cns_blake3 *state, uint8_t *buffers,
                                  const cns_executor *executor) {
    overlap step = {.reader = reader,
                    .state = state,
                    .executor = executor,
                    .full = buffers + BUFFER_THREADS,
                    .next = buffers,
                    .read_next = true};
    cns_status status = read_piece(reader, step.next, BUFFER_THREADS, &step.next_size);
    while (status == CNS_OK && step.next_size > 0) {
        uint8_t *filled = step.next;
        step.next = step.full;
        step.full = filled;
        step.full_size = step.next_size;
        step.next_size = 0;
        step.read_next = step.full_size == BUFFER_THREADS;
        status = executor->parallel_for(executor->pool, 0, 2, 1, overlap_step, &step);
    }
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static cns_status hash_on_stack(file_reader *reader, const cns_digest_spec *spec,
                                cns_digest_state *state) {
    uint8_t buffer[BUFFER_STACK];
    return hash_serially(reader, spec, state, buffer, sizeof buffer);
}

static cns_status hash_with_buffer(file_reader *reader, const cns_digest_spec *spec,
                                   cns_digest_state *state, const cns_executor *executor) {
    bool small = reader->file.regular && reader->file.size <= BUFFER_THREADS;
    bool threads =
        spec->algorithm == CNS_HASH_BLAKE3 && executor && executor->workers > 1 && !small;
    size_t capacity = threads ? 2 * (size_t)BUFFER_THREADS : BUFFER_ONE_THREAD;
    uint8_t *buffer = cns_context_map(reader->context, capacity, 1, NULL);
    if (!buffer) {
        return cns_context_memory_status(reader->context, capacity);
    }
    cns_status status = threads ? hash_overlapped(reader, &state->blake3, buffer, executor)
                                : hash_serially(reader, spec, state, buffer, capacity);
    cns_context_unmap(reader->context, buffer, capacity, 1);
    return status;
}

static cns_status hash_open_file(file_reader *reader, const cns_digest_spec *spec, uint8_t *out,
                                 const cns_executor *executor) {
    cns_digest_state state;
    cns_digest_init(&state, spec);
    bool on_stack = !reader->context || (reader->file.regular && reader->file.size < BUFFER_STACK);
    cns_status status = on_stack ? hash_on_stack(reader, spec, &state)
                                 : hash_with_buffer(reader, spec, &state, executor);
    if (status == CNS_OK) {
        cns_digest_finish(&state, spec, out);
    }
    return status;
}

cns_status cns_hash_file(cns_context *context, cns_hash_algorithm algorithm,
                         const cns_hash_params *params, const char *path, void *out,
                         size_t out_size, const cns_executor *executor) {
    if (!path) {
        return cns_fail(context, CNS_E_INVALID, "path is NULL");
    }
    cns_digest_spec spec;
    cns_status status = cns_digest_spec_init(&spec, context, algorithm, params);
    if (status == CNS_OK) {
        status = cns_digest_check_out(context, &spec, 1, out, out_size);
    }
    if (status != CNS_OK) {
        return status;
    }
    file_reader reader = {.context = context, .path = path};
    int error = cns_os_file_open(&reader.file, path);
    if (error) {
        return fail_io(&reader, "open", error);
    }
    status = hash_open_file(&reader, &spec, out, executor);
    cns_os_file_close(&reader.file);
    return status;
}
