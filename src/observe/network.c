/*
 * network.c - see network.h.
 */
#include "observe/network.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/path.h"
#include "net/names.h"

#define SOCKETS 4096 /* remembered by cookie; older ones are forgotten */

/* Datagram sockets are switched on by an entry of unix; this one names none. */
#define OWN_SOCKETS "@own"

/* What is known of a socket. */
struct known {
	uint64_t cookie;
	struct sl_net_peer peer; /* a datagram socket's, until it is used */
	bool has_peer, bound, fixed_port;
};

struct fact {
	struct sl_net_peer peer;
	bool any_port;
	bool connected_only; /* a datagram socket, and nobody saw it used */
};

struct sl_net_facts {
	pthread_mutex_t lock;
	struct known sockets[SOCKETS];
	struct fact *facts; /* of the run that goes on */
	size_t fact_count, fact_cap;
	struct sl_strv allow, bind, sockets_used; /* settled entries */
	bool udp_bound[2];			  /* by address family: IPv4, IPv6 */
	uint16_t udp_port[2];
	uint32_t ephemeral; /* lowest port that the kernel picks */
	struct sl_net_watch *watch;
};

static uint32_t lowest_ephemeral(void)
{
	SL_FCLOSE FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	char line[64];

	return f && fgets(line, sizeof(line), f) ? (uint32_t)strtoul(line, NULL, 10) : 32768;
}

struct sl_net_facts *sl_net_facts_new(void)
{
	struct sl_net_facts *f = sl_xcalloc(1, sizeof(*f));

	pthread_mutex_init(&f->lock, NULL);
	f->ephemeral = lowest_ephemeral();
	f->watch = sl_net_watch_new(f);
	return f;
}

void sl_net_facts_free(struct sl_net_facts *f)
{
	if (!f)
		return;
	sl_net_watch_free(f->watch);
	pthread_mutex_destroy(&f->lock);
	sl_strv_release(&f->allow);
	sl_strv_release(&f->bind);
	sl_strv_release(&f->sockets_used);
	free(f->facts);
	free(f);
}

/* The socket's slot; another's that is there is forgotten. */
static struct known *known(struct sl_net_facts *f, uint64_t cookie)
{
	struct known *k = &f->sockets[cookie % SOCKETS];

	if (k->cookie != cookie)
		*k = (struct known){.cookie = cookie};
	return k;
}

static bool same_fact(const struct fact *a, const struct fact *b)
{
	return a->peer.protocol == b->peer.protocol && a->any_port == b->any_port &&
	       (a->any_port || a->peer.port == b->peer.port) &&
	       !memcmp(&a->peer.address, &b->peer.address, sizeof(a->peer.address));
}

static void add(struct sl_net_facts *f, const struct fact *fact)
{
	for (size_t i = 0; i < f->fact_count; i++) {
		if (!same_fact(&f->facts[i], fact))
			continue;
		f->facts[i].connected_only = f->facts[i].connected_only && fact->connected_only;
		return;
	}
	if (f->fact_count == f->fact_cap) {
		f->fact_cap = f->fact_cap ? 2 * f->fact_cap : 16;
		f->facts = sl_xrealloc(f->facts, f->fact_cap * sizeof(*f->facts));
	}
	f->facts[f->fact_count++] = *fact;
}

static void add_fact(struct sl_net_facts *f, const struct sl_net_peer *peer, bool any_port)
{
	const struct fact fact = {.peer = *peer, .any_port = any_port};

	add(f, &fact);
}

/* Is it known already that this peer was reached? */
static bool is_reached(const struct sl_net_facts *f, const struct sl_net_peer *peer)
{
	const struct fact fact = {.peer = *peer};

	for (size_t i = 0; i < f->fact_count; i++)
		if (!f->facts[i].connected_only && same_fact(&f->facts[i], &fact))
			return true;
	return false;
}

static void add_once(struct sl_strv *v, const char *text)
{
	if (!sl_strv_contains(v, text))
		sl_strv_add(v, text);
}

static void add_bind(struct sl_net_facts *f, uint16_t port)
{
	char text[8];

	snprintf(text, sizeof(text), "%u", port);
	add_once(&f->bind, text);
}

static bool is_datagram(const struct sl_net_event *e)
{
	return e->type == SOCK_DGRAM;
}

