# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # the others use the variables
# What the interoperability tests share: a list of tests, KTAP, peers with a life
# no longer than their test, waiting for events with a deadline.

pki=/etc/tlshd/pki
deadline=30	# seconds that one wait may take on a slow machine
[ ! -e /sys/kernel/debug/kmemleak ] || deadline=180 # the debug kernel is slower
port=20000	# each test takes the next one
tests=()

exec {never}<> <(:)	# a pipe that stays empty: reading it with a time-out is a short wait

# add NAME FUNCTION ARGUMENT...
add() {
	local entry
	printf -v entry '%q ' "$@"
	tests+=("$entry")
}

fail() {
	printf '%s\n' "$*" > why
	exit 1
}

skip() {
	printf '%s\n' "$*" > skipped
	exit 0
}

# until_true COMMAND...: runs it until it succeeds; fails at the deadline.
until_true() {
	local end=$((SECONDS + deadline))
	until "$@"; do
		[ $SECONDS -lt $end ] || fail "waited $deadline s in vain for: $*"
		read -rt "${pause-0.02}" -u "$never" || :
	done
}

# is_listening PORT: from /proc, which costs no process and has listening sockets first.
is_listening() {
	local hex table where state
	printf -v hex ':%04X' "$1"
	for table in /proc/net/tcp /proc/net/tcp6; do
		while read -r _ where _ state _; do
			[ "$state" = 0A ] || [ "$state" = st ] || break
			[[ $where != *"$hex" ]] || return 0
		done < "$table"
	done
	return 1
}

has_bytes() { [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -ge "$2" ]; }
has_line() { grep -q -e "$2" "$1" 2>/dev/null; }
has_ended() { ! kill -0 "$1" 2>/dev/null; }

# Connections of the test before may still be ending.
module_is_unused() { [ "$(< /sys/module/tls_handoff/refcnt)" -eq 0 ]; }

# peer COMMAND...: in the background; $peer is its pid, peer.out and peer.err what it said.
# Its standard input is the file or pipe peer.in if the test made one.
peer() {
	local input=/dev/null
	[ ! -e peer.in ] || input=peer.in
	: > peer.out > peer.err # nobody takes what an earlier one said for this one's words
	"$@" < $input > peer.out 2> peer.err &
	peer=$!
	pids+=("$peer")
}

# server COMMAND...: a peer that listens on $port.
server() {
	peer "$@"
	until_true server_is_ready
}

server_is_ready() {
	! has_ended "$peer" || fail "the server ended: $(tail -n 3 peer.err peer.out)"
	is_listening "$port"
}

# Our side in the background: $ours is its pid; its status comes from wait_ours.
listen() {
	tls-handoff listen --timeout "$deadline" --json "$@" <&0 > out 2> err &
	ours=$!
	pids+=("$ours")
	until_true listener_is_ready
}

listener_is_ready() {
	! has_ended "$ours" || fail "tls-handoff listen ended: $(cat err)"
	is_listening "$port"
}

wait_ours() {
	until_true has_ended "$ours"
	status=0
	wait "$ours" || status=$?
}

wait_peer() {
	until_true has_ended "$peer"
	wait "$peer" || :
}

# connect ARGUMENT...: our side as the client, with standard input from the caller; never in
# a pipe, which would lose $status.
connect() {
	status=0
	reader timeout "$deadline" tls-handoff connect --timeout "$deadline" --json "$@" > out 2> err || status=$?
}

# feed OUTPUT: the payload, then waits until OUTPUT has as much or nobody is left that
# could make it. For programs that would stop listening at the end of their input.
feed() {
	local pause=0.1 # what is waited for wants the processor
	cat "$payload"
	until_true is_fed "$1" "$(stat -c %s "$payload")"
}

is_fed() { has_bytes "$1" "$2" || [ -e reader_ended ]; }

# reader COMMAND...: what feed feeds.
reader() {
	local code=0
	"$@" || code=$?
	: > reader_ended
	return "$code"
}

expect_status() {
	[ "$status" -eq "$1" ] || fail "exit status $status instead of $1: $(cat err)"
}

# expect_info KEY VALUE: in the JSON of --info; VALUE with its quotes.
expect_info() {
	[[ $(< err) == *"\"$1\":$2"[,\}]* ]] || fail "no \"$1\":$2 in: $(cat err)"
}

# sessions_show KEY VALUE: of the one session that there is.
sessions_show() {
	tls-handoff sessions --json > sessions && has_line sessions "\"$1\": *$2[,}]*\$"
}

# rawpk_identity KEY: how our side names the peer.
rawpk_identity() {
	openssl pkey -pubin -in "$1" -outform DER | sha256sum | cut -d ' ' -f 1
}

# expect_words PATTERN FILE...
expect_words() {
	local pattern=$1
	shift
	grep -qiE -e "$pattern" "$@" || fail "no \"$pattern\" in: $(tail -n 5 "$@")"
}

expect_same() {
	cmp -s "$1" "$2" || fail "$1 ($(stat -c %s "$1") bytes) differs from $2 ($(stat -c %s "$2")): $(tail -n 3 err)"
}

tidy_up() { :; }	# for tests that leave more behind than processes

end_test() {
	local pid
	tidy_up
	for pid in "${pids[@]}"; do
		kill -KILL "$pid" 2>/dev/null || :
	done
	wait 2>/dev/null || :
}

# One test: its own folder, its own processes.
run_test() (
	set -e
	mkdir "$work/$port"
	cd "$work/$port"
	pids=()
	trap end_test EXIT
	"$@"
)

wanted() {
	local name=$1 pattern
	shift
	[ $# -gt 0 ] || return 0
	for pattern in "$@"; do
		# shellcheck disable=SC2053 # a pattern is meant
		[[ $name != $pattern ]] || return 0
	done
	return 1
}

# any_wanted [PATTERN...]: is there such a test?
any_wanted() {
	local entry
	for entry in "${tests[@]}"; do
		! wanted "${entry%% *}" "$@" || return 0
	done
	return 1
}

report() {
	local status=$1 number=$2 name=$3
	sed 's/^/# /' "$work/$port/said" 2>/dev/null	# what it found worth telling
	if [ "$status" -eq 0 ]; then
		echo "ok $number $name$(sed 's/^/ # SKIP /' "$work/$port/skipped" 2>/dev/null)"
		return
	fi
	sed 's/^/# /' "$work/$port/why" 2>/dev/null || echo "# exit status $status, no reason given"
	echo "not ok $number $name"
	failed=$((failed + 1))
}

run_tests() {
	local entry words chosen=() number=0 status failed=0
	for entry in "${tests[@]}"; do
		wanted "${entry%% *}" "$@" && chosen+=("$entry")
	done
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	payload=$work/payload
	head -c 150000 /dev/urandom | base64 -w 1500 > "$payload"
	perl -lne 'print scalar reverse' "$payload" > "$payload.reversed"

	echo "KTAP version 1"
	echo "1..${#chosen[@]}"
	for entry in "${chosen[@]}"; do
		eval "words=($entry)"
		number=$((number + 1))
		port=$((port + 1))
		run_test "${words[@]:1}" 2> "$work/shell.err"
		status=$?
		[ "$status" -eq 0 ] || [ -s "$work/$port/why" ] ||
			cp "$work/shell.err" "$work/$port/why" 2>/dev/null
		report "$status" "$number" "${words[0]}"
		rm -rf "${work:?}/$port"
	done
	[ "$failed" -eq 0 ] && [ "$number" -gt 0 ]
}
