#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What a user can do wrong: the message names the thing and the numbers and says what to do, the
# status is 1 (cannot be done) or 2 (not understood), and nothing is left behind.
set -eu
. tests/tap.sh
. tests/lib/monitor.sh
F=$WORK/files
DEVICE=sim,size=256M

# kernel_with OFFSET HEX OUT - a copy of the payload with some bytes changed
kernel_with() {
	cp "$F/payload" "$3"
	# shellcheck disable=SC2059 # octal escapes
	for byte in $2; do
		printf "\\$(printf '%03o' $((0x$byte)))"
	done | dd of="$3" bs=1 seek=$(($1)) conv=notrunc 2>/dev/null
}

prepare() {
	sh "$PAYLOAD_TOOL" build "$F/payload"
	sh "$PAYLOAD_TOOL" tests "$F/guest"
	gcc -std=c11 -O2 -shared -fPIC -o "$F/no_capability.so" tests/monitor/no_capability.c
	echo 'this is no kernel' >"$F/text"
	head -c 100000 /dev/zero >"$F/zeros"
	: >"$F/empty"
	head -c 1000 "$F/payload" >"$F/cut-head"
	head -c 1540 "$F/payload" >"$F/cut"
	kernel_with 0x206 '00 02' "$F/protocol"
	kernel_with 0x236 '00 00' "$F/no64"
	# init_size 1 GiB
	kernel_with 0x260 '00 00 00 40' "$F/large"
	# 200 MiB that need no room on disk
	truncate -s 200M "$F/initrd"
}

no_kvm_device() {
	: >"$WORK/not-kvm"
	refused 1 '/dev/kvm' -- unshare --mount --propagation private sh -c \
		'mount --bind "$1" /dev/kvm && shift && exec "$@"' sh "$WORK/not-kvm" \
		"$CXLVM" run --kernel "$F/payload" --device $DEVICE
}

# the memory that KVM would keep about the slots: of a machine that says it has very little
little_memory() {
	echo 'MemAvailable:        300 kB' >"$WORK/meminfo"
	echo N >"$WORK/no"
	refused 1 'keeps 1 MiB about 384 MiB of guest and device memory.* has 0 MiB available' \
		'less device memory' -- unshare --mount --propagation private sh -c '
		mount --bind "$1" /proc/meminfo
		for file in /sys/module/kvm_amd/parameters/npt /sys/module/kvm_intel/parameters/ept; do
			[ ! -e $file ] || mount --bind "$2" $file
		done
		shift 2
		exec "$@"' sh "$WORK/meminfo" "$WORK/no" "$CXLVM" run --kernel "$F/payload" \
		--memory 128M --device $DEVICE
}

# as another user, to whom the device file is closed
no_kvm_permission() {
	cp "$CXLVM" "$WORK/cxlvm"
	chmod 755 "$WORK" "$WORK/cxlvm" "$WORK/files"
	chmod 777 "$SCENE"
	mknod "$WORK/kvm" c 10 232
	chown 0:5 "$WORK/kvm"
	# the file's group helps only where it has the right: mode, and what is to be typed
	for mode in '600 chmod 660 /dev/kvm; usermod -aG kvm' '660 as root: usermod -aG tty'; do
		chmod "${mode%% *}" "$WORK/kvm"
		refused 1 '/dev/kvm.*permission denied' "${mode#* }" -- unshare --mount --propagation private \
			sh -c 'mount --bind "$1" /dev/kvm && shift && exec setpriv --reuid=65534 --regid=65534 \
			--clear-groups "$@"' sh "$WORK/kvm" "$WORK/cxlvm" run --kernel "$F/payload" --device $DEVICE
	done
}

# the names as the hint has them
quirks_are_listed() {
	on_scene "$CXLVM" plan --device sim,size=256M,quirk=
	sed -n 's/^ *hint: quirk is one of //p' "$WORK/err" | tr -d ' ' | tr ',' '\n' >"$WORK/quirks"
	want_equal "number of quirks" 18 "$(wc -l <"$WORK/quirks")"
	"$CXLVM" help run >"$WORK/help"
	while read -r quirk; do
		want_text "help" "[ ,]$quirk(,|$)" "$WORK/help"
		want_text "manual" "^\\.BR $(echo "$quirk" | sed 's/-/\\\\-/g') " man/cxlvm-run.1
	done <"$WORK/quirks"
}

