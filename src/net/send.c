/*
 * send.c - sendto, sendmsg, sendmmsg on the caller's own open socket: each message is copied once and judged
 * on the copy.
 *
 * It is first tried without waiting; a caller that would wait is served by a worker from there on. A stream
 * is sent piece by piece, for it can be longer than anybody wants to hold.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/macros.h"
#include "kernel/seccomp.h"
#include "net/call.h"
#include "net/message.h"
#include "net/resolver.h"
#include "net/worker.h"

#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

#define MESSAGES_MAX 1024 /* UIO_MAXIOV */
#define SMALL_BYTES  2048 /* most datagrams */

struct sending {
	struct sl_net_call c;
	int flags;
	bool many;		  /* sendmmsg */
	unsigned int count, done; /* messages */
	bool in_worker;
	/* The message at hand. */
	bool loaded, look_up;
	struct sl_message m;
	struct sl_local local;
	struct sl_net_peer peer;
	bool has_peer;
	uint64_t sent; /* of a stream */
	char *piece;   /* small, or mapped */
	size_t piece_len, piece_size;
	char small[SMALL_BYTES];
};

/* A piece that was mapped is unmapped, not reused: with MSG_ZEROCOPY the kernel still sends from its pages. */
static void drop_piece(struct sending *s)
{
	if (s->piece && s->piece != s->small)
		munmap(s->piece, s->piece_size);
	s->piece = NULL;
	s->piece_len = s->piece_size = 0;
}

/* Room for a piece. False: there is none. */
static bool get_piece(struct sending *s, size_t size)
{
	drop_piece(s);
	if (size <= sizeof(s->small) && !(s->flags & MSG_ZEROCOPY)) {
		s->piece = s->small;
		s->piece_size = sizeof(s->small);
		return true;
	}
	s->piece = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->piece == MAP_FAILED) {
		s->piece = NULL;
		return false;
	}
	s->piece_size = size;
	return true;
}

static void drop_message(struct sending *s)
{
	sl_message_release(&s->m);
	sl_local_release(&s->local);
	drop_piece(s);
	s->sent = 0;
	s->loaded = s->look_up = s->has_peer = false;
}

static void release(struct sending *s)
{
	drop_message(s);
	sl_close(s->c.fd);
	free(s);
}

static void report(const struct sending *s, int error, bool refused)
{
	struct sl_net_event e = {
	    .deed = s->flags & MSG_FASTOPEN ? SL_NET_CONNECTED : SL_NET_SENT,
	    .refused = refused,
	    .has_peer = s->has_peer,
	    .peer = s->peer,
	    .local = s->local.name,
	    .own = s->local.own,
	};

	sl_net_call_report(&s->c, &e, error);
}

static bool is_stream(const struct sending *s)
{
	return s->c.type == SOCK_STREAM;
}

/* The longest datagram that the kernel would take: what is longer need not be copied. */
static uint64_t longest_datagram(const struct sending *s)
{
	int size = 0;
	socklen_t len = sizeof(size);

	if (s->c.family == AF_INET || s->c.family == AF_INET6)
		return UINT16_MAX;
	if (getsockopt(s->c.fd, SOL_SOCKET, SO_SNDBUF, &size, &len) < 0 || size < 0)
		return 0;
	return SL_MIN((uint64_t)size, (uint64_t)SL_DATAGRAM_MAX);
}

/* Copy what goes next. A datagram whole; of a stream less where it may wait for long. */
static int load_piece(struct sending *s)
{
	uint64_t left = s->m.total - s->sent, most = s->in_worker ? SL_WAITING_BYTES : SL_PIECE_BYTES;
	size_t len = (size_t)(is_stream(s) ? SL_MIN(left, most) : left);

	if (!is_stream(s) && left > SMALL_BYTES && left > longest_datagram(s))
		return -EMSGSIZE;
	if (!get_piece(s, SL_MAX(len, (size_t)SL_DNS_QUERY_MAX)))
		return -ENOMEM;
	s->piece_len = len;
	return sl_message_copy(&s->c, &s->m, s->sent, s->piece, len);
}

/* Only the kernel hears a netlink message: other processes' sockets are none of ours. */
static int judge_netlink(const struct sl_address *a)
{
	struct sockaddr_nl nl;

	if (!a->len)
		return 0;
	if (a->len < sizeof(nl))
		return -EINVAL;
	memcpy(&nl, &a->storage, sizeof(nl));
	return nl.nl_pid || nl.nl_groups ? -EACCES : 0;
}

static int judge_local(struct sending *s)
{
	struct sl_address *a = &s->m.address;
	int r;

	if (!a->len || s->c.type == SOCK_SEQPACKET) {
		a->len = 0;
		return 0;
	}
	if (is_stream(s)) {
		/* An error whatever it names; so it is not named. */
		a->len = sizeof(sa_family_t);
		return 0;
	}
	r = sl_local_judge(&s->c, a, &s->local);
	*a = s->local.address;
	return r;
}

