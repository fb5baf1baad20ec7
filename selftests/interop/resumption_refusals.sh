# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # variables are lib.sh's; visit uses $listen
# Tickets that must not work: what would not be let in with a full handshake is not let in
# with a ticket, and what was changed since makes a full handshake of it.

# One that our server will look at: OpenSSL's client keeps to the lifetime that it was
# told, 127 seconds instead of $lifetime.
believe_in_long_life() {	# SESSION
	perl -MMIME::Base64 -0777 -i -pe '
		s/(?<=-\n)(.*)(?=-----END)/my $der = decode_base64($1);
			$der =~ s,\xa9\x03\x02\x01\K'"$(printf '\\x%02x' "$lifetime")"',\x7f,
				or die "no lifetime in the session\n";
			encode_base64($der)/es' "$1" 2> perl.err || fail "$(cat perl.err)"
}

got_without_a_certificate() {	# PROFILE
	local payload=$home/small listen=(--profile "$1")
	visit full -sess_out first
	listen+=(--client-cert require)
	refused_visit missing certificate_required -sess_in first
	visit full -sess_in first -cert "$pki/peer.pem" -key "$pki/peer.key"
	expect_info peer_cert true
	listen=(--profile "$1")
	visit resumed -sess_in first
}

for_another_name() {	# PROFILE NAME s_client's ARGUMENT...
	local payload=$home/small listen=(--profile "$1") other=$2
	shift 2
	visit full -sess_out first "$@"
	visit full -sess_in first -servername "$other" -verify_hostname "$other" "$@"
	expect_info server_name "\"$other\""
	sni=(-noservername)
	visit full -sess_in first "$@"
	sni=(-servername server.test)
	visit resumed -sess_in first "$@"
}

of_another_profile() {
	local payload=$home/small listen=(--profile rotating)
	visit full -sess_out first
	listen=(--profile names)
	visit full -sess_in first
	listen=()
	visit full -sess_in first
	listen=(--profile rotating)
	visit resumed -sess_in first
}

# On a slow machine not only the ticket is too old then but its key is gone.
after_its_lifetime() {
	local payload=$home/small listen=(--profile short) refused
	until_true visit_in_time
	refused=$(count_refused_for_age)
	until_true visit_is_full_again
	[ "$(count_refused_for_age)" -eq $((refused + 1)) ] || fail "it was not refused for its age"
}

count_refused_for_age() { echo $(($(count RefusedExpired) + $(count RefusedUnknownKey))); }

visit_in_time() {
	visit full -sess_out first
	believe_in_long_life first
	visit any -sess_in first
	[[ $(< err) == *'"resumed":true'* ]]
}

visit_is_full_again() {
	visit any -sess_in first
	[[ $(< err) == *'"resumed":false'* ]]
}

# Our own client does not even offer it then.
client_after_its_lifetime() {
	local payload=$home/small expired
	flush
	expired=$(count TicketsExpired)
	callee_behind_relay
	call full --profile short
	pause=0.2 until_true count_is_above TicketsExpired $((expired + 1))
	count_is TicketsKept 0 || fail "a ticket is left"
	call full --profile short
	[ "$(offer 2)" = none ] || fail "a ticket was offered: $(offer 2)"
}

after_its_key_is_gone() {	# PROFILE s_client's ARGUMENT...
	local payload=$home/small listen=(--profile "$1") refused
	shift
	visit full -sess_out first "$@"
	visit resumed -sess_in first "$@"
	flush
	count_is TicketKeys 0 || fail "ticket keys are left"
	refused=$(count RefusedUnknownKey)
	visit full -sess_in first -sess_out second "$@"
	count_is RefusedUnknownKey $((refused + 1)) || fail "it was not refused for its key"
	visit resumed -sess_in second "$@"
}

client_after_flush() {
	local payload=$home/small
	callee_behind_relay
	call full
	flush
	count_is TicketsKept 0 || fail "a ticket is left"
	call full
	[ "$(offer 2)" = none ] || fail "a ticket was offered: $(offer 2)"
}

# Nobody needs to come for the keys to go.
keys_go_by_themselves() {
	local payload=$home/small listen=(--profile short)
	until_true visit_leaves_a_key
	pause=0.2 until_true count_is TicketKeys 0
}

