# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# What the lab's guests are started with, in one place.

# of the device memory: 65536 pages of 4 KiB
REGION_SIZE=256M
REGION_PAGES=65536
# seconds until a guest counts as hung; five times its time on a quiet machine, at least 60
BOOT_LIMIT=90
REGION_LIMIT=400
APPEND='console=ttyS0 quiet'
