/* SPDX-License-Identifier: MIT
 *
 * terminal.c - messages, colours, the width of the terminal, output that must not be lost.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"

bool cli_is_terminal(int fd) {
    return isatty(fd) == 1;
}

bool cli_colors(int fd) {
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return cli_is_terminal(fd) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

int cli_columns(void) {
    for (int fd = 1; fd <= 2; fd++) {
        struct winsize size;
        if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
            return size.ws_col;
        }
    }
    const char *columns = getenv("COLUMNS");
    int64_t value;
    return columns && cli_parse_integer(columns, 20, 10000, &value) ? (int)value : 80;
}

static void message(const char *kind, const char *color, const char *format, va_list arguments) {
    bool colors = *kind && cli_colors(2);
    fprintf(stderr, "cnsengine: %s%s%s", colors ? color : "", kind, colors ? "\033[0m" : "");
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

void cli_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    message("", "", format, arguments);
    va_end(arguments);
}

void cli_warning(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    message("warning: ", "\033[33m", format, arguments);
    va_end(arguments);
}

int cli_usage(const cli_command *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "cnsengine %s: ", command->name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nSee 'cnsengine %s --help'.\n", command->name);
    va_end(arguments);
    return CLI_USAGE;
}

void cli_secure_descriptors(void) {
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) {
            /* The lowest free number is `fd` itself. Opened the wrong way round on purpose. */
            int opened = open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
            (void)opened;
        }
    }
}

int cli_finish_output(int code) {
    errno = 0;
    int failed = fflush(stdout) != 0;
    int error = errno;
    if (!failed && !ferror(stdout)) {
        return code;
    }
    if (error) {
        cli_error("output was lost: %s", strerror(error));
    } else {
        cli_error("output was lost: an earlier write to stdout failed");
    }
    /* Said once; what could not be written is given up. */
    __fpurge(stdout);
    clearerr(stdout);
    return code == CLI_SUCCESS ? CLI_FAILURE : code;
}
