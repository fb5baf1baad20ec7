# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# A peer, or a network, that closes, resets, falls silent or changes a byte at many places
# of the handshake: always the documented failure, with a sentence, and nothing left over.

# Offsets in what a server sends first: TLS 1.3 has ServerHello until 127, then what is
# encrypted; TLS 1.2 has a certificate from about 100 on.
server_places=(0 1 4 5 6 42 127 130 140 300 600)
# Offsets in what a client sends: the ClientHello, whose length differs.
client_places=(0 1 4 5 9 43 150 300)

# broken_server WHAT ERRNO... -- s_server's ARGUMENT...: as the client.
broken_server() {
	local what=$1 allowed=" " place proxy=$((port + 10000)) limit=()
	# A length that is wrong has both sides wait.
	[ "$what" != flip ] || limit=(--timeout 2)
	shift
	while [ "$1" != -- ]; do
		allowed+="$1 "
		shift
	done
	shift
	server openssl s_server -accept "127.0.0.1:$port" -cert "$pki/peer.pem" \
		-key "$pki/peer.key" -rev "$@"
	"$here/mangle" "$proxy" "$port" server "$what" "${server_places[@]}" &
	pids+=($!)
	until_true is_listening "$proxy"
	for place in "${server_places[@]}"; do
		connect -4 "${limit[@]}" server.test "$proxy" < "$payload"
		expect_failure "$what at byte $place" "$allowed"
		[ ! -s out ] || fail "$what at byte $place: something was received"
	done
}

# broken_client WHAT ERRNO... -- s_client's ARGUMENT...: as the server.
broken_client() {
	local what=$1 allowed=" " place front=$port proxy=$((port + 10000)) limit=()
	[ "$what" != flip ] || limit=(--timeout 2)
	shift
	while [ "$1" != -- ]; do
		allowed+="$1 "
		shift
	done
	shift
	"$here/mangle" "$proxy" "$front" client "$what" "${client_places[@]}" &
	pids+=($!)
	until_true is_listening "$proxy"
	for place in "${client_places[@]}"; do
		listen "${limit[@]}" "$port" -- cat
		timeout "$deadline" openssl s_client -connect "127.0.0.1:$proxy" -quiet "$@" \
			< /dev/null > /dev/null 2>&1 || :
		wait_ours
		reset_too_soon || expect_failure "$what at byte $place" "$allowed"
	done
}

# The end was there before anybody could ask for TLS, or while the options were set.
reset_too_soon() {
	case $status in
	1) has_line err 'cannot take the socket over: .* not connected' ;;
	3) has_line err '"state":"idle"' && has_line err 'failed: .* not connected' ;;
	*) false ;;
	esac
}

# expect_failure WHERE ALLOWED: status 3, one of these errnos, a sentence, and it says failed.
expect_failure() {
	local number
	[ "$status" -eq 3 ] || fail "$1: exit status $status instead of 3: $(cat err)"
	[[ $(< err) == *'"state":"failed"'* ]] || fail "$1: not failed: $(cat err)"
	number=$(sed -n 's/.*"errno":\([0-9]*\).*/\1/p' err)
	[[ $2 == *" $number "* ]] || fail "$1: errno $number, not one of$2: $(cat err)"
	grep -q 'handshake with .* failed: [A-Za-z]' err || fail "$1: no sentence: $(cat err)"
}

counters_are_zero() {
	[ -z "$(awk '/Curr/ && $2 != 0' /proc/net/tls_handoff_stat)" ]
}

nothing_is_left() {
	until_true counters_are_zero
	tls-handoff sessions > table
	expect_words 'no sessions' table
}

# Linux errnos: 71 EPROTO, 104 ECONNRESET, 110 ETIMEDOUT, 129 EKEYREJECTED
add interop.broken.server.tls13_closes broken_server close 71 104 -- -tls1_3
add interop.broken.server.tls12_closes broken_server close 71 104 -- -tls1_2
add interop.broken.server.resets broken_server reset 104 -- -tls1_3
add interop.broken.server.tls13_garbles broken_server flip 71 110 129 -- -tls1_3
add interop.broken.server.tls12_garbles broken_server flip 71 110 129 -- -tls1_2
add interop.broken.client.closes broken_client close 71 104 -- -tls1_3
add interop.broken.client.resets broken_client reset 104 -- -tls1_3
add interop.broken.client.garbles broken_client flip 71 110 -- -tls1_3
add interop.nothing_is_left nothing_is_left
