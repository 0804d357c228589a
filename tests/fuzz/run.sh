#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [SECONDS] [TARGET...] - builds the fuzzers and runs each for so many seconds (60). What
# they find is left in build/fuzz/findings; a finding becomes a unit test. Three targets are
# scripts: `storm` calls everything in the Lua module with odd arguments, `transfer` sends random
# values to workers and back, `vm` compares random kernels with Lua (each third one in machine code,
# too, or each CNS_FUZZ_NATIVEth). `many` makes and drops 10000 kernels, however long it takes.
# `api` changes a solver's model and takes its memory between steps (it needs Check's header).
# `dump` and `module` run what they make as machine code where CNS_FUZZ_PLUGIN names the plugin.
set -eu
seconds=60
case ${1:-} in
[0-9]*)
    seconds=$1
    shift
    ;;
esac
[ $# -gt 0 ] || set -- heap map hash buffer lua dump module cache fzn solve api storm transfer vm
build=build/fuzz
export CNS_CACHE= # what is fuzzed gets compiled, and nothing of it is kept
mkdir -p $build/findings

build_target() {
    case $1 in
    vm) # with the plugin, where there is LLVM
        program=cnsengine
        ! ninja -C $build -t targets all | grep -q '^cns_jit_llvm:' ||
            program="cnsengine cns_jit_llvm"
        ;;
    storm | transfer) program=cnsengine ;;
    *) program=fuzz_$1 ;;
    esac
    if [ "$1" = many ]; then
        [ -f build/release/build.ninja ] || cmake --preset release >$build/configure.log
        cmake --build --preset release --target test_machine >$build/build.log
        return
    fi
    cmake --build --preset fuzz --target $program >$build/build.log || {
        tail -n 30 $build/build.log
        exit 1
    }
}

run_script() { # run_script NAME PATH
    seed=$(date +%s)
    if $build/cnsengine run "$2" --seed "$seed" --set seconds="$seconds" \
        --set native="${CNS_FUZZ_NATIVE:-3}" --memory 1GiB >"$build/$1.log" 2>&1; then
        tail -n 1 "$build/$1.log"
    else
        tail -n 30 "$build/$1.log"
        mv "$build/$1.log" "$build/findings/$1-$seed"
    fi
}

run_many() {
    if CNS_TEST_KERNELS=10000 build/release/tests/test_machine >$build/many.log 2>&1; then
        tail -n 1 $build/many.log
    else
        tail -n 30 $build/many.log
        mv $build/many.log "$build/findings/many-$(date +%s)"
    fi
}

run_fuzzer() {
    mkdir -p "$build/corpus/$1"
    control= # a model, or a life, takes some hundred choices: no use in starting with few
    case $1 in
    solve | api) control="-len_control=0 -max_len=300" ;;
    esac
    $build/tests/fuzz/fuzz_"$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 \
        -verbosity=0 -print_final_stats=1 $control -artifact_prefix=$build/findings/"$1"- \
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
    many) run_many ;;
    vm) run_script vm tests/fuzz/kernel_storm.lua ;;
    *) run_fuzzer "$target" ;;
    esac
done
found=$(ls $build/findings | wc -l)
printf 'fuzz: %s findings\n' "$found"
[ "$found" = 0 ]
