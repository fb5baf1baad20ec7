/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel keyrings that consumers name.  The agent never reads a key: it links the
 * keyrings into a session keyring that it shares with the key holder, which can
 * read what is possessed through that (keyrings(7)), and only while it is needed.
 */
#ifndef TLSHD_AGENT_KEYRINGS_H
#define TLSHD_AGENT_KEYRINGS_H

#include <stddef.h>
#include <stdint.h>

struct keyrings;

/* Joins a session keyring of our own, which children inherit.  Without it kernel keys cannot
 * be used; that is logged.  0 or -ENOMEM. */
int keyrings_new(struct keyrings **ret_keyrings);
void keyrings_free(struct keyrings *keyrings); /* NULL is fine */

/* The keyrings of the configuration, names or serial numbers; replaces the ones before. */
void keyrings_configure(struct keyrings *keyrings, char *const *names, size_t count);

/* @serial was handed out by the handshake family, which linked it into our process keyring:
 * until keyrings_drop() it is in the session keyring instead. */
void keyrings_take(struct keyrings *keyrings, uint32_t serial);
void keyrings_drop(struct keyrings *keyrings, uint32_t serial);

/* Links where a key may be that was named without its keyring: .nfs, .nfsd and the configured
 * ones, as far as they exist by now.  They stay. */
void keyrings_link_known(struct keyrings *keyrings);

#endif /* TLSHD_AGENT_KEYRINGS_H */
