# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# Idle connections to OpenSSL's s_server, one test's, to which both ends can write
# whenever it likes to, and whose peer can ask for a new key. The test declares the
# associative arrays fds and peer_fds.

profile=()	# options of tls-handoff connect
as=()		# a command that makes it another user's

# line NAME OPTION...: an idle connection to s_server, which both ends can write to.
line() {
	local name=$1 write read
	shift
	port=$((port + 1000))
	mkfifo "$name.in" "$name.peer.in"
	exec {write}<> "$name.in" {read}<> "$name.peer.in"
	fds[$name]=$write peer_fds[$name]=$read
	openssl s_server -accept "127.0.0.1:$port" -cert "$pki/peer.pem" -key "$pki/peer.key" \
		"$@" < "$name.peer.in" > "$name.peer.out" 2> "$name.peer.err" &
	pids+=("$!")
	until_true is_listening "$port"
	"${as[@]}" tls-handoff connect --name localhost "${profile[@]}" 127.0.0.1 "$port" < "$name.in" > "$name.out" \
		2> "$name.err" &
	pids+=("$!")
	echo "$!" > "$name.pid"
	expect_line "$name" before
}

# expect_line NAME WORD: WORD gets through in both directions.
expect_line() {
	echo "to-peer-$2" >&"${fds[$1]}"
	until_true has_line "$1.peer.out" "to-peer-$2"
	echo "to-us-$2" >&"${peer_fds[$1]}"
	until_true has_line "$1.out" "to-us-$2"
}

count_sessions() {
	tls-handoff sessions --json > sessions && [ "$(grep -c '"state": *"established"' sessions)" -eq "$1" ]
}

# expect_line_key_update SESSIONS: of the idle connection with TLS 1.3, among so many.
expect_line_key_update() {
	until_true count_sessions "$1"
	echo K >&"${peer_fds[tls13]}"
	expect_line tls13 updated
	until_true has_new_keys
}

# Both: the answer may be sent after what came behind the wish was read.
has_new_keys() {
	tls-handoff sessions --json > sessions && has_line sessions '"rx_generation": *1' &&
		has_line sessions '"tx_generation": *1'
}
