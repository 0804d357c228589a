/* SPDX-License-Identifier: MIT
 *
 * watch.c - see watch.h.
 */
#include "watch.h"

#include <stdatomic.h>

lcns_watch lcns_watch_begin(const lcns_shared *shared, lua_State *main, const lcns_seat *seat) {
    return (lcns_watch){.host = &shared->host,
                        .task = seat ? seat->task : NULL,
                        .main = main,
                        .hook = lua_gethook(main),
                        .thread = thrd_current()};
}

cns_status lcns_watch_poll(const lcns_watch *watch) {
    const lcns_host *host = watch->host;
    const lcns_task *task = watch->task;
    cns_status status = host->poll ? host->poll(host->user) : CNS_OK;
    if (status == CNS_OK) {
        status = cns_cancel_poll(host->cancel);
    }
    if (status == CNS_OK && task) {
        status = atomic_load(&task->pool->closing) ? CNS_E_CANCELLED : lcns_task_poll(task);
    }
    if (status == CNS_OK && !host->poll && thrd_equal(thrd_current(), watch->thread)) {
        lua_Hook hook = lua_gethook(watch->main);
        status = hook && hook != watch->hook ? CNS_E_CANCELLED : CNS_OK;
    }
    return status;
}
