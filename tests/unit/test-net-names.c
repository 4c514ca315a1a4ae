/* Unit tests of net/names.h. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "net/names.h"

static struct in6_addr addr(const char *text)
{
	struct in6_addr a;
	char mapped[64];

	snprintf(mapped, sizeof(mapped), "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
	ck_assert_int_eq(inet_pton(AF_INET6, mapped, &a), 1);
	return a;
}

static struct sl_dns_query query(const char *name, uint16_t type)
{
	struct sl_dns_query q;

	ck_assert_int_eq(sl_dns_query_init(&q, name, type, 1), 0);
	return q;
}

static bool may_ask(struct sl_names *n, const char *name)
{
	struct sl_dns_query q = query(name, SL_DNS_A);

	return sl_names_may_ask(n, &q);
}

static bool is(struct sl_names *n, const char *name, const char *address)
{
	struct in6_addr a = addr(address);

	return sl_names_is_host(n, name, &a);
}

/* A reply to `name` whose answer is a chain of the following names (until NULL), the last of which has the
 * address (unless NULL). */
static void reply(struct sl_names *n, const char *name, const char *const *chain, const char *address)
{
	struct sl_dns_query q = query(name, SL_DNS_A), other;
	uint8_t msg[4096];
	size_t len, count = 0;
	uint8_t owner[SL_DNS_WIRE_MAX];
	size_t owner_len = q.wire_len;

	q.edns = false;
	len = sl_dns_reply_write(&q, SL_DNS_NOERROR, msg);
	memcpy(owner, q.wire, q.wire_len);
	for (;; chain++) {
		bool last = !chain || !*chain;
		struct in6_addr a;

		if (last && !address)
			break;
		memcpy(msg + len, owner, owner_len);
		len += owner_len;
		memcpy(msg + len, last ? "\0\1\0\1\0\0\0\1\0\4" : "\0\5\0\1\0\0\0\1\0", 10);
		len += 10;
		count++;
		if (last) {
			a = addr(address);
			memcpy(msg + len, a.s6_addr + 12, 4);
			len += 4;
			break;
		}
		other = query(*chain, SL_DNS_A);
		msg[len - 1] = (uint8_t)other.wire_len;
		memcpy(msg + len, other.wire, other.wire_len);
		len += other.wire_len;
		memcpy(owner, other.wire, other.wire_len);
		owner_len = other.wire_len;
	}
	msg[7] = (uint8_t)count;
	sl_names_add_reply(n, msg, len);
}

static void expect(struct sl_strv *got, const char *joined)
{
	SL_STRBUF text = SL_STRBUF_INIT;

	sl_strv_sort_unique(got);
	for (size_t i = 0; i < got->len; i++)
		sl_strbuf_addf(&text, "%s%s", i ? " " : "", got->items[i]);
	ck_assert_str_eq(sl_strbuf_str(&text), joined);
	sl_strv_release(got);
}

START_TEST(granted_only)
{
	struct sl_names *n = sl_names_new(false);
	struct sl_strv all = SL_STRV_INIT;

	sl_names_grant(n, "Registry.Example.");
	sl_names_grant(n, "registry.example");
	sl_names_grant(n, "not a name");
	ck_assert(may_ask(n, "registry.EXAMPLE"));
	ck_assert(!may_ask(n, "example"));
	ck_assert(!may_ask(n, "x.registry.example"));
	ck_assert(!may_ask(n, "registry.example.evil"));
	ck_assert(!may_ask(n, ""));
	reply(n, "registry.example", NULL, "192.0.2.1");
	reply(n, "registry.example", NULL, "192.0.2.2");
	reply(n, "evil.example", NULL, "192.0.2.3");
	ck_assert(is(n, "REGISTRY.example", "192.0.2.1"));
	ck_assert(is(n, "registry.example.", "192.0.2.2"));
	ck_assert(!is(n, "registry.example", "192.0.2.3"));
	ck_assert(!is(n, "evil.example", "192.0.2.3"));
	sl_names_granted(n, &all);
	expect(&all, "registry.example");
	sl_names_free(n);
}
END_TEST

START_TEST(chains)
{
	static const char *const chain[] = {"edge.cdn", "pop7.cdn", NULL};
	struct sl_names *n = sl_names_new(false);

	sl_names_grant(n, "www.example");
	ck_assert(!may_ask(n, "pop7.cdn"));
	reply(n, "www.example", chain, "192.0.2.9");
	ck_assert(is(n, "www.example", "192.0.2.9"));
	/* The targets may be asked for, and what they give is the name's. */
	ck_assert(may_ask(n, "edge.cdn"));
	ck_assert(may_ask(n, "pop7.cdn"));
	ck_assert(!may_ask(n, "cdn"));
	reply(n, "pop7.cdn", NULL, "192.0.2.10");
	ck_assert(is(n, "www.example", "192.0.2.10"));
	sl_names_free(n);
}
END_TEST

