/* SPDX-License-Identifier: MIT
 *
 * hash/blake3.c - see blake3.h.
 *
 * Pairing neighbours level by level, an odd last one moving up as it is, gives the same tree as
 * the definition's recursion, and keeps all lanes of the kernels busy. Subtrees are merged lazily:
 * only when more input follows is it certain that a merge is not the root.
 * Source: the BLAKE3 paper (2020), sections 2.1 and 5.1. One thread per state.
 */
#include "hash/blake3.h"

#include "base/bits.h"
#include "base/check.h"

enum { PARALLEL_WINDOW = 256 }; /* parts whose values wait on this thread's stack */

typedef uint8_t chaining_value[CNS_BLAKE3_VALUE];

static void store_value(uint8_t out[CNS_BLAKE3_VALUE], const uint32_t value[8]) {
    for (int i = 0; i < 8; i++) {
        cns_store32_le(out + 4 * i, value[i]);
    }
}

/* ---- modes ---------------------------------------------------------------------------------- */

void cns_blake3_key_plain(cns_blake3_key *key) {
    memcpy(key->words, cns_blake3_iv, sizeof key->words);
    key->flags = 0;
}

void cns_blake3_key_keyed(cns_blake3_key *key, const uint8_t bytes[32]) {
    for (int i = 0; i < 8; i++) {
        key->words[i] = cns_load32_le(bytes + 4 * i);
    }
    key->flags = CNS_BLAKE3_KEYED;
}

void cns_blake3_key_derive(cns_blake3_key *key, const cns_hash_kernels *kernels,
                           const uint8_t *context, size_t size) {
    cns_blake3_key plain;
    uint8_t derived[CNS_BLAKE3_VALUE];
    cns_blake3_key_plain(&plain);
    plain.flags = CNS_BLAKE3_DERIVE_CONTEXT;
    cns_blake3_digest(kernels, &plain, context, size, derived, sizeof derived);
    cns_blake3_key_keyed(key, derived);
    key->flags = CNS_BLAKE3_DERIVE_MATERIAL;
}

/* ---- nodes: the last compression, and output ------------------------------------------------ */

static void node_of_parent(cns_blake3_node *node, const cns_blake3_key *key, const uint8_t *left,
                           const uint8_t *right) {
    memcpy(node->value, key->words, sizeof node->value);
    memcpy(node->block, left, CNS_BLAKE3_VALUE);
    memcpy(node->block + CNS_BLAKE3_VALUE, right, CNS_BLAKE3_VALUE);
    node->length = CNS_BLAKE3_BLOCK;
    node->counter = 0;
    node->flags = key->flags | CNS_BLAKE3_PARENT;
}

static void node_value(const cns_blake3_node *node, const cns_hash_kernels *kernels,
                       uint8_t out[CNS_BLAKE3_VALUE]) {
    uint32_t value[8];
    memcpy(value, node->value, sizeof value);
    kernels->blake3_compress(value, node->block, 1, node->length, node->counter, node->flags);
    store_value(out, value);
}

static void node_output(const cns_blake3_node *node, const cns_hash_kernels *kernels,
                        uint64_t offset, uint8_t *out, size_t size) {
    uint32_t flags = node->flags | CNS_BLAKE3_ROOT;
    if (offset == 0 && size == CNS_BLAKE3_VALUE) {
        uint32_t value[8];
        memcpy(value, node->value, sizeof value);
        kernels->blake3_compress(value, node->block, 1, node->length, 0, flags);
        store_value(out, value);
        return;
    }
    while (size > 0) {
        uint8_t bytes[CNS_BLAKE3_BLOCK];
        size_t skip = offset % CNS_BLAKE3_BLOCK;
        size_t take = CNS_BLAKE3_BLOCK - skip;
        take = take < size ? take : size;
        kernels->blake3_expand(node->value, node->block, node->length, offset / CNS_BLAKE3_BLOCK,
                               flags, bytes);
        memcpy(out, bytes + skip, take);
        out += take;
        size -= take;
        offset += take;
    }
}

/* ---- many chunks at once -------------------------------------------------------------------- */

/* Chaining values of all chunks of `data`, the last one possibly short; returns their number.
 * requires: 0 < size <= SEGMENT chunks. */