no_memory_file_left() {
	refused 1 'text' -- "$CXLVM" run --kernel "$F/text" --device "$DEVICE,memory-file=here"
	# refused later, when windows are placed
	refused 1 '0xd0000000' -- "$CXLVM" run --kernel "$F/payload" \
		--device "$DEVICE,memory-file=here,window-base=0xd0000000"
}

plan_leaves_nothing() {
	on_scene "$CXLVM" plan --json --device "$DEVICE,memory-file=here"
	want_equal "exit status" 0 "$rc"
	nothing_left
}

# a file that was there stays, with its content
memory_file_kept() {
	echo 'my only copy' >"$F/kept"
	truncate -s 256M "$F/kept"
	refused 1 '0xd0000000' -- "$CXLVM" run --kernel "$F/payload" \
		--device "$DEVICE,memory-file=$F/kept,window-base=0xd0000000"
	want_equal "size" $((256 << 20)) "$(stat -c %s "$F/kept")"
	want_equal "content" 'my only copy' "$(head -n 1 "$F/kept")"
}

# another size is said with both numbers, before anything else
memory_file_of_another_size() {
	for bytes in 5 1048576 268435457; do
		rm -f "$F/other"
		truncate -s $bytes "$F/other"
		refused 1 "other has $bytes bytes.* 268435456" 'truncate -s 268435456' -- "$CXLVM" run \
			--kernel "$F/payload" --device "$DEVICE,memory-file=$F/other"
		want_equal "size" $bytes "$(stat -c %s "$F/other")"
	done
}

# an empty file is given the size only for a machine that starts
memory_file_stays_empty() {
	: >"$F/new"
	refused 1 '0xd0000000' -- "$CXLVM" run --kernel "$F/payload" \
		--device "$DEVICE,memory-file=$F/new,window-base=0xd0000000"
	want_equal "size" 0 "$(stat -c %s "$F/new")"
}

# of two devices of one machine
memory_file_twice() {
	refused 1 "shared is another device's memory here" 'file of its own' -- "$CXLVM" run \
		--kernel "$F/payload" --device "$DEVICE,memory-file=$F/shared" \
		--device "$DEVICE,memory-file=$F/shared"
	[ ! -e "$F/shared" ] || fail "it is still there"
}

# of two machines: the holder is named
memory_file_of_another_machine() {
	"$CXLVM" run --kernel "$F/guest" --memory 128M --append test=forever --time-limit 50 \
		--device "$DEVICE,memory-file=$F/shared" >"$F/first.out" 2>"$F/first.err" </dev/null &
	first=$!
	for _ in $(seq 100); do
		! grep -qs '^guest: waiting' "$F/first.out" || break
		sleep 0.1
	done
	refused 1 "shared is the memory of a device of process $first" 'file of its own' -- "$CXLVM" run \
		--kernel "$F/payload" --device "$DEVICE,memory-file=$F/shared"
	kill $first
	wait $first || :
	want_equal "size" 268435456 "$(stat -c %s "$F/shared")"
	rm "$F/shared"
}

no_events_file_left() {
	refused 1 'text' -- "$CXLVM" run --kernel "$F/text" --events here
	refused 1 '0xd0000000' -- "$CXLVM" run --kernel "$F/payload" --events here \
		--device "$DEVICE,window-base=0xd0000000"
	echo 'what was' >"$F/log"
	refused 1 'text' -- "$CXLVM" run --kernel "$F/text" --events "$F/log"
	want_equal "an events file that was there" 'what was' "$(cat "$F/log")"
}

# said once, and the run is not held
events_file_is_full() {
	on_scene "$CXLVM" run --kernel "$F/guest" --memory 128M --cpus 3 --append test=storm-flr \
		--device $DEVICE --events /dev/full --time-limit 50
	want_equal "exit status" 0 "$rc"
	want_equal "how often it is said" 1 \
		"$(grep -c "events file '/dev/full' does not take all events: No space left" "$WORK/err")"
}

