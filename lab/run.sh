#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Run a script in the emulated host.
#
#   run.sh [--timeout S] [--memory MIB] [--smp N] [--append WORDS] [--qemu WORDS]
#          [--kernel FOLDER] [--function | --type3] [--verbose] SHARE_DIR SCRIPT [ARG...]
#
# Starts a machine that QEMU emulates in software, with KVM (AMD) and VFIO working inside. It
# sees SHARE_DIR as /lab and runs "sh SCRIPT ARG..." there; SCRIPT is a path below SHARE_DIR, and
# static programs can be put beside it. /tmp is in the emulated host's memory; /tree is the root of the
# tree, read-only, so that QEMU of the tree can run in there.
#
# Standard output is what the script writes, the exit status is the script's. If the
# host crashes or is not done after S seconds, its last messages are printed and the exit
# status is 124. The host's messages are in SHARE_DIR/host.log; --verbose prints them at the end.
# Two runs at the same time need two folders.
#
# --append adds words to the host's kernel command line, --qemu to QEMU's; --kernel boots the kernel in
# FOLDER, as kernel.sh makes it, instead of the distribution's. For real interrupt and DMA
# remapping: --append 'intel_iommu=on iommu=nopt no_timer_check' --qemu '-device intel-iommu,intremap=on'. --function
# does that and adds an NVMe function at 0000:01:00.0 with a buffer of 256 MiB, for module/pci.c; its
# disk is SHARE_DIR/function.img, made if it is not there. --type3 adds a CXL memory device at 0000:0d:00.0
# instead, below a CXL host bridge with a window of 64 GiB; its memory of 256 MiB is SHARE_DIR/type3.img, made if
# it is not there. No firmware commits its decoder: commit-decoder.sh does that.
#
# Defaults: --timeout 120 --memory 2048 --smp 2
set -eu
LAB_DIR=$(dirname "$0")
. "$LAB_DIR/lib.sh"

timeout=120
memory=2048
smp=2
append=
extra=
kernel=
verbose=
function=
type3=

# An NVMe function that nothing in the host drives, at 0000:01:00.0 below a root port, with a buffer of
# 256 MiB as BAR 2, FLR, MSI-X and DMA through a remapping unit. Its disk of 64 MiB is function.img of the
# shared folder, empty when it is made here.
FUNCTION='-device intel-iommu,intremap=on -device pcie-root-port,id=p1,chassis=1,slot=1
	-drive if=none,id=nd,file=/mnt/share/function.img,format=raw,cache=unsafe
	-device nvme,drive=nd,serial=lab,bus=p1,cmb_size_mb=256,legacy-cmb=on'

# A CXL memory device below the only root port of a CXL host bridge.
TYPE3='-M cxl=on,cxl-fmw.0.targets.0=cxl,cxl-fmw.0.size=64G -device intel-iommu,intremap=on
	-object memory-backend-file,id=type3,share=on,size=256M,mem-path=/mnt/share/type3.img
	-device pxb-cxl,bus_nr=12,bus=pcie.0,id=cxl -device cxl-rp,port=0,bus=cxl,id=cxlrp,chassis=0,slot=2
	-device cxl-type3,bus=cxlrp,volatile-memdev=type3,id=cxlmem,sn=0x1ab'

# need_number OPTION VALUE
need_number() {
	case $2 in
	'' | 0* | *[!0-9]*) usage_error "$1 needs a positive number, not '$2'" ;;
	esac
}

# quote WORD... - the words so that a shell reads them back unchanged
quote() {
	for word in "$@"; do
		printf " '"
		printf '%s' "$word" | sed "s/'/'\\\\''/g"
		printf "'"
	done
}

stop() {
	trap - INT TERM HUP
	[ -z "${qemu:-}" ] || kill "$qemu" 2>/dev/null || :
	[ -z "${qemu:-}" ] || wait "$qemu" 2>/dev/null || :
	rm -f "$share/.lab-command" "$share/.lab-status"
	exit "$1"
}

while [ $# -gt 0 ]; do
	case $1 in
	--timeout | --memory | --smp)
		[ $# -ge 2 ] || usage_error "$1 needs a number"
		need_number "$1" "$2"
		case $1 in
		--timeout) timeout=$2 ;;
		--memory) memory=$2 ;;
		--smp) smp=$2 ;;
		esac
		shift 2
		;;
	--append | --qemu | --kernel)
		[ $# -ge 2 ] || usage_error "$1 needs a value"
		case $1 in
		--append) append="$append $2" ;;
		--qemu) extra="$extra $2" ;;
		--kernel) kernel=$2 ;;
		esac
		shift 2
		;;
	--verbose)
		verbose=1
		shift
		;;
	--function | --type3)
		# on a busy machine the emulated timer is late for the kernel, which then gives up
		append="$append intel_iommu=on iommu=nopt no_timer_check"
		case $1 in
		--function) extra="$extra $FUNCTION" function=1 ;;
		--type3) extra="$extra $TYPE3" type3=1 ;;
		esac
		shift
		;;
	-h | --help)
		print_help "$0"
		exit 0
		;;
	-*) usage_error "unknown option $1" ;;
	*) break ;;
	esac