# On a slow machine it may be gone before it is counted.
visit_leaves_a_key() {
	flush
	visit full
	count_is TicketKeys 1
}

# First a reload without a change, which leaves tickets alone.
after_the_truststore_changed() {
	local payload=$home/small listen=(--profile own --client-cert require)
	local as=(-CAfile "$home/ca.pem" -cert "$home/client.pem" -key "$home/client.key")
	cp "$home/ca.pem" "$home/trust.pem"
	reload
	visit full -sess_out first "${as[@]}"
	reload
	visit resumed -sess_in first "${as[@]}"
	cat "$pki/rogue.pem" >> "$home/trust.pem"
	reload
	visit full -sess_in first -sess_out second "${as[@]}"
	cp "$pki/rogue.pem" "$home/trust.pem"
	reload
	refused_visit untrusted unknown_ca -sess_in second "${as[@]}"
	cp "$home/ca.pem" "$home/trust.pem"
	reload
}

client_after_the_truststore_changed() {
	local payload=$home/small
	cp "$home/ca.pem" "$home/trust.pem"
	reload
	callee_behind_relay -cert "$home/server.pem" -key "$home/server.key" \
		-CAfile "$home/ca.pem"
	call full --profile own
	reload
	call resumed --profile own
	cp "$pki/rogue.pem" "$home/trust.pem"
	reload
	refused_call untrusted --profile own
	[ "$(offer 3)" = none ] || fail "a ticket was offered: $(offer 3)"
	cp "$home/ca.pem" "$home/trust.pem"
	reload
}

# refused_call VERIFY [OUR ARGUMENT...]: our client refuses the server.
refused_call() {
	local verify=$1
	shift
	connect -4 "$@" server.test "$port" < "$payload"
	expect_status 3
	expect_info verify "[\"$verify\"]"
	expect_info resumed false
	[ ! -s out ] || fail "something was received"
}

after_revocation() {
	local payload=$home/small listen=(--profile own --client-cert require)
	local as=(-CAfile "$home/ca.pem" -cert "$home/client.pem" -key "$home/client.key")
	visit full -sess_out first "${as[@]}"
	visit resumed -sess_in first -sess_out second "${as[@]}"
	write_crl client
	reload
	refused_visit revoked certificate_revoked -sess_in second "${as[@]}"
	refused_visit revoked certificate_revoked -sess_in second -CAfile "$home/ca.pem" \
		-cert "$home/client.pem" -key "$home/client.key" -tls1_2
}

client_after_revocation() {
	local payload=$home/small
	callee_behind_relay -cert "$home/server.pem" -key "$home/server.key" \
		-CAfile "$home/ca.pem"
	call full --profile own
	call resumed --profile own
	write_crl server
	reload
	refused_call revoked --profile own
	[ "$(offer 3)" = none ] || fail "a ticket was offered: $(offer 3)"
}

# Each connection of ours brings another ticket.
never_twice() {		# PROFILE s_server's ARGUMENT...
	local payload=$home/small profile=$1 i
	shift
	callee_behind_relay "$@"
	call full --profile "$profile"
	for i in 2 3 4 5; do
		connect -4 --profile "$profile" server.test "$port" < "$payload"
		expect_status 0
	done
	[ "$(offer 1)" = none ] || fail "the first one offered $(offer 1)"
	[ "$(grep -c '^psk\|^ticket' offers)" -ge 2 ] || fail "too few tickets: $(cat offers)"
	[ -z "$(grep -v none offers | sort | uniq -d)" ] || fail "used twice: $(cat offers)"
}

# Not even when the first attempt came to nothing.
never_twice_after_a_failure() {
	local payload=$home/small
	relay_what=(pass cut)
	callee_behind_relay -num_tickets 1
	call full
	connect -4 server.test "$port" < "$payload"
	expect_status 3
	[[ $(offer 2) == psk* ]] || fail "the second one offered no ticket"
	call full
	[ "$(offer 3)" = none ] || fail "the third one offered a ticket"
	call resumed
}

