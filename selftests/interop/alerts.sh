# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # variables are lib.sh's
# Alerts from end to end: what OpenSSL's side says in each state of a connection, what the
# program sees of it, and the alert that comes back. RFC 8446 6; numbers of its rules are in
# Documentation/rfc8446.md.

# alert_step ROLE VERSION STEP: see alerts.
alert_step() {
	timeout $((deadline * 4)) "$here/alerts" "$@" > why 2>&1 || fail "$(cat why)"
}

for role in client server; do
	for version in 1.3 1.2; do
		name=interop.alerts.$role.tls${version/./}
		add "$name.error_alerts_end_it" alert_step $role $version error_alerts
		add "$name.close_notify_of_the_peer_first" alert_step $role $version close_of_the_peer_first
		add "$name.close_notify_of_ours_first" alert_step $role $version close_of_ours_first
		add "$name.the_right_alert_for_each_mistake" alert_step $role $version answers
		add "$name.truncation" alert_step $role $version truncation
		add "$name.user_canceled_goes_on" alert_step $role $version user_canceled
	done
	add "interop.alerts.$role.tls12.warnings_go_on" alert_step $role 1.2 warnings
	add "interop.alerts.$role.tls12.renegotiation_is_declined" alert_step $role 1.2 renegotiation
done
