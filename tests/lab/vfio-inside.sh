# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Runs in the emulated host: guests on devices of its VFIO. Two are of the lab's module, of
# generations 5 and 2, one is an NVMe function behind the emulated IOMMU.
set -eu
. ./options.sh
. ./guests.sh
. ./vfio-region.sh

insmod cxlvm_lab.ko devices=2 generation=5,2

# bad NAME ARG... - a run that cannot start: its messages and exit status
bad() {
	mkdir -p "out/$1"
	bad_name=$1
	shift
	bad_status=0
	"$@" >"out/$bad_name/monitor" 2>&1 </dev/null || bad_status=$?
	echo $bad_status >"out/$bad_name/status"
}

run_on() { # DEVICE ARG...
	run_device=$1
	shift
	bin/cxlvm run --kernel vmlinuz --initrd guest.cpio.gz --memory 256M --device "vfio:$run_device" \
		--append "$APPEND cxlvm.test=region" "$@"
}

# await COMMAND... - until it is true, or the victim has ended, for at most 100 s
await() {
	tries=0
	until "$@" || [ $tries = 1000 ]; do
		kill -0 $victim 2>/dev/null || break
		sleep 0.1
		tries=$((tries + 1))
	done
}

# the first page of device memory
is_written() {
	[ "$(head -c 4096 $LAB/cxlvm_lab.0/memory | tr -d '\000' | wc -c)" != 0 ]
}

# kill_at NAME PATTERN - a run on the first device that is killed when its console or its messages
# have a line that matches
kill_at() {
	echo "PROGRESS kill $1"
	mkdir -p "out/$1"
	# the console is its standard input as well: one that stays open
	mkfifo "/tmp/$1.input"
	: >"out/$1/log"
	sh -c "exec 9<>/tmp/$1.input; . ./options.sh; exec bin/cxlvm run --kernel vmlinuz \
		--initrd guest.cpio.gz --memory 256M --device vfio:$PLATFORM.0 --trace 'cxl_*' \
		--append \"\$APPEND cxlvm.test=region\" --time-limit 200 <&9" >"out/$1/log" 2>&1 &
	victim=$!
	await grep -q "$2" "out/$1/log"
	if [ "$1" = kill-use ]; then
		bad two-runs run_on "$PLATFORM.0"
		echo "$victim" >out/two-runs/pid
		# it writes all of the memory over and over: what we clear does not stay so
		printf '%s\n' '' '' 'refill 1234' >"/tmp/$1.input"
		await grep -q '^FILLING' "out/$1/log"
		head -c 4096 /dev/zero | dd of=$LAB/cxlvm_lab.0/memory conv=notrunc 2>/dev/null
		await is_written
		is_written && echo yes >"out/$1/written"
	fi
	kill -9 $victim
	wait $victim 2>/dev/null || :
	tail -n 1 "out/$1/log" >"out/$1/last"
	grep -c "$2" "out/$1/log" >"out/$1/reached" || :
}

region vfio-5 0
region vfio-2 1

kill_at kill-open 'cxl_window_claimed'
kill_at kill-mapped 'cxl_map_enable'
kill_at kill-boot '^GUEST region'
kill_at kill-use '^WAIT seed1'
bad no-device run_on 0000:99:00.0
guest after-kills $BOOT_LIMIT bin/cxlvm run --kernel vmlinuz --initrd guest.cpio.gz --memory 256M \
	--device "vfio:$PLATFORM.0" --append "$APPEND cxlvm.test=region"

for device in /sys/bus/pci/devices/*; do
	[ "$(cat "$device/class")" != 0x010802 ] || nvme=${device##*/}
done
echo "$nvme" >out/nvme-address
dd if="/sys/bus/pci/devices/$nvme/config" bs=1 skip=61 count=1 2>/dev/null | od -An -v -tx1 |
	tr -d ' ' >out/nvme-pin
bad not-bound run_on "$nvme"
# the command that the message names
hint=$(sed -n 's/^  hint: as root: //p' out/not-bound/monitor)
sh -c "$hint"
readlink "/sys/bus/pci/devices/$nvme/driver" >out/nvme-driver
chmod 666 /dev/kvm /dev/vfio/vfio "/dev/vfio/$(basename "$(readlink "/sys/bus/pci/devices/$nvme/iommu_group")")"
# not as root, whom no limit stops
mkdir -p /etc
echo 'user:x:1000:1000::/:/bin/sh' >/etc/passwd
bad memlock sh -c "ulimit -l 64; exec start-stop-daemon -S -c user -x /lab/bin/cxlvm -- run \
	--kernel vmlinuz --memory 256M --device vfio:$nvme"
chmod 600 /dev/vfio/[0-9]*
bad permission start-stop-daemon -S -c user -x /lab/bin/cxlvm -- run --kernel vmlinuz \
	--device "vfio:$nvme"
GUEST_DISK=disk.img
guest nvme $REGION_LIMIT bin/cxlvm run --kernel vmlinuz --initrd nvme.cpio.gz --memory 256M \
	--device "vfio:$nvme" --append "$APPEND cxlvm.test=nvme"
rmmod cxlvm_lab
dmesg >out/dmesg
