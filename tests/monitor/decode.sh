#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# cxlvm decode: what cxlvm itself shows a guest decodes to what cxlvm plan says; bad options, bad
# files and cut files are refused or decoded as far as they go, never with a crash. And the text
# form of cxlvm plan.
set -eu
. tests/tap.sh
. tests/lib/plan.sh
. tests/lib/monitor.sh
F=$WORK/files
IMAGES=$(realpath "${CXLVM_BUILD:-build}/default/tests/unit/images")
SIZE=0x20000000

# field STRUCTURE NAME - its value in the JSON document on standard input
field() {
	jq -er --arg s "$1" --arg n "$2" \
		'[.. | objects | select(.name == $s and has("fields")) | .fields[] | select(.name == $n)] |
			first | .value'
}

# text STRUCTURE NAME - what the value means
text() {
	jq -er --arg s "$1" --arg n "$2" \
		'[.. | objects | select(.name == $s and has("fields")) | .fields[] | select(.name == $n)] |
			first | .text'
}

prepare() {
	for generation in 2 5; do
		mkdir "$F/$generation"
		"$IMAGES" "$F/$generation" $SIZE $generation
		"$CXLVM" plan --json --phys-bits 40 --device "sim,size=$SIZE,generation=$generation" \
			>"$F/$generation/plan"
	done
	G=$F/5
	dd if="$G/bridge" of="$F/cm" bs=4096 skip=1 count=1 2>/dev/null
	dd if="$G/device-config" of="$F/config256" bs=256 count=1 2>/dev/null
	: >"$F/empty"
	printf 'C' >"$F/byte"
	echo 'this is neither a table nor a register, but long enough to be a header of something' \
		>"$F/text"
	head -c 65536 /dev/zero >"$F/zeros"
	head -c 1048577 /dev/zero >"$F/large"
	# so that a table that is too long is not recognized too early
	cat "$G/cedt" "$F/large" >"$F/large-cedt"
}

all_of_it() {
	for generation in 2 5; do
		for image in cedt bridge port port-config device device-config; do
			for option in "" --json; do
				# shellcheck disable=SC2086 # no option at all
				on_scene "$CXLVM" decode $option "$F/$generation/$image"
				[ "$rc" = 0 ] || {
					cat "$WORK/err"
					fail "$image of generation $generation: exit status $rc"
				}
				want_equal "standard error" "" "$(cat "$WORK/err")"
				[ -s "$WORK/out" ] || fail "no output"
			done
			jq -e '.complete and .problems == [] and .version == 1' "$WORK/out" >/dev/null ||
				fail "not complete"
			want_no_text "$image" 'other bits' "$WORK/out"
		done
	done
}

cedt_is_the_plan() {
	"$CXLVM" decode --json "$G/cedt" >"$WORK/cedt"
	want_equal type cedt "$(jq -r .type "$WORK/cedt")"
	want_equal "window" "$(jq -r '.windows[0] | "\(.resource) \(.size) \(.restrictions)"' "$G/plan")" \
		"$(field CFMWS 'window base' <"$WORK/cedt") $(field CFMWS 'window size' <"$WORK/cedt") $(
			field CFMWS restrictions <"$WORK/cedt")"
	want_equal "target" "$(jq -r '.windows[0].targets[0]' "$G/plan")" \
		"$(field 'CFMWS target' target <"$WORK/cedt")"
	want_equal "host bridge" \
		"$(jq -r '.hosts[] | select(.hid == "ACPI0016") | "\(.uid) \(.component_registers)"' \
			"$G/plan")" "$(field CHBS UID <"$WORK/cedt") $(field CHBS base <"$WORK/cedt")"
	want_equal "length" "64 KiB" "$(text CHBS length <"$WORK/cedt")"
}

# decoder_is IMAGE FILTER - the decoder of the block and the one of the plan
decoder_is() {
	"$CXLVM" decode --json "$1" >"$WORK/block"
	for name in 'base low' 'base high' 'size low' 'size high'; do
		field 'CXL HDM decoder' "$name" <"$WORK/block"
	done | paste -sd ' ' >"$WORK/registers"
	read -r low high size_low size_high <"$WORK/registers"
	want_equal "decoder of $1" "$(jq -r "$2 | \"\\(.resource) \\(.size)\"" "$G/plan")" \
		"$(((high << 32) + (low << 28))) $(((size_high << 32) + (size_low << 28)))"
	want_equal "committed, locked" "1 1" "$(field 'CXL HDM decoder' committed <"$WORK/block") $(
		field 'CXL HDM decoder' 'lock on commit' <"$WORK/block")"
}

blocks_are_the_plan() {
	decoder_is "$G/device" '.decoders[] | select(.endpoint)'
	decoder_is "$G/bridge" '.decoders[] | select(.port)'
	want_equal "port number" "$(jq -r '.decoders[] | select(.port) | .targets[0]' "$G/plan")" \
		"$(field 'CXL HDM decoder' 'target list or DPA skip low' <"$WORK/block")"
	# the CM area alone is the same
	"$CXLVM" decode --json "$F/cm" >"$WORK/cm"
	want_equal "committed" 1 "$(field 'CXL HDM decoder' committed <"$WORK/cm")"
}

