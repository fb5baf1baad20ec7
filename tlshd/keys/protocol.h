/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The channel between session handler and key holder: an inherited socket pair,
 * framed as in ../channel/protocol.h; the header's session field is a request id
 * chosen by the session handler (0 in announcements).  Little endian.
 *
 *   key holder -> session handler           session handler -> key holder
 *   KEY     struct keys_announce, SPKI DER  SIGN    struct keys_sign, input
 *   PSK     struct keys_psk, identity       UNSEAL  u32 psk number, u32 uid
 *   READY   its version: all are announced  CANCEL  nothing: nobody waits any more
 *   SIGNED  signature
 *   SECRET  the PSK's raw bytes
 *   ERROR   u32 errno, words
 *
 * Keys of the kernel's keyrings have no announcement: a kernel consumer names them by their
 * serial numbers, and the key holder reads what it possesses.
 *
 *   KERNEL_SECRET  struct keys_kernel_      UNSEAL_KERNEL  struct keys_unseal_kernel,
 *                  secret, identity,                       identity if serial is 0
 *                  the PSK's raw bytes
 *   OPENED         struct keys_opened,      OPEN_KERNEL    struct keys_open_kernel
 *                  SPKI DER, certificate    CLOSE_KERNEL   u32 number of OPENED; no answer
 */
#ifndef TLSHD_KEYS_PROTOCOL_H
#define TLSHD_KEYS_PROTOCOL_H

#include <stdint.h>

enum keys_message_type {
	KEYS_KEY = 1,
	KEYS_PSK = 2,
	KEYS_READY = 3,
	KEYS_SIGN = 4,
	KEYS_SIGNED = 5,
	KEYS_UNSEAL = 6,
	KEYS_SECRET = 7,
	KEYS_ERROR = 8,
	KEYS_CANCEL = 9,
	KEYS_UNSEAL_KERNEL = 10,
	KEYS_KERNEL_SECRET = 11,
	KEYS_OPEN_KERNEL = 12,
	KEYS_OPENED = 13,
	KEYS_CLOSE_KERNEL = 14,
};

#define KEYS_MAX_SPKI	   1024 /* bytes */
#define KEYS_MAX_INPUT	   512	/* bytes to sign: a digest, or a PKCS#1 DigestInfo */
#define KEYS_MAX_SIGNATURE 1024 /* bytes */
#define KEYS_MAX_PSK	   64	/* bytes */
#define KEYS_MIN_PSK	   16	/* RFC 9257: at least 128 bits */
#define KEYS_MAX_KEYS	   1024
#define KEYS_MAX_VERSION   32	/* bytes of the version's text */
#define KEYS_MAX_PENDING   8192 /* requests that wait, over all users */

/* Kernel keys */
#define KEYS_MAX_KERNEL_IDENTITY    1024  /* bytes; NVMe's has two names of up to 223 and more */
#define KEYS_MAX_KERNEL_CERTIFICATE 16384 /* bytes */
#define KEYS_MAX_KERNEL_KEYS	    512	  /* private keys open at once */
#define KEYS_MAX_KEYRING	    1024  /* keys in a keyring that is looked through */
#define KEYS_KERNEL_NUMBERS	    (1U << 31) /* of private keys that were opened: from here on */

enum keys_kind {
	KEYS_KIND_EC_P256 = 1,
	KEYS_KIND_EC_P384 = 2,
	KEYS_KIND_RSA = 3,
};

/* KEY: one private key that can be used, in the order of the profile's private_key list */
struct keys_announce {
	uint32_t number; /* names the key in SIGN */
	uint32_t kind;	 /* enum keys_kind */
	uint32_t bits;
	uint32_t index;	  /* place in the profile's private_key list, from 0 */
	char profile[64]; /* NUL-terminated and padded */
} __attribute__((packed));

/* PSK: one identity; the secret itself only in SECRET */
struct keys_psk {
	uint32_t number;   /* names it in UNSEAL */
	uint32_t reserved; /* 0 */
	char profile[64];
} __attribute__((packed));

enum keys_scheme {
	KEYS_SCHEME_ECDSA = 1,	   /* input: digest; signature: DER SEQUENCE of r, s */
	KEYS_SCHEME_RSA_PSS = 2,   /* input: digest; salt as long as the digest */
	KEYS_SCHEME_RSA_PKCS1 = 3, /* input: digest; DigestInfo is added with the hash */
};

enum keys_hash {
	KEYS_HASH_SHA256 = 1,
	KEYS_HASH_SHA384 = 2,
	KEYS_HASH_SHA512 = 3,
};

/* SIGN: the input that follows is a digest of exactly the hash's length */
struct keys_sign {
	uint32_t number;  /* of KEY */
	uint32_t uid;	  /* on whose behalf: fairness and accounting */
	uint16_t scheme;  /* enum keys_scheme */
	uint16_t hash;	  /* enum keys_hash */
	uint64_t session; /* for the log line */
} __attribute__((packed));

/* UNSEAL_KERNEL: a key of type "psk" or "user", by its serial or by the identity that follows,
 * which is its whole description */
struct keys_unseal_kernel {
	uint32_t uid;	   /* as in SIGN */
	uint32_t keyring;  /* whose own members are looked through for an identity */
	uint32_t serial;   /* 0: by identity */
	uint32_t reserved; /* 0 */
	uint64_t session;  /* for the log line */
} __attribute__((packed));

/* KERNEL_SECRET: the PSK is what is left behind the identity */
struct keys_kernel_secret {
	uint32_t serial;
	uint16_t identity_length; /* bytes */
	uint16_t reserved;	  /* 0 */
} __attribute__((packed));

/* OPEN_KERNEL: keys of type "user" with a certificate and its private key (DER or PEM).  A number
 * that came with OPENED is given back with CLOSE_KERNEL, even if a CANCEL crossed it. */
struct keys_open_kernel {
	uint32_t uid;
	uint32_t certificate; /* serials */
	uint32_t private_key;
	uint32_t reserved; /* 0 */
	uint64_t session;
} __attribute__((packed));

/* OPENED: the certificate, as the kernel's key has it, is what is left behind the
 * SubjectPublicKeyInfo */
struct keys_opened {
	uint32_t number; /* for SIGN, from KEYS_KERNEL_NUMBERS on */
	uint32_t kind;	 /* enum keys_kind */
	uint32_t bits;
	uint32_t spki_length; /* bytes */
} __attribute__((packed));

#endif /* TLSHD_KEYS_PROTOCOL_H */
