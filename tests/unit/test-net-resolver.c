/*
 * Unit tests of net/resolver.h, forward.h, lookup.h and nameservers.h, with a nameserver of the test's own on
 * the loopback interface: it knows every name below "example" and counts what it is asked.
 */
#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "net/resolver.h"

#define WAIT_MS 60000 /* an answer that is to come has come by then, however busy the machine is */

static struct {
	int udp, tcp;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock;
	char asked[64][SL_DNS_TEXT_MAX];
	uint16_t ids[64];
	size_t count, tcp_count;
	uint8_t last_byte; /* of the address that it answers with */
	char dir[64], resolv_conf[96], hosts[96];
} ns;

/* The answer to a query: 192.0.2.<last_byte>; over UDP "big" is cut. Names outside of "example" do not exist.
 */
static size_t make_reply(const uint8_t *msg, size_t len, bool tcp, uint8_t *out)
{
	struct sl_dns_query q;
	const char *top;

	ck_assert_int_eq(sl_dns_query_parse(msg, len, &q), 0);
	pthread_mutex_lock(&ns.lock);
	ck_assert_uint_lt(ns.count, SL_ARRAY_LEN(ns.asked));
	ns.ids[ns.count] = q.id;
	memcpy(ns.asked[ns.count++], q.name, sizeof(q.name));
	ns.tcp_count += tcp;
	q.edns = false;
	top = strrchr(q.name, '.');
	len = sl_dns_reply_write(&q, top && !strcmp(top, ".example") ? SL_DNS_NOERROR : SL_DNS_NXDOMAIN, out);
	if (!tcp && !strncmp(q.name, "big", 3)) {
		out[2] |= SL_DNS_TC >> 8;
	} else if (q.type == SL_DNS_A && !(out[3] & SL_DNS_RCODE)) {
		memcpy(out + len, "\xc0\x0c\0\1\0\1\0\0\0\1\0\4\xc0\0\2", 15);
		out[len + 15] = ns.last_byte;
		len += 16;
		out[7] = 1;
	}
	pthread_mutex_unlock(&ns.lock);
	return len;
}

static void serve_tcp(void)
{
	SL_CLOSE int fd = accept4(ns.tcp, NULL, NULL, SOCK_CLOEXEC);
	uint8_t in[1024], out[1024];
	size_t len;

	while (fd >= 0 && recv(fd, in, 2, MSG_WAITALL) == 2) {
		len = (size_t)in[0] << 8 | in[1];
		ck_assert_uint_le(len, sizeof(in));
		if (recv(fd, in, len, MSG_WAITALL) != (ssize_t)len)
			return;
		len = make_reply(in, len, true, out + 2);
		out[0] = (uint8_t)(len >> 8);
		out[1] = (uint8_t)len;
		ck_assert_int_eq(send(fd, out, len + 2, MSG_NOSIGNAL), (ssize_t)len + 2);
	}
}

static void *ns_main(void *arg)
{
	struct pollfd p[2] = {{.fd = ns.udp, .events = POLLIN}, {.fd = ns.tcp, .events = POLLIN}};

	(void)arg;
	while (poll(p, 2, -1) > 0) {
		uint8_t in[1024], out[1024];
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);

		if (p[0].revents) {
			ssize_t n = recvfrom(ns.udp, in, sizeof(in), 0, (struct sockaddr *)&from, &from_len);

			if (n == 0)
				return NULL; /* the end of the test */
			if (n > 0)
				sendto(ns.udp, out, make_reply(in, (size_t)n, false, out), 0,
				       (struct sockaddr *)&from, from_len);
		}
		if (p[1].revents)
			serve_tcp();
	}
	return NULL;
}

static void write_file(const char *path, const char *text)
{
	SL_FCLOSE FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
}

