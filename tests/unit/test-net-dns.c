/* Unit tests of net/dns.h. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/dns.h"

/* A message under construction. */
struct msg {
	uint8_t bytes[2048];
	size_t len;
};

static void add(struct msg *m, const void *bytes, size_t len)
{
	memcpy(m->bytes + m->len, bytes, len);
	m->len += len;
}

static void add16(struct msg *m, unsigned int v)
{
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	add(m, b, 2);
}

static void header(struct msg *m, unsigned int flags, unsigned int qd, unsigned int an, unsigned int ar)
{
	m->len = 0;
	add16(m, 0x1234);
	add16(m, flags);
	add16(m, qd);
	add16(m, an);
	add16(m, 0);
	add16(m, ar);
}

static void name(struct msg *m, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, ".");
		uint8_t byte = (uint8_t)len;

		add(m, &byte, 1);
		add(m, text, len);
		text += len + (text[len] == '.');
	}
	add(m, "", 1);
}

static void question(struct msg *m, const char *text, unsigned int type)
{
	name(m, text);
	add16(m, type);
	add16(m, 1);
}

/* Type, class, time, length and data of a record whose owner was written. */
static void record(struct msg *m, unsigned int type, const void *data, size_t len)
{
	add16(m, type);
	add16(m, 1);
	add16(m, 0);
	add16(m, 60);
	add16(m, (unsigned int)len);
	add(m, data, len);
}

static const char *text_of(const struct in6_addr *a)
{
	static char text[INET6_ADDRSTRLEN];

	return inet_ntop(AF_INET6, a, text, sizeof(text));
}

static const struct {
	const char *in, *out; /* NULL: refused */
} name_rows[] = {
    {"Registry.Example", "registry.example"},
    {"a.b.", "a.b"},
    {"_xmpp._tcp.x-1.org", "_xmpp._tcp.x-1.org"},
    {"localhost", "localhost"},
    {"", NULL},
    {".", NULL},
    {"a..b", NULL},
    {".a", NULL},
    {"a b", NULL},
    {"*.a", NULL},
    {"\xc3\xa4.de", NULL},
};

START_TEST(normalize)
{
	char out[SL_DNS_TEXT_MAX] = "kept";
	int r = sl_dns_name_normalize(name_rows[_i].in, out);

	if (name_rows[_i].out) {
		ck_assert_int_eq(r, 0);
		ck_assert_str_eq(out, name_rows[_i].out);
	} else {
		ck_assert_int_eq(r, -EINVAL);
		ck_assert_str_eq(out, "kept");
	}
}
END_TEST

/* The longest name is 253 letters; one more, or a label of 64, is none. */
START_TEST(lengths)
{
	char text[300], out[SL_DNS_TEXT_MAX];

	memset(text, 'a', sizeof(text));
	text[63] = text[127] = text[191] = '.';
	text[253] = '\0';
	ck_assert_int_eq(sl_dns_name_normalize(text, out), 0);
	ck_assert_str_eq(out, text);
	text[253] = 'a';
	text[254] = '\0';
	ck_assert_int_eq(sl_dns_name_normalize(text, out), -EINVAL);
	text[191] = 'a';
	text[200] = '\0';
	ck_assert_int_eq(sl_dns_name_normalize(text, out), -EINVAL);
}
END_TEST

START_TEST(query_round_trip)
{
	struct sl_dns_query q, back;
	uint8_t out[SL_DNS_QUERY_MAX];
	size_t len;

	ck_assert_int_eq(sl_dns_query_init(&q, "Host.Example", SL_DNS_AAAA, 77), 0);
	len = sl_dns_query_write(&q, out);
	ck_assert_int_eq(sl_dns_query_parse(out, len, &back), 0);
	ck_assert_str_eq(back.name, "host.example");
	ck_assert_uint_eq(back.id, 77);
	ck_assert_uint_eq(back.type, SL_DNS_AAAA);
	ck_assert_uint_eq(back.flags, SL_DNS_RD);
	ck_assert(back.edns);
	ck_assert_uint_eq(back.udp_size, 1232);
	/* Cut short anywhere, or with a byte too many, it is no query. */
	for (size_t n = 0; n < len; n++)
		ck_assert_int_eq(sl_dns_query_parse(out, n, &back), -EBADMSG);
	out[len] = 0;
	ck_assert_int_eq(sl_dns_query_parse(out, len + 1, &back), -EBADMSG);
}
END_TEST

