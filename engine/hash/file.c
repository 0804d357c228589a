/* SPDX-License-Identifier: MIT
 *
 * hash/file.c - the digest of a whole file, read from front to back in large pieces.
 *
 * With threads, BLAKE3 reads and hashes the parts of its tree side by side, each at its own place
 * in the file. Never by mapping: a file that shrinks would kill the process. Pipes and devices have
 * no size to compare with and simply end. Any thread.
 */
#include <string.h>

#include "base/context.h"
#include "base/os.h"
#include "hash/digest.h"

enum {
    BUFFER_STACK = 16 << 10,       /* for small files, and where no context can give memory */
    BUFFER_ONE_THREAD = 256 << 10, /* stays in the second-level cache */
    PARTS_A_WORKER = 16,           /* read and hashed between two joins */
    PARTS_MAX = 256,
    PARALLEL_MINIMUM = 1 << 20
};

typedef struct file_reader {
    cns_context *context;
    cns_os_file file;
    const char *path;
    uint64_t done;   /* bytes read */
    bool positioned; /* read from `done`, not from where the file stands */
} file_reader;

static cns_status fail_io(const file_reader *reader, const char *verb, int error) {
    char text[128];
    return cns_fail(reader->context, CNS_E_IO, "cannot %s '%s': %s", verb, reader->path,
                    cns_os_error_text(error, text, sizeof text));
}

static cns_status fail_shrunk(const file_reader *reader, uint64_t end) {
    return cns_fail(reader->context, CNS_E_IO, "'%s' shrank while it was read: %llu bytes of %llu",
                    reader->path, (unsigned long long)end, (unsigned long long)reader->file.size);
}

static cns_status read_piece(file_reader *reader, uint8_t *buffer, size_t capacity, size_t *got) {
    int error = reader->positioned
                    ? cns_os_file_read_at(&reader->file, reader->done, buffer, capacity, got)
                    : cns_os_file_read(&reader->file, buffer, capacity, got);
    if (error) {
        return fail_io(reader, "read", error);
    }
    reader->done += *got;
    if (*got < capacity && reader->file.regular && reader->done < reader->file.size) {
        return fail_shrunk(reader, reader->done);
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

/* ---- parts side by side --------------------------------------------------------------------- */

typedef struct file_parts {
    const file_reader *reader;
    const cns_blake3 *state;
    uint8_t *buffers; /* one part each */
    uint8_t halves[PARTS_MAX][2 * CNS_BLAKE3_VALUE];
} file_parts;

static cns_status hash_part(file_parts *parts, size_t index) {
    const file_reader *reader = parts->reader;
    uint8_t *buffer = parts->buffers + index * CNS_BLAKE3_PART;
    uint64_t offset = reader->done + (uint64_t)index * CNS_BLAKE3_PART;
    size_t got = 0;
    int error = cns_os_file_read_at(&reader->file, offset, buffer, CNS_BLAKE3_PART, &got);
    if (error) {
        return fail_io(reader, "read", error);
    }
    if (got < CNS_BLAKE3_PART) {
        return fail_shrunk(reader, offset + got);
    }
    cns_blake3_hash_part(parts->state, buffer, offset / CNS_BLAKE3_CHUNK, parts->halves[index]);
    return CNS_OK;
}

static cns_status hash_part_range(void *user, int64_t begin, int64_t end) {
    cns_status status = CNS_OK;
    for (int64_t i = begin; i < end && status == CNS_OK; i++) {
        status = hash_part(user, (size_t)i);
    }
    return status;
}

/* All whole parts of the size that the file had when it was opened; the rest is left to read. */
static cns_status hash_parts(file_reader *reader, cns_blake3 *state, uint8_t *buffers,
                             size_t window, const cns_executor *executor) {
    file_parts parts = {.reader = reader, .state = state, .buffers = buffers};
    uint64_t left = reader->file.size / CNS_BLAKE3_PART;
    reader->positioned = true;
    while (left > 0) {
        size_t count = left < window ? (size_t)left : window;
        cns_status status =
            executor->parallel_for(executor->pool, 0, (int64_t)count, 1, hash_part_range, &parts);
        if (status != CNS_OK) {
            return status;
        }
        for (size_t i = 0; i < count; i++) {
            cns_blake3_add_part(state, parts.halves[i]);
        }
        reader->done += (uint64_t)count * CNS_BLAKE3_PART;
        left -= count;
    }
    return CNS_OK;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static cns_status hash_on_stack(file_reader *reader, const cns_digest_spec *spec,
                                cns_digest_state *state) {
    uint8_t buffer[BUFFER_STACK];
    return hash_serially(reader, spec, state, buffer, sizeof buffer);
}

static cns_status hash_with_buffer(file_reader *reader, const cns_digest_spec *spec,
                                   cns_digest_state *state, const cns_executor *executor) {
    bool threads = spec->algorithm == CNS_HASH_BLAKE3 && executor && executor->workers > 1 &&
                   reader->file.regular && reader->file.size >= PARALLEL_MINIMUM;
    size_t window = threads && executor->workers < PARTS_MAX / PARTS_A_WORKER
                        ? (size_t)executor->workers * PARTS_A_WORKER
                        : PARTS_MAX;
    size_t capacity = threads ? window * CNS_BLAKE3_PART : BUFFER_ONE_THREAD;
    uint8_t *buffer = cns_context_map(reader->context, capacity, 1, NULL);
    if (!buffer) {
        return cns_context_memory_status(reader->context, capacity);
    }
    cns_status status = CNS_OK;
    if (threads) {
        status = hash_parts(reader, &state->blake3, buffer, window, executor);
    }
    if (status == CNS_OK) {
        status = hash_serially(reader, spec, state, buffer, capacity);
    }
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
