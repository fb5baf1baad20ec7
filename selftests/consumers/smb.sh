# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# SMB with the stock client and the stock server of the kernel, each with a tunnel before
# it. ksmbd listens in the VM's own network namespace whoever starts it, there on the
# loopback address; the client is somewhere else and reaches it only through TLS.

smb_port=4450	# of ksmbd and, in the client's namespace, of its tunnel
smb_marker=plaintext-marker-of-the-smb-test

smb_server() {
	modprobe ksmbd
	mkdir -m 777 share
	chmod a+rx . .. "$work"
	cat > ksmbd.conf <<-END
		[global]
			bind interfaces only = yes
			interfaces = lo
			tcp port = $smb_port
			map to guest = never
		[share]
			path = $PWD/share
			read only = no
	END
	ksmbd.adduser -C ksmbd.conf -P ksmbdpwd.db -a -p secret root > adduser.log 2>&1 ||
		fail "ksmbd.adduser: $(cat adduser.log)"
	undo ksmbd.control --shutdown
	start server ksmbd.log ksmbd.mountd -n -C ksmbd.conf -P ksmbdpwd.db
	until_true is_listening "$smb_port"
	cat > terminate.conf <<-END
		[service smb]
		accept = $server_address:$port
		connect = 127.0.0.1:$smb_port
		client_cert = require
	END
	start server terminate.log tls-handoff tunnel --verbose -c terminate.conf
	until_true has_line terminate.log ': ready$'
}

smb_client() {
	modprobe cifs
	write_conf client ours default tpm
	start_daemon client ours
	cat > originate.conf <<-END
		[service smb]
		client = yes
		accept = 127.0.0.1:$smb_port
		connect = $server_address:$port
		name = ${1-server.test}
	END
	start client originate.log tls-handoff tunnel --verbose -c originate.conf
	until_true has_line originate.log ': ready$'
}

# smb_mount ADDRESS PORT
smb_mount() {
	mkdir -p mnt
	undo on client umount -l mnt
	on client timeout "$deadline" mount -t cifs "//$1/share" mnt \
		-o "vers=3.1.1,port=$2,username=root,password=secret" > mount.log 2>&1
}

# capture: what passes on the wire, in wire.pcap.
capture() {
	start server tcpdump.log tcpdump -U -B 65536 -w wire.pcap -i "wire$port"
	capture=$started
	until_true has_line tcpdump.log 'listening on'
}

smb_through_tunnels() {
	machine server
	side client
	wire
	smb_server
	smb_client
	capture
	smb_mount 127.0.0.1 "$smb_port" || fail "mount: $(cat mount.log terminate.log)"
	{
		echo "$smb_marker"
		data $((4 * MiB))
	} > original
	cp original share/from_server
	on client cp original mnt/from_client
	on client umount mnt
	expect_same share/from_client original
	smb_mount 127.0.0.1 "$smb_port" || fail "the second mount: $(cat mount.log)"
	on client cmp mnt/from_server original || fail "the client read something else"
	expect_log terminate 'TLS 1.3'
	# What it has not written when it ends is lost.
	until_true has_bytes wire.pcap $((8 * MiB))
	kill -INT "$capture"
	until_true has_ended "$capture"
	has_line tcpdump.log '^0 packets dropped' || fail "tcpdump: $(cat tcpdump.log)"
	! grep -qaF -e "$smb_marker" -e from_client wire.pcap ||
		fail "plaintext passed on the wire"
}

# Nothing of ksmbd is to be reached without TLS, and its tunnel takes only TLS.
smb_plaintext_is_refused() {
	machine server
	side client
	wire
	smb_server
	! smb_mount "$server_address" "$smb_port" || fail "ksmbd is open to the network"
	! smb_mount "$server_address" "$port" || fail "the tunnel took plaintext"
	expect_log terminate "smb: $client_address:[0-9]*: handshake failed: "
}

smb_wrong_name_is_refused() {
	machine server
	side client
	wire
	smb_server
	smb_client wrong.test
	! smb_mount 127.0.0.1 "$smb_port" || fail "a server of another name was mounted"
	expect_log originate 'handshake failed: .*wrong.test'
}

add consumers.smb.through_tunnels smb_through_tunnels
add consumers.smb.plaintext_is_refused smb_plaintext_is_refused
add consumers.smb.wrong_name_is_refused smb_wrong_name_is_refused
