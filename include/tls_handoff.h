/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-3-Clause */
/*
 * TLS on TCP sockets by tls_handoff(7), in a few calls. Header only: nothing to
 * link with. C99 or C++, libc and <linux/tls_handoff.h>.
 *
 * A new client:		fd = tls_handoff_connect("www.example", "443", why);
 * A new server:		fd = tls_handoff_listen(NULL, "8443", why);
 * A connected socket:		r = tls_handoff_client(fd, "www.example");
 * An accepted or listening one: r = tls_handoff_server(fd);
 *
 * Then send(), recv(), accept() as ever. Between enabling and starting, any option of
 * tls_handoff(7) may be set, by these functions or by setsockopt():
 *
 *	tls_handoff_enable(fd);
 *	tls_handoff_set_alpn(fd, "h2,http/1.1");
 *	r = tls_handoff_client(fd, "www.example");
 *
 * What can fail returns 0 (or what it says) or a negative errno of tls_handoff(7), and
 * tls_handoff_why() has the reason as a sentence. No function closes a socket that it
 * did not open, keeps a pointer it was given, or has a state of its own: threads may
 * use them at will. On a non-blocking socket nothing here blocks, except that
 * tls_handoff_connect() and _listen() look up names and tls_handoff_wait() waits.
 *
 * With -std=c99 define _POSIX_C_SOURCE as 200112L or more, for getaddrinfo().
 */
#ifndef TLS_HANDOFF_H
#define TLS_HANDOFF_H

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/tls_handoff.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Size of a buffer for a sentence, with its NUL */
#define TLS_HANDOFF_WHY (TLS_HANDOFF_MAX_ERROR + 1)

/* TCP_ULP; <netinet/tcp.h> and <linux/tcp.h> cannot both be included */
#define TLS_HANDOFF_TCP_ULP 31

/* -errno after a failure, in words that let a compiler know that it is negative */
static inline int tls_handoff_failed(void)
{
	return errno > 0 ? -errno : -EIO;
}

/**
 * tls_handoff_enable() - make a TCP socket one whose TLS options can be set
 * @fd: connected or listening; what is sent and received stays plain until it is started
 *
 * Return: 0, also if it was enabled before; -ENOENT: the module is not loaded;
 * -ENOTCONN: neither connected nor listening; -EEXIST: it has another upper layer
 * protocol; -EOPNOTSUPP, -ENOPROTOOPT: it is not plain TCP.
 */
static inline int tls_handoff_enable(int fd)
{
	struct tls_handoff_info info;
	socklen_t size = sizeof(info);
	int error;

	if (!setsockopt(fd, IPPROTO_TCP, TLS_HANDOFF_TCP_ULP, TLS_HANDOFF_ULP,
			sizeof(TLS_HANDOFF_ULP) - 1))
		return 0;
	error = errno;
	if (error == EEXIST && !getsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_INFO, &info, &size))
		return 0;
	return -error;
}

/**
 * tls_handoff_available() - can this kernel do it?
 *
 * Opens a socket and closes it. A caller with CAP_NET_ADMIN has the module loaded by
 * this. Whether tlshd runs is seen when something is started: -ESRCH.
 *
 * Return: 0; -ENOENT: the module is not loaded; or what socket(2) failed with.
 */
static inline int tls_handoff_available(void)
{
	int fd, r;

	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* The kernel looks for the module first, and then at the socket */
	r = tls_handoff_enable(fd);
	close(fd);
	return r == -ENOTCONN ? 0 : r;
}

/**
 * tls_handoff_set_string() - set an option that is a string
 * @fd: enabled, not started
 * @option: TLS_HANDOFF_PROFILE, _PEER_NAME or _PSK_IDENTITY
 * @value: "" takes it back
 *
 * Return: 0; -EINVAL: too long; -EBUSY: it was started.
 */
static inline int tls_handoff_set_string(int fd, int option, const char *value)
{
	int r = setsockopt(fd, SOL_TLS_HANDOFF, option, value, (socklen_t)strlen(value));

	return r ? -errno : 0;
}

