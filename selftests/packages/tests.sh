# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# The packages' tests: installed, running under systemd, upgraded, there after a reboot,
# removed.

pki=/etc/tlshd
packages=(tlshd tls-handoff tls-handoff-dev tls-handoff-doc tls-handoff-dkms)
exposure=35	# tenths; what "systemd-analyze security" may say at most

# journal UNIT PATTERN: has the unit said so since this boot?
journal() { journalctl -b -o cat -u "$1" | grep -qE -e "$2"; }
# Journald reads what a unit says when it likes, also after the unit is known to have done it.
expect_journal() { until_true journal "$@"; }
journal_count() { journalctl -b -o cat -u tlshd | grep -cE -e "$1" || :; }
journal_has_more() { [ "$(journal_count "$1")" -gt "$2" ]; }

# expect_active STATE: tlshd's, and that it never failed by itself
expect_active() {
	[ "$(systemctl is-active tlshd)" = "$1" ] || fail "$(systemctl status tlshd 2>&1)"
	! systemctl --quiet is-failed tlshd || fail "$(systemctl status tlshd 2>&1)"
}

main_pid() { systemctl show -P MainPID tlshd; }

# What is loaded is what DKMS has built for this kernel.
expect_module_of_dkms() {
	dkms status tls-handoff > dkms
	has_line dkms "$(uname -r).*: installed" || fail "$(cat dkms)"
	module=$(modinfo -n tls_handoff)
	[[ $module == */updates/dkms/* ]] || fail "$module"
	[ -d /sys/module/tls_handoff ] || fail "not loaded"
	[ "$(< /sys/module/tls_handoff/srcversion)" = "$(modinfo -F srcversion tls_handoff)" ] ||
		fail "another one is loaded"
}

installed_by_apt() {
	local logs
	! modinfo tls_handoff > out 2>&1 || fail "there is a module already: $(cat out)"
	touch before
	apt-get -y install /stage/packages/*.deb > out 2>&1 < /dev/null ||
		fail "$(tail -n 30 out; tail -n 30 /var/lib/dkms/tls-handoff/*/build/make.log)"
	expect_module_of_dkms
	[ "$module" -nt before ] || fail "$module was not built here"
	logs=(/var/lib/dkms/tls-handoff/*/"$(uname -r)"/*/log/make.log)
	[ "${logs[0]}" -nt before ] || fail "no log of a build: ${logs[*]}"
}

runs_without_a_tpm() {
	[ ! -e /dev/tpmrm0 ] || fail "the test wants a machine without a TPM"
	runs_as_started
}

# Once, with all that it was told to use.
runs_as_started() {
	expect_active active
	[ "$(systemctl is-enabled tlshd)" = enabled ] || fail "not enabled"
	[ "$(systemctl show -P NRestarts tlshd)" -eq 0 ] || fail "it was started more than once"
	tlshd -t > out 2>&1 || fail "$(cat out)"
	"${as[@]}" tls-handoff status > out 2>&1 || fail "$(cat out)"
}

# At boot modules-load.d and tlshd's unit race; this is what happens without the unit.
modules_load_d() {
	systemctl stop tlshd
	until_true module_is_unused
	modprobe --remove tls_handoff || fail "it is in use: $(lsmod | grep tls)"
	systemctl restart systemd-modules-load
	expect_module_of_dkms
	systemctl start tlshd
}

runs_with_its_keys() {
	runs_as_started
	expect_journal tlshd 'tlshd-keys: ready with 1 keys'
}

nothing_has_failed() {
	systemctl --failed --plain --no-legend > out
	[ ! -s out ] || fail "$(cat out)"
}

manuals_and_headers() {
	local page
	for page in 1:tls-handoff 1:tls-handoff-{key,run,tunnel} 5:tlshd.conf 7:tls_handoff 8:tlshd; do
		man -w "${page%:*}" "${page#*:}" > out 2>&1 || fail "$(cat out)"
	done
	[ -e /usr/include/linux/tls_handoff.h ] || fail "no header"
	[ -e /usr/share/doc/tls-handoff/architecture.md.gz ] || fail "no documentation"
}

unit_is_hardened() {
	systemd-analyze verify tlshd.service > out 2>&1 || fail "$(cat out)"
	[ ! -s out ] || fail "$(cat out)"
	systemd-analyze security --no-pager --threshold="$exposure" tlshd.service > out 2>&1 ||
		fail "$(tail -n 1 out)"
	# What it says holds for the processes.
	grep -q '^Seccomp:[[:space:]]*2' "/proc/$(main_pid)/status" || fail "no system call filter"
	[ "$(stat -fc %T "/proc/$(main_pid)/root/tmp")" = tmpfs ] || fail "no /tmp of its own"
}

# The administrator's way: a key in the TPM, a certificate for it, a profile, a reload.
# As with a TPM of hardware, the device is there before tlshd and belongs to tss.
profile_with_a_tpm_key() {
	cat > /etc/systemd/system/swtpm.service <<-'END'
		[Unit]
		Before=tlshd.service
		[Service]
		ExecStartPre=modprobe tpm_vtpm_proxy
		ExecStart=swtpm chardev --vtpm-proxy --tpm2 --tpmstate dir=/var/lib/swtpm \
			--flags not-need-init
		ExecStartPost=sh -c 'until [ -c /dev/tpmrm0 ]; do :; done; chown tss:tss /dev/tpmrm0'
		StateDirectory=swtpm
		[Install]
		WantedBy=multi-user.target
	END
	systemctl daemon-reload
	systemctl enable --now --quiet swtpm > out 2>&1 || fail "$(cat out)"

	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key \
		-out $pki/ca.pem -subj '/CN=packages test CA' -days 2
	tls-handoff key create --type p256 $pki/web.key > out
	tls-handoff key csr --subject CN=web.test --dns localhost $pki/web.key -o web.csr
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $pki/peer.key \
		-subj /CN=peer.test -addext subjectAltName=DNS:localhost -out peer.csr
	for name in web peer; do
		openssl x509 -req -in $name.csr -CA $pki/ca.pem -CAkey ca.key -days 1 \
			-copy_extensions copy -out $pki/$name.pem
	done
	cat > /etc/tlshd.conf <<-END
		[profile default]
		truststore = $pki/ca.pem
		[profile web]
		certificate = $pki/web.pem
		private_key = $pki/web.key
		allow = user:www-data
	END
	tlshd -t > out 2>&1 || fail "$(cat out)"
	systemctl reload tlshd > out 2>&1 || fail "$(cat out)"
	expect_journal tlshd 'configuration reloaded'
	expect_journal tlshd 'tlshd-keys: ready with 1 keys'
}

a_mistake_in_the_configuration() {
	cp /etc/tlshd.conf conf
	echo nonsense >> /etc/tlshd.conf
	systemctl reload tlshd > out 2>&1 || :
	cp conf /etc/tlshd.conf
	expect_active active
	expect_journal tlshd 'the new configuration is not used'
}

# Both ends are users without rights; the server's key is in the TPM.
handoff_of_users() {
	local server=(setpriv --reuid www-data --regid www-data --init-groups)
	"${server[@]}" tls-handoff listen --profile web "$port" -- cat < /dev/null > peer.out 2> peer.err &
	pids+=("$!")
	until_true is_listening "$port"
	mkfifo in
	exec {to}<> in
	echo hello >&"$to"
	"${as[@]}" tls-handoff connect --name localhost 127.0.0.1 "$port" < in > out 2> err &
	pids+=("$!")
	until_true has_line out hello
	expect_journal tlshd 'server handshake done: profile web, .*TLS 1.3.*uid 33'
	expect_journal tlshd 'client handshake done: profile default, .*uid 65534'
	expect_journal tlshd 'tlshd-keys: key .*\(tpm\) signed .*profile web, user 33'
}

# The same with OpenSSL at the other end, which asks for a new key.
handoff_to_openssl() {
	declare -A fds peer_fds
	line tls13
	expect_line_key_update 1
}

# open_over ACTION...: an open connection goes on over it, and its keys can be changed.
open_over() {
	local before
	declare -A fds peer_fds
	line tls13
	before=$(journal_count 'sessions have a new session handler')
	"$@" > action 2>&1 || fail "$*: $(cat action)"
	until_true journal_has_more 'sessions have a new session handler' "$before"
	expect_active active
	expect_line tls13 after
	expect_line_key_update 1
}

is_another() { [ "$(main_pid)" -ne 0 ] && [ "$(main_pid)" -ne "$1" ]; }

killed() {
	local old
	old=$(main_pid)
	kill -KILL "$old"
	until_true is_another "$old"
	until_true systemctl --quiet is-active tlshd
}

upgraded() {
	local old
	old=$(main_pid)
	dpkg --install /stage/packages/tlshd_*.deb < /dev/null
	is_another "$old"
}

# What the administrator has changed is not overwritten by that.
an_upgrade_keeps_the_configuration() {
	has_line /etc/tlshd.conf 'profile web' || fail "$(cat /etc/tlshd.conf)"
}

stopped() {
	declare -A fds peer_fds
	line tls13
	until_true count_sessions 1
	systemctl stop tlshd > out 2>&1 || fail "$(cat out)"
	expect_active inactive
	[ "$(systemctl show -P Result tlshd)" = success ] || fail "$(systemctl status tlshd)"
	expect_journal tlshd 'ending, 1 sessions open'
	[ -z "$(pgrep -x 'tlshd.*')" ] || fail "left: $(pgrep -ax 'tlshd.*')"
	expect_line tls13 without
	status=0
	"${as[@]}" tls-handoff connect --name localhost 127.0.0.1 "$port" < /dev/null > out 2> err ||
		status=$?
	expect_status 4
	systemctl start tlshd > out 2>&1 || fail "$(cat out)"
	expect_line tls13 again
}

# Only what is the administrator's own stays.
purged() {
	local package path
	for package in "${packages[@]}"; do
		dpkg -L "$package"
	done | sort -u > files
	while read -r path; do
		[ -d "$path" ] || echo "$path"
	done < files > wanted_gone
	echo "/lib/modules/$(uname -r)/updates/dkms/tls_handoff.ko.xz" >> wanted_gone
	printf '%s\n' /var/lib/dkms/tls-handoff /usr/src/tls-handoff-* /usr/libexec/tls-handoff \
		/run/tlshd /etc/systemd/system/multi-user.target.wants/tlshd.service \
		/etc/systemd/system/remote-fs.target.wants/tlshd.service >> wanted_gone
	[ "$(wc -l < wanted_gone)" -gt 50 ] || fail "what was there to remove? $(cat wanted_gone)"
	dpkg --purge "${packages[@]}" > out 2>&1 || fail "$(cat out)"
	while read -r path; do
		[ ! -e "$path" ] && [ ! -L "$path" ] || echo "$path"
	done < wanted_gone > left
	[ ! -s left ] || fail "left: $(cat left)"
	[ ! -d /sys/module/tls_handoff ] || fail "the module is still loaded: $(cat out)"
	[ -z "$(pgrep -x 'tlshd.*')" ] || fail "left: $(pgrep -ax 'tlshd.*')"
	! systemctl cat tlshd > out 2>&1 || fail "$(cat out)"
	[ -z "$(dkms status tls-handoff)" ] || fail "$(dkms status)"
	[ -e $pki/web.key ] || fail "the administrator's key is gone"
}

while_open=key_update.goes_on_while
tests_as_installed() {
	tests=()
	add packages.apt_installs_them_and_dkms_builds_the_module installed_by_apt
	add packages.tlshd_runs_as_it_was_installed_without_a_tpm runs_without_a_tpm
	add packages.manual_pages_headers_and_documentation_are_there manuals_and_headers
	add packages.the_unit_is_hardened unit_is_hardened
	add packages.a_reload_takes_a_profile_with_a_key_in_the_tpm profile_with_a_tpm_key
	add packages.a_mistake_in_the_configuration_does_not_end_tlshd a_mistake_in_the_configuration
	add packages.users_without_rights_talk_tls_with_a_key_in_the_tpm handoff_of_users
	add packages.$while_open.systemd_reloads_tlshd open_over systemctl reload tlshd
	add packages.$while_open.systemd_restarts_tlshd open_over systemctl restart tlshd
	add packages.$while_open.systemd_starts_tlshd_again_after_it_was_killed open_over killed
	add packages.$while_open.the_package_is_upgraded open_over upgraded
	add packages.an_upgrade_keeps_the_configuration an_upgrade_keeps_the_configuration
	add packages.data_goes_on_while_tlshd_is_stopped stopped
}

# Nothing was done by hand for those that say "after a reboot".
rebooted=packages.after_a_reboot
tests_after_reboot() {
	tests=()
	add $rebooted.nothing_has_failed nothing_has_failed
	add $rebooted.the_module_of_dkms_is_loaded expect_module_of_dkms
	add $rebooted.tlshd_runs_with_its_keys runs_with_its_keys
	add $rebooted.users_without_rights_talk_tls_with_a_key_in_the_tpm handoff_of_users
	add $rebooted.openssl_is_talked_to_and_gets_a_new_key handoff_to_openssl
	add packages.modules_load_d_loads_the_module modules_load_d
	add packages.purging_them_leaves_nothing_behind purged
}
