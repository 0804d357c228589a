/* SPDX-License-Identifier: MIT
 *
 * parallel.c - parts of a forked loop on the pool's threads.
 *
 * A part writes only its own place in the arrays here; `lowest` is the lowest part that trapped so
 * far, which parts behind it ask at their polls and stop. Those before it go on, since one of them
 * may be the one whose trap Lua would have met.
 */
#include "vm/parallel.h"

#include <stdatomic.h>
#include <string.h>

#include "vm/native.h"
#include "vm/reduction.h"

enum {
    PARTS = 256,     /* at most */
    PART_COST = 8192 /* operations that are worth a task */
};

typedef struct fork_run {
    cns_run *run;
    const cns_ir_fork *fork;
    cns_parallel_call call;
    const void *code;
    const cns_vm_value *slots;
    uint64_t step;
    uint64_t remaining; /* of all iterations, less 1 */
    uint64_t size;      /* iterations of a part but the last */
    uint32_t part_count;
    _Atomic(uint32_t) lowest; /* part that trapped; PARTS: none */
    bool done[PARTS];
    cns_trap traps[PARTS];
    uint64_t accumulators[PARTS][CNS_IR_ACCUMULATORS];
} fork_run;

typedef struct part_poll {
    const fork_run *all;
    uint32_t part;
} part_poll;

static cns_status poll_part(void *user) {
    const part_poll *poll = user;
    if (poll->part > atomic_load_explicit(&poll->all->lowest, memory_order_relaxed)) {
        return CNS_E_CANCELLED;
    }
    const cns_run *run = poll->all->run;
    return run->poll ? run->poll(run->poll_user) : CNS_OK;
}

static void note_trap(fork_run *all, uint32_t part) {
    uint32_t lowest = atomic_load_explicit(&all->lowest, memory_order_relaxed);
    while (part < lowest &&
           !atomic_compare_exchange_weak_explicit(&all->lowest, &lowest, part, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

static void run_part(fork_run *all, uint32_t part) {
    cns_vm_value arguments[CNS_IR_FORK_SLOTS];
    cns_vm_value results[CNS_IR_ACCUMULATORS];
    part_poll poll = {all, part};
    uint64_t before = part * all->size;
    uint64_t behind = all->remaining - before; /* the first one excluded */
    memcpy(arguments, all->slots, all->fork->slot_count * sizeof *arguments);
    arguments[0].integer = (int64_t)((uint64_t)all->slots[0].integer + before * all->step);
    arguments[1].integer = (int64_t)(behind < all->size ? behind : all->size - 1);
    cns_run run = {.arguments = arguments,
                   .results = results,
                   .result_capacity = CNS_IR_ACCUMULATORS,
                   .poll = poll_part,
                   .poll_user = &poll};
    all->done[part] = true;
    if (all->call(all->code, &run) != CNS_TRAP_NONE) {
        all->traps[part] = run.trap;
        note_trap(all, part);
        return;
    }
    for (uint32_t a = 0; a < all->fork->accumulator_count; a++) {
        all->accumulators[part][a] = (uint64_t)results[a].integer;
    }
}

static cns_status run_parts(void *user, int64_t begin, int64_t end) {
    fork_run *all = user;
    for (int64_t part = begin; part < end; part++) {
        if ((uint32_t)part < atomic_load_explicit(&all->lowest, memory_order_relaxed)) {
            run_part(all, (uint32_t)part);
        }
    }
    return CNS_OK;
}

/* Pairs of neighbours, then pairs of pairs: the tree depends on the number of parts alone. */
static void combine(fork_run *all) {
    const cns_ir_fork *fork = all->fork;
    for (uint32_t stride = 1; stride < all->part_count; stride *= 2) {
        for (uint32_t part = 0; part + stride < all->part_count; part += 2 * stride) {
            for (uint32_t a = 0; a < fork->accumulator_count; a++) {
                all->accumulators[part][a] =
                    cns_reduction_combine(fork->reductions[a], all->accumulators[part][a],
                                          all->accumulators[part + stride][a]);
            }
        }
    }
}

/* Counts of iterations less 1, since there may be 2^64 of them. */
static void cut(fork_run *all) {
    uint64_t least = PART_COST / (all->fork->cost ? all->fork->cost : 1);
    uint64_t wanted = all->remaining / (least ? least : 1) + (all->remaining != UINT64_MAX);
    uint64_t parts = wanted < PARTS ? wanted : PARTS;
    all->size = all->remaining / (parts ? parts : 1) + 1;
    all->part_count = (uint32_t)(all->remaining / all->size) + 1;
}

/* A loop around short forks is counted by its own trips, which are too few to ask in time. */
static bool is_stopped(cns_run *run) {
    cns_status status = run->poll ? run->poll(run->poll_user) : CNS_OK;
    if (status != CNS_OK) {
        run->trap =
            (cns_trap){.kind = CNS_TRAP_STOPPED, .site = CNS_IR_NONE, .integer = (int64_t)status};
    }
    return status != CNS_OK;
}

uint32_t cns_parallel_run(cns_run *run, const cns_ir_fork *fork, cns_parallel_call call,
                          const void *code, cns_vm_value *slots, int64_t step) {
    if (is_stopped(run)) {
        return CNS_TRAP_STOPPED;
    }
    fork_run all;
    all.run = run;
    all.fork = fork;
    all.call = call;
    all.code = code;
    all.slots = slots;
    all.step = (uint64_t)step;
    all.remaining = (uint64_t)slots[1].integer;
    cut(&all);
    atomic_init(&all.lowest, PARTS);
    memset(all.done, 0, sizeof all.done);
    if (run->tasks && all.part_count > 1) {
        cns_loop_options options = {.size = sizeof options, .grain = 1};
        (void)cns_tasks_for(run->tasks, &options, 0, all.part_count, run_parts, &all);
    }
    /* Without a pool, or what it had no memory left to start: here. */
    for (uint32_t part = 0; part < all.part_count; part++) {
        if (!all.done[part]) {
            (void)run_parts(&all, part, part + 1);
        }
    }
    uint32_t lowest = atomic_load_explicit(&all.lowest, memory_order_relaxed);
    if (lowest != PARTS) {
        run->trap = all.traps[lowest];
        return run->trap.kind;
    }
    combine(&all);
    for (uint32_t a = 0; a < fork->accumulator_count; a++) {
        slots[a].integer = (int64_t)all.accumulators[0][a];
    }
    return CNS_TRAP_NONE;
}

uint32_t cns_parallel_call_native(const void *code, cns_run *run) {
    cns_native_entry entry;
    memcpy(&entry, &code, sizeof entry); /* as dlsym gives functions */
    return entry(run);
}

uint32_t cns_parallel_run_native(cns_run *run, const cns_ir_fork *fork,
                                 uint32_t (*body)(cns_run *run), cns_vm_value *slots,
                                 int64_t step) {
    const void *code;
    memcpy(&code, &body, sizeof code);
    return cns_parallel_run(run, fork, cns_parallel_call_native, code, slots, step);
}
