# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# Many connections in one tunnel.

resident() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"; }

# start_load ARGUMENT...: $load is its pid; it waits for a line on $go.
start_load() {
	mkfifo go
	exec {go}<> go
	"$here/load" "$@" < go > load.out 2> load.err &
	load=$!
	pids+=("$load")
	opens_until=$((SECONDS + deadline))
	until_true load_is_open
}

load_is_open() {
	! has_ended "$load" || fail "load: $(cat load.err) $(tail -n 3 tunnel.log)"
	has_line load.out '^open$' || [ $SECONDS -lt "$opens_until" ] ||
		fail "not all are open: $(tail -n 3 tunnel.log) $(tr '\n' ' ' < /proc/net/tls_handoff_stat)"
	has_line load.out '^open$'
}

# What passes this tunnel does so twice, out as the client and in as the server. With a
# pre-shared key, as signatures would take most of the time.
twofold_tunnel() {
	cat > tunnel.conf <<-END
		[service in]
		accept = 127.0.0.1:$port
		connect = 127.0.0.1:$(behind)
		profile = psk
		psk = test
		timeout_handshake = 300
		[service out]
		client = yes
		accept = 127.0.0.1:$((port + 3000))
		connect = localhost:$port
		profile = psk
		psk = test
		timeout_handshake = 300
		timeout_connect = 300
	END
	tls-handoff tunnel -c tunnel.conf > tunnel.log 2>&1 &
	tunnel=$!
	pids+=("$tunnel")
	until_true tunnel_is_ready
}

# A thousand pass the tunnel twice.
two_thousand_at_once() {
	local count=1000 before each pause=0.2	# what is waited for wants the processor
	[ "$deadline" -lt 100 ] || count=100	# the debug kernel
	twofold_tunnel
	before=$(resident "$tunnel")
	deadline=300
	start_load open "$count" $((port + 3000)) "$(behind)"
	each=$(((($(resident "$tunnel") - before) << 10) / (2 * count)))
	[ "$each" -le 2048 ] || fail "$each bytes of the tunnel's memory for each connection"
	[ "$(find "/proc/$tunnel/fd" -type l | wc -l)" -ge $((4 * count)) ] ||
		fail "not all connections are open: $(tail -n 3 tunnel.log)"
	transfer
	end_load
	until_true few_are_open
}

# Data goes each way through all that $load has open.
transfer() {
	echo >&"$go"
	until_true has_moved
}

has_moved() { has_line load.out '^moved$' || has_failed; }

has_failed() {
	! has_ended "$load" || fail "load: $(cat load.err) $(tail -n 3 tunnel.log) $(waiting_bytes)"
	return 1
}

end_load() {
	echo >&"$go"
	until_true has_ended "$load"
	wait "$load" || has_failed
}

# Where bytes wait that nobody takes.
waiting_bytes() { ss -Htan | awk '$2 > 0 || $3 > 0' | head -n 20; }

# Nothing stays of them.
few_are_open() { [ "$(find "/proc/$tunnel/fd" -type l | wc -l)" -lt 200 ]; }

# For what is sent to somebody who does not accept; more than each processor may have unseen.
take_memory() {
	peer ncat -l 127.0.0.1 $((port + 4000))
	until_true is_listening $((port + 4000))
	kill -STOP "$peer"
	for _ in {1..4}; do
		head -c 8M /dev/zero > "/dev/tcp/127.0.0.1/$((port + 4000))" &
		pids+=("$!")
	done
	until_true memory_is_taken
}

memory_is_taken() { [ "$(awk '$1 == "TCP:" { print $NF }' /proc/net/sockstat)" -ge 1024 ]; }

# Those that are kept for the next flow, and two of flows.
pipes_are_full() {
	has_line load.out '^moved$' || [ "$(find "/proc/$tunnel/fd" -lname 'pipe:*' | wc -l)" -ge 6 ]
}

# TCP that has no memory does not say when it has some again.
no_memory_for_a_while() {
	local limits=/proc/sys/net/ipv4/tcp_mem old
	old=$(< $limits)
	twofold_tunnel
	start_load open 16 $((port + 3000)) "$(behind)"
	take_memory
	# shellcheck disable=SC2064 # this test's variables are gone then
	trap "echo '$old' > $limits; end_test" EXIT
	echo "1 1 1" > $limits
	echo >&"$go"
	until_true pipes_are_full
	echo "$old" > $limits
	until_true has_moved
	end_load
}

five_thousand_stalled() {
	local count=5000
	[ "$deadline" -lt 100 ] || count=500	# the debug kernel
	web_server
	tls-handoff tunnel --accept "127.0.0.1:$port" --connect "127.0.0.1:$(behind)" --profile soft \
		--timeout-handshake 300 > tunnel.log 2>&1 &
	tunnel=$!
	pids+=("$tunnel")
	until_true tunnel_is_ready
	start_load stall "$count" "$port"
	until_true all_pending "$count"
	get "https://server.test:$port/payload"
	all_pending "$count" || fail "they did not stay: $(pending)"
	echo >&"$go"
	until_true has_ended "$load"
	until_true none_pending
}

pending() { awk '$1 == "HandoffCurrPending" { print $2 }' /proc/net/tls_handoff_stat; }
all_pending() { [ "$(pending)" -ge "$1" ]; }
none_pending() { [ "$(pending)" -eq 0 ]; }

# held_connection OPTION...: through a tunnel with these options; it says nothing. $ours is its pid.
held_connection() {
	web_server
	tunnel --accept "127.0.0.1:$port" --connect "127.0.0.1:$(behind)" --profile soft "$@"
	mkfifo hold
	exec {hold}<> hold
	tls-handoff connect --name localhost 127.0.0.1 "$port" < hold > out 2> err &
	ours=$!
	pids+=("$ours")
}

# Without room for the next one it waits until there is.
max_connections() {
	held_connection --max-connections 1
	until_true has_line tunnel.log 'TLS 1.3'
	get "https://server.test:$port/payload" &
	second=$!
	pids+=("$second")
	until_true waits_in_the_queue
	[ "$(grep -c 'TLS 1.3' tunnel.log)" -eq 1 ] || fail "the second was accepted"
	kill "$ours"
	wait "$second" || fail "the second got nothing"
}

waits_in_the_queue() { [ "$(ss -Hltn "sport = :$port" | awk '{ print $2 }')" -eq 1 ]; }

idle() {
	held_connection --timeout-idle 1
	wait_ours
	[ "$status" -eq 1 ] || fail "status $status"
	expect_log 'idle: the time limit is over'
}

add tunnel.two_thousand_connections_at_once two_thousand_at_once
add tunnel.goes_on_when_there_is_memory_again no_memory_for_a_while
add tunnel.five_thousand_stalled_handshakes_stop_nobody five_thousand_stalled
add tunnel.max_connections_lets_others_wait max_connections
add tunnel.idle_connections_end idle
