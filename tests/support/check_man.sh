#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check_man.sh - the man page formats without a warning.
warnings=$(groff -man -ww -Tutf8 doc/cnsengine.1 2>&1 >/dev/null)
[ -z "$warnings" ] || {
    printf '%s\n' "$warnings" >&2
    exit 1
}
