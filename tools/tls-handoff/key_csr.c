// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff key csr: a certificate request (PKCS#10) signed by a key where it is.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "key_command.h"
#include "scheme.h"

#define MAX_NAMES 64

struct name {
	gnutls_x509_subject_alt_name_t type;
	const char *text;
};

struct csr_options {
	const char *subject;
	struct name names[MAX_NAMES];
	size_t name_count;
	const char *tcti;
	const char *output;
	const char *source;
	bool force;
};

static void help(void)
{
	puts("usage: tls-handoff key csr [OPTIONS] KEY\n"
	     "\n"
	     "Make a certificate request for KEY: a file in PEM, of a TPM or not, or tpm2:HANDLE.\n"
	     "\n"
	     "      --subject \"CN=...\"        distinguished name, as in RFC 4514\n"
	     "      --dns NAME                host name; may be given several times\n"
	     "      --ip ADDR                 IPv4 or IPv6 address; may be given several times\n"
	     "      --tcti TCTI               how to reach the TPM (the environment's TCTI, else\n"
	     "                                device:/dev/tpmrm0)\n"
	     "  -o, --output FILE             instead of standard output\n"
	     "      --force                   replace FILE if it is there\n"
	     "  -h, --help                    this text\n"
	     "\n"
	     "exit status: 0 done, 1 the TPM or a file, 2 usage");
}

static bool is_address(const char *text)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* What may stand in a certificate as a host name: letters, digits, '-', '_', labels of
 * at most 63, one '*' in front. */
static bool is_host_name(const char *text)
{
	size_t length = strlen(text), label = 0;

	if (!strncmp(text, "*.", 2))
		text += 2;
	if (!length || length > 253)
		return false;
	for (; *text; text++) {
		if (*text == '.') {
			if (!label)
				return false;
			label = 0;
			continue;
		}
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_",
			    *text) ||
		    ++label > 63)
			return false;
	}
	return label;
}

static int add_name(struct csr_options *options, gnutls_x509_subject_alt_name_t type,
		    const char *text)
{
	if (options->name_count == MAX_NAMES)
		return key_error(-EINVAL, "at most %d names fit into a request", MAX_NAMES);
	if (type == GNUTLS_SAN_IPADDRESS && !is_address(text))
		return key_error(-EINVAL, "--ip \"%s\" is no IPv4 or IPv6 address", text);
	if (type == GNUTLS_SAN_DNSNAME && is_address(text))
		return key_error(-EINVAL, "--dns \"%s\" is an address: use --ip", text);
	if (type == GNUTLS_SAN_DNSNAME && !is_host_name(text))
		return key_error(-EINVAL,
				 "--dns \"%s\" is no host name (international ones as xn--...)",
				 text);
	options->names[options->name_count++] = (struct name){ type, text };
	return 0;
}

static int check_subject(const char *subject)
{
	const char *at = NULL;
	gnutls_x509_crq_t crq;
	int ret;

	if (gnutls_x509_crq_init(&crq) < 0)
		return key_error(-ENOMEM, "out of memory");
	ret = gnutls_x509_crq_set_dn(crq, subject, &at);
	gnutls_x509_crq_deinit(crq);
	if (ret >= 0)
		return 0;
	return key_error(
		-EINVAL,
		"--subject is not understood at \"%s\"; an example is \"CN=a.example,O=Us\"",
		at ? at : subject);
}

static int take_option(int option, void *data)
{
	struct csr_options *options = data;

	switch (option) {
	case 's':
		options->subject = optarg;
		return check_subject(optarg);
	case 'd':
		return add_name(options, GNUTLS_SAN_DNSNAME, optarg);
	case 'i':
		return add_name(options, GNUTLS_SAN_IPADDRESS, optarg);
	case 'o':
		options->output = optarg;
		return 0;
	default:
		options->force = true;
		return 0;
	}
}

