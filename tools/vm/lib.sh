# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Shared by the scripts in tools/vm: where things are, messages, host packages.

vm_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(cd "$vm_dir/../.." && pwd)
build=$tree/build
# Big, slow things are cached by hash; clones may share them.
cache=${TLS_HANDOFF_CACHE:-$build/vm}

say() { printf '%s\n' "tls-handoff: $*" >&2; }
die() { say "$*"; exit 2; }

need_root() {
	[ "$(id -u)" -eq 0 ] ||
		die "$1 needs root (it makes chroots and mounts); run it as root, for example in a container with --privileged."
}

# need_disk DIR GIB: says so before a build fails in its middle.
need_disk() {
	local have
	have=$(df --output=avail -BG "$1" | tail -n 1 | tr -dc 0-9)
	[ "$have" -ge "$2" ] ||
		die "$1 has $have GiB free and $2 GiB are needed; make room or point TLS_HANDOFF_CACHE at another disk."
}

# need_program PROGRAM PACKAGE: installs what a bare Debian machine lacks.
need_program() {
	command -v "$1" >/dev/null 2>&1 || need_newest "$2"
}

need_newest() {
	need_root "installing $1"
	command -v apt-get >/dev/null 2>&1 ||
		die "$1 is needed and there is no apt-get to install it with; use a Debian machine."
	say "installing $1 on this machine"
	apt_install "$1" || { apt-get -qq update >&2 && apt_install "$1"; } ||
		die "apt-get could not install $1; check the machine's apt sources and network."
}

apt_install() {
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
		install "$1" >&2
}

# with_lock FILE COMMAND...: one builder, the others wait and find it done.
with_lock() {
	local file=$1 fd
	shift
	mkdir -p "$(dirname "$file")"
	exec {fd}>"$file"
	if ! flock -n "$fd"; then
		say "waiting for another run that holds ${file##*/}"
		flock "$fd"
	fi
	"$@" {fd}>&-
	local status=$?
	exec {fd}>&-
	return $status
}

# hash_of FILE...: short, by content only.
hash_of() { cat "$@" | sha256sum | cut -c1-16; }

# The root that fits the tree; a changed comment makes no new one.
root_dir() {
	local hash
	hash=$(grep -hvE '^[[:space:]]*(#|$)' "$vm_dir/packages" "$vm_dir/root-finish" |
		sha256sum | cut -c1-16)
	printf '%s\n' "$cache/root-$hash"
}

# The program that reports to us from inside the VM, build/vm/init.
vm_init() {
	"$vm_dir/chroot" -- gcc -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -static \
		-o build/vm/init tools/vm/init.c
}