config_is_the_plan() {
	"$CXLVM" decode --json "$G/device-config" >"$WORK/config"
	want_equal "type" config "$(jq -r .type "$WORK/config")"
	want_equal "range size" "$(jq -r '.devices[0].memory_size' "$G/plan")" \
		"$(($(field 'CXL Device DVSEC' 'range 1 size low' <"$WORK/config") << 28))"
	want_equal "range base" "$(jq -r '.windows[0].resource' "$G/plan")" \
		"$((($(field 'CXL Device DVSEC' 'range 1 base high' <"$WORK/config") << 32) + \
			($(field 'CXL Device DVSEC' 'range 1 base low' <"$WORK/config") << 28)))"
	want_equal "block" "component registers" \
		"$(text 'Register Locator entry' 'block identifier' <"$WORK/config")"
	"$CXLVM" decode --json "$G/port-config" >"$WORK/config"
	want_equal "port type" "root port" \
		"$(text 'PCI Express capability' 'device/port type' <"$WORK/config")"
	want_equal "port number" "$(jq -r '.decoders[] | select(.port) | .targets[0]' "$G/plan")" \
		"$(field 'PCI Express capability' 'port number' <"$WORK/config")"
	"$CXLVM" decode "$F/config256" >"$WORK/out"
	want_text "the text" 'vendor id' "$WORK/out"
}

# every field of the JSON form is a line of the text form
same_in_text() {
	"$CXLVM" decode "$G/device" >"$WORK/out"
	"$CXLVM" decode --json "$G/device" |
		jq -r '[.. | objects | select(has("fields")) | .fields[]] | length' >"$WORK/n"
	want_equal "lines with a field" "$(cat "$WORK/n")" "$(grep -c '^ *0x[0-9a-f]* ' "$WORK/out")"
	want_text "the text" 'committed +0x1$' "$WORK/out"
	want_no_text "the text" ' $' "$WORK/out"
}

standard_input() {
	"$CXLVM" decode --json - <"$G/cedt" >"$WORK/one"
	"$CXLVM" decode --json "$G/cedt" >"$WORK/other"
	cmp "$WORK/one" "$WORK/other"
	# in small pieces
	(
		head -c 40 "$G/cedt"
		sleep 0.2
		tail -c +41 "$G/cedt"
	) | "$CXLVM" decode --json - >"$WORK/one"
	cmp "$WORK/one" "$WORK/other"
}

forced() {
	"$CXLVM" decode --type component "$G/bridge" >"$WORK/one"
	"$CXLVM" decode --type=component "$G/bridge" >"$WORK/other"
	cmp "$WORK/one" "$WORK/other"
	on_scene "$CXLVM" decode --type config "$G/cedt"
	want_equal "exit status" 1 "$rc"
	want_text "what it says" 'stopped at 0x[0-9a-f]+: ' "$WORK/err"
	on_scene "$CXLVM" decode --type component "$F/zeros"
	want_equal "exit status" 1 "$rc"
	want_text "what it says" '0x1000: no capability array: the id is 0x0' "$WORK/err"
}

# cut IMAGE STEP COMPLETE TYPE - up to COMPLETE bytes it is not complete
# with few other commands: there are hundreds of lengths
cut() {
	n=$((($3 - 1) / $2 * $2))
	: >"$WORK/json"
	cp "$1" "$F/shorter"
	while [ $n -ge 0 ]; do
		truncate -s $n "$F/shorter"
		rc=0
		"$CXLVM" decode --type "$4" - <"$F/shorter" >"$WORK/out" 2>"$WORK/err" || rc=$?
		[ $rc = 1 ] || fail "exit status $rc for $n bytes of $1"
		reason=none
		while read -r line; do
			case $line in
			*"stopped at 0x"*": "*) reason=$line ;;
			esac
		done <"$WORK/err"
		[ "$reason" != none ] || fail "no reason for $n bytes of $1"
		rc=0
		"$CXLVM" decode --json - <"$F/shorter" >>"$WORK/json" 2>"$WORK/err" || rc=$?
		[ $rc = 1 ] || fail "exit status $rc for $n bytes of $1, recognized"
		n=$((n - $2))
	done
	[ -s "$WORK/json" ] || fail "no part of $1 is recognized"
	jq -e -s 'all(.[]; .complete == false and (.problems | length) > 0 and
		all(.problems[]; .message and (.offset | type) == "number"))' "$WORK/json" >/dev/null ||
		fail "JSON for a part of $1"
}

cut_cedt() {
	cut "$G/cedt" 16 "$(stat -c %s "$G/cedt")" cedt
	# what came before is there
	head -c 96 "$G/cedt" >"$F/cut"
	on_scene "$CXLVM" decode "$F/cut"
	want_text "what was decoded" 'window base' "$WORK/out"
	want_no_text "what was decoded" 'QTG' "$WORK/out"
	want_text "what it says" 'stopped at 0x60: .*CFMWS.*0x44.*0x28 bytes.*ends at 0x60' "$WORK/err"
}

