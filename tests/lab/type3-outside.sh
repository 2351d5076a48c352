# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# In the emulated host: have something done with the memory of the CXL device outside of it, by
# type3.sh, and wait until it is.
#
#   type3-outside.sh NAME WORD SEED
set -eu
rm -f "/outside/$1.answer"
printf '%s %s\n' "$2" "$3" >"/outside/$1.new"
mv "/outside/$1.new" "/outside/$1.ask"
tries=0
until [ -e "/outside/$1.answer" ]; do
	tries=$((tries + 1))
	[ $tries -lt 600 ]
	sleep 0.2
done
