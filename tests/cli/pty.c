/* SPDX-License-Identifier: MIT
 *
 * pty.c - `pty DIALOGUE COMMAND [ARG]...`: runs a command on a terminal of its own and talks to it.
 *
 * Each line of the file DIALOGUE is `> TEXT`, wait until TEXT comes (after what came before), or
 * `< TEXT`, type it; \r, \xHH and \\ are understood. All that came goes to stdout; the exit code
 * is the command's, 98 when a text did not come within 30 seconds, 99 when nothing could be run.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000, NOT_HEARD = 98, NOT_RUN = 99, LINE_MAX_SIZE = 4096 };

typedef struct dialogue {
    int terminal;
    pid_t child;
    char heard[1 << 20];
    size_t size; /* of heard, which ends in a zero byte */
    size_t seen; /* up to here it has been waited for */
} dialogue;

static long long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* false at the end, after the deadline, or when there is no more room. */
static bool listen_until(dialogue *d, long long deadline) {
    struct pollfd wait = {.fd = d->terminal, .events = POLLIN};
    long long left = deadline - now_ms();
    if (left <= 0 || poll(&wait, 1, (int)left) <= 0) {
        return false;
    }
    ssize_t got = read(d->terminal, d->heard + d->size, sizeof d->heard - 1 - d->size);
    if (got <= 0) {
        return false; /* EIO: the other side has closed it */
    }
    d->size += (size_t)got;
    d->heard[d->size] = 0;
    return true;
}

static bool wait_for(dialogue *d, const char *text) {
    long long deadline = now_ms() + PATIENCE_MS;
    for (;;) {
        char *found = strstr(d->heard + d->seen, text);
        if (found) {
            d->seen = (size_t)(found - d->heard) + strlen(text);
            return true;
        }
        if (!listen_until(d, deadline)) {
            return false;
        }
    }
}

/* In place; the text gets no longer. */
static size_t unescape(char *text) {
    char *to = text;
    for (const char *from = text; *from;) {
        if (from[0] == '\\' && from[1] == 'r') {
            *to++ = '\r';
            from += 2;
        } else if (from[0] == '\\' && from[1] == 'x' && from[2] && from[3]) {
            const char digits[3] = {from[2], from[3], 0};
            *to++ = (char)strtol(digits, NULL, 16);
            from += 4;
        } else {
            from += from[0] == '\\' && from[1] == '\\';
            *to++ = *from++;
        }
    }
    *to = 0;
    return (size_t)(to - text);
}

static bool follow(dialogue *d, FILE *lines) {
    char line[LINE_MAX_SIZE];
    while (fgets(line, sizeof line, lines)) {
        line[strcspn(line, "\n")] = 0;
        size_t size = strlen(line) > 2 ? unescape(line + 2) : 0;
        if (line[0] == '>' && !wait_for(d, line + 2)) {
            fprintf(stderr, "pty: did not come: %s\n", line + 2);
            return false;
        }
        if (line[0] == '<' && write(d->terminal, line + 2, size) != (ssize_t)size) {
            fprintf(stderr, "pty: cannot type: %s\n", strerror(errno));
            return false;
        }
    }
    return true;
}

static int end(dialogue *d, bool understood) {
    long long deadline = now_ms() + PATIENCE_MS;
    while (understood && listen_until(d, deadline)) {
    }
    if (!understood || now_ms() >= deadline) {
        kill(d->child, SIGKILL);
        understood = false;
    }
    int status = 0;
    waitpid(d->child, &status, 0);
    fwrite(d->heard, 1, d->size, stdout);
    if (!understood) {
        return NOT_HEARD;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv) {
    static dialogue d;
    FILE *lines = argc > 2 ? fopen(argv[1], "r") : NULL;
    if (!lines) {
        fprintf(stderr, "usage: pty DIALOGUE COMMAND [ARG]...\n");
        return NOT_RUN;
    }
    const struct winsize window = {.ws_row = 24, .ws_col = 200};
    d.child = forkpty(&d.terminal, NULL, NULL, &window);
    if (d.child == 0) {
        execvp(argv[2], argv + 2);
        _exit(NOT_RUN);
    }
    if (d.child < 0) {
        perror("pty");
        return NOT_RUN;
    }
    bool understood = follow(&d, lines);
    fclose(lines);
    return end(&d, understood);
}
