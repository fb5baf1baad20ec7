/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be done with a session fd (tls_handoff.ko's contract with the agent),
 * one function for each.  None of them waits.
 */
#ifndef TLSHD_AGENT_SESSION_FD_H
#define TLSHD_AGENT_SESSION_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct handshake;

/*
 * Makes a consumer's socket one of the module's, as profile, peer_name, timeout and role of
 * @handshake say; it has a session fd and an id then.  0 or -errno.
 */
int session_fd_adopt(int socket, const struct handshake *handshake, int *ret_fd, uint64_t *ret_id);
/* Without the module: the socket itself serves as session fd during the handshake.  0 or -errno. */
int session_fd_attach_tls(int socket);

/* The byte stream of the handshake.  Bytes moved, 0: end of file, -EAGAIN, -errno. */
ssize_t session_fd_read(int fd, void *buffer, size_t size);
ssize_t session_fd_write(int fd, const void *data, size_t length);

/* Installs bulk keys for @direction (enum channel_keys_direction). 0 or -errno. */
int session_fd_set_keys(int fd, uint8_t direction, const void *crypto_info, size_t length);
int session_fd_set_max_payload(int fd, uint16_t max_payload);

/* One diverted record; its length, 0: end of file, -EAGAIN, -EMSGSIZE (it stays), -errno. */
ssize_t session_fd_receive(int fd, uint8_t *ret_type, void *buffer, size_t size);
/* Sends one record.  0, -EAGAIN, -errno. */
int session_fd_send(int fd, uint8_t type, const void *record, size_t length);
/* Sends a record and changes the sending key behind it.  0 or -errno. */
int session_fd_tx_update(int fd, uint8_t type, const void *record, size_t record_len,
			 const void *crypto_info, size_t crypto_info_len);
/* Gives receiving back to the host; @what is TLS_HANDOFF_CONTINUE_*. */
int session_fd_continue(int fd, uint32_t what);
/* Answers a program that asked for keying material; @error is positive, or 0 with data. */
int session_fd_exported(int fd, uint32_t request, uint32_t error, const void *data, size_t length);

#endif /* TLSHD_AGENT_SESSION_FD_H */
