/* SPDX-License-Identifier: MIT
 *
 * bench_hash.c - digests against OpenSSL, libb2, the b3sum command, and against themselves one
 * message at a time or on one thread. An operation is one message, batch or file, named in the
 * line with its size; every answer is compared with the peer's.
 */
#define _GNU_SOURCE /* popen, mkstemp */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "bench.h"
#include "cns/hash.h"
#include "cns/tasks.h"

#if defined(BENCH_OPENSSL)
#include <openssl/evp.h>
#endif
#if defined(BENCH_B2)
#include <blake2.h>
#endif

enum { ROUNDS = 15, DATA_SIZE = 64 << 20, MESSAGES = 4096, BYTES_A_ROUND = 8 << 20 };

typedef struct work {
    cns_context *context;
    cns_hash_algorithm algorithm;
    const uint8_t *data;
    size_t size;
    const cns_executor *executor;
    const void *messages[MESSAGES];
    size_t sizes[MESSAGES];
    const char *path;
    uint8_t *out;
} work;

static uint64_t add_up(const uint8_t *bytes, size_t size) {
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i += 8) {
        sum = sum * 31 + (size - i >= 8 ? cns_load64_le(bytes + i) : cns_load32_le(bytes + i));
    }
    return sum;
}

/* ---- our side ------------------------------------------------------------------------------- */

static uint64_t one_shot(void *user, uint64_t operations) {
    work *w = user;
    for (uint64_t i = 0; i < operations; i++) {
        cns_hash_digest(w->context, w->algorithm, NULL, w->data, w->size, w->out, 64);
    }
    return add_up(w->out, cns_hash_digest_size(w->algorithm));
}

static uint64_t threaded(void *user, uint64_t operations) {
    work *w = user;
    for (uint64_t i = 0; i < operations; i++) {
        cns_hash_parallel(w->context, w->algorithm, NULL, w->data, w->size, w->out, 64,
                          w->executor);
    }
    return add_up(w->out, cns_hash_digest_size(w->algorithm));
}

static uint64_t batch(void *user, uint64_t operations) {
    work *w = user;
    size_t digest_size = cns_hash_digest_size(w->algorithm);
    for (uint64_t i = 0; i < operations; i++) {
        cns_hash_batch(w->context, w->algorithm, NULL, w->messages, w->sizes, MESSAGES, w->out,
                       MESSAGES * digest_size, w->executor);
    }
    return add_up(w->out, MESSAGES * digest_size);
}

static uint64_t file(void *user, uint64_t operations) {
    work *w = user;
    for (uint64_t i = 0; i < operations; i++) {
        cns_hash_file(w->context, w->algorithm, NULL, w->path, w->out, 64, w->executor);
    }
    return add_up(w->out, cns_hash_digest_size(w->algorithm));
}

/* ---- peers ---------------------------------------------------------------------------------- */

static uint64_t one_by_one(void *user, uint64_t operations) {
    work *w = user;
    size_t digest_size = cns_hash_digest_size(w->algorithm);
    for (uint64_t i = 0; i < operations; i++) {
        for (size_t m = 0; m < MESSAGES; m++) {
            cns_hash_digest(w->context, w->algorithm, NULL, w->messages[m], w->sizes[m],
                            w->out + m * digest_size, digest_size);
        }
    }
    return add_up(w->out, MESSAGES * digest_size);
}

#if defined(BENCH_OPENSSL)
static uint64_t evp_blake2b(void *user, uint64_t operations) {
    work *w = user;
    const EVP_MD *algorithm = EVP_blake2b512();
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    for (uint64_t i = 0; i < operations; i++) {
        EVP_DigestInit_ex(digest, algorithm, NULL);
        EVP_DigestUpdate(digest, w->data, w->size);
        EVP_DigestFinal_ex(digest, w->out, NULL);
    }
    EVP_MD_CTX_free(digest);
    return add_up(w->out, 64);
}
#define OPENSSL_PEER evp_blake2b
#else
#define OPENSSL_PEER NULL
#endif

#if defined(BENCH_B2)
static uint64_t libb2_blake2b(void *user, uint64_t operations) {
    work *w = user;
    for (uint64_t i = 0; i < operations; i++) {
        blake2b(w->out, w->data, NULL, 64, w->size, 0);
    }
    return add_up(w->out, 64);
}
#define B2_PEER libb2_blake2b
#else
#define B2_PEER NULL
#endif

/* The command with its start, as someone at a terminal pays for it. */
static uint64_t b3sum(const work *w, uint64_t operations, const char *threads) {
    char command[256], line[128] = "";
    uint8_t digest[32] = {0};
    snprintf(command, sizeof command, "b3sum %s --no-names %s", threads, w->path);
    for (uint64_t i = 0; i < operations; i++) {
        FILE *pipe = popen(command, "r");
        if (!pipe || !fgets(line, sizeof line, pipe)) {
            line[0] = '\0';
        }
        if (pipe) {
            pclose(pipe);
        }
    }
    for (size_t i = 0; i < 32 && strlen(line) >= 64; i++) {
        unsigned byte = 0;
        sscanf(line + 2 * i, "%2x", &byte);
        digest[i] = (uint8_t)byte;
    }
    return add_up(digest, 32);
}

static uint64_t b3sum_one_thread(void *user, uint64_t operations) {
    return b3sum(user, operations, "--num-threads 1");
}

