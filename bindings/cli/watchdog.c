/* SPDX-License-Identifier: MIT
 *
 * watchdog.c - the watchdog, the signals and the hook that stop a script. See watchdog.h.
 *
 * The signal handlers do what POSIX allows: SIGINT's writes a byte to the watchdog's pipe, and the
 * one of STOP_SIGNAL calls lua_sethook on its own thread's running state, which Lua permits. The
 * static state is the price of signals: a process has one set of handlers and so one script.
 */
#define _GNU_SOURCE

#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "lauxlib.h"

enum {
    STOP_SIGNAL = SIGUSR2,
    RESEND_MS = 20,           /* a coroutine may just have been switched, a hook been replaced */
    SECOND_INTERRUPT_MS = 200 /* a closer one is the same one: sent to the process and its group */
};

/* One for each thread that has run Lua; lives in the thread's own storage. */
typedef struct lua_thread {
    pthread_t id;
    lua_State *volatile current; /* read by the handler */
    lua_State **outer;           /* the states below, for nested enters */
    size_t depth, capacity;
    bool registered;
    struct lua_thread *next, **link;
} lua_thread;

static _Thread_local lua_thread this_thread;

typedef enum phase { RUNNING, SETTLED, STUCK } phase;

static struct {
    watchdog_config config;
    _Atomic int reason;
    _Atomic int phase;
    _Atomic uint64_t first_interrupt_ns;
    int wake[2];
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* guards `threads` */
    lua_thread *threads;
    pthread_key_t key; /* its destructor unregisters an ending thread */
    char time_text[64];
    struct sigaction old_interrupt, old_terminate, old_hangup, old_stop;
    volatile sig_atomic_t last_code;
} watchdog = {.wake = {-1, -1}, .lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* ---- the hook -------------------------------------------------------------------------------- */

static void stop_hook(lua_State *L, lua_Debug *activation) {
    (void)activation;
    if (watchdog_reason() == STOP_NONE) { /* armed before a reset */
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    luaL_error(L, "%s", watchdog_text(watchdog_reason()));
}

static void set_hook(lua_State *L) {
    lua_sethook(L, stop_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

stop_reason watchdog_reason(void) {
    return (stop_reason)atomic_load_explicit(&watchdog.reason, memory_order_acquire);
}

const char *watchdog_text(stop_reason reason) {
    return reason == STOP_TIME ? watchdog.time_text : "interrupted";
}

void watchdog_arm(lua_State *L) {
    if (watchdog_reason() != STOP_NONE) {
        set_hook(L);
    }
}

void watchdog_check(lua_State *L) {
    stop_reason reason = watchdog_reason();
    if (reason != STOP_NONE) {
        set_hook(L);
        luaL_error(L, "%s", watchdog_text(reason));
    }
}

/* ---- handlers -------------------------------------------------------------------------------- */

static void on_stop_signal(int number) {
    (void)number;
    lua_State *L = this_thread.current;
    if (L && watchdog_reason() != STOP_NONE) {
        set_hook(L);
    }
}

static void on_interrupt(int number) {
    (void)number;
    int saved = errno;
    uint64_t now = now_ns(), first = 0;
    if (!atomic_compare_exchange_strong(&watchdog.first_interrupt_ns, &first, now) &&
        now - first > SECOND_INTERRUPT_MS * 1000000ull) {
        _exit(CLI_INTERRUPTED);
    }
    ssize_t written = write(watchdog.wake[1], "i", 1);
    (void)written; /* a full pipe wakes the watchdog as well */
    errno = saved;
}

static void on_alarm(int number) {
    (void)number;
    _exit(watchdog.last_code);
}

void watchdog_last_resort(unsigned seconds, int code) {
    watchdog.last_code = code;
    struct sigaction action = {.sa_handler = on_alarm};
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    alarm(seconds);
}

/* ---- threads that run Lua -------------------------------------------------------------------- */

static void unregister_thread(void *pointer) {
    lua_thread *thread = pointer;
    pthread_mutex_lock(&watchdog.lock);
    *thread->link = thread->next;
    if (thread->next) {
        thread->next->link = thread->link;
    }
    thread->registered = false;
    pthread_mutex_unlock(&watchdog.lock);
    free(thread->outer);
    thread->outer = NULL;
    thread->capacity = 0;
}

static void register_thread(lua_thread *thread) {
    thread->id = pthread_self();
    pthread_mutex_lock(&watchdog.lock);
    thread->next = watchdog.threads;
    thread->link = &watchdog.threads;
    if (thread->next) {
        thread->next->link = &thread->next;
    }
    watchdog.threads = thread;
    thread->registered = true;
    pthread_mutex_unlock(&watchdog.lock);
    pthread_setspecific(watchdog.key, thread);
}

lua_State *watchdog_switch(lua_State *L) {
    lua_State *before = this_thread.current;
    this_thread.current = L;
    atomic_signal_fence(memory_order_seq_cst);
    return before;
}

void watchdog_enter(lua_State *L) {
    lua_thread *thread = &this_thread;
    if (!thread->registered) {
        register_thread(thread);
    }
    if (thread->depth == thread->capacity) {
        size_t capacity = thread->capacity ? 2 * thread->capacity : 16;
        lua_State **outer = realloc(thread->outer, capacity * sizeof(lua_State *));
        if (outer) {
            thread->outer = outer;
            thread->capacity = capacity;
        }
    }
    /* Without memory the state below is forgotten: it can then only be stopped by force. */
    lua_State *before = watchdog_switch(L);
    if (thread->depth < thread->capacity) {
        thread->outer[thread->depth] = before;
    }
    thread->depth++;
    watchdog_arm(L);
}

void watchdog_leave(void) {
    lua_thread *thread = &this_thread;
    if (thread->depth == 0) {
        return;
    }
    thread->depth--;
    lua_State *before = thread->depth < thread->capacity ? thread->outer[thread->depth] : NULL;
    watchdog_switch(before);
    if (before) {
        watchdog_arm(before);
    }
}

static void signal_threads(void) {
    pthread_mutex_lock(&watchdog.lock);
    for (lua_thread *thread = watchdog.threads; thread; thread = thread->next) {
        pthread_kill(thread->id, STOP_SIGNAL);
    }
    pthread_mutex_unlock(&watchdog.lock);
}

/* ---- the watchdog ---------------------------------------------------------------------------- */

static void request_stop(stop_reason reason) {
    atomic_store_explicit(&watchdog.reason, reason, memory_order_release);
    if (watchdog.config.cancel) {
        cns_cancel_request(watchdog.config.cancel);
    }
}

/* Takes the right to end the process; false when the script is over already. */
static bool claim_stuck(void) {
    int expected = RUNNING;
    return atomic_compare_exchange_strong(&watchdog.phase, &expected, STUCK);
}

static void end_stuck(stop_reason reason) {
    if (watchdog.config.patient) {
        return;
    }
    if (claim_stuck()) {
        watchdog.config.stuck(watchdog.config.user, reason);
    }
    /* Over, but stuck in closing the state: the reports are written. */
    cli_error("%s; the script had ended, a finalizer of its had not, so the process ends",
              watchdog_text(reason));
    _exit(reason == STOP_TIME ? CLI_LIMIT : CLI_INTERRUPTED);
}

/* Waits for a byte, `timeout_ns` at most (0: no limit): the byte, or 0. */
static char wait_byte(uint64_t timeout_ns) {
    uint64_t ms = (timeout_ns + 999999u) / 1000000u;
    int timeout = timeout_ns == 0 ? -1 : ms > 1000000 ? 1000000 : (int)ms;
    struct pollfd wait = {.fd = watchdog.wake[0], .events = POLLIN};
    char byte = 0;
    if (poll(&wait, 1, timeout) == 1 && read(watchdog.wake[0], &byte, 1) == 1) {
        return byte;
    }
    return 0;
}

static void *watch(void *unused) {
    (void)unused;
    uint64_t begin = now_ns(), limit = watchdog.config.time_limit_ns, stopped = 0;
    for (;;) {
        uint64_t now = now_ns();
        uint64_t passed = now - begin;
        if (watchdog_reason() == STOP_NONE) {
            stopped = 0; /* the beginning, or a reset */
        }
        if (!stopped && limit && passed >= limit) {
            request_stop(STOP_TIME);
            stopped = now;
        }
        if (stopped) {
            signal_threads();
            if (now - stopped >= WATCHDOG_GRACE_MS * 1000000ull) {
                end_stuck(watchdog_reason());
            }
        }
        char byte = wait_byte(stopped ? RESEND_MS * 1000000ull : limit ? limit - passed : 0);
        if (byte == 'q') {
            return NULL;
        }
        if (byte == 'i' && watchdog_reason() == STOP_NONE) { /* `stopped` may outlive a reset */
            request_stop(STOP_INTERRUPT);
            stopped = now_ns();
        }
    }
}

static void install(int number, void (*handler)(int), int flags, struct sigaction *old) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, old);
}

/* A signal that our parent made us ignore (nohup, a background job) stays ignored. */
static void install_unless_ignored(int number, struct sigaction *old) {
    sigaction(number, NULL, old);
    if (old->sa_handler != SIG_IGN) {
        install(number, on_interrupt, SA_RESTART, NULL);
    }
}

int watchdog_start(const watchdog_config *config) {
    watchdog.config = *config;
    snprintf(watchdog.time_text, sizeof watchdog.time_text, "time limit of %g s reached",
             (double)config->time_limit_ns / 1e9);
    if (pipe2(watchdog.wake, O_CLOEXEC | O_NONBLOCK) != 0) {
        return errno;
    }
    int error = pthread_key_create(&watchdog.key, unregister_thread);
    if (error) {
        return error;
    }
    /* The handler of STOP_SIGNAL breaks off waiting system calls: no SA_RESTART. */
    install(STOP_SIGNAL, on_stop_signal, 0, &watchdog.old_stop);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&watchdog.thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        return error;
    }
    watchdog.started = true;
    install_unless_ignored(SIGINT, &watchdog.old_interrupt);
    install_unless_ignored(SIGTERM, &watchdog.old_terminate);
    install_unless_ignored(SIGHUP, &watchdog.old_hangup);
    return 0;
}

void watchdog_reset(void) {
    atomic_store(&watchdog.first_interrupt_ns, 0);
    atomic_store_explicit(&watchdog.reason, STOP_NONE, memory_order_release);
}

stop_reason watchdog_settle(void) {
    int expected = RUNNING;
    if (!atomic_compare_exchange_strong(&watchdog.phase, &expected, SETTLED) && expected == STUCK) {
        for (;;) {
            pause();
        }
    }
    return watchdog_reason();
}

void watchdog_finish(void) {
    if (!watchdog.started) {
        return;
    }
    watchdog.started = false;
    ssize_t written = write(watchdog.wake[1], "q", 1);
    (void)written;
    pthread_join(watchdog.thread, NULL);
    sigaction(SIGINT, &watchdog.old_interrupt, NULL);
    sigaction(SIGTERM, &watchdog.old_terminate, NULL);
    sigaction(SIGHUP, &watchdog.old_hangup, NULL);
    alarm(0);
}
