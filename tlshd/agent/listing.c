// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A GET dump on a netlink socket of its own.  The kernel fills the next piece when one is
 * taken, so a reader that is slow costs one piece of memory and no time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include <linux/genetlink.h>
#include <linux/tls_handoff_netlink.h>

#include "listing.h"

struct listing {
	int fd;
	uint16_t family;
	bool all;
	uid_t uid;
	bool over;
	uint8_t piece[LISTING_PIECE];
};

static int listing_ask(const struct listing *listing)
{
	struct {
		struct nlmsghdr header;
		struct genlmsghdr genl;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = listing->family,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			    .nlmsg_seq = 1 },
		.genl = { .cmd = TLS_HANDOFF_CMD_GET, .version = TLS_HANDOFF_FAMILY_VERSION },
	};
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(listing->fd, &request, sizeof(request), MSG_DONTWAIT, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

int listing_new(uint16_t family, bool all, uid_t uid, struct listing **ret_listing)
{
	struct listing *listing = malloc(sizeof(*listing));
	int ret;

	if (!listing)
		return -ENOMEM;
	listing->family = family;
	listing->all = all;
	listing->uid = uid;
	listing->over = false;
	listing->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	ret = listing->fd < 0 ? -errno : listing_ask(listing);
	if (ret < 0) {
		listing_free(listing);
		return ret;
	}
	*ret_listing = listing;
	return 0;
}

void listing_free(struct listing *listing)
{
	if (!listing)
		return;
	if (listing->fd >= 0)
		close(listing->fd);
	free(listing);
}

/* Whether @header is a session that the user may see; what does not say whose it is is not. */
static bool listing_shows(const struct listing *listing, struct nlmsghdr *header)
{
	struct nlattr *uid;

	if (header->nlmsg_type != listing->family || !genlmsg_valid_hdr(header, 0))
		return false;
	if (listing->all)
		return true;
	uid = nlmsg_find_attr(header, GENL_HDRLEN, TLS_HANDOFF_A_SESSION_UID);
	return uid && nla_len(uid) == sizeof(uint32_t) && nla_get_u32(uid) == listing->uid;
}

/* Moves what may be seen to the front.  Its length, or the kernel's -errno. */
static ssize_t listing_sift(struct listing *listing, ssize_t length)
{
	struct nlmsghdr *header = (struct nlmsghdr *)listing->piece;
	int left = (int)length;
	size_t used = 0;

	while (nlmsg_ok(header, left)) {
		struct nlmsghdr *next = nlmsg_next(header, &left);
		size_t size = header->nlmsg_len;

		if (header->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *error = nlmsg_data(header);

			return nlmsg_datalen(header) >= (int)sizeof(error->error) && error->error ?
				       error->error :
				       -EPROTO;
		}
		listing->over |= header->nlmsg_type == NLMSG_DONE;
		if (listing->over || listing_shows(listing, header)) {
			memmove(listing->piece + used, header, size);
			memset(listing->piece + used + size, 0, NLMSG_ALIGN(size) - size);
			used += NLMSG_ALIGN(size);
		}
		if (listing->over)
			break;
		header = next;
	}
	return (ssize_t)used;
}

ssize_t listing_next(struct listing *listing, const void **ret_piece)
{
	ssize_t n;

	if (listing->over)
		return 0;
	n = recv(listing->fd, listing->piece, sizeof(listing->piece), MSG_DONTWAIT | MSG_TRUNC);
	/* The kernel makes a piece while it is asked: none is there only if it has forgotten. */
	if (n < 0)
		return errno == EAGAIN ? -EIO : -errno;
	if ((size_t)n > sizeof(listing->piece))
		return -EMSGSIZE;
	n = listing_sift(listing, n);
	if (n == 0)
		return -EAGAIN;
	if (n > 0)
		*ret_piece = listing->piece;
	return n;
}
