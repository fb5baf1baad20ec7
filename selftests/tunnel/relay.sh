# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# Bytes through the tunnel in either role, and their end.

terminate_curl() {
	web_server
	tunnel --accept "127.0.0.1:$port" --connect "127.0.0.1:$(behind)" --profile soft
	get "https://server.test:$port/payload"
	get --tls-max 1.2 "https://server.test:$port/payload"
	expect_log 'TLS 1.3'
	expect_log 'TLS 1.2'
	! curl --silent --max-time "$deadline" --cacert "$pki/rogue.pem" -o got \
		"https://server.test:$port/" || fail "curl trusted us by the wrong CA"
	expect_log 'tunnel: 127.0.0.1:[0-9]*: handshake failed: .*unknown.ca'
}

originate_curl() {
	web_server "$(port=$(behind) nginx_certificate)"
	tunnel --client --accept "127.0.0.1:$port" --connect "127.0.0.1:$(behind)" \
		--name server.test --profile soft --alpn http/1.1
	get "http://127.0.0.1:$port/payload"
}

# A server with the wrong name is refused, and the client gets nothing.
originate_wrong_name() {
	web_server "$(port=$(behind) nginx_certificate)"
	tunnel --client --accept "127.0.0.1:$port" --connect "127.0.0.1:$(behind)" \
		--name wrong.test --profile soft
	! curl --silent --max-time "$deadline" -o got "http://127.0.0.1:$port/payload" ||
		fail "curl got something"
	expect_log 'handshake failed: .*wrong.test'
}

# stunnel is the TLS peer, first as the client of ours and then as the server of ours.
stunnel_both_roles() {
	web_server
	write_stunnel '[client]' client=yes "accept=127.0.0.1:$((port + 1000))" \
		"connect=127.0.0.1:$port" "CAfile=$pki/ca.pem" verifyChain=yes checkHost=server.test \
		'[server]' "accept=127.0.0.1:$((port + 2000))" "connect=127.0.0.1:$(behind)" \
		"cert=$pki/peer.pem" "key=$pki/peer.key"
	peer stunnel stunnel.conf
	cat > tunnel.conf <<-END
		[service in]
		accept = 127.0.0.1:$port
		connect = 127.0.0.1:$(behind)
		profile = soft
		[service out]
		client = yes
		accept = 127.0.0.1:$((port + 3000))
		connect = localhost:$((port + 2000))
		profile = soft
	END
	tunnel -c tunnel.conf
	until_true is_listening $((port + 2000))
	get "http://127.0.0.1:$((port + 1000))/payload"
	get "http://127.0.0.1:$((port + 3000))/payload"
}

# UNIX sockets on the plain side of both roles, and a pre-shared key between them.
unix_sockets() {
	peer socat -t "$deadline" "UNIX-LISTEN:back.sock,fork" SYSTEM:sha256sum
	until_true test -S back.sock
	cat > tunnel.conf <<-END
		[service in]
		accept = 127.0.0.1:$port
		connect = unix:$PWD/back.sock
		profile = psk
		psk = test
		[service out]
		client = yes
		accept = unix:$PWD/front.sock
		connect = 127.0.0.1:$port
		profile = psk
		psk = test
	END
	tunnel -c tunnel.conf
	socat -t "$deadline" - "UNIX-CONNECT:front.sock" < "$payload" > digest ||
		fail "socat: $(tail -n 3 tunnel.log)"
	[ "$(cut -d ' ' -f 1 digest)" = "$(sha256sum < "$payload" | cut -d ' ' -f 1)" ] ||
		fail "no digest came back: $(cat digest)"
	kill "$tunnel"
	until_true has_ended "$tunnel"
	[ ! -e front.sock ] || fail "the socket is still there"
}

