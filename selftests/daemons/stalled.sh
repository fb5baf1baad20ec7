# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's

# 5,000 clients connect and say nothing: one that talks is served all the same.
stalled_clients() {
	deadline=240
	daemon
	peer "$here/stalled" 5000 "$port"
	until_true has_line_or_end peer.out pending "$peer"
	echo abc > in
	timeout "$deadline" openssl s_client -connect "127.0.0.1:$port" -quiet -no_ign_eof \
		-verify_return_error -CAfile "$pki/ca.pem" < <(cat in; until_true has_line out ABC) \
		> out 2> err || fail "s_client: $(tail -n 3 err)"
	has_line out ABC || fail "no answer: $(cat out)"
	wait "$peer" || fail "the server ended with $?: $(cat peer.err)"
}

has_line_or_end() {
	! has_ended "$3" || fail "it ended: $(cat peer.err)"
	has_line "$1" "$2"
}

add daemons.five_thousand_stalled_clients_keep_nobody_out stalled_clients
