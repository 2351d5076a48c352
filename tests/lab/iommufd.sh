#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What needs a kernel with iommufd, in an emulated host of its own: the checks of the kernel's selftests by
# character devices, with dma-bufs of a PCI function; guests of cxlvm run on the same devices.
#
#   iommufd.sh SHARE-FOLDER        with CXLVM_BUILD set to the folder of builds
#
# SHARE-FOLDER is made anew; the kernel is built the first time (lab/kernel.sh). Speaks TAP.
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lab/options.sh
. tests/lab/share.sh
share=$1
build=${CXLVM_BUILD:-build}
HOST_LIMIT=1800
good="pages $REGION_PAGES bad 0 first_bad none"

seed() {
	cat "$share/talk/seed.$1"
}

prepare() {
	share_make "$share" "$build"
	cp "$(sh lab/module.sh --kernel "$kernel")" "$share/cxlvm_lab.ko"
	cp tests/lab/iommufd-inside.sh "$share/"
	share_selftest "$share"
	for seed in guest ours; do
		"$share/bin/pattern" seed >"$share/talk/seed.$seed"
	done
	cat >"$share/talk/region.talk" <<-END
		expect GUEST region
		expect WAIT seed1
		send $(seed guest)
		expect FILLED $(seed guest)
		expect WAIT seed2
		run bin/pattern check memory $(seed guest) >/tmp/guest/filled || :
		run bin/pattern fill memory $(seed ours)
		send $(seed ours)
		expect CHECK
		expect WAIT next
		send poweroff
	END
	# the rest only has to find its region, twice: between the two boots is a reset of the device
	{
		echo 'expect GUEST region'
		find_region
		echo 'send reboot'
		echo 'expect GUEST region'
		find_region
		echo 'send poweroff'
	} >"$share/talk/descriptor.talk"
	# the function's own driver has to leave it first
	sh lab/guest/mkguest.sh "$share/nvme.cpio.gz" --nvme
	cat "$share/nvme.cpio.gz" "$share/guest.cpio.gz" >"$share/both.cpio.gz"
	{
		leave_driver
		find_region
		echo 'send reboot'
		leave_driver
		find_region
		echo 'send poweroff'
	} >"$share/talk/function-5.talk"
	cp "$share/talk/function-5.talk" "$share/talk/function-6.talk"
}

# Parts of a conversation. An empty line leaves disk or memory alone.
find_region() {
	printf '%s\n' 'expect WAIT seed1' 'send' 'expect WAIT seed2' 'send' 'expect WAIT next'
}

leave_driver() {
	printf '%s\n' 'expect GUEST nvme' 'expect WAIT seed2' 'send' 'expect WAIT seed1' 'send' \
		'expect WAIT next' 'send region'
}

tell() {
	while read -r word text; do
		case $word in
		PROGRESS | REPEATED | GUEST) progress "lab: $word $text" ;;
		esac
	done
}

run_host() {
	# shellcheck disable=SC2034 # read by share.sh
	SHARE_HOST_OPTIONS="--function --kernel $kernel"
	share_run_host "$share" $HOST_LIMIT tell iommufd-inside.sh >&4 || {
		cat "$share/run.error"
		fail "the emulated host failed"
	}
}

all_came_to_an_end() {
	want_equal "ended" "4 5 6 function-4 function-5 function-6" \
		"$(sed -n 's/^ENDED //p' "$share/said.log" | tr '\n' ' ' | sed 's/ $//')"
}

export_is_refused() {
	cat "$share/out/feature/monitor"
	want_equal "exit status" 1 "$(cat "$share/out/feature/status")"
	want_text "message" '^cxlvm run: vfio0: exporting device memory as dma-buf: Input/output error' \
		"$share/out/feature/monitor"
	want_text "hint" '^  hint: ' "$share/out/feature/monitor"
}

guest_says() {
	tr -d '\r\000' <"$share/out/$1/console"
}

found_its_region() {
	want_equal "exit status" 0 "$(cat "$share/out/$1/status")"
	! grep . "$share/out/$1/talk" || fail "the conversation went wrong as above"
	want_equal "regions in /proc/iomem" "$2" "$(guest_says "$1" | grep -c '^IOMEM.* : region0$')"
}

memory_is_written_and_read() {
	want_equal "what the guest wrote, as the device sees it" "$good" \
		"$(cat "$share/out/region/filled")"
	want_equal "what was written there, as the guest reads it" "CHECK $good" \
		"$(guest_says region | grep '^CHECK')"
}

# traces GUEST NAME PATTERN - how many traces of this name match
traces() {
	grep "^trace: $2 " "$share/out/$1/monitor" | grep -c "$3" || :
}

# one at the start, one after the reset: what a reset revokes is exported anew (DMA-1, DMA-6)
mapped_as_dma_buf() {
	want_equal "maps as dma-buf" 2 "$(traces "$1" cxl_dma_map 'dma_bufs=0x1$')"
	want_equal "other maps" 0 "$(traces "$1" cxl_dma_map 'dma_bufs=0x0$')"
	want_equal "unmaps" 2 "$(traces "$1" cxl_dma_unmap .)"
}

# told_of NAME HOLDER
told_of() {
	cat "$share/out/$1/monitor"
	want_equal "exit status" 1 "$(cat "$share/out/$1/status")"
	want_text "message" "^cxlvm run: cxlvm_lab.0 .*is in use by $2\$" "$share/out/$1/monitor"
}

told_of_the_process() {
	told_of second "process $(cat "$share/out/second/pid") \\(cxlvm\\)"
}

host_has_no_complaint() {
	want_text "its messages" 'iommu group' "$share/out/dmesg"
	! grep -nE 'cut here|WARNING|BUG:|Oops|Call Trace|hung task|DMAR:.*fault' "$share/out/dmesg" ||
		fail "the host's messages are in $share/out/dmesg"
}

progress "lab: the kernel with iommufd; the first time it is built"
kernel=$(sh lab/kernel.sh)
check "guest, programs and module are ready" prepare
exec 4>&1
check "the emulated host ran all of it" run_host
tap_take "$share/said.log"
check "all generations came to an end" all_came_to_an_end
check "region: the guest found its region through a character device" found_its_region region 1
check "region: $REGION_PAGES pages both ways" memory_is_written_and_read
check "descriptor: with a descriptor that was handed in, over a reboot" \
	found_its_region descriptor 2
check "an export of the memory that fails: the start is refused, and the next one works" export_is_refused
check "a second run is told which process has the device" told_of_the_process
check "a user who cannot see that process is told that there is one" told_of second-user \
	'another process'
for generation in 5 6; do
	guest=function-$generation
	check "$guest: the guest found its region, over a reboot" found_its_region $guest 2
	check "$guest: dma1_dma6 the device's memory is mapped for its DMA as dma-buf" \
		mapped_as_dma_buf $guest
done
check "the host has no complaint" host_has_no_complaint
tap_end
