# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Runs in the emulated host: servers, and what is done to them while a guest is busy.
#
#   user-serve.sh start NAME        a server on the socket /tmp/NAME with its memory in /tmp/NAME.memory;
#                                   its process number is in /tmp/NAME.pid, messages go to /tmp/NAME.log
#   user-serve.sh mark NAME         remember the first word of its memory
#   user-serve.sh kill NAME         kill it as soon as the memory's first word is another one
#   user-serve.sh end NAME          ask it to end; fails if it does not, or leaves its socket behind
#   user-serve.sh meet NAME OTHER   go on when somebody else has said: meet OTHER NAME
set -eu

start() {
	# what starts this ends everything of its process group
	LD_LIBRARY_PATH=/lab/lib ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1 \
		setsid bin/server device --socket "/tmp/$1" --size 256M --memory-file "/tmp/$1.memory" \
		>>"/tmp/$1.log" 2>&1 </dev/null &
	echo $! >"/tmp/$1.pid"
	for _ in $(seq 300); do
		! bin/cxlvm plan --device "user:/tmp/$1" >/tmp/plan 2>&1 || return 0
		sleep 0.2
	done
	cat /tmp/plan "/tmp/$1.log"
	return 1
}

# first_word FILE
first_word() {
	od -An -v -tx1 -N 8 "$1"
}

kill_in_a_fill() {
	tries=0
	while [ "$(first_word "/tmp/$1.memory")" = "$(cat "/tmp/$1.mark")" ] && [ $tries -lt 5000 ]; do
		tries=$((tries + 1))
	done
	kill -KILL "$(cat "/tmp/$1.pid")"
}

end() {
	pid=$(cat "/tmp/$1.pid")
	kill -TERM "$pid"
	for _ in $(seq 100); do
		[ -d "/proc/$pid" ] || break
		sleep 0.2
	done
	[ ! -d "/proc/$pid" ]
	[ ! -e "/tmp/$1" ]
}

meet() {
	: >"/tmp/meet.$1.$2"
	for _ in $(seq 1500); do
		[ ! -e "/tmp/meet.$2.$1" ] || return 0
		sleep 0.2
	done
	return 1
}

case $1 in
start) start "$2" ;;
mark) first_word "/tmp/$2.memory" >"/tmp/$2.mark" ;;
kill) kill_in_a_fill "$2" ;;
end) end "$2" ;;
meet) meet "$2" "$3" ;;
esac
