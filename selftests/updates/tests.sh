# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are run's and lib.sh's

# daemon [LINE...]: a tlshd with the key in a file; LINEs are added to its profile.
daemon() {
	printf '%s\n' '[profile default]' "certificate = $pki/peer.pem" \
		"private_key = $pki/peer.key" "truststore = $pki/ca.pem" "$@" > tlshd.conf
	tlshd -s -v -c tlshd.conf > tlshd.log 2>&1 < /dev/null &
	tlshd=$!
	pids+=("$tlshd")
	until_true daemon_is_ready
}

daemon_is_ready() {
	! has_ended "$tlshd" || fail "tlshd ended: $(tail -n 5 tlshd.log)"
	has_line tlshd.log '^tlshd: ready'
}

# start_side NAME PROGRAM OPTION...: in the background; what it says is in NAME.out and
# NAME.err.
start_side() {
	local name=$1 program=$2
	shift 2
	"$here/$program" --port "$port" --seconds "$patience" "$@" > "$name.out" 2> "$name.err" &
	pids+=("$!")
	printf -v "pid_$name" %s "$!"
}

# both ROLE PROGRAM: PROGRAM is the peer, in ROLE, and our program what it talks to, until
# both ended; with options from $common, $peer_options and $our_options.
both() {
	local role=$1 program=$2
	if [ "$role" = server ]; then
		start_side peer "$program" --server "${common[@]}" "${peer_options[@]}"
		until_true side_listens peer
		start_side ours program "${common[@]}" "${our_options[@]}"
	else
		start_side ours program --server "${common[@]}" "${our_options[@]}"
		until_true side_listens ours
		start_side peer "$program" "${common[@]}" "${peer_options[@]}"
	fi
	our_status=0 peer_status=0
	wait "$pid_ours" || our_status=$?
	wait "$pid_peer" || peer_status=$?
}

side_listens() {
	local pid=pid_$1
	! has_ended "${!pid}" || fail "$(cat "$1.err")"
	is_listening "$port"
}

expect_success() {
	[ "$our_status" -eq 0 ] && [ "$peer_status" -eq 0 ] ||
		fail "ours: $our_status, $(cat ours.err) $(value ours words)"$'\n'"the peer: $peer_status, $(cat peer.err)"
}

# value SIDE KEY: what a side said
value() { sed -n "s/^$2=//p" "$1.out"; }

# expect SIDE KEY OPERATOR VALUE
expect() {
	local is
	is=$(value "$1" "$2")
	test -n "$is" && test "$is" "$3" "$4" || fail "$1: $2 is \"$is\", not $3 $4"
}

# Both directions saw every byte and every key that the other side sent.
expect_all() {	# UPDATES of each side
	expect_success
	expect ours error = 0
	expect ours alert_sent = 0
	expect ours alert_received = 0
	expect ours bytes_sent -ge "$bytes"
	expect ours bytes_received -ge "$bytes"
	expect ours rekeys -eq "$1"
	expect ours tx_generation -ge "$1"
	expect ours rx_generation -ge "$1"
}

# What the kernel counts is what a library's peer counts.
expect_same_counts() {
	expect peer received -eq "$(value ours tx_generation)"
	expect peer sent -eq "$(value ours rx_generation)"
}

say_how() {
	printf '# %s: %d MiB each way in %d.%03d s, %s and %s key updates\n' "$1" \
		$((bytes / MiB)) $(($(value ours milliseconds) / 1000)) \
		$(($(value ours milliseconds) % 1000)) "$(value ours tx_generation)" \
		"$(value ours rx_generation)"
}

every_kind=send,sendfile,splice,io_uring,more,writev,dontwait
# However fast the machine is
rate='update_rate = 1000000'

openssl_load() {	# ROLE CIPHER [SENDERS [THREADS]]
	local common=(--bytes "$bytes" --updates "$updates") peer_options=(--cipher "$2")
	local our_options=(--senders "${3-$every_kind}" --threads "${4-1}")
	daemon "$rate"
	both "$1" peer_openssl
	expect_all "$updates"
	expect_same_counts
	say_how "OpenSSL $1 $2"
}

has_lines() { [ "$(grep -c -e "$2" "$1")" -ge "$3" ]; }

