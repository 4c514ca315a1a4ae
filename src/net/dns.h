/*
 * dns.h - DNS messages (RFC 1035): reading those that others wrote, making queries. No I/O, no memory of its
 * own.
 *
 * Queries come from the confined program, replies from the network: both are hostile bytes. Every read is
 * bounded by the message, compression pointers only go backwards, and what is not understood is an error. A
 * query is never passed on as it came: it is taken apart, and what leaves is made anew from its question and
 * the few flags that matter. So nothing but a name that may be asked for, a type and a 16-bit number gets
 * out, whatever a message could carry besides (further questions, records, EDNS options, bytes behind the
 * end).
 *
 * Written here because the libraries at hand do less or more: libresolv's ns_parserr() leaves names and
 * record data to its user, c-ares parses answers of single types and no queries, ldns allocates a tree of
 * objects for each message.
 */
#ifndef SL_NET_DNS_H
#define SL_NET_DNS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SL_DNS_TEXT_MAX	   254	 /* a name as text, with its NUL */
#define SL_DNS_WIRE_MAX	   255	 /* a name in a message */
#define SL_DNS_QUERY_MAX   288	 /* header, question, an OPT record */
#define SL_DNS_MESSAGE_MAX 65535 /* what the two bytes before a message over TCP can say */
#define SL_DNS_ADDRS_MAX   16	 /* addresses taken from one record (hints) */

enum sl_dns_type {
	SL_DNS_A = 1,
	SL_DNS_CNAME = 5,
	SL_DNS_PTR = 12,
	SL_DNS_AAAA = 28,
	SL_DNS_OPT = 41,
	SL_DNS_SVCB = 64,
	SL_DNS_HTTPS = 65,
	SL_DNS_IXFR = 251,
	SL_DNS_AXFR = 252,
};

/* Bits of the header's second word. */
#define SL_DNS_QR     0x8000u
#define SL_DNS_OPCODE 0x7800u
#define SL_DNS_TC     0x0200u
#define SL_DNS_RD     0x0100u
#define SL_DNS_RA     0x0080u
#define SL_DNS_AD     0x0020u
#define SL_DNS_CD     0x0010u
#define SL_DNS_RCODE  0x000fu

enum sl_dns_rcode {
	SL_DNS_NOERROR = 0,
	SL_DNS_SERVFAIL = 2,
	SL_DNS_NXDOMAIN = 3,
};

/* What is kept of a query, and of a reply's first part. */
struct sl_dns_query {
	uint16_t id, flags;
	uint16_t type;
	char name[SL_DNS_TEXT_MAX];    /* lower case, without the last dot; "": the root, or no host name */
	uint8_t wire[SL_DNS_WIRE_MAX]; /* the name as it was written */
	size_t wire_len;
	bool edns, dnssec_ok;
	uint16_t udp_size; /* bytes of a reply that the asker can take over UDP */
};

/* Bring a host name to the form of sl_dns_query.name. Labels are letters, digits, '-' and '_'. 0 or -EINVAL.
 */
int sl_dns_name_normalize(const char *text, char ret[SL_DNS_TEXT_MAX]);

/* Fill a query for a name (normalized) as a resolver asks: recursion desired, EDNS. 0 or -EINVAL. */
int sl_dns_query_init(struct sl_dns_query *ret, const char *name, uint16_t type, uint16_t id);

/* Read a query: QR and opcode 0, one question of class IN, no record but one OPT, nothing
 * behind. No zone transfer. 0 or -EBADMSG. */
int sl_dns_query_parse(const void *msg, size_t len, struct sl_dns_query *ret);

/* Write the query: its length. */
size_t sl_dns_query_write(const struct sl_dns_query *q, uint8_t out[SL_DNS_QUERY_MAX]);

/* Write a reply to it that has no records: its length. */
size_t sl_dns_reply_write(const struct sl_dns_query *q, enum sl_dns_rcode rcode,
			  uint8_t out[SL_DNS_QUERY_MAX]);

/* Is the message a reply to the query: id, QR, the same question (letters in any case)? */
bool sl_dns_reply_matches(const void *msg, size_t len, const struct sl_dns_query *q);

/* Make a matching reply one to `asked`, which differs from the query in its id and the case of its letters.
 */
void sl_dns_reply_readdress(void *msg, const struct sl_dns_query *asked);

/* The header's flags of a message of at least 12 bytes (sl_dns_reply_matches() says so). */
uint16_t sl_dns_flags(const void *msg);

/* One record of an answer. */
struct sl_dns_record {
	char owner[SL_DNS_TEXT_MAX]; /* normalized; "" where it is no host name */
	uint16_t type;
	char target[SL_DNS_TEXT_MAX]; /* CNAME, SVCB, HTTPS, PTR: the other name; "" where there is none */
	struct in6_addr
	    addrs[SL_DNS_ADDRS_MAX]; /* A, AAAA, hints of SVCB and HTTPS; IPv4 as ::ffff:a.b.c.d */
	size_t addr_count;
};

/* Walks over the answer section of a reply. */
struct sl_dns_reader {
	const uint8_t *msg;
	size_t len, pos;
	unsigned int left; /* records */
};

/* Start reading a reply. ret (may be NULL) receives header and question. 0 or -EBADMSG. */
int sl_dns_reader_init(struct sl_dns_reader *r, const void *msg, size_t len, struct sl_dns_query *ret);

/* The next record: 1; 0 at the end of the section; -EBADMSG. */
int sl_dns_reader_next(struct sl_dns_reader *r, struct sl_dns_record *ret);

#endif
