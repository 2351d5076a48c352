# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Makes the folder that the emulated host sees as /lab. Runs in the repository's root.

# share_make FOLDER BUILD - anew, with programs, the tree's kernel, the guest's initramfs and the
# kernel module of the lab's device
share_make() {
	rm -rf "$1"
	mkdir -p "$1/bin" "$1/talk" "$1/out"
	share_tree=$(sh lab/tree.sh)
	for tool in pattern converse; do
		gcc -std=c11 -O2 -static -o "$1/bin/$tool" "lab/tools/$tool.c"
	done
	cp "$2/lab/cli/cxlvm" "$1/bin/cxlvm"
	cp "$2/lab-switches/cli/cxlvm" "$1/bin/cxlvm-switches"
	cp tests/lab/guests.sh tests/lab/options.sh "$1/"
	cp "$share_tree/$(cat "$share_tree/vmlinuz")" "$1/vmlinuz"
	sh lab/guest/mkguest.sh "$1/guest.cpio.gz"
	cp "$(sh lab/module.sh)" "$1/cxlvm_lab.ko"
}

# share_selftest FOLDER - the program with the checks of the kernel's selftests
share_selftest() {
	gcc -std=gnu11 -O2 -Wall -Wextra -static -pthread -Isrc -Iinclude -o "$1/selftest" \
		tests/lab/selftest/*.c
}

# share_talk_region FOLDER NAME [flr] - a conversation in two boots of one guest: it fills the memory with
# a seed, which is looked for in the memory's backing; the backing is filled with another, which
# the guest looks for. All seeds are drawn here, outside of all machines, and kept in
# talk/NAME.seeds: boot, seed of the guest, seed of ours. With flr the guest then resets its device, what
# that leaves of our seed is looked at, and the guest fills once more.
share_talk_region() {
	: >"$1/talk/$2.seeds"
	for boot in 1 2; do
		theirs=$("$1/bin/pattern" seed)
		ours=$("$1/bin/pattern" seed)
		echo "$boot $theirs $ours" >>"$1/talk/$2.seeds"
		cat <<EOF
expect GUEST region
run echo PROGRESS boot $boot: the guest is up, its CXL core builds the region >>/tmp/progress
expect WAIT seed1
run echo PROGRESS boot $boot: the guest writes a pattern to all of the device memory >>/tmp/progress
send $theirs
expect FILLED $theirs
expect WAIT seed2
run echo PROGRESS boot $boot: the backing is compared and filled anew, then the guest compares >>/tmp/progress
run bin/pattern check /tmp/device-memory $theirs >/tmp/guest/filled$boot || :
run bin/pattern fill /tmp/device-memory $ours
send $ours
expect CHECK
expect WAIT next
EOF
		[ $boot = 2 ] || echo "send reboot"
	done >"$1/talk/$2.talk"
	[ -z "${3:-}" ] || cat >>"$1/talk/$2.talk" <<EOF
run echo PROGRESS boot $boot: function-level reset by the guest >>/tmp/progress
send flr
expect RESET 0
expect WAIT next
run bin/pattern check /tmp/device-memory $ours >/tmp/guest/flr-kept || :
run head -c 16777216 /tmp/device-memory | tr -d '\\000' | wc -c >/tmp/guest/flr-bytes
send again
expect WAIT seed1
send $theirs
expect FILLED $theirs
expect WAIT seed2
run bin/pattern check /tmp/device-memory $theirs >/tmp/guest/flr-filled || :
send
expect CHECK
expect WAIT next
EOF
	printf '%s\n' 'send dmesg' 'expect WAIT next' 'send poweroff' >>"$1/talk/$2.talk"
}

# A host with an IOMMU, and an NVMe function with a controller memory buffer behind it; its disk is
# disk.img in the shared folder. The host's timer check is a race that a slow emulator can lose.
# shellcheck disable=SC2034 # for who reads this file
SHARE_NVME_APPEND='intel_iommu=on iommu=nopt no_timer_check'
# shellcheck disable=SC2034
SHARE_NVME_QEMU="-device intel-iommu,intremap=on -device pcie-root-port,id=p1,chassis=1,slot=1
	-drive if=none,id=nd,file=/mnt/share/disk.img,format=raw
	-device nvme,drive=nd,serial=x,bus=p1,cmb_size_mb=64"

# share_packaged_modules TREE FOLDER - the packaged CXL modules, unpacked but not stripped
share_packaged_modules() {
	mkdir -p "$2"
	dpkg-deb --fsys-tarfile "$1"/packages/linux-modules-*.deb | tar -x -C "$2" --wildcards \
		'*/libnvdimm.ko.xz' '*/cxl_pmem.ko.xz' '*/cxl_acpi.ko.xz' '*/cxl_mem.ko.xz'
	find "$2" -name '*.ko.xz' -exec xz -d {} +
	find "$2" -name '*.ko' -exec mv {} "$2/" \;
}

