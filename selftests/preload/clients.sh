# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2094 # variables are lib.sh's; feed only looks at sizes
# Programs that open connections, to servers that would not understand plaintext.

# Each address family, then by an address alone: that is what the certificate must have.
nc_client() {
	reverser
	nc_once server.test dns:server.test -4
	nc_once server.test dns:server.test -6
	nc_once 127.0.0.1 ip:127.0.0.1
	nc_once ::1 ip:::1
}

nc_once() {	# HOST IDENTITY [nc's ARGUMENT...]
	local host=$1 identity=$2
	shift 2
	rm -f reader_ended
	run_client nc "$@" -N "$host" "$port" < <(feed out)
	expect_status 0
	expect_same out "$payload.reversed"
	expect_info peer_identity "\"$identity\""
}

# nc waits for its connect with poll(2) if it has a time limit.
nc_time_limit() {
	reverser
	nc_once server.test dns:server.test -w "$deadline"
}

nc_another_name() {
	reverser
	run_client --name localhost -- nc -N 127.0.0.1 "$port" < <(feed out)
	expect_status 0
	expect_same out "$payload.reversed"
	expect_info peer_identity '"dns:localhost"'
}

socat_client() {
	reverser
	run_client socat -t "$deadline" - "TCP:server.test:$port" < <(feed out)
	expect_status 0
	expect_same out "$payload.reversed"
}

ncat_client() {
	reverser
	run_client ncat server.test "$port" < <(feed out)
	expect_same out "$payload.reversed"
	expect_info peer_identity '"dns:server.test"'
}

curl_plain_url() {
	web_server
	run_client curl --silent --show-error "http://server.test:$port/payload"
	expect_status 0
	expect_same out payload
	expect_info state '"established"'
}

python_urllib() {
	web_server
	run_client "$here/program.py" server.test "$port" urllib_request
	expect_status 0
	expect_same out payload
}

# program LANGUAGE CASE...: each sends the payload and prints what comes back. None could
# talk plaintext with that server. Each may take as long as a test of its own.
program() {
	local expected=() kind=$1
	shift
	local deadline=$((deadline * $#))
	reverser
	run_client "$here/program.$kind" server.test "$port" "$@" < "$payload"
	expect_status 0
	while [ ${#expected[@]} -lt $# ]; do expected+=("$payload.reversed"); done
	cat "${expected[@]}" > expected
	expect_same out expected
}

redis_tls_server() {
	server redis-server --save '' --dir "$PWD" --port 0 --tls-port "$port" \
		--tls-cert-file "$pki/peer.pem" --tls-key-file "$pki/peer.key" \
		--tls-ca-cert-file "$pki/ca.pem" --tls-auth-clients no
}

redis_client() {
	local i
	redis_tls_server
	run_client redis-cli -h server.test -p "$port" set colour blue
	expect_status 0
	expect_words OK out
	run_client redis-cli -h localhost -p "$port" get colour
	expect_words blue out
	expect_info peer_identity '"dns:localhost"'

	for ((i = 0; i < 1000; i++)); do echo "incrby total $i"; done > commands
	run_client redis-cli -h server.test -p "$port" --pipe < commands
	expect_status 0
	expect_words 'errors: 0, replies: 1000' out
	run_client redis-cli -h server.test -p "$port" get total
	expect_words 499500 out
}

memcached_client() {
	server memcached -u root -l 127.0.0.1 -p "$port" -Z -o "ssl_chain_cert=$pki/peer.pem" \
		-o "ssl_key=$pki/peer.key"
	run_client "$here/program.py" server.test "$port" memcached
	expect_status 0
	expect_words '^blue$' out
}

# Children inherit it, through a shell and an interpreter that were not named.
children() {
	reverser
	run_client sh -c "exec env nc -N server.test $port" < <(feed out)
	expect_status 0
	expect_same out "$payload.reversed"
}

exit_status_of_the_program() {
	run_client sh -c 'exit 42'
	expect_status 42
	run_client sh -c 'kill -PIPE $$'
	expect_status 141
}

# Only the ports of the rules.
other_ports_stay_plain() {
	server socat -t "$deadline" "TCP-LISTEN:$port,reuseaddr" EXEC:cat
	run_client --client-ports "1-$((port - 1)),$((port + 1))-65535" -- \
		nc -N 127.0.0.1 "$port" < "$payload"
	expect_status 0
	expect_same out "$payload"
}

truncation() {	# ENDED_BY [ARGUMENT...]
	local ended_by=$1
	shift
	mkfifo peer.in
	exec {speak}<> peer.in
	server openssl s_server -accept "$port" -cert "$pki/peer.pem" -key "$pki/peer.key" -quiet
	timeout "$deadline" tls-handoff run "$@" -- "$here/program.py" server.test "$port" \
		to_the_end > out 2> err &
	ours=$!
	pids+=("$ours")
	echo "the first half" >&"$speak"
	until_true has_line out 'the first half'
	kill -KILL "$peer"
	wait_ours
	expect_status 0
	expect_words "^the end: $ended_by\$" out
}

add run.nc nc_client
add run.nc.time_limit nc_time_limit
add run.nc.name_given nc_another_name
add run.socat socat_client
add run.ncat ncat_client
add run.curl curl_plain_url
add run.python.urllib python_urllib
add run.python.every_way_to_connect program py blocking time_limit asyncio_streams connect_ex \
	connect_repeated threads duplicate fast_open
add run.node program js net
add run.redis_cli redis_client
add run.memcached.client memcached_client
add run.children children
add run.exit_status exit_status_of_the_program
add run.other_ports_stay_plain other_ports_stay_plain
add run.truncation_is_an_error truncation ECONNABORTED
add run.truncation_eof_ok truncation nothing --eof-ok
