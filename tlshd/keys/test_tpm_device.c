// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The TPM library, on a real swtpm that is reset or stops, and on peers that only
 * claim to be a TPM.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "scheme.h"
#include "tcti.h"
#include "test_harness.h"
#include "tpm_device.h"

static struct harness_tpm swtpm;
static const uint8_t digest[64] = "a digest";

static int setup(void **state)
{
	(void)state;
	setenv("TSS2_LOG", "all+none", 1);
	harness_enter_folder();
	harness_tpm_start(&swtpm, "tpm");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_tpm_kill(&swtpm);
	harness_leave_folder();
	return 0;
}

static struct tpm *open_tpm(void)
{
	struct keys_words words;
	struct tpm *tpm;

	if (tpm_open(swtpm.tcti, &tpm, &words) < 0)
		fail_msg("%s", words.text);
	return tpm;
}

static struct tpm_object create(struct tpm *tpm)
{
	struct tpm_object object;
	struct keys_words words;
	struct tss2_pem pem;

	if (tpm_create(tpm, KEYS_KIND_EC_P256, TPM2_RH_OWNER, &pem, &words) < 0 ||
	    tpm_object_from_pem(&pem, &object, &words) < 0)
		fail_msg("%s", words.text);
	return object;
}

static int sign(struct tpm *tpm, struct tpm_object *object, struct keys_words *words)
{
	uint8_t signature[KEYS_MAX_SIGNATURE];
	size_t length;

	words->text[0] = '\0';
	return tpm_sign(tpm, object, KEYS_SCHEME_ECDSA, digest, 32, signature, &length, words);
}

/* As if the TPM had been reset: what was loaded is gone, and ESYS does not know. */
static void flush_behind_its_back(struct tpm *tpm, ESYS_TR object)
{
	uint32_t command[] = { 0, 0, 0, 0 }, handle;
	uint8_t *bytes = (uint8_t *)command + 2, response[64];
	size_t size = sizeof(response);

	assert_int_equal(Esys_TR_GetTpmHandle(tpm->esys, object, &handle), 0);
	/* u16 tag, u32 size, u32 code, u32 handle */
	memcpy(bytes, "\x80\x01\x00\x00\x00\x0e\x00\x00\x01\x65", 10);
	handle = htobe32(handle);
	memcpy(bytes + 10, &handle, 4);
	assert_int_equal(Tss2_Tcti_Transmit(tpm->tcti, 14, bytes), 0);
	assert_int_equal(Tss2_Tcti_Receive(tpm->tcti, &size, response, -1), 0);
	assert_memory_equal(response + 6, "\0\0\0\0", 4);
}

static void a_key_that_the_tpm_lost_is_loaded_again(void **state)
{
	struct tpm *tpm = open_tpm();
	struct tpm_object object = create(tpm);
	struct keys_words words;

	(void)state;
	assert_int_equal(sign(tpm, &object, &words), 0);
	flush_behind_its_back(tpm, object.slot.handle);
	assert_int_equal(sign(tpm, &object, &words), 0);
	/* the parent as well */
	flush_behind_its_back(tpm, object.slot.handle);
	flush_behind_its_back(tpm, tpm->primaries[TPM_PRIMARY_ECC].handle);
	if (sign(tpm, &object, &words) < 0)
		fail_msg("%s", words.text);
	tpm_object_unload(tpm, &object);
	tpm_free(tpm);
}

static void no_more_is_loaded_than_there_are_places(void **state)
{
	enum { OBJECTS = 6 };
	struct tpm *tpm = open_tpm();
	struct tpm_object objects[OBJECTS];
	struct keys_words words;

	(void)state;
	for (int i = 0; i < OBJECTS; i++)
		objects[i] = create(tpm);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < OBJECTS; i++) {
			if (sign(tpm, &objects[i], &words) < 0)
				fail_msg("%s", words.text);
			assert_in_range(tpm->loaded_count, 1, TPM_PLACES);
		}
	}
	/* They come back without their parent, which left first. */
	assert_int_equal(tpm->primaries[TPM_PRIMARY_ECC].handle, ESYS_TR_NONE);
	assert_non_null(objects[0].slot.saved);
	/* What was saved before a reset is of no use; the file is. */
	objects[0].slot.saved->contextBlob.buffer[40] ^= 1;
	assert_int_equal(objects[0].slot.handle, ESYS_TR_NONE);
	if (sign(tpm, &objects[0], &words) < 0)
		fail_msg("%s", words.text);
	for (int i = 0; i < OBJECTS; i++)
		tpm_object_unload(tpm, &objects[i]);
	tpm_free(tpm);
	harness_run("test -z \"$(tpm2_getcap handles-transient)\"");
}

static void a_tpm_that_hangs_is_gone_after_its_deadline(void **state)
{
	struct tpm *tpm = open_tpm();
	struct tpm_object object = create(tpm);
	struct keys_words words;

	(void)state;
	assert_int_equal(sign(tpm, &object, &words), 0);
	tcti_set_deadline(tpm->tcti, 1);
	harness_tpm_pause(&swtpm);
	assert_int_equal(sign(tpm, &object, &words), -EIO);
	assert_non_null(strstr(words.text, "does not answer: no response in time"));
	harness_tpm_continue(&swtpm);
	/* Its late answer must not be taken for that to the next command. */
	assert_int_equal(sign(tpm, &object, &words), -EIO);
	assert_non_null(strstr(words.text, "no response in time"));
	tpm_object_unload(tpm, &object);
	tpm_free(tpm);
	harness_run("tpm2_flushcontext -t");
}

/* A peer that answers the first command with these bytes, in pieces of @step, then ends
 * (or not). */
struct impostor {
	int listener;
	const uint8_t *response;
	size_t length;
	size_t step;
	bool stay;
};

