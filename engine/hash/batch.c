/* SPDX-License-Identifier: MIT
 *
 * hash/batch.c - many independent messages, one SIMD lane each.
 *
 * Messages wait in queues by length class; a queue that can fill all lanes is run. Up to 16 blocks
 * a class is one number of blocks; above, four classes an octave, so that a lane idles for at most
 * a fifth of a run (kernels mask lanes that have ended). What is left in the queues at the end is
 * run together, neighbouring classes first. Needs no memory but this thread's stack.
 */
#include <string.h>

#include "base/bits.h"
#include "base/context.h"
#include "hash/digest.h"

enum {
    EXACT_CLASSES = 16,
    CLASSES = EXACT_CLASSES + 4 * 16, /* up to 2^20 blocks; longer messages go alone */
    PARALLEL_PART = 128 << 10,        /* bytes that are worth a thread */
    MESSAGE_OVERHEAD = 64             /* what a message costs beyond its bytes, in bytes */
};

typedef struct message_batch {
    const cns_digest_spec *spec;
    const void *const *messages;
    const size_t *sizes;
    uint8_t *out;
    cns_blake2b blake2b_start; /* behind the key block, if there is one */
} message_batch;

typedef struct lane_queues {
    const message_batch *batch;
    void (*run)(const message_batch *batch, const size_t *indices, uint32_t count);
    uint32_t width;
    uint32_t filled[CLASSES];
    size_t index[CLASSES][CNS_HASH_LANES];
} lane_queues;

/* ---- queues --------------------------------------------------------------------------------- */

/* The class of a message of `blocks` >= 1 blocks, or CLASSES when it goes alone. */
static uint32_t length_class(uint64_t blocks) {
    if (blocks <= EXACT_CLASSES) {
        return (uint32_t)blocks - 1;
    }
    uint64_t last = blocks - 1; /* 16 or more, so that 17 starts a class and 32 ends one */
    unsigned octave = cns_log2_floor(last);
    uint32_t quarter = (uint32_t)(last >> (octave - 2)) & 3;
    uint32_t class = EXACT_CLASSES + 4 * (octave - 4) + quarter;
    return class < CLASSES ? class : CLASSES;
}

static void queues_add(lane_queues *queues, uint32_t class, size_t index) {
    queues->index[class][queues->filled[class]++] = index;
    if (queues->filled[class] == queues->width) {
        queues->run(queues->batch, queues->index[class], queues->width);
        queues->filled[class] = 0;
    }
}

static void queues_flush(lane_queues *queues) {
    size_t group[CNS_HASH_LANES];
    uint32_t count = 0;
    for (uint32_t class = 0; class < CLASSES; class ++) {
        for (uint32_t i = 0; i < queues->filled[class]; i++) {
            group[count++] = queues->index[class][i];
            if (count == queues->width) {
                queues->run(queues->batch, group, count);
                count = 0;
            }
        }
    }
    if (count > 0) {
        queues->run(queues->batch, group, count);
    }
}

static void hash_alone(const message_batch *batch, size_t index) {
    cns_digest_once(batch->spec, batch->messages[index], batch->sizes[index],
                    batch->out + index * batch->spec->digest_size);
}

/* The block from `whole` on: in the message where it is full, else padded with zeros in `tail`. */
static const uint8_t *last_block(const uint8_t *message, size_t whole, size_t size, uint8_t *tail,
                                 size_t block_size) {
    if (size - whole == block_size) {
        return message + whole;
    }
    memset(tail, 0, block_size);
    if (size > whole) {
        memcpy(tail, message + whole, size - whole);
    }
    return tail;
}

/* ---- BLAKE3: messages of one chunk ---------------------------------------------------------- */

