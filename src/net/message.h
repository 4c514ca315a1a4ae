/*
 * message.h - one message of a sending call, copied from the caller: address, control data, what is to be
 * sent.
 */
#ifndef SL_NET_MESSAGE_H
#define SL_NET_MESSAGE_H

#include <sys/uio.h>

#include "net/call.h"

/* Data is copied in pieces of at most this much; a datagram is one piece, of at most SL_DATAGRAM_MAX. As many pieces are held
 * as there are sends that wait, outside of the caller's limit of memory: those are smaller. */
#define SL_PIECE_BYTES	 (256 * 1024)
#define SL_WAITING_BYTES (32 * 1024)
#define SL_DATAGRAM_MAX	 (8 * 1024 * 1024)

struct sl_message {
	struct sl_address address; /* len 0: none */
	struct iovec *iov;	   /* in the caller's memory; malloc'd */
	size_t iov_len;
	uint64_t total; /* bytes */
	char *control;	/* for our own call; malloc'd, or NULL */
	size_t control_len;
	int *fds; /* in the control data, ours */
	size_t fd_count;
};

void sl_message_release(struct sl_message *m);

/* sendto's message. 0 or -errno. */
int sl_message_read_sendto(const struct sl_net_call *c, struct sl_message *ret);

/* The struct msghdr at addr. 0 or -errno. */
int sl_message_read(const struct sl_net_call *c, uint64_t addr, struct sl_message *ret);

/* Copy len bytes of data from offset on. 0 or -errno. */
int sl_message_copy(const struct sl_net_call *c, const struct sl_message *m, uint64_t offset, char *buf,
		    size_t len);

#endif
