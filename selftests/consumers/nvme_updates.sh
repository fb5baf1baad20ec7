# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# Key updates in the middle of NVMe/TCP's I/O.

nvme_size=$((32 * MiB))

# nvme_updates_sides HOST TARGET LINE LINE: with these lines in their profiles
nvme_updates_sides() {
	nvme_sides "$1" "$2" "$3" "$4"
	nvme_key 1
	nvme_target 1
	# What cannot go on ends soon.
	expect_nvme_connect 1 --reconnect-delay=1 --ctrl-loss-tmo=3
}

# One handshake for each of three queues: nothing was connected again.
expect_three_handshakes() {
	[ "$(grep -c 'handshake done' client.log)" -eq 3 ] ||
		fail "$(grep -c 'handshake done' client.log) handshakes instead of three"
}

nvme_updates_of_both() {
	nvme_updates_sides ours ours 'rekey_records = 50' 'rekey_records = 50'
	nvme_write 1 "$nvme_size"
	expect_updates client tx 20
	expect_updates server rx 20
	nvme_read 1 "$nvme_size"
	expect_updates server tx 20
	expect_updates client rx 20
	expect_three_handshakes
}

# The comparison: without a daemon that takes them the controller is lost. The host connects
# anew, with three handshakes, and tries again what was under way, a few times.
nvme_updates_need_a_daemon() {	# RECEIVER: client or server
	local io
	[ -e "$here/ktls-utils-tlshd" ] || skip "ktls-utils is not installed"
	if [ "$1" = server ]; then
		nvme_updates_sides ours ktls-utils 'rekey_records = 200' ''
	else
		nvme_updates_sides ktls-utils ours '' 'rekey_records = 200'
	fi
	dd if="$disk" bs=1M count=$((nvme_size / MiB)) iflag=direct of=/dev/null 2> read.err &
	io=($!)
	dd of="$disk" bs=1M count=$((nvme_size / MiB)) oflag=direct if=/dev/zero 2> write.err &
	io+=($!)
	pids+=("${io[@]}")
	deadline=$patience until_true nvme_was_lost "$1" "${io[@]}"
}

nvme_was_lost() {	# RECEIVER PID...
	local receiver=$1 pid
	shift
	[ "$(connections "$receiver")" -le 3 ] || return 0
	for pid in "$@"; do
		has_ended "$pid" || continue
		wait "$pid" || return 0
	done
	has_ended "$1" && has_ended "$2" && fail "its connections survived key updates"
	return 1
}

add consumers.nvme.key_updates.of_both_every_50_records nvme_updates_of_both
add consumers.nvme.key_updates.stop_a_target_with_ktls_utils nvme_updates_need_a_daemon server
add consumers.nvme.key_updates.stop_a_host_with_ktls_utils nvme_updates_need_a_daemon client
