# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2119,SC2120,SC2154 # variables are lib.sh's; the others use these
# What tests of resumption share: a tlshd whose signatures are counted, its profiles,
# s_client and our programs with a ticket or without.

relay_what=()
[ "$deadline" -gt 60 ] || deadline=60 # some wait for tickets to expire

# Of the tickets that are to expire, in seconds: a slow machine must come to use them.
set_lifetime() {
	lifetime=$((SECONDS + 3))
	[ "$lifetime" -le 20 ] || lifetime=20
}

# start_home: the folder $home with what all tests use, and tlshd.
start_home() {
	home=$(mktemp -d /run/resumption.XXXXXX)
	export TLSHD_RUNTIME_DIR=$home/run
	pids=()
	trap end_home EXIT
	mkdir "$home/run"
	echo "a small payload" > "$home/small"
	rev "$home/small" > "$home/small.reversed"
	SECONDS=0
	make_authority
	set_lifetime
	write_config > "$home/tlshd.conf"
	"$here/tpm_counter" "$home/tpm" "$home/signatures" 2> "$home/tpm_counter.err" &
	pids+=("$!")
	(until_true test -S "$home/tpm") || return 1
	tlshd -s -v -c "$home/tlshd.conf" > "$home/tlshd.log" 2>&1 < /dev/null &
	tlshd=$!
	pids+=("$tlshd")
	(cd "$home" && until_true tlshd_is_ready 1) || {
		sed 's/^/# /' "$home/tlshd.log" "$home/tpm_counter.err"
		return 1
	}
}

end_home() {
	end_test
	mkdir -p /results/log
	cp "$home/tlshd.log" /results/log/tlshd-resumption.log
	rm -rf "$home" "${work-}"
}

tlshd_is_ready() {	# TIMES
	! has_ended "$tlshd" || fail "tlshd ended: $(tail -n 5 "$home/tlshd.log")"
	[ "$(grep -c '^tlshd: ready' "$home/tlshd.log")" -ge "$1" ]
}

# A certification authority that can still revoke: its certificates are $home/client.pem and
# $home/server.pem.
make_authority() {
	local name until=20491231235959Z
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
		-keyout "$home/ca.key" -out "$home/ca.pem" -subj "/CN=resumption CA" \
		-addext basicConstraints=critical,CA:TRUE \
		-addext keyUsage=critical,keyCertSign,cRLSign 2> /dev/null
	for name in client server; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
			-CA "$home/ca.pem" -CAkey "$home/ca.key" -keyout "$home/$name.key" \
			-out "$home/$name.pem" -subj "/CN=$name" \
			-addext subjectAltName=DNS:server.test -addext keyUsage=digitalSignature \
			-addext basicConstraints=CA:FALSE 2> /dev/null
	done
	: > "$home/index"
	echo 01 > "$home/number"
	cat > "$home/ca.conf" <<-END
		[ca]
		default_ca = ca
		[ca]
		database = $home/index
		crlnumber = $home/number
		default_md = sha256
		default_crl_days = 30
	END
	write_crl
	cp "$home/ca.pem" "$home/trust.pem"
}

