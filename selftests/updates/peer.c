// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a peer, whatever its library: full duplex over one socket that never
 * blocks. Ends with 0 if all it received was right and everything ended in order.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "peer.h"
#include "stream.h"

#define READS		4	/* in a row, before it is writing's turn again */
#define LAST_WORDS	5000	/* milliseconds that the other side's alert may take */

/* What is being sent */
struct output {
	char message[STREAM_MESSAGE];
	size_t size, done;	/* of it */
	struct stream stream;
	uint64_t messages;
	uint64_t last_update;	/* milliseconds */
	bool renegotiated;	/* or tried to */
	bool ended;		/* the stream; its last message was written */
	bool closed;		/* close_notify went out */
};

static struct stream_check input;
static struct output output;
static bool input_closed;

static void failed(struct peer *peer, const char *doing)
{
	char words[256];

	printf("alert=%d\nsent=%u\nreceived=%u\nbytes_sent=%llu\nbytes_received=%llu\n",
	       peer->alert, peer->sent, peer->received,
	       (unsigned long long)output.stream.position, (unsigned long long)input.bytes);
	snprintf(words, sizeof(words), "%s: %s, alert %d", doing,
		 peer->wrong ? peer->wrong : "no reason given", peer->alert);
	give_up(words, 0);
}

/* What the other side had to say before it stopped listening */
static void failed_writing(const struct peer_library *library, struct peer *peer)
{
	struct pollfd pfd = { .fd = peer->fd, .events = POLLIN };
	const char *wrong = peer->wrong;
	static char data[STREAM_MESSAGE];
	ssize_t ret;

	while (!input_closed && ((ret = library->read(peer, data, sizeof(data))) > 0 ||
				 ret == -EAGAIN))
		if (ret == -EAGAIN && poll(&pfd, 1, LAST_WORDS) != 1)
			break;
	if (peer->alert < 0)
		peer->wrong = wrong;
	failed(peer, "writing");
}

/* The next KeyUpdate belongs behind that many bytes: they are spread over all of them. */
static uint64_t update_place(const struct peer *peer)
{
	if (peer->options->at_once)
		return 0;
	return peer->options->bytes * (peer->updates + 1) / (peer->options->updates + 1);
}

static bool update_is_due(const struct peer *peer)
{
	return peer->updates < peer->options->updates &&
	       output.stream.position >= update_place(peer) &&
	       (output.ended || !peer->options->at_end);
}

/* Milliseconds until the next update may come, if it is due */
static uint64_t pause_left(const struct peer *peer)
{
	uint64_t since = now_ms() - output.last_update;

	return update_is_due(peer) && since < peer->options->pause ? peer->options->pause - since :
								     0;
}

static bool renegotiation_is_due(const struct peer *peer)
{
	return peer->options->renegotiates && !output.renegotiated &&
	       output.stream.position >= peer->options->bytes / 2;
}

/* Every other one asks for an answer. */
static int update(const struct peer_library *library, struct peer *peer)
{
	bool request = peer->options->only_requests ||
		       (!peer->options->no_requests && peer->updates % 2 == 0);
	int err = library->update(peer, request);

	if (!err) {
		peer->updates++;
		peer->requested += request;
		output.last_update = now_ms();
	}
	return err;
}

static void next_message(struct peer *peer)
{
	uint64_t rest = peer->options->bytes - output.stream.position;

	output.done = 0;
	if (!rest) {
		output.size = sizeof(struct stream_header);
		stream_end(&output.stream, (struct stream_header *)output.message);
		output.ended = true;
		return;
	}
	output.size = stream_size(output.messages++, sizeof(output.message));
	if (output.size - sizeof(struct stream_header) > rest)
		output.size = rest + sizeof(struct stream_header);
	stream_message(&output.stream, output.message, output.size);
}

