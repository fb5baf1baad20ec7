# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# Every daemon is restarted while connections are open: what they carry, and what
# their keys go through, must not show it.

programs=$(dirname "$here")/updates
updates=60	# of the peer under load; every other one asks for ours
wishes=60	# of our program: TLS_HANDOFF_REKEY
pace=100	# milliseconds from one to the next: the load lasts six seconds at least
patience=150	# seconds that the load may last on a slow machine

# managed [LINE...]: as daemon(), under a service manager that keeps descriptors.
managed() {
	conf "$@"
	: >> tlshd.log
	mkdir service
	ready=$(grep -c '^tlshd: ready' tlshd.log) || :
	TLSHD_RUNTIME_DIR=$PWD "$here/manager" service tlshd -s -v -c tlshd.conf >> tlshd.log 2>&1 < /dev/null &
	pids+=("$!")
	until_true has_bytes service/pid 2
	tlshd=$(< service/pid)
	pids+=("$tlshd")
	until_true daemon_is_ready
}

# load NAME ROLE: our program in ROLE and one on OpenSSL, both sending and changing keys.
load() {
	port=$((port + 1000))
	if [ "$2" = client ]; then
		start_load "$1.peer" peer_openssl --updates "$updates" --server
		start_load "$1.ours" program --updates "$wishes"
	else
		start_load "$1.ours" program --updates "$wishes" --server
		start_load "$1.peer" peer_openssl --updates "$updates"
	fi
}

# start_load NAME PROGRAM OPTION...: its pid is in NAME.pid.
start_load() {
	local name=$1 program=$2
	shift 2
	"$programs/$program" --port "$port" --seconds "$patience" --bytes $((8 << 20)) \
		--pause "$pace" "$@" > "$name.out" 2> "$name.err" &
	echo $! > "$name.pid"
	pids+=("$!")
	[[ " $* " != *" --server "* ]] || until_true is_listening "$port"
}

value() { sed -n "s/^$2=//p" "$1.out"; }

# Everything arrived, and both sides know of the same keys.
expect_load() {
	local name=$1 side code
	for side in ours peer; do
		deadline=$patience until_true has_ended "$(< "$name.$side.pid")"
		code=0
		wait "$(< "$name.$side.pid")" || code=$?
		[ "$code" -eq 0 ] || fail "$name.$side: $code $(cat "$name.$side".err \
			"$name.ours.out" "$name.peer.out" | tr '\n' ' ') $(tail -n 8 tlshd.log)"
	done
	[ "$(value "$name.ours" error)" = 0 ] || fail "$(cat "$name.ours.out")"
	[ "$(value "$name.ours" rx_generation)" -eq "$(value "$name.peer" sent)" ] &&
		[ "$(value "$name.ours" tx_generation)" -eq "$(value "$name.peer" received)" ] ||
		fail "$name: $(cat "$name.ours.out" "$name.peer.out" | tr '\n' ' ')"
	[ "$(value "$name.ours" tx_generation)" -ge "$wishes" ] || fail "$(cat "$name.ours.out")"
}

# log_count PATTERN
log_count() { grep -c -e "$1" tlshd.log || :; }
log_has_more() { [ "$(log_count "$1")" -gt "$2" ]; }

taken_over='sessions have a new session handler'

# again ACTION...: ACTION, then until the sessions have their new session handler.
again() {
	local before
	before=$(log_count "$taken_over")
	"$@"
	until_true log_has_more "$taken_over" "$before"
	[ "$(log_count 'until they need one')" -eq 0 ] || fail "$(grep 'until they' tlshd.log)"
}

reloads() { kill -HUP "$tlshd"; }
executes_anew() { kill -USR2 "$tlshd"; }
ends_tlshd_session() { kill -TERM "$(rooms tlshd-session)"; }
kills_tlshd_keys() { kill -KILL "$(rooms tlshd-keys)"; }

# While there is no tlshd at all, nobody can be asked for a new key: ESRCH.
without_wishes() {
	wishes=0
	"$@"
}

