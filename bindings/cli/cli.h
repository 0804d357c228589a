/* SPDX-License-Identifier: MIT
 *
 * cli.h - what the commands share: exit codes, the table of a command, its arguments, messages.
 *
 * A command is one file with one `cli_command`: its help text comes from the table that parses
 * its options, so the two cannot disagree. Data goes to stdout, everything else to stderr.
 */
#ifndef CNS_CLI_H
#define CNS_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum cli_exit {
    CLI_SUCCESS = 0,
    CLI_SCRIPT_ERROR = 1, /* the script raised an error; any other failure of a command */
    CLI_USAGE = 2,
    CLI_CHECK_FAILED = 3,
    CLI_THRESHOLD_MISSED = 4,
    CLI_INCONCLUSIVE = 5,
    CLI_LIMIT = 6,
    CLI_INTERRUPTED = 130
} cli_exit;

#define CLI_FAILURE CLI_SCRIPT_ERROR

/* ---- arguments ------------------------------------------------------------------------------- */

typedef struct cli_option {
    int id;            /* > 0; 0 ends the table */
    const char *name;  /* "--memory" */
    char letter;       /* 'm' for -m; 0 for none */
    const char *value; /* "SIZE"; NULL for a flag */
    const char *help;  /* one line, lower case */
} cli_option;

typedef struct cli_command {
    const char *name;
    const char *summary; /* one line for the list of commands */
    const char *usage;   /* what follows the name */
    const char *text;    /* paragraphs between usage and options */
    const cli_option *options;
    const char *notes;    /* paragraphs behind the options; may be NULL */
    const char *examples; /* one line each, ends with a newline */
    int (*run)(const struct cli_command *command, int argc, char **argv);
} cli_command;

enum {
    CLI_END = 0,
    CLI_OPERAND = -1, /* `value` is the operand */
    CLI_BAD = -2,     /* a usage message has been printed */
    CLI_HELP = -3     /* help has been printed */
};

typedef struct cli_args {
    const cli_command *command;
    int argc;
    char **argv;
    int next;
    const char *letters; /* the rest of "-xyz" */
    bool rest;           /* behind "--": all operands */
    const cli_option *option;
    const char *value;
} cli_args;

void cli_args_init(cli_args *args, const cli_command *command, int argc, char **argv);
/* The id of the next option, with its value; or one of the above. --help and -h are built in. */
int cli_args_next(cli_args *args);
void cli_help(FILE *stream, const cli_command *command);

/* "64 KiB", "1.5GiB", "100 MB", "512M", "4096". false when it is none. */
bool cli_parse_size(const char *text, uint64_t *out);
/* "1.5 GiB", into the buffer; returns it. */
const char *cli_size_text(uint64_t bytes, char buffer[32]);
/* "2", "0.5", "500ms", "2 min", "1h": in nanoseconds. */
bool cli_parse_duration(const char *text, uint64_t *out);
bool cli_parse_integer(const char *text, int64_t low, int64_t high, int64_t *out);
/* The entry of the NULL-terminated list nearest to `word`, or NULL when none is near. */
const char *cli_nearest(const char *word, const char *const *list);

/* ---- terminal -------------------------------------------------------------------------------- */

/* Whether `fd` is a terminal, and takes colours (NO_COLOR unset or empty, TERM not dumb). */
bool cli_is_terminal(int fd);
bool cli_colors(int fd);
/* Columns of stdout's or stderr's terminal, COLUMNS, or 80. */
int cli_columns(void);
/* "cnsengine COMMAND: message" on stderr; returns CLI_USAGE. */
int cli_usage(const cli_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "cnsengine: message" on stderr. */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Opens what is missing of descriptors 0 to 2 so that files opened later do not land there: a
 * closed stdout stays one that cannot be written. */
void cli_secure_descriptors(void);
/* Flushes stdout; when something written was lost (full disk, closed), says so and turns a
 * success into CLI_FAILURE. */
int cli_finish_output(int code);

/* ---- where things are ------------------------------------------------------------------------ */

/* The folder that holds cns/....lua, or false with the places looked at in `buffer`. */
bool cli_find_stdlib(char *buffer, size_t capacity);
/* scripts/NAME: below the working folder, the source tree or the installation. */
bool cli_find_script(const char *name, char *buffer, size_t capacity);

/* ---- commands -------------------------------------------------------------------------------- */

extern const cli_command cli_run_command;
extern const cli_command cli_solve_command;
extern const cli_command cli_bench_command;
extern const cli_command cli_build_command;
extern const cli_command cli_cache_command;
extern const cli_command cli_hash_command;
extern const cli_command cli_doctor_command;
extern const cli_command cli_repl_command;
extern const cli_command cli_version_command;

#endif
