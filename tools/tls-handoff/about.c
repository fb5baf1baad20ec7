// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /proc/net/tls_handoff_stat and what tlshd answers.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "about.h"
#include "command.h"

#define COUNTERS      "/proc/net/tls_handoff_stat"
#define LIMITS	      "/proc/sys/net/tls_handoff/"
#define TLSHD_TIMEOUT 2000 /* milliseconds; a session handler that is busy is done without */

static void read_counters(struct about *about)
{
	FILE *file = fopen(COUNTERS, "re");

	if (!file)
		return;
	about->module = true;
	while (about->counter_count < ABOUT_MAX_COUNTERS) {
		struct about_counter *counter = &about->counters[about->counter_count];

		if (fscanf(file, "%39s %" SCNu64, counter->name, &counter->value) != 2)
			break;
		about->counter_count++;
	}
	fclose(file);
}

static uint64_t read_limit(const char *path)
{
	FILE *file = fopen(path, "re");
	uint64_t limit = 0;

	if (file && fscanf(file, "%" SCNu64, &limit) != 1)
		limit = 0;
	if (file)
		fclose(file);
	return limit;
}

static void take_line(const char *name, const char *value, void *data)
{
	struct about_lines *lines = data;

	if (lines->count == ABOUT_MAX_LINES)
		return;
	snprintf(lines->line[lines->count].name, sizeof(lines->line[0].name), "%s", name);
	snprintf(lines->line[lines->count].value, sizeof(lines->line[0].value), "%s", value);
	lines->count++;
}

static int ask(const char *request, unsigned int timeout, struct control_answer *answer,
	       struct about_lines *lines)
{
	int r = control_request(request, timeout, answer);

	if (r == 0)
		r = control_lines(answer, take_line, lines);
	if (r < 0)
		lines->count = 0;
	return r;
}

struct about *about_new(const char *request)
{
	struct about *about = calloc(1, sizeof(*about));

	if (!about)
		return NULL;
	read_counters(about);
	about->max_pending = read_limit(LIMITS "max_pending");
	about->max_pending_per_user = read_limit(LIMITS "max_pending_per_user");
	/* Without its session handler tlshd is worth telling of all the same. */
	if (ask("tickets show", TLSHD_TIMEOUT, &about->answer, &about->handler) != -ESRCH)
		about->error = ask(request, TLSHD_TIMEOUT, &about->answer, &about->tlshd);
	else
		about->error = -ESRCH;
	return about;
}

void about_free(struct about *about)
{
	free(about);
}

uint64_t about_counter(const struct about *about, const char *name)
{
	for (int i = 0; i < about->counter_count; i++)
		if (!strcmp(about->counters[i].name, name))
			return about->counters[i].value;
	return 0;
}

const char *about_value(const struct about_lines *lines, const char *name)
{
	for (int i = 0; i < lines->count; i++)
		if (!strcmp(lines->line[i].name, name))
			return lines->line[i].value;
	return "";
}

uint64_t about_number(const struct about_lines *lines, const char *name)
{
	return strtoull(about_value(lines, name), NULL, 10);
}

uint64_t about_sum(const struct about_lines *lines, const char *prefix)
{
	uint64_t sum = 0;

	for (int i = 0; i < lines->count; i++)
		if (!strncmp(lines->line[i].name, prefix, strlen(prefix)))
			sum += strtoull(lines->line[i].value, NULL, 10);
	return sum;
}

int about_missing(const struct about *about, const char *command)
{
	int status = EXIT_DONE;

	if (!about->module)
		status = command_kernel_failed(command, -ENOENT);
	if (about->error) {
		int other = command_failed(command, about->error, &about->answer);

		status = status ? status : other;
	}
	return status;
}
