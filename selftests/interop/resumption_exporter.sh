# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2015,SC2034,SC2094,SC2154 # variables are lib.sh's
# Keying material for programs: both ends of a connection get the same, before and after
# key updates and on a resumed session, and another connection gets something else.

label=EXPORTER-Channel-Binding
keymat=(-keymatexport "$label" -keymatexportlen 32)

# The peer's
keying_material() { sed -n 's/.*Keying material: *\([0-9A-F]*\).*/\1/p' "$1" | tail -n 1; }
# Ours, as RFC 9266 has it
channel_binding() { sed -n 's/.*"tls_exporter":"\([0-9a-f]*\)".*/\U\1/p' err; }

# ask: what our program gets, by way of the connection
ask() {
	local answers
	answers=$(grep -c '^[0-9A-F]\{64\}$' peer.out || :)
	echo $label >&"$speak"
	until_true has_lines peer.out '^[0-9A-F]\{64\}$' $((answers + 1))
	answer=$(grep '^[0-9A-F]\{64\}$' peer.out | tail -n 1)
}

expect_answer() {	# WHEN
	ask
	[ "$answer" = "$(keying_material peer.out)" ] ||
		fail "$1: we get $answer, the peer $(keying_material peer.out)"
}

talk() {	# so that s_client and s_server take what we say
	rm -f peer.in
	mkfifo peer.in
	exec {speak}<> peer.in
}

exporter_openssl_client() {	# RESUMED PROFILE s_client's ARGUMENT...
	local resumed=$1 profile=$2
	shift 2
	talk
	listen --channel-binding --profile "$profile" "$port" -- "$here/exporter"
	peer openssl s_client -connect "127.0.0.1:$port" -servername server.test \
		-CAfile "$pki/ca.pem" "${keymat[@]}" "$@"
	until_true has_line peer.out 'Keying material:'
	expect_answer "at first"
	expect_info resumed "$resumed"
}

leave() {
	echo Q >&"$speak"
	wait_peer
	wait_ours
	expect_status 0
}

exporter_openssl_client_tls13() {
	local first
	exporter_openssl_client false default -tls1_3 -sess_out first
	first=$answer
	[ "$(channel_binding)" = "$first" ] || fail "the channel binding is $(channel_binding)"
	command_letter K 1
	until_true sessions_show rx_generation 1
	until_true sessions_show tx_generation 1
	expect_answer "after a key update"
	[ "$answer" = "$first" ] || fail "it changed with a key update"
	leave
	exporter_openssl_client true default -tls1_3 -sess_in first
	[ "$answer" != "$first" ] || fail "two connections have the same"
	[ "$(channel_binding)" = "$answer" ] || fail "the channel binding is $(channel_binding)"
	leave
}

exporter_openssl_client_tls12() {
	local first
	exporter_openssl_client false tls12 -tls1_2 -sess_out first
	first=$answer
	leave
	exporter_openssl_client true tls12 -tls1_2 -sess_in first
	[ "$answer" != "$first" ] || fail "two connections have the same"
	leave
}

# Our client's program; then a second one.
exporter_openssl_server() {	# s_server's ARGUMENT...
	talk
	server openssl s_server -accept "127.0.0.1:$port" -cert "$pki/peer.pem" \
		-key "$pki/peer.key" "${keymat[@]}" "$@"
	call_for_exporter 1
}

call_for_exporter() {	# NUMBER
	"$here/exporter" "$port" server.test 2> err &
	ours=$!
	pids+=("$ours")
	until_true exporter_is_connected "$1"
	expect_answer "connection $1"
}

exporter_is_connected() {
	! has_ended "$ours" || fail "our program ended: $(cat err)"
	has_lines peer.out 'Keying material:' "$1"
}

exporter_openssl_server_tls13() {
	local first
	exporter_openssl_server -tls1_3
	first=$answer
	echo K >&"$speak"
	until_true sessions_show rx_generation 1
	until_true sessions_show tx_generation 1
	expect_answer "after a key update"
	[ "$answer" = "$first" ] || fail "it changed with a key update"
	echo q >&"$speak"
	wait_ours
	expect_status 0
	call_for_exporter 2
	[ "$answer" != "$first" ] || fail "two connections have the same"
	until_true sessions_show resumed true
}

# Both ends print the channel binding of RFC 9266.
binding_gnutls_client() {	# VERSION
	listen --channel-binding "$port" -- cat
	feed echoed | reader timeout "$deadline" gnutls-cli --port "$port" --logfile peer.err \
		--verbose --x509cafile "$pki/ca.pem" \
		--priority "NORMAL:-VERS-ALL:+VERS-TLS$1" server.test > echoed 2> cli.err ||
		fail "gnutls-cli: $(tail -n 3 peer.err cli.err) $(cat err)"
	wait_ours
	expect_status 0
	expect_binding peer.err
}

binding_gnutls_server() {	# VERSION
	server gnutls-serv --echo --port "$port" --x509certfile "$pki/peer.pem" \
		--x509keyfile "$pki/peer.key" --disable-client-cert \
		--priority "NORMAL:-VERS-ALL:+VERS-TLS$1"
	connect --channel-binding -4 server.test "$port" < <(feed out)
	expect_status 0
	until_true has_line peer.out "'tls-exporter': *[0-9a-f]\{64\}"
	expect_binding peer.out
}

expect_binding() {
	local theirs
	theirs=$(sed -n "s/.*'tls-exporter': *\([0-9a-f]*\).*/\U\1/p" "$1" | tail -n 1)
	[ -n "$theirs" ] && [ "$theirs" = "$(channel_binding)" ] ||
		fail "the peer has \"$theirs\", we \"$(channel_binding)\""
}

# RFC 7627 5.4: without extended master secret it would prove nothing.
binding_without_extended_master_secret() {
	server openssl s_server -accept "127.0.0.1:$port" -cert "$pki/peer.pem" \
		-key "$pki/peer.key" -rev -tls1_2 -no_ems
	connect --channel-binding -4 server.test "$port" < "$payload"
	expect_status 1
	expect_words 'no channel binding: Operation not supported' err
	[ ! -s out ] || fail "something was received"
}

add interop.exporter.openssl.client.tls13_key_update_and_resumption exporter_openssl_client_tls13
add interop.exporter.openssl.client.tls12_and_resumption exporter_openssl_client_tls12
add interop.exporter.openssl.server.tls13_key_update_and_resumption exporter_openssl_server_tls13
add interop.exporter.openssl.server.tls12 exporter_openssl_server -tls1_2
add interop.exporter.gnutls.client.tls13 binding_gnutls_client 1.3
add interop.exporter.gnutls.client.tls12 binding_gnutls_client 1.2
add interop.exporter.gnutls.server.tls13 binding_gnutls_server 1.3
add interop.exporter.gnutls.server.tls12 binding_gnutls_server 1.2
add interop.exporter.openssl.server.no_extended_master_secret \
	binding_without_extended_master_secret