# The limit on files (ulimit -f) is as a full disk. What is printed goes through pipes, as it holds
# for files, too.
files_are_limited() {
	# device memory is a file, too; in blocks of 512 bytes
	truncate -s 256M "$F/limited"
	{
		status=0
		(ulimit -f 524288 && exec "$CXLVM" run --kernel "$F/guest" --memory 128M --cpus 3 \
			--append test=storm-system --device $DEVICE --events "$F/limited" --time-limit 50) 2>&1 || status=$?
		echo "status $status"
	} </dev/null | cat >"$WORK/out"
	want_text "the guest" '^guest: passed' "$WORK/out"
	want_text "the end" '^status 0' "$WORK/out"
	want_equal "how often it is said" 1 \
		"$(grep -c "limited' does not take all events: File too large" "$WORK/out")"
	for use in "run --kernel $F/payload --device $DEVICE,memory-file=$SCENE/memory" \
		"plan --svg $SCENE/map.svg"; do
		# shellcheck disable=SC2086 # words
		(ulimit -f 0 && exec "$CXLVM" $use) 2>&1 </dev/null | cat >"$WORK/out"
		want_text "$use" 'File too large' "$WORK/out"
		nothing_left
	done
}

# a mapping of device memory that this process has no room for
little_address_space() {
	refused 1 'mapping 0x40000000000 bytes of device memory: Cannot allocate memory' 'ulimit -v' -- \
		sh -c 'ulimit -v 2000000; exec "$@"' sh "$CXLVM" plan --device sim,size=4T
}

# a named pipe that nobody writes to
kernel_is_a_pipe() {
	mkfifo "$F/pipe"
	refused 1 'pipe.*not a regular file' '--kernel' -- "$CXLVM" run --kernel "$F/pipe"
	refused 1 'pipe.*not a regular file' '--initrd' -- "$CXLVM" run --kernel "$F/payload" \
		--initrd "$F/pipe"
	refused 1 'pipe.*not a regular file' -- "$CXLVM" run --kernel "$F/payload" \
		--device "$DEVICE,memory-file=$F/pipe"
}

# at each number that is too small
few_descriptors() {
	for n in $(seq 4 40); do
		on_scene sh -c 'ulimit -n $1; shift; exec "$@"' sh "$n" "$CXLVM" run --kernel "$F/guest" \
			--memory 128M --append test=hello --device $DEVICE --events here --time-limit 50
		[ "$rc" != 0 ] || break
		[ "$rc" = 1 ] || continue # the loader's
		want_text "the message with $n" 'too many open files' "$WORK/err"
		want_text "the hint with $n" 'hint: .*ulimit -n' "$WORK/err"
		nothing_left
	done
	want_equal "exit status with $n descriptors" 0 "$rc"
	[ "$n" -gt 10 ] || fail "$n descriptors were enough"
}

few_slots() {
	refused 1 'all 2 memory slots of KVM are in use' 'fewer devices' -- \
		env LD_PRELOAD="$F/no_capability.so" NO_CAPABILITY=10 CAPABILITY_VALUE=2 \
		"$CXLVM" run --kernel "$F/payload" --memory 128M --device $DEVICE --device $DEVICE
}

# elf_with OFFSET HEX OUT - a copy of the ELF kernel with some bytes changed
elf_with() {
	cp "$F/guest.elf" "$F/payload.kept"
	mv "$F/payload" "$F/payload.image"
	mv "$F/payload.kept" "$F/payload"
	kernel_with "$@"
	mv "$F/payload.image" "$F/payload"
}

# a KVM that lacks one capability: number, and what the message says
no_capability() {
	refused 1 "$2" -- env LD_PRELOAD="$F/no_capability.so" NO_CAPABILITY="$1" \
		"$CXLVM" run --kernel "$F/payload" --device $DEVICE
}

many_devices() {
	set --
	for _ in $(seq 33); do
		set -- "$@" --device $DEVICE
	done
	refused 2 'more than 32 devices' -- "$CXLVM" plan "$@"
}

# 32 windows of 1 GiB need more than 34 bits
too_many_for_the_width() {
	set --
	for _ in $(seq 32); do
		set -- "$@" --device sim,size=1G
	done
	refused 1 'address width|address bits' -- "$CXLVM" plan --phys-bits 34 "$@"
}

console_that_is_none() {
	on_scene sh -c '"$1" run --kernel "$2" --memory 128M --append test=hello --time-limit 30 \
		0<&- 1>&- 2>"$3"' sh "$CXLVM" "$F/guest" "$F/closed.err"
	want_equal "exit status without standard input and output" 0 "$rc"
}