static int parse_options(int argc, char **argv, struct csr_options *options)
{
	static const struct option table[] = { { "subject", required_argument, NULL, 's' },
					       { "dns", required_argument, NULL, 'd' },
					       { "ip", required_argument, NULL, 'i' },
					       { "output", required_argument, NULL, 'o' },
					       { "force", no_argument, NULL, 'f' },
					       KEY_COMMON_OPTIONS };
	static const struct key_options command = { "csr", "KEY", "ho:", table, help, take_option };
	int ret;

	ret = key_options(argc, argv, &command, options, &options->tcti, &options->source);
	if (ret == 0 && !options->subject && !options->name_count)
		return key_error(-EINVAL, "a request needs a name: --dns, --ip or --subject");
	return ret;
}

/* What GnuTLS asks of a key that it does not hold */
struct signing {
	struct keys_object *object;
	uint16_t scheme;
	uint16_t hash;
	struct keys_words words;
};

static int on_info(gnutls_privkey_t key, unsigned int flags, void *data)
{
	const struct signing *signing = data;
	const struct keys_public *public = &signing->object->public;
	gnutls_sign_algorithm_t algorithm = keys_scheme_gnutls(signing->scheme, signing->hash);

	(void)key;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return public->kind == KEYS_KIND_RSA ? GNUTLS_PK_RSA : GNUTLS_PK_EC;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)public->bits;
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return GNUTLS_FLAGS_TO_SIGN_ALGO(flags) == algorithm;
	return -1;
}

/* A PKCS#1 signature is asked for with the digest in a DigestInfo already. */
static int unwrap(const struct signing *signing, gnutls_sign_algorithm_t algorithm,
		  const gnutls_datum_t *input, uint8_t digest[KEYS_MAX_DIGEST])
{
	gnutls_sign_algorithm_t wanted = keys_scheme_gnutls(signing->scheme, signing->hash);
	unsigned int length = KEYS_MAX_DIGEST;
	gnutls_digest_algorithm_t hash;

	if (algorithm == GNUTLS_SIGN_RSA_RAW) {
		if (gnutls_decode_ber_digest_info(input, &hash, digest, &length) < 0 ||
		    hash != gnutls_sign_get_hash_algorithm(wanted))
			return -EINVAL;
	} else if (algorithm == wanted && input->size <= length) {
		length = input->size;
		memcpy(digest, input->data, length);
	} else {
		return -EINVAL;
	}
	return length == keys_hash_length(signing->hash) ? 0 : -EINVAL;
}

static int on_sign(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm, void *data,
		   unsigned int flags, const gnutls_datum_t *input, gnutls_datum_t *output)
{
	struct signing *signing = data;
	uint8_t digest[KEYS_MAX_DIGEST], signature[KEYS_MAX_SIGNATURE];
	size_t length;

	(void)key, (void)flags;
	if (unwrap(signing, algorithm, input, digest) < 0)
		return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
	if (signing->object->backend->sign(signing->object, signing->scheme, signing->hash, digest,
					   keys_hash_length(signing->hash), signature, &length,
					   &signing->words) < 0)
		return GNUTLS_E_PK_SIGN_FAILED;
	output->data = gnutls_malloc(length);
	if (!output->data)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(output->data, signature, length);
	output->size = (unsigned int)length;
	return 0;
}

static int set_names(gnutls_x509_crq_t crq, const struct csr_options *options)
{
	int ret = 0;

	for (size_t i = 0; ret >= 0 && i < options->name_count; i++) {
		const struct name *name = &options->names[i];
		uint8_t address[16];
		const void *data = name->text;
		unsigned int size = (unsigned int)strlen(name->text);

		if (name->type == GNUTLS_SAN_IPADDRESS) {
			data = address;
			size = inet_pton(AF_INET, name->text, address) == 1 ? 4 : 16;
			if (size == 16)
				inet_pton(AF_INET6, name->text, address);
		}
		ret = gnutls_x509_crq_set_subject_alt_name(
			crq, name->type, data, size, i ? GNUTLS_FSAN_APPEND : GNUTLS_FSAN_SET);
	}
	return ret;
}

