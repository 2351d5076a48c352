#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Build the kernel with iommufd and VFIO device files, and print its folder. Debian's kernels have
# neither; this is the source package of the tree's kernel with a small configuration of our own
# (kernel.config), everything built in.
#
#   kernel.sh          build it if it is not there; prints its folder
#   kernel.sh --path   only print its folder; exit status 1 if it is not there
#
# It is built once for each tree and configuration: 167 MB of downloads, 3 GB of disk while it is
# built and 60 MB after it, and 10 minutes on two cores.
#
#   kernel    the kernel, unpacked (ELF)
#   kver      its release
#   build/    what modules for it are built against
set -eu
LAB_DIR=$(dirname "$0")
. "$LAB_DIR/lib.sh"

# Runs in the tree; apt's state is in /mnt/work. $1 is the version of the source package. Only a
# package of the kernel's own version is of use.
# shellcheck disable=SC2016 # expanded by the inner shell
FETCH='
set -eu
export APT_CONFIG=/mnt/work/apt.conf
cd /mnt/work
apt-get -q update
apt-get -q download "linux-source-$1"
dpkg-deb --fsys-tarfile linux-source-"$1"_*.deb | tar -x --wildcards "./usr/src/*.tar.xz"
rm -r linux-source-"$1"_*.deb lists cache
mkdir source
tar -C source --strip-components=1 -xf usr/src/*.tar.xz
rm -r usr
'

# Every line of the configuration must have been accepted: a symbol that was renamed is an error.
# shellcheck disable=SC2016
CONFIGURE='
set -eu
cd /mnt/work/source
make -s O=/mnt/work/object CC=gcc-14 HOSTCC=gcc-14 KCONFIG_ALLCONFIG=/mnt/work/config allnoconfig
grep "^CONFIG_" /mnt/work/config | while read -r line; do
	grep -qxF "$line" /mnt/work/object/.config || { echo "not accepted: $line"; exit 1; }
done
'

# shellcheck disable=SC2016
MAKE='
set -eu
cd /mnt/work/source
make="make O=/mnt/work/object CC=gcc-14 HOSTCC=gcc-14"
$make -j "$1" vmlinux modules
mkdir /mnt/work/out
$make -s run-command KBUILD_RUN_COMMAND="+\$(srctree)/scripts/package/install-extmod-build /mnt/work/out/build"
cp /mnt/work/object/.config /mnt/work/out/build/
cp /mnt/work/object/include/config/kernel.release /mnt/work/out/kver
strip --strip-debug -o /mnt/work/out/kernel /mnt/work/object/vmlinux
'

# logged NAME COMMAND... - run with output to a log; on failure show its end and stop
logged() {
	log=$work/$1.log
	shift
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 20 "$log" >&2
		die "building the kernel failed; the full log is $log"
	fi
}

fetch() {
	apt_state "$work" "$LAB_SUITE-backports"
	logged fetch in_tree -b "$work:/mnt/work" sh -c "$FETCH" fetch "${KVER%%.*}.$minor"
}

# A line every 30 s while the kernel is compiled
progress() {
	while sleep 30; do
		say "    $(grep -c '^  [A-Z]* ' "$work/make.log" 2>/dev/null || :) steps of about 1900"
	done
}

build() {
	rm -rf "$work"
	mkdir -p "$work"
	grep -v '^#' "$LAB_DIR/kernel.config" >"$work/config"
	rest=${KVER#*.}
	minor=${rest%%.*}
	say "[1/3] source of kernel ${KVER%%.*}.$minor (downloads about 167 MB)"
	fetch
	say "[2/3] configuration"
	logged configure in_tree -b "$work:/mnt/work" sh -c "$CONFIGURE" configure
	say "[3/3] compiling; 10 minutes on two cores"
	progress &
	ticker=$!
	trap 'kill $ticker 2>/dev/null || :; exit 130' INT TERM HUP
	trap 'kill $ticker 2>/dev/null || :' EXIT
	logged make in_tree -b "$work:/mnt/work" sh -c "$MAKE" make "$(nproc)"
	kill "$ticker" 2>/dev/null || :
	trap - EXIT INT TERM HUP
	mv "$work/out" "$out"
	rm -rf "$work"
	say "kernel $(cat "$out/kver") is ready, $(megabytes "$out") MB"
}

case ${1:-} in
'' | --path) ;;
-h | --help)
	print_help "$0"
	exit 0
	;;
*) usage_error "unknown argument $1" ;;
esac
[ $# -le 1 ] || usage_error "too many arguments"

need_tree
out=$TREE/kernel-$({ cat "$LAB_DIR/kernel.config" "$TREE/kver" && echo "$CONFIGURE$MAKE"; } | short_hash)
work=$out.part
if [ ! -d "$out" ]; then
	[ "${1:-}" != --path ] || die "it is not built yet; build it with: $0"
	make_once "$out" "building the kernel" build
fi
printf '%s\n' "$out"
