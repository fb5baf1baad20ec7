# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# Bytes through the tunnel, in either role.

terminate_curl() {
	web_server
	tunnel --accept "127.0.0.1:$port" --connect "127.0.0.1:$(behind)" --profile soft
	get "https://server.test:$port/payload"
	get --tls-max 1.2 "https://server.test:$port/payload"
	expect_log 'TLS 1.3'
	expect_log 'TLS 1.2'
}

originate_curl() {
	web_server "$(port=$(behind) nginx_certificate)"
	tunnel --client --accept "127.0.0.1:$port" --connect "127.0.0.1:$(behind)" \
		--name server.test --profile soft
	get "http://127.0.0.1:$port/payload"
}

add tunnel.terminate.curl_to_nginx terminate_curl
add tunnel.originate.curl_to_nginx originate_curl
