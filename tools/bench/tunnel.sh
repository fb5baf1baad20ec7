#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tunnel.sh PROGRAM [ROUNDS]: in the VM: starts tls-handoff tunnel, stunnel and
# nginx as tunnels in both roles, with the same cipher, and lets PROGRAM compare.
set -euo pipefail

program=$1 rounds=${2-5}
pki=/etc/tlshd/pki
cipher=TLS_AES_128_GCM_SHA256
# The ports of the far ends; ours, stunnel and nginx come behind each.
terminate=7000 originate=7100
dir=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || :; rm -rf "$dir"' EXIT

dmesg -n 1
modprobe aesni_intel
modprobe tls

cat > "$dir/handoff.conf" <<-END
	[service terminate]
	accept = 127.0.0.1:$((terminate + 1))
	connect = 127.0.0.1:$terminate
	profile = soft
	ciphers = AES-128-GCM
	[service originate]
	client = yes
	accept = 127.0.0.1:$((originate + 1))
	connect = 127.0.0.1:$originate
	name = server.test
	profile = soft
	ciphers = AES-128-GCM
END
cat > "$dir/stunnel.conf" <<-END
	foreground = yes
	pid =
	debug = 3
	ciphersuites = $cipher
	[terminate]
	accept = 127.0.0.1:$((terminate + 2))
	connect = 127.0.0.1:$terminate
	cert = $pki/peer.pem
	key = $pki/peer.key
	[originate]
	client = yes
	accept = 127.0.0.1:$((originate + 2))
	connect = 127.0.0.1:$originate
	CAfile = $pki/ca.pem
	verifyChain = yes
	checkHost = server.test
END
cat > "$dir/nginx.conf" <<-END
	load_module /usr/lib/nginx/modules/ngx_stream_module.so;
	daemon off;
	worker_processes 1;
	user root;
	pid $dir/nginx.pid;
	error_log stderr;
	events { worker_connections 64; }
	stream {
		server {
			listen 127.0.0.1:$((terminate + 3)) ssl;
			ssl_certificate $pki/peer.pem;
			ssl_certificate_key $pki/peer.key;
			ssl_protocols TLSv1.3;
			ssl_conf_command Ciphersuites $cipher;
			ssl_conf_command Options KTLS;
			proxy_pass 127.0.0.1:$terminate;
		}
		server {
			listen 127.0.0.1:$((originate + 3));
			proxy_pass 127.0.0.1:$originate;
			proxy_ssl on;
			proxy_ssl_protocols TLSv1.3;
			proxy_ssl_conf_command Ciphersuites $cipher;
			proxy_ssl_conf_command Options KTLS;
			proxy_ssl_trusted_certificate $pki/ca.pem;
			proxy_ssl_verify on;
			proxy_ssl_name server.test;
		}
	}
END

exec {never}<> <(:)	# a pipe that stays empty: reading it with a time-out is a short wait

listens() { ss -Hltn "sport = :$1" | grep -q .; }

start() {
	local port=$1 end=$((SECONDS + 60))
	shift
	"$@" > "$dir/$port.log" 2>&1 &
	pids+=($!)
	until listens "$port"; do
		kill -0 $! 2>/dev/null && [ "$SECONDS" -lt "$end" ] || {
			echo "bench: nobody listens on port $port: $1" >&2
			cat "$dir/$port.log" >&2
			exit 1
		}
		read -rt 0.1 -u "$never" || :
	done
}

start $((originate + 1)) tls-handoff tunnel -c "$dir/handoff.conf"
start $((originate + 2)) stunnel "$dir/stunnel.conf"
start $((originate + 3)) nginx -c "$dir/nginx.conf"
before=$(awk '$1 == "TlsTxSw" || $1 == "TlsRxSw" { n += $2 } END { print n }' /proc/net/tls_stat)
"$program" "$rounds" "$terminate" "$originate" "$pki/peer.pem" "$pki/peer.key" ||
	{ tail "$dir"/*.log >&2; exit 1; }
# Two directions of each connection, in two roles: ours and nginx', else one had no kTLS.
after=$(awk '$1 == "TlsTxSw" || $1 == "TlsRxSw" { n += $2 } END { print n }' /proc/net/tls_stat)
[ "$((after - before))" -ge "$((rounds * 8))" ] || {
	echo "bench: only $((after - before)) directions with kTLS instead of $((rounds * 8))" >&2
	exit 1
}
