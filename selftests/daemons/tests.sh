# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's

# daemon [LINE...]: a tlshd on tlshd.conf, whose profile default has a key in a file; LINEs
# are added. $tlshd is its pid, tlshd.log what all three say.
daemon() {
	conf "$@"
	: >> tlshd.log
	ready=$(grep -c '^tlshd: ready' tlshd.log) || :
	TLSHD_RUNTIME_DIR=$PWD tlshd -s -v -c tlshd.conf >> tlshd.log 2>&1 < /dev/null &
	tlshd=$!
	pids+=("$tlshd")
	until_true daemon_is_ready
}

conf() {
	printf '%s\n' '[profile default]' "certificate = $pki/peer.pem" \
		"private_key = $pki/peer.key" "truststore = $pki/ca.pem" "$@" > tlshd.conf
}

daemon_is_ready() {
	! has_ended "$tlshd" || fail "tlshd ended: $(tail -n 5 tlshd.log)"
	[ "$(grep -c '^tlshd: ready' tlshd.log)" -gt "$ready" ]
}

# rooms NAME: the pids of our tlshd's processes of that name, oldest first.
rooms() { pgrep -P "$tlshd" -x "$1"; }
has_rooms() { [ "$(rooms "$1" | wc -l)" -eq "$2" ]; }

# silent_handshake: ours is in the middle of a handshake that may take ten minutes.
silent_handshake() {
	server nc -lk 127.0.0.1 "$port"
	tls-handoff connect --timeout 600 --name localhost 127.0.0.1 "$port" < /dev/null \
		> out 2> err &
	ours=$!
	pids+=("$ours")
	until_true session_is in_handshake
}

session_is() {
	tls-handoff sessions --json > sessions || return 1
	case $1 in
	in_handshake) has_line sessions '"state": *"handshake"' ;;
	esac
	# It was taken by tlshd, not only started
	[ "$(rooms tlshd-session | wc -l)" -eq 1 ]
}

# expect_at_once WORDS: ours failed because of a death, long before its ten minutes.
expect_at_once() {
	wait_ours
	expect_status 3
	expect_words "$1" err
}

expect_works() {
	server openssl s_server -accept "127.0.0.1:$((port += 1000))" -cert "$pki/peer.pem" \
		-key "$pki/peer.key" -rev
	connect --name localhost 127.0.0.1 "$port" < <(echo abc; until_true has_bytes out 4)
	expect_status 0
	[ "$(< out)" = cba ] || fail "received: $(< out)"
}

a_death_ends_handshakes() {
	local name=$1
	daemon
	silent_handshake
	kill -KILL "$(rooms "$name")"
	expect_at_once "$name ended unexpectedly \(signal 9, Killed\)"
	until_true has_line tlshd.log "$name ended unexpectedly"
	expect_works
}

tlshds_death_ends_handshakes() {
	daemon
	silent_handshake
	kill -KILL "$tlshd"
	wait_ours
	expect_status 3
	# Its processes end by themselves.
	until_true nobody_is tlshd-session
	until_true nobody_is tlshd-keys
	connect --name localhost 127.0.0.1 "$port" < /dev/null
	expect_status 4
	daemon
	expect_works
}

# nobody_is NAME: in this namespace's pid files there is none that our tlshd started.
nobody_is() { ! pgrep -x -f "$1 -c tlshd.conf.*" > /dev/null; }

# An echo server whose connection is established; ours reads the pipe in.
established() {
	mkfifo in peer.in
	exec {in}<> in {peer_in}<> peer.in
	server openssl s_server -accept "127.0.0.1:$port" -cert "$pki/peer.pem" \
		-key "$pki/peer.key"
	tls-handoff connect --name localhost 127.0.0.1 "$port" < in > out 2> err &
	ours=$!
	pids+=("$ours")
	echo to-peer-1 >&"$in"
	until_true has_line peer.out to-peer-1
	echo to-us-1 >&"$peer_in"
	until_true has_line out to-us-1
}

an_established_connection_outlives_its_session_handler() {
	daemon
	established
	kill -KILL "$(rooms tlshd-session)"
	until_true has_line tlshd.log '1 established sessions go on'
	echo to-peer-2 >&"$in"
	until_true has_line peer.out to-peer-2
	echo to-us-2 >&"$peer_in"
	until_true has_line out to-us-2
}

without_a_session_handler_a_key_update_ends_the_connection() {
	daemon
	established
	kill -KILL "$(rooms tlshd-session)"
	until_true has_line tlshd.log '1 established sessions go on'
	echo K >&"$peer_in"
	wait_ours
	[ "$status" -ne 0 ] || fail "the connection ended as if nothing was wrong"
	until_true has_line tlshd.log 'ESRCH: a record needs tlshd-session'
}