static size_t hash_chunks(const cns_hash_kernels *kernels, const cns_blake3_key *key,
                          const uint8_t *data, size_t size, uint64_t counter,
                          chaining_value *values) {
    uint8_t tail[CNS_BLAKE3_BLOCK];
    cns_blake3_job job = {.key = key->words,
                          .flags = key->flags,
                          .flags_start = CNS_BLAKE3_CHUNK_START,
                          .flags_end = CNS_BLAKE3_CHUNK_END};
    size_t count = 0;
    while (size > 0) {
        uint32_t lane = job.lanes++;
        size_t length = size < CNS_BLAKE3_CHUNK ? size : CNS_BLAKE3_CHUNK;
        uint32_t blocks = (uint32_t)((length + CNS_BLAKE3_BLOCK - 1) / CNS_BLAKE3_BLOCK);
        uint32_t whole = (blocks - 1) * CNS_BLAKE3_BLOCK;
        job.input[lane] = data;
        job.last[lane] = data + whole;
        job.blocks[lane] = blocks;
        job.last_length[lane] = (uint32_t)length - whole;
        job.counter_low[lane] = (uint32_t)(counter + count);
        job.counter_high[lane] = (uint32_t)((counter + count) >> 32);
        job.out[lane] = values[count++];
        if (job.last_length[lane] < CNS_BLAKE3_BLOCK) {
            memset(tail, 0, sizeof tail);
            memcpy(tail, data + whole, job.last_length[lane]);
            job.last[lane] = tail;
        }
        data += length;
        size -= length;
        if (job.lanes == CNS_HASH_LANES || size == 0) {
            kernels->blake3_lanes(&job);
            job.lanes = 0;
        }
    }
    return count;
}

/* Pairs neighbours until at most `target` values are left; returns how many. */
static size_t reduce(const cns_hash_kernels *kernels, const cns_blake3_key *key,
                     chaining_value *values, size_t count, size_t target) {
    cns_blake3_job job = {.key = key->words, .flags = key->flags | CNS_BLAKE3_PARENT};
    for (uint32_t lane = 0; lane < CNS_HASH_LANES; lane++) {
        job.blocks[lane] = 1;
        job.last_length[lane] = CNS_BLAKE3_BLOCK;
    }
    while (count > target) {
        size_t pairs = count / 2;
        for (size_t done = 0; done < pairs; done += job.lanes) {
            size_t lanes = pairs - done < CNS_HASH_LANES ? pairs - done : CNS_HASH_LANES;
            for (size_t lane = 0; lane < lanes; lane++) {
                job.last[lane] = values[2 * (done + lane)];
                job.input[lane] = job.last[lane];
                job.out[lane] = values[done + lane];
            }
            job.lanes = (uint32_t)lanes;
            kernels->blake3_lanes(&job);
        }
        if (count & 1) {
            memmove(values[pairs], values[count - 1], CNS_BLAKE3_VALUE);
        }
        count = pairs + (count & 1);
    }
    return count;
}

/* ---- the state ------------------------------------------------------------------------------ */

void cns_blake3_init(cns_blake3 *state, const cns_hash_kernels *kernels,
                     const cns_blake3_key *key) {
    state->kernels = kernels;
    state->key = *key;
    state->chunks = 0;
    state->depth = 0;
    state->blocks = 0;
    state->filled = 0;
    memcpy(state->value, key->words, sizeof state->value);
}

static unsigned count_ones(uint64_t x) {
    unsigned n = 0;
    for (; x; x &= x - 1) {
        n++;
    }
    return n;
}

/* Merges what is complete: afterwards there is one value for each 1 bit in the chunk count.
 * requires: more input follows. */
static void merge(cns_blake3 *state) {
    unsigned target = count_ones(state->chunks);
    while (state->depth > target) {
        cns_blake3_node node;
        uint32_t left = state->depth - 2;
        node_of_parent(&node, &state->key, state->stack[left], state->stack[left + 1]);
        node_value(&node, state->kernels, state->stack[left]);
        state->depth--;
    }
}

static void push(cns_blake3 *state, const uint8_t value[CNS_BLAKE3_VALUE], uint64_t chunks) {
    merge(state);
    CNS_ASSERT(state->depth < CNS_BLAKE3_DEPTH);
    memcpy(state->stack[state->depth++], value, CNS_BLAKE3_VALUE);
    state->chunks += chunks;
}

static size_t open_size(const cns_blake3 *state) {
    return (size_t)state->blocks * CNS_BLAKE3_BLOCK + state->filled;
}

