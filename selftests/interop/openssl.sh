# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2094 # variables are lib.sh's; feed only looks at sizes
# OpenSSL's s_server and s_client: every cipher, both versions, both roles, with a
# payload that goes both ways; and what else they can do.

# openssl_options VERSION CIPHER: for s_server and s_client, in $options.
openssl_options() {
	case $1 in
	1.3) options=(-tls1_3 -ciphersuites "$2") ;;
	1.2) options=(-tls1_2 -cipher "$2") ;;
	esac
}

s_server() {
	server openssl s_server -accept "$port" -naccept 1 -cert "$pki/peer.pem" \
		-key "$pki/peer.key" "$@"
}

# s_client ARGUMENT...: an echo of the payload through our listener.
s_client() {
	local s_client_status=0
	feed echoed | reader timeout "$deadline" openssl s_client -connect "127.0.0.1:$port" -quiet -nocommands \
		-no_ign_eof -CAfile "$pki/ca.pem" -verify_return_error \
		-verify_hostname server.test "$@" > echoed 2> peer.err || s_client_status=$?
	[ "$s_client_status" -eq 0 ] ||
		fail "s_client: status $s_client_status: $(tail -n 3 peer.err) $(cat err)"
}

openssl_server() {	# VERSION CIPHER OUR_CIPHER [s_server's ARGUMENT...]
	local version=$1 cipher=$2 our_cipher=$3 options
	shift 3
	openssl_options "$version" "$cipher"
	s_server -rev "${options[@]}" "$@"
	connect server.test "$port" < "$payload"
	expect_status 0
	expect_same out "$payload.reversed"
	expect_info version "\"$version\""
	expect_info cipher "\"$our_cipher\""
	expect_info auth '"x509"'
	expect_info peer_identity '"dns:server.test"'
}

openssl_client() {	# VERSION CIPHER OUR_CIPHER [s_client's ARGUMENT...]
	local version=$1 cipher=$2 our_cipher=$3 options
	shift 3
	openssl_options "$version" "$cipher"
	listen "$port" -- cat
	s_client -servername server.test "${options[@]}" "$@"
	expect_same echoed "$payload"
	wait_ours
	expect_status 0
	expect_info version "\"$version\""
	expect_info cipher "\"$our_cipher\""
	expect_info server_name '"server.test"'
}

openssl_server_mutual() {
	s_server -rev -Verify 1 -CAfile "$pki/ca.pem" -verify_return_error "$@"
	connect server.test "$port" < "$payload"
	expect_status 0
	expect_same out "$payload.reversed"
	expect_words 'CN *= *ecdsa.test' peer.err
}

openssl_client_mutual() {	# [s_client's ARGUMENT...]
	listen --client-cert require "$port" -- cat
	s_client -cert "$pki/peer.pem" -key "$pki/peer.key" "$@"
	expect_same echoed "$payload"
	wait_ours
	expect_status 0
	expect_info peer_cert true
	expect_info peer_identity '"dns:localhost"'
}

openssl_server_alpn() {
	s_server -rev -alpn http/1.1,h2
	connect --alpn foo,h2 server.test "$port" < "$payload"
	expect_status 0
	expect_info alpn '"h2"'
}

openssl_client_alpn() {
	listen --alpn foo,h2 "$port" -- cat
	s_client -alpn http/1.1,h2
	wait_ours
	expect_status 0
	expect_info alpn '"h2"'
}

openssl_server_psk() {
	server openssl s_server -accept "$port" -naccept 1 -nocert -tls1_3 -rev \
		-psk "$(cat "$pki/psk.hex")" -psk_identity test
	connect --profile psk --psk test server.test "$port" < "$payload"
	expect_status 0
	expect_same out "$payload.reversed"
	expect_info auth '"psk"'
	expect_info peer_identity '"psk:test"'
}

openssl_client_psk() {
	listen --profile psk --psk test "$port" -- cat
	s_client -tls1_3 -psk "$(cat "$pki/psk.hex")" -psk_identity test
	expect_same echoed "$payload"
	wait_ours
	expect_status 0
	expect_info auth '"psk"'
	expect_info peer_identity '"psk:test"'
}

# OpenSSL takes a raw public key out of the certificate.
openssl_server_rawpk() {
	s_server -rev -tls1_3 -enable_server_rpk
	connect --profile rawpk --rawpk server.test "$port" < "$payload"
	expect_status 0
	expect_same out "$payload.reversed"
	expect_info auth '"rawpk"'
	expect_info peer_identity "\"rawpk:$(rawpk_identity "$pki/peer.pub")\""
}

openssl_client_rawpk() {
	listen --profile rawpk --rawpk --client-cert require "$port" -- cat
	feed echoed | reader timeout "$deadline" openssl s_client -connect "127.0.0.1:$port" \
		-quiet -nocommands -no_ign_eof -enable_server_rpk -enable_client_rpk \
		-cert "$pki/peer.pem" -key "$pki/peer.key" "$@" > echoed 2> peer.err ||
		fail "s_client: $(tail -n 3 peer.err) $(cat err)"
	expect_same echoed "$payload"
	wait_ours
	expect_status 0
	expect_info auth '"rawpk"'
	expect_info peer_identity "\"rawpk:$(rawpk_identity "$pki/peer.pub")\""
}

