/* SPDX-License-Identifier: MIT
 *
 * test_cache.c - the folder of a cache: what is kept comes back whole or not at all, whatever
 * happens to the files; others' folders and files are left alone; the limit; many at once.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "base/rng.h"
#include "cns/hash.h"
#include "support.h"
#include "vm/cache.h"

enum { HEAD = 4 + 4 + CNS_CACHE_KEY + 8, DIGEST = 32, PAYLOAD = 300, BLOCK = 4096 };

/* ---- a folder to work in --------------------------------------------------------------------- */

typedef struct place {
    cns_context *context;
    char root[64];
    char path[128];
    cns_cache cache;
} place;

static void place_open(place *p, uint64_t limit) {
    p->context = support_context();
    snprintf(p->root, sizeof p->root, "/tmp/cns-cache-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(p->root));
    snprintf(p->path, sizeof p->path, "%s/a/b", p->root);
    support_status(p->context, CNS_OK, cns_cache_init(&p->cache, p->context, p->path, limit));
}

static void place_close(place *p) {
    char line[128];
    cns_cache_deinit(&p->cache);
    support_context_destroy(p->context);
    snprintf(line, sizeof line, "rm -rf '%s'", p->root);
    ck_assert_int_eq(system(line), 0);
}

/* Key and payload of a number. */
static void key_of(uint64_t number, uint8_t key[CNS_CACHE_KEY]) {
    ck_assert_int_eq(
        cns_hash_digest(NULL, CNS_HASH_BLAKE3, NULL, &number, sizeof number, key, CNS_CACHE_KEY),
        CNS_OK);
}

static void payload_of(uint64_t number, uint8_t *payload, size_t size) {
    cns_rng rng;
    cns_rng_seed(&rng, number);
    for (size_t i = 0; i < size; i++) {
        payload[i] = (uint8_t)cns_rng_next(&rng);
    }
}

static const char *file_of(const place *p, uint64_t number) {
    static char path[300];
    uint8_t key[CNS_CACHE_KEY];
    char hex[2 * CNS_CACHE_KEY + 1];
    key_of(number, key);
    cns_hash_hex(key, sizeof key, hex);
    snprintf(path, sizeof path, "%s/%s.code", p->path, hex);
    return path;
}

static bool put_why(place *p, uint64_t number, char *why) {
    uint8_t key[CNS_CACHE_KEY], payload[PAYLOAD];
    key_of(number, key);
    payload_of(number, payload, PAYLOAD);
    return cns_cache_put(&p->cache, key, payload, PAYLOAD, why, CNS_CACHE_WHY);
}

static void put(place *p, uint64_t number) {
    char why[CNS_CACHE_WHY] = "";
    ck_assert_msg(put_why(p, number, why), "%s", why);
}

static void refused(place *p, uint64_t number, const char *reason) {
    char why[CNS_CACHE_WHY] = "";
    ck_assert(!put_why(p, number, why));
    ck_assert_msg(strstr(why, reason) && strstr(why, p->path), "\"%s\" is not in \"%s\"", reason,
                  why);
}

/* What is found is always right. */
static bool there(const cns_cache *cache, uint64_t number) {
    uint8_t key[CNS_CACHE_KEY], payload[PAYLOAD];
    cns_cache_entry entry;
    key_of(number, key);
    if (!cns_cache_get(cache, key, &entry)) {
        return false;
    }
    payload_of(number, payload, PAYLOAD);
    ck_assert_uint_eq(entry.size, PAYLOAD);
    ck_assert_int_eq(memcmp(entry.payload, payload, PAYLOAD), 0);
    cns_cache_release(cache, &entry);
    return true;
}

static cns_cache_usage usage_of(place *p) {
    cns_cache_usage usage;
    char why[CNS_CACHE_WHY] = "";
    ck_assert_msg(cns_cache_measure(&p->cache, &usage, why, sizeof why), "%s", why);
    return usage;
}

static void write_file(const char *path, const void *bytes, size_t size) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, bytes, size), (ssize_t)size);
    close(file);
}

