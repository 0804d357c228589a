#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [SECONDS] [TARGET...] - builds the fuzzers and runs each for so many seconds (60). What
# they find is left in build/fuzz/findings; a finding becomes a unit test.
set -eu
seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- heap map hash buffer lua
mkdir -p build/fuzz/findings
CC=clang cmake --preset fuzz >build/fuzz/configure.log
cmake --build --preset fuzz --target $(printf "fuzz_%s " "$@") >build/fuzz/build.log || {
    tail -n 30 build/fuzz/build.log
    exit 1
}
for target; do
    corpus=build/fuzz/corpus/$target
    mkdir -p "$corpus"
    printf 'fuzz: %s for %s s\n' "$target" "$seconds"
    build/fuzz/tests/fuzz/fuzz_"$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
        -verbosity=0 -print_final_stats=1 -artifact_prefix=build/fuzz/findings/"$target"- \
        "$corpus" 2>&1 | grep -E 'number_of_executed|ERROR|SUMMARY|does not hold|Test unit' || true
done
found=$(ls build/fuzz/findings | wc -l)
printf 'fuzz: %s findings\n' "$found"
[ "$found" = 0 ]
