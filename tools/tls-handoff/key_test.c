// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls-handoff key, end to end: a real swtpm, and OpenSSL to judge what comes out.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <json-c/json.h>

#include "test_harness.h"

#define TOOL "\"$TLS_HANDOFF_TOOL\" key "

static struct harness_tpm tpm;

static int setup(void **state)
{
	(void)state;
	harness_enter_folder();
	harness_tpm_start(&tpm, "tpm");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_tpm_kill(&tpm);
	harness_leave_folder();
	return 0;
}

/* Runs it; what it prints, on both streams, goes into "output". */
static int run(const char *arguments)
{
	char command[2048];
	int status;

	snprintf(command, sizeof(command), TOOL "%s >output 2>&1", arguments);
	status = system(command);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, size - 1);

	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
}

static void expect(const char *arguments, int status, const char *output)
{
	char text[4096];
	int got = run(arguments);

	read_file("output", text, sizeof(text));
	if (got != status || !strstr(text, output))
		fail_msg("\"key %s\" gave status %d and \"%s\"", arguments, got, text);
}

static void a_created_key_requests_a_certificate_that_openssl_verifies(void **state)
{
	static const char *const types[] = { "p256", "p384", "rsa2048" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char arguments[256];

		snprintf(arguments, sizeof(arguments), "create --type %s %s.pem", types[i],
			 types[i]);
		expect(arguments, 0,
		       i == 2 ? "creating a 2048-bit RSA key in the TPM, this can take a minute" :
				"");
		harness_run("test $(stat -c %%a %s.pem) = 600", types[i]);
		snprintf(arguments, sizeof(arguments),
			 "csr --dns a.example --dns '*.b.example' --ip ::1 --ip 127.0.0.1 "
			 "--subject 'CN=a.example,O=We & You' -o %s.csr %s.pem",
			 types[i], types[i]);
		expect(arguments, 0, "");
		harness_run("openssl req -verify -noout -in %s.csr 2>&1 | grep -q 'verify OK'",
			    types[i]);
		harness_run(
			"openssl req -noout -text -in %s.csr | grep -q 'DNS:a.example, DNS:\\*.b.example, "
			"IP Address:0:0:0:0:0:0:0:1, IP Address:127.0.0.1'",
			types[i]);
		harness_run(
			"openssl req -noout -subject -in %s.csr | grep -q 'O=We & You, CN=a.example'",
			types[i]);
		harness_run("openssl req -noout -text -in %s.csr | grep -q 'Digital Signature'",
			    types[i]);
	}
	/* and on standard output, with no subject */
	harness_run(
		TOOL
		"csr --dns a.example p256.pem | openssl req -verify -noout 2>&1 | grep -q 'verify OK'");
}

static void a_created_key_is_one_for_the_openssl_provider(void **state)
{
	(void)state;
	assert_int_equal(run("create --force p256.pem"), 0);
	assert_int_equal(run("create --force --type rsa2048 rsa2048.pem"), 0);
	harness_run(
		"openssl pkey -provider tpm2 -provider default -in p256.pem -pubout -out p256.pub");
	harness_run(
		"openssl dgst -provider tpm2 -provider default -sha256 -sign rsa2048.pem -out signature "
		"p256.pub");
	harness_run(
		"openssl pkey -provider tpm2 -provider default -in rsa2048.pem -pubout -out rsa.pub");
	harness_run("openssl dgst -sha256 -verify rsa.pub -signature signature p256.pub >output");
}

static void show_agrees_with_openssl(void **state)
{
	struct json_object *object, *field;
	char fingerprint[65];

	(void)state;
	assert_int_equal(run("create --force p256.pem"), 0);
	expect("show p256.pem", 0, "loads:       yes");
	expect("show p256.pem", 0, "parent:      owner");
	expect("show p256.pem", 0, "kept in:     tpm");
	harness_run(
		"openssl pkey -provider tpm2 -provider default -in p256.pem -pubout -outform DER | "
		"sha256sum | cut -c1-64 >fingerprint");
	read_file("fingerprint", fingerprint, sizeof(fingerprint));

	assert_int_equal(run("show --json p256.pem"), 0);
	object = json_object_from_file("output");
	assert_non_null(object);
	assert_true(json_object_object_get_ex(object, "type", &field));
	assert_string_equal(json_object_get_string(field), "P-256");
	assert_true(json_object_object_get_ex(object, "bits", &field));
	assert_int_equal(json_object_get_int(field), 256);
	assert_true(json_object_object_get_ex(object, "loads", &field));
	assert_true(json_object_get_boolean(field));
	assert_true(json_object_object_get_ex(object, "fingerprint", &field));
	assert_memory_equal(json_object_get_string(field), "sha256:", 7);
	assert_string_equal(json_object_get_string(field) + 7, fingerprint);
	json_object_put(object);
}

static void show_tells_why_a_key_does_not_load(void **state)
{
	(void)state;
	assert_int_equal(run("create --force p256.pem"), 0);
	expect("show --tcti swtpm:path=/nowhere p256.pem", 1, "fingerprint: sha256:");
	expect("show --tcti swtpm:path=/nowhere p256.pem", 1,
	       "loads:       no: the TPM at swtpm:path=/nowhere "
	       "cannot be opened: no swtpm listens there");
	expect("show --json --tcti swtpm:path=/nowhere p256.pem", 1, "\"loads\":false");
	expect("show missing.pem", 1, "No such file");
	harness_run("echo garbage >garbage; chmod 600 garbage");
	expect("show garbage", 1, "loads:       no: is not a PEM private key");
}