static void make_old(const char *path, int seconds) {
    struct timespec times[2];
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= seconds;
    times[1] = times[0];
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* ---- keeping --------------------------------------------------------------------------------- */

START_TEST(what_is_kept_comes_back) {
    place p;
    place_open(&p, 0);
    ck_assert_uint_eq(usage_of(&p).files, 0); /* nor is it made by looking */
    ck_assert_int_ne(access(p.path, F_OK), 0);
    ck_assert(!there(&p.cache, 1));
    put(&p, 1);
    put(&p, 2);
    put(&p, 2);
    ck_assert(there(&p.cache, 1) && there(&p.cache, 2) && !there(&p.cache, 3));
    ck_assert_uint_eq(usage_of(&p).files, 2);
    ck_assert_uint_eq(usage_of(&p).bytes, 2 * BLOCK);
    struct stat info;
    ck_assert_int_eq(stat(p.path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0700);
    ck_assert_int_eq(stat(file_of(&p, 1), &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0600);
    ck_assert_int_eq(info.st_size, HEAD + PAYLOAD + DIGEST);
    place_close(&p);
}
END_TEST

START_TEST(clearing_removes_entries_only) {
    place p;
    char path[200], why[CNS_CACHE_WHY];
    cns_cache_usage removed;
    place_open(&p, 0);
    ck_assert(cns_cache_clear(&p.cache, &removed, why, sizeof why));
    ck_assert_uint_eq(removed.files, 0);
    for (uint64_t i = 0; i < 5; i++) {
        put(&p, i);
    }
    snprintf(path, sizeof path, "%s/.unfinished-0123456789abcdef", p.path);
    write_file(path, "x", 1);
    make_old(path, 3600);
    snprintf(path, sizeof path, "%s/a-file-of-mine.code", p.path);
    write_file(path, "x", 1);
    ck_assert(cns_cache_clear(&p.cache, &removed, why, sizeof why));
    ck_assert_uint_eq(removed.files, 6);
    ck_assert_uint_eq(removed.bytes, 6 * BLOCK);
    ck_assert_uint_eq(usage_of(&p).files, 0);
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert(!there(&p.cache, 0));
    put(&p, 0);
    place_close(&p);
}
END_TEST

START_TEST(a_folder_that_vanishes_is_made_again) {
    place p;
    char line[160];
    place_open(&p, 0);
    put(&p, 1);
    snprintf(line, sizeof line, "rm -r '%s/a'", p.root);
    ck_assert_int_eq(system(line), 0);
    ck_assert(!there(&p.cache, 1));
    put(&p, 1);
    ck_assert(there(&p.cache, 1));
    place_close(&p);
}
END_TEST

START_TEST(paths_are_checked) {
    cns_context *context = support_context();
    cns_cache cache;
    support_status(context, CNS_E_INVALID, cns_cache_init(&cache, context, "relative", 0));
    for (int i = 0; i < 2; i++) {
        support_status(context, CNS_OK, cns_cache_init(&cache, context, i ? "" : NULL, 0));
        ck_assert_ptr_null(cache.path);
        ck_assert(!there(&cache, 1));
        cns_cache_deinit(&cache);
    }
    support_context_destroy(context);
}
END_TEST

/* ---- damage ---------------------------------------------------------------------------------- */

typedef struct image {
    uint8_t bytes[HEAD + PAYLOAD + DIGEST];
} image;

static image image_of(place *p, uint64_t number) {
    image i;
    put(p, number);
    int file = open(file_of(p, number), O_RDONLY);
    ck_assert_int_eq(read(file, i.bytes, sizeof i.bytes), (ssize_t)sizeof i.bytes);
    close(file);
    return i;
}

START_TEST(damage_is_absence) {
    place p;
    place_open(&p, 0);
    image good = image_of(&p, 7);
    for (size_t at = 0; at < sizeof good.bytes; at++) {
        image bad = good;
        bad.bytes[at] ^= (uint8_t)(1u << at % 8);
        write_file(file_of(&p, 7), bad.bytes, sizeof bad.bytes);
        ck_assert_msg(!there(&p.cache, 7), "byte %zu was changed", at);
        write_file(file_of(&p, 7), good.bytes, at);
        ck_assert_msg(!there(&p.cache, 7), "cut to %zu bytes", at);
    }
    uint8_t longer[sizeof good.bytes + 1] = {0};
    memcpy(longer, good.bytes, sizeof good.bytes);
    write_file(file_of(&p, 7), longer, sizeof longer);
    ck_assert(!there(&p.cache, 7));
    write_file(file_of(&p, 8), good.bytes, sizeof good.bytes); /* of another key */
    ck_assert(!there(&p.cache, 8));
    put(&p, 7);
    put(&p, 8);
    ck_assert(there(&p.cache, 7) && there(&p.cache, 8));
    place_close(&p);
}
END_TEST

/* With a digest that is right. */
START_TEST(forged_sizes_are_absence) {
    place p;
    place_open(&p, 0);
    const image good = image_of(&p, 7);
    const uint64_t sizes[] = {0, 1, PAYLOAD - 1, PAYLOAD + 1, UINT32_MAX, UINT64_MAX, 1u << 28};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        image bad = good;
        for (int b = 0; b < 8; b++) {
            bad.bytes[HEAD - 8 + b] = (uint8_t)(sizes[i] >> 8 * b);
        }
        ck_assert_int_eq(cns_hash_digest(NULL, CNS_HASH_BLAKE3, NULL, bad.bytes, HEAD + PAYLOAD,
                                         bad.bytes + HEAD + PAYLOAD, DIGEST),
                         CNS_OK);
        write_file(file_of(&p, 7), bad.bytes, sizeof bad.bytes);
        ck_assert(!there(&p.cache, 7));
    }
    ck_assert_int_eq(truncate(file_of(&p, 7), (off_t)1 << 40), 0); /* a hole: nothing is read */
    ck_assert(!there(&p.cache, 7));
    place_close(&p);
}
END_TEST

/* ---- whose it is ----------------------------------------------------------------------------- */

START_TEST(what_others_may_write_is_not_used) {
    place p;
    cns_cache_usage usage;
    char why[CNS_CACHE_WHY];
    place_open(&p, 0);
    put(&p, 1);
    static const mode_t open_to_others[] = {0770, 0702, 0777};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(chmod(p.path, open_to_others[i]), 0);
        ck_assert(!there(&p.cache, 1));
        refused(&p, 2, "others may write to it");
        ck_assert(!cns_cache_measure(&p.cache, &usage, why, sizeof why));
        ck_assert(!cns_cache_clear(&p.cache, &usage, why, sizeof why));
    }
    ck_assert_int_eq(chmod(p.path, 0755), 0); /* to read is no harm */
    ck_assert(there(&p.cache, 1));
    ck_assert_int_eq(chmod(file_of(&p, 1), 0620), 0);
    ck_assert(!there(&p.cache, 1));
    put(&p, 1); /* replaced */
    ck_assert(there(&p.cache, 1));
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(file_of(&p, 1), 1, 1), 0);
        ck_assert(!there(&p.cache, 1));
        ck_assert_int_eq(chown(p.path, 1, 1), 0);
        refused(&p, 2, "it belongs to another user");
    }
    place_close(&p);
}
END_TEST