static int sign_request(gnutls_x509_crq_t crq, struct signing *signing)
{
	gnutls_digest_algorithm_t hash =
		gnutls_sign_get_hash_algorithm(keys_scheme_gnutls(signing->scheme, signing->hash));
	gnutls_pubkey_t pub = NULL;
	gnutls_privkey_t key;
	int ret;

	if (public_import(&signing->object->public, &pub) < 0)
		return GNUTLS_E_ASN1_DER_ERROR;
	ret = gnutls_x509_crq_set_pubkey(crq, pub);
	gnutls_pubkey_deinit(pub);
	if (ret < 0)
		return ret;
	ret = gnutls_privkey_init(&key);
	if (ret < 0)
		return ret;
	ret = gnutls_privkey_import_ext4(key, signing, NULL, on_sign, NULL, NULL, on_info, 0);
	if (ret >= 0)
		ret = gnutls_x509_crq_privkey_sign(crq, key, hash, 0);
	gnutls_privkey_deinit(key);
	return ret;
}

/* *ret_pem: gnutls_free() its data. */
static int make_request(struct keys_object *object, const struct csr_options *options,
			gnutls_datum_t *ret_pem)
{
	struct signing signing = {
		.object = object,
		.scheme = object->public.kind == KEYS_KIND_RSA ? KEYS_SCHEME_RSA_PKCS1 :
								 KEYS_SCHEME_ECDSA,
		.hash = object->public.kind == KEYS_KIND_EC_P384 ? KEYS_HASH_SHA384 :
								   KEYS_HASH_SHA256,
	};
	gnutls_x509_crq_t crq;
	int ret;

	if (gnutls_x509_crq_init(&crq) < 0)
		return key_error(-ENOMEM, "out of memory");
	ret = gnutls_x509_crq_set_version(crq, 1);
	if (ret >= 0 && options->subject)
		ret = gnutls_x509_crq_set_dn(crq, options->subject, NULL);
	if (ret >= 0)
		ret = set_names(crq, options);
	if (ret >= 0)
		ret = gnutls_x509_crq_set_key_usage(crq, GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (ret >= 0)
		ret = sign_request(crq, &signing);
	if (ret >= 0)
		ret = gnutls_x509_crq_export2(crq, GNUTLS_X509_FMT_PEM, ret_pem);
	if (ret < 0)
		ret = key_error(-EIO, "cannot make the request: %s",
				signing.words.text[0] ? signing.words.text : gnutls_strerror(ret));
	gnutls_x509_crq_deinit(crq);
	return ret;
}

static int write_request(const struct csr_options *options, const gnutls_datum_t *pem)
{
	struct key_file file;
	int ret;

	if (!options->output) {
		if (fwrite(pem->data, 1, pem->size, stdout) == pem->size && fflush(stdout) == 0)
			return 0;
		return key_error(-EIO, "cannot write: %s", strerror(errno));
	}
	ret = key_file_begin(&file, options->output, (const char *)pem->data, pem->size, 0644,
			     options->force);
	return ret < 0 ? ret : key_file_commit(&file);
}

int key_csr(int argc, char **argv)
{
	struct csr_options options = { 0 };
	struct keys_object *object = NULL;
	gnutls_datum_t pem = { 0 };
	struct keys_opener opener;
	int ret;

	ret = parse_options(argc, argv, &options);
	if (ret)
		return ret < 0 ? EXIT_USAGE : EXIT_DONE;
	if (keys_opener_init(&opener, options.tcti) < 0)
		return key_error(EXIT_IO, "out of memory");
	ret = key_open(&opener, options.source, &object);
	if (ret == 0)
		ret = make_request(object, &options, &pem);
	if (ret == 0)
		ret = write_request(&options, &pem);
	gnutls_free(pem.data);
	keys_object_free(object);
	keys_opener_clear(&opener);
	return ret < 0 ? EXIT_IO : EXIT_DONE;
}