static void local_used(struct sl_net_facts *f, const struct sl_net_event *e)
{
	if (e->own)
		add_once(&f->sockets_used, OWN_SOCKETS);
	else if (e->local)
		add_once(&f->sockets_used, e->local);
}

static void connected(struct sl_net_facts *f, const struct sl_net_event *e)
{
	struct known *k;

	if (e->family == AF_UNIX) {
		/* A stream to a socket of the run's own needs no entry. */
		if (!e->error && (!e->own || is_datagram(e)))
			local_used(f, e);
		return;
	}
	k = known(f, e->cookie);
	k->has_peer = false;
	/* Nor does a stream to a listener of the run's own, whatever port that has. */
	if (!e->has_peer || e->own)
		return;
	if (!e->error && is_datagram(e)) {
		const struct fact fact = {.peer = e->peer, .connected_only = true};

		k->peer = e->peer;
		k->has_peer = true;
		add(f, &fact);
	} else if (!e->error) {
		add_fact(f, &e->peer, false);
		return;
	}
	if ((!e->error || e->error == EINPROGRESS) && !is_reached(f, &e->peer))
		sl_net_watch_add(f->watch, e, !k->fixed_port);
}

/* Whoever answers from a port of its own answers to ports that the kernel picked for others. */
static void sent(struct sl_net_facts *f, const struct sl_net_event *e)
{
	struct known *k;

	if (e->error)
		return;
	if (e->family == AF_UNIX) {
		local_used(f, e);
		return;
	}
	k = known(f, e->cookie);
	if (e->has_peer)
		add_fact(f, &e->peer, k->fixed_port && e->peer.port >= f->ephemeral);
	else if (k->has_peer)
		add_fact(f, &k->peer, k->fixed_port && k->peer.port >= f->ephemeral);
	if (!e->has_peer)
		k->has_peer = false;
}

static void bound(struct sl_net_facts *f, const struct sl_net_event *e)
{
	struct known *k;
	bool six = e->family == AF_INET6;

	if (e->error || e->family == AF_UNIX || !e->has_peer)
		return;
	k = known(f, e->cookie);
	k->bound = true;
	k->fixed_port = e->peer.port;
	if (e->peer.protocol == SL_NET_TCP || e->peer.port)
		add_bind(f, e->peer.port);
	if (e->peer.protocol == SL_NET_UDP && e->peer.port) {
		f->udp_bound[six] = true;
		f->udp_port[six] = e->peer.port;
	}
}

/* A socket that was bound in this run counted then; one that was not gets a port from the kernel. */
static void listened(struct sl_net_facts *f, const struct sl_net_event *e)
{
	if (!e->error && e->has_peer && !known(f, e->cookie)->bound)
		add_bind(f, e->peer.port);
}

void sl_net_facts_event(struct sl_net_facts *f, const struct sl_net_event *e)
{
	pthread_mutex_lock(&f->lock);
	switch (e->deed) {
	case SL_NET_MADE:
		if (e->family == AF_UNIX && is_datagram(e) && !e->error)
			add_once(&f->sockets_used, OWN_SOCKETS);
		break;
	case SL_NET_CONNECTED:
		connected(f, e);
		break;
	case SL_NET_SENT:
		sent(f, e);
		break;
	case SL_NET_BOUND:
		bound(f, e);
		break;
	case SL_NET_LISTENED:
		listened(f, e);
		break;
	case SL_NET_JOINED:
		/* A port that the kernel picked is another one the next time. */
		if (!e->error)
			add_fact(f, &e->peer, !known(f, e->cookie)->fixed_port);
		break;
	}
	pthread_mutex_unlock(&f->lock);
}

void sl_net_facts_peer(struct sl_net_facts *f, const struct sl_net_peer *peer)
{
	pthread_mutex_lock(&f->lock);
	add_fact(f, peer, false);
	pthread_mutex_unlock(&f->lock);
}

static const char *scheme(enum sl_net_protocol protocol)
{
	return protocol == SL_NET_TCP ? "tcp" : protocol == SL_NET_UDP ? "udp" : "icmp";
}

/* A server that only listens to datagrams sends nothing; its kind of socket is granted by an entry for
 * itself. */