# write_crl [NAME]: which from now on says that NAME is revoked
write_crl() {
	local authority=(openssl ca -config "$home/ca.conf" -name ca -cert "$home/ca.pem"
		-keyfile "$home/ca.key")
	[ $# -eq 0 ] || "${authority[@]}" -revoke "$home/$1.pem" 2> /dev/null
	"${authority[@]}" -gencrl -out "$home/crl.pem" 2> /dev/null
}

write_config() {
	local name
	printf '[tpm]\ntcti = swtpm:path=%s\n' "$home/tpm"
	for name in default tls12; do
		profile $name
		cat <<-END
			certificate = /etc/tlshd/ecdsa.pem
			private_key = /etc/tlshd/keys/ecdsa.pem
			truststore = $pki/ca.pem
			crl = $pki/crl.pem
			client_cert = request
		END
	done
	echo 'resume_tls12 = yes'
	profile never
	soft peer
	echo 'resume = no'
	profile names
	cat <<-END
		certificate = $pki/peer.pem;$pki/other.pem
		private_key = $pki/peer.key;$pki/other.key
		truststore = $pki/ca.pem
	END
	profile short
	soft peer
	printf '%s = %s\n' ticket_lifetime "$lifetime" stek_rotation "$lifetime"
	profile rotating
	soft peer
	printf '%s\n' 'ticket_lifetime = 240' 'stek_rotation = 240'
	profile own
	cat <<-END
		certificate = $home/server.pem
		private_key = $home/server.key
		truststore = $home/trust.pem
		crl = $home/crl.pem
		client_cert = request
	END
}

profile() { printf '\n[profile %s]\n' "$1"; }

soft() {
	cat <<-END
		certificate = $pki/$1.pem
		private_key = $pki/$1.key
		truststore = $pki/ca.pem
		client_cert = request
	END
}

# TPM2_Sign commands that the TPM has got, ever
signatures() { stat -c %s "$home/signatures"; }

# expect_signatures NUMBER: since the last time
expect_signatures() {
	local now
	now=$(signatures)
	[ $((now - ${signed-$now})) -eq "$1" ] ||
		fail "$((now - signed)) TPM2_Sign commands instead of $1"
	signed=$now
}

# count NAME: of tls-handoff tickets
count() {
	tls-handoff tickets --json > counts 2> counts.err || fail "tickets: $(cat counts.err)"
	jq ".$1 // error(\"no $1\")" counts || fail "no $1: $(cat counts)"
}

count_is() { [ "$(count "$1")" -eq "$2" ]; }
count_is_above() { [ "$(count "$1")" -gt "$2" ]; }

flush() { tls-handoff tickets flush > flush.out 2>&1 || fail "flush: $(cat flush.out)"; }
reload() { tls-handoff reload 2> reload.err || fail "reload: $(cat reload.err)"; }

# visit full|resumed|any [s_client's ARGUMENT...]: OpenSSL as our client, with the payload
# there and back. $listen has options of ours, $sni what is said of the server's name.
sni=(-servername server.test)
visit() {
	local how=$1
	shift
	rm -f echoed reader_ended
	listen "${listen[@]}" "$port" -- cat
	s_client "${sni[@]}" -msg -msgfile messages "$@"
	expect_same echoed "$payload"
	wait_ours
	expect_status 0
	expect_how "$how" messages
}

# expect_how full|resumed|any MESSAGES: of the last connection, on both sides: a full
# handshake proves who the server is.
expect_how() {
	[ "$1" != any ] || return 0
	if [ "$1" = resumed ]; then
		expect_info resumed true
		! grep -q ', CertificateVerify\|, ServerKeyExchange' "$2" ||
			fail "the peer saw a signature: $(grep '^[<>]' "$2")"
	else
		expect_info resumed false
		grep -q ', CertificateVerify\|, ServerKeyExchange' "$2" ||
			fail "the peer saw no signature: $(grep '^[<>]' "$2")"
	fi
}

# refused_visit VERIFY ALERT [s_client's ARGUMENT...]: the client is not let in.
refused_visit() {
	local verify=$1 alert=$2
	shift 2
	rm -f hold
	mkfifo hold
	exec {speak}<> hold
	listen "${listen[@]}" "$port" -- cat
	openssl s_client -connect "127.0.0.1:$port" -servername server.test -quiet \
		-msg -msgfile messages "$@" < hold > echoed 2> peer.err &
	peer=$!
	pids+=("$peer")
	until_true is_decided
	wait_ours
	expect_status 3
	expect_info resumed false
	expect_info verify "[\"$verify\"]"
	expect_info alert_sent "\"$alert\""
	wait_peer
	expect_words "alert ${alert//_/ }" peer.err
}

is_decided() {
	! has_line err '"state":"established"' || fail "it was let in: $(cat err)"
	has_ended "$ours"
}

# call full|resumed [OUR ARGUMENT...]: our client with an s_server -rev that writes
# messages.all.
call() {
	local how=$1 from
	shift
	from=$(stat -c %s messages.all)
	connect -4 "$@" server.test "$port" < "$payload"
	expect_status 0
	expect_same out "$payload.reversed"
	tail -c +$((from + 1)) messages.all > messages
	expect_how "$how" messages
}

# callee [s_server's ARGUMENT...]: a server that wants certificates
callee() {
	: > messages.all
	server openssl s_server -accept "127.0.0.1:$port" -cert "$pki/peer.pem" \
		-key "$pki/peer.key" -Verify 1 -verify_return_error -CAfile "$pki/ca.pem" \
		-rev -msg -msgfile messages.all "$@"
}

# callee_behind_relay [s_server's ARGUMENT...]: with client_hellos at $port, which writes what
# tickets are offered to offers; $relay_what is what it does.
callee_behind_relay() {
	back=$((port + 10000))
	port=$back callee "$@"
	"$here/client_hellos" "$port" "$back" "${relay_what[@]}" > offers 2> offers.err &
	pids+=("$!")
	until_true is_listening "$port"
}

# offer NUMBER: the ticket that the connection of this number offered, or "none"
offer() { sed -n "$1p" offers; }