static void node_of_open_chunk(cns_blake3_node *node, const cns_blake3 *state) {
    memcpy(node->value, state->value, sizeof node->value);
    memset(node->block, 0, sizeof node->block);
    memcpy(node->block, state->buffer, state->filled);
    node->length = state->filled;
    node->counter = state->chunks;
    node->flags = state->key.flags | CNS_BLAKE3_CHUNK_END;
    node->flags |= state->blocks == 0 ? CNS_BLAKE3_CHUNK_START : 0;
}

static void close_chunk(cns_blake3 *state) {
    cns_blake3_node node;
    uint8_t value[CNS_BLAKE3_VALUE];
    node_of_open_chunk(&node, state);
    node_value(&node, state->kernels, value);
    push(state, value, 1);
    state->blocks = 0;
    state->filled = 0;
    memcpy(state->value, state->key.words, sizeof state->value);
}

static void compress_open(cns_blake3 *state, const uint8_t *blocks, size_t count) {
    uint32_t flags = state->key.flags;
    if (state->blocks == 0 && count > 0) {
        state->kernels->blake3_compress(state->value, blocks, 1, CNS_BLAKE3_BLOCK, state->chunks,
                                        flags | CNS_BLAKE3_CHUNK_START);
        state->blocks++;
        blocks += CNS_BLAKE3_BLOCK;
        count--;
    }
    state->kernels->blake3_compress(state->value, blocks, count, CNS_BLAKE3_BLOCK, state->chunks,
                                    flags);
    state->blocks += (uint32_t)count;
}

/* requires: open_size + size <= a chunk. */
static void fill_chunk(cns_blake3 *state, const uint8_t *data, size_t size) {
    size_t room = CNS_BLAKE3_BLOCK - state->filled;
    if (size > room) {
        if (state->filled > 0) {
            memcpy(state->buffer + state->filled, data, room);
            compress_open(state, state->buffer, 1);
            state->filled = 0;
            data += room;
            size -= room;
        }
        size_t whole = (size - 1) / CNS_BLAKE3_BLOCK; /* the last one, full or not, waits */
        compress_open(state, data, whole);
        data += whole * CNS_BLAKE3_BLOCK;
        size -= whole * CNS_BLAKE3_BLOCK;
    }
    memcpy(state->buffer + state->filled, data, size);
    state->filled += (uint32_t)size;
}

/* The largest complete subtree that can start here: a power of two of chunks, at most `limit`,
 * and of which the chunks so far are a multiple. requires: size >= a chunk. */
static size_t subtree_chunks(uint64_t chunks, size_t size, size_t limit) {
    size_t whole = size / CNS_BLAKE3_CHUNK;
    size_t subtree = (size_t)1 << cns_log2_floor(whole < limit ? whole : limit);
    if (chunks != 0) {
        uint64_t aligned = (uint64_t)1 << cns_count_trailing_zeros(chunks);
        subtree = aligned < subtree ? (size_t)aligned : subtree;
    }
    return subtree;
}

/* Both halves of a subtree are pushed apart, since their parent may turn out to be the root. */
static void add_subtree(cns_blake3 *state, const uint8_t *data, size_t chunks) {
    chaining_value values[CNS_BLAKE3_SEGMENT];
    hash_chunks(state->kernels, &state->key, data, chunks * CNS_BLAKE3_CHUNK, state->chunks,
                values);
    if (chunks == 1) {
        push(state, values[0], 1);
        return;
    }
    reduce(state->kernels, &state->key, values, chunks, 2);
    push(state, values[0], chunks / 2);
    push(state, values[1], chunks / 2);
}

void cns_blake3_update(cns_blake3 *state, const uint8_t *data, size_t size) {
    while (size > 0) {
        size_t open = open_size(state);
        size_t take;
        if (open == CNS_BLAKE3_CHUNK) {
            close_chunk(state);
            open = 0;
        }
        if (open > 0 || size <= CNS_BLAKE3_CHUNK) {
            take = size < CNS_BLAKE3_CHUNK - open ? size : CNS_BLAKE3_CHUNK - open;
            if (open == 0) {
                merge(state);
            }
            fill_chunk(state, data, take);
        } else {
            size_t chunks = subtree_chunks(state->chunks, size, CNS_BLAKE3_SEGMENT);
            add_subtree(state, data, chunks);
            take = chunks * CNS_BLAKE3_CHUNK;
        }
        data += take;
        size -= take;
    }
}

