# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# STARTTLS with programs of each protocol: tunnel in either role, stunnel in either role.

# The ports of a chain, beside $port and behind(): other tunnels.
write_mail() {
	printf '%s\r\n' 'From: a@example.org' 'To: b@example.org' '' "the words $1" > mail
}

# send_mail URL WORDS ARGUMENT...
send_mail() {
	local url=$1
	write_mail "$2"
	shift 2
	curl --silent --show-error --max-time "$deadline" --cacert "$pki/ca.pem" --mail-from a@example.org \
		--mail-rcpt b@example.org --upload-file mail "$@" "$url" 2> curl.err ||
		fail "curl: $(cat curl.err) $(tail -n 5 tunnel.log)"
}

has_mail() { until_true has_line peer.out "the words $1"; }

# stunnel and ours in both roles, with what they forward to: starttls_chain PROTOCOL OURS
# PORT_WITH_STARTTLS. $port is our server, +1000 our client to the server with STARTTLS,
# +2000 stunnel's client to our server, +3000 our client to stunnel's server, +4000.
starttls_chain() {
	write_stunnel '[client]' client=yes "protocol=$1" "accept=127.0.0.1:$((port + 2000))" \
		"connect=127.0.0.1:$port" "CAfile=$pki/ca.pem" verifyChain=yes checkHost=server.test \
		'[server]' "protocol=$1" "accept=127.0.0.1:$((port + 4000))" \
		"connect=127.0.0.1:$(behind)" "cert=$pki/peer.pem" "key=$pki/peer.key"
	stunnel stunnel.conf > stunnel.log 2>&1 &
	pids+=("$!")
	cat > tunnel.conf <<-END
		[service server]
		accept = 127.0.0.1:$port
		connect = 127.0.0.1:$(behind)
		protocol = $2
		profile = soft
		[service client]
		client = yes
		accept = 127.0.0.1:$((port + 1000))
		connect = 127.0.0.1:$3
		name = server.test
		protocol = $2
		profile = soft
		[service to_stunnel]
		client = yes
		accept = 127.0.0.1:$((port + 3000))
		connect = 127.0.0.1:$((port + 4000))
		name = server.test
		protocol = $2
		profile = soft
	END
	tunnel -c tunnel.conf
	until_true is_listening $((port + 4000))
}

smtp() {
	PYTHONUNBUFFERED=1 peer python3 -m aiosmtpd -n -l "127.0.0.1:$(behind)"
	PYTHONUNBUFFERED=1 python3 -m aiosmtpd -n -l "127.0.0.1:$((port + 5000))" \
		--tlscert "$pki/peer.pem" --tlskey "$pki/peer.key" > tls.out 2> tls.err &
	pids+=("$!")
	starttls_chain smtp smtp $((port + 5000))
	until_true is_listening "$(behind)"
	send_mail "smtp://server.test:$port" from-curl --ssl-reqd
	has_mail from-curl
	send_mail "smtp://127.0.0.1:$((port + 2000))" from-stunnel
	has_mail from-stunnel
	send_mail "smtp://127.0.0.1:$((port + 3000))" through-stunnel
	has_mail through-stunnel
	until_true is_listening $((port + 5000))
	send_mail "smtp://127.0.0.1:$((port + 1000))" to-aiosmtpd
	until_true has_line tls.out 'the words to-aiosmtpd'
	openssl_starttls smtp
}

# openssl_starttls PROTOCOL: its own idea of the conversation, against our server.
openssl_starttls() {
	openssl s_client -connect "127.0.0.1:$port" -starttls "$1" -CAfile "$pki/ca.pem" \
		-verify_return_error -verify_hostname server.test < /dev/null > openssl.out 2>&1 || :
	expect_words 'Verification: OK' openssl.out
}

# read_mailbox URL ARGUMENT...
read_mailbox() {
	curl --silent --show-error --max-time "$deadline" --cacert "$pki/ca.pem" -u user:secret "$@" \
		> list 2> curl.err || fail "curl: $(cat curl.err) $(tail -n 5 tunnel.log dovecot.log)"
	expect_words 'INBOX' list
}

