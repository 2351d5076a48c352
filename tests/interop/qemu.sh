#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The vfio-user server with a client that is not ours: packaged QEMU, in software emulation, with a
# stock Linux guest behind pxb-cxl and cxl-rp. All data that is copied is made of seeds drawn here, and
# looked for in the server's memory file.
#
#   qemu.sh SHARE-FOLDER
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lab/judge.sh
mkdir -p "$1"
SHARE=$(realpath "$1")
. tests/interop/peers.sh
tap_cleanup='stop_all'

stop_all() {
	for pid in "$SHARE"/server/*/pid; do
		[ ! -f "$pid" ] || [ -f "${pid%pid}status" ] || kill "$(cat "$pid")" 2>/dev/null || :
	done
}

# step FILE FUNCTION ARG... - a line of a conversation
step() {
	file=$1
	shift
	echo "run sh tests/interop/step.sh $SHARE $DIR/$file $*"
}

# say TEXT ANSWER - a line to the guest, and the beginning of its answer
say() {
	printf 'expect WAIT copy\nsend %s\nexpect %s\n' "$1" "$2"
}

# talk_boot SERVER BOOT - copies in both directions, then one that is compared with a wrong seed, then
# one from memory that is poisoned, then after a reset
talk_boot() {
	theirs=$("$SHARE/pattern" seed)
	ours=$("$SHARE/pattern" seed)
	echo "expect GUEST engine"
	say "to 100000 100000 $theirs" COPIED
	step "has-theirs$2" piece_has "$1" "$theirs"
	step "has-ours-before$2" piece_has "$1" "$ours"
	step "put$2" piece_put "$1" "$ours"
	say "from 100000 100000 $ours" COPIED
	say "from 100000 100000 $theirs" COPIED
	step "poison$2" server_control "$1" "'{\"command\":\"poison\",\"address\":1052672,\"size\":64}'"
	say "from 100000 100000 $ours" COPIED
	step "cure$2" server_control "$1" "'{\"command\":\"clear-poison\"}'"
	say flr RESET
	say "to 100000 100000 $theirs" COPIED
	step "has-after$2" piece_has "$1" "$theirs"
	printf 'expect WAIT copy\nsend \nexpect WAIT next\n'
}

# talk NAME SERVER BOOTS
talk() {
	DIR=$SHARE/out/$1
	mkdir -p "$DIR"
	n=1
	while [ $n -le "$3" ]; do
		talk_boot "$2" $n
		[ $n = "$3" ] && echo "send poweroff" || echo "send reboot"
		n=$((n + 1))
	done >"$DIR/talk.script"
}

# talk_bar SERVER - the memory by loads and stores in a BAR, and by the engine
talk_bar() {
	theirs=$("$SHARE/pattern" seed)
	ours=$("$SHARE/pattern" seed)
	echo "expect GUEST engine"
	say "poke 100000 100000 $theirs" COPIED
	step has-poked piece_has "$1" "$theirs"
	say "from 100000 100000 $theirs" COPIED
	step put piece_put "$1" "$ours"
	say "peek 100000 100000 $ours" COPIED
	say "peek 100000 100000 $theirs" COPIED
	printf 'expect WAIT copy\nsend \nexpect WAIT next\nsend poweroff\n'
}

run_all() {
	talk shared one 2
	progress "QEMU with shared guest memory: two boots"
	qemu shared one shared 120
	# the same server, another QEMU
	talk private one 1
	progress "another QEMU with private guest memory at the same server"
	qemu private one private 90
	server_start two
	talk first one 1
	talk second two 1
	progress "two servers, two QEMUs"
	qemu first one shared 150 &
	first=$!
	qemu second two private 150
	wait $first
	server_start bar --expose-memory bar
	DIR=$SHARE/out/bar
	mkdir -p "$DIR"
	talk_bar bar >"$DIR/talk.script"
	progress "the memory as a BAR"
	qemu bar bar shared 90
	for server in one two bar; do
		server_control $server '{"command":"stats"}' >"$SHARE/server/$server/stats"
		server_stop $server
	done
}

powered_off() {
	status_is 0
	want_no_text "QEMU" 'error|warning: vfio' "$DIR/talk"
}

device() {
	report "$1" pci | sed -n 's/^PCI \([^ ]*\) 0x1234 0xc002 .*/\1/p'
}

# lspci's view of what the guest reads, in $DIR/lspci
lspci_of() {
	name=$(device "$1")
	[ -n "$name" ] || fail "no such PCI device"
	{
		echo "${name#0000:} 0000: 0000:0000"
		report "$1" config | sed -n "s/^CONFIG $name //p" | base64 -d | od -An -v -tx1 -w16 |
			awk '{ printf "%02x:%s\n", (NR - 1) * 16, $0 }'
		echo
	} >"$DIR/dump"
	lspci -nvvv -F "$DIR/dump" >"$DIR/lspci" 2>"$DIR/lspci.error" || fail "$(cat "$DIR/lspci.error")"
}

