#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# cxlvm plan: its shape, placement, window bases that are accepted and refused, and that run does
# what plan says.
set -eu
. tests/tap.sh
. tests/lib/plan.sh
. tests/lib/monitor.sh
F=$WORK/files
BITS=40

plan() {
	"$CXLVM" plan --json --phys-bits $BITS "$@"
}

# one_device OPTION-TEXT... - plan of one device of 256 MiB with these keys
one_device() {
	plan --memory 512M --device "sim,size=256M$1"
}

shape() {
	plan --memory 512M --device sim,size=256M --device sim,size=512M,generation=2 >"$WORK/plan"
	jq -e '
		def numbers(names): . as $o | all(names[]; $o[.] | type == "number");
		def texts(names): . as $o | all(names[]; $o[.] | type == "string" and length > 0);
		def truths(names): . as $o | all(names[]; $o[.] | type == "boolean");
		(.version == 1) and (.phys_bits == 40) and (.memory_size == 536870912)
		and (.windows | length == 2 and all(.[]; numbers(["resource", "size", "restrictions",
			"interleave_ways"]) and texts(["decoder", "owner"]) and (.targets | length == 1)))
		and ([.hosts[] | select(.hid == "ACPI0016")] | length == 2
			and all(.[]; numbers(["uid", "component_registers", "bus_first", "bus_last"])))
		and (.devices | length == 2 and all(.[]; texts(["device", "host", "decoder_policy"])
			and numbers(["generation", "memory_size", "uid"])
			and truths(["cxl", "firmware_committed", "committed", "memory_mapped"])
			and .unusable_reason == ""))
		and (.decoders | length == 4 and all(.[]; texts(["decoder", "target_type"])
			and numbers(["resource", "size", "control", "global_control"])
			and truths(["committed", "locked", "error"])))
		and (.map | length >= 5 and all(.[]; numbers(["resource", "size"]) and texts(["type"])))' \
		"$WORK/plan" || {
		cat "$WORK/plan"
		fail "the plan has another shape"
	}
	want_equal "generations" "5 2" "$(jq -r '.devices | map(.generation) | join(" ")' \
		"$WORK/plan" | tr -d '"')"
}

# number TEXT - in decimal
number() {
	echo $(($1))
}

values() {
	one_device "" >"$WORK/plan"
	base=$(plan_window 0 base <"$WORK/plan")
	want_equal "window size" $((256 << 20)) "$(number "$(plan_window 0 size <"$WORK/plan")")"
	want_equal "base modulo 1 GiB" 0 $((base % (1 << 30)))
	[ $((base)) -ge $((1 << 32)) ] || fail "the window at $base is below 4 GiB"
	want_equal "decoder" "$(printf '0x%x 0x%x 0x%x 0x700' $((base)) \
		$((base & 0xf0000000)) $((base >> 32)))" "$(plan_locked_hdm 0 "$WORK/plan")"
	want_equal "decoder size" 0x10000000 "$(plan_decoder 0 size <"$WORK/plan")"
	# host bridge and endpoint: committed and locked over the same range
	want_equal "decoders" "2 true true accelerator $((base)) $((256 << 20))" \
		"$(jq -r '[.decoders[] | "\(.committed) \(.locked) \(.target_type) \(.resource) \(.size)"] |
			"\(length) \(unique | join(" and "))"' "$WORK/plan")"
	want_equal "device" "true true true" \
		"$(jq -r '.devices[0] | "\(.firmware_committed) \(.committed) \(.memory_mapped)"' \
			"$WORK/plan")"
}

# the guest physical map is sorted; a range lies wholly within the one before it or behind it, and
# RAM, host bridge blocks and windows lie within nothing
no_overlap() {
	plan --memory 8192M --device sim,size=256M --device sim,size=1G |
		jq -r '.map[] | "\(.resource) \(.size) \(.type)"' >"$WORK/map"
	cat "$WORK/map"
	for type in ram cxl-window; do
		[ "$(grep -c " $type\$" "$WORK/map")" = 2 ] || fail "not two ranges of type $type"
	done
	awk -v limit=$((1 << BITS)) '
		$1 < last { print "not sorted: " $0; bad = 1 }
		{ last = $1 }
		$1 < end && $1 + $2 > end { print "crosses the one before: " $0; bad = 1 }
		$1 < end && $3 ~ /^(ram|cxl-window|cxl-host)/ { print "within another: " $0; bad = 1 }
		$1 >= end { end = $1 + $2 }
		end > limit { print "beyond the address width: " $0; bad = 1 }
		END { exit bad }' "$WORK/map"
}

