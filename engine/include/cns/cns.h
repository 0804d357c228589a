/* SPDX-License-Identifier: MIT
 *
 * cns/cns.h - all public headers of cnsengine.
 */
#ifndef CNS_CNS_H
#define CNS_CNS_H

#include "cns/base.h"
#include "cns/hash.h"
#include "cns/memory.h"
#include "cns/monitor.h"
#include "cns/solver.h"
#include "cns/tasks.h"
#include "cns/vm.h"

#endif
