/* SPDX-License-Identifier: MIT
 *
 * base/os.h - the seam to the operating system: pages, threads, clocks, files. Only base/os_*.c
 * includes OS headers. Functions that return int give 0 or an errno value.
 */
#ifndef CNS_BASE_OS_H
#define CNS_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- pages: addresses and sizes are multiples of the page size ------------------------------ */

size_t cns_os_page_size(void);
/* Zeroed memory at a multiple of `alignment` (a power of two >= the page size); NULL if none. */
void *cns_os_pages_map(size_t size, size_t alignment);
void cns_os_pages_unmap(void *pages, size_t size);
/* true when the pages read as zero afterwards. */
bool cns_os_pages_purge(void *pages, size_t size);

/* ---- threads -------------------------------------------------------------------------------- */

typedef struct cns_os_thread {
    _Alignas(16) unsigned char storage[16];
} cns_os_thread;

/* stack_size 0: the default. `name` is cut to 15 bytes; NULL for none. */
int cns_os_thread_create(cns_os_thread *thread, void (*entry)(void *), void *argument,
                         const char *name, size_t stack_size);
void cns_os_thread_join(cns_os_thread *thread);
/* Unique among the living threads of the process, never 0. */
uint64_t cns_os_thread_id(void);
void cns_os_thread_yield(void);
/* CPUs by affinity; CPUs by cgroup quota (0: no quota). */
uint32_t cns_os_cpus_affinity(void);
double cns_os_cpus_quota(void);

/* What the cgroups from this process's own up to the root allow; `root` is put before /proc and
 * every mount point ("" but in tests). */
typedef struct cns_os_cgroup {
    double cpu_quota;      /* the smallest on the way up, in CPUs; 0: none */
    uint64_t memory_limit; /* the smallest on the way up; UINT64_MAX: none */
    uint64_t memory_used;  /* in the cgroup with that limit, or the own one; UINT64_MAX: unknown */
    uint64_t throttled_ns; /* the most on the way up; UINT64_MAX: unknown */
} cns_os_cgroup;

void cns_os_cgroup_read(const char *root, cns_os_cgroup *out);

typedef struct cns_mutex {
    _Alignas(16) unsigned char storage[48];
} cns_mutex;
typedef struct cns_condition {
    _Alignas(16) unsigned char storage[64];
} cns_condition;

int cns_mutex_init(cns_mutex *mutex);
void cns_mutex_deinit(cns_mutex *mutex);
void cns_mutex_lock(cns_mutex *mutex);
bool cns_mutex_try_lock(cns_mutex *mutex);
void cns_mutex_unlock(cns_mutex *mutex);

int cns_condition_init(cns_condition *condition);
void cns_condition_deinit(cns_condition *condition);
void cns_condition_wait(cns_condition *condition, cns_mutex *mutex);
/* false on timeout; the deadline is on cns_os_clock's scale. */
bool cns_condition_wait_until(cns_condition *condition, cns_mutex *mutex, uint64_t deadline_ns);
void cns_condition_signal(cns_condition *condition);
void cns_condition_broadcast(cns_condition *condition);

/* A pause hint for spin loops. */
static inline void cns_cpu_relax(void) {
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
    __builtin_ia32_pause();
#elif defined(__GNUC__) && defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#endif
}

/* ---- clocks, in nanoseconds ----------------------------------------------------------------- */

uint64_t cns_os_clock(void); /* monotonic */
uint64_t cns_os_clock_thread(void);
void cns_os_sleep(uint64_t nanoseconds);

/* ---- randomness ----------------------------------------------------------------------------- */

/* Fills `buffer` from the OS; falls back to clocks and addresses only if the OS refuses. */
void cns_os_random(void *buffer, size_t size);

/* ---- files, for reading --------------------------------------------------------------------- */

typedef struct cns_os_file {
    intptr_t handle;
    uint64_t size; /* when opened; meaningless for what is not a regular file */
    bool regular;
} cns_os_file;

int cns_os_file_open(cns_os_file *file, const char *path);
/* `got` < capacity only at the end of the file. */
int cns_os_file_read(cns_os_file *file, void *buffer, size_t capacity, size_t *got);
/* From `offset`, without moving the file's own position; regular files only. Any thread. */
int cns_os_file_read_at(const cns_os_file *file, uint64_t offset, void *buffer, size_t capacity,
                        size_t *got);
void cns_os_file_close(cns_os_file *file);
/* The whole of a small text file, NUL-terminated and cut to capacity; false when unreadable. */
bool cns_os_file_slurp(const char *path, char *buffer, size_t capacity);
/* strerror, thread-safe, into the caller's buffer; returns it. */
const char *cns_os_error_text(int error, char *buffer, size_t capacity);

