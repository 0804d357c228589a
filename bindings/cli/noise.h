/* SPDX-License-Identifier: MIT
 *
 * noise.h - how far this host disturbs a measurement, found out in about a second.
 */
#ifndef CNS_CLI_NOISE_H
#define CNS_CLI_NOISE_H

#include <stdint.h>

#include "cns/cns.h"

typedef struct noise_report {
    double seconds;       /* what the measuring took */
    double clock_cost_ns; /* one reading of the clock */
    uint64_t clock_step_ns;
    uint64_t longest_pause_ns; /* a spinning thread was away */
    double lost_share;         /* of the time, in pauses over 20 us */
    uint64_t sleep_median_ns;  /* how late a sleep of 1 ms ended */
    uint64_t sleep_worst_ns;
    uint32_t pairs;      /* A/A: the same work timed twice, in turn */
    double pair_median;  /* ratio */
    double pair_spread;  /* 90% of the pairs' ratios lie within 1 +- this */
    double detectable;   /* half the 95% interval of the median: what a comparison can show */
    double steal_share;  /* of the measured time and CPUs; negative: unavailable */
    double throttled_ms; /* negative: unavailable */
} noise_report;

void noise_measure(cns_context *context, noise_report *out);

#endif
