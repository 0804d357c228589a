/* SPDX-License-Identifier: MIT
 *
 * hash.c - `cnsengine hash`: digests of files, printed as b3sum and the coreutils do.
 *
 * A name with a backslash, a newline or a carriage return is escaped and its line begins with a
 * backslash, so that every list of digests can be checked again whatever files are called.
 */
#define _GNU_SOURCE

#include "hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { ALGORITHM = 1, CHECK, LENGTH, KEY_FILE, TAG, NO_NAMES, RAW, QUIET, THREADS };

static const cli_option hash_options[] = {
    {ALGORITHM, "--algorithm", 'a', "NAME", "blake3 (default), blake2b, xxh3-64, xxh3-128, ..."},
    {CHECK, "--check", 'c', NULL, "read digests from the FILEs and check them"},
    {LENGTH, "--length", 'l', "BYTES", "bytes of digest (blake3: any; blake2b: 1 to 64)"},
    {KEY_FILE, "--key-file", 0, "FILE", "the key: all bytes of FILE, - for stdin"},
    {TAG, "--tag", 0, NULL, "print ALGORITHM (NAME) = DIGEST"},
    {NO_NAMES, "--no-names", 0, NULL, "print digests only"},
    {RAW, "--raw", 0, NULL, "write one digest as bytes, not hex"},
    {QUIET, "--quiet", 'q', NULL, "with --check: no line for a file that is right"},
    {THREADS, "--threads", 't', "N", "threads for large files; else from the machine"},
    {0, NULL, 0, NULL, NULL},
};

size_t hash_size(const hash_job *job) {
    return job->params.digest_size ? job->params.digest_size : cns_hash_digest_size(job->algorithm);
}

static cns_status hash_stdin(const hash_job *job, unsigned char *digest) {
    enum { PIECE = 256 << 10 };
    cns_hasher *hasher = NULL;
    unsigned char *piece = malloc(PIECE);
    if (!piece) {
        return CNS_E_NOMEM;
    }
    cns_status status = cns_hasher_create(job->context, job->algorithm, &job->params, &hasher);
    while (status == CNS_OK) {
        ssize_t got = read(0, piece, PIECE);
        if (got > 0) {
            status = cns_hasher_update(hasher, piece, (size_t)got);
        } else if (got == 0) {
            status = cns_hasher_finalize(hasher, digest, hash_size(job));
            break;
        } else if (errno != EINTR) {
            cli_error("cannot read stdin: %s", strerror(errno));
            status = CNS_E_IO;
        }
    }
    cns_hasher_destroy(hasher);
    free(piece);
    return status;
}

cns_status hash_path(const hash_job *job, const char *path, unsigned char *digest) {
    if (strcmp(path, "-") == 0) {
        return hash_stdin(job, digest);
    }
    return cns_hash_file(job->context, job->algorithm, &job->params, path, digest, hash_size(job),
                         job->executor);
}

bool hash_name_needs_escape(const char *name) {
    return strpbrk(name, "\\\n\r") != NULL;
}

void hash_print_name(FILE *stream, const char *name) {
    for (; *name; name++) {
        switch (*name) {
        case '\\':
            fputs("\\\\", stream);
            break;
        case '\n':
            fputs("\\n", stream);
            break;
        case '\r':
            fputs("\\r", stream);
            break;
        default:
            fputc(*name, stream);
        }
    }
}

static void print_digest(const hash_job *job, const char *path, const unsigned char *digest) {
    if (job->raw) {
        fwrite(digest, 1, hash_size(job), stdout);
        return;
    }
    bool named = !job->no_names;
    if (named && hash_name_needs_escape(path)) {
        fputc('\\', stdout);
    }
    if (named && job->tag) {
        for (const char *c = cns_hash_name(job->algorithm); *c; c++) {
            fputc(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c, stdout);
        }
        fputs(" (", stdout);
        hash_print_name(stdout, path);
        fputs(") = ", stdout);
    }
    for (size_t i = 0; i < hash_size(job); i++) {
        char hex[3];
        cns_hash_hex(digest + i, 1, hex);
        fputs(hex, stdout);
    }
    if (named && !job->tag) {
        fputs("  ", stdout);
        hash_print_name(stdout, path);
    }
    fputc('\n', stdout);
}

