/*
 * names.c - see names.h.
 */
#include "net/names.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>

#define NAMES_MAX   65536 /* of one run; further ones are not remembered */
#define ADDRS_MAX   4096  /* of one name */
#define ALIASES_MAX 64	  /* of one name */
#define CHAIN_MAX   16	  /* names that one answer strings together */

struct entry {
	char *name;
	bool granted, asked, answered;
	bool in_hosts; /* of a granted name: /etc/hosts has it */
	struct in6_addr *addrs;
	size_t addr_count, addr_cap;
	struct sl_strv aliases; /* names that answers led to */
};

/* A line of /etc/hosts: its address and first name. */
struct host_line {
	struct in6_addr addr;
	char *name;
};

struct sl_names {
	pthread_mutex_t lock;
	bool learn;
	struct entry **entries; /* in the order of their coming */
	size_t count, cap;
	uint32_t *slots;   /* index + 1 into entries, by hash of the name; 0: free */
	size_t slot_count; /* a power of two, at least twice count */
	struct host_line *hosts;
	size_t host_count;
};

struct sl_names *sl_names_new(bool learn)
{
	struct sl_names *n = sl_xcalloc(1, sizeof(*n));

	pthread_mutex_init(&n->lock, NULL);
	n->learn = learn;
	return n;
}

static void hosts_clear(struct sl_names *n)
{
	for (size_t i = 0; i < n->host_count; i++)
		free(n->hosts[i].name);
	free(n->hosts);
	n->hosts = NULL;
	n->host_count = 0;
}

void sl_names_free(struct sl_names *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->count; i++) {
		free(n->entries[i]->name);
		free(n->entries[i]->addrs);
		sl_strv_release(&n->entries[i]->aliases);
		free(n->entries[i]);
	}
	hosts_clear(n);
	free(n->entries);
	free(n->slots);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

/* FNV-1a. */
static size_t hash(const char *name)
{
	uint32_t h = 2166136261U;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619U;
	return h;
}

/* The slot that holds the name, or the free one where it belongs. */
static uint32_t *slot_of(const struct sl_names *n, const char *name)
{
	size_t i = hash(name) & (n->slot_count - 1);

	while (n->slots[i] && strcmp(n->entries[n->slots[i] - 1]->name, name) != 0)
		i = (i + 1) & (n->slot_count - 1);
	return &n->slots[i];
}

static struct entry *find(const struct sl_names *n, const char *name)
{
	uint32_t *slot = n->slot_count ? slot_of(n, name) : NULL;

	return slot && *slot ? n->entries[*slot - 1] : NULL;
}

static void grow(struct sl_names *n)
{
	n->cap = n->cap ? 2 * n->cap : 16;
	n->entries = sl_xrealloc(n->entries, n->cap * sizeof(struct entry *));
	free(n->slots);
	n->slot_count = 2 * n->cap;
	n->slots = sl_xcalloc(n->slot_count, sizeof(*n->slots));
	for (size_t i = 0; i < n->count; i++)
		*slot_of(n, n->entries[i]->name) = (uint32_t)i + 1;
}

/* The entry of a name, made if need be; NULL where there are too many. */
static struct entry *get(struct sl_names *n, const char *name)
{
	struct entry *e = find(n, name);

	if (e || n->count >= NAMES_MAX)
		return e;
	if (n->count == n->cap)
		grow(n);
	e = sl_xcalloc(1, sizeof(*e));
	e->name = sl_xstrdup(name);
	n->entries[n->count] = e;
	*slot_of(n, name) = (uint32_t)++n->count;
	return e;
}

static bool has_addr(const struct entry *e, const struct in6_addr *addr)
{
	for (size_t i = 0; i < e->addr_count; i++)
		if (IN6_ARE_ADDR_EQUAL(&e->addrs[i], addr))
			return true;
	return false;
}

