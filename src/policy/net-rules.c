/*
 * net-rules.c - evaluating network rules, and turning addresses and peers to text. Pure; compiling is
 * net-compile.c.
 */
#include "policy/net-rules.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/path.h"

static void release_list(struct sl_net_rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(rules[i].host);
		free(rules[i].ports);
		free(rules[i].text);
	}
	free(rules);
}

void sl_net_rules_release(struct sl_net_rules *r)
{
	release_list(r->allow, r->allow_count);
	release_list(r->deny, r->deny_count);
	free(r->bind);
	free(r->deny_bind);
	sl_strv_release(&r->sockets);
	*r = SL_NET_RULES_INIT;
}

struct in6_addr sl_net_fold4(struct in_addr address)
{
	struct in6_addr folded = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	memcpy(folded.s6_addr + 12, &address, sizeof(address));
	return folded;
}

bool sl_net_is_4(const struct in6_addr *address)
{
	return IN6_IS_ADDR_V4MAPPED(address);
}

static bool in_network(const struct in6_addr *address, const struct in6_addr *network, unsigned int prefix)
{
	unsigned int bytes = prefix / 8, bits = prefix % 8;
	unsigned int mask = (0xff00U >> bits) & 0xffU;

	if (memcmp(address, network, bytes) != 0)
		return false;
	return !bits || !((address->s6_addr[bytes] ^ network->s6_addr[bytes]) & mask);
}

static bool in_ports(const struct sl_net_ports *ports, size_t count, uint16_t port)
{
	for (size_t i = 0; i < count; i++)
		if (ports[i].low <= port && port <= ports[i].high)
			return true;
	return false;
}

static bool rule_covers(const struct sl_net_rule *rule, const struct sl_net_peer *peer,
			sl_net_is_host *is_host, void *arg)
{
	if (!(rule->protocols & peer->protocol))
		return false;
	if (rule->port_count && peer->protocol != SL_NET_ICMP &&
	    !in_ports(rule->ports, rule->port_count, peer->port))
		return false;
	switch (rule->target) {
	case SL_NET_ANY:
		return true;
	case SL_NET_NETWORK:
		return in_network(&peer->address, &rule->address, rule->prefix);
	case SL_NET_HOST:
		return is_host && is_host(arg, rule->host, &peer->address);
	}
	return false;
}

static const struct sl_net_rule *find(const struct sl_net_rule *rules, size_t count,
				      const struct sl_net_peer *peer, sl_net_is_host *is_host, void *arg)
{
	/* Addresses first: asking who has one can cost a look-up. */
	for (size_t i = 0; i < count; i++)
		if (rules[i].target != SL_NET_HOST && rule_covers(&rules[i], peer, is_host, arg))
			return &rules[i];
	for (size_t i = 0; i < count; i++)
		if (rules[i].target == SL_NET_HOST && rule_covers(&rules[i], peer, is_host, arg))
			return &rules[i];
	return NULL;
}

bool sl_net_allows(const struct sl_net_rules *r, const struct sl_net_peer *peer, sl_net_is_host *is_host,
		   void *arg, const struct sl_net_rule **ret_rule)
{
	const struct sl_net_rule *rule = find(r->deny, r->deny_count, peer, NULL, NULL);
	bool allowed = false;

	if (!rule) {
		if (r->allow_count)
			rule = find(r->allow, r->allow_count, peer, is_host, arg);
		allowed = rule || (!r->allow_count && r->deny_count);
	}
	if (ret_rule)
		*ret_rule = rule;
	return allowed;
}

static bool covers_group(const struct sl_net_rule *rule, const struct in6_addr *group)
{
	return rule->protocols & SL_NET_UDP &&
	       (rule->target == SL_NET_ANY ||
		(rule->target == SL_NET_NETWORK && in_network(group, &rule->address, rule->prefix)));
}

bool sl_net_allows_group(const struct sl_net_rules *r, const struct in6_addr *group)
{
	bool allowed = !r->allow_count && r->deny_count;

	/* One that is denied on some ports alone can be sent to on the others. */
	for (size_t i = 0; i < r->deny_count; i++)
		if (!r->deny[i].port_count && covers_group(&r->deny[i], group))
			return false;
	for (size_t i = 0; i < r->allow_count && !allowed; i++)
		allowed = covers_group(&r->allow[i], group);
	return allowed;
}

static bool any_host(void *arg SL_UNUSED, const char *host SL_UNUSED,
		     const struct in6_addr *address SL_UNUSED)
{
	return true;
}

void sl_net_hosts_for(const struct sl_net_rules *r, const struct sl_net_peer *peer, struct sl_strv *out)
{
	if (find(r->deny, r->deny_count, peer, NULL, NULL))
		return;
	for (size_t i = 0; i < r->allow_count; i++)
		if (r->allow[i].target == SL_NET_HOST && rule_covers(&r->allow[i], peer, any_host, NULL))
			sl_strv_add(out, r->allow[i].host);
}

bool sl_net_allows_bind(const struct sl_net_rules *r, uint16_t port)
{
	if (in_ports(r->deny_bind, r->deny_bind_count, port))
		return false;
	return r->bind_count ? in_ports(r->bind, r->bind_count, port) : r->deny_bind_count > 0;
}

bool sl_net_allows_socket(const struct sl_net_rules *r, const char *name)
{
	for (size_t i = 0; i < r->sockets.len; i++) {
		const char *entry = r->sockets.items[i];

		if (name[0] == '@' ? !strcmp(entry, name) : entry[0] == '/' && sl_path_within(name, entry))
			return true;
	}
	return false;
}

unsigned int sl_net_protocols(const struct sl_net_rules *r)
{
	unsigned int protocols = 0;

	if (!r->allow_count && r->deny_count)
		return SL_NET_TCP | SL_NET_UDP | SL_NET_ICMP;
	for (size_t i = 0; i < r->allow_count; i++)
		protocols |= r->allow[i].protocols;
	return protocols;
}

bool sl_net_has_hosts(const struct sl_net_rules *r)
{
	for (size_t i = 0; i < r->allow_count; i++)
		if (r->allow[i].target == SL_NET_HOST)
			return true;
	return false;
}

bool sl_net_names_host(const struct sl_net_rules *r, const char *host)
{
	size_t len = strlen(host);

	if (len && host[len - 1] == '.')
		len--;
	for (size_t i = 0; i < r->allow_count; i++)
		if (r->allow[i].target == SL_NET_HOST && !strncasecmp(r->allow[i].host, host, len) &&
		    !r->allow[i].host[len])
			return true;
	return false;
}

static const char *protocol_name(enum sl_net_protocol protocol)
{
	return protocol == SL_NET_TCP ? "tcp" : protocol == SL_NET_UDP ? "udp" : "icmp";
}

void sl_net_peer_text(struct sl_strbuf *out, const struct sl_net_peer *peer)
{
	char text[INET6_ADDRSTRLEN];
	bool is_4 = sl_net_is_4(&peer->address);

	if (is_4)
		inet_ntop(AF_INET, peer->address.s6_addr + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &peer->address, text, sizeof(text));
	sl_strbuf_addf(out, "%s://", protocol_name(peer->protocol));
	if (peer->protocol == SL_NET_ICMP)
		sl_strbuf_addstr(out, text);
	else
		sl_strbuf_addf(out, is_4 ? "%s:%u" : "[%s]:%u", text, (unsigned int)peer->port);
}