# socat's end of file becomes close_notify, and then what follows it comes back.
half_close() {
	peer socat -t "$deadline" "TCP-LISTEN:$(behind),bind=127.0.0.1,fork,reuseaddr" SYSTEM:sha256sum
	until_true is_listening "$(behind)"
	tunnel --accept "$port" --connect "127.0.0.1:$(behind)" --profile soft
	socat -t "$deadline" - "OPENSSL:server.test:$port,pf=ip4,cafile=$pki/ca.pem" \
		< "$payload" > digest 2> socat.err || fail "socat: $(cat socat.err)"
	[ "$(cut -d ' ' -f 1 digest)" = "$(sha256sum < "$payload" | cut -d ' ' -f 1)" ] ||
		fail "no digest came back: $(cat digest tunnel.log)"
	expect_log 'both sides closed'
}

# A client that is killed says no close_notify. cut_client ARGUMENT...: what the program behind
# the tunnel makes of it, $status: 0 an end, 1 an error. The client has read the answer and so
# all before it: with a ticket unread its TCP would reset the connection instead of ending it.
cut_client() {
	mkfifo peer.in
	exec {speak}<> peer.in
	python3 - "$(behind)" 2> backend.err <<-'END' &
		import socket, sys
		s, _ = socket.create_server(("127.0.0.1", int(sys.argv[1]))).accept()
		assert s.recv(100) == b"the first half\n"
		s.sendall(b"an answer\n")
		assert s.recv(100) == b""
	END
	pids+=("$!")
	backend=$!
	until_true is_listening "$(behind)"
	tunnel --accept "127.0.0.1:$port" --connect "127.0.0.1:$(behind)" --profile soft "$@"
	peer openssl s_client -connect "127.0.0.1:$port" -quiet
	echo "the first half" >&"$speak"
	until_true has_line peer.out 'an answer'
	kill -KILL "$peer"
	until_true has_ended "$backend"
	status=0
	wait "$backend" || status=$?
}

truncation_is_an_error() {
	cut_client
	has_line backend.err ConnectionResetError ||
		fail "the program saw no error, status $status: $(tail -n 1 backend.err)"
	expect_log 'TLS side: .*close_notify'
}

truncation_is_an_end() {
	cut_client --truncation eof
	[ "$status" -eq 0 ] || fail "the program saw an error: $(tail -n 1 backend.err)"
	expect_log 'the TLS peer is gone'
}

# What fails behind the tunnel is no close_notify for the client: it must not take the half
# of an answer for the whole.
a_reset_is_no_end() {
	python3 - "$(behind)" 2> backend.err <<-'END' &
		import socket, struct, sys
		s, _ = socket.create_server(("127.0.0.1", int(sys.argv[1]))).accept()
		s.sendall(b"the first half\n")
		s.recv(1)
		s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
		s.close()
	END
	pids+=("$!")
	until_true is_listening "$(behind)"
	tunnel --accept "127.0.0.1:$port" --connect "127.0.0.1:$(behind)" --profile soft
	mkfifo hold
	exec {hold}<> hold
	tls-handoff connect --name localhost 127.0.0.1 "$port" < hold > out 2> err &
	ours=$!
	pids+=("$ours")
	until_true has_line out 'the first half'
	echo >&"$hold"
	wait_ours
	expect_status 1
	expect_log 'plain side: Connection reset'
}

nobody_behind() {
	tunnel --accept "127.0.0.1:$port" --connect "127.0.0.1:$(behind)" --profile soft
	status=0
	tls-handoff connect --recv-only --name localhost 127.0.0.1 "$port" > out 2> err || status=$?
	[ "$status" -eq 1 ] || fail "status $status: $(cat err)"
	expect_log 'cannot connect: Connection refused'
}

add tunnel.terminate.curl_to_nginx terminate_curl
add tunnel.originate.curl_to_nginx originate_curl
add tunnel.originate.wrong_name_is_refused originate_wrong_name
add tunnel.stunnel_as_client_and_as_server stunnel_both_roles
add tunnel.unix_sockets_and_psk unix_sockets
add tunnel.half_close_passes_both_ways half_close
add tunnel.truncation_is_an_error_behind_it truncation_is_an_error
add tunnel.truncation_is_an_end_if_asked_for truncation_is_an_end
add tunnel.reset_behind_it_is_no_close_notify a_reset_is_no_end
add tunnel.nobody_behind_it_is_logged nobody_behind
