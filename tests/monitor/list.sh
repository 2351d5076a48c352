#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# cxlvm list and check: bad options, files and folders that are not what they say, what a capture
# keeps to itself, and this machine against lspci. What they say of machines: machines.sh.
set -eu
. tests/tap.sh
. tests/lib/monitor.sh
F=$WORK/files
M=$(realpath tests/machines)

bad_options() {
	for command in list check; do
		refused 2 "cxlvm $command: unknown option '--bogus'" -- "$CXLVM" $command --bogus
		refused 2 'a value is missing' -- "$CXLVM" $command --sysfs
		refused 2 'a value is missing' -- "$CXLVM" $command --sysfs=
		refused 1 'cannot open /nowhere' -- "$CXLVM" $command --sysfs /nowhere
	done
	refused 2 "unexpected argument '0000:00:00.0'" -- "$CXLVM" list 0000:00:00.0
	refused 2 -- "$CXLVM" list --json --capture "$F/both"
	refused 2 'a value is missing' -- "$CXLVM" list --capture
	refused 1 'cannot write /nowhere/x' -- "$CXLVM" list --capture /nowhere/x
	refused 2 "unexpected argument 'b'" -- "$CXLVM" check a b
	for size in 1X -1 x ''; do
		refused 2 -- "$CXLVM" check --memory "$size"
	done
	for size in 0 16 63M; do
		refused 2 "less than a guest.*64M.*'$size'" 'bytes without K' -- "$CXLVM" check --memory $size
	done
	refused 2 'nothing is opened' -- "$CXLVM" check --capture "$F/x"
	refused 2 'nothing is opened' -- "$CXLVM" check --open --capture "$F/x" --sysfs "$M/held.machine"
	refused 2 'which device' '0000:17:00.0 and 0000:97:00.0' -- "$CXLVM" check --sysfs \
		"$M/two-devices.machine"
}

names_of_a_device() {
	for name in 0000:97:00.0 97:00.0 vfio:0000:97:00.0 /sys/bus/pci/devices/0000:97:00.0; do
		on_scene "$CXLVM" check --sysfs "$M/two-devices.machine" "$name"
		want_equal "status of $name" 0 "$rc"
		want_text "$name" '^ready.*0000:97:00.0$' "$WORK/out"
	done
	for name in 97:0.0 vfio:97:00.0 /sys/bus/pci/devices/0000:97:00.0/ \
		/sys/bus/pci/devices/../devices/0000:97:00.0 vfio:/sys/bus/pci/devices/0000:97:00.0; do
		on_scene "$CXLVM" check --sysfs "$M/two-devices.machine" "$name"
		want_equal "status of $name" 0 "$rc"
		want_text "$name" '^ready.*0000:97:00.0$' "$WORK/out"
	done
	on_scene "$CXLVM" check --sysfs "$M/two-devices.machine" 0000:99:00.0
	want_equal "status" 1 "$rc"
	want_text "message" 'BROKEN   device.*there is no PCI device 0000:99:00.0' "$WORK/out"
	on_scene "$CXLVM" check --sysfs "$M/two-devices.machine" /sys/bus/pci/devices/0000:99:00.0/
	want_equal "status" 1 "$rc"
	want_text "message" 'there is no device /sys/bus/pci/devices/0000:99:00.0/$' "$WORK/out"
}

# told at once, whatever else is missing
wrong_name_comes_first() {
	on_scene "$CXLVM" check --sysfs "$M/intel-no-iommu.machine" 99:00.0
	want_equal "status" 1 "$rc"
	want_text "message" '^BROKEN   device .*there is no PCI device 0000:99:00.0' "$WORK/out"
	want_text "message" '^not ready: device$' "$WORK/out"
	want_no_text "message" 'iommu' "$WORK/out"
	on_scene "$CXLVM" check --json --sysfs "$M/intel-no-iommu.machine" 99:00.0
	want_equal "first broken" device "$(jq -r .first_broken "$WORK/out")"
}

# what no device can be called
names_of_no_device() {
	for name in bogus '' fd=5 sim user:socket 0000:17:00.0,cxl=off 17:00 17:20.0 17:00.8 0x17:00.0 \
		vfio: vfio:fd=5 /sys /dev/kvm 'zz:00.0' 123456789:17:00.0; do
		refused 2 "'$name' names no device" '0000:17:00.0' '/sys/bus/pci/devices' -- \
			"$CXLVM" check --sysfs "$M/amd-type2.machine" "$name"
	done
}