START_TEST(odd_files_are_not_used) {
    place p;
    char target[200];
    place_open(&p, 0);
    image good = image_of(&p, 1);
    snprintf(target, sizeof target, "%s/elsewhere", p.root);
    write_file(target, good.bytes, sizeof good.bytes);
    ck_assert_int_eq(unlink(file_of(&p, 1)), 0);
    ck_assert_int_eq(symlink(target, file_of(&p, 1)), 0);
    ck_assert(!there(&p.cache, 1));
    put(&p, 1); /* in the link's place */
    ck_assert(there(&p.cache, 1));
    ck_assert_int_eq(unlink(file_of(&p, 1)), 0);
    ck_assert_int_eq(mkfifo(file_of(&p, 1), 0600), 0);
    ck_assert(!there(&p.cache, 1)); /* and does not wait */
    ck_assert_int_eq(unlink(file_of(&p, 1)), 0);
    ck_assert_int_eq(mkdir(file_of(&p, 1), 0700), 0);
    ck_assert(!there(&p.cache, 1));
    refused(&p, 1, "irectory");
    ck_assert_uint_eq(usage_of(&p).files, 0); /* nothing unfinished is left */
    place_close(&p);
}
END_TEST

START_TEST(failures_have_reasons) {
    place p;
    char path[200], why[CNS_CACHE_WHY];
    cns_cache_usage usage;
    place_open(&p, 0);
    snprintf(path, sizeof path, "%s/a", p.root);
    write_file(path, "x", 1); /* a file where a folder should be */
    refused(&p, 1, "ot a directory");
    ck_assert(!there(&p.cache, 1));
    ck_assert(!cns_cache_measure(&p.cache, &usage, why, sizeof why));
    ck_assert_int_eq(unlink(path), 0);
    if (geteuid() != 0) { /* whom nothing stops */
        ck_assert_int_eq(chmod(p.root, 0500), 0);
        refused(&p, 1, "ermission denied");
        ck_assert(!cns_cache_measure(&p.cache, &usage, why, sizeof why));
        ck_assert_ptr_nonnull(strstr(why, "ermission denied"));
        ck_assert_int_eq(chmod(p.root, 0700), 0);
    }
    uint8_t key[CNS_CACHE_KEY];
    key_of(1, key); /* assertions write to a file, too, so that the child has none */
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit small = {100, 100};
        bool kept = setrlimit(RLIMIT_FSIZE, &small) != 0 ||
                    cns_cache_put(&p.cache, key, key, sizeof key, why, sizeof why);
        _exit(kept || !strstr(why, "too large"));
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0); /* not ended by a signal */
    put(&p, 1);
    ck_assert(there(&p.cache, 1));
    p.cache.limit = BLOCK - 1;
    refused(&p, 1, "limit");
    place_close(&p);
}
END_TEST

