# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Takes apart what a guest wrote. Read by the check-*.sh of this folder, after tests/tap.sh.
#
# DIR is the folder of one guest's artifacts; BASE and SIZE are what the plan says about its window.

# boot N - the console of boot N of this guest (from 1), without carriage returns
boot() {
	tr -d '\r\000' <"$DIR/console" | awk -v wanted="$1" '/^GUEST / { n++ } n == wanted'
}

# report N NAME - the lines of one report of boot N
report() {
	boot "$1" | awk -v name="$2" '
		$0 == "END " name { on = 0 }
		on
		$0 == "BEGIN " name { on = 1 }'
}

# value N REPORT KEY - what follows KEY in the only line that begins with it
value() {
	report "$1" "$2" | awk -v key="$3" 'index($0, key " ") == 1 {
		print substr($0, length(key) + 2); n++ }
		END { exit n != 1 }' || fail "not exactly one line '$3' in report $2 of boot $1"
}

# number TEXT - decimal, so that 0x and leading zeros do not matter
number() {
	case $1 in
	0x* | [1-9]* | 0) echo $(($1)) ;;
	*) fail "'$1' is no number" ;;
	esac
}

# iomem N NAME - "FIRST SIZE" in decimal of the line of /proc/iomem with this name
iomem() {
	line=$(report "$1" iomem | sed -n "s/^IOMEM  *\([0-9a-f]*\)-\([0-9a-f]*\) : $2\$/\1 \2/p")
	[ "$(printf '%s\n' "$line" | grep -c .)" = 1 ] ||
		fail "not exactly one '$2' in /proc/iomem of boot $1: $line"
	first=$((0x${line% *}))
	echo "$first $((0x${line#* } - first + 1))"
}

# tables N FOLDER - the ACPI tables of boot N as files NAME.aml
tables() {
	mkdir -p "$2"
	report "$1" acpi | sed -n 's/^TABLE //p' | while read -r name data; do
		printf '%s' "$data" | base64 -d >"$2/$name.aml"
	done
}

# status_is STATUS - exit status of cxlvm
status_is() {
	got=$(cat "$DIR/status")
	[ "$got" = "$1" ] || {
		tail -n 20 "$DIR/monitor"
		tail -n 3 "$DIR/talk"
		echo "the end of the console:"
		tr -d '\r\000' <"$DIR/console" | tail -n 12
		fail "exit status $got instead of $1"
	}
}

talk_is_complete() {
	[ -f "$DIR/talk" ] || fail "there is no $DIR/talk"
	! grep . "$DIR/talk" || fail "the conversation went wrong as above"
}

# while the guest wrote many times in vain; the host's kernel may have other things to say
host_log_is_quiet() {
	lines=$(($(cat "$DIR/host-lines.after") - $(cat "$DIR/host-lines.before")))
	[ "$lines" -ge 0 ] && [ "$lines" -le 20 ] || fail "the host's kernel wrote $lines lines"
}

in_iomem() {
	want_equal "CXL Window 0" "$(number "$BASE") $(number "$SIZE")" "$(iomem "$1" 'CXL Window 0')"
	want_equal "region0" "$(number "$BASE") $(number "$SIZE")" "$(iomem "$1" region0)"
}

sysfs() {
	value "$1" sysfs "SYSFS $2"
}

decoder() {
	want_equal "$2 start" "$(number "$BASE")" "$(number "$(sysfs "$1" "$2/start")")"
	want_equal "$2 size" "$(number "$SIZE")" "$(number "$(sysfs "$1" "$2/size")")"
}

locked_decoder() {
	decoder "$1" "$2"
	want_equal "$2 locked" 1 "$(sysfs "$1" "$2/locked")"
	want_equal "$2 target_type" accelerator "$(sysfs "$1" "$2/target_type")"
}

region_committed() {
	want_equal "commit" 1 "$(sysfs "$1" region0/commit)"
	want_equal "locked" 1 "$(sysfs "$1" region0/locked)"
	want_equal "start" "$(number "$BASE")" "$(number "$(sysfs "$1" region0/resource)")"
	want_equal "size" "$(number "$SIZE")" "$(number "$(sysfs "$1" region0/size)")"
}

# by the count of the kernel of the device
maps_are_even() {
	cat "$DIR/dma"
	want_text "maps" '^maps [1-9]' "$DIR/dma"
	want_equal "unmaps" "$(sed -n 's/^maps //p' "$DIR/dma")" "$(sed -n 's/^unmaps //p' "$DIR/dma")"
	want_text "refused" '^refused 0$' "$DIR/dma"
	want_text "missed" '^missed 0$' "$DIR/dma"
}

# DMA before the CPU, and away after it (DMA-5): in two boots, and over the guest's own resets
dma_in_order() {
	order=$(sed -n 's/^trace: cxl_\(dma_map\|dma_unmap\|map_enable\|map_disable\) .*/\1/p' \
		"$DIR/monitor" | tr '\n' ' ')
	life='dma_map map_enable map_disable dma_unmap '
	wanted=$life$life
	grep -qx 'send flr' "${DIR%/out/*}/talk/${DIR##*/}.talk" && wanted=$wanted$life
	want_equal "two boots and a reset, if there is one" "$wanted" "$order"
}
