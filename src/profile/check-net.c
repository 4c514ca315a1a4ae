/*
 * check-net.c - checks of what [network] and [http] hold: destinations, ports, sockets, HTTP rules.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <sys/un.h>

#include "profile/check.h"

static const char port_expected[] =
    "ports: \"443\", \"80,443\", \"8000-8010\" or \"*\", each from 1 to 65535";
static const char bind_expected[] =
    "a port from 0 to 65535, a range like \"90-95\", several with commas, or \"*\"";

/* Read a port at *p, at most 65535; -1 where there is none. */
static long take_port(const char **p)
{
	long value = 0;
	const char *start = *p;

	while (isdigit((unsigned char)**p) && value <= UINT16_MAX)
		value = value * 10 + (*(*p)++ - '0');
	return *p == start || value > UINT16_MAX ? -1 : value;
}

static void skip_spaces(const char **p)
{
	*p += strspn(*p, " \t");
}

/* Read one "N" or "LO-HI" at *p. */
static bool take_range(const char **p, long *ret_low, long *ret_high)
{
	skip_spaces(p);
	*ret_low = *ret_high = take_port(p);
	if (*ret_low < 0)
		return false;
	skip_spaces(p);
	if (**p == '-') {
		++*p;
		skip_spaces(p);
		*ret_high = take_port(p);
		skip_spaces(p);
	}
	return *ret_high >= *ret_low;
}

const char *sl_ports_add(struct sl_list *out, const char *text, int line)
{
	const char *p = text;

	if (!strcmp(text, "*")) {
		sl_list_add(out, text, line);
		return NULL;
	}
	for (;;) {
		long low, high;
		char canonical[32];

		if (!take_range(&p, &low, &high) || (*p && *p != ','))
			return bind_expected;
		if (low == high)
			snprintf(canonical, sizeof(canonical), "%ld", low);
		else
			snprintf(canonical, sizeof(canonical), "%ld-%ld", low, high);
		sl_list_add(out, canonical, line);
		if (!*p++)
			return NULL;
	}
}

/* The ports of a destination. */
static const char *check_ports(const char *text)
{
	const char *p = text;

	if (!strcmp(text, "*"))
		return NULL;
	for (;;) {
		long low, high;

		if (!take_range(&p, &low, &high) || low == 0 || (*p && *p != ','))
			return port_expected;
		if (!*p++)
			return NULL;
	}
}

/* An address of that family, maybe with "/PREFIX". */
static bool is_address(const char *text, int family)
{
	unsigned char address[sizeof(struct in6_addr)];
	const char *slash = strchr(text, '/');
	SL_FREE char *host = sl_xstrndup(text, slash ? (size_t)(slash - text) : strlen(text));
	long prefix;

	if (inet_pton(family, host, address) != 1)
		return false;
	if (!slash)
		return true;
	slash++;
	prefix = take_port(&slash);
	return !*slash && prefix >= 0 && prefix <= (family == AF_INET ? 32 : 128);
}

/* Labels of letters, digits, '-' and '_' (RFC 1123, and what DNS carries besides), not all of them numbers.
 */
static bool is_host_name(const char *text)
{
	size_t total = strlen(text);
	bool numeric = true;

	if (total == 0 || total > 253)
		return false;
	while (*text) {
		size_t len = 0;

		for (; text[len] && text[len] != '.'; len++) {
			unsigned char c = (unsigned char)text[len];

			if (c >= 0x80 || (!isalnum(c) && c != '-' && c != '_'))
				return false;
			numeric &= isdigit(c) != 0;
		}
		if (len == 0 || len > 63)
			return false;
		text += len;
		if (*text)
			text++;
	}
	return !numeric;
}

/* The target of a destination. */
static const char *check_target(const char *target, bool names)
{
	if (!strcmp(target, "*") || is_address(target, AF_INET) || is_address(target, AF_INET6))
		return NULL;
	if (is_host_name(target))
		return names ? NULL : "an address, a network like \"10.0.0.0/8\" or \"*\"; no host name";
	return names ? "a host name, an address, a network like \"10.0.0.0/8\" or \"*\""
		     : "an address, a network like \"10.0.0.0/8\" or \"*\"";
}

