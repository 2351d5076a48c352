#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A stock Linux guest uses a CXL Type-2 device, with evidence for each word of it.
#
#   demo.sh [--json] [--break hb-decoder]
#
# Builds cxlvm, boots an emulated host with KVM, and in it a guest with an unmodified kernel. The
# guest's own CXL core builds regions from the decoders of two devices that cxlvm committed and locked;
# device memory is checked page by page from both sides; a function-level reset, a driver that leaves
# and comes back, and a reboot of the guest change no register. Every line of the summary is printed from what was measured; the exit status is 0 only if nothing is missing.
#
# --json               print the evidence as JSON; progress goes to standard error
# --break hb-decoder   leave the host bridge's decoder uncommitted: the demo has to fail
set -eu
cd "$(dirname "$0")/.."
BUILD=${CXLVM_BUILD:-build}
json=
broken=

usage_error() {
	printf 'demo: error: %s\ndemo: try: ./dev demo [--json] [--break hb-decoder]\n' "$1" >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--json) json=1 ;;
	--break)
		[ "${2:-}" = hb-decoder ] || usage_error "--break needs hb-decoder"
		broken=$2
		shift
		;;
	*) usage_error "unknown option $1" ;;
	esac
	shift
done

STARTED=$(date +%s)

# say TEXT - progress, with the seconds since the start
say() {
	printf '%4d s  %s\n' $(($(date +%s) - STARTED)) "$*" >&2
}

# fetch - everything that comes from the network: packages of this machine and the lab's tree.
# Sets downloaded (MB), by what apt and tree.sh counted.
fetch() {
	mkdir -p "$BUILD/log"
	rm -f "$BUILD/log/apt-update.log" "$BUILD/log/apt-install.log"
	CXLVM_BUILD=$BUILD ./dev setup demo >&2
	# its progress is shown and kept; a pipe has the status of its last command only
	rm -f "$BUILD/log/tree.path"
	{ sh lab/tree.sh >"$BUILD/log/tree.part" && mv "$BUILD/log/tree.part" "$BUILD/log/tree.path"; } \
		2>&1 | tee "$BUILD/log/tree.log" >&2
	[ -f "$BUILD/log/tree.path" ] || exit 1
	downloaded=$({
		cat "$BUILD/log/apt-update.log" "$BUILD/log/apt-install.log" 2>/dev/null || :
		sed -n 's/.*downloaded \([0-9]*\) MB of packages and \([0-9]*\) MB of indexes.*/Fetched \1 MB \
Fetched \2 MB /p' "$BUILD/log/tree.log"
	} | awk '$1 == "Fetched" { gsub(",", "", $2); s += $3 == "kB" ? $2 / 1000 : $3 == "B" ? 0 : $2 }
		END { printf "%d", s + 0.5 }')
}

run_host() {
	program=cxlvm
	options=
	if [ -n "$broken" ]; then
		program=cxlvm-switches
		options="--break $broken"
	fi
	# shellcheck disable=SC2086 # options are words
	if ! share_run_host "$SHARE" 400 pass_on demo-inside.sh $program $options; then
		cat "$SHARE/run.error" >&2
		exit 1
	fi
}

# pass_on - what the emulated host says, for people
pass_on() {
	while read -r word text; do
		case $word in
		READY) say "the host is up (Linux $text, KVM by nested paging); starting the guest" ;;
		PROGRESS)
			case $text in
			guest*) ;;
			*) say "$text" ;;
			esac
			;;
		REPEATED) say "REPEATED $text" ;;
		esac
	done
}

fail() {
	exit 1
}

# hash of a file in the guest, as its init reported it
guest_hash() {
	value "$1" modules "SHA256 $2" || :
}

sysfs_value() {
	value "$1" sysfs "SYSFS $2" || :
}

pages() {
	sed -n 's/^\(CHECK \)\{0,1\}pages \([0-9]*\) bad \([0-9]*\) .*/\2 \3/p' | head -n 1
}

# decoder N TYPE BASE - of this devtype and at this base, in boot N: "SIZE LOCKED TARGET-TYPE"
decoder_at() {
	report "$1" sysfs | awk -v type="$2" -v base="$3" '
		$1 == "SYSFS" { split($2, at, "/"); value[at[1], at[2]] = $3; names[at[1]] = 1 }
		END { for (n in names)
			if (value[n, "devtype"] == type && value[n, "start"] == base)
				print value[n, "size"], value[n, "locked"], value[n, "target_type"] }'
}

# region_at N BASE - name of the region at this base
region_at() {
	report "$1" sysfs | sed -n "s/^SYSFS \(region[0-9]*\)\/resource $2\$/\1/p"
}