# A new session handler takes over, and when it has, the next one.
replace_handlers() {
	local count=0
	until_true has_line tlshd.log 'handshake done'
	while :; do
		kill -HUP "$tlshd"
		count=$((count + 1))
		until_true has_lines tlshd.log 'have a new session handler' "$count"
	done
}

load_with_handlers_replaced() {	# ROLE CIPHER
	local common=(--bytes "$bytes" --updates "$updates") peer_options=(--cipher "$2")
	local our_options=(--senders "$every_kind")
	daemon "$rate"
	replace_handlers &
	pids+=("$!")
	both "$1" peer_openssl
	expect_all "$updates"
	expect_same_counts
	has_lines tlshd.log 'have a new session handler' 3 ||
		fail "$(grep -c 'have a new session handler' tlshd.log) took over; $(cat tlshd.log)"
	say_how "OpenSSL $1 $2, $(grep -c 'have a new session handler' tlshd.log) times another session handler"
}

# GnuTLS takes eight updates a second, and must not make requests.
gnutls_load() {		# ROLE CIPHER
	local common=(--bytes "$bytes" --updates 100)
	local peer_options=(--cipher "$2" --no-requests)
	local our_options=(--senders "$every_kind" --pause 140)
	daemon "$rate"
	both "$1" peer_gnutls
	expect_all 100
	expect_same_counts
	expect ours rx_generation -eq 100
	say_how "GnuTLS $1 $2"
}

own_load() {		# ROLE CIPHER
	local common=(--bytes "$bytes" --updates "$updates" --cipher "$2" --senders "$every_kind")
	local peer_options=() our_options=()
	daemon "$rate"
	both "$1" program
	expect_all "$updates"
	expect peer error = 0
	expect peer rekeys -eq "$updates"
	expect peer tx_generation -eq "$(value ours rx_generation)"
	expect peer rx_generation -eq "$(value ours tx_generation)"
	say_how "tls-handoff $1 $2"
}

# Ours on both sides; one has an event loop.
event_loop_load() {	# ROLE CIPHER [OPTION]
	local common=(--bytes "$bytes" --updates "$updates" --cipher "$2")
	local our_options=(--senders "$every_kind") peer_options=("${@:3}")
	daemon "$rate"
	both "$1" peer_handoff
	expect_all "$updates"
	expect_same_counts
	say_how "event loop $1 $2 ${3-}"
}

# Our close_notify is out, so their wishes for a new key of ours cannot be met any more.
half_closed() {		# PEER
	local common=() our_options=(--bytes 100000 --half-close)
	local peer_options=(--bytes $((16 * MiB)) --updates 200)
	daemon "$rate"
	both server "$1"
	expect_success
	expect ours error = 0
	expect ours rx_generation -eq 200
	expect ours bytes_received -eq $((16 * MiB))
	expect peer bytes_received -eq 100000
}

# The peer reads nothing while it sends, so what answers its wishes has to wait.
wishes_while_nothing_can_be_sent() {
	local common=(--bytes $((32 * MiB))) our_options=(--senders "$1")
	local peer_options=(--reads-last --only-requests --updates 2000)
	daemon "$rate"
	both server peer_openssl
	expect_success
	expect ours error = 0
	expect ours rx_generation -eq 2000
	expect ours tx_generation -ge 1
	expect_same_counts
}

right_before_close_notify() {	# ROLE
	local common=(--bytes 100000) our_options=() peer_options=(--at-end --updates 5)
	daemon "$rate"
	both "$1" peer_openssl
	expect_success
	expect ours error = 0
	expect ours rx_generation -eq 5
}

at_once() {		# UPDATES
	local common=(--bytes 100000) our_options=() peer_options=(--at-once --updates "$1")
	daemon "$rate"
	both "$2" peer_openssl
}

as_many_at_once_as_allowed() {
	at_once 32 "$1"
	expect_success
	expect ours rx_generation -eq 32
	expect_same_counts
}

# expect_ended ALERT ERRNO WORDS: the connection ended with this alert, and both know why.
expect_ended() {
	[ "$our_status" -eq 1 ] && [ "$peer_status" -eq 1 ] ||
		fail "ours: $our_status $(cat ours.err) peer: $peer_status $(cat peer.err)"
	expect ours error = "$2"
	expect ours alert_sent -eq "$1"
	expect peer alert -eq "$1"
	expect_words "$3" ours.out
}

