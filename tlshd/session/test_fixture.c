// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What most test programs here have, see test_fixture.h.
 */
#include "test_fixture.h"

struct rig rig;

const make_peer peers[PEERS] = { peer_openssl, peer_gnutls };

const struct suite suites[SUITES] = {
	{ 13, TLS_CIPHER_AES_GCM_256, "TLS_AES_256_GCM_SHA384", "+AES-256-GCM" },
	{ 13, TLS_CIPHER_AES_GCM_128, "TLS_AES_128_GCM_SHA256", "+AES-128-GCM" },
	{ 13, TLS_CIPHER_CHACHA20_POLY1305, "TLS_CHACHA20_POLY1305_SHA256", "+CHACHA20-POLY1305" },
	{ 13, TLS_CIPHER_AES_CCM_128, "TLS_AES_128_CCM_SHA256", "+AES-128-CCM" },
	{ 12, TLS_CIPHER_AES_GCM_256, "ECDHE-ECDSA-AES256-GCM-SHA384", "+AES-256-GCM" },
	{ 12, TLS_CIPHER_AES_GCM_128, "ECDHE-ECDSA-AES128-GCM-SHA256", "+AES-128-GCM" },
	{ 12, TLS_CIPHER_CHACHA20_POLY1305, "ECDHE-ECDSA-CHACHA20-POLY1305", "+CHACHA20-POLY1305" },
	{ 12, TLS_CIPHER_AES_CCM_128, "ECDHE-ECDSA-AES128-CCM", "+AES-128-CCM" },
};

const char client_and_server[] = "[profile client]\n"
				 "truststore = ca.pem\n"
				 "[profile server]\n"
				 "truststore = ca.pem\n"
				 "certificate = server.pem\n"
				 "private_key = server.key\n";

static const char *the_config;

static int set_up(void **state)
{
	rig_enter_folder();
	rig_start(&rig, the_config);
	return 0;
}

static int set_up_clock(void **state)
{
	rig_enter_folder();
	rig_use_clock();
	rig_start(&rig, the_config);
	return 0;
}

CMFixtureFunction fixture_set_up(const char *config)
{
	the_config = config;
	return set_up;
}

CMFixtureFunction fixture_set_up_clock(const char *config)
{
	the_config = config;
	return set_up_clock;
}

int fixture_tear_down(void **state)
{
	rig_stop(&rig);
	rig_leave_folder();
	return 0;
}

int fixture_restart(void **state)
{
	rig_stop(&rig);
	rig_start(&rig, the_config);
	return 0;
}

int fixture_forget(void **state)
{
	if (rig_clock_moved())
		return fixture_restart(state);
	rig_tickets(&rig, CHANNEL_TICKETS_FLUSH);
	return 0;
}

struct peer_setup peer_for(uint32_t role, int version)
{
	struct peer_setup setup = { .version = version };

	if (role == TLS_HANDOFF_CLIENT) {
		setup.server = true;
		setup.certificate = "server.pem";
		setup.key = "server.key";
	}
	return setup;
}

void establish_with(struct connection *c, uint32_t role, const char *profile,
		    const struct peer_setup *setup, make_peer make)
{
	bool client = role == TLS_HANDOFF_CLIENT;
	struct attr_builder options;

	options = rig_options(role, profile ? profile : client ? "client" : "server");
	if (client)
		attr_put_string(&options, CHANNEL_A_PEER_NAME, "localhost");
	connection_open(c, &rig, &options, make(setup));
	connection_run(c);
	if (c->failed)
		fail_msg("%s, version %d: %s", setup->server_name ? setup->server_name : "",
			 setup->version, c->words);
}

void establish(struct connection *c, uint32_t role, const char *profile, int version,
	       make_peer make)
{
	const struct peer_setup setup = peer_for(role, version);

	establish_with(c, role, profile, &setup, make);
}

void establish_client(struct connection *c, int version)
{
	establish(c, TLS_HANDOFF_CLIENT, "client", version, peer_openssl);
}

void establish_server(struct connection *c, int version)
{
	establish(c, TLS_HANDOFF_SERVER, "server", version, peer_openssl);
}

void feed(struct connection *c, uint8_t type, const void *data, size_t length)
{
	unsigned int answers = c->continues + c->rx_updates;

	connection_record(c, type, data, length);
	while (!c->failed && c->continues + c->rx_updates == answers)
		assert_true(rig_step(&rig));
}

void update_both(struct connection *c)
{
	unsigned int before = c->tx_updates;

	peer_key_update(c->peer, true);
	connection_divert(c);
	connection_await_updates(c, before + 1);
	connection_exchange(c);
}

unsigned long long counted(const char *name)
{
	rig_tickets(&rig, CHANNEL_TICKETS_SHOW);
	return rig_count(&rig, name);
}
