# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# NFS with xprtsec=tls and mtls: what is mounted, and what is refused.

# nfs_daemons CLIENT SERVER [CLIENT'S IDENTITY [SERVER'S]]
nfs_daemons() {
	daemon client "$1" nfs "${3-tpm}"
	daemon server "$2" nfsd "${4-tpm}" 'client_cert = request'
}

# nfs_transfer XPRTSEC SIZE CLIENT SERVER: these daemons
nfs_transfer() {
	two_sides
	nfs_daemons "$3" "$4"
	nfs_server "$([ "$1" = mtls ] && echo mtls || echo tls:mtls)"
	expect_nfs_mount "$1"
	on client grep -q "xprtsec=$1," /proc/self/mounts || fail "mounted without $1"
	nfs_write "$2"
	nfs_read "$2"
	nfs_umount
}

# replace_daemon SIDE WHICH PROFILE IDENTITY [LINE...]: the next one with another identity.
replace_daemon() {
	kill -TERM "${daemons[$1]}"
	until_true has_ended "${daemons[$1]}"
	: > "$1.log"
	daemon "$@"
}

# expect_refused XPRTSEC NAME SIDE PATTERN: SIDE's daemon says why.
expect_refused() {
	! nfs_mount "$1" "$2" || fail "it was mounted, with $(tail -n 1 "$3.conf")"
	if [ "$ours" = ours ]; then
		expect_log "$3" "handshake failed: .*$4"
	else
		expect_log "$3" 'erification failed\|was unsuccessful\|Failed to\|no certificate'
	fi
}

nfs_wrong_servers() {
	two_sides
	nfs_daemons "$ours" "$ours"
	nfs_server none:tls:mtls
	expect_refused tls wrong.test client 'name wrong.test,.*is for another name'
	for each in 'rogue:is not trusted' 'expired:has expired' 'revoked:is revoked'; do
		replace_daemon server "$ours" nfsd "${each%:*}"
		: > client.log
		expect_refused tls server.test client "${each#*:}"
	done
	replace_daemon server "$ours" nfsd tpm
	expect_nfs_mount tls
}

nfs_wrong_clients() {
	two_sides
	nfs_daemons "$ours" "$ours" none
	nfs_server mtls
	! nfs_mount mtls || fail "it was mounted without a certificate"
	# Ours shows no certificate of a CA that the server does not name; the other one does.
	replace_daemon client "$ours" nfs rogue
	! nfs_mount mtls || fail "it was mounted with a certificate of an untrusted CA"
	if [ -e "$here/ktls-utils-tlshd" ]; then
		replace_daemon client ktls-utils nfs rogue
		expect_refused mtls server.test server 'is not trusted'
	fi
	for each in 'expired:has expired' 'revoked:is revoked'; do
		replace_daemon client "$ours" nfs "${each%:*}"
		: > server.log
		expect_refused mtls server.test server "${each#*:}"
	done
	replace_daemon client "$ours" nfs tpm
	expect_nfs_mount mtls
}

# What the export asks for, whatever the handshake has brought.
nfs_exports_decide() {
	local takes lacks
	two_sides
	nfs_daemons "$ours" "$ours"
	nfs_server none
	for each in 'mtls/none tls/mtls' 'tls:mtls/none/tls mtls'; do
		IFS=/ read -r xprtsec lacks takes <<< "$each"
		nfs_export "$xprtsec"
		for each in $lacks; do
			! nfs_mount "$each" || fail "an export with $xprtsec takes $each"
		done
		for each in $takes; do
			expect_nfs_mount "$each"
			on client touch "mnt/$each"
			nfs_umount
		done
	done
}

# The client's certificate and private key are in the kernel, named by the mount.
nfs_keys_of_the_mount() {
	local certificate key
	modprobe nfs
	certificate=$(keyctl padd user "certificate$port" %:.nfs < "$pki/peer.pem")
	undo keyctl unlink "$certificate" %:.nfs
	key=$(keyctl padd user "key$port" %:.nfs < "$pki/peer.key")
	undo keyctl unlink "$key" %:.nfs
	two_sides
	nfs_daemons "$ours" "$ours" none
	nfs_server mtls
	! nfs_mount mtls || fail "it was mounted without a certificate"
	expect_nfs_mount "mtls,cert_serial=$certificate,privkey_serial=$key"
	nfs_write $MiB
	nfs_read $MiB
	nfs_umount
}

# As ktls-utils' daemon does it: kTLS alone, until the first key update.
nfs_without_the_module() {
	undo modprobe tls_handoff
	until_true module_is_unused
	rmmod tls_handoff || fail "the module is in use"
	two_sides
	nfs_daemons "$ours" "$ours"
	expect_log client 'without tls_handoff.ko'
	nfs_server mtls
	expect_nfs_mount mtls
	nfs_write $((4 * MiB))
	nfs_read $((4 * MiB))
	nfs_umount
}

patience=300	# seconds for a transfer on a slow machine
[ "$deadline" -lt 100 ] || patience=600	# the debug kernel

add consumers.nfs.tls_256_MiB nfs_transfer tls $((256 * MiB)) "$ours" "$ours"
add consumers.nfs.mtls_256_MiB nfs_transfer mtls $((256 * MiB)) "$ours" "$ours"
for each in tls mtls; do
	add "consumers.nfs.$each.ktls_utils_is_the_server" \
		nfs_transfer "$each" "$MiB" "$ours" ktls-utils
	add "consumers.nfs.$each.ktls_utils_is_the_client" \
		nfs_transfer "$each" "$MiB" ktls-utils "$ours"
done
add consumers.nfs.servers_of_wrong_name_or_certificate_are_refused nfs_wrong_servers
add consumers.nfs.clients_without_a_valid_certificate_are_refused nfs_wrong_clients
add consumers.nfs.exports_refuse_what_their_xprtsec_lacks nfs_exports_decide
add consumers.nfs.keys_of_the_mount nfs_keys_of_the_mount
if [ "$ours" = ours ]; then
	add consumers.nfs.without_the_module nfs_without_the_module
fi