static void run_blake3(const message_batch *batch, const size_t *indices, uint32_t count) {
    uint8_t tails[CNS_HASH_LANES][CNS_BLAKE3_BLOCK];
    uint8_t values[CNS_HASH_LANES][CNS_BLAKE3_VALUE];
    const size_t digest_size = batch->spec->digest_size;
    bool direct = digest_size == CNS_BLAKE3_VALUE;
    cns_blake3_job job = {.key = batch->spec->as.blake3.words,
                          .lanes = count,
                          .flags = batch->spec->as.blake3.flags,
                          .flags_start = CNS_BLAKE3_CHUNK_START,
                          .flags_end = CNS_BLAKE3_CHUNK_END | CNS_BLAKE3_ROOT};
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *message = batch->messages[indices[i]];
        size_t size = batch->sizes[indices[i]];
        uint32_t blocks = size == 0 ? 1 : (uint32_t)((size - 1) / CNS_BLAKE3_BLOCK) + 1;
        size_t whole = (size_t)(blocks - 1) * CNS_BLAKE3_BLOCK;
        job.input[i] = message;
        job.blocks[i] = blocks;
        job.last_length[i] = (uint32_t)(size - whole);
        job.out[i] = direct ? batch->out + indices[i] * digest_size : values[i];
        job.last[i] = last_block(message, whole, size, tails[i], CNS_BLAKE3_BLOCK);
    }
    batch->spec->kernels->blake3_lanes(&job);
    for (uint32_t i = 0; i < count && !direct; i++) {
        memcpy(batch->out + indices[i] * digest_size, values[i], digest_size);
    }
}

static void hash_blake3_range(const message_batch *batch, size_t begin, size_t end) {
    lane_queues queues = {
        .batch = batch, .run = run_blake3, .width = batch->spec->kernels->blake3_width};
    for (size_t i = begin; i < end; i++) {
        size_t size = batch->sizes[i];
        if (size > CNS_BLAKE3_CHUNK) {
            hash_alone(batch, i); /* a tree of its own, whose chunks fill the lanes */
        } else {
            queues_add(&queues, size == 0 ? 0 : (uint32_t)((size - 1) / CNS_BLAKE3_BLOCK), i);
        }
    }
    queues_flush(&queues);
}

/* ---- BLAKE2b -------------------------------------------------------------------------------- */

static void run_blake2b(const message_batch *batch, const size_t *indices, uint32_t count) {
    uint8_t tails[CNS_HASH_LANES][CNS_BLAKE2B_BLOCK];
    uint8_t values[CNS_HASH_LANES][CNS_BLAKE2B_VALUE];
    const size_t digest_size = batch->spec->digest_size;
    bool direct = digest_size == CNS_BLAKE2B_VALUE;
    const cns_blake2b *start = &batch->blake2b_start;
    cns_blake2b_job job = {.start = start->state, .before = start->total, .lanes = count};
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *message = batch->messages[indices[i]];
        size_t size = batch->sizes[indices[i]];
        uint64_t blocks = size == 0 ? 1 : (size - 1) / CNS_BLAKE2B_BLOCK + 1;
        size_t whole = (size_t)(blocks - 1) * CNS_BLAKE2B_BLOCK;
        job.input[i] = message;
        job.blocks[i] = blocks;
        job.total[i] = start->total + size;
        job.out[i] = direct ? batch->out + indices[i] * digest_size : values[i];
        job.last[i] = last_block(message, whole, size, tails[i], CNS_BLAKE2B_BLOCK);
    }
    batch->spec->kernels->blake2b_lanes(&job);
    for (uint32_t i = 0; i < count && !direct; i++) {
        memcpy(batch->out + indices[i] * digest_size, values[i], digest_size);
    }
}

static void hash_blake2b_range(const message_batch *batch, size_t begin, size_t end) {
    lane_queues queues = {
        .batch = batch, .run = run_blake2b, .width = batch->spec->kernels->blake2b_width};
    bool keyed = batch->blake2b_start.total > 0;
    for (size_t i = begin; i < end; i++) {
        size_t size = batch->sizes[i];
        uint64_t blocks = size == 0 ? 1 : (size - 1) / CNS_BLAKE2B_BLOCK + 1;
        uint32_t class = length_class(blocks);
        if (class == CLASSES || (size == 0 && keyed)) {
            hash_alone(batch, i); /* of an empty message the key block is the last one */
        } else {
            queues_add(&queues, class, i);
        }
    }
    queues_flush(&queues);
}

