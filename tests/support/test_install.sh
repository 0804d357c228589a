#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_install.sh SOURCE BUILD - installs into an empty prefix, moves it, and uses what is there the
# way strangers would: a C program through pkg-config (shared and static) and through CMake, the Lua
# module from stock lua5.4, its twin from LuaJIT, the command.
set -eu
source_dir=$1
build_dir=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
expect() { # expect WHAT TEXT ACTUAL
    case "$3" in
    *"$2"*) ;;
    *)
        printf 'install: %s: expected "%s", got "%s"\n' "$1" "$2" "$3" >&2
        exit 1
        ;;
    esac
}
cmake --install "$build_dir" --prefix "$work/first" >"$work/log"
mv "$work/first" "$work/moved" # an installed tree must not know where it was
prefix=$work/moved
library_dir=$(dirname "$(find "$prefix" -name 'libcns.so.0')")
PKG_CONFIG_PATH=$library_dir/pkgconfig
export PKG_CONFIG_PATH
digest=6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85 # official, of "abc"

cc "$source_dir/examples/c/embed.c" $(pkg-config --cflags --libs cns) -o "$work/shared"
expect "C, shared" "sum of squares  333328333350000" "$(LD_LIBRARY_PATH=$library_dir "$work/shared")"
cc "$source_dir/examples/c/embed.c" -Wl,-Bstatic $(pkg-config --cflags --libs cns) -Wl,-Bdynamic \
    $(pkg-config --libs libxxhash) -pthread -o "$work/static"
expect "C, static" "sum of squares  333328333350000" "$("$work/static")"

mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<'EOF'
cmake_minimum_required(VERSION 3.25)
project(consumer C)
find_package(cns 0.1 REQUIRED)
add_executable(consumer embed.c)
target_link_libraries(consumer PRIVATE cns::static)
EOF
cp "$source_dir/examples/c/embed.c" "$work/project/"
cmake -G Ninja -S "$work/project" -B "$work/project/build" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
cmake --build "$work/project/build" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
expect "CMake package" "sum of squares" "$("$work/project/build/consumer")"

export LUA_CPATH_5_4="$prefix/lib/lua/5.4/?.so" LUA_PATH_5_4="$prefix/share/lua/5.4/?.lua"
expect "lua5.4" $digest "$(lua5.4 -e 'print(require"cns".hash.blake3("abc"))')"
expect "stdlib" table "$(lua5.4 -e 'print(type(require"cns.stats"))')"
export LUA_PATH="$prefix/share/lua/5.1/?.lua" CNS_LIBRARY="$library_dir/libcns.so.0"
expect "luajit" $digest "$(luajit -e 'print(require"cns".hash.blake3("abc"))')"
expect "the command" $digest "$(printf abc | "$prefix/bin/cnsengine" hash -)"
printf 'print(require("cns.stats") ~= nil)\n' >"$work/uses_stdlib.lua"
expect "the command's stdlib" true "$("$prefix/bin/cnsengine" run "$work/uses_stdlib.lua")"
printf 'var 1..3: x :: output_var;\nsolve maximize x;\n' >"$work/model.fzn"
expect "the solver" "x = 3;" "$("$prefix/bin/cnsengine" solve "$work/model.fzn")"
printf 'print(require("cns.solver").model():solve())\n' >"$work/model.lua"
expect "the solver from Lua" satisfied "$("$prefix/bin/cnsengine" run "$work/model.lua")"
if command -v minizinc >/dev/null; then # a global of the solver's own library
    printf 'include "globals.mzn"; array [1..3] of var 1..3: x;
constraint alldifferent(x) /\\ circuit(x) /\\ x[1] > 2; solve satisfy;\n' >"$work/model.mzn"
    expect "the solver from MiniZinc" "[3, 1, 2]" \
        "$(MZN_SOLVER_PATH=$prefix/share/minizinc/solvers minizinc --solver cnsengine "$work/model.mzn")"
fi
test -f "$prefix/share/man/man1/cnsengine.1" || {
    echo "install: the man page is missing" >&2
    exit 1
}