static int hash_files(const hash_job *job, char *const *paths, int count) {
    int code = CLI_SUCCESS;
    unsigned char *digest = malloc(hash_size(job));
    if (!digest) {
        cli_error("not enough memory");
        return CLI_FAILURE;
    }
    for (int i = 0; i < count; i++) {
        cns_status status = hash_path(job, paths[i], digest);
        if (status == CNS_OK) {
            print_digest(job, paths[i], digest);
            continue;
        }
        char message[1024] = "";
        cns_context_message(job->context, message, sizeof message);
        if (status != CNS_E_IO || strcmp(paths[i], "-") != 0) {
            fflush(stdout);
            cli_error("%s", message[0] ? message : cns_status_text(status));
        }
        code = CLI_FAILURE;
    }
    free(digest);
    return code;
}

/* ---- the command line ------------------------------------------------------------------------ */

typedef struct hash_request {
    hash_job job;
    bool check;
    uint32_t threads;
    unsigned char key[65]; /* one more than the longest, to notice a longer one */
    char **paths;
    int count;
} hash_request;

static bool read_key(hash_request *request, const char *path) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!file) {
        cli_error("--key-file %s: %s", path, strerror(errno));
        return false;
    }
    size_t size = fread(request->key, 1, sizeof request->key, file);
    bool failed = ferror(file) != 0;
    if (file != stdin) {
        fclose(file);
    }
    if (failed || size == 0) {
        cli_error("--key-file %s: %s", path, failed ? strerror(errno) : "it is empty");
        return false;
    }
    request->job.params.key = request->key;
    request->job.params.key_size = size;
    return true;
}

static bool set_algorithm(hash_request *request, const cli_command *command, const char *name) {
    if (cns_hash_parse(name, &request->job.algorithm) == CNS_OK) {
        return true;
    }
    const char *names[16] = {0};
    char list[256] = "";
    size_t length = 0;
    for (int i = 1; i < 16 && cns_hash_name((cns_hash_algorithm)i); i++) {
        names[i - 1] = cns_hash_name((cns_hash_algorithm)i);
        length += (size_t)snprintf(list + length, sizeof list - length, "%s%s", i > 1 ? ", " : "",
                                   names[i - 1]);
    }
    const char *near = cli_nearest(name, names);
    cli_usage(command, "unknown algorithm '%s'%s%s%s (there are %s)", name,
              near ? "; did you mean " : "", near ? near : "", near ? "?" : "", list);
    return false;
}

