/* SPDX-License-Identifier: MIT
 *
 * noise.c - clock, pauses, late sleeps, A/A pairs, stolen time.
 *
 * A/A runs one piece of work twice in turn and looks at the ratios: whatever differs is noise. The
 * interval of the median is the one of order statistics, which assumes no distribution (n/2 +-
 * 0.98 sqrt n).
 */
#define _POSIX_C_SOURCE 200809L

#include "noise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    MOST_PAIRS = 2000,
    SLEEPS = 60,
    PAUSE_NS = 20000,
    SPIN_NS = 300000000,
    PAIRS_NS = 600000000,
    WORK_BYTES = 64 << 10
};

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Spins on the clock: its cost, its step, and the gaps in which someone else ran. */
static void measure_pauses(noise_report *out) {
    uint64_t begin = now_ns(), last = begin, lost = 0, readings = 0;
    out->clock_step_ns = UINT64_MAX;
    while (last - begin < SPIN_NS) {
        uint64_t now = now_ns(), gap = now - last;
        readings++;
        if (gap > 0 && gap < out->clock_step_ns) {
            out->clock_step_ns = gap;
        }
        if (gap > PAUSE_NS) {
            lost += gap;
        }
        if (gap > out->longest_pause_ns) {
            out->longest_pause_ns = gap;
        }
        last = now;
    }
    out->lost_share = (double)lost / (double)(last - begin);
    out->clock_cost_ns = (double)(last - begin - lost) / (double)readings;
}

static void measure_sleeps(noise_report *out) {
    double late[SLEEPS];
    for (int i = 0; i < SLEEPS; i++) {
        const struct timespec pause = {.tv_nsec = 1000000};
        uint64_t begin = now_ns();
        nanosleep(&pause, NULL);
        late[i] = (double)(now_ns() - begin) - 1e6;
    }
    qsort(late, SLEEPS, sizeof *late, compare_doubles);
    out->sleep_median_ns = late[SLEEPS / 2] > 0 ? (uint64_t)late[SLEEPS / 2] : 0;
    out->sleep_worst_ns = late[SLEEPS - 1] > 0 ? (uint64_t)late[SLEEPS - 1] : 0;
}

/* The work: a digest of a block that fits the cache. Returns its nanoseconds. */
static double time_work(cns_context *context, unsigned char *block) {
    unsigned char digest[32];
    uint64_t begin = now_ns();
    cns_hash_digest(context, CNS_HASH_BLAKE3, NULL, block, WORK_BYTES, digest, sizeof digest);
    uint64_t end = now_ns();
    memcpy(block, digest, sizeof digest); /* the next run depends on this one */
    return (double)(end - begin) + 1.0;
}

static void summarise_pairs(noise_report *out, double *ratios, uint32_t count) {
    qsort(ratios, count, sizeof *ratios, compare_doubles);
    double reach = 0.98 * sqrt((double)count);
    uint32_t low = (uint32_t)fmax(0.0, floor(count / 2.0 - reach));
    uint32_t high = (uint32_t)fmin(count - 1.0, ceil(count / 2.0 + reach));
    out->pairs = count;
    out->pair_median = ratios[count / 2];
    out->pair_spread = fmax(1.0 - ratios[count / 20], ratios[count - 1 - count / 20] - 1.0);
    out->detectable = fmax(1.0 - ratios[low], ratios[high] - 1.0);
}

static void measure_pairs(cns_context *context, noise_report *out) {
    double *ratios = malloc(MOST_PAIRS * sizeof *ratios);
    unsigned char *block = calloc(1, WORK_BYTES);
    if (ratios && block) {
        uint32_t count = 0;
        uint64_t begin = now_ns();
        for (int i = 0; i < 20; i++) {
            time_work(context, block);
        }
        while (count < MOST_PAIRS && (count < 20 || now_ns() - begin < PAIRS_NS)) {
            double a = time_work(context, block), b = time_work(context, block);
            /* Which side comes first alternates, so that neither profits from its place. */
            ratios[count] = count % 2 ? a / b : b / a;
            count++;
        }
        summarise_pairs(out, ratios, count);
    }
    free(ratios);
    free(block);
}

/* The share of CPU time that `after - before` is; negative where the OS does not tell. */
static double difference(uint64_t before, uint64_t after, double scale) {
    return before == CNS_UNAVAILABLE || after == CNS_UNAVAILABLE ? -1.0
                                                                 : (double)(after - before) / scale;
}

void noise_measure(cns_context *context, noise_report *out) {
    *out = (noise_report){.steal_share = -1, .throttled_ms = -1};
    cns_monitor_limits before = {.size = sizeof before}, after = {.size = sizeof after};
    cns_status status = cns_monitor_read_limits(context, &before);
    uint64_t begin = now_ns();
    measure_pauses(out);
    measure_sleeps(out);
    measure_pairs(context, out);
    double passed = (double)(now_ns() - begin);
    if (status == CNS_OK && cns_monitor_read_limits(context, &after) == CNS_OK) {
        out->steal_share = difference(before.steal_ns, after.steal_ns, passed * after.cpus_online);
        out->throttled_ms = difference(before.cpu_throttled_ns, after.cpu_throttled_ns, 1e6);
    }
    out->seconds = passed / 1e9;
}