static void *impostor_thread(void *arg)
{
	const struct impostor *impostor = arg;
	uint8_t command[4096];
	int fd = accept(impostor->listener, NULL, NULL);
	struct pollfd closed = { .fd = fd, .events = POLLIN };

	if (fd < 0 || read(fd, command, sizeof(command)) <= 0)
		return NULL;
	for (size_t at = 0; at < impostor->length; at += impostor->step) {
		size_t length = impostor->length - at;

		if (send(fd, impostor->response + at,
			 length < impostor->step ? length : impostor->step, MSG_NOSIGNAL) < 0)
			break;
	}
	if (impostor->stay)
		poll(&closed, 1, 60000);
	close(fd);
	return NULL;
}

static int open_impostor(const void *response, size_t length, size_t step, bool stay,
			 struct keys_words *words)
{
	struct impostor impostor = {
		.response = response,
		.length = length,
		.step = step,
		.stay = stay,
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "impostor" };
	struct tpm *tpm = NULL;
	pthread_t thread;
	int ret;

	unlink(address.sun_path);
	impostor.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (impostor.listener < 0)
		fail_msg("no socket: %s", strerror(errno));
	assert_int_equal(bind(impostor.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(impostor.listener, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, impostor_thread, &impostor), 0);
	words->text[0] = '\0';
	ret = tpm_open("swtpm:path=impostor", &tpm, words);
	tpm_free(tpm);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(impostor.listener);
	return ret;
}

#define RESPONSE                                   \
	"\x80\x01\x00\x00\x00\x1b\x00\x00\x00\x00" \
	"\0"                                       \
	"\0\0\0\x06"                               \
	"\0\0\0\x01"                               \
	"\0\0\x01\x05"                             \
	"IBM"

static void an_answer_may_come_in_pieces(void **state)
{
	struct keys_words words;

	(void)state;
	if (open_impostor(RESPONSE, sizeof(RESPONSE), sizeof(RESPONSE), true, &words) < 0)
		fail_msg("%s", words.text);
	assert_int_equal(open_impostor(RESPONSE, sizeof(RESPONSE), 1, true, &words), 0);
	assert_int_equal(open_impostor(RESPONSE, sizeof(RESPONSE), 11, true, &words), 0);
}

static void every_truncated_answer_is_an_error(void **state)
{
	struct keys_words words;

	(void)state;
	for (size_t length = 0; length < sizeof(RESPONSE); length++) {
		assert_int_equal(open_impostor(RESPONSE, length, 64, false, &words), -EIO);
		assert_non_null(strstr(words.text, "does not answer: it closed the connection"));
	}
}

static void every_changed_byte_of_an_answer_is_survived(void **state)
{
	struct keys_words words;
	uint8_t response[sizeof(RESPONSE)];

	(void)state;
	for (size_t i = 0; i < sizeof(response); i++) {
		memcpy(response, RESPONSE, sizeof(response));
		response[i] ^= 0xff;
		if (open_impostor(response, sizeof(response), 64, false, &words) < 0)
			assert_true(words.text[0]);
	}
}

static void impossible_sizes_are_errors(void **state)
{
	struct keys_words words;
	uint8_t response[sizeof(RESPONSE) + 1] = RESPONSE;

	(void)state;
	assert_int_equal(open_impostor(response, sizeof(response), 64, true, &words), -EIO);
	assert_non_null(strstr(words.text, "more than a response"));
	memcpy(response + 2, "\x00\x00\x00\x09", 4);
	assert_int_equal(open_impostor(response, sizeof(response), 64, true, &words), -EIO);
	assert_non_null(strstr(words.text, "impossible size"));
	memcpy(response + 2, "\x00\x00\x10\x01", 4);
	assert_int_equal(open_impostor(response, sizeof(response), 64, true, &words), -EIO);
	assert_non_null(strstr(words.text, "impossible size"));
	memcpy(response + 2, "\xff\xff\xff\xff", 4);
	assert_int_equal(open_impostor(response, sizeof(response), 64, true, &words), -EIO);
	assert_non_null(strstr(words.text, "impossible size"));
}

static void tcti_strings_that_are_wrong_are_refused(void **state)
{
	static const struct {
		const char *tcti;
		const char *words;
	} wrong[] = {
		{ "swtpm:port=1,host=127.0.0.1", "no swtpm listens there: Connection refused" },
		{ "swtpm:speed=9", "\"speed=9\" is not host=, port= or path=" },
		{ "swtpm:path=/nowhere/at/all", "no swtpm listens there: No such file" },
		{ "device:/nowhere", "/nowhere: No such file" },
		{ "device:/dev/null", "it closed the connection" },
		{ "swtpmx", "tcti:" },
		{ "", "tcti:" },
	};
	struct keys_words words;
	struct tpm *tpm;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		words.text[0] = '\0';
		assert_int_not_equal(tpm_open(wrong[i].tcti, &tpm, &words), 0);
		if (!strstr(words.text, wrong[i].words))
			fail_msg("\"%s\" gives \"%s\"", wrong[i].tcti, words.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_that_the_tpm_lost_is_loaded_again),
		cmocka_unit_test(no_more_is_loaded_than_there_are_places),
		cmocka_unit_test(a_tpm_that_hangs_is_gone_after_its_deadline),
		cmocka_unit_test(an_answer_may_come_in_pieces),
		cmocka_unit_test(every_truncated_answer_is_an_error),
		cmocka_unit_test(every_changed_byte_of_an_answer_is_survived),
		cmocka_unit_test(impossible_sizes_are_errors),
		cmocka_unit_test(tcti_strings_that_are_wrong_are_refused),
	};

	return cmocka_run_group_tests_name("keys.tpm_device", tests, setup, teardown);
}
