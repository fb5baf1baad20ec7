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
		fail "ours: $our_status, $(cat ours.err)"$'\n'"the peer: $peer_status, $(cat peer.err)"
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
updates=1000
patience=120
[ -z "$soak" ] || patience=1200
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

own_load() {		# CIPHER
	local common=(--bytes "$bytes" --updates "$updates" --cipher "$1" --senders "$every_kind")
	local peer_options=() our_options=()
	daemon "$rate"
	both server program
	expect_all "$updates"
	expect peer error = 0
	expect peer rekeys -eq "$updates"
	expect peer tx_generation -eq "$(value ours rx_generation)"
	expect peer rx_generation -eq "$(value ours tx_generation)"
	say_how "tls-handoff $1"
}

add key_update.load.openssl.server.aes_128_gcm openssl_load server TLS_AES_128_GCM_SHA256
add key_update.load.openssl.client.aes_256_gcm openssl_load client TLS_AES_256_GCM_SHA384
add key_update.load.gnutls.server.chacha20_poly1305 gnutls_load server CHACHA20-POLY1305
add key_update.load.gnutls.client.aes_128_gcm gnutls_load client AES-128-GCM
add key_update.load.tls_handoff.aes_128_ccm own_load AES-128-CCM
add key_update.load.while_four_threads_send openssl_load server TLS_AES_128_GCM_SHA256 \
	send,sendfile,splice,writev 4
