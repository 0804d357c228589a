/* SPDX-License-Identifier: MIT
 *
 * arguments.c - reading a command's options, sizes and durations, and its help text.
 *
 * The GNU conventions: --name value, --name=value, -x, -xvalue, options and operands in any
 * order, "--" ends the options.
 */
#define _POSIX_C_SOURCE 200809L

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"

void cli_args_init(cli_args *args, const cli_command *command, int argc, char **argv) {
    *args = (cli_args){.command = command, .argc = argc, .argv = argv};
}

static const cli_option *find_name(const cli_option *options, const char *name, size_t length) {
    for (const cli_option *option = options; option->id; option++) {
        if (strlen(option->name) == length && memcmp(option->name, name, length) == 0) {
            return option;
        }
    }
    return NULL;
}

static int unknown_option(cli_args *args, const char *name, size_t length) {
    const char *names[32] = {0};
    size_t count = 0;
    for (const cli_option *option = args->command->options; option->id && count < 30; option++) {
        names[count++] = option->name;
    }
    names[count] = "--help";
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(length < 60 ? length : 60), name);
    const char *near = cli_nearest(word, names);
    if (near) {
        cli_usage(args->command, "unknown option %s; did you mean %s?", word, near);
    } else {
        cli_usage(args->command, "unknown option %s", word);
    }
    return CLI_BAD;
}

/* Takes the option's value from `attached` or from the next argument. */
static int take_value(cli_args *args, const char *attached) {
    const cli_option *option = args->option;
    if (!option->value) {
        if (attached) {
            cli_usage(args->command, "%s takes no value", option->name);
            return CLI_BAD;
        }
        return option->id;
    }
    if (attached) {
        args->value = attached;
    } else if (args->next < args->argc) {
        args->value = args->argv[args->next++];
    } else {
        cli_usage(args->command, "%s needs a value: %s %s", option->name, option->name,
                  option->value);
        return CLI_BAD;
    }
    return option->id;
}

static int next_letter(cli_args *args) {
    char letter = *args->letters++;
    const char *rest = args->letters;
    if (!*rest) {
        args->letters = NULL;
    }
    if (letter == 'h') {
        cli_help(stdout, args->command);
        return CLI_HELP;
    }
    for (const cli_option *option = args->command->options; option->id; option++) {
        if (option->letter == letter) {
            args->option = option;
            if (option->value) {
                args->letters = NULL;
                return take_value(args, *rest ? rest : NULL);
            }
            return option->id;
        }
    }
    char name[3] = {'-', letter, 0};
    return unknown_option(args, name, 2);
}

int cli_args_next(cli_args *args) {
    args->value = NULL;
    if (args->letters) {
        return next_letter(args);
    }
    if (args->next >= args->argc) {
        return CLI_END;
    }
    const char *word = args->argv[args->next++];
    if (args->rest || word[0] != '-' || !word[1]) {
        args->value = word;
        return CLI_OPERAND;
    }
    if (strcmp(word, "--") == 0) {
        args->rest = true;
        return cli_args_next(args);
    }
    if (word[1] != '-') {
        args->letters = word + 1;
        return next_letter(args);
    }
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    if (length == 6 && memcmp(word, "--help", 6) == 0) {
        cli_help(stdout, args->command);
        return CLI_HELP;
    }
    args->option = find_name(args->command->options, word, length);
    return args->option ? take_value(args, equals ? equals + 1 : NULL)
                        : unknown_option(args, word, length);
}

void cli_help(FILE *stream, const cli_command *command) {
    fprintf(stream, "Usage: cnsengine %s%s%s\n\n%s\n\nOptions:\n", command->name,
            *command->usage ? " " : "", command->usage, command->text);
    for (const cli_option *option = command->options; option->id; option++) {
        char letter[8] = "   ";
        if (option->letter) {
            snprintf(letter, sizeof letter, "-%c,", option->letter);
        }
        char left[40];
        snprintf(left, sizeof left, "  %s %s%s%s", letter, option->name, option->value ? " " : "",
                 option->value ? option->value : "");
        fprintf(stream, "%-26s %s\n", left, option->help);
    }
    fprintf(stream, "%-26s %s\n", "  -h, --help", "show this help");
    if (command->notes) {
        fprintf(stream, "\n%s\n", command->notes);
    }
    fprintf(stream, "\nExamples:\n%s", command->examples);
}

