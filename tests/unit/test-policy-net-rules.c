/* test-policy-net-rules.c - network rules as tables: what entries grant which peer, port and socket. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy/net-rules.h"

/* Entries are separated by spaces. */
static void add_all(struct sl_list *list, const char *entries)
{
	SL_FREE char *copy = sl_xstrdup(entries);
	char *state = NULL;

	for (char *word = strtok_r(copy, " ", &state); word; word = strtok_r(NULL, " ", &state))
		sl_list_add(list, word, 0);
}

static void compile(const char *allow, const char *deny, const char *bind, const char *deny_bind,
		    const char *sockets, struct sl_net_rules *ret)
{
	struct sl_error err = SL_ERROR_INIT;
	struct sl_profile p;

	sl_profile_init(&p, 2);
	add_all(&p.network.allow, allow);
	add_all(&p.network.deny, deny);
	add_all(&p.network.allow_bind, bind);
	add_all(&p.network.deny_bind, deny_bind);
	add_all(&p.network.unix_sockets, sockets);
	ck_assert_msg(sl_net_rules_compile(&p, ret, &err) == 0, "%s", err.text);
	sl_profile_release(&p);
}

static struct in6_addr address_of(const char *text)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, text, &four) == 1)
		return sl_net_fold4(four);
	ck_assert_int_eq(inet_pton(AF_INET6, text, &six), 1);
	return six;
}

/* registry.example has 192.0.2.7 and 2001:db8::7. */
static bool is_host(void *arg, const char *host, const struct in6_addr *address)
{
	struct in6_addr four = address_of("192.0.2.7"), six = address_of("2001:db8::7");

	(void)arg;
	return !strcmp(host, "registry.example") &&
	       (!memcmp(address, &four, 16) || !memcmp(address, &six, 16));
}

#define TCP  SL_NET_TCP
#define UDP  SL_NET_UDP
#define ICMP SL_NET_ICMP

static const struct {
	const char *allow, *deny;
	enum sl_net_protocol protocol;
	const char *address;
	uint16_t port;
	bool allowed;
} peers[] = {
    {"", "", TCP, "127.0.0.1", 80, false},
    {"tcp://127.0.0.1:80", "", TCP, "127.0.0.1", 80, true},
    {"tcp://127.0.0.1:80", "", TCP, "127.0.0.1", 81, false},
    {"tcp://127.0.0.1:80", "", TCP, "127.0.0.2", 80, false},
    {"tcp://127.0.0.1:80", "", UDP, "127.0.0.1", 80, false},
    {"udp://127.0.0.1:80", "", TCP, "127.0.0.1", 80, false},
    {"127.0.0.1:80", "", TCP, "127.0.0.1", 80, true},
    {"127.0.0.1:80", "", UDP, "127.0.0.1", 80, true},
    {"127.0.0.1:80", "", ICMP, "127.0.0.1", 0, false},
    {"icmp://127.0.0.1", "", ICMP, "127.0.0.1", 0, true},
    {"icmp://127.0.0.1", "", TCP, "127.0.0.1", 80, false},
    /* v4-mapped is IPv4, on either side */
    {"tcp://127.0.0.1:80", "", TCP, "::ffff:127.0.0.1", 80, true},
    {"tcp://[::ffff:127.0.0.1]:80", "", TCP, "127.0.0.1", 80, true},
    {"tcp://[::ffff:127.0.0.0/104]:80", "", TCP, "127.9.9.9", 80, true},
    {"tcp://127.0.0.1:80", "", TCP, "::1", 80, false},
    {"tcp://[::1]:80", "", TCP, "::1", 80, true},
    {"tcp://[::1]:80", "", TCP, "127.0.0.1", 80, false},
    {"tcp://::1", "", TCP, "::1", 9, true},
    /* networks */
    {"tcp://10.0.0.0/8:443", "", TCP, "10.255.1.2", 443, true},
    {"tcp://10.0.0.0/8:443", "", TCP, "11.0.0.1", 443, false},
    {"10.0.0.0/9", "", TCP, "10.127.0.1", 1, true},
    {"10.0.0.0/9", "", TCP, "10.128.0.1", 1, false},
    {"0.0.0.0/0", "", TCP, "8.8.8.8", 1, true},
    {"0.0.0.0/0", "", TCP, "2001:db8::1", 1, false},
    {"[2001:db8::/33]:9", "", TCP, "2001:db8:7fff::1", 9, true},
    {"[2001:db8::/33]:9", "", TCP, "2001:db8:8000::1", 9, false},
    {"::/0", "", TCP, "127.0.0.1", 9, true},
    /* ports */
    {"tcp://*:80,443", "", TCP, "1.2.3.4", 443, true},
    {"tcp://*:80,443", "", TCP, "1.2.3.4", 444, false},
    {"tcp://:8000-8010", "", TCP, "::5", 8010, true},
    {"tcp://:8000-8010", "", TCP, "::5", 8011, false},
    {"tcp://*:*", "", TCP, "1.2.3.4", 1, true},
    {"*", "", UDP, "1.2.3.4", 1, true},
    /* host names */
    {"tcp://registry.example:443", "", TCP, "192.0.2.7", 443, true},
    {"tcp://REGISTRY.Example.:443", "", TCP, "2001:db8::7", 443, true},
    {"tcp://registry.example:443", "", TCP, "192.0.2.7", 80, false},
    {"tcp://registry.example:443", "", TCP, "192.0.2.8", 443, false},
    {"tcp://other.example:443", "", TCP, "192.0.2.7", 443, false},
    /* deny */
    {"", "10.0.0.0/8", TCP, "10.1.1.1", 80, false},
    {"", "10.0.0.0/8", TCP, "::ffff:10.1.1.1", 80, false},
    {"", "10.0.0.0/8", TCP, "11.1.1.1", 80, true},
    {"", "10.0.0.0/8", UDP, "11.1.1.1", 80, true},
    {"", "10.0.0.0/8", ICMP, "11.1.1.1", 0, true},
    {"", "tcp://10.0.0.0/8:80", TCP, "10.1.1.1", 81, true},
    {"", "*", TCP, "10.1.1.1", 81, false},
    {"tcp://*", "10.0.0.0/8", TCP, "10.1.1.1", 81, false},
    {"tcp://*", "10.0.0.0/8", TCP, "11.1.1.1", 81, true},
    {"tcp://*", "10.0.0.0/8", UDP, "11.1.1.1", 81, false},
    {"tcp://registry.example:443", "192.0.2.0/24", TCP, "192.0.2.7", 443, false},
};

