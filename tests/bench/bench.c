/* SPDX-License-Identifier: MIT
 *
 * bench.c - see bench.h.
 */
#include "bench.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"

enum { ROUNDS_MIN = 3, ROUNDS_MAX = 101 };

typedef struct side {
    bench_fn run;
    bench_timed_fn timed; /* instead of run */
    void *user;
    uint64_t answer; /* of the last round */
    double ns[ROUNDS_MAX];
} side;

static bool failed;

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort(double *values, unsigned count) {
    qsort(values, count, sizeof *values, compare_doubles);
}

/* `values` is sorted; linear interpolation between ranks. */
static double quantile(const double *values, unsigned count, double q) {
    double rank = q * (count - 1);
    unsigned below = (unsigned)rank;
    unsigned above = below + 1 < count ? below + 1 : below;
    return values[below] + (rank - below) * (values[above] - values[below]);
}

/* One round's nanoseconds an operation; negative when the side failed. */
static double time_round(side *s, uint64_t operations) {
    uint64_t spent = 0;
    if (s->timed) {
        if (!s->timed(s->user, &spent, &s->answer)) {
            return -1;
        }
    } else {
        uint64_t begin = cns_os_clock();
        s->answer = s->run(s->user, operations);
        spent = cns_os_clock() - begin;
    }
    return (double)(spent ? spent : 1) / (double)(operations ? operations : 1);
}

static double print_wrong(const char *name, const side *ours, const side *peer) {
    failed = true;
    printf("%-32s WRONG ANSWER: %" PRIx64 ", peer %" PRIx64 "\n", name, ours->answer, peer->answer);
    return 0;
}

static double print_failed(const char *name, const char *whose) {
    failed = true;
    printf("%-32s FAILED: %s side\n", name, whose);
    return 0;
}

void bench_header(const char *title, const char *peer) {
    printf("\n%s\n%-32s %10s %10s  %s\n", title, "", "ours ns", peer, "ratio [quartiles]");
}

static double time_alone(const char *name, side *ours, unsigned rounds, uint64_t operations) {
    for (unsigned i = 0; i < rounds; i++) {
        ours->ns[i] = time_round(ours, operations);
        if (ours->ns[i] < 0) {
            return print_failed(name, "our");
        }
    }
    sort(ours->ns, rounds);
    printf("%-32s %10.2f %10s  not measured\n", name, quantile(ours->ns, rounds, 0.5), "-");
    fflush(stdout);
    return 0;
}

static double print_ratio(const char *name, side *ours, side *peer, unsigned rounds) {
    double ratios[ROUNDS_MAX];
    for (unsigned i = 0; i < rounds; i++) {
        ratios[i] = peer->ns[i] / ours->ns[i];
    }
    sort(ours->ns, rounds);
    sort(peer->ns, rounds);
    sort(ratios, rounds);
    double ratio = quantile(ratios, rounds, 0.5);
    printf("%-32s %10.2f %10.2f  %5.2f [%.2f - %.2f]\n", name, quantile(ours->ns, rounds, 0.5),
           quantile(peer->ns, rounds, 0.5), ratio, quantile(ratios, rounds, 0.25),
           quantile(ratios, rounds, 0.75));
    fflush(stdout);
    return ratio;
}

static double compare(const char *name, side *ours, side *peer, unsigned rounds,
                      uint64_t operations) {
    rounds = rounds < ROUNDS_MIN ? ROUNDS_MIN : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    if (time_round(ours, operations) < 0) {
        return print_failed(name, "our");
    }
    if (!peer->run && !peer->timed) {
        return time_alone(name, ours, rounds, operations);
    }
    if (time_round(peer, operations) < 0) {
        return print_failed(name, "the peer's");
    }
    for (unsigned i = 0; i < rounds; i++) {
        side *first = i % 2 ? peer : ours;
        side *second = i % 2 ? ours : peer;
        first->ns[i] = time_round(first, operations);
        second->ns[i] = time_round(second, operations);
        if (ours->ns[i] < 0 || peer->ns[i] < 0) {
            return print_failed(name, ours->ns[i] < 0 ? "our" : "the peer's");
        }
        if (ours->answer != peer->answer) {
            return print_wrong(name, ours, peer);
        }
    }
    return print_ratio(name, ours, peer, rounds);
}

double bench_compare(const char *name, bench_fn ours, bench_fn peer, void *user, unsigned rounds,
                     uint64_t operations) {
    return bench_compare_sides(name, ours, user, peer, user, rounds, operations);
}

double bench_compare_sides(const char *name, bench_fn ours, void *our_user, bench_fn peer,
                           void *peer_user, unsigned rounds, uint64_t operations) {
    side a = {.run = ours, .user = our_user};
    side b = {.run = peer, .user = peer_user};
    return compare(name, &a, &b, rounds, operations);
}

double bench_compare_timed(const char *name, bench_timed_fn ours, void *our_user,
                           bench_timed_fn peer, void *peer_user, unsigned rounds,
                           uint64_t operations) {
    side a = {.timed = ours, .user = our_user};
    side b = {.timed = peer, .user = peer_user};
    return compare(name, &a, &b, rounds, operations);
}

int bench_exit_code(void) {
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
