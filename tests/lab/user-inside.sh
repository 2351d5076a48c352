# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Runs in the emulated host: guests on the devices of servers. Argument: LAB_FULL of the tests.
set -eu
. ./options.sh
. ./guests.sh

# A server with sanitizers is a dynamic program. Where its shadow memory belongs has to be free, which
# it is not in all address spaces that are as random as this kernel makes them.
if [ -d lib ]; then
	mkdir -p /lib64
	cp lib/ld-linux-x86-64.so.2 /lib64/
	echo 28 >/proc/sys/vm/mmap_rnd_bits
fi

# region NAME MEMORY - a Linux guest on the device of the server NAME
region() {
	GUEST_WORK=/tmp/guest-$1
	guest "region-$1" $REGION_LIMIT bin/cxlvm run --kernel vmlinuz --initrd guest.cpio.gz \
		--memory "$2" --device "user:/tmp/$1" \
		--append "$APPEND iomem=relaxed cxlvm.test=region" --trace cxl_locked_hdm
}

# end NAME - the server's messages are kept
end() {
	sh user-serve.sh end "$1" || echo "NOTE server $1 did not end" | tee -a "/tmp/$1.log"
	cp "/tmp/$1.log" "out/$1.log"
}

sh user-serve.sh start user
LAB_FULL=$1 sh user-clients.sh >out/clients 2>&1 || :
region user 512M
end user
rm /tmp/user.memory

sh user-serve.sh start one
sh user-serve.sh start two
region one 256M &
region two 256M &
wait
end one
end two
