# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2034 # variables are lib.sh's
# What is refused, and that nothing goes out in plaintext then.

wrong_name() {	# HOST [ARGUMENT...]
	reverser
	run_client nc -N "$1" "$port" < "$payload"
	expect_status 1
	[ ! -s out ] || fail "something was received: $(head -c 100 out)"
	expect_words "handshake with $1 failed: .*name" err
}

# To a blocking and to a non-blocking program, with the sentence for each.
untrusted() {
	server openssl s_server -accept "$port" -cert "$pki/rogue.pem" -key "$pki/rogue.key" -quiet
	run_client "$here/program.py" server.test "$port" failures
	expect_status 0
	expect_words '^blocking: EKEYREJECTED$' out
	expect_words '^non-blocking: EKEYREJECTED$' out
	[ "$(grep -c '^send: EPIPE$' out)" -eq 2 ] || fail "it could send: $(cat out)"
	[ "$(grep -c 'handshake with server.test failed: ' err)" -eq 2 ] || fail "said: $(cat err)"
	[ ! -s peer.out ] || fail "the peer received: $(cat peer.out)"
}

# A server that knows nothing of TLS gets a ClientHello, never our bytes.
plaintext_server() {
	server socat -u "TCP-LISTEN:$port,reuseaddr" "CREATE:received"
	run_client --timeout 2 -- nc -N 127.0.0.1 "$port" < "$payload"
	expect_status 1
	expect_words 'handshake with 127.0.0.1 failed' err
	until_true has_bytes received 50
	! grep -qaF "$(head -c 20 "$payload")" received || fail "plaintext went out"
}

connection_refused() {
	run_client "$here/program.py" 127.0.0.1 1 refused
	expect_status 0
	expect_words '^blocking: ECONNREFUSED$' out
	expect_words '^non-blocking: ECONNREFUSED$' out
}

multipath() {
	server socat "TCP-LISTEN:$port,reuseaddr" EXEC:cat
	run_client "$here/program.py" 127.0.0.1 "$port" multipath
	expect_words '^refused$' out
	expect_words 'Multipath TCP' err
}

other_kinds() {
	run_client "$here/program.py" 127.0.0.1 "$port" other_kinds
	expect_status 0
	expect_words '^datagram$' out
	expect_words '^local$' out
}

# A network namespace in which there is no tlshd.
no_tlshd() {
	# shellcheck disable=SC2016 # expanded inside
	unshare --net bash -c 'ip link set lo up; socat -u TCP-LISTEN:$1,reuseaddr CREATE:received &
		until ss -Hltn | grep -q ":$1 "; do :; done
		tls-handoff run nc -N 127.0.0.1 $1 < '"$payload"' 2> err; echo $? > status
		wait' - "$port"
	[ "$(< status)" -eq 1 ] || fail "status $(< status): $(cat err)"
	expect_words 'no tlshd' err
	[ ! -s received ] || fail "the peer received: $(head -c 100 received)"
}

nonsense_in_the_environment() {
	server socat -u "TCP-LISTEN:$port,reuseaddr" "CREATE:received"
	local library
	library=$(echo /usr/lib/*/tls-handoff/libtls_handoff_preload.so)
	[ -e "$library" ] || fail "there is no $library"
	! LD_PRELOAD=$library TLS_HANDOFF_CLIENT_PORTS=all,none \
		nc -N 127.0.0.1 "$port" < "$payload" 2> err || fail "it could connect"
	expect_words 'tls-handoff: --client-ports: .*no connection is made' err
	[ ! -s received ] || fail "the peer received: $(head -c 100 received)"
}

cannot_be_preloaded() {
	run_client /usr/sbin/ldconfig -p
	expect_status 2
	expect_words 'statically linked.*tls-handoff tunnel' err
	chmod 755 .
	status=0
	setpriv --reuid nobody --clear-groups tls-handoff run su > out 2> err || status=$?
	expect_status 2
	expect_words 'privileges of its own.*tls-handoff tunnel' err
}

add run.refused.wrong_name wrong_name wrong.test
add run.refused.untrusted untrusted
add run.refused.plaintext_server plaintext_server
add run.refused.nobody_listens connection_refused
add run.refused.multipath multipath
add run.refused.no_tlshd no_tlshd
add run.refused.nonsense_in_the_environment nonsense_in_the_environment
add run.refused.static_and_setuid_programs cannot_be_preloaded
add run.other_kinds_of_sockets other_kinds
