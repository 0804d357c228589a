/* SPDX-License-Identifier: MIT
 *
 * layout.c - prints, as a Lua table, how the C compiler lays out every public struct; the LuaJIT
 * test compares that with what ffi.cdef made of the same headers, and refuses a field left out.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cns/cns.h"

typedef struct field_layout {
    const char *type;
    size_t size; /* of the whole struct */
    const char *field;
    size_t offset;
} field_layout;

#define FIELD(type, field)                                                                         \
    { #type, sizeof(type), #field, offsetof(type, field) }

/* Fields of one struct stand together. */
static const field_layout layouts[] = {
    FIELD(cns_allocator, resize),
    FIELD(cns_allocator, user),
    FIELD(cns_context_config, size),
    FIELD(cns_context_config, cpu_level),
    FIELD(cns_context_config, allocator),
    FIELD(cns_context_config, log),
    FIELD(cns_context_config, log_user),
    FIELD(cns_context_config, log_level),
    FIELD(cns_context_config, reserved),
    FIELD(cns_context_config, memory_limit),
    FIELD(cns_memory_stats, held),
    FIELD(cns_memory_stats, peak),
    FIELD(cns_memory_stats, limit),
    FIELD(cns_memory_stats, refused),
    FIELD(cns_executor, parallel_for),
    FIELD(cns_executor, pool),
    FIELD(cns_executor, workers),
    FIELD(cns_executor, reserved),
    FIELD(cns_heap_config, size),
    FIELD(cns_heap_config, flags),
    FIELD(cns_heap_config, tag),
    FIELD(cns_heap_config, budget),
    FIELD(cns_heap_config, reserve),
    FIELD(cns_heap_stats, live_bytes),
    FIELD(cns_heap_stats, live_count),
    FIELD(cns_heap_stats, peak_bytes),
    FIELD(cns_heap_stats, reserved_bytes),
    FIELD(cns_heap_stats, reserved_peak),
    FIELD(cns_heap_stats, budget),
    FIELD(cns_heap_stats, reserve),
    FIELD(cns_heap_stats, alloc_count),
    FIELD(cns_heap_stats, remote_frees),
    FIELD(cns_heap_stats, failures),
    FIELD(cns_arena_config, size),
    FIELD(cns_arena_config, reserved),
    FIELD(cns_arena_config, block_size),
    FIELD(cns_arena_config, limit),
    FIELD(cns_arena_mark, position),
    FIELD(cns_arena_mark, serial),
    FIELD(cns_pool_config, size),
    FIELD(cns_pool_config, slot_align),
    FIELD(cns_pool_config, slot_size),
    FIELD(cns_pool_config, capacity),
    FIELD(cns_field, name),
    FIELD(cns_field, type),
    FIELD(cns_field, reserved),
    FIELD(cns_hash_params, size),
    FIELD(cns_hash_params, digest_size),
    FIELD(cns_hash_params, key),
    FIELD(cns_hash_params, key_size),
    FIELD(cns_hash_params, salt),
    FIELD(cns_hash_params, salt_size),
    FIELD(cns_hash_params, personal),
    FIELD(cns_hash_params, personal_size),
    FIELD(cns_hash_params, derive),
    FIELD(cns_hash_params, derive_size),
    FIELD(cns_hash_params, seed),
    FIELD(cns_map_config, size),
    FIELD(cns_map_config, key),
    FIELD(cns_map_config, value),
    FIELD(cns_map_config, slot_size),
    FIELD(cns_map_config, capacity),
    FIELD(cns_map_config, seed),
    FIELD(cns_tasks_config, size),
    FIELD(cns_tasks_config, workers),
    FIELD(cns_tasks_config, name),
    FIELD(cns_tasks_config, worker_start),
    FIELD(cns_tasks_config, worker_stop),
    FIELD(cns_tasks_config, user),
    FIELD(cns_tasks_config, stack_size),
    FIELD(cns_tasks_stats, spawned),
    FIELD(cns_tasks_stats, executed),
    FIELD(cns_tasks_stats, stolen),
    FIELD(cns_tasks_stats, cancelled),
    FIELD(cns_tasks_stats, sleeps),
    FIELD(cns_tasks_stats, workers),
    FIELD(cns_tasks_stats, sleeping),
    FIELD(cns_spawn_options, size),
    FIELD(cns_spawn_options, priority),
    FIELD(cns_spawn_options, cancel),
    FIELD(cns_spawn_options, finalize),
    FIELD(cns_spawn_options, external),
    FIELD(cns_spawn_options, reserved),
    FIELD(cns_loop_options, size),
    FIELD(cns_loop_options, priority),
    FIELD(cns_loop_options, cancel),
    FIELD(cns_loop_options, grain),
    FIELD(cns_monitor_sample, size),
    FIELD(cns_monitor_sample, threads),
    FIELD(cns_monitor_sample, clock_ns),
    FIELD(cns_monitor_sample, cpu_user_ns),
    FIELD(cns_monitor_sample, cpu_system_ns),
    FIELD(cns_monitor_sample, thread_cpu_ns),
    FIELD(cns_monitor_sample, rss_bytes),
    FIELD(cns_monitor_sample, rss_peak_bytes),
    FIELD(cns_monitor_sample, read_bytes),
    FIELD(cns_monitor_sample, write_bytes),
    FIELD(cns_monitor_sample, disk_read_bytes),
    FIELD(cns_monitor_sample, disk_write_bytes),
    FIELD(cns_monitor_sample, faults_minor),
    FIELD(cns_monitor_sample, faults_major),
    FIELD(cns_monitor_sample, switches_voluntary),
    FIELD(cns_monitor_sample, switches_involuntary),
    FIELD(cns_monitor_limits, size),
    FIELD(cns_monitor_limits, cpus_online),
    FIELD(cns_monitor_limits, cpus_affinity),
    FIELD(cns_monitor_limits, reserved),
    FIELD(cns_monitor_limits, cgroup_cpu_quota),
    FIELD(cns_monitor_limits, cgroup_memory_limit),
    FIELD(cns_monitor_limits, cgroup_memory_used),
    FIELD(cns_monitor_limits, memory_total),
    FIELD(cns_monitor_limits, memory_available),
    FIELD(cns_monitor_limits, open_files_limit),
    FIELD(cns_monitor_limits, cpu_throttled_ns),
    FIELD(cns_monitor_limits, steal_ns),
    FIELD(cns_monitor_thread, id),
    FIELD(cns_monitor_thread, cpu_user_ns),
    FIELD(cns_monitor_thread, cpu_system_ns),
    FIELD(cns_monitor_thread, name),
};

int main(void) {
    const char *open_type = "";
    printf("return {\n");
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        const field_layout *layout = &layouts[i];
        if (strcmp(open_type, layout->type) != 0) {
            printf("%s%s = {size = %zu, fields = {", *open_type ? "}},\n" : "", layout->type,
                   layout->size);
            open_type = layout->type;
        }
        printf("%s = %zu, ", layout->field, layout->offset);
    }
    printf("}},\n}\n");
    return 0;
}
