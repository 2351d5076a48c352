#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What a conversation with a guest does outside of it: one function of peers.sh. Its output and its
# verdict ("yes" or "no" as the last line) go to a file.
#
#   step.sh SHARE-FOLDER FILE FUNCTION [ARG...]
SHARE=$1
file=$2
shift 2
. tests/interop/peers.sh
{
	if "$@"; then
		echo yes
	else
		echo no
	fi
} >"$file" 2>&1
