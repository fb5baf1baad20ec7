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

# refused WHO PATTERN: who's log says why.
expect_refused() {
	! nfs_mount "$1" "$2" || fail "it was mounted"
	until_true refusal_is_logged "$3" "$4"
}

# refusal_is_logged SIDE PATTERN: by ours with the errno; by the other one with less.
refusal_is_logged() {
	if [ "$ours" = ours ]; then
		has_line "$1.log" "handshake failed: .*$2"
	else
		has_line "$1.log" 'verification failed\|Handshake .* was unsuccessful\|Failed to\|certificate'
	fi
}

# The server is not who the client meant.
nfs_refused_server() {	# SERVER'S IDENTITY NAME PATTERN
	two_sides
	nfs_daemons "$ours" "$ours" tpm "$1"
	nfs_server none:tls:mtls
	expect_refused tls "$2" client "$3"
}

# The client is not who the server wants.
nfs_refused_client() {	# CLIENT'S IDENTITY PATTERN
	two_sides
	nfs_daemons "$ours" "$ours" "$1" tpm
	nfs_server mtls
	expect_refused mtls server.test server "$2"
}

# What the export asks for, whatever the handshake has brought.
nfs_export_refuses() {	# XPRTSEC OF THE EXPORT, OF THE CLIENT
	two_sides
	nfs_daemons "$ours" "$ours"
	nfs_server "$1"
	! nfs_mount "$2" || fail "an export with xprtsec=$1 was mounted with xprtsec=$2"
	expect_nfs_mount mtls
	echo words > words
	on client cp words mnt/words
	nfs_umount
}

nfs_export_takes_both() {
	two_sides
	nfs_daemons "$ours" "$ours"
	nfs_server tls:mtls
	! nfs_mount none || fail "it was mounted without TLS"
	for each in tls mtls; do
		expect_nfs_mount "$each"
		on client touch "mnt/$each"
		nfs_umount
	done
}

patience=120	# seconds for a transfer
[ "$deadline" -lt 100 ] || patience=600	# the debug kernel

add consumers.nfs.tls_256_MiB nfs_transfer tls $((256 * MiB)) "$ours" "$ours"
add consumers.nfs.mtls_256_MiB nfs_transfer mtls $((256 * MiB)) "$ours" "$ours"
for each in tls mtls; do
	add "consumers.nfs.$each.ktls_utils_is_the_server" \
		nfs_transfer "$each" "$MiB" "$ours" ktls-utils
	add "consumers.nfs.$each.ktls_utils_is_the_client" \
		nfs_transfer "$each" "$MiB" ktls-utils "$ours"
done
add consumers.nfs.wrong_name_is_refused nfs_refused_server tpm wrong.test 'wrong.test'
add consumers.nfs.server_of_untrusted_ca_is_refused nfs_refused_server rogue server.test \
	'EKEYREJECTED'
add consumers.nfs.revoked_server_is_refused nfs_refused_server revoked server.test \
	'EKEYREVOKED\|revoked'
add consumers.nfs.client_without_certificate_is_refused nfs_refused_client none 'certificate'
add consumers.nfs.client_of_untrusted_ca_is_refused nfs_refused_client rogue 'EKEYREJECTED'
add consumers.nfs.revoked_client_is_refused nfs_refused_client revoked 'EKEYREVOKED\|revoked'
add consumers.nfs.export_with_mtls_refuses_tls nfs_export_refuses mtls tls
add consumers.nfs.export_with_mtls_refuses_plaintext nfs_export_refuses mtls none
add consumers.nfs.export_with_tls_and_mtls_takes_both_and_no_plaintext nfs_export_takes_both
