/* SPDX-License-Identifier: MIT
 *
 * identity.c - all that machine code depends on beside the kernel, in words: a cache's key.
 *
 * Versions are not enough: a distribution rebuilds LLVM under the same one. Each library is named
 * by its build. Of the C library's functions, which the compiler folds constants with, it is the
 * place, too: on other processors the same library uses others of its own.
 */
#include <llvm-c/Core.h>
#include <string.h>

#include "jit/jit.h"

enum { IDENTITY = 512 };

typedef struct words {
    cns_jit *jit;
    cns_text text;
    bool unknown;
} words;

static void say(words *w, const char *what, const char *value) {
    const cns_native_services *services = w->jit->services;
    services->text_append(&w->text, what, strlen(what));
    services->text_append(&w->text, " ", 1);
    services->text_append(&w->text, value, strlen(value));
    services->text_append(&w->text, "\n", 1);
}

static void say_function(words *w, const char *what, cns_os_symbol function) {
    char identity[IDENTITY] = "";
    w->unknown |= !w->jit->services->function_identity(function, identity, sizeof identity);
    say(w, what, identity);
}

static void say_library(words *w) {
    cns_jit *jit = w->jit;
    const cns_jit_math *row;
    for (uint32_t i = 0; (row = cns_jit_math_row(i)) != NULL; i++) {
        say_function(w, row->name, (cns_os_symbol)(uintptr_t)cns_jit_scalar_address(row->op));
        for (int v = 0; v < CNS_JIT_WIDTHS && jit->vector_math; v++) {
            if (row->vector[v] && jit->services->library_symbol(jit->vector_math, row->vector[v])) {
                say(w, "libmvec", row->vector[v]);
            }
        }
        for (uint32_t lanes = 4; lanes <= 8; lanes *= 2) {
            const cns_libm *same = jit->services->libm(jit->context, row->op, lanes);
            if (same) {
                say(w, "vector", same->name);
            }
        }
    }
}

cns_status cns_jit_identify(cns_jit *jit) {
    words w = {.jit = jit, .text = {.context = jit->context}};
    say(&w, "backend", CNS_JIT_LLVM_VERSION);
    say_function(&w, "plugin", (cns_os_symbol)cns_jit_identify);
    say_function(&w, "LLVM", (cns_os_symbol)LLVMContextCreate);
    say(&w, "triple", jit->triple);
    say(&w, "processor", jit->cpu);
    say(&w, "features", jit->features);
    say_library(&w);
    jit->identity = w.text.bytes;
    jit->identity_size = w.text.capacity;
    if (w.text.failed || w.unknown) {
        size_t size = w.text.capacity;
        cns_jit_forget_identity(jit);
        return w.text.failed ? jit->services->memory_status(jit->context, size) : CNS_OK;
    }
    return CNS_OK;
}

const char *cns_jit_identity(const void *instance) {
    const cns_jit *jit = instance;
    return jit->identity;
}

void cns_jit_forget_identity(cns_jit *jit) {
    jit->services->free(jit->context, jit->identity, jit->identity_size, CNS_ALIGN_DEFAULT);
    jit->identity = NULL;
}