START_TEST(reach)
{
	SL_CLEANUP(sl_net_rules_release) struct sl_net_rules r = SL_NET_RULES_INIT;
	struct sl_net_peer p = {peers[_i].protocol, address_of(peers[_i].address), peers[_i].port};
	bool allowed;

	compile(peers[_i].allow, peers[_i].deny, "", "", "", &r);
	allowed = sl_net_allows(&r, &p, is_host, NULL, NULL);
	ck_assert_msg(allowed == peers[_i].allowed, "allow \"%s\" deny \"%s\": %s %u gives %d",
		      peers[_i].allow, peers[_i].deny, peers[_i].address, peers[_i].port, allowed);
}
END_TEST

static const struct {
	const char *allow, *deny;
	uint16_t port;
	bool allowed;
} binds[] = {
    {"", "", 80, false},     {"", "", 0, false},	 {"80", "", 80, true},	    {"80", "", 0, false},
    {"0", "", 0, true},	     {"0", "", 40000, false},	 {"*", "", 0, true},	    {"*", "", 65535, true},
    {"90-95", "", 95, true}, {"90-95", "", 96, false},	 {"", "80", 80, false},	    {"", "80", 81, true},
    {"", "80", 0, true},     {"70-90", "80", 80, false}, {"70-90", "80", 81, true},
};

START_TEST(bind_port)
{
	SL_CLEANUP(sl_net_rules_release) struct sl_net_rules r = SL_NET_RULES_INIT;

	compile("", "", binds[_i].allow, binds[_i].deny, "", &r);
	ck_assert_int_eq(sl_net_allows_bind(&r, binds[_i].port), binds[_i].allowed);
}
END_TEST

