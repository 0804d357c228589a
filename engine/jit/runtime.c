/* SPDX-License-Identifier: MIT
 *
 * runtime.c - what an object file brings with it, since it is linked without the engine: which
 * level of x86-64 the machine has, what is told of a trap, and the words for it.
 *
 * Written in LLVM's own language, which says it shorter than calls that build it. The structures
 * are those of cns/vm.h and of the header that goes with the object file; the words are those of
 * vm/trap.c. Of the C library it calls snprintf and strspn.
 */
#include <llvm-c/IRReader.h>
#include <llvm-c/Linker.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "jit/jit.h"

_Static_assert(offsetof(cns_run, trap) == 6 * sizeof(void *), "%run is cns_run");
_Static_assert(sizeof(cns_trap) == 24 && offsetof(cns_trap, other) == 16, "%trap is cns_trap");

/* ---- words ----------------------------------------------------------------------------------- */

/* Names of constants and what they are; no character in them needs an escape. */
static const struct {
    const char *name;
    const char *text;
} words[] = {
    {"index", "cns.buffer index %lld out of range 1..%llu"},
    {"index.float", "cns.buffer index %s is not an integer"},
    {"store.integer", "%lld does not fit %s exactly"},
    {"store.float", "%.17g does not fit %s exactly"},
    {"load", "the %s element has no exact value as i64"},
    {"divide", "attempt to divide by zero"},
    {"modulo", "attempt to perform 'n%%0'"},
    {"fmod", "bad argument #2 to 'fmod' (zero)"},
    {"not.integer", "number has no integer representation"},
    {"for.step", "'for' step is zero"},
    {"count", "a buffer of %llu elements is too long"},
    {"processor", "no code for this processor, which is at level %lld of x86-64"},
    {"none", "no error"},
    {"place", "%s:%u: %s"},
    {"s", "%s"},
    {"real.text", "%.14g"},
    {"digits", "-0123456789"},
    {"t0", "?"},
    {"t1", "i8"},
    {"t2", "i16"},
    {"t3", "i32"},
    {"t4", "i64"},
    {"t5", "u8"},
    {"t6", "u16"},
    {"t7", "u32"},
    {"t8", "u64"},
    {"t9", "f32"},
    {"t10", "f64"},
};

enum { WORDS = sizeof words / sizeof *words, TEXT = 16384 };

_Static_assert(CNS_I8 == 1 && CNS_U8 == 5 && CNS_F32 == 9 && CNS_F64 == 10, "t1 to t10");
_Static_assert(CNS_TRAP_INDEX == 1 && CNS_TRAP_INDEX_FLOAT == 2 && CNS_TRAP_STORE_INTEGER == 3 &&
                   CNS_TRAP_STORE_FLOAT == 4 && CNS_TRAP_LOAD == 5 && CNS_TRAP_DIVIDE == 6 &&
                   CNS_TRAP_MODULO == 7 && CNS_TRAP_FMOD == 8 && CNS_TRAP_NOT_INTEGER == 9 &&
                   CNS_TRAP_FOR_STEP == 10 && CNS_NATIVE_COUNT == 100 &&
                   CNS_NATIVE_PROCESSOR == 101,
               "the switch of @cns.message");

/* ---- code ------------------------------------------------------------------------------------ */