/* True: it did something. */
static bool write_some(const struct peer_library *library, struct peer *peer)
{
	ssize_t ret;

	if (output.closed)
		return false;
	if (output.done == output.size && output.ended && !update_is_due(peer)) {
		/* Nothing may be missing of what the other side says until then. */
		if (!input.complete && !peer->options->half_close)
			return false;
		ret = library->close(peer);
		output.closed = !ret;
	} else if (output.done == output.size && update_is_due(peer)) {
		if (pause_left(peer))
			return false;
		ret = update(library, peer);
	} else if (output.done == output.size && renegotiation_is_due(peer)) {
		ret = library->renegotiate(peer);
		output.renegotiated = ret != -EAGAIN;
	} else {
		if (output.done == output.size)
			next_message(peer);
		ret = library->write(peer, output.message + output.done, output.size - output.done);
		if (ret > 0)
			output.done += ret;
	}
	if (ret < 0 && ret != -EAGAIN)
		failed_writing(library, peer);
	return ret >= 0;
}

static bool read_some(const struct peer_library *library, struct peer *peer)
{
	static char data[STREAM_MESSAGE];
	bool any = false;
	ssize_t ret;

	if (peer->options->reads_last && !output.ended)
		return false;
	for (int i = 0; i < READS && !input_closed; i++) {
		ret = library->read(peer, data, sizeof(data));
		if (ret == -EAGAIN)
			break;
		if (ret < 0)
			failed(peer, "reading");
		any = true;
		input_closed = !ret;
		if (stream_check(&input, data, ret)) {
			peer->wrong = input.wrong;
			failed(peer, "received");
		}
	}
	return any;
}

/* What is waited for; 0: only for the time of an update */
static unsigned int wanted_events(const struct peer *peer)
{
	bool written = output.done == output.size;
	unsigned int events = peer->wants_out ? POLLOUT : 0;

	if (!input_closed && (!peer->options->reads_last || output.ended))
		events |= POLLIN;
	if (!output.closed && !(written && output.ended && !input.complete) &&
	    !(written && pause_left(peer)))
		events |= POLLOUT;
	return events;
}

/* Until the socket can do something, or it is time for an update. */
static void wait_for_socket(struct peer *peer)
{
	struct pollfd pfd = { .fd = peer->fd, .events = wanted_events(peer) };
	bool paused = !output.closed && output.done == output.size && pause_left(peer);
	int timeout = paused ? (int)pause_left(peer) : -1;
	struct epoll_event event;
	int ret;

	if (peer->edges)
		ret = epoll_wait(peer->edges, &event, 1, timeout);
	else
		ret = poll(&pfd, 1, timeout);
	if (ret < 0)
		give_up("poll", errno);
}

/* Told once of each change: whoever waits must have met EAGAIN before. */
static void watch_edges(struct peer *peer)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };

	peer->edges = epoll_create1(EPOLL_CLOEXEC);
	if (peer->edges < 0 || epoll_ctl(peer->edges, EPOLL_CTL_ADD, peer->fd, &event))
		give_up("epoll", errno);
}

int peer_main(const struct peer_library *library, int argc, char **argv)
{
	struct peer peer = { .alert = -1 };
	struct options options;
	uint64_t start;

	options_parse(&options, argc, argv);
	peer.options = &options;
	peer.fd = options_connect(&options);
	output.stream.streams = 1;
	if (library->handshake(&peer))
		failed(&peer, "handshake");
	if (fcntl(peer.fd, F_SETFL, O_NONBLOCK))
		give_up("fcntl", errno);
	if (options.edges)
		watch_edges(&peer);
	start = now_ms();
	while (!input_closed || !output.closed) {
		bool wrote = write_some(library, &peer), read = read_some(library, &peer);

		if (!wrote && !read)
			wait_for_socket(&peer);
	}
	if (!input.complete)
		give_up("the other side closed before its streams ended", 0);
	printf("library=%s\nupdates=%u\nsent=%u\nreceived=%u\nrequested=%u\nbytes_sent=%llu\n"
	       "bytes_received=%llu\nalert=%d\nmilliseconds=%llu\n",
	       library->name, peer.updates, peer.sent, peer.received, peer.requested,
	       (unsigned long long)output.stream.position, (unsigned long long)input.bytes,
	       peer.alert, (unsigned long long)(now_ms() - start));
	return 0;
}
