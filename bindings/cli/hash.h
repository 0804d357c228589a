/* SPDX-License-Identifier: MIT
 *
 * hash.h - what `cnsengine hash` and its --check share.
 */
#ifndef CNS_CLI_HASH_H
#define CNS_CLI_HASH_H

#include <stdbool.h>
#include <stdio.h>

#include "cns/cns.h"

enum { HASH_LONGEST = 1 << 16 }; /* bytes of digest */

typedef struct hash_job {
    cns_context *context;
    const cns_executor *executor; /* NULL: this thread only */
    cns_hash_algorithm algorithm;
    cns_hash_params params;
    bool tag, raw, no_names, quiet;
} hash_job;

/* Bytes of digest that the job makes. */
size_t hash_size(const hash_job *job);
/* The digest of a file ("-": stdin), hash_size bytes. On failure the context's message names the
 * file and the cause. */
cns_status hash_path(const hash_job *job, const char *path, unsigned char *digest);
/* Prints a name as it stands in a list of digests: escaped when it must be. */
void hash_print_name(FILE *stream, const char *name);
bool hash_name_needs_escape(const char *name);
/* Checks every line of a list of digests. A cli_exit. */
int hash_check_list(const hash_job *job, const char *path);

#endif