/* Joins the stack, right to left, onto the newest node: what is left is the root. */
static void fold(cns_blake3_node *node, const cns_blake3 *state, uint32_t depth) {
    while (depth > 0) {
        uint8_t right[CNS_BLAKE3_VALUE];
        node_value(node, state->kernels, right);
        node_of_parent(node, &state->key, state->stack[--depth], right);
    }
}

static void root_node(cns_blake3_node *node, const cns_blake3 *state) {
    uint32_t depth = state->depth;
    if (open_size(state) > 0 || depth == 0) {
        node_of_open_chunk(node, state);
    } else {
        CNS_ASSERT(depth >= 2); /* a single subtree is pushed as two halves */
        depth -= 2;
        node_of_parent(node, &state->key, state->stack[depth], state->stack[depth + 1]);
    }
    fold(node, state, depth);
}

void cns_blake3_read(const cns_blake3 *state, uint64_t offset, uint8_t *out, size_t size) {
    cns_blake3_node node;
    root_node(&node, state);
    node_output(&node, state->kernels, offset, out, size);
}

/* ---- one shot ------------------------------------------------------------------------------- */

static void digest_chunk(const cns_hash_kernels *kernels, const cns_blake3_key *key,
                         const uint8_t *data, size_t size, uint8_t *out, size_t out_size) {
    cns_blake3_node node = {.flags = key->flags | CNS_BLAKE3_CHUNK_START};
    memcpy(node.value, key->words, sizeof node.value);
    if (size > CNS_BLAKE3_BLOCK) {
        size_t more = (size - 1) / CNS_BLAKE3_BLOCK - 1;
        kernels->blake3_compress(node.value, data, 1, CNS_BLAKE3_BLOCK, 0, node.flags);
        node.flags = key->flags;
        kernels->blake3_compress(node.value, data + CNS_BLAKE3_BLOCK, more, CNS_BLAKE3_BLOCK, 0,
                                 node.flags);
        data += (more + 1) * CNS_BLAKE3_BLOCK;
        size -= (more + 1) * CNS_BLAKE3_BLOCK;
    }
    if (size > 0) {
        memcpy(node.block, data, size);
    }
    node.length = (uint32_t)size;
    node.flags |= CNS_BLAKE3_CHUNK_END;
    node_output(&node, kernels, 0, out, out_size);
}

/* The root when the message ends with a subtree, complete or not, of which one or two values are
 * left. requires: a second chunk somewhere. */
static void root_of_end(cns_blake3_node *node, cns_blake3 *state, chaining_value *values,
                        size_t count) {
    merge(state);
    uint32_t depth = state->depth;
    CNS_ASSERT(count == 2 || depth > 0);
    const uint8_t *left = count == 2 ? values[0] : state->stack[--depth];
    node_of_parent(node, &state->key, left, values[count - 1]);
    fold(node, state, depth);
}

void cns_blake3_digest(const cns_hash_kernels *kernels, const cns_blake3_key *key,
                       const uint8_t *data, size_t size, uint8_t *out, size_t out_size) {
    enum { SEGMENT_SIZE = CNS_BLAKE3_SEGMENT * CNS_BLAKE3_CHUNK };
    if (size <= CNS_BLAKE3_CHUNK) {
        digest_chunk(kernels, key, data, size, out, out_size);
        return;
    }
    cns_blake3 state;
    cns_blake3_init(&state, kernels, key);
    for (; size > SEGMENT_SIZE; size -= SEGMENT_SIZE, data += SEGMENT_SIZE) {
        add_subtree(&state, data, CNS_BLAKE3_SEGMENT);
    }
    /* The end need not be cut into complete subtrees: nothing follows it. */
    chaining_value values[CNS_BLAKE3_SEGMENT];
    cns_blake3_node node;
    size_t count = hash_chunks(kernels, key, data, size, state.chunks, values);
    count = reduce(kernels, key, values, count, 2);
    root_of_end(&node, &state, values, count);
    node_output(&node, kernels, 0, out, out_size);
}

/* ---- several threads ------------------------------------------------------------------------ */

typedef chaining_value value_pair[2];

typedef struct parallel_parts {
    const cns_hash_kernels *kernels;
    const cns_blake3_key *key;
    const uint8_t *data;
    size_t size;
    uint64_t chunks; /* before `data` */
    value_pair *values;
} parallel_parts;