# a capture that was asked for is taken, as far as it can be
capture_of_no_device() {
	on_scene "$CXLVM" check --open --capture "$F/none" fffe:1f:1f.7
	want_equal status 1 "$rc"
	want_text "the message" 'files/none holds the machine without answers of a device: there is none' \
		"$WORK/err"
	want_equal "first line" 'cxlvm-machine 1' "$(head -n 1 "$F/none")"
	"$CXLVM" list --sysfs "$F/none" >"$WORK/out"
	# one that VFIO does not have
	name=$(lspci -D -n | head -n 1 | cut -d ' ' -f 1)
	[ -n "$name" ] || return 0
	[ ! -e "/sys/bus/pci/devices/$name/vfio-dev" ] || return 0
	on_scene "$CXLVM" check --open --capture "$F/unopened" "$name"
	want_equal status 1 "$rc"
	want_text "the message" 'without answers of a device: it could not be opened' "$WORK/err"
	want_text "the capture" "$name" "$F/unopened"
	on_scene "$CXLVM" check --open --capture /nowhere/x fffe:1f:1f.7
	want_equal status 1 "$rc"
	want_text "the message" 'cannot write /nowhere/x' "$WORK/err"
}

folder_that_is_no_machine() {
	mkdir -p "$F/empty" "$F/file"
	: >"$F/file/sys"
	for folder in empty file; do
		for command in list check; do
			refused 1 "files/$folder holds no folder sys" 'sys, proc and dev' -- \
				"$CXLVM" $command --sysfs "$F/$folder"
		done
	done
}

# tree LINE... - a machine of these lines; \t is a tab
tree() {
	echo 'cxlvm-machine 1' >"$F/tree"
	for line; do
		printf "$line\n" >>"$F/tree"
	done
}

# bad_tree PATTERN LINE... - a machine that is refused
bad_tree() {
	pattern=$1
	shift
	tree "$@"
	refused 1 "$pattern" -- "$CXLVM" list --sysfs "$F/tree"
}

bad_trees() {
	bad_tree 'line 2: this kind of file is not known' 'file r- /a'
	bad_tree 'with access' 'text /a'
	bad_tree 'the path is not absolute' 'text r- a'
	bad_tree 'the path is not absolute' 'text r- /a/../b'
	bad_tree 'the path is not absolute' 'text r- /a//b'
	bad_tree 'the path is not absolute' 'text r- /a/'
	bad_tree "a link is 'link PATH" 'link /a /b'
	bad_tree 'a node is' 'node rw 9999 root:kvm /dev/kvm'
	bad_tree 'a node is' 'node rw 0660 root /dev/kvm'
	bad_tree '/a is there twice' 'text r- /a' 'text r- /b' 'text r- /a'
	bad_tree 'is not .OFFSET: BYTE' 'hex r- 16 /a' '\t0000: 0'
	bad_tree 'is not .OFFSET: BYTE' 'hex r- 16 /a' '\t0000 00'
	bad_tree 'is not .OFFSET: BYTE' 'hex r- 16 /a' '\tffffffffffffffff0: 00'
	bad_tree 'bytes lie behind the end' 'hex r- 16 /a' '\t000f: 00 00'
	bad_tree 'is not .OFFSET: BYTE' 'hex r- 16 /a' '\tffffffffffffffff: 00'
	bad_tree 'more than 1 MiB' 'hex r- 99999999 /a' '\t0: 00' '\t1000000: 00'
	printf 'text r- /a\n' >"$F/tree"
	refused 1 'the first line is not' -- "$CXLVM" list --sysfs "$F/tree"
	: >"$F/tree"
	refused 1 'the first line is not' -- "$CXLVM" check --sysfs "$F/tree"
	printf 'cxlvm-machine 1\ntext r- /a\n\tb\0c\n' >"$F/tree"
	refused 1 'bytes that are 0' -- "$CXLVM" list --sysfs "$F/tree"
	head -c 17000000 /dev/zero >"$F/tree"
	refused 1 'more than 16 MiB' -- "$CXLVM" list --sysfs "$F/tree"
	{
		echo 'cxlvm-machine 1'
		seq -f 'hex r- 65536 /a%g' 1100
	} >"$F/tree"
	refused 1 'more than 64 MiB of content' -- "$CXLVM" list --sysfs "$F/tree"
	{
		echo 'cxlvm-machine 1'
		seq -f 'dir r- /a%g' 100001
	} >"$F/tree"
	refused 1 'more than 100000 files' -- "$CXLVM" list --sysfs "$F/tree"
	mkfifo "$F/fifo"
	refused 1 'the first line is not' -- "$CXLVM" list --sysfs "$F/fifo"
}

