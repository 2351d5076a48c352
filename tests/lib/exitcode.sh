#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A program whose exit status is all it has to say, as TAP.
#
#   exitcode.sh NAME COMMAND [ARG...]
name=$1
shift
echo 1..1
if "$@"; then
	echo "ok 1 - $name"
else
	echo "# status $?"
	echo "not ok 1 - $name"
fi