/* What a nameserver is asked is read, and made anew. -ENOENT where it is none. */
static int judge_query(struct sending *s)
{
	struct sl_resolver *resolver = s->c.net->resolver;
	uint8_t query[SL_DNS_QUERY_MAX];
	size_t len;
	int r;

	if (!resolver || s->peer.protocol != SL_NET_UDP ||
	    !sl_resolver_is_nameserver(resolver, &s->m.address.any, s->m.address.len))
		return -ENOENT;
	r = sl_resolver_check_query(resolver, s->piece, s->piece_len, query, &len);
	s->has_peer = false;
	if (r < 0)
		return s->c.net->policy ? -EACCES : 0;
	memcpy(s->piece, query, len);
	s->piece_len = len;
	s->m.total = len;
	return 0;
}

static int judge_internet(struct sending *s)
{
	struct sl_address *a = &s->m.address;
	int r;

	/* A stream has its peer already, and the kernel ignores another. */
	if (is_stream(s) && !(s->flags & MSG_FASTOPEN))
		a->len = 0;
	if (a->len >= sizeof(sa_family_t) && a->any.sa_family == AF_UNSPEC) {
		/* To an AF_INET socket it means AF_INET, to an AF_INET6 one nothing. */
		if (s->c.family == AF_INET)
			a->any.sa_family = AF_INET;
		else
			a->len = 0;
	}
	if (!a->len)
		return 0;
	sl_net_name_any(&s->c, a);
	r = sl_net_judge(&s->c, a, s->in_worker, &s->peer);
	s->has_peer = r == 0 || r == -EACCES || r == -EAGAIN;
	if (s->has_peer && (r < 0 || !s->c.net->policy)) {
		int q = judge_query(s);

		if (q != -ENOENT)
			return q;
	}
	s->look_up = r == -EAGAIN;
	return s->look_up ? 0 : r;
}

static int judge(struct sending *s)
{
	switch (s->c.family) {
	case AF_INET:
	case AF_INET6:
		return judge_internet(s);
	case AF_UNIX:
		return judge_local(s);
	case AF_NETLINK:
		return s->c.net->policy ? judge_netlink(&s->m.address) : 0;
	default:
		return s->c.net->policy ? -EACCES : 0;
	}
}

/* Copy and judge the next message. */
static int load(struct sending *s)
{
	uint64_t at = s->c.n.data.args[1] + (s->many ? s->done * sizeof(struct mmsghdr) : 0);
	int r;

	if (s->c.call->nr == __NR_sendto)
		r = sl_message_read_sendto(&s->c, &s->m);
	else
		r = sl_message_read(&s->c, at, &s->m);
	if (r == 0)
		r = load_piece(s);
	if (r == 0 && !sl_net_call_valid(&s->c))
		r = -EACCES;
	if (r == 0)
		r = judge(s);
	s->loaded = r == 0;
	if (r == -EACCES && (s->has_peer || s->local.name))
		report(s, EACCES, true);
	return r;
}

static ssize_t send_piece(struct sending *s, int more_flags)
{
	struct iovec iov = {s->piece, s->piece_len};
	struct msghdr h = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_name = s->m.address.len ? &s->m.address.storage : NULL,
	    .msg_namelen = s->m.address.len,
	    .msg_control = s->sent ? NULL : s->m.control,
	    .msg_controllen = s->sent ? 0 : s->m.control_len,
	};
	bool last = s->sent + s->piece_len == s->m.total;
	int flags = s->flags | MSG_NOSIGNAL | more_flags;
	ssize_t n;

	if (!last)
		flags = (flags | MSG_MORE) & ~(MSG_OOB | MSG_EOR);
	if (s->sent)
		flags &= ~MSG_FASTOPEN;
	n = sendmsg(s->c.fd, &h, flags);
	return n < 0 ? -errno : n;
}

/* In a worker: send the piece as long as the caller would wait. */
static ssize_t send_waiting(struct sending *s)
{
	int64_t timeout_us = sl_wait_send_timeout_us(s->c.fd);
	struct sl_wait w;
	ssize_t n;

	sl_wait_begin(&w, s->c.net->workers, s->c.listener, s->c.n.id, s->c.tid, timeout_us);
	do {
		n = send_piece(s, 0);
		if (n != -EINTR)
			break;
		n = sl_wait_interrupted(&w);
	} while (n == 0);
	sl_wait_end(&w);
	if (n == -ETIMEDOUT && timeout_us)
		return -EAGAIN;
	return n == -EINTR && !timeout_us ? -SL_ERESTARTSYS : n;
}

static bool waits(const struct sending *s)
{
	return !(s->flags & MSG_DONTWAIT) && sl_net_call_waits(&s->c);
}

