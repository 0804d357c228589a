#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_ahead.sh COMMAND SOURCE - builds the kernels of examples/lua/module.lua ahead of time, and runs
# the examples in C and LuaJIT that call them. 77 (skipped) without a native backend or a compiler.
set -eu
command=$1
source=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

command -v cc >/dev/null || exit 77
if ! "$command" build "$source/examples/lua/module.lua" -o kernels.o --header kernels.h 2>why; then
    cat why >&2
    grep -q "native backend" why && exit 77
    exit 1
fi
cc -std=c11 -Wall -Wextra -Werror -I . -o ahead "$source/examples/c/ahead.c" kernels.o -lm
./ahead

if command -v luajit >/dev/null; then
    "$command" build "$source/examples/lua/module.lua" -o kernels.so --header kernels.h
    luajit "$source/examples/luajit/ahead.lua" ./kernels.so kernels.h
fi
