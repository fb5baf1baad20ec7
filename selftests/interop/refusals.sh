# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2094 # variables are lib.sh's; feed only looks at sizes
# Who must be refused is: exit status 3, a sentence that says why, the reason as a
# word, and the right alert at the peer. And the other way round: a peer that
# refuses us.

# refuse_server CERTIFICATE HOST VERIFY ALERT WORDS [ARGUMENT...]: as the client.
refuse_server() {
	local certificate=$1 host=$2 verify=$3 alert=$4 words=$5
	shift 5
	server openssl s_server -accept "$port" -naccept 1 -cert "$pki/$certificate.pem" \
		-key "$pki/$certificate.key" -rev "$@"
	connect "$host" "$port" < "$payload"
	expect_status 3
	expect_words "handshake with $host failed: .*$words" err
	expect_info state '"failed"'
	expect_info verify "[\"$verify\"]"
	expect_info alert_sent "\"$alert\""
	[ ! -s out ] || fail "something was received from a server that was refused"
	wait_peer
	expect_words "alert ${alert//_/ }" peer.err
}

# refuse_client CERTIFICATE VERIFY ALERT WORDS [ARGUMENT...]: as the server.
refuse_client() {
	local certificate=$1 verify=$2 alert=$3 words=$4 with=()
	shift 4
	[ "$certificate" = none ] || with=(-cert "$pki/$certificate.pem" -key "$pki/$certificate.key")
	mkfifo peer.in
	exec {speak}<> peer.in
	listen --client-cert require "$port" -- cat
	peer openssl s_client -connect "127.0.0.1:$port" -quiet -CAfile "$pki/ca.pem" \
		"${with[@]}" "$@"
	wait_ours
	expect_status 3
	expect_words "failed: .*$words" err
	expect_info verify "[\"$verify\"]"
	expect_info alert_sent "\"$alert\""
	wait_peer
	expect_words "alert ${alert//_/ }" peer.err
}

# refuse_psk: the same identity, another key.
refuse_psk_client() {
	mkfifo peer.in
	exec {speak}<> peer.in
	listen --profile psk --psk test "$port" -- cat
	peer openssl s_client -connect "127.0.0.1:$port" -quiet -tls1_3 -psk_identity "$1" \
		-psk 00112233445566778899aabbccddeeff
	wait_ours
	expect_status 3
	expect_info verify '["psk"]'
	wait_peer
	expect_words "alert" peer.err
}

# The server shares no cipher with us: it says so, and so do we.
no_common_cipher() {
	server openssl s_server -accept "$port" -naccept 1 -cert "$pki/peer.pem" \
		-key "$pki/peer.key" -rev -tls1_3 -ciphersuites TLS_AES_128_CCM_8_SHA256
	connect server.test "$port" < "$payload"
	expect_status 3
	expect_info alert_received '"handshake_failure"'
	expect_words 'handshake.failure' err
}

too_old_server() {
	server openssl s_server -accept "$port" -naccept 1 -cert "$pki/peer.pem" \
		-key "$pki/peer.key" -rev -tls1_2
	connect --min-version 1.3 server.test "$port" < "$payload"
	expect_status 3
	expect_words 'version' err
}

no_common_alpn_server() {
	server openssl s_server -accept "$port" -naccept 1 -cert "$pki/peer.pem" \
		-key "$pki/peer.key" -rev -alpn h2
	connect --alpn http/1.1 server.test "$port" < "$payload"
	expect_status 3
	expect_info alert_received '"no_application_protocol"'
}

no_common_alpn_client() {
	mkfifo peer.in
	exec {speak}<> peer.in
	listen --alpn h2 "$port" -- cat
	peer openssl s_client -connect "127.0.0.1:$port" -quiet -alpn http/1.1
	wait_ours
	expect_status 3
	expect_info alert_sent '"no_application_protocol"'
	wait_peer
	expect_words 'alert no application protocol' peer.err
}

# The server does not trust our certificate. In TLS 1.3 that comes out after the handshake
# is done for us: the exit status is that of a broken connection.
distrusts_our_certificate() {	# STATUS s_server's ARGUMENT...
	local expected=$1
	shift
	server openssl s_server -accept "$port" -naccept 1 -cert "$pki/peer.pem" -rev \
		-key "$pki/peer.key" -Verify 1 -verify_return_error -CAfile "$pki/ca.pem" \
		-verifyCAfile "$pki/rogue.pem" "$@"
	connect server.test "$port" < "$payload"
	expect_status "$expected"
	expect_words 'unknown_ca' err
	wait_peer
	expect_words 'verify error' peer.err
}

# The server names a certification authority that none of our certificates is from.
wants_another_certificate() {	# STATUS ALERT s_server's ARGUMENT...
	local expected=$1 alert=$2
	shift 2
	server openssl s_server -accept "$port" -naccept 1 -cert "$pki/peer.pem" -rev \
		-key "$pki/peer.key" -Verify 1 -verify_return_error -CAfile "$pki/rogue.pem" "$@"
	connect server.test "$port" < "$payload"
	expect_status "$expected"
	expect_words "$alert" err
}

