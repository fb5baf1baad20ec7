# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2034 # variables are lib.sh's of interop
# A tunnel and the plain server behind it.

# tunnel ARGUMENT...: in the background; $tunnel is its pid, tunnel.log what it says.
tunnel() {
	tls-handoff tunnel --verbose "$@" > tunnel.log 2>&1 &
	tunnel=$!
	pids+=("$tunnel")
	until_true tunnel_is_ready
}

tunnel_is_ready() {
	! has_ended "$tunnel" || fail "the tunnel ended: $(tail -n 3 tunnel.log)"
	has_line tunnel.log ': ready$'
}

# The port of what is behind the tunnel, or before it.
behind() { echo $((port + 10000)); }

# web_server [LINES]: nginx that serves the payload, plain or as LINES have it.
web_server() {
	write_nginx "${1:-listen 127.0.0.1:$(behind);}"
	peer nginx -c "$PWD/nginx.conf"
	until_true is_listening "$(behind)"
}

# get URL ARGUMENT...: the payload through curl.
get() {
	curl --silent --show-error --max-time "$deadline" --cacert "$pki/ca.pem" -o got "$@" \
		2> curl.err || fail "curl: $(cat curl.err) $(tail -n 3 tunnel.log)"
	expect_same got "$payload"
}

expect_log() { until_true has_line tunnel.log "$1"; }

# write_stunnel LINE...
write_stunnel() { printf '%s\n' foreground=yes pid= debug=5 "$@" > stunnel.conf; }
