/* SPDX-License-Identifier: MIT
 *
 * apart.c - see apart.h.
 */
#define _POSIX_C_SOURCE 200809L /* kill, posix_spawn, waitpid */
#include "apart.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

extern char **environ;

struct apart_side {
    pid_t process;
    int to, from;
};

/* ---- bytes through pipes -------------------------------------------------------------------- */

static bool read_all(int file, void *buffer, size_t size) {
    for (char *at = buffer; size > 0;) {
        ssize_t got = read(file, at, size);
        if (got <= 0) {
            if (got < 0 && errno == EINTR) {
                continue;
            }
            return false;
        }
        at += got;
        size -= (size_t)got;
    }
    return true;
}

/* What goes through here is smaller than PIPE_BUF, hence whole or not at all. */
static bool write_all(int file, const void *buffer, size_t size) {
    ssize_t put;
    while ((put = write(file, buffer, size)) < 0 && errno == EINTR) {
    }
    return put == (ssize_t)size;
}

/* Closed on exec: a child that held the other's requests open would keep it from ending. */
static bool open_pipe(int ends[2]) {
    if (pipe(ends) != 0) {
        return false;
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return true;
}

/* ---- starting ------------------------------------------------------------------------------- */

/* The environment without OpenMP's variables, and with `policy`; NULL: out of memory. */
static char **child_environment(const char *policy, char *policy_text, size_t capacity) {
    size_t count = 0, kept = 0;
    while (environ[count]) {
        count++;
    }
    char **child = calloc(count + 2, sizeof *child);
    for (size_t i = 0; child && i < count; i++) {
        if (strncmp(environ[i], "OMP_", 4) != 0 && strncmp(environ[i], "GOMP_", 5) != 0) {
            child[kept++] = environ[i];
        }
    }
    if (child && policy) {
        snprintf(policy_text, capacity, "OMP_WAIT_POLICY=%s", policy);
        child[kept] = policy_text;
    }
    return child;
}

/* The child's ends become its standard input and output; an errno. */
static int spawn_child(pid_t *process, const int to[2], const int from[2], const char *name,
                       char **environment) {
    char *arguments[] = {(char *)"bench", (char *)"--serve", (char *)name, NULL};
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return error;
    }
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    error = posix_spawn(process, "/proc/self/exe", &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Waits until the child is stopped; false when it ended instead. */
static bool await_stop(apart_side *side) {
    int status;
    pid_t got;
    while ((got = waitpid(side->process, &status, WUNTRACED)) < 0 && errno == EINTR) {
    }
    if (got != side->process || !WIFSTOPPED(status)) {
        side->process = got == side->process ? 0 : side->process; /* it has been collected */
        return false;
    }
    return true;
}

static bool hold(apart_side *side) {
    return kill(side->process, SIGSTOP) == 0 && await_stop(side);
}

apart_side *apart_start(const char *name, const char *omp_wait_policy) {
    char policy_text[64];
    int to[2], from[2];
    char **environment = child_environment(omp_wait_policy, policy_text, sizeof policy_text);
    apart_side *side = calloc(1, sizeof *side);
    if (!environment || !side || !open_pipe(to)) {
        goto fail;
    }
    if (!open_pipe(from)) {
        close(to[0]), close(to[1]);
        goto fail;
    }
    signal(SIGPIPE, SIG_IGN); /* a child that is gone is an answer, too */
    fflush(stdout);
    int error = spawn_child(&side->process, to, from, name, environment);
    close(to[0]), close(from[1]);
    if (error != 0) {
        close(to[1]), close(from[0]);
        goto fail;
    }
    side->to = to[1];
    side->from = from[0];
    free(environment);
    if (!hold(side)) {
        apart_stop(side);
        return NULL;
    }
    return side;
fail:
    free(environment);
    free(side);
    return NULL;
}

bool apart_stop(apart_side *side) {
    if (!side) {
        return true;
    }
    int status = -1;
    close(side->to); /* the child reads the end of its requests */
    if (side->process > 0) {
        kill(side->process, SIGCONT);
        while (waitpid(side->process, &status, 0) < 0 && errno == EINTR) {
        }
    }
    close(side->from);
    free(side);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- turns ---------------------------------------------------------------------------------- */

bool apart_take_turn(apart_side *side, uint32_t row, apart_reply *reply) {
    return side->process > 0 && kill(side->process, SIGCONT) == 0 &&
           write_all(side->to, &row, sizeof row) && read_all(side->from, reply, sizeof *reply) &&
           hold(side);
}

int apart_serve(apart_turn turn) {
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a stopped child would outlive a killed parent */
#endif
    uint32_t row;
    while (read_all(STDIN_FILENO, &row, sizeof row)) {
        apart_reply reply = turn(row);
        if (!write_all(STDOUT_FILENO, &reply, sizeof reply)) {
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}
