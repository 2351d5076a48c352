# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Shared by the tests of the cxlvm program, after tests/tap.sh; runs in the repository's root.

CXLVM=$(realpath "${CXLVM_BUILD:-build}/default/cli/cxlvm")
CXLVM_SWITCHES=$(realpath -m "${CXLVM_BUILD:-build}/lab-switches/cli/cxlvm")
PAYLOAD_TOOL=$(realpath tests/guest/payload.sh)
WORK=$(mktemp -d)
tap_cleanup='rm -rf "$WORK"'
# an empty folder to run in: whatever shows up there, or below TMPDIR, was left behind
SCENE=$WORK/scene
mkdir "$SCENE" "$WORK/files"

# on_scene COMMAND... - sets rc; output in $WORK/out and $WORK/err
on_scene() {
	rm -rf "${SCENE:?}"/*
	rc=0
	(cd "$SCENE" && TMPDIR=$SCENE timeout 60 "$@") >"$WORK/out" 2>"$WORK/err" </dev/null || rc=$?
}

nothing_left() {
	[ -z "$(ls -A "$SCENE")" ] || {
		ls -lA "$SCENE"
		fail "files were left behind"
	}
	# one command for all processes: with one each, most of the time of these tests was spent here
	for folder in $(find /proc/[0-9]*/cwd -maxdepth 0 -lname "$SCENE" 2>/dev/null || :); do
		fail "a process was left behind: $(tr '\0' ' ' <"${folder%cwd}cmdline")"
	done
}

# refused STATUS PATTERN... -- COMMAND... - it has to fail with this status, say all of the patterns
# on standard error and what to do, print nothing else and leave nothing behind
refused() {
	want=$1
	shift
	: >"$WORK/patterns"
	while [ "$1" != -- ]; do
		printf '%s\n' "$1" >>"$WORK/patterns"
		shift
	done
	shift
	on_scene "$@"
	[ "$rc" = "$want" ] || {
		cat "$WORK/out" "$WORK/err"
		fail "exit status $rc instead of $want"
	}
	while read -r pattern; do
		want_text "the message" "$pattern" "$WORK/err"
	done <"$WORK/patterns"
	want_text "the message" '(hint|usage): ' "$WORK/err"
	[ ! -s "$WORK/out" ] || {
		cat "$WORK/out"
		fail "this was written to standard output"
	}
	nothing_left
}

# guest TEST [WORD...] -- [OPTION...] - run the guest with the tests, for at most GUEST_LIMIT seconds
# (100); sets rc; console in $WORK/out, messages in $WORK/err
guest() {
	words=test=$1
	shift
	while [ "$1" != -- ]; do
		words="$words $1"
		shift
	done
	shift
	on_scene "$CXLVM" run --kernel "$WORK/files/guest" --memory 128M --append "$words" \
		--time-limit "${GUEST_LIMIT:-100}" "$@"
}

# have_kvm - prints why /dev/kvm cannot be used
have_kvm() {
	if [ ! -e /dev/kvm ]; then
		echo "there is no /dev/kvm"
	elif [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
		echo "no permission to use /dev/kvm"
	else
		return 0
	fi
	return 1
}
