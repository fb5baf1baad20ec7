# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2094 # variables are lib.sh's; feed only looks at sizes
# GnuTLS's gnutls-serv and gnutls-cli: every cipher, both versions, both roles, and
# raw public keys.

gnutls_priority() {	# VERSION CIPHER
	echo "NORMAL:-VERS-ALL:+VERS-TLS$1:-CIPHER-ALL:+$2"
}

gnutls_serv() {
	server gnutls-serv --echo --quiet --port "$port" "$@"
}

gnutls_cli() {	# ARGUMENT... HOST: an echo of the payload through our listener
	local cli_status=0
	feed echoed | reader timeout "$deadline" gnutls-cli --port "$port" --logfile peer.err \
		--x509cafile "$pki/ca.pem" "$@" > echoed 2> cli.err || cli_status=$?
	[ "$cli_status" -eq 0 ] ||
		fail "gnutls-cli: status $cli_status: $(tail -n 3 peer.err cli.err) $(cat err)"
}

gnutls_server() {	# VERSION CIPHER
	gnutls_serv --x509certfile "$pki/peer.pem" --x509keyfile "$pki/peer.key" \
		--disable-client-cert --priority "$(gnutls_priority "$@")"
	connect server.test "$port" < <(feed out)
	expect_status 0
	expect_same out "$payload"
	expect_info version "\"$1\""
	expect_info cipher "\"$2\""
}

gnutls_client() {	# VERSION CIPHER
	listen "$port" -- cat
	gnutls_cli --priority "$(gnutls_priority "$@")" server.test
	expect_same echoed "$payload"
	wait_ours
	expect_status 0
	expect_info version "\"$1\""
	expect_info cipher "\"$2\""
	expect_info server_name '"server.test"'
}

gnutls_server_mutual() {	# VERSION
	gnutls_serv --x509certfile "$pki/peer.pem" --x509keyfile "$pki/peer.key" \
		--x509cafile "$pki/ca.pem" --require-client-cert --verify-client-cert \
		--priority "NORMAL:-VERS-ALL:+VERS-TLS$1"
	connect server.test "$port" < <(feed out)
	expect_status 0
	expect_same out "$payload"
}

gnutls_client_mutual() {	# VERSION
	listen --client-cert require "$port" -- cat
	gnutls_cli --priority "NORMAL:-VERS-ALL:+VERS-TLS$1" --x509certfile "$pki/peer.pem" \
		--x509keyfile "$pki/peer.key" server.test
	expect_same echoed "$payload"
	wait_ours
	expect_status 0
	expect_info peer_identity '"dns:localhost"'
}

gnutls_server_alpn() {
	gnutls_serv --x509certfile "$pki/peer.pem" --x509keyfile "$pki/peer.key" \
		--disable-client-cert --alpn h2 --alpn-fatal
	connect --alpn foo,h2 server.test "$port" < <(feed out)
	expect_status 0
	expect_info alpn '"h2"'
}

gnutls_client_alpn() {
	listen --alpn foo,h2 "$port" -- cat
	gnutls_cli --alpn h2 server.test
	wait_ours
	expect_status 0
	expect_info alpn '"h2"'
}

psk_priority=NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:+DHE-PSK

gnutls_server_psk() {
	echo "test:$(cat "$pki/psk.hex")" > passwd
	gnutls_serv --pskpasswd passwd --priority "$psk_priority"
	connect --profile psk --psk test server.test "$port" < <(feed out)
	expect_status 0
	expect_same out "$payload"
	expect_info peer_identity '"psk:test"'
}

gnutls_client_psk() {
	listen --profile psk --psk test "$port" -- cat
	gnutls_cli --pskusername test --pskkey "$(cat "$pki/psk.hex")" \
		--priority "$psk_priority" server.test
	expect_same echoed "$payload"
	wait_ours
	expect_status 0
	expect_info peer_identity '"psk:test"'
}

rawpk_priority=NORMAL:+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK

gnutls_server_rawpk() {
	gnutls_serv --rawpkkeyfile "$pki/peer.key" --rawpkfile "$pki/peer.pub" \
		--disable-client-cert --priority "$rawpk_priority"
	connect --profile rawpk --rawpk server.test "$port" < <(feed out)
	expect_status 0
	expect_same out "$payload"
	expect_info auth '"rawpk"'
	expect_info peer_identity "\"rawpk:$(rawpk_identity "$pki/peer.pub")\""
}

gnutls_client_rawpk() {
	listen --profile rawpk --rawpk --client-cert require "$port" -- cat
	gnutls_cli --rawpkkeyfile "$pki/peer.key" --rawpkfile "$pki/peer.pub" --insecure \
		--priority "$rawpk_priority" server.test
	expect_same echoed "$payload"
	wait_ours
	expect_status 0
	expect_info auth '"rawpk"'
	expect_info peer_identity "\"rawpk:$(rawpk_identity "$pki/peer.pub")\""
}

# gnutls-cli changes its key and asks for ours.
gnutls_client_key_update() {
	mkfifo peer.in
	exec {speak}<> peer.in
	listen "$port" -- cat
	peer gnutls-cli --port "$port" --x509cafile "$pki/ca.pem" --inline-commands \
		--logfile log --priority NORMAL:-VERS-ALL:+VERS-TLS1.3 server.test
	say before
	echo '^rekey^' >&"$speak"
	until_true sessions_show rx_generation 1
	until_true sessions_show tx_generation 1
	say after
	kill "$peer"
	wait_ours
}

add_gnutls() {
	local version cipher name
	for version in 1.3 1.2; do
		for cipher in AES-128-GCM AES-256-GCM CHACHA20-POLY1305 AES-128-CCM; do
			name=${cipher//-/_}
			name=tls${version/./}.${name,,}
			add "interop.gnutls.server.$name" gnutls_server $version $cipher
			add "interop.gnutls.client.$name" gnutls_client $version $cipher
		done
		add "interop.gnutls.server.tls${version/./}.mutual" gnutls_server_mutual $version
		add "interop.gnutls.client.tls${version/./}.mutual" gnutls_client_mutual $version
	done
	add interop.gnutls.server.alpn gnutls_server_alpn
	add interop.gnutls.client.alpn gnutls_client_alpn
	add interop.gnutls.server.psk gnutls_server_psk
	add interop.gnutls.client.psk gnutls_client_psk
	add interop.gnutls.server.raw_public_key gnutls_server_rawpk
	add interop.gnutls.client.raw_public_key gnutls_client_rawpk
	add interop.gnutls.client.key_update gnutls_client_key_update
}

add_gnutls