static void add_addr(struct entry *e, const struct in6_addr *addr)
{
	if (e->addr_count >= ADDRS_MAX || has_addr(e, addr))
		return;
	if (e->addr_count == e->addr_cap) {
		e->addr_cap = e->addr_cap ? 2 * e->addr_cap : 4;
		e->addrs = sl_xrealloc(e->addrs, e->addr_cap * sizeof(*e->addrs));
	}
	e->addrs[e->addr_count++] = *addr;
}

static bool parse_addr(const char *text, struct in6_addr *ret)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (inet_pton(AF_INET6, text, ret) == 1)
		return true;
	memcpy(ret->s6_addr, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, ret->s6_addr + sizeof(mapped)) == 1;
}

static bool is_loopback(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

void sl_names_grant(struct sl_names *n, const char *host)
{
	char name[SL_DNS_TEXT_MAX];
	struct in6_addr v4, v6 = in6addr_loopback;
	struct entry *e;

	if (sl_dns_name_normalize(host, name) < 0)
		return;
	pthread_mutex_lock(&n->lock);
	e = get(n, name);
	if (e) {
		e->granted = true;
		if (!strcmp(name, "localhost") && parse_addr("127.0.0.1", &v4)) {
			add_addr(e, &v4);
			add_addr(e, &v6);
		}
	}
	pthread_mutex_unlock(&n->lock);
}

/* Read "4.3.2.1.in-addr.arpa", or the 32 digits of ip6.arpa. */
static bool reverse_name(const char *name, struct in6_addr *ret)
{
	static const char v4[] = ".in-addr.arpa", v6[] = ".ip6.arpa";
	size_t len = strlen(name);
	struct in_addr backwards;

	memset(ret, 0, sizeof(*ret));
	if (len >= sizeof(v4) && !strcmp(name + len - (sizeof(v4) - 1), v4)) {
		char text[INET_ADDRSTRLEN];

		len -= sizeof(v4) - 1;
		if (len >= sizeof(text))
			return false;
		memcpy(text, name, len);
		text[len] = '\0';
		if (inet_pton(AF_INET, text, &backwards) != 1)
			return false;
		ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
		for (size_t i = 0; i < 4; i++)
			ret->s6_addr[12 + i] = ((const uint8_t *)&backwards)[3 - i];
		return true;
	}
	if (len != 63 + sizeof(v6) - 1 || strcmp(name + 63, v6) != 0)
		return false;
	for (size_t i = 0; i < 32; i++) {
		const char *digits = "0123456789abcdef", *digit = strchr(digits, name[2 * i]);

		if (!digit || !*digit || (i < 31 && name[2 * i + 1] != '.'))
			return false;
		ret->s6_addr[15 - i / 2] |= (uint8_t)((digit - digits) << (i % 2 ? 4 : 0));
	}
	return true;
}

/* Is the name the reverse one of an address that another name gave? */
static bool is_reverse_of_known(const struct sl_names *n, const char *name)
{
	struct in6_addr addr;

	if (!reverse_name(name, &addr))
		return false;
	for (size_t i = 0; i < n->count; i++)
		if ((n->entries[i]->granted || n->entries[i]->asked) && has_addr(n->entries[i], &addr))
			return true;
	return false;
}

static bool is_alias(const struct sl_names *n, const char *name)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->entries[i]->granted && sl_strv_contains(&n->entries[i]->aliases, name))
			return true;
	return false;
}

bool sl_names_may_ask(struct sl_names *n, const struct sl_dns_query *q)
{
	struct entry *e;
	bool may;

	pthread_mutex_lock(&n->lock);
	e = n->learn && q->name[0] ? get(n, q->name) : find(n, q->name);
	if (n->learn && e)
		e->asked = true;
	may = n->learn || (e && e->granted) || is_alias(n, q->name) || is_reverse_of_known(n, q->name);
	pthread_mutex_unlock(&n->lock);
	return may;
}

