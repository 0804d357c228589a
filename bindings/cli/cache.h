/* SPDX-License-Identifier: MIT
 *
 * cache.h - the state of the cache of native code, for `cnsengine cache` and `cnsengine doctor`.
 */
#ifndef CNS_CLI_CACHE_H
#define CNS_CLI_CACHE_H

#include <stdbool.h>

#include "cns/vm.h"

typedef struct cache_state {
    bool named;  /* there is a folder for it */
    bool usable; /* and kernels can be kept there */
    char path[4096];
    char why[256]; /* why not */
    cns_cache_info info;
} cache_state;

void cache_look(cns_context *context, cache_state *state);

#endif