static uint64_t b3sum_threads(void *user, uint64_t operations) {
    return b3sum(user, operations, "");
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void line(work *w, const char *what, size_t size, bench_fn ours, bench_fn peer) {
    char name[64];
    w->size = size;
    snprintf(name, sizeof name, "%s %zu B", what, size);
    bench_compare(name, ours, peer, w, ROUNDS, BYTES_A_ROUND / (size + 256) + 1);
}

static const size_t lengths[] = {64, 1024, 16384, 1 << 20};
enum { LENGTHS = sizeof lengths / sizeof lengths[0] };

static void bench_blake2b(work *w) {
    w->algorithm = CNS_HASH_BLAKE2B;
    bench_header("blake2b-512, one message, one thread", "OpenSSL ns");
    for (int i = 0; i < LENGTHS; i++) {
        line(w, "blake2b", lengths[i], one_shot, OPENSSL_PEER);
    }
    bench_header("blake2b-512, one message, one thread", "libb2 ns");
    for (int i = 0; i < LENGTHS; i++) {
        line(w, "blake2b", lengths[i], one_shot, B2_PEER);
    }
}

static void bench_alone(work *w) {
    static const cns_hash_algorithm algorithms[] = {CNS_HASH_BLAKE3, CNS_HASH_CRC32C,
                                                    CNS_HASH_XXH3_64};
    bench_header("one message, one thread", "-");
    for (int a = 0; a < 3; a++) {
        w->algorithm = algorithms[a];
        for (int i = 0; i < LENGTHS; i++) {
            line(w, cns_hash_name(w->algorithm), lengths[i], one_shot, NULL);
        }
    }
}

static void fill_messages(work *w, size_t size, bool mixed) {
    for (size_t i = 0; i < MESSAGES; i++) {
        w->messages[i] = w->data + i * 1024;
        w->sizes[i] = mixed ? i * 40503 % size : size;
    }
}

static void bench_batches(work *w) {
    static const size_t sizes[] = {64, 190, 1000};
    static const cns_hash_algorithm algorithms[] = {CNS_HASH_BLAKE3, CNS_HASH_BLAKE2B};
    bench_header("4096 messages, one thread: batch", "1 by 1 ns");
    for (int a = 0; a < 2; a++) {
        w->algorithm = algorithms[a];
        for (int i = 0; i < 6; i++) {
            char name[64];
            size_t size = sizes[i / 2];
            fill_messages(w, size, i % 2);
            snprintf(name, sizeof name, "%s %s%zu B", cns_hash_name(w->algorithm),
                     i % 2 ? "mixed below " : "all ", size);
            bench_compare(name, batch, one_by_one, w, ROUNDS, 4);
        }
    }
}

static void bench_threads(work *w, const cns_executor *executor) {
    static const size_t sizes[] = {128 << 10, 256 << 10, 512 << 10, 1 << 20, 16 << 20, 64 << 20};
    bench_header("blake3, one message: all threads", "1 thread ns");
    w->algorithm = CNS_HASH_BLAKE3;
    w->executor = executor;
    for (int i = 0; i < 6; i++) {
        line(w, "blake3", sizes[i], threaded, one_shot);
    }
    w->executor = NULL;
}

static void bench_files(work *w, const cns_executor *executor) {
    char path[] = "/tmp/cns_bench_hash_XXXXXX";
    int handle = mkstemp(path);
    FILE *stream = handle < 0 ? NULL : fdopen(handle, "wb");
    if (!stream || fwrite(w->data, 1, DATA_SIZE, stream) != DATA_SIZE || fclose(stream) != 0) {
        printf("\nblake3 of a file: not measured (no room in /tmp)\n");
        return;
    }
    bool known = system("command -v b3sum >/dev/null 2>&1") == 0;
    w->algorithm = CNS_HASH_BLAKE3;
    w->path = path;
    bench_header("blake3 of a 64 MiB file, cached", "b3sum ns");
    bench_compare("one thread", file, known ? b3sum_one_thread : NULL, w, ROUNDS, 1);
    w->executor = executor;
    bench_compare("all threads", file, known ? b3sum_threads : NULL, w, ROUNDS, 1);
    w->executor = NULL;
    unlink(path);
}

static int run(work *w, uint8_t *data) {
    cns_tasks *tasks = NULL;
    cns_executor executor;
    for (size_t i = 0; i < DATA_SIZE; i++) {
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    w->data = data;
    if (cns_tasks_create(w->context, NULL, &tasks) != CNS_OK) {
        return EXIT_FAILURE;
    }
    cns_tasks_executor(tasks, &executor);
    printf("level %s, %u threads\n", cns_cpu_level_name(cns_context_cpu_level(w->context)),
           (unsigned)executor.workers);
    bench_blake2b(w);
    bench_alone(w);
    bench_batches(w);
    bench_threads(w, &executor);
    bench_files(w, &executor);
    cns_tasks_destroy(tasks);
    return bench_exit_code();
}

int main(void) {
    int code = EXIT_FAILURE;
    work *w = calloc(1, sizeof *w);
    uint8_t *data = malloc(DATA_SIZE);
    uint8_t *out = malloc(MESSAGES * 64);
    if (w && data && out && cns_context_create(NULL, &w->context) == CNS_OK) {
        w->out = out;
        code = run(w, data);
        cns_context_destroy(w->context);
    }
    free(out);
    free(data);
    free(w);
    return code;
}