# evidence_pattern NAME BOOT CHECK - pages both ways; CHECK is the number of the guest's comparison
evidence_pattern() {
	seeds=$(sed -n "s/^$1 //p" "$SHARE/talk/demo.seeds")
	boot "$2" | grep -qx "FILLED ${seeds% *}" || return 0
	jq -n --arg seed1 "${seeds% *}" --arg seed2 "${seeds#* }" \
		--arg to_device "$(cat "$DIR/filled-$1" 2>/dev/null | pages)" \
		--arg to_guest "$(boot "$2" | grep '^CHECK pages' | sed -n "$3p" | pages || :)" '
		def pages($seed): if . == "" then null else (split(" ") | map(tonumber)
			| { seed: $seed, pages: .[0], bytes: (.[0] * 4096), bad: .[1] }) end;
		{ guest_to_device: ($to_device | pages($seed1)), device_to_guest: ($to_guest | pages($seed2)) }'
}

# evidence_device N D - what the guest made of device D in boot N; null is what is missing
evidence_device() {
	base=$(printf '0x%x' "$(jq ".windows[$2].resource" "$SHARE/plan.json")")
	region=$(region_at "$1" "$base")
	jq -n --arg window "$(report "$1" iomem | sed -n "s/^IOMEM *\([0-9a-f-]*\) : CXL Window $2\$/\1/p")" \
		--arg region "$(report "$1" iomem | sed -n "s/^IOMEM *\([0-9a-f-]*\) : ${region:-none}\$/\1/p")" \
		--arg name "$region" --arg committed "$(sysfs_value "$1" "${region:-none}/commit" 2>/dev/null)" \
		--arg bridge "$(decoder_at "$1" cxl_decoder_switch "$base")" \
		--arg endpoint "$(decoder_at "$1" cxl_decoder_endpoint "$base")" '
		def known: if . == "" then null else . end;
		def decoder: split(" ") | { size: .[0], locked: (.[1] == "1"), target_type: .[2] };
		{ window: ($window | known), name: ($name | known), region: ($region | known),
		  region_committed: ($committed == "1"),
		  decoders: { host_bridge: ($bridge | decoder), endpoint: ($endpoint | decoder) } }'
}

# evidence_boot N - what was measured in one boot
evidence_boot() {
	jq -n --argjson boot "$1" --arg release "$(value "$1" kernel UNAME || :)" \
		--arg memory_type "$(report "$1" pat | sed -n 's/^PAT [^ ]* [^ ]* //p' | sort -u)" \
		--argjson devices "$( (evidence_device "$1" 0 && evidence_device "$1" 1) | jq -s .)" \
		--argjson pattern "$(evidence_pattern "$1" "$1" 1 | jq -s '.[0]')" '
		def known: if . == "" then null else . end;
		{ boot: $boot, kernel: ($release | known), devices: $devices,
		  memory_type: ($memory_type | known), pattern: $pattern }'
}

# registers_kept BOOT NAME - are all registers of the first device as at first? Prints how many, or ""
registers_kept() {
	count=0
	for block in endpoint bridge port config; do
		report 1 $block-start >"$SHARE/wanted"
		report "$1" $block-"$2" >"$SHARE/found"
		[ -s "$SHARE/wanted" ] && cmp -s "$SHARE/wanted" "$SHARE/found" || return 0
		# four registers in each line, and lines of zeros are left out
		count=$((count + 4 * $(wc -l <"$SHARE/wanted")))
	done
	echo $count
}

# evidence_resets - the status each ended with, and the registers after it
evidence_resets() {
	jq -n --arg flr "$(boot 1 | sed -n 's/^RESET //p')" --arg flr_kept "$(registers_kept 1 flr)" \
		--arg bound "$(boot 1 | sed -n 's/^BOUND //p')" --arg bound_kept "$(registers_kept 1 bound)" \
		--arg reboot_kept "$(registers_kept 2 start)" \
		--argjson after "$(boot 1 | grep '^CHECK pages' | sed -n 2p | pages |
			jq -R 'split(" ") | map(tonumber) | { pages: .[0], bad: .[1] }' | jq -s '.[0]')" '
		def count: if . == "" then null else tonumber end;
		{ function_level: { ok: ($flr == "0"), registers_kept: ($flr_kept | count), memory: $after },
		  driver_back: { ok: ($bound == "0"), registers_kept: ($bound_kept | count) },
		  reboot: { registers_kept: ($reboot_kept | count) } }'
}

# evidence_bandwidth - loads of the same number of bytes, in ns
evidence_bandwidth() {
	boot 1 | sed -n 's/^BANDWIDTH bytes \([0-9]*\) device_ns \([0-9]*\) ram_ns \([0-9]*\)$/\1 \2 \3/p' |
		jq -R 'split(" ") | map(tonumber) | { bytes: .[0], device_ns: .[1], ram_ns: .[2],
			device_over_ram: (.[2] / .[1]) }' | jq -s '.[0]'
}

