#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Run a program of the tree (see tree.sh).
#
#   in-tree.sh [-b HOSTDIR:TREEDIR]... COMMAND [ARG...]
#
# COMMAND runs with the tree as its root folder, in a mount namespace of its own, with this
# machine's /dev and /proc and an empty /tmp. -b shows the folder HOSTDIR as TREEDIR, which
# must be below /mnt. Nothing is forked: a signal sent to this process reaches COMMAND.
set -eu
LAB_DIR=$(dirname "$0")
. "$LAB_DIR/lib.sh"

binds=
while [ $# -gt 0 ]; do
	case $1 in
	-b)
		[ $# -ge 2 ] || usage_error "-b needs HOSTDIR:TREEDIR"
		host=${2%:*}
		inside=${2##*:}
		[ -d "$host" ] || die "$host: no such folder"
		case $inside in
		/mnt/?*) ;;
		*) usage_error "$2: the folder in the tree must be below /mnt" ;;
		esac
		host=$(cd "$host" && pwd)
		binds="$binds$host
$inside
"
		shift 2
		;;
	-h | --help)
		print_help "$0"
		exit 0
		;;
	--)
		shift
		break
		;;
	-*) usage_error "unknown option $1" ;;
	*) break ;;
	esac
done
[ $# -gt 0 ] || usage_error "which command?"

if [ -n "${CXLVM_TREE:-}" ]; then
	use_tree "$CXLVM_TREE"
else
	need_tree
fi

# Runs in the new namespace: mounts vanish with the last process in it.
# shellcheck disable=SC2016 # expanded by the inner shell
enter='
set -eu
root=$1 binds=$2
shift 2
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/mnt"
printf "%s" "$binds" | while IFS= read -r host && IFS= read -r inside; do
	mkdir -p "$root$inside"
	mount --bind "$host" "$root$inside"
done
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
	DEBIAN_FRONTEND=noninteractive TERM="${TERM:-dumb}" chroot "$root" "$@"
'
user=
[ "$(id -u)" = 0 ] || user='--user --map-root-user'
# shellcheck disable=SC2086 # no word when root
exec unshare $user --mount --propagation private sh -c "$enter" in-tree \
	"$TREE_ROOT" "$binds" "$@"