a_reload_replaces_both_processes() {
	local old
	daemon
	established
	connect --profile second --name localhost 127.0.0.1 "$port" < /dev/null
	expect_status 3
	expect_words 'there is no profile "second"' err
	old=$(rooms tlshd-session)
	conf '[profile second]' "truststore = $pki/ca.pem"
	kill -HUP "$tlshd"
	until_true has_line tlshd.log 'configuration reloaded: generation 2 follows 1'
	until_true has_ended "$old"
	until_true has_rooms tlshd-keys 1
	echo to-peer-2 >&"$in"
	until_true has_line peer.out to-peer-2
	kill "$peer" "$ours"
	server openssl s_server -accept "127.0.0.1:$((port += 1000))" -cert "$pki/peer.pem" \
		-key "$pki/peer.key" -rev
	connect --profile second --name localhost 127.0.0.1 "$port" \
		< <(echo abc; until_true has_bytes out 4)
	expect_status 0
}

a_reload_of_a_mistake_changes_nothing() {
	local old
	daemon
	old=$(rooms tlshd-session)
	echo 'nonsense' >> tlshd.conf
	kill -HUP "$tlshd"
	until_true has_line tlshd.log 'tlshd.conf:5: neither'
	until_true has_line tlshd.log 'the old one stays'
	conf '[profile second]' 'crl = /nonexistent'
	kill -HUP "$tlshd"
	until_true has_line tlshd.log 'tlshd.conf:6: /nonexistent'
	until_true has_line tlshd.log 'is not used, the old one stays: '
	until_true has_rooms tlshd-session 1
	[ "$(rooms tlshd-session)" = "$old" ] || fail "another session handler serves"
	expect_works
}

# expect_mistake LINE WORDS CONFIGURATION...
expect_mistake() {
	local line=$1 words=$2 code=0
	shift 2
	printf '%s\n' "$@" > checked.conf
	tlshd -t -c checked.conf > out 2> err || code=$?
	[ "$code" -eq 1 ] || fail "tlshd -t ended with $code for: $*"
	grep -q "^checked.conf:$line: .*$words" err || fail "for $*: $(cat err)"
}

a_check_names_file_line_and_mistake() {
	local code=0
	conf
	tlshd -t -c tlshd.conf 2> err || fail "tlshd -t ended with $? for: $(cat err)"
	expect_mistake 2 'unknown key "clr"' '[profile a]' 'clr = /x'
	expect_mistake 1 'unknown section' '[profil a]'
	expect_mistake 3 'neither' '[profile a]' '' 'nonsense'
	expect_mistake 2 'no-such-user' '[profile a]' 'allow = user:no-such-user'
	expect_mistake 2 '/nonexistent' '[profile a]' 'truststore = /nonexistent'
	expect_mistake 3 'maybe' '[profile a]' '' 'unauth = maybe'
	expect_mistake 2 'AES-512' '[profile a]' 'ciphers = AES-512'
	expect_mistake 2 '/nonexistent' '[profile a]' 'private_key = /nonexistent'
	tlshd -t -c /nonexistent.conf 2> err || code=$?
	[ "$code" -eq 1 ] || fail "a missing file is no mistake"
}

tlshd_does_not_start_on_a_mistake() {
	local code=0
	printf '%s\n' '[profile a]' 'crl = /nonexistent' > tlshd.conf
	timeout "$deadline" tlshd -s -c tlshd.conf > /dev/null 2> err || code=$?
	[ "$code" -eq 1 ] || fail "exit status $code: $(cat err)"
	expect_words 'tlshd.conf:2: /nonexistent' err
	code=0
	timeout "$deadline" setpriv --reuid=nobody --regid=nogroup --clear-groups \
		tlshd -s -c /dev/null > /dev/null 2> err || code=$?
	[ "$code" -eq 1 ] || fail "exit status $code as nobody: $(cat err)"
	expect_words 'CAP_NET_ADMIN is missing' err
}

as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }

profiles_are_for_those_they_allow() {
	daemon '[profile nobodys]' "truststore = $pki/ca.pem" 'allow = user:nobody'
	server openssl s_server -accept "127.0.0.1:$port" -cert "$pki/peer.pem" \
		-key "$pki/peer.key" -rev
	connect --profile nobodys --name localhost 127.0.0.1 "$port" < /dev/null
	expect_status 3
	expect_words 'uid 0 may not use profile "nobodys"' err
	status=0
	as_nobody tls-handoff connect --profile nobodys --name localhost 127.0.0.1 "$port" \
		< /dev/null > out 2> err || status=$?
	expect_status 0
	status=0
	as_nobody tls-handoff connect --name localhost 127.0.0.1 "$port" \
		< /dev/null > out 2> err || status=$?
	expect_status 0
}

