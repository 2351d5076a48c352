# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Servers and QEMU guests for the interop tests. Read by the scripts of this folder, in the
# repository's root, after tests/tap.sh. SHARE is the folder of all artifacts:
#
#   server/NAME/  socket control memory log status    one cxlvm device
#   out/NAME/     console talk status                 one QEMU and its guest

CXLVM=$(realpath "${CXLVM_SERVER:-${CXLVM_BUILD:-build}/default/cli/cxlvm}")
MEMORY_SIZE=256M

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

# qemu NAME SERVER RAM SECONDS - one QEMU; the conversation is out/NAME/talk.script. RAM: shared or
# private.
qemu() {
	mkdir -p "$SHARE/out/$1"
	case $3 in
	shared) ram=memory-backend-memfd,id=ram0,size=512M,share=on ;;
	private) ram=memory-backend-ram,id=ram0,size=512M ;;
	esac
	qemu_status=0
	"$SHARE/converse" --log "$SHARE/out/$1/console" --timeout "$4" "$SHARE/out/$1/talk.script" -- \
		sh lab/in-tree.sh -b "$SHARE:/mnt/share" -b "$SHARE/server/$2:/mnt/server" \
		qemu-system-x86_64 -accel tcg -cpu max -nodefaults -no-user-config -display none \
		-serial stdio -m 512M -object "$ram" \
		-machine q35,cxl=on,memory-backend=ram0,cxl-fmw.0.targets.0=cxl.1,cxl-fmw.0.size=1G \
		-device pxb-cxl,bus_nr=12,bus=pcie.0,id=cxl.1 \
		-device cxl-rp,port=0,bus=cxl.1,id=rp0,chassis=0,slot=2 \
		-device '{"driver":"vfio-user-pci","bus":"rp0","socket":{"type":"unix","path":"/mnt/server/socket"}}' \
		-kernel /mnt/share/vmlinuz -initrd /mnt/share/guest.cpio.gz \
		-append 'console=ttyS0 quiet cxlvm.test=engine' \
		>"$SHARE/out/$1/talk" 2>&1 || qemu_status=$?
	echo $qemu_status >"$SHARE/out/$1/status"
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
