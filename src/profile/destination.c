/*
 * destination.c - see destination.h. Covering is a partial order but for different texts of one meaning, so
 * what is left of a list does not depend on the order in which it is looked at.
 */
#include "profile/destination.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "profile/check.h"

#define ABSORB_MAX 4096 /* every entry is held to every other */

static bool parse_address(struct sl_destination *d, const char *text)
{
	const char *slash = strchr(text, '/');
	SL_FREE char *host = sl_xstrndup(text, slash ? (size_t)(slash - text) : strlen(text));
	unsigned long prefix = slash ? strtoul(slash + 1, NULL, 10) : 128;
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1) {
		d->address = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
		memcpy(d->address.s6_addr + 12, &v4, sizeof(v4));
		d->prefix = slash ? 96 + (unsigned int)SL_MIN(prefix, 32UL) : 128;
		return true;
	}
	d->prefix = (unsigned int)SL_MIN(prefix, 128UL);
	return inet_pton(AF_INET6, host, &d->address) == 1;
}

static void parse_target(struct sl_destination *d, const char *target)
{
	size_t len = strlen(target);

	d->any = !len || !strcmp(target, "*");
	if (d->any || parse_address(d, target))
		return;
	d->host = sl_xstrndup(target, len - (target[len - 1] == '.'));
	for (char *c = d->host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

bool sl_destination_parse(struct sl_destination *ret, const char *text)
{
	static const struct {
		const char *prefix;
		unsigned int protocols;
	} schemes[] = {
	    {"tcp://", SL_DESTINATION_TCP}, {"udp://", SL_DESTINATION_UDP}, {"icmp://", SL_DESTINATION_ICMP}};
	SL_FREE char *copy = NULL;
	char *target, *ports = NULL;

	*ret = (struct sl_destination){.protocols = SL_DESTINATION_TCP | SL_DESTINATION_UDP};
	for (size_t i = 0; i < SL_ARRAY_LEN(schemes); i++)
		if (!strncmp(text, schemes[i].prefix, strlen(schemes[i].prefix))) {
			text += strlen(schemes[i].prefix);
			ret->protocols = schemes[i].protocols;
			break;
		}
	copy = sl_xstrdup(text);
	target = copy;
	if (*target == '[') {
		char *end = strchr(target++, ']');

		if (!end)
			return false;
		ports = end[1] == ':' ? end + 2 : NULL;
		*end = '\0';
	} else {
		char *colon = strchr(target, ':');

		if (colon && !strchr(colon + 1, ':')) {
			*colon = '\0';
			ports = colon + 1;
		}
	}
	parse_target(ret, target);
	return !ports || !strcmp(ports, "*") || !sl_ports_add(&ret->ports, ports, 0);
}

void sl_destination_release(struct sl_destination *d)
{
	free(d->host);
	sl_list_release(&d->ports);
}

static void port_range(const char *text, long *ret_low, long *ret_high)
{
	char *end;

	*ret_low = strtol(text, &end, 10);
	*ret_high = *end == '-' ? strtol(end + 1, NULL, 10) : *ret_low;
}

bool sl_ports_cover(const char *wide, const char *narrow)
{
	long a, b, low, high;

	if (!strcmp(wide, "*") || !strcmp(wide, narrow))
		return true;
	if (!strcmp(narrow, "*"))
		return false;
	port_range(wide, &a, &b);
	port_range(narrow, &low, &high);
	return a && low && a <= low && high <= b;
}

static bool ports_cover(const struct sl_list *wide, const struct sl_list *narrow)
{
	if (!wide->len)
		return true;
	for (size_t i = 0; i < narrow->len; i++) {
		bool covered = false;

		for (size_t j = 0; j < wide->len && !covered; j++)
			covered = sl_ports_cover(wide->items[j].text, narrow->items[i].text);
		if (!covered)
			return false;
	}
	return narrow->len > 0;
}

static bool network_covers(const struct sl_destination *wide, const struct sl_destination *narrow)
{
	unsigned int bytes = wide->prefix / 8, bits = wide->prefix % 8, mask = (0xff00u >> bits) & 0xffu;

	if (wide->prefix > narrow->prefix || memcmp(&wide->address, &narrow->address, bytes) != 0)
		return false;
	return !bits || !((wide->address.s6_addr[bytes] ^ narrow->address.s6_addr[bytes]) & mask);
}

bool sl_destination_covers(const struct sl_destination *wide, const struct sl_destination *narrow)
{
	/* icmp has no ports: such a rule holds for it whatever they are. */
	if ((wide->protocols & narrow->protocols) != narrow->protocols ||
	    !ports_cover(&wide->ports, &narrow->ports))
		return false;
	if (wide->any || narrow->any)
		return wide->any;
	if (wide->host || narrow->host)
		return wide->host && narrow->host && !strcmp(wide->host, narrow->host);
	return network_covers(wide, narrow);
}

bool sl_http_rule_covers(const char *wide, const char *narrow)
{
	size_t method_w = strcspn(wide, " "), method_n = strcspn(narrow, " "), host_w, host_n, len;
	const char *path_w, *path_n;

	if (!(method_w == 1 && *wide == '*') &&
	    (method_w != method_n || strncmp(wide, narrow, method_w) != 0))
		return false;
	wide += method_w + strspn(wide + method_w, " ");
	narrow += method_n + strspn(narrow + method_n, " ");
	host_w = strcspn(wide, "/");
	host_n = strcspn(narrow, "/");
	if (!(host_w == 1 && *wide == '*') && (host_w != host_n || strncasecmp(wide, narrow, host_w) != 0))
		return false;
	/* Without a path it is every path. */
	path_w = wide[host_w] ? wide + host_w : "/*";
	path_n = narrow[host_n] ? narrow + host_n : "/*";
	len = strlen(path_w);
	if (path_w[len - 1] == '*')
		return !strncmp(path_w, path_n, len - 1);
	return !strcmp(path_w, path_n);
}

/* The order of what is looked at first: of two with one meaning that one stays. */
static int compare_texts(const void *a, const void *b)
{
	return strcmp(((const struct sl_entry *)a)->text, ((const struct sl_entry *)b)->text);
}

/* Drop every entry i for which covers(j, i) holds for another one j that stays. */
static void absorb(struct sl_list *list, bool (*covers)(const void *of, size_t wide, size_t narrow),
		   const void *of)
{
	SL_FREE bool *gone = sl_xcalloc(list->len + 1, sizeof(*gone));
	size_t kept = 0;

	for (size_t i = 0; i < list->len; i++)
		for (size_t j = 0; j < list->len && !gone[i]; j++)
			gone[i] = i != j && covers(of, j, i) && (j < i || !covers(of, i, j));
	for (size_t i = 0; i < list->len; i++) {
		if (gone[i])
			free(list->items[i].text);
		else
			list->items[kept++] = list->items[i];
	}
	list->len = kept;
}

static bool covers_destination(const void *of, size_t wide, size_t narrow)
{
	const struct sl_destination *d = of;

	return sl_destination_covers(&d[wide], &d[narrow]);
}

static bool covers_port(const void *of, size_t wide, size_t narrow)
{
	const struct sl_list *list = of;

	return sl_ports_cover(list->items[wide].text, list->items[narrow].text);
}

static bool covers_http(const void *of, size_t wide, size_t narrow)
{
	const struct sl_list *list = of;

	return sl_http_rule_covers(list->items[wide].text, list->items[narrow].text);
}

static bool sort_for_absorbing(struct sl_list *list)
{
	if (list->len > ABSORB_MAX || list->len < 2)
		return false;
	qsort(list->items, list->len, sizeof(*list->items), compare_texts);
	return true;
}

void sl_destinations_absorb(struct sl_list *list)
{
	SL_FREE struct sl_destination *d = NULL;
	size_t count = list->len;

	if (!sort_for_absorbing(list))
		return;
	d = sl_xcalloc(count, sizeof(*d));
	for (size_t i = 0; i < count; i++)
		sl_destination_parse(&d[i], list->items[i].text);
	absorb(list, covers_destination, d);
	for (size_t i = 0; i < count; i++)
		sl_destination_release(&d[i]);
}

void sl_ports_absorb(struct sl_list *list)
{
	struct sl_list copy = {0};

	if (!sort_for_absorbing(list))
		return;
	for (size_t i = 0; i < list->len; i++)
		sl_list_add(&copy, list->items[i].text, 0);
	absorb(list, covers_port, &copy);
	sl_list_release(&copy);
}

void sl_http_rules_absorb(struct sl_list *list)
{
	struct sl_list copy = {0};

	if (!sort_for_absorbing(list))
		return;
	for (size_t i = 0; i < list->len; i++)
		sl_list_add(&copy, list->items[i].text, 0);
	absorb(list, covers_http, &copy);
	sl_list_release(&copy);
}

const char *sl_destinations_cover(const struct sl_list *list, const char *text)
{
	struct sl_destination narrow;
	const char *found = NULL;

	sl_destination_parse(&narrow, text);
	for (size_t i = 0; i < list->len && !found; i++) {
		struct sl_destination wide;

		sl_destination_parse(&wide, list->items[i].text);
		if (sl_destination_covers(&wide, &narrow))
			found = list->items[i].text;
		sl_destination_release(&wide);
	}
	sl_destination_release(&narrow);
	return found;
}
