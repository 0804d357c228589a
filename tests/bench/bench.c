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
    void *user;
    uint64_t answer; /* of the last round */
    double ns[ROUNDS_MAX];
} side;

static bool wrong_answer;

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

static double time_round(side *s, uint64_t operations) {
    uint64_t begin = cns_os_clock();
    s->answer = s->run(s->user, operations);
    uint64_t spent = cns_os_clock() - begin;
    return (double)(spent ? spent : 1) / (double)(operations ? operations : 1);
}

static void print_wrong(const char *name, const side *ours, const side *peer) {
    wrong_answer = true;
    printf("%-32s WRONG ANSWER: %" PRIx64 ", peer %" PRIx64 "\n", name, ours->answer, peer->answer);
}

void bench_header(const char *title, const char *peer) {
    printf("\n%s\n%-32s %10s %10s  %s\n", title, "", "ours ns", peer, "ratio [quartiles]");
}

double bench_compare(const char *name, bench_fn ours, bench_fn peer, void *user, unsigned rounds,
                     uint64_t operations) {
    return bench_compare_sides(name, ours, user, peer, user, rounds, operations);
}

static void time_alone(const char *name, side *ours, unsigned rounds, uint64_t operations) {
    for (unsigned i = 0; i < rounds; i++) {
        ours->ns[i] = time_round(ours, operations);
    }
    sort(ours->ns, rounds);
    printf("%-32s %10.2f %10s  not measured\n", name, quantile(ours->ns, rounds, 0.5), "-");
    fflush(stdout);
}

double bench_compare_sides(const char *name, bench_fn ours, void *our_user, bench_fn peer,
                           void *peer_user, unsigned rounds, uint64_t operations) {
    side a = {.run = ours, .user = our_user};
    side b = {.run = peer, .user = peer_user};
    double ratios[ROUNDS_MAX];
    rounds = rounds < ROUNDS_MIN ? ROUNDS_MIN : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    time_round(&a, operations);
    if (!peer) {
        time_alone(name, &a, rounds, operations);
        return 0;
    }
    time_round(&b, operations);
    for (unsigned i = 0; i < rounds; i++) {
        side *first = i % 2 ? &b : &a;
        side *second = i % 2 ? &a : &b;
        first->ns[i] = time_round(first, operations);
        second->ns[i] = time_round(second, operations);
        if (a.answer != b.answer) {
            print_wrong(name, &a, &b);
            return 0;
        }
        ratios[i] = b.ns[i] / a.ns[i];
    }
    sort(a.ns, rounds);
    sort(b.ns, rounds);
    sort(ratios, rounds);
    double ratio = quantile(ratios, rounds, 0.5);
    printf("%-32s %10.2f %10.2f  %5.2f [%.2f - %.2f]\n", name, quantile(a.ns, rounds, 0.5),
           quantile(b.ns, rounds, 0.5), ratio, quantile(ratios, rounds, 0.25),
           quantile(ratios, rounds, 0.75));
    fflush(stdout);
    return ratio;
}

int bench_exit_code(void) {
    return wrong_answer ? EXIT_FAILURE : EXIT_SUCCESS;
}
