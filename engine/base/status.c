/* SPDX-License-Identifier: MIT
 *
 * base/status.c - names and sentences of status codes, and the version.
 */
#include "cns/base.h"

typedef struct status_entry {
    const char *name;
    const char *text;
} status_entry;

/* Indexed by -status. */
static const status_entry status_table[] = {
    {"CNS_OK", "success"},
    {"CNS_E_INVALID", "invalid argument"},
    {"CNS_E_NOMEM", "out of memory"},
    {"CNS_E_LIMIT", "limit reached"},
    {"CNS_E_IO", "input/output error"},
    {"CNS_E_CANCELLED", "cancelled"},
    {"CNS_E_DEADLINE", "deadline passed"},
    {"CNS_E_STALE", "stale handle"},
    {"CNS_E_BUSY", "in use elsewhere"},
    {"CNS_E_UNSUPPORTED", "not supported here"},
    {"CNS_E_CORRUPT", "corrupted"},
    {"CNS_E_NOTFOUND", "not found"},
    {"CNS_E_RANGE", "out of range"},
    {"CNS_E_FAILED", "callback failed"},
};

static const status_entry unknown_status = {"unknown status", "unknown status"};

static const status_entry *find_status(cns_status status) {
    const int count = (int)(sizeof status_table / sizeof *status_table);
    int value = (int)status; /* any int: a host may pass what it likes */
    return value <= 0 && value > -count ? &status_table[-value] : &unknown_status;
}

const char *cns_status_name(cns_status status) {
    return find_status(status)->name;
}

const char *cns_status_text(cns_status status) {
    return find_status(status)->text;
}

uint32_t cns_abi_version(void) {
    return CNS_ABI_VERSION;
}

#define TEXT_OF(x) #x
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *cns_version_string(void) {
    return VERSION_TEXT(CNS_VERSION_MAJOR, CNS_VERSION_MINOR, CNS_VERSION_PATCH);
}