/* %error is the header's PREFIX_error; a site without a source ends each list of them. */
static const char telling[] =
    "%trap = type { i32, i32, i64, i64 }\n"
    "%run = type { ptr, ptr, i32, i32, ptr, ptr, ptr, %trap }\n"
    "%error = type { i32, i32, ptr, i64, i64 }\n"
    "%site = type { ptr, i32 }\n"
    "define void @cns.report(ptr %error, i32 %status, ptr %site, i64 %value, i64 %other)"
    " cold noinline nounwind {\n"
    "  %silent = icmp eq ptr %error, null\n"
    "  br i1 %silent, label %done, label %tell\n"
    "tell:\n"
    "  %line.at = getelementptr %site, ptr %site, i64 0, i32 1\n"
    "  %source = load ptr, ptr %site\n"
    "  %line = load i32, ptr %line.at\n"
    "  %e1 = getelementptr %error, ptr %error, i64 0, i32 1\n"
    "  %e2 = getelementptr %error, ptr %error, i64 0, i32 2\n"
    "  %e3 = getelementptr %error, ptr %error, i64 0, i32 3\n"
    "  %e4 = getelementptr %error, ptr %error, i64 0, i32 4\n"
    "  store i32 %status, ptr %error\n"
    "  store i32 %line, ptr %e1\n"
    "  store ptr %source, ptr %e2\n"
    "  store i64 %value, ptr %e3\n"
    "  store i64 %other, ptr %e4\n"
    "  br label %done\n"
    "done:\n"
    "  ret void\n"
    "}\n"
    "define void @cns.fail(ptr %error, ptr %run, ptr %sites, i32 %count)"
    " cold noinline nounwind {\n"
    "  %at = getelementptr %run, ptr %run, i64 0, i32 7\n"
    "  %trap = load %trap, ptr %at\n"
    "  %status = extractvalue %trap %trap, 0\n"
    "  %index = extractvalue %trap %trap, 1\n"
    "  %value = extractvalue %trap %trap, 2\n"
    "  %other = extractvalue %trap %trap, 3\n"
    "  %known = icmp ult i32 %index, %count\n"
    "  %place = select i1 %known, i32 %index, i32 %count\n"
    "  %wide = zext i32 %place to i64\n"
    "  %site = getelementptr %site, ptr %sites, i64 %wide\n"
    "  call void @cns.report(ptr %error, i32 %status, ptr %site, i64 %value, i64 %other)\n"
    "  ret void\n"
    "}\n";

/* A float as Lua writes it: 14 digits, and never like an integer. */
static const char writing[] =
    "declare i32 @snprintf(ptr, i64, ptr, ...) nounwind\n"
    "declare i64 @strspn(ptr, ptr) nounwind\n"
    "@cns.types = internal constant [11 x ptr] [ptr @cns.t0, ptr @cns.t1, ptr @cns.t2, ptr @cns.t3,"
    " ptr @cns.t4, ptr @cns.t5, ptr @cns.t6, ptr @cns.t7, ptr @cns.t8, ptr @cns.t9, ptr @cns.t10]\n"
    "define internal void @cns.real(double %value, ptr %out) cold noinline nounwind {\n"
    "  call i32 (ptr, i64, ptr, ...) @snprintf(ptr %out, i64 40, ptr @cns.real.text, double "
    "%value)\n"
    "  %span = call i64 @strspn(ptr %out, ptr @cns.digits)\n"
    "  %end = getelementptr i8, ptr %out, i64 %span\n"
    "  %next = load i8, ptr %end\n"
    "  %integral = icmp eq i8 %next, 0\n"
    "  br i1 %integral, label %add, label %done\n"
    "add:\n"
    "  %end1 = getelementptr i8, ptr %end, i64 1\n"
    "  %end2 = getelementptr i8, ptr %end, i64 2\n"
    "  store i8 46, ptr %end\n"
    "  store i8 48, ptr %end1\n"
    "  store i8 0, ptr %end2\n"
    "  br label %done\n"
    "done:\n"
    "  ret void\n"
    "}\n";

#define PRINT "  call i32 (ptr, i64, ptr, ...) @snprintf(ptr %text, i64 160, ptr "
#define PLAIN(label) label ":\n" PRINT "@cns." label ")\n  br label %done\n"