two_devices() {
	plan --device sim,size=256M --device sim,size=2G >"$WORK/plan"
	a=$(plan_window 0 base <"$WORK/plan")
	b=$(plan_window 1 base <"$WORK/plan")
	[ $((b)) -ge $((a + (256 << 20))) ] || fail "windows at $a and $b overlap"
	want_equal "second base modulo 1 GiB" 0 $((b % (1 << 30)))
	want_equal "second size" $((2 << 30)) "$(number "$(plan_window 1 size <"$WORK/plan")")"
	[ "$(plan_bridge 0 uid <"$WORK/plan")" != "$(plan_bridge 1 uid <"$WORK/plan")" ] ||
		fail "both host bridges have the same UID"
}

override() {
	for key in window-base cxl-fmws-base; do
		one_device ",$key=0x1230000000" >"$WORK/plan"
		want_equal "window" 0x1230000000 "$(plan_window 0 base <"$WORK/plan")"
		want_equal "decoder" "0x1230000000 0x30000000 0x12 0x700" \
			"$(plan_locked_hdm 0 "$WORK/plan")"
	done
}

# the guest finds both decoders uncommitted, the size preset, and a window that is not fixed
guest_policy() {
	plan --device sim,size=256M,decoder=guest --device sim,size=256M,decoder=locked >"$WORK/plan"
	want_equal "policies" "guest false false, locked true true" "$(jq -r '[.devices[] |
		"\(.decoder_policy) \(.committed) \(.memory_mapped)"] | join(", ")' "$WORK/plan")"
	want_equal "restrictions" "5 21" "$(jq -r '[.windows[].restrictions | tostring] | join(" ")' \
		"$WORK/plan")"
	want_equal "decoders of host bridges" "0 0 2, $(number "$(plan_window 1 base <"$WORK/plan")") 1792 2" \
		"$(jq -r '[.decoders[] | select(.port) | "\(.resource) \(.control) \(.global_control)"] |
			join(", ")' "$WORK/plan")"
	want_equal "decoder of the device" "0 268435456 0 2" "$(jq -r '[.decoders[] | select(.endpoint)][0] |
		"\(.resource) \(.size) \(.control) \(.global_control)"' "$WORK/plan")"
	want_equal "device memory in the map" 1 \
		"$(jq '[.map[] | select(.type == "device-memory")] | length' "$WORK/plan")"
	"$CXLVM" plan --phys-bits $BITS --device sim,size=256M,decoder=guest >"$WORK/text"
	grep -q 'not committed, not mapped: the guest programs the decoders$' "$WORK/text" ||
		fail "the text does not say who programs the decoders: $(cat "$WORK/text")"
}

# a plain PCI device beside a CXL device: no window, no decoder, and the other one is as alone
off() {
	plan --device sim,size=256M,cxl=off --device sim,size=256M >"$WORK/plan"
	want_equal "devices" "false 0 0 false, true 5 268435456 true" "$(jq -r '.devices |
		map("\(.cxl) \(.generation) \(.memory_size) \(.memory_mapped)") | join(", ")' "$WORK/plan")"
	want_equal "owners of windows" "sim1" "$(jq -r '.windows | map(.owner) | join(" ")' "$WORK/plan")"
	want_equal "endpoint decoders" "decoder3.0 of sim1" "$(jq -r '[.decoders[] | select(.device) |
		"\(.decoder) of \(.device)"] | join(" ")' "$WORK/plan")"
	want_equal "committed host bridges" "false true" \
		"$(jq -r '[.decoders[] | select(.device | not) | .committed] | map(tostring) | join(" ")' \
			"$WORK/plan")"
	"$CXLVM" plan --device sim,size=256M,cxl=off >"$WORK/text"
	want_text "text" 'sim0.*plain PCI' "$WORK/text"
}

options() {
	plan --device sim,size=256M,cxl=on,window=fast,require-dma=on,allow-slow=on >"$WORK/plan"
	want_equal "name of the window" fast "$(jq -r '.windows[0].name' "$WORK/plan")"
	want_equal "mapped" true "$(jq -r '.devices[0].memory_mapped' "$WORK/plan")"
}