# they are shown, not followed for ever
loops_end() {
	tree 'link /sys/bus/pci/devices/0000:00:00.0 -> 0000:00:00.0' 'link /proc -> sys/../proc' \
		'link /sys/bus/pci/devices/0000:00:01.0 -> ../devices' \
		'link /sys/bus/cxl/devices/decoder0.0 -> /sys/bus/cxl/devices/decoder0.0/x'
	for command in list 'list --json' check 'check --all 0000:00:01.0' "list --capture $F/cap"; do
		# shellcheck disable=SC2086 # words
		on_scene "$CXLVM" $command --sysfs "$F/tree"
		[ "$rc" -le 1 ] || fail "$command: status $rc"
	done
}

# unpack TREE FOLDER - a machine as a folder; device files are left out
unpack() {
	mkdir -p "$2"
	awk -v root="$2" '
	function parent(path) {
		sub("/[^/]*$", "", path)
		if (!(path in made)) print "mkdir -p \"" path "\""
		made[path] = 1
	}
	/^\t/ && kind == "text" { print "printf \"%s\\n\" '"'"'" substr($0, 2) "'"'"' >>\"" at "\"" }
	/^\t/ && kind == "hex" {
		offset = substr($1, 1, length($1) - 1)
		bytes = ""
		for (i = 2; i <= NF; i++) bytes = bytes "\\x" $i
		print "printf \"" bytes "\" | dd of=\"" at "\" bs=1 conv=notrunc seek=$((0x" offset ")) 2>/dev/null"
	}
	/^\t/ || /^#/ { next }
	{ kind = $1 }
	kind == "text" || kind == "hex" {
		at = root $NF
		parent(at)
		print ": >\"" at "\""
		if (kind == "hex") print "truncate -s " $3 " \"" at "\""
	}
	kind == "dir" { print "mkdir -p \"" root $NF "\"" }
	kind == "link" { parent(root $2); print "ln -s \"" $4 "\" \"" root $2 "\"" }
	' "$1" >"$WORK/unpack"
	bash "$WORK/unpack"
}

# both readers see the same
folder_is_the_machine() {
	for name in lab-cxl intel-type2 arm64-type2; do
		unpack "$M/$name.machine" "$F/$name"
		"$CXLVM" list --numeric --json --sysfs "$M/$name.machine" >"$WORK/a"
		"$CXLVM" list --numeric --json --sysfs "$F/$name" >"$WORK/b"
		diff "$WORK/a" "$WORK/b" || fail "$name: tree and folder differ"
		want_text "$name" '"committed": true' "$WORK/b"
	done
}

# links that lead out of a folder stay in it; what is no regular file is not opened
folder_is_not_left() {
	unpack "$M/intel-type2.machine" "$F/left"
	device=$(realpath "$F/left/sys/bus/pci/devices/0000:17:00.0")
	echo 0xdead >"$F/secret"
	ln -sf "$F/secret" "$device/vendor"
	rm "$device/class"
	mkfifo "$device/class"
	rm "$device/power_state"
	mkdir "$device/power_state"
	on_scene "$CXLVM" list --json --sysfs "$F/left"
	want_equal status 0 "$rc"
	want_text "the device" '"vendor": 0,' "$WORK/out"
	want_text "the device" '"class": 0,' "$WORK/out"
	ln -sf ../../../../../../../../../../../../proc/cmdline "$device/vendor"
	on_scene "$CXLVM" list --json --sysfs "$F/left"
	want_text "the device" '"vendor": 0,' "$WORK/out"
	# a BAR that is shorter than it says must not end the program
	truncate -s 4096 "$device/resource0"
	on_scene "$CXLVM" list --json --sysfs "$F/left"
	want_text "the device" 'its resource0 cannot be read' "$WORK/out"
}

capture_has_no_serials() {
	sed -e 's/^\t0100: 03 00 01 11 .*/\t0100: 03 00 01 11 f0 de bc 9a 78 56 34 12 00 00 00 00/' \
		-e 's|^text r- /proc/cmdline|&\n\troot=UUID=123e4567-e89b-12d3-a456-426614174000 intel_iommu=on vfio_iommu_type1.x=1 host=secret|' \
		-e '/^\tintel_iommu=on$/d' "$M/intel-type2.machine" >"$F/serial"
	printf 'text r- /sys/devices/pci0000:16/0000:16:01.0/0000:17:00.0/serial_number\n\t12-34-56\n' >>"$F/serial"
	grep -q 'f0 de bc 9a' "$F/serial" || fail "no serial number to hide"
	"$CXLVM" list --sysfs "$F/serial" --capture "$F/capture"
	want_no_text "the capture" 'f0 de bc|UUID|secret|serial' "$F/capture"
	want_text "the capture" '^.0100: 03 00 01 11 00 00 00 00 00 00 00 00' "$F/capture"
	want_text "the capture" '^.intel_iommu=on vfio_iommu_type1.x=1$' "$F/capture"
}