/**
 * tls_handoff_set_number() - set an option that is a number
 * @fd: enabled, not started
 * @option: TLS_HANDOFF_AUTH, _CLIENT_CERT, _MIN_VERSION, _MAX_VERSION, _TIMEOUT
 *	(milliseconds), _RESUME or _ACCEPT_READY
 * @value: as tls_handoff(7) says
 *
 * Return: 0; -EINVAL: not a value of this option; -EBUSY: it was started.
 */
static inline int tls_handoff_set_number(int fd, int option, unsigned int value)
{
	__u16 narrow = (__u16)value;
	__u32 wide = value;
	int r;

	if (option == TLS_HANDOFF_MIN_VERSION || option == TLS_HANDOFF_MAX_VERSION)
		r = setsockopt(fd, SOL_TLS_HANDOFF, option, &narrow, sizeof(narrow));
	else
		r = setsockopt(fd, SOL_TLS_HANDOFF, option, &wide, sizeof(wide));
	return r ? -errno : 0;
}

/**
 * tls_handoff_set_alpn() - set the application protocols, preferred one first
 * @fd: enabled, not started
 * @names: as "h2,http/1.1"; "" takes them back
 *
 * Return: 0; -EINVAL: an empty or too long name, or too many; -EBUSY: it was started.
 */
static inline int tls_handoff_set_alpn(int fd, const char *names)
{
	char wire[TLS_HANDOFF_MAX_ALPN + 1];
	size_t length = strlen(names), from = 0, i;
	int r;

	if (length + 1 > sizeof(wire))
		return -EINVAL;
	/* Every name goes one byte further, behind its length */
	for (i = 0; length && i <= length; i++) {
		if (i < length && names[i] != ',') {
			wire[i + 1] = names[i];
			continue;
		}
		if (i == from || i - from > TLS_HANDOFF_MAX_ALPN_NAME)
			return -EINVAL;
		wire[from] = (char)(i - from);
		from = i + 1;
	}
	r = setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_ALPN, wire, (socklen_t)from);
	return r ? -errno : 0;
}

/**
 * tls_handoff_get_string() - read a string
 * @fd: enabled
 * @option: TLS_HANDOFF_PEER_IDENTITY, _SERVER_NAME, _ERROR, _ALPN (the one that was
 *	chosen, once the handshake is over), _PROFILE, _PEER_NAME or _PSK_IDENTITY
 * @value: gets the string and a NUL; untouched on failure
 * @size: of @value in bytes; TLS_HANDOFF_MAX_IDENTITY + 1 is enough for each
 *
 * Return: its length without the NUL; -ENOTCONN: no handshake has succeeded yet;
 * -ENODATA: there is none; -ERANGE: @value is too small.
 */
static inline int tls_handoff_get_string(int fd, int option, char *value, size_t size)
{
	socklen_t length = (socklen_t)size - 1;

	if (!size)
		return -ERANGE;
	if (getsockopt(fd, SOL_TLS_HANDOFF, option, value, &length))
		return tls_handoff_failed();
	value[length] = '\0';
	return (int)length;
}

/**
 * tls_handoff_get_info() - state, version, cipher, errors, counters
 * @fd: enabled
 * @info: filled; what an older kernel does not know is 0
 *
 * Return: 0; -ENOPROTOOPT: it is not enabled.
 */
static inline int tls_handoff_get_info(int fd, struct tls_handoff_info *info)
{
	struct tls_handoff_info got;
	socklen_t size = sizeof(got);

	memset(&got, 0, sizeof(got));
	if (getsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_INFO, &got, &size))
		return tls_handoff_failed();
	*info = got;
	return 0;
}

/**
 * tls_handoff_why() - the reason of a failure as a sentence
 * @fd: the socket, or -1 if there is none
 * @error: what a function here returned, or the errno of recv() or send()
 * @why: TLS_HANDOFF_WHY bytes; always gets a sentence and a NUL. It may quote what the
 *	peer sent; control characters are escaped
 */
static inline void tls_handoff_why(int fd, int error, char *why)
{
	error = error < 0 ? -error : error;
	if (fd >= 0 && tls_handoff_get_string(fd, TLS_HANDOFF_ERROR, why, TLS_HANDOFF_WHY) > 0)
		return;
	if (error == ENOENT)
		snprintf(why, TLS_HANDOFF_WHY, "the kernel module tls_handoff is not loaded");
	else
		snprintf(why, TLS_HANDOFF_WHY, "%s", strerror(error));
}