is_behind_the_root_port() {
	want_equal "devices" 1 "$(device "$1" | wc -l)"
	want_equal "bus" 0000:0d:00.0 "$(device "$1")"
	# host bridge 0c, root port of QEMU
	report "$1" pci | grep -q '^PCI 0000:0c:00.0 0x8086 0x7075 ' || fail "no cxl-rp at 0c:00.0"
}

lspci_capabilities() {
	lspci_of "$1"
	cat >"$DIR/wanted" <<'END'
[40] Express (v2) Endpoint, MSI 00
[80] MSI-X: Enable+ Count=4 Masked-
[100 v1] Device Serial Number 00-00-00-00-00-00-00-00
[110 v1] Designated Vendor-Specific: Vendor=1e98 ID=0000 Rev=3 Len=60: CXL
[150 v1] Designated Vendor-Specific: Vendor=1e98 ID=0005 Rev=0 Len=16: CXL
[160 v1] Designated Vendor-Specific: Vendor=1e98 ID=0007 Rev=2 Len=32: CXL
[180 v1] Designated Vendor-Specific: Vendor=1e98 ID=0008 Rev=0 Len=20: CXL
END
	sed -n 's/^\tCapabilities: //p' "$DIR/lspci" | cmp - "$DIR/wanted" || fail "$(cat "$DIR/lspci")"
}

lspci_fields() {
	lspci_of "$1"
	want_text "class and ids" '^0d:00\.0 1200: 1234:c002$' "$DIR/lspci"
	want_text "command" 'Mem\+ BusMaster\+' "$DIR/lspci"
	want_text "reset" 'FLReset\+' "$DIR/lspci"
	while read -r line; do
		grep -qF "$line" "$DIR/lspci" || fail "not in what lspci says: $line"
	done <<'END'
CXLCap:	Cache+ IO+ Mem+ Mem HW Init+ HDMCount 1 Viral-
Valid+ Active+ Type=Volatile Class=DRAM interleave=0 timeout=1s
FBCap:	Cache+ IO+ Mem+ 68BFlit+ MltLogDev- 256BFlit- PBRFlit-
Block1: BIR: bar0, ID: component registers, offset: 0000000000010000
Vector table: BAR=4 offset=00000000
PBA: BAR=4 offset=00001000
END
}