static const char message_text[] =
    "define i64 @cns.message(ptr %error, ptr %buffer, i64 %capacity) cold noinline nounwind {\n"
    "  %text = alloca [160 x i8]\n"
    "  %digits = alloca [40 x i8]\n"
    "  %e = load %error, ptr %error\n"
    "  %status = extractvalue %error %e, 0\n"
    "  %line = extractvalue %error %e, 1\n"
    "  %source = extractvalue %error %e, 2\n"
    "  %value = extractvalue %error %e, 3\n"
    "  %other = extractvalue %error %e, 4\n"
    "  %float = bitcast i64 %value to double\n"
    "  %known = icmp ule i64 %other, 10\n"
    "  %index.type = select i1 %known, i64 %other, i64 0\n"
    "  %type.at = getelementptr [11 x ptr], ptr @cns.types, i64 0, i64 %index.type\n"
    "  %type = load ptr, ptr %type.at\n"
    "  switch i32 %status, label %none [ i32 1, label %index i32 2, label %index.float"
    " i32 3, label %store.integer i32 4, label %store.float i32 5, label %load i32 6, label %divide"
    " i32 7, label %modulo i32 8, label %fmod i32 9, label %not.integer i32 10, label %for.step"
    " i32 100, label %count i32 101, label %processor ]\n"
    "index:\n" PRINT "@cns.index, i64 %value, i64 %other)\n  br label %done\n"
    "index.float:\n"
    "  call void @cns.real(double %float, ptr %digits)\n" PRINT
    "@cns.index.float, ptr %digits)\n  br label %done\n"
    "store.integer:\n" PRINT "@cns.store.integer, i64 %value, ptr %type)\n  br label %done\n"
    "store.float:\n" PRINT "@cns.store.float, double %float, ptr %type)\n  br label %done\n"
    "load:\n" PRINT "@cns.load, ptr %type)\n  br label %done\n"
    "count:\n" PRINT "@cns.count, i64 %value)\n  br label %done\n"
    "processor:\n" PRINT "@cns.processor, i64 %value)\n  br label %done\n"
    "none:\n" PRINT "@cns.none)\n  br label %whole\n" PLAIN("divide") PLAIN("modulo") PLAIN("fmod")
        PLAIN("not.integer")
            PLAIN("for.step") "done:\n"
                              "  %bare = icmp eq ptr %source, null\n"
                              "  br i1 %bare, label %whole, label %placed\n"
                              "whole:\n"
                              "  %n1 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %buffer, i64 "
                              "%capacity, ptr @cns.s,"
                              " ptr %text)\n"
                              "  %w1 = sext i32 %n1 to i64\n"
                              "  ret i64 %w1\n"
                              "placed:\n"
                              "  %n2 = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %buffer, i64 "
                              "%capacity, ptr @cns.place,"
                              " ptr %source, i32 %line, ptr %text)\n"
                              "  %w2 = sext i32 %n2 to i64\n"
                              "  ret i64 %w2\n"
                              "}\n";

/* ---- levels ---------------------------------------------------------------------------------- */

#define CPUID                                                                                      \
    "call { i32, i32, i32, i32 } asm sideeffect \"cpuid\", "                                       \
    "\"={ax},={bx},={cx},={dx},{ax},{cx},~{dirflag},~{fpsr},~{flags}\""

/* The level as x86-64's ABI defines it (System V psABI, "Micro-Architecture Levels"), with what the
 * system saves of the registers (XCR0). Asked once; threads may ask at once and find the same. The
 * masks are written beside their bits in test_object.c. */
static const char levels[] =
    "@cns.known = internal global i32 0\n"
    "define i32 @cns.level() nounwind {\n"
    "  %before = load atomic i32, ptr @cns.known monotonic, align 4\n"
    "  %asked = icmp ne i32 %before, 0\n"
    "  br i1 %asked, label %old, label %ask\n"
    "old:\n"
    "  ret i32 %before\n"
    "ask:\n"
    "  %now = call i32 @cns.ask()\n"
    "  store atomic i32 %now, ptr @cns.known monotonic, align 4\n"
    "  ret i32 %now\n"
    "}\n"
    "define internal i32 @cns.ask() cold noinline nounwind {\n"
    "  %q0 = " CPUID "(i32 0, i32 0)\n"
    "  %leaves = extractvalue { i32, i32, i32, i32 } %q0, 0\n"
    "  %q1 = " CPUID "(i32 1, i32 0)\n"
    "  %c1 = extractvalue { i32, i32, i32, i32 } %q1, 2\n"
    "  %q8 = " CPUID "(i32 -2147483647, i32 0)\n" /* 0x80000001 */
    "  %c8 = extractvalue { i32, i32, i32, i32 } %q8, 2\n"
    "  %v2.1 = and i32 %c1, 9970177\n" /* sse3, ssse3, cx16, sse4.1, sse4.2, popcnt */
    "  %v2.2 = icmp eq i32 %v2.1, 9970177\n"
    "  %v2.3 = and i32 %c8, 1\n" /* lahf */
    "  %v2.4 = icmp ne i32 %v2.3, 0\n"
    "  %v2 = and i1 %v2.2, %v2.4\n"
    "  br i1 %v2, label %two, label %level1\n"
    "level1:\n"
    "  ret i32 1\n"
    "two:\n"
    "  %v3.1 = and i32 %c1, 1010831360\n" /* fma, movbe, xsave, osxsave, avx, f16c */
    "  %v3.2 = icmp eq i32 %v3.1, 1010831360\n"
    "  %v3.3 = and i32 %c8, 32\n" /* lzcnt */
    "  %v3.4 = icmp ne i32 %v3.3, 0\n"
    "  %v3.5 = icmp uge i32 %leaves, 7\n"
    "  %v3.6 = and i1 %v3.2, %v3.4\n"
    "  %v3 = and i1 %v3.5, %v3.6\n"
    "  br i1 %v3, label %three, label %level2\n"
    "level2:\n"
    "  ret i32 2\n"
    "three:\n"
    "  %q7 = " CPUID "(i32 7, i32 0)\n"
    "  %b7 = extractvalue { i32, i32, i32, i32 } %q7, 1\n"
    "  %saved = call i32 asm sideeffect \"xgetbv\", "
    "\"={ax},{cx},~{dx},~{dirflag},~{fpsr},~{flags}\""
    "(i32 0)\n"
    "  %f3 = and i32 %b7, 296\n" /* bmi1, avx2, bmi2 */
    "  %f3.all = icmp eq i32 %f3, 296\n"
    "  %s3 = and i32 %saved, 6\n"
    "  %s3.all = icmp eq i32 %s3, 6\n"
    "  %is3 = and i1 %f3.all, %s3.all\n"
    "  %f4 = and i32 %b7, -805109760\n" /* avx512 f, dq, cd, bw, vl */
    "  %f4.all = icmp eq i32 %f4, -805109760\n"
    "  %s4 = and i32 %saved, 230\n"
    "  %s4.all = icmp eq i32 %s4, 230\n"
    "  %most = and i1 %f4.all, %s4.all\n"
    "  %is4 = and i1 %is3, %most\n"
    "  %low = select i1 %is3, i32 3, i32 2\n"
    "  %level = select i1 %is4, i32 4, i32 %low\n"
    "  ret i32 %level\n"
    "}\n";

