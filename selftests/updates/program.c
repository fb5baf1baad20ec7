// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program with a handed-off socket: threads that send in every way there is, one
 * that receives in every way there is, and a new sending key (TLS_HANDOFF_REKEY) as
 * often as its options say. It knows nothing else about TLS; whatever goes wrong with
 * the keys must never reach it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "handoff.h"
#include "options.h"
#include "senders.h"
#include "stream.h"

#define SHARED_MESSAGE	16000	/* bytes; what several threads send must stay together */

static struct options options;
static int fd;
static struct stream_check input;

/* How far the sending threads are, all together */
static struct {
	pthread_mutex_t mutex;
	uint64_t bytes;
	uint64_t generation;	/* of the sending key at the last REKEY */
	uint64_t last;		/* milliseconds, when that was */
	unsigned int rekeys;
	bool input_complete;	/* all streams from the other side ended */
	pthread_cond_t completed;
} output = { .mutex = PTHREAD_MUTEX_INITIALIZER, .completed = PTHREAD_COND_INITIALIZER,
	     .generation = (uint64_t)-1 };

/* What is known at the end, also of an unhappy one */
static void say_all(void)
{
	handoff_say(fd);
	printf("rekeys=%u\nbytes_sent=%llu\nbytes_received=%llu\n", output.rekeys,
	       (unsigned long long)output.bytes, (unsigned long long)input.bytes);
	fflush(stdout);
}

/* The earliest moment for the next key, where the other side cannot take them faster */
static void keep_the_pace(void)
{
	uint64_t next = output.last + options.pause;
	struct timespec then = { .tv_sec = next / 1000, .tv_nsec = next % 1000 * 1000000 };

	if (options.pause)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL);
}

/* Never a second wish before the first is fulfilled: the two would be one. */
static void rekey(void)
{
	uint64_t generation = handoff_info(fd).tx_generation;

	if (generation == output.generation)
		return;
	keep_the_pace();
	output.generation = generation;
	handoff_rekey(fd);
	output.last = now_ms();
	output.rekeys++;
}

/* @bytes more were sent; a new key whenever its place is reached */
static void account(size_t bytes)
{
	pthread_mutex_lock(&output.mutex);
	output.bytes += bytes;
	if (output.rekeys < options.updates &&
	    output.bytes >= options.bytes * (output.rekeys + 1) / (options.updates + 1))
		rekey();
	pthread_mutex_unlock(&output.mutex);
}

struct writer {
	pthread_t thread;
	struct sender sender;
	struct stream stream;
	uint64_t bytes;		/* that it has to send */
};

static struct writer writers[STREAMS];

static void send_message(struct writer *writer, size_t size)
{
	stream_message(&writer->stream, sender_message(&writer->sender), size);
	sender_send(&writer->sender, size);
	account(size - sizeof(struct stream_header));
}

static void *write_stream(void *arg)
{
	struct writer *writer = arg;
	size_t max = options.threads > 1 ? SHARED_MESSAGE : STREAM_MESSAGE, size;
	uint64_t rest, count = writer->stream.number;

	while ((rest = writer->bytes - writer->stream.position)) {
		size = stream_size(count, max);
		if (size - sizeof(struct stream_header) > rest)
			size = rest + sizeof(struct stream_header);
		send_message(writer, size);
		count += STREAMS;
	}
	return NULL;
}

/* What is missing of the new keys, then the ends of all streams */
static void finish_streams(void)
{
	struct stream_header end;

	while (output.rekeys < options.updates)
		send_message(&writers[0], sizeof(end) + 1);
	for (unsigned int i = 0; i < options.threads; i++) {
		stream_end(&writers[i].stream, &end);
		if (send(fd, &end, sizeof(end), MSG_NOSIGNAL) != sizeof(end))
			give_up("send() of a stream's end", errno);
		sender_close(&writers[i].sender);
	}
}

static void take(const char *data, ssize_t size)
{
	if (stream_check(&input, data, size))
		give_up(input.wrong, 0);
}

