/*
 * net-explain.c - run --explain for sockets: what was refused, and the smallest line that would grant it.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/path.h"
#include "observe/event.h"
#include "observe/network.h"

/* The program's name, escaped. */
static void program_of(pid_t tid, struct sl_strbuf *out)
{
	char name[32], path[PATH_MAX];
	const char *base;
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/%d/exe", (int)tid);
	n = readlink(name, path, sizeof(path) - 1);
	path[SL_MAX(n, 0)] = '\0';
	base = strrchr(path, '/') ? strrchr(path, '/') + 1 : "?";
	sl_escape(out, base, strlen(base));
}

/* What a socket that could not be made would have to be granted. */
static void kind_of(const struct sl_net_event *e, struct sl_strbuf *what, struct sl_strbuf *line)
{
	bool internet = e->family == AF_INET || e->family == AF_INET6;

	if (e->family == AF_UNIX) {
		sl_strbuf_addstr(what, e->type == SOCK_DGRAM ? "local datagram socket" : "local socket");
		sl_strbuf_addstr(line, "an entry in [network] unix switches it on");
	} else if (internet && e->type == SOCK_DGRAM) {
		bool icmp = e->protocol == IPPROTO_ICMP || e->protocol == IPPROTO_ICMPV6;

		sl_strbuf_addstr(what, icmp ? "icmp socket" : "udp socket");
		sl_strbuf_addf(line, "add a destination to [network] allow: \"%s://HOST%s\"",
			       icmp ? "icmp" : "udp", icmp ? "" : ":PORT");
	} else if (internet && e->type == SOCK_STREAM) {
		sl_strbuf_addstr(what, "tcp socket");
		sl_strbuf_addstr(line, "add a destination to [network] allow: \"tcp://HOST:PORT\"");
	} else {
		sl_strbuf_addf(what, "socket of family %d, type %d, protocol %d", e->family, e->type,
			       e->protocol);
		sl_strbuf_addstr(line, "no entry grants it");
	}
}

static void describe(const struct sl_net_event *e, struct sl_strbuf *what, struct sl_strbuf *line)
{
	if (e->deed == SL_NET_MADE) {
		kind_of(e, what, line);
	} else if (e->deed == SL_NET_BOUND || e->deed == SL_NET_LISTENED) {
		sl_strbuf_addf(what, "port %u", e->peer.port);
		sl_strbuf_addf(line, "add to [network] allow_bind: %u", e->peer.port);
	} else if (e->local) {
		sl_escape(what, e->local, strlen(e->local));
		sl_strbuf_addf(line, "add to [network] unix: \"%s\"", sl_strbuf_str(what));
	} else {
		sl_net_peer_text(what, &e->peer);
		sl_strbuf_addf(line, "add to [network] allow: \"%s\"", sl_strbuf_str(what));
	}
}

void sl_net_explain(struct sl_observer *o, const struct sl_net_event *e)
{
	SL_STRBUF program = SL_STRBUF_INIT;
	SL_STRBUF what = SL_STRBUF_INIT;
	SL_STRBUF line = SL_STRBUF_INIT;
	SL_STRBUF tail = SL_STRBUF_INIT;
	SL_STRBUF key = SL_STRBUF_INIT;

	if (!e->refused)
		return;
	program_of(e->tid, &program);
	describe(e, &what, &line);
	sl_strbuf_addf(&tail, ": %s %s is not granted; %s\n", e->call, sl_strbuf_str(&what),
		       sl_strbuf_str(&line));
	sl_strbuf_addf(&key, "%s%s", sl_strbuf_str(&program), sl_strbuf_str(&tail));
	if (!sl_explain_said(o, sl_strbuf_str(&key)))
		fprintf(stderr, "sandlock: %s[%d]%s", sl_strbuf_str(&program), (int)e->tid,
			sl_strbuf_str(&tail));
}
