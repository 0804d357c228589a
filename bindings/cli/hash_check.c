/* SPDX-License-Identifier: MIT
 *
 * hash_check.c - `cnsengine hash --check`: lists of digests, each line compared with its file.
 *
 * Two forms of line: "DIGEST  NAME" and "ALGORITHM (NAME) = DIGEST"; a backslash in front says that
 * NAME is escaped. A line that is neither counts as a failure: a damaged list proves nothing.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "hash.h"

typedef struct check_entry {
    cns_hash_algorithm algorithm;
    unsigned char *digest; /* into the line, decoded in place */
    size_t size;
    char *name; /* into the line */
} check_entry;

typedef struct check_counts {
    size_t right, wrong, unreadable, malformed;
} check_counts;

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes hex digits in place; the bytes, 0 when there are none or an odd number. */
static size_t decode_hex(char *text, size_t length) {
    if (length % 2) {
        return 0;
    }
    for (size_t i = 0; i < length; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0) {
            return 0;
        }
        ((unsigned char *)text)[i / 2] = (unsigned char)(high * 16 + low);
    }
    return length / 2;
}

static bool unescape(char *name) {
    char *out = name;
    for (; *name; name++) {
        if (*name != '\\') {
            *out++ = *name;
            continue;
        }
        name++;
        if (*name != '\\' && *name != 'n' && *name != 'r') {
            return false;
        }
        *out++ = (char)(*name == 'n' ? '\n' : *name == 'r' ? '\r' : '\\');
    }
    *out = 0;
    return true;
}

/* "ALGORITHM (NAME) = DIGEST" */
static bool parse_tagged(char *line, check_entry *entry) {
    char *open = strstr(line, " (");
    char *close = NULL;
    for (char *c = open; c && (c = strstr(c, ") = ")) != NULL; c++) {
        close = c; /* a name may hold ") = ": the last one counts */
    }
    if (!close || open == line) {
        return false;
    }
    *open = 0;
    for (char *c = line; *c; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
    if (cns_hash_parse(line, &entry->algorithm) != CNS_OK) {
        *open = ' ';
        return false;
    }
    *close = 0;
    entry->name = open + 2;
    entry->digest = (unsigned char *)close + 4;
    entry->size = decode_hex(close + 4, strlen(close + 4));
    return entry->size > 0;
}

/* "DIGEST  NAME" or "DIGEST *NAME" */
static bool parse_plain(char *line, check_entry *entry) {
    size_t length = strcspn(line, " ");
    if (line[length] != ' ' || (line[length + 1] != ' ' && line[length + 1] != '*') ||
        !line[length + 2]) {
        return false;
    }
    entry->name = line + length + 2;
    entry->digest = (unsigned char *)line;
    entry->size = decode_hex(line, length);
    return entry->size > 0;
}

static bool parse_line(char *line, check_entry *entry) {
    bool escaped = line[0] == '\\';
    line += escaped;
    if (!parse_tagged(line, entry) && !parse_plain(line, entry)) {
        return false;
    }
    return entry->name[0] && (!escaped || unescape(entry->name));
}

static void print_result(const char *name, const char *result, const char *cause) {
    if (hash_name_needs_escape(name)) {
        fputc('\\', stdout);
    }
    hash_print_name(stdout, name);
    printf(": %s", result);
    if (cause && *cause) {
        printf(" (%s)", cause);
    }
    fputc('\n', stdout);
}

static void check_entry_file(const hash_job *base, const check_entry *entry, check_counts *counts) {
    hash_job job = *base;
    job.algorithm = entry->algorithm;
    job.params.digest_size =
        entry->size == cns_hash_digest_size(entry->algorithm) ? 0 : (uint32_t)entry->size;
    unsigned char *digest = entry->size <= HASH_LONGEST ? malloc(entry->size) : NULL;
    cns_status status = digest ? hash_path(&job, entry->name, digest) : CNS_E_INVALID;
    if (status != CNS_OK) {
        char message[1024] = "";
        if (digest) {
            cns_context_message(job.context, message, sizeof message);
        }
        print_result(entry->name, "FAILED", digest ? message : "the digest is too long");
        counts->unreadable++;
    } else if (memcmp(digest, entry->digest, entry->size) != 0) {
        print_result(entry->name, "FAILED", NULL);
        counts->wrong++;
    } else {
        if (!job.quiet) {
            print_result(entry->name, "OK", NULL);
        }
        counts->right++;
    }
    free(digest);
}

/* 1, 0 at the end, -1 on an error. The line is without its end. */
static int next_line(FILE *file, char **line, size_t *capacity, size_t *length) {
    errno = 0;
    ssize_t got = getline(line, capacity, file);
    if (got < 0) {
        return ferror(file) || errno == ENOMEM ? -1 : 0;
    }
    while (got > 0 && ((*line)[got - 1] == '\n' || (*line)[got - 1] == '\r')) {
        (*line)[--got] = 0;
    }
    *length = (size_t)got;
    return 1;
}

static int report(const check_counts *counts, const char *path) {
    fflush(stdout);
    if (counts->malformed) {
        cli_warning("%s: %zu line%s no digest", path, counts->malformed,
                    counts->malformed == 1 ? " is" : "s are");
    }
    if (counts->unreadable) {
        cli_warning("%s: %zu listed file%s could not be read", path, counts->unreadable,
                    counts->unreadable == 1 ? "" : "s");
    }
    if (counts->wrong) {
        cli_warning("%s: %zu digest%s did NOT match", path, counts->wrong,
                    counts->wrong == 1 ? "" : "s");
    }
    if (counts->right + counts->wrong + counts->unreadable + counts->malformed == 0) {
        cli_error("%s: no digests in it", path);
        return CLI_CHECK_FAILED;
    }
    return counts->wrong || counts->unreadable || counts->malformed ? CLI_CHECK_FAILED
                                                                    : CLI_SUCCESS;
}

int hash_check_list(const hash_job *job, const char *path) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (!file) {
        cli_error("cannot open '%s': %s", path, strerror(errno));
        return CLI_FAILURE;
    }
    char *line = NULL;
    size_t capacity = 0, length, number = 0;
    check_counts counts = {0};
    int got;
    while ((got = next_line(file, &line, &capacity, &length)) > 0) {
        check_entry entry = {.algorithm = job->algorithm};
        number++;
        if (length == 0) {
            continue;
        }
        if (strlen(line) != length || !parse_line(line, &entry)) {
            fflush(stdout);
            cli_error("%s:%zu: not a line with a digest", path, number);
            counts.malformed++;
            continue;
        }
        check_entry_file(job, &entry, &counts);
    }
    int error = errno;
    free(line);
    if (file != stdin) {
        fclose(file);
    }
    if (got < 0) {
        cli_error("cannot read '%s': %s", path, strerror(error));
        return CLI_FAILURE;
    }
    return report(&counts, path);
}