bars() {
	want_equal "registers" 'version 1 limit 0x4000000 scratch kept component 0x02110001' \
		"$(report "$1" engine | sed -n '1s/^REGISTERS //p')"
	for bar in '0 0x20000' '2 0x1000' '4 0x2000'; do
		report "$1" pci | sed -n "s/^RESOURCE 0000:0d:00.0 ${bar% *} //p" >"$DIR/bar"
		read -r start end _ <"$DIR/bar" || fail "no BAR ${bar% *}"
		want_equal "BAR ${bar% *}" $((${bar#* })) $((end - start + 1))
	done
}

# verdict FILE yes|no - of a step outside of the guest
verdict() {
	want_equal "$1" "$2" "$(tail -n 1 "$DIR/$1")"
}

# copied BOOT NUMBER LINE - the answer to a copy of this boot
copied() {
	want_equal "copy $2 of boot $1" "$3" "$(boot "$1" | sed -n 's/^COPIED //p' | sed -n "$2p")"
}

copies_arrive() {
	copied "$1" 1 'done 1 error 0 bytes 1048576 vector 0 interrupts 1 others 0 bad 0'
	verdict "has-theirs$1" yes
	# the comparison can fail
	verdict "has-ours-before$1" no
	verdict "put$1" yes
	copied "$1" 2 'done 1 error 0 bytes 1048576 vector 1 interrupts 1 others 0 bad 0'
	copied "$1" 3 'done 1 error 0 bytes 1048576 vector 2 interrupts 1 others 0 bad 131072'
}

interrupts_arrive() {
	report "$1" engine | grep '^INTERRUPT' | tail -n 4 >"$DIR/interrupts"
	want_equal "vectors" 4 "$(grep -c MSIX "$DIR/interrupts")"
	# five copies over four vectors
	want_equal "interrupts" '2 1 1 1' \
		"$(awk '{ print $3 }' "$DIR/interrupts" | tr '\n' ' ' | sed 's/ $//')"
}

poison_is_seen() {
	# a page of the megabyte was copied before it
	copied "$1" 4 'done 0 error 8 bytes 4096 vector 3 interrupts 1 others 0 bad 130560'
}

works_after_reset() {
	want_equal "reset methods" 'flr cxl_bus' "$(report "$1" engine | sed -n 's/^METHODS //p' | head -n 1)"
	want_equal "reset" 'RESET 0' "$(boot "$1" | grep '^RESET')"
	copied "$1" 5 'done 1 error 0 bytes 1048576 vector 0 interrupts 1 others 0 bad 0'
	verdict "has-after$1" yes
}

# stats_of SERVER KEY - a counter of a server
stats_of() {
	jq -r ".$2" "$SHARE/server/$1/stats"
}

two_boots() {
	want_equal "boots" 2 "$(tr -d '\r' <"$DIR/console" | grep -c '^GUEST engine$')"
}

# 5 copies of 1 MiB by 4 KiB; the poisoned one ended after one page
messages_were_used() {
	want_equal "dma_messages of server two" 1025 "$(stats_of two dma_messages)"
}

counted() {
	want_equal "clients of server one" 3 "$(stats_of one clients)"
	want_equal "clients of server two" 1 "$(stats_of two clients)"
	want_equal "connected" false "$(stats_of one connected)"
	for server in one two; do
		want_equal "DMA failures" 0 "$(stats_of $server dma_failed)"
		want_equal "ranges left" 0 "$(stats_of $server dma_ranges)"
		want_equal "errors" 0 "$(stats_of $server errors)"
	done
}

memory_bar() {
	report 1 pci | grep -E '^RESOURCE 0000:0d:00.0 [2345] ' >"$DIR/bars"
	for bar in '2 0x1000' '3 0x2000' '4 0x10000000'; do
		sed -n "s/^RESOURCE 0000:0d:00.0 ${bar% *} //p" "$DIR/bars" >"$DIR/bar"
		read -r start end flags <"$DIR/bar" || fail "no BAR ${bar% *}"
		want_equal "BAR ${bar% *}" $((${bar#* })) $((end - start + 1))
	done
	# IORESOURCE_PREFETCH and IORESOURCE_MEM_64 of BAR 4
	want_equal "flags of BAR 4" $((0x102000)) $((flags & 0x102000))
}

memory_bar_is_the_memory() {
	copied 1 1 'done 1 error 0 bytes 1048576 vector 0 interrupts 0 others 0 bad 0'
	verdict has-poked yes
	copied 1 2 'done 1 error 0 bytes 1048576 vector 0 interrupts 1 others 0 bad 0'
	copied 1 3 'done 1 error 0 bytes 1048576 vector 0 interrupts 0 others 0 bad 0'
	copied 1 4 'done 1 error 0 bytes 1048576 vector 0 interrupts 0 others 0 bad 131072'
}

# a load or store of 8 bytes would be a message if the BAR were not mapped: 400000 of them
memory_bar_is_mapped() {
	[ "$(stats_of bar messages)" -lt 10000 ] || fail "$(stats_of bar messages) messages"
}

ended_clean() {
	for server in one two bar; do
		want_equal "exit status of server $server" 0 "$(cat "$SHARE/server/$server/status")"
		want_no_text "server $server" 'sanitizer|runtime error|refused' "$SHARE/server/$server/log"
		[ ! -e "$SHARE/server/$server/socket" ] || fail "the socket was left behind"
	done
}

check "kernel, guest and tools are made" peers_prepare
if [ $tap_failed != 0 ]; then
	tap_end
	exit
fi
server_start one
run_all
for guest in shared private first second; do
	DIR=$SHARE/out/$guest
	check "$guest: the conversation was held and QEMU ended well" powered_off
	for n in 1 2; do
		[ $guest$n = shared2 ] || [ $n = 1 ] || continue
		check "$guest, boot $n: copies arrive in both directions" copies_arrive $n
		check "$guest, boot $n: each vector's interrupt arrives" interrupts_arrive $n
		check "$guest, boot $n: poison ends a copy with its error" poison_is_seen $n
		check "$guest, boot $n: function-level reset, and it works again" works_after_reset $n
	done
done
DIR=$SHARE/out/shared
check "shared: the guest rebooted" two_boots
for n in 1 2; do
	check "boot $n: an endpoint below the CXL root port" is_behind_the_root_port $n
	check "boot $n: BARs of the right sizes are read and written" bars $n
	check "boot $n: lspci finds all capabilities and DVSECs" lspci_capabilities $n
	check "boot $n: lspci decodes the DVSECs by field" lspci_fields $n
done
DIR=$SHARE/out/bar
check "bar: the conversation was held and QEMU ended well" powered_off
check "bar: BARs 2, 3 and 4 of the right sizes" memory_bar
check "bar: device memory by loads and stores and by the copy engine" memory_bar_is_the_memory
check "bar: the guest reaches it without messages" memory_bar_is_mapped
check "private memory is reached by messages" messages_were_used
check "the servers counted right and nothing is left of the clients" counted
check "the servers end by SIGTERM, without a complaint of a sanitizer" ended_clean
tap_end
