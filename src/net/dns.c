/*
 * dns.c - see dns.h.
 */
#include "net/dns.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/macros.h"

#define HEADER_LEN	   12
#define CLASS_IN	   1
#define LABEL_MAX	   63
#define POINTER		   0xc0u /* the two high bits of a length byte: the rest of the name is elsewhere */
#define POINTERS_MAX	   126	 /* more than any name has labels */
#define OPT_DNSSEC_OK	   0x8000u
#define OWN_UDP_SIZE	   1232 /* what passes every path unfragmented (DNS flag day 2020) */
#define PLAIN_UDP_SIZE	   512	/* RFC 1035 4.2.1 */
#define SVC_PARAM_IPV4HINT 4
#define SVC_PARAM_IPV6HINT 6

/* A message, or a part of one that ends earlier, and a place in it. Reading past the end sets bad and gives
 * 0. */
struct cursor {
	const uint8_t *msg;
	size_t len, pos;
	bool bad;
};

static uint8_t get8(struct cursor *c)
{
	if (c->bad || c->pos >= c->len) {
		c->bad = true;
		return 0;
	}
	return c->msg[c->pos++];
}

static uint16_t get16(struct cursor *c)
{
	uint16_t high = get8(c);

	return (uint16_t)(high << 8 | get8(c));
}

static uint32_t get32(struct cursor *c)
{
	uint32_t high = get16(c);

	return high << 16 | get16(c);
}

static const uint8_t *get_bytes(struct cursor *c, size_t len)
{
	const uint8_t *p = c->msg + c->pos;

	if (c->bad || len > c->len - c->pos) {
		c->bad = true;
		return NULL;
	}
	c->pos += len;
	return p;
}

static uint8_t *put16(uint8_t *p, unsigned int value)
{
	*p++ = (uint8_t)(value >> 8);
	*p++ = (uint8_t)value;
	return p;
}

static bool is_host_byte(unsigned char c)
{
	return c < 0x80 && (isalnum(c) || c == '-' || c == '_');
}