static void add_udp_server(struct sl_net_facts *f)
{
	static const char *const self[] = {"127.0.0.1", "[::1]"};

	for (size_t i = 0; i < f->allow.len; i++)
		if (!strncmp(f->allow.items[i], "udp://", 6))
			return;
	for (size_t i = 0; i < SL_ARRAY_LEN(self); i++)
		if (f->udp_bound[i]) {
			SL_FREE char *text = sl_xasprintf("udp://%s:%u", self[i], f->udp_port[i]);

			add_once(&f->allow, text);
		}
}

/* Can a datagram socket's connect have been a resolver's, or ping's look at where it would send from? */
static bool is_probe(const struct sl_net_facts *f, const struct fact *fact, struct sl_names *names, bool hosts_read)
{
	for (size_t i = 0; i < f->fact_count; i++) {
		const struct sl_net_peer *used = &f->facts[i].peer;

		if (!f->facts[i].connected_only && IN6_ARE_ADDR_EQUAL(&used->address, &fact->peer.address) &&
		    (used->protocol == SL_NET_ICMP || used->port == fact->peer.port))
			return true;
	}
	return names && sl_names_is_one_of_several(names, &fact->peer.address, hosts_read);
}

static void settle_fact(struct sl_net_facts *f, const struct fact *fact, struct sl_names *names)
{
	SL_CLEANUP(sl_strv_release) struct sl_strv hosts = SL_STRV_INIT;
	SL_STRBUF text = SL_STRBUF_INIT;

	if (names)
		sl_names_of(names, &fact->peer.address, &hosts);
	for (size_t i = 0; i < hosts.len; i++) {
		sl_strbuf_reset(&text);
		sl_strbuf_addf(&text, "%s://%s", scheme(fact->peer.protocol), hosts.items[i]);
		if (fact->peer.protocol != SL_NET_ICMP && !fact->any_port)
			sl_strbuf_addf(&text, ":%u", fact->peer.port);
		add_once(&f->allow, sl_strbuf_str(&text));
	}
	if (hosts.len)
		return;
	sl_net_peer_text(&text, &fact->peer);
	if (fact->any_port)
		*strrchr(text.data, ':') = '\0';
	add_once(&f->allow, sl_strbuf_str(&text));
}

/* A name that was asked for and not connected to has to be granted somehow: to be asked how it is harms
 * least. */
static void settle_names(struct sl_net_facts *f, struct sl_names *names)
{
	SL_CLEANUP(sl_strv_release) struct sl_strv hosts = SL_STRV_INIT;

	sl_names_answered(names, &hosts);
	for (size_t i = 0; i < hosts.len; i++) {
		SL_FREE char *icmp = sl_xasprintf("icmp://%s", hosts.items[i]);
		size_t len = strlen(hosts.items[i]);
		bool named = false;

		for (size_t j = 0; !named && j < f->allow.len; j++) {
			const char *host = strstr(f->allow.items[j], "://") + 3;

			named = !strncmp(host, hosts.items[i], len) && (!host[len] || host[len] == ':');
		}
		if (!named)
			add_once(&f->allow, icmp);
	}
}

void sl_net_facts_settle(struct sl_net_facts *f, struct sl_names *names, bool hosts_read)
{
	sl_net_watch_settle(f->watch);
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->fact_count; i++)
		if (!f->facts[i].connected_only || !is_probe(f, &f->facts[i], names, hosts_read))
			settle_fact(f, &f->facts[i], names);
	f->fact_count = 0;
	if (names)
		settle_names(f, names);
	add_udp_server(f);
	pthread_mutex_unlock(&f->lock);
}

static void add_entries(struct sl_list *list, const struct sl_strv *entries)
{
	for (size_t i = 0; i < entries->len; i++)
		if (sl_utf8_valid(entries->items[i], strlen(entries->items[i])) &&
		    !sl_list_contains(list, entries->items[i]))
			sl_list_add(list, entries->items[i], 0);
}

void sl_net_facts_to_profile(struct sl_net_facts *f, struct sl_profile *profile)
{
	pthread_mutex_lock(&f->lock);
	add_entries(&profile->network.allow, &f->allow);
	add_entries(&profile->network.allow_bind, &f->bind);
	add_entries(&profile->network.unix_sockets, &f->sockets_used);
	pthread_mutex_unlock(&f->lock);
}
