# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# An NVMe/TCP target on one side, a host on the other.

nvmet=/sys/kernel/config/nvmet
nqn=nqn.2014-08.org.nvmexpress:uuid:4d1b1f8e-6a1b-4f4e-9d2e-00000000000
host_nqn() { echo "$nqn$1"; }
subsystem_nqn() { echo "nqn.2014-08.test:consumers-$1"; }

# nvme_key NUMBER: a PSK for this host and this subsystem. SHA-256, as GnuTLS 3.8.9 knows no
# other hash of an external PSK.
nvme_key() {
	local key
	key=$(nvme gen-tls-key --hmac=1) || fail "nvme gen-tls-key: $key"
	nvme check-tls-key --identity=1 --insert --hostnqn="$(host_nqn "$1")" \
		--subsysnqn="$(subsystem_nqn "$1")" --keydata="$key" > "key$1.log" 2>&1 ||
		fail "nvme check-tls-key: $(cat "key$1.log")"
	undo keyctl unlink "0x$(sed -n 's/^Inserted TLS key //p' "key$1.log")" %:.nvme
}

# nvme_modules: and two disks in memory, of 64 MiB. Before there are sides, which see the
# mounts that they found.
nvme_modules() {
	modprobe nvmet_tcp
	modprobe nvme_tcp
	[ -b /dev/ram1 ] || modprobe brd rd_nr=2 rd_size=65536
	[ -d "$nvmet" ] || mount -t configfs configfs /sys/kernel/config
}

# nvme_target COUNT: as many subsystems, each for one host, at a port that takes only TLS.
nvme_target() {
	local number subsystem host
	mkdir -p "$nvmet/ports/1"
	undo rmdir "$nvmet/ports/1"
	echo tcp > "$nvmet/ports/1/addr_trtype"
	echo ipv4 > "$nvmet/ports/1/addr_adrfam"
	echo "$server_address" > "$nvmet/ports/1/addr_traddr"
	echo "$port" > "$nvmet/ports/1/addr_trsvcid"
	echo tls1.3 > "$nvmet/ports/1/addr_tsas"
	echo required > "$nvmet/ports/1/addr_treq"
	for number in $(seq "$1"); do
		subsystem=$nvmet/subsystems/$(subsystem_nqn "$number")
		host=$nvmet/hosts/$(host_nqn "$number")
		mkdir "$subsystem" "$subsystem/namespaces/1" "$host"
		undo rmdir "$host"
		undo rmdir "$subsystem"
		undo rmdir "$subsystem/namespaces/1"
		echo -n "/dev/ram$((number - 1))" > "$subsystem/namespaces/1/device_path"
		echo 1 > "$subsystem/namespaces/1/enable"
		ln -s "$host" "$subsystem/allowed_hosts/"
		undo rm "$subsystem/allowed_hosts/${host##*/}"
		# It listens where it is linked.
		on server ln -s "$subsystem" "$nvmet/ports/1/subsystems/"
		undo rm "$nvmet/ports/1/subsystems/${subsystem##*/}"
	done
}

# nvme_connect NUMBER [ARGUMENT...]: nvme.log says why not.
nvme_connect() {
	local number=$1
	shift
	undo nvme disconnect -n "$(subsystem_nqn "$number")"
	on client timeout "$deadline" nvme connect --transport=tcp --traddr="$server_address" \
		--trsvcid="$port" --nqn="$(subsystem_nqn "$number")" --hostnqn="$(host_nqn "$number")" \
		--hostid="${nqn##*:}$number" --nr-io-queues=2 "$@" > nvme.log 2>&1
}

expect_nvme_connect() {
	nvme_connect "$@" --tls ||
		fail "connect: $(cat nvme.log) $(tail -n 3 client.log server.log)"
	until_true nvme_disk "$1"
}

# nvme_disk NUMBER: what it became at the host, in $disk.
nvme_disk() {
	local controller
	for controller in /sys/class/nvme/nvme*; do
		[ "$(cat "$controller/subsysnqn")" = "$(subsystem_nqn "$1")" ] || continue
		disk=/dev/${controller##*/}n1
		[ ! -b "$disk" ] || return 0
	done
	return 1
}

# nvme_write NUMBER SIZE and nvme_read NUMBER SIZE
nvme_write() {
	nvme_disk "$1" || fail "disk $1 is gone"
	data "$2" | timeout --kill-after=5 "$patience" dd of="$disk" bs=1M iflag=fullblock \
		oflag=direct status=none 2> dd.err || fail "write: $? $(cat dd.err)"
	data "$2" | cmp -s -n "$2" - "/dev/ram$(($1 - 1))" || fail "the target has something else"
}

nvme_read() {
	nvme_disk "$1" || fail "disk $1 is gone"
	timeout --kill-after=5 "$patience" dd if="$disk" bs=1M count=$(($2 / MiB)) iflag=direct \
		status=none 2> dd.err | cmp -s - <(data "$2") ||
		fail "something else was read back: $(cat dd.err)"
}
