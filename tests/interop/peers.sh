# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Servers and QEMU guests for the interop tests. Read by the scripts of this folder, in the
# repository's root, after tests/tap.sh. SHARE is the folder of all artifacts:
#
#   server/NAME/  socket control memory log status    one cxlvm device
#   out/NAME/     console talk status                 one QEMU and its guest

CXLVM=$(realpath "${CXLVM_SERVER:-${CXLVM_BUILD:-build}/default/cli/cxlvm}")
# The command lines of server and QEMU stand in docs/qemu.md.
MEMORY_SIZE=$(sed -n 's/^cxlvm device --socket t2.sock --size \([0-9A-Z]*\) &$/\1/p' docs/qemu.md)

# peers_prepare - kernel, guest and tools
peers_prepare() {
	rm -rf "$SHARE"
	mkdir -p "$SHARE/out" "$SHARE/server"
	peers_tree=$(sh lab/tree.sh --path)
	cp "$peers_tree/$(cat "$peers_tree/vmlinuz")" "$SHARE/vmlinuz"
	sh lab/guest/mkguest.sh "$SHARE/guest.cpio.gz"
	for tool in pattern converse; do
		gcc -std=c11 -O2 -o "$SHARE/$tool" "lab/tools/$tool.c"
	done
}

# server_start NAME [OPTION...] - ready when it returns; the process id is in server/NAME/pid
server_start() {
	server=$SHARE/server/$1
	mkdir -p "$server"
	shift
	"$CXLVM" device --socket "$server/socket" --control "$server/control" \
		--size $MEMORY_SIZE --memory-file "$server/memory" "$@" >"$server/log" 2>&1 &
	echo $! >"$server/pid"
	tries=0
	while [ ! -S "$server/control" ]; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] && kill -0 "$(cat "$server/pid")" 2>/dev/null || {
			cat "$server/log"
			return 1
		}
		sleep 0.1
	done
}

# server_stop NAME - by SIGTERM; its exit status is kept
server_stop() {
	pid=$(cat "$SHARE/server/$1/pid")
	kill -TERM "$pid"
	server_status=0
	wait "$pid" || server_status=$?
	echo $server_status >"$SHARE/server/$1/status"
}

# server_control NAME JSON - one command on the control socket, and the answer
server_control() {
	python3 -c 'import socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
peer.sendall(sys.argv[2].encode() + b"\n")
sys.stdout.write(peer.makefile().readline())' "$SHARE/server/$1/control" "$2"
}

# qemu_command RAM - the QEMU of docs/qemu.md as it runs here, a word a line: with software
# emulation, without what QEMU adds by itself, and with the names of this folder. RAM: shared or
# private. Whatever the document has is run, and what has to be replaced has to be there.
qemu_command() {
	want_ram=$1
	eval "set -- $(sed -n '/^qemu-system-x86_64 /,/^```$/{/^```$/d;p}' docs/qemu.md)"
	echo "$1"
	shift
	printf '%s\n' -accel tcg -cpu max -nodefaults -no-user-config
	replaced=0
	for word in "$@"; do
		case $word in
		-nographic) printf '%s\n' -display none -serial stdio ;;
		memory-backend-memfd,id=ram0,size=512M,share=on)
			[ "$want_ram" = shared ] || word=memory-backend-ram,id=ram0,size=512M
			echo "$word"
			;;
		*'"path":"t2.sock"'*) echo "${word%t2.sock*}/mnt/server/socket${word##*t2.sock}" ;;
		vmlinuz) echo /mnt/share/vmlinuz ;;
		initrd.img) echo /mnt/share/guest.cpio.gz ;;
		console=ttyS0) echo 'console=ttyS0 quiet cxlvm.test=engine' ;;
		*)
			echo "$word"
			continue
			;;
		esac
		replaced=$((replaced + 1))
	done
	[ $replaced = 6 ] || {
		echo "docs/qemu.md: $replaced of 6 words to be replaced are in the command line" >&2
		return 1
	}
}

# qemu NAME SERVER RAM SECONDS - one QEMU; the conversation is out/NAME/talk.script
qemu() {
	mkdir -p "$SHARE/out/$1"
	qemu_command "$3" >"$SHARE/out/$1/command"
	name=$1
	server=$2
	seconds=$4
	set --
	while IFS= read -r word; do
		set -- "$@" "$word"
	done <"$SHARE/out/$name/command"
	qemu_status=0
	"$SHARE/converse" --log "$SHARE/out/$name/console" --timeout "$seconds" \
		"$SHARE/out/$name/talk.script" -- \
		sh lab/in-tree.sh -b "$SHARE:/mnt/share" -b "$SHARE/server/$server:/mnt/server" \
		"$@" >"$SHARE/out/$name/talk" 2>&1 || qemu_status=$?
	echo $qemu_status >"$SHARE/out/$name/status"
}

# A 1 MiB piece of device memory, at 1 MiB: the pattern tool knows whole files only.

# piece_put SERVER SEED - expand the pattern there
piece_put() {
	truncate -s 2M "$SHARE/server/$1/piece"
	"$SHARE/pattern" fill "$SHARE/server/$1/piece" "$2"
	dd if="$SHARE/server/$1/piece" of="$SHARE/server/$1/memory" bs=1M skip=1 seek=1 count=1 \
		conv=notrunc status=none
}

# piece_has SERVER SEED - is the pattern there?
piece_has() {
	truncate -s 2M "$SHARE/server/$1/piece"
	"$SHARE/pattern" fill "$SHARE/server/$1/piece" "$2"
	cmp -n 1048576 "$SHARE/server/$1/piece" "$SHARE/server/$1/memory" 1048576 1048576
}
