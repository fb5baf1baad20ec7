/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tlshd and tlshd-keeper say to each other.
 *
 * tlshd to the keeper it started, on descriptor 3 (SOCK_SEQPACKET): packets of text,
 * "+NAME" with one descriptor to keep, "-NAME" to drop it.
 *
 * A tlshd that starts connects to the keeper's socket (SOCK_SEQPACKET, root only) and
 * gets "NAME" with one descriptor for each that is kept, then end of file; or "busy"
 * while the tlshd that the keeper belongs to is there.
 */
#ifndef TLSHD_KEEPER_PROTOCOL_H
#define TLSHD_KEEPER_PROTOCOL_H

#define KEEPER_FOLDER  "/run/tlshd" /* or TLSHD_RUNTIME_DIR */
#define KEEPER_SOCKET  "keeper"
#define KEEPER_BUSY    "busy"
#define KEEPER_NAME    32 /* bytes of a name, NUL included */
#define KEEPER_MAX     16 /* descriptors */
#define KEEPER_SECONDS 60 /* that they outlive their tlshd */

#endif /* TLSHD_KEEPER_PROTOCOL_H */
