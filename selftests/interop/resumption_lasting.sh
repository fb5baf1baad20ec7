# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # variables are lib.sh's; visit uses $listen
# What tickets outlive: new ticket keys, a reload and a restart of tlshd. And what is
# counted of them.

restart() {
	local ready
	ready=$(grep -c '^tlshd: ready' "$home/tlshd.log")
	kill -USR2 "$tlshd"
	until_true tlshd_is_ready $((ready + 1))
}

# The session handler alone: what it knew is gone, and that is no error.
crash() {
	local handler ready
	ready=$(grep -c '^tlshd: ready' "$home/tlshd.log")
	handler=$(pgrep -n -P "$tlshd" tlshd-session) || fail "no session handler"
	kill -KILL "$handler"
	until_true has_ended "$handler"
	until_true tickets_can_be_asked
}

tickets_can_be_asked() { tls-handoff tickets > /dev/null 2>&1; }

tickets_of_our_server_outlive() {	# WHAT PROFILE s_client's ARGUMENT...
	local payload=$home/small what=$1 listen=(--profile "$2")
	shift 2
	visit full -sess_out first "$@"
	signed=$(signatures)
	visit resumed -sess_in first "$@"
	expect_signatures 0
	$what
	signed=$(signatures)
	visit resumed -sess_in first "$@"
	expect_signatures 0
}

tickets_of_our_client_outlive() {	# WHAT
	local payload=$home/small
	callee_behind_relay
	call full
	$1
	signed=$(signatures)
	call resumed
	expect_signatures 0
}

lost_in_a_crash() {
	local payload=$home/small listen=(--profile rotating)
	visit full -sess_out first
	visit resumed -sess_in first
	crash
	visit full -sess_in first -sess_out second
	visit resumed -sess_in second
}

# A ticket under an old key is good, but the connection gets no new one under it.
new_keys() {	# PROFILE s_client's ARGUMENT...
	local payload=$home/small listen=(--profile "$1") keys
	shift
	visit full -sess_out first "$@"
	keys=$(count TicketKeys)
	tls-handoff tickets rotate > rotate.out 2>&1 || fail "rotate: $(cat rotate.out)"
	visit resumed -sess_in first "$@"
	expect_no_ticket
	visit full -sess_out second "$@"
	count_is_above TicketKeys "$keys" || fail "no new key"
	visit resumed -sess_in second "$@"
	visit resumed -sess_in first "$@"
}

# grew NAME BY: since the last time that all was counted, in counts.before
grew() {
	tls-handoff tickets --json > counts.now
	[ "$(jq ".$1" counts.now)" = $(($(jq ".$1" counts.before) + $2)) ]
}

expect_grown() {	# NAME BY...
	while [ $# -gt 0 ]; do
		pause=0.2 until_true grew "$1" "$2"
		shift 2
	done
	cp counts.now counts.before
}

counters_of_a_server() {
	local payload=$home/small listen=()
	tls-handoff tickets --json > counts.before
	visit full -sess_out first
	expect_grown TicketsIssued 2 ResumedAsServer 0 RefusedUnknownKey 0
	visit resumed -sess_in first
	expect_grown ResumedAsServer 1 TicketsIssued 1 RefusedUnknownKey 0 RefusedPolicy 0
	listen=(--profile names)
	visit full -sess_in first
	expect_grown RefusedUnknownKey 1 ResumedAsServer 0 TicketsIssued 2
	listen=(--no-resume)
	visit full -sess_in first
	expect_grown RefusedPolicy 1 ResumedAsServer 0 TicketsIssued 0
}

counters_of_a_client() {
	local payload=$home/small
	callee
	tls-handoff tickets --json > counts.before
	call full
	expect_grown TicketsReceived 2 TicketsStored 2 TicketsKept 2 TicketsOffered 0
	call resumed
	expect_grown ResumedAsClient 1 TicketsOffered 1 RefusedByPeer 0
	kill "$peer"
	wait_peer
	callee -num_tickets 0
	call full
	expect_grown RefusedByPeer 1 TicketsOffered 1 ResumedAsClient 0
}

# For people
counters_in_words() {
	tls-handoff tickets > out
	expect_words '^tickets issued +[0-9]+$' out
	expect_words '^resumed as server +[0-9]+$' out
}

add_resumption_lasting() {
	local prefix=interop.resumption.tickets_outlive
	add $prefix.a_reload.of_our_server.tls13 tickets_of_our_server_outlive reload default
	add $prefix.a_reload.of_our_server.tls12 tickets_of_our_server_outlive reload tls12 -tls1_2
	add $prefix.a_reload.of_our_client tickets_of_our_client_outlive reload
	add $prefix.a_restart.of_our_server tickets_of_our_server_outlive restart default
	add $prefix.a_restart.of_our_client tickets_of_our_client_outlive restart
	add $prefix.new_keys.tls13 new_keys rotating -tls1_3
	add $prefix.new_keys.tls12 new_keys tls12 -tls1_2
	add interop.resumption.tickets_are_lost_in_a_crash lost_in_a_crash
	add interop.resumption.counters.of_a_server counters_of_a_server
	add interop.resumption.counters.of_a_client counters_of_a_client
	add interop.resumption.counters.in_words counters_in_words
}

add_resumption_lasting