/* Split "target[:ports]" in place; *ret_ports is NULL where there are none. False where brackets are wrong.
 */
static bool split_ports(char *rest, char **ret_target, char **ret_ports)
{
	char *colon = strchr(rest, ':'), *end;

	*ret_target = rest;
	*ret_ports = NULL;
	if (rest[0] == '[') {
		end = strchr(rest, ']');
		if (!end || (end[1] && end[1] != ':'))
			return false;
		*ret_target = rest + 1;
		if (end[1])
			*ret_ports = end + 2;
		*end = '\0';
		return is_address(*ret_target, AF_INET6);
	}
	if (colon && !strchr(colon + 1, ':')) {
		*colon = '\0';
		*ret_ports = colon + 1;
	}
	return true;
}

static const char *check_destination(const char *text, bool names)
{
	SL_FREE char *copy = sl_xstrdup(text);
	char *rest = copy, *target, *ports, *scheme_end = strstr(copy, "://");
	bool icmp = false;

	if (scheme_end) {
		*scheme_end = '\0';
		icmp = !strcmp(copy, "icmp");
		if (!icmp && strcmp(copy, "tcp") != 0 && strcmp(copy, "udp") != 0)
			return "the scheme tcp, udp, icmp or none";
		rest = scheme_end + 3;
	}
	if (!*rest)
		return "\"[scheme://]target[:ports]\"";
	if (!split_ports(rest, &target, &ports))
		return "an IPv6 address in brackets, maybe with \":ports\" after them";
	if (ports && icmp)
		return "no ports with icmp";
	if (ports && check_ports(ports))
		return port_expected;
	return ports && !*target ? NULL : check_target(target, names);
}

const char *sl_check_destination(const char *text, int version SL_UNUSED)
{
	return check_destination(text, true);
}

const char *sl_check_denied_destination(const char *text, int version SL_UNUSED)
{
	return check_destination(text, false);
}

const char *sl_check_socket(const char *text, int version)
{
	size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);

	if (text[0] == '@')
		return text[1] && strlen(text) <= room ? NULL : "\"@\" and the name of an abstract socket";
	return sl_check_path(text, version) ? "the absolute path of a socket, or \"@name\"" : NULL;
}

/* A method is a token of RFC 9110 in capitals, as it is on the wire. */
static bool is_method(const char *text, size_t len)
{
	if (len == 1 && text[0] == '*')
		return true;
	for (size_t i = 0; i < len; i++)
		if (!(text[i] >= 'A' && text[i] <= 'Z') && text[i] != '-')
			return false;
	return len > 0;
}

const char *sl_check_http_rule(const char *text, int version SL_UNUSED)
{
	const char *space = strchr(text, ' '), *host, *path;
	SL_FREE char *name = NULL;
	size_t len;

	if (!space)
		return "\"METHOD host\" or \"METHOD host/path\"";
	if (!is_method(text, (size_t)(space - text)))
		return "a method in capitals, or \"*\"";
	host = space + strspn(space, " ");
	path = strchr(host, '/');
	len = path ? (size_t)(path - host) : strlen(host);
	name = sl_xstrndup(host, len);
	if (name[0] == '[' && name[len - 1] == ']') {
		name[len - 1] = '\0';
		if (!is_address(name + 1, AF_INET6))
			return "an IPv6 address between the brackets";
	} else if (strcmp(name, "*") != 0 && !is_address(name, AF_INET) && !is_host_name(name)) {
		return "a host name, an address or \"*\" after the method; ports stand in http.ports";
	}
	for (const char *p = path; p && *p; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return "a path without spaces";
		if (*p == '*' && p[1])
			return "\"*\" in a path only at its end";
	}
	return NULL;
}
