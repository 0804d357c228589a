#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check_headers.sh - every header of the engine compiles alone, as C11 and, if public, as C++.
set -u
failed=0
lua_flags=$(pkg-config --cflags lua5.4 2>/dev/null || pkg-config --cflags lua-5.4)
llvm=$(sed -n 's/^LLVM_CONFIG:FILEPATH=//p' build/release/CMakeCache.txt 2>/dev/null)
llvm_flags=$([ -x "$llvm" ] && echo "-isystem $("$llvm" --includedir)")
try() { # try HEADER COMPILER...
    header=$1
    shift
    if ! printf '#include "%s"\n' "$header" |
        "$@" -Wall -Wextra -Werror -fsyntax-only -Iengine -Iengine/include -Ibindings/lua -; then
        echo "$header does not compile alone ($1)" >&2
        failed=1
    fi
}
for path in $(git ls-files -co --exclude-standard 'engine/*.h' 'bindings/*.h'); do
    case "$path" in
    engine/include/*)
        try "${path#engine/include/}" cc -std=c11 -x c
        try "${path#engine/include/}" g++ -std=c++11 -x c++
        ;;
    engine/jit/*) # where LLVM is
        [ -z "$llvm_flags" ] || try "${path#engine/}" cc -std=c11 $llvm_flags -x c
        ;;
    engine/*) try "${path#engine/}" cc -std=c11 -x c ;;
    *) try "$(pwd)/$path" cc -std=c11 $lua_flags -x c ;;
    esac
done
exit $failed
