/* SPDX-License-Identifier: MIT
 *
 * fuzz_map.c - a string map against a plain array of the 256 keys that the input can name.
 */
#include "cns/hash.h"
#include "fuzz.h"

typedef struct expected {
    int present;
    uint64_t value;
} expected;

/* Key k: k bytes that depend on k, so that empty and long keys with NULs occur. */
static size_t make_key(uint8_t k, char *key) {
    memset(key, k & 3, k);
    return k;
}

static void compare_all(const cns_map *map, const expected *model) {
    uint64_t count = 0, seen = 0, cursor = 0;
    char key[256];
    for (int k = 0; k < 256; k++) {
        size_t size = make_key((uint8_t)k, key);
        const uint64_t *cell = cns_map_get_string(map, key, size);
        FUZZ_CHECK((cell != NULL) == model[k].present);
        FUZZ_CHECK(!cell || *cell == model[k].value);
        count += (uint64_t)model[k].present;
    }
    while (cns_map_next_string(map, &cursor, NULL, NULL, NULL)) {
        seen++;
    }
    FUZZ_CHECK(cns_map_count(map) == count && seen == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    cns_context *context = NULL;
    cns_map *map = NULL;
    cns_map_config config = {.size = sizeof config,
                             .key = CNS_MAP_KEY_STRING,
                             .value = CNS_MAP_VALUE_U64,
                             .seed = fuzz_byte(&input)};
    FUZZ_CHECK(cns_context_create(NULL, &context) == CNS_OK);
    FUZZ_CHECK(cns_map_create(context, &config, &map) == CNS_OK);
    expected model[256] = {{0}};
    char key[256];
    while (input.size) {
        uint8_t action = fuzz_byte(&input), k = fuzz_byte(&input);
        size_t key_size = make_key(k, key);
        if (action < 128) {
            void *cell;
            int added;
            FUZZ_CHECK(cns_map_put_string(map, key, key_size, &cell, &added) == CNS_OK);
            FUZZ_CHECK(added == !model[k].present);
            model[k] = (expected){1, fuzz_number(&input)};
            memcpy(cell, &model[k].value, sizeof model[k].value);
        } else if (action < 250) {
            cns_status status = cns_map_remove_string(map, key, key_size);
            FUZZ_CHECK(status == (model[k].present ? CNS_OK : CNS_E_NOTFOUND));
            model[k] = (expected){0};
        } else if (action < 254) {
            FUZZ_CHECK(cns_map_reserve(map, fuzz_byte(&input) * 16u) == CNS_OK);
        } else {
            cns_map_clear(map);
            memset(model, 0, sizeof model);
        }
    }
    compare_all(map, model);
    FUZZ_CHECK(cns_map_check(map) == CNS_OK);
    cns_map_destroy(map);
    cns_context_destroy(context);
    return 0;
}
