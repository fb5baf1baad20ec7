# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2094,SC2154 # variables are lib.sh's
# The second connection resumes: it takes no signature of the TPM's key, both sides say so,
# and the payload comes through. OpenSSL, GnuTLS, curl and nginx in the roles they have.

# The third connection uses what the second one got. In TLS 1.2 that is nothing: a client
# that uses a ticket once, as ours, then has none.
resumed_openssl_client() {	# PROFILE s_client's ARGUMENT...
	local listen=(--profile "$1")
	shift
	signed=$(signatures)
	visit full -sess_out first "$@"
	expect_signatures 1
	visit resumed -sess_in first -sess_out second "$@"
	expect_signatures 0
	[ -e second ] || cp first second
	visit resumed -sess_in second "$@"
	expect_signatures 0
	expect_info server_name '"server.test"'
}

resumed_openssl_client_mutual() {
	local listen=(--client-cert require)
	signed=$(signatures)
	visit full -sess_out first -cert "$pki/peer.pem" -key "$pki/peer.key"
	expect_signatures 1
	visit resumed -sess_in first
	expect_signatures 0
	expect_info peer_cert true
	expect_info peer_identity '"dns:localhost"'
	expect_info auth '"x509"'
}

# The server wants our certificate, so that a full handshake takes a signature of ours.
resumed_openssl_server() {	# PROFILE s_server's ARGUMENT...
	local profile=$1
	shift
	signed=$(signatures)
	callee "$@"
	call full --profile "$profile"
	expect_signatures 1
	call resumed --profile "$profile"
	expect_signatures 0
	expect_info peer_identity '"dns:server.test"'
	[ "$profile" != tls12 ] || return 0
	call resumed --profile "$profile"
	expect_signatures 0
}

# What OpenSSL itself calls the connection
resumed_openssl_server_says_so() {
	server openssl s_server -accept "127.0.0.1:$port" -cert "$pki/peer.pem" \
		-key "$pki/peer.key" -www "$@"
	connect -4 server.test "$port" < <(page_request)
	expect_words '^New, TLS' out
	expect_info resumed false
	rm -f out
	connect -4 server.test "$port" < <(page_request)
	expect_words '^Reused, TLS' out
	expect_info resumed true
}

page_request() {
	printf 'GET / HTTP/1.0\r\n\r\n'
	until_true has_line out '</BODY>'
}

resumed_openssl_client_says_so() {
	brief_visit -sess_out first
	expect_words '^New, TLSv1.3' seen
	brief_visit -sess_in first
	expect_words '^Reused, TLSv1.3' seen
	expect_info resumed true
}

brief_visit() {
	rm -f peer.in
	mkfifo peer.in
	exec {speak}<> peer.in
	listen "$port" -- cat
	peer openssl s_client -connect "127.0.0.1:$port" -servername server.test "$@"
	say hello
	cp peer.out seen
	echo Q >&"$speak"
	wait_ours
	wait_peer
}

# gnutls-cli connects twice by itself.
resumed_gnutls_client() {	# PROFILE VERSION
	local options=()
	[ "$2" = 1.2 ] || options=(--waitresumption)
	signed=$(signatures)
	listen --keep-open --profile "$1" "$port" -- cat
	feed echoed | reader timeout "$deadline" gnutls-cli --port "$port" --logfile peer.err \
		--x509cafile "$pki/ca.pem" --priority "NORMAL:-VERS-ALL:+VERS-TLS$2" --resume \
		"${options[@]}" server.test > echoed 2> cli.err ||
		fail "gnutls-cli: $(tail -n 3 peer.err cli.err) $(cat err)"
	expect_same echoed "$payload"
	expect_words 'This is a resumed session' peer.err
	expect_signatures 1
	expect_both_connections
}

# expect_both_connections: what listen --keep-open says of the first and the second, whose
# processes write in any order
expect_both_connections() {
	local resumed='s/.*"session_id":\([0-9]*\).*"resumed":\([a-z]*\).*/\1 \2/p'
	until_true has_lines err '"resumed":' 2
	[ "$(sed -n "$resumed" err | sort -n | cut -d ' ' -f 2 | tr '\n' ' ')" = "false true " ] ||
		fail "not a full handshake and then a resumed one: $(cat err)"
}

resumed_gnutls_server() {	# PROFILE VERSION
	signed=$(signatures)
	server gnutls-serv --echo --port "$port" --x509certfile "$pki/peer.pem" \
		--x509keyfile "$pki/peer.key" --x509cafile "$pki/ca.pem" --require-client-cert \
		--verify-client-cert --priority "NORMAL:-VERS-ALL:+VERS-TLS$2"
	gnutls_call "$1" false
	expect_signatures 1
	gnutls_call "$1" true
	expect_signatures 0
	until_true has_lines peer.out 'This is a resumed session' 1
	[ "$2" != 1.2 ] || return 0
	gnutls_call "$1" true
	expect_signatures 0
}

