/* SPDX-License-Identifier: MIT
 *
 * model.c - see model.h.
 *
 * Depth-first search by replay: an execution is a list of choices (which thread steps, or which
 * buffered store becomes visible). Each execution repeats the choices up to the last one that has
 * an alternative left, takes that, and goes on with first choices until it ends or meets a state
 * that was seen before.
 */
#define _XOPEN_SOURCE 700 /* ucontext */

#include "model.h"

#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum {
    ARENA_SIZE = 4096,
    STACK_SIZE = 64 << 10,
    BUFFER_MAX = 16,
    DEPTH_MAX = 4000,
    VISITED_BITS = 22
};

typedef struct buffered {
    volatile void *object;
    size_t size;
    uint64_t value;
    bool release;
} buffered;

typedef enum thread_state { RUNNABLE, NEEDS_ZERO, NEEDS_ONE, FINISHED } thread_state;

typedef struct thread {
    ucontext_t context;
    thread_state state;
    volatile uint32_t *needs; /* the lock or token it waits for */
    uint64_t history;         /* a hash of all it has read */
    buffered buffer[BUFFER_MAX];
    int buffer_count;
    unsigned char *stack;
} thread;

/* A test program checks one model at a time, in one process: the state is the file's own. */
static struct {
    const model_program *program;
    model_mutation mutation;
    thread threads[MODEL_THREADS_MAX];
    int thread_count;
    int current;   /* -1: set-up or check, alone */
    int last;      /* the thread that made the last step */
    int preempted; /* times a thread that could go on was left */
    ucontext_t scheduler;
    _Alignas(64) unsigned char arena[ARENA_SIZE];
    size_t arena_used;
    int choice[DEPTH_MAX], choices[DEPTH_MAX];
    int depth;
    uint64_t *visited;
    const char *error;
    model_result result;
} m;

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 29);
}

static uint64_t hash_arena(uint64_t hash) {
    for (size_t i = 0; i < m.arena_used; i += 8) {
        uint64_t word;
        memcpy(&word, m.arena + i, 8);
        hash = mix(hash, word);
    }
    return hash;
}

/* ---- memory --------------------------------------------------------------------------------- */

void *model_alloc(size_t size, size_t alignment) {
    size_t begin = (m.arena_used + alignment - 1) & ~(alignment - 1);
    if (begin + size > ARENA_SIZE) {
        m.error = "the model's arena is too small";
        return NULL;
    }
    m.arena_used = (begin + size + 7) & ~(size_t)7;
    return m.arena + begin;
}

static uint64_t read_raw(const volatile void *object, size_t size) {
    uint64_t value = 0;
    memcpy(&value, (const void *)object, size); /* little-endian machines only run this test */
    return value;
}

static void write_raw(volatile void *object, size_t size, uint64_t value) {
    memcpy((void *)object, &value, size);
}

static void flush_entry(thread *t, int index) {
    buffered *entry = &t->buffer[index];
    write_raw(entry->object, entry->size, entry->value);
    t->buffer_count--;
    memmove(entry, entry + 1, (size_t)(t->buffer_count - index) * sizeof *entry);
}

static void drain(thread *t) {
    while (t->buffer_count) {
        flush_entry(t, 0);
    }
}

static bool may_flush(const thread *t, int index) {
    if (t->buffer[index].release && index > 0) {
        return false;
    }
    for (int i = 0; i < index; i++) {
        if (t->buffer[i].object == t->buffer[index].object) {
            return false;
        }
    }
    return true;
}

/* ---- coroutines ----------------------------------------------------------------------------- */

static void switch_to_scheduler(thread *t) {
    swapcontext(&t->context, &m.scheduler);
}

/* Hands over; returns when this thread is chosen to make its next access. */
static thread *step(void) {
    if (m.current < 0) {
        return NULL;
    }
    thread *t = &m.threads[m.current];
    switch_to_scheduler(t);
    return t;
}

static void thread_main(void) {
    thread *t = &m.threads[m.current];
    m.program->threads[m.current]();
    t->state = FINISHED;
    switch_to_scheduler(t);
}

static void note(thread *t, uint64_t value) {
    if (t) {
        t->history = mix(t->history, value + 1);
    }
}

