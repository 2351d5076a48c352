# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# What the lab's guests are started with, in one place.

# of the device memory: 65536 pages of 4 KiB
REGION_SIZE=256M
REGION_PAGES=65536
# of the second device, of the guest that has two
SECOND_SIZE=512M
SECOND_PAGES=131072
# seconds until a guest counts as hung; five times its time on a quiet machine, at least 60
BOOT_LIMIT=90
REGION_LIMIT=400
TRIALS_LIMIT=600
# of the guest that tries things
TRIALS_OPTIONS='--memory 512M --cpus 2 --numa'
# of the demo's guest
DEMO_OPTIONS='--memory 512M'
APPEND='console=ttyS0 quiet'
