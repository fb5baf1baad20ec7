// SPDX-License-Identifier: GPL-2.0-only
/*
 * A peer on OpenSSL's libssl.
 */
#include "openssl.h"

int main(int argc, char **argv)
{
	static const struct peer_library library = {
		"openssl", openssl_handshake, openssl_read, openssl_write, openssl_update,
		openssl_close, openssl_renegotiate,
	};

	return peer_main(&library, argc, argv);
}