gnutls_call() {	# PROFILE RESUMED
	rm -f out reader_ended
	connect -4 --profile "$1" server.test "$port" < <(feed out)
	expect_status 0
	expect_same out "$payload"
	expect_info resumed "$2"
}

# Two files, for which curl connects twice.
resumed_curl_client() {
	signed=$(signatures)
	curl_twice
	expect_both_connections
	expect_words 'SSL reusing session' peer.err
	expect_signatures 1
}

# In TLS 1.2 curl has session ids instead of tickets, and our server has none.
not_resumed_curl_client() {
	signed=$(signatures)
	curl_twice --profile tls12 -- --tls-max 1.2
	until_true has_lines err '"resumed":false' 2
	expect_signatures 2
}

curl_twice() {	# [OUR ARGUMENT...] [-- curl's ARGUMENT...]
	local options=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift $(($# > 0))
	write_answer
	listen --keep-open "${options[@]}" "$port" -- ./answer
	curl --verbose --silent --show-error --max-time "$deadline" --cacert "$pki/ca.pem" "$@" \
		-o got "https://server.test:$port/one" -o again "https://server.test:$port/two" \
		2> peer.err || fail "curl: $(tail -n 3 peer.err) $(cat err)"
	expect_same got "$payload"
	expect_same again "$payload"
}

# nginx says it in a header of its answer.
resumed_nginx_server() {
	signed=$(signatures)
	write_nginx "$(nginx_certificate) ssl_verify_client on; ssl_session_cache shared:s:1m;
		add_header X-Session \"\$ssl_session_reused;\";"
	server nginx -c "$PWD/nginx.conf"
	get_payload
	expect_words '^X-Session: \.;' out
	expect_info resumed false
	expect_signatures 1
	rm -f out reader_ended
	get_payload
	expect_words '^X-Session: r;' out
	expect_info resumed true
	expect_signatures 0
}

resumed_nginx_proxy() {
	local front=$((port + 10000)) i
	signed=$(signatures)
	write_answer
	listen -4 --keep-open "$port" -- ./answer
	write_nginx "listen 127.0.0.1:$front; location / { proxy_pass https://127.0.0.1:$port;
		proxy_ssl_name server.test; proxy_ssl_server_name on; proxy_ssl_verify on;
		proxy_ssl_trusted_certificate $pki/ca.pem; }"
	peer nginx -c "$PWD/nginx.conf"
	until_true is_listening "$front"
	for i in 1 2; do
		curl --silent --show-error --max-time "$deadline" -o "got$i" \
			"http://127.0.0.1:$front/" 2> curl.err || fail "curl: $(cat curl.err nginx.err)"
		expect_same "got$i" "$payload"
	done
	expect_signatures 1
	expect_both_connections
}

# Our own two ends
resumed_with_ourselves() {
	signed=$(signatures)
	listen -4 --keep-open --client-cert require "$port" -- cat
	connect_to_cat false
	expect_signatures 2
	connect_to_cat true
	expect_signatures 0
}

connect_to_cat() {	# RESUMED
	rm -f reader_ended
	status=0
	timeout "$deadline" tls-handoff connect -4 --timeout "$deadline" --json server.test "$port" \
		< "$payload" > got 2> connect.err || status=$?
	[ "$status" -eq 0 ] || fail "connect: status $status: $(cat connect.err)"
	expect_same got "$payload"
	has_line connect.err "\"resumed\":$1[,}]" || fail "not as expected: $(cat connect.err)"
}

add_resumption_peers() {
	local prefix=interop.resumption
	add $prefix.openssl.client.tls13 resumed_openssl_client default -tls1_3
	add $prefix.openssl.client.tls12 resumed_openssl_client tls12 -tls1_2
	add $prefix.openssl.client.mutual resumed_openssl_client_mutual
	add $prefix.openssl.client.says_so resumed_openssl_client_says_so
	add $prefix.openssl.server.tls13 resumed_openssl_server default -tls1_3
	add $prefix.openssl.server.tls12 resumed_openssl_server tls12 -tls1_2
	add $prefix.openssl.server.says_so resumed_openssl_server_says_so
	add $prefix.gnutls.client.tls13 resumed_gnutls_client default 1.3
	add $prefix.gnutls.client.tls12 resumed_gnutls_client tls12 1.2
	add $prefix.gnutls.server.tls13 resumed_gnutls_server default 1.3
	add $prefix.gnutls.server.tls12 resumed_gnutls_server tls12 1.2
	add $prefix.curl.client.tls13 resumed_curl_client
	add $prefix.curl.client.tls12_has_no_tickets not_resumed_curl_client
	add $prefix.nginx.server resumed_nginx_server
	add $prefix.nginx.proxy resumed_nginx_proxy
	add $prefix.both_ends resumed_with_ourselves
}

add_resumption_peers