/* EDNS options are read over and do not leave again. */
START_TEST(options_dropped)
{
	static const char option[] = "\0\x0a\0\x08secret!!";
	struct sl_dns_query q;
	uint8_t out[SL_DNS_QUERY_MAX];
	struct msg m;
	size_t len;

	header(&m, SL_DNS_RD | SL_DNS_AD, 1, 0, 1);
	question(&m, "a.b", SL_DNS_A);
	add(&m, "", 1);
	add16(&m, SL_DNS_OPT);
	add16(&m, 4096);
	add16(&m, 0);
	add16(&m, 0x8000);
	add16(&m, 12);
	add(&m, option, 12);
	ck_assert_int_eq(sl_dns_query_parse(m.bytes, m.len, &q), 0);
	ck_assert(q.dnssec_ok);
	ck_assert_uint_eq(q.udp_size, 4096);
	len = sl_dns_query_write(&q, out);
	ck_assert_uint_eq(len, m.len - 12);
	ck_assert_ptr_null(memmem(out, len, "secret", 6));
}
END_TEST

START_TEST(queries_refused)
{
	struct sl_dns_query q;
	struct msg m;

	header(&m, SL_DNS_QR, 1, 0, 0); /* a reply */
	question(&m, "a.b", SL_DNS_A);
	ck_assert_int_eq(sl_dns_query_parse(m.bytes, m.len, &q), -EBADMSG);
	header(&m, 0x2800, 1, 0, 0); /* an update */
	question(&m, "a.b", SL_DNS_A);
	ck_assert_int_eq(sl_dns_query_parse(m.bytes, m.len, &q), -EBADMSG);
	header(&m, 0, 2, 0, 0); /* two questions */
	question(&m, "a.b", SL_DNS_A);
	question(&m, "c.d", SL_DNS_A);
	ck_assert_int_eq(sl_dns_query_parse(m.bytes, m.len, &q), -EBADMSG);
	header(&m, 0, 1, 0, 0); /* a zone transfer */
	question(&m, "a.b", SL_DNS_AXFR);
	ck_assert_int_eq(sl_dns_query_parse(m.bytes, m.len, &q), -EBADMSG);
	header(&m, 0, 1, 0, 0); /* bytes that no host name has: it can be refused by an answer */
	question(&m, "a\x01.b", SL_DNS_A);
	ck_assert_int_eq(sl_dns_query_parse(m.bytes, m.len, &q), 0);
	ck_assert_str_eq(q.name, "");
	header(&m, 0, 1, 0, 0); /* a pointer to itself */
	add16(&m, 0xc00c);
	add16(&m, SL_DNS_A);
	add16(&m, 1);
	ck_assert_int_eq(sl_dns_query_parse(m.bytes, m.len, &q), -EBADMSG);
	header(&m, 0, 1, 0, 1); /* a record that is no OPT */
	question(&m, "a.b", SL_DNS_A);
	name(&m, "a.b");
	record(&m, 16, "\4data", 5);
	ck_assert_int_eq(sl_dns_query_parse(m.bytes, m.len, &q), -EBADMSG);
	header(&m, 0, 1, 0, 0); /* another class */
	name(&m, "a.b");
	add16(&m, 16);
	add16(&m, 3);
	ck_assert_int_eq(sl_dns_query_parse(m.bytes, m.len, &q), -EBADMSG);
}
END_TEST

