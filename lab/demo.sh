#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A stock Linux guest uses a CXL Type-2 device, with evidence for each word of it.
#
#   demo.sh [--json] [--break hb-decoder]
#
# Builds cxlvm, boots an emulated host with KVM, and in it a guest with an unmodified kernel. The
# guest's own CXL core builds a region from the decoder that cxlvm committed and locked; device
# memory is checked page by page from both sides, also after a reboot of the guest. Every line of
# the summary is printed from what was measured; the exit status is 0 only if nothing is missing.
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
	if ! share_run_host "$SHARE" 300 tell demo-inside.sh $program $options; then
		cat "$SHARE/run.error" >&2
		exit 1
	fi
}

# tell - what the emulated host says, for people
tell() {
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

# evidence_boot N - what was measured in one boot, as JSON; null is what is missing
evidence_boot() {
	range=$(report "$1" iomem | sed -n 's/^IOMEM *\([0-9a-f-]*\) : CXL Window 0$/\1/p')
	region=$(report "$1" iomem | sed -n 's/^IOMEM *\([0-9a-f-]*\) : region0$/\1/p')
	to_device=$(cat "$DIR/filled$1" 2>/dev/null | pages)
	to_guest=$(boot "$1" | grep '^CHECK pages' | pages || :)
	filled=$(boot "$1" | sed -n 's/^FILLED //p')
	seeds=$(sed -n "s/^$1 //p" "$SHARE/talk/demo.seeds")
	jq -n --argjson boot "$1" --arg release "$(value "$1" kernel UNAME || :)" \
		--arg window "$range" --arg region "$region" \
		--arg committed "$(sysfs_value "$1" region0/commit)" \
		--arg host_bridge_size "$(sysfs_value "$1" decoder1.0/size)" \
		--arg host_bridge_locked "$(sysfs_value "$1" decoder1.0/locked)" \
		--arg endpoint_size "$(sysfs_value "$1" decoder2.0/size)" \
		--arg endpoint_locked "$(sysfs_value "$1" decoder2.0/locked)" \
		--arg target_type "$(sysfs_value "$1" decoder2.0/target_type)" \
		--arg memory_type "$(report "$1" pat | sed -n 's/^PAT [^ ]* [^ ]* //p' | sort -u)" \
		--arg seed1 "${seeds% *}" --arg seed2 "${seeds#* }" --arg filled "$filled" \
		--arg to_device "$to_device" --arg to_guest "$to_guest" '
		def known: if . == "" then null else . end;
		def pages($seed): if . == "" then null else (split(" ") | map(tonumber)
			| { seed: $seed, pages: .[0], bytes: (.[0] * 4096), bad: .[1] }) end;
		{ boot: $boot, kernel: ($release | known), window: ($window | known),
		  region: ($region | known), region_committed: ($committed == "1"),
		  decoders: {
			host_bridge: { size: ($host_bridge_size | known), locked: ($host_bridge_locked == "1") },
			endpoint: { size: ($endpoint_size | known), locked: ($endpoint_locked == "1"),
				target_type: ($target_type | known) } },
		  memory_type: ($memory_type | known),
		  guest_to_device: (if $filled == $seed1 then ($to_device | pages($seed1)) else null end),
		  device_to_guest: ($to_guest | pages($seed2)) }'
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
	complaint=$(boot 1 | sed -n 's/^DMESG <[0-4]>\[ *[0-9.]*\] *//p' | grep -iE 'decoder|region' |
		head -n 1 || :)
	jq -n --slurpfile modules "$SHARE/modules.json" --slurpfile boots "$SHARE/boots.json" \
		--slurpfile plan "$DIR/plan.json" --arg image "$(cat "$SHARE/out/vmlinuz.sha256")" \
		--arg package "$(cat "$SHARE/kernel.sha256")" --arg broken "$broken" \
		--arg after "$(cat "$DIR/after" 2>/dev/null | pages)" \
		--arg status "$(cat "$DIR/status")" --arg complaint "$complaint" \
		--arg programmed "$(grep -c cxl_locked_hdm "$DIR/monitor" || :)" \
		--argjson hung "$(grep -c '^REPEATED' "$SHARE/said.log" || :)" \
		--argjson guest_seconds "$(cat "$DIR/seconds")" --argjson downloaded "$downloaded" \
		--argjson fetch_seconds $fetch_seconds --argjson seconds $(($(date +%s) - STARTED)) '
		($plan[0].windows[0]) as $window
		| ($plan[0].decoders) as $decoders
		| { broken: (if $broken == "" then null else $broken end),
		    kernel: { image: $image, package: $package, equal: ($image == $package and ($image | length) == 64) },
		    modules: $modules[0],
		    planned: { base: $window.resource, size: $window.size, decoders: $decoders },
		    boots: $boots[0], programmed: ($programmed | tonumber),
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
. tests/lab/share.sh
say "building cxlvm for the emulated host"
CXLVM_BUILD=$BUILD ./dev build lab >/dev/null
SHARE=$BUILD/demo
share_make "$SHARE" "$BUILD" 2>/dev/null
cp lab/demo-inside.sh "$SHARE/"
share_talk_region "$SHARE" demo
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
