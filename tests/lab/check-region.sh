#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Judge a guest that used the CXL region in two boots.
#
#   check-region.sh SHARE-FOLDER GUEST
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lib/plan.sh
. tests/lab/options.sh
. tests/lab/judge.sh
. tests/lab/share.sh
SHARE=$1
GUEST=$2
DIR=$SHARE/out/$GUEST
TREE=$(sh lab/tree.sh)
KVER=$(cat "$TREE/kver")
if [ ! -f "$DIR/console" ]; then
	check "guest $GUEST ran" fail "no artifacts in $DIR"
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
}

two_boots() {
	want_equal "boots" 2 "$(tr -d '\r' <"$DIR/console" | grep -c '^GUEST region$')"
}

# that the guest made of its device
resets() {
	grep -cx 'send flr' "$SHARE/talk/$GUEST.talk" || :
}

# by each boot, and by the guest's reset
programmed_each_time() {
	grep -F cxl_locked_hdm "$DIR/monitor" >"$WORK/traced" || fail "no cxl_locked_hdm in the trace"
	want_equal "times programmed" $((2 + $(resets))) "$(wc -l <"$WORK/traced")"
	while read -r line; do
		want_equal "base, low, high, control" "$(plan_locked_hdm 0 "$PLAN")" \
			"$(traced_hdm "$line")"
	done <"$WORK/traced"
}

plan_is_the_same_here() {
	build=${CXLVM_BUILD:-build}
	"$build/default/cli/cxlvm" plan --json --memory 512M --phys-bits "$(plan_phys_bits <"$PLAN")" \
		--device "sim,size=$REGION_SIZE,generation=${GUEST##*-}" >"$WORK/here"
	# a device of the kernel differs in name only
	sed 's/vfio0/sim0/g' "$PLAN" >"$WORK/there"
	cmp "$WORK/there" "$WORK/here"
}

release() {
	want_equal "uname -r" "$KVER" "$(value "$1" kernel UNAME)"
}

# the guest's files against the packages as downloaded
kernel_hash() {
	want_equal "SHA-256" "$(share_packaged_kernel "$TREE")" "$(cat "$SHARE/out/vmlinuz.sha256")"
}

packaged_modules() {
	share_packaged_modules "$TREE" "$WORK/modules"
}

module_hash() {
	wanted=$(sha256sum "$WORK/modules/$1.ko" | cut -d' ' -f1)
	for boot in 1 2; do
		want_equal "SHA-256 in boot $boot" "$wanted" "$(value $boot modules "SHA256 $1")"
	done
}

driver_range() {
	range=$(value "$1" driver RANGE)
	want_equal "start and size" "$(number "$BASE") $(number "$SIZE")" \
		"$(number "${range% *}") $(number "${range#* }")"
}

# all of the region, and nothing of another type
write_back() {
	report "$1" pat | sed -n 's/^PAT //p' >"$WORK/pat"
	cat "$WORK/pat"
	[ -s "$WORK/pat" ] || fail "no memory type covers the region"
	covered=0
	while read -r start end type; do
		want_equal "type" write-back "$type"
		[ $((start)) -gt $((BASE)) ] || [ $((end)) -lt $((BASE + SIZE)) ] || covered=1
	done <"$WORK/pat"
	[ $covered = 1 ] || fail "no line covers the whole region"
}

seed() {
	sed -n "s/^$1 \([0-9a-f]*\) \([0-9a-f]*\)\$/\\$2/p" "$SHARE/talk/$GUEST.seeds"
}

guest_wrote() {
	boot "$1" | grep -qx "FILLED $(seed "$1" 1)" || fail "the guest did not fill with its seed"
	want_equal "comparison outside" "pages $REGION_PAGES bad 0 first_bad none" \
		"$(cat "$DIR/filled$1")"
}

guest_read() {
	want_equal "comparison in the guest" "CHECK pages $REGION_PAGES bad 0 first_bad none" \
		"$(boot "$1" | grep -m 1 '^CHECK ')"
}

# as the kernel of the generation leaves it: cleared, or as it was
content_after_reset() {
	want_equal "reset" 'RESET 0' "$(boot 2 | grep '^RESET')"
	case $GUEST in
	*-[56])
		want_equal "comparison with our seed" \
			"pages $REGION_PAGES bad $REGION_PAGES first_bad 0" "$(cat "$DIR/flr-kept")"
		want_equal "bytes that are not 0" 0 "$(cat "$DIR/flr-bytes")"
		;;
	*)
		want_equal "comparison with our seed" "pages $REGION_PAGES bad 0 first_bad none" \
			"$(cat "$DIR/flr-kept")"
		;;
	esac
}

fills_after_reset() {
	want_equal "comparison outside" "pages $REGION_PAGES bad 0 first_bad none" \
		"$(cat "$DIR/flr-filled")"
}

after_power_off() {
	want_equal "comparison" "pages $REGION_PAGES bad 0 first_bad none" "$(cat "$DIR/after")"
}

# _DSM function 5: Linux keeps the addresses that the monitor gave the BARs.
bars_are_kept() {
	jq -r '.map[] | select(.type == "root-port-bar" or .type == "bar") |
		"\(if .type == "bar" then "0000:01:00.0" else "0000:00:01.0" end) \(.bar) \(.resource)"' \
		"$PLAN" >"$WORK/bars"
	want_equal "BARs in the plan" 4 "$(wc -l <"$WORK/bars")"
	while read -r function bar address; do
		boot "$1" | grep -q "^RESOURCE $function $bar $(printf '0x%016x' "$address") " ||
			fail "BAR $bar of $function is not at $address in the guest"
	done <"$WORK/bars"
}

