#!/bin/sh
# SPDX-License-Identifier: MIT
#
# oracle.sh [TIMES] - the tests that compare with an oracle on random input, over TIMES (24) times
# as much of it as `./dev test`: the solver on about 100,000 tiny models of all kinds against brute
# force, the passes of the VM on functions. One after the other; what fails prints its seed.
set -eu
times=${1:-24}
case $times in
'' | *[!0-9]* | 0*)
    echo "dev: oracle: TIMES must be a whole number from 1 on, not '$times'" >&2
    exit 1
    ;;
esac
failed=0

oracle() { # oracle VARIABLE COUNT TEST: `COUNT` is what the test takes by itself
    log=build/oracle-$3.log
    begin=$(date +%s)
    if env "$1=$(($2 * times))" "build/release/tests/$3" >"$log" 2>&1; then
        printf '%-24s %s=%s: ok, %s s\n' "$3" "$1" $(($2 * times)) $(($(date +%s) - begin))
    else
        failed=1
        tail -n 30 "$log"
        printf '%-24s %s=%s: FAILED, see %s\n' "$3" "$1" $(($2 * times)) "$log"
    fi
}

export CK_TIMEOUT_MULTIPLIER="$times"
oracle CNS_SOLVER_MODELS 100 test_solver_search
oracle CNS_SOLVER_MODELS 250 test_solver_parallel
oracle CNS_SOLVER_MODELS 60 test_solver_local
oracle CNS_TEST_WORLDS 1000 test_solver_arith
oracle CNS_TEST_TIMES 1 test_solver_resources
oracle CNS_TEST_FUNCTIONS 1000 test_passes
exit $failed
