# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# Key updates in the middle of NFS transfers.

updates_size=$((64 * MiB))
updates_every="rekey_bytes = $((8 * MiB))"

# nfs_updates_sides CLIENT SERVER LINE LINE: with these lines in their profiles
nfs_updates_sides() {
	two_sides
	daemon client "$1" nfs tpm ${3:+"$3"}
	daemon server "$2" nfsd tpm 'client_cert = request' ${4:+"$4"}
	nfs_server tls:mtls
	expect_nfs_mount mtls
}

# One handshake, and as many key updates: nothing was connected again.
expect_one_handshake() {
	[ "$(grep -c 'handshake done' client.log)" -eq 1 ] ||
		fail "$(grep -c 'handshake done' client.log) handshakes instead of one"
}

nfs_updates_of_the_client() {
	nfs_updates_sides ours ours "$updates_every" ''
	nfs_write "$updates_size"
	expect_updates client tx 4
	expect_updates server rx 4
	nfs_read "$updates_size"
	expect_one_handshake
}

nfs_updates_of_the_server() {
	nfs_updates_sides ours ours '' "$updates_every"
	nfs_write "$updates_size"
	nfs_read "$updates_size"
	expect_updates server tx 4
	expect_updates client rx 4
	expect_one_handshake
}

# Much more often than anybody would, in both directions at once.
nfs_updates_of_both() {
	nfs_updates_sides ours ours 'rekey_records = 50' 'rekey_records = 50'
	nfs_write "$updates_size"
	nfs_read "$updates_size"
	expect_updates client tx 40
	expect_updates server rx 40
	expect_updates server tx 40
	expect_updates client rx 40
	expect_one_handshake
}

# The comparison: who is handed a key update and has nobody to give it to.
nfs_updates_need_a_daemon() {	# RECEIVER: client or server
	[ -e "$here/ktls-utils-tlshd" ] || skip "ktls-utils is not installed"
	if [ "$1" = server ]; then
		nfs_updates_sides ours ktls-utils "$updates_every" ''
		data "$updates_size" | on client timeout --kill-after=5 20 dd of=mnt/file bs=1M \
			iflag=fullblock oflag=direct status=none 2> dd.err && status=0 || status=$?
	else
		nfs_updates_sides ktls-utils ours '' "$updates_every"
		on server truncate -s "$updates_size" export/file
		on client timeout --kill-after=5 20 dd if=mnt/file of=/dev/null bs=1M iflag=direct \
			status=none 2> dd.err && status=0 || status=$?
	fi
	printf '%s with tlshd of ktls-utils: dd ended with %s, connected %s times\n' "$1" \
		"$status" "$(connections "$1")" > said
	[ "$status" -ne 0 ] || [ "$(connections "$1")" -gt 1 ] ||
		fail "its connection survived a key update"
}

add consumers.nfs.key_updates.of_the_client nfs_updates_of_the_client
add consumers.nfs.key_updates.of_the_server nfs_updates_of_the_server
add consumers.nfs.key_updates.of_both_every_50_records nfs_updates_of_both
add consumers.nfs.key_updates.stop_a_server_with_ktls_utils nfs_updates_need_a_daemon server
add consumers.nfs.key_updates.stop_a_client_with_ktls_utils nfs_updates_need_a_daemon client