K="--kernel $F/payload"
prepare
# shellcheck disable=SC2086 # $K is two words
{
	check "no arguments at all" refused 2 'usage|command' -- "$CXLVM"
	check "unknown command" refused 2 'fly' -- "$CXLVM" fly
	check "no kernel" refused 2 '--kernel' -- "$CXLVM" run --device $DEVICE
	check "kernel: no such file" refused 1 'missing.*no such file' -- \
		"$CXLVM" run --kernel "$F/missing"
	check "kernel: a folder" refused 1 'files.*not a regular file' -- "$CXLVM" run --kernel "$F"
	check "kernel: a text file" refused 1 "text.*not.*bzImage.*18 bytes" -- \
		"$CXLVM" run --kernel "$F/text"
	check "kernel: empty" refused 1 "empty.*not.*bzImage.*0 bytes" -- \
		"$CXLVM" run --kernel "$F/empty"
	check "kernel: zeros" refused 1 'zeros.*not.*bzImage.*0x0*0[^0-9a-f].*HdrS' -- \
		"$CXLVM" run --kernel "$F/zeros"
	check "kernel: boot protocol too old" refused 1 'protocol.*0x0200.*0x020c' -- \
		"$CXLVM" run --kernel "$F/protocol"
	check "kernel: no 64-bit entry" refused 1 'no64.*64-bit' -- "$CXLVM" run --kernel "$F/no64"
	check "kernel: truncated" refused 1 'cut.*truncated.*1540.*1568' -- \
		"$CXLVM" run --kernel "$F/cut"
	check "kernel: truncated within the setup part" refused 1 'cut-head.*1000' -- \
		"$CXLVM" run --kernel "$F/cut-head"
	check "kernel: too large for the memory" refused 1 \
		'large.*too large.*0x40100000.*512 MiB.*0x20000000' 'more --memory.*[0-9]+M' -- \
		"$CXLVM" run --kernel "$F/large" --memory 512M
	elf_with 18 '03 00' "$F/elf-machine"
	check "kernel: an ELF file for another machine" refused 1 'elf-machine.*another machine' 'bzImage' \
		-- "$CXLVM" run --kernel "$F/elf-machine"
	elf_with 56 'ff ff' "$F/elf-headers"
	check "kernel: an ELF file with too many headers" refused 1 'elf-headers.*too many' -- \
		"$CXLVM" run --kernel "$F/elf-headers"
	head -c 5000 "$F/guest.elf" >"$F/elf-cut"
	check "kernel: an ELF file that is truncated" refused 1 'elf-cut.*truncated' -- \
		"$CXLVM" run --kernel "$F/elf-cut"
	cp "$CXLVM" "$F/elf-program"
	check "kernel: an ELF file without a PVH entry" refused 1 'elf-program.*not.*PVH' 'CONFIG_PVH' -- \
		"$CXLVM" run --kernel "$F/elf-program"
	check "initrd: no such file" refused 1 'missing.*no such file' -- \
		"$CXLVM" run $K --initrd "$F/missing"
	check "initrd: does not fit" refused 1 'initrd.*209715200 bytes.*not fit' '--memory' -- \
		"$CXLVM" run $K --initrd "$F/initrd" --memory 128M
	check "device: size is no multiple of 256 MiB" refused 1 'size.*104857600.*256 MiB' -- \
		"$CXLVM" run $K --device sim,size=100M
	check "device: size 0" refused 2 'size' -- "$CXLVM" run $K --device sim,size=0
	check "device: size with rubbish" refused 2 'size.*256Q' -- \
		"$CXLVM" run $K --device sim,size=256Q
	check "device: size beyond 64 bits" refused 2 'size.*99999999999999999999' -- \
		"$CXLVM" run $K --device sim,size=99999999999999999999
	check "device: negative size" refused 2 'size.*-256M' -- \
		"$CXLVM" run $K --device sim,size=-256M
	check "device: no size" refused 2 'size' -- "$CXLVM" run $K --device sim
	check "device: unknown kind" refused 2 'disk' 'sim' -- "$CXLVM" run $K --device disk,size=256M
	check "device: user without a socket" refused 2 'names no socket' 'user:SOCKET' -- \
		"$CXLVM" run $K --device user:
	check "device: keys of a sim for user" refused 2 'size' 'keys are cxl' -- \
		"$CXLVM" run $K --device user:socket,size=1G
	check "device: socket that is not there" refused 1 'at nowhere' 'No such file' \
		'cxlvm device --socket nowhere' -- "$CXLVM" run $K --device user:nowhere
	check "device: socket path that is too long" refused 1 '200 bytes' '107' 'shorter' -- \
		"$CXLVM" run $K --device "user:$(printf %200s | tr ' ' x)"
	check "device: a file in place of a socket" refused 1 'text' 'refused' -- \
		"$CXLVM" run $K --device "user:$F/text"
	check "device: vfio without a device" refused 2 'names no device' 'vfio:0000:17:00.0' -- \
		"$CXLVM" run $K --device vfio:
	check "device: keys of a sim for vfio" refused 2 'size' 'keys are cxl' -- \
		"$CXLVM" run $K --device vfio:0000:17:00.0,size=1G
	# a number that a file of our own may get later
	for command in run plan; do
		check "device: a descriptor that is not open, $command" refused 2 \
			'descriptor 5 is not open' '5<>/dev/vfio/devices/vfio0' -- \
			"$CXLVM" $command $K --device vfio:fd=5
	done
	check "device: vfio that is no descriptor" refused 2 'fd=five' 'fd=N' -- \
		"$CXLVM" run $K --device vfio:fd=five
	check "device: vfio with a descriptor of something else" refused 1 'descriptor 0 is not' \
		'/dev/vfio/devices/vfioN' -- "$CXLVM" plan --device vfio:fd=0
	check "device: vfio that is no address" refused 1 'eth0.*neither a PCI address' 'lspci' -- \
		"$CXLVM" plan --device vfio:eth0
	check "device: vfio that is not there" refused 1 'no PCI device fffe:17:00.0' 'lspci' -- \
		"$CXLVM" plan --device vfio:fffe:17:00.0
	check "device: vfio folder that is not there" refused 1 'no folder.*/sys/devices/nowhere.0' \
		'/sys/devices' -- "$CXLVM" plan --device vfio:/sys/devices/nowhere.0
	check "device: unknown key" refused 2 'colour' -- \
		"$CXLVM" run $K --device $DEVICE,colour=blue
	check "device: key without value" refused 2 'generation' -- \
		"$CXLVM" run $K --device $DEVICE,generation
	check "device: unknown generation" refused 2 'generation.*9' -- \
		"$CXLVM" run $K --device $DEVICE,generation=9
	check "device: generation with rubbish" refused 2 'generation.*five' -- \
		"$CXLVM" run $K --device $DEVICE,generation=five
	check "device: unknown decoder policy" refused 2 'decoder.*mine' 'locked or guest' -- \
		"$CXLVM" run $K --device $DEVICE,decoder=mine
	check "device: unknown value of cxl" refused 2 'cxl.*perhaps' 'auto, on or off' -- \
		"$CXLVM" run $K --device $DEVICE,cxl=perhaps
	check "device: unknown value of require-dma" refused 2 'require-dma.*off' 'auto or on' -- \
		"$CXLVM" run $K --device $DEVICE,require-dma=off
	check "device: unknown value of allow-slow" refused 2 'allow-slow.*auto' 'off or on' -- \
		"$CXLVM" run $K --device $DEVICE,allow-slow=auto
	check "device: window without a name" refused 2 "window ''" '63 bytes' -- \
		"$CXLVM" run $K --device $DEVICE,window=
	check "device: window with a name that is too long" refused 2 'window.*wwww' '63 bytes' -- \
		"$CXLVM" run $K --device "$DEVICE,window=$(printf 'w%.0s' $(seq 64))"
	check "device: window with a name that JSON does not take" refused 2 'window' 'printable ASCII' -- \
		"$CXLVM" plan --device "$DEVICE,window=$(printf 'a\377')"
	check "device: window with a name of two lines" refused 2 'window' 'printable ASCII' -- \
		"$CXLVM" plan --device "$DEVICE,window=$(printf 'a\nb')"
	check "device: an unknown key is told all known ones" refused 2 'colour' \
		'size, generation, cxl, decoder, window, window-base, cxl-fmws-base, require-dma, allow-slow, memory-file' \
		-- "$CXLVM" plan --device $DEVICE,colour=blue
	check "device: two windows of one name" refused 1 'sim1.*window fast' 'name of its own' -- \
		"$CXLVM" plan --device $DEVICE,window=fast --device $DEVICE,window=fast
	check "device: unknown quirk" refused 2 'quirk.*slow' 'no-mmap,.*, decoder-lost$' -- \
		"$CXLVM" run $K --device $DEVICE,quirk=slow
	check "device: quirks that exclude each other" refused 1 'base-zero and base-host' -- \
		"$CXLVM" plan --device $DEVICE,quirk=base-zero,quirk=base-host
	check "device: help and manual name all quirks" quirks_are_listed
	check "device: quirk that makes the device unusable" refused 1 'mmap' -- \
		"$CXLVM" plan --device $DEVICE,quirk=no-mmap
	check "device: quirks that make no difference" "$CXLVM" plan --json \
		--device $DEVICE,generation=3,quirk=base-zero,quirk=shadow-lost
	check "device: memory file cannot be made" refused 1 'nowhere/file' -- \
		"$CXLVM" run $K --device $DEVICE,memory-file=/nowhere/file
	check "memory: too little" refused 1 'memory.*16777216 .*67108864 .64M' -- "$CXLVM" run $K --memory 16M
	check "memory: the letter is forgotten" refused 1 'memory of 512 bytes' 'bytes without K, M, G' -- \
		"$CXLVM" run $K --memory 512
	check "memory: rubbish" refused 2 'memory.*much' -- "$CXLVM" run $K --memory much
	check "memory: beyond the address width" refused 1 'memory.*0x10000000000' -- \
		"$CXLVM" plan --json --memory 2048G --phys-bits 40 --device $DEVICE
	check "address width: too small" refused 2 'phys-bits.*16' -- \
		"$CXLVM" plan --json --phys-bits 16 --device $DEVICE
	check "address width: no room above 4 GiB" refused 1 '0x100000000 .*32 bits' 'at least 33 bits' -- \
		"$CXLVM" plan --phys-bits 32
	check "address width: rubbish" refused 2 'phys-bits.*wide' -- "$CXLVM" run $K --phys-bits wide
	check "time limit: rubbish" refused 2 'time-limit.*soon' -- "$CXLVM" run $K --time-limit soon
	check "time limit: 0" refused 2 'time-limit.*0' -- "$CXLVM" run $K --time-limit 0
	check "cpus: 0" refused 2 'cpus.*0.*virtual CPUs' '1 to 255' -- "$CXLVM" run $K --cpus 0
	check "cpus: too many" refused 2 'cpus.*256' -- "$CXLVM" run $K --cpus 256
	check "memory: leaves no room for the window" refused 1 \
		'(address|window).*0x1000000000|36 (address )?bits' -- \
		"$CXLVM" plan --memory 60G --phys-bits 36 --device sim,size=8G
	check "more than 32 devices" many_devices
	check "more devices than the address width carries" too_many_for_the_width
	check "unknown option" refused 2 '--colour' -- "$CXLVM" run $K --colour blue
	check "option without value" refused 2 '--memory' -- "$CXLVM" run $K --memory
	check "an argument that belongs to no option" refused 2 'stray' -- "$CXLVM" run $K stray
	check "trace pattern that matches nothing" refused 2 'no_such_trace' -- \
		"$CXLVM" run $K --device $DEVICE --trace no_such_trace
}
check "a refused start leaves no memory file behind" no_memory_file_left
check "a refused start does not touch a memory file that was there" memory_file_kept
check "a memory file of another size is refused, and not touched" memory_file_of_another_size
check "a refused start leaves an empty memory file empty" memory_file_stays_empty
check "a refused start leaves no events file behind" no_events_file_left
check "a named pipe is no kernel, no initrd, no memory file" kernel_is_a_pipe
check "plan makes no memory file" plan_leaves_nothing
check "device memory without address space for it" little_address_space
if reason=$(have_kvm); then
	check "KVM without immediate exit" no_capability 136 'KVM_CAP_IMMEDIATE_EXIT is missing'
	check "KVM without interrupt controllers" no_capability 0 'KVM_CAP_IRQCHIP is missing'
	check "KVM without interrupts by eventfd" no_capability 32 'KVM_CAP_IRQFD'
	check "more CPUs than KVM offers" refused 1 'cpus 3 .*more than the 2' 'at most 2' -- \
		env LD_PRELOAD="$F/no_capability.so" NO_CAPABILITY=66 CAPABILITY_VALUE=2 \
		"$CXLVM" run --kernel "$F/payload" --cpus 3
	check "no standard input and output" console_that_is_none
	check "two devices, one memory file" memory_file_twice
	check "two machines, one memory file" memory_file_of_another_machine
	check "an events file that takes no more" events_file_is_full
	check "a limit on files" files_are_limited
	check "too few descriptors" few_descriptors
	check "too few memory slots" few_slots
else
	skip "a KVM that lacks something" "$reason"
fi
if [ "$(id -u)" = 0 ]; then
	check "/dev/kvm is no KVM" no_kvm_device
	check "p9_more_memory_than_kvm_can_keep_account_of" little_memory
	check "/dev/kvm: no permission" no_kvm_permission
else
	skip "/dev/kvm cannot be used" "needs root to hide it"
fi
tap_end
