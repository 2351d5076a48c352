# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2034
# The packaged QEMU inside of the emulated host, which sees the tree in /tree. Read by scripts that run
# there, in /lab; QEMU sees /lab as /mnt.

# qemu_ready - once in each emulated host
qemu_ready() {
	mount --bind /dev /tree/dev
	mount -t proc proc /tree/proc
	mount -t tmpfs tmpfs /tree/tmp
	mount --bind /lab /tree/mnt
}

# qemu MEMORY ARG... - a machine with the guest's kernel and so much RAM, in a file as cxlvm has it
qemu() {
	qemu_memory=$1
	shift
	timeout 300 chroot /tree qemu-system-x86_64 -accel kvm -cpu host -m "$qemu_memory" \
		-object "memory-backend-memfd,id=ram,size=$qemu_memory,share=on" -machine memory-backend=ram \
		-nodefaults -no-user-config -display none -no-reboot -kernel /mnt/vmlinuz "$@"
}

# q35 with an emulated CXL device of this size, of Type 3: QEMU has no other
Q35_CXL="-M q35,cxl=on,cxl-fmw.0.targets.0=cxl.1,cxl-fmw.0.size=256M
-object memory-backend-ram,id=cxlmem,share=on,size=256M -device pxb-cxl,bus_nr=12,bus=pcie.0,id=cxl.1
-device cxl-rp,port=0,bus=cxl.1,id=rp1,chassis=0,slot=2
-device cxl-type3,bus=rp1,volatile-memdev=cxlmem,id=mem1,sn=1"
# the smallest machine that it has
MICROVM='-M microvm,isa-serial=on'
