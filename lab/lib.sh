# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2034,SC2016
# Shell functions shared by the scripts of this folder. A script sets LAB_DIR (its own folder)
# and then reads this file.

# The recipe of the tree. Its hash is part of the tree's folder name, so a change here makes a
# new tree. Packages of the second list come from the backports suite.
LAB_SUITE=trixie
LAB_KERNEL_MIN=7.3
LAB_QEMU_MIN=11
LAB_PACKAGES='acpica-tools bc binutils bison busybox-static cpio flex gcc-14 kmod libc6-dev libelf-dev make xz-utils zstd'
LAB_BACKPORTS='qemu-system-x86'
LAB_RECIPE_FORMAT=1

say() {
	printf 'lab: %s\n' "$*" >&2
}

die() {
	printf 'lab: error: %s\n' "$*" >&2
	exit 1
}

# usage_error TEXT - wrong arguments: the text and where help is, exit status 2
usage_error() {
	printf 'lab: error: %s\nlab: try: %s --help\n' "$1" "$0" >&2
	exit 2
}

# print_help FILE - the comment at the top of a script, without the comment marks
print_help() {
	sed -n -e '1,2d' -e '/^#/!q' -e 's/^# \{0,1\}//p' "$1"
}

# cache_dir - the folder for everything that is fetched or built once
cache_dir() {
	if [ -n "${CXLVM_CACHE:-}" ]; then
		printf '%s\n' "$CXLVM_CACHE"
	elif [ -n "${XDG_CACHE_HOME:-}" ]; then
		printf '%s\n' "$XDG_CACHE_HOME/cxlvm"
	elif [ -n "${HOME:-}" ]; then
		printf '%s\n' "$HOME/.cache/cxlvm"
	else
		die "no place for the cache: set CXLVM_CACHE to a folder"
	fi
}

# make_once FOLDER WHAT COMMAND - run COMMAND, which makes FOLDER, unless it is there; of several
# processes one does, and the others wait. WHAT is said of it: "making the tree"
make_once() {
	[ ! -d "$1" ] || return 0
	exec 9>"$1.lock"
	if ! flock -n 9; then
		say "another process is $2; waiting for it"
		flock 9
	fi
	[ -d "$1" ] || "$3"
	rm -f "$1.lock"
	exec 9>&-
}

# short_hash - the first 12 hex digits of the SHA-256 of standard input
short_hash() {
	sha256sum | cut -c1-12
}

# tree_dir - where the tree of the present recipe is, or will be
tree_dir() {
	printf '%s/tree-%s\n' "$(cache_dir)" "$(printf '%s\n' "$LAB_RECIPE_FORMAT" "$LAB_SUITE" \
		"$LAB_KERNEL_MIN" "$LAB_QEMU_MIN" "$LAB_PACKAGES" "$LAB_BACKPORTS" | short_hash)"
}

# need_tree - sets TREE (folder), TREE_ROOT (root of the distribution), KERNEL_DIR (unpacked kernel
# packages), KVER (kernel release) and VMLINUZ, or ends with the command that makes the tree
need_tree() {
	TREE=$(tree_dir)
	[ -d "$TREE" ] || die "no tree in $(cache_dir); make it with: $LAB_DIR/tree.sh"
	use_tree "$TREE"
}

use_tree() {
	TREE=$1
	TREE_ROOT=$TREE/root
	KERNEL_DIR=$TREE/kernel
	KVER=
	VMLINUZ=
	if [ -f "$TREE/vmlinuz" ]; then
		KVER=$(cat "$TREE/kver")
		VMLINUZ=$(cat "$TREE/vmlinuz")
		VMLINUZ=$TREE/$VMLINUZ
	fi
}

# in_tree [-b HOSTDIR:TREEDIR]... COMMAND... - as the script in-tree.sh, for the tree in use
in_tree() {
	CXLVM_TREE=$TREE sh "$LAB_DIR/in-tree.sh" "$@"
}

# mirror_uri - the address of the machine's own Debian mirror, taken from its apt configuration
mirror_uri() {
	if [ -n "${CXLVM_MIRROR:-}" ]; then
		printf '%s\n' "$CXLVM_MIRROR"
		return
	fi
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release | tr -d '"')
	uri=$(apt-get indextargets --format '$(LABEL)|$(RELEASE)|$(REPO_URI)' \
		'Created-By: Packages' 2>/dev/null |
		awk -F'|' -v c="$codename" '$1 == "Debian" || $2 == c { print $3; exit }')
	[ -n "$uri" ] || die "apt on this machine has no Debian source;" \
		"set CXLVM_MIRROR to the address of a Debian mirror"
	printf '%s\n' "$uri"
}

# apt_state FOLDER SUITE - a configuration of apt in FOLDER, which the tree sees as /mnt/work, with
# all of its state there and this suite of Debian as its only source
apt_state() {
	mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
	apt_state_mirror=$(mirror_uri)
	printf 'deb %s %s main\n' "$apt_state_mirror" "$2" >"$1/sources.list"
	apt-config dump --no-empty Acquire >"$1/apt.conf"
	cat >>"$1/apt.conf" <<-END
		Dir::Etc::sourcelist "/mnt/work/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::State::lists "/mnt/work/lists";
		Dir::Cache "/mnt/work/cache";
		Acquire::Languages "none";
		APT::Sandbox::User "root";
	END
}

# need_commands COMMAND:PACKAGE... - installs packages of missing commands (as root) or says how
need_commands() {
	missing=
	for pair in "$@"; do
		command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
	done
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		die "missing on this machine:$missing; install with:" \
			"sudo apt-get install --no-install-recommends$missing"
	fi
	say "installing on this machine:$missing"
	log=$(mktemp)
	# shellcheck disable=SC2086 # a list of package names
	if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
		--no-install-recommends $missing; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		rm -f "$log"
		die "apt-get could not install:$missing"
	fi
	rm -f "$log"
}

# megabytes PATH... - their size on disk in MB (10^6 bytes), 0 if there is nothing
megabytes() {
	du -cb "$@" 2>/dev/null | awk 'END { printf "%d\n", ($1 + 500000) / 1000000 }'
}