/* ---- together -------------------------------------------------------------------------------- */

static const char *const parts[] = {telling, writing, message_text, levels};

/* The whole text; its length, or 0 when it does not fit. */
static size_t write_text(char *text, bool x86) {
    size_t used = 0;
    for (size_t i = 0; i < WORDS; i++) {
        int length = snprintf(text + used, TEXT - used,
                              "@cns.%s = private unnamed_addr constant [%zu x i8] c\"%s\\00\"\n",
                              words[i].name, strlen(words[i].text) + 1, words[i].text);
        if (length <= 0 || used + (size_t)length >= TEXT) {
            return 0;
        }
        used += (size_t)length;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts - (x86 ? 0 : 1); i++) {
        size_t length = strlen(parts[i]);
        if (used + length >= TEXT) {
            return 0;
        }
        memcpy(text + used, parts[i], length + 1);
        used += length;
    }
    return used;
}

/* Linking takes over what others can see, so that these become internal after it. */
static void hide(LLVMModuleRef module) {
    static const char *const names[] = {"cns.report", "cns.fail", "cns.level"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        LLVMValueRef function = LLVMGetNamedFunction(module, names[i]);
        if (function) {
            LLVMSetLinkage(function, LLVMInternalLinkage);
        }
    }
}

cns_status cns_jit_add_runtime(cns_jit *jit, LLVMModuleRef module, const char *message) {
    char text[TEXT];
    size_t length = write_text(text, strncmp(jit->triple, "x86_64", 6) == 0);
    LLVMMemoryBufferRef buffer =
        LLVMCreateMemoryBufferWithMemoryRangeCopy(text, length, "runtime"); /* parsing takes it */
    LLVMModuleRef runtime = NULL;
    char *why = NULL;
    if (length == 0 || LLVMParseIRInContext(LLVMGetModuleContext(module), buffer, &runtime, &why)) {
        cns_status status =
            jit->services->fail(jit->context, CNS_E_UNSUPPORTED,
                                "LLVM: the runtime of object files: %s", why ? why : "too long");
        LLVMDisposeMessage(why);
        return status;
    }
    LLVMSetTarget(runtime, LLVMGetTarget(module));
    LLVMSetModuleDataLayout(runtime, LLVMGetModuleDataLayout(module));
    if (LLVMLinkModules2(module, runtime)) {
        return jit->services->fail(jit->context, CNS_E_UNSUPPORTED,
                                   "LLVM: the runtime of object files could not be linked");
    }
    hide(module);
    LLVMSetValueName2(LLVMGetNamedFunction(module, "cns.message"), message, strlen(message));
    return CNS_OK;
}