/* Send what is loaded. The bytes, -errno, or SL_LATER. */
static int64_t send_loaded(struct sending *s)
{
	for (;;) {
		ssize_t n = s->in_worker && waits(s) ? send_waiting(s) : send_piece(s, MSG_DONTWAIT);
		int r;

		if ((n == -EAGAIN || n == -EINPROGRESS) && !s->in_worker && waits(s))
			return SL_LATER;
		if (n < 0)
			return s->sent ? (int64_t)s->sent : n;
		s->sent += (uint64_t)n;
		if (!is_stream(s) || s->sent == s->m.total)
			return (int64_t)s->sent;
		r = load_piece(s);
		if (r < 0 || !sl_net_call_valid(&s->c))
			return (int64_t)s->sent;
	}
}

/* A broken stream signals its sender, which is not us. */
static void signal_broken(const struct sending *s, int64_t r)
{
	if (r == -EPIPE && is_stream(s) && !(s->flags & MSG_NOSIGNAL))
		syscall(SYS_tgkill, sl_tracee_tgid(s->c.tid), s->c.tid, SIGPIPE);
}

static int64_t send_one(struct sending *s)
{
	int64_t r = s->loaded ? 0 : load(s);

	if (r < 0)
		return r;
	if (s->look_up && !s->in_worker)
		return SL_LATER;
	if (s->look_up) {
		s->look_up = false;
		r = sl_net_look_up(&s->c);
		if (r < 0)
			return r;
		r = sl_net_judge(&s->c, &s->m.address, true, &s->peer);
		if (r < 0) {
			report(s, (int)-r, true);
			return r;
		}
	}
	r = send_loaded(s);
	if (r == SL_LATER)
		return r;
	signal_broken(s, r);
	if (r >= 0 || r == -EINPROGRESS)
		report(s, r < 0 ? (int)-r : 0, false);
	return r;
}

/* All messages, from where it stands. */
static int64_t send_all(struct sending *s)
{
	while (s->done < s->count) {
		int64_t r = send_one(s);
		uint32_t sent = (uint32_t)r;
		uint64_t at = s->c.n.data.args[1] + s->done * sizeof(struct mmsghdr);
		bool whole = (uint64_t)r == s->m.total;

		if (r == SL_LATER)
			return r;
		if (r < 0)
			return s->done ? s->done : r;
		if (!s->many)
			return r;
		drop_message(s);
		if (sl_tracee_write(s->c.tid, at + offsetof(struct mmsghdr, msg_len), &sent, sizeof(sent)) <
		    0)
			return s->done ? (int64_t)s->done : -EFAULT;
		s->done++;
		if (!whole && is_stream(s))
			break;
	}
	return s->done;
}

static void work(void *arg)
{
	struct sending *s = arg;

	s->in_worker = true;
	if (s->piece_len > SL_WAITING_BYTES && is_stream(s)) {
		int r = load_piece(s);

		if (r < 0 || !sl_net_call_valid(&s->c)) {
			sl_net_answer(&s->c, s->sent ? (int64_t)s->sent : r < 0 ? r : -EACCES);
			release(s);
			return;
		}
	}
	sl_net_answer(&s->c, send_all(s));
	release(s);
}

/* While learning, a message without an address is the caller's own: nothing of it is judged. */
static int64_t learn_connected(struct sl_net_call *c)
{
	struct sl_net_event e = {.deed = SL_NET_SENT};
	struct msghdr h = {0};

	if (c->call->nr == __NR_sendto ? c->n.data.args[4] != 0
				       : sl_tracee_read(c->tid, c->n.data.args[1], &h, sizeof(h)) == 0 &&
					     h.msg_name && h.msg_namelen)
		return 0;
	if (c->type == SOCK_DGRAM)
		sl_net_call_report(c, &e, 0);
	return SL_GO_ON;
}

int64_t sl_net_send(struct sl_net_call *c)
{
	struct sending *s;
	int64_t r;
	int e;

	if (!c->net->policy && !c->net->refuse_all && learn_connected(c) == SL_GO_ON)
		return SL_GO_ON;
	s = sl_xcalloc(1, sizeof(*s));
	s->c = *c;
	s->local = SL_LOCAL_INIT;
	s->flags = (int)c->n.data.args[c->call->flags_arg];
	s->many = c->call->nr == __NR_sendmmsg;
	s->count = s->many ? SL_MIN((unsigned int)c->n.data.args[2], (unsigned int)MESSAGES_MAX) : 1;
	r = send_all(s);
	if (r == SL_LATER) {
		e = sl_workers_run(c->net->workers, work, s);
		if (e == 0)
			return SL_LATER;
		r = s->done ? (int64_t)s->done : e;
	}
	s->c.fd = -EBADF; /* the caller's to close */
	release(s);
	return r;
}
