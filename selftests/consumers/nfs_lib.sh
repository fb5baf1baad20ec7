# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# An NFS server with one export on one side, mounts of it on the other.

# nfs_server XPRTSEC [THREADS]: an export of a file system in memory.
nfs_server() {
	modprobe nfsd
	mkdir -p export
	undo on server exportfs -ua
	undo on server rpc.nfsd 0
	mkdir pipefs
	on server sh -ec "
		mount -t tmpfs tmpfs /var/lib/nfs
		mkdir /var/lib/nfs/nfsdcld
		touch /var/lib/nfs/etab /var/lib/nfs/rmtab
		mount -t tmpfs -o mode=777 tmpfs export
		mount -t rpc_pipefs rpc_pipefs pipefs
		mount -t nfsd nfsd /proc/fs/nfsd" > nfsd.log 2>&1 || fail "nfsd: $(cat nfsd.log)"
	# Without it opens wait until the grace period is over; nfsd waits a second for it.
	start server nfsdcld.log nfsdcld --foreground --pipefsdir="$PWD/pipefs"
	until_true watches_a_folder "$started"
	on server rpc.nfsd --no-nfs-version 3 "${2-4}" > nfsd.log 2>&1 ||
		fail "nfsd: $(cat nfsd.log)"
	start server mountd.log rpc.mountd --foreground --no-nfs-version 3
	nfs_export "$1"
	until_true has_line mountd.log 'starting'
}

# watches_a_folder PID: by inotify, as nfsdcld does for nfsd's pipe
watches_a_folder() { grep -qs '^inotify' "/proc/$1/fdinfo/"*; }

nfs_export() {
	on server exportfs -o "rw,fsid=0,no_subtree_check,no_root_squash,insecure,xprtsec=$1" \
		"*:$PWD/export" > exportfs.log 2>&1 || fail "exportfs: $(cat exportfs.log)"
}

# nfs_mount XPRTSEC [NAME [FOLDER]]: whether it could be mounted; mount.log says why not.
nfs_mount() {
	local folder=${3-mnt}
	mkdir -p "$folder"
	undo on client umount -f -l "$folder"
	on client timeout "$deadline" mount -t nfs4 "${2-server.test}:/" "$folder" \
		-o "vers=4.2,retry=0,xprtsec=$1" > mount.log 2>&1
}

expect_nfs_mount() {
	nfs_mount "$@" ||
		fail "mount with $1: $(cat mount.log) $(tail -n 3 client.log server.log)"
}

nfs_umount() {
	on client timeout --kill-after=5 "$deadline" umount "${1-mnt}" || fail "umount: $?"
}

# nfs_write SIZE and nfs_read SIZE: past the client's cache.
nfs_write() {
	data "$1" | on client timeout --kill-after=5 "$patience" dd of=mnt/file bs=1M \
		iflag=fullblock oflag=direct status=none 2> dd.err || fail "write: $? $(cat dd.err)"
	data "$1" | cmp -s - "/proc/${sides[server]}/root$PWD/export/file" ||
		fail "the server has something else"
}

nfs_read() {
	local status
	on client timeout --kill-after=5 "$patience" dd if=mnt/file bs=1M iflag=direct \
		status=none 2> dd.err | cmp -s - <(data "$1")
	status=("${PIPESTATUS[@]}")
	[[ ${status[0]} != 124 && ${status[0]} != 137 ]] || fail "read: not done in $patience s"
	[ "${status[1]}" -eq 0 ] || fail "something else was read back: $(cat dd.err)"
}
