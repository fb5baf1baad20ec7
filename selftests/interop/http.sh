# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2094 # variables are lib.sh's; feed only looks at sizes
# HTTP programs: curl as a client of ours, nginx as a server and as a proxy to us, and
# the file servers of s_server.

# answer: what listen runs for each connection: a web server of a few lines.
write_answer() {
	cat > answer <<-END
		#!/bin/bash
		while IFS= read -r line && [ -n "\${line%\$'\\r'}" ]; do :; done
		printf 'HTTP/1.1 200 OK\\r\\nContent-Length: %s\\r\\nConnection: close\\r\\n\\r\\n' \
			$(stat -c %s "$payload")
		exec cat $payload
	END
	chmod +x answer
}

curl_client() {	# curl's ARGUMENT...
	write_answer
	listen "$port" -- ./answer
	curl --silent --show-error --max-time "$deadline" --cacert "$pki/ca.pem" "$@" \
		-o got "https://server.test:$port/" 2> peer.err ||
		fail "curl: $? $(cat peer.err) $(cat err)"
	expect_same got "$payload"
	wait_ours
	expect_status 0
}

curl_client_mutual() {
	write_answer
	listen --client-cert require "$port" -- ./answer
	curl --silent --show-error --max-time "$deadline" --cacert "$pki/ca.pem" \
		--cert "$pki/peer.pem" --key "$pki/peer.key" -o got \
		"https://localhost:$port/" 2> peer.err || fail "curl: $(cat peer.err) $(cat err)"
	expect_same got "$payload"
	wait_ours
	expect_status 0
	expect_info peer_identity '"dns:localhost"'
}

# One listener, several clients, two of them at a time.
curl_many() {
	local i clients=()
	write_answer
	listen --keep-open "$port" -- ./answer
	for i in 1 2 3 4; do
		curl --silent --show-error --max-time "$deadline" --cacert "$pki/ca.pem" \
			-o "got$i" "https://server.test:$port/" 2> "curl$i.err" &
		clients+=($!)
		pids+=($!)
	done
	for i in 1 2 3 4; do
		wait "${clients[i - 1]}" || fail "curl $i: $(cat "curl$i.err") $(cat err)"
		expect_same "got$i" "$payload"
	done
}

# The client's names for what it refuses: our side must hear of it.
curl_refuses_us() {
	write_answer
	listen "$port" -- ./answer
	! curl --silent --max-time "$deadline" --cacert "$pki/rogue.pem" -o got \
		"https://server.test:$port/" || fail "curl trusted us by the wrong CA"
	wait_ours
	expect_status 3
	expect_info alert_received '"unknown_ca"'
	expect_words 'failed: .*unknown.ca' err
}

write_nginx() {	# SERVER_LINES
	mkdir -p served
	cp "$payload" served/payload
	cat > nginx.conf <<-END
		daemon off;
		worker_processes 1;
		pid $PWD/nginx.pid;
		error_log $PWD/nginx.err;
		user root;
		events { worker_connections 64; }
		http {
			access_log off;
			client_body_temp_path $PWD/t1;
			proxy_temp_path $PWD/t2;
			fastcgi_temp_path $PWD/t3;
			uwsgi_temp_path $PWD/t4;
			scgi_temp_path $PWD/t5;
			server {
				$1
				root $PWD/served;
			}
		}
	END
}

nginx_certificate() {
	echo "listen 127.0.0.1:$port ssl; ssl_certificate $pki/peer.pem;"
	echo "ssl_certificate_key $pki/peer.key; ssl_client_certificate $pki/ca.pem;"
}

# request: waits for the answer, because a server may take the end of what we send for
# the wish to end at once.
request() {
	printf 'GET /payload HTTP/1.0\r\nHost: server.test\r\n\r\n'
	until_true is_fed out "$(stat -c %s "$payload")"
}

# get_payload ARGUMENT...: HTTP/1.0 in the bytes of our program; the answer's body to got.
get_payload() {
	connect -4 "$@" server.test "$port" < <(request)
	expect_status 0
	sed '1,/^\r$/d' out > got
	expect_same got "$payload"
}

nginx_server() {
	write_nginx "$(nginx_certificate)"
	server nginx -c "$PWD/nginx.conf"
	get_payload
}

nginx_server_mutual() {
	write_nginx "$(nginx_certificate) ssl_verify_client on; ssl_crl $pki/crl.pem;"
	server nginx -c "$PWD/nginx.conf"
	get_payload --alpn http/1.1
	expect_info alpn '"http/1.1"'
}

# nginx forwards plain HTTP to us over TLS and checks who we are.
nginx_proxy() {
	local front=$((port + 10000)) back=$port
	write_answer
	listen -4 "$back" -- ./answer
	write_nginx "listen 127.0.0.1:$front; location / { proxy_pass https://127.0.0.1:$back;
		proxy_ssl_name server.test; proxy_ssl_server_name on; proxy_ssl_verify on;
		proxy_ssl_trusted_certificate $pki/ca.pem; }"
	peer nginx -c "$PWD/nginx.conf"
	until_true is_listening "$front"
	curl --silent --show-error --max-time "$deadline" -o got "http://127.0.0.1:$front/" \
		2> curl.err || fail "curl: $(cat curl.err nginx.err)"
	expect_same got "$payload"
	wait_ours
	expect_status 0
}

openssl_www() {	# -WWW or -HTTP
	{
		[ "$1" != -HTTP ] || printf 'HTTP/1.0 200 ok\r\n\r\n'
		cat "$payload"
	} > payload
	server openssl s_server -accept "$port" -naccept 1 -cert "$pki/peer.pem" \
		-key "$pki/peer.key" -http_server_binmode "$1"
	get_payload
}

add interop.curl.client curl_client
add interop.curl.client.http2_wish curl_client --http2
add interop.curl.client.tls12 curl_client --tls-max 1.2
add interop.curl.client.mutual curl_client_mutual
add interop.curl.client.four_at_a_time curl_many
add interop.curl.client.refuses_our_certificate curl_refuses_us
add interop.nginx.server nginx_server
add interop.nginx.server.mutual nginx_server_mutual
add interop.nginx.proxy nginx_proxy
add interop.openssl.server.www openssl_www -WWW
add interop.openssl.server.http openssl_www -HTTP
