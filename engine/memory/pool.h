/* SPDX-License-Identifier: MIT
 *
 * memory/pool.h - what the tests need of a pool's inside.
 */
#ifndef CNS_MEMORY_POOL_H
#define CNS_MEMORY_POOL_H

#include "cns/memory.h"

/* Sets a live slot's generation (odd), as 2^31 uses of it would; its handles become stale. Returns
 * the new handle, 0 when `handle` is stale or the generation even. */
cns_handle cns_pool_set_generation(cns_pool *pool, cns_handle handle, uint32_t generation);

#endif