/* ---- values ---------------------------------------------------------------------------------- */

typedef struct unit {
    const char *name;
    double factor;
} unit;

/* A non-negative decimal number and a unit of the table (the first is for a missing unit). */
static bool parse_scaled(const char *text, const unit *units, double ceiling, uint64_t *out) {
    while (isspace((unsigned char)*text)) {
        text++;
    }
    if (!isdigit((unsigned char)*text) && *text != '.') {
        return false;
    }
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        return false;
    }
    char *end = NULL;
    double number = strtod(text, &end);
    if (end == text || !isfinite(number)) {
        return false;
    }
    while (isspace((unsigned char)*end)) {
        end++;
    }
    for (const unit *u = units; u->name; u++) {
        if (strcasecmp(end, u->name) == 0) {
            double value = number * u->factor;
            if (!(value <= ceiling)) {
                return false;
            }
            *out = (uint64_t)value;
            return true;
        }
    }
    return false;
}

bool cli_parse_size(const char *text, uint64_t *out) {
    static const unit units[] = {
        {"", 1},
        {"b", 1},
        {"kib", 1024.0},
        {"mib", 1048576.0},
        {"gib", 1073741824.0},
        {"tib", 1099511627776.0},
        {"k", 1024.0},
        {"m", 1048576.0},
        {"g", 1073741824.0},
        {"t", 1099511627776.0},
        {"kb", 1e3},
        {"mb", 1e6},
        {"gb", 1e9},
        {"tb", 1e12},
        {NULL, 0},
    };
    return parse_scaled(text, units, 9.0e18, out);
}

const char *cli_size_text(uint64_t bytes, char buffer[32]) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    int step = 0;
    while (value >= 1024 && step < 5) {
        value /= 1024;
        step++;
    }
    snprintf(buffer, 32, step ? "%.1f %s" : "%.0f %s", value, units[step]);
    return buffer;
}

bool cli_parse_duration(const char *text, uint64_t *out) {
    static const unit units[] = {
        {"", 1e9},   {"s", 1e9},    {"sec", 1e9},  {"ns", 1},      {"us", 1e3}, {"ms", 1e6},
        {"m", 6e10}, {"min", 6e10}, {"h", 3.6e12}, {"d", 8.64e13}, {NULL, 0},
    };
    return parse_scaled(text, units, 9.0e18, out);
}

bool cli_parse_integer(const char *text, int64_t low, int64_t high, int64_t *out) {
    if (!*text || isspace((unsigned char)*text)) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end || value < low || value > high) {
        return false;
    }
    *out = value;
    return true;
}

/* Optimal string alignment (Damerau 1964, restricted): one transposition counts as one error. */
static size_t distance(const char *a, const char *b) {
    enum { LONGEST = 40 };
    size_t m = strlen(a), n = strlen(b);
    if (m >= LONGEST || n >= LONGEST) {
        return LONGEST;
    }
    size_t cost[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= m; i++) {
        for (size_t j = 0; j <= n; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            size_t best = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = cost[i - 1][j] + 1 < best ? cost[i - 1][j] + 1 : best;
            best = cost[i][j - 1] + 1 < best ? cost[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                cost[i - 2][j - 2] + 1 < best) {
                best = cost[i - 2][j - 2] + 1;
            }
            cost[i][j] = best;
        }
    }
    return cost[m][n];
}

const char *cli_nearest(const char *word, const char *const *list) {
    const char *nearest = NULL;
    size_t length = strlen(word), least = length / 3 + 2;
    for (; *list; list++) {
        size_t d = distance(word, *list);
        bool prefix = length >= 3 && strncmp(word, *list, length) == 0;
        if (d < least || (prefix && (!nearest || d == least))) {
            nearest = *list;
            least = d < least ? d : least;
        }
    }
    return nearest;
}