# The server has forgotten its keys: a full handshake, and no error.
forgotten_by_the_server() {	# PROFILE s_server's ARGUMENT...
	local payload=$home/small profile=$1 refused
	shift
	callee_behind_relay "$@"
	call full --profile "$profile"
	kill "$peer"
	wait_peer
	refused=$(count RefusedByPeer)
	port=$back callee "$@"
	call full --profile "$profile"
	[ "$(offer 2)" != none ] || fail "no ticket was offered"
	count_is RefusedByPeer $((refused + 1)) || fail "it is not counted"
	call resumed --profile "$profile"
}

client_with_no_resume() {
	local payload=$home/small
	callee_behind_relay
	call full
	call full --no-resume
	[ "$(offer 2)" = none ] || fail "a ticket was offered"
	call resumed
}

server_with_no_resume() {
	local payload=$home/small listen=()
	visit full -sess_out first
	listen=(--no-resume)
	visit full -sess_in first
	expect_no_ticket
	listen=()
	visit resumed -sess_in first
}

expect_no_ticket() {
	! grep -q ', NewSessionTicket' messages || fail "a ticket was issued"
}

client_without_in_profile() {
	local payload=$home/small
	callee_behind_relay
	call full --profile never
	call full --profile never
	[ "$(offer 2)" = none ] || fail "a ticket was offered"
}

server_without_in_profile() {
	local payload=$home/small listen=(--profile never)
	visit full
	expect_no_ticket
}

# TLS 1.2 has no tickets unless the profile says so, and never without extended master
# secret; neither has it session ids.
server_tls12_without() {	# PROFILE s_client's ARGUMENT...
	local payload=$home/small listen=(--profile "$1")
	shift
	visit full -tls1_2 -sess_out first "$@"
	expect_no_ticket
	visit full -tls1_2 -sess_in first "$@"
	visit full -tls1_2 -no_ticket -sess_in first "$@"
}

client_tls12_without() {	# PROFILE s_server's ARGUMENT...
	local payload=$home/small profile=$1
	shift
	callee_behind_relay -tls1_2 "$@"
	call full --profile "$profile"
	call full --profile "$profile"
	[ "$(offer 2)" = none ] || fail "a ticket was offered"
}

add_resumption_refusals() {
	local server=interop.resumption.refused.by_our_server
	local client=interop.resumption.not_tried_by_our_client
	add $server.got_without_a_certificate.not_asked_for got_without_a_certificate names
	add $server.got_without_a_certificate.asked_for got_without_a_certificate default
	add $server.for_another_name.tls13 for_another_name names other.test -tls1_3
	add $server.for_another_name.tls12 for_another_name tls12 localhost -tls1_2
	add $server.of_another_profile of_another_profile
	add $server.after_its_lifetime after_its_lifetime
	add $server.after_its_key_is_gone.tls13 after_its_key_is_gone default -tls1_3
	add $server.after_its_key_is_gone.tls12 after_its_key_is_gone tls12 -tls1_2
	add $server.after_the_truststore_changed after_the_truststore_changed
	add $server.after_revocation after_revocation
	add $server.no_resume server_with_no_resume
	add $server.resume_no_in_profile server_without_in_profile
	add $server.tls12_unless_configured server_tls12_without default
	add $server.tls12_without_extended_master_secret server_tls12_without tls12 -no_ems
	add $client.after_its_lifetime client_after_its_lifetime
	add $client.after_flush client_after_flush
	add $client.after_the_truststore_changed client_after_the_truststore_changed
	add $client.after_revocation client_after_revocation
	add $client.twice.tls13 never_twice default -num_tickets 1
	add $client.twice.of_many never_twice default -num_tickets 5
	add $client.twice.tls12 never_twice tls12 -tls1_2
	add $client.twice.after_a_failure never_twice_after_a_failure
	add $client.no_resume client_with_no_resume
	add $client.resume_no_in_profile client_without_in_profile
	add $client.tls12_unless_configured client_tls12_without default
	add $client.tls12_without_extended_master_secret client_tls12_without tls12 -no_ems
	add interop.resumption.forgotten_by_the_server.tls13 forgotten_by_the_server default
	add interop.resumption.forgotten_by_the_server.tls12 forgotten_by_the_server tls12 -tls1_2
	add interop.resumption.ticket_keys_go_by_themselves keys_go_by_themselves
}

add_resumption_refusals