too_many_at_once() {
	at_once 33 "$1"
	expect_ended 10 EPROTO 'too many KeyUpdates'
	expect ours rx_generation -eq 32
}

too_many_a_second() {
	local common=() our_options=(--bytes 1000)
	local peer_options=(--bytes $((8 * MiB)) --updates 500)
	daemon 'update_rate = 10'
	both server peer_openssl
	expect_ended 10 EPROTO 'update_rate'
}

# near_the_limit LINE AT_LEAST: with LINE in its profile, the connection changes its key
# without being told to.
near_the_limit() {
	local common=(--bytes $((32 * MiB))) our_options=(--senders "$every_kind")
	local peer_options=(--updates 10 --pause 300)
	daemon "$rate" "$1"
	both server peer_openssl
	expect_success
	expect ours rekeys -eq 0
	expect ours tx_generation -ge "$2"
	expect_same_counts
}

# TLS 1.2 has another way to new keys, which we decline. GnuTLS lives with that.
renegotiation_declined() {	# ROLE
	local common=(--tls12 --bytes $((4 * MiB))) our_options=(--senders "$every_kind")
	local peer_options=(--renegotiates)
	daemon
	both "$1" peer_gnutls
	expect_success
	expect ours error = 0
	expect ours tx_generation -eq 0
	expect ours bytes_received -eq $((4 * MiB))
	expect peer bytes_received -eq $((4 * MiB))
	expect peer alert -eq 100
}

# OpenSSL takes the same answer for the end of the connection.
renegotiation_declined_to_openssl() {	# ROLE
	local common=(--tls12 --bytes $((4 * MiB))) our_options=() peer_options=(--renegotiates)
	daemon
	both "$1" peer_openssl
	[ "$peer_status" -eq 1 ] || fail "the peer: $peer_status"
	expect peer alert -eq 100
	expect ours alert_sent -eq 100
}

add_loads() {
	local load=key_update.load
	add $load.openssl.server.aes_128_gcm openssl_load server TLS_AES_128_GCM_SHA256
	add $load.openssl.client.aes_256_gcm openssl_load client TLS_AES_256_GCM_SHA384
	[ -z "$soak" ] || {
		add $load.openssl.client.chacha20_poly1305 openssl_load client \
			TLS_CHACHA20_POLY1305_SHA256
		add $load.openssl.server.aes_128_ccm openssl_load server TLS_AES_128_CCM_SHA256
	}
	add $load.gnutls.server.chacha20_poly1305 gnutls_load server CHACHA20-POLY1305
	add $load.gnutls.client.aes_128_gcm gnutls_load client AES-128-GCM
	add $load.tls_handoff.aes_128_ccm own_load server AES-128-CCM
	add $load.while_session_handlers_are_replaced load_with_handlers_replaced server \
		TLS_AES_128_GCM_SHA256
	add $load.with_poll event_loop_load server AES-128-GCM
	add $load.with_edge_triggered_epoll event_loop_load client AES-256-GCM --edges
	add $load.while_four_threads_send openssl_load server TLS_AES_128_GCM_SHA256 \
		send,sendfile,splice,writev 4
}

add_cases() {
	local role
	add key_update.while_our_sending_side_is_closed half_closed peer_openssl
	add key_update.wished_for_2000_times_while_nothing_can_be_sent \
		wishes_while_nothing_can_be_sent "$every_kind"
	for role in server client; do
		add "key_update.right_before_close_notify.of_a_$role" right_before_close_notify \
			"$role"
		add "key_update.at_once.of_a_$role.32_are_taken" as_many_at_once_as_allowed "$role"
		add "key_update.at_once.of_a_$role.33_end_the_connection" too_many_at_once "$role"
		add "key_update.by_renegotiation.of_a_$role.is_declined_and_data_goes_on" \
			renegotiation_declined "$role"
		add "key_update.by_renegotiation.of_an_openssl_$role.is_declined" \
			renegotiation_declined_to_openssl "$role"
	done
	add key_update.more_than_update_rate_end_the_connection too_many_a_second
	add key_update.by_itself.after_rekey_records near_the_limit 'rekey_records = 100' 10
	add key_update.by_itself.after_rekey_bytes near_the_limit 'rekey_bytes = 1048576' 15
	add key_update.by_itself.after_rekey_seconds near_the_limit 'rekey_seconds = 1' 2
}

add_loads
[ -n "$soak" ] || add_cases