# by_manager SIGNAL: tlshd gets it, and the manager starts the next one.
by_manager() {
	local old=$tlshd
	kill "-$1" "$old"
	until_true is_another "$old"
	pids+=("$tlshd")
}

# As systemd ends a service, all its processes get it at once.
by_manager_all() {
	local old=$tlshd
	# shellcheck disable=SC2046 # a list of numbers
	kill -TERM "$old" $(rooms tlshd-session) $(rooms tlshd-keys)
	until_true is_another "$old"
	pids+=("$tlshd")
}

# by_hand SIGNAL: ended by it and started again, with nobody who keeps descriptors for it.
by_hand() {
	kill "-$1" "$tlshd"
	until_true has_ended "$tlshd"
	daemon 'update_rate = 1000000'
}

is_another() {
	tlshd=$(< service/pid)
	[ "$tlshd" -ne "$1" ]
}

# open_over START ACTION...: connections of every kind are open while ACTION is done, three
# times under load.
open_over() {
	local start=$1 round
	shift
	declare -A fds peer_fds
	"$start" 'update_rate = 1000000'
	line tls13
	line tls12 -tls1_2
	load server server
	load client client
	until_true count_sessions 4
	for round in 1 2 3; do
		again "$@"
		expect_line tls13 "$round"
		expect_line tls12 "$round"
	done
	expect_load server
	expect_load client
	expect_line_key_update 2
	# TLS 1.2 knows no other wish than this one, which is declined; OpenSSL gives up then.
	echo R >&"${peer_fds[tls12]}"
	until_true has_line tls12.peer.err 'no renegotiation'
}

# connections_over MODE... -- ACTION...: the program connections in MODE, with ACTION in
# between.
connections_over() {
	local mode=()
	while [ "$1" != -- ]; do
		mode+=("$1")
		shift
	done
	shift
	mkfifo go
	exec {go}<> go
	"$here/connections" "${mode[@]}" "$port" < go > out 2> err &
	ours=$!
	pids+=("$ours")
	deadline=$((4 * deadline)) until_true open_or_ended # 500 handshakes
	again "$@"
	echo >&"$go"
	deadline=$((4 * deadline)) wait_ours	# 500 key updates
	expect_status 0
	has_line out right || fail "it did not say that all is right"
}

open_or_ended() {
	! has_ended "$ours" || fail "$(tail -n 3 err) $(tail -n 5 tlshd.log)"
	has_line out open
}

many_connections() {
	daemon
	connections_over many 250 -- "$@"
	has_line tlshd.log "500 $taken_over" || fail "$(grep "$taken_over" tlshd.log)"
}

# The record that changes the key waits behind a send() that is stuck: in the agent, and
# when that ends in what the session handler leaves.
a_key_that_waits() {
	"$1"
	shift
	connections_over waiting -- "$@"
}

# Nothing is left of what passed, neither here nor with the service manager.
# And the socket that kernel consumers find.
one_memory_is_kept() {
	managed
	declare -A fds peer_fds
	line tls13
	again by_manager TERM
	again by_manager TERM
	until_true has_line service/stored '^2$'
	kill "$(< tls13.pid)"
	until_true count_sessions 0
}

a_handshake_goes_on_over_a_reload() {
	daemon
	mkfifo peer.in
	exec {hold}<> peer.in
	server nc -l 127.0.0.1 "$port"
	tls-handoff connect --timeout 600 --name localhost 127.0.0.1 "$port" < /dev/null > out 2> err &
	ours=$!
	pids+=("$ours")
	until_true has_bytes peer.out 100 # ClientHello
	kill -HUP "$tlshd"
	until_true has_line tlshd.log 'generation 2 follows 1'
	has_rooms tlshd-session 2 || fail "the handshake's session handler is gone"
	! has_ended "$ours" || fail "$(cat err)"
	# What the old one answers, since this is no TLS
	echo 'HTTP/1.1 400 Bad Request' >&"$hold"
	wait_ours
	expect_status 3
	expect_words 'record|TLS' err
	until_true has_rooms tlshd-session 1
}