uint64_t model_load(const volatile void *object, size_t size) {
    thread *t = step();
    uint64_t value = read_raw(object, size);
    for (int i = 0; t && i < t->buffer_count; i++) {
        if (t->buffer[i].object == object) {
            value = t->buffer[i].value;
        }
    }
    note(t, value);
    return value;
}

void model_store(volatile void *object, size_t size, uint64_t value, model_order order) {
    thread *t = step();
    if (order == MODEL_seq_cst && m.mutation == MODEL_SEQ_CST_IS_RELEASE) {
        order = MODEL_release;
    }
    if (m.mutation == MODEL_STORES_ARE_RELAXED) {
        order = MODEL_relaxed;
    }
    if (!t || order == MODEL_seq_cst) {
        if (t) {
            drain(t);
        }
        write_raw(object, size, value);
    } else {
        if (t->buffer_count == BUFFER_MAX) {
            flush_entry(t, 0);
        }
        t->buffer[t->buffer_count++] = (buffered){object, size, value, order == MODEL_release};
    }
    note(t, 0);
}

static uint64_t read_newest(thread *t, volatile void *object, size_t size) {
    if (t) {
        drain(t);
    }
    return read_raw(object, size);
}

uint64_t model_add(volatile void *object, size_t size, uint64_t value) {
    thread *t = step();
    uint64_t before = read_newest(t, object, size);
    write_raw(object, size, before + value);
    note(t, before);
    return before;
}

uint64_t model_exchange(volatile void *object, size_t size, uint64_t value) {
    thread *t = step();
    uint64_t before = read_newest(t, object, size);
    write_raw(object, size, value);
    note(t, before);
    return before;
}

bool model_cas(volatile void *object, size_t size, void *expected, uint64_t desired) {
    thread *t = step();
    uint64_t before = read_newest(t, object, size);
    bool equal = before == read_raw(expected, size);
    note(t, before);
    if (equal && m.mutation == MODEL_CAS_IS_NOT_ATOMIC) {
        step();
    }
    if (equal) {
        write_raw(object, size, desired);
    } else {
        write_raw(expected, size, before);
    }
    return equal;
}

static void block(volatile uint32_t *object, thread_state needed, uint32_t value) {
    thread *t = &m.threads[m.current < 0 ? 0 : m.current];
    if (m.current >= 0) {
        t->needs = object;
        t->state = needed;
        switch_to_scheduler(t);
        drain(t);
        /* What the lock guards is read without the model's knowledge: count all of it as read. */
        t->history = hash_arena(t->history);
    }
    *object = value;
}

void model_lock(volatile uint32_t *object) {
    block(object, NEEDS_ZERO, 1);
}

void model_unlock(volatile uint32_t *object) {
    thread *t = step();
    if (t) {
        drain(t);
    }
    *object = 0;
    note(t, 0);
}

void model_wait(volatile uint32_t *token) {
    block(token, NEEDS_ONE, 0);
}

void model_signal(volatile uint32_t *token) {
    thread *t = step();
    if (t) {
        drain(t);
    }
    *token = 1;
    note(t, 0);
}

/* ---- one execution -------------------------------------------------------------------------- */

/* By itself: no local variable may live across getcontext. */
static void make_coroutine(thread *t) {
    getcontext(&t->context);
    t->context.uc_stack.ss_sp = t->stack;
    t->context.uc_stack.ss_size = STACK_SIZE;
    t->context.uc_link = NULL;
    makecontext(&t->context, thread_main, 0);
}

static void start_threads(void) {
    m.thread_count = 0;
    for (int i = 0; i < MODEL_THREADS_MAX && m.program->threads[i]; i++) {
        thread *t = &m.threads[i];
        t->state = RUNNABLE;
        t->history = (uint64_t)i;
        t->buffer_count = 0;
        make_coroutine(t);
        m.thread_count++;
    }
}

static void run_thread(int index) {
    m.current = index;
    m.threads[index].state = RUNNABLE;
    swapcontext(&m.scheduler, &m.threads[index].context);
    m.current = -1;
}

static bool is_enabled(const thread *t) {
    return t->state == RUNNABLE || (t->state == NEEDS_ZERO && *t->needs == 0) ||
           (t->state == NEEDS_ONE && *t->needs == 1);
}

static bool preempts(int index) {
    return index != m.last && is_enabled(&m.threads[m.last]);
}