static ssize_t by_recv(char *data, size_t size)
{
	return recv(fd, data, size, 0);
}

static ssize_t in_small_pieces(char *data, size_t size)
{
	return recv(fd, data, 1 + size % 1009, 0);
}

static ssize_t by_poll(char *data, size_t size)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t ret;

	/* Readable may turn out to have been a record that is not the program's */
	do {
		if (poll(&pfd, 1, -1) != 1)
			give_up("poll()", errno);
		ret = recv(fd, data, size, MSG_DONTWAIT);
	} while (ret < 0 && errno == EAGAIN);
	return ret;
}

static ssize_t after_a_look(char *data, size_t size)
{
	static char ahead[STREAM_MESSAGE];
	ssize_t seen, ret;

	seen = recv(fd, ahead, size, MSG_PEEK);
	if (seen <= 0)
		return seen;
	ret = recv(fd, data, seen, MSG_WAITALL);
	if (ret == seen && memcmp(ahead, data, seen))
		give_up("recv() gave other bytes than MSG_PEEK before it", 0);
	return ret;
}

static ssize_t through_a_pipe(char *data, size_t size)
{
	static int ends[2];
	ssize_t ret;

	if (!ends[1] && pipe2(ends, O_CLOEXEC))
		give_up("pipe2", errno);
	ret = splice(fd, NULL, ends[1], NULL, size, 0);
	return ret > 0 ? read(ends[0], data, size) : ret;
}

/* Until the end of file */
static void *read_streams(void *arg)
{
	static ssize_t (*const ways[])(char *data, size_t size) = {
		by_recv, by_poll, by_recv, in_small_pieces, by_recv, after_a_look, by_recv,
		through_a_pipe,
	};
	static char data[STREAM_MESSAGE];
	ssize_t ret;

	for (uint64_t count = 0;; count++) {
		ret = ways[count % 8](data, stream_size(count, sizeof(data)));
		if (ret < 0)
			give_up("receiving", errno);
		if (!ret)
			return NULL;
		take(data, ret);
		if (input.complete && !output.input_complete) {
			pthread_mutex_lock(&output.mutex);
			output.input_complete = true;
			pthread_cond_signal(&output.completed);
			pthread_mutex_unlock(&output.mutex);
		}
	}
}

static void start_thread(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	int err = pthread_create(thread, NULL, run, arg);

	if (err)
		give_up("pthread_create", err);
}

static void send_streams(void)
{
	for (unsigned int i = 0; i < options.threads; i++) {
		struct writer *writer = &writers[i];

		sender_open(&writer->sender, fd, options.senders);
		writer->sender.turn = i;
		writer->stream.number = i;
		writer->stream.streams = options.threads;
		writer->bytes = options.bytes / options.threads;
		start_thread(&writer->thread, write_stream, writer);
	}
	for (unsigned int i = 0; i < options.threads; i++)
		pthread_join(writers[i].thread, NULL);
	finish_streams();
	pthread_mutex_lock(&output.mutex);
	while (!output.input_complete && !options.half_close)
		pthread_cond_wait(&output.completed, &output.mutex);
	pthread_mutex_unlock(&output.mutex);
	if (shutdown(fd, SHUT_WR))
		give_up("shutdown()", errno);
}

int main(int argc, char **argv)
{
	pthread_t reader;
	uint64_t start;

	options_parse(&options, argc, argv);
	if (!options.threads || options.threads > STREAMS)
		give_up("--threads: 1 to 8", 0);
	fd = options_connect(&options);
	last_words = say_all;
	handoff_start(fd, &options);
	start = now_ms();
	start_thread(&reader, read_streams, NULL);
	send_streams();
	pthread_join(reader, NULL);
	if (!input.complete)
		give_up("the other side closed before its streams ended", 0);
	say_all();
	printf("milliseconds=%llu\n", (unsigned long long)(now_ms() - start));
	return 0;
}
