/* SPDX-License-Identifier: MIT
 *
 * base/os_posix.c - pages, threads, clocks, randomness and files on POSIX systems.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, pthread_setname_np, sched_getaffinity */

#include "base/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <elf.h>
#include <link.h>
#include <sys/random.h>
#endif

#include "base/bits.h"
#include "base/check.h"
#include "base/rng.h"

/* ---- pages ---------------------------------------------------------------------------------- */

size_t cns_os_page_size(void) {
    static _Atomic size_t cached;
    size_t size = atomic_load_explicit(&cached, memory_order_relaxed);
    if (size == 0) {
        size = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&cached, size, memory_order_relaxed);
    }
    return size;
}

static void *map_anonymous(size_t size) {
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

void *cns_os_pages_map(size_t size, size_t alignment) {
    if (alignment <= cns_os_page_size()) {
        return map_anonymous(size);
    }
    if (size > SIZE_MAX - alignment) {
        return NULL;
    }
    /* Map with room to spare, then cut off what lies before and behind the aligned range. */
    uint8_t *raw = map_anonymous(size + alignment);
    if (!raw) {
        return NULL;
    }
    uint8_t *aligned = (uint8_t *)cns_align_up((size_t)raw, alignment);
    size_t before = (size_t)(aligned - raw);
    if (before) {
        munmap(raw, before);
    }
    munmap(aligned + size, alignment - before);
    return aligned;
}

bool cns_os_pages_purge(void *pages, size_t size) {
#if defined(__linux__)
    return madvise(pages, size, MADV_DONTNEED) == 0;
#else
    posix_madvise(pages, size, POSIX_MADV_DONTNEED);
    return false; /* elsewhere the old contents may come back */
#endif
}

/* Cutting a hole into a mapping fails where the kernel's limit on mappings is reached: then at
 * least the memory is given back, if not the addresses. */
void cns_os_pages_unmap(void *pages, size_t size) {
    if (munmap(pages, size) != 0) {
        CNS_ASSERT(errno == ENOMEM);
        cns_os_pages_purge(pages, size);
    }
}

/* ---- threads -------------------------------------------------------------------------------- */

_Static_assert(sizeof(pthread_t) <= sizeof(cns_os_thread), "thread storage is too small");
_Static_assert(sizeof(pthread_mutex_t) <= sizeof(cns_mutex), "mutex storage is too small");
_Static_assert(sizeof(pthread_cond_t) <= sizeof(cns_condition), "condition storage is too small");

typedef struct thread_start {
    void (*entry)(void *);
    void *argument;
    char name[16];
} thread_start;

static void name_this_thread(const char *name) {
#if defined(__linux__)
    if (name[0]) {
        pthread_setname_np(pthread_self(), name);
    }
#else
    (void)name;
#endif
}

static void *run_thread(void *raw) {
    thread_start start = *(thread_start *)raw;
    free(raw);
    name_this_thread(start.name);
    start.entry(start.argument);
    return NULL;
}

/* Signals are for the host's own threads: a new thread has them blocked, on top of what its creator
 * had blocked. */
static int create_with_signals_blocked(pthread_t *handle, const pthread_attr_t *attributes,
                                       thread_start *start) {
    sigset_t all, before;
    sigfillset(&all);
    /* Synchronous faults must stay deliverable, or a debugger or sanitizer sees nothing. */
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    sigdelset(&all, SIGTRAP);
    sigdelset(&all, SIGSYS);
    sigdelset(&all, SIGUSR2); /* the script host interrupts Lua on workers with it */
    sigdelset(&all, SIGPROF);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int error = pthread_create(handle, attributes, run_thread, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Whole pages, and no less than the system needs for a thread at all. */
static size_t stack_size_for(size_t wanted) {
    size_t page = cns_os_page_size();
    size_t least = (size_t)PTHREAD_STACK_MIN;
    wanted = wanted > least ? wanted : least;
    return wanted <= SIZE_MAX - page ? cns_align_up(wanted, page) : wanted;
}

int cns_os_thread_create(cns_os_thread *thread, void (*entry)(void *), void *argument,
                         const char *name, size_t stack_size) {
    thread_start *start = calloc(1, sizeof *start);
    if (!start) {
        return ENOMEM;
    }
    start->entry = entry;
    start->argument = argument;
    snprintf(start->name, sizeof start->name, "%s", name ? name : "");
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        if (stack_size) {
            error = pthread_attr_setstacksize(&attributes, stack_size_for(stack_size));
        }
        pthread_t handle;
        if (error == 0) {
            error = create_with_signals_blocked(&handle, &attributes, start);
        }
        if (error == 0) {
            memcpy(thread->storage, &handle, sizeof handle);
        }
        pthread_attr_destroy(&attributes);
    }
    if (error) {
        free(start);
    }
    return error;
}

void cns_os_thread_join(cns_os_thread *thread) {
    pthread_t handle;
    memcpy(&handle, thread->storage, sizeof handle);
    pthread_join(handle, NULL);
}

uint64_t cns_os_thread_id(void) {
    static _Atomic uint64_t next = 1;
    static _Thread_local uint64_t id;
    if (id == 0) {
        id = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed);
    }
    return id;
}

void cns_os_thread_yield(void) {
    sched_yield();
}

uint32_t cns_os_cpus_affinity(void) {
#if defined(__linux__)
    cpu_set_t sets[32]; /* 32768 CPUs: a set that is smaller than the kernel's is refused */
    if (sched_getaffinity(0, sizeof sets, sets) == 0) {
        return (uint32_t)CPU_COUNT_S(sizeof sets, sets);
    }
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

/* ---- locks ---------------------------------------------------------------------------------- */

static pthread_mutex_t *mutex_of(cns_mutex *mutex) {
    return (pthread_mutex_t *)(void *)mutex->storage;
}

static pthread_cond_t *condition_of(cns_condition *condition) {
    return (pthread_cond_t *)(void *)condition->storage;
}

int cns_mutex_init(cns_mutex *mutex) {
    return pthread_mutex_init(mutex_of(mutex), NULL);
}

void cns_mutex_deinit(cns_mutex *mutex) {
    pthread_mutex_destroy(mutex_of(mutex));
}

void cns_mutex_lock(cns_mutex *mutex) {
    int error = pthread_mutex_lock(mutex_of(mutex));
    CNS_ASSERT(error == 0);
    (void)error;
}

bool cns_mutex_try_lock(cns_mutex *mutex) {
    return pthread_mutex_trylock(mutex_of(mutex)) == 0;
}

void cns_mutex_unlock(cns_mutex *mutex) {
    pthread_mutex_unlock(mutex_of(mutex));
}

#if defined(__APPLE__)
#define CONDITION_CLOCK CLOCK_REALTIME /* no pthread_condattr_setclock there */
#else
#define CONDITION_CLOCK CLOCK_MONOTONIC
#endif

int cns_condition_init(cns_condition *condition) {
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error) {
        return error;
    }
#if !defined(__APPLE__)
    pthread_condattr_setclock(&attributes, CONDITION_CLOCK);
#endif
    error = pthread_cond_init(condition_of(condition), &attributes);
    pthread_condattr_destroy(&attributes);
    return error;
}

void cns_condition_deinit(cns_condition *condition) {
    pthread_cond_destroy(condition_of(condition));
}

void cns_condition_wait(cns_condition *condition, cns_mutex *mutex) {
    pthread_cond_wait(condition_of(condition), mutex_of(mutex));
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool cns_condition_wait_until(cns_condition *condition, cns_mutex *mutex, uint64_t deadline_ns) {
    uint64_t now = cns_os_clock();
    uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
    const uint64_t longest = UINT64_C(1000000000) * 3600 * 24 * 365; /* keeps tv_sec in range */
    uint64_t until = read_clock(CONDITION_CLOCK) + (left < longest ? left : longest);
    struct timespec when = {.tv_sec = (time_t)(until / 1000000000u),
                            .tv_nsec = (long)(until % 1000000000u)};
    return pthread_cond_timedwait(condition_of(condition), mutex_of(mutex), &when) != ETIMEDOUT;
}

void cns_condition_signal(cns_condition *condition) {
    pthread_cond_signal(condition_of(condition));
}

void cns_condition_broadcast(cns_condition *condition) {
    pthread_cond_broadcast(condition_of(condition));
}

/* ---- clocks --------------------------------------------------------------------------------- */

uint64_t cns_os_clock(void) {
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t cns_os_clock_thread(void) {
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void cns_os_sleep(uint64_t nanoseconds) {
    struct timespec left = {.tv_sec = (time_t)(nanoseconds / 1000000000u),
                            .tv_nsec = (long)(nanoseconds % 1000000000u)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/* ---- randomness ----------------------------------------------------------------------------- */

static size_t random_from_kernel(uint8_t *buffer, size_t size) {
    size_t done = 0;
#if defined(__linux__)
    while (done < size) {
        ssize_t got = getrandom(buffer + done, size - done, 0);
        if (got < 0 && errno != EINTR) {
            break;
        }
        done += got > 0 ? (size_t)got : 0;
    }
#else
    (void)buffer;
    (void)size;
#endif
    return done;
}

static size_t random_from_file(uint8_t *buffer, size_t size) {
    size_t done = 0;
    cns_os_file file = {0};
    if (size && cns_os_file_open(&file, "/dev/urandom") == 0) {
        if (cns_os_file_read(&file, buffer, size, &done) != 0) {
            done = 0;
        }
        cns_os_file_close(&file);
    }
    return done;
}

/* The system call needs no file descriptor and no /dev; the file is for systems without it. */
void cns_os_random(void *buffer, size_t size) {
    uint8_t *bytes = buffer;
    size_t done = random_from_kernel(bytes, size);
    done += random_from_file(bytes + done, size - done);
    uint64_t state = cns_os_clock() ^ (uintptr_t)buffer ^ (uint64_t)getpid() << 32;
    for (; done < size; done++) {
        bytes[done] = (uint8_t)cns_rng_splitmix(&state);
    }
}

/* ---- files ---------------------------------------------------------------------------------- */

int cns_os_file_open(cns_os_file *file, const char *path) {
    int handle = open(path, O_RDONLY | O_CLOEXEC);
    if (handle < 0) {
        return errno;
    }
    struct stat info;
    int error = fstat(handle, &info) ? errno : S_ISDIR(info.st_mode) ? EISDIR : 0;
    if (error) {
        close(handle);
        return error;
    }
    file->handle = handle;
    file->size = (uint64_t)info.st_size;
    file->regular = S_ISREG(info.st_mode);
    return 0;
}

int cns_os_file_read(cns_os_file *file, void *buffer, size_t capacity, size_t *got) {
    size_t done = 0;
    while (done < capacity) {
        ssize_t n = read((int)file->handle, (uint8_t *)buffer + done, capacity - done);
        if (n == 0) {
            break;
        }
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno;
        }
        done += (size_t)n;
    }
    *got = done;
    return 0;
}

int cns_os_file_read_at(const cns_os_file *file, uint64_t offset, void *buffer, size_t capacity,
                        size_t *got) {
    size_t done = 0;
    while (done < capacity) {
        ssize_t n = pread((int)file->handle, (uint8_t *)buffer + done, capacity - done,
                          (off_t)(offset + done));
        if (n == 0) {
            break;
        }
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno;
        }
        done += (size_t)n;
    }
    *got = done;
    return 0;
}

void cns_os_file_close(cns_os_file *file) {
    close((int)file->handle);
}

bool cns_os_file_slurp(const char *path, char *buffer, size_t capacity) {
    cns_os_file file = {0};
    if (capacity == 0 || cns_os_file_open(&file, path) != 0) {
        return false;
    }
    size_t got = 0;
    int error = cns_os_file_read(&file, buffer, capacity - 1, &got);
    cns_os_file_close(&file);
    buffer[error ? 0 : got] = '\0';
    return error == 0;
}

/* Overloads for the two strerror_r of this world: POSIX returns int, GNU the text, which need not
 * be in the buffer. */
static const char *pick_int(int failed, const char *buffer) {
    return failed ? "unknown error" : buffer;
}

static const char *pick_text(const char *text, const char *buffer) {
    (void)buffer;
    return text;
}

const char *cns_os_error_text(int error, char *buffer, size_t capacity) {
    buffer[0] = '\0';
    const char *text =
        _Generic(strerror_r(error, buffer, capacity), int: pick_int, char *: pick_text)(
            strerror_r(error, buffer, capacity), buffer);
    if (text != buffer) {
        snprintf(buffer, capacity, "%s", text);
    }
    return buffer;
}

/* ---- shared objects -------------------------------------------------------------------------- */

bool cns_os_library_open(const char *path, void **library, char *why, size_t capacity) {
    void *opened = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!opened) {
        const char *reason = dlerror(); /* of this thread */
        snprintf(why, capacity, "%s", reason ? reason : "unknown error");
        return false;
    }
    *library = opened;
    return true;
}

cns_os_symbol cns_os_library_symbol(void *library, const char *name) {
    /* ISO C knows no way from an object's address to a function's; POSIX has them alike. */
    void *address = dlsym(library, name);
    cns_os_symbol symbol = NULL;
    memcpy(&symbol, &address, sizeof symbol);
    return symbol;
}

void cns_os_library_close(void *library) {
    if (library) {
        dlclose(library);
    }
}

#if defined(__linux__)

typedef struct holder {
    uintptr_t address;
    uintptr_t base;
    const uint8_t *id; /* NULL: none */
    size_t id_size;
} holder;

static bool holds(const struct dl_phdr_info *object, uintptr_t address) {
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type == PT_LOAD &&
            address - object->dlpi_addr - part->p_vaddr < part->p_memsz) {
            return true;
        }
    }
    return false;
}

/* A note is three words (sizes of name and content, a type), name and content, each padded. */
static void find_build_id(const uint8_t *notes, size_t size, holder *out) {
    ElfW(Nhdr) note;
    while (size >= sizeof note) {
        memcpy(&note, notes, sizeof note);
        size_t name = cns_align_up(note.n_namesz, 4), content = cns_align_up(note.n_descsz, 4);
        if (name > size - sizeof note || content > size - sizeof note - name) {
            return;
        }
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(notes + sizeof note, "GNU", 4) == 0) {
            out->id = notes + sizeof note + name;
            out->id_size = note.n_descsz;
            return;
        }
        notes += sizeof note + name + content;
        size -= sizeof note + name + content;
    }
}

