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

socat_server() { echo_server socat "$1-LISTEN:$port,reuseaddr,fork" EXEC:cat; }
ncat_server() { echo_server ncat -l -k -e /bin/cat "$port"; }

# --info for a program that accepts.
python_server() {
	echo_server "$here/program.py" serve localhost "$port"
	until_true has_line peer.err '"state":"established"'
	expect_words '"role":"server"' peer.err
}

asyncio_server() { echo_server "$here/program.py" asyncio_serve 127.0.0.1 "$port"; }
node_server() { echo_server "$here/program.js" serve localhost "$port"; }

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
	run_client "$here/program.py" memcached server.test "$port"
	expect_status 0
	expect_words '^blue$' out
}

iperf3_both() {	# [iperf3's ARGUMENT...]
	run_server iperf3 --server --one-off --port "$port"
	run_client iperf3 --client server.test --port "$port" --bytes 2M --json "$@"
	expect_status 0
	jq -e '.end.sum_received.bytes >= 2097152' out > /dev/null || fail "iperf3: $(< out)"
	expect_words '"state":"established"' err
}

# expect_no_plaintext PROGRAM ARGUMENT...: a client without TLS gets nothing.
expect_no_plaintext() {
	timeout 2 "$@" > plain 2>&1 || :
	! grep -q PONG plain || fail "the server talked plaintext: $(< plain)"
}

# What a listener on the network sees: the marker with the program alone, and not under run.
on_the_wire() {
	local marker=a-marker-that-is-easy-to-find front=$((port + 1000))
	tcpdump -i lo -U -w wire "tcp port $port or tcp port $front" > /dev/null 2> tcpdump.err &
	pids+=("$!")
	tcpdump=$!
	until_true has_line tcpdump.err 'listening on'
	run_server "$here/program.py" serve localhost "$port"
	run_client "$here/program.py" blocking server.test "$port" <<< "$marker"
	expect_status 0
	expect_words "$marker" out
	port=$front
	server "$here/program.py" serve localhost "$port"
	"$here/program.py" blocking localhost "$port" <<< "the end $marker" > out
	until_true has_line wire "the end $marker"
	kill "$tcpdump"
	! grep -aq "^$marker" wire || fail "the marker went over the wire under run"
	[ "$(grep -ac "the end $marker" wire)" -ge 1 ]
}

add run.socat.server socat_server TCP
add run.socat.server.ipv6 socat_server TCP6
add run.ncat.server ncat_server
add run.nc.server nc_server
add run.python.server python_server
add run.python.asyncio.server asyncio_server
add run.python.http_server python_http_server
add run.node.server node_server
add run.redis redis_both
add run.memcached memcached_both
add run.iperf3 iperf3_both
add run.iperf3.reverse iperf3_both --reverse --parallel 3
add run.nothing_on_the_wire on_the_wire