static char lower(unsigned char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* A name while it is read: as text and as plain labels. */
struct name {
	char text[SL_DNS_TEXT_MAX];
	size_t text_len;
	uint8_t wire[SL_DNS_WIRE_MAX];
	size_t wire_len;
	bool odd; /* bytes that no host name has */
};

static bool add_label(struct name *n, const uint8_t *label, size_t len)
{
	/* One byte of length before it, one for the root behind all. */
	if (n->wire_len + 1 + len + 1 > sizeof(n->wire))
		return false;
	n->wire[n->wire_len++] = (uint8_t)len;
	memcpy(n->wire + n->wire_len, label, len);
	n->wire_len += len;
	/* 255 bytes of labels are at most 253 letters and dots: the text fits. */
	if (n->text_len)
		n->text[n->text_len++] = '.';
	for (size_t i = 0; i < len; i++) {
		n->odd |= !is_host_byte(label[i]);
		n->text[n->text_len++] = lower(label[i]);
	}
	return true;
}

/* Read a name, following pointers. Each must lead to before the place where the last one led, so this ends.
 */
static bool get_name(struct cursor *c, struct name *ret)
{
	struct cursor at = *c;
	size_t limit = c->pos;
	int pointers = 0;

	ret->text_len = ret->wire_len = 0;
	ret->odd = false;
	for (;;) {
		uint8_t len = get8(&at);
		const uint8_t *label;

		if ((len & POINTER) == POINTER) {
			size_t to = (size_t)(len & ~POINTER) << 8;

			to |= get8(&at);
			if (!pointers++)
				c->pos = at.pos;
			if (at.bad || to >= limit || pointers > POINTERS_MAX)
				break;
			at.pos = limit = to;
			continue;
		}
		label = len <= LABEL_MAX ? get_bytes(&at, len) : NULL;
		if (!label)
			break;
		if (!len) {
			ret->wire[ret->wire_len++] = 0;
			ret->text[ret->text_len] = '\0';
			if (ret->odd)
				ret->text[0] = '\0';
			if (!pointers)
				c->pos = at.pos;
			return true;
		}
		if (!add_label(ret, label, len))
			break;
	}
	c->bad = true;
	return false;
}

int sl_dns_name_normalize(const char *text, char ret[SL_DNS_TEXT_MAX])
{
	struct sl_dns_query q;
	int r = sl_dns_query_init(&q, text, SL_DNS_A, 0);

	if (r < 0 || !q.name[0])
		return -EINVAL;
	memcpy(ret, q.name, sizeof(q.name));
	return 0;
}

int sl_dns_query_init(struct sl_dns_query *ret, const char *name, uint16_t type, uint16_t id)
{
	struct name n = {.wire_len = 0};

	while (*name) {
		size_t len = strcspn(name, ".");

		if (!len || len > LABEL_MAX || !add_label(&n, (const uint8_t *)name, len) || n.odd)
			return -EINVAL;
		name += len;
		name += *name == '.';
	}
	n.wire[n.wire_len++] = 0;
	n.text[n.text_len] = '\0';
	memset(ret, 0, sizeof(*ret));
	ret->id = id;
	ret->flags = SL_DNS_RD;
	ret->type = type;
	ret->edns = true;
	ret->udp_size = OWN_UDP_SIZE;
	memcpy(ret->name, n.text, n.text_len + 1);
	memcpy(ret->wire, n.wire, n.wire_len);
	ret->wire_len = n.wire_len;
	return 0;
}

struct counts {
	uint16_t questions, answers, authority, additional;
};

/* Header and the one question. A question that is no host name keeps its bytes and has no text. */
static bool get_start(struct cursor *c, struct sl_dns_query *q, struct counts *n)
{
	struct name name;

	memset(q, 0, sizeof(*q));
	q->id = get16(c);
	q->flags = get16(c);
	n->questions = get16(c);
	n->answers = get16(c);
	n->authority = get16(c);
	n->additional = get16(c);
	if (c->bad || n->questions != 1 || !get_name(c, &name))
		return false;
	q->type = get16(c);
	if (get16(c) != CLASS_IN || c->bad)
		return false;
	memcpy(q->name, name.text, strlen(name.text) + 1);
	memcpy(q->wire, name.wire, name.wire_len);
	q->wire_len = name.wire_len;
	q->udp_size = PLAIN_UDP_SIZE;
	return true;
}

/* The OPT record (RFC 6891). Its options are passed over: none leaves. */
static bool get_opt(struct cursor *c, struct sl_dns_query *q)
{
	struct name root;
	uint16_t size;
	uint32_t ttl;

	if (!get_name(c, &root) || root.wire_len != 1 || get16(c) != SL_DNS_OPT)
		return false;
	size = get16(c);
	q->udp_size = SL_MAX(size, PLAIN_UDP_SIZE);
	ttl = get32(c);
	q->dnssec_ok = ttl & OPT_DNSSEC_OK;
	q->edns = true;
	return get_bytes(c, get16(c)) && !(ttl >> 16); /* extended rcode and version: 0 */
}

int sl_dns_query_parse(const void *msg, size_t len, struct sl_dns_query *ret)
{
	struct cursor c = {.msg = msg, .len = len};
	struct sl_dns_query q;
	struct counts n;

	if (!get_start(&c, &q, &n) || n.answers || n.authority || n.additional > 1)
		return -EBADMSG;
	if (q.flags & (SL_DNS_QR | SL_DNS_OPCODE) || q.type == SL_DNS_AXFR || q.type == SL_DNS_IXFR)
		return -EBADMSG;
	if (n.additional && !get_opt(&c, &q))
		return -EBADMSG;
	if (c.bad || c.pos != len)
		return -EBADMSG;
	*ret = q;
	return 0;
}

static uint8_t *put_start(uint8_t *p, const struct sl_dns_query *q, unsigned int flags)
{
	p = put16(p, q->id);
	p = put16(p, flags);
	p = put16(p, 1);
	p = put16(p, 0);
	p = put16(p, 0);
	p = put16(p, q->edns);
	memcpy(p, q->wire, q->wire_len);
	p += q->wire_len;
	p = put16(p, q->type);
	p = put16(p, CLASS_IN);
	if (q->edns) {
		*p++ = 0;
		p = put16(p, SL_DNS_OPT);
		p = put16(p, q->udp_size);
		p = put16(p, 0);
		p = put16(p, q->dnssec_ok ? OPT_DNSSEC_OK : 0);
		p = put16(p, 0);
	}
	return p;
}

size_t sl_dns_query_write(const struct sl_dns_query *q, uint8_t out[SL_DNS_QUERY_MAX])
{
	return (size_t)(put_start(out, q, q->flags & (SL_DNS_RD | SL_DNS_AD | SL_DNS_CD)) - out);
}

size_t sl_dns_reply_write(const struct sl_dns_query *q, enum sl_dns_rcode rcode,
			  uint8_t out[SL_DNS_QUERY_MAX])
{
	unsigned int flags = SL_DNS_QR | SL_DNS_RA | (q->flags & (SL_DNS_RD | SL_DNS_CD)) | rcode;

	return (size_t)(put_start(out, q, flags) - out);
}

uint16_t sl_dns_flags(const void *msg)
{
	struct cursor c = {.msg = msg, .len = HEADER_LEN, .pos = 2};

	return get16(&c);
}

/* Two names of the same length in plain labels. */
static bool same_wire(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool sl_dns_reply_matches(const void *msg, size_t len, const struct sl_dns_query *q)
{
	struct cursor c = {.msg = msg, .len = len, .pos = HEADER_LEN};
	const uint8_t *name;
	uint16_t type;

	if (len < HEADER_LEN || !(sl_dns_flags(msg) & SL_DNS_QR))
		return false;
	c.pos = 0;
	if (get16(&c) != q->id)
		return false;
	c.pos = 4;
	if (get16(&c) != 1)
		return false;
	/* There is nothing before the question to which a pointer could lead: it is in plain labels. */
	c.pos = HEADER_LEN;
	name = get_bytes(&c, q->wire_len);
	type = get16(&c);
	return get16(&c) == CLASS_IN && !c.bad && type == q->type && same_wire(name, q->wire, q->wire_len);
}

void sl_dns_reply_readdress(void *msg, const struct sl_dns_query *asked)
{
	put16(msg, asked->id);
	memcpy((uint8_t *)msg + HEADER_LEN, asked->wire, asked->wire_len);
}

int sl_dns_reader_init(struct sl_dns_reader *r, const void *msg, size_t len, struct sl_dns_query *ret)
{
	struct cursor c = {.msg = msg, .len = len};
	struct sl_dns_query q;
	struct counts n;

	if (!get_start(&c, &q, &n) || !(q.flags & SL_DNS_QR))
		return -EBADMSG;
	*r = (struct sl_dns_reader){.msg = msg, .len = len, .pos = c.pos, .left = n.answers};
	if (ret)
		*ret = q;
	return 0;
}

static void fold_ipv4(struct in6_addr *out, const uint8_t bytes[4])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	memcpy(out->s6_addr, prefix, sizeof(prefix));
	memcpy(out->s6_addr + sizeof(prefix), bytes, 4);
}

/* Addresses of one kind, as many as there is room for. */
static void get_addrs(struct sl_dns_record *rec, const uint8_t *bytes, size_t len, size_t size)
{
	for (; len >= size && rec->addr_count < SL_DNS_ADDRS_MAX; bytes += size, len -= size)
		if (size == 4)
			fold_ipv4(&rec->addrs[rec->addr_count++], bytes);
		else
			memcpy(&rec->addrs[rec->addr_count++], bytes, size);
}

/* SVCB and HTTPS (RFC 9460): a priority, another name, parameters. */
static bool get_service(struct cursor *c, struct sl_dns_record *rec)
{
	struct name target;

	get16(c);
	if (c->bad || !get_name(c, &target))
		return false;
	memcpy(rec->target, target.text, strlen(target.text) + 1);
	while (c->pos < c->len) {
		uint16_t key = get16(c), len = get16(c);
		const uint8_t *value = get_bytes(c, len);

		if (!value)
			return false;
		if (key == SVC_PARAM_IPV4HINT)
			get_addrs(rec, value, len, sizeof(struct in_addr));
		else if (key == SVC_PARAM_IPV6HINT)
			get_addrs(rec, value, len, sizeof(struct in6_addr));
	}
	return true;
}

/* The data of a record that ends at c->len. Other types are passed over. */
static bool get_data(struct cursor *c, struct sl_dns_record *rec)
{
	size_t size = c->len - c->pos;
	struct name name;

	switch (rec->type) {
	case SL_DNS_A:
	case SL_DNS_AAAA:
		if (size != (rec->type == SL_DNS_A ? sizeof(struct in_addr) : sizeof(struct in6_addr)))
			return false;
		get_addrs(rec, c->msg + c->pos, size, size);
		return true;
	case SL_DNS_CNAME:
	case SL_DNS_PTR:
		if (!get_name(c, &name) || c->pos != c->len)
			return false;
		memcpy(rec->target, name.text, strlen(name.text) + 1);
		return true;
	case SL_DNS_SVCB:
	case SL_DNS_HTTPS:
		return get_service(c, rec);
	default:
		return true;
	}
}

int sl_dns_reader_next(struct sl_dns_reader *r, struct sl_dns_record *ret)
{
	struct cursor c = {.msg = r->msg, .len = r->len, .pos = r->pos};
	struct cursor data;
	struct name owner;
	uint16_t class, size;

	if (!r->left)
		return 0;
	memset(ret, 0, sizeof(*ret));
	if (!get_name(&c, &owner))
		return -EBADMSG;
	ret->type = get16(&c);
	class = get16(&c);
	get32(&c); /* how long it holds: as long as the run, here */
	size = get16(&c);
	data = c;
	if (!get_bytes(&c, size))
		return -EBADMSG;
	data.len = c.pos;
	memcpy(ret->owner, owner.text, strlen(owner.text) + 1);
	if (class != CLASS_IN)
		ret->type = 0;
	if (!get_data(&data, ret))
		return -EBADMSG;
	r->pos = c.pos;
	r->left--;
	return 1;
}
