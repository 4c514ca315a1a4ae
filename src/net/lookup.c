/*
 * lookup.c - see lookup.h.
 *
 * Each round has a socket of its own, so its port is another; ids are random. A reply counts when it came
 * from the nameserver (the socket is connected) and matches a question in id, name and type.
 */
#include "net/lookup.h"

#include <poll.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "net/dns.h"

#define ROUND_MS      2000
#define AT_ONCE	      64 /* questions under way: what a nameserver's socket buffer surely takes */
#define UDP_REPLY_MAX 4096

struct question {
	struct sl_dns_query query;
	bool answered;
};

struct lookup {
	struct question *questions;
	size_t count, open; /* all; not answered yet */
	size_t failed;	    /* of those that were just sent: the nameserver does not know */
	int stop_fd;
	bool stopped;
	void (*reply)(void *arg, const void *msg, size_t len);
	void *arg;
};

/* Wait for the socket until the deadline. False: it passed, or we are to stop. */
static bool wait_for(struct lookup *l, int fd, short events, int64_t deadline_ms)
{
	struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = l->stop_fd, .events = POLLIN}};

	for (;;) {
		int64_t left = deadline_ms - sl_now_ms();
		int n = left > 0 ? poll(p, 2, (int)left) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0 && p[1].revents)
			l->stopped = true;
		return n > 0 && !l->stopped;
	}
}

static bool read_all(struct lookup *l, int fd, uint8_t *buf, size_t len, int64_t deadline_ms)
{
	while (len) {
		ssize_t n;

		if (!wait_for(l, fd, POLLIN, deadline_ms))
			return false;
		n = recv(fd, buf, len, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		if (n > 0) {
			buf += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* One question over TCP: its reply, malloc'd, or NULL. */
static uint8_t *ask_over_tcp(struct lookup *l, const struct sl_nameserver *server,
			     const struct sl_dns_query *q, size_t *ret_len)
{
	SL_CLOSE int fd = socket(server->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int64_t deadline_ms = sl_now_ms() + ROUND_MS;
	uint8_t out[2 + SL_DNS_QUERY_MAX], size[2];
	SL_FREE uint8_t *msg = NULL;
	size_t len;

	if (fd < 0 || (connect(fd, &server->any, server->len) < 0 && errno != EINPROGRESS) ||
	    !wait_for(l, fd, POLLOUT, deadline_ms))
		return NULL;
	len = sl_dns_query_write(q, out + 2);
	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
	if (send(fd, out, len + 2, MSG_NOSIGNAL) != (ssize_t)len + 2 ||
	    !read_all(l, fd, size, sizeof(size), deadline_ms))
		return NULL;
	len = (size_t)size[0] << 8 | size[1];
	msg = sl_xmalloc(len + 1);
	if (!read_all(l, fd, msg, len, deadline_ms) || !sl_dns_reply_matches(msg, len, q))
		return NULL;
	*ret_len = len;
	return SL_TAKE_PTR(msg);
}

static void take_reply(struct lookup *l, const struct sl_nameserver *server, const uint8_t *msg, size_t len)
{
	for (size_t i = 0; i < l->count; i++) {
		struct question *q = &l->questions[i];
		unsigned int rcode;

		if (q->answered || !sl_dns_reply_matches(msg, len, &q->query))
			continue;
		rcode = sl_dns_flags(msg) & SL_DNS_RCODE;
		if (rcode != SL_DNS_NOERROR && rcode != SL_DNS_NXDOMAIN) {
			l->failed++; /* the next nameserver may know better */
			return;
		}
		q->answered = true;
		l->open--;
		if (sl_dns_flags(msg) & SL_DNS_TC) {
			size_t whole_len;
			SL_FREE uint8_t *whole = ask_over_tcp(l, server, &q->query, &whole_len);

			if (whole)
				l->reply(l->arg, whole, whole_len);
		}
		l->reply(l->arg, msg, len);
		return;
	}
}

/* Send what is open, as much as is asked at once. False: nobody is there. */
static bool send_questions(struct lookup *l, int fd)
{
	size_t sent = 0;

	for (size_t i = 0; i < l->count && sent < AT_ONCE; i++) {
		uint8_t out[SL_DNS_QUERY_MAX];

		if (l->questions[i].answered)
			continue;
		/* An answer of the network to the question before is told here, once. */
		if (send(fd, out, sl_dns_query_write(&l->questions[i].query, out),
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
		    errno == ECONNREFUSED)
			return false;
		sent++;
	}
	return true;
}

/* Ask one nameserver what is open, as much as is answered. */
static void ask_server(struct lookup *l, const struct sl_nameserver *server)
{
	SL_CLOSE int fd = socket(server->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	uint8_t msg[UDP_REPLY_MAX];
	size_t before;

	if (fd < 0 || connect(fd, &server->any, server->len) < 0)
		return;
	do {
		size_t goal = l->open > AT_ONCE ? l->open - AT_ONCE : 0;
		int64_t deadline_ms = sl_now_ms() + ROUND_MS;

		before = l->open;
		l->failed = 0;
		if (!send_questions(l, fd))
			return;
		while (l->open > goal + l->failed && wait_for(l, fd, POLLIN, deadline_ms)) {
			ssize_t n = recv(fd, msg, sizeof(msg), MSG_DONTWAIT);

			if (n < 0 && errno != EAGAIN && errno != EINTR)
				return; /* nobody is there */
			if (n > 0)
				take_reply(l, server, msg, (size_t)n);
		}
	} while (l->open && l->open < before && !l->stopped);
}

static void prepare(struct lookup *l, const struct sl_strv *names)
{
	static const uint16_t types[] = {SL_DNS_A, SL_DNS_AAAA};

	l->questions = sl_xcalloc(names->len * SL_ARRAY_LEN(types) + 1, sizeof(*l->questions));
	for (size_t i = 0; i < names->len * SL_ARRAY_LEN(types); i++) {
		struct question *q = &l->questions[l->count];
		uint16_t id;

		if (getrandom(&id, sizeof(id), 0) != sizeof(id))
			continue;
		if (sl_dns_query_init(&q->query, names->items[i / SL_ARRAY_LEN(types)],
				      types[i % SL_ARRAY_LEN(types)], id) == 0)
			l->count++;
	}
	l->open = l->count;
}

bool sl_lookup(const struct sl_nameservers *servers, const struct sl_strv *names, int stop_fd,
	       void (*reply)(void *arg, const void *msg, size_t len), void *arg)
{
	struct lookup l = {.stop_fd = stop_fd, .reply = reply, .arg = arg};
	size_t open;

	prepare(&l, names);
	for (size_t i = 0; i < servers->count && l.open && !l.stopped; i++)
		ask_server(&l, &servers->list[i]);
	open = l.open;
	free(l.questions);
	return !open;
}