# Whoever has the address only compares addresses in the certificate.
openssl_server_address() {	# LISTENING ADDRESS
	server openssl s_server -accept "$1:$port" -naccept 1 -cert "$pki/peer.pem" \
		-key "$pki/peer.key" -rev
	connect "$2" "$port" < "$payload"
	expect_status 0
	expect_same out "$payload.reversed"
	expect_info peer_identity "\"ip:$2\""
}

openssl_client_address() {
	listen -6 "$port" -- cat
	feed echoed | reader timeout "$deadline" openssl s_client -connect "[::1]:$port" -quiet -nocommands \
		-no_ign_eof -CAfile "$pki/ca.pem" -verify_return_error -verify_ip ::1 \
		> echoed 2> peer.err || fail "s_client: $(tail -n 3 peer.err) $(cat err)"
	expect_same echoed "$payload"
	wait_ours
	expect_status 0
}

# The certificate that the client can use: our TPM's RSA key signs.
openssl_client_rsa() {
	listen "$port" -- cat
	s_client -servername server.test "$@"
	expect_same echoed "$payload"
	wait_ours
	expect_status 0
}

# say TEXT: a line to s_client, then waits until it came back.
say() {
	echo "$1" >&"$speak"
	until_true has_line peer.out "^$1\$"
}

# command LETTER TIMES: s_client drops what it reads together with a command letter, so wait
# until it has said KEYUPDATE that often.
command_letter() {
	echo "$1" >&"$speak"
	until_true has_lines peer.err '^KEYUPDATE' "$2"
}

has_lines() { [ "$(grep -c -e "$2" "$1")" -ge "$3" ]; }

# The peer changes its key, and again with the wish for a new one of ours.
openssl_client_key_update() {
	mkfifo peer.in
	exec {speak}<> peer.in
	listen "$port" -- cat
	peer openssl s_client -connect "127.0.0.1:$port" -CAfile "$pki/ca.pem" -tls1_3
	say before
	command_letter k 1
	say after_update
	command_letter K 2
	say after_request
	until_true sessions_show rx_generation 2
	until_true sessions_show tx_generation 1
	say after_answer
	echo Q >&"$speak"
	wait_ours
	expect_status 0
}

add_openssl() {
	local role version
	for role in server client; do
		for version in 13:1.3 12:1.2; do
			add_openssl_ciphers "$role" "${version%:*}" "${version#*:}"
		done
	done
	add interop.openssl.server.tls12.rsa openssl_server 1.2 ECDHE-RSA-AES128-GCM-SHA256 \
		AES-128-GCM -cert "$pki/peer-rsa.pem" -key "$pki/peer-rsa.key"
	add interop.openssl.server.tls13.rsa openssl_server 1.3 TLS_AES_128_GCM_SHA256 \
		AES-128-GCM -cert "$pki/peer-rsa.pem" -key "$pki/peer-rsa.key"
	add interop.openssl.client.tls12.tpm_rsa_key openssl_client_rsa -tls1_2 \
		-cipher ECDHE-RSA-AES128-GCM-SHA256
	add interop.openssl.client.tls13.tpm_rsa_key openssl_client_rsa -tls1_3 \
		-sigalgs rsa_pss_rsae_sha256
	add interop.openssl.server.tls13.mutual openssl_server_mutual -tls1_3
	add interop.openssl.server.tls12.mutual openssl_server_mutual -tls1_2
	add interop.openssl.client.tls13.mutual openssl_client_mutual -tls1_3
	add interop.openssl.client.tls12.mutual openssl_client_mutual -tls1_2
	add interop.openssl.server.alpn openssl_server_alpn
	add interop.openssl.client.alpn openssl_client_alpn
	add interop.openssl.server.psk openssl_server_psk
	add interop.openssl.client.psk openssl_client_psk
	add interop.openssl.server.raw_public_key openssl_server_rawpk
	add interop.openssl.client.tls13.raw_public_key openssl_client_rawpk -tls1_3
	add interop.openssl.client.tls12.raw_public_key openssl_client_rawpk -tls1_2
	add interop.openssl.server.ipv4_address openssl_server_address 127.0.0.1 127.0.0.1
	add interop.openssl.server.ipv6_address openssl_server_address '[::1]' ::1
	add interop.openssl.client.ipv6_address openssl_client_address
	add interop.openssl.client.key_update openssl_client_key_update
}

add_openssl_ciphers() {	# ROLE NAME VERSION
	local prefix=interop.openssl.$1.tls$2 names
	case $3 in
	1.3) names=(TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384
		TLS_CHACHA20_POLY1305_SHA256 TLS_AES_128_CCM_SHA256) ;;
	1.2) names=(ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384
		ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-ECDSA-AES128-CCM) ;;
	esac
	add "$prefix.aes_128_gcm" "openssl_$1" "$3" "${names[0]}" AES-128-GCM
	add "$prefix.aes_256_gcm" "openssl_$1" "$3" "${names[1]}" AES-256-GCM
	add "$prefix.chacha20_poly1305" "openssl_$1" "$3" "${names[2]}" CHACHA20-POLY1305
	add "$prefix.aes_128_ccm" "openssl_$1" "$3" "${names[3]}" AES-128-CCM
}

add_openssl