# A profile is gone from the configuration; its connection is not.
a_profile_is_removed() {
	declare -A fds peer_fds
	daemon
	conf '[profile second]' "truststore = $pki/ca.pem"
	again_settled reloads
	profile=(--profile second)
	line tls13
	profile=()
	conf
	again reloads
	expect_line tls13 after
	expect_line_key_update 1
	connect --profile second --name localhost 127.0.0.1 "$port" < /dev/null
	expect_status 3
	expect_words 'there is no profile "second"' err
}

# The same without sessions, which nobody takes over then.
again_settled() {
	local before
	before=$(log_count 'follows')
	"$@"
	until_true log_has_more 'follows' "$before"
	until_true has_rooms tlshd-session 1
}

# A session handler that hangs costs those who need it the time limit, and others nothing.
a_session_handler_hangs() {
	local code=0 room
	declare -A fds peer_fds
	daemon 'handler_timeout = 2'
	line tls13
	line other
	room=$(rooms tlshd-session)
	kill -STOP "$room"
	echo K >&"${peer_fds[tls13]}"
	expect_line other meanwhile
	until_true has_ended "$(< tls13.pid)"
	wait "$(< tls13.pid)" || code=$?
	[ "$code" -eq 1 ] || fail "status $code, $(cat tls13.err)"
	has_line tls13.err 'did not answer within the time limit' || fail "$(cat tls13.err)"
	kill -CONT "$room"
	expect_line other afterwards
	expect_works
}

control_requests() {
	daemon
	TLSHD_RUNTIME_DIR=$PWD tls-handoff tickets show > out 2> err || fail "$(cat err)"
	TLSHD_RUNTIME_DIR=$PWD tls-handoff reload > out 2> err || fail "$(cat err)"
	has_line tlshd.log 'configuration reloaded: generation 2 follows 1'
	echo 'nonsense' >> tlshd.conf
	! TLSHD_RUNTIME_DIR=$PWD tls-handoff reload > out 2> err || fail "a mistake was taken"
	expect_words 'tlshd.conf:5: neither' err
	conf '[profile second]' 'crl = /nonexistent'
	! TLSHD_RUNTIME_DIR=$PWD tls-handoff reload > out 2> err || fail "a mistake was taken"
	expect_words 'tlshd.conf:6: /nonexistent' err
	expect_works
}

while_open=key_update.goes_on_and_nothing_is_lost_while
add daemons.$while_open.tlshd_reloads open_over daemon reloads
add daemons.$while_open.tlshd_executes_itself_anew without_wishes open_over daemon executes_anew
add daemons.$while_open.tlshd_session_is_ended open_over daemon ends_tlshd_session
add daemons.$while_open.tlshd_keys_is_killed open_over daemon kills_tlshd_keys
add daemons.$while_open.tlshd_is_restarted without_wishes open_over managed by_manager TERM
add daemons.$while_open.all_three_are_restarted without_wishes open_over managed by_manager_all
add daemons.$while_open.tlshd_is_killed without_wishes open_over managed by_manager KILL
add daemons.$while_open.tlshd_is_restarted_by_hand without_wishes open_over daemon by_hand TERM
add daemons.$while_open.tlshd_is_killed_and_started_by_hand \
	without_wishes open_over daemon by_hand KILL
add daemons.key_update.that_a_hanging_session_handler_does_not_answer a_session_handler_hangs
add daemons.key_update.of_500_connections_after_tlshd_executed_itself_anew \
	many_connections executes_anew
add daemons.key_update.that_waits_for_a_stuck_send.is_not_lost_by_a_reload \
	a_key_that_waits daemon reloads
add daemons.key_update.that_waits_for_a_stuck_send.is_not_lost_by_a_restart \
	a_key_that_waits managed by_manager TERM
add daemons.key_update.of_a_session_whose_profile_was_removed a_profile_is_removed
add daemons.one_memory_is_kept_after_restarts one_memory_is_kept
add daemons.a_handshake_goes_on_over_a_reload a_handshake_goes_on_over_a_reload
add daemons.tickets_and_reload_through_the_control_socket control_requests
