#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [SECONDS] [TARGET...] - builds the fuzzers and runs each for so many seconds (60). What
# they find is left in build/fuzz/findings; a finding becomes a unit test. Three targets are
# scripts: `storm` calls everything in the Lua module with odd arguments, `transfer` sends random
# values to workers and back, `vm` compares random kernels with Lua.
set -eu
seconds=60
case ${1:-} in
[0-9]*)
    seconds=$1
    shift
    ;;
esac
[ $# -gt 0 ] || set -- heap map hash buffer lua dump module storm transfer vm
build=build/fuzz
mkdir -p $build/findings

build_target() {
    case $1 in
    storm | transfer | vm) program=cnsengine ;;
    *) program=fuzz_$1 ;;
    esac
    cmake --build --preset fuzz --target $program >$build/build.log || {
        tail -n 30 $build/build.log
        exit 1
    }
}

run_script() { # run_script NAME PATH
    seed=$(date +%s)
    if $build/cnsengine run "$2" --seed "$seed" --set seconds="$seconds" --memory 1GiB \
        >"$build/$1.log" 2>&1; then
        tail -n 1 "$build/$1.log"
    else
        tail -n 30 "$build/$1.log"
        mv "$build/$1.log" "$build/findings/$1-$seed"
    fi
}

run_fuzzer() {
    mkdir -p "$build/corpus/$1"
    $build/tests/fuzz/fuzz_"$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
        -verbosity=0 -print_final_stats=1 -artifact_prefix=$build/findings/"$1"- \
        "$build/corpus/$1" 2>&1 |
        grep -E 'number_of_executed|ERROR|SUMMARY|does not hold|Test unit' || true
}

CC=clang cmake --preset fuzz >$build/configure.log
for target; do
    build_target "$target"
    printf 'fuzz: %s for %s s\n' "$target" "$seconds"
    case $target in
    storm) run_script storm tests/fuzz/api_storm.lua ;;
    transfer) run_script transfer tests/fuzz/transfer_storm.lua ;;
    vm) run_script vm tests/fuzz/kernel_storm.lua ;;
    *) run_fuzzer "$target" ;;
    esac
done
found=$(ls $build/findings | wc -l)
printf 'fuzz: %s findings\n' "$found"
[ "$found" = 0 ]