/**
 * tls_handoff_start() - start TLS, or ask how it goes
 * @fd: connected or listening, enabled, with all options set
 * @role: TLS_HANDOFF_CLIENT or TLS_HANDOFF_SERVER
 *
 * On a blocking socket this waits for the end of the handshake, and goes on waiting
 * after a signal. On a non-blocking one it returns -EINPROGRESS: when the socket has
 * become writable, call it again. A listening one is started once, and at once.
 *
 * Return: 0: the connection is secured, or the listener started; -EINPROGRESS: not yet;
 * else why it failed, and nothing can be sent or received any more: -EKEYREJECTED the
 * peer was refused, -ESRCH no tlshd, -EINVAL a client without a name (and the socket is
 * as before); tls_handoff(7) has the others.
 */
static inline int tls_handoff_start(int fd, unsigned int role)
{
	__u32 value = role;
	int r;

	do
		r = setsockopt(fd, SOL_TLS_HANDOFF, TLS_HANDOFF_START, &value, sizeof(value));
	while (r && errno == EINTR);
	if (!r || errno == EISCONN)
		return 0;
	return errno == EALREADY ? -EINPROGRESS : -errno;
}

/**
 * tls_handoff_wait() - wait for the end of a handshake
 * @fd: started; blocking or not, connected, or accepted from a listener that was started
 * @timeout: milliseconds, -1 for as long as the handshake may take
 *
 * In a program with an event loop wait there for writable, and call this with 0 then.
 *
 * Return: 0: secured; -EINPROGRESS: @timeout is over; -EINTR: a signal; both leave the
 * handshake running; else why it failed.
 */
static inline int tls_handoff_wait(int fd, int timeout)
{
	struct tls_handoff_info info;
	struct pollfd wanted;
	int r;

	wanted.fd = fd;
	wanted.events = POLLOUT;
	wanted.revents = 0;
	if (poll(&wanted, 1, timeout) < 0)
		return -errno;
	r = tls_handoff_get_info(fd, &info);
	if (r)
		return r;
	switch (info.state) {
	case TLS_HANDOFF_STATE_IDLE:
		return -ENOTCONN;
	case TLS_HANDOFF_STATE_HANDSHAKE:
		return -EINPROGRESS;
	case TLS_HANDOFF_STATE_FAILED:
		return -info.error;
	default:
		return 0;
	}
}

/**
 * tls_handoff_client() - secure a connected socket as its client
 * @fd: connected; blocking or not
 * @name: whom to expect, as "www.example" or "192.0.2.1"; NULL if TLS_HANDOFF_PEER_NAME is
 *	set already, or TLS_HANDOFF_AUTH asks for no certificate
 *
 * Return: as tls_handoff_enable() and tls_handoff_start(). -EINPROGRESS: when it is
 * writable, tls_handoff_wait(@fd, 0).
 */
static inline int tls_handoff_client(int fd, const char *name)
{
	int r = tls_handoff_enable(fd);

	if (!r && name)
		r = tls_handoff_set_string(fd, TLS_HANDOFF_PEER_NAME, name);
	return r ? r : tls_handoff_start(fd, TLS_HANDOFF_CLIENT);
}

/**
 * tls_handoff_server() - secure an accepted socket, or all that a listening one accepts
 * @fd: accepted, blocking or not; or listening
 *
 * What a listener accepts is in its handshake: sending and receiving wait for it, or
 * tls_handoff_wait() does. With TLS_HANDOFF_ACCEPT_READY set before, accept() returns
 * only what has done it.
 *
 * Return: as tls_handoff_enable() and tls_handoff_start().
 */
static inline int tls_handoff_server(int fd)
{
	int r = tls_handoff_enable(fd);

	return r ? r : tls_handoff_start(fd, TLS_HANDOFF_SERVER);
}

/* @host without what only routing needs: the zone of an address, the root's dot */
static inline int tls_handoff_name_of(const char *host, char *name, size_t size)
{
	size_t length = strcspn(host, "%");

	if (length > 1 && host[length - 1] == '.')
		length--;
	if (length >= size)
		return -EINVAL;
	memcpy(name, host, length);
	name[length] = '\0';
	return 0;
}

