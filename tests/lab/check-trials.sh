#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Judge the guest that tried things: two devices, two virtual CPUs, four boots (trials.sh tells it).
#
#   check-trials.sh SHARE-FOLDER
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lib/plan.sh
. tests/lab/options.sh
. tests/lab/judge.sh
. tests/lab/trials.sh
SHARE=$1
DIR=$SHARE/out/trials
if [ ! -f "$DIR/console" ]; then
	check "the guest that tries things ran" fail "no artifacts in $DIR"
	tap_end
	exit
fi
PLAN=$DIR/plan.json
BASE=$(plan_window 0 base <"$PLAN")
SIZE=$(plan_window 0 size <"$PLAN")
WORK=$(mktemp -d)
tap_cleanup='rm -rf "$WORK"'

powered_off() {
	status_is 0
	talk_is_complete
	# accesses are judged by their number
	want_equal "accesses" 24 "$(boot 1 | grep -c '^DONE')"
}

boots() {
	want_equal "boots" $TRIALS_BOOTS "$(tr -d '\r' <"$DIR/console" | grep -c '^GUEST region$')"
	# both at each reset of the system, and one after its function-level reset
	want_equal "times a device was programmed" \
		$((2 * TRIALS_BOOTS + 1)) "$(grep -c cxl_locked_hdm "$DIR/monitor")"
}

seed() {
	sed -n "$1p" "$SHARE/talk/trials.seeds"
}

whole() {
	echo "pages $1 bad 0 first_bad none"
}

# verdict FILE TEXT - of a comparison outside of the guest
verdict() {
	want_equal "$1" "$2" "$(cat "$DIR/$1")"
}

# checks N - the N-th comparison in the guest's first boot
checks() {
	boot 1 | sed -n 's/^CHECK //p' | sed -n "$1p"
}

memory_both_ways() {
	boot 1 | grep -qx "FILLED $(seed 1)" || fail "the guest did not fill with its seed"
	verdict filled "$(whole $REGION_PAGES)"
	want_equal "in the guest" "$(whole $REGION_PAGES)" "$(checks 1)"
	# a comparison with another seed fails
	verdict filled-not "pages $REGION_PAGES bad $REGION_PAGES first_bad 0"
}

second_memory() {
	boot 1 | grep -qx "DEVICE 0000:09:00.0" || fail "the guest has no second device"
	boot 1 | grep -qx "FILLED $(seed 5)" || fail "the guest did not fill with its seed"
	verdict second "$(whole $SECOND_PAGES)"
	want_equal "in the guest" "$(whole $SECOND_PAGES)" "$(boot 1 | sed -n 's/^CHECK //p' | tail -n 1)"
}

# first_sysfs N - the report of boot N before the driver was taken away and came back
first_sysfs() {
	boot "$1" | awk '/^BOUND/ { exit } /^SYSFS/'
}

# two decoders and regions, each as planned; numbers of ports are the guest's
two_regions() {
	for n in 0 1; do
		start=$(number "$(plan_window $n base <"$PLAN")")
		size=$(number "$(plan_window $n size <"$PLAN")")
		want_equal "CXL Window $n" "$start $size" "$(iomem "$1" "CXL Window $n")"
		first_sysfs "$1" | sed -n 's/^SYSFS \(decoder[0-9.]*\)\/start //p' >"$WORK/starts"
		found=0
		while read -r value; do
			[ $((value)) != "$start" ] || found=$((found + 1))
		done <"$WORK/starts"
		want_equal "decoders at the window of device $n" 3 $found
	done
	want_equal "regions" "1 1" "$(first_sysfs "$1" | sed -n 's/^SYSFS region[0-9]*\/commit //p' |
		tr '\n' ' ' | sed 's/ $//')"
	want_equal "sum of the regions" $(((REGION_PAGES + SECOND_PAGES) * 4096)) \
		"$(first_sysfs "$1" | sed -n 's/^SYSFS region[0-9]*\/size //p' |
			{ sum=0 && while read -r value; do sum=$((sum + value)); done && echo $sum; })"
}

