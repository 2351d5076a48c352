# SPDX-License-Identifier: BSD-3-Clause
# From what demo.sh measured: what is missing, and a summary for people. Nothing here is printed
# that is not taken from a measured value.

def hex:
	def digits: if . < 16 then [.] else ((. / 16 | floor) | digits) + [. % 16] end;
	[digits[] | "0123456789abcdef"[.:. + 1]] | join("");

# a range as in /proc/iomem
def range($base; $size): "\($base | hex)-\($base + $size - 1 | hex)";


range(.planned.base; .planned.size) as $range
| ("0x" + (.planned.size | hex)) as $size
| (.planned.size / 4096) as $pages
| def whole: . != null and .bad == 0 and .pages == $pages;
def problems:
	(if .window != $range then "CXL window in /proc/iomem is \(.window // "missing"), planned is \($range)" else empty end),
	(if .region != $range then "region0 in /proc/iomem is \(.region // "missing"), planned is \($range)" else empty end),
	(if .region_committed then empty else "the region is not committed" end),
	(.decoders | to_entries[] | select(.value.size != $size or (.value.locked | not))
		| "decoder of \(.key): size \(.value.size // "none") instead of \($size), locked: \(.value.locked)"),
	(if .decoders.endpoint.target_type != "accelerator" then "the endpoint's decoder is no accelerator's" else empty end),
	(if .memory_type != "write-back" then "memory type is \(.memory_type // "unknown")" else empty end),
	(if .guest_to_device | whole then empty else "not all pages the guest wrote are in the device's backing" end),
	(if .device_to_guest | whole then empty else "not all pages of the backing were seen by the guest" end);
[ (if .kernel.equal then empty else "the kernel is not the package's" end),
  (.modules[] | select(.equal | not) | "module \(.name) is not the package's"),
  (.boots[] as $b | $b | problems | "boot \($b.boot): \(.)"),
  (if .programmed == 2 then empty else "the decoder was programmed \(.programmed) times, not twice" end),
  (if .after_power_off | whole then empty else "the backing after power-off is not as filled last" end),
  (if .exit_status == "0" then empty else "cxlvm ended with status \(.exit_status)" end) ] as $missing
| .boots[0] as $one
| .boots[1] as $two
| . + { ok: ($missing == []), missing: $missing }
| .summary = (
	if .ok then [
		"",
		"guest kernel     Linux \($one.kernel): image and \(.modules | length) CXL modules equal the package's (SHA-256)",
		"CXL window       \($one.window) in the guest's /proc/iomem, as planned",
		"region0          \($one.region), built by the guest's CXL core, committed",
		"decoders         host bridge and endpoint: size \($one.decoders.endpoint.size), locked; \($one.decoders.endpoint.target_type)",
		"memory type      \($one.memory_type)",
		"guest to device  \($one.guest_to_device.pages) pages (\($one.guest_to_device.bytes) bytes), \($one.guest_to_device.bad) wrong, seed \($one.guest_to_device.seed)",
		"device to guest  \($one.device_to_guest.pages) pages (\($one.device_to_guest.bytes) bytes), \($one.device_to_guest.bad) wrong, seed \($one.device_to_guest.seed)",
		"after a reboot   \($two.region) again, programmed \(.programmed) times; \($two.guest_to_device.pages) and \($two.device_to_guest.pages) pages, \($two.guest_to_device.bad + $two.device_to_guest.bad) wrong",
		"after power-off  \(.after_power_off.pages) pages in the backing, \(.after_power_off.bad) wrong; exit status \(.exit_status)"
	] else [
		"",
		(if .broken then "broken on purpose: \(.broken)" else empty end),
		(if $one.kernel then "guest kernel     Linux \($one.kernel)" else empty end),
		(if $one.window then "CXL window       \($one.window) in the guest's /proc/iomem" else empty end),
		(if .guest_says != "" then "the guest says   \(.guest_says)" else empty end)
	] + ($missing[:8] | map("MISSING          \(.)"))
	+ (if ($missing | length) > 8 then ["MISSING          and \(($missing | length) - 8) more, see --json"] else [] end)
	end
	+ (if .repeated > 0 then ["REPEATED         guest or host had to be started again: \(.repeated) times"] else [] end)
	+ ["time             \(.seconds) s, of which \(.fetch_seconds) s for fetching; downloaded \(.downloaded_mb) MB"])
