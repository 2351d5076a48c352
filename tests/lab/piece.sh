# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# The second MiB of the device memory, in the emulated host: the pattern tool knows whole files.
#
#   piece.sh put SEED   write the pattern there
#   piece.sh has SEED   "yes" or "no": is the pattern there?
set -eu
truncate -s 2M /tmp/piece
bin/pattern fill /tmp/piece "$2"
case $1 in
put) dd if=/tmp/piece of=/tmp/device-memory bs=1M skip=1 seek=1 count=1 conv=notrunc 2>/dev/null ;;
has)
	dd if=/tmp/piece of=/tmp/piece.wanted bs=1M skip=1 count=1 2>/dev/null
	dd if=/tmp/device-memory of=/tmp/piece.found bs=1M skip=1 count=1 2>/dev/null
	cmp -s /tmp/piece.wanted /tmp/piece.found && echo yes || echo no
	;;
esac