START_TEST(sockets)
{
	SL_CLEANUP(sl_net_rules_release) struct sl_net_rules r = SL_NET_RULES_INIT;

	compile("", "", "", "", "/nonexistent/s /proc/sys @name", &r);
	ck_assert(sl_net_allows_socket(&r, "/nonexistent/s"));
	ck_assert(!sl_net_allows_socket(&r, "/nonexistent/sx"));
	ck_assert(sl_net_allows_socket(&r, "/proc/sys/a/b"));
	ck_assert(!sl_net_allows_socket(&r, "/proc/system"));
	ck_assert(sl_net_allows_socket(&r, "@name"));
	ck_assert(!sl_net_allows_socket(&r, "@nam"));
	ck_assert(!sl_net_allows_socket(&r, "@name2"));
}
END_TEST

START_TEST(texts)
{
	static const struct {
		struct sl_net_peer peer;
		const char *address, *text;
	} rows[] = {
	    {{SL_NET_TCP, {{{0}}}, 443}, "::1", "tcp://[::1]:443"},
	    {{SL_NET_UDP, {{{0}}}, 53}, "192.0.2.1", "udp://192.0.2.1:53"},
	    {{SL_NET_ICMP, {{{0}}}, 0}, "192.0.2.1", "icmp://192.0.2.1"},
	    {{SL_NET_ICMP, {{{0}}}, 0}, "2001:db8::1", "icmp://2001:db8::1"},
	};

	for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
		struct sl_net_peer peer = rows[i].peer;
		SL_STRBUF text = SL_STRBUF_INIT;
		SL_CLEANUP(sl_net_rules_release) struct sl_net_rules r = SL_NET_RULES_INIT;

		peer.address = address_of(rows[i].address);
		sl_net_peer_text(&text, &peer);
		ck_assert_str_eq(sl_strbuf_str(&text), rows[i].text);
		/* The text as an entry grants the peer. */
		compile(rows[i].text, "", "", "", "", &r);
		ck_assert(sl_net_allows(&r, &peer, NULL, NULL, NULL));
	}
}
END_TEST

START_TEST(hosts)
{
	SL_CLEANUP(sl_net_rules_release) struct sl_net_rules r = SL_NET_RULES_INIT;

	compile("tcp://a.example:1 udp://10.0.0.1", "", "", "", "", &r);
	ck_assert(sl_net_has_hosts(&r));
	ck_assert(sl_net_names_host(&r, "A.example."));
	ck_assert(!sl_net_names_host(&r, "a.exampl"));
	ck_assert(!sl_net_names_host(&r, "b.a.example"));
	ck_assert_uint_eq(sl_net_protocols(&r), SL_NET_TCP | SL_NET_UDP);
}
END_TEST

static const struct {
	const char *allow, *deny, *group;
	bool allowed;
} groups[] = {
    {"udp://239.1.2.3:5000", "", "239.1.2.3", true},
    {"udp://239.1.2.3:5000", "", "239.1.2.4", false},
    {"tcp://239.1.2.3:5000", "", "239.1.2.3", false},
    {"icmp://239.1.2.3", "", "239.1.2.3", false},
    {"udp://registry.example", "", "192.0.2.7", false},
    {"224.0.0.0/4:53", "", "239.1.2.4", true},
    {"*:53", "", "ff02::fb", true},
    {"udp://[ff02::fb]", "", "ff02::fb", true},
    {"udp://*", "239.0.0.0/8", "239.1.2.3", false},
    {"udp://*", "239.0.0.0/8:53", "239.1.2.3", true},
    {"udp://*", "tcp://239.0.0.0/8", "239.1.2.3", true},
    {"", "10.0.0.0/8", "239.1.2.3", true},
    {"", "224.0.0.0/4", "239.1.2.3", false},
    {"", "", "239.1.2.3", false},
};

START_TEST(N6_groups)
{
	SL_CLEANUP(sl_net_rules_release) struct sl_net_rules r = SL_NET_RULES_INIT;
	struct in6_addr group = address_of(groups[_i].group);

	compile(groups[_i].allow, groups[_i].deny, "", "", "", &r);
	ck_assert_int_eq(sl_net_allows_group(&r, &group), groups[_i].allowed);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy-net-rules");
	TCase *t = tcase_create("rules");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(t, N6_groups, 0, SL_ARRAY_LEN(groups));
	tcase_add_loop_test(t, reach, 0, (int)SL_ARRAY_LEN(peers));
	tcase_add_loop_test(t, bind_port, 0, (int)SL_ARRAY_LEN(binds));
	tcase_add_test(t, sockets);
	tcase_add_test(t, texts);
	tcase_add_test(t, hosts);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