only_root_serves_without_allow() {
	daemon
	as_nobody tls-handoff listen "$((port + 1000))" < /dev/null > out 2> err &
	ours=$!
	pids+=("$ours")
	until_true is_listening "$((port + 1000))"
	timeout "$deadline" openssl s_client -connect "127.0.0.1:$((port + 1000))" \
		< /dev/null > /dev/null 2>&1 || :
	wait_ours
	expect_status 3
	expect_words 'uid 65534 may not serve with profile "default"' err
}

# The kernel's word on what a room has left
rooms_have_given_everything_up() {
	local name pid line
	daemon
	for name in tlshd-session tlshd-keys; do
		pid=$(rooms "$name")
		for line in 'CapPrm:.0000000000000000' 'CapBnd:.0000000000000000' 'NoNewPrivs:.1' \
			'Seccomp:.2'; do
			has_line "/proc/$pid/status" "$line" || fail "$name: no $line"
		done
		[ "$(stat -c %U "/proc/$pid/environ")" = root ] || fail "$name is dumpable"
		[ "$(awk '/^Uid/ { print $2 }' "/proc/$pid/status")" = "$(id -u "$name")" ] ||
			fail "$name does not run as its user"
		[ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ] ||
			fail "$name shares our network"
		[ -z "$(ls "/proc/$pid/root")" ] || fail "$name sees files: $(ls "/proc/$pid/root")"
	done
	# The agent: CAP_KILL and CAP_NET_ADMIN
	has_line "/proc/$tlshd/status" 'CapEff:.0000000000001020' ||
		fail "tlshd: $(grep CapEff "/proc/$tlshd/status")"
}

each_handshake_has_one_line_in_the_log() {
	daemon
	server openssl s_server -accept "127.0.0.1:$port" -cert "$pki/peer.pem" \
		-key "$pki/peer.key" -rev
	connect --name localhost 127.0.0.1 "$port" < <(echo abc; until_true has_bytes out 4)
	connect --name other.test 127.0.0.1 "$port" < /dev/null
	until_true has_line tlshd.log 'handshake failed'
	[ "$(grep -c 'handshake done: profile default, peer 127.0.0.1:.* TLS 1.3' tlshd.log)" -eq 1 ] ||
		fail "$(cat tlshd.log)"
	[ "$(grep -c 'handshake failed: .* EKEYREJECTED: ' tlshd.log)" -eq 1 ] ||
		fail "$(cat tlshd.log)"
}

sigterm_ends_all_three() {
	local code=0
	daemon
	established
	kill -TERM "$tlshd"
	until_true has_ended "$tlshd"
	wait "$tlshd" || code=$?
	[ "$code" -eq 0 ] || fail "exit status $code"
	nobody_is tlshd-session || fail "tlshd-session is still there"
	nobody_is tlshd-keys || fail "tlshd-keys is still there"
	# The connection goes on.
	echo to-peer-2 >&"$in"
	until_true has_line peer.out to-peer-2
}

add daemons.tlshd_session_killed_ends_handshakes_at_once a_death_ends_handshakes tlshd-session
add daemons.tlshd_keys_killed_ends_handshakes_at_once a_death_ends_handshakes tlshd-keys
add daemons.tlshd_killed_ends_handshakes_at_once tlshds_death_ends_handshakes
add daemons.an_established_connection_outlives_its_session_handler \
	an_established_connection_outlives_its_session_handler
add daemons.without_a_session_handler_a_key_update_ends_the_connection \
	without_a_session_handler_a_key_update_ends_the_connection
add daemons.a_reload_replaces_both_processes a_reload_replaces_both_processes
add daemons.a_reload_of_a_mistake_changes_nothing a_reload_of_a_mistake_changes_nothing
add daemons.a_check_names_file_line_and_mistake a_check_names_file_line_and_mistake
add daemons.tlshd_does_not_start_on_a_mistake tlshd_does_not_start_on_a_mistake
add daemons.profiles_are_for_those_they_allow profiles_are_for_those_they_allow
add daemons.only_root_serves_without_allow only_root_serves_without_allow
add daemons.rooms_have_given_everything_up rooms_have_given_everything_up
add daemons.each_handshake_has_one_line_in_the_log each_handshake_has_one_line_in_the_log
add daemons.sigterm_ends_all_three sigterm_ends_all_three