static struct sockaddr_in ns_addr(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(ns.port)};

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static struct sl_resolver *start(bool learn)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	struct sl_resolver_options o = {.learn = learn};

	memset(&ns, 0, sizeof(ns));
	pthread_mutex_init(&ns.lock, NULL);
	ns.last_byte = 1;
	/* A port that is free for both. */
	for (int i = 0; i < 100 && !ns.port; i++) {
		a = ns_addr();
		a.sin_port = 0;
		ns.udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		ns.tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ck_assert_int_eq(bind(ns.udp, (struct sockaddr *)&a, sizeof(a)), 0);
		ck_assert_int_eq(getsockname(ns.udp, (struct sockaddr *)&a, &len), 0);
		if (bind(ns.tcp, (struct sockaddr *)&a, sizeof(a)) == 0)
			ns.port = ntohs(a.sin_port);
	}
	ck_assert_uint_ne(ns.port, 0);
	ck_assert_int_eq(listen(ns.tcp, 8), 0);
	snprintf(ns.dir, sizeof(ns.dir), "/tmp/test-net-resolver-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(ns.dir));
	snprintf(ns.resolv_conf, sizeof(ns.resolv_conf), "%s/resolv.conf", ns.dir);
	snprintf(ns.hosts, sizeof(ns.hosts), "%s/hosts", ns.dir);
	write_file(ns.resolv_conf, "search example\nnameserver 127.0.0.1\n");
	write_file(ns.hosts, "192.0.2.77 host.example\n");
	ck_assert_int_eq(pthread_create(&ns.thread, NULL, ns_main, NULL), 0);
	o.resolv_conf = ns.resolv_conf;
	o.hosts = ns.hosts;
	o.port = ns.port;
	return sl_resolver_new(&o);
}

static void finish(struct sl_resolver *r)
{
	struct sockaddr_in a = ns_addr();
	SL_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	sl_resolver_free(r);
	sendto(fd, "", 0, 0, (struct sockaddr *)&a, sizeof(a));
	pthread_join(ns.thread, NULL);
	close(ns.udp);
	close(ns.tcp);
	unlink(ns.resolv_conf);
	unlink(ns.hosts);
	rmdir(ns.dir);
}

static size_t asked(const char *name)
{
	size_t n = 0;

	pthread_mutex_lock(&ns.lock);
	for (size_t i = 0; i < ns.count; i++)
		n += !name || !strcmp(ns.asked[i], name);
	pthread_mutex_unlock(&ns.lock);
	return n;
}

static bool is(struct sl_resolver *r, const char *name, const char *mapped)
{
	struct in6_addr a;

	ck_assert_int_eq(inet_pton(AF_INET6, mapped, &a), 1);
	return sl_names_is_host(sl_resolver_names(r), name, &a);
}

/* A socket as the program has it, connected to what stands for the nameserver. */
static int program_socket(struct sl_resolver *r, int family, int type)
{
	struct sockaddr_in a = ns_addr();
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = a.sin_port};
	struct sl_nameserver to;
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr), 1);
	if (family == AF_INET)
		ck_assert_int_eq(sl_resolver_stand_in(r, (struct sockaddr *)&a, sizeof(a), type, &to), 0);
	else
		ck_assert_int_eq(
		    sl_resolver_stand_in(r, (struct sockaddr *)&mapped, sizeof(mapped), type, &to), 0);
	ck_assert_int_eq(to.any.sa_family, family);
	ck_assert_int_eq(connect(fd, &to.any, to.len), 0);
	ck_assert_int_eq(sl_resolver_admit(r, fd), 0);
	return fd;
}

