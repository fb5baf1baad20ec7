# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2094 # variables are lib.sh's; feed only looks at sizes
# Programs that accept connections, from clients that speak nothing but TLS.

# The payload to $port, and what comes back to got.
s_client() {
	feed got | reader timeout "$deadline" openssl s_client -connect "127.0.0.1:$port" \
		-quiet -nocommands -no_ign_eof -CAfile "$pki/ca.pem" -verify_return_error \
		-verify_hostname server.test > got 2> client.err ||
		fail "s_client: $? $(tail -n 3 client.err peer.err)"
}

echo_server() {	# PROGRAM ARGUMENT...
	run_server --json -- "$@"
	s_client
	expect_same got "$payload"
}

# Both address families
socat_server() { echo_server socat "TCP6-LISTEN:$port,reuseaddr,fork,ipv6only=0" EXEC:cat; }
ncat_server() { echo_server ncat -l -k -e /bin/cat "$port"; }

# --info for a program that accepts.
python_server() {
	echo_server "$here/program.py" 127.0.0.1 "$port" serve
	until_true has_line peer.err '"state":"established"'
	expect_words '"role":"server"' peer.err
}

asyncio_server() { echo_server "$here/program.py" 127.0.0.1 "$port" asyncio_serve; }
node_server() { echo_server "$here/program.js" 127.0.0.1 "$port" serve; }

nc_server() {
	mkfifo peer.in
	exec {speak}<> peer.in
	run_server nc -l -N "$port"
	cat "$payload" >&"$speak" &
	openssl s_client -connect "127.0.0.1:$port" -quiet < "$payload" > got 2> client.err &
	pids+=("$!")
	until_true has_bytes peer.out "$(stat -c %s "$payload")"
	until_true has_bytes got "$(stat -c %s "$payload")"
	expect_same got "$payload"
	expect_same peer.out "$payload"
}

python_http_server() {
	cp "$payload" payload
	run_server python3 -m http.server --bind 127.0.0.1 "$port"
	curl --silent --show-error --max-time "$deadline" --cacert "$pki/ca.pem" -o got \
		"https://server.test:$port/payload" 2> client.err || fail "curl: $(< client.err)"
	expect_same got payload
}

# Both sides of each of these know nothing of TLS.
redis_both() {
	run_server redis-server --save '' --dir "$PWD" --port "$port" --bind 127.0.0.1 ::1
	redis-cli --tls --cacert "$pki/ca.pem" -h server.test -p "$port" set colour blue > out ||
		fail "redis-cli --tls: $(< out)"
	run_client redis-cli -h server.test -p "$port" get colour
	expect_status 0
	expect_words blue out
	expect_info peer_identity '"dns:server.test"'
	expect_no_plaintext redis-cli -p "$port" ping
}

memcached_both() {
	run_server memcached -u root -l 127.0.0.1 -p "$port"
	run_client "$here/program.py" server.test "$port" memcached
	expect_status 0
	expect_words '^blue$' out
}

iperf3_both() {
	run_server iperf3 --server --port "$port" --forceflush
	iperf3_once
	# In between it does not listen.
	until_true has_line peer.out 'test #2'
	iperf3_once --reverse --parallel 3
}

# When enough was sent, it does not wait for what is under way, of which these sockets hold
# less than 1 MiB.
iperf3_once() {	# [iperf3's ARGUMENT...]
	run_client iperf3 --client server.test --port "$port" --bytes 3M --window 128K --json "$@"
	expect_status 0
	jq -e '.end.sum_received.bytes >= 2097152' out > /dev/null || fail "iperf3: $(< out)"
	expect_words '"state":"established"' err
}

# expect_no_plaintext PROGRAM ARGUMENT...: a client without TLS gets nothing.
expect_no_plaintext() {
	timeout 2 "$@" > plain 2>&1 || :
	! grep -q PONG plain || fail "the server talked plaintext: $(< plain)"
}

# What somebody on the network sees: not the marker under run, but the one without.
on_the_wire() {
	local marker=a-marker-that-is-easy-to-find
	tcpdump -i lo --immediate-mode -U -w wire "tcp portrange $port-$((port + 1000))" \
		> /dev/null 2> tcpdump.err &
	pids+=("$!")
	until_true has_line tcpdump.err 'listening on'
	run_server socat -t "$deadline" "TCP-LISTEN:$port,reuseaddr" EXEC:cat
	run_client socat -t "$deadline" - "TCP:server.test:$port" <<< "$marker"
	expect_status 0
	expect_words "$marker" out
	port=$((port + 1000))
	server socat "TCP-LISTEN:$port,reuseaddr" EXEC:cat
	socat - "TCP:server.test:$port" <<< "in plaintext $marker" > out
	until_true has_line wire "in plaintext $marker"
	[ "$(grep -aoE ".{0,13}$marker" wire | grep -vc 'in plaintext')" -eq 0 ] ||
		fail "the marker went over the wire under run"
}

add run.socat.server socat_server
add run.ncat.server ncat_server
add run.nc.server nc_server
add run.python.server python_server
add run.python.asyncio.server asyncio_server
add run.python.http_server python_http_server
add run.node.server node_server
add run.redis redis_both
add run.memcached memcached_both
add run.iperf3 iperf3_both
add run.nothing_on_the_wire on_the_wire