# done_n N - the values of the N-th "access" of the first boot, of 24
done_n() {
	boot 1 | sed -n 's/^DONE *//p' | sed -n "$1p"
}

# status, bytes copied and completions of each descriptor; 8 and 10 switch bus mastering
descriptor_is() { # NUMBER STATUS BYTES
	values=$(done_n "$1")
	want_equal "status and bytes of descriptor $1" "$2 $3" "${values% *}"
}

wrong_descriptors_fail() {
	descriptor_is 1 104 0
	descriptor_is 2 104 0
	descriptor_is 3 204 0
	descriptor_is 4 204 0
	descriptor_is 5 304 0
	descriptor_is 6 404 0
	descriptor_is 7 504 0
	descriptor_is 9 604 0
	descriptor_is 11 704 0
	first=$(done_n 1)
	last=$(done_n 11)
	want_equal "completions of nine descriptors" 8 $((0x${last##* } - 0x${first##* }))
}

wrong_descriptors_do_nothing() {
	verdict wrong "$(whole $REGION_PAGES)"
}

# the control of the two tests above: the same accesses with a right descriptor
right_descriptor_copies() {
	descriptor_is 12 2 1000
	verdict right "pages $REGION_PAGES bad 1 first_bad 256"
}

# tried N RESULT
tried() {
	want_equal "try $1" "done ${2% *} vector 0 interrupts 0 others 0 bad ${2##* }" \
		"$(boot 1 | sed -n 's/^TRIED //p' | sed -n "$1p")"
}

# each but direction 3 from memory to the device and back; bad: words of the DMA buffer that changed
wrong_descriptors_change_no_buffer() {
	boot 1 | grep '^TRIED'
	tried 1 '0 error 1 bytes 0 0'
	for first in 2 7; do
		tried $first '0 error 1 bytes 0 0'
		tried $((first + 1)) '0 error 2 bytes 0 0'
		tried $((first + 2)) '0 error 2 bytes 0 0'
		tried $((first + 3)) '0 error 3 bytes 0 0'
		tried $((first + 4)) '0 error 6 bytes 0 0'
	done
	verdict tried "$(whole $REGION_PAGES)"
}

# the control: a right one from the device changes one page of the buffer, and one to it one of the memory
right_descriptors_change_one_page() {
	tried 12 '1 error 0 bytes 4096 512'
	verdict tried-from "$(whole $REGION_PAGES)"
	tried 13 '1 error 0 bytes 4096 0'
	verdict tried-to "pages $REGION_PAGES bad 1 first_bad 0"
}

copied() {
	want_equal "copy $1" "$2" "$(boot 1 | sed -n 's/^COPIED //p' | sed -n "$1p")"
}

engine_copies() {
	copied 1 'done 1 error 0 bytes 1048576 vector 0 interrupts 1 others 0 bad 0'
	verdict copied yes
	copied 2 'done 1 error 0 bytes 1048576 vector 1 interrupts 1 others 0 bad 0'
	copied 3 'done 1 error 0 bytes 1048576 vector 2 interrupts 1 others 0 bad 131072'
}

# same_registers BOOT NAME [FIRST] - as at first, of endpoint, host bridge and root port
same_registers() {
	for block in endpoint bridge port; do
		report 1 "$block-${3:-start}" >"$WORK/wanted"
		report "$1" $block-"$2" >"$WORK/got"
		[ "$(wc -l <"$WORK/wanted")" -ge 2 ] || fail "no registers of $block"
		diff "$WORK/wanted" "$WORK/got" || fail "$block differs, boot $1, $2"
	done
}

same_config() {
	report 1 "config-${3:-start}" >"$WORK/wanted"
	report "$1" config-"$2" >"$WORK/got"
	[ "$(wc -l <"$WORK/wanted")" -ge 10 ] || fail "no config space"
	diff "$WORK/wanted" "$WORK/got" || fail "config space differs, boot $1, $2"
}

# decoder 0 in the dump is what was planned: comparing dumps compares the right thing
dump_has_decoder() {
	for n in 0 1; do
		start=$(number "$(plan_window $n base <"$PLAN")")
		size=$(number "$(plan_window $n size <"$PLAN")")
		[ $n = 0 ] && name=start || name=second-start
		for block in endpoint bridge; do
			want_equal "device $n, $block: base and size" \
				"$(printf '%08x %08x %08x %08x' $((start & 0xffffffff)) \
					$((start >> 32)) $((size & 0xffffffff)) $((size >> 32)))" \
				"$(report 1 $block-$name | sed -n 's/^110 //p')"
		done
	done
}

reset_worked() {
	want_equal "reset" 'RESET 0' "$(boot 1 | grep '^RESET')"
}

bound_again() {
	want_equal "bind" 'BOUND 0' "$(boot 1 | grep '^BOUND')"
	! boot 1 | grep '^FAILED' || fail "the guest failed as above"
	boot 1 | awk '/^BOUND/ { on = 1 } on' | sed -n 's/^SYSFS \(region[0-9]*\/resource\) //p' \
		>"$WORK/regions"
	found=0
	while read -r value; do
		[ $((value)) != $((BASE)) ] || found=$((found + 1))
	done <"$WORK/regions"
	want_equal "regions at the window" 1 $found
}

# content N WHAT
content() {
	want_equal "comparison in the guest" "$(whole $REGION_PAGES)" "$(checks "$1")"
}

# both_as_at_first BOOT - each register and the config space of both devices
both_as_at_first() {
	same_registers "$1" start
	same_config "$1" start
	same_registers "$1" second-start second-start
	same_config "$1" second-start second-start
}

locked_decoders_stay() {
	same_registers 1 tried
	same_registers 1 second-tried second-start
	# bytes and pairs of what the words say
	for n in 18 20; do
		# shellcheck disable=SC2046 # values are words
		set -- $(done_n $n)
		want_equal "values read, $n" 7 $#
		want_equal "global control as a byte" "$(printf %x $((0x$1 & 0xff)))" "$3"
		want_equal "control, second byte" "$(printf %x $((0x$2 >> 8 & 0xff)))" "$4"
		want_equal "control, low half" "$(printf %x $((0x$2 & 0xffff)))" "$5"
		want_equal "global enable" 2 $((0x$1 & 2))
		want_equal "base" $((BASE)) $((0x$6))
		want_equal "size" $((SIZE)) $((0x$7))
	done
}

unlocked_takes_writes() {
	want_equal "engine's source" 12345678 "$(done_n 21)"
}

nothing_behind_the_window() {
	want_equal "8, 4, 2 and 1 bytes" 'ffffffffffffffff ffffffff ffff ff' "$(done_n 22)"
}

window_wins_over_bar() {
	# shellcheck disable=SC2046 # values are words
	set -- $(done_n 23)
	want_equal "values read" 10 $#
	want_equal "BAR while it is moved" $((BASE)) $((0x$4 << 32 | (0x$3 & 0xfffffff0)))
	want_equal "memory before, under the BAR and after" "$1 $2 $1 $2 $1 $2" "$1 $2 $5 $6 $8 $9"
	# the BAR has left its place meanwhile, and come back
	want_equal "decoder size where the BAR was" ffffffff "$7"
	shift
	want_equal "and is again" $((SIZE)) $((0x$9))
	[ "$1" != ffffffffffffffff ] || fail "there is no memory"
}

nothing_floods() {
	want_equal "many writes" '' "$(done_n 24)"
	lines=$(wc -l <"$DIR/monitor")
	cat "$DIR/monitor"
	[ "$lines" -le 40 ] || fail "cxlvm wrote $lines lines"
	host_log_is_quiet
	for n in $(seq $TRIALS_BOOTS); do
		report "$n" dmesg
	done >"$WORK/dmesg"
	[ "$(wc -l <"$WORK/dmesg")" -le 400 ] || fail "the guest's kernel wrote $(wc -l <"$WORK/dmesg") lines"
}

host_address_is_not_found() {
	report 1 host | grep -v '^HIT /tmp/planted' >"$WORK/found"
	cat "$WORK/found"
	want_no_text "the search for the host's address" '^HIT' "$WORK/found"
	# shellcheck disable=SC2046 # numbers are words
	set -- $(sed -n 's/^SEARCHED //p' "$WORK/found")
	[ "$1" -ge 60 ] && [ "$2" -ge 850000 ] || fail "searched only $1 places, $2 bytes"
	report 1 host | grep -q '^HIT /tmp/planted' || fail "what was planted is not found"
}

# the control of the test above: the window's address is found wherever it should be
window_is_found() {
	report 1 window | grep '^HIT' >"$WORK/found"
	for place in "$(at "$PLAN" bar 0 0)" "$(at "$PLAN" host-bridge 0)" \
		"$(at "$PLAN" acpi-tables 0)" /proc/iomem \
		/sys/firmware/acpi/tables/CEDT /sys/kernel/debug/x86/pat_memtype_list /tmp/planted \
		/sys/devices/platform/ACPI0017:00/.*/region0/resource; do
		want_text "the search for the window's address" "^HIT $place " "$WORK/found"
	done
}

# exits_of NAME COUNTER - fails if it is not there; stands in $(), so that messages go to standard error
exits_of() {
	sed -n "s/^$2 \([0-9][0-9]*\)$/\1/p" "$DIR/exits.$1" | grep . || fail "no $2 in exits.$1" >&2
}

exits_added() {
	exits_first=$(exits_of "$1" "$3")
	exits_last=$(exits_of "$2" "$3")
	echo $((exits_last - exits_first))
}

# A pass over all of the device memory when it has been touched; the guest has other things to do
# as well, so the quietest of three counts. insn_emulation is not 0 here: in the lab KVM emulates
# what it skips, such as MSR accesses (lab/README.md). tests/guest/passes.sh shows, with a
# guest that does nothing else, that a pass adds 0; 33 million if the memory itself were emulated.
no_exits() {
	quietest=
	for n in 1 2 3; do
		want_equal "in the guest" "$(whole $REGION_PAGES)" "$(checks $((n + 1)))"
		mmio=$(exits_added device-$n device-$((n + 1)) mmio_exits)
		faults=$(exits_added device-$n device-$((n + 1)) pf_taken)
		emulated=$(exits_added device-$n device-$((n + 1)) insn_emulation)
		echo "pass $((n + 1)): mmio_exits $mmio pf_taken $faults insn_emulation $emulated"
		[ "$emulated" -lt $((REGION_PAGES / 16)) ] || fail "the memory is emulated"
		sum=$((mmio + faults))
		[ -n "$quietest" ] && [ "$quietest" -le $sum ] || quietest=$sum
	done
	want_equal "mmio_exits and pf_taken of the quietest pass" 0 "$quietest"
}

print_exits() {
	for counter in exits io_exits irq_exits halt_exits mmio_exits pf_taken insn_emulation; do
		printf 'NOTE exits of a pass over %s: %-15s device memory' "$REGION_SIZE" $counter
		for n in 1 2 3; do
			printf ' %6d' "$(exits_added device-$n device-$((n + 1)) $counter)"
		done
		printf '   guest RAM %6d\n' "$(exits_added ram-1 ram-2 $counter)"
	done
}

# lspci_of ADDRESS - what lspci of this machine says about what the guest reads
lspci_of() {
	{
		echo "$1 0000: 0000:0000"
		report 1 config | sed -n "s/^CONFIG 0000:$1 //p" | base64 -d | od -An -v -tx1 -w16 |
			awk '{ printf "%02x:%s\n", (NR - 1) * 16, $0 }'
		echo
	} >"$WORK/dump"
	lspci -nvvv -F "$WORK/dump" >"$WORK/lspci" 2>"$WORK/lspci.error" || fail "$(cat "$WORK/lspci.error")"
	want_no_text "lspci" 'unknown|<access denied>|broken|!!!' "$WORK/lspci"
}

# has_lines - each line of the input is somewhere in what lspci says
has_lines() {
	while read -r line; do
		grep -qF "$line" "$WORK/lspci" || {
			cat "$WORK/lspci"
			fail "not there: $line"
		}
	done
}

lspci_endpoint() {
	lspci_of 01:00.0
	has_lines <<'END'
01:00.0 1200: 1234:c002
[40] Express (v2) Endpoint, MSI 00
FLReset+
[80] MSI-X: Enable+ Count=4 Masked-
Vendor=1e98 ID=0000 Rev=3 Len=60: CXL
CXLCap:	Cache+ IO+ Mem+ Mem HW Init+ HDMCount 1 Viral-
Valid+ Active+ Type=Volatile Class=DRAM interleave=0 timeout=1s
Vendor=1e98 ID=0007 Rev=2 Len=32: CXL
Vendor=1e98 ID=0008 Rev=0 Len=20: CXL
Block1: BIR: bar0, ID: component registers, offset: 0000000000010000
END
}

lspci_root_port() {
	lspci_of 00:01.0
	has_lines <<'END'
Bus: primary=00, secondary=01, subordinate=01
Express (v2) Root Port
Vendor=1e98 ID=0003
Vendor=1e98 ID=0007
Vendor=1e98 ID=0008
ID: component registers
END
}

# What cxl(1) makes of it: for each device a window of the root, a port with a committed decoder and a
# target, an endpoint with a committed decoder, a region, all of them where the plan has the window.
cxl_list() {
	report 1 cxl >"$WORK/cxl.json"
	jq -n --slurpfile cxl "$WORK/cxl.json" --slurpfile plan "$PLAN" '
		def ours($w): .resource == $w.resource and .size == $w.size;
		$cxl[0][0] as $root
		| [$plan[0].windows[] as $w
			| ($root."decoders:root0"[] | select(ours($w))) as $window
			| ($root."ports:root0"[] | select(any(.[]?; arrays and any(.[]?; ours($w))))) as $port
			| ($port | .["decoders:" + .port][] | select(ours($w))) as $switch
			| ($port | .["endpoints:" + .port][]) as $endpoint
			| ($endpoint | .["decoders:" + .endpoint][] | select(ours($w))) as $decoder
			| ($window | .["regions:" + .decoder][] | select(ours($w))) as $region
			| { root: $root.bus, targets: [$switch.targets[].target],
			    capable: $window.accelmem_capable, ports: $port.decoders_committed,
			    endpoints: $endpoint.decoders_committed,
			    below: $endpoint.parent_dport, memdev: $endpoint.memdev.host,
			    regions: ([$switch.region, $decoder.region, $region.region] | unique | length),
			    decode_state: $region.decode_state, mappings: [$region.mappings[].decoder == $decoder.decoder] }]' \
		>"$WORK/found.json" || fail "cxl list"
	cat "$WORK/found.json"
	jq -e '. == [("00:01.0 01:00.0", "08:01.0 09:00.0") | split(" ") as [$port, $device]
		| { root: "root0", targets: ["0000:" + $port], capable: true, ports: 1, endpoints: 1,
		    below: ("0000:" + $port), memdev: ("0000:" + $device), regions: 1,
		    decode_state: "commit", mappings: [true] }]' "$WORK/found.json" >/dev/null ||
		fail "this is not what was planned"
}

# kernel messages at level warning or worse that a guest without a fault gives as well
allowed_message() {
	case $1 in
	# our driver is not in the kernel's tree and not signed; both are the distribution's own words
	*'loading out-of-tree module taints kernel'* | *'module verification failed'*) ;;
	# the function-level reset that was asked for
	*'cxlvm_t2 0000:01:00.0: resetting' | *'cxlvm_t2 0000:01:00.0: reset done') ;;
	*) return 1 ;;
	esac
}

