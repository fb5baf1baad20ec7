/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small public key infrastructure in files, made anew for each test program.
 */
#ifndef TLSHD_SESSION_TEST_PKI_H
#define TLSHD_SESSION_TEST_PKI_H

#define PKI_PSK_HEX	  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define PKI_OTHER_PSK_HEX "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/*
 * Writes into the current folder ca.pem, rogue-ca.pem, crl.pem, stale-crl.pem, psk and
 * other-psk (hexadecimal), and NAME.pem, NAME.key for
 *   server	P-256, localhost, server.test, *.wild.test, 127.0.0.1, ::1
 *   rsa	RSA-2048, rsa.test
 *   p384	P-384, p384.test
 *   client	P-256, client.test, user@client.test
 *   hour	P-256, localhost, good for an hour from now
 *   expired, future, revoked	P-256, localhost
 *   common	P-256, no alternative name, CN=localhost
 *   purpose	P-256, localhost, for clients only
 *   rogue	P-256, localhost, from rogue-ca.pem
 * and server.pub, client.pub, rogue.pub: their public keys (PEM).
 */
void pki_make(void);

#endif /* TLSHD_SESSION_TEST_PKI_H */
