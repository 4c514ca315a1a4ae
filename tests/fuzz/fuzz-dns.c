/*
 * fuzz-dns.c - any bytes as a DNS query and as a reply: nothing is read past their end, what is accepted is a
 * fixed point of writing, a walk over records ends.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *name)
{
	char again[SL_DNS_TEXT_MAX];

	if (*name && (sl_dns_name_normalize(name, again) < 0 || strcmp(name, again) != 0))
		abort();
}

static void as_query(const uint8_t *data, size_t size)
{
	struct sl_dns_query q, back;
	uint8_t out[SL_DNS_QUERY_MAX];

	if (sl_dns_query_parse(data, size, &q) < 0)
		return;
	check_name(q.name);
	if (sl_dns_query_parse(out, sl_dns_query_write(&q, out), &back) < 0)
		abort();
	if (strcmp(q.name, back.name) != 0 || q.id != back.id || q.type != back.type || q.edns != back.edns ||
	    q.udp_size != back.udp_size || q.dnssec_ok != back.dnssec_ok)
		abort();
	if (!sl_dns_reply_matches(out, sl_dns_reply_write(&q, SL_DNS_NXDOMAIN, out), &q))
		abort();
}

static void as_reply(const uint8_t *data, size_t size)
{
	struct sl_dns_reader r;
	struct sl_dns_record rec;
	struct sl_dns_query q;
	size_t records = 0;

	if (sl_dns_reader_init(&r, data, size, &q) < 0)
		return;
	check_name(q.name);
	while (sl_dns_reader_next(&r, &rec) == 1) {
		check_name(rec.owner);
		check_name(rec.target);
		if (rec.addr_count > SL_DNS_ADDRS_MAX || ++records > UINT16_MAX)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_query(data, size);
	as_reply(data, size);
	return 0;
}