no_warnings() {
	for n in $(seq $TRIALS_BOOTS); do
		report "$n" dmesg
	done | sed -n 's/^DMESG <[0-4]>//p' >"$WORK/warnings"
	while read -r line; do
		case $line in
		*[Cc][Xx][Ll]* | *[Pp][Cc][Ii]* | *ACPI* | *MTRR* | *ECAM* | *BUG* | *WARNING*)
			allowed_message "$line" || echo "$line"
			;;
		esac
	done <"$WORK/warnings" >"$WORK/unexpected"
	want_no_text "kernel messages" . "$WORK/unexpected"
	want_text "a warning that is allowed" 'taints kernel' "$WORK/warnings"
	report 1 dmesg | grep -qi cxl || fail "the messages have nothing about CXL: is it all of them?"
}

last_boot_fills() {
	verdict filled-last "$(whole $REGION_PAGES)"
	want_equal "in the guest" "CHECK $(whole $REGION_PAGES)" \
		"$(boot $TRIALS_BOOTS | grep '^CHECK pages')"
}

# the guest's own numbers: two CPUs, the node of RAM and one for each window, none in use yet
cpus_and_nodes() {
	report 1 machine >"$WORK/machine"
	cat "$WORK/machine"
	want_equal "CPUs" 0-1 "$(sed -n 's/^CPUS //p' "$WORK/machine")"
	want_equal "nodes" 0-2 "$(sed -n 's/^NODES //p' "$WORK/machine")"
	for n in 0 1; do
		start=$(number "$(plan_window $n base <"$PLAN")")
		end=$((start + $(number "$(plan_window $n size <"$PLAN")") - 1))
		want_text "node of window $n" \
			"$(printf '^SRAT Node %d PXM %d \\[mem 0x%x-0x%x\\] hotplug' $((n + 1)) $((n + 1)) \
				$start $end)" "$WORK/machine"
	done
}