# evidence - everything as one JSON object
evidence() {
	DIR=$SHARE/out/demo
	for name in libnvdimm cxl_pmem cxl_acpi cxl_mem; do
		jq -n --arg name $name --arg guest "$(guest_hash 1 $name)" \
			--arg package "$(sha256sum <"$SHARE/modules/$name.ko" | cut -d' ' -f1)" \
			'{ name: $name, guest: $guest, package: $package, equal: ($guest == $package and ($guest | length) == 64) }'
	done | jq -s . >"$SHARE/modules.json"
	{
		evidence_boot 1
		evidence_boot 2
	} | jq -s . >"$SHARE/boots.json"
	evidence_resets >"$SHARE/resets.json"
	evidence_bandwidth >"$SHARE/bandwidth.json"
	evidence_pattern second 1 3 | jq -s '.[0]' >"$SHARE/second.json"
	complaint=$(boot 1 | sed -n 's/^DMESG <[0-4]>\[ *[0-9.]*\] *//p' | grep -iE 'decoder|region' |
		head -n 1 || :)
	jq -n --slurpfile modules "$SHARE/modules.json" --slurpfile boots "$SHARE/boots.json" \
		--slurpfile resets "$SHARE/resets.json" --slurpfile bandwidth "$SHARE/bandwidth.json" \
		--slurpfile second "$SHARE/second.json" --arg picture "$SHARE/map.svg" \
		--slurpfile plan "$SHARE/plan.json" --arg image "$(cat "$SHARE/out/vmlinuz.sha256")" \
		--arg package "$(cat "$SHARE/kernel.sha256")" --arg broken "$broken" \
		--arg after "$(cat "$DIR/after" 2>/dev/null | pages)" \
		--arg status "$(cat "$DIR/status")" --arg complaint "$complaint" \
		--arg programmed "$(grep -c cxl_locked_hdm "$DIR/monitor" || :)" \
		--argjson hung "$(grep -c '^REPEATED' "$SHARE/said.log" || :)" \
		--argjson guest_seconds "$(cat "$DIR/seconds")" --argjson downloaded "$downloaded" \
		--argjson fetch_seconds $fetch_seconds --argjson seconds $(($(date +%s) - STARTED)) '
		{ broken: (if $broken == "" then null else $broken end),
		    kernel: { image: $image, package: $package, equal: ($image == $package and ($image | length) == 64) },
		    modules: $modules[0],
		    planned: { windows: [$plan[0].windows[] | { base: .resource, size }],
			decoders: $plan[0].decoders },
		    boots: $boots[0], second_device: $second[0], resets: $resets[0],
		    bandwidth: $bandwidth[0], picture: $picture, programmed: ($programmed | tonumber),
		    after_power_off: (if $after == "" then null else ($after | split(" ") | map(tonumber)
			| { pages: .[0], bad: .[1] }) end),
		    exit_status: $status, repeated: $hung, guest_says: $complaint,
		    seconds: $seconds, guest_seconds: $guest_seconds, fetch_seconds: $fetch_seconds,
		    downloaded_mb: $downloaded }' >"$SHARE/measured.json"
	jq -f lab/demo.jq "$SHARE/measured.json" >"$SHARE/evidence.json"
}

say "fetching what is missing: tools of this machine, an emulator, a kernel"
fetch
fetch_seconds=$(($(date +%s) - STARTED))
. tests/lab/judge.sh
. tests/lab/options.sh
. tests/lab/share.sh
. tests/lab/talk.sh
. lab/demo-talk.sh
say "building cxlvm for the emulated host"
CXLVM_BUILD=$BUILD ./dev build lab >/dev/null
SHARE=$BUILD/demo
share_make "$SHARE" "$BUILD" 2>/dev/null
cp lab/demo-inside.sh "$SHARE/"
# shellcheck disable=SC2086 # options are words
"$SHARE/bin/cxlvm" plan --json --svg "$SHARE/map.svg" $DEMO_OPTIONS --device "sim,size=$REGION_SIZE" \
	--device "sim,size=$SECOND_SIZE" >"$SHARE/plan.json"
share_talk_demo "$SHARE" "$SHARE/plan.json"
say "booting an emulated host (a PC with AMD virtualization, all in software)"
tree=$(cat "$BUILD/log/tree.path")
# compared with the guest's own report afterwards
{
	share_packaged_kernel "$tree" >"$SHARE/kernel.sha256"
	share_packaged_modules "$tree" "$SHARE/modules"
} &
unpacking=$!
run_host
wait $unpacking
evidence

if [ -n "$json" ]; then
	jq . "$SHARE/evidence.json"
else
	jq -r '.summary[]' "$SHARE/evidence.json"
fi
jq -e '.ok' "$SHARE/evidence.json" >/dev/null