/* Records about others than the chain of the question count for nobody. */
START_TEST(strangers_in_an_answer)
{
	static const char *const chain[] = {"edge.cdn", NULL};
	struct sl_names *n = sl_names_new(false);
	struct sl_dns_query q = query("a.example", SL_DNS_A), b = query("b.example", SL_DNS_A);
	uint8_t msg[512];
	size_t len;

	sl_names_grant(n, "a.example");
	sl_names_grant(n, "b.example");
	q.edns = false;
	len = sl_dns_reply_write(&q, SL_DNS_NOERROR, msg);
	memcpy(msg + len, b.wire, b.wire_len);
	len += b.wire_len;
	memcpy(msg + len, "\0\1\0\1\0\0\0\1\0\4\xc0\0\2\1", 14);
	len += 14;
	msg[7] = 1;
	sl_names_add_reply(n, msg, len);
	ck_assert(!is(n, "a.example", "192.0.2.1"));
	ck_assert(!is(n, "b.example", "192.0.2.1"));
	/* A failure gives nothing, whatever it carries. */
	reply(n, "a.example", chain, NULL);
	msg[3] |= SL_DNS_NXDOMAIN;
	sl_names_add_reply(n, msg, len);
	ck_assert(!is(n, "a.example", "192.0.2.1"));
	sl_names_free(n);
}
END_TEST

START_TEST(reverse)
{
	struct sl_names *n = sl_names_new(false);

	sl_names_grant(n, "a.example");
	ck_assert(!may_ask(n, "4.2.0.192.in-addr.arpa"));
	reply(n, "a.example", NULL, "192.0.2.4");
	ck_assert(may_ask(n, "4.2.0.192.in-addr.arpa"));
	ck_assert(!may_ask(n, "5.2.0.192.in-addr.arpa"));
	ck_assert(!may_ask(n, "4.2.0.192.x.in-addr.arpa"));
	ck_assert(!may_ask(n, "in-addr.arpa"));
	sl_names_add_hosts(n, "2001:db8::ab a.example\n", 23);
	ck_assert(may_ask(n, "b.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"));
	ck_assert(!may_ask(n, "b.b.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"));
	sl_names_free(n);
}
END_TEST

START_TEST(hosts_file)
{
	static const char text[] = "# 192.0.2.7 a.example\n"
				   "192.0.2.1\tfirst A.example # b.example\r\n"
				   "nonsense a.example\n"
				   "2001:db8::1 a.example\n"
				   "192.0.2.2 other\n"
				   "192.0.2.3";
	struct sl_names *n = sl_names_new(false);

	sl_names_grant(n, "a.example");
	sl_names_grant(n, "b.example");
	sl_names_grant(n, "localhost");
	sl_names_add_hosts(n, text, sizeof(text) - 1);
	ck_assert(is(n, "a.example", "192.0.2.1"));
	ck_assert(is(n, "a.example", "2001:db8::1"));
	ck_assert(!is(n, "a.example", "192.0.2.7"));
	ck_assert(!is(n, "b.example", "192.0.2.1"));
	ck_assert(!is(n, "other", "192.0.2.2"));
	ck_assert(is(n, "localhost", "127.0.0.1"));
	ck_assert(is(n, "localhost", "::1"));
	sl_names_free(n);
}
END_TEST

START_TEST(learning)
{
	static const char *const chain[] = {"edge.cdn", NULL};
	static const char text[] = "192.0.2.1 one uno\n192.0.2.1 two\n127.0.0.9 loop\n";
	struct sl_names *n = sl_names_new(true);
	struct sl_strv got = SL_STRV_INIT;
	struct in6_addr a = addr("192.0.2.1"), loop = addr("127.0.0.9");

	sl_names_add_hosts(n, text, sizeof(text) - 1);
	sl_names_of(n, &a, &got);
	expect(&got, "one");
	sl_names_of(n, &loop, &got);
	expect(&got, "");
	/* A look-up tells more than the file; every name whose answer gave the address is one. */
	ck_assert(may_ask(n, "www.example"));
	ck_assert(may_ask(n, "also.example"));
	ck_assert(may_ask(n, "nothing.example"));
	ck_assert(may_ask(n, "1.2.0.192.in-addr.arpa"));
	reply(n, "www.example", chain, "192.0.2.1");
	reply(n, "also.example", NULL, "192.0.2.1");
	reply(n, "nothing.example", NULL, NULL);
	reply(n, "1.2.0.192.in-addr.arpa", NULL, "192.0.2.99");
	sl_names_of(n, &a, &got);
	expect(&got, "also.example www.example");
	sl_names_answered(n, &got);
	expect(&got, "also.example www.example");
	sl_names_free(n);
}
END_TEST

/* Many names and many addresses: all are found again. */
START_TEST(many)
{
	struct sl_names *n = sl_names_new(false);
	char name[32], address[32];

	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		sl_names_grant(n, name);
	}
	for (int i = 0; i < 3000; i += 7) {
		snprintf(name, sizeof(name), "n%d.example", i);
		snprintf(address, sizeof(address), "10.0.%d.%d", i / 256, i % 256);
		reply(n, name, NULL, address);
	}
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		snprintf(address, sizeof(address), "10.0.%d.%d", i / 256, i % 256);
		ck_assert(may_ask(n, name));
		ck_assert_int_eq(is(n, name, address), i % 7 == 0);
	}
	for (int i = 0; i < 5000; i++) {
		snprintf(address, sizeof(address), "10.1.%d.%d", i / 256, i % 256);
		reply(n, "n1.example", NULL, address);
	}
	ck_assert(is(n, "n1.example", "10.1.15.255"));
	ck_assert(!is(n, "n1.example", "10.1.16.0")); /* the bound: 4096 */
	sl_names_free(n);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net-names");
	TCase *t = tcase_create("names");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, granted_only);
	tcase_add_test(t, chains);
	tcase_add_test(t, strangers_in_an_answer);
	tcase_add_test(t, reverse);
	tcase_add_test(t, hosts_file);
	tcase_add_test(t, learning);
	tcase_add_test(t, many);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
