/* SPDX-License-Identifier: MIT
 *
 * module.c - kernels of a module, compiled ahead of time from a Lua script, in a C program.
 *
 *   cnsengine build examples/lua/module.lua -o kernels.cnsb
 *   cc module.c $(pkg-config --cflags --libs cns) && ./a.out kernels.cnsb
 */
#include <cns/cns.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 1000, F64S = CNS_VM_BUFFER + CNS_F64 };

static void complain(cns_context *context, const char *what, cns_status status) {
    char message[512] = "";
    cns_context_message(context, message, sizeof message);
    fprintf(stderr, "%s: %s: %s\n", what, cns_status_name(status), message);
}

/* The file's bytes, from malloc; NULL with errno's message printed. */
static void *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    char *bytes = NULL;
    long end = -1;
    if (file && fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) >= 0) {
        rewind(file);
        bytes = malloc((size_t)end + 1);
        *size = bytes ? fread(bytes, 1, (size_t)end, file) : 0;
    }
    if (!bytes) {
        perror(path);
    }
    if (file) {
        fclose(file);
    }
    return bytes;
}

/* y = 2 x + y; then once more with too short a y, to see the error. */
static int run_saxpy(cns_kernel *saxpy) {
    static double x[COUNT], y[COUNT];
    for (int i = 0; i < COUNT; i++) {
        x[i] = i;
        y[i] = 1;
    }
    cns_vm_value arguments[3] = {
        {.real = 2.0}, {.data = x, .count = COUNT}, {.data = y, .count = COUNT}};
    cns_run run = {.arguments = arguments};
    if (cns_kernel_run(saxpy, &run) != CNS_OK || y[10] != 21) {
        return EXIT_FAILURE;
    }
    arguments[2].count = 10;
    if (cns_kernel_run(saxpy, &run) != CNS_E_FAILED) {
        return EXIT_FAILURE;
    }
    char message[256];
    cns_kernel_trap_message(saxpy, &run.trap, message, sizeof message);
    printf("y[10] is %g; a shorter y: %s\n", y[10], message);
    return EXIT_SUCCESS;
}

static int use_module(const cns_module *module) {
    for (uint32_t i = 0; i < cns_module_count(module); i++) {
        const cns_kernel *kernel = cns_module_kernel(module, i);
        printf("%s(", cns_module_name(module, i));
        for (uint32_t a = 0; a < cns_kernel_arguments(kernel); a++) {
            printf("%s%s", a ? ", " : "", cns_vm_type_name(cns_kernel_argument_type(kernel, a)));
        }
        puts(")");
    }
    const uint32_t types[] = {CNS_VM_F64, F64S, F64S};
    cns_kernel *saxpy = cns_module_find(module, "saxpy", types, 3);
    return saxpy ? run_saxpy(saxpy) : EXIT_FAILURE;
}

int main(int argc, char **argv) {
    size_t size = 0;
    void *bytes = argc == 2 ? read_file(argv[1], &size) : NULL;
    cns_context *context = NULL;
    cns_vm *vm = NULL;
    cns_module *module = NULL;
    if (!bytes) {
        fprintf(stderr, "usage: module KERNELS.cnsb\n");
        return EXIT_FAILURE;
    }
    cns_status status = cns_context_create(NULL, &context);
    if (status == CNS_OK) {
        status = cns_vm_create(context, NULL, &vm);
    }
    if (status == CNS_OK) {
        status = cns_module_read(vm, bytes, size, &module);
    }
    free(bytes);
    int code = EXIT_FAILURE;
    if (status == CNS_OK) {
        code = use_module(module);
    } else {
        complain(context, argv[1], status);
    }
    cns_module_destroy(module);
    cns_vm_destroy(vm);
    cns_context_destroy(context);
    return code;
}
