# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# NVMe/TCP with TLS and a pre-shared key.

# nvme_sides CLIENT SERVER [LINE OF THE CLIENT'S PROFILE [OF THE SERVER'S]]
nvme_sides() {
	nvme_modules
	two_sides
	daemon client "$1" nvme none ${3:+"$3"}
	daemon server "$2" nvmet none ${4:+"$4"}
}

nvme_disk_works() {	# CLIENT SERVER
	nvme_sides "$1" "$2"
	nvme_key 1
	nvme_target 1
	expect_nvme_connect 1
	nvme_write 1 $((16 * MiB))
	nvme_read 1 $((16 * MiB))
}

# fio checks what it has written, from two processes at once.
nvme_two_controllers() {
	local each jobs=()
	nvme_sides "$ours" "$ours"
	nvme_key 1
	nvme_key 2
	nvme_target 2
	for each in 1 2; do
		expect_nvme_connect "$each"
		jobs+=(--name="controller$each" --filename="$disk")
	done
	timeout --kill-after=5 "$patience" fio --ioengine=psync --direct=1 --rw=randwrite --bs=64k \
		--size=8M --verify=sha1 --do_verify=1 --verify_fatal=1 "${jobs[@]}" > fio.out 2>&1 ||
		fail "fio: $(grep -v '^ ' fio.out | tail -n 5)"
	[ "$(grep -c 'err= 0' fio.out)" -eq 2 ] || fail "fio: $(cat fio.out)"
}

# What a host without TLS gets, and one whose key is another one.
nvme_plaintext_is_refused() {
	nvme_sides "$ours" "$ours"
	nvme_key 1
	nvme_target 1
	! nvme_connect 1 || fail "the target took plaintext"
	expect_nvme_connect 1
}

nvme_without_a_key_is_refused() {
	nvme_sides "$ours" "$ours"
	nvme_key 1
	nvme_target 2
	! nvme_connect 2 --tls || fail "connected without a key"
	expect_nvme_connect 1
}

add consumers.nvme.psk.disk nvme_disk_works "$ours" "$ours"
add consumers.nvme.psk.ktls_utils_is_the_target nvme_disk_works "$ours" ktls-utils
add consumers.nvme.psk.ktls_utils_is_the_host nvme_disk_works ktls-utils "$ours"
add consumers.nvme.psk.two_controllers_with_their_own_keys nvme_two_controllers
add consumers.nvme.psk.plaintext_is_refused nvme_plaintext_is_refused
add consumers.nvme.psk.without_a_key_is_refused nvme_without_a_key_is_refused