static bool is_allowed(int index) {
    return is_enabled(&m.threads[index]) &&
           (m.program->preemptions == 0 || m.preempted < m.program->preemptions ||
            !preempts(index));
}

static void take_step(int index) {
    m.preempted += preempts(index);
    m.last = index;
    run_thread(index);
}

/* The nth thing that can happen now; with perform false only whether there is one. */
static bool happen(int nth, bool perform) {
    for (int i = 0; i < m.thread_count; i++) {
        thread *t = &m.threads[i];
        if (is_allowed(i) && nth-- == 0) {
            if (perform) {
                take_step(i);
            }
            return true;
        }
        for (int k = 0; k < t->buffer_count; k++) {
            if (may_flush(t, k) && nth-- == 0) {
                if (perform) {
                    flush_entry(t, k);
                }
                return true;
            }
        }
    }
    return false;
}

static uint64_t hash_state(void) {
    uint64_t hash = hash_arena(1);
    if (m.program->preemptions) {
        hash = mix(hash, (uint64_t)(m.last * 100 + m.preempted));
    }
    for (int i = 0; i < m.thread_count; i++) {
        const thread *t = &m.threads[i];
        hash = mix(mix(hash, t->history), (uint64_t)t->state);
        for (int k = 0; k < t->buffer_count; k++) {
            hash = mix(mix(hash, (uintptr_t)t->buffer[k].object), t->buffer[k].value);
            hash = mix(hash, t->buffer[k].release);
        }
        hash = mix(hash, 77);
    }
    return hash ? hash : 1;
}

/* true when it is new. */
static bool visit(uint64_t hash) {
    uint64_t mask = (UINT64_C(1) << VISITED_BITS) - 1;
    uint64_t place = hash & mask;
    while (m.visited[place] && m.visited[place] != hash) {
        place = (place + 1) & mask;
    }
    if (m.visited[place]) {
        return false;
    }
    m.visited[place] = hash;
    if (++m.result.states > mask / 2) {
        m.error = "too many states for the model";
    }
    return true;
}

static void end_execution(void) {
    for (int i = 0; i < m.thread_count && !m.program->may_block; i++) {
        if (m.threads[i].state != FINISHED) {
            m.error = "a thread waits for ever";
        }
    }
    if (!m.error) {
        m.error = m.program->check();
    }
}

/* Follows the choices up to `fixed`, then goes on with first ones. */
static void execute(int fixed) {
    m.arena_used = 0;
    memset(m.arena, 0, sizeof m.arena);
    m.current = -1;
    m.program->setup();
    start_threads();
    for (int i = 0; i < m.thread_count; i++) {
        run_thread(i); /* to its first access, which is not made yet */
    }
    m.last = 0;
    m.preempted = 0;
    for (m.depth = 0; !m.error; m.depth++) {
        if (m.depth >= fixed) {
            if (!visit(hash_state())) {
                return;
            }
            if (m.depth == DEPTH_MAX) {
                m.error = "an execution does not end";
                return;
            }
            m.choice[m.depth] = 0;
            m.choices[m.depth] = 0;
            while (happen(m.choices[m.depth], false)) {
                m.choices[m.depth]++;
            }
            if (m.choices[m.depth] == 0) {
                end_execution();
                return;
            }
        }
        happen(m.choice[m.depth], true);
    }
}

static bool next_choice(void) {
    while (m.depth-- > 0) {
        if (m.choice[m.depth] + 1 < m.choices[m.depth]) {
            m.choice[m.depth]++;
            return true;
        }
    }
    return false;
}

model_result model_explore(const model_program *program, model_mutation mutation) {
    memset(&m, 0, sizeof m);
    m.program = program;
    m.mutation = mutation;
    m.visited = calloc((size_t)1 << VISITED_BITS, sizeof *m.visited);
    for (int i = 0; i < MODEL_THREADS_MAX; i++) {
        m.threads[i].stack = malloc(STACK_SIZE);
    }
    int fixed = 0;
    do {
        execute(fixed);
        m.result.executions++;
        /* The choice just changed is not yet followed: its state is new ground. */
    } while (!m.error && next_choice() && (fixed = m.depth + 1));
    m.result.error = m.error;
    for (int i = 0; i < MODEL_THREADS_MAX; i++) {
        free(m.threads[i].stack);
    }
    free(m.visited);
    return m.result;
}
