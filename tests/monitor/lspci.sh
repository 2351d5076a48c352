#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What other people's program makes of the device: lspci -vvv on the config space that a guest
# reads. Typed from the specifications, not from our tables. lspci 3.9 shows no bit of CXL reset or
# cache write-back, and an empty range 2 as one of all ones.
set -eu
. tests/tap.sh
. tests/lib/plan.sh
. tests/lib/monitor.sh
IMAGES=$(realpath "${CXLVM_BUILD:-build}/default/tests/unit/images")
SIZE=0x20000000

# show GENERATION - what lspci says of the device, in $L
show() {
	L=$WORK/lspci-$1
	[ ! -f "$L" ] || return 0
	mkdir "$WORK/files/$1"
	"$IMAGES" "$WORK/files/$1" $SIZE "$1"
	{
		echo '01:00.0 0000: 0000:0000'
		od -An -v -tx1 -w16 "$WORK/files/$1/device-config" |
			awk '{ printf "%02x:%s\n", (NR - 1) * 16, $0 }'
		echo
	} >"$WORK/dump"
	lspci -nvvv -F "$WORK/dump" >"$L" 2>"$WORK/err" || fail "lspci: $(cat "$WORK/err")"
}

nothing_is_unknown() {
	show "$1"
	want_no_text "lspci" '[Uu]nknown|\?|<chain|Vendor Specific|[Cc]orrupt|!!!|#[0-9a-f]{2,4}' "$L"
}

capabilities() {
	show "$1"
	cat >"$WORK/wanted" <<'END'
[40] Express (v2) Endpoint, MSI 00
[80] MSI-X: Enable- Count=4 Masked-
[100 v1] Device Serial Number 00-00-00-00-00-00-00-01
[110 v1] Designated Vendor-Specific: Vendor=1e98 ID=0000 Rev=3 Len=60: CXL
[150 v1] Designated Vendor-Specific: Vendor=1e98 ID=0005 Rev=0 Len=16: CXL
[160 v1] Designated Vendor-Specific: Vendor=1e98 ID=0007 Rev=2 Len=32: CXL
[180 v1] Designated Vendor-Specific: Vendor=1e98 ID=0008 Rev=0 Len=20: CXL
END
	sed -n 's/^\tCapabilities: //p' "$L" | cmp - "$WORK/wanted" || fail "$(cat "$L")"
}

header() {
	show "$1"
	want_text "class and ids" '^01:00\.0 1200: 1234:c002$' "$L"
	want_text "subsystem" 'Subsystem: 1234:c002$' "$L"
	want_text "command" 'Control: I/O- Mem\+ BusMaster- ' "$L"
	for bar in 0 2 4; do
		want_text "BAR $bar" "Region $bar: Memory at [0-9a-f]+ \(64-bit, non-prefetchable\)$" "$L"
	done
	want_equal "BARs" 3 "$(grep -c 'Region [0-9]' "$L")"
	want_text "reset" 'DevCap:' "$L"
	want_text "reset" 'FLReset\+' "$L"
	want_text "table" 'Vector table: BAR=4 offset=00000000$' "$L"
	want_text "pending bits" 'PBA: BAR=4 offset=00001000$' "$L"
}

# of the window: where the guest finds it
cxl_fields() {
	show "$1"
	base=$("$CXLVM" plan --json --phys-bits 40 --device "sim,size=$SIZE" | plan_window 0 base)
	range=$(printf '%016x-%016x' "$base" $((base + SIZE - 1)))
	cat >"$WORK/wanted" <<END
CXLCap:	Cache+ IO+ Mem+ Mem HW Init+ HDMCount 1 Viral-
CXLCtl:	Cache- IO+ Mem+ Cache SF Cov 0 Cache SF Gran 0 Cache Clean- Viral-
CXLSta:	Viral-
CXLSta2:	ResetComplete- ResetError- PMComplete-
Cache Size Not Reported
Range1: $range
Valid+ Active+ Type=Volatile Class=DRAM interleave=0 timeout=1s
Range2: 0000000000000000-ffffffffffffffff
Valid- Active- Type=Volatile Class=DRAM interleave=0 timeout=1s
GPF Phase 2 Duration: 0us
GPF Phase 2 Power: 0mW
FBCap:	Cache+ IO+ Mem+ 68BFlit+ MltLogDev- 256BFlit- PBRFlit-
FBCtl:	Cache+ IO+ Mem+ SynHdrByp- DrftBuf- 68BFlit+ MltLogDev- RCD- Retimer1- Retimer2- 256BFlit- PBRFlit-
FBSta:	Cache+ IO+ Mem+ SynHdrByp- DrftBuf- 68BFlit+ MltLogDev- 256BFlit- PBRFlit-
FBModTS:	Received FB Data: 0000ef
FBCap2:	NOPHint-
FBCtl2:	NOPHint-
FBSta2:	NOPHintInfo: 0
Block1: BIR: bar0, ID: component registers, offset: 0000000000010000
END
	sed -n '/ID=0000 Rev=3/,$p' "$L" | sed -e '/^\tCapabilities:/d' -e '/^$/d' -e 's/^\t*//' \
		>"$WORK/found"
	cmp "$WORK/found" "$WORK/wanted" || fail "$(diff "$WORK/wanted" "$WORK/found")"
}

if ! command -v lspci >/dev/null; then
	skip "lspci" "pciutils is not installed: ./dev setup"
	tap_end
	exit
fi
for generation in 2 0x2e 3 4 5 6; do
	check "generation $generation: lspci finds nothing unknown" nothing_is_unknown $generation
	check "generation $generation: capabilities and DVSECs" capabilities $generation
	check "generation $generation: header, BARs, MSI-X, function-level reset" header $generation
	check "generation $generation: CXL fields" cxl_fields $generation
done
tap_end