static void start_blake2b(message_batch *batch) {
    cns_blake2b *start = &batch->blake2b_start;
    *start = batch->spec->as.blake2b;
    if (start->filled > 0) {
        start->total = CNS_BLAKE2B_BLOCK;
        start->filled = 0;
        start->kernels->blake2b_compress(start->state, start->buffer, 1, start->total, 0);
    }
}

/* ---- ranges --------------------------------------------------------------------------------- */

static cns_status hash_range(void *user, int64_t begin, int64_t end) {
    const message_batch *batch = user;
    const cns_hash_kernels *kernels = batch->spec->kernels;
    if (batch->spec->algorithm == CNS_HASH_BLAKE3 && kernels->blake3_width > 1 &&
        batch->spec->digest_size <= CNS_BLAKE3_VALUE) {
        hash_blake3_range(batch, (size_t)begin, (size_t)end);
    } else if (batch->spec->algorithm == CNS_HASH_BLAKE2B && kernels->blake2b_width > 1) {
        hash_blake2b_range(batch, (size_t)begin, (size_t)end);
    } else {
        for (int64_t i = begin; i < end; i++) {
            hash_alone(batch, (size_t)i);
        }
    }
    return CNS_OK;
}

/* How many messages make a part worth a thread; `count` when one thread is as good. The sum is
 * saturated: beyond a terabyte it decides nothing any more. */
static size_t parallel_grain(const size_t *sizes, size_t count, const cns_executor *executor) {
    const uint64_t enough = UINT64_C(1) << 40;
    uint64_t total = 0;
    if (!executor || executor->workers < 2) {
        return count;
    }
    for (size_t i = 0; i < count && total < enough; i++) {
        total += (sizes[i] < enough ? sizes[i] : enough) + MESSAGE_OVERHEAD;
    }
    uint64_t parts = total / PARALLEL_PART;
    uint64_t most = (uint64_t)executor->workers * 4; /* so that unequal parts even out */
    parts = parts < most ? parts : most;
    return parts < 2 ? count : (size_t)((count + parts - 1) / parts);
}

static cns_status check_messages(cns_context *context, const void *const *messages,
                                 const size_t *sizes, size_t count) {
    if (!messages || !sizes) {
        return cns_fail(context, CNS_E_INVALID, "%s is NULL", messages ? "sizes" : "messages");
    }
    for (size_t i = 0; i < count; i++) {
        if (!messages[i] && sizes[i] > 0) {
            return cns_fail(context, CNS_E_INVALID, "message %zu is NULL but has %zu bytes", i,
                            sizes[i]);
        }
    }
    return CNS_OK;
}

cns_status cns_hash_batch(cns_context *context, cns_hash_algorithm algorithm,
                          const cns_hash_params *params, const void *const *messages,
                          const size_t *sizes, size_t count, void *out, size_t out_size,
                          const cns_executor *executor) {
    cns_digest_spec spec;
    cns_status status = cns_digest_spec_init(&spec, context, algorithm, params);
    if (status == CNS_OK) {
        status = cns_digest_check_out(context, &spec, count, out, out_size);
    }
    if (status == CNS_OK && count > 0) {
        status = check_messages(context, messages, sizes, count);
    }
    if (status != CNS_OK || count == 0) {
        return status;
    }
    message_batch all = {.spec = &spec, .messages = messages, .sizes = sizes, .out = out};
    if (algorithm == CNS_HASH_BLAKE2B) {
        start_blake2b(&all);
    }
    size_t grain = parallel_grain(sizes, count, executor);
    if (grain < count) {
        return executor->parallel_for(executor->pool, 0, (int64_t)count, (int64_t)grain, hash_range,
                                      &all);
    }
    return hash_range(&all, 0, (int64_t)count);
}
