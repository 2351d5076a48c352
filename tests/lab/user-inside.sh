# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Runs in the emulated host: a guest on the device of a server.
set -eu
. ./options.sh
. ./guests.sh
new_memory
sh user-serve.sh
guest region-user $REGION_LIMIT bin/cxlvm run --kernel vmlinuz --initrd guest.cpio.gz --memory 512M \
	--device user:/tmp/user --append "$APPEND cxlvm.test=region" --trace cxl_locked_hdm
cp /tmp/server.log out/region-user/server
