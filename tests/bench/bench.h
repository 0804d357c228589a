/* SPDX-License-Identifier: MIT
 *
 * bench.h - one timed comparison a line: our side against a peer's, interleaved.
 *
 * Both sides run in every round, and the order turns with each round, so that a slow minute of the
 * machine hits both. A line gives the median nanoseconds an operation of each side, and the median
 * of the rounds' ratios peer / ours with its quartiles: above 1 our side is the quicker one. Both
 * sides return an answer, and the answers must agree; a line with a wrong answer is no result.
 */
#ifndef CNS_BENCH_H
#define CNS_BENCH_H

#include <stdbool.h>
#include <stdint.h>

/* Does `operations` operations and returns an answer (a checksum, a count) that depends on them. */
typedef uint64_t (*bench_fn)(void *user, uint64_t operations);

/* Prints a title and the columns' names. `peer` names the other side of the lines below it. */
void bench_header(const char *title, const char *peer);

/* Runs one warm-up and `rounds` rounds (3 to 101) of each side. Without a peer (NULL) our side is
 * timed alone and the ratio is "not measured". Returns the median ratio; 0 without one. */
double bench_compare(const char *name, bench_fn ours, bench_fn peer, void *user, unsigned rounds,
                     uint64_t operations);

/* As above, for sides that need state of their own. */
double bench_compare_sides(const char *name, bench_fn ours, void *our_user, bench_fn peer,
                           void *peer_user, unsigned rounds, uint64_t operations);

/* For sides that time themselves (elsewhere, say): does a round, gives the nanoseconds it took and
 * its answer; false when it failed, which makes the line an error and no ratio. */
typedef bool (*bench_timed_fn)(void *user, uint64_t *ns, uint64_t *answer);
double bench_compare_timed(const char *name, bench_timed_fn ours, void *our_user,
                           bench_timed_fn peer, void *peer_user, unsigned rounds,
                           uint64_t operations);

/* main's exit code: not 0 when an answer was wrong or a side failed. */
int bench_exit_code(void);

/* Keeps the compiler from dropping or foreseeing what `pointer` points to. */
static inline void bench_escape(void *pointer) {
#if defined(__GNUC__)
    __asm__ volatile("" : : "g"(pointer) : "memory");
#else
    static void *volatile sink;
    sink = pointer;
#endif
}

#endif
