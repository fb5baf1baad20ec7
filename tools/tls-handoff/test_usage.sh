#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# test_usage.sh TLS-HANDOFF: what the command line says and returns where no kernel is
# needed. Prints TAP.
set -u
program=$1
number=0
failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# check NAME STATUS PATTERN ARGUMENT...: status, and what standard output or error has.
check() {
	local name=$1 expected=$2 pattern=$3 status=0
	shift 3
	timeout 20 "$program" "$@" < /dev/null > "$out" 2>&1 || status=$?
	number=$((number + 1))
	if [ "$status" -eq "$expected" ] && grep -qE -e "$pattern" "$out"; then
		echo "ok $number - $name"
		return
	fi
	echo "# status $status instead of $expected, or no \"$pattern\" in:"
	sed 's/^/# /' "$out"
	echo "not ok $number - $name"
	failed=1
}

long=$(printf 'x%.0s' {1..255})

check usage.no_command 2 '^usage:'
check usage.help 0 '^usage: tls-handoff COMMAND' --help
check usage.version 0 '^tls-handoff [0-9]' --version
check usage.unknown_command 2 'no command "nonsense"' nonsense
check usage.connect.help 0 '^usage: tls-handoff connect' connect --help
check usage.listen.help 0 '^usage: tls-handoff listen' listen --help
check usage.run.help 0 '^usage: tls-handoff run' run --help
check usage.status.help 0 '^usage: tls-handoff status' status --help
check usage.tickets.help 0 '^usage: tls-handoff tickets' tickets --help
check usage.reload.help 0 '^usage: tls-handoff reload' reload -h
check usage.tickets.version 0 '^tls-handoff [0-9]' tickets --version
check usage.tickets.unknown_action 2 '"burn" is none of' tickets burn
check usage.tickets.two_actions 2 'too many words' tickets flush rotate
check usage.tickets.unknown_option 2 'nonsense' tickets --nonsense
check usage.reload.operand 2 'too many words' reload now
check usage.reload.no_json 2 'json' reload --json
check usage.connect.no_host 2 '^usage:' connect
check usage.connect.no_port 2 '^usage:' connect localhost
check usage.connect.too_many 2 '^usage:' connect localhost 1 2
check usage.listen.no_port 2 '^usage:' listen
check usage.status.operand 2 'too many words' status something
check usage.sessions.help 0 '^usage: tls-handoff sessions' sessions --help
check usage.sessions.operand 2 'too many words' sessions something
check usage.sessions.unknown_state 2 '"shut" is none of' sessions --state shut
check usage.sessions.unknown_user 2 'no user "no-such-user"' sessions --user no-such-user
check usage.sessions.user_number_too_big 2 'no user' sessions --user 4294967295
check usage.sessions.value_missing 2 'requires an argument' sessions --profile
check usage.metrics.help 0 '^usage: tls-handoff metrics' metrics --help
check usage.metrics.operand 2 'too many words' metrics something
check usage.metrics.no_json 2 'json' metrics --json
check usage.run.no_program 2 '^usage: tls-handoff run' run --server-ports 80 --
check usage.run.program_missing 2 'no-such-program: No such file' run -- no-such-program --help
check usage.run.port_unknown 2 'services' run --client-ports 80,nonsense -- true
check usage.run.port_65536 2 '1 to 65535' run --server-ports 80-65536 -- true
check usage.run.static_program 2 'ldconfig is statically linked.*tls-handoff tunnel' run ldconfig
check usage.run.not_for_run 2 'no option --bind' run --bind ::1 -- true
check usage.connect.port_0 2 '"0" is no port' connect localhost 0
check usage.connect.port_70000 2 '"70000" is no port' connect localhost 70000
check usage.connect.port_negative 2 '"-1" is no port' connect localhost -- -1
check usage.listen.port_65536 2 '"65536" is no port' listen 65536
check usage.listen.port_empty 2 '"" is no port' listen ''
check usage.connect.empty_name 2 'need a --name' connect --name '' localhost 1
check usage.unknown_option 2 'no option --nonsense' connect --nonsense localhost 1
check usage.unknown_letter 2 'no option -z' connect -4z localhost 1
check usage.value_missing 2 'profile: needs a value' connect localhost 1 --profile
check usage.value_unwanted 2 'unauth: takes no value' connect --unauth=1 localhost 1
check usage.not_for_connect 2 'no option --client-cert' connect --client-cert none localhost 1
check usage.not_for_listen_value 2 'known are none' listen --client-cert perhaps 1
check usage.profile_too_long 2 'longer than 63' connect --profile "$long" localhost 1
check usage.name_too_long 2 'longer than 253' connect --name "$long" localhost 1
check usage.psk_too_long 2 '1 to 128' connect --psk "$long" localhost 1
check usage.psk_empty 2 '1 to 128' connect --psk '' localhost 1
check usage.two_ways_to_authenticate 2 'only one of' connect --psk a --unauth localhost 1
check usage.alpn_empty_name 2 'empty' connect --alpn a,,b localhost 1
check usage.alpn_long_name 2 '32 bytes' connect --alpn "${long:0:33}" localhost 1
check usage.alpn_too_many 2 '8 names' connect --alpn 1,2,3,4,5,6,7,8,9 localhost 1
check usage.version_unknown 2 'known are 1.2 and 1.3' connect --min-version 1.1 localhost 1
check usage.versions_crossed 2 'below --min-version' connect --min-version 1.3 \
	--max-version 1.2 localhost 1
check usage.cipher_unknown 2 'known are AES' connect --ciphers AES-128-GCM,ROT13 localhost 1
check usage.timeout_zero 2 'number of seconds' connect --timeout 0 localhost 1
check usage.timeout_word 2 'number of seconds' connect --timeout soon localhost 1
check usage.timeout_trailing 2 'number of seconds' connect --timeout 1s localhost 1
check usage.only_one_direction 2 'not together' connect --recv-only --send-only localhost 1
TLSHD_RUNTIME_DIR=/nonexistent
export TLSHD_RUNTIME_DIR
check no_tlshd.tickets 4 'no tlshd' tickets
check no_tlshd.tickets_json 4 'no tlshd' tickets show --json
check no_tlshd.reload 4 'no tlshd' reload
TLSHD_RUNTIME_DIR=/$long
check no_tlshd.folder_too_long 1 'File name too long' tickets
unset TLSHD_RUNTIME_DIR
if grep -qw tls_handoff /proc/sys/net/ipv4/tcp_available_ulp 2>/dev/null; then
	for name in connect listen run status sessions metrics; do
		number=$((number + 1))
		echo "ok $number - no_module.$name # SKIP the module is loaded"
	done
else
	check no_module.connect 4 'modprobe tls_handoff' connect --ciphers aes-128-gcm localhost 1
	check no_module.listen 4 'modprobe tls_handoff' listen 1
	check no_module.run 4 'modprobe tls_handoff' run -- true --help
	check no_module.status 4 'modprobe tls_handoff' status --json
	check no_module.sessions 4 'modprobe tls_handoff' sessions --json
	check no_module.metrics 4 'modprobe tls_handoff' metrics
fi
echo "1..$number"
exit "$failed"