static size_t part_size(size_t size, size_t index) {
    size_t left = size - index * CNS_BLAKE3_PART;
    return left < CNS_BLAKE3_PART ? left : CNS_BLAKE3_PART;
}

/* Both halves of one subtree (or the value of a single chunk at the very end). */
static void hash_halves(const cns_hash_kernels *kernels, const cns_blake3_key *key,
                        const uint8_t *data, size_t size, uint64_t chunk, uint8_t *halves) {
    chaining_value values[CNS_BLAKE3_PART / CNS_BLAKE3_CHUNK];
    size_t count = hash_chunks(kernels, key, data, size, chunk, values);
    count = reduce(kernels, key, values, count, 2);
    memcpy(halves, values, count * CNS_BLAKE3_VALUE);
}

void cns_blake3_hash_part(const cns_blake3 *state, const uint8_t *data, uint64_t chunk,
                          uint8_t halves[2 * CNS_BLAKE3_VALUE]) {
    hash_halves(state->kernels, &state->key, data, CNS_BLAKE3_PART, chunk, halves);
}

void cns_blake3_add_part(cns_blake3 *state, const uint8_t halves[2 * CNS_BLAKE3_VALUE]) {
    const uint64_t half = CNS_BLAKE3_PART / CNS_BLAKE3_CHUNK / 2;
    CNS_ASSERT(open_size(state) == 0 && state->chunks % (2 * half) == 0);
    push(state, halves, half);
    push(state, halves + CNS_BLAKE3_VALUE, half);
}

static void hash_part(const parallel_parts *parts, size_t index) {
    uint64_t chunk = parts->chunks + (uint64_t)index * (CNS_BLAKE3_PART / CNS_BLAKE3_CHUNK);
    hash_halves(parts->kernels, parts->key, parts->data + index * CNS_BLAKE3_PART,
                part_size(parts->size, index), chunk, parts->values[index][0]);
}

static cns_status hash_part_range(void *user, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
        hash_part(user, (size_t)i);
    }
    return CNS_OK;
}

/* Hashes up to a window of parts on all threads and pushes all that are complete. */
static cns_status add_window(cns_blake3 *state, const uint8_t *data, size_t size,
                             const cns_executor *executor, value_pair *values) {
    parallel_parts parts = {state->kernels, &state->key, data, size, state->chunks, values};
    size_t count = (size + CNS_BLAKE3_PART - 1) / CNS_BLAKE3_PART;
    cns_status status =
        executor->parallel_for(executor->pool, 0, (int64_t)count, 1, hash_part_range, &parts);
    if (status != CNS_OK) {
        return status;
    }
    for (size_t i = 0; i < size / CNS_BLAKE3_PART; i++) {
        cns_blake3_add_part(state, values[i][0]);
    }
    return CNS_OK;
}

static bool pays_in_parallel(size_t size, const cns_executor *executor) {
    return executor && executor->workers > 1 && size >= CNS_BLAKE3_PARALLEL_MINIMUM;
}

cns_status cns_blake3_digest_parallel(const cns_hash_kernels *kernels, const cns_blake3_key *key,
                                      const uint8_t *data, size_t size, uint8_t *out,
                                      size_t out_size, const cns_executor *executor) {
    if (!pays_in_parallel(size, executor)) {
        cns_blake3_digest(kernels, key, data, size, out, out_size);
        return CNS_OK;
    }
    value_pair values[PARALLEL_WINDOW];
    const size_t window = (size_t)PARALLEL_WINDOW * CNS_BLAKE3_PART;
    cns_blake3 state;
    cns_blake3_init(&state, kernels, key);
    for (; size > window; size -= window, data += window) {
        cns_status status = add_window(&state, data, window, executor, values);
        if (status != CNS_OK) {
            return status;
        }
    }
    /* The end, complete or not, is one of the parts; only a complete one was pushed. */
    cns_status status = add_window(&state, data, size, executor, values);
    if (status != CNS_OK) {
        return status;
    }
    size_t rest = size % CNS_BLAKE3_PART;
    if (rest == 0) {
        cns_blake3_read(&state, 0, out, out_size);
        return CNS_OK;
    }
    cns_blake3_node node;
    root_of_end(&node, &state, values[size / CNS_BLAKE3_PART], rest > CNS_BLAKE3_CHUNK ? 2 : 1);
    node_output(&node, kernels, 0, out, out_size);
    return CNS_OK;
}