write_dovecot() {
	mkdir mail
	chown daemon mail
	chmod a+rx . .. "$work"
	cat > dovecot.conf <<-END
		dovecot_config_version = 2.4.0
		dovecot_storage_version = 2.4.0
		protocols = imap
		base_dir = $PWD/run
		state_dir = $PWD/state
		log_path = $PWD/dovecot.log
		listen = 127.0.0.1
		ssl = yes
		ssl_server_cert_file = $pki/peer.pem
		ssl_server_key_file = $pki/peer.key
		auth_allow_cleartext = yes
		default_login_user = nobody
		default_internal_user = daemon
		default_internal_group = daemon
		mail_driver = maildir
		mail_path = $PWD/mail
		first_valid_uid = 1
		service imap-login {
		  chroot =
		  inet_listener imap {
		    port = $(behind)
		  }
		  inet_listener imaps {
		    port = 0
		  }
		}
		passdb static {
		  password = secret
		}
		userdb static {
		  fields {
		    uid = daemon
		    gid = daemon
		    home = $PWD/mail
		  }
		}
	END
}

imap() {
	write_dovecot
	peer dovecot -F -c "$PWD/dovecot.conf"
	starttls_chain imap imap "$(behind)"
	until_true is_listening "$(behind)"
	read_mailbox "imap://server.test:$port/" --ssl-reqd
	read_mailbox "imap://127.0.0.1:$((port + 1000))/"
	read_mailbox "imap://127.0.0.1:$((port + 2000))/"
	read_mailbox "imap://127.0.0.1:$((port + 3000))/"
	openssl_starttls imap
}

# select_one CONNECTION_STRING: a query whose answer needs the database.
select_one() {
	PGSSLROOTCERT=$pki/ca.pem PGCONNECT_TIMEOUT=$deadline timeout "$deadline" psql -XtAc \
		'select 6 * 7' "user=postgres dbname=postgres $1" > answer 2> psql.err ||
		fail "psql: $(cat psql.err) $(tail -n 5 tunnel.log)"
	[ "$(< answer)" = 42 ] || fail "psql says: $(< answer)"
}

postgres() {
	local bin=(/usr/lib/postgresql/*/bin)
	local as_user=(setpriv --reuid postgres --regid postgres --clear-groups)
	mkdir database
	install -o postgres -m 600 "$pki/peer.key" server.key
	chown postgres database
	chmod a+rx . .. "$work"
	"${as_user[@]}" "${bin[0]}/initdb" -D "$PWD/database" --no-sync -A trust --locale=C -E UTF8 \
		> initdb.log 2>&1 || fail "initdb: $(tail -n 5 initdb.log)"
	"${as_user[@]}" "${bin[0]}/postgres" -D "$PWD/database" -F -p "$(behind)" -k '' \
		-c listen_addresses=127.0.0.1 -c ssl=on -c "ssl_cert_file=$pki/peer.pem" \
		-c "ssl_key_file=$PWD/server.key" > postgres.log 2>&1 &
	pids+=("$!")
	starttls_chain pgsql postgres "$(behind)"
	until_true has_line postgres.log 'ready to accept connections'
	select_one "host=server.test port=$port sslmode=verify-full"
	select_one "host=127.0.0.1 port=$((port + 1000)) sslmode=disable"
	select_one "host=127.0.0.1 port=$((port + 2000)) sslmode=disable"
	select_one "host=127.0.0.1 port=$((port + 3000)) sslmode=disable"
	openssl_starttls postgres
	! psql -XtAc 'select 1' "user=postgres host=127.0.0.1 port=$port sslmode=disable" \
		> answer 2> psql.err || fail "psql did without TLS"
	expect_words 'this port takes only TLS' psql.err
}

# CVE-2011-0411: what a client, or somebody on its way, says in plain behind STARTTLS is not
# taken for something that TLS protected, whether it comes at once or later.
nothing_behind_starttls() {
	local tcp line
	tunnel --accept "127.0.0.1:$port" --connect "127.0.0.1:$(behind)" --protocol smtp \
		--profile soft
	exec {tcp}<> "/dev/tcp/127.0.0.1/$port"
	# From a file, as bash's printf writes each line by itself, and the tunnel may be faster.
	printf 'EHLO me\r\nSTARTTLS\r\nMAIL FROM:<a@b>\r\n' > at_once
	cat at_once >&"$tcp"
	expect_log 'STARTTLS: something was sent before TLS as if it had begun'
	exec {tcp}<> "/dev/tcp/127.0.0.1/$port"
	printf 'STARTTLS\r\n' >&"$tcp"
	until_true reads_line 'Ready to start TLS'
	printf 'MAIL FROM:<a@b>\r\n' >&"$tcp"
	expect_log 'handshake failed'
	! has_line tunnel.log 'cannot connect' || fail "something was passed on"
}

reads_line() {
	read -rt 1 -u "$tcp" line && [[ $line == *"$1"* ]]
}

add tunnel.starttls.nothing_behind_starttls_counts nothing_behind_starttls
add tunnel.starttls.smtp smtp
add tunnel.starttls.imap imap
add tunnel.starttls.postgres postgres
