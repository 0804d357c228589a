/* SPDX-License-Identifier: MIT
 *
 * monitor.c - cns.monitor: figures of this process and this machine as tables.
 */
#include "module.h"

#define NAME "cns.monitor.counters"

/* A figure the OS does not give is said to be so; it never reads as 0. */
static void set_count(lua_State *L, const char *key, uint64_t value) {
    if (value == CNS_UNAVAILABLE) {
        lua_pushliteral(L, "unavailable");
    } else {
        lua_pushinteger(L, (lua_Integer)value);
    }
    lua_setfield(L, -2, key);
}

static void set_seconds(lua_State *L, const char *key, uint64_t nanoseconds) {
    if (nanoseconds == CNS_UNAVAILABLE) {
        lua_pushliteral(L, "unavailable");
    } else {
        lua_pushnumber(L, (lua_Number)nanoseconds * 1e-9);
    }
    lua_setfield(L, -2, key);
}

static int monitor_sample(lua_State *L) {
    cns_monitor_sample s = {.size = sizeof s};
    lcns_ok(L, cns_monitor_read(lcns_context(L), &s));
    lua_createtable(L, 0, 15);
    set_seconds(L, "clock", s.clock_ns);
    set_seconds(L, "cpu_user", s.cpu_user_ns);
    set_seconds(L, "cpu_system", s.cpu_system_ns);
    set_seconds(L, "thread_cpu", s.thread_cpu_ns);
    set_count(L, "threads", s.threads == UINT32_MAX ? CNS_UNAVAILABLE : s.threads);
    set_count(L, "rss_bytes", s.rss_bytes);
    set_count(L, "rss_peak_bytes", s.rss_peak_bytes);
    set_count(L, "read_bytes", s.read_bytes);
    set_count(L, "write_bytes", s.write_bytes);
    set_count(L, "disk_read_bytes", s.disk_read_bytes);
    set_count(L, "disk_write_bytes", s.disk_write_bytes);
    set_count(L, "faults_minor", s.faults_minor);
    set_count(L, "faults_major", s.faults_major);
    set_count(L, "switches_voluntary", s.switches_voluntary);
    set_count(L, "switches_involuntary", s.switches_involuntary);
    return 1;
}

static int monitor_reset_peak(lua_State *L) {
    lua_pushboolean(L, cns_monitor_reset_peak(lcns_context(L)) == CNS_OK);
    return 1;
}

static int monitor_limits(lua_State *L) {
    cns_monitor_limits l = {.size = sizeof l};
    lcns_ok(L, cns_monitor_read_limits(lcns_context(L), &l));
    lua_createtable(L, 0, 10);
    set_count(L, "cpus_online", l.cpus_online);
    set_count(L, "cpus_affinity", l.cpus_affinity);
    if (l.cgroup_cpu_quota < 0) {
        lua_pushliteral(L, "unavailable");
    } else {
        lua_pushnumber(L, l.cgroup_cpu_quota);
    }
    lua_setfield(L, -2, "cgroup_cpu_quota");
    set_count(L, "cgroup_memory_limit", l.cgroup_memory_limit);
    set_count(L, "cgroup_memory_used", l.cgroup_memory_used);
    set_count(L, "memory_total", l.memory_total);
    set_count(L, "memory_available", l.memory_available);
    set_count(L, "open_files_limit", l.open_files_limit);
    set_seconds(L, "cpu_throttled", l.cpu_throttled_ns);
    set_seconds(L, "steal", l.steal_ns);
    return 1;
}

static int monitor_threads(lua_State *L) {
    cns_context *context = lcns_context(L);
    uint32_t count = 0, capacity = 64;
    cns_monitor_thread *threads;
    for (;;) { /* threads may start between two looks */
        threads = lua_newuserdatauv(L, capacity * sizeof *threads, 0);
        lcns_ok(L, cns_monitor_threads(context, threads, capacity, &count));
        if (count <= capacity || capacity >= 1 << 20) {
            break;
        }
        capacity = count + 16;
        lua_pop(L, 1);
    }
    count = count < capacity ? count : capacity;
    lua_createtable(L, (int)count, 0);
    for (uint32_t i = 0; i < count; i++) {
        lua_createtable(L, 0, 4);
        set_count(L, "id", threads[i].id);
        lua_pushstring(L, threads[i].name);
        lua_setfield(L, -2, "name");
        set_seconds(L, "cpu_user", threads[i].cpu_user_ns);
        set_seconds(L, "cpu_system", threads[i].cpu_system_ns);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int monitor_machine(lua_State *L) {
    char text[512];
    cns_monitor_machine(text, sizeof text);
    lua_pushstring(L, text);
    return 1;
}

/* ---- counters -------------------------------------------------------------------------------- */

typedef struct counters_object {
    lcns_object base;
    cns_counters *counters;
} counters_object;

/* Upvalue: the counters. */
static int read_counters(lua_State *L) {
    const counters_object *self = lcns_check(L, lua_upvalueindex(1), NAME);
    uint64_t values[CNS_COUNTER_COUNT];
    lcns_ok(L, cns_counters_read(self->counters, values));
    lua_createtable(L, 0, 4);
    set_count(L, "cycles", values[CNS_COUNTER_CYCLES]);
    set_count(L, "instructions", values[CNS_COUNTER_INSTRUCTIONS]);
    set_count(L, "cache_misses", values[CNS_COUNTER_CACHE_MISSES]);
    set_count(L, "branch_misses", values[CNS_COUNTER_BRANCH_MISSES]);
    return 1;
}

static int monitor_counters(lua_State *L) {
    counters_object *self = lcns_new(L, sizeof *self, NAME);
    cns_context *context = self->base.shared->context;
    cns_status status = cns_counters_create(context, &self->counters);
    if (status == CNS_E_UNSUPPORTED) {
        char message[256];
        cns_context_message(context, message, sizeof message);
        lua_pushnil(L);
        lua_pushstring(L, message);
        return 2;
    }
    lcns_ok(L, status);
    lua_pushcclosure(L, read_counters, 1);
    return 1;
}

static int counters_close(lua_State *L) {
    lcns_shared *shared;
    counters_object *self = lcns_begin_close(L, NAME, &shared);
    if (self) {
        cns_counters_destroy(self->counters);
        self->counters = NULL;
        lcns_shared_release(shared);
    }
    return 0;
}

static const luaL_Reg functions[] = {
    {"sample", monitor_sample},
    {"reset_peak", monitor_reset_peak},
    {"limits", monitor_limits},
    {"threads", monitor_threads},
    {"counters", monitor_counters},
    {"machine", monitor_machine},
    {NULL, NULL},
};

int lcns_open_monitor(lua_State *L) {
    lcns_type(L, NAME, NULL, NULL, counters_close);
    luaL_newlib(L, functions);
    return 1;
}