/* The names that one answer strings together, from the one that was asked for. */
struct chain {
	char names[CHAIN_MAX][SL_DNS_TEXT_MAX];
	size_t len;
};

static bool in_chain(const struct chain *c, const char *name)
{
	for (size_t i = 0; i < c->len; i++)
		if (!strcmp(c->names[i], name))
			return true;
	return false;
}

/* One pass over the answer. Returns whether the chain grew; addresses go to every target where there are
 * some. */
static bool walk(struct sl_dns_reader r, struct chain *c, struct entry *const *targets, size_t count)
{
	size_t before = c->len;
	struct sl_dns_record rec;

	while (sl_dns_reader_next(&r, &rec) == 1) {
		if (!rec.owner[0] || !in_chain(c, rec.owner))
			continue;
		for (size_t i = 0; i < count * rec.addr_count; i++)
			add_addr(targets[i % count], &rec.addrs[i / count]);
		if (rec.type != SL_DNS_PTR && rec.target[0] && c->len < CHAIN_MAX && !in_chain(c, rec.target))
			memcpy(c->names[c->len++], rec.target, strlen(rec.target) + 1);
	}
	return c->len > before;
}

/* The entries that get what an answer about `name` says: its own, and those that led to it. */
static struct entry **targets_of(const struct sl_names *n, const char *name, size_t *ret_count)
{
	struct entry **list = sl_xmalloc((n->count + 1) * sizeof(struct entry *));

	*ret_count = 0;
	for (size_t i = 0; i < n->count; i++) {
		struct entry *e = n->entries[i];

		if ((e->granted || e->asked) &&
		    (!strcmp(e->name, name) || sl_strv_contains(&e->aliases, name)))
			list[(*ret_count)++] = e;
	}
	return list;
}

void sl_names_add_reply(struct sl_names *n, const void *msg, size_t len)
{
	SL_FREE struct entry **targets = NULL;
	struct sl_dns_reader r;
	struct sl_dns_query q;
	struct chain c = {.len = 1};
	size_t count;

	if (sl_dns_reader_init(&r, msg, len, &q) < 0 || !q.name[0] || q.flags & SL_DNS_RCODE || !r.left)
		return;
	memcpy(c.names[0], q.name, sizeof(q.name));
	while (walk(r, &c, NULL, 0))
		;
	pthread_mutex_lock(&n->lock);
	targets = targets_of(n, q.name, &count);
	if (count)
		walk(r, &c, targets, count);
	for (size_t t = 0; t < count; t++) {
		struct entry *e = targets[t];

		e->answered |= !strcmp(e->name, q.name);
		for (size_t i = 1; i < c.len; i++)
			if (e->aliases.len < ALIASES_MAX && !sl_strv_contains(&e->aliases, c.names[i]))
				sl_strv_add(&e->aliases, c.names[i]);
	}
	pthread_mutex_unlock(&n->lock);
}

/* The next word of a line, ended in place; NULL at its end. */
static char *next_word(char **p)
{
	char *word = *p + strspn(*p, " \t\r");

	if (!*word)
		return NULL;
	*p = word + strcspn(word, " \t\r");
	if (**p)
		*(*p)++ = '\0';
	return word;
}

static void add_host_line(struct sl_names *n, char *line)
{
	struct in6_addr addr;
	bool first = true;
	char *word;

	line[strcspn(line, "#")] = '\0';
	word = next_word(&line);
	if (!word || !parse_addr(word, &addr))
		return;
	while ((word = next_word(&line))) {
		char name[SL_DNS_TEXT_MAX];
		struct entry *e;

		if (sl_dns_name_normalize(word, name) < 0)
			continue;
		e = find(n, name);
		if (e && e->granted) {
			add_addr(e, &addr);
			e->in_hosts = true;
		}
		if (first && n->learn && n->host_count < NAMES_MAX) {
			n->hosts = sl_xrealloc(n->hosts, (n->host_count + 1) * sizeof(*n->hosts));
			n->hosts[n->host_count].addr = addr;
			n->hosts[n->host_count++].name = sl_xstrdup(name);
		}
		first = false;
	}
}