/* Connects @address, or listens on it */
static inline int tls_handoff_open(const struct addrinfo *address, int listening)
{
	const int on = 1, off = 0;
	int fd, error;

	fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
	if (fd < 0)
		return -errno;
	if (!listening && !connect(fd, address->ai_addr, address->ai_addrlen))
		return fd;
	if (listening && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	    (address->ai_family != AF_INET6 ||
	     !setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off))) &&
	    !bind(fd, address->ai_addr, address->ai_addrlen) && !listen(fd, SOMAXCONN))
		return fd;
	error = errno;
	close(fd);
	return -error;
}

/*
 * The first address of @host with which it works. A listener takes IPv6 with IPv4 in it,
 * and another address only if this machine has not the first one.
 */
static inline int tls_handoff_tcp(const char *host, const char *port, int listening, char *why)
{
	struct addrinfo hints, *addresses, *address;
	int pass, error, r = -EADDRNOTAVAIL;

	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_protocol = IPPROTO_TCP;
	hints.ai_flags = listening ? AI_PASSIVE : 0;
	error = getaddrinfo(host, port, &hints, &addresses);
	if (error) {
		r = error == EAI_SYSTEM ? tls_handoff_failed() : -EHOSTUNREACH;
		snprintf(why, TLS_HANDOFF_WHY, "%s", gai_strerror(error));
		return r;
	}
	for (pass = listening ? 0 : 1; pass < 2; pass++)
		for (address = addresses; address; address = address->ai_next) {
			if (!pass && address->ai_family != AF_INET6)
				continue;
			r = tls_handoff_open(address, listening);
			if (r >= 0 || (listening && r != -EAFNOSUPPORT && r != -EADDRNOTAVAIL))
				goto done;
		}
done:
	freeaddrinfo(addresses);
	if (r < 0)
		snprintf(why, TLS_HANDOFF_WHY, "%s", strerror(-r));
	return r;
}

/**
 * tls_handoff_connect() - connect to a server by name, with TLS
 * @host: name or address; the server's certificate must be for it
 * @port: number or service, as "443" or "https"
 * @why: TLS_HANDOFF_WHY bytes; on failure gets the reason as a sentence
 *
 * Waits for the handshake. Profile and options are the default ones.
 *
 * Return: a socket, blocking and close-on-exec, which the caller closes; -EHOSTUNREACH:
 * no such host, or none that is reached; what connect(2) failed with; or as
 * tls_handoff_client().
 */
static inline int tls_handoff_connect(const char *host, const char *port, char *why)
{
	char name[TLS_HANDOFF_MAX_PEER_NAME + 1];
	int fd, r;

	fd = tls_handoff_tcp(host, port, 0, why);
	if (fd < 0)
		return fd;
	r = tls_handoff_name_of(host, name, sizeof(name));
	if (!r)
		r = tls_handoff_client(fd, name);
	if (!r)
		return fd;
	tls_handoff_why(fd, r, why);
	close(fd);
	return r;
}

/**
 * tls_handoff_listen() - listen for TLS connections
 * @host: address to listen on, NULL for all
 * @port: number or service
 * @why: TLS_HANDOFF_WHY bytes; on failure gets the reason as a sentence
 *
 * accept() returns connections that are ready; those that fail in the handshake are
 * dropped and counted. Profile and options are the default ones.
 *
 * Return: a listening socket, blocking and close-on-exec, which the caller closes; what
 * bind(2) or listen(2) failed with; or as tls_handoff_server().
 */
static inline int tls_handoff_listen(const char *host, const char *port, char *why)
{
	int fd, r;

	fd = tls_handoff_tcp(host, port, 1, why);
	if (fd < 0)
		return fd;
	r = tls_handoff_enable(fd);
	if (!r)
		r = tls_handoff_set_number(fd, TLS_HANDOFF_ACCEPT_READY, 1);
	if (!r)
		r = tls_handoff_server(fd);
	if (!r)
		return fd;
	tls_handoff_why(fd, r, why);
	close(fd);
	return r;
}

#ifdef __cplusplus
}
#endif

#endif /* TLS_HANDOFF_H */
