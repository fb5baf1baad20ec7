# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are run's and interop/lib.sh's
# Two sides, the wire between them, and the daemon that each has.

declare -A sides=() daemons=()
server_address=10.77.0.1
client_address=10.77.0.2
KiB=1024 MiB=$((1024 * 1024))

# side NAME: a network namespace with mounts of its own.
side() {
	unshare --net --mount --propagation private sleep infinity < /dev/null &
	sides[$1]=$!
	pids+=("$!")
	until_true has_line "/proc/$!/comm" '^sleep$'
	on "$1" ip link set lo up
}

# machine NAME: the side that is the VM itself, with the VM's daemon.
machine() {
	sides[$1]=$$
}

# on SIDE COMMAND...
on() {
	nsenter --target "${sides[$1]}" --net --mount --wdns="$PWD" -- "${@:2}"
}

# start SIDE LOG COMMAND...: in the background, $started is its pid.
start() {
	nsenter --target "${sides[$1]}" --net --mount --wdns="$PWD" -- "${@:3}" \
		> "$2" 2>&1 < /dev/null &
	started=$!
	pids+=("$started")
}

# wire: between the sides server and client. What the client calls server.test, or by a wrong
# name, is the server.
wire() {
	local name=wire$port
	ip link add "$name" netns "${sides[server]}" type veth \
		peer name "$name" netns "${sides[client]}"
	undo on server ip link delete "$name"
	on server ip address add "$server_address/16" dev "$name"
	on client ip address add "$client_address/16" dev "$name"
	on server ip link set "$name" up
	on client ip link set "$name" up
	printf '%s\n' '127.0.0.1 localhost' "$server_address server.test wrong.test" > hosts
	on client mount --bind hosts /etc/hosts
}

# two_sides: the usual case.
two_sides() {
	side server
	side client
	wire
}

# program_of WHICH: ours, or ktls-utils'
program_of() {
	case $1 in
	ours) echo tlshd ;;
	ktls-utils) echo "$here/ktls-utils-tlshd" ;;
	esac
}

# start_daemon SIDE WHICH: on SIDE.conf; what it says is in SIDE.log.
start_daemon() {
	local program ready
	program=$(program_of "$2")
	: >> "$1.log"
	ready=$(grep -c '^tlshd: ready' "$1.log") || :
	mkdir -p "$1.run"
	chmod 600 "$1.conf"
	TLSHD_RUNTIME_DIR=$PWD/$1.run nsenter --target "${sides[$1]}" --net --mount \
		--wdns="$PWD" -- "$program" -s -c "$1.conf" >> "$1.log" 2>&1 < /dev/null &
	daemons[$1]=$!
	pids+=("$!")
	until_true daemon_is_ready "$1" "$2"
}

# Ours says so; the other one is when it hears of handshakes.
daemon_is_ready() {
	! has_ended "${daemons[$1]}" || fail "the $1's daemon ended: $(tail -n 5 "$1.log")"
	case $2 in
	ours) [ "$(grep -c '^tlshd: ready' "$1.log")" -gt "$ready" ] ;;
	*) hears_of_handshakes "$1" ;;
	esac
}

hears_of_handshakes() {
	on "$1" awk -v pid="${daemons[$1]}" \
		'$2 == 16 && $3 % 4194304 == pid && $4 != "00000000" { found = 1 } END { exit !found }' \
		/proc/net/netlink
}

# connections SIDE: how many handshakes its daemon of ktls-utils has seen
connections() {
	grep -c 'Handshake with .* was successful' "$1.log" || :
}

# identity WHO: the lines of a profile. The key of "tpm" is in the TPM, "none" has nothing; the
# others are files of the test PKI.
identity() {
	case $1 in
	none) ;;
	tpm) printf '%s\n' 'certificate = /etc/tlshd/ecdsa.pem' \
		'private_key = /etc/tlshd/keys/ecdsa.pem' ;;
	*) printf '%s\n' "certificate = $pki/$1.pem" "private_key = $pki/$1.key" ;;
	esac
}

# write_conf SIDE WHICH PROFILE IDENTITY [LINE...]: SIDE.conf for that daemon. PROFILE is
# nfs, nfsd, nvme or nvmet; LINEs are ours only.
write_conf() {
	local side=$1 which=$2 profile=$3 identity=$4
	shift 4
	if [ "$which" = ours ]; then
		printf '%s\n' "[profile $profile]" "truststore = $pki/ca.pem" \
			"crl = $pki/crl.pem" "$@"
		identity "$identity"
	else
		[ "$identity" != tpm ] || identity=peer
		printf '%s\n' '[debug]' 'loglevel=1' '[authenticate]' 'keyrings=.nvme'
		case $profile in
		nfs | nvme) echo '[authenticate.client]' ;;
		*) echo '[authenticate.server]' ;;
		esac
		echo "x509.truststore=$pki/ca.pem"
		identity "$identity" | sed 's/^/x509./; s/ = /=/'
	fi > "$side.conf"
}

# daemon SIDE WHICH PROFILE IDENTITY [LINE...]
daemon() {
	write_conf "$@"
	start_daemon "$1" "$2"
}

# expect_log SIDE PATTERN
expect_log() {
	local end=$((SECONDS + deadline))
	until has_line "$1.log" "$2"; do
		[ $SECONDS -lt $end ] || fail "no \"$2\" in $1.log: $(tail -n 3 "$1.log")"
		read -rt 0.1 -u "$never" || :
	done
}

# updates SIDE tx|rx: the key updates that the module has seen there, in all.
updates() {
	local name=HandoffTxRekeys
	[ "$2" = tx ] || name=HandoffRxRekeys
	on "$1" awk -v name="$name" '$1 == name { print $2 }' /proc/net/tls_handoff_stat
}

# expect_updates SIDE tx|rx AT_LEAST
expect_updates() {
	local count
	count=$(updates "$1" "$2")
	[ "${count:-0}" -ge "$3" ] ||
		fail "the $1 has seen $count key updates ($2), not $3: $(tail -n 3 "$1.log")"
}

# data SIZE: the same bytes each time, without a pattern.
data() {
	openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff \
		-iv 000102030405060708090a0b0c0d0e0f < /dev/zero 2> /dev/null | head -c "$1"
}

# undo COMMAND...: at the end of the test, last first.
undo() {
	local entry
	printf -v entry '%q ' "$@"
	undone=("$entry" "${undone[@]}")
}
undone=()

tidy_up() {
	local entry words name
	for entry in "${undone[@]}"; do
		eval "words=($entry)"
		"${words[@]}" > /dev/null 2>&1 || :
	done
	for name in "${!sides[@]}"; do
		end_side "${sides[$name]}"
	done
}

# end_side PID: whoever is in its namespace, as what a daemon has left for the next one.
end_side() {
	local process
	[ ! "/proc/$1/ns/net" -ef /proc/self/ns/net ] || return 0
	for process in /proc/[0-9]*; do
		[ ! "$process/ns/net" -ef "/proc/$1/ns/net" ] || [ "${process#/proc/}" = "$1" ] ||
			kill -KILL "${process#/proc/}" 2> /dev/null || :
	done
	kill -KILL "$1" 2> /dev/null || :
}