repeatable() {
	one_device "" >"$WORK/plan1"
	one_device "" >"$WORK/plan2"
	cmp "$WORK/plan1" "$WORK/plan2"
}

no_device() {
	plan --memory 512M >"$WORK/plan"
	want_equal "windows, bridges, devices" "0 0 0 0" \
		"$(jq -r '"\(.windows | length) \(.decoders | length) \(.devices | length)" +
			" \([.hosts[] | select(.hid == "ACPI0016")] | length)"' "$WORK/plan")"
}

# the last thing planned is the first thing done
run_does_it() {
	for options in sim,size=256M sim,size=256M,generation=2 sim,size=512M,window-base=0x340000000; do
		"$CXLVM" plan --json --memory 128M --device $options >"$WORK/plan"
		sh "$PAYLOAD_TOOL" patch "$F/payload" "$(plan_window 0 base <"$WORK/plan")" "$F/patched"
		on_scene "$CXLVM_SWITCHES" run --memory 128M --device $options \
			--kernel "$F/patched" --trace cxl_locked_hdm --time-limit 20
		want_equal "exit status" 0 "$rc"
		want_equal "lines of trace" 1 "$(grep -c cxl_locked_hdm "$WORK/err")"
		want_equal "what $options traces" "$(plan_locked_hdm 0 "$WORK/plan")" \
			"$(traced_hdm "$(grep cxl_locked_hdm "$WORK/err")")"
	done
}

silent_without_trace() {
	base=$("$CXLVM" plan --json --memory 128M --device sim,size=256M | plan_window 0 base)
	sh "$PAYLOAD_TOOL" patch "$F/payload" "$base" "$F/patched"
	on_scene "$CXLVM_SWITCHES" run --memory 128M --device sim,size=256M --kernel "$F/patched" \
		--time-limit 20
	want_equal "exit status" 0 "$rc"
	want_equal "output" "" "$(cat "$WORK/out" "$WORK/err")"
	nothing_left
}

sh "$PAYLOAD_TOOL" build "$F/payload"
D=sim,size=256M,window-base
P="$CXLVM plan --json --phys-bits $BITS --memory 6G --device"
# draw OPTION... - with some of all that there is
draw() {
	"$CXLVM" plan "$@" --phys-bits $BITS --memory 6G --device sim,size=256M \
		--device sim,size=512M,decoder=guest --device sim,size=256M,cxl=off
}

picture() {
	draw >"$WORK/text"
	draw --svg "$WORK/files/one.svg" >"$WORK/out"
	cmp "$WORK/text" "$WORK/out"
	draw --json --svg "$WORK/files/two.svg" >"$WORK/json"
	jq -e .version "$WORK/json"
	cmp "$WORK/files/one.svg" "$WORK/files/two.svg"
}

picture_is_the_plan() {
	python3 -c 'import sys, xml.dom.minidom as d; d.parse(sys.argv[1])' "$WORK/files/one.svg"
	jq -r '.map[].resource' "$WORK/json" | while read -r address; do
		printf '0x%010x\n' "$address"
	done | sort >"$WORK/wanted"
	sed -n 's/.*class="address">\(0x[0-9a-f]*\)<.*/\1/p' "$WORK/files/one.svg" | sort >"$WORK/got"
	diff "$WORK/wanted" "$WORK/got"
	want_equal "paths" 2 "$(grep -c 'decoder 0</text>' "$WORK/files/one.svg")"
	want_equal "mapped" 1 "$(grep -c ', locked, mapped</text>' "$WORK/files/one.svg")"
	want_text "types as people write them" ">CXL window of sim0<" "$WORK/files/one.svg"
	want_equal "not mapped" 1 "$(grep -c '>not committed, not mapped</text>' "$WORK/files/one.svg")"
}

