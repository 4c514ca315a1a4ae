/*
 * forward.c - see forward.h: the sockets, their thread, and UDP.
 *
 * Each nameserver that a program connected to has one front: a UDP and a TCP socket bound to the loopback
 * interface. A query that may leave gets an upstream socket of its own, connected to the nameserver, so its
 * source port is as hard to guess as any resolver's; the reply goes back from the front to the address that
 * asked. Both ends are bounded: what exceeds the bounds is dropped, as a busy nameserver would, and the
 * program asks again.
 *
 * Other users of the machine can reach the fronts too. What comes from a port that was not admitted is not
 * answered.
 *
 * The lock is held over fronts and admitted ports, which the caller's thread adds to. Fronts stay to the end.
 */
#include "net/forward.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/thread.h"
#include "net/forward-tcp.h"

#define FRONTS_MAX   16	   /* nameservers of one run, with those that a changed resolv.conf brought */
#define ASKS_MAX     256   /* UDP queries under way */
#define SESSIONS_MAX 64	   /* TCP connections */
#define BURST_MAX    64	   /* queries that are read in one go */
#define ASK_MS	     15000 /* after which no resolver waits any more */
#define IDLE_MS	     30000 /* of a TCP connection */

/* A nameserver and what stands for it. */
struct front {
	struct sl_nameserver server, udp_name, tcp_name;
	int udp, tcp;
};

/* A query under way. */
struct ask {
	int fd;
	const struct front *front;
	struct sl_nameserver client;
	struct sl_dns_query asked, sent; /* the client's; ours, with an id of its own */
	int64_t deadline_ms;
};

struct sl_forward {
	struct sl_names *names;
	pthread_mutex_t lock;
	pthread_t thread;
	bool running, stop;
	int wake; /* eventfd */
	struct front *fronts[FRONTS_MAX];
	size_t front_count;
	uint8_t admitted[2][(UINT16_MAX + 1) / 8]; /* bits: ports of UDP, of TCP */

	/* The thread's own. */
	struct ask *asks[ASKS_MAX];
	size_t ask_count;
	struct sl_forward_tcp *sessions[SESSIONS_MAX];
	struct sl_nameserver clients[SESSIONS_MAX]; /* who is at the other end of each */
	size_t session_count;
	uint8_t msg[SL_DNS_MESSAGE_MAX];
};

struct sl_forward *sl_forward_new(struct sl_names *names)
{
	struct sl_forward *f = sl_xcalloc(1, sizeof(*f));