static size_t receive(int fd, void *out, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
	n = recv(fd, out, size, 0);
	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

/* Ask over a datagram socket: the rcode. */
static unsigned int ask(int fd, const char *name)
{
	struct sl_dns_query q;
	uint8_t msg[1024];
	size_t len;

	ck_assert_int_eq(sl_dns_query_init(&q, name, SL_DNS_A, 4711), 0);
	q.wire[1] = (uint8_t)(q.wire[1] & ~0x20); /* the asker's own case */
	len = sl_dns_query_write(&q, msg);
	ck_assert_int_eq(send(fd, msg, len, 0), (ssize_t)len);
	len = receive(fd, msg, sizeof(msg));
	ck_assert(sl_dns_reply_matches(msg, len, &q));
	ck_assert_int_eq(memcmp(msg + 12, q.wire, q.wire_len), 0);
	return sl_dns_flags(msg) & SL_DNS_RCODE;
}

static const int families[] = {AF_INET, AF_INET6};

START_TEST(forwards_granted_names)
{
	struct sl_resolver *r = start(false);
	SL_CLOSE int fd = -EBADF;

	sl_names_grant(sl_resolver_names(r), "www.example");
	fd = program_socket(r, families[_i], SOCK_DGRAM);
	ck_assert_uint_eq(ask(fd, "other.example"), SL_DNS_NXDOMAIN);
	ck_assert_uint_eq(asked(NULL), 0);
	ck_assert_uint_eq(ask(fd, "www.example"), SL_DNS_NOERROR);
	ck_assert_uint_eq(asked("www.example"), 1);
	ck_assert(is(r, "www.example", "::ffff:192.0.2.1"));
	ck_assert(!is(r, "www.example", "::ffff:192.0.2.2"));
	finish(r);
}
END_TEST

/* Another program of the machine gets nothing, and asks nobody. */
START_TEST(strangers)
{
	struct sl_resolver *r = start(false);
	struct sockaddr_in a = ns_addr();
	SL_CLOSE int mine = -EBADF, other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	SL_CLOSE int stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sl_nameserver to;
	struct sl_dns_query q;
	uint8_t msg[SL_DNS_QUERY_MAX];
	size_t len;

	sl_names_grant(sl_resolver_names(r), "www.example");
	mine = program_socket(r, AF_INET, SOCK_DGRAM);
	ck_assert_int_eq(sl_resolver_stand_in(r, (struct sockaddr *)&a, sizeof(a), SOCK_DGRAM, &to), 0);
	ck_assert_int_eq(sl_dns_query_init(&q, "www.example", SL_DNS_A, 1), 0);
	len = sl_dns_query_write(&q, msg);
	ck_assert_int_eq(sendto(other, msg, len, 0, &to.any, to.len), (ssize_t)len);
	/* What is sent later is answered: so the stranger's was seen before. */
	ck_assert_uint_eq(ask(mine, "x.example"), SL_DNS_NXDOMAIN);
	ck_assert_uint_eq(asked(NULL), 0);
	ck_assert_int_lt(recv(other, msg, sizeof(msg), MSG_DONTWAIT), 0);
	ck_assert_int_eq(sl_resolver_stand_in(r, (struct sockaddr *)&a, sizeof(a), SOCK_STREAM, &to), 0);
	ck_assert_int_eq(connect(stream, &to.any, to.len), 0);
	ck_assert_int_eq(send(stream, "\0\x1d", 2, 0), 2);
	ck_assert_int_le(recv(stream, msg, 1, 0), 0);
	ck_assert_uint_eq(asked(NULL), 0);
	finish(r);
}
END_TEST

static size_t ask_tcp(int fd, const char *name, uint8_t *msg, size_t size)
{
	struct sl_dns_query q;
	uint8_t out[2 + SL_DNS_QUERY_MAX];
	size_t len;

	ck_assert_int_eq(sl_dns_query_init(&q, name, SL_DNS_A, 9), 0);
	len = sl_dns_query_write(&q, out + 2);
	out[0] = 0;
	out[1] = (uint8_t)len;
	/* In two parts, as a stream may come. */
	ck_assert_int_eq(send(fd, out, 5, 0), 5);
	ck_assert_int_eq(send(fd, out + 5, len - 3, 0), (ssize_t)len - 3);
	ck_assert_int_eq(recv(fd, out, 2, MSG_WAITALL), 2);
	len = (size_t)out[0] << 8 | out[1];
	ck_assert_uint_le(len, size);
	ck_assert_int_eq(recv(fd, msg, len, MSG_WAITALL), (ssize_t)len);
	ck_assert(sl_dns_reply_matches(msg, len, &q));
	return len;
}

/* Several queries over one connection, a refused one between them; one that says it is longer than any ends
 * it. */
START_TEST(over_tcp)
{
	struct sl_resolver *r = start(false);
	SL_CLOSE int fd = -EBADF;
	uint8_t msg[1024];

	sl_names_grant(sl_resolver_names(r), "big.example");
	fd = program_socket(r, families[_i], SOCK_STREAM);
	for (int i = 0; i < 3; i++) {
		ask_tcp(fd, "big.example", msg, sizeof(msg));
		ck_assert_uint_eq(sl_dns_flags(msg) & SL_DNS_RCODE, SL_DNS_NOERROR);
		ask_tcp(fd, "evil.example", msg, sizeof(msg));
		ck_assert_uint_eq(sl_dns_flags(msg) & SL_DNS_RCODE, SL_DNS_NXDOMAIN);
	}
	ck_assert_uint_eq(asked(NULL), 3);
	ck_assert(is(r, "big.example", "::ffff:192.0.2.1"));
	ck_assert_int_eq(send(fd, "\xff\xff", 2, 0), 2);
	ck_assert_int_eq(recv(fd, msg, sizeof(msg), 0), 0);
	finish(r);
}
END_TEST

static pthread_mutex_t done_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done_cond = PTHREAD_COND_INITIALIZER;
static int done_count;

static void done(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&done_lock);
	done_count++;
	pthread_cond_signal(&done_cond);
	pthread_mutex_unlock(&done_lock);
}

static void wait_done(int count)
{
	pthread_mutex_lock(&done_lock);
	while (done_count < count)
		pthread_cond_wait(&done_cond, &done_lock);
	pthread_mutex_unlock(&done_lock);
}