static bool set_number(const cli_command *command, const cli_args *args, int64_t high,
                       uint32_t *out) {
    int64_t value;
    if (!cli_parse_integer(args->value, 1, high, &value)) {
        cli_usage(command, "%s %s: want an integer from 1 to %lld", args->option->name, args->value,
                  (long long)high);
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

static bool apply(hash_request *request, const cli_command *command, const cli_args *args, int id) {
    hash_job *job = &request->job;
    switch (id) {
    case CLI_OPERAND:
        request->paths[request->count++] = (char *)args->value;
        return true;
    case ALGORITHM:
        return set_algorithm(request, command, args->value);
    case LENGTH:
        return set_number(command, args, HASH_LONGEST, &job->params.digest_size);
    case THREADS:
        return set_number(command, args, 1024, &request->threads);
    case KEY_FILE:
        return read_key(request, args->value);
    case CHECK:
        return request->check = true;
    case TAG:
        return job->tag = true;
    case NO_NAMES:
        return job->no_names = true;
    case RAW:
        return job->raw = true;
    default:
        return job->quiet = true;
    }
}

/* Asks the engine itself whether algorithm, key and length go together. */
static bool valid_parameters(const hash_request *request, const cli_command *command) {
    const hash_job *job = &request->job;
    cns_hasher *hasher;
    cns_status status = cns_hasher_create(job->context, job->algorithm, &job->params, &hasher);
    if (status == CNS_OK) {
        cns_hasher_destroy(hasher);
        return true;
    }
    char message[256] = "";
    cns_context_message(job->context, message, sizeof message);
    cli_usage(command, "%s%s", message, strstr(message, "key") ? " (give it with --key-file)" : "");
    return false;
}

static int hash_all(const cli_command *command, hash_request *request) {
    static char *const only_stdin[] = {"-"};
    char *const *paths = request->count ? request->paths : only_stdin;
    int count = request->count ? request->count : 1;
    if (request->job.raw && (count > 1 || request->check)) {
        return cli_usage(command, "--raw is for the digest of one file");
    }
    if (!valid_parameters(request, command)) {
        return CLI_USAGE;
    }
    if (!request->check) {
        return hash_files(&request->job, paths, count);
    }
    int code = CLI_SUCCESS;
    for (int i = 0; i < count; i++) {
        int one = hash_check_list(&request->job, paths[i]);
        code = one == CLI_SUCCESS || code == CLI_CHECK_FAILED ? code : one;
    }
    return code;
}

/* Threads start only when a file is large enough to be spread; BLAKE3 is the one that can be. */
static int with_threads(const cli_command *command, hash_request *request) {
    cns_tasks *tasks = NULL;
    cns_executor executor;
    const cns_tasks_config config = {
        .size = sizeof config, .workers = request->threads, .name = "hash"};
    if (request->job.algorithm == CNS_HASH_BLAKE3 && request->threads != 1 &&
        cns_tasks_create(request->job.context, &config, &tasks) == CNS_OK) {
        cns_tasks_executor(tasks, &executor);
        request->job.executor = &executor;
    }
    int code = hash_all(command, request);
    cns_tasks_destroy(tasks);
    return code;
}

static int run_hash(const cli_command *command, int argc, char **argv) {
    hash_request request = {
        .job = {.algorithm = CNS_HASH_BLAKE3, .params = {.size = sizeof(cns_hash_params)}}};
    int code = CLI_USAGE;
    cli_args args;
    request.paths = calloc((size_t)argc + 1, sizeof *request.paths);
    if (!request.paths || cns_context_create(NULL, &request.job.context) != CNS_OK) {
        cli_error("not enough memory");
        free(request.paths);
        return CLI_FAILURE;
    }
    cli_args_init(&args, command, argc, argv);
    for (int id; (id = cli_args_next(&args)) != CLI_END;) {
        if (id == CLI_BAD || id == CLI_HELP || !apply(&request, command, &args, id)) {
            code = id == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
            goto done;
        }
    }
    code = with_threads(command, &request);
done:
    cns_context_destroy(request.job.context);
    free(request.paths);
    return code;
}

const cli_command cli_hash_command = {
    .name = "hash",
    .summary = "print or check digests of files",
    .usage = "[OPTION]... [FILE]...",
    .text = "Prints the digest of each FILE, or of stdin when there is none or FILE is -.\n"
            "Algorithms: blake3, blake2b; with a key siphash24, siphash13; against accidents\n"
            "only, not against attackers: xxh3-64, xxh3-128, crc32c.",
    .options = hash_options,
    .notes = "--check reads lines as this command, b3sum or the coreutils print them; lines\n"
             "made with --tag name their algorithm themselves.\n"
             "\n"
             "Exit codes: 0 success; 1 a file could not be read; 2 usage; 3 a check failed.",
    .examples = "  cnsengine hash disk.iso\n"
                "  cnsengine hash --algorithm blake2b --length 32 *.txt > SUMS\n"
                "  cnsengine hash --check --algorithm blake2b SUMS\n"
                "  tar c folder | cnsengine hash --tag -\n",
    .run = run_hash,
};