	f->names = names;
	f->wake = -EBADF;
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

static void wake(struct sl_forward *f)
{
	eventfd_write(f->wake, 1);
}

static void front_free(struct front *front)
{
	sl_close(front->udp);
	sl_close(front->tcp);
	free(front);
}

void sl_forward_free(struct sl_forward *f)
{
	if (!f)
		return;
	if (f->running) {
		__atomic_store_n(&f->stop, true, __ATOMIC_RELEASE);
		wake(f);
		pthread_join(f->thread, NULL);
	}
	for (size_t i = 0; i < f->ask_count; i++) {
		sl_close(f->asks[i]->fd);
		free(f->asks[i]);
	}
	for (size_t i = 0; i < f->session_count; i++)
		sl_forward_tcp_free(f->sessions[i]);
	for (size_t i = 0; i < f->front_count; i++)
		front_free(f->fronts[i]);
	sl_close(f->wake);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static uint16_t port_of(const struct sl_nameserver *a)
{
	return ntohs(a->any.sa_family == AF_INET ? a->in.sin_port : a->in6.sin6_port);
}

static bool is_admitted(struct sl_forward *f, int type, const struct sl_nameserver *client)
{
	uint16_t port = port_of(client);
	const uint8_t *bits = f->admitted[type == SOCK_STREAM];
	bool is;

	pthread_mutex_lock(&f->lock);
	is = bits[port / 8] & 1U << port % 8;
	pthread_mutex_unlock(&f->lock);
	return is;
}

static void answer(const struct ask *a, const void *msg, size_t len)
{
	sendto(a->front->udp, msg, len, MSG_DONTWAIT | MSG_NOSIGNAL, &a->client.any, a->client.len);
}

static void answer_without(const struct ask *a, enum sl_dns_rcode rcode)
{
	uint8_t out[SL_DNS_QUERY_MAX];

	answer(a, out, sl_dns_reply_write(&a->asked, rcode, out));
}

/* Send the query on. False where it is answered already. */
static bool ask_upstream(struct ask *a)
{
	const struct sl_nameserver *server = &a->front->server;
	uint8_t out[SL_DNS_QUERY_MAX];

	a->sent = a->asked;
	a->fd = socket(server->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (a->fd < 0 || getrandom(&a->sent.id, sizeof(a->sent.id), 0) != sizeof(a->sent.id) ||
	    connect(a->fd, &server->any, server->len) < 0 ||
	    send(a->fd, out, sl_dns_query_write(&a->sent, out), MSG_NOSIGNAL) < 0) {
		sl_close(a->fd);
		answer_without(a, SL_DNS_SERVFAIL);
		return false;
	}
	a->deadline_ms = sl_now_ms() + ASK_MS;
	return true;
}

static void take_queries(struct sl_forward *f, const struct front *front)
{
	for (int i = 0; i < BURST_MAX; i++) {
		struct ask a = {.fd = -EBADF, .front = front, .client.len = sizeof(a.client.in6)};
		uint8_t msg[4096];
		ssize_t n =
		    recvfrom(front->udp, msg, sizeof(msg), MSG_DONTWAIT, &a.client.any, &a.client.len);

		if (n < 0)
			return;
		if (!is_admitted(f, SOCK_DGRAM, &a.client) ||
		    sl_dns_query_parse(msg, (size_t)n, &a.asked) < 0)
			continue;
		if (!sl_names_may_ask(f->names, &a.asked)) {
			answer_without(&a, SL_DNS_NXDOMAIN);
		} else if (f->ask_count < ASKS_MAX && ask_upstream(&a)) {
			f->asks[f->ask_count] = sl_xmalloc(sizeof(a));
			*f->asks[f->ask_count++] = a;
		}
	}
}

/* Is the query done with? Its socket is readable. */
static bool take_reply(struct sl_forward *f, const struct ask *a)
{
	uint8_t *msg = f->msg;
	ssize_t n = recv(a->fd, msg, sizeof(f->msg), MSG_DONTWAIT);

	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return false;
		answer_without(a, SL_DNS_SERVFAIL);
		return true;
	}
	if (!sl_dns_reply_matches(msg, (size_t)n, &a->sent))
		return false;
	sl_names_add_reply(f->names, msg, (size_t)n);
	sl_dns_reply_readdress(msg, &a->asked);
	answer(a, msg, (size_t)n);
	return true;
}

static void take_connection(struct sl_forward *f, const struct front *front)
{
	struct sl_nameserver client = {.len = sizeof(client.in6)};
	int fd = accept4(front->tcp, &client.any, &client.len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (f->session_count == SESSIONS_MAX) {
		sl_close(fd);
		return;
	}
	f->clients[f->session_count] = client;
	f->sessions[f->session_count++] = sl_forward_tcp_new(fd, &front->server);
}

/* polled: of each in turn. What is moved was looked at. */
static void serve_asks(struct sl_forward *f, const struct pollfd *polled)
{
	int64_t now_ms = f->ask_count ? sl_now_ms() : 0;

	for (size_t i = f->ask_count; i-- > 0;) {
		bool late = now_ms >= f->asks[i]->deadline_ms;

		if (!late && !(polled[i].revents && take_reply(f, f->asks[i])))
			continue;
		sl_close(f->asks[i]->fd);
		free(f->asks[i]);
		f->asks[i] = f->asks[--f->ask_count];
	}
}

static void serve_sessions(struct sl_forward *f)
{
	for (size_t i = f->session_count; i-- > 0;) {
		struct sl_forward_tcp *s = f->sessions[i];

		/* The connection is there before its end is admitted, but nothing is written to it before. */
		if ((sl_forward_tcp_is_silent(s) ||
		     (is_admitted(f, SOCK_STREAM, &f->clients[i]) && sl_forward_tcp_serve(s, f->names))) &&
		    sl_forward_tcp_active_ms(s) + IDLE_MS > sl_now_ms())
			continue;
		sl_forward_tcp_free(s);
		f->sessions[i] = f->sessions[--f->session_count];
		f->clients[i] = f->clients[f->session_count];
	}
}

static size_t fronts_of(struct sl_forward *f, struct front *ret[FRONTS_MAX])
{
	size_t count;

	pthread_mutex_lock(&f->lock);
	count = f->front_count;
	memcpy(ret, f->fronts, count * sizeof(*ret));
	pthread_mutex_unlock(&f->lock);
	return count;
}

static void *forward_main(void *arg)
{
	struct sl_forward *f = arg;
	struct pollfd fds[1 + 2 * FRONTS_MAX + ASKS_MAX + SESSIONS_MAX];
	struct front *fronts[FRONTS_MAX];

	while (!__atomic_load_n(&f->stop, __ATOMIC_ACQUIRE)) {
		size_t count = 0, front_count = fronts_of(f, fronts);
		eventfd_t value;

		fds[count++] = (struct pollfd){.fd = f->wake, .events = POLLIN};
		for (size_t i = 0; i < front_count; i++) {
			fds[count++] = (struct pollfd){.fd = fronts[i]->udp, .events = POLLIN};
			fds[count++] = (struct pollfd){.fd = fronts[i]->tcp, .events = POLLIN};
		}
		for (size_t i = 0; i < f->ask_count; i++)
			fds[count++] = (struct pollfd){.fd = f->asks[i]->fd, .events = POLLIN};
		for (size_t i = 0; i < f->session_count; i++)
			fds[count++] = sl_forward_tcp_poll(f->sessions[i]);
		/* With nothing under way there is no deadline to look after. */
		if (poll(fds, count, f->ask_count || f->session_count ? 1000 : -1) < 0 && errno != EINTR)
			break;
		if (fds[0].revents)
			eventfd_read(f->wake, &value);
		serve_asks(f, fds + 1 + 2 * front_count);
		serve_sessions(f);
		for (size_t i = 0; i < front_count; i++) {
			if (fds[1 + 2 * i].revents)
				take_queries(f, fronts[i]);
			if (fds[2 + 2 * i].revents)
				take_connection(f, fronts[i]);
		}
	}
	return NULL;
}

/* A socket bound to the loopback interface; its address in *ret. */
static int bound_socket(int family, int type, struct sl_nameserver *ret)
{
	SL_CLOSE int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	memset(ret, 0, sizeof(*ret));
	ret->any.sa_family = (sa_family_t)family;
	ret->len = family == AF_INET ? sizeof(ret->in) : sizeof(ret->in6);
	if (family == AF_INET)
		ret->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		ret->in6.sin6_addr = in6addr_loopback;
	if (bind(fd, &ret->any, ret->len) < 0 || getsockname(fd, &ret->any, &ret->len) < 0)
		return -errno;
	if (type == SOCK_STREAM && listen(fd, SESSIONS_MAX) < 0)
		return -errno;
	return SL_TAKE_FD(fd);
}

/* Open a front's sockets. Where the machine has no IPv6 on the loopback interface they are IPv4. */
static int front_open(struct front *front)
{
	int families[] = {front->server.any.sa_family, AF_INET};

	for (size_t i = 0; i < SL_ARRAY_LEN(families); i++) {
		front->udp = sl_close(front->udp);
		front->udp = bound_socket(families[i], SOCK_DGRAM, &front->udp_name);
		front->tcp =
		    front->udp < 0 ? front->udp : bound_socket(families[i], SOCK_STREAM, &front->tcp_name);
		if (front->tcp >= 0)
			return 0;
	}
	return front->tcp;
}

/* The nameserver's front, made at its first use. With the lock held. */
static int front_get(struct sl_forward *f, const struct sl_nameserver *server, struct front **ret)
{
	struct front *front;
	int r;

	for (size_t i = 0; i < f->front_count; i++)
		if (f->fronts[i]->server.len == server->len &&
		    !memcmp(&f->fronts[i]->server.any, &server->any, server->len)) {
			*ret = f->fronts[i];
			return 0;
		}
	if (f->front_count == FRONTS_MAX)
		return -ENOBUFS;
	front = sl_xcalloc(1, sizeof(*front));
	front->server = *server;
	front->udp = front->tcp = -EBADF;
	r = front_open(front);
	if (r < 0) {
		front_free(front);
		return r;
	}
	f->fronts[f->front_count++] = front;
	*ret = front;
	return 1;
}

static int start(struct sl_forward *f)
{
	int r;

	if (f->running)
		return 0;
	f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->wake < 0)
		return -errno;
	r = sl_thread_start(&f->thread, forward_main, f);
	f->running = r == 0;
	return r;
}

/* Write an IPv4 address as a socket of the other family has it. */
static void map_to_ipv6(struct sl_nameserver *a)
{
	struct sockaddr_in in = a->in;

	memset(a, 0, sizeof(*a));
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = in.sin_port;
	a->in6.sin6_addr.s6_addr[10] = a->in6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(a->in6.sin6_addr.s6_addr + 12, &in.sin_addr, sizeof(in.sin_addr));
	a->len = sizeof(a->in6);
}

int sl_forward_stand_in(struct sl_forward *f, const struct sl_nameserver *server, int family, int type,
			struct sl_nameserver *ret)
{
	struct front *front;
	int r;

	pthread_mutex_lock(&f->lock);
	r = start(f);
	if (r >= 0)
		r = front_get(f, server, &front);
	if (r >= 0) {
		*ret = type == SOCK_STREAM ? front->tcp_name : front->udp_name;
		if (family == AF_INET6 && ret->any.sa_family == AF_INET)
			map_to_ipv6(ret);
	}
	pthread_mutex_unlock(&f->lock);
	if (r > 0)
		wake(f);
	return SL_MIN(r, 0);
}

int sl_forward_admit(struct sl_forward *f, int fd)
{
	struct sl_nameserver name = {.len = sizeof(name.in6)};
	int type = SOCK_DGRAM;
	socklen_t size = sizeof(type);
	uint16_t port;
	uint8_t *byte;

	if (getsockname(fd, &name.any, &name.len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -errno;
	port = port_of(&name);
	byte = &f->admitted[type == SOCK_STREAM][port / 8];
	pthread_mutex_lock(&f->lock);
	*byte = (uint8_t)(*byte | 1U << port % 8);
	pthread_mutex_unlock(&f->lock);
	return 0;
}

bool sl_forward_stands_for(struct sl_forward *f, const struct sockaddr *addr, socklen_t len,
			   struct sl_nameserver *ret)
{
	struct sl_nameservers names;
	bool found = false;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->front_count && !found; i++) {
		names.list[0] = f->fronts[i]->udp_name;
		names.list[1] = f->fronts[i]->tcp_name;
		names.count = 2;
		if (sl_nameservers_find(&names, addr, len) < 0)
			continue;
		*ret = f->fronts[i]->server;
		if (addr->sa_family == AF_INET6 && ret->any.sa_family == AF_INET)
			map_to_ipv6(ret);
		found = true;
	}
	pthread_mutex_unlock(&f->lock);
	return found;
}