/* A chain of names written with pointers, both kinds of address, a record of another type between them. */
START_TEST(answer)
{
	static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 7};
	struct sl_dns_reader r;
	struct sl_dns_record rec;
	struct sl_dns_query q;
	struct msg m;

	header(&m, SL_DNS_QR | SL_DNS_RD | SL_DNS_RA, 1, 4, 0);
	question(&m, "www.Example", SL_DNS_A);
	add16(&m, 0xc00c);
	record(&m, SL_DNS_CNAME, "\3cdn\xc0\x10", 6); /* cdn.Example */
	add16(&m, 0xc029);			      /* where "cdn" stands */
	record(&m, SL_DNS_A, "\xc0\x00\x02\x01", 4);
	add16(&m, 0xc00c);
	record(&m, 16, "\1x", 2);
	name(&m, "CDN.example");
	record(&m, SL_DNS_AAAA, v6, sizeof(v6));
	ck_assert_int_eq(sl_dns_reader_init(&r, m.bytes, m.len, &q), 0);
	ck_assert_str_eq(q.name, "www.example");
	ck_assert_int_eq(sl_dns_reader_next(&r, &rec), 1);
	ck_assert_str_eq(rec.owner, "www.example");
	ck_assert_str_eq(rec.target, "cdn.example");
	ck_assert_uint_eq(rec.addr_count, 0);
	ck_assert_int_eq(sl_dns_reader_next(&r, &rec), 1);
	ck_assert_str_eq(rec.owner, "cdn.example");
	ck_assert_uint_eq(rec.addr_count, 1);
	ck_assert_str_eq(text_of(&rec.addrs[0]), "::ffff:192.0.2.1");
	ck_assert_int_eq(sl_dns_reader_next(&r, &rec), 1);
	ck_assert_uint_eq(rec.addr_count, 0);
	ck_assert_int_eq(sl_dns_reader_next(&r, &rec), 1);
	ck_assert_str_eq(rec.owner, "cdn.example");
	ck_assert_str_eq(text_of(&rec.addrs[0]), "2001:db8::7");
	ck_assert_int_eq(sl_dns_reader_next(&r, &rec), 0);
	/* Cut short anywhere it ends in an error, never in a record that is not there. */
	for (size_t n = 0; n < m.len; n++) {
		uint8_t *exact = malloc(n ? n : 1);
		int got = 0, result;

		memcpy(exact, m.bytes, n);
		result = sl_dns_reader_init(&r, exact, n, NULL);
		while (result == 0 && (result = sl_dns_reader_next(&r, &rec)) == 1) {
			got++;
			result = 0;
		}
		ck_assert_int_eq(result, -EBADMSG);
		ck_assert_int_lt(got, 4);
		free(exact);
	}
}
END_TEST

START_TEST(hints)
{
	static const char data[] = "\0\x01\3cdn\7example\0"	    /* priority, target */
				   "\0\1\0\3\2h2"		    /* alpn */
				   "\0\4\0\x08\xc0\0\2\1\xc0\0\2\2" /* two IPv4 hints */
				   "\0\6\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1";
	struct sl_dns_reader r;
	struct sl_dns_record rec;
	struct msg m;

	header(&m, SL_DNS_QR, 1, 1, 0);
	question(&m, "h.example", SL_DNS_HTTPS);
	add16(&m, 0xc00c);
	record(&m, SL_DNS_HTTPS, data, sizeof(data) - 1);
	ck_assert_int_eq(sl_dns_reader_init(&r, m.bytes, m.len, NULL), 0);
	ck_assert_int_eq(sl_dns_reader_next(&r, &rec), 1);
	ck_assert_str_eq(rec.target, "cdn.example");
	ck_assert_uint_eq(rec.addr_count, 3);
	ck_assert_str_eq(text_of(&rec.addrs[1]), "::ffff:192.0.2.2");
	ck_assert_str_eq(text_of(&rec.addrs[2]), "2001:db8::1");
}
END_TEST