static int look_into(struct dl_phdr_info *object, size_t size, void *user) {
    holder *out = user;
    (void)size;
    if (!holds(object, out->address)) {
        return 0;
    }
    out->base = object->dlpi_addr;
    for (int i = 0; i < object->dlpi_phnum && !out->id; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type == PT_NOTE) {
            /* An address of the linker's is a number: this is where it becomes a pointer. */
            find_build_id((const uint8_t *)(out->base + part->p_vaddr), part->p_memsz, out);
        }
    }
    return 1;
}

static bool identity_by_build(uintptr_t address, char *out, size_t capacity) {
    holder found = {.address = address};
    if (!dl_iterate_phdr(look_into, &found) || found.id_size < 8 ||
        capacity < 2 * found.id_size + 32) {
        return false;
    }
    for (size_t i = 0; i < found.id_size; i++) {
        snprintf(out + 2 * i, 3, "%02x", found.id[i]);
    }
    snprintf(out + 2 * found.id_size, 32, "+%" PRIxPTR, address - found.base);
    return true;
}

#else

static bool identity_by_build(uintptr_t address, char *out, size_t capacity) {
    (void)address, (void)out, (void)capacity;
    return false;
}

#endif

bool cns_os_function_identity(cns_os_symbol function, char *out, size_t capacity) {
    uintptr_t address;
    memcpy(&address, &function, sizeof address);
    if (identity_by_build(address, out, capacity)) {
        return true;
    }
    Dl_info info;
    struct stat file;
    void *place;
    memcpy(&place, &function, sizeof place);
    /* A program's name may be no path; then there is no file to tell by. */
    if (!dladdr(place, &info) || !info.dli_fname || !strchr(info.dli_fname, '/') ||
        stat(info.dli_fname, &file) != 0) {
        return false;
    }
    int length = snprintf(out, capacity, "%s, %lld bytes of %lld.%09ld+%" PRIxPTR, info.dli_fname,
                          (long long)file.st_size, (long long)file.st_mtim.tv_sec,
                          (long)file.st_mtim.tv_nsec, address - (uintptr_t)info.dli_fbase);
    return length > 0 && (size_t)length < capacity;
}

/* By lookup, so that a program linked against one C library learns of another. */
bool cns_os_glibc_version(uint32_t *major, uint32_t *minor) {
    union {
        void *object;
        const char *(*function)(void);
    } version = {dlsym(RTLD_DEFAULT, "gnu_get_libc_version")};
    return version.object && sscanf(version.function(), "%" SCNu32 ".%" SCNu32, major, minor) == 2;
}
