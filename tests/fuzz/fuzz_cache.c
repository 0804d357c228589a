/* SPDX-License-Identifier: MIT
 *
 * fuzz_cache.c - files of the cache of machine code: the input is a file, or one that is whole and
 * then edited; what is found is whole. And the remarks in it, over allocations of exactly the size.
 */
#define _GNU_SOURCE /* mkdtemp */

#include "fuzz.h"
#include "vm/cache.h"
#include "vm/remarks.h"

enum { KEY = CNS_CACHE_KEY, OVERHEAD = 4 + 4 + KEY + 8 + 32, ROOM = 1 << 12, REMARKS = ROOM / 6 };

static const uint8_t key[KEY] = {1};

static void write_file(const char *path, const uint8_t *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    FUZZ_CHECK(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static size_t read_file(const char *path, uint8_t *bytes) {
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file);
    size_t size = fread(bytes, 1, 2 * ROOM, file);
    fclose(file);
    return size;
}

/* Sets bytes, or cuts them off; the new size. */
static size_t edit(fuzz_input *input, uint8_t *bytes, size_t size) {
    while (input->size > 2 && size > 0) {
        size_t at = fuzz_number(input) % size;
        uint8_t byte = fuzz_byte(input);
        if (byte == 255) {
            return at;
        }
        bytes[at] = byte;
    }
    return size;
}

static void check_file(cns_context *context, fuzz_input input) {
    static char folder[32] = "/tmp/fuzz-cache-XXXXXX", path[128];
    static uint8_t bytes[2 * ROOM], whole[2 * ROOM];
    if (!*path) {
        FUZZ_CHECK(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/01%062d.code", folder, 0);
    }
    cns_cache cache;
    cns_cache_entry entry;
    char why[CNS_CACHE_WHY];
    FUZZ_CHECK(cns_cache_init(&cache, context, folder, 0) == CNS_OK);
    bool raw = fuzz_byte(&input) & 1, differs = true;
    size_t size = input.size < ROOM ? input.size : ROOM;
    if (raw) {
        memcpy(bytes, input.data, size);
    } else {
        FUZZ_CHECK(cns_cache_put(&cache, key, input.data, size, why, sizeof why));
        size_t before = read_file(path, whole);
        memcpy(bytes, whole, before);
        size = edit(&input, bytes, before);
        differs = size != before || memcmp(bytes, whole, size) != 0;
    }
    write_file(path, bytes, size);
    bool found = cns_cache_get(&cache, key, &entry);
    FUZZ_CHECK(raw || found == !differs);
    if (found) {
        FUZZ_CHECK(entry.size + OVERHEAD == size);
        cns_cache_release(&cache, &entry);
    }
    cns_cache_deinit(&cache);
}

static void check_remarks(const uint8_t *data, size_t size) {
    static cns_remark list[REMARKS + 1];
    uint32_t count;
    size = size < ROOM ? size : ROOM;
    uint8_t *exact = malloc(size + (size == 0));
    memcpy(exact, data, size);
    if (cns_remarks_count(exact, size, &count)) {
        size_t total = 0;
        FUZZ_CHECK(count <= REMARKS);
        cns_remarks_list(exact, list, count);
        for (uint32_t i = 0; i < count; i++) {
            total += 5 + strlen(list[i].text) + 1;
        }
        FUZZ_CHECK(total == size);
    }
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    cns_context *context = NULL;
    FUZZ_CHECK(cns_context_create(NULL, &context) == CNS_OK);
    if (size > 0) {
        check_remarks(data, size);
        check_file(context, (fuzz_input){data, size});
    }
    cns_context_destroy(context);
    return 0;
}