/* ---- the limit ------------------------------------------------------------------------------- */

enum { FIT = 16 };

START_TEST(the_least_recently_used_go) {
    place p;
    place_open(&p, (uint64_t)FIT * BLOCK);
    for (uint64_t i = 0; i < FIT; i++) {
        put(&p, i);
        make_old(file_of(&p, i), 10000 - (int)i * 100);
    }
    ck_assert_uint_eq(usage_of(&p).files, FIT);
    for (uint64_t i = 0; i < 4; i++) {
        ck_assert(there(&p.cache, i)); /* used again */
    }
    for (uint64_t i = 0; i < 6; i++) {
        put(&p, 100 + i);
        ck_assert_uint_le(usage_of(&p).bytes, (uint64_t)FIT * BLOCK);
    }
    for (uint64_t i = 0; i < FIT; i++) {
        ck_assert_msg(there(&p.cache, i) == (i < 4 || i >= 10), "entry %d", (int)i);
    }
    place_close(&p);
}
END_TEST

START_TEST(what_was_never_finished_goes) {
    place p;
    char old[200], fresh[200];
    place_open(&p, (uint64_t)FIT * BLOCK);
    put(&p, 1);
    snprintf(old, sizeof old, "%s/.unfinished-0000000000000001", p.path);
    snprintf(fresh, sizeof fresh, "%s/.unfinished-0000000000000002", p.path);
    write_file(old, "x", 1);
    write_file(fresh, "x", 1);
    make_old(old, 2 * 3600);
    ck_assert_uint_eq(usage_of(&p).files, 3);
    put(&p, 2);
    ck_assert_int_ne(access(old, F_OK), 0);
    ck_assert_int_eq(access(fresh, F_OK), 0);
    place_close(&p);
}
END_TEST

/* A limit of many entries is not looked at in each write, and holds all the same. */
START_TEST(a_large_limit_holds) {
    place p;
    const uint64_t limit = (uint64_t)400 * BLOCK;
    uint64_t most = 0;
    place_open(&p, limit);
    for (uint64_t i = 0; i < 2000; i++) {
        put(&p, i);
        if (i % 50 == 49) {
            uint64_t bytes = usage_of(&p).bytes;
            most = bytes > most ? bytes : most;
        }
    }
    /* Sweeps are 12.5 writes apart on average; 400 apart is once in e^32 times. */
    ck_assert_uint_le(most, 2 * limit);
    ck_assert_uint_ge(most, limit / 2);
    place_close(&p);
}
END_TEST

/* ---- many at once ---------------------------------------------------------------------------- */

