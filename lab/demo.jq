# SPDX-License-Identifier: BSD-3-Clause
# From what demo.sh measured: what is missing, and a summary for people. Nothing here is printed
# that is not taken from a measured value.

def hex:
	def digits: if . < 16 then [.] else ((. / 16 | floor) | digits) + [. % 16] end;
	[digits[] | "0123456789abcdef"[.:. + 1]] | join("");

# a range as in /proc/iomem
def range($window): "\($window.base | hex)-\($window.base + $window.size - 1 | hex)";

def times($n; $what): "\($n) \($what)\(if $n == 1 then "" else "s" end)";

# of one device in one boot; $window is what was planned
def device_problems($window):
	range($window) as $range
	| ("0x" + ($window.size | hex)) as $size
	| (if .window != $range then "CXL window in /proc/iomem is \(.window // "missing"), planned is \($range)" else empty end),
	  (if .region != $range then "\(.name // "region") in /proc/iomem is \(.region // "missing"), planned is \($range)" else empty end),
	  (if .region_committed then empty else "the region is not committed" end),
	  (.decoders | to_entries[] | select(.value.size != $size or (.value.locked | not))
		| "decoder of \(.key): size \(.value.size // "none") instead of \($size), locked: \(.value.locked)"),
	  (if .decoders.endpoint.target_type != "accelerator" then "the endpoint's decoder is no accelerator's" else empty end);

# pages both ways
def pattern_problems($window):
	($window.size / 4096) as $pages
	| def whole: . != null and .bad == 0 and .pages == $pages;
	(if .guest_to_device | whole then empty else "not all pages the guest wrote are in the device's backing" end),
	(if .device_to_guest | whole then empty else "not all pages of the backing were seen by the guest" end);

def kept($what): if . == null then "after \($what) not all registers are as before" else empty end;

.planned.windows as $windows
| [ (if .kernel.equal then empty else "the kernel is not the package's" end),
  (.modules[] | select(.equal | not) | "module \(.name) is not the package's"),
  (.boots[] as $b | $b.devices | to_entries[] | .key as $d | .value | device_problems($windows[$d])
	| "boot \($b.boot), device \($d): \(.)"),
  (.boots[] as $b | $b.pattern // {} | pattern_problems($windows[0]) | "boot \($b.boot), device 0: \(.)"),
  (.boots[] | select(.memory_type != "write-back") | "boot \(.boot): memory type is \(.memory_type // "unknown")"),
  (.second_device // {} | pattern_problems($windows[1]) | "boot 1, device 1: \(.)"),
  (.resets.function_level | (if .ok then empty else "the function-level reset failed" end),
	(.registers_kept | kept("a function-level reset")),
	(if .memory != null and .memory.bad == 0 and .memory.pages == $windows[0].size / 4096 then empty
	 else "the memory does not work after a function-level reset" end)),
  (.resets.driver_back | (if .ok then empty else "the driver could not come back" end),
	(.registers_kept | kept("the driver came back"))),
  (.resets.reboot.registers_kept | kept("a reboot")),
  (if .bandwidth == null then "no bandwidth was measured" else empty end),
  # both devices at each start, and the first one after its function-level reset
  (if .programmed == 5 then empty else "decoders were programmed \(.programmed) times, not 5" end),
  (if .after_power_off != null and .after_power_off.bad == 0 and .after_power_off.pages == $windows[0].size / 4096
	then empty else "the backing after power-off is not as filled last" end),
  (if .exit_status == "0" then empty else "cxlvm ended with status \(.exit_status)" end) ] as $missing
| .boots[0] as $one
| .boots[1] as $two
| . + { ok: ($missing == []), missing: $missing }
| .summary = (
	if .ok then [
		"",
		"guest kernel     Linux \($one.kernel): image and \(.modules | length) CXL modules equal the package's (SHA-256)",
		($one.devices[] | "CXL window       \(.window) in the guest's /proc/iomem, as planned; \(.name) in it, built by the guest's CXL core"),
		"decoders         host bridges and endpoints: sizes \([$one.devices[].decoders.endpoint.size] | join(" and ")), locked; \([$one.devices[].decoders.endpoint.target_type] | unique | join(", "))",
		"memory type      \($one.memory_type)",
		"guest to device  \($one.pattern.guest_to_device.pages) and \(.second_device.guest_to_device.pages) pages, \($one.pattern.guest_to_device.bad + .second_device.guest_to_device.bad) wrong; seeds \($one.pattern.guest_to_device.seed), \(.second_device.guest_to_device.seed)",
		"device to guest  \($one.pattern.device_to_guest.pages) and \(.second_device.device_to_guest.pages) pages, \($one.pattern.device_to_guest.bad + .second_device.device_to_guest.bad) wrong; seeds \($one.pattern.device_to_guest.seed), \(.second_device.device_to_guest.seed)",
		"bandwidth        loads from device memory at \(.bandwidth.device_over_ram * 100 | round / 100) of the speed of guest RAM (\(.bandwidth.bytes / .bandwidth.device_ns * 100 | round / 100) and \(.bandwidth.bytes / .bandwidth.ram_ns * 100 | round / 100) GB/s, emulated processor)",
		"resets survived  function-level reset: \(.resets.function_level.registers_kept) words of registers as before, \(.resets.function_level.memory.pages) pages again, \(.resets.function_level.memory.bad) wrong",
		"                 driver left and came back: \(.resets.driver_back.registers_kept) words of registers as before",
		"                 reboot: \(.resets.reboot.registers_kept) words of registers as before; \($two.pattern.guest_to_device.pages) and \($two.pattern.device_to_guest.pages) pages, \($two.pattern.guest_to_device.bad + $two.pattern.device_to_guest.bad) wrong",
		"after power-off  \(.after_power_off.pages) pages in the backing, \(.after_power_off.bad) wrong; exit status \(.exit_status)",
		"picture          \(.picture)"
	] else [
		"",
		(if .broken then "broken on purpose: \(.broken)" else empty end),
		(if $one.kernel then "guest kernel     Linux \($one.kernel)" else empty end),
		($one.devices[] | select(.window) | "CXL window       \(.window) in the guest's /proc/iomem"),
		(if .guest_says != "" then "the guest says   \(.guest_says)" else empty end)
	] + ($missing[:8] | map("MISSING          \(.)"))
	+ (if ($missing | length) > 8 then ["MISSING          and \(($missing | length) - 8) more, see --json"] else [] end)
	end
	+ (if .repeated > 0 then ["REPEATED         guest or host had to be started again: \(times(.repeated; "time"))"] else [] end)
	+ ["time             \(.seconds) s, of which \(.fetch_seconds) s for fetching; downloaded \(.downloaded_mb) MB"])