/* ---- private folders: files that the processes of one user share ---------------------------- */

/* A folder that the user alone may write to, held open: names in it are single components, and
 * what others do to the path meanwhile does not matter. */
typedef struct cns_os_folder {
    intptr_t handle;
} cns_os_folder;

/* `create`: makes it and what is missing above it, for the user alone. EPERM for a folder that
 * belongs to another user or that others may write to; `why` has the reason of any failure. */
int cns_os_folder_open(cns_os_folder *folder, const char *path, bool create, char *why,
                       size_t capacity);
/* Whether cns_os_folder_open could create the folder `path`, which is not there: 0 or an errno. */
int cns_os_folder_possible(const char *path);
/* For reading: a regular file that the user alone may write to, else EPERM. Marks it as used now,
 * where the last mark is older than a minute. */
int cns_os_folder_use(const cns_os_folder *folder, const char *name, cns_os_file *file);
/* Writes a whole file under a name of its own and renames it to `name`: others see the old file or
 * the new one. Readable by the user only. Not synchronised to the disk. */
int cns_os_folder_put(const cns_os_folder *folder, const char *name, const void *bytes,
                      size_t size);
int cns_os_folder_remove(const cns_os_folder *folder, const char *name);
/* Whether the user may make files in it: 0 or an errno (EROFS, EACCES). */
int cns_os_folder_writable(const cns_os_folder *folder);

typedef struct cns_os_entry {
    const char *name; /* valid in the call */
    uint64_t size;
    int64_t age_ns; /* since it was written or used */
    bool regular;
    bool unfinished; /* cns_os_folder_put is at it, or was when its process ended */
} cns_os_entry;

/* Visits what is in it, in any order, until `visit` says false. */
int cns_os_folder_list(const cns_os_folder *folder,
                       bool (*visit)(void *user, const cns_os_entry *entry), void *user);
void cns_os_folder_close(cns_os_folder *folder);

/* ---- shared objects ------------------------------------------------------------------------- */

/* Opens the shared object at `path`, all of whose symbols must be found and which are seen by
 * nobody but through cns_os_library_symbol. false with the OS's reason in `why`. */
bool cns_os_library_open(const char *path, void **library, char *why, size_t capacity);
/* The function `name`; NULL when there is none. Any thread. */
typedef void (*cns_os_symbol)(void);
cns_os_symbol cns_os_library_symbol(void *library, const char *name);
/* requires: nothing of it runs. NULL is ignored. */
void cns_os_library_close(void *library);

/* What tells apart, in words, the machine code of one function from that of another or of another
 * build: the build id of the program or shared object that holds it, else that file's path, size
 * and time; and the place in it. false where nothing of that is known. Any thread. */
bool cns_os_function_identity(cns_os_symbol function, char *out, size_t capacity);

/* The running glibc's version; false with another C library. Any thread. */
bool cns_os_glibc_version(uint32_t *major, uint32_t *minor);

/* ---- what the OS tells of this process and this machine ------------------------------------- */

/* The public structs of cns/monitor.h, filled as far as the OS gives the figures: what it does not
 * give is left as it was. */
struct cns_monitor_sample;
struct cns_monitor_limits;
struct cns_monitor_thread;

void cns_os_sample(struct cns_monitor_sample *out);
void cns_os_limits(struct cns_monitor_limits *out);
/* The part of both that /proc gives; nothing elsewhere. */
void cns_os_proc_sample(struct cns_monitor_sample *out);
void cns_os_proc_limits(struct cns_monitor_limits *out);
/* Lets the peak of the resident set start anew; 0, an errno value, or ENOTSUP. */
int cns_os_reset_peak(void);
/* Fills up to `capacity` and counts all threads of this process. 0, an errno value or ENOTSUP. */
int cns_os_threads(struct cns_monitor_thread *out, uint32_t capacity, uint32_t *count);
/* The processor's model and the kernel's name and release; "" when unknown. */
void cns_os_machine(char *model, size_t model_capacity, char *kernel, size_t kernel_capacity);
void cns_os_kernel_name(char *kernel, size_t capacity);

/* Hardware counters of the calling thread, numbered as cns_counter; 0 or an errno value. They
 * count, as far as they had the processor's unit, from the opening on. */
int cns_os_counter_open(int counter, intptr_t *handle);
int cns_os_counter_read(intptr_t handle, uint64_t *value);
void cns_os_counter_close(intptr_t handle);
/* Why none could be opened, in words that say what to do about it. */
void cns_os_counter_reason(int error, char *buffer, size_t capacity);

#endif
