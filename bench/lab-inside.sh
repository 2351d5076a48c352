# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# The part of lab.sh that runs in the emulated host.
set -eu
. ./qemu.sh
PASSES=3
WORK=/tmp/bench
APPEND='console=ttyS0 quiet cxlvm.test=plain'
APPEND_LOG='console=ttyS0 cxlvm.test=plain'
mkdir -p $WORK
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null || :
cat >$WORK/talk <<END
expect GUEST plain
run sh /lab/lab-look.sh
expect END kernel
END
# who is asked for its memory when the guest's init runs
cat >lab-look.sh <<'END'
cut -d' ' -f1 /proc/uptime >/tmp/bench/init
cat /sys/kernel/debug/kvm/exits >/tmp/bench/exits
for pid in $(pidof cxlvm qemu-system-x86_64); do
	# less guest RAM and device memory, which are mappings of their size
	awk '$1 == "Size:" { size = $2 } $1 == "Rss:" && size < 262144 { n += $2 } END { print n }' \
		/proc/$pid/smaps
done >/tmp/bench/resident
END

# measure NAME COMMAND... - one boot, until the guest has powered off
measure() {
	name=$1
	shift
	began=$(cut -d' ' -f1 /proc/uptime)
	bin/converse --log $WORK/console --timeout 300 $WORK/talk -- "$@" >$WORK/said 2>&1 || {
		cat $WORK/said
		exit 1
	}
	echo "MEASURED $name $began $(cat $WORK/init) $(tr -d '\r' <$WORK/console |
		sed -n 's/^UPTIME //p') $(cat $WORK/exits) $(cat $WORK/resident) $(wc -c <$WORK/console)"
}

# in_cxlvm NAME APPEND
in_cxlvm() {
	measure "$1" bin/cxlvm run --kernel vmlinuz --initrd plain.cpio.gz --memory 512M \
		--device sim,size=256M --append "$2" --time-limit 300
}

# in_qemu NAME OPTION...
in_qemu() {
	name=$1
	shift
	measure "$name" sh -c '. ./qemu.sh && qemu "$@"' sh 512M "$@" -serial stdio \
		-initrd /mnt/plain.cpio.gz -append "$APPEND"
}

qemu_ready
for pass in $(seq 0 $PASSES); do
	# pass 0 reads the programs into memory and is left out
	echo "PASS $pass"
	in_cxlvm cxlvm "$APPEND"
	in_cxlvm cxlvm-log "$APPEND_LOG"
	# shellcheck disable=SC2086 # options are words
	in_qemu q35 $Q35_CXL
	# shellcheck disable=SC2086
	in_qemu microvm $MICROVM
done