enum { NUMBERS = 40, STEPS = 400, PROCESSES = 4 };

static void use_at_random(place *p, uint64_t seed) {
    cns_rng rng;
    char why[CNS_CACHE_WHY];
    cns_rng_seed(&rng, seed);
    for (int i = 0; i < STEPS; i++) {
        uint64_t number = cns_rng_below(&rng, NUMBERS);
        if (!there(&p->cache, number)) {
            put(p, number);
        }
        if (cns_rng_below(&rng, 200) == 0) {
            cns_cache_usage removed;
            ck_assert_msg(cns_cache_clear(&p->cache, &removed, why, sizeof why), "%s", why);
        }
    }
}

START_TEST(processes_share_it) {
    place p;
    pid_t children[PROCESSES];
    place_open(&p, (uint64_t)FIT * BLOCK);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            use_at_random(&p, (uint64_t)i);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    put(&p, NUMBERS);
    ck_assert_uint_le(usage_of(&p).bytes, (uint64_t)FIT * BLOCK);
    place_close(&p);
}
END_TEST

typedef struct worker {
    place *p;
    uint64_t seed;
    cns_os_thread thread;
} worker;

static void work(void *argument) {
    worker *w = argument;
    use_at_random(w->p, w->seed);
}

START_TEST(threads_share_it) {
    place p;
    worker workers[PROCESSES];
    place_open(&p, (uint64_t)FIT * BLOCK);
    for (uint64_t i = 0; i < PROCESSES; i++) {
        workers[i] = (worker){.p = &p, .seed = 10 + i};
        ck_assert_int_eq(cns_os_thread_create(&workers[i].thread, work, &workers[i], "cache", 0),
                         0);
    }
    for (int i = 0; i < PROCESSES; i++) {
        cns_os_thread_join(&workers[i].thread);
    }
    put(&p, NUMBERS);
    ck_assert_uint_le(usage_of(&p).bytes, (uint64_t)FIT * BLOCK);
    place_close(&p);
}
END_TEST

/* ---- failing allocations --------------------------------------------------------------------- */

static char failing_path[128];

/* For want of memory an entry is not found or not kept, which is no failure. */
static cns_status keep_and_find(cns_context *context) {
    cns_cache cache;
    char why[CNS_CACHE_WHY];
    uint8_t key[CNS_CACHE_KEY], payload[PAYLOAD];
    cns_status status = cns_cache_init(&cache, context, failing_path, BLOCK);
    if (status != CNS_OK) {
        return status;
    }
    for (uint64_t i = 0; i < 2; i++) { /* the second one sweeps */
        key_of(i, key);
        payload_of(i, payload, PAYLOAD);
        bool kept = cns_cache_put(&cache, key, payload, PAYLOAD, why, sizeof why);
        ck_assert_msg(kept || strstr(why, "not enough memory"), "%s", why);
        bool found = there(&cache, i);
        status = kept && found ? status : CNS_E_NOMEM;
    }
    cns_cache_deinit(&cache);
    return status;
}

START_TEST(allocations_may_fail) {
    place p;
    place_open(&p, 0);
    memcpy(failing_path, p.path, sizeof failing_path);
    support_each_allocation_fails(keep_and_find);
    place_close(&p);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cache");
    TCase *cases = tcase_create("cache");
    tcase_set_timeout(cases, 240);
    tcase_add_test(cases, what_is_kept_comes_back);
    tcase_add_test(cases, clearing_removes_entries_only);
    tcase_add_test(cases, a_folder_that_vanishes_is_made_again);
    tcase_add_test(cases, paths_are_checked);
    tcase_add_test(cases, damage_is_absence);
    tcase_add_test(cases, forged_sizes_are_absence);
    tcase_add_test(cases, what_others_may_write_is_not_used);
    tcase_add_test(cases, odd_files_are_not_used);
    tcase_add_test(cases, failures_have_reasons);
    tcase_add_test(cases, the_least_recently_used_go);
    tcase_add_test(cases, what_was_never_finished_goes);
    tcase_add_test(cases, a_large_limit_holds);
    tcase_add_test(cases, processes_share_it);
    tcase_add_test(cases, threads_share_it);
    tcase_add_test(cases, allocations_may_fail);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