# named: two windows with names, one without; every name stands once in each list
named() {
	long=$(printf '%063d' 7)
	name='fast <&>'
	set -- --phys-bits $BITS --device "sim,size=256M,window=$name" --device sim,size=256M \
		--device "sim,size=256M,window=$long"
	"$CXLVM" plan --svg "$WORK/files/named.svg" "$@" >"$WORK/text"
	"$CXLVM" plan --json "$@" >"$WORK/json"
	want_equal "names in JSON" "$name, CXL window of sim1, $long" \
		"$(jq -r '[.windows[].name] | join(", ")' "$WORK/json")"
	want_equal "map" "cxl-window '$name' of sim0, cxl-window of sim1, cxl-window '$long' of sim2" \
		"$(sed -n 's/.*iB  \(cxl-window\)/\1/p' "$WORK/text" | paste -sd, | sed 's/,/, /g')"
	want_equal "windows" "decoder0.0: '$name', decoder0.1: none, decoder0.2: '$long'" \
		"$(sed -n 's/^  \(decoder0\.[0-9]\) .*to host bridge \(.*\)/\1 \2/p' "$WORK/text" |
			sed -e "s/ .*  named \('.*'\)$/: \1/" -e 's/^\(decoder0..\) .*/\1: none/' |
			paste -sd, | sed 's/,/, /g')"
	python3 - "$WORK/files/named.svg" "$name" "$long" <<-'END'
		import sys, xml.dom.minidom
		texts = xml.dom.minidom.parse(sys.argv[1]).getElementsByTagName("text")
		labels = [(t.firstChild.data, t.getAttribute("textLength")) for t in texts]
		wanted = [f"CXL window '{sys.argv[2]}' of sim0", "CXL window of sim1",
		          f"CXL window '{sys.argv[3]}' of sim2"]
		got = [label for label in labels if label[0].startswith("CXL window")]
		if sorted(label for label, _ in got) != sorted(wanted):
		    sys.exit(f"labels are {got}")
		# only one that has no room is drawn narrower
		if [label for label, narrow in labels if narrow] != [wanted[2]]:
		    sys.exit(f"narrow are {[label for label, narrow in labels if narrow]}")
	END
}

picture_full() {
	ln -sf /dev/full "$WORK/files/full.svg"
	refused 1 'full.svg' -- "$CXLVM" plan --svg "$WORK/files/full.svg"
	# what is no file of ours stays
	[ -L "$WORK/files/full.svg" ]
}

check "the JSON has the documented shape" shape
check "values of one device: window, decoder, alignment" values
check "the guest physical map is in order, without overlaps, below the address width" no_overlap
check "two devices: windows and host bridges of their own" two_devices
check "window-base, and its alias cxl-fmws-base, moves window and decoder" override
check "decoder=guest: nothing is committed, the window is not fixed (ACPI-3)" guest_policy
check "cxl=off: a plain PCI device, and nothing of CXL for it" off
check "cxl=on, window, require-dma and allow-slow are taken" options
check "the same options give the same plan" repeatable
check "no device: nothing of CXL" no_device
# shellcheck disable=SC2086 # $P is several words
{
	check "window-base: not aligned" refused 1 '0x100000' '256 MiB|0x10000000' -- \
		$P $D=0x1000100000
	# 6 GiB of memory are from 0 to 3 GiB and from 4 to 7 GiB
	check "window-base: inside RAM" refused 1 '0x150000000' '0x1bfffffff|0x1c0000000' 'RAM' -- \
		$P $D=0x150000000
	check "window-base: in the hole below 4 GiB" refused 1 '0xd0000000' '0xc0000000' -- \
		$P $D=0xd0000000
	check "window-base: beyond the address width" refused 1 '0x10000000000' '40' -- \
		$P $D=0x10000000000
	check "window-base: ends beyond the address width" refused 1 '0xfff0000000' '40' -- \
		"$CXLVM" plan --json --phys-bits $BITS --device sim,size=512M,window-base=0xfff0000000
	check "window-base: zero" refused 1 'window.base 0x0' -- $P $D=0
	check "window-base: wraps around" refused 1 '0xfffffffff0000000' -- $P $D=0xfffffffff0000000
	check "window-base: rubbish" refused 2 'window-base.*here' -- $P $D=here
	check "window-base: overlaps the other device's" refused 1 '0x1000000000' '0x1010000000' -- \
		$P sim,size=512M,window-base=0x1000000000 --device $D=0x1010000000
}
check "--svg: a picture besides the plan, the same again" picture
check "--svg: all ranges of the plan, a path for each device with CXL" picture_is_the_plan
check "window=NAME is in text, JSON and picture, also one of 63 bytes" named
check "--svg: a file that cannot be written is refused" refused 1 '/nowhere/p.svg' -- \
	"$CXLVM" plan --svg /nowhere/p.svg
check "--svg: a full disk is refused" picture_full
if reason=$(have_kvm); then
	check "run traces what plan said (cxl_locked_hdm)" run_does_it
	check "run says nothing without --trace" silent_without_trace
else
	skip "run does what plan says" "$reason"
fi
tap_end
