# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# 200 mounts at once, each of another address of the same server: as many handshakes. NFS 4.0
# does not find out that it is one server, and then use one connection.

# server_addresses COUNT: in $addresses.
server_addresses() {
	local number
	addresses=()
	for ((number = 1; number <= $1; number++)); do
		addresses+=("10.77.1.$number")
	done
	printf "address add %s/16 dev wire$port\n" "${addresses[@]}" > batch
	on server ip -batch batch
}

# With more nfsd threads than requests may wait in the kernel, 4 or 5 here, it refuses handshakes that
# the server begins, whatever daemon serves it: Documentation/nfs.md.
threads=4

many_mounts() {		# COUNT CLIENT SERVER
	two_sides
	nfs_daemons "$2" "$3"
	server_addresses "$1"
	modprobe -a nfs nfsv4	# 200 mounts at once do not wait for one that loads it
	nfs_server tls:mtls "$threads"
	echo words > "/proc/${sides[server]}/root$PWD/export/words"
	mkdir many
	on client mount -t tmpfs tmpfs many
	start client mounts.out "$here/mounts.py" "$PWD/many" \
		"vers=4.0,xprtsec=tls,clientaddr=0.0.0.0" "${addresses[@]}"
	mounts=$started began=$SECONDS
}

# stage WORDS: how far it is, and when
stage() { echo "$* after $((SECONDS - began)) s" >> said; }

expect_mounts() {
	local mounted
	deadline=$((2 * patience)) mounts_until=$((SECONDS + 2 * patience))
	until_true mounts_have_ended
	mounted=$(grep -c ': mounted after' mounts.out) || :
	stage "$mounted are mounted"
	[ "$mounted" -eq "$1" ] ||
		fail "only $mounted are mounted: $(grep -v ': mounted after' mounts.out | head -n 3)"
}

mounts_have_ended() { has_ended "$mounts" || [ $SECONDS -ge "$mounts_until" ]; }

# Each has a new daemon while they are mounted.
many_mounts_and_new_daemons() {
	many_mounts "$1" ours ours
	deadline=$patience
	has_handshakes() { [ "$(grep -c 'handshake done' client.log)" -ge "$1" ]; }
	until_true has_handshakes $(($1 / 4))
	stage "$(($1 / 4)) handshakes: both daemons are restarted"
	kill -USR2 "${daemons[client]}" "${daemons[server]}"
	until_true has_handshakes $(($1 / 2))
	stage "$(($1 / 2)) handshakes: the client's daemon is ended"
	kill -TERM "${daemons[client]}"
	until_true has_ended "${daemons[client]}"
	stage "it has ended"
	start_daemon client ours
	stage "a new one is ready"
	expect_mounts "$1"
}

many_mounts_at_once() {
	many_mounts "$1" "$2" "$3"
	expect_mounts "$1"
}

if [ "$ours" = ours ]; then
	add consumers.nfs.200_mounts_while_tlshd_is_replaced many_mounts_and_new_daemons 200
else
	add consumers.nfs.200_mounts many_mounts_at_once 200 "$ours" "$ours"
fi
