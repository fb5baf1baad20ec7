# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# The tunnel as a service: configuration, reload, the end, systemd.

# write_conf NAME PORT...: services that all lead to what is behind.
write_conf() {
	while [ $# -gt 0 ]; do
		printf '%s\n' "[service $1]" "accept = 127.0.0.1:$2" "connect = 127.0.0.1:$(behind)" \
			'profile = soft'
		shift 2
	done > tunnel.conf
}

# A download that lasts until the test says so: the server behind answers line by line.
slow_server() {
	mkfifo answer
	exec {say}<> answer
	socat "TCP-LISTEN:$(behind),bind=127.0.0.1,reuseaddr" "OPEN:answer,rdonly!!OPEN:/dev/null,append" \
		2> socat.err &
	pids+=("$!")
	until_true is_listening "$(behind)"
}

slow_download() {
	mkfifo hold
	exec {hold}<> hold
	tls-handoff connect --name localhost 127.0.0.1 "$port" < hold > out 2> err &
	ours=$!
	pids+=("$ours")
	echo "first line" >&"$say"
	until_true has_line out 'first line'
}

still_downloads() {
	echo "$1" >&"$say"
	until_true has_line out "$1"
}

reload_under_load() {
	slow_server
	write_conf one "$port" two $((port + 1000))
	tunnel -c tunnel.conf
	slow_download
	# the busy one goes, one stays, one is new
	write_conf two $((port + 1000)) three $((port + 2000))
	kill -HUP "$tunnel"
	expect_log 'configuration reloaded, 1 connections open'
	! is_listening "$port" || fail "what was taken out still listens"
	is_listening $((port + 1000)) || fail "what stayed does not listen"
	is_listening $((port + 2000)) || fail "what is new does not listen"
	still_downloads 'second line'
	echo 'connect = nowhere' >> tunnel.conf
	kill -HUP "$tunnel"
	expect_log 'tunnel.conf:[0-9]*: "connect" is given twice'
	expect_log 'the new configuration is not used'
	is_listening $((port + 1000)) || fail "the broken file stopped a service"
	# a port that somebody else has
	socat "TCP-LISTEN:$((port + 3000)),bind=127.0.0.1,fork" OPEN:/dev/null &
	pids+=("$!")
	until_true is_listening $((port + 3000))
	write_conf two $((port + 1000)) four $((port + 3000))
	kill -HUP "$tunnel"
	expect_log 'four: accept: Address already in use'
	is_listening $((port + 2000)) || fail "the new service is gone"
	still_downloads 'third line'
}

graceful_end() {
	slow_server
	write_conf one "$port"
	tunnel -c tunnel.conf
	slow_download
	kill -TERM "$tunnel"
	expect_log 'ending, 1 connections open'
	until_true not_listening
	still_downloads 'second line'
	echo end >&"$hold"
	exec {hold}>&- {say}>&-
	kill "$ours"
	until_true has_ended "$tunnel"
	wait "$tunnel" || fail "status $?"
}

not_listening() { ! is_listening "$port"; }

end_at_once() {
	slow_server
	write_conf one "$port"
	tunnel -c tunnel.conf
	slow_download
	kill -TERM "$tunnel"
	expect_log 'ending, 1 connections open'
	kill -TERM "$tunnel"
	until_true has_ended "$tunnel"
	expect_log '1 connections are cut off'
	wait_ours
	expect_status 1
}

end_in_time() {
	slow_server
	write_conf one "$port"
	tunnel --drain 1 -c tunnel.conf
	slow_download
	kill -TERM "$tunnel"
	until_true has_ended "$tunnel"
	expect_log '1 connections are cut off'
}

# What systemd would hear, and its sockets with their names.
systemd() {
	web_server
	cat > tunnel.conf <<-END
		[service one]
		connect = 127.0.0.1:$(behind)
		profile = soft
		[service two]
		connect = 127.0.0.1:1
		profile = soft
	END
	socat -u "UNIX-RECV:$PWD/notify.sock" CREATE:heard &
	pids+=("$!")
	until_true test -S notify.sock
	systemd-socket-activate -l "127.0.0.1:$((port + 1000))" -l "127.0.0.1:$port" --fdname=two:one \
		-E "NOTIFY_SOCKET=$PWD/notify.sock" tls-handoff tunnel -v -c tunnel.conf > tunnel.log 2>&1 &
	tunnel=$!
	pids+=("$tunnel")
	until_true is_listening "$port"
	get "https://server.test:$port/payload"
	until_true has_line heard 'READY=1'
	kill -HUP "$tunnel"
	until_true has_line heard 'RELOADING=1'
	until_true has_line heard 'MONOTONIC_USEC='
	expect_log 'configuration reloaded'
	get "https://server.test:$port/payload"
	kill "$tunnel"
	until_true has_line heard 'STOPPING=1'
	until_true has_ended "$tunnel"
}

mistakes_are_usage() {
	status=0
	write_conf one "$port"
	tls-handoff tunnel -t -c tunnel.conf 2> err || fail "a good file: $(cat err)"
	echo 'protocol = gopher' >> tunnel.conf
	tls-handoff tunnel -t -c tunnel.conf 2> err || status=$?
	expect_status 2
	expect_words 'tunnel.conf:5: protocol: "gopher" is none of smtp, imap, postgres' err
	status=0
	tls-handoff tunnel --accept 1 --connect 2 --nonsense 2> err || status=$?
	expect_status 2
	socat "TCP-LISTEN:$port,bind=127.0.0.1" OPEN:/dev/null &
	pids+=("$!")
	until_true is_listening "$port"
	status=0
	tls-handoff tunnel --accept "127.0.0.1:$port" --connect 2 2> err || status=$?
	expect_status 1
	expect_words 'accept: Address already in use' err
}

add tunnel.mistakes_end_it_with_their_status mistakes_are_usage
add tunnel.reload_under_load reload_under_load
add tunnel.end.lets_connections_finish graceful_end
add tunnel.end.second_signal_cuts_off end_at_once
add tunnel.end.time_limit_cuts_off end_in_time
add tunnel.systemd.sockets_and_notifications systemd