# share_packaged_kernel TREE - SHA-256 of the image in the package
share_packaged_kernel() {
	dpkg-deb --fsys-tarfile "$1"/packages/linux-binary-*.deb | tar -x -O --wildcards '*/vmlinuz' |
		sha256sum | cut -d' ' -f1
}

# share_run_host FOLDER SECONDS TELL SCRIPT [ARG...] - run the script of the folder in the emulated
# host. What it says goes, line by line, to the function TELL and to FOLDER/said.log. A host that
# vanishes is started once more, and that is reported: a line "REPEATED ...". What a guest left that hung is
# kept beside the folder, which the next run makes anew. The status is the
# script's, messages are in FOLDER/run.error. SHARE_HOST_APPEND and SHARE_HOST_QEMU are more words for
# the host's kernel and for QEMU, SHARE_HOST_OPTIONS options of lab/run.sh.
share_run_host() {
	share_folder=$1
	share_limit=$2
	share_tell=$3
	shift 3
	: >"$share_folder/said.log"
	share_status=0
	share_host_once "$@" || share_status=$?
	if grep -q 'the emulated host ended before' "$share_folder/run.error"; then
		mv "$share_folder/run.error" "$share_folder/run.error.first"
		mv "$share_folder/host.log" "$share_folder/host.log.first" 2>/dev/null || :
		echo "REPEATED the emulated host vanished; its messages are in $share_folder/*.first" |
			tee -a "$share_folder/said.log" | $share_tell
		rm -rf "$share_folder/out"
		mkdir "$share_folder/out"
		share_status=0
		share_host_once "$@" || share_status=$?
	fi
	share_keep_hung
	return $share_status
}

# share_keep_hung - artifacts of guests that hung, in FOLDER.hung-TIME/
share_keep_hung() {
	set -- "$share_folder"/out/*.hung
	[ -d "$1" ] || return 0
	share_kept=$share_folder.hung-$(date +%Y%m%d-%H%M%S)
	mkdir -p "$share_kept"
	cp -r "$@" "$share_kept/"
	echo "REPEATED all that guests left which hung is kept in $share_kept" |
		tee -a "$share_folder/said.log" | $share_tell
}

share_host_once() {
	rm -f "$share_folder/said"
	mkfifo "$share_folder/said"
	tee -a "$share_folder/said.log" <"$share_folder/said" | $share_tell &
	share_teller=$!
	share_once=0
	# shellcheck disable=SC2086 # options are words
	sh lab/run.sh --timeout "$share_limit" --append "${SHARE_HOST_APPEND:-}" \
		--qemu "${SHARE_HOST_QEMU:-}" ${SHARE_HOST_OPTIONS:-} "$share_folder" "$@" >"$share_folder/said" \
		2>"$share_folder/run.error" || share_once=$?
	wait $share_teller
	return $share_once
}