static void a_module_of_the_tpm_library_will_do(void **state)
{
	char arguments[512];

	(void)state;
	assert_int_equal(run("create --force p256.pem"), 0);
	snprintf(arguments, sizeof(arguments), "show --tcti libtss2-tcti-swtpm.so.0:%s p256.pem",
		 strchr(tpm.tcti, ':') + 1);
	expect(arguments, 0, "loads:       yes");
}

static void a_persistent_parent_works(void **state)
{
	(void)state;
	harness_run("tpm2_createprimary -Q -C o -G ecc -c primary.ctx && "
		    "tpm2_evictcontrol -Q -C o -c primary.ctx 0x81000001 && tpm2_flushcontext -t");
	expect("create --parent 0x81000001 under.pem", 0, "");
	expect("show under.pem", 0, "parent:      0x81000001");
	harness_run("openssl pkey -provider tpm2 -provider default -in under.pem -pubout >output");
	expect("create --parent 0x81000009 nowhere.pem", 1, "the TPM has no object 0x81000009");
	harness_run("test ! -e nowhere.pem");
}

static void a_persistent_key_and_a_file_key_request_certificates_too(void **state)
{
	(void)state;
	harness_run("tpm2_createprimary -Q -C o -G ecc -c primary.ctx && "
		    "tpm2_create -Q -C primary.ctx -G ecc256 -c key.ctx && tpm2_flushcontext -t && "
		    "tpm2_evictcontrol -Q -C o -c key.ctx 0x81000005 && tpm2_flushcontext -t");
	harness_run(TOOL "csr --dns a.example tpm2:0x81000005 | openssl req -verify -noout 2>&1 | "
			 "grep -q 'verify OK'");
	expect("show tpm2:0x81000005", 0, "type:        P-256");
	harness_run(
		"umask 077; openssl genpkey -quiet -algorithm RSA -pkeyopt bits:3072 -out soft.pem");
	harness_run(
		TOOL
		"csr --ip 192.0.2.1 soft.pem | openssl req -verify -noout 2>&1 | grep -q 'verify OK'");
	expect("show soft.pem", 0, "kept in:     file");
}

static void files_are_replaced_only_when_asked(void **state)
{
	(void)state;
	assert_int_equal(run("create --force p256.pem"), 0);
	harness_run("cp p256.pem before.pem");
	expect("create p256.pem", 1, "p256.pem is there already; --force replaces it");
	expect("csr --dns a.example p256.pem -o p256.pem", 1, "File exists; --force replaces it");
	harness_run("cmp p256.pem before.pem");
	assert_int_equal(run("create --force p256.pem"), 0);
	harness_run("! cmp -s p256.pem before.pem");
	expect("create /nonexistent/p256.pem", 1,
	       "cannot write beside /nonexistent/p256.pem: No such file");
	/* nothing half-done stays */
	harness_run("! ls *.pem.?????? 2>/dev/null");
}

static void usage_errors_say_what_is_wrong(void **state)
{
	(void)state;
	expect("", 2, "usage: tls-handoff key COMMAND");
	expect("frobnicate", 2, "there is no command \"key frobnicate\"");
	expect("--help", 0, "usage: tls-handoff key COMMAND");
	expect("create --help", 0, "usage: tls-handoff key create");
	expect("csr --help", 0, "usage: tls-handoff key csr");
	expect("show --help", 0, "usage: tls-handoff key show");
	expect("create", 2, "one FILE is wanted");
	expect("create a b", 2, "one FILE is wanted");
	expect("create --type dsa a.pem", 2, "--type is p256, p384 or rsa2048, not \"dsa\"");
	expect("create --parent 0x40000001 a.pem", 2, "--parent is");
	expect("create --parent x a.pem", 2, "--parent is");
	expect("create --frob a.pem", 2, "frob");
	expect("csr p256.pem", 2, "a request needs a name");
	expect("csr --subject nonsense p256.pem", 2, "--subject is not understood");
	expect("csr --dns 'a b' p256.pem", 2, "is no host name");
	expect("csr --dns a..b p256.pem", 2, "is no host name");
	expect("csr --dns '' p256.pem", 2, "is no host name");
	expect("csr --dns '*.' p256.pem", 2, "is no host name");
	expect("csr --dns 127.0.0.1 p256.pem", 2, "is an address: use --ip");
	expect("csr --ip a.example p256.pem", 2, "is no IPv4 or IPv6 address");
	expect("show", 2, "one KEY is wanted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_created_key_requests_a_certificate_that_openssl_verifies),
		cmocka_unit_test(a_created_key_is_one_for_the_openssl_provider),
		cmocka_unit_test(show_agrees_with_openssl),
		cmocka_unit_test(show_tells_why_a_key_does_not_load),
		cmocka_unit_test(a_module_of_the_tpm_library_will_do),
		cmocka_unit_test(a_persistent_parent_works),
		cmocka_unit_test(a_persistent_key_and_a_file_key_request_certificates_too),
		cmocka_unit_test(files_are_replaced_only_when_asked),
		cmocka_unit_test(usage_errors_say_what_is_wrong),
	};

	return cmocka_run_group_tests_name("keys.tool", tests, setup, teardown);
}