cut_component() {
	cut "$F/cm" 16 4096 component
	cp "$G/device" "$F/shorter"
	n=65536
	while [ $n -gt 0 ]; do
		n=$((n - 512))
		truncate -s $n "$F/shorter"
		rc=0
		"$CXLVM" decode - <"$F/shorter" >/dev/null 2>&1 || rc=$?
		[ $rc = $((n < 8192)) ] || fail "exit status $rc for $n bytes of a component block"
	done
}

closed_output() {
	rc=0
	"$CXLVM" decode "$G/cedt" >/dev/full 2>"$WORK/err" || rc=$?
	want_equal "exit status" 1 "$rc"
	want_text "what it says" 'cannot write' "$WORK/err"
	rc=0
	"$CXLVM" plan --phys-bits 40 >/dev/full 2>"$WORK/err" || rc=$?
	want_equal "exit status of plan" 1 "$rc"
	want_text "what it says" 'cannot write' "$WORK/err"
}

plan_text() {
	"$CXLVM" plan --phys-bits 40 --device sim,size=$SIZE >"$WORK/text"
	jq -r '.map[] | "\(.resource) \(.size) \(.type)"' "$G/plan" | while read -r base size type; do
		line=$(printf '0x%010x-0x%010x .*%s' "$base" $((base + size - 1)) "$type")
		want_text "the map" "$line" "$WORK/text"
	done
	range=$(printf '0x%010x-0x%010x' "$(jq .windows[0].resource "$G/plan")" \
		$(($(jq .windows[0].resource "$G/plan") + SIZE - 1)))
	want_text "the window" "decoder0.0 +$range +512 MiB +sim0 .*device coherent, volatile, fixed" \
		"$WORK/text"
	for decoder in 1 2; do
		want_text "a decoder" "decoder$decoder.0 +$range +512 MiB +committed, locked, accel" \
			"$WORK/text"
	done
	want_text "the device" 'sim0 +0000:01:00.0 .*generation 5 +committed, mapped' "$WORK/text"
	"$CXLVM" plan --phys-bits 40 >"$WORK/text"
	want_text "the map without a device" ' ram$' "$WORK/text"
	want_no_text "a plan without a device" 'decoder' "$WORK/text"
}

help_texts() {
	"$CXLVM" help decode >"$WORK/one"
	"$CXLVM" decode --help >"$WORK/other"
	cmp "$WORK/one" "$WORK/other"
	for option in --json --type --help; do
		want_text "help" "^ +$option" "$WORK/one"
		want_text "manual" "\\$(echo $option | sed 's/-/\\\\-/g')" man/cxlvm-decode.1
	done
	"$CXLVM" help | grep -q '^  decode '
}

prepare
check "all that cxlvm shows a guest decodes completely, in both forms" all_of_it
check "the CEDT says what the plan says" cedt_is_the_plan
check "both HDM decoders say what the plan says" blocks_are_the_plan
check "config spaces say what the plan says" config_is_the_plan
check "text has the same fields as JSON" same_in_text
check "standard input, also in pieces" standard_input
check "--type overrides what the content looks like" forced
check "a CEDT cut at every 16 bytes" cut_cedt
check "a component block cut at every 16 bytes" cut_component
check "output that cannot be written" closed_output
check "plan as text has map, devices, windows and decoders" plan_text
check "help and manual name the options" help_texts
check "no file" refused 2 'which file' -- "$CXLVM" decode
check "two files" refused 2 'unexpected.*two' -- "$CXLVM" decode one two
check "unknown option" refused 2 "'--colour'" '--json, --type' -- "$CXLVM" decode --colour "$G/cedt"
check "unknown type" refused 2 "'disk'" 'component, config, cedt' -- \
	"$CXLVM" decode --type disk "$G/cedt"
check "type without value" refused 2 '--type needs' -- "$CXLVM" decode --type
check "no such file" refused 1 'missing.*no such file' -- "$CXLVM" decode "$F/missing"
check "a folder" refused 1 'files.*directory' -- "$CXLVM" decode "$F"
check "an empty file" refused 1 'empty.*0 bytes' -- "$CXLVM" decode "$F/empty"
check "one byte" refused 1 'byte.*1 bytes' -- "$CXLVM" decode "$F/byte"
check "a text file" refused 1 'text.*no component block' '--type' -- "$CXLVM" decode "$F/text"
check "zeros" refused 1 'zeros.*65536 bytes' -- "$CXLVM" decode "$F/zeros"
check "more than 1 MiB" refused 1 'large.*1048576' -- "$CXLVM" decode "$F/large"
check "more than 1 MiB behind a CEDT" refused 1 'large-cedt.*1048576' -- \
	"$CXLVM" decode "$F/large-cedt"
check "a device without end" refused 1 'zero.*1048576' -- "$CXLVM" decode /dev/zero
tap_end