void sl_names_add_hosts(struct sl_names *n, const char *text, size_t len)
{
	SL_FREE char *copy = sl_xstrndup(text, len);
	char *rest = copy, *line;

	pthread_mutex_lock(&n->lock);
	hosts_clear(n);
	for (size_t i = 0; i < n->count; i++)
		n->entries[i]->in_hosts = false;
	while ((line = strsep(&rest, "\n")))
		add_host_line(n, line);
	pthread_mutex_unlock(&n->lock);
}

bool sl_names_is_host(void *names, const char *host, const struct in6_addr *address)
{
	struct sl_names *n = names;
	char name[SL_DNS_TEXT_MAX];
	const struct entry *e;
	bool is;

	if (sl_dns_name_normalize(host, name) < 0)
		return false;
	pthread_mutex_lock(&n->lock);
	e = find(n, name);
	is = e && has_addr(e, address);
	pthread_mutex_unlock(&n->lock);
	return is;
}

bool sl_names_is_local(struct sl_names *n, const char *name)
{
	const struct entry *e;
	bool is;

	if (!strcmp(name, "localhost"))
		return true;
	pthread_mutex_lock(&n->lock);
	e = find(n, name);
	is = e && e->in_hosts;
	pthread_mutex_unlock(&n->lock);
	return is;
}

void sl_names_granted(struct sl_names *n, struct sl_strv *out)
{
	pthread_mutex_lock(&n->lock);
	for (size_t i = 0; i < n->count; i++)
		if (n->entries[i]->granted)
			sl_strv_add(out, n->entries[i]->name);
	pthread_mutex_unlock(&n->lock);
}

void sl_names_of(struct sl_names *n, const struct in6_addr *address, struct sl_strv *out)
{
	size_t before = out->len;

	pthread_mutex_lock(&n->lock);
	for (size_t i = 0; i < n->count; i++)
		if (n->entries[i]->asked && has_addr(n->entries[i], address))
			sl_strv_add(out, n->entries[i]->name);
	for (size_t i = 0; i < n->host_count && out->len == before && !is_loopback(address); i++)
		if (IN6_ARE_ADDR_EQUAL(&n->hosts[i].addr, address))
			sl_strv_add(out, n->hosts[i].name);
	pthread_mutex_unlock(&n->lock);
}

/* Has the first name of the line another line? With the lock held. */
static bool has_other_line(const struct sl_names *n, const struct host_line *line)
{
	for (size_t i = 0; i < n->host_count; i++)
		if (!strcmp(n->hosts[i].name, line->name) && !IN6_ARE_ADDR_EQUAL(&n->hosts[i].addr, &line->addr))
			return true;
	return false;
}

bool sl_names_is_one_of_several(struct sl_names *n, const struct in6_addr *address, bool hosts_read)
{
	bool is = hosts_read && is_loopback(address);

	pthread_mutex_lock(&n->lock);
	for (size_t i = 0; i < n->count && !is; i++)
		is = n->entries[i]->addr_count > 1 && has_addr(n->entries[i], address);
	for (size_t i = 0; i < n->host_count && hosts_read && !is; i++)
		is = IN6_ARE_ADDR_EQUAL(&n->hosts[i].addr, address) && has_other_line(n, &n->hosts[i]);
	pthread_mutex_unlock(&n->lock);
	return is;
}

void sl_names_answered(struct sl_names *n, struct sl_strv *out)
{
	pthread_mutex_lock(&n->lock);
	for (size_t i = 0; i < n->count; i++)
		if (n->entries[i]->asked && n->entries[i]->answered &&
		    !is_reverse_of_known(n, n->entries[i]->name))
			sl_strv_add(out, n->entries[i]->name);
	pthread_mutex_unlock(&n->lock);
}
