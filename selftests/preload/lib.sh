# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2034 # variables are shared

# run_client ARGUMENT...: of tls-handoff run; $status, out, err. Not in a pipe.
run_client() {
	status=0
	reader timeout "$deadline" tls-handoff run --timeout "$deadline" --json "$@" > out 2> err ||
		status=$?
}

# A TLS server that reverses lines.
reverser() {
	server openssl s_server -accept "$port" -cert "$pki/peer.pem" -key "$pki/peer.key" \
		-rev "$@"
}

# A TLS server with a file, payload, for HTTP.
web_server() {
	cp "$payload" payload
	server openssl s_server -accept "$port" -cert "$pki/peer.pem" -key "$pki/peer.key" \
		-http_server_binmode -WWW
}

# run_server ARGUMENT...: of tls-handoff run, a program that listens on $port.
run_server() {
	server tls-handoff run --server-ports "$port" --timeout "$deadline" "$@"
}