/* More hints than are taken, and parameters that run past their record. */
START_TEST(hints_bounded)
{
	struct sl_dns_reader r;
	struct sl_dns_record rec;
	uint8_t data[3 + 4 + 4 * 40] = {0, 1, 0, 0, 4, 0, 160};
	struct msg m;

	header(&m, SL_DNS_QR, 1, 1, 0);
	question(&m, "h.example", SL_DNS_HTTPS);
	add16(&m, 0xc00c);
	record(&m, SL_DNS_HTTPS, data, sizeof(data));
	ck_assert_int_eq(sl_dns_reader_init(&r, m.bytes, m.len, NULL), 0);
	ck_assert_int_eq(sl_dns_reader_next(&r, &rec), 1);
	ck_assert_uint_eq(rec.addr_count, SL_DNS_ADDRS_MAX);
	data[6] = 161;
	header(&m, SL_DNS_QR, 1, 1, 0);
	question(&m, "h.example", SL_DNS_HTTPS);
	add16(&m, 0xc00c);
	record(&m, SL_DNS_HTTPS, data, sizeof(data));
	ck_assert_int_eq(sl_dns_reader_init(&r, m.bytes, m.len, NULL), 0);
	ck_assert_int_eq(sl_dns_reader_next(&r, &rec), -EBADMSG);
}
END_TEST

START_TEST(replies)
{
	struct sl_dns_query q, other;
	uint8_t out[SL_DNS_QUERY_MAX];
	struct msg m;
	size_t len;

	ck_assert_int_eq(sl_dns_query_init(&q, "a.example", SL_DNS_A, 5), 0);
	len = sl_dns_reply_write(&q, SL_DNS_NXDOMAIN, out);
	ck_assert(sl_dns_reply_matches(out, len, &q));
	ck_assert_uint_eq(sl_dns_flags(out) & SL_DNS_RCODE, SL_DNS_NXDOMAIN);
	for (size_t n = 0; n < 12 + q.wire_len + 4; n++)
		ck_assert(!sl_dns_reply_matches(out, n, &q));
	other = q;
	other.id++;
	ck_assert(!sl_dns_reply_matches(out, len, &other));
	other = q;
	other.type = SL_DNS_AAAA;
	ck_assert(!sl_dns_reply_matches(out, len, &other));
	ck_assert_int_eq(sl_dns_query_init(&other, "b.example", SL_DNS_A, 5), 0);
	ck_assert(!sl_dns_reply_matches(out, len, &other));
	len = sl_dns_query_write(&q, out); /* no reply at all */
	ck_assert(!sl_dns_reply_matches(out, len, &q));
	/* Letters of another case match, and the asker gets its own back. */
	header(&m, 0, 1, 0, 0);
	question(&m, "A.eXample", SL_DNS_A);
	ck_assert_int_eq(sl_dns_query_parse(m.bytes, m.len, &other), 0);
	len = sl_dns_reply_write(&q, SL_DNS_NOERROR, out);
	other.id = 5;
	ck_assert(sl_dns_reply_matches(out, len, &other));
	other.id = 0xabcd;
	sl_dns_reply_readdress(out, &other);
	ck_assert(sl_dns_reply_matches(out, len, &other));
	ck_assert_ptr_nonnull(memmem(out, len, "eXample", 7));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net-dns");
	TCase *t = tcase_create("dns");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(t, normalize, 0, (int)(sizeof(name_rows) / sizeof(name_rows[0])));
	tcase_add_test(t, lengths);
	tcase_add_test(t, query_round_trip);
	tcase_add_test(t, options_dropped);
	tcase_add_test(t, queries_refused);
	tcase_add_test(t, answer);
	tcase_add_test(t, hints);
	tcase_add_test(t, hints_bounded);
	tcase_add_test(t, replies);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