/* The names' present addresses come from nameserver and hosts file; what was cut comes over TCP; right after
 * it there is nothing new. */
START_TEST(own_look_up)
{
	struct sl_resolver *r = start(false);
	struct sl_strv names = SL_STRV_INIT;

	for (const char *const *p =
		 (const char *const[]){"a.example", "big.example", "host.example", "none.invalid", NULL};
	     *p; p++) {
		sl_names_grant(sl_resolver_names(r), *p);
		sl_strv_add(&names, *p);
	}
	ck_assert_int_eq(sl_resolver_look_up(r, &names, done, NULL), 1);
	/* Who comes while it is under way waits for it. */
	ck_assert_int_eq(sl_resolver_look_up(r, &names, done, NULL), 1);
	wait_done(2);
	ck_assert(is(r, "a.example", "::ffff:192.0.2.1"));
	ck_assert(is(r, "big.example", "::ffff:192.0.2.1"));
	ck_assert(is(r, "host.example", "::ffff:192.0.2.77"));
	ck_assert(!is(r, "none.invalid", "::ffff:192.0.2.1"));
	ck_assert_uint_eq(ns.tcp_count, 2);
	ck_assert_uint_eq(asked("a.example"), 2);
	sl_strv_release(&names);
	finish(r);
}
END_TEST

/* A query that is sent to the nameserver's address: what leaves is made anew, and the table follows by
 * itself. */
START_TEST(unconnected_query)
{
	struct sl_resolver *r = start(false);
	struct sockaddr_in a = ns_addr();
	struct sl_dns_query q;
	struct sl_strv names = SL_STRV_INIT;
	uint8_t msg[SL_DNS_QUERY_MAX], out[SL_DNS_QUERY_MAX];
	size_t len, out_len;

	sl_names_grant(sl_resolver_names(r), "a.example");
	ck_assert(sl_resolver_is_nameserver(r, (struct sockaddr *)&a, sizeof(a)));
	a.sin_port = htons((uint16_t)(ns.port ^ 1));
	ck_assert(!sl_resolver_is_nameserver(r, (struct sockaddr *)&a, sizeof(a)));
	a = ns_addr();
	a.sin_addr.s_addr ^= htonl(2);
	ck_assert(!sl_resolver_is_nameserver(r, (struct sockaddr *)&a, sizeof(a)));
	ck_assert_int_eq(sl_dns_query_init(&q, "b.example", SL_DNS_A, 1), 0);
	len = sl_dns_query_write(&q, msg);
	ck_assert_int_eq(sl_resolver_check_query(r, msg, len, out, &out_len), -EACCES);
	ck_assert_int_eq(sl_dns_query_init(&q, "a.example", SL_DNS_A, 1), 0);
	len = sl_dns_query_write(&q, msg);
	ck_assert_int_eq(sl_resolver_check_query(r, msg, len - 1, out, &out_len), -EACCES);
	ck_assert_int_eq(sl_resolver_check_query(r, msg, len, out, &out_len), 0);
	ck_assert_uint_eq(len, out_len);
	ck_assert_int_eq(memcmp(msg, out, len), 0);
	/* A connect to what the program was told waits for our own look-up. */
	sl_strv_add(&names, "a.example");
	if (sl_resolver_look_up(r, &names, done, NULL) == 1)
		wait_done(1);
	ck_assert(is(r, "a.example", "::ffff:192.0.2.1"));
	ck_assert_uint_eq(asked("b.example"), 0);
	sl_strv_release(&names);
	finish(r);
}
END_TEST

/* What stands for a nameserver is told from everything else, in both families. */
START_TEST(stands_for)
{
	struct sl_resolver *r = start(false);
	SL_CLOSE int fd = program_socket(r, families[_i], SOCK_DGRAM);
	struct sl_nameserver peer = {.len = sizeof(peer.in6)}, back;
	struct sockaddr_in a = ns_addr();
	struct sl_nameservers list;

	ck_assert_int_eq(getpeername(fd, &peer.any, &peer.len), 0);
	ck_assert(!sl_resolver_is_nameserver(r, &peer.any, peer.len));
	ck_assert(sl_resolver_stands_for(r, &peer.any, peer.len, &back));
	ck_assert_int_eq(back.any.sa_family, families[_i]);
	ck_assert(sl_resolver_is_nameserver(r, &back.any, back.len));
	ck_assert(!sl_resolver_stands_for(r, (struct sockaddr *)&a, sizeof(a), &back));
	sl_nameservers_parse("", 0, 53, &list);
	ck_assert_uint_eq(list.count, 1);
	finish(r);
}
END_TEST

