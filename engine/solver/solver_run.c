/* SPDX-License-Identifier: MIT
 *
 * solver/solver_run.c - a search from end to end, told by calls instead of outcomes.
 */
#include "base/os.h"
#include "solver/solver_impl.h"

#define SECOND UINT64_C(1000000000)
#define STEP_TICKS UINT64_C(5000000) /* between looks at the clock: some hundredths of a second */

static const cns_solver_events no_events = {.size = sizeof no_events};

cns_status cns_solver_run(cns_solver *solver, const cns_solver_events *events, cns_outcome *out) {
    CNS_SOLVER_NEED(solver);
    if (out == NULL) {
        return cns_solver_no_output(solver, "cns_solver_run");
    }
    if (events != NULL && events->size != sizeof *events) {
        return cns_fail(solver->context, CNS_E_INVALID, "cns_solver_run: events.size is not known");
    }
    const cns_solver_events e = events != NULL ? *events : no_events;
    uint64_t interval = e.interval != 0 ? e.interval : SECOND;
    uint64_t last = cns_os_clock();
    for (bool go_on = true; go_on;) {
        cns_status status = cns_solver_step(solver, e.progress != NULL ? STEP_TICKS : 0, out);
        if (status != CNS_OK) {
            return status;
        }
        if (*out == CNS_COMPLETE || *out == CNS_STOPPED) {
            return CNS_OK;
        }
        if (*out == CNS_SOLUTION && e.solution != NULL) {
            go_on = e.solution(e.user, solver) == 0;
        }
        uint64_t now = e.progress != NULL ? cns_os_clock() : last;
        if (go_on && now - last >= interval) {
            last = now;
            go_on = e.progress(e.user, solver) == 0;
        }
    }
    *out = CNS_STOPPED;
    return CNS_OK;
}
