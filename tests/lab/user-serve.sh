# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Runs in the emulated host: a new server, after the one that runs was killed.
set -eu
if [ -f /tmp/server.pid ]; then
	kill -KILL "$(cat /tmp/server.pid)"
	sleep 1
fi
# what starts this ends everything of its process group
setsid bin/cxlvm device --socket /tmp/user --size 256M --memory-file /tmp/device-memory \
	>>/tmp/server.log 2>&1 </dev/null &
echo $! >/tmp/server.pid
sleep 1