/* Learning: all may be asked; the names are remembered. */
START_TEST(learns)
{
	struct sl_resolver *r = start(true);
	SL_CLOSE int fd = program_socket(r, AF_INET, SOCK_DGRAM);
	struct sl_strv got = SL_STRV_INIT;
	struct in6_addr addr;

	ck_assert_uint_eq(ask(fd, "www.example"), SL_DNS_NOERROR);
	ck_assert_uint_eq(ask(fd, "www.nowhere"), SL_DNS_NXDOMAIN);
	ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:192.0.2.1", &addr), 1);
	sl_names_of(sl_resolver_names(r), &addr, &got);
	ck_assert_uint_eq(got.len, 1);
	ck_assert_str_eq(got.items[0], "www.example");
	sl_strv_release(&got);
	sl_names_answered(sl_resolver_names(r), &got);
	ck_assert_uint_eq(got.len, 1);
	sl_strv_release(&got);
	ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:192.0.2.77", &addr), 1);
	sl_names_of(sl_resolver_names(r), &addr, &got);
	ck_assert_uint_eq(got.len, 1);
	ck_assert_str_eq(got.items[0], "host.example");
	sl_strv_release(&got);
	finish(r);
}
END_TEST

/* A nameserver that is not there: the program hears at once, our own look-up goes on to the next. */
START_TEST(dead_nameserver)
{
	struct sl_resolver *r = start(false);
	struct sl_strv names = SL_STRV_INIT;
	struct sockaddr_in a = ns_addr();
	struct sl_nameserver to;
	SL_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	write_file(ns.resolv_conf, "# two\nnameserver 127.9.9.9\n nameserver\t127.0.0.1 # second\n");
	sl_names_grant(sl_resolver_names(r), "a.example");
	a.sin_addr.s_addr = htonl(0x7f090909);
	ck_assert_int_eq(sl_resolver_stand_in(r, (struct sockaddr *)&a, sizeof(a), SOCK_DGRAM, &to), 0);
	ck_assert_int_eq(connect(fd, &to.any, to.len), 0);
	ck_assert_int_eq(sl_resolver_admit(r, fd), 0);
	ck_assert_uint_eq(ask(fd, "a.example"), SL_DNS_SERVFAIL);
	ck_assert_uint_eq(asked(NULL), 0);
	sl_strv_add(&names, "a.example");
	ck_assert_int_eq(sl_resolver_look_up(r, &names, done, NULL), 1);
	wait_done(1);
	ck_assert(is(r, "a.example", "::ffff:192.0.2.1"));
	sl_strv_release(&names);
	finish(r);
}
END_TEST

static const struct {
	const char *text, *addresses; /* joined by spaces */
} conf_rows[] = {
    {"", "::ffff:127.0.0.1"},
    {"#nameserver 192.0.2.1\n;nameserver 192.0.2.1\n", "::ffff:127.0.0.1"},
    {"nameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver fe80::1%lo\n",
     "::ffff:192.0.2.1 2001:db8::1 fe80::1"},
    {"nameserver192.0.2.1\nnameserver nonsense\nnameserver 192.0.2.2\r\n", "::ffff:192.0.2.2"},
    {"nameserver 192.0.2.1;x\noptions edns0", "::ffff:192.0.2.1"},
};

START_TEST(resolv_conf)
{
	struct sl_nameservers list;
	SL_FREE char *copy = sl_xstrdup(conf_rows[_i].addresses);
	char *rest = copy, *word;
	size_t n = 0;

	sl_nameservers_parse(conf_rows[_i].text, strlen(conf_rows[_i].text), 53, &list);
	while ((word = strsep(&rest, " "))) {
		struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(53)};

		ck_assert_int_eq(inet_pton(AF_INET6, word, &a.sin6_addr), 1);
		ck_assert_int_eq(sl_nameservers_find(&list, (struct sockaddr *)&a, sizeof(a)), (int)n++);
	}
	ck_assert_uint_eq(list.count, n);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net-resolver");
	TCase *t = tcase_create("resolver");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, forwards_granted_names, 0, 2);
	tcase_add_test(t, strangers);
	tcase_add_loop_test(t, over_tcp, 0, 2);
	tcase_add_test(t, own_look_up);
	tcase_add_test(t, unconnected_query);
	tcase_add_loop_test(t, stands_for, 0, 2);
	tcase_add_test(t, learns);
	tcase_add_test(t, dead_nameserver);
	tcase_add_loop_test(t, resolv_conf, 0, (int)SL_ARRAY_LEN(conf_rows));
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
