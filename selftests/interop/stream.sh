# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2094 # variables are lib.sh's; feed only looks at sizes
# The stream as a whole: half-close, the end that a peer announces and the one that it
# does not, what the program may not do.

digest() { sha256sum "$1" | cut -d ' ' -f 1; }

# The server answers only after it has seen the end of what we send.
half_close_server() {
	server socat -t "$deadline" \
		"OPENSSL-LISTEN:$port,reuseaddr,cert=$pki/peer.pem,key=$pki/peer.key,verify=0" \
		EXEC:sha256sum
	connect -4 server.test "$port" < "$payload"
	expect_status 0
	[ "$(cut -d ' ' -f 1 out)" = "$(digest "$payload")" ] || fail "no digest came back: $(cat out)"
}

half_close_client() {
	listen -4 "$port" -- sha256sum
	socat -t "$deadline" - "OPENSSL:server.test:$port,pf=ip4,cafile=$pki/ca.pem" \
		< "$payload" > digest 2> peer.err || fail "socat: $(cat peer.err)"
	[ "$(cut -d ' ' -f 1 digest)" = "$(digest "$payload")" ] ||
		fail "no digest came back: $(cat digest peer.err err)"
	wait_ours
	expect_status 0
}

# Our own two ends, with a file that sendfile(2) takes on either side.
both_ends() {
	listen --send-only "$port" < "$payload"
	tls-handoff connect --timeout "$deadline" --recv-only server.test "$port" \
		> got 2> connect.err || fail "connect: $(cat connect.err)"
	expect_same got "$payload"
	wait_ours
	expect_status 0
}

# A peer that is killed says no close_notify: what arrived is kept, the end is an error.
truncated_server() {
	mkfifo peer.in hold
	# shellcheck disable=SC2034 # held open, never written
	exec {speak}<> peer.in {hold}<> hold
	server openssl s_server -accept "$port" -naccept 1 -cert "$pki/peer.pem" \
		-key "$pki/peer.key" -quiet "$@"
	tls-handoff connect --timeout "$deadline" --json server.test "$port" < hold > out 2> err &
	ours=$!
	pids+=("$ours")
	echo "the first half" >&"$speak"
	until_true has_line out 'the first half'
	kill -KILL "$peer"
	wait_ours
	expect_status 1
	expect_words 'truncat' err
	expect_words 'the first half' out
}

# Without tickets: with one unread the client's TCP would reset the connection instead of
# ending it.
truncated_client() {
	mkfifo peer.in
	exec {speak}<> peer.in
	listen --recv-only --no-resume "$port"
	peer openssl s_client -connect "127.0.0.1:$port" -quiet
	echo "the first half" >&"$speak"
	until_true has_line out 'the first half'
	kill -KILL "$peer"
	wait_ours
	expect_status 1
	expect_words 'truncat' err
}

# A command that fails: the exit status says so.
failing_command() {
	listen "$port" -- false
	openssl s_client -connect "127.0.0.1:$port" -quiet < /dev/null > /dev/null 2>&1 || :
	wait_ours
	expect_status 1
}

# What an administrator sees of a connection while it lasts.
status_shows() {
	mkfifo peer.in
	exec {speak}<> peer.in
	listen --profile sni "$port" -- cat
	peer openssl s_client -connect "127.0.0.1:$port" -quiet -servername other.test
	echo hello >&"$speak"
	until_true has_line peer.out hello
	tls-handoff sessions > table
	expect_words "server established 1\\.3 .*127\\.0\\.0\\.1:$port .*sni" table
	tls-handoff sessions --json > sessions
	jq -e --arg port "$port" '.[] | select(.local == "127.0.0.1:" + $port) |
		.role == "server" and .state == "established" and .profile == "sni" and
		.server_name == "other.test" and .resumed == false and .pid > 0' sessions \
		> /dev/null || fail "not what jq expects: $(cat sessions)"
	expect_words 'CN *= *other.test' peer.err
	kill "$peer"
	wait_ours
}

add interop.status status_shows
add interop.socat.server.half_close half_close_server
add interop.socat.client.half_close half_close_client
add interop.both_ends.files both_ends
add interop.openssl.server.tls13.truncation truncated_server -tls1_3
add interop.openssl.server.tls12.truncation truncated_server -tls1_2
add interop.openssl.client.truncation truncated_client
add interop.listen.command_fails failing_command