seeds_differ() {
	want_equal "different seeds" 4 "$(cut -d' ' -f2,3 "$SHARE/talk/$GUEST.seeds" | tr ' ' '\n' |
		sort -u | wc -l)"
}

tables_disassemble() {
	tables 1 "$WORK/tables"
	for table in APIC CEDT DSDT FACP MCFG; do
		[ -s "$WORK/tables/$table.aml" ] || fail "no table $table"
	done
	for file in "$WORK"/tables/*.aml; do
		name=$(basename "$file" .aml)
		sh lab/in-tree.sh -b "$WORK/tables:/mnt/tables" iasl -d "/mnt/tables/$name.aml" \
			>"$WORK/iasl.$name" 2>&1 || {
			cat "$WORK/iasl.$name"
			fail "iasl -d $name"
		}
		want_no_text "iasl -d $name" 'error|warning|invalid|incorrect|unknown' \
			"$WORK/iasl.$name"
		[ -s "$WORK/tables/$name.dsl" ] || fail "$name gave no text"
		want_no_text "$name" 'Invalid|Incorrect checksum|\*\*\*\* ' "$WORK/tables/$name.dsl"
	done
}

tables_compile() {
	mkdir -p "$WORK/tables/new"
	for file in "$WORK"/tables/*.dsl; do
		name=$(basename "$file" .dsl)
		sh lab/in-tree.sh -b "$WORK/tables:/mnt/tables" iasl -p "/mnt/tables/new/$name" \
			"/mnt/tables/$name.dsl" >"$WORK/iasl.$name" 2>&1 || {
			cat "$WORK/iasl.$name"
			fail "iasl $name"
		}
		want_text "iasl $name" 'Compilation successful. 0 Errors, 0 Warnings' "$WORK/iasl.$name"
	done
}

# bytes N OFFSET NUMBER - the same layout as the worked example of CEDT, as hex
le() {
	le_value=$(($2))
	n=0
	while [ $n -lt "$1" ]; do
		printf '%02x' $((le_value & 255))
		le_value=$((le_value >> 8))
		n=$((n + 1))
	done
}

# CHBS and CFMWS typed from the specification, with the plan's numbers
cedt_wanted() {
	uid=$(plan_bridge 0 uid <"$PLAN")
	block=$(plan_bridge 0 base <"$PLAN")
	printf '00002000%s01000000' "$(le 4 "$uid")"
	printf '00000000%s%s' "$(le 8 "$block")" "$(le 8 0x10000)"
	printf '0100280000000000%s%s' "$(le 8 "$BASE")" "$(le 8 "$SIZE")"
	printf '000000000000000015000000%s\n' "$(le 4 "$uid")"
}

cedt_bytes() {
	want_equal "CEDT from byte 36" "$(cedt_wanted)" \
		"$(tail -c +37 "$WORK/tables/CEDT.aml" | od -An -v -tx1 | tr -d ' \n')"
}

tables_again() {
	tables 2 "$WORK/tables2"
	for file in "$WORK"/tables/*.aml; do
		cmp "$file" "$WORK/tables2/$(basename "$file")" || fail "differs after the reboot"
	done
}

no_complaints() {
	report 1 dmesg >"$WORK/dmesg"
	report 2 dmesg >>"$WORK/dmesg"
	[ -s "$WORK/dmesg" ] || fail "no kernel messages"
	# levels 0 to 3 are errors
	want_no_text "kernel messages" '^DMESG <[0-3]>|BUG|Oops|WARNING|failed to (find|attach)' \
		"$WORK/dmesg"
}

G="$GUEST:"
check "$G the guest rebooted, powered off, and cxlvm ended with 0" powered_off
check "$G two boots in one process" two_boots
check "$G each boot programmed the decoder as planned (trace cxl_locked_hdm)" programmed_each_time
check "$G the same plan on this machine and in the emulated host" plan_is_the_same_here
check "$G the guest's kernel is the package's, bit for bit" kernel_hash
check "$G the package of modules can be read" packaged_modules
for module in libnvdimm cxl_pmem cxl_acpi cxl_mem; do
	check "$G module $module is the package's, bit for bit" module_hash $module
done
for n in 1 2; do
	check "$G boot $n: runs kernel $KVER" release $n
	check "$G boot $n: window and region in /proc/iomem where planned" in_iomem $n
	check "$G boot $n: root decoder as planned" decoder $n decoder0.0
	check "$G boot $n: host bridge's decoder as planned, locked, accelerator" \
		locked_decoder $n decoder1.0
	check "$G boot $n: endpoint's decoder as planned, locked, accelerator" \
		locked_decoder $n decoder2.0
	check "$G boot $n: region committed, locked, as planned" region_committed $n
	check "$G boot $n: the driver got the range of the region" driver_range $n
	check "$G boot $n: BARs where the monitor put them (_DSM 5)" bars_are_kept $n
	check "$G boot $n: memory type write-back" write_back $n
	check "$G boot $n: $REGION_PAGES pages of the guest's seed found in the backing" guest_wrote $n
	check "$G boot $n: $REGION_PAGES pages of our seed found by the guest" guest_read $n
done
check "$G four different seeds" seeds_differ
# a kernel clears the memory of a device that nobody uses
case $GUEST in
vfio-*)
	check "$G function-level reset by the guest: the memory is as this generation leaves it" \
		content_after_reset
	check "$G after it the guest fills all of the region" fills_after_reset
	;;
*) check "$G after power-off the backing holds the last seed" after_power_off ;;
esac
check "$G ACPI tables of the guest disassemble" tables_disassemble
check "$G ACPI tables of the guest compile again without warnings" tables_compile
check "$G CEDT has the bytes of the specification with the planned numbers" cedt_bytes
check "$G the same tables after the reboot" tables_again
check "$G no complaint in the kernel's messages" no_complaints
tap_end
