#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Run one test program with a time limit; its output goes to LOG, its status to LOG.status.
#
#   one.sh LOG SECONDS COMMAND [ARG...]
log=$1
limit=$2
shift 2
status=0
timeout -k 30 "$limit" "$@" >"$log" 2>&1 </dev/null || status=$?
echo "$status" >"$log.status"