# Something that does not speak TLS at all.
plain_server() {
	mkfifo peer.in
	exec {speak}<> peer.in
	server socat "TCP-LISTEN:$port,reuseaddr" STDIO
	echo "220 this is no TLS" >&"$speak"
	connect server.test -4 "$port" < /dev/null
	expect_status 3
	expect_words 'failed: ' err
}

# A server that never answers: the time-out is kept.
silent_server() {
	mkfifo peer.in
	exec {speak}<> peer.in
	server socat "TCP-LISTEN:$port,reuseaddr" STDIO
	connect -4 --timeout 0.5 server.test "$port" < /dev/null
	expect_status 3
	expect_info errno 110
}

# It has the first byte of ClientHello when it closes: nobody can ask for TLS on a connection
# that is closed before.
closing_server() {
	server socat "TCP-LISTEN:$port,reuseaddr" "SYSTEM:head -c 1 > /dev/null"
	connect -4 server.test "$port" < /dev/null
	expect_status 3
	expect_info errno 104
}

# What the profile does not allow is refused before a byte is sent.
loosening() {	# ARGUMENT...
	mkfifo peer.in
	exec {speak}<> peer.in
	server socat "TCP-LISTEN:$port,reuseaddr" STDIO
	connect -4 "$@" server.test "$port" < /dev/null
	expect_status 3
	expect_info errno 13
	wait_peer
	[ ! -s peer.out ] || fail "the peer got bytes: $(head -c 100 peer.out | xxd)"
}

# socat would close at the end of its input, perhaps before we ask for TLS.
unknown_profile() {
	mkfifo peer.in
	exec {speak}<> peer.in
	server socat "TCP-LISTEN:$port,reuseaddr" STDIO
	connect -4 --profile nowhere server.test "$port" < /dev/null
	expect_status 3
	expect_info errno 2
	expect_words nowhere err
}

# A network namespace of its own has no tlshd.
no_tlshd() {
	mkfifo peer.in
	exec {speak}<> peer.in
	status=0
	timeout "$deadline" unshare --net --pid --fork --kill-child bash -c '
		ip link set lo up
		socat TCP-LISTEN:1234 STDIO < peer.in > /dev/null &
		until [ -n "$(ss -Hltn "sport = 1234")" ]; do :; done
		tls-handoff connect 127.0.0.1 1234 < /dev/null' > out 2> err || status=$?
	expect_status 4
	expect_words 'no tlshd' err
}

nobody_there() {
	connect server.test "$port" < /dev/null
	expect_status 1
	expect_words refused err
}

add interop.openssl.server.refused.expired refuse_server expired server.test expired \
	certificate_expired expired
add interop.openssl.server.refused.revoked refuse_server revoked server.test revoked \
	certificate_revoked revoked
add interop.openssl.server.refused.untrusted refuse_server rogue server.test untrusted \
	unknown_ca 'trust|issuer|CA'
add interop.openssl.server.refused.wrong_name refuse_server peer wrong.test name \
	bad_certificate wrong.test
add interop.openssl.server.refused.tls12_expired refuse_server expired server.test expired \
	certificate_expired expired -tls1_2
add interop.openssl.server.refused.tls12_wrong_name refuse_server peer wrong.test name \
	bad_certificate wrong.test -tls1_2
add interop.openssl.client.refused.expired refuse_client expired expired \
	certificate_expired expired
add interop.openssl.client.refused.revoked refuse_client revoked revoked \
	certificate_revoked revoked
add interop.openssl.client.refused.untrusted refuse_client rogue untrusted unknown_ca \
	'trust|issuer|CA'
add interop.openssl.client.refused.no_certificate refuse_client none missing \
	certificate_required 'certificate'
add interop.openssl.client.refused.tls12_untrusted refuse_client rogue untrusted unknown_ca \
	'trust|issuer|CA' -tls1_2
add interop.openssl.client.refused.wrong_psk refuse_psk_client test
add interop.openssl.client.refused.unknown_psk refuse_psk_client somebody
add interop.openssl.client.refused.alpn no_common_alpn_client
add interop.openssl.server.refuses_us.alpn no_common_alpn_server
add interop.openssl.server.refuses_us.cipher no_common_cipher
add interop.openssl.server.refuses_us.tls13_certificate distrusts_our_certificate 1 -tls1_3
add interop.openssl.server.refuses_us.tls12_certificate distrusts_our_certificate 3 -tls1_2
add interop.openssl.server.refuses_us.tls13_no_certificate wants_another_certificate 1 \
	certificate_required -tls1_3
add interop.openssl.server.refuses_us.tls12_no_certificate wants_another_certificate 3 \
	handshake_failure -tls1_2
add interop.openssl.server.refused.tls12_only too_old_server
add interop.socat.server.refused.plaintext plain_server
add interop.socat.server.refused.silence silent_server
add interop.socat.server.refused.closed_at_once closing_server
add interop.profile.refuses.unauthenticated loosening --unauth
add interop.profile.refuses.tls12 loosening --profile tls13 --min-version 1.2
add interop.profile.refuses.other_users loosening --profile restricted
add interop.profile.unknown unknown_profile
add interop.nobody_listens nobody_there
add interop.no_tlshd no_tlshd