T="trials:"
check "$T four boots, powered off, cxlvm ended with 0" powered_off
check "$T each boot programmed both devices, each reset one" boots
check "$T two CPUs, a node for each window" cpus_and_nodes
check "$T memory: a seed from outside, both ways, all pages" memory_both_ways
for n in 1 $TRIALS_BOOTS; do
	check "$T boot $n: two windows, three decoders each, two regions as planned" two_regions $n
done
check "$T the second device's memory, both ways, all pages" second_memory
check "$T engine: each wrong descriptor gives its error and copies nothing" wrong_descriptors_fail
check "$T engine: wrong descriptors change no page of the memory" wrong_descriptors_do_nothing
check "$T engine: the same with a right descriptor copies one page" right_descriptor_copies
check "$T engine: the guest's driver finds its DMA buffer and the memory as before" \
	wrong_descriptors_change_no_buffer
check "$T engine: the same finds one page changed by a right descriptor, either way" \
	right_descriptors_change_one_page
check "$T engine: copies both ways, an interrupt each on its vector" engine_copies
check "$T the dump of registers has the decoder" dump_has_decoder
check "$T locked decoders: 4, 1, 2 and 8 bytes written, all registers as before" locked_decoders_stay
check "$T a register that is not locked takes what is written" unlocked_takes_writes
check "$T behind the window: ones, and writes go nowhere" nothing_behind_the_window
check "$T map3 the endpoint's BAR over the window: memory stays what it is" window_wins_over_bar
check "$T memory as it was after all that was tried" content 5
check "$T many writes that change nothing are not told in any log" nothing_floods
check "$T function-level reset by sysfs" reset_worked
check "$T after it all registers as at first" same_registers 1 flr
check "$T after it config space as at first" same_config 1 flr
check "$T after it the memory can be filled and compared" content 6
check "$T the driver left and came back to the same region" bound_again
check "$T after it all registers as at first" same_registers 1 bound
check "$T after it memory as before" content 7
for n in $(seq 2 $TRIALS_BOOTS); do
	check "$T reboot $((n - 1)): registers and config space of both devices as at first" \
		both_as_at_first "$n"
done
check "$T last boot: all pages filled and compared" last_boot_fills
check "$T no host address in all that a guest can read" host_address_is_not_found
check "$T the same search finds the window's address in eight places" window_is_found
check "$T a later pass over all memory: no MMIO exit, no page fault" no_exits
print_exits | sed 's/^NOTE /# /'
check "$T lspci decodes the endpoint" lspci_endpoint
check "$T lspci decodes the root port" lspci_root_port
check "$T cxl list: root, port, endpoint, region of each device as planned" cxl_list
check "$T no warning of the kernel about CXL, PCI, ACPI, MTRR" no_warnings
tap_end
