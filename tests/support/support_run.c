/* SPDX-License-Identifier: MIT
 *
 * support_run.c - see support.h; apart from the rest, which fuzzers use without a suite.
 */
#include <stdlib.h>

#include "support.h"

int support_run(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