done
[ $# -ge 2 ] || usage_error "a folder to share and a script in it are needed"
share=$1
script=$2
shift 2
[ -d "$share" ] || die "$share: no such folder"
share=$(cd "$share" && pwd)
[ -f "$share/$script" ] || die "$share/$script: no such script"

[ -z "$function" ] || [ -z "$type3" ] || usage_error "--function and --type3 exclude each other"
[ -z "$function" ] || [ -f "$share/function.img" ] || truncate -s 64M "$share/function.img"
[ -z "$type3" ] || [ -f "$share/type3.img" ] || truncate -s 256M "$share/type3.img"

need_tree
host=$("$LAB_DIR/host.sh" ${kernel:+--kernel "$kernel"})

# the leading ./ keeps a script name from looking like an option
printf 'exec sh%s\n' "$(quote "./$script" "$@")" >"$share/.lab-command"
rm -f "$share/.lab-status" "$share/host.log" "$share/qemu.log"
trap 'stop 130' INT
trap 'stop 143' TERM HUP

# QEMU takes the end of its standard input for a port that was closed, and the script could not
# write any more: give it an input that is always open and always empty.
fifo=$(mktemp -u)
mkfifo -m 600 "$fifo"
exec 3<>"$fifo"
rm -f "$fifo"

# In the kernel of kernel.sh KVM is there before the TSC's frequency is known well (see host-init): it
# is to take both for the same.
[ -z "$kernel" ] || append="kvm.tsc_tolerance_ppm=50000 $append"

# Output of the script and its status have ports of their own: quicker than a serial port.
# shellcheck disable=SC2086 # extra: words of a command line
began=$(date +%s)
timeout -k 5 "$timeout" sh "$LAB_DIR/in-tree.sh" -b "$TREE:/mnt/tree" -b "$share:/mnt/share" \
	-b "$TREE_ROOT:/mnt/root" \
	qemu-system-x86_64 -M q35,accel=tcg -cpu max,svm=on,-la57 -m "$memory" -smp "$smp" \
	-nodefaults -no-user-config -display none -no-reboot \
	-d cpu_reset -D /mnt/share/qemu.log \
	-kernel "/mnt/tree/${host##*/}/kernel" -initrd "/mnt/tree/${host##*/}/initramfs" \
	-append "console=ttyS0 panic=-1 quiet $append" \
	-serial file:/mnt/share/host.log \
	-device virtio-serial-pci \
	-chardev stdio,id=output,signal=off -device virtserialport,chardev=output,name=lab.output \
	-chardev file,id=status,path=/mnt/share/.lab-status \
	-device virtserialport,chardev=status,name=lab.status \
	-virtfs local,path=/mnt/share,mount_tag=lab,security_model=none,multidevs=remap \
	-virtfs local,path=/mnt/root,mount_tag=tree,security_model=none,multidevs=remap,readonly=on $extra \
	<&3 &
qemu=$!
ended=0
wait "$qemu" || ended=$?
qemu=

status=$(cat "$share/.lab-status" 2>/dev/null || :)
case $status in
'' | *[!0-9]*)
	took=$(($(date +%s) - began))
	# timeout kills what TERM does not end
	if [ "$ended" = 124 ] || { [ "$ended" = 137 ] && [ "$took" -ge "$timeout" ]; }; then
		say "the emulated host was not done after $timeout s"
	elif [ "$ended" = 137 ]; then
		say "QEMU was killed after $took s, before its time was up ($timeout s): dmesg of this machine says whether it was out of memory"
	else
		say "the emulated host ended before the script did (QEMU's exit status: $ended)"
		# A triple fault of the emulated machine ends QEMU without a word elsewhere.
		grep -m 1 -A 20 'Triple fault' "$share/qemu.log" 2>/dev/null | sed 's/^/    /' >&2 || :
	fi
	if [ -s "$share/host.log" ]; then
		say "last lines of $share/host.log:"
		tail -n 40 "$share/host.log" >&2
	fi
	status=124
	;;
*) [ -z "$verbose" ] || cat "$share/host.log" >&2 ;;
esac
stop "$status"
