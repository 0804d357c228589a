-- SPDX-License-Identifier: MIT
local cns = require "cns"
local monitor = cns.monitor

-- A figure is a number that is not negative, or the word for "the OS does not say".
local function check_figures(t, figures, names)
    for name in names:gmatch("%S+") do
        local value = figures[name]
        t.ok(value == "unavailable" or math.type(value) and value >= 0,
            name .. " is " .. tostring(value))
        figures[name] = nil
    end
    t.same(figures, {})
end

return function(test)
    test("samples", function(t)
        check_figures(t, monitor.sample(), [[clock cpu_user cpu_system thread_cpu threads rss_bytes
            rss_peak_bytes read_bytes write_bytes disk_read_bytes disk_write_bytes faults_minor
            faults_major switches_voluntary switches_involuntary]])
    end)

    test("work shows", function(t)
        local before = monitor.sample()
        local buffer <close> = cns.buffer("u8", 64 << 20)
        buffer:fill(1)
        local x = 0
        for i = 1, 5000000 do
            x = x + i % 7
        end
        t.ok(x > 0)
        local after = monitor.sample()
        t.ok(after.clock > before.clock)
        t.ok(after.thread_cpu > before.thread_cpu)
        t.ok(after.rss_bytes == "unavailable" or after.rss_bytes - before.rss_bytes > 32 << 20)
        t.ok(after.rss_peak_bytes == "unavailable" or after.rss_peak_bytes >= after.rss_bytes // 2)
        t.equal(type(monitor.reset_peak()), "boolean")
    end)

    test("limits, threads, machine", function(t)
        check_figures(t, monitor.limits(), [[cpus_online cpus_affinity cgroup_cpu_quota
            cgroup_memory_limit cgroup_memory_used memory_total memory_available open_files_limit
            cpu_throttled steal]])
        local threads = monitor.threads()
        t.ok(#threads >= 1)
        for _, thread in ipairs(threads) do
            t.equal(type(thread.name), "string")
            thread.name = nil
            check_figures(t, thread, "id cpu_user cpu_system")
        end
        t.ok(#monitor.machine() > 0)
    end)

    test("counters, or the reason why there are none", function(t)
        local read, reason = monitor.counters()
        if not read then
            t.ok(type(reason) == "string" and #reason > 0)
            return
        end
        check_figures(t, read(), "cycles instructions cache_misses branch_misses")
        check_figures(t, read(), "cycles instructions cache_misses branch_misses")
    end)
end
