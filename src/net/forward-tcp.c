/*
 * forward-tcp.c - see forward-tcp.h.
 *
 * States only go around: QUERY → CONNECT → SEND → REPLY → ANSWER → QUERY. A refused query goes from QUERY to
 * ANSWER. Only as many bytes are read as belong to the present message, so further queries wait in the
 * socket.
 */
#include "net/forward-tcp.h"

#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

#define LENGTH_SIZE 2	 /* the length before each message */
#define QUERY_MAX   4096 /* bytes of a query that are read; no honest one is near it */

enum state {
	STATE_QUERY,   /* read one from the client */
	STATE_CONNECT, /* wait for the nameserver's connection */
	STATE_SEND,    /* write the query to it */
	STATE_REPLY,   /* read its reply */
	STATE_ANSWER,  /* write that to the client */
};

struct sl_forward_tcp {
	enum state state;
	int client, upstream;
	struct sl_nameserver server;
	struct sl_dns_query asked, sent; /* the client's; ours, with an id of its own */
	int64_t active_ms;
	size_t done, len; /* bytes of buf that were moved, and that there are to move (as far as is known) */
	uint8_t buf[LENGTH_SIZE + SL_DNS_MESSAGE_MAX];
};

struct sl_forward_tcp *sl_forward_tcp_new(int client, const struct sl_nameserver *server)
{
	struct sl_forward_tcp *s = sl_xcalloc(1, sizeof(*s));

	s->client = client;
	s->upstream = -EBADF;
	s->server = *server;
	s->len = LENGTH_SIZE;
	s->active_ms = sl_now_ms();
	return s;
}

void sl_forward_tcp_free(struct sl_forward_tcp *s)
{
	if (!s)
		return;
	sl_close(s->client);
	sl_close(s->upstream);
	free(s);
}

bool sl_forward_tcp_is_silent(const struct sl_forward_tcp *s)
{
	char byte;

	return s->state == STATE_QUERY && !s->done &&
	       recv(s->client, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

struct pollfd sl_forward_tcp_poll(const struct sl_forward_tcp *s)
{
	struct pollfd p = {.fd = s->upstream, .events = POLLOUT};

	if (s->state == STATE_QUERY || s->state == STATE_ANSWER)
		p.fd = s->client;
	if (s->state == STATE_QUERY || s->state == STATE_REPLY)
		p.events = POLLIN;
	return p;
}

int64_t sl_forward_tcp_active_ms(const struct sl_forward_tcp *s)
{
	return s->active_ms;
}

static void go(struct sl_forward_tcp *s, enum state state, size_t len)
{
	s->state = state;
	s->done = 0;
	s->len = len;
}

/* Put the length before the message of buf and write it to whom it is for. */
static void go_write(struct sl_forward_tcp *s, enum state state, size_t message_len)
{
	s->buf[0] = (uint8_t)(message_len >> 8);
	s->buf[1] = (uint8_t)message_len;
	go(s, state, LENGTH_SIZE + message_len);
}

static bool answer_without(struct sl_forward_tcp *s, enum sl_dns_rcode rcode)
{
	s->upstream = sl_close(s->upstream);
	go_write(s, STATE_ANSWER, sl_dns_reply_write(&s->asked, rcode, s->buf + LENGTH_SIZE));
	return true;
}

static bool take_query(struct sl_forward_tcp *s, struct sl_names *names)
{
	if (sl_dns_query_parse(s->buf + LENGTH_SIZE, s->len - LENGTH_SIZE, &s->asked) < 0)
		return false;
	if (!sl_names_may_ask(names, &s->asked))
		return answer_without(s, SL_DNS_NXDOMAIN);
	s->sent = s->asked;
	if (getrandom(&s->sent.id, sizeof(s->sent.id), 0) != sizeof(s->sent.id))
		return false;
	s->upstream = socket(s->server.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->upstream < 0 ||
	    (connect(s->upstream, &s->server.any, s->server.len) < 0 && errno != EINPROGRESS))
		return answer_without(s, SL_DNS_SERVFAIL);
	go(s, STATE_CONNECT, 0);
	return true;
}

static bool take_reply(struct sl_forward_tcp *s, struct sl_names *names)
{
	uint8_t *msg = s->buf + LENGTH_SIZE;
	size_t len = s->len - LENGTH_SIZE;

	if (!sl_dns_reply_matches(msg, len, &s->sent))
		return answer_without(s, SL_DNS_SERVFAIL);
	sl_names_add_reply(names, msg, len);
	sl_dns_reply_readdress(msg, &s->asked);
	s->upstream = sl_close(s->upstream);
	go(s, STATE_ANSWER, s->len);
	return true;
}

/* All that was to be moved was. */
static bool next(struct sl_forward_tcp *s, struct sl_names *names)
{
	size_t max = s->state == STATE_QUERY ? QUERY_MAX : SL_DNS_MESSAGE_MAX;

	switch (s->state) {
	case STATE_QUERY:
	case STATE_REPLY:
		if (s->len == LENGTH_SIZE) {
			s->len += (size_t)s->buf[0] << 8 | s->buf[1];
			return s->len > LENGTH_SIZE && s->len <= LENGTH_SIZE + max;
		}
		return s->state == STATE_QUERY ? take_query(s, names) : take_reply(s, names);
	case STATE_CONNECT:
		go_write(s, STATE_SEND, sl_dns_query_write(&s->sent, s->buf + LENGTH_SIZE));
		return true;
	case STATE_SEND:
		go(s, STATE_REPLY, LENGTH_SIZE);
		return true;
	case STATE_ANSWER:
		go(s, STATE_QUERY, LENGTH_SIZE);
		return true;
	}
	return false;
}

/* Move bytes: 1 all, 0 not now, -1 the peer has gone. */
static int move(struct sl_forward_tcp *s)
{
	bool reads = s->state == STATE_QUERY || s->state == STATE_REPLY;
	int fd = sl_forward_tcp_poll(s).fd, error = 0;
	socklen_t size = sizeof(error);
	ssize_t n;

	if (s->state == STATE_CONNECT) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};

		if (poll(&p, 1, 0) <= 0)
			return 0;
		return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error ? -1 : 1;
	}
	while (s->done < s->len) {
		n = reads ? recv(fd, s->buf + s->done, s->len - s->done, MSG_DONTWAIT)
			  : send(fd, s->buf + s->done, s->len - s->done, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? 0 : -1;
		s->done += (size_t)n;
		s->active_ms = sl_now_ms();
	}
	return 1;
}

bool sl_forward_tcp_serve(struct sl_forward_tcp *s, struct sl_names *names)
{
	int moved;

	while ((moved = move(s)) > 0)
		if (!next(s, names))
			return false;
	if (moved < 0 && s->state != STATE_QUERY && s->state != STATE_ANSWER)
		return answer_without(s, SL_DNS_SERVFAIL);
	return moved == 0;
}
