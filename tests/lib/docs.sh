#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Manual pages and documents: they are well formed, name only what there is, and all of it. Speaks
# TAP; run by ./dev docs.
#
#   docs.sh CXLVM-PROGRAM
set -eu
. tests/tap.sh
cxlvm=$1

# without a date: it would only tell when somebody thought of it
man_page() {
	mandoc -T lint -W warning "$1" 2>&1 | grep -v 'missing date' >"$tap_out.man" || :
	[ ! -s "$tap_out.man" ] || fail "$(cat "$tap_out.man")"
	[ -z "$(groff -man -ww -z "$1" 2>&1)" ] || fail "$(groff -man -ww -z "$1" 2>&1)"
	grep -q "'$1'" meson.build || fail "$1 is not installed"
}

# the options that "cxlvm help COMMAND" knows
options_of() {
	"$cxlvm" help "$1" | grep -oE '(^|[ ,])--[a-z][a-z-]*' | tr -d ' ,' | grep -vx -e --help | sort -u
}

# plan has those of run, and its page says so
options_in_man() {
	[ -n "$(options_of "$1")" ] || fail "no options in: cxlvm help $1"
	pages=man/cxlvm-$1.1
	[ "$1" != plan ] || pages="$pages man/cxlvm-run.1"
	for option in $(options_of "$1"); do
		# shellcheck disable=SC2086 # a list of files
		cat $pages | sed 's/\\-/-/g' | grep -qE -e "$option([^a-z-]|\$)" ||
			fail "$pages: no $option"
	done
}

# the kinds of events that the monitor tells
events() {
	sed -nE -e 's/.*events_add\([^,"]*, "([a-z-]+)".*/\1/p' -e 's/.*\[(CXLVM|DEVICE)_EVENT_[A-Z_]+\] = "([a-z-]+)".*/\2/p' \
		monitor/*.c | sort -u
}

events_are_described() {
	want_text "events of the monitor" '^device-requested$' /dev/stdin <<-end
		$(events)
	end
	want_text "events of the monitor" '^content-lost$' /dev/stdin <<-end
		$(events)
	end
	for event in $(events); do
		grep -q "^| .event. |.*\`$event\`" docs/control.md || fail "docs/control.md: no $event"
		sed 's/\\-/-/g' man/cxlvm-run.1 | sed -n '/^.SH EVENTS/,/^.SH EXIT/p' |
			grep -qE "(^|[ \"])$event([ \",.;]|\$)" || fail "man/cxlvm-run.1: no $event"
	done
}

# "FILE:LINK" of all links of the documents that stay in the tree
links() {
	find . \( -path ./build -o -path ./.git \) -prune -o -name '*.md' -print | while read -r file; do
		grep -oE '\]\([^)# ]+' "$file" | sed 's/^](//' | grep -vE '^[a-z]+:' |
			sed "s|^|$file:|" || :
	done
}

links_lead_somewhere() {
	[ -n "$(links)" ] || fail "no links"
	for link in $(links); do
		file=${link%%:*}
		[ -e "${file%/*}/${link#*:}" ] || fail "$file: there is no ${link#*:}"
	done
}

# paths in backquotes that look like ours
paths_exist() {
	for file in README.md CONTRIBUTING.md docs/*.md; do
		for path in $(grep -oE '`(src|include|monitor|cli|lab|tests|fuzz|bench|docs|man)/[A-Za-z0-9_./-]+`' \
			"$file" | tr -d '`' | sort -u); do
			[ -e "$path" ] || fail "$file: there is no $path"
		done
	done
}

# What "./dev test interop" runs is made of what the document says: words that it replaces are there,
# everything else stays.
qemu_is_documented() {
	. tests/interop/peers.sh
	want_equal "size of the server's memory" 256M "$MEMORY_SIZE"
	qemu_command private >"$tap_out.private"
	qemu_command shared >"$tap_out.shared"
	want_equal "words that make memory private" 'memory-backend-ram,id=ram0,size=512M' \
		"$(grep -vxFf "$tap_out.shared" "$tap_out.private")"
	for word in $(sed -n '/^qemu-system/,/^```$/p' docs/qemu.md | grep -oE '[a-z-]+=[^ ,]+'); do
		grep -qF -e "$word" "$tap_out.shared" || fail "not run: $word"
	done
	sed 's/initrd.img/other.img/' docs/qemu.md >"$tap_out.md"
	mkdir "$tap_out.d"
	mkdir "$tap_out.d/docs"
	mv "$tap_out.md" "$tap_out.d/docs/qemu.md"
	! (cd "$tap_out.d" && qemu_command shared) >/dev/null 2>&1 || fail "another initrd is not noticed"
	rm -r "$tap_out.d" "$tap_out.private" "$tap_out.shared"
}

for page in man/*; do
	check "$page is well formed and installed" man_page "$page"
done
for page in man/cxlvm-*.1; do
	command=${page#man/cxlvm-}
	check "$page has every option" options_in_man "${command%.1}"
done
check "all events are described" events_are_described
check "links in documents lead somewhere" links_lead_somewhere
check "paths in documents exist" paths_exist
check "docs/qemu.md has the command line that the interop test runs" qemu_is_documented
rm -f "$tap_out.man"
tap_end