# every function that lspci sees, and which of them are CXL devices
this_machine() {
	"$CXLVM" list --json >"$WORK/json"
	want_equal "functions" "$(lspci -D -n | wc -l)" "$(jq .functions "$WORK/json")"
	lspci -D -vv 2>/dev/null | awk '/^[0-9a-f]/ { at = $1 } /CXLCap:/ { print at }' >"$WORK/cxl"
	want_equal "CXL devices" "$(cat "$WORK/cxl")" \
		"$(jq -r '.devices[] | select(.cxl) | .host' "$WORK/json")"
	"$CXLVM" list --capture "$F/this"
	"$CXLVM" list --json --sysfs "$F/this" >"$WORK/captured"
	diff "$WORK/json" "$WORK/captured" || fail "this machine and what was captured of it differ"
	on_scene "$CXLVM" check --json
	[ "$rc" -le 2 ] || fail "status $rc"
	[ "$rc" = 2 ] || jq -e '.links | length > 10' "$WORK/out" >/dev/null || fail "no links"
}

# another user sees less and is told
without_rights() {
	cp "$CXLVM" "$WORK/cxlvm"
	chmod 755 "$WORK" "$WORK/cxlvm"
	chmod 777 "$SCENE"
	for command in list 'list --json' 'check --all' 'check --json'; do
		# shellcheck disable=SC2086 # words
		on_scene setpriv --reuid=65534 --regid=65534 --clear-groups "$WORK/cxlvm" $command
		[ "$rc" -le 2 ] || fail "$command: status $rc"
		[ -s "$WORK/out" ] || [ "$rc" = 2 ] || fail "$command: nothing was printed"
	done
}

# nobody reads
output_is_lost() {
	for command in 'help run' --help --version; do
		rc=0
		# shellcheck disable=SC2086 # words
		"$CXLVM" $command >/dev/full 2>"$WORK/err" || rc=$?
		want_equal "status of $command" 1 "$rc"
		want_text "$command" 'cannot write' "$WORK/err"
	done
	for command in list 'list --json' check 'check --json'; do
		rc=0
		# shellcheck disable=SC2086 # words
		"$CXLVM" $command --sysfs "$M/amd-type2.machine" >/dev/full 2>"$WORK/err" || rc=$?
		want_equal "status of $command" 1 "$rc"
		want_text "$command" 'cannot write' "$WORK/err"
	done
	rc=0
	"$CXLVM" list --sysfs "$M/amd-type2.machine" --capture /dev/full 2>"$WORK/err" || rc=$?
	want_equal "status of a capture" 1 "$rc"
	want_text "a capture" 'cannot write' "$WORK/err"
	[ -c /dev/full ] || fail "/dev/full was removed"
}

names_are_those_of_lspci() {
	"$CXLVM" list --json --sysfs "$M/lab-cxl.machine" >"$WORK/json"
	want_equal "name" "Red Hat, Inc. QEMU NVM Express Controller" \
		"$(jq -r '.devices[] | select(.host == "0000:01:00.0") | .name' "$WORK/json")"
	"$CXLVM" list --numeric --json --sysfs "$M/lab-cxl.machine" >"$WORK/json"
	want_equal "name with --numeric" null "$(jq -r '.devices[0].name' "$WORK/json")"
}

check "bad options are refused" bad_options
check "a device by its address, with or without domain, or its folder" names_of_a_device
check "an address that is not there comes before all else" wrong_name_comes_first
check "what names no device is wrong use" names_of_no_device
check "a folder that is no machine is refused" folder_that_is_no_machine
check "a capture without an opened device" capture_of_no_device
check "files that are no captured machine are refused with the line" bad_trees
check "links that lead in circles end" loops_end
check "a folder and a file of the same machine" folder_is_the_machine
check "a folder is not left, and only regular files of it are read" folder_is_not_left
check "a capture holds no serial number and no other words of the command line" \
	capture_has_no_serials
check "this machine, against lspci" this_machine
if [ "$(id -u)" = 0 ]; then
	check "without rights" without_rights
else
	skip "without rights" "only root can become somebody else"
fi
check "output that cannot be written" output_is_lost
if ldd "$CXLVM" | grep -q libpci; then
	check "names of devices" names_are_those_of_lspci
else
	skip "names of devices" "cxlvm was built without libpci"
fi
tap_end
